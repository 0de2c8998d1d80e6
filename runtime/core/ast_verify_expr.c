/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Types of expressions: nothing is converted that does not say so. */
#include <string.h>

#include "core/ast_impl.h"

#define COST_MATH 20u
#define COST_TEXT 64u
#define COST_CALL 10u

#define TYPE_OF(n, text) cell_ast_type_text(&(n)->type, text, sizeof(text))

/* What a value is computed as; 0 of arrays. */
static enum cell_kind kind_of(const struct ast_node *n)
{
    return n->type.count ? (enum cell_kind)0 : cell_ast_scalar(&n->type);
}

static bool is_integer(const struct ast_node *n) { return cell_kind_is_integer(kind_of(n)); }
static bool is_number(const struct ast_node *n) { return cell_ast_is_number(kind_of(n)); }
static bool is_float(const struct ast_node *n) { return cell_ast_is_float(kind_of(n)); }
static bool is_bool(const struct ast_node *n) { return kind_of(n) == CELL_KIND_BOOL; }
static bool is_f64(const struct ast_node *n) { return kind_of(n) == CELL_KIND_F64; }

static int wrong_type(struct ast_scope *s, const struct ast_node *n, uint32_t i, const char *right)
{
    char text[AST_TYPE_TEXT];
    return cell_ast_refuse(s->c, n, "operand %u of '%s' is of type %s, %s is expected", i + 1, cell_ast_op_name(n->op),
                           TYPE_OF(n->args[i], text), right);
}

/* All operands are what `is` says. */
static int all(struct ast_scope *s, const struct ast_node *n, bool (*is)(const struct ast_node *), const char *right)
{
    for (uint32_t i = 0; i < n->nargs; i++)
        if (!is(n->args[i]))
            return wrong_type(s, n, i, right);
    return CELL_OK;
}

/* And of one type. */
static int alike(struct ast_scope *s, const struct ast_node *n, bool (*is)(const struct ast_node *), const char *right)
{
    int r = all(s, n, is, right);
    for (uint32_t i = 1; i < n->nargs && r == CELL_OK; i++)
        if (kind_of(n->args[i]) != kind_of(n->args[0]))
            return wrong_type(s, n, i, cell_kind_name(kind_of(n->args[0])));
    return r;
}

static bool is_comparable(const struct ast_node *n) { return is_number(n) || is_bool(n); }
static bool is_scalar(const struct ast_node *n) { return is_comparable(n); }

static int text_operands(struct ast_scope *s, const struct ast_node *n)
{
    const char *form = cell_ast_text_form(n->op)->operands;
    for (uint32_t i = 0; i < n->nargs; i++) {
        const struct ast_node *a = n->args[i];
        if (form[i] == 's' && kind_of(a) != CELL_KIND_STR)
            return wrong_type(s, n, i, "str");
        if (form[i] == 'n' && !is_integer(a))
            return wrong_type(s, n, i, "an integer");
        if (form[i] == 'l' && kind_of(a) != CELL_KIND_I64)
            return wrong_type(s, n, i, "i64");
        if (form[i] == 'f' && !is_f64(a))
            return wrong_type(s, n, i, "f64");
    }
    return CELL_OK;
}

/* Whether it is a variable or a table, or a part of one: something that stays where it is. */
static bool is_place(const struct ast_node *n)
{
    while (n->op == AST_FIELD || n->op == AST_ELEMENT)
        n = n->args[0];
    return n->op == AST_VARIABLE || n->op == AST_TABLE;
}

static int find_name(struct ast_scope *s, struct ast_node *n)
{
    char quoted[CELL_QUOTE_SIZE];
    const struct ast_function *f = s->c->f;
    for (uint32_t i = s->nvisible; i-- > 0;)
        if (strcmp(f->variables[s->visible[i]].name, n->name) == 0) {
            n->ref = s->visible[i];
            n->type = f->variables[n->ref].type;
            return CELL_OK;
        }
    for (uint32_t i = 0; i < s->c->doc->ntables; i++)
        if (strcmp(s->c->doc->tables[i].name, n->name) == 0) {
            n->op = AST_TABLE;
            n->ref = i;
            n->type = s->c->doc->tables[i].type;
            return CELL_OK;
        }
    return cell_ast_refuse(s->c, n, "there is no variable '%s' here", cell_json_quote(n->name, quoted, sizeof(quoted)));
}

static int verify_part(struct ast_scope *s, struct ast_node *n)
{
    char quoted[CELL_QUOTE_SIZE], text[AST_TYPE_TEXT];
    const struct ast_node *whole = n->args[0];
    if (n->op == AST_ELEMENT) {
        if (!whole->type.count)
            return wrong_type(s, n, 0, "an array");
        if (!is_place(whole))
            return cell_ast_refuse(s->c, n, "the array of an element is a variable, a table, or a part of one");
        if (!is_integer(n->args[1]))
            return wrong_type(s, n, 1, "an integer");
        n->type = whole->type;
        n->type.count = 0;
        return CELL_OK;
    }
    if (kind_of(whole) != CELL_KIND_STRUCT)
        return cell_ast_refuse(s->c, n, "a value of type %s has no fields", TYPE_OF(whole, text));
    for (uint32_t i = 0; i < whole->type.named->nfields; i++)
        if (strcmp(whole->type.named->fields[i].name, n->name) == 0) {
            n->ref = i;
            n->type = whole->type.named->fields[i].type;
            if (n->type.kind == CELL_KIND_BYTES || n->type.kind == CELL_KIND_LIST || n->type.kind == CELL_KIND_OPT)
                return cell_ast_refuse(s->c, n, "functions have no values of type '%s'", TYPE_OF(n, text));
            return CELL_OK;
        }
    return cell_ast_refuse(s->c, n, "%s has no field '%s'", TYPE_OF(whole, text),
                           cell_json_quote(n->name, quoted, sizeof(quoted)));
}

int cell_ast_find_function(struct ast_scope *s, struct ast_node *n)
{
    char quoted[CELL_QUOTE_SIZE];
    const uint32_t self = (uint32_t)(s->c->f - s->c->doc->functions);
    for (uint32_t i = 0; i < s->c->doc->nfunctions; i++)
        if (strcmp(s->c->doc->functions[i].name, n->name) == 0) {
            if (i >= self)
                return cell_ast_refuse(s->c, n, "'%s' is not before this function: there is no recursion", n->name);
            n->ref = i;
            return CELL_OK;
        }
    return cell_ast_refuse(s->c, n, "there is no function '%s'", cell_json_quote(n->name, quoted, sizeof(quoted)));
}

static bool same_declared(const struct schema_ref *a, const struct schema_ref *b)
{
    return a->kind == b->kind && a->named == b->named && a->count == b->count;
}

static int verify_argument(struct ast_scope *s, struct ast_node *n, struct ast_node *a, const struct ast_param *p)
{
    char got[AST_TYPE_TEXT], right[AST_TYPE_TEXT];
    int r = cell_ast_verify_expression(s, a);
    if (r < 0)
        return r;
    if (!(p->pointer ? same_declared(&a->type, &p->type) : cell_ast_same_type(&a->type, &p->type)))
        return cell_ast_refuse(s->c, n, "the argument for '%s' is of type %s, %s is expected", p->name, TYPE_OF(a, got),
                               cell_ast_type_text(&p->type, right, sizeof(right)));
    if (p->out)
        return cell_ast_verify_place(s, a);
    if (p->pointer && !is_place(a))
        return cell_ast_refuse(s->c, n, "the argument for '%s' is a variable, a table, or a part of one", p->name);
    return CELL_OK;
}

static void add_saturating(uint64_t *to, uint64_t n)
{
    if (__builtin_add_overflow(*to, n, to))
        *to = UINT64_MAX;
}

int cell_ast_verify_call(struct ast_scope *s, struct ast_node *n, uint32_t first)
{
    const struct ast_function *f = &s->c->doc->functions[n->ref];
    int r = CELL_OK;
    if (n->nargs - first != f->nparams)
        return cell_ast_refuse(s->c, n, "%u arguments for '%s', which has %u parameters", n->nargs - first, f->name,
                               f->nparams);
    for (uint32_t i = 0; i < f->nparams && r == CELL_OK; i++)
        r = verify_argument(s, n, n->args[first + i], &f->params[i]);
    add_saturating(&s->cost, f->cost + COST_CALL);
    if (s->below < f->stack)
        s->below = f->stack;
    return r;
}

static int verify_call(struct ast_scope *s, struct ast_node *n)
{
    int r = cell_ast_find_function(s, n);
    if (r < 0)
        return r;
    const struct ast_function *f = &s->c->doc->functions[n->ref];
    if (f->status)
        return cell_ast_refuse(s->c, n, "'%s' returns a status: it is called by \"try\" or \"status\"", f->name);
    n->type = f->returns;
    return cell_ast_verify_call(s, n, 0);
}

int cell_ast_verify_place(struct ast_scope *s, struct ast_node *n)
{
    int r = n->type.kind ? CELL_OK : cell_ast_verify_expression(s, n);
    const struct ast_node *root = n;
    while (root->op == AST_FIELD || root->op == AST_ELEMENT)
        root = root->args[0];
    if (r < 0)
        return r;
    if (root->op != AST_VARIABLE)
        return cell_ast_refuse(s->c, n, "only a variable, or a part of one, can be written");
    const struct ast_variable *v = &s->c->f->variables[root->ref];
    if (v->origin == AST_IN)
        return cell_ast_refuse(s->c, n, "'%s' is an input, which cannot be written", v->name);
    if (v->origin == AST_COUNTER)
        return cell_ast_refuse(s->c, n, "'%s' is a loop's counter, which only the loop writes", v->name);
    return CELL_OK;
}

static int verify_choice(struct ast_scope *s, struct ast_node *n)
{
    char text[AST_TYPE_TEXT];
    if (!is_bool(n->args[0]))
        return wrong_type(s, n, 0, "bool");
    if (n->args[1]->type.count)
        return wrong_type(s, n, 1, "no array");
    if (!cell_ast_same_type(&n->args[1]->type, &n->args[2]->type))
        return wrong_type(s, n, 2, TYPE_OF(n->args[1], text));
    n->type = n->args[1]->type;
    return CELL_OK;
}

static int verify_cast(struct ast_scope *s, struct ast_node *n)
{
    const enum cell_kind to = cell_ast_cast_kind(n->op);
    if (!is_scalar(n->args[0]) || (to == CELL_KIND_BOOL && is_float(n->args[0])))
        return wrong_type(s, n, 0, to == CELL_KIND_BOOL ? "an integer" : "a number or bool");
    n->type.kind = to;
    return CELL_OK;
}

/* The operands' types; the result has that of the first one unless n->type says something else already. */
static int verify_operands(struct ast_scope *s, struct ast_node *n)
{
    switch (cell_ast_class(n->op)) {
    case AST_CLASS_ARITH1:
    case AST_CLASS_ARITH:
        return alike(s, n, is_number, "a number");
    case AST_CLASS_DIVIDE:
        return n->op == AST_REM ? alike(s, n, is_integer, "an integer") : alike(s, n, is_number, "a number");
    case AST_CLASS_BITS1:
    case AST_CLASS_BITS:
    case AST_CLASS_INT1:
    case AST_CLASS_INT2:
        return alike(s, n, is_integer, "an integer");
    case AST_CLASS_SHIFT:
        return all(s, n, is_integer, "an integer");
    case AST_CLASS_COMPARE:
        n->type.kind = CELL_KIND_BOOL;
        return alike(s, n, is_number, "a number");
    case AST_CLASS_EQUAL:
        n->type.kind = CELL_KIND_BOOL;
        return alike(s, n, is_comparable, "a number or bool");
    case AST_CLASS_LOGIC1:
    case AST_CLASS_LOGIC:
        return all(s, n, is_bool, "bool");
    case AST_CLASS_EXACT1:
    case AST_CLASS_EXACT2:
        return alike(s, n, is_float, "f32 or f64");
    case AST_CLASS_TEST1:
        n->type.kind = CELL_KIND_BOOL;
        return all(s, n, is_float, "f32 or f64");
    case AST_CLASS_MATH1:
    case AST_CLASS_MATH2:
    case AST_CLASS_MATH3:
        s->cost += COST_MATH;
        return all(s, n, is_f64, "f64");
    case AST_CLASS_SCALE:
        s->cost += COST_MATH;
        if (!is_f64(n->args[0]))
            return wrong_type(s, n, 0, "f64");
        return kind_of(n->args[1]) == CELL_KIND_I32 ? CELL_OK : wrong_type(s, n, 1, "i32");
    case AST_CLASS_TEXT:
        s->cost += COST_TEXT;
        n->type.kind = cell_ast_text_form(n->op)->result;
        return text_operands(s, n);
    default:
        return cell_ast_refuse(s->c, n, "no expression");
    }
}

int cell_ast_verify_expression(struct ast_scope *s, struct ast_node *n)
{
    int r = CELL_OK;
    add_saturating(&s->cost, 1);
    if (n->op == AST_VARIABLE)
        return find_name(s, n);
    if (cell_ast_class(n->op) == AST_CLASS_LITERAL)
        return CELL_OK; /* the reader knows its type */
    if (n->op == AST_CALL) {
        r = verify_call(s, n);
    } else {
        for (uint32_t i = 0; i < n->nargs && r == CELL_OK; i++)
            r = cell_ast_verify_expression(s, n->args[i]);
        if (r < 0)
            return r;
        if (cell_ast_class(n->op) == AST_CLASS_PART)
            return verify_part(s, n);
        if (n->op == AST_CHOOSE)
            r = verify_choice(s, n);
        else if (cell_ast_class(n->op) == AST_CLASS_CAST)
            r = verify_cast(s, n);
        else
            r = verify_operands(s, n);
        if (r == CELL_OK && !n->type.kind)
            n->type.kind = kind_of(n->args[0]);
    }
    if (r == CELL_OK && cell_ast_is_aggregate(&n->type)) { /* a value of its own, which lies somewhere */
        s->bytes += cell_schema_use_size(&n->type);
        add_saturating(&s->cost, cell_schema_use_size(&n->type) / 8);
    }
    return r;
}
