/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What tests of journals share: records that tell what they should be, by their number. */
#ifndef CELL_TEST_JOURNAL_FIXTURE_H
#define CELL_TEST_JOURNAL_FIXTURE_H

#include <inttypes.h>

#include "cell/journal.h"
#include "journal/files.h"
#include "temp_folder.h"

#define CHECK_INT(a, b)                                                                                                \
    do {                                                                                                               \
        long long a_ = (long long)(a), b_ = (long long)(b);                                                            \
        if (a_ != b_) {                                                                                                \
            printf("%s:%d: failed: %s is %lld, not %lld\n", __FILE__, __LINE__, #a, a_, b_);                           \
            test_failures++;                                                                                           \
        }                                                                                                              \
    } while (0)

/* Not always needed by all who include this. */
#define JOURNAL_MAYBE_UNUSED __attribute__((unused))

#define SEGMENT (UINT64_C(2) << 20)
#define TAIL (UINT64_C(64) << 10)

struct record {
    uint64_t number, square;
    uint8_t more[48];
};

JOURNAL_MAYBE_UNUSED static struct cell_journal_options options(void)
{
    return (struct cell_journal_options){
        .type = "record", .record_size = sizeof(struct record), .segment_bytes = SEGMENT, .tail_bytes = TAIL};
}

JOURNAL_MAYBE_UNUSED static struct cell_journal *open_with(const struct cell_journal_options *o)
{
    struct cell_journal *j = NULL;
    struct cell_error e = {0};
    CHECK_INT(cell_journal_open(temp_path("j"), o, &j, &e), CELL_OK);
    if (!j)
        printf("%s\n", e.text);
    return j;
}

JOURNAL_MAYBE_UNUSED static struct cell_journal *open_journal(void)
{
    struct cell_journal_options o = options();
    return open_with(&o);
}

JOURNAL_MAYBE_UNUSED static void fill(struct record *records, uint64_t first, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        records[i] = (struct record){.number = first + i, .square = (first + i) * (first + i)};
        memset(records[i].more, (int)(first + i), sizeof(records[i].more));
    }
}

JOURNAL_MAYBE_UNUSED static int append(struct cell_journal *j, uint32_t n, struct cell_position *end)
{
    struct cell_error e = {0};
    void *memory = NULL;
    int r = cell_journal_reserve(j, n * (uint32_t)sizeof(struct record), &memory, &e);
    if (r == CELL_OK) {
        fill(memory, cell_journal_committed(j).sequence, n);
        r = cell_journal_commit(j, n, n * (uint32_t)sizeof(struct record), end, &e);
    }
    if (r < 0)
        printf("append: %s\n", e.text);
    return r;
}

JOURNAL_MAYBE_UNUSED static void append_all(struct cell_journal *j, uint64_t n)
{
    for (uint32_t size = 1; n; size = size % 97 + 1) {
        uint32_t some = n < size ? (uint32_t)n : size;
        CHECK_INT(append(j, some, NULL), CELL_OK);
        n -= some;
    }
}

JOURNAL_MAYBE_UNUSED static struct cell_journal_reader *reader(uint32_t flags, const struct cell_position *from)
{
    struct cell_journal_reader_options o = {.flags = flags, .type = "record", .record_size = sizeof(struct record)};
    struct cell_journal_reader *r = NULL;
    struct cell_error e = {0};
    CHECK_INT(cell_journal_reader_open(temp_path("j"), &o, from, &r, &e), CELL_OK);
    if (!r)
        printf("%s\n", e.text);
    return r;
}

/* The span is what was appended at its place. */
JOURNAL_MAYBE_UNUSED static bool is_right(const struct cell_span *s)
{
    const struct record *records = s->records;
    struct record right;
    if (s->bytes != s->count * sizeof(struct record))
        return false;
    for (uint32_t i = 0; i < s->count; i++) {
        fill(&right, s->sequence + i, 1);
        if (memcmp(&right, &records[i], sizeof(right)) != 0)
            return false;
    }
    return true;
}

/* Reads up to `end`; each record follows the one before. */
JOURNAL_MAYBE_UNUSED static void read_to(struct cell_journal_reader *r, uint64_t end)
{
    struct cell_error e = {0};
    struct cell_span s;
    uint64_t next = cell_journal_reader_position(r).sequence;
    while (next < end) {
        int x = cell_journal_read(r, &s, 10000, &e);
        if (x != 1)
            printf("read at %" PRIu64 ": %d %s\n", next, x, e.text);
        CHECK_INT(x, 1);
        if (x != 1)
            return;
        CHECK_INT(s.sequence, next);
        CHECK(is_right(&s));
        if (s.sequence != next)
            return;
        next += s.count;
        CHECK_INT(cell_journal_reader_position(r).sequence, next);
    }
    CHECK_INT(next, end);
}

JOURNAL_MAYBE_UNUSED static int read_one(struct cell_journal_reader *r, int64_t timeout_ms, struct cell_span *s,
                                         struct cell_error *e)
{
    *e = (struct cell_error){0};
    return cell_journal_read(r, s, timeout_ms, e);
}

#endif
