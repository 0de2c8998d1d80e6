/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Where values lie in LMDB's map, for those who read the same key of the same commit again: what LMDB walks its tree
 * for, which takes it several waits for memory, is found with one.
 *
 * A commit has a number that no other one gets, and what it holds does not move while a transaction sees it. So an
 * entry is right for all transactions of its commit, and for no other: nothing has to be taken out.
 *
 * All functions may be called by several threads at the same time. Who comes upon an entry that is being written goes
 * on without it.
 */
#ifndef CELLS_STORE_CACHE_H
#define CELLS_STORE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "bytes.h"

#define ST_CACHED_KEY 32 /* longer keys are not kept */

struct st_cache;

/* Entries of 64 bytes in at most that many bytes, which are taken as they are used, in huge pages where there are some.
 * NULL: out of memory, or `bytes` is less than 4,096. */
struct st_cache *st_cache_new(uint64_t bytes);
void st_cache_free(struct st_cache *cache); /* NULL is accepted */

/* The value of a key in the transaction of that commit, which the caller is in; NULL is accepted, and has nothing. */
bool st_cache_find(struct st_cache *cache, uint64_t commit, struct st_bytes key, struct st_bytes *value);
void st_cache_keep(struct st_cache *cache, uint64_t commit, struct st_bytes key, struct st_bytes value);

#endif
