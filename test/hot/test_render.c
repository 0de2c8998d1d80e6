/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What functions look like as C and for people, and that the JSON Schema and the manual know every operation. */
#include <stdbool.h>

#include "../unit/ast_document.h"
#include "../unit/test.h"
#include "base/util.h"

#define SAMPLE                                                                                                         \
    AST_DOCUMENT(                                                                                                      \
        "{'name': 'half', 'internal': true, 'returns': 'status', 'params': [{'name': 'a', 'type': 'i32'}, "            \
        "{'name': 'h', 'type': 'i32', 'dir': 'out'}], 'body': [['=', 'h', ['/', 'a', 2]]]}, {'name': 'f', "            \
        "'file': 'hot.c', 'returns': 'status', 'params': [{'name': 'p', 'type': 'point', 'pointer': true}, "           \
        "{'name': 'i', 'type': 'i32'}, {'name': 'h', 'type': 'hue', 'dir': 'out'}], 'body': [7, ['let', 'k', "         \
        "'i32', 0], ['for', 'j', 0, 3, 3, [['=', 'k', ['+', 'k', ['[]', ['.', 'p', 'n'], 'j']]]]], 9, ['if', "         \
        "['<', 'k', 0], [['fail', 'not-found']], ['==', 'k', 5], [['try', 'half', 'i', 'k']], [['=', 'k', "            \
        "['[]', 'table', 'i']]]], ['=', 'h', 'k']]}")

static void check_text(bool cplusplus, bool lines, const char *const *expected, size_t n)
{
    const struct ast_render_options o = {.cplusplus = cplusplus, .lines = lines, .unit = "u"};
    struct cell_ast *doc = NULL;
    struct cell_buffer out = {0};
    REQUIRE(ast_parse(SAMPLE, NULL, &doc, NULL) == CELL_OK);
    CHECK(cell_ast_render(doc, &o, &out) == CELL_OK);
    for (size_t i = 0; i < n; i++) {
        if (!strstr(out.data, expected[i]))
            printf("  no '%s' in\n%s", expected[i], out.data);
        CHECK(strstr(out.data, expected[i]));
    }
    cell_buffer_free(&out);
    cell_ast_free(doc);
}

TEST(functions_are_c)
{
    static const char *const expected[] = {
        "#pragma float_control(precise, on, push)\n#pragma clang fp contract(off)\nstatic const int32_t "
        "cellgen_u_t_table[4] = {3, 1, 2, 0};\n",
        "static inline int f(const struct point *p, int32_t i, enum hue *h)\n{\n    enum hue cellgen_v_h;\n    int32_t "
        "k = 0;\n",
        "    for (int32_t j = 0; j < 3; j++) {\n        k = ((int32_t)((uint32_t)k + (uint32_t)(*p).n[j]));\n    }\n",
        "    if (k < 0) {\n        return -5;\n    } else if (k == 5) {\n",
        "{ const int cellgen_s = cellgen_u_f_half(i, &k); if (__builtin_expect(cellgen_s < 0, 0)) return cellgen_s; }",
        "k = cellgen_u_t_table[({ const uint64_t cellgen_i = (uint64_t)i; if (__builtin_expect(cellgen_i >= 4, 0)) "
        "return -11; "
        "cellgen_i; })];",
        "    cellgen_v_h = (enum hue)k;\n    *h = cellgen_v_h;\n    return 0;\n}\n#pragma float_control(pop)\n",
    };
    static const char *const located[] = {"#line 7 \"hot.c\"\n    int32_t k = 0;\n",
                                          "#line 9 \"hot.c\"\n    if (k < 0) {"};
    check_text(false, false, expected, sizeof(expected) / sizeof(expected[0]));
    check_text(true, false, expected, sizeof(expected) / sizeof(expected[0]));
    check_text(false, true, located, 2);
}

TEST(functions_are_readable)
{
    struct cell_ast *doc = NULL;
    struct cell_buffer out = {0};
    REQUIRE(ast_parse(SAMPLE, NULL, &doc, NULL) == CELL_OK);
    CHECK(cell_ast_print_function(doc, cell_ast_function(doc, "f"), &out) == CELL_OK);
    CHECK_STR(out.data,
              "status f(point p, i32 i, out hue h) {\n    i32 k = 0\n    for (j from 0 to before 3, at most 3) {\n"
              "        k = (k + p.n[j])\n    }\n    if (k < 0) {\n        fail not-found\n    } else if (k == 5) {\n"
              "        try half(i, k)\n    } else {\n        k = table[i]\n    }\n    h = k\n}\n");
    out.len = 0;
    CHECK(cell_ast_print_table(doc, &doc->tables[0], &out) == CELL_OK);
    CHECK_STR(out.data, "i32[4] table = {\n    3\n    1\n    2\n    0\n}\n");
    cell_buffer_free(&out);
    cell_ast_free(doc);
}

TEST(prototypes_stand_alone)
{
    struct cell_ast *doc = NULL;
    struct cell_buffer out = {0};
    REQUIRE(ast_parse(SAMPLE, NULL, &doc, NULL) == CELL_OK);
    const struct ast_render_options o = {.unit = "u"};
    CHECK(cell_ast_render_prototype(cell_ast_function(doc, "f"), &o, &out) == CELL_OK);
    CHECK_STR(out.data, "static inline int f(const struct point *p, int32_t i, enum hue *h)");
    cell_buffer_free(&out);
    cell_ast_free(doc);
}

#define LOCATED                                                                                                        \
    AST_DOCUMENT("{'name': 'inner', 'internal': true, 'file': 'a/b.c', 'returns': 'f64', 'body': [3, ['return', "      \
                 "{'f64': '1'}]]}, {'name': 'f', 'doc': 'One.\\nTwo.', 'file': 'a\\\"b\\\\.c', 'line': 9, "            \
                 "'renamed_from': 'g', 'returns': 'status', 'params': [{'name': 'x', 'type': 'i32', 'doc': "           \
                 "'what'}, {'name': 'o', 'dir': 'out', 'type': 'i32'}], 'body': [10, ['=', 'o', 'x'], 10, ['=', "      \
                 "'o', 1], ['=', 'o', 2]]}, {'name': 'h', 'file': 'h.c', 'returns': 'f64', 'body': [1, ['return', "    \
                 "['call', 'inner']]]}, {'name': 'k', 'file': 'k.c', 'line': 1, 'doc': 'Long\\nlines.', 'returns': "   \
                 "'i32', 'body': [['return', 1]]}")

/* The line of a function's name is the author's, so that comments above it count back. */
TEST(documentation_and_places_are_the_authors)
{
    const struct ast_render_options o = {.lines = true, .unit = "u"};
    struct cell_ast *doc = NULL;
    struct cell_buffer out = {0};
    REQUIRE(ast_parse(LOCATED, NULL, &doc, NULL) == CELL_OK);
    CHECK_STR(cell_ast_function(doc, "f")->renamed_from, "g");
    CHECK(cell_ast_render(doc, &o, &out) == CELL_OK);
    static const char *const expected[] = {
        "#line 3 \"a/b.c\"\nstatic inline double cellgen_u_f_inner(void)\n{\n#line 3 \"a/b.c\"\n",
        "#line 6 \"a\\\"b\\\\.c\"\n/// One.\n/// Two.\n/// \\param x what\nstatic inline int f(int32_t x, int32_t "
        "*o)\n",
        "#line 10 \"a\\\"b\\\\.c\"\n    cellgen_v_o = 1;\n#line 10 \"a\\\"b\\\\.c\"\n    cellgen_v_o = 2;\n",
        "#line 1 \"h.c\"\nstatic inline double h(void)\n",
        "#line 1 \"k.c\"\n/// Long\n/// lines.\nstatic inline int32_t k(void)\n{\n    return 1;\n",
    };
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        if (!strstr(out.data, expected[i]))
            printf("  no '%s' in\n%s", expected[i], out.data);
        CHECK(strstr(out.data, expected[i]));
    }
    cell_buffer_free(&out);
    cell_ast_free(doc);
}

/* Where there are no NaNs, what has floats in it anywhere, also by a call, is not defined. */
TEST(without_nans_functions_of_floats_are_refused_at_their_use)
{
    static const char floats[] =
        AST_DOCUMENT("{'name': 'inner', 'internal': true, 'returns': 'i32', 'body': [['return', ['i32', {'f64': "
                     "'1.5'}]]]}, {'name': 'through', 'returns': 'i32', 'body': [['return', ['call', 'inner']]]}, "
                     "{'name': 'of', 'returns': 'i32', 'params': [{'name': 'x', 'type': 'f32'}], 'body': [['return', "
                     "1]]}, {'name': 'to', 'returns': 'f64', 'body': [['return', {'f64': '1'}]]}, {'name': 'local', "
                     "'returns': 'i32', 'body': [['let', 'y', 'f64', {'f64': '1'}], ['return', 1]]}, {'name': 'none', "
                     "'returns': 'i32', 'body': [['return', 7]]}");
    const struct ast_render_options finite = {.no_floats = "so: do this", .unit = "u"}, usual = {.unit = "u"};
    static const char *const refused[] = {
        "int32_t through(void) __attribute__((unavailable(\"'through' computes with floating-point numbers, "
        "and so: do this\")));\n",
        "int32_t of(float x) __attribute__((unavailable(", "double to(void) __attribute__((unavailable(",
        "int32_t local(void) __attribute__((unavailable(", "static inline int32_t none(void)\n{\n    return 7;\n}\n"};
    struct cell_ast *doc = NULL;
    struct cell_buffer out = {0};
    REQUIRE(ast_parse(floats, NULL, &doc, NULL) == CELL_OK);
    CHECK(cell_ast_render(doc, &finite, &out) == CELL_OK);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (!strstr(out.data, refused[i]))
            printf("  no '%s' in\n%s", refused[i], out.data);
        CHECK(strstr(out.data, refused[i]));
    }
    CHECK(!strstr(out.data, "inner") && !strstr(out.data, "static inline double"));
    out.len = 0;
    CHECK(cell_ast_render(doc, &usual, &out) == CELL_OK);
    CHECK(!strstr(out.data, "unavailable") && strstr(out.data, "static inline double to(void)"));
    cell_buffer_free(&out);
    cell_ast_free(doc);
}

static void check_names(const char *path, const char *quote)
{
    char *text = NULL, name[64];
    size_t len = 0;
    REQUIRE(cell_file_read(path, 1 << 20, &text, &len, NULL) == CELL_OK);
    for (unsigned op = AST_CAST_BOOL; op < AST_OPS; op++) {
        if (op == AST_BLOCK || op == AST_CASE)
            continue;
        snprintf(name, sizeof(name), "%s%s%s", quote, cell_ast_op_name((enum ast_op)op), *quote == '`' ? "" : quote);
        /* the manual has "`+`" and "`["call", …" */
        bool found = strstr(text, name) != NULL;
        snprintf(name, sizeof(name), "[\"%s\"", cell_ast_op_name((enum ast_op)op));
        found = found || strstr(text, name) || op == AST_OR || op == AST_LOR; /* which a table of Markdown escapes */
        if (!found)
            printf("  %s has no '%s'\n", path, cell_ast_op_name((enum ast_op)op));
        CHECK(found);
    }
    free(text);
}

TEST(schema_and_manual_know_every_operation)
{
    check_names(HOT_DOCS "/schema/cell.ast.json", "\"");
    check_names(HOT_DOCS "/hot-functions.md", "`");
}
