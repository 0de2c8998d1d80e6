/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Checks and foreign keys that are changed: what was kept out is kept out until the next one holds for all rows. */
// LIBS: cell_postgres_sanitized
#include "pg_become.h"

static bool anew(void)
{
    if (!server())
        return false;
    migration_sql(conn, "DROP SCHEMA IF EXISTS cell CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    return true;
}

/* Checks and foreign keys of a table: "t_age_range CHECK (…)". */
static bool has(const char *table, const char *expected)
{
    char sql[512];

    snprintf(sql, sizeof(sql),
             "SELECT string_agg(conname || ' ' || pg_get_constraintdef(oid), ', ' ORDER BY conname) "
             "FROM pg_constraint WHERE contype IN ('c', 'f') AND conrelid = '%s'::regclass",
             table);
    return is(sql, expected);
}

static bool nothing_gives_way(void)
{
    return is("SELECT count(*) FROM cell.objects WHERE kind = 'giving-way' OR name LIKE '%_2'", "0");
}

static bool fails(const char *sql) { return pg_run(conn, sql, NULL) < 0; }

#define RANGE(n) "id i64 | key\nage opt<i32> | range 0;" #n
#define RANGE_IS(n) "t_age_range CHECK (((age >= 0) AND (age <= " #n ")))"

TEST(a_check_goes_when_the_one_that_replaces_it_holds)
{
    if (!anew())
        return;
    CHECK(becomes("t", RANGE(150), ""));
    migration_sql(conn, "INSERT INTO t VALUES (1, 120)");
    for (int i = 0; i < 2; i++) {
        CHECK(!becomes("t", RANGE(100), ""));
        CHECK(fails("INSERT INTO t VALUES (2, 151)") && fails("INSERT INTO t VALUES (2, 101)"));
        migration_sql(conn, "ALTER TABLE t DROP CONSTRAINT t_age_range");
        CHECK(fails("INSERT INTO t VALUES (2, 151)")); /* the former one is there */
    }
    migration_sql(conn, "UPDATE t SET age = 1");
    CHECK(becomes("t", RANGE(100), "") && has("t", RANGE_IS(100)) && nothing_gives_way());
    CHECK(becomes("t", RANGE(200), "") && has("t", RANGE_IS(200)) && nothing_gives_way());
}

TEST(a_check_that_is_wanted_again_does_not_give_way)
{
    if (!anew())
        return;
    CHECK(becomes("t", RANGE(150), ""));
    migration_sql(conn, "INSERT INTO t VALUES (1, 120)");
    CHECK(!becomes("t", RANGE(100), ""));
    CHECK(becomes("t", RANGE(150), "") && has("t", RANGE_IS(150)) && nothing_gives_way());
    /* Another one takes the place of the one that failed. */
    CHECK(!becomes("t", RANGE(100), "") && !becomes("t", RANGE(110), ""));
    CHECK(fails("INSERT INTO t VALUES (2, 151)"));
    migration_sql(conn, "UPDATE t SET age = 1");
    CHECK(becomes("t", RANGE(110), "") && has("t", RANGE_IS(110)) && nothing_gives_way());
}

TEST(a_check_of_others_gives_way_by_consent)
{
    if (!anew())
        return;
    CHECK(becomes("t", "id i64 | key\nage opt<i32>", ""));
    migration_sql(conn, "ALTER TABLE t ADD CONSTRAINT t_age_range CHECK (age < 150); INSERT INTO t VALUES (1, 120)");
    CHECK(!becomes("t", RANGE(100), "") && !becomes("t", RANGE(100), "dropped t_age_range"));
    CHECK(fails("INSERT INTO t VALUES (2, 151)"));
    migration_sql(conn, "UPDATE t SET age = 1");
    CHECK(becomes("t", RANGE(100), "dropped t_age_range") && has("t", RANGE_IS(100)) && nothing_gives_way());
}

TEST(a_check_that_was_removed_stays_when_another_one_gets_its_number)
{
    if (!anew())
        return;
    CHECK(becomes("t", "id i64 | key\na i64\nb i64", "check a > 0"));
    CHECK(becomes("t", "id i64 | key\na i64\nb i64", "check b > 0"));
    CHECK(is("SELECT count(*) FROM pg_constraint WHERE contype = 'c' AND conrelid = 't'::regclass", "2"));
    CHECK(fails("INSERT INTO t VALUES (1, 0, 1)") && fails("INSERT INTO t VALUES (1, 1, 0)"));
    CHECK(becomes("t", "id i64 | key\na i64\nb i64", "check b > 1\ndropped t_check"));
    CHECK(is("SELECT string_agg(pg_get_constraintdef(oid), ' ') FROM pg_constraint WHERE contype = 'c' AND "
             "conrelid = 't'::regclass",
             "CHECK ((b > 1))"));
}

TEST(which_check_was_changed_is_not_guessed)
{
    if (!anew())
        return;
    CHECK(becomes("t", "id i64 | key\na i64", "check a > 0\ncheck a < 9"));
    CHECK(becomes("t", "id i64 | key\na i64", "check a < 8"));
    CHECK(fails("INSERT INTO t VALUES (1, 0)") && fails("INSERT INTO t VALUES (1, 8)"));
    CHECK(is("SELECT count(*) FROM pg_constraint WHERE contype = 'c' AND conrelid = 't'::regclass", "3"));
    CHECK(becomes("t", "id i64 | key\na i64", "check a < 8\ndropped t_check\ndropped t_check2"));
    CHECK(becomes("t", "id i64 | key\na i64", "check a < 7"));
    CHECK(is("SELECT string_agg(pg_get_constraintdef(oid), ' ') FROM pg_constraint WHERE contype = 'c' AND "
             "conrelid = 't'::regclass",
             "CHECK ((a < 7))"));
}

static bool recorded(const char *expected)
{
    return is(
        "SELECT string_agg(kind || ' ' || name, ', ' ORDER BY kind, name) FROM cell.objects WHERE table_name = 't' AND "
        "kind IN ('check', 'implied')",
        expected);
}

TEST(the_check_of_a_c_type_gives_way_as_such)
{
    if (!anew())
        return;
    CHECK(becomes("t", "id i64 | key\nage u8", "") && recorded("implied t_age_range"));
    migration_sql(conn, "INSERT INTO t VALUES (1, 200)");
    CHECK(!becomes("t", "id i64 | key\nage u8 | range 0;100", ""));
    CHECK(recorded("check t_age_range, implied t_age_range_2"));
    CHECK(becomes("t", "id i64 | key\nage u8", "") && recorded("implied t_age_range") && nothing_gives_way());
    /* What the C type has made goes with it, what a rule has said stays. */
    CHECK(!becomes("t", "id i64 | key\nage u8 | range 0;100", ""));
    CHECK(becomes("t", "id i64 | key\nage i32", "retyped age") && recorded("check t_age_range") && nothing_gives_way());
    CHECK(becomes("t", "id i64 | key\nage i32", "retyped age\ndropped t_age_range"));
    CHECK(becomes("t", "id i64 | key\nage i32 | range 0;200", "") && recorded("check t_age_range"));
}

TEST(the_check_of_a_c_type_that_stays_is_recorded_as_such_when_it_is_made_again)
{
    if (!anew())
        return;
    CHECK(becomes("t", "id i64 | key\nage u8", ""));
    CHECK(becomes("t", "id i64 | key\nage u8 | sql_type bigint", "retyped age") && recorded("implied t_age_range"));
}

TEST(what_gives_way_is_not_in_the_way_of_another_type)
{
    if (!anew())
        return;
    CHECK(becomes("t", "id i64 | key\nm str | check m <> 'sad'", ""));
    migration_sql(conn, "INSERT INTO t VALUES (1, 'ok'); CREATE TYPE mood AS ENUM ('ok', 'happy')");
    CHECK(!becomes("t", "id i64 | key\nm str | check m = 'happy'", ""));
    CHECK(recorded("check t_m_check, check t_m_check_2") && fails("INSERT INTO t VALUES (2, 'sad')"));
    CHECK(becomes("t", "id i64 | key\nm mood | sql_type mood | backfill m::mood | check m < 'happy'", "retyped m"));
    CHECK(has("t", "t_m_check CHECK ((m < 'happy'::mood))") && nothing_gives_way());
}

#define REF(more) "id i64 | key\nto opt<i64> | references u;id" more
#define REF_IS(more) "t_to_fkey FOREIGN KEY (\"to\") REFERENCES u(id)" more

TEST(a_foreign_key_goes_when_the_one_that_replaces_it_holds)
{
    if (!anew())
        return;
    CHECK(becomes("u", "id i64 | key\nother i64 | unique", "") && becomes("t", REF(""), ""));
    migration_sql(conn, "INSERT INTO u VALUES (1, 5), (2, 6); INSERT INTO t VALUES (1, 1)");
    CHECK(becomes("t", REF(";on delete cascade"), "") && has("t", REF_IS(" ON DELETE CASCADE")) && nothing_gives_way());
    CHECK(!becomes("t", "id i64 | key\nto opt<i64> | references u;other", ""));
    CHECK(fails("INSERT INTO t VALUES (2, 7)"));
    migration_sql(conn, "ALTER TABLE t DROP CONSTRAINT t_to_fkey");
    CHECK(fails("INSERT INTO t VALUES (2, 7)")); /* the former one is there */
    CHECK(becomes("t", REF(";on delete cascade"), "") && has("t", REF_IS(" ON DELETE CASCADE")) && nothing_gives_way());
    CHECK(!becomes("t", "id i64 | key\nto opt<i64> | references u;other", ""));
    migration_sql(conn, "UPDATE u SET other = id; UPDATE t SET \"to\" = 1");
    CHECK(becomes("t", "id i64 | key\nto opt<i64> | references u;other", "") && nothing_gives_way());
    PQfinish(conn); /* the last test */
}
