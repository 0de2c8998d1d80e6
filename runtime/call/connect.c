/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The client's side of the handshake, and how a call waits for a frame. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "core/schema.h"
#include "pool.h"
#include "transport/http.h"
#include "wire/hello.h"

void cell_send_cancel(struct cell_conn *conn, uint64_t id)
{
    const struct cell_frame f = {.kind = CELL_FRAME_CANCEL, .channel = CELL_CHANNEL_APP, .id = id};
    cell_conn_send(conn, &f, NULL, 0, 0, NULL);
}

/* ---- waiting ---- */

/* A call that a handler makes ends when the handler's own caller gives up, so both sockets are waited for. */
static int wait_with_origin(cell_ctx *c, const struct client_conn *conn, struct cell_error *e)
{
    struct pollfd p[2] = {{.fd = cell_conn_fd(conn->conn), .events = POLLIN | POLLRDHUP},
                          {.fd = c->origin->fd, .events = c->origin->events}};
    while (!cell_conn_readable(conn->conn)) {
        if (c->origin->gone(c->origin)) {
            atomic_store(&c->cancelled, true);
            return cell_error_set(e, CELL_CANCELLED, "%s", cell_status_text(CELL_CANCELLED));
        }
        p[1].events = c->origin->events; /* fewer once the caller's next request is there */
        int timeout = -1;
        if (c->deadline_ns != CELL_NO_DEADLINE) {
            uint64_t now = cell_now_ns(), left = c->deadline_ns > now ? c->deadline_ns - now : 0;
            if (!left)
                return CELL_OK; /* recv says it */
            left = left / CELL_NS_PER_MS + 1;
            timeout = left > INT32_MAX ? INT32_MAX : (int)left;
        }
        if (poll(p, 2, timeout) < 0 && errno != EINTR)
            return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot wait for the reply");
    }
    return CELL_OK;
}

int cell_client_recv(cell_ctx *c, const struct client_conn *conn, struct cell_received *received, struct cell_error *e)
{
    for (;;) {
        uint64_t deadline = c->deadline_ns;
        bool watches = c->origin && c->origin->gone && c->origin->fd >= 0;
        if (watches) {
            int r = wait_with_origin(c, conn, e);
            if (r < 0)
                return r;
            deadline = 0;
        }
        int r = cell_conn_recv(conn->conn, received, deadline, e);
        /* With two sockets to watch only whole frames are taken; a part of one is waited for again. */
        if (watches && r == CELL_DEADLINE_EXCEEDED && cell_ctx_remaining_ns(c) > 0)
            continue;
        return r;
    }
}

/* ---- handshake ---- */

static const char *program_name(void) { return program_invocation_short_name ? program_invocation_short_name : ""; }

static int send_hello(cell_ctx *c, const struct cell_service *s, struct client_conn *conn, struct cell_error *e)
{
    struct cell_greeting hello = {0};
    struct cell_buffer b = {0};
    struct cell_frame f;
    if (strlen(s->name) >= sizeof(hello.cell) || strlen(s->fingerprint) >= sizeof(hello.fingerprint))
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "the descriptor of '%.64s' has no valid name and fingerprint",
                              s->name);
    strcpy(hello.cell, s->name);
    strcpy(hello.fingerprint, s->fingerprint);
    strcpy(hello.abi, CELL_ABI_NAME);
    cell_text_from_peer(program_name(), strlen(program_name()), hello.program, sizeof(hello.program));
    int r = cell_greeting_encode(&hello, CELL_FRAME_HELLO, CELL_CHANNEL_APP, &f, &b, e);
    if (r >= 0) {
        const struct iovec v = {b.data, b.len};
        r = cell_conn_send(conn->conn, &f, &v, 1, c->deadline_ns, e);
    }
    cell_buffer_free(&b);
    return r;
}

static int receive_welcome(cell_ctx *c, const struct cell_service *s, struct client_conn *conn,
                           struct cell_greeting *welcome, struct cell_error *e)
{
    struct cell_received received;
    int r = cell_client_recv(c, conn, &received, e);
    if (r < 0)
        return r;
    if (received.frame.kind == CELL_FRAME_GOAWAY)
        return cell_error_set(e, CELL_UNAVAILABLE, "it is shutting down");
    if (received.frame.channel != CELL_CHANNEL_APP)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "it answered on channel %u", received.frame.channel);
    r = cell_greeting_decode(&received.frame, received.meta, welcome, e);
    if (r < 0)
        return r;
    if (welcome->code < 0) {
        int code = cell_status_normal(welcome->code);
        return cell_error_set(e, code, "%s", welcome->message[0] ? welcome->message : cell_status_text(code));
    }
    if (strcmp(welcome->cell, s->name) != 0)
        return cell_error_set(e, CELL_NOT_FOUND, "the cell there is '%s', not '%s'", welcome->cell, s->name);
    return CELL_OK;
}

static int send_schema(cell_ctx *c, const struct cell_service *s, struct client_conn *conn, struct cell_error *e)
{
    struct cell_schema *schema = NULL;
    struct cell_buffer json = {0};
    int r = cell_schema_from_service(s, &schema, e);
    if (r >= 0 && cell_schema_format(schema, &json) < 0)
        r = cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    if (r >= 0 && json.len > CELL_MAX_MESSAGE)
        r = cell_error_set(e, CELL_TOO_LARGE, "the schema of %zu bytes is too large to be sent", json.len);
    if (r >= 0) {
        const struct cell_frame f = {
            .kind = CELL_FRAME_SCHEMA, .channel = CELL_CHANNEL_APP, .length = (uint32_t)json.len};
        const struct iovec v = {json.data, json.len};
        r = cell_conn_send(conn->conn, &f, &v, 1, c->deadline_ns, e);
    }
    cell_buffer_free(&json);
    cell_schema_free(schema);
    return r;
}

/* CELL_TRANSPORT=unix keeps calls on the socket: to find out whether shared memory is to blame, and to compare. */
static bool wants_shm(void)
{
    const char *transport = getenv("CELL_TRANSPORT");
    return !transport || strcmp(transport, "unix") != 0;
}

static int shake_hands(cell_ctx *c, const struct cell_service *s, struct client_conn *conn, struct cell_error *e)
{
    struct cell_greeting welcome = {0};
    bool shm = cell_conn_may_offer_shm(conn->conn) && wants_shm();
    int r = send_hello(c, s, conn, e);
    if (r >= 0 && shm)
        cell_conn_prepare_shm(conn->conn); /* while the server wakes up */
    if (r >= 0)
        r = receive_welcome(c, s, conn, &welcome, e);
    if (r >= 0 && welcome.need_schema) {
        r = send_schema(c, s, conn, e);
        if (r >= 0)
            r = receive_welcome(c, s, conn, &welcome, e);
        if (r >= 0 && welcome.need_schema)
            r = cell_error_set(e, CELL_PROTOCOL_ERROR, "it asked for the schema twice");
    }
    if (r < 0)
        return r;
    conn->max_send =
        welcome.max_message && welcome.max_message < CELL_MAX_MESSAGE ? welcome.max_message : CELL_MAX_MESSAGE;
    strcpy(conn->fingerprint, s->fingerprint);
    strcpy(conn->cell, s->name);
    if (cell_service_capabilities(s)[0] && !(conn->capabilities = strdup(cell_service_capabilities(s))))
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    /* When it fails the calls go over the socket as well. */
    if (welcome.shm && shm)
        cell_conn_offer_shm(conn->conn, NULL);
    return CELL_OK;
}

int cell_client_connect(cell_ctx *c, struct client_call *k, const char *address, struct client_conn *conn,
                        struct cell_error *e)
{
    const struct cell_connect_options options = {.deadline_ns = c->deadline_ns, .max_payload = CELL_MAX_MESSAGE};
    const struct cell_transport *transport = cell_transport_find(address);
    if (!transport)
        return cell_error_set(e, CELL_INVALID_ARGUMENT,
                              "%s: '%s' is no address; they look like unix:/path or https://host", k->service->name,
                              address);
    int r = transport->connect(address, &options, &conn->conn, e);
    if (r < 0) {
        conn->conn = NULL;
        cell_error_wrap(e, "%s", k->service->name);
        return r;
    }
    k->connected = true;
    return CELL_OK;
}

int cell_client_greet(cell_ctx *c, const struct client_call *k, struct client_conn *conn, struct cell_error *e)
{
    int r = shake_hands(c, k->service, conn, e);
    /* The difference between two schemas stands for itself, as in the compiler's message. */
    if (r < 0 && r != CELL_SCHEMA_MISMATCH)
        cell_error_wrap(e, "%s", k->service->name);
    return r;
}
