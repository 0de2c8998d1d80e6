/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* One part of an index: its file, its thread, and those who read it. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "service.h"

#define MOST_PATH 4096

void sc_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

void sc_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(cond, lock, &until);
}

static int open_file(struct sc_service *service, struct sc_part *part, struct search_failure *f)
{
    struct search_field fields[SEARCH_MOST_FIELDS];
    struct search_definition definition;
    char path[MOST_PATH];

    sc_definition_of_index(part->definition, fields, &definition);
    sc_catalog_path(service, part->definition->name, part->number, path, sizeof(path));
    part->saved = true;
    int r = search_index_open(path, &definition, &part->index, f);
    if (r >= 0)
        search_index_limit(part->index, service->most_index);
    return r;
}

int sc_part_open(struct sc_service *service, struct sc_index *owner, uint32_t number, struct sc_definition *definition,
                 struct sc_part **part, struct search_failure *f)
{
    struct sc_part *made = calloc(1, sizeof(*made));

    if (!made)
        return search_fail(f, CELL_NO_MEMORY, "out of memory");
    made->owner = owner;
    made->number = number;
    made->definition = sc_definition_ref(definition);
    pthread_mutex_init(&made->lock, NULL);
    sc_cond_init(&made->changed);
    int r = open_file(service, made, f);
    if (r < 0) {
        sc_part_close(made);
        return r;
    }
    *part = made;
    return CELL_OK;
}

int sc_part_reset(struct sc_service *service, struct sc_part *part, struct search_failure *f)
{
    search_index_close(part->index);
    part->index = NULL;
    sc_catalog_erase(service, part->definition->name, part->number);
    pthread_mutex_lock(&part->lock);
    part->damaged = false;
    pthread_mutex_unlock(&part->lock);
    return open_file(service, part, f);
}

void sc_part_damaged(struct sc_part *part)
{
    pthread_mutex_lock(&part->lock);
    if (!part->damaged && part->source)
        sc_source_cancel(part->source);
    part->damaged = true;
    pthread_mutex_unlock(&part->lock);
}

struct begun {
    struct sc_service *service;
    struct sc_part *part;
};

static void *run(void *user)
{
    struct begun begun = *(struct begun *)user;

    free(user);
    sc_pipeline_run(begun.service, begun.part);
    return NULL;
}

int sc_part_begin(struct sc_part *part, struct sc_service *service, struct search_failure *f)
{
    struct begun *begun = malloc(sizeof(*begun));

    if (begun) {
        *begun = (struct begun){service, part};
        part->has_thread = pthread_create(&part->thread, NULL, run, begun) == 0;
    }
    if (part->has_thread)
        return CELL_OK;
    free(begun);
    return search_fail(f, CELL_NO_MEMORY, "a thread for index '%s' cannot be made", part->definition->name);
}

void sc_part_close(struct sc_part *part)
{
    struct search_failure f;

    if (!part)
        return;
    pthread_mutex_lock(&part->lock);
    part->stop = true;
    if (part->source)
        sc_source_cancel(part->source);
    pthread_cond_broadcast(&part->changed);
    pthread_mutex_unlock(&part->lock);
    if (part->has_thread)
        pthread_join(part->thread, NULL);
    pthread_mutex_lock(&part->lock);
    while (part->users > 0)
        pthread_cond_wait(&part->changed, &part->lock);
    pthread_mutex_unlock(&part->lock);
    for (uint32_t i = 0; i < part->nreaders; i++)
        search_reader_close(part->readers[i]);
    if (part->index && !part->saved && !part->discarded)
        (void)search_index_checkpoint(part->index, &f); /* else the graphs are built again */
    search_index_close(part->index);
    sc_definition_unref(part->definition);
    pthread_cond_destroy(&part->changed);
    pthread_mutex_destroy(&part->lock);
    free(part);
}

void sc_part_progress(struct sc_part *part, struct sc_progress *progress)
{
    pthread_mutex_lock(&part->lock);
    *progress = part->progress;
    pthread_mutex_unlock(&part->lock);
}
