/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Whether anything has changed in a database, which every compilation asks. */
#include <string.h>

#include "catalog.h"
#include "catalog_sql.h"

static bool is_unknown(const PGresult *result)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;

    return state && strcmp(state, "26000") == 0;
}

/* Prepared, as it is asked often. Behind a pooler the next statement may run on another of its connections, where this
 * one is not prepared, or is already. */
static PGresult *ask(PGconn *conn, const char *name, const char *sql)
{
    PGresult *result = PQexecPrepared(conn, name, 0, NULL, NULL, NULL, 0);

    if (!is_unknown(result))
        return result;
    PQclear(result);
    PQclear(PQprepare(conn, name, sql, 0, NULL));
    result = PQexecPrepared(conn, name, 0, NULL, NULL, NULL, 0);
    if (!is_unknown(result))
        return result;
    PQclear(result);
    return PQexecParams(conn, sql, 0, NULL, NULL, NULL, NULL, 0);
}

static int check(PGconn *conn, const PGresult *result, struct pg_failure *f)
{
    if (PQresultStatus(result) == PGRES_TUPLES_OK)
        return CELL_OK;
    return result && PQresultErrorField(result, PG_DIAG_SQLSTATE) ? pg_fail_result(f, result)
                                                                  : pg_fail_connection(f, conn, "asking for the state");
}

void pg_seen_init(struct pg_seen *seen)
{
    *seen = (struct pg_seen){0};
    pthread_mutex_init(&seen->lock, NULL);
}

void pg_seen_destroy(struct pg_seen *seen) { pthread_mutex_destroy(&seen->lock); }

/* True when the database is where it was seen last; *token is of that time then. */
static bool is_as_seen(struct pg_seen *seen, const char *moment, char token[PG_STATE_TOKEN_SIZE])
{
    bool same;

    pthread_mutex_lock(&seen->lock);
    same = moment[0] && strcmp(moment, seen->moment) == 0;
    if (same)
        memcpy(token, seen->token, sizeof(seen->token));
    pthread_mutex_unlock(&seen->lock);
    return same;
}

static void remember(struct pg_seen *seen, const char *moment, const char token[PG_STATE_TOKEN_SIZE])
{
    pthread_mutex_lock(&seen->lock);
    if (strlen(moment) < sizeof(seen->moment)) { /* else many transactions are on their way, and it will not last */
        strcpy(seen->moment, moment);
        memcpy(seen->token, token, sizeof(seen->token));
    }
    pthread_mutex_unlock(&seen->lock);
}

/* 1: *token is what it was when the database was seen last; 0: that must be found out. */
static int look(PGconn *conn, struct pg_seen *seen, char token[PG_STATE_TOKEN_SIZE], struct pg_failure *f)
{
    PGresult *result;
    int r;

    if (!seen)
        return 0;
    result = ask(conn, "cell_moment", "SELECT " SQL_MOMENT);
    r = check(conn, result, f);
    if (r >= 0)
        r = is_as_seen(seen, PQgetvalue(result, 0, 0), token);
    PQclear(result);
    return r;
}

int pg_catalog_state(PGconn *conn, struct pg_seen *seen, char token[PG_STATE_TOKEN_SIZE], struct pg_failure *f)
{
    PGresult *result;
    int r = look(conn, seen, token, f);

    if (r != 0)
        return r < 0 ? r : CELL_OK;
    result = ask(conn, "cell_state", SQL_STATE);
    r = check(conn, result, f);
    if (r >= 0 && PQgetlength(result, 0, 0) != PG_STATE_TOKEN_SIZE - 1)
        r = pg_fail(f, CELL_INTERNAL, "the state of the catalog is no token");
    if (r >= 0) {
        memcpy(token, PQgetvalue(result, 0, 0), PG_STATE_TOKEN_SIZE);
        if (seen)
            remember(seen, PQgetvalue(result, 0, 1), token);
    }
    PQclear(result);
    return r;
}
