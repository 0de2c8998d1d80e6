/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The server's side of the handshake; docs/protocol.md, "Handshake". */
#include <stdio.h>
#include <string.h>

#include "core/diff.h"
#include "server_parts.h"
#include "wire/hello.h"

static uint32_t channel_limit(const struct cell_server *s, uint8_t channel)
{
    return channel == CELL_CHANNEL_OPS       ? CELL_MAX_OPS
           : channel == CELL_CHANNEL_COMPILE ? CELL_MAX_COMPILE_REPLY
                                             : s->options.max_message;
}

static bool send_welcome(struct server_conn *conn, struct cell_greeting *g)
{
    struct cell_server *s = conn->server;
    struct cell_buffer b = {0};
    struct cell_frame f;
    snprintf(g->cell, sizeof(g->cell), "%s", s->cell);
    memcpy(g->fingerprint, s->fingerprint, sizeof(g->fingerprint));
    g->max_message = channel_limit(s, conn->channel);
    g->shm = conn->channel == CELL_CHANNEL_APP && cell_conn_may_offer_shm(conn->conn);
    bool sent = false;
    if (cell_greeting_encode(g, CELL_FRAME_WELCOME, conn->channel, &f, &b, NULL) >= 0) {
        const struct iovec v = {b.data, b.len};
        /* There is room for it in a new connection; who has filled it up gets no answer. */
        sent = cell_conn_send(conn->conn, &f, &v, 1, 0, NULL) >= 0;
    }
    cell_buffer_free(&b);
    return sent;
}

void cell_server_refuse(struct server_conn *conn, const struct cell_error *e)
{
    struct cell_greeting g = {.code = e->status};
    snprintf(g.message, sizeof(g.message), "%s", e->text);
    if (conn->state != CONN_OPEN)
        cell_count(&conn->server->counters.handshakes_refused, 1);
    send_welcome(conn, &g);
}

static int check_hello(const struct cell_server *s, const struct cell_frame *f, const struct cell_greeting *g,
                       struct cell_error *e)
{
    bool app = f->channel == CELL_CHANNEL_APP;
    if (g->cell[0] && strcmp(g->cell, s->cell) != 0)
        return cell_error_set(e, CELL_NOT_FOUND, "the cell here is '%s', not '%s'", s->cell, g->cell);
    if (strcmp(g->abi, CELL_ABI_NAME) != 0 && (g->abi[0] || app))
        return cell_error_set(e, CELL_FAILED_PRECONDITION, "the ABI '%s' is not supported, only " CELL_ABI_NAME,
                              g->abi);
    if (app && (!g->cell[0] || !g->fingerprint[0]))
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "HELLO does not name a cell and a fingerprint");
    return CELL_OK;
}

static bool take_hello(struct cell_server *s, struct server_conn *conn, const struct cell_received *received)
{
    const struct cell_frame *f = &received->frame;
    struct cell_greeting hello = {0}, welcome = {0};
    struct cell_error e = {0};
    conn->channel = f->channel;
    int r = f->kind == CELL_FRAME_HELLO ? cell_greeting_decode(f, received->meta, &hello, &e)
                                        : cell_error_set(&e, CELL_PROTOCOL_ERROR, "the first frame is not HELLO");
    if (r >= 0)
        r = check_hello(s, f, &hello, &e);
    if (r < 0) {
        cell_server_refuse(conn, &e);
        return false;
    }
    if (conn->refused) {
        uint32_t uid = conn->caller->uid->uid;
        cell_error_set(&e, CELL_RESOURCE_EXHAUSTED, "user %u has all of its %u connections to %s", uid,
                       cell_callers_limit(s, uid), s->cell);
        cell_server_refuse(conn, &e);
        return false;
    }
    conn->conn->max_now = 0;
    memcpy(conn->program, hello.program, sizeof(conn->program));
    conn->origin.caller.program = cell_strz(conn->program);
    welcome.need_schema = f->channel == CELL_CHANNEL_APP && strcmp(hello.fingerprint, s->fingerprint) != 0;
    conn->state = welcome.need_schema ? CONN_NEED_SCHEMA : CONN_OPEN;
    return send_welcome(conn, &welcome);
}

/* What all refused methods have in common is usually one change: the first one is said. */
static const char *first_difference(const struct server_match *m)
{
    for (uint32_t i = 0; i < m->n; i++)
        if (m->methods[i].why)
            return m->methods[i].why;
    return cell_status_text(CELL_SCHEMA_MISMATCH);
}

/* Of a schema that is not known yet. */
static int match_new(struct cell_server *s, const char *json, size_t len, struct server_match **match,
                     struct cell_error *e)
{
    struct cell_schema *client = NULL;
    int r = cell_schema_parse_client(json, len, &client, e);
    if (r >= 0 && strcmp(client->cell, s->cell) != 0) {
        r = cell_error_set(e, CELL_NOT_FOUND, "the cell here is '%s', not '%s'", s->cell, client->cell);
        cell_schema_free(client);
    } else if (r >= 0) {
        r = cell_server_match(s, client, match, e);
    }
    return r;
}

static bool take_schema(struct cell_server *s, struct server_conn *conn, const struct cell_received *received)
{
    const struct cell_frame *f = &received->frame;
    struct server_match *match = NULL;
    struct cell_error e = {0};
    char hash[CELL_FINGERPRINT_LEN + 1];
    int r = f->kind == CELL_FRAME_SCHEMA && f->channel == conn->channel && f->meta_len == 0
                ? CELL_OK
                : cell_error_set(&e, CELL_PROTOCOL_ERROR, "SCHEMA was asked for; it did not come");
    if (r >= 0) { /* what is sent in canonical form has its fingerprint as hash */
        cell_sha256_hex(received->message, received->message_len, hash);
        match = cell_server_match_known(s, hash);
    }
    if (r >= 0 && !match)
        r = match_new(s, (const char *)received->message, received->message_len, &match, &e);
    if (r >= 0 && match->n && match->refused == match->n)
        r = cell_error_set(&e, CELL_SCHEMA_MISMATCH, "%s", first_difference(match));
    if (r >= 0 && (r = cell_server_match_pay(s, match, conn->conn->memory, &e)) < 0)
        cell_count(&s->counters.memory_refused, 1);
    if (r < 0) {
        cell_server_match_give(s, match, NULL);
        cell_server_refuse(conn, &e);
        return false;
    }
    struct cell_greeting welcome = {.code = (int)match->refused};
    conn->match = match;
    conn->state = CONN_OPEN;
    return send_welcome(conn, &welcome);
}

bool cell_server_handshake(struct cell_server *s, struct server_conn *conn, const struct cell_received *received)
{
    bool going_on = conn->state == CONN_NEW ? take_hello(s, conn, received) : take_schema(s, conn, received);
    if (conn->state == CONN_OPEN || !going_on) {
        pthread_mutex_lock(&s->lock);
        cell_server_handshake_over(s, conn);
        if (going_on && conn->channel == CELL_CHANNEL_APP)
            cell_server_count_open(s, conn, cell_conn_ops(conn->conn));
        pthread_mutex_unlock(&s->lock);
    }
    return going_on;
}
