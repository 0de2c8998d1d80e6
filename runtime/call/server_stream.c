/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The server's end of a stream, while its handler runs. The handler has a thread for as long as that takes, but a place
 * at the gate only while it does not wait for the client: it leaves its place before it blocks in put or next, and
 * takes one again, in its turn, before it goes on. So clients that do not read cost a thread each, of max_streams, and
 * no other call has to wait for them. What lies between the two sides is the transport's: nothing is kept here.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "server_parts.h"
#include "server_stream.h"

/* How long one wait for room takes before it is looked who else wants something. */
#define SLICE_NS (UINT64_C(100) * CELL_NS_PER_MS)
/* After that the thread waits in poll, which takes longer to wake and costs nothing meanwhile. */
#define AWAKE_NS (UINT64_C(50) * CELL_NS_PER_MS)
#define SEND_NS (UINT64_C(30000) * CELL_NS_PER_MS)

static struct server_stream *of(struct cell_stream *s) { return (struct server_stream *)s; }

/* ---- the gate ---- */

static void leave_gate(struct server_stream *t)
{
    struct server_conn *conn = t->conn;
    if (!t->placed || t->done)
        return;
    t->placed = false;
    cell_server_resume(conn->server,
                       cell_gate_leave(&conn->server->gate, &conn->caller->gate, t->entered_ns, cell_now_ns()));
}

static void enter_gate(struct server_stream *t)
{
    struct server_conn *conn = t->conn;
    struct gate_waiter *admitted;
    if (t->placed || t->done)
        return;
    t->placed = true;
    t->entered_ns = cell_now_ns();
    if (cell_gate_try(&conn->caller->gate, t->entered_ns))
        return;
    bool entered = cell_gate_enter(&conn->server->gate, &conn->caller->gate, &conn->waiter, t->entered_ns, &admitted);
    cell_server_resume(conn->server, admitted);
    if (entered)
        return;
    while (sem_wait(&t->turn) < 0 && errno == EINTR)
        continue;
    t->entered_ns = conn->waiter.since_ns;
}

void cell_server_stream_aside(struct server_stream *t) { leave_gate(t); }

/* ---- what ends a step ---- */

static int fail_cancelled(struct cell_error *e)
{
    return cell_error_set(e, CELL_CANCELLED, "%s", cell_status_text(CELL_CANCELLED));
}

/* Whether nobody waits for more, without looking at the connection. */
static int check_wanted(const struct server_stream *t, struct cell_error *e)
{
    if (t->conn->hung_up || atomic_load_explicit(&t->conn->server->hard_stop, memory_order_relaxed) ||
        atomic_load_explicit(&t->c->cancelled, memory_order_relaxed))
        return fail_cancelled(e);
    if (t->c->deadline_ns != CELL_NO_DEADLINE && cell_now_ns() >= t->c->deadline_ns)
        return cell_error_set(e, CELL_DEADLINE_EXCEEDED, "%s", cell_status_text(CELL_DEADLINE_EXCEEDED));
    return CELL_OK;
}

static int fail_gone(struct server_stream *t, int r, struct cell_error *e)
{
    t->conn->hung_up = true;
    cell_count(&t->conn->server->counters.cancelled, 1);
    if (r == CELL_PROTOCOL_ERROR || r == CELL_TOO_LARGE || r == CELL_RESOURCE_EXHAUSTED) {
        t->broken = true;
        return r;
    }
    return fail_cancelled(e);
}

static uint64_t slice_end(const struct server_stream *t)
{
    uint64_t end = cell_now_ns() + SLICE_NS;
    return end < t->c->deadline_ns ? end : t->c->deadline_ns;
}

/* ---- putting ---- */

/* One look, or one wait, for room. 1: there is; 0: look again. */
static int room_once(struct server_stream *t, uint32_t length, uint64_t until_ns, struct cell_error *e)
{
    struct server_conn *conn = t->conn;
    int r = cell_conn_room(conn->conn, length, !conn->has_pending, until_ns, e);
    if (r == CELL_DEADLINE_EXCEEDED)
        return 0;
    if (r == 0 && conn->origin.gone(&conn->origin)) /* takes what has come */
        return fail_cancelled(e);
    return r < 0 ? fail_gone(t, r, e) : r;
}

static int wait_for_room(struct server_stream *t, uint32_t length, struct cell_error *e)
{
    int r = check_wanted(t, e);
    if (r == CELL_OK)
        r = room_once(t, length, 0, e);
    if (r != 0)
        return r;
    uint64_t since_ns = cell_now_ns();
    leave_gate(t);
    while (r == 0) {
        r = room_once(t, length, slice_end(t), e);
        if (r == 0)
            r = cell_stream_check_wait(&t->base, since_ns, e);
        int wanted = r == 0 ? check_wanted(t, e) : CELL_OK;
        r = wanted < 0 ? wanted : r;
    }
    enter_gate(t);
    return r;
}

static int send(struct cell_stream *base, const struct iovec *parts, int n, uint32_t length, struct cell_error *e)
{
    struct server_stream *t = of(base);
    const struct cell_frame f = {
        .length = length, .kind = CELL_FRAME_RECORDS, .channel = t->conn->channel, .id = t->id};
    int r = wait_for_room(t, length, e);
    if (r < 0)
        return r;
    /* What is not larger than the room that there is does not wait. */
    bool large = length > CELL_ROOM_MAX;
    if (large)
        leave_gate(t);
    r = cell_conn_send(t->conn->conn, &f, parts, n, large ? cell_now_ns() + SEND_NS : 0, e);
    enter_gate(t);
    if (r == CELL_RESOURCE_EXHAUSTED) {
        cell_count(&t->conn->server->counters.memory_refused, 1);
        return r;
    }
    return r < 0 ? fail_gone(t, r, e) : CELL_OK;
}

/* ---- taking ---- */

/* In poll: until the connection has something to say, or the server stops. */
static int sleep_until_readable(struct server_stream *t, struct cell_error *e)
{
    struct cell_conn *conn = t->conn->conn;
    struct pollfd p[] = {{.fd = cell_conn_fd(conn), .events = POLLIN | POLLRDHUP},
                         {.fd = t->conn->server->halt_fd, .events = POLLIN}};
    while (!cell_conn_readable(conn)) {
        int r = check_wanted(t, e), timeout = -1;
        if (r < 0)
            return r;
        if (t->c->deadline_ns != CELL_NO_DEADLINE) {
            uint64_t now = cell_now_ns(), left = t->c->deadline_ns > now ? t->c->deadline_ns - now : 0;
            timeout = left / CELL_NS_PER_MS < INT32_MAX ? (int)(left / CELL_NS_PER_MS) + 1 : INT32_MAX;
        }
        poll(p, 2, timeout);
    }
    return CELL_OK;
}

static int wait_for_frame(struct server_stream *t, struct cell_received *received, struct cell_error *e)
{
    struct server_conn *conn = t->conn;
    uint64_t until = cell_now_ns() + AWAKE_NS;
    int r = cell_conn_recv(conn->conn, received, until < t->c->deadline_ns ? until : t->c->deadline_ns, e);
    while (r == CELL_DEADLINE_EXCEEDED) {
        r = sleep_until_readable(t, e);
        if (r < 0)
            return r;
        r = cell_conn_recv(conn->conn, received, 0, e);
    }
    return r < 0 ? fail_gone(t, r, e) : r;
}

static int next_frame(struct server_stream *t, struct cell_received *received, struct cell_error *e)
{
    struct server_conn *conn = t->conn;
    int r = check_wanted(t, e);
    if (r < 0)
        return r;
    if (conn->has_pending) {
        *received = conn->pending;
        conn->has_pending = false;
        conn->origin.events = POLLIN | POLLRDHUP;
        return CELL_OK;
    }
    if (cell_conn_room(conn->conn, 0, true, 0, NULL) == 0) { /* there is something, and so nothing to wait for */
        r = cell_conn_recv(conn->conn, received, 0, e);
        if (r != CELL_DEADLINE_EXCEEDED)
            return r < 0 ? fail_gone(t, r, e) : r;
    }
    leave_gate(t);
    r = wait_for_frame(t, received, e);
    enter_gate(t);
    return r;
}

static int fail_frame(struct server_stream *t, const struct cell_frame *f, struct cell_error *e)
{
    t->broken = true;
    return cell_error_set(e, CELL_PROTOCOL_ERROR, "frame kind %u for call %llu in the stream of call %llu", f->kind,
                          (unsigned long long)f->id, (unsigned long long)t->id);
}

static int receive(struct cell_stream *base, const uint8_t **message, size_t *len, struct cell_error *e)
{
    struct server_stream *t = of(base);
    struct cell_received received;
    const struct cell_frame *f = &received.frame;
    for (;;) {
        int r = next_frame(t, &received, e);
        if (r < 0)
            return r;
        bool ours = f->channel == t->conn->channel && f->id == t->id;
        if (f->kind == CELL_FRAME_CANCEL && f->channel == t->conn->channel) {
            if (!ours)
                continue;
            t->conn->hung_up = true;
            cell_count(&t->conn->server->counters.cancelled, 1);
            return fail_cancelled(e);
        }
        if (!ours || (f->kind != CELL_FRAME_RECORDS && f->kind != CELL_FRAME_END))
            return fail_frame(t, f, e);
        t->ended = f->kind == CELL_FRAME_END;
        *message = received.message;
        *len = received.message_len;
        return !t->ended;
    }
}

static bool ready(struct cell_stream *base)
{
    struct server_stream *t = of(base);
    return t->conn->hung_up || t->conn->has_pending || cell_conn_readable(t->conn->conn);
}

static const struct stream_ops server_ops = {send, receive, NULL, ready};

/* ---- life ---- */

bool cell_server_streams(const struct cell_server *s, const struct server_conn *conn, const struct cell_frame *f)
{
    if (conn->channel != CELL_CHANNEL_APP || !(s->has_streams || (conn->match && conn->match->has_streams)))
        return false;
    const struct cell_method *m = cell_server_method(s, conn->match, (uint32_t)f->code);
    return m && m->stream;
}

bool cell_server_records_follow(const struct cell_server *s, const struct server_conn *conn, const struct cell_frame *f)
{
    uint32_t id = (uint32_t)f->code;
    if (conn->channel != CELL_CHANNEL_APP)
        return false;
    if (conn->match)
        return id < conn->match->n && conn->match->methods[id].puts;
    const struct cell_method *m = id < s->schema->nmethods ? s->methods[id] : NULL;
    return m && m->stream && m->flags & CELL_METHOD_WRITES;
}

int cell_server_count_stream(struct cell_server *s, struct caller_uid *u, struct cell_error *e)
{
    uint32_t most = s->options.max_streams, of_user = most;
    if (u->uid != 0 && u->uid != geteuid())
        of_user = most > 3 ? most / 4 * 3 : most;
    pthread_mutex_lock(&s->lock);
    bool all = s->nstreams + s->nremote_streams >= most, users = u->nstreams >= of_user;
    if (!all && !users) {
        s->nstreams++;
        u->nstreams++;
    }
    pthread_mutex_unlock(&s->lock);
    if (all || users)
        return cell_error_set(e, CELL_RESOURCE_EXHAUSTED, "%s: %u streams %srun already", s->cell,
                              users ? of_user : most, users && !all ? "of this user " : "");
    return CELL_OK;
}

void cell_server_stream_over(struct cell_server *s, struct caller_uid *u)
{
    pthread_mutex_lock(&s->lock);
    s->nstreams--;
    u->nstreams--;
    pthread_mutex_unlock(&s->lock);
}

static int count_in(struct cell_server *s, struct server_conn *conn, struct server_stream *t, struct cell_error *e)
{
    int r = cell_server_count_stream(s, conn->caller->uid, e);
    if (r < 0)
        return r;
    pthread_mutex_lock(&s->lock);
    conn->stream = t;
    pthread_mutex_unlock(&s->lock);
    return CELL_OK;
}

int cell_server_stream_begin(struct cell_server *s, struct server_conn *conn, cell_ctx *c, const struct cell_frame *f,
                             uint64_t entered_ns, struct server_stream *t, struct cell_error *e)
{
    const struct cell_method *m = cell_server_method(s, conn->match, (uint32_t)f->code);
    cell_stream_init(&t->base, &server_ops, m, !(m->flags & CELL_METHOD_WRITES), CELL_MAX_MESSAGE, c->arena.limit);
    t->base.handler = c;
    t->conn = conn;
    t->c = c;
    t->id = f->id;
    t->entered_ns = entered_ns;
    t->placed = true;
    t->ended = t->broken = t->done = false;
    sem_init(&t->turn, 0, 0);
    c->stream = &t->base;
    return count_in(s, conn, t, e);
}

/* So that neither side waits for the other: a large reply is not sent while the client may be putting. */
static void drop_records(struct server_stream *t)
{
    const uint8_t *message;
    struct cell_error e;
    size_t len;
    while (receive(&t->base, &message, &len, &e) > 0)
        continue;
}

/* What comes while a reply waits: a CANCEL means nothing any more, and the next request is kept. Negative: the end. */
static int keep_request(struct server_conn *conn)
{
    struct cell_received received;
    int r = cell_conn_recv(conn->conn, &received, 0, NULL);
    if (r >= 0 && received.frame.kind != CELL_FRAME_CANCEL) {
        conn->pending = received;
        conn->has_pending = true;
    }
    return r == CELL_DEADLINE_EXCEEDED || r >= 0 ? 0 : r;
}

/* The client may be slow to take what was put before. It may have cancelled, too, and go on reading. */
static bool wait_to_reply(struct server_stream *t, uint32_t length)
{
    struct server_conn *conn = t->conn;
    for (;;) {
        int r = cell_conn_room(conn->conn, length, !conn->has_pending, cell_now_ns() + SLICE_NS, NULL);
        if (r == 1)
            return true;
        if (r == 0)
            r = keep_request(conn);
        if ((r < 0 && r != CELL_DEADLINE_EXCEEDED) || atomic_load(&conn->server->hard_stop))
            return false;
    }
}

bool cell_server_stream_finish(struct server_stream *t, uint32_t length)
{
    struct server_conn *conn = t->conn;
    leave_gate(t);
    t->done = true;
    if (!t->base.writes && !t->ended && !t->broken && length > CELL_ROOM_MAX)
        drop_records(t);
    if (t->broken || t->base.error.status == CELL_PROTOCOL_ERROR) {
        cell_count(&conn->server->counters.protocol_errors, 1);
        cell_server_refuse(conn, &t->base.error);
        return false;
    }
    if (!t->base.writes && !t->ended)
        conn->over_id = t->id;
    return wait_to_reply(t, length);
}

void cell_server_stream_end(struct cell_server *s, struct server_conn *conn, struct server_stream *t)
{
    bool counted = conn->stream == t;
    pthread_mutex_lock(&s->lock);
    conn->stream = NULL;
    pthread_mutex_unlock(&s->lock);
    if (counted)
        cell_server_stream_over(s, conn->caller->uid);
    cell_stream_release(&t->base);
    sem_destroy(&t->turn);
}
