/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Functions as people read them: near C, without what C needs to be safe. Compared by line, never compiled. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "core/ast_impl.h"

struct printer {
    const struct cell_ast *doc;
    const struct ast_function *f;
    struct cell_buffer *out;
};

#define put(p, text) cell_buffer_puts((p)->out, text)
#define print(p, ...) cell_buffer_printf((p)->out, __VA_ARGS__)

static void print_block(struct printer *p, const struct ast_node *n, unsigned depth);
static void print_value(struct printer *p, const struct ast_node *n);

static void print_type(struct printer *p, const struct schema_ref *type)
{
    char text[AST_TYPE_TEXT];
    put(p, cell_ast_type_text(type, text, sizeof(text)));
}

static void print_real(struct printer *p, const struct ast_node *n)
{
    char text[64];
    double again;
    int digits = n->type.kind == CELL_KIND_F32 ? 6 : 15;
    if (!isfinite(n->real)) {
        put(p, isnan(n->real) ? "nan" : n->real < 0 ? "-inf" : "inf");
        return;
    }
    do {
        snprintf(text, sizeof(text), "%.*g", digits, n->real);
        again = n->type.kind == CELL_KIND_F32 ? (double)strtof(text, NULL) : strtod(text, NULL);
    } while (again != n->real && digits++ < 17);
    for (char *c = text; *c; c++)
        if (!strchr("0123456789+-e.", *c))
            *c = '.'; /* whatever the locale has instead */
    put(p, text);
    if (!strpbrk(text, ".e"))
        put(p, ".0");
    if (n->type.kind == CELL_KIND_F32)
        put(p, "f");
}

static void print_integer(struct printer *p, const struct ast_node *n)
{
    if (n->type.kind == CELL_KIND_BOOL)
        put(p, n->bits ? "true" : "false");
    else if (n->type.kind == CELL_KIND_U64)
        print(p, "%" PRIu64, n->bits);
    else
        print(p, "%" PRId64, (int64_t)n->bits);
}

static void print_list(struct printer *p, const struct ast_node *n, uint32_t first, const char *between)
{
    for (uint32_t i = first; i < n->nargs; i++) {
        put(p, i > first ? between : "");
        print_value(p, n->args[i]);
    }
}

static void print_operator(struct printer *p, const struct ast_node *n)
{
    char between[8];
    snprintf(between, sizeof(between), " %s ", cell_ast_op_name(n->op));
    put(p, "(");
    print_list(p, n, 0, between);
    put(p, ")");
}

static void print_value(struct printer *p, const struct ast_node *n)
{
    switch (n->op) {
    case AST_INTEGER:
        print_integer(p, n);
        return;
    case AST_REAL:
        print_real(p, n);
        return;
    case AST_STRING:
        cell_json_put_string(p->out, n->text);
        return;
    case AST_VARIABLE:
        put(p, p->f->variables[n->ref].name);
        return;
    case AST_TABLE:
        put(p, p->doc->tables[n->ref].name);
        return;
    case AST_ELEMENT:
        print_value(p, n->args[0]);
        put(p, "[");
        print_value(p, n->args[1]);
        put(p, "]");
        return;
    case AST_FIELD:
        print_value(p, n->args[0]);
        print(p, ".%s", n->name);
        return;
    case AST_CHOOSE:
        put(p, "(");
        print_value(p, n->args[0]);
        put(p, " ? ");
        print_value(p, n->args[1]);
        put(p, " : ");
        print_value(p, n->args[2]);
        put(p, ")");
        return;
    case AST_NEG:
    case AST_NOT:
    case AST_LNOT:
        put(p, n->op == AST_NEG ? "-" : cell_ast_op_name(n->op));
        print_value(p, n->args[0]);
        return;
    default:
        break;
    }
    switch (cell_ast_class(n->op)) {
    case AST_CLASS_ARITH:
    case AST_CLASS_DIVIDE:
    case AST_CLASS_BITS:
    case AST_CLASS_SHIFT:
    case AST_CLASS_COMPARE:
    case AST_CLASS_EQUAL:
    case AST_CLASS_LOGIC:
        print_operator(p, n);
        break;
    default:
        print(p, "%s(", n->op == AST_CALL ? p->doc->functions[n->ref].name : cell_ast_op_name(n->op));
        print_list(p, n, 0, ", ");
        put(p, ")");
    }
}

static void print_if(struct printer *p, const struct ast_node *n, unsigned depth)
{
    for (uint32_t i = 0; i < n->nargs; i += 2) {
        if (i)
            put(p, " else ");
        if (i + 1 < n->nargs) {
            const bool bare = cell_ast_class(n->args[i]->op) < AST_CLASS_COMPARE ||
                              cell_ast_class(n->args[i]->op) > AST_CLASS_LOGIC || n->args[i]->op == AST_LNOT;
            put(p, bare ? "if (" : "if ");
            print_value(p, n->args[i]);
            put(p, bare ? ") " : " ");
        }
        print_block(p, n->args[i + 1 < n->nargs ? i + 1 : i], depth);
    }
}

static void print_switch(struct printer *p, const struct ast_node *n, unsigned depth)
{
    put(p, "switch (");
    print_value(p, n->args[0]);
    put(p, ") {\n");
    for (uint32_t i = 1; i < n->nargs; i++) {
        print(p, "%*s", (int)depth * 4, "");
        for (uint32_t k = 0; k < n->args[i]->nlabels; k++)
            print(p, "%s%" PRId64, k ? ", " : "case ", n->args[i]->labels[k]);
        put(p, n->args[i]->nlabels ? ": " : "default: ");
        print_block(p, n->args[i]->args[0], depth);
        put(p, "\n");
    }
    print(p, "%*s}", (int)depth * 4, "");
}

static void print_statement(struct printer *p, const struct ast_node *n, unsigned depth)
{
    print(p, "%*s", (int)depth * 4, "");
    switch (n->op) {
    case AST_LET:
        print_type(p, &p->f->variables[n->ref].type);
        print(p, " %s", p->f->variables[n->ref].name);
        put(p, n->nargs ? " = " : "");
        print_list(p, n, 0, "");
        break;
    case AST_ASSIGN:
        print_list(p, n, 0, " = ");
        break;
    case AST_IF:
        print_if(p, n, depth);
        break;
    case AST_SWITCH:
        print_switch(p, n, depth);
        break;
    case AST_FOR:
    case AST_DOWN:
        print(p, "for (%s from ", p->f->variables[n->ref].name);
        print_value(p, n->args[0]);
        put(p, n->op == AST_FOR ? " to before " : " down, from before, to ");
        print_value(p, n->args[1]);
        print(p, ", at most %" PRIu64 ") ", n->bound);
        print_block(p, n->args[2], depth);
        break;
    case AST_LOOP:
        print(p, "loop (at most %" PRIu64 ") ", n->bound);
        print_block(p, n->args[0], depth);
        break;
    case AST_RETURN:
        put(p, n->nargs ? "return " : "return");
        print_list(p, n, 0, "");
        break;
    case AST_FAIL:
        print(p, "fail %s", cell_status_name((int)(int64_t)n->bits));
        break;
    case AST_TRY:
    case AST_STATUS:
        if (n->op == AST_STATUS)
            print_value(p, n->args[0]);
        print(p, "%s%s(", n->op == AST_TRY ? "try " : " = status of ", p->doc->functions[n->ref].name);
        print_list(p, n, n->op == AST_STATUS, ", ");
        put(p, ")");
        break;
    default:
        put(p, cell_ast_op_name(n->op));
    }
    put(p, "\n");
}

static void print_block(struct printer *p, const struct ast_node *n, unsigned depth)
{
    put(p, "{\n");
    for (uint32_t i = 0; i < n->nargs; i++)
        print_statement(p, n->args[i], depth + 1);
    print(p, "%*s}", (int)depth * 4, "");
}

int cell_ast_print_function(const struct cell_ast *doc, const struct ast_function *f, struct cell_buffer *out)
{
    struct printer p = {doc, f, out};
    put(&p, f->internal ? "internal " : "");
    if (f->status)
        put(&p, "status");
    else
        print_type(&p, &f->returns);
    print(&p, " %s(", f->name);
    for (uint32_t i = 0; i < f->nparams; i++) {
        put(&p, i ? ", " : "");
        put(&p, f->params[i].out ? "out " : "");
        print_type(&p, &f->params[i].type);
        print(&p, " %s", f->params[i].name);
    }
    put(&p, ") ");
    if (f->fault != CELL_OUT_OF_RANGE)
        print(&p, "fault %s ", cell_status_name(f->fault));
    print_block(&p, f->body, 0);
    put(&p, "\n");
    return cell_buffer_ok(out) ? CELL_OK : CELL_NO_MEMORY;
}

int cell_ast_print_table(const struct cell_ast *doc, const struct ast_table *t, struct cell_buffer *out)
{
    struct printer p = {doc, NULL, out};
    print_type(&p, &t->type);
    print(&p, " %s = {\n", t->name);
    for (uint32_t i = 0; i < t->type.count; i++) {
        put(&p, "    ");
        print_value(&p, t->values[i]);
        put(&p, "\n");
    }
    put(&p, "}\n");
    return cell_buffer_ok(out) ? CELL_OK : CELL_NO_MEMORY;
}
