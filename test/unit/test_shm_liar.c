/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A peer that changes one kind of word of shared memory while the other side receives, decodes and sends: each word
 * that docs/protocol.md names, by itself and all together, with the code under test as server and as client, and with
 * messages in a slot, in the data area and in a blob. Refused or served, never out of bounds.
 */
#include <pthread.h>
#include <sched.h>

#include "rich_message.h"
#include "shm_peer.h"
#include "wire/limits.h"

#define BLOB_BYTES (64u << 10)
#define WORK 150
/* … of which the last is not before so many lies. */
#define LIES 20000u
#define WAIT_NS (200 * UINT64_C(1000))

/* ---- what is lied about ---- */

/* Where a word is. */
enum at { AT_REGION, AT_SLOT, AT_MESSAGE, AT_META };

struct word {
    const char *name;
    enum at at;
    uint32_t offset, size;
};

/* As in the tables of docs/protocol.md. Offsets of slots count from their commit word; those of messages from the
 * message, whose fixed part begins with a reference to an account of which the first reference is an email. */
static const struct word words[] = {
    {"cpu", AT_REGION, 0, 4},
    {"reserved, of the handshake", AT_REGION, 4, 60},
    {"head", AT_REGION, 64, 4},
    {"taken", AT_REGION, 68, 4},
    {"receiver_sleeps", AT_REGION, 128, 4},
    {"sender_sleeps", AT_REGION, 192, 4},
    {"sender_wants", AT_REGION, 196, 4},
    {"bell", AT_REGION, 256, 4},
    {"reserved, before the slots", AT_REGION, 320, 64},
    {"commit word", AT_SLOT, 0, 4},
    {"form", AT_SLOT, 4, 1},
    {"kind", AT_SLOT, 5, 1},
    {"channel, or code if compact", AT_SLOT, 6, 1},
    {"place", AT_SLOT, 7, 1},
    {"meta_len", AT_SLOT, 8, 2},
    {"reserved, of a slot", AT_SLOT, 10, 2},
    {"length", AT_SLOT, 12, 4},
    {"code", AT_SLOT, 16, 4},
    {"timeout_ms", AT_SLOT, 20, 4},
    {"where", AT_SLOT, 24, 4},
    {"reserved, after where", AT_SLOT, 28, 4},
    {"id", AT_SLOT, 32, 8},
    {"payload in a slot", AT_SLOT, 40, 88},
    {"length of a key", AT_META, 0, 2},
    {"length of a value", AT_META, 2, 2},
    {"key and value", AT_META, 4, 12},
    {"size of a message", AT_MESSAGE, 0, 4},
    {"its fixed part", AT_MESSAGE, 4, 4},
    {"offset", AT_MESSAGE, 8, 4},
    {"stride", AT_MESSAGE, 12, 4},
    {"count", AT_MESSAGE, 16, 8},
    {"what is referred to", AT_MESSAGE, 24, 512},
};

struct liar {
    struct cell_ring_region *region;
    uint8_t *payload[3];     /* by place; that of a slot is in the region */
    const struct word *word; /* NULL: all of them */
    uint64_t random;
    atomic_uint lies;
    atomic_bool stop;
};

static uint32_t draw(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return (uint32_t)(*x >> 16);
}

static uint8_t load8(const uint8_t *at) { return __atomic_load_n(at, __ATOMIC_RELAXED); }
static void store8(uint8_t *at, uint8_t value) { __atomic_store_n(at, value, __ATOMIC_RELAXED); }

/* Changes that come as near to the truth as possible get furthest; then those that are as far from it as can be. */
static void lie_at(uint8_t *at, uint32_t size, uint64_t *x)
{
    uint32_t v = draw(x), byte = draw(x) % size;
    switch (v % 4) {
    case 0:
        store8(at + byte, (uint8_t)(load8(at + byte) + 1));
        break;
    case 1:
        store8(at + byte, (uint8_t)(load8(at + byte) - 1));
        break;
    case 2:
        store8(at + byte, (uint8_t)(v >> 8));
        break;
    default:
        for (uint32_t i = 0; i < size && i < 8; i++)
            store8(at + i, v & 4 ? 0xff : 0);
        break;
    }
}

static void lie_once(struct liar *l)
{
    uint8_t *region = (uint8_t *)l->region;
    const struct word *w = l->word ? l->word : &words[draw(&l->random) % COUNT(words)];
    uint8_t *slot = (uint8_t *)&l->region->slots[draw(&l->random) % CELL_RING_SLOTS], *payload;
    switch (w->at) {
    case AT_REGION:
        lie_at(region + w->offset, w->size, &l->random);
        break;
    case AT_SLOT:
        lie_at(slot + w->offset, w->size, &l->random);
        break;
    default:
        payload = l->payload[draw(&l->random) % 3];
        if (!payload)
            payload = slot + 4 + CELL_SHM_FULL_HEADER;
        lie_at(payload + w->offset + (w->at == AT_MESSAGE ? 16 : 0), w->size, &l->random);
        break;
    }
    atomic_fetch_add_explicit(&l->lies, 1, memory_order_relaxed);
}

static void *lie(void *arg)
{
    struct liar *l = arg;
    while (!atomic_load_explicit(&l->stop, memory_order_relaxed))
        lie_once(l);
    return NULL;
}

/* ---- the truth ---- */

static const struct cell_field small_fields[] = {{"text", &cell_type_str, 0, 0, 0, 0}};
static const struct cell_layout small_layout = {small_fields, 1, sizeof(cell_str)};
static const struct cell_field account_fields[] = {{"account", &account_type, 0, 0, CELL_FIELD_REF, 0}};
static const struct cell_layout account_layout = {account_fields, 1, sizeof(struct cell_ref)};

/* 16 bytes of metadata, then the message: that of a slot is small. */
static uint8_t truth[2][4096];
static uint32_t truth_len[2];

static void put_together(unsigned which, const struct cell_layout *layout, const void *in)
{
    static const uint8_t meta[] = {3, 0, 9, 0, 'k', 'e', 'y', 'v', 'a', 'l', 'u', 'e', '-', '-', '-', '-'};
    struct cell_buffer b = {0};
    CHECK(cell_message_encode(layout, in, 4000, &b, &e) >= 0);
    memcpy(truth[which], meta, sizeof(meta));
    memcpy(truth[which] + sizeof(meta), b.data, b.len);
    truth_len[which] = (uint32_t)(sizeof(meta) + b.len);
    cell_buffer_free(&b);
}

static void make_truth(void)
{
    const struct tag tags[2] = {{.key = CELL_STR("key"), .note = {true, CELL_STR("noted")}},
                                {.key = CELL_STR("other"), .value = {(const uint8_t *)"\0\1\2", 3}}};
    const struct point points[3] = {{1, 2, 3.0f}, {4, 5, 6.0f}, {7, 8, 9.0f}};
    const bool flags[4] = {true, false, true, true};
    const struct account a = {.id = 7,
                              .email = CELL_STR("ada@example.org"),
                              .tags = {tags, 2},
                              .track = {points, 3},
                              .main_tags = {tags[0], tags[1]},
                              .age = {true, 36},
                              .flags = {flags, 4}};
    const struct cell_ref ref = {&a, 1};
    const cell_str text = CELL_STR("eight...");
    put_together(0, &small_layout, &text);
    put_together(1, &account_layout, &ref);
    CHECK(truth_len[0] <= CELL_SHM_MAX_INLINE && truth_len[1] > CELL_SHM_MAX_INLINE);
}

/* The next message of the peer, as it should be; what becomes of it is the liar's. */
static void tell_truth(struct peer *p, struct liar *l, uint64_t *x)
{
    enum cell_shm_place place = (enum cell_shm_place)(draw(x) % 3);
    unsigned which = place != CELL_SHM_IN_SLOT;
    const struct cell_frame f = {
        .kind = CELL_FRAME_CALL, .id = draw(x) | 1, .length = truth_len[which], .meta_len = 16, .code = (int32_t)which};
    uint8_t header[CELL_SHM_FULL_HEADER], *slot = peer_slot(p);
    uint8_t *payload = l->payload[place] ? l->payload[place] : slot + CELL_SHM_FULL_HEADER;
    cell_shm_slot_write_full(header, &f, place, place == CELL_SHM_IN_BLOB);
    for (uint32_t i = 0; i < f.length; i++)
        store8(payload + i, truth[which][i]);
    for (unsigned i = 0; i < sizeof(header); i++)
        store8(slot + i, header[i]);
    peer_commit(p);
}

/* ---- the code under test ---- */

/* What came out of a message is whole: all that it refers to can be read, and encoded again. */
static void check_whole(const struct cell_layout *layout, const void *out)
{
    struct cell_buffer b = {0};
    CHECK(cell_message_encode(layout, out, CELL_MAX_MESSAGE, &b, &e) >= 0);
    cell_buffer_free(&b);
}

/* Receives and decodes one message. CELL_OK: it was served. */
static int take_one(struct peer *p)
{
    struct cell_received r;
    struct cell_arena arena = {.limit = 1u << 20};
    union {
        cell_str text;
        struct cell_ref account;
    } out;
    int status = cell_conn_recv(p->conn, &r, cell_now_ns() + WAIT_NS, &e);
    if (status < 0)
        return status;
    const struct cell_layout *layout = r.frame.code == 0 ? &small_layout : &account_layout;
    int refused = cell_meta_check(r.meta, r.frame.meta_len, &e);
    if (refused >= 0)
        refused = cell_message_decode(layout, r.message, r.message_len, &arena, &out, &e);
    if (refused >= 0)
        check_whole(layout, &out);
    cell_arena_free(&arena);
    return refused >= 0 ? CELL_OK : CELL_DEADLINE_EXCEEDED; /* a request that is refused ends nothing */
}

static int send_some(struct peer *p, uint64_t *x)
{
    static uint8_t bytes[70000];
    size_t len = draw(x) % 8 == 0 ? draw(x) % sizeof(bytes) : draw(x) % 200;
    const struct cell_frame f = {.kind = CELL_FRAME_REPLY, .id = draw(x) | 1u, .length = (uint32_t)len};
    const struct iovec part = {bytes, len};
    if (draw(x) % 4 == 0)
        return cell_conn_send_more(p->conn, &f, &part, 1, cell_now_ns() + WAIT_NS, &e);
    return cell_conn_send(p->conn, &f, &part, 1, cell_now_ns() + WAIT_NS, &e);
}

/* The peer has received what it sees. */
static void release_all(struct peer *p)
{
    uint32_t n = atomic_load(&p->own->head);
    while (atomic_load(&p->seen->slots[n % CELL_RING_SLOTS].commit) == n + 1)
        n++;
    atomic_store(&p->own->head, n);
}

/* Works until the lies have broken the connection. Returns how many messages were served. */
static unsigned work(struct peer *p, struct liar *l, uint64_t *x)
{
    unsigned served = 0;
    while (atomic_load(&l->lies) == 0)
        sched_yield();
    for (int i = 0; i < WORK || atomic_load(&l->lies) < LIES; i++) {
        tell_truth(p, l, x);
        int r = draw(x) % 4 == 0 && cell_conn_readable(p->conn) ? CELL_DEADLINE_EXCEEDED : take_one(p);
        served += r == CELL_OK;
        if (r == CELL_OK || r == CELL_DEADLINE_EXCEEDED)
            r = draw(x) % 2 ? send_some(p, x) : CELL_OK;
        if (r < 0 && r != CELL_DEADLINE_EXCEEDED)
            break;
        if (draw(x) % 4 == 0 && (!l->word || l->word->offset != 64)) /* what was sent is released, sometimes */
            release_all(p);
        cell_conn_untaken(p->conn);
    }
    return served;
}

/* ---- both roles ---- */

/* The code under test is a client that works over shared memory. */
static bool upgrade_client(struct peer *p)
{
    struct open_payload o;
    const struct accept_payload a = {0, MAX_PAYLOAD, "token"};
    uint8_t token[CELL_SHM_TOKEN];
    const void *m = NULL;
    int fd = -1;
    if (!peer_open(p, UNIX_STAGE_NONE) || cell_shm_offer((struct unix_conn *)p->conn, true, &e) < 0 ||
        !peer_recv(p, CELL_FRAME_SHM_OPEN, &o, sizeof(o), &fd))
        return false;
    CHECK(cell_shm_memory_map(fd, REGION, geteuid(), &m, &e) == CELL_OK);
    p->seen = m;
    close(fd);
    return peer_send(p, CELL_FRAME_SHM_ACCEPT, &a, sizeof(a), &p->memory, 1) && recv_now(p) == CELL_DEADLINE_EXCEEDED &&
           send_one(p, 2, 8) == CELL_OK && peer_recv(p, CELL_FRAME_SHM_READY, token, sizeof(token), &fd) &&
           strcmp(cell_conn_ops(p->conn)->name, "shm") == 0;
}

/* One connection whose peer lies about `word`, or about everything. Returns how many messages were served. */
static unsigned lie_about(const struct word *word, bool client, uint64_t *x)
{
    const uint32_t told[2] = {1, BLOB_BYTES};
    struct peer p;
    void *blob = NULL;
    int fd = -1;
    pthread_t thread;
    if (!(client ? upgrade_client(&p) : peer_upgraded(&p)) || cell_shm_memory_new(BLOB_BYTES, &blob, &fd, &e) < 0 ||
        !peer_send(&p, CELL_FRAME_SHM_BLOB, told, sizeof(told), &fd, 1))
        abort();
    close(fd);
    struct liar l = {.region = p.own, .payload = {NULL, p.own->data, blob}, .word = word, .random = *x | 1};
    if (pthread_create(&thread, NULL, lie, &l) != 0)
        abort();
    unsigned served = work(&p, &l, x);
    atomic_store(&l.stop, true);
    pthread_join(thread, NULL);
    peer_close(&p);
    cell_shm_memory_unmap(blob, BLOB_BYTES);
    return served;
}

static void lie_about_everything(bool client)
{
    uint64_t x = client ? 88172645463325252 : 88172645463325253;
    unsigned served = 0;
    make_truth();
    for (unsigned i = 0; i < COUNT(words); i++)
        for (int again = 0; again < 3; again++)
            served += lie_about(&words[i], client, &x);
    for (int again = 0; again < 60; again++)
        served += lie_about(NULL, client, &x);
    printf("# %u of the messages among lies were served\n", served);
    CHECK(served > 0);
}

CLEAN_TEST(a_server_stands_a_client_that_lies_about_any_word) { lie_about_everything(false); }
CLEAN_TEST(a_client_stands_a_server_that_lies_about_any_word) { lie_about_everything(true); }

/* ---- a message that comes and goes ---- */

struct blinker {
    atomic_uint *commit;
    uint32_t word; /* that makes it there */
    atomic_bool stop;
};

static void *blink(void *arg)
{
    struct blinker *b = arg;
    for (uint32_t i = 0; !atomic_load_explicit(&b->stop, memory_order_relaxed); i++)
        atomic_store_explicit(b->commit, i & 1 ? b->word : b->word - 1, memory_order_release);
    return NULL;
}

/* Between any two looks: one is enough for it to be received, and one for it not to be. */
CLEAN_TEST(a_message_that_comes_and_goes_is_received_or_it_is_not_there)
{
    struct peer p;
    pthread_t thread;
    struct cell_received r;
    unsigned came = 0;
    const struct cell_frame f = {.kind = CELL_FRAME_CALL, .id = 3, .length = 0};
    REQUIRE(peer_upgraded(&p));
    for (int i = 0; i < 8000; i++) {
        uint8_t *slot = peer_slot(&p);
        cell_shm_slot_write_full(slot, &f, CELL_SHM_IN_SLOT, false);
        struct blinker b = {.commit = &p.own->slots[p.next % CELL_RING_SLOTS].commit, .word = p.next + 1};
        REQUIRE(pthread_create(&thread, NULL, blink, &b) == 0);
        int status;
        while ((status = cell_conn_recv(p.conn, &r, 0, &e)) == CELL_DEADLINE_EXCEEDED)
            continue;
        came += status == CELL_OK;
        atomic_store(&b.stop, true);
        pthread_join(thread, NULL);
        peer_commit(&p);
    }
    CHECK(came == 8000);
    peer_close(&p);
}

/* Without lies everything is served: so it is the lies that were refused. */
CLEAN_TEST(without_lies_every_message_is_served)
{
    for (int client = 0; client < 2; client++) {
        const uint32_t told[2] = {1, BLOB_BYTES};
        struct peer p;
        void *blob = NULL;
        int fd = -1;
        uint64_t x = 7;
        make_truth();
        REQUIRE(client ? upgrade_client(&p) : peer_upgraded(&p));
        REQUIRE(cell_shm_memory_new(BLOB_BYTES, &blob, &fd, &e) == CELL_OK);
        REQUIRE(peer_send(&p, CELL_FRAME_SHM_BLOB, told, sizeof(told), &fd, 1));
        close(fd);
        struct liar l = {.region = p.own, .payload = {NULL, p.own->data, blob}};
        for (int i = 0; i < 100; i++) {
            tell_truth(&p, &l, &x);
            CHECK(take_one(&p) == CELL_OK);
        }
        peer_close(&p);
        cell_shm_memory_unmap(blob, BLOB_BYTES);
    }
}
