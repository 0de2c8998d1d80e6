/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Serving other hosts: the parts of server_https*.c. Requests come from the listener's threads, one for each
 * connection. */
#ifndef CELL_CALL_SERVER_HTTPS_H
#define CELL_CALL_SERVER_HTTPS_H

#include "https/listener.h"
#include "server_parts.h"

#define HTTPS_MAX_TOKENS 256u
#define HTTPS_MAX_CALLERS 256u
#define HTTPS_BUCKETS 4096u

/* Who asks, as far as turns at the gate go. */
struct https_caller {
    char name[HTTPS_MAX_NAME];
    struct gate_uid uid;
    struct gate_process gate;
    uint32_t nstreams; /* under the server's lock */
};

/* What the rate of one address, or of those with the same hash, may still be. */
struct https_bucket {
    uint64_t at_ns;
    double left;
};

struct server_https {
    struct cell_server *server; /* not read after `over` */
    const struct https_functions *functions;
    struct https_listener *listener;
    char address[80];
    pthread_mutex_t lock; /* of what follows */
    bool over;            /* the server is not there any more */
    struct {
        char name[HTTPS_MAX_NAME];
        uint8_t hash[32];
    } *tokens; /* constant */
    uint32_t ntokens;
    bool vouched, anonymous; /* constant: clients may have certificates; may have nothing */
    double rate;
    uint64_t seed;
    struct https_bucket *buckets;
    struct https_caller *callers[HTTPS_MAX_CALLERS + 1]; /* the last one: all others */
    uint32_t ncallers;
};

/* ---- server_https_access.c ---- */

/* Reads the tokens. */
int cell_https_read_tokens(struct server_https *h, const char *path, struct cell_error *e);
/* Whether the address may ask one thing more; `cost` in requests. */
bool cell_https_may_ask(struct server_https *h, const char *address, double cost);
/* The name of who asks: "" = nobody known, who may ask in spite of that. CELL_UNAUTHENTICATED. */
int cell_https_who(const struct server_https *h, const struct https_request *r, char name[HTTPS_MAX_NAME],
                   struct cell_error *e);
/* The caller of that name. NULL when memory is short. */
struct https_caller *cell_https_caller(struct server_https *h, const char *name);

/* ---- server_https.c ---- */

/* Loads libcell_https.so, for good. NULL: CELL_FAILED_PRECONDITION. */
const struct https_functions *cell_https_load(struct cell_error *e);

/* ---- server_https_request.c ---- */

int64_t cell_https_admit(void *h, const struct https_request *r, struct https_reply *reply);
void cell_https_answer(void *h, const struct https_request *r, struct https_reply *reply);

/* One request, while it is answered. */
struct https_call {
    struct server_conn conn; /* for the gate and the context; first */
    struct server_https *h;
    struct https_caller *caller;
    const struct https_request *request;
    cell_ctx *c;
    sem_t turn;
    uint64_t entered_ns;
    bool aside; /* it has given up its place, for the rest of the call */
    char name[HTTPS_MAX_NAME];
    struct cell_buffer out; /* the document that is answered */
    int code;               /* what it stands for: negative = an error */
    bool wants_schema;      /* the client is to send its own first */
};
/* Waits for a place among the handlers, and gives it back. */
void cell_https_enter(struct https_call *x);
void cell_https_leave(struct https_call *x);
/* Answers with an error: of the context, or `e`. */
void cell_https_fail(struct https_call *x, const struct cell_error *e);
/* The HTTP status that stands for a code. */
unsigned cell_https_status(int code);
/* One thing more (1) or less (-1) that is done for another host. False: of a server that drains nothing is begun. After
 * -1 the server may be gone. */
bool cell_https_count(struct server_https *h, int n);
void cell_https_give(struct https_reply *reply, struct cell_buffer *out); /* the document becomes the listener's */
/* Frees it; NULL is accepted. */
void cell_https_end(struct https_call *x);

/* ---- server_https_call.c ---- */

/* What is answered is in x->out. True: `x` is not to be used any more, and *reply is filled in. */
bool cell_https_call(struct https_call *x, const char *method, struct https_reply *reply);
/* Writes what was answered with x->code; `meta` NULL = no metadata. */
void cell_https_put_reply(struct https_call *x, const struct cell_method *m, const struct cell_buffer *meta);
/* Takes the schema that a client was built with. */
void cell_https_schema(struct https_call *x);

/* ---- server_https_stream.c ---- */

/* Begins the handler of a method with a stream from the server, and waits until it has put something, answered, or
 * taken a while. CELL_OK: `x` is not to be used any more, `match` and *message are taken over, and *reply is filled in:
 * with lines, or with an error that came before any record. Negative: nothing has happened. */
int cell_https_stream(struct https_call *x, struct server_match *match, const struct cell_method *m, uint32_t id,
                      struct cell_buffer *message, struct https_reply *reply, struct cell_error *e);

#endif
