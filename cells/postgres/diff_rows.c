/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Structs that only read a table: CELL_ROWS. */
#include "diff_parts.h"

#include <string.h>

#include "sql.h"

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

static bool same_columns(const struct pg_key *a, const struct pg_key *b)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < a->n; i++)
        for (uint32_t k = 0; k < b->n; k++)
            found += strcmp(a->columns[i], b->columns[k]) == 0;
    return a->n == b->n && found == a->n;
}

static const char *field_on(const struct diffing *s, const char *column) { return pg_field_of(s->d, column)->name; }

/* An index on the column alone, or the one of a key. */
static bool has_index(const struct pg_table *t, const struct pg_index *want)
{
    const struct pg_key key = {.columns = &want->parts[0].column, .n = 1};

    return pg_index_is_there(t, want) || (strcmp(want->method, "btree") == 0 && pg_key_is_there(t, &key, NULL));
}

/* What CELL_KEY, CELL_UNIQUE and CELL_INDEXED expect: programs rely on keys, an index makes them faster alone. */
static void diff_row_keys(struct diffing *s, const struct pg_table *t)
{
    const struct pg_table *want = &s->d->table;
    struct pg_text has = {.arena = s->arena};

    if (t->primary)
        pg_sql_names(&has, t->primary->columns, t->primary->n);
    if (want->primary && !t->primary)
        pg_refuse(s, PG_NO_RULE, pg_at_field(field_on(s, want->primary->columns[0])),
                  "table '%s' has no primary key, which CELL_KEY expects", t->name)
            ->other_table = t->name;
    else if (want->primary && !same_columns(want->primary, t->primary))
        pg_refuse(s, PG_NO_RULE, pg_at_field(field_on(s, want->primary->columns[0])),
                  "the primary key of table '%s' is (%s): CELL_KEY is for the fields of these columns", t->name,
                  has.data)
            ->other_table = t->name;
    for (uint32_t i = 0; i < want->nuniques; i++)
        if (!pg_key_is_there(t, &want->uniques[i], NULL))
            pg_refuse(s, PG_NO_RULE, pg_at_field(field_on(s, want->uniques[i].columns[0])),
                      "column '%s' is not unique in table '%s': it has neither a constraint nor an index that says so",
                      want->uniques[i].columns[0], t->name)
                ->other_table = t->name;
    for (uint32_t i = 0; i < want->nindexes; i++)
        if (!has_index(t, &want->indexes[i]))
            pg_plan_diagnose(s, PG_REMARK, PG_NO_RULE, pg_at_field(field_on(s, want->indexes[i].parts[0].column)),
                             "table '%s' has no index by %s on column '%s' alone: what looks for a value there may "
                             "read all rows",
                             t->name, want->indexes[i].method, want->indexes[i].parts[0].column);
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
        diff_row_keys(s, t);
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
