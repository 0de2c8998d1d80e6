/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Sending on a shared link. What waits is sent together, in segments that end with a Sync: statements between two of
 * them are one transaction for the database. Reads share a segment, for one answer to all of them is cheaper than one
 * each; so do writes that allow it; any other statement has a segment of its own. Executions of one statement may
 * become one that answers all of them (pool_merge.c).
 */
#include "pool_impl.h"

#include <stdio.h>

/* Segments on their way before a write waits, to a database on this host; a batch that begins with fewer is sent whole.
 */
#define WRITES_AHEAD 4u

void link_enqueue(struct pg_link *link, struct pg_request *r)
{
    r->next = NULL;
    *link->last = r;
    link->last = &r->next;
    link->nqueued++;
    atomic_fetch_add_explicit(&link->load, 1, memory_order_relaxed);
}

static struct pg_request *dequeue(struct pg_link *link)
{
    struct pg_request *r = link->first;

    link->first = r->next;
    if (!link->first)
        link->last = &link->first;
    link->nqueued--;
    return r;
}

static void push(struct pg_link *link, enum flight_kind kind, struct pg_request *r)
{
    link->flights[link->tail++ % POOL_FLIGHTS] = (struct flight){kind, r, 0, r ? r->s->id : 0, NULL};
}

static void push_merged(struct pg_link *link, enum flight_kind kind, struct pg_request *r, uint32_t n, uint64_t id)
{
    link->flights[link->tail++ % POOL_FLIGHTS] = (struct flight){kind, r, n, id, NULL};
}

/* False: libpq did not take it, because memory is short or the connection is gone; the link is lost then. */
static bool end_segment(struct pg_link *link)
{
    if (!PQpipelineSync(link->connection)) /* flushes */
        return false;
    push(link, FLIGHT_SYNC, NULL);
    link->segments++;
    atomic_fetch_add_explicit(&link->pool->counters.sends, 1, memory_order_relaxed);
    return true;
}

/* In a segment of its own, so that its failure concerns nobody. */
static bool make_room(struct pg_link *link)
{
    char name[POOL_NAME_SIZE], sql[POOL_NAME_SIZE + 16];

    if (!link_evict(link, name))
        return true;
    snprintf(sql, sizeof(sql), "DEALLOCATE %s", name);
    if (!PQsendQueryParams(link->connection, sql, 0, NULL, NULL, NULL, NULL, 1))
        return false;
    push(link, FLIGHT_CLOSE, NULL);
    return end_segment(link);
}

static bool needs_preparing(struct pg_link *link, const struct pg_prepared *s)
{
    return !atomic_load_explicit(&link->pool->unprepared, memory_order_relaxed) && !link_prepared(link, s);
}

static bool send_one(struct pg_link *link, struct pg_request *r, bool prepare)
{
    const struct pg_prepared *s = r->s;
    const struct pg_values *v = r->values;

    r->sent = true;
    r->preparing = prepare;
    bool good;
    if (atomic_load_explicit(&link->pool->unprepared, memory_order_relaxed)) {
        good = PQsendQueryParams(link->connection, s->sql, s->nparams, s->types, v->values, v->lengths, v->formats, 1);
    } else {
        const char *name = prepare ? link_add_prepared(link, s) : link_prepared(link, s);
        good = !prepare || PQsendPrepare(link->connection, name, s->sql, s->nparams, s->types);
        if (good && prepare)
            push(link, FLIGHT_PREPARE, r);
        good = good && PQsendQueryPrepared(link->connection, name, s->nparams, v->values, v->lengths, v->formats, 1);
    }
    push(link, FLIGHT_QUERY, r); /* in any case, so that it is lost with the others */
    return good;
}

static bool send_merged(struct pg_link *link, struct pg_request *first, uint32_t n, bool prepare)
{
    const struct pg_prepared *s = first->s->merged;

    for (struct pg_request *r = first; r; r = r->beside) {
        r->sent = true;
        r->preparing = false; /* an error is the merged statement's */
    }
    const char *name = prepare ? link_add_prepared(link, s) : link_prepared(link, s);
    bool good = !prepare || PQsendPrepare(link->connection, name, s->sql, s->nparams, s->types);
    if (good && prepare)
        push_merged(link, FLIGHT_PREPARE, NULL, n, s->id);
    good = good && link_send_merged(link, name, first, n);
    push_merged(link, FLIGHT_QUERY, first, n, s->id); /* in any case, so that it is lost with the others */
    return good;
}

/* Statements with the same class, but for 0, may be in one segment. */
static unsigned class_of(const struct pg_link *link, const struct pg_request *r)
{
    if (r->alone)
        return 0;
    if (r->flags & PG_RUN_WRITE)
        return link->pool->options.share_commits ? r->flags & PG_RUN_SHARED : 0;
    return r->flags & PG_RUN_RETRY;
}

/* Sends up to POOL_BATCH of those that wait. False as end_segment; what was taken from the queue is in flight. */
static bool send_batch(struct pg_link *link)
{
    bool single = atomic_load_explicit(&link->pool->unprepared, memory_order_relaxed);
    unsigned class = 0;
    bool in_segment = false;

    for (uint32_t n = 0; n < POOL_BATCH && link->first; n++) {
        uint32_t merged = link_mergeable(link);
        bool prepare = needs_preparing(link, merged > 1 ? link->first->s->merged : link->first->s);
        unsigned own = class_of(link, link->first);
        /* Preparing a statement may fail: only its own thread is to notice. */
        if (in_segment && (own == 0 || own != class || prepare)) {
            if (!end_segment(link))
                return false;
            in_segment = false;
        }
        if (prepare && !make_room(link))
            return false;
        if (!(merged > 1 ? send_merged(link, link_take_merged(link, merged), merged, prepare)
                         : send_one(link, dequeue(link), prepare)))
            return false;
        class = prepare ? 0 : own;
        in_segment = true;
        if (single)
            break;
    }
    return !in_segment || end_segment(link);
}

/*
 * A statement has its price, and each execution in it little more: of eight the half is the statement's. So a merged
 * one waits while others run that are larger, until it is as large or they have ended; the database works meanwhile.
 * That half of its processors have a statement is enough, for those who call and the cell need some as well. What runs
 * unusually long keeps nothing waiting.
 */
uint32_t pool_worth_sending(const struct pg_pool *pool, const struct pg_link *link)
{
    uint64_t now = pool_now_ns(), gather_ns = (uint64_t)pool->options.gather_us * 1000;
    uint32_t nrunning = 0, smallest = UINT32_MAX;

    if (!atomic_load_explicit(&pool->local, memory_order_relaxed) ||
        atomic_load_explicit(&pool->unprepared, memory_order_relaxed))
        return 0;
    for (uint32_t i = 0; i < pool->options.connections; i++) {
        const struct pg_link *other = &pool->shared[i];
        uint32_t n = atomic_load_explicit(&other->running, memory_order_relaxed);
        uint64_t since = atomic_load_explicit(&other->busy_since_ns, memory_order_relaxed);
        if (other == link || n == 0 || since + gather_ns < now)
            continue;
        nrunning++;
        smallest = n < smallest ? n : smallest;
    }
    return nrunning > 0 && nrunning >= pool->options.processors / 2 ? smallest : 0;
}

static bool waits_for_more(struct pg_link *link)
{
    return link->by_thread && link->segments == 0 && link_merges_all(link) &&
           link->nqueued < pool_worth_sending(link->pool, link);
}

/* What was sent last is the end of a segment, behind its last statement. Of one that nobody waits for any more it is
 * not known. */
static bool follows_fast(const struct pg_link *link)
{
    const struct pg_request *r = link->segments ? link->flights[(link->tail - 2) % POOL_FLIGHTS].request : NULL;

    return r && pool_is_fast(r->s);
}

/*
 * So many segments in flight keep more from being sent. A database far away is kept busy by a second batch while the
 * answer to the first one travels. On this host reads gather meanwhile, which makes both sides' work less. Writes that
 * do not share a commit gain nothing by that: the next ones are there already when one is done, so that the server
 * need not sleep and be woken for each. Only what is known to be fast, and behind such; a lock keeps none of them for
 * long (pool_connect.c).
 */
static uint32_t most_segments(const struct pg_link *link)
{
    const struct pg_pool *pool = link->pool;
    const struct pg_request *r = link->first;

    if (atomic_load_explicit(&pool->unprepared, memory_order_relaxed))
        return 1;
    if (!atomic_load_explicit(&pool->local, memory_order_relaxed))
        return 2 * POOL_BATCH;
    bool ahead = r && (r->flags & PG_RUN_WRITE) && class_of(link, r) == 0 && pool_is_fast(r->s) && follows_fast(link);
    return ahead ? WRITES_AHEAD : 1;
}

void link_send(struct pg_link *link)
{
    uint32_t most = most_segments(link);
    bool waits = waits_for_more(link);
    if (atomic_exchange_explicit(&link->waits, waits, memory_order_relaxed) != waits && waits)
        pool_thread_wake(link->pool); /* it has to look sooner */
    if (waits || !link->first || link->segments >= most || link->tail - link->head > POOL_FLIGHTS - 6 * POOL_BATCH)
        return;
    bool idle = link->segments == 0;
    /* What libpq did not take it will not take later either: the connection is found to be lost when it is read. */
    if (!send_batch(link))
        link->broken = true;
    uint32_t in_flight = atomic_load_explicit(&link->load, memory_order_relaxed) - link->nqueued;
    atomic_store_explicit(&link->running, link->by_thread ? in_flight : 0, memory_order_relaxed);
    if (idle) {
        link->head_ns = link->used_ns = pool_now_ns();
        link->received = 0;
        atomic_store_explicit(&link->busy_since_ns, link->head_ns, memory_order_relaxed);
    }
    link_watch(link);
}
