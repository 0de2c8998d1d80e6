/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What utils/bench/hot runs: one call of a function of the math cell each, on inputs that vary. */
#ifndef BENCH_HOT_CASES_H
#define BENCH_HOT_CASES_H

struct hot_case {
    const char *name;
    double (*run)(long calls); /* the sum of what the calls gave */
};
#define HOT_CASES 14

/* The same source, compiled twice. */
extern const struct hot_case hot_direct_cases[HOT_CASES];   /* with the cell's C */
extern const struct hot_case hot_verified_cases[HOT_CASES]; /* with the functions that the cell served */

#endif
