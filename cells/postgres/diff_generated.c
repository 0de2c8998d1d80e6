/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Generated columns whose type changes, or that of a column which they are computed from: PostgreSQL changes neither as
 * it does with other columns. What they hold is derived, so they are dropped and made again, in the step that needs it.
 */
#include <string.h>

#include "diff_parts.h"
#include "sql.h"

const struct pg_column *pg_declared_column(const struct diffing *s, const char *name)
{
    const struct field_turn found = pg_declared_field(s, name);

    return found.field ? &s->declared[found.declared]->table.columns[found.field->column] : NULL;
}

static void drop(struct diffing *s, struct step_builder *b, const char *name)
{
    pg_say_what_goes(s, name, true);
    pg_step_alter(s, b, "DROP COLUMN %s", pg_quoted(s, name));
    pg_step_forget(s, b, "generated", name);
}

/* As it was, with what is declared of it. */
static void make_again(struct diffing *s, struct step_builder *b, const char *name, const struct pg_column *want,
                       bool of_new_type)
{
    struct pg_column c = *pg_table_column(&s->w->now, name);
    struct pg_text t = {.arena = s->arena};

    c.generated = (struct pg_expr){.sql = want->generated.sql};
    c.comment = NULL;
    if (of_new_type)
        c.type = want->type;
    pg_drop_from_now(s, name);
    pg_sql_column(&t, &s->w->now, &c);
    pg_step_sql(s, b, t.data);
    pg_step_record(s, b, "generated", c.name, c.generated.sql);
    pg_add_to_now(s, &c);
}

bool pg_generated_from(struct diffing *s, const struct pg_field *f, const char *column, pg_names *found)
{
    for (uint32_t i = 0; i < s->w->now.ncolumns; i++) {
        const struct pg_column *c = &s->w->now.columns[i], *want = pg_declared_column(s, c->name);
        if (!c->generated.sql || !pg_names_column(s, c->generated.sql, column))
            continue;
        if (!want) {
            struct pg_diagnostic *d = pg_refuse(
                s, PG_NO_RULE, pg_at_field(f->name),
                "column '%s' cannot get another type while '%s', which no field declares, is generated from it: "
                "declare that with CELL_GENERATED, so that it can be made again",
                column, c->name);
            pg_add_note(s->arena, d, NULL, "CELL_DROPPED(\"%s\") lets it go, in a build before this one", c->name);
            d->whole = true; /* a later struct may declare it */
            return false;
        }
        /* Another expression is refused at its own field. */
        if (!pg_expr_equal(&want->generated, &c->generated))
            return false;
        *pg_push(s->arena, found) = c->name;
    }
    return true;
}

bool pg_refuse_computed(struct diffing *s, struct pg_place place, const char *column)
{
    for (uint32_t o = 0; o < s->w->nowners; o++) {
        const struct pg_table *t = &s->declared[s->w->owners[o]]->table;
        for (uint32_t i = 0; i < t->ncolumns; i++) {
            const struct pg_column *c = &t->columns[i];
            if (!c->generated.sql || !pg_names_column(s, c->generated.sql, column))
                continue;
            pg_refuse(s, PG_NO_RULE, place, "column '%s' cannot go: '%s', which a field declares, is computed from it",
                      column, c->name);
            return true;
        }
    }
    return false;
}

void pg_drop_generated(struct diffing *s, struct step_builder *b, const pg_names *names)
{
    for (uint32_t i = 0; i < names->n; i++)
        drop(s, b, names->at[i]);
}

void pg_make_generated(struct diffing *s, struct step_builder *b, const pg_names *names)
{
    for (uint32_t i = 0; i < names->n; i++) {
        const struct pg_column *want = pg_declared_column(s, names->at[i]), *now;
        const struct field_turn at_hand = {s->current, NULL, s->late}, turn = pg_declared_field(s, names->at[i]);
        now = pg_table_column(&s->w->now, names->at[i]);
        bool changes = pg_type_changes(turn.field, want, now);
        pg_take_turn(s, &turn);
        if (changes && pg_may_retype(s, turn.field, want, now))
            pg_step_consented(s, b, PG_CONSENT_RETYPED, want->name);
        pg_take_turn(s, &at_hand);
        make_again(s, b, names->at[i], want, changes);
    }
}

void pg_retype_generated(struct diffing *s, const struct pg_field *f, const struct pg_column *want,
                         struct pg_column *now)
{
    const char *name = want->name;
    bool rewrites, keeps = pg_retype_keeps(&now->type, &want->type, &rewrites);
    struct step_builder b =
        pg_step_begin(s, PG_STEP_RETYPE_COLUMN, keeps && !rewrites ? PG_TOGETHER : PG_ALONE, name, f->name);

    if (keeps) { /* with what hangs on it; the expression is converted as its values are */
        pg_step_alter(s, &b, "ALTER COLUMN %s TYPE %s", pg_quoted(s, name), pg_type_name(s->arena, &want->type));
        pg_step_record(s, &b, "generated", name, want->generated.sql);
        struct pg_column copy;
        pg_column_copy(s->arena, want, &copy);
        now->type = copy.type;
        now->generated = copy.generated;
    } else {
        drop(s, &b, name);
        make_again(s, &b, name, want, true);
    }
    if (rewrites) {
        pg_step_consented(s, &b, PG_CONSENT_RETYPED, name);
        pg_step_hazard(&b, PG_RULE_RETYPE_REWRITES);
        b.step.text = keeps ? NULL
                            : pg_printf(s->arena, "make generated column %s of %s again, as %s", pg_quoted(s, name),
                                        pg_this_table(s), pg_type_name(s->arena, &want->type));
    }
    pg_step_end(s, &b, pg_column_phase(s));
}
