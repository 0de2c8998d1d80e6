/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A store in a folder of its own with a collection of items, and short ways to write and read them. */
#ifndef CELL_TEST_STORE_FIXTURE_H
#define CELL_TEST_STORE_FIXTURE_H

#include <store/engine.h>

#include "temp_folder.h"

#define STORE_MAYBE_UNUSED __attribute__((unused))

struct item {
    int64_t id;
    cell_str name;
    cell_opt_str email;
    int32_t year;
    double score;
    cell_list_str tags;
};

static const struct cell_field item_fields[] = {
    {"id", &cell_type_i64, offsetof(struct item, id), 0, 0, NULL},
    {"name", &cell_type_str, offsetof(struct item, name), 0, 0, NULL},
    {"email", &cell_type_opt_str, offsetof(struct item, email), 0, 0, NULL},
    {"year", &cell_type_i32, offsetof(struct item, year), 0, 0, NULL},
    {"score", &cell_type_f64, offsetof(struct item, score), 0, 0, NULL},
    {"tags", &cell_type_list_str, offsetof(struct item, tags), 0, 0, NULL},
};
#define ITEM_FIELDS (sizeof(item_fields) / sizeof(item_fields[0]))

#define ITEM_RECORD                                                                                                    \
    "\"record\": {\"next\": 7, \"fields\": ["                                                                          \
    "{\"name\": \"id\", \"id\": 1, \"kind\": \"i64\", \"shape\": \"plain\"},"                                          \
    "{\"name\": \"name\", \"id\": 2, \"kind\": \"str\", \"shape\": \"plain\"},"                                        \
    "{\"name\": \"email\", \"id\": 3, \"kind\": \"str\", \"shape\": \"opt\"},"                                         \
    "{\"name\": \"year\", \"id\": 4, \"kind\": \"i32\", \"shape\": \"plain\"},"                                        \
    "{\"name\": \"score\", \"id\": 5, \"kind\": \"f64\", \"shape\": \"plain\"},"                                       \
    "{\"name\": \"tags\", \"id\": 6, \"kind\": \"str\", \"shape\": \"list\"}]}"
#define ITEM_DOCUMENT                                                                                                  \
    "{\"name\": \"items\", \"space\": 0, \"key\": [1], " ITEM_RECORD ", \"indexes\": ["                                \
    "{\"name\": \"name\", \"fields\": [2], \"space\": 0, \"state\": \"ready\"},"                                       \
    "{\"name\": \"email\", \"fields\": [3], \"unique\": true, \"space\": 0, \"state\": \"ready\"},"                    \
    "{\"name\": \"year_score\", \"fields\": [4, 5], \"space\": 0, \"state\": \"ready\"}]}"

static struct st_engine *engine;
static struct st_collection *items;
static struct st_schema *schema;
static struct st_codec *codec;
static struct st_failure failure;

/* Opens what is in the folder, and makes the collection when it is not there. */
STORE_MAYBE_UNUSED static bool store_open(const struct st_engine_options *more)
{
    struct st_engine_options options = more ? *more : (struct st_engine_options){0};
    options.path = temp_path("store");
    options.pause_ms = options.pause_ms ? options.pause_ms : 5;
    options.cache_bytes =
        options.cache_bytes ? options.cache_bytes : 4096; /* so small that keys drive each other out */
    failure.text[0] = '\0';
    if (st_engine_open(&options, &engine, &failure) < 0)
        return false;
    if (!st_collection_find(engine, "items")) {
        json_t *document = json_loads(ITEM_DOCUMENT, 0, NULL);
        st_catalog_lock(engine);
        int r = st_catalog_put(engine, document, &failure);
        st_catalog_unlock(engine);
        json_decref(document);
        if (r < 0)
            return false;
    }
    items = st_collection_find(engine, "items");
    schema = st_collection_schema(items);
    return st_codec_new(&schema->record, item_fields, ITEM_FIELDS, NULL, &codec, &failure) >= 0;
}

STORE_MAYBE_UNUSED static void store_close(void)
{
    st_codec_free(codec);
    st_schema_unref(schema);
    st_engine_close(engine);
    engine = NULL;
    schema = NULL;
    codec = NULL;
}

STORE_MAYBE_UNUSED static void store_begin(const struct st_engine_options *options)
{
    temp_folder_make();
    bool open = store_open(options);
    CHECK(open);
    if (!open)
        printf("%s\n", failure.text);
}

STORE_MAYBE_UNUSED static void store_end(void)
{
    store_close();
    temp_folder_remove();
}

STORE_MAYBE_UNUSED static void item_body(const struct item *item, struct st_buffer *body)
{
    st_encode(codec, item, body);
}

/* The key of an item, of its body. */
STORE_MAYBE_UNUSED static int item_key(struct st_bytes body, struct st_buffer *key)
{
    st_key_begin(key, st_collection_space(items));
    return st_key_of(body, schema->key, schema->nkey, false, key, NULL, &failure);
}

STORE_MAYBE_UNUSED static int store_write(enum st_write_kind kind, const struct item *item, bool check,
                                          uint64_t expected, uint64_t *version)
{
    struct st_buffer body = {0}, key = {0};
    item_body(item, &body);
    int r = item_key(st_bytes_of(&body), &key);
    struct st_write w = {
        .kind = kind, .key = st_bytes_of(&key), .body = st_bytes_of(&body), .check = check, .expected = expected};
    if (r >= 0)
        r = st_engine_write(engine, items, &w, 1, &failure);
    if (version)
        *version = w.version;
    st_buffer_free(&body);
    st_buffer_free(&key);
    return r;
}

STORE_MAYBE_UNUSED static int store_put(const struct item *item) { return store_write(ST_PUT, item, false, 0, NULL); }
STORE_MAYBE_UNUSED static int store_delete(int64_t id)
{
    return store_write(ST_DELETE, &(struct item){.id = id}, false, 0, NULL);
}

/* `token` NULL: the newest. What the item refers to is in the arena. */
STORE_MAYBE_UNUSED static int store_get(const char *token, int64_t id, struct item *item, uint64_t *version,
                                        struct st_arena *arena)
{
    struct st_buffer body = {0}, key = {0};
    struct st_view view;
    struct st_found found;
    item_body(&(struct item){.id = id}, &body);
    item_key(st_bytes_of(&body), &key);
    int r = st_view_begin(engine, token, &view, &failure);
    if (r >= 0) {
        r = st_view_get(&view, st_bytes_of(&key), false, &found, &failure);
        uint8_t *copy = r >= 0 ? st_alloc(arena, found.body.n + 1) : NULL;
        if (copy) {
            memcpy(copy, found.body.p, found.body.n);
            *item = (struct item){0};
            r = st_decode(codec, (struct st_bytes){copy, found.body.n}, item, st_arena_memory(arena), &failure);
            if (version)
                *version = found.version;
        }
        st_view_end(&view);
    }
    st_buffer_free(&body);
    st_buffer_free(&key);
    return r;
}

STORE_MAYBE_UNUSED static struct st_stat store_stat(void)
{
    struct st_stat stat = {0};
    struct st_view view;
    if (st_view_begin(engine, NULL, &view, &failure) >= 0) {
        CHECK(st_view_stat(&view, items, &stat, &failure) >= 0);
        st_view_end(&view);
    }
    return stat;
}

#endif
