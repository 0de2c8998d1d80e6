/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The bare mechanisms that calls are compared with. The peer process sleeps in recv until it is told which of them to
 * serve and how often, so that a mechanism that spins burns no CPU while something else is measured. */
#ifndef BENCH_BASELINE_H
#define BENCH_BASELINE_H

#include <stdatomic.h>

#include "driver.h"
#include "transport/ring.h"

#define LINE 64u
#define RECORD 64u
#define LARGE_RING 4096u
#define LARGE_MESSAGE (64u << 10)
#define COPY (1u << 20)

/* What both processes map. Each word has a line of its own. */
struct shared {
    /* Ping-pong: the line carries the payload and, as its last word, the number of the message. */
    struct {
        _Alignas(LINE) uint64_t payload[7];
        _Atomic uint64_t number;
    } ping, pong;
    _Alignas(LINE) _Atomic uint32_t futex_ping;
    _Alignas(LINE) _Atomic uint32_t futex_pong;
    _Alignas(LINE) _Atomic uint64_t head; /* records that were read */
    _Alignas(LINE) _Atomic uint64_t tail; /* records that were written */
    _Alignas(LINE) uint64_t records[LARGE_RING][RECORD / sizeof(uint64_t)];
};

struct baseline {
    struct shared *shared;
    int commands[2], stream[2], ping_event, pong_event; /* of the pairs [0] is the client's */
    uint64_t number;                                    /* of the last message of the ping-pong */
    uint64_t tail, head;                                /* of the ring: written, and read as last seen */
    uint8_t *from, *to;
    uint64_t sum; /* of what was read, so that reading cannot be left out */
};

/* One look in vain. Yields now and then: on a busy machine both processes may be on one CPU, where spinning on only
 * keeps the other from running. A hot exchange is over long before. */
static inline void relax(unsigned *looks)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
    if ((++*looks & 0x3ff) == 0)
        sched_yield();
}

/* baseline_spin.c: client's side of one run, and the peer's side of `runs` of them. */
void pingpong_run(void *user, const struct bench_case *c);
void pingpong_peer(struct baseline *b, const struct bench_case *c, uint64_t runs);
void ring_run(void *user, const struct bench_case *c);
void ring_peer(struct baseline *b, const struct bench_case *c, uint64_t runs);

#endif
