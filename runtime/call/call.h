/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What the parts of call/ share: the context's inside, metadata as pairs, the chain of interceptors, and how one
 * request is carried out, whether its handler is behind a socket or in this process.
 */
#ifndef CELL_CALL_CALL_H
#define CELL_CALL_CALL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/util.h"
#include "cell/server.h"
#include "transport/transport.h"
#include "wire/limits.h"
#include "wire/message.h"

#define CELL_DEFAULT_TIMEOUT_MS 5000u
#define CELL_DEFAULT_MEMORY (UINT64_C(64) << 20)
#define CELL_USER_META_PAIRS 64u
#define CELL_USER_META_BYTES (8u << 10)
#define CELL_MAX_DETAILS 16u
#define CELL_MAX_DETAIL_BYTES (4u << 10)
#define CELL_MAX_HOOKS 16u
/* Scratch memory larger than this is given back after the call that needed it; that of messages some calls later. */
#define CELL_KEPT_SCRATCH (64u << 10)

/* ---- contexts ---- */

/* One pair of metadata or one detail; key and value are NUL-terminated. */
struct ctx_pair {
    struct ctx_pair *next;
    const char *key;
    cell_str value;
};

/* What a handler's context knows of the call that it serves. Lives as long as the call. */
struct ctx_origin {
    void *user;
    struct cell_server *server; /* NULL: there is none */
    struct cell_caller caller;
    /* Looks, without waiting, whether the caller has cancelled or gone. NULL: nobody to ask. */
    bool (*gone)(struct ctx_origin *origin);
    /* Gives up the handler's place at the gate for the rest of its call. NULL: it has none. */
    bool (*stand_aside)(struct ctx_origin *origin);
    /* cell_ctx_if_unheard. NULL: it is not known what the caller hears. */
    void (*if_unheard)(struct ctx_origin *origin, cell_unheard_fn *undo, void *user, const char *what);
    int fd;                 /* to be polled for `events`, then `gone` is to be asked; -1 = none */
    short events;           /* POLLIN, POLLRDHUP */
    struct cell_conn *conn; /* that the reply is sent on; NULL: there is none */
};

#define CELL_TRANSACTION_KEY "transaction" /* of metadata */
#define CELL_MAX_TOKEN 256u                /* bytes */

/* The transaction that a context is in. */
struct ctx_transaction {
    const char *cell; /* whose calls belong to it */
    char token[CELL_MAX_TOKEN + 1];
};

/* Asynchronous calls that were not waited for yet: async.c. */
struct ctx_async {
    struct ctx_lane *lanes; /* changed under the context's lock */
    struct ticket *unused;
    uint32_t ntickets;
    uint32_t batches; /* begun and not ended */
    bool unsent;      /* a lane may have something unsent */
    int next_number;
};

/* Memory of a connection that was reserved for a message, and how much of it was lent: lend.c. */
struct ctx_place {
    uint8_t *memory; /* NULL: none */
    uint32_t size;
    uint32_t lent; /* bytes, from CELL_LEND_FRONT on */
};

/* Request memory that was lent by cell_begin, until it was sent. */
struct ctx_lend {
    bool begun;
    struct ctx_place place;
    void *private_memory; /* what is lent when there is no place; kept for the next time */
    size_t private_size;
    /* The connection of the place. It is nobody's lease, or this context's while the request is sent. */
    struct client_conn *conn;
    struct cell_client *client;
    uint32_t forks;
    bool leased; /* it became the lease: it is not given back from here */
    bool lost;   /* and was dropped: closed when what lies there is not needed any more */
};

/* Replies of cell_send that were not released yet; enough for programs that compare some, and few for one that forgets
 * to release them. */
#define CELL_MAX_HELD 16u

/* One of them: in_place.c. */
struct ctx_held {
    struct client_conn *conn; /* whose memory it lies in; NULL: it is gone */
    struct cell_client *client;
    uint32_t forks;
    bool over; /* nothing more is sent on it */
};

struct cell_ctx {
    struct cell_arena arena;
    struct cell_error error;
    struct cell_buffer meta; /* metadata to be sent, as a block; of users' keys only */
    uint32_t nmeta;
    struct cell_buffer message; /* scratch: the message to be sent, but for: */
    struct cell_pieces pieces;  /* … what of it lies elsewhere */
    uint32_t small_messages;    /* since it needed much memory */
    uint32_t pad;               /* metadata that makes the message begin where it has to in its place; bytes */
    struct cell_buffer head;    /* scratch: the metadata of a reply that is sent */
    struct ctx_pair *incoming;  /* metadata that was received */
    struct ctx_pair *details;
    uint32_t ndetails;
    size_t detail_bytes;
    struct cell_client *client;
    uint32_t timeout_ms;  /* as in cell_ctx_options; 0 = not set */
    uint64_t deadline_ns; /* of the running call; CELL_NO_DEADLINE */
    uint32_t due_ms;      /* not 0: the deadline is so long after `arrived_ticks`, and deadline_ns not made yet */
    uint64_t arrived_ticks;
    struct ctx_origin *origin; /* NULL on a client's context */
    uint32_t intercepted;      /* calls whose interceptors run: what they were given is in the arena */
    atomic_bool cancelled;
    struct ctx_async async;
    struct ctx_place reply; /* a handler's */
    struct ctx_lend lend;
    struct ctx_held held[CELL_MAX_HELD];
    uint32_t nheld;
    const struct ctx_transaction *transaction; /* that runs: transaction.c; NULL = none */
    struct cell_stream *stream;                /* of the call that a handler answers; NULL */
    struct client_stream *streams; /* that were opened and not ended: stream_client.c; changed under `lock` */

    atomic_bool waiting;       /* a call runs on the leased connection */
    atomic_uint_fast64_t sent; /* id of the call that was sent on it whole; then nobody else sends there */
    pthread_mutex_t lock;      /* of what cell_ctx_cancel touches: */
    struct client_conn *lease; /* the connection of the last call, kept for the next; changed under `lock` */
    struct cell_client *lessor;
    uint32_t lease_forks;   /* lessor->forks when it was taken */
    struct cell_ctx *child; /* the handler's context of an in-process call */
};

/* Takes a context for a handler's call, and back to that state after each call. NULL when memory is short. */
cell_ctx *cell_ctx_open_handler(uint64_t memory_limit);
void cell_ctx_begin_handler(cell_ctx *c, struct ctx_origin *origin, uint64_t deadline_ns);
/* The same with a deadline that is made of a stamp when somebody asks; timeout_ms 0 = none. */
void cell_ctx_begin_handler_at(cell_ctx *c, struct ctx_origin *origin, uint64_t arrived_ticks, uint32_t timeout_ms);
void cell_ctx_end_handler(cell_ctx *c);

/* Absolute deadline of a call that begins now, and what travels with it (0 = none). */
uint64_t cell_ctx_call_deadline(const cell_ctx *c, uint32_t *timeout_ms, uint64_t now_ns);

/* The deadline of the running call. */
uint64_t cell_ctx_deadline(const cell_ctx *c);

/* The transaction that calls to `cell` belong to now; NULL = none. */
static inline const struct ctx_transaction *cell_transaction_with(const cell_ctx *c, const char *cell)
{
    return c->transaction && strcmp(c->transaction->cell, cell) == 0 ? c->transaction : NULL;
}

/* Around a call on the leased connection: only in between does cell_ctx_cancel interrupt it. A cancellation that is
 * just too late may still do so, so that after one was seen (`cancelled`) the connection is to be dropped. */
void cell_ctx_enter(cell_ctx *c);
void cell_ctx_leave(cell_ctx *c);
/* True once, when the call that ends now was cancelled by cell_ctx_cancel. */
bool cell_ctx_take_cancel(cell_ctx *c);

/* Keeps a block that was received: users' pairs as incoming metadata, ":detail." as details, and copies ":message". The
 * block must have been checked. CELL_NO_MEMORY. */
int cell_ctx_receive_metadata(cell_ctx *c, const uint8_t *block, size_t len, bool reply, char message[CELL_ERROR_TEXT]);

/* Around a call that sends other metadata than the context holds. What a handler has set is for its own caller, so it
 * is put aside, and its calls begin with the caller's trace. Calls to the cell of a transaction carry its token.
 * CELL_NO_MEMORY, CELL_TOO_LARGE; `end` must be called in any case. */
struct ctx_outgoing {
    struct cell_buffer meta;
    uint32_t nmeta;
    bool aside;
};
static inline bool cell_ctx_sends_other(const cell_ctx *c) { return c->origin || c->transaction; }
int cell_ctx_begin_outgoing(cell_ctx *c, const char *cell, struct ctx_outgoing *own);
void cell_ctx_end_outgoing(cell_ctx *c, const struct ctx_outgoing *own);

/* Builds the metadata of a reply in c->head (or c->meta, when nothing is to be added). */
int cell_ctx_reply_metadata(cell_ctx *c, int code, const struct cell_buffer **block);

/* A status that may travel: negative ones outside the list become CELL_UNKNOWN. */
int cell_status_normal(int status);

/* Empties scratch memory and gives it back when it is big. */
void cell_scratch_reset(struct cell_buffer *b);

/* ---- the message that a context sends ---- */

#define CELL_BODY_PARTS (2 + 2 * CELL_MESSAGE_PIECES + 1)

/* There is none. */
void cell_body_reset(cell_ctx *c);
/* Encodes it; `place` NULL: nothing was lent. */
int cell_body_encode(cell_ctx *c, const struct cell_layout *layout, const void *in, uint32_t max,
                     const struct ctx_place *place, struct cell_error *e);
/* The same in one piece, in c->message alone. */
int cell_body_encode_whole(cell_ctx *c, const struct cell_layout *layout, const void *in, uint32_t max,
                           struct cell_error *e);
static inline size_t cell_body_len(const cell_ctx *c) { return c->message.len + c->pieces.bytes; }
/* The payload of its frame, behind the metadata `meta` (NULL: none), of which it takes *meta_len bytes; returns the
 * number of parts. `pad` must live as long as they. */
int cell_body_parts(const cell_ctx *c, const struct cell_buffer *meta, uint8_t pad[16],
                    struct iovec parts[CELL_BODY_PARTS], uint32_t *meta_len);

/* ---- interceptors ---- */

struct call_hooks {
    struct {
        cell_interceptor_fn *fn;
        void *user;
    } hook[CELL_MAX_HOOKS];
    uint32_t n;
};
int cell_hooks_add(struct call_hooks *h, cell_interceptor_fn *fn, void *user);
/* Runs the interceptors and, innermost, `last`. */
int cell_hooks_run(const struct call_hooks *h, cell_ctx *c, const struct cell_call_info *info,
                   int (*last)(cell_ctx *c, void *arg), void *arg);

/* Bytes that an out parameter points to. */
static inline size_t cell_out_size(const struct cell_field *f)
{
    return (size_t)f->type->size * (f->count ? f->count : 1);
}

/* How the messages of a method are read and written. */
struct method_layouts {
    struct cell_layout in, out; /* prepared */
};
int cell_method_layouts_new(const struct cell_method *m, struct method_layouts **layouts); /* CELL_NO_MEMORY */
void cell_method_layouts_free(struct method_layouts *layouts);                             /* NULL is accepted */

/* ---- one request, on the side that answers ---- */

/* What answers a request: a method's own handler, a fake, or what was bound. */
struct call_target {
    const char *cell;
    const struct cell_method *method;
    const struct method_layouts *layouts;
    const struct call_hooks *hooks;
    cell_fake_fn *answer; /* NULL = method->invoke */
    void *answer_user;
    uint32_t max_message; /* of the reply, metadata included */
};

/* Decodes the request, runs interceptors and handler, encodes the reply: its message is in c->message, its metadata in
 * *meta. Returns the code of the reply; when it is negative there is no message. */
int cell_serve_request(cell_ctx *c, const struct call_target *t, const uint8_t *message, size_t len,
                       const struct cell_buffer **meta);

/* The beginning of that: what a handler gets, and in refs what cell_serve_result wants. */
int cell_serve_decode(cell_ctx *c, const struct call_target *t, const uint8_t *message, size_t len, void **in,
                      void ***out, struct cell_ref **refs);

/* The same from where a handler has returned `code` and filled in what refs refer to. */
int cell_serve_result(cell_ctx *c, const struct call_target *t, int code, const struct cell_ref *refs,
                      const struct cell_buffer **meta);

/* Records an error as the reply of a request that no handler saw; returns its code. */
int cell_serve_refusal(cell_ctx *c, const struct cell_error *e, const struct cell_buffer **meta);

/* ---- one request, on the side that asks ---- */

struct client_call {
    struct cell_client *client;
    const struct cell_service *service;
    const struct cell_method *method;
    const struct method_layouts *layouts;
    uint32_t id;
    const void *in;
    void *const *out;
    uint32_t timeout_ms;     /* what travels */
    uint64_t now_ns;         /* when the call began */
    bool connected;          /* a connection was made for it: a failure now is a lost connection */
    struct short_rest *rest; /* it was sent already; NULL = it was not */
    bool more;               /* it is of a batch: the transport may keep the request back until a flush */
    bool in_place;           /* the caller wants to read the reply where it lies */
    bool lent;               /* and has begun the request, in c->lend */
};

/* A reply or a request of this size is given back as soon as it was decoded: its sender has memory for it. */
#define CELL_LARGE_REPLY (16u << 10)

/* Takes a reply that has arrived: metadata, then the error or the out parameters. */
int cell_take_reply(cell_ctx *c, const struct client_call *k, int code, const uint8_t *meta, size_t meta_len,
                    const uint8_t *message, size_t len);
int cell_call_remote(cell_ctx *c, struct client_call *k);

/* Smaller replies are copied, which costs less than to keep a connection from other calls. */
#define CELL_IN_PLACE_MIN (4u << 10)
static inline bool cell_stays_in_place(const struct client_call *k, size_t len)
{
    return k->in_place && len >= CELL_IN_PLACE_MIN;
}

/* The steps of a call. Everything is checked, and *k filled in but for the time. */
int cell_prepare_call(cell_ctx *c, const struct cell_service *service, uint32_t method, const void *in,
                      void *const *out, struct client_call *k);
/* The same for a method that is not called yet. */
int cell_prepare_method(cell_ctx *c, const struct cell_service *service, uint32_t method, struct client_call *k);
/* Carries out what was prepared. */
int cell_carry_out_call(cell_ctx *c, struct client_call *k);
/* The same for a method with a stream, without out parameters. */
int cell_prepare_stream(cell_ctx *c, const struct cell_service *service, uint32_t method, const void *in,
                        struct client_call *k);
/* The request's message, into c->message. */
int cell_encode_request(cell_ctx *c, const struct client_call *k);
/* Takes the deadline of a call that begins now; returns the one to be restored after it. */
uint64_t cell_begin_call(cell_ctx *c, struct client_call *k);
int cell_call_local(cell_ctx *c, struct client_call *k);
/* What answers it in this process: as cell_serve_request; and the method as that knows it. */
int cell_local_answer(cell_ctx *inner, const struct client_call *k, const uint8_t *message, size_t len,
                      const struct cell_buffer **meta);
const struct cell_method *cell_local_method(const struct client_call *k);

/* ---- short_call.c: the calls that are to cost least ---- */

enum short_call {
    SHORT_NOT,  /* nothing was done */
    SHORT_SENT, /* the request was sent on the context's lease, and *rest is what there is to go on with */
    SHORT_DONE  /* *result is what the call returns */
};
struct short_rest {
    uint64_t ticks; /* when the call began */
    bool waited;    /* for the first frame, with this result; cell_receive_reply is to look at it */
    int status;
    struct cell_received received;
    uint64_t small[CELL_SMALL_MESSAGE / 8];
    struct cell_error error;
};
enum short_call cell_call_short(cell_ctx *c, const struct cell_service *service, uint32_t method, const void *in,
                                void *const *out, int *result, struct short_rest *rest);
/* Takes a reply to request `id` that is as usual. False: nothing was done. */
bool cell_take_short_reply(cell_ctx *c, const struct method_layouts *layouts, uint64_t id,
                           const struct cell_received *r, void *const *out, int *result);

#endif
