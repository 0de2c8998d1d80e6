/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "describe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "connect.h"
#include "nullcatalog.h"
#include "sql.h"
#include "sqltext.h"

#define STATEMENT "cell_describe"
#define DEFAULT_MS 2000
#define MOST_LOCK_MS 1000

/* One description on its way. */
struct describing {
    struct pg_arena *arena;
    PGconn *conn;
    const char *source; /* the statement */
    const char *sql;    /* as it is sent: with stand-ins for what is only planned */
    pg_stand_ins stand_ins;
    pg_edits edits;
    const struct pg_query_check *check;
    int64_t deadline_ms;
    struct pg_description *d;
    struct pg_refusal *refusal;
    struct pg_failure *f;
    PGresult *described;
    bool prepared;
};

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* What the server may take from here on: it stops by itself. */
static int limit_time(struct describing *x)
{
    int64_t left = x->deadline_ms - now_ms(), lock = x->check->lock_timeout_ms;
    char sql[160];

    if (left <= 0)
        return pg_fail(x->f, CELL_DEADLINE_EXCEEDED, "there was no time left to check the query");
    if (lock <= 0)
        lock = left / 2 < MOST_LOCK_MS ? left / 2 + 1 : MOST_LOCK_MS;
    snprintf(sql, sizeof(sql), "SET LOCAL statement_timeout = %lld; SET LOCAL lock_timeout = %lld", (long long)left,
             (long long)lock);
    return pg_run(x->conn, sql, x->f);
}

/* Who holds what the statement has waited for: an exclusive lock on one of its tables, if there is one, else any. */
static int fail_locked(struct describing *x)
{
    static const char sql[] =
        "SELECT c.relname, a.pid, coalesce(nullif(a.application_name, ''), 'no name'), a.state,"
        " extract(epoch FROM clock_timestamp() - a.xact_start)::int"
        " FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_stat_activity a ON a.pid = l.pid"
        " WHERE l.granted AND l.pid <> pg_backend_pid() AND l.locktype = 'relation' AND c.relkind IN ('r', 'p', 'v', "
        "'m', 'f')"
        "  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND c.oid > 16383"
        " ORDER BY l.mode = 'AccessExclusiveLock' DESC, position(lower(c.relname) IN lower($1)) > 0 DESC LIMIT 1";
    PGresult *result = NULL;
    const char *params[] = {x->sql};

    if (pg_query(x->conn, sql, 1, params, &result, NULL) < 0 || PQntuples(result) < 1) {
        PQclear(result);
        return pg_fail(x->f, CELL_DEADLINE_EXCEEDED,
                       "a table is locked by another session, and the query could not be checked in time");
    }
    pg_fail(x->f, CELL_DEADLINE_EXCEEDED,
            "table '%s' is locked by another session (pid %s, %s, %s, for %s s), and the query could not be checked in "
            "time: end that transaction, or compile again later",
            PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1), PQgetvalue(result, 0, 2), PQgetvalue(result, 0, 3),
            PQgetvalue(result, 0, 4));
    PQclear(result);
    return CELL_DEADLINE_EXCEEDED;
}

/* What is wrong with the statement itself, and not with the server or the moment. */
static bool is_refusal(const char *state)
{
    static const char *const classes[] = {"42", "22", "0A", "3F", "54", "44", "P0", "38", "39"};

    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (strncmp(state, classes[i], 2) == 0)
            return true;
    return false;
}

/* 0 with the refusal, or the failure. The transaction is still there, at the savepoint. */
static int refused(struct describing *x, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    if (!state || PQstatus(x->conn) != CONNECTION_OK || !is_refusal(state)) {
        pg_fail_result(x->f, result);
        if (state && (strcmp(state, "57014") == 0 || strcmp(state, "55P03") == 0))
            x->f->status = CELL_DEADLINE_EXCEEDED;
        return x->f->status;
    }
    bool back = pg_run(x->conn, "ROLLBACK TO SAVEPOINT cell_describe", NULL) >= 0;
    pg_refusal_read(x->arena, back ? x->conn : NULL, result, x->sql, x->refusal);
    if (x->refusal->positioned) {
        size_t end = pg_edited_from(&x->edits, x->refusal->at + x->refusal->length);
        x->refusal->at = pg_edited_from(&x->edits, x->refusal->at);
        x->refusal->length = end - x->refusal->at;
    }
    return 0;
}

static int prepare_once(struct describing *x)
{
    PGresult *result = PQprepare(x->conn, STATEMENT, x->sql, 0, NULL);
    int r = 1;

    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        r = refused(x, result);
    else
        x->prepared = true;
    PQclear(result);
    if (r != 1)
        return r;
    x->described = PQdescribePrepared(x->conn, STATEMENT);
    return PQresultStatus(x->described) == PGRES_COMMAND_OK ? 1 : refused(x, x->described);
}

/* Values of enums that are only planned are no error: one after the other is replaced where one is met. */
static int prepare(struct describing *x)
{
    const struct pg_refusal *said = x->refusal;

    for (;;) {
        int r = prepare_once(x);
        if (r != 0 || strcmp(said->sqlstate, "22P02") != 0 || !said->positioned ||
            !pg_edit_label(x->arena, x->source, said->at, said->length, &x->stand_ins, &x->edits))
            return r;
        x->sql = pg_edited(x->arena, x->source, &x->edits);
    }
}

/* Names of types, in one question for all of them. */
static int read_types(struct describing *x, const Oid *oids, uint32_t n, struct pg_described_type *types)
{
    static const char sql[] =
        "WITH RECURSIVE wanted AS (SELECT o, i FROM unnest($1::oid[]) WITH ORDINALITY AS w (o, i)),"
        " base (i, o, step) AS (SELECT i, o, 0 FROM wanted UNION ALL SELECT b.i, " PG_BASE_OF(
            "t",
            "e") ", step + 1"
                 "  FROM base b JOIN pg_type t ON t.oid = b.o LEFT JOIN pg_type e ON e.oid = t.typelem"
                 "  WHERE " PG_BASE_OF(
                     "t",
                     "e") " <> 0)"
                          " SELECT DISTINCT ON (w.i) w.i, format_type(w.o, NULL), format_type(t.oid, NULL),"
                          "  coalesce(e.typtype, t.typtype),"
                          "  coalesce(e.typtype, t.typtype) = 'e' OR coalesce(e.typcategory, t.typcategory) = 'S'"
                          " FROM wanted w JOIN base b ON b.i = w.i JOIN pg_type t ON t.oid = b.o"
                          " LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A' ORDER BY w.i, b.step DESC";
    struct pg_text list = {.arena = x->arena};
    PGresult *result = NULL;
    char why[128];

    pg_puts(&list, "{");
    for (uint32_t i = 0; i < n; i++)
        pg_putf(&list, "%s%u", i ? "," : "", oids[i]);
    pg_puts(&list, "}");
    const char *params[] = {list.data};
    int r = pg_query(x->conn, sql, 1, params, &result, x->f);
    if (r >= 0 && (uint32_t)PQntuples(result) != n)
        r = pg_fail(x->f, CELL_INTERNAL, "a type of the query is not in the catalog");
    for (uint32_t i = 0; i < n && r >= 0; i++) {
        struct pg_described_type *t = &types[i];
        int row = (int)i;
        const char *base = pg_strdup(x->arena, PQgetvalue(result, row, 2));
        t->name = pg_strdup(x->arena, PQgetvalue(result, row, 1));
        t->base = base;
        t->kind = PQgetvalue(result, row, 3)[0];
        t->textual = PQgetvalue(result, row, 4)[0] == 't';
        if (pg_type_parse(x->arena, base, &t->use, why) < 0)
            t->use = (struct pg_type_use){.base = PG_BASE_OTHER, .name = base, .modifier = -1, .scale = -1};
    }
    PQclear(result);
    return r < 0 ? r : 1;
}

/* `name!` and `name?` */
static void read_name(struct describing *x, const char *name, struct pg_described_column *c)
{
    size_t length = strlen(name);

    if (length > 0 && (name[length - 1] == '!' || name[length - 1] == '?'))
        c->override = name[--length];
    c->name = pg_copy(x->arena, name, length);
}

static int read_description(struct describing *x)
{
    struct pg_description *d = x->d;
    int np = PQnparams(x->described), nc = PQnfields(x->described);
    uint32_t n = (uint32_t)(np + nc);
    Oid *oids = pg_array(x->arena, n + 1, sizeof(*oids));
    struct pg_described_type *types = pg_array(x->arena, n + 1, sizeof(*types));

    d->nparameters = (uint32_t)np;
    d->parameters = types;
    d->ncolumns = (uint32_t)nc;
    d->columns = pg_array(x->arena, (size_t)nc + 1, sizeof(*d->columns));
    for (int i = 0; i < np; i++)
        oids[i] = PQparamtype(x->described, i);
    for (int i = 0; i < nc; i++)
        oids[np + i] = PQftype(x->described, i);
    int r = n > 0 ? read_types(x, oids, n, types) : 1;
    for (int i = 0; i < nc && r == 1; i++) {
        d->columns[i].type = types[np + i];
        read_name(x, PQfname(x->described, i), &d->columns[i]);
    }
    return r;
}

static int analyse(struct describing *x, const bool *optional, size_t noptional)
{
    struct pg_description *d = x->d;
    struct null_source *source = null_source_new(x->arena, x->conn);
    bool *never = pg_array(x->arena, d->ncolumns + 1, sizeof(*never));
    struct null_catalog catalog = null_source_catalog(source);

    nullable_analyse(x->sql, &catalog, optional, noptional, never, d->ncolumns, &d->statement);
    for (uint32_t i = 0; i < d->ncolumns; i++)
        d->columns[i].never_null = never[i];
    int r = null_source_failure(source, x->f);
    return r < 0 ? r : 1;
}

/* Columns that come from a table's as they are, if the plan makes no NULLs on the way. */
static int trust_plan(struct describing *x)
{
    static const char sql[] =
        "WITH RECURSIVE kin (oid) AS (SELECT $1::oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN kin"
        " ON i.inhparent = kin.oid) SELECT bool_and(coalesce(b.attnotnull, false) AND c.relkind IN ('r', 'p')"
        " AND NOT c.relhasrules) FROM kin JOIN pg_class c ON c.oid = kin.oid JOIN pg_attribute a ON a.attrelid = "
        "$1::oid"
        " AND a.attnum = $2::int LEFT JOIN pg_attribute b ON b.attrelid = kin.oid AND b.attname = a.attname";
    int r = 1;

    for (int i = 0; i < (int)x->d->ncolumns && r >= 0; i++) {
        char table[16], column[16];
        const char *params[] = {table, column};
        PGresult *result = NULL;
        if (x->d->columns[i].never_null || PQftable(x->described, i) == InvalidOid || PQftablecol(x->described, i) <= 0)
            continue;
        snprintf(table, sizeof(table), "%u", PQftable(x->described, i));
        snprintf(column, sizeof(column), "%d", PQftablecol(x->described, i));
        r = pg_query(x->conn, sql, 2, params, &result, x->f);
        if (r >= 0)
            x->d->columns[i].never_null = PQgetvalue(result, 0, 0)[0] == 't';
        PQclear(result);
    }
    return r < 0 ? r : 1;
}

static int measure_scans(struct describing *x)
{
    struct pg_description *d = x->d;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < d->nscans; i++) {
        const char *params[] = {d->scans[i].schema, d->scans[i].table};
        PGresult *result = NULL;
        int r = pg_query(x->conn,
                         "SELECT reltuples FROM pg_class WHERE oid = to_regclass(quote_ident($1) || '.' || "
                         "quote_ident($2))",
                         2, params, &result, x->f);
        if (r < 0)
            return r;
        d->scans[i].rows = PQntuples(result) == 1 ? strtod(PQgetvalue(result, 0, 0), NULL) : 0;
        PQclear(result);
        if (d->scans[i].rows >= (double)x->check->scan_rows)
            d->scans[kept++] = d->scans[i];
    }
    d->nscans = x->check->scan_rows > 0 ? kept : 0;
    return 1;
}

/* The plan that serves any parameters. What EXPLAIN refuses (a table that may not be read) the query would be, too. */
static int explain(struct describing *x)
{
    struct pg_text sql = {.arena = x->arena};
    struct pg_plan_facts facts = {0};
    int r = pg_run(x->conn, "SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL jit = off", x->f);

    if (r < 0)
        return r;
    pg_puts(&sql, "EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) EXECUTE " STATEMENT);
    for (uint32_t i = 0; i < x->d->nparameters; i++)
        pg_puts(&sql, i ? ", NULL" : " (NULL");
    pg_puts(&sql, x->d->nparameters ? ")" : "");
    PGresult *result = PQexec(x->conn, sql.data);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    /* A parameter of a domain that is never NULL: the plan has to be done without. */
    if (state && strncmp(state, "23", 2) == 0)
        r = pg_run(x->conn, "ROLLBACK TO SAVEPOINT cell_describe", x->f) < 0 ? x->f->status : 1;
    else if (PQresultStatus(result) != PGRES_TUPLES_OK)
        r = refused(x, result);
    else
        r = 1;
    if (r == 1 && PQntuples(result) == 1 && pg_plan_read(x->arena, PQgetvalue(result, 0, 0), x->d, &facts) &&
        facts.inner)
        r = trust_plan(x);
    PQclear(result);
    return r == 1 ? measure_scans(x) : r;
}

static int pending(struct describing *x)
{
    const struct pg_query_check *check = x->check;

    if (!check->pending)
        return pg_run(x->conn, "SET TRANSACTION READ ONLY", x->f);
    int r = check->pending(check->user, x->conn, x->arena, &x->stand_ins, x->f);
    pg_edit_tables(x->arena, x->source, &x->stand_ins, &x->edits);
    x->sql = pg_edited(x->arena, x->source, &x->edits);
    if (r < 0)
        return r == CELL_DEADLINE_EXCEEDED ? r : pg_fail_context(x->f, r, "what is planned before the query");
    r = pg_run(x->conn, "SET TRANSACTION READ ONLY", x->f);
    return r < 0 ? r : limit_time(x);
}

static int within(struct describing *x, const bool *optional, size_t noptional)
{
    int r = limit_time(x);

    if (r >= 0)
        r = pending(x);
    if (r >= 0)
        r = pg_run(x->conn, "SAVEPOINT cell_describe", x->f);
    if (r >= 0)
        r = prepare(x);
    if (r == 1)
        r = read_description(x);
    if (r == 1)
        r = analyse(x, optional, noptional);
    /* INTO makes a table: it has no columns and no plan that EXECUTE could explain. */
    if (r == 1 && !x->d->statement.into)
        r = explain(x);
    return r;
}

/* Memory that is short must not leave the transaction open: `within` jumps back here. */
static int within_memory(struct describing *x, const bool *optional, size_t noptional)
{
    jmp_buf *before = x->arena->escape, here;
    volatile int r = CELL_NO_MEMORY;

    x->arena->escape = &here;
    if (setjmp(here) == 0)
        r = within(x, optional, noptional);
    else
        pg_fail(x->f, CELL_NO_MEMORY, "out of memory");
    x->arena->escape = before;
    return r;
}

/* Prepared statements know nothing of transactions; a pooler may give the next one to another connection. */
static int end(struct describing *x, int r)
{
    struct pg_failure failure;
    bool ended = true;

    PQclear(x->described);
    if (x->prepared)
        ended = pg_run(x->conn, "ROLLBACK TO SAVEPOINT cell_describe; DEALLOCATE " STATEMENT, &failure) >= 0;
    ended = pg_run(x->conn, "ROLLBACK", ended ? &failure : NULL) >= 0 && ended;
    if (r < 0 && ended && strcmp(x->f->sqlstate, "55P03") == 0)
        return fail_locked(x);
    if (r >= 0 && !ended) {
        *x->f = failure;
        return failure.status;
    }
    return r;
}

int pg_describe(struct pg_arena *arena, PGconn *conn, const char *sql, const bool *optional, size_t noptional,
                const struct pg_query_check *check, struct pg_description *description, struct pg_refusal *refusal,
                struct pg_failure *f)
{
    struct pg_failure own;
    struct describing x = {.arena = arena,
                           .conn = conn,
                           .source = sql,
                           .sql = sql,
                           .check = check,
                           .deadline_ms = check->deadline_ms,
                           .d = description,
                           .refusal = refusal,
                           .f = f ? f : &own};

    if (x.deadline_ms <= 0)
        x.deadline_ms = now_ms() + DEFAULT_MS;
    *description = (struct pg_description){0};
    int r = pg_run(conn, "BEGIN", x.f);
    if (r >= 0)
        r = within_memory(&x, optional, noptional);
    return end(&x, r);
}
