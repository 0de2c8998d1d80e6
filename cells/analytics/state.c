/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "state_impl.h"

#include <stdlib.h>
#include <zlib.h>

uint32_t an_crc(uint32_t before, const void *bytes, size_t n) { return (uint32_t)crc32_z(before, bytes, n); }

static uint64_t mix_field(uint64_t h, const struct an_field *field)
{
    const uint64_t words[] = {h, field->offset, field->size, field->class};

    return an_hash(words, sizeof(words));
}

uint64_t an_plan_hash(const struct an_plan *plan)
{
    const uint64_t sizes[] = {plan->record_size, plan->nkeys, plan->naggregates, plan->filter.nops, plan->windowed};
    uint64_t h = an_hash(sizes, sizeof(sizes));

    for (uint32_t i = 0; i < plan->nkeys; i++)
        h = mix_field(h, &plan->keys[i]);
    for (uint32_t i = 0; i < plan->naggregates; i++) {
        const struct an_aggregate *aggregate = &plan->aggregates[i];
        h = mix_field(h ^ (uint64_t)aggregate->kind, &aggregate->field);
    }
    for (uint32_t i = 0; i < plan->filter.nops; i++) {
        const struct an_step *op = &plan->filter.ops[i];
        uint64_t words[4] = {h, op->code * 2u + op->immediate, (uint64_t)op->text << 32 | op->jump};
        h = mix_field(an_hash(words, sizeof(words)) ^ an_hash(&op->number, sizeof(op->number)), &op->field);
    }
    h ^= an_hash(plan->filter.text, plan->filter.ntext) ^ plan->functions_hash;
    if (plan->windowed) {
        const uint64_t windows[] = {h, (uint64_t)plan->window_us, (uint64_t)plan->slide_us, (uint64_t)plan->lateness_us,
                                    plan->panes};
        h = mix_field(an_hash(windows, sizeof(windows)), &plan->time);
    }
    return h;
}

/* ---- bytes ---- */

static void put(struct an_saving *s, const void *bytes, size_t n)
{
    if (s->failed || n > s->room - s->length) {
        size_t room = (s->length + n) * 2;
        uint8_t *larger = s->failed ? NULL : realloc(s->bytes, room);
        s->failed = !larger;
        if (s->failed)
            return;
        s->bytes = larger;
        s->room = room;
    }
    memcpy(s->bytes + s->length, bytes, n);
    s->length += n;
}

static void put_bucket(void *user, int16_t at, uint64_t count)
{
    struct an_saving *s = user;
    uint8_t bytes[MOST_BUCKET_BYTES];
    size_t n = sizeof(at);

    memcpy(bytes, &at, sizeof(at));
    for (; count > 0x7f; count >>= 7)
        bytes[n++] = (uint8_t)(0x80 | (count & 0x7f));
    bytes[n++] = (uint8_t)count;
    put(s, bytes, n);
    s->buckets++;
}

static void put_quantiles(struct an_saving *s, const struct an_quantiles *q)
{
    size_t at = s->length;
    uint32_t words[2] = {0};

    put(s, words, sizeof(words));
    s->buckets = 0;
    an_quantiles_each(q, put_bucket, s);
    put(s, &(uint64_t){0}, -(s->length - at) & 7);
    words[0] = s->buckets;
    words[1] = (uint32_t)(s->length - at - sizeof(words));
    if (!s->failed)
        memcpy(s->bytes + at, words, sizeof(words));
}

static void put_distinct(struct an_saving *s, const struct an_distinct *d)
{
    bool registers = d && d->room == 0;
    const uint32_t words[] = {registers ? AN_REGISTERS : d ? d->n : 0, registers};

    put(s, words, sizeof(words));
    if (d && words[0])
        put(s, d + 1, registers ? AN_REGISTERS : words[0] * sizeof(uint64_t));
}

static void put_entry(struct an_aggregator *a, const struct an_entry *entry)
{
    struct an_saving *s = &a->saving;
    const void *sketch;

    put(s, &entry->count, 8);
    put(s, entry + 1, a->key_bytes);
    for (uint32_t i = 0; i < a->nparts; i++) {
        const struct an_part *part = &a->parts[i];
        const void *at = an_part_at(entry, part);
        if (part->kind == PART_QUANTILES) {
            put_quantiles(s, at);
        } else if (part->kind == PART_DISTINCT) {
            memcpy(&sketch, at, sizeof(sketch));
            put_distinct(s, sketch);
        } else {
            put(s, at, part->kind == PART_MIN || part->kind == PART_MAX ? 8 : 16);
        }
    }
}

/* ---- pieces ---- */

void an_save_chunk(struct an_aggregator *a, struct an_pane *pane, uint32_t chunk)
{
    struct an_saving *s = &a->saving;
    struct piece piece = {.what = PIECE, .begin_us = pane->begin_us, .first = chunk << CHUNK_BITS};
    size_t at = s->length;

    piece.count = pane->to_save - piece.first < CHUNK ? pane->to_save - piece.first : CHUNK;
    put(s, &piece, sizeof(piece));
    for (uint32_t i = 0; i < piece.count; i++)
        put_entry(a, an_pane_entry(a, pane, piece.first + i));
    pane->pending[chunk] = 0;
    pane->npending--;
    if (s->failed)
        return;
    piece.bytes = s->length - at - sizeof(piece);
    memcpy(s->bytes + at, &piece, sizeof(piece));
    piece.crc = an_crc(0, s->bytes + at + 8, s->length - at - 8);
    memcpy(s->bytes + at, &piece, sizeof(piece));
    s->pieces++;
    s->entries += piece.count;
}

void an_save_pane(struct an_aggregator *a, struct an_pane *pane)
{
    for (uint32_t i = 0; pane->npending; i++)
        if (pane->pending[i])
            an_save_chunk(a, pane, i);
}

static bool mark(struct an_pane *pane)
{
    uint32_t n = (pane->count + CHUNK - 1) / CHUNK;
    uint8_t *pending = realloc(pane->pending, n ? n : 1);

    if (!pending)
        return false;
    memset(pending, 1, n);
    pane->pending = pending;
    pane->npending = n;
    pane->to_save = pane->count;
    return true;
}

int an_save_begin(struct an_aggregator *a, const struct an_place *place, struct an_failure *f)
{
    struct head head = {.magic = MAGIC,
                        .plan = an_plan_hash(&a->plan),
                        .sequence = place->position.sequence,
                        .offset = place->position.offset,
                        .epoch = place->position.epoch,
                        .missed = place->missed,
                        .taken = a->counters.taken,
                        .passed = a->counters.passed,
                        .late = a->counters.late,
                        .newest_us = a->counters.newest_us};
    bool good = true;

    an_save_cancel(a);
    head.crc = an_crc(0, &head.plan, sizeof(head) - 16);
    put(&a->saving, &head, sizeof(head));
    for (uint32_t i = 0; good && i < a->npanes; i++)
        good = mark(a->panes[i]);
    if (!good || a->saving.failed) {
        an_save_cancel(a);
        return an_fail(f, CELL_NO_MEMORY, "out of memory");
    }
    a->saving.active = true;
    return CELL_OK;
}

static struct an_pane *next_pane(struct an_aggregator *a)
{
    for (uint32_t i = 0; i < a->npanes; i++)
        if (a->panes[i]->npending)
            return a->panes[i];
    return NULL;
}

/* The first of the pane's chunks that is to be saved. */
static void save_next(struct an_aggregator *a, struct an_pane *pane)
{
    uint32_t i = 0;

    while (!pane->pending[i])
        i++;
    an_save_chunk(a, pane, i);
}

int an_save_step(struct an_aggregator *a, size_t bytes, const void **data, size_t *n, struct an_failure *f)
{
    struct an_saving *s = &a->saving;
    struct an_pane *pane;

    while ((pane = next_pane(a)) && s->length < bytes && !s->failed)
        save_next(a, pane);
    if (!pane && !s->failed) {
        struct end end = {.what = END, .pieces = s->pieces, .groups = s->entries};
        end.crc = an_crc(0, &end.pieces, sizeof(end) - 8);
        put(s, &end, sizeof(end));
    }
    if (s->failed) {
        an_save_cancel(a);
        return an_fail(f, CELL_NO_MEMORY, "out of memory for a snapshot");
    }
    *data = s->bytes;
    *n = s->length;
    s->length = 0;
    s->active = pane != NULL;
    return pane != NULL;
}

void an_save_cancel(struct an_aggregator *a)
{
    for (uint32_t i = 0; i < a->npanes; i++)
        a->panes[i]->npending = 0;
    free(a->saving.bytes);
    a->saving = (struct an_saving){.active = false};
}
