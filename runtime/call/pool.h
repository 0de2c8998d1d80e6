/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A client's connections, and the client itself. */
#ifndef CELL_CALL_POOL_H
#define CELL_CALL_POOL_H

#include "call.h"

/* Idle connections beyond these are closed, the longest idle first. A client of many services, of which each needs its
 * own, keeps so many of each, up to a bound. */
#define CELL_MAX_IDLE 32u
#define CELL_IDLE_PER_SERVICE 2u
#define CELL_MOST_IDLE 256u
/* Contexts that keep the connection of their last call; with more of them each gives it back after the call. */
#define CELL_MAX_LEASES 128u

/*
 * A connection after its handshake, for one cell and one schema. It is leased to one context, which keeps it from call
 * to call so that calling takes no lock, or it is in its client's idle stack.
 */
struct client_conn {
    struct client_conn *next_idle, *prev, *next; /* prev and next: all connections of the client */
    const struct cell_service *service;          /* of the call that it is or was leased for */
    const struct client_service *known;          /* the same with its layouts */
    struct cell_conn *conn;
    uint64_t next_id;
    uint64_t used_ns;    /* when the last call on it began, but for short ones */
    uint64_t used_ticks; /* … the last call of any kind */
    uint32_t max_send;   /* bytes of payload that the server takes */
    bool fresh;          /* no call was answered on it yet */
    char fingerprint[65];
    char cell[CELL_MAX_CELL_NAME + 1];
    char *capabilities; /* that the server was asked about; NULL = none */
};

/* What a service was built for; "" = nothing. */
static inline const char *cell_service_capabilities(const struct cell_service *s)
{
    return s->capabilities && *s->capabilities ? *s->capabilities : "";
}

/* Where a client without an address found a cell. */
struct located {
    struct located *next;
    char *name, *address;
};

/* A service that was called with a client: it and its method tables are the program's, for as long as it runs. */
struct client_service {
    struct client_service *next;
    const struct cell_service *service;
    _Atomic(struct method_layouts *) layouts[]; /* by method; NULL until the first call */
};

struct cell_client {
    char *address; /* NULL: located by the cell's name */
    struct call_hooks hooks;
    cell_fake_fn *fake; /* a fake client */
    void *fake_user;
    struct cell_server *server;  /* an in-process client */
    struct local_match *matches; /* …'s views of the schemas that were used; under `lock` */

    _Atomic(struct client_service *) services; /* added under `lock`, read without */
    uint32_t nservices;                        /* under `lock` */

    pthread_mutex_t lock;
    struct client_conn *idle, *all;
    uint32_t nidle;
    uint32_t forks; /* how often this client is a copy in a child: leases of before are gone */
    atomic_uint leases;
    atomic_uint retry_tokens; /* tenths of a retry */
    uint64_t random;
    atomic_uint local_streams; /* that are open, of an in-process or fake client */
    struct located *located;
    struct https_origin *origins;    /* connections to other hosts that no call uses; under `lock` */
    struct cell_client *prev, *next; /* all clients of the process, for fork */
};

#define CELL_RETRY_TOKENS 100u

/* Where the client reaches the cell, if `wanted` says of it that it is of that kind; NULL: it is not, or there is no
 * address. Lives as long as the client. */
const char *cell_client_address(struct cell_client *client, const char *cell, bool (*wanted)(const char *address));

/* A zeroed client that survives fork. */
int cell_client_new(struct cell_client **client);

/* A service that was called with the client; NULL: it was not. */
const struct client_service *cell_client_find(const struct cell_client *client, const struct cell_service *service);
/* The layouts of a method, which live as long as the client. Thread-safe. CELL_NO_MEMORY. */
int cell_client_layouts(struct cell_client *client, const struct cell_service *service, uint32_t method,
                        const struct method_layouts **layouts);
void cell_client_forget_services(struct cell_client *client); /* when it is closed */

/* Leases a connection for a call to its context: the one that it has, an idle one, or, when there is none or `fresh` is
 * asked for, a new one after its handshake. `c` is entered (cell_ctx_enter) with it. */
int cell_pool_take(cell_ctx *c, struct client_call *k, bool fresh, struct client_conn **conn, struct cell_error *e);
/* Gives back what the context has leased, if anything: its last call was answered. */
void cell_pool_return(cell_ctx *c);
/* Closes what it has leased: its state is unknown. Not before what was lent of its memory is given back. */
void cell_pool_drop(cell_ctx *c);
/* Takes what it has leased out of the lease: it is the caller's. NULL: there is none in this process. */
struct client_conn *cell_pool_detach(cell_ctx *c);
/* For connections that are no context's lease any more: closes one, and keeps one, which becomes the lease if there is
 * none. */
void cell_pool_close(struct cell_client *client, struct client_conn *conn);
void cell_pool_keep(cell_ctx *c, struct cell_client *client, struct client_conn *conn);
/* local.c: gives back the views of schemas; when it is closed. */
void cell_client_forget_matches(struct cell_client *client);
/* Counts a call that was answered, for the budget of retries. */
static inline void cell_pool_answered(struct cell_client *client)
{
    /* Two threads may overshoot by one: it is a budget, not an account. */
    if (atomic_load_explicit(&client->retry_tokens, memory_order_relaxed) < CELL_RETRY_TOKENS)
        atomic_fetch_add_explicit(&client->retry_tokens, 1, memory_order_relaxed);
}
/* After a call that was answered and not cancelled: what becomes of its connection, which the context has leased. */
static inline void cell_call_answered(cell_ctx *c, struct cell_client *client, struct client_conn *conn)
{
    conn->fresh = false;
    cell_pool_answered(client);
    if (atomic_load_explicit(&c->cancelled, memory_order_relaxed))
        cell_pool_drop(c);
    else if (atomic_load_explicit(&client->leases, memory_order_relaxed) > CELL_MAX_LEASES)
        cell_pool_return(c);
}
/* One more attempt of a call? Takes it from the budget. */
bool cell_pool_may_retry(struct cell_client *client, uint64_t *random);

/* Connects; then shakes hands, with the connection leased and the context entered. */
int cell_client_connect(cell_ctx *c, struct client_call *k, const char *address, struct client_conn *conn,
                        struct cell_error *e);
int cell_client_greet(cell_ctx *c, const struct client_call *k, struct client_conn *conn, struct cell_error *e);

/* ---- lend.c, in_place.c: memory of connections in which messages lie ---- */

/* Gives up what cell_begin has lent, and what cell_send holds. */
void cell_lend_end(cell_ctx *c);
void cell_held_end(cell_ctx *c, uint32_t keep); /* all but the first `keep` */
/* Frees memory that is kept for the next request. */
void cell_lend_trim(cell_ctx *c);
/* The connection with the lent memory becomes the lease of the call. */
void cell_lend_use(cell_ctx *c, const struct client_call *k);
/* The leased connection is kept from other calls until the reply is released. `over`: and closed then. */
void cell_hold(cell_ctx *c, bool over);
/* Ends what a handler was lent for its reply. */
void cell_reply_end(cell_ctx *c);

/* Receives a frame as a call should wait for it: until the context's deadline, and no longer than its own caller. */
int cell_client_recv(cell_ctx *c, const struct client_conn *conn, struct cell_received *received, struct cell_error *e);

/* Sends the CALL whose message stands in c->message; its id is conn->next_id then. */
int cell_send_call(cell_ctx *c, const struct client_call *k, struct client_conn *conn, struct cell_error *e);
/* Waits for the REPLY to request `id`, which has to be the next one. *leaving: GOAWAY came, now or before. */
int cell_receive_reply(cell_ctx *c, const struct client_call *k, const struct client_conn *conn, uint64_t id,
                       struct cell_received *received, bool *leaving, struct cell_error *e);

/* Says what is wrong with a frame that is not the one that belongs there. */
int cell_fail_unexpected(const struct client_call *k, const struct cell_received *received, uint64_t id,
                         struct cell_error *e);

/* Tells the server, without waiting, that the answer to `id` is no longer wanted. */
void cell_send_cancel(struct cell_conn *conn, uint64_t id);

/* The client that a service uses when its context names none. */
int cell_default_client(const struct cell_service *service, struct cell_client **client, struct cell_error *e);
/* Held across a fork, before all other locks. */
void cell_defaults_lock(void);
void cell_defaults_unlock(void);

/* ---- short_call.c: what synchronous and asynchronous short calls (call.h) share ---- */

/* A request that stands where it is sent from. */
struct short_request {
    struct cell_frame frame;
    const struct cell_conn_ops *ops;
    uint8_t *place;
    uint32_t fixed;
};
/* The layouts of a method that is called for the first time elsewhere, and whose calls can be short; or NULL. */
const struct method_layouts *cell_short_layouts(const struct client_conn *conn, const struct cell_service *service,
                                                uint32_t method, void *const *out);
/* Puts the connection's next request. False: it is not for this way, and nothing happened. */
bool cell_short_put_request(const cell_ctx *c, const struct client_conn *conn, const struct method_layouts *layouts,
                            uint32_t method, const void *in, struct short_request *q);
/* Sends it; `more` as in transport.h. */
static inline void cell_short_commit(struct client_conn *conn, const struct short_request *q, bool more)
{
    q->ops->commit(conn->conn, q->place, &q->frame, q->fixed, more);
    conn->next_id = q->frame.id;
}

#endif
