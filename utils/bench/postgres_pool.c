/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The cell's connections without the cell: 32 threads of one process over 8 shared connections, against 8 and 32
 * connections of libpq. Usage: bench-postgres-pool get|insert|shared ROUNDS MS; answers "crowd POOL-32 DIRECT-8
 * DIRECT-32", a second, and how they were sent.
 */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "postgres/pool.h"
#include "postgres_direct.h"

static struct pg_pool *pool;
static struct pg_prepared *get, *insert;
static unsigned insert_flags = PG_RUN_WRITE;

/* As the cell sends it (generate_read.c), with the merged form that it gives to such a statement (statement_merge.c).
 */
#define GET "SELECT id, email, name, age FROM bench_users WHERE id = "
#define GET_MERGED                                                                                                     \
    "SELECT cell_each.n, cell_row.* FROM ROWS FROM (pg_catalog.unnest((SELECT $1))) WITH ORDINALITY AS "               \
    "cell_each(k1, n), LATERAL (" GET "cell_each.k1 OFFSET 0) AS cell_row"

static void run(struct pg_prepared *s, const struct pg_values *values, unsigned flags, int rows)
{
    const struct pg_patience forever = {UINT64_MAX, NULL, NULL};
    struct pg_failure f;
    struct pg_rows got = {0};

    if (pg_pool_fetch(pool, NULL, s, values, flags, &forever, &got, &f) < 0)
        die("pool", f.text);
    if (got.n != rows)
        die("pool", "another number of rows");
    pg_rows_clear(&got);
}

static void get_once(void *own, int64_t number)
{
    uint64_t key = htobe64((uint64_t)number);
    const char *const values[] = {(const char *)&key};

    (void)own;
    run(get, &(struct pg_values){values, (const int[]){8}, (const int[]){1}}, PG_RUN_RETRY, 1);
}

static void insert_once(void *own, int64_t number)
{
    double value = 0.5;
    uint64_t key = htobe64((uint64_t)number), stamp = htobe64(1), bits;
    memcpy(&bits, &value, sizeof(bits));
    bits = htobe64(bits);
    const char *const values[] = {(const char *)&key, (const char *)&stamp, (const char *)&bits, "label"};

    (void)own;
    run(insert, &(struct pg_values){values, (const int[]){8, 8, 8, 5}, (const int[]){1, 1, 1, 1}}, insert_flags, 0);
}

static void *begin(void *user) { return user; }
static void end(void *own) { (void)own; }

int main(int argc, char **argv)
{
    const char *mode = argc > 3 ? argv[1] : "";
    const struct crowd gets = {begin, get_once, end, NULL, false}, inserts = {begin, insert_once, end, NULL, true};
    const struct pg_pool_options options = {.conninfo = getenv("PG_URL"), .share_commits = true};
    bool is_get = strcmp(mode, "get") == 0;
    struct pg_failure f;

    if (!is_get && strcmp(mode, "insert") != 0 && strcmp(mode, "shared") != 0)
        die("usage", "bench-postgres-pool get|insert|shared ROUNDS MS");
    if (strcmp(mode, "shared") == 0)
        insert_flags |= PG_RUN_SHARED;
    if (pg_pool_open(&options, &pool, &f) < 0)
        die("pool", f.text);
    get = pg_prepared_new(pool, GET "$1", (const Oid[]){20}, 1);
    insert = pg_prepared_new(pool, "INSERT INTO bench_points (id, stamp, value, label) VALUES ($1, $2, $3, $4)",
                             (const Oid[]){20, 20, 701, 25}, 4);
    if (!get || !insert || pg_prepared_merge(get, GET_MERGED, (const Oid[]){1016}) < 0)
        die("pool", "out of memory");
    crowd_rounds(is_get ? &gets : &inserts, !is_get, atoi(argv[2]), atoi(argv[3]));
    struct pg_pool_counters n;
    pg_pool_count(pool, &n);
    printf("pool %llu statements in %llu sends over %u connections\n", (unsigned long long)n.runs,
           (unsigned long long)n.sends, n.open);
    pg_prepared_free(get);
    pg_prepared_free(insert);
    pg_pool_close(pool);
    return 0;
}
