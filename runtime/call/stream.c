/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Putting and taking records, whatever carries them. */
#include "stream.h"

#include <stdio.h>
#include <string.h>

#include "wire/rules.h"

/* A batch is sent in messages of about this size: a few of them fit into what lies between the two sides, so that one
 * is filled while another is read. */
#define BATCH_BYTES 5376u
/* Records with texts are tried so many at once, and fewer when they turn out to be too large. */
#define BATCH_MOST (16u << 10)

void cell_stream_init(struct cell_stream *s, const struct stream_ops *ops, const struct cell_method *m, bool writes,
                      uint32_t max_message, size_t memory_limit)
{
    s->ops = ops;
    s->method = m->name;
    cell_records_init(&s->format, m->stream->type);
    s->max_message = max_message;
    s->most_wait_ms = 0;
    s->writes = writes;
    s->over = false;
    /* Those that a client sends: checked here before they are sent, and there when they have arrived. */
    s->ruled = m->flags & CELL_METHOD_WRITES && m->stream->flags & CELL_FIELD_RULED ? m->stream : NULL;
    s->handler = NULL;
    s->error.status = CELL_OK;
    s->error.text[0] = '\0';
    s->arena = (struct cell_arena){.limit = memory_limit};
    s->batch = (struct cell_batch){0};
    s->scratch = (struct cell_buffer){0};
}

void cell_stream_release(struct cell_stream *s)
{
    cell_arena_free(&s->arena);
    cell_buffer_free(&s->scratch);
}

int cell_stream_fail(struct cell_stream *s, int status, const char *format, ...)
{
    va_list args;
    if (s->error.status < 0)
        return s->error.status;
    va_start(args, format);
    vsnprintf(s->error.text, sizeof(s->error.text), format, args);
    va_end(args);
    s->error.status = cell_status_normal(status);
    return s->error.status;
}

int cell_stream_keep(struct cell_stream *s) { return cell_records_keep(&s->format, &s->batch, &s->arena); }

/* ---- putting ---- */

static int send_plain(struct cell_stream *s, const uint8_t *records, size_t n, struct cell_error *e)
{
    static const uint8_t zeros[8];
    uint8_t head[CELL_RECORDS_HEAD];
    size_t bytes = n * s->format.type->size;
    uint32_t padding = cell_records_padding(&s->format, n);
    const struct iovec parts[] = {
        {head, sizeof(head)}, {(void *)(uintptr_t)records, bytes}, {(void *)(uintptr_t)zeros, padding}};
    cell_records_head(&s->format, n, head);
    return s->ops->send(s, parts, padding ? 3 : 2, (uint32_t)(sizeof(head) + bytes + padding), e);
}

/* *n becomes how many were sent. */
static int send_encoded(struct cell_stream *s, const void *records, size_t *n, struct cell_error *e)
{
    for (;; *n /= 2) {
        bool one = *n == 1;
        uint32_t max = one || s->max_message < BATCH_MOST ? s->max_message : BATCH_MOST;
        cell_scratch_reset(&s->scratch);
        int r = cell_records_encode(&s->format, records, *n, max, &s->scratch, e);
        if (r == CELL_TOO_LARGE && !one)
            continue;
        if (r < 0)
            return r;
        const struct iovec part = {s->scratch.data, s->scratch.len};
        return s->ops->send(s, &part, 1, (uint32_t)s->scratch.len, e);
    }
}

static int send_some(struct cell_stream *s, const void *records, size_t *n, struct cell_error *e)
{
    size_t size = s->format.type->size, most = (BATCH_BYTES - CELL_RECORDS_HEAD) / size;
    if (most == 0)
        most = 1;
    if (*n > most)
        *n = most;
    if (!s->format.plain)
        return send_encoded(s, records, n, e);
    if (*n * size + CELL_RECORDS_HEAD + 8 > s->max_message)
        *n = s->max_message > size + CELL_RECORDS_HEAD + 8 ? (s->max_message - CELL_RECORDS_HEAD - 8) / size : 0;
    if (*n == 0)
        return cell_error_set(e, CELL_TOO_LARGE, "a record of %zu bytes is over the limit of %u", size, s->max_message);
    return send_plain(s, records, *n, e);
}

int cell_stream_put(struct cell_stream *s, const void *records, size_t n)
{
    struct cell_error e; /* set by whoever fails */
    const uint8_t *at = records;
    if (!s || (n && !records))
        return CELL_INVALID_ARGUMENT;
    if (s->error.status < 0)
        return s->error.status;
    if (!s->writes)
        return cell_stream_fail(s, CELL_FAILED_PRECONDITION, "its records come from the other side");
    if (s->ruled && cell_rules_check_records(s->ruled, records, n, NULL, &e) < 0)
        return cell_stream_fail(s, e.status, "%s: %s", s->method, e.text);
    while (n) {
        size_t some = n;
        e.text[0] = '\0';
        int r = send_some(s, at, &some, &e);
        if (r < 0)
            return cell_stream_fail(s, r, "%s", e.text);
        at += some * s->format.type->size;
        n -= some;
    }
    return CELL_OK;
}

/* ---- taking ---- */

/* 1: the batch has records; 0: there are no more. */
static int refill(struct cell_stream *s)
{
    struct cell_error e; /* set by whoever fails */
    const uint8_t *message;
    size_t len;
    if (s->error.status < 0)
        return s->error.status;
    if (s->over)
        return 0;
    if (s->writes)
        return cell_stream_fail(s, CELL_FAILED_PRECONDITION, "its records go to the other side");
    e.text[0] = '\0';
    int r = s->ops->receive(s, &message, &len, &e);
    if (r > 0) {
        cell_arena_reset(&s->arena);
        r = cell_records_take(&s->format, message, len, &s->arena, &s->batch, &e);
        return r < 0 ? cell_stream_fail(s, r, "records: %s", e.text) : 1;
    }
    s->over = r == 0;
    return r < 0 ? cell_stream_fail(s, r, "%s", e.text) : 0;
}

/* Whether there are records in the batch. */
static inline bool has_some(struct cell_stream *s)
{
    if (s->batch.left && s->batch.lent && s->ops->lost && s->ops->lost(s))
        s->batch.left = 0;
    return s->batch.left != 0;
}

/* Of n records, which nobody else can change any more, so many come before the first that breaks a rule; that is what
 * the next step says. */
static size_t keep_good(struct cell_stream *s, const void *records, size_t n)
{
    struct cell_error e; /* set by whoever fails */
    uint64_t good = n;
    if (s->ruled && cell_rules_check_records(s->ruled, records, n, &good, &e) < 0) {
        s->batch.left = 0;
        cell_stream_fail(s, e.status, "%s: %s", s->method, e.text);
        cell_fail(s->handler, e.status, "%s: %s", s->method, e.text);
    }
    return (size_t)good;
}

int cell_stream_next(struct cell_stream *s, void *record)
{
    if (!s || !record)
        return CELL_INVALID_ARGUMENT;
    int r = has_some(s) ? 1 : refill(s);
    if (r <= 0)
        return r;
    cell_records_copy(&s->format, &s->batch, record, 1);
    if (keep_good(s, record, 1) == 1)
        return r;
    memset(record, 0, s->format.type->size);
    return s->error.status;
}

size_t cell_stream_next_n(struct cell_stream *s, void *records, size_t max)
{
    if (!s || !records || max == 0 || (!has_some(s) && refill(s) <= 0))
        return 0;
    size_t n = cell_records_copy(&s->format, &s->batch, records, max), good = keep_good(s, records, n);
    if (good < n)
        memset((char *)records + good * s->format.type->size, 0, (n - good) * s->format.type->size);
    return good;
}

bool cell_stream_ready(struct cell_stream *s)
{
    return !s || has_some(s) || s->error.status < 0 || s->over || s->writes || s->ops->ready(s);
}

int cell_stream_check_wait(const struct cell_stream *s, uint64_t since_ns, struct cell_error *e)
{
    if (!s->most_wait_ms || cell_now_ns() - since_ns < s->most_wait_ms * CELL_NS_PER_MS)
        return CELL_OK;
    return cell_error_set(e, CELL_DEADLINE_EXCEEDED, "its client has taken nothing for %u ms", s->most_wait_ms);
}

void cell_ctx_limit_stream(cell_ctx *c, uint32_t ms)
{
    if (c && c->stream)
        c->stream->most_wait_ms = ms;
}

struct cell_stream *cell_ctx_stream(cell_ctx *c) { return c ? c->stream : NULL; }
