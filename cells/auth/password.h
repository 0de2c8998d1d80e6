/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Password hashing with Argon2id (RFC 9106) through libsodium. Each hash needs megabytes and tens of milliseconds, so
 * only a few run at once; the others wait in a short queue, and more are turned away. All functions are thread-safe.
 */
#ifndef CELLS_AUTH_PASSWORD_H
#define CELLS_AUTH_PASSWORD_H

#include <sodium.h>
#include <stdbool.h>

#include "failure.h"

#define PASSWORD_HASH_SIZE crypto_pwhash_STRBYTES

struct password_cost {
    int64_t passes;     /* Argon2's t */
    int64_t memory_mib; /* Argon2's m, for each hash that runs */
    int64_t jobs;       /* hashes that run at once */
    int64_t queue;      /* callers that wait for one to end; more are turned away */
};

/* How long a caller waits for its turn. */
struct patience {
    uint64_t until_ns;             /* of CLOCK_MONOTONIC; UINT64_MAX = no limit */
    bool (*cancelled)(void *user); /* asked about ten times a second; NULL = never */
    void *user;
};

struct hasher;
/* NULL when memory is short. sodium_init must have been called. */
struct hasher *hasher_new(const struct password_cost *cost);
void hasher_free(struct hasher *h);

/* Writes the hash with salt and parameters, as text. CELL_RESOURCE_EXHAUSTED when too many wait,
 * CELL_DEADLINE_EXCEEDED, CELL_CANCELLED, CELL_NO_MEMORY. */
int password_hash(struct hasher *h, const char *password, size_t len, const struct patience *p,
                  char hash[PASSWORD_HASH_SIZE], struct failure *f);

/*
 * CELL_OK when `password` is the one of `hash`, CELL_UNAUTHENTICATED when it is not; otherwise as password_hash. With
 * NULL for `hash` the answer is no, after as much work as for any other: who measures cannot tell whether there is one.
 */
int password_verify(struct hasher *h, const char *hash, const char *password, size_t len, const struct patience *p,
                    struct failure *f);

/* True when `hash` was made with other parameters than new ones are. */
bool password_is_outdated(const struct hasher *h, const char *hash);

#endif
