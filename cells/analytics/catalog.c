/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* NAME.json: which parts an aggregate has. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/folder.h"
#include "service.h"

static json_t *part_json(const struct an_part *part)
{
    return json_pack("{si, sO}", "number", (int)part->number, "definition", part->definition->json);
}

static void path_of(const struct an_service *service, const char *name, char path[AN_MOST_PATH])
{
    snprintf(path, AN_MOST_PATH, "%s/%s.json", service->folder, name);
}

int an_catalog_save(struct an_service *service, const struct an_watch *watch, struct an_failure *f)
{
    char path[AN_MOST_PATH];
    json_t *document =
        json_pack("{si, si, so}", "v", 1, "next", (int)watch->next, "serving", part_json(watch->serving));

    if (document && watch->building)
        json_object_set_new(document, "building", part_json(watch->building));
    char *text = document ? json_dumps(document, JSON_INDENT(1)) : NULL;
    json_decref(document);
    if (!text)
        return an_fail(f, CELL_NO_MEMORY, "out of memory");
    path_of(service, watch->name, path);
    int r = folder_replace(service->folder, path, text, strlen(text)) < 0 ? an_fail_io(f, path) : CELL_OK;
    free(text);
    service->generation += r >= 0;
    return r;
}

int an_catalog_forget(struct an_service *service, const char *name, struct an_failure *f)
{
    char path[AN_MOST_PATH];

    path_of(service, name, path);
    service->generation++;
    return unlink(path) == 0 && folder_sync(service->folder) == CELL_OK ? CELL_OK : an_fail_io(f, path);
}

static int load_part(struct an_service *service, struct an_watch *watch, const json_t *from, struct an_part **part,
                     struct an_failure *f)
{
    struct an_definition *definition = NULL;
    uint32_t number = (uint32_t)json_integer_value(json_object_get(from, "number"));
    int r = an_definition_read(json_object_get(from, "definition"), &definition, f);

    if (r < 0)
        return r;
    *part = an_part_new(service, watch, number, definition);
    an_definition_unref(definition);
    return *part ? CELL_OK : an_fail(f, CELL_NO_MEMORY, "out of memory");
}

static int load_watch(struct an_service *service, const char *name, struct an_failure *f)
{
    char path[AN_MOST_PATH];
    struct an_watch *watch = calloc(1, sizeof(*watch));

    if (!watch)
        return an_fail(f, CELL_NO_MEMORY, "out of memory");
    path_of(service, name, path);
    snprintf(watch->name, sizeof(watch->name), "%s", name);
    json_t *document = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    const json_t *building = json_object_get(document, "building");
    watch->next = (uint32_t)json_integer_value(json_object_get(document, "next"));
    int r = json_integer_value(json_object_get(document, "v")) == 1
                ? load_part(service, watch, json_object_get(document, "serving"), &watch->serving, f)
                : an_fail(f, CELL_DATA_LOSS, "it is damaged, or of another version of this cell");
    if (r >= 0 && building)
        r = load_part(service, watch, building, &watch->building, f);
    json_decref(document);
    if (r < 0) {
        struct an_failure why = *f;
        an_fail(f, r,
                "%s: %s; without that file the cell starts, and the program's next build makes the aggregate anew",
                path, why.text);
        an_part_end(watch->serving, false);
        free(watch);
        return r;
    }
    service->watches[service->nwatches++] = watch;
    return CELL_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct an_watch *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

/* Snapshots of parts that are in no catalog: their removal was interrupted. */
static bool is_stray(const struct an_service *service, const char *file)
{
    const char *point = strchr(file, '.');
    bool state = point && strstr(point, ".state");
    unsigned long number = point ? strtoul(point + 1, NULL, 10) : 0;

    for (uint32_t i = 0; state && i < service->nwatches; i++) {
        const struct an_watch *w = service->watches[i];
        if (strlen(w->name) == (size_t)(point - file) && strncmp(w->name, file, (size_t)(point - file)) == 0 &&
            (number == w->serving->number || (w->building && number == w->building->number)))
            return false;
    }
    return state;
}

static void sweep(const struct an_service *service)
{
    DIR *folder = opendir(service->folder);
    char path[AN_MOST_PATH];

    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (is_stray(service, entry->d_name) &&
            snprintf(path, sizeof(path), "%s/%s", service->folder, entry->d_name) < (int)sizeof(path))
            unlink(path);
    if (folder)
        closedir(folder);
}

int an_catalog_load(struct an_service *service, struct an_failure *f)
{
    DIR *folder = opendir(service->folder);
    int r = folder ? CELL_OK : an_fail_io(f, service->folder);

    for (struct dirent *entry; r >= 0 && (entry = readdir(folder));) {
        size_t n = strlen(entry->d_name);
        char name[AN_MOST_NAME + 1];
        if (n < 6 || n - 5 > AN_MOST_NAME || strcmp(entry->d_name + n - 5, ".json") != 0 || entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof(name), "%.*s", (int)(n - 5), entry->d_name);
        r = service->nwatches < AN_MOST_WATCHES
                ? load_watch(service, name, f)
                : an_fail(f, CELL_RESOURCE_EXHAUSTED, "there are more than %d aggregates", AN_MOST_WATCHES);
    }
    if (folder)
        closedir(folder);
    qsort(service->watches, service->nwatches, sizeof(service->watches[0]), by_name);
    if (r >= 0)
        sweep(service);
    return r;
}
