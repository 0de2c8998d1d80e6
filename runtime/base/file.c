/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MORE 65536u /* bytes that are asked for at once of a file whose size is not known */

/* Reads from `fd` to its end, at most `limit` bytes: a file may grow while it is read, so its size is only a hint. */
static int read_all(int fd, const char *path, size_t limit, struct cell_buffer *b, struct cell_error *e)
{
    for (;;) {
        size_t room = limit - b->len, there = b->capacity - b->len;
        size_t want = there > 1 ? there - 1 : MORE; /* where the size was right, that is all, and its end is seen */
        if (want > room) /* one byte beyond the limit tells "too large" from "exactly the limit" */
            want = room + 1;
        char *to = cell_buffer_reserve(b, want);
        if (!to)
            return cell_error_set(e, CELL_NO_MEMORY, "%s: out of memory", path);
        ssize_t n = read(fd, to, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot read %s", path);
        if ((size_t)n > room)
            return cell_error_set(e, CELL_TOO_LARGE, "%s is larger than %zu bytes", path, limit);
        to[n] = '\0';
        b->len += (size_t)n;
        if (n == 0)
            return CELL_OK;
    }
}

int cell_file_read(const char *path, size_t limit, char **data, size_t *len, struct cell_error *e)
{
    struct stat st;
    struct cell_buffer b = {0};
    /* Not to hang on a FIFO and not to take a terminal: neither is a regular file, which fstat tells. */
    CELL_CLEANUP(cell_cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        int status = errno == ENOENT || errno == ENOTDIR ? CELL_NOT_FOUND : CELL_IO_ERROR;
        return cell_error_errno(e, status, errno, "cannot open %s", path);
    }
    if (fstat(fd, &st) < 0)
        return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot read %s", path);
    if (!S_ISREG(st.st_mode))
        return cell_error_set(e, CELL_IO_ERROR, "cannot read %s: not a regular file", path);
    if (st.st_size > 0 && (uint64_t)st.st_size > limit)
        return cell_error_set(e, CELL_TOO_LARGE, "%s is larger than %zu bytes", path, limit);
    cell_buffer_reserve(&b, (size_t)st.st_size + 1);
    int r = read_all(fd, path, limit, &b, e);
    if (r < 0) {
        cell_buffer_free(&b);
        return r;
    }
    *data = b.data;
    *len = b.len;
    return CELL_OK;
}

/* The folder of `path` with its slash, as a length. */
static size_t folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* Creates a file of a name that nobody else uses in the folder of `path`. The name is not made from that of `path`,
 * which may be as long as a name can be. */
static int create_beside(const char *path, char **name, struct cell_error *e)
{
    static atomic_uint counter;
    size_t folder = folder_length(path);
    for (unsigned attempt = 0; attempt < 100; attempt++) {
        CELL_CLEANUP(cell_cleanup_free) char *candidate = NULL;
        if (asprintf(&candidate, "%.*s.cell-%lx-%llx-%x.tmp", (int)folder, path, (unsigned long)getpid(),
                     (unsigned long long)cell_now_ns(), atomic_fetch_add(&counter, 1)) < 0) {
            candidate = NULL;
            return cell_error_set(e, CELL_NO_MEMORY, "cannot write %s: out of memory", path);
        }
        int fd = open(candidate, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0666);
        if (fd >= 0) {
            *name = candidate;
            candidate = NULL;
            return fd;
        }
        if (errno != EEXIST && errno != EINTR)
            return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot write %s", path);
    }
    return cell_error_set(e, CELL_IO_ERROR, "cannot write %s: no unused temporary name", path);
}

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Makes a rename last. Some file systems cannot sync a folder; the file itself is on the disk by then. */
static int sync_folder(const char *path)
{
    CELL_CLEANUP(cell_cleanup_free) char *folder = strndup(path, folder_length(path));
    CELL_CLEANUP(cell_cleanup_fd)
    int fd = folder ? open(*folder ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    return fd >= 0 && fsync(fd) < 0 && errno != EINVAL ? errno : 0;
}

static int replace(const char *path, const void *data, size_t len, bool synced, struct cell_error *e)
{
    CELL_CLEANUP(cell_cleanup_free) char *name = NULL;
    int fd = create_beside(path, &name, e);
    if (fd < 0)
        return fd;
    int cause = write_all(fd, data, len);
    if (!cause && synced && fsync(fd) < 0)
        cause = errno;
    /* Some file systems report a full disk only here. */
    if (close(fd) < 0 && !cause && errno != EINTR)
        cause = errno;
    if (!cause && rename(name, path) < 0)
        cause = errno;
    if (cause) {
        unlink(name);
        return cell_error_errno(e, CELL_IO_ERROR, cause, "cannot write %s", path);
    }
    cause = synced ? sync_folder(path) : 0;
    return cause ? cell_error_errno(e, CELL_IO_ERROR, cause, "cannot sync the folder of %s", path) : CELL_OK;
}

int cell_file_replace(const char *path, const void *data, size_t len, struct cell_error *e)
{
    return replace(path, data, len, false, e);
}

int cell_file_replace_synced(const char *path, const void *data, size_t len, struct cell_error *e)
{
    return replace(path, data, len, true, e);
}

static bool is_directory(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Makes each folder of `path` that is missing; 0 or an errno. `path` is written to and restored. */
static int make_each(char *path)
{
    for (char *p = path + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char end = *p;
        *p = '\0';
        int cause = mkdir(path, 0700) < 0 ? errno : 0;
        /* Made by someone else meanwhile, or on a file system that refuses before it looks: what counts is that it
         * is there. */
        if (cause && is_directory(path))
            cause = 0;
        else if (cause == EEXIST)
            cause = ENOTDIR;
        *p = end;
        if (cause || !end)
            return cause;
    }
}

int cell_mkdirs(const char *path, struct cell_error *e)
{
    if (!*path)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "cannot make a folder of no name");
    if (is_directory(path))
        return CELL_OK;
    CELL_CLEANUP(cell_cleanup_free) char *copy = strdup(path);
    if (!copy)
        return cell_error_set(e, CELL_NO_MEMORY, "cannot make the folder %s: out of memory", path);
    int cause = make_each(copy);
    for (unsigned again = 0; cause == ENOENT && again < 10; again++)
        cause = make_each(copy); /* someone removed a parent between two steps */
    if (cause)
        return cell_error_errno(e, CELL_IO_ERROR, cause, "cannot make the folder %s", path);
    return CELL_OK;
}

int cell_mkdirs_synced(const char *path, struct cell_error *e)
{
    int r = cell_mkdirs(path, e);
    CELL_CLEANUP(cell_cleanup_free) char *copy = r == CELL_OK ? strdup(path) : NULL;
    if (!copy)
        return r < 0 ? r : cell_error_set(e, CELL_NO_MEMORY, "cannot make the folder %s: out of memory", path);
    for (size_t n = strlen(copy); n > 1; n--) { /* the folder of each name; those that may not be read were there */
        char end = copy[n];
        int cause = 0;
        if (copy[n - 1] == '/' || (end != '/' && end != '\0'))
            continue;
        copy[n] = '\0';
        cause = sync_folder(copy);
        copy[n] = end;
        if (cause)
            return cell_error_errno(e, CELL_IO_ERROR, cause, "cannot sync the folder of %s", path);
    }
    return CELL_OK;
}
