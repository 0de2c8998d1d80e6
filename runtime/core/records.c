/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What builds have used, as their compilations recorded it. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/json.h"
#include "core/lock.h"
#include "core/store.h"
#include "wire/limits.h"

#define MAX_RECORD (4u << 20)

struct gather {
    struct cell_records *records;
    size_t room;
    bool no_memory;
};

static void add(struct gather *g, const char *cell, const char *key, bool missing)
{
    struct cell_records *all = g->records;
    if (all->n == g->room) {
        g->room = 2 * g->room + 64;
        struct record_use *grown = cell_arena_array(&all->arena, g->room, sizeof(*grown));
        if (grown && all->n)
            memcpy(grown, all->uses, all->n * sizeof(*grown));
        g->no_memory |= !grown;
        all->uses = grown ? grown : all->uses;
    }
    struct record_use use = {.cell = cell_arena_copy(&all->arena, cell, strlen(cell)), .missing = missing};
    if (key)
        use.key = cell_arena_copy(&all->arena, key, strlen(key));
    g->no_memory |= !use.cell || (key && !use.key);
    if (!g->no_memory)
        all->uses[all->n++] = use;
}

static bool is_cell(const char *name) { return cell_is_identifier(name) && strlen(name) <= CELL_MAX_CELL_NAME; }

/* "user.table 3fa9…": it becomes part of paths. */
static bool is_key(const char *key)
{
    const char *space = strrchr(key, ' ');
    return space && strlen(space + 1) == 32 && strspn(space + 1, "0123456789abcdef") == 32;
}

/* One object's record, unless the object is gone. */
static void read_object(struct gather *g, const char *path)
{
    CELL_CLEANUP(cell_json_free) struct cell_json doc = {0};
    CELL_CLEANUP(cell_cleanup_free) char *text = NULL;
    struct json_at cells = {0}, answers = {0}, keys;
    const char *object, *name, *key;
    void *iterator = NULL;
    size_t len;
    if (cell_file_read(path, MAX_RECORD, &text, &len, NULL) < 0 ||
        cell_json_load(text, len, CELL_DATA_LOSS, &doc, NULL) < 0 ||
        cell_json_string(&doc.root, "object", JSON_REQUIRED, &object, NULL) < 0 || access(object, F_OK) < 0 ||
        cell_json_object(&doc.root, "cells", JSON_REQUIRED, &cells, NULL) < 0 ||
        cell_json_object(&doc.root, "answers", JSON_OPTIONAL, &answers, NULL) < 0)
        return;
    while ((name = cell_json_next(&cells, &iterator)))
        if (is_cell(name))
            add(g, name, NULL, false);
    for (iterator = NULL; answers.value && (name = cell_json_next(&answers, &iterator));) {
        if (!is_cell(name) || cell_json_array(&answers, name, JSON_REQUIRED, &keys, NULL) < 0)
            continue;
        for (size_t i = 0; i < cell_json_count(&keys); i++)
            if (cell_json_item_string(&keys, i, &key, NULL) >= 0 && is_key(key))
                add(g, name, key, false);
    }
}

/* A note of an answer that was missing: "CELL-HASH", which holds the key. */
static void read_missing(struct gather *g, const char *path)
{
    CELL_CLEANUP(cell_cleanup_free) char *key = NULL;
    char cell[CELL_MAX_CELL_NAME + 1];
    const char *name = strrchr(path, '/') + 1, *dash = strchr(name, '-');
    size_t len;
    if (!dash || (size_t)(dash - name) > CELL_MAX_CELL_NAME || cell_file_read(path, 1024, &key, &len, NULL) < 0)
        return;
    snprintf(cell, sizeof(cell), "%.*s", (int)(dash - name), name);
    if (is_cell(cell) && is_key(key))
        add(g, cell, key, true);
}

static void read_folder(struct gather *g, struct cell_store *store, const char *folder,
                        void (*read)(struct gather *, const char *))
{
    CELL_CLEANUP(cell_cleanup_free) char *path = NULL;
    struct dirent *entry;
    if (asprintf(&path, "%s/%s", store->root, folder) < 0) {
        path = NULL;
        g->no_memory = true;
        return;
    }
    DIR *dir = opendir(path);
    while (dir && (entry = readdir(dir))) {
        char *file = NULL;
        if (entry->d_name[0] == '.')
            continue;
        if (asprintf(&file, "%s/%s", path, entry->d_name) < 0) {
            g->no_memory = true;
            break;
        }
        read(g, file);
        free(file);
    }
    if (dir)
        closedir(dir);
}

static int compare_uses(const void *a, const void *b)
{
    const struct record_use *x = a, *y = b;
    int r = strcmp(x->cell, y->cell);
    if (r == 0)
        r = strcmp(x->key ? x->key : "", y->key ? y->key : "");
    return r ? r : x->missing - y->missing;
}

static void drop_repeated(struct cell_records *all)
{
    uint32_t n = 0;
    if (all->n)
        qsort(all->uses, all->n, sizeof(*all->uses), compare_uses);
    for (uint32_t i = 0; i < all->n; i++) {
        const struct record_use *last = n ? &all->uses[n - 1] : NULL, *use = &all->uses[i];
        if (!last || strcmp(last->cell, use->cell) != 0 || !last->key != !use->key ||
            (use->key && strcmp(last->key, use->key) != 0))
            all->uses[n++] = *use;
    }
    all->n = n;
}

int cell_records_read(const char *dir, struct cell_records *records, struct cell_error *e)
{
    struct cell_records made = {0};
    struct gather g = {.records = &made};
    struct cell_store store;
    int r = cell_store_init(&store, &made.arena, dir);
    if (r >= 0)
        r = cell_store_check(&store, e);
    if (r >= 0) {
        read_folder(&g, &store, "objects", read_object);
        read_folder(&g, &store, "missing", read_missing);
    }
    if (r == CELL_NO_MEMORY || g.no_memory)
        r = cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    if (r < 0) {
        cell_records_free(&made);
        return r;
    }
    drop_repeated(&made);
    *records = made;
    return CELL_OK;
}

void cell_records_free(struct cell_records *records)
{
    if (records)
        cell_arena_free(&records->arena);
}

/* .cell/FOLDER/CELL-HASH SUFFIX; the caller frees. */
static char *file_of(const char *dir, const char *folder, const struct record_use *use, const char *suffix)
{
    char *path = NULL;
    int n = asprintf(&path, "%s/.cell/%s/%s-%s%s", dir, folder, use->cell, strrchr(use->key, ' ') + 1, suffix);
    return n < 0 ? NULL : path;
}

char *cell_records_question(const char *dir, const struct record_use *use)
{
    CELL_CLEANUP(cell_cleanup_free) char *path = file_of(dir, "requests", use, ".json"), *text = NULL, *key = NULL;
    struct cell_buffer question = {0};
    size_t len;
    if (path && cell_file_read(path, CELL_MAX_COMPILE_REPLY, &text, &len, NULL) >= 0 &&
        cell_lock_question(text, len, &question, &key, NULL, NULL) >= 0 && strcmp(key, use->key) == 0)
        return question.data;
    cell_buffer_free(&question);
    return NULL;
}

void cell_records_found(const char *dir, const struct record_use *use)
{
    CELL_CLEANUP(cell_cleanup_free) char *path = file_of(dir, "missing", use, "");
    if (path)
        unlink(path);
}
