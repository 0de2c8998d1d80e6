/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Functions as C: signatures, statements, the text as a whole. */
#include "core/ast_render.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void render_block(struct ast_render *r, const struct ast_node *n, unsigned depth);

static void indent(struct ast_render *r, unsigned depth) { ast_printf(r, "%*s", (int)(depth * 4), ""); }

/* What follows stands there in the author's file. */
static void render_line(struct ast_render *r, uint32_t line)
{
    if (!r->o->lines || !r->f->file || !line)
        return;
    ast_printf(r, "#line %u ", line);
    cell_json_put_string(r->out, r->f->file);
    ast_put(r, "\n");
}

static void render_let(struct ast_render *r, const struct ast_node *n)
{
    const struct ast_variable *v = &r->f->variables[n->ref];
    cell_ast_render_type(r, &v->type);
    ast_printf(r, " %s", v->name);
    if (v->type.count)
        ast_printf(r, "[%u]", v->type.count);
    if (n->nargs) {
        ast_put(r, " = ");
        cell_ast_render_as(r, n->args[0], &v->type);
    } else if (cell_ast_is_aggregate(&v->type)) {
        ast_put(r, r->o->cplusplus ? " = {}" : " = {0}");
    }
    ast_put(r, ";\n");
}

static void render_if(struct ast_render *r, const struct ast_node *n, unsigned depth)
{
    for (uint32_t i = 0; i < n->nargs; i += 2) {
        if (i + 1 < n->nargs) {
            ast_put(r, i ? " else if " : "if ");
            cell_ast_render_condition(r, n->args[i]);
            ast_put(r, " ");
            render_block(r, n->args[i + 1], depth);
        } else {
            ast_put(r, " else ");
            render_block(r, n->args[i], depth);
        }
    }
    ast_put(r, "\n");
}

static void render_switch(struct ast_render *r, const struct ast_node *n, unsigned depth)
{
    ast_put(r, "switch (");
    cell_ast_render_value(r, n->args[0]);
    ast_put(r, ") {\n");
    for (uint32_t i = 1; i < n->nargs; i++) {
        const struct ast_node *one = n->args[i];
        indent(r, depth);
        for (uint32_t k = 0; k < one->nlabels; k++) {
            ast_put(r, "case ");
            cell_ast_render_literal(r, cell_ast_scalar(&n->args[0]->type), (uint64_t)one->labels[k]);
            ast_put(r, ": ");
        }
        ast_put(r, one->nlabels ? "" : "default: ");
        render_block(r, one->args[0], depth);
        ast_put(r, " break;\n");
    }
    indent(r, depth);
    ast_put(r, "}\n");
}

/* The end is computed once, before the first step, whatever the body assigns. */
static void render_for(struct ast_render *r, const struct ast_node *n, unsigned depth)
{
    const struct ast_variable *v = &r->f->variables[n->ref];
    const bool counted = !(n->proven & AST_IN_BOUNDS), constant = n->args[1]->op == AST_INTEGER;
    ast_printf(r, "for (%s ", cell_ast_c_type(r, v->type.kind));
    if (counted)
        ast_put(r, "cellgen_from = ");
    else
        ast_printf(r, "%s = ", v->name);
    cell_ast_render_value(r, n->args[0]);
    if (counted)
        ast_printf(r, ", %s = cellgen_from", v->name);
    if (!constant) {
        ast_put(r, ", cellgen_end = ");
        cell_ast_render_value(r, n->args[1]);
    }
    ast_printf(r, "; %s < ", v->name);
    if (constant)
        cell_ast_render_value(r, n->args[1]);
    else
        ast_put(r, "cellgen_end");
    if (counted)
        ast_printf(r, " && (uint64_t)%s - (uint64_t)cellgen_from < %lluul", v->name, (unsigned long long)n->bound);
    ast_printf(r, "; %s++) ", v->name);
    render_block(r, n->args[2], depth);
    ast_put(r, "\n");
}

/* The counter is one less than a variable of its own, which so never goes below the end, even if that is 0. */
static void render_down(struct ast_render *r, const struct ast_node *n, unsigned depth)
{
    const struct ast_variable *v = &r->f->variables[n->ref];
    const char *type = cell_ast_c_type(r, v->type.kind);
    const bool counted = !(n->proven & AST_IN_BOUNDS);
    ast_printf(r, "for (%s cellgen_from = ", type);
    cell_ast_render_value(r, n->args[0]);
    ast_put(r, ", cellgen_next = cellgen_from, cellgen_end = ");
    cell_ast_render_value(r, n->args[1]);
    ast_put(r, "; cellgen_next > cellgen_end");
    if (counted)
        ast_printf(r, " && (uint64_t)cellgen_from - (uint64_t)cellgen_next < %lluul", (unsigned long long)n->bound);
    ast_printf(r, ";) {\n");
    indent(r, depth + 1);
    ast_printf(r, "const %s %s = (%s)(cellgen_next - 1);\n", type, v->name, type);
    indent(r, depth + 1);
    ast_printf(r, "cellgen_next = %s;\n", v->name);
    indent(r, depth + 1);
    render_block(r, n->args[2], depth + 1);
    ast_put(r, "\n");
    indent(r, depth);
    ast_put(r, "}\n");
}

/* Outputs are written here and nowhere else; inputs that they overlap with are not read any more. */
static void render_success(struct ast_render *r, unsigned depth)
{
    for (uint32_t i = 0; i < r->f->nparams; i++) {
        const struct ast_param *p = &r->f->params[i];
        if (!p->out)
            continue;
        indent(r, depth);
        if (p->type.count)
            ast_printf(r, "__builtin_memcpy(%s, cellgen_v_%s, sizeof(cellgen_v_%s));\n", p->name, p->name, p->name);
        else
            ast_printf(r, "*%s = cellgen_v_%s;\n", p->name, p->name);
    }
    indent(r, depth);
    ast_put(r, "return 0;\n");
}

static void render_return(struct ast_render *r, const struct ast_node *n, unsigned depth)
{
    if (r->f->status) {
        ast_put(r, "{\n");
        render_success(r, depth + 1);
        indent(r, depth);
        ast_put(r, "}\n");
        return;
    }
    ast_put(r, "return ");
    cell_ast_render_as(r, n->args[0], &r->f->returns);
    ast_put(r, ";\n");
}

static void render_statement(struct ast_render *r, const struct ast_node *n, unsigned depth)
{
    render_line(r, n->line);
    indent(r, depth);
    switch (n->op) {
    case AST_LET:
        render_let(r, n);
        break;
    case AST_ASSIGN:
        cell_ast_render_place(r, n->args[0]);
        ast_put(r, " = ");
        cell_ast_render_as(r, n->args[1], &n->args[0]->type);
        ast_put(r, ";\n");
        break;
    case AST_IF:
        render_if(r, n, depth);
        break;
    case AST_SWITCH:
        render_switch(r, n, depth);
        break;
    case AST_FOR:
        render_for(r, n, depth);
        break;
    case AST_DOWN:
        render_down(r, n, depth);
        break;
    case AST_LOOP:
        ast_printf(r, "for (uint32_t cellgen_n = 0; cellgen_n < %lluu; cellgen_n++) ", (unsigned long long)n->bound);
        render_block(r, n->args[0], depth);
        ast_put(r, "\n");
        break;
    case AST_RETURN:
        render_return(r, n, depth);
        break;
    case AST_FAIL:
        ast_printf(r, "return %d;\n", (int)(int64_t)n->bits);
        break;
    case AST_TRY:
        ast_put(r, "{ const int cellgen_s = ");
        cell_ast_render_call(r, n, 0);
        ast_put(r, "; if (__builtin_expect(cellgen_s < 0, 0)) return cellgen_s; }\n");
        break;
    case AST_STATUS:
        ast_put(r, "{ const int cellgen_s = ");
        cell_ast_render_call(r, n, 1);
        ast_put(r, "; ");
        cell_ast_render_place(r, n->args[0]);
        ast_put(r, " = cellgen_s; }\n");
        break;
    default:
        ast_printf(r, "%s;\n", cell_ast_op_name(n->op));
    }
}

static void render_block(struct ast_render *r, const struct ast_node *n, unsigned depth)
{
    ast_put(r, "{\n");
    for (uint32_t i = 0; i < n->nargs; i++)
        render_statement(r, n->args[i], depth + 1);
    indent(r, depth);
    ast_put(r, "}");
}

static void render_signature(struct ast_render *r, const struct ast_function *f)
{
    if (f->status)
        ast_put(r, "int");
    else
        cell_ast_render_type(r, &f->returns);
    ast_put(r, " ");
    cell_ast_render_function_name(r, f);
    ast_put(r, f->nparams ? "(" : r->o->cplusplus ? "()" : "(void)");
    for (uint32_t i = 0; i < f->nparams; i++) {
        const struct ast_param *p = &f->params[i];
        ast_put(r, i ? ", " : "");
        ast_put(r, p->pointer && !p->out ? "const " : "");
        cell_ast_render_type(r, &p->type);
        if (p->type.count)
            ast_printf(r, " %s[%u]", p->name, p->type.count);
        else
            ast_printf(r, " %s%s", p->pointer ? "*" : "", p->name);
    }
    ast_put(r, f->nparams ? ")" : "");
}

/* Lines of `text` as comments, behind `lead`; documentation holds nothing that would end or continue one. The number
 * of lines. */
static uint32_t render_comment(struct ast_render *r, const char *lead, const char *text)
{
    uint32_t n = 0;
    for (const char *line = text; line; n++) {
        const size_t len = strcspn(line, "\n");
        ast_printf(r, "///%s%s%s%.*s\n", *lead ? " " : "", lead, len ? " " : "", (int)len, line);
        line = line[len] ? line + len + 1 : NULL;
        lead = "";
    }
    return n;
}

/* No directive may stand between a comment and what it is about, so that the line is that of the comment. */
static void render_doc(struct ast_render *r, const struct ast_function *f)
{
    struct cell_buffer text = {0}, *const out = r->out;
    const uint32_t line = f->line ? f->line : f->body->nargs ? f->body->args[0]->line : 0;
    r->out = &text;
    uint32_t n = render_comment(r, "", f->doc);
    for (uint32_t i = 0; i < f->nparams; i++) {
        char lead[192];
        const struct ast_param *p = &f->params[i];
        snprintf(lead, sizeof(lead), "\\param%s %s", p->out ? "[out]" : "", p->name);
        n += render_comment(r, lead, p->doc);
    }
    r->out = out;
    if (!cell_buffer_ok(&text))
        out->failed = true;
    else {
        render_line(r, line > n ? line - n : line ? 1 : 0);
        cell_buffer_append(out, text.data, text.len);
    }
    cell_buffer_free(&text);
}

/* ---- what computes with floats ---- */

static bool holds_floats(const struct schema_ref *type)
{
    if (cell_ast_is_float(type->kind))
        return true;
    for (uint32_t i = 0; type->kind == CELL_KIND_STRUCT && i < type->named->nfields; i++)
        if (holds_floats(&type->named->fields[i].type)) /* types are not recursive */
            return true;
    return false;
}

/* Calls come from later functions: of those before it is known. */
static bool node_has_floats(const struct ast_node *n, const bool *known)
{
    bool has = n->type.kind && holds_floats(&n->type);
    if (n->op == AST_CALL || n->op == AST_TRY || n->op == AST_STATUS)
        has |= known[n->ref];
    for (uint32_t i = 0; i < n->nargs && !has; i++)
        has = node_has_floats(n->args[i], known);
    return has;
}

static bool has_floats(const struct ast_function *f, const bool *known)
{
    bool has = !f->status && holds_floats(&f->returns);
    for (uint32_t i = 0; i < f->nvariables && !has; i++)
        has = holds_floats(&f->variables[i].type);
    return has || node_has_floats(f->body, known);
}

void cell_ast_find_floats(const struct cell_ast *doc, bool *floats)
{
    for (uint32_t i = 0; i < doc->nfunctions; i++)
        floats[i] = has_floats(&doc->functions[i], floats);
}

/* In place of the function: its use is an error. */
static void render_refusal(struct ast_render *r, const struct ast_function *f)
{
    r->f = f;
    if (f->internal)
        return;
    render_doc(r, f);
    render_signature(r, f);
    ast_printf(r, " __attribute__((unavailable(\"'%s' computes with floating-point numbers, and %s\")));\n", f->name,
               r->o->no_floats);
}

static void render_function(struct ast_render *r, const struct ast_function *f)
{
    r->f = f;
    if (!f->internal)
        render_doc(r, f);
    else
        render_line(r, f->line ? f->line : f->body->nargs ? f->body->args[0]->line : 0);
    ast_put(r, "static inline ");
    render_signature(r, f);
    ast_put(r, "\n{\n");
    for (uint32_t i = 0; i < f->nparams; i++) {
        const struct ast_param *p = &f->params[i];
        if (!p->out)
            continue;
        indent(r, 1);
        cell_ast_render_type(r, &p->type);
        ast_printf(r, " cellgen_v_%s", p->name);
        if (p->type.count)
            ast_printf(r, "[%u]", p->type.count);
        if (cell_ast_is_aggregate(&p->type))
            ast_put(r, r->o->cplusplus ? " = {}" : " = {0}");
        ast_put(r, ";\n");
    }
    for (uint32_t i = 0; i < f->body->nargs; i++)
        render_statement(r, f->body->args[i], 1);
    const struct ast_node *last = f->body->nargs ? f->body->args[f->body->nargs - 1] : NULL;
    if (f->status && (!last || (last->op != AST_RETURN && last->op != AST_FAIL)))
        render_success(r, 1);
    else if (!f->status && last->op != AST_RETURN)
        ast_put(r, "    __builtin_unreachable();\n");
    ast_put(r, "}\n");
}

static void render_table(struct ast_render *r, const struct ast_table *t)
{
    ast_put(r, "static const ");
    cell_ast_render_type(r, &t->type);
    ast_put(r, " ");
    cell_ast_render_table_name(r, t);
    ast_printf(r, "[%u] = {", t->type.count);
    for (uint32_t i = 0; i < t->type.count; i++) {
        ast_put(r, i ? ", " : "");
        if (t->type.kind == CELL_KIND_STR) /* no compound literal: it is no constant in C11 */
            cell_ast_render_string(r, t->values[i], "{\"", "}");
        else
            cell_ast_render_value(r, t->values[i]);
    }
    ast_put(r, "};\n");
}

int cell_ast_render(const struct cell_ast *doc, const struct ast_render_options *o, struct cell_buffer *out)
{
    struct ast_render r = {.doc = doc, .o = o, .out = out};
    bool *floats = calloc((size_t)doc->nfunctions + 1, sizeof(*floats));
    if (!floats)
        return CELL_NO_MEMORY;
    if (o->no_floats)
        cell_ast_find_floats(doc, floats);
    /* Whatever the program's flags say: no value is assumed, nothing is reordered or contracted. */
    ast_put(&r, "#pragma float_control(precise, on, push)\n#pragma clang fp contract(off)\n");
    cell_ast_render_helpers(&r);
    for (uint32_t i = 0; i < doc->ntables; i++)
        render_table(&r, &doc->tables[i]);
    for (uint32_t i = 0; i < doc->nfunctions; i++)
        if (floats[i])
            render_refusal(&r, &doc->functions[i]);
        else
            render_function(&r, &doc->functions[i]);
    free(floats);
    ast_put(&r, "#pragma float_control(pop)\n");
    return cell_buffer_ok(out) ? CELL_OK : CELL_NO_MEMORY;
}

int cell_ast_render_prototype(const struct ast_function *f, const struct ast_render_options *o, struct cell_buffer *out)
{
    struct ast_render r = {.o = o, .out = out};
    ast_put(&r, "static inline ");
    render_signature(&r, f);
    return cell_buffer_ok(out) ? CELL_OK : CELL_NO_MEMORY;
}
