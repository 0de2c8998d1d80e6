/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The cell's key, and the signature of its schema. The key file is made once and never changed; beside it FILE.version
 * holds the version that the schema was signed with last, and its SHA-256, so that another schema gets a higher one.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "server_parts.h"

#define KEY_FORMAT "cell.key/1"
#define KEY_MAX 256u
/* How long a signature holds: whoever repeats an old schema can do so for that long. A client asks anew after it. */
#define LIFETIME_S (INT64_C(7) * 24 * 3600)

static int fail(struct cell_server *s, int status, const char *path, const char *what)
{
    return cell_error_set(&s->error, status, "%s: the key %s %s", s->cell, path, what);
}

static int fail_errno(struct cell_server *s, const char *path, const char *what, int cause)
{
    return cell_error_errno(&s->error, CELL_IO_ERROR, cause, "%s: the key %s cannot be %s", s->cell, path, what);
}

/* ---- where ---- */

/* *path is the file, to be freed; NULL = this cell is to have no key. *chosen: somebody said so, or it is there, so
 * that the cell must have it. */
static int find_path(struct cell_server *s, char **path, bool *chosen)
{
    const char *named = s->options.identity, *folders = getenv("STATE_DIRECTORY");
    int n = 0;
    *chosen = true;
    *path = NULL;
    if (!named)
        named = getenv("CELL_IDENTITY");
    if (named && named[0])
        n = asprintf(path, "%s", named);
    else if (!s->options.identity && folders && folders[0] == '/')
        n = asprintf(path, "%.*s/%s.key", (int)strcspn(folders, ":"), folders, s->cell);
    if (n < 0)
        return *path = NULL, fail(s, CELL_NO_MEMORY, "", "cannot be found: out of memory");
    if (*path && !(named && named[0]))
        *chosen = access(*path, F_OK) == 0;
    return CELL_OK;
}

/* ---- the key ---- */

static int digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

static int read_key(struct cell_server *s, int fd, const char *path, uint8_t seed[32])
{
    static const char format[] = KEY_FORMAT "\n";
    char text[KEY_MAX];
    struct stat st;
    int r = CELL_OK;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return fail(s, CELL_IO_ERROR, path, "is not a regular file");
    if ((st.st_uid != geteuid() && st.st_uid != 0) || (st.st_mode & (S_IRWXG | S_IRWXO)))
        return fail(s, CELL_PERMISSION_DENIED, path, "is not its user's alone: make it yours, with mode 0600");
    ssize_t n = pread(fd, text, sizeof(text), 0);
    size_t begin = sizeof(format) - 1;
    if (n != (ssize_t)begin + 65 || memcmp(text, format, begin) != 0 || text[n - 1] != '\n')
        r = fail(s, CELL_DATA_LOSS, path, "is damaged: bring it back from a backup");
    for (size_t i = 0; r >= 0 && i < 32; i++) {
        int high = digit(text[begin + 2 * i]), low = digit(text[begin + 2 * i + 1]);
        if (high < 0 || low < 0)
            r = fail(s, CELL_DATA_LOSS, path, "is damaged: bring it back from a backup");
        else
            seed[i] = (uint8_t)(high << 4 | low);
    }
    explicit_bzero(text, sizeof(text));
    return r;
}

/* Under a name of its own first, so that a key is whole or absent; it never replaces one that is there. */
static int make_key(struct cell_server *s, const char *path, const uint8_t seed[32])
{
    CELL_CLEANUP(cell_cleanup_free) char *made = NULL;
    char text[KEY_MAX];
    if (asprintf(&made, "%s.%ld.new", path, (long)getpid()) < 0)
        return made = NULL, fail(s, CELL_NO_MEMORY, path, "cannot be made: out of memory");
    int n = snprintf(text, sizeof(text), KEY_FORMAT "\n");
    for (unsigned i = 0; i < 32; i++)
        n += snprintf(text + n, sizeof(text) - (size_t)n, "%02x", seed[i]);
    text[n++] = '\n';
    unlink(made); /* of a process of that number that was killed */
    CELL_CLEANUP(cell_cleanup_fd) int fd = open(made, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600);
    int cause = fd < 0 ? errno : 0;
    if (!cause && write(fd, text, (size_t)n) != n)
        cause = EIO;
    if (!cause && fsync(fd) < 0)
        cause = errno;
    if (!cause && link(made, path) < 0 && errno != EEXIST)
        cause = errno;
    explicit_bzero(text, sizeof(text));
    unlink(made);
    return cause ? fail_errno(s, path, "made", cause) : CELL_OK;
}

static int open_key(struct cell_server *s, const char *path, uint8_t seed[32])
{
    for (bool made = false;; made = true) {
        CELL_CLEANUP(cell_cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd >= 0)
            return read_key(s, fd, path, seed);
        if (errno != ENOENT || made)
            return fail_errno(s, path, "read", errno);
        int r = cell_key_seed(seed, &s->error);
        if (r >= 0)
            r = make_key(s, path, seed);
        if (r < 0)
            return r;
    }
}

/* ---- the version ---- */

/* Rises also when the record of it is lost: it is never below the time. */
static int find_version(struct cell_server *s, const char *path)
{
    CELL_CLEANUP(cell_cleanup_free) char *file = NULL, *text = NULL;
    char hash[65], before[65] = "", line[128];
    uint64_t version = 0;
    size_t len;
    if (asprintf(&file, "%s.version", path) < 0)
        return file = NULL, fail(s, CELL_NO_MEMORY, path, "has no version: out of memory");
    cell_sha256_hex(s->schema_json.data, s->schema_json.len, hash);
    if (cell_file_read(file, sizeof(line), &text, &len, NULL) >= 0 &&
        sscanf(text, "%19" SCNu64 " %64[0-9a-f]", &version, before) != 2)
        version = 0;
    s->identity.version = version;
    if (strcmp(before, hash) == 0)
        return CELL_OK;
    uint64_t now = (uint64_t)time(NULL);
    s->identity.version = version < now ? now : version + 1;
    int n = snprintf(line, sizeof(line), "%" PRIu64 " %s\n", s->identity.version, hash);
    return cell_file_replace_synced(file, line, (size_t)n, &s->error);
}

int cell_server_open_identity(struct cell_server *s)
{
    bool chosen;
    CELL_CLEANUP(cell_cleanup_free) char *path = NULL;
    int r = find_path(s, &path, &chosen);
    if (!path)
        return r;
    /* Without the library only a cell that never had a key goes on. */
    uint8_t probe[32] = {0};
    char key[CELL_KEY_DIGITS + 1];
    r = cell_key_public(probe, key, &s->error);
    if (r < 0 && !chosen) {
        s->error = (struct cell_error){0};
        return CELL_OK;
    }
    if (r >= 0)
        r = open_key(s, path, s->identity.seed);
    if (r >= 0)
        r = find_version(s, path);
    s->identity.has_key = r >= 0;
    return r;
}

/* ---- signing ---- */

int cell_server_sign(struct cell_server *s, cell_ctx *c)
{
    char text[CELL_SIGNATURE_MAX];
    struct cell_error e = {0};
    int64_t now = (int64_t)time(NULL);
    int r = CELL_OK;
    if (!s->identity.has_key)
        return CELL_OK;
    pthread_mutex_lock(&s->lock);
    struct cell_signature *last = &s->identity.last;
    if (!last->key[0] || last->expires - now < LIFETIME_S / 2 || last->expires - now > LIFETIME_S)
        r = cell_signature_make(s->identity.seed, s->cell, s->identity.version, now + LIFETIME_S, s->schema_json.data,
                                s->schema_json.len, last, &e);
    if (r >= 0)
        cell_signature_format(last, text);
    pthread_mutex_unlock(&s->lock);
    if (r >= 0)
        r = cell_meta_append(&c->meta, CELL_META_SIGNATURE, text, strlen(text));
    return r < 0 ? cell_fail(c, r, "the schema cannot be signed: %s", e.text) : CELL_OK;
}
