/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "password.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLL_NS UINT64_C(100000000)

struct hasher {
    unsigned long long passes;
    size_t memory;
    pthread_mutex_t lock;
    pthread_cond_t freed;
    int64_t jobs, queue, running, waiting;
};

struct hasher *hasher_new(const struct password_cost *cost)
{
    struct hasher *h = calloc(1, sizeof(*h));

    if (!h)
        return NULL;
    h->passes = (unsigned long long)cost->passes;
    h->memory = (size_t)cost->memory_mib << 20;
    h->jobs = cost->jobs;
    h->queue = cost->queue;
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->freed, NULL);
    return h;
}

void hasher_free(struct hasher *h)
{
    if (!h)
        return;
    pthread_cond_destroy(&h->freed);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

static uint64_t monotonic_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* With the lock held: until a job ends, the patience does, or it is time to ask whether the call was cancelled. */
static int wait_for_turn(struct hasher *h, const struct patience *p, struct failure *f)
{
    uint64_t now = monotonic_ns(), until = now + POLL_NS;

    if (p->until_ns <= now)
        return fail(f, CELL_DEADLINE_EXCEEDED,
                    "the deadline passed while the call waited for its turn to hash a password");
    if (p->cancelled && p->cancelled(p->user))
        return fail(f, CELL_CANCELLED, "cancelled while the call waited for its turn to hash a password");
    if (until > p->until_ns)
        until = p->until_ns;
    struct timespec t = {(time_t)(until / UINT64_C(1000000000)), (long)(until % UINT64_C(1000000000))};
    pthread_cond_clockwait(&h->freed, &h->lock, CLOCK_MONOTONIC, &t);
    return CELL_OK;
}

static int enter(struct hasher *h, const struct patience *p, struct failure *f)
{
    int r = CELL_OK;

    pthread_mutex_lock(&h->lock);
    if (h->running >= h->jobs && h->waiting >= h->queue) {
        r = fail(f, CELL_RESOURCE_EXHAUSTED, "too many passwords are being checked at once");
        f->retry_after_ms = 1000;
    } else {
        h->waiting++;
        while (r >= 0 && h->running >= h->jobs)
            r = wait_for_turn(h, p, f);
        h->waiting--;
        h->running += r >= 0;
    }
    pthread_mutex_unlock(&h->lock);
    return r;
}

static void leave(struct hasher *h)
{
    pthread_mutex_lock(&h->lock);
    h->running--;
    pthread_cond_signal(&h->freed);
    pthread_mutex_unlock(&h->lock);
}

static int no_memory(struct failure *f) { return fail(f, CELL_NO_MEMORY, "not enough memory to hash a password"); }

int password_hash(struct hasher *h, const char *password, size_t len, const struct patience *p,
                  char hash[PASSWORD_HASH_SIZE], struct failure *f)
{
    char made[PASSWORD_HASH_SIZE];
    int r = enter(h, p, f);

    if (r < 0)
        return r;
    r = crypto_pwhash_str(made, password, len, h->passes, h->memory);
    leave(h);
    if (r != 0)
        return no_memory(f);
    memcpy(hash, made, sizeof(made));
    return CELL_OK;
}

/* As crypto_pwhash_str_verify with a wrong password. */
static int verify_nothing(struct hasher *h, const char *password, size_t len)
{
    unsigned char out[32], salt[crypto_pwhash_SALTBYTES] = {0};

    if (crypto_pwhash(out, sizeof(out), password, len, salt, h->passes, h->memory, crypto_pwhash_ALG_ARGON2ID13) == 0)
        errno = EINVAL;
    sodium_memzero(out, sizeof(out));
    return -1;
}

int password_verify(struct hasher *h, const char *hash, const char *password, size_t len, const struct patience *p,
                    struct failure *f)
{
    int r;

    /* libsodium would say EINVAL, as for a wrong password. */
    if (hash && crypto_pwhash_str_needs_rehash(hash, h->passes, h->memory) < 0)
        return fail(f, CELL_DATA_LOSS, "the stored password hash is damaged");
    r = enter(h, p, f);
    if (r < 0)
        return r;
    errno = 0;
    r = hash ? crypto_pwhash_str_verify(hash, password, len) : verify_nothing(h, password, len);
    int error = errno;
    leave(h);
    if (r == 0)
        return CELL_OK;
    /* libsodium says -1 for both; only a mismatch is EINVAL. Short memory must not look like a wrong password. */
    if (error != EINVAL)
        return no_memory(f);
    return fail(f, CELL_UNAUTHENTICATED, "wrong e-mail address or password");
}

bool password_is_outdated(const struct hasher *h, const char *hash)
{
    return crypto_pwhash_str_needs_rehash(hash, h->passes, h->memory) != 0;
}
