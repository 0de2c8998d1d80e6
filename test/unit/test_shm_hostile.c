/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A peer that has shared memory and lies in it: refused or served, never out of bounds, never for ever. */
#include <pthread.h>
#include <sys/syscall.h>

#include "shm_peer.h"

#define DATA_BLOB (64u << 10)

/* Is what was received inside the memory that the peer gave, or in the connection's own for small messages? */
static bool is_inside(const struct peer *p, const struct cell_received *r)
{
    const struct cell_shm *s = ((const struct unix_conn *)p->conn)->shm;
    const uint8_t *m = r->message, *region = (const uint8_t *)s->other;
    const uint8_t *small = (const uint8_t *)s->small_message;
    if (m >= region && m + r->message_len <= region + REGION)
        return true;
    if (m >= small && m + r->message_len <= small + sizeof(s->small_message))
        return true;
    for (unsigned i = 0; i < CELL_SHM_BLOBS; i++) {
        const struct cell_shm_blob_in *b = &s->in_blobs[i];
        if (b->bytes && m >= b->bytes && m + r->message_len <= b->bytes + b->size)
            return true;
    }
    return false;
}

static int recv_checked(struct peer *p, uint64_t deadline_ns)
{
    static volatile uint8_t sink;
    struct cell_received r;
    int status = cell_conn_recv(p->conn, &r, deadline_ns, &e);
    if (status < 0)
        return status;
    CHECK(is_inside(p, &r));
    CHECK(r.frame.length == r.frame.meta_len + r.message_len && r.frame.length <= MAX_PAYLOAD);
    for (size_t i = 0; i < r.frame.meta_len; i++)
        sink = r.meta[i];
    for (size_t i = 0; i < r.message_len; i += 64)
        sink = ((const volatile uint8_t *)r.message)[i];
    return status;
}

/* ---- the end ---- */

/* Whoever receives looks at its socket just now. */
static struct peer *ends_now;

/* Who sends another wake-up whenever the receiver has taken one, and how many more. */
static struct peer *never_quiet;
static unsigned left_to_say;

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
    if (never_quiet && left_to_say && left_to_say--)
        CHECK(peer_send(never_quiet, CELL_FRAME_SHM_WAKE, NULL, 0, NULL, 0));
    if (ends_now) {
        const struct cell_frame f = {.kind = CELL_FRAME_GOAWAY};
        cell_shm_slot_write_full(peer_slot(ends_now), &f, CELL_SHM_IN_SLOT, 0);
        peer_commit(ends_now);
        close(ends_now->fd);
        ends_now->fd = -1;
        ends_now = NULL;
    }
    return syscall(SYS_recvmsg, fd, m, flags);
}

CLEAN_TEST(what_was_sent_right_before_the_end_is_received)
{
    for (int polls = 0; polls < 2; polls++) {
        struct peer p;
        REQUIRE(peer_upgraded(&p));
        ends_now = &p;
        if (polls)
            CHECK(cell_conn_readable(p.conn));
        CHECK(recv_checked(&p, CELL_NO_DEADLINE) == CELL_OK);
        CHECK(recv_checked(&p, CELL_NO_DEADLINE) == CELL_UNAVAILABLE);
        CHECK_STR(e.text, "closed");
        peer_close(&p);
    }
}

/* ---- slots ---- */

static const struct cell_frame call = {.kind = CELL_FRAME_CALL, .length = 8, .code = 3, .id = 7};

/* A slot of this frame and place, with the byte at `at` of the slot changed if `at` is not negative. */
static int try_slot(const struct cell_frame *f, enum cell_shm_place place, uint32_t where, int at, uint8_t value)
{
    struct peer p;
    if (!peer_upgraded(&p))
        abort();
    cell_shm_slot_write_full(peer_slot(&p), f, place, where);
    if (at >= 0)
        peer_slot(&p)[at] = value;
    peer_commit(&p);
    int r = recv_checked(&p, 0);
    if (r < 0)
        CHECK(recv_checked(&p, 0) == CELL_UNAVAILABLE);
    peer_close(&p);
    return r;
}

CLEAN_TEST(places_outside_the_memory_are_refused)
{
    struct cell_frame f = call;
    CHECK(try_slot(&f, CELL_SHM_IN_SLOT, 0, -1, 0) == CELL_OK);
    CHECK(try_slot(&f, CELL_SHM_IN_SLOT, 64, -1, 0) == CELL_PROTOCOL_ERROR);
    CHECK(try_slot(&f, CELL_SHM_IN_DATA, 0, -1, 0) == CELL_OK);
    CHECK(try_slot(&f, CELL_SHM_IN_DATA, CELL_RING_DATA - 8, -1, 0) == CELL_OK);
    CHECK(try_slot(&f, CELL_SHM_IN_DATA, CELL_RING_DATA - 7, -1, 0) == CELL_PROTOCOL_ERROR);
    CHECK(try_slot(&f, CELL_SHM_IN_DATA, CELL_RING_DATA + 1, -1, 0) == CELL_PROTOCOL_ERROR);
    CHECK(try_slot(&f, CELL_SHM_IN_DATA, UINT32_MAX - 3, -1, 0) == CELL_PROTOCOL_ERROR);
    CHECK(try_slot(&f, CELL_SHM_IN_BLOB, 0, -1, 0) == CELL_PROTOCOL_ERROR);
    CHECK(try_slot(&f, CELL_SHM_IN_BLOB, 1, -1, 0) == CELL_PROTOCOL_ERROR);
    CHECK(try_slot(&f, (enum cell_shm_place)3, 0, -1, 0) == CELL_PROTOCOL_ERROR);
    f.length = CELL_SHM_MAX_INLINE;
    CHECK(try_slot(&f, CELL_SHM_IN_SLOT, 0, -1, 0) == CELL_OK);
    f.length++;
    CHECK(try_slot(&f, CELL_SHM_IN_SLOT, 0, -1, 0) == CELL_PROTOCOL_ERROR);
    f.length = CELL_RING_DATA;
    CHECK(try_slot(&f, CELL_SHM_IN_DATA, 0, -1, 0) == CELL_OK);
    CHECK(try_slot(&f, CELL_SHM_IN_DATA, 1, -1, 0) == CELL_PROTOCOL_ERROR);
    f.length = UINT32_MAX;
    CHECK(try_slot(&f, CELL_SHM_IN_DATA, 0, -1, 0) == CELL_TOO_LARGE);
    f.length = MAX_PAYLOAD + 1;
    CHECK(try_slot(&f, CELL_SHM_IN_BLOB, 0, -1, 0) == CELL_TOO_LARGE);
}

CLEAN_TEST(a_slot_obeys_the_rules_of_a_frame)
{
    struct cell_frame f = call;
    f.meta_len = 8;
    CHECK(try_slot(&f, CELL_SHM_IN_SLOT, 0, -1, 0) == CELL_OK);
    f.meta_len = 9;
    CHECK(try_slot(&f, CELL_SHM_IN_SLOT, 0, -1, 0) == CELL_PROTOCOL_ERROR);
    CHECK(try_slot(&call, CELL_SHM_IN_SLOT, 0, 1, 0) == CELL_PROTOCOL_ERROR); /* kind */
    for (int kind = CELL_FRAME_SHM_OPEN; kind < 256; kind++)
        CHECK(try_slot(&call, CELL_SHM_IN_SLOT, 0, 1, (uint8_t)kind) == CELL_PROTOCOL_ERROR);
    f = (struct cell_frame){.kind = CELL_FRAME_GOAWAY};
    CHECK(try_slot(&f, CELL_SHM_IN_SLOT, 0, -1, 0) == CELL_OK);
    for (int kind = CELL_FRAME_SHM_OPEN; kind <= CELL_FRAME_SHM_BLOB; kind++) /* valid ones, elsewhere */
        CHECK(try_slot(&f, CELL_SHM_IN_SLOT, 0, 1, (uint8_t)kind) == CELL_PROTOCOL_ERROR);
    CHECK(try_slot(&call, CELL_SHM_IN_SLOT, 0, 2, 3) == CELL_PROTOCOL_ERROR); /* channel */
    CHECK(try_slot(&call, CELL_SHM_IN_SLOT, 0, 6, 1) == CELL_PROTOCOL_ERROR); /* reserved */
    CHECK(try_slot(&call, CELL_SHM_IN_SLOT, 0, 27, 1) == CELL_PROTOCOL_ERROR);
    CHECK(try_slot(&call, CELL_SHM_IN_SLOT, 0, 28, 0) == CELL_PROTOCOL_ERROR); /* no id */
    CHECK(try_slot(&call, CELL_SHM_IN_SLOT, 0, 0, 1) == CELL_OK);              /* compact: id 1 */
    CHECK(try_slot(&call, CELL_SHM_IN_SLOT, 0, 0, 15) == CELL_OK);
    CHECK(try_slot(&call, CELL_SHM_IN_SLOT, 0, 0, 0x11) == CELL_OK); /* … and a message's header */
    CHECK(try_slot(&call, CELL_SHM_IN_SLOT, 0, 0, 0xff) == CELL_OK);
    CHECK(try_slot(&call, CELL_SHM_IN_SLOT, 0, 0, 0x10) == CELL_PROTOCOL_ERROR); /* nothing */
    CHECK(try_slot(&call, CELL_SHM_IN_SLOT, 0, 0, 0xf0) == CELL_PROTOCOL_ERROR);
}

CLEAN_TEST(metadata_does_not_change_after_it_was_received)
{
    struct peer p;
    struct cell_frame f = call;
    struct cell_received r;
    static const uint16_t lengths[] = {8, CELL_SHM_MAX_INLINE, 256, 257, CELL_RING_DATA};
    REQUIRE(peer_upgraded(&p));
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        f.length = f.meta_len = lengths[i];
        bool fits = f.length <= CELL_SHM_MAX_INLINE;
        uint8_t *at = fits ? peer_slot(&p) + CELL_SHM_FULL_HEADER : p.own->data;
        memset(at, 'm', f.length);
        cell_shm_slot_write_full(peer_slot(&p), &f, fits ? CELL_SHM_IN_SLOT : CELL_SHM_IN_DATA, 0);
        peer_commit(&p);
        REQUIRE(cell_conn_recv(p.conn, &r, 0, &e) == CELL_OK && r.frame.meta_len == lengths[i]);
        memset(at, 'x', f.length);
        CHECK(r.meta[0] == 'm' && memcmp(r.meta, r.meta + 1, f.length - 1u) == 0);
    }
    peer_close(&p);
}

CLEAN_TEST(a_small_message_does_not_change_after_it_was_received)
{
    struct peer p;
    struct cell_received r;
    REQUIRE(peer_upgraded(&p));
    for (uint32_t size = 8; size <= CELL_SHM_MAX_COMPACT; size += 8) {
        uint8_t *slot = peer_slot(&p), *at = slot + CELL_SHM_COMPACT_HEADER;
        struct cell_frame f = {.length = size + CELL_SHM_MESSAGE_HEADER, .kind = call.kind};
        memset(at, 'm', size);
        cell_shm_slot_write_compact(slot, &f, 16);
        peer_commit(&p);
        REQUIRE(cell_conn_recv(p.conn, &r, 0, &e) == CELL_OK && r.message_len == f.length);
        memset(at, 'x', size);
        CHECK(r.message[0] == f.length && r.message[4] == 16 && r.message[8] == 'm');
        CHECK(memcmp(r.message + 8, r.message + 9, size - 1u) == 0);
    }
    peer_close(&p);
}

CLEAN_TEST(a_head_that_is_a_lie_ends_the_connection)
{
    static const uint32_t heads[] = {CELL_RING_SLOTS + 1, 1000, UINT32_MAX, 1u << 31};
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        struct peer p;
        REQUIRE(peer_upgraded(&p));
        atomic_store(&p.own->head, heads[i]); /* one message was sent */
        int r = CELL_OK;
        for (unsigned n = 0; r == CELL_OK && n < 2 * CELL_RING_SLOTS; n++)
            r = send_one(&p, 3 * n + 5, 8);
        CHECK(r == CELL_PROTOCOL_ERROR);
        CHECK(send_one(&p, 9, 8) == CELL_UNAVAILABLE);
        peer_close(&p);
    }
}

/* ---- blobs ---- */

static int sealed(uint32_t size)
{
    void *m = NULL;
    int fd = -1;
    if (cell_shm_memory_new(size, &m, &fd, &e) < 0)
        abort();
    cell_shm_memory_unmap(m, size);
    return fd;
}

/* Tells of a blob that is really of `real` bytes. */
static void tell(struct peer *p, uint32_t id, uint32_t size, uint32_t real, int n)
{
    const uint32_t payload[2] = {id, size};
    int fd = sealed(real);
    const int fds[] = {fd, fd};
    CHECK(peer_send(p, CELL_FRAME_SHM_BLOB, payload, sizeof(payload), fds, n));
    close(fd);
}

static int use(struct peer *p, uint32_t id, uint32_t length)
{
    struct cell_frame f = call;
    f.length = length;
    cell_shm_slot_write_full(peer_slot(p), &f, CELL_SHM_IN_BLOB, id);
    peer_commit(p);
    return recv_checked(p, 0);
}

CLEAN_TEST(blobs_are_received_and_taken_back)
{
    struct peer p;
    REQUIRE(peer_upgraded(&p));
    unsigned before = shared_mappings();
    for (uint32_t i = 1; i < 20; i++) {
        tell(&p, i, DATA_BLOB, DATA_BLOB, 1);
        CHECK(use(&p, i, DATA_BLOB) == CELL_OK);
        CHECK(recv_checked(&p, 0) == CELL_DEADLINE_EXCEEDED); /* released */
        CHECK(shared_mappings() == before + 1);
        tell(&p, i, 0, DATA_BLOB, 0);
        CHECK(!cell_conn_readable(p.conn));
        CHECK(shared_mappings() == before);
    }
    peer_close(&p);
}

static void refuse_blob(uint32_t id, uint32_t size, uint32_t real, int n, int status)
{
    struct peer p;
    REQUIRE(peer_upgraded(&p));
    unsigned before = shared_mappings();
    tell(&p, id, size, real, n);
    CHECK(recv_checked(&p, 0) == status);
    CHECK(shared_mappings() == before);
    CHECK(recv_checked(&p, 0) == CELL_UNAVAILABLE);
    peer_close(&p);
}

CLEAN_TEST(blobs_that_break_the_rules_are_refused)
{
    refuse_blob(0, DATA_BLOB, DATA_BLOB, 1, CELL_PROTOCOL_ERROR);
    refuse_blob(2, DATA_BLOB, DATA_BLOB, 1, CELL_PROTOCOL_ERROR);
    refuse_blob(1, DATA_BLOB + 1, DATA_BLOB, 1, CELL_PROTOCOL_ERROR);
    refuse_blob(1, 4096, 4096, 1, CELL_PROTOCOL_ERROR);
    refuse_blob(1, 3 * DATA_BLOB, 3 * DATA_BLOB, 1, CELL_PROTOCOL_ERROR);
    refuse_blob(1, 2 * MAX_PAYLOAD, 2 * MAX_PAYLOAD, 1, CELL_PROTOCOL_ERROR);
    refuse_blob(1, 1u << 31, DATA_BLOB, 1, CELL_PROTOCOL_ERROR);
    refuse_blob(1, UINT32_MAX, DATA_BLOB, 1, CELL_PROTOCOL_ERROR);
    refuse_blob(1, DATA_BLOB, DATA_BLOB, 0, CELL_PROTOCOL_ERROR);
    refuse_blob(1, DATA_BLOB, DATA_BLOB, 2, CELL_PROTOCOL_ERROR);
    refuse_blob(1, 2 * DATA_BLOB, DATA_BLOB, 1, CELL_PERMISSION_DENIED);
    refuse_blob(1, 0, DATA_BLOB, 0, CELL_PROTOCOL_ERROR); /* never told of */
    refuse_blob(1, 0, DATA_BLOB, 1, CELL_PROTOCOL_ERROR);
}

CLEAN_TEST(not_more_is_mapped_than_was_agreed)
{
    struct peer p;
    REQUIRE(peer_upgraded(&p));
    for (uint32_t i = 1; i <= CELL_SHM_BLOBS; i++)
        tell(&p, i, DATA_BLOB, DATA_BLOB, 1);
    CHECK(recv_checked(&p, 0) == CELL_DEADLINE_EXCEEDED);
    tell(&p, CELL_SHM_BLOBS + 1, DATA_BLOB, DATA_BLOB, 1); /* too many */
    CHECK(recv_checked(&p, 0) == CELL_PROTOCOL_ERROR);
    peer_close(&p);
    REQUIRE(peer_upgraded(&p));
    tell(&p, 1, MAX_PAYLOAD, MAX_PAYLOAD, 1);
    tell(&p, 2, MAX_PAYLOAD, MAX_PAYLOAD, 1);
    CHECK(recv_checked(&p, 0) == CELL_DEADLINE_EXCEEDED);
    tell(&p, 3, DATA_BLOB, DATA_BLOB, 1); /* too much */
    CHECK(recv_checked(&p, 0) == CELL_PROTOCOL_ERROR);
    peer_close(&p);
}

CLEAN_TEST(blobs_for_what_is_sent_are_taken_from_the_memory_of_the_user)
{
    struct cell_memory memory = {.limit = 2 * REGION + DATA_BLOB};
    struct peer p;
    peer_memory = &memory;
    REQUIRE(peer_upgraded(&p));
    CHECK(atomic_load(&memory.used) == 2 * REGION);
    tell(&p, 1, DATA_BLOB, DATA_BLOB, 1); /* the peer's own are its own memory */
    CHECK(recv_checked(&p, 0) == CELL_DEADLINE_EXCEEDED);
    CHECK(atomic_load(&memory.used) == 2 * REGION);
    CHECK(send_one(&p, 1, 20000) == CELL_OK);
    CHECK(atomic_load(&memory.used) == memory.limit);
    CHECK(send_one(&p, 2, 20000) == CELL_RESOURCE_EXHAUSTED);
    CHECK(strstr(e.text, "at the limit of 122880 bytes"));
    CHECK(send_one(&p, 2, 8) == CELL_OK); /* to say why: nothing else happened */
    atomic_store(&p.own->head, 2);        /* released: the same blob serves again */
    CHECK(send_one(&p, 3, 20000) == CELL_OK);
    CHECK(atomic_load(&memory.used) == memory.limit);
    peer_close(&p);
    CHECK(atomic_load(&memory.used) == 0);
    peer_memory = NULL;
}

CLEAN_TEST(messages_in_blobs_stay_inside)
{
    struct peer p;
    REQUIRE(peer_upgraded(&p));
    tell(&p, 1, DATA_BLOB, DATA_BLOB, 1);
    CHECK(use(&p, 1, DATA_BLOB) == CELL_OK);
    CHECK(use(&p, 1, DATA_BLOB + 1) == CELL_PROTOCOL_ERROR);
    peer_close(&p);
    REQUIRE(peer_upgraded(&p));
    tell(&p, 1, DATA_BLOB, DATA_BLOB, 1);
    CHECK(use(&p, 1, 100) == CELL_OK);
    tell(&p, 1, 0, DATA_BLOB, 0); /* its message was not released */
    CHECK(cell_conn_readable(p.conn));
    CHECK(shared_mappings() == 5); /* so it is still there */
    CHECK(recv_checked(&p, 0) == CELL_PROTOCOL_ERROR);
    peer_close(&p);
    REQUIRE(peer_upgraded(&p));
    tell(&p, 1, DATA_BLOB, DATA_BLOB, 1);
    tell(&p, 1, 0, DATA_BLOB, 0);
    CHECK(use(&p, 1, 100) == CELL_PROTOCOL_ERROR); /* taken back before */
    peer_close(&p);
}

CLEAN_TEST(wake_ups_without_end_do_not_move_the_deadline)
{
    struct peer p;
    REQUIRE(peer_upgraded(&p));
    never_quiet = &p;
    left_to_say = 100000;
    CHECK(recv_checked(&p, 0) == CELL_DEADLINE_EXCEEDED);
    CHECK(left_to_say > 99000);
    CHECK(recv_checked(&p, cell_now_ns() + CELL_NS_PER_MS) == CELL_DEADLINE_EXCEEDED);
    CHECK(left_to_say > 0);
    never_quiet = NULL;
    peer_close(&p);
}

/* ---- everything, all the time ---- */

struct liar {
    struct cell_ring_region *region;
    uint64_t random;
    atomic_bool stop;
};

static uint32_t draw(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return (uint32_t)(*x >> 16);
}

static void store8(uint8_t *at, uint8_t value) { __atomic_store_n(at, value, __ATOMIC_RELAXED); }

/* Changes that come as near to the truth as possible get furthest. */
static void lie_once(struct liar *l)
{
    struct cell_ring_region *r = l->region;
    uint32_t what = draw(&l->random) % 16, n = draw(&l->random) % CELL_RING_SLOTS, v = draw(&l->random);
    struct cell_ring_slot *slot = &r->slots[n];
    switch (what) {
    case 0:
        atomic_store(&r->head, atomic_load(&r->head) + v % 3 - 1);
        break;
    case 1:
        atomic_store(&r->receiver_sleeps, v % 256);
        break;
    case 2:
        atomic_store(&r->sender_sleeps, v % 256);
        atomic_store(&r->sender_wants, v >> 8);
        break;
    case 3:
        cell_ring_bell(r);
        break;
    case 4:
        atomic_store(&slot->commit, atomic_load(&slot->commit) + (v % 2 ? CELL_RING_SLOTS : 0));
        break;
    case 5: /* place and where it is */
        store8(&slot->bytes[3], v % 4);
        store8(&slot->bytes[20 + v / 4 % 4], (uint8_t)(v >> 8));
        break;
    case 6: /* length */
        store8(&slot->bytes[8 + v % 3], (uint8_t)(v >> 8));
        break;
    case 7: /* metadata */
        store8(&slot->bytes[4 + v % 2], (uint8_t)(v >> 8));
        break;
    case 8: /* form */
        store8(&slot->bytes[0], v % 17);
        break;
    case 9:
        store8(&slot->bytes[1], (uint8_t)(v % 8));
        break;
    case 10:
        store8((uint8_t *)r + v % REGION, (uint8_t)(v >> 24));
        break;
    default:
        store8(&slot->bytes[v % CELL_RING_INLINE], (uint8_t)(v >> 24));
        break;
    }
}

static void *lie(void *arg)
{
    struct liar *l = arg;
    while (!atomic_load_explicit(&l->stop, memory_order_relaxed))
        lie_once(l);
    return NULL;
}

/* Makes the next message of the peer a good one; what becomes of it is the liar's. */
static void tell_truth(struct peer *p, uint64_t *x)
{
    uint32_t v = draw(x);
    struct cell_frame f = {.kind = CELL_FRAME_CALL, .id = v | 1, .length = v / 2 % 100, .code = 5};
    enum cell_shm_place place = v % 3 == 0 ? CELL_SHM_IN_DATA : v % 3 == 1 ? CELL_SHM_IN_BLOB : CELL_SHM_IN_SLOT;
    if (place == CELL_SHM_IN_SLOT && f.length > CELL_SHM_MAX_INLINE)
        f.length = CELL_SHM_MAX_INLINE;
    f.meta_len = (uint16_t)(v % 2 ? f.length / 2 : 0);
    uint8_t bytes[CELL_SHM_FULL_HEADER];
    cell_shm_slot_write_full(bytes, &f, place, place == CELL_SHM_IN_BLOB ? 1 : 0);
    for (unsigned i = 0; i < sizeof(bytes); i++) /* the liar writes there too */
        store8(peer_slot(p) + i, bytes[i]);
    peer_commit(p);
}

/* Works until the lies have broken the connection. Returns how many operations went well. */
static unsigned work(struct peer *p, uint64_t *x)
{
    unsigned good = 0;
    for (int i = 0; i < 400; i++) {
        tell_truth(p, x);
        int r = draw(x) % 4 == 0 && cell_conn_readable(p->conn) ? CELL_OK : recv_checked(p, cell_now_ns() + 20000);
        good += r == CELL_OK;
        if (r != CELL_OK && r != CELL_DEADLINE_EXCEEDED)
            break;
        if (draw(x) % 2 == 0) {
            static uint8_t bytes[100000];
            size_t len = draw(x) % 3 == 0 ? draw(x) % 100000 : draw(x) % 200;
            const struct cell_frame f = {.kind = CELL_FRAME_REPLY, .id = draw(x) | 1u, .length = (uint32_t)len};
            const struct iovec part = {bytes, len};
            r = cell_conn_send(p->conn, &f, &part, 1, cell_now_ns() + CELL_NS_PER_MS, &e);
            if (r < 0)
                break;
        }
    }
    return good;
}

CLEAN_TEST(every_word_may_be_a_lie_at_any_time)
{
    uint64_t x = 88172645463325252;
    unsigned good = 0;
    for (int i = 0; i < 300; i++) {
        struct peer p;
        struct liar l = {.random = x + (uint64_t)i};
        pthread_t thread;
        REQUIRE(peer_upgraded(&p));
        tell(&p, 1, DATA_BLOB, DATA_BLOB, 1);
        l.region = p.own;
        REQUIRE(pthread_create(&thread, NULL, lie, &l) == 0);
        good += work(&p, &x);
        atomic_store(&l.stop, true);
        pthread_join(thread, NULL);
        peer_close(&p);
    }
    printf("# %u of the frames among lies were served\n", good);
    CHECK(good > 0);
}
