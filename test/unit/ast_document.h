/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Short documents for tests of cell.ast/1. Texts have ' where JSON has ". */
#ifndef CELL_TEST_AST_DOCUMENT_H
#define CELL_TEST_AST_DOCUMENT_H

#include "base/buffer.h"
#include "core/ast.h"

#define AST_TYPES                                                                                                      \
    "{'name': 'hue', 'kind': 'enum', 'type': 'i32', 'size': 4, 'align': 4, 'values': [{'name': 'RED', 'value': "       \
    "'0'}]},"                                                                                                          \
    "{'name': 'point', 'kind': 'struct', 'size': 24, 'align': 8, 'fields': [{'name': 'x', 'type': 'f64', 'offset': "   \
    "0},"                                                                                                              \
    " {'name': 'n', 'type': 'i32[3]', 'offset': 8}, {'name': 'hue', 'type': 'hue', 'offset': 20}]},"                   \
    "{'name': 'hues', 'kind': 'list', 'of': 'hue', 'size': 16, 'align': 8},"                                           \
    "{'name': 'maybe', 'kind': 'opt', 'of': 'hue', 'size': 8, 'align': 4},"                                            \
    "{'name': 'raw', 'kind': 'struct', 'size': 40, 'align': 8, 'fields': [{'name': 'b', 'type': 'bytes', 'offset': "   \
    "0}, {'name': 'l', 'type': 'hues', 'offset': 16}, {'name': 'm', 'type': 'maybe', 'offset': 32}]}"
#define AST_TABLES "{'name': 'table', 'type': 'i32[4]', 'values': [3, 1, 2, 0]}"
/* A whole document; its functions as a text. */
#define AST_DOCUMENT(functions)                                                                                        \
    "{'cell.ast': 1, 'types': [" AST_TYPES "], 'tables': [" AST_TABLES "], 'functions': [" functions "]}"
/* Two functions to call, and one with that body: i and d are inputs, o an output. */
#define AST_HELPERS                                                                                                    \
    "{'name': 'twice', 'returns': 'i32', 'params': [{'name': 'a', 'type': 'i32'}], 'body': [['return', ['+', 'a', "    \
    "'a']]]}, {'name': 'half', 'returns': 'status', 'params': [{'name': 'a', 'type': 'i32'}, {'name': 'h', 'type': "   \
    "'i32', 'dir': 'out'}], 'body': [['=', 'h', ['/', 'a', 2]]]}"
#define AST_PARAMS                                                                                                     \
    "{'name': 'i', 'type': 'i32'}, {'name': 'u', 'type': 'u64'}, {'name': 'd', 'type': 'f64'}, {'name': 's', 'type': " \
    "'str'}, {'name': 'p', 'type': 'point', 'pointer': true}, {'name': 'a', 'type': 'i32[8]'}"
#define AST_STATUS(body)                                                                                               \
    AST_DOCUMENT(AST_HELPERS ", {'name': 'f', 'returns': 'status', 'params': [" AST_PARAMS                             \
                             ", {'name': 'o', 'type': 'i32', 'dir': 'out'}], 'body': [" body "]}")
#define AST_VALUE(body)                                                                                                \
    AST_DOCUMENT(AST_HELPERS ", {'name': 'f', 'returns': 'i32', 'params': [" AST_PARAMS "], 'body': [" body "]}")

static inline int ast_parse(const char *text, const struct ast_limits *limits, struct cell_ast **doc,
                            struct cell_error *e)
{
    struct cell_buffer json = {0};
    cell_buffer_puts(&json, text);
    for (size_t i = 0; i < json.len; i++)
        if (json.data[i] == '\'')
            json.data[i] = '"';
    int r = cell_ast_parse(json.data, json.len, limits, doc, e);
    cell_buffer_free(&json);
    return r;
}

#endif
