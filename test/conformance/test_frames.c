/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What arrives is what was sent, in whatever pieces it travels; what breaks the rules is refused. */
#include "unit/test.h"

#include <pthread.h>
#include <unistd.h>

#include "conformance/conformance.h"
#include "wire/limits.h"

/* Around every size at which a buffer could begin, end or grow, up to the largest. */
static const size_t sizes[] = {0,
                               1,
                               7,
                               8,
                               9,
                               31,
                               32,
                               33,
                               100,
                               4063,
                               4064,
                               4065,
                               4095,
                               4096,
                               4097,
                               8160,
                               8161,
                               65503,
                               65504,
                               65505,
                               65536,
                               65537,
                               262111,
                               262112,
                               262113,
                               262144,
                               1048575,
                               1048576,
                               CELL_MAX_MESSAGE - 1,
                               CELL_MAX_MESSAGE};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void *send_all_sizes(void *arg)
{
    struct cell_conn *c = arg;
    for (uint32_t i = 0; i < SIZES; i++)
        CHECK(send_seeded(c, i, sizes[i], deadline_in(60000)) == CELL_OK);
    return NULL;
}

TEST(frames_of_all_sizes_arrive)
{
    struct ends x;
    pthread_t thread;
    REQUIRE(open_ends(&x, CELL_MAX_MESSAGE));
    REQUIRE(pthread_create(&thread, NULL, send_all_sizes, x.client) == 0);
    for (uint32_t i = 0; i < SIZES; i++)
        CHECK(recv_seeded(x.server, i, sizes[i], deadline_in(60000)) == CELL_OK);
    pthread_join(thread, NULL);
    close_ends(&x);
}

TEST(both_ends_send_at_the_same_time)
{
    struct ends x;
    pthread_t threads[2];
    REQUIRE(open_ends(&x, CELL_MAX_MESSAGE));
    REQUIRE(pthread_create(&threads[0], NULL, send_all_sizes, x.client) == 0);
    REQUIRE(pthread_create(&threads[1], NULL, send_all_sizes, x.server) == 0);
    for (uint32_t i = 0; i < SIZES; i++) {
        CHECK(recv_seeded(x.server, i, sizes[i], CELL_NO_DEADLINE) == CELL_OK);
        CHECK(recv_seeded(x.client, i, sizes[i], CELL_NO_DEADLINE) == CELL_OK);
    }
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    close_ends(&x);
}

TEST(every_field_of_the_header_arrives)
{
    static const struct cell_frame frames[] = {
        {.kind = CELL_FRAME_HELLO, .channel = CELL_CHANNEL_OPS, .length = 8, .meta_len = 8},
        {.kind = CELL_FRAME_WELCOME, .channel = CELL_CHANNEL_COMPILE, .code = -17},
        {.kind = CELL_FRAME_SCHEMA, .length = 8, .meta_len = 3},
        {.kind = CELL_FRAME_CALL, .code = INT32_MAX, .timeout_ms = UINT32_MAX, .id = UINT64_MAX},
        {.kind = CELL_FRAME_REPLY, .code = INT32_MIN, .id = 1, .length = 8},
        {.kind = CELL_FRAME_CANCEL, .id = UINT64_C(1) << 63},
        {.kind = CELL_FRAME_GOAWAY}};
    const struct iovec part = {"payload", 8};
    struct ends x;
    REQUIRE(open_ends(&x, 4096));
    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        const struct cell_frame *f = &frames[i];
        struct cell_received received = {0};
        const struct cell_frame *got = &received.frame;
        CHECK(cell_conn_send(x.server, f, &part, f->length ? 1 : 0, CELL_NO_DEADLINE, &failure) == CELL_OK);
        REQUIRE(cell_conn_recv(x.client, &received, deadline_in(60000), &failure) == CELL_OK);
        CHECK(got->kind == f->kind && got->channel == f->channel && got->code == f->code && got->id == f->id);
        CHECK(got->timeout_ms == f->timeout_ms && got->length == f->length && got->meta_len == f->meta_len);
        CHECK(received.message_len == f->length - f->meta_len);
        CHECK(memcmp(received.meta, "payload", f->meta_len) == 0);
        CHECK(memcmp(received.message, &"payload"[f->meta_len], received.message_len) == 0);
    }
    close_ends(&x);
}

/* As calls and replies do: without metadata, ids in a row, everything else the same; and every departure from that. */
TEST(frames_that_continue_the_one_before_arrive)
{
    static const int32_t codes[] = {0, 1, 65535, 65536, -1, INT32_MIN};
    static const uint32_t timeouts[] = {0, 0, 0, 5000, 5000, 5000, 1};
    uint8_t bytes[160];
    struct ends x;
    uint64_t id = 0;
    REQUIRE(open_ends(&x, 4096));
    for (uint32_t i = 0; i < 4000; i++) {
        struct cell_conn *from = i % 2 ? x.server : x.client, *to = i % 2 ? x.client : x.server;
        struct cell_received r;
        id += i % 2 ? 0 : i % 14 == 0 ? 2 : 1;
        const struct cell_frame f = {.kind = i % 2 ? CELL_FRAME_REPLY : CELL_FRAME_CALL,
                                     .channel = i / 100 % 3,
                                     .length = i % 5 ? i / 2 % 20 * 8 : i / 2 % sizeof(bytes),
                                     .code = codes[i / 3 % 6],
                                     .timeout_ms = i % 2 ? 0 : timeouts[i / 2 % 7],
                                     .id = id};
        fill_bytes(bytes, f.length, i);
        const struct iovec parts[2] = {{bytes, f.length / 2}, {bytes + f.length / 2, f.length - f.length / 2}};
        REQUIRE(cell_conn_send(from, &f, parts, 2, deadline_in(60000), &failure) == CELL_OK);
        REQUIRE(cell_conn_recv(to, &r, deadline_in(60000), &failure) == CELL_OK);
        CHECK(r.frame.kind == f.kind && r.frame.channel == f.channel && r.frame.length == f.length);
        CHECK(r.frame.code == f.code && r.frame.timeout_ms == f.timeout_ms && r.frame.id == f.id);
        CHECK(r.frame.meta_len == 0 && r.message_len == f.length && check_bytes(r.message, f.length, i));
    }
    close_ends(&x);
}

/* By place and commit when that is possible. */
static bool send_message(struct cell_conn *c, const struct cell_frame *f, const uint8_t *message, bool may_place)
{
    const struct cell_conn_ops *ops = cell_conn_ops(c);
    uint32_t fixed;
    memcpy(&fixed, message + 4, sizeof(fixed));
    uint8_t *place = may_place && ops->place ? ops->place(c, f, fixed) : NULL;
    if (place) {
        memcpy(place, message + 8, f->length - 8);
        ops->commit(c, place, f, fixed, false);
        return true;
    }
    const struct iovec part = {(void *)(uintptr_t)message, f->length};
    return cell_conn_send(c, f, &part, 1, deadline_in(60000), &failure) == CELL_OK;
}

TEST(messages_arrive_however_they_are_sent_and_received)
{
    uint8_t bytes[160];
    uint64_t small[CELL_SMALL_MESSAGE / 8];
    struct ends x;
    bool placed = false;
    REQUIRE(open_ends(&x, 4096));
    for (uint32_t i = 0; i < 4000; i++) {
        struct cell_conn *from = i % 2 ? x.server : x.client, *to = i % 2 ? x.client : x.server;
        struct cell_received r;
        const struct cell_frame f = {.kind = i % 2 ? CELL_FRAME_REPLY : CELL_FRAME_CALL,
                                     .length = 8 + i / 2 % 20 * 8,
                                     .code = (int32_t)(i % 70),
                                     .timeout_ms = i % 2 ? 0 : 5000 + i / 1000,
                                     .id = i / 2 + 1};
        const uint32_t header[2] = {i % 11 ? f.length : f.length + 8,
                                    f.length > 8 ? i / 2 % 17 * 8 : 0}; /* its size may be a lie */
        fill_bytes(bytes, f.length, i);
        memcpy(bytes, header, sizeof(header));
        const struct cell_conn_ops *ops = cell_conn_ops(to);
        placed |= ops->place != NULL;
        REQUIRE(send_message(from, &f, bytes, i % 3 && i % 11));
        if (i % 5 == 0 && ops->recv_brief)
            while (!ops->recv_brief(to, &r, small))
                continue;
        else
            REQUIRE(cell_conn_recv(to, &r, deadline_in(60000), &failure) == CELL_OK);
        CHECK(r.frame.kind == f.kind && r.frame.code == f.code && r.frame.timeout_ms == f.timeout_ms);
        CHECK(r.frame.id == f.id && r.frame.length == f.length && r.frame.meta_len == 0);
        CHECK(r.message_len == f.length && memcmp(r.message, bytes, f.length) == 0);
    }
    CHECK(placed == (strcmp(cell_conn_ops(x.client)->name, "shm") == 0));
    close_ends(&x);
}

TEST(a_place_is_refused_for_what_is_not_the_next_small_message)
{
    struct ends x;
    struct cell_received r;
    REQUIRE(open_ends(&x, 4096));
    const struct cell_conn_ops *ops = cell_conn_ops(x.client);
    const struct cell_frame good = {.kind = CELL_FRAME_CALL, .length = 64, .timeout_ms = 5000, .id = 9};
    uint8_t message[64] = {64, 0, 0, 0, 8};
    REQUIRE(send_message(x.client, &good, message, false));
    REQUIRE(cell_conn_recv(x.server, &r, deadline_in(60000), &failure) == CELL_OK);
    if (ops->place) {
        struct cell_frame f[7];
        for (int i = 0; i < 7; i++) {
            f[i] = good;
            f[i].id = 10;
        }
        f[0].id = 11;
        f[1].timeout_ms = 0;
        f[2].channel = CELL_CHANNEL_OPS;
        f[3].length = 8 + 128;
        f[4].length = 60;
        f[5].code = 65536;
        for (int i = 0; i < 6; i++)
            CHECK(ops->place(x.client, &f[i], 8) == NULL);
        CHECK(ops->place(x.client, &f[6], 120) == NULL);
        CHECK(ops->place(x.client, &f[6], 8) != NULL);
        CHECK(ops->place(x.client, &f[6], 8) == ops->place(x.client, &f[6], 16)); /* a second one replaces the first */
        CHECK(!cell_conn_readable(x.server));                                     /* and none is sent without commit */
        cell_conn_interrupt(x.client);
        CHECK(ops->place(x.client, &f[6], 8) == NULL);
    }
    close_ends(&x);
}

TEST(a_payload_may_come_in_parts)
{
    uint8_t bytes[1000];
    struct ends x;
    struct cell_received received;
    fill_bytes(bytes, sizeof(bytes), 5);
    const struct iovec parts[5] = {{bytes, 1}, {NULL, 0}, {bytes + 1, 99}, {bytes + 100, 0}, {bytes + 100, 900}};
    const struct cell_frame f = {.kind = CELL_FRAME_CALL, .id = 1, .length = sizeof(bytes)};
    REQUIRE(open_ends(&x, 4096));
    CHECK(cell_conn_send(x.client, &f, parts, 5, CELL_NO_DEADLINE, &failure) == CELL_OK);
    REQUIRE(cell_conn_recv(x.server, &received, deadline_in(60000), &failure) == CELL_OK);
    CHECK(received.message_len == sizeof(bytes) && check_bytes(received.message, sizeof(bytes), 5));
    /* Parts that do not make the announced length: nothing of it may be sent. */
    CHECK(cell_conn_send(x.client, &f, parts, 4, CELL_NO_DEADLINE, &failure) == CELL_INVALID_ARGUMENT);
    close_ends(&x);
    REQUIRE(open_ends(&x, 4096));
    CHECK(cell_conn_send(x.client, &f, parts, 3, CELL_NO_DEADLINE, &failure) == CELL_INVALID_ARGUMENT);
    cell_conn_close(x.client);
    x.client = NULL;
    CHECK(cell_conn_recv(x.server, &received, deadline_in(60000), &failure) == CELL_UNAVAILABLE);
    CHECK_STR(failure.text, "closed");
    close_ends(&x);
}

/* The server receives `n` frames; the raw client writes them with `step` bytes a write. */
static void deliver_in_steps(size_t step)
{
    static const size_t lengths[] = {0, 1, 57, 0, 300};
    struct ends x;
    uint8_t all[1024];
    size_t total = 0, sent = 0;
    REQUIRE(raw_ends(&x, 4096));
    for (uint32_t i = 0; i < 5; i++) {
        uint8_t *bytes;
        size_t n = seeded_frame(i, lengths[i], &bytes);
        memcpy(all + total, bytes, n);
        total += n;
        free(bytes);
    }
    /* Whenever a whole frame is there it is received, and never before. */
    size_t due = 0;
    for (uint32_t i = 0; i < 5; i++) {
        due += CELL_FRAME_HEADER + lengths[i];
        while (sent < due) {
            if (sent % 16 == 0)
                CHECK(recv_seeded(x.server, i, lengths[i], 0) == CELL_DEADLINE_EXCEEDED);
            size_t n = step < total - sent ? step : total - sent;
            REQUIRE(write_all(x.raw, all + sent, n));
            sent += n;
        }
        CHECK(cell_conn_readable(x.server));
        CHECK(recv_seeded(x.server, i, lengths[i], deadline_in(60000)) == CELL_OK);
    }
    CHECK(!cell_conn_readable(x.server));
    close_ends(&x);
}

TEST(delivery_in_pieces_changes_nothing)
{
    static const size_t steps[] = {1, 2, 3, 31, 32, 33, 64, 1024};
    for (size_t i = 0; conformance.raw_connect && i < sizeof(steps) / sizeof(steps[0]); i++)
        deliver_in_steps(steps[i]);
}

TEST(frames_that_arrive_together_come_one_by_one)
{
    enum { N = 200 };
    struct ends x;
    if (!conformance.raw_connect)
        return;
    REQUIRE(raw_ends(&x, 4096));
    for (uint32_t i = 0; i < N; i++) {
        uint8_t *bytes;
        size_t n = seeded_frame(i, i % 67, &bytes);
        CHECK(write_all(x.raw, bytes, n));
        free(bytes);
    }
    for (uint32_t i = 0; i < N; i++) {
        CHECK(cell_conn_readable(x.server));
        CHECK(recv_seeded(x.server, i, i % 67, 0) == CELL_OK);
    }
    CHECK(recv_seeded(x.server, 0, 0, 0) == CELL_DEADLINE_EXCEEDED);
    close_ends(&x);
}

/* One invalid frame: the error, after which the connection is dead. */
static void refuse(const uint8_t *bytes, size_t len, int status)
{
    struct ends x;
    const struct cell_frame f = {.kind = CELL_FRAME_GOAWAY};
    struct cell_received received;
    REQUIRE(raw_ends(&x, 1000));
    REQUIRE(write_all(x.raw, bytes, len));
    CHECK(cell_conn_recv(x.server, &received, deadline_in(60000), &failure) == status);
    CHECK(failure.status == status && failure.text[0]);
    CHECK(cell_conn_readable(x.server));
    CHECK(cell_conn_recv(x.server, &received, deadline_in(60000), &failure) == CELL_UNAVAILABLE);
    /* The peer can still be told why. */
    CHECK(cell_conn_send(x.server, &f, NULL, 0, deadline_in(60000), &failure) == CELL_OK);
    close_ends(&x);
}

TEST(invalid_frames_are_refused)
{
    uint8_t *bytes;
    size_t len = seeded_frame(1, 100, &bytes);
    static const struct {
        size_t at;
        uint8_t value;
    } changes[] = {{0, 'X'}, {3, 0}, {8, 2}, {9, 0}, {9, 99}, {10, 3}, {11, 1}, {13, 0xff}, {14, 1}};
    for (size_t i = 0; conformance.raw_connect && i < sizeof(changes) / sizeof(changes[0]); i++) {
        uint8_t kept = bytes[changes[i].at];
        bytes[changes[i].at] = changes[i].value;
        refuse(bytes, len, CELL_PROTOCOL_ERROR);
        bytes[changes[i].at] = kept;
    }
    if (conformance.raw_connect)
        refuse((const uint8_t *)"GET / HTTP/1.1\r\n", 16, CELL_PROTOCOL_ERROR); /* before a header is complete */
    free(bytes);
}

TEST(frames_beyond_the_limit_are_refused_by_their_header)
{
    static const uint32_t lengths[] = {1001, 1u << 24, 1u << 31, UINT32_MAX};
    uint8_t *bytes;
    size_t len = seeded_frame(1, 0, &bytes);
    (void)len;
    for (size_t i = 0; conformance.raw_connect && i < 4; i++) {
        memcpy(bytes + 4, &lengths[i], 4);
        refuse(bytes, CELL_FRAME_HEADER, CELL_TOO_LARGE); /* not a byte of the payload was sent */
    }
    free(bytes);
}

struct large {
    struct cell_conn *conn;
    uint32_t limit, beyond;
};

static void *send_up_to_and_beyond(void *arg)
{
    const struct large *l = arg;
    CHECK(send_seeded(l->conn, 1, l->limit, deadline_in(60000)) == CELL_OK);
    int r = send_seeded(l->conn, 2, l->beyond, deadline_in(60000));
    CHECK(r == CELL_OK || r == CELL_UNAVAILABLE);
    return NULL;
}

/* How much of the second frame is sent is the transport's: in the end it does not fit. */
static void exceed(uint32_t limit, uint32_t beyond)
{
    struct ends x;
    struct large l = {.limit = limit, .beyond = beyond};
    pthread_t thread;
    char most[16], more[16];
    snprintf(most, sizeof(most), "%u", limit);
    snprintf(more, sizeof(more), "%u", beyond);
    REQUIRE(open_ends(&x, limit));
    l.conn = x.client;
    REQUIRE(pthread_create(&thread, NULL, send_up_to_and_beyond, &l) == 0);
    CHECK(recv_seeded(x.server, 1, limit, deadline_in(60000)) == CELL_OK);
    CHECK(recv_seeded(x.server, 2, beyond, deadline_in(60000)) == CELL_TOO_LARGE);
    CHECK(strstr(failure.text, more) && strstr(failure.text, most));
    cell_conn_close(x.server);
    x.server = NULL;
    pthread_join(thread, NULL);
    close_ends(&x);
}

TEST(the_limit_is_the_receivers_own)
{
    static const uint32_t limits[] = {1000, 20000, 70000, 1u << 20};
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        exceed(limits[i], limits[i] + 1);
        exceed(limits[i], 4 * limits[i] + 200000);
    }
}

TEST(memory_grows_with_what_came_not_with_what_was_announced)
{
    struct ends x;
    uint8_t *bytes;
    if (!conformance.raw_connect)
        return;
    size_t len = seeded_frame(1, CELL_MAX_MESSAGE, &bytes);
    REQUIRE(raw_ends(&x, CELL_MAX_MESSAGE));
    size_t before = allocated_bytes();
    CHECK(write_all(x.raw, bytes, CELL_FRAME_HEADER + 100));
    CHECK(recv_seeded(x.server, 1, CELL_MAX_MESSAGE, 0) == CELL_DEADLINE_EXCEEDED);
    CHECK(allocated_bytes() - before <= 64u << 10);
    CHECK(write_all(x.raw, bytes + CELL_FRAME_HEADER + 100, 100000));
    CHECK(recv_seeded(x.server, 1, CELL_MAX_MESSAGE, 0) == CELL_DEADLINE_EXCEEDED);
    CHECK(allocated_bytes() - before <= 512u << 10);
    (void)len;
    free(bytes);
    close_ends(&x);
}

/* Large ones of all sizes, one after the other: what they take is bounded while they go, and given back. */
TEST(shared_memory_of_large_frames_is_given_back)
{
    struct ends x;
    REQUIRE(open_ends(&x, CELL_MAX_MESSAGE));
    unsigned before = shared_mappings();
    if (!before) /* no memory is shared */
        goto done;
    for (uint32_t i = 0; i < 40; i++) {
        size_t len = (20000u + 13 * i) << i % 9;
        CHECK(send_seeded(x.client, i, len, deadline_in(60000)) == CELL_OK);
        CHECK(recv_seeded(x.server, i, len, deadline_in(60000)) == CELL_OK);
        CHECK(shared_mappings() <= before + 8);
    }
    CHECK(shared_mappings() > before);
    CHECK(recv_seeded(x.server, 1, 1, 0) == CELL_DEADLINE_EXCEEDED); /* the last one is released */
    CHECK(recv_seeded(x.client, 1, 1, 0) == CELL_DEADLINE_EXCEEDED); /* nothing happens: it is taken back */
    CHECK(recv_seeded(x.server, 1, 1, 0) == CELL_DEADLINE_EXCEEDED);
    CHECK(shared_mappings() == before);
    CHECK(send_seeded(x.client, 1, 200000, deadline_in(60000)) == CELL_OK);
    CHECK(recv_seeded(x.server, 1, 200000, deadline_in(60000)) == CELL_OK);
    for (uint32_t i = 0; i < 3000; i++) { /* busy, but not with large ones */
        CHECK(send_seeded(x.client, i, 8, deadline_in(60000)) == CELL_OK);
        CHECK(recv_seeded(x.server, i, 8, deadline_in(60000)) == CELL_OK);
    }
    CHECK(recv_seeded(x.server, 1, 1, 0) == CELL_DEADLINE_EXCEEDED);
    CHECK(shared_mappings() == before);
done:
    close_ends(&x);
}

static void *send_the_largest(void *arg)
{
    CHECK(send_seeded(arg, 3, CELL_MAX_MESSAGE, deadline_in(60000)) == CELL_OK);
    CHECK(send_seeded(arg, 4, 10, deadline_in(60000)) == CELL_OK);
    return NULL;
}

TEST(memory_of_a_large_frame_is_given_back)
{
    struct ends x;
    pthread_t thread;
    REQUIRE(open_ends(&x, CELL_MAX_MESSAGE));
    size_t before = allocated_bytes();
    REQUIRE(pthread_create(&thread, NULL, send_the_largest, x.client) == 0);
    CHECK(recv_seeded(x.server, 3, CELL_MAX_MESSAGE, deadline_in(60000)) == CELL_OK);
    pthread_join(thread, NULL);
    CHECK(recv_seeded(x.server, 4, 10, deadline_in(60000)) == CELL_OK);
    CHECK(recv_seeded(x.server, 5, 10, 0) == CELL_DEADLINE_EXCEEDED);
    CHECK(allocated_bytes() < before + (64u << 10));
    close_ends(&x);
}

TEST(a_clean_end_differs_from_one_in_the_middle)
{
    static const size_t cuts[] = {1, 31, 32, 33, 131};
    uint8_t *bytes;
    size_t len = seeded_frame(1, 100, &bytes);
    struct ends x;
    REQUIRE(open_ends(&x, 4096));
    CHECK(send_seeded(x.client, 7, 100, deadline_in(60000)) == CELL_OK);
    cell_conn_close(x.client);
    x.client = NULL;
    CHECK(recv_seeded(x.server, 7, 100, deadline_in(60000)) == CELL_OK); /* what was sent before arrives */
    CHECK(recv_seeded(x.server, 8, 0, deadline_in(60000)) == CELL_UNAVAILABLE);
    CHECK_STR(failure.text, "closed");
    CHECK(recv_seeded(x.server, 8, 0, deadline_in(60000)) == CELL_UNAVAILABLE);
    close_ends(&x);
    for (size_t i = 0; conformance.raw_connect && i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        REQUIRE(raw_ends(&x, 4096));
        CHECK(write_all(x.raw, bytes, len) && write_all(x.raw, bytes, cuts[i]));
        close(x.raw);
        x.raw = -1;
        CHECK(recv_seeded(x.server, 1, 100, deadline_in(60000)) == CELL_OK);
        CHECK(recv_seeded(x.server, 1, 100, deadline_in(60000)) == CELL_UNAVAILABLE);
        CHECK(strstr(failure.text, "in the middle") != NULL);
        close_ends(&x);
    }
    free(bytes);
}
