/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Each limit of a schema, exactly at it and one beyond. */
#include "schema_document.h"

#include "base/buffer.h"
#include "wire/limits.h"
#include "wire/message.h"

static struct cell_error error;

static void begin(struct cell_buffer *b, const char *cell)
{
    cell_buffer_printf(b, "{\"abi\":\"lp64-le\",\"cell\":\"%s\",\"schema\":\"cell.schema/1\",\"types\":[", cell);
}

/* Ends the document, frees it and tells whether it was taken. */
static bool is_taken(struct cell_buffer *b)
{
    struct cell_schema *s = parse_schema(b->data, &error);
    bool taken = s != NULL;
    cell_schema_free(s);
    cell_buffer_free(b);
    *b = (struct cell_buffer){0};
    return taken;
}

static char *long_name(size_t len)
{
    char *name = malloc(len + 1);
    memset(name, 'a', len);
    name[len] = '\0';
    return name;
}

TEST(names_are_limited_exactly)
{
    for (int beyond = 0; beyond < 2; beyond++) {
        struct cell_buffer b = {0};
        char *cell = long_name(CELL_MAX_CELL_NAME + (unsigned)beyond);
        begin(&b, cell);
        cell_buffer_puts(&b, "]}");
        CHECK(is_taken(&b) == !beyond);
        CHECK(!beyond || strcmp(error.text, "cell: the name is longer than 63 bytes") == 0);
        free(cell);

        char *name = long_name(CELL_MAX_NAME + (unsigned)beyond);
        begin(&b, "x");
        cell_buffer_printf(&b, "],\"methods\":[{\"name\":\"%s\"}]}", name);
        CHECK(is_taken(&b) == !beyond);
        CHECK(!beyond || strstr(error.text, "' is longer than 127 bytes"));
        /* A type of the longest name can be used in an array of the longest bound. */
        begin(&b, "x");
        cell_buffer_printf(&b, "{\"name\":\"%s\",\"kind\":\"enum\",\"type\":\"u8\",\"size\":1,\"align\":1,\"values\":[",
                           name);
        cell_buffer_printf(&b,
                           "{\"name\":\"A\",\"value\":\"0\"}]},{\"name\":\"t\",\"kind\":\"struct\",\"size\":65536,");
        cell_buffer_printf(&b, "\"align\":1,\"fields\":[{\"name\":\"f\",\"type\":\"%s[65536]\",\"offset\":0}]}]}",
                           name);
        CHECK(is_taken(&b) == !beyond);
        free(name);
    }
}

TEST(parameters_are_limited_exactly)
{
    for (unsigned n = CELL_MAX_PARAMS; n <= CELL_MAX_PARAMS + 1; n++) {
        struct cell_buffer b = {0};
        begin(&b, "x");
        cell_buffer_puts(&b, "],\"methods\":[{\"name\":\"m\",\"params\":[");
        for (unsigned i = 0; i < n; i++)
            cell_buffer_printf(&b, "%s{\"name\":\"p%u\",\"type\":\"u8\",\"dir\":\"in\"}", i ? "," : "", i);
        cell_buffer_puts(&b, "]}]}");
        CHECK(is_taken(&b) == (n == CELL_MAX_PARAMS));
    }
    CHECK_STR(error.text, "methods[0].params: 65 parameters, 64 is the limit");
}

/* A struct of two halves of `size` bytes. */
static void put_large(struct cell_buffer *b, unsigned size, unsigned more)
{
    cell_buffer_printf(b, "{\"name\":\"half\",\"kind\":\"struct\",\"size\":%u,\"align\":8,\"fields\":[", size / 2);
    cell_buffer_printf(b, "{\"name\":\"f\",\"type\":\"u64[%u]\",\"offset\":0}]},", size / 16);
    cell_buffer_printf(b, "{\"name\":\"t\",\"kind\":\"struct\",\"size\":%u,\"align\":8,\"fields\":[", size + more);
    cell_buffer_printf(b, "{\"name\":\"a\",\"type\":\"half[2]\",\"offset\":0}");
    if (more)
        cell_buffer_printf(b, ",{\"name\":\"b\",\"type\":\"u64\",\"offset\":%u}", size);
    cell_buffer_puts(b, "]}");
}

TEST(sizes_are_limited_exactly)
{
    struct cell_buffer b = {0};
    begin(&b, "x");
    put_large(&b, CELL_MAX_TYPE_SIZE, 0);
    cell_buffer_puts(&b, "]}");
    CHECK(is_taken(&b));
    begin(&b, "x");
    put_large(&b, CELL_MAX_TYPE_SIZE, 8);
    cell_buffer_puts(&b, "]}");
    CHECK(!is_taken(&b));
    CHECK_STR(error.text, "types[1].size: 1048584 is out of range, 1 to 1048576 is allowed");
    /* Stating a smaller size does not help. */
    begin(&b, "x");
    put_large(&b, CELL_MAX_TYPE_SIZE, 8);
    cell_buffer_puts(&b, "]}");
    char *smaller = replaced(b.data, "1048584", "8");
    CHECK(!parse_schema(smaller, &error));
    CHECK_STR(error.text, "types[1].size: the size of 1048584 bytes is more than 1048576");
    free(smaller);
    cell_buffer_free(&b);
}

TEST(arrays_of_structs_cannot_overflow_a_size)
{
    static const char *const uses[] = {"t[2]", "t[4096]", "t[65536]"};
    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
        for (int param = 0; param < 2; param++) {
            struct cell_buffer b = {0};
            begin(&b, "x");
            put_large(&b, CELL_MAX_TYPE_SIZE, 0);
            if (param)
                cell_buffer_printf(&b,
                                   "],\"methods\":[{\"name\":\"m\",\"params\":[{\"name\":\"p\",\"type\":\"%s\","
                                   "\"dir\":\"in\",\"pointer\":true}]}]}",
                                   uses[i]);
            else
                cell_buffer_printf(&b,
                                   ",{\"name\":\"u\",\"kind\":\"struct\",\"size\":8,\"align\":8,\"fields\":["
                                   "{\"name\":\"f\",\"type\":\"%s\",\"offset\":0}]}]}",
                                   uses[i]);
            CHECK(!is_taken(&b));
            CHECK(strstr(error.text, " bytes is more than 1048576"));
            CHECK(strstr(error.text, param ? "methods[0].params[0].type" : "types[2].fields[0].type"));
        }
}

TEST(requests_are_limited_exactly)
{
    for (int beyond = 0; beyond < 2; beyond++) {
        struct cell_buffer b = {0};
        begin(&b, "x");
        put_large(&b, CELL_MAX_TYPE_SIZE / 2, 0);
        cell_buffer_puts(&b,
                         "],\"methods\":[{\"name\":\"m\",\"params\":[{\"name\":\"p\",\"type\":\"t\",\"dir\":\"in\"},"
                         "{\"name\":\"q\",\"type\":\"t\",\"dir\":\"in\"}");
        cell_buffer_puts(&b, beyond ? ",{\"name\":\"r\",\"type\":\"u8\",\"dir\":\"in\"}]}]}" : "]}]}");
        CHECK(is_taken(&b) == !beyond);
    }
    CHECK_STR(error.text, "methods[0].params: the size of the request, 1048584 bytes, is more than 1048576");
}

/* Structs in structs, `n` of them, around a list. */
static void put_nested(struct cell_buffer *b, unsigned n)
{
    cell_buffer_puts(b, "{\"name\":\"t0\",\"kind\":\"struct\",\"size\":16,\"align\":8,\"fields\":["
                        "{\"name\":\"f\",\"type\":\"list<u8>\",\"offset\":0}]}");
    for (unsigned i = 1; i < n; i++) {
        cell_buffer_printf(b, ",{\"name\":\"t%u\",\"kind\":\"struct\",\"size\":16,\"align\":8,\"fields\":[", i);
        cell_buffer_printf(b, "{\"name\":\"f\",\"type\":\"t%u\",\"offset\":0}]}", i - 1);
    }
}

TEST(nesting_is_limited_exactly)
{
    for (unsigned n = CELL_MAX_DEPTH - 1; n <= CELL_MAX_DEPTH; n++) {
        struct cell_buffer b = {0};
        begin(&b, "x");
        put_nested(&b, n);
        cell_buffer_puts(&b, "]}");
        CHECK(is_taken(&b) == (n < CELL_MAX_DEPTH));
    }
    CHECK_STR(error.text, "types[31]: 't31' nests deeper than 32");
    /* A list is a level that stands around its element's; a struct's own level is only counted by value. */
    for (unsigned n = CELL_MAX_DEPTH - 2; n <= CELL_MAX_DEPTH - 1; n++)
        for (int pointer = 0; pointer < 2; pointer++) {
            struct cell_buffer b = {0};
            begin(&b, "x");
            put_nested(&b, n);
            cell_buffer_printf(&b, ",{\"name\":\"l\",\"kind\":\"list\",\"of\":\"t%u\",\"size\":16,\"align\":8}],",
                               n - 1);
            cell_buffer_printf(
                &b, "\"methods\":[{\"name\":\"m\",\"params\":[{\"name\":\"p\",\"type\":\"l\",\"dir\":\"in\"%s}]}]}",
                pointer ? ",\"pointer\":true" : "");
            CHECK(is_taken(&b) == (n == CELL_MAX_DEPTH - 2 || !pointer));
        }
    CHECK_STR(error.text, "methods[0].params[0]: 'p' nests deeper than 32");
    /* An optional of the deepest value and a list of that. */
    struct cell_buffer b = {0};
    begin(&b, "x");
    put_nested(&b, CELL_MAX_DEPTH - 1);
    cell_buffer_puts(&b, ",{\"name\":\"o\",\"kind\":\"opt\",\"of\":\"t30\",\"size\":24,\"align\":8},"
                         "{\"name\":\"s\",\"kind\":\"struct\",\"size\":24,\"align\":8,\"fields\":["
                         "{\"name\":\"f\",\"type\":\"o\",\"offset\":0}]}]}");
    CHECK(!is_taken(&b));
    CHECK_STR(error.text, "types[32]: 's' nests deeper than 32");
}

/* One method with one parameter, whose value is a list of one byte in the innermost of `n` structs. */
static bool can_travel(unsigned n, const char *use)
{
    static const uint8_t byte = 7;
    const cell_list_u8 list = {&byte, 1};
    const struct cell_ref request = {&list, 1}; /* by pointer; else the list itself */
    const struct cell_method *method = NULL;
    struct cell_buffer b = {0}, m = {0};
    struct cell_arena a = {0};
    struct cell_ref out;
    begin(&b, "x");
    put_nested(&b, n);
    cell_buffer_printf(&b, "],\"methods\":[{\"name\":\"m\",\"params\":[{\"name\":\"p\",\"dir\":\"in\",%s}]}]}", use);
    struct cell_schema *s = parse_schema(b.data, &error);
    bool good = s && cell_schema_describe(s, &method, &error) == CELL_OK;
    if (good) {
        const struct cell_layout layout = {method->in, method->nin, method->in_size};
        const bool pointer = method->in[0].flags & CELL_FIELD_REF;
        CHECK(layout.size == sizeof(out));
        CHECK(cell_message_encode(&layout, pointer ? (const void *)&request : &list, 4096, &m, &error) == CELL_OK);
        CHECK(cell_message_decode(&layout, (const uint8_t *)m.data, m.len, &a, &out, &error) == CELL_OK);
    }
    cell_schema_free(s);
    cell_arena_free(&a);
    cell_buffer_free(&b);
    cell_buffer_free(&m);
    return good;
}

TEST(what_nests_as_deep_as_allowed_can_travel)
{
    CHECK(can_travel(31, "\"type\":\"t30\""));
    CHECK(!can_travel(32, "\"type\":\"t31\""));
    CHECK(can_travel(31, "\"type\":\"t30\",\"pointer\":true"));
}

/* As many entries as fit: fast enough not to be noticed, whatever their order. */
TEST(a_schema_of_the_most_members_is_taken)
{
    struct cell_buffer b = {0};
    begin(&b, "x");
    cell_buffer_puts(&b, "],\"constants\":[");
    for (unsigned i = 0; i < 2498; i++) /* 9992 members with these and "methods" */
        cell_buffer_printf(&b, "%s{\"name\":\"K%04u\",\"type\":\"u16\",\"value\":\"%u\"}", i ? "," : "", i, i);
    cell_buffer_puts(&b, "],\"methods\":[]}");
    CHECK(is_taken(&b));

    begin(&b, "x");
    cell_buffer_puts(&b, "{\"name\":\"e\",\"kind\":\"enum\",\"type\":\"u16\",\"size\":2,\"align\":2,\"values\":[");
    for (unsigned i = 0; i < 3300; i++)
        cell_buffer_printf(&b, "%s{\"name\":\"V%u\",\"value\":\"%u\"}", i ? "," : "", 3300 - i, i);
    cell_buffer_puts(&b, "]}]}");
    CHECK(is_taken(&b));
}
