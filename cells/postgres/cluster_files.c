/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "cluster_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW_PREFIX "data.new-"
#define LOG "postgres.log"
#define MAX_LOG (10 << 20)

static int io_failure(struct pg_failure *f, const struct pg_state *s, const char *name)
{
    int status = errno == ENOSPC || errno == EDQUOT  ? CELL_RESOURCE_EXHAUSTED
                 : errno == EACCES || errno == EPERM ? CELL_PERMISSION_DENIED
                                                     : CELL_IO_ERROR;

    return pg_fail(f, status, "%s%s%s: %s", s->path, name[0] ? "/" : "", name, strerror(errno));
}

static int make_folders(const char *path)
{
    char *copy = strdup(path);
    int r = copy ? 0 : -1;

    for (char *at = copy ? copy + 1 : NULL; at && r == 0; at++) {
        at = strchr(at, '/');
        if (at)
            *at = '\0';
        r = mkdir(copy, 0700) < 0 && errno != EEXIST ? -1 : 0;
        if (!at)
            break;
        *at = '/';
    }
    free(copy);
    return r;
}

static int lock(struct pg_state *s, struct pg_failure *f)
{
    char pid[32] = "";

    s->lock = openat(s->folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock < 0)
        return io_failure(f, s, "lock");
    if (flock(s->lock, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK)
            return io_failure(f, s, "lock");
        if (pread(s->lock, pid, sizeof(pid) - 1, 0) < 0)
            pid[0] = '\0';
        pid[strspn(pid, "0123456789")] = '\0';
        return pg_fail(f, CELL_ALREADY_EXISTS, "%s is in use by another postgres cell%s%s%s", s->path,
                       pid[0] ? " (pid " : "", pid, pid[0] ? ")" : "");
    }
    snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (ftruncate(s->lock, 0) < 0 || pwrite(s->lock, pid, strlen(pid), 0) < 0)
        return io_failure(f, s, "lock");
    return CELL_OK;
}

int pg_state_open(const char *path, struct pg_state *state, struct pg_failure *f)
{
    struct pg_state s = {.folder = -1, .lock = -1, .data = -1, .run = -1};
    int r = pg_account_find(&s.account, f);

    if (r < 0)
        return r;
    if (make_folders(path) < 0 || !(s.path = realpath(path, NULL)))
        return pg_fail(f, CELL_IO_ERROR, "%s: %s", path, strerror(errno));
    s.folder = open(s.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    r = s.folder < 0 ? io_failure(f, &s, "") : lock(&s, f);
    if (r < 0) {
        pg_state_close(&s);
        return r;
    }
    *state = s;
    return CELL_OK;
}

void pg_state_close(struct pg_state *s)
{
    const int fds[] = {s->data, s->run, s->lock, s->folder};

    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(s->path);
    s->path = NULL;
    s->data = s->run = s->lock = s->folder = -1;
}

/* A cluster that an upgrade has kept: "data.15". */
static bool is_kept(const char *name)
{
    const char *version = name + strlen("data.");

    return strncmp(name, "data.", strlen("data.")) == 0 && version[0] && !version[strspn(version, "0123456789")];
}

/* Without "data", one that has another name is somebody's data: no empty one takes its place. */
static int check_none(const struct pg_state *s, struct pg_failure *f)
{
    int fd = openat(s->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    for (struct dirent *e; r == 0 && dir && (e = readdir(dir));)
        if (is_kept(e->d_name))
            r = pg_fail(f, CELL_FAILED_PRECONDITION,
                        "%s/data is missing, and %s is there: an upgrade was interrupted, or somebody has moved it; "
                        "rename it to data to go on with it, or move it away to begin with an empty database",
                        s->path, e->d_name);
    if (!dir)
        r = io_failure(f, s, "");
    if (dir)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
    return r;
}

int pg_state_version_of(const struct pg_state *s, const char *name, struct pg_failure *f)
{
    char file[64], text[16];

    snprintf(file, sizeof(file), "%s/PG_VERSION", name);
    int fd = openat(s->folder, file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && faccessat(s->folder, name, F_OK, 0) < 0)
        return 0;
    if (fd < 0)
        return io_failure(f, s, file);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    int major = atoi(text);
    return major > 0
               ? major
               : pg_fail(f, CELL_DATA_LOSS, "%s/%s is no PostgreSQL cluster: PG_VERSION is unreadable", s->path, name);
}

int pg_state_version(const struct pg_state *s, struct pg_failure *f)
{
    int major = pg_state_version_of(s, "data", f);

    return major == 0 ? check_none(s, f) : major;
}

/* Without following links: what is in the folder may be another user's. */
static void remove_tree(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (unlinkat(dirfd(dir), e->d_name, 0) < 0 && (errno == EISDIR || errno == EPERM))
            remove_tree(dirfd(dir), e->d_name);
    }
    if (dir)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
    unlinkat(parent, name, AT_REMOVEDIR);
}

void pg_state_clean(const struct pg_state *s)
{
    int fd = openat(s->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    for (struct dirent *e; dir && (e = readdir(dir));)
        if (strncmp(e->d_name, NEW_PREFIX, strlen(NEW_PREFIX)) == 0) {
            pg_state_end_in(s, e->d_name);
            remove_tree(s->folder, e->d_name);
        }
    if (dir)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
}

void pg_state_remove(const struct pg_state *s, const char *name) { remove_tree(s->folder, name); }

/* A folder of the server's user. */
static int make_part(const struct pg_state *s, const char *name, struct pg_failure *f)
{
    if (mkdirat(s->folder, name, 0700) < 0 && errno != EEXIST)
        return io_failure(f, s, name);
    int fd = openat(s->folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return io_failure(f, s, name);
    if (s->account.other && fchown(fd, s->account.uid, s->account.gid) < 0) {
        close(fd);
        return io_failure(f, s, name);
    }
    return fd;
}

static int write_file(const struct pg_state *s, int folder, const char *name, int flags, const char *text,
                      struct pg_failure *f)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    size_t len = strlen(text);

    if (fd < 0)
        return io_failure(f, s, name);
    bool done = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0 &&
                (!s->account.other || fchown(fd, s->account.uid, s->account.gid) == 0);
    int r = done ? CELL_OK : io_failure(f, s, name);
    close(fd);
    return r;
}

/* A development server beside compilers and editors: small, and quiet while nobody asks. */
static const char settings[] = "\n# Written by Cell when the cluster was made. Yours to change.\n"
                               "max_connections = 200\n"
                               "shared_buffers = 64MB\n"
                               "max_wal_size = 256MB\n"
                               "wal_level = minimal\n"
                               "max_wal_senders = 0\n"
                               "jit = off\n"
                               "timezone = 'UTC'\n"
                               "log_timezone = 'UTC'\n"
                               "lc_messages = 'C'\n"
                               "log_min_messages = warning\n"
                               "log_checkpoints = off\n"
                               "log_line_prefix = '%m [%p] '\n";

/* The last line of a program's output that says something, without what PostgreSQL puts before it. */
static const char *last_words(char *text)
{
    static const char *const before[] = {"error: ", "FATAL:  ", "PANIC:  "};
    char *found = text;

    for (char *line; (line = strsep(&text, "\n"));)
        if (strstr(line, "error:") || strstr(line, "FATAL:") || strstr(line, "PANIC:") || strstr(line, "could not"))
            found = line;
    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++)
        if (strstr(found, before[i]))
            return strstr(found, before[i]) + strlen(before[i]);
    return found;
}

static int run_initdb(const struct pg_state *s, int data, const struct pg_programs *programs, struct pg_failure *f)
{
    char program[320], text[4096];
    locale_t utf8 = newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0);
    const char *const argv[] = {program,
                                "-D",
                                PG_DATA_PATH,
                                "-U",
                                "cell",
                                "-E",
                                "UTF8",
                                utf8 ? "--locale=C.UTF-8" : "--locale=C",
                                "--data-checksums",
                                "-A",
                                "peer",
                                NULL};
    /* Not a signal that initdb would wait with: what it has begun is removed in any case. */
    const struct pg_spawn spawn = {argv, &s->account, -1, -1, data, -1, SIGKILL};

    if (utf8)
        freelocale(utf8);
    snprintf(program, sizeof(program), "%s/initdb", programs->bindir);
    int r = pg_spawn_read(&spawn, text, sizeof(text), f);
    if (r == 0)
        return CELL_OK;
    if (r < 0)
        return r;
    int status = strstr(text, "No space left") || strstr(text, "quota") ? CELL_RESOURCE_EXHAUSTED : CELL_INTERNAL;
    return pg_fail(f, status, "making the cluster in %s: initdb: %s", s->path, last_words(text));
}

int pg_state_init(struct pg_state *s, const struct pg_programs *programs, struct pg_failure *f)
{
    char name[64];

    snprintf(name, sizeof(name), NEW_PREFIX "%ld", (long)getpid());
    int data = make_part(s, name, f);
    if (data < 0)
        return data;
    int r = run_initdb(s, data, programs, f);
    if (r >= 0)
        r = write_file(s, data, "postgresql.conf", O_APPEND, settings, f);
    if (r >= 0 && (fsync(data) < 0 || renameat(s->folder, name, s->folder, "data") < 0 || fsync(s->folder) < 0))
        r = io_failure(f, s, "data");
    close(data);
    if (r < 0)
        remove_tree(s->folder, name);
    return r;
}

/* A name within quotes of pg_ident.conf. */
static bool plain(const char *name) { return name[0] && !strpbrk(name, "\"\\\n\r"); }

static int write_access(struct pg_state *s, struct pg_failure *f)
{
    struct passwd entry, *found = NULL;
    char buffer[4096], text[512];

    getpwuid_r(geteuid(), &entry, buffer, sizeof(buffer), &found);
    const char *name = found && plain(found->pw_name) ? found->pw_name : "root";
    int r = write_file(s, s->data, "pg_hba.conf", O_TRUNC,
                       "# Written by Cell at each start. TYPE DATABASE USER METHOD\nlocal all all peer map=cell\n", f);
    if (r < 0)
        return r;
    snprintf(text, sizeof(text), "# Written by Cell at each start. MAP SYSTEM-USER DATABASE-USER\ncell \"%s\" cell\n%s",
             name, strcmp(name, "root") != 0 ? "cell root cell\n" : "");
    return write_file(s, s->data, "pg_ident.conf", O_TRUNC, text, f);
}

int pg_state_open_parts(struct pg_state *s, struct pg_failure *f)
{
    s->data = make_part(s, "data", f);
    if (s->data < 0)
        return s->data;
    s->run = make_part(s, "run", f);
    return s->run < 0 ? s->run : write_access(s, f);
}

int pg_state_open_log(const struct pg_state *s, struct pg_failure *f)
{
    struct stat st;

    if (fstatat(s->folder, LOG, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > MAX_LOG)
        renameat(s->folder, LOG, s->folder, LOG ".1");
    int fd = openat(s->folder, LOG, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? io_failure(f, s, LOG) : fd;
}
