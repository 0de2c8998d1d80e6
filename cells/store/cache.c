/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A table without chains: each key has two entries next to each other, and the older one gives way. Each entry is a
 * cache line with a sequence lock, as in H.-J. Boehm, "Can seqlocks get along with programming language memory models?"
 * (2012): all its words are atomic, and what was read counts if its number is even and has not changed meanwhile.
 */
#include "cache.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define KEY_WORDS (ST_CACHED_KEY / 8)
#define WAYS 2u

struct entry {
    _Alignas(64) atomic_uint_least64_t sequence; /* odd while it is written */
    atomic_uint_least64_t commit;                /* 0: none; no commit has that number */
    atomic_uint_least64_t at, size;              /* of the value; size: with the key's length in its lowest byte */
    atomic_uint_least64_t key[KEY_WORDS];
};
_Static_assert(sizeof(struct entry) == 64, "an entry is a cache line");

struct st_cache {
    size_t bytes, sets; /* sets: a power of two */
    struct entry *entries;
};

/* A key as it is kept, with zeros behind it. */
struct words {
    uint64_t word[KEY_WORDS];
    uint64_t hash;
};

struct st_cache *st_cache_new(uint64_t bytes)
{
    struct st_cache *c = bytes >= 4096 && bytes <= SIZE_MAX / 2 ? malloc(sizeof(*c)) : NULL;

    if (!c)
        return NULL;
    for (c->bytes = 4096; c->bytes <= bytes / 2;)
        c->bytes *= 2;
    c->sets = c->bytes / (WAYS * sizeof(struct entry));
    c->entries = mmap(NULL, c->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (c->entries == MAP_FAILED) {
        free(c);
        return NULL;
    }
    madvise(c->entries, c->bytes, MADV_HUGEPAGE); /* where it is refused, a look costs more */
    return c;
}

void st_cache_free(struct st_cache *cache)
{
    if (cache)
        munmap(cache->entries, cache->bytes);
    free(cache);
}

static inline uint64_t load(const atomic_uint_least64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static inline void store(atomic_uint_least64_t *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

/* Who chooses keys so that they have the same hash makes his own reads slower. */
static struct words words_of(struct st_bytes key)
{
    struct words w = {.hash = key.n};

    memcpy(w.word, key.p, key.n);
    for (size_t i = 0; i < KEY_WORDS; i++) {
        w.hash = (w.hash ^ w.word[i]) * UINT64_C(0x9e3779b97f4a7c15);
        w.hash ^= w.hash >> 32;
    }
    return w;
}

static inline struct entry *set_of(const struct st_cache *c, const struct words *w)
{
    return &c->entries[(w->hash & (c->sets - 1)) * WAYS];
}

static uint64_t size_word(struct st_bytes key, struct st_bytes value) { return (uint64_t)value.n << 8 | key.n; }

static bool is_of(const struct entry *e, const struct words *w, uint64_t commit, size_t n)
{
    uint64_t differs = (load(&e->commit) ^ commit) | ((load(&e->size) & 0xff) ^ n);

    for (size_t i = 0; i < KEY_WORDS; i++)
        differs |= load(&e->key[i]) ^ w->word[i];
    return differs == 0;
}

static bool read_entry(struct entry *e, const struct words *w, uint64_t commit, size_t n, struct st_bytes *value)
{
    uint64_t sequence = atomic_load_explicit(&e->sequence, memory_order_acquire);

    if (sequence & 1 || !is_of(e, w, commit, n))
        return false;
    value->p = (const uint8_t *)(uintptr_t)load(&e->at);
    value->n = (size_t)(load(&e->size) >> 8);
    atomic_thread_fence(memory_order_acquire);
    return load(&e->sequence) == sequence;
}

bool st_cache_find(struct st_cache *cache, uint64_t commit, struct st_bytes key, struct st_bytes *value)
{
    if (!cache || key.n > ST_CACHED_KEY)
        return false;
    const struct words w = words_of(key);
    struct entry *set = set_of(cache, &w);
    for (unsigned i = 0; i < WAYS; i++)
        if (read_entry(&set[i], &w, commit, key.n, value))
            return true;
    return false;
}

void st_cache_keep(struct st_cache *cache, uint64_t commit, struct st_bytes key, struct st_bytes value)
{
    if (!cache || key.n > ST_CACHED_KEY)
        return;
    const struct words w = words_of(key);
    struct entry *set = set_of(cache, &w);
    /* Of the same commit both are as good: the one that was written less often has been there for longer. */
    bool second = load(&set[0].commit) == commit &&
                  (load(&set[1].commit) != commit || load(&set[1].sequence) < load(&set[0].sequence));
    struct entry *e = &set[second];
    uint64_t sequence = load(&e->sequence);
    if (sequence & 1 || !atomic_compare_exchange_strong_explicit(&e->sequence, &sequence, sequence + 1,
                                                                 memory_order_acquire, memory_order_relaxed))
        return; /* somebody else is writing it */
    atomic_thread_fence(memory_order_release);
    store(&e->commit, commit);
    store(&e->at, (uint64_t)(uintptr_t)value.p);
    store(&e->size, size_word(key, value));
    for (size_t i = 0; i < KEY_WORDS; i++)
        store(&e->key[i], w.word[i]);
    atomic_store_explicit(&e->sequence, sequence + 2, memory_order_release);
}
