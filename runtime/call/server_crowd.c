/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The crowd: connections that share a thread. A thread for each connection is the fastest way to be served while there
 * are processors for them; beyond, each call costs a switch to another thread, and calls that could be carried out
 * together arrive one by one. So when more connections than processors are busy with calls that can be begun without
 * blocking (cell_bound_ops.begin), they come here. One thread sleeps for all of them, in poll; what it finds is begun
 * at once, and what cannot be is given to a thread with its connection, as if the poller had seen it.
 *
 * Whoever ends calls in batches looks for the next ones itself (cell_server_gather), and while it promises to come
 * again soon nobody is woken at all: clients are not told that somebody sleeps.
 *
 * Once a second who has not called goes to the poller, and so does everybody when few are left.
 */
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "server_parts.h"

#define SWEEP_MS 1000
#define EVENTS 64

/* ---- who is in it; the crowd's lock is held ---- */

static uint64_t tag_of(const struct server_crowd *w, uint32_t slot)
{
    return (uint64_t)w->slots[slot].generation << 32 | slot;
}

static bool has_frame(struct server_conn *conn) { return cell_conn_ops(conn->conn)->glance(conn->conn); }

/* True: a frame, or the end, is there; else its peer will tell of it, over the socket. */
static bool arm(struct server_conn *conn) { return cell_conn_ops(conn->conn)->arm(conn->conn); }

static bool enter(struct cell_server *s, struct server_conn *conn)
{
    struct server_crowd *w = &s->crowd;
    uint32_t i = 0;
    while (i < w->end && w->slots[i].conn)
        i++;
    if (i == CROWD_MOST)
        return false;
    /* Edges only: while its call runs nobody looks at the connection. */
    struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.u64 = tag_of(w, i)};
    if (epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, cell_conn_fd(conn->conn), &ev) < 0)
        return false;
    w->slots[i].conn = conn;
    conn->slot = i;
    conn->crowded = true;
    atomic_fetch_add_explicit(&w->n, 1, memory_order_relaxed);
    w->end = i < w->end ? w->end : i + 1;
    return true;
}

static void leave(struct cell_server *s, struct server_conn *conn)
{
    struct server_crowd *w = &s->crowd;
    struct crowd_slot *slot = &w->slots[conn->slot];
    epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, cell_conn_fd(conn->conn), NULL);
    *slot = (struct crowd_slot){.generation = slot->generation + 1};
    conn->crowded = false;
    atomic_fetch_sub_explicit(&w->n, 1, memory_order_relaxed);
    while (w->end && !w->slots[w->end - 1].conn)
        w->end--;
}

void cell_crowd_leave(struct cell_server *s, struct server_conn *conn)
{
    pthread_mutex_lock(&s->crowd.lock);
    if (conn->crowded)
        leave(s, conn);
    pthread_mutex_unlock(&s->crowd.lock);
}

static void give_to_thread(struct cell_server *s, struct server_conn *conn)
{
    if (conn->crowded)
        leave(s, conn);
    pthread_mutex_lock(&s->lock);
    cell_server_dispatch(s, conn);
    pthread_mutex_unlock(&s->lock);
}

static void give_to_poller(struct cell_server *s, struct server_conn *conn)
{
    if (cell_conn_readable(conn->conn)) {
        give_to_thread(s, conn);
        return;
    }
    leave(s, conn);
    pthread_mutex_lock(&s->lock);
    cell_server_watch(s, conn);
    pthread_mutex_unlock(&s->lock);
}

/* ---- serving; the crowd's lock is held ---- */

/* Something is there. True: a call was begun. */
static bool serve(struct cell_server *s, struct server_conn *conn)
{
    struct crowd_slot *slot = &s->crowd.slots[conn->slot];
    struct cell_received received;
    slot->called = slot->away = true;
    int r = cell_conn_recv(conn->conn, &received, 0, NULL);
    if (r == CELL_OK && cell_later_begin(s, conn, &received))
        return true; /* it may be over already, and the slot another's */
    slot->away = false;
    if (r == CELL_DEADLINE_EXCEEDED) /* nothing in the end; whoever sends says so from here on */
        return false;
    if (r == CELL_OK) {
        conn->pending = received;
        conn->has_pending = true;
    }
    give_to_thread(s, conn); /* which meets the failure again, if it was one */
    return false;
}

/* What has come; with `arms`, also what comes meanwhile, and then everybody's clients tell of what they send. */
static bool scan(struct cell_server *s, bool arms)
{
    struct server_crowd *w = &s->crowd;
    bool begun = false;
    for (uint32_t i = 0; i < w->end; i++) {
        struct crowd_slot *slot = &w->slots[i];
        if (slot->conn && !slot->away && (arms ? arm(slot->conn) : has_frame(slot->conn)))
            begun |= serve(s, slot->conn);
    }
    return begun;
}

static void flush(struct cell_server *s, bool begun)
{
    if (begun && s->options.bound->flush)
        s->options.bound->flush(s->options.user);
}

void cell_server_gather(struct cell_server *server, bool more)
{
    struct server_crowd *w = &server->crowd;
    pthread_mutex_lock(&w->lock);
    bool arms = w->gathers && !more;
    w->gathers = more;
    bool begun = scan(server, arms);
    pthread_mutex_unlock(&w->lock);
    flush(server, begun);
}

/* ---- the thread ---- */

static void take_event(struct cell_server *s, uint64_t tag, bool *begun)
{
    struct crowd_slot *slot = &s->crowd.slots[(uint32_t)tag % CROWD_MOST];
    if (tag == UINT64_MAX || !slot->conn || slot->generation != tag >> 32)
        return;
    if (slot->away)
        slot->signalled = true;
    else if (cell_conn_readable(slot->conn->conn))
        *begun |= serve(s, slot->conn);
}

static void sweep(struct cell_server *s)
{
    struct server_crowd *w = &s->crowd;
    uint64_t now = cell_now_ns();
    uint32_t active = 0;
    if (w->gathers || now - w->swept_ns < SWEEP_MS * CELL_NS_PER_MS)
        return;
    w->swept_ns = now;
    for (uint32_t i = 0; i < w->end; i++)
        active += w->slots[i].conn && w->slots[i].called;
    for (uint32_t i = 0; i < w->end; i++) {
        struct crowd_slot *slot = &w->slots[i];
        if (slot->conn && !slot->away && (!slot->called || active <= s->processors))
            give_to_poller(s, slot->conn);
        else
            slot->called = slot->away;
    }
}

/* False: the thread is not needed any more. */
static bool serve_once(struct cell_server *s)
{
    struct server_crowd *w = &s->crowd;
    struct epoll_event events[EVENTS];
    bool begun = false;
    int n = epoll_wait(w->epoll_fd, events, EVENTS, SWEEP_MS);
    pthread_mutex_lock(&w->lock);
    for (int i = 0; i < n; i++)
        take_event(s, events[i].data.u64, &begun);
    if (n > 0)
        begun |= scan(s, false);
    sweep(s);
    bool goes_on = atomic_load_explicit(&w->n, memory_order_relaxed) > 0 && !atomic_load(&s->draining);
    w->has_thread = goes_on;
    pthread_mutex_unlock(&w->lock);
    flush(s, begun);
    return goes_on;
}

static void *serve_crowd(void *arg)
{
    while (serve_once(arg))
        continue;
    cell_server_thread_over(arg);
    return NULL;
}

/* ---- coming and going ---- */

bool cell_crowd_wants(struct cell_server *s, const struct server_conn *conn)
{
    return s->hooks.n == 0 && cell_conn_ops(conn->conn)->arm &&
           (atomic_load_explicit(&s->parked, memory_order_relaxed) > s->processors ||
            atomic_load_explicit(&s->crowd.n, memory_order_relaxed) > s->processors);
}

static bool open_crowd(struct cell_server *s)
{
    struct server_crowd *w = &s->crowd;
    struct epoll_event halt = {.events = EPOLLIN, .data.u64 = UINT64_MAX};
    if (w->epoll_fd < 0) {
        w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (w->epoll_fd >= 0)
            epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, s->halt_fd, &halt);
    }
    if (w->epoll_fd < 0 || w->has_thread)
        return w->epoll_fd >= 0;
    pthread_mutex_lock(&s->lock);
    w->has_thread = cell_server_start_thread(s, serve_crowd);
    pthread_mutex_unlock(&s->lock);
    w->swept_ns = cell_now_ns();
    return w->has_thread;
}

/* Once it has a slot that nobody else uses. */
static bool settle(struct cell_server *s, struct server_conn *conn)
{
    struct crowd_slot *slot = &s->crowd.slots[conn->slot];
    bool signalled = slot->signalled;
    slot->away = slot->signalled = false;
    slot->called = true;
    if (signalled ? cell_conn_readable(conn->conn) : !s->crowd.gathers && arm(conn))
        return serve(s, conn);
    return false;
}

void cell_crowd_join(struct cell_server *s, struct server_conn *conn)
{
    struct server_crowd *w = &s->crowd;
    bool begun = false, joins;
    pthread_mutex_lock(&w->lock);
    joins = !conn->has_pending && !atomic_load(&s->draining) && open_crowd(s);
    if (joins && (conn->crowded || enter(s, conn)))
        begun = settle(s, conn);
    else
        give_to_thread(s, conn);
    pthread_mutex_unlock(&w->lock);
    flush(s, begun);
}

void cell_crowd_dissolve(struct cell_server *s)
{
    struct server_crowd *w = &s->crowd;
    pthread_mutex_lock(&w->lock);
    for (uint32_t i = 0; i < w->end; i++)
        if (w->slots[i].conn && !w->slots[i].away)
            give_to_poller(s, w->slots[i].conn);
    pthread_mutex_unlock(&w->lock);
}
