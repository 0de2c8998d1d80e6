/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the parts of the C renderer share. Internal to core/. */
#ifndef CELL_CORE_AST_RENDER_H
#define CELL_CORE_AST_RENDER_H

#include "core/ast_impl.h"

/* X(symbol, name): functions that the text brings along when it uses them, in an order in which each uses only earlier
 * ones. */
#define AST_HELPER_MAP(X)                                                                                              \
    X(TO_I8, "i8")                                                                                                     \
    X(TO_U8, "u8")                                                                                                     \
    X(TO_I16, "i16")                                                                                                   \
    X(TO_U16, "u16")                                                                                                   \
    X(TO_I32, "i32")                                                                                                   \
    X(TO_U32, "u32")                                                                                                   \
    X(TO_I64, "i64")                                                                                                   \
    X(TO_U64, "u64")                                                                                                   \
    X(POW, "pow")                                                                                                      \
    X(LGAMMA, "lgamma")                                                                                                \
    X(SAME, "same")                                                                                                    \
    X(ORDER, "compare")                                                                                                \
    X(FIND, "find")                                                                                                    \
    X(STARTS, "starts")                                                                                                \
    X(ENDS, "ends")                                                                                                    \
    X(SUB, "sub")                                                                                                      \
    X(UTF8_LENGTH, "utf8_length")                                                                                      \
    X(UTF8_AT, "utf8_at")                                                                                              \
    X(UTF8_NEXT, "utf8_next")                                                                                          \
    X(READ_I64, "read_i64")                                                                                            \
    X(IS_I64, "is_i64")                                                                                                \
    X(PARSE_I64, "parse_i64")                                                                                          \
    X(ROUND_F64, "round_f64")                                                                                          \
    X(SCALE_F64, "scale_f64")                                                                                          \
    X(READ_F64, "read_f64")                                                                                            \
    X(IS_F64, "is_f64")                                                                                                \
    X(PARSE_F64, "parse_f64")

enum ast_helper {
#define AST_HELPER_ENUM(symbol, name) AST_HELPER_##symbol,
    AST_HELPER_MAP(AST_HELPER_ENUM)
#undef AST_HELPER_ENUM
        AST_HELPERS
};

struct ast_render {
    const struct cell_ast *doc;
    const struct ast_function *f;
    const struct ast_render_options *o;
    struct cell_buffer *out;
};

#define ast_put(r, text) cell_buffer_puts((r)->out, text)
#define ast_printf(r, ...) cell_buffer_printf((r)->out, __VA_ARGS__)

/* ast_render_help.c: the helpers that the document's nodes need. */
void cell_ast_render_helpers(struct ast_render *r);
/* The helper that an operation is a call of; AST_HELPERS = none. */
enum ast_helper cell_ast_helper_of(const struct ast_node *n);
const char *cell_ast_helper_name(enum ast_helper h);

/* ast_render_expr.c */
void cell_ast_render_value(struct ast_render *r, const struct ast_node *n);     /* an enum is an integer */
void cell_ast_render_condition(struct ast_render *r, const struct ast_node *n); /* in brackets, but not twice */
void cell_ast_render_place(struct ast_render *r, const struct ast_node *n);
/* A value that goes where `type` is declared. */
void cell_ast_render_as(struct ast_render *r, const struct ast_node *n, const struct schema_ref *type);
void cell_ast_render_call(struct ast_render *r, const struct ast_node *n, uint32_t first);
void cell_ast_render_literal(struct ast_render *r, enum cell_kind kind, uint64_t bits);
/* `before` ends in a quotation mark. */
void cell_ast_render_string(struct ast_render *r, const struct ast_node *n, const char *before, const char *after);
void cell_ast_render_type(struct ast_render *r, const struct schema_ref *type); /* without the bound */
const char *cell_ast_c_type(const struct ast_render *r, enum cell_kind kind);
void cell_ast_render_function_name(struct ast_render *r, const struct ast_function *f);
void cell_ast_render_table_name(struct ast_render *r, const struct ast_table *t);
void cell_ast_render_variable_name(struct ast_render *r, const struct ast_variable *v);

#endif
