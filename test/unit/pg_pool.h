/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* One pool for all tests of a program, on a server of its own. */
#ifndef TEST_PG_POOL_H
#define TEST_PG_POOL_H

#include "pg_fixture.h"
#include "postgres/pool.h"
#include "test.h"

#include <stdbool.h>

static const struct pg_patience forever = {UINT64_MAX, NULL, NULL};
static struct pg_pool *pool;

/* NULL where PostgreSQL is not installed. `connections` counts the first time. */
static struct pg_pool *pool_of(uint32_t connections)
{
    static bool tried;
    struct pg_failure f;

    if (tried)
        return pool;
    tried = true;
    const struct pg_pool_options options = {.conninfo = pg_fixture(NULL), .connections = connections};
    if (options.conninfo && pg_pool_open(&options, &pool, &f) < 0)
        exit(1);
    return pool;
}

#endif
