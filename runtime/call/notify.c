/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The supervisor's protocols, as systemd documents them in sd_listen_fds(3), sd_notify(3) and sd_watchdog_enabled(3).
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "server_parts.h"

#define FIRST_PASSED_FD 3

/* A decimal number that is the whole of an environment variable. */
static bool number(const char *name, uint64_t *value)
{
    const char *text = getenv(name);
    char *end;
    if (!text || text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno || *end)
        return false;
    *value = n;
    return true;
}

static bool for_this_process(const char *name)
{
    uint64_t pid;
    return number(name, &pid) && pid == (uint64_t)getpid();
}

int cell_listen_fd(struct cell_error *e)
{
    static atomic_bool taken; /* by the first server of the process */
    uint64_t n;
    if (!for_this_process("LISTEN_PID") || !number("LISTEN_FDS", &n) || n == 0 || atomic_exchange(&taken, true))
        return -1;
    if (n != 1)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "LISTEN_FDS passes %llu sockets; a cell listens on one",
                              (unsigned long long)n);
    return FIRST_PASSED_FD;
}

void cell_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t len = path ? strlen(path) : 0;
    if (len < 2 || len >= sizeof(a.sun_path) || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(a.sun_path, path, len);
    if (path[0] == '@')
        a.sun_path[0] = '\0'; /* the abstract namespace */
    CELL_CLEANUP(cell_cleanup_fd) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    ssize_t n = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&a,
                       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (path[0] == '/')));
    (void)n; /* nobody to tell about it */
}

uint64_t cell_watchdog_ns(void)
{
    uint64_t usec;
    if (getenv("WATCHDOG_PID") && !for_this_process("WATCHDOG_PID"))
        return 0;
    if (!number("WATCHDOG_USEC", &usec) || usec == 0 || usec > UINT64_MAX / 1000)
        return 0;
    return usec * 1000 / 2; /* twice as often as asked for, as the manual advises */
}
