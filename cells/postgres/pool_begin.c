/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Statements that nobody waits for. While a shared link has only such ones the pool's thread leads it: it reads, tells
 * who has begun what is done, and looks for more (pg_pool_options.gather) before it sleeps, so that what has come
 * meanwhile is sent together. A statement that takes long, or whose time is over, gets a thread that waits for it as
 * for any other: all that happens then, moving, cancelling, executing again, is pool_lead.c's and pool.c's.
 */
#include "pool_impl.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* How long others may wait for the thread to look for more. */
#define GATHER_NS UINT64_C(300000)
/* How often it is looked whether a statement takes long. */
#define LOOK_NS UINT64_C(5000000)
/* Statements have joined others so recently that others will. */
#define RECENT_NS UINT64_C(10000000)

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

/* ---- the thread ---- */

/* Only threads that wait are left on the link: one of these leads, or nobody does. */
static void hand_over(struct pg_link *link, struct done_list *done)
{
    struct pg_request *heir = link_heir(link);

    link->by_thread = false;
    if (heir) {
        atomic_store_explicit(&heir->state, REQUEST_LEADS, memory_order_release);
        done->words[done->n++] = &heir->state;
        return;
    }
    link->led = false;
    if (link->head != link->tail) /* as pool_lead.c */
        link_lose(link, done);
}

static void serve_link(struct pg_link *link, bool readable)
{
    struct done_list done;

    done.n = 0;
    done.begun = NULL;
    done.slow = NULL;
    pthread_mutex_lock(&link->lock);
    if (link->by_thread) {
        if (link->connection && (readable || link->broken))
            link_receive(link, &done);
        link_find_slow(link, &done);
        if (link->connection && !atomic_load_explicit(&link->unsent, memory_order_relaxed))
            link_send(link);
        if (link->nbegun == 0 && done.n < POOL_FLIGHTS)
            hand_over(link, &done);
    }
    pthread_mutex_unlock(&link->lock);
    done_wake(&done);
}

/* The links that the thread leads, and what it waits for of each. */
static nfds_t collect(struct pg_pool *pool, struct pollfd *polls)
{
    nfds_t n = 0;

    for (uint32_t i = 0; i < pool->options.connections; i++) {
        struct pg_link *link = &pool->shared[i];
        pthread_mutex_lock(&link->lock);
        if (link->by_thread) {
            polls[n] = (struct pollfd){link->connection ? PQsocket(link->connection) : -1, POLLIN, 0};
            if (link->connection && PQflush(link->connection) == 1)
                polls[n].events |= POLLOUT;
            pool->thread.links[n++] = link;
        }
        pthread_mutex_unlock(&link->lock);
    }
    return n;
}

/* Whether statements that come now had better wait for the next result: then they would join others, or find all
 * connections busy. */
static bool has_enough(struct pg_pool *pool)
{
    uint64_t joined = atomic_load_explicit(&pool->thread.joined_ns, memory_order_relaxed);
    uint32_t nbusy = 0;

    for (uint32_t i = 0; i < pool->options.connections; i++)
        nbusy += atomic_load_explicit(&pool->shared[i].load, memory_order_relaxed) != 0;
    return nbusy >= pool->options.connections || (nbusy >= pool->processors && joined + RECENT_NS > pool_now_ns());
}

static void gather(struct pg_pool *pool, bool came)
{
    bool more = came && has_enough(pool);

    if (!pool->options.gather || (!more && !pool->thread.gathers))
        return;
    pool->thread.gathers = more;
    pool->options.gather(pool->options.user, more);
}

static void wait_once(struct pg_pool *pool)
{
    struct pollfd polls[POOL_MAX_CONNECTIONS + 1];
    nfds_t n = collect(pool, polls);
    uint64_t ns = pool->thread.gathers ? GATHER_NS : LOOK_NS;
    const struct timespec t = {0, (long)ns};
    bool came = false;

    polls[n] = (struct pollfd){pool->thread.wake_fd, POLLIN, 0};
    ppoll(polls, n + 1, n || pool->thread.gathers ? &t : NULL, NULL);
    if (polls[n].revents) {
        uint64_t ignored;
        ssize_t r = read(pool->thread.wake_fd, &ignored, sizeof(ignored));
        (void)r;
    }
    for (nfds_t i = 0; i < n; i++) {
        bool readable = polls[i].revents & ~POLLOUT;
        came |= readable;
        serve_link(pool->thread.links[i], readable);
    }
    gather(pool, came);
}

static void *serve(void *arg)
{
    struct pg_pool *pool = arg;

    while (!atomic_load(&pool->thread.stops))
        wait_once(pool);
    if (pool->thread.gathers)
        pool->options.gather(pool->options.user, false);
    return NULL;
}

void pool_thread_wake(struct pg_pool *pool)
{
    const uint64_t one = 1;
    ssize_t r = write(pool->thread.wake_fd, &one, sizeof(one));
    (void)r; /* fails only when it is awake already */
}

/* Signals are for the program's own threads. */
static bool start_thread(struct pg_pool *pool)
{
    sigset_t all, before;

    pool->thread.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pool->thread.wake_fd < 0)
        return false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&pool->thread.id, NULL, serve, pool) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!started) {
        close(pool->thread.wake_fd);
        pool->thread.wake_fd = -1;
    }
    return started;
}

static bool has_thread(struct pg_pool *pool)
{
    if (atomic_load_explicit(&pool->thread.runs, memory_order_acquire))
        return true;
    pthread_mutex_lock(&pool->lock);
    bool runs = atomic_load(&pool->thread.runs) || start_thread(pool);
    atomic_store_explicit(&pool->thread.runs, runs, memory_order_release);
    pthread_mutex_unlock(&pool->lock);
    return runs;
}

void pool_thread_stop(struct pg_pool *pool)
{
    if (!atomic_load(&pool->thread.runs))
        return;
    atomic_store(&pool->thread.stops, true);
    pool_thread_wake(pool);
    pthread_join(pool->thread.id, NULL);
    close(pool->thread.wake_fd);
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
    bool good = is_good(link), wakes = good && !link->led;
    if (good) {
        link_enqueue(link, &run->request);
        link->nbegun++;
        atomic_store_explicit(&link->unsent, true, memory_order_relaxed);
    }
    if (wakes)
        link->led = link->by_thread = true;
    pthread_mutex_unlock(&link->lock);
    if (wakes && !pthread_equal(pthread_self(), link->pool->thread.id))
        pool_thread_wake(link->pool);
    return good;
}

bool pg_pool_begin(struct pg_pool *pool, struct pg_prepared *s, const struct pg_values *values, unsigned flags,
                   uint64_t until_ns, pg_run_done *done, void *user)
{
    uint64_t slow_ns = pool_now_ns() + (uint64_t)pool->options.slow_ms * 1000000;
    bool joins;

    if (atomic_load_explicit(&pool->unprepared, memory_order_relaxed) || pool_is_slow(pool, s) || !has_thread(pool))
        return false;
    struct pg_run *run = malloc(sizeof(*run));
    if (!run)
        return false;
    struct pg_request *r = &run->request;
    r->s = s;
    r->flags = flags;
    r->values = &run->values;
    r->begun = true;
    r->alone = r->sent = r->gave_up = r->preparing = false;
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
    r->begun = false; /* it may be sent again */
    int status = run->followed ? link_follow(run->link, r, patience, f) : CELL_OK;
    status = pool_conclude(run->pool, NULL, r, status, patience, rows, f);
    free(run);
    return status;
}
