/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_postgres_sanitized
/* Bindings that are refused: because the tables are others, or they were never made by this cell. */
#include "pg_all.h"

TEST(tables_that_are_behind_the_program_are_refused)
{
    if (!the_pool())
        return;
    struct pg_statement *s;
    struct pg_failure f;

    execute("DROP TABLE IF EXISTS behind; CREATE TABLE behind(id bigint, age bigint)");
    CHECK(bind(&id_method,
               "{\"v\":1,\"op\":\"exec\",\"table\":\"behind\",\"sql\":\"DELETE FROM behind WHERE behind.\\\"agee\\\" = "
               "$1\","
               "\"in\":[{\"from\":\"id\",\"type\":\"bigint\"}]}",
               &s, &f) == CELL_FAILED_PRECONDITION);
    CHECK_STR(f.text, "table 'behind' has no column 'agee': it is behind this program; run 'cell migrate'");
    CHECK(bind(&id_method,
               "{\"v\":1,\"op\":\"exec\",\"sql\":\"DELETE FROM nowhere WHERE id = $1\","
               "\"in\":[{\"from\":\"id\",\"type\":\"bigint\"}]}",
               &s, &f) == CELL_FAILED_PRECONDITION);
    CHECK_STR(f.text, "there is no table 'nowhere': the database is behind this program; run 'cell migrate'");
    CHECK(bind(&text_method,
               "{\"v\":1,\"op\":\"exec\",\"table\":\"behind\",\"sql\":\"SELECT age FROM behind WHERE "
               "$1 = 'x'\",\"in\":[{\"from\":\"text\",\"type\":\"text\"}]}",
               &s, &f) == CELL_INVALID_ARGUMENT);
    CHECK(bind(&list_method,
               "{\"v\":1,\"op\":\"rows\",\"table\":\"behind\",\"sql\":\"SELECT age FROM behind\","
               "\"out\":[{\"to\":\"rows.age\",\"type\":\"integer\"}]}",
               &s, &f) == CELL_FAILED_PRECONDITION);
    CHECK(strstr(f.text, "table 'behind': age is of another type") != NULL);
}

TEST(a_table_that_changes_while_the_program_runs_is_noticed)
{
    if (!the_pool())
        return;
    CELL_CTX(c);
    struct pg_statement *s;
    struct pg_failure f;
    struct {
        const struct all *ptr;
        uint64_t len;
    } got;
    void *const out[] = {&got};

    execute("DROP TABLE IF EXISTS moving; CREATE TABLE moving(age int); INSERT INTO moving VALUES (5)");
    REQUIRE(bind(&list_method,
                 "{\"v\":1,\"op\":\"rows\",\"table\":\"moving\",\"sql\":\"SELECT age FROM moving\","
                 "\"out\":[{\"to\":\"rows.age\",\"type\":\"integer\"}]}",
                 &s, &f) == CELL_OK);
    CHECK(pg_statement_run(s, c, NULL, NULL, out, &f) == CELL_OK && got.len == 1 && got.ptr[0].age.value == 5);
    execute("ALTER TABLE moving ADD COLUMN other int");
    CHECK(pg_statement_run(s, c, NULL, NULL, out, &f) == CELL_OK && got.len == 1);
    execute("ALTER TABLE moving ALTER age TYPE real");
    CHECK(pg_statement_run(s, c, NULL, NULL, out, &f) == CELL_FAILED_PRECONDITION);
    CHECK(strstr(f.text, "table 'moving' was changed") != NULL);
    pg_statement_free(s);
}

static const struct cell_field records = {"records", &all_type, 0, 0, 0, 0};
static const struct cell_method stream_method = {.name = "all", .stream = &records};

static int check_of(const struct cell_method *method, const char *binding, struct pg_failure *f)
{
    return pg_statement_check(pool, method, binding, &forever, f);
}

/* Of the functions of a struct one kind is asked about; what is wrong with a query, or a binding, its call will tell.
 */
TEST(a_program_whose_table_is_behind_is_known_before_it_calls)
{
    if (!the_pool())
        return;
    struct pg_failure f;

    execute("DROP TABLE IF EXISTS late; CREATE TABLE late(id bigint)");
    CHECK(check_of(&stream_method,
                   "{\"v\":1,\"op\":\"stream\",\"table\":\"late\",\"sql\":\"SELECT age FROM late\","
                   "\"out\":[{\"to\":\"records.age\",\"type\":\"integer\"}]}",
                   &f) == CELL_FAILED_PRECONDITION);
    CHECK_STR(f.text, "table 'late' has no column 'age': it is behind this program; run 'cell migrate'");
    CHECK(check_of(&id_method,
                   "{\"v\":1,\"op\":\"exec\",\"table\":\"late\",\"sql\":\"DELETE FROM late WHERE agee = $1\","
                   "\"in\":[{\"from\":\"id\",\"type\":\"bigint\"}]}",
                   &f) == CELL_OK);
    CHECK(check_of(&id_method,
                   "{\"v\":1,\"op\":\"exec\",\"sql\":\"DELETE FROM later WHERE id = $1\","
                   "\"in\":[{\"from\":\"id\",\"type\":\"bigint\"}]}",
                   &f) == CELL_OK);
    CHECK(check_of(&id_method, "{", &f) == CELL_OK); /* its call will be refused */
    execute("ALTER TABLE late ADD COLUMN age integer");
    CHECK(check_of(&stream_method,
                   "{\"v\":1,\"op\":\"stream\",\"table\":\"late\",\"sql\":\"SELECT age FROM late\","
                   "\"out\":[{\"to\":\"records.age\",\"type\":\"integer\"}]}",
                   &f) == CELL_OK);
}

TEST(hostile_bindings_are_refused)
{
    if (!the_pool())
        return;
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"v\":2}",
        "{\"v\":1,\"op\":\"drop\"}",
        "{\"v\":1,\"op\":\"exec\",\"sql\":\"BEGIN\"}",
        "{\"v\":1,\"op\":\"exec\",\"sql\":\"/* select */ COMMIT\"}",
        "{\"v\":1,\"op\":\"exec\",\"sql\":\"SET search_path = x\"}",
        "{\"v\":1,\"op\":\"exec\",\"sql\":\"COPY t FROM STDIN\"}",
        "{\"v\":1,\"op\":\"exec\",\"sql\":\"SELECT 1; COMMIT\",\"in\":[]}",
        "{\"v\":1,\"op\":\"exec\",\"sql\":\"SELECT $1::bigint\",\"in\":[{\"from\":\"no\",\"type\":\"bigint\"}]}",
        "{\"v\":1,\"op\":\"exec\",\"sql\":\"SELECT $1::bigint\",\"in\":[{\"from\":\"id.x\",\"type\":\"bigint\"}]}",
        "{\"v\":1,\"op\":\"exec\",\"sql\":\"SELECT $1::bigint\",\"in\":[{\"from\":\"id\",\"type\":\"text\"}]}",
        "{\"v\":1,\"op\":\"exec\",\"sql\":\"SELECT $1::bigint\",\"in\":[{\"from\":\"id\",\"type\":\")\"}]}",
        "{\"v\":1,\"op\":\"exec\",\"sql\":\"SELECT $1::bigint\",\"in\":{\"from\":\"id\"}}",
        "{\"v\":1,\"op\":\"exec\",\"sql\":\"SELECT $1::bigint\",\"in\":[]}",
        "{\"v\":1,\"op\":\"row\",\"sql\":\"SELECT 1\",\"out\":[{\"to\":\"id\",\"type\":\"integer\"}]}",
        "{\"v\":1,\"op\":\"stream\",\"sql\":\"SELECT 1\",\"out\":[{\"to\":\"id\",\"type\":\"integer\"}]}",
        "{\"v\":1,\"op\":\"load\",\"sql\":\"INSERT INTO t VALUES (1)\"}",
        "{\"v\":1,\"op\":\"many\",\"sql\":\"INSERT INTO t VALUES (1)\",\"copy\":\"COPY t FROM '/etc/passwd'\"}",
        "{\"v\":1,\"op\":\"many\",\"sql\":\"INSERT INTO t VALUES (1)\",\"copy\":\"COPY t FROM PROGRAM 'id'\"}",
        ("{\"v\":1,\"op\":\"many\",\"sql\":\"INSERT INTO t VALUES (1)\",\"copy\":\"COPY t TO STDOUT; COPY t FROM "
         "STDIN\"}"),
    };
    struct pg_statement *s;
    struct pg_failure f;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int r = bind(&id_method, bad[i], &s, &f);
        if (r >= 0)
            printf("%s\n", bad[i]);
        CHECK(r < 0 && !s && f.text[0]);
    }
}

TEST(the_end) { pg_pool_close(pool); }
