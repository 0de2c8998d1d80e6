/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Methods that programs bring with them go to the engine, or, when they are those of a source, to the feed. */
#include "service.h"

#include <stdlib.h>

struct bound {
    struct pg_feed_bound *feed;
    void *engine;
};

static int bind_method(cell_ctx *c, const struct cell_method *method, void **bound)
{
    struct pg_service *s = cell_ctx_user(c);
    struct bound *b = calloc(1, sizeof(*b));

    if (!b)
        return cell_fail(c, CELL_NO_MEMORY, "out of memory");
    int r = pg_feed_is_bound(method->binding) ? pg_feed_bind(s->feed, pg_engine_pool(s->engine), c, method, &b->feed)
                                              : pg_engine_bind(s->engine, c, method, method->binding, &b->engine);
    if (r < 0)
        free(b);
    else
        *bound = b;
    return r;
}

static int invoke_method(cell_ctx *c, const struct cell_method *method, void *bound, const void *in, void *const *out)
{
    struct pg_service *s = cell_ctx_user(c);
    const struct bound *b = bound;

    (void)method;
    return b->feed ? pg_feed_invoke(b->feed, c, in) : pg_engine_invoke(s->engine, c, b->engine, in, out);
}

static bool begin_method(cell_ctx *c, const struct cell_method *method, void *bound, const void *in, void *const *out,
                         struct cell_later *later)
{
    struct pg_service *s = cell_ctx_user(c);
    const struct bound *b = bound;

    (void)method;
    return !b->feed && pg_engine_begin_call(s->engine, c, b->engine, in, out, later);
}

static int resume_method(cell_ctx *c, const struct cell_method *method, void *bound, const void *in, void *const *out,
                         void *state)
{
    struct pg_service *s = cell_ctx_user(c);

    const struct bound *b = bound;

    (void)method;
    return pg_engine_resume(s->engine, c, b->engine, in, out, state);
}

static void flush_methods(void *user)
{
    struct pg_service *s = user;

    pg_engine_flush(s->engine);
}

void pg_service_quiet(void *service)
{
    struct pg_service *s = service;

    pg_engine_quiet(s->engine);
}

static void unbind_method(void *user, void *bound)
{
    struct pg_service *s = user;
    struct bound *b = bound;

    if (b->feed)
        pg_feed_unbind(b->feed);
    else
        pg_engine_unbind(s->engine, b->engine);
    free(b);
}

static int check_method(cell_ctx *c, const struct cell_method *method)
{
    struct pg_service *s = cell_ctx_user(c);

    return pg_feed_is_bound(method->binding) ? CELL_OK : pg_engine_check(s->engine, c, method, method->binding);
}

const struct cell_bound_ops pg_bound_ops = {.bind = bind_method,
                                            .invoke = invoke_method,
                                            .unbind = unbind_method,
                                            .check = check_method,
                                            .begin = begin_method,
                                            .resume = resume_method,
                                            .flush = flush_methods};
