/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "core/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wire/limits.h"

#define MAX_TEXT (64u << 20)
#define MAX_NOTE 256u

int cell_store_init(struct cell_store *s, struct cell_arena *arena, const char *dir)
{
    *s = (struct cell_store){.arena = arena};
    s->root = cell_arena_printf(arena, "%s/.cell", strcmp(dir, "/") == 0 ? "" : dir);
    return s->root ? CELL_OK : CELL_NO_MEMORY;
}

/* 1 = good, 0 = not there, or an error. What is below is only as trustworthy as who can write to it: the texts in there
 * become part of the program that is compiled. */
static int inspect(const char *path, struct cell_error *e)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : cell_error_errno(e, CELL_IO_ERROR, errno, "cannot look at %s", path);
    bool foreign = st.st_uid != geteuid() && st.st_uid != 0;
    if (!foreign && S_ISLNK(st.st_mode)) {
        if (stat(path, &st) < 0)
            return cell_error_errno(e, CELL_IO_ERROR, errno, "%s is a symbolic link that leads nowhere", path);
        foreign = st.st_uid != geteuid() && st.st_uid != 0;
    }
    if (foreign)
        return cell_error_set(e, CELL_PERMISSION_DENIED,
                              "%s is owned by uid %u, neither by you nor by root: what is in it would become part of "
                              "the program; remove it",
                              path, (unsigned)st.st_uid);
    if (!S_ISDIR(st.st_mode))
        return cell_error_set(e, CELL_IO_ERROR, "%s is not a folder; remove it", path);
    if (st.st_mode & S_IWOTH)
        return cell_error_set(
            e, CELL_PERMISSION_DENIED,
            "anybody can write to %s, and what is in it becomes part of the program: run 'chmod o-w %s'", path, path);
    return 1;
}

int cell_store_check(struct cell_store *s, struct cell_error *e)
{
    if (s->usable)
        return CELL_OK;
    int r = inspect(s->root, e);
    s->usable = r > 0;
    return r < 0 ? r : CELL_OK;
}

char *cell_store_path(struct cell_store *s, const char *folder, const char *name, const char *suffix)
{
    return cell_arena_printf(s->arena, "%s/%s/%s%s", s->root, folder, name, suffix);
}

int cell_store_make_folder(struct cell_store *s, const char *path, struct cell_error *e)
{
    int r = cell_store_check(s, e);
    if (r >= 0 && !s->usable) {
        /* Made and looked at again: somebody may have been faster, in a folder where anybody can make it. */
        r = cell_mkdirs(s->root, e);
        if (r >= 0)
            r = cell_store_check(s, e);
    }
    return r < 0 ? r : cell_mkdirs(path, e);
}

int cell_store_write(struct cell_store *s, const char *path, const void *data, size_t len, struct cell_error *e)
{
    CELL_CLEANUP(cell_cleanup_free) char *folder = strdup(path);
    if (!folder)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    *strrchr(folder, '/') = '\0';
    int r = cell_store_make_folder(s, folder, e);
    return r < 0 ? r : cell_file_replace(path, data, len, e);
}

/* What tells one state of a file from another. */
static int format_stamp(const struct stat *st, const char *fingerprint, char note[MAX_NOTE])
{
    return snprintf(note, MAX_NOTE, "%s %ju %ju %ju %jd.%09ld %jd.%09ld\n", fingerprint, (uintmax_t)st->st_dev,
                    (uintmax_t)st->st_ino, (uintmax_t)st->st_size, (intmax_t)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
                    (intmax_t)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
}

static bool is_fingerprint(const char *text) { return strspn(text, "0123456789abcdef") >= CELL_FINGERPRINT_LEN; }

bool cell_store_known(struct cell_store *s, const char *name, const char *mirror,
                      char fingerprint[CELL_FINGERPRINT_LEN + 1])
{
    CELL_CLEANUP(cell_cleanup_free) char *note = NULL;
    char expected[MAX_NOTE], found[CELL_FINGERPRINT_LEN + 1];
    struct stat st;
    size_t len;
    const char *path = cell_store_path(s, "known", name, "");
    if (!path || stat(mirror, &st) < 0 || !S_ISREG(st.st_mode) || cell_file_read(path, MAX_NOTE, &note, &len, NULL) < 0)
        return false;
    if (!is_fingerprint(note))
        return false;
    memcpy(found, note, CELL_FINGERPRINT_LEN);
    found[CELL_FINGERPRINT_LEN] = '\0';
    format_stamp(&st, found, expected);
    if (strcmp(note, expected) != 0)
        return false;
    memcpy(fingerprint, found, sizeof(found));
    return true;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

int cell_store_read(const char *path, struct store_file *file, struct cell_error *e)
{
    struct store_file f = {0};
    struct stat after;
    bool before = stat(path, &f.st) == 0;
    int r = cell_file_read(path, CELL_MAX_COMPILE_REPLY, &f.data, &f.len, e);
    if (r < 0)
        return r;
    f.stable = before && stat(path, &after) == 0 && f.st.st_ino == after.st_ino && f.st.st_dev == after.st_dev &&
               (size_t)f.st.st_size == f.len && same_time(&f.st.st_mtim, &after.st_mtim) &&
               same_time(&f.st.st_ctim, &after.st_ctim);
    cell_sha256_hex(f.data, f.len, f.sha256);
    *file = f;
    return CELL_OK;
}

void cell_store_learn(struct cell_store *s, const char *name, const struct store_file *file)
{
    char note[MAX_NOTE];
    const char *path = cell_store_path(s, "known", name, "");
    if (path && file->stable)
        cell_store_write(s, path, note, (size_t)format_stamp(&file->st, file->sha256, note), NULL);
}

/* Against accidents only, and fast: SHA-256 would take longer than all else that an import of a known cell needs. */
static uint64_t checksum(const char *text, size_t len)
{
    const uint64_t factor = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t sum = (uint64_t)len * factor, word;
    for (; len >= sizeof(word); text += sizeof(word), len -= sizeof(word)) {
        memcpy(&word, text, sizeof(word));
        sum = (sum ^ word) * factor;
        sum ^= sum >> 29;
    }
    word = 0;
    memcpy(&word, text, len);
    sum = (sum ^ word) * factor;
    return sum ^ sum >> 32;
}

#define SEAL_FORMAT "/* end %016" PRIx64 " */\n"
#define SEAL_LEN 27u

bool cell_store_text_is_whole(const char *path)
{
    CELL_CLEANUP(cell_cleanup_free) char *text = NULL;
    char seal[SEAL_LEN + 1];
    size_t len;
    if (cell_file_read(path, MAX_TEXT, &text, &len, NULL) < 0 || len < SEAL_LEN)
        return false;
    snprintf(seal, sizeof(seal), SEAL_FORMAT, checksum(text, len - SEAL_LEN));
    return memcmp(text + len - SEAL_LEN, seal, SEAL_LEN) == 0;
}

int cell_store_put_text(struct cell_store *s, const char *path, const char *text, size_t len, struct cell_error *e)
{
    struct cell_buffer b = {0};
    int r = CELL_OK;
    cell_buffer_append(&b, text, len);
    cell_buffer_printf(&b, SEAL_FORMAT, checksum(text, len));
    if (!cell_buffer_ok(&b))
        r = cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    /* When another compilation was faster its file stays as it is: objects that depend on it are not older. */
    else if (!cell_store_text_is_whole(path))
        r = cell_store_write(s, path, b.data, b.len, e);
    cell_buffer_free(&b);
    return r;
}
