/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Calls to cells of other hosts: one request each, docs/protocol.md "HTTPS". A call is made again only when its method
 * is idempotent, or when the cell wants to see the schema of this program first. Streams are not carried, and what is
 * asynchronous is done at once.
 */
#include "https.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_call.h"
#include "core/schema.h"
#include "pool.h"
#include "transport/http.h"
#include "wire/hello.h"

#define MOST_IDLE 8u
/* Base64 takes less and hexadecimal twice as much, and names of fields come on top. */
#define MAX_REPLY (2 * (size_t)CELL_MAX_MESSAGE + (1u << 20))

/* ---- origins ---- */

/* A connection that no call uses; its credentials are those of one cell. */
struct https_origin {
    struct https_origin *next;
    struct cell_http *http;
    char cell[CELL_MAX_CELL_NAME + 1];
    /* The schema that was sent for this service: what its descriptors stand for, which is not all that the cell had
     * when the program was compiled. NULL: none was asked for. */
    const struct cell_service *described;
    char fingerprint[CELL_FINGERPRINT_LEN + 1];
};

const char *cell_https_address(cell_ctx *c, const struct client_call *k)
{
    if (c->lease && c->lessor == k->client) /* its cell is on this host */
        return NULL;
    return cell_client_address(k->client, k->service->name, cell_http_is);
}

static struct https_origin *pop(struct cell_client *client, const char *cell)
{
    struct https_origin **at, *found = NULL;
    pthread_mutex_lock(&client->lock);
    for (at = &client->origins; *at && strcmp((*at)->cell, cell) != 0; at = &(*at)->next)
        continue;
    if (*at) {
        found = *at;
        *at = found->next;
    }
    pthread_mutex_unlock(&client->lock);
    return found;
}

static void free_origin(struct https_origin *o)
{
    cell_http_close(o->http);
    free(o);
}

static void push(struct cell_client *client, struct https_origin *o)
{
    unsigned n = 0;
    pthread_mutex_lock(&client->lock);
    for (const struct https_origin *p = client->origins; p; p = p->next)
        n++;
    if (n < MOST_IDLE) {
        o->next = client->origins;
        client->origins = o;
        o = NULL;
    }
    pthread_mutex_unlock(&client->lock);
    if (o)
        free_origin(o);
}

void cell_client_forget_origins(struct cell_client *client)
{
    while (client->origins) {
        struct https_origin *o = client->origins;
        client->origins = o->next;
        free_origin(o);
    }
}

static int open_origin(struct client_call *k, const char *address, struct https_origin **origin, struct cell_error *e)
{
    struct https_origin *o = pop(k->client, k->service->name);
    if (!o) {
        o = calloc(1, sizeof(*o));
        if (!o)
            return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
        snprintf(o->cell, sizeof(o->cell), "%s", k->service->name);
        int r = cell_http_open(address, o->cell, &o->http, e);
        if (r < 0) {
            free(o);
            return r;
        }
    }
    *origin = o;
    return CELL_OK;
}

/* ---- requests ---- */

static bool is_cancelled(void *user)
{
    cell_ctx *c = user;
    if (!atomic_load(&c->cancelled) && c->origin && c->origin->gone && c->origin->gone(c->origin))
        atomic_store(&c->cancelled, true);
    return atomic_load(&c->cancelled);
}

static int check_who(const struct https_origin *o, const struct cell_service *s, struct cell_error *e)
{
    const char *name = cell_http_header(o->http, "Cell-Name");
    if (name[0] && strcmp(name, s->name) != 0)
        return cell_error_set(e, CELL_NOT_FOUND, "the cell there is '%.63s', not '%s'", name, s->name);
    return CELL_OK;
}

/* What an answer that is an error says, as an error of ours. */
static int take_refusal(const struct cell_http_reply *got, struct cell_error *e)
{
    struct cell_arena arena = {.limit = CELL_MAX_COMPILE_REPLY};
    const struct value_env env = {.arena = &arena, .skips_unknown = true};
    struct cell_buffer meta = {0};
    struct cell_meta_pair p;
    char text[CELL_ERROR_TEXT] = "";
    int code = CELL_UNKNOWN;
    int r = cell_json_take_reply(got->body, got->len, &env, NULL, &code, NULL, &meta, e);
    if (r >= 0) {
        if (cell_meta_find((const uint8_t *)meta.data, meta.len, CELL_META_MESSAGE, &p) == CELL_OK)
            cell_text_from_peer(p.value, p.value_len, text, sizeof(text));
        r = cell_error_set(e, cell_status_normal(code), "%s", text[0] ? text : cell_status_text(code));
    }
    cell_buffer_free(&meta);
    cell_arena_free(&arena);
    return r;
}

/* The cell was built from another schema, and wants to compare. */
static int send_schema(cell_ctx *c, const struct client_call *k, struct https_origin *o, struct cell_error *e)
{
    struct cell_schema *schema = NULL;
    struct cell_buffer json = {0};
    struct cell_http_reply got;
    int r = cell_schema_from_service(k->service, &schema, e);
    if (r >= 0 && cell_schema_format(schema, &json) < 0)
        r = cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    if (r >= 0) {
        const struct cell_http_request q = {.method = "PUT",
                                            .path = "/v1/client",
                                            .body = json.data,
                                            .len = json.len,
                                            .max_reply = CELL_MAX_HELLO,
                                            .deadline_ns = c->deadline_ns,
                                            .cancelled = is_cancelled,
                                            .user = c};
        r = cell_http_request(o->http, &q, &got, NULL, e);
        if (r >= 0 && got.status != 200)
            r = take_refusal(&got, e);
    }
    if (r >= 0) {
        strcpy(o->fingerprint, schema->fingerprint);
        o->described = k->service;
    }
    cell_schema_free(schema);
    cell_buffer_free(&json);
    return r;
}

static int post(cell_ctx *c, const struct client_call *k, struct https_origin *o, const struct cell_buffer *json,
                struct cell_http_reply *got, bool *sent, struct cell_error *e)
{
    char path[CELL_MAX_NAME + 16], fingerprint[96], method[32], timeout[48];
    const char *headers[] = {fingerprint, method, k->timeout_ms ? timeout : NULL, NULL};
    snprintf(path, sizeof(path), "/v1/call/%s", k->method->name);
    snprintf(method, sizeof(method), "Cell-Method: %" PRIu32, k->id);
    snprintf(timeout, sizeof(timeout), "Cell-Timeout-Ms: %" PRIu32, k->timeout_ms);
    const struct cell_http_request q = {.method = "POST",
                                        .path = path,
                                        .headers = headers,
                                        .body = json->data,
                                        .len = json->len,
                                        .max_reply = MAX_REPLY,
                                        .deadline_ns = c->deadline_ns,
                                        .cancelled = is_cancelled,
                                        .user = c};
    for (unsigned attempt = 0;; attempt++) {
        snprintf(fingerprint, sizeof(fingerprint), "Cell-Fingerprint: %.64s",
                 o->described == k->service ? o->fingerprint : k->service->fingerprint);
        int r = cell_http_request(o->http, &q, got, sent, e);
        if (r < 0 && r == CELL_UNAVAILABLE && *sent && (k->method->flags & CELL_METHOD_IDEMPOTENT) && attempt == 0)
            continue;
        if (r >= 0)
            r = check_who(o, k->service, e);
        if (r < 0 || got->status != 428 || attempt > 0)
            return r;
        r = send_schema(c, k, o, e);
        if (r < 0)
            return r;
    }
}

/* ---- the reply ---- */

/* As a message, which is checked and taken like that of a socket. */
static int take(cell_ctx *c, const struct client_call *k, const struct https_origin *o,
                const struct cell_http_reply *got)
{
    const struct cell_method *m = k->method;
    struct cell_arena arena = {.limit = CELL_MAX_DECODED};
    const char *fingerprint = cell_http_header(o->http, "Cell-Fingerprint");
    const struct value_env env = {.arena = &arena, .skips_unknown = strcmp(fingerprint, k->service->fingerprint) != 0};
    const struct cell_layout layout = {
        .fields = m->out, .n = m->nout, .size = m->nout * (uint32_t)sizeof(struct cell_ref)};
    struct cell_ref *refs = cell_arena_array(&arena, m->nout + 1, sizeof(*refs));
    struct cell_buffer meta = {0}, message = {0};
    struct cell_error e = {0};
    int code = CELL_OK;
    int r = refs ? cell_json_take_reply(got->body, got->len, &env, m, &code, refs, &meta, &e)
                 : cell_error_set(&e, CELL_NO_MEMORY, "out of memory");
    if (r >= 0 && code >= 0)
        r = cell_message_encode(&layout, refs, CELL_MAX_MESSAGE, &message, &e);
    if (r < 0)
        r = cell_fail(c, r == CELL_INVALID_ARGUMENT ? CELL_PROTOCOL_ERROR : r, "%s: reply: %s", m->name, e.text);
    else
        r = cell_take_reply(c, k, code, (const uint8_t *)(meta.data ? meta.data : ""), meta.len,
                            (const uint8_t *)message.data, message.len);
    cell_buffer_free(&meta);
    cell_buffer_free(&message);
    cell_arena_free(&arena);
    return r;
}

static int fail_call(cell_ctx *c, const struct client_call *k, int r, bool sent, struct cell_error *e)
{
    if (r == CELL_CANCELLED || atomic_load(&c->cancelled))
        return cell_fail(c, CELL_CANCELLED, "%s: %s", k->method->name, cell_status_text(CELL_CANCELLED));
    if (r == CELL_DEADLINE_EXCEEDED)
        return cell_fail(c, r, "%s: %s", k->method->name, cell_status_text(r));
    if (r == CELL_UNAVAILABLE && sent)
        return cell_fail(c, CELL_UNKNOWN_OUTCOME,
                         "%s: the connection was lost before %s was answered; it may have been executed: %s",
                         k->service->name, k->method->name, e->text);
    return cell_fail(c, r, "%s: %s", k->service->name, e->text);
}

int cell_call_https(cell_ctx *c, struct client_call *k, const char *address)
{
    struct https_origin *o = NULL;
    struct cell_http_reply got;
    struct cell_buffer json = {0};
    struct cell_error e = {0};
    bool sent = false;
    k->in_place = false; /* a reply is private memory in any case */
    cell_json_put_request(&json, k->method, k->in, c->meta.data, c->meta.len);
    int r =
        cell_buffer_ok(&json) ? open_origin(k, address, &o, &e) : cell_error_set(&e, CELL_NO_MEMORY, "out of memory");
    if (r >= 0)
        r = post(c, k, o, &json, &got, &sent, &e);
    cell_buffer_free(&json);
    r = r < 0 ? fail_call(c, k, r, sent, &e) : take(c, k, o, &got);
    if (o)
        push(k->client, o);
    return r;
}
