/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The gate: at most `limit` handlers at once, shared fairly. First between users, then between the processes of one
 * user, so that a process with two hundred busy connections gets the share of one process. Nobody blocks here: who is
 * not admitted is kept in line, and handed to whoever leaves when its turn has come.
 *
 * A handler that runs cannot be stopped, so fairness among those who wait is not enough: one process whose calls take
 * long would sit on every place. So a process may hold at most its share of the places, limit / processes that were
 * active within GATE_RECENT_NS, also while others are free: places stand for processor time, and what is left free
 * is what lets the next call of another process begin at once. With one hostile and eight honest processes the hostile
 * one holds at most one place in nine, which leaves the others 8/9 of the handlers' time, above the 80% that is
 * promised. Alone, a process may hold all places; when other processes are only connected, all but an eighth (at least
 * one), for the first call of those.
 *
 * Among those who wait, who has had the least time in handlers is next, not who came first: otherwise one long call
 * would weigh as much as a short one.
 *
 * In the usual case a call costs one atomic operation to enter and one to leave: each process has a quota of places,
 * and only who reaches it, or leaves while somebody waits, takes the lock. The sum of the quotas never exceeds the
 * limit, and a process never runs more than its quota, so the limit holds whoever is asked.
 */
#ifndef CELL_CALL_SERVER_GATE_H
#define CELL_CALL_SERVER_GATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define GATE_RECENT_NS UINT64_C(100000000)
#define GATE_MAX_LIMIT 65536u

/* One call in line. */
struct gate_waiter {
    struct gate_waiter *next;
    uint64_t since_ns; /* set when it is admitted; for leave */
};

/* A user, as far as the gate is concerned; zeroed memory. */
struct gate_uid {
    struct gate_uid *next; /* in server_gate.active */
    struct gate_process *active;
    uint32_t nconnected, nactive; /* processes */
    uint32_t quota, nwaiting;     /* of those together */
    uint64_t served_ns, clock_ns; /* clock: served_ns of its process that was admitted last */
    bool short_of_places;         /* one of its processes waits because the user has his share */
};

/* The word of a process: handlers that run; its quota, so many bits higher; whether enter and leave take the lock. */
#define GATE_RUNNING UINT64_C(0x7fffffff)
#define GATE_QUOTA_SHIFT 31
#define GATE_CALLS (UINT64_C(1) << 63)

/* A process of a user. */
struct gate_process {
    atomic_uint_fast64_t word; /* handlers that run; quota; whether enter and leave must take the lock */
    atomic_uint_fast64_t last_ns;
    struct gate_uid *uid;
    struct gate_process *next; /* in uid->active */
    bool active;
    uint32_t nwaiting;
    struct gate_waiter *first, **last;
    uint64_t served_ns;
};

struct server_gate {
    pthread_mutex_t lock; /* taken last; of everything but the atomics */
    uint32_t limit;
    uint32_t assigned; /* sum of the quotas */
    uint32_t nwaiting, nuids, nactive_uids;
    atomic_uint nactive; /* processes; for whoever shares something else among them */
    struct gate_uid *active;
    uint64_t clock_ns;    /* served_ns of the user who was admitted last */
    uint64_t expire_ns;   /* when to look next for who is not active any more */
    bool short_of_places; /* somebody with less than his share waits: every leave matters */
};

void cell_gate_init(struct server_gate *g, uint32_t limit); /* a limit above GATE_MAX_LIMIT is taken as that */
void cell_gate_destroy(struct server_gate *g);

/* A process connects, and has gone; then it must have no call in the gate. *p is set by join. */
void cell_gate_join(struct server_gate *g, struct gate_process *p, struct gate_uid *uid);
void cell_gate_forget(struct server_gate *g, struct gate_process *p);

/* A place without the lock. False: ask cell_gate_enter. */
bool cell_gate_try(struct gate_process *p, uint64_t now_ns);

/* The same without a note that the process is active, which whoever uses it makes from time to time in last_ns. */
static inline bool cell_gate_try_quietly(struct gate_process *p)
{
    uint64_t word = atomic_load_explicit(&p->word, memory_order_relaxed);
    return !(word & GATE_CALLS) && (word & GATE_RUNNING) < (word >> GATE_QUOTA_SHIFT & GATE_RUNNING) &&
           atomic_compare_exchange_strong_explicit(&p->word, &word, word + 1, memory_order_acquire,
                                                   memory_order_relaxed);
}
/* Whether somebody waits for what this process gives back. */
static inline bool cell_gate_is_watched(struct gate_process *p)
{
    return atomic_load_explicit(&p->word, memory_order_relaxed) & GATE_CALLS;
}
/* Gives the place back. False: cell_gate_left has to be called now. */
static inline bool cell_gate_leave_quietly(struct gate_process *p)
{
    return !(atomic_fetch_sub_explicit(&p->word, 1, memory_order_acq_rel) & GATE_CALLS);
}

/* A place, or (false) one in line: then *w is the gate's until it is among the admitted, which may be before this
 * returns to the caller. *admitted are waiters that have got places in passing; see leave. */
bool cell_gate_enter(struct server_gate *g, struct gate_process *p, struct gate_waiter *w, uint64_t now_ns,
                     struct gate_waiter **admitted);

/* Gives the place back; `entered_ns` is when it was taken. Returns those who have places now, linked by `next`.
 * `now_ns` 0: the clock is read when it is needed. */
struct gate_waiter *cell_gate_leave(struct server_gate *g, struct gate_process *p, uint64_t entered_ns,
                                    uint64_t now_ns);
/* After cell_gate_leave_quietly, which said so: the rest of leaving. */
struct gate_waiter *cell_gate_left(struct server_gate *g, struct gate_process *p, uint64_t entered_ns, uint64_t now_ns);

#endif
