/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The catalog is not read again where no transaction has ended since: on a server, and on a standby, where that cannot
 * be told. */
// LIBS: cell_postgres_sanitized
#include "test.h"

#include <time.h>

#include "pg_fixture.h"
#include "postgres/catalog.h"

static const char mark[] = "the token that was seen before..";
static struct pg_failure f;

/* One more connection to the server, or to its standby; NULL when PostgreSQL is not installed. */
static PGconn *connect_to(bool standby)
{
    static const char *url;
    char text[512];
    PGconn *conn = NULL;

    if (!url)
        url = pg_fixture("--standby");
    if (!url)
        return NULL;
    snprintf(text, sizeof(text), "%s%s", url, standby ? " port=5433" : "");
    const struct pg_target target = {text, NULL};
    if (pg_connect(&target, 0, &conn, &f) < 0)
        printf("%s\n", f.text);
    CHECK(conn);
    return conn;
}

static void run(PGconn *conn, const char *sql) { CHECK(pg_run(conn, sql, &f) == CELL_OK); }

static bool is(PGconn *conn, struct pg_seen *seen, const char *token)
{
    char now[PG_STATE_TOKEN_SIZE];

    CHECK(pg_catalog_state(conn, seen, now, &f) == CELL_OK);
    return strcmp(now, token) == 0;
}

/* What is found again has not been read. */
static void mark_seen(struct pg_seen *seen)
{
    CHECK(seen->moment[0]);
    memcpy(seen->token, mark, sizeof(seen->token));
}

/* Two transactions on their way with changes of the catalog, and a younger one that has ended: when the second ends,
 * neither the lowest nor the highest number is another one. */
static void begin_two(PGconn *older, PGconn *other, PGconn *younger)
{
    run(older, "BEGIN");
    run(older, "CREATE TABLE seen_older (a int)");
    run(other, "BEGIN");
    run(other, "CREATE TABLE seen_other (a int)");
    run(younger, "CREATE TABLE seen_younger (a int)");
}

static void end_two(PGconn *older, PGconn *conn)
{
    run(older, "ROLLBACK");
    run(conn, "DROP TABLE seen_other, seen_younger");
}

TEST(where_no_transaction_has_ended_the_catalog_is_not_read)
{
    char token[PG_STATE_TOKEN_SIZE];
    struct pg_seen seen;
    PGconn *conn = connect_to(false);

    if (!conn)
        return;
    PGconn *older = connect_to(false), *other = connect_to(false);
    pg_seen_init(&seen);
    begin_two(older, other, conn);
    CHECK(!is(conn, &seen, mark));
    mark_seen(&seen);
    CHECK(is(conn, &seen, mark));
    run(other, "CREATE TABLE seen_too (a int)");
    CHECK(is(conn, &seen, mark));
    run(other, "COMMIT");
    CHECK(!is(conn, &seen, mark));
    mark_seen(&seen);
    CHECK(is(conn, &seen, mark));
    run(conn, "SET search_path = pg_catalog");
    CHECK(!is(conn, &seen, mark));
    run(conn, "RESET search_path");
    run(conn, "DROP TABLE seen_too");
    end_two(older, conn);
    CHECK(pg_catalog_state(conn, NULL, token, &f) == CELL_OK);
    CHECK(is(conn, &seen, token));
    PQfinish(older);
    PQfinish(other);
    PQfinish(conn);
    pg_seen_destroy(&seen);
}

/* Until the standby has everything that the server has. */
static void wait_for(PGconn *standby, PGconn *conn)
{
    PGresult *result = NULL;
    char sql[128];

    CHECK(pg_query(conn, "SELECT pg_current_wal_insert_lsn()", 0, NULL, &result, &f) == CELL_OK);
    snprintf(sql, sizeof(sql), "SELECT pg_last_wal_replay_lsn() >= '%s'", PQgetvalue(result, 0, 0));
    for (bool there = false; !there;) {
        PQclear(result);
        REQUIRE(pg_query(standby, sql, 0, NULL, &result, &f) == CELL_OK);
        there = PQgetvalue(result, 0, 0)[0] == 't';
        if (!there)
            nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    PQclear(result);
}

TEST(a_standby_is_read_each_time)
{
    char before[PG_STATE_TOKEN_SIZE];
    struct pg_seen seen;
    PGconn *conn = connect_to(false);

    if (!conn)
        return;
    PGconn *older = connect_to(false), *other = connect_to(false), *standby = connect_to(true);
    pg_seen_init(&seen);
    begin_two(older, other, conn);
    wait_for(standby, conn);
    CHECK(pg_catalog_state(standby, &seen, before, &f) == CELL_OK && is(standby, &seen, before));
    run(other, "COMMIT");
    wait_for(standby, conn);
    CHECK(!is(standby, &seen, before));
    end_two(older, conn);
    PQfinish(older);
    PQfinish(other);
    PQfinish(standby);
    PQfinish(conn);
    pg_seen_destroy(&seen);
}

TEST(what_many_transactions_hold_is_not_remembered)
{
    struct pg_seen seen;
    PGconn *conn = connect_to(false), *many[80];

    if (!conn)
        return;
    pg_seen_init(&seen);
    for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++) {
        many[i] = connect_to(false);
        run(many[i], "BEGIN");
        run(many[i], "SELECT pg_current_xact_id()");
    }
    run(conn, "SELECT pg_current_xact_id()"); /* a younger one that has ended: else they need not be named */
    CHECK(!is(conn, &seen, mark));
    CHECK_STR(seen.moment, "");
    for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++)
        PQfinish(many[i]);
    PQfinish(conn);
    pg_seen_destroy(&seen);
}
