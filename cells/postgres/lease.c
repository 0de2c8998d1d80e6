/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "lease.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_MS 10000
#define GRACE_MS 30 /* so that a server that keeps to the time it was given can say so */

/* A connection in use. */
struct pg_watched {
    const PGconn *conn;
    int fd; /* its socket, of our own: libpq may close its one at any time */
    int64_t begin_ms, deadline_ms;
    bool cut;
    struct pg_watched *next;
};

void pg_leases_init(struct pg_leases *l, const struct pg_target *target, bool watches)
{
    pthread_condattr_t clock;

    *l = (struct pg_leases){.target = *target, .watches = watches, .wakes_ms = INT64_MAX};
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&l->changed, &clock);
    pthread_condattr_destroy(&clock);
}

void pg_leases_close(struct pg_leases *l)
{
    pthread_mutex_lock(&l->lock);
    l->closing = true;
    pthread_cond_signal(&l->changed);
    pthread_mutex_unlock(&l->lock);
    if (l->running)
        pthread_join(l->watcher, NULL);
    while (l->nidle > 0)
        PQfinish(l->idle[--l->nidle]);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
}

/* ---- servers that hang ---- */

/* Cuts what is over, and returns when the next one will be. */
static int64_t cut_overdue(struct pg_leases *l)
{
    int64_t now = pg_now_ms(), next = INT64_MAX;

    for (struct pg_watched *w = l->watched; w; w = w->next) {
        if (!w->cut && w->deadline_ms <= now) {
            w->cut = true;
            shutdown(w->fd, SHUT_RDWR); /* who waits in libpq finds the connection closed */
        }
        if (!w->cut && w->deadline_ms < next)
            next = w->deadline_ms;
    }
    return next;
}

static void *watch(void *user)
{
    struct pg_leases *l = user;

    pthread_mutex_lock(&l->lock);
    while (!l->closing) {
        l->wakes_ms = cut_overdue(l);
        if (l->wakes_ms == INT64_MAX) {
            pthread_cond_wait(&l->changed, &l->lock);
        } else {
            struct timespec until = {l->wakes_ms / 1000, l->wakes_ms % 1000 * 1000000};
            pthread_cond_timedwait(&l->changed, &l->lock, &until);
        }
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static void release(struct pg_watched *w)
{
    if (w && w->fd >= 0)
        close(w->fd);
    free(w);
}

static int begin_watching(struct pg_leases *l, const PGconn *conn, int64_t deadline_ms, struct pg_failure *f)
{
    struct pg_watched *w = malloc(sizeof(*w));

    if (!w)
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    *w = (struct pg_watched){.conn = conn,
                             .fd = fcntl(PQsocket(conn), F_DUPFD_CLOEXEC, 0),
                             .begin_ms = pg_now_ms(),
                             .deadline_ms = deadline_ms + GRACE_MS};
    pthread_mutex_lock(&l->lock);
    if (!l->running)
        l->running = pthread_create(&l->watcher, NULL, watch, l) == 0;
    bool watched = l->running && w->fd >= 0;
    if (watched) {
        w->next = l->watched;
        l->watched = w;
        if (w->deadline_ms < l->wakes_ms)
            pthread_cond_signal(&l->changed);
    }
    pthread_mutex_unlock(&l->lock);
    if (watched)
        return CELL_OK;
    release(w);
    return pg_fail(f, CELL_RESOURCE_EXHAUSTED, "there is no thread or descriptor to watch a connection with");
}

static int end_watching(struct pg_leases *l, const PGconn *conn, int status, struct pg_failure *f)
{
    struct pg_watched **at = &l->watched;

    pthread_mutex_lock(&l->lock);
    while (*at && (*at)->conn != conn)
        at = &(*at)->next;
    struct pg_watched *w = *at;
    if (w)
        *at = w->next;
    pthread_mutex_unlock(&l->lock);
    if (w && w->cut && status < 0)
        status = pg_fail(f, CELL_DEADLINE_EXCEEDED, "the database did not answer within %lld ms",
                         (long long)(w->deadline_ms - w->begin_ms));
    release(w);
    return status;
}

/* ---- connections ---- */

/* An idle server says nothing: whatever there is to read is its farewell. */
static bool is_alive(const PGconn *conn)
{
    struct pollfd p = {PQsocket(conn), POLLIN, 0};

    return PQstatus(conn) == CONNECTION_OK && poll(&p, 1, 0) == 0;
}

/* NULL = there is none that is idle. */
static PGconn *take_idle(struct pg_leases *l)
{
    PGconn *found;

    do {
        pthread_mutex_lock(&l->lock);
        found = l->nidle > 0 ? l->idle[--l->nidle] : NULL;
        pthread_mutex_unlock(&l->lock);
        if (found && is_alive(found))
            return found;
        PQfinish(found);
    } while (found);
    return NULL;
}

int pg_lease_take(struct pg_leases *l, int64_t deadline_ms, PGconn **conn, struct pg_failure *f)
{
    PGconn *found = take_idle(l);
    int64_t left = deadline_ms - pg_now_ms();
    int r = CELL_OK;

    if (!found && left <= 0)
        return pg_fail(f, CELL_DEADLINE_EXCEEDED, "the time is over");
    if (!found)
        r = pg_connect(&l->target, left < CONNECT_MS ? left : CONNECT_MS, &found, f);
    if (r >= 0 && l->watches)
        r = begin_watching(l, found, deadline_ms, f);
    if (r >= 0)
        *conn = found;
    else
        PQfinish(found);
    return r;
}

int pg_lease_give(struct pg_leases *l, PGconn *conn, int status, struct pg_failure *f)
{
    if (conn && l->watches)
        status = end_watching(l, conn, status, f);
    if (conn && PQstatus(conn) == CONNECTION_OK && PQtransactionStatus(conn) == PQTRANS_IDLE) {
        pthread_mutex_lock(&l->lock);
        if (l->nidle < PG_LEASES) {
            l->idle[l->nidle++] = conn;
            conn = NULL;
        }
        pthread_mutex_unlock(&l->lock);
    }
    PQfinish(conn);
    return status;
}
