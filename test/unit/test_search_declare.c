/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LIBS: cell_search_sanitized
/* What a struct may declare of an index, what the source must be like for it, and how keys are kept. */
#include <search/declare.h>

#include "test.h"

#define FIELD(NAME, TYPE) "{\"name\": \"" NAME "\", \"type\": \"" TYPE "\", \"offset\": 0}"
#define RULED(NAME, TYPE, RULE, ARGUMENT)                                                                              \
    "{\"name\": \"" NAME "\", \"type\": \"" TYPE "\", \"offset\": 0, \"rules\": [{\"rule\": \"" RULE                   \
    "\", \"args\": [\"" ARGUMENT "\"]}]}"

static struct search_failure f;

static json_t *request(const char *source, const char *fields)
{
    char *text = NULL;

    if (asprintf(&text,
                 "{\"annotation\": {\"args\": [\"note\", \"%s\", \"english\"]}, \"declaration\": {\"name\": "
                 "\"note_index\", \"type\": {\"name\": \"note_index\", \"kind\": \"struct\", \"fields\": [%s]}, "
                 "\"types\": [{\"name\": \"state\", \"kind\": \"enum\", \"type\": \"u8\", \"size\": 1, \"align\": 1}, "
                 "{\"name\": \"maybe\", \"kind\": \"opt\", \"of\": \"state\"}, {\"name\": \"place\", \"kind\": "
                 "\"struct\"}]}}",
                 source, fields) < 0)
        abort();
    json_t *made = json_loads(text, 0, NULL);
    free(text);
    return made;
}

static const char *first_text(const struct sc_declared *d)
{
    const char *text = json_string_value(json_object_get(json_array_get(d->diagnostics, 0), "text"));

    return text ? text : "";
}

/* The first sentence, in a buffer that the next call uses again; "" when nothing is wrong. */
static const char *said(const char *source, const char *fields)
{
    static char text[512];
    json_t *made = request(source, fields);
    struct sc_declared d;

    if (!made || sc_declare(made, true, &d, &f) < 0)
        abort();
    snprintf(text, sizeof(text), "%s", d.failed ? first_text(&d) : "");
    sc_declared_free(&d);
    json_decref(made);
    return text;
}

TEST(fields_are_what_their_types_and_rules_say)
{
    static const char *const as[] = {"text", "keyword", "keyword", "integer", "integer", "real", "bool", "vector"};
    json_t *made = request(
        "store.notes",
        FIELD("a", "str") "," RULED("b", "opt<str>", "keyword", "") "," RULED("c", "str", "key", "") "," FIELD(
            "d", "state") "," FIELD("e", "maybe") "," FIELD("g", "f32") "," FIELD("h", "bool") "," RULED("i", "f32[4]",
                                                                                                         "vector",
                                                                                                         "l2"));
    struct sc_declared d;
    struct sc_definition *definition = NULL;

    for (int vectors = 1; vectors >= 0; vectors--) {
        REQUIRE(sc_declare(made, vectors, &d, &f) == CELL_OK);
        CHECK(!d.failed);
        const json_t *fields = json_object_get(d.definition, "fields");
        CHECK(json_array_size(fields) == (vectors ? 8 : 7));
        for (size_t i = 0; i < json_array_size(fields); i++)
            CHECK_STR(json_string_value(json_object_get(json_array_get(fields, i), "as")), as[i]);
        json_array_extend(json_object_get(d.definition, "key"), d.own_key);
        REQUIRE(sc_definition_read(d.definition, &definition, &f) == CELL_OK);
        CHECK_STR(definition->fields[4].type_text, "opt<u8>");
        CHECK_STR(definition->language, "english");
        CHECK(definition->nkey == 1 && sc_definition_field(definition, "h") == 6);
        sc_definition_unref(definition);
        sc_declared_free(&d);
    }
    json_decref(made);
}

TEST(what_cannot_be_indexed_is_said)
{
    CHECK_STR(said("store.notes", FIELD("a", "str")), "");
    CHECK(strstr(said("store.notes", FIELD("a", "place")), "'a' cannot be indexed"));
    CHECK(strstr(said("store.notes", FIELD("a", "list<str>")), "'a' cannot be indexed"));
    CHECK(strstr(said("store.notes", FIELD("a", "bytes")), "'a' cannot be indexed"));
    CHECK(strstr(said("store.notes", FIELD("a", "f32[4]")), "needs how it is compared"));
    CHECK(strstr(said("store.notes", RULED("a", "f64[4]", "vector", "l2")), "stands behind an array of float"));
    CHECK(strstr(said("store.notes", RULED("a", "f32[4]", "vector", "nearly")), "no way to compare"));
    CHECK(strstr(said("store.notes", RULED("a", "f32[5000]", "vector", "l2")), "more than 4096 dimensions"));
    CHECK(strstr(said("store.notes", RULED("a", "str", "weight", "-1")), "weight of 'a'"));
    CHECK(strstr(said("store.notes", RULED("a", "str", "weight", "2x")), "weight of 'a'"));
    CHECK(strstr(said("store.notes", RULED("a", "i32", "keyword", "")), "CELL_KEYWORD stands behind a cell_str"));
    CHECK(strstr(said("store.notes", RULED("a", "opt<i32>", "key", "")), "cannot be part of a key"));
    CHECK(strstr(said("store.notes", RULED("a", "u8[16]", "key", "")), "needs a field to look for"));
    CHECK(strstr(said("search.notes", FIELD("a", "str")), "follow itself"));
    CHECK(strstr(said("store", FIELD("a", "str")), "is no source"));
    CHECK(strstr(said("store.a.b", FIELD("a", "str")), "is no source"));
    CHECK(strstr(said("store.\\\"", FIELD("a", "str")), "is no source"));
}

TEST(a_source_fits_as_long_as_values_can_be_read)
{
    static const struct {
        const char *field, *source;
        bool fits;
    } cases[] = {{"i32", "i64", true},        {"i64", "u8", true},           {"i32", "opt<i64>", true},
                 {"opt<str>", "str", true},   {"str", "bytes", false},       {"i32", "f64", false},
                 {"f32", "f64", true},        {"f32[3]", "f32[3]", true},    {"f32[3]", "f32[4]", false},
                 {"f32[3]", "f64[3]", false}, {"bool", "i8", false},         {"str", "list<str>", false},
                 {"i32", "struct", false},    {"f32[3]", "list<f32>", false}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct sc_field field = {.name = "a", .type_text = cases[i].field};
        REQUIRE(sc_type_parse(cases[i].field, &field.type));
        CHECK(sc_source_fits(&field, cases[i].source) == cases[i].fits);
    }
}

static struct sc_definition *keyed(const char *keys)
{
    char text[600];
    struct sc_definition *definition = NULL;

    snprintf(text, sizeof(text),
             "{\"name\": \"n\", \"source\": \"s\", \"collection\": \"c\", \"language\": \"none\", \"key\": [%s], "
             "\"fields\": [{\"name\": \"t\", \"type\": \"str\", \"as\": \"text\", \"weight\": 1}]}",
             keys);
    json_t *json = json_loads(text, 0, NULL);
    if (sc_definition_read(json, &definition, &f) < 0)
        definition = NULL;
    json_decref(json);
    return definition;
}

TEST(keys_come_back_as_they_were_written)
{
    struct sc_definition *d = keyed("{\"name\": \"a\", \"type\": \"i32\"}, {\"name\": \"b\", \"type\": \"str\"}, "
                                    "{\"name\": \"e\", \"type\": \"u8[3]\"}");
    REQUIRE(d);
    const struct sc_key_value values[] = {{.number = (uint64_t)-7},
                                          {.bytes = (const uint8_t *)"x\0y", .length = 3},
                                          {.bytes = (const uint8_t *)"abc", .length = 3}};
    struct sc_key_value back[SC_MOST_KEYS];
    uint8_t key[SEARCH_MOST_KEY];
    char text[100];
    size_t n = 0;

    REQUIRE(sc_key_write(d, values, key, &n, &f) == CELL_OK);
    REQUIRE(sc_key_read(d, key, n, back, &f) == CELL_OK);
    CHECK((int64_t)back[0].number == -7);
    CHECK(back[1].length == 3 && memcmp(back[1].bytes, "x\0y", 3) == 0);
    CHECK(back[2].length == 3 && memcmp(back[2].bytes, "abc", 3) == 0);
    sc_key_print(d, values, text, sizeof(text));
    CHECK(strncmp(text, "a -7, b 'x", 10) == 0);
    for (size_t cut = 0; cut < n; cut++)
        CHECK(sc_key_read(d, key, cut, back, &f) == CELL_DATA_LOSS);
    sc_definition_unref(d);
}

TEST(a_key_that_is_too_long_is_refused)
{
    struct sc_definition *d = keyed("{\"name\": \"b\", \"type\": \"str\"}");
    uint8_t key[SEARCH_MOST_KEY], text[SEARCH_MOST_KEY + 1] = {0};
    struct sc_key_value value = {.bytes = text, .length = SEARCH_MOST_KEY - 2};
    size_t n = 0;

    REQUIRE(d);
    CHECK(sc_key_write(d, &value, key, &n, &f) == CELL_OK && n == SEARCH_MOST_KEY);
    value.length++;
    CHECK(sc_key_write(d, &value, key, &n, &f) == CELL_TOO_LARGE);
    sc_definition_unref(d);
}

TEST(damaged_definitions_are_refused)
{
    CHECK(!keyed(""));
    CHECK(!keyed("{\"name\": \"a\"}"));
    CHECK(!keyed("{\"name\": \"a\", \"type\": \"opt<i32>\"}"));
    CHECK(!keyed("{\"name\": \"a\", \"type\": \"f32[2]\"}"));
    CHECK(!keyed("{\"name\": \"a\", \"type\": \"u8[0]\"}"));
    CHECK(!keyed("{\"name\": \"a\", \"type\": \"u8[99999999]\"}"));
    CHECK(!keyed("{\"name\": \"a\", \"type\": \"[\"}"));
}
