/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Pools on one server for all tests of a program, and statements with one parameter. */
#ifndef TEST_PG_RUN_H
#define TEST_PG_RUN_H

#include "pg_fixture.h"
#include "postgres/pool.h"
#include "test.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <time.h>

static const struct pg_patience forever = {UINT64_MAX, NULL, NULL};

static __attribute__((unused)) struct pg_patience for_ms(unsigned ms)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (struct pg_patience){(uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec + ms * UINT64_C(1000000), NULL,
                                NULL};
}

/* Waits for the advisory lock 77 as what is slow does, and not as what waits for a lock: that goes elsewhere by itself.
 */
#define UNTIL_UNLOCKED                                                                                                 \
    "CREATE FUNCTION until_unlocked() RETURNS bool LANGUAGE plpgsql AS $$ BEGIN "                                      \
    "WHILE NOT pg_try_advisory_xact_lock(77) LOOP PERFORM pg_sleep(0.01); END LOOP; RETURN true; END $$"

static __attribute__((unused)) const char *url(void)
{
    static const char *made;

    if (!made)
        made = pg_fixture(NULL);
    return made;
}

static __attribute__((unused)) struct pg_pool *open_slow_pool(uint32_t connections, uint32_t slow_ms)
{
    const struct pg_pool_options options = {
        .conninfo = url(), .connections = connections, .statements = 16, .slow_ms = slow_ms, .share_commits = true};
    struct pg_failure f;
    struct pg_pool *pool = NULL;

    if (pg_pool_open(&options, &pool, &f) < 0) {
        printf("%s\n", f.text);
        exit(1);
    }
    return pool;
}

static __attribute__((unused)) struct pg_pool *open_pool(uint32_t connections)
{
    return open_slow_pool(connections, 0);
}

/* Runs a statement with one int4 parameter. */
static __attribute__((unused)) int run_int(struct pg_pool *pool, struct pg_link *link, struct pg_prepared *s,
                                           int32_t value, unsigned flags, const struct pg_patience *patience,
                                           PGresult **result, struct pg_failure *f)
{
    uint32_t wire = htonl((uint32_t)value);
    const char *values[] = {(const char *)&wire};
    const int lengths[] = {4}, formats[] = {1};

    return pg_pool_run(pool, link, s, &(struct pg_values){values, lengths, formats}, flags, patience, result, f);
}

static __attribute__((unused)) int32_t int_of(const PGresult *result)
{
    uint32_t wire;

    if (PQntuples(result) != 1 || PQgetlength(result, 0, 0) != 4)
        return -1;
    memcpy(&wire, PQgetvalue(result, 0, 0), 4);
    return (int32_t)ntohl(wire);
}

static __attribute__((unused)) void execute(struct pg_pool *pool, const char *sql)
{
    struct pg_link *link = NULL;
    struct pg_failure f = {0};

    if (pg_pool_pin(pool, &forever, &link, &f) < 0 || pg_link_exec(link, sql, &forever, NULL, &f) < 0) {
        printf("%s: %s\n", sql, f.text);
        exit(1);
    }
    pg_pool_unpin(pool, link, true);
}

static __attribute__((unused)) struct pg_prepared *prepare(struct pg_pool *pool, const char *sql)
{
    return pg_prepared_new(pool, sql, (const Oid[]){23}, 1);
}

#endif
