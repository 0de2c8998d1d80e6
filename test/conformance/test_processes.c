/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Peers in other processes and threads: killed, forked, many. */
#include "unit/test.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance/conformance.h"
#include "wire/limits.h"

static bool ended(pid_t child, int expected)
{
    int status;
    return waitpid(child, &status, 0) == child && status == expected;
}

/* A child that connects to `address`, sends a frame of 10 bytes and then runs `rest`. */
static pid_t start_client(const char *address, void (*rest)(struct cell_conn *))
{
    struct cell_connect_options o = {.deadline_ns = CELL_NO_DEADLINE, .max_payload = CELL_MAX_MESSAGE};
    struct cell_conn *c = NULL;
    fflush(stdout);
    pid_t child = fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (T.connect(address, &o, &c, &failure) < 0 || send_seeded(c, 1, 10, CELL_NO_DEADLINE) < 0)
        _exit(99);
    rest(c);
    _exit(0);
}

static void wait_for_ever(struct cell_conn *c)
{
    (void)c;
    for (;;)
        pause();
}

static void send_without_end(struct cell_conn *c)
{
    for (uint32_t i = 2; send_seeded(c, i, CELL_MAX_MESSAGE, CELL_NO_DEADLINE) == CELL_OK; i++)
        ;
}

static bool listen_only(struct ends *x)
{
    memset(x, 0, sizeof(*x));
    x->raw = -1;
    new_address(x->address);
    return T.listen(x->address, -1, &x->listener, &failure) == CELL_OK;
}

TEST(a_killed_peer_is_the_end_of_the_connection)
{
    struct ends x;
    REQUIRE(listen_only(&x));
    pid_t child = start_client(x.address, wait_for_ever);
    REQUIRE(child > 0 && accept_one(x.listener, 4096, &x.server) == CELL_OK);
    CHECK(recv_seeded(x.server, 1, 10, deadline_in(60000)) == CELL_OK);
    CHECK(!cell_conn_readable(x.server));
    kill(child, SIGKILL);
    CHECK(recv_seeded(x.server, 2, 10, deadline_in(60000)) == CELL_UNAVAILABLE);
    CHECK_STR(failure.text, "closed");
    CHECK(ended(child, SIGKILL));
    CHECK(send_seeded(x.server, 2, 10, deadline_in(60000)) == CELL_UNAVAILABLE);
    close_ends(&x);
}

TEST(a_peer_killed_while_it_sends_is_an_end_in_the_middle)
{
    struct ends x;
    REQUIRE(listen_only(&x));
    pid_t child = start_client(x.address, send_without_end);
    REQUIRE(child > 0 && accept_one(x.listener, CELL_MAX_MESSAGE, &x.server) == CELL_OK);
    CHECK(recv_seeded(x.server, 1, 10, deadline_in(60000)) == CELL_OK);
    CHECK(recv_seeded(x.server, 2, CELL_MAX_MESSAGE, deadline_in(60000)) == CELL_OK);
    /* The next frame has begun, and is larger than what any transport holds: not all of it has been sent. */
    struct pollfd p = {.fd = cell_conn_fd(x.server), .events = POLLIN};
    CHECK(poll(&p, 1, 60000) == 1);
    kill(child, SIGKILL);
    CHECK(ended(child, SIGKILL));
    CHECK(recv_seeded(x.server, 3, CELL_MAX_MESSAGE, deadline_in(60000)) == CELL_UNAVAILABLE);
    CHECK(strcmp(failure.text, "closed") != 0);
    close_ends(&x);
}

TEST(sending_to_a_killed_peer_fails_without_a_signal)
{
    struct ends x;
    int r = CELL_OK;
    REQUIRE(listen_only(&x));
    pid_t child = start_client(x.address, wait_for_ever);
    REQUIRE(child > 0 && accept_one(x.listener, 4096, &x.server) == CELL_OK);
    kill(child, SIGKILL);
    CHECK(ended(child, SIGKILL));
    for (uint32_t i = 0; i < 64 && r == CELL_OK; i++)
        r = send_seeded(x.server, i, 1u << 20, deadline_in(60000));
    CHECK(r == CELL_UNAVAILABLE);
    close_ends(&x);
}

TEST(a_fork_that_closes_its_copy_ends_nothing)
{
    struct ends x;
    REQUIRE(open_ends(&x, 4096));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        cell_conn_close(x.client);
        cell_conn_close(x.server);
        T.listener_close(x.listener);
        _exit(0);
    }
    REQUIRE(child > 0);
    CHECK(ended(child, 0));
    CHECK(send_seeded(x.client, 1, 100, deadline_in(60000)) == CELL_OK);
    CHECK(recv_seeded(x.server, 1, 100, deadline_in(60000)) == CELL_OK);
    struct cell_conn *client = NULL, *server = NULL;
    CHECK(join_ends(x.address, x.listener, 4096, &client, &server));
    cell_conn_close(client);
    cell_conn_close(server);
    close_ends(&x);
}

TEST(a_connection_may_go_on_in_a_fork)
{
    struct ends x;
    if (conformance.ends_with_a_fork)
        return;
    REQUIRE(open_ends(&x, CELL_MAX_MESSAGE));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(recv_seeded(x.server, 1, 1u << 20, CELL_NO_DEADLINE) < 0 ||
              send_seeded(x.server, 2, 1u << 20, CELL_NO_DEADLINE) < 0);
    REQUIRE(child > 0);
    cell_conn_close(x.server);
    x.server = NULL;
    CHECK(send_seeded(x.client, 1, 1u << 20, deadline_in(60000)) == CELL_OK);
    CHECK(recv_seeded(x.client, 2, 1u << 20, deadline_in(60000)) == CELL_OK);
    CHECK(ended(child, 0));
    CHECK(recv_seeded(x.client, 3, 0, deadline_in(60000)) == CELL_UNAVAILABLE);
    close_ends(&x);
}

/* What a fork's copy of a connection says that belongs to another process. 0 = what it has to. */
static int try_copy(struct cell_conn *c)
{
    int wrong = send_seeded(c, 8, 10, CELL_NO_DEADLINE) != CELL_UNAVAILABLE;
    wrong |= recv_seeded(c, 8, 10, CELL_NO_DEADLINE) != CELL_UNAVAILABLE;
    wrong |= !cell_conn_readable(c);
    cell_conn_interrupt(c);
    cell_conn_close(c);
    return wrong;
}

TEST(a_connection_may_belong_to_one_process)
{
    struct ends x;
    if (!conformance.ends_with_a_fork)
        return;
    REQUIRE(open_ends(&x, CELL_MAX_MESSAGE));
    CHECK(send_seeded(x.client, 1, 1u << 20, deadline_in(60000)) == CELL_OK);
    CHECK(recv_seeded(x.server, 1, 1u << 20, deadline_in(60000)) == CELL_OK);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) /* the memory is not even there */
        _exit(try_copy(x.client) + try_copy(x.server) + (shared_mappings() != 0));
    REQUIRE(child > 0);
    CHECK(ended(child, 0));
    CHECK(send_seeded(x.client, 2, 1u << 20, deadline_in(60000)) == CELL_OK);
    CHECK(recv_seeded(x.server, 2, 1u << 20, deadline_in(60000)) == CELL_OK);
    CHECK(send_seeded(x.server, 3, 10, deadline_in(60000)) == CELL_OK);
    CHECK(recv_seeded(x.client, 3, 10, deadline_in(60000)) == CELL_OK);
    close_ends(&x);
}

/* The end is seen although a fork's copy keeps the descriptors. */
TEST(a_copy_keeps_no_connection_open_that_belongs_to_another)
{
    struct ends x;
    int hold[2];
    if (!conformance.ends_with_a_fork)
        return;
    REQUIRE(open_ends(&x, 4096) && pipe(hold) == 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        close(hold[1]);
        _exit(read(hold[0], &byte, 1) != 0);
    }
    REQUIRE(child > 0);
    cell_conn_close(x.client);
    x.client = NULL;
    CHECK(recv_seeded(x.server, 1, 1, deadline_in(60000)) == CELL_UNAVAILABLE);
    close(hold[0]);
    close(hold[1]);
    CHECK(ended(child, 0));
    close_ends(&x);
}

TEST(the_peer_is_known_by_the_kernels_word)
{
    struct ends x;
    struct cell_peer peer = {0};
    REQUIRE(open_ends(&x, 4096));
    cell_conn_peer(x.client, &peer);
    CHECK(peer.pid == getpid() && peer.uid == geteuid() && peer.gid == getegid());
    memset(&peer, 0, sizeof(peer));
    cell_conn_peer(x.server, &peer);
    CHECK(peer.pid == getpid() && peer.uid == geteuid() && peer.gid == getegid());
    pid_t child = start_client(x.address, wait_for_ever);
    struct cell_conn *c = NULL;
    REQUIRE(child > 0 && accept_one(x.listener, 4096, &c) == CELL_OK);
    cell_conn_peer(c, &peer);
    CHECK(peer.pid == child && peer.uid == geteuid());
    kill(child, SIGKILL);
    CHECK(ended(child, SIGKILL));
    cell_conn_peer(c, &peer);
    CHECK(peer.pid == child); /* also when it is gone */
    cell_conn_close(c);
    close_ends(&x);
}

TEST(descriptors_are_not_inherited_by_programs)
{
    struct ends x;
    REQUIRE(open_ends(&x, 4096));
    CHECK(fcntl(cell_conn_fd(x.client), F_GETFD) & FD_CLOEXEC);
    CHECK(fcntl(cell_conn_fd(x.server), F_GETFD) & FD_CLOEXEC);
    CHECK(fcntl(T.listener_fd(x.listener), F_GETFD) & FD_CLOEXEC);
    close_ends(&x);
}

/* ---- eight clients, eight servers ---- */

#define THREADS 8
#define ROUNDS 300u

struct party {
    struct cell_conn *conn;
    const char *address;
    struct cell_listener *listener;
    uint32_t seed;
};

static size_t length_of(uint32_t seed) { return (seed * 2654435761u >> 16) % 20000; }

static void *call_often(void *arg)
{
    struct party *p = arg;
    struct cell_connect_options o = {.deadline_ns = CELL_NO_DEADLINE, .max_payload = CELL_MAX_MESSAGE};
    struct cell_conn *c = NULL;
    int r = T.connect(p->address, &o, &c, &failure);
    for (uint32_t i = 0; r == CELL_OK && i < ROUNDS; i++) {
        uint32_t seed = p->seed + i;
        r = send_seeded(c, seed, length_of(seed), CELL_NO_DEADLINE);
        if (r == CELL_OK)
            r = recv_seeded(c, seed, length_of(seed), deadline_in(60000));
    }
    cell_conn_close(c);
    return r == CELL_OK ? NULL : arg;
}

static void *answer_all(void *arg)
{
    struct party *p = arg;
    struct cell_received received;
    while (cell_conn_recv(p->conn, &received, CELL_NO_DEADLINE, &failure) == CELL_OK) {
        const struct iovec parts[2] = {{(void *)(uintptr_t)received.meta, received.frame.meta_len},
                                       {(void *)(uintptr_t)received.message, received.message_len}};
        if (cell_conn_send(p->conn, &received.frame, parts, 2, CELL_NO_DEADLINE, &failure) < 0)
            break;
    }
    cell_conn_close(p->conn);
    return NULL;
}

TEST(eight_clients_and_eight_servers_do_not_mix)
{
    struct ends x;
    struct party clients[THREADS], servers[THREADS];
    pthread_t calling[THREADS], answering[THREADS];
    unsigned before = open_descriptors();
    REQUIRE(listen_only(&x));
    for (uint32_t i = 0; i < THREADS; i++) {
        clients[i] = (struct party){.address = x.address, .seed = i << 16};
        REQUIRE(pthread_create(&calling[i], NULL, call_often, &clients[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        REQUIRE(accept_one(x.listener, CELL_MAX_MESSAGE, &servers[i].conn) == CELL_OK);
        REQUIRE(pthread_create(&answering[i], NULL, answer_all, &servers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        CHECK(pthread_join(calling[i], &wrong) == 0 && wrong == NULL);
    }
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(answering[i], NULL) == 0);
    close_ends(&x);
    CHECK(open_descriptors() == before);
}

static void *connect_often(void *arg)
{
    struct party *p = arg;
    struct cell_connect_options o = {.deadline_ns = CELL_NO_DEADLINE, .max_payload = 4096};
    int r = CELL_OK;
    for (uint32_t i = 0; r == CELL_OK && i < 100; i++) {
        struct cell_conn *c = NULL;
        r = T.connect(p->address, &o, &c, &failure);
        if (r == CELL_OK)
            r = recv_seeded(c, 1, 10, deadline_in(60000));
        cell_conn_close(c);
    }
    return r == CELL_OK ? NULL : arg;
}

TEST(eight_threads_may_connect_to_one_listener)
{
    struct ends x;
    struct party p[THREADS];
    pthread_t threads[THREADS];
    REQUIRE(listen_only(&x));
    for (int i = 0; i < THREADS; i++) {
        p[i] = (struct party){.address = x.address};
        REQUIRE(pthread_create(&threads[i], NULL, connect_often, &p[i]) == 0);
    }
    for (int i = 0; i < THREADS * 100; i++) {
        struct cell_conn *c = NULL;
        REQUIRE(accept_one(x.listener, 4096, &c) == CELL_OK);
        CHECK(send_seeded(c, 1, 10, deadline_in(60000)) == CELL_OK);
        cell_conn_close(c);
    }
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        CHECK(pthread_join(threads[i], &wrong) == 0 && wrong == NULL);
    }
    close_ends(&x);
}
