/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Payloads that are put together where they are sent from. */
#include "unit/test.h"

#include "conformance/conformance.h"

enum { MOST = 1 << 20, LARGE = 100000, META = 24 };

static bool reserving_ends(struct ends *x)
{
    CHECK(open_ends(x, MOST));
    return x->client && cell_conn_may_reserve(x->client) && cell_conn_may_reserve(x->server);
}

static int reserve(struct cell_conn *c, uint32_t bytes, uint8_t **memory, uint32_t *size)
{
    return cell_conn_reserve(c, bytes, memory, size, deadline_in(60000), &failure);
}

/* Sends META bytes of metadata from private memory, and `len` bytes of message from where they lie. */
static int send_from(struct cell_conn *c, uint32_t seed, const uint8_t *message, uint32_t len)
{
    uint8_t meta[META];
    fill_bytes(meta, META, seed);
    const struct iovec parts[2] = {{meta, META}, {(void *)(uintptr_t)message, len}};
    const struct cell_frame f = {.kind = CELL_FRAME_CALL, .id = seed + 1, .length = META + len, .meta_len = META};
    return cell_conn_send(c, &f, parts, 2, deadline_in(60000), &failure);
}

static bool arrives(struct cell_conn *c, uint32_t seed, uint32_t len, struct cell_received *r)
{
    return cell_conn_recv(c, r, deadline_in(60000), &failure) == CELL_OK && r->frame.id == seed + 1 &&
           r->message_len == len && check_bytes(r->meta, META, seed) && check_bytes(r->message, len, seed + 7);
}

static uint8_t look(const uint8_t *at) { return *(const volatile uint8_t *)at; }

static void from_reserved(struct cell_conn *from, struct cell_conn *to, uint32_t seed, uint32_t len)
{
    struct cell_received r;
    uint8_t *memory;
    uint32_t size;
    REQUIRE(reserve(from, META + len, &memory, &size) == CELL_OK);
    CHECK(size >= META + len && (uintptr_t)memory % 4096 == 0);
    fill_bytes(memory + META, len, seed + 7);
    REQUIRE(send_from(from, seed, memory + META, len) == CELL_OK);
    REQUIRE(arrives(to, seed, len, &r));
    /* It is the same memory. */
    for (uint32_t at = 0; at < len; at += len / 3 + 1) {
        memory[META + at] ^= 0xff;
        CHECK(look(r.message + at) == memory[META + at]);
    }
}

TEST(what_lies_in_reserved_memory_is_sent_without_being_copied)
{
    static const uint32_t lengths[] = {1, 8, 100, 4096, 16384, 65536 - META, LARGE, MOST - META};
    struct ends x;
    if (reserving_ends(&x))
        for (uint32_t i = 0; i < 8 * sizeof(lengths) / sizeof(lengths[0]); i++)
            from_reserved(i % 2 ? x.server : x.client, i % 2 ? x.client : x.server, i, lengths[i / 8]);
    close_ends(&x);
}

TEST(other_frames_go_before_it_and_after)
{
    struct ends x;
    struct cell_received r;
    uint8_t *memory;
    uint32_t size;
    if (reserving_ends(&x)) {
        REQUIRE(reserve(x.client, META + LARGE, &memory, &size) == CELL_OK);
        fill_bytes(memory + META, LARGE, 7);
        for (uint32_t i = 0; i < 100; i++) {
            size_t len = i % 10 == 0 ? LARGE : i * 10;
            REQUIRE(send_seeded(x.client, i, len, deadline_in(60000)) == CELL_OK);
            REQUIRE(recv_seeded(x.server, i, len, deadline_in(60000)) == CELL_OK);
        }
        CHECK(check_bytes(memory + META, LARGE, 7));
        REQUIRE(send_from(x.client, 0, memory + META, LARGE) == CELL_OK);
        CHECK(arrives(x.server, 0, LARGE, &r));
        CHECK(send_seeded(x.client, 1, LARGE, deadline_in(60000)) == CELL_OK);
        CHECK(recv_seeded(x.server, 1, LARGE, deadline_in(60000)) == CELL_OK);
    }
    close_ends(&x);
}

TEST(there_is_one_reservation_at_a_time)
{
    struct ends x;
    uint8_t *memory, *again = NULL;
    uint32_t size;
    if (reserving_ends(&x)) {
        cell_conn_unreserve(x.client);
        REQUIRE(reserve(x.client, LARGE, &memory, &size) == CELL_OK);
        CHECK(reserve(x.client, LARGE, &again, &size) == CELL_INVALID_ARGUMENT && !again);
        cell_conn_unreserve(x.client);
        CHECK(reserve(x.client, LARGE, &again, &size) == CELL_OK);
        CHECK(again == memory);
        cell_conn_unreserve(x.client);
        CHECK(reserve(x.client, MOST + 1, &memory, &size) == CELL_TOO_LARGE);
        from_reserved(x.client, x.server, 3, LARGE);
    }
    close_ends(&x);
}

/* At another place of the payload; the reservation stays. */
TEST(what_does_not_lie_where_it_belongs_is_copied)
{
    struct ends x;
    struct cell_received r;
    uint8_t *memory, *other = NULL;
    uint32_t size;
    if (reserving_ends(&x)) {
        REQUIRE(reserve(x.client, META + LARGE, &memory, &size) == CELL_OK);
        fill_bytes(memory + META + 8, LARGE, 7);
        REQUIRE(send_from(x.client, 0, memory + META + 8, LARGE) == CELL_OK);
        CHECK(arrives(x.server, 0, LARGE, &r));
        memory[META + 8] ^= 0xff;
        CHECK(look(r.message) != memory[META + 8]);
        memory[META + 8] ^= 0xff;
        CHECK(reserve(x.client, LARGE, &other, &size) == CELL_INVALID_ARGUMENT);
        CHECK(check_bytes(memory + META + 8, LARGE, 7));
    }
    close_ends(&x);
}

TEST(more_than_the_reserved_memory_holds_is_copied)
{
    struct ends x;
    struct cell_received r;
    uint8_t *memory, tail[LARGE];
    uint32_t size;
    if (reserving_ends(&x)) {
        REQUIRE(reserve(x.client, LARGE, &memory, &size) == CELL_OK);
        REQUIRE(size < MOST - LARGE);
        uint8_t *whole = malloc(size + LARGE);
        fill_bytes(whole, size + LARGE, 9);
        memcpy(memory, whole, size);
        memcpy(tail, whole + size, LARGE);
        const struct iovec parts[2] = {{memory, size}, {tail, LARGE}};
        const struct cell_frame f = {.kind = CELL_FRAME_CALL, .id = 1, .length = size + LARGE};
        REQUIRE(cell_conn_send(x.client, &f, parts, 2, deadline_in(60000), &failure) == CELL_OK);
        REQUIRE(cell_conn_recv(x.server, &r, deadline_in(60000), &failure) == CELL_OK);
        CHECK(r.message_len == size + LARGE && memcmp(r.message, whole, r.message_len) == 0);
        free(whole);
    }
    close_ends(&x);
}

TEST(reserving_does_not_wait_for_a_peer_that_holds_everything)
{
    struct ends x;
    struct cell_received r;
    uint8_t *memory;
    uint32_t size, sent = 0;
    int status = CELL_OK;
    if (reserving_ends(&x)) {
        while (sent < 100 && (status = reserve(x.client, META + LARGE, &memory, &size)) == CELL_OK) {
            fill_bytes(memory + META, LARGE, sent + 7);
            REQUIRE(send_from(x.client, sent, memory + META, LARGE) == CELL_OK);
            sent++;
        }
        CHECK(status == CELL_RESOURCE_EXHAUSTED && sent > 1 && sent < 100);
        for (uint32_t i = 0; i < sent; i++)
            CHECK(arrives(x.server, i, LARGE, &r));
        /* The last one is still lent; the others came back. */
        CHECK(reserve(x.client, META + LARGE, &memory, &size) == CELL_OK);
    }
    close_ends(&x);
}

TEST(reserved_memory_counts_and_the_connection_outlives_the_limit)
{
    struct ends x;
    struct cell_memory limit = {.limit = LARGE};
    uint8_t *memory = NULL;
    uint32_t size;
    if (reserving_ends(&x)) {
        from_reserved(x.client, x.server, 1, LARGE);
        close_ends(&x);
        REQUIRE(open_ends(&x, MOST));
        x.server->memory = &limit;
        int r = reserve(x.server, MOST / 2, &memory, &size);
        if (r == CELL_OK) { /* set too late for a transport that has taken its limit already */
            cell_conn_unreserve(x.server);
        } else {
            CHECK(r == CELL_RESOURCE_EXHAUSTED && !memory);
            CHECK(atomic_load(&limit.used) <= limit.limit);
        }
        CHECK(send_seeded(x.server, 1, 100, deadline_in(60000)) == CELL_OK);
        CHECK(recv_seeded(x.client, 1, 100, deadline_in(60000)) == CELL_OK);
    }
    close_ends(&x);
}

TEST(reserved_memory_outlives_the_peer)
{
    struct ends x;
    uint8_t *memory;
    uint32_t size;
    if (reserving_ends(&x)) {
        REQUIRE(reserve(x.client, META + LARGE, &memory, &size) == CELL_OK);
        fill_bytes(memory + META, LARGE, 7);
        cell_conn_close(x.server);
        x.server = NULL;
        CHECK(send_from(x.client, 0, memory + META, LARGE) <= 0);
        struct cell_received r;
        CHECK(cell_conn_recv(x.client, &r, deadline_in(60000), &failure) == CELL_UNAVAILABLE);
        CHECK(check_bytes(memory + META, LARGE, 7));
        cell_conn_unreserve(x.client);
        CHECK(reserve(x.client, LARGE, &memory, &size) < 0);
    }
    close_ends(&x);
}

TEST(closing_gives_reserved_memory_back)
{
    unsigned descriptors = open_descriptors(), mappings = shared_mappings();
    struct ends x;
    uint8_t *memory;
    uint32_t size;
    for (int i = 0; i < 10; i++) {
        if (reserving_ends(&x))
            CHECK(reserve(x.client, LARGE, &memory, &size) == CELL_OK &&
                  reserve(x.server, LARGE, &memory, &size) == CELL_OK);
        close_ends(&x);
    }
    CHECK(open_descriptors() == descriptors && shared_mappings() == mappings);
}
