/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The table of operations, and what every part of the verifier asks about types and places. */
#include "core/ast.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ast_impl.h"

static const struct {
    const char *name;
    enum ast_class class;
} ops[] = {
#define ENTRY(symbol, name, class) [AST_##symbol] = {name, AST_CLASS_##class},
    CELL_AST_OP_MAP(ENTRY)
#undef ENTRY
};

static const struct ast_text_form text_forms[] = {
    [AST_LENGTH - AST_LENGTH] = {"s", CELL_KIND_U64},   [AST_BYTE - AST_LENGTH] = {"sn", CELL_KIND_U8},
    [AST_SAME - AST_LENGTH] = {"ss", CELL_KIND_BOOL},   [AST_ORDER - AST_LENGTH] = {"ss", CELL_KIND_I32},
    [AST_FIND - AST_LENGTH] = {"ss", CELL_KIND_I64},    [AST_STARTS - AST_LENGTH] = {"ss", CELL_KIND_BOOL},
    [AST_ENDS - AST_LENGTH] = {"ss", CELL_KIND_BOOL},   [AST_SUB_STR - AST_LENGTH] = {"snn", CELL_KIND_STR},
    [AST_UTF8_AT - AST_LENGTH] = {"sn", CELL_KIND_I32}, [AST_UTF8_NEXT - AST_LENGTH] = {"sn", CELL_KIND_U64},
    [AST_IS_I64 - AST_LENGTH] = {"s", CELL_KIND_BOOL},  [AST_PARSE_I64 - AST_LENGTH] = {"sl", CELL_KIND_I64},
    [AST_IS_F64 - AST_LENGTH] = {"s", CELL_KIND_BOOL},  [AST_PARSE_F64 - AST_LENGTH] = {"sf", CELL_KIND_F64},
};

const char *cell_ast_op_name(enum ast_op op)
{
    return (unsigned)op < AST_OPS ? ops[op].name + (ops[op].name[0] == ' ') : "";
}

enum ast_op cell_ast_op_of(const char *name)
{
    for (unsigned op = 0; op < AST_OPS; op++)
        if (ops[op].name[0] == name[0] && strcmp(ops[op].name, name) == 0)
            return (enum ast_op)op;
    return AST_OPS;
}

enum ast_class cell_ast_class(enum ast_op op) { return ops[op].class; }

const struct ast_text_form *cell_ast_text_form(enum ast_op op) { return &text_forms[op - AST_LENGTH]; }

void cell_ast_arity(enum ast_op op, uint32_t *least, uint32_t *most)
{
    static const uint8_t fixed[] = {
        [AST_CLASS_CAST] = 1,   [AST_CLASS_ARITH1] = 1,  [AST_CLASS_DIVIDE] = 2, [AST_CLASS_BITS1] = 1,
        [AST_CLASS_SHIFT] = 2,  [AST_CLASS_COMPARE] = 2, [AST_CLASS_EQUAL] = 2,  [AST_CLASS_LOGIC1] = 1,
        [AST_CLASS_CHOICE] = 3, [AST_CLASS_INT1] = 1,    [AST_CLASS_INT2] = 2,   [AST_CLASS_EXACT1] = 1,
        [AST_CLASS_EXACT2] = 2, [AST_CLASS_TEST1] = 1,   [AST_CLASS_MATH1] = 1,  [AST_CLASS_MATH2] = 2,
        [AST_CLASS_MATH3] = 3,  [AST_CLASS_SCALE] = 2,   [AST_CLASS_PART] = 2,   [AST_CLASS_STATEMENT] = 0,
    };
    const enum ast_class class = ops[op].class;
    *least = *most = fixed[class];
    if (class == AST_CLASS_ARITH || class == AST_CLASS_BITS || class == AST_CLASS_LOGIC) {
        *least = 2;
        *most = UINT32_MAX;
    } else if (class == AST_CLASS_TEXT) {
        *least = *most = (uint32_t)strlen(cell_ast_text_form(op)->operands);
    } else if (class == AST_CLASS_CALLING) {
        *most = UINT32_MAX;
    }
}

enum cell_kind cell_ast_cast_kind(enum ast_op op)
{
    return ops[op].class == AST_CLASS_CAST ? cell_use_builtin(ops[op].name, strlen(ops[op].name)) : (enum cell_kind)0;
}

bool cell_ast_same_type(const struct schema_ref *a, const struct schema_ref *b)
{
    if (a->count != b->count)
        return false;
    if (a->kind == CELL_KIND_STRUCT || b->kind == CELL_KIND_STRUCT)
        return a->kind == b->kind && a->named == b->named;
    return cell_ast_scalar(a) == cell_ast_scalar(b);
}

const char *cell_ast_type_text(const struct schema_ref *r, char *text, size_t size)
{
    cell_schema_ref_format(r, text, size);
    return text;
}

int cell_ast_status_of(const char *name)
{
    static const struct {
        int status;
        const char *name;
    } all[] = {
#define ENTRY(symbol, value, name, text) {value, name},
        CELL_STATUS_MAP(ENTRY)
#undef ENTRY
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (strcmp(all[i].name, name) == 0)
            return all[i].status;
    return 0;
}

int cell_ast_no_memory(struct ast_check *c) { return cell_error_set(c->e, CELL_NO_MEMORY, "functions: out of memory"); }

/* The steps from a function's body to `n`, as many as there is room for at the end of `path`. */
static const char *path_of(const struct ast_node *n, char *path, size_t size)
{
    size_t begin = size - 1;
    path[begin] = '\0';
    for (; n->parent; n = n->parent) {
        char step[16];
        if (n->op == AST_BLOCK && n->parent->op == AST_CASE)
            continue; /* the case stands for it */
        int len = snprintf(step, sizeof(step), "[%u]", n->at);
        if ((size_t)len > begin)
            break;
        begin -= (size_t)len;
        memcpy(path + begin, step, (size_t)len);
    }
    return path + begin;
}

static void refuse(struct ast_check *c, const struct ast_node *n, int status, const char *format, va_list args)
{
    char path[240];
    const unsigned index = (unsigned)(c->f - c->doc->functions);
    cell_error_vset(c->e, status, format, args);
    if (!c->e)
        return;
    if (n)
        cell_error_wrap(c->e, "functions[%u].body%s", index, path_of(n, path, sizeof(path)));
    else
        cell_error_wrap(c->e, "functions[%u]", index);
}

int cell_ast_refuse(struct ast_check *c, const struct ast_node *n, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    refuse(c, n, c->status, format, args);
    va_end(args);
    return c->status;
}

int cell_ast_too_large(struct ast_check *c, const struct ast_node *n, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    refuse(c, n, CELL_TOO_LARGE, format, args);
    va_end(args);
    return CELL_TOO_LARGE;
}

const struct ast_function *cell_ast_function(const struct cell_ast *doc, const char *name)
{
    for (uint32_t i = 0; i < doc->nfunctions; i++)
        if (strcmp(doc->functions[i].name, name) == 0)
            return &doc->functions[i];
    return NULL;
}

void cell_ast_free(struct cell_ast *doc)
{
    if (!doc)
        return;
    cell_schema_free(doc->own);
    cell_arena_free(&doc->arena);
    free(doc);
}
