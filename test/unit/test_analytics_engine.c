/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_analytics_sanitized
#include "analytics/aggregator_impl.h"
#include "analytics_fixture.h"

static struct an_failure f;

/* All groups of a window against the records that are to be in it. */
static void check_window(const struct an_aggregator *a, int64_t at_us, const struct move *moves, uint32_t n,
                         uint64_t accounts, int64_t low, int64_t high)
{
    struct an_view *view = NULL, *one = NULL;
    uint32_t groups = 0, picked;

    REQUIRE(an_view_open(a, at_us, NULL, &view, &f) == CELL_OK);
    for (uint64_t from = 0; from < accounts; from++)
        for (int16_t kind = -1; kind <= 1; kind++) {
            const int64_t key[2] = {(int64_t)from, kind};
            struct move *some = pick(moves, n, from, kind, low, high, &picked);
            const struct an_entry *e = an_view_find(view, key);
            CHECK((e != NULL) == (picked > 0));
            if (e && picked)
                check_entry(a, e, some, picked);
            REQUIRE(an_view_open(a, at_us, key, &one, &f) == CELL_OK);
            e = an_view_find(one, key);
            CHECK((e != NULL) == (picked > 0));
            if (e && picked)
                check_entry(a, e, some, picked);
            an_view_close(one);
            groups += picked > 0;
            free(some);
        }
    CHECK(an_view_count(view) == groups);
    an_view_close(view);
}

TEST(groups_have_all_aggregates_of_their_records)
{
    struct an_plan plan = plan_of_moves();
    struct an_aggregator *a = open_plan(&plan);
    struct move *moves = any_moves(20000, 37);

    REQUIRE(a && moves);
    take_all(a, moves, 20000);
    check_window(a, INT64_MAX, moves, 20000, 37, INT64_MIN, INT64_MAX);
    CHECK(an_counters(a).taken == 20000 && an_counters(a).passed == 20000 && an_counters(a).groups == 111);
    an_close(a);
    free(moves);
}

TEST(without_groups_there_is_one)
{
    struct an_plan plan = plan_of_moves();
    struct move *moves = any_moves(1000, 37);
    struct an_view *view;

    plan.nkeys = 0;
    struct an_aggregator *a = open_plan(&plan);
    REQUIRE(a && moves);
    take_all(a, moves, 1000);
    REQUIRE(an_view_open(a, 0, NULL, &view, &f) == CELL_OK && an_view_count(view) == 1);
    check_entry(a, an_view_entry(view, 0), moves, 1000);
    an_view_close(view);
    an_close(a);
    free(moves);
}

TEST(bytes_are_a_group_too)
{
    struct an_plan plan = plan_of_moves();
    struct move *moves = any_moves(1000, 1);
    struct an_view *view;
    char key[8] = "";

    plan.nkeys = 1;
    plan.keys[0] = TAG;
    struct an_aggregator *a = open_plan(&plan);
    REQUIRE(a && moves);
    for (int i = 0; i < 1000; i++)
        memcpy(moves[i].tag, i % 2 ? "abcdef" : "abcdeg", 6);
    take_all(a, moves, 1000);
    REQUIRE(an_view_open(a, 0, NULL, &view, &f) == CELL_OK);
    CHECK(an_view_count(view) == 2);
    memcpy(key, "abcdeg", 6);
    CHECK(an_view_find(view, key) && an_entry_records(an_view_find(view, key)) == 500);
    an_view_close(view);
    an_close(a);
    free(moves);
}

TEST(many_groups_are_found_again)
{
    enum { N = 300000 };
    struct an_plan plan = plan_of_moves();
    struct move *moves = calloc(N, sizeof(*moves));
    struct an_view *view;

    plan.nkeys = 1;
    plan.naggregates = 2;
    struct an_aggregator *a = open_plan(&plan);
    REQUIRE(a && moves);
    for (uint32_t i = 0; i < N; i++)
        moves[i] = (struct move){.from = i * UINT64_C(0x100000001), .amount = i};
    take_all(a, moves, N);
    take_all(a, moves, N / 2);
    REQUIRE(an_view_open(a, 0, NULL, &view, &f) == CELL_OK);
    CHECK(an_view_count(view) == N);
    for (uint32_t i = 0; i < N; i++) {
        const struct an_entry *e = an_view_find(view, &moves[i].from);
        REQUIRE(e && memcmp(an_entry_key(e), &moves[i].from, 8) == 0);
        CHECK(an_value_of(a, e, TOTAL).number.i == (int64_t)i * (i < N / 2 ? 2 : 1));
        CHECK(e == an_view_entry(view, i)); /* in the order in which they came */
    }
    CHECK(an_counters(a).bytes < 100 * N);
    an_view_close(view);
    an_close(a);
    free(moves);
}

/* However many groups there are, no record waits for more than a part of the table. */
TEST(the_table_grows_in_small_steps)
{
    enum { N = 300000, PART = 64 << 10 };
    struct an_plan plan = plan_of_moves();
    uint64_t before = 0, steps = 0;

    plan.nkeys = 1;
    plan.naggregates = 2;
    struct an_aggregator *a = open_plan(&plan);
    REQUIRE(a);
    for (uint32_t i = 0; i < N; i++) {
        const struct move move = {.from = i};
        REQUIRE(an_take(a, &move, 1, &f) == CELL_OK);
        uint64_t now = a->panes[0]->table_bytes;
        CHECK(now <= before + PART);
        steps += now != before;
        before = now;
    }
    CHECK(steps > N * 8 / PART && before < 25 * N);
    an_close(a);
}

TEST(keys_whose_hashes_meet_are_refused_in_the_end)
{
    struct an_plan plan = plan_of_moves();
    struct an_aggregator *a;
    struct an_pane *pane = an_pane_new(0);
    uint64_t key = 0;

    plan.nkeys = 1;
    a = open_plan(&plan);
    REQUIRE(a && pane);
    while (an_pane_take(a, pane, &key, UINT64_C(0xabcdef0123456789)) == key)
        REQUIRE(++key < 10000);
    CHECK(key > 6000 && pane->table_bytes < UINT64_C(4) << 20);
    for (uint64_t i = 0; i < key; i += 500)
        CHECK(an_pane_find(a, pane, &i, UINT64_C(0xabcdef0123456789)) == i);
    an_pane_free(pane);
    an_close(a);
}

TEST(sums_beyond_64_bits_are_told)
{
    struct an_plan plan = plan_of_moves();
    struct move moves[3] = {{.amount = INT64_MAX}, {.amount = 1}, {.amount = -1}};
    struct an_view *view;

    struct an_aggregator *a = open_plan(&plan);
    REQUIRE(a);
    for (int n = 1; n <= 3; n++) {
        REQUIRE(an_take(a, &moves[n - 1], 1, &f) == CELL_OK);
        REQUIRE(an_view_open(a, 0, NULL, &view, &f) == CELL_OK);
        CHECK(an_value_of(a, an_view_entry(view, 0), TOTAL).wide == (n == 2));
        an_view_close(view);
    }
    an_close(a);
}

TEST(conditions_select_records)
{
    struct an_plan plan = plan_of_moves();
    struct move *moves = any_moves(5000, 5);
    struct an_problem problem;
    uint64_t right = 0;

    REQUIRE(
        an_filter_parse("kind == 0 && amount >= 100 || code < 10", NULL, find_in_moves, NULL, &plan.filter, &problem));
    struct an_aggregator *a = open_plan(&plan);
    REQUIRE(a && moves);
    for (int i = 0; i < 5000; i++)
        right += (moves[i].kind == 0 && moves[i].amount >= 100) || moves[i].code < 10;
    take_all(a, moves, 5000);
    CHECK(right > 500 && right < 4500);
    CHECK(an_counters(a).passed == right && an_counters(a).taken == 5000);
    an_close(a);
    free(moves);
}

TEST(what_cannot_be_aggregated_is_refused)
{
    struct an_aggregator *a = NULL;
    struct an_plan plan = plan_of_moves();

    plan.keys[0].offset = sizeof(struct move);
    CHECK(an_open(&plan, &a, &f) == CELL_INVALID_ARGUMENT);
    plan = plan_of_moves();
    plan.keys[0] = RATE;
    CHECK(an_open(&plan, &a, &f) == CELL_INVALID_ARGUMENT);
    plan = plan_of_moves();
    plan.aggregates[0].field = TAG;
    CHECK(an_open(&plan, &a, &f) == CELL_INVALID_ARGUMENT);
    plan = plan_of_moves();
    plan.windowed = true;
    plan.time = TIME;
    plan.slide_us = 10;
    plan.window_us = 25;
    plan.panes = 3;
    CHECK(an_open(&plan, &a, &f) == CELL_INVALID_ARGUMENT);
}

/* ---- windows ---- */

static struct an_plan windows(int64_t window, int64_t slide, int64_t lateness, uint32_t panes)
{
    struct an_plan plan = plan_of_moves();

    plan.windowed = true;
    plan.time = TIME;
    plan.window_us = window;
    plan.slide_us = slide;
    plan.lateness_us = lateness;
    plan.panes = panes;
    return plan;
}

static int64_t floor_to(int64_t t, int64_t slide) { return (int64_t)floor((double)t / (double)slide) * slide; }

/* Records in disorder; those that a model says are late are taken out of `moves`. */
static uint32_t drop_late(struct move *moves, uint32_t n, const struct an_plan *plan, uint64_t *late)
{
    int64_t newest = INT64_MIN / 2;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < n; i++) {
        int64_t begin = floor_to(moves[i].time_us, plan->slide_us), now = floor_to(newest, plan->slide_us);
        if (begin + plan->slide_us <= newest - plan->lateness_us || begin <= now - plan->panes * plan->slide_us) {
            (*late)++;
            continue;
        }
        newest = moves[i].time_us > newest ? moves[i].time_us : newest;
        moves[kept++] = moves[i];
    }
    return kept;
}

static void check_windows(int64_t window, int64_t slide, int64_t lateness, uint32_t panes)
{
    enum { N = 6000 };
    struct an_plan plan = windows(window, slide, lateness, panes);
    struct an_aggregator *a = open_plan(&plan);
    struct move *moves = any_moves(N, 4);
    struct an_view *view;
    uint64_t late = 0;
    int64_t newest = INT64_MIN;

    REQUIRE(a && moves);
    for (int i = 0; i < N; i++) /* from before 1970 on */
        moves[i].time_us = -2000 + i - (int64_t)any(any(4) ? 20 : 700);
    take_all(a, moves, N);
    uint32_t n = drop_late(moves, N, &plan, &late);
    CHECK(late > 0 && late < N / 2 && an_counters(a).late == late && an_counters(a).passed == N);
    for (uint32_t i = 0; i < n; i++)
        newest = moves[i].time_us > newest ? moves[i].time_us : newest;
    CHECK(an_counters(a).newest_us == newest);
    int64_t last = floor_to(newest, slide), oldest = last - ((int64_t)panes - 1) * slide;
    for (int64_t end = last + slide; end - window >= oldest; end -= slide)
        check_window(a, end - 1, moves, n, 4, end - window, end);
    check_window(a, INT64_MAX, moves, n, 4, last + slide - window, last + slide);
    for (int64_t end = oldest + window - slide; end > oldest; end -= slide) /* the first slides of these are gone */
        CHECK(an_view_open(a, end - 1, NULL, &view, &f) == CELL_NOT_FOUND);
    CHECK(an_view_open(a, oldest - 1, NULL, &view, &f) == CELL_NOT_FOUND);
    CHECK(an_view_open(a, INT64_MIN, NULL, &view, &f) == CELL_NOT_FOUND);
    an_close(a);
    free(moves);
}

TEST(tumbling_windows_have_their_records_and_refuse_late_ones) { check_windows(100, 100, 50, 8); }
TEST(tumbling_windows_without_lateness) { check_windows(100, 100, 0, 3); }
TEST(sliding_windows_are_their_slides_together) { check_windows(300, 50, 400, 20); }
TEST(windows_that_go_within_a_span_have_their_records_until_then)
{
    enum { N = 300 };
    struct an_plan plan = windows(10, 10, 100, 2);
    struct an_aggregator *a = open_plan(&plan);
    struct move *moves = any_moves(N, 1);

    REQUIRE(a && moves);
    for (int i = 0; i < N; i++)
        moves[i].time_us = i / 3 * 10; /* three records each */
    CHECK(an_take(a, moves, N, &f) == CELL_OK);
    CHECK(an_counters(a).late == 0 && an_counters(a).passed == N);
    check_window(a, 985, moves, N, 1, 980, 990);
    check_window(a, 995, moves, N, 1, 990, 1000);
    an_close(a);
    free(moves);
}
TEST(times_at_the_ends_of_what_there_is_are_no_harm)
{
    static const int64_t times[] = {0, INT64_MIN, INT64_MAX, -1, INT64_MAX - 1, INT64_MIN + 1};
    struct an_plan plan = windows(300, 50, 400, 20);
    struct an_aggregator *a = open_plan(&plan);
    struct an_view *view;

    REQUIRE(a);
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        struct move move = {.time_us = times[i]};
        CHECK(an_take(a, &move, 1, &f) == CELL_OK);
    }
    CHECK(an_counters(a).late == 3 || an_counters(a).late == 4);
    if (an_view_open(a, INT64_MAX, NULL, &view, &f) == CELL_OK)
        an_view_close(view);
    an_close(a);
}

/* ---- following ---- */

TEST(changes_are_told_once_in_each_span)
{
    struct an_plan plan = plan_of_moves();
    struct an_aggregator *a = open_plan(&plan);
    struct move moves[5] = {{.from = 1}, {.from = 2}, {.from = 1}, {.from = 1}, {.from = 2}};
    struct an_change change;

    REQUIRE(a);
    CHECK(an_take(a, moves, 5, &f) == CELL_OK);
    CHECK(an_changes_end(a) == 0); /* nobody followed */
    REQUIRE(an_follow(a));
    CHECK(an_take(a, moves, 5, &f) == CELL_OK && an_changes_end(a) == 2);
    CHECK(an_take(a, moves, 1, &f) == CELL_OK && an_changes_end(a) == 3);
    REQUIRE(an_changes_get(a, 2, &change));
    CHECK(memcmp(an_change_key(a, &change), &moves[0].from, 8) == 0);
    CHECK(!an_changes_get(a, 3, &change));
    for (int i = 0; i < 70000; i++)
        an_take(a, moves, 1, &f);
    CHECK(!an_changes_get(a, 2, &change)); /* overtaken */
    CHECK(an_changes_get(a, an_changes_end(a) - 65536, &change));
    an_unfollow(a);
    an_close(a);
}
