/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * One walk over each function in the order of its control: what is assigned, what values variables can have, and so
 * which checks can fail. A loop's body is looked at once, with any value for what the body assigns.
 */
#include <stdlib.h>

#include "core/ast_env.h"

static int flow_block(struct ast_flow *f, struct ast_env *env, struct ast_node *n);

static struct ast_env *copy(struct ast_flow *f, const struct ast_env *env, int *r)
{
    struct ast_env *c = cell_env_copy(f, env);
    *r = c ? CELL_OK : cell_ast_no_memory(f->c);
    return c;
}

/* What is written as a whole has this range now; a part of something that has parts says nothing. */
static void assigned(struct ast_flow *f, struct ast_env *env, const struct ast_node *place,
                     const struct ast_range *range)
{
    if (place->op == AST_VARIABLE)
        cell_env_assign(f, env, place->ref, range);
}

/* Facts that an assignment of `value` to `var` makes. */
static void learn(struct ast_flow *f, struct ast_env *env, uint32_t var, const struct ast_node *value)
{
    const uint32_t text =
        cell_kind_is_integer(cell_ast_scalar(&value->type)) ? cell_env_length_of(f, env, value) : UINT32_MAX;
    if (text != UINT32_MAX && text != var)
        cell_env_add_fact(env, var, text, false);
}

static int flow_let(struct ast_flow *f, struct ast_env *env, struct ast_node *n)
{
    struct ast_range range;
    const struct schema_ref *type = &f->c->f->variables[n->ref].type;
    int r = n->nargs ? cell_flow_expression(f, env, n->args[0], &range) : CELL_OK;
    if (r < 0)
        return r;
    cell_env_assign(f, env, n->ref, n->nargs ? &range : NULL);
    env->known[n->ref].assigned = n->nargs || cell_ast_is_aggregate(type);
    if (n->nargs)
        learn(f, env, n->ref, n->args[0]);
    return CELL_OK;
}

static int flow_assign(struct ast_flow *f, struct ast_env *env, struct ast_node *n)
{
    struct ast_range range;
    int r = cell_flow_place(f, env, n->args[0]);
    if (r == CELL_OK)
        r = cell_flow_expression(f, env, n->args[1], &range);
    if (r < 0)
        return r;
    assigned(f, env, n->args[0], &range);
    return CELL_OK;
}

static int flow_if(struct ast_flow *f, struct ast_env *env, struct ast_node *n)
{
    struct ast_range unused;
    int r;
    struct ast_env *after = copy(f, env, &r);
    if (after)
        after->dead = true; /* joined with the branches as they come */
    for (uint32_t i = 0; i + 1 < n->nargs && r == CELL_OK; i += 2) {
        r = cell_flow_expression(f, env, n->args[i], &unused);
        struct ast_env *then = r == CELL_OK ? copy(f, env, &r) : NULL;
        if (!then)
            break;
        cell_env_refine(f, then, n->args[i], true);
        r = flow_block(f, then, n->args[i + 1]);
        cell_env_join(f, after, then);
        cell_env_drop(f, then);
        cell_env_refine(f, env, n->args[i], false);
    }
    if (r == CELL_OK && n->nargs % 2)
        r = flow_block(f, env, n->args[n->nargs - 1]);
    if (r == CELL_OK)
        cell_env_join(f, env, after);
    cell_env_drop(f, after);
    return r;
}

static void narrow_to_labels(struct ast_flow *f, struct ast_env *env, const struct ast_node *value,
                             const struct ast_node *one)
{
    const uint32_t var = cell_env_variable(f, env, value);
    if (var == UINT32_MAX || !one->nlabels)
        return;
    struct ast_range r = cell_range_integers(one->labels[0], one->labels[0]);
    for (uint32_t i = 1; i < one->nlabels; i++) {
        const struct ast_range label = cell_range_integers(one->labels[i], one->labels[i]);
        r = cell_range_join(&r, &label);
    }
    env->known[var].range = r;
}

static int flow_switch(struct ast_flow *f, struct ast_env *env, struct ast_node *n)
{
    struct ast_range unused;
    int r = cell_flow_expression(f, env, n->args[0], &unused);
    struct ast_env *after = r == CELL_OK ? copy(f, env, &r) : NULL;
    if (!after)
        return r;
    struct ast_exit exit = {.outer = f->exit, .env = after};
    bool has_default = false;
    after->dead = true;
    f->exit = &exit;
    for (uint32_t i = 1; i < n->nargs && r == CELL_OK; i++) {
        struct ast_env *here = copy(f, env, &r);
        if (!here)
            break;
        narrow_to_labels(f, here, n->args[0], n->args[i]);
        has_default = has_default || !n->args[i]->nlabels;
        r = flow_block(f, here, n->args[i]->args[0]);
        cell_env_join(f, after, here);
        cell_env_drop(f, here);
    }
    f->exit = exit.outer;
    env->dead = env->dead || has_default; /* one of them was run */
    if (r == CELL_OK)
        cell_env_join(f, env, after);
    cell_env_drop(f, after);
    return r;
}

/* Forgets what a loop's body assigns: depth is bounded, and so is this. */
static void forget_assigned(struct ast_flow *f, struct ast_env *env, const struct ast_node *n)
{
    const bool was_places = n->op == AST_ASSIGN || n->op == AST_TRY || n->op == AST_STATUS;
    for (uint32_t i = 0; i < n->nargs; i++) {
        const struct ast_node *root = cell_ast_root(n->args[i]);
        const bool written = n->op == AST_ASSIGN ? i == 0
                             : n->op == AST_STATUS && i == 0
                                 ? true
                                 : was_places && f->c->doc->functions[n->ref].params[i - (n->op == AST_STATUS)].out;
        if (written && root->op == AST_VARIABLE) {
            const bool before = env->known[root->ref].assigned;
            cell_env_assign(f, env, root->ref, NULL);
            env->known[root->ref].assigned = before;
        }
        if (!was_places && cell_ast_class(n->args[i]->op) == AST_CLASS_STATEMENT)
            forget_assigned(f, env, n->args[i]);
    }
}

/* The body, from the state at any of its beginnings; env becomes the state behind the loop. */
static int flow_body(struct ast_flow *f, struct ast_env *env, struct ast_env *first, struct ast_node *body)
{
    int r;
    struct ast_env *after = copy(f, env, &r);
    if (!after)
        return r;
    struct ast_exit exit = {.outer = f->exit, .env = after};
    after->dead = true;
    f->exit = &exit;
    r = flow_block(f, first, body);
    f->exit = exit.outer;
    if (r == CELL_OK)
        cell_env_join(f, env, after);
    cell_env_drop(f, after);
    return r;
}

/* The counter: from the first to the one before the end; a FOR up, a DOWN from the other side. */
static void set_counter(struct ast_flow *f, struct ast_env *env, const struct ast_node *n, const struct ast_range *low,
                        const struct ast_range *end, uint32_t text)
{
    struct ast_range counter = cell_range_integers(low->lo, end->hi - 1);
    const ast_wide steps = (ast_wide)n->bound - 1;
    if (n->op == AST_FOR && low->hi + steps < counter.hi)
        counter.hi = low->hi + steps;
    if (n->op == AST_DOWN && end->lo - 1 - steps > counter.lo)
        counter.lo = end->lo - 1 - steps;
    if (counter.hi < counter.lo) /* it never runs */
        counter.hi = counter.lo;
    cell_env_assign(f, env, n->ref, &counter);
    if (text != UINT32_MAX)
        cell_env_add_fact(env, n->ref, text, true);
}

static int flow_counted(struct ast_flow *f, struct ast_env *env, struct ast_node *n)
{
    struct ast_range from, to;
    int r = cell_flow_expression(f, env, n->args[0], &from);
    if (r == CELL_OK)
        r = cell_flow_expression(f, env, n->args[1], &to);
    if (r < 0)
        return r;
    const struct ast_range *low = n->op == AST_FOR ? &from : &to, *end = n->op == AST_FOR ? &to : &from;
    const struct ast_node *last = n->args[n->op == AST_FOR];
    const ast_wide steps = end->hi > low->lo ? end->hi - low->lo : 0;
    n->steps = steps < (ast_wide)UINT64_MAX ? (uint64_t)steps : UINT64_MAX;
    if (steps <= (ast_wide)n->bound)
        n->proven |= AST_IN_BOUNDS;
    uint32_t text = cell_env_length_of(f, env, last);
    if (text != UINT32_MAX)
        cell_env_add_fact(env, n->ref, text, true); /* to see whether the body leaves the string alone */
    forget_assigned(f, env, n->args[2]);
    if (text != UINT32_MAX && !cell_env_has_fact(env, n->ref, text))
        text = UINT32_MAX;
    struct ast_env *first = copy(f, env, &r);
    if (!first)
        return r;
    set_counter(f, first, n, low, end, text);
    r = flow_body(f, env, first, n->args[2]);
    cell_env_drop(f, first);
    return r;
}

static int flow_loop(struct ast_flow *f, struct ast_env *env, struct ast_node *n)
{
    int r;
    forget_assigned(f, env, n->args[0]);
    struct ast_env *first = copy(f, env, &r);
    if (!first)
        return r;
    r = flow_body(f, env, first, n->args[0]);
    cell_env_drop(f, first);
    return r;
}

static int flow_return(struct ast_flow *f, struct ast_env *env, struct ast_node *n)
{
    const struct ast_function *function = f->c->f;
    struct ast_range range = {0}, *result = &f->results[function - f->c->doc->functions];
    int r = n && n->nargs ? cell_flow_expression(f, env, n->args[0], &range) : CELL_OK;
    if (r < 0)
        return r;
    for (uint32_t i = 0; i < function->nparams && !env->dead; i++)
        if (function->params[i].out && !env->known[i].assigned)
            return cell_ast_refuse(f->c, n, "the output '%s' may have no value here", function->params[i].name);
    if (n && n->nargs && !env->dead) {
        *result = f->returned ? cell_range_join(result, &range) : range;
        f->returned = true;
    }
    env->dead = true;
    return CELL_OK;
}

static int flow_try(struct ast_flow *f, struct ast_env *env, struct ast_node *n)
{
    const struct ast_function *called = &f->c->doc->functions[n->ref];
    const uint32_t first = n->op == AST_STATUS;
    struct ast_range unused;
    int r = first ? cell_flow_place(f, env, n->args[0]) : CELL_OK;
    for (uint32_t i = 0; i < called->nparams && r == CELL_OK; i++) {
        struct ast_node *a = n->args[first + i];
        r = called->params[i].out ? cell_flow_place(f, env, a) : cell_flow_expression(f, env, a, &unused);
        if (r == CELL_OK && first && called->params[i].out && a->op == AST_VARIABLE && !env->known[a->ref].assigned &&
            !env->dead)
            return cell_ast_refuse(f->c, n, "'%s' has no value when '%s' fails: give it one before",
                                   f->c->f->variables[a->ref].name, called->name);
    }
    for (uint32_t i = 0; i < called->nparams && r == CELL_OK; i++)
        if (called->params[i].out)
            assigned(f, env, n->args[first + i], NULL);
    if (first && r == CELL_OK)
        assigned(f, env, n->args[0], NULL);
    return r;
}

static int flow_statement(struct ast_flow *f, struct ast_env *env, struct ast_node *n)
{
    switch (n->op) {
    case AST_LET:
        return flow_let(f, env, n);
    case AST_ASSIGN:
        return flow_assign(f, env, n);
    case AST_IF:
        return flow_if(f, env, n);
    case AST_SWITCH:
        return flow_switch(f, env, n);
    case AST_FOR:
    case AST_DOWN:
        return flow_counted(f, env, n);
    case AST_LOOP:
        return flow_loop(f, env, n);
    case AST_RETURN:
        return flow_return(f, env, n);
    case AST_BREAK:
        cell_env_join(f, f->exit->env, env);
        env->dead = true;
        return CELL_OK;
    case AST_CONTINUE: /* the state at the loop's beginning holds for it as it is */
    case AST_FAIL:
        env->dead = true;
        return CELL_OK;
    default:
        return flow_try(f, env, n);
    }
}

static int flow_block(struct ast_flow *f, struct ast_env *env, struct ast_node *n)
{
    int r = CELL_OK;
    for (uint32_t i = 0; i < n->nargs && r == CELL_OK; i++)
        r = flow_statement(f, env, n->args[i]);
    return r;
}

static int flow_function(struct ast_flow *f)
{
    const struct ast_function *function = f->c->f;
    struct ast_env *env = calloc(1, sizeof(*env) + function->nvariables * sizeof(struct ast_known)), *next;
    if (!env)
        return cell_ast_no_memory(f->c);
    for (uint32_t i = 0; i < function->nvariables; i++) {
        const struct ast_variable *v = &function->variables[i];
        cell_env_assign(f, env, i, NULL);
        env->known[i].assigned = v->origin == AST_IN || (v->origin == AST_OUT && cell_ast_is_aggregate(&v->type));
    }
    f->returned = false;
    f->results[function - f->c->doc->functions] = cell_range_all(cell_ast_scalar(&function->returns));
    int r = flow_block(f, env, function->body);
    if (r == CELL_OK && !env->dead)
        r = function->status ? flow_return(f, env, NULL)
                             : cell_ast_refuse(f->c, NULL, "'%s' may end without returning a value", function->name);
    free(env);
    for (; f->unused; f->unused = next) { /* their size is this function's */
        next = f->unused->next;
        free(f->unused);
    }
    return r;
}

static void range_of_table(const struct ast_table *t, struct ast_range *r)
{
    for (uint32_t i = 0; i < t->type.count; i++) {
        const struct ast_node *v = t->values[i];
        const ast_wide whole = v->op == AST_STRING             ? (ast_wide)v->text_len
                               : v->op != AST_INTEGER          ? 0
                               : v->type.kind == CELL_KIND_U64 ? (ast_wide)v->bits
                                                               : (ast_wide)(int64_t)v->bits;
        const struct ast_range one =
            v->op == AST_REAL ? cell_range_reals(v->real, v->real) : cell_range_integers(whole, whole);
        *r = i ? cell_range_join(r, &one) : one;
    }
}

int cell_ast_flow(struct ast_check *c)
{
    struct ast_flow f = {.c = c};
    int r = CELL_OK;
    f.tables = calloc((size_t)c->doc->ntables + 1, sizeof(*f.tables));
    f.results = calloc((size_t)c->doc->nfunctions + 1, sizeof(*f.results));
    if (!f.tables || !f.results)
        r = cell_ast_no_memory(c);
    for (uint32_t i = 0; i < c->doc->ntables && r == CELL_OK; i++)
        range_of_table(&c->doc->tables[i], &f.tables[i]);
    for (uint32_t i = 0; i < c->doc->nfunctions && r == CELL_OK; i++) {
        c->f = &c->doc->functions[i];
        r = flow_function(&f);
    }
    free(f.tables);
    free(f.results);
    return r;
}
