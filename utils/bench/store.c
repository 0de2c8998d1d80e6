/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The same records through the store cell and in LMDB itself. utils/bench/store compiles this against a store and the
 * cell of store_idle.c, tells it over stdin what to do, "WHAT COUNT", and reads the nanoseconds of one operation.
 */
#include <cell/cell.h>

#include <inttypes.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

CELL_REMOTE(idle);

struct CELL_STORE(bench_records) record {
    int64_t id CELL_KEY;
    cell_str title;
    cell_str body;
    int32_t year;
    double score;
};

#define RECORDS 100000
#define TOGETHER 100 /* of put_many */
#define WRITERS 8

static char body[200];
static MDB_env *env;
static MDB_dbi dbi;
static MDB_txn *reader;
static uint64_t checksum;

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static void must(const char *what, int rc)
{
    if (rc != 0)
        die(what, mdb_strerror(rc));
}

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static struct record record_of(int64_t id)
{
    return (struct record){id, CELL_STR("a title of some length"), {body, sizeof(body)}, 1990, 0.5};
}

/* ---- LMDB by hand: the key as the store has it, and as many bytes ---- */

static void key_bytes(int64_t id, uint8_t key[8])
{
    for (int i = 0; i < 8; i++)
        key[i] = (uint8_t)((uint64_t)id >> (56 - 8 * i));
}

static void put_directly(int64_t from, int64_t n)
{
    uint8_t key[8], bytes[250] = {0};
    MDB_txn *txn;

    must("begin", mdb_txn_begin(env, NULL, 0, &txn));
    for (int64_t i = 0; i < n; i++) {
        MDB_val k = {8, key}, v = {sizeof(bytes), bytes};
        key_bytes(from + i, key);
        must("put", mdb_put(txn, dbi, &k, &v, 0));
    }
    must("commit", mdb_txn_commit(txn));
}

static void open_directly(const char *folder)
{
    MDB_txn *txn;

    must("create", mdb_env_create(&env));
    must("size", mdb_env_set_mapsize(env, (size_t)8 << 30));
    must("open", mdb_env_open(env, folder, MDB_NORDAHEAD, 0600));
    must("begin", mdb_txn_begin(env, NULL, 0, &txn));
    must("table", mdb_dbi_open(txn, NULL, 0, &dbi));
    must("commit", mdb_txn_commit(txn));
    put_directly(0, RECORDS);
    must("reader", mdb_txn_begin(env, NULL, MDB_RDONLY, &reader));
    mdb_txn_reset(reader);
}

static void get_directly(int64_t id)
{
    uint8_t key[8], copy[250];
    MDB_val k = {8, key}, v;

    key_bytes(id, key);
    must("renew", mdb_txn_renew(reader));
    must("get", mdb_get(reader, dbi, &k, &v));
    memcpy(copy, v.mv_data, v.mv_size);
    checksum += copy[id % 250];
    mdb_txn_reset(reader);
}

/* ---- through cells ---- */

static void get_nothing(cell_ctx *c, int64_t id)
{
    struct idle_record row;

    if (idle_get(c, id, &row) < 0 || row.id != id)
        die("idle", cell_ctx_message(c));
    cell_ctx_reset(c);
}

static void get_stored(cell_ctx *c, int64_t id)
{
    struct record row;

    if (bench_records_get(c, id, &row) < 0 || row.id != id)
        die("get", cell_ctx_message(c));
    cell_ctx_reset(c);
}

static void put_stored(cell_ctx *c, int64_t from, int64_t n)
{
    struct record rows[TOGETHER];

    for (int64_t i = 0; i < n; i++)
        rows[i] = record_of(from + i);
    if ((n == 1 ? bench_records_put(c, &rows[0])
                : bench_records_put_many(c, (bench_records_records){rows, (uint64_t)n})) < 0)
        die("put", cell_ctx_message(c));
    cell_ctx_reset(c);
}

static void scan_stored(cell_ctx *c, int64_t n)
{
    struct bench_records_range range = {.to_id = CELL_SOME(n)};
    struct bench_records_scan_iter it = bench_records_scan(c, &range);

    while (bench_records_scan_next(&it))
        checksum += (uint64_t)it.row.id;
    if (bench_records_scan_end(&it) < 0)
        die("scan", cell_ctx_message(c));
    cell_ctx_reset(c);
}

static void scan_directly(int64_t n)
{
    MDB_cursor *cursor;
    MDB_val k, v;

    must("renew", mdb_txn_renew(reader));
    must("cursor", mdb_cursor_open(reader, dbi, &cursor));
    for (int64_t i = 0; i < n && mdb_cursor_get(cursor, &k, &v, i ? MDB_NEXT : MDB_FIRST) == 0; i++)
        checksum += ((uint8_t *)v.mv_data)[3];
    mdb_cursor_close(cursor);
    mdb_txn_reset(reader);
}

static int64_t each;

static void *put_some(void *user)
{
    CELL_CTX(c, .timeout_ms = 60000);

    for (int64_t i = 0; i < each; i++)
        put_stored(c, (int64_t)(intptr_t)user * RECORDS / WRITERS + i, 1);
    return NULL;
}

static void put_by_many(int64_t n)
{
    pthread_t threads[WRITERS];

    each = n / WRITERS;
    for (intptr_t i = 0; i < WRITERS; i++)
        pthread_create(&threads[i], NULL, put_some, (void *)i);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
}

static void work(cell_ctx *c, const char *what, int64_t n)
{
    static uint64_t dice = 88172645463325252;

    if (strcmp(what, "put-by-8") == 0) {
        put_by_many(n);
        return;
    }
    if (strcmp(what, "scan") == 0 || strcmp(what, "lmdb-scan") == 0) {
        what[0] == 's' ? scan_stored(c, n) : scan_directly(n);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        int64_t id = (int64_t)(dice % (RECORDS - TOGETHER));
        if (strcmp(what, "lmdb-get") == 0)
            get_directly(id);
        else if (strcmp(what, "call") == 0)
            get_nothing(c, id);
        else if (strcmp(what, "both") == 0) {
            get_nothing(c, id);
            get_directly(id);
        } else if (strcmp(what, "get") == 0)
            get_stored(c, id);
        else if (strcmp(what, "lmdb-put") == 0)
            put_directly(id, 1);
        else if (strcmp(what, "put") == 0)
            put_stored(c, id, 1);
        else if (strcmp(what, "lmdb-put-100") == 0)
            put_directly(id, TOGETHER);
        else
            put_stored(c, id, TOGETHER);
    }
}

int main(int argc, char **argv)
{
    CELL_CTX(c, .timeout_ms = 60000);
    char what[32];
    int64_t n;

    memset(body, 'b', sizeof(body));
    open_directly(argc > 1 ? argv[1] : ".");
    for (int64_t i = 0; i < RECORDS; i += TOGETHER)
        put_stored(c, i, TOGETHER);
    printf("ready\n");
    fflush(stdout);
    while (scanf("%31s %" SCNd64, what, &n) == 2) {
        uint64_t begun = now_ns();
        work(c, what, n);
        printf("%g\n", (double)(now_ns() - begun) / (double)n);
        fflush(stdout);
    }
    mdb_txn_abort(reader);
    mdb_env_close(env);
    return checksum == 1;
}
