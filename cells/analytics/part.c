/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Parts of aggregates: their life, and who uses them. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "service.h"
#include "sketch.h"

void an_part_path(const struct an_part *part, char path[AN_MOST_PATH])
{
    snprintf(path, AN_MOST_PATH, "%s/%s.%u.state", part->service->folder, part->definition->name, part->number);
}

/* Of any length that a name may have: by its hash. */
void an_part_reader(const struct an_part *part, char name[65])
{
    uint64_t words[2] = {0, part->number};

    for (const char *p = part->definition->name; *p; p++)
        words[0] = words[0] * 31 + (uint8_t)*p;
    snprintf(name, 65, "analytics-%s-%.16s-%08x", part->service->identity, part->definition->name,
             (unsigned)an_hash(words, sizeof(words)));
}

struct an_part *an_part_new(struct an_service *service, struct an_watch *owner, uint32_t number,
                            struct an_definition *definition)
{
    struct an_part *part = calloc(1, sizeof(*part));

    if (!part)
        return NULL;
    part->service = service;
    part->owner = owner;
    part->number = number;
    part->definition = an_definition_ref(definition);
    pthread_mutex_init(&part->lock, NULL);
    pthread_cond_init(&part->unused, NULL);
    return part;
}

int an_part_begin(struct an_part *part, struct an_failure *f)
{
    part->has_thread = pthread_create(&part->thread, NULL, an_follow_source, part) == 0;
    return part->has_thread ? CELL_OK : an_fail(f, CELL_NO_MEMORY, "a thread cannot be made");
}

/* A journal that is not there has no registration either. */
static void discard_files(const struct an_part *part)
{
    char path[AN_MOST_PATH + 8], reader[65];
    struct an_source source;
    struct cell_error e;
    struct an_failure f;

    an_part_path(part, path);
    unlink(path);
    strcat(path, ".new");
    unlink(path);
    if (an_source_ask(part->definition->source, part->definition->stream, 1000, &source, &f) < 0)
        return;
    const char *folder = json_string_value(json_object_get(source.stream, "folder"));
    an_part_reader(part, reader);
    if (folder)
        cell_journal_forget_reader(folder, reader, &e);
    an_source_free(&source);
}

void an_part_end(struct an_part *part, bool discard)
{
    if (!part)
        return;
    if (discard) /* else the service ends, and the thread writes a snapshot before it does */
        atomic_store(&part->stop, true);
    if (part->has_thread)
        pthread_join(part->thread, NULL);
    pthread_mutex_lock(&part->lock);
    while (part->users > 0)
        pthread_cond_wait(&part->unused, &part->lock);
    pthread_mutex_unlock(&part->lock);
    if (discard)
        discard_files(part);
    an_close(part->aggregator);
    an_definition_unref(part->definition);
    pthread_cond_destroy(&part->unused);
    pthread_mutex_destroy(&part->lock);
    free(part);
}

/* With the service's lock. */
static struct an_part *use(struct an_part *part)
{
    if (part) {
        pthread_mutex_lock(&part->lock);
        part->users++;
        pthread_mutex_unlock(&part->lock);
    }
    return part;
}

struct an_part *an_part_take(struct an_service *service, const char *name)
{
    struct an_part *part = NULL;

    pthread_mutex_lock(&service->lock);
    for (uint32_t i = 0; i < service->nwatches; i++)
        if (strcmp(service->watches[i]->name, name) == 0)
            part = use(service->watches[i]->serving);
    pthread_mutex_unlock(&service->lock);
    return part;
}

struct an_part *an_part_at(struct an_service *service, uint32_t i, bool *building)
{
    struct an_part *part = NULL;

    pthread_mutex_lock(&service->lock);
    for (uint32_t k = 0; k < service->nwatches && !part; k++) {
        struct an_watch *watch = service->watches[k];
        *building = i == 1 && watch->building;
        if (i == 0 || *building)
            part = use(i == 0 ? watch->serving : watch->building);
        i -= watch->building ? 2 : 1;
    }
    pthread_mutex_unlock(&service->lock);
    return part;
}

void an_part_give(struct an_part *part)
{
    pthread_mutex_lock(&part->lock);
    if (--part->users == 0)
        pthread_cond_broadcast(&part->unused);
    pthread_mutex_unlock(&part->lock);
}

void an_part_lock(struct an_part *part)
{
    atomic_fetch_add(&part->waiting, 1);
    pthread_mutex_lock(&part->lock);
    atomic_fetch_sub(&part->waiting, 1);
}

void an_part_unlock(struct an_part *part) { pthread_mutex_unlock(&part->lock); }
