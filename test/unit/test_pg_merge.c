/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_postgres_sanitized
/* Executions of one statement that become one: each gets its own answer, whatever happens to the others. */
#include "pg_begun.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

/* However slow the machine is, no statement is too slow to be merged. */
static struct pg_pool *open_patient_pool(uint32_t connections) { return open_slow_pool(connections, 20000); }

/* Begins all of them, and sends them. */
static void begin_all(struct pg_pool *pool, struct pg_prepared *s, const int32_t *values, int n, struct begun *b)
{
    for (int i = 0; i < n; i++)
        REQUIRE(begin_int(pool, s, values[i], PG_RUN_RETRY, UINT64_MAX, &b[i]));
    pg_pool_flush(pool);
}

TEST(each_execution_gets_its_own_row_or_none)
{
    if (!url())
        return;
    struct pg_pool *pool = open_patient_pool(1);
    struct pg_prepared *s = prepare_both(pool, "SELECT i * 10 FROM merged WHERE i = $1",
                                         "SELECT i * 10 FROM merged WHERE i = k.v ORDER BY 1"),
                       *other = prepare_both(pool, "SELECT i FROM merged WHERE i = $1",
                                             "SELECT i FROM merged WHERE i = k.v");
    /* Some twice, some that are not there, in no order. */
    static const int32_t keys[] = {5, 1, 77, 5, 3, -1, 2, 1, 5, 99, 4};
    enum { N = sizeof(keys) / sizeof(keys[0]) };
    struct begun b[N], o[2];
    struct pg_failure f;

    execute(pool, "CREATE TABLE merged AS SELECT i FROM generate_series(1, 50) i");
    warm_up(pool, s, 1);
    warm_up(pool, other, 1);
    struct pg_pool_counters before = count(pool);
    for (int round = 0; round < 10; round++) { /* with plans of all kinds */
        REQUIRE(begin_int(pool, other, 7, PG_RUN_RETRY, UINT64_MAX, &o[0]));
        for (int i = 0; i < N; i++) {
            REQUIRE(begin_int(pool, s, keys[i], PG_RUN_RETRY, UINT64_MAX, &b[i]));
            if (i == 4)
                REQUIRE(begin_int(pool, other, 8, PG_RUN_RETRY, UINT64_MAX, &o[1]));
        }
        pg_pool_flush(pool);
        for (int i = 0; i < N; i++) {
            CHECK(end(&b[i], &f) == CELL_OK);
            CHECK(number_of(&b[i].rows) == (keys[i] >= 1 && keys[i] <= 50 ? keys[i] * 10 : -1));
            pg_rows_clear(&b[i].rows);
        }
        for (int i = 0; i < 2; i++) {
            CHECK(end(&o[i], &f) == CELL_OK && number_of(&o[i].rows) == 7 + i);
            pg_rows_clear(&o[i].rows);
        }
    }
    struct pg_pool_counters after = count(pool);
    CHECK(after.merges - before.merges == 20 && after.merged - before.merged == 10 * (N + 2));
    CHECK(after.merged_again == before.merged_again && after.runs - before.runs == 10 * (N + 2));
    execute(pool, "DROP TABLE merged");
    pg_prepared_free(s);
    pg_prepared_free(other);
    pg_pool_close(pool);
}

TEST(one_that_fails_concerns_nobody_else)
{
    if (!url())
        return;
    struct pg_pool *pool = open_patient_pool(1);
    struct pg_prepared *s = prepare_both(pool, "SELECT 100 / $1", "SELECT 100 / k.v");
    static const int32_t keys[] = {5, 0, 10};
    struct begun b[3];
    struct pg_failure f;

    warm_up(pool, s, 1);
    struct pg_pool_counters before = count(pool);
    begin_all(pool, s, keys, 3, b);
    for (int i = 0; i < 3; i++) {
        int r = end(&b[i], &f);
        CHECK(keys[i] ? r == CELL_OK && number_of(&b[i].rows) == 100 / keys[i] : r < 0 && !strcmp(f.sqlstate, "22012"));
        pg_rows_clear(&b[i].rows);
    }
    struct pg_pool_counters after = count(pool);
    CHECK(after.merges - before.merges == 1 && after.merged_again - before.merged_again == 3);
    /* The next time they are merged again. */
    begin_all(pool, s, (const int32_t[]){4, 5}, 2, b);
    for (int i = 0; i < 2; i++) {
        CHECK(end(&b[i], &f) == CELL_OK && number_of(&b[i].rows) == 100 / (4 + i));
        pg_rows_clear(&b[i].rows);
    }
    CHECK(count(pool).merges - after.merges == 1 && count(pool).merged_again == after.merged_again);
    pg_prepared_free(s);
    pg_pool_close(pool);
}

/* Answers of three executions of "SELECT $1 + 0" whose merged form is `merged`. */
static struct pg_pool_counters check_odd(const char *merged, int rounds)
{
    struct pg_pool *pool = open_patient_pool(1);
    struct pg_prepared *s = prepare(pool, "SELECT $1 + 0");
    struct begun b[3];
    struct pg_failure f;

    CHECK(pg_prepared_merge(s, merged, (const Oid[]){1007}) == CELL_OK);
    warm_up(pool, s, 1);
    for (int round = 0; round < rounds; round++) {
        begin_all(pool, s, (const int32_t[]){4, 5, 6}, 3, b);
        for (int i = 0; i < 3; i++) {
            CHECK(end(&b[i], &f) == CELL_OK && number_of(&b[i].rows) == 4 + i);
            pg_rows_clear(&b[i].rows);
        }
    }
    struct pg_pool_counters n = count(pool);
    pg_prepared_free(s);
    pg_pool_close(pool);
    return n;
}

TEST(a_merged_form_that_is_none_is_not_believed)
{
    if (!url())
        return;
    /* The database refuses it: once. */
    struct pg_pool_counters n = check_odd("SELECT nonsense", 3);
    CHECK(n.merges == 1 && n.merged_again == 3);
    /* No number of an element, one that does not exist, none at all, rows that are torn apart. */
    static const char *const odd[] = {
        "SELECT v, v FROM unnest($1) v",
        "SELECT 4::bigint, v FROM unnest($1) v",
        "SELECT -1::bigint, v FROM unnest($1) v",
        "SELECT NULL::bigint, v FROM unnest($1) v",
        "SELECT n, v FROM unnest($1 || $1) WITH ORDINALITY u(v, n)",
        "SELECT (n - 1) % 3 + 1, v FROM unnest($1 || $1) WITH ORDINALITY u(v, n)",
    };
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        n = check_odd(odd[i], 2);
        CHECK(n.merges == 2 && n.merged_again == 6);
    }
    /* In another order it is as good. */
    n = check_odd("SELECT n, v FROM unnest($1) WITH ORDINALITY u(v, n) ORDER BY n DESC", 2);
    CHECK(n.merges == 2 && n.merged_again == 0);
}

TEST(what_has_large_rows_is_merged_no_more)
{
    if (!url())
        return;
    struct pg_pool *pool = open_patient_pool(1);
    struct pg_prepared *s =
        prepare_both(pool, "SELECT $1 + 0, repeat('x', $1 * 1000)", "SELECT k.v + 0, repeat('x', k.v * 1000)");
    static const int32_t keys[][2] = {{1, 2}, {300, 400}, {1, 2}};
    struct begun b[2];
    struct pg_failure f;

    warm_up(pool, s, 1);
    for (int round = 0; round < 3; round++) {
        begin_all(pool, s, keys[round], 2, b);
        for (int i = 0; i < 2; i++) {
            CHECK(end(&b[i], &f) == CELL_OK && number_of(&b[i].rows) == keys[round][i]);
            pg_rows_clear(&b[i].rows);
        }
        CHECK(count(pool).merges == (round == 0 ? 1 : 2));
    }
    pg_prepared_free(s);
    pg_pool_close(pool);
}

TEST(one_that_ends_its_connection_concerns_nobody_else)
{
    if (!url())
        return;
    struct pg_pool *pool = open_patient_pool(1);
#define KILLS(key) "SELECT " key " FROM pg_terminate_backend(CASE WHEN " key " = 9 THEN pg_backend_pid() ELSE 0 END)"
    struct pg_prepared *s = prepare_both(pool, KILLS("$1"), KILLS("k.v"));
    struct begun b[4];
    struct pg_failure f;

    execute(pool, "SET client_min_messages = error");
    warm_up(pool, s, 1);
    begin_all(pool, s, (const int32_t[]){4, 9, 5, 9}, 4, b);
    for (int i = 0; i < 4; i++) {
        int r = end(&b[i], &f);
        CHECK(i % 2 ? r == CELL_UNAVAILABLE : r == CELL_OK && number_of(&b[i].rows) == 4 + i / 2);
        pg_rows_clear(&b[i].rows);
    }
    CHECK(count(pool).lost > 0);
    pg_prepared_free(s);
    pg_pool_close(pool);
}

TEST(one_that_takes_long_or_is_out_of_time_lets_the_others_go)
{
    if (!url())
        return;
    struct pg_pool *pool = open_patient_pool(1);
#define SLEEPS(key) "SELECT " key " FROM pg_sleep(CASE WHEN " key " = 9 THEN 60 ELSE 0 END)"
    struct pg_prepared *s = prepare_both(pool, SLEEPS("$1"), SLEEPS("k.v"));
    struct begun b[3];
    struct pg_failure f;

    warm_up(pool, s, 1);
    const struct pg_patience soon = for_ms(300);
    REQUIRE(begin_int(pool, s, 4, PG_RUN_RETRY, UINT64_MAX, &b[0]));
    REQUIRE(begin_int(pool, s, 9, PG_RUN_RETRY, soon.until_ns, &b[1]));
    REQUIRE(begin_int(pool, s, 5, PG_RUN_RETRY, UINT64_MAX, &b[2]));
    pg_pool_flush(pool);
    while (sem_wait(&b[1].done) < 0)
        continue;
    CHECK(b[1].run && pg_pool_go_on(b[1].run, &soon, &b[1].rows, &f) == CELL_DEADLINE_EXCEEDED);
    sem_destroy(&b[1].done);
    for (int i = 0; i < 3; i += 2) {
        CHECK(end(&b[i], &f) == CELL_OK && number_of(&b[i].rows) == 4 + i / 2);
        pg_rows_clear(&b[i].rows);
    }
    CHECK(count(pool).merges == 1 && count(pool).cancels >= 1);
    pg_prepared_free(s);
    pg_pool_close(pool);
}

/* ---- threads that wait ---- */

struct reader {
    struct pg_pool *pool;
    struct pg_prepared *s;
    pthread_t thread;
    atomic_bool *stop;
    unsigned seed;
    atomic_ullong rows, missing, wrong;
};

static void *read_rows(void *arg)
{
    static const int four[] = {4}, one[] = {1};
    struct reader *r = arg;

    while (!atomic_load(r->stop)) {
        int32_t key = (int32_t)(rand_r(&r->seed) % 40);
        uint32_t wire = htonl((uint32_t)key);
        const char *values[] = {(const char *)&wire};
        struct pg_rows rows = {0};
        struct pg_failure f;
        int status = pg_pool_fetch(r->pool, NULL, r->s, &(struct pg_values){values, four, one}, PG_RUN_RETRY, &forever,
                                   &rows, &f);
        int32_t number = status < 0 ? -2 : number_of(&rows);
        if (status < 0)
            printf("%s\n", f.text);
        r->missing += number == -1;
        r->rows += number >= 0;
        /* Even ones are always there; the number says whose row it is, whatever it was changed to. */
        r->wrong += number < -1 || (number == -1 && key % 2 == 0) || (number >= 0 && number % 100 != key);
        pg_rows_clear(&rows);
    }
    return NULL;
}

/* What all of them have seen. */
static bool have_seen(struct reader *readers, int n)
{
    unsigned long long rows = 0, missing = 0;

    for (int i = 0; i < n; i++) {
        rows += readers[i].rows;
        missing += readers[i].missing;
    }
    return rows > 0 && missing > 0 && count(readers[0].pool).merges > 0;
}

TEST(threads_that_wait_share_statements_while_rows_change_and_connections_end)
{
    if (!url())
        return;
    enum { READERS = 16, ROUNDS = 60 };
    struct pg_pool *pool = open_patient_pool(2);
    struct pg_prepared *s =
        prepare_both(pool, "SELECT number FROM changing WHERE i = $1", "SELECT number FROM changing WHERE i = k.v");
    struct reader readers[READERS];
    atomic_bool stop = false;
    unsigned long long wrong = 0;
    char sql[256];

    execute(pool, "CREATE TABLE changing (i int4 PRIMARY KEY, number int4);"
                  "INSERT INTO changing SELECT i, i FROM generate_series(0, 39) i");
    warm_up(pool, s, 1);
    for (int i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.pool = pool, .s = s, .stop = &stop, .seed = (unsigned)i};
        pthread_create(&readers[i].thread, NULL, read_rows, &readers[i]);
    }
    for (int round = 0; round < ROUNDS || !have_seen(readers, READERS); round++) {
        snprintf(sql, sizeof(sql), "UPDATE changing SET number = number + 100; %s",
                 round % 2 ? "INSERT INTO changing SELECT i, i FROM generate_series(1, 39, 2) i"
                           : "DELETE FROM changing WHERE i % 2 = 1");
        execute(pool, sql);
        if (round % 20 == 10) /* those that have read, not those that are only being connected */
            execute(pool, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%number FROM "
                          "changing%' AND pid <> pg_backend_pid()");
    }
    atomic_store(&stop, true);
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        wrong += readers[i].wrong;
    }
    CHECK(wrong == 0 && count(pool).merged > count(pool).merges);
    execute(pool, "DROP TABLE changing");
    pg_prepared_free(s);
    pg_pool_close(pool);
}
