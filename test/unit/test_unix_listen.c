/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What is particular to listening on Unix sockets: modes, folders, what is replaced. For the rest see test/conformance.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "unix_paths.h"

TEST(sockets_are_for_their_user_whatever_the_umask)
{
    static const mode_t masks[] = {0, 022, 077, 0777};
    struct cell_listener *l = NULL;
    at("");
    for (size_t i = 0; i < 4; i++) {
        mode_t old = umask(masks[i]);
        int r = listen_on(at("masked"), &l);
        umask(old);
        REQUIRE(r == CELL_OK);
        CHECK(mode_of(at("masked")) == 0600);
        CHECK(fcntl(T.listener_fd(l), F_GETFD) & FD_CLOEXEC);
        CHECK(fcntl(T.listener_fd(l), F_GETFL) & O_NONBLOCK);
        T.listener_close(l);
    }
}

TEST(missing_folders_are_made_private)
{
    struct cell_listener *l = NULL;
    REQUIRE(mkdir(at("open"), 0755) == 0 && chmod(at("open"), 0755) == 0);
    REQUIRE(listen_on(at("open/a/b/cell.sock"), &l) == CELL_OK);
    CHECK(mode_of(at("open/a")) == 0700 && mode_of(at("open/a/b")) == 0700 && mode_of(at("open")) == 0755);
    CHECK(reaches(at("open/a/b/cell.sock"), l));
    T.listener_close(l);
    CHECK(!exists(at("open/a/b/cell.sock")));
    close(open(at("plain"), O_CREAT | O_WRONLY, 0600));
    CHECK(listen_on(at("plain/cell.sock"), &l) == CELL_IO_ERROR);
    CHECK(listen_on(at("open/"), &l) == CELL_INVALID_ARGUMENT);
}

TEST(only_stale_sockets_are_replaced)
{
    struct cell_listener *l = NULL;
    int backlog = raw_listen(at("live"), 0), datagrams = raw_bind(at("dgram"), SOCK_DGRAM);
    struct cell_conn *c = NULL;
    unsigned before = open_descriptors();
    CHECK(listen_on(at("live"), &l) == CELL_ALREADY_EXISTS);
    CHECK(strstr(e.text, "somebody listens on") != NULL);
    CHECK(listen_on(at("live"), &l) == CELL_ALREADY_EXISTS); /* its queue is full of probes by now */
    CHECK(listen_on(at("dgram"), &l) == CELL_ALREADY_EXISTS);
    CHECK(mkdir(at("folder"), 0700) == 0 && symlink("live", at("link")) == 0);
    close(open(at("text"), O_CREAT | O_WRONLY, 0600));
    CHECK(listen_on(at("folder"), &l) == CELL_INVALID_ARGUMENT);
    CHECK(listen_on(at("link"), &l) == CELL_INVALID_ARGUMENT);
    CHECK(listen_on(at("text"), &l) == CELL_INVALID_ARGUMENT);
    CHECK(strstr(e.text, "is not a socket") != NULL);
    CHECK(exists(at("folder")) && exists(at("link")) && exists(at("text")) && exists(at("live")) &&
          exists(at("dgram")));
    CHECK(l == NULL && open_descriptors() == before);
    close(backlog);
    close(datagrams);
    CHECK(connect_to(at("live"), 1000, false, &c) == CELL_UNAVAILABLE);
    REQUIRE(listen_on(at("live"), &l) == CELL_OK);
    CHECK(reaches(at("live"), l));
    T.listener_close(l);
    CHECK(!exists(at("live")));
}

TEST(closing_removes_only_what_was_made)
{
    struct cell_listener *l = NULL;
    REQUIRE(listen_on(at("mine"), &l) == CELL_OK);
    REQUIRE(unlink(at("mine")) == 0);
    int other = raw_listen(at("mine"), 1);
    T.listener_close(l);
    CHECK(exists(at("mine")));
    close(other);

    REQUIRE(listen_on(at("forked"), &l) == CELL_OK);
    pid_t child = fork();
    if (child == 0) {
        T.listener_close(l);
        _exit(0);
    }
    CHECK(waitpid(child, NULL, 0) == child);
    CHECK(exists(at("forked")) && reaches(at("forked"), l));
    T.listener_close(l);
    CHECK(!exists(at("forked")));
}

TEST(closing_finds_its_file_from_another_folder)
{
    struct cell_listener *l = NULL;
    char here[4096], file[4500];
    REQUIRE(getcwd(here, sizeof(here)) != NULL);
    snprintf(file, sizeof(file), "%s/%s", here, at("moved"));
    REQUIRE(listen_on(at("moved"), &l) == CELL_OK);
    REQUIRE(chdir("/") == 0);
    T.listener_close(l);
    CHECK(!exists(file));
    REQUIRE(chdir(here) == 0);
}

TEST(stale_sockets_of_long_names_are_replaced)
{
    struct cell_listener *l = NULL;
    const char *path = long_path(600, 200);
    REQUIRE(listen_on(path, &l) == CELL_OK);
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    CHECK(waitpid(child, NULL, 0) == child);
    CHECK(shutdown(T.listener_fd(l), SHUT_RDWR) == 0); /* as if its process had died */
    struct cell_listener *next = NULL;
    REQUIRE(listen_on(path, &next) == CELL_OK);
    T.listener_close(l);
    CHECK(reaches(path, next)); /* closing the old one left the new one's file alone */
    T.listener_close(next);
    CHECK(!exists(path));
}

TEST(a_descriptor_of_a_supervisor_is_taken_over)
{
    struct cell_listener *l = NULL;
    int fd = raw_listen(at("passed"), 5);
    CHECK(fcntl(fd, F_SETFD, 0) == 0);
    REQUIRE(T.listen(address(at("passed")), fd, &l, &e) == CELL_OK);
    CHECK(T.listener_fd(l) == fd);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    struct cell_conn *c = NULL;
    CHECK(T.accept(l, 4096, &c, &e) == CELL_UNAVAILABLE); /* and does not block */
    CHECK(reaches(at("passed"), l));
    T.listener_close(l);
    CHECK(exists(at("passed"))); /* it is the supervisor's */
    CHECK(fcntl(fd, F_GETFD) < 0 && errno == EBADF);
}

TEST(descriptors_that_do_not_listen_are_not_taken)
{
    struct cell_listener *l = NULL;
    int pair[2], pipes[2], bound = raw_bind(at("bound"), SOCK_STREAM),
                           packets = raw_bind(at("packets"), SOCK_SEQPACKET);
    int inet = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* listening puts it on a port that is free */
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0 && pipe2(pipes, O_CLOEXEC) == 0);
    REQUIRE(listen(inet, 1) == 0 && listen(packets, 1) == 0);
    const int all[] = {pair[0], pair[1], pipes[0], pipes[1], inet, bound, packets, 9999};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        CHECK(T.listen("unix:x", all[i], &l, &e) == CELL_INVALID_ARGUMENT);
        CHECK(strstr(e.text, "is not a listening") != NULL);
        CHECK(all[i] == 9999 || (fcntl(all[i], F_GETFD) >= 0 && !(fcntl(all[i], F_GETFL) & O_NONBLOCK)));
        if (all[i] != 9999)
            close(all[i]);
    }
    CHECK(l == NULL);
}

TEST(of_servers_that_start_at_once_one_wins)
{
    enum { SERVERS = 8, ROUNDS = 20 };
    for (int round = 0; round < ROUNDS; round++) {
        int go[2], done[2], winners = 0, losers = 0;
        pid_t children[SERVERS];
        make_stale(at("race"));
        REQUIRE(pipe2(go, O_CLOEXEC) == 0 && pipe2(done, O_CLOEXEC) == 0);
        for (int i = 0; i < SERVERS; i++) {
            children[i] = fork();
            if (children[i] == 0) {
                struct cell_listener *l = NULL;
                char byte;
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                close(go[1]);
                if (read(go[0], &byte, 1) < 0) /* until the parent closes it */
                    _exit(2);
                int r = listen_on(at("race"), &l);
                byte = (char)(r == CELL_OK ? 'w' : r == CELL_ALREADY_EXISTS ? 'l' : '?');
                _exit(write(done[1], &byte, 1) == 1 && pause() == 0);
            }
            REQUIRE(children[i] > 0);
        }
        close(go[0]);
        close(go[1]);
        close(done[1]);
        for (int i = 0; i < SERVERS; i++) {
            char byte = 0;
            CHECK(read(done[0], &byte, 1) == 1);
            winners += byte == 'w';
            losers += byte == 'l';
        }
        CHECK(winners == 1 && losers == SERVERS - 1);
        close(done[0]);
        for (int i = 0; i < SERVERS; i++) {
            kill(children[i], SIGKILL);
            CHECK(waitpid(children[i], NULL, 0) == children[i]);
        }
        unlink(at("race"));
    }
}

TEST(a_folder_that_stays_locked_is_an_error)
{
    struct cell_listener *l = NULL;
    int fd = open(at(""), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    REQUIRE(fd >= 0 && flock(fd, LOCK_EX) == 0);
    CHECK(listen_on(at("later"), &l) == CELL_UNAVAILABLE);
    CHECK(strstr(e.text, "keeps the folder") != NULL && !exists(at("later")));
    close(fd);
    REQUIRE(listen_on(at("later"), &l) == CELL_OK);
    T.listener_close(l);
}
