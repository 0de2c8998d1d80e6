/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Statements with one int4 parameter that are begun, and their ends. */
#ifndef TEST_PG_BEGUN_H
#define TEST_PG_BEGUN_H

#include "pg_run.h"

#include <semaphore.h>

struct begun {
    struct pg_pool *pool;
    sem_t done;
    struct pg_run *run; /* it has to go on */
    struct pg_rows rows;
    uint64_t sends; /* the pool's, when it ended */
    uint32_t wire;
    const char *values[1];
};

static __attribute__((unused)) struct pg_pool_counters count(struct pg_pool *pool)
{
    struct pg_pool_counters n;

    pg_pool_count(pool, &n);
    return n;
}

static void note_end(void *user, struct pg_run *run, struct pg_rows *rows)
{
    struct begun *b = user;

    b->rows = rows ? *rows : (struct pg_rows){0};
    b->run = rows ? NULL : run;
    b->sends = count(b->pool).sends;
    sem_post(&b->done);
}

static __attribute__((unused)) bool begin_int(struct pg_pool *pool, struct pg_prepared *s, int32_t value,
                                              unsigned flags, uint64_t until_ns, struct begun *b)
{
    static const int four[] = {4}, one[] = {1};

    *b = (struct begun){.pool = pool, .wire = htonl((uint32_t)value)};
    b->values[0] = (const char *)&b->wire;
    sem_init(&b->done, 0, 0);
    return pg_pool_begin(pool, s, &(struct pg_values){b->values, four, one}, flags, until_ns, note_end, b);
}

static __attribute__((unused)) bool has_ended(struct begun *b)
{
    int n = 0;

    sem_getvalue(&b->done, &n);
    return n > 0;
}

static __attribute__((unused)) void wait_end(struct begun *b)
{
    while (sem_wait(&b->done) < 0)
        continue;
    sem_destroy(&b->done);
}

/* Its end: by itself, or with this thread waiting. */
static __attribute__((unused)) int end(struct begun *b, struct pg_failure *f)
{
    *f = (struct pg_failure){0};
    wait_end(b);
    if (b->run)
        return pg_pool_go_on(b->run, &forever, &b->rows, f);
    ExecStatusType status = PQresultStatus(b->rows.result);
    return status == PGRES_TUPLES_OK ? CELL_OK : pg_fail_result(f, b->rows.result);
}

/* `sql` with $1, and its merged form: what is $1 there, is k.v here. */
static __attribute__((unused)) struct pg_prepared *prepare_both(struct pg_pool *pool, const char *sql,
                                                                const char *with_k)
{
    struct pg_prepared *s = prepare(pool, sql);
    char merged[1024];

    snprintf(merged, sizeof(merged),
             "SELECT k.n, r.* FROM unnest((SELECT $1)) WITH ORDINALITY AS k(v, n), LATERAL (%s OFFSET 0) AS r", with_k);
    if (pg_prepared_merge(s, merged, (const Oid[]){1007}) < 0)
        exit(1);
    return s;
}

/* The number in the only row; -1: there is none; -2: it is something else. */
static __attribute__((unused)) int32_t number_of(const struct pg_rows *rows)
{
    uint32_t wire;

    if (rows->n == 0)
        return -1;
    if (rows->n != 1 || PQgetlength(rows->result, rows->first, rows->column) != 4)
        return -2;
    memcpy(&wire, PQgetvalue(rows->result, rows->first, rows->column), 4);
    return (int32_t)ntohl(wire);
}

/* It ends well, with that number. */
static __attribute__((unused)) void check_end(struct begun *b, int32_t value)
{
    struct pg_failure f;

    CHECK(end(b, &f) == CELL_OK && number_of(&b->rows) == value);
    pg_rows_clear(&b->rows);
}

/* So that its time is known, and the connection is there. */
static __attribute__((unused)) void warm_up(struct pg_pool *pool, struct pg_prepared *s, int32_t value)
{
    PGresult *result = NULL;
    struct pg_failure f;

    for (int i = 0; i < 20; i++) {
        CHECK(run_int(pool, NULL, s, value, PG_RUN_RETRY, &forever, &result, &f) == CELL_OK);
        PQclear(result);
    }
}

#endif
