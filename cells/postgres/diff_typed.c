/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Expressions of a table that comes or changes, and the types that its columns have when they are put there: that they
 * are for these only a server can tell, of rows that are made here. */
#include <string.h>

#include "diff_parts.h"
#include "sql.h"
#include "sql_parts.h"

static const char another_build[] = "Write it for the new type, or leave that change to a later build";

typedef PG_LIST(struct pg_typing) typings;

/* What hand-written steps, which come first, may make of what expressions need. */
enum makes {
    MAKES_NOTHING,
    MAKES_NAMED, /* functions and the like; of columns those of tables that stand in their SQL */
    MAKES_ANYTHING
};

/* A table that is typed for. */
struct scope {
    struct diffing *s;
    struct table_work *w;
    const struct pg_table *before; /* in the catalog; NULL = it is new */
    typings *found;
    bool in_step;    /* what is typed is computed by a trigger, of a row of columns alone */
    bool unsure;     /* a hand-written step may make what an expression needs */
    const char *row; /* when the steps before number `row_at` are done; NULL = none yet */
    uint32_t row_at;
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

/* The type is called so. */
static bool is_called(const struct pg_type_use *type, const char *name)
{
    return type->base == PG_BASE_OTHER ? strcmp(type->name, name) == 0
                                       : type->base == PG_BASE_VECTOR && strcmp(name, "vector") == 0;
}

static bool makes_type(const struct pg_step *step)
{
    return step->kind == PG_STEP_CREATE_ENUM || step->kind == PG_STEP_CREATE_EXTENSION;
}

/* The type of a column when step number `at` runs. */
static const struct pg_type_use *type_at(const struct scope *x, uint32_t at, const struct pg_column *c)
{
    uint32_t number;
    const struct planned_step *retype = find_retype(x, c->name, &number);

    return retype && number >= at ? retype->was : &c->type;
}

/* One of a table's columns as it is when step number `at` runs. A text stands for what is of a type that the plan
 * makes. */
static void put_column(const struct scope *x, uint32_t at, const struct pg_column *c, struct pg_text *row)
{
    struct diffing *s = x->s;
    const struct pg_type_use *type = type_at(x, at, c);
    const char *name = NULL;

    for (uint32_t i = 0; i < s->steps.n && !name; i++)
        if (makes_type(&s->steps.at[i].step) && is_called(type, s->steps.at[i].step.object))
            name = type->array ? "text[]" : "text";
    pg_putf(row, "%sCAST(NULL AS %s) AS %s", row->len ? ", " : "", name ? name : pg_type_name(s->arena, type),
            pg_quoted(s, c->name));
}

/* Also what goes when the plan is done; a column that is renamed has its new name already. */
static const char *row_at(struct scope *x, uint32_t at)
{
    struct diffing *s = x->s;
    struct pg_text row = {.arena = s->arena};

    if (x->row && x->row_at == at)
        return x->row;
    for (uint32_t i = 0; i < x->w->now.ncolumns; i++)
        put_column(x, at, &x->w->now.columns[i], &row);
    for (uint32_t i = 0; x->before && i < x->before->ncolumns; i++) {
        const struct pg_column *c = &x->before->columns[i];
        if (!pg_table_column(&x->w->now, c->name) && !pg_is_former_name(s, c->name))
            put_column(x, at, c, &row);
    }
    x->row_at = at;
    x->row = pg_printf(s->arena, "(SELECT %s) AS %s", row.len ? row.data : "", pg_quoted(s, x->w->now.name));
    return x->row;
}

/* "'a' is bigint and 'b' is text": the columns that the expression names and that have changed by then; "" = none. */
static const char *changed_at(const struct scope *x, uint32_t at, const char *sql)
{
    struct diffing *s = x->s;
    struct pg_text changed = {.arena = s->arena};

    for (uint32_t i = 0; i < at; i++) {
        const struct planned_step *p = &s->steps.at[i];
        const struct pg_column *c = p->was && is_of(&p->step, x->w) && pg_names_column(s, sql, p->step.object)
                                        ? pg_table_column(&x->w->now, p->step.object)
                                        : NULL;
        if (c)
            pg_putf(&changed, "%s'%s' is %s", changed.len ? " and " : "", c->name, pg_type_name(s->arena, &c->type));
    }
    return changed.len ? changed.data : "";
}

/* The plan itself makes a type that the expression is about. For values that it adds to one others stand. */
static bool is_of_new_type(const struct scope *x, const char *sql, const struct pg_type_use *into)
{
    struct diffing *s = x->s;

    for (uint32_t i = 0; i < s->steps.n; i++) {
        const struct pg_step *step = &s->steps.at[i].step;
        if (!makes_type(step))
            continue;
        if (strcasestr(sql, step->object) || (into && is_called(into, step->object)))
            return true;
        for (uint32_t k = 0; k < x->w->now.ncolumns; k++)
            if (is_called(&x->w->now.columns[k].type, step->object) &&
                pg_names_column(s, sql, x->w->now.columns[k].name))
                return true;
    }
    return false;
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
static void type_expression(struct scope *x, uint32_t at, const char *sql, const struct pg_type_use *into, bool is_new,
                            const char *what, struct pg_typing t)
{
    struct diffing *s = x->s;
    const char *changed = changed_at(x, at, sql);

    if ((!*changed && !is_new) || (!x->in_step && needs_table(x, sql)))
        return;
    sql = pg_sql_without_schema(s->arena, sql, x->w->now.schema, x->w->now.name);
    t.unsure = x->unsure || is_of_new_type(x, sql, into);
    t.into = into && !t.unsure ? pg_type_name(s->arena, into) : NULL;
    t.value = t.into && is_literal(sql) ? pg_printf(s->arena, "CAST((%s) AS %s)", sql, t.into) : sql;
    t.row = row_at(x, at);
    t.table = x->w->now.name;
    t.text = *changed ? pg_printf(s->arena, "%s when %s already, by the same build, and the expression is not for that",
                                  what, changed)
                      : pg_printf(s->arena, "%s from an expression that PostgreSQL refuses", what);
    t.advice = t.advice ? t.advice : *changed ? another_build : "No step was carried out";
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

static void type_generated(struct scope *x, uint32_t at, const struct pg_column *c)
{
    struct diffing *s = x->s;
    const struct planned_step *p = &s->steps.at[at];
    bool comes = p->step.kind == PG_STEP_ADD_COLUMN && strcmp(p->step.object, c->name) == 0;
    bool again = p->step.kind == PG_STEP_RETYPE_COLUMN &&
                 (strcmp(p->step.object, c->name) == 0 || pg_names_column(s, c->generated.sql, p->step.object));

    if (comes || again || p->step.kind == PG_STEP_CREATE_TABLE)
        type_expression(x, at + 1, c->generated.sql, &c->type, true,
                        pg_printf(s->arena, "column '%s' is generated", c->name), at_column(x, c->name));
}

static void type_default(struct scope *x, const struct pg_column *c)
{
    struct diffing *s = x->s;
    bool is_set = x->w->created;

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

static void type_columns(struct scope *x)
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
static void type_object(struct scope *x, const char *sql, const struct pg_type_use *into, bool is_new, const char *name,
                        struct pg_typing t)
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

static void type_check(struct scope *x, const struct pg_check *c)
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

static void type_index(struct scope *x, const struct pg_index *index)
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

/* What keeps a column in step with the one that it replaces, by the step's trigger. What that assigns is converted by
 * way of a text where nothing else is. */
static void type_in_step(struct scope *x, const struct pg_step *step)
{
    struct diffing *s = x->s;
    const struct pg_declared *d = s->declared[step->declared];
    const struct pg_field *f = pg_field_of(d, step->object);
    const struct pg_column *want = &d->table.columns[f->column];
    const struct pg_typing t = {.declared = step->declared, .field = step->field};

    x->in_step = true;
    if (f->replaces->forward)
        type_expression(x, s->steps.n, f->replaces->forward, NULL, true,
                        pg_printf(s->arena, "the values of column '%s' are computed", want->name), t);
    if (f->replaces->back)
        type_expression(x, s->steps.n, f->replaces->back, NULL, true,
                        pg_printf(s->arena, "the values of column '%s' are computed", f->replaces->column), t);
    if (want->standard.sql)
        type_expression(x, s->steps.n, want->standard.sql, &want->type, true,
                        pg_printf(s->arena, "column '%s' gets its default", want->name), t);
    x->in_step = false;
}

/* Values that a step computes. */
static void type_values(struct scope *x)
{
    struct diffing *s = x->s;

    for (uint32_t at = 0; at < s->steps.n; at++) {
        const struct planned_step *p = &s->steps.at[at];
        if (!is_of(&p->step, x->w))
            continue;
        if (p->step.kind == PG_STEP_KEEP_IN_STEP)
            type_in_step(x, &p->step);
        if (p->expression)
            type_expression(x, at, p->expression, p->into, true,
                            pg_printf(s->arena, "the values of column '%s' are computed", p->step.object),
                            (struct pg_typing){.declared = p->step.declared, .field = p->step.field});
    }
}

/* ---- hand-written steps ---- */

static enum makes makes_of(const char *sql)
{
    static const char *const rows[] = {"insert",  "update",  "delete", "merge",  "truncate", "lock",
                                       "analyze", "comment", "grant",  "revoke", "set"};
    static const char *const named[] = {"create", "alter", "drop"};
    struct pg_token t = pg_sql_token(sql, strlen(sql), 0);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (pg_token_is(sql, t, rows[i]))
            return MAKES_NOTHING;
    for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
        if (pg_token_is(sql, t, named[i]))
            return MAKES_NAMED;
    return MAKES_ANYTHING;
}

/* What steps make that come before those of the table; what they leave open is asked when they are done and the rest is
 * planned anew. */
static enum makes made_before(struct diffing *s, const struct table_work *w)
{
    enum makes all = MAKES_NOTHING;

    for (uint32_t i = 0; i < s->steps.n; i++) {
        const struct pg_step *step = &s->steps.at[i].step;
        for (uint32_t k = 0; step->kind == PG_STEP_HAND_STEP && k + 1 < step->nsql; k++) { /* the last one records it */
            const char *sql = step->sql[k];
            enum makes makes = makes_of(sql);
            if (makes == MAKES_NAMED && (strcasestr(sql, w->now.name) || (w->former && strcasestr(sql, w->former))))
                makes = MAKES_ANYTHING;
            all = makes > all ? makes : all;
        }
    }
    return all;
}

static void type_table(struct diffing *s, struct table_work *w, typings *found)
{
    const char *name = w->former ? w->former : w->now.name;
    enum makes before = made_before(s, w);
    struct scope x = {.s = s,
                      .w = w,
                      .before = w->created ? NULL : pg_model_table(s->catalog, w->now.schema, name),
                      .found = found,
                      .unsure = before != MAKES_NOTHING};

    if (before == MAKES_ANYTHING || !pg_select(s, w->owners[0]))
        return;
    type_columns(&x);
    type_values(&x);
    for (uint32_t k = 0; k < w->now.nchecks; k++)
        type_check(&x, &w->now.checks[k]);
    for (uint32_t k = 0; k < w->now.nindexes; k++)
        type_index(&x, &w->now.indexes[k]);
}

void pg_steps_type(struct diffing *s)
{
    typings found = {0};

    for (uint32_t i = 0; i < s->works.n; i++)
        type_table(s, s->works.at[i], &found);
    s->plan->typings = found.at;
    s->plan->ntypings = found.n;
}
