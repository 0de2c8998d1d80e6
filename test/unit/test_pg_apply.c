/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Carrying out plans: policy, locks, time, history. */
// LIBS: cell_postgres_sanitized
#include "pg_migrate.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#define USERS "id i64 | key | auto\nemail str | unique\nage opt<i32> | range 0;150"

static json_t *request(const char *table, const char *fields, const char *rules)
{
    json_t *r = pg_build_request("table", table, fields, rules);

    json_object_set_new(json_object_get(r, "annotation"), "location", json_string("src/users.c:7:8"));
    return r;
}

static bool server(void)
{
    static int there = -1;

    if (there < 0)
        there = pg_fixture(NULL) != NULL;
    return there;
}

static struct migration one(json_t *r) { return (struct migration){.requests = {r}, .n = 1}; }

TEST(a_plan_is_carried_out_once_and_its_steps_are_in_the_history)
{
    if (!server())
        return;
    json_t *r = request("once", USERS, "");
    struct migration m = one(r);
    struct pg_origin origin = {"src/users.c:7:8", "abc"};
    PGconn *conn = migration_connect();

    m.options.who = "ada (uid 1000), clang";
    m.options.origins = &origin;
    m.options.norigins = 1;
    CHECK(migrate(conn, &m) == CELL_OK && m.nsteps == 1);
    CHECK(migrate(conn, &m) == CELL_OK && m.nsteps == 0);
    CHECK(migration_left(conn, &m) == 0);
    CHECK(
        strcmp(migration_value(conn, "SELECT concat_ws('|', step, kind, hazard, table_name, fingerprint, who, source, "
                                     "done >= began, role) FROM cell.history WHERE table_name = 'once'"),
               "1|create-table||once|abc|ada (uid 1000), clang|src/users.c:7:8|t|postgres") == 0 ||
        strcmp(migration_value(conn, "SELECT concat_ws('|', step, kind, hazard, table_name, fingerprint, who, source, "
                                     "done >= began, role) FROM cell.history WHERE table_name = 'once'"),
               "1|create-table|once|abc|ada (uid 1000), clang|src/users.c:7:8|t|postgres") == 0);
    PQfinish(conn);
    json_decref(r);
}

/* PostgreSQL keeps no default that is NULL and no predicate that is true. What else it makes of a text is here too. */
TEST(what_the_database_does_not_keep_is_not_wanted_again)
{
    static const struct {
        const char *fields, *rules;
    } rows[] = {{"id i64 | key\nm opt<i64> | default (NULL)", ""},
                {"id i64 | key\nm opt<i64> | default CAST(NULL AS bigint)", ""},
                {"id i64 | key\nm opt<i64>", "index m;where 'true'"},
                {"id i64 | key\nm opt<i64>", "unique_index m;where (true)"},
                {"id i64 | key\nm opt<i64> | default (5)", "index (m + 1);where 1 = 1"}};
    PGconn *conn = server() ? migration_connect() : NULL;

    for (size_t i = 0; conn && i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *r = request("kept", rows[i / 2].fields, rows[i / 2].rules);
        struct migration m = one(r);
        if (i % 2)
            migration_sql(conn, "CREATE TABLE kept (id bigint PRIMARY KEY); INSERT INTO kept VALUES (1)");
        CHECK(migrate(conn, &m) == CELL_OK && m.nsteps > 0);
        CHECK(migration_left(conn, &m) == 0);
        if (i / 2 < 2) {
            json_t *without = request("kept", "id i64 | key\nm opt<i64>", "");
            m = one(without);
            CHECK(migrate(conn, &m) == CELL_OK && m.nsteps == 1 && migration_left(conn, &m) == 0);
            json_decref(without);
        }
        migration_sql(conn, "DROP TABLE kept; DELETE FROM cell.objects WHERE table_name = 'kept'");
        json_decref(r);
    }
    PQfinish(conn);
}

TEST(the_policy_decides_before_anything_is_done)
{
    if (!server())
        return;
    json_t *r = request("policy", USERS, ""),
           *drop = request("policy", "id i64 | key | auto\nemail str | unique", "dropped age");
    struct migration m = one(r), d = one(drop);
    PGconn *conn = migration_connect();

    CHECK(pg_migration_begin(conn, &(struct pg_migration_options){.policy = PG_POLICY_PLAN, .deadline_ms = INT64_MAX},
                             NULL) == CELL_PERMISSION_DENIED);
    m.options.policy = PG_POLICY_ADDITIVE;
    CHECK(migrate(conn, &m) == CELL_OK && m.nsteps == 1);
    migration_sql(conn, "INSERT INTO policy (email, age) VALUES ('a', 3)");
    d.options.policy = PG_POLICY_ADDITIVE;
    CHECK(migrate(conn, &d) == CELL_PERMISSION_DENIED && d.nsteps == 0);
    CHECK(strstr(d.text, "'additive'") && strstr(d.text, "DS103"));
    CHECK(strcmp(migration_value(conn, "SELECT age FROM policy"), "3") == 0);
    d.options.policy = PG_POLICY_APPLY;
    CHECK(migrate(conn, &d) == CELL_OK && d.nsteps >= 1);
    PQfinish(conn);
    json_decref(r);
    json_decref(drop);
}

TEST(a_new_table_with_a_foreign_key_only_adds)
{
    if (!server())
        return;
    json_t *to = request("added_to", "id i64 | key | auto", ""),
           *from = request("added_from", "id i64 | key | auto\nref opt<i64> | references added_to;id", ""),
           *old = request("added_to", "id i64 | key | auto\nref opt<i64> | references added_from;id", "");
    struct migration m = one(to), d = one(from), e = one(old);
    PGconn *conn = migration_connect();

    m.options.policy = d.options.policy = e.options.policy = PG_POLICY_ADDITIVE;
    CHECK(migrate(conn, &m) == CELL_OK && m.nsteps == 1);
    CHECK(migrate(conn, &d) == CELL_OK && d.nsteps == 2);
    CHECK(strcmp(migration_value(conn, "SELECT convalidated FROM pg_constraint WHERE conname = 'added_from_ref_fkey'"),
                 "t") == 0);
    CHECK(migrate(conn, &e) == CELL_PERMISSION_DENIED); /* rows of a table that is there may be in its way */
    PQfinish(conn);
    json_decref(to);
    json_decref(from);
    json_decref(old);
}

/* Two branches with one database. */
TEST(a_column_that_another_branch_has_added_again_keeps_its_values)
{
    if (!server())
        return;
    json_t *with = request("branches", "id i64 | key | auto\nnick opt<str>", ""),
           *without = request("branches", "id i64 | key | auto", "dropped nick"),
           *again = request("branches", "id i64 | key | auto", "dropped nick;again");
    struct migration yes = one(with), no = one(without), once_more = one(again);
    PGconn *conn = migration_connect();

    CHECK(migrate(conn, &yes) == CELL_OK);
    CHECK(migrate(conn, &no) == CELL_OK && no.nsteps == 1);
    CHECK(migrate(conn, &yes) == CELL_OK && yes.nsteps == 1);
    migration_sql(conn, "INSERT INTO branches (nick) VALUES ('ada')");
    CHECK(migration_left(conn, &no) == 0 && migrate(conn, &no) == CELL_OK && no.nsteps == 0);
    CHECK(strcmp(migration_value(conn, "SELECT nick FROM branches"), "ada") == 0);
    CHECK(migrate(conn, &once_more) == CELL_OK && once_more.nsteps == 1);
    CHECK(migrate(conn, &yes) == CELL_OK && yes.nsteps == 1);
    CHECK(migrate(conn, &once_more) == CELL_OK && once_more.nsteps == 0);
    PQfinish(conn);
    json_decref(with);
    json_decref(without);
    json_decref(again);
}

static void count_boundary(void *user) { ++*(int *)user; }

TEST(a_table_that_somebody_holds_costs_the_time_and_is_named_with_its_holder)
{
    if (!server())
        return;
    json_t *r = request("held", USERS, ""), *more = request("held", USERS "\nname str | default ''", "");
    struct migration m = one(r), next = one(more);
    PGconn *conn = migration_connect(), *other = migration_connect();

    CHECK(migrate(conn, &m) == CELL_OK);
    migration_sql(other, "SET application_name = 'somebody'; BEGIN; SELECT count(*) FROM held");
    int tries = 0;
    next.options.deadline_ms = pg_now_ms() + 700;
    next.options.lock_timeout_ms = 50;
    next.options.boundary = count_boundary;
    next.options.user = &tries;
    CHECK(migrate(conn, &next) == CELL_DEADLINE_EXCEEDED && next.nsteps == 0);
    CHECK(tries > 8); /* it tries again until the time is over: BEGIN and ALTER TABLE are four boundaries */
    CHECK(strstr(next.text, "somebody") && strstr(next.text, "held"));
    CHECK(PQtransactionStatus(conn) == PQTRANS_IDLE);
    migration_sql(other, "COMMIT");
    next.options.deadline_ms = 0;
    CHECK(migrate(conn, &next) == CELL_OK && next.nsteps == 1);
    PQfinish(conn);
    PQfinish(other);
    json_decref(r);
    json_decref(more);
}

/* Reads the table until it is told to stop. */
struct reader {
    pthread_t thread;
    volatile bool stop;
    volatile int64_t reads, seen; /* seen: how many there were when the migration last asked for something */
    int passed;                   /* how often there were more than the time before */
};

static void *read_on(void *user)
{
    struct reader *reader = user;
    PGconn *conn = migration_connect();

    while (!reader->stop) {
        PQclear(PQexec(conn, "SELECT count(*) FROM busy"));
        reader->reads++;
    }
    PQfinish(conn);
    return NULL;
}

static void note_reads(void *user)
{
    struct reader *reader = user;

    while (reader->reads == 0)
        continue;
    reader->passed += reader->reads > reader->seen;
    reader->seen = reader->reads;
}

TEST(a_step_by_hand_is_done_once_and_for_no_longer_than_there_is_time)
{
    if (!server())
        return;
    json_t *r = request("byhand", USERS, ""),
           *step = request("byhand", USERS, "step older;UPDATE byhand SET age = age + 1"),
           *slow = request("byhand", USERS,
                           "step older;UPDATE byhand SET age = age + 1\n"
                           "step slow;UPDATE byhand SET age = 0 WHERE pg_sleep(60) IS NOT NULL");
    struct migration m = one(r), next = one(step), late = one(slow);
    PGconn *conn = migration_connect();

    CHECK(migrate(conn, &m) == CELL_OK);
    migration_sql(conn, "INSERT INTO byhand (email, age) VALUES ('a', 1), ('b', 2)");
    CHECK(migrate(conn, &next) == CELL_OK && next.nsteps == 1);
    CHECK(strcmp(migration_value(conn, "SELECT sum(age) FROM byhand"), "5") == 0);
    CHECK(migrate(conn, &next) == CELL_OK && next.nsteps == 0);
    CHECK(strcmp(migration_value(conn, "SELECT sum(age) FROM byhand"), "5") == 0);
    CHECK(strcmp(migration_value(conn, "SELECT count(*) FROM cell.history WHERE table_name = 'byhand' AND kind = "
                                       "'step' AND done IS NOT NULL"),
                 "1") == 0);

    /* The database ends the statement itself: a minute later it would be done, and the deadline would be long past. */
    late.options.deadline_ms = pg_now_ms() + 500;
    CHECK(migrate(conn, &late) == CELL_DEADLINE_EXCEEDED && late.nsteps == 0);
    CHECK(PQtransactionStatus(conn) == PQTRANS_IDLE);
    CHECK(strcmp(migration_value(conn, "SELECT sum(age) FROM byhand"), "5") == 0);
    PQfinish(conn);
    json_decref(r);
    json_decref(step);
    json_decref(slow);
}

TEST(a_migration_that_waits_for_a_lock_lets_other_readers_pass)
{
    if (!server())
        return;
    json_t *r = request("busy", USERS, ""), *more = request("busy", USERS "\nname str | default ''", "");
    struct migration m = one(r), next = one(more);
    PGconn *conn = migration_connect(), *other = migration_connect();
    struct reader reader = {0};

    CHECK(migrate(conn, &m) == CELL_OK);
    migration_sql(other, "BEGIN; SELECT count(*) FROM busy"); /* a long SELECT */
    REQUIRE(pthread_create(&reader.thread, NULL, read_on, &reader) == 0);
    next.options = (struct pg_migration_options){
        .deadline_ms = pg_now_ms() + 3000, .lock_timeout_ms = 50, .boundary = note_reads, .user = &reader};
    CHECK(migrate(conn, &next) == CELL_DEADLINE_EXCEEDED);
    reader.stop = true;
    pthread_join(reader.thread, NULL);
    /* Without a lock_timeout they would wait behind its first try for all of its time. */
    CHECK(reader.passed > 6);
    PQfinish(conn);
    PQfinish(other);
    json_decref(r);
    json_decref(more);
}

TEST(one_migrates_at_a_time_and_who_waits_says_for_whom)
{
    if (!server())
        return;
    PGconn *conn = migration_connect(), *other = migration_connect();
    struct pg_migration_options options = {.policy = PG_POLICY_APPLY, .deadline_ms = pg_now_ms() + 10000};
    struct pg_failure f;

    REQUIRE(pg_migration_begin(conn, &options, &f) == CELL_OK);
    options.deadline_ms = pg_now_ms() + 100;
    CHECK(pg_migration_begin(other, &options, &f) == CELL_DEADLINE_EXCEEDED);
    CHECK(strstr(f.text, "migrator") != NULL);
    pg_migration_end(conn);
    options.deadline_ms = pg_now_ms() + 10000;
    CHECK(pg_migration_begin(other, &options, &f) == CELL_OK);
    PQfinish(other); /* which gives the lock back as well */
    CHECK(pg_migration_begin(conn, &options, &f) == CELL_OK);
    pg_migration_end(conn);
    PQfinish(conn);
}

/* Steps are the author's own SQL. */
TEST(what_a_migration_leaves_in_its_session_is_taken_back)
{
    if (!server())
        return;
    PGconn *conn = migration_connect();
    const struct pg_migration_options options = {.policy = PG_POLICY_APPLY, .deadline_ms = pg_now_ms() + 10000};
    PGresult *result = NULL;
    struct pg_failure f;

    REQUIRE(pg_migration_begin(conn, &options, &f) == CELL_OK);
    CHECK(pg_run(conn,
                 "SELECT set_config('search_path', 'pg_catalog', false), set_config('my.own', 'x', false), "
                 "set_config('work_mem', '77kB', false)",
                 &f) == CELL_OK);
    pg_migration_end(conn);
    REQUIRE(pg_query(conn,
                     "SELECT current_setting('search_path'), coalesce(current_setting('my.own', true), ''), "
                     "current_setting('work_mem') <> '77kB', current_setting('intervalstyle')",
                     0, NULL, &result, &f) == CELL_OK);
    CHECK_STR(PQgetvalue(result, 0, 0), "public");
    CHECK_STR(PQgetvalue(result, 0, 1), "");
    CHECK_STR(PQgetvalue(result, 0, 2), "t");
    CHECK_STR(PQgetvalue(result, 0, 3), "iso_8601");
    PQclear(result);
    PQfinish(conn);
}

TEST(a_database_that_only_reads_is_refused)
{
    if (!server())
        return;
    PGconn *conn = migration_connect();
    struct pg_migration_options options = {.policy = PG_POLICY_APPLY, .deadline_ms = pg_now_ms() + 10000};
    struct pg_failure f;

    migration_sql(conn, "SET default_transaction_read_only = on");
    CHECK(pg_migration_begin(conn, &options, &f) == CELL_FAILED_PRECONDITION && strstr(f.text, "read-only"));
    PQfinish(conn);
}

TEST(rows_that_are_in_the_way_are_shown)
{
    if (!server())
        return;
    json_t *r = request("dup", "id i64 | key | auto\nemail str", ""), *unique = request("dup", USERS, "");
    struct migration m = one(r), next = one(unique);
    PGconn *conn = migration_connect();

    CHECK(migrate(conn, &m) == CELL_OK);
    migration_sql(conn, "INSERT INTO dup (email) VALUES ('ada@x'), ('ada@x'), ('bob@x')");
    CHECK(migrate(conn, &next) < 0);
    CHECK(strstr(next.text, "ada@x") && !strstr(next.text, "bob@x"));
    migration_sql(conn, "DELETE FROM dup WHERE id = 1");
    CHECK(migrate(conn, &next) == CELL_OK);
    CHECK(migration_left(conn, &next) == 0);
    PQfinish(conn);
    json_decref(r);
    json_decref(unique);
}

static _Noreturn void race(int number)
{
    json_t *requests[] = {request("race_a", USERS, "index age"), request("race_b",
                                                                         "id i64 | key | auto\na i64 | "
                                                                         "references race_a;id",
                                                                         "")};
    struct migration m = {.requests = {requests[0], requests[1]}, .n = 2};
    PGconn *conn = migration_connect();
    int r = migrate(conn, &m);

    if (r < 0)
        printf("racer %d: %s\n", number, m.text);
    fflush(stdout);
    _exit(r < 0 ? 100 : (int)m.nsteps);
}

TEST(sixteen_racers_on_an_empty_database_apply_each_step_once)
{
    if (!server())
        return;
    int total = 0, status;
    pid_t pids[16];

    fflush(stdout);
    for (int i = 0; i < 16; i++)
        if ((pids[i] = fork()) == 0)
            race(i);
    for (int i = 0; i < 16; i++) {
        REQUIRE(waitpid(pids[i], &status, 0) == pids[i] && WIFEXITED(status));
        CHECK(WEXITSTATUS(status) < 100);
        total += WEXITSTATUS(status);
    }
    PGconn *conn = migration_connect();
    char steps[16];
    snprintf(steps, sizeof(steps), "%d", total);
    CHECK(total >= 3);
    CHECK(strcmp(migration_value(conn, "SELECT count(*) FROM cell.history WHERE table_name LIKE 'race%'"), steps) == 0);
    CHECK(strcmp(migration_value(conn, "SELECT count(*) FROM (SELECT FROM cell.history WHERE table_name LIKE 'race%' "
                                       "GROUP BY text HAVING count(*) > 1) x"),
                 "0") == 0);
    PQfinish(conn);
}

TEST(who_waits_no_longer_does_not_go_on)
{
    if (!server())
        return;
    json_t *r = request("unwanted", USERS, "");
    struct migration m = one(r);
    PGconn *conn = migration_connect();
    struct cell_ctx_options options = {.timeout_ms = 1000};

    m.options.call = cell_ctx_open(&options);
    cell_ctx_cancel(m.options.call);
    CHECK(migrate(conn, &m) == CELL_CANCELLED && m.nsteps == 0);
    CHECK(strcmp(migration_value(conn, "SELECT to_regclass('unwanted') IS NULL"), "t") == 0);
    cell_ctx_close(m.options.call);
    m.options.call = NULL;
    CHECK(migrate(conn, &m) == CELL_OK && m.nsteps == 1);
    PQfinish(conn);
    json_decref(r);
}
