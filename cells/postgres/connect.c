/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "connect.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DEFAULT_TIMEOUT_MS 10000
#define MAX_PARAMS 64

int pg_target_check(const char *conninfo, struct pg_failure *f)
{
    /* libpq's own message would repeat the string, and the password with it. */
    PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
    int r = CELL_OK;

    if (!options)
        return pg_fail(f, CELL_INVALID_ARGUMENT,
                       "this is neither a URL (postgresql://host/database) nor keyword=value");
    for (PQconninfoOption *o = options; o->keyword && r == CELL_OK; o++)
        if (o->val && (strcmp(o->keyword, "password") == 0 || strcmp(o->keyword, "sslpassword") == 0))
            r = pg_fail(
                f, CELL_INVALID_ARGUMENT,
                "a password does not belong here, where everybody can read it: put it into PGPASSWORD, ~/.pgpass "
                "or a service file");
    PQconninfoFree(options);
    return r;
}

int64_t pg_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static PGconn *begin(const struct pg_target *target)
{
    /* What stands before dbname the connection string may say otherwise. A server whose host is gone is noticed. */
    const char *const keys[] = {"application_name",
                                "keepalives_idle",
                                "keepalives_interval",
                                "tcp_user_timeout",
                                "dbname",
                                "client_encoding",
                                NULL};
    const char *const values[] = {target->application_name ? target->application_name : "cell",
                                  "30",
                                  "10",
                                  "30000",
                                  target->conninfo,
                                  "UTF8",
                                  NULL};

    return PQconnectStartParams(keys, values, 1);
}

/* Drives the connection until it stands. connect_timeout of libpq counts in seconds and for each address anew. */
static int finish_connect(PGconn *conn, int64_t until_ms, struct pg_failure *f)
{
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;

    while (state != PGRES_POLLING_OK) {
        int64_t left = until_ms - pg_now_ms();
        struct pollfd p = {PQsocket(conn), state == PGRES_POLLING_READING ? POLLIN : POLLOUT, 0};
        if (left <= 0)
            return pg_fail(f, CELL_UNAVAILABLE, "the database does not answer");
        int n = poll(&p, 1, (int)left);
        if (n < 0 && errno != EINTR)
            return pg_fail(f, CELL_INTERNAL, "poll: %s", strerror(errno));
        if (n <= 0)
            continue;
        state = PQconnectPoll(conn);
        if (state == PGRES_POLLING_FAILED) {
            return pg_fail_connection(f, conn, "connecting to the database");
        }
    }
    return CELL_OK;
}

static void drop_notice(void *user, const PGresult *result) { (void)user, (void)result; }

static int check_server(PGconn *conn, struct pg_failure *f)
{
    int version = PQserverVersion(conn);

    if (version < PG_SERVER_OLDEST)
        return pg_fail(f, CELL_FAILED_PRECONDITION, "the server is PostgreSQL %d.%d; 13 or newer is needed",
                       version / 10000, version >= 100000 ? version % 10000 : version / 100 % 100);
    return CELL_OK;
}

int pg_connect(const struct pg_target *target, int64_t timeout_ms, PGconn **conn, struct pg_failure *f)
{
    PGconn *c = begin(target);
    int r;

    if (!c)
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    if (PQstatus(c) == CONNECTION_BAD)
        r = pg_fail_connection(f, c, "connecting to the database");
    else
        r = finish_connect(c, pg_now_ms() + (timeout_ms > 0 ? timeout_ms : DEFAULT_TIMEOUT_MS), f);
    if (r >= 0) {
        PQsetNoticeReceiver(c, drop_notice, NULL);
        r = check_server(c, f);
    }
    if (r >= 0)
        r = pg_run(c, PG_SETTINGS, f);
    if (r < 0) {
        PQfinish(c);
        return r;
    }
    *conn = c;
    return CELL_OK;
}

/* A result without a SQLSTATE is libpq's own: most often the connection was lost. */
static int fail_exec(struct pg_failure *f, PGconn *conn, const PGresult *result)
{
    if (result && PQresultErrorField(result, PG_DIAG_SQLSTATE))
        return pg_fail_result(f, result);
    return pg_fail_connection(f, conn, "asking the database");
}

int pg_run(PGconn *conn, const char *sql, struct pg_failure *f)
{
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    int r = CELL_OK;

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        r = fail_exec(f, conn, result);
    PQclear(result);
    return r;
}

int pg_query(PGconn *conn, const char *sql, int nparams, const char *const *params, PGresult **result,
             struct pg_failure *f)
{
    PGresult *answer = PQexecParams(conn, sql, nparams, NULL, params, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(answer);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        int r = fail_exec(f, conn, answer);
        PQclear(answer);
        return r;
    }
    *result = answer;
    return CELL_OK;
}
