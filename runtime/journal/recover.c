/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Where a journal ends. What is behind the first block that is not whole was never durable, for syncs are in order: it
 * may be there in parts, after a failure of power, and is written over with zeros. Blocks of it would be known by their
 * epoch; records in it are anybody's bytes, and might spell a block of any epoch. Nothing is truncated; who reads a
 * segment meanwhile sees a block, or none.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal/journal_impl.h"
#include "journal/scan.h"

#define PIECE (UINT64_C(1) << 20)

struct recovery {
    struct cell_journal *j;
    struct cell_scan scan;
    uint64_t first, last; /* segments that are there */
    uint64_t offset;      /* where the next block is looked for */
    uint64_t sequence, time_us;
    bool knows_sequence;
    uint32_t epoch;
};

static void cleanup_recovery(struct recovery *r) { cell_scan_free(&r->scan); }

/* The newest segment in which a block stands, or was begun. */
static int find_begun(struct recovery *r, uint64_t *begun, struct cell_error *e)
{
    struct cell_block b;
    enum cell_block_found found;
    const uint8_t *payload;
    uint64_t size;
    for (*begun = r->last; *begun > r->first; --*begun) {
        int x = cell_scan_block(&r->scan, *begun * r->j->format.segment_bytes + CELL_SEGMENT_HEAD, false, &found, &b,
                                &payload, &size, e);
        if (x < 0 || found != CELL_BLOCK_NONE)
            return x;
    }
    return CELL_OK;
}

/* From where the last opening began, or two segments before the newest: two may have what is not durable, and the one
 * before them tells the sequence. */
static int find_start(struct recovery *r, struct cell_error *e)
{
    const struct cell_description *d = r->j->description;
    const struct cell_epoch *epoch = &d->epochs[(d->epoch - 1) % CELL_JOURNAL_EPOCHS];
    uint64_t segment = d->format.segment_bytes, begun;
    int x = find_begun(r, &begun, e);
    if (x < 0)
        return x;
    uint64_t start = begun > r->first + 1 ? begun - 2 : r->first;
    r->knows_sequence = epoch->offset / segment >= start;
    r->offset = r->knows_sequence ? epoch->offset : start * segment + CELL_SEGMENT_HEAD;
    r->sequence = r->knows_sequence ? epoch->sequence : 0;
    r->time_us = d->time_us;
    return CELL_OK;
}

static bool follows(const struct recovery *r, const struct cell_block *b)
{
    return b->epoch >= r->epoch && b->epoch <= r->j->description->epoch &&
           (!r->knows_sequence || b->sequence == r->sequence);
}

static void step(struct recovery *r, const struct cell_block *b, uint64_t size)
{
    r->sequence = b->sequence + b->count;
    r->knows_sequence = true;
    r->epoch = b->epoch;
    r->time_us = b->time_us > r->time_us ? b->time_us : r->time_us;
    r->offset = cell_block_next(&r->j->format, b, r->offset, size);
}

static int find_end(struct recovery *r, struct cell_error *e)
{
    struct cell_block b;
    enum cell_block_found found;
    const uint8_t *payload;
    uint64_t size;
    while (r->offset / r->j->format.segment_bytes <= r->last) {
        int x = cell_scan_block(&r->scan, r->offset, true, &found, &b, &payload, &size, e);
        if (x < 0)
            return x;
        if (found != CELL_BLOCK_WHOLE || !follows(r, &b))
            break;
        step(r, &b, size);
    }
    return CELL_OK;
}

/* What whole blocks from `offset` to the end of its segment say was durable, when that is more than *durable. */
static int find_mark(struct recovery *r, uint64_t offset, uint64_t *durable, struct cell_error *e)
{
    struct cell_block b;
    uint64_t segment = r->j->format.segment_bytes, end = (offset / segment + 1) * segment;
    bool there;
    for (; offset < end; offset += CELL_BLOCK_ALIGN) {
        int x = cell_scan_next(&r->scan, &offset, &there, &b, e);
        if (x < 0 || !there)
            return x;
        if (b.epoch >= r->epoch && b.epoch <= r->j->description->epoch && b.durable > *durable)
            *durable = b.durable;
    }
    return CELL_OK;
}

static int fail_damaged(struct recovery *r, struct cell_error *e)
{
    uint64_t segment = r->j->format.segment_bytes;
    return cell_error_set(
        e, CELL_DATA_LOSS,
        "the journal in %s is damaged at byte %llu of segment %016llx, record %llu, which was durable", r->j->folder,
        (unsigned long long)(r->offset % segment), (unsigned long long)(r->offset / segment),
        (unsigned long long)r->sequence);
}

/* What is not zero from `offset` to the end of its segment is written over. */
static int clear(struct recovery *r, uint64_t offset, struct cell_error *e)
{
    uint64_t segment = r->j->format.segment_bytes, end = (offset / segment + 1) * segment;
    CELL_CLEANUP(cell_cleanup_free) uint8_t *zeros = calloc(1, PIECE);
    CELL_CLEANUP(cell_cleanup_fd) int fd = -1;
    bool clean;
    int x = cell_scan_zeros(&r->scan, offset, &clean, e);
    if (x < 0 || clean)
        return x;
    x = zeros ? cell_segment_open(r->j->folder, &r->j->format, offset / segment, true, &fd, e)
              : cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    for (; x == CELL_OK && offset < end; offset += PIECE)
        x = cell_write_at(fd, zeros, end - offset < PIECE ? (size_t)(end - offset) : PIECE, offset % segment, e);
    if (x == CELL_OK && fdatasync(fd) < 0)
        x = cell_error_errno(e, CELL_IO_ERROR, errno, "the journal cannot be synced");
    return x;
}

/* Damage before a mark is damage; else what is left behind the end goes. Later segments first: when this is cut off,
 * the next recovery finds the same end. */
static int settle(struct recovery *r, struct cell_error *e)
{
    uint64_t segment = r->j->format.segment_bytes, durable = r->j->description->durable, end = r->offset / segment;
    int x = end <= r->last ? find_mark(r, r->offset, &durable, e) : CELL_OK;
    for (uint64_t number = end + 1; x == CELL_OK && number <= r->last; number++)
        x = find_mark(r, number * segment + CELL_SEGMENT_HEAD, &durable, e);
    if (x == CELL_OK && durable > r->offset)
        return fail_damaged(r, e);
    for (uint64_t number = r->last; x == CELL_OK && number > end; number--)
        x = clear(r, number * segment + CELL_SEGMENT_HEAD, e);
    return x == CELL_OK && end <= r->last ? clear(r, r->offset, e) : x;
}

/* What was committed before the process was killed need not be on the disk. */
static int sync_segment(struct recovery *r, uint64_t number, int *fd, struct cell_error *e)
{
    int x = cell_segment_open(r->j->folder, &r->j->format, number, true, fd, e);
    if (x == CELL_OK && fdatasync(*fd) < 0)
        x = cell_error_errno(e, CELL_IO_ERROR, errno, "the journal cannot be synced");
    return x;
}

static int adopt(struct recovery *r, struct cell_error *e)
{
    struct cell_journal *j = r->j;
    uint64_t newest = r->offset / j->format.segment_bytes;
    CELL_CLEANUP(cell_cleanup_fd) int before = -1;
    int x = CELL_OK;
    if (newest > r->last)
        newest = r->last; /* it is full, and there is no other one yet */
    if (newest > r->first)
        x = sync_segment(r, newest - 1, &before, e);
    if (x == CELL_OK)
        x = sync_segment(r, newest, &j->segment_fd, e);
    j->first_number = r->first;
    j->newest_number = j->durable_segments = newest;
    j->offset = j->durable = r->offset;
    j->sequence = j->durable_sequence = r->sequence;
    j->time_us = r->time_us;
    return x;
}

int cell_journal_recover(struct cell_journal *j, struct cell_error *e)
{
    CELL_CLEANUP(cleanup_recovery) struct recovery r = {.j = j};
    cell_scan_init(&r.scan, j->folder, &j->format);
    int x = cell_segments_find(j->folder, &r.first, &r.last, e);
    if (x == CELL_OK)
        x = find_start(&r, e);
    if (x == CELL_OK)
        x = find_end(&r, e);
    if (x == CELL_OK)
        x = settle(&r, e);
    return x < 0 ? x : adopt(&r, e);
}
