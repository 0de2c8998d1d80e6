/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What a condition that holds says of the columns in it: `x > 1` does not hold for NULL. */
#include <string.h>

#include "nullable_impl.h"

/* What is known of an expression. */
enum truth { HOLDS, FAILS, KNOWN /* it is not NULL */ };

struct learning {
    struct null_analysis *analysis;
    struct null_level *level;
    uint32_t first, last; /* items that may be learned about */
};

void null_learn_field(struct null_level *level, struct null_ref ref, uint32_t first, uint32_t last)
{
    bool inside = false;

    for (uint32_t i = first; i < last && !inside; i++)
        inside = level->items.at[i] == ref.item;
    if (!inside || ref.item->frozen)
        return;
    /* A column that is not NULL was not made so by an outer join, and neither was what else is on that side. */
    uint64_t undone = ref.item->nulled_by & ~(UINT64_C(1) << 63);
    ref.item->fields[ref.field].value.not_null = true;
    for (uint32_t i = first; i < last; i++)
        level->items.at[i]->nulled_by &= ~undone;
}

static void learn(struct learning *l, const json_t *wrapped, enum truth truth);

static void learn_all(struct learning *l, const json_t *list, enum truth truth)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        learn(l, json_array_get(list, i), truth);
}

static void learn_bool(struct learning *l, const json_t *body, enum truth truth)
{
    const char *op = null_text(body, "boolop");
    const json_t *args = json_object_get(body, "args");

    if (!op)
        return;
    if (strcmp(op, "NOT_EXPR") == 0)
        learn_all(l, args, truth == HOLDS ? FAILS : truth == FAILS ? HOLDS : KNOWN);
    else if ((strcmp(op, "AND_EXPR") == 0 && truth == HOLDS) || (strcmp(op, "OR_EXPR") == 0 && truth == FAILS))
        learn_all(l, args, truth);
}

static bool is_row(const json_t *wrapped) { return null_is(null_node_of(wrapped), "RowExpr"); }

static void learn_operator(struct learning *l, const json_t *body, enum truth truth)
{
    const char *kind = null_text(body, "kind"), *name;
    const json_t *left = json_object_get(body, "lexpr"), *right = json_object_get(body, "rexpr");
    struct null_callable op;

    if (!kind || is_row(left) || is_row(right))
        return;
    if (strcmp(kind, "AEXPR_NULLIF") == 0) {
        learn(l, left, KNOWN);
        return;
    }
    if (strncmp(kind, "AEXPR_BETWEEN", 13) == 0 || strncmp(kind, "AEXPR_NOT_BETWEEN", 17) == 0) {
        if (truth == HOLDS) /* x >= low AND x <= high, or x < low OR x > high */
            learn(l, left, KNOWN);
        return;
    }
    bool plain = strcmp(kind, "AEXPR_OP") == 0 || strcmp(kind, "AEXPR_LIKE") == 0 || strcmp(kind, "AEXPR_ILIKE") == 0;
    bool in = strcmp(kind, "AEXPR_IN") == 0, any = strcmp(kind, "AEXPR_OP_ANY") == 0;
    if ((!plain && !in && !(any && truth == HOLDS)) || !null_operator(l->analysis, body, &name, &op) || !op.strict)
        return;
    learn(l, left, KNOWN);
    if (plain || any)
        learn(l, right, KNOWN);
}

static void learn_test(struct learning *l, const json_t *body, enum truth truth)
{
    const char *type = null_text(body, "nulltesttype");
    bool is_null = type && strcmp(type, "IS_NULL") == 0;

    if ((truth == HOLDS && !is_null) || (truth == FAILS && is_null))
        learn(l, json_object_get(body, "arg"), KNOWN);
}

static void learn_boolean_test(struct learning *l, const json_t *body, enum truth truth)
{
    const char *type = null_text(body, "booltesttype");
    const json_t *arg = json_object_get(body, "arg");

    if (!type || truth != HOLDS)
        return;
    if (strcmp(type, "IS_TRUE") == 0)
        learn(l, arg, HOLDS);
    else if (strcmp(type, "IS_FALSE") == 0)
        learn(l, arg, FAILS);
    else if (strcmp(type, "IS_NOT_UNKNOWN") == 0)
        learn(l, arg, KNOWN);
}

/* x IN (SELECT …), x = ANY (SELECT …) */
static void learn_sub_link(struct learning *l, const json_t *body, enum truth truth)
{
    const char *type = null_text(body, "subLinkType");
    const json_t *test = json_object_get(body, "testexpr"), *names = json_object_get(body, "operName");
    const char *op = names ? null_string(json_array_get(names, json_array_size(names) - 1)) : "=";
    struct null_callable callable;

    if (truth == HOLDS && type && strcmp(type, "ANY_SUBLINK") == 0 && op && !is_row(test) &&
        json_array_size(names) < 2 && l->analysis->catalog->operation(l->analysis->catalog->user, op, 2, &callable) &&
        callable.strict)
        learn(l, test, KNOWN);
}

static void learn_call(struct learning *l, const json_t *body)
{
    struct null_callable callable;
    const char *name;

    if (!json_object_get(body, "over") && !json_is_true(json_object_get(body, "func_variadic")) &&
        null_function(l->analysis, body, &name, &callable) && callable.strict && !callable.sets)
        learn_all(l, json_object_get(body, "args"), KNOWN);
}

static void learn_column(struct learning *l, const json_t *body)
{
    struct null_ref ref;

    if (null_resolve_here(l->level, body, &ref) == 1)
        null_learn_field(l->level, ref, l->first, l->last);
}

static void learn_cast(struct learning *l, const json_t *body)
{
    struct null_ref ref;
    struct null_node arg = null_node_of(json_object_get(body, "arg"));
    char category = 0;

    if (null_is(arg, "ColumnRef") && null_resolve_here(l->level, arg.body, &ref) == 1)
        category = ref.item->fields[ref.field].value.category;
    if (null_cast_is_safe(body, category))
        learn(l, json_object_get(body, "arg"), KNOWN);
}

static void learn(struct learning *l, const json_t *wrapped, enum truth truth)
{
    struct null_node n = null_node_of(wrapped);

    if (l->analysis->depth >= NULL_MAX_DEPTH)
        return;
    null_enter(l->analysis);
    l->analysis->nodes += l->level->names.n / 16;
    if (null_is(n, "BoolExpr"))
        learn_bool(l, n.body, truth);
    else if (null_is(n, "A_Expr"))
        learn_operator(l, n.body, truth);
    else if (null_is(n, "NullTest"))
        learn_test(l, n.body, truth);
    else if (null_is(n, "BooleanTest"))
        learn_boolean_test(l, n.body, truth);
    else if (null_is(n, "SubLink"))
        learn_sub_link(l, n.body, truth);
    else if (null_is(n, "FuncCall"))
        learn_call(l, n.body);
    else if (null_is(n, "ColumnRef"))
        learn_column(l, n.body);
    else if (null_is(n, "TypeCast"))
        learn_cast(l, n.body);
    else if (null_is(n, "CollateClause"))
        learn(l, json_object_get(n.body, "arg"), truth);
    l->analysis->depth--;
}

void null_learn(struct null_analysis *a, struct null_level *level, const json_t *condition, uint32_t first,
                uint32_t last)
{
    struct learning l = {a, level, first, last};

    if (condition)
        learn(&l, condition, HOLDS);
}
