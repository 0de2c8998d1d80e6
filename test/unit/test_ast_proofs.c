/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Checks that are proven not to be needed: the functions here return no status, so each would be refused otherwise. */
#include "ast_document.h"
#include "test.h"

static void check_taken(const char *document)
{
    struct cell_ast *doc = NULL;
    struct cell_error e = {0};
    const int r = ast_parse(document, NULL, &doc, &e);
    if (r != CELL_OK)
        printf("  %s\n", e.text);
    CHECK(r == CELL_OK);
    cell_ast_free(doc);
}

static void check_refused(const char *document, const char *why)
{
    struct cell_ast *doc = NULL;
    struct cell_error e = {0};
    CHECK(ast_parse(document, NULL, &doc, &e) < 0 && strstr(e.text, why));
    cell_ast_free(doc);
}

TEST(an_index_by_a_counter_is_proven)
{
    check_taken(AST_VALUE("['let', 't', 'i32', 0], ['for', 'k', 0, 8, 8, [['=', 't', ['+', 't', ['[]', 'a', 'k']]]]], "
                          "['return', 't']"));
    check_taken(AST_VALUE("['let', 't', 'i32', 0], ['down', 'k', 8, 0, 8, [['=', 't', ['+', 't', ['[]', 'a', 'k']]]]], "
                          "['return', 't']"));
    check_taken(AST_VALUE("['let', 't', 'i32', 0], ['for', 'k', 0, 'i', 8, [['=', 't', ['[]', 'a', 'k']]]], ['return', "
                          "'t']")); /* by its bound */
    check_taken(
        AST_VALUE("['for', 'k', 0, 2, 2, [['for', 'j', 0, 4, 4, [['if', ['==', ['[]', 'a', ['+', ['*', 'k', 4], "
                  "'j']], 1], [['return', 1]]]]]]], ['return', 0]"));
}

TEST(an_index_behind_a_condition_is_proven)
{
    check_taken(
        AST_VALUE("['if', ['&&', ['>=', 'i', 0], ['<', 'i', 8]], [['return', ['[]', 'a', 'i']]]], ['return', 0]"));
    check_taken(
        AST_VALUE("['if', ['||', ['<', 'i', 0], ['>', 'i', 7]], [['return', 0]]], ['return', ['[]', 'a', 'i']]"));
    check_taken(AST_VALUE("['return', ['?:', ['<', 'u', {'u64': 8}], ['[]', 'a', 'u'], 0]]"));
    check_taken(AST_VALUE("['if', ['&&', ['<', 'u', {'u64': 8}], ['==', ['[]', 'a', 'u'], 1]], [['return', 1]]], "
                          "['return', 0]"));
    check_taken(AST_VALUE("['if', ['!', ['<', 'u', {'u64': 8}]], [['return', 0]]], ['return', ['[]', 'a', 'u']]"));
    check_taken(AST_VALUE("['switch', 'i', [1, 7], [['return', ['[]', 'a', 'i']]]], ['return', 0]"));
}

TEST(an_index_that_arithmetic_bounds_is_proven)
{
    check_taken(AST_VALUE("['return', ['[]', 'a', ['>>', 7, 'u']]]"));
    check_taken(AST_VALUE("['return', ['[]', 'a', ['<<', 1, ['%', ['u32', 'i'], {'u32': 3}]]]]"));
    check_taken(AST_VALUE("['return', ['[]', 'a', ['&', 'i', 7]]]"));
    check_taken(AST_VALUE("['return', ['[]', 'a', ['%', 'u', {'u64': 8}]]]"));
    check_taken(AST_VALUE("['return', ['[]', 'a', ['max', 0, ['min', 'i', 7]]]]"));
    check_taken(AST_VALUE("['return', ['[]', 'a', ['[]', 'table', ['&', 'i', 3]]]]"));
    check_taken(AST_VALUE("['return', ['[]', 'a', ['>>', ['u8', 'i'], 5]]]"));
    check_taken(AST_VALUE("['return', ['[]', 'a', ['+', ['compare', 's', 's'], 1]]]"));
    check_taken(AST_VALUE("['return', ['[]', 'a', ['i32', ['fmin', ['fmax', 'd', {'f64': 0}], {'f64': 7}]]]]"));
    check_taken(
        AST_DOCUMENT("{'name': 'clamp', 'returns': 'i32', 'params': [{'name': 'x', 'type': 'i32'}], 'body': [['if', "
                     "['<', 'x', 0], [['return', 0]], ['>', 'x', 3], [['return', 3]]], ['return', 'x']]}, {'name': "
                     "'f', 'returns': 'i32', 'params': [{'name': 'y', 'type': 'i32'}], 'body': [['return', ['[]', "
                     "'table', ['call', 'clamp', 'y']]]]}"));
}

TEST(a_divisor_that_is_not_0_is_proven)
{
    check_taken(AST_VALUE("['if', ['!=', 'i', 0], [['return', ['/', 100, 'i']]]], ['return', 0]"));
    check_taken(AST_VALUE("['if', ['==', 'i', 0], [['return', 0]]], ['return', ['%', 100, 'i']]"));
    check_taken(AST_VALUE("['return', ['/', 100, ['max', 'i', 1]]]"));
    check_taken(AST_VALUE("['return', ['i32', ['/', 'u', ['|', {'u64': 1}, {'u64': 6}]]]]"));
}

TEST(a_byte_of_a_string_is_proven)
{
    check_taken(
        AST_VALUE("['if', ['<', 'u', ['length', 's']], [['return', ['i32', ['byte', 's', 'u']]]]], ['return', 0]"));
    check_taken(
        AST_VALUE("['if', ['>', ['length', 's'], 'u'], [['return', ['i32', ['byte', 's', 'u']]]]], ['return', 0]"));
    check_taken(
        AST_VALUE("['if', ['==', ['length', 's'], {'u64': 3}], [['return', ['i32', ['byte', 's', 2]]]]], ['return', "
                  "0]"));
    check_taken(
        AST_VALUE("['let', 't', 'i32', 0], ['for', 'k', {'u64': 0}, ['length', 's'], 64, [['=', 't', ['+', 't', "
                  "['i32', ['byte', 's', 'k']]]]]], ['return', 't']"));
    check_taken(
        AST_VALUE("['let', 'n', 'u64', ['length', 's']], ['let', 't', 'i32', 0], ['for', 'k', {'u64': 0}, 'n', 64, "
                  "[['=', 't', ['i32', ['byte', 's', 'k']]]]], ['return', 't']"));
    check_taken(AST_VALUE("['let', 't', 'i32', 0], ['down', 'k', ['length', 's'], {'u64': 0}, 64, [['=', 't', ['i32', "
                          "['byte', 's', 'k']]]]], ['return', 't']"));
    check_taken(AST_VALUE("['return', ['i32', ['byte', {'str': 'abc'}, ['&', 'i', 1]]]]"));
    check_taken(
        AST_VALUE("['let', 'n', 'i64', ['i64', ['length', 's']]], ['let', 't', 'i32', 0], ['for', 'k', {'i64': 0}, "
                  "'n', 64, [['=', 't', ['i32', ['byte', 's', 'k']]]]], ['return', 't']"));
}

TEST(what_is_below_a_length_proves_bytes)
{
    /* A variable that is not more than the length says how long the string is. */
    check_taken(AST_VALUE("['let', 'n', 'u64', ['length', 's']], ['if', ['<', 'n', {'u64': 4}], [['return', 0]]], "
                          "['return', ['i32', ['byte', 's', 3]]]"));
    check_taken(AST_VALUE("['if', ['&&', ['<', 'u', ['length', 's']], ['>=', 'u', {'u64': 3}]], [['return', ['i32', "
                          "['byte', 's', 3]]]]], ['return', 0]"));
    check_refused(AST_VALUE("['let', 'n', 'u64', ['length', 's']], ['if', ['<', 'n', {'u64': 4}], [['return', 0]]], "
                            "['return', ['i32', ['byte', 's', 4]]]"),
                  "out of the string");
    check_refused(AST_VALUE("['if', ['&&', ['<=', 'u', ['length', 's']], ['>=', 'u', {'u64': 3}]], [['return', ['i32', "
                            "['byte', 's', 3]]]]], ['return', 0]"),
                  "out of the string");
    /* A rest is less than its divisor. */
    check_taken(AST_VALUE("['let', 'n', 'u64', ['length', 's']], ['if', ['==', 'n', {'u64': 0}], [['return', 0]]], "
                          "['return', ['i32', ['byte', 's', ['%', 'u', 'n']]]]"));
    check_refused(AST_VALUE("['let', 'n', 'i64', ['i64', ['length', 's']]], ['if', ['==', 'n', {'i64': 0}], "
                            "[['return', 0]]], ['return', ['i32', ['byte', 's', ['%', ['i64', 'i'], 'n']]]]"),
                  "out of the string");
    check_refused(AST_VALUE("['if', ['==', 'u', {'u64': 0}], [['return', 0]]], ['return', ['i32', ['byte', 's', ['%', "
                            "{'u64': 7}, 'u']]]]"),
                  "out of the string");
    check_refused(
        AST_VALUE("['let', 'n', 'i64', ['i64', ['length', 's']]], ['let', 'm', 'i64', ['i64', 'i']], ['if', "
                  "['&&', ['<=', 'm', 'n'], ['!=', 'm', {'i64': 0}]], [['return', ['i32', ['byte', 's', ['%', "
                  "{'i64': 7}, 'm']]]]]], ['return', 0]"),
        "out of the string");
}

TEST(what_every_way_assigns_has_a_value)
{
    check_taken(
        AST_VALUE("['let', 'x', 'i32'], ['if', ['<', 'i', 0], [['=', 'x', 1]], [['=', 'x', 2]]], ['return', 'x']"));
    check_taken(
        AST_VALUE("['let', 'x', 'i32'], ['if', ['<', 'i', 0], [['return', 1]], [['=', 'x', 2]]], ['return', 'x']"));
    check_taken(AST_VALUE("['let', 'x', 'i32'], ['switch', 'i', [1], [['=', 'x', 1]], [], [['=', 'x', 2]]], ['return', "
                          "'x']"));
    check_taken(AST_STATUS("['try', 'half', 'i', 'o']"));
    check_taken(AST_VALUE("['let', 'w', 'i32'], ['let', 'x', 'i32', 0], ['status', 'w', 'half', 'i', 'x'], ['return', "
                          "['+', 'w', 'x']]"));
    check_taken(AST_VALUE("['switch', 'i', [1], [['return', 1]], [], [['return', 2]]]"));
}

/* Proofs as the renderer sees them. */
static uint32_t proven(const char *document)
{
    struct cell_ast *doc = NULL;
    uint32_t found = UINT32_MAX;
    if (ast_parse(document, NULL, &doc, NULL) == CELL_OK) {
        const struct ast_node *body = cell_ast_function(doc, "f")->body;
        found = body->args[body->nargs - 1]->args[0]->proven;
    }
    cell_ast_free(doc);
    return found;
}

TEST(nothing_is_proven_that_does_not_hold)
{
    CHECK(proven(AST_VALUE("['return', ['+', 'i', 1]]")) == 0);
    CHECK(proven(AST_VALUE("['return', ['+', ['&', 'i', 7], 1]]")) == AST_NO_OVERFLOW);
    CHECK(proven(AST_VALUE("['return', ['neg', 'i']]")) == 0);
    CHECK(proven(AST_VALUE("['return', ['*', ['&', 'i', 65535], 65535]]")) == 0);
    CHECK(proven(AST_VALUE("['return', ['*', ['&', 'i', 32767], 65535]]")) == AST_NO_OVERFLOW);
    CHECK(proven(AST_VALUE("['return', ['<<', 'i', 31]]")) == AST_IN_BOUNDS);
    CHECK(proven(AST_VALUE("['return', ['<<', 'i', 32]]")) == 0);
    CHECK(proven(AST_VALUE("['return', ['/', 'i', -1]]")) == AST_IN_BOUNDS);
    CHECK(proven(AST_VALUE("['return', ['/', 'i', 2]]")) == (AST_IN_BOUNDS | AST_NO_OVERFLOW));
    CHECK(proven(AST_VALUE("['return', ['i32', 'd']]")) == 0);
    CHECK(proven(AST_VALUE("['if', ['<', 'd', {'f64': 5}], [['return', 0]]], ['return', ['i32', 'd']]")) == 0);
    CHECK(
        proven(AST_VALUE("['if', ['&&', ['<', 'd', {'f64': 5}], ['>', 'd', {'f64': -5}]], [['return', ['i32', 'd']]]], "
                         "['return', ['i32', 'd']]")) == 0);
    CHECK(proven(AST_VALUE("['if', ['!', ['&&', ['<', 'd', {'f64': 5}], ['>', 'd', {'f64': -5}]]], [['return', 0]]], "
                           "['return', ['i32', 'd']]")) == AST_IN_BOUNDS);
    CHECK(proven(AST_VALUE(
              "['return', ['i32', ['fmin', ['fmax', 'd', {'f64': -2147483648}], {'f64': '2147483647.5'}]]]")) ==
          AST_IN_BOUNDS);
    CHECK(proven(AST_VALUE("['return', ['i32', ['fmin', ['fmax', 'd', {'f64': 0}], {'f64': 2147483648}]]]")) == 0);
    CHECK(proven(AST_VALUE("['return', ['i32', ['fmin', 'd', {'f64': 1}]]]")) == 0);
    /* what does not hold may be so because of NaN */
#define OUT_OF(x, lo, hi)                                                                                              \
    "['if', ['||', ['<', '" x "', {'f64': " #lo "}], ['>', '" x "', {'f64': " #hi "}]], [['return', 0]]], "
    CHECK(proven(AST_VALUE(OUT_OF("d", -5, 5) "['return', ['i32', 'd']]")) == 0);
    CHECK(proven(AST_VALUE(OUT_OF("d", -5, 5) "['if', ['isnan', 'd'], [['return', 0]]], ['return', ['i32', 'd']]")) ==
          AST_IN_BOUNDS);
    CHECK(proven(AST_VALUE(OUT_OF("d", -5, 5) "['return', ['i32', ['+', 'd', {'f64': 1}]]]")) == 0);
    CHECK(proven(AST_VALUE(OUT_OF("d", -5, 5) "['return', ['i32', ['fmin', 'd', 'd']]]")) == 0);
    CHECK(proven(AST_VALUE("['let', 'e', 'f64', ['.', 'p', 'x']], " OUT_OF(
              "e", 3, 5) "['if', ['<', 'd', 'e'], [['return', "
                         "0]]], ['if', ['||', ['isnan', 'd'], ['>', 'd', {'f64': 9}]], [['return', 0]]], ['return', "
                         "['i32', 'd']]")) == 0);
}

/* Whether the text of a function that returns f64 has `part`. */
static bool renders(const char *body, const char *part)
{
    struct cell_ast *doc = NULL;
    struct cell_error e = {0};
    struct cell_buffer json = {0}, text = {0};
    cell_buffer_printf(&json, AST_DOCUMENT("{'name': 'f', 'returns': 'f64', 'params': [" AST_PARAMS "], 'body': [%s]}"),
                       body);
    const int r = ast_parse(json.data, NULL, &doc, &e);
    CHECK(r == CELL_OK);
    if (r == CELL_OK)
        CHECK(cell_ast_render(doc, &(struct ast_render_options){.unit = "u"}, &text) == CELL_OK);
    else
        printf("  %s\n", e.text);
    const bool has = text.data && strstr(text.data, part);
    cell_buffer_free(&json);
    cell_buffer_free(&text);
    cell_ast_free(doc);
    return has;
}

#define SATURATES(value) renders("['return', ['f64', ['i32', " value "]]]", "h_i32")
#define SATURATES_IF(condition, value)                                                                                 \
    renders("['if', " condition ", [['return', ['f64', ['i32', " value "]]]]], ['return', {'f64': '0'}]", "h_i32")

TEST(a_float_that_fits_is_not_saturated)
{
    CHECK(SATURATES("'d'") && SATURATES_IF("['isfinite', 'd']", "'d'"));
    CHECK(!SATURATES_IF("['&&', ['>=', 'd', {'f64': '0'}], ['<=', 'd', {'f64': '100'}]]", "['round', 'd']"));
    /* Logarithms of finite positive numbers are small; of 0 they are infinite, of negative numbers NaN. */
    CHECK(!SATURATES_IF("['&&', ['>', 'd', {'f64': '0'}], ['isfinite', 'd']]", "['log2', 'd']"));
    CHECK(SATURATES_IF("['&&', ['>=', 'd', {'f64': '0'}], ['isfinite', 'd']]", "['log2', 'd']"));
    CHECK(SATURATES_IF("['>', 'd', {'f64': '0'}]", "['log2', 'd']") &&
          SATURATES_IF("['isfinite', 'd']", "['log', 'd']"));
    CHECK(!SATURATES_IF("['&&', ['>=', 'd', {'f64': '0'}], ['isfinite', 'd']]", "['log1p', 'd']"));
    CHECK(SATURATES_IF("['&&', ['>=', 'd', {'f64': '-1'}], ['isfinite', 'd']]", "['log1p', 'd']"));
    CHECK(SATURATES_IF("['!', ['isnan', 'd']]", "['fmin', ['ldexp', 'd', 'i'], {'f64': '100'}]"));
    CHECK(!SATURATES_IF("['>=', 'd', {'f64': '0'}]", "['fmin', ['ldexp', 'd', 'i'], {'f64': '100'}]"));
    /* 1 / (1 + e^d) is between 0 and 1, but for NaN. */
    CHECK(!SATURATES_IF("['!', ['isnan', 'd']]", "['/', {'f64': '1'}, ['+', {'f64': '1'}, ['exp', 'd']]]"));
    CHECK(SATURATES("['/', {'f64': '1'}, ['+', {'f64': '1'}, ['exp', 'd']]]"));
    CHECK(SATURATES_IF("['!', ['isnan', 'd']]", "['/', {'f64': '1'}, ['exp', 'd']]"));
    CHECK(SATURATES_IF("['!', ['isnan', 'd']]", "['*', {'f64': '0'}, ['exp', 'd']]"));
}

#define IF_NUMBER(value) "['if', ['!', ['isnan', 'd']], [['return', " value "]]], ['return', {'f64': '0'}]"

TEST(what_is_no_nan_is_not_asked_for_it)
{
    const char *sign = "cellgen_b != cellgen_b";
    CHECK(renders("['return', ['copysign', {'f64': '1'}, 'd']]", sign));
    CHECK(!renders(IF_NUMBER("['copysign', {'f64': '1'}, 'd']"), sign));
    CHECK(!renders(IF_NUMBER("['copysign', {'f64': '1'}, ['ldexp', 'd', 'i']]"), sign));
    CHECK(!renders(IF_NUMBER("['copysign', {'f64': '1'}, ['cbrt', ['copysign', 'd', 'd']]]"), sign));
    CHECK(renders(IF_NUMBER("['copysign', {'f64': '1'}, ['sqrt', 'd']]"), sign));
    /* inf - inf */
    CHECK(renders(IF_NUMBER("['copysign', {'f64': '1'}, ['-', 'd', 'd']]"), sign));
    CHECK(renders(IF_NUMBER("['copysign', {'f64': '1'}, ['+', 'd', 'd']]"), sign));
    CHECK(!renders(IF_NUMBER("['copysign', {'f64': '1'}, ['+', ['fabs', 'd'], ['fabs', 'd']]]"), sign));
    CHECK(renders(IF_NUMBER("['copysign', {'f64': '1'}, ['-', ['fabs', 'd'], ['fabs', 'd']]]"), sign));
    CHECK(renders(IF_NUMBER("['copysign', {'f64': '1'}, ['/', ['fabs', 'd'], {'f64': '2'}]]"), sign));
    CHECK(!renders(IF_NUMBER("['copysign', {'f64': '1'}, ['/', {'f64': '2'}, ['+', {'f64': '1'}, ['fabs', 'd']]]]"),
                   sign));
    CHECK(!renders("['if', ['isfinite', 'd'], [['return', ['copysign', {'f64': '1'}, ['-', 'd', 'd']]]]], ['return', "
                   "{'f64': '0'}]",
                   sign));
    CHECK(renders("['return', ['fmin', 'd', 'd']]", sign) && !renders(IF_NUMBER("['fmin', 'd', 'd']"), sign));
    CHECK(renders("['return', ['fmax', 'd', 'd']]", sign) && !renders(IF_NUMBER("['fmax', 'd', 'd']"), sign));
    CHECK(renders("['return', ['f64', ['i32', ['signbit', 'd']]]]", "cellgen_a == cellgen_a"));
    CHECK(!renders(IF_NUMBER("['f64', ['i32', ['signbit', 'd']]]"), "cellgen_a == cellgen_a"));
}
