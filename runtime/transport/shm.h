/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Shared memory under a Unix socket connection; internal to transport/. The bytes are docs/protocol.md, "Shared
 * memory".
 *
 * A connection begins over the socket and is upgraded in place, each direction for itself and at a point that both
 * sides know, so that no frame overtakes another and nobody waits for the upgrade:
 *
 *     client                         server
 *     SHM_OPEN + region  ─────────▶
 *     frames over the socket ─────▶
 *                        ◀─────────  SHM_ACCEPT + region + token, before the first frame that is sent after SHM_OPEN;
 *                        ◀═════════  from there on through the ring
 *     SHM_READY + token  ─────────▶  before the first frame that is sent after SHM_ACCEPT;
 *     from there on through the ring ═════════▶
 *
 * Whoever receives decides (`stage`), whoever sends announces and then switches (`out`): sender and receiver of a
 * connection may be two threads, and only the sender writes whole frames to the socket. What a receiver may send
 * besides, that a blob is taken back, is small enough to be one indivisible write.
 */
#ifndef CELL_TRANSPORT_SHM_H
#define CELL_TRANSPORT_SHM_H

#include <pthread.h>
#include <sys/socket.h>

#include "transport/ring.h"
#include "transport/shm_slot.h"
#include "transport/unix.h"

#define CELL_SHM_VERSION 2u
#define CELL_SHM_TOKEN 32u
/* More than an honest peer ever sends with one frame, so that too many are noticed. */
#define CELL_SHM_MAX_FDS 4

#define CELL_SHM_BLOBS 4u
#define CELL_SHM_BLOB_MIN (64u << 10)

/* A control frame as it came over the socket. */
struct cell_shm_control {
    struct cell_frame frame;
    uint8_t payload[CELL_MAX_CONTROL];
    int fds[CELL_SHM_MAX_FDS];
    int n_fds;
};

/* Memory for large payloads that this side fills. Guarded by blob_lock. */
struct cell_shm_blob_out {
    uint8_t *bytes; /* NULL: none */
    uint32_t id, size;
    uint32_t number; /* of the message that used it last */
    bool busy;       /* the sender fills it */
    bool in_flight;  /* as far as is known */
};

struct cell_shm_blob_in {
    const uint8_t *bytes; /* NULL: none */
    uint32_t id, size;
};

struct cell_shm {
    const _Atomic uint32_t *process; /* cell_shm_process */
    uint32_t generation;             /* what it was: in a fork's child the mappings are not there */
    struct cell_ring_region *own;
    const struct cell_ring_region *other;
    int own_fd; /* until it was sent; -1 */
    uint32_t peer_max;
    int32_t declined;           /* the status to be sent with SHM_ACCEPT */
    struct cell_memory *memory; /* the connection's */
    size_t held;                /* taken from it for the regions */
    uint8_t token[CELL_SHM_TOKEN];

    /* The receiver's. */
    _Alignas(CELL_RING_LINE) struct cell_ring_consumer in;
    struct cell_shm_order in_order;
    uint32_t average_wait_ns;
    uint32_t vain;                                  /* waits in a row in whose first moments nothing came */
    bool may_spin;                                  /* as for the sender */
    bool expects_two;                               /* the last small message took both lines of its slot */
    bool armed;                                     /* it told that it sleeps in poll */
    uint32_t told;                                  /* … so often since the socket was read */
    bool must_release;                              /* the message that was lent last holds more than a slot */
    bool hung;                                      /* the socket has ended */
    uint32_t lent_blob;                             /* id; 0 = none */
    uint64_t small_message[CELL_SMALL_MESSAGE / 8]; /* what the last compact slot said */
    uint8_t small_meta[256];
    uint8_t *meta; /* for larger blocks; NULL */
    struct cell_shm_blob_in in_blobs[CELL_SHM_BLOBS];
    uint32_t in_blob_bytes, in_blob_id;

    /* The sender's. */
    _Alignas(CELL_RING_LINE) struct cell_ring_producer out;
    struct cell_shm_order out_order;
    bool more;                 /* the frame that is being sent is of send_more */
    bool unwoken;              /* the receiver was not looked after since such a frame */
    pthread_mutex_t blob_lock; /* the receiver gives blobs back when it is idle */
    atomic_uint out_blob_count;
    struct cell_shm_blob_out out_blobs[CELL_SHM_BLOBS];
    uint32_t out_blob_bytes, out_blob_id;
    struct cell_shm_blob_out *reserved; /* one of them, which is busy; NULL */
};

/* ---- shm_region.c: memory that its owner writes and the other side only reads ---- */

/* Sealed, preallocated memory of `size` bytes, zeroed, mapped for writing; *fd is for the peer. */
int cell_shm_memory_new(size_t size, void **mapping, int *fd, struct cell_error *e);
/* Checks what a peer sent and maps it for reading. The descriptor stays the caller's. CELL_PERMISSION_DENIED: it is not
 * what the protocol demands. */
int cell_shm_memory_map(int fd, size_t size, uint32_t owner_uid, const void **mapping, struct cell_error *e);
void cell_shm_memory_unmap(const void *mapping, size_t size); /* NULL is accepted */

/* A number of this process that none has that it was forked from, or 0 in a child that has not asked. NULL: there is no
 * memory for it. */
const _Atomic uint32_t *cell_shm_process(void);
static inline bool cell_shm_is_foreign(const struct cell_shm *s)
{
    return atomic_load_explicit(s->process, memory_order_relaxed) != s->generation;
}

/* ---- shm_control.c: frames about shared memory, over the socket ---- */

/* Room for one descriptor beside a message, and what puts it there. */
struct cell_shm_descriptor {
    _Alignas(struct cmsghdr) uint8_t bytes[CMSG_SPACE(sizeof(int))];
};
void cell_shm_attach(struct msghdr *m, struct cell_shm_descriptor *d, int fd);
/* The bytes of one; how many they are, CELL_FRAME_HEADER + CELL_MAX_CONTROL at most. */
size_t cell_shm_put_control(uint8_t *bytes, uint8_t kind, const void *payload, uint32_t len);
/* Sends one, in one piece; fd -1 = none. Blocks while there is no room. */
int cell_shm_send_control(struct unix_conn *c, uint8_t kind, const void *payload, uint32_t len, int fd,
                          uint64_t deadline_ns, struct cell_error *e);
/* The same without waiting and without an error: false when it could not be sent. */
bool cell_shm_try_control(struct unix_conn *c, uint8_t kind, const void *payload, uint32_t len);
/* Receives one without waiting. 1 = *k is one, whose descriptors are the caller's; 0 = nothing is there; 2 = the end;
 * negative = error. */
int cell_shm_recv_control(struct unix_conn *c, struct cell_shm_control *k, struct cell_error *e);
void cell_shm_control_close(struct cell_shm_control *k); /* its descriptors */
/* Handles what there is on the socket of an upgraded connection. 0 = nothing more; 1 = the socket has ended; negative =
 * error. */
int cell_shm_drain(struct unix_conn *c, struct cell_error *e);

/* Wakes the receiver of what was committed. The sender only. */
static inline void cell_shm_wake(struct unix_conn *c)
{
    c->shm->unwoken = false;
    if (cell_ring_wake_receiver(&c->shm->out))
        cell_shm_try_control(c, CELL_FRAME_SHM_WAKE, NULL, 0);
}

/* Tells the other side that this one sleeps in poll: it writes to the socket with its next message, if there
 * is room. False: a message is there, or the sender waits for what the last one holds. */
static inline bool cell_shm_begin_poll(struct cell_shm *s)
{
    uint32_t bell;
    s->told++;
    s->armed = cell_ring_receiver_begin_sleep(&s->in, CELL_RING_POLL, &bell);
    return s->armed;
}

/* ---- shm_handshake.c ---- */

/* Makes what an offer needs, ahead of it; when it cannot, the offer will say so. */
void cell_shm_prepare(struct unix_conn *c);
/* Offers shared memory on a new connection, with the next frame that is sent or, with `now`, at once. Negative: it
 * could not; nothing was sent. */
int cell_shm_offer(struct unix_conn *c, bool now, struct cell_error *e);
/* An offer that was kept back was sent. */
void cell_shm_offered(struct unix_conn *c);
/* Handles the handshake's frame that is next on the socket. `stage` says afterwards how receiving goes on. */
int cell_shm_handshake(struct unix_conn *c, struct cell_error *e);
/* Sends what the sender has to say before its next frame. */
int cell_shm_announce(struct unix_conn *c, uint64_t deadline_ns, struct cell_error *e);
/* Unmaps, closes and frees; in a fork's child only frees. */
void cell_shm_free(struct cell_shm *s);

/* ---- shm_wait.c ---- */

/* Waits for a message a few times as long as reading the clock would take. NULL: none came. */
const uint8_t *cell_shm_wait_brief(struct unix_conn *c);
/* Waits for a message. *slot is its slot. */
int cell_shm_wait_message(struct unix_conn *c, const uint8_t **slot, uint64_t deadline_ns, struct cell_error *e);
/* Waits for room for a message with `data` bytes of the data area, or a part of that time; `first` for the first time
 * in an operation. */
int cell_shm_wait_room(struct unix_conn *c, uint32_t data, bool first, uint64_t deadline_ns, struct cell_error *e);
/* The same until message `number` is released. */
int cell_shm_wait_released(struct unix_conn *c, uint32_t number, bool first, uint64_t deadline_ns,
                           struct cell_error *e);

/* ---- shm_blob.c ---- */

/* The sender's: memory for `len` bytes that the peer knows; filled and sent with *id, then cell_shm_blob_sent. */
int cell_shm_blob_get(struct unix_conn *c, uint32_t len, struct cell_shm_blob_out **blob, uint64_t deadline_ns,
                      struct cell_error *e);
/* The same without waiting. CELL_RESOURCE_EXHAUSTED: there is none now, and nothing happened. */
int cell_shm_blob_try(struct unix_conn *c, uint32_t len, struct cell_shm_blob_out **blob, struct cell_error *e);
void cell_shm_blob_sent(struct cell_shm *s, struct cell_shm_blob_out *blob, uint32_t number);
/* Gives back what nobody uses. `all`: also what was used recently. */
void cell_shm_blobs_trim(struct unix_conn *c, bool all);
/* The receiver's. */
int cell_shm_blob_control(struct unix_conn *c, struct cell_shm_control *k, struct cell_error *e);
const struct cell_shm_blob_in *cell_shm_blob_find(const struct cell_shm *s, uint32_t id);

/* ---- shm_reserve.c ---- */

int cell_shm_reserve(struct cell_conn *conn, uint32_t bytes, uint8_t **memory, uint32_t *size, uint64_t deadline_ns,
                     struct cell_error *e);
void cell_shm_unreserve(struct cell_conn *conn);
/* What was reserved, when the frame is to be sent from there; it is not reserved any more. NULL: it is not. */
struct cell_shm_blob_out *cell_shm_take_reserved(struct cell_shm *s, const struct cell_frame *f,
                                                 const struct iovec *payload, int n);

extern const struct cell_conn_ops cell_shm_ops; /* shm.c */

#endif
