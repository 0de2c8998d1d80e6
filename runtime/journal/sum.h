/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* XXH3 of what blocks hold, with the widest instructions that the processor has: sums are most of what a reader that is
 * behind does. Included by xxHash's only users, sum.c and sum_avx2.c; the numbers are the same. */
#ifndef CELL_JOURNAL_SUM_H
#define CELL_JOURNAL_SUM_H

#include <stddef.h>
#include <stdint.h>

typedef uint64_t cell_sum_fn(const void *bytes, size_t n, uint64_t seed);

/* Any thread; cannot fail. */
cell_sum_fn cell_journal_sum;
cell_sum_fn cell_journal_sum_avx2; /* only where the processor has it */

#endif
