/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The end of a server: idle clients are sent away, running calls may finish, and who does not finish is cut off. */
#include <unistd.h>

#include "server_parts.h"

/* How long what is left has to end by itself: handlers that ask cell_ctx_cancelled, and threads that wait for the next
 * call of their connection. */
#define LEAVE_NS (UINT64_C(300) * CELL_NS_PER_MS)
/* How long it has after its connection was cut. */
#define GRACE_NS (UINT64_C(1000) * CELL_NS_PER_MS)

void cell_server_say_goodbye(struct server_conn *conn)
{
    const struct cell_frame f = {.kind = CELL_FRAME_GOAWAY, .channel = conn->channel};
    cell_conn_send(conn->conn, &f, NULL, 0, 0, NULL);
}

static void dismiss_idle(struct cell_server *s, bool operations)
{
    for (struct server_conn *conn = s->conns, *next; conn; conn = next) {
        next = conn->next;
        if (!conn->polled)
            continue;
        if (conn->channel == CELL_CHANNEL_OPS && conn->state == CONN_OPEN && !operations)
            continue;
        if (conn->state == CONN_OPEN)
            cell_server_say_goodbye(conn);
        cell_server_conn_free(s, conn);
    }
}

/* What is still being served or waits to be; the operations channel does not keep a server alive. */
static uint32_t busy(const struct cell_server *s)
{
    uint32_t n = s->nremote;
    for (const struct server_conn *conn = s->conns; conn; conn = conn->next)
        n += !conn->polled && (conn->channel != CELL_CHANNEL_OPS || conn->state != CONN_OPEN);
    return n;
}

/* Waits until `done` holds; `lock` is held, but not while waiting. */
static bool wait_until(struct cell_server *s, bool (*done)(const struct cell_server *s), uint64_t deadline_ns)
{
    uint64_t now;
    while (!done(s) && (now = cell_now_ns()) < deadline_ns) {
        pthread_mutex_unlock(&s->lock);
        cell_server_poll(s, (int)((deadline_ns - now) / CELL_NS_PER_MS) + 1);
        pthread_mutex_lock(&s->lock);
        dismiss_idle(s, atomic_load(&s->hard_stop));
    }
    return done(s);
}

static bool nothing_busy(const struct cell_server *s) { return busy(s) == 0; }

int cell_server_drain(struct cell_server *s)
{
    atomic_store(&s->draining, true);
    cell_crowd_dissolve(s);
    pthread_mutex_lock(&s->lock);
    pthread_cond_broadcast(&s->work);
    dismiss_idle(s, false);
    wait_until(s, nothing_busy, cell_now_ns() + s->options.drain_ms * CELL_NS_PER_MS);
    atomic_store(&s->hard_stop, true);
    const uint64_t one = 1;
    ssize_t n = write(s->halt_fd, &one, sizeof(one));
    (void)n; /* whoever does not see it is cut off below */
    dismiss_idle(s, true);
    bool alone = wait_until(s, cell_server_is_alone, cell_now_ns() + LEAVE_NS);
    for (struct server_conn *conn = s->conns; conn; conn = conn->next)
        cell_conn_interrupt(conn->conn);
    alone = alone || wait_until(s, cell_server_is_alone, cell_now_ns() + GRACE_NS);
    uint32_t left = cell_server_left(s);
    pthread_mutex_unlock(&s->lock);
    if (!alone)
        return cell_error_set(&s->error, CELL_DEADLINE_EXCEEDED, "%s: %u calls did not end within %u ms", s->cell, left,
                              s->options.drain_ms);
    atomic_store(&s->hard_stop, false);
    return CELL_OK;
}
