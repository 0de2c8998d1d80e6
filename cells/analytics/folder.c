/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Files of the cell's folder. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service.h"

int an_fail_io(struct an_failure *f, const char *path)
{
    int code = errno == ENOSPC || errno == EDQUOT  ? CELL_RESOURCE_EXHAUSTED
               : errno == EACCES || errno == EPERM ? CELL_PERMISSION_DENIED
               : errno == ENOENT                   ? CELL_NOT_FOUND
                                                   : CELL_IO_ERROR;

    return an_fail(f, code, "%s: %s", path, strerror(errno));
}

int an_folder_sync(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 || (fsync(fd) != 0 && errno != EINVAL && errno != EROFS) ? CELL_IO_ERROR : CELL_OK;

    if (fd >= 0)
        close(fd);
    return r;
}

static bool write_all(int fd, const void *bytes, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t wrote = write(fd, (const char *)bytes + at, n - at);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        at += (size_t)wrote;
    }
    return true;
}

int an_folder_replace(const struct an_service *service, const char *path, const void *bytes, size_t n,
                      struct an_failure *f)
{
    char next[AN_MOST_PATH];

    if (snprintf(next, sizeof(next), "%s.new", path) >= (int)sizeof(next))
        return an_fail(f, CELL_INVALID_ARGUMENT, "the folder's path is too long");
    int fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return an_fail_io(f, next);
    int r = write_all(fd, bytes, n) && fsync(fd) == 0 ? CELL_OK : an_fail_io(f, next);
    close(fd);
    if (r >= 0 && (rename(next, path) != 0 || an_folder_sync(service->folder) < 0))
        r = an_fail_io(f, path);
    if (r < 0)
        unlink(next);
    return r;
}

int an_folder_read(const char *path, void **bytes, size_t *n, struct an_failure *f)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat is;
    size_t at = 0;

    if (fd < 0)
        return an_fail_io(f, path);
    *n = fstat(fd, &is) == 0 ? (size_t)is.st_size : 0;
    *bytes = malloc(*n + 1);
    while (*bytes && at < *n) {
        ssize_t got = read(fd, (char *)*bytes + at, *n - at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        at += (size_t)got;
    }
    int r = !*bytes ? an_fail(f, CELL_NO_MEMORY, "out of memory") : at < *n ? an_fail_io(f, path) : CELL_OK;
    close(fd);
    if (r < 0) {
        free(*bytes);
        *bytes = NULL;
    }
    return r;
}

static int make_folders(const char *path, struct an_failure *f)
{
    char part[AN_MOST_PATH];

    for (const char *at = path; at;) {
        at = strchr(at + 1, '/');
        snprintf(part, sizeof(part), "%.*s", at ? (int)(at - path) : (int)strlen(path), path);
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return an_fail_io(f, part);
    }
    return CELL_OK;
}

/* The lock's file has the identity as well: 16 hex digits, made with it. */
static int read_identity(struct an_service *service, int fd, const char *path, struct an_failure *f)
{
    uint8_t random[8];

    if (pread(fd, service->identity, 16, 0) == 16)
        return CELL_OK;
    bool made = getrandom(random, sizeof(random), 0) == (ssize_t)sizeof(random);
    for (int i = 0; i < 8; i++)
        snprintf(service->identity + 2 * i, 3, "%02x", random[i]);
    if (!made || pwrite(fd, service->identity, 16, 0) != 16 || fsync(fd) != 0)
        return an_fail_io(f, path);
    return an_folder_sync(service->folder) < 0 ? an_fail_io(f, service->folder) : CELL_OK;
}

int an_folder_open(struct an_service *service, struct an_failure *f)
{
    char path[AN_MOST_PATH];
    int r = make_folders(service->folder, f);

    if (r < 0)
        return r;
    snprintf(path, sizeof(path), "%s/lock", service->folder);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return an_fail_io(f, path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        r = an_fail(f, CELL_UNAVAILABLE, "%s: another process has it open", service->folder);
    if (r >= 0)
        r = read_identity(service, fd, path, f);
    if (r < 0)
        close(fd);
    else
        service->folder_lock = fd;
    return r;
}
