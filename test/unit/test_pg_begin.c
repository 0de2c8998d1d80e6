/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_postgres_sanitized
/* Statements that nobody waits for, unless they take long or fail. */
#include "pg_begun.h"

#include <pthread.h>
#include <time.h>

TEST(statements_that_were_begun_are_sent_together_and_end_by_themselves)
{
    if (!url())
        return;
    struct pg_pool *pool = open_pool(1);
    struct pg_prepared *s = prepare(pool, "SELECT $1 + 1"), *bad = prepare(pool, "SELECT 1 / $1");
    struct pg_pool_counters before, after;
    struct begun b[20];
    struct pg_failure f;
    PGresult *result = NULL;

    CHECK(!begin_int(pool, s, 1, PG_RUN_RETRY, UINT64_MAX, &b[0])); /* not connected yet */
    CHECK(run_int(pool, NULL, s, 1, PG_RUN_RETRY, &forever, &result, &f) == CELL_OK);
    PQclear(result);
    pg_pool_count(pool, &before);
    for (int i = 0; i < 20; i++)
        CHECK(begin_int(pool, s, i, PG_RUN_RETRY, UINT64_MAX, &b[i]));
    pg_pool_flush(pool);
    for (int i = 0; i < 20; i++) {
        wait_end(&b[i]);
        CHECK(b[i].rows.result && int_of(b[i].rows.result) == i + 1);
        pg_rows_clear(&b[i].rows);
    }
    pg_pool_count(pool, &after);
    CHECK(after.runs - before.runs == 20 && after.sends - before.sends == 1);
    /* One that fails concerns nobody else; one that somebody waits for comes in between. */
    CHECK(begin_int(pool, bad, 0, PG_RUN_RETRY, UINT64_MAX, &b[0]));
    CHECK(begin_int(pool, s, 5, PG_RUN_RETRY, UINT64_MAX, &b[1]));
    pg_pool_flush(pool);
    CHECK(run_int(pool, NULL, s, 7, PG_RUN_RETRY, &forever, &result, &f) == CELL_OK && int_of(result) == 8);
    PQclear(result);
    wait_end(&b[0]);
    CHECK(b[0].rows.result && PQresultStatus(b[0].rows.result) == PGRES_FATAL_ERROR);
    wait_end(&b[1]);
    if (b[1].run) /* it was rolled back with the other: executed again by who can wait */
        CHECK(pg_pool_go_on(b[1].run, &forever, &b[1].rows, &f) == CELL_OK);
    CHECK(int_of(b[1].rows.result) == 6);
    pg_rows_clear(&b[0].rows);
    pg_rows_clear(&b[1].rows);
    pg_prepared_free(s);
    pg_prepared_free(bad);
    pg_pool_close(pool);
}

TEST(a_statement_that_was_begun_and_takes_long_goes_on_with_somebody_who_waits)
{
    if (!url())
        return;
    struct pg_pool *pool = open_pool(2);
    struct pg_prepared *s = prepare(pool, "SELECT CASE WHEN $1 > 0 THEN (SELECT $1 FROM pg_sleep(0.1)) ELSE $1 END"),
                       *long_one = prepare(pool, "SELECT $1 FROM pg_sleep(60)");
    struct begun b;
    struct pg_failure f;
    PGresult *result = NULL;

    for (int i = 0; i < 20; i++) { /* so that its average is short */
        CHECK(run_int(pool, NULL, s, 0, PG_RUN_RETRY, &forever, &result, &f) == CELL_OK);
        PQclear(result);
    }
    CHECK(begin_int(pool, s, 3, PG_RUN_WRITE, UINT64_MAX, &b));
    pg_pool_flush(pool);
    wait_end(&b);
    CHECK(!b.rows.result && b.run);
    CHECK(pg_pool_go_on(b.run, &forever, &b.rows, &f) == CELL_OK && int_of(b.rows.result) == 3);
    pg_rows_clear(&b.rows);
    const struct pg_patience soon = for_ms(50);
    CHECK(begin_int(pool, long_one, 1, PG_RUN_WRITE, soon.until_ns, &b));
    pg_pool_flush(pool);
    wait_end(&b);
    CHECK(!b.rows.result && b.run && pg_pool_go_on(b.run, &soon, &b.rows, &f) == CELL_DEADLINE_EXCEEDED);
    pg_prepared_free(s);
    pg_prepared_free(long_one);
    pg_pool_close(pool);
}

static void *unlock_later(void *holder)
{
    nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    PQclear(PQexec(holder, "SELECT pg_advisory_unlock(77)"));
    return NULL;
}

/* Who is told to go on may not have a thread for it before others have ended: it is not the one that reads for them. */
TEST(one_that_takes_long_and_has_no_thread_keeps_nobody_waiting)
{
    if (!url())
        return;
    struct pg_pool *pool = open_pool(1);
    execute(pool, UNTIL_UNLOCKED);
    struct pg_prepared *s = prepare(pool, "SELECT $1"), *long_one = prepare(pool, "SELECT $1 WHERE until_unlocked()");
    PGconn *holder = PQconnectdb(url());
    struct begun b[3];
    struct pg_failure f;
    pthread_t thread;

    warm_up(pool, s, 1);
    PQclear(PQexec(holder, "SELECT pg_advisory_lock(77)"));
    CHECK(begin_int(pool, long_one, 1, PG_RUN_WRITE, UINT64_MAX, &b[0]));
    CHECK(begin_int(pool, s, 2, PG_RUN_WRITE, UINT64_MAX, &b[1]));
    CHECK(begin_int(pool, s, 3, PG_RUN_WRITE, UINT64_MAX, &b[2]));
    pg_pool_flush(pool);
    for (int i = 0; i < 3; i++) {
        wait_end(&b[i]);
        REQUIRE(b[i].run);
    }
    REQUIRE(pthread_create(&thread, NULL, unlock_later, holder) == 0);
    for (int i = 2; i >= 0; i--) {
        const struct pg_patience patience = for_ms(60000);
        CHECK(pg_pool_go_on(b[i].run, &patience, &b[i].rows, &f) == CELL_OK && number_of(&b[i].rows) == i + 1);
        pg_rows_clear(&b[i].rows);
    }
    pthread_join(thread, NULL);
    PQfinish(holder);
    pg_prepared_free(s);
    pg_prepared_free(long_one);
    pg_pool_close(pool);
}

TEST(a_write_that_was_begun_and_ends_its_connection_goes_on_as_any_other)
{
    if (!url())
        return;
    struct pg_pool *pool = open_pool(1);
    struct pg_prepared *s = prepare(pool, "INSERT INTO begun SELECT $1 FROM pg_terminate_backend(pg_backend_pid())"),
                       *ask = prepare(pool, "SELECT $1 + count(*)::int4 FROM begun");
    struct begun b;
    struct pg_failure f;
    PGresult *result = NULL;

    execute(pool, "CREATE TABLE begun (i int4)");
    CHECK(run_int(pool, NULL, ask, 1, PG_RUN_RETRY, &forever, &result, &f) == CELL_OK);
    PQclear(result);
    CHECK(begin_int(pool, s, 1, PG_RUN_WRITE, UINT64_MAX, &b));
    pg_pool_flush(pool);
    wait_end(&b);
    CHECK(!b.rows.result && b.run && pg_pool_go_on(b.run, &forever, &b.rows, &f) == CELL_UNAVAILABLE);
    /* The server said each time that nothing was stored. */
    CHECK(run_int(pool, NULL, ask, 4, PG_RUN_RETRY, &forever, &result, &f) == CELL_OK && int_of(result) == 4);
    PQclear(result);
    execute(pool, "DROP TABLE begun");
    pg_prepared_free(s);
    pg_prepared_free(ask);
    pg_pool_close(pool);
}
