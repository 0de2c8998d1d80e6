/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A connection while a thread serves it. After a call the thread blocks in recv on this connection alone (it is
 * parked), so that a call costs one system call to receive and one to send, and no wake-up of another thread. When
 * nothing comes for a while the connection goes back to the poller; so it does at once when too many threads are parked
 * already.
 */
#include <poll.h>
#include <string.h>

#include "base/ticks.h"
#include "server_parts.h"
#include "server_stream.h"

#define ACTIVE_NS (UINT64_C(100) * CELL_NS_PER_MS)
/* So many such waits without a call, for connections that calls come on, and the poller has it. */
#define IDLE_WAITS 10u
/* Calls after which a parked connection makes room for one that wants to be. */
#define PARKED_CALLS 256u
#define SEND_NS (UINT64_C(30000) * CELL_NS_PER_MS)
/* A reply of this size fits into the socket, whose other end waits for it: it is not counted as memory. */
#define SMALL_REPLY (16u << 10)

/* ---- looking at the caller while its handler runs ---- */

static bool hang_up(struct server_conn *conn)
{
    conn->hung_up = true;
    cell_count(&conn->server->counters.cancelled, 1);
    return true;
}

/* With the next request here already, only the end can be seen: what the peer sends is read when its turn comes. */
static bool has_ended(const struct server_conn *conn)
{
    struct pollfd p = {.fd = cell_conn_fd(conn->conn), .events = POLLRDHUP};
    return poll(&p, 1, 0) > 0;
}

static bool caller_gone(struct ctx_origin *origin)
{
    struct server_conn *conn = (struct server_conn *)origin;
    struct cell_received received;
    const struct cell_frame *f = &received.frame;
    if (conn->hung_up || atomic_load(&conn->server->hard_stop))
        return true;
    while (!conn->has_pending && cell_conn_readable(conn->conn)) {
        if (conn->stream && cell_stream_keep(&conn->stream->base) < 0)
            return false;
        int r = cell_conn_recv(conn->conn, &received, 0, NULL);
        if (r == CELL_DEADLINE_EXCEEDED)
            return false; /* a part of a frame */
        if (r < 0)
            return hang_up(conn);
        if (f->kind == CELL_FRAME_CANCEL) {
            if (f->id == conn->current_id && f->channel == conn->channel)
                return hang_up(conn);
            continue;
        }
        conn->has_pending = true; /* to be served after this one */
        conn->pending = received;
        origin->events = POLLRDHUP;
    }
    return conn->has_pending && has_ended(conn) && hang_up(conn);
}

/* ---- standing aside ---- */

static bool stand_aside(struct ctx_origin *origin)
{
    struct server_conn *conn = (struct server_conn *)origin;
    struct cell_server *s = conn->server;
    if (conn->aside)
        return true;
    if (conn->stream) {
        cell_server_stream_aside(conn->stream);
        return true;
    }
    if (!(conn->placed_ns || conn->placed_ticks) || cell_server_count_stream(s, conn->caller->uid, NULL) < 0)
        return false;
    conn->aside = true;
    uint64_t entered_ns = conn->placed_ns ? conn->placed_ns : cell_ticks_ns(conn->placed_ticks);
    cell_server_resume(s, cell_gate_leave(&s->gate, &conn->caller->gate, entered_ns, 0));
    return true;
}

/* What answers the call has no more to do at the gate. */
static void leave_gate(struct cell_server *s, struct server_conn *conn)
{
    if (conn->aside)
        cell_server_stream_over(s, conn->caller->uid);
    else
        cell_server_resume(s, cell_gate_leave(&s->gate, &conn->caller->gate, conn->placed_ns, 0));
    conn->aside = false;
    conn->placed_ns = 0;
}

/* ---- replies ---- */

static int transmit(struct server_conn *conn, const struct cell_frame *f, const struct iovec *v, int n, uint64_t now_ns)
{
    if (!conn->thread) /* there is room: it does not block */
        return cell_conn_send(conn->conn, f, v, n, now_ns + SEND_NS, NULL);
    cell_server_waits(conn->server, conn->thread);
    /* Plain stores: who wants to know takes the server's lock, and so does whoever ends this connection. */
    atomic_store_explicit(&conn->thread->sending_ns, now_ns, memory_order_release);
    int r = cell_conn_send(conn->conn, f, v, n, now_ns + SEND_NS, NULL);
    atomic_store_explicit(&conn->thread->sending_ns, 0, memory_order_release);
    return r;
}

static int send_parts(struct server_conn *conn, cell_ctx *c, uint64_t id, int code, const struct cell_buffer *meta,
                      uint64_t now_ns)
{
    struct iovec v[CELL_BODY_PARTS];
    uint32_t meta_len;
    uint8_t pad[16];
    int n = cell_body_parts(c, meta, pad, v, &meta_len);
    const struct cell_frame f = {.length = meta_len + (uint32_t)cell_body_len(c),
                                 .kind = CELL_FRAME_REPLY,
                                 .channel = conn->channel,
                                 .meta_len = (uint16_t)meta_len,
                                 .code = code,
                                 .id = id};
    return transmit(conn, &f, v, n, f.length > SMALL_REPLY ? cell_now_ns() : now_ns);
}

/* The code of a reply that would be more than its caller's user may make the server hold. */
static int refuse_memory(struct server_conn *conn, cell_ctx *c, const struct cell_buffer **meta)
{
    struct cell_error e;
    cell_count(&conn->server->counters.memory_refused, 1);
    cell_error_set(&e, CELL_RESOURCE_EXHAUSTED, "what the connections of this user hold is at the limit of %zu bytes",
                   conn->conn->memory->limit);
    return cell_serve_refusal(c, &e, meta);
}

/* What is sent slowly is held for long: large replies count towards what the user may make the server hold, here or in
 * the transport. */
bool cell_server_send_reply(struct server_conn *conn, cell_ctx *c, uint64_t id, int code,
                            const struct cell_buffer *meta, uint64_t now_ns)
{
    struct cell_memory *memory = conn->conn->memory;
    size_t len = cell_body_len(c), large = len + (meta ? meta->len : 0) > SMALL_REPLY ? len : 0;
    bool counts = large && !cell_conn_ops(conn->conn)->counts_sent;
    if (counts && !cell_memory_take(memory, large)) {
        code = refuse_memory(conn, c, &meta);
        counts = false;
    }
    int r = send_parts(conn, c, id, code, meta, now_ns);
    if (counts)
        cell_memory_give(memory, large);
    if (r == CELL_RESOURCE_EXHAUSTED && memory) {
        code = refuse_memory(conn, c, &meta);
        r = send_parts(conn, c, id, code, meta, now_ns);
    }
    if (r < 0)
        cell_server_unheard(conn, id);
    return r >= 0;
}

/* A request that cannot be taken: answered, and the connection goes on. */
static int refuse_call(cell_ctx *c, int status, const char *text, const struct cell_buffer **meta)
{
    struct cell_error e;
    cell_error_set(&e, status, "%s", text);
    return cell_serve_refusal(c, &e, meta);
}

/* ---- parking ---- */

/* What one thread knows while it serves one connection. */
struct stay {
    bool parked;
    uint32_t calls, idle_waits;
    unsigned refused; /* server.parking_refused when it was parked */
};

static void leave_parking(struct cell_server *s, struct server_conn *conn, struct stay *stay)
{
    if (stay->parked)
        cell_parking_give(s, conn->caller);
    stay->parked = false;
}

/* ---- calls ---- */

static bool needs_place(const struct server_conn *conn, const struct cell_frame *f)
{
    if (conn->channel == CELL_CHANNEL_APP)
        return f->length <= conn->server->options.max_message;
    /* All but the schema are the cell's own code. */
    return conn->channel == CELL_CHANNEL_COMPILE && f->code != CELL_COMPILE_SCHEMA &&
           f->length <= CELL_MAX_COMPILE_REPLY;
}

/* True when the call may begin. Else the connection is the gate's, and perhaps already another thread's. */
static bool enter_gate(struct cell_server *s, struct server_conn *conn, const struct cell_received *received,
                       uint64_t now_ns)
{
    struct gate_waiter *admitted;
    conn->pending = *received;
    conn->has_pending = true;
    conn->arrived_ns = now_ns;
    bool entered = cell_gate_enter(&s->gate, &conn->caller->gate, &conn->waiter, now_ns, &admitted);
    if (entered)
        conn->has_pending = false;
    else
        cell_count(&s->counters.calls_waited, 1);
    cell_server_resume(s, admitted);
    return entered;
}

static int answer_app(struct cell_server *s, struct server_conn *conn, cell_ctx *c,
                      const struct cell_received *received, const struct cell_buffer **meta)
{
    const struct cell_frame *f = &received->frame;
    if (f->length > s->options.max_message)
        return refuse_call(c, CELL_TOO_LARGE, "the request is larger than the cell's limit", meta);
    return cell_server_answer(s, conn->match, conn->thread, c, (uint32_t)f->code, received->message,
                              received->message_len, meta);
}

static int answer_other(struct cell_server *s, struct server_conn *conn, cell_ctx *c,
                        const struct cell_received *received, const struct cell_buffer **meta)
{
    const struct cell_frame *f = &received->frame;
    uint32_t limit = conn->channel == CELL_CHANNEL_OPS ? CELL_MAX_OPS : CELL_MAX_COMPILE_REPLY;
    if (f->length > limit)
        return refuse_call(c, CELL_TOO_LARGE, "the request is larger than the channel's limit", meta);
    int code = conn->channel == CELL_CHANNEL_OPS
                   ? cell_server_ops(s, c, f->code, received->message, received->message_len)
                   : cell_server_compile(s, c, f->code, received->message, received->message_len);
    if (code < 0) {
        cell_body_reset(c);
        if (c->error.status != code)
            cell_fail(c, code, "%s", cell_status_text(code));
    }
    if (cell_ctx_reply_metadata(c, code, meta) < 0)
        *meta = NULL;
    return code;
}

static int answer(struct cell_server *s, struct server_conn *conn, cell_ctx *c, const struct cell_received *received,
                  bool waited, const struct cell_buffer **meta)
{
    const struct cell_frame *f = &received->frame;
    struct cell_error e; /* set by whoever fails */
    int code = f->meta_len ? cell_meta_check(received->meta, f->meta_len, &e) : CELL_OK;
    if (code >= 0 && f->meta_len && cell_ctx_receive_metadata(c, received->meta, f->meta_len, false, NULL) < 0)
        code = cell_error_set(&e, CELL_RESOURCE_EXHAUSTED, "no memory for the metadata");
    if (code < 0)
        return cell_serve_refusal(c, &e, meta);
    if (waited && c->deadline_ns != CELL_NO_DEADLINE && cell_now_ns() >= c->deadline_ns)
        return refuse_call(c, CELL_DEADLINE_EXCEEDED, "the deadline passed before its turn came", meta);
    return conn->channel == CELL_CHANNEL_APP ? answer_app(s, conn, c, received, meta)
                                             : answer_other(s, conn, c, received, meta);
}

static void begin_call(struct server_conn *conn, cell_ctx *c, const struct cell_frame *f, uint64_t now_ns)
{
    uint64_t deadline_ns = f->timeout_ms ? now_ns + f->timeout_ms * CELL_NS_PER_MS : CELL_NO_DEADLINE;
    conn->current_id = f->id;
    conn->hung_up = false;
    conn->origin.fd = cell_conn_fd(conn->conn);
    conn->origin.events = POLLIN | POLLRDHUP;
    cell_ctx_begin_handler(c, &conn->origin, deadline_ns);
}

/* A call with a stream; it has its place at the gate. */
static enum server_next serve_stream(struct cell_server *s, struct server_conn *conn, cell_ctx *c,
                                     const struct cell_received *received, bool waited, uint64_t now_ns)
{
    const struct cell_received call = *received;
    const struct cell_buffer *meta = NULL;
    struct server_stream stream;
    struct cell_error e; /* set by whoever fails */
    cell_server_waits(s, conn->thread);
    begin_call(conn, c, &call.frame, now_ns);
    conn->admitted = false;
    int code = cell_server_stream_begin(s, conn, c, &call.frame, waited ? conn->waiter.since_ns : now_ns, &stream, &e);
    code = code < 0 ? cell_serve_refusal(c, &e, &meta) : answer(s, conn, c, &call, waited, &meta);
    bool goes_on = cell_server_stream_finish(&stream, (uint32_t)(cell_body_len(c) + (meta ? meta->len : 0)));
    if (goes_on)
        goes_on = cell_server_send_reply(conn, c, call.frame.id, code, meta, cell_now_ns());
    cell_server_stream_end(s, conn, &stream);
    cell_ctx_end_handler(c);
    return goes_on ? NEXT_IDLE : NEXT_OVER;
}

/* The call has its place at the gate, if it needs one; `waited` for it. */
static enum server_next serve_call(struct cell_server *s, struct server_conn *conn, cell_ctx *c, struct stay *stay,
                                   const struct cell_received *received, bool waited, uint64_t now_ns)
{
    const struct cell_frame *f = &received->frame;
    const struct cell_buffer *meta = NULL;
    bool placed = needs_place(conn, f);
    conn->may_begin = placed && cell_later_may_begin(s, conn, f);
    if (placed && cell_server_streams(s, conn, f)) {
        leave_parking(s, conn, stay); /* for long: others may want to */
        return serve_stream(s, conn, c, received, waited, now_ns);
    }
    if (placed) /* the gate bounds these threads; who has a place must not wait for a turn as well */
        cell_server_waits(s, conn->thread);
    begin_call(conn, c, f, now_ns);
    if (placed)
        conn->placed_ns = waited ? conn->waiter.since_ns : now_ns;
    int code = answer(s, conn, c, received, waited, &meta);
    if (code < 0 && cell_server_records_follow(s, conn, f)) /* its client may have sent some before it knows */
        conn->over_id = f->id;
    /* Before the reply: whoever has that finds the memory of his request free, and can give it back. */
    if (f->length >= CELL_LARGE_REPLY && !conn->has_pending)
        cell_conn_release(conn->conn, false);
    if (placed) {
        conn->admitted = false;
        leave_gate(s, conn);
    }
    bool sent = cell_server_send_reply(conn, c, f->id, code, meta, waited ? cell_now_ns() : now_ns);
    cell_ctx_end_handler(c);
    return sent ? NEXT_IDLE : NEXT_OVER;
}

/* A frame of an open connection that is no call; false = the connection is over. */
static bool serve_other(struct cell_server *s, struct server_conn *conn, const struct cell_frame *f)
{
    struct cell_error e; /* set where it is used */
    if (f->channel != conn->channel)
        cell_error_set(&e, CELL_PROTOCOL_ERROR, "frame on channel %u of a connection for channel %u", f->channel,
                       conn->channel);
    else if (f->kind == CELL_FRAME_CANCEL) {
        cell_server_unheard(conn, f->id);
        return true; /* of a call that was answered meanwhile */
    } else if (conn->over_id && f->id == conn->over_id &&
               (f->kind == CELL_FRAME_RECORDS || f->kind == CELL_FRAME_END)) {
        conn->over_id = f->kind == CELL_FRAME_END ? 0 : conn->over_id;
        return true; /* its client did not know yet */
    } else
        cell_error_set(&e, CELL_PROTOCOL_ERROR, "frame kind %u between calls", f->kind);
    cell_count(&s->counters.protocol_errors, 1);
    cell_server_refuse(conn, &e);
    return false;
}

/* ---- how long a thread stays ---- */

static bool leaves(struct cell_server *s, const struct server_conn *conn)
{
    /* Who asks for the health of a server that drains shall hear so. */
    return atomic_load_explicit(&s->draining, memory_order_relaxed) &&
           (conn->channel != CELL_CHANNEL_OPS || atomic_load(&s->hard_stop));
}

/* After a call: how long to wait for the next one. */
static uint64_t wait_until(struct cell_server *s, struct server_conn *conn, struct stay *stay, uint64_t now_ns)
{
    if (stay->parked && ++stay->calls >= PARKED_CALLS) {
        stay->calls = 0;
        if (atomic_load_explicit(&s->parking_refused, memory_order_relaxed) != stay->refused) {
            leave_parking(s, conn, stay);
            return 0;
        }
    }
    stay->idle_waits = 0;
    if (!stay->parked) {
        stay->parked = cell_parking_take(s, conn->caller);
        if (stay->parked)
            cell_server_waits(s, conn->thread);
        stay->calls = 0;
        stay->refused = atomic_load_explicit(&s->parking_refused, memory_order_relaxed);
    }
    return stay->parked ? now_ns + ACTIVE_NS : 0;
}

/* No call came. Whoever is woken by the next one directly answers it sooner than by way of the poller. */
static bool wait_again(struct cell_server *s, const struct server_conn *conn, struct stay *stay)
{
    return stay->parked && conn->channel == CELL_CHANNEL_APP && ++stay->idle_waits < IDLE_WAITS &&
           atomic_load_explicit(&s->parking_refused, memory_order_relaxed) == stay->refused && !leaves(s, conn);
}

/* ---- frames ---- */

static enum server_next serve_frame(struct cell_server *s, struct server_conn *conn, cell_ctx *c, struct stay *stay,
                                    const struct cell_received *received, uint64_t now_ns)
{
    const struct cell_frame *f = &received->frame;
    if (conn->state != CONN_OPEN)
        return cell_server_handshake(s, conn, received) ? NEXT_IDLE : NEXT_OVER;
    if (f->kind != CELL_FRAME_CALL || f->channel != conn->channel || conn->over_id)
        return serve_other(s, conn, f) ? NEXT_IDLE : NEXT_OVER;
    if (needs_place(conn, f) && !cell_gate_try(&conn->caller->gate, now_ns)) {
        leave_parking(s, conn, stay);
        cell_server_waits(s, conn->thread);
        if (!enter_gate(s, conn, received, now_ns))
            return NEXT_AWAY;
    }
    return serve_call(s, conn, c, stay, received, false, now_ns);
}

/* Goes on with the call that waited at the gate. */
static enum server_next serve_admitted(struct cell_server *s, struct server_conn *conn, cell_ctx *c)
{
    const struct cell_received received = conn->pending;
    struct stay none = {0};
    conn->has_pending = false;
    if (!atomic_load(&s->hard_stop))
        return serve_call(s, conn, c, &none, &received, true, conn->arrived_ns);
    conn->admitted = false;
    cell_server_resume(s, cell_gate_leave(&s->gate, &conn->caller->gate, conn->waiter.since_ns, 0));
    cell_server_say_goodbye(conn);
    return NEXT_OVER;
}

static int next_frame(struct server_conn *conn, struct cell_received *received, uint64_t deadline_ns,
                      struct cell_error *e)
{
    if (!conn->has_pending)
        return cell_conn_recv(conn->conn, received, deadline_ns, e);
    conn->has_pending = false;
    *received = conn->pending;
    return CELL_OK;
}

/* A connection becomes shared memory while it receives. */
static void notice_carrier(struct cell_server *s, struct server_conn *conn)
{
    const struct cell_conn_ops *now = cell_conn_ops(conn->conn);
    if (!conn->counted || conn->counted == now)
        return;
    pthread_mutex_lock(&s->lock);
    cell_server_count_open(s, conn, now);
    pthread_mutex_unlock(&s->lock);
}

/* The next frame, unless the connection is to leave or to wait: then *next says so. */
static bool take_frame(struct cell_server *s, struct server_conn *conn, struct cell_received *received,
                       uint64_t deadline_ns, enum server_next *next)
{
    struct cell_error e; /* not initialised as a whole: its text is big */
    e.text[0] = '\0';
    /* Asked again afterwards: what arrives while the server drains is not begun any more. */
    int r = leaves(s, conn) ? CELL_OK : next_frame(conn, received, deadline_ns, &e);
    notice_carrier(s, conn);
    *next = r == CELL_DEADLINE_EXCEEDED ? NEXT_IDLE : NEXT_OVER;
    if (leaves(s, conn)) {
        *next = NEXT_OVER;
        cell_server_say_goodbye(conn);
        return false;
    }
    if (r == CELL_PROTOCOL_ERROR || r == CELL_TOO_LARGE || r == CELL_RESOURCE_EXHAUSTED) {
        cell_count(r == CELL_RESOURCE_EXHAUSTED ? &s->counters.memory_refused : &s->counters.protocol_errors, 1);
        cell_server_refuse(conn, &e);
    }
    return r >= 0;
}

/* The frame that arrived and those that come at once after it, for as long as they are short calls. True: there were
 * some, and calls->arrived tells whether there is another frame; *deadline_ns is for the next one. */
static bool serve_short(struct cell_server *s, struct server_conn *conn, cell_ctx *c, struct stay *stay,
                        struct short_calls *calls, uint64_t *deadline_ns, enum server_next *next)
{
    if (!stay->parked)
        return false;
    calls->arrived = true;
    *next = cell_server_serve_short(s, conn, c, PARKED_CALLS - stay->calls, calls);
    if (calls->served == 0)
        return false;
    stay->calls += calls->served - 1; /* wait_until counts the last one */
    *deadline_ns = wait_until(s, conn, stay, cell_now_ns());
    if (*next == NEXT_IDLE && calls->arrived && leaves(s, conn)) { /* as take_frame */
        *next = NEXT_OVER;
        cell_server_say_goodbye(conn);
    }
    return true;
}

enum server_next cell_server_greet(struct cell_server *s, struct server_conn *conn)
{
    struct cell_received received;
    enum server_next next;
    if (!take_frame(s, conn, &received, 0, &next))
        return next;
    return cell_server_handshake(s, conn, &received) ? NEXT_IDLE : NEXT_OVER;
}

CELL_HOT enum server_next cell_server_serve(struct cell_server *s, struct server_conn *conn, cell_ctx *c)
{
    struct short_calls calls;
    struct stay stay = {0};
    /* What the poller saw may be only the beginning of a frame: nobody waits for the rest here. */
    uint64_t deadline = 0;
    enum server_next next = NEXT_IDLE;
    bool admitted = conn->admitted, greeted = conn->greeted;
    conn->greeted = false;
    if (conn->later && !cell_later_serve(s, conn))
        return NEXT_OVER;
    if (admitted)
        next = serve_admitted(s, conn, c);
    if (next == NEXT_IDLE && (admitted || greeted))
        deadline = wait_until(s, conn, &stay, cell_now_ns());
    while (next == NEXT_IDLE) {
        if (!take_frame(s, conn, &calls.received, deadline, &next)) {
            if (next == NEXT_IDLE && wait_again(s, conn, &stay)) {
                deadline = cell_now_ns() + ACTIVE_NS;
                continue;
            }
            break;
        }
        if (serve_short(s, conn, c, &stay, &calls, &deadline, &next) && (next != NEXT_IDLE || !calls.arrived))
            continue;
        uint64_t now = cell_now_ns();
        next = serve_frame(s, conn, c, &stay, &calls.received, now);
        if (next == NEXT_AWAY)
            return next;
        deadline = conn->state == CONN_OPEN ? wait_until(s, conn, &stay, now) : 0;
        if (next == NEXT_IDLE && conn->may_begin && stay.parked && cell_crowd_wants(s, conn)) {
            leave_parking(s, conn, &stay);
            return NEXT_CROWD;
        }
    }
    leave_parking(s, conn, &stay);
    return next;
}

void cell_server_conn_init(struct cell_server *s, struct server_conn *conn)
{
    struct cell_peer peer;
    cell_conn_peer(conn->conn, &peer);
    conn->server = s;
    conn->origin.user = s->options.user;
    conn->origin.server = s;
    conn->origin.caller = (struct cell_caller){peer.uid, peer.gid, peer.pid, CELL_STR("")};
    conn->origin.gone = caller_gone;
    conn->origin.stand_aside = stand_aside;
    conn->origin.if_unheard = cell_server_if_unheard;
    conn->origin.fd = -1;
    conn->origin.conn = conn->conn;
    conn->conn->max_now = CELL_MAX_HELLO;
}
