/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The asynchronous calls of a context: what async.c, which sends and waits, and async_lane.c share. */
#ifndef CELL_CALL_ASYNC_H
#define CELL_CALL_ASYNC_H

#include "pool.h"

#define CELL_SMALL_TICKET 192u
#define CELL_MOST_TICKETS 1024u
#define CELL_MOST_IN_FLIGHT 48u
#define CELL_BYTES_IN_FLIGHT (8u << 10)

enum ticket_state { TICKET_SENT, TICKET_ARRIVED, TICKET_FAILED, TICKET_ABANDONED };

/* One call that was not waited for yet. */
struct ticket {
    struct ticket *next; /* of its lane: in the order of sending */
    struct client_call call;
    uint64_t request, deadline_ns, ticks;
    uint32_t due_ms; /* not 0: the deadline is so long after `ticks`, and deadline_ns not made yet */
    size_t bytes;
    int number;
    enum ticket_state state;
    int code;       /* ARRIVED: the reply's; FAILED: the status */
    uint8_t *reply; /* ARRIVED: metadata and message; `small`, or allocated */
    uint8_t small[CELL_SMALL_TICKET];
    size_t meta_len, message_len;
    char *text; /* FAILED: why */
    uint32_t room;
    void *out[];
};

/* The connection of a context for the outstanding calls to one service. */
struct ctx_lane {
    struct ctx_lane *next;
    struct cell_client *client;
    const struct cell_service *service; /* NULL: of calls that were made at once */
    struct client_conn *conn;           /* NULL: it failed */
    uint32_t forks;
    bool leaving; /* the server said GOAWAY */
    bool unsent;  /* requests were kept back since the last flush */
    struct ticket *first, **last;
    uint32_t in_flight;
    size_t bytes;
};

/* In that part of what may be in flight. */
static inline bool cell_lane_has_room(const struct ctx_lane *l, size_t bytes, unsigned part)
{
    return l->in_flight == 0 ||
           (l->in_flight < CELL_MOST_IN_FLIGHT / part && l->bytes + bytes <= CELL_BYTES_IN_FLIGHT / part);
}

/* ---- tickets ---- */

struct ticket *cell_ticket_new(struct ctx_async *a, const struct client_call *k); /* NULL: no memory */
void cell_ticket_free(struct ctx_async *a, struct ticket *t);                     /* it is in no lane */
uint64_t cell_ticket_deadline(struct ticket *t);
void cell_ticket_fail(struct ticket *t, int status, const char *text);
/* The result of a reply: what cell_take_reply says. */
int cell_ticket_take(cell_ctx *c, struct ticket *t, int code, const uint8_t *meta, size_t meta_len,
                     const uint8_t *message, size_t len);

/* ---- lanes ---- */

/* In the context's list, without a connection. NULL: no memory. */
struct ctx_lane *cell_lane_new(cell_ctx *c, struct cell_client *client, const struct cell_service *service);
/* One that calls can be sent on, or NULL. */
struct ctx_lane *cell_lane_find(cell_ctx *c, const struct client_call *k);
void cell_lane_append(struct ctx_lane *l, struct ticket *t);
void cell_lane_unlink(struct ctx_lane *l, struct ticket *t);
/* Closes the connection and fails what it can no longer answer. */
void cell_lane_fail(cell_ctx *c, struct ctx_lane *l, int status, const char *text);
/* The same, because the connection ended with this error; says what that means for its calls. */
void cell_lane_lost(cell_ctx *c, struct ctx_lane *l, int status, struct cell_error *e);
/* When nothing is outstanding any more: gives the connection back and frees the lane. */
void cell_lane_leave(cell_ctx *c, struct ctx_lane *l);
/* Fails everything that is outstanding with CELL_CANCELLED. */
void cell_lanes_cancel(cell_ctx *c);
/* Receives one frame of the lane. 1: it was the reply to `want`, and *result is the call's; 0: something else, or the
 * lane has failed; negative: the deadline passed. */
int cell_lane_receive(cell_ctx *c, struct ctx_lane *l, struct ticket *want, uint64_t deadline_ns, int *result);

/* ---- batch.c ---- */

/* Sends what was kept back, of one lane and of all. Whoever waits for a reply, or for anything else, does that first.
 */
void cell_lane_flush(cell_ctx *c, struct ctx_lane *l, uint64_t deadline_ns);
void cell_async_flush(cell_ctx *c);

/* ---- async_short.c ---- */

/* Sends a short call on a lane that has room; its ticket, or negative: nothing was done. */
int cell_async_send_short(cell_ctx *c, const struct cell_service *service, uint32_t method, const void *in,
                          void *const *out);
/* Waits a moment for the reply to a ticket that is next on its lane. True: it came, *result is the call's, and the
 * ticket is used up. False: not so; *rest may hold a frame for cell_receive_reply. */
bool cell_async_wait_short(cell_ctx *c, struct ctx_lane *l, struct ticket *t, struct short_rest *rest, int *result);

/* ---- the context's ---- */

/* Ends everything that is outstanding: nobody can wait for it any more, and its connections are closed. */
void cell_async_drop(cell_ctx *c);
/* The same, and gives back all memory. */
void cell_async_free(cell_ctx *c);
/* Ends waiting; the context's lock is held. Any thread. */
void cell_async_interrupt(cell_ctx *c);

#endif
