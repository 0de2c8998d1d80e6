/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What carries a client's stream from a cell of another host: the lines of one answer, docs/protocol.md "Streams over
 * HTTPS". Each becomes the message that a socket would have brought. A stream has a connection of its own until its
 * last line; one that ends in another way takes it with it, which is also how the cell learns of that.
 */
#include <stdlib.h>
#include <string.h>

#include "core/json_call.h"
#include "https.h"
#include "stream.h"

/* After the last line the connection is waited for a moment, and is not worth more than that. */
#define LAST_NS (UINT64_C(100) * CELL_NS_PER_MS)

struct stream_https {
    struct https_origin *origin;
    struct cell_buffer request; /* the document, until an answer has begun */
    struct https_head head;
    struct cell_http_request q;
    bool began; /* the answer */
    bool described;
    bool skips;
    struct cell_arena arena;
    struct cell_buffer message;
    struct https_reply_message reply;
};

static struct client_stream *of(struct cell_stream *s) { return (struct client_stream *)s; }

static int check_alive(const struct client_stream *s, struct cell_error *e)
{
    if (atomic_load_explicit(&s->c->cancelled, memory_order_relaxed))
        return cell_error_set(e, CELL_CANCELLED, "%s: %s", s->base.method, cell_status_text(CELL_CANCELLED));
    if (!s->https || s->forks != s->call.client->forks)
        return cell_error_set(e, CELL_UNAVAILABLE, "%s: the stream was opened by another process", s->base.method);
    return CELL_OK;
}

static int explain(const struct client_stream *s, int r, struct cell_error *e)
{
    if (r == CELL_DEADLINE_EXCEEDED || r == CELL_CANCELLED)
        return cell_error_set(e, r, "%s: %s", s->base.method, cell_status_text(r));
    if (r == CELL_UNAVAILABLE)
        cell_error_wrap(e, "%s: the connection was lost before %s ended", s->call.service->name, s->base.method);
    else if (r < 0)
        cell_error_wrap(e, "%s: %s", s->call.service->name, s->base.method);
    return r;
}

/* ---- the call ---- */

static int send_request(cell_ctx *c, struct client_stream *s, uint64_t deadline_ns, struct cell_error *e)
{
    struct stream_https *h = s->https;
    cell_https_describe_call(&s->call, h->origin, &h->head);
    h->q = (struct cell_http_request){.method = "POST",
                                      .path = h->head.path,
                                      .headers = h->head.lines,
                                      .body = h->request.data,
                                      .len = h->request.len,
                                      .max_reply = HTTPS_MAX_REPLY,
                                      .lines = true,
                                      .deadline_ns = deadline_ns,
                                      .cancelled = cell_https_is_cancelled,
                                      .user = c};
    return cell_http_begin(h->origin->http, &h->q, e);
}

int cell_stream_open_https(cell_ctx *c, struct client_stream *s, struct cell_error *e)
{
    if (s->base.writes)
        return cell_error_set(
            e, CELL_UNIMPLEMENTED,
            "%s: %s takes a stream of records, which is not carried over HTTPS: call it on the host of "
            "the cell",
            s->call.service->name, s->base.method);
    struct stream_https *h = s->https = calloc(1, sizeof(*h));
    if (!h)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    s->forks = s->call.client->forks;
    h->arena.limit = CELL_MAX_DECODED;
    cell_json_put_request(&h->request, s->call.method, s->call.in, c->meta.data, c->meta.len);
    int r = cell_buffer_ok(&h->request) ? cell_https_take_origin(&s->call, s->address, &h->origin, e)
                                        : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    if (r >= 0)
        r = send_request(c, s, c->deadline_ns, e);
    if (r == CELL_DEADLINE_EXCEEDED || r == CELL_CANCELLED)
        return cell_error_set(e, r, "%s: %s", s->base.method, cell_status_text(r));
    return r < 0 ? (cell_error_wrap(e, "%s", s->call.service->name), r) : r;
}

/* The answer has begun: by whom, and whether it is one. 1: the call was made once more, with our schema. */
static int begin_answer(cell_ctx *c, struct client_stream *s, struct cell_error *e)
{
    struct stream_https *h = s->https;
    unsigned status = cell_http_status(h->origin->http);
    int r = cell_https_check_who(h->origin, s->call.service, e);
    if (r >= 0 && status == 428 && !h->described) {
        h->described = true;
        cell_http_stop(h->origin->http, false);
        r = cell_https_send_schema(c, &s->call, h->origin, e);
        if (r >= 0)
            r = send_request(c, s, c->deadline_ns, e);
        return r < 0 ? r : 1;
    }
    h->began = true;
    h->skips = cell_https_skips(&s->call, h->origin);
    cell_buffer_free(&h->request);
    return r;
}

/* ---- steps ---- */

/* The records of a line, as a message. */
static int put_message(struct client_stream *s, const struct cell_ref *records, struct cell_error *e)
{
    static const char zeros[8];
    struct stream_https *h = s->https;
    const struct cell_records *f = &s->base.format;
    uint8_t head[CELL_RECORDS_HEAD];
    h->message.len = 0;
    if (!f->plain)
        return cell_records_encode(f, records->ptr, records->len, CELL_MAX_DECODED, &h->message, e);
    cell_records_head(f, records->len, head);
    cell_buffer_append(&h->message, head, sizeof(head));
    cell_buffer_append(&h->message, records->ptr, records->len * f->type->size);
    cell_buffer_append(&h->message, zeros, cell_records_padding(f, records->len));
    return cell_buffer_ok(&h->message) ? CELL_OK : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
}

/* One line: 1, records; 0, the reply, which is the last. */
static int take_line(struct client_stream *s, const char *line, size_t len, struct cell_error *e)
{
    struct stream_https *h = s->https;
    const struct value_env env = {.arena = &h->arena, .skips_unknown = h->skips};
    struct cell_ref records = {0};
    cell_arena_reset(&h->arena);
    int r = cell_json_take_records(line, len, &env, &s->base.format.list, &records, e);
    if (r > 0)
        return put_message(s, &records, e) < 0 ? e->status : 1;
    if (r == 0)
        r = cell_https_read_reply(&s->call, h->skips, line, len, &h->reply, e);
    s->answered = r >= 0;
    return r;
}

static int wait_for_line(struct client_stream *s, struct cell_error *e)
{
    struct stream_https *h = s->https;
    cell_ctx *c = s->c;
    const char *line;
    size_t len;
    for (;;) {
        int r = cell_http_line(h->origin->http, c->deadline_ns, &line, &len, e);
        if (r == 0)
            r = cell_error_set(e, CELL_UNAVAILABLE, "its answer has no last line");
        int again = r > 0 && !h->began ? begin_answer(c, s, e) : 0;
        if (again <= 0)
            return again < 0 ? again : r < 0 ? r : take_line(s, line, len, e);
    }
}

static int receive(struct cell_stream *base, const uint8_t **message, size_t *len, struct cell_error *e)
{
    struct client_stream *s = of(base);
    cell_ctx *c = s->c;
    uint32_t ignored;
    uint64_t before = c->deadline_ns;
    int r = check_alive(s, e);
    if (r < 0)
        return cell_stream_failed(c, s, r, e);
    c->deadline_ns = cell_ctx_call_deadline(c, &ignored, cell_now_ns());
    r = wait_for_line(s, e);
    c->deadline_ns = before;
    if (r < 0)
        return cell_stream_failed(c, s, explain(s, r, e), e);
    *message = (const uint8_t *)s->https->message.data;
    *len = s->https->message.len;
    if (r == 0 && s->https->reply.code < 0) /* the end says why */
        return cell_error_set(e, cell_status_normal(s->https->reply.code), "%s failed", base->method);
    return r;
}

static int send(struct cell_stream *base, const struct iovec *parts, int n, uint32_t length, struct cell_error *e)
{
    (void)parts;
    (void)n;
    (void)length;
    return cell_error_set(e, CELL_UNIMPLEMENTED, "%s: records are not sent over HTTPS", base->method);
}

static bool ready(struct cell_stream *base)
{
    const struct client_stream *s = of(base);
    return !s->https || s->forks != s->call.client->forks || cell_http_ready(s->https->origin->http);
}

const struct stream_ops cell_stream_https_ops = {send, receive, NULL, ready};

/* ---- the end ---- */

/* The connection is of use if nothing stands behind the last line. */
static bool keep_connection(const struct client_stream *s)
{
    struct cell_http *http = s->https->origin->http;
    struct cell_error e;
    const char *line;
    size_t len;
    bool whole = cell_http_line(http, cell_now_ns() + LAST_NS, &line, &len, &e) == 0;
    cell_http_stop(http, !whole);
    return whole;
}

int cell_stream_end_https(cell_ctx *c, struct client_stream *s, struct cell_error *e)
{
    struct stream_https *h = s->https;
    int r = check_alive(s, e);
    if (r < 0)
        return cell_stream_failed(c, s, r, e);
    if (!s->answered) /* what it did not read is not wanted */
        return CELL_OK;
    r = cell_https_take_reply(c, &s->call, &h->reply);
    if (keep_connection(s)) {
        cell_https_give_origin(s->call.client, h->origin);
        h->origin = NULL;
    }
    return r;
}

void cell_stream_drop_https(struct client_stream *s)
{
    struct stream_https *h = s->https;
    s->https = NULL;
    if (!h)
        return;
    if (h->origin)
        cell_https_free_origin(h->origin);
    cell_buffer_free(&h->request);
    cell_buffer_free(&h->message);
    cell_https_free_reply(&h->reply);
    cell_arena_free(&h->arena);
    free(h);
}
