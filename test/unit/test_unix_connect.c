/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What is particular to connecting to Unix sockets: paths, owners, queues. For the rest see test/conformance. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "transport/unix.h"
#include "unix_paths.h"

TEST(what_is_no_address_is_refused)
{
    static const char *const bad[] = {"", "unix:", "tcp:x", "/run/x", "unix", "UNIX:/x"};
    struct cell_connect_options o = {.deadline_ns = CELL_NO_DEADLINE};
    struct cell_conn *c = NULL;
    struct cell_listener *l = NULL;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(T.connect(bad[i], &o, &c, &e) == CELL_INVALID_ARGUMENT);
        CHECK(strstr(e.text, "look like unix:/path") != NULL);
        CHECK(T.listen(bad[i], -1, &l, NULL) == CELL_INVALID_ARGUMENT);
    }
    CHECK(T.connect(NULL, &o, &c, NULL) == CELL_INVALID_ARGUMENT);
    CHECK(c == NULL && l == NULL);
    CHECK(cell_transport_find("unix:/x") == &T && !cell_transport_find("tcp:x") && !cell_transport_find(NULL));
}

TEST(each_reason_not_to_connect_has_its_sentence)
{
    struct cell_conn *c = NULL;
    char expected[256];
    unsigned before;
    make_stale(at("stale"));
    close(open(at("file"), O_CREAT | O_WRONLY, 0600));
    int datagrams = raw_bind(at("datagrams"), SOCK_DGRAM);
    before = open_descriptors();
    CHECK(connect_to(at("none"), 1000, false, &c) == CELL_UNAVAILABLE);
    snprintf(expected, sizeof(expected), "no socket at %s: nobody listens there", at("none"));
    CHECK_STR(e.text, expected);
    CHECK(connect_to(at("file/below"), 1000, false, &c) == CELL_UNAVAILABLE);
    CHECK(connect_to(at("stale"), 1000, false, &c) == CELL_UNAVAILABLE);
    snprintf(expected, sizeof(expected), "nobody accepts on %s", at("stale"));
    CHECK_STR(e.text, expected);
    CHECK(connect_to(at("file"), 1000, false, &c) == CELL_INVALID_ARGUMENT);
    CHECK(strstr(e.text, "is not a socket") != NULL);
    CHECK(connect_to(at("datagrams"), 1000, false, &c) == CELL_INVALID_ARGUMENT);
    CHECK(strstr(e.text, "is not a stream socket") != NULL);
    CHECK(symlink("loop", at("loop")) == 0 && connect_to(at("loop"), 1000, false, &c) == CELL_INVALID_ARGUMENT);
    CHECK(c == NULL);
    CHECK(open_descriptors() == before);
    close(datagrams);
}

TEST(only_sockets_of_this_user_or_root_are_connected_to)
{
    struct cell_listener *l = NULL;
    struct cell_conn *c = NULL;
    if (geteuid() != 0)
        return; /* only root can give a socket away */
    REQUIRE(listen_on(at("given"), &l) == CELL_OK);
    CHECK(reaches(at("given"), l));
    REQUIRE(lchown(at("given"), NOBODY, NOBODY) == 0);
    CHECK(connect_to(at("given"), 1000, false, &c) == CELL_PERMISSION_DENIED);
    CHECK(strstr(e.text, "belongs to another user (uid 65534)") != NULL);
    /* Nothing was even tried: nobody waits to be accepted. */
    struct cell_conn *s = NULL;
    CHECK(T.accept(l, 4096, &s, &e) == CELL_UNAVAILABLE);
    CHECK(connect_to(at("given"), 1000, true, &c) == CELL_OK);
    cell_conn_close(c);
    T.listener_close(l);
}

TEST(a_socket_that_only_looks_like_ours_is_left)
{
    int up[2], down[2];
    char byte = 0;
    struct cell_conn *c = NULL;
    if (geteuid() != 0)
        return; /* only root can become somebody else */
    REQUIRE(pipe2(up, O_CLOEXEC) == 0 && pipe2(down, O_CLOEXEC) == 0);
    int fd = raw_bind(at("foreign"), SOCK_STREAM); /* root's file; who listens is what the kernel reports */
    pid_t child = fork();
    if (child == 0) {
        close(down[1]);
        if (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0 || listen(fd, 5) < 0 ||
            write(up[1], "x", 1) != 1)
            _exit(1);
        _exit(read(down[0], &byte, 1) != 0);
    }
    REQUIRE(child > 0);
    close(up[1]);
    CHECK(read(up[0], &byte, 1) == 1);
    unsigned before = open_descriptors();
    CHECK(connect_to(at("foreign"), 1000, false, &c) == CELL_PERMISSION_DENIED);
    CHECK(strstr(e.text, "another user (uid 65534)") != NULL);
    CHECK(open_descriptors() == before);
    CHECK(connect_to(at("foreign"), 1000, true, &c) == CELL_OK);
    cell_conn_close(c);
    close(down[1]);
    CHECK(waitpid(child, NULL, 0) == child);
    close(down[0]);
    close(up[0]);
    close(fd);
}

static void ignore(int signal) { (void)signal; }

/* Every millisecond a signal that interrupts system calls. */
static void interrupt_often(bool on)
{
    const struct itimerval t = {{0, on ? 1000 : 0}, {0, on ? 1000 : 0}};
    const struct sigaction a = {.sa_handler = on ? ignore : SIG_DFL};
    if (on)
        sigaction(SIGALRM, &a, NULL);
    setitimer(ITIMER_REAL, &t, NULL);
    if (!on)
        sigaction(SIGALRM, &a, NULL);
}

TEST(a_full_queue_is_waited_for_until_the_deadline)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct cell_conn *c = NULL;
    int waiting[64], n = 0;
    int l = raw_listen(at("full"), 1);
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", at("full"));
    for (; n < 64; n++) {
        waiting[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (connect(waiting[n], (struct sockaddr *)&a, sizeof(a)) < 0)
            break;
    }
    REQUIRE(n < 64);
    CHECK(errno == EAGAIN);
    unsigned before = open_descriptors();
    uint64_t start = cell_now_ns();
    CHECK(connect_to(at("full"), 50, false, &c) == CELL_DEADLINE_EXCEEDED);
    CHECK(cell_now_ns() - start >= 50 * CELL_NS_PER_MS);
    CHECK(strstr(e.text, "waiting for") != NULL);
    CHECK(connect_to(at("full"), 0, false, &c) == CELL_DEADLINE_EXCEEDED);
    interrupt_often(true);
    CHECK(connect_to(at("full"), 50, false, &c) == CELL_DEADLINE_EXCEEDED);
    interrupt_often(false);
    CHECK(open_descriptors() == before);
    while (n >= 0)
        close(waiting[n--]);
    close(l);
}

static void *accept_all(void *arg)
{
    int *l = arg;
    for (int fd; (fd = accept(*l, NULL, NULL)) >= 0;)
        close(fd);
    return NULL;
}

TEST(a_connection_that_had_to_wait_begins_as_any_other)
{
    enum { N = 40 };
    struct cell_conn *c[N] = {0};
    pthread_t thread;
    int l = raw_listen(at("busy"), 1), connected = 0;
    REQUIRE(pthread_create(&thread, NULL, accept_all, &l) == 0);
    for (int i = 0; i < N; i++) {
        struct timeval t = {.tv_sec = 1};
        socklen_t len = sizeof(t);
        if (connect_to(at("busy"), 30000, false, &c[i]) < 0)
            continue;
        connected++;
        CHECK(!(fcntl(cell_conn_fd(c[i]), F_GETFL) & O_NONBLOCK));
        CHECK(fcntl(cell_conn_fd(c[i]), F_GETFD) & FD_CLOEXEC);
        CHECK(getsockopt(cell_conn_fd(c[i]), SOL_SOCKET, SO_SNDTIMEO, &t, &len) == 0 && t.tv_sec == 0 &&
              t.tv_usec == 0);
    }
    CHECK(connected == N);
    for (int i = 0; i < N; i++)
        cell_conn_close(c[i]);
    shutdown(l, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(l);
}

TEST(paths_of_any_length_work)
{
    static const size_t lengths[][2] = {{107, 10},  {108, 10},  {109, 10},  {150, 80},   {150, 100}, {300, 85},
                                        {400, 107}, {400, 120}, {500, 255}, {4000, 255}, {4095, 20}};
    struct cell_listener *l = NULL, *second = NULL;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        const char *path = long_path(lengths[i][0], lengths[i][1]);
        unsigned before = open_descriptors();
        REQUIRE(strlen(path) == lengths[i][0]);
        int r = listen_on(path, &l);
        CHECK(r == CELL_OK);
        if (r < 0) {
            printf("# %zu: %s\n", lengths[i][0], e.text);
            continue;
        }
        CHECK(mode_of(path) == 0600);
        CHECK(reaches(path, l));
        CHECK(listen_on(path, &second) == CELL_ALREADY_EXISTS);
        T.listener_close(l);
        CHECK(!exists(path));
        CHECK(open_descriptors() == before);
    }
}

TEST(paths_that_cannot_exist_are_refused)
{
    struct cell_listener *l = NULL;
    struct cell_conn *c = NULL;
    CHECK(listen_on(long_path(400, 256), &l) == CELL_INVALID_ARGUMENT);
    CHECK(strstr(e.text, "cannot listen on") != NULL);
    CHECK(connect_to(long_path(400, 256), 1000, false, &c) == CELL_INVALID_ARGUMENT);
    CHECK(connect_to(long_path(4300, 20), 1000, false, &c) == CELL_INVALID_ARGUMENT);
    CHECK(listen_on(long_path(4300, 20), &l) < 0);
    CHECK(connect_to(long_path(400, 200), 1000, false, &c) == CELL_UNAVAILABLE);
    CHECK(l == NULL && c == NULL);
}

TEST(what_a_small_frame_held_is_not_left_in_memory)
{
    static const char secret[] = "correct horse battery staple";
    const struct cell_frame first = {.kind = CELL_FRAME_CALL, .length = sizeof(secret), .id = 1};
    const struct cell_frame second = {.kind = CELL_FRAME_CANCEL, .id = 1};
    const struct iovec v = {(void *)(uintptr_t)secret, sizeof(secret)};
    struct cell_conn *from = NULL, *to = NULL;
    struct cell_received received, after;
    int fds[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    REQUIRE(cell_unix_conn_new(fds[0], 1000, &from, &e) == CELL_OK);
    REQUIRE(cell_unix_conn_new(fds[1], 1000, &to, &e) == CELL_OK);
    CHECK(cell_conn_send(from, &first, &v, 1, CELL_NO_DEADLINE, &e) == CELL_OK);
    CHECK(cell_conn_send(from, &second, NULL, 0, CELL_NO_DEADLINE, &e) == CELL_OK);
    REQUIRE(cell_conn_recv(to, &received, CELL_NO_DEADLINE, &e) == CELL_OK);
    CHECK(memcmp(received.message, secret, sizeof(secret)) == 0);
    REQUIRE(cell_conn_recv(to, &after, CELL_NO_DEADLINE, &e) == CELL_OK && after.frame.kind == CELL_FRAME_CANCEL);
    REQUIRE(after.message == received.message); /* the same buffer, which is larger than both frames */
    for (size_t i = 0; i < sizeof(secret) + CELL_FRAME_HEADER; i++)
        CHECK(after.message[i] == 0);
    cell_conn_close(from);
    cell_conn_close(to);
}

TEST(nothing_is_closed_without_harm)
{
    T.listener_close(NULL);
    cell_conn_close(NULL);
}
