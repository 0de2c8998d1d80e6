/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * In which order the columns of a table get what they are to be: a column whose values are computed from others comes
 * behind these, wherever the fields stand, and in whichever struct of the table.
 */
#include <string.h>

#include "diff_parts.h"
#include "sql.h"
#include "sql_parts.h"

/* What this plan does to the column of a field. */
struct use {
    const char *sql; /* that its values are computed by; NULL = none that can name other columns */
    bool comes;      /* it is not there yet */
    bool retyped;
    bool converted; /* … by `sql`, which is about values of the old type */
    bool filled;    /* rows that are there get a value in a step of its own */
    bool late;      /* it cannot be as it should be before others are filled */
    enum { UNSEEN, BEGUN, DONE } state;
};

void pg_take_turn(struct diffing *s, const struct field_turn *turn)
{
    s->current = turn->declared;
    s->d = s->declared[turn->declared];
    s->late = turn->late;
}

struct field_turn pg_declared_field(const struct diffing *s, const char *column)
{
    struct field_turn found = {s->current, pg_field_of(s->d, column), s->late};

    for (uint32_t i = 0; i < s->w->nowners && !found.field; i++)
        found.field = pg_field_of(s->declared[found.declared = s->w->owners[i]], column);
    found.declared = found.field ? found.declared : s->current;
    return found;
}

static const char *column_of(const struct diffing *s, const struct field_turn *turn)
{
    return s->declared[turn->declared]->table.columns[turn->field->column].name;
}

/* Structs agree on what a column is, but one of them alone may say what its rows get. */
static unsigned says(const struct pg_field *f)
{
    if (f->replaces)
        return 4;
    if (f->backfill)
        return pg_sql_is_null(f->backfill) ? 2 : 3;
    return f->renamed_from ? 1 : 0;
}

static void add_fields(struct diffing *s, field_turns *turns)
{
    for (uint32_t i = 0; i < s->d->nfields; i++) {
        const struct field_turn own = {s->current, &s->d->fields[i], false};
        struct field_turn *other = NULL;
        for (uint32_t k = 0; k < turns->n && s->w->nowners > 1 && !other; k++)
            if (strcmp(column_of(s, &turns->at[k]), column_of(s, &own)) == 0)
                other = &turns->at[k];
        if (!other)
            *pg_push(s->arena, turns) = own;
        else if (says(own.field) > says(other->field))
            *other = own;
    }
}

field_turns pg_fields_of_table(struct diffing *s)
{
    field_turns turns = {0};

    for (uint32_t i = 0; i < s->w->nowners; i++)
        if (pg_select(s, s->w->owners[i]))
            add_fields(s, &turns);
    return turns;
}

struct ordering {
    struct diffing *s;
    field_turns fields;
    struct use *uses; /* by number of field */
    uint32_t *path, npath;
    field_turns turns;
};

/* Of the field whose turn it is. */
static struct use use_of(struct diffing *s, const struct pg_field *f)
{
    const struct pg_column *want = &s->d->table.columns[f->column], *now = pg_table_column(&s->w->now, want->name);
    const char *backfill = f->backfill && !pg_sql_is_null(f->backfill) ? f->backfill : NULL;
    struct use u = {.comes = !now, .retyped = now && pg_type_changes(f, want, now)};
    bool rewrites;

    if (pg_replaced_by(s, f)) {
        u.filled = !pg_has_event(&s->w->now, PG_PAST_FILLED, want->name);
        u.sql = u.filled ? f->replaces->forward : NULL;
    } else if (want->generated.sql) {
        u.sql = u.comes || u.retyped ? want->generated.sql : NULL;
    } else {
        bool value = backfill || (want->standard.sql && !(u.comes && pg_is_constant(want->standard.sql)));
        u.filled = value && (u.comes || (now->nullable && !want->nullable));
        u.converted = u.retyped && backfill && !pg_retype_keeps(&now->type, &want->type, &rewrites);
        u.sql = u.filled || u.converted ? backfill : NULL;
    }
    return u;
}

/* Field number `i` has to wait for number `k`. Of two whose types change each may mean the other's old type. */
static bool waits_for(struct ordering *o, uint32_t i, uint32_t k)
{
    const struct use *u = &o->uses[i], *of = &o->uses[k];
    bool matters = of->comes || of->filled || (of->retyped && !u->converted);

    return i != k && u->sql && matters && pg_names_column(o->s, u->sql, column_of(o->s, &o->fields.at[k]));
}

/* What stands in a subquery may be another table's column of that name. */
static bool has_subquery(const char *sql)
{
    size_t len = strlen(sql);

    for (struct pg_token t = pg_sql_token(sql, len, 0); t.kind != PG_TOKEN_END;
         t = pg_sql_token(sql, len, t.at + t.len))
        if (pg_token_is(sql, t, "select"))
            return true;
    return false;
}

struct field_turn pg_former_name_in(struct diffing *s, const char *sql)
{
    for (uint32_t o = 0; o < s->w->nowners; o++) {
        const struct pg_declared *d = s->declared[s->w->owners[o]];
        for (uint32_t i = 0; i < d->nfields; i++) {
            const char *former = d->fields[i].renamed_from;
            if (former && !pg_table_column(&s->w->now, former) && !pg_is_declared(s, former) &&
                pg_names_column(s, sql, former) && !has_subquery(sql))
                return (struct field_turn){s->w->owners[o], &d->fields[i], false};
        }
    }
    return (struct field_turn){0};
}

/* Renames come first, so that an expression which is carried out knows columns by their new names alone. */
static void refuse_former_name(struct ordering *o, uint32_t i)
{
    struct diffing *s = o->s;
    const struct field_turn *own = &o->fields.at[i];
    const struct field_turn of = o->uses[i].sql ? pg_former_name_in(s, o->uses[i].sql) : (struct field_turn){0};

    if (!of.field)
        return;
    pg_take_turn(s, own);
    pg_refuse(s, PG_NO_RULE, pg_at_field(own->field->name),
              "column '%s' is computed from '%s', which is called '%s' then: the rename comes first. Write '%s'",
              column_of(s, own), of.field->renamed_from, column_of(s, &of), column_of(s, &of));
}

/* The fields of the path from number `first` on each wait for the next one, and the last for the first. */
static void refuse_circle(struct ordering *o, uint32_t first)
{
    struct diffing *s = o->s;
    struct pg_text names = {.arena = s->arena};
    uint32_t at = 0;

    while (o->path[at] != first)
        at++;
    for (uint32_t i = at; i < o->npath; i++) {
        if (has_subquery(o->uses[o->path[i]].sql))
            return;
        pg_putf(&names, i == at ? "'%s' is computed from " : "'%s', that from ",
                column_of(s, &o->fields.at[o->path[i]]));
    }
    pg_take_turn(s, &o->fields.at[first]);
    pg_refuse(s, PG_NO_RULE, pg_at_field(o->fields.at[first].field->name),
              "columns of '%s' need each other's values, so that none of them can be filled first: %s'%s'. "
              "CELL_BACKFILL of one of them has to do without the other, or to be added in a later build",
              s->w->now.name, names.data, column_of(s, &o->fields.at[first]));
}

static void visit(struct ordering *o, uint32_t i)
{
    struct use *u = &o->uses[i];

    u->state = BEGUN;
    o->path[o->npath++] = i;
    for (uint32_t k = 0; k < o->fields.n; k++) {
        if (!waits_for(o, i, k))
            continue;
        if (o->uses[k].state == BEGUN)
            refuse_circle(o, k);
        else if (o->uses[k].state == UNSEEN)
            visit(o, k);
        u->late = u->late || o->uses[k].filled || o->uses[k].late;
    }
    o->npath--;
    u->state = DONE;
    *pg_push(o->s->arena, &o->turns) = (struct field_turn){o->fields.at[i].declared, o->fields.at[i].field, u->late};
}

field_turns pg_fields_in_turn(struct diffing *s)
{
    struct ordering o = {.s = s, .fields = pg_fields_of_table(s)};
    uint32_t n = o.fields.n;

    o.uses = pg_array(s->arena, n, sizeof(*o.uses));
    o.path = pg_array(s->arena, n, sizeof(*o.path));
    for (uint32_t i = 0; i < n; i++) {
        pg_take_turn(s, &o.fields.at[i]);
        o.uses[i] = use_of(s, o.fields.at[i].field);
    }
    for (uint32_t i = 0; i < n; i++)
        refuse_former_name(&o, i);
    for (uint32_t i = 0; i < n; i++)
        if (o.uses[i].state == UNSEEN)
            visit(&o, i);
    return o.turns;
}
