/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Memory of one pane: blocks of a few sizes, cut from slabs that are given back together. Slabs grow from 16 KiB to
 * 8 MiB, and those of 2 MiB and more ask for huge pages: a million groups are on 40,000 pages of 4 KiB, more than the
 * processor's table of them has entries, and every access would look up its page in memory first.
 *
 * Not thread-safe. All zeros is an empty one.
 */
#ifndef CELLS_ANALYTICS_POOL_H
#define CELLS_ANALYTICS_POOL_H

#include <stddef.h>
#include <stdint.h>

#define AN_POOL_LEAST 32u
#define AN_POOL_CLASSES 28 /* 32, 48, 64, 96 … 384 KiB */
#define AN_POOL_MOST (384u << 10)

struct an_slab {
    struct an_slab *next;
    void *memory;
};

struct an_pool {
    struct an_slab *slabs;
    uint8_t *at; /* in the newest slab */
    size_t left, slab_bytes;
    void *free[AN_POOL_CLASSES]; /* linked by their first word */
    uint64_t taken;              /* bytes that are in use */
};

/* What a block for so many bytes has; at most AN_POOL_MOST. */
uint32_t an_pool_size(uint32_t bytes);
/* A block, aligned to 16 bytes, of any content; NULL: memory is short. */
void *an_pool_take(struct an_pool *pool, uint32_t bytes);
/* Gives back a block that was taken for so many bytes (or has them). NULL is accepted. */
void an_pool_give(struct an_pool *pool, void *block, uint32_t bytes);
/* Memory that stays until the end, of any size, aligned to a cache line. */
void *an_pool_keep(struct an_pool *pool, size_t bytes);
void an_pool_free(struct an_pool *pool);

#endif
