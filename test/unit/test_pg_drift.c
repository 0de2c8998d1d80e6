/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What was changed by hand: found, adopted, reverted, ignored. */
// LIBS: cell_postgres_sanitized
#include "pg_migrate.h"
#include "postgres/drift.h"

#define FIELDS "id i64 | key | auto\nemail str | unique\nname str | default 'x' | index\nage opt<i32> | range 0;150"

static PGconn *conn;
static struct pg_arena arena;

static bool server(void)
{
    if (!conn && pg_fixture(NULL))
        conn = migration_connect();
    return conn != NULL;
}

static void make_ruled(const char *table, const char *fields, const char *rules)
{
    json_t *r = pg_build_request("table", table, fields, rules);
    struct migration m = {.requests = {r}, .n = 1};

    if (migrate(conn, &m) < 0) {
        printf("%s\n", m.text);
        test_failures++;
    }
    json_decref(r);
}

static void make(const char *table, const char *fields) { make_ruled(table, fields, ""); }

/* The differences of one table. */
static pg_drifts drift_of(const char *table)
{
    pg_drifts all = {0}, own = {0};
    struct pg_failure f;

    pg_arena_free(&arena);
    if (pg_drift_read(conn, &arena, &all, &f) < 0) {
        printf("%s\n", f.text);
        test_failures++;
    }
    for (uint32_t i = 0; i < all.n; i++)
        if (strcmp(all.at[i].table, table) == 0)
            *(struct pg_drift *)pg_push(&arena, &own) = all.at[i];
    return own;
}

static bool is(const struct pg_drift *d, const char *kind, const char *name, enum pg_change change)
{
    return strcmp(d->kind, kind) == 0 && strcmp(d->name, name) == 0 && d->change == change;
}

static int settle(const struct pg_drift *d, enum pg_settlement how, bool loses, struct pg_failure *f)
{
    struct pg_migration_options o = {.policy = PG_POLICY_APPLY, .deadline_ms = pg_now_ms() + 10000};
    int r = pg_migration_begin(conn, &o, f);

    if (r < 0)
        return r;
    r = pg_drift_settle(conn, d, how, loses, &o, f);
    pg_migration_end(conn);
    return r;
}

TEST(what_plans_do_is_no_drift)
{
    if (!server())
        return;
    make("calm", FIELDS);
    CHECK(drift_of("calm").n == 0);
    make("calm", FIELDS "\nmore i32 | default 3");
    CHECK(drift_of("calm").n == 0);
}

TEST(each_change_by_hand_is_found)
{
    if (!server())
        return;
    make("hand", FIELDS);
    migration_sql(conn, "ALTER TABLE hand ADD nick text, ALTER age TYPE bigint, ALTER name DROP DEFAULT;"
                        "ALTER TABLE hand DROP CONSTRAINT hand_age_range; DROP INDEX hand_name_idx;"
                        "CREATE INDEX other ON hand (age)");
    pg_drifts d = drift_of("hand");
    REQUIRE(d.n == 6);
    CHECK(is(&d.at[0], "column", "age", PG_CHANGE_CHANGED) && strcmp(d.at[0].was, "integer") == 0 &&
          strcmp(d.at[0].is, "bigint") == 0);
    CHECK(is(&d.at[1], "column", "name", PG_CHANGE_CHANGED));
    CHECK(is(&d.at[2], "column", "nick", PG_CHANGE_ADDED) && !d.at[2].was);
    CHECK(is(&d.at[3], "constraint", "hand_age_range", PG_CHANGE_REMOVED) && !d.at[3].is);
    CHECK(is(&d.at[4], "index", "hand_name_idx", PG_CHANGE_REMOVED));
    CHECK(is(&d.at[5], "index", "other", PG_CHANGE_ADDED));
}

TEST(a_plan_does_not_adopt_what_was_changed_by_hand_before_it)
{
    if (!server())
        return;
    make("mixed", FIELDS);
    migration_sql(conn, "ALTER TABLE mixed ADD nick text");
    make("mixed", FIELDS "\nmore i32 | default 3");
    pg_drifts d = drift_of("mixed");
    CHECK(d.n == 1 && is(&d.at[0], "column", "nick", PG_CHANGE_ADDED));
}

TEST(an_interrupted_plan_is_no_drift)
{
    if (!server())
        return;
    make("cut", FIELDS);
    struct pg_arena own = {0};
    struct pg_step step = {.schema = "public", .table = "cut"};
    struct pg_plan plan = {.steps = &step, .nsteps = 1};
    struct pg_failure f;
    CHECK(pg_baseline_before(conn, &plan, &f) >= 0);
    migration_sql(conn, "ALTER TABLE cut ADD planned int"); /* and then it was killed */
    CHECK(drift_of("cut").n == 0);
    make("next_one", FIELDS); /* the next migration */
    CHECK(drift_of("cut").n == 0);
    CHECK(strcmp(migration_value(conn, "SELECT count(*) FROM cell.before"), "0") == 0);
    pg_arena_free(&own);
}

TEST(what_is_adopted_is_no_drift_any_more_and_what_is_ignored_is_marked_until_it_changes)
{
    if (!server())
        return;
    struct pg_failure f;
    make("keep", FIELDS);
    migration_sql(conn, "ALTER TABLE keep ADD nick text; DROP INDEX keep_name_idx");
    pg_drifts d = drift_of("keep");
    REQUIRE(d.n == 2);
    CHECK(settle(&d.at[0], PG_ADOPT, false, &f) == CELL_OK);
    d = drift_of("keep");
    REQUIRE(d.n == 1 && is(&d.at[0], "index", "keep_name_idx", PG_CHANGE_REMOVED) && !d.at[0].ignored);
    CHECK(settle(&d.at[0], PG_IGNORE, false, &f) == CELL_OK);
    d = drift_of("keep");
    REQUIRE(d.n == 1 && d.at[0].ignored);
    migration_sql(conn, "CREATE INDEX keep_name_idx ON keep (lower(name))");
    d = drift_of("keep");
    REQUIRE(d.n == 1 && !d.at[0].ignored && d.at[0].change == PG_CHANGE_CHANGED);
    CHECK(settle(&d.at[0], PG_ADOPT, false, &f) == CELL_OK);
    migration_sql(conn, "DROP INDEX keep_name_idx");
    d = drift_of("keep");
    REQUIRE(d.n == 1);
    CHECK(settle(&d.at[0], PG_ADOPT, false, &f) == CELL_OK);
    CHECK(drift_of("keep").n == 0);
}

TEST(what_is_reverted_is_as_it_was)
{
    if (!server())
        return;
    struct pg_failure f;
    make("back", FIELDS);
    migration_sql(conn, "INSERT INTO back (email, age) VALUES ('a', 3);"
                        "ALTER TABLE back ADD nick text, ALTER age TYPE bigint, ALTER name DROP DEFAULT;"
                        "ALTER TABLE back DROP CONSTRAINT back_age_range, ADD CONSTRAINT x CHECK (age < 9);"
                        "DROP INDEX back_name_idx; CREATE INDEX back_other ON back (age)");
    for (pg_drifts d = drift_of("back"); d.n > 0; d = drift_of("back")) {
        if (is(&d.at[0], "column", "nick", PG_CHANGE_ADDED) || strcmp(d.at[0].name, "age") == 0) {
            CHECK(settle(&d.at[0], PG_REVERT, false, &f) == CELL_FAILED_PRECONDITION);
            d = drift_of("back");
        }
        if (settle(&d.at[0], PG_REVERT, true, &f) < 0) {
            printf("%s %s: %s\n", d.at[0].kind, d.at[0].name, f.text);
            CHECK(false);
            break;
        }
    }
    json_t *r = pg_build_request("table", "back", FIELDS, "");
    struct migration m = {.requests = {r}, .n = 1};
    CHECK(migration_left(conn, &m) == 0);
    json_decref(r);
    CHECK(strcmp(migration_value(conn, "SELECT age FROM back"), "3") == 0);
    CHECK(strcmp(migration_value(conn, "SELECT count(*) FROM cell.history WHERE table_name = 'back' AND "
                                       "consent = 'cell drift --revert'"),
                 "7") == 0);
}

TEST(what_went_with_a_column_is_reverted_with_it)
{
    if (!server())
        return;
    struct pg_failure f;
    make("hung", FIELDS);
    migration_sql(conn, "ALTER TABLE hung ADD nick text UNIQUE; CREATE INDEX hung_nick ON hung (lower(nick))");
    pg_drifts d = drift_of("hung");
    REQUIRE(d.n == 3);
    for (uint32_t i = 0; i < d.n; i++)
        CHECK(settle(&d.at[i], PG_REVERT, true, &f) == CELL_OK);
    CHECK(drift_of("hung").n == 0);
}

TEST(a_column_that_was_renamed_gets_its_name_again)
{
    if (!server())
        return;
    struct pg_failure f;
    make("called", FIELDS);
    migration_sql(conn, "INSERT INTO called (email, name, age) VALUES ('a', 'b', 3); "
                        "ALTER TABLE called RENAME age TO years; ALTER TABLE called RENAME name TO title");
    pg_drifts d = drift_of("called");
    REQUIRE(d.n == 6); /* with a check and an index, which name them */
    CHECK(is(&d.at[0], "column", "age", PG_CHANGE_REMOVED) && d.at[0].other && strcmp(d.at[0].other, "years") == 0);
    CHECK(is(&d.at[3], "column", "years", PG_CHANGE_ADDED) && d.at[3].other && strcmp(d.at[3].other, "age") == 0);
    const char *made = migration_value(conn, "SELECT oid FROM pg_constraint WHERE conname = 'called_age_range'");
    char oid[32];
    snprintf(oid, sizeof(oid), "%s", made);
    /* Also when all is reverted, and may be lost: not one is dropped that holds what another one shall. */
    for (uint32_t i = 0; i < d.n; i++)
        CHECK(settle(&d.at[i], PG_REVERT, true, &f) == CELL_OK);
    CHECK(drift_of("called").n == 0);
    CHECK(strcmp(migration_value(conn, "SELECT concat_ws(' ', email, name, age) FROM called"), "a b 3") == 0);
    CHECK(strcmp(migration_value(conn, "SELECT oid FROM pg_constraint WHERE conname = 'called_age_range'"), oid) == 0);
    /* One that was dropped is made again, beside another one that has come. */
    migration_sql(conn, "ALTER TABLE called DROP age, ADD other int");
    d = drift_of("called");
    REQUIRE(d.n == 3 && is(&d.at[0], "column", "age", PG_CHANGE_REMOVED) && d.at[0].other &&
            strcmp(d.at[0].other, "") == 0);
    CHECK(!d.at[1].other && settle(&d.at[0], PG_REVERT, false, &f) == CELL_OK);
    /* What an earlier version has not noted. */
    migration_sql(conn, "DELETE FROM cell.baseline WHERE kind = 'place'; ALTER TABLE called RENAME email TO mail");
    d = drift_of("called");
    for (uint32_t i = 0; i < d.n; i++)
        if (is(&d.at[i], "column", "email", PG_CHANGE_REMOVED)) {
            CHECK(!d.at[i].other && settle(&d.at[i], PG_REVERT, false, &f) == CELL_FAILED_PRECONDITION);
            CHECK(strstr(f.text, "column 'email' is gone, and 'mail', which is like it, has come") == f.text);
        }
}

TEST(what_a_rename_of_a_plan_changes_in_other_tables_is_no_drift)
{
    if (!server())
        return;
    make("host", "id i64 | key\ncode str | unique");
    make("guest", "id i64 | key\nhost opt<str> | references host;code");
    migration_sql(conn, "ALTER TABLE host ADD nick text; ALTER TABLE guest ADD nick text");
    make("host", "id i64 | key\nsign str | unique | renamed_from code");
    CHECK(drift_of("host").n == 1 && drift_of("guest").n == 1);
    make_ruled("landlord", "id i64 | key\nsign str | unique | renamed_from code", "table_renamed_from host");
    pg_drifts d = drift_of("landlord");
    CHECK(d.n == 1 && is(&d.at[0], "column", "nick", PG_CHANGE_ADDED));
    CHECK(drift_of("host").n == 0 && drift_of("guest").n == 1);
    migration_sql(conn, "ALTER TABLE landlord RENAME sign TO mark");
    d = drift_of("landlord");
    REQUIRE(d.n > 1 && is(&d.at[0], "column", "mark", PG_CHANGE_ADDED));
    CHECK(d.at[0].other && strcmp(d.at[0].other, "sign") == 0);
}

/* As a dump of before the rename leaves it that has this table alone. */
#define RESTORED(table)                                                                                                \
    "DROP TABLE " table "; CREATE TABLE " table " (id bigint PRIMARY KEY, email text NOT NULL); "                      \
    "INSERT INTO " table " VALUES (1, 'a')"

TEST(a_state_of_before_a_rename_is_renamed_again)
{
    if (!server())
        return;
    struct pg_failure f;
    make("again", "id i64 | key\nemail str");
    make("again", "id i64 | key\nmail str | renamed_from email");
    migration_sql(conn, RESTORED("again"));
    make("again", "id i64 | key\nmail str | renamed_from email");
    CHECK(strcmp(migration_value(conn, "SELECT again::text FROM again"), "(1,a)") == 0);
    CHECK(drift_of("again").n == 0);
    migration_sql(conn, RESTORED("again"));
    pg_drifts d = drift_of("again");
    REQUIRE(d.n == 2 && is(&d.at[0], "column", "email", PG_CHANGE_ADDED) &&
            is(&d.at[1], "column", "mail", PG_CHANGE_REMOVED));
    CHECK(d.at[0].other && strcmp(d.at[0].other, "mail") == 0 && d.at[1].other && strcmp(d.at[1].other, "email") == 0);
    CHECK(settle(&d.at[1], PG_REVERT, false, &f) == CELL_OK && settle(&d.at[0], PG_REVERT, true, &f) == CELL_OK);
    CHECK(strcmp(migration_value(conn, "SELECT mail FROM again"), "a") == 0 && drift_of("again").n == 0);
    /* Which column is which is not known of another table than the one that was noted. */
    migration_sql(conn, RESTORED("again") "; ALTER TABLE again RENAME email TO post");
    d = drift_of("again");
    REQUIRE(d.n == 2 && is(&d.at[0], "column", "mail", PG_CHANGE_REMOVED));
    CHECK(!d.at[0].other && settle(&d.at[0], PG_REVERT, false, &f) == CELL_FAILED_PRECONDITION);
}

TEST(a_table_that_is_gone_is_said_once_and_can_be_adopted)
{
    if (!server())
        return;
    struct pg_failure f;
    make("gone", FIELDS);
    migration_sql(conn, "DROP TABLE gone");
    pg_drifts d = drift_of("gone");
    REQUIRE(d.n == 1 && is(&d.at[0], "table", "", PG_CHANGE_REMOVED));
    CHECK(settle(&d.at[0], PG_REVERT, true, &f) == CELL_FAILED_PRECONDITION);
    CHECK(settle(&d.at[0], PG_ADOPT, false, &f) == CELL_OK);
    CHECK(drift_of("gone").n == 0);
    pg_arena_free(&arena);
    PQfinish(conn); /* the last test */
}
