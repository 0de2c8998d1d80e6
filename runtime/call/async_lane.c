/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Tickets and lanes: what is outstanding, the connections for it, and receiving. */
#include <stdlib.h>
#include <string.h>

#include "async.h"
#include "base/ticks.h"

#define FEW_OUTS 8u

/* ---- tickets ---- */

struct ticket *cell_ticket_new(struct ctx_async *a, const struct client_call *k)
{
    uint32_t nout = k->method->nout;
    struct ticket *t = NULL;
    if (nout <= FEW_OUTS && a->unused) {
        t = a->unused;
        a->unused = t->next;
    } else {
        uint32_t room = nout < FEW_OUTS ? FEW_OUTS : nout;
        t = malloc(sizeof(*t) + room * sizeof(t->out[0]));
        if (!t)
            return NULL;
        t->room = room;
    }
    t->next = NULL;
    t->call = *k;
    t->call.in = NULL; /* the caller's, and encoded */
    t->call.out = t->out;
    t->due_ms = 0;
    t->reply = NULL;
    t->text = NULL;
    t->state = TICKET_SENT;
    t->number = a->next_number;
    a->next_number = a->next_number == INT32_MAX ? 0 : a->next_number + 1;
    if (nout)
        memcpy(t->out, k->out, nout * sizeof(t->out[0]));
    a->ntickets++;
    return t;
}

uint64_t cell_ticket_deadline(struct ticket *t)
{
    if (t->due_ms)
        t->deadline_ns = cell_ticks_ns(t->ticks) + t->due_ms * CELL_NS_PER_MS;
    t->due_ms = 0;
    return t->deadline_ns;
}

void cell_ticket_free(struct ctx_async *a, struct ticket *t)
{
    if (t->reply != t->small)
        free(t->reply);
    free(t->text);
    a->ntickets--;
    if (t->room == FEW_OUTS) {
        t->next = a->unused;
        a->unused = t;
    } else {
        free(t);
    }
}

void cell_lane_append(struct ctx_lane *l, struct ticket *t)
{
    *l->last = t;
    l->last = &t->next;
}

void cell_lane_unlink(struct ctx_lane *l, struct ticket *t)
{
    struct ticket **at = &l->first;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    if (!*at)
        l->last = at;
}

void cell_ticket_fail(struct ticket *t, int status, const char *text)
{
    t->state = TICKET_FAILED;
    t->code = status;
    t->text = strdup(text); /* without memory there is only the status */
}

/* ---- lanes ---- */

struct ctx_lane *cell_lane_new(cell_ctx *c, struct cell_client *client, const struct cell_service *service)
{
    struct ctx_lane *l = calloc(1, sizeof(*l));
    if (!l)
        return NULL;
    l->client = client;
    l->service = service;
    l->last = &l->first;
    pthread_mutex_lock(&c->lock);
    l->next = c->async.lanes;
    c->async.lanes = l;
    pthread_mutex_unlock(&c->lock);
    return l;
}

struct ctx_lane *cell_lane_find(cell_ctx *c, const struct client_call *k)
{
    struct ctx_lane *l = c->async.lanes;
    while (l && !(l->client == k->client && l->service == k->service && l->conn && !l->leaving &&
                  l->forks == k->client->forks))
        l = l->next;
    return l;
}

/* Takes the connection from the lane, so that nobody interrupts it any more. NULL: it has none in this process. */
static struct client_conn *take_conn(cell_ctx *c, struct ctx_lane *l)
{
    pthread_mutex_lock(&c->lock);
    struct client_conn *conn = l->conn;
    l->conn = NULL;
    pthread_mutex_unlock(&c->lock);
    return conn && l->forks == l->client->forks ? conn : NULL;
}

static void close_conn(cell_ctx *c, struct ctx_lane *l)
{
    struct client_conn *conn = take_conn(c, l);
    if (conn)
        cell_pool_close(l->client, conn);
}

/* Ends what the connection can no longer answer. */
void cell_lane_fail(cell_ctx *c, struct ctx_lane *l, int status, const char *text)
{
    close_conn(c, l);
    for (struct ticket **at = &l->first, *t; (t = *at) != NULL;) {
        if (t->state == TICKET_SENT)
            cell_ticket_fail(t, status, text);
        if (t->state == TICKET_ABANDONED) {
            *at = t->next;
            cell_ticket_free(&c->async, t);
        } else {
            at = &t->next;
        }
        if (!*at)
            l->last = at;
    }
    l->in_flight = 0;
    l->bytes = 0;
}

void cell_lane_lost(cell_ctx *c, struct ctx_lane *l, int status, struct cell_error *e)
{
    bool lost = status == CELL_UNAVAILABLE || status == CELL_IO_ERROR;
    if (lost && l->leaving) {
        cell_error_wrap(e, "%s: the cell is shutting down and did not begin the call", l->service->name);
    } else if (lost && cell_transaction_with(c, l->service->name)) {
        cell_error_wrap(e, "%s: the connection was lost, and the transaction with it", l->service->name);
        status = CELL_ABORTED;
    } else if (lost) {
        cell_error_wrap(e, "%s: the connection was lost; what was not answered may have been executed",
                        l->service->name);
        status = CELL_UNKNOWN_OUTCOME;
    }
    cell_lane_fail(c, l, status, e->text);
}

static void free_lane(cell_ctx *c, struct ctx_lane *l)
{
    pthread_mutex_lock(&c->lock);
    struct ctx_lane **at = &c->async.lanes;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    pthread_mutex_unlock(&c->lock);
    while (l->first) {
        struct ticket *t = l->first;
        l->first = t->next;
        cell_ticket_free(&c->async, t);
    }
    free(l);
}

/* A lane on which nothing is outstanding gives its connection back. */
void cell_lane_leave(cell_ctx *c, struct ctx_lane *l)
{
    if (l->first)
        return;
    if (l->leaving) {
        close_conn(c, l);
    } else {
        struct client_conn *conn = take_conn(c, l);
        if (conn)
            cell_pool_keep(c, l->client, conn);
    }
    free_lane(c, l);
}

void cell_async_drop(cell_ctx *c)
{
    c->async.batches = 0;
    c->async.unsent = false;
    while (c->async.lanes) {
        close_conn(c, c->async.lanes);
        free_lane(c, c->async.lanes);
    }
}

void cell_async_free(cell_ctx *c)
{
    cell_async_drop(c);
    while (c->async.unused) {
        struct ticket *t = c->async.unused;
        c->async.unused = t->next;
        free(t);
    }
}

void cell_async_interrupt(cell_ctx *c)
{
    for (struct ctx_lane *l = c->async.lanes; l; l = l->next)
        if (l->conn)
            cell_conn_interrupt(l->conn->conn);
}

void cell_lanes_cancel(cell_ctx *c)
{
    for (struct ctx_lane *l = c->async.lanes; l; l = l->next)
        cell_lane_fail(c, l, CELL_CANCELLED, cell_status_text(CELL_CANCELLED));
}

/* ---- receiving ---- */

static struct ticket *oldest_in_flight(const struct ctx_lane *l)
{
    struct ticket *t = l->first;
    while (t && t->state != TICKET_SENT && t->state != TICKET_ABANDONED)
        t = t->next;
    return t;
}

static void keep_reply(struct ticket *t, const struct cell_received *received)
{
    size_t meta_len = received->frame.meta_len, len = received->message_len;
    uint8_t *copy = meta_len + len <= sizeof(t->small) ? t->small : malloc(meta_len + len);
    if (!copy) {
        cell_ticket_fail(t, CELL_NO_MEMORY, "no memory for the reply");
        return;
    }
    memcpy(copy, received->meta, meta_len);
    memcpy(copy + meta_len, received->message, len);
    t->reply = copy;
    t->meta_len = meta_len;
    t->message_len = len;
    t->code = received->frame.code;
    t->state = TICKET_ARRIVED;
}

int cell_ticket_take(cell_ctx *c, struct ticket *t, int code, const uint8_t *meta, size_t meta_len,
                     const uint8_t *message, size_t len)
{
    return cell_take_reply(c, &t->call, code, meta, meta_len, message, len);
}

int cell_lane_receive(cell_ctx *c, struct ctx_lane *l, struct ticket *want, uint64_t deadline_ns, int *result)
{
    struct cell_received received;
    struct cell_error e;
    struct ticket *t = oldest_in_flight(l);
    uint64_t before = c->deadline_ns;
    cell_lane_flush(c, l, deadline_ns);
    if (!l->conn)
        return 0;
    c->deadline_ns = deadline_ns;
    e.text[0] = '\0';
    int r = cell_receive_reply(c, &t->call, l->conn, t->request, &received, &l->leaving, &e);
    c->deadline_ns = before;
    if (r == CELL_DEADLINE_EXCEEDED)
        return r;
    if (r < 0) {
        cell_lane_lost(c, l, r, &e);
        return 0;
    }
    l->in_flight--;
    l->bytes -= t->bytes;
    l->conn->fresh = false;
    cell_pool_answered(l->client);
    if (t == want)
        *result = cell_ticket_take(c, t, received.frame.code, received.meta, received.frame.meta_len, received.message,
                                   received.message_len);
    else if (t->state == TICKET_SENT)
        keep_reply(t, &received);
    if (received.message_len >= CELL_LARGE_REPLY)
        cell_conn_release(l->conn->conn, false);
    if (t->state == TICKET_ABANDONED) {
        cell_lane_unlink(l, t);
        cell_ticket_free(&c->async, t);
    }
    return t == want;
}
