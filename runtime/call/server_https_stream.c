/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Streams from a cell to another host: the answer is made of lines, one for each message that the handler puts, and the
 * reply as the last (docs/protocol.md, "Streams over HTTPS"). The handler has a thread of its own; the connection's
 * thread sends. Between them are two buffers: one is filled while the other is sent, and who puts waits while the one
 * that is filled has enough. So a client that does not read stops its handler, which has no place at the gate then, and
 * costs two threads and two buffers.
 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "core/json_call.h"
#include "server_https.h"
#include "stream.h"

/* A line is added while there is less than that; one line can be as large as the largest message. */
#define ENOUGH_BYTES (64u << 10)
/* Memory beyond that is given back when it was sent. */
#define USUAL_BYTES (256u << 10)
/* How often something is sent at least, if only an empty line. */
#define KEEP_ALIVE_MS 5000
/* How long it is waited whether the answer is an error, which then has a status of its own. */
#define FIRST_NS (UINT64_C(1000) * CELL_NS_PER_MS)
/* How long a client has to take the last line when the server stops. */
#define LAST_NS (UINT64_C(200) * CELL_NS_PER_MS)
/* How often one who waits looks whether the server stops. */
#define LOOK_NS (UINT64_C(50) * CELL_NS_PER_MS)

struct https_stream {
    struct https_lines lines; /* the connection's end */
    struct cell_stream base;  /* the handler's */
    /* Of the handler's thread: */
    struct server_https *h;
    struct https_call *x; /* NULL: it has ended */
    struct https_caller *caller;
    struct server_match *match;
    const struct cell_method *method;
    uint32_t id;
    bool placed; /* at the gate */
    struct cell_buffer request, message, line;
    struct cell_arena arena;
    /* Of the connection's: */
    struct cell_buffer sending;
    size_t sent;
    int fd; /* of the connection */
    pthread_t thread;
    int wake_fd; /* readable: there is something */
    /* Of both, under `lock`: */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct cell_buffer filling;
    bool asleep;   /* the connection's thread waits on wake_fd */
    bool begun;    /* a record was put */
    bool answered; /* the last line is there */
    bool all_sent;
    bool gone; /* the connection is over */
    int code;  /* of the answer */
};

static struct https_stream *of(struct cell_stream *s)
{
    return (struct https_stream *)((char *)s - offsetof(struct https_stream, base));
}

/* ---- between the two threads; the lock is held ---- */

static void wait_a_while(struct https_stream *t)
{
    uint64_t until = cell_now_ns() + LOOK_NS;
    const struct timespec at = {.tv_sec = (time_t)(until / 1000000000u), .tv_nsec = (long)(until % 1000000000u)};
    pthread_cond_timedwait(&t->changed, &t->lock, &at);
}

static void wake_connection(struct https_stream *t)
{
    const uint64_t one = 1;
    pthread_cond_broadcast(&t->changed); /* who waits for the first line */
    if (t->asleep && write(t->wake_fd, &one, sizeof(one)) == (ssize_t)sizeof(one))
        t->asleep = false;
}

/* ---- the handler's end ---- */

static void enter(struct https_stream *t)
{
    if (!t->placed)
        cell_https_enter(t->x);
    t->placed = true;
}

static void leave(struct https_stream *t)
{
    if (t->placed)
        cell_https_leave(t->x);
    t->placed = false;
}

/* `looks`: at the connection too, whose thread may wait for the client to read, and see nothing else. */
static int check_wanted(struct https_stream *t, bool looks, struct cell_error *e)
{
    const cell_ctx *c = t->x->c;
    if (t->gone || looks)
        t->x->conn.origin.gone(&t->x->conn.origin); /* counts it */
    if (t->gone || t->x->conn.hung_up || atomic_load(&t->x->conn.server->hard_stop) || atomic_load(&c->cancelled))
        return cell_error_set(e, CELL_CANCELLED, "%s", cell_status_text(CELL_CANCELLED));
    if (c->deadline_ns != CELL_NO_DEADLINE && cell_now_ns() >= c->deadline_ns)
        return cell_error_set(e, CELL_DEADLINE_EXCEEDED, "%s", cell_status_text(CELL_DEADLINE_EXCEEDED));
    return CELL_OK;
}

/* Waits for room, without a place at the gate, and adds the line. */
static int add_line(struct https_stream *t, struct cell_error *e)
{
    pthread_mutex_lock(&t->lock);
    int r = check_wanted(t, false, e);
    bool waits = r == CELL_OK && t->filling.len >= ENOUGH_BYTES;
    if (waits) {
        pthread_mutex_unlock(&t->lock);
        leave(t);
        pthread_mutex_lock(&t->lock);
    }
    uint64_t since_ns = cell_now_ns();
    while (r == CELL_OK && t->filling.len >= ENOUGH_BYTES) {
        wait_a_while(t);
        r = check_wanted(t, true, e);
        if (r == CELL_OK)
            r = cell_stream_check_wait(&t->base, since_ns, e);
    }
    if (r == CELL_OK) {
        cell_buffer_append(&t->filling, t->line.data, t->line.len);
        t->begun = true;
        wake_connection(t);
        if (!cell_buffer_ok(&t->filling))
            r = cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    }
    pthread_mutex_unlock(&t->lock);
    if (waits)
        enter(t);
    return r;
}

static int send(struct cell_stream *base, const struct iovec *parts, int n, uint32_t length, struct cell_error *e)
{
    struct https_stream *t = of(base);
    struct cell_batch batch;
    (void)length;
    t->message.len = t->line.len = 0;
    for (int i = 0; i < n; i++)
        cell_buffer_append(&t->message, parts[i].iov_base, parts[i].iov_len);
    if (!cell_buffer_ok(&t->message))
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    cell_arena_reset(&t->arena);
    int r = cell_records_take(&base->format, (const uint8_t *)t->message.data, t->message.len, &t->arena, &batch, e);
    if (r < 0)
        return r;
    cell_json_put_records(&t->line, base->format.type, batch.next, batch.left);
    if (!cell_buffer_ok(&t->line))
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    return add_line(t, e);
}

static int receive(struct cell_stream *base, const uint8_t **message, size_t *len, struct cell_error *e)
{
    (void)base;
    (void)message;
    (void)len;
    return cell_error_set(e, CELL_FAILED_PRECONDITION, "its records go to the other side");
}

static bool ready(struct cell_stream *base)
{
    (void)base;
    return true;
}

static const struct stream_ops https_ops = {send, receive, NULL, ready};

static void answer(struct https_stream *t)
{
    struct https_call *x = t->x;
    struct cell_server *s = x->conn.server;
    const struct cell_buffer *meta = NULL;
    struct cell_error e = {0};
    x->c->stream = &t->base;
    enter(t);
    if (cell_ctx_cancelled(x->c)) {
        cell_error_set(&e, CELL_DEADLINE_EXCEEDED, "the deadline passed before its turn came");
        cell_https_fail(x, &e);
    } else {
        x->code =
            cell_server_answer(s, t->match, NULL, x->c, t->id, (const uint8_t *)t->request.data, t->request.len, &meta);
        cell_https_put_reply(x, t->method, meta);
    }
    leave(t);
    if (x->code == CELL_CANCELLED && atomic_load(&s->hard_stop)) {
        cell_error_set(&e, CELL_UNAVAILABLE, "the cell shut down before %s ended", t->method->name);
        cell_https_fail(x, &e);
    }
    cell_buffer_puts(&x->out, "\n");
}

static void give_last_line(struct https_stream *t)
{
    pthread_mutex_lock(&t->lock);
    cell_buffer_append(&t->filling, t->x->out.data, t->x->out.len);
    t->code = t->x->code;
    t->answered = true;
    wake_connection(t);
    pthread_mutex_unlock(&t->lock);
}

/* The call does not count as ended before its client has it, so that a server which drains waits for that; one that
 * stops, for a moment. */
static void wait_until_sent(struct https_stream *t, const struct cell_server *s)
{
    struct pollfd p = {.fd = t->fd, .events = POLLRDHUP};
    uint64_t until = 0;
    pthread_mutex_lock(&t->lock);
    while (!t->all_sent && !t->gone && poll(&p, 1, 0) == 0) {
        if (until == 0 && atomic_load(&s->hard_stop))
            until = cell_now_ns() + LAST_NS;
        if (until && cell_now_ns() >= until)
            break;
        wait_a_while(t);
    }
    pthread_mutex_unlock(&t->lock);
}

static void count_out(struct cell_server *s, struct https_caller *caller)
{
    pthread_mutex_lock(&s->lock);
    s->nremote_streams--;
    caller->nstreams--;
    pthread_mutex_unlock(&s->lock);
}

static void *run(void *arg)
{
    struct https_stream *t = arg;
    struct cell_server *s = t->x->conn.server;
    answer(t);
    give_last_line(t);
    cell_https_end(t->x);
    t->x = NULL;
    if (t->match) {
        cell_server_match_give(s, t->match, NULL);
        cell_server_reap(s);
    }
    wait_until_sent(t, s);
    count_out(s, t->caller);
    cell_https_count(t->h, -1);
    return NULL;
}

/* ---- the connection's end ---- */

/* How many bytes there are now; 0 with *over: there will be none. */
static size_t take(struct https_stream *t, char *to, size_t size, bool *over)
{
    if (t->sent == t->sending.len) {
        if (t->sending.capacity > USUAL_BYTES)
            cell_buffer_free(&t->sending);
        t->sent = t->sending.len = 0;
        pthread_mutex_lock(&t->lock);
        const struct cell_buffer filled = t->filling;
        t->filling = t->sending;
        t->sending = filled;
        *over = t->answered && filled.len == 0;
        t->all_sent = *over;
        t->asleep = filled.len == 0 && !*over;
        pthread_cond_broadcast(&t->changed);
        pthread_mutex_unlock(&t->lock);
    }
    size_t left = t->sending.len - t->sent, n = left < size ? left : size;
    if (n)
        memcpy(to, t->sending.data + t->sent, n);
    t->sent += n;
    return n;
}

/* Until there is something; false: for long there was nothing. That the client has gone is for the handler to notice,
 * who would have to be waited for in any case. */
static bool sleep_until_filled(struct https_stream *t)
{
    struct pollfd p = {.fd = t->wake_fd, .events = POLLIN};
    uint64_t count;
    int r = poll(&p, 1, KEEP_ALIVE_MS);
    ssize_t n = r > 0 ? read(t->wake_fd, &count, sizeof(count)) : 0;
    (void)n; /* it is looked again in any case */
    return r != 0;
}

static ptrdiff_t read_lines(struct https_lines *lines, char *to, size_t size)
{
    struct https_stream *t = (struct https_stream *)lines;
    for (;;) {
        bool over = false;
        size_t n = take(t, to, size, &over);
        if (n || over)
            return (ptrdiff_t)n;
        if (!sleep_until_filled(t)) {
            *to = '\n';
            return 1;
        }
    }
}

static void free_stream(struct https_stream *t)
{
    if (t->wake_fd >= 0)
        close(t->wake_fd);
    cell_stream_release(&t->base);
    cell_arena_free(&t->arena);
    cell_buffer_free(&t->request);
    cell_buffer_free(&t->message);
    cell_buffer_free(&t->line);
    cell_buffer_free(&t->filling);
    cell_buffer_free(&t->sending);
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static void close_lines(struct https_lines *lines)
{
    struct https_stream *t = (struct https_stream *)lines;
    pthread_mutex_lock(&t->lock);
    t->gone = true;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
    free_stream(t);
}

/* ---- its beginning ---- */

static struct https_stream *new_stream(struct https_call *x, const struct cell_method *m)
{
    pthread_condattr_t attr;
    struct https_stream *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->lines = (struct https_lines){read_lines, close_lines};
    cell_stream_init(&t->base, &https_ops, m, true, x->conn.server->options.max_message, x->c->arena.limit);
    t->base.handler = x->c;
    t->h = x->h;
    t->x = x;
    t->caller = x->caller;
    t->method = m;
    t->fd = x->request->fd;
    t->arena.limit = CELL_MAX_DECODED;
    pthread_mutex_init(&t->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&t->changed, &attr);
    pthread_condattr_destroy(&attr);
    t->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (t->wake_fd >= 0)
        return t;
    free_stream(t);
    return NULL;
}

/* As many as over the socket, together with those; three quarters of them for one name. */
static int count_in(struct https_call *x, struct cell_error *e)
{
    struct cell_server *s = x->conn.server;
    uint32_t most = s->options.max_streams, of_name = most > 3 ? most / 4 * 3 : most;
    pthread_mutex_lock(&s->lock);
    bool all = s->nstreams + s->nremote_streams >= most, named = x->caller->nstreams >= of_name;
    if (!all && !named) {
        s->nremote_streams++;
        x->caller->nstreams++;
    }
    pthread_mutex_unlock(&s->lock);
    if (all || named)
        return cell_error_set(e, CELL_RESOURCE_EXHAUSTED, "%s: %u streams %srun already", s->cell, all ? most : of_name,
                              all ? "" : "of this caller ");
    return CELL_OK;
}

/* Signals are for the program's own threads. */
static bool start(struct https_stream *t)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&t->thread, NULL, run, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r == 0;
}

/* What it begins with decides the status of the answer. */
static void give_beginning(struct https_stream *t, struct https_reply *reply)
{
    uint64_t until = cell_now_ns() + FIRST_NS;
    pthread_mutex_lock(&t->lock);
    while (!t->begun && !t->answered && cell_now_ns() < until)
        wait_a_while(t);
    bool failed = t->answered && !t->begun && t->code < 0;
    reply->status = failed ? cell_https_status(t->code) : 200;
    if (failed)
        cell_https_give(reply, &t->filling);
    pthread_mutex_unlock(&t->lock);
    if (failed)
        close_lines(&t->lines);
    else
        reply->lines = &t->lines;
}

int cell_https_stream(struct https_call *x, struct server_match *match, const struct cell_method *m, uint32_t id,
                      struct cell_buffer *message, struct https_reply *reply, struct cell_error *e)
{
    int r = count_in(x, e);
    if (r < 0)
        return r;
    struct https_stream *t = new_stream(x, m);
    bool counted = t && cell_https_count(x->h, 1);
    if (counted) {
        t->match = match;
        t->id = id;
        t->request = *message;
        if (start(t)) {
            *message = (struct cell_buffer){0};
            give_beginning(t, reply);
            return CELL_OK;
        }
        t->request = (struct cell_buffer){0};
        cell_https_count(x->h, -1);
    }
    count_out(x->conn.server, x->caller);
    if (t)
        free_stream(t);
    return t && !counted ? cell_error_set(e, CELL_UNAVAILABLE, "it is shutting down")
                         : cell_error_set(e, CELL_NO_MEMORY, "no memory or no thread for the stream");
}
