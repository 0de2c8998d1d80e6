/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "journal/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_LENGTH 24 /* 16 hex digits and ".segment" */
#define NEW_NAME "new.segment"
/* Segments are filled in pieces of that size. A file system that keeps what was written at once as one piece of its
 * cache (ext4 from Linux 6.16 on) goes over all of it with each small write later: with 1 MiB that is half of what an
 * append of a record costs. */
#define PIECE (UINT64_C(64) << 10)

int cell_journal_path(const char *folder, const char *name, char path[PATH_MAX], struct cell_error *e)
{
    if (snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "the path of the journal is too long: %s", folder);
    return CELL_OK;
}

static int segment_path(const char *folder, uint64_t number, char path[PATH_MAX], struct cell_error *e)
{
    char name[NAME_LENGTH + 1];
    snprintf(name, sizeof(name), "%016llx.segment", (unsigned long long)number);
    return cell_journal_path(folder, name, path, e);
}

/* ---- bytes ---- */

static int fail_write(int cause, struct cell_error *e)
{
    if (cause == ENOSPC || cause == EDQUOT)
        return cell_error_errno(e, CELL_RESOURCE_EXHAUSTED, cause, "the disk of the journal is full");
    return cell_error_errno(e, CELL_IO_ERROR, cause, "the journal cannot be written");
}

int cell_write_at(int fd, const void *bytes, size_t n, uint64_t at, struct cell_error *e)
{
    const uint8_t *p = bytes;
    while (n) {
        ssize_t done = pwrite(fd, p, n, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return fail_write(done < 0 ? errno : EIO, e);
        p += done;
        at += (uint64_t)done;
        n -= (size_t)done;
    }
    return CELL_OK;
}

int cell_read_at(int fd, void *bytes, size_t n, uint64_t at, size_t *got, struct cell_error *e)
{
    *got = 0;
    while (*got < n) {
        ssize_t done = pread(fd, (uint8_t *)bytes + *got, n - *got, (off_t)(at + *got));
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return cell_error_errno(e, CELL_IO_ERROR, errno, "the journal cannot be read");
        if (done == 0)
            break;
        *got += (size_t)done;
    }
    return CELL_OK;
}

/* ---- segments ---- */

static bool number_of(const char *name, uint64_t *number)
{
    char *end;
    if (strlen(name) != NAME_LENGTH || strspn(name, "0123456789abcdef") != 16 || strcmp(name + 16, ".segment") != 0)
        return false;
    *number = strtoull(name, &end, 16);
    return true;
}

int cell_segments_find(const char *folder, uint64_t *first, uint64_t *last, struct cell_error *e)
{
    DIR *d = opendir(folder);
    uint64_t n = 0, number;
    if (!d)
        return cell_error_errno(e, errno == ENOENT ? CELL_NOT_FOUND : CELL_IO_ERROR, errno,
                                "the folder of the journal cannot be read: %s", folder);
    for (struct dirent *entry; (entry = readdir(d));) {
        if (!number_of(entry->d_name, &number))
            continue;
        *first = n == 0 || number < *first ? number : *first;
        *last = n == 0 || number > *last ? number : *last;
        n++;
    }
    closedir(d);
    if (n == 0)
        return cell_error_set(e, CELL_NOT_FOUND, "the journal in %s has no segments", folder);
    if (*last - *first != n - 1)
        return cell_error_set(e, CELL_DATA_LOSS, "a segment is missing between %016llx and %016llx in %s",
                              (unsigned long long)*first, (unsigned long long)*last, folder);
    return CELL_OK;
}

/* Zeros are written, not reserved: what is only reserved has to be marked as written with the first sync of each place.
 */
static int fill(int fd, const struct cell_journal_format *f, uint64_t number, struct cell_error *e)
{
    CELL_CLEANUP(cell_cleanup_free) uint8_t *zeros = calloc(1, PIECE);
    struct cell_segment_head head;
    int r = zeros ? CELL_OK : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    for (uint64_t at = 0; r == CELL_OK && at < f->segment_bytes; at += PIECE)
        r = cell_write_at(fd, zeros, f->segment_bytes - at < PIECE ? f->segment_bytes - at : PIECE, at, e);
    cell_segment_head_make(f, number, &head);
    if (r == CELL_OK)
        r = cell_write_at(fd, &head, sizeof(head), 0, e);
    if (r == CELL_OK && fdatasync(fd) < 0)
        r = fail_write(errno, e);
    return r;
}

static int sync_folder(const char *folder, struct cell_error *e)
{
    CELL_CLEANUP(cell_cleanup_fd) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 || fsync(fd) < 0 ? fail_write(errno, e) : CELL_OK;
}

int cell_segment_make(const char *folder, const struct cell_journal_format *f, uint64_t number, int *fd,
                      struct cell_error *e)
{
    char path[PATH_MAX], new[PATH_MAX];
    CELL_CLEANUP(cell_cleanup_fd) int made = -1;
    int r = segment_path(folder, number, path, e);
    if (r == CELL_OK)
        r = cell_journal_path(folder, NEW_NAME, new, e);
    if (r < 0)
        return r;
    made = open(new, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    r = made < 0 ? fail_write(errno, e) : fill(made, f, number, e);
    if (r == CELL_OK && rename(new, path) < 0)
        r = fail_write(errno, e);
    if (r == CELL_OK)
        r = sync_folder(folder, e);
    else
        unlink(new);
    if (r == CELL_OK) {
        *fd = made;
        made = -1;
    }
    return r;
}

int cell_segment_open(const char *folder, const struct cell_journal_format *f, uint64_t number, bool writes, int *fd,
                      struct cell_error *e)
{
    char path[PATH_MAX];
    struct cell_segment_head head;
    struct stat st;
    size_t got;
    int r = segment_path(folder, number, path, e);
    if (r < 0)
        return r;
    CELL_CLEANUP(cell_cleanup_fd) int made = open(path, (writes ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (made < 0)
        return cell_error_errno(e,
                                errno == ENOENT   ? CELL_NOT_FOUND
                                : errno == EACCES ? CELL_PERMISSION_DENIED
                                                  : CELL_IO_ERROR,
                                errno, "the segment cannot be opened: %s", path);
    r = cell_read_at(made, &head, sizeof(head), 0, &got, e);
    if (r < 0)
        return r;
    if (got != sizeof(head) || !cell_segment_head_check(f, number, &head) || fstat(made, &st) < 0 ||
        (uint64_t)st.st_size != f->segment_bytes)
        return cell_error_set(e, CELL_DATA_LOSS, "the beginning of the segment is damaged: %s", path);
    *fd = made;
    made = -1;
    return CELL_OK;
}

int cell_segment_remove(const char *folder, uint64_t number, struct cell_error *e)
{
    char path[PATH_MAX];
    int r = segment_path(folder, number, path, e);
    if (r == CELL_OK && unlink(path) < 0 && errno != ENOENT)
        r = cell_error_errno(e, CELL_IO_ERROR, errno, "the segment cannot be removed: %s", path);
    return r;
}

/* ---- who writes ---- */

static int open_lock(const char *folder, int flags, int *fd, struct cell_error *e)
{
    char path[PATH_MAX];
    int r = cell_journal_path(folder, "lock", path, e);
    if (r < 0)
        return r;
    *fd = open(path, flags | O_CLOEXEC, 0640);
    return *fd < 0 ? cell_error_errno(e, errno == ENOENT ? CELL_NOT_FOUND : CELL_IO_ERROR, errno,
                                      "the journal cannot be opened: %s", path)
                   : CELL_OK;
}

/* Of the open file description: it goes with the process, and not when some other descriptor is closed. */
int cell_journal_lock(const char *folder, int *fd, struct cell_error *e)
{
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    CELL_CLEANUP(cell_cleanup_fd) int made = -1;
    int r = open_lock(folder, O_RDWR | O_CREAT, &made, e);
    if (r < 0)
        return r;
    if (fcntl(made, F_OFD_SETLK, &all) < 0)
        return errno == EAGAIN || errno == EACCES
                   ? cell_error_set(e, CELL_UNAVAILABLE, "the journal in %s is written by another process", folder)
                   : cell_error_errno(e, CELL_IO_ERROR, errno, "the journal in %s cannot be locked", folder);
    *fd = made;
    made = -1;
    return CELL_OK;
}

int cell_journal_lock_look(const char *folder, int *fd, struct cell_error *e)
{
    return open_lock(folder, O_RDONLY, fd, e);
}

bool cell_journal_is_locked(int fd)
{
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_GETLK, &all) == 0 && all.l_type != F_UNLCK;
}
