/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * One direction of a shared-memory connection: messages from one producer to one consumer, in order, through memory of
 * which each side writes only its own part. Pure memory and futexes: no descriptors, no frames, no policy. The layout
 * is docs/protocol.md, "Shared memory"; test/model/ring.pml is the model of reserve, commit, wake and sleep.
 *
 * Each side owns one region and maps the other's read-only. A region holds what its owner produces (slots, data) and
 * what its owner says as a consumer (how far it has read, whether it sleeps). So the ring from A to B lies in A's
 * region, and its `head` in B's.
 *
 * A message takes one slot of two cache lines; what does not fit there lies in the data area, in one piece. The first
 * word of a slot is its commit word, written last: a consumer that sees message number n in it sees the whole message,
 * so that a small message costs the transfer of a single line. Words of the other side are read once each, and whatever
 * they say no access leaves the region: a lying peer can only harm its own messages.
 *
 * Thread-safety: one thread per struct at a time; a producer and a consumer of one connection may be different threads.
 */
#ifndef CELL_TRANSPORT_RING_H
#define CELL_TRANSPORT_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CELL_RING_SLOTS 64u /* a power of two */
#define CELL_RING_SLOT 128u
#define CELL_RING_DATA (16u << 10)
#define CELL_RING_LINE 64u
/* Bytes of a message that lie in the slot itself, after its commit word. */
#define CELL_RING_INLINE (CELL_RING_SLOT - 4u)

/* How a side sleeps, and so how it is woken. */
enum cell_ring_sleep {
    CELL_RING_AWAKE = 0,
    CELL_RING_FUTEX = 1, /* in cell_ring_wait */
    CELL_RING_POLL = 2   /* in poll on something else, which the waker has to make readable */
};

struct cell_ring_slot {
    _Atomic uint32_t commit; /* low 32 bits of the message's number + 1 */
    uint8_t bytes[CELL_RING_INLINE];
};

/* A region as it lies in memory. The first line is the handshake's (transport/shm). */
struct cell_ring_region {
    _Alignas(CELL_RING_LINE) uint8_t handshake[CELL_RING_LINE];
    /* Of the owner as a consumer of the other's ring: */
    _Alignas(CELL_RING_LINE) _Atomic uint32_t head; /* messages that it has released */
    _Atomic uint32_t taken;                         /* … that it has taken; told before what they ask for is begun */
    _Alignas(CELL_RING_LINE) _Atomic uint32_t receiver_sleeps; /* enum cell_ring_sleep | (count of sleeps << 2) */
    /* Of the owner as a producer: */
    _Alignas(CELL_RING_LINE) _Atomic uint32_t sender_sleeps; /* the same, while it waits for room */
    _Atomic uint32_t sender_wants;                           /* then: the other's `head` at which it is to be woken */
    _Alignas(CELL_RING_LINE) _Atomic uint32_t bell;          /* raised with every wake-up; what the other's futex is */
    _Alignas(4096) struct cell_ring_slot slots[CELL_RING_SLOTS];
    uint8_t data[CELL_RING_DATA];
};

struct cell_ring_producer {
    struct cell_ring_region *own;
    const struct cell_ring_region *other;
    uint32_t next;                        /* number of the message to be written next */
    uint32_t head;                        /* the other's, as last read and checked */
    uint32_t data_used, data_next;        /* bytes of the data area: in use, and where the free part begins */
    uint32_t data_taken[CELL_RING_SLOTS]; /* by each unreleased message, with what was skipped before it */
    uint32_t reserved_data;               /* by the reservation in progress, with what it skips */
    uint32_t reserved_end;                /* where the free part begins once it is committed */
    uint32_t sleeps;                      /* count, for sender_sleeps */
    uint32_t woken_receiver;              /* the sleep for which the other was woken already */
};

struct cell_ring_consumer {
    struct cell_ring_region *own;
    const struct cell_ring_region *other;
    uint32_t next;     /* number of the message to be read next */
    uint32_t released; /* messages released; what own->head says */
    uint32_t sleeps;   /* count, for receiver_sleeps */
    uint32_t woken_sender;
};

/* Both regions are mapped; `own` is zeroed memory that only this side writes. */
void cell_ring_producer_init(struct cell_ring_producer *p, struct cell_ring_region *own,
                             const struct cell_ring_region *other);
void cell_ring_consumer_init(struct cell_ring_consumer *c, struct cell_ring_region *own,
                             const struct cell_ring_region *other);

/* ---- producing ---- */

/* Takes the next slot, and `data` bytes of the data area (0 = none; at most CELL_RING_DATA), 64-aligned and in one
 * piece. *slot is where the slot's CELL_RING_INLINE bytes are written to, *bytes the data (NULL for none), *offset
 * where in the data area they lie. 0, or CELL_RESOURCE_EXHAUSTED: no room now; CELL_PROTOCOL_ERROR: the other's head is
 * impossible; CELL_INVALID_ARGUMENT: more data than there will ever be room for. A second reserve without commit
 * replaces the first. */
int cell_ring_reserve(struct cell_ring_producer *p, uint32_t data, uint8_t **slot, uint8_t **bytes, uint32_t *offset);

/* Whether the other side certainly did not take the message that was committed last. For when it is gone. */
bool cell_ring_untaken(const struct cell_ring_producer *p);

/* The same without data, when there is room as far as is known: NULL says nothing about why. */
static inline uint8_t *cell_ring_reserve_slot(struct cell_ring_producer *p)
{
    if (p->next - p->head >= CELL_RING_SLOTS)
        return NULL;
    p->reserved_data = 0;
    return p->own->slots[p->next % CELL_RING_SLOTS].bytes;
}

/* Makes the reserved message visible; once for each reservation. Wakes nobody. */
static inline void cell_ring_commit(struct cell_ring_producer *p)
{
    uint32_t slot = p->next % CELL_RING_SLOTS;
    p->data_taken[slot] = p->reserved_data;
    if (p->reserved_data) {
        p->data_used += p->reserved_data;
        p->data_next = p->reserved_end;
    }
    p->next++;
    atomic_store_explicit(&p->own->slots[slot].commit, p->next, memory_order_release);
}

/* Whether the message of that number, which was committed, is released. CELL_PROTOCOL_ERROR as for reserve. */
int cell_ring_is_released(struct cell_ring_producer *p, uint32_t number);

/* After one or more commits, always, before this thread waits for anything: wakes the other side if it sleeps in
 * cell_ring_wait. True when it sleeps in poll, and the caller has to make readable what it polls; said once per sleep.
 * Contains the fence that the sleeper's re-check needs. */
bool cell_ring_wake_receiver(struct cell_ring_producer *p);

/* ---- consuming ---- */

/* The next message, if it is there: its slot's bytes, valid until it is released. The memory is the other side's. */
static inline const uint8_t *cell_ring_peek(const struct cell_ring_consumer *c)
{
    const struct cell_ring_slot *slot = &c->other->slots[c->next % CELL_RING_SLOTS];
    return atomic_load_explicit(&slot->commit, memory_order_acquire) == c->next + 1 ? slot->bytes : NULL;
}
/* Takes what peek showed: the next peek is for the message after it. */
static inline void cell_ring_take(struct cell_ring_consumer *c)
{
    c->next++;
    atomic_store_explicit(&c->own->taken, c->next, memory_order_release);
}
/* Gives everything that was taken back to the producer, and wakes one that waits for this much room. True as for
 * cell_ring_wake_receiver; the senders of this file never poll. Without a fence: a producer that begins to sleep in
 * this very moment is woken by the next release, by cell_ring_receiver_begin_sleep or by cell_ring_wake_sender. */
bool cell_ring_release(struct cell_ring_consumer *c);
/* Whether a producer waits for room while something that was taken is not released. Without a fence: that one begins to
 * wait in this very moment is seen by cell_ring_receiver_begin_sleep, or it wakes the receiver. */
bool cell_ring_sender_wants_held(const struct cell_ring_consumer *c);
/* For a consumer that is going to wait for something else than its next message: wakes a producer that waits for room,
 * whether it is all the room that it wants or not. */
bool cell_ring_wake_sender(struct cell_ring_consumer *c);

/* ---- sleeping ---- */

/*
 * The receiver's sleep: begin; if it returned true, wait (FUTEX) or poll (POLL); end. Begin tells the other side, then
 * looks once more: false means that a message is there, or that the producer waits for room while something that was
 * taken is not released (and that the sleep is over: no end). The bell is read before the look, so that a wake-up in
 * between is not lost. Each sleep is woken once: whoever was woken, or thinks so, ends this sleep and begins another
 * one. With everything released, begin wakes a producer that waits for room.
 */
bool cell_ring_receiver_begin_sleep(struct cell_ring_consumer *c, enum cell_ring_sleep how, uint32_t *bell);
void cell_ring_receiver_end_sleep(struct cell_ring_consumer *c);

/* The same for a producer that found no room for `data` bytes; always by futex. False means that cell_ring_reserve has
 * something else to say now. The other side wakes it when a quarter of what it has not released became free, if that
 * gives room enough, so that a full ring does not cost a wake-up for each message; or before it sleeps itself. */
bool cell_ring_sender_begin_sleep(struct cell_ring_producer *p, uint32_t data, uint32_t *bell);
/* The same for a producer that waits until all messages before number `head` are released. */
bool cell_ring_sender_begin_sleep_until(struct cell_ring_producer *p, uint32_t head, uint32_t *bell);
void cell_ring_sender_end_sleep(struct cell_ring_producer *p);

/* Sleeps until the other side's bell is no longer `bell`, cell_ring_disturb is called, or `timeout_ns` passed
 * (UINT64_MAX: no limit). May return early. */
void cell_ring_wait(const struct cell_ring_region *other, uint32_t bell, uint64_t timeout_ns);
/*
 * Ends the waits in progress in this process on the other side's bell. It leaves no trace, because the bell is the
 * other's to raise: a thread that is only about to wait is missed. So a thread that stops a waiter sets a flag, which
 * the waiter tests between begin_sleep and wait, and then disturbs again and again, with a pause, until the waiter has
 * acknowledged the flag (or was joined).
 */
void cell_ring_disturb(const struct cell_ring_region *other);

/* Wakes whoever sleeps in the other process on this side's bell. Used by the functions above, and to announce the end.
 */
void cell_ring_bell(struct cell_ring_region *own);

#endif
