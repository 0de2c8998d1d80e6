/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_postgres_sanitized
/* What is known of a write whose connection ends: by who says that it does, and how. */
#include "pg_run.h"

#include "pg_relay.h"

static struct pg_pool *direct, *relayed;

#define AT_ONCE 9
#define AT_COMMIT 10

/* Such a row ends its connection: the server says so where it is inserted, or where it is about to be stored. */
static const char table[] =
    "DROP TABLE IF EXISTS undone; CREATE TABLE undone (i int4); "
    "CREATE OR REPLACE FUNCTION end_own() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$; "
    "CREATE TRIGGER at_once AFTER INSERT ON undone FOR EACH ROW WHEN (NEW.i = 9) EXECUTE FUNCTION end_own(); "
    "CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON undone DEFERRABLE INITIALLY DEFERRED "
    "FOR EACH ROW WHEN (NEW.i = 10) EXECUTE FUNCTION end_own()";

static bool begin(void)
{
    char conninfo[256];
    struct pg_link *link = NULL;
    struct pg_failure f;
    if (!url())
        return false;
    direct = open_pool(1);
    execute(direct, table);
    if (pg_pool_pin(direct, &forever, &link, &f) < 0)
        exit(1);
    relay_start(pg_link_connection(link), conninfo, sizeof(conninfo));
    pg_pool_unpin(direct, link, true);
    const struct pg_pool_options options = {.conninfo = conninfo, .connections = 1, .slow_ms = 20};
    if (pg_pool_open(&options, &relayed, &f) < 0)
        exit(1);
    return true;
}

static void finish(void)
{
    pg_pool_close(relayed);
    relay_stop();
    pg_pool_close(direct);
}

static int rows(void)
{
    struct pg_prepared *s = prepare(direct, "SELECT $1 + count(*)::int4 FROM undone");
    struct pg_failure f;
    PGresult *result = NULL;
    int n = run_int(direct, NULL, s, 0, PG_RUN_RETRY, &forever, &result, &f) == CELL_OK ? int_of(result) : -1;

    PQclear(result);
    pg_prepared_free(s);
    return n;
}

/* A slow statement has a connection of its own. */
static int insert(bool slow, int32_t row)
{
    struct pg_prepared *s =
        prepare(relayed, slow ? "INSERT INTO undone SELECT $1 FROM pg_sleep(0.05)" : "INSERT INTO undone SELECT $1");
    struct pg_pool_counters before, after;
    struct pg_failure f;
    PGresult *result = NULL;

    for (int i = 0; i < 2; i++) { /* the first time is not counted: it is prepared then */
        CHECK(run_int(relayed, NULL, s, 1, PG_RUN_WRITE, &forever, &result, &f) == CELL_OK);
        PQclear(result);
        result = NULL;
    }
    pg_pool_count(relayed, &before);
    int r = run_int(relayed, NULL, s, row, PG_RUN_WRITE, &forever, &result, &f);
    pg_pool_count(relayed, &after);
    CHECK((after.runs == before.runs) == slow);
    PQclear(result);
    pg_prepared_free(s);
    return r;
}

static int commit(void)
{
    struct pg_link *link = NULL;
    struct pg_failure f;

    if (pg_pool_pin_begun(relayed, "BEGIN", &forever, &link, &f) < 0 ||
        pg_link_exec(link, "INSERT INTO undone VALUES (10)", &forever, NULL, &f) < 0)
        exit(1);
    int r = pg_link_commit(link, &forever, &f);
    pg_pool_unpin(relayed, link, true);
    return r;
}

TEST(a_server_that_ends_a_write_says_that_nothing_was_stored)
{
    if (!begin())
        return;
    for (int slow = 0; slow < 2; slow++) {
        CHECK(insert(slow, AT_ONCE) == CELL_UNAVAILABLE); /* it was tried again, each time in vain */
        CHECK(insert(slow, AT_COMMIT) == CELL_UNKNOWN_OUTCOME);
    }
    CHECK(commit() == CELL_ABORTED && rows() == 8);
    finish();
}

TEST(of_a_crash_and_of_who_stands_between_nothing_is_known)
{
    static const char *const said[][2] = {
        {"57P01", "57P02"}, {"57P01", "08P01"}, {"57P01", "08006"}, {"FATAL", "PANIC"}};
    if (!begin())
        return;
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        relay_says(said[i][0], said[i][1]);
        for (int slow = 0; slow < 2; slow++)
            CHECK(insert(slow, AT_ONCE) == CELL_UNKNOWN_OUTCOME);
        CHECK(commit() == CELL_UNKNOWN_OUTCOME);
    }
    finish();
}
