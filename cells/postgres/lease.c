/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "lease.h"

#include <poll.h>

#define CONNECT_MS 10000

void pg_leases_init(struct pg_leases *l, const struct pg_target *target)
{
    *l = (struct pg_leases){.target = *target};
    pthread_mutex_init(&l->lock, NULL);
}

void pg_leases_close(struct pg_leases *l)
{
    while (l->nidle > 0)
        PQfinish(l->idle[--l->nidle]);
    pthread_mutex_destroy(&l->lock);
}

/* An idle server says nothing: whatever there is to read is its farewell. */
static bool is_alive(const PGconn *conn)
{
    struct pollfd p = {PQsocket(conn), POLLIN, 0};

    return PQstatus(conn) == CONNECTION_OK && poll(&p, 1, 0) == 0;
}

int pg_lease_take(struct pg_leases *l, int64_t deadline_ms, PGconn **conn, struct pg_failure *f)
{
    PGconn *found;

    do {
        pthread_mutex_lock(&l->lock);
        found = l->nidle > 0 ? l->idle[--l->nidle] : NULL;
        pthread_mutex_unlock(&l->lock);
        if (found && is_alive(found)) {
            *conn = found;
            return CELL_OK;
        }
        PQfinish(found);
    } while (found);
    int64_t left = deadline_ms - pg_now_ms();
    if (left <= 0)
        return pg_fail(f, CELL_DEADLINE_EXCEEDED, "the time is over");
    return pg_connect(&l->target, left < CONNECT_MS ? left : CONNECT_MS, conn, f);
}

void pg_lease_give(struct pg_leases *l, PGconn *conn)
{
    if (conn && PQstatus(conn) == CONNECTION_OK && PQtransactionStatus(conn) == PQTRANS_IDLE) {
        pthread_mutex_lock(&l->lock);
        if (l->nidle < PG_LEASES) {
            l->idle[l->nidle++] = conn;
            conn = NULL;
        }
        pthread_mutex_unlock(&l->lock);
    }
    PQfinish(conn);
}
