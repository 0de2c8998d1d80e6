/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* `cell call` to a cell of another host: the same request and reply as documents. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "core/json_call.h"
#include "transport/http.h"
#include "wire/message.h"
#include "wire/records.h"

#define MAX_REPLY (2 * (size_t)CELL_MAX_MESSAGE + (1u << 20))

static uint64_t call_deadline(uint64_t timeout_ms)
{
    return timeout_ms ? cell_now_ns() + timeout_ms * CELL_NS_PER_MS : CELL_NO_DEADLINE;
}

/* What a request is made of. */
struct https_parts {
    struct cell_buffer json;
    char path[CELL_MAX_NAME + 16], fingerprint[96], timeout[48];
    const char *headers[3];
};

static int write_request(struct call *c, const struct cell_buffer *meta, uint64_t timeout_ms, struct https_parts *p,
                         struct cell_http_request *q, struct cell_error *e)
{
    snprintf(p->path, sizeof(p->path), "/v1/call/%s", c->descriptor->name);
    snprintf(p->fingerprint, sizeof(p->fingerprint), "Cell-Fingerprint: %s", c->schema->fingerprint);
    snprintf(p->timeout, sizeof(p->timeout), "Cell-Timeout-Ms: %" PRIu64, timeout_ms);
    p->headers[0] = p->fingerprint;
    p->headers[1] = timeout_ms && !c->descriptor->stream ? p->timeout : NULL; /* a stream's is that of each step */
    p->headers[2] = NULL;
    cell_json_put_request(&p->json, c->descriptor, c->request, meta->data, meta->len);
    if (!cell_buffer_ok(&p->json))
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    *q = (struct cell_http_request){.method = "POST",
                                    .path = p->path,
                                    .headers = p->headers,
                                    .body = p->json.data,
                                    .len = p->json.len,
                                    .max_reply = MAX_REPLY,
                                    .lines = c->descriptor->stream != NULL,
                                    .deadline_ns = call_deadline(timeout_ms)};
    return CELL_OK;
}

/* The reply as it would have come over a socket. */
static int read_reply(struct call *c, const char *json, size_t len, struct cell_buffer *meta,
                      struct cell_buffer *message, int *code, struct cell_error *e)
{
    const struct cell_method *d = c->descriptor;
    const struct value_env env = {.arena = &c->arena};
    const struct cell_layout layout = {
        .fields = d->out, .n = d->nout, .size = d->nout * (uint32_t)sizeof(struct cell_ref)};
    struct cell_ref *refs = cell_arena_array(&c->arena, d->nout + 1, sizeof(*refs));
    int r = refs ? cell_json_take_reply(json, len, &env, d, code, refs, meta, e)
                 : cell_error_set(e, CELL_NO_MEMORY, "out of memory");

    if (r >= 0 && *code >= 0)
        r = cell_message_encode(&layout, refs, CELL_MAX_MESSAGE, message, e);
    return r < 0 ? (cell_error_wrap(e, "%s answered with a document that is invalid", c->cell), r) : r;
}

static struct cell_link_reply reply_of(int code, const struct cell_buffer *meta, const struct cell_buffer *message)
{
    return (struct cell_link_reply){code, (const uint8_t *)(meta->data ? meta->data : ""), meta->len,
                                    (const uint8_t *)(message->data ? message->data : ""), message->len};
}

int call_https(struct call *c, const struct cell_buffer *request_meta, uint64_t timeout_ms, struct cell_buffer *meta,
               struct cell_buffer *message, struct cell_link_reply *reply, struct cell_error *e)
{
    struct cell_http *http = NULL;
    struct cell_http_request q;
    struct cell_http_reply got;
    struct https_parts parts = {0};
    int code = CELL_OK;
    int r = cell_http_open(c->address, c->cell, &http, e);

    if (r >= 0)
        r = write_request(c, request_meta, timeout_ms, &parts, &q, e);
    if (r >= 0)
        r = cell_http_request(http, &q, &got, NULL, e);
    if (r >= 0)
        r = read_reply(c, got.body, got.len, meta, message, &code, e);
    if (r >= 0)
        *reply = reply_of(code, meta, message);
    cell_buffer_free(&parts.json);
    cell_http_close(http);
    return r;
}

/* ---- streams ---- */

/* 1: its records were printed; 0: it is the reply. *exit is not CLI_OK: printing failed, which was reported. */
static int print_line(struct call *c, const struct cell_type *list, const char *line, size_t len,
                      struct cell_arena *arena, int *exit, struct cell_error *e)
{
    const struct value_env env = {.arena = arena};
    struct cell_ref records = {0};

    cell_arena_reset(arena);
    int r = cell_json_take_records(line, len, &env, list, &records, e);
    for (uint64_t i = 0; r > 0 && i < records.len && *exit == CLI_OK; i++)
        *exit = call_print_record(c, list->elem, (const char *)records.ptr + i * list->elem->size);
    return r < 0 ? (cell_error_wrap(e, "%s sent records that are invalid", c->cell), r) : r;
}

static int print_lines(struct call *c, struct cell_http *http, uint64_t timeout_ms, struct cell_buffer *meta,
                       struct cell_buffer *message, int *code, int *exit, struct cell_error *e)
{
    struct cell_arena arena = {.limit = CELL_MAX_DECODED};
    struct cell_records format;
    const char *line;
    size_t len;
    int r = 1;

    cell_records_init(&format, c->descriptor->stream->type);
    while (r > 0 && *exit == CLI_OK) {
        r = cell_http_line(http, call_deadline(timeout_ms), &line, &len, e);
        if (r == 0)
            r = cell_error_set(e, CELL_UNAVAILABLE, "the stream was cut off before it had ended");
        if (r > 0)
            r = print_line(c, &format.list, line, len, &arena, exit, e);
        if (r == 0)
            r = read_reply(c, line, len, meta, message, code, e) < 0 ? e->status : 0;
    }
    cell_arena_free(&arena);
    return r;
}

int call_https_stream(struct call *c, const struct cell_buffer *request_meta, uint64_t timeout_ms,
                      struct cell_buffer *meta, struct cell_buffer *message, struct cell_link_reply *reply,
                      bool *replied, struct cell_error *e)
{
    struct cell_http *http = NULL;
    struct cell_http_request q;
    struct https_parts parts = {0};
    int code = CELL_OK, exit = CLI_OK;
    int r =
        c->descriptor->flags & CELL_METHOD_WRITES
            ? cell_error_set(e, CELL_UNIMPLEMENTED, "a stream of records that go to a cell is not carried over HTTPS")
            : cell_http_open(c->address, c->cell, &http, e);

    if (r >= 0)
        r = write_request(c, request_meta, timeout_ms, &parts, &q, e);
    if (r >= 0)
        r = cell_http_begin(http, &q, e);
    if (r >= 0)
        r = print_lines(c, http, timeout_ms, meta, message, &code, &exit, e);
    if (r == 0)
        *reply = reply_of(code, meta, message);
    *replied = exit == CLI_OK;
    cell_http_close(http);
    cell_buffer_free(&parts.json);
    return exit == CLI_OK ? r : exit;
}
