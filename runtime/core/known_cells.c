/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The user's known-cells. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "core/trust.h"

#define MAX_BYTES (4u << 20)
#define WORDS 6

static const char head[] = "# Whom compilations and editors ask, and the keys of cells. `cell trust` changes it.\n";

static int no_memory(struct cell_error *e) { return cell_error_set(e, CELL_NO_MEMORY, "out of memory"); }

/* ---- where ---- */

int cell_trusted_path(char **path, struct cell_error *e)
{
    const char *named = secure_getenv("CELL_KNOWN_CELLS"), *config = secure_getenv("XDG_CONFIG_HOME"),
               *home = secure_getenv("HOME");
    int n;
    if (named && named[0] == '/')
        n = asprintf(path, "%s", named);
    else if (config && config[0] == '/')
        n = asprintf(path, "%s/cell/known-cells", config);
    else if (home && home[0] == '/')
        n = asprintf(path, "%s/.config/cell/known-cells", home);
    else
        return cell_error_set(e, CELL_FAILED_PRECONDITION,
                              "there is no place for what you trust: set HOME, or CELL_KNOWN_CELLS to the absolute "
                              "path of a file");
    return n < 0 ? no_memory(e) : CELL_OK;
}

/* Whoever can write to it decides whom builds believe. */
static int check_owner(const char *path, struct cell_error *e)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return errno == ENOENT || errno == ENOTDIR ? CELL_NOT_FOUND
                                                   : cell_error_errno(e, CELL_IO_ERROR, errno, "cannot read %s", path);
    if ((st.st_uid != geteuid() && st.st_uid != 0) || (st.st_mode & S_IWOTH))
        return cell_error_set(e, CELL_PERMISSION_DENIED,
                              "%s says which cells you trust, and others than you can write to it: make it yours, and "
                              "run 'chmod o-w %s'",
                              path, path);
    return CELL_OK;
}

/* ---- reading ---- */

/* The words between the tabs; 0 when there are too many. */
static unsigned split(char *line, char *words[WORDS])
{
    unsigned n = 0;
    for (char *at = line; at;) {
        if (n == WORDS)
            return 0;
        words[n++] = strsep(&at, "\t");
    }
    return n;
}

static bool read_number(const char *text, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && !*end && !errno && *value <= INT64_MAX;
}

static bool is_sha256(const char *text) { return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64; }

static bool read_entry(char *line, struct trust_entry *x)
{
    char *words[WORDS];
    unsigned n = split(line, words);
    *x = (struct trust_entry){.kind = TRUST_FOLDER};
    if (n == 2 && strcmp(words[0], "folder") == 0) {
        x->folder = words[1];
        return words[1][0] == '/';
    }
    if (n < 4 || !cell_is_identifier(words[1]) ||
        (strncmp(words[2], "unix:/", 6) != 0 && !cell_config_is_remote(words[2])))
        return false;
    x->name = words[1];
    x->address = words[2];
    if (n == 4 && strcmp(words[0], "contact") == 0) {
        x->kind = TRUST_CONTACT;
        x->folder = words[3];
        return words[3][0] == '/';
    }
    x->kind = TRUST_KEY;
    if (n != 6 || strcmp(words[0], "key") != 0 || !cell_key_parse(words[3], x->pin.key) ||
        !read_number(words[4], &x->pin.version) || (words[5][0] && !is_sha256(words[5])))
        return false;
    memcpy(x->pin.sha256, words[5], strlen(words[5]) + 1);
    return true;
}

static int add_line(struct cell_trusted *t, uint32_t *room, char *line, const char *path, unsigned number,
                    struct cell_error *e)
{
    struct trust_entry x;
    if (line[0] == '#' || !line[0])
        return CELL_OK;
    if (!read_entry(line, &x))
        return cell_error_set(e, CELL_DATA_LOSS,
                              "%s:%u: this is no line that 'cell trust' writes; put it right or remove it", path,
                              number);
    if (t->n == *room) {
        struct trust_entry *grown = cell_arena_array(&t->arena, *room = 2 * *room + 16, sizeof(*grown));
        if (!grown)
            return no_memory(e);
        if (t->n)
            memcpy(grown, t->entries, t->n * sizeof(*grown));
        t->entries = grown;
    }
    t->entries[t->n++] = x;
    return CELL_OK;
}

int cell_trusted_parse(struct cell_trusted *t, const char *path, const char *text, size_t len, struct cell_error *e)
{
    *t = (struct cell_trusted){.n = 0};
    char *at = cell_arena_copy(&t->arena, text, len);
    uint32_t room = 0;
    int r = !at                 ? no_memory(e)
            : strlen(at) != len ? cell_error_set(e, CELL_DATA_LOSS, "%s holds a NUL", path)
                                : CELL_OK;
    for (unsigned number = 1; r >= 0 && at; number++)
        r = add_line(t, &room, strsep(&at, "\n"), path, number, e);
    if (r < 0)
        cell_trusted_free(t);
    return r;
}

void cell_trusted_free(struct cell_trusted *t)
{
    cell_arena_free(&t->arena);
    *t = (struct cell_trusted){.n = 0};
}

static int read_file(struct cell_trusted *t, const char *path, struct cell_error *e)
{
    CELL_CLEANUP(cell_cleanup_free) char *text = NULL;
    size_t len;
    *t = (struct cell_trusted){.n = 0};
    int r = check_owner(path, e);
    if (r >= 0)
        r = cell_file_read(path, MAX_BYTES, &text, &len, e);
    if (r < 0)
        return r == CELL_NOT_FOUND ? CELL_OK : r;
    return cell_trusted_parse(t, path, text, len, e);
}

int cell_trusted_read(struct cell_trusted *t, struct cell_error *e)
{
    CELL_CLEANUP(cell_cleanup_free) char *path = NULL;
    *t = (struct cell_trusted){.n = 0};
    int r = cell_trusted_path(&path, e);
    return r < 0 ? r : read_file(t, path, e);
}

const struct cell_pin *cell_trusted_key(const struct cell_trusted *t, const char *name, const char *address)
{
    for (uint32_t i = 0; i < t->n; i++) {
        const struct trust_entry *x = &t->entries[i];
        if (x->kind == TRUST_KEY && strcmp(x->name, name) == 0 && strcmp(x->address, address) == 0)
            return &x->pin;
    }
    return NULL;
}

/* ---- changing ---- */

static bool same_text(const char *a, const char *b) { return a && b ? strcmp(a, b) == 0 : a == b; }

static bool same_entry(const struct trust_entry *a, const struct trust_entry *b)
{
    return a->kind == b->kind && same_text(a->name, b->name) && same_text(a->address, b->address) &&
           same_text(a->folder, b->folder);
}

static void put_entry(const struct trust_entry *x, struct cell_buffer *out)
{
    switch (x->kind) {
    case TRUST_KEY:
        cell_buffer_printf(out, "key\t%s\t%s\t" CELL_KEY_PREFIX "%s\t%" PRIu64 "\t%s\n", x->name, x->address,
                           x->pin.key, x->pin.version, x->pin.sha256);
        break;
    case TRUST_CONTACT:
        cell_buffer_printf(out, "contact\t%s\t%s\t%s\n", x->name, x->address, x->folder);
        break;
    case TRUST_FOLDER:
        cell_buffer_printf(out, "folder\t%s\n", x->folder);
        break;
    }
}

static int apply(enum trust_change change, const struct trust_entry *entry, const char *path, struct cell_error *e)
{
    struct cell_trusted t;
    struct cell_buffer out = {0};
    bool found = false;
    int r = read_file(&t, path, e);
    if (r < 0)
        return r;
    cell_buffer_puts(&out, head);
    for (uint32_t i = 0; i < t.n; i++) {
        bool same = same_entry(&t.entries[i], entry);
        if (same && change == TRUST_ADD && strcmp(t.entries[i].pin.key, entry->pin.key) != 0)
            r = cell_error_set(e, CELL_ALREADY_EXISTS, "%s has another key of %s by now", path, entry->name);
        found |= same;
        if (!same)
            put_entry(&t.entries[i], &out);
    }
    if (change != TRUST_REMOVE)
        put_entry(entry, &out);
    else if (!found)
        r = CELL_NOT_FOUND;
    if (r >= 0)
        r = cell_buffer_ok(&out) ? cell_file_replace_synced(path, out.data, out.len, e) : no_memory(e);
    cell_buffer_free(&out);
    cell_trusted_free(&t);
    return r;
}

static bool fits_line(const char *text) { return !text || !text[strcspn(text, "\t\n")]; }

int cell_trusted_change(enum trust_change change, const struct trust_entry *entry, struct cell_error *e)
{
    CELL_CLEANUP(cell_cleanup_free) char *path = NULL;
    CELL_CLEANUP(cell_cleanup_free) char *guard = NULL;
    if (!fits_line(entry->address) || !fits_line(entry->folder))
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "a path with a tab or a line end in it cannot be trusted");
    int r = cell_trusted_path(&path, e);
    if (r < 0)
        return r;
    if (asprintf(&guard, "%s.lock", path) < 0) {
        guard = NULL;
        return no_memory(e);
    }
    char *slash = strrchr(path, '/');
    *slash = '\0';
    r = path[0] ? cell_mkdirs(path, e) : CELL_OK;
    *slash = '/';
    if (r < 0)
        return r;
    /* The file itself is replaced, so it cannot be what is locked. */
    CELL_CLEANUP(cell_cleanup_fd) int fd = open(guard, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) < 0)
        return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot write %s", path);
    return apply(change, entry, path, e);
}
