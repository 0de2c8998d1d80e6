/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * One of the two is killed, at whatever instruction it happens to be: the other learns that the connection has ended,
 * has received nothing but whole frames, keeps nothing of it, and goes on with the next.
 */
#include "unit/test.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "conformance/conformance.h"
#include "wire/limits.h"

/* Of each of two tests. Without sanitizers, where a process costs little, they are many more. */
#ifndef KILLS
#define KILLS 260u
#endif
#define MOST_FRAMES 12u

static uint32_t draw(uint32_t *x)
{
    *x = *x * 1664525 + 1013904223;
    return *x >> 8;
}

/* Mostly small ones, some that do not fit a slot, a buffer, an area. */
static size_t length_of(uint32_t seed)
{
    uint32_t x = seed * 2654435761u, kind = draw(&x) % 32;
    return draw(&x) % (kind == 0 ? 200000 : kind < 5 ? 20000 : 200);
}

static int send_next(struct cell_conn *c, uint32_t seed)
{
    return send_seeded(c, seed, length_of(seed), deadline_in(60000));
}

static int send_more_next(struct cell_conn *c, uint32_t seed)
{
    return send_more_seeded(c, seed, length_of(seed), deadline_in(60000));
}

static int recv_next(struct cell_conn *c, uint32_t seed)
{
    return recv_seeded(c, seed, length_of(seed), deadline_in(60000));
}

/* What the one that will be killed does, for ever. */
static void answer(struct cell_conn *c)
{
    for (uint32_t i = 1; recv_next(c, i) == CELL_OK && send_next(c, i) == CELL_OK; i++)
        ;
}
static void only_send(struct cell_conn *c)
{
    for (uint32_t i = 1; send_next(c, i) == CELL_OK; i++)
        ;
}
static void only_receive(struct cell_conn *c)
{
    for (uint32_t i = 1; recv_next(c, i) == CELL_OK; i++)
        ;
}

/* Most of them kept back until the next one. */
static void send_batches(struct cell_conn *c)
{
    for (uint32_t i = 1; (i % 5 ? send_more_next(c, i) : send_next(c, i)) == CELL_OK; i++)
        ;
}

/* What the survivor does `n` times, with the i-th frame. */
static int ask_by_flush(struct cell_conn *c, uint32_t i)
{
    int r = send_more_next(c, i);
    if (r == CELL_OK)
        r = cell_conn_flush(c, deadline_in(60000), &failure);
    return r == CELL_OK ? recv_next(c, i) : r;
}
static int ask(struct cell_conn *c, uint32_t i)
{
    int r = send_next(c, i);
    return r == CELL_OK ? recv_next(c, i) : r;
}

struct play {
    void (*victim)(struct cell_conn *);
    int (*survivor)(struct cell_conn *, uint32_t);
};
static const struct play plays[] = {
    {answer, ask},          {only_send, recv_next},    {only_receive, send_next},
    {answer, ask_by_flush}, {send_batches, recv_next}, {only_receive, send_more_next},
};
#define PLAYS (sizeof(plays) / sizeof(plays[0]))

/* The process that will be killed: a client, or the server of a listener that it has inherited. */
static pid_t start(struct ends *x, bool client, void (*victim)(struct cell_conn *))
{
    struct cell_connect_options o = {.deadline_ns = CELL_NO_DEADLINE, .max_payload = CELL_MAX_MESSAGE};
    struct cell_conn *c = NULL;
    fflush(stdout);
    pid_t child = fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int r = client ? T.connect(x->address, &o, &c, &failure) : accept_one(x->listener, CELL_MAX_MESSAGE, &c);
    if (r == CELL_OK)
        victim(c);
    for (;;)
        pause();
}

/* Goes on with the dead one until that is noticed. */
static void outlive(struct cell_conn *c, const struct play *play, uint32_t next)
{
    int r = CELL_OK;
    for (unsigned i = 0; r == CELL_OK && i < 10000; i++)
        r = play->survivor(c, next++);
    CHECK(r == CELL_UNAVAILABLE);
    CHECK(cell_conn_readable(c));
    CHECK(send_seeded(c, 1, 1, deadline_in(60000)) == CELL_UNAVAILABLE);
}

/* False when the test should not go on. */
static bool kill_one(struct ends *x, bool client, const struct play *play, unsigned frames)
{
    struct cell_connect_options o = {.deadline_ns = deadline_in(60000), .max_payload = CELL_MAX_MESSAGE};
    struct cell_conn *c = NULL, *left = NULL;
    int status;
    pid_t child = start(x, client, play->victim);
    if (child < 0)
        return false;
    int r = client ? accept_one(x->listener, CELL_MAX_MESSAGE, &c) : T.connect(x->address, &o, &c, &failure);
    CHECK(r == CELL_OK);
    uint32_t next = 1;
    for (; r == CELL_OK && next <= frames; next++)
        r = play->survivor(c, next);
    CHECK(r == CELL_OK);
    kill(child, SIGKILL);
    if (r == CELL_OK && client)
        outlive(c, play, next); /* while it dies */
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    if (!client) { /* it may have died before it accepted */
        while (T.accept(x->listener, 4096, &left, &failure) == CELL_OK)
            cell_conn_close(left);
        if (r == CELL_OK)
            outlive(c, play, next);
    }
    cell_conn_close(c);
    return r == CELL_OK;
}

static void kill_many(bool client)
{
    struct ends x = {.raw = -1};
    uint32_t random = client ? 1 : 2;
    new_address(x.address);
    unsigned descriptors = open_descriptors(), mappings = shared_mappings();
    REQUIRE(T.listen(x.address, -1, &x.listener, &failure) == CELL_OK);
    unsigned listening = open_descriptors();
    for (unsigned i = 0; i < KILLS; i++) {
        const struct play *play = &plays[i % PLAYS];
        if (!kill_one(&x, client, play, draw(&random) % MOST_FRAMES))
            break;
        if (i % 32 == 0)
            CHECK(open_descriptors() == listening && shared_mappings() == mappings);
    }
    struct cell_conn *c = NULL, *s = NULL; /* the next one works */
    CHECK(join_ends(x.address, x.listener, 4096, &c, &s));
    CHECK(c && send_next(c, 1) == CELL_OK && recv_next(s, 1) == CELL_OK);
    cell_conn_close(c);
    cell_conn_close(s);
    T.listener_close(x.listener);
    CHECK(open_descriptors() == descriptors && shared_mappings() == mappings);
}

TEST(a_server_outlives_its_clients) { kill_many(true); }
TEST(a_client_outlives_its_servers) { kill_many(false); }

/* ---- killed while the other waits ---- */

static void do_nothing(struct cell_conn *c)
{
    recv_next(c, 1);
    send_next(c, 1);
    for (;;)
        pause();
}

/* A survivor that is settled with a child that does nothing; a second child kills that one some time after the survivor
 * has begun to wait. */
static pid_t wait_for_death(struct ends *x, pid_t *killer)
{
    memset(x, 0, sizeof(*x));
    x->raw = -1;
    new_address(x->address);
    if (T.listen(x->address, -1, &x->listener, &failure) < 0)
        return -1;
    pid_t child = start(x, true, do_nothing);
    if (accept_one(x->listener, CELL_MAX_MESSAGE, &x->server) < 0 || ask(x->server, 1) < 0)
        return -1;
    fflush(stdout);
    *killer = fork();
    if (*killer == 0) {
        const struct timespec pause_a_moment = {.tv_nsec = 5000000};
        nanosleep(&pause_a_moment, NULL);
        kill(child, SIGKILL);
        _exit(0);
    }
    return child;
}

static void reap(pid_t child, pid_t killer)
{
    int status;
    CHECK(waitpid(killer, &status, 0) == killer && status == 0);
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
}

TEST(a_receiver_that_waits_is_told)
{
    struct ends x;
    pid_t killer, child = wait_for_death(&x, &killer);
    REQUIRE(child > 0 && killer > 0);
    CHECK(recv_next(x.server, 2) == CELL_UNAVAILABLE);
    CHECK_STR(failure.text, "closed");
    reap(child, killer);
    close_ends(&x);
}

TEST(a_poller_is_told)
{
    struct ends x;
    pid_t killer, child = wait_for_death(&x, &killer);
    REQUIRE(child > 0 && killer > 0);
    struct pollfd p = {.fd = cell_conn_fd(x.server), .events = POLLIN};
    while (!cell_conn_readable(x.server))
        CHECK(poll(&p, 1, 60000) == 1);
    CHECK(recv_seeded(x.server, 2, 0, 0) == CELL_UNAVAILABLE);
    reap(child, killer);
    close_ends(&x);
}

TEST(a_sender_that_waits_for_room_is_told)
{
    static const size_t lengths[] = {8, 3000, CELL_MAX_MESSAGE};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        struct ends x;
        pid_t killer, child = wait_for_death(&x, &killer);
        int r = CELL_OK;
        REQUIRE(child > 0 && killer > 0);
        while (r == CELL_OK)
            r = send_seeded(x.server, 2, lengths[i], deadline_in(60000));
        CHECK(r == CELL_UNAVAILABLE);
        reap(child, killer);
        close_ends(&x);
    }
}
