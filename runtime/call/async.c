/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Asynchronous calls. A context that has some outstanding holds a connection of its own for each client and service, a
 * lane. A lane's requests are sent at once and answered in their order; what is waited for out of order is kept until
 * somebody asks for it.
 *
 * So that neither side ever waits for room with both rings or sockets full, no more is in flight on a lane than fits
 * into any transport whatever the server does: beyond that the oldest reply is received before the next request is
 * sent.
 */
#include "async.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define MOST_IN_FLIGHT 48u
#define BYTES_IN_FLIGHT (8u << 10)
#define MOST_TICKETS 1024u
#define FEW_OUTS 8u
#define SMALL_REPLY 192u

enum ticket_state { TICKET_SENT, TICKET_ARRIVED, TICKET_FAILED, TICKET_ABANDONED };

struct ticket {
    struct ticket *next; /* of its lane: in the order of sending */
    struct client_call call;
    uint64_t request, deadline_ns;
    size_t bytes;
    int number;
    enum ticket_state state;
    int code;       /* ARRIVED: the reply's; FAILED: the status */
    uint8_t *reply; /* ARRIVED: metadata and message; `small`, or allocated */
    uint8_t small[SMALL_REPLY];
    size_t meta_len, message_len;
    char *text; /* FAILED: why */
    uint32_t room;
    void *out[];
};

struct ctx_lane {
    struct ctx_lane *next;
    struct cell_client *client;
    const struct cell_service *service; /* NULL: of calls that were made at once */
    struct client_conn *conn;           /* NULL: it failed */
    uint32_t forks;
    bool leaving; /* the server said GOAWAY */
    struct ticket *first, **last;
    uint32_t in_flight;
    size_t bytes;
};

/* ---- tickets ---- */

static struct ticket *new_ticket(struct ctx_async *a, const struct client_call *k)
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

static void free_ticket(struct ctx_async *a, struct ticket *t)
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

static void append(struct ctx_lane *l, struct ticket *t)
{
    *l->last = t;
    l->last = &t->next;
}

static void unlink_ticket(struct ctx_lane *l, struct ticket *t)
{
    struct ticket **at = &l->first;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    if (!*at)
        l->last = at;
}

static void fail_ticket(struct ticket *t, int status, const char *text)
{
    t->state = TICKET_FAILED;
    t->code = status;
    t->text = strdup(text); /* without memory there is only the status */
}

/* ---- lanes ---- */

static struct ctx_lane *new_lane(cell_ctx *c, struct cell_client *client, const struct cell_service *service)
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

/* One that calls can be sent on, or NULL. */
static struct ctx_lane *find_lane(cell_ctx *c, const struct client_call *k)
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
static void fail_lane(cell_ctx *c, struct ctx_lane *l, int status, const char *text)
{
    close_conn(c, l);
    for (struct ticket **at = &l->first, *t; (t = *at) != NULL;) {
        if (t->state == TICKET_SENT)
            fail_ticket(t, status, text);
        if (t->state == TICKET_ABANDONED) {
            *at = t->next;
            free_ticket(&c->async, t);
        } else {
            at = &t->next;
        }
        if (!*at)
            l->last = at;
    }
    l->in_flight = 0;
    l->bytes = 0;
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
        free_ticket(&c->async, t);
    }
    free(l);
}

/* A lane on which nothing is outstanding gives its connection back. */
static void leave_lane(cell_ctx *c, struct ctx_lane *l)
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

static void cancel_all(cell_ctx *c)
{
    for (struct ctx_lane *l = c->async.lanes; l; l = l->next)
        fail_lane(c, l, CELL_CANCELLED, cell_status_text(CELL_CANCELLED));
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
        fail_ticket(t, CELL_NO_MEMORY, "no memory for the reply");
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

static int take(cell_ctx *c, struct ticket *t, int code, const uint8_t *meta, size_t meta_len, const uint8_t *message,
                size_t len)
{
    return cell_take_reply(c, &t->call, code, meta, meta_len, message, len);
}

/* Receives one frame of the lane. 1: it was the reply to `want`, and *result is the call's; 0: something else, or the
 * lane has failed; negative: the deadline passed. */
static int receive(cell_ctx *c, struct ctx_lane *l, struct ticket *want, uint64_t deadline_ns, int *result)
{
    struct cell_received received;
    struct cell_error e;
    struct ticket *t = oldest_in_flight(l);
    uint64_t before = c->deadline_ns;
    c->deadline_ns = deadline_ns;
    e.text[0] = '\0';
    int r = cell_receive_reply(c, &t->call, l->conn, t->request, &received, &l->leaving, &e);
    c->deadline_ns = before;
    if (r == CELL_DEADLINE_EXCEEDED)
        return r;
    if (r < 0) {
        bool unsure = r == CELL_UNAVAILABLE || r == CELL_IO_ERROR;
        if (unsure)
            cell_error_wrap(&e,
                            l->leaving ? "%s: the cell is shutting down and did not begin the call"
                                       : "%s: the connection was lost; what was not answered may have been executed",
                            l->service->name);
        fail_lane(c, l, r, e.text);
        return 0;
    }
    l->in_flight--;
    l->bytes -= t->bytes;
    l->conn->fresh = false;
    cell_pool_answered(l->client);
    if (t == want)
        *result = take(c, t, received.frame.code, received.meta, received.frame.meta_len, received.message,
                       received.message_len);
    else if (t->state == TICKET_SENT)
        keep_reply(t, &received);
    if (received.message_len >= CELL_LARGE_REPLY)
        cell_conn_release(l->conn->conn, false);
    if (t->state == TICKET_ABANDONED) {
        unlink_ticket(l, t);
        free_ticket(&c->async, t);
    }
    return t == want;
}

/* ---- sending ---- */

static bool has_room(const struct ctx_lane *l, size_t bytes)
{
    return l->in_flight == 0 || (l->in_flight < MOST_IN_FLIGHT && l->bytes + bytes <= BYTES_IN_FLIGHT);
}

static int open_lane(cell_ctx *c, struct client_call *k, bool fresh, struct ctx_lane **lane, struct cell_error *e)
{
    struct client_conn *conn;
    int r = cell_pool_take(c, k, fresh, &conn, e);
    if (r < 0)
        return r;
    cell_ctx_leave(c);
    struct ctx_lane *l = new_lane(c, k->client, k->service);
    if (!l) {
        cell_pool_drop(c);
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    }
    pthread_mutex_lock(&c->lock); /* from the lease to the lane at once: whoever cancels finds it in one of them */
    c->lease = NULL;
    l->conn = conn;
    l->forks = k->client->forks;
    pthread_mutex_unlock(&c->lock);
    *lane = l;
    return CELL_OK;
}

/* Sends on the lane. The request stands in c->message. */
static int send_on(cell_ctx *c, struct client_call *k, struct ctx_lane *l, struct ticket **ticket, struct cell_error *e)
{
    struct ticket *t = new_ticket(&c->async, k);
    if (!t)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    int r = cell_send_call(c, k, l->conn, e);
    if (r < 0) {
        free_ticket(&c->async, t);
        return r;
    }
    t->request = l->conn->next_id;
    t->deadline_ns = c->deadline_ns;
    t->bytes = c->message.len + c->meta.len;
    l->in_flight++;
    l->bytes += t->bytes;
    append(l, t);
    *ticket = t;
    return CELL_OK;
}

static int send_request(cell_ctx *c, struct client_call *k, struct ticket **ticket, struct cell_error *e)
{
    struct ctx_lane *l = find_lane(c, k);
    size_t bytes = c->message.len + c->meta.len;
    int ignored, r = CELL_OK;
    while (l && l->conn && !l->leaving && !has_room(l, bytes)) {
        r = receive(c, l, NULL, c->deadline_ns, &ignored);
        if (r < 0)
            return cell_error_set(e, r, "%s", cell_status_text(r));
    }
    if (atomic_load(&c->cancelled))
        return cell_error_set(e, CELL_CANCELLED, "%s", cell_status_text(CELL_CANCELLED));
    for (bool fresh = false;; fresh = true) {
        bool opened = !l || !l->conn || l->leaving;
        r = opened ? open_lane(c, k, fresh, &l, e) : CELL_OK;
        if (r < 0)
            return r;
        bool reused = !l->conn->fresh;
        r = send_on(c, k, l, ticket, e);
        if (r == CELL_OK || r == CELL_TOO_LARGE || r == CELL_NO_MEMORY) {
            leave_lane(c, l); /* when nothing is outstanding on it */
            return r;
        }
        fail_lane(c, l, r, e->text);
        leave_lane(c, l);
        l = NULL;
        /* An idle connection that turns out to be closed never had the request. */
        if (r != CELL_UNAVAILABLE || !opened || !reused || fresh)
            return r;
    }
}

/* With interceptors, a fake or a server in this process there is nothing to wait for: the call is made at once. */
static int call_at_once(cell_ctx *c, struct client_call *k, struct ticket **ticket)
{
    struct ctx_lane *l = c->async.lanes;
    while (l && l->service)
        l = l->next;
    if (!l)
        l = new_lane(c, k->client, NULL);
    struct ticket *t = l ? new_ticket(&c->async, k) : NULL;
    if (!t)
        return cell_fail(c, CELL_NO_MEMORY, "%s: out of memory", k->method->name);
    int r = cell_call(c, k->service, k->id, k->in, k->out);
    if (r < 0) {
        fail_ticket(t, r, cell_ctx_message(c));
    } else {
        t->state = TICKET_ARRIVED;
        t->code = r;
    }
    append(l, t);
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

static int send_nested(cell_ctx *c, struct client_call *k, struct ticket **t)
{
    struct ctx_outgoing own;
    int r = cell_ctx_begin_nested(c, &own);
    r = r < 0 ? cell_fail(c, r, "%s: no memory for the metadata", k->method->name) : send_async(c, k, t);
    cell_ctx_end_nested(c, &own);
    return r;
}

int cell_call_async(cell_ctx *c, const struct cell_service *service, uint32_t method, const void *in, void *const *out)
{
    struct client_call k;
    struct ticket *t = NULL;
    int r = cell_prepare_call(c, service, method, in, out, &k);
    if (r < 0)
        return r;
    if (c->async.ntickets >= MOST_TICKETS)
        return cell_fail(c, CELL_RESOURCE_EXHAUSTED, "%s: %u calls of this context were not waited for yet",
                         k.method->name, MOST_TICKETS);
    if (k.client->fake || k.client->server || k.client->hooks.n)
        r = call_at_once(c, &k, &t);
    else
        r = c->origin ? send_nested(c, &k, &t) : send_async(c, &k, &t);
    cell_scratch_reset(&c->message);
    if (r < 0 && cell_ctx_take_cancel(c)) {
        cancel_all(c);
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
        r = take(c, t, t->code, t->reply, t->meta_len, t->reply + t->meta_len, t->message_len);
    unlink_ticket(l, t);
    free_ticket(&c->async, t);
    leave_lane(c, l);
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
    int result = CELL_OK, r = 0;
    while (t->state == TICKET_SENT && r == 0) {
        if (atomic_load(&c->cancelled)) { /* perhaps before there was anything to interrupt */
            fail_lane(c, l, CELL_CANCELLED, cell_status_text(CELL_CANCELLED));
            break;
        }
        /* In the child of a fork there is nothing to wait for. */
        if (!l->conn || l->forks != l->client->forks) {
            fail_lane(c, l, CELL_UNAVAILABLE, "the call was sent by another process");
            break;
        }
        r = receive(c, l, t, t->deadline_ns, &result);
    }
    if (t->state == TICKET_FAILED && cell_ctx_take_cancel(c))
        cancel_all(c);
    if (r < 0)
        return abandon(c, l, t);
    if (r == 0)
        return finish(c, l, t);
    unlink_ticket(l, t);
    free_ticket(&c->async, t);
    leave_lane(c, l);
    return result;
}

int cell_wait(cell_ctx *c, int ticket)
{
    struct ctx_lane *l = NULL;
    if (!c)
        return CELL_NO_MEMORY;
    if (ticket < 0)
        return ticket;
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
               cell_conn_readable(l->conn->conn) && receive(c, l, NULL, 0, &ignored) == 0)
            continue;
        if (!t || t->state != TICKET_SENT || !l->conn || l->forks != l->client->forks)
            return (int)i;
        if (t->deadline_ns < *deadline_ns)
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
    if (!tickets || n == 0 || n > MOST_TICKETS || !result)
        return cell_fail(c, CELL_INVALID_ARGUMENT, "cell_wait_any needs 1 to %u tickets", MOST_TICKETS);
    struct pollfd *fds = calloc(n, sizeof(*fds));
    int done = -1;
    if (!fds)
        return cell_fail(c, CELL_NO_MEMORY, "out of memory");
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
