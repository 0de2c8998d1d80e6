/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The CLI's connection to the supervisor of a run_dir. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor.h"

#define HELLO_MS 10000

/* The transport finds the socket and checks whose it is; the lines that follow are not frames. */
static int connect_to(const char *run_dir, struct control *c, struct cell_error *e)
{
    const struct cell_connect_options options = {.deadline_ns = cell_now_ns() + HELLO_MS * CELL_NS_PER_MS};
    struct cell_buffer address = {0};
    struct cell_peer peer;

    cell_buffer_printf(&address, "unix:%s/%s", run_dir, CONTROL_SOCKET);
    int r = cell_buffer_ok(&address) ? cell_transport_unix.connect(address.data, &options, &c->conn, e)
                                     : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    cell_buffer_free(&address);
    if (r == CELL_UNAVAILABLE)
        return cell_error_set(e, CELL_UNAVAILABLE, "no supervisor runs in %s", run_dir);
    if (r < 0)
        return cell_error_wrap(e, "the supervisor in %s cannot be reached", run_dir);
    cell_conn_peer(c->conn, &peer);
    c->pid = peer.pid;
    c->fd = cell_conn_fd(c->conn);
    return CELL_OK;
}

int control_open(const char *run_dir, struct control *c, struct cell_error *e)
{
    char *fields[CONTROL_MAX_FIELDS];
    bool timed_out = false;
    size_t n = 0;

    *c = (struct control){.fd = -1};
    int r = connect_to(run_dir, c, e);
    if (r < 0)
        return r;
    r = control_next(c, HELLO_MS, fields, &n, &timed_out, e);
    if (r == 0 && timed_out)
        r = cell_error_set(e, CELL_DEADLINE_EXCEEDED, "the supervisor (process %d) does not answer", (int)c->pid);
    else if (r == 0)
        r = cell_error_set(e, CELL_UNAVAILABLE, "the supervisor in %s is ending", run_dir);
    else if (r > 0 && (n < 4 || strcmp(fields[0], "hello") != 0 || strcmp(fields[1], CONTROL_PROTOCOL) != 0))
        r = cell_error_set(e, CELL_FAILED_PRECONDITION,
                           "the supervisor (process %d) is of another version of cell, %s; this is %s", (int)c->pid,
                           n > 2 ? fields[2] : "unknown", CELL_VERSION);
    if (r < 0) {
        control_close(c);
        return r;
    }
    snprintf(c->config, sizeof(c->config), "%s", fields[3]);
    c->guard = n > 4 ? (pid_t)strtol(fields[4], NULL, 10) : 0;
    return CELL_OK;
}

int control_send(struct control *c, const char *line, struct cell_error *e)
{
    size_t len = strlen(line);

    while (len > 0) {
        ssize_t n = send(c->fd, line, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return cell_error_errno(e, CELL_UNAVAILABLE, errno, "the supervisor has gone");
        line += n;
        len -= (size_t)n;
    }
    return CELL_OK;
}

/* Takes the next whole line out of what has been read. */
static bool take_line(struct control *c, char **fields, size_t *n)
{
    char *from = c->in.data ? c->in.data + c->taken : NULL;
    char *end = from ? memchr(from, '\n', c->in.len - c->taken) : NULL;

    if (!end)
        return false;
    *end = '\0';
    *n = control_split(from, fields, CONTROL_MAX_FIELDS);
    c->taken = (size_t)(end + 1 - c->in.data);
    return true;
}

int control_next(struct control *c, int timeout_ms, char **fields, size_t *n, bool *timed_out, struct cell_error *e)
{
    *timed_out = false;
    for (;;) {
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        char bytes[4096];

        if (take_line(c, fields, n))
            return 1;
        if (c->taken) {
            memmove(c->in.data, c->in.data + c->taken, c->in.len - c->taken);
            c->in.len -= c->taken;
            c->taken = 0;
        }
        int ready = poll(&p, 1, timeout_ms);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready == 0) {
            *timed_out = true;
            return 0;
        }
        ssize_t got = recv(c->fd, bytes, sizeof(bytes), 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return 0;
        cell_buffer_append(&c->in, bytes, (size_t)got);
        if (!cell_buffer_ok(&c->in))
            return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    }
}

static void wait_exit(pid_t pid, int ms)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};

    if (fd < 0)
        return; /* it is gone already */
    while (poll(&p, 1, ms) < 0 && errno == EINTR)
        ;
    close(fd);
}

void control_wait_exit(struct control *c, int ms)
{
    wait_exit(c->pid, ms);
    if (c->guard > 1)
        wait_exit(c->guard, ms);
}

void control_close(struct control *c)
{
    if (c->conn)
        cell_conn_close(c->conn);
    c->conn = NULL;
    c->fd = -1;
    cell_buffer_free(&c->in);
}
