/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Memory for payloads that do not fit into the data area. Its owner makes it, tells the receiver once, and uses it
 * again as soon as the message in it was released. The pages of shared memory are only given back by closing it: the
 * owner takes back what it has not used for a while.
 *
 * A receiver lets itself be made to map CELL_SHM_BLOBS blobs, together at most twice the largest payload that it takes,
 * rounded up to the size of a blob.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "transport/shm.h"

/* Messages after which a blob that none of them used is taken back. */
#define UNUSED_FOR 1024u

struct blob_payload {
    uint32_t id, size;
};

static uint32_t class_of(uint32_t len)
{
    return len <= CELL_SHM_BLOB_MIN ? CELL_SHM_BLOB_MIN : UINT32_C(1) << (32 - __builtin_clz(len - 1));
}

/* What a receiver takes all together that takes payloads up to `max_payload`. */
static uint32_t budget(uint32_t max_payload)
{
    return 2 * class_of(max_payload < CELL_MAX_MESSAGE ? max_payload : CELL_MAX_MESSAGE);
}

/* ---- the sender ---- */

/* Any thread: the producer is not touched. A head that is a lie harms the liar's messages. */
static bool is_free(struct cell_shm *s, struct cell_shm_blob_out *b)
{
    if (b->in_flight) {
        uint32_t head = atomic_load_explicit(&s->other->head, memory_order_acquire);
        b->in_flight = (int32_t)(head - b->number) <= 0;
    }
    return b->bytes && !b->busy && !b->in_flight;
}

static void forget(struct cell_shm *s, struct cell_shm_blob_out *b)
{
    s->out_blob_bytes -= b->size;
    if (b->bytes)
        cell_memory_give(s->memory, b->size);
    atomic_fetch_sub_explicit(&s->out_blob_count, 1, memory_order_relaxed);
    *b = (struct cell_shm_blob_out){0};
}

/* Takes one back. False when the peer cannot be told now. */
static bool take_back(struct unix_conn *c, struct cell_shm_blob_out *b)
{
    const struct blob_payload p = {b->id, 0};
    if (!cell_shm_try_control(c, CELL_FRAME_SHM_BLOB, &p, sizeof(p)))
        return false;
    cell_shm_memory_unmap(b->bytes, b->size);
    forget(c->shm, b);
    return true;
}

void cell_shm_blobs_trim(struct unix_conn *c, bool all)
{
    struct cell_shm *s = c->shm;
    if (atomic_load_explicit(&s->out_blob_count, memory_order_relaxed) == 0 ||
        pthread_mutex_trylock(&s->blob_lock) != 0)
        return;
    for (unsigned i = 0; i < CELL_SHM_BLOBS; i++) {
        struct cell_shm_blob_out *b = &s->out_blobs[i];
        /* Only the sender, who trims by age, may look at the producer. */
        if (is_free(s, b) && (all || s->out.next - b->number > UNUSED_FOR))
            take_back(c, b);
    }
    pthread_mutex_unlock(&s->blob_lock);
}

static struct cell_shm_blob_out *find_free(struct cell_shm *s, uint32_t len)
{
    struct cell_shm_blob_out *best = NULL;
    for (unsigned i = 0; i < CELL_SHM_BLOBS; i++) {
        struct cell_shm_blob_out *b = &s->out_blobs[i];
        if (is_free(s, b) && b->size >= len && (!best || b->size < best->size))
            best = b;
    }
    return best;
}

/* A place for one more of `size` bytes, made free if need be; NULL: all that could be taken back is in use. */
static struct cell_shm_blob_out *find_place(struct unix_conn *c, uint32_t size)
{
    struct cell_shm *s = c->shm;
    for (unsigned i = 0; i <= CELL_SHM_BLOBS; i++) {
        struct cell_shm_blob_out *place = NULL, *victim = NULL;
        for (unsigned j = 0; j < CELL_SHM_BLOBS; j++) {
            struct cell_shm_blob_out *b = &s->out_blobs[j];
            if (!b->bytes && !b->busy)
                place = b;
            else if (is_free(s, b))
                victim = b;
        }
        if (place && s->out_blob_bytes + size <= budget(s->peer_max))
            return place;
        if (!victim || !take_back(c, victim))
            return NULL;
    }
    return NULL;
}

/* The one in use whose message was sent first. */
static bool find_oldest(const struct cell_shm *s, uint32_t *number)
{
    bool found = false;
    for (unsigned i = 0; i < CELL_SHM_BLOBS; i++)
        if (s->out_blobs[i].in_flight && (!found || (int32_t)(s->out_blobs[i].number - *number) < 0)) {
            *number = s->out_blobs[i].number;
            found = true;
        }
    return found;
}

/* Makes the memory for a place that is marked as busy, and tells the peer. */
static int make(struct unix_conn *c, struct cell_shm_blob_out *b, uint64_t deadline_ns, struct cell_error *e)
{
    CELL_CLEANUP(cell_cleanup_fd) int fd = -1;
    void *bytes = NULL;
    struct cell_memory *memory = c->shm->memory;
    const struct blob_payload p = {b->id, b->size};
    if (!cell_memory_take(memory, b->size))
        return cell_memory_fail(memory, e);
    int r = cell_shm_memory_new(b->size, &bytes, &fd, e);
    if (r == CELL_OK)
        r = cell_shm_send_control(c, CELL_FRAME_SHM_BLOB, &p, sizeof(p), fd, deadline_ns, e);
    if (r < 0) {
        cell_shm_memory_unmap(bytes, b->size);
        cell_memory_give(memory, b->size);
    } else {
        b->bytes = bytes;
    }
    return r;
}

/* One attempt: *blob, or NULL and *number, the message to be waited for. */
static struct cell_shm_blob_out *choose(struct unix_conn *c, uint32_t len, bool *is_new, bool *wait, uint32_t *number)
{
    struct cell_shm *s = c->shm;
    struct cell_shm_blob_out *b = find_free(s, len);
    *is_new = !b;
    if (!b) {
        b = find_place(c, class_of(len));
        if (b) {
            b->size = class_of(len);
            b->id = ++s->out_blob_id;
            s->out_blob_bytes += b->size;
            atomic_fetch_add_explicit(&s->out_blob_count, 1, memory_order_relaxed);
        }
    }
    if (b)
        b->busy = true;
    else
        *wait = find_oldest(s, number);
    return b;
}

/* A place that choose has marked as busy becomes memory that the peer knows. After a failure it is free again. */
static int obtain(struct unix_conn *c, struct cell_shm_blob_out *b, bool is_new, uint64_t deadline_ns,
                  struct cell_error *e)
{
    struct cell_shm *s = c->shm;
    int r = is_new ? make(c, b, deadline_ns, e) : CELL_OK;
    if (r < 0) {
        pthread_mutex_lock(&s->blob_lock);
        s->out_blob_id -= s->out_blob_id == b->id; /* the peer has not heard of it */
        forget(s, b);
        pthread_mutex_unlock(&s->blob_lock);
    }
    return r;
}

int cell_shm_blob_get(struct unix_conn *c, uint32_t len, struct cell_shm_blob_out **blob, uint64_t deadline_ns,
                      struct cell_error *e)
{
    struct cell_shm *s = c->shm;
    for (bool first = true;; first = false) {
        bool is_new, wait = false;
        uint32_t number = 0;
        pthread_mutex_lock(&s->blob_lock);
        struct cell_shm_blob_out *b = choose(c, len, &is_new, &wait, &number);
        pthread_mutex_unlock(&s->blob_lock);
        int r = CELL_OK;
        if (b)
            r = obtain(c, b, is_new, deadline_ns, e);
        else if (wait)
            r = cell_shm_wait_released(c, number, first, deadline_ns, e);
        else /* the socket had no room to take one back: wait for it, or hear why it never will */
            r = cell_shm_send_control(c, CELL_FRAME_SHM_WAKE, NULL, 0, -1, deadline_ns, e);
        if (b && r == CELL_OK)
            *blob = b;
        if (b || r < 0)
            return r;
    }
}

int cell_shm_blob_try(struct unix_conn *c, uint32_t len, struct cell_shm_blob_out **blob, struct cell_error *e)
{
    struct cell_shm *s = c->shm;
    bool is_new, wait;
    uint32_t number;
    pthread_mutex_lock(&s->blob_lock);
    struct cell_shm_blob_out *b = choose(c, len, &is_new, &wait, &number);
    pthread_mutex_unlock(&s->blob_lock);
    if (!b)
        return cell_error_set(e, CELL_RESOURCE_EXHAUSTED, "the peer holds all memory that it takes");
    int r = obtain(c, b, is_new, 0, e);
    if (r == CELL_OK)
        *blob = b;
    return r;
}

void cell_shm_blob_sent(struct cell_shm *s, struct cell_shm_blob_out *b, uint32_t number)
{
    pthread_mutex_lock(&s->blob_lock);
    b->number = number;
    b->in_flight = true;
    b->busy = false;
    pthread_mutex_unlock(&s->blob_lock);
}

/* ---- the receiver ---- */

static struct cell_shm_blob_in *find_in(struct cell_shm *s, uint32_t id)
{
    for (unsigned i = 0; i < CELL_SHM_BLOBS; i++)
        if (s->in_blobs[i].bytes && s->in_blobs[i].id == id)
            return &s->in_blobs[i];
    return NULL;
}

const struct cell_shm_blob_in *cell_shm_blob_find(const struct cell_shm *s, uint32_t id)
{
    return find_in((struct cell_shm *)(uintptr_t)s, id);
}

static int let_go(struct cell_shm *s, uint32_t id, struct cell_error *e)
{
    struct cell_shm_blob_in *b = find_in(s, id);
    if (!b || s->lent_blob == id)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "blob %u, which is taken back, is %s", id,
                              b ? "in use" : "unknown");
    cell_shm_memory_unmap(b->bytes, b->size);
    s->in_blob_bytes -= b->size;
    *b = (struct cell_shm_blob_in){0};
    return CELL_OK;
}

static int take_new(struct unix_conn *c, const struct cell_shm_control *k, const struct blob_payload *p,
                    struct cell_error *e)
{
    struct cell_shm *s = c->shm;
    struct cell_shm_blob_in *place = NULL;
    const void *bytes;
    uint32_t most = budget(c->max_payload);
    for (unsigned i = 0; i < CELL_SHM_BLOBS; i++)
        if (!s->in_blobs[i].bytes)
            place = &s->in_blobs[i];
    if (!place || p->id != s->in_blob_id + 1 || p->size > most / 2 || p->size != class_of(p->size) ||
        s->in_blob_bytes + p->size > most || k->n_fds != 1)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "blob %u of %u bytes with %d descriptors", p->id, p->size,
                              k->n_fds);
    int r = cell_shm_memory_map(k->fds[0], p->size, c->peer.uid, &bytes, e);
    if (r < 0) {
        c->dead = true;
        return r;
    }
    *place = (struct cell_shm_blob_in){bytes, p->id, p->size};
    s->in_blob_id = p->id;
    s->in_blob_bytes += p->size;
    return CELL_OK;
}

int cell_shm_blob_control(struct unix_conn *c, struct cell_shm_control *k, struct cell_error *e)
{
    struct blob_payload p;
    if (k->frame.length != sizeof(p))
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "SHM_BLOB of %u bytes", k->frame.length);
    memcpy(&p, k->payload, sizeof(p));
    if (p.size)
        return take_new(c, k, &p, e);
    if (k->n_fds)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "blob %u is taken back with a descriptor", p.id);
    return let_go(c->shm, p.id, e);
}
