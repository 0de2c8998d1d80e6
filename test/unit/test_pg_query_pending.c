/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A query on what is only planned, on what somebody else holds, and that nothing is changed by any of it. */
// LIBS: cell_postgres_sanitized
#include <time.h>

#include "pg_query_fixture.h"
#include "postgres/catalog.h"

static int run_plan(void *user, PGconn *conn, struct pg_arena *arena, pg_stand_ins *made, struct pg_failure *f)
{
    (void)arena;
    (void)made;
    return pg_run(conn, user, f);
}

/* What pg_dump prints of the database's schema, with its sequences; where none reads the server, the sum of its
 * catalogs. To be freed. */
static char *dump(void)
{
    char command[1024], program[256] = "", token[PG_STATE_TOKEN_SIZE];
    char *all, line[65536];
    size_t size = 0;

    FILE *f = popen(CELL_TEST_PYTHON " " CELL_TEST_INPUTS "/pg_cluster.py --dump", "r");
    if (f && fgets(program, sizeof(program), f))
        program[strcspn(program, "\n")] = '\0';
    if (f)
        pclose(f);
    if (!program[0]) {
        CHECK(pg_catalog_state(null_connection(), NULL, token, NULL) == CELL_OK);
        return strdup(token);
    }
    snprintf(command, sizeof(command), "%s -h '%s' -U '%s' '%s'", program, PQhost(null_connection()),
             PQuser(null_connection()), PQdb(null_connection()));
    f = popen(command, "r");
    all = calloc(1, 1 << 22);
    while (f && fgets(line, sizeof(line), f)) {
        size_t n = strlen(line);
        if (strstr(line, "restrict ") == NULL && size + n < 1 << 22) { /* those have a random word */
            memcpy(all + size, line, n + 1);
            size += n;
        }
    }
    CHECK(f && pclose(f) == 0 && size > 1000);
    return all;
}

TEST(a_query_may_use_what_is_only_planned_and_nothing_is_changed)
{
    static char plan[] = "CREATE TABLE later (id bigint GENERATED ALWAYS AS IDENTITY, name text NOT NULL);"
                         "ALTER TABLE t ADD COLUMN extra int NOT NULL DEFAULT 7; ALTER TABLE empty ALTER k TYPE bigint;"
                         "INSERT INTO x VALUES (1000, 'pending'); SELECT nextval('pending_numbers')";
    struct pg_query_check check = {.pending = run_plan, .user = plan};
    char row[1024];

    if (!null_connection())
        return;
    char *before = dump();
    struct answer a = ask_with(
        &check, "SELECT l.id, l.name, t.extra, x.k FROM later l, t LEFT JOIN empty x ON x.k = t.id", "", false);
    CHECK(a.status != CELL_OK); /* there is no such sequence */
    CHECK(strstr(a.failure.text, "what is planned before the query") != NULL);
    *strstr(plan, "; SELECT nextval") = '\0';
    a = ask_with(&check, "SELECT l.id, l.name, t.extra, x.k FROM later l, t LEFT JOIN empty x ON x.k = t.id", "",
                 false);
    CHECK_STR(a.failure.text, "");
    CHECK(a.status == CELL_OK);
    CHECK_STR(members(json_object_get(at(&a, "types", 0), "fields"), row), "id i64, name str, extra i32, k opt<i64>");
    json_decref(a.document);
    a = ask_with(&check, "SELECT nam FROM later", "", false);
    CHECK(strstr(text(at(&a, "diagnostics", 0), "text"), "did you mean 'name'?") != NULL);
    json_decref(a.document);
    a = ask_with(&check, "DELETE FROM later WHERE id = $1 RETURNING name", "id", false);
    CHECK(json_array_size(json_object_get(a.document, "methods")) == 1);
    json_decref(a.document);
    char *after = dump();
    CHECK(strcmp(before, after) == 0);
    free(before);
    free(after);
}

TEST(checking_changes_nothing_even_when_a_function_would)
{
    struct pg_failure f;
    static const char *const statements[] = {"SELECT tricks() AS x",
                                             "SELECT id FROM t WHERE id = tricks()",
                                             "INSERT INTO x VALUES (tricks(), 'a')",
                                             "INSERT INTO x SELECT 1, 'a' RETURNING k",
                                             "DELETE FROM t",
                                             "UPDATE t SET n = 5",
                                             "SELECT nextval('numbers') AS n",
                                             "WITH d AS (DELETE FROM u RETURNING id) SELECT id FROM d",
                                             "SELECT pg_notify('a', 'b')",
                                             "MERGE INTO x USING t ON true WHEN MATCHED THEN DELETE",
                                             "SELECT set_config('work_mem', '64kB', false) AS s"};

    if (!null_connection())
        return;
    /* Immutable, so that it is called when a plan is made. What a sequence gives is not rolled back: only a transaction
     * that may not write keeps it from that. */
    REQUIRE(pg_run(null_connection(),
                   "CREATE SEQUENCE numbers; CREATE FUNCTION tricks() RETURNS int LANGUAGE plpgsql "
                   "IMMUTABLE AS $$BEGIN PERFORM nextval('numbers'); INSERT INTO x VALUES (666, 'x'); RETURN 1; END$$",
                   &f) >= 0);
    char *before = dump();
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        struct answer a = ask(statements[i], "");
        json_decref(a.document);
    }
    char *after = dump();
    CHECK(strcmp(before, after) == 0);
    free(before);
    free(after);
    PGresult *result =
        PQexec(null_connection(), "SELECT current_setting('work_mem'), count(*) FROM pg_prepared_statements "
                                  "WHERE name = 'cell_describe'");
    CHECK(strcmp(PQgetvalue(result, 0, 0), "64kB") != 0 && strcmp(PQgetvalue(result, 0, 1), "0") == 0);
    PQclear(result);
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A second connection to the same server, which holds the table. */
static PGconn *hold(const char *sql)
{
    char conninfo[512];

    snprintf(conninfo, sizeof(conninfo), "host=%s user=%s dbname=%s application_name=holder", PQhost(null_connection()),
             PQuser(null_connection()), PQdb(null_connection()));
    PGconn *other = PQconnectdb(conninfo);
    struct pg_failure f;
    if (PQstatus(other) != CONNECTION_OK || pg_run(other, "BEGIN", &f) < 0 || pg_run(other, sql, &f) < 0) {
        PQfinish(other);
        return NULL;
    }
    return other;
}

TEST(a_locked_table_costs_the_time_limit_and_is_named_with_who_holds_it)
{
    struct pg_query_check check = {.deadline_ms = now_ms() + 30000, .lock_timeout_ms = 50};
    char pid[32];

    if (!null_connection())
        return;
    PGconn *other = hold("LOCK TABLE u IN ACCESS EXCLUSIVE MODE");
    REQUIRE(other != NULL);
    struct answer a = ask_with(&check, "SELECT v FROM u", "", false);
    CHECK(a.status == CELL_DEADLINE_EXCEEDED && !a.document);
    snprintf(pid, sizeof(pid), "(pid %d, holder", PQbackendPID(other));
    if (!strstr(a.failure.text, "table 'u' is locked by another session") || !strstr(a.failure.text, pid))
        printf("%s\n", a.failure.text);
    CHECK(strstr(a.failure.text, "table 'u' is locked by another session") && strstr(a.failure.text, pid));
    a = ask_with(&check, "SELECT id FROM t", "", false);
    CHECK(a.status == CELL_OK);
    json_decref(a.document);
    PQfinish(other);
    /* The pending plan wants more than a reader leaves it. */
    other = hold("SELECT * FROM u");
    REQUIRE(other != NULL);
    static char plan[] = "ALTER TABLE u ADD COLUMN more int";
    check.pending = run_plan;
    check.user = plan;
    a = ask_with(&check, "SELECT more FROM u", "", false);
    CHECK(a.status == CELL_DEADLINE_EXCEEDED && strstr(a.failure.text, "table 'u' is locked by another session"));
    PQfinish(other);
    check = (struct pg_query_check){.deadline_ms = now_ms()};
    a = ask_with(&check, "SELECT v FROM u", "", false);
    CHECK(a.status == CELL_DEADLINE_EXCEEDED);
}

TEST(a_plan_that_takes_too_long_is_stopped)
{
    static char plan[] = "SELECT pg_sleep(100000)"; /* longer than a test may take */
    struct pg_query_check check = {.deadline_ms = now_ms() + 200, .pending = run_plan, .user = plan};

    if (!null_connection())
        return;
    struct answer a = ask_with(&check, "SELECT 1 AS a", "", false);
    CHECK(a.status == CELL_DEADLINE_EXCEEDED);
}

TEST(a_lost_connection_is_said)
{
    struct pg_query query = {"q", "SELECT 1 AS a", "", false};
    struct pg_query_check check = {0};
    struct pg_failure f = {0};
    json_t *document = NULL;
    char sql[80];

    if (!null_connection() || pg_fixture_version() < 14) /* 13 does not wait for the end of what it terminates */
        return;
    PGconn *other = hold("SELECT 1");
    REQUIRE(other != NULL);
    PQclear(PQexec(other, "ROLLBACK"));
    snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%d, 5000)", PQbackendPID(other));
    PQclear(PQexec(null_connection(), sql));
    CHECK(pg_query_expand(other, &query, &check, &document, &f) < 0 && !document && f.text[0]);
    PQfinish(other);
}
