/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Calls whose reply is read where it lies. The connection that it came on is kept from all other calls until the reply
 * is released: it would go on being read, and what lies in its memory would go back to the peer. So other calls, of
 * this context too, take other connections, and nobody waits for a reader.
 */
#include "pool.h"

void cell_hold(cell_ctx *c, bool over)
{
    struct ctx_held *h = &c->held;
    h->client = c->lessor;
    h->forks = c->lease_forks;
    h->over = over;
    h->conn = cell_pool_detach(c);
}

void cell_held_end(cell_ctx *c)
{
    const struct ctx_held h = c->held;
    c->held = (struct ctx_held){.active = false};
    if (!h.conn || h.forks != h.client->forks)
        return; /* in a fork's child it is closed already */
    if (h.over) {
        cell_pool_close(h.client, h.conn);
    } else {
        cell_conn_release(h.conn->conn, false);
        cell_pool_keep(c, h.client, h.conn);
    }
}

int cell_send(cell_ctx *c, const struct cell_service *service, uint32_t method, const void *in, void *const *out)
{
    struct client_call k;
    if (c && c->held.active)
        return cell_fail(c, CELL_FAILED_PRECONDITION,
                         "%s: this context still holds the reply of the call before: release that first",
                         method < service->nmethods ? service->methods[method].name : service->name);
    int r = cell_prepare_call(c, service, method, in, out, &k);
    if (r == CELL_OK) {
        k.in_place = true;
        cell_lend_use(c, &k);
        r = cell_carry_out_call(c, &k);
        c->held.active = r >= 0;
        if (r < 0)
            cell_held_end(c); /* an interceptor refused what has arrived */
    }
    if (c)
        cell_lend_end(c);
    return r;
}

void cell_release(cell_ctx *c)
{
    if (!c)
        return;
    cell_held_end(c);
    cell_lend_end(c);
}
