/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Hash tables of fixed-size slots with open addressing, for what a ledger has millions of. A slot begins with its key,
 * a number that is not 0; several slots may have the same key. A table that gets full moves into one of twice the size
 * in pieces, with the reservations that follow, and that one is given its memory in pieces before, so that nothing
 * waits for all of it. By one thread at a time.
 */
#ifndef CELLS_LEDGER_TABLE_H
#define CELLS_LEDGER_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lg_slots {
    char *memory; /* NULL: none */
    uint64_t mask;
};

struct lg_table {
    uint32_t slot_size; /* bytes, a multiple of 8 */
    uint64_t seed;      /* where keys are is nobody's business */
    uint64_t count;
    struct lg_slots now, before; /* before: what is being moved from, up to `moved` */
    uint64_t moved;
    struct lg_slots next; /* what it will move into; its first `touched` bytes have memory */
    uint64_t touched;
};

void lg_table_init(struct lg_table *t, uint32_t slot_size, uint64_t seed);
void lg_table_free(struct lg_table *t);

/* Room for `n` more, and a step of moving for each of them. Pointers to slots are not valid any more. False: memory is
 * short, and nothing has changed. */
bool lg_table_reserve(struct lg_table *t, uint64_t n);
/* The first slot with this key behind `after` (NULL: from the beginning); NULL: there is none. */
void *lg_table_find(const struct lg_table *t, uint64_t key, const void *after);
/* Has the processor fetch where the key is looked for. */
void lg_table_prefetch(const struct lg_table *t, uint64_t key);
/* A new slot with this key, the rest zero. There is room (lg_table_reserve). Other slots stay where they are. */
void *lg_table_add(struct lg_table *t, uint64_t key);
/* Takes it out. Pointers to other slots are not valid any more, unless nothing was added behind it: taking back
 * additions in reverse order moves nothing. */
void lg_table_remove(struct lg_table *t, void *slot);
/* Each slot in some order: *at is 0 at first. NULL: that was all. Nothing is changed meanwhile. */
void *lg_table_each(const struct lg_table *t, uint64_t *at);
/* Bytes of memory that it occupies. */
uint64_t lg_table_bytes(const struct lg_table *t);

#endif
