/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Connections, and the watch over them. A time-out of inactivity is no limit for a client that sends a byte now and
 * then, so each phase of a connection has a limit in all, and one thread shuts down those that exceed it.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "listener_impl.h"

#define NS_PER_S UINT64_C(1000000000)
/* How often it is looked; what ends a connection is never later than that. */
#define LOOK_NS (NS_PER_S / 2)

uint64_t https_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

void https_peer_enter(struct https_listener *l, struct peer *p, enum peer_phase phase)
{
    pthread_mutex_lock(&l->lock);
    p->phase = phase;
    p->since_ns = https_now_ns();
    pthread_mutex_unlock(&l->lock);
}

static void name_peer(struct peer *p, const struct sockaddr *from)
{
    const void *address = NULL;
    if (from && from->sa_family == AF_INET)
        address = &((const struct sockaddr_in *)(const void *)from)->sin_addr;
    else if (from && from->sa_family == AF_INET6)
        address = &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr;
    if (!address || !inet_ntop(from->sa_family, address, p->address, sizeof(p->address)))
        strcpy(p->address, "?");
}

static void add_peer(struct https_listener *l, struct MHD_Connection *c, void **context)
{
    const union MHD_ConnectionInfo *fd = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *from = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct peer *p = calloc(1, sizeof(*p));
    *context = p;
    if (!p)
        return; /* its requests are refused */
    p->fd = fd ? fd->connect_fd : -1;
    p->since_ns = https_now_ns();
    /* A client that has vanished takes no part of an answer, but what is sent finds room in the socket for long. */
    const unsigned silent_ms = l->o.send_s * 1000;
    setsockopt(p->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silent_ms, sizeof(silent_ms));
    name_peer(p, from ? from->client_addr : NULL);
    pthread_mutex_lock(&l->lock);
    p->next = l->peers;
    if (l->peers)
        l->peers->prev = p;
    l->peers = p;
    pthread_cond_signal(&l->changed); /* who watches sleeps while there is nobody */
    pthread_mutex_unlock(&l->lock);
}

static void remove_peer(struct https_listener *l, struct peer *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&l->lock);
    if (p->next)
        p->next->prev = p->prev;
    if (p->prev)
        p->prev->next = p->next;
    else
        l->peers = p->next;
    pthread_mutex_unlock(&l->lock);
    free(p);
}

void https_peer_notify(void *cls, struct MHD_Connection *c, void **context, enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        add_peer(cls, c, context);
    else
        remove_peer(cls, *context);
}

/* ---- the watch ---- */

static uint64_t limit_of(const struct https_listener *l, const struct peer *p)
{
    switch (p->phase) {
    case PEER_IDLE:
        return l->o.idle_s * NS_PER_S;
    case PEER_RECEIVING:
        return l->o.request_s * NS_PER_S;
    case PEER_SENDING:
        return l->o.send_s * NS_PER_S;
    default:
        return UINT64_MAX; /* a handler's time is not its client's fault */
    }
}

static void *watch(void *arg)
{
    struct https_listener *l = arg;
    pthread_mutex_lock(&l->lock);
    while (!l->stopping) {
        uint64_t now = https_now_ns();
        /* The descriptor is the connection's until its end was notified, which takes this lock. */
        for (struct peer *p = l->peers; p; p = p->next)
            if (p->fd >= 0 && now - p->since_ns > limit_of(l, p))
                shutdown(p->fd, SHUT_RDWR);
        uint64_t until = now + LOOK_NS;
        const struct timespec t = {(time_t)(until / NS_PER_S), (long)(until % NS_PER_S)};
        if (l->peers)
            pthread_cond_timedwait(&l->changed, &l->lock, &t);
        else
            pthread_cond_wait(&l->changed, &l->lock);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

bool https_watch_begin(struct https_listener *l)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&l->changed, &attr);
    pthread_condattr_destroy(&attr);
    return l->watching = pthread_create(&l->watch, NULL, watch, l) == 0;
}

void https_watch_end(struct https_listener *l)
{
    pthread_mutex_lock(&l->lock);
    l->stopping = true;
    pthread_cond_signal(&l->changed);
    pthread_mutex_unlock(&l->lock);
    if (l->watching)
        pthread_join(l->watch, NULL);
    pthread_cond_destroy(&l->changed);
}
