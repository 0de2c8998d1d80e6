/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LINK: clang-plugin/Render.c clang-plugin/RenderText.c clang-plugin/RenderTypes.c clang-plugin/RenderDrift.c
// LINK: clang-plugin/RenderStream.c clang-plugin/RenderCapability.c clang-plugin/RenderRules.c clang-plugin/RenderRuleFunctions.c
/* The text of methods with bindings. That it compiles and what it does, test/Runtime/bound.test shows. */
#include "test.h"

#include <ctype.h>

#include "Render.h"

#define HEAD                                                                                                           \
    "{\"schema\":\"cell.schema/1\",\"cell\":\"db\",\"abi\":\"lp64-le\",\"types\":[{\"name\":\"row\",\"kind\":"         \
    "\"struct\",\"size\":8,\"align\":8,\"fields\":[{\"name\":\"id\",\"type\":\"u64\",\"offset\":0}]}],\"methods\":["

static char *client(const char *json, bool cplusplus)
{
    struct render_options o = {.cplusplus = cplusplus};
    struct cell_schema *s = NULL;
    struct cell_error e = {0};
    struct cell_buffer out = {0};
    if (cell_schema_parse_client(json, strlen(json), &s, &e) < 0) {
        printf("%s\n", e.text);
        exit(1);
    }
    CHECK(cell_render_client(s, &o, &out, &e) == CELL_OK);
    cell_schema_free(s);
    return out.data;
}

static bool has(const char *text, const char *part) { return text && strstr(text, part) != NULL; }

TEST(a_parameter_that_goes_in_and_comes_out_is_one_pointer)
{
    static const char json[] =
        HEAD "{\"name\":\"row_put\",\"binding\":\"put\",\"params\":["
             "{\"name\":\"id\",\"type\":\"u64\",\"dir\":\"in\"},"
             "{\"name\":\"before\",\"type\":\"row\",\"dir\":\"out\",\"pointer\":true},"
             "{\"name\":\"row\",\"type\":\"row\",\"dir\":\"inout\",\"pointer\":true,\"doc\":\"what is kept\"}]}]}";
    char *c = client(json, false), *cpp = client(json, true);
    CHECK(has(c, "static const char cellgen_row_put_binding[] = \"put\";\n"));
    CHECK(has(c, "static const struct cell_field cellgen_row_put_params[] = {\n"
                 "    {\"id\", &cell_type_u64, 0, 0, 0, 0},\n"
                 "    {\"row\", &cellgen_row_type, 8, 0, 1, 0},\n"
                 "    {\"before\", &cellgen_row_type, 0, 0, 3, 0},\n"
                 "    {\"row\", &cellgen_row_type, 16, 0, 3, 0},\n};\n"));
    CHECK(has(c, "{\"row_put\", cellgen_row_put_params, cellgen_row_put_params + 2, 2, 2, 24, 0, 0, 0, "
                 "cellgen_row_put_binding}"));
    CHECK(has(c, "/// \\param[in,out] row what is kept\n"));
    CHECK(has(c, "static inline int row_put(cell_ctx *c, uint64_t id, struct row *before, struct row *row)\n{\n"
                 "    const struct { uint64_t id; struct cell_ref row; } in = {id, {row, 1}};\n"
                 "    void *const outs[] = {before, row};\n"));
    CHECK(has(cpp, "static inline int row_put(::cell_ctx *c, ::uint64_t id, struct row *before, struct row *row)"));
    free(c);
    free(cpp);
}

TEST(a_stream_may_have_one_beside_it)
{
    static const char json[] = HEAD "{\"name\":\"row_load\",\"binding\":\"load\",\"params\":["
                                    "{\"name\":\"row\",\"type\":\"row\",\"dir\":\"inout\",\"pointer\":true},"
                                    "{\"name\":\"rows\",\"type\":\"row\",\"dir\":\"in\",\"stream\":true}]}]}";
    char *c = client(json, false);
    CHECK(has(c, "static inline struct row_load_writer row_load(cell_ctx *c, struct row *row)\n"));
    CHECK(has(c, "static inline int row_load_end(struct row_load_writer *writer, struct row *row)\n"));
    CHECK(has(c, "{\"row_load\", cellgen_row_load_params, cellgen_row_load_params + 1, 1, 1, 16, 2, 0, "
                 "cellgen_row_load_params + 2, cellgen_row_load_binding}"));
    free(c);
}

/* What a compiler reads in the literal that begins at `p`, pieces joined. */
static char *read_literal(const char *p)
{
    char *text = calloc(1, strlen(p) + 1), *to = text;
    while (*p == '"') {
        for (p++; *p != '"'; p++) {
            CHECK(*p >= ' ' && *p < 0x7f);
            CHECK(strncmp(p, "?\?", 2) != 0);
            if (*p != '\\') {
                *to++ = *p;
            } else if (isdigit((unsigned char)*++p)) {
                *to++ = (char)strtol((char[]){p[0], p[1], p[2], '\0'}, NULL, 8);
                p += 2;
            } else {
                CHECK(strchr("\"\\?", *p) != NULL);
                *to++ = *p;
            }
        }
        p++;
        p += strspn(p, " \n");
    }
    CHECK(*p == ';');
    return text;
}

TEST(a_binding_is_a_text_whatever_it_holds)
{
    static const struct {
        const char *json, *text;
    } texts[] = {
        {"*/ \\\" ; int x; //", "*/ \" ; int x; //"},
        {"\\\\\\n\\r\\t\\u0001\\u007f9", "\\\n\r\t\1\x7f"
                                         "9"},
        {"?\?/ ?\?= %s %n", "?\?/ ?\?= %s %n"},
        {"\xe2\x80\xae \xe2\x80\xa8 \xf0\x9f\x90\x98", "\xe2\x80\xae \xe2\x80\xa8 \xf0\x9f\x90\x98"},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char json[1024];
        snprintf(json, sizeof(json), HEAD "{\"name\":\"row_put\",\"binding\":\"%s\",\"params\":[]}]}", texts[i].json);
        char *c = client(json, false), *at = strstr(c, "_binding[] = ");
        REQUIRE(at);
        char *read = read_literal(at + strlen("_binding[] = "));
        CHECK_STR(read, texts[i].text);
        free(read);
        free(c);
    }
}

TEST(a_long_binding_stands_in_lines_that_can_be_read)
{
    size_t size = CELL_MAX_BINDING + 1000;
    char *json = malloc(size), *text = malloc(CELL_MAX_BINDING + 1);
    for (size_t i = 0; i < CELL_MAX_BINDING; i++)
        text[i] = (char)('0' + i % 10);
    text[CELL_MAX_BINDING] = '\0';
    snprintf(json, size, HEAD "{\"name\":\"row_put\",\"binding\":\"%s\",\"params\":[]}]}", text);
    char *c = client(json, true), *at = strstr(c, "_binding[] = ");
    REQUIRE(at);
    char *read = read_literal(at + strlen("_binding[] = "));
    CHECK_STR(read, text);
    for (const char *p = c; *p; p += strcspn(p, "\n") + 1)
        CHECK(strcspn(p, "\n") < 200);
    free(read);
    free(c);
    free(json);
    free(text);
}
