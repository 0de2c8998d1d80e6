/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Receiving on a shared link: whose result it is that comes, and what becomes of all when the connection is lost. */
#include "pool_impl.h"

#include <string.h>
#include <sys/ioctl.h>

#define LOCK_TIMEOUT "55P03"                   /* also what NOWAIT says: that is executed once more as well */
#define CANCEL_ARRIVES_NS UINT64_C(2000000000) /* a cancel request is a signal: it comes when it comes */
#define MOST_MERGED_ROW 65536u /* bytes: rows that are larger are not worth to be merged, and many of them too much */
#define READ_AT_ONCE UINT64_C(16384) /* what libpq reads with one call, but for large values */

/*
 * A request ends: from then on its memory belongs to its thread again. That one is woken later, without the lock; by
 * then it may have gone on, and then waking finds nobody, or one that sleeps for something else and goes on sleeping.
 */
static void finish(struct pg_link *link, struct done_list *done, struct pg_request *r, enum request_end end)
{
    atomic_fetch_sub_explicit(&link->load, 1, memory_order_relaxed);
    if (!r)
        return;
    r->end = end;
    if (r->begun) {
        link->nbegun--;
        r->next = done->begun;
        done->begun = r;
        return;
    }
    done_add(done, r); /* while it is still ours */
    atomic_store_explicit(&r->state, REQUEST_DONE, memory_order_release);
}

void done_wake(struct pg_pool *pool, struct done_list *done)
{
    done_ring(pool, done);
    struct pg_request *begun = done->begun;
    struct pg_run *slow = done->slow;
    done->begun = NULL;
    done->slow = NULL;
    pool_tell_slow(slow);
    pool_tell(begun);
}

static bool is_error(const PGresult *r)
{
    ExecStatusType status = PQresultStatus(r);

    return status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_SINGLE_TUPLE;
}

static bool has_state(const PGresult *r, const char *sqlstate)
{
    const char *is = PQresultErrorField(r, PG_DIAG_SQLSTATE);

    return is && strcmp(is, sqlstate) == 0;
}

/* Class 42: the statement, or what it names, is not as it should be. */
static bool is_refused(const PGresult *r)
{
    const char *is = PQresultErrorField(r, PG_DIAG_SQLSTATE);

    return is && strncmp(is, "42", 2) == 0;
}

static void hand_over(struct pg_request *r, struct flight *flight)
{
    if (r)
        r->rows = (struct pg_rows){.result = flight->result, .n = PQntuples(flight->result)};
    else
        PQclear(flight->result);
    flight->result = NULL;
}

/* How a request ends that was answered by an error of its own. */
static enum request_end end_of_error(struct pg_link *link, struct flight *flight)
{
    const PGresult *result = flight->result;

    if (has_state(result, LOCK_TIMEOUT))
        return REQUEST_LOCKED;
    if (has_state(result, "26000")) /* no such prepared statement: another has removed it */
        return REQUEST_REPREPARE;
    if (pg_is_stale_plan(result))
        return REQUEST_REPLAN;
    if (has_state(result, "0A000") && flight->request && !flight->request->preparing)
        return REQUEST_REPREPARE;
    if (has_state(result, "57014") && flight->request && !flight->request->gave_up &&
        pool_now_ns() - link->cancelled_ns < CANCEL_ARRIVES_NS)
        return REQUEST_AGAIN; /* another's statement was meant */
    return REQUEST_RESULT;
}

struct segment {
    uint32_t begin, end; /* of flights; end is that of the Sync */
    uint32_t nrequests;
    bool failed, commit_failed, writes;
};

static struct segment look_at_segment(struct pg_link *link)
{
    struct segment s = {.begin = link->head, .end = link->scan};

    for (uint32_t i = s.begin; i != s.end; i++) {
        const struct flight *flight = &link->flights[i % POOL_FLIGHTS];
        s.nrequests += flight->kind != FLIGHT_QUERY ? 0 : flight->merged ? flight->merged : 1;
        s.writes |= flight->request && (flight->request->flags & PG_RUN_WRITE);
        s.failed |= is_error(flight->result);
    }
    s.commit_failed = link->flights[s.end % POOL_FLIGHTS].result != NULL;
    return s;
}

/* The prepare's error is that of its request; otherwise the connection has the statement now. */
static void finish_prepare(struct pg_link *link, struct flight *flight, struct flight *query)
{
    if (is_error(flight->result)) {
        link_forget_prepared(link, flight->id);
        if (flight->merged && query->request && is_refused(flight->result)) /* the next time as well */
            atomic_store_explicit(&query->request->s->apart, true, memory_order_relaxed);
        if (PQresultStatus(flight->result) != PGRES_PIPELINE_ABORTED) {
            PQclear(query->result);
            query->result = flight->result;
            flight->result = NULL;
        }
    }
    PQclear(flight->result);
    flight->result = NULL;
}

/* All executions of a merged statement end so. Those that nobody waits for any more leave their place as well. */
static void finish_merged(struct pg_link *link, struct done_list *done, struct flight *flight, enum request_end end)
{
    uint32_t n = flight->merged;

    for (struct pg_request *r = flight->request, *next; r; r = next, n--) {
        next = r->beside;
        finish(link, done, r, end);
    }
    atomic_fetch_sub_explicit(&link->load, n, memory_order_relaxed);
    flight->request = NULL;
    flight->merged = 0;
}

/* Of a statement that has large rows no executions are merged any more. */
static void weigh(struct flight *flight, uint32_t n)
{
    struct pg_request *r = flight->request;

    if (r && r->s->merged && PQresultMemorySize(flight->result) / n > MOST_MERGED_ROW)
        atomic_store_explicit(&r->s->apart, true, memory_order_relaxed);
}

static void finish_merged_query(struct pg_link *link, struct flight *flight, struct done_list *done)
{
    weigh(flight, flight->merged);
    if (!is_error(flight->result) && link_share_rows(flight)) {
        finish_merged(link, done, flight, REQUEST_RESULT);
        return;
    }
    /* Whatever it is, prepared anew it may be gone. */
    if (is_error(flight->result) && PQresultStatus(flight->result) != PGRES_PIPELINE_ABORTED &&
        (has_state(flight->result, "26000") || has_state(flight->result, "0A000")))
        link_forget_prepared(link, flight->id);
    enum request_end end = has_state(flight->result, LOCK_TIMEOUT) ? REQUEST_LOCKED : REQUEST_AGAIN;
    atomic_fetch_add_explicit(&link->pool->counters.merged_again, flight->merged, memory_order_relaxed);
    PQclear(flight->result);
    flight->result = NULL;
    finish_merged(link, done, flight, end);
}

static void finish_query(struct pg_link *link, const struct segment *s, struct flight *flight, struct done_list *done)
{
    struct flight *sync = &link->flights[s->end % POOL_FLIGHTS];
    struct pg_request *r = flight->request;
    enum request_end end = REQUEST_RESULT;

    if (s->nrequests > 1 && s->writes && (s->failed || s->commit_failed)) {
        end = REQUEST_AGAIN; /* all of them were rolled back */
        atomic_fetch_add_explicit(&link->pool->counters.shared_again, 1, memory_order_relaxed);
    } else if (s->commit_failed && s->nrequests == 1 && !is_error(flight->result)) {
        PQclear(flight->result);
        flight->result = sync->result;
        sync->result = NULL;
        end = end_of_error(link, flight);
    } else if (PQresultStatus(flight->result) == PGRES_PIPELINE_ABORTED) {
        end = REQUEST_AGAIN;
    } else if (is_error(flight->result)) {
        end = end_of_error(link, flight);
    }
    if (end == REQUEST_REPREPARE || end == REQUEST_REPLAN)
        link_forget_prepared(link, flight->id);
    if (end == REQUEST_RESULT) {
        weigh(flight, 1);
        hand_over(r, flight);
    } else {
        PQclear(flight->result);
        flight->result = NULL;
    }
    finish(link, done, r, end);
}

static void time_segment(struct pg_link *link, const struct segment *s)
{
    uint64_t now = pool_now_ns(), ns = (now - link->head_ns) / (s->nrequests ? s->nrequests : 1);

    for (uint32_t i = s->begin; i != s->end; i++) {
        struct flight *flight = &link->flights[i % POOL_FLIGHTS];
        /* A statement's first time has its preparation in it. */
        if (flight->kind == FLIGHT_QUERY && flight->request && !flight->request->preparing)
            pool_time(flight->request->s, ns);
    }
    link->head_ns = link->used_ns = now;
}

static void finish_segment(struct pg_link *link, struct done_list *done)
{
    struct segment s = look_at_segment(link);

    time_segment(link, &s);
    for (uint32_t i = s.begin; i != s.end; i++) {
        struct flight *flight = &link->flights[i % POOL_FLIGHTS];
        if (flight->kind == FLIGHT_PREPARE)
            finish_prepare(link, flight, &link->flights[(i + 1) % POOL_FLIGHTS]);
        else if (flight->kind == FLIGHT_QUERY && flight->merged)
            finish_merged_query(link, flight, done);
        else if (flight->kind == FLIGHT_QUERY)
            finish_query(link, &s, flight, done);
        else
            hand_over(NULL, flight);
    }
    hand_over(NULL, &link->flights[s.end % POOL_FLIGHTS]);
    link->head = link->scan = s.end + 1;
    if (--link->segments == 0)
        atomic_store_explicit(&link->running, 0, memory_order_relaxed);
    atomic_store_explicit(&link->busy_since_ns, link->segments ? link->head_ns : 0, memory_order_relaxed);
}

/* False: the server, or libpq, says that this was the last one. */
static bool take(struct pg_link *link, struct flight *flight, PGresult *result)
{
    bool last = is_error(result) && PQresultStatus(result) != PGRES_PIPELINE_ABORTED &&
                PQresultStatus(result) != PGRES_PIPELINE_SYNC && link_said_last(result);

    if (last)
        link->fatal = flight->kind != FLIGHT_SYNC && link_said_undone(result);
    if (!flight->result)
        flight->result = result;
    else
        PQclear(result);
    return !last;
}

/* Takes what has arrived. False: the connection is lost. */
static bool take_results(struct pg_link *link, struct done_list *done)
{
    while (link->head != link->tail && !PQisBusy(link->connection)) {
        struct flight *flight = &link->flights[link->scan % POOL_FLIGHTS];
        PGresult *result = PQgetResult(link->connection);

        link->stalled = false;
        link->received = 0;
        if (flight->kind == FLIGHT_SYNC && PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            finish_segment(link, done);
        } else if (result) {
            if (!take(link, flight, result))
                return false;
        } else if (flight->kind != FLIGHT_SYNC) {
            link->scan++;
        } else if (PQstatus(link->connection) != CONNECTION_OK) {
            return false;
        }
    }
    return PQstatus(link->connection) == CONNECTION_OK;
}

static uint64_t readable(struct pg_link *link)
{
    int n = 0;

    return ioctl(PQsocket(link->connection), FIONREAD, &n) == 0 && n > 0 ? (uint64_t)n : 0;
}

/* A result is bounded before it is there: what one statement selects must not take the memory of all. */
static bool consume(struct pg_link *link)
{
    uint64_t before = link->stalled ? readable(link) : 0;

    if (!PQconsumeInput(link->connection))
        return false;
    if (link->stalled) {
        uint64_t after = readable(link), least = before < READ_AT_ONCE ? before : READ_AT_ONCE;
        link->received += before > after + least ? before - after : least;
    }
    link->stalled = true;
    return true;
}

int pg_fail_large(struct pg_failure *f)
{
    return pg_fail(f, CELL_TOO_LARGE,
                   "the result is larger than %u MiB, which is what a reply can hold: select fewer columns or parts of "
                   "them, use LIMIT, or take the rows as a stream (CELL_QUERY)",
                   PG_REPLY_MIB);
}

/* The statement whose result it is ends; it leaves an empty place to be counted. */
static void refuse_large(struct pg_link *link, struct flight *flight, struct done_list *done)
{
    struct pg_request *r = flight->request;

    if (!r)
        return;
    if (flight->merged) {
        atomic_store_explicit(&r->s->apart, true, memory_order_relaxed);
        finish_merged(link, done, flight, REQUEST_AGAIN);
    } else {
        flight->request = NULL;
        pg_fail_large(&r->failure);
        finish(link, done, r, REQUEST_FAILED);
    }
    atomic_fetch_add_explicit(&link->load, 1, memory_order_relaxed);
}

void link_receive(struct pg_link *link, struct done_list *done)
{
    bool alive = consume(link);

    /* What came before the end of the connection counts. */
    if (!take_results(link, done) || !alive || link->broken) {
        link_lose(link, done);
        return;
    }
    if (link->head == link->tail)
        link->stalled = false;
    if (link->received > POOL_RESULT_MAX) {
        refuse_large(link, &link->flights[link->scan % POOL_FLIGHTS], done);
        link_lose(link, done);
    }
}

/* How a request in flight ends when the connection is lost. */
static enum request_end end_of_lost(const struct pg_link *link, uint32_t i, const struct flight *flight)
{
    bool write = flight->request && (flight->request->flags & PG_RUN_WRITE);

    if (!write && link->scan - link->head > i - link->head && flight->result && !is_error(flight->result))
        return REQUEST_RESULT;
    return link->fatal ? REQUEST_NOT_BEGUN : REQUEST_LOST;
}

static void lose_merged(struct pg_link *link, struct flight *flight, enum request_end end, struct done_list *done)
{
    if (end == REQUEST_RESULT && !link_share_rows(flight))
        end = REQUEST_AGAIN;
    hand_over(NULL, flight);
    finish_merged(link, done, flight, end);
}

void link_lose(struct pg_link *link, struct done_list *done)
{
    for (uint32_t i = link->head; i != link->tail; i++) {
        struct flight *flight = &link->flights[i % POOL_FLIGHTS];
        enum request_end end = end_of_lost(link, i, flight);
        if (flight->kind == FLIGHT_QUERY && flight->merged) {
            lose_merged(link, flight, end, done);
            continue;
        }
        if (flight->kind == FLIGHT_QUERY && end == REQUEST_RESULT)
            hand_over(flight->request, flight);
        else
            hand_over(NULL, flight);
        if (flight->kind == FLIGHT_QUERY)
            finish(link, done, flight->request, end);
    }
    while (link->first) {
        struct pg_request *r = link->first;
        link->first = r->next;
        finish(link, done, r, REQUEST_NOT_BEGUN);
    }
    link->last = &link->first;
    link->nqueued = 0;
    link->head = link->scan = link->tail = 0;
    link->segments = 0;
    atomic_store_explicit(&link->running, 0, memory_order_relaxed);
    atomic_store_explicit(&link->waits, false, memory_order_relaxed);
    link->stalled = link->fatal = link->broken = false;
    link->received = 0;
    atomic_store_explicit(&link->busy_since_ns, 0, memory_order_relaxed);
    if (link->connection)
        atomic_fetch_add(&link->pool->counters.lost, 1);
    link_disconnect(link);
}
