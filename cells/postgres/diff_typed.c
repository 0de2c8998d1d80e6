/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Expressions of values that name columns which get another type before: that they are for that type only a server can
 * tell, of a query that is made here. */
#include <string.h>

#include "diff_parts.h"
#include "sql.h"

/* The step that gives the column of the step's table another type, and its number; NULL. */
static const struct planned_step *find_retype(const struct diffing *s, const struct pg_step *of, const char *column,
                                              uint32_t *number)
{
    for (*number = 0; *number < s->steps.n; ++*number) {
        const struct planned_step *p = &s->steps.at[*number];
        if (p->was && strcmp(p->step.object, column) == 0 && strcmp(p->step.table, of->table) == 0 &&
            strcmp(p->step.schema, of->schema) == 0)
            return p;
    }
    return NULL;
}

/* One of a table's columns as it is when step number `at` runs; what changed is told. */
static void put_column(struct diffing *s, uint32_t at, const struct pg_column *c, struct pg_text *columns,
                       struct pg_text *changed)
{
    const struct planned_step *p = &s->steps.at[at];
    uint32_t number;
    const struct planned_step *retype = find_retype(s, &p->step, c->name, &number);
    const char *type = pg_type_name(s->arena, retype && number >= at ? retype->was : &c->type);

    pg_putf(columns, "%sCAST(NULL AS %s) AS %s", columns->len ? ", " : "", type, pg_quoted(s, c->name));
    if (retype && number < at && pg_names_column(s, p->expression, c->name))
        pg_putf(changed, "%s'%s' is %s", changed->len ? " and " : "", c->name, type);
}

static void type_step(struct diffing *s, uint32_t at)
{
    struct planned_step *p = &s->steps.at[at];
    struct table_work *w = pg_find_work(s, p->step.schema, p->step.table);
    const struct pg_table *before =
        w ? pg_model_table(s->catalog, w->now.schema, w->former ? w->former : w->now.name) : NULL;
    struct pg_text columns = {.arena = s->arena}, changed = {.arena = s->arena};

    for (uint32_t i = 0; w && i < w->now.ncolumns; i++)
        put_column(s, at, &w->now.columns[i], &columns, &changed);
    if (!changed.len)
        return;
    for (uint32_t i = 0; before && i < before->ncolumns; i++) /* which go when the plan is done */
        if (!pg_table_column(&w->now, before->columns[i].name))
            put_column(s, at, &before->columns[i], &columns, &changed);
    p->step.typed = pg_printf(s->arena, "SELECT (%s) FROM (SELECT %s) AS %s", p->expression, columns.data,
                              pg_quoted(s, p->step.table));
    p->step.into = pg_type_name(s->arena, p->into);
    p->step.changed = changed.data;
}

void pg_steps_type(struct diffing *s)
{
    for (uint32_t i = 0; i < s->steps.n; i++)
        if (s->steps.at[i].step.kind == PG_STEP_HAND_STEP)
            return; /* which may make what an expression needs; the rest is planned anew behind it */
    for (uint32_t i = 0; i < s->steps.n; i++)
        if (s->steps.at[i].expression)
            type_step(s, i);
}
