/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/util.h"
#include "core/json.h"
#include "core/lock_parts.h"

/* Answers are a line each, and two people add some at the same place: both are wanted, in any order. What else such a
 * merge may do to a lock, its reader refuses. */
static const char attributes[] = "# Written once by `cell lock`, yours to edit: answers that two branches add are both "
                                 "kept.\n*.json merge=union text eol=lf\n";

static int no_memory(struct cell_error *e) { return cell_error_set(e, CELL_NO_MEMORY, "out of memory"); }

void lock_answer_sum(const struct lock_answer *a, char hex[CELL_FINGERPRINT_LEN + 1])
{
    struct cell_sha256 h;
    uint8_t digest[32];
    cell_sha256_init(&h);
    cell_sha256_update(&h, a->key, strlen(a->key) + 1);
    cell_sha256_update(&h, a->document, a->document_len);
    cell_sha256_update(&h, "", 1);
    cell_sha256_update(&h, a->question, a->question_len);
    cell_sha256_final(&h, digest);
    for (unsigned i = 0; i < sizeof(digest); i++) {
        hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    hex[CELL_FINGERPRINT_LEN] = '\0';
}

#define MAX_DEPTH 128 /* deeper than any document that is taken */

/* A canonical document with a line for each of its members and for each object in an array (a type, a field, a method):
 * what a person changes together is on a line of its own. */
static void put_lines(struct cell_buffer *out, const char *json, size_t len)
{
    char open[MAX_DEPTH];
    size_t depth = 0;
    for (size_t i = 0; i < len; i++) {
        char c = json[i];
        size_t begin = i;
        if (c == '"') {
            for (i++; i < len && json[i] != '"'; i++)
                i += json[i] == '\\';
        } else if (c == '{' || c == '[') {
            if (c == '{' && depth && depth <= MAX_DEPTH && open[depth - 1] == '[')
                cell_buffer_append(out, "\n", 1);
            if (depth < MAX_DEPTH)
                open[depth] = c;
            depth++;
        } else if ((c == '}' || c == ']') && depth) {
            depth--;
        }
        cell_buffer_append(out, json + begin, (i < len ? i + 1 : len) - begin);
        if (c == ',' && depth == 1)
            cell_buffer_append(out, "\n", 1);
    }
}

static void put_answer(struct cell_buffer *out, const struct lock_answer *a)
{
    char sum[CELL_FINGERPRINT_LEN + 1];
    lock_answer_sum(a, sum);
    cell_buffer_printf(out, "\"answer %s\":{\"document\":", a->key);
    cell_buffer_append(out, a->document, a->document_len);
    cell_buffer_puts(out, ",\"question\":");
    cell_buffer_append(out, a->question, a->question_len);
    cell_buffer_printf(out, ",\"sha256\":\"%s\"},\n", sum);
}

int cell_lock_format(const struct cell_lock *lock, struct cell_buffer *out)
{
    cell_buffer_puts(out, "{\n");
    for (uint32_t i = 0; i < lock->nanswers; i++)
        put_answer(out, &lock->answers[i]);
    cell_buffer_printf(out, "\"cell\":\"%s\",\n\"fingerprint\":\"%s\",\n\"identity\":", lock->cell, lock->fingerprint);
    if (lock->identity[0])
        cell_buffer_printf(out, "\"" CELL_KEY_PREFIX "%s %" PRIu64 "\"", lock->identity, lock->version);
    else
        cell_buffer_puts(out, "null");
    cell_buffer_puts(out, ",\n\"lock\":\"" CELL_LOCK_FORMAT "\",\n\"schema\":");
    put_lines(out, lock->schema, lock->schema_len);
    cell_buffer_puts(out, "\n}\n");
    return cell_buffer_ok(out) ? CELL_OK : CELL_NO_MEMORY;
}

/* For everybody who may read the source, unlike the folders of .cell. */
static int make_folder(const char *folder, struct cell_error *e)
{
    int r = lock_no_link(folder, e);
    if (r < 0)
        return r;
    if (mkdir(folder, 0777) < 0)
        return errno == EEXIST ? CELL_OK
                               : cell_error_errno(e, CELL_IO_ERROR, errno, "cannot make the folder %s", folder);
    CELL_CLEANUP(cell_cleanup_free) char *path = malloc(strlen(folder) + sizeof("/.gitattributes"));
    if (!path)
        return no_memory(e);
    strcpy(stpcpy(path, folder), "/.gitattributes");
    return cell_file_replace(path, attributes, sizeof(attributes) - 1, e);
}

static bool holds(const char *path, const struct cell_buffer *text)
{
    CELL_CLEANUP(cell_cleanup_free) char *old = NULL;
    size_t len = 0;
    return cell_file_read(path, CELL_LOCK_MAX_BYTES, &old, &len, NULL) >= 0 && len == text->len &&
           memcmp(old, text->data, len) == 0;
}

int cell_lock_write(const char *dir, const struct cell_lock *lock, bool *changed, struct cell_error *e)
{
    struct cell_buffer text = {0};
    CELL_CLEANUP(cell_cleanup_free) char *path = cell_lock_path(dir, lock->cell);
    CELL_CLEANUP(cell_cleanup_free) char *folder = path ? strndup(path, (size_t)(strrchr(path, '/') - path)) : NULL;
    int r = folder ? cell_lock_format(lock, &text) : CELL_NO_MEMORY;
    if (r < 0)
        no_memory(e);
    if (r >= 0 && text.len > CELL_LOCK_MAX_BYTES)
        r = cell_error_set(e, CELL_TOO_LARGE, "%s would be larger than %u MiB", path, CELL_LOCK_MAX_BYTES >> 20);
    if (r >= 0)
        r = make_folder(folder, e);
    if (r >= 0)
        r = lock_no_link(path, e);
    bool differs = r >= 0 && !holds(path, &text);
    if (differs)
        r = cell_file_replace_synced(path, text.data, text.len, e);
    cell_buffer_free(&text);
    if (r >= 0)
        *changed = differs;
    return r < 0 ? r : CELL_OK;
}
