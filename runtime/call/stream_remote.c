/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What carries a client's stream between two processes.
 *
 * A stream has a connection of its own from its call to its reply, so that whatever the context does besides goes on,
 * and a client that does not take its records holds up nothing else. After the reply the connection goes back to where
 * it came from; a stream that ends in another way takes it with it, which is also how the server learns of that. While
 * a client waits for room to put records it looks at what comes: the reply may be there before the records are over.
 */
#include <string.h>

#include "stream.h"

/* How long a handler's stream waits before it looks whether the handler's own caller is there. */
#define LOOK_NS (UINT64_C(50) * CELL_NS_PER_MS)

static struct client_stream *of(struct cell_stream *s) { return (struct client_stream *)s; }

/* Takes the connection from the stream, so that nobody interrupts it any more. NULL: it has none in this process. */
static struct client_conn *take_conn(cell_ctx *c, struct client_stream *s)
{
    pthread_mutex_lock(&c->lock);
    struct client_conn *conn = s->conn;
    s->conn = NULL;
    pthread_mutex_unlock(&c->lock);
    return conn && s->forks == s->call.client->forks ? conn : NULL;
}

void cell_stream_drop_remote(cell_ctx *c, struct client_stream *s)
{
    struct client_conn *conn = take_conn(c, s);
    if (!conn)
        return;
    if (!s->answered && s->base.error.status != CELL_CANCELLED)
        cell_send_cancel(conn->conn, s->id);
    cell_pool_close(s->call.client, conn);
}

static int check_alive(const struct client_stream *s, struct cell_error *e)
{
    if (atomic_load_explicit(&s->c->cancelled, memory_order_relaxed))
        return cell_error_set(e, CELL_CANCELLED, "%s: %s", s->base.method, cell_status_text(CELL_CANCELLED));
    if (!s->conn || s->forks != s->call.client->forks)
        return cell_error_set(e, CELL_UNAVAILABLE, "%s: the stream was opened by another process", s->base.method);
    return CELL_OK;
}

static int explain(const struct client_stream *s, int r, struct cell_error *e)
{
    if (r == CELL_DEADLINE_EXCEEDED || r == CELL_CANCELLED)
        return cell_error_set(e, r, "%s: %s", s->base.method, cell_status_text(r));
    if (r == CELL_UNAVAILABLE || r == CELL_IO_ERROR)
        cell_error_wrap(
            e, s->leaving ? "%s: the cell shut down before %s ended" : "%s: the connection was lost before %s ended",
            s->call.service->name, s->base.method);
    return r;
}

/* ---- the call ---- */

/* From the lease to the stream at once: whoever cancels finds it in one of them. */
static void take_lease(cell_ctx *c, struct client_stream *s, struct client_conn *conn)
{
    struct cell_client *client = s->call.client;
    cell_ctx_leave(c);
    pthread_mutex_lock(&c->lock);
    c->lease = NULL;
    atomic_fetch_sub(&client->leases, 1);
    s->conn = conn;
    s->forks = client->forks;
    pthread_mutex_unlock(&c->lock);
}

/* A reader's call on a connection that was idle can be made again when the server never took it. */
static void keep_request(const cell_ctx *c, struct client_stream *s)
{
    cell_buffer_append(&s->request, c->message.data, c->message.len);
    cell_buffer_append(&s->meta, c->meta.data, c->meta.len);
    if (!cell_buffer_ok(&s->request) || !cell_buffer_ok(&s->meta))
        cell_buffer_free(&s->request); /* then it is not made again */
}

static void forget_request(struct client_stream *s)
{
    cell_buffer_free(&s->request);
    cell_buffer_free(&s->meta);
}

/* Sends the call. The request stands in c->message. */
static int send_call(cell_ctx *c, struct client_stream *s, bool fresh, struct cell_error *e)
{
    for (;; fresh = true) {
        struct client_conn *conn;
        int r = cell_pool_take(c, &s->call, fresh, &conn, e);
        if (r < 0)
            return r;
        bool reused = !conn->fresh;
        take_lease(c, s, conn);
        if (atomic_load(&c->cancelled))
            return cell_error_set(e, CELL_CANCELLED, "%s", cell_status_text(CELL_CANCELLED));
        /* An idle connection has nothing to say but that it is over. Asked however recent its last call was. */
        r = reused && cell_conn_readable(conn->conn) ? cell_error_set(e, CELL_UNAVAILABLE, "closed")
                                                     : cell_send_call(c, &s->call, conn, e);
        if (r >= 0) {
            s->id = conn->next_id;
            s->base.max_message = conn->max_send;
            if (reused && !s->base.writes)
                keep_request(c, s);
            return CELL_OK;
        }
        conn = take_conn(c, s);
        if (r == CELL_TOO_LARGE)
            cell_pool_keep(c, s->call.client, conn);
        else
            cell_pool_close(s->call.client, conn);
        if (r != CELL_UNAVAILABLE || !reused || fresh)
            return r;
    }
}

int cell_stream_open_remote(cell_ctx *c, struct client_stream *s, struct cell_error *e)
{
    return send_call(c, s, false, e);
}

/* After the end of a connection on which nothing came: whether the call was made once more, on a new one. */
static bool call_again(cell_ctx *c, struct client_stream *s, int r, struct cell_error *e)
{
    struct cell_buffer message = c->message, meta = c->meta;
    bool lost = r == CELL_UNAVAILABLE || r == CELL_IO_ERROR;
    if (!lost || !s->request.len || s->leaving || !cell_conn_untaken(s->conn->conn))
        return false;
    cell_pool_close(s->call.client, take_conn(c, s));
    c->message = s->request;
    c->meta = s->meta;
    s->call.now_ns = cell_now_ns();
    bool again = send_call(c, s, true, e) == CELL_OK;
    c->message = message;
    c->meta = meta;
    forget_request(s);
    return again;
}

/* ---- steps ---- */

/* One frame that has arrived. 1: records; 0: the reply; 2: neither, and it was dealt with. */
static int take_frame(struct client_stream *s, const struct cell_received *received, struct cell_error *e)
{
    const struct cell_frame *f = &received->frame;
    bool ours = f->channel == CELL_CHANNEL_APP && f->id == s->id;
    if (ours && f->kind == CELL_FRAME_RECORDS && !s->base.writes)
        return 1;
    if (ours && f->kind == CELL_FRAME_REPLY) {
        s->reply = *received;
        s->answered = true;
        return 0;
    }
    if (f->kind == CELL_FRAME_GOAWAY && f->channel == CELL_CHANNEL_APP && !s->leaving) {
        s->leaving = true;
        return 2;
    }
    return cell_fail_unexpected(&s->call, received, s->id, e);
}

/* Waits for records (1) or the reply (0). */
static int wait_for_frame(struct client_stream *s, struct cell_received *received, struct cell_error *e)
{
    cell_ctx *c = s->c;
    uint32_t ignored;
    uint64_t before = c->deadline_ns;
    int r = 2;
    c->deadline_ns = cell_ctx_call_deadline(c, &ignored, cell_now_ns());
    while (r == 2) {
        r = cell_client_recv(c, s->conn, received, e);
        if (r >= 0)
            r = take_frame(s, received, e);
        else if (s->request.len && call_again(c, s, r, e))
            r = 2;
    }
    c->deadline_ns = before;
    if (s->request.len)
        forget_request(s);
    return r < 0 ? explain(s, r, e) : r;
}

static int receive(struct cell_stream *base, const uint8_t **message, size_t *len, struct cell_error *e)
{
    struct client_stream *s = of(base);
    struct cell_received received;
    int r = check_alive(s, e);
    if (r == CELL_OK)
        r = wait_for_frame(s, &received, e);
    if (r < 0)
        return cell_stream_failed(s->c, s, r, e);
    *message = received.message;
    *len = received.message_len;
    if (r == 0 && s->reply.frame.code < 0) /* the end says why */
        return cell_error_set(e, cell_status_normal(s->reply.frame.code), "%s failed", base->method);
    return r;
}

/* Until when to wait for room at once, and in all. */
static int next_wait(cell_ctx *c, uint64_t *deadline_ns, uint64_t *until_ns, struct cell_error *e)
{
    uint32_t ignored;
    uint64_t now = cell_now_ns();
    if (*deadline_ns == 0)
        *deadline_ns = cell_ctx_call_deadline(c, &ignored, now);
    if (c->origin && cell_ctx_cancelled(c))
        return cell_error_set(e, CELL_CANCELLED, "%s", cell_status_text(CELL_CANCELLED));
    if (now >= *deadline_ns)
        return cell_error_set(e, CELL_DEADLINE_EXCEEDED, "%s", cell_status_text(CELL_DEADLINE_EXCEEDED));
    *until_ns = c->origin && now + LOOK_NS < *deadline_ns ? now + LOOK_NS : *deadline_ns;
    return CELL_OK;
}

/* Waits until `length` bytes can be sent: 1; or the reply has come: 0. */
static int wait_for_room(struct client_stream *s, uint32_t length, struct cell_error *e)
{
    struct cell_conn *conn = s->conn->conn;
    struct cell_received received;
    uint64_t deadline_ns = 0, until_ns = 0;
    for (;;) {
        int r = cell_conn_room(conn, length, true, until_ns, e);
        if (r == 1)
            return 1;
        if (r == 0) {
            r = cell_conn_recv(conn, &received, 0, e);
            if (r >= 0)
                r = take_frame(s, &received, e);
            if (r == 0)
                return 0;
        }
        if (r == CELL_DEADLINE_EXCEEDED) {
            r = next_wait(s->c, &deadline_ns, &until_ns, e);
            e->status = r; /* a look that found no room is no error, which would hide what the reply says */
        }
        if (r < 0)
            return explain(s, r, e);
    }
}

static int send_frame(struct client_stream *s, uint8_t kind, const struct iovec *parts, int n, uint32_t length,
                      struct cell_error *e)
{
    const struct cell_frame f = {.length = length, .kind = kind, .channel = CELL_CHANNEL_APP, .id = s->id};
    uint32_t ignored;
    /* What is not larger than the room that there is does not wait. */
    uint64_t deadline_ns = length > CELL_ROOM_MAX ? cell_ctx_call_deadline(s->c, &ignored, cell_now_ns()) : 0;
    return cell_conn_send(s->conn->conn, &f, parts, n, deadline_ns, e);
}

static int send(struct cell_stream *base, const struct iovec *parts, int n, uint32_t length, struct cell_error *e)
{
    struct client_stream *s = of(base);
    int r = check_alive(s, e);
    if (r == CELL_OK)
        r = wait_for_room(s, length, e);
    if (r == 0)
        return cell_error_set(e, CELL_ABORTED, "%s: the cell answered before the records ended", base->method);
    if (r > 0) {
        r = send_frame(s, CELL_FRAME_RECORDS, parts, n, length, e);
        if (r < 0)
            explain(s, r, e);
    }
    return r < 0 ? cell_stream_failed(s->c, s, r, e) : r;
}

static bool lost(const struct cell_stream *base)
{
    const struct client_stream *s = (const struct client_stream *)base;
    return s->forks != s->call.client->forks;
}

static bool ready(struct cell_stream *base)
{
    const struct client_stream *s = (const struct client_stream *)base;
    return !s->conn || s->forks != s->call.client->forks || cell_conn_readable(s->conn->conn);
}

const struct stream_ops cell_stream_remote_ops = {send, receive, lost, ready};

/* ---- the end ---- */

/* The reply is there. Who answered before the records were over is told that there are none, if that needs no waiting;
 * else the connection ends. So it does after an error while putting: a server that did not know of a stream has not
 * expected records. */
static int take_reply(cell_ctx *c, struct client_stream *s, bool ended)
{
    const struct cell_received *reply = &s->reply;
    struct cell_client *client = s->call.client;
    int r = cell_take_reply(c, &s->call, reply->frame.code, reply->meta, reply->frame.meta_len, reply->message,
                            reply->message_len);
    bool clean = !s->leaving && !atomic_load(&c->cancelled) && !(s->base.writes && reply->frame.code < 0);
    if (clean && !ended)
        clean = cell_conn_room(s->conn->conn, 0, false, 0, NULL) == 1 &&
                send_frame(s, CELL_FRAME_END, NULL, 0, 0, NULL) == CELL_OK;
    struct client_conn *conn = take_conn(c, s);
    if (!conn)
        return r;
    if (reply->message_len >= CELL_LARGE_REPLY)
        cell_conn_release(conn->conn, false);
    conn->fresh = false;
    if (clean)
        cell_pool_keep(c, client, conn);
    else
        cell_pool_close(client, conn);
    cell_pool_answered(client);
    return r;
}

int cell_stream_end_remote(cell_ctx *c, struct client_stream *s, struct cell_error *e)
{
    struct cell_received received;
    bool ended = !s->base.writes;
    int r = CELL_OK;
    if (!s->answered && s->base.writes) {
        r = check_alive(s, e);
        if (r >= 0)
            r = wait_for_room(s, 0, e);
        if (r > 0) {
            r = send_frame(s, CELL_FRAME_END, NULL, 0, 0, e);
            ended = true;
            r = r < 0 ? explain(s, r, e) : wait_for_frame(s, &received, e);
        }
    }
    if (r < 0)
        return cell_stream_failed(c, s, r, e);
    return s->answered ? take_reply(c, s, ended) : CELL_OK; /* what it did not read is not wanted */
}
