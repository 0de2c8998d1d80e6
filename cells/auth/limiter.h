/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A rate limit per key: `burst` at once, then one every `interval_ms`. Memory is fixed: when there are more keys than
 * room, those that have used least of their allowance are forgotten first, so that whoever is limited stays limited.
 * The algorithm is GCRA (ITU-T I.371, annex A): one time per key. All functions are thread-safe.
 */
#ifndef CELLS_AUTH_LIMITER_H
#define CELLS_AUTH_LIMITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct limiter;

/* burst >= 1, interval_ms >= 1. NULL when memory is short. sodium_init must have been called. */
struct limiter *limiter_new(int64_t burst, int64_t interval_ms);
void limiter_free(struct limiter *l);

/* Takes one from the key's allowance. False when there is none, with the time until there is one. `now_ms` is of a
 * clock that never goes back. */
bool limiter_take(struct limiter *l, const void *key, size_t len, int64_t now_ms, int64_t *retry_after_ms);

/* Gives back one that was taken. */
void limiter_refund(struct limiter *l, const void *key, size_t len, int64_t now_ms);

#endif
