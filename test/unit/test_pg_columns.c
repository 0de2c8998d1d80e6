/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Columns that depend on each other, changed by one build: carried out by a server on tables that have rows. */
// LIBS: cell_postgres_sanitized
#include "pg_become.h"

/* No step is planned, unless a later struct may put it right, and that is said at the field. */
static bool refuses(const char *name, const char *fields, const char *rules, const char *field, const char *text)
{
    json_t *request = pg_build_request("table", name, fields, rules);
    struct pg_unit u = {0};
    bool planned = pg_unit_plan(conn, &request, 1, NULL, pg_now_ms() + 10000, &u, NULL) >= 0;
    const struct pg_diagnostic *d = planned ? pg_find_diagnostic(&u.plan->diagnostics, PG_ERROR, text) : NULL;
    bool found = d && d->field && strcmp(d->field, field) == 0 &&
                 (u.plan->nsteps == 0 || (d->whole && pg_unit_has_errors(&u, 0)));

    if (!found && u.plan)
        pg_print_plan(u.plan);
    pg_unit_free(&u);
    json_decref(request);
    return found;
}

TEST(a_column_is_filled_behind_those_that_it_is_computed_from)
{
    if (!server())
        return;
    REQUIRE(becomes("filled", "id i64 | key\nkind str", ""));
    migration_sql(conn, "INSERT INTO filled VALUES (1, 'a'), (2, 'bcd')");
    /* Each is declared before what it is computed from; the last one is there, and what it has is of another type. */
    REQUIRE(becomes("filled",
                    "id i64 | key\ntotal i64 | backfill price * 2\nkind i64 | backfill length(kind) + price\n"
                    "twice opt<i64> | generated price * 2\nprice i64 | backfill weight + 1\n"
                    "weight i64 | backfill id * 100",
                    "retyped kind\nretyped twice"));
    CHECK(is("SELECT string_agg(concat_ws(' ', weight, price, total, twice, kind), '; ' ORDER BY id) FROM filled",
             "100 101 202 202 102; 200 201 402 402 204"));
    /* What was added without being filled is not forgotten. */
    CHECK(
        is("SELECT count(*) FROM pg_attribute WHERE attrelid = 'filled'::regclass AND attnotnull AND attnum > 0", "5"));
}

TEST(a_changed_type_may_be_computed_from_a_column_that_comes_with_a_default)
{
    if (!server())
        return;
    REQUIRE(becomes("scaled", "id i64 | key\nsize str", ""));
    migration_sql(conn, "INSERT INTO scaled VALUES (1, 'abc')");
    REQUIRE(becomes("scaled",
                    "id i64 | key\nsize i64 | backfill length(size) * factor | default 7\nfactor i64 | default 5",
                    "retyped size"));
    CHECK(is("SELECT size FROM scaled", "15"));
    migration_sql(conn, "INSERT INTO scaled VALUES (2)");
    CHECK(is("SELECT size FROM scaled WHERE id = 2", "7"));
}

TEST(a_column_that_replaces_another_one_may_be_computed_from_a_new_one)
{
    if (!server())
        return;
    REQUIRE(becomes("stepped", "id i64 | key\nage i64", ""));
    migration_sql(conn, "INSERT INTO stepped VALUES (1, 7)");
    REQUIRE(becomes(
        "stepped",
        "id i64 | key\nold str | replaces age;concat(age, unit);left(old, 1)::bigint\nunit str | backfill 'y'", ""));
    CHECK(is("SELECT old FROM stepped", "7y"));
}

TEST(an_expression_for_a_type_that_goes_before_is_refused_before_any_step)
{
    const char *both = "id i64 | key\na i64 | backfill length(a)\nb i64 | backfill length(a) + length(b)";

    if (!server())
        return;
    REQUIRE(becomes("olds", "id i64 | key\na str\nb str", ""));
    migration_sql(conn, "INSERT INTO olds VALUES (1, 'abc', 'de')");
    /* `c` is filled behind the change of `a`. */
    CHECK(refuses("olds", "id i64 | key\na i64 | backfill length(a)\nb str\nc i64 | backfill length(a)", "retyped a",
                  "c", "'c' are computed when 'a' is bigint already"));
    CHECK(refuses("olds",
                  "id i64 | key\na bool | backfill a <> ''\nb str\nc str | backfill concat(a, 'x')\n"
                  "d i64 | backfill a",
                  "retyped a", "d", "it gives boolean, which is not assigned to bigint"));
    CHECK(refuses("olds", both, "retyped a\nretyped b", "b", "function length(bigint) does not exist"));
    CHECK(is("SELECT concat(a, b) FROM olds", "abcde"));
    /* What is for the new type, or stands before the change, is done. */
    REQUIRE(becomes("olds",
                    "id i64 | key\nb i64 | backfill length(a) + length(b)\na i64 | backfill length(a)\n"
                    "c i64 | backfill a * 2\nd str | backfill concat(a, 'x')",
                    "retyped a\nretyped b"));
    CHECK(is("SELECT concat_ws(' ', a, b, c, d) FROM olds", "3 5 6 3x"));
}

TEST(an_expression_that_the_database_refuses_is_so_before_any_step)
{
    const char *retyped =
        "id i64 | key\na i64 | backfill length(a)\ng opt<i64> | generated length(a)\nn i64\nm opt<i64>";

    if (!server())
        return;
    REQUIRE(becomes("typed",
                    "id i64 | key\na str | check a <> 'x'\ng opt<i64> | generated length(a)\nn i64\nm opt<i64>",
                    "index lower(a)\nindex n;where length(a) > 1"));
    migration_sql(conn, "INSERT INTO typed (id, a, n) VALUES (1, 'abc', 2)");
    CHECK(
        refuses("typed", retyped, "retyped a", "g",
                "column 'g' is generated when 'a' is bigint already, by the same build, and the expression is not for "
                "that: function length(bigint) does not exist"));
    /* What is there stays: declared, or not any more. */
    CHECK(says("typed", retyped, "retyped a\nindex lower(a)", PG_ERROR,
               "index 'typed_expr_idx' is there when 'a' is bigint already"));
    CHECK(says("typed", retyped, "retyped a\nindex n;where length(a) > 1", PG_ERROR,
               "index 'typed_n_idx' is there when 'a' is bigint already"));
    CHECK(says("typed", retyped, "retyped a", PG_ERROR,
               "No struct declares it: CELL_DROPPED(\"typed_a_check\") lets it go"));
    REQUIRE(becomes("checked", "id i64 | key\na str | check a <> 'x'", ""));
    CHECK(refuses("checked", "id i64 | key\na i64 | backfill length(a) | check a <> 'x'", "retyped a", "a",
                  "check 'checked_a_check' is there when 'a' is bigint already"));
    CHECK(refuses("checked", "id i64 | key\na i64 | backfill length(a) | check length(a) > 1", "retyped a", "a",
                  "check 'checked_a_check' is made when 'a' is bigint already"));
    /* What is new is refused as well when nothing changes its type. */
    const char *same = "id i64 | key\na str | check a <> 'x'\ng opt<i64> | generated length(a)\nm opt<i64>\n";
    char fields[300];
    snprintf(fields, sizeof(fields), "%sn i64 | check length(n) > 1", same);
    CHECK(refuses("typed", fields, "", "n",
                  "check 'typed_n_check' is made from an expression that PostgreSQL refuses: function length(bigint)"));
    snprintf(fields, sizeof(fields), "%sn i64 | default 'x'", same);
    CHECK(refuses("typed", fields, "", "n", "column 'n' gets its default from an expression that PostgreSQL refuses"));
    snprintf(fields, sizeof(fields), "%sn i64 | default now()", same);
    CHECK(refuses("typed", fields, "", "n", "it gives timestamp with time zone, which is not assigned to bigint"));
    snprintf(fields, sizeof(fields), "%sn i64\no opt<i64> | generated nosuch + 1", same);
    CHECK(refuses("typed", fields, "retyped o", "o", "column \"nosuch\" does not exist"));
    snprintf(fields, sizeof(fields), "%sn i64", same);
    CHECK(says("typed", fields, "index upper(n)", PG_ERROR, "function upper(bigint) does not exist"));
    CHECK(says("typed", fields, "index m;where n + 1", PG_ERROR, "it gives bigint, which is not assigned to boolean"));
    CHECK(is("SELECT concat_ws(' ', a, g, n) FROM typed", "abc 3 2"));
    /* Literals become what they are for, and what is assigned need not be of the type. */
    REQUIRE(becomes("typed",
                    "id i64 | key\na str | check a <> 'x'\ng opt<i64> | generated length(a)\nn i64 | default 1.5\n"
                    "m opt<i64>\nb bool | default ('true') | check b\nt opt<str> | default now()\n"
                    "o opt<i64> | check typed.o > 1 and tableoid > 0",
                    ""));
}

TEST(an_expression_of_a_new_table_is_typed_before_any_step)
{
    if (!server())
        return;
    CHECK(refuses("fresh", "id i64 | key\nn i64 | check length(n) > 1", "", "n",
                  "check 'fresh_n_check' is made from an expression that PostgreSQL refuses: function length(bigint)"));
    CHECK(refuses("fresh", "id i64 | key\nn i64 | check n > ", "", "n", "syntax error"));
    CHECK(refuses("fresh", "id i64 | key\nn i64 | check sum(n) > 1\nm i64 | check m > 1", "", "n", "aggregate"));
    CHECK(refuses("fresh", "id i64 | key\nn i64 | default 'x'", "", "n",
                  "column 'n' gets its default from an expression that PostgreSQL refuses: invalid input"));
    CHECK(refuses("fresh", "id i64 | key\nn i64 | default now()", "", "n",
                  "it gives timestamp with time zone, which is not assigned to bigint"));
    CHECK(refuses("fresh", "id i64 | key\no opt<i64> | generated nosuch + 1", "", "o",
                  "column 'o' is generated from an expression that PostgreSQL refuses: column \"nosuch\""));
    CHECK(says("fresh", "id i64 | key\nv str", "index upper(id)", PG_ERROR, "function upper(bigint) does not exist"));
    CHECK(says("v", "id i64 | key\nv str", "index v;where v + 1", PG_ERROR, "operator does not exist"));
    CHECK(says("fresh", "id i64 | key", "check id > nosuch", PG_ERROR, "\"nosuch\" does not exist"));
    /* Of several all are said, and of what is right nothing. */
    CHECK(refuses("fresh", "id i64 | key\nn i64 | check upper(n) = 'A'\nm i64 | check m < 5\no i64 | default 'x'", "",
                  "o", "invalid input syntax"));
    REQUIRE(
        becomes("fresh",
                "id i64 | key\nn i64 | check fresh.n > 1 and tableoid > 0 | default 1.5\nb bool | default ('true') | "
                "check b\nt opt<str> | default now()\no opt<i64> | generated n * 2\nc i32 | check \"C\" > 0 | "
                "column C",
                "index lower(t);where b\nindex n"));
}

TEST(the_values_of_a_new_column_are_typed_before_any_step)
{
    const char *there = "id i64 | key\na str\nb str\n";
    char fields[300];

    if (!server())
        return;
    REQUIRE(becomes("valued", there, ""));
    migration_sql(conn, "INSERT INTO valued VALUES (1, '4', 'x')");
    snprintf(fields, sizeof(fields), "%sn i64 | backfill length(a) + nosuch", there);
    CHECK(refuses("valued", fields, "", "n",
                  "the values of column 'n' are computed from an expression that PostgreSQL "
                  "refuses: column \"nosuch\" does not exist. No step was carried out"));
    snprintf(fields, sizeof(fields), "%sn i64 | backfill a <> ''", there);
    CHECK(refuses("valued", fields, "", "n", "it gives boolean, which is not assigned to bigint"));
    CHECK(refuses("valued", "id i64 | key\nb str\nn i64 | replaces a;lenght(a);n::text", "", "n",
                  "the values of column 'n' are computed from an expression that PostgreSQL refuses: function lenght"));
    CHECK(refuses("valued", "id i64 | key\nb str\nn i64 | replaces a;length(a);upper(n)", "", "n",
                  "the values of column 'a' are computed from an expression that PostgreSQL refuses: function upper"));
    CHECK(refuses("valued", "id i64 | key\nb str\nn i64 | replaces a;length(concat(a, ctid));n::text", "", "n",
                  "column \"ctid\" does not exist"));
    /* By the name that a column has then. */
    CHECK(refuses("valued", "id i64 | key\nc str | renamed_from a\nb str | check a <> ''", "", "b",
                  "column \"a\" does not exist"));
    REQUIRE(becomes("valued",
                    "id i64 | key\nb str\nn i64 | replaces a;length(a);repeat('x', n::integer)\n"
                    "m i64 | backfill n + length(b)",
                    ""));
    CHECK(is("SELECT concat_ws(' ', n, m) FROM valued", "1 2"));
}

TEST(what_a_step_of_the_authors_own_may_make_is_not_missed)
{
    const char *makes =
        "step make;CREATE FUNCTION twice(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$SELECT 2 * n$$";
    char rules[300];

    if (!server())
        return;
    REQUIRE(becomes("stepping", "id i64 | key", ""));
    /* Whatever it makes, there is no such column; one that changes rows makes nothing. */
    CHECK(refuses("stepping", "id i64 | key\nn i64 | default 1 | check nosuch > 1", makes, "n",
                  "column \"nosuch\" does not exist"));
    CHECK(refuses("stepping", "id i64 | key\nn i64 | default 1 | check twice(n) > 1", "step make;DELETE FROM stepping",
                  "n", "function twice(bigint) does not exist"));
    REQUIRE(becomes("stepping", "id i64 | key\nn i64 | default 1 | check twice(n) > 1", makes));
    snprintf(rules, sizeof(rules), "%s\nstep more;ALTER TABLE stepping ADD more bigint", makes);
    REQUIRE(
        becomes("stepping", "id i64 | key\nn i64 | default 1 | check twice(n) > 1\nm i64 | backfill more + 1", rules));
}

TEST(what_is_of_a_type_that_the_plan_makes_is_not_refused)
{
    if (!server())
        return;
    CHECK(refuses("feelings", "id i64 | key\nm mood | sql_type feeling | check m <> 'sad' and nosuch", "", "m",
                  "column \"nosuch\" does not exist"));
    CHECK(refuses("feelings", "id i64 | key\nm mood | sql_type feeling\nn i64 | check length(n) > 0", "", "n",
                  "function length(bigint) does not exist"));
    REQUIRE(becomes("feelings",
                    "id i64 | key\nm mood | sql_type feeling | default 'ok' | check m = ANY (enum_range('sad', m))",
                    ""));
    migration_sql(conn, "CREATE TYPE feeling2 AS ENUM ('sad', 'ok')");
    REQUIRE(becomes("feelings2", "id i64 | key\nm mood | sql_type feeling2 | default 'happy' | check m <> 'sad'", ""));
}

/* The first `n` steps of the plan, and then whatever is left. */
static bool becomes_after(uint32_t n, const char *name, const char *fields, const char *rules)
{
    const struct pg_migration_options options = {.policy = PG_POLICY_APPLY, .deadline_ms = pg_now_ms() + 20000};
    json_t *request = pg_build_request("table", name, fields, rules);
    struct pg_unit u = {0};
    struct pg_failure f = {0};
    struct pg_applied applied;
    bool done = pg_unit_plan(conn, &request, 1, NULL, options.deadline_ms, &u, &f) >= 0 && u.plan->nsteps > n;

    if (done) {
        u.plan->nsteps = n;
        done = pg_migration_begin(conn, &options, &f) >= 0 && pg_apply(conn, u.plan, &options, &applied, &f) >= 0;
        pg_migration_end(conn);
    }
    if (f.text[0])
        printf("%s\n", f.text);
    pg_unit_free(&u);
    json_decref(request);
    return done && becomes(name, fields, rules);
}

TEST(what_stays_is_made_again_for_the_type_that_its_column_gets)
{
    if (!server())
        return;
    /* Of what is declared, and of what no struct has any more. */
    REQUIRE(becomes("kept", "id i64 | key\nm str | check m <> 'sad'\nn i64 | default 1",
                    "index id;where m = 'ok'\nindex n;where m <> 'ok'\ncheck m > 'n' or id > 0"));
    migration_sql(conn, "INSERT INTO kept VALUES (1, 'ok'), (2, 'happy')");
    migration_sql(conn, "CREATE TYPE kept_mood AS ENUM ('sad', 'ok', 'happy')");
    CHECK(says("kept", "id i64 | key\nm mood | sql_type kept_mood | backfill m::kept_mood | check m <> 'sad'\nn i64",
               "retyped m", PG_ERROR,
               "check 'kept_check' is there when 'm' is public.kept_mood already, by the same build, and "
               "the expression is not for that: invalid input value for enum kept_mood: \"n\"."));
    migration_sql(conn, "ALTER TABLE kept DROP CONSTRAINT kept_check");
    REQUIRE(becomes("kept",
                    "id i64 | key\nm mood | sql_type kept_mood | backfill m::kept_mood | check m <> 'sad'\nn i64",
                    "retyped m\nindex id;where m = 'ok'"));
    CHECK(
        is("SELECT string_agg(pg_get_constraintdef(oid), ' ') FROM pg_constraint WHERE conrelid = 'kept'::regclass AND "
           "contype = 'c'",
           "CHECK ((m <> 'sad'::kept_mood))"));
    CHECK(is("SELECT string_agg(pg_get_expr(indpred, indrelid), ' ' ORDER BY indexrelid::regclass::text) FROM pg_index "
             "WHERE indrelid = 'kept'::regclass",
             "(m = 'ok'::kept_mood) (m <> 'ok'::kept_mood)"));
    CHECK(is("SELECT count(*) FROM cell.history WHERE table_name = 'kept' AND text LIKE "
             "'%and make ''kept_m_check'', ''kept_id_idx'', ''kept_n_idx'' again'",
             "1"));
    /* A type that the plan makes; a check that is not there any more is not made again. */
    REQUIRE(becomes("kept2", "id i64 | key\nm str | check m <> 'sad'\nn str | check n <> 'sad'", ""));
    REQUIRE(becomes("kept2",
                    "id i64 | key\nm mood | sql_type kept2_mood | backfill m::kept2_mood | check m <> 'sad'\n"
                    "n mood | sql_type kept2_mood | backfill n::kept2_mood",
                    "retyped m\nretyped n\ndropped kept2_n_check"));
    CHECK(is("SELECT count(*) FROM pg_constraint WHERE conrelid = 'kept2'::regclass AND contype = 'c'", "1"));
}

TEST(what_is_replaced_is_not_in_the_way_of_what_its_columns_become)
{
    if (!server())
        return;
    /* Steps: the index goes, the check goes, the column changes, the check and the index come, the check is validated.
     */
    for (uint32_t n = 0; n < 6; n++) {
        REQUIRE(becomes("ways", "id i64 | key\nsize str | check length(size) < 4\nkind str | index hash",
                        "index lower(size)"));
        migration_sql(conn, "INSERT INTO ways VALUES (1, 'abc', 'k')");
        REQUIRE(becomes_after(n, "ways",
                              "id i64 | key\nsize i64 | backfill length(size) * 1000 | check size < 4000\n"
                              "kind str | index hash",
                              "index abs(size)\nretyped size"));
        CHECK(is("SELECT concat_ws(' ', size, pg_get_constraintdef(c.oid)) FROM ways, pg_constraint c WHERE conrelid = "
                 "'ways'::regclass AND contype = 'c'",
                 "3000 CHECK ((size < 4000))"));
        CHECK(
            is("SELECT string_agg(pg_get_indexdef(indexrelid, 1, false), ' ' ORDER BY indexrelid::regclass::text) FROM "
               "pg_index WHERE indrelid = 'ways'::regclass AND indisvalid",
               "abs(size) kind id"));
        migration_sql(conn, "DROP TABLE ways; DELETE FROM cell.objects WHERE table_name = 'ways'");
    }
    /* Values that come, and those of what is generated from them. */
    REQUIRE(
        becomes("ways", "id i64 | key\nn opt<i64> | check n > 10\nm opt<i64> | generated n * 2 | check m > 20", ""));
    migration_sql(conn, "INSERT INTO ways (id, n) VALUES (1, NULL), (2, 11)");
    REQUIRE(becomes(
        "ways", "id i64 | key\nn i64 | backfill 0 | check n >= 0\nm opt<i64> | generated n * 2 | check m >= 0", ""));
    CHECK(is("SELECT string_agg(concat_ws(' ', n, m), ', ' ORDER BY id) FROM ways", "0 0, 11 22"));
    /* One that was made by hand goes by consent, which is spent then. */
    REQUIRE(becomes("hands", "id i64 | key\nn i64", ""));
    migration_sql(conn, "ALTER TABLE hands ADD CONSTRAINT hands_n_check CHECK (n % 1 = 0)");
    REQUIRE(becomes("hands", "id i64 | key\nn str | backfill to_hex(n) | check n <> ''",
                    "retyped n\ndropped hands_n_check"));
    CHECK(is("SELECT count(*) FROM cell.objects WHERE kind = 'dropped' AND name = 'hands_n_check'", "1"));
}

TEST(columns_that_need_each_others_values_are_refused)
{
    if (!server())
        return;
    REQUIRE(becomes("round", "id i64 | key", ""));
    CHECK(says("round", "id i64 | key\na i64 | backfill b + 1\nb i64 | backfill c + 1\nc i64 | backfill a + 1", "",
               PG_ERROR, "'a' is computed from 'b', that from 'c', that from 'a'"));
    CHECK(says("round", "id i64 | key\nc opt<i64> | generated a\na i64 | backfill c + 1", "retyped c", PG_ERROR,
               "'c' is computed from 'a', that from 'c'"));
    /* Of itself, and of another table's column of the name, which is no circle. */
    REQUIRE(becomes("squares", "id i64 | key\na i64\nb i64", ""));
    migration_sql(conn, "INSERT INTO squares VALUES (1, 4, 5); INSERT INTO round VALUES (1)");
    REQUIRE(becomes("round",
                    "id i64 | key\na i64 | backfill (SELECT b FROM squares s WHERE s.id = round.id)\n"
                    "b i64 | backfill (SELECT a FROM squares s WHERE s.id = round.id)",
                    ""));
    CHECK(is("SELECT concat_ws(' ', a, b) FROM round", "5 4"));
    /* They are filled now: that each could be computed from the other is no mistake any more. */
    REQUIRE(becomes("round", "id i64 | key\na i64 | backfill b\nb i64 | backfill a", ""));
}

TEST(a_generated_column_gets_another_type)
{
    if (!server())
        return;
    REQUIRE(becomes("sized", "id i64 | key\nw i32\narea i32 | generated w * w | index", "retyped area"));
    migration_sql(conn, "INSERT INTO sized VALUES (1, 3); CREATE INDEX by_hand ON sized (area, id); CREATE VIEW v AS "
                        "SELECT w FROM sized");
    CHECK(says("sized", "id i64 | key\nw i32\narea i64 | generated w * w | index", "", PG_ERROR,
               "CELL_RETYPED(\"area\") consents"));
    /* Nothing is lost: in place, with what hangs on it. */
    REQUIRE(becomes("sized", "id i64 | key\nw i32\narea i64 | generated w * w | index", "retyped area"));
    CHECK(is("SELECT concat_ws(' ', area, pg_typeof(area)) FROM sized", "9 bigint"));
    CHECK(is("SELECT to_regclass('by_hand') IS NOT NULL", "t"));
    /* Not every old value is a new one, but those that are computed are: made again. */
    CHECK(says("sized", "id i64 | key\nw i32\narea i16 | generated w * w | index", "retyped area", PG_WARNING,
               "is made again, and with it goes what no struct declares: 'by_hand'"));
    REQUIRE(becomes("sized", "id i64 | key\nw i32\narea i16 | generated w * w | index", "retyped area"));
    CHECK(is("SELECT concat_ws(' ', area, pg_typeof(area)) FROM sized", "9 smallint"));
    CHECK(is("SELECT count(*) FROM pg_indexes WHERE tablename = 'sized' AND indexdef LIKE '%(area)'", "1"));
    CHECK(is("SELECT source FROM cell.objects WHERE table_name = 'sized' AND kind = 'generated'", "w * w"));
}

TEST(a_column_that_others_are_generated_from_gets_another_type_and_name)
{
    if (!server())
        return;
    REQUIRE(becomes("billed", "id i64 | key\ncents i32\neuros opt<i32> | generated cents / 100 | index\nname str",
                    "retyped euros"));
    migration_sql(conn, "INSERT INTO billed VALUES (1, 500, DEFAULT, 'x')");
    CHECK(says("billed", "id i64 | key\neuros opt<i64> | generated cents / 100 | index\ncents i64\nname str",
               "retyped cents", PG_ERROR, "CELL_RETYPED(\"euros\") consents"));
    REQUIRE(becomes("billed",
                    "id i64 | key\neuros opt<i64> | generated amount / 100 | index\namount i64 | renamed_from cents\n"
                    "name str",
                    "retyped amount\nretyped euros"));
    CHECK(is("SELECT concat_ws(' ', amount, pg_typeof(amount), euros, pg_typeof(euros)) FROM billed",
             "500 bigint 5 bigint"));
    CHECK(is("SELECT count(*) FROM pg_indexes WHERE tablename = 'billed' AND indexdef LIKE '%(euros)'", "1"));
    /* Nor is one that costs nothing by itself free then. */
    REQUIRE(becomes("named", "id i64 | key\nname str | sql_type varchar(20)\nlow str | generated lower(name)", ""));
    CHECK(says("named", "id i64 | key\nname str\nlow str | generated lower(name)", "", PG_ERROR,
               "CELL_RETYPED(\"name\") consents"));
    REQUIRE(becomes("named", "id i64 | key\nname str\nlow str | generated lower(name)", "retyped name"));
    migration_sql(conn, "ALTER TABLE named ADD up text GENERATED ALWAYS AS (upper(name)) STORED");
    CHECK(says("named", "id i64 | key\nname str | sql_type varchar\nlow str | generated lower(name)", "retyped name",
               PG_ERROR, "cannot get another type while 'up', which no field declares, is generated from it"));
}

TEST(names_that_become_free_are_taken_in_one_build)
{
    static const char chain[] = "id i64 | key\nb i64 | renamed_from a | default 1\nc str | renamed_from b | unique\n"
                                "d i64 | renamed_from c";
    if (!server())
        return;
    REQUIRE(becomes("chained", "id i64 | key\na i64 | default 1\nb str | unique\nc i64", ""));
    migration_sql(conn, "INSERT INTO chained VALUES (1, 2, 'x', 3)");
    REQUIRE(becomes("chained", chain, ""));
    CHECK(is("SELECT concat_ws(' ', b, c, d) FROM chained", "2 x 3"));
    CHECK(is("SELECT count(*) FROM pg_attribute WHERE attrelid = 'chained'::regclass AND attnum > 0", "4"));
    REQUIRE(becomes("chained", chain, "")); /* it is done */
    REQUIRE(becomes("chained_anew", chain, ""));
    REQUIRE(becomes("chained_anew", chain, ""));
    migration_sql(conn, "ALTER TABLE chained ADD a int");
    CHECK(says("chained", chain, "", PG_REMARK, "also has 'a'")); /* another one, made since */
    migration_sql(conn, "DELETE FROM cell.objects WHERE kind = 'renamed'");
    CHECK(says("chained", chain, "", PG_ERROR, "columns 'a' and 'b' both exist"));
    CHECK(says("chained", "id i64 | key\nb i64 | default 1\nc str | unique\nd i64\ne i64 | renamed_from d", "",
               PG_ERROR, "CELL_RENAMED_FROM(d) contradicts the field that is this column"));
}

TEST(a_column_that_another_one_is_computed_from_does_not_go)
{
    if (!server())
        return;
    REQUIRE(becomes("bases", "id i64 | key\nn i64\nm opt<i64>", ""));
    CHECK(says("bases", "id i64 | key\nn i64\ng opt<i64> | generated m + 1", "retyped g\ndropped m", PG_ERROR,
               "column 'm' cannot go: 'g', which a field declares, is computed from it"));
    CHECK(says("bases", "id i64 | key\nm opt<i64>\nl str | replaces n;n::text;l::bigint\ng opt<i64> | generated n + 1",
               "retyped g", PG_ERROR, "column 'n' cannot go: 'g'"));
}

TEST(a_name_that_is_free_again_is_not_renamed_again)
{
    const char *fields = "id i64 | key\nm i64 | renamed_from n\nn opt<i64> | backfill NULL";
    const struct table both[] = {{"others", "id i64 | key", "table_renamed_from firsts"},
                                 {"firsts", "id i64 | key", ""}};
    struct migration m;

    if (!server())
        return;
    REQUIRE(becomes("again", "id i64 | key\nn i64", ""));
    migration_sql(conn, "INSERT INTO again VALUES (1, 7)");
    REQUIRE(becomes("again", "id i64 | key\nm i64 | renamed_from n", ""));
    CHECK(becomes("again", fields, "") && becomes("again", fields, "") && is("SELECT m FROM again", "7"));
    REQUIRE(becomes("firsts", "id i64 | key", ""));
    REQUIRE(become(&both[0], 1, &m) >= 0 && m.nsteps == 1);
    CHECK(become(&both[1], 1, &m) >= 0 && m.nsteps == 1);
    CHECK(become(&both[0], 1, &m) >= 0 && m.nsteps == 0);
    CHECK(become(both, 2, &m) >= 0 && m.nsteps == 0);
}
