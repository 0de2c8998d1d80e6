/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the documents of a run consisted of: a generator that stops making something would prove less, unnoticed. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "differential.h"

#define REASONS 256u

static struct {
    unsigned long operations[AST_OPS];
    unsigned long proven[AST_OPS], checked[AST_OPS];          /* AST_IN_BOUNDS, and without */
    unsigned long plain[AST_OPS], wrapping[AST_OPS];          /* AST_NO_OVERFLOW, and without */
    unsigned long types[CELL_KIND_STRUCT + 2], arrays, enums; /* of variables; by kind */
    unsigned long outputs, pointers, internal, statuses, values;
    struct {
        char text[160];
        unsigned long count;
    } reasons[REASONS];
} seen;

/* Whether the bit says something of that operation. */
static bool has_check(const struct ast_node *n)
{
    switch (n->op) {
    case AST_DIV:
    case AST_REM:
        return !cell_ast_is_float(n->type.kind);
    case AST_ELEMENT:
    case AST_BYTE:
    case AST_SHL:
    case AST_SHR:
    case AST_FMIN:
    case AST_FMAX:
    case AST_COPYSIGN:
    case AST_SIGNBIT:
    case AST_FOR:
    case AST_DOWN:
        return true;
    default:
        return n->op >= AST_CAST_I8 && n->op < AST_CAST_F32 && cell_ast_is_float(n->args[0]->type.kind);
    }
}

static bool can_wrap(const struct ast_node *n)
{
    return (n->op == AST_ADD || n->op == AST_SUB || n->op == AST_MUL || n->op == AST_NEG || n->op == AST_DIV) &&
           !cell_ast_is_float(n->type.kind);
}

static void count_node(const struct ast_node *n)
{
    seen.operations[n->op]++;
    if (has_check(n))
        (n->proven & AST_IN_BOUNDS ? seen.proven : seen.checked)[n->op]++;
    if (can_wrap(n))
        (n->proven & AST_NO_OVERFLOW ? seen.plain : seen.wrapping)[n->op]++;
    for (uint32_t i = 0; i < n->nargs; i++)
        count_node(n->args[i]);
}

static void count_type(const struct schema_ref *type)
{
    seen.arrays += type->count != 0;
    seen.enums += type->kind == CELL_KIND_ENUM;
    if (type->kind <= CELL_KIND_STRUCT)
        seen.types[type->kind]++;
}

void hot_count_accepted(const struct cell_ast *doc)
{
    for (uint32_t i = 0; i < doc->nfunctions; i++) {
        const struct ast_function *f = &doc->functions[i];
        seen.internal += f->internal;
        *(f->status ? &seen.statuses : &seen.values) += 1;
        for (uint32_t k = 0; k < f->nvariables; k++)
            count_type(&f->variables[k].type);
        for (uint32_t k = 0; k < f->nparams; k++) {
            seen.outputs += f->params[k].out;
            seen.pointers += f->params[k].pointer && !f->params[k].out;
        }
        count_node(f->body);
    }
}

/* The sentence without place, names and numbers. */
void hot_count_refused(const char *reason)
{
    char text[sizeof(seen.reasons[0].text)];
    const char *p = strstr(reason, ": ");
    size_t n = 0;
    for (p = p ? p + 2 : reason; *p && n + 2 < sizeof(text);) {
        if (*p == '\'' && strchr(p + 1, '\'')) {
            p = strchr(p + 1, '\'') + 1;
            text[n++] = '_';
        } else if (isdigit((unsigned char)*p)) {
            p += strspn(p, "0123456789");
            text[n++] = '#';
        } else {
            text[n++] = *p++;
        }
    }
    text[n] = '\0';
    for (unsigned i = 0; i < REASONS; i++) {
        if (!seen.reasons[i].count)
            memcpy(seen.reasons[i].text, text, n + 1);
        if (strcmp(seen.reasons[i].text, text) == 0) {
            seen.reasons[i].count++;
            return;
        }
    }
}

void hot_print_statistics(void)
{
    for (unsigned op = 0; op < AST_OPS; op++) {
        printf("operation '%s' %lu", cell_ast_op_name((enum ast_op)op), seen.operations[op]);
        if (seen.proven[op] || seen.checked[op])
            printf(", proven %lu, checked %lu", seen.proven[op], seen.checked[op]);
        if (seen.plain[op] || seen.wrapping[op])
            printf(", plain %lu, wrapping %lu", seen.plain[op], seen.wrapping[op]);
        printf("\n");
    }
    for (unsigned kind = CELL_KIND_BOOL; kind <= CELL_KIND_STRUCT; kind++)
        if (seen.types[kind])
            printf("variables of type '%s' %lu\n", cell_kind_name((enum cell_kind)kind), seen.types[kind]);
    printf("variables that are arrays %lu, enums %lu; outputs %lu, inputs by pointer %lu\n", seen.arrays, seen.enums,
           seen.outputs, seen.pointers);
    printf("functions with a status %lu, a value %lu, internal %lu\n", seen.statuses, seen.values, seen.internal);
    for (unsigned i = 0; i < REASONS && seen.reasons[i].count; i++)
        printf("refused \"%s\" %lu\n", seen.reasons[i].text, seen.reasons[i].count);
}

static bool missing(const char *what, const char *of)
{
    fprintf(stderr, "differential: no document that was accepted has %s '%s'\n", what, of);
    return false;
}

bool hot_statistics_complete(void)
{
    bool complete = true;
    for (unsigned op = 0; op < AST_OPS; op++) {
        const char *name = cell_ast_op_name((enum ast_op)op);
        if (!seen.operations[op])
            complete = missing("an operation", name);
        if (seen.checked[op] && !seen.proven[op])
            complete = missing("a proof for", name);
        if (seen.proven[op] && !seen.checked[op])
            complete = missing("a check of", name);
        if (seen.wrapping[op] && !seen.plain[op])
            complete = missing("a proof that it does not wrap for", name);
    }
    static const enum cell_kind kinds[] = {CELL_KIND_BOOL, CELL_KIND_I8,  CELL_KIND_U8,    CELL_KIND_I16, CELL_KIND_U16,
                                           CELL_KIND_I32,  CELL_KIND_U32, CELL_KIND_I64,   CELL_KIND_U64, CELL_KIND_F32,
                                           CELL_KIND_F64,  CELL_KIND_STR, CELL_KIND_STRUCT};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (!seen.types[kinds[i]])
            complete = missing("a variable of type", cell_kind_name(kinds[i]));
    if (!seen.arrays || !seen.enums || !seen.outputs || !seen.pointers || !seen.internal)
        complete = missing("one of", "array, enum, output, pointer, internal");
    return complete;
}
