/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "journal/reader_impl.h"

static void put(struct cell_journal_reader *r, uint64_t offset, uint64_t sequence, uint64_t skip)
{
    r->offset = offset;
    r->sequence = sequence;
    r->skip = skip;
}

/* ---- what is gone ---- */

static void tell_removed(struct cell_journal_reader *r, uint64_t from, uint64_t first)
{
    cell_error_set(&r->told, CELL_OUT_OF_RANGE,
                   "records %llu to %llu were removed by the journal's limits before they were read",
                   (unsigned long long)from, (unsigned long long)first - 1);
}

static void tell_lost(struct cell_journal_reader *r, uint64_t from, uint64_t sequence, uint64_t epoch)
{
    cell_error_set(
        &r->told, CELL_ABORTED,
        "records %llu to %llu were read before they were durable, and a failure has removed them; epoch %llu "
        "begins with record %llu",
        (unsigned long long)from, (unsigned long long)sequence - 1, (unsigned long long)epoch,
        (unsigned long long)from);
}

/* The first block of a segment. *there: there is one. */
static int first_of(struct cell_journal_reader *r, uint64_t number, bool *there, struct cell_block *b,
                    struct cell_error *e)
{
    enum cell_block_found found;
    const uint8_t *payload;
    uint64_t size;
    int x = cell_scan_block(&r->scan, number * r->format.segment_bytes + CELL_SEGMENT_HEAD, true, &found, b, &payload,
                            &size, e);
    *there = x == CELL_OK && found == CELL_BLOCK_WHOLE;
    return x;
}

int cell_reader_removed(struct cell_journal_reader *r, bool *moved, struct cell_error *e)
{
    uint64_t first, last;
    struct cell_block b;
    bool there;
    int x = cell_segments_find(r->folder, &first, &last, e);
    *moved = false;
    if (x < 0 || r->offset / r->format.segment_bytes >= first)
        return x;
    x = first_of(r, first, &there, &b, e);
    if (x == CELL_NOT_FOUND || (x == CELL_OK && !there))
        return CELL_OK; /* it goes on; another look */
    if (x < 0)
        return x;
    tell_removed(r, r->sequence, b.sequence);
    put(r, first * r->format.segment_bytes + CELL_SEGMENT_HEAD, b.sequence, 0);
    *moved = true;
    return CELL_OK;
}

int cell_reader_new_epoch(struct cell_journal_reader *r, struct cell_error *e)
{
    struct cell_epoch began;
    uint64_t which;
    if (!r->folder)
        return CELL_OK;
    int x = cell_description_read(r->folder, r->description, e);
    if (x < 0)
        return x;
    if (r->description->durable > r->durable)
        r->durable = r->description->durable;
    cell_scan_forget(&r->scan);
    if (r->epoch == 0 || !cell_description_after(r->description, r->epoch, &began, &which) || began.offset >= r->offset)
        return CELL_OK;
    if (began.sequence < r->sequence)
        tell_lost(r, began.sequence, r->sequence, which);
    put(r, began.offset, began.sequence, 0);
    r->durable = r->description->durable; /* what was thought durable before is of another past */
    return CELL_OK;
}

/* ---- by sequence ---- */

/* The segment in which the record is, if there is one: the last that does not begin behind it. */
static int find_segment(struct cell_journal_reader *r, uint64_t sequence, uint64_t *number, struct cell_error *e)
{
    uint64_t first, last;
    struct cell_block b;
    bool there;
    int x = cell_segments_find(r->folder, &first, &last, e);
    *number = first;
    if (x == CELL_OK)
        x = first_of(r, first, &there, &b, e);
    if (x < 0)
        return x;
    if (there && b.sequence > sequence) {
        tell_removed(r, sequence, b.sequence);
        return CELL_OUT_OF_RANGE;
    }
    while (first < last) {
        uint64_t middle = first + (last - first + 1) / 2;
        x = first_of(r, middle, &there, &b, e);
        if (x < 0)
            return x;
        if (there && b.sequence <= sequence)
            first = middle;
        else
            last = middle - 1;
    }
    *number = first;
    return CELL_OK;
}

/* Goes from block to block until the one with the record, or to the end. */
static int find_block(struct cell_journal_reader *r, uint64_t number, uint64_t sequence, struct cell_error *e)
{
    uint64_t at = number * r->format.segment_bytes + CELL_SEGMENT_HEAD, next = 0, size;
    enum cell_block_found found;
    struct cell_block b;
    const uint8_t *payload;
    for (;;) {
        int x = cell_scan_block(&r->scan, at, true, &found, &b, &payload, &size, e);
        if (x < 0 && x != CELL_NOT_FOUND)
            return x;
        if (x == CELL_NOT_FOUND || found != CELL_BLOCK_WHOLE)
            break;
        if (b.sequence + b.count > sequence) {
            put(r, at, sequence, sequence - b.sequence);
            return CELL_OK;
        }
        next = b.sequence + b.count;
        at = cell_block_next(&r->format, &b, at, size);
    }
    if (next != sequence)
        return cell_error_set(e, CELL_OUT_OF_RANGE,
                              "the journal in %s has %llu records, and record %llu is not the next", r->folder,
                              (unsigned long long)next, (unsigned long long)sequence);
    put(r, at, sequence, 0);
    return CELL_OK;
}

static int find(struct cell_journal_reader *r, uint64_t sequence, struct cell_error *e)
{
    uint64_t number;
    int x;
    for (int again = 0; again < 10; again++) { /* segments may go meanwhile */
        x = find_segment(r, sequence, &number, e);
        if (x == CELL_OUT_OF_RANGE) {
            struct cell_block b;
            bool there;
            x = first_of(r, number, &there, &b, e);
            if (x == CELL_OK && there) {
                put(r, number * r->format.segment_bytes + CELL_SEGMENT_HEAD, b.sequence, 0);
                return CELL_OK;
            }
        }
        if (x == CELL_OK)
            x = find_block(r, number, sequence, e);
        if (x != CELL_NOT_FOUND)
            break;
    }
    return x;
}

/* ---- by place ---- */

/* Whether the offset that came with a position is one at which that record is, or will be. */
static bool is_there(struct cell_journal_reader *r, const struct cell_position *p)
{
    enum cell_block_found found;
    struct cell_block b;
    const uint8_t *payload;
    uint64_t size;
    if (p->offset % CELL_BLOCK_ALIGN || p->offset % r->format.segment_bytes < CELL_SEGMENT_HEAD)
        return false;
    if (r->tail.head && atomic_load(&r->tail.head->committed) == p->offset &&
        atomic_load(&r->tail.head->committed_sequence) == p->sequence) {
        put(r, p->offset, p->sequence, 0);
        return true;
    }
    if (cell_scan_block(&r->scan, p->offset, true, &found, &b, &payload, &size, NULL) < 0 ||
        found != CELL_BLOCK_WHOLE || b.sequence > p->sequence || b.sequence + b.count < p->sequence ||
        (b.sequence + b.count == p->sequence && b.kind != CELL_BLOCK_END))
        return false;
    put(r, p->offset, p->sequence, p->sequence - b.sequence);
    return true;
}

int cell_reader_place(struct cell_journal_reader *r, const struct cell_position *from, struct cell_error *e)
{
    struct cell_position p = *from;
    struct cell_epoch began;
    uint64_t which;
    if (!r->folder) { /* what is not there any more is told when it is looked for */
        struct cell_position now = cell_journal_pair(r->local);
        put(r, p.offset ? p.offset : now.offset, p.offset ? p.sequence : now.sequence, 0);
        return CELL_OK;
    }
    r->epoch = p.epoch <= r->description->epoch ? (uint32_t)p.epoch : 0;
    if (p.epoch && cell_description_after(r->description, p.epoch, &began, &which) && began.sequence < p.sequence) {
        tell_lost(r, began.sequence, p.sequence, which);
        p = (struct cell_position){.sequence = began.sequence, .offset = began.offset, .epoch = p.epoch};
    }
    return p.offset && is_there(r, &p) ? CELL_OK : find(r, p.sequence, e);
}

/* ---- the end ---- */

struct end {
    uint64_t sequence;
    uint64_t durable; /* what blocks say of it */
    bool any;
};

/* Through the blocks of a segment that end at `until` or before it. */
static int walk(struct cell_journal_reader *r, uint64_t number, uint64_t until, struct end *end, struct cell_error *e)
{
    uint64_t at = number * r->format.segment_bytes + CELL_SEGMENT_HEAD, size;
    enum cell_block_found found;
    struct cell_block b, last;
    const uint8_t *payload;
    end->any = false;
    while (at / r->format.segment_bytes == number) {
        int x = cell_scan_block(&r->scan, at, true, &found, &b, &payload, &size, e);
        if (x < 0 && x != CELL_NOT_FOUND)
            return x;
        if (x == CELL_NOT_FOUND || found != CELL_BLOCK_WHOLE || at + size > until ||
            (end->any && (b.sequence != last.sequence + last.count || b.epoch < last.epoch)))
            break;
        end->any = true;
        end->sequence = b.sequence + b.count;
        end->durable = b.durable > end->durable ? b.durable : end->durable;
        last = b;
        at = cell_block_next(&r->format, &b, at, size);
    }
    return CELL_OK;
}

/* The newest segment before `number` + 1 with such a block. */
static int walk_back(struct cell_journal_reader *r, uint64_t number, uint64_t first, uint64_t until, struct end *end,
                     struct cell_error *e)
{
    int x = walk(r, number, until, end, e);
    while (x == CELL_OK && !end->any && number > first)
        x = walk(r, --number, until, end, e);
    return x;
}

int cell_reader_end_of_segments(struct cell_journal_reader *r, uint64_t *sequence, struct cell_error *e)
{
    struct end end = {.durable = r->durable};
    uint64_t first, last;
    struct cell_block b;
    bool there;
    cell_scan_forget(&r->scan);
    int x = cell_segments_find(r->folder, &first, &last, e);
    if (x == CELL_OK)
        x = walk_back(r, last, first, UINT64_MAX, &end, e); /* the newest blocks know most */
    if (x == CELL_OK && !r->is_volatile) {
        uint64_t number = end.durable / r->format.segment_bytes;
        x = walk_back(r, number < first ? first : number < last ? number : last, first, end.durable, &end, e);
    }
    if (x == CELL_OK && !end.any) {
        x = first_of(r, first, &there, &b, e);
        end.sequence = x == CELL_OK && there ? b.sequence : 0;
    }
    if (x == CELL_OK)
        *sequence = end.sequence;
    return x;
}
