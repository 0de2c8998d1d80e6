/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "disk.h"
#include "disk_map.h"
#include "disk_tear.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define MOST_FILES 4096

/* What libc does, without libc's functions: those are ours. */
static ssize_t real_pwrite(int fd, const void *p, size_t n, off_t at) { return syscall(SYS_pwrite64, fd, p, n, at); }
static ssize_t real_write(int fd, const void *p, size_t n) { return syscall(SYS_write, fd, p, n); }

struct file {
    dev_t dev;
    ino_t ino;
    uint64_t number;
    bool shared;
};
static struct {
    pthread_mutex_t lock;
    char folder[PATH_MAX];
    size_t folder_length; /* 0: nothing is watched */
    int log;              /* -1: nothing is recorded */
    uint64_t *room;       /* NULL: as much as there is */
    struct file files[MOST_FILES];
    uint32_t nfiles;
    uint64_t next_file, next_sync;
    bool hurry;
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER, .log = -1};

static void give_up(const char *why, const char *what)
{
    char text[PATH_MAX + 100];
    int n = snprintf(text, sizeof(text), "disk: %s: %s\n", why, what);

    real_write(2, text, (size_t)n);
    abort();
}

/* The path below the folder; NULL: it is elsewhere. */
static const char *below(const char *path)
{
    static _Thread_local char whole[2][PATH_MAX + 2];
    static _Thread_local unsigned which;
    char *at = whole[which++ % 2], cwd[PATH_MAX];

    if (!disk.folder_length || !path)
        return NULL;
    if (path[0] == '/')
        snprintf(at, sizeof(whole[0]), "%s", path);
    else if (syscall(SYS_getcwd, cwd, sizeof(cwd)) > 0)
        snprintf(at, sizeof(whole[0]), "%.2000s/%.2000s", cwd, path);
    else
        return NULL;
    if (strncmp(at, disk.folder, disk.folder_length) != 0)
        return NULL;
    if (at[disk.folder_length] == '\0')
        return "";
    return at[disk.folder_length] == '/' ? at + disk.folder_length + 1 : NULL;
}

static const char *path_of(int fd, char path[PATH_MAX])
{
    char name[64];

    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(name, path, PATH_MAX - 1);
    path[n > 0 ? n : 0] = '\0';
    return n > 0 ? below(path) : NULL;
}

/* ---- the record; with the lock ---- */

static void put_entry(uint32_t kind, uint64_t file, uint64_t offset, uint64_t value, const void *data, size_t length)
{
    static const char zeros[8];
    const struct disk_entry entry = {kind, (uint32_t)length, file, offset, value};
    struct iovec parts[] = {{(void *)(uintptr_t)&entry, sizeof(entry)},
                            {(void *)(uintptr_t)data, length},
                            {(void *)(uintptr_t)zeros, -length & 7}};
    ssize_t all = (ssize_t)(sizeof(entry) + length + (-length & 7));

    if (disk.log >= 0 && syscall(SYS_writev, disk.log, parts, 3) != all)
        give_up("the record cannot be written", strerror(errno));
}

static void note_stored(uint64_t file, uint64_t offset, const void *data, size_t length)
{
    put_entry(DISK_WRITE, file, offset, 0, data, length);
}

/* What was stored into memory came before. */
static void note(uint32_t kind, uint64_t file, uint64_t offset, uint64_t value, const void *data, size_t length)
{
    disk_map_look(note_stored);
    put_entry(kind, file, offset, value, data, length);
}

static void note_path(uint32_t kind, uint64_t file, uint64_t value, const char *path)
{
    note(kind, file, 0, value, path, strlen(path) + 1);
}

static bool is_shared(const char *path)
{
    static const char *const ends[] = {"-shm", "lock.mdb", ".mdb.new-lock"};
    size_t n = strlen(path);
    bool is = false;

    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
        is = is || (n >= strlen(ends[i]) && strcmp(path + n - strlen(ends[i]), ends[i]) == 0);
    return is;
}

/* The file of `fd`, which becomes known. NULL: it is not below the folder. */
static struct file *file_of(int fd, bool made)
{
    struct stat st;
    char path[PATH_MAX];
    struct file *f = NULL;

    if (!disk.folder_length || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return NULL;
    for (uint32_t i = 0; i < disk.nfiles; i++)
        if (disk.files[i].ino == st.st_ino && disk.files[i].dev == st.st_dev)
            f = &disk.files[i];
    if (f && !made)
        return f;
    const char *name = path_of(fd, path);
    if (!name || st.st_nlink == 0)
        return NULL;
    if (!f) {
        if (disk.nfiles == MOST_FILES)
            give_up("there are too many files", name);
        f = &disk.files[disk.nfiles++];
    }
    *f = (struct file){st.st_dev, st.st_ino, ++disk.next_file, is_shared(name)};
    note_path(DISK_CREATE, f->number, f->shared, name);
    return f;
}

/* A file that goes: another one may get its number of the file system. */
static void forget(const char *path)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return;
    for (uint32_t i = 0; i < disk.nfiles; i++)
        if (disk.files[i].ino == st.st_ino && disk.files[i].dev == st.st_dev && st.st_nlink == 1)
            disk.files[i] = disk.files[--disk.nfiles];
}

/* ---- room ---- */

/* How many of `n` bytes at `at` may be written; those that make the file larger are taken from the room. */
static size_t take_room(int fd, const struct file *f, size_t n, off_t at)
{
    struct stat st;

    if (!f || !disk.room || fstat(fd, &st) < 0 || at + (off_t)n <= st.st_size)
        return n;
    uint64_t more = (uint64_t)(at + (off_t)n - st.st_size), left = __atomic_load_n(disk.room, __ATOMIC_RELAXED);
    uint64_t short_of = more > left ? more - left : 0;
    __atomic_fetch_sub(disk.room, more - short_of, __ATOMIC_RELAXED);
    return short_of < n ? n - (size_t)short_of : 0;
}

/* ---- writing ---- */

static ssize_t write_at(int fd, const void *p, size_t n, off_t at, bool moves)
{
    pthread_mutex_lock(&disk.lock);
    struct file *f = file_of(fd, false);
    off_t where = at;
    ssize_t done;

    if (f && moves)
        where = fcntl(fd, F_GETFL) & O_APPEND ? lseek(fd, 0, SEEK_END) : lseek(fd, 0, SEEK_CUR);
    if (f)
        disk_tear(fd, &(struct iovec){(void *)(uintptr_t)p, n}, 1, where);
    size_t fits = f ? take_room(fd, f, n, where) : n;
    if (fits == 0 && n > 0) {
        pthread_mutex_unlock(&disk.lock);
        errno = ENOSPC;
        return -1;
    }
    done = moves ? real_write(fd, p, fits) : real_pwrite(fd, p, fits, at);
    int error = errno;
    if (f && !f->shared && done > 0)
        note(DISK_WRITE, f->number, (uint64_t)where, (fcntl(fd, F_GETFL) & O_DSYNC) != 0, p, (size_t)done);
    pthread_mutex_unlock(&disk.lock);
    errno = error;
    return done;
}

EXPORT ssize_t pwrite(int fd, const void *p, size_t n, off_t at) { return write_at(fd, p, n, at, false); }
EXPORT ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at) { return write_at(fd, p, n, at, false); }

EXPORT ssize_t write(int fd, const void *p, size_t n)
{
    return disk.folder_length ? write_at(fd, p, n, 0, true) : real_write(fd, p, n);
}

static bool is_ours(int fd)
{
    pthread_mutex_lock(&disk.lock);
    bool ours = file_of(fd, false) != NULL;
    pthread_mutex_unlock(&disk.lock);
    return ours;
}

/* Piece after piece, as a kernel may do it as well. */
static ssize_t write_pieces(int fd, const struct iovec *parts, int count, off_t at, bool moves)
{
    ssize_t all = 0;

    if (!moves)
        disk_tear(fd, parts, count, at);
    for (int i = 0; i < count; i++) {
        ssize_t n = write_at(fd, parts[i].iov_base, parts[i].iov_len, at + all, moves);
        if (n < 0)
            return all > 0 ? all : n;
        all += n;
        if ((size_t)n < parts[i].iov_len)
            break;
    }
    return all;
}

EXPORT ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return is_ours(fd) ? write_pieces(fd, parts, count, 0, true) : syscall(SYS_writev, fd, parts, count);
}

EXPORT ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
    return is_ours(fd) ? write_pieces(fd, parts, count, at, false) : syscall(SYS_pwritev, fd, parts, count, at, 0);
}

EXPORT ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at)
{
    return pwritev(fd, parts, count, at);
}

EXPORT int ftruncate(int fd, off_t size)
{
    pthread_mutex_lock(&disk.lock);
    struct file *f = file_of(fd, false);
    struct stat st;
    int r = -1;

    errno = ENOSPC;
    if (!f || !disk.room || (fstat(fd, &st) == 0 && size <= st.st_size) ||
        take_room(fd, f, (size_t)(size - st.st_size), st.st_size) == (size_t)(size - st.st_size))
        r = (int)syscall(SYS_ftruncate, fd, size);
    int error = errno;
    if (f && !f->shared && r == 0)
        note(DISK_SIZE, f->number, (uint64_t)size, 0, NULL, 0);
    pthread_mutex_unlock(&disk.lock);
    errno = error;
    return r;
}
EXPORT int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }

EXPORT int posix_fallocate(int fd, off_t at, off_t n)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return errno;
    return at + n <= st.st_size || ftruncate(fd, at + n) == 0 ? 0 : errno;
}
EXPORT int posix_fallocate64(int fd, off64_t at, off64_t n) { return posix_fallocate(fd, at, n); }

/* ---- syncing ---- */

static int sync_file(int fd, long call)
{
    char path[PATH_MAX];
    struct stat st;

    if (disk.hurry)
        return 0;
    pthread_mutex_lock(&disk.lock);
    struct file *f = file_of(fd, false);
    const char *folder =
        !f && disk.folder_length && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) ? path_of(fd, path) : NULL;
    uint64_t number = f ? f->number : 0, token = ++disk.next_sync;
    bool noted = f && !f->shared;
    if (noted)
        note(DISK_SYNC_BEGIN, number, 0, token, NULL, 0);
    else if (folder)
        note_path(DISK_FOLDER_SYNC_BEGIN, 0, token, folder);
    pthread_mutex_unlock(&disk.lock);
    int r = (int)syscall(call, fd), error = errno;
    pthread_mutex_lock(&disk.lock);
    if (noted && r == 0)
        note(DISK_SYNC_END, number, 0, token, NULL, 0);
    else if (folder && r == 0)
        note_path(DISK_FOLDER_SYNC_END, 0, token, folder);
    pthread_mutex_unlock(&disk.lock);
    errno = error;
    return r;
}

EXPORT int fsync(int fd) { return sync_file(fd, SYS_fsync); }
EXPORT int fdatasync(int fd) { return sync_file(fd, SYS_fdatasync); }

/* ---- names ---- */

static int open_file(int at, const char *path, int flags, mode_t mode)
{
    const char *name = at == AT_FDCWD || path[0] == '/' ? below(path) : NULL;
    struct stat st;

    if (!name || !(flags & (O_CREAT | O_TRUNC)))
        return (int)syscall(SYS_openat, at, path, flags, mode);
    pthread_mutex_lock(&disk.lock);
    bool was = lstat(path, &st) == 0;
    int fd = (int)syscall(SYS_openat, at, path, flags, mode), error = errno;
    struct file *f = fd >= 0 ? file_of(fd, !was) : NULL;
    if (f && was && (flags & O_TRUNC) && !f->shared)
        note(DISK_SIZE, f->number, 0, 0, NULL, 0);
    pthread_mutex_unlock(&disk.lock);
    errno = error;
    return fd;
}

static mode_t mode_of(int flags, va_list args) { return flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, mode_t) : 0; }

EXPORT int open(const char *path, int flags, ...)
{
    va_list args;

    va_start(args, flags);
    int fd = open_file(AT_FDCWD, path, flags, mode_of(flags, args));
    va_end(args);
    return fd;
}

EXPORT int open64(const char *path, int flags, ...)
{
    va_list args;

    va_start(args, flags);
    int fd = open_file(AT_FDCWD, path, flags, mode_of(flags, args));
    va_end(args);
    return fd;
}

EXPORT int openat(int at, const char *path, int flags, ...)
{
    va_list args;

    va_start(args, flags);
    int fd = open_file(at, path, flags, mode_of(flags, args));
    va_end(args);
    return fd;
}

/* libc's opens by itself, so that nobody would see that it makes a file. */
EXPORT FILE *fopen64(const char *path, const char *how)
{
    static FILE *(*next)(const char *, const char *);

    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "fopen64");
    if (how[0] == 'w' && below(path)) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (fd < 0)
            return NULL;
        close(fd);
    }
    return next(path, how);
}
EXPORT FILE *fopen(const char *path, const char *how) { return fopen64(path, how); }

EXPORT int rename(const char *from, const char *to)
{
    char both[2 * PATH_MAX];

    pthread_mutex_lock(&disk.lock);
    const char *a = below(from), *b = below(to);
    if ((a == NULL) != (b == NULL))
        give_up("a file is moved over the edge of the folder", from);
    if (a)
        forget(to);
    int r = (int)syscall(SYS_rename, from, to), error = errno;
    if (a && r == 0) {
        int n = snprintf(both, sizeof(both), "%s%c%s", a, 0, b);
        note(DISK_RENAME, 0, 0, 0, both, (size_t)n + 1);
    }
    pthread_mutex_unlock(&disk.lock);
    errno = error;
    return r;
}

EXPORT int unlink(const char *path)
{
    pthread_mutex_lock(&disk.lock);
    const char *name = below(path);
    if (name)
        forget(path);
    int r = (int)syscall(SYS_unlink, path), error = errno;
    if (name && r == 0)
        note_path(DISK_UNLINK, 0, 0, name);
    pthread_mutex_unlock(&disk.lock);
    errno = error;
    return r;
}

EXPORT int mkdir(const char *path, mode_t mode)
{
    pthread_mutex_lock(&disk.lock);
    const char *name = below(path);
    int r = (int)syscall(SYS_mkdir, path, mode), error = errno;
    if (name && r == 0)
        note_path(DISK_FOLDER, 0, 0, name);
    pthread_mutex_unlock(&disk.lock);
    errno = error;
    return r;
}

/* ---- memory ---- */

static void *map_file(const struct file *f, void *where, size_t size, int protection, int flags, int fd, off_t at)
{
    void *memory = (void *)syscall(SYS_mmap, where, size, protection, flags, fd, at);
    if (memory != MAP_FAILED && disk.log >= 0 && !disk_map_add(memory, size, f->number, (uint64_t)at))
        give_up("there are too many maps", "nobody would see what is written");
    return memory;
}

static void *map(void *where, size_t size, int protection, int flags, int fd, off_t at)
{
    if (disk.folder_length && fd >= 0 && (flags & MAP_SHARED) && (protection & PROT_WRITE)) {
        pthread_mutex_lock(&disk.lock);
        struct file *f = file_of(fd, false);
        void *memory = f && !f->shared ? map_file(f, where, size, protection, flags, fd, at) : NULL;
        pthread_mutex_unlock(&disk.lock);
        if (memory)
            return memory;
    }
    return (void *)syscall(SYS_mmap, where, size, protection, flags, fd, at);
}
EXPORT void *mmap(void *p, size_t n, int protection, int flags, int fd, off_t at)
{
    return map(p, n, protection, flags, fd, at);
}
EXPORT void *mmap64(void *p, size_t n, int protection, int flags, int fd, off64_t at)
{
    return map(p, n, protection, flags, fd, at);
}

EXPORT int munmap(void *p, size_t n)
{
    pthread_mutex_lock(&disk.lock);
    disk_map_look(note_stored);
    disk_map_drop(p);
    int r = (int)syscall(SYS_munmap, p, n);
    pthread_mutex_unlock(&disk.lock);
    return r;
}

/* ---- life ---- */

static void watch(const char *folder)
{
    if (!realpath(folder, disk.folder))
        give_up("there is no such folder", folder);
    disk.folder_length = strlen(disk.folder);
}

EXPORT bool disk_record(const char *folder, const char *log)
{
    disk.log = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    disk.nfiles = 0;
    disk.next_file = disk.next_sync = 0;
    if (disk.log >= 0)
        watch(folder);
    return disk.log >= 0;
}

EXPORT void disk_stop(void)
{
    pthread_mutex_lock(&disk.lock);
    disk_map_look(note_stored);
    disk.folder_length = 0;
    if (disk.log >= 0)
        close(disk.log);
    disk.log = -1;
    pthread_mutex_unlock(&disk.lock);
}

EXPORT void disk_mark(uint64_t what, uint64_t value)
{
    pthread_mutex_lock(&disk.lock);
    note(DISK_MARK, 0, what, value, NULL, 0);
    pthread_mutex_unlock(&disk.lock);
}

EXPORT void disk_hurry(bool hurry) { disk.hurry = hurry; }

__attribute__((constructor)) static void begin(void)
{
    const char *folder = getenv("CELL_DISK_FOLDER"), *log = getenv("CELL_DISK_LOG"), *room = getenv("CELL_DISK_ROOM");
    const char *tear = getenv("CELL_DISK_TEAR");

    if (!folder)
        return;
    if (room) {
        int fd = (int)syscall(SYS_openat, AT_FDCWD, room, O_RDWR | O_CLOEXEC);
        disk.room = fd < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (disk.room == MAP_FAILED)
            give_up("the number of bytes cannot be read", room);
        close(fd);
    }
    if (tear && !disk_tear_map(tear))
        give_up("the sectors cannot be read", tear);
    if (log ? !disk_record(folder, log) : (watch(folder), false))
        give_up("the record cannot be made", log);
}
