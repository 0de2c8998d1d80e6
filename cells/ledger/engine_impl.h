/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Between the files of the engine. */
#ifndef CELLS_LEDGER_ENGINE_IMPL_H
#define CELLS_LEDGER_ENGINE_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine.h"
#include "snapshot.h"

struct lg_engine {
    struct lg_engine_options options;
    char *folder;
    struct cell_journal *journal;
    struct lg_archive *archive;
    struct lg_cursor *cursor; /* the book's, for ids that come again */
    pthread_mutex_t lock;     /* of the book */
    struct lg_book book;

    pthread_mutex_t snapshot_lock; /* one at a time */
    pthread_mutex_t keeper_lock;   /* of what follows */
    pthread_cond_t wake;
    pthread_t keeper;
    bool has_keeper, stops;
    bool dirty;                 /* something may not be durable that nobody waits for */
    uint64_t snapshot;          /* the sequence of the newest */
    uint64_t told;              /* how far the ledger is */
    uint64_t next_snapshot;     /* when it is as far as this */
    _Atomic uint64_t tell_from; /* calls tell it when they are as far as this */
};

/* start.c: makes the book from snapshot, tags and journal. */
int lg_engine_start(struct lg_engine *e, struct lg_failure *f);

/* keeper.c: the thread that syncs what nobody waits for and writes snapshots. */
int lg_keeper_start(struct lg_engine *e, struct lg_failure *f);
void lg_keeper_stop(struct lg_engine *e);
/* Records have come. */
void lg_keeper_aim(struct lg_engine *e); /* the lock is held */
void lg_keeper_tell(struct lg_engine *e, uint64_t sequence);

#endif
