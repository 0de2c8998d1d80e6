/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Batches: asynchronous calls that are sent together, with one wake-up of the cell. */
#include "async.h"

int cell_batch_begin(cell_ctx *c)
{
    if (!c)
        return CELL_NO_MEMORY;
    c->async.batches++;
    return CELL_OK;
}

int cell_batch_end(cell_ctx *c)
{
    if (!c)
        return CELL_NO_MEMORY;
    if (c->async.batches == 0)
        return cell_fail(c, CELL_FAILED_PRECONDITION, "no batch was begun");
    if (--c->async.batches == 0)
        cell_async_flush(c);
    return CELL_OK;
}

void cell_lane_flush(cell_ctx *c, struct ctx_lane *l, uint64_t deadline_ns)
{
    struct cell_error e;
    if (!l->unsent)
        return;
    l->unsent = false;
    if (!l->conn || l->forks != l->client->forks)
        return;
    e.text[0] = '\0';
    int r = cell_conn_flush(l->conn->conn, deadline_ns, &e);
    if (r < 0)
        cell_lane_lost(c, l, r, &e);
}

void cell_async_flush(cell_ctx *c)
{
    if (!c->async.unsent)
        return;
    c->async.unsent = false;
    /* Nothing of this waits for long: all that may be in flight on a lane fits into the transport. */
    for (struct ctx_lane *l = c->async.lanes; l; l = l->next)
        cell_lane_flush(c, l, l->unsent && l->first ? l->first->deadline_ns : 0);
}
