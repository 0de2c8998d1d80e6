/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Names of result columns without AS, as PostgreSQL gives them (FigureColname in its parser). */
#include <string.h>

#include "nullable_impl.h"

static const char *last_string(const json_t *list)
{
    size_t n = json_array_size(list);
    return n ? null_string(json_array_get(list, n - 1)) : NULL;
}

static const char *of_sub_link(const json_t *body)
{
    const char *kind = null_text(body, "subLinkType");
    if (kind && strcmp(kind, "EXISTS_SUBLINK") == 0)
        return "exists";
    if (kind && strcmp(kind, "ARRAY_SUBLINK") == 0)
        return "array";
    if (!kind || strcmp(kind, "EXPR_SUBLINK") != 0)
        return NULL;
    const json_t *select = null_node_of(json_object_get(body, "subselect")).body;
    struct null_node first = null_node_of(json_array_get(json_object_get(select, "targetList"), 0));
    const char *name = null_text(first.body, "name");
    return name ? name : null_name_of(json_object_get(first.body, "val"));
}

/* Of anything but a cast. */
static const char *plain_name(struct null_node n)
{
    if (null_is(n, "ColumnRef"))
        return last_string(json_object_get(n.body, "fields"));
    if (null_is(n, "FuncCall"))
        return last_string(json_object_get(n.body, "funcname"));
    if (null_is(n, "SubLink"))
        return of_sub_link(n.body);
    if (null_is(n, "CoalesceExpr"))
        return "coalesce";
    if (null_is(n, "A_ArrayExpr"))
        return "array";
    if (null_is(n, "RowExpr"))
        return "row";
    if (null_is(n, "GroupingFunc"))
        return "grouping";
    if (null_is(n, "MinMaxExpr")) {
        const char *op = null_text(n.body, "op");
        return op && strcmp(op, "IS_LEAST") == 0 ? "least" : "greatest";
    }
    return NULL;
}

/* A cast has the name of what is cast; when that has none, of the outermost type. */
const char *null_name_of(const json_t *wrapped)
{
    struct null_node n = null_node_of(wrapped);
    const char *type = NULL;

    while (null_is(n, "TypeCast") || null_is(n, "CollateClause")) {
        if (!type && null_is(n, "TypeCast"))
            type = last_string(json_object_get(json_object_get(n.body, "typeName"), "names"));
        n = null_node_of(json_object_get(n.body, "arg"));
    }
    const char *name = plain_name(n);
    return name ? name : type;
}
