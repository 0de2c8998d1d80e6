/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Expressions: whether a value can be NULL. */
#include <string.h>

#include "nullable_impl.h"

static const struct null_value unknown;
static const struct null_value truth_value = {true, 'B'};

bool null_function(struct null_analysis *a, const json_t *call, const char **name, struct null_callable *callable)
{
    const json_t *names = json_object_get(call, "funcname");
    size_t n = json_array_size(names);
    const char *schema = n == 2 ? null_string(json_array_get(names, 0)) : NULL;
    int nargs = (int)json_array_size(json_object_get(call, "args"));

    *callable = (struct null_callable){0};
    *name = n ? null_string(json_array_get(names, n - 1)) : NULL;
    null_visit(a);
    return *name && n <= 2 && a->catalog->function(a->catalog->user, schema, *name, nargs, callable);
}

bool null_operator(struct null_analysis *a, const json_t *expr, const char **name, struct null_callable *callable)
{
    const json_t *names = json_object_get(expr, "name");
    size_t n = json_array_size(names);
    int nargs = json_object_get(expr, "lexpr") ? 2 : 1;

    *callable = (struct null_callable){0};
    *name = n ? null_string(json_array_get(names, n - 1)) : NULL;
    null_visit(a);
    return *name && n == 1 && a->catalog->operation(a->catalog->user, *name, nargs, callable);
}

static struct null_value column(struct null_analysis *a, struct null_level *level, const json_t *body)
{
    struct null_ref ref;

    for (struct null_level *l = level; l; l = l->parent) {
        a->nodes += l->names.n / 16;
        null_visit(a);
        int found = null_resolve_here(l, body, &ref);
        if (found == 0)
            continue;
        if (l != level)
            a->outer_reference = true;
        if (found < 0)
            break;
        struct null_value v = null_value_of(ref);
        v.not_null = v.not_null && !l->grouping_sets;
        return v;
    }
    a->outer_reference = true; /* or not: it is not known */
    return unknown;
}

/* All of them are not NULL. */
static bool all_not_null(struct null_analysis *a, struct null_level *level, const json_t *list)
{
    bool all = true;

    for (size_t i = 0; i < json_array_size(list); i++)
        all = null_eval(a, level, json_array_get(list, i)).not_null && all;
    return all;
}

static struct null_value constant(const json_t *body)
{
    if (json_is_true(json_object_get(body, "isnull")))
        return unknown;
    if (json_object_get(body, "ival") || json_object_get(body, "fval"))
        return (struct null_value){true, 'N'};
    if (json_object_get(body, "boolval"))
        return truth_value;
    return (struct null_value){true, 'S'};
}

static struct null_value parameter(struct null_analysis *a, const json_t *body)
{
    json_int_t n = json_integer_value(json_object_get(body, "number"));
    bool known = n >= 1 && (size_t)n <= a->noptional;

    return (struct null_value){known && !a->optional[n - 1], 0};
}

static struct null_value coalesce(struct null_analysis *a, struct null_level *level, const json_t *args)
{
    struct null_value result = {0};
    bool in_doubt = false;

    for (size_t i = 0; i < json_array_size(args); i++) {
        const json_t *arg = json_array_get(args, i);
        struct null_value v = null_eval(a, level, arg);
        result.not_null = result.not_null || v.not_null;
        in_doubt = in_doubt || (!v.category && !null_is(null_node_of(arg), "A_Const"));
        if (v.category && (!result.category || result.category == 'S'))
            result.category = v.category; /* a literal takes the type of the others */
    }
    if (in_doubt)
        result.category = 0;
    return result;
}

static struct null_value case_(struct null_analysis *a, struct null_level *level, const json_t *body)
{
    const json_t *list = json_object_get(body, "args"), *otherwise = json_object_get(body, "defresult");
    struct null_value result = null_eval(a, level, otherwise);

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *when = null_node_of(json_array_get(list, i)).body;
        null_eval(a, level, json_object_get(when, "expr"));
        struct null_value v = null_eval(a, level, json_object_get(when, "result"));
        result.not_null = result.not_null && v.not_null;
        if (result.category != v.category)
            result.category = 0;
    }
    return result;
}

static struct null_value sub_link(struct null_analysis *a, struct null_level *level, const json_t *body)
{
    const char *type = null_text(body, "subLinkType");
    struct null_value v;
    bool one_row = null_one_row(a, level, json_object_get(body, "subselect"), &v);

    null_eval(a, level, json_object_get(body, "testexpr"));
    if (!type)
        return unknown;
    if (strcmp(type, "EXISTS_SUBLINK") == 0)
        return truth_value;
    if (strcmp(type, "ARRAY_SUBLINK") == 0)
        return (struct null_value){true, 'A'};
    if (strcmp(type, "EXPR_SUBLINK") != 0)
        return unknown;
    v.not_null = v.not_null && one_row;
    return v;
}

/* + and - give numbers for numbers; what else has a result of a category that is known? */
static char operator_category(const char *name, struct null_value left, struct null_value right)
{
    if (strchr("<>=~!@?", name[0]) || strcmp(name, "&&") == 0)
        return 'B';
    if (left.category == right.category && left.category == 'N')
        return 'N';
    if (strcmp(name, "||") == 0 && (left.category == 'S' || right.category == 'S') && left.category != 'A' &&
        right.category != 'A' && left.category && right.category)
        return 'S';
    return 0;
}

/* The sum of two paths is NULL when one is closed. 'X' is a type that is not known. */
static bool is_geometric(struct null_value v) { return v.category == 'G' || v.category == 'X'; }

static struct null_value operator_(struct null_analysis *a, struct null_level *level, const json_t *body)
{
    const char *kind = null_text(body, "kind"), *name;
    const json_t *list = json_object_get(body, "rexpr");
    struct null_value left = {true, 0}, right;
    struct null_callable op;

    if (json_object_get(body, "lexpr"))
        left = null_eval(a, level, json_object_get(body, "lexpr"));
    if (null_is(null_node_of(list), "List")) /* of IN and BETWEEN */
        right = (struct null_value){all_not_null(a, level, json_object_get(null_node_of(list).body, "items")), 0};
    else
        right = null_eval(a, level, list);
    if (!kind || strcmp(kind, "AEXPR_NULLIF") == 0)
        return unknown;
    if (strcmp(kind, "AEXPR_DISTINCT") == 0 || strcmp(kind, "AEXPR_NOT_DISTINCT") == 0)
        return truth_value;
    if (strcmp(kind, "AEXPR_OP_ANY") == 0 || strcmp(kind, "AEXPR_OP_ALL") == 0)
        return unknown; /* NULL elements of the array */
    if (strncmp(kind, "AEXPR_BETWEEN", 13) == 0 || strncmp(kind, "AEXPR_NOT_BETWEEN", 17) == 0) {
        struct null_callable less;
        bool sound = a->catalog->operation(a->catalog->user, "<", 2, &op) && op.trusted &&
                     a->catalog->operation(a->catalog->user, "<=", 2, &less) && less.trusted;
        return (struct null_value){sound && left.not_null && right.not_null, 'B'};
    }
    bool sound = null_operator(a, body, &name, &op) && op.trusted && null_is_sound_operator(name) &&
                 !(strcmp(name, "+") == 0 && (is_geometric(left) || is_geometric(right)));
    if (!sound || !left.not_null || !right.not_null)
        return unknown;
    return (struct null_value){true, operator_category(name, left, right)};
}

/* Types of PostgreSQL's own whose casts from each other make no NULL of a value. */
bool null_is_builtin_type(const json_t *type_name, char *category)
{
    static const char *const types[][2] = {
        {"bool", "B"},      {"int2", "N"}, {"int4", "N"},    {"int8", "N"},        {"float4", "N"}, {"float8", "N"},
        {"numeric", "N"},   {"text", "S"}, {"varchar", "S"}, {"bpchar", "S"},      {"name", "S"},   {"date", "D"},
        {"timestamp", "D"}, {"time", "D"}, {"timetz", "D"},  {"timestamptz", "D"}, {"uuid", "u"},   {"bytea", "u"},
        {"interval", "T"},  {"oid", "N"},  {"json", "u"},    {"jsonb", "U"}};
    const json_t *names = json_object_get(type_name, "names");
    size_t n = json_array_size(names);
    const char *name = n ? null_string(json_array_get(names, n - 1)) : NULL;
    const char *schema = n == 2 ? null_string(json_array_get(names, 0)) : NULL;

    if (!name || n > 2 || (n == 2 && (!schema || strcmp(schema, "pg_catalog") != 0)))
        return false;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(types[i][0], name) == 0) {
            *category = json_array_size(json_object_get(type_name, "arrayBounds")) > 0 ? 'A' : types[i][1][0];
            return true;
        }
    return false;
}

/* An infinite moment has no time of day: PostgreSQL makes it NULL. */
static bool is_time_of_day(const json_t *type_name)
{
    const json_t *names = json_object_get(type_name, "names");
    const char *name = null_string(json_array_get(names, json_array_size(names) - 1));

    return name && (strcmp(name, "time") == 0 || strcmp(name, "timetz") == 0);
}

bool null_cast_is_safe(const json_t *body, char category)
{
    const json_t *type = json_object_get(body, "typeName");
    char target;

    if (!null_is_builtin_type(type, &target) || (category == 'D' && is_time_of_day(type)))
        return false;
    /* Of an enum only its text is PostgreSQL's own; a number is by somebody's CREATE CAST. */
    return category == 'E' ? target == 'S' : category && strchr("SNBDTAu", category);
}

static struct null_value cast(struct null_analysis *a, struct null_level *level, const json_t *body)
{
    const json_t *arg = json_object_get(body, "arg");
    struct null_node n = null_node_of(arg);
    struct null_value v = null_eval(a, level, arg);
    char category = 0;

    /* A literal is read as the type, a parameter comes as one, and of an array the elements are cast. */
    bool array = json_array_size(json_object_get(json_object_get(body, "typeName"), "arrayBounds")) > 0;
    bool direct = null_is(n, "A_Const") || null_is(n, "ParamRef") || (null_is(n, "A_ArrayExpr") && array);
    if (!null_is_builtin_type(json_object_get(body, "typeName"), &category))
        category = 'X';
    return (struct null_value){v.not_null && (direct || null_cast_is_safe(body, v.category)), category};
}

static struct null_value session_value(const json_t *body)
{
    const char *op = null_text(body, "op");

    return (struct null_value){op && strcmp(op, "SVFOP_CURRENT_SCHEMA") != 0, op && strstr(op, "USER")   ? 'S'
                                                                              : op && strstr(op, "ROLE") ? 'S'
                                                                                                         : 'D'};
}

static struct null_value eval_node(struct null_analysis *a, struct null_level *level, struct null_node n)
{
    const json_t *args = json_object_get(n.body, "args");

    if (null_is(n, "ColumnRef"))
        return column(a, level, n.body);
    if (null_is(n, "A_Const"))
        return constant(n.body);
    if (null_is(n, "ParamRef"))
        return parameter(a, n.body);
    if (null_is(n, "TypeCast"))
        return cast(a, level, n.body);
    if (null_is(n, "FuncCall"))
        return null_call(a, level, n.body);
    if (null_is(n, "A_Expr"))
        return operator_(a, level, n.body);
    if (null_is(n, "BoolExpr"))
        return (struct null_value){all_not_null(a, level, args), 'B'};
    if (null_is(n, "NullTest") || null_is(n, "BooleanTest")) {
        null_eval(a, level, json_object_get(n.body, "arg"));
        return truth_value;
    }
    if (null_is(n, "CoalesceExpr") || null_is(n, "MinMaxExpr"))
        return coalesce(a, level, args);
    if (null_is(n, "CaseExpr"))
        return case_(a, level, n.body);
    if (null_is(n, "SubLink"))
        return sub_link(a, level, n.body);
    if (null_is(n, "A_ArrayExpr")) {
        all_not_null(a, level, json_object_get(n.body, "elements"));
        return (struct null_value){true, 'A'};
    }
    if (null_is(n, "RowExpr"))
        return (struct null_value){all_not_null(a, level, args), 0};
    if (null_is(n, "CollateClause"))
        return null_eval(a, level, json_object_get(n.body, "arg"));
    if (null_is(n, "SQLValueFunction"))
        return session_value(n.body);
    if (null_is(n, "GroupingFunc"))
        return (struct null_value){true, 'N'};
    a->outer_reference = level->sets = true; /* what is within it was not looked at */
    return unknown;
}

struct null_value null_eval(struct null_analysis *a, struct null_level *level, const json_t *wrapped)
{
    struct null_value v = {0};
    struct null_node n = null_node_of(wrapped);

    if (!n.body)
        return v;
    if (a->depth >= NULL_MAX_DEPTH) {
        a->outer_reference = level->sets = true; /* for all that is known */
        return v;
    }
    null_enter(a);
    v = eval_node(a, level, n);
    a->depth--;
    return v;
}
