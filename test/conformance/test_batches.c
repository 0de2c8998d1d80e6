/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Frames that others follow: what send_more may keep back, and what it may not do. */
#include "unit/test.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance/conformance.h"
#include "wire/limits.h"

static int flush(struct cell_conn *c) { return cell_conn_flush(c, deadline_in(60000), &failure); }

/* Of all sizes: for a slot, a buffer, an area, and beyond all of them. */
static size_t length_of(uint32_t seed)
{
    static const size_t lengths[] = {0, 8, 64, 88, 89, 120, 121, 1000, 5000, 16384, 16385, 40000, 300000};
    return lengths[seed % 29 % (sizeof(lengths) / sizeof(lengths[0]))];
}

struct receiver {
    struct cell_conn *conn;
    uint32_t n;
    size_t len; /* of each; SIZE_MAX = length_of */
    uint32_t received;
    int end; /* what ended it; CELL_OK: n were received */
};

static void *receive_all(void *arg)
{
    struct receiver *r = arg;
    for (r->end = CELL_OK; r->end == CELL_OK && r->received < r->n; r->received += r->end == CELL_OK) {
        uint32_t seed = r->received;
        r->end = recv_seeded(r->conn, seed, r->len == SIZE_MAX ? length_of(seed) : r->len, deadline_in(60000));
    }
    return NULL;
}

TEST(frames_that_are_kept_back_arrive_in_their_order)
{
    struct ends x;
    pthread_t thread;
    REQUIRE(open_ends(&x, CELL_MAX_MESSAGE));
    struct receiver r = {.conn = x.server, .n = 3000, .len = SIZE_MAX};
    REQUIRE(pthread_create(&thread, NULL, receive_all, &r) == 0);
    for (uint32_t i = 0; i < r.n; i++) {
        if (i % 37 == 36)
            CHECK(send_seeded(x.client, i, length_of(i), deadline_in(60000)) == CELL_OK);
        else
            CHECK(send_more_seeded(x.client, i, length_of(i), deadline_in(60000)) == CELL_OK);
        if (i % 101 == 100)
            CHECK(flush(x.client) == CELL_OK);
    }
    CHECK(flush(x.client) == CELL_OK);
    CHECK(flush(x.client) == CELL_OK); /* nothing is left */
    pthread_join(thread, NULL);
    CHECK(r.end == CELL_OK && r.received == r.n);
    close_ends(&x);
}

/* Whoever sleeps, however it does, is woken by the flush for all that was kept back. */
TEST(a_flush_reaches_a_receiver_that_sleeps)
{
    enum { N = 40 };
    struct ends x;
    REQUIRE(open_ends(&x, 4096));
    for (uint32_t round = 0; round < 50; round++) {
        pthread_t thread;
        struct receiver r = {.conn = x.server, .n = N, .len = 64};
        if (round % 2) /* it polls until then */
            CHECK(!cell_conn_readable(x.server));
        for (uint32_t i = 0; round % 2 && i < N; i++)
            CHECK(send_more_seeded(x.client, i, r.len, 0) == CELL_OK);
        REQUIRE(pthread_create(&thread, NULL, receive_all, &r) == 0);
        for (uint32_t i = 0; !(round % 2) && i < N; i++)
            CHECK(send_more_seeded(x.client, i, r.len, 0) == CELL_OK);
        CHECK(flush(x.client) == CELL_OK);
        pthread_join(thread, NULL);
        CHECK(r.end == CELL_OK && r.received == N);
    }
    close_ends(&x);
}

TEST(a_flush_makes_the_descriptor_readable)
{
    struct ends x;
    REQUIRE(open_ends(&x, 4096));
    CHECK(!cell_conn_readable(x.server));
    for (uint32_t i = 0; i < 5; i++)
        CHECK(send_more_seeded(x.client, i, 64, deadline_in(60000)) == CELL_OK);
    CHECK(flush(x.client) == CELL_OK);
    struct pollfd p = {.fd = cell_conn_fd(x.server), .events = POLLIN};
    CHECK(poll(&p, 1, 60000) == 1);
    CHECK(cell_conn_readable(x.server));
    for (uint32_t i = 0; i < 5; i++)
        CHECK(recv_seeded(x.server, i, 64, 0) == CELL_OK);
    CHECK(!cell_conn_readable(x.server));
    close_ends(&x);
}

/* For one thread that receives from many connections. */
TEST(a_frame_is_seen_at_a_glance_and_who_has_armed_is_told)
{
    struct ends x;
    REQUIRE(open_ends(&x, 4096));
    const struct cell_conn_ops *ops = cell_conn_ops(x.server);
    CHECK((ops->glance == NULL) == (ops->arm == NULL));
    struct pollfd p = {.fd = cell_conn_fd(x.server), .events = POLLIN};
    for (uint32_t i = 0; ops->glance && i < 3; i++) {
        CHECK(!ops->glance(x.server));
        CHECK(send_seeded(x.client, i, 64, deadline_in(60000)) == CELL_OK);
        CHECK(ops->glance(x.server)); /* nobody had to be told */
        CHECK(ops->arm(x.server));
        CHECK(recv_seeded(x.server, i, 64, 0) == CELL_OK);
        CHECK(!ops->arm(x.server) && !ops->arm(x.server) && !ops->glance(x.server));
        CHECK(send_seeded(x.client, i, 64, deadline_in(60000)) == CELL_OK);
        CHECK(poll(&p, 1, 60000) == 1);
        CHECK(cell_conn_readable(x.server));
        CHECK(recv_seeded(x.server, i, 64, 0) == CELL_OK);
    }
    if (ops->glance) {
        CHECK(!ops->arm(x.server));
        cell_conn_close(x.client);
        x.client = NULL;
        CHECK(poll(&p, 1, 60000) == 1);
        CHECK(cell_conn_readable(x.server)); /* the end */
    }
    close_ends(&x);
}

/* A sender that never flushes gets along, as long as the other side receives. */
TEST(what_does_not_fit_is_sent_without_a_flush)
{
    struct ends x;
    pthread_t thread;
    REQUIRE(open_ends(&x, 4096));
    struct receiver r = {.conn = x.server, .n = 20000, .len = 500};
    REQUIRE(pthread_create(&thread, NULL, receive_all, &r) == 0);
    for (uint32_t i = 0; i + 1 < r.n; i++)
        CHECK(send_more_seeded(x.client, i, r.len, deadline_in(60000)) == CELL_OK);
    CHECK(send_seeded(x.client, r.n - 1, r.len, deadline_in(60000)) == CELL_OK);
    pthread_join(thread, NULL);
    CHECK(r.end == CELL_OK && r.received == r.n);
    close_ends(&x);
}

TEST(keeping_back_ends_with_the_deadline_when_the_peer_does_not_receive)
{
    struct ends x;
    int r = CELL_OK;
    uint32_t sent = 0;
    REQUIRE(open_ends(&x, 4096));
    for (; r == CELL_OK && sent < 1000000; sent++)
        r = send_more_seeded(x.client, sent, 1000, deadline_in(20));
    CHECK(r == CELL_DEADLINE_EXCEEDED);
    CHECK(send_more_seeded(x.client, 1, 1, deadline_in(60000)) == CELL_UNAVAILABLE);
    CHECK(flush(x.client) == CELL_UNAVAILABLE);
    for (uint32_t i = 0; i < 10; i++) /* whole, from the first on */
        CHECK(recv_seeded(x.server, i, 1000, 0) == CELL_OK);
    close_ends(&x);
}

TEST(a_frame_that_is_refused_harms_none_that_was_kept_back)
{
    struct ends x;
    const struct cell_frame wrong = {.kind = CELL_FRAME_CALL, .id = 1, .length = 9};
    const struct iovec part = {(void *)(uintptr_t)"12345678", 8};
    REQUIRE(open_ends(&x, 4096));
    CHECK(send_more_seeded(x.client, 0, 64, 0) == CELL_OK);
    CHECK(cell_conn_send_more(x.client, &wrong, &part, 1, 0, &failure) == CELL_INVALID_ARGUMENT);
    CHECK(cell_conn_send(x.client, &wrong, &part, 1, 0, &failure) == CELL_INVALID_ARGUMENT);
    CHECK(send_more_seeded(x.client, 1, 64, 0) == CELL_OK);
    CHECK(flush(x.client) == CELL_OK);
    CHECK(recv_seeded(x.server, 0, 64, deadline_in(60000)) == CELL_OK);
    CHECK(recv_seeded(x.server, 1, 64, deadline_in(60000)) == CELL_OK);
    close_ends(&x);
}

/* Receiving and polling of the other direction are another thread's: they neither send nor lose anything. */
TEST(receiving_loses_nothing_that_was_kept_back)
{
    struct ends x;
    REQUIRE(open_ends(&x, 4096));
    for (uint32_t i = 0; i < 20; i++) {
        CHECK(send_more_seeded(x.client, i, 64, 0) == CELL_OK);
        CHECK(recv_seeded(x.client, i, 64, 0) == CELL_DEADLINE_EXCEEDED);
        CHECK(send_seeded(x.server, i, 64, 0) == CELL_OK);
        CHECK(cell_conn_readable(x.client));
        CHECK(recv_seeded(x.client, i, 64, deadline_in(60000)) == CELL_OK);
    }
    CHECK(flush(x.client) == CELL_OK);
    for (uint32_t i = 0; i < 20; i++)
        CHECK(recv_seeded(x.server, i, 64, deadline_in(60000)) == CELL_OK);
    close_ends(&x);
}

/* A connection that changes what carries it while frames are kept back. */
TEST(frames_from_before_an_upgrade_come_before_those_after_it)
{
    struct ends x = {.raw = -1};
    struct cell_connect_options o = {.deadline_ns = deadline_in(60000), .max_payload = 4096};
    new_address(x.address);
    REQUIRE(T.listen(x.address, -1, &x.listener, &failure) == CELL_OK);
    REQUIRE(T.connect(x.address, &o, &x.client, &failure) == CELL_OK);
    REQUIRE(accept_one(x.listener, 4096, &x.server) == CELL_OK);
    CHECK(send_more_seeded(x.client, 0, 64, 0) == CELL_OK);
    CHECK(flush(x.client) == CELL_OK);
    CHECK(recv_seeded(x.server, 0, 64, deadline_in(60000)) == CELL_OK);
    for (uint32_t i = 1; i < 5; i++)
        CHECK(send_more_seeded(x.client, i, 64, 0) == CELL_OK);
    for (uint32_t i = 0; i < 5; i++) /* with the first of them the answer to an offer */
        CHECK(send_more_seeded(x.server, i, 64, 0) == CELL_OK);
    CHECK(flush(x.server) == CELL_OK);
    for (uint32_t i = 0; i < 5; i++)
        CHECK(recv_seeded(x.client, i, 64, deadline_in(60000)) == CELL_OK);
    for (uint32_t i = 5; i < 10; i++)
        CHECK(send_more_seeded(x.client, i, 64, 0) == CELL_OK);
    CHECK(flush(x.client) == CELL_OK);
    for (uint32_t i = 1; i < 10; i++)
        CHECK(recv_seeded(x.server, i, 64, deadline_in(60000)) == CELL_OK);
    close_ends(&x);
}

/* ---- the end ---- */

/* Whole frames in their order, or none: never a part of one. */
TEST(closing_without_a_flush_leaves_whole_frames)
{
    for (uint32_t n = 1; n < 50; n += 7) {
        struct ends x;
        int r = CELL_OK;
        uint32_t got = 0;
        REQUIRE(open_ends(&x, 4096));
        CHECK(send_seeded(x.client, 0, 200, 0) == CELL_OK);
        for (uint32_t i = 1; i < n; i++)
            CHECK(send_more_seeded(x.client, i, 200, deadline_in(60000)) == CELL_OK);
        cell_conn_close(x.client);
        x.client = NULL;
        while (r == CELL_OK) {
            r = recv_seeded(x.server, got, 200, deadline_in(60000));
            got += r == CELL_OK;
        }
        CHECK(r == CELL_UNAVAILABLE && got >= 1 && got <= n);
        CHECK_STR(failure.text, "closed");
        close_ends(&x);
    }
}

TEST(an_interrupted_connection_flushes_nothing)
{
    struct ends x;
    REQUIRE(open_ends(&x, 4096));
    CHECK(send_more_seeded(x.client, 0, 64, 0) == CELL_OK);
    cell_conn_interrupt(x.client);
    int r = flush(x.client);
    CHECK(r == CELL_CANCELLED || r == CELL_UNAVAILABLE);
    r = send_more_seeded(x.client, 1, 64, 0);
    r = r == CELL_OK ? flush(x.client) : r;
    CHECK(r == CELL_CANCELLED || r == CELL_UNAVAILABLE);
    close_ends(&x);
}

TEST(a_copy_in_a_child_sends_nothing_when_it_is_closed)
{
    struct ends x;
    int status = -1;
    REQUIRE(open_ends(&x, 4096));
    for (uint32_t i = 0; i < 3; i++)
        CHECK(send_more_seeded(x.client, i, 64, 0) == CELL_OK);
    fflush(stdout);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        cell_conn_close(x.client);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(flush(x.client) == CELL_OK);
    for (uint32_t i = 0; i < 3; i++)
        CHECK(recv_seeded(x.server, i, 64, deadline_in(60000)) == CELL_OK);
    CHECK(recv_seeded(x.server, 3, 64, 0) == CELL_DEADLINE_EXCEEDED);
    close_ends(&x);
}

/* The peer is gone: whoever goes on learns of it, with frames of any size. */
TEST(keeping_back_for_a_peer_that_has_gone_ends)
{
    static const size_t lengths[] = {8, 3000, 200000};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct ends x;
        int r = CELL_OK;
        REQUIRE(open_ends(&x, CELL_MAX_MESSAGE));
        CHECK(send_more_seeded(x.client, 0, lengths[i], deadline_in(60000)) == CELL_OK);
        cell_conn_close(x.server);
        x.server = NULL;
        for (uint32_t n = 0; r == CELL_OK && n < 100000; n++) {
            r = send_more_seeded(x.client, n, lengths[i], deadline_in(60000));
            if (r == CELL_OK && n % 10 == 9)
                r = flush(x.client);
        }
        CHECK(r == CELL_UNAVAILABLE);
        CHECK(flush(x.client) == CELL_UNAVAILABLE);
        close_ends(&x);
    }
}
