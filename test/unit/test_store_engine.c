/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_store_sanitized
/* The store's engine: what each function promises. */
#include <math.h>
#include <pthread.h>
#include <sys/stat.h>

#include "store_fixture.h"

#include <store/engine_impl.h>

static struct st_arena arena;

static void end(void)
{
    store_end();
    st_arena_free(&arena);
}

TEST(a_record_comes_back_as_it_was_put)
{
    const cell_str tags[] = {CELL_STR("a"), CELL_STR(""), CELL_STR("c")};
    const struct item in = {7, CELL_STR("Ada"), CELL_SOME(CELL_STR("ada@example.org")), -3, 1.5, {tags, 3}};
    struct item out;
    uint64_t version = 0;

    store_begin(NULL);
    CHECK(store_put(&in) == CELL_OK);
    CHECK(store_get(NULL, 7, &out, &version, &arena) == CELL_OK);
    CHECK(out.id == 7 && cell_str_eq(out.name, in.name) && out.email.has && out.year == -3 && out.score == 1.5);
    CHECK(out.tags.len == 3 && cell_str_eq(out.tags.ptr[2], tags[2]) && out.tags.ptr[1].len == 0);
    CHECK(version == 1);
    CHECK(store_get(NULL, 8, &out, &version, &arena) == CELL_NOT_FOUND);
    end();
}

TEST(what_was_written_is_there_after_it_was_opened_again)
{
    struct item out;

    store_begin(NULL);
    char identity[ST_TOKEN_SIZE];
    strcpy(identity, st_engine_identity(engine));
    for (int i = 0; i < 100; i++)
        CHECK(store_put(&(struct item){.id = i}) == CELL_OK);
    CHECK(store_delete(50) == CELL_OK);
    store_close();
    REQUIRE(store_open(NULL));
    CHECK_STR(st_engine_identity(engine), identity);
    CHECK(store_stat().count == 99 && store_stat().last == 101);
    CHECK(store_get(NULL, 99, &out, NULL, &arena) == CELL_OK);
    CHECK(store_get(NULL, 50, &out, NULL, &arena) == CELL_NOT_FOUND);
    end();
}

TEST(a_second_process_is_refused)
{
    struct st_engine *other = NULL;

    store_begin(NULL);
    const struct st_engine_options options = {.path = temp_path("store")};
    CHECK(st_engine_open(&options, &other, &failure) == CELL_UNAVAILABLE);
    CHECK_STR(failure.text, "the store is in use by another process");
    end();
}

TEST(a_file_that_is_no_store_is_refused)
{
    temp_folder_make();
    temp_make_folder("store");
    char *bytes = malloc(100000);
    memset(bytes, 'x', 99999);
    bytes[99999] = '\0';
    temp_write("store/data.mdb", bytes);
    free(bytes);
    CHECK(!store_open(NULL));
    CHECK(failure.status == CELL_DATA_LOSS);
    temp_folder_remove();
}

TEST(a_version_is_written_over_only_by_who_has_seen_it)
{
    uint64_t version = 0, next = 0;
    const struct item one = {.id = 1, .year = 1}, two = {.id = 1, .year = 2};
    struct item out;

    store_begin(NULL);
    CHECK(store_write(ST_PUT, &one, true, 5, NULL) == CELL_NOT_FOUND);
    CHECK(store_write(ST_PUT, &one, true, 0, &version) == CELL_OK);
    CHECK(store_write(ST_PUT, &one, true, 0, NULL) == CELL_ALREADY_EXISTS);
    CHECK(store_write(ST_PUT, &two, true, version, &next) == CELL_OK && next == version + 1);
    CHECK(store_write(ST_PUT, &one, true, version, NULL) == CELL_ABORTED);
    CHECK_STR(failure.text, "the record has version 2, not 1 any more");
    CHECK(store_get(NULL, 1, &out, &version, &arena) == CELL_OK && out.year == 2 && version == next);
    CHECK(store_write(ST_DELETE, &one, true, 1, NULL) == CELL_ABORTED);
    CHECK(store_write(ST_DELETE, &one, true, 0, NULL) == CELL_ABORTED);
    CHECK(store_write(ST_DELETE, &one, true, next, NULL) == CELL_OK);
    CHECK(store_delete(1) == CELL_NOT_FOUND);
    CHECK(store_stat().last == 3 && store_stat().count == 0);
    end();
}

TEST(a_unique_index_has_each_value_once_and_absent_ones_often)
{
    const struct item a = {.id = 1, .email = CELL_SOME(CELL_STR("a@b"))};
    const struct item b = {.id = 2, .email = CELL_SOME(CELL_STR("a@b"))};

    store_begin(NULL);
    CHECK(store_put(&a) == CELL_OK);
    CHECK(store_put(&b) == CELL_ALREADY_EXISTS);
    CHECK_STR(failure.text, "another record in 'items' has the same email");
    CHECK(store_put(&a) == CELL_OK);
    CHECK(store_put(&(struct item){.id = 3}) == CELL_OK && store_put(&(struct item){.id = 4}) == CELL_OK);
    CHECK(store_put(&(struct item){.id = 1}) == CELL_OK);
    CHECK(store_put(&b) == CELL_OK);
    end();
}

static int put_several(const int64_t *ids, const char *const *emails, uint32_t n)
{
    struct st_buffer bodies[8] = {0}, keys[8] = {0};
    struct st_write writes[8] = {0};

    for (uint32_t i = 0; i < n; i++) {
        struct item item = {.id = ids[i]};
        if (emails[i])
            item.email = (cell_opt_str)CELL_SOME(cell_strz(emails[i]));
        item_body(&item, &bodies[i]);
        item_key(st_bytes_of(&bodies[i]), &keys[i]);
        writes[i] = (struct st_write){.key = st_bytes_of(&keys[i]), .body = st_bytes_of(&bodies[i])};
    }
    int r = st_engine_write(engine, items, writes, n, &failure);
    for (uint32_t i = 0; i < n; i++) {
        st_buffer_free(&bodies[i]);
        st_buffer_free(&keys[i]);
    }
    return r;
}

TEST(several_records_are_put_together_or_not_at_all)
{
    struct item out;

    store_begin(NULL);
    CHECK(put_several((const int64_t[]){1, 2, 3}, (const char *const[]){"a", "b", "c"}, 3) == CELL_OK);
    CHECK(put_several((const int64_t[]){4, 5, 6}, (const char *const[]){"d", "a", "f"}, 3) == CELL_ALREADY_EXISTS);
    CHECK(store_get(NULL, 4, &out, NULL, &arena) == CELL_NOT_FOUND);
    CHECK(store_stat().count == 3 && store_stat().last == 3);
    /* The same value twice in one go, too. */
    CHECK(put_several((const int64_t[]){7, 8}, (const char *const[]){"x", "x"}, 2) == CELL_ALREADY_EXISTS);
    CHECK(put_several((const int64_t[]){9, 9}, (const char *const[]){"y", "z"}, 2) == CELL_OK);
    CHECK(store_stat().count == 4 && store_stat().last == 5);
    end();
}

TEST(keys_that_are_too_long_or_no_numbers_are_refused)
{
    char *text = calloc(1, 1000);

    store_begin(NULL);
    memset(text, 'n', 999);
    CHECK(store_put(&(struct item){.id = 1, .name = {text, 999}}) == CELL_TOO_LARGE);
    CHECK(strstr(failure.text, "'name' is too long for its index") != NULL);
    CHECK(store_put(&(struct item){.id = 1, .score = NAN}) == CELL_INVALID_ARGUMENT);
    CHECK(strstr(failure.text, "'score' is not a number") != NULL);
    CHECK(store_stat().last == 0);
    CHECK(store_put(&(struct item){.id = 1, .name = {text, 400}}) == CELL_OK);
    free(text);
    end();
}

TEST(a_reader_that_was_begun_before_a_write_is_not_used_for_later_ones)
{
    struct st_view before;
    struct item out;
    uint64_t version = 0;

    store_begin(NULL);
    CHECK(store_put(&(struct item){.id = 1, .year = 1}) == CELL_OK);
    CHECK(store_get(NULL, 1, &out, NULL, &arena) == CELL_OK && out.year == 1);
    REQUIRE(st_view_begin(engine, NULL, &before, &failure) == CELL_OK);
    CHECK(store_put(&(struct item){.id = 1, .year = 2}) == CELL_OK);
    st_view_end(&before);
    CHECK(store_get(NULL, 1, &out, &version, &arena) == CELL_OK && out.year == 2 && version == 2);
    /* One that fails and writes nothing changes nothing either. */
    CHECK(store_write(ST_PUT, &(struct item){.id = 1, .year = 3}, true, 1, NULL) < 0);
    CHECK(store_get(NULL, 1, &out, &version, &arena) == CELL_OK && out.year == 2 && version == 2);
    end();
}

TEST(a_record_that_was_found_before_is_another_one_after_a_write_and_the_same_in_a_snapshot)
{
    char token[ST_TOKEN_SIZE];
    int64_t lease = 10000;
    struct item out;

    store_begin(NULL);
    for (int year = 1; year < 50; year++) {
        CHECK(store_put(&(struct item){.id = 1, .year = year}) == CELL_OK);
        for (int i = 0; i < 2; i++)
            CHECK(store_get(NULL, 1, &out, NULL, &arena) == CELL_OK && out.year == year);
        if (year == 20)
            CHECK(st_snapshot_take(engine, &lease, token, &failure) == CELL_OK);
        if (year >= 20)
            CHECK(store_get(token, 1, &out, NULL, &arena) == CELL_OK && out.year == 20);
    }
    CHECK(store_write(ST_DELETE, &(struct item){.id = 1}, false, 0, NULL) == CELL_OK);
    CHECK(store_get(NULL, 1, &out, NULL, &arena) == CELL_NOT_FOUND);
    CHECK(store_get(token, 1, &out, NULL, &arena) == CELL_OK && out.year == 20);
    end();
}

TEST(who_gets_a_record_leaves_its_place_for_the_next_one)
{
    struct st_view view;
    struct st_found found;
    struct st_bytes value;
    struct st_buffer body = {0}, key = {0};
    struct item out;

    store_begin(NULL);
    CHECK(store_put(&(struct item){.id = 1}) == CELL_OK);
    item_body(&(struct item){.id = 1}, &body);
    item_key(st_bytes_of(&body), &key);
    REQUIRE(st_view_begin(engine, NULL, &view, &failure) == CELL_OK);
    uint64_t commit = mdb_txn_id(view.txn);
    CHECK(!st_cache_find(engine->cache, commit, st_bytes_of(&key), &value));
    CHECK(store_get(NULL, 1, &out, NULL, &arena) == CELL_OK);
    CHECK(st_view_get(&view, st_bytes_of(&key), false, &found, &failure) == CELL_OK);
    CHECK(st_cache_find(engine->cache, commit, st_bytes_of(&key), &value));
    CHECK(value.p + 8 == found.body.p && value.n == found.body.n + 8);
    st_view_end(&view);
    st_buffer_free(&body);
    st_buffer_free(&key);
    end();
}

static off_t size_of_file(void)
{
    char path[PATH_MAX];
    struct stat st = {0};

    snprintf(path, sizeof(path), "%s/data.mdb", temp_path("store"));
    CHECK(stat(path, &st) == 0);
    return st.st_size;
}

TEST(readers_that_rest_keep_no_page_from_being_used_again)
{
    static char text[3000];
    const cell_str tag = {text, sizeof(text)};
    struct st_view views[3];
    off_t before = 0;

    memset(text, 'x', sizeof(text));
    store_begin(NULL);
    for (int i = 0; i < 600; i++) {
        if (i == 100) {
            for (int k = 0; k < 3; k++)
                REQUIRE(st_view_begin(engine, NULL, &views[k], &failure) == CELL_OK);
            for (int k = 0; k < 3; k++)
                st_view_end(&views[k]);
            before = size_of_file();
        }
        CHECK(store_put(&(struct item){.id = 1, .year = i, .tags = {&tag, 1}}) == CELL_OK);
    }
    /* Some of it are the changes; each write also uses three pages and more, of 4 KiB, that the one before it freed. */
    CHECK(size_of_file() - before < 500 * 6000);
    end();
}

TEST(a_snapshot_stays_as_it_was)
{
    char token[ST_TOKEN_SIZE];
    int64_t lease = 60000;
    struct item out;

    store_begin(NULL);
    CHECK(store_put(&(struct item){.id = 1, .year = 1}) == CELL_OK);
    CHECK(st_snapshot_take(engine, &lease, token, &failure) == CELL_OK && lease == 60000);
    for (int i = 0; i < 500; i++)
        CHECK(store_put(&(struct item){.id = 1, .year = 2 + i}) == CELL_OK);
    CHECK(store_delete(1) == CELL_OK);
    CHECK(store_get(token, 1, &out, NULL, &arena) == CELL_OK && out.year == 1);
    CHECK(store_get(NULL, 1, &out, NULL, &arena) == CELL_NOT_FOUND);
    CHECK(st_snapshot_release(engine, token, &failure) == CELL_OK);
    CHECK(store_get(token, 1, &out, NULL, &arena) == CELL_FAILED_PRECONDITION);
    CHECK(st_snapshot_release(engine, token, &failure) == CELL_NOT_FOUND);
    end();
}

TEST(a_snapshot_ends_when_nobody_uses_it_for_its_lease)
{
    const struct st_engine_options options = {.most_snapshots = 2, .most_lease_ms = 20};
    char token[ST_TOKEN_SIZE], other[ST_TOKEN_SIZE];
    int64_t lease = 100000;
    struct item out;

    store_begin(&options);
    CHECK(store_put(&(struct item){.id = 1}) == CELL_OK);
    CHECK(st_snapshot_take(engine, &lease, token, &failure) == CELL_OK && lease == 20);
    int64_t until = st_monotonic_ms() + 30;
    while (st_monotonic_ms() < until)
        usleep(1000);
    CHECK(store_get(token, 1, &out, NULL, &arena) == CELL_FAILED_PRECONDITION);
    CHECK_STR(failure.text, "there is no such snapshot any more");
    /* And its place is free again. */
    lease = 1000;
    CHECK(st_snapshot_take(engine, &lease, token, &failure) == CELL_OK);
    CHECK(st_snapshot_take(engine, &lease, other, &failure) == CELL_OK);
    end();
}

TEST(there_are_no_more_snapshots_than_allowed)
{
    const struct st_engine_options options = {.most_snapshots = 2};
    char token[ST_TOKEN_SIZE];
    int64_t lease = 0;

    store_begin(&options);
    CHECK(st_snapshot_take(engine, &lease, token, &failure) == CELL_OK && lease == 600000);
    CHECK(st_snapshot_take(engine, &lease, token, &failure) == CELL_OK);
    CHECK(st_snapshot_take(engine, &lease, token, &failure) == CELL_RESOURCE_EXHAUSTED);
    CHECK(st_snapshot_release(engine, token, &failure) == CELL_OK);
    CHECK(st_snapshot_take(engine, &lease, token, &failure) == CELL_OK);
    end();
}

#define WRITERS 8
#define EACH 100

static void *write_some(void *user)
{
    for (int64_t i = 0; i < EACH; i++)
        if (store_put(&(struct item){.id = (int64_t)(intptr_t)user * EACH + i, .year = 5}) < 0)
            return (void *)"failed";
    return NULL;
}

TEST(threads_that_write_at_once_lose_nothing)
{
    pthread_t threads[WRITERS];
    void *failed = NULL;

    store_begin(NULL);
    for (intptr_t i = 0; i < WRITERS; i++)
        CHECK(pthread_create(&threads[i], NULL, write_some, (void *)i) == 0);
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], &failed);
        CHECK(failed == NULL);
    }
    CHECK(store_stat().count == WRITERS * EACH && store_stat().last == WRITERS * EACH);
    end();
}

TEST(one_that_fails_does_not_take_others_with_it)
{
    const struct st_engine_options options = {.max_bytes = 1 << 20};
    char *large = calloc(1, 3 << 20);
    struct item out;

    store_begin(&options);
    CHECK(store_put(&(struct item){.id = 1}) == CELL_OK);
    const cell_str tag = {large, 3 << 20};
    CHECK(store_put(&(struct item){.id = 2, .tags = {&tag, 1}}) == CELL_RESOURCE_EXHAUSTED);
    CHECK(strstr(failure.text, "greatest size, 1 MiB (--max-size)") != NULL);
    CHECK(store_put(&(struct item){.id = 3}) == CELL_OK);
    CHECK(store_get(NULL, 2, &out, NULL, &arena) == CELL_NOT_FOUND && store_stat().last == 2);
    free(large);
    end();
}

TEST(a_store_that_was_full_goes_on_with_a_greater_size)
{
    const struct st_engine_options small = {.max_bytes = 1 << 20, .feed_changes = 1};
    char *text = calloc(1, 4000);
    int64_t n = 0;

    store_begin(&small);
    const cell_str tag = {text, 4000};
    while (store_put(&(struct item){.id = n, .tags = {&tag, 1}}) >= 0)
        n++;
    CHECK(failure.status == CELL_RESOURCE_EXHAUSTED && n > 50);
    store_close();
    REQUIRE(store_open(&(struct st_engine_options){.max_bytes = 4 << 20}));
    CHECK(store_put(&(struct item){.id = n, .tags = {&tag, 1}}) == CELL_OK);
    CHECK(store_stat().count == (uint64_t)n + 1);
    free(text);
    end();
}
