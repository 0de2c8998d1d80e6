/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "base/ticks.h"

#include <pthread.h>
#include <time.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* A clock reading between two stamps that are further apart than this was interrupted, and is tried again. */
#define CLOSE 2000u
#define TRIES 10
/* A wall clock is counted on for so many ticks, when the counter's rate is known from so many times more. */
#define WALL_TICKS (UINT64_C(1) << 18)
#define WALL_SPANS 16

bool cell_ticks_counted;
static uint64_t first_ticks, first_ns;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool has_constant_counter(void)
{
#if defined(__x86_64__)
    unsigned a, b, c, d;
    return __get_cpuid(0x80000007u, &a, &b, &c, &d) && (d & 1u << 8);
#else
    return false;
#endif
}

/* A stamp and the clock at the same moment. */
static void both(uint64_t *ticks, uint64_t *ns)
{
    uint64_t before, after;
    int tries = 0;
    do {
        before = cell_ticks();
        *ns = cell_now_ns();
        after = cell_ticks();
    } while (after - before > CLOSE && ++tries < TRIES);
    *ticks = before + (after - before) / 2;
}

static void begin(void)
{
    cell_ticks_counted = has_constant_counter();
    both(&first_ticks, &first_ns);
}

void cell_ticks_begin(void) { pthread_once(&once, begin); }

/* The counter's rate is that of all the time since the beginning: what is asked for is a small part of it. */
uint64_t cell_ticks_ns(uint64_t ticks)
{
    uint64_t now_ticks, now_ns;
    if (!cell_ticks_counted)
        return ticks;
    both(&now_ticks, &now_ns);
    uint64_t age = now_ticks - ticks, span = now_ticks - first_ticks;
    if (age == 0 || age > INT64_MAX) /* the counters of two CPUs may differ by a little */
        return now_ns;
    if (age >= span)
        return first_ns;
    return now_ns - (uint64_t)((unsigned __int128)(now_ns - first_ns) * age / span);
}

static uint64_t look(struct cell_wall *w)
{
    struct timespec t;
    uint64_t before, after, ticks, ns;
    int tries = 0;
    do {
        before = cell_ticks();
        clock_gettime(CLOCK_REALTIME, &t);
        after = cell_ticks();
    } while (after - before > CLOSE && ++tries < TRIES);
    w->us = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
    w->ticks = after;
    w->valid = 0;
    if (!cell_ticks_counted || after - before > CLOSE)
        return w->us;
    both(&ticks, &ns);
    if (ticks - first_ticks >= WALL_SPANS * WALL_TICKS) {
        w->rate = (uint64_t)((((unsigned __int128)(ns - first_ns)) << 32) / 1000 / (ticks - first_ticks));
        w->valid = WALL_TICKS;
    }
    return w->us;
}

uint64_t cell_wall_us(struct cell_wall *w)
{
    uint64_t passed = cell_ticks() - w->ticks;
    return passed < w->valid ? w->us + ((passed * w->rate) >> 32) : look(w);
}
