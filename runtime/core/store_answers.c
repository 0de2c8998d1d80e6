/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * .cell/answers: what cells answered, a file a question:
 *
 *     cell.answer/3 FINGERPRINT STATE CONTENT N
 *     N resources that it relies on, a line each
 *     the document
 *     checksum of all before, 16 hex digits
 *
 * STATE is '?' for an answer that may be shown, but not be built with. CONTENT is the fingerprint of what it declares,
 * '-' for an answer that does or says something else: it must be parsed. A file's times say when it was used last, to a
 * day. The format has another number whenever fingerprints are computed in another way, or documents checked.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/store.h"
#include "core/uses.h"
#include "wire/limits.h"

#define FORMAT "cell.answer/3"
#define NO_STATE "?"
#define NO_CONTENT "-"
#define SUM_LEN 18u /* "\n", 16 digits, "\n" */
#define HEAD_MAX (sizeof(FORMAT) + 2 * CELL_FINGERPRINT_LEN + CELL_STATE_MAX + 16)
#define MOST_RESOURCES 10000u
#define MOST_BYTES (CELL_MAX_COMPILE_REPLY + (1u << 20)) /* of a file: what is before the document is in it, too */
#define DAY_S 86400

static char *answer_path(struct cell_store *s, const char *name, const char *hash)
{
    const char *file = cell_arena_printf(s->arena, "%s-%s", name, hash);
    return file ? cell_store_path(s, "answers", file, "") : NULL;
}

static void put_sum(const char *text, size_t len, char sum[SUM_LEN + 1])
{
    snprintf(sum, SUM_LEN + 1, "\n%016" PRIx64 "\n", cell_checksum(text, len));
}

/* How long the first line is; 0 when this is no whole answer. */
static size_t check_whole(const char *text, size_t len)
{
    char sum[SUM_LEN + 1];
    const char *line = memchr(text, '\n', len < HEAD_MAX ? len : HEAD_MAX);
    if (!line || strncmp(text, FORMAT " ", sizeof(FORMAT)) != 0)
        return 0;
    size_t head = (size_t)(line - text) + 1;
    if (len < head + SUM_LEN)
        return 0;
    put_sum(text, len - SUM_LEN, sum);
    return memcmp(text + len - SUM_LEN, sum, SUM_LEN) == 0 ? head : 0;
}

/* So that those in use outlive the others. */
static void mark_used(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && st.st_mtim.tv_sec < time(NULL) - DAY_S)
        utimensat(AT_FDCWD, path, NULL, 0);
}

static size_t put_head(char head[HEAD_MAX + 1], const char *fingerprint, const char *state,
                       const struct answer_notes *notes)
{
    return (size_t)snprintf(head, HEAD_MAX + 1, FORMAT " %s %s %s %" PRIu32 "\n", fingerprint, state,
                            notes->content[0] ? notes->content : NO_CONTENT, notes->nresources);
}

/* The last two words of the first line; false when they are none of that form. */
static bool read_head(const char *text, size_t head, struct answer_notes *notes)
{
    const char *end = text + head - 1, *number = memrchr(text, ' ', head);
    const char *word = number ? memrchr(text, ' ', (size_t)(number - text)) : NULL;
    size_t len = word ? (size_t)(number - ++word) : 0;
    *notes = (struct answer_notes){0};
    if (len == CELL_FINGERPRINT_LEN && strspn(word, "0123456789abcdef") == len)
        memcpy(notes->content, word, len);
    else if (len != strlen(NO_CONTENT) || memcmp(word, NO_CONTENT, len) != 0)
        return false;
    while (++number < end && *number >= '0' && *number <= '9' && notes->nresources <= MOST_RESOURCES)
        notes->nresources = notes->nresources * 10 + (uint32_t)(*number - '0');
    return number == end && notes->nresources <= MOST_RESOURCES;
}

/* The lines behind the first one; where the document begins, 0 when there are not as many. */
static size_t read_resources(struct cell_store *s, const char *text, size_t begin, size_t end,
                             struct answer_notes *notes)
{
    notes->resources = cell_arena_array(s->arena, notes->nresources, sizeof(*notes->resources));
    for (uint32_t i = 0; i < notes->nresources; i++) {
        const char *line = text + begin, *stop = memchr(line, '\n', end - begin);
        char *name = notes->resources && stop ? cell_arena_copy(s->arena, line, (size_t)(stop - line)) : NULL;
        if (!name || !cell_is_resource(name))
            return 0;
        notes->resources[i] = name;
        begin = (size_t)(stop - text) + 1;
    }
    return notes->resources ? begin : 0;
}

char *cell_store_answer(struct cell_store *s, const char *name, const char *hash, const char *fingerprint,
                        const char *state, struct answer_notes *notes, size_t *len)
{
    char *text = NULL, head[HEAD_MAX + 1];
    size_t whole = 0;
    const char *path = answer_path(s, name, hash);
    if (!path || cell_file_read(path, MOST_BYTES, &text, &whole, NULL) < 0)
        return NULL;
    size_t begin = check_whole(text, whole);
    if (begin && !read_head(text, begin, notes))
        begin = 0;
    if (begin && fingerprint &&
        (!state || put_head(head, fingerprint, state, notes) != begin || memcmp(text, head, begin) != 0))
        begin = 0;
    if (begin)
        begin = read_resources(s, text, begin, whole - SUM_LEN, notes);
    if (!begin) {
        free(text);
        return NULL;
    }
    mark_used(path);
    *len = whole - begin - SUM_LEN;
    memmove(text, text + begin, *len);
    text[*len] = '\0';
    return text;
}

static bool holds(const char *path, const struct cell_buffer *text, bool *there)
{
    CELL_CLEANUP(cell_cleanup_free) char *old = NULL;
    size_t len = 0;
    *there = access(path, F_OK) == 0;
    return *there && cell_file_read(path, text->len, &old, &len, NULL) >= 0 && len == text->len &&
           memcmp(old, text->data, len) == 0;
}

void cell_store_keep_answer(struct cell_store *s, const char *name, const char *hash, const char *fingerprint,
                            const char *state, const struct answer_notes *notes, const char *document, size_t len,
                            bool *added)
{
    struct cell_buffer b = {0};
    char head[HEAD_MAX + 1], sum[SUM_LEN + 1];
    bool there = false;
    const char *path = answer_path(s, name, hash);
    if (!path || notes->nresources > MOST_RESOURCES)
        return;
    cell_buffer_append(&b, head, put_head(head, fingerprint, state ? state : NO_STATE, notes));
    for (uint32_t i = 0; i < notes->nresources; i++)
        cell_buffer_printf(&b, "%s\n", notes->resources[i]);
    cell_buffer_append(&b, document, len);
    if (cell_buffer_ok(&b)) {
        put_sum(b.data, b.len, sum);
        cell_buffer_puts(&b, sum);
        if (cell_buffer_ok(&b) && b.len <= MOST_BYTES && !holds(path, &b, &there) &&
            cell_store_write(s, path, b.data, b.len, NULL) >= 0)
            *added |= !there;
    }
    cell_buffer_free(&b);
}

/* ---- not without bound ---- */

struct kept {
    char *name;
    uint64_t bytes;
    struct timespec used;
};

static int compare_use(const void *a, const void *b)
{
    const struct kept *x = a, *y = b;
    if (x->used.tv_sec != y->used.tv_sec)
        return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
    return (x->used.tv_nsec > y->used.tv_nsec) - (x->used.tv_nsec < y->used.tv_nsec);
}

/* All files of the folder; what memory does not suffice for is left alone. */
static struct kept *list_kept(DIR *dir, size_t *count, uint64_t *bytes)
{
    struct kept *all = NULL;
    struct dirent *entry;
    struct stat st;
    size_t n = 0, room = 0;
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.' || fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (n == room) {
            struct kept *grown = realloc(all, (room = 2 * room + 256) * sizeof(*all));
            if (!grown)
                break;
            all = grown;
        }
        all[n] = (struct kept){.name = strdup(entry->d_name), .bytes = (uint64_t)st.st_size, .used = st.st_mtim};
        if (!all[n].name)
            break;
        *bytes += all[n++].bytes;
    }
    *count = n;
    return all;
}

void cell_store_prune_answers(struct cell_store *s, size_t most, uint64_t bytes)
{
    const char *path = cell_arena_printf(s->arena, "%s/answers", s->root);
    DIR *dir = path ? opendir(path) : NULL;
    uint64_t total = 0;
    size_t n = 0;
    if (!dir)
        return;
    struct kept *all = list_kept(dir, &n, &total);
    if (n > most || total > bytes) {
        qsort(all, n, sizeof(*all), compare_use);
        /* A quarter less than the bound, so that not every compilation has to do this. */
        size_t left = n;
        for (size_t i = 0; i < n && (left > most - most / 4 || total > bytes - bytes / 4); i++, left--) {
            unlinkat(dirfd(dir), all[i].name, 0);
            total -= all[i].bytes;
        }
    }
    for (size_t i = 0; i < n; i++)
        free(all[i].name);
    free(all);
    closedir(dir);
}
