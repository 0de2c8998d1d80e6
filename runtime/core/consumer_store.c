/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A folder of consumers. A file's name is a hash of the program's name and path, so that a later report replaces the
 * earlier one by renaming. A lock on the folder keeps two who write from going over the limits together; the system
 * gives it back when a process is killed.
 */
#include "core/consumer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"

#define SUFFIX ".json"
#define DIGITS 32u
#define LEFTOVER_S 3600 /* a temporary file that is older was left behind */

static void file_of(const char *program, const char *path, char file[CELL_CONSUMER_FILE_SIZE])
{
    struct cell_sha256 h;
    uint8_t digest[32];
    cell_sha256_init(&h);
    cell_sha256_update(&h, program, strlen(program) + 1); /* with its NUL: no other pair gives the same bytes */
    cell_sha256_update(&h, path, strlen(path));
    cell_sha256_final(&h, digest);
    for (unsigned i = 0; i < DIGITS / 2; i++) {
        file[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        file[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    memcpy(file + DIGITS, SUFFIX, sizeof(SUFFIX));
}

static bool is_file(const char *name)
{
    return strlen(name) == CELL_CONSUMER_FILE_SIZE - 1 && strspn(name, "0123456789abcdef") == DIGITS &&
           strcmp(name + DIGITS, SUFFIX) == 0;
}

static char *path_in(const char *folder, const char *file, struct cell_error *e)
{
    char *path = NULL;
    struct cell_buffer b = {0};
    cell_buffer_printf(&b, "%s/%s", folder, file);
    if (cell_buffer_ok(&b))
        path = b.data;
    else
        cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    return path;
}

/* ---- listing ---- */

static int add(struct cell_consumer_list *list, const char *file, uint64_t size, struct cell_error *e)
{
    if (list->n == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 16;
        void *grown = realloc(list->files, capacity * sizeof(*list->files));
        if (!grown)
            return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
        list->files = grown;
        list->capacity = capacity;
    }
    memcpy(list->files[list->n++], file, CELL_CONSUMER_FILE_SIZE);
    list->bytes += size;
    return CELL_OK;
}

static int compare(const void *a, const void *b) { return strcmp(a, b); }

/* Of one file, whose name is unique here: so the sum over all does not depend on their order. */
static uint64_t stamp_of(const char *file, const struct stat *st)
{
    const uint64_t parts[] = {(uint64_t)st->st_ino,         (uint64_t)st->st_size,
                              (uint64_t)st->st_mtim.tv_sec, (uint64_t)st->st_mtim.tv_nsec,
                              (uint64_t)st->st_ctim.tv_sec, (uint64_t)st->st_ctim.tv_nsec};
    struct cell_sha256 h;
    uint8_t digest[32];
    uint64_t sum = 0;
    cell_sha256_init(&h);
    cell_sha256_update(&h, file, strlen(file));
    cell_sha256_update(&h, parts, sizeof(parts));
    cell_sha256_final(&h, digest);
    memcpy(&sum, digest, sizeof(sum));
    return sum;
}

int cell_consumers_stamp(const char *folder, uint64_t *stamp, struct cell_error *e)
{
    struct stat st;
    uint64_t sum = 1;
    DIR *open = opendir(folder);
    if (!open && errno != ENOENT)
        return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot read %s", folder);
    for (const struct dirent *d; open && (d = readdir(open)) != NULL;)
        if (is_file(d->d_name) && fstatat(dirfd(open), d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
            sum += stamp_of(d->d_name, &st);
    if (open)
        closedir(open);
    *stamp = sum;
    return CELL_OK;
}

int cell_consumers_list(const char *folder, struct cell_consumer_list *list, struct cell_error *e)
{
    struct cell_consumer_list found = {0};
    struct stat st;
    int r = CELL_OK;
    DIR *open = opendir(folder);
    if (!open && errno != ENOENT)
        return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot read %s", folder);
    for (const struct dirent *d; open && r >= 0 && (d = readdir(open)) != NULL;)
        if (is_file(d->d_name) && fstatat(dirfd(open), d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
            r = add(&found, d->d_name, (uint64_t)st.st_size, e);
    if (open)
        closedir(open);
    if (r < 0) {
        cell_consumers_list_free(&found);
        return r;
    }
    if (found.n > 1)
        qsort(found.files, found.n, sizeof(*found.files), compare);
    *list = found;
    return CELL_OK;
}

void cell_consumers_list_free(struct cell_consumer_list *list)
{
    free(list->files);
    *list = (struct cell_consumer_list){0};
}

int cell_consumers_read(const char *folder, const char *file, struct cell_consumer **c, struct cell_error *e)
{
    CELL_CLEANUP(cell_cleanup_free) char *path = path_in(folder, file, e);
    CELL_CLEANUP(cell_cleanup_free) char *data = NULL;
    struct cell_consumer *read = NULL;
    char expected[CELL_CONSUMER_FILE_SIZE];
    size_t len = 0;
    int r = path ? cell_file_read(path, CELL_MAX_CONSUMER_BYTES, &data, &len, e) : CELL_NO_MEMORY;
    if (r < 0)
        return r;
    r = cell_consumer_parse(data, len, &read, e);
    if (r < 0) {
        cell_error_wrap(e, "%s", path);
        return r;
    }
    file_of(read->program, read->path, expected);
    if (strcmp(file, expected) != 0) {
        cell_consumer_free(read);
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "%s holds another program than its name says", path);
    }
    *c = read;
    return CELL_OK;
}

int cell_consumers_find(const char *folder, const char *program, const char *path, struct cell_consumer **c,
                        struct cell_error *e)
{
    char file[CELL_CONSUMER_FILE_SIZE];
    file_of(program, path, file);
    int r = cell_consumers_read(folder, file, c, e);
    return r == CELL_NOT_FOUND ? cell_error_set(e, r, "no program '%s' was reported", program) : r;
}

/* ---- writing ---- */

/* An open descriptor that holds the lock. */
static int lock(const char *folder, struct cell_error *e)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (fd >= 0 && flock(fd, LOCK_EX) < 0)
        if (errno != EINTR) {
            close(fd);
            fd = -1;
        }
    return fd >= 0 ? fd : cell_error_errno(e, CELL_IO_ERROR, errno, "cannot lock %s", folder);
}

/* What a process that was killed, or the power, has left half written. */
static void remove_leftovers(const char *folder)
{
    struct stat st;
    time_t now = time(NULL);
    DIR *open = opendir(folder);
    for (const struct dirent *d; open && (d = readdir(open)) != NULL;)
        if (strncmp(d->d_name, ".cell-", 6) == 0 && fstatat(dirfd(open), d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode) && st.st_mtime < now - LEFTOVER_S)
            unlinkat(dirfd(open), d->d_name, 0);
    if (open)
        closedir(open);
}

static int check_room(const char *folder, const char *path, size_t size, bool *replaced, struct cell_error *e)
{
    struct cell_consumer_list list = {0};
    struct stat st;
    int r = cell_consumers_list(folder, &list, e);
    if (r < 0)
        return r;
    *replaced = lstat(path, &st) == 0;
    uint64_t before = *replaced && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    if (list.n >= CELL_MAX_CONSUMERS && !*replaced)
        r = cell_error_set(e, CELL_RESOURCE_EXHAUSTED,
                           "%u programs are known, which is the limit; forget those that "
                           "are gone",
                           CELL_MAX_CONSUMERS);
    else if (list.bytes - before + size > CELL_MAX_CONSUMERS_BYTES)
        r = cell_error_set(e, CELL_RESOURCE_EXHAUSTED,
                           "what is known of programs would take more than %u bytes, which "
                           "is the limit; forget those that are gone",
                           CELL_MAX_CONSUMERS_BYTES);
    cell_consumers_list_free(&list);
    return r;
}

int cell_consumers_put(const char *folder, const struct cell_consumer *c, bool *replaced, struct cell_error *e)
{
    struct cell_buffer data = {0};
    CELL_CLEANUP(cell_cleanup_free) char *path = NULL;
    char file[CELL_CONSUMER_FILE_SIZE];
    bool before = false;
    file_of(c->program, c->path, file);
    int r = cell_consumer_format(c, &data);
    if (r < 0)
        cell_error_set(e, r, "out of memory");
    else if (data.len > CELL_MAX_CONSUMER_BYTES)
        r = cell_error_set(e, CELL_TOO_LARGE, "what it uses takes %zu bytes, %u is the limit", data.len,
                           CELL_MAX_CONSUMER_BYTES);
    else if (!(path = path_in(folder, file, e)))
        r = CELL_NO_MEMORY;
    else
        r = cell_mkdirs(folder, e);
    CELL_CLEANUP(cell_cleanup_fd) int held = r < 0 ? -1 : lock(folder, e);
    if (r >= 0 && held < 0)
        r = held;
    if (r >= 0) {
        remove_leftovers(folder);
        r = check_room(folder, path, data.len, &before, e);
    }
    if (r >= 0)
        r = cell_file_replace_synced(path, data.data, data.len, e);
    cell_buffer_free(&data);
    if (r >= 0)
        *replaced = before;
    return r;
}

static int forget_file(const char *folder, const char *file, uint32_t *n, struct cell_error *e)
{
    CELL_CLEANUP(cell_cleanup_free) char *path = path_in(folder, file, e);
    if (!path)
        return CELL_NO_MEMORY;
    if (unlink(path) < 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? CELL_OK
                   : cell_error_errno(e, CELL_IO_ERROR, errno, "cannot remove %s", path);
    ++*n;
    return CELL_OK;
}

int cell_consumers_forget(const char *folder, const char *program, const char *path, uint32_t *n, struct cell_error *e)
{
    struct cell_consumer_list list = {0};
    char file[CELL_CONSUMER_FILE_SIZE];
    uint32_t gone = 0;
    int r = path ? CELL_OK : cell_consumers_list(folder, &list, e);
    if (path) {
        file_of(program, path, file);
        r = forget_file(folder, file, &gone, e);
    }
    for (size_t i = 0; r >= 0 && i < list.n; i++) {
        struct cell_consumer *c = NULL;
        if (cell_consumers_read(folder, list.files[i], &c, NULL) >= 0 && strcmp(c->program, program) == 0)
            r = forget_file(folder, list.files[i], &gone, e);
        cell_consumer_free(c);
    }
    cell_consumers_list_free(&list);
    if (r >= 0)
        *n = gone;
    return r;
}
