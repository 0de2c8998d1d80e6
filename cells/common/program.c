/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "program.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

void program_error(const char *name, const char *format, ...)
{
    char text[1024], line[1200];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    int n = snprintf(line, sizeof(line), "%s: %s\n", name, text);
    /* One write, so that lines of threads do not mix; nobody is left to be told when it fails. */
    if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
        return;
}

/* Every connection is a descriptor, and the usual soft limit of 1024 is for programs that use select. */
#define MOST_DESCRIPTORS 65536

static void allow_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= MOST_DESCRIPTORS)
        return;
    limit.rlim_cur = limit.rlim_max < MOST_DESCRIPTORS ? limit.rlim_max : MOST_DESCRIPTORS;
    setrlimit(RLIMIT_NOFILE, &limit);
}

void program_prepare(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    int fd;

    /* A database that was opened as descriptor 2 would receive what is printed to stderr. */
    while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= STDERR_FILENO)
        continue;
    if (fd >= 0)
        close(fd);
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGXFSZ, &ignore, NULL);
    umask(077);
    allow_descriptors();
    /* Otherwise every thread gets an arena of its own, which keeps its pages after the last call. */
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_TRIM_THRESHOLD, 256 * 1024);
}

int program_serve(const struct program *p)
{
    struct cell_server *server = NULL;
    int r = cell_server_new(p->server, &server);

    if (r >= 0)
        r = cell_server_run(server);
    if (r < 0) {
        const char *message = server ? cell_server_message(server) : NULL;
        program_error(p->name, "%s", message && message[0] ? message : cell_status_text(r));
    }
    /* Calls that did not end go on using what main would take away now, also what atexit would. */
    if (r == CELL_DEADLINE_EXCEEDED)
        _exit(1);
    cell_server_free(server);
    return r < 0;
}
