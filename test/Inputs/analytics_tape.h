/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The records of the tape, each by its number alone: whoever has the number can count them again. */
#ifndef ANALYTICS_TAPE_H
#define ANALYTICS_TAPE_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TAPE_ACCOUNTS 1000

struct tape_move {
    uint64_t from;
    int64_t amount, time_us;
    double rate;
    uint32_t code;
    int32_t kind;
    uint8_t tag[8];
};

static inline struct tape_move tape_move_at(uint64_t sequence)
{
    uint64_t x = (sequence + 1) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 31) * UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 29;
    struct tape_move move = {.from = x % TAPE_ACCOUNTS,
                             .amount = (int64_t)(x >> 20 & 0xfffff) - 1000,
                             .time_us = (int64_t)sequence * 1000, /* a millisecond each, from 1970 on */
                             .rate = (double)(x >> 40 & 0xff) / 8,
                             .code = (uint32_t)(x >> 50 & 0xff),
                             .kind = (int32_t)(x >> 45 & 3)};
    memcpy(move.tag, x & 1 ? "odd" : "even", x & 1 ? 3 : 4);
    return move;
}

#endif
