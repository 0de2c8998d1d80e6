/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Threads, and the connections between them and the poller. A connection belongs to the poller (`polled`) or to one
 * thread, waits for one, or its call waits at the gate. There is a thread for each handler that may run, for each
 * connection whose next call a thread may wait for (the parked ones: the fastest way to be served), and a few for what
 * is neither; more only while others wait for clients to take their replies. So hundreds of active connections do not
 * mean hundreds of threads, and none waits behind a slow client. Threads without work leave, so that an idle server has
 * none.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

#include "server_parts.h"
#include "server_stream.h"

#define LINGER_NS (UINT64_C(1000) * CELL_NS_PER_MS)
/* Threads that may wait for clients to take their replies before others have to wait for a thread. */
#define MAX_STUCK 64u
/* After which a thread that sends a reply is one of them. */
#define STUCK_NS (UINT64_C(10) * CELL_NS_PER_MS)

/* ---- connections, with `lock` held ---- */

static void idle_append(struct cell_server *s, struct server_conn *conn)
{
    struct caller_uid *u = conn->caller->uid;
    conn->idle_next = NULL;
    conn->idle_prev = u->idle_last;
    if (u->idle_last)
        u->idle_last->idle_next = conn;
    else
        u->idle_first = conn;
    u->idle_last = conn;
    s->nidle++;
}

static void idle_remove(struct cell_server *s, struct server_conn *conn)
{
    struct caller_uid *u = conn->caller->uid;
    if (conn->idle_prev)
        conn->idle_prev->idle_next = conn->idle_next;
    else
        u->idle_first = conn->idle_next;
    if (conn->idle_next)
        conn->idle_next->idle_prev = conn->idle_prev;
    else
        u->idle_last = conn->idle_prev;
    conn->idle_prev = conn->idle_next = NULL;
    s->nidle--;
}

void cell_server_arm(struct cell_server *s, struct server_conn *conn)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, .data.ptr = conn};
    int fd = cell_conn_fd(conn->conn);
    if (epoll_ctl(s->epoll_fd, conn->added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev) < 0) {
        cell_server_conn_free(s, conn); /* no memory for it */
        return;
    }
    conn->added = conn->polled = true;
    if (conn->state == CONN_OPEN)
        idle_append(s, conn);
}

void cell_server_watch(struct cell_server *s, struct server_conn *conn)
{
    bool matters = s->wants_room || conn->handshake_deadline_ns;
    cell_server_arm(s, conn);
    if (matters)
        cell_server_wake(s); /* the poller's timeout was chosen without this connection */
}

void cell_server_unwatch(struct cell_server *s, struct server_conn *conn)
{
    if (conn->state == CONN_OPEN)
        idle_remove(s, conn);
    conn->polled = false;
}

void cell_server_handshake_over(struct cell_server *s, struct server_conn *conn)
{
    if (!conn->handshake_deadline_ns)
        return;
    conn->handshake_deadline_ns = 0;
    if (conn->late_prev)
        conn->late_prev->late_next = conn->late_next;
    else
        s->late_first = conn->late_next;
    if (conn->late_next)
        conn->late_next->late_prev = conn->late_prev;
    else
        s->late_last = conn->late_prev;
}

void cell_server_conn_free(struct cell_server *s, struct server_conn *conn)
{
    if (conn->polled)
        cell_server_unwatch(s, conn);
    /* Said explicitly: a child of a handler's fork may hold the descriptor open, and with it the registration. */
    if (conn->added)
        epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, cell_conn_fd(conn->conn), NULL);
    if (conn->next)
        conn->next->prev = conn->prev;
    if (conn->prev)
        conn->prev->next = conn->next;
    else
        s->conns = conn->next;
    s->nconns--;
    cell_server_count_open(s, conn, NULL);
    cell_server_handshake_over(s, conn);
    if (conn->refused)
        conn->caller->uid->nrefusing--;
    else
        conn->caller->uid->nconns--;
    cell_count(&s->counters.connections_closed, 1);
    cell_server_match_give(s, conn->match, conn->conn->memory);
    cell_conn_close(conn->conn);
    cell_callers_leave(s, conn);
    free(conn);
    if (s->wants_room || atomic_load(&s->draining))
        cell_server_wake(s);
}

/* ---- threads ---- */

static void wake_thread(struct cell_server *s);

/* Waits for a connection; NULL = leave. `lock` is held. */
static struct server_conn *wait_for_work(struct cell_server *s, struct server_thread *self)
{
    uint64_t until_ns = cell_now_ns() + LINGER_NS;
    const struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000u),
                                   .tv_nsec = (long)(until_ns % 1000000000u)};
    struct server_conn *conn;
    int r = 0;
    while (!(conn = cell_ready_take(s, self)) && r != ETIMEDOUT && !atomic_load(&s->draining)) {
        s->nwaiting++;
        r = pthread_cond_timedwait(&s->work, &s->lock, &until);
        s->nwaiting--;
    }
    if (conn && s->nready && !s->short_of_threads) /* of what came in line together each has its thread */
        wake_thread(s);
    return conn;
}

static void enlist(struct cell_server *s, struct server_thread *t)
{
    t->next = s->threads;
    if (s->threads)
        s->threads->prev = t;
    s->threads = t;
}

static void delist(struct cell_server *s, struct server_thread *t)
{
    cell_server_add_tallies(t);
    if (t->next)
        t->next->prev = t->prev;
    if (t->prev)
        t->prev->next = t->next;
    else
        s->threads = t->next;
}

static void *serve_connections(void *arg)
{
    struct cell_server *s = arg;
    struct server_thread self = {0};
    struct server_conn *conn;
    cell_ctx *c = cell_ctx_open_handler(0);
    pthread_mutex_lock(&s->lock);
    enlist(s, &self);
    s->nstarting--;
    while ((conn = wait_for_work(s, &self)) != NULL) {
        self.conn = conn;
        self.cut = false;
        conn->thread = &self;
        pthread_mutex_unlock(&s->lock);
        enum server_next next = c ? cell_server_serve(s, conn, c) : NEXT_OVER;
        pthread_mutex_lock(&s->lock);
        self.conn = NULL;
        if (next == NEXT_CROWD)
            conn->thread = NULL;
        cell_ready_done(s, &self); /* this thread is the one to look for what that lets in */
        if (next == NEXT_CROWD) {
            pthread_mutex_unlock(&s->lock);
            cell_crowd_join(s, conn);
            pthread_mutex_lock(&s->lock);
        }
        if (next == NEXT_IDLE)
            cell_server_watch(s, conn);
        else if (next == NEXT_OVER)
            cell_server_conn_free(s, conn);
        if (atomic_load_explicit(&s->matches.any_over, memory_order_relaxed)) {
            pthread_mutex_unlock(&s->lock);
            cell_server_reap(s);
            pthread_mutex_lock(&s->lock);
        }
    }
    delist(s, &self);
    pthread_mutex_unlock(&s->lock);
    cell_ctx_close(c);
    cell_server_thread_over(s);
    return NULL;
}

void cell_server_thread_over(struct cell_server *s)
{
    pthread_mutex_lock(&s->lock);
    s->nthreads--;
    bool last = cell_server_is_alone(s) && s->abandoned;
    if (atomic_load(&s->draining))
        cell_server_wake(s);
    pthread_mutex_unlock(&s->lock);
    if (last)
        cell_server_delete(s);
}

/* Signals are for the program's own threads. */
static bool start_thread(struct cell_server *s, void *(*run)(void *server))
{
    pthread_t thread;
    pthread_attr_t attr;
    sigset_t all, before;
    if (pthread_attr_init(&attr) != 0)
        return false;
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&thread, &attr, run, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return r == 0;
}

/* ---- slow clients ---- */

/* The thread that has waited longest for a client of the user with the most such clients. */
static struct server_thread *most_stuck(const struct cell_server *s)
{
    struct server_thread *worst = NULL;
    for (struct server_thread *t = s->threads; t; t = t->next) {
        uint64_t since = atomic_load(&t->sending_ns);
        if (!since || t->cut || t->conn->stream)
            continue;
        uint32_t n = t->conn->caller->uid->stuck, most = worst ? worst->conn->caller->uid->stuck : 0;
        if (n > most || (n == most && worst && since < atomic_load(&worst->sending_ns)))
            worst = t;
    }
    return worst;
}

/* Threads that wait for clients to take their replies, and do not count as others for that. When there are too many,
 * one is freed from its client, and counts from then on: until it has work again or has left, no other takes its place.
 */
static uint32_t count_stuck(struct cell_server *s)
{
    uint32_t n = 0;
    uint64_t now = cell_now_ns();
    for (struct caller_uid *u = s->uids; u; u = u->next)
        u->stuck = 0;
    for (struct server_thread *t = s->threads; t; t = t->next) {
        uint64_t since = atomic_load(&t->sending_ns);
        if (!since || since + STUCK_NS > now || t->cut || t->conn->stream)
            continue;
        n++;
        t->conn->caller->uid->stuck++;
    }
    struct server_thread *worst = n > MAX_STUCK ? most_stuck(s) : NULL;
    if (worst) {
        worst->cut = true;
        cell_count(&s->counters.slow_clients_cut, 1);
        cell_conn_interrupt(worst->conn->conn);
    }
    return n < MAX_STUCK ? n : MAX_STUCK;
}

/* ---- work for threads ---- */

/* One more. False: the system has none. */
static bool add_thread(struct cell_server *s)
{
    s->nthreads++;
    s->nstarting++;
    if (!start_thread(s, serve_connections)) {
        s->nthreads--;
        s->nstarting--;
        return false;
    }
    if (s->nthreads > atomic_load_explicit(&s->counters.threads_most, memory_order_relaxed))
        atomic_store_explicit(&s->counters.threads_most, s->nthreads, memory_order_relaxed);
    return true;
}

bool cell_server_start_thread(struct cell_server *s, void *(*run)(void *server))
{
    s->nthreads++;
    if (start_thread(s, run))
        return true;
    s->nthreads--;
    return false;
}

static bool may_start_thread(struct cell_server *s)
{
    uint32_t n = s->nthreads - s->nstreams; /* which are limited by themselves */
    return n < s->max_served || n - count_stuck(s) < s->max_served;
}

/* Something is in line for which no thread is on its way. */
static bool lacks_threads(const struct cell_server *s) { return s->nready > s->nwaiting + s->nstarting; }

/* There is work: a thread that waits takes it, or a new one. */
static void wake_thread(struct cell_server *s)
{
    if (lacks_threads(s)) {
        bool before = s->short_of_threads;
        s->short_of_threads = !may_start_thread(s);
        if (s->short_of_threads && !before)
            cell_server_wake(s); /* the poller looks again: threads may turn out to be stuck */
        if (!s->short_of_threads)
            add_thread(s);
    }
    pthread_cond_signal(&s->work);
}

uint64_t cell_server_find_threads(struct cell_server *s)
{
    pthread_mutex_lock(&s->lock);
    if (s->short_of_threads) {
        s->short_of_threads = lacks_threads(s);
        wake_thread(s);
    }
    bool again = s->short_of_threads;
    pthread_mutex_unlock(&s->lock);
    return again ? cell_now_ns() + STUCK_NS : CELL_NO_DEADLINE;
}

void cell_server_dispatch(struct cell_server *s, struct server_conn *conn)
{
    if (s->nthreads == 0 && !add_thread(s)) { /* nobody would ever come for it */
        cell_server_conn_free(s, conn);
        return;
    }
    cell_ready_put(s, conn);
    wake_thread(s);
}

void cell_server_waits(struct cell_server *s, struct server_thread *t)
{
    if (!t->counted)
        return;
    pthread_mutex_lock(&s->lock);
    if (cell_ready_done(s, t))
        wake_thread(s);
    pthread_mutex_unlock(&s->lock);
}

void cell_server_resume(struct cell_server *s, struct gate_waiter *admitted)
{
    if (!admitted)
        return;
    pthread_mutex_lock(&s->lock);
    for (struct gate_waiter *w = admitted, *next; w; w = next) {
        struct server_conn *conn = (struct server_conn *)((char *)w - offsetof(struct server_conn, waiter));
        next = w->next;
        if (conn->turn) {
            sem_post(conn->turn);
            continue;
        }
        if (conn->stream) { /* its thread waits for that */
            sem_post(&conn->stream->turn);
            continue;
        }
        conn->admitted = true;
        cell_server_dispatch(s, conn);
    }
    pthread_mutex_unlock(&s->lock);
}
