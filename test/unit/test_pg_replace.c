/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Columns that take another one's place, on a real server: both are in step, whoever writes. */
// LIBS: cell_postgres_sanitized
#include "pg_migrate.h"

static PGconn *conn;

static bool server(void)
{
    if (!pg_fixture_url[0] && !pg_fixture(""))
        return false;
    conn = conn ? conn : migration_connect();
    if (conn)
        migration_sql(conn, "DROP SCHEMA IF EXISTS cell CASCADE; DROP SCHEMA IF EXISTS \"App\" CASCADE; "
                            "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    return conn != NULL;
}

static struct pg_recorded_use old_use = {{"public", "users", "age", "old", "integer", NULL}, "", "", "old.c", 1};
static struct pg_recorded one_program = {.uses = &old_use, .n = 1};

/* Migrates to the table, with or without a program that uses `age`. */
static bool become(const char *table, const char *fields, const char *rules, bool used)
{
    struct migration m = {.n = 1, .known = {used ? &one_program : NULL, NULL}};

    m.requests[0] = pg_build_request("table", table, fields, rules);
    bool done = migrate(conn, &m) >= 0 && migration_left(conn, &m) == 0;
    if (!done)
        printf("%s\n", m.text);
    json_decref(m.requests[0]);
    return done;
}

static bool is(const char *sql, const char *expected)
{
    const char *value = migration_value(conn, sql);

    if (strcmp(value, expected) != 0)
        printf("%s: %s, not %s\n", sql, value, expected);
    return strcmp(value, expected) == 0;
}

static bool fails(const char *sql) { return pg_run(conn, sql, NULL) < 0; }

#define ROWS "SELECT string_agg(coalesce(age::text, '-') || '/' || coalesce(age_text, '-'), ' ' ORDER BY id) FROM users"
#define NEW_AGE                                                                                                        \
    "id i64 | key | auto\nage str | column age_text | replaces age;concat(age, 'y');rtrim(age_text, 'y')::integer"

TEST(both_columns_are_in_step_whoever_writes)
{
    if (!server())
        return;
    REQUIRE(become("users", "id i64 | key | auto\nage i32", "", false));
    migration_sql(conn, "INSERT INTO users (age) VALUES (1), (2)");
    REQUIRE(become("users", NEW_AGE, "", true));
    CHECK(is(ROWS, "1/1y 2/2y"));
    migration_sql(conn, "INSERT INTO users (age) VALUES (3)");
    migration_sql(conn, "INSERT INTO users (age_text) VALUES ('04y')");
    migration_sql(conn, "UPDATE users SET age = 10 WHERE id = 1; UPDATE users SET age_text = '020y' WHERE id = 2");
    CHECK(is(ROWS, "10/10y 20/020y 3/3y 4/04y"));
    migration_sql(conn, "UPDATE users SET age = age"); /* nothing was written that the other does not know */
    CHECK(is(ROWS, "10/10y 20/020y 3/3y 4/04y"));
    migration_sql(conn, "INSERT INTO users (id, age) VALUES (1, 11) ON CONFLICT (id) DO UPDATE SET age = excluded.age");
    migration_sql(conn, "INSERT INTO users (id, age_text) VALUES (2, '21y') ON CONFLICT (id) DO UPDATE SET age_text = "
                        "excluded.age_text");
    CHECK(is(ROWS, "11/11y 21/21y 3/3y 4/04y"));
    CHECK(fails("INSERT INTO users (age_text) VALUES ('no number')")); /* which the old program could not read */
    CHECK(fails("INSERT INTO users (age) VALUES (NULL)"));
    CHECK(is("SELECT attnotnull FROM pg_attribute WHERE attname = 'age_text'", "t"));
    /* Whoever builds the older declaration takes nothing back. */
    CHECK(become("users", "id i64 | key | auto\nage i32", "", false));
    CHECK(is("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal", "1"));

    REQUIRE(become("users", NEW_AGE, "", false));
    CHECK(is("SELECT string_agg(age_text, ' ' ORDER BY id) FROM users", "11y 21y 3y 04y"));
    CHECK(is("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal", "0"));
    CHECK(is("SELECT count(*) FROM pg_proc WHERE proname ~ 'in_step'", "0"));
    CHECK(is("SELECT string_agg(kind || ' ' || name, ',' ORDER BY kind) FROM cell.objects WHERE name ~ 'age'",
             "dropped age"));
}

TEST(tables_whose_names_run_together_have_triggers_of_their_own)
{
    if (!server())
        return;
    REQUIRE(become("users", "id i64 | key | auto\nage i32", "", false));
    REQUIRE(become("users_age", "id i64 | key | auto\nold i32", "", false));
    REQUIRE(become("users", NEW_AGE, "", true));
    CHECK(become("users_age",
                 "id i64 | key | auto\nnew str | column text | replaces old;old::text;text::bigint::integer", "",
                 false));
    migration_sql(conn, "INSERT INTO users (age) VALUES (3); INSERT INTO users (age_text) VALUES ('04y')");
    CHECK(is(ROWS, "3/3y 4/04y"));
}

TEST(values_that_are_filled_in_do_not_change_what_they_come_from)
{
    if (!server())
        return;
    migration_sql(conn, "CREATE TABLE users (id bigint PRIMARY KEY, age text); "
                        "INSERT INTO users VALUES (1, ' 7'), (2, '8.5'), (3, NULL)");
    /* Neither way gives back what it was made of. */
    REQUIRE(become("users",
                   "id i64 | key\nage opt<i32> | column age_text | replaces age;age::numeric::integer;age_text", "",
                   true));
    CHECK(
        is("SELECT string_agg(coalesce(age, '-') || '/' || coalesce(age_text::text, '-'), ',' ORDER BY id) FROM users",
           " 7/7,8.5/9,-/-"));
}

/* Generated columns are empty in a row that a BEFORE trigger sees: what is computed from them is not lost. */
TEST(expressions_may_name_columns_that_are_generated)
{
    static struct pg_recorded_use use = {{"public", "bills", "price", "old", "integer", NULL}, "", "", "old.c", 1};
    static struct pg_recorded program = {.uses = &use, .n = 1};
    if (!server())
        return;
    migration_sql(
        conn, "CREATE TABLE bills (id bigint PRIMARY KEY, price integer, tax integer NOT NULL, factor integer NOT NULL "
              "GENERATED ALWAYS AS (100 + tax) STORED, half numeric(6, 1) GENERATED ALWAYS AS (tax / 2.0) "
              "STORED); INSERT INTO bills SELECT i, i * 10, i FROM generate_series(1, 3) i");
    struct migration m = {.n = 1, .known = {&program, NULL}};
    m.requests[0] = pg_build_request("table", "bills",
                                     "id i64 | key\ntax i32\nfactor i32 | generated 100 + tax\n"
                                     "total opt<i32> | replaces price;price + factor + half::integer;"
                                     "total - factor - half::integer",
                                     "");
    CHECK(migrate(conn, &m) >= 0 && migration_left(conn, &m) == 0);
    json_decref(m.requests[0]);
    migration_sql(conn,
                  "INSERT INTO bills (id, price, tax) VALUES (4, 40, 4); "
                  "INSERT INTO bills (id, total, tax) VALUES (5, 158, 5); UPDATE bills SET price = 11 WHERE id = 1; "
                  "UPDATE bills SET total = 130 WHERE id = 2");
    CHECK(is("SELECT string_agg(price || '/' || total, ' ' ORDER BY id) FROM bills",
             "11/113 27/130 30/135 40/146 50/158"));
}

TEST(every_column_that_an_expression_names_keeps_them_in_step)
{
    static const char fields[] =
        "id i64 | key | auto\nlast str | default ''\nat opt<str> | sql_type point\nwhole str | "
        "replaces first;concat(first, ' ', last, at);concat(split_part(whole, ' ', 1), repeat('!', marks))\n"
        "marks i32 | default 0";
    struct pg_recorded_use use = {{"public", "people", "first", "old", "text", NULL}, "", "", "old.c", 1};

    if (!server())
        return;
    REQUIRE(become("people", "id i64 | key | auto\nfirst str\nlast str | default ''\nat opt<str> | sql_type point", "",
                   false));
    migration_sql(conn, "INSERT INTO people (first, last) VALUES ('Ada', 'Byron')");
    struct pg_recorded_use before = old_use;
    old_use = use;
    REQUIRE(become("people", fields, "", true));
    CHECK(is("SELECT whole FROM people", "Ada Byron"));
    migration_sql(conn, "UPDATE people SET last = 'Lovelace'");
    CHECK(is("SELECT concat(first, '/', whole) FROM people", "Ada/Ada Lovelace"));
    migration_sql(conn, "UPDATE people SET at = '(1,2)'");
    CHECK(is("SELECT concat(first, '/', whole) FROM people", "Ada/Ada Lovelace(1,2)"));
    migration_sql(conn, "UPDATE people SET marks = 2"); /* named by what the old program is to find alone */
    CHECK(is("SELECT concat(first, '/', whole) FROM people", "Ada!!/Ada Lovelace(1,2)"));
    old_use = before;
}

TEST(a_chain_of_columns_is_in_step_whoever_writes)
{
#define CHAIN "SELECT string_agg(concat_ws('/', age, age_text, years), ' ' ORDER BY id) FROM users"
    static const char third[] = "id i64 | key | auto\nage i64 | column years | default 5 | replaces "
                                "age_text;rtrim(age_text, 'y')::bigint;concat(years, 'y')";
    static const char *const writes[] = {"age", "7", "age_text", "'8y'", "years", "9"};

    if (!server())
        return;
    REQUIRE(become("users", "id i64 | key | auto\nage i32", "", false));
    migration_sql(conn, "INSERT INTO users (age) VALUES (1), (2)");
    REQUIRE(become("users", NEW_AGE, "", true));
    REQUIRE(become("users", third, "", true));
    CHECK(is(CHAIN, "1/1y/1 2/2y/2"));
    for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i += 2) {
        char sql[128], expected[64];
        int n = writes[i + 1][0] == '\'' ? writes[i + 1][1] - '0' : writes[i + 1][0] - '0';
        snprintf(sql, sizeof(sql), "DELETE FROM users WHERE id > 1; INSERT INTO users (id, %s) VALUES (2, %s)",
                 writes[i], writes[i + 1]);
        migration_sql(conn, sql);
        snprintf(sql, sizeof(sql), "UPDATE users SET %s = %s WHERE id = 1", writes[i], writes[i + 1]);
        migration_sql(conn, sql);
        snprintf(expected, sizeof(expected), "%d/%dy/%d %d/%dy/%d", n, n, n, n, n, n);
        CHECK(is(CHAIN, expected));
    }
    /* A value that says more than those before it can comes back to nobody as less. */
    migration_sql(conn, "UPDATE users SET age_text = '010y' WHERE id = 1");
    CHECK(is(CHAIN, "10/010y/10 9/9y/9"));
    /* The middle one is in the way of nobody, and the oldest one's programs need it. */
    CHECK(is("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal", "4"));
    REQUIRE(become("users",
                   "id i64 | key | auto\nage i64 | column years | default 5 | replaces "
                   "age_text;rtrim(age_text, 'y')::bigint + 0;concat(years, 'y')",
                   "", true));
    CHECK(is("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal", "4"));
    REQUIRE(become("users", "id i64 | key | auto\nage i64 | column years | default 5", "dropped age_text", true));
    CHECK(is("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal", "4"));
    REQUIRE(become("users", third, "", false));
    CHECK(is("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal", "0"));
    CHECK(is("SELECT count(*) FROM pg_proc WHERE proname ~ 'in_step'", "0"));
    CHECK(is("SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'users'::regclass AND "
             "attnum > 0 AND NOT attisdropped",
             "id years"));
    migration_sql(conn, "INSERT INTO users (id) VALUES (3)");
    CHECK(is("SELECT string_agg(years::text, ' ' ORDER BY id) FROM users", "10 9 5"));
#undef CHAIN
}

TEST(expressions_may_call_the_row_as_its_table)
{
    static const char *const forward[] = {"concat(users.age, unit)", "concat(public.users.age, \"users\".unit)",
                                          "concat(row_to_json(users) ->> 'age', users.unit)",
                                          "concat(age, twice / age)"};

    if (!server())
        return;
    for (size_t i = 0; i < sizeof(forward) / sizeof(forward[0]); i++) {
        char fields[300];
        REQUIRE(become("users",
                       "id i64 | key | auto\nage i32\nunit i32 | default 2\ntwice i32 | generated users.age * 2", "",
                       false));
        migration_sql(conn, "INSERT INTO users (age) VALUES (1), (2)");
        snprintf(fields, sizeof(fields),
                 "id i64 | key | auto\nage str | column age_text | replaces age;%s;left(users.age_text, -1)::integer\n"
                 "unit i32 | default 2",
                 forward[i]);
        REQUIRE(become("users", fields, "", true));
        CHECK(is(ROWS, "1/12 2/22"));
        migration_sql(conn, "INSERT INTO users (age) VALUES (3); INSERT INTO users (age_text) VALUES ('42')");
        migration_sql(conn, "UPDATE users SET age = 5 WHERE id = 1; UPDATE users SET age_text = '62' WHERE id = 2");
        CHECK(is(ROWS, "5/52 6/62 3/32 4/42"));
        migration_sql(conn, "UPDATE users SET unit = 3 WHERE id < 4"); /* "twice" is no part of it */
        CHECK(is(ROWS, i < 3 ? "5/53 6/63 3/33 4/42" : "5/52 6/62 3/32 4/42"));
        migration_sql(conn, "DROP TABLE users; DELETE FROM cell.objects");
    }
}

TEST(a_default_is_for_rows_to_which_nobody_gave_a_value)
{
    if (!server())
        return;
    REQUIRE(become("users", "id i64 | key | auto\nage opt<i32> | default 18", "", false));
    const char *fields = "id i64 | key | auto\nage opt<str> | column age_text | default 'none' | replaces "
                         "age;age::text;nullif(age_text, 'none')::integer";
    REQUIRE(become("users", fields, "", true));
    migration_sql(conn, "INSERT INTO users DEFAULT VALUES; INSERT INTO users (age) VALUES (NULL); "
                        "INSERT INTO users (age_text) VALUES ('5')");
    CHECK(is(ROWS, "18/18 -/none 5/5"));
    REQUIRE(become("users", fields, "", false));
    migration_sql(conn, "INSERT INTO users DEFAULT VALUES");
    CHECK(is("SELECT string_agg(age_text, ' ' ORDER BY id) FROM users", "18 none 5 none"));
}

TEST(casts_serve_where_they_lose_nothing)
{
    struct migration m = {.n = 1, .known = {&one_program, NULL}};

    if (!server())
        return;
    migration_sql(conn,
                  "CREATE TABLE users (id bigint PRIMARY KEY, age integer NOT NULL); INSERT INTO users VALUES (1, 5)");
    m.requests[0] = pg_build_request("table", "users", "id i64 | key\nage i64 | column age_text | replaces age", "");
    CHECK(migration_left(conn, &m) == CELL_INVALID_ARGUMENT); /* what an old program finds of a large number */
    json_decref(m.requests[0]);
    REQUIRE(become("users", "id i64 | key\nage i64 | column age_text | replaces age;;least(age_text, 2147483647)", "",
                   true));
    migration_sql(conn, "INSERT INTO users (id, age_text) VALUES (2, 5000000000)");
    CHECK(is("SELECT string_agg(age || '/' || age_text, ' ' ORDER BY id) FROM users", "5/5 2147483647/5000000000"));
}

TEST(names_types_and_expressions_of_any_kind_work)
{
    if (!server())
        return;
    migration_sql(conn,
                  "CREATE SCHEMA \"App\"; CREATE TABLE \"App\".\"Us'ers\" (id bigint PRIMARY KEY, \"o\"\"ld\" json, "
                  "found varchar(5), tg_op text); INSERT INTO \"App\".\"Us'ers\" VALUES (1, '{\"a\": 1}', 'abc', 'x')");
    struct pg_recorded_use u[] = {{{"App", "Us'ers", "o\"ld", "old", "json", NULL}, "", "", "old.c", 1},
                                  {{"App", "Us'ers", "found", "old", "text", NULL}, "", "", "old.c", 1}};
    struct pg_recorded both = {.uses = u, .n = 2};
    struct migration m = {.n = 1, .known = {&both, NULL}};
    m.requests[0] =
        pg_build_request("table", "Us'ers",
                         "id i64 | key\nnew opt<str> | column n'\"ew | sql_type json | replaces o\"ld\n"
                         "sought opt<str> | replaces found;concat(found, tg_op, $q$'\\;$q$);left(sought, 3)",
                         "schema App");
    CHECK(migrate(conn, &m) >= 0 && migration_left(conn, &m) == 0);
    if (m.text[0])
        printf("%s\n", m.text);
    json_decref(m.requests[0]);
    CHECK(is("SELECT \"n'\"\"ew\"::text || sought FROM \"App\".\"Us'ers\"", "{\"a\": 1}abcx';"));
    migration_sql(conn, "UPDATE \"App\".\"Us'ers\" SET \"o\"\"ld\" = '[2]', found = 'y'; "
                        "INSERT INTO \"App\".\"Us'ers\" (id, \"n'\"\"ew\", sought) VALUES (2, '3', 'pqrst')");
    CHECK(is(
        "SELECT string_agg(concat(\"o\"\"ld\", \"n'\"\"ew\", found, sought), '/' ORDER BY id) FROM \"App\".\"Us'ers\"",
        "[2][2]yyx';/33pqrpqrst"));
}

TEST(a_trigger_that_was_changed_is_made_again)
{
    if (!server())
        return;
    REQUIRE(become("users", "id i64 | key | auto\nage i32", "", false));
    REQUIRE(become("users", NEW_AGE, "", true));
    migration_sql(conn, "ALTER TABLE users DISABLE TRIGGER ALL");
    REQUIRE(become("users", NEW_AGE, "", true));
    migration_sql(conn, "INSERT INTO users (age) VALUES (3)");
    CHECK(is(ROWS, "3/3y"));
    REQUIRE(become(
        "users",
        "id i64 | key | auto\nage str | column age_text | replaces age;concat(age, 'z');rtrim(age_text, 'yz')::integer",
        "", true));
    migration_sql(conn, "INSERT INTO users (age) VALUES (4); INSERT INTO users (age_text) VALUES ('5z')");
    CHECK(is(ROWS, "3/3y 4/4z 5/5z"));
    CHECK(is("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal", "1"));
}

TEST(a_column_that_is_dropped_takes_the_trigger_along)
{
    if (!server())
        return;
    REQUIRE(become("users", "id i64 | key | auto\nage i32", "", false));
    REQUIRE(become("users", NEW_AGE, "", true));
    REQUIRE(become("users", "id i64 | key | auto\nage i32", "dropped age_text", false));
    migration_sql(conn, "INSERT INTO users (age) VALUES (1)");
    CHECK(is("SELECT count(*) FROM pg_proc WHERE proname ~ 'in_step'", "0"));
    REQUIRE(become("users", NEW_AGE, "", true));
    CHECK(is(ROWS, "1/1y")); /* filled once more */
    REQUIRE(become("users", "id i64 | key | auto", "dropped age_text;again\ndropped age", false));
    migration_sql(conn, "INSERT INTO users DEFAULT VALUES");
}

static bool refused(const char *fields, const char *rules, const char *why)
{
    struct migration m = {.n = 1};
    struct pg_unit u = {0};

    m.requests[0] = pg_build_request("table", "users", fields, rules);
    bool found = pg_unit_plan(conn, m.requests, 1, NULL, pg_now_ms() + 10000, &u, NULL) >= 0 && u.plan->nsteps == 0 &&
                 (pg_find_diagnostic(&u.plan->diagnostics, PG_ERROR, why) ||
                  pg_find_diagnostic(&u.declared[0]->diagnostics, PG_ERROR, why));
    if (!found && u.plan) {
        pg_print_diagnostics(&u.declared[0]->diagnostics);
        pg_print_diagnostics(&u.plan->diagnostics);
    }
    pg_unit_free(&u);
    json_decref(m.requests[0]);
    return found;
}

TEST(a_column_that_is_kept_in_step_is_not_renamed)
{
    if (!server())
        return;
    REQUIRE(become("users", "id i64 | key | auto\nage i32", "", false));
    REQUIRE(become("users", NEW_AGE, "", true));
    CHECK(refused("id i64 | key | auto\nage str | column years | renamed_from age_text | replaces age;concat(age, "
                  "'y');rtrim(years, 'y')::integer",
                  "", "is kept in step with another one"));
    migration_sql(conn, "INSERT INTO users (age) VALUES (1)");
    CHECK(is(ROWS, "1/1y"));
}

TEST(what_cannot_be_replaced_is_an_error)
{
    if (!server())
        return;
    REQUIRE(become("users", "id i64 | key | auto\nage i32\nlow str | generated age::text", "", false));
    CHECK(refused("id i64 | key | auto\nage i32\nb str | replaces age", "", "a field is this column still"));
    CHECK(refused("b str | replaces id", "", "it is part of the primary key"));
    CHECK(refused("id i64 | key | auto\nage i32\nb str | replaces low;low;b", "", "it is generated"));
    CHECK(refused("id i64 | key | auto\nb str | replaces agee", "", "did you mean 'age'"));
    CHECK(refused("id i64 | key | auto\nb str | replaces age", "", "not every text of 'b' is a integer of 'age'"));
    CHECK(refused("id i64 | key | auto\nage str | replaces age", "", "cannot replace itself"));
    CHECK(refused("id i64 | key | auto\nb str | replaces age;age); DROP TABLE users; --;b", "", "is no expression"));
    CHECK(refused("id i64 | key | auto\nb str | replaces age;age::text;b::integer | backfill ''", "",
                  "CELL_REPLACES says what rows that are there get"));
}
