/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The calls that are to cost least: a few plain values there and back, over a transport that has a way for them, on the
 * connection of the context's last call. Everything is looked at that could make a call something else, and then it is
 * left to the usual way, before anything was sent or, when the answer is not there at once or not a usual one, after
 * it.
 *
 * The clock is not read: the deadline is made of a stamp when the first moments of waiting were in vain.
 */
#include "base/ticks.h"
#include "pool.h"
#include "wire/rules.h"

/* The context's connection, when it is good for such a call. */
static struct client_conn *usable(const cell_ctx *c, const struct cell_service *service)
{
    struct client_conn *conn = c->lease;
    const struct cell_client *client = c->lessor, *meant = c->client;
    if (!meant && service->slot)
        meant = __atomic_load_n(service->slot, __ATOMIC_ACQUIRE);
    if (!conn || client != meant || c->lease_forks != client->forks || conn->service != service)
        return NULL;
    bool plain = client->hooks.n == 0 && !cell_ctx_sends_other(c) && c->meta.len == 0 && !c->async.unsent &&
                 c->message.capacity <= CELL_KEPT_SCRATCH /* else the usual way gives it back */ &&
                 !atomic_load_explicit(&c->cancelled, memory_order_relaxed);
    return plain ? conn : NULL;
}

CELL_HOT const struct method_layouts *cell_short_layouts(const struct client_conn *conn,
                                                         const struct cell_service *service, uint32_t method,
                                                         void *const *out)
{
    if (!conn->known || method >= service->nmethods)
        return NULL;
    const struct method_layouts *layouts = atomic_load_explicit(&conn->known->layouts[method], memory_order_acquire);
    if (!layouts || !layouts->in.short_size || !layouts->out.short_size)
        return NULL;
    for (uint32_t i = 0; i < layouts->out.n; i++)
        if (!out[i])
            return NULL;
    return layouts;
}

CELL_HOT bool cell_short_put_request(const cell_ctx *c, const struct client_conn *conn,
                                     const struct method_layouts *layouts, uint32_t method, const void *in,
                                     struct short_request *q)
{
    uint32_t ms = c->timeout_ms ? c->timeout_ms : CELL_DEFAULT_TIMEOUT_MS;
    q->ops = cell_conn_ops(conn->conn);
    q->fixed = (layouts->in.size + 7) & ~7u;
    q->frame = (struct cell_frame){.length = layouts->in.short_size,
                                   .kind = CELL_FRAME_CALL,
                                   .channel = CELL_CHANNEL_APP,
                                   .code = (int32_t)method,
                                   .timeout_ms = ms == UINT32_MAX ? 0 : ms,
                                   .id = conn->next_id + 1};
    if (!q->ops->place || q->frame.length > conn->max_send)
        return false;
    if (layouts->in.ruled && cell_rules_check(layouts->in.fields, layouts->in.n, in, NULL) < 0)
        return false; /* the usual way says it in words */
    q->place = q->ops->place(conn->conn, &q->frame, q->fixed);
    return q->place && cell_short_put(&layouts->in, in, q->place);
}

static bool send_short(cell_ctx *c, struct client_conn *conn, const struct method_layouts *layouts, uint32_t method,
                       const void *in)
{
    struct short_request q; /* set as a whole */
    if (!cell_short_put_request(c, conn, layouts, method, in, &q))
        return false;
    atomic_store_explicit(&c->sent, 0, memory_order_relaxed);
    atomic_store_explicit(&c->waiting, true, memory_order_release);
    cell_short_commit(conn, &q, false);
    atomic_store_explicit(&c->sent, q.frame.id, memory_order_release);
    return true;
}

CELL_HOT bool cell_take_short_reply(cell_ctx *c, const struct method_layouts *layouts, uint64_t id,
                                    const struct cell_received *r, void *const *out, int *result)
{
    const struct cell_frame *f = &r->frame;
    if (f->kind != CELL_FRAME_REPLY || f->id != id || f->channel != CELL_CHANNEL_APP || f->meta_len || f->code < 0 ||
        !cell_short_take_to(&layouts->out, r->message, r->message_len, out))
        return false;
    c->incoming = NULL;
    *result = f->code;
    return true;
}

/* Only now is the clock read: the deadline is a microsecond late at most, if the first moments were waited in vain. */
static int wait_long(const cell_ctx *c, const struct client_conn *conn, struct short_rest *rest)
{
    uint32_t ms = c->timeout_ms ? c->timeout_ms : CELL_DEFAULT_TIMEOUT_MS;
    uint64_t deadline = ms == UINT32_MAX ? CELL_NO_DEADLINE : cell_now_ns() + ms * CELL_NS_PER_MS;
    return cell_conn_recv(conn->conn, &rest->received, deadline, &rest->error);
}

CELL_HOT enum short_call cell_call_short(cell_ctx *c, const struct cell_service *service, uint32_t method,
                                         const void *in, void *const *out, int *result, struct short_rest *rest)
{
    struct client_conn *conn = usable(c, service);
    const struct method_layouts *layouts = conn ? cell_short_layouts(conn, service, method, out) : NULL;
    if (!layouts || !send_short(c, conn, layouts, method, in))
        return SHORT_NOT;
    uint64_t ticks = cell_ticks();
    bool soon = ticks - conn->used_ticks < CELL_TICKS_SOON;
    conn->used_ticks = rest->ticks = ticks;
    rest->waited = false;
    /* Commit was a fence: either this sees the cancellation, or the one who cancels has seen that the call waits. */
    if (atomic_load_explicit(&c->cancelled, memory_order_relaxed))
        return SHORT_SENT;
    /* After a pause the server may have gone, which recv learns at once of who has asked. Then it never took the
     * request, and another server gets it. */
    if (!soon)
        cell_conn_readable(conn->conn);
    rest->waited = true;
    rest->status = CELL_OK;
    if (!cell_conn_ops(conn->conn)->recv_brief(conn->conn, &rest->received, rest->small))
        rest->status = wait_long(c, conn, rest);
    if (rest->status < 0 || !cell_take_short_reply(c, layouts, conn->next_id, &rest->received, out, result))
        return SHORT_SENT;
    cell_ctx_leave(c);
    cell_call_answered(c, c->lessor, conn);
    return SHORT_DONE;
}
