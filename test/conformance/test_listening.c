/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Addresses: who may listen where, what is replaced and what is left alone. */
#include "unit/test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance/conformance.h"

static int connect_to(const char *address, struct cell_conn **c)
{
    struct cell_connect_options o = {.deadline_ns = deadline_in(60000), .max_payload = 4096};
    return T.connect(address, &o, c, &failure);
}

/* A frame goes from a new client to the listener. */
static bool works(const char *address, struct cell_listener *l)
{
    struct cell_conn *c = NULL, *s = NULL;
    bool ok = join_ends(address, l, 4096, &c, &s) && send_seeded(c, 1, 10, deadline_in(60000)) == CELL_OK &&
              recv_seeded(s, 1, 10, deadline_in(60000)) == CELL_OK;
    cell_conn_close(c);
    cell_conn_close(s);
    return ok;
}

/* Leaves an address behind as a server does that is killed. */
static bool make_stale(const char *address)
{
    struct cell_listener *l = NULL;
    int status, ready[2];
    char byte = 0;
    if (pipe(ready) < 0)
        return false;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (T.listen(address, -1, &l, &failure) == CELL_OK && write(ready[1], "x", 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    close(ready[1]);
    bool ok = child > 0 && read(ready[0], &byte, 1) == 1;
    close(ready[0]);
    if (child > 0) {
        kill(child, SIGKILL);
        ok = waitpid(child, &status, 0) == child && ok;
    }
    return ok;
}

TEST(an_address_belongs_to_its_transport)
{
    char address[ADDRESS_SIZE];
    new_address(address);
    CHECK(cell_transport_find(address) == conformance.transport);
}

TEST(nobody_listens)
{
    char address[ADDRESS_SIZE];
    struct cell_conn *c = NULL;
    new_address(address);
    unsigned before = open_descriptors();
    CHECK(connect_to(address, &c) == CELL_UNAVAILABLE);
    CHECK(c == NULL && failure.status == CELL_UNAVAILABLE && failure.text[0]);
    CHECK(open_descriptors() == before);
}

TEST(nobody_waits_to_be_accepted)
{
    char address[ADDRESS_SIZE];
    struct cell_listener *l = NULL;
    struct cell_conn *c = NULL;
    new_address(address);
    REQUIRE(T.listen(address, -1, &l, &failure) == CELL_OK);
    struct pollfd p = {.fd = T.listener_fd(l), .events = POLLIN};
    CHECK(poll(&p, 1, 0) == 0);
    CHECK(T.accept(l, 4096, &c, &failure) == CELL_UNAVAILABLE);
    CHECK(T.accept(l, 4096, &c, NULL) == CELL_UNAVAILABLE);
    CHECK(c == NULL);
    CHECK(works(address, l));
    CHECK(T.accept(l, 4096, &c, &failure) == CELL_UNAVAILABLE);
    T.listener_close(l);
}

TEST(a_live_address_is_not_taken)
{
    char address[ADDRESS_SIZE];
    struct cell_listener *l = NULL, *second = NULL;
    new_address(address);
    REQUIRE(T.listen(address, -1, &l, &failure) == CELL_OK);
    unsigned before = open_descriptors();
    CHECK(T.listen(address, -1, &second, &failure) == CELL_ALREADY_EXISTS);
    CHECK(T.listen(address, -1, &second, NULL) == CELL_ALREADY_EXISTS);
    CHECK(second == NULL && open_descriptors() == before);
    /* Whoever looked whether somebody is there may have been connected; after that the first goes on. */
    struct cell_conn *c = NULL;
    while (T.accept(l, 4096, &c, &failure) == CELL_OK) {
        CHECK(recv_seeded(c, 1, 1, deadline_in(60000)) == CELL_UNAVAILABLE);
        cell_conn_close(c);
        c = NULL;
    }
    CHECK(works(address, l));
    T.listener_close(l);
}

TEST(a_stale_address_is_replaced)
{
    char address[ADDRESS_SIZE];
    struct cell_listener *l = NULL;
    struct cell_conn *c = NULL;
    new_address(address);
    for (int i = 0; i < 3; i++) {
        REQUIRE(make_stale(address));
        CHECK(connect_to(address, &c) == CELL_UNAVAILABLE);
        REQUIRE(T.listen(address, -1, &l, &failure) == CELL_OK);
        CHECK(works(address, l));
        T.listener_close(l);
        CHECK(connect_to(address, &c) == CELL_UNAVAILABLE);
    }
    CHECK(c == NULL);
}

TEST(what_is_no_listener_is_left_alone)
{
    char address[ADDRESS_SIZE];
    struct cell_listener *l = NULL;
    struct cell_conn *c = NULL;
    if (!conformance.occupy)
        return;
    new_address(address);
    REQUIRE(conformance.occupy(address));
    unsigned before = open_descriptors();
    CHECK(T.listen(address, -1, &l, &failure) == CELL_INVALID_ARGUMENT);
    CHECK(connect_to(address, &c) == CELL_INVALID_ARGUMENT);
    CHECK(l == NULL && c == NULL && conformance.occupied(address));
    CHECK(open_descriptors() == before);
}

TEST(the_longest_address_works)
{
    char address[ADDRESS_SIZE];
    struct cell_listener *l = NULL, *second = NULL;
    struct cell_conn *c = NULL;
    longest_address(address);
    REQUIRE(make_stale(address));
    REQUIRE(T.listen(address, -1, &l, &failure) == CELL_OK);
    CHECK(works(address, l));
    CHECK(T.listen(address, -1, &second, &failure) == CELL_ALREADY_EXISTS);
    T.listener_close(l);
    CHECK(connect_to(address, &c) == CELL_UNAVAILABLE);
}

TEST(an_address_can_be_used_again_and_again)
{
    char address[ADDRESS_SIZE];
    unsigned before = open_descriptors();
    new_address(address);
    for (int i = 0; i < 50; i++) {
        struct cell_listener *l = NULL;
        REQUIRE(T.listen(address, -1, &l, &failure) == CELL_OK);
        CHECK(works(address, l));
        T.listener_close(l);
    }
    CHECK(open_descriptors() == before);
}

TEST(connections_outlive_their_listener)
{
    struct ends x;
    struct cell_conn *c = NULL;
    REQUIRE(open_ends(&x, 4096));
    T.listener_close(x.listener);
    x.listener = NULL;
    CHECK(send_seeded(x.client, 1, 100, deadline_in(60000)) == CELL_OK);
    CHECK(recv_seeded(x.server, 1, 100, deadline_in(60000)) == CELL_OK);
    CHECK(connect_to(x.address, &c) == CELL_UNAVAILABLE);
    close_ends(&x);
}

TEST(those_who_wait_are_accepted_in_their_order)
{
    enum { N = 20 };
    char address[ADDRESS_SIZE];
    struct cell_listener *l = NULL;
    struct cell_conn *clients[N] = {0}, *c = NULL;
    new_address(address);
    REQUIRE(T.listen(address, -1, &l, &failure) == CELL_OK);
    for (uint32_t i = 0; i < N; i++) {
        REQUIRE(connect_to(address, &clients[i]) == CELL_OK); /* nobody has accepted it yet */
        CHECK(send_seeded(clients[i], i, 10, deadline_in(60000)) == CELL_OK);
    }
    cell_conn_close(clients[3]); /* what it has sent is still there */
    clients[3] = NULL;
    for (uint32_t i = 0; i < N; i++) {
        REQUIRE(T.accept(l, 4096, &c, &failure) == CELL_OK);
        CHECK(recv_seeded(c, i, 10, deadline_in(60000)) == CELL_OK);
        if (i == 3)
            CHECK(recv_seeded(c, i, 10, deadline_in(60000)) == CELL_UNAVAILABLE);
        cell_conn_close(c);
        cell_conn_close(clients[i]);
    }
    T.listener_close(l);
}

TEST(clients_that_were_never_accepted_see_the_end)
{
    char address[ADDRESS_SIZE];
    struct cell_listener *l = NULL;
    struct cell_conn *c = NULL;
    new_address(address);
    REQUIRE(T.listen(address, -1, &l, &failure) == CELL_OK);
    REQUIRE(connect_to(address, &c) == CELL_OK);
    T.listener_close(l);
    CHECK(recv_seeded(c, 1, 1, deadline_in(60000)) == CELL_UNAVAILABLE);
    cell_conn_close(c);
}

TEST(a_listening_descriptor_is_taken_over)
{
    char address[ADDRESS_SIZE];
    struct cell_listener *l = NULL, *heir = NULL;
    new_address(address);
    REQUIRE(T.listen(address, -1, &l, &failure) == CELL_OK);
    int fd = fcntl(T.listener_fd(l), F_DUPFD_CLOEXEC, 0);
    REQUIRE(fd >= 0);
    REQUIRE(T.listen(address, fd, &heir, &failure) == CELL_OK);
    CHECK(works(address, heir));
    T.listener_close(heir);
    CHECK(works(address, l)); /* the address is not the heir's to remove */
    T.listener_close(l);
}

TEST(errors_need_no_error_object)
{
    char address[ADDRESS_SIZE];
    struct cell_connect_options o = {.deadline_ns = CELL_NO_DEADLINE, .max_payload = 4096};
    struct cell_conn *c = NULL;
    struct cell_received received;
    struct ends x;
    new_address(address);
    CHECK(T.connect(address, &o, &c, NULL) == CELL_UNAVAILABLE);
    REQUIRE(open_ends(&x, 4096));
    CHECK(cell_conn_recv(x.server, &received, 0, NULL) == CELL_DEADLINE_EXCEEDED);
    cell_conn_interrupt(x.server);
    CHECK(cell_conn_recv(x.server, &received, 0, NULL) == CELL_CANCELLED);
    close_ends(&x);
    cell_conn_close(NULL);
    T.listener_close(NULL);
}
