/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Addresses of the Unix socket transport: "unix:/path" and "unix:relative". "shm:…" is the same for who insists on
 * shared memory.
 *
 * A path that is too long for a socket address is reached through /proc/self/fd. Servers that open sockets in one
 * folder at the same time take turns by a lock on the folder, so that looking whether a socket is stale and replacing
 * it are one step and no lock file stays behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "transport/shm.h"

#define UNIX "unix:"
#define SHM "shm:"
#define SOCKET_MODE 0600
#define LOCK_TRIES 400
#define LOCK_PAUSE_NS 5000000L
#define ALIAS_TRIES 100u
/* Those of WELCOME and the first reply. */
#define AWAKE_TIMES 2u

struct cell_listener {
    int fd;
    int folder; /* -1: the address is not ours to remove */
    char *name; /* in the folder */
    dev_t device;
    ino_t inode;
    bool insists; /* on shared memory */
    pid_t maker;  /* a fork's copy must not remove what the other process listens on */
};

/* The path of `address`, or NULL with the error set. */
static const char *path_of(const char *address, const char *prefix, struct cell_error *e)
{
    if (!address || strncmp(address, prefix, strlen(prefix)) != 0 || !address[strlen(prefix)]) {
        cell_error_set(e, CELL_INVALID_ARGUMENT, "'%s' is no address of a Unix socket; they look like %s/path",
                       address ? address : "", prefix);
        return NULL;
    }
    return address + strlen(prefix);
}

static bool set_path(struct sockaddr_un *a, const char *path)
{
    size_t len = strlen(path);
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (len >= sizeof(a->sun_path))
        return false;
    memcpy(a->sun_path, path, len + 1);
    return true;
}

/* ---- connecting ---- */

static bool may_trust(uid_t uid) { return uid == 0 || uid == geteuid(); }

static int fail_owner(const char *path, uid_t uid, struct cell_error *e)
{
    return cell_error_set(e, CELL_PERMISSION_DENIED, "the socket %s belongs to another user (uid %u)", path,
                          (unsigned)uid);
}

static int fail_look(const char *path, int cause, struct cell_error *e)
{
    switch (cause) {
    case ENOENT:
    case ENOTDIR:
        return cell_error_set(e, CELL_UNAVAILABLE, "no socket at %s: nobody listens there", path);
    case EACCES:
    case EPERM:
        return cell_error_errno(e, CELL_PERMISSION_DENIED, cause, "cannot reach the socket %s", path);
    case ELOOP:
    case ENAMETOOLONG:
        return cell_error_errno(e, CELL_INVALID_ARGUMENT, cause, "cannot reach the socket %s", path);
    default:
        return cell_error_errno(e, CELL_IO_ERROR, cause, "cannot reach the socket %s", path);
    }
}

/* Finds the socket and whose it is. *target is a descriptor that `a` may refer to, or stays -1. */
static int look_up(const char *path, bool any_owner, struct sockaddr_un *a, int *target, struct cell_error *e)
{
    struct stat st;
    if (set_path(a, path)) {
        if (stat(path, &st) < 0)
            return fail_look(path, errno, e);
    } else {
        *target = open(path, O_PATH | O_CLOEXEC);
        if (*target < 0 || fstat(*target, &st) < 0)
            return fail_look(path, errno, e);
        snprintf(a->sun_path, sizeof(a->sun_path), "/proc/self/fd/%d", *target);
    }
    if (!S_ISSOCK(st.st_mode))
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "%s is not a socket", path);
    return any_owner || may_trust(st.st_uid) ? CELL_OK : fail_owner(path, st.st_uid, e);
}

int cell_unix_set_timeout(int fd, int option, uint32_t ms)
{
    struct timeval t = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    return setsockopt(fd, SOL_SOCKET, option, &t, sizeof(t));
}

uint32_t cell_unix_timeout_step(uint64_t left_ns)
{
    uint64_t ms = left_ns / CELL_NS_PER_MS;
    if (ms >= UINT64_C(1) << 30)
        return UINT32_C(1) << 30;
    return ms < 2 ? 1 : UINT32_C(1) << (31 - __builtin_clz((uint32_t)ms));
}

/* A server whose queue is full makes a non-blocking connect fail with EAGAIN and a blocking one wait, for as long as
 * SO_SNDTIMEO says. Returns 0 or an errno, EAGAIN when the deadline has passed. */
static int connect_until(int fd, const struct sockaddr_un *a, uint64_t deadline_ns)
{
    bool waiting = false;
    while (connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0) {
        uint64_t now;
        if (errno != EAGAIN && errno != EINTR) /* signals must not keep it from looking at the clock */
            return errno;
        if (deadline_ns != CELL_NO_DEADLINE && (now = cell_now_ns()) >= deadline_ns)
            return EAGAIN;
        uint32_t ms = deadline_ns == CELL_NO_DEADLINE ? 0 : cell_unix_timeout_step(deadline_ns - now);
        if (cell_unix_set_timeout(fd, SO_SNDTIMEO, ms) < 0 || (!waiting && fcntl(fd, F_SETFL, 0) < 0))
            return errno;
        waiting = true;
    }
    /* A connection begins blocking and without timeouts. */
    if (waiting ? cell_unix_set_timeout(fd, SO_SNDTIMEO, 0) < 0 : fcntl(fd, F_SETFL, 0) < 0)
        return errno;
    return 0;
}

static int fail_connect(const char *path, int cause, struct cell_error *e)
{
    if (cause == EAGAIN)
        return cell_error_set(e, CELL_DEADLINE_EXCEEDED, "the deadline passed while waiting for %s to accept", path);
    if (cause == ECONNREFUSED)
        return cell_error_set(e, CELL_UNAVAILABLE, "nobody accepts on %s", path);
    if (cause == EPROTOTYPE)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "%s is not a stream socket", path);
    return fail_look(path, cause, e);
}

/* Looking without sleeping is only in the way of a peer that has to run on the same CPU. */
static bool may_look(const struct cell_peer *peer)
{
    cpu_set_t own, other;
    CPU_ZERO(&own);
    CPU_ZERO(&other);
    if (sched_getaffinity(0, sizeof(own), &own) < 0 || peer->pid <= 0 ||
        sched_getaffinity(peer->pid, sizeof(other), &other) < 0)
        return false;
    CPU_OR(&own, &own, &other);
    return CPU_COUNT(&own) > 1;
}

static int connect_path(const char *path, const struct cell_connect_options *options, struct cell_conn **conn,
                        struct cell_error *e)
{
    CELL_CLEANUP(cell_cleanup_fd) int target = -1, fd = -1;
    struct sockaddr_un a;
    struct cell_conn *c;
    struct cell_peer peer;
    int r = look_up(path, options->any_owner, &a, &target, e);
    if (r < 0)
        return r;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot make a socket");
    int cause = connect_until(fd, &a, options->deadline_ns);
    if (cause)
        return fail_connect(path, cause, e);
    int connected = fd;
    fd = -1; /* the connection's from here on */
    r = cell_unix_conn_new(connected, options->max_payload, &c, e);
    if (r < 0)
        return r;
    /* The file may have been replaced since it was looked at: what counts is who listens. */
    cell_conn_peer(c, &peer);
    if (!options->any_owner && !may_trust(peer.uid)) {
        cell_conn_close(c);
        return fail_owner(path, peer.uid, e);
    }
    ((struct unix_conn *)c)->awake = may_look(&peer) ? AWAKE_TIMES : 0;
    *conn = c;
    return CELL_OK;
}

int cell_unix_connect(const char *address, const struct cell_connect_options *options, struct cell_conn **conn,
                      struct cell_error *e)
{
    const char *path = path_of(address, UNIX, e);
    int r = path ? connect_path(path, options, conn, e) : CELL_INVALID_ARGUMENT;
    if (r == CELL_OK && options->shm)
        cell_shm_offer((struct unix_conn *)*conn, true, NULL); /* when it cannot, frames go over the socket */
    return r;
}

int cell_shm_connect(const char *address, const struct cell_connect_options *options, struct cell_conn **conn,
                     struct cell_error *e)
{
    struct cell_conn *c;
    const char *path = path_of(address, SHM, e);
    int r = path ? connect_path(path, options, &c, e) : CELL_INVALID_ARGUMENT;
    if (r < 0)
        return r;
    ((struct unix_conn *)c)->insists = true;
    r = cell_shm_offer((struct unix_conn *)c, true, e);
    if (r < 0)
        cell_conn_close(c);
    else
        *conn = c;
    return r;
}

/* ---- listening ---- */

static int fail_listen(const char *path, int cause, struct cell_error *e)
{
    int status = CELL_IO_ERROR;
    if (cause == EADDRINUSE || cause == EEXIST)
        return cell_error_set(e, CELL_ALREADY_EXISTS, "somebody listens on %s already", path);
    if (cause == EACCES || cause == EPERM || cause == EROFS)
        status = CELL_PERMISSION_DENIED;
    else if (cause == ENAMETOOLONG || cause == ELOOP)
        status = CELL_INVALID_ARGUMENT;
    return cell_error_errno(e, status, cause, "cannot listen on %s", path);
}

/* Opens, and makes when it is missing, the folder of `path`. */
static int open_folder(const char *path, int *folder, struct cell_error *e)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == path ? 1 : slash ? (size_t)(slash - path) : 0;
    CELL_CLEANUP(cell_cleanup_free) char *name = len ? strndup(path, len) : strdup(".");
    if (!name)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    int r = cell_mkdirs(name, e);
    if (r < 0)
        return r;
    int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail_listen(path, errno, e);
    *folder = fd;
    return CELL_OK;
}

/* Waits for its turn, but not for ever: others may be able to lock the folder too. */
static bool lock_folder(int folder)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
    for (unsigned i = 0; i < LOCK_TRIES; i++) {
        if (flock(folder, LOCK_EX | LOCK_NB) == 0)
            return true;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return true; /* a file system without locks on folders: servers that start one after the other still work */
        nanosleep(&pause, NULL);
    }
    return false;
}

/* The address of `name` in the folder: as the user wrote it, else through the folder's descriptor. */
static bool set_path_in(struct sockaddr_un *a, const char *path, int folder, const char *name)
{
    char through[320];
    if (path && set_path(a, path))
        return true;
    int n = snprintf(through, sizeof(through), "/proc/self/fd/%d/%s", folder, name);
    return n > 0 && (size_t)n < sizeof(through) && set_path(a, through);
}

/* Is somebody there? 0 = no; else why the name must not be taken, as an errno. */
static int probe(const char *path, int folder, const char *name)
{
    struct sockaddr_un a;
    CELL_CLEANUP(cell_cleanup_fd) int target = -1, fd = -1;
    if (!set_path_in(&a, path, folder, name)) {
        target = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (target < 0)
            return errno == ENOENT ? 0 : errno;
        snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d", target);
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    int r;
    do
        r = connect(fd, (const struct sockaddr *)&a, sizeof(a));
    while (r < 0 && errno == EINTR);
    if (r == 0 || errno == EAGAIN || errno == EPROTOTYPE)
        return EADDRINUSE;
    return errno == ECONNREFUSED || errno == ENOENT ? 0 : errno;
}

/* Removes a socket on which nobody accepts. */
static int clear_name(const char *path, int folder, const char *name, struct cell_error *e)
{
    struct stat st;
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? CELL_OK : fail_listen(path, errno, e);
    if (!S_ISSOCK(st.st_mode))
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "%s is there already and is not a socket", path);
    int cause = probe(path, folder, name);
    if (!cause && unlinkat(folder, name, 0) < 0 && errno != ENOENT)
        cause = errno;
    return cause ? fail_listen(path, cause, e) : CELL_OK;
}

/* A name that does not fit into an address even through the folder is bound under a short one and renamed. */
static int bind_alias(int fd, int folder, const char *name)
{
    struct sockaddr_un a;
    char alias[32];
    for (unsigned i = 0; i < ALIAS_TRIES; i++) {
        snprintf(alias, sizeof(alias), ".cell-%lx-%x", (unsigned long)getpid(), i);
        if (!set_path_in(&a, NULL, folder, alias))
            return ENAMETOOLONG;
        if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) == 0) {
            if (renameat2(folder, alias, folder, name, RENAME_NOREPLACE) == 0)
                return 0;
            int cause = errno;
            unlinkat(folder, alias, 0);
            return cause;
        }
        if (errno != EADDRINUSE)
            return errno;
    }
    return EADDRINUSE;
}

/* Binds, sets the mode while nobody can connect yet, and listens. Returns 0 or an errno. */
static int open_name(struct cell_listener *l, const char *path)
{
    struct sockaddr_un a;
    struct stat st;
    int cause = 0;
    fchmod(l->fd, SOCKET_MODE); /* what the file is made with, less the umask: seldom need its path be followed */
    if (!set_path_in(&a, path, l->folder, l->name))
        cause = bind_alias(l->fd, l->folder, l->name);
    else if (bind(l->fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
        cause = errno;
    if (cause)
        return cause;
    if (fstatat(l->folder, l->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno;
    if (!S_ISSOCK(st.st_mode))
        return EEXIST; /* somebody has put something else there */
    l->device = st.st_dev;
    l->inode = st.st_ino;
    if ((st.st_mode & 07777) == SOCKET_MODE || fchmodat(l->folder, l->name, SOCKET_MODE, 0) == 0)
        if (listen(l->fd, SOMAXCONN) == 0)
            return 0;
    return errno; /* closing the listener removes the file */
}

static int listen_on(const char *path, struct cell_listener *l, struct cell_error *e)
{
    const char *slash = strrchr(path, '/');
    int r = open_folder(path, &l->folder, e);
    if (r < 0)
        return r;
    l->name = strdup(slash ? slash + 1 : path);
    if (!l->name)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    if (!l->name[0])
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "%s is a folder, not a socket", path);
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd < 0)
        return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot make a socket");
    if (!lock_folder(l->folder))
        return cell_error_set(e, CELL_UNAVAILABLE, "another program keeps the folder of %s locked", path);
    r = clear_name(path, l->folder, l->name, e);
    int cause = r < 0 ? 0 : open_name(l, path);
    flock(l->folder, LOCK_UN);
    return cause ? fail_listen(path, cause, e) : r;
}

static bool option_is(int fd, int option, int expected)
{
    int value = -1;
    socklen_t len = sizeof(value);
    return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 && value == expected;
}

/* Takes over a descriptor that somebody else opened; its file is theirs as well. */
static int adopt(int fd, struct cell_error *e)
{
    if (!option_is(fd, SO_DOMAIN, AF_UNIX) || !option_is(fd, SO_TYPE, SOCK_STREAM) || !option_is(fd, SO_ACCEPTCONN, 1))
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "descriptor %d is not a listening Unix stream socket", fd);
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot take over descriptor %d", fd);
    return CELL_OK;
}

static int listen_or_adopt(const char *address, const char *prefix, int fd, struct cell_listener **listener,
                           struct cell_error *e)
{
    const char *path = fd < 0 ? path_of(address, prefix, e) : NULL;
    int r;
    if (fd < 0 && !path)
        return CELL_INVALID_ARGUMENT;
    struct cell_listener *l = calloc(1, sizeof(*l));
    if (!l)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    l->fd = l->folder = -1;
    l->maker = getpid();
    r = path ? listen_on(path, l, e) : adopt(fd, e);
    if (r < 0) {
        cell_unix_listener_close(l);
        return r;
    }
    if (!path)
        l->fd = fd; /* until here it is the caller's */
    *listener = l;
    return CELL_OK;
}

int cell_unix_listen(const char *address, int fd, struct cell_listener **listener, struct cell_error *e)
{
    return listen_or_adopt(address, UNIX, fd, listener, e);
}

int cell_shm_listen(const char *address, int fd, struct cell_listener **listener, struct cell_error *e)
{
    int r = listen_or_adopt(address, SHM, fd, listener, e);
    if (r == CELL_OK)
        (*listener)->insists = true;
    return r;
}

int cell_unix_accept(struct cell_listener *l, uint32_t max_payload, struct cell_conn **conn, struct cell_error *e)
{
    int fd, r;
    do
        fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd >= 0) {
        r = cell_unix_conn_new(fd, max_payload, conn, e);
        if (r == CELL_OK) {
            ((struct unix_conn *)*conn)->stage = UNIX_STAGE_EXPECTED;
            ((struct unix_conn *)*conn)->insists = l->insists;
        }
        return r;
    }
    if (errno == EAGAIN)
        return cell_error_set(e, CELL_UNAVAILABLE, "nobody waits to be accepted");
    return cell_error_errno(e, errno == ENOMEM || errno == ENOBUFS ? CELL_NO_MEMORY : CELL_IO_ERROR, errno,
                            "cannot accept a connection");
}

int cell_unix_listener_fd(const struct cell_listener *l) { return l->fd; }

/* Removes the file before anybody can find it stale, and only if it is still the one that was made. */
static void remove_name(const struct cell_listener *l)
{
    struct stat st;
    bool locked = lock_folder(l->folder);
    if (fstatat(l->folder, l->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == l->device && st.st_ino == l->inode)
        unlinkat(l->folder, l->name, 0);
    if (locked)
        flock(l->folder, LOCK_UN);
}

void cell_unix_listener_close(struct cell_listener *l)
{
    if (!l)
        return;
    if (l->inode && l->maker == getpid())
        remove_name(l);
    if (l->fd >= 0)
        close(l->fd);
    if (l->folder >= 0)
        close(l->folder);
    free(l->name);
    free(l);
}
