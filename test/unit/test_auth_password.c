/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LINK: cells/auth/password.c cells/auth/failure.c
// LIBS: sodium
#include "auth/password.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "test.h"

static const struct password_cost cheap = {1, 1, 1, 8};
static const struct patience patient = {UINT64_MAX, NULL, NULL};

TEST(a_hash_verifies_its_password_and_no_other)
{
    char hash[PASSWORD_HASH_SIZE], again[PASSWORD_HASH_SIZE];
    struct failure f;
    struct hasher *h = hasher_new(&cheap);

    REQUIRE(sodium_init() >= 0 && h);
    REQUIRE(password_hash(h, "correct horse", 13, &patient, hash, &f) == CELL_OK);
    REQUIRE(password_hash(h, "correct horse", 13, &patient, again, &f) == CELL_OK);
    CHECK(strncmp(hash, "$argon2id$", 10) == 0);
    CHECK(strcmp(hash, again) != 0);
    CHECK(password_verify(h, hash, "correct horse", 13, &patient, &f) == CELL_OK);
    CHECK(password_verify(h, hash, "correct horsf", 13, &patient, &f) == CELL_UNAUTHENTICATED);
    CHECK(password_verify(h, hash, "correct hors", 12, &patient, &f) == CELL_UNAUTHENTICATED);
    CHECK(password_verify(h, hash, "", 0, &patient, &f) == CELL_UNAUTHENTICATED);
    CHECK(password_verify(h, NULL, "correct horse", 13, &patient, &f) == CELL_UNAUTHENTICATED);
    hasher_free(h);
    hasher_free(NULL);
}

TEST(zero_bytes_are_part_of_a_password)
{
    char hash[PASSWORD_HASH_SIZE];
    struct failure f;
    struct hasher *h = hasher_new(&cheap);

    REQUIRE(h && password_hash(h, "a\0b", 3, &patient, hash, &f) == CELL_OK);
    CHECK(password_verify(h, hash, "a\0b", 3, &patient, &f) == CELL_OK);
    CHECK(password_verify(h, hash, "a\0c", 3, &patient, &f) == CELL_UNAUTHENTICATED);
    hasher_free(h);
}

TEST(hashes_of_other_parameters_are_outdated_and_still_verify)
{
    const struct password_cost dearer = {2, 2, 1, 8};
    char hash[PASSWORD_HASH_SIZE];
    struct failure f;
    struct hasher *h = hasher_new(&cheap), *new = hasher_new(&dearer);

    REQUIRE(h && new && password_hash(h, "correct horse", 13, &patient, hash, &f) == CELL_OK);
    CHECK(!password_is_outdated(h, hash));
    CHECK(password_is_outdated(new, hash));
    CHECK(password_verify(new, hash, "correct horse", 13, &patient, &f) == CELL_OK);
    hasher_free(h);
    hasher_free(new);
}

TEST(a_damaged_hash_is_not_taken_for_a_wrong_password)
{
    struct failure f;
    struct hasher *h = hasher_new(&cheap);

    REQUIRE(h);
    CHECK(password_verify(h, "nonsense", "correct horse", 13, &patient, &f) == CELL_DATA_LOSS);
    CHECK(password_verify(h, "$argon2id$v=19$m=1024", "correct horse", 13, &patient, &f) == CELL_DATA_LOSS);
    CHECK(password_verify(h, "", "correct horse", 13, &patient, &f) == CELL_DATA_LOSS);
    hasher_free(h);
}

TEST(short_memory_is_not_taken_for_a_wrong_password)
{
    /* More than any address space: the allocation fails whatever the machine. */
    const struct password_cost huge = {1, INT64_C(4194303), 1, 8};
    char hash[PASSWORD_HASH_SIZE] = "unchanged";
    struct failure f;
    struct hasher *h = hasher_new(&huge);

    REQUIRE(h);
    CHECK(password_verify(h, NULL, "correct horse", 13, &patient, &f) == CELL_NO_MEMORY);
    CHECK(password_hash(h, "correct horse", 13, &patient, hash, &f) == CELL_NO_MEMORY);
    CHECK_STR(hash, "unchanged");
    hasher_free(h);
}

struct waiter {
    struct hasher *h;
    atomic_bool cancel;
    sem_t asked;
    int status;
};

static bool waiter_cancelled(void *p)
{
    struct waiter *w = p;

    sem_post(&w->asked);
    return atomic_load(&w->cancel);
}

static void *wait_for_hash(void *p)
{
    struct waiter *w = p;
    const struct patience patience = {UINT64_MAX, waiter_cancelled, w};
    struct failure f;

    w->status = password_verify(w->h, NULL, "x", 1, &patience, &f);
    return NULL;
}

TEST(who_waits_leaves_when_cancelled_and_the_queue_is_short)
{
    const struct password_cost none = {1, 1, 0, 8}; /* nothing ever gets its turn */
    struct hasher *h = hasher_new(&none);
    struct waiter waiters[8];
    pthread_t threads[8];
    struct failure f;

    REQUIRE(h);
    for (int i = 0; i < 8; i++) {
        waiters[i].h = h;
        atomic_init(&waiters[i].cancel, false);
        REQUIRE(sem_init(&waiters[i].asked, 0, 0) == 0);
        REQUIRE(pthread_create(&threads[i], NULL, wait_for_hash, &waiters[i]) == 0);
    }
    for (int i = 0; i < 8; i++)
        sem_wait(&waiters[i].asked); /* all eight wait now */
    CHECK(password_verify(h, NULL, "x", 1, &patient, &f) == CELL_RESOURCE_EXHAUSTED && f.retry_after_ms > 0);
    for (int i = 0; i < 8; i++) {
        atomic_store(&waiters[i].cancel, true);
        pthread_join(threads[i], NULL);
        CHECK(waiters[i].status == CELL_CANCELLED);
        sem_destroy(&waiters[i].asked);
    }
    const struct patience over = {1, NULL, NULL};
    CHECK(password_verify(h, NULL, "x", 1, &over, &f) == CELL_DEADLINE_EXCEEDED);
    hasher_free(h);
}
