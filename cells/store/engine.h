/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Collections of records in one LMDB environment: keys, indexes, snapshots and a feed of changes for each. Nothing here
 * knows of calls. Every function may be called by several threads at the same time, but where it says otherwise.
 *
 * Each change of a collection has a number, from 1 on without a gap, which is also the version of the record that it
 * has left behind. What a write has returned CELL_OK for is on the disk, as `lazy` says, with its change.
 */
#ifndef CELLS_STORE_ENGINE_H
#define CELLS_STORE_ENGINE_H

#include "codec.h"
#include "key.h"

struct st_engine;

struct st_engine_options {
    const char *path;   /* a folder of its own, which is made when it is not there */
    uint64_t max_bytes; /* the greatest size of the data file; 0 = 64 GiB. Address space, not memory or disk */
    bool lazy;          /* false: a write is on the disk when it returns. true: a crash of the system may undo the
                         * writes since the last sync, in their order; nothing is torn */
    int64_t sync_ms;    /* with lazy: how often; 0 = 1000 */
    /* How much of a feed is kept, of each collection; 0 = no limit. What exceeds one of them goes, oldest first. */
    uint64_t feed_changes, feed_bytes;
    int64_t feed_age_ms;
    /* Behind the newest so many changes, those that a later change has overtaken lose what they hold; 0 = never. */
    uint64_t feed_whole;
    uint64_t cache_bytes;    /* memory for places of records that were read, see cache.h; 0 = none */
    int64_t most_lease_ms;   /* 0 = 10 minutes */
    uint32_t most_snapshots; /* at once; 0 = 32 */
    int64_t pause_ms;        /* of the background thread, while there is nothing to do; 0 = 500 */
    const char *boot;        /* which run of the system this is; NULL = as the kernel says */
};

/* CELL_UNAVAILABLE: another process has it open. CELL_DATA_LOSS: it is none, or of another version. CELL_IO_ERROR, … */
int st_engine_open(const struct st_engine_options *options, struct st_engine **engine, struct st_failure *f);
/* Nobody may use it any more. NULL is accepted. */
void st_engine_close(struct st_engine *engine);
/* Everything that was written is on the disk afterwards, also when `lazy`. */
int st_engine_sync(struct st_engine *engine, struct st_failure *f);
#define ST_TOKEN_SIZE 33 /* 32 hex digits and a NUL: nobody can guess it */
/* A token of this store and no other one, and another one when changes that were seen may be lost; and one of its
 * catalog, another one whenever that has changed. */
const char *st_engine_identity(const struct st_engine *engine);
void st_engine_stamp(struct st_engine *engine, char stamp[ST_TOKEN_SIZE]);

/* ---- collections ---- */

struct st_collection; /* as long as the engine */

/* NULL: there is none. */
struct st_collection *st_collection_find(struct st_engine *engine, const char *name);
/* A reference, to be given back with st_schema_unref. */
struct st_schema *st_collection_schema(struct st_collection *collection);
uint32_t st_collection_space(const struct st_collection *collection);
/* The i-th by no order; NULL behind the last. */
struct st_collection *st_collection_at(struct st_engine *engine, size_t i);

/* The catalog's document; a new reference, or NULL: there is none, or memory is short. */
json_t *st_catalog_get(struct st_engine *engine, const char *name);
/* Whoever reads the catalog to change it holds this meanwhile. */
void st_catalog_lock(struct st_engine *engine);
void st_catalog_unlock(struct st_engine *engine);
/*
 * Writes a collection's document, which makes or replaces it; in it a "space" of 0, of the collection and its indexes,
 * is replaced by a new one. Spaces that it had and has no more are emptied in the background, and indexes that it says
 * are building are built. With the lock above. CELL_OK once it holds.
 */
int st_catalog_put(struct st_engine *engine, json_t *document, struct st_failure *f);

/* ---- writing ---- */

enum st_write_kind { ST_PUT, ST_DELETE };

struct st_write {
    enum st_write_kind kind;
    struct st_bytes key;  /* with its space: st_key_begin and st_key_of */
    struct st_bytes body; /* of a put */
    /* Of a put: the program's, when it does not know all fields; those that it does not know keep their values. */
    const struct st_codec *codec;
    bool check; /* only when the record has this version; 0: when there is none */
    uint64_t expected;
    uint64_t version; /* out: the number of the change */
    bool existed;     /* out: there was one before */
};

/*
 * All of them or none, in their order. Writes of several threads share a commit. CELL_NOT_FOUND (a delete, or a version
 * of what is not there), CELL_ALREADY_EXISTS (of a unique index, or what should not be there), CELL_ABORTED (another
 * version), CELL_TOO_LARGE (an index's key), CELL_RESOURCE_EXHAUSTED (disk or map are full), CELL_IO_ERROR, …
 */
int st_engine_write(struct st_engine *engine, struct st_collection *collection, struct st_write *writes, uint32_t n,
                    struct st_failure *f);

/* The beginning of a key of that space. */
static inline void st_key_begin(struct st_buffer *key, uint32_t space) { st_put_be32(key, space); }

/* The key of a record in an index: of a unique one without the record's own, unless a field is absent. */
int st_index_key(const struct st_index *index, struct st_bytes body, struct st_bytes record_key, struct st_buffer *key,
                 struct st_failure *f);

/* ---- reading ---- */

/* One state of the whole store, for the thread that has begun it, and only for a short time: no page that it sees is
 * used again meanwhile. */
struct st_view {
    struct st_engine *engine;
    void *txn;
    struct st_snapshot *snapshot;
};
/* `token` (NULL = the newest state) names a snapshot. CELL_FAILED_PRECONDITION: there is no such one any more. */
int st_view_begin(struct st_engine *engine, const char *token, struct st_view *view, struct st_failure *f);
void st_view_end(struct st_view *view);

struct st_stat {
    uint64_t count;      /* records */
    uint64_t last;       /* the number of the last change; 0: there was none */
    uint64_t first;      /* the oldest change in the feed; last + 1: it has none */
    uint64_t feed_bytes; /* of the changes in the feed */
    uint64_t thinned;    /* up to this one, changes that were overtaken hold nothing any more */
};
int st_view_stat(const struct st_view *view, const struct st_collection *collection, struct st_stat *stat,
                 struct st_failure *f);

/* A record. What it refers to lives until the view ends. */
struct st_found {
    struct st_bytes key; /* by which it was found, with the space: of the record or the index */
    uint64_t version;
    struct st_bytes body;
};
/* By the record's key, or that of a unique index (`index`). CELL_NOT_FOUND. */
int st_view_get(const struct st_view *view, struct st_bytes key, bool index, struct st_found *found,
                struct st_failure *f);

struct st_range {
    struct st_bytes from; /* the first key that counts, with its space */
    struct st_bytes to;   /* the first that does not any more */
    bool index;           /* keys of an index */
    bool descending;
};
/* Those in the range, until `each` returns another value than 1, which is returned; 0 at the end. */
typedef int st_found_fn(void *user, const struct st_found *found);
int st_view_scan(const struct st_view *view, const struct st_range *range, st_found_fn *each, void *user,
                 struct st_failure *f);

/* ---- snapshots ---- */

/* Keeps the state of this moment until nobody has used it for lease_ms (0 or too much: the most). *lease_ms becomes
 * what it got. CELL_RESOURCE_EXHAUSTED. */
int st_snapshot_take(struct st_engine *engine, int64_t *lease_ms, char token[ST_TOKEN_SIZE], struct st_failure *f);
/* CELL_NOT_FOUND. */
int st_snapshot_release(struct st_engine *engine, const char *token, struct st_failure *f);

/* ---- the feed ---- */

enum st_change_kind {
    ST_CHANGE_PUT,
    ST_CHANGE_DELETE,   /* its body has the fields of the key only */
    ST_CHANGE_OVERTAKEN /* as DELETE; a later change of the same record follows, or the feed begins behind it */
};
struct st_change {
    uint64_t number;
    enum st_change_kind kind;
    int64_t at_us; /* since 1970 */
    struct st_bytes body;
};
typedef int st_change_fn(void *user, const struct st_change *change);
/* Those behind number `after`, until `each` returns another value than 1, which is returned; 0 at the end.
 * CELL_OUT_OF_RANGE: some of these are not kept any more, or `after` has never been. */
int st_view_changes(const struct st_view *view, const struct st_collection *collection, uint64_t after,
                    st_change_fn *each, void *user, struct st_failure *f);
/* Waits until there is a change behind `after`, and not longer than that. True: there is one. */
bool st_feed_wait(struct st_engine *engine, struct st_collection *collection, uint64_t after, int64_t timeout_ms);

/* ---- work in the background ---- */

struct st_progress {
    bool running;
    uint64_t done, all; /* records */
};
/* Of the index, or with NULL of taking out the fields that are gone. */
void st_background_progress(struct st_engine *engine, struct st_collection *collection, const char *index,
                            struct st_progress *progress);
/* Waits until there is no such work any more, and not longer than that. True: there is none. */
bool st_background_wait(struct st_engine *engine, int64_t timeout_ms);

#endif
