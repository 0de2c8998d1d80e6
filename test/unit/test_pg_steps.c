/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Kinds of steps that other tests only look at, carried out by a server on tables that have rows. */
// LIBS: cell_postgres_sanitized
#include "pg_become.h"

TEST(a_renamed_table_keeps_its_rows_and_what_refers_to_it)
{
    const struct table before[] = {{"people", "id i64 | key | auto\nname str | check name <> ''", ""},
                                   {"letters", "id i64 | key | auto\nby i64 | references people;id", ""}};
    const struct table after[] = {
        {"persons", "id i64 | key | auto\nname str | check name <> ''", "table_renamed_from people"},
        {"letters", "id i64 | key | auto\nby i64 | references persons;id", ""}};
    struct migration m;

    if (!server())
        return;
    REQUIRE(become(before, 2, &m) >= 0);
    migration_sql(conn, "INSERT INTO people (name) VALUES ('ada'), ('eve'); INSERT INTO letters (by) VALUES (2)");
    REQUIRE(become(after, 2, &m) >= 0);
    CHECK(m.nsteps == 1);
    CHECK(is("SELECT string_agg(name, ' ' ORDER BY id) FROM persons", "ada eve"));
    CHECK(is("SELECT to_regclass('people') IS NULL", "t"));
    CHECK(pg_run(conn, "DELETE FROM persons WHERE id = 2", NULL) < 0); /* the letter still refers to it */
    CHECK(!says("persons", after[0].fields, after[0].rules, PG_REMARK, "done long ago"));
    migration_sql(conn, "UPDATE cell.objects SET at = now() - interval '31 days' WHERE kind = 'renamed'");
    CHECK(says("persons", after[0].fields, after[0].rules, PG_REMARK,
               "CELL_TABLE_RENAMED_FROM(\"people\") was done long ago"));
    migration_sql(conn, "CREATE TABLE people (id bigint)");
    CHECK(!says("persons", after[0].fields, after[0].rules, PG_ERROR, "both exist")); /* another one, made since */
    migration_sql(conn, "DELETE FROM cell.objects WHERE kind = 'renamed'");
    CHECK(says("persons", after[0].fields, after[0].rules, PG_ERROR, "'people' and 'persons' both exist"));
    CHECK(says("persons", after[0].fields, after[0].rules, PG_ERROR, "CELL_TABLE_RENAMED_FROM can be removed"));
}

TEST(tables_take_names_that_become_free_in_one_build)
{
    const struct table before[] = {{"va", "id i64 | key\nn i64", ""},
                                   {"vb", "id i64 | key\ns str\nof i64 | references va;id", ""}};
    const struct table after[] = {{"vb", "id i64 | key\nn i64\nm i64 | backfill n + 1", "table_renamed_from va"},
                                  {"vc", "id i64 | key\ns str\nof i64 | references vb;id", "table_renamed_from vb"}};
    struct migration m;

    if (!server())
        return;
    REQUIRE(become(before, 2, &m) >= 0);
    migration_sql(conn, "INSERT INTO va VALUES (1, 7); INSERT INTO vb VALUES (2, 'x', 1)");
    REQUIRE(become(after, 2, &m) >= 0);
    CHECK(is("SELECT concat_ws(' ', b.n, b.m, c.s) FROM vb b, vc c WHERE c.of = b.id", "7 8 x"));
    CHECK(is("SELECT to_regclass('va') IS NULL", "t"));
    CHECK(become(after, 2, &m) >= 0 && m.nsteps == 0);
    migration_sql(conn, "CREATE TABLE va (id bigint)"); /* another one, made since */
    CHECK(become(after, 2, &m) >= 0 && m.nsteps == 0);
    /* Two that give each other their names are none that wait. */
    const struct table swapped[] = {{"vb", after[0].fields, "table_renamed_from vc"},
                                    {"vc", after[1].fields, "table_renamed_from vb"}};
    CHECK(says("vc", after[1].fields, "table_renamed_from va", PG_ERROR,
               "'va' and 'vc' both exist: it cannot be renamed. When 'va' is another table"));
    CHECK(become(swapped, 2, &m) < 0 || m.nsteps == 0);
}

TEST(what_a_new_database_has_under_a_former_name_is_another_table_or_column)
{
    const struct table both[] = {{"nb", "id i64 | key\nm i64 | renamed_from n", "table_renamed_from na"},
                                 {"na", "id i64 | key", ""}},
                       chain[] = {{"zebra", "id i64 | key", "table_renamed_from yellow"},
                                  {"yellow", "id i64 | key", "table_renamed_from quartz"}};
    struct migration m;

    if (!server())
        return;
    CHECK(become(both, 2, &m) >= 0 && become(both, 2, &m) >= 0 && m.nsteps == 0);
    CHECK(becomes("nb", "id i64 | key\nm i64 | renamed_from n\nn opt<i64> | backfill NULL", both[0].rules));
    CHECK(becomes("nb", "id i64 | key\nm i64 | renamed_from n\nn opt<i64> | backfill NULL", both[0].rules));
    CHECK(become(chain, 2, &m) >= 0 && become(chain, 2, &m) >= 0 && m.nsteps == 0);
    /* One that was not there for a rename in between. */
    CHECK(says("third", "id i64 | key\nm i64", "table_renamed_from second", PG_REMARK,
               "no table 'second', so 'third' begins empty. Table 'nb' has all of its columns"));
}

TEST(a_former_name_that_is_misspelt_is_no_reason_for_an_empty_table)
{
    const char *fields = "id i64 | key | auto\nname str\nage opt<i32>";

    if (!server())
        return;
    REQUIRE(becomes("accounts", "id i64 | key | auto\nname str", ""));
    REQUIRE(becomes("acounted", "other i64 | key", "")); /* a similar name, and nothing of the columns */
    CHECK(says("customers", fields, "table_renamed_from acounts", PG_ERROR, "did you mean 'accounts'?"));
    CHECK(is("SELECT to_regclass('customers') IS NULL", "t"));
    /* As on a database that has never had the old table. */
    CHECK(becomes("customers", fields, "table_renamed_from clients"));
    CHECK(becomes("customers", fields, "table_renamed_from acounts")); /* is there: whatever it was called */
}

TEST(a_schema_and_an_enum_are_made_and_the_enum_gets_another_value)
{
    if (!server())
        return;
    REQUIRE(becomes("moods", "id i64 | key\nmood mood | sql_type feeling", "schema diary"));
    migration_sql(conn, "INSERT INTO diary.moods VALUES (1, 'ok')");
    migration_sql(conn, "ALTER TABLE diary.moods ALTER mood TYPE text; DROP TYPE diary.feeling; "
                        "CREATE TYPE diary.feeling AS ENUM ('sad', 'ok'); "
                        "ALTER TABLE diary.moods ALTER mood TYPE diary.feeling USING mood::diary.feeling");
    REQUIRE(becomes("moods", "id i64 | key\nmood mood | sql_type feeling", "schema diary"));
    CHECK(is("SELECT array_to_string(enum_range(NULL::diary.feeling), ' ')", "sad ok happy"));
    migration_sql(conn, "INSERT INTO diary.moods VALUES (2, 'happy')");
    CHECK(is("SELECT string_agg(mood::text, ' ' ORDER BY id) FROM diary.moods", "ok happy"));
}

TEST(a_wider_type_takes_the_check_of_the_former_one_with_it)
{
    if (!server())
        return;
    REQUIRE(becomes("ages", "id i64 | key\nage u8\nother u8 | range 0;255\nthree i16[3]", ""));
    REQUIRE(becomes("ages", "id i64 | key\nage i32\nother i32\nthree list<i16>", "retyped age\nretyped other"));
    migration_sql(conn, "INSERT INTO ages VALUES (1, 70000, 255, '{1}')");
    CHECK(is("SELECT string_agg(conname, ' ') FROM pg_constraint WHERE conrelid = 'ages'::regclass AND contype = 'c'",
             "ages_other_range"));
    CHECK(is("SELECT string_agg(kind || ' ' || name, ', ') FROM cell.objects WHERE table_name = 'ages' AND kind IN "
             "('check', 'implied')",
             "check ages_other_range"));
}

TEST(a_key_that_becomes_numbered_goes_on_behind_the_rows_that_are_there)
{
    if (!server())
        return;
    REQUIRE(becomes("numbered", "id i64 | key\nname str", ""));
    migration_sql(conn, "INSERT INTO numbered VALUES (7, 'a'), (41, 'b')");
    REQUIRE(becomes("numbered", "id i64 | key | auto\nname str", ""));
    migration_sql(conn, "INSERT INTO numbered (name) VALUES ('c')");
    CHECK(is("SELECT id FROM numbered WHERE name = 'c'", "42"));
}

TEST(a_generated_column_is_added_with_consent)
{
    const char *fields = "id i64 | key\nprice i64\ntotal i64 | generated price * 2";

    if (!server())
        return;
    REQUIRE(becomes("sums", "id i64 | key\nprice i64", ""));
    migration_sql(conn, "INSERT INTO sums VALUES (1, 5)");
    CHECK(says("sums", fields, "", PG_ERROR, "CELL_RETYPED(\"total\") consents"));
    REQUIRE(becomes("sums", fields, "retyped total"));
    CHECK(is("SELECT total FROM sums", "10"));
}

TEST(an_index_that_is_written_in_another_way_than_it_is_stored_is_made_once)
{
    if (!server())
        return;
    REQUIRE(becomes("parts", "id i64 | key\na i64", ""));
    REQUIRE(becomes("parts", "id i64 | key\na i64", "index (a) desc, ((id));where true\nindex (a + 1);where a > 0"));
    CHECK(is(
        "SELECT string_agg(indexdef, '; ' ORDER BY indexname) FROM pg_indexes WHERE tablename = 'parts' AND indexdef ~ "
        "'INDEX' AND indexname <> 'parts_pkey'",
        "CREATE INDEX parts_a_id_idx ON public.parts USING btree (a DESC, id); CREATE INDEX parts_expr_idx ON "
        "public.parts USING btree (((a + 1))) WHERE (a > 0)"));
}

TEST(a_key_that_cannot_be_takes_the_place_of_none)
{
    const struct table better = {"keyed", "id i64\nname i64", "primary_key name\ndropped keyed_pkey"};
    struct migration m;

    if (!server())
        return;
    REQUIRE(becomes("keyed", "id i64 | key\nname i64", ""));
    migration_sql(conn, "INSERT INTO keyed VALUES (1, 1), (2, 1)");
    CHECK(become(&better, 1, &m) < 0);
    CHECK(is("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'keyed_pkey'", "PRIMARY KEY (id)"));
    migration_sql(conn, "UPDATE keyed SET name = id");
    CHECK(become(&better, 1, &m) >= 0);
    CHECK(is("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'keyed_pkey'", "PRIMARY KEY (name)"));
    CHECK(is("SELECT count(*) FROM pg_index WHERE indrelid = 'keyed'::regclass", "1"));
}

TEST(a_type_and_whether_it_may_be_null_change_by_one_expression)
{
    if (!server())
        return;
    REQUIRE(becomes("lengths", "id i64 | key\nn opt<str>", ""));
    migration_sql(conn, "INSERT INTO lengths VALUES (1, 'abc'), (2, NULL)");
    REQUIRE(becomes("lengths", "id i64 | key\nn i32 | backfill coalesce(length(n), 0)", "retyped n"));
    CHECK(is("SELECT string_agg(n::text, ' ' ORDER BY id) FROM lengths", "3 0"));
    CHECK(is("SELECT attnotnull FROM pg_attribute WHERE attrelid = 'lengths'::regclass AND attname = 'n'", "t"));
}

TEST(a_foreign_key_names_the_columns_of_a_key_in_any_order)
{
    const char *fields = "id i64 | key\ntitle str\nnumber i64";
    const char *rule = "foreign_key title, number;chapters(name, book)",
               *other = "foreign_key number, title;chapters(book, name)";

    if (!server())
        return;
    REQUIRE(becomes("chapters", "book i64\nname str\nlead opt<str>", "primary_key book, name"));
    REQUIRE(becomes("pages", fields, ""));
    migration_sql(conn, "INSERT INTO chapters VALUES (1, 'one', NULL); INSERT INTO pages VALUES (1, 'one', 1)");
    REQUIRE(becomes("pages", fields, rule));
    CHECK(is("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'pages'::regclass AND contype = 'f'",
             "FOREIGN KEY (title, number) REFERENCES chapters(name, book)"));
    CHECK(pg_run(conn, "INSERT INTO pages VALUES (2, 'two', 1)", NULL) < 0);
    /* In whichever order the pairs are written, or meant: it is the same one. */
    CHECK(becomes("pages", fields, other) && becomes("pages", fields, "foreign_key number, title;chapters") &&
          becomes("pages", fields, rule));
    CHECK(is("SELECT count(*) FROM pg_constraint WHERE conrelid = 'pages'::regclass AND contype = 'f'", "1"));
    CHECK(!says("pages", fields, "foreign_key number, title;chapters", PG_REMARK, "also has"));
    /* Unique columns and unique indexes are referred to in any order too; what is no key is not. */
    REQUIRE(becomes("lines", "a i64\nb str\nid i64 | key", "unique_index a, b"));
    REQUIRE(becomes("words", "id i64 | key\nx str\ny i64", "foreign_key x, y;lines(b, a)"));
    CHECK(says("words", "id i64 | key\nx str\nz opt<str>\ny i64", "foreign_key x, z;chapters(name, name)", PG_ERROR,
               "is not unique"));
    CHECK(says("words", "id i64 | key\nx str\ny i64", "foreign_key x, y;lines(b, id)", PG_ERROR, "is not unique"));
    CHECK(says("words", "id i64 | key\nx str\ny i64", "foreign_key x, y;chapters(book, name)", PG_ERROR,
               "column 'x' is text and refers to 'chapters.book', which is bigint"));
}

TEST(what_interrupted_builds_have_left_goes_when_no_struct_wants_it)
{
    const char *fields = "id i64 | key\na i64\nb i64";
    const struct table unique = {"left_over", "id i64 | key\na i64 | unique\nb i64 | index", ""};
    struct migration m;

    if (!server())
        return;
    REQUIRE(becomes("left_over", fields, ""));
    migration_sql(conn, "INSERT INTO left_over VALUES (1, 1, 1), (2, 1, 1)");
    CHECK(become(&unique, 1, &m) < 0); /* rows are equal: PostgreSQL leaves an invalid index */
    CHECK(pg_run(conn, "CREATE UNIQUE INDEX CONCURRENTLY by_hand ON left_over (b)", NULL) < 0);
#define INDEXES                                                                                                        \
    "SELECT string_agg(indexrelid::regclass::text || ' ' || indisvalid, ', ' ORDER BY indexrelid::regclass::text) "
    CHECK(is(INDEXES "FROM pg_index WHERE indrelid = 'left_over'::regclass",
             "by_hand false, left_over_a_key false, left_over_pkey true"));
    /* That is no loss for anybody, and so it is allowed where only additions are. */
    m = (struct migration){.n = 1, .options = {.policy = PG_POLICY_ADDITIVE}};
    m.requests[0] = pg_build_request("table", "left_over", fields, "");
    CHECK(migrate(conn, &m) >= 0 && m.nsteps == 1 && migration_left(conn, &m) == 0);
    json_decref(m.requests[0]);
    CHECK(is(INDEXES "FROM pg_index WHERE indrelid = 'left_over'::regclass", "by_hand false, left_over_pkey true"));
    CHECK(is("SELECT count(*) FROM cell.objects WHERE name = 'left_over_a_key'", "0"));
    CHECK(says("left_over", fields, "", PG_REMARK, "also has 'by_hand'"));
    /* One that is wanted, but is there otherwise as well. */
    REQUIRE(becomes("left_over", "id i64 | key\na i64\nb i64 | index", ""));
    migration_sql(conn, "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'left_over_b_idx'::regclass; "
                        "CREATE INDEX another ON left_over (b)");
    REQUIRE(becomes("left_over", "id i64 | key\na i64\nb i64 | index", ""));
    CHECK(is(INDEXES "FROM pg_index WHERE indrelid = 'left_over'::regclass",
             "another true, by_hand false, left_over_pkey true"));
#undef INDEXES
}

TEST(a_column_that_was_to_be_filled_is_filled_under_another_name_too)
{
    if (!server())
        return;
    REQUIRE(becomes("stopped", "id i64 | key\nrank opt<i64>", ""));
    migration_sql(conn, "INSERT INTO stopped VALUES (1, NULL), (2, NULL); INSERT INTO cell.objects (schema_name, "
                        "table_name, kind, name) VALUES ('public', 'stopped', 'filling', 'rank')");
    REQUIRE(becomes("stopped", "id i64 | key\nplace opt<i64> | renamed_from rank | backfill id * 3", ""));
    CHECK(is("SELECT string_agg(place::text, ' ' ORDER BY id) FROM stopped", "3 6"));
    CHECK(is("SELECT count(*) FROM cell.objects WHERE kind = 'filling'", "0"));
}

TEST(a_step_is_done_once_before_its_table_gets_another_name)
{
    const struct table t = {"stuff", "id i64 | key\nn i64",
                            "table_renamed_from things\nstep one;UPDATE things SET n = n + 1"};
    struct migration m;

    if (!server())
        return;
    REQUIRE(becomes("things", "id i64 | key\nn i64", ""));
    migration_sql(conn, "INSERT INTO things VALUES (1, 7)");
    REQUIRE(become(&t, 1, &m) >= 0);
    CHECK(m.nsteps == 2 && is("SELECT n FROM stuff", "8"));
    CHECK(become(&t, 1, &m) >= 0 && m.nsteps == 0);
    CHECK(says("stuff", t.fields, "step one;UPDATE things  SET n = n + 2", PG_WARNING,
               "step 'one' was carried out on 2"));
    CHECK(!says("stuff", t.fields, "step one;UPDATE things  SET n = n + 1", PG_WARNING, "other SQL"));
}

TEST(what_a_step_of_ones_own_has_made_is_not_made_again)
{
    const struct table t = {"handed", "id i64 | key\nx opt<i32> | index\ny opt<i32>",
                            "step one;ALTER TABLE handed ADD x int\nstep two;CREATE INDEX handed_x_idx ON handed (x)"};
    struct migration m;

    if (!server())
        return;
    REQUIRE(becomes("handed", "id i64 | key", ""));
    REQUIRE(become(&t, 1, &m) >= 0);
    CHECK(m.nsteps == 3); /* and column y */
    CHECK(is("SELECT string_agg(kind, ' ' ORDER BY id) FROM (SELECT * FROM cell.history WHERE table_name = 'handed' "
             "ORDER BY id OFFSET 1) h",
             "step step add-column"));
    CHECK(is("SELECT count(*) FROM cell.before", "0"));
}

TEST(a_failure_says_what_wanted_it_and_what_is_in_the_way)
{
    const struct table indexed = {"wanting", "id i64 | key\nname str", "index name\nindex random()"},
                       dropped = {"wanted", "id i64 | key", "dropped n"};
    static const struct {
        const char *fields, *rules, *field, *text;
    } bad[] = {
        {"id i64 | key | check id <> 1\nn str | check n <> 'ä' | check n <> (SELECT 'ä')\nx str | check x > 'a'", "",
         "n", "CONSTRAINT \"bad_n_check2\" CHECK (n <> (SELECT 'ä')): cannot use subquery"},
        {"id i64 | key\nn i64 | default id", "", "n", "\"n\" bigint DEFAULT (id) NOT NULL: "},
        {"id i64 | key\nä str | generated 'ä'\nn i64 | generated length(ä)", "", "n",
         "\"n\" bigint GENERATED ALWAYS AS (length(ä))"},
        {"id i64 | key\nn i64", "check n > 0\ncheck (SELECT n) > 0", "",
         "CELL_TABLE_CHECK(\"(SELECT n) > 0\"): CONSTRAINT \"bad_check2\" CHECK ((SELECT n) > 0): "},
    };
    struct migration m;

    if (!server())
        return;
    CHECK(become(&indexed, 1, &m) < 0);
    CHECK(strstr(m.text, "CELL_INDEX(\"random()\"): CREATE INDEX \"wanting_expr_idx\"") == m.text);
    /* Of a table that is made by one statement, what the server points at. */
    for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct table t = {"bad", bad[i].fields, bad[i].rules};
        CHECK(become(&t, 1, &m) < 0);
        CHECK_STR(m.field, bad[i].field);
        CHECK(strstr(m.text, bad[i].text) == m.text);
    }
    REQUIRE(becomes("wanted", "id i64 | key\nn opt<i32>", ""));
    migration_sql(conn,
                  "CREATE VIEW wants AS SELECT n FROM wanted; CREATE VIEW wants_more AS SELECT n + 1 FROM wanted");
    CHECK(become(&dropped, 1, &m) < 0);
    CHECK(strstr(m.text, "others depend on it: view wants depends on column n of table wanted; view wants_more "
                         "depends on column n of table wanted") != NULL);
}

TEST(a_former_name_in_another_schema_is_no_reason_for_an_empty_table)
{
    const char *fields = "id i64 | key\nname str";

    if (!server())
        return;
    REQUIRE(becomes("moved", fields, ""));
    CHECK(says("arrived", fields, "schema other\ntable_renamed_from moved", PG_ERROR, "is in the schema 'public'"));
}

/* What the server says of a violation, where names are long or are written in quotes. */
TEST(violations_name_the_columns_of_a_key)
{
#define LONG "abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_abcdefghi"
    static const struct {
        const char *columns, *key, *text, *column;
    } cases[] = {
        {"\"a, b\" int DEFAULT 1", "\"a, b\"", "a, b already exists", "a, b"},
        {"\"x)=(y\" int DEFAULT 1", "\"x)=(y\"", "x)=(y already exists", "x)=(y"},
        {"\"q\"\"u\" int DEFAULT 1, z text DEFAULT ')=('", "\"q\"\"u\", z", "q\"u, z already exist together", ""},
        {"t text DEFAULT 'a'", "(t || ')=(')", "(t || ')=('::text) already exists", ""},
        {LONG "1 int DEFAULT 1", LONG "1", LONG " already exists", LONG},
        {LONG "1 int DEFAULT 1, \"2" LONG "\" int DEFAULT 1, \"3" LONG "\" int DEFAULT 1, \"4" LONG "\" int DEFAULT 1, "
              "\"5" LONG "\" int DEFAULT 1",
         LONG "1, \"2" LONG "\", \"3" LONG "\", \"4" LONG "\", \"5" LONG "\"", " already exist together", ""},
    };
    char sql[2048];

    if (!server())
        return;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pg_failure f;
        snprintf(sql, sizeof(sql),
                 "DROP TABLE IF EXISTS keys; CREATE TABLE keys (%s); CREATE UNIQUE INDEX ON keys (%s); "
                 "INSERT INTO keys DEFAULT VALUES",
                 cases[i].columns, cases[i].key);
        migration_sql(conn, sql);
        CHECK(pg_run(conn, "INSERT INTO keys DEFAULT VALUES", &f) == CELL_ALREADY_EXISTS);
        CHECK(strstr(f.text, cases[i].text) != NULL);
        CHECK_STR(f.column, cases[i].column);
    }
}
