/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The contract of a transport: ordered, reliable frames between two processes. A transport knows nothing of schemas,
 * methods or retries. One conformance suite (test/conformance) runs against every transport in cell_transports.
 *
 * Deadlines are absolute, in cell_now_ns() time; CELL_NO_DEADLINE waits for ever. No function but the ones documented
 * as blocking blocks. Functions of one connection: one thread may send while another receives; `interrupt` is callable
 * from any thread; nothing else is concurrent. Permitted errors are CELL_UNAVAILABLE (peer gone, refused), CELL_
 * DEADLINE_EXCEEDED, CELL_CANCELLED (interrupted), CELL_PROTOCOL_ERROR, CELL_TOO_LARGE, CELL_PERMISSION_DENIED,
 * CELL_INVALID_ARGUMENT, CELL_NO_MEMORY, CELL_IO_ERROR, and of send, recv and offer_shm CELL_RESOURCE_EXHAUSTED (see
 * cell_memory).
 *
 * A connection that shares memory, or has offered to, belongs to the process that made it: in a fork's child everything
 * on it is CELL_UNAVAILABLE, and closing it there is harmless. Other connections may go on in the child.
 */
#ifndef CELL_TRANSPORT_H
#define CELL_TRANSPORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/uio.h>

#include "base/error.h"
#include "base/util.h"
#include "wire/frame.h"

struct cell_listener;

/* Who is at the other end. */
struct cell_peer {
    uint32_t uid, gid;
    int32_t pid;
};

/* One frame as it was received. */
struct cell_received {
    struct cell_frame frame;
    const uint8_t *meta; /* frame.meta_len bytes, private: what was checked there stays so; not aligned */
    /* The rest, not aligned. Another process may write to it meanwhile: each byte is to be read once. */
    const uint8_t *message;
    size_t message_len;
};

#define CELL_ROOM_MAX (16u << 10)

struct cell_conn;

/* Bytes of the largest message that a place is for. */
#define CELL_SMALL_MESSAGE 128u

/* What one connection can do. */
struct cell_conn_ops {
    const char *name; /* what carries the frames: "unix", "shm" */

    /* Sends one whole frame: header, then n buffers that make its payload (f->length bytes together), of which the
     * first f->meta_len bytes are metadata. Blocks. After a failure the connection is dead and can only be closed,
     * except after CELL_INVALID_ARGUMENT and CELL_RESOURCE_EXHAUSTED (see counts_sent), when nothing was sent. The
     * buffers stay the caller's. */
    int (*send)(struct cell_conn *c, const struct cell_frame *f, const struct iovec *payload, int n,
                uint64_t deadline_ns, struct cell_error *e);
    /* The same, for a frame that others follow at once: the peer need not be told of it, and it may be kept back, until
     * the next send, flush, or send_more that finds no room to keep it. Whoever waits for what the peer does with it
     * flushes first: recv does not, as it may be another thread's; nor does close, after which what was not flushed may
     * have arrived, whole frames in their order, or not. Before a fork, the same. */
    int (*send_more)(struct cell_conn *c, const struct cell_frame *f, const struct iovec *payload, int n,
                     uint64_t deadline_ns, struct cell_error *e);
    /* Sends what send_more has kept back, with one wake-up of the peer at the most. By the thread that sends. Blocks;
     * after a failure the connection is dead. */
    int (*flush)(struct cell_conn *c, uint64_t deadline_ns, struct cell_error *e);
    /* Receives one whole frame. Blocks. What *r points to is the connection's, valid until the next recv. The header is
     * checked before its length is believed; memory grows with bytes received, not with bytes announced.
     * CELL_UNAVAILABLE with text "closed" at a clean end. After CELL_DEADLINE_EXCEEDED the connection goes on where it
     * was; after CELL_PROTOCOL_ERROR, CELL_TOO_LARGE and CELL_RESOURCE_EXHAUSTED one can still send, to say why; after
     * another failure it is dead. */
    int (*recv)(struct cell_conn *c, struct cell_received *r, uint64_t deadline_ns, struct cell_error *e);
    /* True when recv would not block (a frame or the end is there), without waiting. After it returned false, or recv
     * CELL_DEADLINE_EXCEEDED, `fd` becomes readable as soon as there is something, until the next recv; without that it
     * need not: ask before every poll. */
    bool (*readable)(struct cell_conn *c);
    /* Makes a blocked or future recv of this connection return CELL_CANCELLED; the peer sees the end. Any thread. */
    void (*interrupt)(struct cell_conn *c);
    /* For poll, see readable; its POLLRDHUP is the peer's end. Owned by the connection, the same for its life. */
    int (*fd)(const struct cell_conn *c);
    void (*peer)(const struct cell_conn *c, struct cell_peer *peer);
    void (*close)(struct cell_conn *c);
    /* After recv said that the connection has ended: whether the peer certainly never received the last frame that was
     * sent. NULL: that cannot be told. */
    bool (*untaken)(const struct cell_conn *c);
    /* Waits until send of a frame with `length` bytes of payload would not block: 1. With `in`, also until there is
     * something to receive, which comes first: 0, and recv with a deadline that has passed says what; a part of a frame
     * is something, and so is that the peer waits for what recv has lent, which it gives back. CELL_DEADLINE_EXCEEDED:
     * neither, and the connection goes on. CELL_UNAVAILABLE: the peer is gone, as far as that can be told without
     * receiving. By the thread that sends; with `in`, by the one that receives as well. A frame larger than
     * CELL_ROOM_MAX may block in spite of that, when the peer does not receive meanwhile. */
    int (*room)(struct cell_conn *c, uint32_t length, bool in, uint64_t deadline_ns, struct cell_error *e);
    /* What recv has lent is not needed any more: it goes back to the peer before the next recv, which matters for large
     * messages. `idle`: nothing will be sent for a while either. By the thread that receives. NULL: there is nothing
     * that this would give back. */
    void (*release)(struct cell_conn *c, bool idle);
    /*
     * What most calls are, for less; all NULL: there is nothing faster than send and recv.
     *
     * place: where a frame without metadata goes whose payload is a message with a fixed part of `fixed` bytes. There
     * the caller writes the message without its header (f->length - 8 bytes), and then commits it with the same frame.
     * NULL: not now, or not such a frame; use send. Nothing is sent before commit, and without commit nothing is. The
     * peer can see what is written, before commit as well.
     * commit: sends it. Never blocks or fails. It is a full fence between what was stored before it and what is loaded
     * after it, but for `more`: then it is kept back as by send_more.
     * recv_brief: recv that gives up after about a microsecond. False: nothing came, or recv has something else to say.
     * A message that was small enough for a place is put into `small`, which is the caller's, with its header.
     */
    uint8_t *(*place)(struct cell_conn *c, const struct cell_frame *f, uint32_t fixed);
    void (*commit)(struct cell_conn *c, uint8_t *place, const struct cell_frame *f, uint32_t fixed, bool more);
    bool (*recv_brief)(struct cell_conn *c, struct cell_received *r, uint64_t small[CELL_SMALL_MESSAGE / 8]);
    /*
     * For a thread that receives from many connections. Both NULL: there is only readable.
     * glance: whether a frame is there, without a system call, and without being told of one later. What only the
     * socket says, as that the peer is gone, it does not see.
     * arm: readable without a look at the socket, for who polls `fd` anyway and asks readable when it can be read.
     */
    bool (*glance)(struct cell_conn *c);
    bool (*arm)(struct cell_conn *c);
    /* send takes from `memory` what it holds until the peer has taken it; then it may return CELL_RESOURCE_EXHAUSTED,
     * when nothing was sent and the connection goes on. */
    bool counts_sent;
    /* Offers shared memory to a peer that is known to understand that, before the first CALL, with the next frame that
     * is sent. The connection goes on as it is until the peer agrees, or for good. NULL: it is one already, or cannot
     * be. A failure changes nothing. */
    int (*offer_shm)(struct cell_conn *c, struct cell_error *e);
    /* Makes what offer_shm is going to need, while there is nothing else to do; what fails fails there. NULL as that.
     */
    void (*prepare_shm)(struct cell_conn *c);
    /* Reserves memory of at least `bytes` bytes, aligned to a page, in which the payload of one frame can be put
     * together, and is not copied any more when it is sent. A send of which at least one buffer that is not empty lies
     * where it belongs, at *memory and as many bytes behind that as there are before it in the payload, is carried out
     * from there: the other buffers are copied to their places, *size bytes at most, and the reservation is over when
     * it returns. Other frames may be sent before, and buffers may lie in reserved memory in any case: what cannot be
     * sent from there is copied. There is one reservation at a time (else CELL_INVALID_ARGUMENT). The memory is not
     * initialised; it may hold what was sent to this peer before, and the peer can read what is written there at once.
     * It stays readable until the connection is closed, also when that dies, and unless another frame is sent after the
     * reservation was over it stays as it is. By the thread that sends. Does not wait for the peer to release
     * memory; `deadline_ns` is for what has to be said before. CELL_RESOURCE_EXHAUSTED: not now; CELL_TOO_LARGE: never
     * so much; CELL_UNAVAILABLE: not to this peer, or it is gone. NULL: there is no such memory. */
    int (*reserve)(struct cell_conn *c, uint32_t bytes, uint8_t **memory, uint32_t *size, uint64_t deadline_ns,
                   struct cell_error *e);
    /* Ends the reservation, if there is one. By the thread that sends. NULL as reserve. */
    void (*unreserve)(struct cell_conn *c);
};

/* Memory that several connections may hold together. A transport takes from it before a buffer that holds what the peer
 * sends is made or grows, and for the shared memory that it makes for one connection, and gives it back with that.
 * Thread-safe.
 */
struct cell_memory {
    atomic_size_t used;
    size_t limit;
};

/* False: it would be more than the limit. NULL: no limit. */
static inline bool cell_memory_take(struct cell_memory *m, size_t bytes)
{
    if (!m || atomic_fetch_add_explicit(&m->used, bytes, memory_order_relaxed) + bytes <= m->limit)
        return true;
    atomic_fetch_sub_explicit(&m->used, bytes, memory_order_relaxed);
    return false;
}
static inline void cell_memory_give(struct cell_memory *m, size_t bytes)
{
    if (m)
        atomic_fetch_sub_explicit(&m->used, bytes, memory_order_relaxed);
}
/* For what only serves speed: takes nothing of the second half of the limit, which is left for what is needed. */
static inline bool cell_memory_take_spare(struct cell_memory *m, size_t bytes)
{
    if (!cell_memory_take(m, bytes))
        return false;
    if (!m || atomic_load_explicit(&m->used, memory_order_relaxed) <= m->limit / 2)
        return true;
    cell_memory_give(m, bytes);
    return false;
}
/* CELL_RESOURCE_EXHAUSTED, in words. */
int cell_memory_fail(const struct cell_memory *m, struct cell_error *e);

/* Every transport's connection begins with this. The table may change while the connection lives, in its own recv. */
struct cell_conn {
    const struct cell_conn_ops *_Atomic ops;
    struct cell_memory *memory; /* NULL = no limit; set by the connection's user before its first recv, for its life */
    uint32_t
        max_now; /* bytes of payload of frames that are received now, when fewer than else; 0 = no. The receiver's */
};

struct cell_connect_options {
    uint64_t deadline_ns;
    uint32_t max_payload; /* of frames received on this connection; longer ones are CELL_TOO_LARGE */
    bool shm;             /* offer_shm at once: for a server that is known to understand that */
    bool any_owner;       /* false: only a socket owned by this user or root is connected to */
};

struct cell_transport {
    const char *scheme; /* "unix": addresses are "unix:…" */

    /* Blocks until connected. On failure nothing is left open and *conn is unchanged. */
    int (*connect)(const char *address, const struct cell_connect_options *options, struct cell_conn **conn,
                   struct cell_error *e);

    /* Opens the server's end; `fd` >= 0 takes over an already listening descriptor (LISTEN_FDS) instead. A stale
     * address (nobody accepts on it) is replaced; a live one is CELL_ALREADY_EXISTS. */
    int (*listen)(const char *address, int fd, struct cell_listener **listener, struct cell_error *e);
    /* Does not block: CELL_UNAVAILABLE when nobody waits. Frames above max_payload will be refused. */
    int (*accept)(struct cell_listener *l, uint32_t max_payload, struct cell_conn **conn, struct cell_error *e);
    int (*listener_fd)(const struct cell_listener *l); /* for poll; owned by the listener */
    /* Removes the address if this listener made it. NULL is accepted. */
    void (*listener_close)(struct cell_listener *l);
};

static inline const struct cell_conn_ops *cell_conn_ops(const struct cell_conn *c)
{
    return atomic_load_explicit(&c->ops, memory_order_acquire);
}
static inline int cell_conn_send(struct cell_conn *c, const struct cell_frame *f, const struct iovec *payload, int n,
                                 uint64_t deadline_ns, struct cell_error *e)
{
    return cell_conn_ops(c)->send(c, f, payload, n, deadline_ns, e);
}
static inline int cell_conn_send_more(struct cell_conn *c, const struct cell_frame *f, const struct iovec *payload,
                                      int n, uint64_t deadline_ns, struct cell_error *e)
{
    return cell_conn_ops(c)->send_more(c, f, payload, n, deadline_ns, e);
}
static inline int cell_conn_flush(struct cell_conn *c, uint64_t deadline_ns, struct cell_error *e)
{
    return cell_conn_ops(c)->flush(c, deadline_ns, e);
}
static inline int cell_conn_recv(struct cell_conn *c, struct cell_received *r, uint64_t deadline_ns,
                                 struct cell_error *e)
{
    return cell_conn_ops(c)->recv(c, r, deadline_ns, e);
}
static inline int cell_conn_room(struct cell_conn *c, uint32_t length, bool in, uint64_t deadline_ns,
                                 struct cell_error *e)
{
    return cell_conn_ops(c)->room(c, length, in, deadline_ns, e);
}
static inline bool cell_conn_readable(struct cell_conn *c) { return cell_conn_ops(c)->readable(c); }
static inline void cell_conn_interrupt(struct cell_conn *c) { cell_conn_ops(c)->interrupt(c); }
static inline int cell_conn_fd(const struct cell_conn *c) { return cell_conn_ops(c)->fd(c); }
static inline void cell_conn_peer(const struct cell_conn *c, struct cell_peer *peer)
{
    cell_conn_ops(c)->peer(c, peer);
}
static inline bool cell_conn_untaken(const struct cell_conn *c)
{
    return cell_conn_ops(c)->untaken && cell_conn_ops(c)->untaken(c);
}
static inline void cell_conn_release(struct cell_conn *c, bool idle)
{
    const struct cell_conn_ops *ops = cell_conn_ops(c);
    if (ops->release)
        ops->release(c, idle);
}
static inline bool cell_conn_may_reserve(const struct cell_conn *c) { return cell_conn_ops(c)->reserve != NULL; }
static inline int cell_conn_reserve(struct cell_conn *c, uint32_t bytes, uint8_t **memory, uint32_t *size,
                                    uint64_t deadline_ns, struct cell_error *e)
{
    return cell_conn_ops(c)->reserve(c, bytes, memory, size, deadline_ns, e);
}
static inline void cell_conn_unreserve(struct cell_conn *c)
{
    const struct cell_conn_ops *ops = cell_conn_ops(c);
    if (ops->unreserve)
        ops->unreserve(c);
}
static inline bool cell_conn_may_offer_shm(const struct cell_conn *c) { return cell_conn_ops(c)->offer_shm != NULL; }
static inline int cell_conn_offer_shm(struct cell_conn *c, struct cell_error *e)
{
    return cell_conn_ops(c)->offer_shm(c, e);
}
static inline void cell_conn_prepare_shm(struct cell_conn *c)
{
    const struct cell_conn_ops *ops = cell_conn_ops(c);
    if (ops->prepare_shm)
        ops->prepare_shm(c);
}
static inline void cell_conn_close(struct cell_conn *c) /* NULL is accepted */
{
    if (c)
        cell_conn_ops(c)->close(c);
}

/* The transport of an address by its scheme, or NULL. */
const struct cell_transport *cell_transport_find(const char *address);

extern const struct cell_transport cell_transport_unix;
/* The same sockets, but connections that do not get shared memory are refused: by connect, or by their first recv. */
extern const struct cell_transport cell_transport_shm;

#endif
