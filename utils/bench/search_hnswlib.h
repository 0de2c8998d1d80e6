/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* hnswlib as its own programs use it, for vectors that are compared by the cosine. */
#ifndef BENCH_SEARCH_HNSWLIB_H
#define BENCH_SEARCH_HNSWLIB_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bench_hnswlib;
/* Numbers are places in `all`. The same links and breadth as the engine's. */
struct bench_hnswlib *bench_hnswlib_new(const float *all, size_t dimensions, size_t n, unsigned threads);
void bench_hnswlib_free(struct bench_hnswlib *h);
/* Normalizes, too, as the engine does. The number of those that were found. */
uint32_t bench_hnswlib_find(struct bench_hnswlib *h, const float *x, uint32_t k, uint32_t breadth, uint64_t *ids);

#ifdef __cplusplus
}
#endif
#endif
