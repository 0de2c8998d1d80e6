/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* .cell/down: which cells did not answer lately, and which compilation has explained it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "core/config.h"
#include "core/store.h"

#define MAX_NOTE 256u
#define MAX_REPORT 8192u
#define OLD_NOTE_S 3600
#define TURN_TRIES 200
#define TURN_PAUSE_NS 1000000L

/* ---- cells that let the deadline pass ---- */

void cell_store_look(const char *address, struct store_socket *socket)
{
    struct stat st;
    *socket = (struct store_socket){0};
    if (cell_config_is_remote(address)) { /* there is no file whose change would tell that it was started again */
        *socket = (struct store_socket){
            .there = true, .dev = (dev_t)-1, .ino = (ino_t)cell_checksum(address, strlen(address))};
        return;
    }
    if (strncmp(address, "unix:", 5) != 0 || stat(address + 5, &st) < 0)
        return;
    *socket = (struct store_socket){.there = true, .dev = st.st_dev, .ino = st.st_ino, .changed = st.st_ctim};
}

static char *down_path(struct cell_store *s, const struct store_socket *socket)
{
    char name[64];
    snprintf(name, sizeof(name), "%jx-%jx", (uintmax_t)socket->dev, (uintmax_t)socket->ino);
    return cell_store_path(s, "down", name, socket->hurried ? "-hurried" : "");
}

/* File systems give the number of a removed inode to the next file: only with this time it is the same socket. */
static int format_down(const struct store_socket *socket, char note[MAX_NOTE])
{
    return snprintf(note, MAX_NOTE, "%jd.%09ld\n", (intmax_t)socket->changed.tv_sec, socket->changed.tv_nsec);
}

/* Milliseconds since `then`; negative when that is in the future. */
static int64_t age_of(const struct timespec *then)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (then->tv_sec > now.tv_sec)
        return -1;
    if (then->tv_sec < 0)
        return INT64_MAX;
    return (int64_t)(now.tv_sec - then->tv_sec) * 1000 + (now.tv_nsec - then->tv_nsec) / 1000000;
}

bool cell_store_is_down(struct cell_store *s, struct store_socket *socket, uint64_t lifetime_ms, uint64_t *age_ms)
{
    CELL_CLEANUP(cell_cleanup_free) char *note = NULL;
    char expected[MAX_NOTE];
    struct stat st;
    size_t len;
    const char *path = socket->there ? down_path(s, socket) : NULL;
    if (!path || stat(path, &st) < 0)
        return false;
    socket->noted = true;
    format_down(socket, expected);
    int64_t age = age_of(&st.st_mtim); /* one of the future is as good as none */
    if ((uint64_t)age >= lifetime_ms || cell_file_read(path, MAX_NOTE, &note, &len, NULL) < 0 ||
        strcmp(note, expected) != 0)
        return false;
    *age_ms = (uint64_t)age;
    return true;
}

static void forget_old(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        struct stat st;
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
            age_of(&st.st_mtim) > OLD_NOTE_S * 1000)
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir)
        closedir(dir);
}

void cell_store_set_down(struct cell_store *s, const struct store_socket *socket)
{
    char note[MAX_NOTE];
    char *path = socket->there ? down_path(s, socket) : NULL;
    if (!path || cell_store_write(s, path, note, (size_t)format_down(socket, note), NULL) < 0)
        return;
    *strrchr(path, '/') = '\0';
    forget_old(path);
}

void cell_store_clear_down(struct cell_store *s, const struct store_socket *socket)
{
    const char *path = socket->noted ? down_path(s, socket) : NULL;
    if (path)
        unlink(path);
}

/* ---- who has explained it ---- */

/*
 * A report is "SUBJECT OBJECT\nFILE": hashes of what is reported and of the object that the reporting compilation
 * makes, and its main file. Hashes, because names of files are any bytes.
 */
#define REPORT_OBJECT (CELL_FINGERPRINT_LEN + 1)
#define REPORT_FILE (REPORT_OBJECT + CELL_FINGERPRINT_LEN + 1)

static void format_report(const struct store_report *report, struct cell_buffer *b)
{
    char subject[CELL_FINGERPRINT_LEN + 1], object[CELL_FINGERPRINT_LEN + 1];
    cell_sha256_hex(report->subject, strlen(report->subject), subject);
    cell_sha256_hex(report->object, strlen(report->object), object);
    cell_buffer_printf(b, "%s %s\n%s", subject, object, report->file);
}

/* The file that has reported the same less than lifetime_ms ago, for another object; NULL when there is none. */
static const char *find_report(struct cell_store *s, const char *path, const struct cell_buffer *ours,
                               uint64_t lifetime_ms)
{
    CELL_CLEANUP(cell_cleanup_free) char *found = NULL;
    struct stat st;
    size_t len;
    if (stat(path, &st) < 0 || (uint64_t)age_of(&st.st_mtim) >= lifetime_ms ||
        cell_file_read(path, MAX_REPORT, &found, &len, NULL) < 0)
        return NULL;
    if (len <= REPORT_FILE || strlen(found) != len || memcmp(found, ours->data, REPORT_OBJECT) != 0)
        return NULL;
    /* One build makes an object once: this is the next build, however soon it comes. */
    if (memcmp(found + REPORT_OBJECT, ours->data + REPORT_OBJECT, REPORT_FILE - REPORT_OBJECT) == 0)
        return NULL;
    return cell_arena_copy(s->arena, found + REPORT_FILE, len - REPORT_FILE);
}

/* Compilations look and claim one after the other, by a lock on the folder: no lock file stays behind. Not to wait for
 * ever: who has the lock may have been stopped. */
static bool take_turn(int folder)
{
    const struct timespec pause = {.tv_nsec = TURN_PAUSE_NS};
    for (unsigned i = 0; i < TURN_TRIES; i++) {
        if (flock(folder, LOCK_EX | LOCK_NB) == 0)
            return true;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return true; /* a file system without locks on folders: two may explain the same at the same time */
        nanosleep(&pause, NULL);
    }
    return false;
}

const char *cell_store_claim(struct cell_store *s, const char *name, const struct store_report *report,
                             uint64_t lifetime_ms)
{
    const char *folder_path = cell_arena_printf(s->arena, "%s/down", s->root), *by = NULL;
    const char *path = cell_store_path(s, "down", name, "");
    struct cell_buffer ours = {0};
    if (!folder_path || !path || cell_store_make_folder(s, folder_path, NULL) < 0)
        return NULL;
    CELL_CLEANUP(cell_cleanup_fd) int folder = open(folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || !take_turn(folder))
        return NULL;
    format_report(report, &ours);
    if (cell_buffer_ok(&ours))
        by = find_report(s, path, &ours, lifetime_ms);
    if (by && utimensat(AT_FDCWD, path, NULL, 0) < 0)
        by = NULL; /* it would grow old in the middle of a build: where nothing can be written, each explains */
    else if (!by && cell_buffer_ok(&ours) && cell_store_write(s, path, ours.data, ours.len, NULL) >= 0)
        forget_old(folder_path);
    cell_buffer_free(&ours);
    return by;
}

void cell_store_clear_report(struct cell_store *s, const char *name)
{
    const char *path = cell_store_path(s, "down", name, "");
    if (path)
        unlink(path);
}
