/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Streams: what is the same for all, whoever holds the other end. One side puts records, the other takes them; each
 * batch is one message (wire/records.h), and what carries messages is one of
 *   stream_remote.c  a client's connection
 *   stream_https.c   a client's connection to another host
 *   server_stream.c  a server's connection, while its handler runs
 *   stream_local.c   a queue in this process, both ends
 */
#ifndef CELL_CALL_STREAM_H
#define CELL_CALL_STREAM_H

#include "pool.h"
#include "wire/records.h"

struct stream_ops {
    /* Sends one message of `length` bytes, in n > 0 parts. Blocks. */
    int (*send)(struct cell_stream *s, const struct iovec *parts, int n, uint32_t length, struct cell_error *e);
    /* Waits for the next message, which stays until the next call: 1; 0: there are no more. */
    int (*receive)(struct cell_stream *s, const uint8_t **message, size_t *len, struct cell_error *e);
    /* Whether the last message is not there any more, in the child of a fork. NULL: it is private memory. */
    bool (*lost)(const struct cell_stream *s);
    /* Whether something is there to be received, or nothing will come any more. The last message stays. */
    bool (*ready)(struct cell_stream *s);
};

struct cell_stream {
    const struct stream_ops *ops;
    const char *method;
    struct cell_records format;
    uint32_t max_message;           /* that the other side takes */
    uint32_t most_wait_ms;          /* for room, in one step of a server's; 0 = without limit */
    bool writes;                    /* this side puts */
    bool over;                      /* the end was met */
    const struct cell_field *ruled; /* the method's stream, when the rules of its records are to be checked; or NULL */
    cell_ctx *handler;              /* of the handler that takes them, to say in it which rule is broken; or NULL */
    struct cell_error error;        /* once its status is negative: that is what every further step gives */
    struct cell_arena arena;        /* of the batch */
    struct cell_batch batch;
    struct cell_buffer scratch;
};

void cell_stream_init(struct cell_stream *s, const struct stream_ops *ops, const struct cell_method *m, bool writes,
                      uint32_t max_message, size_t memory_limit);
void cell_stream_release(struct cell_stream *s);
/* Of a step that waits for room since then: CELL_OK, or CELL_DEADLINE_EXCEEDED. */
int cell_stream_check_wait(const struct cell_stream *s, uint64_t since_ns, struct cell_error *e);
/* Ends it with an error, unless it has one. Returns that. */
int cell_stream_fail(struct cell_stream *s, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* What was received and not handed out stays whatever else is received. */
int cell_stream_keep(struct cell_stream *s);

/* ---- clients: stream_client.c ---- */

struct stream_local;
struct stream_https;

struct client_stream {
    struct cell_stream base;
    struct client_stream *next; /* of the context; changed under its lock */
    cell_ctx *c;
    struct client_call call;
    const struct ctx_transaction *within; /* the transaction that it was opened in; NULL = none */
    uint32_t forks;
    int result;    /* of one that an interceptor answered */
    bool answered; /* what `reply` or `local` says is the result */
    /* Of one over a connection: */
    struct client_conn *conn; /* NULL: it is closed; changed under the context's lock */
    uint64_t id;
    bool leaving; /* the server said GOAWAY */
    struct cell_buffer request,
        meta;                   /* of a call on a connection that was idle, until anything came: for another one */
    struct cell_received reply; /* until the connection receives again */
    /* Of one in this process: */
    struct stream_local *local; /* changed under the context's lock */
    /* Of one to another host: */
    struct stream_https *https;
    const char *address; /* NULL: its cell is on this host */
};

/* The method of a stream that was opened in the transaction which calls to `cell` belong to now, and has neither ended
 * nor come to its end; NULL = there is none. */
const char *cell_streams_find_open(const cell_ctx *c, const char *cell);

extern const struct stream_ops cell_stream_remote_ops, cell_stream_local_ops, cell_stream_https_ops;

/* Opens it on a connection, or begins the handler. The request stands in c->message. */
int cell_stream_open_remote(cell_ctx *c, struct client_stream *s, struct cell_error *e);
int cell_stream_open_local(cell_ctx *c, struct client_stream *s, struct cell_error *e);
int cell_stream_open_https(cell_ctx *c, struct client_stream *s, struct cell_error *e);
/* The result of an end: the reply's, with what is to be said in `c`. Negative with e->status set: there was none. */
int cell_stream_end_remote(cell_ctx *c, struct client_stream *s, struct cell_error *e);
int cell_stream_end_local(cell_ctx *c, struct client_stream *s, struct cell_error *e);
int cell_stream_end_https(cell_ctx *c, struct client_stream *s, struct cell_error *e);
/* What a step gives that has failed with `r`: it takes the cancellation of its context. */
int cell_stream_failed(cell_ctx *c, struct client_stream *s, int r, struct cell_error *e);
/* Gives it up: what is on the other side learns of it. */
void cell_stream_drop_remote(cell_ctx *c, struct client_stream *s);
void cell_stream_drop_local(cell_ctx *c, struct client_stream *s);
void cell_stream_drop_https(struct client_stream *s);
/* The context's lock is held. Any thread. */
void cell_stream_interrupt_local(struct client_stream *s);

/* Ends all streams of a context; their handles are not valid any more. */
void cell_streams_drop(cell_ctx *c);
/* The transaction ends: streams that were opened in it and are still open are given up. */
void cell_streams_leave(cell_ctx *c, const struct ctx_transaction *t);
/* Ends waiting; the context's lock is held. Any thread. */
void cell_streams_interrupt(cell_ctx *c);

#endif
