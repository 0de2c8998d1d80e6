/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Calls that are answered later: begun by whoever receives for many connections, and ended by a thread of the cell's.
 * In between the connection belongs to the call, and nobody receives on it. What may block, sending a reply that has no
 * room and whatever `resume` does, is done by a thread, which has the connection then.
 */
#include <poll.h>
#include <stdlib.h>

#include "server_parts.h"

/* Larger requests take too long to be decoded by a thread that others wait for. */
#define MOST_REQUEST (16u << 10)
/* Kept for the next calls. */
#define MOST_FREE 64u

/* ---- memory ---- */

static struct cell_later *take_free(struct cell_server *s)
{
    struct server_crowd *w = &s->crowd;
    struct cell_later *l = w->free;
    if (l) {
        w->free = l->next;
        w->nfree--;
        return l;
    }
    l = calloc(1, sizeof(*l));
    if (l)
        l->c = cell_ctx_open_handler(0);
    if (l && !l->c) {
        free(l);
        l = NULL;
    }
    return l;
}

static void free_later(struct cell_later *l)
{
    cell_ctx_close(l->c);
    free(l);
}

/* The crowd's lock is held. */
static void give_free(struct cell_server *s, struct cell_later *l)
{
    struct server_crowd *w = &s->crowd;
    if (w->nfree >= MOST_FREE) {
        free_later(l);
        return;
    }
    l->next = w->free;
    w->free = l;
    w->nfree++;
}

void cell_laters_free(struct cell_server *s)
{
    for (struct cell_later *l = s->crowd.free, *next; l; l = next) {
        next = l->next;
        free_later(l);
    }
    s->crowd.free = NULL;
}

/* ---- beginning ---- */

bool cell_later_may_begin(const struct cell_server *s, const struct server_conn *conn, const struct cell_frame *f)
{
    const struct server_match *m = conn->match;
    uint32_t id = (uint32_t)f->code;
    return s->options.bound && s->options.bound->begin && m && !f->meta_len && f->length <= MOST_REQUEST &&
           f->length <= s->options.max_message && id < m->n && !m->methods[id].why && m->methods[id].bound &&
           !m->described[id].stream;
}

static bool is_for_it(const struct cell_server *s, const struct server_conn *conn, const struct cell_frame *f)
{
    return f->kind == CELL_FRAME_CALL && f->channel == conn->channel && f->channel == CELL_CHANNEL_APP &&
           !conn->over_id && s->hooks.n == 0 && cell_later_may_begin(s, conn, f) &&
           !atomic_load_explicit(&s->draining, memory_order_relaxed);
}

static void begin_context(struct cell_later *l, const struct cell_frame *f, uint64_t now_ns)
{
    struct server_conn *conn = l->conn;
    conn->current_id = f->id;
    conn->hung_up = false;
    conn->origin.fd = cell_conn_fd(conn->conn);
    conn->origin.events = POLLIN | POLLRDHUP;
    cell_ctx_begin_handler(l->c, &conn->origin,
                           f->timeout_ms ? now_ns + f->timeout_ms * CELL_NS_PER_MS : CELL_NO_DEADLINE);
}

static void leave_gate(struct cell_server *s, struct cell_later *l)
{
    cell_server_resume(s, cell_gate_leave(&s->gate, &l->conn->caller->gate, l->entered_ns, 0));
}

static void count_later(struct cell_server *s, int n)
{
    pthread_mutex_lock(&s->lock);
    s->nlater += (uint32_t)n;
    bool last = cell_server_is_alone(s) && s->abandoned;
    if (n < 0 && atomic_load_explicit(&s->draining, memory_order_relaxed))
        cell_server_wake(s);
    pthread_mutex_unlock(&s->lock);
    if (last)
        cell_server_delete(s);
}

static bool begin(struct cell_server *s, struct cell_later *l, const struct cell_received *received)
{
    const struct cell_bound_ops *ops = s->options.bound;
    const struct cell_method *method = l->target.method;
    begin_context(l, &received->frame, l->entered_ns);
    if (cell_serve_decode(l->c, &l->target, received->message, received->message_len, &l->in, &l->out, &l->refs) < 0)
        return false; /* a thread says why */
    void *bound = l->object->bound;
    cell_count(&l->counters->calls, 1);
    cell_count(&l->counters->bytes_in, received->message_len);
    count_later(s, 1);
    if (ops->begin(l->c, method, bound, l->in, l->out, l))
        return true;
    count_later(s, -1);
    atomic_fetch_sub_explicit(&l->counters->calls, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&l->counters->bytes_in, received->message_len, memory_order_relaxed);
    return false;
}

bool cell_later_begin(struct cell_server *s, struct server_conn *conn, const struct cell_received *received)
{
    struct server_match *m = conn->match;
    uint32_t id = (uint32_t)received->frame.code;
    uint64_t now = cell_now_ns();
    if (!is_for_it(s, conn, &received->frame) || !cell_gate_try(&conn->caller->gate, now))
        return false;
    struct cell_later *l = take_free(s);
    const struct method_layouts *layouts = NULL;
    if (l) {
        l->server = s;
        l->conn = conn;
        l->entered_ns = now;
        l->resumes = false;
    }
    if (l && cell_bound_try(m, id, &layouts, &l->counters, &l->object)) {
        l->target =
            (struct call_target){s->cell, &m->described[id], layouts, &s->hooks, NULL, NULL, s->options.max_message};
        if (begin(s, l, received))
            return true;
        cell_ctx_end_handler(l->c);
        cell_bound_release(s, m, l->object);
    }
    cell_server_resume(s, cell_gate_leave(&s->gate, &conn->caller->gate, now, 0));
    if (l)
        give_free(s, l);
    return false;
}

/* ---- ending ---- */

/* The call's result, sent or not, was counted; everything but the connection is given back. */
static void end(struct cell_server *s, struct cell_later *l)
{
    cell_ctx_end_handler(l->c);
    cell_bound_release(s, l->conn->match, l->object);
    pthread_mutex_lock(&s->crowd.lock);
    give_free(s, l);
    pthread_mutex_unlock(&s->crowd.lock);
}

/* The reply is encoded; its length. */
static size_t encode(struct cell_later *l, int result, const struct cell_buffer **meta)
{
    struct cell_server *s = l->server;
    l->code = cell_serve_result(l->c, &l->target, result, l->refs, meta);
    if (l->code < 0)
        cell_server_count_error(l->counters, l->code);
    cell_count(&l->counters->bytes_out, cell_body_len(l->c));
    cell_count(&l->counters->done, 1);
    leave_gate(s, l);
    return cell_body_len(l->c) + (*meta ? (*meta)->len : 0);
}

static void hand_to_thread(struct cell_later *l)
{
    struct cell_server *s = l->server;
    cell_crowd_leave(s, l->conn);
    pthread_mutex_lock(&s->lock);
    l->conn->later = l;
    cell_server_dispatch(s, l->conn);
    pthread_mutex_unlock(&s->lock);
}

static bool fits(struct server_conn *conn, size_t length)
{
    return length <= CELL_ROOM_MAX - CELL_FRAME_HEADER &&
           cell_conn_room(conn->conn, (uint32_t)length, false, 0, NULL) == 1;
}

void cell_later_finish(struct cell_later *l, int result)
{
    struct cell_server *s = l->server;
    struct server_conn *conn = l->conn;
    const struct cell_buffer *meta = NULL;
    size_t length = encode(l, result, &meta);
    if (!fits(conn, length)) {
        hand_to_thread(l);
        return;
    }
    bool goes_on = cell_server_send_reply(conn, l->c, conn->current_id, l->code, meta, cell_now_ns());
    end(s, l);
    if (goes_on) {
        cell_crowd_join(s, conn);
    } else {
        cell_crowd_leave(s, conn);
        pthread_mutex_lock(&s->lock);
        cell_server_conn_free(s, conn);
        pthread_mutex_unlock(&s->lock);
    }
    count_later(s, -1);
}

void cell_later_resume(struct cell_later *l, void *state)
{
    l->state = state;
    l->resumes = true;
    hand_to_thread(l);
}

/* By a thread, which has the connection. */
bool cell_later_serve(struct cell_server *s, struct server_conn *conn)
{
    struct cell_later *l = conn->later;
    const struct cell_buffer *meta = NULL;
    conn->later = NULL;
    cell_server_waits(s, conn->thread); /* it has its place at the gate */
    if (l->resumes) {
        int r = s->options.bound->resume(l->c, l->target.method, l->object->bound, l->in, l->out, l->state);
        encode(l, r, &meta);
    } else if (cell_ctx_reply_metadata(l->c, l->code, &meta) < 0) {
        meta = NULL;
    }
    bool goes_on = cell_server_send_reply(conn, l->c, conn->current_id, l->code, meta, cell_now_ns());
    end(s, l);
    count_later(s, -1);
    return goes_on;
}
