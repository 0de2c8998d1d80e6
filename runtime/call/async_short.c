/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Short calls (short_call.c) that are asynchronous: sent on a lane that is there, and received in their order. */
#include <string.h>

#include "async.h"
#include "base/ticks.h"

/* The lane for a call of this service, when it is the context's first and may take a short call. */
static struct ctx_lane *usable_lane(const cell_ctx *c, const struct cell_service *service)
{
    struct ctx_lane *l = c->async.lanes;
    const struct cell_client *meant = c->client;
    if (!meant && service->slot)
        meant = __atomic_load_n(service->slot, __ATOMIC_ACQUIRE);
    bool good = l && l->service == service && l->client == meant && l->conn && !l->leaving &&
                l->forks == l->client->forks && l->conn->service == service && l->client->hooks.n == 0 &&
                !cell_ctx_sends_other(c) && c->meta.len == 0 && c->async.ntickets < CELL_MOST_TICKETS &&
                c->async.unused && !atomic_load_explicit(&c->cancelled, memory_order_relaxed);
    return good ? l : NULL;
}

static struct ticket *append_ticket(cell_ctx *c, struct ctx_lane *l, const struct cell_frame *f,
                                    const struct cell_service *service, const struct method_layouts *layouts,
                                    void *const *out)
{
    const struct client_call k = {.client = l->client,
                                  .service = service,
                                  .method = &service->methods[f->code],
                                  .layouts = layouts,
                                  .id = (uint32_t)f->code,
                                  .out = out,
                                  .timeout_ms = f->timeout_ms};
    struct ticket *t = cell_ticket_new(&c->async, &k); /* an unused one */
    t->request = f->id;
    t->ticks = cell_ticks();
    t->due_ms = f->timeout_ms;
    t->deadline_ns = CELL_NO_DEADLINE;
    t->bytes = f->length;
    l->in_flight++;
    l->bytes += f->length;
    cell_lane_append(l, t);
    return t;
}

int cell_async_send_short(cell_ctx *c, const struct cell_service *service, uint32_t method, const void *in,
                          void *const *out)
{
    struct ctx_lane *l = usable_lane(c, service);
    const struct method_layouts *layouts = l ? cell_short_layouts(l->conn, service, method, out) : NULL;
    struct short_request q; /* set as a whole */
    if (!layouts || !cell_lane_has_room(l, layouts->in.short_size, 1) ||
        !cell_short_put_request(c, l->conn, layouts, method, in, &q))
        return CELL_UNIMPLEMENTED;
    bool more = c->async.batches != 0;
    cell_short_commit(l->conn, &q, more);
    l->unsent = more;
    c->async.unsent |= more;
    return append_ticket(c, l, &q.frame, service, layouts, out)->number;
}

bool cell_async_wait_short(cell_ctx *c, struct ctx_lane *l, struct ticket *t, struct short_rest *rest, int *result)
{
    struct client_conn *conn = l->conn;
    rest->waited = false;
    if (t != l->first || t->state != TICKET_SENT || !conn || l->leaving || l->forks != l->client->forks ||
        atomic_load_explicit(&c->cancelled, memory_order_relaxed))
        return false;
    const struct cell_conn_ops *ops = cell_conn_ops(conn->conn);
    if (!ops->recv_brief || c->origin || !ops->recv_brief(conn->conn, &rest->received, rest->small))
        return false;
    rest->waited = true;
    rest->status = CELL_OK;
    if (!cell_take_short_reply(c, t->call.layouts, t->request, &rest->received, t->out, result))
        return false;
    l->in_flight--;
    l->bytes -= t->bytes;
    conn->fresh = false;
    cell_pool_answered(l->client);
    cell_lane_unlink(l, t);
    cell_ticket_free(&c->async, t);
    cell_lane_leave(c, l);
    return true;
}
