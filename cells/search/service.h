/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The indexes that there are, and the pipelines that feed them.
 *
 * An index is one part, or two: the part that serves, and one that is being built to take its place, of another
 * definition or because the source has not kept the changes that are missing. Each part has a file and a thread, which
 * reads all records of the source and from then on its changes. A part that is being built and has come as far as the
 * source takes the other's place. Which parts there are is in NAME.json (the folder's files are its and NAME.N.index*).
 */
#ifndef CELLS_SEARCH_SERVICE_H
#define CELLS_SEARCH_SERVICE_H

#include <pthread.h>

#include <cell/server.h>

#include "definition.h"
#include "source.h"

#define SC_MOST_INDEXES 256
#define SC_BINDING 2       /* the version of what a method of a program is bound by */
#define SC_MOST_READERS 16 /* of a part, that are kept */

enum sc_phase {
    SC_WAITING,  /* for the source */
    SC_SCANNING, /* its records */
    SC_CATCHING_UP,
    SC_FOLLOWING,
    SC_STOPPED /* until the source or the definition changes */
};

struct sc_progress {
    enum sc_phase phase;
    uint64_t position; /* the change up to which it has everything; 0 while it scans */
    uint64_t scanned;  /* records, since the scan began or the cell started */
    uint64_t applied;  /* records and changes, since the cell started */
    uint64_t refused;  /* records that cannot be indexed, since the cell started */
    uint64_t errors;   /* failures of the source and the disk, since the cell started */
    int64_t at_us;     /* when the change of `position` was made; 0 = unknown */
    int status;        /* of the last error, as long as it lasts; CELL_OK = none */
    char error[256];   /* "" = none */
    char refusal[400]; /* of the record that was refused last: its key and why */
};

struct sc_service;
struct sc_index;

struct sc_part {
    struct sc_index *owner;
    uint32_t number;
    struct sc_definition *definition;
    struct search_index *index;
    /* What follows is guarded by `lock`. */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* stop, or nobody reads any more */
    struct sc_progress progress;
    struct search_reader *readers[SC_MOST_READERS];
    uint32_t nreaders, users;
    struct sc_source *source; /* that the thread reads; NULL = none */
    uint64_t source_hash;     /* of what it was opened for */
    bool stop, drifted, has_thread, discarded;
    bool damaged; /* its file: another part is built in its place */
    pthread_t thread;
    bool saved; /* the thread's: the graphs are saved since the last change */
};

struct sc_index {
    char name[SC_MOST_NAME + 1];
    /* Guarded by the service's lock. */
    struct sc_part *serving, *building; /* building: NULL = none */
    uint32_t next;                      /* the number of the next part */
    bool dropped;
    int64_t rebuilt_ms; /* since 1970: when the serving part was complete; 0 = it is not yet */
};

struct sc_service {
    const char *folder;
    bool additive_only, plan_only, vectors;
    uint64_t most_index; /* bytes of an index, or of one that is being built; 0 = any */
    pthread_mutex_t lock;
    struct sc_index *indexes[SC_MOST_INDEXES]; /* in the order of names; never removed but by sc_service_drop */
    uint32_t nindexes;
    uint64_t generation; /* of the catalog */
    char identity[17];   /* of the folder */
    int folder_lock;
    pthread_mutex_t apply; /* held by who changes the catalog */
    /* Looks for drift. */
    pthread_t watcher;
    pthread_cond_t wake;
    bool stop, has_watcher;
};

/* Opens the folder and begins all pipelines. CELL_UNAVAILABLE: another process has it. */
int sc_service_open(struct sc_service *service, struct search_failure *f);
void sc_service_close(struct sc_service *service); /* nobody may be calling any more */

/* ---- the catalog ---- */

/* A reference to the definition that was declared last; NULL: there is no such index. */
struct sc_definition *sc_service_declared(struct sc_service *service, const char *name);
/* The same of the part that serves. */
struct sc_definition *sc_service_serving(struct sc_service *service, const char *name);
uint64_t sc_service_generation(struct sc_service *service);
/* Makes the index, or begins to build a part of that definition. Once it returns it will happen, whatever dies. */
int sc_service_declare(struct sc_service *service, struct sc_definition *definition, struct search_failure *f);
/* CELL_NOT_FOUND. */
int sc_service_drop(struct sc_service *service, const char *name, struct search_failure *f);

/* catalog.c: NAME.json. With the service's lock. */
int sc_catalog_save(struct sc_service *service, const struct sc_index *index, struct search_failure *f);
int sc_catalog_forget(struct sc_service *service, const char *name);
int sc_catalog_load(struct sc_service *service, struct search_failure *f);
int sc_catalog_lock(struct sc_service *service, struct search_failure *f);
/* Removes the files of a part. */
void sc_catalog_erase(struct sc_service *service, const char *name, uint32_t number);
void sc_catalog_path(const struct sc_service *service, const char *name, uint32_t number, char *path, size_t size);

/* ---- parts ---- */

/* Opens its file; it has no thread yet. Takes a reference to the definition. */
int sc_part_open(struct sc_service *service, struct sc_index *owner, uint32_t number, struct sc_definition *definition,
                 struct sc_part **part, struct search_failure *f);
int sc_part_begin(struct sc_part *part, struct sc_service *service, struct search_failure *f);
/* Empties it: its file is made anew. By its own thread, for a part that nobody reads. */
int sc_part_reset(struct sc_service *service, struct sc_part *part, struct search_failure *f);
/* Ends its thread, waits for who reads, and closes its file; without the service's lock. NULL is accepted. */
void sc_part_close(struct sc_part *part);
/* Somebody has read what the file cannot have: all is read again, into another one. */
void sc_part_damaged(struct sc_part *part);
void sc_part_progress(struct sc_part *part, struct sc_progress *progress);

/* A reader of the part that serves; other readers are not in its way. CELL_NOT_FOUND, CELL_NO_MEMORY. */
int sc_reader_take(struct sc_service *service, const char *name, struct sc_part **part, struct search_reader **reader,
                   struct search_failure *f);
void sc_reader_give(struct sc_part *part, struct search_reader *reader);

/* Pauses that somebody may end, by a clock that nobody sets: initialises the condition, and waits for it with the lock
 * held, at most `ms` milliseconds. May return early. */
void sc_cond_init(pthread_cond_t *cond);
void sc_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t ms);

/* pipeline.c: what a part's thread does. */
void sc_pipeline_run(struct sc_service *service, struct sc_part *part);

/* service.c, for the pipeline. The part is complete: if it was being built, it serves from now on. */
void sc_service_complete(struct sc_service *service, struct sc_part *part);
/* The part cannot go on from where it is: another one is built from the beginning. */
int sc_service_rebuild(struct sc_service *service, struct sc_part *part, struct search_failure *f);

/* ---- what compilers ask ---- */

extern const char sc_verbs[];
int sc_expand(cell_ctx *c, cell_str request, cell_str *document);
int sc_state(cell_ctx *c, cell_str *token);
int sc_apply(cell_ctx *c, cell_str request, cell_str *reply);

/* ---- methods that programs bring with them ---- */

extern const struct cell_bound_ops sc_bound_ops;

/* Hands *f to the caller of the handler that runs on `c`: a place in a query as the detail "query-place", "AT COUNT".
 * Returns f->status. */
int sc_answer_failure(cell_ctx *c, const struct search_failure *f);

#endif
