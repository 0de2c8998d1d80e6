/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "query.h"

#include <stdio.h>
#include <string.h>

#include <cell/server.h>

#include "failed.h"
#include "query_document.h"
#include "sqltext.h"

const char pg_query_verbs[] =
    "{\"name\": \"query\", \"on\": [\"enum\"], \"doc\": \"A statement of SQL, checked by the database, as a function "
    "whose "
    "rows are a stream.\", \"args\": [{\"name\": \"name\", \"type\": \"string\", \"required\": true}, "
    "{\"name\": \"sql\", \"type\": \"string\", \"required\": true}, "
    "{\"name\": \"parameters\", \"type\": \"string\", \"default\": \"\"}]}, "
    "{\"name\": \"query_one\", \"on\": [\"enum\"], \"doc\": \"The same with at most one row, as an out parameter.\", "
    "\"args\": [{\"name\": \"name\", \"type\": \"string\", \"required\": true}, "
    "{\"name\": \"sql\", \"type\": \"string\", \"required\": true}, "
    "{\"name\": \"parameters\", \"type\": \"string\", \"default\": \"\"}]}, "
    "{\"name\": \"query_file\", \"on\": [\"enum\"], \"doc\": \"The same with the statement in a file.\", "
    "\"args\": [{\"name\": \"name\", \"type\": \"string\", \"required\": true}, "
    "{\"name\": \"sql\", \"type\": \"file\", \"required\": true}, "
    "{\"name\": \"parameters\", \"type\": \"string\", \"default\": \"\"}]}, "
    "{\"name\": \"query_one_file\", \"on\": [\"enum\"], \"doc\": \"The same with at most one row, as an out "
    "parameter.\", "
    "\"args\": [{\"name\": \"name\", \"type\": \"string\", \"required\": true}, "
    "{\"name\": \"sql\", \"type\": \"file\", \"required\": true}, "
    "{\"name\": \"parameters\", \"type\": \"string\", \"default\": \"\"}]}";

static bool is_one_of(const char *verb, const char *const verbs[2])
{
    return strcmp(verb, verbs[0]) == 0 || strcmp(verb, verbs[1]) == 0;
}

int pg_query_from_request(const json_t *request, struct pg_query *query, struct pg_failure *f)
{
    static const char *const all[] = {"query", "query_file"}, *const one[] = {"query_one", "query_one_file"};
    const json_t *annotation = json_object_get(request, "annotation"), *args = json_object_get(annotation, "args");
    const char *verb = json_string_value(json_object_get(annotation, "verb"));
    struct pg_query q = {json_string_value(json_array_get(args, 0)), json_string_value(json_array_get(args, 1)),
                         json_string_value(json_array_get(args, 2)), verb && is_one_of(verb, one)};

    if (!verb || (!q.one && !is_one_of(verb, all)))
        return pg_fail(f, CELL_NOT_FOUND, "this is no query");
    if (!q.name || !q.sql)
        return pg_fail(f, CELL_INVALID_ARGUMENT, "a query has a name and a statement");
    *query = q;
    return CELL_OK;
}

/* What can be said without the database. False with the diagnostic. */
static bool check_text(struct query_answer *a)
{
    const char *wrong = cell_name_problem(a->query->name, strlen(a->query->name));
    struct query_complaint complaint = {0};
    struct sql_refusal refusal;

    if (wrong) {
        query_say(a, "error", "name", SIZE_MAX, 0, "the query '%s' %s", a->query->name, wrong);
        return false;
    }
    if (strlen(a->sql) > PG_QUERY_MAX_SQL) {
        query_say(a, "error", "sql", SIZE_MAX, 0, "the statement has %zu bytes; at most %d are allowed", strlen(a->sql),
                  PG_QUERY_MAX_SQL);
        return false;
    }
    if (!sql_acceptable(a->sql, strlen(a->sql), &refusal)) {
        query_say(a, "error", "sql", refusal.at, refusal.length, "%s", refusal.text);
        return false;
    }
    if (!query_names_parse(a->arena, a->query->parameters, &a->names, &complaint) ||
        !query_names_match(&a->names, a->sql, &complaint)) {
        query_say(a, "error", complaint.field, complaint.at, complaint.length, "%s", complaint.text);
        return false;
    }
    return true;
}

static void say_refusal(struct query_answer *a, const struct pg_refusal *r)
{
    const char *text = r->text ? r->text : "PostgreSQL refuses this statement";
    json_t *said = query_say(a, "error", "sql", r->positioned ? r->at : SIZE_MAX, r->length, "%s%s%s%s", text,
                             r->suggestion ? ": did you mean '" : "", r->suggestion ? r->suggestion : "",
                             r->suggestion ? "'?" : "");

    query_note(a, said, r->detail);
    query_note(a, said, r->hint);
    if (r->no_relation && !r->suggestion)
        query_note(
            a, said,
            "a table is known here when its CELL_TABLE stands before the query, in this file or a header that it "
            "includes, or when it is in the database already (cell migrate)");
    if (strcmp(r->sqlstate, "42P18") == 0 || strcmp(r->sqlstate, "42P08") == 0)
        query_note(a, said, "say the parameter's type: $1::integer");
}

/* The error may be no other than that a table is missing, or is not as its declaration has it: it failed. What is no
 * SQL is wrong in any case. */
static bool may_follow(const struct query_answer *a, const struct pg_refusal *r, const json_t *failed)
{
    struct sql_lexer l = {a->sql, strlen(a->sql), 0};
    struct sql_token t;

    if (strncmp(r->sqlstate, "42", 2) != 0 || strcmp(r->sqlstate, "42601") == 0)
        return false;
    while ((t = sql_next(&l)).kind != SQL_END) {
        bool quoted = t.kind == SQL_NAME && t.length >= 2;
        if ((quoted || t.kind == SQL_WORD) &&
            pg_failed_table(failed, a->sql + t.at + quoted, t.length - 2 * (size_t)quoted, quoted))
            return true;
    }
    return false;
}

/* The server has prepared it; some such statements are none that can be a query. */
static bool check_described(struct query_answer *a)
{
    const struct pg_description *d = &a->description;
    struct sql_lexer l = {a->sql, strlen(a->sql), 0};
    struct sql_token first = sql_next(&l);
    bool reads = sql_is(&l, first, "select") || sql_is(&l, first, "table") || sql_is(&l, first, "values");

    if (d->nparameters != a->names.n) {
        query_say(a, "error", "sql", SIZE_MAX, 0,
                  "PostgreSQL counts %u parameter%s in this statement, and %u name%s given", d->nparameters,
                  d->nparameters == 1 ? "" : "s", a->names.n, a->names.n == 1 ? " is" : "s are");
        return false;
    }
    if (d->statement.into || (d->ncolumns == 0 && reads)) {
        query_say(a, "error", "sql", first.at, first.length,
                  d->statement.into ? "SELECT INTO makes a table, and is no query: tables are declared with CELL_TABLE"
                                    : "the query has no columns");
        return false;
    }
    if (d->ncolumns > PG_QUERY_MAX_COLUMNS) {
        query_say(a, "error", "sql", SIZE_MAX, 0, "the query has %u columns; at most %d are allowed", d->ncolumns,
                  PG_QUERY_MAX_COLUMNS);
        return false;
    }
    if (a->query->one && d->ncolumns == 0) {
        query_say(
            a, "error", "sql", first.at, first.length,
            "a query for one row has columns: add RETURNING, or use CELL_QUERY, whose result is the number of rows");
        return false;
    }
    return true;
}

static void say_scans(struct query_answer *a)
{
    for (uint32_t i = 0; i < a->description.nscans; i++) {
        const struct pg_described_scan *s = &a->description.scans[i];
        struct sql_lexer l = {a->sql, strlen(a->sql), 0};
        struct sql_token t;
        while ((t = sql_next(&l)).kind != SQL_END && !sql_is(&l, t, s->table))
            ;
        query_say(a, "remark", "sql", t.kind == SQL_END ? SIZE_MAX : t.at, t.length,
                  "table '%s' is read from end to end (about %.0f rows): see EXPLAIN, and whether an index is missing",
                  s->table, s->rows);
    }
}

static int answer(struct query_answer *a, PGconn *conn, const struct pg_query_check *check, struct pg_failure *f)
{
    bool optional[PG_QUERY_MAX_PARAMETERS] = {false};
    struct pg_refusal refusal;

    a->document = json_pack("{s:s, s:[], s:[], s:[], s:[]}", "expansion", "cell.expansion/1", "types", "constants",
                            "methods", "diagnostics");
    a->sql = pg_copy(a->arena, a->query->sql, sql_trimmed_length(a->query->sql, strlen(a->query->sql)));
    if (!a->document)
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    if (!check_text(a))
        return CELL_OK;
    for (uint32_t i = 0; i < a->names.n; i++)
        optional[i] = a->names.names[i].optional;
    int r = pg_describe(a->arena, conn, a->sql, optional, a->names.n, check, &a->description, &refusal, f);
    if (r < 0)
        return r;
    if (r == 0 && may_follow(a, &refusal, check->failed))
        return json_object_set_new(a->document, "depends", json_true()) < 0
                   ? pg_fail(f, CELL_NO_MEMORY, "out of memory")
                   : CELL_OK;
    if (r == 0) {
        say_refusal(a, &refusal);
        return CELL_OK;
    }
    if (!check_described(a))
        return CELL_OK;
    query_build(a);
    say_scans(a);
    if (a->failed) { /* what is incomplete is not shown */
        json_array_clear(json_object_get(a->document, "types"));
        json_array_clear(json_object_get(a->document, "methods"));
    }
    return CELL_OK;
}

int pg_query_expand(PGconn *conn, const struct pg_query *query, const struct pg_query_check *check, json_t **document,
                    struct pg_failure *f)
{
    struct pg_arena arena = {0};
    jmp_buf escape;
    struct query_answer a = {.arena = &arena, .query = query};
    struct query_answer *volatile answer_ = &a;
    volatile int r;

    arena.escape = &escape;
    if (setjmp(escape) == 0)
        r = answer(answer_, conn, check, f);
    else
        r = pg_fail(f, CELL_NO_MEMORY, "out of memory");
    if (r >= 0 && a.short_)
        r = pg_fail(f, CELL_NO_MEMORY, "out of memory");
    if (r >= 0)
        *document = a.document;
    else
        json_decref(a.document);
    pg_arena_free(&arena);
    return r;
}
