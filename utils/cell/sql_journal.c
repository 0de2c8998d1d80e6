/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Records of a journal between two sequences, forwards or backwards. Backwards is in windows, which are read forwards
 * and handed out from their end. Where records of a time are is found by halving, when times never go back.
 */
#include <stdlib.h>
#include <string.h>

#include "journal/fields.h"
#include "journal/files.h"
#include "sql.h"

#define NEAR 4096u /* records: so many are read rather than halved */
#define WINDOW_BYTES (8u << 20)

/* Records that came at once, in the window. */
struct piece {
    uint64_t sequence, time_us;
    uint32_t count;
    size_t at; /* bytes */
};

struct sql_scan {
    struct sql_table *table;
    struct cell_journal_reader *reader;
    uint64_t from, to; /* what is left */
    bool backwards, begun;
    uint64_t window; /* records, of the next one */
    uint8_t *bytes;
    size_t capacity;
    struct piece *pieces;
    size_t npieces, most_pieces;
};

/* ---- one journal ---- */

static int open_reader(const char *folder, const char *type, uint32_t record_size, struct cell_journal_reader **reader,
                       struct cell_error *e)
{
    const struct cell_journal_reader_options options = {.type = type, .record_size = record_size};

    return cell_journal_reader_open(folder, &options, NULL, reader, e);
}

int sql_journal_end(const char *folder, const char *type, uint32_t record_size, uint64_t *end, struct cell_error *e)
{
    struct cell_journal_reader *reader = NULL;
    int r = open_reader(folder, type, record_size, &reader, e);

    if (r >= 0)
        r = cell_journal_reader_end(reader, end, e);
    cell_journal_reader_close(reader);
    return r;
}

int sql_journal_describe(const char *folder, struct cell_arena *arena, const char **type, struct sql_layout *layout,
                         struct cell_error *e)
{
    struct cell_description *d = cell_arena_alloc(arena, sizeof(*d));
    struct cell_journal_fields f;
    int r = d ? cell_description_read(folder, d, e) : cell_error_set(e, CELL_NO_MEMORY, "out of memory");

    if (r >= 0)
        r = cell_journal_fields_read(folder, arena, &f, e);
    if (r == CELL_NOT_FOUND && d->type[0])
        return cell_error_set(e, CELL_FAILED_PRECONDITION,
                              "the journal in %s does not say what its records are: its program has opened it without "
                              "`fields` (cell/journal.h)",
                              folder);
    if (r < 0)
        return r;
    *type = d->type;
    r = sql_layout_make(f.fields, f.nfields, d->format.record_size, f.time, f.ordered, true, arena, layout, e);
    if (r < 0)
        cell_error_wrap(e, "%s/" CELL_JOURNAL_FIELDS_FILE, folder);
    return r;
}

int sql_scan_open(struct sql_table *table, struct sql_scan **scan, struct cell_error *e)
{
    struct sql_scan *s = calloc(1, sizeof(*s));

    if (!s)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    s->table = table;
    int r = open_reader(table->folder, table->type, table->layout.record_size, &s->reader, e);
    if (r < 0)
        sql_scan_close(s);
    else
        *scan = s;
    return r;
}

void sql_scan_close(struct sql_scan *s)
{
    if (!s)
        return;
    cell_journal_reader_close(s->reader);
    free(s->bytes);
    free(s->pieces);
    free(s);
}

/* ---- records from a sequence on ---- */

static int go_to(struct sql_scan *s, uint64_t sequence, struct cell_error *e)
{
    const struct cell_position at = {.sequence = sequence};

    return cell_journal_reader_position(s->reader).sequence == sequence ? CELL_OK
                                                                        : cell_journal_reader_seek(s->reader, &at, e);
}

/* The next records, of which some are there. What lies before the first that is kept is no failure with `first`. */
static int read_span(struct sql_scan *s, bool first, struct cell_span *span, struct cell_error *e)
{
    int r = cell_journal_read(s->reader, span, 0, e);

    if (r == CELL_OUT_OF_RANGE && first)
        r = cell_journal_read(s->reader, span, 0, e);
    if (r == 0 || r == CELL_DEADLINE_EXCEEDED)
        return cell_error_set(e, CELL_UNAVAILABLE, "records %llu to %llu of the journal in %s cannot be read",
                              (unsigned long long)cell_journal_reader_position(s->reader).sequence,
                              (unsigned long long)s->table->end - 1, s->table->folder);
    return r;
}

/* The record at the sequence, or the first that is kept behind it; *at is its sequence. */
static int read_one(struct sql_scan *s, uint64_t *at, const uint8_t **record, struct cell_error *e)
{
    struct cell_span span;
    int r = go_to(s, *at, e);

    if (r >= 0)
        r = read_span(s, true, &span, e);
    if (r < 0)
        return r;
    *at = span.sequence;
    *record = span.records;
    s->table->records++;
    return CELL_OK;
}

/* Where the first record may be whose time is not before `us` (with `after`: behind it), in [*from, to): at most NEAR
 * records before it. */
static int find_time(struct sql_scan *s, int64_t us, bool after, uint64_t from, uint64_t to, uint64_t *low,
                     uint64_t *high, struct cell_error *e)
{
    const uint8_t *record;
    int r = CELL_OK;

    while (r >= 0 && to - from > NEAR) {
        uint64_t middle = from + (to - from) / 2, at = middle;
        r = read_one(s, &at, &record, e);
        if (r < 0)
            break;
        int64_t time = (int64_t)sql_field_bits(s->table->layout.time, record);
        if (time < us || (after && time == us))
            from = at + 1;
        else
            to = middle;
        from = from < to ? from : to;
    }
    *low = from;
    *high = to;
    return r;
}

static int narrow_by_time(struct sql_scan *s, const struct sql_range *range, struct cell_error *e)
{
    uint64_t low = s->from, high = s->to, ignored;
    int r = CELL_OK;

    if (range->time_from > INT64_MIN)
        r = find_time(s, range->time_from, false, s->from, s->to, &low, &ignored, e);
    if (r >= 0 && range->time_to < INT64_MAX)
        r = find_time(s, range->time_to, true, low, s->to, &ignored, &high, e);
    s->from = low;
    s->to = high;
    return r;
}

int sql_scan_begin(struct sql_scan *s, const struct sql_range *range, struct cell_error *e)
{
    const struct sql_table *t = s->table;
    const uint8_t *record;
    int r = CELL_OK;

    s->from = range->from;
    s->to = range->to < t->end ? range->to : t->end;
    s->backwards = range->backwards;
    s->begun = false;
    s->npieces = 0;
    s->window = NEAR;
    if (s->from < s->to && t->layout.ordered)
        r = narrow_by_time(s, range, e);
    if (r >= 0 && s->backwards && s->from < s->to)
        r = read_one(s, &s->from, &record, e); /* what is not kept now is not missed later */
    return r;
}

/* ---- batches ---- */

static int next_forwards(struct sql_scan *s, struct sql_batch *batch, struct cell_error *e)
{
    struct cell_span span;
    int r;

    if (s->from >= s->to)
        return 0;
    r = s->begun ? CELL_OK : go_to(s, s->from, e);
    if (r >= 0)
        r = read_span(s, !s->begun, &span, e);
    if (r < 0)
        return r;
    s->begun = true;
    uint64_t left = span.sequence < s->to ? s->to - span.sequence : 0;
    *batch = (struct sql_batch){.records = span.records,
                                .count = span.count < left ? span.count : (uint32_t)left,
                                .sequence = span.sequence,
                                .appended_us = (int64_t)span.time_us};
    s->from = span.sequence + span.count;
    return batch->count > 0;
}

/* Appends records to the window, those before `to`. */
static int keep(struct sql_scan *s, const struct cell_span *span, size_t *used, struct cell_error *e)
{
    const uint32_t size = s->table->layout.record_size;
    uint32_t n = s->to - span->sequence < span->count ? (uint32_t)(s->to - span->sequence) : span->count;
    size_t bytes = (size_t)n * size;

    if (s->npieces == s->most_pieces) {
        size_t most = s->most_pieces ? 2 * s->most_pieces : 64;
        struct piece *grown = realloc(s->pieces, most * sizeof(*grown));
        if (!grown)
            return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
        s->pieces = grown;
        s->most_pieces = most;
    }
    if (*used + bytes > s->capacity) {
        size_t capacity = 2 * s->capacity > *used + bytes ? 2 * s->capacity : *used + bytes;
        uint8_t *grown = realloc(s->bytes, capacity);
        if (!grown)
            return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
        s->bytes = grown;
        s->capacity = capacity;
    }
    memcpy(s->bytes + *used, span->records, bytes);
    s->pieces[s->npieces++] = (struct piece){span->sequence, span->time_us, n, *used};
    *used += bytes;
    return CELL_OK;
}

static int fill_window(struct sql_scan *s, struct cell_error *e)
{
    uint64_t most = WINDOW_BYTES / s->table->layout.record_size + 1;
    uint64_t window = s->window < most ? s->window : most;
    uint64_t low = s->to - s->from > window ? s->to - window : s->from, at = low;
    struct cell_span span;
    size_t used = 0;
    int r = go_to(s, low, e);

    while (r >= 0 && at < s->to) {
        r = read_span(s, false, &span, e);
        if (r >= 0)
            r = keep(s, &span, &used, e);
        at = span.sequence + span.count;
    }
    s->to = low;
    s->window = 4 * window;
    return r;
}

static int next_backwards(struct sql_scan *s, struct sql_batch *batch, struct cell_error *e)
{
    int r = CELL_OK;

    if (s->npieces == 0 && s->from >= s->to)
        return 0;
    if (s->npieces == 0)
        r = fill_window(s, e);
    if (r < 0)
        return r;
    const struct piece *p = &s->pieces[--s->npieces];
    *batch = (struct sql_batch){
        .records = s->bytes + p->at, .count = p->count, .sequence = p->sequence, .appended_us = (int64_t)p->time_us};
    return 1;
}

int sql_scan_next(struct sql_scan *s, struct sql_batch *batch, struct cell_error *e)
{
    return s->backwards ? next_backwards(s, batch, e) : next_forwards(s, batch, e);
}
