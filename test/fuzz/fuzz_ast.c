/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Functions that a cell writes. What is taken must be within its limits, render and print; brackets must stay few. */
#include <string.h>

#include "fuzz.h"
#include "core/ast.h"
#include "core/json.h"

#define MOST_BRACKETS 256 /* of a kind within each other: where compilers end by themselves */

static void check_brackets(const char *text)
{
    static const char open[] = "([{", close[] = ")]}";
    int depth[3] = {0};
    for (const char *p = text; *p; p++) {
        if (*p == '"') {
            for (p++; *p != '"'; p++)
                p += *p == '\\';
            continue;
        }
        if (p[0] == '/' && p[1] == '/')
            p += strcspn(p, "\n"); /* a cell's sentences may have any */
        for (int i = 0; i < 3; i++) {
            depth[i] += *p == open[i];
            depth[i] -= *p == close[i];
            EXPECT(depth[i] >= 0 && depth[i] < MOST_BRACKETS);
        }
    }
    EXPECT(depth[0] == 0 && depth[1] == 0 && depth[2] == 0);
}

static void check_texts(const struct cell_ast *doc)
{
    struct cell_buffer out = {0};
    for (int i = 0; i < 4; i++) {
        const struct ast_render_options o = {.cplusplus = i & 1, .fences = i & 2, .lines = i & 2, .unit = "fuzz"};
        out.len = 0;
        EXPECT(cell_ast_render(doc, &o, &out) == CELL_OK);
        check_brackets(out.data);
    }
    for (uint32_t i = 0; i < doc->nfunctions; i++) {
        out.len = 0;
        EXPECT(cell_ast_print_function(doc, &doc->functions[i], &out) == CELL_OK && out.data[out.len - 1] == '\n');
    }
    for (uint32_t i = 0; i < doc->ntables; i++)
        EXPECT(cell_ast_print_table(doc, &doc->tables[i], &out) == CELL_OK);
    cell_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cell_ast *doc = NULL;
    struct cell_error e = {0};
    char *text = malloc(size ? size : 1); /* of this size exactly: there is no NUL to run into */
    EXPECT(text);
    memcpy(text, data, size);
    int r = cell_ast_parse(text, size, NULL, &doc, &e);
    EXPECT((r == CELL_OK) == (doc != NULL));
    if (doc) {
        EXPECT(doc->nodes <= CELL_AST_MAX_NODES);
        for (uint32_t i = 0; i < doc->nfunctions; i++) {
            EXPECT(doc->functions[i].cost <= CELL_AST_MAX_COST && doc->functions[i].stack <= CELL_AST_MAX_STACK);
            EXPECT(doc->functions[i].nvariables <= CELL_AST_MAX_VARIABLES);
        }
        check_texts(doc);
    } else {
        EXPECT(r < 0 && e.status == r && e.text[0]);
        for (const char *p = e.text; *p; p++)
            EXPECT(!cell_json_control(p));
    }
    cell_ast_free(doc);
    free(text);
    return 0;
}
