/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The parts of a server. One server_*.c each; see server.c for who does what. */
#ifndef CELL_CALL_SERVER_PARTS_H
#define CELL_CALL_SERVER_PARTS_H

#include <semaphore.h>

#include "call.h"
#include "core/identity.h"
#include "core/schema.h"
#include "server_crowd.h"
#include "server_gate.h"

/* ---- which methods a client of another schema may call: server_match.c, server_bound.c ---- */

struct method_counters;
struct server_thread;
struct match_payer;

/* What the cell has made of a binding. Under the match's lock. */
struct bound_object {
    void *bound;   /* the cell's */
    uint32_t uses; /* calls that run with it */
    bool given_up; /* nobody else finds it: the last of them unbinds it */
    struct bound_object *next_over;
};

/* A method that the client brings with it. Under the match's lock. */
struct bound_method {
    struct bound_object *object; /* NULL: the next call binds it */
    bool binding;                /* a call does */
    /* Made with the first call, then constant; who sees the counters sees the layouts. */
    struct method_layouts *layouts;
    _Atomic(struct method_counters *) counters;
};

/* A client's schema, for all connections with it. But for what is said, constant once others can see it. */
struct server_match {
    struct server_match *next;                  /* all of the server; under its matches.lock, as are the next three */
    uint32_t users;                             /* who may call with it; none: it may be dropped */
    uint64_t left;                              /* when the last of them went, in turns */
    struct match_payer *payers;                 /* whose connections use it */
    size_t bytes;                               /* what it holds, about; constant */
    char fingerprint[CELL_FINGERPRINT_LEN + 1]; /* of the client's schema */
    uint32_t n;                                 /* methods of the client's schema */
    uint32_t refused;                           /* how many of them cannot be served */
    struct {
        uint32_t id;     /* the server's */
        const char *why; /* NULL = it can be served; else the difference in words */
        bool bound;      /* it is the client's own; `id` means nothing */
        bool puts;       /* the client sends records with it */
    } *methods;
    struct cell_arena arena;
    /* With bound methods: */
    struct cell_schema *schema;          /* the client's; NULL: there are none */
    const struct cell_method *described; /* by the client's ids */
    struct bound_method *bound;          /* … */
    bool has_streams;                    /* one of these has one */
    uint32_t checked;                    /* how many of `described`, from the first, can be served for all we know */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a binding was made, or failed */
};

/* Of a server: those of its clients, and some that nobody uses now but may again. */
struct server_matches {
    pthread_mutex_t lock; /* after the server's */
    struct server_match *first;
    struct server_match *over; /* dropped, to be freed */
    atomic_bool any_over;
    uint64_t turns;
    uint32_t nunused;
    size_t unused_bytes;
};

/* Says what a client of the schema may call. The client's schema is taken over whatever the result. CELL_NO_MEMORY. To
 * be given back. */
int cell_server_match(struct cell_server *s, struct cell_schema *client, struct server_match **match,
                      struct cell_error *e);
/* The same of a schema that is known; NULL: it is not. */
struct server_match *cell_server_match_known(struct cell_server *s, const char *fingerprint);
/* What it holds counts for the user of that memory, once for all of that user's connections. Before it is given back.
 * CELL_RESOURCE_EXHAUSTED, CELL_NO_MEMORY. */
int cell_server_match_pay(struct cell_server *s, struct server_match *match, struct cell_memory *memory,
                          struct cell_error *e);
/* NULL is accepted. `memory` as it was paid for, NULL = it was not. The server's lock may be held. */
void cell_server_match_give(struct cell_server *s, struct server_match *match, struct cell_memory *memory);
/* Frees what nobody uses any more; it runs the cell's `unbind`, so no lock is held. */
void cell_server_reap(struct cell_server *s);
/* Of all; nobody uses them. */
void cell_server_matches_free(struct cell_server *s);
/* Does something with each, while others come and go; no lock is held. */
void cell_server_for_matches(struct cell_server *s, void (*each)(struct cell_server *s, struct server_match *m));

/* Unbinds what is bound; nobody calls with the match. */
void cell_bound_free(struct cell_server *s, struct server_match *match);
/* What method `id` is bound to, if it was called before, for one call more; to be released. False: that is not known.
 */
bool cell_bound_try(struct server_match *match, uint32_t id, const struct method_layouts **layouts,
                    struct method_counters **counters, struct bound_object **object);
void cell_bound_release(struct cell_server *s, struct server_match *match, struct bound_object *object);
/* Of the server. */
void cell_bound_counters_free(struct cell_server *s);
/* A call of the client's method `id`, which is bound, from its message to its reply. */
int cell_bound_answer(struct cell_server *s, struct server_match *match, struct server_thread *t, cell_ctx *c,
                      uint32_t id, const uint8_t *message, size_t len, const struct cell_buffer **meta);

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
    X(connections_refused, "connections_refused") /* over the limit of their user */                                   \
    X(connections_shm, "connections_shm")         /* became shared memory */                                           \
    X(memory_refused, "memory_refused")           /* requests, blobs and replies over the memory of their user */      \
    X(slow_clients_cut, "slow_clients_cut")       /* did not take their replies while many others did not either */    \
    X(threads_most, "threads_most")               /* at once; no counter, but never falls either */                    \
    X(handshakes_refused, "handshakes_refused")                                                                        \
    X(protocol_errors, "protocol_errors")                                                                              \
    X(calls_waited, "calls_waited")     /* for one of max_threads */                                                   \
    X(https_requests, "https_requests") /* whose client was let in */                                                  \
    X(https_refused, "https_refused")   /* whose client was not, or came too often */                                  \
    X(cancelled, "cancelled")           /* CANCEL frames and hang-ups that met a running call */

#define CELL_STATUS_COUNT 23u /* statuses 0 … 22, negated */

struct method_counters {
#define CELL_COUNTER_MEMBER(member, name) atomic_uint_fast64_t member;
    CELL_METHOD_COUNTER_MAP(CELL_COUNTER_MEMBER)
    atomic_uint_fast64_t by_status[CELL_STATUS_COUNT];
};

/* Of methods that clients bring with them: by name, so many; those of all others together in the last one. */
#define CELL_MAX_BOUND_COUNTERS 1024u
#define CELL_OTHER_METHODS "(others)"
struct bound_counters {
    struct bound_counters *next;
    char name[CELL_MAX_NAME + 1];
    struct method_counters counters;
};

struct server_counters {
    CELL_SERVER_COUNTER_MAP(CELL_COUNTER_MEMBER)
};
#undef CELL_COUNTER_MEMBER

static inline void cell_count(atomic_uint_fast64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}
/* The same for a counter that only this thread writes: no locked instruction. */
static inline void cell_count_own(atomic_uint_fast64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

/* What one thread has counted of one method and not yet added to the server's counters. Four locked instructions would
 * be a good part of a short call. */
struct tally {
    struct method_counters *method; /* changed under the server's lock; NULL = none */
#define CELL_COUNTER_MEMBER(member, name) atomic_uint_fast64_t member;
    CELL_METHOD_COUNTER_MAP(CELL_COUNTER_MEMBER)
#undef CELL_COUNTER_MEMBER
};
#define TALLIES 4u

/* ---- callers: the users and processes that have connections; all of it under the server's `lock` ---- */

struct server_conn;

struct caller_uid {
    struct caller_uid *next;
    uint32_t uid;
    uint32_t nconns;    /* that count towards its limit */
    uint32_t nstreams;  /* that run */
    uint32_t nrefusing; /* over it, until they have been told so */
    uint32_t nprocesses;
    struct cell_memory memory;
    struct gate_uid gate;
    struct server_conn *idle_first, *idle_last; /* open ones that the poller watches, longest first */
    /* What waits for a thread, taken in turns. */
    struct caller_process *ready_first, **ready_last;
    struct caller_uid *next_ready;
    uint32_t stuck; /* scratch of whoever counts threads that wait for its clients to read */
};

struct caller_process {
    struct caller_process *next; /* with the same hash */
    struct caller_uid *uid;
    int32_t pid;
    uint32_t nconns;
    atomic_uint parked; /* threads that wait for the next call of its connections */
    uint32_t nserved;   /* threads that are busy with its requests, but not in handlers */
    uint32_t nready;    /* connections that wait for one */
    bool in_line;       /* it may have another */
    struct gate_process gate;
    struct server_conn *ready_first, **ready_last;
    struct caller_process *next_ready;
};

#define CALLER_HASH 256u

/* What may carry a connection, and changes while it lives; server_ops.c has the names. */
#define CELL_CARRIERS 2u

/* ---- connections ---- */

/* A thread that serves connections. */
struct server_thread {
    struct server_thread *prev, *next;
    struct server_conn *conn;      /* that it serves */
    struct caller_process *caller; /* whose it is */
    bool counted;                  /* in nserved of that */
    atomic_uint_fast64_t
        sending_ns;                /* since when it sends a reply; 0 = it does not. While it does, `conn` is its own */
    bool cut;                      /* its connection was, for that */
    struct tally tallies[TALLIES]; /* by method, modulo their number */
};

enum server_conn_state {
    CONN_NEW,         /* waits for HELLO */
    CONN_NEED_SCHEMA, /* waits for SCHEMA */
    CONN_OPEN
};

struct server_conn {
    struct ctx_origin origin;                  /* first: a handler's context points here */
    struct server_conn *prev, *next;           /* all of the server */
    struct server_conn *idle_prev, *idle_next; /* of its user */
    struct server_conn *late_prev, *late_next; /* those in the handshake, longest first */
    struct server_conn *next_ready;            /* those of its process that wait for a thread */
    struct cell_server *server;
    struct caller_process *caller;
    struct server_thread *thread; /* that serves it, when one does */
    struct cell_conn *conn;
    const struct cell_conn_ops *counted; /* as one of nopen; changes under `lock`. NULL: it is none */
    struct server_match *match;          /* NULL: the schema is the server's own */
    uint64_t handshake_deadline_ns;
    enum server_conn_state state;
    bool polled;  /* the poller has it, no thread */
    bool added;   /* it is in the epoll set */
    bool greeted; /* its first call is to be waited for */
    bool refused; /* over the limit of its user: HELLO is answered with that */
    uint8_t channel;
    char program[64];
    /* While a handler runs its connection is looked at for CANCEL and hang-up; another frame that is found is kept. */
    uint64_t current_id;
    bool hung_up, has_pending;
    struct cell_received pending;
    uint64_t small[CELL_SMALL_MESSAGE / 8]; /* of a short call */
    /* While its call waits at the gate no thread has it; the frame is `pending`. */
    struct gate_waiter waiter;
    uint64_t arrived_ns;          /* of that frame */
    bool admitted;                /* it has its place, which is to be given back */
    struct server_stream *stream; /* of the call whose handler runs; NULL. Changed under `lock` */
    struct cell_later *later;     /* of the call that is answered later, and is for a thread now; NULL */
    bool may_begin;               /* its last call was one that could have been begun on a shared thread */
    uint64_t placed_ns;           /* when the call whose handler runs got a place that it can give up; 0 = none */
    uint64_t placed_ticks;        /* the same of a short call */
    bool aside;                   /* it has given it up */
    sem_t *turn;                  /* the thread of a call over HTTPS waits here for its place; NULL = there is none */
    bool crowded;                 /* it has a slot in the crowd, perhaps while its call runs */
    uint32_t slot;
    struct { /* what is to be done when the client has not heard the answer of call `id`: server_unheard.c */
        uint64_t id;
        cell_unheard_fn *undo; /* NULL = nothing */
        void *user;
        char what[CELL_MAX_UNHEARD];
    } unheard;
    uint64_t
        over_id; /* of a call that was answered before its client's records were over: they are dropped; 0 = none */
};

/* ---- the server ---- */

struct cell_server {
    struct cell_server_options options; /* defaults filled in */
    const char *cell;
    char fingerprint[CELL_FINGERPRINT_LEN + 1];
    struct cell_buffer schema_json; /* what the compile channel answers */
    struct server_identity {        /* server_identity.c */
        bool has_key;
        uint8_t seed[32];
        uint64_t version;           /* of the schema */
        struct cell_signature last; /* under `lock` */
    } identity;
    struct cell_schema *schema;
    const struct cell_method **methods; /* by id */
    struct method_layouts **layouts;    /* of these */
    const char **lacks;                 /* by id: a capability that it needs and the cell has not; NULL = none */
    struct method_counters *method_counters;
    struct server_counters counters;
    struct bound_counters *bound_counters; /* grows, under matches.lock */
    uint32_t nbound_counters;
    struct server_matches matches;
    atomic_uint bound_epoch; /* what is being bound when it changes is not kept */
    struct call_hooks hooks;
    struct cell_error error; /* of new and run */
    bool has_streams;        /* some method has one */
    bool usable;             /* new succeeded */
    uint64_t started_ns;

    atomic_bool running, draining, hard_stop;
    atomic_bool stop;
    int wake_fd;
    int halt_fd; /* readable from when handlers are to stop */

    /* While it runs: */
    const struct cell_transport *transport;
    struct cell_listener *listener;
    int epoll_fd;
    bool accepting;           /* the listener is watched; the run loop's own */
    uint64_t accept_again_ns; /* after a failure to accept; 0 = no pause */
    struct server_gate gate;
    struct server_crowd crowd;
    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t work;  /* a connection is ready, or threads shall leave */
    struct server_conn *conns;
    struct server_conn *late_first, *late_last; /* in the handshake */
    uint32_t nconns, nidle;
    uint32_t nopen[CELL_CARRIERS]; /* open ones of the app channel */
    struct caller_uid *uids;
    struct caller_process *callers[CALLER_HASH];
    struct caller_uid *ready_first, **ready_last; /* with connections that wait for a thread */
    struct server_thread *threads;
    uint32_t nready;                        /* of the processes in line */
    uint32_t nthreads, nwaiting, nstarting; /* all; those that wait for work; those that have yet to look for it */
    uint32_t nstreams;                      /* calls with streams; each has a thread */
    uint32_t nremote_streams;               /* such calls over HTTPS, whose threads are not counted */
    uint32_t nlater;                        /* calls that are answered later */
    uint32_t nremote;                       /* requests over HTTPS that are being answered */
    bool short_of_threads;                  /* something is in line, and no thread may be started for it now */
    uint32_t max_served;                    /* threads, without those that wait for a client to take its reply */
    uint32_t processors;
    uint32_t max_parked; /* threads that wait for the next call of their connection */
    atomic_uint parked;
    atomic_uint parking_refused; /* grows; who has parked long looks whether others want to */
    bool wants_room;             /* a client waits to be accepted and there is no room */
    bool abandoned;              /* run gave up waiting: the last thread frees the server */
    struct server_https *https;  /* while it listens for other hosts; changed by run alone */
    char *consumers;             /* the folder; NULL = not looked for yet, "" = none. Never changes then */
};

const char *cell_server_cell(const struct cell_server *s);
const char *cell_server_fingerprint(const struct cell_server *s);
void *cell_server_user(const struct cell_server *s);

/* server_schema.c: checks `provided` and takes its schema and methods. */
int cell_server_take_schema(struct cell_server *s, const struct cell_provided *provided);

/* server_answer.c: one request of the app channel, with counters, through interceptors and handler. `t` is the server's
 * thread that runs this; NULL = another. */
int cell_server_answer(struct cell_server *s, struct server_match *match, struct server_thread *t, cell_ctx *c,
                       uint32_t id, const uint8_t *message, size_t len, const struct cell_buffer **meta);
/* What a request is for; `id` is the server's own, or the client's of a method that it brought. */
struct served_method {
    uint32_t id;
    struct method_counters *counters;
    struct call_target target;
};
/* The same for a method that is found. */
int cell_serve_counted(struct cell_server *s, struct server_thread *t, cell_ctx *c, const struct served_method *m,
                       const uint8_t *message, size_t len, const struct cell_buffer **meta);
/* The thread's tally of a method with these counters. */
struct tally *cell_server_tally(struct cell_server *s, struct server_thread *t, uint32_t id, struct method_counters *n);
void cell_server_count_error(struct method_counters *n, int code);
/* The method behind a client's id; NULL: it is not served. */
const struct cell_method *cell_server_method(const struct cell_server *s, const struct server_match *match,
                                             uint32_t id);
/* Adds what the thread has counted to the server's counters; with `lock` held. */
void cell_server_add_tallies(struct server_thread *t);
/* A counter of a method, all that threads have counted included; with `lock` held. `offset` of the member in struct
 * method_counters and in struct tally. */
uint64_t cell_server_counted(const struct cell_server *s, const struct method_counters *n, size_t in_method,
                             size_t in_tally);

/* server_ops.c, server_compile.c: the reply's message in c->message; its code. */
int cell_server_ops(struct cell_server *s, cell_ctx *c, int32_t method, const uint8_t *message, size_t len);
int cell_server_compile(struct cell_server *s, cell_ctx *c, int32_t method, const uint8_t *message, size_t len);
/* Counts an open connection for what carries it `now`, and no more for what did; NULL = none. `lock` is held. */
void cell_server_count_open(struct cell_server *s, struct server_conn *conn, const struct cell_conn_ops *now);

/* server_conn.c: what a connection knows of its other end from the beginning. */
void cell_server_conn_init(struct cell_server *s, struct server_conn *conn);
/* Serves a connection for a while. One thread at a time. */
enum server_next {
    NEXT_IDLE, /* the poller is to watch it */
    NEXT_OVER,
    NEXT_AWAY, /* its call waits at the gate: it is not the thread's any more */
    NEXT_CROWD /* it is to share a thread with others */
};
/* Answers HELLO, if it has come. By the poller, before anybody else has the connection: a client says it when it has
 * connected, and so waits for no thread. Of others no more is read than HELLO can have. */
enum server_next cell_server_greet(struct cell_server *s, struct server_conn *conn);
enum server_next cell_server_serve(struct cell_server *s, struct server_conn *conn, cell_ctx *c);
/* Sends a reply; what it would hold is counted for the caller's user. False: the connection is over. */
bool cell_server_send_reply(struct server_conn *conn, cell_ctx *c, uint64_t id, int code,
                            const struct cell_buffer *meta, uint64_t now_ns);
/* server_short.c: serves short calls, at most so many, for as long as each comes at once; the thread waits for the
 * connection's next call. */
struct short_calls {
    bool arrived; /* before: a frame is there already; after: it is for the usual way */
    struct cell_received received;
    uint32_t served;
};
enum server_next cell_server_serve_short(struct cell_server *s, struct server_conn *conn, cell_ctx *c, uint32_t most,
                                         struct short_calls *calls);
/* GOAWAY, without waiting. */
void cell_server_say_goodbye(struct server_conn *conn);

/* server_hello.c: one frame of a connection that is not open yet; false = it is over. */
bool cell_server_handshake(struct cell_server *s, struct server_conn *conn, const struct cell_received *received);
/* Tells the client, with WELCOME, why its connection ends. */
void cell_server_refuse(struct server_conn *conn, const struct cell_error *e);

/* server_callers.c; with `lock` held but for the last two. */
/* The connection's user and process. CELL_NO_MEMORY. */
int cell_callers_join(struct cell_server *s, struct server_conn *conn);
void cell_callers_leave(struct cell_server *s, struct server_conn *conn); /* after it was closed */
/* How many connections the user may have. */
uint32_t cell_callers_limit(const struct cell_server *s, uint32_t uid);
/* The open connection that has been idle longest, of the user who has the most; NULL = none. */
struct server_conn *cell_callers_victim(const struct cell_server *s);
void cell_ready_put(struct cell_server *s, struct server_conn *conn);
/* Of a process that has less than its share of threads; NULL = none. The thread counts for it from here on. */
struct server_conn *cell_ready_take(struct cell_server *s, struct server_thread *t);
/* Until it is done with the request, or only waits for the client. True: there is work for another thread. */
bool cell_ready_done(struct cell_server *s, struct server_thread *t);
/* A thread may go on waiting for the connection's next call; to be given back. */
bool cell_parking_take(struct cell_server *s, struct caller_process *p);
void cell_parking_give(struct cell_server *s, struct caller_process *p);

/* server_threads.c */
/* What the thread does from here on is limited in other ways, or is to wait: it does not count for its caller. */
void cell_server_waits(struct cell_server *s, struct server_thread *t);
/* Looks again whether threads may be started; when to do so the next time. */
uint64_t cell_server_find_threads(struct cell_server *s);
/* Those whose calls were admitted by the gate go on. */
void cell_server_resume(struct cell_server *s, struct gate_waiter *admitted);
void cell_server_handshake_over(struct cell_server *s, struct server_conn *conn); /* `lock` is held */
void cell_server_dispatch(struct cell_server *s, struct server_conn *conn);       /* `lock` is held */
void cell_server_conn_free(struct cell_server *s, struct server_conn *conn);      /* `lock` is held */
/* The poller watches it; with `lock` held. The other one is the poller's own. */
void cell_server_watch(struct cell_server *s, struct server_conn *conn);
void cell_server_arm(struct cell_server *s, struct server_conn *conn);
void cell_server_unwatch(struct cell_server *s, struct server_conn *conn); /* `lock` is held */
void cell_server_wake(struct cell_server *s);
/* One more thread that is not for connections in turn; `lock` is held. It ends with cell_server_thread_over. */
bool cell_server_start_thread(struct cell_server *s, void *(*run)(void *server));
void cell_server_thread_over(struct cell_server *s);
/* Nobody runs anything for the server any more; `lock` is held. */
static inline uint32_t cell_server_left(const struct cell_server *s) { return s->nthreads + s->nlater + s->nremote; }
static inline bool cell_server_is_alone(const struct cell_server *s) { return cell_server_left(s) == 0; }
void cell_server_delete(struct cell_server *s);

/* server_run.c: waits for events, at most so long (-1 = for ever), and deals with them. */
void cell_server_poll(struct cell_server *s, int timeout_ms);

/* server_identity.c */
/* Reads or makes the key, if the cell is to have one; needs the schema. s->error tells what is wrong. */
int cell_server_open_identity(struct cell_server *s);
/* Puts the signature of the schema into the metadata of the reply, if there is a key. */
int cell_server_sign(struct cell_server *s, cell_ctx *c);

/* server_https.c: listening for other hosts. begin: s->error tells what is wrong, and that nobody wants it is no error.
 * quiesce: no more connections. end: `left` = requests are still being answered, and use what there is. */
int cell_server_https_begin(struct cell_server *s);
void cell_server_https_quiesce(struct cell_server *s);
void cell_server_https_end(struct cell_server *s, bool left);
/* Where it listens, as text; false = it does not. */
bool cell_server_https_address(const struct cell_server *s, char *text, size_t size);

/* server_consumers.c */
/* What the operations channel is asked about programs that use the cell; CELL_UNIMPLEMENTED for another method. */
int cell_server_ask_consumers(struct cell_server *s, cell_ctx *c, int32_t method, const uint8_t *message, size_t len);
/* Finds out where what is known of them is kept, by the environment as it is now. */
void cell_server_find_consumers(struct cell_server *s);

/* server_drain.c: after the loop; CELL_DEADLINE_EXCEEDED when handlers still run. */
int cell_server_drain(struct cell_server *s);

/* server_signal.c: SIGTERM and SIGINT stop every server of the process while one runs. */
int cell_signals_begin(struct cell_server *s);
void cell_signals_end(struct cell_server *s);

/* notify.c: the supervisor's protocols. */
int cell_listen_fd(struct cell_error *e); /* the socket that was passed, -1 = none, or a status below -1 */
void cell_notify(const char *state);      /* "READY=1"; ignored when nobody wants to know */
uint64_t cell_watchdog_ns(void);          /* how often "WATCHDOG=1" is to be sent; 0 = never */

/* ---- answers that are not heard: server_unheard.c ---- */

void cell_server_if_unheard(struct ctx_origin *origin, cell_unheard_fn *undo, void *user, const char *what);
/* Call `id` was answered, and its client has not heard. */
void cell_server_unheard(struct server_conn *conn, uint64_t id);

#endif
