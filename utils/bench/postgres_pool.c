/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The cell's connections without the cell: 32 threads of one process over 8 shared connections, against 8 and 32
 * connections of libpq. Usage: bench-postgres-pool get|insert|shared ROUNDS MS; answers "crowd POOL-32 DIRECT-8
 * DIRECT-32", a second.
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

static void run(struct pg_prepared *s, const struct pg_values *values, unsigned flags, int rows)
{
    const struct pg_patience forever = {UINT64_MAX, NULL, NULL};
    struct pg_failure f;
    PGresult *result = NULL;

    if (pg_pool_run(pool, NULL, s, values, flags, &forever, &result, &f) < 0)
        die("pool", f.text);
    if (PQntuples(result) != rows)
        die("pool", "another number of rows");
    PQclear(result);
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
    const struct pg_pool_options options = {.conninfo = getenv("PG_URL")};
    bool is_get = strcmp(mode, "get") == 0;
    struct pg_failure f;
    PGconn *connection = connect_directly();

    if (!is_get && strcmp(mode, "insert") != 0 && strcmp(mode, "shared") != 0)
        die("usage", "bench-postgres-pool get|insert|shared ROUNDS MS");
    if (strcmp(mode, "shared") == 0)
        insert_flags |= PG_RUN_SHARED;
    if (pg_pool_open(&options, &pool, &f) < 0)
        die("pool", f.text);
    get = pg_prepared_new(pool, "SELECT id, email, name, age FROM bench_users WHERE id = $1", (const Oid[]){20}, 1);
    insert = pg_prepared_new(pool, "INSERT INTO bench_points (id, stamp, value, label) VALUES ($1, $2, $3, $4)",
                             (const Oid[]){20, 20, 701, 25}, 4);
    if (!get || !insert)
        die("pool", "out of memory");
    for (int i = 0; i < atoi(argv[2]); i++) {
        double of[3] = {0};
        for (int k = 0; k < 3; k++) {
            int which = (i + k) % 3;
            of[which] = throughput(which == 0 ? is_get ? &gets : &inserts
                                   : is_get   ? &crowd_get_directly
                                              : &crowd_insert_directly,
                                   which == 1 ? 8 : 32, atoi(argv[3]));
        }
        printf("crowd %.0f %.0f %.0f\n", of[0], of[1], of[2]);
        execute(connection, "TRUNCATE bench_points");
    }
    pg_prepared_free(get);
    pg_prepared_free(insert);
    pg_pool_close(pool);
    PQfinish(connection);
    return 0;
}
