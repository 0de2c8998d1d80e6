/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Structs within columns: their rules are checks of the column, or mistakes at the member. */
// LIBS: cell_postgres_sanitized
#include <cell/errors.h>

#include "pg_members.h"

struct check {
    const char *fields, *members, *inner, *name, *sql;
};

TEST(rules_of_members_are_checks_of_the_column)
{
    static const struct check rows[] = {
        {"a address", "zip i32 | range 1;9", "", "users_a_zip_range", "(\"a\" ->> 'zip')::numeric BETWEEN 1 AND 9"},
        {"a opt_address", "zip opt<i32> | range 1;9", "", "users_a_zip_range",
         "(\"a\" ->> 'zip')::numeric BETWEEN 1 AND 9"},
        {"a address | column A", "in place", "x f64 | range -0.5;1e3", "users_A_in_x_range",
         "(\"A\" -> 'in' ->> 'x')::numeric BETWEEN -0.5 AND 1e3"},
        {"a address", "s str | length 1;40", "", "users_a_s_length", "char_length(\"a\" ->> 's') BETWEEN 1 AND 40"},
        {"a address", "b bytes | length 1;40", "", "users_a_b_length",
         "octet_length(decode(\"a\" ->> 'b', 'base64')) BETWEEN 1 AND 40"},
        {"a address", "l list<i32> | length 1;4", "", "users_a_l_length",
         "jsonb_array_length(\"a\" -> 'l') BETWEEN 1 AND 4"},
        {"a address | sql_type json", "l places | length 1;4", "", "users_a_l_length",
         "json_array_length(\"a\" -> 'l') BETWEEN 1 AND 4"},
        {"a address", "s str | pattern a.", "", "users_a_s_pattern",
         "(\"a\" ->> 's') COLLATE \"C\" ~ E'^(?:a[^\\\\n])$'"},
        {"a addresses", "zip i32 | range 1;9", "", "users_a_zip_range",
         "NOT jsonb_path_exists(\"a\", 'strict $[*] ? (@.\"zip\".type() != \"number\" || @.\"zip\" < 1 || @.\"zip\" > "
         "9)', '{}', true)"},
        {"a addresses", "zip opt<i32> | range 1;9", "", "users_a_zip_range",
         "NOT jsonb_path_exists(\"a\", 'strict $[*] ? (@.\"zip\" != null && (@.\"zip\".type() != \"number\" || "
         "@.\"zip\" < 1 || @.\"zip\" > 9))', '{}', true)"},
        {"a address[2] | sql_type json", "in places", "l list<i32> | range 1;9", "users_a_in_l_range",
         "NOT jsonb_path_exists(\"a\"::jsonb, 'strict $[*] ? (exists (@.\"in\"[*] ? (exists (@.\"l\"[*] ? (@.type() != "
         "\"number\" || @ < 1 || @ > 9)))))', '{}', true)"},
        {"a address", "in places", "l list<i32> | length 1;9", "users_a_in_l_length",
         "NOT jsonb_path_exists(\"a\", 'strict $ ? (exists (@.\"in\"[*] ? (@.\"l\".type() != \"array\" || "
         "@.\"l\".size() < 1 || @.\"l\".size() > 9)))', '{}', true)"},
        {"a addresses", "s str | length 2;600", "", "users_a_s_length",
         "NOT jsonb_path_exists(\"a\", 'strict $[*] ? (@.\"s\".type() != \"string\" || !(@.\"s\" like_regex "
         "\"^(?:.{250}){0}.{2}\" flag \"s\") || @.\"s\" like_regex \"^(?:.{250}){2}.{100}.\" flag \"s\")', '{}', "
         "true)"},
        {"a addresses", "s str | pattern \\$\"", "", "users_a_s_pattern",
         "NOT jsonb_path_exists(\"a\", E'strict $[*] ? (@.\"s\".type() != \"string\" || !(@.\"s\" like_regex "
         "\"^(?:\\\\\\\\\\\\u0024\\\\\")\\\\u0024\" flag \"s\"))', '{}', true)"},
        {"a address", "lo i32\nhi i32 | check lo < hi AND t.lo <> 'lo' AND lo(hi) IS NOT NULL AND id > 0", "",
         "users_a_hi_check",
         "(\"a\" ->> 'lo')::integer < (\"a\" ->> 'hi')::integer AND t.lo <> 'lo' AND lo((\"a\" ->> 'hi')::integer) IS "
         "NOT NULL "
         "AND id > 0"},
        {"a address", "in place", "s str\nb bytes\nm mood | check s <> '' AND b <> '' AND \"m\" > 1::text::int",
         "users_a_in_m_check",
         "(\"a\" -> 'in' ->> 's') <> '' AND decode(\"a\" -> 'in' ->> 'b', 'base64') <> '' AND (\"a\" -> 'in' ->> "
         "'m')::smallint > 1::text::int"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pg_declared *d =
            pg_build_members(NULL, "table", rows[i].fields, rows[i].members, rows[i].inner, "", false);
        const struct pg_table *t = &d->table;
        pg_print_diagnostics(&d->diagnostics);
        CHECK(d->diagnostics.n == 0 && t->nchecks > 0);
        if (t->nchecks > 0) { /* behind the size of an array */
            CHECK_STR(t->checks[t->nchecks - 1].name, rows[i].name);
            CHECK_STR(t->checks[t->nchecks - 1].expr.sql, rows[i].sql);
            CHECK_STR(t->checks[t->nchecks - 1].column, t->columns[0].name);
        }
        pg_declared_free(d);
    }
}

struct mistake {
    const char *fields, *members, *inner, *field, *text;
};

TEST(what_is_for_columns_is_an_error_at_the_member)
{
    static const struct mistake rows[] = {
        {"a address", "x i32 | key", "", "a.x",
         "CELL_KEY is for columns, and 'a.x' is within one: make it a field of the table's own struct"},
        {"a address", "x i32 | auto", "", "a.x", "CELL_AUTO is for columns"},
        {"a address", "x i32 | unique", "", "a.x",
         "CELL_UNIQUE_INDEX(\"(a ->> 'x')\") before the name of the table's struct"},
        {"a address | column A", "in place", "x i32 | index", "a.in.x", "CELL_INDEX(\"(\\\"A\\\" -> 'in' ->> 'x')\")"},
        {"a addresses", "x i32 | unique", "", "a.x", "make 'a' a table of its own"},
        {"a addresses", "x i32 | index", "", "a.x", "CELL_INDEXED_BY(\"gin\") on 'a'"},
        {"a address", "x i32 | references t;id", "", "a.x", "CELL_REFERENCES is for columns"},
        {"a address", "x i32 | default 1", "", "a.x", "'a' as a whole can have it"},
        {"a address", "x i32 | column y", "", "a.x", "a member is stored under its own name"},
        {"a address", "x i32 | sql_type bigint", "", "a.x", "'a' as a whole has"},
        {"a address", "x i32 | generated 1", "", "a.x", "CELL_GENERATED is for columns"},
        {"a address", "x i32 | backfill 1", "", "a.x", "CELL_BACKFILL is for columns"},
        {"a address", "x i32 | replaces y", "", "a.x", "CELL_REPLACES is for columns"},
        {"a addresses", "x i32 | check x > 1", "", "a.x", "cannot look at each of a list"},
        {"a address", "x i32 | check (x", "", "a.x", "the SQL of CELL_CHECK is no expression"},
        {"a addresses", "x u64 | range 0;9223372036854775808", "", "a.x", "numbers beyond 9223372036854775807"},
        {"a addresses", "x str | length 0;1001", "", "a.x", "up to 1000 characters"},
        {"a addresses", "x bytes | length 0;9", "", "a.x", "the length of bytes cannot be checked in a list"},
        {"a address", "x i32 | length 0;9", "", "a.x", "CELL_LENGTH is for texts"},
        {"a address", "x str | pattern a{300}", "", "a.x", "the pattern cannot be a check of the table: PostgreSQL"},
        {"a address", "x i32 | pattern a", "", "a.x", "CELL_PATTERN is for a text"},
        {"a address", "x str | range 0;1", "", "a.x", "CELL_RANGE takes two numbers"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pg_declared *d =
            pg_build_members(NULL, "table", rows[i].fields, rows[i].members, rows[i].inner, "", false);
        const struct pg_diagnostic *e = pg_find_diagnostic(&d->diagnostics, PG_ERROR, rows[i].text);
        if (!e || strcmp(e->field ? e->field : "", rows[i].field) != 0) {
            printf("%s: not said at '%s': %s\n", rows[i].members, rows[i].field, rows[i].text);
            pg_print_diagnostics(&d->diagnostics);
            test_failures++;
        }
        pg_declared_free(d);
    }
}

TEST(rules_of_another_owner_are_left_to_it)
{
    struct pg_declared *d = pg_build_members(NULL, "rows", "a address", "x i32 | range 1;2 | unique", "", "", false);
    CHECK(d->diagnostics.n == 0 && d->table.nchecks == 0);
    pg_declared_free(d);
    d = pg_build_members(NULL, "table", "a address", "x i32 | key | range 1;2 | check x > 1 | column y", "", "", true);
    CHECK(d->diagnostics.n == 0 && d->table.nchecks == 1);
    pg_declared_free(d);
}

TEST(columns_have_a_bound_of_members)
{
    struct pg_declared *d = NULL;
    json_t *request = pg_build_request("table", "users", "a t19", ""), *types = json_array();
    for (int i = 0; i < 20; i++) { /* each is made of two of the one before */
        char name[16], before[16];
        snprintf(name, sizeof(name), "t%d", i);
        snprintf(before, sizeof(before), i ? "t%d" : "i32", i - 1);
        json_array_append_new(types, json_pack("{s:s, s:s, s:[{s:s, s:s}, {s:s, s:s}]}", "name", name, "kind", "struct",
                                               "fields", "name", "a", "type", before, "name", "b", "type", before));
    }
    json_object_set_new(json_object_get(request, "declaration"), "types", types);
    CHECK(pg_declare(request, NULL, &d, (char[256]){0}) == CELL_OK);
    CHECK(pg_find_diagnostic(&d->diagnostics, PG_ERROR, "at most 10000 members") && d->diagnostics.n == 1);
    pg_declared_free(d);
    json_decref(request);
}
