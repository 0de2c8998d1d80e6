/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Tables of groups: places with open addressing, entries in chunks that never move. */
#include <stdlib.h>

#include "aggregator_impl.h"

#define LEAST_BITS 4

struct an_pane *an_pane_new(int64_t begin_us)
{
    struct an_pane *pane = calloc(1, sizeof(*pane));

    if (pane)
        pane->begin_us = begin_us;
    return pane;
}

static void free_sketches(const struct an_aggregator *a, const struct an_entry *entry)
{
    void *sketch;

    for (uint32_t i = 0; i < a->nparts; i++)
        if (a->parts[i].kind == PART_QUANTILES || a->parts[i].kind == PART_DISTINCT) {
            memcpy(&sketch, an_part_at(entry, &a->parts[i]), sizeof(sketch));
            free(sketch);
        }
}

void an_pane_free(const struct an_aggregator *a, struct an_pane *pane)
{
    if (!pane)
        return;
    for (uint32_t i = 0; i < pane->count; i++)
        free_sketches(a, an_pane_entry(a, pane, i));
    for (uint32_t i = 0; i < pane->nchunks; i++)
        free(pane->chunks[i]);
    free(pane->chunks);
    free(pane->table);
    free(pane->pending);
    free(pane);
}

/* Places are in the order of the hashes' upper bits, so that growing goes through both tables from one end to the
 * other. */
static bool grow(struct an_pane *pane)
{
    uint32_t bits = pane->table ? pane->bits + 1 : LEAST_BITS;
    uint64_t *table = bits < 32 ? calloc(UINT64_C(1) << bits, sizeof(*table)) : NULL;
    uint64_t mask = (UINT64_C(1) << bits) - 1;

    if (!table)
        return false;
    for (uint64_t i = 0; pane->table && i < UINT64_C(1) << pane->bits; i++) {
        uint64_t slot = pane->table[i];
        if (slot == 0)
            continue;
        uint64_t at = slot >> (64 - bits);
        while (table[at])
            at = (at + 1) & mask;
        table[at] = slot;
    }
    free(pane->table);
    pane->table = table;
    pane->bits = bits;
    return true;
}

static bool add_chunk(const struct an_aggregator *a, struct an_pane *pane)
{
    uint8_t **chunks = realloc(pane->chunks, (pane->nchunks + 1) * sizeof(*chunks));

    if (!chunks)
        return false;
    pane->chunks = chunks;
    chunks[pane->nchunks] = malloc((size_t)CHUNK * a->entry_bytes);
    return chunks[pane->nchunks] && ++pane->nchunks;
}

/* The place of a key, or the free one where it would be. The table has one. */
static uint64_t place_of(const struct an_aggregator *a, const struct an_pane *pane, const void *key, uint64_t hash)
{
    uint64_t mask = (UINT64_C(1) << pane->bits) - 1, at = hash >> (64 - pane->bits);

    for (;; at = (at + 1) & mask) {
        uint64_t slot = pane->table[at];
        if (slot == 0 || (slot >> 32 == hash >> 32 &&
                          memcmp(an_pane_entry(a, pane, (uint32_t)slot - 1) + 1, key, a->key_bytes) == 0))
            return at;
    }
}

uint32_t an_pane_find(const struct an_aggregator *a, const struct an_pane *pane, const void *key, uint64_t hash)
{
    uint64_t slot = pane->table ? pane->table[place_of(a, pane, key, hash)] : 0;

    return (uint32_t)slot - 1; /* UINT32_MAX when there is none */
}

static void clear_entry(const struct an_aggregator *a, struct an_entry *entry, const void *key)
{
    memset(entry, 0, a->entry_bytes);
    memcpy(entry + 1, key, a->key_bytes);
}

uint32_t an_pane_take(const struct an_aggregator *a, struct an_pane *pane, const void *key, uint64_t hash)
{
    if ((!pane->table || pane->count >= (UINT64_C(1) << pane->bits) / 5 * 4) && !grow(pane))
        return UINT32_MAX;
    uint64_t at = place_of(a, pane, key, hash);
    if (pane->table[at])
        return (uint32_t)pane->table[at] - 1;
    if (pane->count == UINT32_MAX - 1 || (pane->count == pane->nchunks * CHUNK && !add_chunk(a, pane)))
        return UINT32_MAX;
    clear_entry(a, an_pane_entry(a, pane, pane->count), key);
    pane->table[at] = (hash >> 32 << 32) | (pane->count + 1);
    return pane->count++;
}

void an_pane_prefetch_entry(const struct an_aggregator *a, const struct an_pane *pane, uint64_t hash)
{
    if (!pane->table)
        return;
    uint64_t mask = (UINT64_C(1) << pane->bits) - 1, at = hash >> (64 - pane->bits);
    for (int i = 0; i < 8 && pane->table[at]; i++, at = (at + 1) & mask)
        if (pane->table[at] >> 32 == hash >> 32) {
            const uint8_t *entry = (const uint8_t *)an_pane_entry(a, pane, (uint32_t)pane->table[at] - 1);
            __builtin_prefetch(entry, 1);
            __builtin_prefetch(entry + a->entry_bytes - 1, 1);
            return;
        }
}
