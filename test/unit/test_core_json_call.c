/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The JSON documents of calls: what is written reads back as the same, and what is not one is refused in words. */
#include <stdlib.h>

#include "call_schema.h"
#include "core/json_call.h"
#include "core/schema.h"
#include "test.h"
#include "wire/frame.h"

struct fixture {
    struct cell_schema *schema;
    const struct cell_method *m;
    struct cell_arena arena;
    struct value_env env;
    struct cell_buffer meta, out;
    struct cell_error e;
};

static void open_fixture(struct fixture *f)
{
    *f = (struct fixture){.arena = {.limit = 64u << 20}};
    f->env.arena = &f->arena;
    CHECK(cell_schema_parse(call_schema, sizeof(call_schema) - 1, &f->schema, &f->e) == CELL_OK);
    CHECK(cell_schema_describe(f->schema, &f->m, &f->e) == CELL_OK);
}

static void close_fixture(struct fixture *f)
{
    cell_buffer_free(&f->meta);
    cell_buffer_free(&f->out);
    cell_arena_free(&f->arena);
    cell_schema_free(f->schema);
}

static int take_request(struct fixture *f, const char *json, size_t len, void **in)
{
    f->meta.len = 0;
    f->e = (struct cell_error){0};
    return cell_json_take_request(json, len, &f->env, f->m, in, &f->meta, &f->e);
}

/* The request as it is written again after it was read; the error when it cannot be. */
static const char *through(struct fixture *f, const char *json)
{
    void *in = NULL;
    if (take_request(f, json, strlen(json), &in) < 0)
        return f->e.text;
    f->out.len = 0;
    cell_json_put_request(&f->out, f->m, in, f->meta.data, f->meta.len);
    return f->out.data;
}

#define GOOD                                                                                                           \
    "{\"n\":18446744073709551615,\"maybe\":null,\"point\":{\"x\":0.1,\"color\":\"DEMO_RED\",\"label\":"                \
    "\"a\\\"\\u000a\"},\"key\":\"hex:00ff0102\"}"

TEST(requests_read_back_as_the_same)
{
    struct fixture f;
    open_fixture(&f);
    CHECK_STR(through(&f, "{\"in\":" GOOD "}"), "{\"in\":" GOOD "}");
    CHECK_STR(through(&f, " { \"metadata\" : {\"a.b\":\"x\",\"c\":\"hex:00\"}, \"in\" : " GOOD " } "),
              "{\"in\":" GOOD ",\"metadata\":{\"a.b\":\"x\",\"c\":\"hex:00\"}}");
    /* Text that looks like bytes stays text. */
    cell_buffer_free(&f.meta);
    f.out.len = 0;
    CHECK(cell_meta_append(&f.meta, "k", "hex:zz", 6) == CELL_OK);
    void *in = NULL;
    struct cell_buffer meta = {0};
    CHECK(cell_json_take_request("{\"in\":" GOOD "}", strlen("{\"in\":" GOOD "}"), &f.env, f.m, &in, &meta, &f.e) ==
          CELL_OK);
    cell_json_put_request(&f.out, f.m, in, f.meta.data, f.meta.len);
    CHECK(strstr(f.out.data, "\"k\":\"hex:6865783a7a7a\"") != NULL);
    close_fixture(&f);
}

TEST(requests_that_are_none_are_refused_in_words)
{
    static const struct {
        const char *json, *expected;
    } bad[] = {
        {"", "object"},
        {"[]", "object"},
        {"{\"in\":" GOOD "} x", "something follows"},
        {"{\"in\":" GOOD ",\"in\":" GOOD "}", "twice"},
        {"{\"in\":" GOOD ",\"more\":1}", "'more'"},
        {"{\"in\":{\"n\":1}}", "parameter 'point'"},
        {"{\"in\":{\"n\":1,\"n\":1}}", "given twice"},
        {"{\"in\":{\"m\":1}}", "no parameter 'm'"},
        {"{\"in\":{\"n\":-1}}", "out of range"},
        {"{\"in\":{\"n\":1.5}}", "no whole number"},
        {"{\"in\":{\"point\":{\"x\":1,\"color\":\"DEMO_BLUE\",\"label\":\"\"}}}", "no value 'DEMO_BLUE'"},
        {"{\"in\":{\"point\":{\"x\":1,\"color\":7}}}", "field 'label'"},
        {"{\"in\":{\"point\":{\"x\":1,\"color\":7,\"lable\":\"\"}}}", "did you mean 'label'"},
        {"{\"in\":{\"key\":\"hex:00\"}}", "4 bytes"},
        {"{\"in\":" GOOD ",\"metadata\":{\":cell\":\"x\"}}", "metadata"},
        {"{\"in\":" GOOD ",\"metadata\":{\"K\":\"x\"}}", "metadata"},
        {"{\"in\":{\"n\":\"\xff\"}}", "UTF-8"},
    };
    struct fixture f;
    open_fixture(&f);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(strstr(through(&f, bad[i].json), bad[i].expected) != NULL);
    void *in = NULL;
    CHECK(take_request(&f, "{\"in\":{\"n\":1\0}}", 15, &in) == CELL_INVALID_ARGUMENT);
    /* What a peer has named does not steer a terminal. */
    CHECK(strstr(through(&f, "{\"in\":{\"\\u001b[2J\":1}}"), "'?[2J'") != NULL);
    close_fixture(&f);
}

TEST(depth_and_memory_are_bounded)
{
    struct fixture f;
    struct cell_buffer b = {0};
    struct cell_ref refs[1];
    int code;
    open_fixture(&f);
    f.env.skips_unknown = true;
    cell_buffer_puts(&b, "{\"x\":");
    for (unsigned i = 0; i < 1000; i++)
        cell_buffer_puts(&b, "[");
    CHECK(cell_json_take_reply(b.data, b.len, &f.env, f.m, &code, refs, &f.meta, &f.e) == CELL_PROTOCOL_ERROR);
    CHECK(strstr(f.e.text, "nested too deep") != NULL);
    /* Many small elements of a large type. */
    b.len = 0;
    f.env.allows_missing = true;
    f.arena.limit = 1u << 20;
    cell_buffer_puts(&b, "{\"result\":0,\"out\":{\"out\":[{}");
    for (unsigned i = 0; i < 100000; i++)
        cell_buffer_puts(&b, ",{}");
    cell_buffer_puts(&b, "]}}");
    CHECK(cell_json_take_reply(b.data, b.len, &f.env, f.m, &code, refs, &f.meta, &f.e) < 0);
    cell_buffer_free(&b);
    close_fixture(&f);
}

static int take_reply(struct fixture *f, const char *json, int *code, struct cell_ref *refs)
{
    f->meta.len = 0;
    f->e = (struct cell_error){0};
    return cell_json_take_reply(json, strlen(json), &f->env, f->m, code, refs, &f->meta, &f->e);
}

TEST(replies_read_back_as_the_same)
{
    static const char text[] = "{\"result\":3,\"out\":{\"out\":[{\"x\":\"NaN\",\"color\":7,\"label\":\"\xc3\xa4\"}]},"
                               "\"metadata\":{\"k\":\"v\"}}";
    struct fixture f;
    struct cell_ref refs[1] = {{NULL, 0}};
    int code = -1;
    open_fixture(&f);
    CHECK(take_reply(&f, text, &code, refs) == CELL_OK && code == 3 && refs[0].ptr);
    cell_json_put_reply(&f.out, f.m, code, refs, f.meta.data, f.meta.len);
    CHECK_STR(f.out.data,
              "{\"result\":3,\"out\":{\"out\":[{\"x\":\"NaN\",\"color\":\"DEMO_GREEN\",\"label\":\"\xc3\xa4\"}]},"
              "\"metadata\":{\"k\":\"v\"}}");
    /* What a newer cell adds is skipped by who knows that its schema is another one, and by nobody else. */
    static const char more[] = "{\"result\":0,\"new\":[1,{\"a\":null}],\"out\":{\"out\":[],\"later\":{\"b\":[true]}}}";
    CHECK(take_reply(&f, more, &code, refs) == CELL_PROTOCOL_ERROR && strstr(f.e.text, "'later'"));
    f.env.skips_unknown = true;
    CHECK(take_reply(&f, more, &code, refs) == CELL_OK && code == 0);
    CHECK(take_reply(&f, "{\"result\":0,\"out\":{}}", &code, refs) == CELL_PROTOCOL_ERROR);
    CHECK(strstr(f.e.text, "'out' of demo_all is missing") != NULL);
    close_fixture(&f);
}

TEST(errors_keep_text_details_and_metadata)
{
    static const char *const bad[] = {"{}",
                                      "{\"result\":-1,\"out\":{}}",
                                      "{\"error\":{}}",
                                      "{\"error\":{\"code\":1}}",
                                      "{\"error\":{\"code\":-5},\"result\":0}",
                                      "{\"error\":7}",
                                      "null",
                                      "{\"result\":0}"};
    struct fixture f;
    struct cell_ref refs[1];
    struct cell_meta_pair p;
    int code = 0;
    open_fixture(&f);
    CHECK(cell_meta_append(&f.meta, CELL_META_MESSAGE, "no \"such\" item", 14) == CELL_OK);
    CHECK(cell_meta_append(&f.meta, CELL_META_DETAIL "retry", "\x01\x02", 2) == CELL_OK);
    CHECK(cell_meta_append(&f.meta, "k", "v", 1) == CELL_OK);
    cell_json_put_reply(&f.out, f.m, CELL_NOT_FOUND, NULL, f.meta.data, f.meta.len);
    CHECK_STR(f.out.data,
              "{\"error\":{\"status\":\"not-found\",\"code\":-5,\"message\":\"no \\\"such\\\" item\",\"details\":"
              "{\"retry\":\"hex:0102\"}},\"metadata\":{\"k\":\"v\"}}");
    CHECK(take_reply(&f, f.out.data, &code, refs) == CELL_OK && code == CELL_NOT_FOUND);
    CHECK(cell_meta_find((const uint8_t *)f.meta.data, f.meta.len, CELL_META_DETAIL "retry", &p) == CELL_OK);
    CHECK(p.value_len == 2 && memcmp(p.value, "\x01\x02", 2) == 0);
    CHECK(cell_meta_find((const uint8_t *)f.meta.data, f.meta.len, CELL_META_MESSAGE, &p) == CELL_OK &&
          p.value_len == 14);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(take_reply(&f, bad[i], &code, refs) == CELL_PROTOCOL_ERROR && f.e.text[0]);
    close_fixture(&f);
}
