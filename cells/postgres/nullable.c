/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Statements: SELECT and what it is made of, INSERT, UPDATE, DELETE, WITH. */
#include <stdlib.h>
#include <string.h>

#include "nullable_impl.h"

#ifdef CELL_HAVE_PG_QUERY
#include <pg_query.h>
#endif

/* Bounds that no statement of a program meets, so that no text costs more than some milliseconds. */
#define MAX_NODES 200000
#define MAX_VIEWS 16
#define MAX_COLUMNS 1664 /* PostgreSQL's MaxTupleAttributeNumber */
#define MAX_MEMORY (64u << 20)

struct null_node null_node_of(const json_t *wrapped)
{
    void *member = json_is_object(wrapped) ? json_object_iter((json_t *)(uintptr_t)wrapped) : NULL;
    if (!member)
        return (struct null_node){"", NULL};
    return (struct null_node){json_object_iter_key(member), json_object_iter_value(member)};
}

bool null_is(struct null_node n, const char *type) { return strcmp(n.type, type) == 0; }

const char *null_text(const json_t *body, const char *member)
{
    return json_string_value(json_object_get(body, member));
}

const char *null_string(const json_t *wrapped)
{
    struct null_node n = null_node_of(wrapped);
    return null_is(n, "String") ? null_text(n.body, "sval") : NULL;
}

void null_visit(struct null_analysis *a)
{
    if (++a->nodes > MAX_NODES)
        longjmp(a->escape, 2);
}

void null_enter(struct null_analysis *a)
{
    null_visit(a);
    if (++a->depth > NULL_MAX_DEPTH)
        longjmp(a->escape, 2);
}

void null_add(struct null_analysis *a, struct null_columns *c, struct null_field field)
{
    if (c->columns.n + c->behind.n >= MAX_COLUMNS)
        longjmp(a->escape, 2);
    if (c->open)
        *pg_push(&a->arena, &c->behind) = field;
    else
        *pg_push(&a->arena, &c->columns) = field;
}

/* Behind a second one no position is known any more. */
void null_add_open(struct null_columns *c)
{
    if (c->open)
        c->behind.n = 0;
    c->open = true;
}

/* `*` and `t.*`. */
static void add_star(struct null_analysis *a, struct null_level *level, struct null_columns *c, const char *of)
{
    bool found = false;

    if (!of) {
        /* What is open among several things stands somewhere among them. */
        for (uint32_t i = 0; i < level->names.n && !level->open; i++) {
            struct null_ref r = level->names.at[i];
            null_add(a, c, (struct null_field){r.item->fields[r.field].name, null_value_of(r)});
        }
        if (level->open)
            null_add_open(c);
        return;
    }
    for (uint32_t i = 0; i < level->items.n && !found; i++) {
        struct null_item *item = level->items.at[i];
        if (!item->alias || strcmp(item->alias, of) != 0)
            continue;
        found = true;
        if (item->open) {
            null_add_open(c);
            break;
        }
        for (uint32_t k = 0; k < item->n; k++)
            null_add(a, c, (struct null_field){item->fields[k].name, null_value_of((struct null_ref){item, k})});
    }
    if (!found) /* of a query around it, or a composite value */
        null_add_open(c);
}

static bool is_star(const json_t *wrapped, const char **of, bool *simple)
{
    struct null_node n = null_node_of(wrapped);
    if (null_is(n, "A_Indirection")) {
        const json_t *list = json_object_get(n.body, "indirection");
        *simple = false;
        return null_is(null_node_of(json_array_get(list, json_array_size(list) - 1)), "A_Star");
    }
    const json_t *fields = json_object_get(n.body, "fields");
    size_t count = json_array_size(fields);
    if (!null_is(n, "ColumnRef") || count == 0 || !null_is(null_node_of(json_array_get(fields, count - 1)), "A_Star"))
        return false;
    *of = count == 2 ? null_string(json_array_get(fields, 0)) : NULL;
    *simple = count == 1 || (count == 2 && *of);
    return true;
}

struct null_columns null_targets(struct null_analysis *a, struct null_level *level, const json_t *list)
{
    struct null_columns c = {0};
    size_t i;
    const json_t *wrapped;

    json_array_foreach(list, i, wrapped)
    {
        const json_t *target = null_node_of(wrapped).body, *value = json_object_get(target, "val");
        const char *name = null_text(target, "name"), *of = NULL;
        bool simple = true;
        null_visit(a);
        if (is_star(value, &of, &simple)) {
            uint32_t from = c.columns.n;
            if (simple)
                add_star(a, level, &c, of);
            else
                null_add_open(&c);
            for (uint32_t k = from; k < c.columns.n && level->grouping_sets; k++)
                c.columns.at[k].value.not_null = false;
            continue;
        }
        uint32_t before = level->aggregates;
        struct null_field field = {name ? name : null_name_of(value), null_eval(a, level, value)};
        /* What is grouped by is NULL in the rows of other grouping sets, also when it is an expression. One with an
         * aggregate cannot be grouped by. */
        if (level->grouping_sets && level->aggregates == before && !null_is(null_node_of(value), "GroupingFunc"))
            field.value.not_null = false;
        null_add(a, &c, field);
    }
    return c;
}

/* VALUES: a column is what all rows have in common. */
static struct null_columns values(struct null_analysis *a, struct null_level *level, const json_t *lists)
{
    struct null_columns c = {0};
    size_t row, i;
    const json_t *list, *wrapped;

    json_array_foreach(lists, row, list)
    {
        const json_t *items = json_object_get(null_node_of(list).body, "items");
        json_array_foreach(items, i, wrapped)
        {
            struct null_value v = null_eval(a, level, wrapped);
            null_visit(a);
            if (row == 0)
                null_add(a, &c, (struct null_field){pg_printf(&a->arena, "column%zu", i + 1), v});
            else if (i < c.columns.n)
                c.columns.at[i].value =
                    (struct null_value){c.columns.at[i].value.not_null && v.not_null,
                                        c.columns.at[i].value.category == v.category ? v.category : 0};
        }
    }
    return c;
}

static struct null_columns select_columns(struct null_analysis *a, struct null_level *level, const json_t *body);

/* UNION has the rows of both; of INTERSECT's and EXCEPT's rows each is in the left one, of INTERSECT's in both. */
static struct null_columns set_operation(struct null_analysis *a, struct null_level *level, const json_t *body,
                                         const char *op)
{
    struct null_level left = {.parent = level->parent, .ctes = level->ctes}, right = left;
    struct null_columns l = select_columns(a, &left, json_object_get(body, "larg"));
    struct null_columns r = select_columns(a, &right, json_object_get(body, "rarg"));
    bool same = !l.open && !r.open && l.columns.n == r.columns.n;

    for (uint32_t i = 0; i < l.columns.n; i++) {
        struct null_value *v = &l.columns.at[i].value;
        bool other = same && r.columns.at[i].value.not_null;
        if (strcmp(op, "SETOP_UNION") == 0)
            v->not_null = v->not_null && other;
        else if (strcmp(op, "SETOP_INTERSECT") == 0)
            v->not_null = v->not_null || other;
        if (!same || r.columns.at[i].value.category != v->category)
            v->category = 0;
    }
    for (uint32_t i = 0; i < l.behind.n; i++)
        l.behind.at[i].value = (struct null_value){0};
    return l;
}

static void group(struct null_level *level, const json_t *clause)
{
    size_t i;
    const json_t *wrapped;

    level->grouped = json_array_size(clause) > 0;
    json_array_foreach(clause, i, wrapped) if (null_is(null_node_of(wrapped), "GroupingSet")) level->grouping_sets =
        true;
    /* The empty set is a group also when there are no rows. */
    if (level->grouping_sets)
        level->grouped = false;
}

static struct null_columns select_columns(struct null_analysis *a, struct null_level *level, const json_t *body)
{
    const char *op = null_text(body, "op");
    const json_t *lists = json_object_get(body, "valuesLists");

    if (!json_is_object(body))
        return (struct null_columns){.open = true};
    null_enter(a);
    null_with(a, level, json_object_get(body, "withClause"));
    struct null_columns c;
    if (json_object_get(body, "lockingClause"))
        a->statement->locks = true;
    if (op && strcmp(op, "SETOP_NONE") != 0) {
        c = set_operation(a, level, body, op);
    } else if (json_array_size(lists) > 0) {
        c = values(a, level, lists);
    } else {
        null_from(a, level, json_object_get(body, "fromClause"));
        null_learn(a, level, json_object_get(body, "whereClause"), 0, level->items.n);
        group(level, json_object_get(body, "groupClause"));
        c = null_targets(a, level, json_object_get(body, "targetList"));
    }
    a->depth--;
    return c;
}

struct null_columns null_query(struct null_analysis *a, struct null_level *parent, struct null_cte *ctes,
                               const json_t *wrapped)
{
    struct null_level *level = pg_alloc(&a->arena, sizeof(*level));
    struct null_node n = null_node_of(wrapped);

    level->parent = parent;
    level->ctes = ctes;
    if (null_is(n, "SelectStmt"))
        return select_columns(a, level, n.body);
    return null_change(a, level, n);
}

struct null_columns null_select(struct null_analysis *a, struct null_level *level, const json_t *body)
{
    return select_columns(a, level, body);
}

/* One row whatever is in the tables: a query without FROM and WHERE, or one that aggregates all rows. */
bool null_one_row(struct null_analysis *a, struct null_level *parent, const json_t *wrapped, struct null_value *value)
{
    struct null_level *level = pg_alloc(&a->arena, sizeof(*level));
    struct null_node n = null_node_of(wrapped);
    const char *op = null_text(n.body, "op");
    static const char *const never[] = {"limitCount",  "limitOffset", "havingClause",
                                        "groupClause", "valuesLists", "withClause"};
    bool one = null_is(n, "SelectStmt") && op && strcmp(op, "SETOP_NONE") == 0;

    level->parent = parent;
    level->ctes = parent->ctes;
    *value = (struct null_value){0};
    if (!null_is(n, "SelectStmt"))
        return false;
    struct null_columns c = select_columns(a, level, n.body);
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        one = one && !json_object_get(n.body, never[i]);
    one =
        one && !level->sets &&
        (level->aggregates > 0 || (!json_object_get(n.body, "fromClause") && !json_object_get(n.body, "whereClause")));
    if (!c.open && c.columns.n == 1)
        *value = c.columns.at[0].value;
    return one;
}

/* Parses `sql`; the tree lives as long as the analysis. NULL when it is not one statement. */
static const json_t *parse(struct null_analysis *a, const char *sql)
{
#ifdef CELL_HAVE_PG_QUERY
    PgQueryParseResult parsed = pg_query_parse(sql);
    json_t *tree = parsed.error || !parsed.parse_tree ? NULL : json_loads(parsed.parse_tree, 0, NULL);
    pg_query_free_parse_result(parsed);
    if (!tree)
        return NULL;
    json_t **place = a->ntrees < NULL_MAX_TREES ? &a->trees[a->ntrees++] : NULL;
    if (!place) {
        json_decref(tree);
        longjmp(a->escape, 2);
    }
    *place = tree;
    const json_t *statements = json_object_get(tree, "stmts");
    return json_array_size(statements) == 1 ? json_object_get(json_array_get(statements, 0), "stmt") : NULL;
#else
    (void)a, (void)sql;
    return NULL;
#endif
}

bool nullable_available(void)
{
#ifdef CELL_HAVE_PG_QUERY
    return true;
#else
    return false;
#endif
}

struct null_columns null_view(struct null_analysis *a, const char *sql)
{
    struct null_columns c = {.open = true};
    const json_t *tree = a->views < MAX_VIEWS ? parse(a, sql) : NULL;

    if (tree) {
        a->seen[a->nviews++] = sql;
        a->views++;
        c = null_query(a, NULL, NULL, tree);
        a->views--;
    }
    return c;
}

static void answer(struct null_analysis *a, const char *sql, bool *never_null, size_t n)
{
    const json_t *tree = parse(a, sql);
    if (!tree)
        return;
    struct null_node node = null_node_of(tree);
    a->statement->into = json_object_get(node.body, "intoClause") != NULL;
    struct null_columns c = null_query(a, NULL, NULL, tree);

    if (c.open ? c.columns.n + c.behind.n > n : c.columns.n != n)
        return;
    for (size_t i = 0; i < c.columns.n; i++)
        never_null[i] = c.columns.at[i].value.not_null;
    for (size_t i = 0; i < c.behind.n; i++)
        never_null[n - c.behind.n + i] = c.behind.at[i].value.not_null;
    a->statement->understood = true;
    a->statement->repeatable = null_has_no_effects(a);
}

void nullable_analyse(const char *sql, const struct null_catalog *catalog, const bool *optional, size_t noptional,
                      bool *never_null, size_t ncolumns, struct null_statement *statement)
{
    struct null_analysis *a = calloc(1, sizeof(*a));

    memset(never_null, 0, ncolumns * sizeof(*never_null));
    *statement = (struct null_statement){0};
    if (!a)
        return;
    *a = (struct null_analysis){.catalog = catalog,
                                .optional = optional,
                                .noptional = noptional,
                                .statement = statement,
                                .arena = {.limit = MAX_MEMORY}};
    a->arena.escape = &a->escape;
    if (setjmp(a->escape) == 0)
        answer(a, sql, never_null, ncolumns);
    if (!statement->understood)
        memset(never_null, 0, ncolumns * sizeof(*never_null));
    for (size_t i = 0; i < a->ntrees; i++)
        json_decref(a->trees[i]);
    pg_arena_free(&a->arena);
    free(a);
}
