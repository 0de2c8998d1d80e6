/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Calls over HTTPS: the JSON of a request becomes the message that a socket would have brought, and goes the same way
 * from there (cell_server_answer), with its checks, interceptors and counters. So does the reply, back. A client that
 * was built from another schema sends that first, as in the handshake of the socket.
 */
#include <stdlib.h>
#include <string.h>

#include "core/json_call.h"
#include "server_https.h"

/* ---- the client's schema ---- */

/* *match stays NULL when the client has the server's schema, or says of none. CELL_SCHEMA_MISMATCH: it is not known. */
static int find_match(struct https_call *x, struct server_match **match, struct cell_error *e)
{
    struct cell_server *s = x->conn.server;
    const char *fingerprint = x->request->header(x->request, "Cell-Fingerprint");
    if (!fingerprint || strcmp(fingerprint, s->fingerprint) == 0)
        return CELL_OK;
    *match = cell_server_match_known(s, fingerprint);
    if (*match)
        return CELL_OK;
    x->wants_schema = true;
    return cell_error_set(e, CELL_SCHEMA_MISMATCH,
                          "client and cell were built from different schemas: send yours to /v1/client first");
}

void cell_https_schema(struct https_call *x)
{
    struct cell_server *s = x->conn.server;
    struct cell_schema *client = NULL;
    struct server_match *match = NULL;
    struct cell_error e = {0};
    int r = cell_schema_parse_client(x->request->body, x->request->len, &client, &e);
    if (r >= 0 && strcmp(client->cell, s->cell) != 0) {
        r = cell_error_set(&e, CELL_NOT_FOUND, "the cell here is '%s', not '%s'", s->cell, client->cell);
        cell_schema_free(client);
    } else if (r >= 0) {
        r = cell_server_match(s, client, &match, &e);
    }
    if (r < 0) {
        cell_https_fail(x, &e);
        return;
    }
    cell_buffer_printf(&x->out, "{\"fingerprint\":\"%s\",\"refused\":%u}", match->fingerprint, match->refused);
    /* Kept for a while, as that of a client which has gone. */
    cell_server_match_give(s, match, NULL);
    cell_server_reap(s);
}

/* ---- the method ---- */

/* The id as the client has it: by the name, or of another schema as the client says it. */
static int find_id(struct https_call *x, const struct server_match *match, const char *name, uint32_t *id,
                   struct cell_error *e)
{
    const struct cell_server *s = x->conn.server;
    const struct schema_method *m = match ? NULL : cell_schema_method(s->schema, name);
    const char *number = match ? x->request->header(x->request, "Cell-Method") : NULL;
    size_t digits = number ? strspn(number, "0123456789") : 0;
    if (m)
        *id = (uint32_t)(m - s->schema->methods);
    else if (digits && digits < 9 && !number[digits])
        *id = (uint32_t)strtoul(number, NULL, 10);
    else
        return cell_error_set(e, CELL_UNIMPLEMENTED, "%s has no method '%.127s'", s->cell, name);
    return CELL_OK;
}

static int find_method(struct https_call *x, struct server_match *match, uint32_t id, const struct cell_method **m,
                       struct cell_error *e)
{
    const struct cell_server *s = x->conn.server;
    *m = cell_server_method(s, match, id);
    if (!*m && match && id < match->n)
        return cell_error_set(e, CELL_SCHEMA_MISMATCH, "%s", match->methods[id].why);
    if (!*m)
        return cell_error_set(e, CELL_UNIMPLEMENTED, "%s has no method %u", s->cell, id);
    if ((*m)->stream && (*m)->flags & CELL_METHOD_WRITES)
        return cell_error_set(e, CELL_UNIMPLEMENTED,
                              "%s takes a stream of records, which is not carried over HTTPS: call it on its own host",
                              (*m)->name);
    return CELL_OK;
}

/* ---- the call ---- */

/* From the JSON to a message; the memory of it is not the handler's. */
static int read_request(struct https_call *x, const struct cell_method *m, bool differs, struct cell_buffer *message,
                        struct cell_error *e)
{
    struct cell_arena arena = {.limit = CELL_DEFAULT_MEMORY};
    const struct value_env env = {.arena = &arena, .allows_missing = differs};
    const struct cell_layout layout = {.fields = m->in, .n = m->nin, .size = m->in_size};
    const struct cell_server *s = x->conn.server;
    struct cell_buffer meta = {0};
    void *in = NULL;
    int r = cell_json_take_request(x->request->body, x->request->len, &env, m, &in, &meta, e);
    if (r >= 0)
        r = cell_message_encode(&layout, in, s->options.max_message, message, e);
    if (r >= 0 && meta.len) {
        r = cell_meta_check((const uint8_t *)meta.data, meta.len, e);
        if (r < 0)
            r = cell_error_set(e, CELL_INVALID_ARGUMENT, "the metadata is invalid");
        else if (cell_ctx_receive_metadata(x->c, (const uint8_t *)meta.data, meta.len, false, NULL) < 0)
            r = cell_error_set(e, CELL_RESOURCE_EXHAUSTED, "no memory for the metadata");
    }
    cell_buffer_free(&meta);
    cell_arena_free(&arena);
    return r < 0 ? cell_error_wrap(e, "%s", m->name), r : r;
}

void cell_https_put_reply(struct https_call *x, const struct cell_method *m, const struct cell_buffer *meta)
{
    struct cell_arena arena = {.limit = CELL_MAX_DECODED};
    const struct cell_layout layout = {
        .fields = m->out, .n = m->nout, .size = m->nout * (uint32_t)sizeof(struct cell_ref)};
    struct cell_ref *refs = cell_arena_array(&arena, m->nout + 1, sizeof(*refs));
    struct cell_error e = {0};
    int r = refs ? CELL_OK : cell_error_set(&e, CELL_NO_MEMORY, "out of memory");
    if (r >= 0 && x->code >= 0 && m->nout)
        r = cell_message_decode_in_place(&layout, (const uint8_t *)x->c->message.data, x->c->message.len, &arena, refs,
                                         &e);
    if (r < 0)
        cell_https_fail(x, &e);
    else
        cell_json_put_reply(&x->out, m, x->code, refs, meta ? meta->data : NULL, meta ? meta->len : 0);
    cell_arena_free(&arena);
}

static int carry_out(struct https_call *x, struct server_match *match, const struct cell_method *m, uint32_t id,
                     struct cell_error *e)
{
    struct cell_buffer message = {0};
    const struct cell_buffer *meta = NULL;
    /* What reading takes of memory counts as the handler's: as many at once, and no more. */
    cell_https_enter(x);
    int r = cell_ctx_cancelled(x->c)
                ? cell_error_set(e, CELL_DEADLINE_EXCEEDED, "the deadline passed before its turn came")
                : read_request(x, m, match != NULL, &message, e);
    if (r >= 0)
        x->code = cell_server_answer(x->conn.server, match, NULL, x->c, id, (const uint8_t *)message.data, message.len,
                                     &meta);
    cell_https_leave(x);
    cell_buffer_free(&message);
    if (r >= 0)
        cell_https_put_reply(x, m, meta);
    return r;
}

/* The request is read in a turn of its own: the connection needs its bytes no longer when the handler begins. */
static int begin_stream(struct https_call *x, struct server_match *match, const struct cell_method *m, uint32_t id,
                        struct https_reply *reply, struct cell_error *e)
{
    struct cell_buffer message = {0};
    cell_https_enter(x);
    int r = read_request(x, m, match != NULL, &message, e);
    cell_https_leave(x);
    if (r >= 0)
        r = cell_https_stream(x, match, m, id, &message, reply, e);
    cell_buffer_free(&message);
    return r;
}

bool cell_https_call(struct https_call *x, const char *name, struct https_reply *reply)
{
    struct cell_server *s = x->conn.server;
    struct server_match *match = NULL;
    const struct cell_method *m = NULL;
    struct cell_error e = {0};
    uint32_t id = 0;
    int r = find_match(x, &match, &e);
    if (r >= 0)
        r = find_id(x, match, name, &id, &e);
    if (r >= 0)
        r = find_method(x, match, id, &m, &e);
    if (r >= 0 && m->stream) {
        r = begin_stream(x, match, m, id, reply, &e);
        if (r >= 0)
            return true;
    } else if (r >= 0) {
        r = carry_out(x, match, m, id, &e);
    }
    if (r < 0)
        cell_https_fail(x, &e);
    if (match) {
        cell_server_match_give(s, match, NULL);
        cell_server_reap(s);
    }
    return false;
}
