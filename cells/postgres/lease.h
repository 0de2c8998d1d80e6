/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A few connections for what compilers ask, kept open between them. Thread-safe. */
#ifndef CELLS_POSTGRES_LEASE_H
#define CELLS_POSTGRES_LEASE_H

#include <pthread.h>
#include <stdbool.h>

#include "connect.h"

#define PG_LEASES 4

struct pg_leases {
    struct pg_target target;
    pthread_mutex_t lock;
    PGconn *idle[PG_LEASES];
    int nidle;
};

void pg_leases_init(struct pg_leases *leases, const struct pg_target *target);
void pg_leases_close(struct pg_leases *leases); /* none may be taken */

/* An idle connection that the server has not closed, or a new one; as pg_connect. */
int pg_lease_take(struct pg_leases *leases, int64_t deadline_ms, PGconn **conn, struct pg_failure *f);

/* Keeps it for the next one, if it is idle and in no transaction; else closes it. NULL is accepted. */
void pg_lease_give(struct pg_leases *leases, PGconn *conn);

#endif
