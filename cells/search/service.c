/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The indexes of the cell, and how their parts come and go. */
#include "service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WATCH_MS 500
#define ASK_MS 2000

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct sc_index *find(struct sc_service *service, const char *name)
{
    for (uint32_t i = 0; i < service->nindexes; i++)
        if (strcmp(service->indexes[i]->name, name) == 0)
            return service->indexes[i];
    return NULL;
}

static struct sc_definition *definition_of(struct sc_service *service, const char *name, bool declared)
{
    pthread_mutex_lock(&service->lock);
    struct sc_index *index = find(service, name);
    struct sc_part *part = !index ? NULL : declared && index->building ? index->building : index->serving;
    struct sc_definition *definition = part ? sc_definition_ref(part->definition) : NULL;
    pthread_mutex_unlock(&service->lock);
    return definition;
}

struct sc_definition *sc_service_declared(struct sc_service *service, const char *name)
{
    return definition_of(service, name, true);
}

struct sc_definition *sc_service_serving(struct sc_service *service, const char *name)
{
    return definition_of(service, name, false);
}

uint64_t sc_service_generation(struct sc_service *service)
{
    pthread_mutex_lock(&service->lock);
    uint64_t generation = service->generation;
    pthread_mutex_unlock(&service->lock);
    return generation;
}

/* ---- parts ---- */

/* What a part leaves behind when it is not in the catalog any more. */
static void retire(struct sc_service *service, struct sc_part *part)
{
    char name[SC_MOST_NAME + 1];

    if (!part)
        return;
    uint32_t number = part->number;
    snprintf(name, sizeof(name), "%s", part->definition->name);
    pthread_mutex_lock(&part->lock);
    part->discarded = true;
    pthread_mutex_unlock(&part->lock);
    sc_part_close(part);
    sc_catalog_erase(service, name, number);
}

/* A part of the next number, in the catalog: as `*where`, whose former one is in *former. With the lock. */
static int add_part(struct sc_service *service, struct sc_index *index, struct sc_part **where,
                    struct sc_definition *definition, struct sc_part **former, struct search_failure *f)
{
    struct sc_part *part = NULL;
    uint32_t number = index->next;
    int r = sc_part_open(service, index, number, definition, &part, f);

    if (r < 0)
        return r;
    *former = *where;
    *where = part;
    index->next++;
    r = sc_catalog_save(service, index, f);
    if (r >= 0)
        return CELL_OK;
    *where = *former;
    *former = NULL;
    index->next--;
    sc_part_close(part);
    sc_catalog_erase(service, index->name, number);
    return r;
}

static int make_index(struct sc_service *service, struct sc_definition *definition, struct sc_part **part,
                      struct search_failure *f)
{
    struct sc_index *index;
    struct sc_part *former;
    uint32_t at = 0;

    if (service->nindexes == SC_MOST_INDEXES)
        return search_fail(f, CELL_RESOURCE_EXHAUSTED, "there are %d indexes already", SC_MOST_INDEXES);
    index = calloc(1, sizeof(*index));
    if (!index)
        return search_fail(f, CELL_NO_MEMORY, "out of memory");
    snprintf(index->name, sizeof(index->name), "%s", definition->name);
    index->next = 1;
    int r = add_part(service, index, &index->serving, definition, &former, f);
    if (r < 0) {
        free(index);
        return r;
    }
    while (at < service->nindexes && strcmp(service->indexes[at]->name, index->name) < 0)
        at++;
    memmove(&service->indexes[at + 1], &service->indexes[at], (service->nindexes - at) * sizeof(service->indexes[0]));
    service->indexes[at] = index;
    service->nindexes++;
    *part = index->serving;
    return CELL_OK;
}

int sc_service_declare(struct sc_service *service, struct sc_definition *definition, struct search_failure *f)
{
    struct sc_part *former = NULL, *part = NULL;
    int r;

    pthread_mutex_lock(&service->lock);
    struct sc_index *index = find(service, definition->name);
    if (!index) {
        r = make_index(service, definition, &part, f);
    } else if (index->building && json_equal(index->serving->definition->json, definition->json)) {
        former = index->building; /* back to what it was */
        index->building = NULL;
        r = sc_catalog_save(service, index, f);
        if (r < 0) {
            index->building = former;
            former = NULL;
        }
    } else {
        r = add_part(service, index, &index->building, definition, &former, f);
        part = r >= 0 ? index->building : NULL;
    }
    if (part)
        r = sc_part_begin(part, service, f);
    pthread_mutex_unlock(&service->lock);
    retire(service, former);
    return r;
}

int sc_service_rebuild(struct sc_service *service, struct sc_part *part, struct search_failure *f)
{
    struct sc_part *former = NULL;
    int r = CELL_OK;

    pthread_mutex_lock(&service->lock);
    struct sc_index *index = part->owner;
    if (service->stop || index->dropped) {
        r = CELL_OK;
    } else if (part == index->building) { /* nobody reads it, and its thread is this one */
        r = sc_part_reset(service, part, f);
    } else if (part == index->serving && !index->building) {
        r = add_part(service, index, &index->building, part->definition, &former, f);
        if (r >= 0)
            r = sc_part_begin(index->building, service, f);
    }
    pthread_mutex_unlock(&service->lock);
    return r;
}

void sc_service_complete(struct sc_service *service, struct sc_part *part)
{
    struct sc_part *former = NULL;
    struct search_failure f;

    pthread_mutex_lock(&service->lock);
    struct sc_index *index = part->owner;
    int64_t before = index->rebuilt_ms;
    bool ends = service->stop || index->dropped, built = !ends && part == index->building;
    if (built) {
        former = index->serving;
        index->serving = part;
        index->building = NULL;
    }
    if (built || (!ends && part == index->serving && index->rebuilt_ms == 0)) {
        index->rebuilt_ms = now_ms();
        if (sc_catalog_save(service, index, &f) < 0) { /* the next time, then */
            index->rebuilt_ms = before;
            if (built) {
                index->serving = former;
                index->building = part;
                former = NULL;
            }
        }
    }
    pthread_mutex_unlock(&service->lock);
    retire(service, former);
}

int sc_service_drop(struct sc_service *service, const char *name, struct search_failure *f)
{
    uint32_t at = 0;

    pthread_mutex_lock(&service->lock);
    while (at < service->nindexes && strcmp(service->indexes[at]->name, name) != 0)
        at++;
    struct sc_index *index = at < service->nindexes ? service->indexes[at] : NULL;
    int r = index ? sc_catalog_forget(service, name) : search_fail(f, CELL_NOT_FOUND, "there is no index '%s'", name);
    if (index && r < 0)
        search_fail(f, r, "index '%s' cannot be removed from the folder", name);
    if (r >= 0) {
        index->dropped = true;
        service->nindexes--;
        memmove(&service->indexes[at], &service->indexes[at + 1],
                (service->nindexes - at) * sizeof(service->indexes[0]));
    }
    pthread_mutex_unlock(&service->lock);
    if (r < 0)
        return r;
    retire(service, index->building);
    retire(service, index->serving);
    free(index);
    return CELL_OK;
}

/* ---- readers ---- */

int sc_reader_take(struct sc_service *service, const char *name, struct sc_part **part, struct search_reader **reader,
                   struct search_failure *f)
{
    struct search_reader *found = NULL;

    pthread_mutex_lock(&service->lock);
    struct sc_index *index = find(service, name);
    struct sc_part *of = index ? index->serving : NULL;
    if (of) {
        pthread_mutex_lock(&of->lock);
        of->users++;
        if (of->nreaders > 0)
            found = of->readers[--of->nreaders];
        pthread_mutex_unlock(&of->lock);
    }
    pthread_mutex_unlock(&service->lock);
    if (!of)
        return search_fail(f, CELL_FAILED_PRECONDITION,
                           "there is no index '%s': `cell migrate`, or building the program, makes it", name);
    int r = found ? CELL_OK : search_reader_open(of->index, &found, f);
    if (r < 0) {
        sc_reader_give(of, NULL);
        return r;
    }
    *part = of;
    *reader = found;
    return CELL_OK;
}

void sc_reader_give(struct sc_part *part, struct search_reader *reader)
{
    pthread_mutex_lock(&part->lock);
    if (reader && part->nreaders < SC_MOST_READERS) {
        part->readers[part->nreaders++] = reader;
        reader = NULL;
    }
    pthread_mutex_unlock(&part->lock);
    search_reader_close(reader); /* while the index is certainly open */
    pthread_mutex_lock(&part->lock);
    if (--part->users == 0)
        pthread_cond_broadcast(&part->changed);
    pthread_mutex_unlock(&part->lock);
}

/* ---- drift ---- */

/* Ends what reads from a source whose schema is another one now: the pipeline begins again and looks at it. */
static void look_for_drift(struct sc_part *part, struct sc_survey *survey)
{
    struct sc_source_status status;
    struct search_failure f;

    if (sc_survey_ask(survey, part->definition->source, part->definition->collection, ASK_MS, &status, &f) < 0)
        return;
    uint64_t hash = sc_source_hash(&status);
    pthread_mutex_lock(&part->lock);
    if (part->source && part->source_hash != hash) {
        part->drifted = true;
        sc_source_cancel(part->source);
    }
    pthread_mutex_unlock(&part->lock);
    sc_source_status_free(&status);
}

/* The i-th part, which is used, or NULL. */
static struct sc_part *use_part(struct sc_service *service, uint32_t i)
{
    pthread_mutex_lock(&service->lock);
    struct sc_index *index = i / 2 < service->nindexes ? service->indexes[i / 2] : NULL;
    struct sc_part *part = !index ? NULL : i % 2 ? index->building : index->serving;
    if (part) {
        pthread_mutex_lock(&part->lock);
        part->users++;
        pthread_mutex_unlock(&part->lock);
    }
    pthread_mutex_unlock(&service->lock);
    return part;
}

static bool rest(struct sc_service *service)
{
    pthread_mutex_lock(&service->lock);
    if (!service->stop)
        sc_cond_wait(&service->wake, &service->lock, WATCH_MS);
    bool stop = service->stop;
    pthread_mutex_unlock(&service->lock);
    return !stop;
}

static void *watch(void *user)
{
    struct sc_service *service = user;

    while (rest(service)) {
        struct sc_survey survey = {.n = 0};
        for (uint32_t i = 0; i < 2 * SC_MOST_INDEXES; i++) {
            struct sc_part *part = use_part(service, i);
            if (!part)
                continue;
            look_for_drift(part, &survey);
            sc_reader_give(part, NULL);
        }
        sc_survey_end(&survey);
    }
    return NULL;
}

/* ---- life ---- */

int sc_service_open(struct sc_service *service, struct search_failure *f)
{
    pthread_mutex_init(&service->lock, NULL);
    pthread_mutex_init(&service->apply, NULL);
    sc_cond_init(&service->wake);
    service->folder_lock = -1;
    int r = sc_catalog_lock(service, f);
    if (r >= 0)
        r = sc_catalog_load(service, f);
    pthread_mutex_lock(&service->lock);
    for (uint32_t i = 0; r >= 0 && i < service->nindexes; i++) {
        struct sc_index *index = service->indexes[i];
        r = sc_part_begin(index->serving, service, f);
        if (r >= 0 && index->building)
            r = sc_part_begin(index->building, service, f);
    }
    pthread_mutex_unlock(&service->lock);
    if (r >= 0) {
        service->has_watcher = pthread_create(&service->watcher, NULL, watch, service) == 0;
        r = service->has_watcher ? CELL_OK : search_fail(f, CELL_NO_MEMORY, "a thread cannot be made");
    }
    if (r < 0)
        sc_service_close(service);
    return r;
}

void sc_service_close(struct sc_service *service)
{
    pthread_mutex_lock(&service->lock);
    service->stop = true;
    pthread_cond_broadcast(&service->wake);
    pthread_mutex_unlock(&service->lock);
    if (service->has_watcher)
        pthread_join(service->watcher, NULL);
    for (uint32_t i = 0; i < service->nindexes; i++) {
        /* The one that is built may want to take the other's place until its thread has ended. */
        sc_part_close(service->indexes[i]->building);
        sc_part_close(service->indexes[i]->serving);
        free(service->indexes[i]);
    }
    service->nindexes = 0;
    if (service->folder_lock >= 0)
        close(service->folder_lock);
    pthread_cond_destroy(&service->wake);
    pthread_mutex_destroy(&service->apply);
    pthread_mutex_destroy(&service->lock);
}
