/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A snapshot that somebody has written: it is refused, or is a state that goes on counting. Sums over it are made right
 * first, or nothing behind them would be reached. The first byte chooses the plan. */
// LINK: cells/analytics/aggregator.c cells/analytics/entry.c cells/analytics/filter.c cells/analytics/pane.c cells/analytics/plan.c
// LINK: cells/analytics/pool.c cells/analytics/quantiles.c cells/analytics/sketch.c cells/analytics/state.c cells/analytics/state_read.c cells/analytics/view.c
// LINK: cells/analytics/failure.c
// LIBS: z
#include <string.h>

#include "analytics/state_impl.h"
#include "fuzz.h"

struct record {
    uint64_t from;
    int64_t amount, time_us;
};
#define FIELD(member, of) {offsetof(struct record, member), 8, of}

static const struct an_plan plans[2] = {
    {.record_size = sizeof(struct record),
     .nkeys = 1,
     .keys = {FIELD(from, AN_UNSIGNED)},
     .naggregates = 4,
     .aggregates = {{AN_SUM, FIELD(amount, AN_SIGNED), 0},
                    {AN_MAX, FIELD(amount, AN_SIGNED), 0},
                    {AN_QUANTILE, FIELD(amount, AN_SIGNED), 0.5},
                    {AN_DISTINCT, FIELD(amount, AN_SIGNED), 0}}},
    {.record_size = sizeof(struct record),
     .naggregates = 2,
     .aggregates = {{AN_COUNT, FIELD(amount, AN_SIGNED), 0}, {AN_VARIANCE, FIELD(amount, AN_SIGNED), 0}},
     .windowed = true,
     .time = FIELD(time_us, AN_SIGNED),
     .window_us = 20,
     .slide_us = 10,
     .panes = 5}};

static void mend(uint8_t *bytes, size_t n, const struct an_plan *plan)
{
    uint64_t hash = an_plan_hash(plan), payload;
    uint32_t what, crc;
    size_t at = sizeof(struct head);

    if (n < at)
        return;
    memcpy(bytes, MAGIC, 8);
    memcpy(bytes + offsetof(struct head, plan), &hash, 8);
    crc = an_crc(0, bytes + 16, at - 16);
    memcpy(bytes + 8, &crc, 4);
    while (n - at >= sizeof(struct end)) {
        memcpy(&what, bytes + at, 4);
        size_t size = what == END ? sizeof(struct end) : sizeof(struct piece);
        if (n - at < size)
            return;
        memcpy(&payload, bytes + at + offsetof(struct piece, bytes), 8 * (what != END));
        payload = what == END ? 0 : payload;
        if (payload > n - at - size)
            return;
        crc = an_crc(0, bytes + at + 8, size + payload - 8);
        memcpy(bytes + at + 4, &crc, 4);
        at += size + payload;
    }
}

static void go_on(struct an_aggregator *a, const struct an_plan *plan)
{
    struct an_failure f = {0};
    struct an_view *view;
    const void *data;
    size_t n;

    for (uint64_t i = 0; i < 50; i++) {
        const struct record record = {i % 7, (int64_t)(i * 1000), (int64_t)i};
        EXPECT(an_take(a, &record, 1, &f) == CELL_OK);
    }
    if (an_view_open(a, INT64_MAX, NULL, &view, &f) == CELL_OK) {
        for (uint32_t i = 0; i < an_view_count(view); i++)
            for (uint32_t k = 0; k < plan->naggregates; k++)
                an_value_of(a, an_view_entry(view, i), k);
        an_view_close(view);
    }
    EXPECT(an_save_begin(a, &(struct an_place){.missed = 1}, &f) == CELL_OK);
    EXPECT(an_save_step(a, SIZE_MAX, &data, &n, &f) == 0);
    struct an_aggregator *again = NULL;
    struct an_place place;
    EXPECT(an_restore(plan, data, n, &again, &place, &f) == CELL_OK);
    EXPECT(an_counters(again).groups == an_counters(a).groups);
    an_close(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct an_aggregator *a = NULL;
    struct an_failure f = {0};
    struct an_place place;

    if (size == 0)
        return 0;
    const struct an_plan *plan = &plans[data[0] & 1];
    uint8_t *bytes = malloc(size); /* of this size exactly */
    EXPECT(bytes);
    memcpy(bytes, data + 1, size - 1);
    mend(bytes, size - 1, plan);
    int r = an_restore(plan, bytes, size - 1, &a, &place, &f);
    EXPECT(r == CELL_OK || (r == CELL_DATA_LOSS && f.text[0]));
    if (r == CELL_OK)
        go_on(a, plan);
    an_close(a);
    free(bytes);
    return 0;
}
