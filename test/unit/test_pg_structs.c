/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Several structs of one table: what one of them says is about what another one has as well. On a real server. */
// LIBS: cell_postgres_sanitized
#include "pg_become.h"

struct of {
    const char *fields, *rules;
};

static bool pair(const char *name, struct of first, struct of second)
{
    const struct table tables[] = {{name, first.fields, first.rules}, {name, second.fields, second.rules}};
    struct migration m;

    return become(tables, 2, &m) >= 0;
}

/* Either order of the two. */
static bool pair_or(bool other, const char *name, struct of a, struct of b)
{
    return other ? pair(name, b, a) : pair(name, a, b);
}

static bool plan_pair(const char *name, struct of first, struct of second, struct pg_unit *u)
{
    json_t *requests[] = {pg_build_request("table", name, first.fields, first.rules),
                          pg_build_request("table", name, second.fields, second.rules)};
    int r = pg_unit_plan(conn, requests, 2, NULL, pg_now_ms() + 10000, u, NULL);

    json_decref(requests[0]);
    json_decref(requests[1]);
    return r >= 0;
}

/* One error, which says so, of that declaration at that field (NULL = another place). */
static bool refuses(const char *name, struct of first, struct of second, uint32_t declared, const char *field,
                    const char *text)
{
    struct pg_unit u = {0};
    uint32_t errors = 0;
    bool found = plan_pair(name, first, second, &u);
    const struct pg_diagnostic *d = found ? pg_find_diagnostic(&u.plan->diagnostics, PG_ERROR, text) : NULL;

    for (uint32_t i = 0; found && i < u.plan->diagnostics.n; i++)
        errors += u.plan->diagnostics.at[i].severity == PG_ERROR;
    found = d && errors == 1 && d->declared == declared &&
            (field ? d->field && strcmp(d->field, field) == 0 : d->field == NULL);
    if (!found && u.plan)
        pg_print_diagnostics(&u.plan->diagnostics);
    pg_unit_free(&u);
    return found;
}

TEST(a_column_is_filled_behind_those_of_another_struct)
{
    if (!server())
        return;
    for (int other = 0; other < 2; other++) {
        const char *name = other ? "filled_b" : "filled_a";
        REQUIRE(becomes(name, "id i64 | key\nkind str\nage i64", ""));
        migration_sql(conn, other ? "INSERT INTO filled_b VALUES (1, 'abc', 7)"
                                  : "INSERT INTO filled_a VALUES (1, 'abc', 7)");
        /* A value, an optional one, a change of type, and a replacement: all from what the other struct adds. */
        REQUIRE(
            pair_or(other, name,
                    (struct of){"id i64 | key\ntotal i64 | backfill price * 2\nmaybe opt<i64> | backfill price + 1\n"
                                "kind i64 | backfill length(kind) + price\nold str | replaces "
                                "age;concat(age, unit);left(old, 1)::bigint",
                                "retyped kind"},
                    (struct of){"id i64 | key\nprice i64 | backfill weight + 1\nweight i64 | backfill id * 100\n"
                                "unit str | backfill 'y'",
                                ""}));
        CHECK(is(other ? "SELECT concat_ws(' ', weight, price, total, maybe, kind, old) FROM filled_b"
                       : "SELECT concat_ws(' ', weight, price, total, maybe, kind, old) FROM filled_a",
                 "100 101 202 102 104 7y"));
    }
}

TEST(a_generated_column_is_computed_from_one_of_another_struct)
{
    if (!server())
        return;
    for (int other = 0; other < 2; other++) {
        const char *name = other ? "computed_b" : "computed_a";
        const struct of generated = {"id i64 | key\ntwice opt<i64> | generated price * 2", "retyped twice"};
        REQUIRE(becomes(name, "id i64 | key", ""));
        migration_sql(conn, other ? "INSERT INTO computed_b VALUES (5)" : "INSERT INTO computed_a VALUES (5)");
        REQUIRE(pair_or(other, name, generated, (struct of){"id i64 | key\nprice i64 | backfill id + 1", ""}));
        CHECK(is(other ? "SELECT twice FROM computed_b" : "SELECT twice FROM computed_a", "12"));
    }
}

TEST(what_is_computed_again_gets_its_type_in_the_same_step)
{
    const struct of cents = {"id i64 | key\ncents i64", "retyped cents"};
    const struct of euros = {"id i64 | key\neuros opt<i64> | generated cents / 100", "retyped euros"};
    struct pg_unit u = {0};
    if (!server())
        return;
    REQUIRE(pair("billed", (struct of){"id i64 | key\ncents i32", ""},
                 (struct of){"id i64 | key\neuros opt<i32> | generated cents / 100", ""}));
    migration_sql(conn, "INSERT INTO billed VALUES (1, 500)");
    REQUIRE(plan_pair("billed", cents, euros, &u));
    CHECK(u.plan->nsteps == 1);
    pg_unit_free(&u);
    REQUIRE(pair("billed", cents, euros));
    CHECK(is("SELECT concat_ws(' ', euros, pg_typeof(cents), pg_typeof(euros)) FROM billed", "5 bigint bigint"));
}

TEST(a_circle_of_two_structs_is_one_error)
{
    if (!server())
        return;
    REQUIRE(becomes("round", "id i64 | key", ""));
    CHECK(refuses("round", (struct of){"id i64 | key\na i64 | backfill b + 1\nc i64 | backfill a + 1", ""},
                  (struct of){"id i64 | key\nb i64 | backfill c + 1", ""}, 0, "a",
                  "'a' is computed from 'b', that from 'c', that from 'a'"));
    CHECK(refuses("round", (struct of){"id i64 | key\na opt<i64> | renamed_from b", ""},
                  (struct of){"id i64 | key\nb opt<i64> | renamed_from a", ""}, 0, "a",
                  "give columns each other's names"));
}

/* The plan of that declaration begins with a step whose text has it. */
static bool shows(const struct pg_unit *u, uint32_t declared, const char *part)
{
    char id[33];
    uint32_t n = 0;
    json_t *plan = pg_unit_plan_json(u, declared, id, &n);
    const char *text = json_string_value(json_object_get(json_array_get(json_object_get(plan, "steps"), 0), "text"));
    bool found = n > 0 && text && strstr(text, part);

    if (!found)
        printf("%s: no %s\n", text ? text : "nothing", part);
    json_decref(plan);
    return found;
}

TEST(a_new_table_has_the_columns_of_all_its_structs)
{
    const struct of first = {"twice opt<i64> | generated price * 2 | index\nname str | unique", ""};
    const struct of second = {"id i64 | key | auto\nprice i64 | default 3\nname str | length 1;10",
                              "step one;SELECT 1"};
    struct pg_unit u = {0};
    if (!server())
        return;
    for (int other = 0; other < 2; other++) {
        REQUIRE(plan_pair("made", other ? second : first, other ? first : second, &u));
        const struct pg_step *create = pg_find_step(u.plan, PG_STEP_CREATE_TABLE, NULL);
        CHECK(create && create->declared == 0 && !pg_find_step(u.plan, PG_STEP_ADD_COLUMN, NULL));
        CHECK(!pg_has_errors(&u.plan->diagnostics, UINT32_MAX));
        /* Each shows what is made of its own, the table once. */
        for (uint32_t i = 0; i < 2; i++)
            CHECK(shows(&u, i, i == 0 ? "CREATE TABLE" : "table \"public\".\"made\" is made with "));
        CHECK(shows(&u, 1, other ? "\"twice\" bigint GENERATED ALWAYS AS" : "\"id\" bigint"));
        CHECK(shows(&u, 1, other ? "UNIQUE (\"name\"), CREATE INDEX" : "PRIMARY KEY (\"id\"), CONSTRAINT"));
        pg_unit_free(&u);
        REQUIRE(pair("made", other ? second : first, other ? first : second));
        migration_sql(conn, "INSERT INTO made (name) VALUES ('a')");
        CHECK(is("SELECT concat_ws(' ', id, price, twice) FROM made", "1 3 6"));
        CHECK(is("SELECT count(*) FROM pg_constraint WHERE conrelid = 'made'::regclass AND contype IN ('p', 'u', 'c')",
                 "3"));
        migration_sql(conn, "DROP TABLE made; DELETE FROM cell.objects WHERE table_name = 'made'");
    }
}

/* Steps that are not additive, or say that something may fail. */
static uint32_t count_doubtful(const struct pg_plan *p)
{
    uint32_t n = p->diagnostics.n;

    for (uint32_t i = 0; i < p->nsteps; i++)
        n += !pg_step_is_additive(p->steps[i].kind) || p->steps[i].hazard[0] || p->steps[i].mode != PG_TOGETHER;
    return n;
}

TEST(what_any_struct_of_a_new_table_declares_is_made_with_it)
{
    const struct of first = {"id i64 | key\nname str | length 1;10 | doc name", "check id > 0\nindex lower(name)"};
    const struct of second = {
        "id i64 | doc number\nname str | length 1;10 | unique | doc other\nage i32 | range 0;150 | "
        "index\nold opt<str> | renamed_from older",
        "check age < 200\nindex upper(name)"};
    struct pg_unit u = {0};
    if (!server())
        return;
    for (int other = 0; other < 2; other++) {
        REQUIRE(plan_pair("whole", other ? second : first, other ? first : second, &u));
        CHECK(u.plan->nsteps == 1 && count_doubtful(u.plan) == 0);
        pg_unit_free(&u);
        REQUIRE(pair("whole", other ? second : first, other ? first : second));
        CHECK(
            is("SELECT count(*) FROM pg_constraint WHERE conrelid = 'whole'::regclass AND convalidated AND contype <> "
               "'n'",
               "6"));
        CHECK(is("SELECT count(*) FROM pg_index WHERE indrelid = 'whole'::regclass AND indisvalid", "5"));
        CHECK(is("SELECT string_agg(col_description(attrelid, attnum), ' ' ORDER BY attname) FROM pg_attribute WHERE "
                 "attrelid = 'whole'::regclass",
                 other ? "number other" : "number name"));
        CHECK(is("SELECT count(*) FROM cell.objects WHERE kind = 'renamed' AND name = 'older'", "1"));
        migration_sql(conn, "DROP TABLE whole; DELETE FROM cell.objects WHERE table_name = 'whole'");
    }
}

TEST(what_fails_of_a_new_table_is_of_the_struct_that_has_it)
{
    const struct table tables[] = {{"blamed", "id i64 | key", ""}, {"blamed", "id i64\nn i64 | check nosuch > 0", ""}};
    struct migration m;
    if (!server())
        return;
    REQUIRE(become(tables, 2, &m) < 0);
    CHECK_STR(m.field, "n");
    /* Of what the server gives no place. */
    const struct table random[] = {
        {"blamed", "id i64 | key\nok opt<i64> | generated id * 2", ""},
        {"blamed", "id i64\nn opt<f64> | generated random()\nmore opt<i64> | generated id + 1", ""}};
    REQUIRE(become(random, 2, &m) < 0);
    CHECK_STR(m.field, "n");
    CHECK(strstr(m.text, "\"n\" double precision GENERATED ALWAYS AS (random()) STORED: generation expression is not"));
    const struct table json[] = {{"blamed", "id i64 | key", ""},
                                 {"blamed", "id i64\nj str | sql_type json | unique", ""}};
    REQUIRE(become(json, 2, &m) < 0);
    CHECK_STR(m.field, "j");
}

TEST(a_rename_holds_for_what_other_structs_have)
{
    if (!server())
        return;
    for (int other = 0; other < 2; other++) {
        const struct of plain = {"id i64 | key\nmail str\nzip str", ""};
        const struct of renamed = {"id i64 | key\nmail str | renamed_from email\nlast str | renamed_from mail", ""};
        REQUIRE(becomes("posted", "id i64 | key\nemail str\nmail str\nzip str", ""));
        migration_sql(conn, "INSERT INTO posted VALUES (1, 'e', 'm', 'z')");
        REQUIRE(pair_or(other, "posted", plain, renamed));
        CHECK(is("SELECT concat_ws(' ', mail, last, zip) FROM posted", "e m z"));
        REQUIRE(pair_or(other, "posted", plain, renamed)); /* it is done */
        migration_sql(conn, "DROP TABLE posted; DELETE FROM cell.objects WHERE table_name = 'posted'");
    }
    /* A chain whose names are in two structs. */
    for (int other = 0; other < 2; other++) {
        REQUIRE(becomes("chained", "id i64 | key\na i64\nb str", ""));
        migration_sql(conn, "INSERT INTO chained VALUES (1, 2, 'x')");
        REQUIRE(pair_or(other, "chained", (struct of){"id i64 | key\nb i64 | renamed_from a", ""},
                        (struct of){"id i64 | key\nc str | renamed_from b", ""}));
        CHECK(is("SELECT concat_ws(' ', b, c) FROM chained", "2 x"));
        migration_sql(conn, "DROP TABLE chained; DELETE FROM cell.objects WHERE table_name = 'chained'");
    }
}

TEST(a_former_name_of_the_table_is_one_whichever_struct_says_it)
{
    if (!server())
        return;
    for (int other = 0; other < 2; other++) {
        REQUIRE(becomes("persons", "id i64 | key\nage opt<i64>", ""));
        migration_sql(conn, "INSERT INTO persons VALUES (1, 7)");
        REQUIRE(pair_or(other, "people", (struct of){"id i64 | key\nage i64 | backfill 0", ""},
                        (struct of){"id i64 | key", "table_renamed_from persons"}));
        CHECK(is("SELECT age FROM people", "7"));
        CHECK(is("SELECT to_regclass('persons') IS NULL", "t"));
        migration_sql(conn, "DROP TABLE people; DELETE FROM cell.objects");
    }
}

TEST(consents_of_one_struct_are_for_the_table)
{
    if (!server())
        return;
    for (int other = 0; other < 2; other++) {
        const struct of mail = {"id i64 | key\nmail opt<str>", ""};
        const struct of dropped = {"id i64 | key", "dropped email\ndropped letters_id_idx"};
        struct pg_unit u = {0};
        REQUIRE(becomes("letters", "id i64 | key\nemail opt<str>", ""));
        migration_sql(conn, "CREATE INDEX letters_id_idx ON letters (id) WHERE id > 1");
        REQUIRE(plan_pair("letters", other ? dropped : mail, other ? mail : dropped, &u));
        /* What a struct lets go is its own plan: the other one's had none of it when it was alone. */
        const struct pg_step *column = pg_find_step(u.plan, PG_STEP_DROP_COLUMN, "email");
        const struct pg_step *index = pg_find_step(u.plan, PG_STEP_DROP_INDEX, "letters_id_idx");
        CHECK(column && index && column->declared == !other && index->declared == !other);
        pg_unit_free(&u);
        REQUIRE(pair_or(other, "letters", mail, dropped));
        CHECK(is("SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = "
                 "'letters'::regclass AND attnum > 0 AND NOT attisdropped",
                 "id mail"));
        migration_sql(conn, "DROP TABLE letters; DELETE FROM cell.objects");
    }
}

TEST(one_struct_says_what_rows_get_in_a_column_of_both)
{
    if (!server())
        return;
    for (int other = 0; other < 2; other++) {
        REQUIRE(becomes("shared", "id i64 | key", ""));
        migration_sql(conn, "INSERT INTO shared VALUES (4)");
        REQUIRE(pair_or(other, "shared", (struct of){"id i64 | key\nn i64\no opt<i64>", ""},
                        (struct of){"n i64 | backfill id\no opt<i64> | backfill n + 1", ""}));
        CHECK(is("SELECT concat_ws(' ', n, o) FROM shared", "4 5"));
        migration_sql(conn, "DROP TABLE shared; DELETE FROM cell.objects");
    }
}

TEST(structs_that_contradict_each_other_are_refused)
{
    const struct of own = {"id i64 | key\nname str | length 1;20\nage i32 | range 0;150\nu u8\nm mood", ""};
    if (!server())
        return;
    CHECK(refuses("patterned", (struct of){"id i64 | key\nname str | pattern ^a", ""},
                  (struct of){"name str | pattern ^b", ""}, 1, "name", "disagree on column 'name': its CELL_PATTERN"));
    CHECK(refuses("past", (struct of){"id i64 | key\nage i32 | backfill 7", ""},
                  (struct of){"age i32 | backfill 8", ""}, 1, "age",
                  "disagree on column 'age': what rows that are there get, which is CELL_BACKFILL(\"7\") and "
                  "CELL_BACKFILL(\"8\")"));
    CHECK(refuses("past", (struct of){"id i64 | key\nage i32 | renamed_from years", ""},
                  (struct of){"age i32 | renamed_from old", ""}, 1, "age",
                  "disagree on column 'age': its former name, which is CELL_RENAMED_FROM(years) and "
                  "CELL_RENAMED_FROM(old)"));
    CHECK(refuses("past", (struct of){"id i64 | key\nn opt<i64> | replaces a;a + 1;n - 1", ""},
                  (struct of){"n opt<i64> | replaces a;a + 2;n - 2", ""}, 1, "n",
                  "disagree on column 'n': which column it replaces, or by what SQL (CELL_REPLACES)"));
    for (int made = 0; made < 2; made++) {
        CHECK(refuses(
            "agreed", own, (struct of){"id i64 | key\nname str | length 1;30", ""}, 1, "name",
            "disagree on column 'name': its CELL_LENGTH, which is CHECK (char_length(\"name\") BETWEEN 1 AND 20) "
            "and CHECK (char_length(\"name\") BETWEEN 1 AND 30)"));
        CHECK(refuses("agreed", own, (struct of){"id i64 | key\nage i32 | range 0;99", ""}, 1, "age",
                      "disagree on column 'age': its CELL_RANGE"));
        CHECK(refuses("agreed", own, (struct of){"id i64 | key\nu i8", ""}, 1, "u",
                      "disagree on column 'u': its type in C, which is CHECK (\"u\" BETWEEN 0 AND 255) and CHECK"));
        CHECK(refuses("agreed", (struct of){own.fields, "step one;SELECT 1"},
                      (struct of){"id i64 | key", "step one;SELECT 2"}, 1, NULL,
                      "have different SQL in their steps of the name 'one'"));
        /* The same twice, a rule that only one of them has, and checks, of which a column may have several. */
        REQUIRE(pair(
            "agreed", (struct of){own.fields, "step one;SELECT 1"},
            (struct of){
                "id i64 | key\nname str | length 1;20 | check name <> 'x'\nage i32\nu u8 | range 0;99 | check u > 1"
                "\nm mood | check m <> 0",
                "step one;SELECT 1"}));
    }
    CHECK(is("SELECT count(*) FROM cell.objects WHERE table_name = 'agreed' AND kind = 'step'", "1"));
    CHECK(is("SELECT count(*) FROM pg_constraint WHERE conrelid = 'agreed'::regclass AND contype = 'c'", "8"));
}

TEST(comments_of_two_structs_do_not_take_turns)
{
    if (!server())
        return;
    REQUIRE(pair("noted", (struct of){"id i64 | key | doc one", ""},
                 (struct of){"id i64 | key | doc two\nn i64 | doc n", ""}));
    CHECK(is("SELECT col_description('noted'::regclass, 1) || col_description('noted'::regclass, 2)", "onen"));
    REQUIRE(pair("noted", (struct of){"id i64 | key", ""}, (struct of){"id i64 | key | doc two\nn i64 | doc n", ""}));
    CHECK(is("SELECT col_description('noted'::regclass, 1)", "two"));
}

TEST(what_another_struct_has_is_not_called_undeclared)
{
    struct pg_unit u = {0};
    if (!server())
        return;
    REQUIRE(becomes("served", "id i64 | key\nn i64", ""));
    migration_sql(conn, "CREATE UNIQUE INDEX served_by_hand ON served (n)");
    REQUIRE(plan_pair("served", (struct of){"id i64 | key\nn i64 | unique", ""}, (struct of){"id i64 | key", ""}, &u));
    CHECK(u.plan->nsteps == 0 && u.plan->diagnostics.n == 0);
    pg_unit_free(&u);
}

TEST(rules_of_a_struct_name_columns_of_another)
{
    if (!server())
        return;
    migration_sql(conn, "CREATE TABLE named_to (x bigint, y bigint, PRIMARY KEY (x, y))");
    for (int made = 0; made < 2; made++)
        for (int other = 0; other < 2; other++) {
            const struct of rules = {
                "a i64\nage i32",
                "primary_key a, b\nunique_index a, c\nindex b desc, lower(c);include (d) where b > 1\n"
                "foreign_key a, b;named_to(x, y)\nforeign_key d, a;named_to on delete no action\n"
                "check a <> b"};
            const struct of plain = {"b i64\nc str\nd opt<i64>", ""};
            if (made) /* the table is there already */
                REQUIRE(becomes("named", "a i64\nb i64\nc str\nd opt<i64>\nage i32", ""));
            REQUIRE(pair_or(other, "named", rules, plain));
            CHECK(is(
                "SELECT string_agg(pg_get_constraintdef(oid), '; ' ORDER BY pg_get_constraintdef(oid) COLLATE \"C\") "
                "FROM pg_constraint WHERE conrelid = 'named'::regclass AND contype <> 'n'",
                "CHECK ((a <> b)); FOREIGN KEY (a, b) REFERENCES named_to(x, y); "
                "FOREIGN KEY (d, a) REFERENCES named_to(x, y); PRIMARY KEY (a, b)"));
            CHECK(is("SELECT count(*) FROM pg_index WHERE indrelid = 'named'::regclass", "3"));
            /* A consent in one struct to a type in the other, which holds for that type. */
            REQUIRE(pair_or(other, "named", (struct of){rules.fields, "primary_key a, b\nretyped d"},
                            (struct of){"b i64\nc str\nd opt<str>", "dropped named_d_a_fkey"}));
            REQUIRE(pair_or(other, "named", (struct of){rules.fields, "primary_key a, b\nretyped d"},
                            (struct of){"b i64\nc str\nd opt<i64> | backfill d::bigint", ""}));
            migration_sql(conn, "DROP TABLE named; DELETE FROM cell.objects");
        }
}

TEST(a_column_that_no_struct_has_is_refused_at_the_rule)
{
    static const struct {
        const char *rule, *said;
    } rows[] = {{"index bdc", "no field is column 'bdc'"},
                {"index a;include (x)", "no field is column 'x'"},
                {"unique_index a, x", "no field is column 'x'"},
                {"primary_key x", "no field is column 'x'"},
                {"foreign_key x;named_by(a)", "no field is column 'x'"},
                {"retyped acb", "no field is column 'acb'; did you mean 'abc'?"}};
    if (!server())
        return;
    for (int made = 0; made < 2; made++) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
            for (int other = 0; other < 2; other++) {
                const struct of a = {"a i64 \nabc opt<i64>", rows[i].rule}, b = {"bcd opt<i64>", ""};
                struct pg_unit u = {0};
                CHECK(refuses("named_by", other ? b : a, other ? a : b, (uint32_t)other, NULL, rows[i].said));
                /* It is for the end of the file: a later struct may have the column. */
                REQUIRE(plan_pair("named_by", other ? b : a, other ? a : b, &u));
                CHECK(!pg_has_refusals(&u.plan->diagnostics, UINT32_MAX));
                const struct pg_diagnostic *d = pg_find_diagnostic(&u.plan->diagnostics, PG_ERROR, rows[i].said);
                CHECK(d && d->rule == 0);
                pg_unit_free(&u);
            }
        /* Also one that the table has, by whomever. */
        migration_sql(conn,
                      "CREATE TABLE IF NOT EXISTS named_by (a bigint NOT NULL, abc bigint, bcd bigint, x bigint)");
    }
}

TEST(columns_of_another_struct_are_what_a_rule_needs)
{
    if (!server())
        return;
    CHECK(refuses("needy", (struct of){"a i64", "primary_key a, b"}, (struct of){"b opt<i64>", ""}, 0, NULL,
                  "a key is never NULL: field 'b' of struct 'needy_t' cannot be optional"));
    CHECK(refuses("needy", (struct of){"b i64", ""},
                  (struct of){"a i64 | key", "foreign_key b;needy on delete set null"}, 1, NULL,
                  "'set null' contradicts column 'b' of struct 'needy_t', which is never NULL"));
}

TEST(a_table_has_one_former_name_and_one_key)
{
    if (!server())
        return;
    for (int made = 0; made < 2; made++) {
        CHECK(refuses("once", (struct of){"a i64 | key\nb i64", "table_renamed_from twice"},
                      (struct of){"a i64 | key", "table_renamed_from thrice"}, 1, NULL,
                      "disagree on its former name: CELL_TABLE_RENAMED_FROM(\"twice\") and "
                      "CELL_TABLE_RENAMED_FROM(\"thrice\")"));
        CHECK(refuses("once", (struct of){"a i64 | key\nb i64", ""}, (struct of){"a i64\nb i64 | key", ""}, 1, NULL,
                      "disagree on its primary key: (\"a\") and (\"b\")"));
        REQUIRE(pair("once", (struct of){"a i64 | key\nb i64", "table_renamed_from twice"},
                     (struct of){"a i64", "primary_key a\ntable_renamed_from twice"}));
    }
}

TEST(a_step_that_has_changed_is_told_once)
{
    const struct of one = {"a i64 | key", "step one;SELECT 1"}, changed = {"a i64 | key", "step one;SELECT 2"};
    struct pg_unit u = {0};
    uint32_t found = 0;
    if (!server())
        return;
    REQUIRE(becomes("stepped", "a i64 | key", ""));
    REQUIRE(pair("stepped", one, one));
    REQUIRE(plan_pair("stepped", changed, changed, &u));
    for (uint32_t i = 0; i < u.plan->diagnostics.n; i++)
        found += strstr(u.plan->diagnostics.at[i].text, "[step-changed]") != NULL;
    CHECK(found == 1 && u.plan->diagnostics.n == 1 && u.plan->diagnostics.at[0].declared == 0);
    pg_unit_free(&u);
}

/* What the plan for the first struct alone is refused for, and whether that waits for the others. */
static bool waits(const char *name, struct of first, const char *text)
{
    json_t *request = pg_build_request("table", name, first.fields, first.rules);
    struct pg_unit u = {0};
    bool found = pg_unit_plan(conn, &request, 1, NULL, pg_now_ms() + 10000, &u, NULL) >= 0;
    const struct pg_diagnostic *d = found ? pg_find_diagnostic(&u.plan->diagnostics, PG_ERROR, text) : NULL;

    found = d && d->whole && pg_unit_has_errors(&u, 0) && !pg_has_refusals(&u.plan->diagnostics, UINT32_MAX);
    if (!found && u.plan)
        pg_print_diagnostics(&u.plan->diagnostics);
    pg_unit_free(&u);
    json_decref(request);
    return found;
}

TEST(what_a_later_struct_may_lift_waits_for_it)
{
    static const struct {
        struct of first, second;
        const char *said;
    } rows[] = {
        {{"id i64 | key\nn bool", ""}, {"n bool | backfill true", ""}, "[MF103]"},
        {{"id i64 | key\no i64", ""}, {"o i64 | backfill 1", ""}, "[MF104]"},
        {{"id i64 | key\ns i64", ""}, {"id i64 | key", "retyped s"}, "[PG301]"},
        {{"id i64 | key\nt opt<i64>", "retyped t"}, {"t opt<i64> | backfill t::bigint", ""}, "[retype-loses-data]"},
        {{"id i64 | key\nt opt<i64> | backfill t::bigint", ""}, {"id i64 | key", "retyped t"}, "[retype-loses-data]"},
        {{"id i64 | key\ng opt<i64> | generated id * 2", ""},
         {"id i64 | key", "retyped g"},
         "[adding-stored-generated]"},
        {{"id i64 | key", "check id > 0"}, {"id i64", "dropped waiting_check"}, "[drop-constraint]"},
        {{"id i64 | key\ns i32\no opt<i64>", "check id <> 7\ndropped tt"}, {"t opt<str>", ""}, "[no-effect]"},
        {{"id i64 | key\nup opt<i64> | references waiting;other", ""},
         {"other i64 | unique | backfill 1", ""},
         "table 'waiting' has no column 'other'"}};
    if (!server())
        return;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        migration_sql(conn, "CREATE TABLE waiting (id bigint PRIMARY KEY, o bigint, s integer NOT NULL DEFAULT 3, t "
                            "text, "
                            "CONSTRAINT waiting_check CHECK (id <> 7)); INSERT INTO waiting VALUES (1, 2, 3, '4')");
        CHECK(waits("waiting", rows[i].first, rows[i].said));
        CHECK(pair("waiting", rows[i].first, rows[i].second));
        migration_sql(conn, "DROP TABLE waiting; DELETE FROM cell.objects");
    }
}

TEST(what_a_later_struct_makes_possible_is_in_its_plan)
{
    static const struct {
        struct of first, second;
    } rows[] = {{{"id i64 | key\ns i64", ""}, {"id i64 | key", "retyped s"}},
                {{"id i64 | key", "check id > 0"}, {"id i64", "dropped possible_check"}},
                {{"id i64 | key", "index s"}, {"s i32", ""}}};
    if (!server())
        return;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct pg_unit u = {0};
        char id[33];
        uint32_t n = 0;
        migration_sql(conn, "CREATE TABLE possible (id bigint PRIMARY KEY, s integer NOT NULL DEFAULT 3, CONSTRAINT "
                            "possible_check CHECK "
                            "(id <> 7))");
        REQUIRE(plan_pair("possible", rows[i].first, rows[i].second, &u));
        json_t *plan = pg_unit_plan_json(&u, 1, id, &n);
        CHECK(u.plan->nsteps > 0 && n > 0 && plan);
        json_decref(plan);
        pg_unit_free(&u);
        migration_sql(conn, "DROP TABLE possible");
    }
}
