/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "feed_follow.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply_parts.h"
#include "connect.h"
#include "feed_catalog.h"

#define TRIES 5
#define TRY_PAUSE_MS 50
#define GROUP "10000" /* changes that are looked at for their age at once */

/* Numbers must not be lost that somebody has seen, whatever the database's default is. And a table that changes as fast
 * as this one is seldom as the planner thinks: what is new is few rows one time and many the next. */
static const char begin[] = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = on; "
                            "SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = '5s'; "
                            "SET LOCAL enable_nestloop = off; SET LOCAL enable_seqscan = off";
/* Nobody waits behind a statement that waits for a table. */
static const char begin_change[] = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = on; "
                                   "SET LOCAL lock_timeout = '200ms'; "
                                   "SELECT pg_advisory_xact_lock(1667591276, 2)";

/* COMMIT for a status that is none of failure, else ROLLBACK. */
static int end(PGconn *conn, int r, struct pg_failure *f)
{
    if (r >= 0)
        return pg_run(conn, "COMMIT", f) < 0 ? f->status : r;
    if (PQstatus(conn) == CONNECTION_OK)
        pg_run(conn, "ROLLBACK", NULL);
    return r;
}

/* ---- triggers ---- */

static int refuse_policy(PGconn *conn, enum pg_policy policy, const struct pg_feed_table *table, struct pg_failure *f)
{
    int r = pg_policy_of_database(conn, &policy, f);

    if (r < 0 || policy != PG_POLICY_PLAN)
        return r;
    return pg_fail(f, CELL_PERMISSION_DENIED,
                   "table '%s' is not followed, and the policy 'plan' forbids the triggers that this needs: call "
                   "postgres_follow of a cell on this database that has another policy",
                   table->name);
}

/* The row of cell.followed: a new one, or the one that the table, or another one of its name, had before. */
static int make_feed(PGconn *conn, struct pg_arena *arena, const struct pg_feed_table *table, const char **feed,
                     struct pg_failure *f)
{
    PGresult *result = NULL;
    const char *const params[] = {table->name, table->oid};
    int r = pg_query(conn,
                     "INSERT INTO cell.followed AS f (table_name, relation, witness, columns, last, forgotten) "
                     "VALUES ($1, $2::oid, '', '{}', 0, 0) ON CONFLICT (table_name) DO UPDATE SET relation = $2::oid, "
                     "columns = '{}' RETURNING f.id",
                     2, params, &result, f);

    if (r >= 0)
        *feed = pg_strdup(arena, PQgetvalue(result, 0, 0));
    PQclear(result);
    return r;
}

/* Nothing is locked that has none. */
static int remove_triggers(PGconn *conn, struct pg_arena *arena, const struct pg_feed_table *table,
                           struct pg_failure *f)
{
    PGresult *result = NULL;
    int r = pg_query(conn,
                     "SELECT FROM pg_trigger WHERE tgrelid = $1::oid AND tgname IN ('cell_follow', 'cell_follow_all')",
                     1, &table->oid, &result, f);

    if (r >= 0 && PQntuples(result) > 0)
        r = pg_run(conn, pg_feed_no_triggers(arena, table), f);
    PQclear(result);
    return r;
}

/* Behind the triggers, which are part of the witness. What is numbered from here on is complete. */
static int begin_feed(PGconn *conn, const char *feed, struct pg_failure *f)
{
    PGresult *result = NULL;
    int r =
        pg_query(conn,
                 "WITH n AS (SELECT " SQL_FEED_AFRESH(
                     "f.last") " AS number FROM cell.followed f WHERE f.id = $1) "
                               "UPDATE cell.followed f SET witness = " SQL_FEED_WITNESS ", columns = " SQL_FEED_COLUMNS
                               ", filenode = pg_relation_filenode(c.oid), last = n.number, forgotten = n.number "
                               "FROM pg_class c, n WHERE f.id = $1 AND c.oid = f.relation",
                 1, &feed, &result, f);

    PQclear(result);
    return r;
}

static int install(PGconn *conn, struct pg_arena *arena, const struct pg_feed_table *table, struct pg_failure *f)
{
    const char *feed = table->feed;
    int r = pg_run(conn, begin_change, f);

    if (r >= 0)
        r = pg_run(conn, pg_feed_objects, f);
    if (r >= 0)
        r = make_feed(conn, arena, table, &feed, f);
    if (r >= 0)
        r = remove_triggers(conn, arena, table, f);
    if (r >= 0)
        r = pg_run(conn, pg_feed_function(arena, table, feed), f);
    if (r >= 0)
        r = pg_run(conn, pg_feed_triggers(arena, table, feed), f);
    if (r >= 0)
        r = begin_feed(conn, feed, f);
    return end(conn, r, f);
}

static int uninstall(PGconn *conn, struct pg_arena *arena, const struct pg_feed_table *table, struct pg_failure *f)
{
    PGresult *result = NULL;
    int r = pg_run(conn, begin_change, f);

    if (r >= 0)
        r = remove_triggers(conn, arena, table, f);
    if (r >= 0)
        r = pg_run(conn, pg_printf(arena, "DROP FUNCTION IF EXISTS cell.follow_%s()", table->feed), f);
    if (r >= 0)
        r = pg_query(conn, "UPDATE cell.followed SET relation = 0, witness = '' WHERE id = $1", 1, &table->feed,
                     &result, f);
    PQclear(result);
    result = NULL;
    if (r >= 0)
        r = pg_query(conn, "DELETE FROM cell.changes WHERE feed = $1", 1, &table->feed, &result, f);
    PQclear(result);
    return end(conn, r, f);
}

typedef int change_table(PGconn *conn, struct pg_arena *arena, const struct pg_feed_table *table, struct pg_failure *f);

/* Nobody queues for the table's lock, so it may take several attempts to get it. */
static int attempt(PGconn *conn, struct pg_arena *arena, const struct pg_feed_table *table, change_table *change,
                   struct pg_failure *f)
{
    jmp_buf escape, *outer = arena->escape;
    int r = CELL_OK;

    arena->escape = &escape;
    if (setjmp(escape)) {
        r = end(conn, pg_fail(f, CELL_NO_MEMORY, "out of memory"), f);
    } else {
        for (int i = 0; i < TRIES; i++) {
            if (i > 0)
                pg_pause(pg_jitter(TRY_PAUSE_MS));
            r = change(conn, arena, table, f);
            if (r >= 0 || strcmp(f->sqlstate, "55P03") != 0)
                break;
        }
        if (r < 0 && strcmp(f->sqlstate, "55P03") == 0)
            r = pg_fail(f, CELL_UNAVAILABLE, "table '%s' is used by a transaction that has been open for long",
                        table->name);
    }
    arena->escape = outer;
    return r;
}

int pg_feed_follow(PGconn *conn, struct pg_arena *arena, enum pg_policy policy, struct pg_feed_table *table,
                   struct pg_failure *f)
{
    struct pg_feed_tables tables;

    if (table->followed)
        return CELL_OK;
    if (table->problem)
        return pg_fail(f, CELL_FAILED_PRECONDITION, "table '%s' cannot be followed: %s", table->name, table->problem);
    int r = refuse_policy(conn, policy, table, f);
    if (r >= 0)
        r = attempt(conn, arena, table, install, f);
    if (r < 0)
        return r;
    r = pg_feed_read(conn, arena, table->name, &tables, f);
    if (r >= 0 && (tables.n != 1 || !tables.at->followed))
        return pg_fail(f, CELL_UNAVAILABLE, "table '%s' is being changed", table->name);
    if (r >= 0)
        *table = tables.at[0];
    return r < 0 ? r : 1;
}

int pg_feed_unfollow(PGconn *conn, struct pg_arena *arena, enum pg_policy policy, const struct pg_feed_table *table,
                     struct pg_failure *f)
{
    if (!table->feed)
        return 0;
    int r = refuse_policy(conn, policy, table, f);
    if (r >= 0)
        r = attempt(conn, arena, table, uninstall, f);
    return r < 0 ? r : table->followed;
}

/* ---- numbers ---- */

/* Its row is locked; what is numbered was committed before the statement began. A row without a key says that the table
 * was emptied, or that its key could not be told. */
static int number_new(PGconn *conn, const char *feed, int64_t most, PGresult **result, struct pg_failure *f)
{
    char limit[24];
    const char *const params[] = {feed, limit};

    snprintf(limit, sizeof(limit), "%" PRId64, most);
    return pg_query(
        conn,
        "WITH new AS (SELECT x.id, f.last + row_number() OVER (ORDER BY x.id) AS number FROM cell.followed f, "
        "(SELECT id FROM cell.changes WHERE feed = $1 AND number IS NULL ORDER BY id LIMIT $2::bigint) x "
        "WHERE f.id = $1), done AS (UPDATE cell.changes c SET number = new.number FROM new "
        "WHERE c.feed = $1 AND c.number IS NULL AND c.id = new.id RETURNING c.number, c.key) "
        "SELECT count(*), coalesce(max(number) FILTER (WHERE key IS NULL), 0) FROM done",
        2, params, result, f);
}

/* $2: how many were numbered, $3: the last one without a key, or 0. */
static const char advance[] =
    "WITH g AS (SELECT NOT (" SQL_FEED_SAME_COLUMNS ") OR ($3::bigint = 0 AND NOT (" SQL_FEED_SAME_FILE
    ")) AS gap, " SQL_FEED_COLUMNS " AS columns, pg_relation_filenode(c.oid) AS filenode, " SQL_FEED_AFRESH(
        "f.last + $2::bigint") " AS afresh FROM cell.followed f JOIN pg_class c ON c.oid = f.relation WHERE f.id = $1) "
                               "UPDATE cell.followed f SET last = CASE WHEN g.gap THEN g.afresh ELSE f.last + "
                               "$2::bigint END, "
                               "forgotten = CASE WHEN g.gap THEN g.afresh ELSE greatest(f.forgotten, $3::bigint) END, "
                               "columns = f.columns || g.columns, filenode = g.filenode FROM g WHERE f.id = $1";

static int64_t number_feed(PGconn *conn, const char *feed, int64_t most, struct pg_failure *f)
{
    PGresult *result = NULL, *done = NULL;
    int64_t numbered = 0;
    int r = pg_run(conn, begin, f);

    if (r >= 0)
        r = pg_query(conn, "SELECT FROM cell.followed WHERE id = $1 FOR UPDATE", 1, &feed, &done, f);
    PQclear(done);
    done = NULL;
    if (r >= 0)
        r = number_new(conn, feed, most, &result, f);
    if (r >= 0) {
        const char *const params[] = {feed, PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1)};
        numbered = strtoll(params[1], NULL, 10);
        r = pg_query(conn, advance, 3, params, &done, f);
    }
    PQclear(result);
    PQclear(done);
    r = end(conn, r, f);
    return r < 0 ? r : numbered;
}

/* Of the row f of cell.followed and its table c. */
#define SQL_IS_NEW                                                                                                     \
    "EXISTS (SELECT FROM cell.changes x WHERE x.feed = f.id AND x.number IS NULL) "                                    \
    "OR NOT (" SQL_FEED_SAME_COLUMNS " AND " SQL_FEED_SAME_FILE ") "

/* Looking first costs nothing that has to reach the disk. */
int64_t pg_feed_number(PGconn *conn, const char *feed, struct pg_failure *f)
{
    PGresult *result = NULL;
    int r = pg_query(conn,
                     "SELECT " SQL_IS_NEW "FROM cell.followed f JOIN pg_class c ON c.oid = f.relation WHERE f.id = $1",
                     1, &feed, &result, f);
    bool is_new = r >= 0 && PQntuples(result) > 0 && *PQgetvalue(result, 0, 0) == 't';

    PQclear(result);
    return is_new ? number_feed(conn, feed, PG_FEED_MOST, f) : r;
}

int pg_feed_trim(PGconn *conn, const char *feed, const struct pg_feed_limits *limits, struct pg_failure *f)
{
    char changes[24], age[24];
    const char *const params[] = {feed, changes, age};
    PGresult *result = NULL;

    snprintf(changes, sizeof(changes), "%" PRId64, limits->changes > 0 ? limits->changes : INT64_MAX);
    snprintf(age, sizeof(age), "%" PRId64, limits->age_ms > 0 ? limits->age_ms : INT64_C(100) * 365 * 86400000);
    int r = pg_query(
        conn,
        "WITH b AS (SELECT greatest(f.forgotten, f.last - $2::bigint, (SELECT max(x.number) FROM (SELECT number, at "
        "FROM cell.changes WHERE feed = f.id AND number > f.forgotten ORDER BY number LIMIT " GROUP ") x "
        "WHERE x.at < now() - $3::bigint * interval '1 millisecond')) AS bound FROM cell.followed f WHERE f.id = $1), "
        "moved AS (UPDATE cell.followed f SET forgotten = b.bound FROM b WHERE f.id = $1 AND b.bound > f.forgotten) "
        "DELETE FROM cell.changes c USING b WHERE c.feed = $1 AND c.number <= b.bound",
        3, params, &result, f);
    PQclear(result);
    return r;
}

/* ---- looking ---- */

int pg_feed_bounds(PGconn *conn, const char *feed, struct pg_feed_bounds *bounds, struct pg_failure *f)
{
    PGresult *result = NULL;
    int r = pg_query(conn,
                     "SELECT f.last, f.forgotten, c.oid IS NOT NULL AND f.witness = " SQL_FEED_WITNESS
                     " FROM cell.followed f LEFT JOIN pg_class c ON c.oid = f.relation AND c.relname = f.table_name "
                     "WHERE f.id = $1",
                     1, &feed, &result, f);

    *bounds = (struct pg_feed_bounds){0};
    if (r >= 0 && PQntuples(result) == 1)
        *bounds =
            (struct pg_feed_bounds){strtoll(PQgetvalue(result, 0, 0), NULL, 10),
                                    strtoll(PQgetvalue(result, 0, 1), NULL, 10), *PQgetvalue(result, 0, 2) == 't'};
    PQclear(result);
    return r;
}

int pg_feed_number_all(PGconn *conn, int64_t most, bool *any, struct pg_failure *f)
{
    PGresult *result = NULL;
    int r = pg_query(conn, pg_feed_exist, 0, NULL, &result, f), numbered = 0;

    *any = r >= 0 && *PQgetvalue(result, 0, 0) == 't';
    PQclear(result);
    result = NULL;
    if (r < 0 || !*any)
        return r;
    r = pg_query(conn, "SELECT f.id, " SQL_IS_NEW "FROM cell.followed f JOIN pg_class c ON c.oid = f.relation", 0, NULL,
                 &result, f);
    *any = r >= 0 && PQntuples(result) > 0;
    for (int i = 0; r >= 0 && i < PQntuples(result); i++) {
        if (*PQgetvalue(result, i, 1) != 't')
            continue;
        r = number_feed(conn, PQgetvalue(result, i, 0), most, f) < 0 ? f->status : r;
        numbered = 1;
    }
    PQclear(result);
    return r < 0 ? r : numbered;
}
