/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Calls to cells of other hosts: one request each, docs/protocol.md "HTTPS". A call is made again only when its method
 * is idempotent, or when the cell wants to see the schema of this program first. What is asynchronous is done at once;
 * streams are in stream_https.c.
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

/* ---- origins ---- */

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

void cell_https_free_origin(struct https_origin *o)
{
    cell_http_close(o->http);
    free(o);
}

void cell_https_give_origin(struct cell_client *client, struct https_origin *o)
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
        cell_https_free_origin(o);
}

void cell_client_forget_origins(struct cell_client *client)
{
    while (client->origins) {
        struct https_origin *o = client->origins;
        client->origins = o->next;
        cell_https_free_origin(o);
    }
}

int cell_https_take_origin(const struct client_call *k, const char *address, struct https_origin **origin,
                           struct cell_error *e)
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

bool cell_https_is_cancelled(void *user)
{
    cell_ctx *c = user;
    if (!atomic_load(&c->cancelled) && c->origin && c->origin->gone && c->origin->gone(c->origin))
        atomic_store(&c->cancelled, true);
    return atomic_load(&c->cancelled);
}

int cell_https_check_who(const struct https_origin *o, const struct cell_service *s, struct cell_error *e)
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
int cell_https_send_schema(cell_ctx *c, const struct client_call *k, struct https_origin *o, struct cell_error *e)
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
                                            .cancelled = cell_https_is_cancelled,
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

void cell_https_describe_call(const struct client_call *k, const struct https_origin *o, struct https_head *head)
{
    snprintf(head->path, sizeof(head->path), "/v1/call/%s", k->method->name);
    snprintf(head->fingerprint, sizeof(head->fingerprint), "Cell-Fingerprint: %.64s",
             o->described == k->service ? o->fingerprint : k->service->fingerprint);
    snprintf(head->method, sizeof(head->method), "Cell-Method: %" PRIu32, k->id);
    snprintf(head->timeout, sizeof(head->timeout), "Cell-Timeout-Ms: %" PRIu32, k->timeout_ms);
    head->lines[0] = head->fingerprint;
    head->lines[1] = head->method;
    head->lines[2] = k->timeout_ms ? head->timeout : NULL;
    head->lines[3] = NULL;
}

static int post(cell_ctx *c, const struct client_call *k, struct https_origin *o, const struct cell_buffer *json,
                struct cell_http_reply *got, bool *sent, struct cell_error *e)
{
    struct https_head head;
    const struct cell_http_request q = {.method = "POST",
                                        .path = head.path,
                                        .headers = head.lines,
                                        .body = json->data,
                                        .len = json->len,
                                        .max_reply = HTTPS_MAX_REPLY,
                                        .deadline_ns = c->deadline_ns,
                                        .cancelled = cell_https_is_cancelled,
                                        .user = c};
    for (unsigned attempt = 0;; attempt++) {
        cell_https_describe_call(k, o, &head);
        int r = cell_http_request(o->http, &q, got, sent, e);
        if (r < 0 && r == CELL_UNAVAILABLE && *sent && (k->method->flags & CELL_METHOD_IDEMPOTENT) && attempt == 0)
            continue;
        if (r >= 0)
            r = cell_https_check_who(o, k->service, e);
        if (r < 0 || got->status != 428 || attempt > 0)
            return r;
        r = cell_https_send_schema(c, k, o, e);
        if (r < 0)
            return r;
    }
}

/* ---- the reply ---- */

bool cell_https_skips(const struct client_call *k, const struct https_origin *o)
{
    return strcmp(cell_http_header(o->http, "Cell-Fingerprint"), k->service->fingerprint) != 0;
}

int cell_https_read_reply(const struct client_call *k, bool skips, const char *json, size_t len,
                          struct https_reply_message *reply, struct cell_error *e)
{
    const struct cell_method *m = k->method;
    struct cell_arena arena = {.limit = CELL_MAX_DECODED};
    const struct value_env env = {.arena = &arena, .skips_unknown = skips};
    const struct cell_layout layout = {
        .fields = m->out, .n = m->nout, .size = m->nout * (uint32_t)sizeof(struct cell_ref)};
    struct cell_ref *refs = cell_arena_array(&arena, m->nout + 1, sizeof(*refs));
    int r = refs ? cell_json_take_reply(json, len, &env, m, &reply->code, refs, &reply->meta, e)
                 : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    if (r >= 0 && reply->code >= 0)
        r = cell_message_encode(&layout, refs, CELL_MAX_MESSAGE, &reply->message, e);
    if (r < 0) {
        r = cell_error_set(e, r == CELL_INVALID_ARGUMENT ? CELL_PROTOCOL_ERROR : r, "%s", e->text);
        cell_error_wrap(e, "%s: reply", m->name);
    }
    cell_arena_free(&arena);
    return r;
}

int cell_https_take_reply(cell_ctx *c, const struct client_call *k, const struct https_reply_message *reply)
{
    return cell_take_reply(c, k, reply->code, (const uint8_t *)(reply->meta.data ? reply->meta.data : ""),
                           reply->meta.len, (const uint8_t *)reply->message.data, reply->message.len);
}

void cell_https_free_reply(struct https_reply_message *reply)
{
    cell_buffer_free(&reply->meta);
    cell_buffer_free(&reply->message);
}

/* As a message, which is checked and taken like that of a socket. */
static int take(cell_ctx *c, const struct client_call *k, const struct https_origin *o,
                const struct cell_http_reply *got)
{
    struct https_reply_message reply = {0};
    struct cell_error e = {0};
    int r = cell_https_read_reply(k, cell_https_skips(k, o), got->body, got->len, &reply, &e);
    r = r < 0 ? cell_fail(c, r, "%s", e.text) : cell_https_take_reply(c, k, &reply);
    cell_https_free_reply(&reply);
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
    int r = cell_buffer_ok(&json) ? cell_https_take_origin(k, address, &o, &e)
                                  : cell_error_set(&e, CELL_NO_MEMORY, "out of memory");
    if (r >= 0)
        r = post(c, k, o, &json, &got, &sent, &e);
    cell_buffer_free(&json);
    r = r < 0 ? fail_call(c, k, r, sent, &e) : take(c, k, o, &got);
    if (o)
        cell_https_give_origin(k->client, o);
    return r;
}
