/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "limiter.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

#define NSETS 512
#define NWAYS 8

/* `full_at`: when the whole allowance is back. Not after now: the entry is free. */
struct entry {
    uint64_t key;
    int64_t full_at;
};

struct limiter {
    pthread_mutex_t lock;
    int64_t burst, interval_ms;
    /* Keys are chosen by callers: without a secret they could choose keys that collide. */
    unsigned char secret[crypto_shorthash_KEYBYTES];
    struct entry sets[NSETS][NWAYS];
};

struct limiter *limiter_new(int64_t burst, int64_t interval_ms)
{
    struct limiter *l = calloc(1, sizeof(*l));

    if (!l)
        return NULL;
    pthread_mutex_init(&l->lock, NULL);
    l->burst = burst;
    l->interval_ms = interval_ms;
    crypto_shorthash_keygen(l->secret);
    return l;
}

void limiter_free(struct limiter *l)
{
    if (!l)
        return;
    pthread_mutex_destroy(&l->lock);
    free(l);
}

/* The key's entry, or NULL; *spare is then the one to reuse. */
static struct entry *find(struct limiter *l, const void *key, size_t len, uint64_t *hash, struct entry **spare)
{
    struct entry *set;

    crypto_shorthash((unsigned char *)hash, key, len, l->secret);
    set = l->sets[*hash % NSETS];
    *spare = &set[0];
    for (int i = 0; i < NWAYS; i++) {
        if (set[i].key == *hash && set[i].full_at != 0)
            return &set[i];
        if (set[i].full_at < (*spare)->full_at)
            *spare = &set[i];
    }
    return NULL;
}

bool limiter_take(struct limiter *l, const void *key, size_t len, int64_t now_ms, int64_t *retry_after_ms)
{
    struct entry *e, *spare;
    uint64_t hash;
    bool allowed;

    pthread_mutex_lock(&l->lock);
    e = find(l, key, len, &hash, &spare);
    int64_t full_at = e && e->full_at > now_ms ? e->full_at : now_ms;
    int64_t latest = now_ms + (l->burst - 1) * l->interval_ms;
    allowed = full_at <= latest;
    if (allowed) {
        if (!e)
            e = spare;
        *e = (struct entry){hash, full_at + l->interval_ms};
    } else {
        *retry_after_ms = full_at - latest;
    }
    pthread_mutex_unlock(&l->lock);
    return allowed;
}

void limiter_refund(struct limiter *l, const void *key, size_t len, int64_t now_ms)
{
    struct entry *spare;
    uint64_t hash;

    pthread_mutex_lock(&l->lock);
    struct entry *e = find(l, key, len, &hash, &spare);
    if (e) {
        e->full_at -= l->interval_ms;
        if (e->full_at <= now_ms)
            *e = (struct entry){0};
    }
    pthread_mutex_unlock(&l->lock);
}
