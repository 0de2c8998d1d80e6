/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Asynchronous calls. A context that has some outstanding holds a connection of its own for each client and service, a
 * lane. A lane's requests are sent at once, or with a batch, and answered in their order; what is waited for out of
 * order is kept until somebody asks for it.
 *
 * Neither side may ever wait for room in one direction while the other waits in the other one. A server that waits for
 * room for its reply does not receive; so no more is in flight on a lane than its requests find room for although the
 * server receives nothing, and beyond that the oldest reply is received before the next request is sent. A client that
 * receives always has a reply coming: what it waits for was sent, all that it kept back included (cell_lane_receive).
 * Whether the requests in flight have room, over shared memory:
 *   - slots: of the 64 of a ring, those of CELL_MOST_IN_FLIGHT requests, and those that the server has answered and not
 *     released yet, which it does when they are 16: 48 + 15 < 64;
 *   - data: requests of more than 88 bytes are in the data area of 16 KiB, each in one piece of whole lines of 64.
 *     One that takes N bytes of it may have to skip N - 64 at its end, if others are there; a byte takes at least as
 *     much in a request that skips as in others. So the worst is one other of 89 bytes, which takes 128, and one of
 *     8192 - 89, which takes 8128: 128 + 8064 + 8128 < 16384. What the server has answered is released before it
 *     receives the next one;
 *   - a larger request is alone in flight: what the server held was released with the reply before it.
 * Sockets buffer more than that. The replies of that many calls have room as well, when they are as small: so a server
 * is not held up either by a client that does something else before it waits. That is why batches of more calls are
 * sent in pieces, and why the limits are not those of what a ring takes just now.
 */
#include "async.h"
#include "https.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

/* ---- sending ---- */

static bool can_send(const struct ctx_lane *l) { return l && l->conn && !l->leaving; }

/* Receives until there is room, if the lane is still there then. In a batch until half is free, so that a long one
 * costs a wake-up for many requests, not for each of them. */
static int make_room(cell_ctx *c, struct ctx_lane *l, size_t bytes, struct cell_error *e)
{
    int ignored, r = CELL_OK;
    if (!can_send(l) || cell_lane_has_room(l, bytes, 1))
        return CELL_OK;
    unsigned part = c->async.batches ? 2 : 1;
    while (r >= 0 && can_send(l) && !cell_lane_has_room(l, bytes, part))
        r = cell_lane_receive(c, l, NULL, c->deadline_ns, &ignored);
    return r < 0 ? cell_error_set(e, r, "%s", cell_status_text(r)) : CELL_OK;
}

static int open_lane(cell_ctx *c, struct client_call *k, bool fresh, struct ctx_lane **lane, struct cell_error *e)
{
    struct client_conn *conn;
    int r = cell_pool_take(c, k, fresh, &conn, e);
    if (r < 0)
        return r;
    cell_ctx_leave(c);
    struct ctx_lane *l = cell_lane_new(c, k->client, k->service);
    if (!l) {
        cell_pool_drop(c);
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    }
    pthread_mutex_lock(&c->lock); /* from the lease to the lane at once: whoever cancels finds it in one of them */
    c->lease = NULL;
    atomic_fetch_sub(&k->client->leases, 1);
    l->conn = conn;
    l->forks = k->client->forks;
    pthread_mutex_unlock(&c->lock);
    *lane = l;
    return CELL_OK;
}

/* Sends on the lane. The request stands in c->message. */
static int send_on(cell_ctx *c, struct client_call *k, struct ctx_lane *l, struct ticket **ticket, struct cell_error *e)
{
    struct ticket *t = cell_ticket_new(&c->async, k);
    if (!t)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    int r = cell_send_call(c, k, l->conn, e);
    if (r < 0) {
        cell_ticket_free(&c->async, t);
        return r;
    }
    t->request = l->conn->next_id;
    t->deadline_ns = c->deadline_ns;
    t->bytes = cell_body_len(c) + c->meta.len;
    l->unsent = k->more;
    c->async.unsent |= k->more;
    l->in_flight++;
    l->bytes += t->bytes;
    cell_lane_append(l, t);
    *ticket = t;
    return CELL_OK;
}

static int send_request(cell_ctx *c, struct client_call *k, struct ticket **ticket, struct cell_error *e)
{
    struct ctx_lane *l = cell_lane_find(c, k);
    size_t bytes = cell_body_len(c) + c->meta.len;
    int r = make_room(c, l, bytes, e);
    if (r < 0)
        return r;
    if (atomic_load(&c->cancelled))
        return cell_error_set(e, CELL_CANCELLED, "%s", cell_status_text(CELL_CANCELLED));
    for (bool fresh = false;; fresh = true) {
        bool opened = !can_send(l);
        r = opened ? open_lane(c, k, fresh, &l, e) : CELL_OK;
        if (r < 0)
            return r;
        bool reused = !l->conn->fresh;
        r = send_on(c, k, l, ticket, e);
        if (r == CELL_OK || r == CELL_TOO_LARGE || r == CELL_NO_MEMORY) {
            cell_lane_leave(c, l); /* when nothing is outstanding on it */
            return r;
        }
        struct cell_error others = *e; /* what it means for those that were sent before */
        cell_lane_lost(c, l, r, &others);
        cell_lane_leave(c, l);
        l = NULL;
        /* An idle connection that turns out to be closed never had the request. */
        if (r != CELL_UNAVAILABLE || !opened || !reused || fresh)
            return r;
    }
}

/* With interceptors, a fake, a server in this process or one of another host the call is made at once. */
static int call_at_once(cell_ctx *c, struct client_call *k, struct ticket **ticket)
{
    struct ctx_lane *l = c->async.lanes;
    while (l && l->service)
        l = l->next;
    if (!l)
        l = cell_lane_new(c, k->client, NULL);
    struct ticket *t = l ? cell_ticket_new(&c->async, k) : NULL;
    if (!t)
        return cell_fail(c, CELL_NO_MEMORY, "%s: out of memory", k->method->name);
    int r = cell_call(c, k->service, k->id, k->in, k->out);
    if (r < 0) {
        cell_ticket_fail(t, r, cell_ctx_message(c));
    } else {
        t->state = TICKET_ARRIVED;
        t->code = r;
    }
    cell_lane_append(l, t);
    *ticket = t;
    return CELL_OK;
}

static int send_async(cell_ctx *c, struct client_call *k, struct ticket **t)
{
    struct cell_error e; /* set by whoever fails */
    int r = cell_encode_request(c, k);
    if (r < 0)
        return r;
    uint64_t before = cell_begin_call(c, k);
    r = send_request(c, k, t, &e);
    c->deadline_ns = before;
    return r < 0 ? cell_fail(c, r, "%s", e.text) : r;
}

static int send_with_other_metadata(cell_ctx *c, struct client_call *k, struct ticket **t)
{
    struct ctx_outgoing own;
    int r = cell_ctx_begin_outgoing(c, k->service->name, &own);
    r = r < 0 ? cell_fail(c, r, "%s: no room for the metadata", k->method->name) : send_async(c, k, t);
    cell_ctx_end_outgoing(c, &own);
    return r;
}

int cell_call_async(cell_ctx *c, const struct cell_service *service, uint32_t method, const void *in, void *const *out)
{
    struct client_call k;
    struct ticket *t = NULL;
    int r = c ? cell_async_send_short(c, service, method, in, out) : CELL_NO_MEMORY;
    if (r >= 0)
        return r;
    r = cell_prepare_call(c, service, method, in, out, &k);
    if (r < 0)
        return r;
    if (c->async.ntickets >= CELL_MOST_TICKETS)
        return cell_fail(c, CELL_RESOURCE_EXHAUSTED, "%s: %u calls of this context were not waited for yet",
                         k.method->name, CELL_MOST_TICKETS);
    k.more = c->async.batches != 0;
    if (k.client->fake || k.client->server || k.client->hooks.n || cell_https_address(c, &k))
        r = call_at_once(c, &k, &t);
    else
        r = cell_ctx_sends_other(c) ? send_with_other_metadata(c, &k, &t) : send_async(c, &k, &t);
    cell_body_reset(c);
    if (r < 0 && cell_ctx_take_cancel(c)) {
        cell_lanes_cancel(c);
        r = CELL_CANCELLED;
    }
    return r < 0 ? r : t->number;
}

/* ---- waiting ---- */

static struct ticket *find_ticket(const cell_ctx *c, int number, struct ctx_lane **lane)
{
    for (struct ctx_lane *l = c->async.lanes; l; l = l->next)
        for (struct ticket *t = l->first; t; t = t->next)
            if (t->number == number && t->state != TICKET_ABANDONED) {
                *lane = l;
                return t;
            }
    return NULL;
}

/* The result of a ticket that need not be waited for; the ticket is used up. */
static int finish(cell_ctx *c, struct ctx_lane *l, struct ticket *t)
{
    int r = t->code;
    if (t->state == TICKET_FAILED)
        cell_fail(c, r, "%s", t->text ? t->text : cell_status_text(r));
    else if (t->reply)
        r = cell_ticket_take(c, t, t->code, t->reply, t->meta_len, t->reply + t->meta_len, t->message_len);
    cell_lane_unlink(l, t);
    cell_ticket_free(&c->async, t);
    cell_lane_leave(c, l);
    return r;
}

/* The server need not go on; its reply, if it comes, is for nobody. */
static int abandon(cell_ctx *c, struct ctx_lane *l, struct ticket *t)
{
    cell_send_cancel(l->conn->conn, t->request);
    t->state = TICKET_ABANDONED;
    return cell_fail(c, CELL_DEADLINE_EXCEEDED, "%s: %s", t->call.method->name,
                     cell_status_text(CELL_DEADLINE_EXCEEDED));
}

static int wait_for(cell_ctx *c, struct ctx_lane *l, struct ticket *t)
{
    struct short_rest rest;
    int result = CELL_OK, r = 0;
    if (cell_async_wait_short(c, l, t, &rest, &result))
        return result;
    if (rest.waited)
        t->call.rest = &rest;
    while (t->state == TICKET_SENT && r == 0) {
        if (atomic_load(&c->cancelled)) { /* perhaps before there was anything to interrupt */
            cell_lane_fail(c, l, CELL_CANCELLED, cell_status_text(CELL_CANCELLED));
            break;
        }
        /* In the child of a fork there is nothing to wait for. */
        if (!l->conn || l->forks != l->client->forks) {
            cell_lane_fail(c, l, CELL_UNAVAILABLE, "the call was sent by another process");
            break;
        }
        r = cell_lane_receive(c, l, t, cell_ticket_deadline(t), &result);
    }
    t->call.rest = NULL;
    if (t->state == TICKET_FAILED && cell_ctx_take_cancel(c))
        cell_lanes_cancel(c);
    if (r < 0)
        return abandon(c, l, t);
    if (r == 0)
        return finish(c, l, t);
    cell_lane_unlink(l, t);
    cell_ticket_free(&c->async, t);
    cell_lane_leave(c, l);
    return result;
}

int cell_wait(cell_ctx *c, int ticket)
{
    struct ctx_lane *l = NULL;
    if (!c)
        return CELL_NO_MEMORY;
    if (ticket < 0)
        return ticket;
    cell_async_flush(c);
    struct ticket *t = find_ticket(c, ticket, &l);
    if (!t)
        return cell_fail(c, CELL_INVALID_ARGUMENT, "ticket %d is of no call that this context still waits for", ticket);
    return wait_for(c, l, t);
}

/* Receives what is there on every lane with one of the tickets, without waiting; returns the index of a ticket that is
 * done, or -1. *deadline_ns becomes the earliest of theirs. */
static int look(cell_ctx *c, const int *tickets, size_t n, uint64_t *deadline_ns, struct pollfd *fds, nfds_t *nfds)
{
    int ignored;
    *nfds = 0;
    for (size_t i = 0; i < n; i++) {
        struct ctx_lane *l = NULL;
        struct ticket *t = find_ticket(c, tickets[i], &l);
        while (t && t->state == TICKET_SENT && l->conn && l->forks == l->client->forks &&
               cell_conn_readable(l->conn->conn) && cell_lane_receive(c, l, NULL, 0, &ignored) == 0)
            continue;
        if (!t || t->state != TICKET_SENT || !l->conn || l->forks != l->client->forks)
            return (int)i;
        if (cell_ticket_deadline(t) < *deadline_ns)
            *deadline_ns = t->deadline_ns;
        int fd = cell_conn_fd(l->conn->conn);
        nfds_t at = 0;
        while (at < *nfds && fds[at].fd != fd)
            at++;
        if (at == *nfds)
            fds[(*nfds)++] = (struct pollfd){.fd = fd, .events = POLLIN | POLLRDHUP};
    }
    return -1;
}

static int poll_until(struct pollfd *fds, nfds_t n, uint64_t deadline_ns)
{
    int timeout = -1;
    if (deadline_ns != CELL_NO_DEADLINE) {
        uint64_t now = cell_now_ns(), left = deadline_ns > now ? (deadline_ns - now) / CELL_NS_PER_MS + 1 : 0;
        timeout = left > INT32_MAX ? INT32_MAX : (int)left;
    }
    int r = poll(fds, n, timeout);
    return r < 0 && errno == EINTR ? 1 : r;
}

/* The ticket whose deadline passed first. */
static int earliest(const cell_ctx *c, const int *tickets, size_t n, uint64_t deadline_ns)
{
    for (size_t i = 0; i < n; i++) {
        struct ctx_lane *l = NULL;
        const struct ticket *t = find_ticket(c, tickets[i], &l);
        if (t && t->deadline_ns == deadline_ns)
            return (int)i;
    }
    return 0;
}

int cell_wait_any(cell_ctx *c, const int *tickets, size_t n, int *result)
{
    if (!c)
        return CELL_NO_MEMORY;
    if (!tickets || n == 0 || n > CELL_MOST_TICKETS || !result)
        return cell_fail(c, CELL_INVALID_ARGUMENT, "cell_wait_any needs 1 to %u tickets", CELL_MOST_TICKETS);
    struct pollfd *fds = calloc(n, sizeof(*fds));
    int done = -1;
    if (!fds)
        return cell_fail(c, CELL_NO_MEMORY, "out of memory");
    cell_async_flush(c);
    while (done < 0) {
        uint64_t deadline_ns = CELL_NO_DEADLINE;
        nfds_t nfds;
        done = look(c, tickets, n, &deadline_ns, fds, &nfds);
        if (done < 0 && cell_ctx_cancelled(c))
            done = 0; /* waiting for it says so */
        if (done < 0 && poll_until(fds, nfds, deadline_ns) == 0)
            done = earliest(c, tickets, n, deadline_ns);
    }
    free(fds);
    *result = cell_wait(c, tickets[done]);
    return done;
}
