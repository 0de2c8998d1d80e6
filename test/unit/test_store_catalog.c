/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_store_sanitized
/* Collections that change: fields that come and go, indexes that are built while others write. */
#include <pthread.h>

#include "store_fixture.h"

static struct st_arena arena;

static void end(void)
{
    store_end();
    st_arena_free(&arena);
}

/* Changes the collection's document, and takes over what it is then. */
static int change(void (*how)(json_t *document))
{
    st_catalog_lock(engine);
    json_t *document = st_catalog_get(engine, "items");
    how(document);
    int r = st_catalog_put(engine, document, &failure);
    json_decref(document);
    st_catalog_unlock(engine);
    st_schema_unref(schema);
    schema = st_collection_schema(items);
    return r;
}

static void add_index(json_t *document, const char *name, int field, bool unique)
{
    json_array_append_new(json_object_get(document, "indexes"),
                          json_pack("{ss, s[i], sb, si, ss}", "name", name, "fields", field, "unique", unique, "space",
                                    0, "state", "building"));
}

static void index_year(json_t *document) { add_index(document, "year", 4, false); }
static void index_year_uniquely(json_t *document) { add_index(document, "year", 4, true); }
static void drop_indexes(json_t *document) { json_array_clear(json_object_get(document, "indexes")); }

static int count_it(void *user, const struct st_found *found)
{
    (void)found;
    ++*(uint64_t *)user;
    return 1;
}

/* How many entries a space has, of an index or not. */
static uint64_t entries_of(uint32_t space, bool index)
{
    struct st_buffer from = {0}, to = {0};
    struct st_view view;
    uint64_t n = 0;

    st_key_begin(&from, space);
    st_key_begin(&to, space + 1);
    CHECK(st_view_begin(engine, NULL, &view, &failure) >= 0);
    const struct st_range range = {st_bytes_of(&from), st_bytes_of(&to), index, false};
    CHECK(st_view_scan(&view, &range, count_it, &n, &failure) == 0);
    st_view_end(&view);
    st_buffer_free(&from);
    st_buffer_free(&to);
    return n;
}

static const struct st_index *the_index(const char *name)
{
    st_schema_unref(schema);
    schema = st_collection_schema(items);
    return st_schema_index(schema, name);
}

TEST(an_index_is_built_of_what_is_there)
{
    store_begin(NULL);
    for (int i = 0; i < 1000; i++)
        CHECK(store_put(&(struct item){.id = i, .year = i % 7}) == CELL_OK);
    CHECK(change(index_year) == CELL_OK);
    CHECK(st_background_wait(engine, 60000));
    const struct st_index *index = the_index("year");
    REQUIRE(index != NULL);
    CHECK(index->state == ST_INDEX_READY && entries_of(index->space, true) == 1000);
    end();
}

static void *write_meanwhile(void *user)
{
    (void)user;
    for (int i = 0; i < 300; i++) {
        if (i % 3 == 0 && store_delete(i * 5) < 0)
            return (void *)"delete";
        if (i % 3 == 1 && store_put(&(struct item){.id = i * 5, .year = 1000 + i}) < 0)
            return (void *)"change";
        if (i % 3 == 2 && store_put(&(struct item){.id = 100000 + i, .year = i}) < 0)
            return (void *)"put";
    }
    return NULL;
}

TEST(an_index_is_right_when_others_write_while_it_is_built)
{
    pthread_t thread;
    void *failed = NULL;

    store_begin(NULL);
    for (int i = 0; i < 1500; i++)
        CHECK(store_put(&(struct item){.id = i, .year = i % 7}) == CELL_OK);
    CHECK(pthread_create(&thread, NULL, write_meanwhile, NULL) == 0);
    CHECK(change(index_year) == CELL_OK);
    pthread_join(thread, &failed);
    CHECK(failed == NULL);
    CHECK(st_background_wait(engine, 60000));
    const struct st_index *index = the_index("year");
    REQUIRE(index != NULL);
    CHECK(index->state == ST_INDEX_READY && store_stat().count == 1500);
    CHECK(entries_of(index->space, true) == 1500);
    end();
}

TEST(an_index_that_was_begun_is_built_after_the_store_was_opened_again)
{
    store_begin(NULL);
    for (int i = 0; i < 1000; i++)
        CHECK(store_put(&(struct item){.id = i, .year = i}) == CELL_OK);
    CHECK(change(index_year) == CELL_OK);
    store_close();
    REQUIRE(store_open(NULL));
    CHECK(st_background_wait(engine, 60000));
    const struct st_index *index = the_index("year");
    REQUIRE(index != NULL);
    CHECK(index->state == ST_INDEX_READY && entries_of(index->space, true) == 1000);
    end();
}

TEST(a_unique_index_of_what_is_not_unique_says_so)
{
    store_begin(NULL);
    CHECK(store_put(&(struct item){.id = 1, .year = 3}) == CELL_OK);
    CHECK(store_put(&(struct item){.id = 2, .year = 3}) == CELL_OK);
    CHECK(change(index_year_uniquely) == CELL_OK);
    CHECK(st_background_wait(engine, 60000));
    const struct st_index *index = the_index("year");
    REQUIRE(index != NULL);
    CHECK(index->state == ST_INDEX_FAILED);
    CHECK_STR(index->problem, "two records have the same year");
    /* It keeps nobody from writing. */
    CHECK(store_put(&(struct item){.id = 3, .year = 3}) == CELL_OK);
    end();
}

static uint32_t space_of_name;
static bool is_cleared(void) { return entries_of(space_of_name, true) == 0; }

TEST(what_a_dropped_index_had_is_removed)
{
    store_begin(NULL);
    for (int i = 0; i < 3000; i++)
        CHECK(store_put(&(struct item){.id = i, .year = i, .name = CELL_STR("somebody")}) == CELL_OK);
    space_of_name = the_index("name")->space;
    CHECK(entries_of(space_of_name, true) == 3000);
    CHECK(change(drop_indexes) == CELL_OK);
    int64_t until = st_monotonic_ms() + 20000;
    while (!is_cleared() && st_monotonic_ms() < until)
        usleep(2000);
    CHECK(is_cleared() && store_stat().count == 3000);
    CHECK(store_delete(5) == CELL_OK);
    end();
}

/* ---- fields ---- */

static void drop_tags_and_add_rank(json_t *document)
{
    json_t *record = json_object_get(document, "record"), *fields = json_object_get(record, "fields");

    json_array_remove(fields, 5);
    json_array_append_new(fields,
                          json_pack("{ss, si, ss, ss}", "name", "rank", "id", 7, "kind", "i32", "shape", "plain"));
    json_object_set_new(record, "next", json_integer(8));
    json_object_set_new(document, "strip", json_true());
}

struct ranked {
    int64_t id;
    int64_t rank; /* wider than it is stored */
};
static const struct cell_field ranked_fields[] = {
    {"id", &cell_type_i64, offsetof(struct ranked, id), 0, 0, NULL},
    {"rank", &cell_type_i64, offsetof(struct ranked, rank), 0, 0, NULL},
};

static int write_ranked(const struct st_codec *with, const struct ranked *ranked)
{
    struct st_buffer body = {0}, key = {0};

    st_encode(with, ranked, &body);
    item_key(st_bytes_of(&body), &key);
    struct st_write w = {.key = st_bytes_of(&key), .body = st_bytes_of(&body), .codec = with};
    int r = st_engine_write(engine, items, &w, 1, &failure);
    st_buffer_free(&body);
    st_buffer_free(&key);
    return r;
}

TEST(fields_come_and_go_and_old_programs_keep_what_they_do_not_know)
{
    char text[101];
    struct st_codec *ranked = NULL, *old = NULL;
    struct item out;

    store_begin(NULL);
    memset(text, 't', 100);
    const cell_str tag = {text, 100};
    for (int i = 0; i < 700; i++)
        CHECK(store_put(&(struct item){.id = i, .year = 4, .name = CELL_STR("n"), .tags = {&tag, 1}}) == CELL_OK);
    uint64_t before = store_stat().last;
    CHECK(change(drop_tags_and_add_rank) == CELL_OK);
    CHECK(st_codec_new(&schema->record, ranked_fields, 2, NULL, &ranked, &failure) == CELL_OK);
    REQUIRE(ranked != NULL);
    CHECK(st_codec_is_partial(ranked));
    CHECK(write_ranked(ranked, &(struct ranked){1, 42}) == CELL_OK);
    /* A program that was built before has no tags any more. */
    CHECK(st_codec_new(&schema->record, item_fields, ITEM_FIELDS, NULL, &old, &failure) == CELL_FAILED_PRECONDITION);
    CHECK_STR(failure.text, "it has no field 'tags' any more: build the program again");
    CHECK(st_background_wait(engine, 60000));
    /* The record has kept what its writer does not know; those of others have no tags any more, and no rank. */
    CHECK(st_codec_new(&schema->record, item_fields, ITEM_FIELDS - 1, NULL, &old, &failure) == CELL_OK);
    st_codec_free(codec);
    codec = old;
    CHECK(store_get(NULL, 1, &out, NULL, &arena) == CELL_OK && out.year == 4 && cell_str_eq(out.name, CELL_STR("n")));
    struct st_view view;
    struct st_found found;
    struct st_buffer body = {0}, key = {0};
    st_encode(ranked, &(struct ranked){.id = 2}, &body);
    item_key(st_bytes_of(&body), &key);
    CHECK(st_view_begin(engine, NULL, &view, &failure) >= 0);
    CHECK(st_view_get(&view, st_bytes_of(&key), false, &found, &failure) == CELL_OK && found.body.n < 100);
    struct ranked r = {0};
    CHECK(st_decode(ranked, found.body, &r, st_arena_memory(&arena), &failure) == CELL_OK && r.id == 2 && r.rank == 0);
    CHECK(found.version == 3 && store_stat().last == before + 1); /* which is no change of anybody's */
    st_view_end(&view);
    st_buffer_free(&body);
    st_buffer_free(&key);
    st_codec_free(ranked);
    end();
}

static void rename_year(json_t *document)
{
    json_t *field = json_array_get(json_object_get(json_object_get(document, "record"), "fields"), 3);

    json_object_set_new(field, "name", json_string("published"));
    json_object_set_new(field, "former", json_pack("[s]", "year"));
    json_object_set_new(field, "kind", json_string("i64"));
}

TEST(a_renamed_field_is_found_by_both_names)
{
    struct item out;
    struct st_codec *again = NULL;

    store_begin(NULL);
    CHECK(store_put(&(struct item){.id = 1, .year = -9}) == CELL_OK);
    CHECK(change(rename_year) == CELL_OK);
    CHECK(st_codec_new(&schema->record, item_fields, ITEM_FIELDS, NULL, &again, &failure) == CELL_OK);
    st_codec_free(codec);
    codec = again;
    CHECK(store_get(NULL, 1, &out, NULL, &arena) == CELL_OK && out.year == -9);
    CHECK(store_put(&(struct item){.id = 2, .year = INT32_MIN}) == CELL_OK);
    CHECK(store_get(NULL, 2, &out, NULL, &arena) == CELL_OK && out.year == INT32_MIN);
    end();
}

TEST(documents_that_are_none_are_refused)
{
    static const char *const bad[] = {
        "{}",
        "{\"name\": \"x\", \"space\": 0, \"key\": [1], \"record\": {\"next\": 1, \"fields\": []}, \"indexes\": []}",
        "{\"name\": \"x\", \"space\": 0, \"key\": [], " ITEM_RECORD "}",
        "{\"name\": \"x\", \"space\": 0, \"key\": [3], " ITEM_RECORD "}", /* optional */
        "{\"name\": \"x\", \"space\": 0, \"key\": [6], " ITEM_RECORD "}", /* a list */
        "{\"name\": \"x\", \"space\": 0, \"key\": [9], " ITEM_RECORD "}",
        "{\"name\": \"x\", \"space\": 0, \"key\": [1,1,1,1,1,1,1,1,1], " ITEM_RECORD "}",
        "{\"name\": \"x\", \"space\": 0, \"key\": [1], \"record\": {\"next\": 3, \"fields\": [{\"name\": \"a\", "
        "\"id\": "
        "3, \"kind\": \"i32\", \"shape\": \"plain\"}]}}",
        "{\"name\": \"x\", \"space\": 0, \"key\": [1], \"record\": {\"next\": 3, \"fields\": [{\"name\": \"a\", "
        "\"id\": "
        "1, \"kind\": \"i32\", \"shape\": \"plain\"}, {\"name\": \"b\", \"id\": 1, \"kind\": \"i32\", \"shape\": "
        "\"plain\"}]}}",
    };

    store_begin(NULL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        json_t *document = json_loads(bad[i], 0, NULL);
        REQUIRE(document != NULL);
        st_catalog_lock(engine);
        bool refused = st_catalog_put(engine, document, &failure) == CELL_DATA_LOSS;
        st_catalog_unlock(engine);
        CHECK(refused && !st_collection_find(engine, "x"));
        if (!refused)
            printf("document %zu\n", i);
        json_decref(document);
    }
    end();
}
