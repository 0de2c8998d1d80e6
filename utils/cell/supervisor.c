/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The supervisor's process: lock, control socket, signals, and the poll loop. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "supervisor.h"

#define MAX_CLIENTS 64u
#define FIRST_REQUEST_NS (10000 * CELL_NS_PER_MS)
#define SIGNAL_TWICE_NS (300 * CELL_NS_PER_MS)

size_t control_split(char *line, char **fields, size_t max)
{
    size_t n = 0;

    for (char *at = line; n < max;) {
        fields[n++] = at;
        at = strchr(at, '\t');
        if (!at)
            break;
        *at++ = '\0';
    }
    return n;
}

/* ---- lock and socket ---- */

static int check_run_dir(const char *dir, struct cell_error *e)
{
    struct stat st;

    if (lstat(dir, &st) < 0)
        return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot look at run_dir %s", dir);
    if (!S_ISDIR(st.st_mode))
        return cell_error_set(e, CELL_FAILED_PRECONDITION, "run_dir %s is no folder", dir);
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return cell_error_set(e, CELL_PERMISSION_DENIED, "run_dir %s belongs to another user (uid %u)", dir,
                              (unsigned)st.st_uid);
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) && !(st.st_mode & S_ISVTX))
        return cell_error_set(e, CELL_PERMISSION_DENIED, "run_dir %s can be written by others; run `chmod go-w %s`",
                              dir, dir);
    return CELL_OK;
}

static char *file_in(const char *dir, const char *name)
{
    struct cell_buffer b = {0};

    cell_buffer_printf(&b, "%s/%s", dir, name);
    return cell_buffer_ok(&b) ? b.data : NULL;
}

/* Locks the file that has the name now: the one that was opened may have been removed by an ending supervisor. */
static int take_lock(const char *path, struct cell_error *e)
{
    for (int tries = 0; tries < 100; tries++) {
        struct stat mine, named;
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd < 0)
            return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot write %s", path);
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
            int cause = errno;

            close(fd);
            if (cause == EINTR)
                continue;
            return cause == EWOULDBLOCK ? cell_error_set(e, CELL_ALREADY_EXISTS, "another supervisor runs")
                                        : cell_error_errno(e, CELL_IO_ERROR, cause, "cannot lock %s", path);
        }
        if (fstat(fd, &mine) == 0 && stat(path, &named) == 0 && mine.st_ino == named.st_ino &&
            mine.st_dev == named.st_dev)
            return fd;
        close(fd);
    }
    return cell_error_set(e, CELL_IO_ERROR, "cannot lock %s: it is replaced again and again", path);
}

static int open_socket(struct supervisor *s, struct cell_error *e)
{
    struct cell_buffer address = {0};

    cell_buffer_printf(&address, "unix:%s/%s", s->run_dir, CONTROL_SOCKET);
    int r = cell_buffer_ok(&address) ? cell_transport_unix.listen(address.data, -1, &s->listener, e)
                                     : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    cell_buffer_free(&address);
    return r;
}

int supervisor_open(struct supervisor *s, struct cell_error *e)
{
    char pid[32];
    char *lock;
    int r;

    s->lock_fd = s->signal_fd = -1;
    s->local_client.fd = -1;
    s->log_dir = order_log_dir(s->run_dir);
    if (!s->log_dir)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    if ((r = cell_mkdirs(s->run_dir, e)) < 0 || (r = check_run_dir(s->run_dir, e)) < 0 ||
        (r = cell_mkdirs(s->log_dir, e)) < 0)
        return r;
    lock = file_in(s->run_dir, CONTROL_LOCK);
    s->lock_fd = lock ? take_lock(lock, e) : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    free(lock);
    if (s->lock_fd < 0)
        return s->lock_fd;
    if ((r = open_socket(s, e)) < 0)
        return r;
    s->self = getpid();
    s->opened_ns = cell_now_ns();
    int n = snprintf(pid, sizeof(pid), "%d\n", (int)s->self);
    if (ftruncate(s->lock_fd, 0) < 0 || write(s->lock_fd, pid, (size_t)n) != n)
        return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot write %s/%s", s->run_dir, CONTROL_LOCK);
    return CELL_OK;
}

static void remove_file(const char *dir, const char *name)
{
    char *path = file_in(dir, name);

    if (path)
        unlink(path);
    free(path);
}

/* ---- clients ---- */

static void accept_clients(struct supervisor *s)
{
    for (;;) {
        struct ucred peer;
        socklen_t len = sizeof(peer);
        int fd = accept4(cell_transport_unix.listener_fd(s->listener), NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0)
            return;
        struct sup_client **grown = realloc(s->clients, (s->nclients + 1) * sizeof(*grown));
        struct sup_client *client = NULL;
        if (grown)
            s->clients = grown;
        if (grown && s->nclients < MAX_CLIENTS && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
            (peer.uid == geteuid() || peer.uid == 0))
            client = calloc(1, sizeof(*client));
        if (!client) {
            close(fd);
            continue;
        }
        client->fd = fd;
        s->clients[s->nclients++] = client;
        sup_emit(s, client, "hello\t%s\t%s\t%s\t%d", CONTROL_PROTOCOL, CELL_VERSION, s->config_path, (int)getppid());
    }
}

/* Hands over the whole lines that have arrived. */
static void take_lines(struct supervisor *s, struct sup_client *c)
{
    size_t from = 0;
    char *end;

    while (c->in.len > from && (end = memchr(c->in.data + from, '\n', c->in.len - from))) {
        *end = '\0';
        sup_request_line(s, c, c->in.data + from);
        from = (size_t)(end + 1 - c->in.data);
    }
    if (from > 0)
        memmove(c->in.data, c->in.data + from, c->in.len - from);
    c->in.len -= from;
}

static void read_client(struct supervisor *s, struct sup_client *c)
{
    char bytes[4096];
    ssize_t n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0) {
        cell_buffer_append(&c->in, bytes, (size_t)n);
        if (cell_buffer_ok(&c->in))
            take_lines(s, c);
        if (!cell_buffer_ok(&c->in) || c->in.len > CONTROL_MAX_LINE)
            n = 0;
    }
    if (n <= 0) {
        c->eof = true;
        sup_request_gone(s, c);
    }
}

static void write_client(struct sup_client *c)
{
    while (c->sent < c->out.len) {
        ssize_t n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            c->sent = c->out.len; /* its end will be read */
        if (n <= 0)
            return;
        c->sent += (size_t)n;
    }
    c->sent = c->out.len = 0;
}

static void free_client(struct sup_client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    cell_buffer_free(&c->in);
    cell_buffer_free(&c->out);
    free(c->waiting);
    free(c);
}

static void drop_clients(struct supervisor *s)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->nclients; i++) {
        struct sup_client *c = s->clients[i];

        if (c->eof || (c->closing && c->sent == c->out.len))
            free_client(c);
        else
            s->clients[kept++] = c;
    }
    s->nclients = kept;
}

/* ---- processes ---- */

static void reap(struct supervisor *s)
{
    for (;;) {
        siginfo_t info = {0};
        struct sup_cell *cell = NULL;
        int status = 0;

        /* Seen before it is reaped: until then its number, and its group's, cannot become somebody else's. */
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
            return;
        for (size_t i = 0; i < s->ncells; i++)
            if (s->cells[i]->pid == info.si_pid)
                cell = s->cells[i];
        if (cell)
            kill(-cell->pid, SIGKILL);
        if (waitpid(info.si_pid, &status, WNOHANG) == info.si_pid && cell)
            sup_cell_exited(s, cell, status);
    }
}

static void on_signals(struct supervisor *s)
{
    struct signalfd_siginfo info;
    uint64_t now = cell_now_ns();

    while (read(s->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGCHLD) {
            reap(s);
            sup_end_leftovers(s);
        } else if (!s->stopping) {
            s->stopping = true;
            s->signalled_ns = now;
            sup_request_stop_all(s);
        } else if (now - s->signalled_ns > SIGNAL_TWICE_NS) { /* one stop can send several at once */
            for (size_t i = 0; i < s->ncells; i++)
                if (s->cells[i]->state == SUP_STOPPING)
                    s->cells[i]->deadline_ns = 0;
        }
    }
}

/* ---- the loop ---- */

static int poll_timeout(const struct supervisor *s)
{
    uint64_t next = CELL_NO_DEADLINE, now = cell_now_ns();

    for (size_t i = 0; i < s->ncells; i++) {
        uint64_t t = sup_cell_next_ns(s->cells[i]);
        next = t < next ? t : next;
    }
    if (!s->served && !s->foreground && s->opened_ns + FIRST_REQUEST_NS < next)
        next = s->opened_ns + FIRST_REQUEST_NS;
    if (next == CELL_NO_DEADLINE)
        return -1;
    return next <= now ? 0 : (int)((next - now + CELL_NS_PER_MS - 1) / CELL_NS_PER_MS);
}

static void turn(struct supervisor *s, struct pollfd *fds)
{
    size_t n = 0, nclients = s->nclients, ncells = s->ncells;

    fds[n++] = (struct pollfd){s->signal_fd, POLLIN, 0};
    fds[n++] = (struct pollfd){cell_transport_unix.listener_fd(s->listener), POLLIN, 0};
    for (size_t i = 0; i < nclients; i++) {
        struct sup_client *c = s->clients[i];
        fds[n++] = (struct pollfd){c->fd, (short)(POLLIN | (c->sent < c->out.len ? POLLOUT : 0)), 0};
    }
    for (size_t i = 0; i < ncells; i++) {
        fds[n++] = (struct pollfd){s->cells[i]->out, POLLIN, 0};
        fds[n++] = (struct pollfd){s->cells[i]->probe.fd, POLLIN, 0};
    }
    if (poll(fds, n, poll_timeout(s)) < 0 && errno != EINTR)
        return;
    uint64_t now = cell_now_ns();
    for (size_t i = 0; i < ncells; i++) {
        const struct pollfd *p = &fds[2 + nclients + 2 * i];

        if (p[0].fd >= 0 && p[0].revents)
            sup_cell_output(s->cells[i]);
        sup_cell_tick(s, s->cells[i], now, p[1].fd >= 0 && p[1].revents);
    }
    if (fds[0].revents)
        on_signals(s);
    for (size_t i = 0; i < nclients; i++)
        if (fds[2 + i].revents)
            read_client(s, s->clients[i]);
    if (fds[1].revents)
        accept_clients(s);
    sup_request_step(s);
    for (size_t i = 0; i < s->nclients; i++)
        write_client(s->clients[i]);
}

void sup_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGCHLD);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGQUIT);
    sigaddset(set, SIGHUP);
}

static void take_signals(struct supervisor *s)
{
    sigset_t set;

    sup_signals(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

void supervisor_run(struct supervisor *s)
{
    struct pollfd *fds = NULL;
    bool over = false;

    take_signals(s);
    sup_request_step(s);
    while (!over) {
        /* Sized each turn: clients and cells come and go. */
        struct pollfd *grown = realloc(fds, (2 + s->nclients + 2 * s->ncells) * sizeof(*fds));
        if (!grown)
            break;
        fds = grown;
        turn(s, fds);
        bool waited = s->served || cell_now_ns() - s->opened_ns >= FIRST_REQUEST_NS;
        over = sup_idle(s) && (waited || s->stopping);
        if (!over)
            drop_clients(s);
    }
    free(fds);
    sup_end_children();
    /* In this order: who sees the connection end finds nothing left. */
    cell_transport_unix.listener_close(s->listener);
    remove_file(s->run_dir, CONTROL_LOCK);
    for (size_t i = 0; i < s->ncells; i++)
        sup_cell_free(s->cells[i]);
    for (size_t i = 0; i < s->nclients; i++) {
        fcntl(s->clients[i]->fd, F_SETFL, 0); /* the last lines are few: they fit */
        write_client(s->clients[i]);
        free_client(s->clients[i]);
    }
    free(s->cells);
    free(s->clients);
    free(s->log_dir);
    if (s->signal_fd >= 0)
        close(s->signal_fd);
    close(s->lock_fd);
}
