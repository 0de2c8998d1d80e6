/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Functions as a part of a schema and of a program: where they come from, and what they may be called. */
#include "ast_document.h"
#include "core/ast_impl.h"
#include "test.h"

static bool name_is_refused(const char *name, const char *more)
{
    char text[1024];
    struct cell_ast *doc = NULL;
    struct cell_error e = {0};
    snprintf(text, sizeof(text), AST_DOCUMENT("{'name': '%s', 'returns': 'i32', 'body': [['return', 1]]%s}"), name,
             more);
    const int r = ast_parse(text, NULL, &doc, &e);
    cell_ast_free(doc);
    return r == CELL_PROTOCOL_ERROR && strstr(e.text, "is a function of the C library") &&
           strstr(e.text, "functions[0].name");
}

/* Compilers would call such a function in place of the library's: for a builtin, or to copy a struct. */
TEST(functions_with_names_that_compilers_call)
{
    static const char *const others[] = {"memcpy", "memset",   "memmove", "memcmp", "bcmp",
                                         "memmem", "lgamma_r", "sqrtf",   "roundf", "fminf",
                                         "sincos", "exp10",    "malloc",  "strlen", "fmodl"};
#define NAME(symbol, name, class) {name, AST_CLASS_##class},
    static const struct {
        const char *name;
        enum ast_class class;
    } operations[] = {CELL_AST_OP_MAP(NAME)};
#undef NAME
    unsigned n = 0;
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        const enum ast_class class = operations[i].class;
        if ((class < AST_CLASS_EXACT1 || class > AST_CLASS_SCALE || class == AST_CLASS_TEST1) &&
            class != AST_CLASS_INT1)
            continue;
        n++;
        if (!name_is_refused(operations[i].name, ""))
            printf("  %s\n", operations[i].name);
        CHECK(name_is_refused(operations[i].name, ""));
    }
    CHECK(n > 40);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        CHECK(name_is_refused(others[i], ""));
    CHECK(!name_is_refused("round", ", 'internal': true") && !name_is_refused("round_up", ""));
}

/* As the member of a schema, whose types they use. */
static int of_schema(const char *functions, const struct ast_limits *limits, struct cell_ast **doc,
                     struct cell_error *e)
{
    struct cell_schema *s = cell_schema_new();
    struct schema_field x = {.name = "x", .type = {.kind = CELL_KIND_I32}};
    struct schema_type point = {
        .name = "point", .kind = CELL_KIND_STRUCT, .size = 4, .align = 4, .fields = &x, .nfields = 1};
    char text[400];
    snprintf(text, sizeof(text), "%s", functions);
    for (char *p = text; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    s->cell = "maths";
    s->types = &point;
    s->ntypes = 1;
    s->functions = text;
    s->functions_len = strlen(text);
    int r = cell_schema_seal(s, e);
    if (r >= 0)
        r = cell_ast_of_schema(s, limits, doc, e);
    if (r >= 0) {
        CHECK((*doc)->types == s && cell_ast_function(*doc, "f"));
        cell_ast_free(*doc);
    }
    cell_schema_free(s);
    return r;
}

TEST(functions_of_a_schema)
{
#define F_OF_POINT "{'name': 'f', 'returns': 'i32', 'params': [{'name': 'p', 'type': 'point'}], "
    static const struct {
        const char *document, *why;
    } all[] = {
        {"{'functions': []}", "['cell.ast']: missing"},
        {"{'cell.ast': 2, 'functions': []}", "['cell.ast']: 2 is out of range"},
        {"{'cell.ast': 1, 'types': [], 'functions': []}", "unknown member 'types'"},
        {"{'cell.ast': 1, 'functions': [" F_OF_POINT "'body': [['return', ['.', 'p', 'y']]]}]}",
         "functions[0].body[0]"},
        {"{'cell.ast': 1, 'functions': [{'name': 'f', 'logic': '" /* as programs keep it */
         "0123456789012345678901234567890123456789012345678901234567890123', 'signature': 'i32()'}]}",
         "functions[0]: unknown member 'logic'"},
    };
    static const char good[] = "{'cell.ast': 1, 'functions': [" F_OF_POINT "'body': [['return', ['.', 'p', 'x']]]}]}";
    struct cell_ast *doc = NULL;
    struct cell_error e = {0};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        const int r = of_schema(all[i].document, NULL, &doc, &e);
        if (r != CELL_PROTOCOL_ERROR || !strstr(e.text, all[i].why))
            printf("  entry %zu: %d '%s', not '%s'\n", i, r, e.text, all[i].why);
        CHECK(r == CELL_PROTOCOL_ERROR && strstr(e.text, all[i].why));
    }
    CHECK(of_schema(good, NULL, &doc, &e) == CELL_OK);
    CHECK(of_schema(good, &(struct ast_limits){.bytes = 20}, &doc, &e) == CELL_TOO_LARGE);
    CHECK(strstr(e.text, "bytes of functions, 20 is the limit"));
    const uint32_t bytes = (uint32_t)strtoul(e.text, NULL, 10);
    CHECK(of_schema(good, &(struct ast_limits){.bytes = bytes}, &doc, &e) == CELL_OK);
    CHECK(of_schema(good, &(struct ast_limits){.bytes = bytes - 1}, &doc, &e) == CELL_TOO_LARGE);

    struct cell_schema *none = cell_schema_new();
    doc = (struct cell_ast *)&e;
    CHECK(cell_ast_of_schema(none, NULL, &doc, &e) == CELL_OK && !doc);
    cell_schema_free(none);
}
