/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Whether a statement may be executed twice when nobody knows whether it was executed once. */
#include <string.h>

#include "nullable_impl.h"

/* Volatile, because they give another value each time, and nothing more. */
static bool is_harmless(const char *name)
{
    static const char *const names[] = {"random", "gen_random_uuid", "clock_timestamp", "timeofday"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static bool call_is_harmless(struct null_analysis *a, const json_t *body)
{
    struct null_callable callable;
    const char *name = NULL;

    if (!null_function(a, body, &name, &callable))
        return false;
    return !callable.effects || (callable.builtin && is_harmless(name));
}

/* The one of the name that is found along the search_path; one that is written with its schema is found there alone. */
static bool operator_is_harmless(struct null_analysis *a, const json_t *names, int nargs)
{
    size_t n = json_array_size(names);
    const char *name = null_string(json_array_get(names, n - 1)), *schema = null_string(json_array_get(names, 0));
    struct null_callable callable;

    null_visit(a);
    return name && (n == 1 || (n == 2 && schema && strcmp(schema, "pg_catalog") == 0)) &&
           a->catalog->operation(a->catalog->user, name, nargs, &callable) && !callable.effects;
}

/* BETWEEN is no operator, and stands for some that are PostgreSQL's own. */
static bool operation_is_harmless(struct null_analysis *a, const json_t *body)
{
    const char *kind = null_text(body, "kind");
    bool between = kind && (strncmp(kind, "AEXPR_BETWEEN", 13) == 0 || strncmp(kind, "AEXPR_NOT_BETWEEN", 17) == 0);

    return between || operator_is_harmless(a, json_object_get(body, "name"), json_object_get(body, "lexpr") ? 2 : 1);
}

/* What a type stands for: a cast to it, which may be by somebody's function, and check somebody's domain. */
static bool type_is_harmless(struct null_analysis *a, const json_t *body)
{
    const json_t *names = json_object_get(body, "names");
    size_t n = json_array_size(names);
    const char *schema = n == 2 ? null_string(json_array_get(names, 0)) : NULL;
    const char *name = null_string(json_array_get(names, n - 1));

    null_visit(a);
    return name && n <= 2 && !a->catalog->cast_effects(a->catalog->user, schema, name);
}

/* Names behind a dot: columns, or functions of what stands before it. */
static bool names_are_harmless(struct null_analysis *a, const json_t *names, size_t from)
{
    bool harmless = true;

    for (size_t i = from; i < json_array_size(names) && harmless; i++) {
        const char *name = null_string(json_array_get(names, i));
        null_visit(a);
        harmless = !name || !a->catalog->notation_effects(a->catalog->user, name);
    }
    return harmless;
}

/* A view that the analysis has met is among the trees; what a view is that it has not met is not known. */
static bool table_is_harmless(struct null_analysis *a, const json_t *body)
{
    const char *name = null_text(body, "relname");
    struct null_relation relation;

    null_visit(a);
    if (!a->catalog->relation(a->catalog->user, null_text(body, "schemaname"), name, &relation) || !relation.view)
        return true; /* a CTE, or no view */
    for (size_t i = 0; i < a->nviews; i++)
        if (a->seen[i] == relation.view)
            return true;
    return false;
}

static bool is_change(const char *type)
{
    return strcmp(type, "InsertStmt") == 0 || strcmp(type, "UpdateStmt") == 0 || strcmp(type, "DeleteStmt") == 0 ||
           strcmp(type, "MergeStmt") == 0 || strcmp(type, "lockingClause") == 0 || strcmp(type, "intoClause") == 0;
}

static bool node_is_harmless(struct null_analysis *a, const char *type, const json_t *body)
{
    if (strcmp(type, "FuncCall") == 0)
        return call_is_harmless(a, body);
    if (strcmp(type, "A_Expr") == 0)
        return operation_is_harmless(a, body);
    if (strcmp(type, "RangeVar") == 0)
        return table_is_harmless(a, body);
    if (strcmp(type, "typeName") == 0 || strcmp(type, "TypeName") == 0)
        return type_is_harmless(a, body);
    if (strcmp(type, "ColumnRef") == 0)
        return names_are_harmless(a, json_object_get(body, "fields"), 1);
    if (strcmp(type, "A_Indirection") == 0)
        return names_are_harmless(a, json_object_get(body, "indirection"), 0);
    if (strcmp(type, "operName") == 0 || strcmp(type, "useOp") == 0) /* = ANY (SELECT …), ORDER BY … USING > */
        return operator_is_harmless(a, body, 2);
    return !is_change(type);
}

static bool walk(struct null_analysis *a, const json_t *tree)
{
    const char *key;
    json_t *member;
    size_t i;
    bool harmless = true;

    null_visit(a);
    if (json_is_array(tree))
        json_array_foreach(tree, i, member) harmless = harmless && walk(a, member);
    if (!json_is_object(tree))
        return harmless;
    json_object_foreach((json_t *)(uintptr_t)tree, key, member)
    {
        harmless = harmless && node_is_harmless(a, key, member) && walk(a, member);
    }
    return harmless;
}

bool null_has_no_effects(struct null_analysis *a)
{
    bool harmless = !a->catalog->cast_effects(a->catalog->user, NULL, NULL); /* those that no tree shows */

    for (size_t i = 0; i < a->ntrees; i++)
        harmless = harmless && walk(a, a->trees[i]);
    return harmless;
}
