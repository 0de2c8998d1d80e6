/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "ask/link.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ask/link_https.h"
#include "core/schema.h"
#include "transport/http.h"
#include "wire/hello.h"
#include "wire/limits.h"

struct cell_link {
    struct cell_conn *conn;
    struct https_link *https; /* in its place, to another host */
    enum cell_channel channel;
    uint64_t next_id;
    uint64_t started; /* id of the call that cell_link_start has sent, until it is answered; else 0 */
    uint64_t stream;  /* id of the call whose records are sent and received */
    bool answered;    /* its reply is `reply` */
    struct cell_link_reply reply;
    bool broken; /* what comes next on the connection may belong to something else */
    struct cell_greeting server;
    char path[]; /* of the socket, for errors */
};

static uint32_t channel_limit(enum cell_channel channel)
{
    return channel == CELL_CHANNEL_OPS       ? CELL_MAX_OPS
           : channel == CELL_CHANNEL_COMPILE ? CELL_MAX_COMPILE_REPLY
                                             : CELL_MAX_MESSAGE;
}

/* A negative number that a peer sent, as one of our statuses. */
static int status_of(int code) { return code >= CELL_UNKNOWN_OUTCOME ? code : CELL_UNKNOWN; }

/* Says what an error of the transport means for somebody who waits for `what`. */
static int explain(const char *what, bool leaving, struct cell_error *e)
{
    switch (e->status) {
    case CELL_PROTOCOL_ERROR:
        return cell_error_wrap(e, "it does not keep to the protocol");
    case CELL_DEADLINE_EXCEEDED:
        return cell_error_wrap(e, "it did not answer");
    case CELL_UNAVAILABLE:
        return leaving ? cell_error_set(e, CELL_UNAVAILABLE, "it is shutting down") : cell_error_wrap(e, "no %s", what);
    default:
        return cell_error_wrap(e, "no %s", what);
    }
}

/* Receives one frame other than GOAWAY and checks what every frame must keep. A draining cell still answers what it has
 * accepted, so GOAWAY alone, which comes once at most, ends nothing. */
static int receive(struct cell_link *l, const char *what, struct cell_received *received, uint64_t deadline_ns,
                   struct cell_error *e)
{
    const struct cell_frame *f = &received->frame;
    bool leaving = false;
    for (;;) {
        int r = cell_conn_recv(l->conn, received, deadline_ns, e);
        if (r >= 0 && f->channel != l->channel)
            r = cell_error_set(e, CELL_PROTOCOL_ERROR, "an answer on channel %u, not %u", f->channel,
                               (unsigned)l->channel);
        if (r >= 0 && f->kind != CELL_FRAME_GOAWAY)
            r = cell_meta_check(received->meta, f->meta_len, e);
        else if (r >= 0 && leaving)
            r = cell_error_set(e, CELL_PROTOCOL_ERROR, "a second GOAWAY frame");
        if (r < 0)
            return explain(what, leaving, e);
        if (f->kind != CELL_FRAME_GOAWAY)
            return CELL_OK;
        leaving = true;
    }
}

/* ---- handshake ---- */

static int set_name(char *field, size_t size, const char *text, struct cell_error *e)
{
    size_t len = text ? strlen(text) : 0;
    if (len >= size)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "'%s' is too long", text);
    if (len)
        memcpy(field, text, len + 1);
    return CELL_OK;
}

static int send_hello(struct cell_link *l, const char *cell, const char *fingerprint, uint64_t deadline_ns,
                      struct cell_error *e)
{
    struct cell_greeting hello = {.abi = CELL_ABI_NAME};
    struct cell_buffer b = {0};
    struct cell_frame f;
    const char *program = program_invocation_short_name;
    cell_text_from_peer(program, strlen(program), hello.program, sizeof(hello.program));
    int r = set_name(hello.cell, sizeof(hello.cell), cell, e);
    if (r >= 0)
        r = set_name(hello.fingerprint, sizeof(hello.fingerprint), fingerprint, e);
    if (r >= 0)
        r = cell_greeting_encode(&hello, CELL_FRAME_HELLO, (uint8_t)l->channel, &f, &b, e);
    if (r >= 0) {
        struct iovec v = {b.data, b.len};
        r = cell_conn_send(l->conn, &f, &v, 1, deadline_ns, e);
        if (r < 0)
            explain("greeting", false, e);
    }
    cell_buffer_free(&b);
    return r;
}

static int read_welcome(struct cell_link *l, const char *cell, uint64_t deadline_ns, struct cell_error *e)
{
    struct cell_received received;
    const struct cell_frame *f = &received.frame;
    int r = receive(l, "greeting", &received, deadline_ns, e);
    if (r < 0)
        return r;
    if (f->kind != CELL_FRAME_WELCOME) {
        cell_error_set(e, CELL_PROTOCOL_ERROR, "frame kind %u where WELCOME belongs", f->kind);
        return explain("greeting", false, e);
    }
    if (cell_greeting_decode(f, received.meta, &l->server, e) < 0)
        return explain("greeting", false, e);
    if (f->code < 0) {
        const char *text = l->server.message[0] ? l->server.message : cell_status_text(f->code);
        return cell_error_set(e, status_of(f->code), "%s", text);
    }
    if (cell && cell[0] && l->server.cell[0] && strcmp(cell, l->server.cell) != 0)
        return cell_error_set(e, CELL_NOT_FOUND, "cell '%s' answers there, not '%s'", l->server.cell, cell);
    if (l->server.need_schema)
        return cell_error_set(e, CELL_SCHEMA_MISMATCH, "its schema has changed meanwhile");
    return CELL_OK;
}

/* A link that is not connected yet. */
static int make_link(const char *address, enum cell_channel channel, const struct cell_transport **transport,
                     struct cell_link **out, struct cell_error *e)
{
    *transport = cell_transport_find(address);
    bool https = cell_http_is(address);
    if (!*transport && !https)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "'%s' is no address; they look like unix:/path or https://host",
                              address ? address : "");
    const char *path = https ? address : address + strlen((*transport)->scheme) + 1;
    struct cell_link *l = calloc(1, sizeof(*l) + strlen(path) + 1);
    if (!l)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    memcpy(l->path, path, strlen(path) + 1);
    l->channel = channel;
    l->next_id = 1;
    *out = l;
    return CELL_OK;
}

static int connect_link(struct cell_link *l, const struct cell_transport *transport, const char *address,
                        const char *cell, const char *fingerprint, bool any_owner, uint64_t deadline_ns,
                        struct cell_error *e)
{
    const struct cell_connect_options options = {
        .deadline_ns = deadline_ns, .max_payload = channel_limit(l->channel), .any_owner = any_owner};
    int r = transport->connect(address, &options, &l->conn, e);
    if (r < 0)
        return r;
    r = send_hello(l, cell, fingerprint, deadline_ns, e);
    return r < 0 ? cell_error_wrap(e, "%s", l->path) : r;
}

int cell_link_open(const char *address, const char *cell, enum cell_channel channel, const char *fingerprint,
                   bool any_owner, uint64_t deadline_ns, struct cell_link **out, struct cell_error *e)
{
    const struct cell_transport *transport;
    struct cell_error local = {0};
    struct cell_link *l = NULL;
    e = e ? e : &local;
    int r = make_link(address, channel, &transport, &l, e);
    if (r < 0)
        return r;
    if (!transport)
        r = cell_https_link_open(address, cell, channel, deadline_ns, &l->https, &l->server, e);
    else if ((r = connect_link(l, transport, address, cell, fingerprint, any_owner, deadline_ns, e)) >= 0)
        r = cell_link_welcomed(l, cell, deadline_ns, e);
    if (r < 0) {
        cell_link_close(l);
        return r;
    }
    *out = l;
    return CELL_OK;
}

int cell_link_welcomed(struct cell_link *l, const char *cell, uint64_t deadline_ns, struct cell_error *e)
{
    struct cell_error local = {0};
    e = e ? e : &local;
    int r = read_welcome(l, cell, deadline_ns, e);
    return r < 0 ? cell_error_wrap(e, "%s", l->path) : r;
}

void cell_link_close(struct cell_link *l)
{
    if (!l)
        return;
    cell_https_link_close(l->https);
    if (l->conn)
        cell_conn_close(l->conn);
    free(l);
}

const char *cell_link_cell(const struct cell_link *l) { return l->server.cell; }
const char *cell_link_fingerprint(const struct cell_link *l) { return l->server.fingerprint; }
void cell_link_peer(const struct cell_link *l, struct cell_peer *peer)
{
    *peer = (struct cell_peer){UINT32_MAX, UINT32_MAX, 0};
    if (l->conn)
        cell_conn_peer(l->conn, peer);
}

/* ---- requests ---- */

static int check_reply(const struct cell_frame *f, uint64_t id, struct cell_error *e)
{
    if (f->kind != CELL_FRAME_REPLY)
        cell_error_set(e, CELL_PROTOCOL_ERROR, "frame kind %u where REPLY belongs", f->kind);
    else if (f->id != id)
        cell_error_set(e, CELL_PROTOCOL_ERROR, "an answer to request id %" PRIu64 ", not %" PRIu64, f->id, id);
    else
        return CELL_OK;
    return explain("answer", false, e);
}

static int exchange(struct cell_link *l, const struct cell_frame *request, const struct iovec *parts,
                    struct cell_received *received, uint64_t deadline_ns, struct cell_error *e)
{
    int r = cell_conn_send(l->conn, request, parts, 2, deadline_ns, e);
    if (r < 0)
        return explain("answer", false, e);
    r = receive(l, "answer", received, deadline_ns, e);
    return r < 0 ? r : check_reply(&received->frame, request->id, e);
}

uint32_t cell_link_limit(const struct cell_link *l)
{
    uint32_t limit = channel_limit(l->channel);
    return l->server.max_message && l->server.max_message < limit ? l->server.max_message : limit;
}

/* Whether the request may be sent at all; then *f is its frame. */
static int make_request(struct cell_link *l, int32_t method, size_t meta_len, size_t len, uint32_t timeout_ms,
                        struct cell_frame *f, struct cell_error *e)
{
    uint32_t limit = cell_link_limit(l);
    if (meta_len > CELL_MAX_META_BYTES || meta_len > limit || len > limit - meta_len)
        return cell_error_set(e, CELL_TOO_LARGE, "%s: the request of %zu bytes is over the limit of %u", l->path,
                              meta_len + len, limit);
    if (l->broken)
        return cell_error_set(e, CELL_UNAVAILABLE, "%s: the connection is broken", l->path);
    *f = (struct cell_frame){.kind = CELL_FRAME_CALL,
                             .channel = (uint8_t)l->channel,
                             .code = method,
                             .timeout_ms = timeout_ms,
                             .id = l->next_id++,
                             .meta_len = (uint16_t)meta_len,
                             .length = (uint32_t)(meta_len + len)};
    return CELL_OK;
}

static int fail_link(struct cell_link *l, int r, struct cell_error *e)
{
    l->broken = true;
    cell_error_wrap(e, "%s", l->path);
    return r;
}

static struct cell_link_reply reply_of(const struct cell_received *r)
{
    return (struct cell_link_reply){r->frame.code, r->meta, r->frame.meta_len, r->message, r->message_len};
}

int cell_link_request(struct cell_link *l, int32_t method, const void *meta, size_t meta_len, const void *message,
                      size_t len, uint32_t timeout_ms, uint64_t deadline_ns, struct cell_link_reply *reply,
                      struct cell_error *e)
{
    struct cell_error local = {0};
    const struct iovec parts[2] = {{(void *)(uintptr_t)meta, meta_len}, {(void *)(uintptr_t)message, len}};
    struct cell_received received;
    struct cell_frame f;
    e = e ? e : &local;
    int r = make_request(l, method, meta_len, len, timeout_ms, &f, e);
    if (r < 0)
        return r;
    if (l->https) {
        r = cell_https_link_request(l->https, method, message, len, timeout_ms, deadline_ns, reply, e);
        if (r >= 0)
            l->reply = *reply;
        else
            l->broken = r != CELL_UNIMPLEMENTED;
        return r;
    }
    r = exchange(l, &f, parts, &received, deadline_ns, e);
    if (r < 0)
        return fail_link(l, r, e);
    *reply = l->reply = reply_of(&received);
    return CELL_OK;
}

int cell_link_start(const char *address, const char *cell, enum cell_channel channel, bool any_owner, int32_t method,
                    const void *message, size_t len, uint32_t timeout_ms, struct cell_link **out, struct cell_error *e)
{
    const struct iovec part = {(void *)(uintptr_t)message, len};
    const struct cell_transport *transport;
    const uint64_t now = cell_now_ns();
    struct cell_error local = {0};
    struct cell_link *l = NULL;
    struct cell_frame f;
    e = e ? e : &local;
    int r = make_link(address, channel, &transport, &l, e);
    if (r >= 0 && !transport)
        r = cell_error_set(e, CELL_UNIMPLEMENTED, "%s: another host is not asked in advance", address);
    if (r >= 0)
        r = connect_link(l, transport, address, cell, NULL, any_owner, now, e);
    if (r >= 0)
        r = make_request(l, method, 0, len, timeout_ms, &f, e);
    if (r >= 0 && (r = cell_conn_send(l->conn, &f, &part, 1, now, e)) < 0)
        fail_link(l, explain("answer", false, e), e);
    if (r < 0) {
        cell_link_close(l);
        return r;
    }
    l->started = f.id;
    *out = l;
    return CELL_OK;
}

int cell_link_started(struct cell_link *l, uint64_t deadline_ns, struct cell_link_reply *reply, struct cell_error *e)
{
    struct cell_received received;
    struct cell_error local = {0};
    e = e ? e : &local;
    int r = receive(l, "answer", &received, deadline_ns, e);
    if (r >= 0)
        r = check_reply(&received.frame, l->started, e);
    if (r < 0)
        return fail_link(l, r, e);
    l->started = 0;
    *reply = l->reply = reply_of(&received);
    return CELL_OK;
}

bool cell_link_has_started(const struct cell_link *l) { return l->started != 0; }

size_t cell_link_replied(const struct cell_link *l, const char *key, char *value, size_t size)
{
    struct cell_meta_pair pair;
    if (cell_meta_find(l->reply.meta, l->reply.meta_len, key, &pair) < 0 || pair.value_len > size)
        return 0;
    memcpy(value, pair.value, pair.value_len);
    return pair.value_len;
}

/* ---- streams ---- */

int cell_link_begin(struct cell_link *l, int32_t method, const void *meta, size_t meta_len, const void *message,
                    size_t len, uint64_t deadline_ns, struct cell_error *e)
{
    const struct iovec parts[2] = {{(void *)(uintptr_t)meta, meta_len}, {(void *)(uintptr_t)message, len}};
    struct cell_frame f;
    int r = make_request(l, method, meta_len, len, 0, &f, e);
    if (r < 0)
        return r;
    l->stream = f.id;
    l->answered = false;
    r = cell_conn_send(l->conn, &f, parts, 2, deadline_ns, e);
    return r < 0 ? fail_link(l, explain("answer", false, e), e) : r;
}

/* 1: records; 0: the reply. */
static int next_frame(struct cell_link *l, struct cell_received *received, uint64_t deadline_ns, struct cell_error *e)
{
    int r = receive(l, "answer", received, deadline_ns, e);
    if (r < 0)
        return r;
    if (received->frame.kind == CELL_FRAME_RECORDS && received->frame.id == l->stream)
        return 1;
    r = check_reply(&received->frame, l->stream, e);
    if (r < 0)
        return r;
    l->reply = reply_of(received);
    l->answered = true;
    return 0;
}

/* Sends a frame of the stream. While it waits for room it looks what comes. */
static int send_frame(struct cell_link *l, uint8_t kind, const void *message, size_t len, uint64_t deadline_ns,
                      struct cell_error *e)
{
    const struct iovec part = {(void *)(uintptr_t)message, len};
    const struct cell_frame f = {
        .kind = kind, .channel = (uint8_t)l->channel, .id = l->stream, .length = (uint32_t)len};
    struct cell_received received;
    while (!l->answered) {
        int r = cell_conn_room(l->conn, f.length, true, deadline_ns, e);
        if (r == 1)
            r = cell_conn_send(l->conn, &f, &part, len ? 1 : 0, deadline_ns, e);
        else if (r == 0 && (r = next_frame(l, &received, deadline_ns, e)) >= 0)
            continue;
        return r < 0 ? fail_link(l, explain("answer", false, e), e) : CELL_OK;
    }
    return 1;
}

int cell_link_put(struct cell_link *l, const void *message, size_t len, uint64_t deadline_ns, struct cell_error *e)
{
    return send_frame(l, CELL_FRAME_RECORDS, message, len, deadline_ns, e);
}

int cell_link_end(struct cell_link *l, uint64_t deadline_ns, struct cell_error *e)
{
    return send_frame(l, CELL_FRAME_END, NULL, 0, deadline_ns, e);
}

int cell_link_next(struct cell_link *l, const uint8_t **message, size_t *len, struct cell_link_reply *reply,
                   uint64_t deadline_ns, struct cell_error *e)
{
    struct cell_received received;
    int r = l->answered ? 0 : next_frame(l, &received, deadline_ns, e);
    if (r < 0)
        return fail_link(l, r, e);
    if (r > 0) {
        *message = received.message;
        *len = received.message_len;
        return 1;
    }
    *reply = l->reply;
    return 0;
}

int cell_link_failure(const struct cell_link *l, const struct cell_link_reply *reply, struct cell_error *e)
{
    struct cell_meta_pair pair;
    char text[CELL_ERROR_TEXT] = "";
    if (cell_meta_find(reply->meta, reply->meta_len, CELL_META_MESSAGE, &pair) == CELL_OK)
        cell_text_from_peer(pair.value, pair.value_len, text, sizeof(text));
    return cell_error_set(e, status_of(reply->code), "%s: %s", l->path, text[0] ? text : cell_status_text(reply->code));
}

int cell_link_schema(const char *address, const char *cell, bool any_owner, uint64_t deadline_ns, char **json,
                     size_t *len, struct cell_error *e)
{
    struct cell_link *l = NULL;
    struct cell_link_reply reply;
    int r = cell_link_open(address, cell, CELL_CHANNEL_COMPILE, NULL, any_owner, deadline_ns, &l, e);
    if (r >= 0)
        r = cell_link_request(l, CELL_COMPILE_SCHEMA, NULL, 0, "{}", 2, 0, deadline_ns, &reply, e);
    if (r >= 0 && reply.code < 0)
        r = cell_link_failure(l, &reply, e);
    if (r >= 0) {
        char *copy = malloc(reply.message_len + 1);
        if (copy) {
            memcpy(copy, reply.message, reply.message_len);
            copy[reply.message_len] = '\0';
            *json = copy;
            *len = reply.message_len;
        } else {
            r = cell_error_set(e, CELL_NO_MEMORY, "out of memory");
        }
    }
    cell_link_close(l);
    return r;
}
