/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Starts a cell's program. Everything that allocates happens before fork; the child only makes system calls. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "supervisor.h"

extern char **environ;

/* Set for every cell, or meant for the process that started us and harmful in a cell. */
static const char *const own_names[] = {"CELL_RUN_DIR", "CELL_CONFIG", "CELL_UP",    "NOTIFY_SOCKET", "WATCHDOG_USEC",
                                        "WATCHDOG_PID", "LISTEN_FDS",  "LISTEN_PID", "LISTEN_FDNAMES"};

static bool same_name(const char *a, const char *b)
{
    size_t n = strcspn(a, "=");

    return strcspn(b, "=") == n && memcmp(a, b, n) == 0;
}

static bool replaced(const struct sup_cell *c, const char *entry)
{
    for (size_t i = 0; i < sizeof(own_names) / sizeof(own_names[0]); i++)
        if (same_name(entry, own_names[i]))
            return true;
    for (char **e = c->env; e && *e; e++)
        if (same_name(entry, *e))
            return true;
    /* The address is the one that is probed; one from the caller's environment would make it listen elsewhere. */
    return strncmp(entry, "CELL_ADDRESS_", 13) == 0 && strcspn(entry + 13, "=") == strlen(c->name) &&
           strncasecmp(entry + 13, c->name, strlen(c->name)) == 0;
}

/* The child's environment; only the array and the first `made` entries are allocated. */
static char **make_environment(const struct supervisor *s, const struct sup_cell *c, size_t *made)
{
    struct cell_buffer run = {0}, config = {0}, up = {0};
    char marker[SUP_MARKER_SIZE];
    size_t n = 0, k = 0;

    for (char **e = environ; *e; e++)
        n++;
    for (char **e = c->env; e && *e; e++)
        n++;
    char **all = calloc(n + 4, sizeof(*all));
    cell_buffer_printf(&run, "CELL_RUN_DIR=%s", s->run_dir);
    cell_buffer_printf(&config, "CELL_CONFIG=%s", s->config_path);
    sup_marker(s, c, marker);
    cell_buffer_printf(&up, "CELL_UP=%s", marker);
    if (!all || !cell_buffer_ok(&run) || !cell_buffer_ok(&config) || !cell_buffer_ok(&up)) {
        free(all);
        cell_buffer_free(&up);
        cell_buffer_free(&run);
        cell_buffer_free(&config);
        return NULL;
    }
    all[k++] = run.data;
    all[k++] = config.data;
    all[k++] = up.data;
    *made = k;
    for (char **e = c->env; e && *e; e++)
        all[k++] = *e;
    for (char **e = environ; *e; e++)
        if (!replaced(c, *e))
            all[k++] = *e;
    return all;
}

static void free_environment(char **all, size_t made)
{
    for (size_t i = 0; i < made; i++)
        free(all[i]);
    free(all);
}

struct launch {
    const char *program, *dir;
    char **argv, **env;
    int out, status; /* write ends */
    pid_t parent;
};

static _Noreturn void child(const struct launch *l)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t none;
    int in, what = 0;

    setpgid(0, 0);
    /* A killed supervisor takes its cells with it; if it died before this line, nobody would be told. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != l->parent)
        _exit(127);
    for (int i = 1; i < NSIG; i++)
        sigaction(i, &standard, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    in = open("/dev/null", O_RDONLY);
    if (in < 0 || dup2(in, STDIN_FILENO) < 0 || dup2(l->out, STDOUT_FILENO) < 0 || dup2(l->out, STDERR_FILENO) < 0)
        what = errno;
    close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC); /* what our own caller left open is not the cell's */
    if (!what && chdir(l->dir) < 0)
        what = errno;
    if (!what) {
        execve(l->program, l->argv, l->env);
        what = errno;
    }
    ssize_t ignored = write(l->status, &what, sizeof(what));
    (void)ignored;
    _exit(127);
}

int sup_spawn(struct supervisor *s, struct sup_cell *c, struct cell_error *e)
{
    int out[2] = {-1, -1}, status[2] = {-1, -1}, what = 0;
    char *program = NULL;
    size_t made = 0;
    int r = order_find_program(c->command[0], &program, e);

    if (r < 0)
        return r;
    char **env = make_environment(s, c, &made);
    if (!env)
        r = cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    else if (pipe2(out, O_CLOEXEC) < 0 || pipe2(status, O_CLOEXEC) < 0)
        r = cell_error_errno(e, CELL_IO_ERROR, errno, "cannot make a pipe");
    if (r >= 0) {
        struct launch l = {program, c->dir, c->command, env, out[1], status[1], s->self};
        pid_t pid = fork();

        if (pid == 0)
            child(&l);
        if (pid < 0) {
            r = cell_error_errno(e, CELL_IO_ERROR, errno, "cannot start a process");
        } else {
            c->pid = pid;
            c->out = out[0];
            out[0] = -1;
            fcntl(c->out, F_SETFL, O_NONBLOCK);
        }
    }
    if (out[1] >= 0)
        close(out[1]);
    if (status[1] >= 0)
        close(status[1]);
    /* Closed by exec, so this waits no longer than starting a program takes. The exit is reaped as every other. */
    if (r >= 0 && read(status[0], &what, sizeof(what)) == (ssize_t)sizeof(what))
        snprintf(c->why, sizeof(c->why), "cannot run %s: %s", program, strerror(what));
    if (out[0] >= 0)
        close(out[0]);
    if (status[0] >= 0)
        close(status[0]);
    if (env)
        free_environment(env, made);
    free(program);
    return r;
}
