/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "catalog.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog_build.h"
#include "catalog_sql.h"
#include "sql.h"

#define TRIES 5

struct question {
    const char *sql;
    int nparams;
    const char *params[2];
};

/* The results of questions that are sent together. The first error is the failure; *results are complete or NULL. */
static int collect(PGconn *conn, int n, PGresult **results, struct pg_failure *f)
{
    int r = CELL_OK, at = 0;
    PGresult *result;

    /* Each question's results end with a NULL; so does the synchronisation, which tells that all is over. */
    for (bool synced = false; !synced;) {
        result = PQgetResult(conn);
        if (!result) {
            if (PQstatus(conn) == CONNECTION_BAD)
                return pg_fail_connection(f, conn, "reading the catalog");
            at++;
            continue;
        }
        ExecStatusType status = PQresultStatus(result);
        synced = status == PGRES_PIPELINE_SYNC;
        if (status == PGRES_FATAL_ERROR && r >= 0)
            r = pg_fail_result(f, result);
        if (at < n && (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) && !results[at])
            results[at] = result;
        else
            PQclear(result);
    }
    return r;
}

static int ask(PGconn *conn, const struct question *questions, int n, PGresult **results, struct pg_failure *f)
{
    bool sent = PQenterPipelineMode(conn) == 1;

    for (int i = 0; sent && i < n; i++)
        sent = PQsendQueryParams(conn, questions[i].sql, questions[i].nparams, NULL, questions[i].params, NULL, NULL,
                                 0) == 1;
    if (!sent || PQpipelineSync(conn) != 1)
        return pg_fail_connection(f, conn, "reading the catalog");
    int r = collect(conn, n, results, f);
    if (PQstatus(conn) == CONNECTION_OK && PQexitPipelineMode(conn) != 1)
        return pg_fail(f, CELL_INTERNAL, "libpq stays in pipeline mode: %s", PQerrorMessage(conn));
    return r;
}

char *pg_array_text(const char *const *texts, size_t n)
{
    size_t size = 3;

    for (size_t i = 0; i < n; i++)
        size += texts[i] ? 2 * strlen(texts[i]) + 3 : 5;
    char *out = malloc(size), *at = out;
    if (!out)
        return NULL;
    *at++ = '{';
    for (size_t i = 0; i < n; i++) {
        if (i)
            *at++ = ',';
        if (!texts[i]) {
            memcpy(at, "NULL", 4);
            at += 4;
            continue;
        }
        *at++ = '"';
        for (const char *c = texts[i]; *c; c++) {
            if (*c == '"' || *c == '\\')
                *at++ = '\\';
            *at++ = *c;
        }
        *at++ = '"';
    }
    memcpy(at, "}", 2);
    return out;
}

/* Schemas or names: of tables, or of everything that is to have its name only. */
static char *wanted_array(const struct pg_wanted *wanted, uint32_t n, bool names, bool tables)
{
    const char **texts = calloc(n ? n : 1, sizeof(*texts));
    char *array = NULL;
    size_t found = 0;

    for (uint32_t i = 0; texts && i < n; i++)
        if (!tables || !wanted[i].only_name)
            texts[found++] = names ? wanted[i].name : wanted[i].schema;
    if (texts)
        array = pg_array_text(texts, found);
    free(texts);
    return array;
}

/* One column of a result as an array for the next question. */
static char *column_array(const PGresult *result, int column)
{
    int n = PQntuples(result);
    const char **texts = calloc((size_t)n + 1, sizeof(*texts));
    char *array = NULL;

    for (int i = 0; texts && i < n; i++)
        texts[i] = PQgetvalue(result, i, column);
    if (texts)
        array = pg_array_text(texts, (size_t)n);
    free(texts);
    return array;
}

/* What is wanted, as arrays: schemas and names of tables, and of everything. */
struct arrays {
    char *schemas, *names, *all_schemas, *all_names;
};

static bool make_arrays(struct arrays *a, const struct pg_wanted *wanted, uint32_t n)
{
    *a = (struct arrays){wanted_array(wanted, n, false, true), wanted_array(wanted, n, true, true),
                         wanted_array(wanted, n, false, false), wanted_array(wanted, n, true, false)};
    return a->schemas && a->names && a->all_schemas && a->all_names;
}

static void free_arrays(struct arrays *a)
{
    free(a->schemas);
    free(a->names);
    free(a->all_schemas);
    free(a->all_names);
}

static int read_tables(PGconn *conn, const struct arrays *a, int64_t deadline_ms, struct pg_readings *r,
                       struct pg_failure *f)
{
    char left[24];
    const struct question questions[] = {{SQL_BEGIN, 0, {NULL}},
                                         {SQL_LOCAL, 1, {left}},
                                         {SQL_SERVER, 0, {NULL}},
                                         {SQL_TABLES, 2, {a->schemas, a->names}},
                                         {SQL_RELATIONS, 2, {a->all_schemas, a->all_names}}};
    PGresult *results[5] = {NULL};
    int64_t ms = deadline_ms - pg_now_ms();

    if (ms <= 0)
        return pg_fail(f, CELL_DEADLINE_EXCEEDED, "the time is over");
    snprintf(left, sizeof(left), "%d", ms < INT_MAX ? (int)ms : INT_MAX);
    int status = ask(conn, questions, 5, results, f);

    PQclear(results[0]);
    PQclear(results[1]);
    r->server = results[2];
    r->tables = results[3];
    r->relations = results[4];
    return status;
}

static int read_parts(PGconn *conn, struct pg_readings *r, struct pg_failure *f)
{
    char *oids = column_array(r->tables, 0), *schemas = column_array(r->tables, 1), *names = column_array(r->tables, 2);
    bool records = strcmp(PQgetvalue(r->server, 0, 1), "t") == 0;
    const struct question questions[] = {
        {SQL_COLUMNS, 1, {oids}}, {SQL_CONSTRAINTS, 1, {oids}}, {SQL_INDEXES, 1, {oids}}, {SQL_ENUMS, 1, {schemas}},
        {SQL_DOMAINS, 0, {NULL}}, {"COMMIT", 0, {NULL}},        {NULL, 0, {NULL}},
    };
    struct question all[7];
    PGresult *results[7] = {NULL};
    int n = 0;

    for (; questions[n].sql; n++)
        all[n] = questions[n];
    if (records) {
        all[n] = all[n - 1];
        all[n - 1] = (struct question){pg_sql_objects_query, 2, {schemas, names}};
        n++;
    }
    int status = oids && schemas && names ? ask(conn, all, n, results, f) : pg_fail(f, CELL_NO_MEMORY, "out of memory");
    r->columns = results[0];
    r->constraints = results[1];
    r->indexes = results[2];
    r->enums = results[3];
    r->domains = results[4];
    r->objects = records ? results[5] : NULL;
    PQclear(results[n - 1]);
    free(oids);
    free(schemas);
    free(names);
    return status;
}

static void clear(struct pg_readings *r)
{
    PQclear(r->server);
    PQclear(r->tables);
    PQclear(r->relations);
    PQclear(r->columns);
    PQclear(r->constraints);
    PQclear(r->indexes);
    PQclear(r->enums);
    PQclear(r->domains);
    PQclear(r->objects);
    memset(r, 0, sizeof(*r));
}

/* Functions that print expressions look at the catalog as it is at that moment, and fail when an object has gone. */
static bool has_moved(const struct pg_failure *f)
{
    return strcmp(f->sqlstate, "XX000") == 0 || strcmp(f->sqlstate, "42P01") == 0 || strcmp(f->sqlstate, "40001") == 0;
}

int pg_catalog_read(PGconn *conn, const struct pg_wanted *wanted, uint32_t n, int64_t deadline_ms,
                    struct pg_model **model, struct pg_failure *f)
{
    struct arrays arrays;
    struct pg_readings readings = {0};
    struct pg_failure local;
    int r = make_arrays(&arrays, wanted, n) ? CELL_OK : pg_fail(f, CELL_NO_MEMORY, "out of memory");

    f = f ? f : &local;
    for (int tries = 1; r >= 0; tries++) {
        r = read_tables(conn, &arrays, deadline_ms, &readings, f);
        if (r >= 0)
            r = read_parts(conn, &readings, f);
        if (r >= 0)
            r = pg_catalog_build(&readings, PQserverVersion(conn), model, f);
        clear(&readings);
        if (PQtransactionStatus(conn) != PQTRANS_IDLE)
            pg_run(conn, "ROLLBACK", NULL);
        if (r >= 0 || !has_moved(f) || tries == TRIES)
            break;
        r = CELL_OK;
    }
    free_arrays(&arrays);
    return r;
}
