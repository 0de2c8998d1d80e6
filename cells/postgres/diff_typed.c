/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Expressions of a table that changes, and the types that its columns have when they are put there: that they are for
 * these only a server can tell, of a query that is made here. */
#include <string.h>

#include "diff_parts.h"
#include "sql.h"
#include "sql_parts.h"

static const char another_build[] = "Write it for the new type, or leave that change to a later build";

typedef PG_LIST(struct pg_typing) typings;

/* A table that is typed for, when the steps before number `at` are done. */
struct scope {
    struct diffing *s;
    struct table_work *w;
    const struct pg_table *before; /* in the catalog */
    typings *found;
};

static bool is_of(const struct pg_step *step, const struct table_work *w)
{
    return step->table && strcmp(step->table, w->now.name) == 0 && strcmp(step->schema, w->now.schema) == 0;
}

/* The step that gives the column another type, and its number; NULL. */
static const struct planned_step *find_retype(const struct scope *x, const char *column, uint32_t *number)
{
    for (*number = 0; *number < x->s->steps.n; ++*number) {
        const struct planned_step *p = &x->s->steps.at[*number];
        if (p->was && strcmp(p->step.object, column) == 0 && is_of(&p->step, x->w))
            return p;
    }
    return NULL;
}

/* One of a table's columns as it is when step number `at` runs; what changed of those that `sql` names is told. */
static void put_column(const struct scope *x, uint32_t at, const char *sql, const struct pg_column *c,
                       struct pg_text *columns, struct pg_text *changed)
{
    struct diffing *s = x->s;
    uint32_t number;
    const struct planned_step *retype = find_retype(x, c->name, &number);
    const char *type = pg_type_name(s->arena, retype && number >= at ? retype->was : &c->type);

    pg_putf(columns, "%sCAST(NULL AS %s) AS %s", columns->len ? ", " : "", type, pg_quoted(s, c->name));
    if (retype && number < at && pg_names_column(s, sql, c->name))
        pg_putf(changed, "%s'%s' is %s", changed->len ? " and " : "", c->name, type);
}

/* A literal has the type that it becomes. */
static bool is_literal(const char *sql)
{
    size_t len = strlen(sql);
    struct pg_token t = pg_sql_token(sql, len, 0);

    while (pg_token_is(sql, t, "("))
        t = pg_sql_token(sql, len, t.at + t.len);
    if (t.kind != PG_TOKEN_STRING && !pg_token_is(sql, t, "null"))
        return false;
    do
        t = pg_sql_token(sql, len, t.at + t.len);
    while (pg_token_is(sql, t, ")"));
    return t.kind == PG_TOKEN_END;
}

/* What the query has not: the row as a whole, and columns of the system. */
static bool needs_table(const struct scope *x, const char *sql)
{
    static const char *const system[] = {"tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"};
    const char *name = x->w->now.name;
    bool needs = !pg_table_column(&x->w->now, name) && pg_names_column(x->s, sql, name);

    for (size_t i = 0; i < sizeof(system) / sizeof(system[0]) && !needs; i++)
        needs = pg_names_column(x->s, sql, system[i]);
    return needs;
}

/* Notes it when something is to be asked: it is new, or a column that it names has another type by then. `what`: "check
 * 'a' is made". */
static void type_expression(const struct scope *x, uint32_t at, const char *sql, const struct pg_type_use *into,
                            bool is_new, const char *what, struct pg_typing t)
{
    struct diffing *s = x->s;
    struct pg_text columns = {.arena = s->arena}, changed = {.arena = s->arena};

    if (needs_table(x, sql))
        return;
    for (uint32_t i = 0; i < x->w->now.ncolumns; i++)
        put_column(x, at, sql, &x->w->now.columns[i], &columns, &changed);
    if (!changed.len && !is_new)
        return;
    for (uint32_t i = 0; x->before && i < x->before->ncolumns; i++) /* which go when the plan is done */
        if (!pg_table_column(&x->w->now, x->before->columns[i].name))
            put_column(x, at, sql, &x->before->columns[i], &columns, &changed);
    t.into = into ? pg_type_name(s->arena, into) : NULL;
    const char *value = into && is_literal(sql) ? pg_printf(s->arena, "CAST((%s) AS %s)", sql, t.into) : sql;
    t.query =
        pg_printf(s->arena, "SELECT (%s) FROM (SELECT %s) AS %s", value, columns.data, pg_quoted(s, x->w->now.name));
    t.text = changed.len ? pg_printf(s->arena,
                                     "%s when %s already, by the same build, and the expression is not for "
                                     "that",
                                     what, changed.data)
                         : pg_printf(s->arena, "%s from an expression that PostgreSQL refuses", what);
    t.advice = t.advice ? t.advice : changed.len ? another_build : "No step was carried out";
    *pg_push(s->arena, x->found) = t;
}

/* The column's field, or without one what the table is declared by. */
static struct pg_typing at_column(const struct scope *x, const char *column)
{
    const struct field_turn turn =
        column ? pg_declared_field(x->s, column) : (struct field_turn){x->s->current, NULL, false};

    return (struct pg_typing){.declared = turn.declared, .field = turn.field ? turn.field->name : NULL};
}

/* ---- what there is ---- */

static void type_generated(const struct scope *x, uint32_t at, const struct pg_column *c)
{
    struct diffing *s = x->s;
    const struct planned_step *p = &s->steps.at[at];
    bool comes = p->step.kind == PG_STEP_ADD_COLUMN && strcmp(p->step.object, c->name) == 0;
    bool again = p->step.kind == PG_STEP_RETYPE_COLUMN &&
                 (strcmp(p->step.object, c->name) == 0 || pg_names_column(s, c->generated.sql, p->step.object));

    if (comes || again)
        type_expression(x, at + 1, c->generated.sql, &c->type, true,
                        pg_printf(s->arena, "column '%s' is generated", c->name), at_column(x, c->name));
}

static void type_default(const struct scope *x, const struct pg_column *c)
{
    struct diffing *s = x->s;
    bool is_set = false;

    for (uint32_t at = 0; at < s->steps.n && !is_set; at++) {
        const struct pg_step *step = &s->steps.at[at].step;
        bool sets = step->kind == PG_STEP_ADD_COLUMN || step->kind == PG_STEP_SET_DEFAULT ||
                    step->kind == PG_STEP_RETYPE_COLUMN;
        is_set = sets && is_of(step, x->w) && strcmp(step->object, c->name) == 0;
    }
    if (is_set)
        type_expression(x, s->steps.n, c->standard.sql, &c->type, true,
                        pg_printf(s->arena, "column '%s' gets its default", c->name), at_column(x, c->name));
}

static void type_columns(const struct scope *x)
{
    for (uint32_t i = 0; i < x->w->now.ncolumns; i++) {
        const struct pg_column *c = &x->w->now.columns[i];
        for (uint32_t at = 0; at < x->s->steps.n && c->generated.sql; at++)
            if (is_of(&x->s->steps.at[at].step, x->w))
                type_generated(x, at, c);
        if (c->standard.sql)
            type_default(x, c);
    }
}

/* Of a constraint or an index: a new one is made behind all changes of types; one that is there has to be for each. */
static void type_object(const struct scope *x, const char *sql, const struct pg_type_use *into, bool is_new,
                        const char *name, struct pg_typing t)
{
    struct diffing *s = x->s;

    if (is_new)
        type_expression(x, s->steps.n, sql, into, true, pg_printf(s->arena, "%s is made", name), t);
    for (uint32_t at = 0; at < s->steps.n && !is_new; at++)
        if (s->steps.at[at].was && is_of(&s->steps.at[at].step, x->w) &&
            pg_names_column(s, sql, s->steps.at[at].step.object))
            type_expression(x, at + 1, sql, into, false, pg_printf(s->arena, "%s is there", name), t);
}

static const char *advise_drop(struct diffing *s, const char *name)
{
    return pg_printf(s->arena, "No struct declares it: CELL_DROPPED(\"%s\") lets it go", name);
}

static const struct pg_type_use boolean = {.base = PG_BASE_BOOL, .modifier = -1};

/* "check 'a'", with what is written of it on the struct. */
static const char *name_of(struct diffing *s, const char *kind, const char *name, const char *written)
{
    return pg_printf(s->arena, "%s%s%s '%s'", written ? written : "", written ? ": " : "", kind, name);
}

static void type_check(const struct scope *x, const struct pg_check *c)
{
    struct diffing *s = x->s;
    const struct pg_check *declared = NULL;

    for (uint32_t i = 0; i < x->w->nowners && !declared; i++)
        if (pg_select(s, x->w->owners[i]))
            declared = pg_find_check(&s->d->table, c);
    struct pg_typing t = at_column(x, declared ? declared->column : NULL);
    t.advice = declared ? NULL : advise_drop(s, c->name);
    type_object(x, c->expr.sql, &boolean, declared && !(x->before && pg_find_check(x->before, c)),
                name_of(s, "check", c->name, declared ? declared->written : NULL), t);
}

static void type_index(const struct scope *x, const struct pg_index *index)
{
    struct diffing *s = x->s;
    const struct pg_index *declared = NULL;

    for (uint32_t i = 0; i < x->w->nowners && !declared; i++)
        if (pg_select(s, x->w->owners[i]))
            declared = pg_find_index(&s->d->table, index);
    struct pg_typing t = at_column(x, declared && !declared->written ? declared->parts[0].column : NULL);
    t.advice = declared ? NULL : advise_drop(s, index->name);
    const char *name = name_of(s, "index", index->name, declared ? declared->written : NULL);
    bool is_new = declared && !(x->before && pg_find_index(x->before, index));
    for (uint32_t i = 0; i < index->n; i++)
        if (index->parts[i].expr.sql)
            type_object(x, index->parts[i].expr.sql, NULL, is_new, name, t);
    if (index->predicate.sql)
        type_object(x, index->predicate.sql, &boolean, is_new, name, t);
}

/* Values that a step computes; new ones are found out by it, before it has changed anything. */
static void type_values(const struct scope *x)
{
    struct diffing *s = x->s;

    for (uint32_t at = 0; at < s->steps.n; at++) {
        const struct planned_step *p = &s->steps.at[at];
        if (p->expression && is_of(&p->step, x->w))
            type_expression(x, at, p->expression, p->into, false,
                            pg_printf(s->arena, "the values of column '%s' are computed", p->step.object),
                            (struct pg_typing){.declared = p->step.declared, .field = p->step.field});
    }
}

void pg_steps_type(struct diffing *s)
{
    typings found = {0};

    for (uint32_t i = 0; i < s->steps.n; i++)
        if (s->steps.at[i].step.kind == PG_STEP_HAND_STEP)
            return; /* which may make what an expression needs; the rest is planned anew behind it */
    for (uint32_t i = 0; i < s->works.n; i++) {
        struct table_work *w = s->works.at[i];
        const char *name = w->former ? w->former : w->now.name;
        const struct scope x = {s, w, pg_model_table(s->catalog, w->now.schema, name), &found};
        if (w->created || !pg_select(s, w->owners[0]))
            continue;
        type_columns(&x);
        type_values(&x);
        for (uint32_t k = 0; k < w->now.nchecks; k++)
            type_check(&x, &w->now.checks[k]);
        for (uint32_t k = 0; k < w->now.nindexes; k++)
            type_index(&x, &w->now.indexes[k]);
    }
    s->plan->typings = found.at;
    s->plan->ntypings = found.n;
}
