/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_store_sanitized
/* The feed: what is kept, what is told of what is not, and waiting for what comes. */
#include <pthread.h>

#include "store_fixture.h"

static struct st_arena arena;

struct heard {
    uint64_t numbers[64];
    enum st_change_kind kinds[64];
    int64_t ids[64];
    int32_t years[64];
    uint32_t n, most;
};

static int hear(void *user, const struct st_change *change)
{
    struct heard *h = user;
    struct item item = {0};

    CHECK(st_decode(codec, change->body, &item, st_arena_memory(&arena), &failure) >= 0);
    h->numbers[h->n] = change->number;
    h->kinds[h->n] = change->kind;
    h->ids[h->n] = item.id;
    h->years[h->n] = item.year;
    return ++h->n < h->most ? 1 : 0;
}

static int listen_from(uint64_t after, struct heard *h)
{
    struct st_view view;

    *h = (struct heard){.most = 64};
    int r = st_view_begin(engine, NULL, &view, &failure);
    if (r >= 0) {
        r = st_view_changes(&view, items, after, hear, h, &failure);
        st_view_end(&view);
    }
    return r;
}

static void end(void)
{
    store_end();
    st_arena_free(&arena);
}

static void wait_until(bool (*holds)(void))
{
    int64_t until = st_monotonic_ms() + 20000;

    while (!holds() && st_monotonic_ms() < until)
        usleep(2000);
    CHECK(holds());
}

TEST(changes_are_numbered_and_deletions_name_the_key)
{
    struct heard h;

    store_begin(NULL);
    CHECK(store_put(&(struct item){.id = 1, .year = 10}) == CELL_OK);
    CHECK(store_put(&(struct item){.id = 1, .year = 11}) == CELL_OK);
    CHECK(store_delete(1) == CELL_OK);
    CHECK(listen_from(0, &h) == 0 && h.n == 3);
    CHECK(h.numbers[0] == 1 && h.kinds[0] == ST_CHANGE_PUT && h.years[0] == 10);
    CHECK(h.numbers[1] == 2 && h.kinds[1] == ST_CHANGE_PUT && h.years[1] == 11);
    CHECK(h.numbers[2] == 3 && h.kinds[2] == ST_CHANGE_DELETE && h.ids[2] == 1 && h.years[2] == 0);
    CHECK(listen_from(2, &h) == 0 && h.n == 1 && h.numbers[0] == 3);
    CHECK(listen_from(3, &h) == 0 && h.n == 0);
    end();
}

TEST(who_reads_behind_retention_is_told_so)
{
    const struct st_engine_options options = {.feed_changes = 5};
    struct heard h;

    store_begin(&options);
    for (int i = 0; i < 12; i++)
        CHECK(store_put(&(struct item){.id = i}) == CELL_OK);
    CHECK(store_stat().first == 8 && store_stat().last == 12);
    CHECK(listen_from(6, &h) == CELL_OUT_OF_RANGE && h.n == 0);
    CHECK_STR(failure.text,
              "the feed of 'items' begins behind position 7 by now: what came after 6 is read in a snapshot");
    CHECK(listen_from(7, &h) == 0 && h.n == 5 && h.numbers[0] == 8);
    CHECK(listen_from(13, &h) == CELL_OUT_OF_RANGE);
    CHECK_STR(failure.text, "'items' has had 12 changes so far: position 13 is of another store");
    store_close();
    REQUIRE(store_open(&options));
    CHECK(listen_from(7, &h) == 0 && h.n == 5 && listen_from(6, &h) == CELL_OUT_OF_RANGE);
    end();
}

TEST(a_feed_has_no_more_bytes_than_it_may)
{
    const struct st_engine_options options = {.feed_bytes = 20000};
    char text[1001];

    store_begin(&options);
    memset(text, 't', 1000);
    const cell_str tag = {text, 1000};
    for (int i = 0; i < 100; i++)
        CHECK(store_put(&(struct item){.id = i, .tags = {&tag, 1}}) == CELL_OK);
    CHECK(store_stat().feed_bytes <= 20000 && store_stat().feed_bytes > 18000);
    CHECK(store_stat().last == 100 && store_stat().last - store_stat().first < 20);
    end();
}

static bool feed_is_empty(void) { return store_stat().first == store_stat().last + 1; }

TEST(what_is_too_old_goes_without_anybody_writing)
{
    const struct st_engine_options options = {.feed_age_ms = 30};
    struct heard h;

    store_begin(&options);
    for (int i = 0; i < 300; i++)
        CHECK(store_put(&(struct item){.id = i}) == CELL_OK);
    wait_until(feed_is_empty);
    CHECK(store_stat().count == 300 && store_stat().last == 300 && store_stat().feed_bytes == 0);
    CHECK(listen_from(299, &h) == CELL_OUT_OF_RANGE && listen_from(300, &h) == 0);
    CHECK(store_put(&(struct item){.id = 1}) == CELL_OK && listen_from(300, &h) == 0 && h.n == 1);
    end();
}

static bool is_thinned(void) { return store_stat().thinned == store_stat().last - 2; }

TEST(overtaken_changes_lose_what_they_hold_but_not_their_numbers)
{
    const struct st_engine_options options = {.feed_whole = 2};
    struct heard h;

    store_begin(&options);
    for (int i = 1; i <= 5; i++)
        CHECK(store_put(&(struct item){.id = 1, .year = i}) == CELL_OK);
    CHECK(store_put(&(struct item){.id = 2, .year = 9}) == CELL_OK);
    CHECK(store_put(&(struct item){.id = 1, .year = 6}) == CELL_OK);
    CHECK(store_put(&(struct item){.id = 1, .year = 7}) == CELL_OK);
    wait_until(is_thinned);
    CHECK(listen_from(0, &h) == 0 && h.n == 8);
    for (uint32_t i = 0; i < 5; i++)
        CHECK(h.numbers[i] == i + 1 && h.kinds[i] == ST_CHANGE_OVERTAKEN && h.ids[i] == 1 && h.years[i] == 0);
    CHECK(h.kinds[5] == ST_CHANGE_PUT && h.ids[5] == 2 && h.years[5] == 9); /* still the newest of its record */
    CHECK(h.kinds[6] == ST_CHANGE_PUT && h.years[6] == 6 && h.kinds[7] == ST_CHANGE_PUT && h.years[7] == 7);
    end();
}

static void *put_one(void *user)
{
    (void)user;
    CHECK(store_put(&(struct item){.id = 77}) == CELL_OK);
    return NULL;
}

TEST(who_waits_is_woken_by_a_change)
{
    pthread_t thread;

    store_begin(NULL);
    CHECK(!st_feed_wait(engine, items, 0, 1));
    CHECK(pthread_create(&thread, NULL, put_one, NULL) == 0);
    CHECK(st_feed_wait(engine, items, 0, 60000));
    pthread_join(thread, NULL);
    CHECK(st_feed_wait(engine, items, 0, 60000));
    end();
}
