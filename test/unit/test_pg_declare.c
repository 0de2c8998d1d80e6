/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Declarations: what a struct says, and every mistake in it at its place. */
// LIBS: cell_postgres_sanitized
#include <cell/errors.h>

#include "pg_build.h"
#include "postgres/sql.h"

#define LONG "a23456789_123456789_123456789_123456789_123456789_123456789_1234"

/* The verb, fields, rules; the field that the error is at ("" = the annotation), and a part of its text. */
struct mistake {
    const char *fields, *rules, *field, *text;
};

static void check_mistakes(const char *verb, const struct mistake *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct pg_declared *d = pg_build(NULL, verb, "users", rows[i].fields, rows[i].rules);
        const struct pg_diagnostic *e = pg_find_diagnostic(&d->diagnostics, PG_ERROR, rows[i].text);
        if (!e || strcmp(e->field ? e->field : "", rows[i].field) != 0) {
            printf("%s\n%s\nnot said at '%s': %s\n", rows[i].fields, rows[i].rules, rows[i].field, rows[i].text);
            pg_print_diagnostics(&d->diagnostics);
            test_failures++;
        }
        pg_declared_free(d);
    }
}

TEST(mistakes_on_fields_are_said_at_the_field)
{
    static const struct mistake rows[] = {
        {"", "", "", "the struct has no field"},
        {"id i64 | kee", "", "id", "unknown rule 'kee'; did you mean 'key'?"},
        {"id i64 | key | key", "", "id", "rule 'key' stands twice"},
        {"id i64 | range 1", "", "id", "CELL_RANGE takes 2 arguments, not 1"},
        {"id i64 | default", "", "id", "CELL_DEFAULT takes 1 argument, not 0"},
        {"a i64 | column x\nb i64 | column x", "", "b", "fields 'a' and 'b' are both column 'x'"},
        {"a i64 | column a", "", "a", "has no effect: the field has this name"},
        {"a i64 | column " LONG, "", "a", "at most 63 bytes, '" LONG "' has 64"},
        {"xmin i64", "", "xmin", "every table has a column 'xmin' of its own"},
        {"a thing", "", "a", "'thing' is no type"},
        {"a i64 | sql_type bigintt", "", "a", "did you mean 'bigint'?"},
        {"a i64 | sql_type text", "", "a", "cannot hold every value of type text: str can"},
        {"a i64 | auto | default 1", "", "a", "CELL_DEFAULT contradicts it"},
        {"a i64 | renamed_from b\nb i64 | renamed_from a", "", "a",
         "CELL_RENAMED_FROM(b) and CELL_RENAMED_FROM(a) on 'b' give columns each other's names"},
        {"d i64 | renamed_from a\na i64 | renamed_from c\nb i64 | renamed_from a\nc i64 | renamed_from b", "", "a",
         "CELL_RENAMED_FROM(c) and CELL_RENAMED_FROM(a) on 'b' give columns each other's names"},
        {"a i64 | auto | generated 1", "", "a", "CELL_AUTO contradicts it"},
        {"a i64 | default 2 | generated 1", "", "a", "CELL_DEFAULT contradicts it"},
        {"a i64 | backfill 2 | generated 1", "", "a", "CELL_BACKFILL has no effect"},
        {"a i64 | unique | index", "", "a", "CELL_INDEXED has no effect"},
        {"a i64 | key | unique", "", "a", "CELL_UNIQUE has no effect: a key is unique"},
        {"a i64 | key | index", "", "a", "CELL_INDEXED has no effect: a key has an index"},
        {"a opt<i64> | key", "", "a", "cannot be optional"},
        {"a opt<i64> | auto", "", "a", "cannot be optional"},
        {"a str | auto", "", "a", "not for text: use CELL_DEFAULT"},
        {"a str | default null", "", "a", "contradicts a field that is not optional"},
        {"a opt<str> | default NULL", "", "a", "has no effect"},
        {"a str | backfill NULL", "", "a", "contradicts a field that is not optional"},
        {"a str | default 'x", "", "a", "the SQL of CELL_DEFAULT is no expression: a string does not end"},
        {"a str | check a <> ''); --", "", "a", "the SQL of CELL_CHECK is no expression: a ')' has no '('"},
        {"a str | range 1;2", "", "a", "CELL_RANGE is for a number, not for text"},
        {"a i32 | range 2;1", "", "a", "allows nothing"},
        {"a i32 | range 0;x", "", "a", "CELL_RANGE takes two numbers"},
        {"a u8 | range 0;256", "", "a", "contradicts the type u8, which holds 0 to 255"},
        {"a u8 | range -1;5", "", "a", "contradicts the type u8"},
        {"a i64 | sql_type date | range 0;1", "", "a", "not for date: use CELL_CHECK"},
        {"a i32 | length 0;1", "", "a", "CELL_LENGTH is for texts, bytes and lists"},
        {"a u8[4] | length 0;1", "", "a", "contradicts a field of a fixed length"},
        {"a str | length 5;1", "", "a", "allows nothing"},
        {"a str | length -1;1", "", "a", "two numbers from 0 on"},
        {"a i32 | pattern a", "", "a", "CELL_PATTERN is for a text, not for integer: use CELL_CHECK"},
        {"a list<str> | pattern a", "", "a", "CELL_PATTERN is for a text, not for text[]: use CELL_CHECK"},
        {"a str | sql_type jsonb | pattern a", "", "a", "CELL_PATTERN is for a text, not for jsonb"},
        {"a str | pattern a{300}", "", "a",
         "the pattern cannot be a check of the table: PostgreSQL repeats at most 255"},
        {"a str | pattern ab[", "", "a", "the pattern cannot be a check of the table: a class without its ]"},
        {"a str | pattern ", "", "a", "the pattern cannot be a check of the table: an empty pattern"},
        {"a i64 | references teams;id;on drop", "", "a", "'on drop' is no action"},
        {"a i64 | references te ams;id", "", "a", "'te ams' is no name of a table"},
        {"a i64 | references teams;id;on delete set null", "", "a", "never NULL: make it optional"},
        {"a i64 | renamed_from a", "", "a", "has no effect: that is its name"}};
    check_mistakes("table", rows, sizeof(rows) / sizeof(rows[0]));
}

TEST(mistakes_in_rules_of_the_struct_are_said_there)
{
    static const struct mistake rows[] = {
        {"a i64", "indx a", "", "unknown rule 'indx'; did you mean 'index'?"},
        {"a i64", "index", "", "CELL_INDEX needs columns: it has none"},
        {"a i64", "index a,", "", "CELL_INDEX needs columns: a part between two commas is empty"},
        {"a str", "index a collate \"C\"", "", "an index with a collation of its own is made by hand"},
        {"a i64", "index lower(a", "", "a '(' has no ')'"},
        {"a i64", "index a;where", "", "the SQL of CELL_INDEX is no expression: it is empty"},
        {"a i64", "index a;where a > 1\\; drop table x", "", "it has a semicolon"},
        {"a i64", "index a;include a", "", "followed by columns in parentheses"},
        {"a i64", "unique_index a;;hash", "", "a unique index is a btree, not 'hash'"},
        {"a i64", "index a\nindex a", "", "has no effect: index 'users_a_idx' is the same"},
        {"a i64 | key", "primary_key a", "", "CELL_PRIMARY_KEY contradicts CELL_KEY"},
        {"a i64\nb i64", "primary_key a, a", "", "stands twice in this list"},
        {"a i64\nb i64", "primary_key a b", "", "'a b' is no name of a column"},
        {"a opt<i64>", "primary_key a", "", "field 'a' cannot be optional"},
        {"a i64\nb i64", "foreign_key a, b;teams(x)", "", "2 columns refer to 1"},
        {"a i64", "foreign_key a;teams(x", "", "a '(' has no ')'"},
        {"a i64", "foreign_key a;teams(x) on delete explode", "", "is no action"},
        {"a i64", "check a > 1, 2", "", "it is a list"},
        {"a i64", "check ", "", "CELL_TABLE_CHECK needs SQL"},
        {"a i64", "dropped a", "", "contradicts the field that is this column"},
        {"a i64", "dropped " LONG, "", "needs the name of a column"},
        {"a i64", "schema pg_x", "", "is not for tables of programs"},
        {"a i64", "schema cell", "", "is not for tables of programs"},
        {"a i64", "schema a\nschema b", "", "CELL_SCHEMA stands twice"},
        {"a i64", "table_renamed_from users", "", "has no effect: that is its name"},
        {"a i64", "table_renamed_from x\ntable_renamed_from y", "", "stands twice"},
        {"a i64", "step one;COMMIT", "", "step 'one' is refused: a step runs in a transaction"},
        {"a i64", "step one;SELECT 1\nstep one;SELECT 2", "", "two steps of the name 'one'"},
        {"a i64", "step ;SELECT 1", "", "a step needs a name"},
        {"a i64", "step one;", "", "it is empty"}};
    check_mistakes("table", rows, sizeof(rows) / sizeof(rows[0]));
}

TEST(structs_that_read_take_no_rules_of_owners)
{
    static const struct mistake rows[] = {{"a i64 | references b;id", "", "a", "CELL_REFERENCES has no effect here"},
                                          {"a i64 | key | unique", "", "a", "a key is unique"},
                                          {"a i64 | default 1", "", "a", "CELL_ROWS only reads"},
                                          {"a i64", "index a", "", "CELL_INDEX has no effect here"},
                                          {"a i64", "dropped b", "", "CELL_DROPPED has no effect here"}};
    check_mistakes("rows", rows, sizeof(rows) / sizeof(rows[0]));
    struct pg_declared *d = pg_build(NULL, "rows", "users", "a i32 | sql_type date | column b", "schema pg_catalog");
    CHECK(d->diagnostics.n == 0 && !d->owned);
    CHECK_STR(d->table.schema, "pg_catalog");
    pg_declared_free(d);
    d = pg_build(NULL, "rows", "users", "a i32 | key\nb i32 | unique\nc i32 | index hash", "");
    CHECK(d->diagnostics.n == 0 && d->table.primary && d->table.nuniques == 1 && d->table.nindexes == 1);
    pg_declared_free(d);
}

TEST(names_of_tables_are_checked)
{
    struct pg_declared *d = pg_build(NULL, "table", LONG, "a i64", "");
    CHECK(pg_find_diagnostic(&d->diagnostics, PG_ERROR, "at most 63 bytes"));
    pg_declared_free(d);
    d = pg_build(NULL, "table", "app.users", "a i64", "");
    CHECK(pg_find_diagnostic(&d->diagnostics, PG_ERROR, "\"users\" with CELL_SCHEMA(\"app\")"));
    pg_declared_free(d);
    d = pg_build(NULL, "table", "", "a i64", "");
    CHECK(pg_find_diagnostic(&d->diagnostics, PG_ERROR, "a table needs a name"));
    pg_declared_free(d);
    d = pg_build(NULL, "table", "Order \"1\"", "a i64 | column select", "");
    CHECK(d->diagnostics.n == 0);
    pg_declared_free(d);
}

TEST(errors_in_sql_have_their_place)
{
    struct pg_declared *d = pg_build(NULL, "table", "users", "a str | unique | check a <> 'b' \\; c", "");
    const struct pg_diagnostic *e = pg_find_diagnostic(&d->diagnostics, PG_ERROR, "semicolon");
    REQUIRE(e);
    CHECK(e->rule == 1 && e->argument == 0 && e->at == 9);
    json_t *json = pg_diagnostics_json(&d->diagnostics, UINT32_MAX), *first = json_array_get(json, 0);
    CHECK(json_array_size(json) == 1 && json_integer_value(json_object_get(first, "at")) == 9);
    CHECK_STR(json_string_value(json_object_get(first, "severity")), "error");
    CHECK_STR(json_string_value(json_object_get(first, "field")), "a");
    json_decref(json);
    pg_declared_free(d);
}

TEST(a_struct_becomes_a_table)
{
    struct pg_declared *d = pg_build(
        NULL, "table", "users",
        "id i64 | key | auto\nteam i64 | references app.teams;id;on delete cascade on update restrict\n"
        "email str | unique | length 3;200 | column mail | doc An address.\nage opt<i32> | range 0;150 | default 18\n"
        "uid u8[16] | sql_type uuid | auto\nseen i64 | sql_type timestamptz | auto | index brin\nraw list<u8> | length "
        "0;9",
        "index mail text_pattern_ops desc nulls last, (age + 1), lower(mail) nulls first;include (id) where age > "
        "3;btree\n"
        "unique_index team, age\nforeign_key team, age;other(x, \"Y\") deferrable initially deferred\n"
        "check age <> team\nstep fix;UPDATE users SET age = 1\\; SELECT 2\ndropped old\nretyped age\n"
        "table_renamed_from people");
    pg_print_diagnostics(&d->diagnostics);
    REQUIRE(d->diagnostics.n == 0);
    const struct pg_table *t = &d->table;
    CHECK(d->owned && t->ncolumns == 7 && d->nfields == 7 && t->nuniques == 1 && t->nindexes == 3 && t->nforeign == 2);
    CHECK_STR(t->primary->name, "users_pkey");
    CHECK(t->columns[0].identity == 'd' && !t->columns[0].nullable && d->fields[0].filled && d->fields[0].key);
    CHECK_STR(t->columns[2].name, "mail");
    CHECK_STR(t->columns[2].comment, "An address.");
    CHECK_STR(t->uniques[0].name, "users_mail_key");
    CHECK(t->columns[3].nullable && d->fields[3].filled && !d->fields[3].automatic);
    CHECK_STR(t->columns[4].standard.sql, "gen_random_uuid()");
    CHECK_STR(t->columns[5].standard.sql, "now()");
    CHECK_STR(t->indexes[0].method, "brin");
    const struct pg_index *x = &t->indexes[1];
    REQUIRE(x->n == 3);
    CHECK_STR(x->name, "users_mail_expr_expr_idx");
    CHECK_STR(x->parts[0].opclass, "text_pattern_ops");
    CHECK(x->parts[0].descending && !x->parts[0].nulls_first && x->parts[2].nulls_first && !x->parts[2].descending);
    CHECK_STR(x->parts[1].expr.sql, "(age + 1)");
    CHECK_STR(x->predicate.sql, "age > 3");
    CHECK(x->nincluded == 1 && t->indexes[2].unique);
    CHECK_STR(t->foreign[0].to_schema, "app");
    CHECK(t->foreign[0].on_delete == PG_CASCADE && t->foreign[0].on_update == PG_RESTRICT);
    CHECK_STR(t->foreign[1].to_columns[1], "Y");
    CHECK(t->foreign[1].deferrable && t->foreign[1].deferred);
    REQUIRE(t->nchecks == 4);
    CHECK_STR(t->checks[0].expr.sql, "char_length(\"mail\") BETWEEN 3 AND 200");
    CHECK_STR(t->checks[1].name, "users_age_range");
    CHECK_STR(t->checks[2].expr.sql, "octet_length(\"raw\") BETWEEN 0 AND 9");
    CHECK_STR(t->checks[3].name, "users_check");
    REQUIRE(d->nsteps == 1 && d->steps[0].n == 2 && d->nconsents == 2);
    CHECK_STR(d->steps[0].statements[1], "SELECT 2");
    CHECK_STR(d->renamed_from, "people");
    CHECK_STR(d->location, "a.c:1:1");
    pg_declared_free(d);
}

TEST(ranges_within_the_type_take_the_place_of_its_own)
{
    struct pg_declared *d = pg_build(NULL, "table", "t",
                                     "a i32 | range -5;5\nb u8 | range 0;255\nc u64 | range 0;18446744073709551615\n"
                                     "d f64 | range -0.5;1e3\ne i64 | range -9223372036854775808;-1\nf u8",
                                     "");
    pg_print_diagnostics(&d->diagnostics);
    REQUIRE(d->table.nchecks == 6);
    CHECK_STR(d->table.checks[0].expr.sql, "\"a\" BETWEEN -5 AND 5");
    CHECK_STR(d->table.checks[3].expr.sql, "\"d\" BETWEEN -0.5 AND 1e3");
    CHECK_STR(d->table.checks[5].expr.sql, "\"f\" BETWEEN 0 AND 255");
    pg_declared_free(d);
}

TEST(names_of_constraints_differ)
{
    struct pg_declared *d = pg_build(NULL, "table", "t", "a i32 | check a > 1 | check a > 2\na_b i32\nb i32",
                                     "index a, b\nindex a_b\ncheck a > 3");
    REQUIRE(d->table.nchecks == 3 && d->table.nindexes == 2);
    CHECK_STR(d->table.checks[0].name, "t_a_check");
    CHECK_STR(d->table.checks[1].name, "t_a_check2");
    CHECK_STR(d->table.indexes[0].name, "t_a_b_idx");
    CHECK_STR(d->table.indexes[1].name, "t_a_b_idx2");
    pg_declared_free(d);
}

TEST(what_is_no_request_is_refused)
{
    static const char *const bad[] = {
        "{}", "[]", "{\"annotation\":{\"verb\":\"table\",\"args\":[]}}",
        "{\"annotation\":{\"verb\":\"table\",\"args\":[1]},\"declaration\":{\"name\":\"a\"}}",
        "{\"annotation\":{\"verb\":\"table\",\"args\":[\"a\"]},\"declaration\":{\"name\":\"a\","
        "\"type\":\"x\"}}"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        json_t *request = json_loads(bad[i], 0, NULL);
        struct pg_declared *d = NULL;
        char why[256] = "";
        CHECK(pg_declare(request, NULL, &d, why) == CELL_INVALID_ARGUMENT && !d && why[0]);
        json_decref(request);
    }
    pg_declared_free(NULL);
}

TEST(texts_for_people_hold_nothing_that_a_document_may_not)
{
    struct pg_declared *d = pg_build(NULL, "table", "a\x01\x7f\xe2\x80\xae.b\xc2\x85", "x i64", "");
    REQUIRE(d->diagnostics.n == 1);
    for (const char *p = d->diagnostics.at[0].text; *p; p++)
        CHECK((unsigned char)*p >= 0x20 && *p != 0x7f);
    CHECK(!strstr(d->diagnostics.at[0].text, "\xe2\x80\xae") && !strstr(d->diagnostics.at[0].text, "\xc2\x85"));
    pg_declared_free(d);
}
