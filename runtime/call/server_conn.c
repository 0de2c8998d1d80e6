/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A connection while a thread serves it. The thread blocks in recv on this connection alone, so that a call costs one
 * system call to receive and one to send, and no wake-up of another thread. When nothing comes for a while the
 * connection goes back to the poller.
 */
#include <poll.h>
#include <string.h>

#include "server_parts.h"

#define ACTIVE_NS (UINT64_C(100) * CELL_NS_PER_MS)
#define SEND_NS (UINT64_C(30000) * CELL_NS_PER_MS)
/* A reply of this size fits into the socket, whose other end waits for it. */
#define SMALL_REPLY (16u << 10)

void cell_server_say_goodbye(struct server_conn *conn)
{
    const struct cell_frame f = {.kind = CELL_FRAME_GOAWAY, .channel = conn->channel};
    cell_conn_send(conn->conn, &f, NULL, 0, 0, NULL);
}

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

/* ---- replies ---- */

static bool send_reply(struct server_conn *conn, cell_ctx *c, uint64_t id, int code, const struct cell_buffer *meta,
                       uint64_t now_ns)
{
    struct iovec v[2];
    int n = 0;
    size_t meta_len = meta ? meta->len : 0;
    if (meta_len)
        v[n++] = (struct iovec){meta->data, meta_len};
    if (c->message.len)
        v[n++] = (struct iovec){c->message.data, c->message.len};
    const struct cell_frame f = {.length = (uint32_t)(meta_len + c->message.len),
                                 .kind = CELL_FRAME_REPLY,
                                 .channel = conn->channel,
                                 .meta_len = (uint16_t)meta_len,
                                 .code = code,
                                 .id = id};
    if (f.length > SMALL_REPLY)
        now_ns = cell_now_ns();
    return cell_conn_send(conn->conn, &f, v, n, now_ns + SEND_NS, NULL) >= 0;
}

/* A request that cannot be taken: answered, and the connection goes on. */
static int refuse_call(cell_ctx *c, int status, const char *text, const struct cell_buffer **meta)
{
    struct cell_error e;
    cell_error_set(&e, status, "%s", text);
    return cell_serve_refusal(c, &e, meta);
}

/* ---- calls ---- */

static int answer_app(struct cell_server *s, struct server_conn *conn, cell_ctx *c,
                      const struct cell_received *received, const struct cell_buffer **meta)
{
    const struct cell_frame *f = &received->frame;
    bool waited;
    if (f->length > s->options.max_message)
        return refuse_call(c, CELL_TOO_LARGE, "the request is larger than the cell's limit", meta);
    bool admitted = cell_gate_enter(&s->gate, c->deadline_ns, &waited);
    if (waited)
        cell_count(&s->counters.calls_waited, 1);
    if (!admitted)
        return refuse_call(c, CELL_DEADLINE_EXCEEDED, "the deadline passed before a thread was free", meta);
    int code = cell_server_answer(s, conn->match, c, (uint32_t)f->code, received->message, received->message_len, meta);
    cell_gate_leave(&s->gate);
    return code;
}

static int answer_other(struct cell_server *s, struct server_conn *conn, cell_ctx *c,
                        const struct cell_received *received, const struct cell_buffer **meta)
{
    const struct cell_frame *f = &received->frame;
    bool waited, expands = conn->channel == CELL_CHANNEL_COMPILE && f->code == CELL_COMPILE_EXPAND;
    uint32_t limit = conn->channel == CELL_CHANNEL_OPS ? CELL_MAX_OPS_REPLY : CELL_MAX_COMPILE_REPLY;
    if (f->length > limit)
        return refuse_call(c, CELL_TOO_LARGE, "the request is larger than the channel's limit", meta);
    if (expands && !cell_gate_enter(&s->gate, c->deadline_ns, &waited))
        return refuse_call(c, CELL_DEADLINE_EXCEEDED, "the deadline passed before a thread was free", meta);
    int code = conn->channel == CELL_CHANNEL_OPS
                   ? cell_server_ops(s, c, f->code)
                   : cell_server_compile(s, c, f->code, received->message, received->message_len);
    if (expands)
        cell_gate_leave(&s->gate);
    if (code < 0) {
        cell_scratch_reset(&c->message);
        if (c->error.status != code)
            cell_fail(c, code, "%s", cell_status_text(code));
    }
    if (cell_ctx_reply_metadata(c, code, meta) < 0)
        *meta = NULL;
    return code;
}

static bool serve_call(struct cell_server *s, struct server_conn *conn, cell_ctx *c,
                       const struct cell_received *received, uint64_t now_ns)
{
    const struct cell_frame *f = &received->frame;
    const struct cell_buffer *meta = NULL;
    struct cell_error e; /* set by whoever fails */
    int code = f->meta_len ? cell_meta_check(received->meta, f->meta_len, &e) : CELL_OK;
    conn->current_id = f->id;
    conn->hung_up = false;
    conn->origin.fd = cell_conn_fd(conn->conn);
    conn->origin.events = POLLIN | POLLRDHUP;
    cell_ctx_begin_handler(c, &conn->origin,
                           f->timeout_ms ? now_ns + f->timeout_ms * CELL_NS_PER_MS : CELL_NO_DEADLINE);
    if (code >= 0 && f->meta_len && cell_ctx_receive_metadata(c, received->meta, f->meta_len, false, NULL) < 0)
        code = cell_error_set(&e, CELL_RESOURCE_EXHAUSTED, "no memory for the metadata");
    if (code < 0)
        code = cell_serve_refusal(c, &e, &meta);
    else if (conn->channel == CELL_CHANNEL_APP)
        code = answer_app(s, conn, c, received, &meta);
    else
        code = answer_other(s, conn, c, received, &meta);
    bool sent = send_reply(conn, c, f->id, code, meta, now_ns);
    cell_ctx_end_handler(c);
    return sent;
}

/* One frame of an open connection; false = the connection is over. */
static bool serve_frame(struct cell_server *s, struct server_conn *conn, cell_ctx *c,
                        const struct cell_received *received, uint64_t now_ns)
{
    const struct cell_frame *f = &received->frame;
    struct cell_error e; /* set where it is used */
    if (f->channel != conn->channel)
        cell_error_set(&e, CELL_PROTOCOL_ERROR, "frame on channel %u of a connection for channel %u", f->channel,
                       conn->channel);
    else if (f->kind == CELL_FRAME_CALL)
        return serve_call(s, conn, c, received, now_ns);
    else if (f->kind == CELL_FRAME_CANCEL)
        return true; /* of a call that was answered meanwhile */
    else
        cell_error_set(&e, CELL_PROTOCOL_ERROR, "frame kind %u between calls", f->kind);
    cell_count(&s->counters.protocol_errors, 1);
    cell_server_refuse(conn, &e);
    return false;
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

static bool leaves(struct cell_server *s, const struct server_conn *conn)
{
    /* Who asks for the health of a server that drains shall hear so. */
    return atomic_load_explicit(&s->draining, memory_order_relaxed) &&
           (conn->channel != CELL_CHANNEL_OPS || atomic_load(&s->hard_stop));
}

bool cell_server_serve(struct cell_server *s, struct server_conn *conn, cell_ctx *c)
{
    struct cell_error e; /* not initialised as a whole: its text is big */
    struct cell_received received;
    uint64_t deadline =
        0; /* what the poller saw may be only the beginning of a frame: nobody waits for the rest here */
    for (;;) {
        e.text[0] = '\0';
        /* Asked again afterwards: what arrives while the server drains is not begun any more. */
        int r = leaves(s, conn) ? CELL_OK : next_frame(conn, &received, deadline, &e);
        if (leaves(s, conn)) {
            cell_server_say_goodbye(conn);
            return false;
        }
        if (r == CELL_DEADLINE_EXCEEDED)
            return true;
        if (r == CELL_PROTOCOL_ERROR || r == CELL_TOO_LARGE) {
            cell_count(&s->counters.protocol_errors, 1);
            cell_server_refuse(conn, &e);
        }
        if (r < 0)
            return false;
        uint64_t now = cell_now_ns();
        bool going_on = conn->state == CONN_OPEN ? serve_frame(s, conn, c, &received, now)
                                                 : cell_server_handshake(s, conn, &received);
        if (!going_on)
            return false;
        deadline = conn->state == CONN_OPEN ? now + ACTIVE_NS : 0;
    }
}

void cell_server_conn_init(struct cell_server *s, struct server_conn *conn)
{
    struct cell_peer peer;
    cell_conn_peer(conn->conn, &peer);
    conn->server = s;
    conn->origin.user = s->options.user;
    conn->origin.caller = (struct cell_caller){peer.uid, peer.gid, peer.pid, CELL_STR("")};
    conn->origin.gone = caller_gone;
    conn->origin.fd = -1;
}
