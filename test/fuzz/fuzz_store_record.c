/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LINK: cells/store/bytes.c cells/store/body.c cells/store/key.c cells/store/schema.c
// LINK: cells/store/codec.c cells/store/codec_encode.c cells/store/codec_decode.c
/*
 * Stored records that are damaged. What can be read is read without a fault, and is the same when it has been written
 * again; keys of it sort, and are found.
 */
#include <store/codec.h>
#include <store/key.h>

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

struct inner {
    uint8_t mark;
    cell_str text;
};
CELL_LIST(inners, struct inner);
struct outer {
    int64_t id;
    cell_str name;
    cell_opt_i16 small;
    double real;
    float vector[3];
    uint8_t uuid[16];
    cell_list_str words;
    cell_list_u8 marks;
    cell_list_f32 reals;
    inners all;
    struct inner one;
    uint32_t count;
};

#define FIELD(S, NAME, TYPE, N) {#NAME, TYPE, offsetof(struct S, NAME), N, 0, NULL}
static const struct cell_field inner_fields[] = {FIELD(inner, mark, &cell_type_u8, 0),
                                                 FIELD(inner, text, &cell_type_str, 0)};
static const struct cell_type inner_type = {
    "inner", CELL_KIND_STRUCT, sizeof(struct inner), _Alignof(struct inner), 2, inner_fields, NULL};
static const struct cell_type inners_type = {"inners", CELL_KIND_LIST, 16, 8, 0, NULL, &inner_type};
static const struct cell_field fields[] = {
    FIELD(outer, id, &cell_type_i64, 0),         FIELD(outer, name, &cell_type_str, 0),
    FIELD(outer, small, &cell_type_opt_i16, 0),  FIELD(outer, real, &cell_type_f64, 0),
    FIELD(outer, vector, &cell_type_f32, 3),     FIELD(outer, uuid, &cell_type_u8, 16),
    FIELD(outer, words, &cell_type_list_str, 0), FIELD(outer, marks, &cell_type_list_u8, 0),
    FIELD(outer, reals, &cell_type_list_f32, 0), FIELD(outer, all, &inners_type, 0),
    FIELD(outer, one, &inner_type, 0),           FIELD(outer, count, &cell_type_u32, 0)};

#define PLAIN(NAME, ID, KIND) "{\"name\": \"" NAME "\", \"id\": " ID ", \"kind\": \"" KIND "\", \"shape\": \"plain\"}"
#define SHAPED(NAME, ID, KIND, SHAPE)                                                                                  \
    "{\"name\": \"" NAME "\", \"id\": " ID ", \"kind\": \"" KIND "\", \"shape\": \"" SHAPE "\"}"
#define INNER "\"record\": {\"next\": 3, \"fields\": [" PLAIN("mark", "1", "u8") "," PLAIN("text", "2", "str") "]}"
static const char
    document[] =
        "{\"name\": \"o\", \"space\": 1, \"key\": [6, 1], \"record\": {\"next\": 13, \"fields\": [" PLAIN(
            "id", "1",
            "i64") "," PLAIN("name", "2",
                             "str") "," SHAPED("small", "3", "i16",
                                               "opt") "," PLAIN("real", "4",
                                                                "f64") ","
                                                                       "{\"name\": \"vector\", \"id\": 5, \"kind\": "
                                                                       "\"f32\", \"shape\": \"array\", \"count\": 3},"
                                                                       "{\"name\": \"uuid\", \"id\": 6, \"kind\": "
                                                                       "\"u8\", \"shape\": \"array\", \"count\": "
                                                                       "16}," SHAPED("words", "7", "str", "list") "," SHAPED(
                                                                           "marks", "8", "u8",
                                                                           "list") "," SHAPED("reals", "9", "f32",
                                                                                              "list") ","
                                                                                                      "{\"name\": "
                                                                                                      "\"all\", "
                                                                                                      "\"id\": 10, "
                                                                                                      "\"kind\": "
                                                                                                      "\"struct\", "
                                                                                                      "\"shape\": "
                                                                                                      "\"list\", " INNER
                                                                                                      "},"
                                                                                                      "{\"name\": "
                                                                                                      "\"one\", "
                                                                                                      "\"id\": 11, "
                                                                                                      "\"kind\": "
                                                                                                      "\"struct\", "
                                                                                                      "\"shape\": "
                                                                                                      "\"plain\","
                                                                                                      " " INNER
                                                                                                      "}," PLAIN(
                                                                                                          "count", "12",
                                                                                                          "u32") "]}, "
                                                                                                                 "\"ind"
                                                                                                                 "exes"
                                                                                                                 "\": "
                                                                                                                 "[{"
                                                                                                                 "\"nam"
                                                                                                                 "e\": "
                                                                                                                 "\"i\""
                                                                                                                 ", "
                                                                                                                 "\"fie"
                                                                                                                 "lds\""
                                                                                                                 ": "
                                                                                                                 "[2, "
                                                                                                                 "3, "
                                                                                                                 "4], "
                                                                                                                 "\"spa"
                                                                                                                 "ce\":"
                                                                                                                 " 2, "
                                                                                                                 "\"sta"
                                                                                                                 "te\":"
                                                                                                                 " \"re"
                                                                                                                 "ady\""
                                                                                                                 "}]}";

static struct st_schema *schema;
static struct st_codec *codec;

static void prepare(void)
{
    json_t *json = schema ? NULL : json_loads(document, 0, NULL);

    if (schema)
        return;
    if (!json || st_schema_read(json, &schema, NULL) < 0 ||
        st_codec_new(&schema->record, fields, sizeof(fields) / sizeof(fields[0]), NULL, &codec, NULL) < 0)
        abort();
    json_decref(json);
}

/* What was read, written and read once more, is written alike. */
static void check_round_trip(const struct outer *read)
{
    struct st_arena arena = {.limit = 1 << 26};
    struct st_buffer once = {0}, twice = {0};
    struct outer again = {0};

    st_encode(codec, read, &once);
    if (once.failed || st_decode(codec, st_bytes_of(&once), &again, st_arena_memory(&arena), NULL) < 0)
        abort();
    st_encode(codec, &again, &twice);
    if (st_compare(st_bytes_of(&once), st_bytes_of(&twice)) != 0)
        abort();
    st_buffer_free(&once);
    st_buffer_free(&twice);
    st_arena_free(&arena);
}

static void check_keys(struct st_bytes body)
{
    struct st_buffer key = {0};
    bool absent = false;

    for (int index = 0; index < 2; index++) {
        key.len = 0;
        const struct st_field *const *of = index ? schema->indexes[0].fields : schema->key;
        uint32_t n = index ? schema->indexes[0].n : schema->nkey;
        if (st_key_of(body, of, n, index, &key, &absent, NULL) >= 0 && (key.len == 0 || key.len > ST_MOST_KEY))
            abort();
    }
    st_buffer_free(&key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct st_arena arena = {.limit = 1 << 24};
    struct outer record = {0};
    const struct st_bytes body = {data, size};

    prepare();
    if (st_decode(codec, body, &record, st_arena_memory(&arena), NULL) >= 0)
        check_round_trip(&record);
    check_keys(body);
    st_arena_free(&arena);
    return 0;
}
