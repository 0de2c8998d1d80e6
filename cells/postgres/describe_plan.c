/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the generic plan of a statement shows: whether all its joins are inner ones, and which tables it reads whole. */
#include <jansson.h>
#include <string.h>

#include "describe.h"

/* Nodes through which a column of a table arrives as it is, or its row does not. Not here: Append and its like (UNION),
 * SetOp, Recursive Union, Foreign Scan and Custom Scan, which may hide joins. */
static const char *const transparent[] = {
    "Seq Scan",         "Index Scan",    "Index Only Scan", "Bitmap Heap Scan", "Bitmap Index Scan",
    "BitmapAnd",        "BitmapOr",      "Tid Scan",        "Sample Scan",      "CTE Scan",
    "Subquery Scan",    "Function Scan", "Values Scan",     "Nested Loop",      "Hash Join",
    "Merge Join",       "Hash",          "Materialize",     "Memoize",          "Sort",
    "Incremental Sort", "Limit",         "Unique",          "LockRows",         "Aggregate",
    "WindowAgg",        "Gather",        "Gather Merge",    "Result",           "ModifyTable",
    "Tid Range Scan",   "Group",
};

static bool is_transparent(const json_t *node)
{
    const char *type = json_string_value(json_object_get(node, "Node Type"));
    const char *join = json_string_value(json_object_get(node, "Join Type"));

    if (!type || json_object_get(node, "Grouping Sets"))
        return false;
    if (join && strcmp(join, "Inner") != 0 && strcmp(join, "Semi") != 0)
        return false;
    for (size_t i = 0; i < sizeof(transparent) / sizeof(transparent[0]); i++)
        if (strcmp(transparent[i], type) == 0)
            return true;
    return false;
}

static void note_scan(struct pg_arena *arena, const json_t *node, struct pg_description *d)
{
    const char *type = json_string_value(json_object_get(node, "Node Type"));
    const char *table = json_string_value(json_object_get(node, "Relation Name"));
    const char *schema = json_string_value(json_object_get(node, "Schema"));

    if (!type || strcmp(type, "Seq Scan") != 0 || !table || d->nscans >= 16)
        return;
    d->scans[d->nscans].table = pg_strdup(arena, table);
    d->scans[d->nscans++].schema = pg_strdup(arena, schema ? schema : "");
}

static void walk(struct pg_arena *arena, const json_t *node, struct pg_description *d, struct pg_plan_facts *facts)
{
    const json_t *plans = json_object_get(node, "Plans"), *child;
    size_t i;

    facts->inner = facts->inner && is_transparent(node);
    note_scan(arena, node, d);
    json_array_foreach(plans, i, child) walk(arena, child, d, facts);
}

bool pg_plan_read(struct pg_arena *arena, const char *json, struct pg_description *description,
                  struct pg_plan_facts *facts)
{
    json_t *root = json_loads(json, 0, NULL);
    const json_t *plan = json_object_get(json_array_get(root, 0), "Plan");

    facts->inner = false;
    description->scans = pg_array(arena, 16, sizeof(*description->scans));
    description->nscans = 0;
    if (plan && description->scans) {
        facts->inner = true;
        walk(arena, plan, description, facts);
    }
    json_decref(root);
    return plan != NULL;
}
