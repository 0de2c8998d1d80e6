/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Rules of a struct that name columns of another struct of its table. Which structs there are is known here alone. */
#include <string.h>

#include "diff_parts.h"
#include "sql.h"

/* An error for a column that no struct has so far, with the one of this struct that may be meant: in the same words
 * whatever others have, by which it is known as one. A later struct may have the column. */
static void no_column(struct diffing *s, const struct pg_outer *o)
{
    const struct pg_table *t = &s->d->table;
    const char **names = pg_array(s->arena, t->ncolumns + 1u, sizeof(*names));

    for (uint32_t i = 0; i < t->ncolumns; i++)
        names[i] = t->columns[i].name;
    const char *near = pg_suggest(o->column, names, t->ncolumns);
    pg_refuse(s, PG_NO_RULE, ((struct pg_place){NULL, o->rule, o->argument}),
              near ? "no field is column '%s'; did you mean '%s'?" : "no field is column '%s'", o->column, near)
        ->whole = true;
}

/* What is said of a column of the struct itself where that is read. */
static void check_use(struct diffing *s, const struct pg_outer *o, const struct field_turn *of)
{
    const struct pg_declared *d = s->declared[of->declared];
    const struct pg_place place = {NULL, o->rule, o->argument};
    bool nullable = d->table.columns[of->field->column].nullable;

    if (o->use == PG_OUTER_IN_KEY && nullable)
        pg_refuse(s, PG_NO_RULE, place, "a key is never NULL: field '%s' of struct '%s' cannot be optional",
                  of->field->name, d->tag);
    else if (o->use == PG_OUTER_SET_NULL && !nullable)
        pg_refuse(s, PG_NO_RULE, place,
                  "'set null' contradicts column '%s' of struct '%s', which is never NULL: make it optional", o->column,
                  d->tag);
}

static bool have_all(const struct diffing *s, const char **columns, uint32_t n)
{
    bool all = true;

    for (uint32_t i = 0; i < n && all; i++)
        all = pg_is_declared(s, columns[i]);
    return all;
}

static bool has_index_columns(const struct diffing *s, const struct pg_index *x)
{
    bool all = have_all(s, x->included, x->nincluded);

    for (uint32_t i = 0; i < x->n && all; i++)
        all = !x->parts[i].column || pg_is_declared(s, x->parts[i].column);
    return all;
}

/* Takes out what is on a column that no struct has: the plan is for the rest. */
static void leave_out(struct diffing *s, struct pg_declared *d)
{
    struct pg_table *t = &d->table;

    t->indexes = (struct pg_index *)pg_copy(s->arena, t->indexes, t->nindexes * sizeof(*t->indexes));
    t->foreign = (struct pg_foreign_key *)pg_copy(s->arena, t->foreign, t->nforeign * sizeof(*t->foreign));
    d->consents = (struct pg_consent *)pg_copy(s->arena, d->consents, d->nconsents * sizeof(*d->consents));
    if (t->primary && !have_all(s, t->primary->columns, t->primary->n))
        t->primary = NULL;
    for (uint32_t i = t->nindexes; i-- > 0;)
        if (!has_index_columns(s, &t->indexes[i]))
            pg_take_out(t->indexes, &t->nindexes, sizeof(*t->indexes), i);
    for (uint32_t i = t->nforeign; i-- > 0;)
        if (!have_all(s, t->foreign[i].columns, t->foreign[i].n))
            pg_take_out(t->foreign, &t->nforeign, sizeof(*t->foreign), i);
    for (uint32_t i = d->nconsents; i-- > 0;)
        if (d->consents[i].kind == PG_CONSENT_RETYPED && !pg_is_declared(s, d->consents[i].name))
            pg_take_out(d->consents, &d->nconsents, sizeof(*d->consents), i);
}

void pg_diff_outer(struct diffing *s)
{
    bool complete = true;

    for (uint32_t i = 0; i < s->d->nouter; i++) {
        const struct field_turn of = pg_declared_field(s, s->d->outer[i].column);
        if (of.field)
            check_use(s, &s->d->outer[i], &of);
        else
            no_column(s, &s->d->outer[i]);
        complete = complete && of.field;
    }
    if (complete)
        return;
    struct pg_declared *rest = (struct pg_declared *)pg_copy(s->arena, s->d, sizeof(*s->d));
    leave_out(s, rest);
    s->declared[s->current] = s->d = rest;
}
