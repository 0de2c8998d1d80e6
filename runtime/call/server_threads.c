/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Threads, and the connections between them and the poller. A connection belongs to the poller (`polled`) or to one
 * thread, or waits for one. There are as many threads as active connections: a thread that waits for the next call of
 * its connection costs nothing but its stack, and how many handlers run at once is the gate's business. Threads without
 * work leave, so that an idle server has none.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

#include "server_parts.h"

#define LINGER_NS (UINT64_C(1000) * CELL_NS_PER_MS)

/* ---- connections, with `lock` held ---- */

static void idle_append(struct cell_server *s, struct server_conn *conn)
{
    conn->idle_next = NULL;
    conn->idle_prev = s->idle_last;
    if (s->idle_last)
        s->idle_last->idle_next = conn;
    else
        s->idle_first = conn;
    s->idle_last = conn;
}

static void idle_remove(struct cell_server *s, struct server_conn *conn)
{
    if (conn->idle_prev)
        conn->idle_prev->idle_next = conn->idle_next;
    else
        s->idle_first = conn->idle_next;
    if (conn->idle_next)
        conn->idle_next->idle_prev = conn->idle_prev;
    else
        s->idle_last = conn->idle_prev;
    conn->idle_prev = conn->idle_next = NULL;
}

void cell_server_watch(struct cell_server *s, struct server_conn *conn)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, .data.ptr = conn};
    int fd = cell_conn_fd(conn->conn);
    if (epoll_ctl(s->epoll_fd, conn->added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev) < 0) {
        cell_server_conn_free(s, conn); /* no memory for it */
        return;
    }
    conn->added = conn->polled = true;
    idle_append(s, conn);
    if (s->wants_room || conn->handshake_deadline_ns)
        cell_server_wake(s); /* the poller's timeout was chosen without this connection */
}

void cell_server_unwatch(struct cell_server *s, struct server_conn *conn)
{
    idle_remove(s, conn);
    conn->polled = false;
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
    if (conn->handshake_deadline_ns)
        s->nhandshakes--;
    cell_count(&s->counters.connections_closed, 1);
    cell_conn_close(conn->conn);
    cell_server_match_free(conn->match);
    free(conn);
    if (s->wants_room || atomic_load(&s->draining))
        cell_server_wake(s);
}

static struct server_conn *take_ready(struct cell_server *s)
{
    struct server_conn *conn = s->ready_first;
    if (conn) {
        s->ready_first = conn->next_ready;
        if (!s->ready_first)
            s->ready_last = &s->ready_first;
        s->nready--;
    }
    return conn;
}

/* ---- threads ---- */

/* Waits for a connection; NULL = leave. `lock` is held. */
static struct server_conn *wait_for_work(struct cell_server *s)
{
    uint64_t until_ns = cell_now_ns() + LINGER_NS;
    const struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000u),
                                   .tv_nsec = (long)(until_ns % 1000000000u)};
    struct server_conn *conn;
    int r = 0;
    while (!(conn = take_ready(s)) && r != ETIMEDOUT && !atomic_load(&s->draining)) {
        s->nwaiting++;
        r = pthread_cond_timedwait(&s->work, &s->lock, &until);
        s->nwaiting--;
    }
    return conn;
}

static void *serve_connections(void *arg)
{
    struct cell_server *s = arg;
    struct server_conn *conn;
    cell_ctx *c = cell_ctx_open_handler(0);
    pthread_mutex_lock(&s->lock);
    while ((conn = wait_for_work(s)) != NULL) {
        pthread_mutex_unlock(&s->lock);
        bool idle = c && cell_server_serve(s, conn, c);
        pthread_mutex_lock(&s->lock);
        if (idle)
            cell_server_watch(s, conn);
        else
            cell_server_conn_free(s, conn);
    }
    bool last = --s->nthreads == 0 && s->abandoned;
    if (atomic_load(&s->draining))
        cell_server_wake(s);
    pthread_mutex_unlock(&s->lock);
    cell_ctx_close(c);
    if (last)
        cell_server_delete(s);
    return NULL;
}

/* Signals are for the program's own threads. */
static bool start_thread(struct cell_server *s)
{
    pthread_t thread;
    pthread_attr_t attr;
    sigset_t all, before;
    if (pthread_attr_init(&attr) != 0)
        return false;
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&thread, &attr, serve_connections, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return r == 0;
}

void cell_server_dispatch(struct cell_server *s, struct server_conn *conn)
{
    if (s->nready >= s->nwaiting) {
        s->nthreads++;
        if (!start_thread(s)) {
            s->nthreads--;
            if (s->nthreads == 0) { /* nobody will ever come for it */
                cell_server_conn_free(s, conn);
                return;
            }
        }
    }
    conn->next_ready = NULL;
    *s->ready_last = conn;
    s->ready_last = &conn->next_ready;
    s->nready++;
    pthread_cond_signal(&s->work);
}
