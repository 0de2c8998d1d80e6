/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Calls that are answered later, and connections that share a thread: server_later.c, server_crowd.c. */
#ifndef CELL_CALL_SERVER_CROWD_H
#define CELL_CALL_SERVER_CROWD_H

#include <pthread.h>

#include "call.h"

struct bound_object;
struct method_counters;
struct server_conn;

/* Of the server's memory, with a context of its own; kept for the next one. */
struct cell_later {
    struct cell_later *next; /* of those that are free */
    struct cell_server *server;
    struct server_conn *conn; /* which nobody else has */
    cell_ctx *c;
    struct bound_object *object;
    struct method_counters *counters;
    struct call_target target;
    void *in, **out;
    struct cell_ref *refs;
    uint64_t entered_ns; /* the gate */
    bool resumes;        /* in a thread; else its reply is only to be sent there */
    void *state;
    int code;
};

#define CROWD_MOST 256u

/* Connections that share a thread. */
struct server_crowd {
    pthread_mutex_t lock; /* before the server's; for all of this, and connections that have a slot */
    struct crowd_slot {
        struct server_conn *conn; /* NULL: free */
        uint32_t generation;      /* so that an event of one that has gone is noticed */
        bool away;                /* its call runs: the connection is the call's */
        bool signalled;           /* its socket has said something meanwhile */
        bool called;              /* since the last sweep */
    } slots[CROWD_MOST];
    atomic_uint n; /* slots in use; changed under the lock */
    uint32_t end;  /* none is behind it */
    int epoll_fd;  /* -1 = none yet */
    bool has_thread;
    bool gathers; /* cell_server_gather(…, true) */
    uint64_t swept_ns;
    struct cell_later *free;
    uint32_t nfree;
};

/* server_later.c */
/* Begins the call of a frame on a connection that nobody else has. False: it is for a thread, and nothing happened. */
bool cell_later_begin(struct cell_server *s, struct server_conn *conn, const struct cell_received *received);
/* Whether calls like that of the frame are offered to `begin` at all. */
bool cell_later_may_begin(const struct cell_server *s, const struct server_conn *conn, const struct cell_frame *f);
/* Of a connection whose call was handed to this thread. False: the connection is over. */
bool cell_later_serve(struct cell_server *s, struct server_conn *conn);
void cell_laters_free(struct cell_server *s);

/* server_crowd.c */
/* Whether a thread that would go on waiting for the connection's calls should rather give it to the crowd. */
bool cell_crowd_wants(struct cell_server *s, const struct server_conn *conn);
/* Takes a connection that nobody has, or gives it to a thread when it cannot. No lock is held. */
void cell_crowd_join(struct cell_server *s, struct server_conn *conn);
/* Of a connection whose call has ended, or goes on elsewhere. No lock is held. */
void cell_crowd_leave(struct cell_server *s, struct server_conn *conn);
/* All go to the poller, and no other comes. */
void cell_crowd_dissolve(struct cell_server *s);

#endif
