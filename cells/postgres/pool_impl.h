/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the parts of the pool (pool_*.c) share. */
#ifndef CELLS_POSTGRES_POOL_IMPL_H
#define CELLS_POSTGRES_POOL_IMPL_H

#include "pool.h"

#include <pthread.h>
#include <stdatomic.h>

#define POOL_MAX_CONNECTIONS 64
#define POOL_MAX_PINNED 1024
#define POOL_BATCH 32     /* statements that are sent with one system call at most */
#define POOL_MERGE 64     /* executions in one merged statement at most */
#define POOL_FLIGHTS 512  /* entries of a link's flight: a power of two; a statement has five at most */
#define POOL_BELLS 4      /* words that threads sleep on */
#define POOL_IDLE_MS 100  /* a connection that was idle for longer is looked at before it is used */
#define POOL_SLICE_MS 100 /* how often who waits looks whether its caller still does */
#define POOL_NAME_SIZE 48 /* of a prepared statement's name */
#define POOL_ATTEMPTS 12  /* of what others' failures hit: more than there are connections by default */
/* How long the end of what was cancelled, or is over, is waited for, so that the connection stays good. */
#define POOL_GRACE_NS UINT64_C(250000000)
#define POOL_RESULT_MAX                                                                                                \
    (UINT64_C(24) << 20) /* bytes of one result: more than the largest message that could carry it */

struct pg_prepared {
    struct pg_pool *pool;
    uint64_t id;
    char *sql;
    Oid *types;
    int nparams;
    atomic_uint_least32_t average_us; /* how long it takes; 0 = it has not run yet */
    struct pg_prepared *merged;       /* NULL = it has no merged form */
    atomic_bool apart;                /* which turned out not to do */
};

/* The states of a request. */
enum { REQUEST_WAITS, REQUEST_LEADS, REQUEST_DONE };

/* How a request that is done ended. */
enum request_end {
    REQUEST_RESULT,    /* result is set, which may be an error */
    REQUEST_NOT_BEGUN, /* the connection was lost, or not made, before it */
    REQUEST_LOST,      /* the connection was lost while it may have run */
    REQUEST_AGAIN,     /* it was rolled back for another's sake */
    REQUEST_REPREPARE, /* its prepared statement is out of date or gone; it was not executed */
    REQUEST_REPLAN,    /* the plan of its prepared statement is out of date; it was not executed */
    REQUEST_MOVED,     /* it was not executed, or may be executed again: a slow statement is before it */
    REQUEST_LOCKED, /* it would wait for a lock for too long, and was rolled back: it needs a connection of its own */
    REQUEST_FAILED  /* failure is set */
};

/* One execution. It lies on the stack of its thread, which waits until it is done or takes it back. */
struct pg_request {
    struct pg_request *next; /* in the queue of a link; of those that are done */
    struct pg_prepared *s;
    const struct pg_values *values;
    unsigned flags;
    bool begun; /* nobody waits for it: it is a struct pg_run's, which is told */
    bool leads; /* its thread waits from the beginning, and can lead. Who is told to go on with one may first have to
                   get a thread, which others have who wait for the link */
    bool alone; /* it shares its transaction with nobody, whatever its flags say */
    bool pins;  /* and its connection neither */
    bool sent;
    bool gave_up;              /* its thread has stopped waiting and sent a cancel request */
    bool preparing;            /* its statement was prepared with it: an error may be that one's */
    bool merges;               /* who waits can take its rows out of a larger result */
    uint32_t seat;             /* of who waits for it (pool_sleep.c) */
    uint32_t place;            /* in a merged statement, from 1 */
    struct pg_request *beside; /* the next one in it */
    atomic_int state;
    enum request_end end;
    struct pg_rows rows;
    struct pg_failure failure;
};

/* One that was begun with pg_pool_begin. */
struct pg_run {
    struct pg_request request; /* first */
    struct pg_pool *pool;
    struct pg_link *link;
    struct pg_values values;
    uint64_t look_ns; /* when somebody is to wait for it after all */
    bool followed;    /* somebody is to, and it is not done */
    struct pg_run *next_slow;
    pg_run_done *done;
    void *user;
};

/* What was sent and not answered yet, in order. */
enum flight_kind { FLIGHT_PREPARE, FLIGHT_QUERY, FLIGHT_CLOSE, FLIGHT_SYNC };
struct flight {
    enum flight_kind kind;
    struct pg_request *request; /* NULL: nobody waits any more; of a merged statement the first one */
    uint32_t merged;            /* executions in a merged statement; 0 = it is none */
    uint64_t id;                /* of the statement */
    PGresult *result;
};

/* A statement that a connection has prepared. Prepared anew, it gets a new name: the old one is still taken. */
struct prepared_entry {
    uint64_t id; /* 0 = none */
    uint64_t used;
    char name[POOL_NAME_SIZE];
};

struct pg_link {
    struct pg_pool *pool;
    PGconn *connection; /* NULL = not connected */
    uint64_t used_ns;
    /* prepared statements: a hash table with linear probing */
    struct prepared_entry *prepared;
    uint32_t nprepared, prepared_mask;
    uint64_t uses, names; /* counted */
    struct {
        char *data;
        size_t room;
    } arrays; /* scratch of merging */
    bool pinned;
    bool broken;          /* pinned: must be closed */
    bool foreign;         /* pinned: its session may not be as it was */
    struct pg_link *next; /* pinned, in the list of those that are free */

    /* shared ones */
    pthread_mutex_t lock;             /* for all that follows, and the connection */
    bool led;                         /* a thread reads for all, or has been told to */
    bool by_thread;                   /* the pool's */
    uint32_t watched;                 /* events for which that thread wakes up; 0 = none */
    uint32_t nbegun;                  /* requests that were begun */
    atomic_bool unsent;               /* some of them wait for pg_pool_flush */
    atomic_bool waits;                /* what is not sent waits for more, or for others' end */
    uint64_t cancelled_ns;            /* when a cancel request was sent, which may meet a later statement */
    struct pg_request *first, **last; /* not sent yet */
    uint32_t nqueued;
    struct flight flights[POOL_FLIGHTS];
    uint32_t head, scan, tail; /* of flights, counting on: the oldest, the one that is being answered, the end */
    bool fatal;                /* the server ended the connection at `scan`, and has not begun what comes after */
    uint32_t segments;         /* FLIGHT_SYNC entries in flight */
    uint64_t head_ns;          /* since when the first segment runs */
    uint64_t received;         /* bytes for the statement at `scan`, but for the first ones */
    bool stalled;              /* it has more than those */
    atomic_uint load;          /* requests queued and in flight: for choosing, read without the lock */
    atomic_uint running;       /* those in flight, while the pool's thread leads; likewise */
    atomic_uint_least64_t busy_since_ns; /* head_ns while something is in flight, else 0; likewise */
    atomic_bool open;                    /* connected; likewise */
};

struct pg_pool {
    char *conninfo;
    struct pg_pool_options options;
    char prefix[24]; /* of the names of prepared statements */
    atomic_uint_least64_t ids;
    atomic_bool unprepared;
    atomic_bool local;      /* the database is on this host: only as many connections are busy as it has processors */
    struct pg_link *shared; /* options.connections */

    struct {
        atomic_bool runs, stops;
        pthread_t id;
        int wake_fd, epoll_fd;
        bool gathers;                    /* the thread's own */
        uint64_t looked_ns;              /* when it looked at all links last; likewise */
        atomic_uint nled;                /* links that it leads */
        atomic_uint_least64_t joined_ns; /* when a statement joined others last */
    } thread;

    struct {
        atomic_uint rung;
        char apart[60]; /* a cache line each */
    } bells[POOL_BELLS];
    atomic_uint seats; /* that were given */

    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t freed;
    struct pg_link *idle; /* pinned links that nobody has */
    uint32_t npinned, nidle;

    struct {
        atomic_uint_least64_t connects, lost, runs, sends, prepares, evictions, moved, cancels, shared_again, merges,
            merged, merged_again;
    } counters;
};

uint64_t pool_now_ns(void);
/* A wait that ends after `ns` for nobody's sake. */
struct pg_patience pool_wait_ns(uint64_t ns);
/* Milliseconds for poll: what `patience` leaves, at most POOL_SLICE_MS. */
int pool_slice_ms(const struct pg_patience *patience);
/* For waiting until others have given something back: who waits for the result as well waits no longer than `patience`,
 * and told later would not be told. */
struct pg_patience pool_most_of(const struct pg_patience *patience);
/* Before that: those may be calls that wait for the place of this one. Takes locks of the server's. False: too many
 * calls wait so (cell_ctx_stand_aside). */
bool pool_stand_aside(const struct pg_patience *patience);
/* A condition of CLOCK_MONOTONIC, and waiting on it as long as poll would. */
void pool_init_cond(pthread_cond_t *cond);
void pool_wait_cond(pthread_cond_t *cond, pthread_mutex_t *lock, const struct pg_patience *patience);
/* CELL_OK, or CELL_DEADLINE_EXCEEDED or CELL_CANCELLED in *f. */
int pool_check_patience(const struct pg_patience *patience, struct pg_failure *f);

/* pool_connect.c */
/* A new connection for the link; and the link gets it, with its lock. One that takes a little longer than `patience` is
 * made for others: CELL_DEADLINE_EXCEEDED or CELL_CANCELLED, and *connection is set; otherwise it is not when this
 * fails.
 */
int link_connect(struct pg_link *link, const struct pg_patience *patience, PGconn **connection, struct pg_failure *f);
void link_adopt(struct pg_link *link, PGconn *connection);
void link_disconnect(struct pg_link *link);
bool link_seems_alive(struct pg_link *link); /* of an idle one */
bool link_said_last(const PGresult *error);  /* the server, or libpq, says nothing more on that connection */
/*
 * An error in place of an answer says that nothing of the transaction was stored: what comes to a server while it
 * stores one waits until it has said so. But in a crash, its own (PANIC) or another backend's (57P02), it is not known
 * how far it was; and class 08 is said by who stands between, of a server that he has lost, as libpq says it without a
 * state.
 */
bool link_said_undone(const PGresult *error);
void link_cancel(struct pg_pool *pool, PGcancel *cancel); /* may block until it is connected; frees it */
int link_init(struct pg_link *link, struct pg_pool *pool, bool pinned);
void link_destroy(struct pg_link *link);

/* pool_prepared.c: the statements that a connection has prepared */
/* Its name there, until the table changes; NULL: it is not prepared. */
const char *link_prepared(struct pg_link *link, const struct pg_prepared *s);
const char *link_add_prepared(struct pg_link *link, const struct pg_prepared *s);
void link_forget_prepared(struct pg_link *link, uint64_t id);
void link_forget_all(struct pg_link *link);
/* The name of the one to forget when there are too many, taken out of the table; false: there is room. */
bool link_evict(struct pg_link *link, char name[POOL_NAME_SIZE]);
void pool_time(struct pg_prepared *s, uint64_t ns); /* it took so long */

/* pool_send.c; the link's lock is held */
void link_enqueue(struct pg_link *link, struct pg_request *r);
void link_send(struct pg_link *link); /* or sets `waits` */
/* So many executions, less one, wait for more before they are sent over `link`; 0 = none does. */
uint32_t pool_worth_sending(const struct pg_pool *pool, const struct pg_link *link);

/* pool_merge.c; the link's lock is held */
/* How many of those that wait can be one statement with the first of them, which gives them their places in it; 1 = it
 * goes by itself. */
uint32_t link_mergeable(struct pg_link *link);
/* All that waits is one merged statement, or may be when more come. */
bool link_merges_all(struct pg_link *link);
/* Takes these n > 1 out of the queue: the first one, and the others beside it. */
struct pg_request *link_take_merged(struct pg_link *link, uint32_t n);
/* Sends them, prepared under that name. False: libpq did not take it. */
bool link_send_merged(struct pg_link *link, const char *name, const struct pg_request *r, uint32_t n);
/* The rows of a merged result belong to its requests now. False: it is not what it should be, and theirs no more. */
bool link_share_rows(struct flight *flight);

/* pool_receive.c; the link's lock is held. Requests that are done are added to `done`. */
struct done_list {
    uint32_t seats[POOL_BELLS]; /* threads to be woken */
    struct pg_request *begun;   /* those that were begun */
    struct pg_run *slow;        /* those that somebody is to wait for */
};
void link_receive(struct pg_link *link, struct done_list *done);
/* The connection is gone: closes it, and ends all requests of the link. */
void link_lose(struct pg_link *link, struct done_list *done);
void done_wake(struct pg_pool *pool, struct done_list *done); /* without the lock */

/* pool_sleep.c */
uint32_t pool_seat(struct pg_pool *pool); /* for a request */
/* To be read before the request's state is looked at; then sleeping on it does not miss what changes that. */
uint32_t pool_bell(struct pg_pool *pool, const struct pg_request *r);
void pool_sleep(struct pg_pool *pool, const struct pg_request *r, uint32_t bell, int ms);
void done_add(struct done_list *done, const struct pg_request *r); /* its state has changed */
void done_ring(struct pg_pool *pool, struct done_list *done);

/* pool_lead.c: executes on a shared link. CELL_OK: r->end says how it went; else nobody waits for it any more. */
int link_run(struct pg_link *link, struct pg_request *r, const struct pg_patience *patience, struct pg_failure *f);

/* Waits for a request that the link has already. */
int link_follow(struct pg_link *link, struct pg_request *r, const struct pg_patience *patience, struct pg_failure *f);
/* The oldest request of the link whose thread can lead; NULL = none. The lock is held. */
struct pg_request *link_heir(struct pg_link *link);
/* Whether anybody wants what is still to come. Likewise. */
bool link_is_wanted(const struct pg_link *link);

/* pool.c */
/* A shared link for the request; *joins: it is to be sent with others. NULL: none is free of slow statements. */
struct pg_link *pool_choose(struct pg_pool *pool, const struct pg_request *r, bool *joins);
bool pool_is_fast(const struct pg_prepared *s); /* it is known to be */
bool pool_is_slow(const struct pg_pool *pool, const struct pg_prepared *s);
/* From how its first attempt ended to its result. */
int pool_conclude(struct pg_pool *pool, struct pg_link *link, struct pg_request *r, int status,
                  const struct pg_patience *patience, struct pg_rows *rows, struct pg_failure *f);

/* pool_thread.c */
bool pool_thread_start(struct pg_pool *pool); /* if it does not run */
void pool_thread_stop(struct pg_pool *pool);
void pool_thread_wake(struct pg_pool *pool); /* unless this is the thread */
/* With the link's lock: the thread leads it from now on; it is told when what that needs changes, and before the
 * connection goes. */
void pool_thread_lead(struct pg_link *link);
void link_watch(struct pg_link *link);
void link_unwatch(struct pg_link *link);

/* pool_begin.c */
void pool_tell_slow(struct pg_run *slow);
void link_find_slow(struct pg_link *link, struct done_list *done); /* the lock is held */
void pool_tell(struct pg_request *done); /* those who have begun what is done; without a lock */

/* pool_pin.c: executes on a pinned link; r->end as above. */
int link_run_pinned(struct pg_link *link, struct pg_request *r, const struct pg_patience *patience,
                    struct pg_failure *f);

#endif
