/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "query_document.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cell/server.h>
#include <strings.h>

#include "sqltext.h"

#define MAX_BINDING 65536

json_t *query_say(struct query_answer *a, const char *severity, const char *field, size_t at, size_t length,
                  const char *format, ...)
{
    json_t *all = json_object_get(a->document, "diagnostics"), *one;
    va_list args;

    va_start(args, format);
    const char *text = pg_vprintf(a->arena, format, args);
    va_end(args);
    if (at == SIZE_MAX)
        one = json_pack("{s:s, s:s, s:s}", "severity", severity, "text", text, "field", field);
    else
        one = json_pack("{s:s, s:s, s:s, s:I, s:I}", "severity", severity, "text", text, "field", field, "at",
                        (json_int_t)at, "length", (json_int_t)length);
    a->failed = a->failed || strcmp(severity, "error") == 0;
    if (json_array_append_new(all, one) < 0)
        a->short_ = true;
    return one;
}

void query_note(struct query_answer *a, json_t *diagnostic, const char *text)
{
    json_t *notes = json_object_get(diagnostic, "notes");

    if (!text)
        return;
    if (!notes) {
        notes = json_array();
        if (json_object_set_new(diagnostic, "notes", notes) < 0)
            a->short_ = true;
    }
    if (json_array_append_new(notes, json_pack("{s:s}", "text", text)) < 0)
        a->short_ = true;
}

/* Where the statement names a column: the last token that is its name, for what AS says stands behind. */
static size_t place_of_column(const char *sql, const struct pg_described_column *c, size_t *length)
{
    struct sql_lexer l = {sql, strlen(sql), 0};
    struct sql_token t = sql_next(&l), found = t;
    size_t n = strlen(c->name);

    for (; t.kind != SQL_END; t = sql_next(&l)) {
        bool word = t.kind == SQL_WORD && t.length == n && strncasecmp(sql + t.at, c->name, n) == 0;
        bool name =
            t.kind == SQL_NAME && t.length == n + 2 + (c->override != 0) && memcmp(sql + t.at + 1, c->name, n) == 0;
        if (n > 0 && (word || name))
            found = t;
    }
    *length = found.length;
    return found.at;
}

static void complain_of_column(struct query_answer *a, uint32_t i, const char *text)
{
    size_t length, at = place_of_column(a->sql, &a->description.columns[i], &length);

    query_say(a, "error", "sql", at, length, "%s", text);
}

/* The column can be a field of its name. */
static bool check_name(struct query_answer *a, uint32_t i)
{
    const struct pg_described_column *all = a->description.columns, *c = &all[i];
    const char *wrong = cell_name_problem(c->name, strlen(c->name));

    if (strcmp(c->name, "?column?") == 0 || strcmp(c->name, "?column") == 0 || !*c->name) {
        complain_of_column(a, i, pg_printf(a->arena, "column %u has no name: write AS name behind it", i + 1));
        return false;
    }
    if (wrong) {
        complain_of_column(
            a, i,
            pg_printf(a->arena, "column '%s' %s, and cannot be a field: write AS name behind it", c->name, wrong));
        return false;
    }
    for (uint32_t k = 0; k < i; k++)
        if (strcmp(all[k].name, c->name) == 0) {
            complain_of_column(
                a, i, pg_printf(a->arena, "two columns have the name '%s': write AS another_name behind one", c->name));
            return false;
        }
    return true;
}

static json_t *field_of(struct query_answer *a, const struct pg_described_column *c, const struct query_type *type,
                        uint32_t *offset)
{
    *offset = (*offset + type->align - 1) / type->align * type->align;
    json_t *field = json_pack("{s:s, s:s, s:I}", "name", c->name, "type", type->text, "offset", (json_int_t)*offset);

    *offset += type->size;
    if (!field)
        a->short_ = true;
    return field;
}

/* The struct of a row, and the "out" of the binding, whose paths begin with `row`. */
static void build_row(struct query_answer *a, const char *row, json_t *out)
{
    const struct pg_description *d = &a->description;
    json_t *fields = json_array();
    uint32_t offset = 0, align = 1;

    for (uint32_t i = 0; i < d->ncolumns; i++) {
        const struct pg_described_column *c = &d->columns[i];
        struct query_type type;
        char why[512];
        if (!check_name(a, i))
            continue;
        if (!query_type_of_column(a->arena, c, &type, why)) {
            complain_of_column(a, i, why);
            continue;
        }
        align = type.align > align ? type.align : align;
        if (json_array_append_new(fields, field_of(a, c, &type, &offset)) < 0 ||
            json_array_append_new(out,
                                  json_pack("{s:s, s:s, s:b}", "to", pg_printf(a->arena, "%s.%s", row, c->name), "type",
                                            type.binding, "null", (int)(strncmp(type.text, "opt<", 4) == 0))) < 0)
            a->short_ = true;
    }
    const char *name = pg_printf(a->arena, "%s_row", a->query->name);
    json_t *type = json_pack("{s:s, s:s, s:I, s:I, s:s, s:o}", "name", name, "kind", "struct", "size",
                             (json_int_t)((offset + align - 1) / align * align), "align", (json_int_t)align, "doc",
                             pg_printf(a->arena, "A row of %s().", a->query->name), "fields", fields);
    if (json_array_append_new(json_object_get(a->document, "types"), type) < 0)
        a->short_ = true;
}

/* Parameters of the method and the "in" of the binding; the casts that the statement gets. */
static void build_parameters(struct query_answer *a, json_t *params, json_t *in, const char **casts)
{
    for (uint32_t i = 0; i < a->names.n; i++) {
        const struct query_name *name = &a->names.names[i];
        struct query_type type;
        char why[512];
        if (!query_type_of_parameter(a->arena, &a->description.parameters[i], name, i + 1, &type, why)) {
            query_say(a, "error", "parameters", name->at, name->length, "%s", why);
            continue;
        }
        casts[i] = type.cast;
        const char *doc = pg_printf(a->arena, "$%u, %s%s", i + 1, a->description.parameters[i].name,
                                    name->optional ? "; absent: NULL" : "");
        json_t *param =
            json_pack("{s:s, s:s, s:s, s:s}", "name", name->name, "type", type.text, "dir", "in", "doc", doc);
        if (type.by_pointer && json_object_set_new(param, "pointer", json_true()) < 0)
            a->short_ = true;
        if (json_array_append_new(params, param) < 0 ||
            json_array_append_new(in, json_pack("{s:s, s:s}", "from", name->name, "type", type.binding)) < 0)
            a->short_ = true;
    }
}

/* A name for the rows that no parameter has. */
static const char *free_name(struct query_answer *a)
{
    const char *name = a->query->one ? "row" : "rows";

    for (uint32_t i = 0; i < a->names.n; i++)
        if (strcmp(a->names.names[i].name, name) == 0) {
            name = pg_printf(a->arena, "%s_", name);
            i = UINT32_MAX; /* from the first on */
        }
    return name;
}

static const char *binding_of(struct query_answer *a, const char *op, const char *sql, json_t *in, json_t *out)
{
    bool repeatable = a->description.statement.repeatable;
    json_t *binding = json_pack("{s:i, s:s, s:s, s:O, s:O, s:b, s:b}", "v", 1, "op", op, "sql", sql, "in", in, "out",
                                out, "write", !repeatable, "retry", repeatable);
    char *text = binding ? json_dumps(binding, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
    const char *copy = text ? pg_strdup(a->arena, text) : NULL;

    json_decref(binding);
    free(text);
    if (!copy) {
        a->short_ = true;
        return "";
    }
    if (strlen(copy) > MAX_BINDING)
        query_say(a, "error", "sql", SIZE_MAX, 0, "the query is too long: its binding has %zu bytes, at most %d fit",
                  strlen(copy), MAX_BINDING);
    return copy;
}

static const char *doc_of(struct query_answer *a, bool rows)
{
    const char *what = !rows           ? "The number of rows that it affected."
                       : a->query->one ? "The row of this query, CELL_NOT_FOUND when there is none."
                                       : "The rows of this query.";
    return pg_printf(a->arena, "%s\n\n%s", what, query_doc_text(a->arena, a->sql));
}

void query_build(struct query_answer *a)
{
    bool rows = a->description.ncolumns > 0;
    const char *casts[PG_QUERY_MAX_PARAMETERS] = {NULL}, *row = free_name(a);
    const char *op = !rows ? "exec" : a->query->one ? "row" : "stream";
    json_t *params = json_array(), *in = json_array(), *out = json_array();

    build_parameters(a, params, in, casts);
    if (rows) {
        build_row(a, row, out);
        json_t *param =
            json_pack("{s:s, s:s, s:s, s:b}", "name", row, "type", pg_printf(a->arena, "%s_row", a->query->name), "dir",
                      "out", a->query->one ? "pointer" : "stream", 1);
        if (json_array_append_new(params, param) < 0)
            a->short_ = true;
    }
    const char *sql = query_names_replace(a->arena, a->sql, casts, a->names.n);
    json_t *method = json_pack("{s:s, s:s, s:b, s:O, s:s}", "name", a->query->name, "doc", doc_of(a, rows),
                               "idempotent", (int)a->description.statement.repeatable, "params", params, "binding",
                               binding_of(a, op, sql, in, out));
    if (method && !a->description.statement.repeatable)
        json_object_del(method, "idempotent");
    /* What it writes does not depend on how many of its rows are read. */
    if (method && !a->description.statement.repeatable && strcmp(op, "stream") == 0 &&
        json_object_set_new(method, "whole", json_true()) < 0)
        a->short_ = true;
    if (json_array_append_new(json_object_get(a->document, "methods"), method) < 0)
        a->short_ = true;
    json_decref(params);
    json_decref(in);
    json_decref(out);
}
