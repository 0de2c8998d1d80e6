/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static bool find_user(const char *name, uid_t uid, struct pg_account *account)
{
    struct passwd entry, *found = NULL;
    char buffer[4096];

    if (name)
        getpwnam_r(name, &entry, buffer, sizeof(buffer), &found);
    else
        getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found);
    if (!found || strlen(found->pw_name) >= sizeof(account->name))
        return false;
    account->uid = found->pw_uid;
    account->gid = found->pw_gid;
    snprintf(account->name, sizeof(account->name), "%s", found->pw_name);
    return true;
}

/* Root can be without what makes it root: in a container, or by a unit's CapabilityBoundingSet. */
static bool may_become_another(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};
    const uint32_t needed = (1U << CAP_SETUID) | (1U << CAP_SETGID);

    return syscall(SYS_capget, &header, data) < 0 || (data[0].effective & needed) == needed;
}

int pg_account_find(struct pg_account *account, struct pg_failure *f)
{
    *account = (struct pg_account){.other = geteuid() == 0};
    if (account->other && !may_become_another())
        return pg_fail(f, CELL_FAILED_PRECONDITION,
                       "PostgreSQL does not run as root, and this root cannot become another user: it lacks the "
                       "capabilities CAP_SETUID and CAP_SETGID");
    if (account->other) {
        if (find_user("postgres", 0, account) || find_user("nobody", 0, account))
            return CELL_OK;
        return pg_fail(f, CELL_FAILED_PRECONDITION, "PostgreSQL does not run as root, and there is no user 'postgres'");
    }
    if (!find_user(NULL, geteuid(), account))
        return pg_fail(f, CELL_FAILED_PRECONDITION, "user %u has no name, which PostgreSQL needs (see getent passwd)",
                       (unsigned)geteuid());
    return CELL_OK;
}

/* What the child needs, prepared before the fork: between fork and exec only system calls are made. */
struct child {
    const struct pg_spawn *spawn;
    pid_t parent;
    int report; /* gets errno when something fails; closed by exec */
};

/* The descriptors 0 to 5, in an order that overwrites none that is still needed. */
static int place_descriptors(const struct child *c)
{
    int from[6] = {c->spawn->in, c->spawn->out, c->spawn->out, c->spawn->data, c->spawn->run, c->report};

    for (int i = 0; i < 6; i++)
        if (from[i] >= 0 && (from[i] = fcntl(from[i], F_DUPFD, 16)) < 0)
            return -1;
    for (int i = 0; i < 6; i++) {
        int fd = from[i] >= 0 ? from[i] : i < 3 ? open("/dev/null", O_RDWR) : -1;
        if (fd >= 0 && fd != i && dup2(fd, i) < 0)
            return -1;
        if (fd < 0)
            close(i);
    }
    fcntl(5, F_SETFD, FD_CLOEXEC);
    return (int)syscall(SYS_close_range, 6U, ~0U, 0U);
}

static int become(const struct pg_account *a)
{
    /* The C library's functions would synchronise with threads, of which a child of fork has none. */
    return syscall(SYS_setgroups, (size_t)0, NULL) < 0 || syscall(SYS_setresgid, a->gid, a->gid, a->gid) < 0 ||
                   syscall(SYS_setresuid, a->uid, a->uid, a->uid) < 0
               ? -1
               : 0;
}

static _Noreturn void run_child(const struct child *c)
{
    static const char *const environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "TZ=UTC", NULL};
    sigset_t none;
    int cause;

    sigemptyset(&none);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    umask(077);
    int report = c->report;
    bool done = setsid() >= 0 && chdir("/") == 0 && place_descriptors(c) == 0;
    if (done)
        report = 5;
    /* The signal is forgotten when the user changes, so it is asked for afterwards; then the parent may have gone. */
    if (done && (!c->spawn->account->other || become(c->spawn->account) == 0) &&
        prctl(PR_SET_PDEATHSIG, c->spawn->death_signal, 0, 0, 0) == 0 && getppid() == c->parent)
        execve(c->spawn->argv[0], (char *const *)(uintptr_t)c->spawn->argv, (char *const *)(uintptr_t)environment);
    cause = errno;
    if (write(report, &cause, sizeof(cause)) < 0)
        _exit(126);
    _exit(127);
}

int pg_spawn(const struct pg_spawn *s, pid_t *pid, struct pg_failure *f)
{
    int report[2], cause = 0;

    if (pipe2(report, O_CLOEXEC) < 0)
        return pg_fail(f, CELL_RESOURCE_EXHAUSTED, "pipe: %s", strerror(errno));
    struct child c = {s, getpid(), report[1]};
    pid_t child = fork();
    if (child == 0)
        run_child(&c);
    int failed = errno;
    close(report[1]);
    if (child < 0) {
        close(report[0]);
        return pg_fail(f, CELL_RESOURCE_EXHAUSTED, "fork: %s", strerror(failed));
    }
    ssize_t n;
    while ((n = read(report[0], &cause, sizeof(cause))) < 0 && errno == EINTR)
        continue;
    close(report[0]);
    if (n <= 0) {
        *pid = child;
        return CELL_OK;
    }
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
    return pg_fail(f, cause == ENOENT ? CELL_NOT_FOUND : CELL_PERMISSION_DENIED, "%s: %s", s->argv[0], strerror(cause));
}

/* The last size - 1 bytes that come. */
static void read_end(int fd, char *text, size_t size)
{
    size_t len = 0;

    for (;;) {
        if (len == size - 1) {
            len = size / 2;
            memmove(text, text + size - 1 - len, len);
        }
        ssize_t n = read(fd, text + len, size - 1 - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    text[len] = '\0';
}

int pg_spawn_read(const struct pg_spawn *s, char *text, size_t size, struct pg_failure *f)
{
    struct pg_spawn with = *s;
    int out[2], status = 0;
    pid_t pid;

    if (pipe2(out, O_CLOEXEC) < 0)
        return pg_fail(f, CELL_RESOURCE_EXHAUSTED, "pipe: %s", strerror(errno));
    with.out = out[1];
    int r = pg_spawn(&with, &pid, f);
    close(out[1]);
    if (r >= 0) {
        read_end(out[0], text, size);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
        r = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    close(out[0]);
    return r;
}
