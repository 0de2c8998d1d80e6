/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What was saved while records came is the state at which saving began, and goes on to the same as if nothing was. */
// LIBS: cell_analytics_sanitized
#include "analytics_fixture.h"

#define N 30000

static struct an_failure f;

struct bytes {
    uint8_t *at;
    size_t n;
};

static bool step(struct an_aggregator *a, size_t some, struct bytes *to)
{
    const void *data;
    size_t n;
    int r = an_save_step(a, some, &data, &n, &f);

    CHECK(r >= 0);
    if (r < 0)
        return false;
    to->at = realloc(to->at, to->n + n + 1);
    memcpy(to->at + to->n, data, n);
    to->n += n;
    return r > 0;
}

static void expect_same(const struct an_aggregator *a, const struct an_aggregator *b)
{
    struct an_view *x = NULL, *y = NULL;

    CHECK(an_counters(a).taken == an_counters(b).taken && an_counters(a).late == an_counters(b).late &&
          an_counters(a).passed == an_counters(b).passed && an_counters(a).groups == an_counters(b).groups &&
          an_counters(a).newest_us == an_counters(b).newest_us);
    REQUIRE(an_view_open(a, INT64_MAX, NULL, &x, &f) == CELL_OK && an_view_open(b, INT64_MAX, NULL, &y, &f) == CELL_OK);
    CHECK(an_view_count(x) == an_view_count(y));
    for (uint32_t i = 0; i < an_view_count(x); i++) {
        const struct an_entry *e = an_view_entry(x, i), *o = an_view_find(y, an_entry_key(e));
        REQUIRE(o);
        for (uint32_t k = 0; k < NAGGREGATES; k++) {
            struct an_value u = an_value_of(a, e, k), v = an_value_of(b, o, k);
            CHECK(u.sum == v.sum && u.wide == v.wide && memcmp(&u.number, &v.number, 8) == 0);
        }
    }
    an_view_close(x);
    an_view_close(y);
}

static struct move *timed_moves(void)
{
    struct move *moves = any_moves(N, 2500);
    for (int64_t i = 0; i < N; i++) {
        moves[i].time_us = i - (int64_t)any(200);
        moves[i].from %= any(2) ? 2 : 2500;             /* a few have many more than the others, */
        moves[i].amount = any(4) ? moves[i].amount : 7; /* and of one amount very many */
    }
    return moves;
}

static struct an_plan plan_with(bool windowed)
{
    struct an_plan plan = plan_of_moves();
    if (windowed) {
        plan.windowed = true;
        plan.time = TIME;
        plan.window_us = 6000;
        plan.slide_us = 2000;
        plan.lateness_us = 100;
        plan.panes = 4;
    }
    return plan;
}

/* Saving begins at `from`, in steps of any size with spans between them. */
static struct bytes save_while_counting(struct an_aggregator *a, const struct move *moves, uint32_t from, uint32_t *to)
{
    const struct an_place place = {{from, 5, 7}, 3};
    struct bytes saved = {NULL, 0};

    take_all(a, moves, from);
    CHECK(an_save_begin(a, &place, &f) == CELL_OK);
    *to = from;
    do {
        uint32_t some = (uint32_t)any(400);
        some = some < N - *to ? some : N - *to;
        take_all(a, moves + *to, some);
        *to += some;
    } while (step(a, any(3) * 100000, &saved));
    return saved;
}

static void check_saved(bool windowed, uint32_t from)
{
    struct an_plan plan = plan_with(windowed);
    struct an_aggregator *a = open_plan(&plan), *before = open_plan(&plan), *restored = NULL;
    struct move *moves = timed_moves();
    struct an_place place;
    uint32_t to;

    REQUIRE(a && before && moves);
    struct bytes saved = save_while_counting(a, moves, from, &to);
    REQUIRE(an_restore(&plan, saved.at, saved.n, &restored, &place, &f) == CELL_OK);
    CHECK(place.position.sequence == from && place.position.offset == 5 && place.position.epoch == 7 &&
          place.missed == 3);
    take_all(before, moves, from);
    if (from)
        expect_same(before, restored);
    take_all(a, moves + to, N - to);
    take_all(restored, moves + from, N - from);
    expect_same(a, restored);
    an_close(a);
    an_close(before);
    an_close(restored);
    free(saved.at);
    free(moves);
}

TEST(a_state_is_that_of_the_moment)
{
    check_saved(false, 12000);
    check_saved(false, 1);
}
TEST(a_state_with_windows_that_go_meanwhile)
{
    check_saved(true, 1900);
    check_saved(true, 12000);
}
TEST(an_empty_state) { check_saved(false, 0); }

TEST(a_state_that_is_damaged_is_refused)
{
    struct an_plan plan = plan_with(true);
    struct an_aggregator *a = open_plan(&plan), *restored = NULL;
    struct move *moves = timed_moves();
    struct an_place place = {{0}, 0};
    struct bytes saved = {NULL, 0};

    REQUIRE(a && moves);
    take_all(a, moves, 500);
    REQUIRE(an_save_begin(a, &place, &f) == CELL_OK);
    while (step(a, 1000000, &saved))
        ;
    for (int i = 0; i < 2000; i++) {
        size_t at = any(saved.n);
        uint8_t bit = (uint8_t)(1u << any(8));
        saved.at[at] ^= bit;
        CHECK(an_restore(&plan, saved.at, saved.n, &restored, &place, &f) == CELL_DATA_LOSS);
        saved.at[at] ^= bit;
        CHECK(an_restore(&plan, saved.at, any(saved.n), &restored, &place, &f) == CELL_DATA_LOSS);
    }
    plan.lateness_us++;
    CHECK(an_restore(&plan, saved.at, saved.n, &restored, &place, &f) == CELL_DATA_LOSS);
    an_close(a);
    free(saved.at);
    free(moves);
}
