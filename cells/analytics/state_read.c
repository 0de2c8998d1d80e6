/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What was saved becomes an aggregator again. The bytes are somebody's: all of them are checked. */
#include <stdlib.h>

#include "state_impl.h"

struct reading {
    const uint8_t *at;
    size_t left;
    struct an_failure *f;
    uint64_t *uncounted; /* records that no group has yet: counters that begin too high would overflow */
};

static int damaged(struct reading *r, const char *what)
{
    return an_fail(r->f, CELL_DATA_LOSS, "a snapshot is damaged: %s", what);
}

static const void *take(struct reading *r, size_t n)
{
    const void *at = r->at;

    if (n > r->left)
        return NULL;
    r->at += n;
    r->left -= n;
    return at;
}

static bool copy(struct reading *r, void *to, size_t n)
{
    const void *from = take(r, n);

    if (from && n)
        memcpy(to, from, n);
    return from != NULL;
}

static bool read_count(struct reading *r, uint64_t *count)
{
    const uint8_t *byte;

    *count = 0;
    for (uint32_t shift = 0; shift < 64; shift += 7) {
        byte = take(r, 1);
        if (!byte || (shift == 63 && *byte > 1))
            return false;
        *count |= (uint64_t)(*byte & 0x7f) << shift;
        if (*byte < 0x80)
            return true;
    }
    return false;
}

/* Of a group of so many records. */
static bool read_quantiles(struct reading *r, struct an_pool *pool, uint64_t records, struct an_quantiles *q)
{
    uint64_t all = 0, count;
    uint32_t words[2];
    int16_t at;

    if (!copy(r, words, sizeof(words)) || words[0] > AN_MOST_BUCKETS || words[1] % 8)
        return false;
    struct reading buckets = {take(r, words[1]), words[1], r->f, r->uncounted};
    if (!buckets.at)
        return false;
    for (uint32_t i = 0; i < words[0]; i++)
        if (!copy(&buckets, &at, sizeof(at)) || !read_count(&buckets, &count) ||
            __builtin_add_overflow(all, count, &all) || all > records || !an_quantiles_append(pool, q, at, count))
            return false;
    return buckets.left < 8;
}

/* Hashes in memory that is aligned for them. */
static bool read_distinct(struct reading *r, struct an_pool *pool, struct an_distinct **d)
{
    uint64_t aligned[AN_REGISTERS / sizeof(uint64_t)];
    uint32_t words[2];

    if (!copy(r, words, sizeof(words)) || words[1] > 1)
        return false;
    size_t n = words[0] * (words[1] ? 1 : sizeof(uint64_t));
    return n <= sizeof(aligned) && copy(r, aligned, n) &&
           an_distinct_restore(pool, d, aligned, words[0], words[1] != 0);
}

static bool read_parts(struct reading *r, const struct an_aggregator *a, struct an_pool *pool, struct an_entry *entry)
{
    for (uint32_t i = 0; i < a->nparts; i++) {
        const struct an_part *part = &a->parts[i];
        void *at = an_part_at(entry, part);
        struct an_distinct *distinct = NULL;
        bool done;
        if (part->kind == PART_QUANTILES) {
            done = read_quantiles(r, pool, entry->count, at);
        } else if (part->kind == PART_DISTINCT) {
            done = read_distinct(r, pool, &distinct);
            memcpy(at, &distinct, sizeof(distinct));
        } else {
            done = copy(r, at, part->kind == PART_MIN || part->kind == PART_MAX ? 8 : 16);
        }
        if (!done)
            return false;
    }
    return true;
}

static int read_groups(struct reading *r, struct an_aggregator *a, struct an_pane *pane, uint32_t count)
{
    uint64_t key[AN_MOST_KEY / 8 + 1], records;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t before = pane->count;
        if (!copy(r, &records, 8) || records == 0 || !copy(r, key, a->key_bytes))
            return damaged(r, "a group ends too early");
        if (records > *r->uncounted)
            return damaged(r, "its groups have more records than were counted");
        *r->uncounted -= records;
        uint32_t index = an_pane_take(a, pane, key, an_key_hash(a, key));
        if (index == UINT32_MAX)
            return an_fail(r->f, CELL_NO_MEMORY, "out of memory");
        if (pane->count == before)
            return damaged(r, "a group is there twice");
        struct an_entry *entry = an_pane_entry(a, pane, index);
        entry->count = records;
        a->counters.groups++;
        if (!read_parts(r, a, &pane->pool, entry))
            return damaged(r, "what a group has cannot be");
    }
    return CELL_OK;
}

static bool is_kept(const struct an_aggregator *a, int64_t begin_us)
{
    const struct an_plan *p = &a->plan;

    if (!p->windowed)
        return begin_us == 0;
    return a->counters.newest_us != INT64_MIN && an_pane_begin(p, begin_us) == begin_us && begin_us > an_forgotten(a) &&
           begin_us <= an_pane_begin(p, a->counters.newest_us);
}

static int read_piece(struct reading *r, struct an_aggregator *a, const struct piece *piece)
{
    struct an_pane *pane;

    if (piece->count == 0 || piece->count > CHUNK || !is_kept(a, piece->begin_us))
        return damaged(r, "a piece cannot be");
    pane = an_pane_at(a, piece->begin_us);
    if (!pane) {
        pane = an_pane_add(a, piece->begin_us);
        if (!pane)
            return an_fail(r->f, CELL_NO_MEMORY, "out of memory");
    }
    struct reading payload = {take(r, piece->bytes), piece->bytes, r->f, r->uncounted};
    int x = read_groups(&payload, a, pane, piece->count);
    return x < 0 || payload.left == 0 ? x : damaged(r, "a piece has more than its groups");
}

/* What follows is in r->at; the sum is over all of it, and the payload of a piece. */
static bool is_sound(const struct reading *r, uint32_t crc, size_t head, size_t payload)
{
    return payload <= r->left && head <= r->left - payload && an_crc(0, r->at + 8, head + payload - 8) == crc;
}

static int read_pieces(struct reading *r, struct an_aggregator *a)
{
    uint64_t pieces = 0;
    struct piece piece;
    struct end end;
    int x = CELL_OK;

    for (; x >= 0; pieces++) {
        uint32_t what;
        if (r->left < sizeof(end))
            return damaged(r, "it has no end");
        memcpy(&what, r->at, 4);
        if (what == END)
            break;
        if (r->left < sizeof(piece))
            return damaged(r, "it has no end");
        memcpy(&piece, r->at, sizeof(piece));
        if (what != PIECE || !is_sound(r, piece.crc, sizeof(piece), piece.bytes))
            return damaged(r, "a sum is wrong");
        take(r, sizeof(piece));
        x = read_piece(r, a, &piece);
    }
    if (x < 0)
        return x;
    memcpy(&end, r->at, sizeof(end));
    if (!is_sound(r, end.crc, sizeof(end), 0) || end.pieces != pieces || end.groups != a->counters.groups ||
        r->left != sizeof(end))
        return damaged(r, "its end is another's");
    return CELL_OK;
}

int an_restore(const struct an_plan *plan, const void *bytes, size_t n, struct an_aggregator **a,
               struct an_place *place, struct an_failure *f)
{
    uint64_t uncounted = 0;
    struct reading r = {bytes, n, f, &uncounted};
    struct an_aggregator *made = NULL;
    struct head head;

    if (!copy(&r, &head, sizeof(head)) || memcmp(head.magic, MAGIC, 8) != 0 || head.zero ||
        an_crc(0, &head.plan, sizeof(head) - 16) != head.crc)
        return damaged(&r, "its head");
    if (head.plan != an_plan_hash(plan))
        return an_fail(f, CELL_DATA_LOSS, "the snapshot is of another definition");
    if (head.taken > INT64_MAX || head.passed > head.taken || head.late > head.passed)
        return damaged(&r, "its head");
    uncounted = head.passed - head.late;
    int x = an_open(plan, &made, f);
    if (x < 0)
        return x;
    made->counters.taken = head.taken;
    made->counters.passed = head.passed;
    made->counters.late = head.late;
    made->counters.newest_us = head.newest_us;
    x = read_pieces(&r, made);
    if (x < 0) {
        an_close(made);
        return x;
    }
    *place = (struct an_place){{head.sequence, head.offset, head.epoch}, head.missed};
    *a = made;
    return CELL_OK;
}
