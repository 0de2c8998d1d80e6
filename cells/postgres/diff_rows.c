/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Structs that only read a table: CELL_ROWS. */
#include "diff_parts.h"

static void no_column(struct diffing *s, const struct pg_table *t, const struct pg_field *f, const char *column)
{
    const char **names = pg_array(s->arena, t->ncolumns + 1, sizeof(*names));

    for (uint32_t i = 0; i < t->ncolumns; i++)
        names[i] = t->columns[i].name;
    const char *near = pg_suggest(column, names, t->ncolumns);
    pg_refuse(s, PG_NO_RULE, pg_at_field(f->name),
              near ? "table '%s' has no column '%s'; did you mean '%s'?" : "table '%s' has no column '%s'", t->name,
              column, near)
        ->other_table = t->name;
}

static void diff_row_field(struct diffing *s, const struct pg_table *t, const struct pg_field *f)
{
    const char *column = s->d->table.columns[f->column].name;
    const struct pg_column *c = pg_table_column(t, column);
    struct pg_types types = {NULL, s->catalog};
    enum pg_codec codec;
    char why[256];

    if (!c) {
        no_column(s, t, f, column);
        return;
    }
    if (f->sql_type && !pg_type_equal(&f->mapping.type, &c->type))
        pg_refuse(s, PG_NO_RULE, pg_at_field(f->name), "column '%s' is %s, not %s", column,
                  pg_type_name(s->arena, &c->type), f->sql_type)
            ->other_table = t->name;
    else if (pg_map_existing(s->arena, &types, &f->c, &c->type, &codec, why) < 0)
        pg_refuse(s, PG_NO_RULE, pg_at_field(f->name), "column '%s': %s", column, why)->other_table = t->name;
    else if (c->nullable && !f->c.optional)
        pg_refuse(s, PG_RULE_NULL_IN_PLAIN_FIELD, pg_at_field(f->name),
                  "column '%s' may be NULL: the field has to be optional (cell_opt_…, CELL_OPT)", column)
            ->other_table = t->name;
}

void pg_diff_rows(struct diffing *s)
{
    const struct pg_table *want = &s->d->table;
    const struct pg_table *t =
        s->w && (s->w->exists || s->w->created) ? &s->w->now : pg_model_table(s->catalog, want->schema, want->name);
    const char **names = pg_array(s->arena, s->catalog->ntables + 1, sizeof(*names));

    if (t) {
        for (uint32_t i = 0; i < s->d->nfields; i++)
            diff_row_field(s, t, &s->d->fields[i]);
        return;
    }
    for (uint32_t i = 0; i < s->catalog->ntables; i++)
        names[i] = s->catalog->tables[i].name;
    const char *near = pg_suggest(want->name, names, s->catalog->ntables);
    pg_refuse(s, PG_NO_RULE, PG_AT_ANNOTATION,
              near ? "there is no table '%s'; did you mean '%s'?"
                   : "there is no table '%s': a struct with CELL_TABLE before this one can declare it",
              want->name, near)
        ->other_table = want->name;
}
