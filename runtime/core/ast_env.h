/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What is known about a function's variables at one place of it. Internal to the flow analysis. */
#ifndef CELL_CORE_AST_ENV_H
#define CELL_CORE_AST_ENV_H

#include "core/ast_range.h"

#define AST_MAX_FACTS 24u

/* The integer variable `var` is less than the length of the string variable `text`; or, not `strict`, not more. */
struct ast_fact {
    uint32_t var, text;
    bool strict;
};

struct ast_known {
    struct ast_range range;
    bool assigned;
};

struct ast_env {
    struct ast_env *next; /* in the list of those that are not in use */
    bool dead;            /* control does not come here */
    uint32_t nfacts;
    struct ast_fact facts[AST_MAX_FACTS];
    struct ast_known known[]; /* one a variable */
};

/* Where a break goes. */
struct ast_exit {
    struct ast_exit *outer;
    struct ast_env *env; /* of all breaks together */
};

struct ast_flow {
    struct ast_check *c;
    struct ast_env *unused;
    struct ast_exit *exit;
    struct ast_range *tables;  /* of the elements of each table */
    struct ast_range *results; /* of each function before this one */
    bool returned;             /* results[this one] holds something */
};

/* ast_env.c. A copy, or NULL: memory is short. */
struct ast_env *cell_env_copy(struct ast_flow *f, const struct ast_env *from);
void cell_env_drop(struct ast_flow *f, struct ast_env *env); /* NULL is accepted */
/* What holds in both. */
void cell_env_join(const struct ast_flow *f, struct ast_env *to, const struct ast_env *from);
/* A variable has another value now; `range` NULL = any of its type. */
void cell_env_assign(const struct ast_flow *f, struct ast_env *env, uint32_t var, const struct ast_range *range);
void cell_env_add_fact(struct ast_env *env, uint32_t var, uint32_t text, bool strict);
bool cell_env_has_fact(const struct ast_env *env, uint32_t var, uint32_t text);
/* What follows from a condition that is `holds`. */
void cell_env_refine(struct ast_flow *f, struct ast_env *env, const struct ast_node *condition, bool holds);
/* The variable whose value `n` has, through casts that change no value; UINT32_MAX = none. */
uint32_t cell_env_variable(struct ast_flow *f, const struct ast_env *env, const struct ast_node *n);
/* The string variable whose length `n` is not more than (and with `exactly`: is); UINT32_MAX = none. */
uint32_t cell_env_length_of(struct ast_flow *f, const struct ast_env *env, const struct ast_node *n);

/* ast_flow_expr.c. The range of an expression, without looking for faults, and without what nested conditions tell. */
struct ast_range cell_flow_range(struct ast_flow *f, const struct ast_env *env, const struct ast_node *n);
/* The same, with all checks: of what is read before it has a value, of faults. Fills in `proven`. */
int cell_flow_expression(struct ast_flow *f, struct ast_env *env, struct ast_node *n, struct ast_range *range);
/* A place that is written: only its indices are read. */
int cell_flow_place(struct ast_flow *f, struct ast_env *env, struct ast_node *n);
static inline const struct ast_node *cell_ast_root(const struct ast_node *n)
{
    while (n->op == AST_FIELD || n->op == AST_ELEMENT)
        n = n->args[0];
    return n;
}

#endif
