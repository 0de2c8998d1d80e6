/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Connections that one user has for a while. They are not in pipeline mode. */
#include "pool_impl.h"
#include "connect.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SPARE 2                       /* beyond the limit, for what is over at once */
#define KEPT_IDLE 4                   /* of those that are given back */
#define RESET_NS UINT64_C(2000000000) /* how long it may take to make one as it was */

static int fail_all_used(uint32_t n, struct pg_failure *f)
{
    char all[32];

    snprintf(all, sizeof(all), n == 1 ? "the one connection" : "all %u connections", n);
    return pg_fail(f, CELL_RESOURCE_EXHAUSTED,
                   "%s that transactions, streams and slow statements have of their own %s in use: end %s sooner, or "
                   "start the cell with a larger --own-connections",
                   all, n == 1 ? "is" : "are", n == 1 ? "it" : "some of them");
}

/* With the pool's lock. */
static int wait_for_place(struct pg_pool *pool, uint32_t limit, const struct pg_patience *whole, struct pg_failure *f)
{
    const struct pg_patience most = pool_most_of(whole), *patience = &most;

    if (pool->npinned >= limit) {
        pthread_mutex_unlock(&pool->lock);
        pool_stand_aside(patience); /* if not, it waits all the same: who has a connection gives it back some time */
        pthread_mutex_lock(&pool->lock);
    }
    while (pool->npinned >= limit) {
        pool_wait_cond(&pool->freed, &pool->lock, patience);
        if (pool->npinned < limit)
            break;
        int r = pool_check_patience(patience, f);
        if (r == CELL_DEADLINE_EXCEEDED)
            return fail_all_used(pool->options.pinned, f);
        if (r < 0)
            return r;
    }
    pool->npinned++;
    return CELL_OK;
}

static void give_up_place(struct pg_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->npinned--;
    pthread_cond_broadcast(&pool->freed);
    pthread_mutex_unlock(&pool->lock);
}

static void destroy(struct pg_link *link)
{
    link_destroy(link);
    free(link);
}

/* Whether it is in no transaction now: one that is open is rolled back, if the database answers soon. */
static bool roll_back(struct pg_link *link)
{
    const struct pg_patience patience = pool_wait_ns(POOL_GRACE_NS);
    PGTransactionStatusType status = PQtransactionStatus(link->connection);
    struct pg_failure ignored;

    if (link->broken || (status != PQTRANS_INTRANS && status != PQTRANS_INERROR))
        return !link->broken && status == PQTRANS_IDLE;
    return pg_link_exec(link, "ROLLBACK", &patience, NULL, &ignored) >= 0;
}

static int pin(struct pg_pool *pool, uint32_t limit, const struct pg_patience *patience, struct pg_link **link,
               struct pg_failure *f)
{
    *f = (struct pg_failure){0};
    pthread_mutex_lock(&pool->lock);
    int r = wait_for_place(pool, limit, patience, f);
    struct pg_link *made = r >= 0 ? pool->idle : NULL;
    if (made) {
        pool->idle = made->next;
        pool->nidle--;
    }
    pthread_mutex_unlock(&pool->lock);
    if (r < 0)
        return r;
    if (made && !link_seems_alive(made)) {
        atomic_fetch_add(&pool->counters.lost, 1);
        destroy(made);
        made = NULL;
    }
    if (!made) {
        PGconn *connection = NULL;
        made = malloc(sizeof(*made));
        r = made && link_init(made, pool, true) >= 0 ? link_connect(made, patience, &connection, f)
                                                     : pg_fail(f, CELL_NO_MEMORY, "out of memory");
        if (connection)
            link_adopt(made, connection);
        if (r < 0 && connection) { /* it is the next one's */
            pg_pool_unpin(pool, made, true);
            return r;
        }
    }
    if (r < 0) {
        if (made)
            destroy(made);
        give_up_place(pool);
        return r;
    }
    *link = made;
    return CELL_OK;
}

int pg_pool_pin(struct pg_pool *pool, const struct pg_patience *patience, struct pg_link **link, struct pg_failure *f)
{
    return pin(pool, pool->options.pinned, patience, link, f);
}

int pg_pool_pin_briefly(struct pg_pool *pool, const struct pg_patience *patience, struct pg_link **link,
                        struct pg_failure *f)
{
    return pin(pool, pool->options.pinned + SPARE, patience, link, f);
}

void pg_pool_unpin(struct pg_pool *pool, struct pg_link *link, bool reusable)
{
    bool keep = reusable && roll_back(link) && PQstatus(link->connection) == CONNECTION_OK;

    if (keep && link->foreign) {
        const struct pg_patience patience = pool_wait_ns(RESET_NS);
        struct pg_failure ignored;
        link->foreign = false;
        keep = pg_link_exec(link, PG_RESET, &patience, NULL, &ignored) >= 0;
    }
    pthread_mutex_lock(&pool->lock);
    keep = keep && pool->nidle < KEPT_IDLE;
    if (keep) {
        link->next = pool->idle;
        pool->idle = link;
        pool->nidle++;
    }
    pool->npinned--;
    pthread_cond_broadcast(&pool->freed);
    pthread_mutex_unlock(&pool->lock);
    if (!keep)
        destroy(link);
}

bool pg_link_is_alive(struct pg_link *link)
{
    return !link->broken && PQstatus(link->connection) == CONNECTION_OK && link_seems_alive(link);
}

void pg_link_runs_foreign(struct pg_link *link) { link->foreign = true; }

PGconn *pg_link_connection(struct pg_link *link) { return link->connection; }

static int lost(struct pg_link *link, struct pg_failure *f)
{
    if (!link->broken)
        atomic_fetch_add(&link->pool->counters.lost, 1);
    link->broken = true;
    *f = (struct pg_failure){0};
    return pg_fail(f, CELL_UNAVAILABLE, "the connection to the database was lost");
}

int pg_link_wait(struct pg_link *link, bool write, const struct pg_patience *patience, struct pg_failure *f)
{
    for (;;) {
        struct pollfd p = {PQsocket(link->connection), (short)(write ? POLLIN | POLLOUT : POLLIN), 0};
        int n = poll(&p, 1, pool_slice_ms(patience));
        if (n > 0)
            return CELL_OK;
        if (n < 0 && errno != EINTR)
            return lost(link, f);
        int r = pool_check_patience(patience, f);
        if (r >= 0)
            continue;
        link_cancel(link->pool, PQgetCancel(link->connection));
        return r;
    }
}

/* Waits until PQgetResult does not block. When patience ends, for the end of what was cancelled as well. */
static int wait_result(struct pg_link *link, const struct pg_patience *patience, struct pg_failure *f)
{
    struct pg_patience rest = {0};
    struct pg_failure late;
    int status = CELL_OK;

    while (PQisBusy(link->connection)) {
        int unsent = PQflush(link->connection);
        int r =
            status < 0 ? pg_link_wait(link, unsent == 1, &rest, &late) : pg_link_wait(link, unsent == 1, patience, f);
        if (r < 0 && status < 0) { /* the server does not even end it */
            link->broken = true;
            return status;
        }
        if (r < 0) {
            if (link->broken)
                return r;
            status = r;
            rest = pool_wait_ns(POOL_GRACE_NS);
            continue;
        }
        if (!PQconsumeInput(link->connection))
            return lost(link, f);
    }
    return status;
}

/* What there is. The server may say that it ends the connection before it does. */
static PGresult *next_result(struct pg_link *link)
{
    PGresult *result = PQgetResult(link->connection);

    if (PQstatus(link->connection) != CONNECTION_OK ||
        (PQresultStatus(result) == PGRES_FATAL_ERROR && result && link_said_last(result)))
        link->broken = true;
    return result;
}

int pg_link_result(struct pg_link *link, const struct pg_patience *patience, PGresult **result, struct pg_failure *f)
{
    int r = wait_result(link, patience, f);

    if (r < 0 && link->broken)
        return r;
    *result = next_result(link);
    if (r < 0) {
        PQclear(*result);
        *result = NULL;
    }
    return r;
}

/* Reads to the end of what was sent; the last result counts, or the first error. *answered (may be NULL): there was one
 * before that, which was no error. */
static int read_all(struct pg_link *link, const struct pg_patience *patience, PGresult **result, bool *answered,
                    struct pg_failure *f)
{
    PGresult *last = NULL, *next = NULL;
    int status = CELL_OK;

    for (;;) {
        struct pg_failure late;
        int r = pg_link_result(link, patience, &next, status < 0 ? &late : f);
        if (r < 0) {
            status = status < 0 ? status : r;
            if (link->broken)
                break;
            continue;
        }
        if (!next)
            break;
        if (last && PQresultStatus(last) == PGRES_FATAL_ERROR) {
            PQclear(next);
            continue;
        }
        if (answered && last)
            *answered = true;
        PQclear(last);
        last = next;
        if (link->broken)
            break;
        if (PQresultStatus(last) >= PGRES_COPY_OUT && PQresultStatus(last) <= PGRES_COPY_IN) {
            link->broken = true; /* nobody expects a COPY */
            break;
        }
    }
    if (status < 0) {
        PQclear(last);
        return status;
    }
    *result = last;
    return CELL_OK;
}

int pg_link_exec(struct pg_link *link, const char *sql, const struct pg_patience *patience, PGresult **result,
                 struct pg_failure *f)
{
    PGresult *got = NULL;

    *f = (struct pg_failure){0};
    if (!PQsendQuery(link->connection, sql))
        return lost(link, f);
    int r = read_all(link, patience, &got, NULL, f);
    if (r < 0)
        return r;
    if (link->broken || !got || PQresultStatus(got) == PGRES_FATAL_ERROR) {
        r = pg_fail_result(f, got);
        PQclear(got);
        return r;
    }
    if (result)
        *result = got;
    else
        PQclear(got);
    return CELL_OK;
}

int pg_pool_pin_begun(struct pg_pool *pool, const char *begin, const struct pg_patience *patience,
                      struct pg_link **link, struct pg_failure *f)
{
    for (uint32_t attempts = 1;; attempts++) {
        int r = pg_pool_pin(pool, patience, link, f);
        if (r < 0)
            return r;
        r = pg_link_exec(*link, begin, patience, NULL, f);
        if (r >= 0)
            return r;
        bool again = r == CELL_UNAVAILABLE && (*link)->broken && attempts < POOL_ATTEMPTS;
        pg_pool_unpin(pool, *link, true);
        *link = NULL;
        if (again)
            r = pool_check_patience(patience, f);
        if (r < 0)
            return r;
    }
}

static const char *state_of(const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    return state ? state : "";
}

static int fail_ended(struct pg_failure *f)
{
    return pg_fail(f, CELL_ABORTED,
                   "the connection to the database was lost before the transaction was committed. Nothing of it was "
                   "stored");
}

/* COMMIT of a transaction that has failed is answered by ROLLBACK. */
static int commit_result(PGresult *result, struct pg_failure *f)
{
    *f = (struct pg_failure){0};
    if (!result || (PQresultStatus(result) == PGRES_FATAL_ERROR && !link_said_undone(result)))
        return pg_fail(f, CELL_UNKNOWN_OUTCOME, "the connection to the database was lost before it answered");
    if (PQresultStatus(result) == PGRES_FATAL_ERROR)
        return link_said_last(result) ? fail_ended(f) : pg_fail_result(f, result);
    if (strcmp(PQcmdStatus(result), "COMMIT") != 0)
        return pg_fail(f, CELL_FAILED_PRECONDITION,
                       "an earlier call of this transaction has failed: everything in it was rolled back");
    return CELL_OK;
}

int pg_link_commit(struct pg_link *link, const struct pg_patience *patience, struct pg_failure *f)
{
    PGresult *result = NULL, *next;

    *f = (struct pg_failure){0};
    int r = pool_check_patience(patience, f);
    if (r < 0) {
        link->broken = !roll_back(link);
        return r;
    }
    if (link->broken || !PQsendQuery(link->connection, "COMMIT")) {
        lost(link, f);
        return fail_ended(f);
    }
    r = wait_result(link, patience, f);
    if (r < 0 && link->broken)
        return pg_fail(f, CELL_UNKNOWN_OUTCOME, "the database did not say whether it was committed");
    /* It has answered after all, and what it says is so. */
    result = next_result(link);
    r = commit_result(result, f);
    PQclear(result);
    while (!link->broken && (next = PQgetResult(link->connection)))
        PQclear(next);
    return r;
}

static int prepare(struct pg_link *link, struct pg_request *r, const struct pg_patience *patience, struct pg_failure *f)
{
    char name[POOL_NAME_SIZE], sql[POOL_NAME_SIZE + 16];

    if (link_prepared(link, r->s))
        return CELL_OK;
    if (link_evict(link, name) && PQtransactionStatus(link->connection) != PQTRANS_INERROR) {
        snprintf(sql, sizeof(sql), "DEALLOCATE %s", name);
        int status = pg_link_exec(link, sql, patience, NULL, f);
        if (status < 0)
            return status;
    }
    if (!PQsendPrepare(link->connection, link_add_prepared(link, r->s), r->s->sql, r->s->nparams, r->s->types))
        return lost(link, f);
    PGresult *result = NULL;
    int status = read_all(link, patience, &result, NULL, f);
    if (status >= 0 && PQresultStatus(result) != PGRES_COMMAND_OK)
        status = pg_fail_result(f, result);
    PQclear(status >= 0 || f->sqlstate[0] ? result : NULL);
    if (status < 0)
        link_forget_prepared(link, r->s->id);
    return status;
}

static bool send_statement(struct pg_link *link, const struct pg_request *r)
{
    const struct pg_prepared *s = r->s;
    const struct pg_values *v = r->values;

    return atomic_load(&link->pool->unprepared)
               ? PQsendQueryParams(link->connection, s->sql, s->nparams, s->types, v->values, v->lengths, v->formats, 1)
               : PQsendQueryPrepared(link->connection, link_prepared(link, s), s->nparams, v->values, v->lengths,
                                     v->formats, 1);
}

int link_run_pinned(struct pg_link *link, struct pg_request *r, const struct pg_patience *patience,
                    struct pg_failure *f)
{
    bool in_transaction = PQtransactionStatus(link->connection) != PQTRANS_IDLE;

    PGresult *result = NULL;
    bool sent = false, answered = false;

    r->rows = (struct pg_rows){0};
    r->failure.status = 0;
    int status = atomic_load(&link->pool->unprepared) ? CELL_OK : prepare(link, r, patience, f);
    if (status < 0 && !link->broken)
        return status;
    uint64_t begin = pool_now_ns();
    if (status >= 0) {
        sent = send_statement(link, r);
        if (!sent)
            lost(link, f);
        else
            status = read_all(link, patience, &result, &answered, f);
    }
    if (link->broken && !(result && PQresultStatus(result) == PGRES_TUPLES_OK)) {
        /* Behind its answer it may be stored, and the server not have come to say so. */
        bool undone =
            !sent || (!answered && result && PQresultStatus(result) == PGRES_FATAL_ERROR && link_said_undone(result));
        PQclear(result);
        r->end = undone ? REQUEST_NOT_BEGUN : REQUEST_LOST;
        return status == CELL_DEADLINE_EXCEEDED || status == CELL_CANCELLED ? status : CELL_OK;
    }
    r->rows = (struct pg_rows){.result = result, .n = PQntuples(result)};
    if (status < 0)
        return status;
    pool_time(r->s, pool_now_ns() - begin);
    r->end = REQUEST_RESULT;
    const char *state = state_of(result);
    if (pg_is_stale_plan(result)) { /* a transaction has failed with it, and prepares it when it is run again */
        link_forget_prepared(link, r->s->id);
        r->end = in_transaction ? REQUEST_RESULT : REQUEST_REPLAN;
    } else if (!in_transaction && (strcmp(state, "26000") == 0 || strcmp(state, "0A000") == 0)) {
        link_forget_prepared(link, r->s->id);
        r->end = REQUEST_REPREPARE;
    }
    return CELL_OK;
}
