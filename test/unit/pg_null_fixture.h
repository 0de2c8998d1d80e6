/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Tables with NULLs wherever they may be, and what the analysis says of a statement against what executing it gives. */
#ifndef TEST_PG_NULL_FIXTURE_H
#define TEST_PG_NULL_FIXTURE_H

#include "pg_fixture.h"
#include "postgres/connect.h"
#include "postgres/nullcatalog.h"
#include "test.h"

/* clang-format off */
static const char null_schema[] =
    "CREATE TABLE t (id int PRIMARY KEY, n int, s text NOT NULL, d text, r int4range NOT NULL DEFAULT '(,5)',"
    "  at timestamptz NOT NULL DEFAULT 'infinity', js jsonb NOT NULL DEFAULT '{}', a int[] NOT NULL DEFAULT '{}',"
    "  p path NOT NULL DEFAULT '((0,0),(1,1))');"
    "CREATE TABLE u (id int PRIMARY KEY, t_id int, v int NOT NULL, w text);"
    "CREATE TABLE x (k int NOT NULL, s text);"
    "CREATE TABLE empty (k int NOT NULL, e text NOT NULL);"
    "INSERT INTO t (id, n, s, d) VALUES (1, 1, 'a', NULL), (2, NULL, 'b', 'B'), (3, 3, 'c', NULL), (4, NULL, 'd', NULL);"
    "INSERT INTO u VALUES (1, 1, 10, NULL), (2, 1, 20, 'w'), (3, NULL, 30, NULL), (4, 9, 40, 'x'), (5, 2, 50, NULL);"
    "INSERT INTO x VALUES (1, NULL), (1, 'a'), (7, NULL);"
    "CREATE TABLE parent (id int NOT NULL, v int NOT NULL, y int NOT NULL);"
    "CREATE TABLE child () INHERITS (parent); ALTER TABLE child ALTER v DROP NOT NULL;"
    "INSERT INTO child VALUES (1, NULL, 1);"
    "CREATE TABLE part (id int NOT NULL, v text) PARTITION BY RANGE (id);"
    "CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (0) TO (10); INSERT INTO part VALUES (1, NULL), (2, 'p');"
    "CREATE VIEW plain AS SELECT t.id, t.n, u.v FROM t LEFT JOIN u ON u.t_id = t.id;"
    "CREATE VIEW inner_view AS SELECT t.id, u.v + 1 AS more FROM t JOIN u ON u.t_id = t.id;"
    "CREATE VIEW of_view (one, two) AS SELECT more, id FROM inner_view;"
    "CREATE TABLE ruled (id int NOT NULL, v int NOT NULL);"
    "CREATE RULE redirect AS ON INSERT TO ruled DO INSTEAD INSERT INTO x (k) VALUES (1) RETURNING NULL::int, NULL::int;"
    "CREATE FUNCTION maybe(int) RETURNS int LANGUAGE sql STRICT IMMUTABLE AS 'SELECT NULLIF($1, 1)';"
    "CREATE FUNCTION rows_of(int) RETURNS TABLE (p int, q text) LANGUAGE sql AS 'VALUES ($1, NULL::text), (2, ''z'')';"
    "CREATE FUNCTION replaces(int) RETURNS int LANGUAGE sql AS 'SELECT coalesce($1, 5)';"
    "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TYPE pair AS (l int, r int);"
    "CREATE TABLE m (mood mood NOT NULL, pair pair NOT NULL, pairs pair[] NOT NULL);"
    "INSERT INTO m VALUES ('sad', (NULL, 1), ARRAY[(NULL, 2)::pair]);"
    "CREATE MATERIALIZED VIEW stored AS SELECT id FROM t;"
    "CREATE SCHEMA app; CREATE TABLE app.t (id int, other int NOT NULL); INSERT INTO app.t VALUES (NULL, 1);";
/* clang-format on */

/* One connection for all tests of the program; NULL when PostgreSQL is not installed. */
static PGconn *null_connection(void)
{
    static PGconn *conn;
    static bool tried;
    struct pg_failure f = {0};

    if (tried)
        return conn;
    tried = true;
    const char *url = pg_fixture(NULL);
    struct pg_target target = {url, NULL};
    if (!url)
        return NULL;
    if (pg_connect(&target, 0, &conn, &f) < 0 || pg_run(conn, null_schema, &f) < 0) {
        printf("%s\n", f.text);
        exit(1);
    }
    return conn;
}

/* Whether the server knows what the statement is made of. */
static inline bool null_is_known(const char *sql)
{
    bool merge = strncmp(sql, "MERGE", 5) == 0, alias = strstr(sql, "USING (id) AS") != NULL;

    return pg_fixture_version() >= (merge ? 15 : alias ? 14 : 0);
}

__attribute__((destructor)) static void null_disconnect(void) { PQfinish(null_connection()); }

/* '!' for each column that is never NULL, 'o' for each other, in `out`; "" when the server refuses the statement. */
static void null_columns_of(PGconn *conn, const char *sql, const char *optional, char out[64],
                            struct null_statement *statement)
{
    struct pg_arena arena = {0};
    bool never[63], may[8] = {0};
    PGresult *prepared = PQprepare(conn, "", sql, 0, NULL), *described = PQdescribePrepared(conn, "");
    int n = PQnfields(described);

    out[0] = '\0';
    if (PQresultStatus(prepared) != PGRES_COMMAND_OK)
        printf("%s\n  %s", sql, PQresultErrorMessage(prepared));
    else if (n < (int)(sizeof(never) / sizeof(never[0]))) {
        struct null_source *source = null_source_new(&arena, conn);
        struct null_catalog catalog = null_source_catalog(source);
        for (size_t i = 0; optional && optional[i]; i++)
            may[i] = optional[i] == 'o';
        nullable_analyse(sql, &catalog, may, (size_t)PQnparams(described), never, (size_t)n, statement);
        for (int i = 0; i < n; i++)
            out[i] = never[i] ? '!' : 'o';
        out[n] = '\0';
        CHECK(null_source_failure(source, NULL) == CELL_OK);
    }
    PQclear(prepared);
    PQclear(described);
    pg_arena_free(&arena);
}

/* Executes it in a transaction that is rolled back. False when a column that is called never NULL has one, and *rows.
 */
static bool null_claims_hold(PGconn *conn, const char *sql, const char *columns, const char *parameters, int *rows)
{
    const char *const params[8] = {"1", "1", "1", "1"};
    bool holds = true;

    PQclear(PQexec(conn, "BEGIN"));
    PGresult *result = PQexecParams(conn, sql, parameters ? (int)strlen(parameters) : 0, NULL, params, NULL, NULL, 0);
    *rows = PQntuples(result);
    for (int row = 0; row < *rows; row++)
        for (int i = 0; columns[i]; i++)
            if (columns[i] == '!' && PQgetisnull(result, row, i)) {
                printf("%s\n  row %d, column %d is NULL\n", sql, row, i + 1);
                holds = false;
            }
    if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
        *rows = -1;
    PQclear(result);
    PQclear(PQexec(conn, "ROLLBACK"));
    return holds;
}

#endif
