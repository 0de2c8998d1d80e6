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

/* Entries of one window, or of a slide of it; or of all time. */
struct an_pane {
    int64_t begin_us;
    uint32_t count, bits; /* entries; the table has 1 << bits places */
    uint64_t *table;      /* upper half: of the hash, lower half: number of the entry + 1, 0 = free */
    uint8_t **chunks;
    uint32_t nchunks;
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
    bool failed; /* memory was short */
};

struct an_aggregator {
    struct an_plan plan;
    uint32_t key_bytes, entry_bytes, nparts;
    struct an_part parts[2 * AN_MOST_AGGREGATES];
    uint32_t part_of[AN_MOST_AGGREGATES];     /* aggregate → part */
    struct an_pane *panes[AN_MOST_PANES + 1]; /* by begin_us */
    uint32_t npanes;
    struct an_counters counters;
    uint64_t sketch_bytes;
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

struct an_pane *an_pane_new(int64_t begin_us);
void an_pane_free(const struct an_aggregator *a, struct an_pane *pane);
/* The entry of a key, made when it is missing; UINT32_MAX: memory is short. */
uint32_t an_pane_take(const struct an_aggregator *a, struct an_pane *pane, const void *key, uint64_t hash);
uint32_t an_pane_find(const struct an_aggregator *a, const struct an_pane *pane, const void *key, uint64_t hash);
static inline void an_pane_prefetch(const struct an_pane *pane, uint64_t hash)
{
    if (pane->table)
        __builtin_prefetch(&pane->table[hash >> (64 - pane->bits)]);
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

bool an_entry_add(struct an_aggregator *a, struct an_entry *entry, const void *record);
bool an_entry_merge(const struct an_aggregator *a, struct an_entry *to, const struct an_entry *from);

static inline void *an_part_at(const struct an_entry *entry, const struct an_part *part)
{
    return (uint8_t *)entry + part->offset;
}

/* Saves a chunk before it changes. */
void an_save_chunk(struct an_aggregator *a, struct an_pane *pane, uint32_t chunk);
/* All of the pane that is to be saved yet: it is going. */
void an_save_pane(struct an_aggregator *a, struct an_pane *pane);

#endif
