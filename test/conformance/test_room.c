/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Room: waiting until a frame can be sent, or until there is something to receive. */
#include "unit/test.h"

#include <pthread.h>

#include "conformance/conformance.h"
#include "wire/limits.h"

#define SIZE 4096u

static int room(struct cell_conn *c, uint32_t length, bool in, uint64_t deadline_ns)
{
    return cell_conn_room(c, length, in, deadline_ns, &failure);
}

/* Sends until there is no room; returns how many frames that was. */
static uint32_t fill(struct cell_conn *c)
{
    uint32_t n = 0;
    int r;
    while ((r = room(c, SIZE, false, 0)) == 1 && n < 100000)
        CHECK(send_seeded(c, ++n, SIZE, 0) == CELL_OK); /* with no time to wait: it does not */
    CHECK(r == CELL_DEADLINE_EXCEEDED);
    return n;
}

TEST(an_empty_connection_has_room_for_frames_of_any_size)
{
    static const uint32_t sizes[] = {0, 64, 4096, CELL_ROOM_MAX, 1u << 20, CELL_MAX_MESSAGE};
    struct ends x;
    REQUIRE(open_ends(&x, CELL_MAX_MESSAGE));
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        CHECK(room(x.client, sizes[i], false, 0) == 1 && room(x.client, sizes[i], true, 0) == 1);
        CHECK(room(x.server, sizes[i], true, 0) == 1);
    }
    close_ends(&x);
}

TEST(what_there_is_to_receive_comes_first)
{
    struct ends x;
    REQUIRE(open_ends(&x, 1u << 20));
    for (uint32_t i = 1; i < 10; i++) {
        CHECK(send_seeded(x.client, i, i * 100, CELL_NO_DEADLINE) == CELL_OK);
        CHECK(room(x.server, 64, true, deadline_in(60000)) == 0);
        CHECK(room(x.server, 64, false, 0) == 1);
        CHECK(recv_seeded(x.server, i, i * 100, 0) == CELL_OK);
        CHECK(room(x.server, 64, true, 0) == 1);
    }
    close_ends(&x);
}

TEST(without_room_the_deadline_ends_waiting_and_nothing_else)
{
    struct ends x;
    REQUIRE(open_ends(&x, 1u << 20));
    for (int again = 0; again < 3; again++) {
        uint32_t n = fill(x.client);
        CHECK(n > 0 && n < 10000);
        uint64_t deadline = deadline_in(20);
        CHECK(room(x.client, SIZE, true, deadline) == CELL_DEADLINE_EXCEEDED && cell_now_ns() >= deadline);
        for (uint32_t i = 1; i <= n; i++)
            CHECK(recv_seeded(x.server, i, SIZE, deadline_in(60000)) == CELL_OK);
        CHECK(recv_seeded(x.server, 0, 0, 0) == CELL_DEADLINE_EXCEEDED); /* gives back what it held */
        CHECK(room(x.client, SIZE, true, deadline_in(60000)) == 1);
    }
    close_ends(&x);
}

TEST(two_sides_that_have_filled_everything_go_on)
{
    struct ends x;
    REQUIRE(open_ends(&x, 1u << 20));
    uint32_t n = fill(x.client), m = fill(x.server);
    CHECK(room(x.client, SIZE, true, deadline_in(60000)) == 0 && room(x.server, SIZE, true, deadline_in(60000)) == 0);
    for (uint32_t i = 1; i <= n; i++)
        CHECK(recv_seeded(x.server, i, SIZE, deadline_in(60000)) == CELL_OK);
    for (uint32_t i = 1; i <= m; i++)
        CHECK(recv_seeded(x.client, i, SIZE, deadline_in(60000)) == CELL_OK);
    CHECK(recv_seeded(x.server, 0, 0, 0) == CELL_DEADLINE_EXCEEDED);
    CHECK(room(x.client, SIZE, true, deadline_in(60000)) == 1);
    close_ends(&x);
}

struct waiter {
    struct cell_conn *conn;
    bool in;
    int result;
};

static void *wait_for_room(void *arg)
{
    struct waiter *w = arg;
    w->result = cell_conn_room(w->conn, SIZE, w->in, deadline_in(60000), NULL);
    return NULL;
}

TEST(a_waiting_sender_is_woken_by_room_a_frame_the_end_and_an_interruption)
{
    enum { ROOM, FRAME, END, END_UNSEEN, INTERRUPT, WAYS };
    static const int results[WAYS] = {1, 0, 0, CELL_UNAVAILABLE, CELL_CANCELLED};
    for (int way = 0; way < WAYS; way++) {
        struct ends x;
        pthread_t thread;
        REQUIRE(open_ends(&x, 1u << 20));
        struct waiter w = {x.client, way == FRAME || way == END, 1};
        uint32_t n = fill(x.client);
        CHECK(pthread_create(&thread, NULL, wait_for_room, &w) == 0);
        for (uint32_t i = 1; way == ROOM && i <= n; i++)
            CHECK(recv_seeded(x.server, i, SIZE, deadline_in(60000)) == CELL_OK);
        if (way == ROOM)
            CHECK(recv_seeded(x.server, 0, 0, 0) == CELL_DEADLINE_EXCEEDED);
        if (way == FRAME)
            CHECK(send_seeded(x.server, 5, 5, CELL_NO_DEADLINE) == CELL_OK);
        if (way == END || way == END_UNSEEN) {
            cell_conn_close(x.server);
            x.server = NULL;
        }
        if (way == INTERRUPT)
            cell_conn_interrupt(x.client);
        pthread_join(thread, NULL);
        /* The end of the peer may be seen by the sender before it looks what there is to receive. */
        CHECK(w.result == results[way] || (way == END && w.result == CELL_UNAVAILABLE));
        if (way == FRAME)
            CHECK(recv_seeded(x.client, 5, 5, deadline_in(60000)) == CELL_OK);
        close_ends(&x);
    }
}

/* And gives back what it holds when there is something to receive, or to give back. */
static void *wait_or_give_back(void *arg)
{
    struct waiter *w = arg;
    wait_for_room(w);
    if (w->result == 0)
        CHECK(recv_seeded(w->conn, 1, 1, 0) == CELL_DEADLINE_EXCEEDED);
    return NULL;
}

/* Both wait for room while each has a frame of the other's, which it would give back with its next recv. */
TEST(two_sides_that_hold_what_the_other_needs_go_on)
{
    struct ends x;
    pthread_t thread;
    REQUIRE(open_ends(&x, 1u << 20));
    CHECK(send_seeded(x.client, 1, CELL_ROOM_MAX, CELL_NO_DEADLINE) == CELL_OK);
    CHECK(send_seeded(x.server, 2, CELL_ROOM_MAX, CELL_NO_DEADLINE) == CELL_OK);
    CHECK(recv_seeded(x.server, 1, CELL_ROOM_MAX, deadline_in(60000)) == CELL_OK);
    CHECK(recv_seeded(x.client, 2, CELL_ROOM_MAX, deadline_in(60000)) == CELL_OK);
    struct waiter client = {x.client, true, -1}, server = {x.server, true, -1};
    REQUIRE(pthread_create(&thread, NULL, wait_or_give_back, &client) == 0);
    wait_or_give_back(&server);
    pthread_join(thread, NULL);
    CHECK(client.result >= 0 && server.result >= 0);
    /* Who had room at once has given nothing back yet. */
    CHECK(recv_seeded(x.client, 1, 1, 0) == CELL_DEADLINE_EXCEEDED);
    CHECK(recv_seeded(x.server, 1, 1, 0) == CELL_DEADLINE_EXCEEDED);
    CHECK(room(x.client, SIZE, true, deadline_in(60000)) == 1 && room(x.server, SIZE, true, deadline_in(60000)) == 1);
    close_ends(&x);
}
