/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "journal/sum.h"

#include <stdatomic.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static uint64_t sum_plain(const void *bytes, size_t n, uint64_t seed) { return XXH3_64bits_withSeed(bytes, n, seed); }

static cell_sum_fn *choose(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") ? cell_journal_sum_avx2 : sum_plain;
#else
    return sum_plain;
#endif
}

uint64_t cell_journal_sum(const void *bytes, size_t n, uint64_t seed)
{
    static _Atomic(cell_sum_fn *) chosen;
    cell_sum_fn *sum = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (!sum)
        atomic_store_explicit(&chosen, sum = choose(), memory_order_relaxed);
    return sum(bytes, n, seed);
}
