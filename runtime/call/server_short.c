/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The server's side of short calls (short_call.c): while they come one after the other on a connection whose next call
 * this thread waits for, each is answered here. What the client waits for comes first: the reply is sent before the
 * place at the gate is given back and the context is emptied. Whatever is not as usual is left to
 * server_conn.c, before the handler ran, or with its result after it.
 *
 * Between two calls the place is kept, for the microseconds that the next one is waited for at most.
 */
#include <poll.h>
#include <string.h>

#include "base/ticks.h"
#include "server_parts.h"
#include "server_stream.h"
#include "wire/rules.h"

/* Ticks, between half a millisecond and some, after which it is noted again that the process is active. */
#define NOTE_TICKS (UINT64_C(1) << 21)

/* One call, as far as it has come. */
struct short_serving {
    struct cell_server *s;
    struct server_conn *conn;
    cell_ctx *c;
    const struct method_layouts *layouts;
    uint32_t method;
    uint64_t ticks; /* when it arrived, or up to two microseconds before */
    bool placed;    /* it has a place at the gate */
    struct cell_short out;
    void *outs[CELL_SHORT_STEPS];
};

static bool good_for_it(const struct cell_server *s, const struct server_conn *conn, const struct cell_conn_ops *ops,
                        const cell_ctx *c)
{
    return ops->recv_brief && conn->counted == ops && !conn->match && !conn->thread->counted && !conn->has_pending &&
           s->hooks.n == 0 && c->message.capacity <= CELL_KEPT_SCRATCH /* else the usual way gives it back */ &&
           !atomic_load_explicit(&s->draining, memory_order_relaxed);
}

/* Takes the request. False: it is for the usual way, wherever it is now. */
static bool take_request(struct short_serving *v, struct cell_received *received)
{
    const struct cell_server *s = v->s;
    const struct cell_frame *f = &received->frame;
    if (f->kind != CELL_FRAME_CALL || f->channel != v->conn->channel || f->meta_len ||
        (uint32_t)f->code >= s->schema->nmethods || f->length > s->options.max_message)
        return false;
    v->method = (uint32_t)f->code;
    v->layouts = s->layouts[v->method];
    if (s->lacks[v->method] || !v->layouts->in.short_size || !v->layouts->out.short_size ||
        received->message_len > CELL_SMALL_MESSAGE)
        return false;
    uint64_t *small = v->conn->small;
    if (received->message != (const uint8_t *)small) { /* it is the transport's until the handler looks for more */
        memmove(small, received->message, received->message_len); /* or lies there already, but not at the beginning */
        received->message = (const uint8_t *)small;
    }
    v->placed = v->placed || cell_gate_try_quietly(&v->conn->caller->gate);
    return v->placed && cell_short_take(&v->layouts->in, small, received->message_len);
}

static int run_handler(struct short_serving *v, const struct cell_frame *f)
{
    struct server_conn *conn = v->conn;
    conn->current_id = f->id;
    conn->hung_up = false;
    conn->origin.fd = cell_conn_fd(conn->conn);
    conn->origin.events = POLLIN | POLLRDHUP;
    cell_ctx_begin_handler_at(v->c, &conn->origin, v->ticks, f->timeout_ms);
    cell_short_places(&v->layouts->out, &v->out, v->outs);
    const struct cell_layout *in = &v->layouts->in;
    if (in->ruled) {
        struct cell_error e; /* set by whoever fails */
        if (cell_rules_check(in->fields, in->n, conn->small + 1, &e) < 0)
            return cell_fail(v->c, e.status, "%s: %s", v->s->methods[v->method]->name, e.text);
    }
    conn->placed_ticks = v->ticks;
    int code = v->s->methods[v->method]->invoke(v->c, conn->small + 1, v->outs);
    conn->placed_ticks = 0;
    if (conn->aside) {
        conn->aside = v->placed = false;
        cell_server_stream_over(v->s, conn->caller->uid);
    }
    return code;
}

static void count_done(struct tally *y, uint64_t bytes_out)
{
    cell_count_own(&y->bytes_out, bytes_out);
    cell_count_own(&y->done, 1);
}

static bool reply_at_once(struct short_serving *v, uint64_t id, int code, struct tally *y)
{
    const struct cell_conn_ops *ops = cell_conn_ops(v->conn->conn);
    const struct cell_layout *out = &v->layouts->out;
    const struct cell_frame f = {
        .length = out->short_size, .kind = CELL_FRAME_REPLY, .channel = v->conn->channel, .code = code, .id = id};
    if (code < 0 || v->c->meta.len || f.length > v->s->options.max_message)
        return false;
    uint8_t *place = ops->place(v->conn->conn, &f, out->size);
    if (!place || !cell_short_put(out, v->out.refs, place))
        return false;
    count_done(y, f.length); /* whoever has the reply may ask for it */
    ops->commit(v->conn->conn, place, &f, out->size, false);
    return true;
}

static void leave_gate(struct short_serving *v)
{
    struct gate_process *p = &v->conn->caller->gate;
    if (!v->placed)
        return;
    v->placed = false;
    atomic_store_explicit(&p->last_ns, cell_coarse_ns(), memory_order_relaxed);
    if (!cell_gate_leave_quietly(p))
        cell_server_resume(v->s, cell_gate_left(&v->s->gate, p, cell_ticks_ns(v->ticks), cell_now_ns()));
}

/* After a call: the place is kept for the next one, which often comes at once, unless somebody waits for places. */
static void keep_place(struct short_serving *v, uint64_t *noted)
{
    struct gate_process *p = &v->conn->caller->gate;
    if (cell_gate_is_watched(p)) {
        leave_gate(v);
    } else if (v->ticks - *noted > NOTE_TICKS) {
        atomic_store_explicit(&p->last_ns, cell_coarse_ns(), memory_order_relaxed);
        *noted = v->ticks;
    }
}

/* The handler's result by the usual way. False: the connection is over. */
static bool reply_usually(struct short_serving *v, uint64_t id, int code, struct tally *y)
{
    struct cell_server *s = v->s;
    const struct call_target target = {s->cell, s->methods[v->method], v->layouts, &s->hooks, NULL,
                                       NULL,    s->options.max_message};
    const struct cell_buffer *meta = NULL;
    code = cell_serve_result(v->c, &target, code, v->out.refs, &meta);
    if (code < 0)
        cell_server_count_error(&s->method_counters[v->method], code);
    count_done(y, cell_body_len(v->c));
    leave_gate(v);
    return cell_server_send_reply(v->conn, v->c, id, code, meta, cell_now_ns());
}

/* False: the connection is over. */
static bool serve_taken(struct short_serving *v, const struct cell_received *received, uint64_t *noted)
{
    uint64_t id = received->frame.id;
    struct tally *y = cell_server_tally(v->s, v->conn->thread, v->method, &v->s->method_counters[v->method]);
    bool good = true;
    cell_count_own(&y->calls, 1);
    cell_count_own(&y->bytes_in, received->message_len);
    int code = run_handler(v, &received->frame);
    if (reply_at_once(v, id, code, y))
        keep_place(v, noted);
    else
        good = reply_usually(v, id, code, y);
    cell_ctx_end_handler(v->c);
    return good;
}

CELL_HOT enum server_next cell_server_serve_short(struct cell_server *s, struct server_conn *conn, cell_ctx *c,
                                                  uint32_t most, struct short_calls *calls)
{
    const struct cell_conn_ops *ops = cell_conn_ops(conn->conn);
    struct short_serving v; /* not initialised as a whole: it is big */
    uint64_t noted = 0;
    v.s = s;
    v.conn = conn;
    v.c = c;
    v.placed = false;
    calls->served = 0;
    enum server_next next = NEXT_IDLE;
    while (calls->served < most && good_for_it(s, conn, ops, c)) {
        v.ticks = cell_ticks(); /* now, because then the client waits for it */
        if (!calls->arrived && !ops->recv_brief(conn->conn, &calls->received, conn->small))
            break;
        calls->arrived = true;
        if (atomic_load_explicit(&s->draining, memory_order_relaxed) || !take_request(&v, &calls->received))
            break;
        calls->arrived = false;
        calls->served++;
        if (!serve_taken(&v, &calls->received, &noted)) {
            next = NEXT_OVER;
            break;
        }
    }
    leave_gate(&v);
    return next;
}
