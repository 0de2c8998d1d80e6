/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* SQL text: names, literals, tokens, expressions of the author, and when two of them are the same. */
// LIBS: cell_postgres_sanitized
#include <cell/errors.h>

#include "postgres/sql.h"
#include "postgres/sql_parts.h"
#include "test.h"

static struct pg_arena arena;

static const char *name(const char *text)
{
    struct pg_text t = {.arena = &arena};
    pg_sql_name(&t, text);
    return t.data;
}

static const char *literal(const char *text)
{
    struct pg_text t = {.arena = &arena};
    pg_sql_literal(&t, text);
    return t.data;
}

TEST(names_and_literals_are_quoted)
{
    CHECK_STR(name("users"), "\"users\"");
    CHECK_STR(name("a\"; DROP TABLE b; --"), "\"a\"\"; DROP TABLE b; --\"");
    CHECK_STR(name("\"\""), "\"\"\"\"\"\"");
    CHECK_STR(literal("it's"), "'it''s'");
    CHECK_STR(literal("a\\'; x"), "E'a\\\\''; x'");
    CHECK_STR(literal(""), "''");
    CHECK_STR(literal(NULL), "NULL");
    pg_arena_free(&arena);
}

TEST(made_names_have_63_bytes_at_most_and_differ)
{
    char table[64], column[64];
    memset(table, 't', 63);
    memset(column, 'c', 63);
    table[63] = column[63] = '\0';
    CHECK_STR(pg_made_name(&arena, "users", "email", "key"), "users_email_key");
    CHECK_STR(pg_made_name(&arena, "users", NULL, "pkey"), "users_pkey");
    const char *a = pg_made_name(&arena, table, column, "key");
    column[62] = 'd';
    const char *b = pg_made_name(&arena, table, column, "key");
    CHECK(strlen(a) <= PG_NAME_MAX && strlen(b) <= PG_NAME_MAX && strcmp(a, b) != 0);
    CHECK_STR(a + strlen(a) - 4, "_key");
    memset(table, '\0', sizeof(table));
    for (int i = 0; i < 31; i++)
        memcpy(table + 2 * i, "\xc3\xa4", 2); /* not cut within a character */
    a = pg_made_name(&arena, table, "column", "check");
    CHECK(strlen(a) <= PG_NAME_MAX);
    size_t whole = strspn(a, "\xc3\xa4");
    CHECK(whole % 2 == 0);
    CHECK(pg_name_fits("x") && !pg_name_fits("") &&
          !pg_name_fits("0123456789012345678901234567890123456789012345678901234567890123"));
    pg_arena_free(&arena);
}

static int check(const char *sql, size_t *at)
{
    char why[128] = "";
    int r = pg_sql_check(sql, why, at);
    CHECK((r < 0) == (why[0] != '\0'));
    return r;
}

TEST(expressions_that_stay_within_their_parentheses_are_taken)
{
    static const char *const good[] = {"1",
                                       "a > 0 AND (b IN (1, 2) OR c[1] = 'x;)')",
                                       "E'it\\'s;' || $$;)$$ || $a$ $$ $a$",
                                       "\"a;b\" = U&'d\\0061t' || B'101' || x'1F'",
                                       "e'a'\n  'b\\'; c'",
                                       "e'a' -- c\n'\\' ; '", /* one string on two lines, in the way of the first */
                                       "a->>'b' = 'c' and a @> '{}'::jsonb",
                                       "1.5e10 + .5 - 1. + 0x1F",
                                       "a$b + \xc3\xa4",
                                       "-(- 1)",
                                       "now() at time zone 'utc'"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (check(good[i], NULL) < 0)
            printf("%s\n", good[i]);
        CHECK(check(good[i], NULL) == 0);
    }
}

TEST(expressions_that_could_leave_them_are_refused_where_they_do)
{
    static const struct {
        const char *sql;
        size_t at;
    } bad[] = {{"", 0},
               {"  ", 0},
               {"1); DROP TABLE a; --", 1},
               {"1; DROP TABLE a", 1},
               {"1 -- x", 2},
               {"1 /* x */", 2},
               {"1 /* x", 2},
               {"a > 'b", 4},
               {"a > E'b\\'", 4},
               {"e'a'\n'\\' || '; DROP TABLE a; --'", 13}, /* the backslash counts in the second part too */
               {"e'a' -- c\n'\\' || '; DROP TABLE a'", 18},
               {"\"a", 0},
               {"$$ a", 0},
               {"$a$ b $$", 0},
               {"$1", 0},
               {"a = $", 4},
               {"(a", 2},
               {"a[1", 3},
               {"(a]", 2},
               {"a, b", 1},
               {"1\\", 1},
               {"0x1$a$;$a$", 0}, /* a name to older servers, a number and a string to newer ones */
               {"1a", 0},
               {"a + \x01", 4}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        size_t at = 999;
        CHECK(check(bad[i].sql, &at) == CELL_INVALID_ARGUMENT);
        if (at != bad[i].at)
            printf("%s: %zu\n", bad[i].sql, at);
        CHECK(at == bad[i].at);
    }
    char deep[300];
    memset(deep, '(', sizeof(deep));
    deep[299] = '\0';
    CHECK(check(deep, NULL) == CELL_INVALID_ARGUMENT);
}

TEST(steps_are_taken_apart_and_may_not_end_transactions)
{
    const char **s;
    uint32_t n;
    char why[128];
    size_t at;
    REQUIRE(pg_sql_split(&arena,
                         " UPDATE a SET b = ';' ; -- no ; here\n DELETE FROM \"a;b\" /* ; */ WHERE $$;$$ = '' ;;", &s,
                         &n, why, &at) == 0);
    REQUIRE(n == 2);
    CHECK_STR(s[0], "UPDATE a SET b = ';'");
    CHECK_STR(s[1], "DELETE FROM \"a;b\"  WHERE $$;$$ = ''");
    static const char *const bad[] = {"",
                                      ";",
                                      "COMMIT",
                                      "SELECT 1; rollback; SELECT 2",
                                      "BEGIN",
                                      "END",
                                      "COPY a FROM STDIN",
                                      "VACUUM",
                                      "SELECT (1",
                                      "SELECT $1",
                                      "START TRANSACTION",
                                      "SET search_path TO a",
                                      "set session role b",
                                      "SELECT 'a",
                                      "SELECT 1)",
                                      "SELECT (1;)"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (pg_sql_split(&arena, bad[i], &s, &n, why, &at) != CELL_INVALID_ARGUMENT)
            printf("taken: %s\n", bad[i]);
        CHECK(pg_sql_split(&arena, bad[i], &s, &n, why, &at) == CELL_INVALID_ARGUMENT);
    }
    CHECK(pg_sql_split(&arena, "SET LOCAL search_path TO a; SET CONSTRAINTS ALL DEFERRED", &s, &n, why, &at) == 0);
    pg_sql_split(&arena, "SELECT 1; rollback", &s, &n, why, &at);
    CHECK(at == 10);
    pg_arena_free(&arena);
}

static bool same(const char *written, const char *there, bool printed)
{
    struct pg_expr x = {written, NULL, false}, y = {there, NULL, printed};
    bool same = pg_expr_equal(&x, &y);

    CHECK(pg_expr_equal(&y, &x) == same);
    return same;
}

TEST(what_postgresql_prints_is_what_was_written)
{
    static const char *const pairs[][2] = {
        {"a between 1 and 5", "((a >= 1) AND (a <= 5))"},
        {"s in ('a','b')", "(s = ANY (ARRAY['a'::text, 'b'::text]))"},
        {"s not in ('u', 'v')", "(s <> ALL (ARRAY['u'::text, 'v'::text]))"},
        {"char_length(s) <= 10", "(char_length(s) <= 10)"},
        {"lower(s) = s and a > 0 or a is null", "(((lower(s) = s) AND (a > 0)) OR (a IS NULL))"},
        {"s ~ '^a'", "(s ~ '^a'::text)"},
        {"a > -1", "(a > '-1'::integer)"},
        {"e between -128 and 127", "((e >= '-128'::integer) AND (e <= 127))"},
        {"s like 'a%' and s not like 'b'", "((s ~~ 'a%'::text) AND (s !~~ 'b'::text))"},
        {"d::varchar(5) = 'x'", "(((d)::character varying(5))::text = 'x'::text)"},
        {"not (a = 3)", "(NOT (a = 3))"},
        {"0 <= all(array[a])", "(0 <= ALL (ARRAY[a]))"},
        {"octet_length(d) = 16", "(octet_length(d) = 16)"},
        {"a::numeric between 0 and 18446744073709551615",
         "(((a)::numeric >= (0)::numeric) AND ((a)::numeric <= '18446744073709551615'::numeric))"},
        {"case when a > 1 then true else false end", "\nCASE\n    WHEN (a > 1) THEN true\n    ELSE false\nEND"},
        {"coalesce(s, '') <> ''", "(COALESCE(s, ''::text) <> ''::text)"},
        {"s != 'q'", "(s <> 'q'::text)"},
        {"d similar to 'a'", "(d ~ similar_to_escape('a'::text))"},
        {"extract(year from ts) > 2000", "(EXTRACT(year FROM ts) > (2000)::numeric)"},
        {"a % 2 = 0 and a + 1 * 2 > 3", "(((a % 2) = 0) AND ((a + (1 * 2)) > 3))"},
        {"position('a' in s) > 0", "(POSITION(('a'::text) IN (s)) > 0)"},
        {"substring(s from 1 for 2) = 'a'", "(SUBSTRING(s FROM 1 FOR 2) = 'a'::text)"},
        {"A = \"a\" AND \"B\" = 1", "((a = a) AND (\"B\" = 1))"},
        {"nextval('x_seq')", "nextval('x_seq'::regclass)"},
        {"cast('1 day' as interval)", "'1 day'::interval"},
        {"current_user = 'x'", "(CURRENT_USER = 'x'::name)"},
        {"a and b and c", "(a AND (b AND c))"},
        {"s is distinct from 'x'", "(s IS DISTINCT FROM 'x'::text)"},
        {"v in ('a)', 'b''c')",
         "((v)::text = ANY ((ARRAY['a)'::character varying, 'b''c'::character varying])::text[]))"},
        {"a::text || '(' = \"odd \"\" name)\"", "(((a)::text || '('::text) = (\"odd \"\" name)\")::text)"},
        {"5000000000 + a", "('5000000000'::bigint + a)"},
        {"b + 5.0 > a", "((b + (5.0)::double precision) > (a)::double precision)"},
        {"d > '2020-01-01'", "(d > '2020-01-01'::date)"}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (!same(pairs[i][0], pairs[i][1], true)) {
            printf("%s\n%s\n", pg_sql_normal(&arena, pairs[i][0]), pg_sql_normal(&arena, pairs[i][1]));
            test_failures++;
        }
    }
    pg_arena_free(&arena);
}

TEST(what_means_something_else_differs)
{
    static const char *const pairs[][2] = {{"a and (b or c)", "(a and b) or c"},
                                           {"(a + 1) * 2", "a + 1 * 2"},
                                           {"a > 1", "a >= 1"},
                                           {"a between 1 and 5", "a between 1 and 6"},
                                           {"not a and b", "not (a and b)"},
                                           {"\"A\" = 1", "a = 1"},
                                           {"'a'", "'A'"},
                                           {"a - (b - c)", "a - b - c"},
                                           {"f(a, b)", "f(b, a)"},
                                           {"lower(a)", "upper(a)"},
                                           {"1", "'x'"},
                                           {"a is null", "a is not null"},
                                           {"s in ('a')", "s not in ('a')"},
                                           {"a::int", "a::bigint"},
                                           {"hits::double precision / total", "(hits / total)"},
                                           {"hits::numeric / total < 1", "((hits / total) < 1)"},
                                           {"'5'::numeric / 2", "(5 / 2)"},
                                           {"5::numeric / 2", "(5 / 2)"},
                                           {"a::text = b", "((a)::character varying(3) = b)"},
                                           {"(a::text)::int", "(a)::integer"},
                                           {"f(a)", "(f(a))::integer"},
                                           {"select 1", "select 2"}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (same(pairs[i][0], pairs[i][1], true))
            printf("%s\n", pg_sql_normal(&arena, pairs[i][0]));
        CHECK(!same(pairs[i][0], pairs[i][1], true));
        CHECK(!same(pairs[i][0], pairs[i][1], false));
    }
    pg_arena_free(&arena);
}

TEST(a_cast_counts_where_it_is_known_who_wrote_it)
{
    struct pg_expr plain = {"hits / total", NULL, false}, with = {"hits::double precision / total", NULL, false},
                   of_plain = {"(hits / total)", "hits / total", true},
                   of_cast = {"((hits)::double precision / (total)::double precision)", with.sql, true};
    CHECK(pg_expr_equal(&plain, &of_plain) && pg_expr_equal(&with, &of_cast));
    CHECK(!pg_expr_equal(&with, &of_plain) && !pg_expr_equal(&plain, &of_cast));
    of_cast.source = NULL; /* now nobody knows */
    CHECK(pg_expr_equal(&with, &of_cast) && pg_expr_equal(&plain, &of_cast));
    CHECK(!pg_expr_equal(&plain, &with));
}

TEST(texts_that_nest_casts_without_end_are_compared_in_time)
{
    struct pg_text t = {.arena = &arena}, other = {.arena = &arena};
    for (int i = 0; i < 60; i++) {
        pg_puts(&t, "(");
        pg_puts(&other, "(");
    }
    pg_puts(&t, "a");
    pg_puts(&other, "b");
    for (int i = 0; i < 60; i++) {
        pg_puts(&t, ")::text");
        pg_puts(&other, ")::text");
    }
    CHECK(!same(t.data, other.data, true));
    CHECK(same(t.data, t.data, true));
    pg_arena_free(&arena);
}

TEST(a_recorded_text_counts_for_what_the_catalog_prints)
{
    struct pg_expr declared = {"my_rule(a)", NULL}, there = {"printed in a strange way", "my_rule( A )"};
    CHECK(pg_expr_equal(&declared, &there));
    there.source = "my_rule(b)";
    CHECK(!pg_expr_equal(&declared, &there));
    there.source = NULL;
    CHECK(!pg_expr_equal(&declared, &there));
    there.sql = "my_rule(a)"; /* what is declared may also be what the catalog prints */
    there.source = "older_rule(a)";
    CHECK(pg_expr_equal(&declared, &there));
}

TEST(a_rename_reaches_columns_and_nothing_else)
{
    CHECK_STR(pg_sql_renamed(&arena, "mail <> 'mail' AND MAIL > \"mail\" AND mail(x) = $$mail$$", "mail", "e\"m"),
              "\"e\"\"m\" <> 'mail' AND \"e\"\"m\" > \"e\"\"m\" AND mail(x) = $$mail$$");
    CHECK_STR(pg_sql_renamed(&arena, "mails = 1", "mail", "x"), "mails = 1");
    pg_arena_free(&arena);
}

TEST(a_stand_in_has_columns_and_keys_but_asks_nothing_of_others)
{
    struct pg_column columns[] = {{.name = "id", .type = {PG_BASE_INT8, NULL, NULL, -1, -1, false}, .identity = 'd'},
                                  {.name = "n", .type = {PG_BASE_TEXT, NULL, NULL, -1, -1, true}, .nullable = true}};
    const char *key[] = {"id"};
    struct pg_key primary = {"p", key, 1, true};
    struct pg_check checks[] = {{"c", {"n > 1", NULL}, true, true}};
    struct pg_table table = {.schema = "app",
                             .name = "users",
                             .columns = columns,
                             .ncolumns = 2,
                             .primary = &primary,
                             .checks = checks,
                             .nchecks = 1};
    struct pg_text t = {.arena = &arena};
    pg_sql_stand_in(&t, &table);
    CHECK_STR(t.data, "CREATE TABLE \"app\".\"users\" (\"id\" bigint DEFAULT (0) NOT NULL, \"n\" text[], CONSTRAINT "
                      "\"p\" PRIMARY KEY "
                      "(\"id\"))");
    pg_arena_free(&arena);
}

TEST(the_source_of_an_index_comes_back)
{
    struct pg_index_part parts[] = {{.expr = {"lower(a)", NULL}}, {.column = "b"}, {.expr = {"a + 1", NULL}}};
    struct pg_index x = {.parts = parts, .n = 3, .predicate = {"a > 0", NULL}};
    const char *source = pg_index_source(&arena, &x);
    pg_index_sources(&arena, source, &x);
    CHECK_STR(parts[0].expr.source, "lower(a)");
    CHECK(!parts[1].expr.source);
    CHECK_STR(parts[2].expr.source, "a + 1");
    CHECK_STR(x.predicate.source, "a > 0");
    parts[0].expr.source = NULL;
    pg_index_sources(&arena, "of another", &x);
    CHECK(!parts[0].expr.source);
    x.predicate = (struct pg_expr){NULL, NULL};
    pg_index_sources(&arena, source, &x);
    CHECK_STR(x.predicate.sql, "a > 0");
    CHECK(!parts[1].expr.sql);
    pg_arena_free(&arena);
}

TEST(an_arena_that_is_full_jumps_or_says_so)
{
    struct pg_arena small = {.limit = 100};
    struct pg_text t = {.arena = &small};
    jmp_buf escape;
    CHECK(pg_alloc(&small, 50) && !pg_alloc(&small, 51) && !pg_array(&small, SIZE_MAX / 2, 3));
    pg_puts(&t, "a text that needs more than is left of it, so that it fails, and stays failed");
    pg_puts(&t, "x");
    CHECK(t.failed);
    small.escape = &escape;
    if (setjmp(escape) == 0) {
        pg_printf(&small, "%060d", 1);
        CHECK(!"reached");
    }
    pg_arena_free(&small);
}

TEST(suggestions_are_near)
{
    const char *const names[] = {"email", "name", "created_at"};
    CHECK_STR(pg_suggest("emial", names, 3), "email");
    CHECK_STR(pg_suggest("NAMES", names, 3), "name");
    CHECK(!pg_suggest("phone", names, 3) && !pg_suggest("", names, 3) && !pg_suggest("email", names, 1));
}
