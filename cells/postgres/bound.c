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

static void unbind_method(void *user, void *bound)
{
    struct pg_service *s = user;

    pg_engine_unbind(s->engine, bound);
}

const struct cell_bound_ops pg_bound_ops = {bind_method, invoke_method, unbind_method};
