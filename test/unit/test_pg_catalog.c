/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_postgres_sanitized
#include "pg_fixture.h"
#include "postgres/catalog.h"
#include "postgres/sql.h"
#include "test.h"

static PGconn *connect_once(void)
{
    static PGconn *conn;
    static bool tried;
    struct pg_failure f;

    if (!tried) {
        const char *url = pg_fixture(NULL);
        const struct pg_target target = {url, NULL};
        tried = true;
        if (url && pg_connect(&target, 0, &conn, &f) < 0)
            printf("%s\n", f.text);
    }
    return conn;
}

static void run(PGconn *conn, const char *sql)
{
    struct pg_failure f;

    if (pg_run(conn, sql, &f) < 0) {
        printf("%s: %s\n", sql, f.text);
        test_failures++;
    }
}

static struct pg_model *read_model(PGconn *conn, const struct pg_wanted *wanted, uint32_t n)
{
    struct pg_model *m = NULL;
    struct pg_failure f;

    if (pg_catalog_read(conn, wanted, n, pg_now_ms() + 10000, &m, &f) < 0)
        printf("%s\n", f.text);
    return m;
}

static bool same(const char *a, const char *b) { return a && b ? strcmp(a, b) == 0 : a == b; }

static const char tables[] =
    "CREATE SCHEMA app; CREATE TYPE app.mood AS ENUM ('sad', 'it''s \"ok\"', 'happy');"
    "CREATE TABLE app.people (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a integer, b integer, gone text,"
    " email varchar(80) NOT NULL, mood app.mood DEFAULT 'happy', tags text[] NOT NULL DEFAULT '{}',"
    " amount numeric(12,2), twice integer GENERATED ALWAYS AS (a * 2) STORED, seen timestamptz DEFAULT now(),"
    " CONSTRAINT people_email UNIQUE (email), CONSTRAINT positive CHECK (a > 0 AND b IS NOT NULL), UNIQUE (b, a));"
    "ALTER TABLE app.people DROP COLUMN gone; COMMENT ON TABLE app.people IS 'Who is there';"
    "COMMENT ON COLUMN app.people.email IS 'where to write';"
    "CREATE INDEX people_lower ON app.people USING btree (lower(email::text) DESC, a NULLS FIRST) INCLUDE (b)"
    " WHERE a > 3;"
    "CREATE INDEX people_ops ON app.people (email varchar_pattern_ops);"
    "CREATE TABLE \"Odd \"\"name\" (person bigint REFERENCES app.people ON DELETE CASCADE, x int, y int,"
    " n serial, CONSTRAINT pair FOREIGN KEY (x, y) REFERENCES app.people (b, a) ON UPDATE SET NULL DEFERRABLE"
    " INITIALLY DEFERRED);"
    "ALTER TABLE \"Odd \"\"name\" ADD CONSTRAINT later CHECK (x > 1) NOT VALID;"
    "CREATE VIEW app.names AS SELECT email FROM app.people;";

static void check_columns(const struct pg_table *t)
{
    const struct pg_column *c;

    CHECK(t->ncolumns == 9 && !pg_table_column(t, "gone"));
    c = pg_table_column(t, "id");
    CHECK(c && c->identity == 'a' && !c->nullable && c->type.base == PG_BASE_INT8 && !c->standard.sql);
    c = pg_table_column(t, "email");
    CHECK(c && c->type.base == PG_BASE_VARCHAR && c->type.modifier == 80 && same(c->comment, "where to write"));
    c = pg_table_column(t, "mood");
    CHECK(c && c->type.base == PG_BASE_OTHER && same(c->type.schema, "app") && same(c->type.name, "mood"));
    CHECK(c && c->nullable && same(c->standard.sql, "'happy'::app.mood") && !c->standard.source && !c->default_made);
    c = pg_table_column(t, "tags");
    CHECK(c && c->type.base == PG_BASE_TEXT && c->type.array);
    c = pg_table_column(t, "amount");
    CHECK(c && c->type.base == PG_BASE_NUMERIC && c->type.modifier == 12 && c->type.scale == 2);
    c = pg_table_column(t, "twice");
    CHECK(c && same(c->generated.sql, "(a * 2)") && !c->standard.sql);
}

static void check_keys(const struct pg_table *t)
{
    CHECK(t->primary && same(t->primary->name, "people_pkey") && t->primary->n == 1);
    REQUIRE(t->nuniques == 2);
    CHECK(same(t->uniques[0].name, "people_b_a_key") && t->uniques[0].n == 2);
    CHECK(same(t->uniques[0].columns[0], "b") && same(t->uniques[0].columns[1], "a"));
    REQUIRE(t->nchecks == 1);
    CHECK(same(t->checks[0].expr.sql, "((a > 0) AND (b IS NOT NULL))") && t->checks[0].valid && !t->checks[0].made);
}

static void check_indexes(const struct pg_table *t)
{
    REQUIRE(t->nindexes == 2);
    const struct pg_index *x = &t->indexes[0];
    CHECK(same(x->name, "people_lower") && same(x->method, "btree") && !x->unique && x->valid);
    CHECK(same(x->predicate.sql, "(a > 3)"));
    REQUIRE(x->n == 2 && x->nincluded == 1);
    CHECK(!x->parts[0].column && same(x->parts[0].expr.sql, "lower((email)::text)") && x->parts[0].descending);
    CHECK(!x->parts[0].opclass && x->parts[0].nulls_first);
    CHECK(same(x->parts[1].column, "a") && !x->parts[1].expr.sql && !x->parts[1].descending && x->parts[1].nulls_first);
    CHECK(same(x->included[0], "b"));
    CHECK(same(t->indexes[1].parts[0].opclass, "varchar_pattern_ops"));
}

static void check_foreign(const struct pg_table *t)
{
    REQUIRE(t->nforeign == 2);
    const struct pg_foreign_key *k = &t->foreign[1];
    CHECK(same(k->name, "pair") && k->n == 2 && same(k->columns[0], "x") && same(k->to_columns[0], "b"));
    CHECK(k->on_update == PG_SET_NULL && k->on_delete == PG_NO_ACTION && k->deferrable && k->deferred && k->valid);
    CHECK(t->foreign[0].on_delete == PG_CASCADE && same(t->foreign[0].to_schema, "app") &&
          same(t->foreign[0].to_table, "people") && same(t->foreign[0].to_columns[0], "id"));
    CHECK(t->nchecks == 1 && !t->checks[0].valid);
    const struct pg_column *c = pg_table_column(t, "n");
    CHECK(c && c->identity == 'd' && c->standard.sql);
}

TEST(a_model_says_what_is_in_the_catalog)
{
    const struct pg_wanted wanted[] = {{"app", NULL}, {NULL, "Odd \"name"}, {"app", "nobody"}, {"nowhere", "x"}};
    PGconn *conn = connect_once();

    if (!conn)
        return;
    run(conn, tables);
    struct pg_model *m = read_model(conn, wanted, 4);
    REQUIRE(m);
    CHECK(m->version == PQserverVersion(conn) && same(m->default_schema, "public") && pg_model_has_schema(m, "app"));
    CHECK(m->ntables == 3);
    const struct pg_table *t = pg_model_table(m, "app", "people");
    REQUIRE(t);
    CHECK(t->kind == 'r' && same(t->comment, "Who is there") && t->rows == -1);
    check_columns(t);
    check_keys(t);
    check_indexes(t);
    t = pg_model_table(m, NULL, "Odd \"name");
    REQUIRE(t);
    check_foreign(t);
    t = pg_model_table(m, "app", "names");
    CHECK(t && t->kind == 'v' && t->ncolumns == 1);
    const struct pg_enum *e = pg_model_enum(m, "app", "mood");
    CHECK(e && e->n == 3 && same(e->labels[1], "it's \"ok\""));
    pg_model_free(m);
    CHECK(PQtransactionStatus(conn) == PQTRANS_IDLE);
}

TEST(what_cell_made_is_marked_until_it_is_changed_by_hand)
{
    PGconn *conn = connect_once();

    if (!conn)
        return;
    for (const char *const *sql = pg_sql_objects_tables; *sql; sql++)
        run(conn, *sql);
    run(conn, "CREATE TABLE made (a int DEFAULT 1 + 1, b int, CONSTRAINT b_ok CHECK (b < 5))");
    struct pg_arena arena = {0};
    const struct pg_table table = {.schema = "public", .name = "made"};
    const struct pg_record records[] = {{"default", "a", "1+1"}, {"check", "b_ok", "b<5"}, {"dropped", "old", NULL}};
    run(conn, pg_sql_record(&arena, &table, records, 3));
    pg_arena_free(&arena);
    struct pg_model *m = read_model(conn, &(struct pg_wanted){NULL, "made", false}, 1);
    REQUIRE(m && m->ntables == 1);
    struct pg_table *t = &m->tables[0];
    CHECK(t->columns[0].default_made && same(t->columns[0].standard.source, "1+1"));
    CHECK(t->nchecks == 1 && t->checks[0].made && same(t->checks[0].expr.source, "b<5"));
    CHECK(t->nevents == 1 && t->events[0].past == PG_PAST_DROPPED && same(t->events[0].name, "old"));
    pg_model_free(m);
    run(conn, "ALTER TABLE made ALTER a SET DEFAULT 7, DROP CONSTRAINT b_ok, ADD CONSTRAINT b_ok CHECK (b < 6)");
    m = read_model(conn, &(struct pg_wanted){NULL, "made", false}, 1);
    REQUIRE(m && m->ntables == 1);
    t = &m->tables[0];
    CHECK(t->columns[0].default_made && !t->columns[0].standard.source);
    CHECK(t->nchecks == 1 && t->checks[0].made && !t->checks[0].expr.source);
    pg_model_free(m);
}

TEST(the_state_changes_with_every_change_of_the_schema_and_with_nothing_else)
{
    static const char *const changes[] = {
        "CREATE TABLE st (a int, b text)",
        "ALTER TABLE st ADD c int",
        "ALTER TABLE st RENAME c TO d",
        "ALTER TABLE st ALTER d SET NOT NULL",
        "ALTER TABLE st ALTER d TYPE bigint",
        "ALTER TABLE st ALTER d SET DEFAULT 3",
        "ALTER TABLE st ALTER d SET DEFAULT 4",
        "ALTER TABLE st DROP d",
        "CREATE INDEX st_a ON st (a)",
        "DROP INDEX st_a",
        "ALTER TABLE st ADD CONSTRAINT st_c CHECK (a > 0) NOT VALID",
        "ALTER TABLE st VALIDATE CONSTRAINT st_c",
        "COMMENT ON COLUMN st.a IS 'x'",
        "CREATE TYPE st_e AS ENUM ('a')",
        "ALTER TYPE st_e ADD VALUE 'b'",
        "CREATE VIEW st_v AS SELECT a FROM st",
        "CREATE OR REPLACE VIEW st_v AS SELECT a + 1 AS a FROM st",
        "CREATE FUNCTION st_f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION st_f() RETURNS int STRICT LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA st_s",
        "DROP VIEW st_v"};
    static const char *const others[] = {"INSERT INTO st SELECT 1, 'x' FROM generate_series(1, 1000)",
                                         "ANALYZE st",
                                         "UPDATE st SET a = 2",
                                         "VACUUM st",
                                         "CREATE ROLE st_r",
                                         "SELECT count(*) FROM st"};
    char before[PG_STATE_TOKEN_SIZE], after[PG_STATE_TOKEN_SIZE], alone[PG_STATE_TOKEN_SIZE];
    PGconn *conn = connect_once();
    struct pg_seen seen;
    struct pg_failure f;

    if (!conn)
        return;
    pg_seen_init(&seen);
    REQUIRE(pg_catalog_state(conn, &seen, before, &f) == CELL_OK);
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        run(conn, changes[i]);
        REQUIRE(pg_catalog_state(conn, &seen, after, &f) == CELL_OK);
        if (strcmp(before, after) == 0)
            printf("not noticed: %s\n", changes[i]);
        CHECK(strcmp(before, after) != 0);
        REQUIRE(pg_catalog_state(conn, NULL, alone, &f) == CELL_OK);
        CHECK(strcmp(alone, after) == 0);
        memcpy(before, after, sizeof(before));
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        run(conn, others[i]);
        REQUIRE(pg_catalog_state(conn, &seen, after, &f) == CELL_OK);
        if (strcmp(before, after) != 0)
            printf("no change of the schema: %s\n", others[i]);
        CHECK(strcmp(before, after) == 0);
    }
    pg_seen_destroy(&seen);
}

TEST(arrays_are_written_as_the_server_reads_them)
{
    const char *const texts[] = {"a", NULL, "\"b\\", "{c, NULL}", ""};
    char *array = pg_array_text(texts, 5);
    PGconn *conn = connect_once();
    PGresult *result = NULL;

    CHECK(same(array, "{\"a\",NULL,\"\\\"b\\\\\",\"{c, NULL}\",\"\"}"));
    if (conn) {
        const char *const params[] = {array};
        CHECK(pg_query(conn, "SELECT ($1::text[])[3], ($1::text[])[4], ($1::text[])[2] IS NULL", 1, params, &result,
                       NULL) == CELL_OK);
        CHECK(result && same(PQgetvalue(result, 0, 0), "\"b\\") && same(PQgetvalue(result, 0, 1), "{c, NULL}") &&
              same(PQgetvalue(result, 0, 2), "t"));
        PQclear(result);
    }
    free(array);
}

TEST(a_table_that_is_locked_costs_the_time_limit_and_no_more)
{
    PGconn *conn = connect_once(), *other = NULL;
    struct pg_model *m = NULL;
    struct pg_failure f;

    if (!conn)
        return;
    const struct pg_target target = {pg_fixture_url, NULL};
    REQUIRE(pg_connect(&target, 0, &other, &f) == CELL_OK);
    run(other, "CREATE TABLE locked (a int DEFAULT 1); BEGIN; LOCK TABLE locked");
    int r = pg_catalog_read(conn, &(struct pg_wanted){NULL, "locked", false}, 1, pg_now_ms() + 200, &m, &f);
    CHECK(r == CELL_OK || r == CELL_DEADLINE_EXCEEDED); /* not all versions lock a table to print its expressions */
    CHECK(PQtransactionStatus(conn) == PQTRANS_IDLE);
    CHECK(pg_catalog_read(conn, &(struct pg_wanted){NULL, "locked", false}, 1, pg_now_ms() - 1, &m, &f) ==
          CELL_DEADLINE_EXCEEDED);
    pg_model_free(m);
    PQfinish(other);
    CHECK(pg_run(conn, "SELECT 1", &f) == CELL_OK);
    PQfinish(conn); /* the last test */
}
