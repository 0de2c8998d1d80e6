/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Streams of a client: those of a context, opening and ending.
 */
#include "stream.h"

#include <stdlib.h>
#include <string.h>

#include "https.h"

/* ---- the context's streams ---- */

static void link_stream(cell_ctx *c, struct client_stream *s)
{
    pthread_mutex_lock(&c->lock);
    s->next = c->streams;
    c->streams = s;
    pthread_mutex_unlock(&c->lock);
}

static void unlink_stream(cell_ctx *c, struct client_stream *s)
{
    struct client_stream **at = &c->streams;
    pthread_mutex_lock(&c->lock);
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    pthread_mutex_unlock(&c->lock);
}

const char *cell_streams_find_open(const cell_ctx *c, const char *cell)
{
    const struct ctx_transaction *t = cell_transaction_with(c, cell);
    for (const struct client_stream *s = t ? c->streams : NULL; s; s = s->next)
        if (s->within == t && !s->answered && !s->base.over && s->base.error.status >= 0)
            return s->base.method;
    return NULL;
}

static void drop(cell_ctx *c, struct client_stream *s)
{
    cell_stream_drop_remote(c, s);
    cell_stream_drop_local(c, s);
    cell_stream_drop_https(s);
}

/* They stay the program's, whose later steps fail. */
void cell_streams_leave(cell_ctx *c, const struct ctx_transaction *t)
{
    for (struct client_stream *s = c->streams; s; s = s->next) {
        if (s->within != t)
            continue;
        s->within = NULL;
        if (!s->answered && s->base.error.status >= 0) {
            drop(c, s);
            cell_stream_fail(&s->base, CELL_CANCELLED, "%s: its transaction has ended", s->base.method);
        }
    }
}

static void free_stream(cell_ctx *c, struct client_stream *s)
{
    drop(c, s);
    unlink_stream(c, s);
    cell_stream_release(&s->base);
    cell_buffer_free(&s->request);
    cell_buffer_free(&s->meta);
    free(s);
}

void cell_streams_drop(cell_ctx *c)
{
    while (c->streams)
        free_stream(c, c->streams);
}

void cell_streams_interrupt(cell_ctx *c)
{
    for (struct client_stream *s = c->streams; s; s = s->next) {
        if (s->conn && s->forks == s->call.client->forks)
            cell_conn_interrupt(s->conn->conn);
        if (s->local)
            cell_stream_interrupt_local(s);
    }
}

/* A step that fails takes the cancellation of its context, and the other streams with it: they were interrupted. */
int cell_stream_failed(cell_ctx *c, struct client_stream *s, int r, struct cell_error *e)
{
    if (!cell_ctx_take_cancel(c))
        return r;
    for (struct client_stream *o = c->streams; o; o = o->next)
        if (o != s)
            cell_stream_fail(&o->base, CELL_CANCELLED, "%s: %s", o->base.method, cell_status_text(CELL_CANCELLED));
    return cell_error_set(e, CELL_CANCELLED, "%s: %s", s->base.method, cell_status_text(CELL_CANCELLED));
}

/* ---- opening ---- */

static int open_it(cell_ctx *c, void *arg)
{
    struct client_stream *s = arg;
    struct cell_client *client = s->call.client;
    struct cell_error e; /* set by whoever fails */
    if (atomic_load(&c->cancelled))
        return cell_fail(c, CELL_CANCELLED, "%s: %s", s->base.method, cell_status_text(CELL_CANCELLED));
    int r = cell_encode_request(c, &s->call);
    if (r < 0)
        return r;
    e.text[0] = '\0';
    r = client->fake || client->server ? cell_stream_open_local(c, s, &e)
        : s->address                   ? cell_stream_open_https(c, s, &e)
                                       : cell_stream_open_remote(c, s, &e);
    return r < 0 ? cell_fail(c, r, "%s", e.text) : r;
}

static int open_with_hooks(cell_ctx *c, struct client_stream *s)
{
    const struct cell_call_info info = {s->call.service->name, s->call.method->name, s->call.in, NULL, 0, false};
    c->intercepted++;
    int r = cell_hooks_run(&s->call.client->hooks, c, &info, open_it, s);
    c->intercepted--;
    return r;
}

static int open_through_hooks(cell_ctx *c, struct client_stream *s)
{
    return s->call.client->hooks.n ? open_with_hooks(c, s) : open_it(c, s);
}

static int open_with_other_metadata(cell_ctx *c, struct client_stream *s)
{
    struct ctx_outgoing own;
    int r = cell_ctx_begin_outgoing(c, s->call.service->name, &own);
    r = r < 0 ? cell_fail(c, r, "%s: no room for the metadata", s->base.method) : open_through_hooks(c, s);
    cell_ctx_end_outgoing(c, &own);
    return r;
}

static void open_stream(cell_ctx *c, struct client_stream *s)
{
    uint64_t before = cell_begin_call(c, &s->call);
    s->call.timeout_ms = 0; /* the deadline is each step's */
    int r = cell_ctx_sends_other(c) ? open_with_other_metadata(c, s) : open_through_hooks(c, s);
    c->deadline_ns = before;
    cell_body_reset(c);
    s->call.in = NULL; /* the caller's, and encoded */
    if (r < 0) {
        if (cell_ctx_take_cancel(c))
            r = cell_fail(c, CELL_CANCELLED, "%s: %s", s->base.method, cell_status_text(CELL_CANCELLED));
        cell_stream_fail(&s->base, r, "%s", c->error.status == r ? c->error.text : cell_status_text(r));
        drop(c, s);
    } else if (!s->conn && !s->local && !s->https) { /* an interceptor answered */
        s->base.over = true;
        s->result = r;
    }
}

/* For whoever has no memory, not even for this. */
static struct client_stream no_memory = {.base = {.method = "", .error = {.status = CELL_NO_MEMORY}}};

struct cell_stream *cell_stream_open(cell_ctx *c, const struct cell_service *service, uint32_t method, const void *in)
{
    struct client_stream *s = c ? calloc(1, sizeof(*s)) : NULL;
    if (!s) {
        cell_fail(c, CELL_NO_MEMORY, "out of memory");
        return &no_memory.base;
    }
    s->c = c;
    s->base.method = "";
    link_stream(c, s);
    int r = cell_prepare_stream(c, service, method, in, &s->call);
    if (r < 0) {
        cell_stream_fail(&s->base, r, "%s", c->error.text);
        return &s->base;
    }
    s->within = cell_transaction_with(c, service->name);
    const struct cell_method *m = s->call.method;
    bool here = s->call.client->fake || s->call.client->server;
    s->address = here ? NULL : cell_https_address(c, &s->call);
    const struct stream_ops *ops = here         ? &cell_stream_local_ops
                                   : s->address ? &cell_stream_https_ops
                                                : &cell_stream_remote_ops;
    cell_stream_init(&s->base, ops, m, (m->flags & CELL_METHOD_WRITES) != 0, CELL_MAX_MESSAGE, c->arena.limit);
    open_stream(c, s);
    return &s->base;
}

/* ---- ending ---- */

/* Takes the next message, within what is left of the time until `deadline_ns`. */
static int skip_message(cell_ctx *c, struct client_stream *s, uint64_t deadline_ns, struct cell_error *e)
{
    const uint8_t *message;
    size_t len;
    uint32_t before = c->timeout_ms;
    uint64_t now = cell_now_ns(), left = deadline_ns > now ? (deadline_ns - now) / CELL_NS_PER_MS + 1 : 1;
    if (deadline_ns != CELL_NO_DEADLINE && now >= deadline_ns)
        return cell_error_set(e, CELL_DEADLINE_EXCEEDED, "%s: %s", s->base.method,
                              cell_status_text(CELL_DEADLINE_EXCEEDED));
    if (deadline_ns != CELL_NO_DEADLINE)
        c->timeout_ms = left < UINT32_MAX ? (uint32_t)left : UINT32_MAX - 1;
    int r = s->base.ops->receive(&s->base, &message, &len, e);
    c->timeout_ms = before;
    return r;
}

/* Of a method that is never left: drops what its caller does not want, up to the reply, all in the time of one step.
 * Negative: there is no reply. Then the stream is given up, which ends the call if it has not ended by itself. */
static int skip_rest(cell_ctx *c, struct client_stream *s, struct cell_error *e)
{
    uint32_t ignored;
    uint64_t deadline_ns = cell_ctx_call_deadline(c, &ignored, cell_now_ns());
    int r = 1;
    while (r > 0)
        r = skip_message(c, s, deadline_ns, e);
    if (r == 0 || s->answered) {
        e->status = CELL_OK; /* the reply says how it went */
        e->text[0] = '\0';
        return CELL_OK;
    }
    const struct cell_error why = *e;
    if (r == CELL_UNAVAILABLE && s->within)
        return cell_error_set(e, CELL_ABORTED, "%.400s; the transaction is lost with it", why.text);
    return cell_error_set(e, r == CELL_UNAVAILABLE ? CELL_UNKNOWN_OUTCOME : r,
                          "%.400s; whether it was carried out is not known", why.text);
}

static int end_stream(cell_ctx *c, struct client_stream *s, struct cell_error *e)
{
    const struct cell_method *m = s->call.method;
    bool open = ((s->conn || s->https) && s->forks == s->call.client->forks) || s->local;
    /* Answered before the records were over, or with an error: the reply is what counts. */
    bool answered = open && s->answered;
    if (s->base.error.status < 0 && !answered)
        return cell_error_set(e, s->base.error.status, "%s", s->base.error.text);
    for (uint32_t i = 0; i < m->nout; i++)
        if (!s->call.out || !s->call.out[i])
            return cell_error_set(e, CELL_INVALID_ARGUMENT, "%s: %s: NULL where the reply belongs", m->name,
                                  m->out[i].name);
    if (!s->conn && !s->local && !s->https)
        return s->result;
    bool ours = s->forks == s->call.client->forks; /* of a fork the child leaves it to its parent */
    int r = m->flags & CELL_METHOD_WHOLE && !s->answered && ours ? skip_rest(c, s, e) : CELL_OK;
    if (r < 0)
        return r;
    return s->local   ? cell_stream_end_local(c, s, e)
           : s->https ? cell_stream_end_https(c, s, e)
                      : cell_stream_end_remote(c, s, e);
}

int cell_stream_end(struct cell_stream *base, void *const *out)
{
    struct client_stream *s = (struct client_stream *)base;
    struct cell_error e; /* not initialised as a whole: its text is big */
    if (!s)
        return CELL_INVALID_ARGUMENT;
    if (s == &no_memory)
        return CELL_NO_MEMORY;
    if (base->ops && base->ops != &cell_stream_remote_ops && base->ops != &cell_stream_local_ops &&
        base->ops != &cell_stream_https_ops)
        return CELL_INVALID_ARGUMENT; /* a handler's */
    cell_ctx *c = s->c;
    e.status = CELL_OK;
    e.text[0] = '\0';
    s->call.out = out;
    int r = end_stream(c, s, &e);
    if (r < 0 && e.status < 0)
        r = cell_fail(c, r, "%s", e.text);
    free_stream(c, s);
    return r;
}
