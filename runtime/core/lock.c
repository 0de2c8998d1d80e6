/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "core/lock.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "core/json.h"
#include "wire/limits.h"

#define KEY_HASH_LEN 32

static int no_memory(struct cell_error *e) { return cell_error_set(e, CELL_NO_MEMORY, "out of memory"); }

void cell_lock_free(struct cell_lock *lock)
{
    if (!lock)
        return;
    cell_arena_free(&lock->arena);
    free(lock);
}

char *cell_lock_path(const char *dir, const char *name)
{
    char *path = NULL;
    int n = asprintf(&path, "%s/" CELL_LOCK_FOLDER "/%s.json", strcmp(dir, "/") == 0 ? "" : dir, name);
    return n < 0 ? NULL : path;
}

static int compare_key(const void *key, const void *answer)
{
    return strcmp(key, ((const struct lock_answer *)answer)->key);
}

const struct lock_answer *cell_lock_answer(const struct cell_lock *lock, const char *key)
{
    if (!lock->nanswers)
        return NULL;
    return bsearch(key, lock->answers, lock->nanswers, sizeof(*lock->answers), compare_key);
}

/* ---- which cells have one ---- */

static int compare_texts(const void *a, const void *b)
{
    const char *x, *y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return strcmp(x, y);
}

/* The cell that the file of that name is the lock of, in the arena; NULL for other files. */
static int name_of(const char *folder, const char *file, struct cell_arena *arena, const char **name,
                   struct cell_error *e)
{
    size_t len = strlen(file);
    char quoted[CELL_QUOTE_SIZE];
    *name = NULL;
    if (file[0] == '.' || len < 6 || strcmp(file + len - 5, ".json") != 0)
        return CELL_OK;
    char *made = cell_arena_copy(arena, file, len - 5);
    if (!made)
        return no_memory(e);
    if (!cell_is_identifier(made) || len - 5 > CELL_MAX_CELL_NAME)
        return cell_error_set(e, CELL_DATA_LOSS, "%s/%s: a lock is called after its cell, and '%s' cannot be a cell",
                              folder, cell_json_quote(file, quoted, sizeof(quoted)), made);
    *name = made;
    return CELL_OK;
}

static int collect(DIR *dir, const char *folder, struct cell_arena *arena, const char ***names, struct cell_error *e)
{
    size_t n = 0, room = 0;
    struct dirent *entry;
    const char **list = NULL;
    for (errno = 0; (entry = readdir(dir)); errno = 0) {
        const char *name;
        int r = name_of(folder, entry->d_name, arena, &name, e);
        if (r < 0)
            return r;
        if (!name)
            continue;
        if (n + 1 >= room) {
            const char **grown = cell_arena_array(arena, room = 2 * room + 16, sizeof(*grown));
            if (!grown)
                return no_memory(e);
            if (n)
                memcpy(grown, list, n * sizeof(*grown));
            list = grown;
        }
        list[n++] = name;
    }
    if (errno)
        return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot read %s", folder);
    if (n)
        qsort(list, n, sizeof(*list), compare_texts);
    if (list)
        list[n] = NULL;
    *names = list;
    return CELL_OK;
}

int cell_lock_list(const char *dir, struct cell_arena *arena, const char *const **names, struct cell_error *e)
{
    const char *folder = cell_arena_printf(arena, "%s/" CELL_LOCK_FOLDER, strcmp(dir, "/") == 0 ? "" : dir);
    const char **none = cell_arena_array(arena, 1, sizeof(*none)), **found = NULL;
    if (!folder || !none)
        return no_memory(e);
    none[0] = NULL;
    DIR *d = opendir(folder);
    if (!d && errno != ENOENT)
        return cell_error_errno(e, CELL_IO_ERROR, errno, "cannot read %s", folder);
    int r = d ? collect(d, folder, arena, &found, e) : CELL_OK;
    if (d)
        closedir(d);
    if (r >= 0)
        *names = found ? found : none;
    return r;
}

/* ---- questions ---- */

struct question {
    struct json_at annotation, args, functions, declaration; /* without a value: there are no functions */
    const char *verb, *name, *language, *abi, *location;     /* NULL: none */
};

static int read_question(const struct json_at *root, struct question *q, struct cell_error *e)
{
    *q = (struct question){0};
    int r = cell_json_object(root, "annotation", JSON_REQUIRED, &q->annotation, e);
    if (r >= 0)
        r = cell_json_string(&q->annotation, "verb", JSON_REQUIRED, &q->verb, e);
    if (r >= 0)
        r = cell_json_array(&q->annotation, "args", JSON_REQUIRED, &q->args, e);
    if (r >= 0)
        r = cell_json_object(&q->annotation, "functions", JSON_OPTIONAL, &q->functions, e);
    if (r >= 0)
        r = cell_json_string(&q->annotation, "location", JSON_OPTIONAL, &q->location, e);
    if (r >= 0)
        r = cell_json_object(root, "declaration", JSON_REQUIRED, &q->declaration, e);
    if (r >= 0)
        r = cell_json_string(&q->declaration, "name", JSON_REQUIRED, &q->name, e);
    if (r >= 0)
        r = cell_json_string(root, "language", JSON_REQUIRED, &q->language, e);
    if (r >= 0)
        r = cell_json_string(root, "abi", JSON_REQUIRED, &q->abi, e);
    return r < 0 ? r : CELL_OK;
}

/* `location` NULL: without location and mode. */
static void put_question(const struct question *q, const char *location, bool live, struct cell_buffer *out)
{
    cell_buffer_puts(out, "{\"abi\":");
    cell_json_put_string(out, q->abi);
    cell_buffer_puts(out, ",\"annotation\":{\"args\":");
    cell_json_put(out, &q->args);
    if (q->functions.value) {
        cell_buffer_puts(out, ",\"functions\":");
        cell_json_put(out, &q->functions);
    }
    if (location) {
        cell_buffer_puts(out, ",\"location\":");
        cell_json_put_string(out, location);
    }
    cell_buffer_puts(out, ",\"verb\":");
    cell_json_put_string(out, q->verb);
    cell_buffer_puts(out, "},\"declaration\":");
    cell_json_put(out, &q->declaration);
    cell_buffer_puts(out, ",\"language\":");
    cell_json_put_string(out, q->language);
    if (location)
        cell_buffer_puts(out, live ? ",\"mode\":\"live\"" : ",\"mode\":\"plan\"");
    cell_buffer_puts(out, "}");
}

/* Names of operators in C++ hold anything: what a key cannot hold is left to its hash. */
static const char *key_name(const char *name) { return cell_is_identifier(name) ? name : "-"; }

static int say_asked(const struct question *q, struct lock_asked *asked)
{
    const char *about = NULL;
    bool named = cell_json_item_string(&q->args, 0, &about, NULL) >= 0;
    struct lock_asked made = {strdup(q->location ? q->location : ""), strdup(q->verb), named ? strdup(about) : NULL};
    if (!made.location || !made.verb || (named && !made.subject)) {
        cell_lock_asked_free(&made);
        return CELL_NO_MEMORY;
    }
    *asked = made;
    return CELL_OK;
}

void cell_lock_asked_free(struct lock_asked *asked)
{
    free(asked->location);
    free(asked->verb);
    free(asked->subject);
}

int cell_lock_question(const char *request, size_t len, struct cell_buffer *question, char **key,
                       struct lock_asked *asked, struct cell_error *e)
{
    CELL_CLEANUP(cell_json_free) struct cell_json doc = {0};
    char hash[CELL_FINGERPRINT_LEN + 1], *made = NULL;
    struct question q;
    size_t before = question->len;
    int r = cell_json_load(request, len, CELL_INVALID_ARGUMENT, &doc, e);
    if (r >= 0)
        r = read_question(&doc.root, &q, e);
    if (r < 0)
        return r;
    put_question(&q, NULL, false, question);
    if (!cell_buffer_ok(question))
        return no_memory(e);
    cell_sha256_hex(question->data + before, question->len - before, hash);
    if (asprintf(&made, "%s.%s %.*s", key_name(q.name), key_name(q.verb), KEY_HASH_LEN, hash) < 0)
        return no_memory(e);
    if (asked && say_asked(&q, asked) < 0) {
        free(made);
        return no_memory(e);
    }
    *key = made;
    return CELL_OK;
}

int cell_lock_request(const char *question, size_t len, const char *location, bool live, struct cell_buffer *request,
                      struct cell_error *e)
{
    CELL_CLEANUP(cell_json_free) struct cell_json doc = {0};
    struct question q;
    int r = cell_json_load(question, len, CELL_INVALID_ARGUMENT, &doc, e);
    if (r >= 0)
        r = read_question(&doc.root, &q, e);
    if (r < 0)
        return r;
    put_question(&q, location, live, request);
    return cell_buffer_ok(request) ? CELL_OK : no_memory(e);
}

int cell_lock_document(const char *reply, size_t len, struct cell_buffer *document, struct cell_error *e)
{
    static const char *const passing[] = {"diagnostics", "plan", NULL};
    CELL_CLEANUP(cell_json_free) struct cell_json doc = {0};
    int r = cell_json_load(reply, len, CELL_PROTOCOL_ERROR, &doc, e);
    if (r < 0)
        return r;
    void *iterator = NULL;
    if (cell_json_next(&doc.root, &iterator)) /* an object */
        cell_json_put_without(document, &doc.root, passing);
    else
        cell_json_put(document, &doc.root);
    return cell_buffer_ok(document) ? CELL_OK : no_memory(e);
}
