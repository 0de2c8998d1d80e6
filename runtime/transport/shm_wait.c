/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Waiting for the other side of a ring. A receiver spins for a while, if the last waits were short enough to pay for
 * it; then it sleeps on a futex, which is the cheapest to be woken from, in slices between which it looks whether the
 * socket has ended; after some slices it sleeps in poll on the socket, which costs its peer more but needs no slices.
 */
#include <poll.h>
#include <stdlib.h>

#include "transport/shm.h"

/* Looks without a pause, which takes a good part of the time that a hot answer does: some 100 ns. */
#define AT_ONCE 64
/* Pauses after them before the clock is read for the first time: two calls' worth of time. */
#define BRIEF 100
/* After so many waits in a row that these pauses did not end, only one of PROBES begins with them: the processor is for
 * those who are waited for, and for the other callers. */
#define MOST_VAIN 16u
#define PROBES 8u
/* Pauses between two looks at the clock. */
#define BETWEEN_LOOKS 20
/* Pauses before a sender sleeps: who has just answered releases the request in a moment. */
#define BRIEF_FOR_ROOM 400
/* A wait longer than this is not worth spinning for; twice what waking somebody takes at worst, so that two sides that
 * sleep by turns find back to spinning. */
#define MOST_SPIN_NS 100000u
/* Nobody wakes who sleeps when the other side is killed: that is known after two slices at most. */
#define SLICE_NS (20 * CELL_NS_PER_MS)
#define FUTEX_SLICES 50

static inline void pause_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static bool is_interrupted(struct unix_conn *c) { return atomic_load_explicit(&c->interrupted, memory_order_relaxed); }

static int fail_interrupted(struct unix_conn *c, struct cell_error *e)
{
    c->dead = true;
    return cell_error_set(e, CELL_CANCELLED, "interrupted");
}

/* ---- receiving ---- */

/* `pauses` looks with a pause before each, after `looks` ones without. When the next message may take two lines both
 * are fetched as soon as they change: the second one travels while the sender still writes the first. */
static const uint8_t *spin_some(struct unix_conn *c, int looks, int pauses)
{
    const struct cell_ring_consumer in = c->shm->in; /* what is looked at stays in registers */
    const uint8_t *also = (const uint8_t *)&in.other->slots[in.next % CELL_RING_SLOTS];
    if (c->shm->expects_two)
        also += CELL_RING_LINE;
    const uint8_t *slot = cell_ring_peek(&in);
    for (int i = 0; !slot && i < looks; i++) {
        __builtin_prefetch(also);
        slot = cell_ring_peek(&in);
    }
    for (int i = 0; !slot && i < pauses && !is_interrupted(c); i++) {
        pause_cpu();
        __builtin_prefetch(also);
        slot = cell_ring_peek(&in);
    }
    return slot;
}

static void note_wait(struct cell_shm *s, uint64_t ns)
{
    uint32_t sample = ns < 8 * MOST_SPIN_NS ? (uint32_t)ns : 8 * MOST_SPIN_NS;
    s->average_wait_ns = s->average_wait_ns - s->average_wait_ns / 4 + sample / 4;
}

/* As long as the last waits took and as much again, unless that is too long to pay. */
static uint64_t spin_ns(const struct cell_shm *s)
{
    if (!s->may_spin || s->average_wait_ns > MOST_SPIN_NS)
        return 0;
    uint64_t ns = 2 * (uint64_t)s->average_wait_ns + MOST_SPIN_NS / 10;
    return ns < MOST_SPIN_NS ? ns : MOST_SPIN_NS;
}

/* *now_ns: when that began, then when it ended. */
static const uint8_t *spin(struct unix_conn *c, uint64_t *now_ns, uint64_t deadline_ns)
{
    uint64_t began = *now_ns, end = began + spin_ns(c->shm), now = began;
    const uint8_t *slot = NULL;
    end = end < deadline_ns ? end : deadline_ns;
    while (!slot && now < end && !is_interrupted(c)) {
        slot = spin_some(c, 0, BETWEEN_LOOKS);
        now = cell_now_ns();
    }
    if (slot)
        note_wait(c->shm, now - began);
    *now_ns = now;
    return slot;
}

/* Sleeps once, at most until the deadline, and until there may be something. `slices` ones ended without. */
static void sleep_once(struct unix_conn *c, unsigned slices, uint64_t left_ns)
{
    struct cell_shm *s = c->shm;
    enum cell_ring_sleep how = slices < FUTEX_SLICES ? CELL_RING_FUTEX : CELL_RING_POLL;
    uint32_t bell;
    if (!cell_ring_receiver_begin_sleep(&s->in, how, &bell))
        return;
    if (!is_interrupted(c)) {
        if (how == CELL_RING_FUTEX) {
            cell_ring_wait(s->other, bell, left_ns < SLICE_NS ? left_ns : SLICE_NS);
        } else {
            struct pollfd p = {.fd = c->fd, .events = POLLIN | POLLRDHUP};
            struct timespec t = cell_unix_timespec(left_ns);
            ppoll(&p, 1, left_ns == UINT64_MAX ? NULL : &t, NULL);
        }
    }
    cell_ring_receiver_end_sleep(&s->in);
}

/* Nothing came for a whole deadline: what only serves speed is given back, and whoever polls now is told of what comes.
 */
static int end_idle(struct unix_conn *c, const uint8_t **slot, struct cell_error *e)
{
    struct cell_shm *s = c->shm;
    free(s->meta);
    s->meta = NULL;
    cell_shm_blobs_trim(c, true);
    /* What was there a moment ago need not be there any more: its commit word is the other side's. */
    *slot = cell_shm_begin_poll(s) ? NULL : cell_ring_peek(&s->in);
    return *slot ? CELL_OK : cell_error_set(e, CELL_DEADLINE_EXCEEDED, "the deadline passed while receiving");
}

CELL_HOT static int sleep_until_message(struct unix_conn *c, const uint8_t **slot, uint64_t began_ns, uint64_t now,
                                        uint64_t deadline_ns, struct cell_error *e)
{
    struct cell_shm *s = c->shm;
    cell_ring_release(&s->in);
    for (unsigned slices = 0;; slices++) {
        if (is_interrupted(c))
            return fail_interrupted(c, e);
        /* The first sleep begins without a look at the socket: that costs a good part of a short one. */
        int r = slices == 0 && now < deadline_ns && !s->hung ? 0 : cell_shm_drain(c, e);
        if (r < 0)
            return r;
        *slot = cell_ring_peek(&s->in); /* what was sent before the socket ended is received */
        if (*slot)
            return CELL_OK;
        if (r > 0)
            return cell_unix_fail_end(c, e);
        if (now >= deadline_ns) {
            note_wait(s, now - began_ns);
            return end_idle(c, slot, e);
        }
        sleep_once(c, slices, deadline_ns == CELL_NO_DEADLINE ? UINT64_MAX : deadline_ns - now);
        *slot = cell_ring_peek(&s->in);
        if (*slot && !s->may_spin)
            return CELL_OK; /* how long it took does not matter, and a look at the clock does */
        now = cell_now_ns();
        if (*slot) {
            note_wait(s, now - began_ns);
            return CELL_OK;
        }
    }
}

CELL_HOT const uint8_t *cell_shm_wait_brief(struct unix_conn *c)
{
    struct cell_shm *s = c->shm;
    if (!s->may_spin || s->hung)
        return NULL;
    bool pauses = s->vain < MOST_VAIN || s->vain % PROBES == 0;
    const uint8_t *found = spin_some(c, AT_ONCE, pauses ? BRIEF : 0);
    s->vain = found ? 0 : s->vain + 1;
    if (found)
        s->average_wait_ns -= s->average_wait_ns / 4;
    return found;
}

CELL_HOT int cell_shm_wait_message(struct unix_conn *c, const uint8_t **slot, uint64_t deadline_ns,
                                   struct cell_error *e)
{
    struct cell_shm *s = c->shm;
    const uint8_t *found = cell_shm_wait_brief(c);
    if (found) {
        *slot = found;
        return CELL_OK;
    }
    if (c->buffer)
        cell_unix_drop_buffer(c); /* of the time before the ring */
    uint64_t began = cell_now_ns(), now = began;
    if (!s->hung)
        found = spin(c, &now, deadline_ns);
    if (!found)
        return sleep_until_message(c, slot, began, now, deadline_ns, e);
    *slot = found;
    return CELL_OK;
}

/* ---- sending ---- */

/* Whether the other side has released something meanwhile. */
static bool spin_for_room(struct cell_shm *s)
{
    uint32_t head = s->out.head;
    for (int i = 0; s->may_spin && i < BRIEF_FOR_ROOM; i++) {
        if (atomic_load_explicit(&s->other->head, memory_order_relaxed) != head)
            return true;
        pause_cpu();
    }
    return false;
}

static int sleep_for_room(struct unix_conn *c, uint32_t bell, uint64_t deadline_ns, struct cell_error *e)
{
    struct cell_shm *s = c->shm;
    struct pollfd p = {.fd = c->fd, .events = POLLRDHUP};
    uint64_t now = cell_now_ns(), left;
    cell_shm_wake(c); /* a receiver that polls has not released what it holds */
    if (is_interrupted(c))
        return fail_interrupted(c, e);
    if (poll(&p, 1, 0) > 0) {
        c->dead = true;
        return is_interrupted(c) ? fail_interrupted(c, e) : cell_error_set(e, CELL_UNAVAILABLE, "closed");
    }
    if (now >= deadline_ns) {
        c->dead = true;
        return cell_error_set(e, CELL_DEADLINE_EXCEEDED, "the deadline passed while sending");
    }
    left = deadline_ns - now;
    cell_ring_wait(s->other, bell, left < SLICE_NS ? left : SLICE_NS);
    return CELL_OK;
}

int cell_shm_wait_room(struct unix_conn *c, uint32_t data, bool first, uint64_t deadline_ns, struct cell_error *e)
{
    struct cell_ring_producer *p = &c->shm->out;
    uint32_t bell;
    if (c->shm->unwoken)
        cell_shm_wake(c);
    if ((first && spin_for_room(c->shm)) || !cell_ring_sender_begin_sleep(p, data, &bell))
        return CELL_OK;
    int r = sleep_for_room(c, bell, deadline_ns, e);
    cell_ring_sender_end_sleep(p);
    return r;
}

int cell_shm_wait_released(struct unix_conn *c, uint32_t number, bool first, uint64_t deadline_ns, struct cell_error *e)
{
    struct cell_ring_producer *p = &c->shm->out;
    uint32_t bell;
    int r = cell_ring_is_released(p, number);
    if (r < 0) {
        c->dead = true;
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "the peer released what was not sent");
    }
    if (r == 0 && c->shm->unwoken)
        cell_shm_wake(c);
    if (r > 0 || (first && spin_for_room(c->shm)) || !cell_ring_sender_begin_sleep_until(p, number + 1, &bell))
        return CELL_OK;
    r = sleep_for_room(c, bell, deadline_ns, e);
    cell_ring_sender_end_sleep(p);
    return r;
}
