/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Stamps: moments that are cheaper to note than the clock is to read, for what nearly always only has to be noted. When
 * somebody asks, a stamp becomes a time of cell_now_ns, as exact as if the clock had been read then.
 *
 * Where the processor has a counter that always runs at one rate a stamp is that; else it is the clock itself.
 */
#ifndef CELL_BASE_TICKS_H
#define CELL_BASE_TICKS_H

#include "base/util.h"

extern bool cell_ticks_counted; /* written by cell_ticks_begin only */

/* Before the first stamp of this process. Any thread, any number of times. */
void cell_ticks_begin(void);

static inline uint64_t cell_ticks(void)
{
#if defined(__x86_64__)
    if (cell_ticks_counted)
        return __builtin_ia32_rdtsc();
#endif
    return cell_now_ns();
}

/* When the stamp was taken, in cell_now_ns time: never before cell_ticks_begin, never after now. */
uint64_t cell_ticks_ns(uint64_t ticks);

/* The wall clock, for who asks often. Zeroed at the beginning; by one thread at a time. */
struct cell_wall {
    uint64_t ticks, us; /* a look at the clock */
    uint64_t valid;     /* for how many ticks from then on it is enough to count; 0: for none */
    uint64_t rate;      /* us a tick, times 2^32 */
};
/* Microseconds since 1970, after cell_ticks_begin. The clock is looked at once in some 100 us, and counted on between:
 * so late a step of it is seen, and so little it goes back when it is late. */
uint64_t cell_wall_us(struct cell_wall *w);

/* A number of ticks that is less than a second, and more than some tens of milliseconds, whatever a tick is. */
#define CELL_TICKS_SOON (UINT64_C(1) << 28)

#endif
