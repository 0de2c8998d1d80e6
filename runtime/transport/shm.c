/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Connections over shared memory: what a connection of unix.c becomes when both sides have agreed. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/shm.h"

/* Small messages that are held before their slots are given back together; that costs the peer a line of the cache. */
#define KEPT_SLOTS 16u
_Static_assert(CELL_SMALL_MESSAGE == CELL_SHM_MAX_COMPACT + CELL_SHM_MESSAGE_HEADER, "what a slot holds");

/* Wake-ups that may lie on the socket before it is read; the smallest buffer that Linux gives one has room for six. */
#define MOST_UNREAD 4u

/* Messages between two looks whether a blob has become useless. */
#define BLOBS_EVERY 256u

static struct unix_conn *of(struct cell_conn *conn) { return (struct unix_conn *)conn; }

static bool is_over(struct unix_conn *c)
{
    return atomic_load_explicit(&c->interrupted, memory_order_relaxed) || c->dead || cell_shm_is_foreign(c->shm);
}

static int fail_closed(struct unix_conn *c, struct cell_error *e)
{
    if (atomic_load_explicit(&c->interrupted, memory_order_relaxed))
        return cell_error_set(e, CELL_CANCELLED, "interrupted");
    if (cell_shm_is_foreign(c->shm))
        return cell_error_set(e, CELL_UNAVAILABLE, "a connection over shared memory does not outlive a fork");
    return cell_error_set(e, CELL_UNAVAILABLE, "closed");
}

/* ---- sending ---- */

/* What lies where it belongs, in reserved memory, stays there. */
static void gather(uint8_t *to, const struct iovec *parts, int n)
{
    for (int i = 0; i < n; i++)
        if (parts[i].iov_len) {
            if (parts[i].iov_base != to)
                memcpy(to, parts[i].iov_base, parts[i].iov_len);
            to += parts[i].iov_len;
        }
}

/* A slot, and `data` bytes of the data area; waits for room. */
static int reserve(struct unix_conn *c, uint32_t data, uint8_t **slot, uint8_t **bytes, uint32_t *offset,
                   uint64_t deadline_ns, struct cell_error *e)
{
    for (bool first = true;; first = false) {
        int r = cell_ring_reserve(&c->shm->out, data, slot, bytes, offset);
        if (r == CELL_OK)
            return r;
        if (r != CELL_RESOURCE_EXHAUSTED) {
            c->dead = true;
            return cell_error_set(e, CELL_PROTOCOL_ERROR, "the peer released what was not sent");
        }
        r = cell_shm_wait_room(c, data, first, deadline_ns, e);
        if (r < 0)
            return r;
    }
}

CELL_HOT static void commit(struct unix_conn *c, const struct cell_frame *f)
{
    struct cell_shm *s = c->shm;
    cell_ring_commit(&s->out);
    cell_shm_order_set(&s->out_order, f);
    if (s->more)
        s->unwoken = true;
    else
        cell_shm_wake(c);
    if (s->out.next % BLOBS_EVERY == 0)
        cell_shm_blobs_trim(c, false);
}

/* `blob`: the one that was reserved, when the payload lies there; else NULL. */
static int send_large(struct unix_conn *c, const struct cell_frame *f, const struct iovec *payload, int n,
                      struct cell_shm_blob_out *blob, uint64_t deadline_ns, struct cell_error *e)
{
    struct cell_shm *s = c->shm;
    uint8_t *slot, *none;
    uint32_t offset;
    int r = CELL_OK;
    if (s->unwoken)
        cell_shm_wake(c);
    if (!blob && f->length <= s->peer_max) { /* else the peer only learns that it would have been too large */
        r = cell_shm_blob_get(c, f->length, &blob, deadline_ns, e);
        if (r < 0)
            return r;
    }
    if (blob)
        gather(blob->bytes, payload, n);
    r = reserve(c, 0, &slot, &none, &offset, deadline_ns, e);
    if (r < 0)
        return r; /* dead: what becomes of the blob does not matter */
    cell_shm_slot_write_full(slot, f, CELL_SHM_IN_BLOB, blob ? blob->id : 0);
    if (blob)
        cell_shm_blob_sent(s, blob, s->out.next);
    commit(c, f);
    return CELL_OK;
}

static int send_full(struct unix_conn *c, const struct cell_frame *f, const struct iovec *payload, int n,
                     uint64_t deadline_ns, struct cell_error *e)
{
    uint8_t *slot, *bytes;
    uint32_t offset;
    bool fits = f->length <= CELL_SHM_MAX_INLINE;
    int r = reserve(c, fits ? 0 : f->length, &slot, &bytes, &offset, deadline_ns, e);
    if (r < 0)
        return r;
    gather(fits ? slot + CELL_SHM_FULL_HEADER : bytes, payload, n);
    cell_shm_slot_write_full(slot, f, fits ? CELL_SHM_IN_SLOT : CELL_SHM_IN_DATA, offset);
    commit(c, f);
    return CELL_OK;
}

static int send_compact(struct unix_conn *c, const struct cell_frame *f, uint32_t fixed, const struct iovec *payload,
                        int n, uint64_t deadline_ns, struct cell_error *e)
{
    uint8_t *slot, *bytes;
    uint32_t offset;
    int r = reserve(c, 0, &slot, &bytes, &offset, deadline_ns, e);
    if (r < 0)
        return r;
    if (fixed != CELL_SHM_UNKNOWN_FIXED)
        memcpy(slot + CELL_SHM_COMPACT_HEADER, (const uint8_t *)payload->iov_base + CELL_SHM_MESSAGE_HEADER,
               f->length - CELL_SHM_MESSAGE_HEADER);
    else
        gather(slot + CELL_SHM_COMPACT_HEADER, payload, n);
    cell_shm_slot_write_compact(slot, f, fixed);
    commit(c, f);
    return CELL_OK;
}

static int shm_send(struct cell_conn *conn, const struct cell_frame *f, const struct iovec *payload, int n,
                    uint64_t deadline_ns, struct cell_error *e)
{
    struct unix_conn *c = of(conn);
    struct cell_shm *s = c->shm;
    if (is_over(c))
        return fail_closed(c, e);
    int r = cell_unix_check_parts(f, payload, n, e);
    if (r == CELL_OK && atomic_load_explicit(&c->out, memory_order_acquire) != UNIX_OUT_RING) {
        r = cell_unix_send_kept(c, deadline_ns, e); /* they come before the announcement */
        if (r == CELL_OK)
            r = cell_shm_announce(c, deadline_ns, e);
        if (r == CELL_OK && s->declined)
            return cell_conn_send(conn, f, payload, n, deadline_ns, e);
    }
    if (r < 0)
        return r;
    struct cell_shm_blob_out *reserved = s->reserved ? cell_shm_take_reserved(s, f, payload, n) : NULL;
    if (reserved || f->length > CELL_RING_DATA)
        return send_large(c, f, payload, n, reserved, deadline_ns, e);
    uint32_t fixed =
        n == 1 ? cell_shm_slot_fixed(payload->iov_base, payload->iov_len, f->length) : CELL_SHM_UNKNOWN_FIXED;
    if (cell_shm_slot_fits_compact(f, &s->out_order, fixed))
        return send_compact(c, f, fixed, payload, n, deadline_ns, e);
    return send_full(c, f, payload, n, deadline_ns, e);
}

/* A message that is nothing but its header lies in its slot with it: a compact slot holds something. */
static uint32_t fixed_in_slot(const struct cell_frame *f, uint32_t fixed)
{
    return f->length > CELL_SHM_MESSAGE_HEADER ? fixed : CELL_SHM_UNKNOWN_FIXED;
}

CELL_HOT static uint8_t *shm_place(struct cell_conn *conn, const struct cell_frame *f, uint32_t fixed)
{
    struct unix_conn *c = of(conn);
    struct cell_shm *s = c->shm;
    if (is_over(c) || atomic_load_explicit(&c->out, memory_order_acquire) != UNIX_OUT_RING ||
        fixed > CELL_SHM_MAX_FIXED || !cell_shm_slot_fits_compact(f, &s->out_order, fixed_in_slot(f, fixed)))
        return NULL;
    uint8_t *slot = cell_ring_reserve_slot(&s->out);
    return slot ? slot + CELL_SHM_COMPACT_HEADER : NULL;
}

CELL_HOT static void shm_commit(struct cell_conn *conn, uint8_t *place, const struct cell_frame *f, uint32_t fixed,
                                bool more)
{
    const uint32_t header[2] = {CELL_SHM_MESSAGE_HEADER, 0};
    if (f->length == CELL_SHM_MESSAGE_HEADER)
        memcpy(place, header, sizeof(header));
    cell_shm_slot_write_compact(place - CELL_SHM_COMPACT_HEADER, f, fixed_in_slot(f, fixed));
    of(conn)->shm->more = more;
    commit(of(conn), f);
    of(conn)->shm->more = false;
}

/* What is in the ring can be received at once by a receiver that is awake; kept back is only the wake-up. */
static int shm_send_more(struct cell_conn *conn, const struct cell_frame *f, const struct iovec *payload, int n,
                         uint64_t deadline_ns, struct cell_error *e)
{
    struct unix_conn *c = of(conn);
    c->shm->more = f->length <= CELL_RING_DATA; /* memory for a larger one may have to be waited for */
    int r = shm_send(conn, f, payload, n, deadline_ns, e);
    c->shm->more = false;
    return r;
}

static int shm_flush(struct cell_conn *conn, uint64_t deadline_ns, struct cell_error *e)
{
    struct unix_conn *c = of(conn);
    if (c->dead || cell_shm_is_foreign(c->shm) || atomic_load_explicit(&c->interrupted, memory_order_relaxed))
        return fail_closed(c, e);
    if (c->shm->unwoken)
        cell_shm_wake(c);
    return cell_unix_send_kept(c, deadline_ns, e); /* of the time before the ring */
}

/* ---- receiving ---- */

/* Copies the metadata: what is checked there must stay what it is. */
static int copy_meta(struct cell_shm *s, const uint8_t *from, size_t len, const uint8_t **meta, struct cell_error *e)
{
    uint8_t *to = s->small_meta;
    if (len > sizeof(s->small_meta)) {
        if (!s->meta)
            s->meta = malloc(CELL_MAX_META_BYTES);
        to = s->meta;
    }
    if (!to)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    memcpy(to, from, len);
    *meta = to;
    return CELL_OK;
}

static int find_blob(struct unix_conn *c, const struct cell_shm_slot *slot, const uint8_t **payload,
                     struct cell_error *e)
{
    struct cell_shm *s = c->shm;
    const struct cell_shm_blob_in *b = cell_shm_blob_find(s, slot->where);
    if (!b) { /* it was sent over the socket before the message */
        int r = cell_shm_drain(c, e);
        if (r < 0)
            return r;
        b = cell_shm_blob_find(s, slot->where);
    }
    if (!b || b->size < slot->frame.length)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "%u bytes in blob %u, which has %u", slot->frame.length,
                              slot->where, b ? b->size : 0);
    s->lent_blob = b->id;
    *payload = b->bytes;
    return CELL_OK;
}

/* The message of a compact slot, with its header if it has one. The second line is left alone when nothing is there. */
static inline const uint8_t *copy_small(uint64_t to[CELL_SMALL_MESSAGE / 8], const uint8_t *payload, uint32_t bytes,
                                        uint32_t length, uint32_t fixed)
{
    if (bytes <= CELL_SHM_ONE_LINE)
        memcpy(to + 1, payload, CELL_SHM_ONE_LINE);
    else
        memcpy(to + 1, payload, CELL_SHM_MAX_COMPACT);
    if (fixed == CELL_SHM_UNKNOWN_FIXED)
        return (const uint8_t *)(to + 1);
    to[0] = length | (uint64_t)fixed << 32;
    return (const uint8_t *)to;
}

/* The message of a slot. */
static int take(struct unix_conn *c, const uint8_t *bytes, struct cell_received *received, struct cell_error *e)
{
    struct cell_shm *s = c->shm;
    struct cell_shm_slot slot;
    const uint8_t *payload, *meta = s->small_meta;
    int r = cell_shm_slot_read(bytes, &s->in_order, c->max_payload, &slot, e);
    if (r < 0)
        return r;
    payload = slot.payload;
    if (slot.compact)
        payload = copy_small(s->small_message, payload, slot.bytes, slot.frame.length, slot.fixed);
    else if (slot.place == CELL_SHM_IN_DATA)
        payload = s->other->data + slot.where;
    else if (slot.place == CELL_SHM_IN_BLOB)
        r = find_blob(c, &slot, &payload, e);
    if (r == CELL_OK && slot.frame.meta_len)
        r = copy_meta(s, payload, slot.frame.meta_len, &meta, e);
    if (r < 0)
        return r;
    cell_ring_take(&s->in);
    s->must_release = slot.place != CELL_SHM_IN_SLOT;
    *received = (struct cell_received){slot.frame, meta, payload + slot.frame.meta_len,
                                       slot.frame.length - slot.frame.meta_len};
    return CELL_OK;
}

static void release(struct cell_shm *s)
{
    if (s->must_release || s->in.next - s->in.released >= KEPT_SLOTS) {
        cell_ring_release(&s->in);
        s->must_release = false;
        s->lent_blob = 0;
    }
}

static void disarm(struct cell_shm *s)
{
    if (s->armed) {
        cell_ring_receiver_end_sleep(&s->in);
        s->armed = false;
    }
}

CELL_HOT static int shm_recv(struct cell_conn *conn, struct cell_received *received, uint64_t deadline_ns,
                             struct cell_error *e)
{
    struct unix_conn *c = of(conn);
    struct cell_shm *s = c->shm;
    const uint8_t *slot;
    int r = CELL_OK;
    if (is_over(c)) {
        c->dead = true;
        return fail_closed(c, e);
    }
    if (c->broken)
        return cell_unix_fail_again(c, e);
    disarm(s);
    release(s);
    slot = cell_ring_peek(&s->in);
    if (!slot)
        r = cell_shm_wait_message(c, &slot, deadline_ns, e);
    if (r < 0)
        return r;
    r = take(c, slot, received, e);
    if (r < 0)
        c->broken = true;
    return r;
}

CELL_HOT static bool shm_recv_brief(struct cell_conn *conn, struct cell_received *received,
                                    uint64_t small[CELL_SMALL_MESSAGE / 8])
{
    struct unix_conn *c = of(conn);
    struct cell_shm *s = c->shm;
    struct cell_error e; /* set by whoever fails */
    uint32_t bytes, fixed;
    if (is_over(c) || c->broken)
        return false;
    disarm(s);
    release(s);
    const uint8_t *slot = cell_ring_peek(&s->in);
    if (!slot)
        slot = cell_shm_wait_brief(c);
    if (!slot)
        return false;
    if (cell_shm_slot_read_usual(cell_shm_slot_word(slot, 0), &s->in_order, c->max_payload, &received->frame, &bytes,
                                 &fixed)) {
        received->meta = s->small_meta;
        received->message_len = received->frame.length;
        received->message = copy_small(small, slot + CELL_SHM_COMPACT_HEADER, bytes, received->frame.length, fixed);
        cell_ring_take(&s->in);
        s->expects_two = bytes > CELL_SHM_ONE_LINE;
        return true;
    }
    if (take(c, slot, received, &e) == CELL_OK)
        return true;
    cell_unix_keep_failure(c, &e);
    return false;
}

/* What recv would say for another reason than a frame. */
static bool says_something(const struct unix_conn *c)
{
    return c->dead || c->broken || cell_shm_is_foreign(c->shm) || atomic_load(&c->interrupted);
}

CELL_HOT static bool shm_readable(struct cell_conn *conn)
{
    struct unix_conn *c = of(conn);
    struct cell_shm *s = c->shm;
    struct cell_error e;
    if (says_something(c))
        return true;
    disarm(s);
    bool there = cell_ring_peek(&s->in);
    /* Else the peer may have taken memory back, which only the socket tells; or wake-ups that nobody reads would fill
     * the socket, and then there would be no room for the next one. */
    if (there && s->in_blob_bytes == 0 && s->told < MOST_UNREAD)
        return true;
    int r = s->hung ? 1 : cell_shm_drain(c, &e);
    if (r < 0)
        cell_unix_keep_failure(c, &e);
    if (there || r != 0)
        return true;
    /* A message; or a sender waits for what the last message holds, which recv gives back. */
    return !cell_shm_begin_poll(s);
}

static bool shm_glance(struct cell_conn *conn)
{
    struct unix_conn *c = of(conn);
    return says_something(c) || cell_ring_peek(&c->shm->in);
}

static bool shm_arm(struct cell_conn *conn)
{
    struct unix_conn *c = of(conn);
    struct cell_shm *s = c->shm;
    if (says_something(c))
        return true;
    return (!s->armed && !cell_shm_begin_poll(s)) || cell_ring_peek(&s->in);
}

/* ---- the rest ---- */

static void shm_interrupt(struct cell_conn *conn)
{
    struct unix_conn *c = of(conn);
    atomic_store(&c->interrupted, true);
    if (cell_shm_is_foreign(c->shm))
        return;
    shutdown(c->fd, SHUT_RDWR);
    cell_ring_disturb(c->shm->other);
    cell_ring_bell(c->shm->own); /* the peer looks at its socket */
}

static void shm_release(struct cell_conn *conn, bool idle)
{
    struct unix_conn *c = of(conn);
    if (c->dead || cell_shm_is_foreign(c->shm))
        return;
    release(c->shm);
    if (idle)
        cell_shm_blobs_trim(c, true);
}

/* What went over the socket before the ring can not be told of. */
static bool shm_untaken(const struct cell_conn *conn)
{
    const struct unix_conn *c = (const struct unix_conn *)conn;
    return atomic_load_explicit(&c->out, memory_order_acquire) == UNIX_OUT_RING && !cell_shm_is_foreign(c->shm) &&
           c->shm->out.next != 0 && cell_ring_untaken(&c->shm->out);
}

const struct cell_conn_ops cell_shm_ops = {
    .name = "shm",
    .send = shm_send,
    .send_more = shm_send_more,
    .flush = shm_flush,
    .recv = shm_recv,
    .readable = shm_readable,
    .interrupt = shm_interrupt,
    .fd = cell_unix_fd,
    .peer = cell_unix_peer,
    .close = cell_unix_close,
    .room = cell_shm_room,
    .untaken = shm_untaken,
    .release = shm_release,
    .place = shm_place,
    .commit = shm_commit,
    .recv_brief = shm_recv_brief,
    .glance = shm_glance,
    .arm = shm_arm,
    .counts_sent = true,
    .reserve = cell_shm_reserve,
    .unreserve = cell_shm_unreserve,
};

const struct cell_transport cell_transport_shm = {
    .scheme = "shm",
    .connect = cell_shm_connect,
    .listen = cell_shm_listen,
    .accept = cell_unix_accept,
    .listener_fd = cell_unix_listener_fd,
    .listener_close = cell_unix_listener_close,
};
