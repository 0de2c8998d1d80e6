/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Threads on a shared link: the first one leads, which is to say that it connects, sends what is queued, reads, and
 * wakes those whose results came. When its own result is there it appoints one of those that still wait.
 */
#include "pool_impl.h"

#include <errno.h>
#include <poll.h>

static int state_of(struct pg_request *r) { return atomic_load_explicit(&r->state, memory_order_acquire); }

/* The next request of what was sent in that place. */
static struct pg_request *beside(const struct pg_link *link, uint32_t i, const struct pg_request *r)
{
    return link->flights[i % POOL_FLIGHTS].merged ? r->beside : NULL;
}

static bool in_head_segment(const struct pg_link *link, const struct pg_request *r)
{
    for (uint32_t i = link->head; i != link->tail && link->flights[i % POOL_FLIGHTS].kind != FLIGHT_SYNC; i++)
        for (const struct pg_request *p = link->flights[i % POOL_FLIGHTS].request; p; p = beside(link, i, p))
            if (p == r)
                return true;
    /* Behind the removal of another statement, which is quick. */
    return link->head != link->tail && link->flights[link->head % POOL_FLIGHTS].kind == FLIGHT_CLOSE;
}

/* The link knows nothing of the request any more. What was sent runs on, and its result is dropped. */
static void take_back(struct pg_link *link, struct pg_request *r)
{
    for (uint32_t i = link->head; i != link->tail; i++) {
        struct flight *flight = &link->flights[i % POOL_FLIGHTS];
        struct pg_request **p = &flight->request;
        while (flight->merged && *p && *p != r)
            p = &(*p)->beside;
        if (*p == r)
            *p = flight->merged ? r->beside : NULL;
    }
    for (struct pg_request **p = &link->first; *p; p = &(*p)->next) {
        if (*p != r)
            continue;
        *p = r->next;
        if (!*p)
            link->last = p;
        link->nqueued--;
        atomic_fetch_sub_explicit(&link->load, 1, memory_order_relaxed);
        break;
    }
}

struct pg_request *link_heir(struct pg_link *link)
{
    struct pg_request *r;

    for (uint32_t i = link->head; i != link->tail; i++) {
        for (r = link->flights[i % POOL_FLIGHTS].request; r; r = beside(link, i, r))
            if (r->leads)
                return r;
    }
    for (r = link->first; r && !r->leads; r = r->next)
        continue;
    return r;
}

bool link_is_wanted(const struct pg_link *link)
{
    for (uint32_t i = link->head; i != link->tail; i++)
        if (link->flights[i % POOL_FLIGHTS].request)
            return true;
    return link->first != NULL;
}

/* The leader goes. Unlocks. */
static void leave(struct pg_link *link, struct done_list *done)
{
    struct pg_request *heir = link_heir(link);

    if (heir) {
        done_add(done, heir);
        atomic_store_explicit(&heir->state, REQUEST_LEADS, memory_order_release);
    } else if (link_is_wanted(link)) {
        pool_thread_lead(link);
    } else {
        link->led = false;
        /* Only results that nobody wants are still to come. A connection that nobody reads would hold locks. */
        if (link->head != link->tail)
            link_lose(link, done);
    }
    pthread_mutex_unlock(&link->lock);
    done_wake(link->pool, done);
}

static bool should_move(struct pg_link *link, const struct pg_request *r)
{
    uint64_t slow_ns = (uint64_t)link->pool->options.slow_ms * 1000000;

    if (link->segments == 0 || pool_now_ns() - link->head_ns < slow_ns)
        return false;
    return !r->sent || ((r->flags & PG_RUN_RETRY) && !in_head_segment(link, r));
}

/*
 * Called with the lock, by a thread that has waited for a while. True: it waits no longer, *status says why; the
 * request was taken back. The lock may have been released meanwhile.
 */
static bool gives_up(struct pg_link *link, struct pg_request *r, const struct pg_patience **patience,
                     struct pg_patience *grace, int *status, struct pg_failure *f)
{
    if (!r->gave_up && should_move(link, r)) {
        take_back(link, r);
        r->end = REQUEST_MOVED;
        *status = CELL_OK;
        atomic_fetch_add(&link->pool->counters.moved, 1);
        return true;
    }
    struct pg_failure ignored;
    int why = pool_check_patience(*patience, r->gave_up ? &ignored : f);
    if (why >= 0)
        return false;
    if (!r->gave_up)
        *status = why;
    if (!r->gave_up && r->sent && link->connection && in_head_segment(link, r)) {
        PGcancel *cancel = PQgetCancel(link->connection);
        r->gave_up = true;
        *grace = pool_wait_ns(POOL_GRACE_NS);
        *patience = grace;
        link->cancelled_ns = pool_now_ns();
        pthread_mutex_unlock(&link->lock);
        link_cancel(link->pool, cancel);
        pthread_mutex_lock(&link->lock);
        return false;
    }
    take_back(link, r);
    return true;
}

/* Makes the link ready to send. The lock is released meanwhile; link->led keeps others away. */
static bool be_connected(struct pg_link *link, struct pg_request *r, const struct pg_patience *patience,
                         struct done_list *done, struct pg_failure *f)
{
    if (link->connection && link->head == link->tail &&
        pool_now_ns() - link->used_ns > POOL_IDLE_MS * UINT64_C(1000000) && !link_seems_alive(link)) {
        atomic_fetch_add(&link->pool->counters.lost, 1);
        link_disconnect(link);
    }
    if (link->connection)
        return true;
    pthread_mutex_unlock(&link->lock);
    PGconn *made = NULL;
    int status = link_connect(link, patience, &made, f);
    pthread_mutex_lock(&link->lock);
    if (made)
        link_adopt(link, made);
    if (status >= 0)
        return true;
    /* The others have a patience of their own, and try by themselves; a database that is down is so for all. */
    for (struct pg_request *p = link->first; p && status == CELL_UNAVAILABLE; p = p->next)
        p->failure = *f;
    take_back(link, r);
    if (!made)
        link_lose(link, done);
    return false;
}

/* Waits for the socket without the lock. True: it can be read. */
static bool wait_readable(struct pg_link *link, const struct pg_patience *patience, bool move, struct done_list *done)
{
    struct pollfd p = {PQsocket(link->connection), POLLIN, 0};
    int ms = pool_slice_ms(patience), slow = (int)link->pool->options.slow_ms;

    if (PQflush(link->connection) == 1)
        p.events |= POLLOUT;
    pthread_mutex_unlock(&link->lock);
    done_wake(link->pool, done);
    int n = poll(&p, 1, move && slow < ms ? slow : ms);
    pthread_mutex_lock(&link->lock);
    return (n > 0 && (p.revents & ~POLLOUT)) || link->broken;
}

/* With the lock, which it releases. */
static int lead(struct pg_link *link, struct pg_request *r, const struct pg_patience *patience, struct pg_failure *f)
{
    struct done_list done = {0};
    struct pg_patience grace;
    int status = CELL_OK;

    while (state_of(r) != REQUEST_DONE) {
        if (!be_connected(link, r, patience, &done, f)) {
            status = f->status;
            break;
        }
        link_send(link);
        if (wait_readable(link, patience, (r->flags & PG_RUN_RETRY) || link->nbegun, &done))
            link_receive(link, &done);
        else if (gives_up(link, r, &patience, &grace, &status, f))
            break;
        link_find_slow(link, &done);
    }
    if (link->connection)
        link_send(link);
    leave(link, &done);
    return status;
}

int link_follow(struct pg_link *link, struct pg_request *r, const struct pg_patience *patience, struct pg_failure *f)
{
    struct pg_patience grace;
    int status = CELL_OK;

    for (;;) {
        uint32_t bell = pool_bell(link->pool, r);
        int state = state_of(r);
        if (state == REQUEST_DONE)
            return status;
        if (state == REQUEST_LEADS)
            break;
        int ms = pool_slice_ms(patience), slow = (int)link->pool->options.slow_ms;
        pool_sleep(link->pool, r, bell, slow < ms ? slow : ms);
        if (state_of(r) != REQUEST_WAITS)
            continue;
        pthread_mutex_lock(&link->lock);
        bool gone = state_of(r) == REQUEST_WAITS && gives_up(link, r, &patience, &grace, &status, f);
        pthread_mutex_unlock(&link->lock);
        if (gone)
            return status;
    }
    pthread_mutex_lock(&link->lock);
    int led = lead(link, r, patience, f);
    return status < 0 ? status : led;
}

int link_run(struct pg_link *link, struct pg_request *r, const struct pg_patience *patience, struct pg_failure *f)
{
    atomic_store_explicit(&r->state, REQUEST_WAITS, memory_order_relaxed);
    r->seat = pool_seat(link->pool);
    r->leads = true;
    r->sent = r->gave_up = false;
    r->rows = (struct pg_rows){0};
    r->failure.status = 0;
    pthread_mutex_lock(&link->lock);
    link_enqueue(link, r);
    if (!link->led) {
        link->led = true;
        return lead(link, r, patience, f);
    }
    if (link->connection)
        link_send(link);
    pthread_mutex_unlock(&link->lock);
    return link_follow(link, r, patience, f);
}
