/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Expressions: is what they read assigned, and which of their checks can fail. */
#include "core/ast_env.h"

static enum cell_kind kind_of(const struct ast_node *n)
{
    return n->type.count ? CELL_KIND_STRUCT : cell_ast_scalar(&n->type);
}

/* Of three operands and more, from left to right. */
static bool is_folded(const struct ast_node *n)
{
    return n->nargs > 2 && cell_ast_class(n->op) != AST_CLASS_TEXT && n->op != AST_CALL;
}

/* The range of an operation whose operands have `a` and `b`; of three and more the first two are folded already. */
static struct ast_range combined(struct ast_flow *f, const struct ast_env *env, const struct ast_node *n,
                                 const struct ast_range *a, const struct ast_range *b)
{
    switch (n->op) {
    case AST_VARIABLE:
        return env->known[n->ref].range;
    case AST_INTEGER:
        if (n->type.kind == CELL_KIND_U64)
            return cell_range_integers((ast_wide)n->bits, (ast_wide)n->bits);
        return cell_range_integers((int64_t)n->bits, (int64_t)n->bits);
    case AST_REAL:
        return cell_range_reals(n->real, n->real);
    case AST_STRING:
        return cell_range_integers((ast_wide)n->text_len, (ast_wide)n->text_len);
    case AST_CALL:
        return f->results[n->ref];
    case AST_ELEMENT:
        return n->args[0]->op == AST_TABLE ? f->tables[n->args[0]->ref] : cell_range_all(kind_of(n));
    case AST_LENGTH:
        return *a;
    case AST_SUB_STR:
        return cell_range_integers(0, a->hi);
    case AST_FIND:
        return cell_range_integers(-1, AST_MAX_LENGTH);
    case AST_ORDER:
        return cell_range_integers(-1, 1);
    case AST_UTF8_AT:
        return cell_range_integers(-1, 0x10ffff);
    case AST_UTF8_NEXT:
        return cell_range_integers(0, AST_MAX_LENGTH);
    default:
        if (cell_ast_class(n->op) == AST_CLASS_CAST)
            return cell_range_cast(n->type.kind, kind_of(n->args[0]), a);
        return cell_range_operation(n->op, kind_of(n), a, b);
    }
}

static bool is_conditional(enum ast_op op) { return op == AST_LAND || op == AST_LOR || op == AST_CHOOSE; }

struct ast_range cell_flow_range(struct ast_flow *f, const struct ast_env *env, const struct ast_node *n)
{
    struct ast_range a = {0}, b = {0};
    if (is_conditional(n->op) || n->op == AST_CALL || !n->nargs)
        return n->op == AST_CHOOSE || is_conditional(n->op) ? cell_range_all(kind_of(n)) : combined(f, env, n, &a, &a);
    a = cell_flow_range(f, env, n->args[0]);
    for (uint32_t i = 1; i < n->nargs; i++) {
        b = cell_flow_range(f, env, n->args[i]);
        if (is_folded(n))
            a = cell_range_operation(n->op, kind_of(n), &a, &b);
    }
    return is_folded(n) ? a : combined(f, env, n, &a, &b);
}

/* ---- with checks ---- */

static int not_proven(struct ast_flow *f, const struct ast_node *n, const char *what, const char *guard)
{
    if (n->proven & AST_IN_BOUNDS || f->c->f->status)
        return CELL_OK;
    return cell_ast_refuse(f->c, n,
                           "%s, and the function has no status to say so: guard it with \"if\" (%s), or return"
                           " a status",
                           what, guard);
}

static int check_index(struct ast_flow *f, struct ast_node *n, const struct ast_range *index)
{
    if (cell_range_within(index, 0, (ast_wide)n->args[0]->type.count - 1))
        n->proven |= AST_IN_BOUNDS;
    return not_proven(f, n, "the index may be out of range", "index >= 0 && index < length of the array");
}

/* Whether `n` is the rest of a division by something that is at most the length of `text`. */
static bool is_rest_of_length(struct ast_flow *f, const struct ast_env *env, const struct ast_node *n, uint32_t text)
{
    if (n->op != AST_REM || !cell_kind_is_integer(n->type.kind) || cell_env_length_of(f, env, n->args[1]) != text)
        return false;
    return cell_flow_range(f, env, n->args[1]).lo >= 0;
}

static int check_byte(struct ast_flow *f, struct ast_env *env, struct ast_node *n, const struct ast_range *text,
                      const struct ast_range *index)
{
    const uint32_t var = cell_env_variable(f, env, n->args[1]);
    const bool below =
        n->args[0]->op == AST_VARIABLE && ((var != UINT32_MAX && cell_env_has_fact(env, var, n->args[0]->ref)) ||
                                           is_rest_of_length(f, env, n->args[1], n->args[0]->ref));
    if (index->lo >= 0 && (below || index->hi < text->lo))
        n->proven |= AST_IN_BOUNDS;
    return not_proven(f, n, "the index may be out of the string", "index < length of the string");
}

static int check_operation(struct ast_flow *f, struct ast_env *env, struct ast_node *n, const struct ast_range *a,
                           const struct ast_range *b)
{
    switch (n->op) {
    case AST_ELEMENT:
        return check_index(f, n, b);
    case AST_BYTE:
        return check_byte(f, env, n, a, b);
    case AST_DIV:
    case AST_REM:
        if (!cell_kind_is_integer(kind_of(n)))
            return CELL_OK;
        n->proven |= cell_range_divide_proven(kind_of(n), a, b);
        return not_proven(f, n, "the divisor may be 0", "divisor != 0");
    case AST_SHL:
    case AST_SHR:
        if (cell_range_within(b, 0, cell_ast_width(kind_of(n)) - 1))
            n->proven |= AST_IN_BOUNDS;
        return CELL_OK;
    case AST_FMIN:
    case AST_FMAX:
    case AST_COPYSIGN:
    case AST_SIGNBIT:
        if (!(n->op == AST_SIGNBIT ? a : b)->nan)
            n->proven |= AST_IN_BOUNDS;
        return CELL_OK;
    default:
        if (cell_ast_class(n->op) == AST_CLASS_CAST && cell_ast_is_float(kind_of(n->args[0])) &&
            cell_kind_is_integer(n->type.kind) && cell_range_fits(n->type.kind, a))
            n->proven |= AST_IN_BOUNDS;
        return CELL_OK;
    }
}

/* && and ||: each operand is only reached when those before it were true (false). */
static int flow_logic(struct ast_flow *f, struct ast_env *env, struct ast_node *n, struct ast_range *range)
{
    struct ast_env *here = cell_env_copy(f, env);
    struct ast_range unused;
    int r = here ? CELL_OK : cell_ast_no_memory(f->c);
    for (uint32_t i = 0; i < n->nargs && r == CELL_OK; i++) {
        r = cell_flow_expression(f, here, n->args[i], &unused);
        if (r == CELL_OK)
            cell_env_refine(f, here, n->args[i], n->op == AST_LAND);
    }
    cell_env_drop(f, here);
    *range = cell_range_all(CELL_KIND_BOOL);
    return r;
}

static int flow_choice(struct ast_flow *f, struct ast_env *env, struct ast_node *n, struct ast_range *range)
{
    struct ast_range each[2];
    int r = cell_flow_expression(f, env, n->args[0], &each[0]);
    for (uint32_t i = 0; i < 2 && r == CELL_OK; i++) {
        struct ast_env *here = cell_env_copy(f, env);
        if (!here)
            return cell_ast_no_memory(f->c);
        cell_env_refine(f, here, n->args[0], i == 0);
        r = cell_flow_expression(f, here, n->args[i + 1], &each[i]);
        cell_env_drop(f, here);
    }
    if (r == CELL_OK)
        *range = cell_range_join(&each[0], &each[1]);
    return r;
}

static bool is_exact(const struct ast_node *n, const struct ast_range *a, const struct ast_range *b)
{
    return cell_kind_is_integer(kind_of(n)) &&
           (cell_ast_class(n->op) == AST_CLASS_ARITH1 || cell_ast_class(n->op) == AST_CLASS_ARITH) &&
           cell_range_exact(n->op, kind_of(n), a, b);
}

int cell_flow_expression(struct ast_flow *f, struct ast_env *env, struct ast_node *n, struct ast_range *range)
{
    struct ast_range a = {0}, b = {0};
    bool exact = true;
    int r = CELL_OK;
    if (n->op == AST_LAND || n->op == AST_LOR)
        return flow_logic(f, env, n, range);
    if (n->op == AST_CHOOSE)
        return flow_choice(f, env, n, range);
    if (n->op == AST_VARIABLE && !env->known[n->ref].assigned && !env->dead)
        return cell_ast_refuse(f->c, n, "'%s' may be read here before it has a value", f->c->f->variables[n->ref].name);
    for (uint32_t i = 0; i < n->nargs && r == CELL_OK; i++) {
        r = cell_flow_expression(f, env, n->args[i], i == 0 ? &a : &b);
        exact = exact && r == CELL_OK && ((i == 0 && n->nargs > 1) || is_exact(n, &a, &b));
        if (r == CELL_OK && i > 0 && is_folded(n))
            a = cell_range_operation(n->op, kind_of(n), &a, &b);
    }
    if (r < 0)
        return r;
    if (exact && n->nargs)
        n->proven |= AST_NO_OVERFLOW;
    *range = is_folded(n) ? a : combined(f, env, n, &a, &b);
    return check_operation(f, env, n, &a, &b);
}

int cell_flow_place(struct ast_flow *f, struct ast_env *env, struct ast_node *n)
{
    struct ast_range index;
    int r = CELL_OK;
    if (n->op == AST_VARIABLE)
        return CELL_OK;
    r = cell_flow_place(f, env, n->args[0]);
    if (r == CELL_OK && n->op == AST_ELEMENT) {
        r = cell_flow_expression(f, env, n->args[1], &index);
        if (r == CELL_OK)
            r = check_index(f, n, &index);
    }
    return r;
}
