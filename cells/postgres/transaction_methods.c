/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Transactions of programs; cell_transaction (cell/ctx.h) calls these. */
#include "postgres.h"

#include "service.h"

static struct pg_engine *engine_of(cell_ctx *c)
{
    struct pg_service *s = cell_ctx_user(c);

    return s->engine;
}

int postgres_begin(cell_ctx *c, uint32_t isolation, cell_str *token)
{
    return pg_engine_begin(engine_of(c), c, isolation, token);
}

int postgres_commit(cell_ctx *c, cell_str token) { return pg_engine_commit(engine_of(c), c, token); }

int postgres_rollback(cell_ctx *c, cell_str token) { return pg_engine_rollback(engine_of(c), c, token); }
