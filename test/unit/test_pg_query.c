/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_postgres_sanitized
#include "pg_query_fixture.h"

/* A query, its row and parameters. */
struct shape {
    const char *sql, *parameters, *row, *params;
};

static void check_shape(const struct shape *s)
{
    struct answer a = ask(s->sql, s->parameters);
    char row[1024], params[1024];

    members(json_object_get(at(&a, "types", 0), "fields"), row);
    members(json_object_get(at(&a, "methods", 0), "params"), params);
    if (strcmp(row, s->row) != 0 || strcmp(params, s->params) != 0)
        printf("%s\n  row: %s\n  params: %s\n  %s %s\n", s->sql, row, params, text(at(&a, "diagnostics", 0), "text"),
               a.failure.text);
    CHECK(a.status == CELL_OK);
    CHECK(strcmp(row, s->row) == 0);
    CHECK(strcmp(params, s->params) == 0);
    json_decref(a.document);
}

TEST(a_query_becomes_a_row_and_a_method_with_a_binding)
{
    if (!null_connection())
        return;
    struct answer a = ask("SELECT id, s, n FROM t WHERE id >= $1 ;  -- all of them\n", "min_id");
    json_t *row = at(&a, "types", 0), *method = at(&a, "methods", 0), *bound = binding(&a);

    CHECK(a.status == CELL_OK && json_array_size(json_object_get(a.document, "diagnostics")) == 0);
    CHECK_STR(text(row, "name"), "q_row");
    CHECK(json_integer_value(json_object_get(row, "size")) == 32 &&
          json_integer_value(json_object_get(row, "align")) == 8);
    json_t *fields = json_object_get(row, "fields");
    CHECK(json_integer_value(json_object_get(json_array_get(fields, 1), "offset")) == 8);
    CHECK(json_integer_value(json_object_get(json_array_get(fields, 2), "offset")) == 24);
    CHECK_STR(text(method, "name"), "q");
    CHECK(strstr(text(method, "doc"), "    SELECT id, s, n FROM t WHERE id >= $1") != NULL);
    CHECK(json_is_true(json_object_get(method, "idempotent")));
    CHECK(json_is_true(json_object_get(json_array_get(json_object_get(method, "params"), 1), "stream")));
    CHECK_STR(text(bound, "op"), "stream");
    CHECK_STR(text(bound, "sql"), "SELECT id, s, n FROM t WHERE id >= $1");
    char *in = json_dumps(json_object_get(bound, "in"), JSON_COMPACT);
    char *out = json_dumps(json_object_get(bound, "out"), JSON_COMPACT);
    CHECK_STR(in, "[{\"from\":\"min_id\",\"type\":\"integer\"}]");
    CHECK_STR(out,
              "[{\"to\":\"rows.id\",\"type\":\"integer\",\"null\":false},{\"to\":\"rows.s\",\"type\":\"text\",\"null\":"
              "false},{\"to\":\"rows.n\",\"type\":\"integer\",\"null\":true}]");
    free(in);
    free(out);
    CHECK(json_is_false(json_object_get(bound, "write")) && json_is_true(json_object_get(bound, "retry")));
    json_decref(bound);
    json_decref(a.document);
}

/* No value can be shown to the planner for such a parameter. */
TEST(a_parameter_may_be_of_a_domain_that_is_never_null)
{
    if (!null_connection())
        return;
    REQUIRE(
        pg_run(null_connection(),
               "CREATE DOMAIN given AS text NOT NULL; CREATE DOMAIN filled AS text CHECK (value IS NOT NULL); CREATE "
               "TABLE dm (id int PRIMARY KEY, g given, f filled)",
               NULL) >= 0);
    static const char *const statements[] = {"INSERT INTO dm (id, g, f) VALUES (1, $1, 'x')",
                                             "INSERT INTO dm (id, g, f) VALUES (1, 'x', $1)", "UPDATE dm SET g = $1",
                                             "SELECT id FROM dm WHERE g = $1::given"};
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        struct answer a = ask(statements[i], "value");
        CHECK_STR(a.failure.text, "");
        CHECK(a.status == CELL_OK && json_array_size(json_object_get(a.document, "methods")) == 1);
        json_decref(a.document);
    }
}

TEST(one_row_is_an_out_parameter_and_no_columns_are_a_number)
{
    struct pg_query_check check = {0};

    if (!null_connection())
        return;
    struct answer a = ask_with(&check, "SELECT s FROM t WHERE id = $1", "row", true);
    json_t *bound = binding(&a), *out = json_array_get(json_object_get(at(&a, "methods", 0), "params"), 1);
    CHECK_STR(text(bound, "op"), "row");
    CHECK_STR(text(out, "name"), "row_"); /* `row` is a parameter */
    CHECK_STR(text(out, "type"), "q_row");
    CHECK(json_is_true(json_object_get(out, "pointer")) && !json_object_get(out, "stream"));
    json_decref(bound);
    json_decref(a.document);

    a = ask("DELETE FROM x WHERE k = $1", "key");
    bound = binding(&a);
    CHECK_STR(text(bound, "op"), "exec");
    CHECK(json_array_size(json_object_get(a.document, "types")) == 0);
    CHECK(json_is_true(json_object_get(bound, "write")) && json_is_false(json_object_get(bound, "retry")));
    CHECK(!json_object_get(at(&a, "methods", 0), "idempotent"));
    json_decref(bound);
    json_decref(a.document);
}

/* clang-format off */
TEST(every_type_has_its_type_in_c)
{
    static const struct shape shapes[] = {
        {"SELECT true AS a, 1::int2 AS b, 1 AS c, 1::int8 AS d, 1::float4 AS e, 1::float8 AS f", "",
         "a bool, b i16, c i32, d i64, e f32, f f64", "rows q_row"},
        {"SELECT 'x' AS a, 'x'::varchar(5) AS b, 'x'::char(3) AS c, 1.5 AS d, '{}'::json AS e, '{}'::jsonb AS f, ''::bytea AS g", "",
         "a str, b str, c str, d str, e str, f str, g bytes", "rows q_row"},
        {"SELECT gen_random_uuid() AS a, current_date AS b, now() AS c, localtime AS d, 'x'::name AS e, 'sad'::mood AS f", "",
         "a u8[16], b i32, c i64, d i64, e str, f str", "rows q_row"},
        {"SELECT NULL::uuid AS a, NULL::int4 AS b, NULL::bytea AS c, NULL::mood AS d, NULL::bool AS e, NULL AS f", "",
         "a opt<str>, b opt<i32>, c opt<bytes>, d opt<str>, e opt<bool>, f opt<str>", "rows q_row"},
        {"SELECT ARRAY[1] AS a, ARRAY['x'] AS b, ARRAY[1.5] AS c, ARRAY['sad'::mood] AS d, a AS e FROM t", "",
         "a list<i32>, b list<str>, c list<str>, d list<str>, e list<i32>", "rows q_row"},
        {"SELECT id FROM t WHERE id = ANY ($1) AND s <> ALL ($2)", "ids, names", "id i32",
         "ids list<i32>, names list<str>, rows q_row"},
        {"SELECT id FROM t WHERE s = $1 AND at > $2 AND js @> $3 AND n = $4", "s, since, js, n?", "id i32",
         "s str, since i64, js str, n opt<i32>, rows q_row"},
        {"SELECT $1::uuid AS u, $2::uuid AS v, $3::mood AS m", "u, v?, m", "u u8[16], v opt<str>, m str",
         "u u8[16], v opt<str>, m str, rows q_row"},
        {"INSERT INTO u (id, v, w) VALUES ($1, $2, $3) RETURNING id, w", "id, v, w ?", "id i32, w opt<str>",
         "id i32, v i32, w opt<str>, rows q_row"},
        {"WITH gone AS (DELETE FROM x RETURNING k) SELECT count(*) AS n, max(k) AS top FROM gone", "", "n i64, top opt<i32>", "rows q_row"},
        {"MERGE INTO x USING t ON x.k = t.id AND t.id = $1 WHEN MATCHED THEN UPDATE SET s = $2", "id, s", "", "id i32, s str"},
        {"UPDATE t SET n = NULL WHERE id = $1", "id", "", "id i32"},
        {"SELECT count(*) AS \"n?\", max(id) AS \"m!\", d AS \"d!\", s AS \"s?\" FROM t GROUP BY s, d", "",
         "n opt<i64>, m i32, d str, s opt<str>", "rows q_row"},
        {"VALUES (1, 'a')", "", "column1 i32, column2 str", "rows q_row"},
    };
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]) && null_connection(); i++)
        if (null_is_known(shapes[i].sql))
            check_shape(&shapes[i]);
}
/* clang-format on */

TEST(a_parameter_of_a_type_without_one_in_c_goes_as_text)
{
    if (!null_connection())
        return;
    struct answer a = ask("SELECT id FROM t WHERE at > now() - $1::interval AND '$1' <> s", "age");
    json_t *bound = binding(&a);

    CHECK_STR(text(bound, "sql"), "SELECT id FROM t WHERE at > now() - ($1::text::interval)::interval AND '$1' <> s");
    CHECK_STR(text(json_array_get(json_object_get(bound, "in"), 0), "type"), "text");
    CHECK_STR(text(json_array_get(json_object_get(at(&a, "methods", 0), "params"), 0), "type"), "str");
    json_decref(bound);
    json_decref(a.document);
}

TEST(what_may_be_repeated_is_known)
{
    static const struct {
        const char *sql;
        bool repeatable;
    } cases[] = {
        {"SELECT id, lower(s) AS l FROM t", true},  {"SELECT gen_random_uuid() AS u, id FROM plain", true},
        {"SELECT nextval('counter') AS n", false},  {"SELECT id FROM t WHERE id = (SELECT nextval('counter'))", false},
        {"SELECT replaces(id) AS r FROM t", false}, /* a function of unsaid volatility */
        {"SELECT maybe(id) AS r FROM t", true},     {"SELECT id FROM t FOR UPDATE", false},
        {"SELECT n FROM counting", false},          {"SELECT id FROM t WHERE EXISTS (SELECT FROM counting)", false},
        {"INSERT INTO x VALUES (1, 'a')", false}};

    if (!null_connection() || !nullable_available())
        return;
    PQclear(PQexec(null_connection(), "CREATE SEQUENCE IF NOT EXISTS counter;"
                                      "CREATE OR REPLACE VIEW counting AS SELECT nextval('counter') AS n"));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct answer a = ask(cases[i].sql, "");
        if (json_is_true(json_object_get(at(&a, "methods", 0), "idempotent")) != cases[i].repeatable)
            printf("%s\n", cases[i].sql);
        CHECK(json_array_size(json_object_get(a.document, "methods")) == 1);
        CHECK(json_is_true(json_object_get(at(&a, "methods", 0), "idempotent")) == cases[i].repeatable);
        /* What changes something, and has rows, is read to its end. */
        bool rows = json_array_size(json_object_get(a.document, "types")) > 0;
        CHECK(json_is_true(json_object_get(at(&a, "methods", 0), "whole")) == (rows && !cases[i].repeatable));
        json_decref(a.document);
    }
}

TEST(without_a_parse_tree_the_plan_says_what_is_never_null)
{
    static char sql[8192];
    size_t n = (size_t)snprintf(sql, sizeof(sql),
                                "SELECT t.id AS a, u.v AS b, t.n AS c FROM t JOIN u ON u.t_id = t.id WHERE ");
    char row[1024];

    if (!null_connection())
        return;
    for (int i = 0; i < 700; i++) /* deeper than the tree is read */
        n += (size_t)snprintf(sql + n, sizeof(sql) - n, "NOT ");
    snprintf(sql + n, sizeof(sql) - n, "t.id > 0");
    struct answer a = ask(sql, "");
    CHECK_STR(members(json_object_get(at(&a, "types", 0), "fields"), row), "a i32, b i32, c opt<i32>");
    CHECK(!json_object_get(at(&a, "methods", 0), "idempotent")); /* not known */
    json_decref(a.document);
    char *join = strstr(sql, "JOIN");
    memmove(join + 5, join, strlen(join) + 1);
    memcpy(join, "LEFT ", 5);
    a = ask(sql, "");
    CHECK_STR(members(json_object_get(at(&a, "types", 0), "fields"), row), "a opt<i32>, b opt<i32>, c opt<i32>");
    json_decref(a.document);
}

TEST(a_scan_of_a_large_table_is_remarked_when_asked_for)
{
    struct pg_query_check check = {.scan_rows = 1000};

    if (!null_connection())
        return;
    PQclear(PQexec(null_connection(),
                   "CREATE TABLE IF NOT EXISTS large AS SELECT i, i % 7 AS j FROM generate_series(1, "
                   "5000) i; ANALYZE large; CREATE INDEX ON large (i)"));
    struct answer a = ask_with(&check, "SELECT i FROM large WHERE j = $1", "j", false);
    CHECK_STR(text(at(&a, "diagnostics", 0), "severity"), "remark");
    CHECK(strstr(text(at(&a, "diagnostics", 0), "text"), "table 'large' is read from end to end (about 5000 rows)") !=
          NULL);
    CHECK(json_integer_value(json_object_get(at(&a, "diagnostics", 0), "at")) == 14);
    CHECK(json_array_size(json_object_get(a.document, "methods")) == 1);
    json_decref(a.document);
    a = ask_with(&check, "SELECT i FROM large WHERE i = $1", "i", false);
    CHECK(json_array_size(json_object_get(a.document, "diagnostics")) == 0);
    json_decref(a.document);
    a = ask("SELECT i FROM large WHERE j = $1", "j");
    CHECK(json_array_size(json_object_get(a.document, "diagnostics")) == 0);
    json_decref(a.document);
}

TEST(documentation_holds_no_more_of_the_statement_than_it_may)
{
    if (!null_connection())
        return;
    struct answer a = ask("SELECT /* a */ 1\tAS x,\n '\xE2\x80\xAE' AS \"y\" -- \\\n", "");
    const char *doc = text(at(&a, "methods", 0), "doc");

    CHECK(strstr(doc, "    SELECT /* a * / 1 AS x,\n     '?' AS \"y\"") != NULL);
    json_decref(a.document);
}

TEST(verbs_and_requests)
{
    char list[4096];
    struct pg_query query;
    struct pg_failure f;

    snprintf(list, sizeof(list), "[%s]", pg_query_verbs);
    json_t *verbs = json_loads(list, 0, NULL);
    CHECK(json_array_size(verbs) == 4);
    json_decref(verbs);
    json_t *request =
        json_pack("{s:{s:s, s:[s, s, s]}}", "annotation", "verb", "query_one", "args", "adults", "SELECT 1", "a");
    CHECK(pg_query_from_request(request, &query, &f) == CELL_OK && query.one && strcmp(query.sql, "SELECT 1") == 0);
    json_object_set_new(json_object_get(request, "annotation"), "verb", json_string("table"));
    CHECK(pg_query_from_request(request, &query, &f) == CELL_NOT_FOUND);
    json_object_set_new(json_object_get(request, "annotation"), "verb", json_string("query"));
    CHECK(pg_query_from_request(request, &query, &f) == CELL_OK && !query.one);
    json_object_set_new(json_object_get(request, "annotation"), "verb", json_string("query_file"));
    CHECK(pg_query_from_request(request, &query, &f) == CELL_OK && !query.one);
    json_object_set_new(json_object_get(request, "annotation"), "verb", json_string("query_one_file"));
    CHECK(pg_query_from_request(request, &query, &f) == CELL_OK && query.one);
    json_array_clear(json_object_get(json_object_get(request, "annotation"), "args"));
    CHECK(pg_query_from_request(request, &query, &f) == CELL_INVALID_ARGUMENT);
    json_decref(request);
}
