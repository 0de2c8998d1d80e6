/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* `cell call` to a cell of another host: the same request and reply as documents. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "core/json_call.h"
#include "transport/http.h"
#include "wire/message.h"

#define MAX_REPLY (2 * (size_t)CELL_MAX_MESSAGE + (1u << 20))

static int exchange(struct call *c, struct cell_http *http, const struct cell_buffer *json, uint64_t timeout_ms,
                    struct cell_http_reply *got, struct cell_error *e)
{
    char path[CELL_MAX_NAME + 16], fingerprint[96], timeout[48];
    const char *headers[] = {fingerprint, timeout_ms ? timeout : NULL, NULL};
    const struct cell_http_request q = {.method = "POST",
                                        .path = path,
                                        .headers = headers,
                                        .body = json->data,
                                        .len = json->len,
                                        .max_reply = MAX_REPLY,
                                        .deadline_ns = timeout_ms ? cell_now_ns() + timeout_ms * CELL_NS_PER_MS
                                                                  : CELL_NO_DEADLINE};

    snprintf(path, sizeof(path), "/v1/call/%s", c->descriptor->name);
    snprintf(fingerprint, sizeof(fingerprint), "Cell-Fingerprint: %s", c->schema->fingerprint);
    snprintf(timeout, sizeof(timeout), "Cell-Timeout-Ms: %" PRIu64, timeout_ms);
    return cell_http_request(http, &q, got, NULL, e);
}

/* The reply as it would have come over a socket. */
static int read_reply(struct call *c, const struct cell_http_reply *got, struct cell_buffer *meta,
                      struct cell_buffer *message, int *code, struct cell_error *e)
{
    const struct cell_method *d = c->descriptor;
    const struct value_env env = {.arena = &c->arena};
    const struct cell_layout layout = {
        .fields = d->out, .n = d->nout, .size = d->nout * (uint32_t)sizeof(struct cell_ref)};
    struct cell_ref *refs = cell_arena_array(&c->arena, d->nout + 1, sizeof(*refs));
    int r = refs ? cell_json_take_reply(got->body, got->len, &env, d, code, refs, meta, e)
                 : cell_error_set(e, CELL_NO_MEMORY, "out of memory");

    if (r >= 0 && *code >= 0)
        r = cell_message_encode(&layout, refs, CELL_MAX_MESSAGE, message, e);
    return r < 0 ? (cell_error_wrap(e, "%s answered with a document that is invalid", c->cell), r) : r;
}

int call_https(struct call *c, const struct cell_buffer *request_meta, uint64_t timeout_ms, struct cell_buffer *meta,
               struct cell_buffer *message, struct cell_link_reply *reply, struct cell_error *e)
{
    struct cell_http *http = NULL;
    struct cell_http_reply got;
    struct cell_buffer json = {0};
    int code = CELL_OK;
    int r = c->descriptor->stream ? cell_error_set(e, CELL_UNIMPLEMENTED, "streams are not carried over HTTPS")
                                  : cell_http_open(c->address, c->cell, &http, e);

    cell_json_put_request(&json, c->descriptor, c->request, request_meta->data, request_meta->len);
    if (r >= 0 && !cell_buffer_ok(&json))
        r = cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    if (r >= 0)
        r = exchange(c, http, &json, timeout_ms, &got, e);
    if (r >= 0)
        r = read_reply(c, &got, meta, message, &code, e);
    if (r >= 0)
        *reply = (struct cell_link_reply){code, (const uint8_t *)(meta->data ? meta->data : ""), meta->len,
                                          (const uint8_t *)(message->data ? message->data : ""), message->len};
    cell_buffer_free(&json);
    cell_http_close(http);
    return r;
}
