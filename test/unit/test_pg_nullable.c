/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_postgres_sanitized
#include "pg_null_fixture.h"

/* A statement, its columns ('!' never NULL, 'o' may be NULL) and, when it has parameters, the same of them. */
struct expectation {
    const char *sql, *columns, *parameters;
};

static void expect(const struct expectation *list, size_t n)
{
    PGconn *conn = null_connection();

    if (!conn || !nullable_available())
        return;
    for (size_t i = 0; i < n; i++) {
        struct null_statement statement;
        char columns[64];
        int rows;
        if (!null_is_known(list[i].sql))
            continue;
        null_columns_of(conn, list[i].sql, list[i].parameters, columns, &statement);
        if (strcmp(columns, list[i].columns) != 0)
            printf("%s\n  is %s, not %s\n", list[i].sql, columns, list[i].columns);
        CHECK(strcmp(columns, list[i].columns) == 0);
        CHECK(statement.understood);
        if (list[i].parameters && strchr(list[i].parameters, 'o'))
            continue;
        CHECK(null_claims_hold(conn, list[i].sql, columns, list[i].parameters, &rows));
        if (rows < 0)
            printf("%s\n  cannot be executed\n", list[i].sql);
        CHECK(rows >= 0);
    }
}
#define EXPECT(...)                                                                                                    \
    do {                                                                                                               \
        static const struct expectation list[] = {__VA_ARGS__};                                                        \
        expect(list, sizeof(list) / sizeof(list[0]));                                                                  \
    } while (0)

/* clang-format off */
TEST(columns_of_tables_are_what_their_constraints_say)
{
    EXPECT({"SELECT id, n, s, d FROM t", "!o!o"},
           {"SELECT * FROM u", "!o!o"},
           {"TABLE u", "!o!o"},
           {"SELECT t.*, 1 FROM t", "!o!o!!!!!!"},
           {"SELECT public.t.id FROM public.t", "o"},
           {"SELECT id, other FROM app.t", "o!"},
           {"SELECT * FROM parent", "!o!"},
           {"SELECT * FROM child", "!o!"},
           {"SELECT * FROM part", "!o"},
           {"SELECT id FROM stored", "o"},
           {"SELECT q.a, q.b FROM u AS q (a, b)", "!o"},
           {"SELECT oid, relname, relacl FROM pg_class", "!!o"},
           {"SELECT t FROM t", "o"});
}

TEST(outer_joins_make_one_side_null)
{
    EXPECT({"SELECT t.id, u.id, u.v FROM t JOIN u ON u.t_id = t.id", "!!!"},
           {"SELECT t.id, u.id, u.v FROM t LEFT JOIN u ON u.t_id = t.id", "!oo"},
           {"SELECT t.id, u.id, u.v FROM t RIGHT JOIN u ON u.t_id = t.id", "o!!"},
           {"SELECT t.id, u.id, u.v FROM t FULL JOIN u ON u.t_id = t.id", "ooo"},
           {"SELECT t.id, u.id FROM t CROSS JOIN u", "!!"},
           {"SELECT t.id, u.id, x.k FROM t LEFT JOIN u ON u.t_id = t.id LEFT JOIN x ON x.k = u.id", "!oo"},
           {"SELECT t.id, u.id, x.k FROM t LEFT JOIN (u JOIN x ON x.k = u.id) ON u.t_id = t.id", "!oo"},
           {"SELECT t.id, u.id, x.k FROM t JOIN u ON u.t_id = t.id LEFT JOIN x ON x.k = u.id", "!!o"},
           {"SELECT a.id, b.id FROM t a LEFT JOIN t b ON b.id = a.n", "!o"},
           {"SELECT * FROM u LEFT JOIN x ON x.k = u.id", "!o!ooo"},
           {"SELECT j.p, j.q FROM (u JOIN x ON x.k = u.id) AS j (p, q)", "!o"},
           {"SELECT j.p, j.t_id FROM t LEFT JOIN (u JOIN x ON x.k = u.id) AS j (p) ON j.p = t.id", "oo"},
           {"SELECT t.id, l.v FROM t, LATERAL (SELECT v FROM u WHERE u.t_id = t.id) l", "!!"},
           {"SELECT t.id, l.v, l.i FROM t LEFT JOIN LATERAL (SELECT v, t.id AS i FROM u WHERE u.t_id = t.id) l ON true", "!oo"},
           {"SELECT l.i FROM t CROSS JOIN LATERAL (SELECT t.id AS i) l", "!"});
}

TEST(using_and_natural_make_one_column_of_two)
{
    EXPECT({"SELECT * FROM t JOIN u USING (id)", "!o!o!!!!!o!o"},
           {"SELECT id, t.id, u.id FROM t LEFT JOIN u USING (id)", "!!o"},
           {"SELECT id, t.id, u.id FROM t RIGHT JOIN u USING (id)", "!o!"},
           {"SELECT id, t.id, u.id FROM t FULL JOIN u USING (id)", "!oo"},
           {"SELECT k, e FROM x LEFT JOIN empty USING (k)", "!o"},
           {"SELECT id, v FROM t NATURAL JOIN u", "!!"},
           {"SELECT id, v FROM t NATURAL LEFT JOIN u", "!o"},
           {"SELECT s FROM t JOIN x USING (s)", "!"},
           {"SELECT j.id, v FROM t LEFT JOIN u USING (id) AS j", "oo"},
           {"SELECT id FROM t FULL JOIN u USING (id) FULL JOIN (SELECT k AS id FROM x) y USING (id)", "!"});
}

TEST(conditions_that_hold_leave_no_null)
{
    EXPECT({"SELECT n FROM t WHERE n > 0", "!"},
           {"SELECT n, d FROM t WHERE n IS NOT NULL AND d IS NULL", "!o"},
           {"SELECT n FROM t WHERE NOT (n IS NULL)", "!"},
           {"SELECT n FROM t WHERE NOT n = 5", "!"},
           {"SELECT n FROM t WHERE n > 0 OR s = 'b'", "o"},
           {"SELECT n FROM t WHERE NOT (n > 0 OR s = 'zz')", "!"},
           {"SELECT n FROM t WHERE n IN (1, 2)", "!"},
           {"SELECT n FROM t WHERE n NOT IN (5, 6)", "!"},
           {"SELECT n FROM t WHERE n = ANY ($1::int[])", "!", "o"},
           {"SELECT n FROM t WHERE n <> ALL ('{}'::int[])", "o"},
           {"SELECT n FROM t WHERE n IN (SELECT v / 10 FROM u)", "!"},
           {"SELECT n FROM t WHERE n NOT IN (SELECT k FROM empty)", "o"},
           {"SELECT n FROM t WHERE n BETWEEN 0 AND 9", "!"},
           {"SELECT n FROM t WHERE n NOT BETWEEN 5 AND NULL::int", "!"},
           {"SELECT d FROM t WHERE d LIKE 'B%'", "!"},
           {"SELECT d FROM t WHERE length(d) = 1", "!"},
           {"SELECT n FROM t WHERE replaces(n) = 5", "o"},
           {"SELECT n FROM t WHERE maybe(n) = 3", "!"},
           {"SELECT n FROM t WHERE n IS NOT DISTINCT FROM NULL", "o"},
           {"SELECT n FROM t WHERE (n > 0) IS TRUE", "!"},
           {"SELECT n FROM t WHERE (n > 0) IS NOT TRUE", "o"},
           {"SELECT n FROM t WHERE (n = 1) IS NOT UNKNOWN", "!"},
           {"SELECT n FROM t WHERE coalesce(n, 1) = 1", "o"},
           {"SELECT n FROM t WHERE (n, id) = (1, 1)", "o"},
           {"SELECT n FROM t WHERE n::text = '3'", "!"},
           {"SELECT t.id, u.v FROM t LEFT JOIN u ON u.t_id = t.id WHERE u.v > 0", "!!"},
           {"SELECT t.id, u.id, u.v FROM t LEFT JOIN u ON u.t_id = t.id WHERE u.w = 'w'", "!!!"},
           {"SELECT t.id, u.id FROM t LEFT JOIN u ON u.t_id = t.id WHERE u.id IS NULL", "!o"},
           {"SELECT t.id, u.id FROM t FULL JOIN u ON u.t_id = t.id WHERE t.n = 1", "!o"},
           {"SELECT t.id, u.id FROM t FULL JOIN u ON u.t_id = t.id WHERE t.n = 1 AND u.v = 10", "!!"},
           {"SELECT u.id, x.k FROM t LEFT JOIN u ON u.t_id = t.id JOIN x ON x.k = u.id", "!!"},
           {"SELECT t.n FROM u LEFT JOIN t ON t.n = u.id", "o"},
           {"SELECT (SELECT max(t.n)) FROM u JOIN t ON t.n = u.id GROUP BY u.id", "o"},
           {"SELECT n FROM t WHERE EXISTS (SELECT FROM u WHERE u.id = t.n)", "o"});
}

TEST(values_of_expressions)
{
    EXPECT({"SELECT 1, 'a', NULL, true, 1.5", "!!o!!"},
           {"SELECT id + 1, n + 1, -id, id || s FROM t", "!o!!"},
           {"SELECT coalesce(n, 0), coalesce(n, NULL), coalesce(d, s) FROM t", "!o!"},
           {"SELECT nullif(id, 1), greatest(n, id), least(n, NULL) FROM t", "o!o"},
           {"SELECT CASE WHEN n = 1 THEN 1 ELSE 2 END, CASE WHEN n = 1 THEN 1 END, CASE n WHEN 1 THEN d ELSE s END FROM t", "!oo"},
           {"SELECT id = 1 AND s = 'a', id = 1 OR n = 1, NOT (id = 1), n IS NULL, n IS DISTINCT FROM 1 FROM t", "!o!!!"},
           {"SELECT id IN (1, 2), id IN (1, NULL), id BETWEEN 1 AND 2, s LIKE 'a', id = ANY (a) FROM t", "!o!!o"},
           {"SELECT id::text, id::int8, n::text, '5'::int, CAST(s AS varchar) FROM t", "!!o!!"},
           {"SELECT js ->> 'k', js -> 'k', js || '{}', (js ->> 'k')::int FROM t", "oo!o"},
           {"SELECT lower(s), lower(r), upper(r), length(s), md5(s), lower(s || 'x') FROM t", "!oo!!!"},
           {"SELECT extract(day FROM at), date_trunc('day', at), to_char(at, 'YYYY'), now() FROM t", "o!o!"},
           {"SELECT array_length(a, 1), cardinality(a), a[1], ARRAY[n], ARRAY(SELECT n FROM t) FROM t", "o!o!!"},
           {"SELECT maybe(id), replaces(n), p + p FROM t", "ooo"},
           {"SELECT ARRAY['sad']::mood[], ARRAY[NULL]::mood[], id::text::mood FROM t WHERE false", "!!o"},
           {"SELECT concat(d), concat_ws(',', d), concat_ws(d, s), format('%s', d) FROM t", "!!o!"},
           {"SELECT substring(s FROM 'x(.)'), substr(s, 1), trim(s), position('a' IN s) FROM t", "o!!!"},
           {"SELECT current_user, current_date, current_schema, current_timestamp", "!!o!"},
           {"SELECT gen_random_uuid(), random(), mood::text, mood = 'sad', (pair).l, pair FROM m", "!!!!o!"},
           {"SELECT jsonb_build_object('a', n), to_jsonb(n), to_jsonb(id), row_to_json(t) FROM t", "!o!o"},
           {"SELECT s COLLATE \"C\", (id), (SELECT 1), (SELECT n), (SELECT id) FROM t", "!!!o!"},
           {"SELECT ROW(id), (id, n) = (1, 1), at AT TIME ZONE 'UTC' FROM t", "!o!"});
}

TEST(operators_of_json)
{
    EXPECT({"SELECT js ? 'a', js ?| ARRAY['a'], js ?& ARRAY['a', 'b'], js @> '{}', '{}' <@ js, js @> js FROM t", "!!!!!!"},
           {"SELECT js ? d, js ?| NULL, NULL::jsonb ? 'a', js @> NULL FROM t", "oooo"},
           {"SELECT js @? '$.a', js @@ '$.a', js -> 'a', js ->> 'a', js #> '{a}' FROM t", "ooooo"},
           {"SELECT js ? $1::text, js @> $2::jsonb FROM t", "!o", "!o"},
           {"SELECT js ? 'a' AND js <@ '{}', NOT js ? 'b' FROM t WHERE js ? 'a'", "!!"},
           {"SELECT id FROM t WHERE to_jsonb(n) ? 'a'", "!"},
           {"SELECT n FROM t WHERE to_jsonb(n) @> '1'", "!"});
}

TEST(parameters_are_values_unless_they_are_optional)
{
    EXPECT({"SELECT $1::int, $1::int + 1 FROM t WHERE id = $1", "!!", "!"},
           {"SELECT $1::int, $2::int, coalesce($2, $1) FROM t", "!o!", "!o"},
           {"SELECT n FROM t WHERE n = $1", "!", "o"},
           {"SELECT $1::mood, $2::text", "!o", "!o"});
}

TEST(queries_as_values_have_a_row_or_are_null)
{
    EXPECT({"SELECT (SELECT count(*) FROM u WHERE u.t_id = t.id) FROM t", "!"},
           {"SELECT (SELECT max(v) FROM u), (SELECT v FROM u LIMIT 1), (SELECT 1 WHERE false) FROM t", "ooo"},
           {"SELECT EXISTS (SELECT FROM u), 1 IN (SELECT v FROM u), 1 IN (SELECT t_id FROM u)", "!oo"},
           {"SELECT (SELECT coalesce(sum(v), 0) FROM u), (SELECT count(*) FROM u LIMIT 0), (SELECT count(*) FROM u HAVING false)", "!oo"},
           {"SELECT (SELECT count(*) FROM u GROUP BY v LIMIT 1)", "o"},
           {"SELECT (SELECT count(t.id) FROM empty) FROM t", "o"},
           {"SELECT (SELECT count(*) FILTER (WHERE t.id > 0) FROM empty) FROM t", "o"},
           {"SELECT (SELECT generate_series(1, 0)), (SELECT 1 UNION SELECT 1)", "oo"},
           {"SELECT (SELECT max(t.n) FROM u WHERE u.id = 1 GROUP BY u.id) FROM t GROUP BY t.id", "o"});
}

TEST(aggregates_of_no_rows_are_null_but_count)
{
    EXPECT({"SELECT count(*), count(n), sum(id), max(id), array_agg(id) FROM t", "!!ooo"},
           {"SELECT s, count(*), sum(id), sum(n), max(s), array_agg(n), string_agg(s, ',') FROM t GROUP BY s", "!!!o!!!"},
           {"SELECT id, sum(id) FILTER (WHERE n > 0), count(*) FILTER (WHERE false) FROM t GROUP BY id", "!o!"},
           {"SELECT coalesce(sum(n), 0), coalesce(max(d), '') FROM t", "!!"},
           {"SELECT stddev(id), var_samp(id), bool_and(id > 0) FROM t GROUP BY s", "oo!"},
           {"SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY id) FROM t GROUP BY s", "o"},
           {"SELECT s, count(*) FROM t GROUP BY ROLLUP (s)", "o!"},
           {"SELECT s, id, grouping(s), sum(id) FROM t GROUP BY GROUPING SETS ((s), (id), ())", "oo!o"},
           {"SELECT coalesce(s, 'x'), count(*) FROM t GROUP BY CUBE (coalesce(s, 'x'))", "o!"},
           {"SELECT 1, id + 1, coalesce(sum(id), 0) FROM t GROUP BY ROLLUP (1, id + 1)", "oo!"},
           {"SELECT id, count(*) OVER (), sum(id) OVER (ORDER BY id), row_number() OVER (), lag(id) OVER (ORDER BY id) FROM t", "!!!!o"},
           {"SELECT sum(id) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING), sum(id) OVER w, rank() OVER w FROM t WINDOW w AS (ORDER BY id)", "oo!"},
           {"SELECT first_value(id) OVER (ORDER BY id), first_value(n) OVER (ORDER BY id), nth_value(id, 3) OVER (ORDER BY id) FROM t", "!oo"});
}

TEST(subqueries_ctes_values_and_set_operations)
{
    EXPECT({"SELECT a, b FROM (SELECT id AS a, n AS b FROM t) q", "!o"},
           {"SELECT * FROM (SELECT id, n FROM t) q (x, y)", "!o"},
           {"SELECT q.id, q.s FROM u LEFT JOIN (SELECT id, s FROM t) q ON q.id = u.t_id", "oo"},
           {"SELECT max FROM (SELECT max(id) FROM t) q", "o"},
           {"SELECT lower, coalesce, int4 FROM (SELECT lower(s), coalesce(n, 1), id::int FROM t) q (lower, coalesce, int4)", "!!!"},
           {"SELECT lower, id FROM (SELECT lower(s), id::int8 FROM t) q", "!!"},
           {"WITH q AS (SELECT id, n FROM t) SELECT * FROM q", "!o"},
           {"WITH t AS (SELECT n AS id FROM t) SELECT id FROM t", "o"},
           {"WITH q (a, b) AS (SELECT id, n FROM t), r AS (SELECT b, a FROM q) SELECT * FROM r", "o!"},
           {"WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 3) SELECT i FROM c", "!"},
           {"WITH RECURSIVE c (i, j) AS (SELECT 1, 2 UNION ALL SELECT i + 1, nullif(j, 2) FROM c WHERE i < 3) SELECT * FROM c", "!o"},
           {"WITH RECURSIVE c (i, j, k) AS (SELECT 1, 2, 3 UNION ALL SELECT i + 1, k, nullif(j, 2) FROM c WHERE i < 4) SELECT * FROM c", "!oo"},
           {"WITH RECURSIVE a AS (SELECT id FROM t), b AS (SELECT 1 AS one) SELECT * FROM a, b", "!!"},
           {"WITH RECURSIVE t AS (SELECT id FROM u), u AS (SELECT NULL::int AS id) SELECT id FROM t", "o"},
           {"WITH q AS (INSERT INTO x VALUES (5) RETURNING k, s) SELECT * FROM q", "!o"},
           {"VALUES (1, 'a'), (2, NULL)", "!o"},
           {"SELECT a, b FROM (VALUES (1, NULL), (2, 3)) v (a, b)", "!o"},
           {"SELECT column1 FROM (VALUES (1), (2)) v", "!"},
           {"SELECT id FROM t UNION SELECT t_id FROM u", "o"},
           {"SELECT id FROM t UNION ALL SELECT v FROM u", "!"},
           {"SELECT n FROM t INTERSECT SELECT id FROM u", "!"},
           {"SELECT id FROM t EXCEPT SELECT t_id FROM u", "!"},
           {"SELECT n FROM t EXCEPT SELECT id FROM u", "o"},
           {"(SELECT id, NULL FROM t) UNION ALL (SELECT id, w FROM u ORDER BY 1) ORDER BY 1", "!o"},
           {"SELECT DISTINCT ON (s) s, n FROM t ORDER BY s, id", "!o"});
}

TEST(views_and_functions_in_from)
{
    EXPECT({"SELECT id, n, v FROM plain", "!oo"},
           {"SELECT * FROM inner_view", "!!"},
           {"SELECT one, two FROM of_view", "!!"},
           {"SELECT p.v, i.more FROM plain p LEFT JOIN inner_view i ON i.id = p.id", "oo"},
           {"SELECT g FROM generate_series(1, 3) g", "!"},
           {"SELECT * FROM generate_series(1, 3)", "!"},
           {"SELECT generate_series FROM generate_series(1, 3)", "!"},
           {"SELECT g.v, g.* FROM generate_series(1, 3) AS g (v)", "!!"},
           {"SELECT g, g + 1 FROM generate_series(1, $1::int) g", "!!", "!"},
           {"SELECT g FROM generate_series(1, $1::int) g", "!", "o"},
           {"SELECT g FROM t, generate_series(1, n) g", "!"},
           {"SELECT g, g::date FROM generate_series(date '2024-01-01', date '2024-01-03', interval '1 day') g", "!!"},
           {"SELECT g FROM generate_series(now(), now(), '1 day') AS g", "!"},
           {"SELECT g FROM ROWS FROM (generate_series(1, 3)) AS g", "!"},
           {"SELECT g, h FROM ROWS FROM (generate_series(1, 3), generate_series(1, 2)) AS q (g, h)", "oo"},
           {"SELECT q.d FROM (SELECT generate_series(1, 3) AS d) q", "o"},
           {"SELECT e FROM unnest($1::int[]) e", "o", "o"},
           {"SELECT * FROM generate_series(1, 3) WITH ORDINALITY AS g (v, o)", "!!"},
           {"SELECT v, o FROM unnest(ARRAY[1, NULL]::int[]) WITH ORDINALITY AS q (v, o)", "o!"},
           {"SELECT * FROM unnest(ARRAY[1], ARRAY[1, 2])", "oo"},
           {"SELECT t.id, r.* FROM t, rows_of(1) r", "!oo"},
           {"SELECT r.*, t.id FROM t, rows_of(1) r", "oo!"},
           {"SELECT r.p, t.s FROM t JOIN rows_of(1) r ON r.p = t.id", "o!"},
           {"SELECT p, q FROM m, unnest(m.pairs) AS z (p, q)", "oo"},
           {"SELECT t.id, j FROM t LEFT JOIN generate_series(1, 0) j ON true", "!o"},
           {"SELECT x.v FROM json_to_recordset('[{}]') AS x (v int)", "o"},
           {"SELECT id FROM t TABLESAMPLE BERNOULLI (100)", "!"},
           {"SELECT id, generate_series(1, 2) FROM t", "!o"});
}

TEST(what_changes_returns_rows_of_the_table)
{
    EXPECT({"INSERT INTO x VALUES (1, 'a') RETURNING k, s", "!o"},
           {"INSERT INTO x SELECT id, d FROM t RETURNING *", "!o"},
           {"INSERT INTO x VALUES ($1, NULL) RETURNING k + 1, coalesce(s, '')", "!!", "!"},
           {"INSERT INTO u VALUES (1, 1, 1) ON CONFLICT (id) DO UPDATE SET w = NULL RETURNING id, w", "!o"},
           {"UPDATE t SET n = NULL WHERE n > 0 RETURNING id, n", "!o"},
           {"UPDATE t SET d = u.w FROM u WHERE u.t_id = t.id AND u.t_id > 0 RETURNING t.id, t.d, u.t_id", "!o!"},
           {"UPDATE t SET d = x.s FROM u LEFT JOIN x ON x.k = u.id WHERE u.id = t.id RETURNING t.id, u.v, x.k", "!!o"},
           {"DELETE FROM u WHERE t_id > 0 RETURNING id, t_id, w", "!!o"},
           {"DELETE FROM u USING t WHERE t.id = u.t_id RETURNING u.id, t.n", "!o"},
           {"INSERT INTO ruled VALUES (1, 1) RETURNING id, v", "oo"},
           {"UPDATE ruled SET v = 1 RETURNING id, v", "oo"},
           {"DELETE FROM x", ""},
           {"MERGE INTO x USING t ON x.k = t.id WHEN MATCHED THEN DELETE", ""});
}
/* clang-format on */

TEST(what_a_statement_does_is_known)
{
    PGconn *conn = null_connection();
    struct null_statement s;
    char columns[64];

    if (!conn || !nullable_available())
        return;
    null_columns_of(conn, "SELECT 1", NULL, columns, &s);
    CHECK(s.understood && !s.writes && !s.locks && !s.into);
    null_columns_of(conn, "WITH d AS (DELETE FROM x RETURNING k) SELECT k FROM d", NULL, columns, &s);
    CHECK(s.understood && s.writes);
    null_columns_of(conn, "SELECT id FROM t FOR UPDATE", NULL, columns, &s);
    CHECK(s.understood && !s.writes && s.locks);
    null_columns_of(conn, "SELECT id INTO other FROM t", NULL, columns, &s);
    CHECK(s.into);
}

/* ---- bounds, without a server ---- */

static bool no_relation(void *user, const char *schema, const char *name, struct null_relation *out)
{
    (void)user, (void)schema, (void)name, (void)out;
    return false;
}

static bool any_function(void *user, const char *schema, const char *name, int nargs, struct null_callable *out)
{
    (void)user, (void)schema, (void)name, (void)nargs;
    *out = (struct null_callable){true, true, true, true, false, false};
    return true;
}

static bool any_operator(void *user, const char *name, int nargs, struct null_callable *out)
{
    return any_function(user, NULL, name, nargs, out);
}

static bool no_cast(void *user, const char *schema, const char *name)
{
    (void)user, (void)schema, (void)name;
    return false;
}

static bool no_notation(void *user, const char *name) { return no_cast(user, NULL, name); }

/* `before`, then n times `open`, `middle`, n times `close`, `after`: nothing but an answer is expected. */
static void analyse_nested(const char *before, const char *open, const char *middle, const char *close,
                           const char *after, size_t n)
{
    const struct null_catalog catalog = {no_relation, any_function, any_operator, no_cast, no_notation, NULL};
    struct null_statement statement;
    bool never[1] = {true};
    struct pg_arena arena = {0};
    struct pg_text text = {.arena = &arena};

    pg_puts(&text, before);
    for (size_t i = 0; i < n; i++)
        pg_puts(&text, open);
    pg_puts(&text, middle);
    for (size_t i = 0; i < n; i++)
        pg_puts(&text, close);
    pg_puts(&text, after);
    nullable_analyse(text.data, &catalog, NULL, 0, never, 1, &statement);
    CHECK(statement.understood || !never[0]);
    pg_arena_free(&arena);
}

TEST(statements_of_any_depth_and_width_are_answered)
{
    static const size_t sizes[] = {10, 200, 400, 5000};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t n = sizes[i];
        analyse_nested("SELECT ", "NOT ", "true", "", "", n);
        analyse_nested("SELECT 1", "+1", "", "", "", n);
        analyse_nested("SELECT ", "(", "1", ")", "", n);
        analyse_nested("SELECT ", "coalesce(", "1", ")", "", n);
        analyse_nested("SELECT ", "(SELECT ", "1", ")", "", n);
        analyse_nested("SELECT * FROM ", "(SELECT * FROM ", "t", ") q", "", n);
        analyse_nested("SELECT 1 FROM t", " LEFT JOIN t USING (a)", "", "", "", n);
        analyse_nested("SELECT 1 FROM ", "t LEFT JOIN (", "t", ") ON true", "", n);
        analyse_nested("SELECT 1", " UNION SELECT 1", "", "", "", n);
        analyse_nested("SELECT 1 FROM t", ", t", "", "", "", n);
        analyse_nested("WITH RECURSIVE a AS (SELECT 1)", ", a AS (SELECT 1 UNION SELECT * FROM a)", "", "", " SELECT 1",
                       n);
        analyse_nested("WITH a AS (SELECT 1 AS x)", ", a AS (SELECT * FROM a, a b)", "", "", " SELECT * FROM a", n);
        analyse_nested("SELECT 1 WHERE true", " AND x = 1", "", "", "", n);
        analyse_nested("VALUES (1)", ", (1)", "", "", "", n);
        analyse_nested("SELECT 1", ", 1", "", "", "", n);
    }
}

/* Each has two of the one within it: twice as much to do for each level, if nothing were counted. */
TEST(recursion_within_recursion_is_given_up)
{
    analyse_nested("", "WITH RECURSIVE a (x, y, z) AS (SELECT 1, 2, 3 UNION SELECT y, z, (", "SELECT 1",
                   ") FROM a) SELECT x FROM a", "", 12);
}

TEST(what_casts_and_others_operators_do_is_in_doubt)
{
    PGconn *conn = null_connection();

    if (!conn || !nullable_available())
        return;
    REQUIRE(
        pg_run(conn,
               "CREATE FUNCTION mood_number(mood) RETURNS int LANGUAGE sql IMMUTABLE AS $$SELECT CASE $1 WHEN 'happy' "
               "THEN 1 END$$; CREATE CAST (mood AS int) WITH FUNCTION mood_number(mood); CREATE FUNCTION noted(int, "
               "int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT $1'; CREATE OPERATOR @#@ (LEFTARG = int, RIGHTARG "
               "= int, FUNCTION = noted)",
               NULL) >= 0);
    EXPECT({"SELECT at::time, at::timetz::text, at::date, at::text FROM t", "oo!!"}, /* infinity has no time of day */
           {"SELECT (at AT TIME ZONE 'UTC')::time FROM t", "o"}, {"SELECT mood::int, mood::text FROM m", "o!"},
           {"SELECT lower(coalesce(NULLIF(r, 'empty'), 'empty')) FROM t", "o"},
           {"SELECT lower(coalesce(d, 'none')) FROM t", "!"});
    static const struct {
        const char *sql;
        bool repeatable;
    } cases[] = {{"SELECT id @#@ 1 FROM t", false},
                 {"SELECT 1 FROM t WHERE id = 1 AND n IS DISTINCT FROM id @#@ 2", false},
                 {"SELECT id + 1, s || 'x', id BETWEEN 1 AND 3, s LIKE 'a%', id IN (1, 2) FROM t", true}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct null_statement statement;
        char columns[64];
        null_columns_of(conn, cases[i].sql, NULL, columns, &statement);
        CHECK(statement.understood && statement.repeatable == cases[i].repeatable);
    }
}

static void check_repeatable(PGconn *conn, const char *sql, bool repeatable)
{
    struct null_statement statement;
    char columns[64];

    null_columns_of(conn, sql, NULL, columns, &statement);
    if (!statement.understood || statement.repeatable != repeatable)
        printf("%s\n", sql);
    CHECK(statement.understood && statement.repeatable == repeatable);
}

TEST(effects_of_casts_domains_and_functions_like_columns_are_seen)
{
    static const char *const harmless[] = {
        "SELECT b.temp::text, b.id::bigint, 'sad'::mood, $1::int[], b.temp, (b).temp, b.*, public.bodies.temp FROM "
        "bodies "
        "b, "
        "bodies WHERE b.id IN (SELECT id FROM t)",
        "SELECT id::small_id, $1::small_id[] FROM bodies", "SELECT b.calm, (b).calm FROM bodies b",
        "SELECT id FROM t ORDER BY id USING <", "SELECT id FROM t WHERE id OPERATOR(pg_catalog.=) 1"};
    static const char *const effects[] = {"SELECT temp::celsius FROM bodies",
                                          "SELECT CAST(temp AS app.celsius) FROM bodies",
                                          "SELECT ARRAY[temp]::celsius[] FROM bodies",
                                          "SELECT id FROM bodies WHERE (temp::celsius).degrees > 1",
                                          "SELECT id::known_id FROM bodies",
                                          "SELECT id::known_id_too FROM bodies",
                                          "SELECT $1::known_id[]",
                                          "SELECT b.noted FROM bodies b",
                                          "SELECT (b).noted FROM bodies b",
                                          "SELECT public.bodies.noted FROM bodies",
                                          "SELECT id FROM bodies b ORDER BY b.noted",
                                          "SELECT (b.id).noted_id FROM bodies b",
                                          "SELECT g.noted_id FROM generate_series(1, 2) g",
                                          "SELECT ('counter2'::regclass).nextval",
                                          "SELECT id FROM t WHERE id @%@ ANY (SELECT id FROM u)",
                                          "SELECT id FROM t WHERE id OPERATOR(app.@%%@) 1",
                                          "SELECT v FROM through"};
    PGconn *conn = null_connection();

    if (!conn || !nullable_available())
        return;
    REQUIRE(
        pg_run(
            conn,
            "CREATE SEQUENCE counter2; CREATE TYPE fahrenheit AS (degrees int); CREATE TYPE celsius AS (degrees int);"
            "CREATE TYPE app.celsius AS (degrees int); CREATE TYPE kelvin AS (degrees int);"
            "CREATE TABLE bodies (id int, temp fahrenheit, cold kelvin);"
            "CREATE FUNCTION cooled(fahrenheit) RETURNS celsius LANGUAGE sql AS 'SELECT ROW(1)::celsius';"
            "CREATE FUNCTION cooled_too(fahrenheit) RETURNS app.celsius LANGUAGE sql AS 'SELECT ROW(1)::app.celsius';"
            "CREATE FUNCTION noted(bodies) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1';"
            "CREATE FUNCTION calm(bodies) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';"
            "CREATE FUNCTION noted_id(int) RETURNS boolean LANGUAGE sql VOLATILE AS 'SELECT true';"
            "CREATE DOMAIN small_id AS int CHECK (VALUE < 1000); CREATE DOMAIN known_id AS int CHECK (noted_id(VALUE));"
            "CREATE DOMAIN known_id_too AS known_id; CREATE VIEW through AS SELECT b.noted AS v FROM bodies b;"
            "CREATE FUNCTION compared(int, int) RETURNS boolean LANGUAGE sql VOLATILE AS 'SELECT true';"
            "CREATE OPERATOR @%@ (LEFTARG = int, RIGHTARG = int, FUNCTION = compared);"
            "CREATE OPERATOR app.@%%@ (LEFTARG = int, RIGHTARG = int, FUNCTION = compared)",
            NULL) >= 0);
    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
        check_repeatable(conn, harmless[i], true);
    REQUIRE(pg_run(conn,
                   "CREATE CAST (fahrenheit AS celsius) WITH FUNCTION cooled(fahrenheit);"
                   "CREATE CAST (fahrenheit AS app.celsius) WITH FUNCTION cooled_too(fahrenheit)",
                   NULL) >= 0);
    for (size_t i = 0; i < sizeof(effects) / sizeof(effects[0]); i++)
        check_repeatable(conn, effects[i], false);
    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
        check_repeatable(conn, harmless[i], true);
    /* One that nobody has to write may be in any statement. */
    REQUIRE(pg_run(conn,
                   "CREATE FUNCTION as_number(kelvin) RETURNS int LANGUAGE sql AS 'SELECT 1';"
                   "CREATE CAST (kelvin AS int) WITH FUNCTION as_number(kelvin) AS IMPLICIT",
                   NULL) >= 0);
    check_repeatable(conn, "SELECT id + cold FROM bodies", false);
    REQUIRE(pg_run(conn, "DROP CAST (kelvin AS int)", NULL) >= 0);
}
