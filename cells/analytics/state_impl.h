/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Between state.c and state_read.c. */
#ifndef CELLS_ANALYTICS_STATE_IMPL_H
#define CELLS_ANALYTICS_STATE_IMPL_H

#include "aggregator_impl.h"
#include "state.h"

#define MAGIC "CELLAGG2"
#define PIECE UINT32_C(0x50)
#define END UINT32_C(0x45)
#define MOST_BUCKET_BYTES 12 /* 2, and a count of 64 bits */

struct head {
    char magic[8];
    uint32_t crc, zero;
    uint64_t plan, sequence, offset, epoch, missed, taken, passed, late;
    int64_t newest_us;
};
struct piece {
    uint32_t what, crc;
    int64_t begin_us;
    uint32_t first, count;
    uint64_t bytes;
};
struct end {
    uint32_t what, crc;
    uint64_t pieces, groups;
};

/* Of the parts that decide what is in the state. */
uint64_t an_plan_hash(const struct an_plan *plan);
uint32_t an_crc(uint32_t before, const void *bytes, size_t n);

#endif
