/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Asks a cell for its health without ever waiting: every call of the transport gets a deadline that has passed, and the
 * loop polls the descriptor in between. ask/link.h waits, which the supervisor must not while a cell hangs.
 */
#include <string.h>

#include "link_health.h"
#include "supervisor.h"
#include "wire/hello.h"

#define PROBE_NS (1000 * CELL_NS_PER_MS)
#define AT_ONCE UINT64_C(0) /* a deadline */

void probe_stop(struct probe *p)
{
    cell_conn_close(p->conn);
    p->conn = NULL;
    p->fd = -1;
}

static enum probe_result finish(struct probe *p, enum probe_result result, const char *text)
{
    snprintf(p->text, sizeof(p->text), "%s", text);
    probe_stop(p);
    return result;
}

static int send_hello(struct probe *p, const char *cell, struct cell_error *e)
{
    struct cell_greeting hello = {.abi = "lp64-le", .program = "cell-up"};
    struct cell_buffer b = {0};
    struct cell_frame f;

    snprintf(hello.cell, sizeof(hello.cell), "%s", cell);
    int r = cell_greeting_encode(&hello, CELL_FRAME_HELLO, CELL_CHANNEL_OPS, &f, &b, e);
    if (r >= 0) {
        struct iovec v = {b.data, b.len};

        r = cell_conn_send(p->conn, &f, &v, 1, AT_ONCE, e);
    }
    cell_buffer_free(&b);
    return r;
}

enum probe_result probe_start(struct probe *p, const char *address, const char *cell, bool any_owner)
{
    const struct cell_connect_options options = {
        .deadline_ns = AT_ONCE, .max_payload = CELL_MAX_OPS_REPLY, .any_owner = any_owner};
    struct cell_error e = {0};
    struct cell_peer peer;

    const struct cell_transport *transport = cell_transport_find(address);
    *p = (struct probe){.fd = -1, .deadline_ns = cell_now_ns() + PROBE_NS};
    if (!transport)
        return finish(p, PROBE_UNREADY, "its address is of no known form");
    int r = transport->connect(address, &options, &p->conn, &e);
    if (r < 0)
        return finish(p, r == CELL_UNAVAILABLE ? PROBE_ABSENT : PROBE_UNREADY, e.text);
    cell_conn_peer(p->conn, &peer);
    p->pid = peer.pid;
    p->fd = cell_conn_fd(p->conn);
    return send_hello(p, cell, &e) < 0 ? finish(p, PROBE_UNREADY, e.text) : PROBE_PENDING;
}

static enum probe_result on_welcome(struct probe *p, const struct cell_received *received)
{
    const struct cell_frame *f = &received->frame;
    const struct cell_frame call = {
        .kind = CELL_FRAME_CALL, .channel = CELL_CHANNEL_OPS, .code = CELL_OPS_HEALTH, .id = 1};
    struct cell_greeting welcome;
    struct cell_error e = {0};

    if (f->kind != CELL_FRAME_WELCOME)
        return finish(p, PROBE_UNREADY, "it does not speak Cell's protocol");
    if (cell_greeting_decode(f, received->meta, &welcome, &e) < 0)
        return finish(p, PROBE_UNREADY, e.text);
    if (welcome.code < 0)
        return finish(p, PROBE_UNREADY, welcome.message[0] ? welcome.message : cell_status_text(welcome.code));
    p->welcomed = true;
    return cell_conn_send(p->conn, &call, NULL, 0, AT_ONCE, &e) < 0 ? finish(p, PROBE_UNREADY, e.text) : PROBE_PENDING;
}

static enum probe_result on_frame(struct probe *p, const struct cell_received *received)
{
    const struct cell_frame *f = &received->frame;
    char status[32];

    if (f->channel != CELL_CHANNEL_OPS)
        return finish(p, PROBE_UNREADY, "it does not speak Cell's protocol");
    if (f->kind == CELL_FRAME_GOAWAY)
        return PROBE_PENDING;
    if (!p->welcomed)
        return on_welcome(p, received);
    if (f->kind != CELL_FRAME_REPLY || f->code < 0)
        return finish(p, PROBE_UNREADY, "it does not answer to health");
    link_health_status((const char *)received->message, received->message_len, status);
    if (strcmp(status, "serving") == 0)
        return finish(p, PROBE_SERVING, "");
    return finish(p, PROBE_UNREADY, status[0] ? status : "its health cannot be read");
}

enum probe_result probe_step(struct probe *p)
{
    enum probe_result result = PROBE_PENDING;

    if (cell_now_ns() >= p->deadline_ns)
        return finish(p, PROBE_UNREADY, "it does not answer");
    while (result == PROBE_PENDING) {
        struct cell_error e = {0};
        struct cell_received received;
        int r = cell_conn_recv(p->conn, &received, AT_ONCE, &e);

        if (r == CELL_DEADLINE_EXCEEDED)
            return PROBE_PENDING;
        result = r < 0 ? finish(p, PROBE_UNREADY, e.text) : on_frame(p, &received);
    }
    return result;
}
