/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A lock from text to struct. It is read line by line: only so can be said what a merge or an editor did to it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "core/json.h"
#include "core/lock.h"
#include "core/lock_parts.h"
#include "wire/limits.h"
#include "wire/message.h"

struct reader {
    const char *path, *name;
    char *at, *end; /* what is left; end points at the NUL */
    unsigned line;
    struct cell_lock *lock;
    size_t room;
    const char *cell, *fingerprint;
    const char *identity; /* as it stands there */
    bool has_format, salvage;
};

static int no_memory(struct cell_error *e) { return cell_error_set(e, CELL_NO_MEMORY, "out of memory"); }

static int damaged(const struct reader *in, struct cell_error *e, const char *what)
{
    return cell_error_set(e, CELL_DATA_LOSS, "%s:%u: %s; run 'cell lock %s' to write it anew", in->path, in->line, what,
                          in->name);
}

static bool begins(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

/* ---- the file as a whole ---- */

static bool is_marker(const char *line, size_t len)
{
    if (len < 7 || !memchr("<=>|", line[0], 4))
        return false;
    for (unsigned i = 1; i < 7; i++)
        if (line[i] != line[0])
            return false;
    return len == 7 || line[7] == ' ';
}

/* Finds conflict markers; whatever else is wrong comes from them. */
static int check_markers(struct reader *in, struct cell_error *e)
{
    unsigned line = 1;
    for (char *p = in->at; p < in->end; line++) {
        char *stop = memchr(p, '\n', (size_t)(in->end - p));
        size_t len = (size_t)((stop ? stop : in->end) - p);
        if (is_marker(p, len))
            return cell_error_set(e, CELL_DATA_LOSS,
                                  "%s:%u: a merge has left its conflict markers; run 'git checkout --ours %s' or "
                                  "'--theirs', then 'cell lock %s'",
                                  in->path, line, in->path, in->name);
        p += len + 1;
    }
    return CELL_OK;
}

/* The version stands on a line of its own in every version. */
static int check_format(struct reader *in, struct cell_error *e)
{
    char quoted[CELL_QUOTE_SIZE], value[64];
    const char *found = strstr(in->at, "\n\"lock\":\"");
    if (!found)
        return CELL_OK;
    found += strlen("\n\"lock\":\"");
    size_t n = strcspn(found, "\"\n");
    if (found[n] != '"')
        return CELL_OK; /* cut off just here */
    snprintf(value, sizeof(value), "%.*s", (int)(n < sizeof(value) ? n : sizeof(value) - 1), found);
    in->has_format = true;
    if (strcmp(value, CELL_LOCK_FORMAT) == 0)
        return CELL_OK;
    return cell_error_set(e, CELL_FAILED_PRECONDITION,
                          "%s has format '%s', and this version of Cell knows '" CELL_LOCK_FORMAT
                          "': it was written by a newer version; update Cell",
                          in->path, cell_json_quote(value, quoted, sizeof(quoted)));
}

/* Line ends as git leaves them in a checkout for Windows. */
static size_t without_returns(char *text, size_t len)
{
    char *to = text;
    for (size_t i = 0; i < len; i++)
        if (text[i] != '\r' || i + 1 == len || text[i + 1] != '\n')
            *to++ = text[i];
    *to = '\0';
    return (size_t)(to - text);
}

static int check_whole(struct reader *in, struct cell_error *e)
{
    size_t len = (size_t)(in->end - in->at);
    if (len != strlen(in->at) || !cell_utf8_valid(in->at, len))
        return damaged(in, e, "it holds bytes that are no text");
    int r = check_markers(in, e);
    if (r >= 0)
        r = check_format(in, e);
    if (r < 0)
        return r;
    if (len >= 5 && begins(in->at, "{\n") && strcmp(in->end - 3, "\n}\n") == 0 && in->has_format)
        return CELL_OK;
    for (const char *p = in->at; p < in->end; p++)
        in->line += *p == '\n';
    if (len == 0 || begins(in->at, "{\n\""))
        return damaged(in, e, len ? "it is cut off" : "it is empty");
    in->line = 1;
    return damaged(in, e, "it is not laid out as 'cell lock' does it");
}

/* ---- its lines ---- */

/* The end of the JSON value that begins at `p`, as far as brackets and strings tell; NULL when it has none. */
static const char *skip_value(const char *p)
{
    size_t depth = 0;
    do {
        if (*p == '"') {
            for (p++; *p && *p != '"'; p++)
                if (*p == '\\' && p[1])
                    p++;
            if (!*p)
                return NULL;
        } else if (*p == '{' || *p == '[') {
            depth++;
        } else if (*p == '}' || *p == ']') {
            if (!depth)
                return NULL;
            depth--;
        } else if (!*p) {
            return NULL;
        }
        p++;
    } while (depth);
    return p;
}

/* The text between `p`, where `before` must stand, and the end of the value that follows. */
static const char *take_part(const char *p, const char *before, const char **part, size_t *len)
{
    if (!begins(p, before))
        return NULL;
    p += strlen(before);
    const char *end = skip_value(p);
    *part = p;
    *len = end ? (size_t)(end - p) : 0;
    return end;
}

static int keep_answer(struct reader *in, const struct lock_answer *answer, struct cell_error *e)
{
    struct cell_lock *lock = in->lock;
    if (lock->nanswers == in->room) {
        struct lock_answer *grown = cell_arena_array(&lock->arena, in->room = 2 * in->room + 16, sizeof(*grown));
        if (!grown)
            return no_memory(e);
        if (lock->nanswers)
            memcpy(grown, lock->answers, lock->nanswers * sizeof(*grown));
        lock->answers = grown;
    }
    lock->answers[lock->nanswers++] = *answer;
    return CELL_OK;
}

/* `{"document":D,"question":Q,"sha256":"S"}`, at `body`, under `key`. */
static int read_answer(struct reader *in, const char *key, char *body, struct cell_error *e)
{
    struct lock_answer a = {.key = key};
    char sum[CELL_FINGERPRINT_LEN + 1];
    CELL_CLEANUP(cell_cleanup_free) char *right = NULL;
    struct cell_buffer question = {0};
    const char *p = take_part(body, "{\"document\":", &a.document, &a.document_len);
    p = p ? take_part(p, ",\"question\":", &a.question, &a.question_len) : NULL;
    if (!p || !begins(p, ",\"sha256\":\"") || strlen(p) != strlen(",\"sha256\":\"\"}") + CELL_FINGERPRINT_LEN ||
        strcmp(p + strlen(p) - 2, "\"}") != 0)
        return damaged(in, e, "this answer is not laid out as 'cell lock' does it");
    lock_answer_sum(&a, sum);
    if (memcmp(p + strlen(",\"sha256\":\""), sum, CELL_FINGERPRINT_LEN) != 0)
        return damaged(in, e, "this answer was edited: its checksum does not fit");
    int r = cell_lock_question(a.question, a.question_len, &question, &right, NULL, e);
    bool fits = r >= 0 && question.len == a.question_len && memcmp(question.data, a.question, a.question_len) == 0 &&
                strcmp(right, key) == 0;
    cell_buffer_free(&question);
    if (r == CELL_NO_MEMORY)
        return r;
    if (!fits)
        return damaged(in, e, "this answer is not one to the question that its key stands for");
    body[a.document + a.document_len - body] = '\0';
    body[a.question + a.question_len - body] = '\0';
    return keep_answer(in, &a, e);
}

/* `"ed25519:KEY VERSION"`, or null. */
static int read_identity(struct reader *in, char *value, struct cell_error *e)
{
    struct cell_lock *lock = in->lock;
    char *space = strchr(value, ' '), *end = NULL, key[sizeof(CELL_KEY_PREFIX) + CELL_KEY_DIGITS] = "";
    size_t len = space ? (size_t)(space - value) : 0;
    if (in->identity && strcmp(in->identity, value) != 0)
        return damaged(in, e, "a merge has put two identities together");
    in->identity = cell_arena_copy(&lock->arena, value, strlen(value));
    if (!in->identity)
        return no_memory(e);
    if (strcmp(value, "null") == 0)
        return CELL_OK;
    if (value[0] == '"' && len > 1 && len - 1 < sizeof(key))
        memcpy(key, value + 1, len - 1);
    lock->version = space && space[1] >= '0' && space[1] <= '9' ? strtoull(space + 1, &end, 10) : 0;
    if (cell_key_parse(key, lock->identity) && end && strcmp(end, "\"") == 0 && lock->version <= INT64_MAX)
        return CELL_OK;
    lock->identity[0] = '\0';
    if (value[0] != '"')
        return damaged(in, e, "expected a text, or null");
    return cell_error_set(e, CELL_FAILED_PRECONDITION,
                          "%s:%u: the cell has an identity that this version of Cell cannot check; update Cell",
                          in->path, in->line);
}

static int read_header(struct reader *in, const char *key, char *value, struct cell_error *e)
{
    size_t len = strlen(value);
    char text[160];
    if (strcmp(key, "identity") == 0)
        return read_identity(in, value, e);
    if (len < 2 || value[0] != '"' || value[len - 1] != '"' || memchr(value + 1, '"', len - 2))
        return damaged(in, e, "expected a text");
    value[len - 1] = '\0';
    value++;
    if (strcmp(key, "lock") == 0)
        return strcmp(value, CELL_LOCK_FORMAT) == 0 ? CELL_OK : damaged(in, e, "it has two formats");
    bool is_cell = strcmp(key, "cell") == 0;
    const char **slot = is_cell ? &in->cell : &in->fingerprint;
    if (!is_cell && strcmp(key, "fingerprint") != 0)
        return damaged(in, e, "this member is not known");
    if (is_cell ? !cell_is_identifier(value) || strlen(value) > CELL_MAX_CELL_NAME
                : strlen(value) != CELL_FINGERPRINT_LEN || strspn(value, "0123456789abcdef") != CELL_FINGERPRINT_LEN)
        return damaged(in, e, is_cell ? "this is no name of a cell" : "this is no fingerprint");
    if (*slot && strcmp(*slot, value) != 0) {
        snprintf(text, sizeof(text), "a merge has put two %s together (%.12s… and %.12s…)",
                 is_cell ? "cells" : "schemas", *slot, value);
        return damaged(in, e, text);
    }
    *slot = value;
    return CELL_OK;
}

/* One member before the schema; `line` has no line end. */
static int read_member(struct reader *in, char *line, struct cell_error *e)
{
    static const char answer[] = "answer ";
    size_t len = strlen(line);
    char *quote = len > 3 && line[0] == '"' && line[len - 1] == ',' ? strchr(line + 1, '"') : NULL;
    if (!quote || quote[1] != ':' || memchr(line, '\\', (size_t)(quote - line)))
        return damaged(in, e, "this line is no member of a lock");
    line[len - 1] = '\0';
    *quote = '\0';
    if (begins(line + 1, answer))
        return read_answer(in, line + sizeof(answer), quote + 2, e);
    return read_header(in, line + 1, quote + 2, e);
}

static int compare_answers(const void *a, const void *b)
{
    return strcmp(((const struct lock_answer *)a)->key, ((const struct lock_answer *)b)->key);
}

/* A merge may have put the same answer there twice; two answers to one question are nobody's. To ask it again, either
 * of them does. */
static int sort_answers(struct reader *in, struct cell_error *e)
{
    struct cell_lock *lock = in->lock;
    uint32_t n = 0;
    if (lock->nanswers)
        qsort(lock->answers, lock->nanswers, sizeof(*lock->answers), compare_answers);
    for (uint32_t i = 0; i < lock->nanswers; i++) {
        const struct lock_answer *last = n ? &lock->answers[n - 1] : NULL, *a = &lock->answers[i];
        bool same = last && strcmp(last->key, a->key) == 0;
        if (same && !in->salvage && strcmp(last->document, a->document) != 0)
            return cell_error_set(e, CELL_DATA_LOSS,
                                  "%s: a merge has put two answers to '%s' together; run 'cell lock %s'", in->path,
                                  a->key, in->name);
        if (!same)
            lock->answers[n++] = *a;
    }
    lock->nanswers = n;
    return CELL_OK;
}

/* The rest of the file, without its line ends. */
static int read_schema(struct reader *in, char *text)
{
    char *to = text;
    for (const char *p = text; p < in->end - 2; p++)
        if (*p != '\n')
            *to++ = *p;
    *to = '\0';
    in->lock->schema = text;
    in->lock->schema_len = (size_t)(to - text);
    cell_sha256_hex(text, in->lock->schema_len, in->lock->fingerprint);
    return CELL_OK;
}

static int read_lines(struct reader *in, struct cell_error *e)
{
    static const char schema[] = "\"schema\":";
    in->at += 2;
    for (in->line = 2; in->at < in->end; in->line++) {
        if (begins(in->at, schema))
            return read_schema(in, in->at + strlen(schema));
        char *line = in->at, *stop = strchr(line, '\n');
        if (!stop)
            break;
        *stop = '\0';
        in->at = stop + 1;
        int r = read_member(in, line, e);
        if (r < 0)
            return r;
    }
    in->line--;
    return damaged(in, e, "it has no schema");
}

/* ---- what it says ---- */

static int wrong_cell(const struct reader *in, struct cell_error *e)
{
    struct stat st;
    const char *slash = strrchr(in->path, '/');
    CELL_CLEANUP(cell_cleanup_free) char *other = NULL;
    if (asprintf(&other, "%.*s%s.json", (int)(slash ? slash - in->path + 1 : 0), in->path, in->cell) < 0)
        return other = NULL, no_memory(e);
    if (lstat(other, &st) == 0)
        return cell_error_set(e, CELL_DATA_LOSS, "%s and %s both claim to be the lock of cell '%s'; remove %s",
                              in->path, other, in->cell, in->path);
    return cell_error_set(e, CELL_DATA_LOSS, "%s is the lock of cell '%s', not of '%s'; run 'cell lock %s'", in->path,
                          in->cell, in->name, in->name);
}

static int check_claims(struct reader *in, struct cell_error *e)
{
    if (!in->cell || !in->fingerprint)
        return damaged(in, e, in->cell ? "it has no fingerprint" : "it names no cell");
    if (strcmp(in->cell, in->name) != 0)
        return wrong_cell(in, e);
    if (strcmp(in->fingerprint, in->lock->fingerprint) != 0)
        return cell_error_set(e, CELL_DATA_LOSS,
                              "%s was edited by hand, or merged: its schema has the fingerprint %.12s…, it says "
                              "%.12s…; run 'cell lock %s'",
                              in->path, in->lock->fingerprint, in->fingerprint, in->name);
    in->lock->cell = in->cell;
    return sort_answers(in, e);
}

int cell_lock_parse(const char *path, const char *name, const char *text, size_t len, struct cell_lock **lock,
                    struct cell_error *e)
{
    struct reader in = {.path = path, .name = name, .line = 1};
    if (len > CELL_LOCK_MAX_BYTES)
        return cell_error_set(e, CELL_TOO_LARGE, "%s is larger than %u MiB", path, CELL_LOCK_MAX_BYTES >> 20);
    in.lock = calloc(1, sizeof(*in.lock));
    in.at = in.lock ? cell_arena_copy(&in.lock->arena, text, len) : NULL;
    int r = in.at ? CELL_OK : no_memory(e);
    if (r >= 0) {
        in.end = in.at + without_returns(in.at, len);
        r = check_whole(&in, e);
    }
    if (r >= 0)
        r = read_lines(&in, e);
    if (r >= 0)
        r = check_claims(&in, e);
    if (r < 0) {
        cell_lock_free(in.lock);
        return r;
    }
    *lock = in.lock;
    return CELL_OK;
}

int lock_no_link(const char *path, struct cell_error *e)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT || errno == ENOTDIR ? CELL_OK
                                                   : cell_error_errno(e, CELL_IO_ERROR, errno, "cannot read %s", path);
    if (!S_ISLNK(st.st_mode))
        return CELL_OK;
    return cell_error_set(e, CELL_IO_ERROR,
                          "%s is a symbolic link: what it leads to is not in the history of this project; replace it",
                          path);
}

int lock_no_links(const char *path, struct cell_error *e)
{
    CELL_CLEANUP(cell_cleanup_free) char *folder = strndup(path, (size_t)(strrchr(path, '/') - path));
    int r = folder ? lock_no_link(folder, e) : no_memory(e);
    return r < 0 ? r : lock_no_link(path, e);
}

int cell_lock_read(const char *dir, const char *name, struct cell_lock **lock, struct cell_error *e)
{
    CELL_CLEANUP(cell_cleanup_free) char *path = cell_lock_path(dir, name);
    CELL_CLEANUP(cell_cleanup_free) char *text = NULL;
    size_t len = 0;
    int r = path ? lock_no_links(path, e) : no_memory(e);
    if (r >= 0)
        r = cell_file_read(path, CELL_LOCK_MAX_BYTES, &text, &len, e);
    if (r < 0)
        return r;
    return cell_lock_parse(path, name, text, len, lock, e);
}

int cell_lock_salvage(const char *dir, const char *name, struct cell_lock **lock, struct cell_error *e)
{
    CELL_CLEANUP(cell_cleanup_free) char *path = cell_lock_path(dir, name);
    CELL_CLEANUP(cell_cleanup_free) char *text = NULL;
    struct reader in = {.path = path, .name = name, .lock = calloc(1, sizeof(struct cell_lock)), .salvage = true};
    size_t len = 0;
    int r = path && in.lock ? cell_file_read(path, CELL_LOCK_MAX_BYTES, &text, &len, e) : no_memory(e);
    in.at = r >= 0 ? cell_arena_copy(&in.lock->arena, text, len) : NULL;
    if (r >= 0 && !in.at)
        r = no_memory(e);
    if (r >= 0)
        without_returns(in.at, len);
    for (char *line = in.at, *stop; r >= 0 && (stop = strchr(line, '\n')); line = stop + 1) {
        *stop = '\0';
        if ((begins(line, "\"answer ") || begins(line, "\"identity\"")) &&
            read_member(&in, line, NULL) == CELL_NO_MEMORY)
            r = no_memory(e);
    }
    if (r >= 0)
        r = sort_answers(&in, e);
    if (r < 0)
        cell_lock_free(in.lock);
    else
        *lock = in.lock;
    return r;
}
