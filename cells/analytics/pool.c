/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "pool.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#define LINE 64u
#define LEAST_SLAB ((size_t)16 << 10)
#define MOST_SLAB ((size_t)8 << 20)
#define HUGE_PAGE ((size_t)2 << 20)

/* Classes are the powers of two from 32 on, and one and a half of each. */
static uint32_t class_of(uint32_t bytes)
{
    if (bytes <= AN_POOL_LEAST)
        return 0;
    uint32_t bits = 31 - (uint32_t)__builtin_clz(bytes - 1); /* 1 << bits < bytes <= 2 << bits */
    return (bits - 5) * 2 + (bytes <= (UINT32_C(3) << (bits - 1)) ? 1 : 2);
}

static uint32_t size_of(uint32_t class) { return (class & 1 ? 48u : 32u) << (class / 2); }

uint32_t an_pool_size(uint32_t bytes) { return size_of(class_of(bytes)); }

static bool add_slab(struct an_pool *pool, size_t bytes)
{
    size_t next = pool->slab_bytes ? pool->slab_bytes * 2 : LEAST_SLAB;
    struct an_slab *slab = malloc(sizeof(*slab));

    next = next > MOST_SLAB ? MOST_SLAB : next;
    bytes = bytes > next ? bytes : next;
    bool huge = bytes >= HUGE_PAGE;
    size_t unit = huge ? HUGE_PAGE : LINE;
    bytes = (bytes + unit - 1) / unit * unit;
    void *memory = slab ? aligned_alloc(unit, bytes) : NULL;
    if (!memory) {
        free(slab);
        return false;
    }
    if (huge)
        madvise(memory, bytes, MADV_HUGEPAGE);
    *slab = (struct an_slab){pool->slabs, memory};
    pool->slabs = slab;
    pool->slab_bytes = next;
    pool->at = memory;
    pool->left = bytes;
    return true;
}

/* Slabs and what was cut from them begin at multiples of 16 bytes. */
static void *cut(struct an_pool *pool, size_t bytes, uint32_t alignment)
{
    size_t gap = -(uintptr_t)pool->at & (alignment - 1);

    if (pool->left < gap || pool->left - gap < bytes) {
        if (!add_slab(pool, bytes))
            return NULL;
        gap = 0;
    }
    void *block = pool->at + gap;
    pool->at += gap + bytes;
    pool->left -= gap + bytes;
    return block;
}

void *an_pool_take(struct an_pool *pool, uint32_t bytes)
{
    uint32_t class = class_of(bytes);
    void **block = pool->free[class];

    if (block)
        pool->free[class] = *block;
    else
        block = cut(pool, size_of(class), 16);
    pool->taken += block ? size_of(class) : 0;
    return block;
}

void an_pool_give(struct an_pool *pool, void *block, uint32_t bytes)
{
    uint32_t class = class_of(bytes);

    if (!block)
        return;
    *(void **)block = pool->free[class];
    pool->free[class] = block;
    pool->taken -= size_of(class);
}

void *an_pool_keep(struct an_pool *pool, size_t bytes)
{
    void *memory;

    bytes = (bytes + 15) / 16 * 16;
    memory = cut(pool, bytes, LINE);
    pool->taken += memory ? bytes : 0;
    return memory;
}

void an_pool_free(struct an_pool *pool)
{
    for (struct an_slab *next; pool->slabs; pool->slabs = next) {
        next = pool->slabs->next;
        free(pool->slabs->memory);
        free(pool->slabs);
    }
    *pool = (struct an_pool){.slabs = NULL};
}
