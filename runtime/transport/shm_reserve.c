/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Memory in which the payload of the next frame is put together: a blob that is filled by whoever sends. */
#include "transport/shm.h"

/* As the sender does before a frame; CELL_UNAVAILABLE: nothing is sent through the ring. */
static int check(struct unix_conn *c, uint64_t deadline_ns, struct cell_error *e)
{
    struct cell_shm *s = c->shm;
    if (c->dead || cell_shm_is_foreign(s) || atomic_load_explicit(&c->interrupted, memory_order_relaxed))
        return cell_error_set(e, CELL_UNAVAILABLE, "closed");
    if (atomic_load_explicit(&c->out, memory_order_acquire) == UNIX_OUT_ANNOUNCE) {
        int r = cell_shm_announce(c, deadline_ns, e);
        if (r < 0)
            return r;
    }
    if (atomic_load_explicit(&c->out, memory_order_acquire) != UNIX_OUT_RING)
        return cell_error_set(e, CELL_UNAVAILABLE, "the peer has no shared memory");
    return CELL_OK;
}

int cell_shm_reserve(struct cell_conn *conn, uint32_t bytes, uint8_t **memory, uint32_t *size, uint64_t deadline_ns,
                     struct cell_error *e)
{
    struct unix_conn *c = (struct unix_conn *)conn;
    struct cell_shm_blob_out *blob;
    int r = check(c, deadline_ns, e);
    if (r < 0)
        return r;
    if (c->shm->reserved)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "memory is reserved already");
    if (bytes > c->shm->peer_max)
        return cell_error_set(e, CELL_TOO_LARGE, "%u bytes; the peer takes %u", bytes, c->shm->peer_max);
    r = cell_shm_blob_try(c, bytes, &blob, e);
    if (r < 0)
        return r;
    c->shm->reserved = blob;
    *memory = blob->bytes;
    *size = blob->size < c->shm->peer_max ? blob->size : c->shm->peer_max;
    return CELL_OK;
}

void cell_shm_unreserve(struct cell_conn *conn)
{
    struct cell_shm *s = ((struct unix_conn *)conn)->shm;
    if (!s || !s->reserved || cell_shm_is_foreign(s))
        return;
    pthread_mutex_lock(&s->blob_lock);
    s->reserved->busy = false;
    s->reserved->number = s->out.next; /* so that it is not taken for one that was not used for long */
    pthread_mutex_unlock(&s->blob_lock);
    s->reserved = NULL;
}

struct cell_shm_blob_out *cell_shm_take_reserved(struct cell_shm *s, const struct cell_frame *f,
                                                 const struct iovec *payload, int n)
{
    struct cell_shm_blob_out *b = s->reserved;
    size_t at = 0;
    if (!b || f->length > b->size || f->length > s->peer_max)
        return NULL;
    for (int i = 0; i < n; at += payload[i++].iov_len)
        if (payload[i].iov_len && payload[i].iov_base == b->bytes + at) {
            s->reserved = NULL;
            return b;
        }
    return NULL;
}
