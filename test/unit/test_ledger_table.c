/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_ledger_sanitized
/* The ledger's hash tables against an array, while they grow, and with keys that stand more than once. */
#include <ledger/table.h>

#include "test.h"

#define KEYS 50000
#define STEPS 400000

struct slot {
    uint64_t key, value;
};
static uint64_t values[KEYS + 1]; /* 0: it is not there */
static uint64_t seed = 3;

static uint32_t any(uint32_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(seed >> 33) % n;
}

static void compare(const struct lg_table *t, uint64_t count)
{
    uint64_t at = 0, n = 0;

    for (const struct slot *s; (s = lg_table_each(t, &at)); n++)
        CHECK(s->key <= KEYS && values[s->key] == s->value);
    CHECK(n == count && t->count == count);
    for (uint64_t key = 1; key <= KEYS; key++) {
        const struct slot *s = lg_table_find(t, key, NULL);
        CHECK(s ? s->value == values[key] : values[key] == 0);
        CHECK(!s || !lg_table_find(t, key, s));
    }
}

TEST(additions_and_removals_while_a_table_moves)
{
    struct lg_table t;
    uint64_t count = 0, grown = 0, moving = 0;

    lg_table_init(&t, sizeof(struct slot), 99);
    CHECK(!lg_table_find(&t, 1, NULL));
    for (uint32_t i = 1; i <= STEPS && !test_failures; i++) {
        uint64_t key = 1 + any(KEYS), bytes = lg_table_bytes(&t);
        CHECK(lg_table_reserve(&t, 1));
        grown += lg_table_bytes(&t) > bytes;
        moving += t.before.memory != NULL;
        struct slot *s = lg_table_find(&t, key, NULL);
        CHECK(!s == !values[key]);
        if (s && any(4) == 0) {
            lg_table_remove(&t, s);
            values[key] = 0;
            count--;
        } else {
            s = s ? s : lg_table_add(&t, key);
            count += values[key] == 0;
            s->value = values[key] = i;
        }
        if (i % 20000 == 0 || (t.before.memory && i % 512 == 0))
            compare(&t, count);
    }
    CHECK(grown > 5 && moving > 1000);
    lg_table_free(&t);
}

TEST(a_key_may_stand_more_than_once)
{
    struct lg_table t;

    lg_table_init(&t, sizeof(struct slot), 5);
    for (uint64_t i = 0; i < 5000; i++) {
        uint64_t sum = 0, n = 0;
        CHECK(lg_table_reserve(&t, 1));
        ((struct slot *)lg_table_add(&t, 1 + i % 700))->value = i;
        for (const struct slot *s = NULL; (s = lg_table_find(&t, 1 + i % 700, s)); n++)
            sum += s->value;
        CHECK(n == i / 700 + 1 && sum == n * (i % 700) + 700 * (n * (n - 1) / 2));
    }
    lg_table_free(&t);
}

TEST(taking_back_additions_in_reverse_order_moves_nothing)
{
    struct lg_table t;
    struct slot *slots[3000];

    lg_table_init(&t, sizeof(struct slot), 5);
    CHECK(lg_table_reserve(&t, 6000));
    for (uint64_t i = 0; i < 3000; i++)
        slots[i] = lg_table_add(&t, i + 1);
    for (uint64_t i = 3000; i < 6000; i++)
        lg_table_add(&t, i + 1);
    for (uint64_t i = 6000; i > 3000; i--)
        lg_table_remove(&t, lg_table_find(&t, i, NULL));
    for (uint64_t i = 0; i < 3000; i++)
        CHECK(slots[i]->key == i + 1);
    lg_table_free(&t);
}
