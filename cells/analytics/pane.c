/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Tables of groups: places with open addressing, entries in chunks that never move. */
#include <stdlib.h>

#include "aggregator_impl.h"

#define LEAST_BITS 4
#define MOST_BITS 13
#define MOST_DEPTH 20 /* the bits of the hash's upper half that do not tell the place; for 4 billion groups */

struct an_pane *an_pane_new(int64_t begin_us)
{
    struct an_pane *pane = calloc(1, sizeof(*pane));

    if (pane)
        pane->begin_us = begin_us;
    return pane;
}

void an_pane_free(struct an_pane *pane)
{
    if (!pane)
        return;
    an_pool_free(&pane->pool);
    free(pane->parts);
    free(pane->chunks);
    free(pane->pending);
    free(pane);
}

/* ---- the table ---- */

static uint32_t part_bytes(uint32_t bits) { return (uint32_t)sizeof(uint64_t) << bits; }

static uint64_t *take_places(struct an_pane *pane, uint32_t bits)
{
    uint64_t *places = an_pool_take(&pane->pool, part_bytes(bits));

    if (places) {
        memset(places, 0, part_bytes(bits));
        pane->table_bytes += part_bytes(bits);
    }
    return places;
}

static void give_places(struct an_pane *pane, uint64_t *places, uint32_t bits)
{
    if (places) {
        an_pool_give(&pane->pool, places, part_bytes(bits));
        pane->table_bytes -= part_bytes(bits);
    }
}

static void put_place(uint64_t *places, uint32_t bits, uint64_t place)
{
    uint64_t mask = (UINT64_C(1) << bits) - 1, at = place >> 32 & mask;

    while (places[at])
        at = (at + 1) & mask;
    places[at] = place;
}

/* The only part there is, with twice the places. */
static bool grow_part(struct an_pane *pane)
{
    uint32_t bits = pane->bits ? pane->bits + 1 : LEAST_BITS;
    uint64_t *places = take_places(pane, bits), *former = pane->parts[0].places;

    if (!places)
        return false;
    for (uint64_t i = 0; former && i < UINT64_C(1) << pane->bits; i++)
        if (former[i])
            put_place(places, bits, former[i]);
    give_places(pane, former, pane->bits);
    pane->parts[0].places = places;
    pane->bits = bits;
    return true;
}

static bool double_directory(struct an_pane *pane)
{
    uint64_t n = UINT64_C(1) << pane->depth;
    struct an_table_part *parts = pane->depth < MOST_DEPTH ? realloc(pane->parts, 2 * n * sizeof(*parts)) : NULL;

    if (!parts)
        return false;
    for (uint64_t i = n; i-- > 0;)
        parts[2 * i + 1] = parts[2 * i] = parts[i];
    pane->parts = parts;
    pane->depth++;
    return true;
}

/* The first in the directory of those that are the same part as this one. */
static uint64_t first_of_part(const struct an_pane *pane, uint64_t part)
{
    return part & ~((UINT64_C(1) << (pane->depth - pane->parts[part].depth)) - 1);
}

static bool divide_part(struct an_pane *pane, uint64_t hash)
{
    uint64_t part = an_pane_part(pane, hash);

    if (pane->parts[part].depth == pane->depth && !double_directory(pane))
        return false;
    part = first_of_part(pane, an_pane_part(pane, hash));
    const struct an_table_part former = pane->parts[part];
    struct an_table_part halves[2] = {{.depth = former.depth + 1}, {.depth = former.depth + 1}};
    for (int i = 0; i < 2; i++)
        halves[i].places = take_places(pane, pane->bits);
    if (!halves[0].places || !halves[1].places) {
        for (int i = 0; i < 2; i++)
            give_places(pane, halves[i].places, pane->bits);
        return false;
    }
    for (uint64_t i = 0; i < UINT64_C(1) << pane->bits; i++) {
        uint64_t place = former.places[i];
        struct an_table_part *half = &halves[place >> (63 - former.depth) & 1];
        if (place) {
            put_place(half->places, pane->bits, place);
            half->used++;
        }
    }
    give_places(pane, former.places, pane->bits);
    uint64_t same = UINT64_C(1) << (pane->depth - former.depth);
    for (uint64_t i = 0; i < same; i++)
        pane->parts[part + i] = halves[i >= same / 2];
    return true;
}

/* Makes sure that the part of that hash has a free place for one more. */
static bool make_room(struct an_pane *pane, uint64_t hash)
{
    if (!pane->parts) {
        pane->parts = calloc(1, sizeof(*pane->parts));
        if (!pane->parts)
            return false;
    }
    for (;;) {
        uint64_t part = first_of_part(pane, an_pane_part(pane, hash));
        if (pane->bits && pane->parts[part].used < (UINT32_C(1) << pane->bits) / 5 * 4)
            return true;
        if (pane->bits < MOST_BITS ? !grow_part(pane) : !divide_part(pane, hash))
            return false;
    }
}

static bool is_key(const struct an_aggregator *a, const struct an_entry *entry, const void *key)
{
    const uint64_t *words = (const uint64_t *)(entry + 1);
    bool same = true;

    for (uint32_t i = 0; i < a->key_bytes / 8; i++)
        same = same && words[i] == ((const uint64_t *)key)[i];
    return same;
}

/* The place of a key, or the free one where it would be. The table has one. */
static uint64_t *place_of(const struct an_aggregator *a, const struct an_pane *pane, const void *key, uint64_t hash)
{
    uint64_t mask = (UINT64_C(1) << pane->bits) - 1, at = hash >> 32 & mask;
    uint64_t *places = pane->parts[an_pane_part(pane, hash)].places;

    for (;; at = (at + 1) & mask) {
        uint64_t place = places[at];
        if (place == 0 || (place >> 32 == hash >> 32 && is_key(a, an_pane_entry(a, pane, (uint32_t)place - 1), key)))
            return &places[at];
    }
}

/* ---- entries ---- */

static bool add_chunk(const struct an_aggregator *a, struct an_pane *pane)
{
    uint8_t **chunks = realloc(pane->chunks, (pane->nchunks + 1) * sizeof(*chunks));

    if (!chunks)
        return false;
    pane->chunks = chunks;
    chunks[pane->nchunks] = an_pool_keep(&pane->pool, (size_t)CHUNK * a->entry_bytes);
    return chunks[pane->nchunks] && ++pane->nchunks;
}

uint32_t an_pane_find(const struct an_aggregator *a, const struct an_pane *pane, const void *key, uint64_t hash)
{
    uint64_t place = pane->bits ? *place_of(a, pane, key, hash) : 0;

    return (uint32_t)place - 1; /* UINT32_MAX when there is none */
}

uint32_t an_pane_take(const struct an_aggregator *a, struct an_pane *pane, const void *key, uint64_t hash)
{
    uint64_t *place = pane->bits ? place_of(a, pane, key, hash) : NULL;

    if (place && *place)
        return (uint32_t)*place - 1;
    if (pane->count == UINT32_MAX - 1 || (pane->count == pane->nchunks * CHUNK && !add_chunk(a, pane)) ||
        !make_room(pane, hash))
        return UINT32_MAX;
    put_place(pane->parts[an_pane_part(pane, hash)].places, pane->bits, (hash >> 32 << 32) | (pane->count + 1));
    pane->parts[first_of_part(pane, an_pane_part(pane, hash))].used++;
    struct an_entry *entry = an_pane_entry(a, pane, pane->count);
    memset(entry, 0, a->entry_bytes);
    memcpy(entry + 1, key, a->key_bytes);
    return pane->count++;
}

void an_pane_prefetch_entry(const struct an_aggregator *a, const struct an_pane *pane, uint64_t hash)
{
    if (!pane->bits)
        return;
    uint64_t mask = (UINT64_C(1) << pane->bits) - 1, at = hash >> 32 & mask;
    const uint64_t *places = pane->parts[an_pane_part(pane, hash)].places;
    for (int i = 0; i < 8 && places[at]; i++, at = (at + 1) & mask)
        if (places[at] >> 32 == hash >> 32) {
            const uint8_t *entry = (const uint8_t *)an_pane_entry(a, pane, (uint32_t)places[at] - 1);
            __builtin_prefetch(entry, 1);
            __builtin_prefetch(entry + a->entry_bytes - 1, 1);
            return;
        }
}
