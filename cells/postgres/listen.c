/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "listen.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define CHANNEL_MAX 63
#define CONNECT_MS 5000
#define PAUSE_FIRST_MS 50
#define PAUSE_MOST_MS 5000

struct queued {
    struct pg_notice notice;
    struct queued *next;
};

struct pg_listener {
    struct pg_listeners *all;
    struct pg_listener *next;
    char channel[CHANNEL_MAX + 1];
    pthread_cond_t came;
    struct queued *first, **last;
    size_t queued, bytes;
    bool listening; /* it was told so, on the present connection */
    bool dropped;   /* something was, behind the last one in the queue */
};

struct pg_listeners {
    const struct pg_target *target;
    pthread_mutex_t lock; /* of all that follows, and of the listeners */
    struct pg_listener *listeners;
    pthread_t thread;
    bool running, stop;
    uint32_t number, most;
    int wake;     /* an eventfd: the listeners have changed */
    PGconn *conn; /* the thread's */
};

struct pg_listeners *pg_listeners_new(const struct pg_target *target, uint32_t most)
{
    struct pg_listeners *all = calloc(1, sizeof(*all));

    if (!all)
        return NULL;
    all->target = target;
    all->most = most;
    all->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (all->wake < 0) {
        free(all);
        return NULL;
    }
    pthread_mutex_init(&all->lock, NULL);
    return all;
}

static void wake(struct pg_listeners *all)
{
    uint64_t one = 1;
    ssize_t n = write(all->wake, &one, sizeof(one)); /* it cannot fail but when it is set already */

    (void)n;
}

void pg_listeners_free(struct pg_listeners *all)
{
    if (!all)
        return;
    pthread_mutex_lock(&all->lock);
    all->stop = true;
    bool running = all->running;
    pthread_mutex_unlock(&all->lock);
    wake(all);
    if (running)
        pthread_join(all->thread, NULL);
    close(all->wake);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

static bool append(struct pg_listener *l, enum pg_heard what, const char *payload, size_t size, int32_t pid)
{
    struct queued *q = calloc(1, sizeof(*q));
    char *copy = payload ? strdup(payload) : NULL;

    if (!q || (payload && !copy)) {
        free(q);
        free(copy);
        return false;
    }
    q->notice = (struct pg_notice){what, copy, pid};
    *l->last = q;
    l->last = &q->next;
    l->queued++;
    l->bytes += size;
    return true;
}

/* Puts one at the end of the queue; the payload is copied. What has no room is dropped, and the next one that has some
 * comes behind a word of that. With the lock held. */
static void put(struct pg_listener *l, enum pg_heard what, const char *payload, int32_t pid)
{
    size_t size = payload ? strlen(payload) + 1 : 0;

    if (l->queued >= PG_LISTEN_MAX_QUEUED || l->bytes + size > PG_LISTEN_MAX_BYTES) {
        l->dropped = true;
        return;
    }
    if (l->dropped && append(l, PG_HEARD_OVERFLOW, NULL, 0, 0))
        l->dropped = false;
    if (l->dropped || !append(l, what, payload, size, pid))
        l->dropped = true;
    pthread_cond_signal(&l->came);
}

/* LISTEN or UNLISTEN "channel" */
static bool command(PGconn *conn, const char *verb, const char *channel)
{
    char *name = PQescapeIdentifier(conn, channel, strlen(channel)), sql[2 * CHANNEL_MAX + 32];
    int n = name ? snprintf(sql, sizeof(sql), "%s %s", verb, name) : -1;

    PQfreemem(name);
    return n > 0 && (size_t)n < sizeof(sql) && pg_run(conn, sql, NULL) >= 0;
}

static void lose(struct pg_listeners *all)
{
    PQfinish(all->conn);
    all->conn = NULL;
    pthread_mutex_lock(&all->lock);
    for (struct pg_listener *l = all->listeners; l; l = l->next)
        l->listening = false;
    pthread_mutex_unlock(&all->lock);
}

/* Those that are new: LISTEN on the connection, without the lock, and then tell them. False when it is lost. LISTEN
 * again on a channel is nothing. */
static bool listen_for_new(struct pg_listeners *all)
{
    for (;;) {
        char channel[CHANNEL_MAX + 1] = "";
        pthread_mutex_lock(&all->lock);
        for (struct pg_listener *l = all->listeners; l && !*channel; l = l->next)
            if (!l->listening)
                memcpy(channel, l->channel, sizeof(channel));
        pthread_mutex_unlock(&all->lock);
        if (!*channel)
            return true;
        if (!command(all->conn, "LISTEN", channel))
            return false;
        pthread_mutex_lock(&all->lock);
        for (struct pg_listener *l = all->listeners; l; l = l->next)
            if (!l->listening && strcmp(l->channel, channel) == 0) {
                l->listening = true;
                put(l, PG_HEARD_LISTENING, NULL, 0);
            }
        pthread_mutex_unlock(&all->lock);
    }
}

/* Notifications that came, to those who listen to their channel; UNLISTEN for those to which nobody does. */
static bool deliver(struct pg_listeners *all)
{
    PGnotify *n;
    bool alive = PQconsumeInput(all->conn);

    while ((n = PQnotifies(all->conn))) {
        bool heard = false;
        pthread_mutex_lock(&all->lock);
        for (struct pg_listener *l = all->listeners; l; l = l->next)
            if (strcmp(l->channel, n->relname) == 0) {
                heard = true;
                if (l->listening)
                    put(l, PG_HEARD_NOTIFICATION, n->extra, n->be_pid);
            }
        pthread_mutex_unlock(&all->lock);
        if (!heard)
            alive = command(all->conn, "UNLISTEN", n->relname) && alive;
        PQfreemem(n);
    }
    return alive && PQstatus(all->conn) == CONNECTION_OK;
}

/* Waits until something is to be done, at most `ms` (-1: any time). */
static void wait_for(struct pg_listeners *all, int ms)
{
    struct pollfd p[] = {{all->wake, POLLIN, 0}, {all->conn ? PQsocket(all->conn) : -1, POLLIN, 0}};
    uint64_t number;

    if (poll(p, 2, ms) > 0 && p[0].revents) {
        ssize_t n = read(all->wake, &number, sizeof(number));
        (void)n;
    }
}

static void *listen_thread(void *user)
{
    struct pg_listeners *all = user;
    int pause = PAUSE_FIRST_MS;

    for (;;) {
        pthread_mutex_lock(&all->lock);
        bool stop = all->stop, wanted = all->listeners != NULL;
        pthread_mutex_unlock(&all->lock);
        if (stop)
            break;
        if (!wanted) {
            lose(all);
            pause = PAUSE_FIRST_MS;
            wait_for(all, -1);
        } else if (!all->conn && pg_connect(all->target, CONNECT_MS, &all->conn, NULL) < 0) {
            wait_for(all, pause);
            pause = pause * 2 < PAUSE_MOST_MS ? pause * 2 : PAUSE_MOST_MS;
        } else if (!listen_for_new(all) || !deliver(all)) {
            lose(all);
        } else {
            pause = PAUSE_FIRST_MS;
            wait_for(all, -1);
        }
    }
    lose(all);
    return NULL;
}

int pg_listen(struct pg_listeners *all, const char *channel, struct pg_listener **listener, struct pg_failure *f)
{
    size_t length = strlen(channel);
    pthread_condattr_t attributes;

    if (length == 0 || length > CHANNEL_MAX)
        return pg_fail(f, CELL_INVALID_ARGUMENT, "the name of a channel has 1 to %d bytes", CHANNEL_MAX);
    struct pg_listener *l = calloc(1, sizeof(*l));
    if (!l)
        return pg_fail(f, CELL_NO_MEMORY, "out of memory");
    l->all = all;
    memcpy(l->channel, channel, length + 1);
    l->last = &l->first;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&l->came, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_lock(&all->lock);
    if (!all->running && pthread_create(&all->thread, NULL, listen_thread, all) == 0)
        all->running = true;
    bool running = all->running && all->number < all->most;
    if (running) {
        all->number++;
        l->next = all->listeners;
        all->listeners = l;
    }
    pthread_mutex_unlock(&all->lock);
    if (!running) {
        pthread_cond_destroy(&l->came);
        free(l);
        return pg_fail(f, CELL_RESOURCE_EXHAUSTED, "there are too many listeners: %u is the most", all->most);
    }
    wake(all);
    *listener = l;
    return CELL_OK;
}

void pg_unlisten(struct pg_listener *listener)
{
    if (!listener)
        return;
    struct pg_listeners *all = listener->all;
    pthread_mutex_lock(&all->lock);
    struct pg_listener **place = &all->listeners;
    while (*place != listener)
        place = &(*place)->next;
    *place = listener->next;
    listener->all->number--;
    pthread_mutex_unlock(&all->lock);
    wake(all);
    for (struct queued *q = listener->first, *next; q; q = next) {
        next = q->next;
        free(q->notice.payload);
        free(q);
    }
    pthread_cond_destroy(&listener->came);
    free(listener);
}

int pg_listener_next(struct pg_listener *listener, int64_t wait_ms, struct pg_notice *notice)
{
    struct timespec until;
    int waited = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&listener->all->lock);
    while (!listener->first && !listener->dropped && waited == 0)
        waited = pthread_cond_timedwait(&listener->came, &listener->all->lock, &until);
    struct queued *q = listener->first;
    if (q) {
        listener->first = q->next;
        if (!q->next)
            listener->last = &listener->first;
        listener->queued--;
        listener->bytes -= q->notice.payload ? strlen(q->notice.payload) + 1 : 0;
    }
    bool dropped = !q && listener->dropped;
    if (dropped)
        listener->dropped = false;
    pthread_mutex_unlock(&listener->all->lock);
    if (dropped)
        *notice = (struct pg_notice){PG_HEARD_OVERFLOW, NULL, 0};
    else if (q)
        *notice = q->notice;
    free(q);
    return q || dropped;
}
