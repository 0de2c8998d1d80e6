/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "ask/link_https.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_call.h"
#include "core/schema.h"
#include "transport/http.h"
#include "wire/limits.h"

struct https_link {
    struct cell_http *http;
    enum cell_channel channel;
    struct cell_buffer meta;  /* of the last reply */
    struct cell_buffer state; /* the answer to the next question for the state; "" = it has to be asked */
};

/* ---- answers ---- */

/* What the cell says of itself with each answer. */
static int read_greeting(const struct cell_http *h, const char *cell, struct cell_greeting *server,
                         struct cell_error *e)
{
    const char *name = cell_http_header(h, "Cell-Name");
    if (!name[0] || strlen(name) >= sizeof(server->cell))
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "%s: what answers there is no cell", cell_http_address(h));
    if (cell && cell[0] && strcmp(cell, name) != 0)
        return cell_error_set(e, CELL_NOT_FOUND, "%s: cell '%.63s' answers there, not '%s'", cell_http_address(h), name,
                              cell);
    strcpy(server->cell, name);
    const char *fingerprint = cell_http_header(h, "Cell-Fingerprint");
    if (strlen(fingerprint) != CELL_FINGERPRINT_LEN)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "%s: its answer names no schema", cell_http_address(h));
    strcpy(server->fingerprint, fingerprint);
    return CELL_OK;
}

/* An answer that is none of success: what it says, as metadata and code. */
static int read_error(struct https_link *l, const struct cell_http_reply *got, int *code, struct cell_error *e)
{
    struct cell_arena arena = {.limit = CELL_MAX_COMPILE_REPLY};
    const struct value_env env = {.arena = &arena, .skips_unknown = true};
    int r = cell_json_take_reply(got->body, got->len, &env, NULL, code, NULL, &l->meta, e);
    cell_arena_free(&arena);
    if (r < 0)
        return cell_error_wrap(e, "%s: it answered with HTTP %u and a document of another kind",
                               cell_http_address(l->http), got->status);
    return CELL_OK;
}

static int exchange(struct https_link *l, const struct cell_http_request *q, struct cell_link_reply *reply,
                    struct cell_error *e)
{
    struct cell_http_reply got;
    int code = CELL_OK;
    l->meta.len = 0;
    int r = cell_http_request(l->http, q, &got, NULL, e);
    if (r >= 0 && got.status != 200)
        r = read_error(l, &got, &code, e);
    if (r < 0)
        return r;
    const char *signature = cell_http_header(l->http, "Cell-Signature");
    if (code >= 0 && signature[0])
        r = cell_meta_append(&l->meta, CELL_META_SIGNATURE, signature, strlen(signature));
    if (r < 0)
        return cell_error_set(e, r, "%s: the signature is too large", cell_http_address(l->http));
    *reply = (struct cell_link_reply){code, (const uint8_t *)(l->meta.data ? l->meta.data : ""), l->meta.len,
                                      (const uint8_t *)got.body, code < 0 ? 0 : got.len};
    return CELL_OK;
}

/* ---- opening ---- */

static int greet(struct https_link *l, const char *cell, uint64_t deadline_ns, struct cell_greeting *server,
                 struct cell_error *e)
{
    const struct cell_http_request q = {
        .method = "GET", .path = "/v1/cell", .max_reply = CELL_MAX_HELLO, .deadline_ns = deadline_ns};
    struct cell_link_reply reply;
    struct cell_meta_pair pair;
    char text[CELL_ERROR_TEXT] = "";
    int r = exchange(l, &q, &reply, e);
    if (r < 0)
        return r;
    if (reply.code < 0) {
        if (cell_meta_find(reply.meta, reply.meta_len, CELL_META_MESSAGE, &pair) == CELL_OK)
            cell_text_from_peer(pair.value, pair.value_len, text, sizeof(text));
        int code = reply.code >= CELL_UNKNOWN_OUTCOME ? reply.code : CELL_UNKNOWN;
        return cell_error_set(e, code, "%s: %s", cell_http_address(l->http), text);
    }
    r = read_greeting(l->http, cell, server, e);
    const char *state = r < 0 ? "" : cell_http_header(l->http, "Cell-State");
    if (state[0] && cell_is_state(state, strlen(state)))
        cell_buffer_printf(&l->state, "{\"state\":\"%s\"}", state);
    return r;
}

int cell_https_link_open(const char *address, const char *cell, enum cell_channel channel, uint64_t deadline_ns,
                         struct https_link **link, struct cell_greeting *server, struct cell_error *e)
{
    if (channel == CELL_CHANNEL_APP)
        return cell_error_set(e, CELL_UNIMPLEMENTED, "%s: frames of calls are not carried over HTTPS", address);
    struct https_link *l = calloc(1, sizeof(*l));
    if (!l)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    l->channel = channel;
    int r = cell_http_open(address, cell && cell[0] ? cell : NULL, &l->http, e);
    if (r >= 0 && channel == CELL_CHANNEL_COMPILE)
        r = greet(l, cell, deadline_ns, server, e);
    if (r < 0) {
        cell_https_link_close(l);
        return r;
    }
    *link = l;
    return CELL_OK;
}

void cell_https_link_close(struct https_link *l)
{
    if (!l)
        return;
    cell_http_close(l->http);
    cell_buffer_free(&l->meta);
    cell_buffer_free(&l->state);
    free(l);
}

/* ---- requests ---- */

static const char *path_of(enum cell_channel channel, int32_t method, bool *has_body)
{
    *has_body = channel == CELL_CHANNEL_COMPILE && method != CELL_COMPILE_SCHEMA;
    if (channel == CELL_CHANNEL_OPS)
        return method == CELL_OPS_HEALTH ? "/v1/health" : method == CELL_OPS_METRICS ? "/v1/metrics" : NULL;
    switch (method) {
    case CELL_COMPILE_SCHEMA:
        return "/v1/schema";
    case CELL_COMPILE_EXPAND:
        return "/v1/expand";
    case CELL_COMPILE_APPLY:
        return "/v1/apply";
    case CELL_COMPILE_STATE:
        return "/v1/state";
    default:
        return NULL;
    }
}

/* The state came with the greeting, and nothing was asked since: it need not be asked. */
static bool know_state(struct https_link *l, int32_t method, struct cell_link_reply *reply)
{
    bool knows = l->channel == CELL_CHANNEL_COMPILE && method == CELL_COMPILE_STATE && l->state.len;
    if (knows)
        *reply =
            (struct cell_link_reply){CELL_OK, (const uint8_t *)"", 0, (const uint8_t *)l->state.data, l->state.len};
    return knows;
}

int cell_https_link_request(struct https_link *l, int32_t method, const void *json, size_t len, uint32_t timeout_ms,
                            uint64_t deadline_ns, struct cell_link_reply *reply, struct cell_error *e)
{
    char timeout[48];
    const char *headers[] = {timeout, NULL};
    bool has_body;
    const char *path = path_of(l->channel, method, &has_body);
    if (know_state(l, method, reply)) {
        l->state.len = 0; /* once: later it may be another one */
        return CELL_OK;
    }
    if (!path)
        return cell_error_set(e, CELL_UNIMPLEMENTED, "%s: this is not asked over HTTPS; ask the cell on its own host",
                              cell_http_address(l->http));
    if (method != CELL_COMPILE_SCHEMA || l->channel != CELL_CHANNEL_COMPILE)
        l->state.len = 0;
    snprintf(timeout, sizeof(timeout), "Cell-Timeout-Ms: %" PRIu32, timeout_ms);
    const struct cell_http_request q = {.method = has_body ? "POST" : "GET",
                                        .path = path,
                                        .headers = timeout_ms ? headers : NULL,
                                        .body = has_body ? json : NULL,
                                        .len = len,
                                        .max_reply = l->channel == CELL_CHANNEL_OPS ? CELL_MAX_OPS_REPLY
                                                                                    : CELL_MAX_COMPILE_REPLY,
                                        .deadline_ns = deadline_ns};
    return exchange(l, &q, reply, e);
}
