/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "journal/block.h"

#include <stddef.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define MAGIC "CELLSEG1"

uint64_t cell_block_sum(const struct cell_block *b, const void *payload)
{
    uint64_t seed = XXH3_64bits(payload, b->length);
    return XXH3_64bits_withSeed(b, offsetof(struct cell_block, sum), seed);
}

void cell_segment_head_make(const struct cell_journal_format *f, uint64_t number, struct cell_segment_head *head)
{
    *head = (struct cell_segment_head){.journal = f->journal, .number = number, .bytes = f->segment_bytes};
    memcpy(head->magic, MAGIC, sizeof(head->magic));
    head->sum = XXH3_64bits(head, offsetof(struct cell_segment_head, sum));
}

bool cell_segment_head_check(const struct cell_journal_format *f, uint64_t number, const struct cell_segment_head *head)
{
    struct cell_segment_head right;
    cell_segment_head_make(f, number, &right);
    return memcmp(&right, head, sizeof(right)) == 0;
}

/* Whether the header can be one of this journal: bounds first, so that nothing after it has to doubt them. */
static bool plausible(const struct cell_journal_format *f, uint64_t offset, const struct cell_block *b, uint64_t size)
{
    uint64_t in_segment = f->segment_bytes ? offset % f->segment_bytes : 0;
    if (b->length > CELL_JOURNAL_BLOCK_MAX || (f->segment_bytes && size > f->segment_bytes - in_segment))
        return false;
    if (b->durable > offset || b->sequence > UINT64_MAX - b->count)
        return false;
    if (b->kind == CELL_BLOCK_END)
        return b->length == 0 && b->count == 0;
    if (b->kind != CELL_BLOCK_RECORDS || b->count == 0 || b->length == 0)
        return false;
    return f->record_size == 0 || (uint64_t)b->count * f->record_size == b->length;
}

enum cell_block_found cell_block_check(const struct cell_journal_format *f, uint64_t offset, const void *bytes,
                                       size_t available, bool sums, struct cell_block *b, uint64_t *size)
{
    *size = sizeof(*b);
    if (available < sizeof(*b))
        return CELL_BLOCK_MORE;
    memcpy(b, bytes, sizeof(*b));
    if (b->position != offset || b->journal != f->journal)
        return CELL_BLOCK_NONE;
    uint64_t needed = cell_block_size(b->length);
    if (!plausible(f, offset, b, needed))
        return CELL_BLOCK_DAMAGED;
    *size = needed;
    if (available < needed)
        return CELL_BLOCK_MORE;
    if (sums && cell_block_sum(b, (const uint8_t *)bytes + sizeof(*b)) != b->sum)
        return CELL_BLOCK_DAMAGED;
    return CELL_BLOCK_WHOLE;
}
