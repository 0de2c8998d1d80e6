/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_store_lib
/*
 * The power fails while a store is written: what was acknowledged is there, what is there is what the changes up to
 * some number have made, and a put of many is there as a whole or not at all.
 */
#include <pthread.h>

#include "power.h"

#include "../unit/store_fixture.h"

#define WRITERS 3
#define ROUNDS 60 /* of each */
#define IDS 30    /* of each */
#define MOST_CHANGES 4096
#define ACKNOWLEDGED 1
#define SYNCED 2

/* What has really happened: the changes by their numbers. */
struct event {
    int64_t id;
    int32_t year; /* 0: deleted */
    uint32_t batch;
};
static struct event history[MOST_CHANGES];
static uint64_t last_change;
static pthread_mutex_t history_lock = PTHREAD_MUTEX_INITIALIZER;
static struct st_arena arena;
static const struct st_engine_options *options;
static bool many_writers;
static char identity[ST_TOKEN_SIZE];

struct writer {
    uint32_t number;
    uint64_t seed;
};

static void make_item(int64_t id, int32_t year, struct item *item, char name[80])
{
    snprintf(name, 80, "%0*d", 5 + year % 70, year);
    *item = (struct item){.id = id, .year = year, .name = cell_strz(name), .score = year / 2.0};
}

/* Up to five puts at once, of which nothing may be there without the others. */
static void put_many(struct writer *w, uint32_t round)
{
    struct st_buffer bodies[5] = {{0}}, keys[5] = {{0}};
    struct st_write writes[5];
    struct event events[5];
    uint32_t n = 1 + states_random(&w->seed, 5);
    uint64_t most = 0;

    for (uint32_t i = 0; i < n; i++) {
        struct item item;
        char name[80];
        events[i] = (struct event){w->number * IDS + states_random(&w->seed, IDS), (int32_t)(round * 5 + i + 1),
                                   w->number * 1000 + round};
        make_item(events[i].id, events[i].year, &item, name);
        item_body(&item, &bodies[i]);
        CHECK(item_key(st_bytes_of(&bodies[i]), &keys[i]) >= 0);
        writes[i] = (struct st_write){.kind = ST_PUT, .key = st_bytes_of(&keys[i]), .body = st_bytes_of(&bodies[i])};
    }
    struct st_failure f;
    CHECK(st_engine_write(engine, items, writes, n, &f) == CELL_OK);
    pthread_mutex_lock(&history_lock);
    for (uint32_t i = 0; i < n && writes[i].version < MOST_CHANGES; i++) {
        history[writes[i].version] = events[i];
        most = writes[i].version > most ? writes[i].version : most;
    }
    last_change = most > last_change ? most : last_change;
    pthread_mutex_unlock(&history_lock);
    disk_mark(ACKNOWLEDGED, most);
    for (uint32_t i = 0; i < n; i++) {
        st_buffer_free(&bodies[i]);
        st_buffer_free(&keys[i]);
    }
}

static void delete_one(struct writer *w, uint32_t round)
{
    struct item item = {.id = w->number * IDS + states_random(&w->seed, IDS)};
    struct st_buffer body = {0}, key = {0};
    struct st_failure f;

    item_body(&item, &body);
    CHECK(item_key(st_bytes_of(&body), &key) >= 0);
    struct st_write write = {.kind = ST_DELETE, .key = st_bytes_of(&key)};
    int r = st_engine_write(engine, items, &write, 1, &f);
    CHECK(r == CELL_OK || r == CELL_NOT_FOUND);
    if (r == CELL_OK && write.version < MOST_CHANGES) {
        pthread_mutex_lock(&history_lock);
        history[write.version] = (struct event){item.id, 0, w->number * 1000 + round};
        last_change = write.version > last_change ? write.version : last_change;
        pthread_mutex_unlock(&history_lock);
        disk_mark(ACKNOWLEDGED, write.version);
    }
    st_buffer_free(&body);
    st_buffer_free(&key);
}

static void *write_rounds(void *user)
{
    struct writer *w = user;
    struct st_failure f;

    for (uint32_t round = 0; round < ROUNDS; round++) {
        if (states_random(&w->seed, 4) == 0)
            delete_one(w, round);
        else
            put_many(w, round);
        if (states_random(&w->seed, 16) == 0) {
            uint64_t before = store_stat().last;
            CHECK(st_engine_sync(engine, &f) == CELL_OK);
            disk_mark(SYNCED, before);
        }
    }
    return NULL;
}

static void write_store(void)
{
    pthread_t threads[WRITERS];
    struct writer writers[WRITERS];

    memset(history, 0, sizeof(history));
    last_change = 0;
    power_record();
    strcat(temp_folder, "/disk"); /* where the fixture puts its store */
    CHECK(store_open(options));
    strcpy(identity, st_engine_identity(engine));
    for (uint32_t i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){i, i + 77};
        if (many_writers)
            CHECK(pthread_create(&threads[i], NULL, write_rounds, &writers[i]) == 0);
        else
            write_rounds(&writers[i]);
    }
    for (uint32_t i = 0; many_writers && i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    store_close();
    *strrchr(temp_folder, '/') = '\0';
    disk_mark(SYNCED, last_change);
    CHECK(last_change > 200 && last_change < MOST_CHANGES);
}

/* ---- what is there ---- */

static int32_t expected[WRITERS * IDS];

static int compare_record(void *user, const struct st_found *found)
{
    struct item item = {0};

    CHECK(st_decode(codec, found->body, &item, st_arena_memory(&arena), &failure) >= 0);
    CHECK(item.id >= 0 && item.id < WRITERS * IDS && expected[item.id] == item.year && item.score == item.year / 2.0);
    ++*(uint64_t *)user;
    return 1;
}

static int compare_change(void *user, const struct st_change *change)
{
    struct item item = {0};
    const struct event *event = &history[change->number];

    CHECK(change->number == ++*(uint64_t *)user);
    CHECK(st_decode(codec, change->body, &item, st_arena_memory(&arena), &failure) >= 0);
    CHECK(item.id == event->id && item.year == event->year);
    CHECK((change->kind == ST_CHANGE_DELETE) == (event->year == 0));
    return 1;
}

static void compare_all(const struct st_stat *stat, const struct st_view *view)
{
    uint64_t records = 0, in_indexes = 0, number = stat->first - 1, there = 0;
    uint32_t spaces[8] = {st_collection_space(items)};

    for (uint32_t i = 0; i < schema->nindexes; i++)
        spaces[i + 1] = schema->indexes[i].space;
    for (size_t i = 0; i < WRITERS * IDS; i++)
        there += expected[i] != 0;
    for (uint32_t i = 0; i <= schema->nindexes; i++) {
        struct st_buffer from = {0}, to = {0};
        st_key_begin(&from, spaces[i]);
        st_key_begin(&to, spaces[i] + 1);
        const struct st_range range = {st_bytes_of(&from), st_bytes_of(&to), i > 0, false};
        CHECK(st_view_scan(view, &range, compare_record, i ? &in_indexes : &records, &failure) == 0);
        st_buffer_free(&from);
        st_buffer_free(&to);
    }
    CHECK(records == there && stat->count == there && in_indexes == there * schema->nindexes);
    CHECK(st_view_changes(view, items, stat->first - 1, compare_change, &number, &failure) == 0);
    CHECK(number == stat->last);
}

static void look(const struct states *states, size_t point, const char *folder)
{
    uint64_t acknowledged = states_marked(states, point, options->lazy ? SYNCED : ACKNOWLEDGED);
    char before[sizeof(temp_folder)];
    struct st_view view;
    struct st_stat stat;

    strcpy(before, temp_folder);
    strcpy(temp_folder, folder);
    struct st_engine_options again = *options;
    again.boot = "the next";
    bool open = store_open(&again);
    CHECK(open);
    if (open && st_view_begin(engine, NULL, &view, &failure) >= 0) {
        CHECK(st_view_stat(&view, items, &stat, &failure) >= 0);
        if (stat.last < acknowledged)
            printf("there are %llu changes, and %llu were acknowledged\n", (unsigned long long)stat.last,
                   (unsigned long long)acknowledged);
        CHECK(stat.last >= acknowledged && stat.last <= last_change);
        CHECK(stat.last == 0 || history[stat.last].batch != history[stat.last + 1].batch);
        /* Numbers that somebody has seen are not given to other changes of the same store. */
        bool same = strcmp(st_engine_identity(engine), identity) == 0;
        CHECK(!same || stat.last >= states_marked(states, point, ACKNOWLEDGED));
        CHECK(same || options->lazy || acknowledged == 0);
        memset(expected, 0, sizeof(expected));
        for (uint64_t i = 1; i <= stat.last && i < MOST_CHANGES; i++)
            expected[history[i].id] = history[i].year;
        compare_all(&stat, &view);
        st_view_end(&view);
        /* And it can be written again. */
        CHECK(store_put(&(struct item){.id = 0, .year = 9, .name = CELL_STR("again")}) == CELL_OK);
        CHECK(store_stat().last == stat.last + 1);
    } else {
        printf("%s\n", failure.text);
    }
    store_close();
    st_arena_reset(&arena);
    strcpy(temp_folder, before);
}

static void fail_power(const struct st_engine_options *with, bool many)
{
    options = with;
    many_writers = many;
    write_store();
    power_look(150, look);
    st_arena_free(&arena);
}

TEST(one_writer)
{
    static const struct st_engine_options plain = {.max_bytes = 64 << 20};
    fail_power(&plain, false);
}

TEST(writers_that_share_commits)
{
    static const struct st_engine_options plain = {.max_bytes = 64 << 20};
    fail_power(&plain, true);
}

TEST(a_short_feed)
{
    static const struct st_engine_options trimmed = {.max_bytes = 64 << 20, .feed_changes = 40};
    fail_power(&trimmed, true);
}

TEST(lazily)
{
    static const struct st_engine_options lazy = {.max_bytes = 64 << 20, .lazy = true, .sync_ms = 20};
    fail_power(&lazy, true);
}
