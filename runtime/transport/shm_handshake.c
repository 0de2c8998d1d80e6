/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* How a connection over a socket becomes one over shared memory. shm.h shows the order, docs/protocol.md the bytes. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "transport/shm.h"

struct open_payload {
    uint32_t version, region, max_payload, reserved;
};
struct accept_payload {
    int32_t status;
    uint32_t max_payload;
    uint8_t token[CELL_SHM_TOKEN];
};

/* The word of a region's first line: 1 + the only CPU that its owner may run on, 0 when there are several. */
static _Atomic uint32_t *only_cpu(const struct cell_ring_region *r)
{
    return (_Atomic uint32_t *)(void *)(uintptr_t)r->handshake;
}

static uint32_t find_only_cpu(void)
{
    cpu_set_t allowed;
    uint32_t cpu = 0;
    CPU_ZERO(&allowed);
    /* A machine with more CPUs than the set holds has more than one. */
    if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0 || CPU_COUNT(&allowed) != 1)
        return 0;
    while (!CPU_ISSET(cpu, &allowed))
        cpu++;
    return cpu + 1;
}

/* Spinning is only in the way of a peer that has to run on the same CPU. With one CPU in the machine it is the only one
 * of both. */
static bool may_spin(const struct cell_shm *s)
{
    uint32_t own = atomic_load_explicit(only_cpu(s->own), memory_order_relaxed);
    uint32_t other = atomic_load_explicit(only_cpu(s->other), memory_order_relaxed);
    return own == 0 || own != other;
}

/* Without regions yet. */
static int shm_new(struct unix_conn *c, struct cell_shm **shm, struct cell_error *e)
{
    struct cell_shm *s = aligned_alloc(CELL_RING_LINE, sizeof(*s));
    if (!s)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    memset(s, 0, sizeof(*s));
    s->process = cell_shm_process();
    if (!s->process) {
        free(s);
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    }
    s->generation = atomic_load(s->process);
    s->memory = c->base.memory;
    s->own_fd = -1;
    pthread_mutex_init(&s->blob_lock, NULL);
    *shm = s;
    return CELL_OK;
}

/* This side's region. The memory for the other's is taken as well, so that there is none for half a connection. */
static int make_region(struct cell_shm *s, struct cell_error *e)
{
    const size_t both = sizeof(*s->own) + sizeof(*s->other);
    void *region;
    if (!cell_memory_take_spare(s->memory, both))
        return cell_memory_fail(s->memory, e);
    s->held = both;
    int r = cell_shm_memory_new(sizeof(*s->own), &region, &s->own_fd, e);
    if (r < 0)
        return r;
    s->own = region;
    atomic_store_explicit(only_cpu(s->own), find_only_cpu(), memory_order_relaxed);
    return CELL_OK;
}

static void close_own_fd(struct cell_shm *s)
{
    if (s->own_fd >= 0)
        close(s->own_fd);
    s->own_fd = -1;
}

static void give_back_memory(struct cell_shm *s)
{
    cell_memory_give(s->memory, s->held);
    s->held = 0;
}

static void unmap_all(struct cell_shm *s)
{
    cell_shm_memory_unmap(s->own, sizeof(*s->own));
    cell_shm_memory_unmap(s->other, sizeof(*s->other));
    s->own = NULL;
    s->other = NULL;
    for (unsigned i = 0; i < CELL_SHM_BLOBS; i++) {
        cell_shm_memory_unmap(s->in_blobs[i].bytes, s->in_blobs[i].size);
        cell_shm_memory_unmap(s->out_blobs[i].bytes, s->out_blobs[i].size);
        if (s->out_blobs[i].bytes)
            cell_memory_give(s->memory, s->out_blobs[i].size);
        s->out_blobs[i].bytes = NULL;
        s->in_blobs[i].bytes = NULL;
    }
    give_back_memory(s);
}

void cell_shm_free(struct cell_shm *s)
{
    if (!s)
        return;
    if (!cell_shm_is_foreign(s)) {
        if (s->other)
            cell_ring_bell(s->own);
        unmap_all(s);
        pthread_mutex_destroy(&s->blob_lock);
    }
    give_back_memory(s); /* what was mapped is not there in a fork's child */
    close_own_fd(s);
    free(s->meta);
    free(s);
}

/* Maps the region that came with `k`, of which it must be the only descriptor, and sets up the rings. */
static int take_region(struct unix_conn *c, struct cell_shm *s, const struct cell_shm_control *k, uint32_t peer_max,
                       struct cell_error *e)
{
    const void *region;
    if (k->n_fds != 1)
        return cell_error_set(e, CELL_PERMISSION_DENIED, "%d descriptors of shared memory; one is needed", k->n_fds);
    int r = cell_shm_memory_map(k->fds[0], sizeof(*s->other), c->peer.uid, &region, e);
    if (r < 0)
        return r;
    s->other = region;
    s->peer_max = peer_max < CELL_MAX_MESSAGE ? peer_max : CELL_MAX_MESSAGE;
    cell_ring_producer_init(&s->out, s->own, s->other);
    cell_ring_consumer_init(&s->in, s->own, s->other);
    s->may_spin = may_spin(s);
    return CELL_OK;
}

/* From here on what is received comes through the ring. A message that was lent out of the buffer stays there. */
static void switch_receiving(struct unix_conn *c)
{
    c->stage = UNIX_STAGE_RING;
    atomic_store_explicit(&c->base.ops, &cell_shm_ops, memory_order_release);
}

/* ---- the client ---- */

static int prepare(struct unix_conn *c, struct cell_shm **shm, struct cell_error *e)
{
    struct cell_shm *s;
    int r = shm_new(c, &s, e);
    if (r < 0)
        return r;
    r = make_region(s, e);
    if (r < 0)
        cell_shm_free(s);
    else
        *shm = s;
    return r;
}

void cell_shm_prepare(struct unix_conn *c)
{
    if (!c->prepared && !c->shm)
        prepare(c, &c->prepared, NULL);
}

void cell_shm_offered(struct unix_conn *c)
{
    close_own_fd(c->shm);
    c->kept_offer = false;
}

static int send_offer(struct unix_conn *c, const struct open_payload *o, struct cell_error *e)
{
    int r = cell_shm_send_control(c, CELL_FRAME_SHM_OPEN, o, sizeof(*o), c->shm->own_fd, 0, e);
    close_own_fd(c->shm);
    if (r < 0)
        c->dead = false;
    return r;
}

int cell_shm_offer(struct unix_conn *c, bool now, struct cell_error *e)
{
    const struct open_payload o = {CELL_SHM_VERSION, sizeof(struct cell_ring_region), c->max_payload, 0};
    uint8_t bytes[CELL_FRAME_HEADER + CELL_MAX_CONTROL];
    if (c->max_payload < CELL_MAX_CONTROL)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "shared memory needs frames of %u bytes", CELL_MAX_CONTROL);
    int r = c->prepared ? CELL_OK : prepare(c, &c->prepared, e);
    if (r < 0)
        return r;
    c->shm = c->prepared;
    c->prepared = NULL;
    size_t len = cell_shm_put_control(bytes, CELL_FRAME_SHM_OPEN, &o, sizeof(o));
    if (now || !cell_unix_keep_offer(c, bytes, len)) {
        r = send_offer(c, &o, e);
        if (r < 0) {
            cell_shm_free(c->shm);
            c->shm = NULL;
            return r == CELL_UNAVAILABLE ? CELL_OK : r; /* closed by the peer; what it sent before is to be received */
        }
    }
    c->stage = UNIX_STAGE_OFFERED;
    atomic_store_explicit(&c->out, UNIX_OUT_OFFERED, memory_order_release);
    return CELL_OK;
}

static int be_declined(struct unix_conn *c, int status, struct cell_error *e)
{
    unmap_all(c->shm);
    c->stage = UNIX_STAGE_NONE;
    atomic_store_explicit(&c->out, UNIX_OUT_OFFERED, memory_order_release);
    if (!c->insists)
        return CELL_OK;
    c->dead = true;
    return cell_error_set(e, status == CELL_PERMISSION_DENIED ? status : CELL_UNAVAILABLE,
                          "the server declined shared memory: %s", cell_status_text(status));
}

static int take_accept(struct unix_conn *c, struct cell_shm_control *k, struct cell_error *e)
{
    struct accept_payload a;
    if (k->frame.length != sizeof(a))
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "SHM_ACCEPT of %u bytes", k->frame.length);
    memcpy(&a, k->payload, sizeof(a));
    if (a.status < 0 && k->n_fds == 0)
        return be_declined(c, a.status, e);
    if (a.status != 0)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "SHM_ACCEPT with status %d and %d descriptors", a.status,
                              k->n_fds);
    int r = take_region(c, c->shm, k, a.max_payload, e);
    if (r < 0) { /* the server has switched already: there is no way back */
        c->dead = true;
        return r;
    }
    memcpy(c->shm->token, a.token, sizeof(a.token));
    atomic_store_explicit(&c->out, UNIX_OUT_ANNOUNCE, memory_order_release);
    switch_receiving(c);
    return CELL_OK;
}

/* ---- the server ---- */

static int consider(struct unix_conn *c, const struct cell_shm_control *k, struct cell_shm *s, struct cell_error *e)
{
    struct open_payload o = {0};
    uint32_t have = k->frame.length < sizeof(o) ? k->frame.length : sizeof(o);
    memcpy(&o, k->payload, have);
    if (o.version != CELL_SHM_VERSION || k->frame.length != sizeof(o))
        return cell_error_set(e, CELL_UNIMPLEMENTED, "shared memory of version %u", o.version);
    if (o.region != sizeof(*s->other) || o.reserved)
        return cell_error_set(e, CELL_UNIMPLEMENTED, "regions of %u bytes", o.region);
    if (c->peer.uid != geteuid() && c->peer.uid != 0)
        return cell_error_set(e, CELL_PERMISSION_DENIED, "shared memory with another user (uid %u)",
                              (unsigned)c->peer.uid);
    int r = make_region(s, e);
    if (r == CELL_OK)
        r = take_region(c, s, k, o.max_payload, e);
    if (r < 0)
        return r;
    if (getrandom(s->token, sizeof(s->token), 0) != (ssize_t)sizeof(s->token))
        return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot make a token");
    return CELL_OK;
}

static int take_open(struct unix_conn *c, struct cell_shm_control *k, struct cell_error *e)
{
    struct cell_shm *s = NULL;
    struct cell_error why;
    int r = shm_new(c, &s, &why);
    if (r == CELL_OK) {
        r = consider(c, k, s, &why);
        s->declined = r;
        c->shm = s;
        if (r < 0) {
            unmap_all(s);
            close_own_fd(s);
        }
        atomic_store_explicit(&c->out, UNIX_OUT_ANNOUNCE, memory_order_release);
    } /* else there is not even the memory for saying so: an offer without answer is declined as well */
    c->stage = r < 0 ? UNIX_STAGE_NONE : UNIX_STAGE_ACCEPTED;
    if (r == CELL_OK || !c->insists)
        return CELL_OK;
    return cell_error_set(e, r == CELL_PERMISSION_DENIED ? r : CELL_UNAVAILABLE, "%s", why.text);
}

static int take_ready(struct unix_conn *c, struct cell_shm_control *k, struct cell_error *e)
{
    /* Who has the token has SHM_ACCEPT: it need not be looked at whether the sender has sent that. */
    if (k->n_fds || k->frame.length != CELL_SHM_TOKEN || !cell_same_secret(k->payload, c->shm->token, CELL_SHM_TOKEN))
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "SHM_READY without the token of this connection");
    switch_receiving(c);
    return CELL_OK;
}

/* ---- both ---- */

static int handle(struct unix_conn *c, struct cell_shm_control *k, struct cell_error *e)
{
    if (c->stage == UNIX_STAGE_EXPECTED && k->frame.kind == CELL_FRAME_SHM_OPEN)
        return take_open(c, k, e);
    if (c->stage == UNIX_STAGE_OFFERED && k->frame.kind == CELL_FRAME_SHM_ACCEPT)
        return take_accept(c, k, e);
    if (c->stage == UNIX_STAGE_ACCEPTED && k->frame.kind == CELL_FRAME_SHM_READY)
        return take_ready(c, k, e);
    return cell_error_set(e, CELL_PROTOCOL_ERROR, "frame of kind %u, which was not asked for", k->frame.kind);
}

int cell_shm_handshake(struct unix_conn *c, struct cell_error *e)
{
    struct cell_shm_control k;
    int r = cell_shm_recv_control(c, &k, e);
    if (r == 2)
        return cell_unix_fail_end(c, e);
    if (r == 0)
        return cell_error_set(e, CELL_DEADLINE_EXCEEDED, "the deadline passed while receiving");
    if (r < 0)
        return r;
    r = handle(c, &k, e);
    cell_shm_control_close(&k);
    if (r < 0)
        c->broken = true;
    return r;
}

int cell_shm_announce(struct unix_conn *c, uint64_t deadline_ns, struct cell_error *e)
{
    struct cell_shm *s = c->shm;
    struct accept_payload a = {.status = s->declined, .max_payload = c->max_payload};
    bool server = s->own_fd >= 0 || s->declined;
    if (!s->declined)
        memcpy(a.token, s->token, sizeof(a.token));
    int r = server ? cell_shm_send_control(c, CELL_FRAME_SHM_ACCEPT, &a, sizeof(a), s->own_fd, deadline_ns, e)
                   : cell_shm_send_control(c, CELL_FRAME_SHM_READY, s->token, sizeof(s->token), -1, deadline_ns, e);
    if (r < 0)
        return r;
    close_own_fd(s);
    atomic_store_explicit(&c->out, s->declined ? UNIX_OUT_OFFERED : UNIX_OUT_RING, memory_order_release);
    return CELL_OK;
}
