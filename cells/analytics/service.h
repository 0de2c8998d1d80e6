/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The aggregates that there are, and what counts for them.
 *
 * An aggregate is one part, or two: the part that serves, and one of another definition that is being built to take its
 * place. Each part has a thread, which reads the source's journal, an aggregator, and a snapshot in NAME.N.state. Which
 * parts there are is in NAME.json.
 */
#ifndef CELLS_ANALYTICS_SERVICE_H
#define CELLS_ANALYTICS_SERVICE_H

#include <pthread.h>

#include <cell/server.h>

#include "definition.h"
#include "source.h"
#include "state.h"

#define AN_MOST_WATCHES 256
#define AN_MOST_PATH 4096

enum an_phase { AN_WAITING, AN_CATCHING_UP, AN_FOLLOWING, AN_STOPPED };

struct an_progress {
    enum an_phase phase;
    uint64_t lag, lag_ms;
    uint64_t snapshot; /* its sequence */
    uint64_t errors;
    char error[400]; /* "" = none */
};

struct an_service;
struct an_watch;

struct an_part {
    struct an_service *service;
    struct an_watch *owner;
    uint32_t number;
    struct an_definition *definition;
    pthread_t thread;
    bool has_thread;
    atomic_bool stop;
    atomic_uint waiting; /* who wants the lock: the thread gives way */
    /* Guarded by `lock`; the aggregator may be looked at by the thread without it. */
    pthread_mutex_t lock;
    pthread_cond_t unused; /* nobody uses the part any more */
    struct an_aggregator *aggregator;
    struct an_place place;
    uint64_t generation; /* of the aggregator: another one than before, when it was made anew */
    struct an_progress progress;
    uint32_t users; /* who keeps the part from being freed */
};

struct an_watch {
    char name[AN_MOST_NAME + 1];
    /* Guarded by the service's lock. */
    struct an_part *serving, *building; /* building: NULL = none */
    uint32_t next;                      /* the number of the next part */
};

struct an_service {
    const char *folder;
    bool additive_only, plan_only;
    uint64_t snapshot_every; /* records */
    int64_t lease_ms;
    pthread_mutex_t lock;
    struct an_watch *watches[AN_MOST_WATCHES]; /* in the order of names */
    uint32_t nwatches;
    uint64_t generation; /* of the catalog */
    char identity[17];   /* of the folder */
    int folder_lock;
    atomic_bool stop;
    pthread_mutex_t apply; /* held by who changes the catalog */
    pthread_cond_t retired;
    uint32_t retiring; /* parts that were replaced and are still used */
};

/* Opens the folder and begins to count. CELL_UNAVAILABLE: another process has it. */
int an_service_open(struct an_service *service, struct an_failure *f);
void an_service_close(struct an_service *service); /* nobody may be calling any more */

/* A reference to the definition that was declared last; NULL: there is none of that name. */
struct an_definition *an_service_declared(struct an_service *service, const char *name);
uint64_t an_service_generation(struct an_service *service);
/* Makes the aggregate, or begins to build a part of that definition. Once it returns it will happen, whatever dies. */
int an_service_declare(struct an_service *service, struct an_definition *definition, struct an_failure *f);
/* CELL_NOT_FOUND. */
int an_service_drop(struct an_service *service, const char *name, struct an_failure *f);
/* The part has counted all there is: if it was being built, it serves from now on. By its thread. */
void an_service_complete(struct an_part *part);

/* The part that serves (or the i-th, building ones too), which stays until it is given back. NULL: there is none. */
struct an_part *an_part_take(struct an_service *service, const char *name);
struct an_part *an_part_at(struct an_service *service, uint32_t i, bool *building);
void an_part_give(struct an_part *part);
void an_part_lock(struct an_part *part);
void an_part_unlock(struct an_part *part);
/* part.c: without a thread yet. */
struct an_part *an_part_new(struct an_service *service, struct an_watch *owner, uint32_t number,
                            struct an_definition *definition);
int an_part_begin(struct an_part *part, struct an_failure *f);
/* Waits for its thread to end and for who uses it, and frees it; `discard`: it is told to end, and its file and its
 * registration go as well. Otherwise the service ends. */
void an_part_end(struct an_part *part, bool discard);
/* follow.c: what its thread does. */
void *an_follow_source(void *part);
void an_part_path(const struct an_part *part, char path[AN_MOST_PATH]);
/* The name under which it is registered with the journal. */
void an_part_reader(const struct an_part *part, char name[65]);

/* folder.c */
int an_folder_open(struct an_service *service, struct an_failure *f);
/* The whole file in memory that the caller frees. CELL_NOT_FOUND. */
int an_folder_read(const char *path, void **bytes, size_t *n, struct an_failure *f);
int an_fail_io(struct an_failure *f, const char *path);

/* catalog.c, with the service's lock. */
int an_catalog_save(struct an_service *service, const struct an_watch *watch, struct an_failure *f);
int an_catalog_forget(struct an_service *service, const char *name, struct an_failure *f);
int an_catalog_load(struct an_service *service, struct an_failure *f);

/* ---- what compilers ask ---- */

extern const char an_verbs[];
int an_expand(cell_ctx *c, cell_str request, cell_str *document);
int an_state(cell_ctx *c, cell_str *token);
int an_apply(cell_ctx *c, cell_str request, cell_str *reply);

/* ---- methods that programs bring with them ---- */

extern const struct cell_bound_ops an_bound_ops;

#endif
