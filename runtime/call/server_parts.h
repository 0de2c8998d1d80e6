/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The parts of a server. One server_*.c each; see server.c for who does what. */
#ifndef CELL_CALL_SERVER_PARTS_H
#define CELL_CALL_SERVER_PARTS_H

#include "call.h"
#include "core/schema.h"

/* ---- which methods a client of another schema may call ---- */

struct server_match {
    struct server_match *next;
    char fingerprint[CELL_FINGERPRINT_LEN + 1]; /* of the client's schema */
    uint32_t n;                                 /* methods of the client's schema */
    uint32_t refused;                           /* how many of them cannot be served */
    struct {
        uint32_t id;     /* the server's */
        const char *why; /* NULL = it can be served; else the difference in words */
    } *methods;
    struct cell_arena arena;
};

/* Compares; the match does not refer to the schema. CELL_NO_MEMORY. */
int cell_server_match_new(const struct cell_server *s, const struct cell_schema *client, const char *fingerprint,
                          struct server_match **match, struct cell_error *e);
void cell_server_match_free(struct server_match *match); /* with those behind it; NULL is accepted */

/* ---- counters ---- */

/* X(member, name): of each method. The names are stable: they are what metrics are called outside. */
#define CELL_METHOD_COUNTER_MAP(X)                                                                                     \
    X(calls, "calls")         /* requests that were begun */                                                           \
    X(done, "calls_done")     /* and ended: calls - calls_done are running */                                          \
    X(errors, "errors")       /* of those, with a negative status */                                                   \
    X(bytes_in, "bytes_in")   /* of request messages */                                                                \
    X(bytes_out, "bytes_out") /* of reply messages */

/* X(member, name): of the server. */
#define CELL_SERVER_COUNTER_MAP(X)                                                                                     \
    X(connections, "connections")                 /* accepted */                                                       \
    X(connections_closed, "connections_closed")   /* and ended */                                                      \
    X(connections_evicted, "connections_evicted") /* closed while idle, to make room */                                \
    X(handshakes_refused, "handshakes_refused")                                                                        \
    X(protocol_errors, "protocol_errors")                                                                              \
    X(calls_waited, "calls_waited") /* for one of max_threads */                                                       \
    X(cancelled, "cancelled")       /* CANCEL frames and hang-ups that met a running call */

#define CELL_STATUS_COUNT 22u /* statuses 0 … 21, negated */

struct method_counters {
#define CELL_COUNTER_MEMBER(member, name) atomic_uint_fast64_t member;
    CELL_METHOD_COUNTER_MAP(CELL_COUNTER_MEMBER)
    atomic_uint_fast64_t by_status[CELL_STATUS_COUNT];
};

struct server_counters {
    CELL_SERVER_COUNTER_MAP(CELL_COUNTER_MEMBER)
#undef CELL_COUNTER_MEMBER
};

static inline void cell_count(atomic_uint_fast64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* ---- connections ---- */

enum server_conn_state {
    CONN_NEW,         /* waits for HELLO */
    CONN_NEED_SCHEMA, /* waits for SCHEMA */
    CONN_OPEN
};

struct server_conn {
    struct ctx_origin origin;                  /* first: a handler's context points here */
    struct server_conn *prev, *next;           /* all of the server */
    struct server_conn *idle_prev, *idle_next; /* those the poller watches, longest first */
    struct server_conn *next_ready;            /* those that wait for a thread */
    struct cell_server *server;
    struct cell_conn *conn;
    struct server_match *match; /* NULL: the schema is the server's own */
    uint64_t handshake_deadline_ns;
    enum server_conn_state state;
    bool polled; /* the poller has it, no thread */
    bool added;  /* it is in the epoll set */
    uint8_t channel;
    char program[64];
    /* While a handler runs its connection is looked at for CANCEL and hang-up; another frame that is found is kept. */
    uint64_t current_id;
    bool hung_up, has_pending;
    struct cell_received pending;
};

/* ---- the gate: at most max_threads handlers at once, first come, first served ---- */

struct gate_waiter {
    struct gate_waiter *next;
    pthread_cond_t cond;
    bool admitted;
};

struct server_gate {
    pthread_mutex_t lock;
    uint32_t running, limit;
    struct gate_waiter *first, **last;
};

void cell_gate_init(struct server_gate *g, uint32_t limit);
void cell_gate_destroy(struct server_gate *g);
/* Waits for a place until the deadline; false = it passed. *waited tells whether there was none free. */
bool cell_gate_enter(struct server_gate *g, uint64_t deadline_ns, bool *waited);
void cell_gate_leave(struct server_gate *g);

/* ---- the server ---- */

struct cell_server {
    struct cell_server_options options; /* defaults filled in */
    const char *cell;
    char fingerprint[CELL_FINGERPRINT_LEN + 1];
    struct cell_buffer schema_json; /* what the compile channel answers */
    struct cell_schema *schema;
    const struct cell_method **methods; /* by id */
    struct method_layouts **layouts;    /* of these */
    struct method_counters *method_counters;
    struct server_counters counters;
    struct call_hooks hooks;
    struct cell_error error; /* of new and run */
    bool usable;             /* new succeeded */
    uint64_t started_ns;

    atomic_bool running, draining, hard_stop;
    atomic_bool stop;
    int wake_fd;

    /* While it runs: */
    const struct cell_transport *transport;
    struct cell_listener *listener;
    int epoll_fd;
    bool accepting;           /* the listener is watched; the run loop's own */
    uint64_t accept_again_ns; /* after a failure to accept; 0 = no pause */
    struct server_gate gate;
    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t work;  /* a connection is ready, or threads shall leave */
    struct server_conn *conns;
    uint32_t nconns, nhandshakes;
    struct server_conn *idle_first, *idle_last;
    struct server_conn *ready_first, **ready_last;
    uint32_t nready, nthreads, nwaiting;
    bool wants_room; /* a client waits to be accepted and there is no room */
    bool abandoned;  /* run gave up waiting: the last thread frees the server */
};

const char *cell_server_cell(const struct cell_server *s);
const char *cell_server_fingerprint(const struct cell_server *s);
void *cell_server_user(const struct cell_server *s);

/* server_schema.c: checks `provided` and takes its schema and methods. */
int cell_server_take_schema(struct cell_server *s, const struct cell_provided *provided);

/* server_answer.c: one request of the app channel, with counters, through interceptors and handler. */
int cell_server_answer(struct cell_server *s, const struct server_match *match, cell_ctx *c, uint32_t id,
                       const uint8_t *message, size_t len, const struct cell_buffer **meta);

/* server_ops.c, server_compile.c: the reply's message in c->message; its code. */
int cell_server_ops(struct cell_server *s, cell_ctx *c, int32_t method);
int cell_server_compile(struct cell_server *s, cell_ctx *c, int32_t method, const uint8_t *message, size_t len);

/* server_conn.c: what a connection knows of its other end from the beginning. */
void cell_server_conn_init(struct cell_server *s, struct server_conn *conn);
/* Serves a connection until it is idle (true) or over (false). One thread at a time. */
bool cell_server_serve(struct cell_server *s, struct server_conn *conn, cell_ctx *c);
/* GOAWAY, without waiting. */
void cell_server_say_goodbye(struct server_conn *conn);

/* server_hello.c: one frame of a connection that is not open yet; false = it is over. */
bool cell_server_handshake(struct cell_server *s, struct server_conn *conn, const struct cell_received *received);
/* Tells the client, with WELCOME, why its connection ends. */
void cell_server_refuse(struct server_conn *conn, const struct cell_error *e);

/* server_threads.c */
void cell_server_dispatch(struct cell_server *s, struct server_conn *conn);  /* `lock` is held */
void cell_server_conn_free(struct cell_server *s, struct server_conn *conn); /* `lock` is held */
void cell_server_watch(struct cell_server *s, struct server_conn *conn);     /* `lock` is held */
void cell_server_unwatch(struct cell_server *s, struct server_conn *conn);   /* `lock` is held */
void cell_server_wake(struct cell_server *s);
void cell_server_delete(struct cell_server *s);

/* server_run.c: waits for events, at most so long (-1 = for ever), and deals with them. */
void cell_server_poll(struct cell_server *s, int timeout_ms);

/* server_drain.c: after the loop; CELL_DEADLINE_EXCEEDED when handlers still run. */
int cell_server_drain(struct cell_server *s);

/* server_signal.c: SIGTERM and SIGINT stop every server of the process while one runs. */
int cell_signals_begin(struct cell_server *s);
void cell_signals_end(struct cell_server *s);

/* notify.c: the supervisor's protocols. */
int cell_listen_fd(struct cell_error *e); /* the socket that was passed, -1 = none, or a status below -1 */
void cell_notify(const char *state);      /* "READY=1"; ignored when nobody wants to know */
uint64_t cell_watchdog_ns(void);          /* how often "WATCHDOG=1" is to be sent; 0 = never */

#endif
