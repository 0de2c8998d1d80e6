/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Methods that programs bring with them go to the engine. */
#include "service.h"

static int bind_method(cell_ctx *c, const struct cell_method *method, void **bound)
{
    struct pg_service *s = cell_ctx_user(c);

    return pg_engine_bind(s->engine, c, method, method->binding, bound);
}

static int invoke_method(cell_ctx *c, const struct cell_method *method, void *bound, const void *in, void *const *out)
{
    struct pg_service *s = cell_ctx_user(c);

    (void)method;
    return pg_engine_invoke(s->engine, c, bound, in, out);
}

static bool begin_method(cell_ctx *c, const struct cell_method *method, void *bound, const void *in, void *const *out,
                         struct cell_later *later)
{
    struct pg_service *s = cell_ctx_user(c);

    (void)method;
    return pg_engine_begin_call(s->engine, c, bound, in, out, later);
}

static int resume_method(cell_ctx *c, const struct cell_method *method, void *bound, const void *in, void *const *out,
                         void *state)
{
    struct pg_service *s = cell_ctx_user(c);

    (void)method;
    (void)bound;
    (void)in;
    (void)out;
    return pg_engine_resume(s->engine, c, state);
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

    pg_engine_unbind(s->engine, bound);
}

const struct cell_bound_ops pg_bound_ops = {bind_method,  invoke_method, unbind_method,
                                            begin_method, resume_method, flush_methods};
