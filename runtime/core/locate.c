/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Where cell.json is, and where a cell listens. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "core/config_parts.h"

#define CONFIG_NAME "/cell.json"

/* The environment, but not in a program that runs with another user's rights than the one who set it. */
static const char *environment(const char *name)
{
    const char *value = secure_getenv(name);
    return value && *value ? value : NULL;
}

/* An absolute path made of names only: "." and ".." are taken away as text, so that what is found is named as its user
 * names it. Caller frees; NULL with errno. */
static char *absolute(const char *path)
{
    char *folder = path[0] == '/' ? strdup("") : getcwd(NULL, 0);
    struct cell_buffer b = {0};
    if (!folder)
        return NULL;
    cell_buffer_printf(&b, "%s/%s", folder, path);
    free(folder);
    if (!cell_buffer_ok(&b)) {
        cell_buffer_free(&b);
        errno = ENOMEM;
        return NULL;
    }
    char *to = b.data;
    for (const char *from = b.data; *from;) {
        size_t n = strcspn(from + 1, "/") + 1;
        if (n == 3 && memcmp(from, "/..", 3) == 0) {
            while (to > b.data && *--to != '/')
                ;
        } else if (n > 1 && !(n == 2 && from[1] == '.')) {
            memmove(to, from, n);
            to += n;
        }
        from += n;
    }
    *to = '\0'; /* "" is the root: "/cell.json" follows */
    return b.data;
}

/* CELL_OK when the open file may be believed. */
static int check_file(const char *path, int fd, struct cell_error *e)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot read %s", path);
    if (!S_ISREG(st.st_mode))
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "%s is %s", path,
                              S_ISDIR(st.st_mode) ? "a folder, not a file" : "not a regular file");
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return cell_error_set(e, CELL_PERMISSION_DENIED,
                              "%s is owned by uid %u, neither by you nor by root: it says which programs are run and "
                              "which sockets are trusted, so it is not read",
                              path, (unsigned)st.st_uid);
    return CELL_OK;
}

static int open_file(const char *path, struct cell_error *e)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd >= 0 || errno == ENOENT || errno == ENOTDIR)
        return fd >= 0 ? fd : CELL_NOT_FOUND;
    if (errno == ELOOP)
        return cell_error_set(e, CELL_INVALID_ARGUMENT,
                              "%s is a symbolic link: relative paths in it would have two meanings; put the file here",
                              path);
    if (errno == ENAMETOOLONG)
        return CELL_NOT_FOUND;
    return cell_error_errno(e, errno == EACCES ? CELL_PERMISSION_DENIED : CELL_IO_ERROR, errno, "cannot open %s", path);
}

/* Reads what `fd` still holds; one byte more than the limit is enough to refuse it. */
static int read_file(const char *path, int fd, struct cell_buffer *b, struct cell_error *e)
{
    while (b->len <= CELL_CONFIG_MAX_BYTES) {
        char *to = cell_buffer_reserve(b, 4096);
        if (!to)
            return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
        ssize_t n = read(fd, to, 4095);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot read %s", path);
        to[n] = '\0';
        if (n == 0)
            return CELL_OK;
        b->len += (size_t)n;
    }
    return cell_error_set(e, CELL_TOO_LARGE, "%s is larger than %u bytes", path, CELL_CONFIG_MAX_BYTES);
}

/* CELL_NOT_FOUND, without a text, when there is no such file. */
static int load(const char *path, struct cell_config **config, struct cell_error *e)
{
    struct cell_buffer text = {0};
    CELL_CLEANUP(cell_cleanup_fd) int fd = open_file(path, e);
    if (fd < 0)
        return fd;
    int r = check_file(path, fd, e);
    if (r >= 0)
        r = read_file(path, fd, &text, e);
    if (r >= 0)
        r = cell_config_parse(path, text.data, text.len, config, e);
    cell_buffer_free(&text);
    return r;
}

/* A folder below /tmp. */
static int check_shared(const char *path, struct cell_error *e)
{
    struct stat st;
    /* Anybody can make this name in /tmp, and whoever owns it decides which sockets are in it. */
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? CELL_OK : cell_error_errno(e, CELL_IO_ERROR, errno, "cannot look at %s", path);
    if (S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & (S_IRWXG | S_IRWXO)))
        return CELL_OK;
    return cell_error_set(e, CELL_PERMISSION_DENIED,
                          "%s is not a folder that belongs to you and is closed to all others; remove it, or name "
                          "another one in CELL_RUN_DIR",
                          path);
}

static int default_run_dir(char *path, size_t size, struct cell_error *e)
{
    const char *run = environment("CELL_RUN_DIR"), *xdg = environment("XDG_RUNTIME_DIR");
    char cwd[PATH_MAX] = "";
    int n;
    if (run && run[0] != '/' && !getcwd(cwd, sizeof(cwd)))
        return cell_error_errno(e, CELL_IO_ERROR, errno, "CELL_RUN_DIR is relative to the working folder");
    if (run)
        n = snprintf(path, size, "%s%s%s", cwd, cwd[0] ? "/" : "", run);
    else if (xdg && xdg[0] == '/')
        n = snprintf(path, size, "%s/cell", xdg);
    else if (geteuid() == 0)
        n = snprintf(path, size, "/run/cell");
    else
        n = snprintf(path, size, "/tmp/cell-%u", (unsigned)geteuid());
    if (n < 0 || (size_t)n >= size)
        return cell_error_set(e, CELL_TOO_LARGE, "the path of the folder of sockets is too long");
    return run || (xdg && xdg[0] == '/') || geteuid() == 0 ? CELL_OK : check_shared(path, e);
}

int cell_default_run_dir(char *path, size_t size)
{
    char made[PATH_MAX];
    int r = default_run_dir(made, sizeof(made), NULL);
    if (r < 0)
        return r;
    if (strlen(made) >= size)
        return CELL_TOO_LARGE;
    strcpy(path, made);
    return CELL_OK;
}

static int defaults(struct cell_config **config, struct cell_error *e)
{
    char run_dir[PATH_MAX];
    int r = default_run_dir(run_dir, sizeof(run_dir), e);
    if (r < 0)
        return r;
    struct cell_config *c = cell_config_new();
    if (c)
        c->run_dir = cell_config_join(&c->arena, "/", run_dir);
    if (!c || !c->run_dir) {
        cell_config_free(c);
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    }
    *config = c;
    return CELL_OK;
}

/* From the folder `path` (changed) upwards to the root. */
static int search(char *path, struct cell_config **config, struct cell_error *e)
{
    for (size_t len = strlen(path);; len--) {
        CELL_CLEANUP(cell_cleanup_free) char *file = NULL;
        if (asprintf(&file, "%.*s" CONFIG_NAME, (int)len, path) < 0) {
            file = NULL;
            return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
        }
        int r = load(file, config, e);
        if (r != CELL_NOT_FOUND || len == 0)
            return r;
        while (len > 1 && path[len - 1] != '/')
            len--;
    }
}

int cell_config_find(const char *start, struct cell_config **config, struct cell_error *e)
{
    struct stat st;
    CELL_CLEANUP(cell_cleanup_free) char *path = absolute(start);
    if (!path)
        return cell_error_errno(e, errno == ENOMEM ? CELL_NO_MEMORY : CELL_IO_ERROR, errno,
                                "the working folder cannot be found");
    size_t len = strlen(path), name = strlen(CONFIG_NAME);
    if (len >= name && strcmp(path + len - name, CONFIG_NAME) == 0) {
        int r = load(path, config, e);
        return r == CELL_NOT_FOUND ? cell_error_set(e, r, "there is no file %s", path) : r;
    }
    if (len && (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)))
        *strrchr(path, '/') = '\0';
    int r = search(path, config, e);
    return r == CELL_NOT_FOUND ? defaults(config, e) : r;
}

/* $CELL_ADDRESS_<NAME>; 0 when it is not set. */
static int from_environment(const char *name, struct cell_arena *a, const char **address, struct cell_error *e)
{
    char variable[sizeof("CELL_ADDRESS_") + CELL_MAX_CELL_NAME] = "CELL_ADDRESS_", cwd[PATH_MAX];
    size_t n = strlen(variable);
    for (const char *p = name; *p; p++)
        variable[n++] = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p; /* in every locale */
    variable[n] = '\0';
    const char *value = environment(variable);
    if (!value)
        return 0;
    if (!getcwd(cwd, sizeof(cwd)))
        strcpy(cwd, "/");
    return cell_config_resolve(a, cwd, value, address, e) < 0 ? cell_error_wrap(e, "%s", variable) : 1;
}

static int from_config(const char *name, struct cell_config **config, const char **address, struct cell_error *e)
{
    const char *named = environment("CELL_CONFIG");
    char cwd[PATH_MAX];
    if (!named && !getcwd(cwd, sizeof(cwd)))
        strcpy(cwd, "/"); /* removed under us */
    int r = cell_config_find(named ? named : cwd, config, e);
    if (r < 0)
        return named ? cell_error_wrap(e, "CELL_CONFIG") : r;
    if (named && !(*config)->path)
        return cell_error_set(e, CELL_NOT_FOUND, "CELL_CONFIG: there is no cell.json in %s or above it", named);
    *address = cell_config_address(*config, name);
    return *address ? CELL_OK : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
}

int cell_locate(const char *name, char **address, struct cell_error *e)
{
    struct cell_arena arena = {0};
    struct cell_config *config = NULL;
    struct cell_error cause = {0};
    const char *found = NULL;
    if (!cell_config_is_name(name))
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "'%.80s' cannot be the name of a cell", name);
    int r = from_environment(name, &arena, &found, &cause);
    if (r == 0)
        r = from_config(name, &config, &found, &cause);
    char *copy = r >= 0 ? strdup(found) : NULL;
    if (r >= 0 && !copy)
        r = cell_error_set(&cause, CELL_NO_MEMORY, "out of memory");
    cell_arena_free(&arena);
    cell_config_free(config);
    if (r < 0)
        return cell_error_set(e, r, "%s", cause.text);
    *address = copy;
    return CELL_OK;
}
