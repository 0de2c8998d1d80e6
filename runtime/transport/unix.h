/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The parts of the Unix socket transport. Internal to transport/. */
#ifndef CELL_TRANSPORT_UNIX_H
#define CELL_TRANSPORT_UNIX_H

#include <stdatomic.h>
#include <time.h>

#include "transport/transport.h"

struct cell_shm;

/* How receiving stands with shared memory. Until NONE or RING, what is received is looked at frame by frame, because
 * descriptors come with the bytes of their frames. */
enum unix_stage {
    UNIX_STAGE_NONE,     /* over the socket, for good */
    UNIX_STAGE_EXPECTED, /* server: the first frame may be an offer */
    UNIX_STAGE_OFFERED,  /* client: the answer may come */
    UNIX_STAGE_ACCEPTED, /* server: the client will say when it has the answer */
    UNIX_STAGE_RING
};

/* How sending stands. The receiver goes from the first two to the others, the sender from ANNOUNCE to the rest. */
enum unix_out {
    UNIX_OUT_SOCKET,
    UNIX_OUT_OFFERED,  /* over the socket; the offer is not answered */
    UNIX_OUT_ANNOUNCE, /* the next frame is preceded by SHM_ACCEPT or SHM_READY */
    UNIX_OUT_RING
};

struct unix_conn {
    struct cell_conn base;
    int fd;
    uint32_t max_payload;
    uint8_t *buffer; /* NULL while nothing is in it */
    size_t capacity, len;
    size_t taken;    /* bytes of the frame that the last recv returned */
    size_t wanted;   /* bytes of the frame that is being received; 0 = its header is not complete */
    uint8_t *kept;   /* the sender's: whole frames that are sent with the next; NULL: none */
    bool kept_offer; /* the first of them is SHM_OPEN, and goes with its descriptor */
    size_t kept_len;
    uint32_t receive_ms; /* the socket's timeout; 0 = none */
    uint32_t awake;      /* times that receiving looks for a while before it sleeps */
    atomic_bool dead;    /* set by whoever sends or receives */
    bool broken;         /* what the peer sends is no frame: nothing more is received, but it may be told */
    bool insists;        /* on shared memory */
    uint8_t stage;       /* enum unix_stage */
    atomic_uchar out;    /* enum unix_out */
    atomic_bool interrupted;
    struct cell_peer peer;
    struct cell_error *failure; /* found by readable, for the next recv; NULL */
    struct cell_shm *shm;       /* once offered; for the sender as of UNIX_OUT_OFFERED */
    struct cell_shm *prepared;  /* to be offered; NULL */
};

/* A connection over a connected, blocking stream socket, which it owns from here on, also when this fails. */
int cell_unix_conn_new(int fd, uint32_t max_payload, struct cell_conn **conn, struct cell_error *e);

/* For transport/shm: */

/* Fails for an errno of the socket; the connection is dead then. */
int cell_unix_fail(struct unix_conn *c, int errnum, const char *what, struct cell_error *e);
/* What was received breaks the protocol; the next recv says so. */
void cell_unix_keep_failure(struct unix_conn *c, const struct cell_error *e);
/* Fails because the connection is dead or broken, with what was kept if anything was. */
int cell_unix_fail_again(struct unix_conn *c, struct cell_error *e);
/* The connection has ended. */
int cell_unix_fail_end(struct unix_conn *c, struct cell_error *e);
/* Waits until the socket takes more. Not by a blocking sendmsg: SO_SNDTIMEO begins anew with every part of the bytes
 * that finds room, so that a peer that reads slowly could make it last for ever. */
int cell_unix_wait_to_send(struct unix_conn *c, uint64_t deadline_ns, struct cell_error *e);
/* Sums up n parts. CELL_INVALID_ARGUMENT: too many, or not what the frame says. */
int cell_unix_check_parts(const struct cell_frame *f, const struct iovec *payload, int n, struct cell_error *e);
int cell_unix_fd(const struct cell_conn *c);
void cell_unix_peer(const struct cell_conn *c, struct cell_peer *peer);
void cell_unix_close(struct cell_conn *conn);
/* room.c */
int cell_unix_room(struct cell_conn *conn, uint32_t length, bool in, uint64_t deadline_ns, struct cell_error *e);
int cell_shm_room(struct cell_conn *conn, uint32_t length, bool in, uint64_t deadline_ns, struct cell_error *e);
/* Forgets all that was received, and the memory. */
void cell_unix_drop_buffer(struct unix_conn *c);

/* ---- unix_send.c ---- */

int cell_unix_send(struct cell_conn *conn, const struct cell_frame *f, const struct iovec *payload, int n,
                   uint64_t deadline_ns, struct cell_error *e);
int cell_unix_send_more(struct cell_conn *conn, const struct cell_frame *f, const struct iovec *payload, int n,
                        uint64_t deadline_ns, struct cell_error *e);
int cell_unix_flush(struct cell_conn *conn, uint64_t deadline_ns, struct cell_error *e);
/* Sends what is kept back for the socket, alone. */
int cell_unix_send_kept(struct unix_conn *c, uint64_t deadline_ns, struct cell_error *e);
void cell_unix_drop_kept(struct unix_conn *c);
/* Keeps an offer back, which goes with the next frame: false when there is no memory for that. */
bool cell_unix_keep_offer(struct unix_conn *c, const uint8_t *bytes, size_t len);

/* ---- unix_address.c ---- */

int cell_unix_connect(const char *address, const struct cell_connect_options *options, struct cell_conn **conn,
                      struct cell_error *e);

int cell_unix_listen(const char *address, int fd, struct cell_listener **listener, struct cell_error *e);
int cell_shm_connect(const char *address, const struct cell_connect_options *options, struct cell_conn **conn,
                     struct cell_error *e);
int cell_shm_listen(const char *address, int fd, struct cell_listener **listener, struct cell_error *e);
int cell_unix_accept(struct cell_listener *l, uint32_t max_payload, struct cell_conn **conn, struct cell_error *e);
int cell_unix_listener_fd(const struct cell_listener *l);
void cell_unix_listener_close(struct cell_listener *l);

/* Limits blocking operations in one direction (SO_RCVTIMEO or SO_SNDTIMEO) of `fd` to `ms`; 0 = no limit. */
int cell_unix_set_timeout(int fd, int option, uint32_t ms);

/* The largest power of two of milliseconds within `left_ns`, at least 1: what a timeout is set to, so that it hardly
 * ever changes between calls with one and the same limit. */
uint32_t cell_unix_timeout_step(uint64_t left_ns);

static inline struct timespec cell_unix_timespec(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / UINT64_C(1000000000)),
                             .tv_nsec = (long)(ns % UINT64_C(1000000000))};
}

#endif
