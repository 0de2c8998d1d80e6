/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "journal/sum.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <stdlib.h>
#include <string.h>

/* All of xxHash for that processor, as it is inlined into one function. */
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#define XXH_VECTOR 2 /* XXH_AVX2 */
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t cell_journal_sum_avx2(const void *bytes, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, n, seed);
}
#pragma clang attribute pop
#else
uint64_t cell_journal_sum_avx2(const void *bytes, size_t n, uint64_t seed) { return cell_journal_sum(bytes, n, seed); }
#endif
