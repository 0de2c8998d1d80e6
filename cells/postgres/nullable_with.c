/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* WITH, and the statements that change something. */
#include <string.h>

#include "nullable_impl.h"

static void rename_columns(struct null_columns *c, const json_t *names)
{
    size_t i;
    const json_t *wrapped;

    json_array_foreach(names, i, wrapped) if (i < c->columns.n) c->columns.at[i].name = null_string(wrapped);
    if (c->open && json_array_size(names) > 0)
        for (uint32_t k = 0; k < c->behind.n; k++)
            c->behind.at[k].name = NULL;
}

/* Whether the table or CTE `name` occurs somewhere in the tree. */
static bool mentions(struct null_analysis *a, const json_t *tree, const char *name)
{
    const char *key, *table = null_text(tree, "relname");
    json_t *member;
    size_t i;
    bool found = table && strcmp(table, name) == 0;

    null_visit(a);
    if (json_is_array(tree)) {
        json_array_foreach(tree, i, member) found = found || mentions(a, member, name);
    } else if (json_is_object(tree)) {
        json_object_foreach((json_t *)(uintptr_t)tree, key, member) found = found || mentions(a, member, name);
    }
    return found;
}

/*
 * WITH RECURSIVE name AS (first UNION next): a column is not NULL when it is not in `first`, and not in `next` if it is
 * not in the rows that that starts from. So what turns out not to hold is taken back until nothing changes.
 */
static void recursive(struct null_analysis *a, struct null_level *level, struct null_cte *cte, const json_t *body)
{
    const json_t *select = null_node_of(json_object_get(body, "ctequery")).body;
    struct null_level left = {.parent = level->parent, .ctes = level->ctes};
    bool changed = true;

    cte->columns = null_select(a, &left, json_object_get(select, "larg"));
    rename_columns(&cte->columns, json_object_get(body, "aliascolnames"));
    cte->next = level->ctes;
    for (uint32_t i = 0; i < cte->columns.columns.n; i++)
        cte->columns.columns.at[i].value.category = 0;
    while (changed) {
        struct null_level right = {.parent = level->parent, .ctes = cte};
        struct null_columns r = null_select(a, &right, json_object_get(select, "rarg"));
        changed = false;
        for (uint32_t i = 0; i < cte->columns.columns.n; i++) {
            struct null_value *v = &cte->columns.columns.at[i].value;
            bool holds = !r.open && !cte->columns.open && i < r.columns.n && r.columns.at[i].value.not_null;
            changed = changed || (v->not_null && !holds);
            v->not_null = v->not_null && holds;
        }
    }
    for (uint32_t i = 0; i < cte->columns.behind.n; i++)
        cte->columns.behind.at[i].value = (struct null_value){0};
}

/* WITH RECURSIVE may name what comes later in the list, which is not known yet. */
static bool looks_ahead(struct null_analysis *a, const json_t *list, size_t i)
{
    const json_t *query = json_object_get(null_node_of(json_array_get(list, i)).body, "ctequery");

    for (size_t k = i + 1; k < json_array_size(list); k++) {
        const char *later = null_text(null_node_of(json_array_get(list, k)).body, "ctename");
        if (later && mentions(a, query, later))
            return true;
    }
    return false;
}

static struct null_cte *cte_of(struct null_analysis *a, struct null_level *level, const json_t *list, size_t i,
                               bool may_recur)
{
    const json_t *body = null_node_of(json_array_get(list, i)).body, *query = json_object_get(body, "ctequery");
    struct null_cte *cte = pg_alloc(&a->arena, sizeof(*cte));
    const char *name = null_text(body, "ctename");

    cte->name = name ? name : "";
    if (may_recur && looks_ahead(a, list, i)) {
        cte->columns.open = true;
    } else if (may_recur && mentions(a, query, cte->name)) {
        const json_t *select = null_node_of(query).body;
        if (json_object_get(select, "larg") && !json_object_get(select, "withClause"))
            recursive(a, level, cte, body);
        else
            cte->columns.open = true;
    } else {
        cte->columns = null_query(a, level->parent, level->ctes, query);
        rename_columns(&cte->columns, json_object_get(body, "aliascolnames"));
    }
    /* These add columns behind the others. */
    if (json_object_get(body, "search_clause") || json_object_get(body, "cycle_clause"))
        null_add_open(&cte->columns);
    return cte;
}

void null_with(struct null_analysis *a, struct null_level *level, const json_t *clause)
{
    const json_t *list = json_object_get(clause, "ctes");

    for (size_t i = 0; i < json_array_size(list); i++) {
        struct null_cte *cte = cte_of(a, level, list, i, json_is_true(json_object_get(clause, "recursive")));
        null_visit(a);
        cte->next = level->ctes;
        level->ctes = cte;
    }
}

/* What RETURNING gives are rows as the table's constraints allow them, but through rules and views. */
static struct null_columns returned(struct null_analysis *a, struct null_level *level, const json_t *list, bool own)
{
    struct null_columns c = null_targets(a, level, list);

    for (uint32_t i = 0; i < c.columns.n && !own; i++)
        c.columns.at[i].value.not_null = false;
    for (uint32_t i = 0; i < c.behind.n && !own; i++)
        c.behind.at[i].value.not_null = false;
    return c;
}

struct null_columns null_change(struct null_analysis *a, struct null_level *level, struct null_node n)
{
    const json_t *list = json_object_get(n.body, "returningList");
    struct null_columns c = {.open = true};
    bool own = false, update = null_is(n, "UpdateStmt"), merge = null_is(n, "MergeStmt");

    if (!update && !merge && !null_is(n, "InsertStmt") && !null_is(n, "DeleteStmt"))
        return c;
    a->statement->writes = true;
    null_enter(a);
    null_with(a, level, json_object_get(n.body, "withClause"));
    if (json_object_get(n.body, "selectStmt")) /* for what it says of locks and CTEs that write */
        null_query(a, NULL, level->ctes, json_object_get(n.body, "selectStmt"));
    struct null_item *target = null_target(a, level, json_object_get(n.body, "relation"), &own);
    if (target)
        target->frozen = update || merge;
    null_from(a, level, json_object_get(n.body, update ? "fromClause" : "usingClause"));
    null_learn(a, level, json_object_get(n.body, "whereClause"), 0, level->items.n);
    if (json_array_size(list) == 0)
        c = (struct null_columns){0};
    else if (!merge)
        c = returned(a, level, list, own);
    a->depth--;
    return c;
}
