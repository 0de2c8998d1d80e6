/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_postgres_sanitized
/* The pool against a real database: threads, failures, cancelled and slow statements, lost connections. */
#include "pg_run.h"
#include "postgres/connect.h"
#include "postgres/pool_impl.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

TEST(a_statement_alone_is_sent_once_and_prepared_once)
{
    if (!url())
        return;
    struct pg_pool *pool = open_pool(2);
    struct pg_prepared *s = prepare(pool, "SELECT $1 + 1");
    struct pg_pool_counters n;
    struct pg_failure f;

    for (int i = 0; i < 10; i++) {
        PGresult *result = NULL;
        REQUIRE(run_int(pool, NULL, s, i, PG_RUN_RETRY, &forever, &result, &f) == CELL_OK);
        CHECK(int_of(result) == i + 1);
        PQclear(result);
    }
    pg_pool_count(pool, &n);
    CHECK(n.connects == 1 && n.open == 1 && n.prepares == 1 && n.runs == 10 && n.sends == 10 && n.pinned == 0);
    pg_prepared_free(s);
    pg_pool_close(pool);
}

struct worker {
    struct pg_pool *pool;
    struct pg_prepared *good, *bad;
    unsigned flags;
    int number;
    atomic_int *wrong;
};

#define ROUNDS 200

static void *work(void *argument)
{
    struct worker *w = argument;

    for (int i = 0; i < ROUNDS; i++) {
        struct pg_failure f;
        PGresult *result = NULL;
        int value = w->number * 1000 + i;
        bool fails = i % 7 == 3;
        int r = run_int(w->pool, NULL, fails ? w->bad : w->good, fails ? 0 : value, w->flags, &forever, &result, &f);
        if (fails ? r != CELL_INVALID_ARGUMENT || strcmp(f.sqlstate, "22012") != 0 : r < 0 || int_of(result) != value)
            atomic_fetch_add(w->wrong, 1);
        if (r >= 0)
            PQclear(result);
    }
    return NULL;
}

static int race(struct pg_pool *pool, unsigned flags, const char *good_sql)
{
    enum { THREADS = 16 };
    pthread_t threads[THREADS];
    struct worker workers[THREADS];
    atomic_int wrong = 0;
    struct pg_prepared *good = prepare(pool, good_sql), *bad = prepare(pool, "SELECT 1 / $1");

    for (int i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){pool, good, bad, flags, i, &wrong};
        pthread_create(&threads[i], NULL, work, &workers[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pg_prepared_free(good);
    pg_prepared_free(bad);
    return wrong;
}

TEST(each_of_many_threads_gets_its_own_result_though_others_fail)
{
    if (!url())
        return;
    struct pg_pool *pool = open_slow_pool(3, 60000); /* else what takes 20 ms on a busy machine moves to another one */
    struct pg_pool_counters n;

    CHECK(race(pool, PG_RUN_RETRY, "SELECT $1") == 0);
    pg_pool_count(pool, &n);
    CHECK(n.open <= 3);
    CHECK(n.lost == 0);
    CHECK(n.sends < n.runs); /* several went together */
    pg_pool_close(pool);
}

TEST(inserts_that_share_a_commit_are_each_done_once_though_others_fail)
{
    if (!url())
        return;
    struct pg_pool *pool = open_pool(2);
    struct pg_failure f;
    PGresult *result = NULL;

    execute(pool, "CREATE TABLE shared(v int PRIMARY KEY)");
    CHECK(race(pool, PG_RUN_WRITE | PG_RUN_SHARED, "INSERT INTO shared VALUES ($1) RETURNING v") == 0);
    struct pg_prepared *count = prepare(pool, "SELECT count(*)::int FROM shared WHERE v >= $1");
    REQUIRE(run_int(pool, NULL, count, 0, PG_RUN_RETRY, &forever, &result, &f) == CELL_OK);
    int failing = 0;
    for (int i = 0; i < ROUNDS; i++)
        failing += i % 7 == 3;
    CHECK(int_of(result) == 16 * (ROUNDS - failing));
    PQclear(result);
    pg_prepared_free(count);
    execute(pool, "DROP TABLE shared");
    pg_pool_close(pool);
}

TEST(a_commit_that_fails_is_the_failure_of_its_own_statement)
{
    if (!url())
        return;
    struct pg_pool *pool = open_pool(1);
    struct pg_failure f;
    PGresult *result = NULL;

    execute(pool, "CREATE TABLE parent(id int PRIMARY KEY); CREATE TABLE child(id int REFERENCES parent DEFERRABLE "
                  "INITIALLY DEFERRED)");
    struct pg_prepared *s = prepare(pool, "INSERT INTO child VALUES ($1) RETURNING id");
    CHECK(run_int(pool, NULL, s, 5, PG_RUN_WRITE, &forever, &result, &f) == CELL_FAILED_PRECONDITION);
    CHECK_STR(f.text, "id refers to a row that does not exist");
    CHECK(run_int(pool, NULL, s, 6, PG_RUN_WRITE | PG_RUN_SHARED, &forever, &result, &f) == CELL_FAILED_PRECONDITION);
    execute(pool, "INSERT INTO parent VALUES (6)");
    REQUIRE(run_int(pool, NULL, s, 6, PG_RUN_WRITE, &forever, &result, &f) == CELL_OK);
    PQclear(result);
    pg_prepared_free(s);
    execute(pool, "DROP TABLE child, parent");
    pg_pool_close(pool);
}

TEST(statements_that_are_not_used_make_room)
{
    if (!url())
        return;
    struct pg_pool *pool = open_pool(1); /* with room for 16 */
    struct pg_prepared *s[40];
    struct pg_pool_counters n;
    struct pg_failure f;
    char sql[64];

    for (int i = 0; i < 40; i++) {
        snprintf(sql, sizeof(sql), "SELECT $1 + %d", i);
        s[i] = prepare(pool, sql);
    }
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 40; i++) {
            PGresult *result = NULL;
            REQUIRE(run_int(pool, NULL, s[i], 7, PG_RUN_RETRY, &forever, &result, &f) == CELL_OK);
            CHECK(int_of(result) == 7 + i);
            PQclear(result);
        }
    pg_pool_count(pool, &n);
    CHECK(n.prepares == 120 && n.evictions == 104 && n.lost == 0);
    for (int i = 0; i < 40; i++)
        pg_prepared_free(s[i]);
    pg_pool_close(pool);
}

TEST(a_statement_whose_columns_have_changed_is_prepared_anew)
{
    if (!url())
        return;
    struct pg_pool *pool = open_pool(1);
    struct pg_prepared *s = NULL;
    struct pg_pool_counters before, after;
    struct pg_failure f;
    struct pg_link *link = NULL;
    PGresult *result = NULL;

    REQUIRE(pg_pool_pin(pool, &forever, &link, &f) == CELL_OK);
    CHECK(pg_link_exec(link, "CREATE TABLE plans (a integer); INSERT INTO plans VALUES (7)", &forever, NULL, &f) >= 0);
    s = prepare(pool, "SELECT a FROM plans WHERE $1 = 1");
    for (int i = 0; i < 6; i++) {
        const char *change = i % 2 ? "ALTER TABLE plans ALTER a TYPE integer" : "ALTER TABLE plans ALTER a TYPE bigint";
        bool pinned = i > 2; /* on a connection of its own */
        REQUIRE(run_int(pool, pinned ? link : NULL, s, 1, PG_RUN_RETRY, &forever, &result, &f) == CELL_OK);
        PQclear(result);
        CHECK(pg_link_exec(link, change, &forever, NULL, &f) >= 0);
        REQUIRE(run_int(pool, pinned ? link : NULL, s, 1, PG_RUN_RETRY, &forever, &result, &f) == CELL_OK);
        CHECK(PQntuples(result) == 1 && PQgetlength(result, 0, 0) == (i % 2 ? 4 : 8));
        PQclear(result);
    }
    /* A transaction has failed with it, and finds it when it is run again. */
    CHECK(pg_link_exec(link, "ALTER TABLE plans ALTER a TYPE bigint; BEGIN", &forever, NULL, &f) >= 0);
    CHECK(run_int(pool, link, s, 1, PG_RUN_RETRY, &forever, &result, &f) == CELL_ABORTED);
    CHECK(strcmp(f.sqlstate, "0A000") == 0 && strstr(f.text, "was changed meanwhile: run the transaction again"));
    CHECK(pg_link_exec(link, "ROLLBACK; BEGIN", &forever, NULL, &f) >= 0);
    REQUIRE(run_int(pool, link, s, 1, PG_RUN_RETRY, &forever, &result, &f) == CELL_OK);
    PQclear(result);
    CHECK(pg_link_exec(link, "COMMIT", &forever, NULL, &f) >= 0);
    /* It was never taken for one that somebody removes again and again, which would be prepared no more. */
    pg_pool_count(pool, &before);
    for (int i = 0; i < 3; i++) {
        REQUIRE(run_int(pool, link, s, 1, PG_RUN_RETRY, &forever, &result, &f) == CELL_OK);
        PQclear(result);
    }
    pg_pool_count(pool, &after);
    CHECK(before.prepares == after.prepares && !atomic_load(&pool->unprepared));
    pg_pool_unpin(pool, link, true);
    pg_prepared_free(s);
    pg_pool_close(pool);
}

TEST(a_deadline_cancels_the_statement_and_the_connection_stays)
{
    if (!url())
        return;
    struct pg_pool *pool = open_pool(1);
    struct pg_prepared *slow = prepare(pool, "SELECT $1 FROM pg_sleep(60)"), *fast = prepare(pool, "SELECT $1");
    struct pg_pool_counters n;
    struct pg_failure f;
    PGresult *result = NULL;

    /* Connected: what is sent is executed well before the time is over. */
    REQUIRE(run_int(pool, NULL, fast, 1, PG_RUN_WRITE, &forever, &result, &f) == CELL_OK);
    PQclear(result);
    const struct pg_patience patience = for_ms(300);
    CHECK(run_int(pool, NULL, slow, 1, PG_RUN_WRITE, &patience, &result, &f) == CELL_DEADLINE_EXCEEDED);
    REQUIRE(run_int(pool, NULL, fast, 1, PG_RUN_WRITE, &forever, &result, &f) == CELL_OK);
    PQclear(result);
    pg_pool_count(pool, &n);
    CHECK(n.cancels == 1 && n.connects == 1 && n.lost == 0);
    pg_prepared_free(slow);
    pg_prepared_free(fast);
    pg_pool_close(pool);
}

static void *run_slow(void *argument)
{
    struct worker *w = argument;
    struct pg_failure f;
    PGresult *result = NULL;

    if (run_int(w->pool, NULL, w->good, 1, PG_RUN_RETRY, &forever, &result, &f) < 0)
        atomic_fetch_add(w->wrong, 1);
    else
        PQclear(result);
    return NULL;
}

static void wait_until_it_runs(struct pg_pool *pool, const char *application_sql)
{
    struct pg_link *link = NULL;
    struct pg_failure f;

    if (pg_pool_pin(pool, &forever, &link, &f) < 0)
        exit(1);
    for (bool runs = false; !runs;) {
        PGresult *result = NULL;
        if (pg_link_exec(link, application_sql, &forever, &result, &f) < 0)
            exit(1);
        runs = PQntuples(result) > 0;
        PQclear(result);
    }
    pg_pool_unpin(pool, link, true);
}

#define SLEEPERS "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"

TEST(a_read_behind_a_statement_that_hangs_moves_to_another_connection)
{
    if (!url())
        return;
    /* Only one that is shared, and slow so late that the read comes before: so it must be behind. */
    struct pg_pool *pool = open_slow_pool(1, 1000);
    struct pg_link *holder = NULL;
    struct pg_prepared *stuck = prepare(pool, "SELECT $1 WHERE until_unlocked()"), *fast = prepare(pool, "SELECT $1");
    struct pg_pool_counters n;
    struct pg_failure f;
    atomic_int wrong = 0;
    struct worker w = {pool, stuck, NULL, 0, 0, &wrong};
    pthread_t thread;
    PGresult *result = NULL;

    execute(pool, UNTIL_UNLOCKED);
    REQUIRE(pg_pool_pin(pool, &forever, &holder, &f) == CELL_OK);
    REQUIRE(pg_link_exec(holder, "SELECT pg_advisory_lock(77)", &forever, NULL, &f) == CELL_OK);
    pthread_create(&thread, NULL, run_slow, &w);
    wait_until_it_runs(pool, SLEEPERS);
    REQUIRE(run_int(pool, NULL, fast, 3, PG_RUN_RETRY, &forever, &result, &f) == CELL_OK);
    CHECK(int_of(result) == 3);
    PQclear(result);
    pg_pool_count(pool, &n);
    CHECK(n.moved > 0);
    REQUIRE(pg_link_exec(holder, "SELECT pg_advisory_unlock(77)", &forever, NULL, &f) == CELL_OK);
    pthread_join(thread, NULL);
    CHECK(wrong == 0);
    pg_pool_unpin(pool, holder, true);
    pg_prepared_free(stuck);
    pg_prepared_free(fast);
    pg_pool_close(pool);
}

TEST(who_gets_no_connection_of_its_own_is_told_of_the_limit)
{
    struct pg_pool *pool = NULL;
    struct pg_link *holder = NULL, *other = NULL;
    struct pg_failure f;

    if (!url())
        return;
    REQUIRE(pg_pool_open(&(struct pg_pool_options){.conninfo = url(), .pinned = 1}, &pool, &f) == CELL_OK);
    REQUIRE(pg_pool_pin(pool, &forever, &holder, &f) == CELL_OK);
    const struct pg_patience short_one = for_ms(1);
    CHECK(pg_pool_pin(pool, &short_one, &other, &f) == CELL_RESOURCE_EXHAUSTED && !other);
    CHECK(strstr(f.text, "the one connection that") && strstr(f.text, "--own-connections"));
    pg_pool_unpin(pool, holder, true);
    pg_pool_close(pool);
}

/* And waits until they are gone, which PostgreSQL 13 cannot: tests of it have nothing to do there. */
static void kill_backends(struct pg_pool *pool)
{
    execute(pool, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND "
                  "backend_type = 'client backend'");
}

TEST(connections_that_were_lost_while_idle_are_replaced)
{
    if (!url() || pg_fixture_version() < 14)
        return;
    struct pg_pool *pool = open_pool(2), *killer = open_pool(1);
    struct pg_prepared *s = prepare(pool, "SELECT $1");
    struct pg_pool_counters n;
    struct pg_failure f;

    for (int i = 0; i < 3; i++) {
        PGresult *result = NULL;
        REQUIRE(run_int(pool, NULL, s, i, i == 1 ? PG_RUN_WRITE : PG_RUN_RETRY, &forever, &result, &f) == CELL_OK);
        CHECK(int_of(result) == i);
        PQclear(result);
        kill_backends(killer);
    }
    pg_pool_count(pool, &n);
    CHECK(n.lost == 2 && n.connects == 3);
    pg_prepared_free(s);
    pg_pool_close(killer);
    pg_pool_close(pool);
}

static void *hold_until_unlocked(void *argument)
{
    struct worker *w = argument;
    struct pg_failure f;
    PGresult *result = NULL;

    if (run_int(w->pool, NULL, w->good, 1, PG_RUN_WRITE, &forever, &result, &f) < 0)
        atomic_fetch_add(w->wrong, 1);
    PQclear(result);
    return NULL;
}

/* However many connections have ended at once: what was not begun on one is done on the next. */
TEST(a_write_finds_a_connection_when_all_were_lost_just_now)
{
    enum { ALL = 4 };
    if (!url() || pg_fixture_version() < 14)
        return;
    struct pg_pool *pool = open_slow_pool(ALL, 20000), *killer = open_pool(1), *locker = open_pool(1);
    struct pg_prepared *slow = prepare(pool, "SELECT $1 FROM pg_advisory_xact_lock_shared(78)"),
                       *s = prepare(pool, "SELECT $1");
    struct pg_link *holder = NULL;
    atomic_int wrong = 0;
    struct worker w = {pool, slow, NULL, 0, 0, &wrong};
    pthread_t threads[ALL];
    struct pg_pool_counters n;
    struct pg_failure f;
    PGresult *result = NULL;

    REQUIRE(pg_pool_pin(locker, &forever, &holder, &f) == CELL_OK);
    REQUIRE(pg_link_exec(holder, "SELECT pg_advisory_lock(78)", &forever, NULL, &f) == CELL_OK);
    for (int i = 0; i < ALL; i++) {
        char all_wait[160];
        snprintf(all_wait, sizeof(all_wait), "SELECT 1 WHERE (SELECT count(*) FROM pg_locks WHERE NOT granted) > %d",
                 i);
        pthread_create(&threads[i], NULL, hold_until_unlocked, &w);
        wait_until_it_runs(killer, all_wait);
    }
    REQUIRE(pg_link_exec(holder, "SELECT pg_advisory_unlock(78)", &forever, NULL, &f) == CELL_OK);
    for (int i = 0; i < ALL; i++)
        pthread_join(threads[i], NULL);
    pg_pool_count(pool, &n);
    CHECK(wrong == 0 && n.connects == ALL);
    pg_pool_unpin(locker, holder, true);
    pg_pool_close(locker);
    /* All at once: mostly sooner than a connection counts as idle, so that nobody looks whether it lives. */
    execute(killer, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND "
                    "backend_type = 'client backend'");
    wait_until_it_runs(killer, "SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                               "AND backend_type = 'client backend')");
    REQUIRE(run_int(pool, NULL, s, 7, PG_RUN_WRITE, &forever, &result, &f) == CELL_OK);
    CHECK(int_of(result) == 7);
    PQclear(result);
    pg_prepared_free(slow);
    pg_prepared_free(s);
    pg_pool_close(killer);
    pg_pool_close(pool);
}

TEST(a_write_whose_connection_is_lost_was_not_begun_if_the_server_says_so)
{
    if (!url())
        return;
    struct pg_pool *pool = open_pool(1), *killer = open_pool(1);
    /* The backend ends itself in the middle of the statement. */
    struct pg_prepared *s = prepare(pool, "SELECT $1 FROM pg_terminate_backend(pg_backend_pid())");
    struct pg_failure f;
    PGresult *result = NULL;

    CHECK(run_int(pool, NULL, s, 1, PG_RUN_WRITE, &forever, &result, &f) == CELL_UNAVAILABLE);
    CHECK(run_int(pool, NULL, s, 1, PG_RUN_RETRY, &forever, &result, &f) == CELL_UNAVAILABLE);
    pg_prepared_free(s);
    pg_pool_close(killer);
    pg_pool_close(pool);
}

TEST(a_database_that_is_not_there_is_unavailable)
{
    const struct pg_pool_options options = {.conninfo = "host=/nonexistent dbname=x"};
    struct pg_pool *pool = NULL;
    struct pg_link *link = NULL;
    struct pg_failure f;
    PGresult *result = NULL;

    REQUIRE(pg_pool_open(&options, &pool, &f) == CELL_OK);
    struct pg_prepared *s = prepare(pool, "SELECT $1");
    CHECK(run_int(pool, NULL, s, 1, PG_RUN_WRITE, &forever, &result, &f) == CELL_UNAVAILABLE);
    CHECK(pg_pool_pin(pool, &forever, &link, &f) == CELL_UNAVAILABLE && !link);
    pg_prepared_free(s);
    pg_pool_close(pool);
}

TEST(a_result_that_no_reply_could_carry_is_refused_before_it_is_there)
{
    if (!url())
        return;
    struct pg_pool *pool = open_pool(1);
    struct pg_prepared *s = prepare(pool, "SELECT repeat('x', 1000) FROM generate_series(1, $1)"),
                       *fast = prepare(pool, "SELECT $1");
    struct pg_failure f;
    PGresult *result = NULL;

    CHECK(run_int(pool, NULL, s, 10000000, PG_RUN_RETRY, &forever, &result, &f) == CELL_TOO_LARGE);
    CHECK(strstr(f.text, "larger than 16 MiB") && strstr(f.text, "LIMIT"));
    REQUIRE(run_int(pool, NULL, fast, 2, PG_RUN_WRITE, &forever, &result, &f) == CELL_OK);
    PQclear(result);
    pg_prepared_free(s);
    pg_prepared_free(fast);
    pg_pool_close(pool);
}

/* Its caller is told that there was no time: then nothing may be stored. */
TEST(a_commit_whose_time_is_over_is_none)
{
    if (!url())
        return;
    struct pg_pool *pool = open_pool(1);
    const struct pg_patience over = {0, NULL, NULL};
    struct pg_link *link = NULL;
    struct pg_failure f;
    PGresult *result = NULL;

    execute(pool, "DROP TABLE IF EXISTS kept; CREATE TABLE kept (id int)");
    REQUIRE(pg_pool_pin(pool, &forever, &link, &f) == CELL_OK);
    for (int i = 0; i < 2; i++) {
        CHECK(pg_link_exec(link, "BEGIN; INSERT INTO kept VALUES (1)", &forever, NULL, &f) == CELL_OK);
        CHECK(pg_link_commit(link, i ? &forever : &over, &f) == (i ? CELL_OK : CELL_DEADLINE_EXCEEDED));
        CHECK(pg_link_exec(link, "SELECT FROM kept", &forever, &result, &f) == CELL_OK && PQntuples(result) == i);
        PQclear(result);
    }
    CHECK(pg_link_exec(link, "BEGIN; SELECT 1 / 0", &forever, NULL, &f) == CELL_INVALID_ARGUMENT);
    CHECK(pg_link_commit(link, &forever, &f) == CELL_FAILED_PRECONDITION);
    pg_pool_unpin(pool, link, true);
    pg_pool_close(pool);
}

TEST(without_prepared_statements_as_behind_a_pooler)
{
    if (!url())
        return;
    const struct pg_pool_options options = {.conninfo = url(), .connections = 2, .unprepared = true};
    struct pg_pool *pool = NULL;
    struct pg_pool_counters n;
    struct pg_failure f;

    REQUIRE(pg_pool_open(&options, &pool, &f) == CELL_OK);
    CHECK(race(pool, PG_RUN_RETRY, "SELECT $1") == 0);
    pg_pool_count(pool, &n);
    CHECK(n.prepares == 0 && n.unprepared);
    pg_pool_close(pool);
}
