/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A thread that writes into all memory that connections of this process share, while a real client and a real server
 * of it work: so each of them is a peer that lies. It writes through mappings of its own, as another program would.
 */
#ifndef CELL_TEST_LIAR_H
#define CELL_TEST_LIAR_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "transport/ring.h"

#define LIAR_MAPPINGS 24
#define LIAR_AT_ONCE 40u

struct liar_mapping {
    uint8_t *bytes; /* NULL: none */
    size_t size;
    unsigned long inode;
};

struct liar {
    pthread_t thread;
    uint64_t random;
    struct liar_mapping mappings[LIAR_MAPPINGS];
    unsigned next; /* the mapping that is replaced next */
    atomic_uint lies;
    atomic_bool stop;
};

static inline uint32_t liar_draw(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return (uint32_t)(*x >> 16);
}

/* Calls `found` for each mapping of shared memory that is written to. */
static inline void liar_each(struct liar *l, void (*found)(struct liar *, uintptr_t, size_t, unsigned long))
{
    char line[512], rights[5];
    unsigned long from, to, inode;
    FILE *f = fopen("/proc/self/maps", "r");
    while (f && fgets(line, sizeof(line), f))
        if (strstr(line, "/memfd:cell ") && sscanf(line, "%lx-%lx %4s %*s %*s %lu", &from, &to, rights, &inode) == 4 &&
            rights[1] == 'w')
            found(l, from, to - from, inode);
    if (f)
        fclose(f);
}

static inline struct liar_mapping *liar_find(struct liar *l, unsigned long inode)
{
    for (unsigned i = 0; i < LIAR_MAPPINGS; i++)
        if (l->mappings[i].bytes && l->mappings[i].inode == inode)
            return &l->mappings[i];
    return NULL;
}

/* A second mapping of the same pages. What was there may be gone meanwhile: liar_confirm looks what it is. */
static inline void liar_add(struct liar *l, uintptr_t from, size_t size, unsigned long inode)
{
    struct liar_mapping *m = &l->mappings[l->next % LIAR_MAPPINGS];
    if (liar_find(l, inode))
        return;
    void *bytes = mremap((void *)from, 0, size, MREMAP_MAYMOVE);
    if (bytes == MAP_FAILED)
        return;
    if (m->bytes)
        munmap(m->bytes, m->size);
    *m = (struct liar_mapping){bytes, size, 0}; /* not to be used yet */
    l->next++;
}

static inline void liar_confirm(struct liar *l, uintptr_t from, size_t size, unsigned long inode)
{
    for (unsigned i = 0; i < LIAR_MAPPINGS; i++)
        if (l->mappings[i].bytes == (uint8_t *)from && l->mappings[i].size == size)
            l->mappings[i].inode = inode;
}

/* Words at the beginning, where the indices, the slots or a message's header and references are, more often. */
static inline void liar_lie(struct liar *l)
{
    struct liar_mapping *m = &l->mappings[liar_draw(&l->random) % LIAR_MAPPINGS];
    uint32_t v = liar_draw(&l->random), byte = liar_draw(&l->random), value = liar_draw(&l->random);
    if (!m->inode)
        return;
    size_t at = byte % m->size;
    if (m->size == sizeof(struct cell_ring_region) && v % 8 == 0)
        at = 64 * (1 + byte % 4) + byte / 4 % 8;
    else if (m->size == sizeof(struct cell_ring_region) && v % 8 < 5)
        at = offsetof(struct cell_ring_region, slots) + byte % CELL_RING_SLOTS * CELL_RING_SLOT + byte / 64 % 64;
    else if (v % 8 < 7)
        at = byte % 96 + (m->size == sizeof(struct cell_ring_region) ? offsetof(struct cell_ring_region, data) : 0);
    uint8_t old = __atomic_load_n(m->bytes + at, __ATOMIC_RELAXED);
    uint8_t lie = (uint8_t)(value % 4 == 0 ? old + 1 : value % 4 == 1 ? old - 1 : value % 4 == 2 ? 0xff : value >> 8);
    __atomic_store_n(m->bytes + at, lie, __ATOMIC_RELAXED);
    atomic_fetch_add_explicit(&l->lies, 1, memory_order_relaxed);
}

static inline void *liar_run(void *arg)
{
    struct liar *l = arg;
    while (!atomic_load(&l->stop)) {
        liar_each(l, liar_add);
        liar_each(l, liar_confirm);
        for (unsigned burst = 0; burst < 16; burst++) { /* with pauses, in which something is served */
            for (uint32_t n = liar_draw(&l->random) % LIAR_AT_ONCE; n > 0; n--)
                liar_lie(l);
            usleep(liar_draw(&l->random) % 500);
        }
    }
    return NULL;
}

static inline bool liar_start(struct liar *l, uint64_t seed)
{
    *l = (struct liar){.random = seed | 1};
    return pthread_create(&l->thread, NULL, liar_run, l) == 0;
}

static inline void liar_stop(struct liar *l)
{
    atomic_store(&l->stop, true);
    pthread_join(l->thread, NULL);
    for (unsigned i = 0; i < LIAR_MAPPINGS; i++)
        if (l->mappings[i].bytes)
            munmap(l->mappings[i].bytes, l->mappings[i].size);
}

#endif
