/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What lies in a journal's files, and the same in its tail. All numbers are little-endian.
 *
 * A journal is a line of bytes, cut into segments of one size: the file NUMBER.segment (16 hex digits) holds the bytes
 * from NUMBER * segment size on. A segment begins with a header of a page; then come blocks, each a header and a
 * payload, at multiples of 64, none of which crosses the end of a segment. Where the next one did not fit stands an
 * END. All else is zero: segments are written in full before they are used, so that syncing a block changes no metadata
 * of the file.
 *
 * A block says where it stands, so that nothing old or moved is taken for it, and what was durable when it was written,
 * so that damage can be told from a write that a failure of power tore: what is damaged before that mark was not torn.
 * Its epoch is not below that of the block before it: a block that survived a failure of power behind a torn one, and
 * is behind a newer one later, is none.
 *
 * The sum is XXH3 (64 bits, https://xxhash.com) of the payload, which is the seed of that of the header before it.
 */
#ifndef CELL_JOURNAL_BLOCK_H
#define CELL_JOURNAL_BLOCK_H

#include <stdatomic.h>

#include "base/util.h"
#include "cell/journal.h"

#define CELL_BLOCK_ALIGN 64u
#define CELL_SEGMENT_HEAD 4096u
#define CELL_JOURNAL_MIN_SEGMENT (UINT64_C(2) << 20)
#define CELL_JOURNAL_MAX_SEGMENT (UINT64_C(4) << 30)
#define CELL_JOURNAL_TYPE 128u /* bytes of a type's name with its NUL */

enum cell_block_kind { CELL_BLOCK_RECORDS = 1, CELL_BLOCK_END = 2 };

struct cell_block {
    uint64_t position; /* in the line; in the tail this is written last */
    uint64_t sequence; /* of its first record; of an END: of the next one */
    uint64_t time_us;  /* never before that of the block before */
    uint64_t durable;  /* everything before this position was durable */
    uint32_t length;   /* bytes of payload; zeros up to a multiple of 64 follow it */
    uint32_t count;    /* records */
    uint32_t epoch;
    uint32_t kind; /* enum cell_block_kind */
    uint64_t journal;
    uint64_t sum; /* 0 in the tail of a journal without a folder */
};
_Static_assert(sizeof(struct cell_block) == CELL_BLOCK_ALIGN, "a block's header is a line");

struct cell_segment_head {
    char magic[8]; /* "CELLSEG1" */
    uint64_t journal, number, bytes;
    uint64_t sum; /* of what is before it */
};

/* What all blocks of a journal have in common. */
struct cell_journal_format {
    uint64_t journal; /* a random number, which is its name */
    uint64_t segment_bytes;
    uint32_t record_size;
};

static inline uint64_t cell_block_size(uint32_t length)
{
    return sizeof(struct cell_block) + ((uint64_t)length + CELL_BLOCK_ALIGN - 1) / CELL_BLOCK_ALIGN * CELL_BLOCK_ALIGN;
}
/* Where the next block stands, behind one at `offset` of `size` bytes: there, or in the next segment. */
static inline uint64_t cell_block_next(const struct cell_journal_format *f, const struct cell_block *b, uint64_t offset,
                                       uint64_t size)
{
    uint64_t segment = f->segment_bytes, next = offset + size;
    if (segment && b->kind == CELL_BLOCK_END)
        next = (offset / segment + 1) * segment;
    return segment && next % segment == 0 ? next + CELL_SEGMENT_HEAD : next;
}

uint64_t cell_block_sum(const struct cell_block *b, const void *payload);
void cell_segment_head_make(const struct cell_journal_format *f, uint64_t number, struct cell_segment_head *head);
bool cell_segment_head_check(const struct cell_journal_format *f, uint64_t number,
                             const struct cell_segment_head *head);

/* What cell_block_check finds. */
enum cell_block_found {
    CELL_BLOCK_WHOLE,
    CELL_BLOCK_MORE,   /* it is, as far as it is there; *size are needed */
    CELL_BLOCK_NONE,   /* nothing was ever written here, or it is not of this place */
    CELL_BLOCK_DAMAGED /* a block of this place, and not as it was written */
};
/*
 * The block at `bytes`, of which `available` are there, at `offset` of the line. Its header is copied to *b before it
 * is looked at, and *size are its bytes with padding. With `sums` its sum is checked. Believes nothing.
 */
enum cell_block_found cell_block_check(const struct cell_journal_format *f, uint64_t offset, const void *bytes,
                                       size_t available, bool sums, struct cell_block *b, uint64_t *size);

#endif
