/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What cells leave behind. A process whose parent has gone becomes a child of the nearest subreaper: the supervisor,
 * and when that was killed, its guard. Which cell it came from tells CELL_UP in its environment.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "supervisor.h"

#define MAX_ENVIRONMENT (1u << 20)

/* Calls `visit` with every child of this process; returns how many there are. */
static size_t each_child(void (*visit)(void *user, pid_t pid), void *user)
{
    FILE *f = fopen("/proc/thread-self/children", "re");
    size_t n = 0;
    long pid;

    for (; f && fscanf(f, "%ld", &pid) == 1; n++)
        visit(user, (pid_t)pid);
    if (f)
        fclose(f);
    return n;
}

static void send_signal(void *user, pid_t pid) { kill(pid, *(const int *)user); }

void sup_end_children(void)
{
    for (int round = 0; round < 120; round++) {
        struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
        int sig = round < 40 ? SIGTERM : SIGKILL;

        if (each_child(send_signal, &sig) == 0)
            return;
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        nanosleep(&pause, NULL);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
}

/* The value of CELL_UP in the environment that `pid` was started with, "" when it has none or may not be looked at. */
static void read_marker(pid_t pid, char *marker, size_t size)
{
    static const char key[] = "CELL_UP=";
    struct cell_buffer b = {0};
    char path[64], bytes[4096];
    ssize_t n;

    marker[0] = '\0';
    snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && b.len < MAX_ENVIRONMENT && (n = read(fd, bytes, sizeof(bytes))) > 0)
        cell_buffer_append(&b, bytes, (size_t)n);
    if (fd >= 0)
        close(fd);
    for (size_t at = 0; cell_buffer_ok(&b) && at < b.len; at += strlen(b.data + at) + 1)
        if (strncmp(b.data + at, key, sizeof(key) - 1) == 0) {
            snprintf(marker, size, "%s", b.data + at + sizeof(key) - 1);
            break;
        }
    cell_buffer_free(&b);
}

static void end_leftover(void *user, pid_t pid)
{
    struct supervisor *s = user;
    char marker[SUP_MARKER_SIZE], expected[SUP_MARKER_SIZE];

    for (size_t i = 0; i < s->ncells; i++)
        if (s->cells[i]->pid == pid)
            return;
    read_marker(pid, marker, sizeof(marker));
    if (!marker[0])
        return;
    /* A cell that runs may keep helpers; those of an earlier run have nobody. */
    for (size_t i = 0; i < s->ncells; i++)
        if (s->cells[i]->pid) {
            sup_marker(s, s->cells[i], expected);
            if (strcmp(marker, expected) == 0)
                return;
        }
    kill(pid, SIGKILL);
}

void sup_end_leftovers(struct supervisor *s) { each_child(end_leftover, s); }

void sup_marker(const struct supervisor *s, const struct sup_cell *c, char marker[SUP_MARKER_SIZE])
{
    snprintf(marker, SUP_MARKER_SIZE, "%d:%s:%u", (int)s->self, c->name, c->run);
}

/* ---- the guard ---- */

/* Waits for the supervisor. What the terminal sends, it gets itself; what was sent to the guard alone is passed on. */
static int watch(pid_t pid, const sigset_t *set)
{
    int status = 0;

    for (;;) {
        siginfo_t info = {0};
        int sig = sigwaitinfo(set, &info);

        if (waitpid(pid, &status, WNOHANG) == pid)
            return status;
        if (sig > 0 && sig != SIGCHLD && info.si_code != SI_KERNEL)
            kill(pid, sig);
    }
}

void supervisor_guard(bool foreground)
{
    sigset_t set, before;

    sup_signals(&set);
    fflush(NULL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    sigprocmask(SIG_BLOCK, &set, &before);
    pid_t guard = getpid(), pid = fork();

    if (pid < 0)
        _exit(1);
    if (pid == 0) {
        sigprocmask(SIG_SETMASK, &before, NULL);
        /* Without its guard it stops everything in good order. */
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != guard)
            _exit(1);
        return;
    }
    prctl(PR_SET_NAME, "cell-guard");
    if (!foreground)
        close_range(3, ~0u, 0);
    int status = watch(pid, &set);
    sup_end_children();
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : CLI_FAILED);
}
