/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Who may migrate: one at a time. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "apply.h"
#include "apply_parts.h"
#include "drift.h"
#include "sql.h"

/* The two numbers of the advisory lock: "cell", and 1 for migrations. */
#define LOCK "1667591276, 1"
#define LOCK_FIRST_PAUSE_MS 5
#define LOCK_LONGEST_PAUSE_MS 100

static const char *const history_tables[] = {
    "CREATE TABLE IF NOT EXISTS cell.history ("
    "id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, plan text NOT NULL, step integer NOT NULL, kind text NOT "
    "NULL, "
    "text text NOT NULL, hazard text, consent text, schema_name text, table_name text, fingerprint text, "
    "began timestamptz NOT NULL DEFAULT clock_timestamp(), done timestamptz, role text NOT NULL DEFAULT session_user, "
    "who text, source text)",
    "COMMENT ON SCHEMA cell IS 'What Cell has made in this database'", NULL};

void pg_pause(int64_t ms)
{
    const struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    if (ms > 0)
        nanosleep(&t, NULL);
}

int64_t pg_jitter(int64_t ms)
{
    /* Spreads who waits for the same; nothing depends on that it cannot be guessed. */
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    uint64_t x = (uint64_t)t.tv_nsec * 0x9e3779b97f4a7c15u ^ (uint64_t)(uintptr_t)&t;
    x ^= x >> 29;
    return ms / 2 + (int64_t)(x % (uint64_t)(ms > 0 ? ms : 1));
}

int pg_still_wanted(const struct pg_migration_options *o, struct pg_failure *f)
{
    return o->call && cell_ctx_cancelled(o->call) ? pg_fail(f, CELL_CANCELLED, "nobody waits for it any more")
                                                  : CELL_OK;
}

void pg_boundary(const struct pg_migration_options *o)
{
    if (o->boundary)
        o->boundary(o->user);
}

/* One boolean. */
static int ask(PGconn *conn, const char *sql, bool *answer, struct pg_failure *f)
{
    PGresult *result = NULL;
    int r = pg_query(conn, sql, 0, NULL, &result, f);

    if (r >= 0)
        *answer = PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 0), "t") == 0;
    PQclear(result);
    return r;
}

static int check_connection(PGconn *conn, struct pg_failure *f)
{
    PGresult *result = NULL;
    int r = pg_query(conn,
                     "SELECT pg_catalog.pg_backend_pid(), pg_catalog.pg_is_in_recovery(), "
                     "pg_catalog.current_setting('transaction_read_only')",
                     0, NULL, &result, f);

    if (r < 0)
        return r;
    if (atoi(PQgetvalue(result, 0, 0)) != PQbackendPID(conn))
        r = pg_fail(
            f, CELL_FAILED_PRECONDITION,
            "a connection pooler stands before the database; migrations need a direct connection: --migrate-url");
    else if (PQgetvalue(result, 0, 1)[0] == 't')
        r = pg_fail(f, CELL_FAILED_PRECONDITION, "the database is a replica, which only reads; migrate its primary");
    else if (strcmp(PQgetvalue(result, 0, 2), "on") == 0)
        r = pg_fail(f, CELL_FAILED_PRECONDITION, "the database is read-only (default_transaction_read_only)");
    PQclear(result);
    return r;
}

/* "pid 4711, cell, active since 12 s" of who holds the lock; "" when nobody does any more. */
static void find_migrator(PGconn *conn, char *text, size_t size)
{
    PGresult *result = NULL;

    text[0] = '\0';
    if (pg_query(conn,
                 "SELECT pg_catalog.concat_ws(', ', 'pid ' || a.pid, nullif(a.application_name, ''), a.usename) "
                 "FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid "
                 "WHERE l.locktype = 'advisory' AND l.classid = 1667591276 AND l.objid = 1 AND l.granted "
                 "AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) LIMIT 1",
                 0, NULL, &result, NULL) >= 0 &&
        PQntuples(result) == 1)
        snprintf(text, size, " (%s)", PQgetvalue(result, 0, 0));
    PQclear(result);
}

static int take_lock(PGconn *conn, const struct pg_migration_options *o, struct pg_failure *f)
{
    int64_t pause = LOCK_FIRST_PAUSE_MS;
    char holder[128];
    bool taken = false;

    for (;;) {
        int r = ask(conn, "SELECT pg_catalog.pg_try_advisory_lock(" LOCK ")", &taken, f);
        if (r < 0 || taken)
            return r;
        int64_t left = o->deadline_ms - pg_now_ms();
        if (left <= 0)
            break;
        r = pg_still_wanted(o, f);
        if (r < 0)
            return r;
        int64_t next = pg_jitter(pause);
        pg_pause(next < left ? next : left);
        pause = pause * 2 < LOCK_LONGEST_PAUSE_MS ? pause * 2 : LOCK_LONGEST_PAUSE_MS;
    }
    find_migrator(conn, holder, sizeof(holder));
    return pg_fail(f, CELL_DEADLINE_EXCEEDED, "another migration of this database has not ended yet%s", holder);
}

/* In one transaction; again when somebody else was about it with another lock, or none. */
static int make_schema(PGconn *conn, struct pg_failure *f)
{
    bool there = false;
    int r = ask(conn, "SELECT pg_catalog.to_regclass('cell.baseline') IS NOT NULL", &there, f);

    if (r < 0 || there)
        return r;
    r = pg_run(conn, "BEGIN", f);
    for (const char *const *sql = pg_sql_objects_tables; r >= 0 && *sql; sql++)
        r = pg_run(conn, *sql, f);
    for (const char *const *sql = history_tables; r >= 0 && *sql; sql++)
        r = pg_run(conn, *sql, f);
    for (const char *const *sql = pg_drift_tables; r >= 0 && *sql; sql++)
        r = pg_run(conn, *sql, f);
    if (r >= 0)
        return pg_run(conn, "COMMIT", f);
    pg_run(conn, "ROLLBACK", NULL);
    return pg_fail_context(f, r, "making the schema \"cell\", in which is recorded what Cell makes");
}

/* What a migration has done that did not come to its end is no drift. */
static int settle_interrupted(PGconn *conn, struct pg_failure *f)
{
    bool interrupted = false;
    int r = ask(conn, "SELECT EXISTS (SELECT FROM cell.before)", &interrupted, f);

    return r >= 0 && interrupted ? pg_baseline_after(conn, f) : r;
}

int pg_migration_begin(PGconn *conn, const struct pg_migration_options *o, struct pg_failure *f)
{
    if (o->policy == PG_POLICY_PLAN)
        return pg_fail(f, CELL_PERMISSION_DENIED, "the policy is 'plan': nothing is changed here");
    int r = check_connection(conn, f);
    if (r >= 0)
        r = take_lock(conn, o, f);
    if (r < 0)
        return r;
    pg_boundary(o);
    r = make_schema(conn, f);
    if (r >= 0)
        r = settle_interrupted(conn, f);
    if (r < 0)
        pg_migration_end(conn);
    return r;
}

void pg_migration_end(PGconn *conn)
{
    if (PQtransactionStatus(conn) != PQTRANS_IDLE)
        pg_run(conn, "ROLLBACK", NULL);
    pg_run(conn, "SELECT pg_catalog.pg_advisory_unlock(" LOCK ")", NULL);
    /* Steps are the author's own, and may have changed what others rely on. */
    pg_run(conn, PG_RESET, NULL);
}
