/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Following tables of a server: what is written down, in which order it is numbered, and what says that it is not all.
 */
// LIBS: cell_postgres_sanitized
#include <inttypes.h>
#include <stdbool.h>

#include "pg_fixture.h"
#include "postgres/connect.h"
#include "postgres/feed_follow.h"
#include "test.h"

static PGconn *conn, *other;
static struct pg_arena arena;
static struct pg_failure f;

static PGconn *connect_to(const char *url)
{
    const struct pg_target target = {url, "feed"};
    PGconn *made = NULL;

    if (pg_connect(&target, 0, &made, &f) < 0)
        printf("%s\n", f.text);
    return made;
}

static bool ready(void)
{
    static bool tried;
    const char *url = tried ? NULL : pg_fixture(NULL);

    tried = true;
    if (url) {
        conn = connect_to(url);
        other = connect_to(url);
    }
    return conn && other;
}

__attribute__((destructor)) static void disconnect(void)
{
    PQfinish(conn);
    PQfinish(other);
    pg_arena_free(&arena);
}

static void run(PGconn *c, const char *sql)
{
    int r = pg_run(c, sql, &f);

    if (r < 0)
        printf("%s: %s\n", sql, f.text);
    CHECK(r >= 0);
}

/* One text, of the first row and column. */
static const char *ask(const char *sql)
{
    static char text[256];
    PGresult *result = PQexec(conn, sql);

    snprintf(text, sizeof(text), "%s", PQntuples(result) ? PQgetvalue(result, 0, 0) : PQresultErrorMessage(result));
    PQclear(result);
    return text;
}

static struct pg_feed_table *find(const char *name)
{
    struct pg_feed_tables tables;

    return pg_feed_read(conn, &arena, name, &tables, &f) >= 0 && tables.n == 1 ? tables.at : NULL;
}

/* The feed's number of a new table `name`, which is followed. */
static const char *follow(const char *name, const char *columns)
{
    run(conn, pg_printf(&arena, "DROP TABLE IF EXISTS %s; CREATE TABLE %s (%s)", name, name, columns));
    struct pg_feed_table *table = find(name);
    f = (struct pg_failure){0};
    if (!table || pg_feed_follow(conn, &arena, PG_POLICY_ADDITIVE, table, &f) != 1)
        printf("%s\n", f.text);
    return table && table->feed ? table->feed : "0";
}

static struct pg_feed_bounds bounds(const char *feed)
{
    struct pg_feed_bounds b;

    CHECK(pg_feed_bounds(conn, feed, &b, &f) >= 0);
    return b;
}

/* Keys in the order of their numbers. */
static const char *keys(const char *feed)
{
    return ask(pg_printf(&arena,
                         "SELECT string_agg(coalesce(array_to_string(key, '/'), '-'), ' ' ORDER BY number) "
                         "FROM cell.changes WHERE feed = %s AND number IS NOT NULL",
                         feed));
}

TEST(changes_are_numbered_without_gaps)
{
    if (!ready())
        return;
    const char *feed = follow("plain", "a int, b text, t text, PRIMARY KEY (b, a)");
    struct pg_feed_bounds before = bounds(feed);
    CHECK(before.followed && before.last == before.forgotten && before.last > 0);
    run(conn, "INSERT INTO plain VALUES (1, 'x', 't'), (2, 'y', 't'); UPDATE plain SET t = 'u' WHERE a = 1; "
              "UPDATE plain SET a = 3 WHERE a = 2; DELETE FROM plain WHERE a = 1");
    CHECK(pg_feed_number(conn, feed, &f) == 6);
    CHECK_STR(keys(feed), "x/1 y/2 x/1 y/2 y/3 x/1");
    struct pg_feed_bounds after = bounds(feed);
    CHECK(after.followed && after.last == before.last + 6 && after.forgotten == before.forgotten);
    CHECK(atoll(ask(pg_printf(&arena, "SELECT min(number) FROM cell.changes WHERE feed = %s", feed))) ==
          before.last + 1);
    CHECK(pg_feed_number(conn, feed, &f) == 0);
    struct pg_feed_table *table = find("plain");
    CHECK(table && pg_feed_follow(conn, &arena, PG_POLICY_PLAN, table, &f) == 0); /* nothing is to be done */
}

TEST(what_is_committed_later_has_a_later_number)
{
    if (!ready())
        return;
    const char *feed = follow("late", "id int PRIMARY KEY");
    run(other, "BEGIN; INSERT INTO late VALUES (1)");
    run(conn, "INSERT INTO late VALUES (2)");
    CHECK(pg_feed_number(conn, feed, &f) == 1);
    run(other, "COMMIT");
    CHECK(pg_feed_number(conn, feed, &f) == 1);
    CHECK_STR(keys(feed), "2 1");
    run(other, "BEGIN; INSERT INTO late VALUES (3); ROLLBACK");
    CHECK(pg_feed_number(conn, feed, &f) == 0);
}

TEST(what_triggers_have_not_seen_is_a_gap)
{
    static const char *const unseen[] = {
        "ALTER TABLE gaps DISABLE TRIGGER ALL; ALTER TABLE gaps ENABLE TRIGGER ALL",
        "ALTER TABLE gaps DISABLE TRIGGER cell_follow; ALTER TABLE gaps ENABLE ALWAYS TRIGGER cell_follow",
        "DROP TRIGGER cell_follow ON gaps",
        "DROP TRIGGER cell_follow_all ON gaps",
        "CREATE OR REPLACE FUNCTION cell.follow_%s() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "ALTER TABLE gaps DROP CONSTRAINT gaps_pkey, ADD PRIMARY KEY (other)",
        "ALTER TABLE gaps RENAME TO gone; CREATE TABLE gaps (LIKE gone INCLUDING ALL); DROP TABLE gone",
        "DROP FUNCTION cell.follow_%s() CASCADE"};
    static const char *const rewritten[] = {
        "ALTER TABLE gaps ALTER COLUMN t TYPE text USING 'x'",
        "ALTER TABLE gaps DROP COLUMN t; ALTER TABLE gaps ADD COLUMN t text DEFAULT 'other'",
        "ALTER TABLE gaps RENAME COLUMN t TO u; ALTER TABLE gaps RENAME COLUMN more TO t", "TRUNCATE gaps"};

    if (!ready())
        return;
    for (size_t i = 0; i < sizeof(unseen) / sizeof(unseen[0]); i++) {
        const char *feed = follow("gaps", "id int PRIMARY KEY, t text, more text, other int NOT NULL");
        run(conn, "INSERT INTO gaps VALUES (1, 'a', 'b', 2)");
        struct pg_feed_bounds before = bounds(feed);
        run(conn, pg_printf(&arena, unseen[i], feed));
        struct pg_feed_table *table = find("gaps");
        REQUIRE(table);
        if (bounds(feed).followed || table->followed || table->last < before.last)
            printf("%s is not noticed\n", unseen[i]);
        CHECK(!bounds(feed).followed && !table->followed);
        CHECK(pg_feed_follow(conn, &arena, PG_POLICY_PLAN, table, &f) == CELL_PERMISSION_DENIED);
        CHECK(strstr(f.text, "table 'gaps' is not followed, and the policy 'plan' forbids") != NULL);
        CHECK(pg_feed_follow(conn, &arena, PG_POLICY_APPLY, table, &f) == 1);
        CHECK(table->followed && table->forgotten > before.last && strcmp(table->feed, feed) == 0);
    }
    for (size_t i = 0; i < sizeof(rewritten) / sizeof(rewritten[0]); i++) {
        const char *feed = follow("gaps", "id int PRIMARY KEY, t text, more text, other int NOT NULL");
        run(conn, "INSERT INTO gaps VALUES (1, 'a', 'b', 2)");
        bool any;
        CHECK(pg_feed_number_all(conn, PG_FEED_MOST, &any, &f) == 1 && any);
        struct pg_feed_bounds before = bounds(feed);
        run(conn, rewritten[i]);
        CHECK(pg_feed_number_all(conn, PG_FEED_MOST, &any, &f) == 1);
        struct pg_feed_bounds after = bounds(feed);
        if (after.forgotten <= before.last)
            printf("%s is not noticed\n", rewritten[i]);
        CHECK(after.followed && after.forgotten > before.last && after.last >= after.forgotten);
        CHECK(pg_feed_number_all(conn, PG_FEED_MOST, &any, &f) == 0); /* once */
    }
}

TEST(what_changes_nothing_is_no_gap)
{
    static const char *const harmless[] = {"ALTER TABLE kept ADD COLUMN n int DEFAULT 7",
                                           "ALTER TABLE kept DROP COLUMN n",
                                           "CREATE INDEX ON kept (t)",
                                           "ANALYZE kept",
                                           "VACUUM (FREEZE) kept",
                                           "ALTER TABLE kept ADD CHECK (id > 0)",
                                           "ALTER TABLE kept RENAME COLUMN t TO v"};

    if (!ready())
        return;
    const char *feed = follow("kept", "id int PRIMARY KEY, t text");
    struct pg_feed_bounds before = bounds(feed);
    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
        run(conn, harmless[i]);
        CHECK(pg_feed_number(conn, feed, &f) == 0);
        struct pg_feed_bounds after = bounds(feed);
        if (!after.followed || after.last != before.last)
            printf("%s counts\n", harmless[i]);
        CHECK(after.followed && after.last == before.last && after.forgotten == before.forgotten);
    }
}

TEST(a_key_that_was_renamed_does_not_stop_those_who_write)
{
    if (!ready())
        return;
    const char *feed = follow("renamed", "id int PRIMARY KEY");
    run(conn, "ALTER TABLE renamed RENAME id TO number; INSERT INTO renamed VALUES (1)");
    CHECK(!bounds(feed).followed);
    CHECK(pg_feed_number(conn, feed, &f) == 1);
    CHECK_STR(keys(feed), "-");
    CHECK(bounds(feed).forgotten == bounds(feed).last);
}

TEST(old_changes_are_forgotten)
{
    if (!ready())
        return;
    const char *feed = follow("trimmed", "id int PRIMARY KEY");
    struct pg_feed_bounds before = bounds(feed);
    run(conn, "INSERT INTO trimmed SELECT generate_series(1, 10)");
    CHECK(pg_feed_number(conn, feed, &f) == 10);
    CHECK(pg_feed_trim(conn, feed, &(struct pg_feed_limits){0, 0}, &f) >= 0);
    CHECK(bounds(feed).forgotten == before.last);
    CHECK(pg_feed_trim(conn, feed, &(struct pg_feed_limits){4, 0}, &f) >= 0);
    CHECK(bounds(feed).forgotten == before.last + 6);
    CHECK_STR(keys(feed), "7 8 9 10");
    run(conn, "UPDATE cell.changes SET at = now() - interval '1 hour' WHERE key = '{8}'");
    CHECK(pg_feed_trim(conn, feed, &(struct pg_feed_limits){0, 60000}, &f) >= 0);
    CHECK_STR(keys(feed), "9 10");
    CHECK(bounds(feed).forgotten == before.last + 8 && bounds(feed).last == before.last + 10);
    CHECK(pg_feed_unfollow(conn, &arena, PG_POLICY_APPLY, find("trimmed"), &f) == 1);
    CHECK_STR(ask("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'trimmed'::regclass"), "0");
    CHECK_STR(keys(feed), "");
    CHECK(!bounds(feed).followed && !find("trimmed")->followed);
    CHECK(pg_feed_unfollow(conn, &arena, PG_POLICY_APPLY, find("trimmed"), &f) == 0);
}

TEST(nobody_waits_behind_who_waits_for_a_table)
{
    if (!ready())
        return;
    run(conn, "CREATE TABLE held (id int PRIMARY KEY)");
    run(other, "BEGIN; INSERT INTO held VALUES (1)");
    CHECK(pg_feed_follow(conn, &arena, PG_POLICY_APPLY, find("held"), &f) == CELL_UNAVAILABLE);
    CHECK_STR(f.text, "table 'held' is used by a transaction that has been open for long");
    CHECK(PQtransactionStatus(conn) == PQTRANS_IDLE && !find("held")->followed);
    run(other, "COMMIT");
    CHECK(pg_feed_follow(conn, &arena, PG_POLICY_APPLY, find("held"), &f) == 1);
    run(conn, "ALTER DATABASE test SET cell.policy = 'plan'; CREATE TABLE ruled (id int PRIMARY KEY)");
    CHECK(pg_feed_follow(conn, &arena, PG_POLICY_APPLY, find("ruled"), &f) == CELL_PERMISSION_DENIED);
    run(conn, "ALTER DATABASE test RESET cell.policy");
}

TEST(names_are_only_names)
{
    if (!ready())
        return;
    run(conn, "CREATE TABLE \"a\"\"b'; $$ x\" (\"k\"\"'; $1 \\\" text PRIMARY KEY)");
    struct pg_feed_table *table = find("a\"b'; $$ x");
    REQUIRE(table);
    if (pg_feed_follow(conn, &arena, PG_POLICY_APPLY, table, &f) != 1)
        printf("%s\n", f.text);
    run(conn, "INSERT INTO \"a\"\"b'; $$ x\" VALUES ('it''s')");
    CHECK(pg_feed_number(conn, table->feed, &f) == 1);
    CHECK_STR(keys(table->feed), "it's");
}
