/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The aggregates of the cell, and how their parts come and go. */
#include "service.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct an_watch *find(struct an_service *service, const char *name)
{
    for (uint32_t i = 0; i < service->nwatches; i++)
        if (strcmp(service->watches[i]->name, name) == 0)
            return service->watches[i];
    return NULL;
}

struct an_definition *an_service_declared(struct an_service *service, const char *name)
{
    pthread_mutex_lock(&service->lock);
    struct an_watch *watch = find(service, name);
    struct an_part *part = !watch ? NULL : watch->building ? watch->building : watch->serving;
    struct an_definition *definition = part ? an_definition_ref(part->definition) : NULL;
    pthread_mutex_unlock(&service->lock);
    return definition;
}

uint64_t an_service_generation(struct an_service *service)
{
    pthread_mutex_lock(&service->lock);
    uint64_t generation = service->generation;
    pthread_mutex_unlock(&service->lock);
    return generation;
}

static void *end_part(void *part)
{
    struct an_service *service = ((struct an_part *)part)->service;

    an_part_end(part, true);
    pthread_mutex_lock(&service->lock);
    service->retiring--;
    pthread_cond_broadcast(&service->retired);
    pthread_mutex_unlock(&service->lock);
    return NULL;
}

/* Ends a part that another one has replaced, in a thread of its own: a client that does not take its stream keeps it.
 * NULL is accepted. */
static void retire(struct an_service *service, struct an_part *part)
{
    pthread_t thread;

    if (!part)
        return;
    atomic_store(&part->stop, true);
    pthread_mutex_lock(&service->lock);
    service->retiring++;
    pthread_mutex_unlock(&service->lock);
    if (pthread_create(&thread, NULL, end_part, part) == 0)
        pthread_detach(thread);
    else
        end_part(part);
}

/* A part of the next number, in the catalog: as `*where`, whose former one is in *former. With the lock. */
static int add_part(struct an_service *service, struct an_watch *watch, struct an_part **where,
                    struct an_definition *definition, struct an_part **former, struct an_failure *f)
{
    struct an_part *part = an_part_new(service, watch, watch->next, definition);
    int r = part ? CELL_OK : an_fail(f, CELL_NO_MEMORY, "out of memory");

    *former = NULL;
    if (r < 0)
        return r;
    *former = *where;
    *where = part;
    watch->next++;
    r = an_catalog_save(service, watch, f);
    if (r >= 0)
        r = an_part_begin(part, f);
    if (r >= 0)
        return CELL_OK;
    *where = *former;
    *former = NULL;
    an_part_end(part, false);
    return r;
}

static int make_watch(struct an_service *service, struct an_definition *definition, struct an_failure *f)
{
    struct an_part *former;
    uint32_t at = 0;

    if (service->nwatches == AN_MOST_WATCHES)
        return an_fail(f, CELL_RESOURCE_EXHAUSTED, "there are %d aggregates already", AN_MOST_WATCHES);
    struct an_watch *watch = calloc(1, sizeof(*watch));
    if (!watch)
        return an_fail(f, CELL_NO_MEMORY, "out of memory");
    snprintf(watch->name, sizeof(watch->name), "%s", definition->name);
    watch->next = 1;
    int r = add_part(service, watch, &watch->serving, definition, &former, f);
    if (r < 0) {
        free(watch);
        return r;
    }
    while (at < service->nwatches && strcmp(service->watches[at]->name, watch->name) < 0)
        at++;
    memmove(&service->watches[at + 1], &service->watches[at], (service->nwatches - at) * sizeof(service->watches[0]));
    service->watches[at] = watch;
    service->nwatches++;
    return CELL_OK;
}

int an_service_declare(struct an_service *service, struct an_definition *definition, struct an_failure *f)
{
    struct an_part *former = NULL;
    int r;

    pthread_mutex_lock(&service->lock);
    struct an_watch *watch = find(service, definition->name);
    if (!watch) {
        r = make_watch(service, definition, f);
    } else if (watch->building && json_equal(watch->serving->definition->json, definition->json)) {
        former = watch->building; /* back to what it was */
        watch->building = NULL;
        r = an_catalog_save(service, watch, f);
        if (r < 0) {
            watch->building = former;
            former = NULL;
        }
    } else {
        r = add_part(service, watch, &watch->building, definition, &former, f);
    }
    pthread_mutex_unlock(&service->lock);
    retire(service, former);
    return r;
}

void an_service_complete(struct an_part *part)
{
    struct an_service *service = part->service;
    struct an_watch *watch = part->owner;
    struct an_part *former = NULL;
    struct an_failure f;

    pthread_mutex_lock(&service->lock);
    if (!atomic_load(&service->stop) && !atomic_load(&part->stop) && part == watch->building) {
        former = watch->serving;
        watch->serving = part;
        watch->building = NULL;
        if (an_catalog_save(service, watch, &f) < 0) { /* the next time, then */
            watch->serving = former;
            watch->building = part;
            former = NULL;
        }
    }
    pthread_mutex_unlock(&service->lock);
    retire(service, former);
}

int an_service_drop(struct an_service *service, const char *name, struct an_failure *f)
{
    uint32_t at = 0;

    pthread_mutex_lock(&service->lock);
    while (at < service->nwatches && strcmp(service->watches[at]->name, name) != 0)
        at++;
    struct an_watch *watch = at < service->nwatches ? service->watches[at] : NULL;
    int r =
        watch ? an_catalog_forget(service, name, f) : an_fail(f, CELL_NOT_FOUND, "there is no aggregate '%s'", name);
    if (r >= 0) {
        service->nwatches--;
        memmove(&service->watches[at], &service->watches[at + 1],
                (service->nwatches - at) * sizeof(service->watches[0]));
        atomic_store(&watch->serving->stop, true);
        if (watch->building)
            atomic_store(&watch->building->stop, true);
    }
    pthread_mutex_unlock(&service->lock);
    if (r < 0)
        return r;
    an_part_end(watch->building, true);
    an_part_end(watch->serving, true);
    free(watch);
    return CELL_OK;
}

/* ---- life ---- */

int an_service_open(struct an_service *service, struct an_failure *f)
{
    pthread_mutex_init(&service->lock, NULL);
    pthread_mutex_init(&service->apply, NULL);
    pthread_cond_init(&service->retired, NULL);
    service->folder_lock = -1;
    int r = an_folder_open(service, f);
    if (r >= 0)
        r = an_catalog_load(service, f);
    for (uint32_t i = 0; r >= 0 && i < service->nwatches; i++) {
        /* A part that is begun may take another's place, from then on. */
        pthread_mutex_lock(&service->lock);
        struct an_part *serving = service->watches[i]->serving, *building = service->watches[i]->building;
        r = an_part_begin(serving, f);
        if (r >= 0 && building)
            r = an_part_begin(building, f);
        pthread_mutex_unlock(&service->lock);
    }
    if (r < 0)
        an_service_close(service);
    return r;
}

void an_service_close(struct an_service *service)
{
    pthread_mutex_lock(&service->lock);
    atomic_store(&service->stop, true);
    pthread_mutex_unlock(&service->lock);
    for (uint32_t i = 0; i < service->nwatches; i++) {
        an_part_end(service->watches[i]->building, false);
        an_part_end(service->watches[i]->serving, false);
        free(service->watches[i]);
    }
    service->nwatches = 0;
    pthread_mutex_lock(&service->lock);
    while (service->retiring > 0)
        pthread_cond_wait(&service->retired, &service->lock);
    pthread_mutex_unlock(&service->lock);
    if (service->folder_lock >= 0)
        close(service->folder_lock);
    pthread_cond_destroy(&service->retired);
    pthread_mutex_destroy(&service->apply);
    pthread_mutex_destroy(&service->lock);
}
