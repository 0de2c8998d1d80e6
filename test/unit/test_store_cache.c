/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_store_sanitized
/* Where values lie: an entry is right for its key and its commit, or is not found. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/cache.c"

#include "test.h"

#define BYTES(text) ((struct st_bytes){(const uint8_t *)(text), sizeof(text) - 1})

static const uint8_t memory[1 << 16];

static bool found_at(struct st_cache *c, uint64_t commit, struct st_bytes key, const uint8_t *p, size_t n)
{
    struct st_bytes value = {0};

    return st_cache_find(c, commit, key, &value) && value.p == p && value.n == n;
}

TEST(what_was_kept_is_found_for_its_key_and_its_commit_alone)
{
    struct st_cache *c = st_cache_new(4096);
    struct st_bytes value;

    CHECK(!st_cache_find(c, 7, BYTES("one"), &value));
    st_cache_keep(c, 7, BYTES("one"), (struct st_bytes){memory, 10});
    CHECK(found_at(c, 7, BYTES("one"), memory, 10));
    CHECK(!st_cache_find(c, 8, BYTES("one"), &value));
    CHECK(!st_cache_find(c, 6, BYTES("one"), &value));
    CHECK(!st_cache_find(c, 7, BYTES("onf"), &value));
    CHECK(!st_cache_find(c, 7, BYTES("on"), &value));
    CHECK(!st_cache_find(c, 7, BYTES("one\0"), &value)); /* as the zeros behind it, but longer */
    st_cache_keep(c, 8, BYTES("one"), (struct st_bytes){memory + 1, UINT32_MAX});
    CHECK(found_at(c, 8, BYTES("one"), memory + 1, UINT32_MAX));
    st_cache_free(c);
}

TEST(keys_of_zeros_differ_by_their_length)
{
    struct st_cache *c = st_cache_new(4096);
    struct st_bytes value;

    for (size_t n = 0; n <= ST_CACHED_KEY; n++) {
        static const uint8_t zeros[ST_CACHED_KEY];
        st_cache_keep(c, 1, (struct st_bytes){zeros, n}, (struct st_bytes){memory, n});
        for (size_t i = 0; i <= ST_CACHED_KEY; i++)
            CHECK(!st_cache_find(c, 1, (struct st_bytes){zeros, i}, &value) || value.n == i);
    }
    st_cache_free(c);
}

TEST(an_entry_that_is_being_written_is_neither_found_nor_written)
{
    struct st_cache *c = st_cache_new(4096);
    struct st_bytes value;

    st_cache_keep(c, 1, BYTES("one"), (struct st_bytes){memory, 1});
    for (size_t i = 0; i < c->sets * WAYS; i++)
        atomic_fetch_add(&c->entries[i].sequence, 1);
    CHECK(!st_cache_find(c, 1, BYTES("one"), &value));
    st_cache_keep(c, 1, BYTES("one"), (struct st_bytes){memory, 2});
    st_cache_keep(c, 2, BYTES("one"), (struct st_bytes){memory, 2});
    for (size_t i = 0; i < c->sets * WAYS; i++)
        atomic_fetch_add(&c->entries[i].sequence, 1);
    CHECK(found_at(c, 1, BYTES("one"), memory, 1));
    CHECK(!st_cache_find(c, 2, BYTES("one"), &value));
    st_cache_free(c);
}

TEST(an_empty_table_has_nothing_of_any_commit)
{
    struct st_cache *c = st_cache_new(4096);
    struct st_bytes value;

    for (uint64_t commit = 1; commit < 100; commit++)
        CHECK(!st_cache_find(c, commit, (struct st_bytes){memory, 0}, &value));
    st_cache_free(c);
}

TEST(long_keys_are_not_kept_and_the_longest_short_one_is)
{
    struct st_cache *c = st_cache_new(4096);
    uint8_t key[ST_CACHED_KEY + 1] = {1};
    struct st_bytes value;

    st_cache_keep(c, 1, (struct st_bytes){key, sizeof(key)}, (struct st_bytes){memory, 1});
    CHECK(!st_cache_find(c, 1, (struct st_bytes){key, sizeof(key)}, &value));
    st_cache_keep(c, 1, (struct st_bytes){key, ST_CACHED_KEY}, (struct st_bytes){memory, 1});
    CHECK(found_at(c, 1, (struct st_bytes){key, ST_CACHED_KEY}, memory, 1));
    key[ST_CACHED_KEY - 1] = 1;
    CHECK(!st_cache_find(c, 1, (struct st_bytes){key, ST_CACHED_KEY}, &value));
    st_cache_free(c);
}

TEST(a_full_table_keeps_what_is_newest_and_what_it_keeps_is_right)
{
    struct st_cache *c = st_cache_new(8192);
    unsigned kept = 0, last = 0;

    for (uint32_t i = 0; i < 1000; i++)
        st_cache_keep(c, 1, (struct st_bytes){(const uint8_t *)&i, 4}, (struct st_bytes){memory + i, i});
    for (uint32_t i = 0; i < 1000; i++) {
        struct st_bytes value;
        bool here = st_cache_find(c, 1, (struct st_bytes){(const uint8_t *)&i, 4}, &value);
        CHECK(!here || (value.p == memory + i && value.n == i));
        kept += here;
        last += here && i >= 900;
    }
    CHECK(kept >= 100 && kept <= 128 && last > 50);
    /* Of a new commit, each takes the place of an old one, though both of its places are taken. */
    for (uint32_t i = 0; i < 1000; i++) {
        st_cache_keep(c, 2, (struct st_bytes){(const uint8_t *)&i, 4}, (struct st_bytes){memory + i, i});
        CHECK(found_at(c, 2, (struct st_bytes){(const uint8_t *)&i, 4}, memory + i, i));
    }
    st_cache_free(c);
}

TEST(no_cache_has_nothing)
{
    struct st_bytes value;

    CHECK(st_cache_new(4095) == NULL && st_cache_new(UINT64_MAX) == NULL);
    st_cache_keep(NULL, 1, BYTES("one"), (struct st_bytes){memory, 1});
    CHECK(!st_cache_find(NULL, 1, BYTES("one"), &value));
    st_cache_free(NULL);
}

/* ---- threads ---- */

static struct st_cache *shared;
static atomic_uint torn, seen;

/* What is kept of a key in a commit says which these are, so that a mixture shows. */
static struct st_bytes value_of(uint32_t key, uint64_t commit)
{
    return (struct st_bytes){memory + key * 64 + commit, (size_t)(commit << 16 | key)};
}

static void *use(void *user)
{
    unsigned state = (unsigned)(uintptr_t)user;

    for (int i = 0; i < 200000; i++) {
        state = state * 1103515245u + 12345u;
        uint32_t key = state >> 16 & 0xff;
        uint64_t commit = 1 + (state >> 24 & 3);
        struct st_bytes at = {(const uint8_t *)&key, sizeof(key)}, value, right = value_of(key, commit);
        if (!st_cache_find(shared, commit, at, &value)) {
            st_cache_keep(shared, commit, at, right);
            continue;
        }
        atomic_fetch_add(&seen, 1);
        if (value.p != right.p || value.n != right.n)
            atomic_fetch_add(&torn, 1);
    }
    return NULL;
}

TEST(nobody_sees_an_entry_that_others_are_writing)
{
    pthread_t threads[4];

    shared = st_cache_new(4096);
    for (uintptr_t i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, use, (void *)(i + 1)) == 0);
    for (unsigned i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    CHECK(torn == 0 && seen > 1000);
    st_cache_free(shared);
}
