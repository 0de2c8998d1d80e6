/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What two processes can exchange through shared memory when both spin: one line there and back, and a ring. */
#include "baseline.h"

/* ---- ping-pong of one cache line ---- */

void pingpong_run(void *user, const struct bench_case *c)
{
    (void)c;
    struct baseline *b = user;
    struct shared *s = b->shared;
    uint64_t number = ++b->number;
    unsigned looks = 0;
    for (int i = 0; i < 7; i++)
        s->ping.payload[i] = number;
    atomic_store_explicit(&s->ping.number, number, memory_order_release);
    while (atomic_load_explicit(&s->pong.number, memory_order_acquire) != number)
        relax(&looks);
    for (int i = 0; i < 7; i++)
        b->sum += s->pong.payload[i];
}

void pingpong_peer(struct baseline *b, const struct bench_case *c, uint64_t runs)
{
    (void)c;
    struct shared *s = b->shared;
    for (uint64_t k = 0; k < runs; k++) {
        uint64_t number = ++b->number;
        unsigned looks = 0;
        while (atomic_load_explicit(&s->ping.number, memory_order_acquire) != number)
            relax(&looks);
        for (int i = 0; i < 7; i++)
            s->pong.payload[i] = s->ping.payload[i];
        atomic_store_explicit(&s->pong.number, number, memory_order_release);
    }
}

/* ---- single-producer single-consumer ring, indices cached and published once a batch ---- */

void ring_run(void *user, const struct bench_case *c)
{
    struct baseline *b = user;
    struct shared *s = b->shared;
    uint64_t capacity = c->size, end = b->tail + c->operations;
    unsigned looks = 0;
    while (b->tail < end) {
        uint64_t batch_end = b->tail + c->batch;
        while (batch_end - b->head > capacity) {
            b->head = atomic_load_explicit(&s->head, memory_order_acquire);
            if (batch_end - b->head > capacity)
                relax(&looks);
        }
        for (; b->tail < batch_end; b->tail++) {
            uint64_t *record = s->records[b->tail & (capacity - 1)];
            for (unsigned i = 0; i < RECORD / sizeof(uint64_t); i++)
                record[i] = b->tail;
        }
        atomic_store_explicit(&s->tail, b->tail, memory_order_release);
    }
    while ((b->head = atomic_load_explicit(&s->head, memory_order_acquire)) != end)
        relax(&looks);
}

void ring_peer(struct baseline *b, const struct bench_case *c, uint64_t runs)
{
    struct shared *s = b->shared;
    uint64_t capacity = c->size, end = b->head + runs * c->operations, tail = b->head;
    unsigned looks = 0;
    while (b->head < end) {
        if (b->head == tail) {
            while ((tail = atomic_load_explicit(&s->tail, memory_order_acquire)) == b->head)
                relax(&looks);
        }
        uint64_t batch_end = tail - b->head < c->batch ? tail : b->head + c->batch;
        for (; b->head < batch_end; b->head++) {
            const uint64_t *record = s->records[b->head & (capacity - 1)];
            for (unsigned i = 0; i < RECORD / sizeof(uint64_t); i++)
                b->sum += record[i];
        }
        atomic_store_explicit(&s->head, b->head, memory_order_release);
    }
}
