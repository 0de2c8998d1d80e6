/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A few connections for what compilers ask, kept open between them. Thread-safe. */
#ifndef CELLS_POSTGRES_LEASE_H
#define CELLS_POSTGRES_LEASE_H

#include <pthread.h>
#include <stdbool.h>

#include "connect.h"

#define PG_LEASES 4

struct pg_watched;
struct pg_leases {
    struct pg_target target;
    pthread_mutex_t lock;
    PGconn *idle[PG_LEASES];
    int nidle;
    /* One thread ends what a server that hangs would never end: libpq waits without limit. */
    bool watches, running, closing;
    pthread_t watcher;
    pthread_cond_t changed;
    int64_t wakes_ms; /* when the thread looks again by itself */
    struct pg_watched *watched;
};

/* `watches`: connections that are taken are cut at their deadline, for statements that may be left at any point. */
void pg_leases_init(struct pg_leases *leases, const struct pg_target *target, bool watches);
void pg_leases_close(struct pg_leases *leases); /* none may be taken */

/* An idle connection that the server has not closed, or a new one; as pg_connect, and CELL_RESOURCE_EXHAUSTED when
 * there is nothing to watch it with. */
int pg_lease_take(struct pg_leases *leases, int64_t deadline_ms, PGconn **conn, struct pg_failure *f);

/* Keeps it for the next one, if it is idle and in no transaction; else closes it. NULL is accepted. Returns `status`,
 * what came of using it; but when it failed for a connection that was cut, that is CELL_DEADLINE_EXCEEDED in *f. */
int pg_lease_give(struct pg_leases *leases, PGconn *conn, int status, struct pg_failure *f);

#endif
