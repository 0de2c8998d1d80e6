/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "core/ast_env.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t env_size(const struct ast_flow *f)
{
    return sizeof(struct ast_env) + f->c->f->nvariables * sizeof(struct ast_known);
}

struct ast_env *cell_env_copy(struct ast_flow *f, const struct ast_env *from)
{
    struct ast_env *env = f->unused;
    if (env)
        f->unused = env->next;
    else
        env = malloc(env_size(f));
    if (env)
        memcpy(env, from, env_size(f));
    return env;
}

void cell_env_drop(struct ast_flow *f, struct ast_env *env)
{
    if (!env)
        return;
    env->next = f->unused;
    f->unused = env;
}

static bool same_fact(const struct ast_fact *a, const struct ast_fact *b)
{
    return a->var == b->var && a->text == b->text && a->strict == b->strict;
}

void cell_env_join(const struct ast_flow *f, struct ast_env *to, const struct ast_env *from)
{
    uint32_t kept = 0;
    if (from->dead)
        return;
    if (to->dead) {
        memcpy(to, from, env_size(f));
        return;
    }
    for (uint32_t i = 0; i < f->c->f->nvariables; i++) {
        to->known[i].range = cell_range_join(&to->known[i].range, &from->known[i].range);
        to->known[i].assigned = to->known[i].assigned && from->known[i].assigned;
    }
    for (uint32_t i = 0; i < to->nfacts; i++)
        for (uint32_t k = 0; k < from->nfacts; k++)
            if (same_fact(&to->facts[i], &from->facts[k])) {
                to->facts[kept++] = to->facts[i];
                break;
            }
    to->nfacts = kept;
}

void cell_env_assign(const struct ast_flow *f, struct ast_env *env, uint32_t var, const struct ast_range *range)
{
    const struct schema_ref *type = &f->c->f->variables[var].type;
    uint32_t kept = 0;
    env->known[var].range = range ? *range : cell_range_all(type->count ? CELL_KIND_STRUCT : cell_ast_scalar(type));
    env->known[var].assigned = true;
    for (uint32_t i = 0; i < env->nfacts; i++)
        if (env->facts[i].var != var && env->facts[i].text != var)
            env->facts[kept++] = env->facts[i];
    env->nfacts = kept;
}

void cell_env_add_fact(struct ast_env *env, uint32_t var, uint32_t text, bool strict)
{
    const struct ast_fact fact = {var, text, strict};
    for (uint32_t i = 0; i < env->nfacts; i++)
        if (same_fact(&env->facts[i], &fact))
            return;
    if (env->nfacts < AST_MAX_FACTS)
        env->facts[env->nfacts++] = fact;
}

bool cell_env_has_fact(const struct ast_env *env, uint32_t var, uint32_t text)
{
    for (uint32_t i = 0; i < env->nfacts; i++)
        if (env->facts[i].var == var && env->facts[i].text == text && env->facts[i].strict)
            return true;
    return false;
}

uint32_t cell_env_variable(struct ast_flow *f, const struct ast_env *env, const struct ast_node *n)
{
    while (cell_ast_class(n->op) == AST_CLASS_CAST && cell_kind_is_integer(n->type.kind) && !n->args[0]->type.count &&
           cell_kind_is_integer(cell_ast_scalar(&n->args[0]->type))) {
        const struct ast_range inner = cell_flow_range(f, env, n->args[0]), all = cell_range_all(n->type.kind);
        if (!cell_range_within(&inner, all.lo, all.hi))
            return UINT32_MAX;
        n = n->args[0];
    }
    return n->op == AST_VARIABLE && !n->type.count ? n->ref : UINT32_MAX;
}

uint32_t cell_env_length_of(struct ast_flow *f, const struct ast_env *env, const struct ast_node *n)
{
    while (cell_ast_class(n->op) == AST_CLASS_CAST && cell_kind_is_integer(n->type.kind) &&
           n->args[0]->op != AST_VARIABLE) {
        const struct ast_range inner = cell_flow_range(f, env, n->args[0]), all = cell_range_all(n->type.kind);
        if (!cell_range_within(&inner, all.lo, all.hi))
            return UINT32_MAX;
        n = n->args[0];
    }
    if (n->op == AST_LENGTH && n->args[0]->op == AST_VARIABLE)
        return n->args[0]->ref;
    const uint32_t var = cell_env_variable(f, env, n);
    for (uint32_t i = 0; var != UINT32_MAX && i < env->nfacts; i++)
        if (env->facts[i].var == var)
            return env->facts[i].text;
    return UINT32_MAX;
}

/* ---- conditions ---- */

static enum ast_op opposite(enum ast_op op)
{
    switch (op) {
    case AST_LT:
        return AST_GE;
    case AST_LE:
        return AST_GT;
    case AST_GT:
        return AST_LE;
    case AST_GE:
        return AST_LT;
    case AST_EQ:
        return AST_NE;
    default:
        return AST_EQ;
    }
}

/* a op b as b op' a. */
static enum ast_op mirrored(enum ast_op op)
{
    return op == AST_LT ? AST_GT : op == AST_GT ? AST_LT : op == AST_LE ? AST_GE : op == AST_GE ? AST_LE : op;
}

/* What of `r` can be `op` to a value of `b`. */
static void narrow(struct ast_range *r, enum ast_op op, const struct ast_range *b)
{
    struct ast_range n = *r;
    if ((op == AST_LT || op == AST_LE || op == AST_EQ) && b->hi - (op == AST_LT) < n.hi)
        n.hi = b->hi - (op == AST_LT);
    if ((op == AST_GT || op == AST_GE || op == AST_EQ) && b->lo + (op == AST_GT) > n.lo)
        n.lo = b->lo + (op == AST_GT);
    if (op == AST_NE && b->lo == b->hi) {
        n.nonzero = n.nonzero || b->lo == 0;
        n.lo += n.lo == b->lo;
        n.hi -= n.hi == b->lo;
    }
    if (n.lo <= n.hi) /* else control does not come here, which nothing needs to know */
        *r = n;
}

static void narrow_real(struct ast_range *r, enum ast_op op, bool holds, const struct ast_range *b)
{
    struct ast_range n = *r;
    if (!holds && b->nan) /* with NaN nothing holds, and so nothing follows */
        return;
    if (op == AST_NE ? !holds : holds)
        n.nan = false;
    if (!holds)
        op = opposite(op);
    const double most = op == AST_LT ? nextafter(b->fhi, -INFINITY) : b->fhi;
    const double least = op == AST_GT ? nextafter(b->flo, INFINITY) : b->flo;
    if ((op == AST_LT || op == AST_LE || op == AST_EQ) && most < n.fhi)
        n.fhi = most;
    if ((op == AST_GT || op == AST_GE || op == AST_EQ) && least > n.flo)
        n.flo = least;
    if (n.flo <= n.fhi)
        *r = n;
}

/* A string is at least as long as what is not more than its length. */
static void lengthen(struct ast_env *env, uint32_t var)
{
    for (uint32_t i = 0; i < env->nfacts; i++) {
        struct ast_range *text = &env->known[env->facts[i].text].range;
        const ast_wide least = env->known[var].range.lo + env->facts[i].strict;
        if (env->facts[i].var == var && least > text->lo && least <= text->hi)
            text->lo = least;
    }
}

/* What `a op b` says about a. */
static void refine_side(struct ast_flow *f, struct ast_env *env, const struct ast_node *a, enum ast_op op, bool holds,
                        const struct ast_node *b)
{
    const struct ast_range right = cell_flow_range(f, env, b);
    if (a->op == AST_VARIABLE && !a->type.count && cell_ast_is_float(a->type.kind)) {
        narrow_real(&env->known[a->ref].range, op, holds, &right);
        return;
    }
    if (cell_ast_is_float(cell_ast_scalar(&a->type)))
        return;
    op = holds ? op : opposite(op);
    const uint32_t var = cell_env_variable(f, env, a);
    if (var != UINT32_MAX) {
        narrow(&env->known[var].range, op, &right);
        lengthen(env, var);
    }
    if (a->op == AST_LENGTH && a->args[0]->op == AST_VARIABLE)
        narrow(&env->known[a->args[0]->ref].range, op, &right);
    if (var == UINT32_MAX || (op != AST_LT && op != AST_LE))
        return;
    const uint32_t text = cell_env_length_of(f, env, b);
    if (text != UINT32_MAX)
        cell_env_add_fact(env, var, text, op == AST_LT);
}

void cell_env_refine(struct ast_flow *f, struct ast_env *env, const struct ast_node *n, bool holds)
{
    switch (n->op) {
    case AST_LNOT:
        cell_env_refine(f, env, n->args[0], !holds);
        break;
    case AST_LAND:
    case AST_LOR:
        for (uint32_t i = 0; holds == (n->op == AST_LAND) && i < n->nargs; i++)
            cell_env_refine(f, env, n->args[i], holds);
        break;
    case AST_ISNAN:
        if (!holds && n->args[0]->op == AST_VARIABLE)
            env->known[n->args[0]->ref].range.nan = false;
        break;
    case AST_ISFINITE:
        if (holds && n->args[0]->op == AST_VARIABLE) {
            struct ast_range *known = &env->known[n->args[0]->ref].range;
            known->nan = false;
            known->flo = fmax(known->flo, -DBL_MAX);
            known->fhi = fmin(known->fhi, DBL_MAX);
        }
        break;
    default:
        if (n->op >= AST_LT && n->op <= AST_NE && n->args[0]->type.kind != CELL_KIND_BOOL) {
            refine_side(f, env, n->args[0], n->op, holds, n->args[1]);
            refine_side(f, env, n->args[1], mirrored(n->op), holds, n->args[0]);
        }
    }
}
