/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What is counted before a compiler sees it: just below each limit a document is taken, just above it is not. */
#include "ast_document.h"
#include "test.h"

static int try(const struct cell_buffer *b, const struct ast_limits *limits, struct cell_error *e)
{
    struct cell_ast *doc = NULL;
    struct cell_buffer text = {0};
    *e = (struct cell_error){0};
    cell_buffer_printf(&text, AST_DOCUMENT("%s"), b->data);
    int r = ast_parse(text.data, limits, &doc, e);
    CHECK((r == CELL_OK) == (doc != NULL) && (r == CELL_OK || e->status == r));
    cell_buffer_free(&text);
    cell_ast_free(doc);
    return r;
}

/* Whether `before` n times, `middle`, and `after` n times are the body of a function. */
static int nested(const char *before, const char *middle, const char *after, unsigned n, struct cell_error *e)
{
    struct cell_buffer b = {0};
    cell_buffer_puts(&b,
                     "{'name': 'f', 'returns': 'i32', 'params': [{'name': 'i', 'type': 'i32'}, {'name': 'c', 'type': "
                     "'bool'}], 'body': [");
    for (unsigned i = 0; i < n; i++)
        cell_buffer_puts(&b, before);
    cell_buffer_puts(&b, middle);
    for (unsigned i = 0; i < n; i++)
        cell_buffer_puts(&b, after);
    cell_buffer_puts(&b, "]}");
    const int r = try(&b, NULL, e);
    cell_buffer_free(&b);
    return r;
}

TEST(nesting_ends_before_a_compiler_does)
{
    struct cell_error e;
    /* JSON itself is as deep as any document of a cell may be. */
    CHECK(nested("['return', ['neg', ", "'i'", "]]", 1, &e) == CELL_OK);
    struct cell_buffer b = {0};
    cell_buffer_puts(&b, "{'name': 'f', 'returns': 'i32', 'body': [['return', ");
    for (unsigned i = 0; i < 20000; i++)
        cell_buffer_puts(&b, "['neg', ");
    cell_buffer_puts(&b, "1");
    for (unsigned i = 0; i < 20000; i++)
        cell_buffer_puts(&b, "]");
    cell_buffer_puts(&b, "]]}");
    CHECK(try(&b, NULL, &e) < 0 && strstr(e.text, "nested deeper"));
    cell_buffer_free(&b);
}

/* A function whose value is `open` (n times), `value`, `close` (n times); at most `depth` deep. */
static int deep(const char *open, const char *value, const char *close, unsigned n, uint32_t depth,
                struct cell_error *e)
{
    const struct ast_limits limits = {.depth = depth};
    struct cell_buffer b = {0};
    cell_buffer_puts(&b,
                     "{'name': 'f', 'returns': 'i32', 'params': [{'name': 'c', 'type': 'bool'}], 'body': [['return', ");
    for (unsigned i = 0; i < n; i++)
        cell_buffer_puts(&b, open);
    cell_buffer_puts(&b, value);
    for (unsigned i = 0; i < n; i++)
        cell_buffer_puts(&b, close);
    cell_buffer_puts(&b, "]]}");
    const int r = try(&b, &limits, e);
    cell_buffer_free(&b);
    return r;
}

TEST(depth_is_counted)
{
    struct cell_error e;
    CHECK(deep("['neg', ", "1", "]", 8, 10, &e) == CELL_OK);
    CHECK(deep("['neg', ", "1", "]", 9, 10, &e) == CELL_TOO_LARGE && strstr(e.text, "nested deeper than 10"));
    CHECK(deep("['?:', 'c', 1, ", "1", "]", 9, 10, &e) == CELL_TOO_LARGE);
    CHECK(deep("['i32', {'i32': 1}], ", "", "", 0, 10, &e) < 0);
    /* a + b + c is as deep as C makes it, and so is else if */
    CHECK(deep("", "['+', 1, 1, 1, 1, 1, 1, 1, 1, 1]", "", 1, 10, &e) == CELL_OK);
    CHECK(deep("", "['+', 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]", "", 1, 10, &e) == CELL_TOO_LARGE);
}

static int chain(unsigned conditions, uint32_t depth, struct cell_error *e)
{
    const struct ast_limits limits = {.depth = depth};
    struct cell_buffer b = {0};
    cell_buffer_puts(&b, "{'name': 'f', 'returns': 'i32', 'params': [{'name': 'c', 'type': 'bool'}], 'body': [['if'");
    for (unsigned i = 0; i < conditions; i++)
        cell_buffer_puts(&b, ", 'c', []");
    cell_buffer_puts(&b, "], ['return', 1]]}");
    const int r = try(&b, &limits, e);
    cell_buffer_free(&b);
    return r;
}

TEST(chains_of_else_if_are_counted)
{
    struct cell_error e;
    CHECK(chain(9, 10, &e) == CELL_OK);
    CHECK(chain(10, 10, &e) == CELL_TOO_LARGE && strstr(e.text, "nested deeper than 10"));
    CHECK(chain(65, 0, &e) == CELL_TOO_LARGE && strstr(e.text, "nested deeper than 64"));
}

/* 20,000 of each crash Clang, which descends once for each: nothing of them may get as far. */
TEST(what_is_too_deep_for_compilers_is_refused)
{
    static const char *const shapes[][3] = {
        {"['neg', ", "1", "]"},
        {"['~', ", "1", "]"},
        {"['i32', ['!', ['bool', ", "1", "]]]"},
        {"['?:', 'c', 1, ", "1", "]"}, /* c ? 1 : c ? 1 : … */
        {"['?:', 'c', ", "1", ", 1]"}, /* c ? c ? … : 1 : 1 */
        {"['?:', ['!', ['bool', ", "1", "]], 1, 2]"},
        {"['+', 1, ", "1", "]"},
        {"['-', ", "1", ", 1]"},
    };
    struct cell_error e;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        CHECK(deep(shapes[i][0], shapes[i][1], shapes[i][2], 5, 0, &e) == CELL_OK);
        CHECK(deep(shapes[i][0], shapes[i][1], shapes[i][2], 20000, 0, &e) < 0 && strstr(e.text, "nested deeper"));
    }
    CHECK(chain(20000, 0, &e) < 0);
    CHECK(nested("['if', 'c', [['return', 1]], [", "['return', 1]", "]]", 5, &e) == CELL_OK);
    CHECK(nested("['if', 'c', [['return', 1]], [", "['return', 1]", "]]", 20000, &e) < 0 &&
          strstr(e.text, "nested deeper"));
}

TEST(blocks_in_blocks_are_counted)
{
    struct cell_error e;
    const struct ast_limits limits = {.depth = 3};
    struct cell_buffer b = {0};
    cell_buffer_puts(&b, "{'name': 'f', 'returns': 'i32', 'body': [['loop', 1, [['loop', 1, []]]], ['return', 1]]}");
    CHECK(try(&b, &limits, &e) == CELL_OK);
    b.len = 0;
    cell_buffer_puts(&b, "{'name': 'f', 'returns': 'i32', 'body': [['loop', 1, [['loop', 1, [['loop', 1, []]]]]], "
                         "['return', 1]]}");
    CHECK(try(&b, &limits, &e) == CELL_TOO_LARGE);
    b.len = 0;
    cell_buffer_puts(&b,
                     "{'name': 'f', 'returns': 'i32', 'body': [['switch', 1, [1], [['switch', 1, [1], [['switch', 1, "
                     "[1], []]]]]], ['return', 1]]}");
    CHECK(try(&b, &limits, &e) == CELL_TOO_LARGE);
    cell_buffer_free(&b);
}

/* One function of a body under limits. */
static int limited(struct ast_limits limits, const char *function, struct cell_error *e)
{
    struct cell_buffer b = {0};
    cell_buffer_puts(&b, function);
    const int r = try(&b, &limits, e);
    cell_buffer_free(&b);
    return r;
}

TEST(nodes_are_counted)
{
    struct cell_error e;
    /* 4 of the table, and a block, a statement, an operation, two operands */
    static const char sum[] = "{'name': 'f', 'returns': 'i32', 'body': [['return', ['+', 1, 2]]]}";
    CHECK(limited((struct ast_limits){.nodes = 9}, sum, &e) == CELL_OK);
    CHECK(limited((struct ast_limits){.nodes = 8}, sum, &e) == CELL_TOO_LARGE && strstr(e.text, "more than 8 nodes"));
    /* each return writes all outputs */
    static const char outputs[] =
        "{'name': 'f', 'returns': 'status', 'params': [{'name': 'x', 'type': 'i32[2]', 'dir': "
        "'out'}, {'name': 'y', 'type': 'i32[2]', 'dir': 'out'}], 'body': [['return']]}";
    CHECK(limited((struct ast_limits){.nodes = 8}, outputs, &e) == CELL_OK);
    CHECK(limited((struct ast_limits){.nodes = 7}, outputs, &e) == CELL_TOO_LARGE);
}

TEST(bytes_are_counted)
{
    struct cell_error e = {0};
    struct cell_ast *doc = NULL;
    static const char text[] = "{'cell.ast': 1}";
    CHECK(ast_parse(text, &(struct ast_limits){.bytes = sizeof(text) - 1}, &doc, &e) == CELL_OK);
    cell_ast_free(doc);
    CHECK(ast_parse(text, &(struct ast_limits){.bytes = sizeof(text) - 2}, &doc, &e) == CELL_TOO_LARGE);
    CHECK(strstr(e.text, "15 bytes of functions, 14 is the limit"));
}

TEST(variables_and_their_bytes_are_counted)
{
    struct cell_error e;
    static const char two[] =
        "{'name': 'f', 'returns': 'i32', 'params': [{'name': 'a', 'type': 'i32'}], 'body': [['let', "
        "'b', 'i32', 1], ['return', 'b']]}";
    CHECK(limited((struct ast_limits){.variables = 2, .locals = 8}, two, &e) == CELL_OK);
    CHECK(limited((struct ast_limits){.variables = 1}, two, &e) == CELL_TOO_LARGE && strstr(e.text, "more than 1 var"));
    CHECK(limited((struct ast_limits){.locals = 7}, two, &e) == CELL_TOO_LARGE && strstr(e.text, "need 8 bytes, 7"));
    /* a struct that a function returns lies somewhere */
    static const char value[] =
        "{'name': 'm', 'returns': 'point', 'body': [['let', 'p', 'point'], ['return', 'p']]}, {'name': 'f', 'returns': "
        "'f64', 'body': [['return', ['+', ['.', ['call', 'm'], 'x'], ['.', ['call', 'm'], 'x']]]]}";
    CHECK(limited((struct ast_limits){.locals = 48}, value, &e) == CELL_OK);
    CHECK(limited((struct ast_limits){.locals = 47}, value, &e) == CELL_TOO_LARGE);
    /* what comes by pointer does not */
    static const char pointer[] =
        "{'name': 'f', 'returns': 'f64', 'params': [{'name': 'p', 'type': 'point', 'pointer': "
        "true}], 'body': [['return', ['.', 'p', 'x']]]}";
    CHECK(limited((struct ast_limits){.locals = 1}, pointer, &e) == CELL_OK);
    CHECK(limited((struct ast_limits){0},
                  "{'name': 'f', 'returns': 'i32', 'body': [['let', 'a', 'i32[16385]'], ['return', "
                  "1]]}",
                  &e) == CELL_TOO_LARGE);
}

TEST(the_stack_of_calls_within_calls_is_counted)
{
    struct cell_error e;
    static const char chain[] =
        "{'name': 'f', 'returns': 'i32', 'body': [['let', 'a', 'i32[100]'], ['return', ['[]', 'a', 0]]]}, "
        "{'name': 'g', 'returns': 'i32', 'body': [['let', 'a', 'i32[100]'], ['return', ['call', 'f']]]}, "
        "{'name': 'h', 'returns': 'i32', 'body': [['let', 'a', 'i32[100]'], ['return', ['call', 'g']]]}";
    CHECK(limited((struct ast_limits){.stack = 3 * (400 + 128)}, chain, &e) == CELL_OK);
    CHECK(limited((struct ast_limits){.stack = 3 * (400 + 128) - 1}, chain, &e) == CELL_TOO_LARGE);
    CHECK(strstr(e.text, "'h' and what it calls need 1584 bytes, 1583 is the limit"));
}

TEST(cost_multiplies_through_loops_and_calls)
{
    struct cell_error e;
    static const char loops[] = "{'name': 'f', 'returns': 'i32', 'body': [['loop', 1000, [['loop', 1000, [['let', 'x', "
                                "'i32', 1]]]]], ['return', 1]]}";
    CHECK(limited((struct ast_limits){.cost = 6000000}, loops, &e) == CELL_OK);
    static const char little[] = "{'name': 'f', 'returns': 'i32', 'body': [2147483647, ['return', 1]]}";
    struct cell_ast *doc = NULL;
    REQUIRE(ast_parse("{'cell.ast': 1, 'functions': [{'name': 'f', 'returns': 'i32', 'body': [2147483647, ['return', "
                      "1]]}]}",
                      NULL, &doc, &e) == CELL_OK);
    const uint64_t cost = doc->functions[0].cost; /* the limit itself is allowed */
    cell_ast_free(doc);
    CHECK(limited((struct ast_limits){.cost = cost}, little, &e) == CELL_OK);
    CHECK(limited((struct ast_limits){.cost = cost - 1}, little, &e) == CELL_TOO_LARGE);
    CHECK(strstr(e.text, "'f' may take"));
    static const char calls[] =
        "{'name': 'g', 'returns': 'i32', 'body': [['loop', 1000, []], ['return', 1]]}, {'name': "
        "'f', 'returns': 'i32', 'body': [['loop', 1000, [['let', 'x', 'i32', ['call', 'g']]]], "
        "['return', 1]]}";
    CHECK(limited((struct ast_limits){.cost = 2100000}, calls, &e) == CELL_OK);
    CHECK(limited((struct ast_limits){.cost = 1900000}, calls, &e) == CELL_TOO_LARGE);
    static const char counted[] =
        "{'name': 'f', 'returns': 'i32', 'body': [['for', 'k', 0, 9, 50000000, []], ['return', "
        "1]]}";
    CHECK(limited((struct ast_limits){0}, counted, &e) == CELL_TOO_LARGE);
    /* large values are copied, math and strings take time */
    static const char copies[] = "{'name': 'f', 'returns': 'i32', 'body': [['let', 'a', 'i32[8000]'], ['return', 1]]}";
    CHECK(limited((struct ast_limits){.cost = 3000}, copies, &e) == CELL_TOO_LARGE);
    static const char math[] = "{'name': 'f', 'returns': 'f64', 'body': [['return', ['sin', {'f64': 1}]]]}";
    CHECK(limited((struct ast_limits){.cost = 20}, math, &e) == CELL_TOO_LARGE);
    static const char text[] = "{'name': 'f', 'returns': 'bool', 'body': [['return', ['is_f64', {'str': '1'}]]]}";
    CHECK(limited((struct ast_limits){.cost = 60}, text, &e) == CELL_TOO_LARGE);
    /* a product that no 64 bits hold is too much as well */
    static const char product[] = "{'name': 'f', 'returns': 'i32', 'body': [['loop', 50000000, [['loop', 50000000, "
                                  "[['loop', 50000000, []]]]]], ['return', 1]]}";
    CHECK(limited((struct ast_limits){0}, product, &e) == CELL_TOO_LARGE);
}
