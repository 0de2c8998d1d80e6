/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Connections: made, looked at, cancelled, closed. */
#include "connect.h"
#include "pool_impl.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STARTING_MS 50 /* between two attempts while the database says that it is starting */
#define FULL_MS 1      /* while as many connect as its socket keeps waiting, and after a connection that was ended */

/*
 * Who waits for a connection, and what he is told when his time is over. It is made all the same, if it does not take
 * long: otherwise many whose time is short would make connections, all at once, of which none is ever used.
 */
struct wait {
    struct pg_patience patience;
    struct pg_failure over; /* its status is negative then */
};

static int wait_socket(PGconn *connection, short events, struct wait *wait, struct pg_failure *f)
{
    for (;;) {
        struct pollfd p = {PQsocket(connection), events, 0};
        int n = poll(&p, 1, pool_slice_ms(&wait->patience));
        if (n > 0)
            return CELL_OK;
        if (n < 0 && errno != EINTR)
            return pg_fail(f, CELL_UNAVAILABLE, "connecting to the database: %s", strerror(errno));
        int r = pool_check_patience(&wait->patience, f);
        if (r < 0 && wait->over.status < 0) {
            *f = wait->over;
            return f->status;
        }
        if (r < 0) {
            wait->over = *f;
            wait->patience = pool_wait_ns(POOL_GRACE_NS);
        }
    }
}

static int finish_connecting(PGconn *connection, struct wait *wait, struct pg_failure *f)
{
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;

    while (state != PGRES_POLLING_OK) {
        if (state == PGRES_POLLING_FAILED)
            return pg_fail_connection(f, connection, "connecting to the database");
        int r = wait_socket(connection, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, wait, f);
        if (r < 0)
            return r;
        state = PQconnectPoll(connection);
    }
    return CELL_OK;
}

/* The result of the last statement in `sql`. */
static int ask(PGconn *connection, const char *sql, struct wait *wait, PGresult **result, struct pg_failure *f)
{
    PGresult *last = NULL;

    if (!PQsendQuery(connection, sql))
        return pg_fail_connection(f, connection, "connecting to the database");
    for (;;) {
        int r = CELL_OK;
        while (r >= 0 && PQisBusy(connection)) {
            r = wait_socket(connection, POLLIN, wait, f);
            if (r >= 0 && !PQconsumeInput(connection))
                r = pg_fail_connection(f, connection, "connecting to the database");
        }
        PGresult *next = r < 0 ? NULL : PQgetResult(connection);
        if (r < 0 || (!next && PQresultStatus(last) != PGRES_TUPLES_OK)) {
            r = r < 0 ? r : pg_fail_result(f, last);
            PQclear(last);
            return r;
        }
        if (!next)
            break;
        PQclear(last);
        last = next;
    }
    *result = last;
    return CELL_OK;
}

/*
 * What waits for a lock on a shared connection keeps those behind it waiting, and one of these may be what the lock's
 * holder waits for, of which the database knows nothing. So it does not wait for long there, unless it is told to wait
 * even less (REQUEST_LOCKED is what follows). Not of a pooler's connection, whose settings others would get.
 */
#define SETTLE                                                                                                         \
    PG_SETTINGS                                                                                                        \
    "; SELECT pg_catalog.pg_backend_pid(), CASE WHEN pg_catalog.pg_backend_pid() = %d AND "                            \
    "(l.already = '0' OR l.already > '%u ms') THEN pg_catalog.set_config('lock_timeout', '%u ms', false) END "         \
    "FROM (SELECT pg_catalog.current_setting('lock_timeout')::pg_catalog.interval) AS l(already)"

/*
 * A pooler hands out numbers of its own instead of the backend's. In transaction mode, which cannot be told from here,
 * the next statement may run on another connection, where nothing is prepared.
 */
static int settle(struct pg_link *link, PGconn *connection, struct wait *wait, struct pg_failure *f)
{
    struct pg_pool *pool = link->pool;
    char sql[sizeof(SETTLE) + 64];
    PGresult *result;

    /* No backend has the number 0. */
    snprintf(sql, sizeof(sql), SETTLE, link->pinned ? 0 : PQbackendPID(connection), pool->options.slow_ms,
             pool->options.slow_ms);
    int r = ask(connection, sql, wait, &result, f);
    if (r < 0)
        return r;
    if (PQntuples(result) == 1 && atoi(PQgetvalue(result, 0, 0)) != PQbackendPID(connection))
        atomic_store(&pool->unprepared, true);
    PQclear(result);
    return CELL_OK;
}

bool link_said_last(const PGresult *error)
{
    const char *severity = PQresultErrorField(error, PG_DIAG_SEVERITY_NONLOCALIZED);

    return !severity || strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0;
}

bool link_said_undone(const PGresult *error)
{
    const char *severity = PQresultErrorField(error, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *state = PQresultErrorField(error, PG_DIAG_SQLSTATE);

    return severity && state && strcmp(severity, "PANIC") != 0 && strcmp(state, "57P02") != 0 &&
           strncmp(state, "08", 2) != 0;
}

/* Nothing is printed. The end of a connection that the server tells behind an answer is a notice to libpq. */
static void take_notice(void *arg, const PGresult *result)
{
    struct pg_link *link = arg;

    if (link->pinned && PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED) && link_said_last(result))
        link->broken = true;
}

static int connect_once(struct pg_link *link, struct wait *wait, PGconn **connection, struct pg_failure *f)
{
    struct pg_pool *pool = link->pool;
    const char *keys[] = {"dbname", "client_encoding", "fallback_application_name", NULL};
    const char *values[] = {pool->conninfo, "UTF8", "cell", NULL};
    PGconn *made = PQconnectStartParams(keys + (pool->conninfo[0] == '\0'), values + (pool->conninfo[0] == '\0'), 1);

    if (!made)
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    PQsetNoticeReceiver(made, take_notice, link);
    int r = PQstatus(made) == CONNECTION_BAD ? pg_fail_connection(f, made, "connecting to the database")
                                             : finish_connecting(made, wait, f);
    if (r >= 0)
        r = settle(link, made, wait, f);
    if (r >= 0 && PQserverVersion(made) < PG_SERVER_OLDEST)
        r = pg_fail(f, CELL_FAILED_PRECONDITION, "the database is older than PostgreSQL %d", PG_SERVER_OLDEST / 10000);
    if (r >= 0 && (PQsetnonblocking(made, 1) != 0 || (!link->pinned && !PQenterPipelineMode(made))))
        r = pg_fail(f, CELL_NO_MEMORY, "out of memory");
    if (r < 0) {
        PQfinish(made);
        return r;
    }
    *connection = made;
    return CELL_OK;
}

/* Milliseconds before it may be otherwise, of what is over soon; 0 = it is not. Of what fails before a connection
 * stands libpq tells the words only. */
static int pause_after(const struct pg_failure *f)
{
    static const struct {
        const char *words;
        int ms;
    } passing[] = {
        {"starting up", STARTING_MS},
        {"not yet accepting connections", STARTING_MS},
        {"in recovery mode", STARTING_MS},
        {"due to administrator command", FULL_MS},
        {"Resource temporarily unavailable", FULL_MS}, /* EAGAIN of a Unix socket */
    };

    for (size_t i = 0; f->status == CELL_UNAVAILABLE && i < sizeof(passing) / sizeof(passing[0]); i++)
        if (strstr(f->text, passing[i].words))
            return passing[i].ms;
    return 0;
}

int link_connect(struct pg_link *link, const struct pg_patience *patience, PGconn **connection, struct pg_failure *f)
{
    struct pg_pool *pool = link->pool;
    uint64_t begin = pool_now_ns();
    struct wait wait = {.patience = *patience};
    PGconn *made = NULL;
    int r = pool_check_patience(patience, f), ms;

    if (r >= 0)
        r = connect_once(link, &wait, &made, f);
    while (r < 0 && (ms = pause_after(f)) > 0 && pool_now_ns() - begin < UINT64_C(3000000000)) {
        int left = pool_slice_ms(patience);
        nanosleep(&(struct timespec){.tv_nsec = (ms < left ? ms : left) * 1000000L}, NULL);
        r = pool_check_patience(patience, f);
        if (r >= 0)
            r = connect_once(link, &wait, &made, f);
    }
    if (r < 0)
        return r;
    const char *host = PQhost(made);
    atomic_store(&pool->local, !host || host[0] == '/' || host[0] == '@' || host[0] == '\0');
    atomic_fetch_add(&pool->counters.connects, 1);
    *connection = made;
    if (wait.over.status < 0)
        *f = wait.over;
    return wait.over.status;
}

void link_adopt(struct pg_link *link, PGconn *connection)
{
    link->connection = connection;
    link->used_ns = pool_now_ns();
    link->broken = false;
    link_forget_all(link);
    atomic_store(&link->open, true);
}

void link_disconnect(struct pg_link *link)
{
    atomic_store(&link->open, false);
    link_unwatch(link);
    PQfinish(link->connection);
    link->connection = NULL;
}

bool link_seems_alive(struct pg_link *link)
{
    struct pollfd p = {PQsocket(link->connection), POLLIN | POLLRDHUP, 0};
    int n = poll(&p, 1, 0);

    if (n <= 0)
        return n == 0;
    if (p.revents & (POLLRDHUP | POLLHUP | POLLERR))
        return false;
    /* Something to read: a notice, or the reason of the end. */
    return PQconsumeInput(link->connection) && PQstatus(link->connection) == CONNECTION_OK;
}

void link_cancel(struct pg_pool *pool, PGcancel *cancel)
{
    char error[256];

    if (!cancel)
        return;
    atomic_fetch_add(&pool->counters.cancels, 1);
    /* When it fails the statement runs on: nobody waits for it, and nothing else can be done. */
    PQcancel(cancel, error, sizeof(error));
    PQfreeCancel(cancel);
}

int link_init(struct pg_link *link, struct pg_pool *pool, bool pinned)
{
    uint32_t size = 4;

    while (size < pool->options.statements * 2)
        size *= 2;
    *link = (struct pg_link){.pool = pool, .pinned = pinned, .prepared_mask = size - 1};
    link->last = &link->first;
    link->prepared = calloc(size, sizeof(*link->prepared));
    pthread_mutex_init(&link->lock, NULL);
    return link->prepared ? CELL_OK : CELL_NO_MEMORY;
}

void link_destroy(struct pg_link *link)
{
    PQfinish(link->connection);
    free(link->prepared);
    free(link->arrays.data);
    pthread_mutex_destroy(&link->lock);
}
