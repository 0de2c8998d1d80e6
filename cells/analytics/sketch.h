/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Sketches: what stands for values without having all of them. Both are what they are whatever the order of the values,
 * and two of them are added to what one of all their values would be. Their memory is a pool's, and goes with it.
 *
 * Quantiles: DDSketch (Masson, Rim and Lee, 2019), without a bound on its buckets. Each power of two is divided into 35
 * buckets of the same ratio g = 2^(1/35) = 1.020, so that what is answered is within (g - 1) / (g + 1) = 0.99 % of a
 * value of that rank; and the bucket of a value is found in its exponent and mantissa, without a logarithm. Values
 * under 2^-64 in magnitude count as 0, and those above 2^127 as that. So there are at most 13,373 buckets (of 64-bit
 * integers 4,500), of which each that is in use takes 3 bytes, and up to 10 when one of them has very many values. The
 * last seven values are beside them by their buckets alone: most groups have no more, and others get them all at once.
 *
 * Distinct counts: up to 256 hashes as they are (exact), then HyperLogLog (Flajolet and others, 2007) of 4,096
 * registers with the estimator of Ertl (2017): 4 KiB, standard error 1.04 / sqrt(4096) = 1.6 %.
 */
#ifndef CELLS_ANALYTICS_SKETCH_H
#define CELLS_ANALYTICS_SKETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "pool.h"

#define AN_QUANTILE_ERROR 0.01
#define AN_LARGEST_BUCKET 6686 /* 35 * (127 + 64) + 1; negative values have negative buckets, and 0 bucket 0 */
#define AN_MOST_BUCKETS (2 * AN_LARGEST_BUCKET + 1)
#define AN_FRESH 7
#define AN_DISTINCT_EXACT 256
#define AN_REGISTERS 4096

struct an_buckets; /* in a block of the pool */

/* All zeros is an empty one. */
struct an_quantiles {
    struct an_buckets *kept; /* NULL: none */
    uint16_t n;              /* of those that follow */
    int16_t fresh[AN_FRESH]; /* buckets of values that are not in `kept` yet */
};

/* What an_quantiles_each tells, from the least value to the largest. */
typedef void an_bucket_fn(void *user, int16_t at, uint64_t count);

/* False: memory is short, and the value was not counted. NaN is not counted. */
bool an_quantiles_add(struct an_pool *pool, struct an_quantiles *q, double value);
bool an_quantiles_merge(struct an_pool *pool, struct an_quantiles *to, const struct an_quantiles *from);
/* The value of rank 1 + quantile * (n - 1), rounded down; 0 of an empty one. */
double an_quantiles_get(const struct an_quantiles *q, double quantile);
void an_quantiles_each(const struct an_quantiles *q, an_bucket_fn *fn, void *user);
/* Adds a bucket with so many values, larger than all that the sketch has: so one is made again that somebody kept.
 * False: it cannot be, or memory is short. */
bool an_quantiles_append(struct an_pool *pool, struct an_quantiles *q, int64_t at, uint64_t count);
/* The next value changes buckets that are somewhere else: they are fetched. `values`: about so many there are. */
void an_quantiles_prefetch(const struct an_quantiles *q, uint64_t values);

/* NULL is an empty one. Behind it: hashes of 8 bytes, or registers of one. */
struct an_distinct {
    uint32_t n, room; /* hashes, in order; room 0: there are registers in their place */
};
static inline uint64_t *an_distinct_hashes(const struct an_distinct *d) { return (uint64_t *)(d + 1); }
static inline uint8_t *an_distinct_registers(const struct an_distinct *d) { return (uint8_t *)(d + 1); }

bool an_distinct_add(struct an_pool *pool, struct an_distinct **d, uint64_t hash);
bool an_distinct_merge(struct an_pool *pool, struct an_distinct **to, const struct an_distinct *from);
double an_distinct_get(const struct an_distinct *d);
bool an_distinct_restore(struct an_pool *pool, struct an_distinct **d, const void *bytes, uint32_t n, bool registers);

/* Of `n` bytes; the same in every process, as it is kept. */
uint64_t an_hash(const void *bytes, uint32_t n);

#endif
