/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Records of 64 bytes from one thread to another, each on a processor of its own, through another system, as
 * utils/bench/stream.c has them through a journal. Prints records a second.
 */
#ifndef BENCH_STREAM_RUN_H
#define BENCH_STREAM_RUN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "driver.h"

#define RECORD 64u
#define AHEAD UINT64_C(50000) /* records by which the reader may be behind: servers hold as many, and drop none */

struct stream_run {
    uint64_t n;
    const char *where; /* socket, port or folder */
    _Atomic uint64_t read;
    pthread_barrier_t begin; /* both are connected */
};

static inline void stream_pin(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof(set), &set);
}

/* The writer waits with record `i` until the reader is near enough. */
static inline void stream_wait(struct stream_run *s, uint64_t i)
{
    while (i > atomic_load(&s->read) + AHEAD)
        sched_yield();
}

static inline int stream_run(void *(*writer)(void *), void *(*reader)(void *), const char *where, const char *n)
{
    static struct stream_run s;
    pthread_t threads[2];

    s.n = strtoull(n, NULL, 10);
    s.where = where;
    pthread_barrier_init(&s.begin, NULL, 3);
    if (pthread_create(&threads[0], NULL, reader, &s) != 0 || pthread_create(&threads[1], NULL, writer, &s) != 0)
        bench_die("a thread cannot be made");
    pthread_barrier_wait(&s.begin);
    uint64_t from = bench_now_ns();
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    printf("%.1f\n", (double)s.n * 1e9 / (double)(bench_now_ns() - from));
    return 0;
}

#endif
