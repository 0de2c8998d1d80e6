/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "aggregator_impl.h"

#include <stdlib.h>
#include <sys/random.h>

#define BATCH 64 /* records between whose memory accesses there is time for each other */

/* ---- the plan ---- */

static enum an_part_kind part_kind(const struct an_aggregate *aggregate)
{
    switch (aggregate->kind) {
    case AN_MIN:
        return PART_MIN;
    case AN_MAX:
        return PART_MAX;
    case AN_VARIANCE:
        return PART_VARIANCE;
    case AN_QUANTILE:
        return PART_QUANTILES;
    case AN_DISTINCT:
        return PART_DISTINCT;
    default:
        return aggregate->field.class == AN_REAL ? PART_REAL_SUM : PART_SUM;
    }
}

static uint32_t part_size(enum an_part_kind kind)
{
    if (kind == PART_QUANTILES)
        return sizeof(struct an_quantiles);
    return kind == PART_SUM || kind == PART_REAL_SUM || kind == PART_VARIANCE ? 16 : 8;
}

static void lay_out(struct an_aggregator *a)
{
    uint32_t at = (uint32_t)sizeof(struct an_entry) + a->key_bytes;

    for (uint32_t i = 0; i < a->plan.naggregates; i++) {
        const struct an_aggregate *aggregate = &a->plan.aggregates[i];
        enum an_part_kind kind = part_kind(aggregate);
        uint32_t k = 0;
        if (aggregate->kind == AN_COUNT)
            continue;
        while (k < a->nparts && (a->parts[k].kind != kind || a->parts[k].field.offset != aggregate->field.offset ||
                                 a->parts[k].field.size != aggregate->field.size))
            k++;
        a->part_of[i] = k;
        if (k < a->nparts)
            continue;
        a->parts[a->nparts++] = (struct an_part){kind, aggregate->field, at};
        a->nsketches += kind == PART_QUANTILES || kind == PART_DISTINCT;
        at += part_size(kind);
    }
    a->entry_bytes = at;
}

static bool is_inside(const struct an_plan *plan, const struct an_field *field, bool number)
{
    bool sized = field->class == AN_BYTES  ? !number && field->size > 0
                 : field->class == AN_REAL ? field->size == 4 || field->size == 8
                                           : field->class <= AN_UNSIGNED && (field->size == 1 || field->size == 2 ||
                                                                             field->size == 4 || field->size == 8);

    return sized && field->offset <= plan->record_size && field->size <= plan->record_size - field->offset;
}

static bool is_possible(const struct an_plan *p)
{
    bool good = p->nkeys <= AN_MOST_KEYS && p->naggregates <= AN_MOST_AGGREGATES && p->record_size > 0 &&
                an_filter_is_sound(&p->filter, p->record_size);

    for (uint32_t i = 0; good && i < p->nkeys; i++)
        good = is_inside(p, &p->keys[i], false) && p->keys[i].class != AN_REAL;
    for (uint32_t i = 0; good && i < p->naggregates; i++)
        good = p->aggregates[i].kind == AN_COUNT ||
               (p->aggregates[i].kind <= AN_DISTINCT &&
                is_inside(p, &p->aggregates[i].field, p->aggregates[i].kind != AN_DISTINCT) &&
                p->aggregates[i].quantile >= 0 && p->aggregates[i].quantile <= 1);
    if (good && p->windowed)
        good = is_inside(p, &p->time, true) && p->time.size == 8 && p->time.class == AN_SIGNED && p->slide_us > 0 &&
               p->slide_us <= INT64_MAX / AN_MOST_PANES && p->window_us >= p->slide_us &&
               p->window_us % p->slide_us == 0 && p->lateness_us >= 0 && p->panes >= p->window_us / p->slide_us &&
               p->panes <= AN_MOST_PANES;
    return good && an_key_bytes(p) <= AN_MOST_KEY;
}

int an_open(const struct an_plan *plan, struct an_aggregator **a, struct an_failure *f)
{
    if (!is_possible(plan))
        return an_fail(f, CELL_INVALID_ARGUMENT, "this cannot be aggregated");
    struct an_aggregator *made = calloc(1, sizeof(*made));
    if (!made)
        return an_fail(f, CELL_NO_MEMORY, "out of memory");
    made->plan = *plan;
    made->key_bytes = an_key_bytes(plan);
    made->counters.newest_us = INT64_MIN;
    made->tick = 1;
    if (getrandom(&made->seed, sizeof(made->seed), GRND_NONBLOCK) < 0)
        made->seed = (uintptr_t)made;
    lay_out(made);
    *a = made;
    return CELL_OK;
}

void an_close(struct an_aggregator *a)
{
    if (!a)
        return;
    for (uint32_t i = 0; i < a->npanes; i++)
        an_pane_free(a->panes[i]);
    free(a->changes);
    free(a->saving.bytes);
    free(a);
}

/* ---- windows ---- */

int64_t an_pane_begin(const struct an_plan *plan, int64_t time_us)
{
    int64_t into = time_us % plan->slide_us;

    into += into < 0 ? plan->slide_us : 0;
    return time_us < INT64_MIN + into ? INT64_MIN : time_us - into;
}

/* Where in the list a pane that begins then is, or would be. The newest are asked for the most. */
static uint32_t pane_place(const struct an_aggregator *a, int64_t begin_us)
{
    uint32_t i = a->npanes;

    while (i > 0 && a->panes[i - 1]->begin_us >= begin_us)
        i--;
    return i;
}

struct an_pane *an_pane_at(const struct an_aggregator *a, int64_t time_us)
{
    int64_t begin = a->plan.windowed ? an_pane_begin(&a->plan, time_us) : 0;
    uint32_t i = pane_place(a, begin);

    return i < a->npanes && a->panes[i]->begin_us == begin ? a->panes[i] : NULL;
}

static int64_t minus(int64_t a, int64_t b)
{
    int64_t r;

    return __builtin_sub_overflow(a, b, &r) ? INT64_MIN : r;
}

/* Whether a record of the window that begins then comes too late: the time is further than its end and the lateness, or
 * the window is older than those that are kept. */
static bool is_late(const struct an_aggregator *a, int64_t begin_us)
{
    const struct an_plan *p = &a->plan;
    int64_t newest = a->counters.newest_us;

    if (newest == INT64_MIN)
        return false;
    return begin_us <= minus(minus(newest, p->lateness_us), p->slide_us) || begin_us <= an_forgotten(a);
}

int64_t an_forgotten(const struct an_aggregator *a)
{
    const struct an_plan *p = &a->plan;

    return minus(an_pane_begin(p, a->counters.newest_us), (int64_t)p->panes * p->slide_us);
}

static void forget_old(struct an_aggregator *a)
{
    int64_t oldest = an_forgotten(a);
    uint32_t n = 0;

    while (n < a->npanes && a->panes[n]->begin_us <= oldest) {
        an_save_pane(a, a->panes[n]);
        a->counters.groups -= a->panes[n]->count;
        an_pane_free(a->panes[n++]);
    }
    a->npanes -= n;
    memmove(a->panes, a->panes + n, a->npanes * sizeof(a->panes[0]));
}

struct an_pane *an_pane_add(struct an_aggregator *a, int64_t begin_us)
{
    struct an_pane *pane = an_pane_new(begin_us);
    uint32_t i = pane_place(a, begin_us);

    if (!pane)
        return NULL;
    memmove(a->panes + i + 1, a->panes + i, (a->npanes - i) * sizeof(a->panes[0]));
    a->panes[i] = pane;
    a->npanes++;
    return pane;
}

/* ---- taking records ---- */

/* Records whose memory is on its way. */
struct batch {
    uint32_t n;
    const uint8_t *records[BATCH];
    struct an_pane *panes[BATCH];
    struct an_entry *entries[BATCH];
    uint64_t hashes[BATCH];
    uint64_t keys[BATCH][AN_MOST_KEY / 8];
};

static void note_change(struct an_aggregator *a, const struct an_pane *pane, uint32_t index, struct an_entry *entry)
{
    if (entry->tick == a->tick)
        return;
    entry->tick = a->tick;
    a->changes[a->nchanges++ % MOST_CHANGES] = (struct an_change){a->tick, pane->begin_us, index};
}

/* The entry of the i-th record, saved before it changes if it has to be. */
static bool find_entry(struct an_aggregator *a, struct batch *b, uint32_t i)
{
    struct an_pane *pane = b->panes[i];
    uint32_t before = pane->count, index = an_pane_take(a, pane, b->keys[i], b->hashes[i]);

    if (index == UINT32_MAX)
        return false;
    a->counters.groups += pane->count - before;
    if (pane->npending && index < pane->to_save && pane->pending[index >> CHUNK_BITS])
        an_save_chunk(a, pane, index >> CHUNK_BITS);
    b->entries[i] = an_pane_entry(a, pane, index);
    an_entry_prefetch(a, b->entries[i]);
    if (a->followers)
        note_change(a, pane, index, b->entries[i]);
    return true;
}

static bool flush(struct an_aggregator *a, struct batch *b)
{
    bool done = true;

    for (uint32_t i = 0; i < b->n; i++)
        an_pane_prefetch_entry(a, b->panes[i], b->hashes[i]);
    for (uint32_t i = 0; done && i < b->n; i++)
        done = find_entry(a, b, i);
    for (uint32_t i = 0; done && i < b->n; i++)
        done = an_entry_add(a, &b->panes[i]->pool, b->entries[i], b->records[i]);
    b->n = 0;
    return done;
}

/* The pane of a record, NULL: it is late. What was gathered is counted before panes go. */
static bool find_pane(struct an_aggregator *a, struct batch *b, const uint8_t *record, struct an_pane **pane)
{
    int64_t time = a->plan.windowed ? an_load(&a->plan.time, record).i : 0;
    int64_t begin = a->plan.windowed ? an_pane_begin(&a->plan, time) : 0;

    *pane = NULL;
    if (a->plan.windowed && is_late(a, begin)) {
        a->counters.late++;
        return true;
    }
    if (a->plan.windowed && time > a->counters.newest_us)
        a->counters.newest_us = time;
    if (a->npanes > 0 && a->panes[a->npanes - 1]->begin_us == begin) {
        *pane = a->panes[a->npanes - 1];
        return true;
    }
    *pane = an_pane_at(a, time);
    if (*pane)
        return true;
    if (!flush(a, b))
        return false;
    if (a->plan.windowed)
        forget_old(a);
    *pane = an_pane_add(a, begin);
    return *pane != NULL;
}

int an_take(struct an_aggregator *a, const void *records, uint32_t count, struct an_failure *f)
{
    const uint8_t *at = records;
    struct an_pane *pane;
    struct batch b;
    bool done = true;

    b.n = 0;
    a->tick++;
    for (uint32_t i = 0; done && i < count; i++, at += a->plan.record_size) {
        if (!an_filter_passes(&a->plan.filter, at))
            continue;
        a->counters.passed++;
        done = find_pane(a, &b, at, &pane);
        if (!done || !pane)
            continue;
        b.panes[b.n] = pane;
        an_key_of(&a->plan, at, b.keys[b.n]);
        b.hashes[b.n] = an_key_hash(a, b.keys[b.n]);
        b.records[b.n] = at;
        an_pane_prefetch(pane, b.hashes[b.n]);
        if (++b.n == BATCH)
            done = flush(a, &b);
    }
    done = done && flush(a, &b);
    a->counters.taken += count;
    return done ? CELL_OK : an_fail(f, CELL_NO_MEMORY, "out of memory for groups");
}

struct an_counters an_counters(const struct an_aggregator *a)
{
    struct an_counters c = a->counters;

    for (uint32_t i = 0; i < a->npanes; i++) {
        const struct an_pane *pane = a->panes[i];
        uint64_t own = (uint64_t)pane->nchunks * CHUNK * a->entry_bytes + pane->table_bytes;
        c.bytes += own;
        c.sketch_bytes += pane->pool.taken - own;
    }
    return c;
}

/* ---- following ---- */

bool an_follow(struct an_aggregator *a)
{
    if (!a->changes)
        a->changes = calloc(MOST_CHANGES, sizeof(*a->changes));
    a->followers += a->changes != NULL;
    return a->changes != NULL;
}

void an_unfollow(struct an_aggregator *a) { a->followers--; }

uint64_t an_changes_end(const struct an_aggregator *a) { return a->nchanges; }

bool an_changes_get(const struct an_aggregator *a, uint64_t number, struct an_change *change)
{
    if (number >= a->nchanges || a->nchanges - number > MOST_CHANGES)
        return false;
    *change = a->changes[number % MOST_CHANGES];
    return true;
}

const void *an_change_key(const struct an_aggregator *a, const struct an_change *change)
{
    struct an_pane *pane = an_pane_at(a, change->begin_us);

    return pane && change->index < pane->count ? an_entry_key(an_pane_entry(a, pane, change->index)) : NULL;
}
