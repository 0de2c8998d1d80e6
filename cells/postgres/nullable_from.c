/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* FROM: tables, subqueries, functions and joins, and what the names of columns mean. */
#include <string.h>

#include "nullable_impl.h"

#define MAX_LOOKUPS 512
#define JOIN_BITS 63
/* Beyond so many outer joins they share one bit, which no condition takes away. */
#define LAST_BIT (UINT64_C(1) << JOIN_BITS)

struct null_item *null_item_new(struct null_analysis *a, struct null_level *level, const char *alias, uint32_t n)
{
    struct null_item *item = pg_alloc(&a->arena, sizeof(*item));

    item->alias = alias;
    item->n = n;
    item->fields = pg_array(&a->arena, n ? n : 1, sizeof(*item->fields));
    *pg_push(&a->arena, &level->items) = item;
    return item;
}

void null_publish(struct null_analysis *a, struct null_level *level, struct null_item *item)
{
    for (uint32_t i = 0; i < item->n; i++) {
        null_visit(a);
        *pg_push(&a->arena, &level->names) = (struct null_ref){item, i};
        level->unnamed = level->unnamed || !item->fields[i].name;
    }
    level->open = level->open || item->open;
}

struct null_value null_value_of(struct null_ref ref)
{
    struct null_value v = ref.item->fields[ref.field].value;

    v.not_null = v.not_null && ref.item->nulled_by == 0;
    return v;
}

static int resolve_qualified(const struct null_level *level, const char *table, const char *column,
                             struct null_ref *ref)
{
    for (uint32_t i = 0; i < level->items.n; i++) {
        struct null_item *item = level->items.at[i];
        int found = 0;
        if (!item->alias || strcmp(item->alias, table) != 0)
            continue;
        for (uint32_t k = 0; k < item->n; k++)
            if (item->fields[k].name && strcmp(item->fields[k].name, column) == 0) {
                *ref = (struct null_ref){item, k};
                found++;
            }
        return found == 1 ? 1 : -1;
    }
    return 0;
}

int null_resolve_here(const struct null_level *level, const json_t *column_ref, struct null_ref *ref)
{
    const json_t *fields = json_object_get(column_ref, "fields");
    const char *first = null_string(json_array_get(fields, 0)), *second = null_string(json_array_get(fields, 1));
    size_t n = json_array_size(fields);
    int found = 0;

    if (n == 2 && first && second)
        return resolve_qualified(level, first, second, ref);
    if (n != 1 || !first)
        return -1;
    for (uint32_t i = 0; i < level->names.n; i++) {
        struct null_ref r = level->names.at[i];
        const char *name = r.item->fields[r.field].name;
        if (name && strcmp(name, first) == 0) {
            *ref = r;
            found++;
        }
    }
    if (found == 0)
        return level->open || level->unnamed ? -1 : 0;
    return found == 1 ? 1 : -1;
}

/* `AS alias(names…)` */
static void name_item(struct null_item *item, const json_t *alias)
{
    const json_t *names = json_object_get(alias, "colnames");
    const char *name = null_text(alias, "aliasname");

    if (name)
        item->alias = name;
    for (uint32_t i = 0; i < json_array_size(names) && i < item->n; i++)
        item->fields[i].name = item->open ? NULL : null_string(json_array_get(names, i));
}

/* An item with the columns of a query; those behind an open place have no known position, only a name. */
static struct null_item *item_of(struct null_analysis *a, struct null_level *level, const struct null_columns *c)
{
    struct null_item *item = null_item_new(a, level, NULL, c->columns.n + c->behind.n);

    if (c->columns.n)
        memcpy(item->fields, c->columns.at, c->columns.n * sizeof(*item->fields));
    if (c->behind.n)
        memcpy(item->fields + c->columns.n, c->behind.at, c->behind.n * sizeof(*item->fields));
    item->open = c->open;
    return item;
}

static void fill_view(struct null_analysis *a, struct null_item *item, const struct null_relation *relation)
{
    struct null_columns c = null_view(a, relation->view);

    for (uint32_t i = 0; !c.open && c.columns.n == item->n && i < item->n; i++)
        item->fields[i].value.not_null = c.columns.at[i].value.not_null;
}

static bool look_up(struct null_analysis *a, const json_t *range_var, struct null_relation *relation)
{
    const char *name = null_text(range_var, "relname");

    if (++a->lookups > MAX_LOOKUPS)
        longjmp(a->escape, 2);
    return name && !json_object_get(range_var, "catalogname") &&
           a->catalog->relation(a->catalog->user, null_text(range_var, "schemaname"), name, relation);
}

static struct null_item *item_of_table(struct null_analysis *a, struct null_level *level, const json_t *range_var,
                                       struct null_relation *relation)
{
    *relation = (struct null_relation){0};
    bool known = look_up(a, range_var, relation);
    struct null_item *item = null_item_new(a, level, null_text(range_var, "relname"), (uint32_t)relation->ncolumns);

    item->open = !known;
    for (uint32_t i = 0; i < item->n; i++)
        item->fields[i] = (struct null_field){relation->columns[i].name,
                                              {relation->columns[i].not_null, relation->columns[i].category}};
    return item;
}

struct null_item *null_target(struct null_analysis *a, struct null_level *level, const json_t *range_var, bool *own)
{
    struct null_relation relation;
    struct null_item *item = item_of_table(a, level, range_var, &relation);

    name_item(item, json_object_get(range_var, "alias"));
    *own = relation.returns_own;
    null_publish(a, level, item);
    return item;
}

static struct null_item *from_table(struct null_analysis *a, struct null_level *level, const json_t *range_var)
{
    const char *name = null_text(range_var, "relname");
    struct null_relation relation;
    struct null_item *item;

    for (struct null_level *l = level; l && name && !json_object_get(range_var, "schemaname"); l = l->parent)
        for (struct null_cte *cte = l->ctes; cte; cte = cte->next)
            if (strcmp(cte->name, name) == 0) {
                item = item_of(a, level, &cte->columns);
                item->alias = name;
                return item;
            }
    item = item_of_table(a, level, range_var, &relation);
    if (relation.view)
        fill_view(a, item, &relation);
    return item;
}

/* A subquery sees the queries around this one, and with LATERAL what stands before it here. */
static struct null_item *from_query(struct null_analysis *a, struct null_level *level, const json_t *body)
{
    struct null_level *outside = pg_alloc(&a->arena, sizeof(*outside));

    outside->parent = level->parent;
    outside->ctes = level->ctes;
    struct null_columns c = null_query(a, json_is_true(json_object_get(body, "lateral")) ? level : outside, level->ctes,
                                       json_object_get(body, "subquery"));
    return item_of(a, level, &c);
}

static bool gives_no_null(const char *name)
{
    static const char *const names[] = {"generate_series",     "generate_subscripts", "regexp_split_to_table",
                                        "json_object_keys",    "jsonb_object_keys",   "json_array_elements",
                                        "jsonb_array_elements"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* Numbers of numbers, and moments of days and moments. */
static char category_of_series(struct null_analysis *a, struct null_level *level, const char *name, const json_t *call)
{
    if (strcmp(name, "generate_series") != 0)
        return 0;
    char category = null_eval(a, level, json_array_get(json_object_get(call, "args"), 0)).category;
    return category == 'N' || category == 'D' ? category : 0;
}

/* Of composite values unnest() makes columns, and of several arrays too. */
static bool is_scalar(const char *name, const json_t *call, const struct null_callable *callable)
{
    const json_t *args = json_object_get(call, "args");
    struct null_node first = null_node_of(json_array_get(args, 0));
    char category = 0;

    if (strcmp(name, "unnest") != 0)
        return callable->scalar;
    return callable->builtin && json_array_size(args) == 1 && null_is(first, "TypeCast") &&
           null_is_builtin_type(json_object_get(first.body, "typeName"), &category) && category == 'A';
}

/* One function that gives one column, which has the name of the alias; others are not known. */
static struct null_item *from_function(struct null_analysis *a, struct null_level *level, const json_t *body)
{
    const json_t *functions = json_object_get(body, "functions"), *alias = json_object_get(body, "alias");
    const json_t *parts = json_object_get(null_node_of(json_array_get(functions, 0)).body, "items");
    struct null_node call = null_node_of(json_array_get(parts, 0));
    const char *name = NULL, *alias_name = null_text(alias, "aliasname");
    bool ordinality = json_is_true(json_object_get(body, "ordinality")), rows = json_array_size(functions) != 1;
    struct null_callable callable;
    struct null_item *item;

    if (rows || !null_is(call, "FuncCall") || json_object_get(body, "coldeflist") ||
        null_node_of(json_array_get(parts, 1)).body || !null_function(a, call.body, &name, &callable) ||
        !is_scalar(name, call.body, &callable)) {
        item = null_item_new(a, level, alias_name, 0);
        item->open = true;
        return item;
    }
    item = null_item_new(a, level, alias_name ? alias_name : name, ordinality ? 2 : 1);
    item->fields[0].name = item->alias;
    if (callable.builtin && callable.sets && gives_no_null(name))
        item->fields[0].value = (struct null_value){true, category_of_series(a, level, name, call.body)};
    if (ordinality)
        item->fields[1] = (struct null_field){"ordinality", {true, 'N'}};
    return item;
}

static void from_node(struct null_analysis *a, struct null_level *level, const json_t *wrapped);

static void null_side(struct null_level *level, uint32_t first, uint32_t last)
{
    uint64_t bit = level->joins < JOIN_BITS ? UINT64_C(1) << level->joins++ : LAST_BIT;

    for (uint32_t i = first; i < last; i++)
        level->items.at[i]->nulled_by |= bit;
}

/* What of names[first … last) is called so: 1 with *at, 0, or -1 for several or what is not known. */
static int find_name(const struct null_level *level, uint32_t first, uint32_t last, const char *name, uint32_t *at)
{
    int found = 0;

    for (uint32_t i = first; i < last; i++) {
        const char *other = level->names.at[i].item->fields[level->names.at[i].field].name;
        if (other && name && strcmp(other, name) == 0) {
            *at = i;
            found++;
        }
    }
    return found == 1 ? 1 : found ? -1 : 0;
}

/* A join that is being made: the left side's items and names are [item0, item1) and [name0, name1), the right side's
 * end at the ends of the lists. */
struct join {
    const json_t *body;
    const char *type;
    uint32_t item0, item1, name0, name1;
    bool left_nulls, right_nulls; /* rows without a partner: the left (right) side's columns are made NULL */
};

static struct null_value merged(const struct join *j, struct null_value left, struct null_value right)
{
    struct null_value v = j->left_nulls ? right : left;

    if (j->left_nulls && j->right_nulls) /* one side is there in each row */
        v.not_null = left.not_null && right.not_null;
    else if (!j->left_nulls && !j->right_nulls) /* they are equal */
        v.not_null = true;
    return v;
}

/* USING: one column for two, before all others. The two still have their own names with a dot. */
static void merge_names(struct null_analysis *a, struct null_level *level, const struct join *j,
                        const char *const *names, uint32_t n)
{
    PG_LIST(struct null_ref) result = {0};
    uint32_t last = level->names.n;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t l, r;
        struct null_item *item = null_item_new(a, level, NULL, 1);
        item->fields[0].name = names[i];
        if (find_name(level, j->name0, j->name1, names[i], &l) == 1 &&
            find_name(level, j->name1, last, names[i], &r) == 1)
            item->fields[0].value = merged(j, null_value_of(level->names.at[l]), null_value_of(level->names.at[r]));
        *pg_push(&a->arena, &result) = (struct null_ref){item, 0};
    }
    for (uint32_t i = j->name0; i < last; i++) {
        struct null_ref ref = level->names.at[i];
        const char *name = ref.item->fields[ref.field].name;
        bool is_merged = false;
        for (uint32_t k = 0; k < n && !is_merged; k++) {
            null_visit(a);
            is_merged = name && strcmp(name, names[k]) == 0;
        }
        if (!is_merged)
            *pg_push(&a->arena, &result) = ref;
    }
    level->names.n = j->name0;
    for (uint32_t i = 0; i < result.n; i++)
        *pg_push(&a->arena, &level->names) = result.at[i];
}

/* An inner join by `=` leaves no NULL in what it compares; so does an outer one on the side that it makes NULL, but for
 * the rows that it makes so. */
static void learn_using(struct null_level *level, const struct join *j, const char *const *names, uint32_t n)
{
    uint32_t items = level->items.n, last = level->names.n, at;

    for (uint32_t i = 0; i < n; i++) {
        if (!j->right_nulls && find_name(level, j->name0, j->name1, names[i], &at) == 1)
            null_learn_field(level, level->names.at[at], j->item0, j->item1);
        if (!j->left_nulls && find_name(level, j->name1, last, names[i], &at) == 1)
            null_learn_field(level, level->names.at[at], j->item1, items);
    }
}

/* The names of USING, or those that NATURAL finds on both sides. False: not known. */
static bool common_names(struct null_analysis *a, struct null_level *level, const struct join *j, const char ***names,
                         uint32_t *n)
{
    const json_t *list = json_object_get(j->body, "usingClause");
    uint32_t last = level->names.n, at;

    *names = pg_array(&a->arena, j->name1 - j->name0 + json_array_size(list) + 1, sizeof(**names));
    *n = 0;
    for (size_t i = 0; i < json_array_size(list); i++)
        (*names)[(*n)++] = null_string(json_array_get(list, i));
    if (!json_is_true(json_object_get(j->body, "isNatural")))
        return true;
    if (level->open || level->unnamed)
        return false;
    for (uint32_t i = j->name0; i < j->name1; i++) {
        const char *name = level->names.at[i].item->fields[level->names.at[i].field].name;
        null_visit(a);
        if (find_name(level, j->name1, last, name, &at) != 0)
            (*names)[(*n)++] = name;
    }
    return true;
}

/* `(a JOIN b …) AS j` hides the names within. */
static void alias_join(struct null_analysis *a, struct null_level *level, const struct join *j, const json_t *alias)
{
    uint32_t n = level->names.n - j->name0;
    struct null_item *item = null_item_new(a, level, NULL, n);

    for (uint32_t i = 0; i < n; i++) {
        struct null_ref ref = level->names.at[j->name0 + i];
        item->fields[i] = (struct null_field){ref.item->fields[ref.field].name, null_value_of(ref)};
    }
    item->open = level->open; /* or what stood before the join: it does no harm */
    for (uint32_t i = j->item0; i + 1 < level->items.n; i++)
        level->items.at[i]->alias = NULL;
    name_item(item, alias);
    level->names.n = j->name0;
    null_publish(a, level, item);
}

static void join(struct null_analysis *a, struct null_level *level, const json_t *body)
{
    const char *type = null_text(body, "jointype"), **names;
    struct join j = {.body = body, .item0 = level->items.n, .name0 = level->names.n};
    bool full = type && strcmp(type, "JOIN_FULL") == 0, inner = type && strcmp(type, "JOIN_INNER") == 0;
    uint32_t n;

    j.left_nulls = full || !type || strcmp(type, "JOIN_RIGHT") == 0;
    j.right_nulls = !inner && (full || !type || strcmp(type, "JOIN_RIGHT") != 0);
    from_node(a, level, json_object_get(body, "larg"));
    j.item1 = level->items.n;
    j.name1 = level->names.n;
    from_node(a, level, json_object_get(body, "rarg"));
    uint32_t last = level->items.n;

    bool known = common_names(a, level, &j, &names, &n);
    learn_using(level, &j, names, n);
    if (inner || (j.left_nulls && !j.right_nulls))
        null_learn(a, level, json_object_get(body, "quals"), j.item0, j.item1);
    if (inner || (j.right_nulls && !j.left_nulls))
        null_learn(a, level, json_object_get(body, "quals"), j.item1, last);
    merge_names(a, level, &j, names, n);
    if (!known)
        level->open = true;
    if (j.right_nulls)
        null_side(level, j.item1, last);
    if (j.left_nulls)
        null_side(level, j.item0, j.item1);
    if (json_object_get(body, "join_using_alias"))
        null_item_new(a, level, null_text(json_object_get(body, "join_using_alias"), "aliasname"), 0)->open = true;
    if (json_object_get(body, "alias"))
        alias_join(a, level, &j, json_object_get(body, "alias"));
}

static void from_node(struct null_analysis *a, struct null_level *level, const json_t *wrapped)
{
    struct null_node n = null_node_of(wrapped);
    struct null_item *item;

    null_enter(a);
    if (null_is(n, "JoinExpr")) {
        join(a, level, n.body);
        a->depth--;
        return;
    }
    if (null_is(n, "RangeTableSample"))
        n = null_node_of(json_object_get(n.body, "relation"));
    if (null_is(n, "RangeVar")) {
        item = from_table(a, level, n.body);
    } else if (null_is(n, "RangeSubselect")) {
        item = from_query(a, level, n.body);
    } else if (null_is(n, "RangeFunction")) {
        item = from_function(a, level, n.body);
    } else {
        item = null_item_new(a, level, NULL, 0);
        item->open = true;
    }
    name_item(item, json_object_get(n.body, "alias"));
    null_publish(a, level, item);
    a->depth--;
}

void null_from(struct null_analysis *a, struct null_level *level, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        from_node(a, level, json_array_get(list, i));
}
