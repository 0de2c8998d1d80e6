/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LINK: clang-plugin/Render.c clang-plugin/RenderDrift.c clang-plugin/RenderStream.c clang-plugin/RenderText.c
// LINK: clang-plugin/RenderTypes.c clang-plugin/RenderRules.c clang-plugin/RenderRuleFunctions.c clang-plugin/RenderCapability.c
/* The functions of a cell in the text of its client, and what stands there in place of those that are gone. */
#include "test.h"

#include "Render.h"
#include "core/ast.h"

#define HEAD                                                                                                           \
    "{\"schema\":\"cell.schema/1\",\"cell\":\"maths\",\"abi\":\"lp64-le\",\"types\":["                                 \
    "{\"name\":\"point\",\"kind\":\"struct\",\"size\":8,\"align\":8,\"fields\":[{\"name\":\"x\",\"type\":\"f64\","     \
    "\"offset\":0}]},{\"name\":\"points\",\"kind\":\"list\",\"of\":\"point\",\"size\":16,\"align\":8}],"               \
    "\"methods\":[{\"name\":\"maths_get\",\"params\":[]}],\"functions\":"
#define F(name, signature)                                                                                             \
    "{\"name\":\"" name "\",\"logic\":\"0123456789012345678901234567890123456789012345678901234567890123\","           \
    "\"signature\":\"" signature "\"}"

static struct cell_schema *parse(const char *json)
{
    struct cell_schema *s = NULL;
    struct cell_error e = {0};
    if (cell_schema_parse(json, strlen(json), &s, &e) < 0) {
        printf("%s\n", e.text);
        exit(1);
    }
    return s;
}

static void check_holds(const char *text, const char *part)
{
    if (!strstr(text, part))
        printf("  no '%s' in\n%s", part, text);
    CHECK(strstr(text, part));
}

TEST(functions_stand_last_with_names_of_their_own)
{
    struct cell_schema *s =
        parse(HEAD "{\"cell.ast\":1,\"functions\":[{\"name\":\"inner\",\"internal\":true,\"returns\":\"i32\",\"body\":"
                   "[[\"return\",1]]},{\"name\":\"maths_get_async\",\"file\":\"a.c\",\"line\":7,\"returns\":\"i32\","
                   "\"body\":[[\"return\",[\"call\",\"inner\"]]]}]}}");
    struct cell_ast *functions = NULL;
    struct cell_buffer text = {0};
    struct cell_error e = {0};
    REQUIRE(cell_ast_of_schema(s, NULL, &functions, &e) == CELL_OK);
    struct render_options o = {.functions = functions};
    REQUIRE(cell_render_client(s, &o, &text, &e) == CELL_OK);
    check_holds(text.data, "#line 7 \"a.c\"\nstatic inline int32_t maths_get_async(void)\n");
    check_holds(text.data, "return cellgen__maths_f_inner();");
    check_holds(text.data, "#pragma float_control(pop)\n");
    CHECK(strstr(text.data, "#pragma float_control(precise") > strstr(text.data, "maths_get("));
    CHECK(!strstr(strstr(text.data, "#pragma float_control(pop)") + 1, "maths")); /* nothing behind them */
    CHECK(!strstr(text.data, "cell_call_async")); /* a form of a method whose name is taken */

    /* For any compiler: no lines of other files, and nothing where floats are not what they are. */
    text.len = 0;
    o.plain = true;
    REQUIRE(cell_render_client(s, &o, &text, &e) == CELL_OK);
    CHECK(!strstr(text.data, "#line"));
    check_holds(text.data,
                "#if !(__FINITE_MATH_ONLY__ + 0) && (defined(__clang__) || !defined(__FAST_MATH__))\n#pragma "
                "float_control(precise");
    check_holds(text.data, "#pragma float_control(pop)\n#endif\n");
    cell_buffer_free(&text);
    cell_ast_free(functions);
    cell_schema_free(s);
}

TEST(what_is_gone_is_declared_with_what_is_left_of_its_types)
{
    static const struct {
        const char *signature, *c, *cplusplus;
    } all[] = {
        {"f64()", "double f(void) __attr", "double f() __attr"},
        {"status(str, out f64)", "int f(cell_str, double *) __attr", "int f(::cell_str, double *) __attr"},
        {"point(point *, point, i32[3], out u8[2])",
         "struct point f(const struct point *, struct point, const int32_t *, uint8_t *) __attr",
         "struct point f(const struct point *, struct point, const ::int32_t *, ::uint8_t *) __attr"},
        {"gone(gone, gone *, out gone)", "void * f(void *, const void *, void *) __attr", "void * f(void *, "},
        {"points(points, bytes)", "void * f(void *, void *) __attr", "void * f(void *, void *) __attr"},
        /* No signature is made like these; whatever they are, it stays a declaration. */
        {"", "void * f(void) __attr", "void * f() __attr"},
        {"f64(", "double f(void) __attr", "double f() __attr"},
        {"f64(,", "double f(void *) __attr", "double f(void *) __attr"},
        {"); int x(", "void * f(void) __attr", "void * f() __attr"},
        {"f64(i32; int y)", "double f(void *) __attr", "double f(void *) __attr"},
    };
    struct cell_schema *now = parse(HEAD "[]}");
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        char json[1200];
        snprintf(json, sizeof(json), HEAD "{\"functions\":[" F("f", "%s") "]}}", all[i].signature);
        struct cell_schema *before = parse(json);
        struct cell_diff *d = NULL;
        struct cell_error e = {0};
        REQUIRE(cell_diff_new(before, now, &d, &e) == CELL_OK);
        for (int cplusplus = 0; cplusplus < 2; cplusplus++) {
            const struct render_options o = {.drift = d, .baseline = before, .cplusplus = cplusplus};
            struct cell_buffer text = {0};
            REQUIRE(cell_render_client(now, &o, &text, &e) == CELL_OK);
            check_holds(text.data, cplusplus ? all[i].cplusplus : all[i].c);
            check_holds(text.data, "__attribute__((unavailable(\"Function 'f' no longer exists in Maths Cell\")));\n");
            cell_buffer_free(&text);
        }
        cell_diff_free(d);
        cell_schema_free(before);
    }
    cell_schema_free(now);
}
