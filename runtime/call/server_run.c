/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The poller: the thread that called cell_server_run. It sleeps until something happens, and sets itself no alarm but
 * for handshakes, for a pause of accepting, and for the watchdog that the supervisor asked for. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/ticks.h"
#include "core/config.h"
#include "server_parts.h"

#define HANDSHAKE_NS (UINT64_C(10000) * CELL_NS_PER_MS)
/* When others wait for a place, who has one without saying HELLO loses it sooner. */
#define SHORT_HANDSHAKE_NS (UINT64_C(1000) * CELL_NS_PER_MS)
#define ACCEPT_PAUSE_NS (UINT64_C(100) * CELL_NS_PER_MS)
#define EVENTS 64
#define ACCEPTS_AT_ONCE 32
/* Of one user. */
#define REFUSALS_AT_ONCE 8u

/* ---- accepting ---- */

static void watch_listener(struct cell_server *s, bool on)
{
    struct epoll_event ev = {.events = on ? EPOLLIN : 0, .data.ptr = &s->listener};
    if (s->accepting != on && epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, s->transport->listener_fd(s->listener), &ev) == 0)
        s->accepting = on;
}

static bool somebody_waits(const struct cell_server *s)
{
    struct pollfd p = {.fd = s->transport->listener_fd(s->listener), .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

/* Makes room for a client: the connection that has been idle longest, of the user who has the most, is told to go. */
static void evict(struct cell_server *s)
{
    struct server_conn *conn = cell_callers_victim(s);
    if (!conn)
        return;
    cell_server_say_goodbye(conn);
    cell_count(&s->counters.connections_evicted, 1);
    cell_server_conn_free(s, conn);
}

static void pause_accepting(struct cell_server *s)
{
    s->accept_again_ns = cell_now_ns() + ACCEPT_PAUSE_NS;
    watch_listener(s, false);
}

/* Counts the connection for its user. One that is over the limit stays until its HELLO came, so that the answer is read
 * and not lost in a reset; of too many of those each is told at once. False: it has to go. */
static bool count_in(struct cell_server *s, struct server_conn *conn)
{
    struct caller_uid *u = conn->caller->uid;
    conn->refused = u->nconns >= cell_callers_limit(s, u->uid);
    if (!conn->refused) {
        u->nconns++;
        return true;
    }
    u->nrefusing++;
    cell_count(&s->counters.connections_refused, 1);
    return u->nrefusing <= REFUSALS_AT_ONCE;
}

static void enlist(struct cell_server *s, struct server_conn *conn)
{
    conn->next = s->conns;
    if (s->conns)
        s->conns->prev = conn;
    s->conns = conn;
    s->nconns++;
    conn->handshake_deadline_ns = cell_now_ns() + HANDSHAKE_NS;
    conn->late_prev = s->late_last;
    if (s->late_last)
        s->late_last->late_next = conn;
    else
        s->late_first = conn;
    s->late_last = conn;
}

/* A client says HELLO at once when it has connected: it waits for no thread then. The thread that is to wait for its
 * first call is on its way meanwhile. `lock` is held, but not while the connection is the poller's own. */
static void greet(struct cell_server *s, struct server_conn *conn)
{
    pthread_mutex_unlock(&s->lock);
    enum server_next next = cell_server_greet(s, conn);
    pthread_mutex_lock(&s->lock);
    conn->greeted = conn->state == CONN_OPEN;
    if (next == NEXT_OVER)
        cell_server_conn_free(s, conn);
    else if (conn->greeted)
        cell_server_dispatch(s, conn);
    else
        cell_server_arm(s, conn); /* its time limit is looked at before the next sleep */
}

static bool accept_one(struct cell_server *s)
{
    struct cell_conn *accepted = NULL;
    struct cell_error e;
    uint32_t limit = s->options.max_message > CELL_MAX_COMPILE_REPLY ? s->options.max_message : CELL_MAX_COMPILE_REPLY;
    int r = s->transport->accept(s->listener, limit, &accepted, &e);
    if (r == CELL_UNAVAILABLE)
        return false;
    struct server_conn *conn = r < 0 ? NULL : calloc(1, sizeof(*conn));
    if (conn) {
        conn->conn = accepted;
        cell_server_conn_init(s, conn);
    }
    if (!conn || cell_callers_join(s, conn) < 0) { /* out of descriptors or memory: the client waits in the queue */
        cell_conn_close(accepted);
        free(conn);
        pause_accepting(s);
        return false;
    }
    cell_count(&s->counters.connections, 1);
    bool stays = count_in(s, conn);
    if (!conn->refused && s->nconns >= s->options.max_connections)
        evict(s);
    enlist(s, conn);
    if (stays) {
        greet(s, conn);
    } else {
        cell_error_set(&e, CELL_RESOURCE_EXHAUSTED, "user %u has too many connections to %s", conn->caller->uid->uid,
                       s->cell);
        cell_server_refuse(conn, &e);
        cell_server_conn_free(s, conn);
    }
    return true;
}

/* The listener is readable. */
static void accept_clients(struct cell_server *s)
{
    pthread_mutex_lock(&s->lock);
    s->wants_room = false;
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
        bool full = s->nconns >= s->options.max_connections;
        if (full && !somebody_waits(s))
            break;
        if (full && s->nidle == 0) {
            s->wants_room = true; /* a thread that ends or idles a connection wakes the poller */
            watch_listener(s, false);
            break;
        }
        if (!accept_one(s))
            break;
    }
    pthread_mutex_unlock(&s->lock);
}

/* ---- time ---- */

/* Ends handshakes that took too long; returns when the next one does. */
static uint64_t end_handshakes(struct cell_server *s)
{
    uint64_t next = CELL_NO_DEADLINE;
    pthread_mutex_lock(&s->lock);
    uint64_t now = s->late_first ? cell_now_ns() : 0;
    uint64_t early = s->wants_room ? HANDSHAKE_NS - SHORT_HANDSHAKE_NS : 0;
    for (struct server_conn *conn = s->late_first, *after; conn; conn = after) {
        after = conn->late_next;
        if (conn->handshake_deadline_ns - early > now) {
            next = conn->handshake_deadline_ns - early;
            break;
        }
        if (conn->polled) /* else a thread deals with it now, and the poller is woken when it comes back */
            cell_server_conn_free(s, conn);
    }
    pthread_mutex_unlock(&s->lock);
    return next;
}

static int timeout_until(uint64_t when_ns)
{
    if (when_ns == CELL_NO_DEADLINE)
        return -1;
    uint64_t now = cell_now_ns();
    uint64_t ms = when_ns > now ? (when_ns - now) / CELL_NS_PER_MS + 1 : 0;
    return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

/* Does what is due; returns how long to sleep. */
static int keep_time(struct cell_server *s, uint64_t watchdog_ns, uint64_t *next_watchdog_ns)
{
    uint64_t next = end_handshakes(s), threads = cell_server_find_threads(s);
    if (threads < next)
        next = threads;
    if (s->accept_again_ns) {
        if (cell_now_ns() >= s->accept_again_ns) {
            s->accept_again_ns = 0;
            watch_listener(s, true);
        } else if (s->accept_again_ns < next) {
            next = s->accept_again_ns;
        }
    }
    if (watchdog_ns) {
        uint64_t now = cell_now_ns();
        if (now >= *next_watchdog_ns) {
            cell_notify("WATCHDOG=1");
            *next_watchdog_ns = now + watchdog_ns;
        }
        if (*next_watchdog_ns < next)
            next = *next_watchdog_ns;
    }
    return timeout_until(next);
}

/* ---- the loop ---- */

static void take_wakeup(struct cell_server *s)
{
    uint64_t n;
    ssize_t r = read(s->wake_fd, &n, sizeof(n));
    (void)r;
    pthread_mutex_lock(&s->lock);
    bool retry = s->listener && s->wants_room && (s->nidle || s->nconns < s->options.max_connections);
    pthread_mutex_unlock(&s->lock);
    if (retry)
        watch_listener(s, true);
}

void cell_server_poll(struct cell_server *s, int timeout_ms)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(s->epoll_fd, events, EVENTS, timeout_ms);
    bool accepts = false;
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr == &s->listener) {
            accepts = true; /* last: it may free a connection that is in this list of events */
        } else if (events[i].data.ptr == &s->wake_fd) {
            take_wakeup(s);
        } else {
            struct server_conn *conn = events[i].data.ptr;
            pthread_mutex_lock(&s->lock);
            cell_server_unwatch(s, conn);
            if (conn->state == CONN_NEW)
                greet(s, conn);
            else
                cell_server_dispatch(s, conn);
            pthread_mutex_unlock(&s->lock);
        }
    }
    if (accepts)
        accept_clients(s);
}

static void loop(struct cell_server *s)
{
    uint64_t watchdog_ns = cell_watchdog_ns(), next_watchdog_ns = 0;
    while (!atomic_load(&s->stop))
        cell_server_poll(s, keep_time(s, watchdog_ns, &next_watchdog_ns));
}

/* ---- beginning and end ---- */

static int open_listener(struct cell_server *s)
{
    char *found = NULL;
    int fd = cell_listen_fd(&s->error);
    if (fd < -1)
        return fd;
    const char *address = s->options.address;
    int r = CELL_OK;
    if (!address && fd < 0) {
        r = cell_locate(s->cell, &found, &s->error);
        address = found;
    } else if (!address) {
        address = "unix:";
    }
    if (r >= 0) {
        s->transport = cell_transport_find(address);
        r = s->transport ? s->transport->listen(address, fd, &s->listener, &s->error)
                         : cell_error_set(&s->error, CELL_INVALID_ARGUMENT,
                                          "'%s' is no address; they look like unix:/path", address);
    }
    free(found);
    return r;
}

static int open_poller(struct cell_server *s)
{
    struct epoll_event wake = {.events = EPOLLIN, .data.ptr = &s->wake_fd};
    struct epoll_event listener = {.events = EPOLLIN, .data.ptr = &s->listener};
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (s->epoll_fd < 0 || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->wake_fd, &wake) < 0 ||
        epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->transport->listener_fd(s->listener), &listener) < 0)
        return cell_error_errno(&s->error, CELL_IO_ERROR, errno, "cannot watch the socket");
    s->accepting = true;
    return CELL_OK;
}

static void close_listener(struct cell_server *s)
{
    if (!s->listener)
        return;
    /* Said explicitly: who passed the socket has it open still, and so it would stay in the set. */
    if (s->epoll_fd >= 0)
        epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, s->transport->listener_fd(s->listener), NULL);
    s->transport->listener_close(s->listener);
    s->listener = NULL;
}

static int serve(struct cell_server *s)
{
    int r = open_poller(s);
    if (r >= 0 && s->options.start) {
        r = s->options.start(s->options.user);
        if (r < 0)
            cell_error_set(&s->error, cell_status_normal(r), "%s: its start failed: %s", s->cell, cell_status_text(r));
    }
    bool started = r >= 0;
    if (r >= 0)
        r = cell_server_https_begin(s);
    if (r < 0) {
        close_listener(s);
        if (started && s->options.stop)
            s->options.stop(s->options.user);
        return cell_status_normal(r);
    }
    cell_notify("READY=1");
    loop(s);
    cell_notify("STOPPING=1");
    close_listener(s);
    cell_server_https_quiesce(s);
    r = cell_server_drain(s);
    cell_server_https_end(s, r < 0);
    /* With handlers still running what they use must stay. */
    if (r >= 0)
        cell_server_unbind(s);
    if (r >= 0 && s->options.stop)
        s->options.stop(s->options.user);
    return r;
}

static void close_poller(struct cell_server *s)
{
    if (s->epoll_fd >= 0)
        close(s->epoll_fd);
    s->epoll_fd = -1;
}

/* Handlers that outlived the last run still use what it had. */
static int forget_last_run(struct cell_server *s)
{
    pthread_mutex_lock(&s->lock);
    uint32_t left = cell_server_left(s);
    pthread_mutex_unlock(&s->lock);
    if (left)
        return cell_error_set(&s->error, CELL_FAILED_PRECONDITION, "%s: %u calls of its last run did not end yet",
                              s->cell, left);
    close_poller(s);
    uint64_t ignored;
    ssize_t n = read(s->halt_fd, &ignored, sizeof(ignored));
    (void)n; /* of the last run, if it had any */
    atomic_store(&s->hard_stop, false);
    atomic_store(&s->draining, false);
    return CELL_OK;
}

int cell_server_run(struct cell_server *s)
{
    if (!s)
        return CELL_INVALID_ARGUMENT;
    if (!s->usable)
        return s->error.status;
    if (atomic_exchange(&s->running, true))
        return CELL_FAILED_PRECONDITION;
    int r = forget_last_run(s);
    cell_ticks_begin();
    cell_server_find_consumers(s);
    s->started_ns = cell_now_ns();
    if (r >= 0)
        r = open_listener(s);
    if (r >= 0) {
        /* Before anybody can know that the server is there, so that a stop is never lost. */
        r = cell_signals_begin(s);
        if (r >= 0) {
            r = serve(s);
            cell_signals_end(s);
        }
        close_listener(s);
    }
    if (r >= 0)
        close_poller(s); /* else handlers may still use it */
    atomic_store(&s->stop, false);
    atomic_store(&s->running, false);
    return r;
}
