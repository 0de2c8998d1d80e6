/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What a group has of its records, and what an aggregate is by that. */
#include <math.h>
#include <stdlib.h>

#include "aggregator_impl.h"

struct real_sum {
    double sum, lost; /* what did not fit into `sum` (Neumaier, 1974) */
};
struct variance {
    double mean, squares; /* of the distances from the mean (Welford, 1962) */
};

static void add_real(struct real_sum *s, double value)
{
    double sum = s->sum + value;

    s->lost += fabs(s->sum) >= fabs(value) ? (s->sum - sum) + value : (value - sum) + s->sum;
    s->sum = sum;
}

/* The first value of a group, and any that is less or more. NaN gives way to everything. */
static void take_extreme(const struct an_part *part, union an_number *is, union an_number value, bool first)
{
    int order = first ? 2 : an_order((enum an_class)part->field.class, value, *is);

    if (first || order == (part->kind == PART_MIN ? -1 : 1) || (order == 2 && isnan(is->d)))
        *is = value;
}

static uint64_t hash_of(const struct an_field *field, const void *record)
{
    union an_number n;

    if (field->class == AN_BYTES)
        return an_hash((const uint8_t *)record + field->offset, field->size);
    n = an_load(field, record);
    if (field->class == AN_REAL && n.d == 0)
        n.d = 0; /* -0 is the same */
    return an_hash(&n, 8);
}

static bool add_distinct(struct an_pool *pool, const struct an_part *part, void *at, const void *record)
{
    struct an_distinct *sketch;

    memcpy(&sketch, at, sizeof(sketch));
    bool done = an_distinct_add(pool, &sketch, hash_of(&part->field, record));
    memcpy(at, &sketch, sizeof(sketch));
    return done;
}

static void add_variance(struct variance *v, double value, uint64_t count)
{
    double distance = value - v->mean;

    v->mean += distance / (double)count;
    v->squares += distance * (value - v->mean);
}

/* Parts are at multiples of 8 bytes, a 128-bit sum too: it is copied. */
static void add_sum(void *at, __int128 value)
{
    __int128 sum;

    memcpy(&sum, at, sizeof(sum));
    sum += value;
    memcpy(at, &sum, sizeof(sum));
}

static __int128 whole(enum an_class class, union an_number n)
{
    return class == AN_SIGNED ? (__int128)n.i : (__int128)n.u;
}

bool an_entry_add(const struct an_aggregator *a, struct an_pool *pool, struct an_entry *entry, const void *record)
{
    bool first = entry->count++ == 0;

    for (uint32_t i = 0; i < a->nparts; i++) {
        const struct an_part *part = &a->parts[i];
        enum an_class class = (enum an_class)part->field.class;
        void *at = an_part_at(entry, part);
        switch (part->kind) {
        case PART_SUM:
            add_sum(at, whole(class, an_load(&part->field, record)));
            break;
        case PART_REAL_SUM:
            add_real(at, an_load(&part->field, record).d);
            break;
        case PART_MIN:
        case PART_MAX:
            take_extreme(part, at, an_load(&part->field, record), first);
            break;
        case PART_VARIANCE:
            add_variance(at, an_real(class, an_load(&part->field, record)), entry->count);
            break;
        case PART_QUANTILES:
            if (!an_quantiles_add(pool, at, an_real(class, an_load(&part->field, record))))
                return false;
            break;
        default:
            if (!add_distinct(pool, part, at, record))
                return false;
        }
    }
    return true;
}

void an_entry_prefetch(const struct an_aggregator *a, const struct an_entry *entry)
{
    for (uint32_t i = 0; a->nsketches && i < a->nparts; i++) {
        const void *at = an_part_at(entry, &a->parts[i]), *sketch;
        if (a->parts[i].kind == PART_QUANTILES) {
            an_quantiles_prefetch(at, entry->count);
        } else if (a->parts[i].kind == PART_DISTINCT) {
            memcpy(&sketch, at, sizeof(sketch));
            __builtin_prefetch(sketch, 1);
        }
    }
}

/* Chan, Golub and LeVeque (1983). */
static void merge_variance(struct variance *to, const struct variance *from, double n, double m)
{
    double distance = from->mean - to->mean;

    to->mean += distance * m / (n + m);
    to->squares += from->squares + distance * distance * n * m / (n + m);
}

static bool merge_distinct(struct an_pool *pool, void *at, const void *from_at)
{
    struct an_distinct *to, *from;

    memcpy(&to, at, sizeof(to));
    memcpy(&from, from_at, sizeof(from));
    bool done = an_distinct_merge(pool, &to, from);
    memcpy(at, &to, sizeof(to));
    return done;
}

bool an_entry_merge(const struct an_aggregator *a, struct an_pool *pool, struct an_entry *to,
                    const struct an_entry *from)
{
    for (uint32_t i = 0; i < a->nparts; i++) {
        const struct an_part *part = &a->parts[i];
        void *at = an_part_at(to, part);
        const void *other = an_part_at(from, part);
        __int128 sum;
        switch (part->kind) {
        case PART_SUM:
            memcpy(&sum, other, sizeof(sum));
            add_sum(at, sum);
            break;
        case PART_REAL_SUM:
            add_real(at, ((const struct real_sum *)other)->sum);
            add_real(at, ((const struct real_sum *)other)->lost);
            break;
        case PART_MIN:
        case PART_MAX:
            take_extreme(part, at, *(const union an_number *)other, to->count == 0);
            break;
        case PART_VARIANCE:
            merge_variance(at, other, (double)to->count, (double)from->count);
            break;
        case PART_QUANTILES:
            if (!an_quantiles_merge(pool, at, other))
                return false;
            break;
        default:
            if (!merge_distinct(pool, at, other))
                return false;
        }
    }
    to->count += from->count;
    return true;
}

/* ---- values ---- */

const void *an_entry_key(const struct an_entry *entry) { return entry + 1; }
uint64_t an_entry_records(const struct an_entry *entry) { return entry->count; }

static struct an_value real(double d) { return (struct an_value){.class = AN_REAL, .number = {.d = d}}; }

static double sum_as_real(const struct an_part *part, const void *at)
{
    __int128 sum;

    if (part->kind == PART_REAL_SUM)
        return ((const struct real_sum *)at)->sum + ((const struct real_sum *)at)->lost;
    memcpy(&sum, at, sizeof(sum));
    return (double)sum;
}

static struct an_value sum_of(const struct an_part *part, const void *at)
{
    struct an_value v = {.class = (enum an_class)part->field.class};

    if (part->kind == PART_REAL_SUM)
        return real(sum_as_real(part, at));
    memcpy(&v.sum, at, sizeof(v.sum));
    v.wide = v.class == AN_SIGNED ? v.sum < INT64_MIN || v.sum > INT64_MAX : v.sum > UINT64_MAX;
    v.number.u = (uint64_t)v.sum;
    return v;
}

struct an_value an_value_of(const struct an_aggregator *a, const struct an_entry *entry, uint32_t aggregate)
{
    const struct an_aggregate *is = &a->plan.aggregates[aggregate];
    const struct an_part *part = &a->parts[a->part_of[aggregate]];
    const void *at = an_part_at(entry, part);
    const void *sketch;

    switch (is->kind) {
    case AN_COUNT:
        return (struct an_value){.class = AN_UNSIGNED, .number = {.u = entry->count}};
    case AN_SUM:
        return sum_of(part, at);
    case AN_MIN:
    case AN_MAX:
        return (struct an_value){.class = (enum an_class)part->field.class, .number = *(const union an_number *)at};
    case AN_MEAN:
        return real(sum_as_real(part, at) / (double)entry->count);
    case AN_VARIANCE:
        return real(entry->count > 1 ? ((const struct variance *)at)->squares / (double)(entry->count - 1) : 0);
    case AN_QUANTILE:
        return real(an_quantiles_get(at, is->quantile));
    default:
        memcpy(&sketch, at, sizeof(sketch));
        return (struct an_value){.class = AN_UNSIGNED, .number = {.u = (uint64_t)(an_distinct_get(sketch) + 0.5)}};
    }
}
