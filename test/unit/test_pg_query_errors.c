/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What is wrong with a query is said at the place in its text where it is. */
// LIBS: cell_postgres_sanitized
#include "pg_query_fixture.h"

/* The first diagnostic: of what argument, what of its text is meant ("" = no place), and what it says. */
struct mistake {
    const char *sql, *parameters, *field, *meant, *says;
};

static void check_mistake(const struct mistake *m)
{
    struct answer a = ask(m->sql, m->parameters);
    json_t *said = at(&a, "diagnostics", 0), *place = json_object_get(said, "at");
    const char *argument = strcmp(m->field, "sql") == 0 ? m->sql : m->parameters;
    size_t from = (size_t)json_integer_value(place),
           length = (size_t)json_integer_value(json_object_get(said, "length"));
    bool right = place ? length == strlen(m->meant) && from + length <= strlen(argument) &&
                             memcmp(argument + from, m->meant, length) == 0
                       : !*m->meant;

    if (!right || !strstr(text(said, "text"), m->says))
        printf("%s\n  says %s\n  at %zu, %zu of %s  %s\n", m->sql, text(said, "text"), from, length,
               text(said, "field"), a.failure.text);
    CHECK(a.status == CELL_OK);
    CHECK_STR(text(said, "severity"), "error");
    CHECK_STR(text(said, "field"), m->field);
    CHECK(right);
    CHECK(strstr(text(said, "text"), m->says) != NULL);
    CHECK(json_array_size(json_object_get(a.document, "methods")) == 0);
    CHECK(json_array_size(json_object_get(a.document, "types")) == 0);
    json_decref(a.document);
}
#define MISTAKES(...)                                                                                                  \
    do {                                                                                                               \
        static const struct mistake all[] = {__VA_ARGS__};                                                             \
        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && null_connection(); i++)                                 \
            check_mistake(&all[i]);                                                                                    \
    } while (0)

/* clang-format off */
TEST(postgresql_s_errors_are_at_the_word_that_they_are_about)
{
    MISTAKES({"SELECT idd FROM t", "", "sql", "idd", "did you mean 'id'?"},
             {"SELECT u.t_idd FROM u", "", "sql", "u.t_idd", "did you mean 't_id'?"},
             {"SELECT u.t_id.x FROM u", "", "sql", "u.t_id.x", "missing FROM-clause entry"},
             {"SELECT t.id FROM t x", "", "sql", "t.id", "invalid reference to FROM-clause entry"},
             {"SELECT id FROM tt", "", "sql", "tt", "relation \"tt\" does not exist"},
             {"SELECT id FROM plan", "", "sql", "plan", "did you mean 'plain'?"},
             {"SELECT lenght(s) AS l FROM t", "", "sql", "lenght", "did you mean 'length'?"},
             {"SELECT 'äöü€𝄞', idd FROM t", "", "sql", "idd", "idd"},
             {"SELECT id AS \"ä€\",\n\tidd\nFROM t", "", "sql", "idd", "idd"},
             {"SELECT id FROM t WHERE s = 5", "", "sql", "=", "operator does not exist"},
             {"SELECT id FROM t WHERE id = 'x'", "", "sql", "'x'", "invalid input syntax"},
             {"SELECT id FORM t", "", "sql", "t", "syntax error"},
             {"SELECT id FROM t WHERE", "", "sql", "", "syntax error"},
             {"SELECT 1/0 AS x", "", "sql", "", "division by zero"},
             {"SELECT $1 AS x, id FROM t WHERE $1 IS NULL AND id = 'é' || $1", "a", "sql", "=", "operator does not exist"});
}

static bool notes(const char *sql, const char *part)
{
    struct answer a = ask(sql, "");
    json_t *said = at(&a, "diagnostics", 0), *all = json_object_get(said, "notes"), *note;
    bool found = false;
    size_t i;

    json_array_foreach(all, i, note) found = found || strstr(text(note, "text"), part);
    json_decref(a.document);
    return found;
}

TEST(what_is_not_in_from_is_no_table_that_is_missing)
{
    if (!null_connection())
        return;
    CHECK(notes("SELECT id FROM no_such_table_at_all", "a table is known here when its CELL_TABLE"));
    CHECK(!notes("SELECT t.id FROM t x", "a table is known here"));
    CHECK(notes("SELECT t.id FROM t x", "Perhaps you meant to reference the table alias \"x\""));
    CHECK(!notes("SELECT no_such.id FROM t x", "a table is known here"));
}

TEST(parameters_and_names_belong_together)
{
    MISTAKES({"SELECT id FROM t WHERE id = $2", "a", "sql", "$2", "$2 has no name: write one"},
             {"SELECT id FROM t WHERE id = $4 AND n = $1", "a", "sql", "$4", "$4 has no name, and 1 name is given"},
             {"SELECT id FROM t WHERE id = $100000", "a", "sql", "$100000", "$100000 has no name, and 1 name is given"},
             {"SELECT id FROM t WHERE id = $1000000000000000000000000000000000000000000", "a", "sql",
              "$1000000000000000000000000000000000000000000", "$100000000000000000000000000000000000000… has no name"},
             {"SELECT id FROM t WHERE id = $1", "", "sql", "$1", "CELL_QUERY(…, \"…\", its_name)"},
             {"SELECT id FROM t WHERE id = $0", "a", "sql", "$0", "from $1"},
             {"SELECT id FROM t WHERE id = $1", "a, b", "parameters", "b", "no $2 for parameter 'b'"},
             {"SELECT id FROM t WHERE s = '$1' -- $1\n", "b", "parameters", "b", "no $1"},
             {"SELECT id FROM t WHERE id = $1", "a b", "parameters", "b", "a comma"},
             {"SELECT id FROM t WHERE id = $1", "a,", "parameters", "", "names of $1, $2"},
             {"SELECT id FROM t WHERE id = $1", "5", "parameters", "5", "names of $1, $2"},
             {"SELECT id FROM t WHERE id = $1", "int", "parameters", "int", "keyword"},
             {"SELECT id FROM t WHERE id = $1 AND n = $2", "a, a", "parameters", "a", "two parameters"},
             {"SELECT id FROM t WHERE id = $1", "_a", "parameters", "_a", "underscore"},
             {"SELECT id FROM t WHERE id = ANY ($1)", "ids?", "parameters", "ids?", "never absent"},
             {"SELECT $1 IS NULL AS x", "a", "sql", "", "could not determine data type of parameter $1"});
}

TEST(columns_must_be_able_to_be_fields)
{
    MISTAKES({"SELECT id, id + 1 FROM t", "", "sql", "SELECT", "column 2 has no name: write AS name"},
             {"SELECT id, n AS id FROM t", "", "sql", "id", "two columns have the name 'id'"},
             {"SELECT s AS int FROM t", "", "sql", "int", "a keyword of C"},
             {"SELECT s AS \"Größe\" FROM t", "", "sql", "\"Größe\"", "no identifier of C"},
             {"SELECT s AS \"a b\" FROM t", "", "sql", "\"a b\"", "no identifier of C"},
             {"SELECT s AS _x FROM t", "", "sql", "_x", "underscore"},
             {"SELECT s AS \"!\" FROM t", "", "sql", "SELECT", "has no name"},
             {"SELECT x.*, y.* FROM x, x y", "", "sql", "SELECT", "two columns have the name 'k'"},
             {"SELECT '1 day'::interval AS i", "", "sql", "i", "(…)::text AS i"},
             {"SELECT point(1, 2) AS p", "", "sql", "p", "write (…)::text"},
             {"SELECT pair AS pp FROM m", "", "sql", "pp", "select its fields"},
             {"SELECT pg_notify('a', 'b') AS done", "", "sql", "done", "type void"},
             {"SELECT NULL::int[] AS a", "", "sql", "a", "coalesce(a, '{}') AS a"});
}

TEST(statements_that_are_no_queries_are_refused)
{
    MISTAKES({"", "", "sql", "", "is empty"},
             {" ; ", "", "sql", "", "is empty"},
             {"SELECT 1 AS a; SELECT 2 AS b", "", "sql", "SELECT", "a second one begins here"},
             {"BEGIN", "", "sql", "BEGIN", "cell_transaction()"},
             {"commit", "", "sql", "commit", "cell_transaction()"},
             {"/* x */ rollback", "", "sql", "rollback", "cell_transaction()"},
             {"COPY t TO STDOUT", "", "sql", "COPY", "load and all"},
             {"DO $$BEGIN END$$", "", "sql", "DO", "CELL_STEP"},
             {"LISTEN x", "", "sql", "LISTEN", "postgres_listen()"},
             {"SET search_path = x", "", "sql", "SET", "shared"},
             {"DROP TABLE t", "", "sql", "DROP", "CELL_TABLE"},
             {"CREATE TABLE z ()", "", "sql", "CREATE", "CELL_TABLE"},
             {"TRUNCATE t", "", "sql", "TRUNCATE", "DELETE"},
             {"EXPLAIN SELECT 1", "", "sql", "EXPLAIN", "cell psql"},
             {"nonsense here", "", "sql", "nonsense", "a query begins with SELECT"},
             {"SELECT id INTO z FROM t", "", "sql", "SELECT", "SELECT INTO makes a table"},
             {"SELECT FROM t", "", "sql", "SELECT", "no columns"},
             {"SELECT 'a", "", "sql", "'", "does not end"},
             {"SELECT /* a", "", "sql", "/", "comment does not end"},
             {"SELECT \"a", "", "sql", "\"", "does not end"},
             {"SELECT $x$ a", "", "sql", "$", "does not end"});
}
/* clang-format on */

TEST(detail_and_hint_are_notes)
{
    if (!null_connection())
        return;
    struct answer a = ask("SELECT id FROM t WHERE id = s", "");
    json_t *notes = json_object_get(at(&a, "diagnostics", 0), "notes");
    CHECK(json_array_size(notes) == 1 && strstr(text(json_array_get(notes, 0), "text"), "explicit type casts") != NULL);
    json_decref(a.document);
    a = ask("SELECT id FROM nowhere_near_anything", "");
    notes = json_object_get(at(&a, "diagnostics", 0), "notes");
    CHECK(strstr(text(json_array_get(notes, 0), "text"), "CELL_TABLE") != NULL);
    json_decref(a.document);
}

TEST(one_row_needs_columns)
{
    struct pg_query_check check = {0};

    if (!null_connection())
        return;
    struct answer a = ask_with(&check, "DELETE FROM x", "", true);
    CHECK(strstr(text(at(&a, "diagnostics", 0), "text"), "add RETURNING") != NULL);
    json_decref(a.document);
}

TEST(too_much_is_refused)
{
    static char sql[PG_QUERY_MAX_SQL + 100];

    if (!null_connection())
        return;
    memset(sql, ' ', sizeof(sql) - 1);
    memcpy(sql, "SELECT 1 AS a", 13);
    sql[sizeof(sql) - 2] = '+';
    struct answer a = ask(sql, "");
    CHECK(strstr(text(at(&a, "diagnostics", 0), "text"), "at most 49152 are allowed") != NULL);
    json_decref(a.document);
    a = ask("SELECT 1 AS a",
            "a1,a2,a3,a4,a5,a6,a7,a8,a9,b0,b1,b2,b3,b4,b5,b6,b7,b8,b9,c0,c1,c2,c3,c4,c5,c6,c7,c8,c9,d0,d1,"
            "d2,d3,d4,d5,d6,d7,d8,d9,e0,e1,e2,e3,e4,e5,e6,e7,e8,e9,f0,f1,f2,f3,f4,f5,f6,f7,f8,f9,g0,g1");
    CHECK(strstr(text(at(&a, "diagnostics", 0), "text"), "at most 60 parameters") != NULL);
    json_decref(a.document);
    memset(sql, 0, sizeof(sql));
    strcpy(sql, "SELECT '");
    for (size_t i = 8; i + 3 < 40000; i += 3)
        memcpy(sql + i, "\xE2\x82\xAC", 3); /* each becomes six bytes */
    strcat(sql, "' AS a");
    a = ask(sql, "");
    CHECK(strstr(text(at(&a, "diagnostics", 0), "text"), "too long: its binding") != NULL);
    json_decref(a.document);
}
