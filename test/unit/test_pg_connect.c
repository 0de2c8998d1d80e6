/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_postgres_sanitized
#include "pg_fixture.h"
#include "postgres/connect.h"
#include "test.h"

/* What is too long for a message ends behind a word, and never within a character. */
TEST(a_long_text_is_cut_behind_a_word)
{
    char text[24], sql[700];
    struct pg_failure f = {0};

    pg_shorten(text, sizeof(text), "SELECT a FROM b WHERE c", SIZE_MAX);
    CHECK_STR(text, "SELECT a FROM b WHERE c");
    pg_shorten(text, sizeof(text), "SELECT a FROM b WHERE cd", SIZE_MAX);
    CHECK_STR(text, "SELECT a FROM b…");
    pg_shorten(text, sizeof(text), "SELECT a FROM \"bbbbb\" WHERE cd", SIZE_MAX);
    CHECK_STR(text, "SELECT a FROM…");
    pg_shorten(text, sizeof(text), "äöüäöüäöüäöüäöü", SIZE_MAX);
    CHECK_STR(text, "äöüäöüäöüä…");
    pg_shorten(text, sizeof(text), "aäöüäöüäöüäöüäöü", SIZE_MAX);
    CHECK_STR(text, "aäöüäöüäöü…");
    pg_shorten(text, sizeof(text), "SELECT a FROM b WHERE cd", 15);
    CHECK_STR(text, "SELECT a FROM b");
    memset(sql, 'x', sizeof(sql) - 1);
    sql[sizeof(sql) - 1] = '\0';
    for (size_t i = 5; i < sizeof(sql) - 3; i += 6)
        memcpy(sql + i, " ä", 3);
    pg_fail(&f, CELL_INTERNAL, "it is wrong");
    CHECK(pg_fail_context(&f, CELL_INTERNAL, "%s", sql) == CELL_INTERNAL);
    CHECK(strlen(f.text) < 280 && strstr(f.text, "…: it is wrong") && !strchr(f.text, '?'));
    pg_fail(&f, CELL_INTERNAL, "%s", sql);
    CHECK(strlen(f.text) < sizeof(f.text) && strcmp(f.text + strlen(f.text) - 3, "…") == 0 && !strchr(f.text, '?'));
}

TEST(a_connection_has_the_settings_that_the_cell_counts_on)
{
    struct pg_failure f = {0};
    PGconn *conn = NULL;
    PGresult *result = NULL;
    const char *url = pg_fixture(NULL);
    struct pg_target target = {url, "cell-test"};

    if (!url)
        return;
    REQUIRE(pg_connect(&target, 0, &conn, &f) == CELL_OK);
    REQUIRE(pg_query(conn,
                     "SELECT current_setting('search_path'), current_setting('application_name'), "
                     "current_setting('client_encoding'), current_setting('timezone')",
                     0, NULL, &result, &f) == CELL_OK);
    CHECK(strcmp(PQgetvalue(result, 0, 0), "public") == 0);
    CHECK(strcmp(PQgetvalue(result, 0, 1), "cell-test") == 0);
    CHECK(strcmp(PQgetvalue(result, 0, 2), "UTF8") == 0);
    CHECK(strcmp(PQgetvalue(result, 0, 3), "UTC") == 0);
    PQclear(result);
    CHECK(pg_run(conn, "SELECT 1/0", &f) == CELL_INVALID_ARGUMENT && strcmp(f.sqlstate, "22012") == 0);
    PQfinish(conn);
}

TEST(nobody_there_is_said_within_the_time_limit)
{
    struct pg_failure f = {0};
    PGconn *conn = NULL;
    struct pg_target target = {"host=/nonexistent dbname=x", NULL};

    CHECK(pg_connect(&target, 1000, &conn, &f) == CELL_UNAVAILABLE && !conn);
    CHECK(strstr(f.text, "/nonexistent") != NULL);
}

TEST(a_password_in_the_connection_string_is_refused_and_never_repeated)
{
    static const char *const bad[] = {"postgresql://ada:sesame@host/db",   "host=h password=sesame",
                                      "postgresql://h/db?password=sesame", "host=h sslpassword=sesame",
                                      "postgresql://ada:sesame@[host/db",  "host=h sesame"};
    struct pg_failure f = {0};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(pg_target_check(bad[i], &f) == CELL_INVALID_ARGUMENT);
        CHECK(f.text[0] && !strstr(f.text, "sesame"));
    }
    CHECK(pg_target_check("postgresql://ada@host/db?sslmode=require", &f) == CELL_OK);
    CHECK(pg_target_check("host=h dbname=d", &f) == CELL_OK);
    CHECK(pg_target_check("", &f) == CELL_OK);
}
