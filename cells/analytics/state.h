/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The state of an aggregator as bytes, taken piece by piece while it goes on counting: a piece is up to 4,096 groups of
 * one pane, and one that is about to change is taken first. So all pieces are of the moment at which saving began.
 *
 * Little-endian, every part a multiple of 8 bytes:
 *
 *   head    "CELLAGG2"; u32 CRC-32 of what follows in the head, u32 0; u64 plan (a hash); position: u64 sequence,
 *           offset, epoch; u64 missed; counters: u64 taken, passed, late; i64 newest_us
 *   piece   u32 'P', u32 CRC-32 of what follows; i64 begin_us; u32 first group, groups; u64 payload bytes; payload: for
 *           each group u64 count, key, and each part: 8 or 16 bytes as they are in memory; of quantiles u32 n, u32
 *           bytes, then as many, in which are n of i16 bucket and its count in groups of 7 bits, the lowest first, of
 *           which all but the last have 0x80 (LEB128), in the order of buckets, and zeros up to a multiple of 8; of
 *           distinct counts u32 n, u32 1: registers, then n hashes or registers
 *   end     u32 'E', u32 CRC-32 of what follows; u64 pieces, groups
 */
#ifndef CELLS_ANALYTICS_STATE_H
#define CELLS_ANALYTICS_STATE_H

#include <stddef.h>

#include "aggregator.h"

/* What stands in a head beside the aggregator's own. */
struct an_place {
    struct cell_position position; /* all before it is counted */
    uint64_t missed;               /* records that were removed before they were counted */
};

/* Begins, with the head as the first bytes. By the thread that takes records, as all that follows. */
int an_save_begin(struct an_aggregator *a, const struct an_place *place, struct an_failure *f);
/* Takes about `bytes` more. 1: there is more to be taken; 0: these were the last, the end is among them. *data, *n:
 * what was taken since the last call, valid until the next. CELL_NO_MEMORY: it was given up. */
int an_save_step(struct an_aggregator *a, size_t bytes, const void **data, size_t *n, struct an_failure *f);
void an_save_cancel(struct an_aggregator *a);

/* Makes an aggregator of what was saved. CELL_DATA_LOSS: it is damaged, or of another plan; CELL_NO_MEMORY. */
int an_restore(const struct an_plan *plan, const void *bytes, size_t n, struct an_aggregator **a,
               struct an_place *place, struct an_failure *f);

#endif
