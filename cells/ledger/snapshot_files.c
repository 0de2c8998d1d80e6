/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Snapshots in a folder. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "snapshot.h"

#define KEPT 2
#define NAME "snapshot-%020" PRIu64
#define NAME_LENGTH 29

static int open_in(const char *folder, const char *name, int flags, char path[4096], struct lg_failure *f)
{
    int n = snprintf(path, 4096, "%s/%s", folder, name);

    if (n < 0 || n >= 4096)
        return lg_fail(f, CELL_INVALID_ARGUMENT, "the path of the folder is too long");
    int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? lg_fail_errno(f, "opening", path) : fd;
}

int lg_ids_open(const char *folder, struct lg_failure *f)
{
    char path[4096];
    return open_in(folder, "ids", O_RDWR | O_CREAT, path, f);
}

static bool is_name(const char *name, uint64_t *sequence)
{
    char again[32];

    if (strlen(name) != NAME_LENGTH || sscanf(name, "snapshot-%" SCNu64, sequence) != 1)
        return false;
    snprintf(again, sizeof(again), NAME, *sequence);
    return strcmp(again, name) == 0;
}

static int newest_first(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x > y ? -1 : x < y;
}

/* Their sequences, the newest first, to be freed. The number of them, or negative. */
static int list(const char *folder, uint64_t **found, struct lg_failure *f)
{
    DIR *dir = opendir(folder);
    uint64_t sequence;
    int n = 0;

    *found = NULL;
    if (!dir)
        return lg_fail_errno(f, "reading the folder", folder);
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (!is_name(entry->d_name, &sequence))
            continue;
        uint64_t *more = realloc(*found, ((size_t)n + 1) * sizeof(**found));
        if (!more) {
            closedir(dir);
            return lg_fail(f, CELL_NO_MEMORY, "out of memory");
        }
        *found = more;
        more[n++] = sequence;
    }
    closedir(dir);
    if (n)
        qsort(*found, (size_t)n, sizeof(**found), newest_first);
    return n;
}

static int load_one(const char *folder, uint64_t sequence, struct lg_snapshot *s, struct lg_failure *f)
{
    char path[4096], name[32];
    struct stat st;

    snprintf(name, sizeof(name), NAME, sequence);
    int fd = open_in(folder, name, O_RDONLY, path, f);
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0) {
        close(fd);
        return lg_fail(f, CELL_DATA_LOSS, "the snapshot %s is damaged: it is empty", name);
    }
    /* A copy: nothing that others do to the file may be seen behind the checksum. */
    char *bytes = malloc((size_t)st.st_size);
    size_t done = 0;
    ssize_t n = 1;
    while (bytes && done < (size_t)st.st_size && (n > 0 || (n < 0 && errno == EINTR)))
        if ((n = read(fd, bytes + done, (size_t)st.st_size - done)) > 0)
            done += (size_t)n;
    int r = !bytes  ? lg_fail(f, CELL_NO_MEMORY, "out of memory for the snapshot %s", name)
            : n < 0 ? lg_fail_errno(f, "reading", path)
                    : lg_snapshot_decode(bytes, done, s, f);
    if (r >= 0 && s->position.sequence != sequence)
        r = lg_fail(f, CELL_DATA_LOSS, "the snapshot %s is that of another position", name);
    free(bytes);
    close(fd);
    return r;
}

int lg_snapshot_load(const char *folder, uint64_t most, struct lg_snapshot *s, uint32_t *damaged, struct lg_failure *f)
{
    uint64_t *found;
    int n = list(folder, &found, f), r = CELL_NOT_FOUND;

    *damaged = 0;
    *s = (struct lg_snapshot){0};
    if (n < 0)
        return n;
    for (int i = 0; i < n; i++) {
        if (found[i] > most)
            continue;
        r = load_one(folder, found[i], s, f);
        if (r != CELL_DATA_LOSS)
            break;
        lg_snapshot_free(s);
        ++*damaged;
    }
    free(found);
    return r == CELL_DATA_LOSS ? CELL_NOT_FOUND : r;
}

/* ---- written ---- */

struct out {
    int fd, error; /* errno of the first write that failed */
    uint32_t checksum;
    size_t n;
    char buffer[65536];
};

static void flush(struct out *out)
{
    for (size_t done = 0; out->error == 0 && done < out->n;) {
        ssize_t n = write(out->fd, out->buffer + done, out->n - done);
        if (n < 0 && errno != EINTR)
            out->error = errno;
        done += n > 0 ? (size_t)n : 0;
    }
    out->n = 0;
}

static void put(struct out *out, const void *bytes, size_t n)
{
    const char *from = bytes;

    if (n == 0) /* without bytes zlib would begin anew */
        return;
    out->checksum = (uint32_t)crc32_z(out->checksum, bytes, n);
    while (n > 0) {
        size_t some = sizeof(out->buffer) - out->n < n ? sizeof(out->buffer) - out->n : n;
        memcpy(out->buffer + out->n, from, some);
        out->n += some;
        from += some;
        n -= some;
        if (out->n == sizeof(out->buffer))
            flush(out);
    }
}

static void put_all(struct out *out, const struct lg_snapshot *s)
{
    const struct lg_snapshot_head head = {.secret = {s->secret[0], s->secret[1]},
                                          .position = s->position,
                                          .time_us = s->state.time_us,
                                          .transfers = s->state.transfers,
                                          .accounts = s->state.accounts.count,
                                          .holds = s->state.holds.count,
                                          .places = s->index.n,
                                          .tags = s->ntags};
    const size_t from = offsetof(struct lg_snapshot_head, checksum) + sizeof(head.checksum);
    uint64_t at = 0;

    put(out, (const char *)&head + from, sizeof(head) - from);
    for (const void *a; (a = lg_table_each(&s->state.accounts, &at));)
        put(out, a, sizeof(struct lg_account));
    at = 0;
    for (const void *h; (h = lg_table_each(&s->state.holds, &at));)
        put(out, h, sizeof(struct lg_hold));
    put(out, s->index.places, s->index.n * sizeof(s->index.places[0]));
    put(out, s->tags, s->ntags * sizeof(s->tags[0]));
}

static int write_file(int fd, const char *path, const struct lg_snapshot *s, struct lg_failure *f)
{
    static const char magic[8] = {'C', 'E', 'L', 'L', 'L', 'G', 'R', '1'};
    struct out *out = malloc(sizeof(*out));

    if (!out) {
        close(fd);
        return lg_fail(f, CELL_NO_MEMORY, "out of memory");
    }
    out->fd = fd;
    out->error = 0;
    out->n = sizeof(magic) + sizeof(out->checksum); /* which comes at the end */
    memset(out->buffer, 0, out->n);
    memcpy(out->buffer, magic, sizeof(magic));
    out->checksum = 0;
    put_all(out, s);
    flush(out);
    errno = out->error;
    bool good = errno == 0 &&
                pwrite(fd, &out->checksum, sizeof(out->checksum), sizeof(magic)) == sizeof(out->checksum) &&
                fdatasync(fd) == 0;
    int r = good ? CELL_OK : lg_fail_errno(f, "writing", path);
    if (close(fd) < 0 && r >= 0)
        r = lg_fail_errno(f, "writing", path);
    free(out);
    return r;
}

static void remove_old(const char *folder)
{
    uint64_t *found;
    char path[4160];
    int n = list(folder, &found, NULL);

    for (int i = KEPT; i < n; i++) {
        snprintf(path, sizeof(path), "%s/" NAME, folder, found[i]);
        unlink(path); /* what stays is removed next time */
    }
    free(found);
}

int lg_snapshot_save(const char *folder, const struct lg_snapshot *s, struct lg_failure *f)
{
    char path[4096], to[4160];
    int fd = open_in(folder, "snapshot-new", O_WRONLY | O_CREAT | O_TRUNC, path, f);
    int r = fd < 0 ? fd : write_file(fd, path, s, f);
    int dir = r < 0 ? r : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    snprintf(to, sizeof(to), "%s/" NAME, folder, s->position.sequence);
    if (r >= 0 && (dir < 0 || rename(path, to) < 0 || fsync(dir) < 0))
        r = lg_fail_errno(f, "renaming", path);
    if (r < 0 && fd >= 0)
        unlink(path);
    if (r >= 0)
        remove_old(folder);
    if (dir >= 0)
        close(dir);
    return r;
}
