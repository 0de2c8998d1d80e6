/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Sleeping until one's request is done. Threads whose results came together are woken together, by one call: each has a
 * bit of a word that all of them sleep on (FUTEX_WAIT_BITSET), which costs who wakes them half of what a word for each
 * does. Bits are given in turns, so that those that are waited for at a time are different ones; threads that share a
 * bit after all are woken for each other, and sleep again.
 */
#include "pool_impl.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BITS 32u

uint32_t pool_seat(struct pg_pool *pool)
{
    return atomic_fetch_add_explicit(&pool->seats, 1, memory_order_relaxed) % (POOL_BELLS * BITS);
}

static atomic_uint *bell_of(struct pg_pool *pool, const struct pg_request *r)
{
    return &pool->bells[r->seat / BITS].rung;
}

uint32_t pool_bell(struct pg_pool *pool, const struct pg_request *r)
{
    return atomic_load_explicit(bell_of(pool, r), memory_order_acquire);
}

void pool_sleep(struct pg_pool *pool, const struct pg_request *r, uint32_t bell, int ms)
{
    uint64_t until_ns = pool_now_ns() + (uint64_t)ms * 1000000;
    const struct timespec until = {(time_t)(until_ns / 1000000000), (long)(until_ns % 1000000000)};

    syscall(SYS_futex, bell_of(pool, r), FUTEX_WAIT_BITSET_PRIVATE, bell, &until, NULL, 1u << r->seat % BITS);
}

void done_add(struct done_list *done, const struct pg_request *r)
{
    done->seats[r->seat / BITS] |= 1u << r->seat % BITS;
}

void done_ring(struct pg_pool *pool, struct done_list *done)
{
    for (uint32_t i = 0; i < POOL_BELLS; i++) {
        uint32_t seats = done->seats[i];
        if (!seats)
            continue;
        done->seats[i] = 0;
        /* Who has looked before is going to sleep on the value of before. */
        atomic_fetch_add_explicit(&pool->bells[i].rung, 1, memory_order_acq_rel);
        syscall(SYS_futex, &pool->bells[i].rung, FUTEX_WAKE_BITSET_PRIVATE, INT32_MAX, NULL, NULL, seats);
    }
}
