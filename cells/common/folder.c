/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "common/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cell/errors.h>

int folder_status(int cause)
{
    switch (cause) {
    case ENOSPC:
    case EDQUOT:
        return CELL_RESOURCE_EXHAUSTED;
    case EACCES:
    case EPERM:
        return CELL_PERMISSION_DENIED;
    case ENOENT:
        return CELL_NOT_FOUND;
    case EWOULDBLOCK:
        return CELL_UNAVAILABLE;
    default:
        return CELL_IO_ERROR;
    }
}

static int fail(void) { return folder_status(errno); }

/* Closes it, and leaves errno alone. */
static int done(int fd, int status)
{
    int cause = errno;

    if (fd >= 0)
        close(fd);
    errno = cause;
    return status;
}

static int sync_names(int fd) { return fsync(fd) == 0 || errno == EINVAL || errno == EROFS ? CELL_OK : fail(); }

int folder_sync(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? fail() : done(fd, sync_names(fd));
}

int folder_write(int fd, const void *bytes, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t wrote = write(fd, (const char *)bytes + at, n - at);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return fail();
        at += (size_t)wrote;
    }
    return CELL_OK;
}

int folder_replace(const char *folder, const char *path, const void *bytes, size_t n)
{
    char next[PATH_MAX];

    if (snprintf(next, sizeof(next), "%s.new", path) >= (int)sizeof(next)) {
        errno = ENAMETOOLONG;
        return fail();
    }
    int fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fail();
    int r = folder_write(fd, bytes, n);
    if (r >= 0 && fsync(fd) != 0)
        r = fail();
    done(fd, r);
    if (r >= 0 && rename(next, path) != 0)
        r = fail();
    if (r < 0) {
        int cause = errno;
        unlink(next);
        errno = cause;
    }
    return r < 0 ? r : folder_sync(folder);
}

/* The name of a folder that was made is in the folder above it. One that may not be read was there before. */
static int sync_above(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int above = fd < 0 ? -1 : openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = above < 0 ? CELL_OK : sync_names(above);

    done(above, r);
    return done(fd, r);
}

static int make(const char *path)
{
    char part[PATH_MAX];

    for (const char *at = path; at;) {
        at = strchr(at + 1, '/');
        int n = snprintf(part, sizeof(part), "%.*s", at ? (int)(at - path) : (int)strlen(path), path);
        bool fits = n < (int)sizeof(part), made = fits && mkdir(part, 0700) == 0;
        if (!fits)
            errno = ENAMETOOLONG;
        if (!made && errno != EEXIST)
            return fail();
        int r = made ? sync_above(part) : CELL_OK;
        if (r < 0)
            return r;
    }
    /* Also when it was there: who made it may have been cut off here. */
    return sync_above(path);
}

static int read_identity(int fd, char identity[FOLDER_IDENTITY])
{
    uint8_t random[(FOLDER_IDENTITY - 1) / 2];

    identity[FOLDER_IDENTITY - 1] = '\0';
    if (pread(fd, identity, FOLDER_IDENTITY - 1, 0) == FOLDER_IDENTITY - 1)
        return CELL_OK;
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return fail();
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(identity + 2 * i, 3, "%02x", random[i]);
    if (ftruncate(fd, 0) != 0 || pwrite(fd, identity, FOLDER_IDENTITY - 1, 0) != FOLDER_IDENTITY - 1 || fsync(fd) != 0)
        return fail();
    return CELL_OK;
}

int folder_open(const char *folder, int *fd, char identity[FOLDER_IDENTITY])
{
    char path[PATH_MAX];
    int r = make(folder);

    if (r < 0)
        return r;
    if (snprintf(path, sizeof(path), "%s/lock", folder) >= (int)sizeof(path)) {
        errno = ENAMETOOLONG;
        return fail();
    }
    int made = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (made < 0)
        return fail();
    r = flock(made, LOCK_EX | LOCK_NB) == 0 ? read_identity(made, identity) : fail();
    if (r >= 0)
        r = folder_sync(folder);
    if (r < 0)
        return done(made, r);
    *fd = made;
    return CELL_OK;
}
