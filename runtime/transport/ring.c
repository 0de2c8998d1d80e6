/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The ring of shared-memory connections. Every order between the two sides is one of these, and test/model/ring.pml
 * shows for each that it is needed:
 *   - a commit word is stored with release and loaded with acquire: who sees it sees the message;
 *   - `head` likewise: who sees it may write where the released messages were;
 *   - who may have to wake stores (commit, head), fences, and looks whether the other sleeps; who is going to sleep
 *     stores that it sleeps, fences, and looks again: one of the two sees the other's store. (A consumer that releases
 *     looks without the fence, because it looks again behind one before it sleeps itself;)
 *   - who is going to sleep reads the bell before that look, so that a bell raised after the look ends the wait.
 */
#include "ring.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"

#define SLOT_MASK (CELL_RING_SLOTS - 1)
#define SLEEP_MODE 3u
#define SLEEP_COUNT 4u

_Static_assert((CELL_RING_SLOTS & SLOT_MASK) == 0, "numbers wrap at 2^32, a multiple of the slots");
_Static_assert(sizeof(struct cell_ring_slot) == CELL_RING_SLOT, "a slot is two lines");
_Static_assert(CELL_RING_DATA % CELL_RING_LINE == 0, "pieces of the data area are lines");
_Static_assert(offsetof(struct cell_ring_region, head) == 64 && offsetof(struct cell_ring_region, taken) == 68 &&
                   offsetof(struct cell_ring_region, receiver_sleeps) == 128 &&
                   offsetof(struct cell_ring_region, sender_sleeps) == 192 &&
                   offsetof(struct cell_ring_region, sender_wants) == 196 &&
                   offsetof(struct cell_ring_region, bell) == 256 && offsetof(struct cell_ring_region, slots) == 4096 &&
                   offsetof(struct cell_ring_region, data) == 4096 + CELL_RING_SLOTS * CELL_RING_SLOT,
               "the layout is the same in both programs");
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "shared between processes");

/* What atomic_thread_fence(memory_order_seq_cst) means. Clang makes an mfence of that, which stops a producer that
 * wakes after each message for four times as long as a locked instruction does, which is a full fence as well. */
static inline void full_fence(void)
{
#if defined(__x86_64__)
    __asm__ volatile("lock; orl $0, (%%rsp)" ::: "memory", "cc");
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

static struct cell_ring_slot *own_slot(const struct cell_ring_producer *p, uint32_t number)
{
    return &p->own->slots[number & SLOT_MASK];
}

void cell_ring_producer_init(struct cell_ring_producer *p, struct cell_ring_region *own,
                             const struct cell_ring_region *other)
{
    *p = (struct cell_ring_producer){.own = own, .other = other};
}

void cell_ring_consumer_init(struct cell_ring_consumer *c, struct cell_ring_region *own,
                             const struct cell_ring_region *other)
{
    *c = (struct cell_ring_consumer){.own = own, .other = other};
}

/* ---- waking ---- */

/* `word` is what the other said of its sleep. */
static bool wake(struct cell_ring_region *own, uint32_t word, uint32_t *woken)
{
    if ((word & SLEEP_MODE) == CELL_RING_AWAKE || word == *woken)
        return false;
    *woken = word;
    if ((word & SLEEP_MODE) == CELL_RING_POLL)
        return true;
    cell_ring_bell(own);
    return false;
}

CELL_HOT void cell_ring_bell(struct cell_ring_region *own)
{
    /* Sender and receiver of this side may be two threads. */
    atomic_fetch_add_explicit(&own->bell, 1, memory_order_release);
    syscall(SYS_futex, &own->bell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

CELL_HOT void cell_ring_wait(const struct cell_ring_region *other, uint32_t bell, uint64_t timeout_ns)
{
    struct timespec t = {.tv_sec = (time_t)(timeout_ns / 1000000000), .tv_nsec = (long)(timeout_ns % 1000000000)};
    syscall(SYS_futex, &other->bell, FUTEX_WAIT, bell, timeout_ns == UINT64_MAX ? NULL : &t, NULL, 0);
}

void cell_ring_disturb(const struct cell_ring_region *other)
{
    syscall(SYS_futex, &other->bell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* ---- producing ---- */

/* What `data` bytes take up. */
static uint32_t whole_lines(uint32_t data) { return (data + CELL_RING_LINE - 1) & ~(CELL_RING_LINE - 1); }

/* Where `data` bytes begin when `used` bytes before `next` are in use; *taken is what they then take, with what is
 * skipped before the wrap. False: no room. */
static bool place(uint32_t used, uint32_t next, uint32_t data, uint32_t *at, uint32_t *taken)
{
    uint32_t need = whole_lines(data), skip = 0;
    if (used == 0)
        next = 0;
    if (need > CELL_RING_DATA - next) {
        skip = CELL_RING_DATA - next;
        next = 0;
    }
    if (need > CELL_RING_DATA - used || skip > CELL_RING_DATA - used - need)
        return false;
    *at = next;
    *taken = skip + need;
    return true;
}

static bool find_room(const struct cell_ring_producer *p, uint32_t data, uint32_t *at, uint32_t *taken)
{
    return p->next - p->head < CELL_RING_SLOTS && (data == 0 || place(p->data_used, p->data_next, data, at, taken));
}

/* Reads the other's head again and counts free what it released. It only moves forward, and never past `next`. */
static int read_head(struct cell_ring_producer *p)
{
    uint32_t head = atomic_load_explicit(&p->other->head, memory_order_acquire);
    if (head - p->head > p->next - p->head)
        return CELL_PROTOCOL_ERROR;
    for (; p->head != head; p->head++)
        p->data_used -= p->data_taken[p->head & SLOT_MASK];
    return 0;
}

int cell_ring_reserve(struct cell_ring_producer *p, uint32_t data, uint8_t **slot, uint8_t **bytes, uint32_t *offset)
{
    uint32_t at = 0, taken = 0;
    if (data > CELL_RING_DATA)
        return CELL_INVALID_ARGUMENT;
    if (!find_room(p, data, &at, &taken)) {
        int r = read_head(p);
        if (r < 0)
            return r;
        if (!find_room(p, data, &at, &taken))
            return CELL_RESOURCE_EXHAUSTED;
    }
    p->reserved_data = taken;
    p->reserved_end = at + whole_lines(data);
    *slot = own_slot(p, p->next)->bytes;
    *bytes = data ? p->own->data + at : NULL;
    *offset = at;
    return 0;
}

bool cell_ring_untaken(const struct cell_ring_producer *p)
{
    return (int32_t)(atomic_load_explicit(&p->other->taken, memory_order_acquire) - p->next) < 0;
}

int cell_ring_is_released(struct cell_ring_producer *p, uint32_t number)
{
    int r = read_head(p);
    return r < 0 ? r : number - p->head >= p->next - p->head;
}

CELL_HOT bool cell_ring_wake_receiver(struct cell_ring_producer *p)
{
    full_fence();
    return wake(p->own, atomic_load_explicit(&p->other->receiver_sleeps, memory_order_relaxed), &p->woken_receiver);
}

/* The head at which a producer without room for `data` bytes is to be woken: at most `next`, where all is free. */
static uint32_t wanted_head(const struct cell_ring_producer *p, uint32_t data)
{
    uint32_t enough = p->head + (p->next - p->head + 3) / 4, used = p->data_used, head = p->head, at, taken;
    while (head != p->next) {
        used -= p->data_taken[head++ & SLOT_MASK];
        if (head - p->head >= enough - p->head && (data == 0 || place(used, p->data_next, data, &at, &taken)))
            break;
    }
    return head;
}

/* Tells the other side that this one sleeps until its head is `wants`. Returns the bell as it was before. */
static uint32_t announce_sender_sleep(struct cell_ring_producer *p, uint32_t wants)
{
    uint32_t rung = atomic_load_explicit(&p->other->bell, memory_order_acquire);
    p->sleeps += SLEEP_COUNT;
    atomic_store_explicit(&p->own->sender_wants, wants, memory_order_relaxed);
    /* In any order: who sees the one and an older other one looks again, behind a fence, before it sleeps. */
    atomic_store_explicit(&p->own->sender_sleeps, p->sleeps | CELL_RING_FUTEX, memory_order_relaxed);
    full_fence();
    return rung;
}

bool cell_ring_sender_begin_sleep(struct cell_ring_producer *p, uint32_t data, uint32_t *bell)
{
    uint32_t at, taken, rung = announce_sender_sleep(p, wanted_head(p, data));
    if (data > CELL_RING_DATA || read_head(p) < 0 || find_room(p, data, &at, &taken)) {
        cell_ring_sender_end_sleep(p);
        return false;
    }
    *bell = rung;
    return true;
}

bool cell_ring_sender_begin_sleep_until(struct cell_ring_producer *p, uint32_t head, uint32_t *bell)
{
    uint32_t rung = announce_sender_sleep(p, head);
    if (cell_ring_is_released(p, head - 1)) {
        cell_ring_sender_end_sleep(p);
        return false;
    }
    *bell = rung;
    return true;
}

void cell_ring_sender_end_sleep(struct cell_ring_producer *p)
{
    atomic_store_explicit(&p->own->sender_sleeps, CELL_RING_AWAKE, memory_order_relaxed);
}

/* ---- consuming ---- */

CELL_HOT bool cell_ring_release(struct cell_ring_consumer *c)
{
    uint32_t word;
    if (c->released == c->next)
        return false;
    c->released = c->next;
    atomic_store_explicit(&c->own->head, c->released, memory_order_release);
    word = atomic_load_explicit(&c->other->sender_sleeps, memory_order_relaxed);
    if ((word & SLEEP_MODE) == CELL_RING_AWAKE ||
        c->released - atomic_load_explicit(&c->other->sender_wants, memory_order_relaxed) > INT32_MAX)
        return false;
    return wake(c->own, word, &c->woken_sender);
}

bool cell_ring_wake_sender(struct cell_ring_consumer *c)
{
    full_fence();
    return wake(c->own, atomic_load_explicit(&c->other->sender_sleeps, memory_order_relaxed), &c->woken_sender);
}

static bool holds(const struct cell_ring_consumer *c, uint32_t sender)
{
    return c->released != c->next && (sender & SLEEP_MODE) != CELL_RING_AWAKE;
}

bool cell_ring_sender_wants_held(const struct cell_ring_consumer *c)
{
    return holds(c, atomic_load_explicit(&c->other->sender_sleeps, memory_order_relaxed));
}

CELL_HOT bool cell_ring_receiver_begin_sleep(struct cell_ring_consumer *c, enum cell_ring_sleep how, uint32_t *bell)
{
    uint32_t rung = atomic_load_explicit(&c->other->bell, memory_order_acquire);
    c->sleeps += SLEEP_COUNT;
    atomic_store_explicit(&c->own->receiver_sleeps, c->sleeps | how, memory_order_relaxed);
    /* One fence for both looks: is there a message, and does the producer wait for what was released? */
    full_fence();
    uint32_t sender = atomic_load_explicit(&c->other->sender_sleeps, memory_order_relaxed);
    /* Waking a producer before what it waits for is released, the two could go on waking each other. */
    if (holds(c, sender) || cell_ring_peek(c)) {
        cell_ring_receiver_end_sleep(c);
        return false;
    }
    wake(c->own, sender, &c->woken_sender);
    *bell = rung;
    return true;
}

CELL_HOT void cell_ring_receiver_end_sleep(struct cell_ring_consumer *c)
{
    atomic_store_explicit(&c->own->receiver_sleeps, CELL_RING_AWAKE, memory_order_relaxed);
}
