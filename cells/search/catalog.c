/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The files that say which indexes there are. NAME.json, replaced by renaming:
 *
 *   { "v": 1, "next": 3, "rebuilt_ms": 1700000000000,
 *     "serving": { "number": 1, "definition": { … } }, "building": { "number": 2, "definition": { … } } }
 *
 * A part is in NAME.json before its file is made, and not any more before that is removed; so what is in the folder and
 * in no NAME.json is left over from a kill.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/folder.h"

#include "service.h"

#define MOST_PATH 4096

void sc_catalog_path(const struct sc_service *service, const char *name, uint32_t number, char *path, size_t size)
{
    snprintf(path, size, "%s/%s.%u.index", service->folder, name, number);
}

static int fail_io(struct search_failure *f, const char *path)
{
    return search_fail(f, folder_status(errno), "%s: %s", path, strerror(errno));
}

static json_t *part_json(const struct sc_part *part)
{
    return json_pack("{si, sO}", "number", (int)part->number, "definition", part->definition->json);
}

int sc_catalog_save(struct sc_service *service, const struct sc_index *index, struct search_failure *f)
{
    char path[MOST_PATH];
    json_t *document = json_pack("{si, si, sI, so}", "v", 1, "next", (int)index->next, "rebuilt_ms",
                                 (json_int_t)index->rebuilt_ms, "serving", part_json(index->serving));

    if (document && index->building)
        json_object_set_new(document, "building", part_json(index->building));
    char *text = document ? json_dumps(document, JSON_INDENT(1)) : NULL;
    json_decref(document);
    if (!text)
        return search_fail(f, CELL_NO_MEMORY, "out of memory");
    snprintf(path, sizeof(path), "%s/%s.json", service->folder, index->name);
    int r = folder_replace(service->folder, path, text, strlen(text)) < 0 ? fail_io(f, path) : CELL_OK;
    free(text);
    service->generation += r >= 0;
    return r;
}

int sc_catalog_forget(struct sc_service *service, const char *name)
{
    char path[MOST_PATH];

    snprintf(path, sizeof(path), "%s/%s.json", service->folder, name);
    service->generation++;
    return unlink(path) == 0 && folder_sync(service->folder) == CELL_OK ? CELL_OK : CELL_IO_ERROR;
}

/* Every file whose name begins so: the index, SQLite's beside it, graphs. */
static void erase_beginning(const struct sc_service *service, const char *beginning)
{
    size_t n = strlen(beginning);
    DIR *folder = opendir(service->folder);
    struct dirent *entry;
    char path[MOST_PATH];

    while (folder && (entry = readdir(folder)))
        if (strncmp(entry->d_name, beginning, n) == 0) {
            snprintf(path, sizeof(path), "%s/%s", service->folder, entry->d_name);
            unlink(path);
        }
    if (folder)
        closedir(folder);
}

void sc_catalog_erase(struct sc_service *service, const char *name, uint32_t number)
{
    char beginning[SC_MOST_NAME + 32];

    snprintf(beginning, sizeof(beginning), "%s.%u.index", name, number);
    erase_beginning(service, beginning);
}

/* ---- loading ---- */

/* Opens the part; a file that is damaged, or of another version, is built again: what it has is the source's. */
static int load_part(struct sc_service *service, struct sc_index *index, const json_t *from, struct sc_part **part,
                     struct search_failure *f)
{
    struct sc_definition *definition = NULL;
    uint32_t number = (uint32_t)json_integer_value(json_object_get(from, "number"));
    int r = sc_definition_read(json_object_get(from, "definition"), &definition, f);

    if (r >= 0)
        r = sc_part_open(service, index, number, definition, part, f);
    if (r == CELL_DATA_LOSS || r == CELL_FAILED_PRECONDITION) {
        if (definition) {
            sc_catalog_erase(service, index->name, number);
            r = sc_part_open(service, index, number, definition, part, f);
            index->rebuilt_ms = 0;
        }
    }
    sc_definition_unref(definition);
    return r;
}

static int load_index(struct sc_service *service, const char *name, struct search_failure *f)
{
    char path[MOST_PATH];
    struct sc_index *index = calloc(1, sizeof(*index));

    if (!index)
        return search_fail(f, CELL_NO_MEMORY, "out of memory");
    snprintf(path, sizeof(path), "%s/%s.json", service->folder, name);
    snprintf(index->name, sizeof(index->name), "%s", name);
    json_t *document = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    const json_t *building = json_object_get(document, "building");
    index->next = (uint32_t)json_integer_value(json_object_get(document, "next"));
    index->rebuilt_ms = json_integer_value(json_object_get(document, "rebuilt_ms"));
    int r = json_integer_value(json_object_get(document, "v")) == 1
                ? load_part(service, index, json_object_get(document, "serving"), &index->serving, f)
                : search_fail(f, CELL_DATA_LOSS, "%s is damaged, or of another version of this cell", path);
    if (r >= 0 && building)
        r = load_part(service, index, building, &index->building, f);
    json_decref(document);
    if (r < 0) {
        sc_part_close(index->serving);
        free(index);
        return r;
    }
    service->indexes[service->nindexes++] = index;
    return CELL_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct sc_index *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static bool is_known(const struct sc_service *service, const char *file)
{
    for (uint32_t i = 0; i < service->nindexes; i++) {
        const struct sc_index *index = service->indexes[i];
        const struct sc_part *parts[] = {index->serving, index->building};
        char beginning[SC_MOST_NAME + 32];
        for (int k = 0; k < 2; k++) {
            if (!parts[k])
                continue;
            snprintf(beginning, sizeof(beginning), "%s.%u.index", index->name, parts[k]->number);
            if (strncmp(file, beginning, strlen(beginning)) == 0)
                return true;
        }
    }
    return false;
}

static void sweep(struct sc_service *service)
{
    DIR *folder = opendir(service->folder);
    struct dirent *entry;
    char path[MOST_PATH];

    while (folder && (entry = readdir(folder)))
        if (strstr(entry->d_name, ".index") && !is_known(service, entry->d_name)) {
            snprintf(path, sizeof(path), "%s/%s", service->folder, entry->d_name);
            unlink(path);
        }
    if (folder)
        closedir(folder);
}

int sc_catalog_load(struct sc_service *service, struct search_failure *f)
{
    DIR *folder = opendir(service->folder);
    struct dirent *entry;
    int r = folder ? CELL_OK : fail_io(f, service->folder);

    while (r >= 0 && (entry = readdir(folder))) {
        size_t n = strlen(entry->d_name);
        char name[SC_MOST_NAME + 1];
        if (n < 6 || n - 5 > SC_MOST_NAME || strcmp(entry->d_name + n - 5, ".json") != 0 || entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof(name), "%.*s", (int)(n - 5), entry->d_name);
        r = service->nindexes < SC_MOST_INDEXES
                ? load_index(service, name, f)
                : search_fail(f, CELL_RESOURCE_EXHAUSTED, "there are more than %d indexes", SC_MOST_INDEXES);
    }
    if (folder)
        closedir(folder);
    qsort(service->indexes, service->nindexes, sizeof(service->indexes[0]), by_name);
    if (r >= 0)
        sweep(service);
    return r;
}

/* ---- the folder ---- */

int sc_catalog_lock(struct sc_service *service, struct search_failure *f)
{
    int r = folder_open(service->folder, &service->folder_lock, service->identity);

    if (r == CELL_UNAVAILABLE)
        return search_fail(f, r, "%s: another process has it open", service->folder);
    return r < 0 ? fail_io(f, service->folder) : CELL_OK;
}
