/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Deadlines, interruption and signals: what ends waiting, and what is left afterwards. */
#include "unit/test.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "conformance/conformance.h"
#include "wire/limits.h"

TEST(receiving_ends_with_the_deadline_and_goes_on)
{
    struct ends x;
    REQUIRE(open_ends(&x, 4096));
    for (uint32_t i = 0; i < 5; i++) {
        uint64_t deadline = deadline_in(i * 7);
        CHECK(recv_seeded(x.server, i, i, deadline) == CELL_DEADLINE_EXCEEDED);
        CHECK(cell_now_ns() >= deadline);
        CHECK(send_seeded(x.client, i, i, CELL_NO_DEADLINE) == CELL_OK);
        CHECK(recv_seeded(x.server, i, i, deadline_in(60000)) == CELL_OK);
    }
    close_ends(&x);
}

TEST(what_is_there_is_received_after_the_deadline_too)
{
    struct ends x;
    REQUIRE(open_ends(&x, 4096));
    CHECK(send_seeded(x.client, 1, 10, 1) == CELL_OK); /* room is there: no waiting, no deadline */
    CHECK(recv_seeded(x.server, 1, 10, 1) == CELL_OK);
    CHECK(recv_seeded(x.server, 1, 10, 1) == CELL_DEADLINE_EXCEEDED);
    close_ends(&x);
}

TEST(a_deadline_in_the_middle_of_a_frame_loses_nothing)
{
    static const size_t cuts[] = {1, 16, 32, 33, 5000, 100031};
    struct ends x;
    uint8_t *bytes;
    if (!conformance.raw_connect)
        return;
    size_t len = seeded_frame(9, 100000, &bytes), sent = 0;
    REQUIRE(raw_ends(&x, CELL_MAX_MESSAGE));
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        CHECK(write_all(x.raw, bytes + sent, cuts[i] - sent));
        sent = cuts[i];
        CHECK(recv_seeded(x.server, 9, 100000, deadline_in(5)) == CELL_DEADLINE_EXCEEDED);
        CHECK(!cell_conn_readable(x.server));
    }
    CHECK(write_all(x.raw, bytes + sent, len - sent));
    CHECK(recv_seeded(x.server, 9, 100000, deadline_in(60000)) == CELL_OK);
    free(bytes);
    close_ends(&x);
}

struct trickle {
    int fd;
    atomic_bool stop;
    bool ended; /* it ran out of bytes: the receiver waited for all of them */
};

static void *write_slowly(void *arg)
{
    struct trickle *t = arg;
    uint8_t *bytes;
    size_t len = seeded_frame(1, 60000, &bytes), sent = 0;
    const struct timespec pause = {.tv_nsec = 1000000};
    while (sent < len && !atomic_load(&t->stop) && write_all(t->fd, bytes + sent, 1)) {
        sent++;
        nanosleep(&pause, NULL);
    }
    t->ended = sent == len;
    free(bytes);
    return NULL;
}

TEST(a_deadline_is_not_moved_by_single_bytes)
{
    struct ends x;
    struct trickle t = {0};
    pthread_t thread;
    if (!conformance.raw_connect)
        return;
    REQUIRE(raw_ends(&x, CELL_MAX_MESSAGE));
    t.fd = x.raw;
    REQUIRE(pthread_create(&thread, NULL, write_slowly, &t) == 0);
    CHECK(recv_seeded(x.server, 1, 60000, deadline_in(100)) == CELL_DEADLINE_EXCEEDED);
    atomic_store(&t.stop, true);
    pthread_join(thread, NULL);
    CHECK(!t.ended);
    close_ends(&x);
}

TEST(sending_to_a_peer_that_does_not_read_ends_with_the_deadline)
{
    struct ends x;
    int r = CELL_OK;
    REQUIRE(open_ends(&x, CELL_MAX_MESSAGE));
    /* Far more than any transport holds. */
    for (uint32_t i = 0; i < 64 && r == CELL_OK; i++)
        r = send_seeded(x.client, i, CELL_MAX_MESSAGE, deadline_in(50));
    CHECK(r == CELL_DEADLINE_EXCEEDED);
    /* A part of a frame has been sent: the connection cannot go on. */
    CHECK(send_seeded(x.client, 1, 1, CELL_NO_DEADLINE) == CELL_UNAVAILABLE);
    close_ends(&x);
}

static void *read_slowly(void *arg)
{
    const struct trickle *t = arg;
    const struct timespec pause = {.tv_nsec = 1000000};
    char bytes[4096];
    while (!atomic_load(&t->stop) && read(t->fd, bytes, sizeof(bytes)) > 0)
        nanosleep(&pause, NULL);
    return NULL;
}

TEST(a_deadline_is_not_moved_by_a_peer_that_reads_slowly)
{
    struct ends x;
    struct trickle t = {0};
    pthread_t thread;
    if (!conformance.raw_connect)
        return;
    REQUIRE(raw_ends(&x, CELL_MAX_MESSAGE));
    t.fd = x.raw;
    REQUIRE(pthread_create(&thread, NULL, read_slowly, &t) == 0);
    CHECK(send_seeded(x.server, 1, CELL_MAX_MESSAGE, deadline_in(100)) == CELL_DEADLINE_EXCEEDED);
    atomic_store(&t.stop, true);
    cell_conn_close(x.server); /* the reader may wait for more */
    x.server = NULL;
    pthread_join(thread, NULL);
    close_ends(&x);
}

static void *interrupt_it(void *arg)
{
    cell_conn_interrupt(arg);
    return NULL;
}

TEST(a_receiver_is_interrupted_by_another_thread)
{
    for (int i = 0; i < 50; i++) {
        struct ends x;
        pthread_t thread;
        REQUIRE(open_ends(&x, 4096));
        REQUIRE(pthread_create(&thread, NULL, interrupt_it, x.server) == 0);
        CHECK(recv_seeded(x.server, 1, 1, i % 2 ? CELL_NO_DEADLINE : deadline_in(60000)) == CELL_CANCELLED);
        pthread_join(thread, NULL);
        CHECK(cell_conn_readable(x.server));
        CHECK(recv_seeded(x.server, 1, 1, CELL_NO_DEADLINE) == CELL_CANCELLED);
        /* The peer sees the end, though nothing is closed yet. */
        CHECK(recv_seeded(x.client, 1, 1, deadline_in(60000)) == CELL_UNAVAILABLE);
        close_ends(&x);
    }
}

TEST(an_interrupted_connection_gives_out_nothing_more)
{
    struct ends x;
    REQUIRE(open_ends(&x, 4096));
    CHECK(send_seeded(x.client, 1, 10, CELL_NO_DEADLINE) == CELL_OK);
    CHECK(send_seeded(x.client, 2, 10, CELL_NO_DEADLINE) == CELL_OK);
    CHECK(recv_seeded(x.server, 1, 10, CELL_NO_DEADLINE) == CELL_OK);
    cell_conn_interrupt(x.server);
    cell_conn_interrupt(x.server);
    CHECK(recv_seeded(x.server, 2, 10, CELL_NO_DEADLINE) == CELL_CANCELLED);
    CHECK(send_seeded(x.server, 3, 10, CELL_NO_DEADLINE) < 0);
    close_ends(&x);
}

static void *send_until_it_fails(void *arg)
{
    while (send_seeded(arg, 1, 1u << 20, deadline_in(60000)) == CELL_OK)
        ;
    return failure.status == CELL_DEADLINE_EXCEEDED ? arg : NULL;
}

TEST(an_interrupt_frees_a_peer_that_is_sending)
{
    struct ends x;
    pthread_t thread;
    void *timed_out;
    REQUIRE(open_ends(&x, 4096));
    REQUIRE(pthread_create(&thread, NULL, send_until_it_fails, x.client) == 0);
    cell_conn_interrupt(x.server);
    pthread_join(thread, &timed_out);
    CHECK(timed_out == NULL);
    close_ends(&x);
}

TEST(readable_tells_what_receiving_would_do)
{
    struct ends x;
    REQUIRE(open_ends(&x, 4096));
    CHECK(!cell_conn_readable(x.server) && !cell_conn_readable(x.client));
    CHECK(send_seeded(x.client, 1, 10, CELL_NO_DEADLINE) == CELL_OK);
    CHECK(send_seeded(x.client, 2, 10, CELL_NO_DEADLINE) == CELL_OK);
    CHECK(cell_conn_readable(x.server));
    CHECK(recv_seeded(x.server, 1, 10, 0) == CELL_OK);
    CHECK(cell_conn_readable(x.server));
    CHECK(recv_seeded(x.server, 2, 10, 0) == CELL_OK);
    CHECK(!cell_conn_readable(x.server));
    cell_conn_close(x.client);
    x.client = NULL;
    CHECK(cell_conn_readable(x.server));
    CHECK(recv_seeded(x.server, 3, 10, 0) == CELL_UNAVAILABLE);
    close_ends(&x);
}

/* Waits as the contract says for a poller. */
static void poll_until_readable(struct cell_conn *c)
{
    struct pollfd p = {.fd = cell_conn_fd(c), .events = POLLIN};
    while (!cell_conn_readable(c))
        CHECK(poll(&p, 1, 60000) == 1);
}

#define POLLED 300u

static size_t polled_length(uint32_t i) { return i % 50 == 0 ? 100000 : i % 10 == 0 ? 5000 : i % 100; }

static void *send_when_told(void *arg)
{
    for (uint32_t i = 0; i < POLLED; i++) {
        CHECK(send_seeded(arg, i, polled_length(i), deadline_in(60000)) == CELL_OK);
        poll_until_readable(arg);
        CHECK(recv_seeded(arg, i, 1, deadline_in(60000)) == CELL_OK);
    }
    return NULL;
}

TEST(both_ends_may_wait_in_poll)
{
    struct ends x;
    pthread_t thread;
    REQUIRE(open_ends(&x, CELL_MAX_MESSAGE));
    REQUIRE(pthread_create(&thread, NULL, send_when_told, x.client) == 0);
    for (uint32_t i = 0; i < POLLED; i++) {
        poll_until_readable(x.server);
        CHECK(recv_seeded(x.server, i, polled_length(i), deadline_in(60000)) == CELL_OK);
        CHECK(send_seeded(x.server, i, 1, deadline_in(60000)) == CELL_OK);
    }
    pthread_join(thread, NULL);
    CHECK(!cell_conn_readable(x.server));
    cell_conn_close(x.client);
    x.client = NULL;
    poll_until_readable(x.server);
    CHECK(recv_seeded(x.server, 1, 1, 0) == CELL_UNAVAILABLE);
    close_ends(&x);
}

/* Nothing is there, and the peer will tell of what comes. */
static bool is_armed(struct cell_conn *c)
{
    bool (*arm)(struct cell_conn *c) = cell_conn_ops(c)->arm;
    return !(arm ? arm(c) : cell_conn_readable(c));
}

/* Edges tell of one frame each, and what is left of the last ones on the socket must not be in the next one's way. */
TEST(a_poller_of_edges_is_told_of_every_frame)
{
    struct ends x;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    const int least = 1; /* as small as the system makes it */
    REQUIRE(open_ends(&x, 4096));
    int fd = epoll_create1(EPOLL_CLOEXEC);
    REQUIRE(fd >= 0 && epoll_ctl(fd, EPOLL_CTL_ADD, cell_conn_fd(x.server), &event) == 0);
    REQUIRE(setsockopt(cell_conn_fd(x.client), SOL_SOCKET, SO_SNDBUF, &least, sizeof(least)) == 0);
    for (uint32_t i = 0; i < POLLED; i++) {
        REQUIRE(is_armed(x.server));
        CHECK(send_seeded(x.client, i, 8, deadline_in(60000)) == CELL_OK);
        REQUIRE(epoll_wait(fd, &event, 1, 60000) == 1);
        CHECK(cell_conn_readable(x.server));
        CHECK(recv_seeded(x.server, i, 8, 0) == CELL_OK);
    }
    close(fd);
    close_ends(&x);
}

TEST(a_receiver_whose_deadline_passed_may_poll)
{
    struct ends x;
    pthread_t thread;
    REQUIRE(open_ends(&x, CELL_MAX_MESSAGE));
    REQUIRE(pthread_create(&thread, NULL, send_when_told, x.client) == 0);
    for (uint32_t i = 0; i < POLLED; i++) {
        struct pollfd p = {.fd = cell_conn_fd(x.server), .events = POLLIN};
        int r;
        while ((r = recv_seeded(x.server, i, polled_length(i), 0)) == CELL_DEADLINE_EXCEEDED)
            CHECK(poll(&p, 1, 60000) == 1);
        CHECK(r == CELL_OK);
        CHECK(send_seeded(x.server, i, 1, deadline_in(60000)) == CELL_OK);
    }
    pthread_join(thread, NULL);
    close_ends(&x);
}

static void *send_many(void *arg)
{
    for (uint32_t i = 0; i < POLLED; i++)
        CHECK(send_seeded(arg, i, 12000, deadline_in(60000)) == CELL_OK);
    return NULL;
}

/* The frame that the last recv returned is the receiver's while it polls, and the next ones may need its room. */
TEST(a_poller_holds_nobody_up_with_the_frame_it_has)
{
    struct ends x;
    pthread_t thread;
    REQUIRE(open_ends(&x, CELL_MAX_MESSAGE));
    REQUIRE(pthread_create(&thread, NULL, send_many, x.client) == 0);
    for (uint32_t i = 0; i < POLLED;) {
        poll_until_readable(x.server);
        int r = recv_seeded(x.server, i, 12000, 0);
        CHECK(r == CELL_OK || r == CELL_DEADLINE_EXCEEDED); /* a part of a frame */
        i += r == CELL_OK;
        if (r < 0 && r != CELL_DEADLINE_EXCEEDED)
            break;
    }
    pthread_join(thread, NULL);
    close_ends(&x);
}

TEST(an_interrupt_ends_a_poll)
{
    for (int i = 0; i < 20; i++) {
        struct ends x;
        pthread_t thread;
        REQUIRE(open_ends(&x, 4096));
        CHECK(!cell_conn_readable(x.server));
        REQUIRE(pthread_create(&thread, NULL, interrupt_it, x.server) == 0);
        poll_until_readable(x.server);
        CHECK(recv_seeded(x.server, 1, 1, CELL_NO_DEADLINE) == CELL_CANCELLED);
        poll_until_readable(x.client);
        CHECK(recv_seeded(x.client, 1, 1, CELL_NO_DEADLINE) == CELL_UNAVAILABLE);
        pthread_join(thread, NULL);
        close_ends(&x);
    }
}

static atomic_uint ticks;
static void count_tick(int signal)
{
    (void)signal;
    atomic_fetch_add(&ticks, 1);
}

/* Signals without SA_RESTART, every millisecond, in every system call of both threads. */
static void begin_signals(struct sigaction *old)
{
    struct sigaction a = {.sa_handler = count_tick};
    struct itimerval t = {{0, 1000}, {0, 1000}};
    atomic_store(&ticks, 0);
    sigaction(SIGALRM, &a, old);
    setitimer(ITIMER_REAL, &t, NULL);
}

static void end_signals(const struct sigaction *old)
{
    struct itimerval none = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &none, NULL);
    sigaction(SIGALRM, old, NULL);
}

static void *echo_large(void *arg)
{
    for (uint32_t i = 0; i < 10; i++) {
        CHECK(recv_seeded(arg, i, 3u << 20, CELL_NO_DEADLINE) == CELL_OK);
        CHECK(send_seeded(arg, i, 3u << 20, CELL_NO_DEADLINE) == CELL_OK);
    }
    return NULL;
}

TEST(signals_change_nothing)
{
    struct sigaction old;
    struct ends x;
    pthread_t thread;
    REQUIRE(open_ends(&x, CELL_MAX_MESSAGE));
    begin_signals(&old);
    int created = pthread_create(&thread, NULL, echo_large, x.server);
    CHECK(created == 0);
    for (uint32_t i = 0; created == 0 && i < 10; i++) {
        CHECK(send_seeded(x.client, i, 3u << 20, deadline_in(60000)) == CELL_OK);
        CHECK(recv_seeded(x.client, i, 3u << 20, i % 2 ? CELL_NO_DEADLINE : deadline_in(60000)) == CELL_OK);
    }
    if (created == 0)
        pthread_join(thread, NULL);
    uint64_t deadline = deadline_in(30);
    CHECK(recv_seeded(x.client, 1, 1, deadline) == CELL_DEADLINE_EXCEEDED);
    CHECK(cell_now_ns() >= deadline);
    end_signals(&old);
    CHECK(atomic_load(&ticks) > 0);
    close_ends(&x);
}

TEST(signals_do_not_move_the_deadline_of_sending)
{
    struct sigaction old;
    struct ends x;
    int r = CELL_OK;
    REQUIRE(open_ends(&x, CELL_MAX_MESSAGE));
    begin_signals(&old);
    for (uint32_t i = 0; i < 64 && r == CELL_OK; i++)
        r = send_seeded(x.client, i, CELL_MAX_MESSAGE, deadline_in(100));
    end_signals(&old);
    CHECK(r == CELL_DEADLINE_EXCEEDED);
    close_ends(&x);
}

TEST(connecting_and_accepting_stand_signals)
{
    struct sigaction old;
    begin_signals(&old);
    while (atomic_load(&ticks) < 50) {
        struct ends x;
        bool open = open_ends(&x, 4096);
        CHECK(open);
        close_ends(&x);
        if (!open)
            break;
    }
    end_signals(&old);
}
