/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <stdlib.h>
#include <string.h>

#include "journal/reader_impl.h"

/* ---- what both sources do with a block ---- */

static int fail_order(struct cell_journal_reader *r, const struct cell_block *b, struct cell_error *e)
{
    return cell_error_set(e, CELL_DATA_LOSS,
                          "the journal has record %llu of epoch %u where %llu of epoch %u was to come",
                          (unsigned long long)b->sequence, b->epoch, (unsigned long long)r->sequence, r->epoch);
}

/* The block is whole and may be handed out. The reader goes behind it. */
static int take(struct cell_journal_reader *r, const struct cell_block *b, const void *payload, uint64_t size,
                enum cell_had *had, struct cell_span *span, struct cell_error *e)
{
    uint64_t read = r->skip;
    if (r->resync && b->sequence > r->sequence) {
        cell_error_set(&r->told, CELL_OUT_OF_RANGE,
                       "records %llu to %llu were written over in memory before they were read",
                       (unsigned long long)r->sequence, (unsigned long long)b->sequence - 1);
        r->sequence = b->sequence;
        r->resync = false;
        *had = CELL_HAD_STEP;
        return CELL_OK;
    }
    if (b->sequence + read != r->sequence || b->epoch < r->epoch || read > b->count)
        return fail_order(r, b, e);
    r->offset = cell_block_next(&r->format, b, r->offset, size);
    r->sequence = b->sequence + b->count;
    r->epoch = b->epoch;
    r->skip = 0;
    r->resync = false;
    *had = b->kind == CELL_BLOCK_END || read == b->count ? CELL_HAD_STEP : CELL_HAD_SPAN;
    if (*had == CELL_HAD_SPAN) {
        /* Records of several sizes cannot be told apart here: who began inside sees the block's first ones again. */
        uint64_t passed = r->format.record_size ? read : 0;
        *span = (struct cell_span){.records = (const uint8_t *)payload + passed * r->format.record_size,
                                   .count = (uint32_t)(b->count - passed),
                                   .bytes = (uint32_t)(b->length - passed * r->format.record_size),
                                   .sequence = b->sequence + passed,
                                   .time_us = b->time_us};
    }
    return CELL_OK;
}

/* ---- the tail ---- */

/* Whether what ends at `end` may be handed out. */
static bool may_read(struct cell_journal_reader *r, uint64_t end)
{
    if (r->is_volatile || r->durable >= end)
        return true;
    r->durable = atomic_load_explicit(&r->tail.head->durable, memory_order_acquire);
    return r->durable >= end;
}

bool cell_reader_tail_ready(struct cell_journal_reader *r)
{
    if (!cell_tail_has(&r->tail, r->offset))
        return atomic_load_explicit(&r->tail.head->begin, memory_order_relaxed) > r->offset ||
               atomic_load_explicit(&r->tail.head->closed, memory_order_acquire);
    return may_read(r, r->offset + 1);
}

/* Grows by need: most blocks are small. */
static int make_copy(struct cell_journal_reader *r, uint64_t size, struct cell_error *e)
{
    size_t n = r->copy_size ? r->copy_size : 16u << 10;
    if (r->copy && size <= r->copy_size)
        return CELL_OK;
    while (n < size)
        n *= 2;
    free(r->copy);
    r->copy = aligned_alloc(CELL_BLOCK_ALIGN, n);
    r->copy_size = r->copy ? n : 0;
    return r->copy ? CELL_OK : cell_error_set(e, CELL_NO_MEMORY, "no memory to read the journal");
}

int cell_reader_from_tail(struct cell_journal_reader *r, enum cell_had *had, struct cell_span *span,
                          struct cell_error *e)
{
    struct cell_block b;
    uint64_t size, ring = r->tail.ring_bytes;
    const uint8_t *at = r->tail.ring + (r->offset & (ring - 1));
    *had = CELL_HAD_NOTHING;
    if (!cell_tail_has(&r->tail, r->offset) || !may_read(r, r->offset + 1)) {
        if (!cell_tail_holds(&r->tail, r->offset))
            *had = CELL_HAD_LAPPED;
        return CELL_OK;
    }
    enum cell_block_found found = cell_block_check(&r->format, r->offset, at, sizeof(b), false, &b, &size);
    if ((found != CELL_BLOCK_MORE && found != CELL_BLOCK_WHOLE) || size > ring / 2) {
        *had = CELL_HAD_LAPPED; /* it was written over meanwhile, or its writer lies: the files will tell */
        return cell_tail_holds(&r->tail, r->offset)
                   ? cell_error_set(e, CELL_DATA_LOSS,
                                    "the tail of the journal has no block where it says that it has one")
                   : CELL_OK;
    }
    int x = make_copy(r, size, e);
    if (x < 0)
        return x;
    memcpy(r->copy, at + sizeof(b), size - sizeof(b));
    if (!cell_tail_holds(&r->tail, r->offset)) {
        *had = CELL_HAD_LAPPED;
        return CELL_OK;
    }
    return take(r, &b, r->copy, size, had, span, e);
}

/* ---- the segments ---- */

/* Up to where the segments may be read. *known: what is before it is whole, or the journal is damaged. */
static uint64_t limit(struct cell_journal_reader *r, bool *known)
{
    *known = true;
    if (r->tail.head && !r->is_volatile)
        r->durable = atomic_load_explicit(&r->tail.head->durable, memory_order_acquire);
    if (!r->is_volatile)
        return r->durable;
    if (r->tail.head)
        return atomic_load_explicit(&r->tail.head->committed, memory_order_acquire);
    *known = false;
    return UINT64_MAX;
}

static int fail_damaged(struct cell_journal_reader *r, struct cell_error *e)
{
    uint64_t segment = r->format.segment_bytes;
    return cell_error_set(e, CELL_DATA_LOSS,
                          "the journal in %s is damaged at byte %llu of segment %016llx, record %llu", r->folder,
                          (unsigned long long)(r->offset % segment), (unsigned long long)(r->offset / segment),
                          (unsigned long long)r->sequence);
}

/* Without a tail blocks tell what was durable when they were written; those that do not follow tell nothing. */
static void learn(struct cell_journal_reader *r, const struct cell_block *b)
{
    if (!r->tail.head && b->sequence + r->skip == r->sequence && b->epoch >= r->epoch && b->durable > r->durable)
        r->durable = b->durable;
}

/* Looks on behind the place for a mark that the block there is durable by. */
static int look_ahead(struct cell_journal_reader *r, const struct cell_block *b, uint64_t size, bool *durable,
                      struct cell_error *e)
{
    enum cell_block_found found = CELL_BLOCK_WHOLE;
    struct cell_block next = *b;
    const uint8_t *payload;
    uint64_t end = r->offset + size, at = r->offset;
    *durable = r->durable >= end;
    while (!*durable) {
        at = cell_block_next(&r->format, &next, at, size);
        uint64_t sequence = next.sequence + next.count;
        uint32_t epoch = next.epoch;
        int x = cell_scan_block(&r->scan, at, true, &found, &next, &payload, &size, e);
        if (x == CELL_NOT_FOUND ||
            (x == CELL_OK && (found != CELL_BLOCK_WHOLE || next.sequence != sequence || next.epoch < epoch)))
            return CELL_OK;
        if (x < 0)
            return x;
        r->durable = next.durable > r->durable ? next.durable : r->durable;
        *durable = r->durable >= end;
    }
    return CELL_OK;
}

int cell_reader_from_segments(struct cell_journal_reader *r, enum cell_had *had, struct cell_span *span,
                              struct cell_error *e)
{
    struct cell_block b;
    enum cell_block_found found;
    const uint8_t *payload;
    uint64_t size;
    bool known, durable = true, moved;
    uint64_t end = limit(r, &known);
    *had = CELL_HAD_NOTHING;
    if (r->offset >= end && (r->is_volatile || r->tail.head))
        return CELL_OK;
    int x = cell_scan_block(&r->scan, r->offset, true, &found, &b, &payload, &size, e);
    if (x == CELL_NOT_FOUND) {
        x = cell_reader_removed(r, &moved, e);
        *had = x == CELL_OK && moved ? CELL_HAD_STEP : CELL_HAD_NOTHING;
        return x;
    }
    if (x < 0)
        return x;
    if (found != CELL_BLOCK_WHOLE)
        return known && r->offset < end ? fail_damaged(r, e) : CELL_OK;
    learn(r, &b);
    if (!r->is_volatile && r->durable < r->offset + size) {
        x = look_ahead(r, &b, size, &durable, e);
        if (x == CELL_OK && durable) /* the buffer has moved on */
            x = cell_scan_block(&r->scan, r->offset, true, &found, &b, &payload, &size, e);
    }
    if (x < 0 || !durable || found != CELL_BLOCK_WHOLE)
        return x;
    return take(r, &b, payload, size, had, span, e);
}
