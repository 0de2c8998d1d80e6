/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Expressions as C. What could be undefined there is not written: signed arithmetic goes through unsigned types unless
 * it is proven not to overflow, and what may fault leaves the function from inside a statement expression. No operation
 * opens more than three brackets of a kind around its operands: compilers count them.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/ast_render.h"

static enum cell_kind kind_of(const struct ast_node *n) { return cell_ast_scalar(&n->type); }

const char *cell_ast_c_type(const struct ast_render *r, enum cell_kind kind)
{
    static const char *const names[] = {
        [CELL_KIND_I8] = "int8_t",    [CELL_KIND_U8] = "uint8_t",   [CELL_KIND_I16] = "int16_t",
        [CELL_KIND_U16] = "uint16_t", [CELL_KIND_I32] = "int32_t",  [CELL_KIND_U32] = "uint32_t",
        [CELL_KIND_I64] = "int64_t",  [CELL_KIND_U64] = "uint64_t", [CELL_KIND_F32] = "float",
        [CELL_KIND_F64] = "double",
    };
    if (kind == CELL_KIND_BOOL)
        return r->o->cplusplus ? "bool" : "_Bool";
    return kind == CELL_KIND_STR ? r->o->cplusplus ? "::cell_str" : "cell_str" : names[kind];
}

void cell_ast_render_type(struct ast_render *r, const struct schema_ref *type)
{
    if (type->named)
        ast_printf(r, "%s %s", type->kind == CELL_KIND_ENUM ? "enum" : "struct", type->named->name);
    else
        ast_put(r, cell_ast_c_type(r, type->kind));
}

void cell_ast_render_function_name(struct ast_render *r, const struct ast_function *f)
{
    if (f->internal)
        ast_printf(r, "cellgen_%s_f_%s", r->o->unit, f->name);
    else
        ast_put(r, f->name);
}

void cell_ast_render_table_name(struct ast_render *r, const struct ast_table *t)
{
    ast_printf(r, "cellgen_%s_t_%s", r->o->unit, t->name);
}

void cell_ast_render_variable_name(struct ast_render *r, const struct ast_variable *v)
{
    ast_printf(r, "%s%s", v->origin == AST_OUT ? "cellgen_v_" : "", v->name);
}

/* ---- literals ---- */

void cell_ast_render_literal(struct ast_render *r, enum cell_kind kind, uint64_t bits)
{
    const int64_t value = (int64_t)bits;
    if (kind == CELL_KIND_BOOL)
        ast_put(r, bits ? "1" : "0");
    else if (kind == CELL_KIND_U64)
        ast_printf(r, "%lluul", (unsigned long long)bits);
    else if (kind == CELL_KIND_U32)
        ast_printf(r, "%lluu", (unsigned long long)bits);
    else if (kind == CELL_KIND_I64 && value == INT64_MIN)
        ast_put(r, "(-9223372036854775807l - 1)");
    else if (kind == CELL_KIND_I64)
        ast_printf(r, value < 0 ? "(%lldl)" : "%lldl", (long long)value);
    else if (kind == CELL_KIND_I32 && value == INT32_MIN)
        ast_put(r, "(-2147483647 - 1)");
    else if (kind == CELL_KIND_I32)
        ast_printf(r, value < 0 ? "(%lld)" : "%lld", (long long)value);
    else
        ast_printf(r, "(%s)%lld", cell_ast_c_type(r, kind), (long long)value);
}

static void render_real(struct ast_render *r, const struct ast_node *n)
{
    const bool is_float = n->type.kind == CELL_KIND_F32;
    char text[64], *end;
    if (isnan(n->real)) {
        ast_put(r, is_float ? "__builtin_nanf(\"\")" : "__builtin_nan(\"\")");
        return;
    }
    if (isinf(n->real)) {
        ast_printf(r, "(%s%s)", n->real < 0 ? "-" : "", is_float ? "__builtin_inff()" : "__builtin_inf()");
        return;
    }
    snprintf(text, sizeof(text), is_float ? "%.8e" : "%.16e", fabs(n->real));
    end = text + 1 + strcspn(text + 1, "0123456789"); /* whatever the locale's decimal point is */
    ast_printf(r, signbit(n->real) ? "(-%c.%s%s)" : "%c.%s%s", text[0], end, is_float ? "f" : "");
}

void cell_ast_render_string(struct ast_render *r, const struct ast_node *n, const char *before, const char *after)
{
    ast_put(r, before);
    for (uint64_t i = 0; i < n->text_len; i++) {
        const unsigned char c = (unsigned char)n->text[i];
        if (c >= ' ' && c < 0x7f && c != '"' && c != '\\' && c != '?')
            ast_printf(r, "%c", c);
        else
            ast_printf(r, "\\%03o", c);
    }
    ast_printf(r, "\", %lluul%s", (unsigned long long)n->text_len, after);
}

/* ---- operators ---- */

static const char *unsigned_type(const struct ast_render *r, enum cell_kind kind)
{
    return cell_ast_c_type(r, cell_ast_width(kind) == 64 ? CELL_KIND_U64 : CELL_KIND_U32);
}

/* The operands with an operator between them, each behind `cast`. */
static void chain(struct ast_render *r, const struct ast_node *n, const char *cast)
{
    for (uint32_t i = 0; i < n->nargs; i++) {
        if (i)
            ast_printf(r, " %s ", cell_ast_op_name(n->op));
        ast_put(r, cast);
        cell_ast_render_value(r, n->args[i]);
    }
}

static void render_arithmetic(struct ast_render *r, const struct ast_node *n)
{
    const enum cell_kind kind = kind_of(n);
    char cast[32] = "";
    const bool plain = cell_ast_is_float(kind) ||
                       (cell_ast_width(kind) >= 32 && (!cell_ast_is_signed(kind) || n->proven & AST_NO_OVERFLOW));
    const bool fenced = r->o->fences && cell_ast_is_float(kind) && n->op == AST_MUL;
    if (fenced)
        ast_printf(r, "({ %s cellgen_m = ", cell_ast_c_type(r, kind));
    ast_put(r, "(");
    if (!plain) {
        ast_printf(r, "(%s)(", cell_ast_c_type(r, kind));
        snprintf(cast, sizeof(cast), "(%s)", unsigned_type(r, kind));
    }
    if (n->op == AST_NEG) {
        /* Of a minus sign Clang does not know that a pragma made floats precise, and divides by -c in place of c. */
        if (cell_ast_is_float(kind_of(n)))
            ast_put(r, kind_of(n) == CELL_KIND_F32 ? "-0.0f - " : "-0.0 - ");
        else
            ast_printf(r, plain ? "-" : "0 - %s", cast);
        cell_ast_render_value(r, n->args[0]);
    } else {
        chain(r, n, cast);
    }
    ast_put(r, plain ? ")" : "))");
    if (fenced)
        ast_put(r, "; __asm__(\"\" : \"+r\"(cellgen_m)); cellgen_m; })");
}

static void render_fault(struct ast_render *r) { ast_printf(r, ", 0)) return %d; ", r->f->fault); }

static void render_divide(struct ast_render *r, const struct ast_node *n)
{
    const enum cell_kind kind = kind_of(n);
    const char *type = cell_ast_c_type(r, kind), *op = cell_ast_op_name(n->op);
    const bool zero = !(n->proven & AST_IN_BOUNDS),
               least = !(n->proven & AST_NO_OVERFLOW) && cell_ast_width(kind) >= 32;
    if (cell_ast_is_float(kind) || (!zero && !least)) {
        ast_printf(r, cell_ast_is_float(kind) ? "(" : "(%s)(", type);
        chain(r, n, "");
        ast_put(r, ")");
        return;
    }
    ast_printf(r, "({ %s cellgen_a = ", type);
    cell_ast_render_value(r, n->args[0]);
    ast_printf(r, "; %s cellgen_b = ", type);
    cell_ast_render_value(r, n->args[1]);
    ast_put(r, "; ");
    if (zero) {
        ast_put(r, "if (__builtin_expect(cellgen_b == 0");
        render_fault(r);
    }
    ast_printf(r, "(%s)(", type);
    if (least && n->op == AST_DIV)
        ast_printf(r, "cellgen_b == -1 ? (%s)(0 - (%s)cellgen_a) : ", type, unsigned_type(r, kind));
    else if (least)
        ast_put(r, "cellgen_b == -1 ? 0 : ");
    ast_printf(r, "cellgen_a %s cellgen_b); })", op);
}

static void render_shift(struct ast_render *r, const struct ast_node *n)
{
    const enum cell_kind kind = kind_of(n);
    ast_printf(r, "(%s)(", cell_ast_c_type(r, kind));
    if (n->op == AST_SHL)
        ast_printf(r, "(%s)", unsigned_type(r, kind));
    cell_ast_render_value(r, n->args[0]);
    ast_printf(r, " %s (", cell_ast_op_name(n->op));
    if (!(n->proven & AST_IN_BOUNDS))
        ast_printf(r, "(uint32_t)");
    cell_ast_render_value(r, n->args[1]);
    if (!(n->proven & AST_IN_BOUNDS))
        ast_printf(r, " & %u", cell_ast_width(kind) - 1);
    ast_put(r, "))");
}

static void render_cast(struct ast_render *r, const struct ast_node *n)
{
    const enum cell_kind from = kind_of(n->args[0]), to = n->type.kind;
    const enum ast_helper h = cell_ast_helper_of(n);
    if (to == CELL_KIND_BOOL && from != CELL_KIND_BOOL)
        ast_put(r, "(0 != ");
    else if (h != AST_HELPERS)
        ast_printf(r, "cellgen_%s_h_%s(", r->o->unit, cell_ast_helper_name(h));
    else
        ast_printf(r, "((%s)", cell_ast_c_type(r, to));
    cell_ast_render_value(r, n->args[0]);
    ast_put(r, ")");
}

/* ---- operations on their operands' values, cellgen_a and cellgen_b ---- */

static const char *on_values(const struct ast_node *n)
{
    const bool f32 = kind_of(n->args[0]) == CELL_KIND_F32, no_nan = n->proven & AST_IN_BOUNDS;
    switch (n->op) {
    case AST_ABS:
        return cell_ast_width(kind_of(n)) == 64 ? "cellgen_a < 0 ? (int64_t)(0 - (uint64_t)cellgen_a) : cellgen_a"
               : kind_of(n) == CELL_KIND_I32    ? "cellgen_a < 0 ? (int32_t)(0 - (uint32_t)cellgen_a) : cellgen_a"
               : kind_of(n) == CELL_KIND_I16    ? "(int16_t)(cellgen_a < 0 ? -cellgen_a : cellgen_a)"
                                                : "(int8_t)(cellgen_a < 0 ? -cellgen_a : cellgen_a)";
    case AST_MIN:
        return "cellgen_a < cellgen_b ? cellgen_a : cellgen_b";
    case AST_MAX:
        return "cellgen_a > cellgen_b ? cellgen_a : cellgen_b";
    case AST_FMIN:
        return no_nan ? "cellgen_a < cellgen_b ? cellgen_a : cellgen_b"
                      : "cellgen_a < cellgen_b || cellgen_b != cellgen_b ? cellgen_a : cellgen_b";
    case AST_FMAX:
        return no_nan ? "cellgen_a > cellgen_b ? cellgen_a : cellgen_b"
                      : "cellgen_a > cellgen_b || cellgen_b != cellgen_b ? cellgen_a : cellgen_b";
    case AST_COPYSIGN: /* which sign NaN has is not told */
        if (no_nan)
            return f32 ? "__builtin_copysignf(cellgen_a, cellgen_b)" : "__builtin_copysign(cellgen_a, cellgen_b)";
        return f32 ? "__builtin_copysignf(cellgen_a, cellgen_b != cellgen_b ? 1.0f : cellgen_b)"
                   : "__builtin_copysign(cellgen_a, cellgen_b != cellgen_b ? 1.0 : cellgen_b)";
    case AST_ISNAN:
        return "cellgen_a != cellgen_a";
    case AST_ISINF:
        return f32 ? "__builtin_fabsf(cellgen_a) == __builtin_inff()" : "__builtin_fabs(cellgen_a) == __builtin_inf()";
    case AST_ISFINITE:
        return f32 ? "__builtin_fabsf(cellgen_a) < __builtin_inff()" : "__builtin_fabs(cellgen_a) < __builtin_inf()";
    default: /* AST_SIGNBIT */
        if (no_nan)
            return f32 ? "__builtin_signbitf(cellgen_a) != 0" : "__builtin_signbit(cellgen_a) != 0";
        return f32 ? "cellgen_a == cellgen_a && __builtin_signbitf(cellgen_a) != 0"
                   : "cellgen_a == cellgen_a && __builtin_signbit(cellgen_a) != 0";
    }
}

static void render_on_values(struct ast_render *r, const struct ast_node *n)
{
    static const char *const names[] = {"cellgen_a", "cellgen_b"};
    const enum cell_kind kind = kind_of(n->args[0]);
    if (n->op == AST_ABS && !cell_ast_is_signed(kind)) {
        cell_ast_render_value(r, n->args[0]);
        return;
    }
    ast_put(r, "({ ");
    for (uint32_t i = 0; i < n->nargs; i++) {
        ast_printf(r, "const %s %s = ", cell_ast_c_type(r, kind), names[i]);
        cell_ast_render_value(r, n->args[i]);
        ast_put(r, "; ");
    }
    if (cell_ast_is_number(kind_of(n)))
        ast_printf(r, "(%s)(%s); })", cell_ast_c_type(r, kind_of(n)), on_values(n));
    else
        ast_printf(r, "%s; })", on_values(n));
}

static void arguments(struct ast_render *r, const struct ast_node *n)
{
    for (uint32_t i = 0; i < n->nargs; i++) {
        const bool index = cell_ast_class(n->op) == AST_CLASS_TEXT && cell_ast_text_form(n->op)->operands[i] == 'n';
        ast_put(r, i ? ", " : "");
        if (index)
            ast_put(r, "(uint64_t)");
        cell_ast_render_value(r, n->args[i]);
    }
    ast_put(r, ")");
}

/* A helper of the text, or a function of the compiler's. */
static void render_named(struct ast_render *r, const struct ast_node *n)
{
    const enum ast_helper h = cell_ast_helper_of(n);
    if (h != AST_HELPERS)
        ast_printf(r, "cellgen_%s_h_%s(", r->o->unit, cell_ast_helper_name(h));
    else
        ast_printf(r, "__builtin_%s%s(", cell_ast_op_name(n->op), kind_of(n) == CELL_KIND_F32 ? "f" : "");
    arguments(r, n);
}

static void render_byte(struct ast_render *r, const struct ast_node *n)
{
    if (n->proven & AST_IN_BOUNDS && n->args[0]->op == AST_VARIABLE) {
        ast_put(r, "(uint8_t)");
        cell_ast_render_value(r, n->args[0]);
        ast_put(r, ".ptr[");
        cell_ast_render_value(r, n->args[1]);
        ast_put(r, "]");
        return;
    }
    ast_printf(r, "({ const %s cellgen_a = ", cell_ast_c_type(r, CELL_KIND_STR));
    cell_ast_render_value(r, n->args[0]);
    ast_put(r, "; const uint64_t cellgen_b = (uint64_t)");
    cell_ast_render_value(r, n->args[1]);
    ast_put(r, "; ");
    if (!(n->proven & AST_IN_BOUNDS)) {
        ast_put(r, "if (__builtin_expect(cellgen_b >= cellgen_a.len");
        render_fault(r);
    }
    ast_put(r, "(uint8_t)cellgen_a.ptr[cellgen_b]; })");
}

/* ---- places, calls ---- */

static void render_element(struct ast_render *r, const struct ast_node *n)
{
    cell_ast_render_place(r, n->args[0]);
    ast_put(r, "[");
    if (n->proven & AST_IN_BOUNDS) {
        cell_ast_render_value(r, n->args[1]);
    } else {
        ast_put(r, "({ const uint64_t cellgen_i = (uint64_t)");
        cell_ast_render_value(r, n->args[1]);
        ast_printf(r, "; if (__builtin_expect(cellgen_i >= %u", n->args[0]->type.count);
        render_fault(r);
        ast_put(r, "cellgen_i; })");
    }
    ast_put(r, "]");
}

void cell_ast_render_place(struct ast_render *r, const struct ast_node *n)
{
    if (n->op == AST_VARIABLE) {
        const struct ast_variable *v = &r->f->variables[n->ref];
        const bool pointer =
            n->ref < r->f->nparams && v->origin == AST_IN && r->f->params[n->ref].pointer && !v->type.count;
        ast_put(r, pointer ? "(*" : "");
        cell_ast_render_variable_name(r, v);
        ast_put(r, pointer ? ")" : "");
    } else if (n->op == AST_TABLE) {
        cell_ast_render_table_name(r, &r->doc->tables[n->ref]);
    } else if (n->op == AST_ELEMENT) {
        render_element(r, n);
    } else if (n->op == AST_FIELD) {
        cell_ast_render_place(r, n->args[0]);
        ast_printf(r, ".%s", n->name);
    } else { /* a struct that is the value of something */
        ast_put(r, "(");
        cell_ast_render_value(r, n);
        ast_put(r, ")");
    }
}

void cell_ast_render_call(struct ast_render *r, const struct ast_node *n, uint32_t first)
{
    const struct ast_function *f = &r->doc->functions[n->ref];
    cell_ast_render_function_name(r, f);
    ast_put(r, "(");
    for (uint32_t i = 0; i < f->nparams; i++) {
        const struct ast_param *p = &f->params[i];
        ast_put(r, i ? ", " : "");
        if (p->pointer) {
            ast_put(r, p->type.count ? "" : "&");
            cell_ast_render_place(r, n->args[first + i]);
        } else {
            cell_ast_render_as(r, n->args[first + i], &p->type);
        }
    }
    ast_put(r, ")");
}

void cell_ast_render_as(struct ast_render *r, const struct ast_node *n, const struct schema_ref *type)
{
    if (type->kind == CELL_KIND_ENUM)
        ast_printf(r, "(enum %s)", type->named->name);
    cell_ast_render_value(r, n);
}

static void render_operation(struct ast_render *r, const struct ast_node *n)
{
    switch (cell_ast_class(n->op)) {
    case AST_CLASS_CAST:
        render_cast(r, n);
        break;
    case AST_CLASS_ARITH1:
    case AST_CLASS_ARITH:
        render_arithmetic(r, n);
        break;
    case AST_CLASS_DIVIDE:
        render_divide(r, n);
        break;
    case AST_CLASS_BITS1:
        ast_printf(r, "(%s)~", cell_ast_c_type(r, kind_of(n)));
        cell_ast_render_value(r, n->args[0]);
        break;
    case AST_CLASS_LOGIC1:
        ast_put(r, "!");
        cell_ast_render_value(r, n->args[0]);
        break;
    case AST_CLASS_BITS:
    case AST_CLASS_COMPARE:
    case AST_CLASS_EQUAL:
    case AST_CLASS_LOGIC:
        ast_put(r, "(");
        chain(r, n, "");
        ast_put(r, ")");
        break;
    case AST_CLASS_SHIFT:
        render_shift(r, n);
        break;
    case AST_CLASS_INT1:
    case AST_CLASS_INT2:
    case AST_CLASS_TEST1:
        render_on_values(r, n);
        break;
    default:
        if (n->op == AST_FMIN || n->op == AST_FMAX || n->op == AST_COPYSIGN)
            render_on_values(r, n);
        else
            render_named(r, n);
    }
}

void cell_ast_render_value(struct ast_render *r, const struct ast_node *n)
{
    const bool is_enum = n->type.kind == CELL_KIND_ENUM && !n->type.count && n->op != AST_CHOOSE;
    if (is_enum)
        ast_printf(r, "((%s)", cell_ast_c_type(r, kind_of(n)));
    switch (n->op) {
    case AST_INTEGER:
        cell_ast_render_literal(r, n->type.kind, n->bits);
        break;
    case AST_REAL:
        render_real(r, n);
        break;
    case AST_STRING:
        cell_ast_render_string(r, n, r->o->cplusplus ? "(::cell_str{\"" : "((cell_str){\"", "})");
        break;
    case AST_VARIABLE:
    case AST_TABLE:
    case AST_ELEMENT:
    case AST_FIELD:
        cell_ast_render_place(r, n);
        break;
    case AST_CALL:
        cell_ast_render_call(r, n, 0);
        break;
    case AST_CHOOSE:
        ast_put(r, "(");
        cell_ast_render_value(r, n->args[0]);
        ast_put(r, " ? ");
        cell_ast_render_value(r, n->args[1]);
        ast_put(r, " : ");
        cell_ast_render_value(r, n->args[2]);
        ast_put(r, ")");
        break;
    case AST_LENGTH:
        cell_ast_render_value(r, n->args[0]);
        ast_put(r, ".len");
        break;
    case AST_BYTE:
        render_byte(r, n);
        break;
    default:
        render_operation(r, n);
    }
    ast_put(r, is_enum ? ")" : "");
}

void cell_ast_render_condition(struct ast_render *r, const struct ast_node *n)
{
    const enum ast_class class = cell_ast_class(n->op);
    const bool in_brackets = class == AST_CLASS_COMPARE || class == AST_CLASS_EQUAL || class == AST_CLASS_LOGIC;
    ast_put(r, in_brackets ? "" : "(");
    cell_ast_render_value(r, n);
    ast_put(r, in_brackets ? "" : ")");
}
