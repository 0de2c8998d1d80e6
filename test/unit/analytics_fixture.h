/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Records, plans of them, and what groups should be, counted in the plainest way. */
#ifndef TEST_ANALYTICS_FIXTURE_H
#define TEST_ANALYTICS_FIXTURE_H

#include <inttypes.h>
#include <math.h>

#include "analytics/aggregator.h"
#include "analytics/state.h"
#include "test.h"

#define MAYBE_UNUSED __attribute__((unused))

struct move {
    uint64_t from;
    int64_t amount, time_us;
    double rate;
    uint32_t code;
    int16_t kind;
    uint8_t tag[6];
};

#define FIELD_OF(member, of)                                                                                           \
    (struct an_field) { offsetof(struct move, member), sizeof(((struct move *)0)->member), of }
#define FROM FIELD_OF(from, AN_UNSIGNED)
#define AMOUNT FIELD_OF(amount, AN_SIGNED)
#define TIME FIELD_OF(time_us, AN_SIGNED)
#define RATE FIELD_OF(rate, AN_REAL)
#define CODE FIELD_OF(code, AN_UNSIGNED)
#define KIND FIELD_OF(kind, AN_SIGNED)
#define TAG FIELD_OF(tag, AN_BYTES)

MAYBE_UNUSED static enum an_name find_in_moves(void *user, const char *name, struct an_field *field, __int128 *number)
{
    static const struct {
        const char *name;
        struct an_field field;
    } all[] = {{"from", FROM}, {"amount", AMOUNT}, {"rate", RATE}, {"code", CODE}, {"kind", KIND}, {"tag", TAG}};

    (void)user;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (strcmp(name, all[i].name) == 0) {
            *field = all[i].field;
            return AN_NAME_FIELD;
        }
    *number = -3;
    return strcmp(name, "MINUS_THREE") == 0 ? AN_NAME_NUMBER : AN_NAME_NONE;
}

enum { TOTAL, COUNT, LEAST, MOST, MEAN, VARIANCE, MEDIAN, P99, CODES, RATES, NAGGREGATES };

MAYBE_UNUSED static struct an_plan plan_of_moves(void)
{
    return (struct an_plan){.record_size = sizeof(struct move),
                            .nkeys = 2,
                            .keys = {FROM, KIND},
                            .naggregates = NAGGREGATES,
                            .aggregates = {{AN_SUM, AMOUNT, 0},
                                           {AN_COUNT, AMOUNT, 0},
                                           {AN_MIN, AMOUNT, 0},
                                           {AN_MAX, AMOUNT, 0},
                                           {AN_MEAN, AMOUNT, 0},
                                           {AN_VARIANCE, AMOUNT, 0},
                                           {AN_QUANTILE, AMOUNT, 0.5},
                                           {AN_QUANTILE, AMOUNT, 0.99},
                                           {AN_DISTINCT, CODE, 0},
                                           {AN_SUM, RATE, 0}}};
}

static uint64_t seed = 1;
MAYBE_UNUSED static uint64_t any(uint64_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 24) % n;
}

MAYBE_UNUSED static struct move any_move(uint64_t accounts)
{
    int64_t amount = (int64_t)any(UINT64_C(1) << any(40)) - (int64_t)any(1000);

    return (struct move){.from = any(accounts),
                         .amount = amount,
                         .rate = (double)any(1000) / 7,
                         .code = (uint32_t)any(300),
                         .kind = (int16_t)((int)any(3) - 1)};
}

MAYBE_UNUSED static struct move *any_moves(uint32_t n, uint64_t accounts)
{
    struct move *moves = calloc(n, sizeof(*moves));
    for (uint32_t i = 0; i < n; i++)
        moves[i] = any_move(accounts);
    return moves;
}

MAYBE_UNUSED static struct an_aggregator *open_plan(const struct an_plan *plan)
{
    struct an_aggregator *a = NULL;
    struct an_failure f = {0};
    if (an_open(plan, &a, &f) < 0)
        printf("%s\n", f.text);
    return a;
}

/* In spans of any sizes. */
MAYBE_UNUSED static void take_all(struct an_aggregator *a, const struct move *moves, uint32_t n)
{
    struct an_failure f;
    for (uint32_t at = 0, some; at < n; at += some) {
        some = 1 + (uint32_t)any(300);
        some = some < n - at ? some : n - at;
        CHECK(an_take(a, moves + at, some, &f) == CELL_OK);
    }
}

MAYBE_UNUSED static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

MAYBE_UNUSED static bool is_near(double is, double right, double error)
{
    if (fabs(is - right) <= error * fabs(right) + 1e-9)
        return true;
    printf("%.17g is not near %.17g\n", is, right);
    return false;
}

/* An entry against all the records that it is of, which are of one group. */
MAYBE_UNUSED static void check_entry(const struct an_aggregator *a, const struct an_entry *e, const struct move *moves,
                                     uint32_t n)
{
    int64_t *amounts = malloc((n + 1) * sizeof(*amounts));
    bool codes[300] = {false};
    __int128 sum = 0;
    long double squares = 0, rates = 0;
    uint32_t ncodes = 0;

    for (uint32_t i = 0; i < n; i++) {
        amounts[i] = moves[i].amount;
        sum += moves[i].amount;
        rates += moves[i].rate;
        ncodes += !codes[moves[i].code];
        codes[moves[i].code] = true;
    }
    long double mean = (long double)sum / n;
    for (uint32_t i = 0; i < n; i++)
        squares += (amounts[i] - mean) * (amounts[i] - mean);
    qsort(amounts, n, sizeof(*amounts), by_number);
    struct an_value total = an_value_of(a, e, TOTAL);
    CHECK(total.sum == sum && total.wide == (sum > INT64_MAX || sum < INT64_MIN));
    CHECK(an_value_of(a, e, COUNT).number.u == n && an_entry_records(e) == n);
    CHECK(an_value_of(a, e, LEAST).number.i == amounts[0]);
    CHECK(an_value_of(a, e, MOST).number.i == amounts[n - 1]);
    CHECK(is_near(an_value_of(a, e, MEAN).number.d, (double)mean, 1e-12));
    CHECK(is_near(an_value_of(a, e, VARIANCE).number.d, n > 1 ? (double)(squares / (n - 1)) : 0, 1e-9));
    CHECK(is_near(an_value_of(a, e, MEDIAN).number.d, (double)amounts[(n - 1) / 2], 0.010001));
    CHECK(is_near(an_value_of(a, e, P99).number.d, (double)amounts[(uint32_t)(0.99 * (n - 1))], 0.010001));
    CHECK(is_near((double)an_value_of(a, e, CODES).number.u, ncodes, ncodes <= 256 ? 0 : 0.05));
    CHECK(is_near(an_value_of(a, e, RATES).number.d, (double)rates, 1e-14));
    free(amounts);
}

/* Records of one group among those of times from low on, before high; the caller frees them. */
MAYBE_UNUSED static struct move *pick(const struct move *moves, uint32_t n, uint64_t from, int16_t kind, int64_t low,
                                      int64_t high, uint32_t *picked)
{
    struct move *some = malloc((n + 1) * sizeof(*some));
    *picked = 0;
    for (uint32_t i = 0; i < n; i++)
        if (moves[i].from == from && moves[i].kind == kind && moves[i].time_us >= low && moves[i].time_us < high)
            some[(*picked)++] = moves[i];
    return some;
}

#endif
