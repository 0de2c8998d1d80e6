/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_postgres_sanitized
/* Statements that wait for locks on a shared connection, those behind them, and writes that are sent ahead. */
#include "pg_begun.h"

/* A 20th of it is fast, and has to be slower than a busy machine is. */
#define SOON_MS 500

struct fixture {
    struct pg_pool *pool;
    struct pg_prepared *add, *insert, *read;
    PGconn *holder; /* of locks, in a transaction */
};

static void hold(struct fixture *x, const char *sql)
{
    PGresult *r = PQexec(x->holder, sql);

    CHECK(PQresultStatus(r) == PGRES_COMMAND_OK);
    PQclear(r);
}

/* False: PostgreSQL is not installed. */
static bool set_up(struct fixture *x, uint32_t slow_ms)
{
    if (!url())
        return false;
    x->pool = open_slow_pool(1, slow_ms);
    execute(x->pool, "CREATE TABLE numbers(v int PRIMARY KEY, n int NOT NULL DEFAULT 0); "
                     "INSERT INTO numbers VALUES (1), (2), (3)");
    x->add = prepare(x->pool, "UPDATE numbers SET n = n + 1 WHERE v = $1 RETURNING n");
    x->insert = prepare(x->pool, "INSERT INTO numbers VALUES ($1) RETURNING v");
    x->read = prepare_both(x->pool, "SELECT n FROM numbers WHERE v = $1", "SELECT n FROM numbers WHERE v = k.v");
    char conninfo[512];
    /* Where nothing goes on any more, its end lets all go on, and the test fails. */
    snprintf(conninfo, sizeof(conninfo), "%s options='-c idle_in_transaction_session_timeout=20s'", url());
    x->holder = PQconnectdb(conninfo);
    warm_up(x->pool, x->read, 3); /* and the connection is there */
    return true;
}

static void tear_down(struct fixture *x)
{
    PQfinish(x->holder);
    pg_prepared_free(x->add);
    pg_prepared_free(x->insert);
    pg_prepared_free(x->read);
    execute(x->pool, "DROP TABLE numbers");
    pg_pool_close(x->pool);
}

static void begin(struct fixture *x, struct pg_prepared *s, int32_t value, unsigned flags, struct begun *b)
{
    REQUIRE(begin_int(x->pool, s, value, flags, UINT64_MAX, b));
}

/* Others wait for the first row, until the holder's transaction ends. */
static void hold_first(struct fixture *x) { hold(x, "BEGIN; UPDATE numbers SET n = n + 10 WHERE v = 1"); }

static int32_t number_at(struct fixture *x, int32_t v)
{
    struct pg_failure f;
    PGresult *result = NULL;

    if (run_int(x->pool, NULL, x->read, v, PG_RUN_RETRY, &forever, &result, &f) < 0)
        return -1;
    int32_t n = int_of(result);
    PQclear(result);
    return n;
}

/* The holder may go on only when the one behind is done: the database cannot know that this is a deadlock. */
static void check_behind(struct fixture *x, unsigned flags)
{
    struct begun blocked, behind;

    hold_first(x);
    int32_t before = number_at(x, 1);
    begin(x, x->add, 1, flags, &blocked);
    begin(x, x->insert, 100, flags, &behind);
    pg_pool_flush(x->pool);
    check_end(&behind, 100);
    CHECK(number_at(x, 100) == 0); /* it is committed */
    hold(x, "COMMIT");
    check_end(&blocked, before + 11); /* once */
    CHECK(number_at(x, 1) == before + 11);
    hold(x, "DELETE FROM numbers WHERE v = 100");
}

TEST(what_was_sent_behind_one_that_waits_for_a_lock_is_done_before_it)
{
    struct fixture x;

    if (!set_up(&x, SOON_MS))
        return;
    check_behind(&x, PG_RUN_WRITE);
    CHECK(count(x.pool).moved > 0);
    check_behind(&x, PG_RUN_WRITE | PG_RUN_SHARED);
    CHECK(count(x.pool).lost == 0);
    tear_down(&x);
}

TEST(one_that_waits_for_a_lock_waits_for_as_long_as_its_caller_does)
{
    struct fixture x;
    struct pg_failure f;
    PGresult *result = NULL;

    if (!set_up(&x, SOON_MS))
        return;
    hold_first(&x);
    uint64_t moved = count(x.pool).moved;
    const struct pg_patience patience = for_ms(6 * SOON_MS);
    CHECK(run_int(x.pool, NULL, x.add, 1, PG_RUN_WRITE, &patience, &result, &f) == CELL_DEADLINE_EXCEEDED);
    CHECK_STR(f.sqlstate, "");
    CHECK(count(x.pool).moved == moved + 1 && count(x.pool).cancels > 0);
    hold(&x, "ROLLBACK");
    CHECK(number_at(&x, 1) == 0);
    tear_down(&x);
}

/* Its lock is waited for at the commit, by the trigger of a foreign key. */
TEST(a_commit_that_waits_for_a_lock_goes_to_another_connection_as_well)
{
    struct fixture x;
    struct begun blocked, behind;

    if (!set_up(&x, SOON_MS))
        return;
    execute(x.pool, "CREATE TABLE refers(v int REFERENCES numbers DEFERRABLE INITIALLY DEFERRED)");
    struct pg_prepared *refer = prepare(x.pool, "INSERT INTO refers VALUES ($1) RETURNING v");
    hold(&x, "BEGIN; DELETE FROM numbers WHERE v = 2");
    begin(&x, refer, 2, PG_RUN_WRITE, &blocked);
    begin(&x, x.insert, 100, PG_RUN_WRITE, &behind);
    pg_pool_flush(x.pool);
    check_end(&behind, 100);
    hold(&x, "ROLLBACK");
    check_end(&blocked, 2);
    pg_prepared_free(refer);
    execute(x.pool, "DROP TABLE refers");
    tear_down(&x);
}

/* Also while they are prepared, which asks for a lock as well. */
TEST(merged_reads_of_a_table_that_is_locked_wait_elsewhere)
{
    struct fixture x;
    struct begun blocked[3], behind;

    if (!set_up(&x, SOON_MS))
        return;
    struct pg_prepared *other = prepare(x.pool, "SELECT $1");
    for (int round = 0; round < 2; round++) {
        hold(&x, "BEGIN; LOCK TABLE numbers IN ACCESS EXCLUSIVE MODE");
        uint64_t again = count(x.pool).merged_again, runs = count(x.pool).runs;
        for (int i = 0; i < 3; i++)
            begin(&x, x.read, i + 1, PG_RUN_RETRY, &blocked[i]);
        begin(&x, other, 7, PG_RUN_WRITE, &behind);
        pg_pool_flush(x.pool);
        check_end(&behind, 7);
        CHECK(count(x.pool).merged_again == again + 3);
        hold(&x, "COMMIT");
        for (int i = 0; i < 3; i++)
            check_end(&blocked[i], 0);
        CHECK(count(x.pool).runs == runs + 4); /* none of them has waited over the shared connection once more */
        for (int i = 0; i < 3; i++)            /* it is prepared now */
            begin(&x, x.read, i + 1, PG_RUN_RETRY, &blocked[i]);
        pg_pool_flush(x.pool);
        for (int i = 0; i < 3; i++)
            check_end(&blocked[i], 0);
    }
    pg_prepared_free(other);
    tear_down(&x);
}

TEST(who_does_not_want_to_wait_for_a_lock_is_told_so)
{
    struct fixture x;
    struct pg_failure f;
    PGresult *result = NULL;

    if (!set_up(&x, SOON_MS))
        return;
    struct pg_prepared *nowait = prepare(x.pool, "SELECT n FROM numbers WHERE v = $1 FOR UPDATE NOWAIT");
    hold_first(&x);
    CHECK(run_int(x.pool, NULL, nowait, 1, 0, &forever, &result, &f) < 0);
    CHECK_STR(f.sqlstate, "55P03");
    hold(&x, "ROLLBACK");
    pg_prepared_free(nowait);
    tear_down(&x);
}

/* What the pool's connections and those that are pinned wait for a lock, when a session begins with `setting`. */
static void check_timeout(const char *setting, const char *shared, const char *pinned)
{
    char conninfo[512];
    struct pg_pool_options options = {.conninfo = conninfo, .connections = 1, .slow_ms = 70};
    struct pg_pool *pool = NULL;
    struct pg_link *link = NULL;
    struct pg_failure f;
    PGresult *result = NULL;

    snprintf(conninfo, sizeof(conninfo), "%s options='-c lock_timeout=%s'", url(), setting);
    REQUIRE(pg_pool_open(&options, &pool, &f) == CELL_OK && pg_pool_pin(pool, &forever, &link, &f) == CELL_OK);
    struct pg_prepared *s = prepare(pool, "SELECT current_setting('lock_timeout') WHERE $1 = 1");
    REQUIRE(run_int(pool, NULL, s, 1, PG_RUN_RETRY, &forever, &result, &f) == CELL_OK);
    CHECK_STR(PQgetvalue(result, 0, 0), shared);
    PQclear(result);
    REQUIRE(run_int(pool, link, s, 1, PG_RUN_RETRY, &forever, &result, &f) == CELL_OK);
    CHECK_STR(PQgetvalue(result, 0, 0), pinned);
    PQclear(result);
    pg_pool_unpin(pool, link, true);
    pg_prepared_free(s);
    pg_pool_close(pool);
}

TEST(a_lock_timeout_that_is_shorter_is_kept)
{
    if (!url())
        return;
    check_timeout("0", "70ms", "0");
    check_timeout("69", "69ms", "69ms");
    check_timeout("71", "70ms", "71ms");
    check_timeout("2h", "70ms", "2h");
    check_timeout("20d", "70ms", "20d");
}

/* How many of `n` writes that come one by one are sent while `first` waits for a lock. */
static uint64_t sent_behind(struct fixture *x, struct pg_prepared *first, unsigned flags, int n)
{
    struct begun blocked, behind[16];

    hold_first(x);
    begin(x, first, 1, PG_RUN_WRITE, &blocked);
    pg_pool_flush(x->pool);
    uint64_t sends = count(x->pool).sends;
    for (int i = 0; i < n; i++) {
        begin(x, x->add, 2, flags, &behind[i]);
        pg_pool_flush(x->pool);
    }
    sends = count(x->pool).sends - sends;
    CHECK(!has_ended(&blocked));
    int32_t before = 0;
    hold(x, "COMMIT");
    CHECK(end(&blocked, &(struct pg_failure){0}) == CELL_OK);
    pg_rows_clear(&blocked.rows);
    for (int i = 0; i < n; i++) {
        CHECK(end(&behind[i], &(struct pg_failure){0}) == CELL_OK);
        CHECK(i == 0 || number_of(&behind[i].rows) == before + 1);
        before = number_of(&behind[i].rows);
        pg_rows_clear(&behind[i].rows);
    }
    return sends;
}

TEST(writes_that_are_fast_are_sent_ahead)
{
    struct fixture x;

    if (!set_up(&x, 20000)) /* however slow the machine is */
        return;
    struct pg_prepared *other = prepare(x.pool, "UPDATE numbers SET n = n - 1 WHERE v = $1 RETURNING n");
    CHECK(sent_behind(&x, x.add, PG_RUN_WRITE, 5) == 0); /* it is not known yet how long they take */
    CHECK(sent_behind(&x, x.add, PG_RUN_WRITE, 2) == 2);
    CHECK(sent_behind(&x, x.add, PG_RUN_WRITE, 6) == 3);
    CHECK(sent_behind(&x, other, PG_RUN_WRITE, 3) == 0);                 /* nor of this one */
    CHECK(sent_behind(&x, x.add, PG_RUN_WRITE | PG_RUN_SHARED, 3) == 0); /* better one commit for all */
    CHECK(sent_behind(&x, x.add, PG_RUN_RETRY, 3) == 0);                 /* these gather */
    pg_prepared_free(other);
    tear_down(&x);
}
