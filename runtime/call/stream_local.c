/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Streams that are answered in this process. The handler has a thread of its own, and between it and the client is a
 * queue of as many messages as there may be: who puts more waits, as with a connection. The client's end waits for the
 * handler, so that nothing of it outlives the stream.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server_parts.h"
#include "stream.h"

#define MOST_MESSAGES 8u
#define MOST_STREAMS 256u
#define LOOK_NS (UINT64_C(50) * CELL_NS_PER_MS)

struct message {
    struct message *next;
    size_t len;
    _Alignas(16) uint8_t bytes[];
};

struct stream_local {
    pthread_mutex_t lock; /* of what follows, up to `handler` */
    pthread_cond_t changed;
    struct message *first, **last, *lent;
    unsigned n;
    bool ended; /* the client has no more records */
    bool given_up, done;
    struct cell_stream handler; /* its end */
    struct ctx_origin origin;
    cell_ctx *inner;
    struct client_call call;
    struct cell_buffer request;
    pthread_t thread;
    int code; /* of the reply */
    const struct cell_buffer *meta;
};

static struct client_stream *of(struct cell_stream *s) { return (struct client_stream *)s; }

static struct stream_local *local_of_handler(struct cell_stream *s)
{
    return (struct stream_local *)((char *)s - offsetof(struct stream_local, handler));
}

/* ---- the queue; the lock is held ---- */

static struct message *new_message(const struct iovec *parts, int n, uint32_t length)
{
    struct message *m = malloc(sizeof(*m) + length);
    if (!m)
        return NULL;
    m->next = NULL;
    m->len = 0;
    for (int i = 0; i < n; i++)
        if (parts[i].iov_len) {
            memcpy(m->bytes + m->len, parts[i].iov_base, parts[i].iov_len);
            m->len += parts[i].iov_len;
        }
    return m;
}

static void append(struct stream_local *l, struct message *m)
{
    *l->last = m;
    l->last = &m->next;
    l->n++;
    pthread_cond_broadcast(&l->changed);
}

/* What was taken before is not needed any more. */
static struct message *take(struct stream_local *l)
{
    struct message *m = l->first;
    free(l->lent);
    l->lent = m;
    if (!m)
        return NULL;
    l->first = m->next;
    if (!l->first)
        l->last = &l->first;
    l->n--;
    pthread_cond_broadcast(&l->changed);
    return m;
}

static void give_up(struct stream_local *l)
{
    pthread_mutex_lock(&l->lock);
    l->given_up = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

/* ---- the handler's end ---- */

static bool client_gone(struct ctx_origin *origin)
{
    struct stream_local *l = (struct stream_local *)((char *)origin - offsetof(struct stream_local, origin));
    pthread_mutex_lock(&l->lock);
    bool gone = l->given_up;
    pthread_mutex_unlock(&l->lock);
    return gone;
}

static int fail_gone(struct cell_error *e)
{
    return cell_error_set(e, CELL_CANCELLED, "%s", cell_status_text(CELL_CANCELLED));
}

static int handler_send(struct cell_stream *s, const struct iovec *parts, int n, uint32_t length, struct cell_error *e)
{
    struct stream_local *l = local_of_handler(s);
    struct message *m = new_message(parts, n, length);
    if (!m)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    pthread_mutex_lock(&l->lock);
    while (!l->given_up && l->n >= MOST_MESSAGES)
        pthread_cond_wait(&l->changed, &l->lock);
    bool gone = l->given_up;
    if (!gone)
        append(l, m);
    pthread_mutex_unlock(&l->lock);
    if (gone)
        free(m);
    return gone ? fail_gone(e) : CELL_OK;
}

static int handler_receive(struct cell_stream *s, const uint8_t **bytes, size_t *len, struct cell_error *e)
{
    struct stream_local *l = local_of_handler(s);
    pthread_mutex_lock(&l->lock);
    while (!l->given_up && !l->first && !l->ended)
        pthread_cond_wait(&l->changed, &l->lock);
    bool gone = l->given_up;
    const struct message *m = gone ? NULL : take(l);
    pthread_mutex_unlock(&l->lock);
    if (gone)
        return fail_gone(e);
    if (m) {
        *bytes = m->bytes;
        *len = m->len;
    }
    return m != NULL;
}

static bool handler_ready(struct cell_stream *s)
{
    struct stream_local *l = local_of_handler(s);
    pthread_mutex_lock(&l->lock);
    bool ready = l->given_up || l->first || l->ended;
    pthread_mutex_unlock(&l->lock);
    return ready;
}

static const struct stream_ops handler_ops = {handler_send, handler_receive, NULL, handler_ready};

static void *run_handler(void *arg)
{
    struct stream_local *l = arg;
    int code = cell_local_answer(l->inner, &l->call, (const uint8_t *)l->request.data, l->request.len, &l->meta);
    pthread_mutex_lock(&l->lock);
    l->code = code;
    l->done = true;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* ---- the client's end ---- */

/* Waits for a change; the lock is held. Negative: the step is over. */
static int wait_a_while(struct client_stream *s, uint64_t deadline_ns, struct cell_error *e)
{
    struct stream_local *l = s->local;
    cell_ctx *c = s->c;
    uint64_t now = cell_now_ns(), until = c->origin && now + LOOK_NS < deadline_ns ? now + LOOK_NS : deadline_ns;
    if (l->given_up || (c->origin && cell_ctx_cancelled(c)))
        return cell_error_set(e, CELL_CANCELLED, "%s: %s", s->base.method, cell_status_text(CELL_CANCELLED));
    if (now >= deadline_ns)
        return cell_error_set(e, CELL_DEADLINE_EXCEEDED, "%s: %s", s->base.method,
                              cell_status_text(CELL_DEADLINE_EXCEEDED));
    const struct timespec t = {.tv_sec = (time_t)(until / 1000000000u), .tv_nsec = (long)(until % 1000000000u)};
    if (until == CELL_NO_DEADLINE)
        pthread_cond_wait(&l->changed, &l->lock);
    else
        pthread_cond_timedwait(&l->changed, &l->lock, &t);
    return CELL_OK;
}

static uint64_t step_deadline(const cell_ctx *c)
{
    uint32_t ignored;
    return cell_ctx_call_deadline(c, &ignored, cell_now_ns());
}

static int take_cancel(struct client_stream *s, int r)
{
    if (r < 0)
        cell_ctx_take_cancel(s->c);
    return r;
}

/* In a fork's child there is no handler. */
static int check_process(const struct client_stream *s, struct cell_error *e)
{
    if (s->local && s->forks == s->call.client->forks)
        return CELL_OK;
    return cell_error_set(e, CELL_UNAVAILABLE, "%s: the stream was opened by another process", s->base.method);
}

static int client_send(struct cell_stream *base, const struct iovec *parts, int n, uint32_t length,
                       struct cell_error *e)
{
    struct client_stream *s = of(base);
    struct stream_local *l = s->local;
    int r = check_process(s, e);
    struct message *m = r < 0 ? NULL : new_message(parts, n, length);
    if (!m)
        return r < 0 ? r : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    uint64_t deadline_ns = step_deadline(s->c);
    pthread_mutex_lock(&l->lock);
    if (l->given_up)
        r = wait_a_while(s, deadline_ns, e);
    while (r == CELL_OK && !l->done && l->n >= MOST_MESSAGES)
        r = wait_a_while(s, deadline_ns, e);
    s->answered = r == CELL_OK && l->done;
    if (s->answered)
        r = cell_error_set(e, CELL_ABORTED, "%s: the cell answered before the records ended", base->method);
    if (r == CELL_OK)
        append(l, m);
    pthread_mutex_unlock(&l->lock);
    if (r < 0)
        free(m);
    return take_cancel(s, r);
}

static int client_receive(struct cell_stream *base, const uint8_t **bytes, size_t *len, struct cell_error *e)
{
    struct client_stream *s = of(base);
    struct stream_local *l = s->local;
    const struct message *m = NULL;
    int r = check_process(s, e);
    if (r < 0)
        return r;
    uint64_t deadline_ns = step_deadline(s->c);
    pthread_mutex_lock(&l->lock);
    if (l->given_up)
        r = wait_a_while(s, deadline_ns, e);
    while (r == CELL_OK && !l->done && !l->first)
        r = wait_a_while(s, deadline_ns, e);
    if (r == CELL_OK)
        m = take(l);
    s->answered = r == CELL_OK && !m;
    if (s->answered && l->code < 0)
        r = cell_error_set(e, l->code, "%s failed", base->method);
    pthread_mutex_unlock(&l->lock);
    if (r < 0)
        return take_cancel(s, r);
    if (m) {
        *bytes = m->bytes;
        *len = m->len;
    }
    return m != NULL;
}

static bool client_ready(struct cell_stream *base)
{
    struct client_stream *s = of(base);
    struct stream_local *l = s->local;
    if (!l || s->forks != s->call.client->forks)
        return true;
    pthread_mutex_lock(&l->lock);
    bool ready = l->given_up || l->first || l->done;
    pthread_mutex_unlock(&l->lock);
    return ready;
}

const struct stream_ops cell_stream_local_ops = {client_send, client_receive, NULL, client_ready};

/* ---- life ---- */

static void free_local(struct stream_local *l)
{
    struct message *next;
    for (struct message *m = l->first; m; m = next) {
        next = m->next;
        free(m);
    }
    free(l->lent);
    cell_stream_release(&l->handler);
    cell_ctx_close(l->inner);
    cell_buffer_free(&l->request);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static struct stream_local *new_local(cell_ctx *c, const struct client_call *k)
{
    pthread_condattr_t attr;
    struct stream_local *l = calloc(1, sizeof(*l));
    if (!l)
        return NULL;
    const struct cell_method *m = cell_local_method(k);
    const char *program = program_invocation_short_name ? program_invocation_short_name : "";
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&l->changed, &attr);
    pthread_condattr_destroy(&attr);
    l->last = &l->first;
    l->call = *k;
    l->origin = (struct ctx_origin){.user = k->client->server ? cell_server_user(k->client->server) : NULL,
                                    .server = k->client->server,
                                    .caller = {getuid(), getgid(), getpid(), cell_strz(program)},
                                    .gone = client_gone,
                                    .fd = -1};
    cell_stream_init(&l->handler, &handler_ops, m, !(m->flags & CELL_METHOD_WRITES), CELL_MAX_MESSAGE, c->arena.limit);
    l->inner = cell_ctx_open_handler(c->arena.limit);
    cell_buffer_append(&l->request, c->message.data, c->message.len);
    if (l->inner && cell_buffer_ok(&l->request)) {
        cell_ctx_begin_handler(l->inner, &l->origin, CELL_NO_DEADLINE);
        l->inner->stream = &l->handler;
        l->handler.handler = l->inner;
        if (!c->meta.len ||
            cell_ctx_receive_metadata(l->inner, (const uint8_t *)c->meta.data, c->meta.len, false, NULL) >= 0)
            return l;
    }
    free_local(l);
    return NULL;
}

/* Signals are for the program's own threads. */
static bool start(struct stream_local *l)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&l->thread, NULL, run_handler, l);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r == 0;
}

int cell_stream_open_local(cell_ctx *c, struct client_stream *s, struct cell_error *e)
{
    struct cell_client *client = s->call.client;
    if (atomic_fetch_add(&client->local_streams, 1) >= MOST_STREAMS) {
        atomic_fetch_sub(&client->local_streams, 1);
        return cell_error_set(e, CELL_RESOURCE_EXHAUSTED, "%s: %u streams are open", s->base.method, MOST_STREAMS);
    }
    struct stream_local *l = new_local(c, &s->call);
    if (l && start(l)) {
        pthread_mutex_lock(&c->lock);
        s->local = l;
        s->forks = client->forks;
        pthread_mutex_unlock(&c->lock);
        return CELL_OK;
    }
    if (l)
        free_local(l);
    atomic_fetch_sub(&client->local_streams, 1);
    return cell_error_set(e, CELL_NO_MEMORY, "%s: no memory or no thread for the stream", s->base.method);
}

int cell_stream_end_local(cell_ctx *c, struct client_stream *s, struct cell_error *e)
{
    struct stream_local *l = s->local;
    uint64_t deadline_ns = step_deadline(c);
    int r = check_process(s, e);
    if (r < 0)
        return r;
    pthread_mutex_lock(&l->lock);
    l->ended = true;
    pthread_cond_broadcast(&l->changed);
    while (s->base.writes && r == CELL_OK && !l->done)
        r = wait_a_while(s, deadline_ns, e);
    s->answered |= s->base.writes && r == CELL_OK;
    pthread_mutex_unlock(&l->lock);
    if (r < 0 || !s->answered)
        return take_cancel(s, r);
    return cell_take_reply(c, &s->call, l->code, (const uint8_t *)l->meta->data, l->meta->len,
                           (const uint8_t *)l->inner->message.data, l->inner->message.len);
}

void cell_stream_interrupt_local(struct client_stream *s)
{
    if (s->forks != s->call.client->forks)
        return;
    give_up(s->local);
    cell_ctx_cancel(s->local->inner);
}

void cell_stream_drop_local(cell_ctx *c, struct client_stream *s)
{
    pthread_mutex_lock(&c->lock);
    struct stream_local *l = s->local;
    s->local = NULL;
    pthread_mutex_unlock(&c->lock);
    if (!l || s->forks != s->call.client->forks)
        return; /* the child of a fork has no handler to wait for, and must not touch what that may have locked */
    give_up(l);
    cell_ctx_cancel(l->inner);
    pthread_join(l->thread, NULL);
    free_local(l);
    atomic_fetch_sub(&s->call.client->local_streams, 1);
}
