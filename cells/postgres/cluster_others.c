/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Servers that are left from before: of a cell that was killed, or one that somebody started by hand. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cluster_files.h"

#define STEP_MS 20
#define FAST_MS 60000   /* for a shutdown with its checkpoint */
#define FORCED_MS 10000 /* for one without */
#define ALONE_MS 5000   /* for processes whose server has gone */

/* Every process of a server has the data folder as working folder; so a pid that was used again is not mistaken. */
static bool works_in(pid_t pid, const struct stat *folder)
{
    char path[64];
    struct stat s;

    snprintf(path, sizeof(path), "/proc/%ld/cwd", (long)pid);
    return stat(path, &s) == 0 && s.st_dev == folder->st_dev && s.st_ino == folder->st_ino;
}

size_t pg_state_processes(const struct pg_state *s, const char *name, pid_t *pids, size_t n)
{
    DIR *proc = opendir("/proc");
    struct stat folder;
    size_t found = 0;

    if (fstatat(s->folder, name, &folder, AT_SYMLINK_NOFOLLOW) < 0) {
        if (proc)
            closedir(proc);
        return 0;
    }
    for (struct dirent *e; proc && (e = readdir(proc));) {
        char *end;
        long pid = strtol(e->d_name, &end, 10);
        if (pid <= 0 || *end || pid == (long)getpid() || !works_in((pid_t)pid, &folder))
            continue;
        if (found < n)
            pids[found] = (pid_t)pid;
        found++;
    }
    if (proc)
        closedir(proc);
    return found;
}

/* The pid in the server's pid file; 0 without one. */
static pid_t named_pid(const struct pg_state *s)
{
    char text[32];
    int fd = openat(s->folder, "data/postmaster.pid", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    return (pid_t)strtol(text, NULL, 10);
}

void pg_state_end_in(const struct pg_state *s, const char *name)
{
    const struct timespec pause = {.tv_nsec = STEP_MS * 1000000};
    pid_t pids[64];
    size_t n;

    for (int64_t waited = 0; waited < FORCED_MS; waited += STEP_MS) {
        n = pg_state_processes(s, name, pids, sizeof(pids) / sizeof(pids[0]));
        if (n == 0)
            return;
        for (size_t i = 0; i < n && i < sizeof(pids) / sizeof(pids[0]); i++)
            kill(pids[i], SIGKILL);
        nanosleep(&pause, NULL);
    }
}

/* Asks the one that leads, or all of them, to end, and waits until none is left. Without a leader the others end soon
 * by themselves. */
static bool end_all(const struct pg_state *s, int sig, bool all, int64_t ms)
{
    const struct timespec pause = {.tv_nsec = STEP_MS * 1000000};
    pid_t pids[256], leader = named_pid(s);
    bool sent = false, led = all;

    for (int64_t waited = 0; waited < (led ? ms : ALONE_MS); waited += STEP_MS) {
        size_t n = pg_state_processes(s, "data", pids, sizeof(pids) / sizeof(pids[0]));
        if (n == 0)
            return true;
        for (size_t i = 0; !sent && i < n && i < sizeof(pids) / sizeof(pids[0]); i++)
            if (all || pids[i] == leader)
                led = kill(pids[i], sig) == 0 || led;
        sent = true;
        nanosleep(&pause, NULL);
    }
    return false;
}

int pg_state_end_others(const struct pg_state *s, void (*progress)(void *user, const char *text), void *user,
                        struct pg_failure *f)
{
    if (pg_state_processes(s, "data", NULL, 0) > 0) {
        if (progress)
            progress(user, "stopping the server that an earlier cell has left");
        if (!end_all(s, SIGINT, false, FAST_MS) && !end_all(s, SIGQUIT, false, FORCED_MS) &&
            !end_all(s, SIGKILL, true, FORCED_MS))
            return pg_fail(f, CELL_FAILED_PRECONDITION,
                           "%s/data is in use by processes that cannot be ended, such as pid %ld", s->path,
                           (long)named_pid(s));
    }
    /* Nobody works here, whatever process has the number now. */
    if (unlinkat(s->folder, "data/postmaster.pid", 0) < 0 && errno != ENOENT)
        return pg_fail(f, CELL_IO_ERROR, "%s/data/postmaster.pid cannot be removed", s->path);
    return CELL_OK;
}
