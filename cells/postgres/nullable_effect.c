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

/* What is no operator (BETWEEN and the like) stands for some that are PostgreSQL's own. */
static bool operation_is_harmless(struct null_analysis *a, const json_t *body)
{
    const json_t *names = json_object_get(body, "name");
    const char *name = null_string(json_array_get(names, json_array_size(names) - 1));
    int nargs = json_object_get(body, "lexpr") ? 2 : 1;
    struct null_callable callable;

    null_visit(a);
    return !name || !a->catalog->operation(a->catalog->user, name, nargs, &callable) || !callable.effects;
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
        if (is_change(key) || (strcmp(key, "FuncCall") == 0 && !call_is_harmless(a, member)) ||
            (strcmp(key, "A_Expr") == 0 && !operation_is_harmless(a, member)) ||
            (strcmp(key, "RangeVar") == 0 && !table_is_harmless(a, member)))
            return false;
        harmless = harmless && walk(a, member);
    }
    return harmless;
}

bool null_has_no_effects(struct null_analysis *a)
{
    bool harmless = true;

    for (size_t i = 0; i < a->ntrees; i++)
        harmless = harmless && walk(a, a->trees[i]);
    return harmless;
}
