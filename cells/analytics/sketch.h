/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Sketches: what stands for values without having all of them. Both are what they are whatever the order of the values,
 * and two of them are added to what one of all their values would be.
 *
 * Quantiles: DDSketch (Masson, Rim and Lee, 2019), without a bound on its buckets. A value x > 0 counts in the bucket
 * ceil(log(x) / log(g)), g = 1.01 / 0.99, so that what is answered is within 1 % of a value of that rank. Values under
 * 2^-64 in magnitude count as 0, and those above 2^127 as that. So there are at most 13,300 buckets, of which each that
 * is in use takes 16 bytes (of 64-bit integers at most 4,400).
 *
 * Distinct counts: up to 256 hashes as they are (exact), then HyperLogLog (Flajolet and others, 2007) of 4,096
 * registers with the estimator of Ertl (2017): 4 KiB, standard error 1.04 / sqrt(4096) = 1.6 %.
 */
#ifndef CELLS_ANALYTICS_SKETCH_H
#define CELLS_ANALYTICS_SKETCH_H

#include <stdbool.h>
#include <stdint.h>

#define AN_QUANTILE_ERROR 0.01
#define AN_MOST_BUCKETS 13400
#define AN_DISTINCT_EXACT 256
#define AN_REGISTERS 4096

struct an_bucket {
    int32_t at; /* of values: the larger the larger; 0: zero */
    uint32_t reserved;
    uint64_t count;
};

/* NULL is an empty one, everywhere. */
struct an_quantiles {
    uint32_t n, room;
    struct an_bucket buckets[]; /* by `at` */
};

/* False: memory is short, and nothing was counted. NaN is not counted. */
bool an_quantiles_add(struct an_quantiles **q, double value, uint64_t count);
bool an_quantiles_merge(struct an_quantiles **to, const struct an_quantiles *from);
/* The value of rank 1 + quantile * (n - 1), rounded down; 0 of an empty one. */
double an_quantiles_get(const struct an_quantiles *q, double quantile);
/* Makes one of buckets that somebody kept; false: they cannot be, or memory is short. */
bool an_quantiles_restore(struct an_quantiles **q, const struct an_bucket *buckets, uint32_t n);

/* NULL is an empty one, as above. Behind it: hashes of 8 bytes, or registers of one. */
struct an_distinct {
    uint32_t n, room; /* hashes, in order; room 0: there are registers in their place */
};
static inline uint64_t *an_distinct_hashes(const struct an_distinct *d) { return (uint64_t *)(d + 1); }
static inline uint8_t *an_distinct_registers(const struct an_distinct *d) { return (uint8_t *)(d + 1); }

bool an_distinct_add(struct an_distinct **d, uint64_t hash);
bool an_distinct_merge(struct an_distinct **to, const struct an_distinct *from);
double an_distinct_get(const struct an_distinct *d);
bool an_distinct_restore(struct an_distinct **d, const void *bytes, uint32_t n, bool registers);

/* Of `n` bytes; the same in every process, as it is kept. */
uint64_t an_hash(const void *bytes, uint32_t n);

#endif
