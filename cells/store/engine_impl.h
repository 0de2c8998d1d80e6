/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the files of the engine share. */
#ifndef CELLS_STORE_ENGINE_IMPL_H
#define CELLS_STORE_ENGINE_IMPL_H

#include <limits.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "engine.h"

#define ST_FORMAT "1"
#define ST_MOST_BATCH 256 /* requests that share a commit */
#define ST_IDLE_READERS 32

struct st_collection {
    struct st_engine *engine;
    const char *name; /* of its first schema, and so of all */
    uint32_t space;
    struct st_schema *schema, *first; /* the current one changes with engine->lock held, by the writer only */
    struct st_stat stat;              /* as committed; with engine->lock */
    struct st_stat work;              /* of the transaction that is being written; the writer's */
    bool touched;                     /* the same */
    uint32_t added;                   /* changes of that transaction */
};

struct st_request;
/* Runs in a write transaction of its batch; `done`, when it is committed, before anybody else writes. */
typedef int st_work_fn(struct st_engine *e, MDB_txn *txn, void *user, struct st_failure *f);
struct st_request {
    struct st_collection *collection;
    struct st_write *writes;
    uint32_t n;
    st_work_fn *work;
    void (*done)(struct st_engine *e, void *user);
    void *user;
    int r;
    bool complete;
    struct st_failure f;
    pthread_cond_t wake;
    struct st_request *next;
};

struct st_snapshot {
    char token[ST_TOKEN_SIZE];
    MDB_txn *txn;
    int64_t lease_ms, expires_ms;
    uint32_t users; /* who reads or waits to; with engine->lock */
    bool released;
    pthread_mutex_t turn; /* one thread reads at a time */
    struct st_snapshot *next;
};

/* A transaction that nobody reads in; `begun`: it sees the last commit, else it has to be renewed. */
struct st_reader {
    MDB_txn *txn;
    bool begun;
};

/* What the background thread is at. */
struct st_job {
    struct st_collection *collection;
    uint32_t space; /* of the index that is built; 0: fields that are gone are taken out */
    uint64_t done;
    struct st_buffer at; /* the last key that was dealt with */
};

struct st_engine {
    struct st_engine_options options;
    char identity[ST_TOKEN_SIZE];
    bool settles; /* it was run lazily: st_identity_settle at its end */
    int lock_file;
    MDB_env *env;
    MDB_dbi meta, data, feed;
    pthread_mutex_t lock; /* of all below, but where it says otherwise; never held while a transaction is written */
    struct st_collection **collections;
    size_t ncollections, room;
    char stamp[ST_TOKEN_SIZE];
    /* writing */
    struct st_request *first, **last;
    bool leading;
    /* reading */
    struct st_cache *cache; /* NULL: none. Without the lock */
    struct st_reader idle[ST_IDLE_READERS];
    uint32_t nidle;
    bool writing;     /* from before a write transaction begins until it is over */
    size_t committed; /* the last one that LMDB has, as mdb_txn_id says it; not while one is written */
    struct st_snapshot *snapshots;
    uint32_t nsnapshots;
    /* the feed */
    pthread_cond_t changed;
    /* the background */
    pthread_mutex_t catalog;
    pthread_t thread;
    bool has_thread, working;
    atomic_bool ending;
    pthread_cond_t work, rest;
    struct st_job job;
};

/* What LMDB says. CELL_OK for MDB_SUCCESS. */
int st_fail_mdb(struct st_engine *e, struct st_failure *f, int rc, const char *doing);
static inline MDB_val st_val(struct st_bytes b) { return (MDB_val){b.n, (void *)(uintptr_t)b.p}; }
static inline struct st_bytes st_of_val(MDB_val v) { return (struct st_bytes){v.mv_data, v.mv_size}; }
int st_random_token(char token[ST_TOKEN_SIZE]);

/* The catalog's keys in `meta`. */
void st_meta_key(uint8_t key[5], char kind, uint32_t space); /* 's': stat, 'g': a space to be emptied */
int st_stat_read(struct st_engine *e, MDB_txn *txn, uint32_t space, struct st_stat *stat, struct st_failure *f);
int st_stat_write(struct st_engine *e, MDB_txn *txn, uint32_t space, const struct st_stat *stat, struct st_failure *f);
/* The catalog as it is on the disk. */
int st_catalog_load(struct st_engine *e, MDB_txn *txn, struct st_failure *f);

/* Around a write transaction, for no reader may be kept begun while there is one. go_on: with the lock. */
void st_readers_rest(struct st_engine *e);
void st_readers_go_on(struct st_engine *e);

/* Runs `work` in a write transaction, then `done`. */
int st_engine_work(struct st_engine *e, st_work_fn *work, void (*done)(struct st_engine *e, void *user), void *user,
                   struct st_failure *f);

/* apply.c: within a write transaction. *dirty: something was written before it failed. */
void st_touch(struct st_collection *c);
int st_apply_writes(struct st_engine *e, MDB_txn *txn, struct st_collection *c, struct st_write *writes, uint32_t n,
                    bool *dirty, struct st_failure *f);
/* feed.c: within a write transaction, of a collection that was touched. */
int st_feed_append(struct st_engine *e, MDB_txn *txn, struct st_collection *c, enum st_change_kind kind,
                   struct st_bytes body, struct st_failure *f);
/* Takes up to `most` of the oldest changes away that are too many, or too old. *more: there may be more. */
int st_feed_trim(struct st_engine *e, MDB_txn *txn, struct st_collection *c, uint32_t most, bool *more,
                 struct st_failure *f);
int st_feed_thin(struct st_engine *e, MDB_txn *txn, struct st_collection *c, uint32_t most, bool *more,
                 struct st_failure *f);
bool st_feed_is_too_long(const struct st_engine *e, const struct st_stat *stat);

/* Fields of the key alone. */
int st_key_body(const struct st_schema *schema, struct st_bytes body, struct st_buffer *only, struct st_failure *f);

/* folder.c. The file is made under the name that st_folder_new_file gives, and gets its own with
 * st_folder_keep_new_file; st_folder_sync lets the names last. */
int st_folder_lock(struct st_engine *e, struct st_failure *f);
bool st_folder_has_data(struct st_engine *e);
void st_folder_new_file(struct st_engine *e, char path[PATH_MAX]);
int st_folder_keep_new_file(struct st_engine *e, struct st_failure *f);
int st_folder_sync(struct st_engine *e, struct st_failure *f);

/* identity.c: reads it, or makes it; and what is to be done when a lazy store is closed. */
int st_identity_read(struct st_engine *e, MDB_txn *txn, struct st_failure *f);
void st_identity_settle(struct st_engine *e);

void st_snapshots_expire(struct st_engine *e);
void st_snapshots_free(struct st_engine *e);
MDB_txn *st_reader_take(struct st_engine *e, int *rc);
void st_reader_give(struct st_engine *e, MDB_txn *txn);

int st_background_start(struct st_engine *e, struct st_failure *f);
void st_background_stop(struct st_engine *e);
void st_background_wake(struct st_engine *e); /* with the lock */

#endif
