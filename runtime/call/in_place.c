/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Calls whose reply is read where it lies. The connection that it came on is kept from all other calls until the reply
 * is released: it would go on being read, and what lies in its memory would go back to the peer. So other calls, of
 * this context too, take other connections, and nobody waits for a reader.
 */
#include "pool.h"

void cell_hold(cell_ctx *c, bool over)
{
    struct ctx_held *h = &c->held[c->nheld++];
    h->client = c->lessor;
    h->forks = c->lease_forks;
    h->over = over;
    h->conn = cell_pool_detach(c);
}

void cell_held_end(cell_ctx *c, uint32_t keep)
{
    while (c->nheld > keep) {
        const struct ctx_held *h = &c->held[--c->nheld];
        if (!h->conn || h->forks != h->client->forks)
            continue; /* in a fork's child it is closed already */
        if (h->over) {
            cell_pool_close(h->client, h->conn);
        } else {
            cell_conn_release(h->conn->conn, false);
            cell_pool_keep(c, h->client, h->conn);
        }
    }
}

static int carry_out(cell_ctx *c, struct client_call *k)
{
    uint32_t held = c->nheld;
    if (held == CELL_MAX_HELD)
        return cell_fail(c, CELL_FAILED_PRECONDITION,
                         "%s: this context holds %u replies; %s_release gives them back, and so does cell_ctx_reset",
                         k->method->name, held, k->method->name);
    k->in_place = true;
    int r = cell_carry_out_call(c, k);
    if (r < 0)
        cell_held_end(c, held); /* an interceptor refused what has arrived */
    return r;
}

int cell_send(cell_ctx *c, const struct cell_service *service, uint32_t method, const void *in, void *const *out)
{
    struct client_call k;
    int r = cell_prepare_call(c, service, method, in, out, &k);
    bool own = c && !c->intercepted; /* else what was begun is of the call that is intercepted */
    if (r == CELL_OK) {
        k.lent = own && c->lend.begun;
        r = carry_out(c, &k);
    }
    if (own)
        cell_lend_end(c);
    return r;
}

void cell_release(cell_ctx *c)
{
    if (!c || c->intercepted)
        return;
    cell_held_end(c, 0);
    cell_lend_end(c);
}
