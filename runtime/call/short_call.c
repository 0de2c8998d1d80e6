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

/* The context's connection, when it is good for a call of this method. */
static struct client_conn *usable(const cell_ctx *c, const struct cell_service *service, uint32_t method)
{
    struct client_conn *conn = c->lease;
    const struct cell_client *client = c->lessor, *meant = c->client;
    if (!meant && service->slot)
        meant = __atomic_load_n(service->slot, __ATOMIC_ACQUIRE);
    if (!conn || client != meant || c->lease_forks != client->forks || conn->service != service)
        return NULL;
    bool plain = conn->known && method < service->nmethods && client->hooks.n == 0 && !c->origin && c->meta.len == 0 &&
                 !c->async.unsent && c->message.capacity <= CELL_KEPT_SCRATCH /* else the usual way gives it back */ &&
                 !atomic_load_explicit(&c->cancelled, memory_order_relaxed);
    return plain ? conn : NULL;
}

/* Writes the request. NULL: it is not for this way. */
static uint8_t *put_request(struct cell_conn *conn, const struct cell_conn_ops *ops, const struct cell_frame *f,
                            const struct cell_layout *layout, const void *in)
{
    uint8_t *place = ops->place ? ops->place(conn, f, (layout->size + 7) & ~7u) : NULL;
    return place && cell_short_put(layout, in, place) ? place : NULL;
}

static bool send_short(cell_ctx *c, struct client_conn *conn, const struct method_layouts *layouts, uint32_t method,
                       const void *in)
{
    const struct cell_conn_ops *ops = cell_conn_ops(conn->conn);
    uint32_t ms = c->timeout_ms ? c->timeout_ms : CELL_DEFAULT_TIMEOUT_MS;
    const struct cell_frame f = {.length = layouts->in.short_size,
                                 .kind = CELL_FRAME_CALL,
                                 .channel = CELL_CHANNEL_APP,
                                 .code = (int32_t)method,
                                 .timeout_ms = ms == UINT32_MAX ? 0 : ms,
                                 .id = conn->next_id + 1};
    if (f.length > conn->max_send)
        return false;
    uint8_t *place = put_request(conn->conn, ops, &f, &layouts->in, in);
    if (!place)
        return false;
    atomic_store_explicit(&c->sent, 0, memory_order_relaxed);
    atomic_store_explicit(&c->waiting, true, memory_order_release);
    ops->commit(conn->conn, place, &f, (layouts->in.size + 7) & ~7u, false);
    conn->next_id = f.id;
    atomic_store_explicit(&c->sent, f.id, memory_order_release);
    return true;
}

bool cell_take_short_reply(cell_ctx *c, const struct method_layouts *layouts, uint64_t id,
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

enum short_call cell_call_short(cell_ctx *c, const struct cell_service *service, uint32_t method, const void *in,
                                void *const *out, int *result, struct short_rest *rest)
{
    struct client_conn *conn = usable(c, service, method);
    if (!conn)
        return SHORT_NOT;
    const struct method_layouts *layouts = atomic_load_explicit(&conn->known->layouts[method], memory_order_acquire);
    if (!layouts || !layouts->in.short_size || !layouts->out.short_size)
        return SHORT_NOT;
    for (uint32_t i = 0; i < layouts->out.n; i++)
        if (!out[i])
            return SHORT_NOT;
    if (!send_short(c, conn, layouts, method, in))
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
