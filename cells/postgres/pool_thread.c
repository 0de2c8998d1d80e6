/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The pool's thread: it leads the shared links whose statements nobody else waits for. It reads, tells who has begun
 * what is done, and looks for more (pg_pool_options.gather) before it sleeps, so that what has come meanwhile is sent
 * together. It sleeps in epoll, for all of them at once.
 */
#include "pool_impl.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* How long others may wait for the thread to look for more. */
#define GATHER_NS UINT64_C(300000)
/* How often it is looked whether a statement takes long. */
#define LOOK_NS UINT64_C(5000000)
/* Statements have joined others so recently that others will. */
#define RECENT_NS UINT64_C(10000000)
#define EVENTS 16

/* ---- what it sleeps for; the link's lock is held ---- */

void link_unwatch(struct pg_link *link)
{
    if (link->watched)
        epoll_ctl(link->pool->thread.epoll_fd, EPOLL_CTL_DEL, PQsocket(link->connection), NULL);
    link->watched = 0;
}

void link_watch(struct pg_link *link)
{
    if (!link->by_thread || !link->connection)
        return;
    struct epoll_event e = {.events = EPOLLIN | (PQflush(link->connection) == 1 ? EPOLLOUT : 0), .data.ptr = link};
    if (e.events == link->watched)
        return;
    /* When it fails the link is looked at every LOOK_NS. */
    if (epoll_ctl(link->pool->thread.epoll_fd, link->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
                  PQsocket(link->connection), &e) == 0)
        link->watched = e.events;
}

void pool_thread_wake(struct pg_pool *pool)
{
    const uint64_t one = 1;

    if (pthread_equal(pthread_self(), pool->thread.id))
        return;
    ssize_t r = write(pool->thread.wake_fd, &one, sizeof(one));
    (void)r; /* fails only when it is awake already */
}

void pool_thread_lead(struct pg_link *link)
{
    struct pg_pool *pool = link->pool;

    link->by_thread = true;
    link_watch(link);
    /* It sleeps without an end when it leads none. */
    if (atomic_fetch_add(&pool->thread.nled, 1) == 0)
        pool_thread_wake(pool);
}

/* Only threads that wait are left on the link: one that can lead does, or nobody when nothing is wanted. It is watched
 * on, for it may be the thread's again in a moment. */
static void hand_over(struct pg_link *link, struct done_list *done)
{
    struct pg_request *heir = link_heir(link);

    if (!heir && link_is_wanted(link)) {
        link_watch(link);
        return;
    }
    link->by_thread = false;
    atomic_store_explicit(&link->running, 0, memory_order_relaxed);
    atomic_fetch_sub(&link->pool->thread.nled, 1);
    if (heir) {
        done_add(done, heir);
        atomic_store_explicit(&heir->state, REQUEST_LEADS, memory_order_release);
        return;
    }
    link->led = false;
    if (link->head != link->tail) /* as pool_lead.c */
        link_lose(link, done);
}

/* ---- serving ---- */

struct round {
    struct done_list done;
    bool came;  /* something was there to be read */
    bool looks; /* for what takes long */
};

static void serve_link(struct pg_link *link, bool readable, struct round *round)
{
    struct done_list *done = &round->done;

    pthread_mutex_lock(&link->lock);
    if (link->by_thread) {
        if (link->connection && (readable || link->broken))
            link_receive(link, done);
        if (round->looks)
            link_find_slow(link, done);
        if (link->connection && !atomic_load_explicit(&link->unsent, memory_order_relaxed))
            link_send(link);
        if (link->nbegun == 0)
            hand_over(link, done);
        else
            link_watch(link);
    } else {
        link_unwatch(link); /* somebody else reads */
    }
    pthread_mutex_unlock(&link->lock);
}

/* Now and then at all links, also those of which nothing is heard. */
static void look(struct pg_pool *pool, struct round *round)
{
    uint64_t now = pool_now_ns();

    if (now - pool->thread.looked_ns < LOOK_NS)
        return;
    pool->thread.looked_ns = now;
    round->looks = true;
    for (uint32_t i = 0; i < pool->options.connections; i++)
        serve_link(&pool->shared[i], false, round);
}

static void take_event(struct pg_pool *pool, const struct epoll_event *e, struct round *round)
{
    uint64_t ignored;

    if (e->data.ptr) {
        bool readable = e->events & ~(uint32_t)EPOLLOUT;
        round->came |= readable;
        serve_link(e->data.ptr, readable, round);
        return;
    }
    ssize_t r = read(pool->thread.wake_fd, &ignored, sizeof(ignored));
    (void)r;
}

/* ---- gathering ---- */

/* Whether statements that come now had better wait for the next result: then they would join others, or wait for
 * others, or find all connections busy. */
static bool has_enough(struct pg_pool *pool)
{
    uint64_t joined = atomic_load_explicit(&pool->thread.joined_ns, memory_order_relaxed);
    uint32_t nbusy = 0;

    for (uint32_t i = 0; i < pool->options.connections; i++)
        nbusy += atomic_load_explicit(&pool->shared[i].load, memory_order_relaxed) != 0;
    return nbusy >= pool->options.connections ||
           (joined + RECENT_NS > pool_now_ns() &&
            (nbusy >= pool->options.processors || pool_worth_sending(pool, NULL) > 1));
}

/* While nothing comes, what was promised is kept up for as long as there is reason to. */
static void gather(struct pg_pool *pool, bool came)
{
    bool more = (came || pool->thread.gathers) && has_enough(pool);

    if (!pool->options.gather || (!more && !pool->thread.gathers))
        return;
    pool->thread.gathers = more;
    pool->options.gather(pool->options.user, more);
}

static bool has_waiting(const struct pg_pool *pool)
{
    for (uint32_t i = 0; i < pool->options.connections; i++)
        if (atomic_load_explicit(&pool->shared[i].waits, memory_order_relaxed))
            return true;
    return false;
}

/* What waited for more may not have to any longer. */
static void send_waiting(struct pg_pool *pool)
{
    for (uint32_t i = 0; i < pool->options.connections; i++) {
        struct pg_link *link = &pool->shared[i];
        if (!atomic_load_explicit(&link->waits, memory_order_relaxed))
            continue;
        pthread_mutex_lock(&link->lock);
        if (link->connection)
            link_send(link);
        pthread_mutex_unlock(&link->lock);
    }
}

/* ---- the thread ---- */

/* A kernel before 5.11, or what stands for one, counts in milliseconds. */
static int sleep_for(struct pg_pool *pool, struct epoll_event events[EVENTS], uint64_t ns)
{
    const struct timespec t = {0, (long)ns};
    int n = epoll_pwait2(pool->thread.epoll_fd, events, EVENTS, ns == UINT64_MAX ? NULL : &t, NULL);

    if (n < 0 && errno == ENOSYS)
        n = epoll_wait(pool->thread.epoll_fd, events, EVENTS, ns == UINT64_MAX ? -1 : (int)((ns + 999999) / 1000000));
    return n;
}

static uint64_t patience_of(struct pg_pool *pool)
{
    if (pool->thread.gathers || has_waiting(pool))
        return GATHER_NS;
    return atomic_load(&pool->thread.nled) ? LOOK_NS : UINT64_MAX;
}

static void wait_once(struct pg_pool *pool)
{
    struct epoll_event events[EVENTS];
    struct round round = {0};
    int n = sleep_for(pool, events, patience_of(pool));

    for (int i = 0; i < n; i++)
        take_event(pool, &events[i], &round);
    look(pool, &round);
    /* What the database can go on with is sent before anybody is told, for who is woken may run at once, and instead.
     */
    send_waiting(pool);
    done_wake(pool, &round.done);
    gather(pool, round.came);
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

/* ---- starting and stopping ---- */

static void close_fds(struct pg_pool *pool)
{
    if (pool->thread.wake_fd >= 0)
        close(pool->thread.wake_fd);
    if (pool->thread.epoll_fd >= 0)
        close(pool->thread.epoll_fd);
    pool->thread.wake_fd = pool->thread.epoll_fd = -1;
}

static bool open_fds(struct pg_pool *pool)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};

    pool->thread.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pool->thread.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (pool->thread.wake_fd >= 0 && pool->thread.epoll_fd >= 0 &&
        epoll_ctl(pool->thread.epoll_fd, EPOLL_CTL_ADD, pool->thread.wake_fd, &e) == 0)
        return true;
    close_fds(pool);
    return false;
}

/* Signals are for the program's own threads. */
static bool start(struct pg_pool *pool)
{
    sigset_t all, before;

    if (!open_fds(pool))
        return false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&pool->thread.id, NULL, serve, pool) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!started)
        close_fds(pool);
    return started;
}

bool pool_thread_start(struct pg_pool *pool)
{
    if (atomic_load_explicit(&pool->thread.runs, memory_order_acquire))
        return true;
    pthread_mutex_lock(&pool->lock);
    bool runs = atomic_load(&pool->thread.runs) || start(pool);
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
    close_fds(pool);
}
