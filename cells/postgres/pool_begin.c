/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Statements that nobody waits for: the pool's thread does (pool_thread.c), while a shared link has only such ones. One
 * that takes long, or whose time is over, gets a thread that waits for it as for any other: all that happens then,
 * moving, cancelling, executing again, is pool_lead.c's and pool.c's.
 */
#include "pool_impl.h"

#include <stdlib.h>

static struct pg_run *run_of(struct pg_request *r) { return (struct pg_run *)r; }

/* ---- telling ---- */

void pool_tell(struct pg_request *done)
{
    for (struct pg_request *next; done; done = next) {
        struct pg_run *run = run_of(done);
        struct pg_rows rows = done->rows;
        bool over = done->end == REQUEST_RESULT && rows.result;
        next = done->next;
        run->done(run->user, run, over ? &rows : NULL); /* when it goes on it is not ours afterwards */
        if (over)
            free(run);
    }
}

void pool_tell_slow(struct pg_run *slow)
{
    for (struct pg_run *next; slow; slow = next) {
        next = slow->next_slow;
        slow->done(slow->user, slow, NULL);
    }
}

static void look_at(struct pg_link *link, struct pg_request *r, uint64_t now, struct done_list *done)
{
    if (!r || !r->begun || run_of(r)->look_ns > now)
        return;
    r->begun = false;
    run_of(r)->followed = true;
    run_of(r)->next_slow = done->slow;
    done->slow = run_of(r);
    link->nbegun--;
}

void link_find_slow(struct pg_link *link, struct done_list *done)
{
    uint64_t now = link->nbegun ? pool_now_ns() : 0;

    if (!link->nbegun)
        return;
    for (uint32_t i = link->head; i != link->tail; i++) {
        struct pg_request *r = link->flights[i % POOL_FLIGHTS].request;
        for (; r; r = link->flights[i % POOL_FLIGHTS].merged ? r->beside : NULL)
            look_at(link, r, now, done);
    }
    for (struct pg_request *r = link->first; r; r = r->next)
        look_at(link, r, now, done);
}

/* ---- beginning ---- */

/* What is behind the connection has not gone, as far as that can be seen. The link's lock is held. */
static bool is_good(struct pg_link *link)
{
    if (!link->connection || link->broken)
        return false;
    return link->head != link->tail || link->led || pool_now_ns() - link->used_ns <= POOL_IDLE_MS * UINT64_C(1000000) ||
           link_seems_alive(link);
}

static bool enqueue(struct pg_link *link, struct pg_run *run)
{
    pthread_mutex_lock(&link->lock);
    bool good = is_good(link), leads = good && !link->led;
    if (good) {
        link_enqueue(link, &run->request);
        link->nbegun++;
        atomic_store_explicit(&link->unsent, true, memory_order_relaxed);
    }
    if (leads) {
        link->led = true;
        pool_thread_lead(link);
    }
    pthread_mutex_unlock(&link->lock);
    return good;
}

bool pg_pool_begin(struct pg_pool *pool, struct pg_prepared *s, const struct pg_values *values, unsigned flags,
                   uint64_t until_ns, pg_run_done *done, void *user)
{
    uint64_t slow_ns = pool_now_ns() + (uint64_t)pool->options.slow_ms * 1000000;
    bool joins;

    if (atomic_load_explicit(&pool->unprepared, memory_order_relaxed) || pool_is_slow(pool, s) ||
        !pool_thread_start(pool))
        return false;
    struct pg_run *run = malloc(sizeof(*run));
    if (!run)
        return false;
    struct pg_request *r = &run->request;
    r->s = s;
    r->flags = flags;
    r->values = &run->values;
    r->begun = true;
    r->seat = pool_seat(pool);
    r->leads = r->alone = r->pins = r->sent = r->gave_up = r->preparing = false;
    r->merges = true;
    r->rows = (struct pg_rows){0};
    r->failure.status = 0;
    atomic_init(&r->state, REQUEST_WAITS);
    run->pool = pool;
    run->values = *values;
    run->look_ns = until_ns < slow_ns ? until_ns : slow_ns;
    run->followed = false;
    run->done = done;
    run->user = user;
    run->link = pool_choose(pool, r, &joins);
    if (!run->link || !enqueue(run->link, run)) {
        free(run);
        return false;
    }
    atomic_fetch_add_explicit(&pool->counters.runs, 1, memory_order_relaxed);
    if (joins)
        atomic_store_explicit(&pool->thread.joined_ns, slow_ns - (uint64_t)pool->options.slow_ms * 1000000,
                              memory_order_relaxed);
    return true;
}

void pg_pool_flush(struct pg_pool *pool)
{
    for (uint32_t i = 0; i < pool->options.connections; i++) {
        struct pg_link *link = &pool->shared[i];
        if (!atomic_exchange_explicit(&link->unsent, false, memory_order_relaxed))
            continue;
        pthread_mutex_lock(&link->lock);
        if (link->connection)
            link_send(link);
        pthread_mutex_unlock(&link->lock);
    }
}

int pg_pool_go_on(struct pg_run *run, const struct pg_patience *patience, struct pg_rows *rows, struct pg_failure *f)
{
    struct pg_request *r = &run->request;

    *f = (struct pg_failure){0};
    int status = run->followed ? link_follow(run->link, r, patience, f) : CELL_OK;
    r->begun = false; /* it may be sent again */
    status = pool_conclude(run->pool, NULL, r, status, patience, rows, f);
    free(run);
    return status;
}
