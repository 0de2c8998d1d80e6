/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A table of arbitrary names, comments, defaults, checks, indexes, references, enums and replacements, one text a line
 * of the input: every statement of its plan is exactly one statement of the kind that is meant, and names and comments
 * arrive as they were. PostgreSQL's own parser says so. What the author wrote as SQL may be wrong SQL; it must not
 * become another statement.
 */
// LINK: cells/postgres/memory.c cells/postgres/model.c cells/postgres/model_equal.c cells/postgres/sql.c
// LINK: cells/postgres/sql_name.c cells/postgres/sql_normal.c cells/postgres/sql_objects.c cells/postgres/sql_same.c cells/postgres/sql_token.c
// LINK: cells/postgres/type_name.c cells/postgres/types.c cells/postgres/types_back.c cells/postgres/ctype.c
// LINK: cells/postgres/declare.c cells/postgres/declare_field.c cells/postgres/declare_objects.c
// LINK: cells/postgres/declare_rule.c cells/postgres/pattern.c cells/postgres/diagnostic.c cells/postgres/diff.c cells/postgres/diff_check.c
// LINK: cells/postgres/diff_column.c cells/postgres/diff_consent.c cells/postgres/diff_rows.c cells/postgres/diff_fill.c
// LINK: cells/postgres/diff_give_way.c cells/postgres/diff_keys.c cells/postgres/diff_step.c cells/postgres/diff_table.c cells/postgres/diff_advice.c
// LINK: cells/postgres/diff_name.c cells/postgres/diff_replace.c cells/postgres/diff_undeclared.c
// LINK: cells/postgres/diff_begin.c cells/postgres/diff_create.c cells/postgres/diff_order.c cells/postgres/diff_generated.c cells/postgres/diff_kept.c cells/postgres/diff_typed.c cells/postgres/diff_hand.c
// LINK: cells/postgres/diff_numbers.c cells/postgres/diff_outer.c cells/postgres/diff_shape.c
// LINK: cells/postgres/declare_members.c
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <pg_query.h>

#include "fuzz.h"
#include "postgres/diff.h"
#include "postgres/sql.h"

#define TEXTS 24
struct texts {
    char *at[TEXTS];
};

/* As many lines as there are texts; what is no UTF-8 cannot come out of a request and is left out. */
static void split(const uint8_t *data, size_t size, struct texts *t)
{
    const char *p = (const char *)data, *end = p + size;
    for (int i = 0; i < TEXTS; i++) {
        const char *stop = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;
        size_t len = p < end ? (size_t)((stop ? stop : end) - p) : 0;
        json_t *valid = json_stringn(p, len);
        const char *text = json_string_value(valid);
        t->at[i] = strdup(text && strlen(text) == len ? text : "");
        json_decref(valid);
        p += len + 1;
    }
}

static json_t *rule(const char *name, const char *a, const char *b)
{
    return b ? json_pack("{s:s, s:[s, s]}", "rule", name, "args", a, b)
             : json_pack("{s:s, s:[s]}", "rule", name, "args", a);
}

static json_t *field(const char *name, const char *type, json_t *rules)
{
    return json_pack("{s:s, s:s, s:o}", "name", name, "type", type, "rules", rules);
}

static json_t *rules_of(const char *name, const char *a, const char *b) { return json_pack("[o]", rule(name, a, b)); }

/* Fields of the kinds that the texts behind the first ones are for, as the table has them before and after. */
static void add_fields(const struct texts *t, bool more, json_t *fields, json_t *rules)
{
    if (!more && *t->at[14])
        json_array_append_new(fields, field("field_gone", "opt<str>", rules_of("column", t->at[14], NULL)));
    if (*t->at[16]) {
        json_t *renamed = rules_of("column", more ? t->at[16] : t->at[17], NULL);
        if (more)
            json_array_append_new(renamed, rule("renamed_from", t->at[17], NULL));
        json_array_append_new(fields, field("field_d", "opt<str>", renamed));
    }
    if (*t->at[18])
        json_array_append_new(fields, field("field_e", "mood", rules_of("sql_type", t->at[18], NULL)));
    if (*t->at[19]) {
        json_t *replaces =
            more ? json_pack("[{s:s, s:[s, s, s]}]", "rule", "replaces", "args", t->at[19], t->at[20], t->at[21])
                 : rules_of("column", t->at[19], NULL);
        json_array_append_new(fields, field(more ? "field_f" : "field_old", more ? "opt<str>" : "opt<i32>", replaces));
    }
    if (more && *t->at[22]) {
        json_array_append_new(rules, rule("foreign_key", t->at[1], t->at[22]));
        json_array_append_new(
            fields, field("field_g", "opt<i64>",
                          json_pack("[{s:s, s:[s, s, s]}, {s:s, s:[s, s]}]", "rule", "references", "args", t->at[23],
                                    t->at[1], "on delete cascade", "rule", "range", "args", "-5", "7")));
    }
}

static json_t *mood(void)
{
    return json_pack("[{ss, ss, ss, s[{ss, ss}, {ss, ss}]}]", "name", "mood", "kind", "enum", "type", "u8", "values",
                     "name", "MOOD_SAD", "value", "0", "name", "MOOD_OK", "value", "1");
}

static json_t *request(const struct texts *t, bool more)
{
    json_t *rules = json_array(), *fields = json_array(), *first = json_array(), *second = json_array();
    json_array_append_new(first, rule("column", t->at[1], NULL));
    json_array_append_new(first, rule("key", "", NULL));
    json_array_clear(json_object_get(json_array_get(first, 1), "args"));
    json_array_append_new(second, rule("column", t->at[2], NULL));
    if (*t->at[3])
        json_array_append_new(second, rule("default", t->at[3], NULL));
    if (*t->at[4])
        json_array_append_new(second, rule("check", t->at[4], NULL));
    json_array_append_new(
        fields, json_pack("{s:s, s:s, s:s, s:o}", "name", "field_a", "type", "i64", "doc", t->at[5], "rules", first));
    json_array_append_new(
        fields, json_pack("{s:s, s:s, s:s, s:o}", "name", "field_b", "type", "str", "doc", t->at[6], "rules", second));
    if (*t->at[7])
        json_array_append_new(rules, rule("schema", t->at[7], NULL));
    if (more) {
        json_t *third = json_array();
        json_array_append_new(third, rule("backfill", t->at[8], NULL));
        json_array_append_new(fields, json_pack("{s:s, s:s, s:o}", "name", "field_c", "type", "i32", "rules", third));
        if (*t->at[9])
            json_array_append_new(rules, rule("index", t->at[9], t->at[10]));
        if (*t->at[11])
            json_array_append_new(rules, rule("check", t->at[11], NULL));
        if (*t->at[12])
            json_array_append_new(rules, rule("step", t->at[12], t->at[13]));
        if (*t->at[14])
            json_array_append_new(rules, rule("dropped", t->at[14], NULL));
    }
    add_fields(t, more, fields, rules);
    return json_pack("{s:{s:s, s:[s]}, s:{s:s, s:{s:s, s:o}, s:o, s:o}}", "annotation", "verb", "table", "args",
                     t->at[0], "declaration", "name", "user", "type", "doc", t->at[15], "fields", fields, "types",
                     mood(), "rules", rules);
}

/* The statement that a text begins with, in the parser's terms. */
static const char *kind_of(const char *sql)
{
    static const char *const kinds[][2] = {{"CREATE TABLE", "CreateStmt"},    {"CREATE TYPE", "CreateEnumStmt"},
                                           {"ALTER TYPE", "AlterEnumStmt"},   {"CREATE FUNCTION", "CreateFunctionStmt"},
                                           {"DROP FUNCTION", "DropStmt"},     {"CREATE TRIGGER", "CreateTrigStmt"},
                                           {"DROP TRIGGER", "DropStmt"},      {"CREATE INDEX", "IndexStmt"},
                                           {"CREATE UNIQUE", "IndexStmt"},    {"CREATE SCHEMA", "CreateSchemaStmt"},
                                           {"ALTER TABLE", "AlterTableStmt"}, {"COMMENT ON", "CommentStmt"},
                                           {"INSERT INTO", "InsertStmt"},     {"DELETE FROM", "DeleteStmt"},
                                           {"UPDATE ", "UpdateStmt"},         {"DROP INDEX", "DropStmt"},
                                           {"SELECT ", "SelectStmt"}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strncmp(sql, kinds[i][0], strlen(kinds[i][0])) == 0)
            return kinds[i][1];
    return NULL;
}

/* One statement of the kind; NULL = the author's part of it is wrong SQL, which only `may_fail` allows. */
static json_t *parse(const char *sql, const char *kind, bool may_fail)
{
    PgQueryParseResult r = pg_query_parse(sql);
    json_t *tree = r.error ? NULL : json_loads(r.parse_tree, 0, NULL), *statements = json_object_get(tree, "stmts");
    if (r.error && !may_fail)
        fprintf(stderr, "%s\n%s\n", r.error->message, sql);
    EXPECT(!r.error || may_fail);
    pg_query_free_parse_result(r);
    if (!tree)
        return NULL;
    json_t *statement = json_object_get(json_array_get(statements, 0), "stmt");
    bool renames = kind && strcmp(kind, "AlterTableStmt") == 0 && json_object_get(statement, "RenameStmt");
    if (json_array_size(statements) != 1 || (kind && !renames && !json_object_get(statement, kind)))
        fprintf(stderr, "not one %s: %s\n", kind ? kind : "statement", sql);
    EXPECT(json_array_size(statements) == 1);
    EXPECT(!kind || renames || json_object_get(statement, kind));
    json_t *body = kind ? json_incref(json_object_get(statement, kind)) : NULL;
    json_decref(tree);
    return body;
}

static const char *member(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

/* The table has its name, and its columns theirs. */
static void check_names(const json_t *body, const struct pg_table *table)
{
    const json_t *relation = json_object_get(body, "relation"), *elements = json_object_get(body, "tableElts");

    EXPECT(strcmp(member(relation, "relname"), table->name) == 0);
    EXPECT(strcmp(member(relation, "schemaname"), table->schema) == 0);
    for (uint32_t i = 0; i < table->ncolumns; i++)
        EXPECT(strcmp(member(json_object_get(json_array_get(elements, i), "ColumnDef"), "colname"),
                      table->columns[i].name) == 0);
}

static void check_plan(const struct pg_plan *p, const struct pg_declared *d)
{
    for (uint32_t i = 0; i < p->nsteps; i++) {
        const struct pg_step *step = &p->steps[i];
        for (uint32_t k = 0; k < step->nsql; k++) {
            const char *sql = step->sql[k];
            bool own = strncmp(sql, "INSERT INTO cell.", 17) == 0 || strncmp(sql, "DELETE FROM cell.", 17) == 0 ||
                       strncmp(sql, "COMMENT ON", 10) == 0;
            bool hand = step->kind == PG_STEP_HAND_STEP && !own;
            EXPECT(hand || kind_of(sql));
            json_t *body = parse(sql, hand ? NULL : kind_of(sql), !own);
            if (body && step->kind == PG_STEP_CREATE_TABLE && k == 0)
                check_names(body, &d->table);
            if (body && strncmp(sql, "COMMENT ON TABLE", 16) == 0)
                EXPECT(strcmp(member(body, "comment"), d->table.comment) == 0);
            json_decref(body);
        }
        for (uint32_t k = 0; k < step->nrepair; k++)
            json_decref(parse(step->repair[k], kind_of(step->repair[k]), false));
        if (step->done)
            json_decref(parse(step->done, "SelectStmt", false));
        if (step->broken)
            json_decref(parse(step->broken, "SelectStmt", false));
        if (step->culprits)
            json_decref(parse(step->culprits, "SelectStmt", true));
    }
}

static struct pg_declared *declare(const struct texts *t, const struct pg_model *catalog, bool more)
{
    struct pg_declared *d = NULL;
    char why[256];
    json_t *r = request(t, more);
    if (r && pg_declare(r, catalog, &d, why) < 0)
        d = NULL;
    json_decref(r);
    return d;
}

static void check_tables(const struct texts *t)
{
    struct pg_model *m = pg_model_new();
    m->default_schema = "public";
    struct pg_declared *before = declare(t, m, false), *after = declare(t, m, true);
    struct pg_plan *p = NULL;
    if (before && !pg_has_errors(&before->diagnostics, UINT32_MAX) &&
        pg_diff(m, (const struct pg_declared *[]){before}, 1, NULL, &p) == 0) {
        check_plan(p, before);
        pg_plan_free(p);
        m->tables = &before->table; /* as if it had been carried out */
        m->ntables = 1;
        struct pg_text stand_in = {.arena = &m->arena};
        pg_sql_stand_in(&stand_in, &before->table);
        json_t *body = parse(stand_in.data, "CreateStmt", true);
        if (body)
            check_names(body, &before->table);
        json_decref(body);
    }
    if (after && !pg_has_errors(&after->diagnostics, UINT32_MAX) &&
        pg_diff(m, (const struct pg_declared *[]){after}, 1, NULL, &p) == 0) {
        check_plan(p, after);
        pg_plan_free(p);
    }
    m->ntables = 0;
    pg_declared_free(before);
    pg_declared_free(after);
    pg_model_free(m);
}

/* A literal is one constant of that value; a name is one name. */
static void check_quoting(const char *text)
{
    struct pg_arena arena = {0};
    struct pg_text t = {.arena = &arena};
    pg_puts(&t, "SELECT ");
    pg_sql_literal(&t, text);
    json_t *body = parse(t.data, "SelectStmt", false);
    EXPECT(json_array_size(json_object_get(body, "targetList")) == 1);
    json_decref(body);
    pg_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct texts t;
    if (size > 4096)
        return 0;
    split(data, size, &t);
    check_tables(&t);
    for (int i = 0; i < TEXTS; i++) {
        check_quoting(t.at[i]);
        free(t.at[i]);
    }
    return 0;
}
