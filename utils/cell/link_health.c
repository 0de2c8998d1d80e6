/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "link_health.h"

static int ask(struct cell_link *l, uint64_t deadline_ns, struct link_health *h, struct cell_error *e)
{
    struct cell_link_reply reply;
    int r = cell_link_request(l, CELL_OPS_HEALTH, NULL, 0, NULL, 0, 0, deadline_ns, &reply, e);

    if (r < 0)
        return r;
    if (reply.code < 0)
        return cell_error_set(e, reply.code, "health: %s", cell_status_text(reply.code));
    if ((r = link_health_read((const char *)reply.message, reply.message_len, h, e)) < 0)
        return r;
    /* Counters are extra: a cell without them is still healthy. */
    if (cell_link_request(l, CELL_OPS_METRICS, NULL, 0, NULL, 0, 0, deadline_ns, &reply, NULL) >= 0 && reply.code >= 0)
        link_health_count((const char *)reply.message, reply.message_len, h);
    return CELL_OK;
}

int link_health(const char *address, const char *cell, bool any_owner, uint64_t deadline_ns, struct link_health *h,
                struct cell_error *e)
{
    struct link_health got = {.answered = true};
    struct cell_peer peer = {0};
    struct cell_link *l = NULL;
    int r = cell_link_open(address, cell, CELL_CHANNEL_OPS, NULL, any_owner, deadline_ns, &l, e);

    if (r < 0)
        return r;
    r = ask(l, deadline_ns, &got, e);
    if (r >= 0) {
        cell_link_peer(l, &peer);
        got.pid = peer.pid;
        got.uid = peer.uid;
        *h = got;
    }
    cell_link_close(l);
    return r;
}
