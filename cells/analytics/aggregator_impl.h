/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Between the files of the aggregator. */
#ifndef CELLS_ANALYTICS_AGGREGATOR_IMPL_H
#define CELLS_ANALYTICS_AGGREGATOR_IMPL_H

#include "aggregator.h"
#include "sketch.h"

#define CHUNK_BITS 12
#define CHUNK (UINT32_C(1) << CHUNK_BITS) /* entries */
#define MOST_CHANGES (UINT64_C(1) << 16)

/* What is kept for aggregates: a mean is a sum, and two quantiles of a field are one sketch. Counts are the entry's. */
enum an_part_kind { PART_SUM, PART_REAL_SUM, PART_MIN, PART_MAX, PART_VARIANCE, PART_QUANTILES, PART_DISTINCT };

struct an_part {
    enum an_part_kind kind;
    struct an_field field;
    uint32_t offset; /* in an entry */
};

struct an_entry {
    uint64_t count;
    uint64_t tick; /* of the last change that was noted */
    /* key, parts */
};

/*
 * The groups' hash table, in parts of at most 64 KiB: one that grows up to that, and is then divided in two by another
 * bit of the hashes, as is each of those when it is full (extendible hashing: Fagin and others, 1979). So however large
 * the table is, one step of its growth moves one part.
 */
struct an_table_part {
    uint64_t *places; /* upper half: of the hash, lower half: number of the entry + 1, 0 = free */
    uint32_t used;    /* of the first of those in the directory that are the same part */
    uint32_t depth;   /* so many upper bits of the hash are the same in it */
};

/* Entries of one window, or of a slide of it; or of all time. */
struct an_pane {
    int64_t begin_us;
    uint32_t count;              /* entries */
    uint32_t bits;               /* a part has 1 << bits places; 0: there is no table yet */
    uint32_t depth;              /* 1 << depth parts, by the upper bits of the hash */
    struct an_table_part *parts; /* the directory */
    uint8_t **chunks;
    uint32_t nchunks;
    struct an_pool pool;  /* of entries, places and sketches */
    uint64_t table_bytes; /* of places */
    /* While it is saved. */
    uint8_t *pending;           /* one for each chunk: it is to be saved yet */
    uint32_t npending, to_save; /* chunks, entries */
};

/* What is saved, while it is. */
struct an_saving {
    bool active;
    uint8_t *bytes; /* that the file has not yet */
    size_t length, room;
    uint64_t pieces, entries;
    uint32_t buckets; /* of the sketch that is being written */
    bool failed;      /* memory was short */
};

struct an_aggregator {
    struct an_plan plan;
    uint64_t seed; /* of the table's hashes, so that nobody can choose keys that meet there */
    uint32_t key_bytes, entry_bytes, nparts, nsketches;
    struct an_part parts[2 * AN_MOST_AGGREGATES];
    uint32_t part_of[AN_MOST_AGGREGATES];     /* aggregate → part */
    struct an_pane *panes[AN_MOST_PANES + 1]; /* by begin_us */
    uint32_t npanes;
    struct an_counters counters;
    /* following */
    uint32_t followers;
    uint64_t tick, nchanges;
    struct an_change *changes; /* a ring of MOST_CHANGES */
    struct an_saving saving;
};

struct an_view {
    const struct an_aggregator *a;
    struct an_pane *pane;
    int64_t begin_us;
    bool own;
};

static inline struct an_entry *an_pane_entry(const struct an_aggregator *a, const struct an_pane *pane, uint32_t i)
{
    return (struct an_entry *)(pane->chunks[i >> CHUNK_BITS] + (size_t)(i & (CHUNK - 1)) * a->entry_bytes);
}

/* Of a packed key: the upper half tells the part, and what the place is compared by, the lower bits of it the place. */
static inline uint64_t an_key_hash(const struct an_aggregator *a, const void *key)
{
    const uint8_t *at = key;
    uint64_t h = a->seed, word;

    for (uint32_t n = 0; n < a->key_bytes; n += 8) {
        memcpy(&word, at + n, 8);
        unsigned __int128 product = (unsigned __int128)(h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        h = (uint64_t)(product >> 64) ^ (uint64_t)product;
    }
    h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
}

struct an_pane *an_pane_new(int64_t begin_us);
void an_pane_free(struct an_pane *pane);
/* The entry of a key, made when it is missing; UINT32_MAX: memory is short. */
uint32_t an_pane_take(const struct an_aggregator *a, struct an_pane *pane, const void *key, uint64_t hash);
uint32_t an_pane_find(const struct an_aggregator *a, const struct an_pane *pane, const void *key, uint64_t hash);
static inline uint64_t an_pane_part(const struct an_pane *pane, uint64_t hash)
{
    return hash >> 1 >> (63 - pane->depth);
}
static inline void an_pane_prefetch(const struct an_pane *pane, uint64_t hash)
{
    if (pane->bits)
        __builtin_prefetch(
            &pane->parts[an_pane_part(pane, hash)].places[hash >> 32 & ((UINT64_C(1) << pane->bits) - 1)]);
}
/* Where the entry of a key probably is. */
void an_pane_prefetch_entry(const struct an_aggregator *a, const struct an_pane *pane, uint64_t hash);

/* The pane with records of that time; NULL: there is none. */
struct an_pane *an_pane_at(const struct an_aggregator *a, int64_t time_us);
/* Makes it; NULL: memory is short. */
struct an_pane *an_pane_add(struct an_aggregator *a, int64_t begin_us);
int64_t an_pane_begin(const struct an_plan *plan, int64_t time_us);
/* Panes that begin then or earlier are not kept any more. */
int64_t an_forgotten(const struct an_aggregator *a);

/* False: memory is short. The pools are those of the entries' panes. */
bool an_entry_add(const struct an_aggregator *a, struct an_pool *pool, struct an_entry *entry, const void *record);
bool an_entry_merge(const struct an_aggregator *a, struct an_pool *pool, struct an_entry *to,
                    const struct an_entry *from);
/* What the next record changes beside the entry. */
void an_entry_prefetch(const struct an_aggregator *a, const struct an_entry *entry);

static inline void *an_part_at(const struct an_entry *entry, const struct an_part *part)
{
    return (uint8_t *)entry + part->offset;
}

/* Saves a chunk before it changes. */
void an_save_chunk(struct an_aggregator *a, struct an_pane *pane, uint32_t chunk);
/* All of the pane that is to be saved yet: it is going. */
void an_save_pane(struct an_aggregator *a, struct an_pane *pane);

#endif
