/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Names that tables, keys and indexes share in a schema: what is made gets another one, what the author chose is said
 * to be taken; and whatever something is called, it is known again. */
// LIBS: cell_postgres_sanitized
#include "pg_become.h"

/* Nothing that other tests have made has a name. */
static bool anew(void)
{
    if (!server())
        return false;
    migration_sql(conn, "DROP SCHEMA IF EXISTS cell CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    return true;
}

static bool both_become(const struct table tables[2])
{
    struct migration m;

    return become(tables, 2, &m) >= 0;
}

/* The indexes of a table with their columns, those of keys too: "a_pkey(id) …". */
static bool has(const char *table, const char *expected)
{
    char sql[512];

    snprintf(sql, sizeof(sql),
             "SELECT string_agg(x.relname || substring(pg_get_indexdef(x.oid) FROM '\\(.*') || "
             "CASE WHEN i.indisvalid THEN '' ELSE ' invalid' END, ' ' ORDER BY x.relname) "
             "FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = '%s'::regclass",
             table);
    return is(sql, expected);
}

/* No step is planned, and `text` is said of table number `wrong`. */
static bool all_refused(const struct table *tables, uint32_t n, uint32_t wrong, const char *text)
{
    json_t *requests[2];
    struct pg_unit u = {0};

    for (uint32_t i = 0; i < n; i++)
        requests[i] = pg_build_request("table", tables[i].name, tables[i].fields, tables[i].rules);
    bool planned = pg_unit_plan(conn, requests, n, NULL, pg_now_ms() + 10000, &u, NULL) >= 0;
    const struct pg_diagnostic *d = planned ? pg_find_diagnostic(&u.plan->diagnostics, PG_ERROR, text) : NULL;
    bool found = d && d->declared == wrong && u.plan->nsteps == 0;
    if (!found && u.plan)
        pg_print_plan(u.plan);
    pg_unit_free(&u);
    for (uint32_t i = 0; i < n; i++)
        json_decref(requests[i]);
    return found;
}

static bool refuses(const char *name, const char *fields, const char *rules, const char *text)
{
    return all_refused(&(struct table){name, fields, rules}, 1, 0, text);
}

static bool both_refused(const struct table tables[2], uint32_t wrong, const char *text)
{
    return all_refused(tables, 2, wrong, text);
}

/* An index as an interrupted build leaves it. */
static void spoil(const char *index)
{
    char sql[256];

    snprintf(sql, sizeof(sql), "UPDATE pg_index SET indisvalid = false WHERE indexrelid = '%s'::regclass", index);
    migration_sql(conn, sql);
}

#define A "id i64 | key\nb_c i64 | index"
#define A_B "id i64 | key\nc i64 | index"

TEST(two_tables_of_one_file_that_want_one_name_get_two)
{
    const struct table tables[] = {{"a", A, ""}, {"a_b", A_B, ""}};

    if (!anew())
        return;
    CHECK(both_become(tables));
    CHECK(has("a", "a_b_c_idx(b_c) a_pkey(id)") && has("a_b", "a_b_c_idx_2(c) a_b_pkey(id)"));
    migration_sql(conn, "DROP TABLE a, a_b; DELETE FROM cell.objects");
    CHECK(becomes("a", "id i64 | key", "") && becomes("a_b", "id i64 | key\nc i64", ""));
    migration_sql(conn, "ALTER TABLE a ADD b_c bigint NOT NULL DEFAULT 0");
    CHECK(both_become(tables)); /* now they are made one by one, in no transaction */
    CHECK(has("a", "a_b_c_idx(b_c) a_pkey(id)") && has("a_b", "a_b_c_idx_2(c) a_b_pkey(id)"));
}

TEST(files_that_want_one_name_get_two_whichever_is_built_first)
{
    if (!anew())
        return;
    CHECK(becomes("a_b", A_B, "") && becomes("a", A, ""));
    CHECK(has("a", "a_b_c_idx_2(b_c) a_pkey(id)") && has("a_b", "a_b_c_idx(c) a_b_pkey(id)"));
    CHECK(becomes("a_b", A_B, "") && becomes("a", A, "")); /* nothing moves */
    CHECK(has("a", "a_b_c_idx_2(b_c) a_pkey(id)") && has("a_b", "a_b_c_idx(c) a_b_pkey(id)"));
    /* A unique constraint by way of an index, where both names that it could have are another table's. */
    migration_sql(conn, "CREATE TABLE other (x int); CREATE INDEX a_n_key ON other (x); CREATE SEQUENCE a_n_key_2");
    CHECK(becomes("a", A "\nn i64 | unique | backfill id", ""));
    CHECK(has("a", "a_b_c_idx_2(b_c) a_n_key_3(n) a_pkey(id)"));
    CHECK(is("SELECT contype FROM pg_constraint WHERE conname = 'a_n_key_3'", "u"));
}

TEST(a_key_that_kept_its_name_when_its_table_was_renamed_is_in_nobodys_way)
{
    if (!anew())
        return;
    CHECK(becomes("users", "id i64 | key\nmail str | unique", ""));
    CHECK(becomes("people", "id i64 | key\nmail str | unique", "table_renamed_from users"));
    CHECK(becomes("people", "id i64 | key\nmail str | unique", "") &&
          becomes("users", "id i64 | key\nmail str | unique", ""));
    CHECK(has("people", "users_mail_key(mail) users_pkey(id)") &&
          has("users", "users_mail_key_2(mail) users_pkey_2(id)"));
    /* Another key of the new table, whose own name is not the first one. */
    CHECK(becomes("users", "id i64\nmail str | key", "dropped users_pkey_2"));
    CHECK(has("people", "users_mail_key(mail) users_pkey(id)") &&
          has("users", "users_mail_key_2(mail) users_pkey_2(mail)"));
}

TEST(when_all_numbered_names_are_taken_a_hash_is_in_the_name)
{
    if (!anew())
        return;
    migration_sql(conn,
                  "CREATE TABLE t_pkey (a int); CREATE VIEW t_pkey_2 AS SELECT 1; CREATE TYPE t_pkey_3 AS (a int)");
    CHECK(becomes("t", "id i64 | key", ""));
    CHECK(is("SELECT conname ~ '^t_pkey_[0-9a-f]{8}$' FROM pg_constraint WHERE conrelid = 't'::regclass", "t"));
}

TEST(names_that_are_cut_are_kept_apart_too)
{
#define LONG "abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_abcdef"
    const struct table tables[] = {{LONG, "id i64 | key\nb_c i64 | index", ""},
                                   {LONG "_b", "id i64 | key\nc i64 | index", ""}};

    if (!anew())
        return;
    CHECK(both_become(tables));
    CHECK(is("SELECT count(*) FROM pg_index WHERE indrelid::regclass::text LIKE 'abcdef%'", "4"));
    CHECK(becomes(LONG, tables[0].fields, "") && becomes(LONG "_b", tables[1].fields, ""));
}

TEST(a_name_that_the_author_chose_is_said_to_be_taken)
{
    const char *fields = "id i64 | key";

    if (!anew())
        return;
    CHECK(becomes("a", A, ""));
    CHECK(refuses("a_b_c_idx", fields, "",
                  "no table can be called 'a_b_c_idx': that is the name of an index of table 'a'"));
    CHECK(refuses("a_pkey", fields, "", "'a_pkey': that is the name of an index of table 'a'"));
    migration_sql(conn, "CREATE SEQUENCE numbers; CREATE TYPE pair AS (a int); CREATE TABLE s (n serial)");
    CHECK(refuses("numbers", fields, "", "'numbers': that is the name of a sequence in schema 'public'"));
    CHECK(refuses("s_n_seq", fields, "", "'s_n_seq': that is the name of a sequence of table 's' in schema 'public'"));
    CHECK(refuses("pair", fields, "", "'pair': that is the name of a type in schema 'public'"));
    CHECK(refuses("numbers", A, "table_renamed_from a", "'numbers': that is the name of a sequence"));
    migration_sql(conn, "CREATE TYPE shade AS ENUM ('red'); CREATE DOMAIN year AS int; CREATE TYPE hours AS RANGE "
                        "(SUBTYPE = int)");
    CHECK(refuses("shade", fields, "", "'shade': that is the name of a type in schema 'public'"));
    CHECK(refuses("year", fields, "", "'year': that is the name of a type in schema 'public'"));
    CHECK(refuses("hours", fields, "", "'hours': that is the name of a type in schema 'public'"));
    CHECK(becomes("_shade", fields, ""));              /* the type of its arrays goes out of the way */
    CHECK(becomes("numbers", fields, "schema other")); /* where nothing has it */
    /* What is made goes out of the way of what is chosen, in whichever order they stand. */
    const struct table tables[] = {{"c", "id i64 | key", ""}, {"c_pkey", fields, ""}};
    CHECK(both_become(tables));
    CHECK(has("c", "c_pkey_2(id)") && has("c_pkey", "c_pkey_pkey(id)"));
}

TEST(a_name_that_the_same_plan_gives_something_else_is_said_to_be_taken)
{
    const struct table mood[] = {{"moods", "id i64 | key\nmood mood | sql_type feeling", ""},
                                 {"feeling", "id i64 | key", ""}};
    const struct table numbered[] = {{"c", "id i64 | key | auto", ""}, {"c_id_seq", "id i64 | key", ""}};
    const struct table before[] = {numbered[1], numbered[0]};

    if (!anew())
        return;
    CHECK(refuses("feeling", mood[0].fields, "", "'feeling': that is the name of an enum type that a field names"));
    CHECK(both_refused(mood, 1, "'feeling': that is the name of an enum type that a field names"));
    CHECK(both_refused(numbered, 1, "'c_id_seq': that is the name of the sequence of table 'c'"));
    CHECK(is("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace", "0"));
    CHECK(both_become(before)); /* PostgreSQL takes another name for what it names itself */
}

TEST(what_an_exchange_of_keys_has_left_is_used_or_goes)
{
    if (!anew())
        return;
    CHECK(becomes("t", "id i64 | key\na i64\nb i64", ""));
    /* As if it had been interrupted behind its index; then the source changes its mind. */
    migration_sql(
        conn, "CREATE UNIQUE INDEX t_pkey_new ON t (a); INSERT INTO cell.objects (schema_name, table_name, kind, name) "
              "VALUES ('public', 't', 'index', 't_pkey_new')");
    CHECK(becomes("t", "id i64\na i64\nb i64 | key", "dropped t_pkey"));
    CHECK(has("t", "t_pkey(b)"));
    /* Of another table, of somebody else, or of one that was renamed. */
    migration_sql(conn, "CREATE TABLE u (x int); CREATE INDEX t_pkey_new ON u (x)");
    CHECK(becomes("t", "id i64\na i64 | key\nb i64", "dropped t_pkey;again"));
    CHECK(has("t", "t_pkey(a)") && has("u", "t_pkey_new(x)"));
    /* Under whatever name it was made, it is the key's when it is on its columns. */
    migration_sql(
        conn,
        "CREATE UNIQUE INDEX t_pkey_new_2 ON t (id); INSERT INTO cell.objects (schema_name, table_name, kind, name) "
        "VALUES ('public', 't', 'index', 't_pkey_new_2')");
    CHECK(becomes("t", "id i64 | key\na i64\nb i64", "dropped t_pkey;once more"));
    CHECK(has("t", "t_pkey(id)"));
}

TEST(an_interrupted_build_under_another_name_is_made_anew_under_it)
{
    if (!anew())
        return;
    migration_sql(conn, "CREATE TABLE u (x int); CREATE INDEX t_a_idx ON u (x); CREATE INDEX t_b_key ON u (x)");
    CHECK(becomes("t", "id i64 | key\na i64 | index\nb i64", ""));
    spoil("t_a_idx_2");
    migration_sql(
        conn, "CREATE UNIQUE INDEX t_b_key_2 ON t (b); INSERT INTO cell.objects (schema_name, table_name, kind, name) "
              "VALUES ('public', 't', 'index', 't_b_key_2')");
    spoil("t_b_key_2");
    CHECK(becomes("t", "id i64 | key\na i64 | index\nb i64 | unique", ""));
    CHECK(has("t", "t_a_idx_2(a) t_b_key_2(b) t_pkey(id)"));
    CHECK(is("SELECT contype FROM pg_constraint WHERE conname = 't_b_key_2'", "u"));
}

TEST(an_index_under_another_name_is_replaced_when_it_changes)
{
    if (!anew())
        return;
    migration_sql(conn, "CREATE TABLE u (x int); CREATE INDEX t_a_idx ON u (x)");
    CHECK(becomes("t", "id i64 | key\na i64", "index a;where a > 1"));
    CHECK(becomes("t", "id i64 | key\na i64", "index a;where a > 2"));
    CHECK(has("t", "t_a_idx_2(a) WHERE (a > 2) t_pkey(id)"));
}

TEST(an_index_that_became_another_one_makes_room_for_a_constraint)
{
    if (!anew())
        return;
    CHECK(becomes("t", "id i64 | key\na i64", "unique_index a;where a > 5"));
    CHECK(becomes("t", "id i64 | key\na i64 | unique", ""));
    CHECK(is("SELECT contype FROM pg_constraint WHERE conname = 't_a_key'", "u"));
    CHECK(has("t", "t_a_key(a) t_pkey(id)"));
}

TEST(a_unique_index_goes_when_the_one_that_replaces_it_is_there)
{
    if (!anew())
        return;
    CHECK(becomes("t", "id i64 | key\na i64\nb i64", "unique_index abs(a)"));
    migration_sql(conn, "INSERT INTO t VALUES (1, 1, 5), (2, 2, 5)");
    CHECK(!becomes("t", "id i64 | key\na i64\nb i64", "unique_index abs(b)"));
    CHECK(has("t", "t_expr_key(abs(b)) invalid t_expr_key_2(abs(a)) t_pkey(id)"));
    CHECK(pg_run(conn, "INSERT INTO t VALUES (3, -1, 6)", NULL) < 0);
    CHECK(!becomes("t", "id i64 | key\na i64\nb i64", "unique_index abs(b)"));
    CHECK(pg_run(conn, "INSERT INTO t VALUES (3, -1, 6)", NULL) < 0);
    migration_sql(conn, "UPDATE t SET b = id");
    CHECK(becomes("t", "id i64 | key\na i64\nb i64", "unique_index abs(b)"));
    CHECK(has("t", "t_expr_key(abs(b)) t_pkey(id)"));
    CHECK(is("SELECT count(*) FROM cell.objects WHERE kind = 'giving-way' OR name = 't_expr_key_2'", "0"));
    CHECK(becomes("t", "id i64 | key\na i64\nb i64", "unique_index abs(b);where a > 0"));
    CHECK(has("t", "t_expr_key(abs(b)) WHERE (a > 0) t_pkey(id)"));
}

TEST(a_field_that_only_the_catalog_explains_has_an_index_that_goes_out_of_the_way)
{
    if (!anew())
        return;
    migration_sql(
        conn,
        "CREATE DOMAIN small AS integer CHECK (VALUE < 100); CREATE TABLE u (x int); CREATE INDEX t_n_idx ON u (x)");
    CHECK(becomes("t", "id i64 | key\nn i32 | sql_type small | index", ""));
    CHECK(has("t", "t_n_idx_2(n) t_pkey(id)"));
}

TEST(the_index_of_an_exclusion_keeps_its_name)
{
    if (!anew())
        return;
    CHECK(becomes("t", "id i64 | key\na i64", ""));
    migration_sql(conn, "ALTER TABLE t ADD CONSTRAINT t_a_idx EXCLUDE USING btree (a WITH =)");
    CHECK(becomes("t", "id i64 | key\na i64 | index", ""));
    CHECK(has("t", "t_a_idx(a) t_a_idx_2(a) t_pkey(id)"));
}
