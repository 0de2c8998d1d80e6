/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Passed sockets, notifications, the watchdog, signals: what a supervisor does with a server. */
#include "call_fixture.h"

/* A listening socket at the test's address. */
static int listening(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", demo_address + 5);
    CHECK(bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 5) == 0);
    return fd;
}

/* Runs a server in a process that has `fd` as descriptor 3 (-1 = none), as a supervisor would start it. */
static pid_t supervised(int fd, const char *listen_fds)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    char number[32];
    struct demo_server d = {0};
    if (fd >= 0 && fd != 3)
        dup2(fd, 3);
    snprintf(number, sizeof(number), "%d", (int)getpid());
    if (listen_fds) {
        setenv("LISTEN_PID", number, 1);
        setenv("LISTEN_FDS", listen_fds, 1);
        d.options.address = "unix:/nonexistent/elsewhere.sock"; /* what was passed counts */
    }
    if (getenv("WATCHDOG_USEC"))
        setenv("WATCHDOG_PID", number, 1);
    demo_new(&d);
    int r = cell_server_run(d.server);
    _exit(r == CELL_OK ? 0 : r == CELL_INVALID_ARGUMENT ? 3 : 2);
}

TEST(a_passed_socket_is_served_and_left_in_place)
{
    struct cell_client *client = NULL;
    int32_t sum;
    demo_setup();
    free(embed_schema(&demo, demo_fingerprint));
    int fd = listening();
    cell_ctx *c = demo_ctx(&client);
    for (int i = 0; i < 2; i++) { /* the second one takes over where the first one left */
        pid_t pid = supervised(fd, "1");
        CHECK(call_add(c, 40, i, &sum) == 0 && sum == 40 + i);
        kill(pid, SIGTERM);
        CHECK(demo_wait(pid) == 0);
        CHECK(access(demo_address + 5, F_OK) == 0);
    }
    CHECK(WEXITSTATUS(demo_wait(supervised(fd, "2"))) == 3);
    close(fd);
    cell_ctx_close(c);
    cell_client_close(client);
    demo_teardown();
}

static void expect_note(int fd, const char *text)
{
    char note[64] = "";
    ssize_t n = recv(fd, note, sizeof(note) - 1, 0);
    CHECK(n > 0);
    CHECK_STR(note, text);
}

static int notify_socket(const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct timeval limit = {.tv_sec = 60};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memcpy(a.sun_path, name, strlen(name));
    if (name[0] == '@')
        a.sun_path[0] = '\0';
    CHECK(bind(fd, (struct sockaddr *)&a,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) + (name[0] == '/'))) == 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static void notices(const char *name)
{
    int fd = notify_socket(name);
    pid_t pid = supervised(-1, NULL);
    expect_note(fd, "READY=1");
    int client = raw_connect(); /* ready means ready */
    close(client);
    kill(pid, SIGINT);
    expect_note(fd, "STOPPING=1");
    CHECK(demo_wait(pid) == 0);
    close(fd);
    unsetenv("NOTIFY_SOCKET");
}

TEST(readiness_and_stopping_are_told_also_to_abstract_sockets)
{
    char name[100];
    demo_setup();
    notices(temp_path("notify"));
    snprintf(name, sizeof(name), "@%s", temp_path("notify"));
    notices(name);
    setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1); /* nobody there: not the server's problem */
    pid_t pid = supervised(-1, NULL);
    while (access(demo_address + 5, F_OK) != 0)
        usleep(500);
    usleep(1000);
    while (kill(pid, SIGTERM) == 0 && waitpid(pid, &(int){0}, WNOHANG) == 0)
        usleep(1000);
    unsetenv("NOTIFY_SOCKET");
    demo_teardown();
}

TEST(the_watchdog_is_fed_when_it_is_asked_for)
{
    demo_setup();
    setenv("WATCHDOG_USEC", "20000", 1);
    int fd = notify_socket(temp_path("notify"));
    pid_t pid = supervised(-1, NULL);
    expect_note(fd, "READY=1");
    for (int i = 0; i < 3; i++)
        expect_note(fd, "WATCHDOG=1");
    kill(pid, SIGTERM);
    CHECK(demo_wait(pid) == 0);
    close(fd);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    unsetenv("NOTIFY_SOCKET");
    demo_teardown();
}

static volatile sig_atomic_t own_handler_ran;
static void own_handler(int signo)
{
    (void)signo;
    own_handler_ran = 1;
}

TEST(the_programs_own_signal_handlers_come_back_after_the_run)
{
    struct demo_server d = {0};
    struct sigaction own = {.sa_handler = own_handler}, before;
    demo_setup();
    sigaction(SIGTERM, &own, &before);
    demo_start(&d);
    kill(getpid(), SIGTERM); /* stops the server */
    pthread_join(d.thread, NULL);
    CHECK(d.result == CELL_OK && !own_handler_ran);
    raise(SIGTERM);
    CHECK(own_handler_ran);
    sigaction(SIGTERM, &before, NULL);
    demo_free(&d);
    demo_teardown();
}
