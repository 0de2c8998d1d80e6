/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LINK: cells/auth/limiter.c
// LIBS: sodium
#include <pthread.h>
#include <sodium.h>

#include "auth/limiter.h"
#include "test.h"

static bool take(struct limiter *l, const char *key, int64_t now, int64_t *retry)
{
    return limiter_take(l, key, strlen(key), now, retry);
}

TEST(a_burst_is_allowed_and_then_one_each_interval)
{
    int64_t retry = -1;
    struct limiter *l = limiter_new(3, 1000);

    REQUIRE(sodium_init() >= 0 && l);
    for (int i = 0; i < 3; i++)
        CHECK(take(l, "a", 5000, &retry));
    CHECK(retry == -1);
    CHECK(!take(l, "a", 5000, &retry) && retry == 1000);
    CHECK(!take(l, "a", 5999, &retry) && retry == 1);
    CHECK(take(l, "a", 6000, &retry));
    CHECK(!take(l, "a", 6000, &retry));
    /* what was not used does not add up beyond the burst */
    for (int i = 0; i < 3; i++)
        CHECK(take(l, "a", 1000000, &retry));
    CHECK(!take(l, "a", 1000000, &retry));
    limiter_free(l);
}

TEST(keys_do_not_share_an_allowance)
{
    int64_t retry;
    struct limiter *l = limiter_new(1, 1000);

    REQUIRE(l);
    CHECK(take(l, "a", 1, &retry) && take(l, "b", 1, &retry) && take(l, "", 1, &retry));
    CHECK(!take(l, "a", 1, &retry) && !take(l, "b", 1, &retry) && !take(l, "", 1, &retry));
    limiter_free(l);
}

TEST(a_refund_allows_one_more_and_not_two)
{
    int64_t retry;
    struct limiter *l = limiter_new(2, 1000);

    REQUIRE(l);
    CHECK(take(l, "a", 1, &retry) && take(l, "a", 1, &retry) && !take(l, "a", 1, &retry));
    limiter_refund(l, "a", 1, 1);
    CHECK(take(l, "a", 1, &retry) && !take(l, "a", 1, &retry));
    for (int i = 0; i < 9; i++)
        limiter_refund(l, "a", 1, 1);
    CHECK(take(l, "a", 1, &retry) && take(l, "a", 1, &retry) && !take(l, "a", 1, &retry));
    limiter_refund(l, "unknown", 7, 1);
    limiter_free(l);
}

TEST(a_limited_key_stays_limited_when_a_flood_of_others_fills_the_table)
{
    int64_t retry;
    char key[32];
    struct limiter *l = limiter_new(5, 1000);

    REQUIRE(l);
    for (int i = 0; i < 5; i++)
        CHECK(take(l, "victim", 1, &retry));
    for (int i = 0; i < 100000; i++) {
        snprintf(key, sizeof(key), "%d", i);
        CHECK(take(l, key, 1, &retry));
    }
    CHECK(!take(l, "victim", 1, &retry));
    limiter_free(l);
}

struct racer {
    struct limiter *l;
    int allowed;
};

static void *race(void *p)
{
    struct racer *r = p;
    int64_t retry;

    for (int i = 0; i < 1000; i++)
        r->allowed += take(r->l, "a", 1, &retry);
    return NULL;
}

TEST(threads_together_get_no_more_than_the_burst)
{
    struct limiter *l = limiter_new(100, 1000);
    struct racer racers[4];
    pthread_t threads[4];
    int sum = 0;

    REQUIRE(l);
    for (int i = 0; i < 4; i++) {
        racers[i] = (struct racer){l, 0};
        REQUIRE(pthread_create(&threads[i], NULL, race, &racers[i]) == 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        sum += racers[i].allowed;
    }
    CHECK(sum == 100);
    limiter_free(l);
    limiter_free(NULL);
}
