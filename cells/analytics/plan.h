/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What is to be aggregated, as offsets into records of one size: a definition without its names. */
#ifndef CELLS_ANALYTICS_PLAN_H
#define CELLS_ANALYTICS_PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "filter.h"

#define AN_MOST_KEYS 8
#define AN_MOST_KEY 64 /* bytes of all of them, each filled up to a multiple of 8 */
#define AN_MOST_AGGREGATES 32
#define AN_MOST_PANES 1024 /* windows that are kept, counted by their slides */

/* By the class of its field. */
union an_number {
    int64_t i;
    uint64_t u;
    double d;
};

enum an_kind { AN_COUNT, AN_SUM, AN_MIN, AN_MAX, AN_MEAN, AN_VARIANCE, AN_QUANTILE, AN_DISTINCT };

struct an_aggregate {
    enum an_kind kind;
    struct an_field field; /* not of AN_COUNT */
    double quantile;       /* 0 to 1, of AN_QUANTILE */
};

struct an_plan {
    uint32_t record_size;
    uint32_t nkeys, naggregates;
    struct an_field keys[AN_MOST_KEYS];
    struct an_aggregate aggregates[AN_MOST_AGGREGATES];
    struct an_filter filter;
    uint64_t functions_hash; /* of what the filter calls; 0: nothing */
    /* Windows: [k * slide_us, k * slide_us + window_us) by the field `time`, which is in microseconds. */
    bool windowed;
    struct an_field time; /* 8 bytes, AN_SIGNED */
    int64_t window_us;    /* a multiple of slide_us; the same: windows do not overlap */
    int64_t slide_us;     /* more than 0 */
    int64_t lateness_us;  /* a record so much older than the newest still counts */
    uint32_t panes;       /* how many slides are kept: at least window_us / slide_us */
};

/* Bytes of the keys, with what fills them up. */
static inline uint32_t an_key_bytes(const struct an_plan *plan)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < plan->nkeys; i++)
        n += (plan->keys[i].size + 7u) / 8 * 8;
    return n;
}

/* Packs the keys of a record; numbers are extended to 8 bytes by their sign. */
void an_key_of(const struct an_plan *plan, const void *record, void *key);
/* Of a field that is no AN_BYTES. */
union an_number an_load(const struct an_field *field, const void *record);

static inline double an_real(enum an_class class, union an_number n)
{
    return class == AN_SIGNED ? (double)n.i : class == AN_UNSIGNED ? (double)n.u : n.d;
}

/* -1, 0, 1; 2 when one of them is not a number. */
static inline int an_order(enum an_class class, union an_number a, union an_number b)
{
    if (class == AN_SIGNED)
        return a.i < b.i ? -1 : a.i > b.i;
    if (class == AN_UNSIGNED)
        return a.u < b.u ? -1 : a.u > b.u;
    return a.d < b.d ? -1 : a.d > b.d ? 1 : a.d == b.d ? 0 : 2;
}

#endif
