/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "execute.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "sqltext.h"
#include "statement_impl.h"

/* One execution on its way. */
struct executing {
    cell_ctx *c;
    struct pg_link *link;
    struct pg_patience patience;
    struct pg_execute_result *out;
    size_t bytes;
    struct pg_failure *f;
};

static int no_memory(struct pg_failure *f) { return pg_fail(f, CELL_NO_MEMORY, "out of memory"); }

static int send(struct executing *x, cell_str sql, const struct pg_execute_value *parameters, size_t n)
{
    const char **values = cell_ctx_alloc(x->c, (n + 1) * sizeof(*values));
    cell_str statement = cell_ctx_copy(x->c, sql);
    PGconn *conn = pg_link_connection(x->link);

    if (!values || !statement.ptr)
        return no_memory(x->f);
    for (size_t i = 0; i < n; i++) {
        if (parameters[i].null)
            continue;
        cell_str copy = cell_ctx_copy(x->c, parameters[i].text);
        if (!copy.ptr)
            return no_memory(x->f);
        if (memchr(copy.ptr, '\0', copy.len))
            return pg_fail(x->f, CELL_INVALID_ARGUMENT, "parameter %zu holds a NUL, which PostgreSQL's text cannot",
                           i + 1);
        values[i] = copy.ptr;
    }
    if (!PQsendQueryParams(conn, statement.ptr, (int)n, NULL, values, NULL, NULL, 0))
        return pg_fail_connection(x->f, conn, "sending the statement");
    PQsetSingleRowMode(conn);
    return CELL_OK;
}

static int describe_columns(struct executing *x, const PGresult *result, Oid **types)
{
    int n = PQnfields(result);

    if (x->out->columns || n == 0)
        return CELL_OK;
    x->out->columns = cell_ctx_alloc(x->c, (size_t)n * sizeof(*x->out->columns));
    *types = cell_ctx_alloc(x->c, (size_t)n * sizeof(**types));
    if (!x->out->columns || !*types)
        return no_memory(x->f);
    x->out->ncolumns = (size_t)n;
    for (int i = 0; i < n; i++) {
        (*types)[i] = PQftype(result, i);
        x->out->columns[i].name = cell_ctx_copy(x->c, cell_strz(PQfname(result, i)));
        if (!x->out->columns[i].name.ptr)
            return no_memory(x->f);
    }
    return CELL_OK;
}

static int grow(struct executing *x)
{
    struct pg_execute_result *out = x->out;
    size_t room = out->room ? out->room * 2 : 64;

    if (out->nrows < out->room)
        return CELL_OK;
    struct pg_execute_value *values = cell_ctx_alloc(x->c, room * out->ncolumns * sizeof(*values));
    if (!values)
        return no_memory(x->f);
    if (out->nrows > 0)
        memcpy(values, out->values, out->nrows * out->ncolumns * sizeof(*values));
    out->values = values;
    out->room = room;
    return CELL_OK;
}

static int take_rows(struct executing *x, const PGresult *result)
{
    struct pg_execute_result *out = x->out;

    for (int row = 0; row < PQntuples(result); row++) {
        int r = grow(x);
        for (size_t i = 0; i < out->ncolumns && r >= 0; i++) {
            struct pg_execute_value *v = &out->values[out->nrows * out->ncolumns + i];
            size_t length = (size_t)PQgetlength(result, row, (int)i);
            v->null = PQgetisnull(result, row, (int)i);
            x->bytes += length + sizeof(*v);
            if (x->bytes > PG_EXECUTE_MAX_BYTES)
                r = pg_fail(x->f, CELL_TOO_LARGE,
                            "the result has more than %u bytes: use LIMIT, or CELL_QUERY, which streams",
                            PG_EXECUTE_MAX_BYTES);
            else if (!v->null)
                v->text = cell_ctx_copy(x->c, (cell_str){PQgetvalue(result, row, (int)i), length});
            if (r >= 0 && !v->null && !v->text.ptr)
                r = no_memory(x->f);
        }
        if (r < 0)
            return r;
        out->nrows++;
    }
    return CELL_OK;
}

/* "INSERT 0 1", "CREATE TABLE" */
static int take_command(struct executing *x, PGresult *result)
{
    const char *tag = PQcmdStatus(result);
    size_t length = strcspn(tag, "0123456789");

    while (length > 0 && tag[length - 1] == ' ')
        length--;
    x->out->command = cell_ctx_copy(x->c, (cell_str){tag, length});
    x->out->affected = strtoull(PQcmdTuples(result), NULL, 10);
    return x->out->command.ptr ? CELL_OK : no_memory(x->f);
}

static int take(struct executing *x, PGresult *result, Oid **types)
{
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_SINGLE_TUPLE && status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        return pg_fail_result(x->f, result);
    int r = describe_columns(x, result, types);
    if (r >= 0)
        r = take_rows(x, result);
    return r >= 0 && status != PGRES_SINGLE_TUPLE ? take_command(x, result) : r;
}

/* The rest is not wanted. */
static void cancel(const struct executing *x)
{
    PGcancel *request = PQgetCancel(pg_link_connection(x->link));
    char error[256];

    if (request)
        PQcancel(request, error, sizeof(error));
    PQfreeCancel(request);
}

/* All results are read, also behind a failure: the connection is to be idle. */
static int receive(struct executing *x, Oid **types)
{
    int r = CELL_OK;

    for (;;) {
        struct pg_failure late;
        PGresult *result = NULL;
        int waited = pg_link_result(x->link, &x->patience, &result, r < 0 ? &late : x->f);
        if (waited < 0) {
            r = r < 0 ? r : waited;
            if (!pg_link_is_alive(x->link))
                return r;
            continue;
        }
        if (!result)
            return r;
        if (r >= 0) {
            r = take(x, result, types);
            if (r < 0 && PQresultStatus(result) == PGRES_SINGLE_TUPLE)
                cancel(x);
        }
        PQclear(result);
    }
}

static int name_types(struct executing *x, const Oid *types)
{
    struct pg_arena arena = {0};
    struct pg_text sql = {.arena = &arena};
    PGresult *result = NULL;
    int r;

    pg_puts(&sql, "SELECT format_type(o, NULL) FROM unnest('{");
    for (size_t i = 0; i < x->out->ncolumns; i++)
        pg_putf(&sql, "%s%u", i ? "," : "", types[i]);
    pg_puts(&sql, "}'::oid[]) WITH ORDINALITY AS t (o, i) ORDER BY i");
    r = sql.failed ? no_memory(x->f) : pg_link_exec(x->link, sql.data, &x->patience, &result, x->f);
    for (size_t i = 0; i < x->out->ncolumns && r >= 0; i++) {
        x->out->columns[i].type = cell_ctx_copy(x->c, cell_strz(PQgetvalue(result, (int)i, 0)));
        if (!x->out->columns[i].type.ptr)
            r = no_memory(x->f);
    }
    PQclear(result);
    pg_arena_free(&arena);
    return r;
}

/* What a DO or CALL sets may stay on its connection. */
static bool leaves_nothing(cell_str sql)
{
    struct sql_lexer l = {sql.ptr, sql.len, 0};
    struct sql_token t = sql_next(&l);

    return !sql_is(&l, t, "do") && !sql_is(&l, t, "call");
}

/* Those that may give many rows, all of which can be part of a transaction. */
static bool is_query(cell_str sql)
{
    static const char *const words[] = {"select", "insert", "update", "delete", "merge", "with", "values", "table"};
    struct sql_lexer l = {sql.ptr, sql.len, 0};
    struct sql_token t = sql_next(&l);

    while (t.kind == SQL_SYMBOL && l.text[t.at] == '(')
        t = sql_next(&l);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (sql_is(&l, t, words[i]))
            return true;
    return false;
}

/* A failure leaves nothing of a query: it is committed when its rows are here. */
static int execute_on(struct executing *x, cell_str sql, const struct pg_execute_value *parameters, size_t nparameters)
{
    bool own = false;
    Oid *types = NULL;
    int r = is_query(sql) ? pg_hold(x->link, &own, &x->patience, x->f) : CELL_OK;

    if (r < 0)
        return r;
    r = send(x, sql, parameters, nparameters);
    if (r >= 0)
        r = receive(x, &types);
    if (r >= 0 && x->out->ncolumns > 0)
        r = name_types(x, types);
    /* Another number of parameters than the statement has; a pooler that says so of itself ends the connection. */
    if (r < 0 && strcmp(x->f->sqlstate, "08P01") == 0 && pg_link_is_alive(x->link))
        r = x->f->status = CELL_INVALID_ARGUMENT;
    return pg_let_go(x->link, own, r, &x->patience, x->f);
}

int pg_notify(struct pg_engine *engine, cell_ctx *c, cell_str channel, cell_str payload, struct pg_failure *f)
{
    const struct pg_execute_value values[] = {{false, channel}, {false, payload}};
    struct pg_execute_result out = {0};
    struct pg_engine_link link;
    int r = pg_engine_link(engine, c, &link, f);

    if (r < 0)
        return r;
    struct executing x = {c, link.link, pg_patience_of(c), &out, 0, f};
    Oid *types = NULL;
    r = send(&x, CELL_STR("SELECT pg_catalog.pg_notify($1, $2)"), values, 2);
    if (r >= 0)
        r = receive(&x, &types);
    return pg_engine_unlink(engine, &link, true, r, f);
}

int pg_execute(struct pg_engine *engine, cell_ctx *c, cell_str sql, const struct pg_execute_value *parameters,
               size_t nparameters, struct pg_execute_result *result, struct pg_failure *f)
{
    struct pg_execute_result out = {0};
    struct pg_engine_link link;
    struct sql_refusal why;

    if (sql.len > 0 && memchr(sql.ptr, '\0', sql.len))
        return pg_fail(f, CELL_INVALID_ARGUMENT, "the statement holds a NUL");
    if (!sql_executable(sql.ptr ? sql.ptr : "", sql.len, &why))
        return pg_fail(f, CELL_INVALID_ARGUMENT, "%s", why.text);
    if (nparameters > PG_EXECUTE_MAX_PARAMETERS)
        return pg_fail(f, CELL_INVALID_ARGUMENT, "%zu parameters; at most %d are allowed", nparameters,
                       PG_EXECUTE_MAX_PARAMETERS);
    int r = pg_engine_link(engine, c, &link, f);
    if (r < 0)
        return r;
    struct executing x = {c, link.link, pg_patience_of(c), &out, 0, f};
    pg_link_runs_foreign(link.link);
    r = execute_on(&x, sql, parameters, nparameters);
    r = pg_engine_unlink(engine, &link, leaves_nothing(sql), r, f);
    if (r >= 0)
        *result = out;
    return r;
}
