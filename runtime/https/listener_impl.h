/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The inside of libcell_https.so. */
#ifndef CELL_HTTPS_LISTENER_IMPL_H
#define CELL_HTTPS_LISTENER_IMPL_H

#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>

#include "https/listener.h"

enum peer_phase { PEER_IDLE, PEER_RECEIVING, PEER_ANSWERING, PEER_SENDING };

/* A connection. `phase` and what is beside it change under the listener's lock. */
struct peer {
    struct peer *prev, *next;
    int fd;
    enum peer_phase phase;
    uint64_t since_ns; /* of the phase */
    bool verified;     /* its certificate was looked at */
    char address[64];
    char certificate[HTTPS_MAX_NAME];
};

struct https_listener {
    struct https_options o;
    struct MHD_Daemon *daemon;
    int fd; /* that is listened on; -1 = MHD's, or closed */
    uint16_t port;
    char *path; /* of its unix socket; NULL = none */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t watch;
    bool watching, stopping;
    struct peer *peers;
    atomic_uint_fast64_t bodies; /* bytes of requests that are being received */
};

/* A request that is being received. */
struct incoming {
    struct https_request request; /* first */
    struct MHD_Connection *connection;
    struct peer *peer;
    char *body;
    size_t len, capacity, limit;
    bool queued; /* it has its answer */
    struct https_listener *listener;
    struct https_lines *lines; /* of its answer; NULL = it is none of lines */
};

uint64_t https_now_ns(void);
/* listener_peer.c: how far a connection is, and the thread that ends those which take too long. */
void https_peer_enter(struct https_listener *l, struct peer *p, enum peer_phase phase);
void https_peer_notify(void *cls, struct MHD_Connection *c, void **context, enum MHD_ConnectionNotificationCode code);
bool https_watch_begin(struct https_listener *l);
void https_watch_end(struct https_listener *l);
/* listener_tls.c: false when a certificate was given that is not good. */
bool https_peer_verify(struct peer *p, struct MHD_Connection *c);
/* listener_request.c: MHD's callbacks. */
enum MHD_Result https_handle(void *cls, struct MHD_Connection *c, const char *url, const char *method,
                             const char *version, const char *data, size_t *size, void **state);
void https_completed(void *cls, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode code);
void *https_begun(void *cls, const char *uri, struct MHD_Connection *c);

#endif
