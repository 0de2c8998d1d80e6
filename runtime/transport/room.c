/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Waiting for room to send while the peer may have something to say: without it two sides that send at the same time
 * would wait for each other. Nothing of a frame is sent before there is room for all of it.
 */
#include <errno.h>
#include <poll.h>

#include "transport/shm.h"

/* Pauses before a sender sleeps: a receiver that is awake takes the next message within that. */
#define BRIEF_FOR_ROOM 200
#define SLICE_NS (20 * CELL_NS_PER_MS)

static int fail_ended(struct unix_conn *c, struct cell_error *e)
{
    c->dead = true;
    if (atomic_load_explicit(&c->interrupted, memory_order_relaxed))
        return cell_error_set(e, CELL_CANCELLED, "interrupted");
    return cell_error_set(e, CELL_UNAVAILABLE, "closed");
}

static int fail_late(struct cell_error *e)
{
    return cell_error_set(e, CELL_DEADLINE_EXCEEDED, "the deadline passed while waiting for room");
}

/* ---- over the socket ---- */

/* A whole frame is already in the buffer: the socket does not tell of it. */
static bool has_frame(const struct unix_conn *c)
{
    struct cell_frame f;
    size_t left = c->len - c->taken;
    if (left == 0)
        return false;
    int r = cell_frame_decode(c->buffer + c->taken, left, c->max_payload, &f, NULL);
    return r < 0 || (r > 0 && left >= (size_t)CELL_FRAME_HEADER + f.length);
}

/* A socket of the Unix domain is writable when three quarters of its buffer are free: more than CELL_ROOM_MAX. */
static int wait_for_socket(struct unix_conn *c, bool in, uint64_t deadline_ns, struct cell_error *e)
{
    if (in && (c->broken || has_frame(c)))
        return 0;
    for (;;) {
        struct pollfd p = {.fd = c->fd, .events = (short)(in ? POLLIN | POLLOUT : POLLOUT)};
        uint64_t now = deadline_ns == CELL_NO_DEADLINE || deadline_ns == 0 ? 0 : cell_now_ns();
        struct timespec left = cell_unix_timespec(deadline_ns > now ? deadline_ns - now : 0);
        int n = ppoll(&p, 1, deadline_ns == CELL_NO_DEADLINE ? NULL : &left, NULL);
        if (n < 0 && errno != EINTR)
            return cell_unix_fail(c, errno, "cannot wait to send", e);
        if (atomic_load_explicit(&c->interrupted, memory_order_relaxed))
            return fail_ended(c, e);
        if (n > 0 && in && (p.revents & POLLIN))
            return 0;
        if (n > 0 && (p.revents & (POLLHUP | POLLERR)))
            return fail_ended(c, e);
        if (n > 0)
            return 1;
        if (n == 0)
            return fail_late(e);
    }
}

int cell_unix_room(struct cell_conn *conn, uint32_t length, bool in, uint64_t deadline_ns, struct cell_error *e)
{
    struct unix_conn *c = (struct unix_conn *)conn;
    unsigned out = atomic_load_explicit(&c->out, memory_order_acquire);
    if (out > UNIX_OUT_OFFERED)
        return cell_shm_room(conn, length, in, deadline_ns, e);
    if (c->dead || (out == UNIX_OUT_OFFERED && cell_shm_is_foreign(c->shm)))
        return fail_ended(c, e);
    return wait_for_socket(c, in, deadline_ns, e);
}

/* ---- through the ring ---- */

/* Whether a large payload is on its way, and the message number of the last one. Without, all memory for large payloads
 * is free. */
static bool blob_under_way(struct cell_shm *s, uint32_t *number)
{
    uint32_t head = atomic_load_explicit(&s->other->head, memory_order_acquire);
    bool any = false;
    pthread_mutex_lock(&s->blob_lock);
    for (unsigned i = 0; i < CELL_SHM_BLOBS; i++) {
        const struct cell_shm_blob_out *b = &s->out_blobs[i];
        if (!b->in_flight || (int32_t)(head - b->number) > 0)
            continue;
        *number = any && (int32_t)(*number - b->number) > 0 ? *number : b->number;
        any = true;
    }
    pthread_mutex_unlock(&s->blob_lock);
    return any;
}

static uint32_t in_data_area(uint32_t length)
{
    return length <= CELL_SHM_MAX_INLINE || length > CELL_RING_DATA ? 0 : length;
}

/* 1, 0, or a negative status. */
static int look_for_room(struct unix_conn *c, uint32_t length, struct cell_error *e)
{
    struct cell_ring_producer *p = &c->shm->out;
    uint8_t *slot, *bytes;
    uint32_t offset, number;
    int r = cell_ring_reserve(p, in_data_area(length), &slot, &bytes, &offset);
    if (r == CELL_OK && length > CELL_RING_DATA && blob_under_way(c->shm, &number))
        return 0;
    if (r == CELL_PROTOCOL_ERROR) {
        c->dead = true;
        return cell_error_set(e, r, "the peer released what was not sent");
    }
    return r == CELL_OK;
}

/* Whether there is something to receive, without a system call as long as the ring is what is received from; or to give
 * back, which recv does: the other side may wait for that as this one waits for it. */
static bool look_for_message(struct unix_conn *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    if (c->stage == UNIX_STAGE_RING)
        return c->broken || cell_ring_peek(&c->shm->in) || cell_ring_sender_wants_held(&c->shm->in);
    return has_frame(c) || poll(&p, 1, 0) > 0;
}

/* Receiver and sender of this side are one thread, and one bell wakes both: it was read before either look. */
static void sleep_for_either(struct unix_conn *c, uint32_t length, bool in, uint64_t left_ns)
{
    struct cell_shm *s = c->shm;
    uint32_t bell, ignored, number;
    bool begun = length > CELL_RING_DATA && blob_under_way(s, &number)
                     ? cell_ring_sender_begin_sleep_until(&s->out, number + 1, &bell)
                     : cell_ring_sender_begin_sleep(&s->out, in_data_area(length), &bell);
    if (!begun)
        return;
    cell_shm_wake(c); /* a receiver that polls has not released what it holds */
    in = in && c->stage == UNIX_STAGE_RING;
    if (!in || cell_ring_receiver_begin_sleep(&s->in, CELL_RING_FUTEX, &ignored)) {
        if (!atomic_load_explicit(&c->interrupted, memory_order_relaxed))
            cell_ring_wait(s->other, bell, left_ns < SLICE_NS ? left_ns : SLICE_NS);
        if (in)
            cell_ring_receiver_end_sleep(&s->in);
    }
    cell_ring_sender_end_sleep(&s->out);
}

static void pause_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void spin_for_room(const struct cell_shm *s)
{
    uint32_t head = s->out.head;
    for (int i = 0; s->may_spin && i < BRIEF_FOR_ROOM; i++) {
        if (atomic_load_explicit(&s->other->head, memory_order_relaxed) != head)
            return;
        pause_cpu();
    }
}

static int wait_for_either(struct unix_conn *c, uint32_t length, bool in, uint64_t deadline_ns, struct cell_error *e)
{
    spin_for_room(c->shm);
    for (;;) {
        struct pollfd p = {.fd = c->fd, .events = POLLRDHUP};
        int r = look_for_room(c, length, e);
        if (in && look_for_message(c))
            return 0;
        if (r != 0)
            return r;
        if (atomic_load_explicit(&c->interrupted, memory_order_relaxed) || poll(&p, 1, 0) > 0)
            return in && look_for_message(c) ? 0 : fail_ended(c, e); /* what was sent before the end is received */
        uint64_t now = cell_now_ns();
        if (now >= deadline_ns)
            return fail_late(e);
        sleep_for_either(c, length, in, deadline_ns == CELL_NO_DEADLINE ? UINT64_MAX : deadline_ns - now);
    }
}

int cell_shm_room(struct cell_conn *conn, uint32_t length, bool in, uint64_t deadline_ns, struct cell_error *e)
{
    struct unix_conn *c = (struct unix_conn *)conn;
    struct cell_shm *s = c->shm;
    if (c->dead || cell_shm_is_foreign(s) || atomic_load_explicit(&c->interrupted, memory_order_relaxed))
        return fail_ended(c, e);
    if (s->declined) /* which is to be announced */
        return wait_for_socket(c, in, deadline_ns, e);
    if (s->armed) { /* it was told that this side sleeps in poll */
        cell_ring_receiver_end_sleep(&s->in);
        s->armed = false;
    }
    if (in && look_for_message(c))
        return 0;
    int r = look_for_room(c, length, e);
    return r != 0 ? r : wait_for_either(c, length, in, deadline_ns, e);
}
