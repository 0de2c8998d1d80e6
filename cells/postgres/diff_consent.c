/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Consents: what they let go, and what is left of them; and structs that only read. */
#include <stdlib.h>
#include <string.h>

#include "diff_parts.h"
#include "sql.h"

bool pg_consents(struct diffing *s, enum pg_consent_kind kind, const char *name)
{
    bool found = false;

    for (uint32_t i = 0; i < s->w->nowners; i++) {
        const struct pg_declared *d = s->declared[s->w->owners[i]];
        for (uint32_t k = 0; k < d->nconsents; k++)
            if (d->consents[k].kind == kind && strcmp(d->consents[k].name, name) == 0) {
                s->consent_used[s->w->owners[i]][k] = true;
                found = true;
            }
    }
    return found;
}

/* Each program once, where it uses the column; but not those that know it as `other`. */
static const char *list_users(struct diffing *s, const char *column, const char *other)
{
    const struct pg_diff_options *o = s->options;
    struct pg_text t = {.arena = s->arena};
    uint32_t n = 0;

    for (uint32_t i = 0; o && i < o->nuses; i++) {
        const struct pg_use *u = &o->uses[i];
        bool said = false;
        if (strcmp(u->table, s->w->now.name) != 0 || strcmp(u->column, column) != 0 ||
            (u->schema && strcmp(u->schema, s->w->now.schema) != 0) ||
            (other && u->type && strcmp(u->type, other) == 0))
            continue;
        for (uint32_t k = 0; k < i && !said; k++)
            said = strcmp(o->uses[k].program, u->program) == 0 && strcmp(o->uses[k].column, column) == 0 &&
                   strcmp(o->uses[k].table, u->table) == 0;
        if (said || n++ >= 5)
            continue;
        pg_putf(&t, "%s%s", t.len ? ", " : "", u->program);
        if (u->place)
            pg_putf(&t, " at %s", u->place);
    }
    if (n > 5)
        pg_putf(&t, " and %u more", n - 5);
    return t.data;
}

const char *pg_users_of(struct diffing *s, const char *column) { return list_users(s, column, NULL); }

static const char *reason(struct diffing *s, const char *users, bool *unknown)
{
    const char *why = s->options ? s->options->unknown : NULL;

    *unknown = why != NULL;
    if (users)
        return pg_printf(s->arena, "recorded programs use it (%s)%s%s", users, why ? "; " : "", why ? why : "");
    return why ? pg_printf(s->arena, "it is not known which programs use it: %s", why) : NULL;
}

const char *pg_waits_for(struct diffing *s, const char *column, bool *unknown)
{
    return reason(s, list_users(s, column, NULL), unknown);
}

const char *pg_needs_type(struct diffing *s, const char *column, const struct pg_type_use *other, bool *unknown)
{
    return reason(s, list_users(s, column, pg_type_name(s->arena, other)), unknown);
}

/* ---- constraints and indexes that may go ---- */

static void drop_constraint(struct diffing *s, const char *name, const char *kind, enum pg_rule rule)
{
    struct step_builder b = pg_step_begin(s, PG_STEP_DROP_CONSTRAINT, PG_TOGETHER, name, NULL);

    pg_step_alter(s, &b, "DROP CONSTRAINT %s", pg_quoted(s, name));
    pg_step_forget(s, &b, kind, name);
    pg_step_record(s, &b, "dropped", name, NULL);
    pg_step_hazard(&b, rule);
    b.step.consent = pg_printf(s->arena, "CELL_DROPPED(\"%s\")", name);
    pg_step_end(s, &b, PG_PHASE_LOOSEN);
}

static void drop_index(struct diffing *s, const char *name)
{
    bool beside = s->w->now.kind != 'p';
    struct step_builder b = pg_step_begin(s, PG_STEP_DROP_INDEX, beside ? PG_OUTSIDE : PG_ALONE, name, NULL);
    struct pg_text t = {.arena = s->arena};

    pg_putf(&t, "DROP INDEX %sIF EXISTS ", beside ? "CONCURRENTLY " : "");
    pg_sql_qualified(&t, s->w->now.schema, name);
    pg_step_sql(s, &b, t.data);
    pg_step_forget(s, &b, "index", name);
    pg_step_record(s, &b, "dropped", name, NULL);
    pg_step_hazard(&b, PG_RULE_DROP_INDEX);
    b.step.consent = pg_printf(s->arena, "CELL_DROPPED(\"%s\")", name);
    pg_step_end(s, &b, PG_PHASE_DROP);
}

/* What the struct itself declares cannot be dropped as well. */
static bool is_wanted(struct diffing *s, const char *name, bool wanted)
{
    if (wanted)
        pg_refuse(s, PG_RULE_NO_EFFECT, PG_AT_ANNOTATION,
                  "CELL_DROPPED(\"%s\") contradicts the struct, which declares the same", name);
    return wanted;
}

bool pg_key_wanted(struct diffing *s, const struct pg_key *k)
{
    for (uint32_t o = 0; o < s->w->nowners; o++) {
        const struct pg_table *t = &s->declared[s->w->owners[o]]->table;
        for (uint32_t i = 0; i < t->nuniques; i++)
            if (pg_key_equal(&t->uniques[i], k))
                return true;
        if (t->primary && pg_key_equal(t->primary, k))
            return true;
    }
    return false;
}

bool pg_index_wanted(struct diffing *s, const struct pg_index *x)
{
    for (uint32_t o = 0; o < s->w->nowners; o++) {
        const struct pg_table *t = &s->declared[s->w->owners[o]]->table;
        for (uint32_t i = 0; i < t->nindexes; i++)
            if (pg_index_equal(&t->indexes[i], x))
                return true;
    }
    return false;
}

bool pg_check_wanted(struct diffing *s, const struct pg_check *c)
{
    for (uint32_t o = 0; o < s->w->nowners; o++) {
        const struct pg_table *t = &s->declared[s->w->owners[o]]->table;
        for (uint32_t i = 0; i < t->nchecks; i++)
            if (pg_check_equal(&t->checks[i], c))
                return true;
    }
    return false;
}

bool pg_foreign_wanted(struct diffing *s, const struct pg_foreign_key *f)
{
    for (uint32_t o = 0; o < s->w->nowners; o++) {
        const struct pg_table *t = &s->declared[s->w->owners[o]]->table;
        for (uint32_t i = 0; i < t->nforeign; i++) {
            struct pg_foreign_key want = t->foreign[i];
            if (!want.to_columns)
                want.to_columns = f->to_columns;
            if (want.n == f->n && pg_foreign_key_equal(&want, f))
                return true;
        }
    }
    return false;
}

/* Behind what is added, so that what was replaced under its name is not dropped. */
void pg_diff_drops(struct diffing *s)
{
    struct pg_table *t = &s->w->now;

    for (uint32_t i = t->nuniques; i-- > 0;)
        if (pg_consents(s, PG_CONSENT_DROPPED, t->uniques[i].name) &&
            !is_wanted(s, t->uniques[i].name, pg_key_wanted(s, &t->uniques[i]))) {
            drop_constraint(s, t->uniques[i].name, "key", PG_RULE_DROP_CONSTRAINT);
            pg_take_out(t->uniques, &t->nuniques, sizeof(*t->uniques), i);
        }
    for (uint32_t i = t->nchecks; i-- > 0;)
        if (!pg_check_wanted(s, &t->checks[i]) && pg_consents(s, PG_CONSENT_DROPPED, t->checks[i].name)) {
            drop_constraint(s, t->checks[i].name, "check", PG_RULE_DROP_CONSTRAINT);
            pg_take_out(t->checks, &t->nchecks, sizeof(*t->checks), i);
        }
    for (uint32_t i = t->nforeign; i-- > 0;)
        if (pg_consents(s, PG_CONSENT_DROPPED, t->foreign[i].name) &&
            !is_wanted(s, t->foreign[i].name, pg_foreign_wanted(s, &t->foreign[i]))) {
            drop_constraint(s, t->foreign[i].name, "foreign", PG_RULE_DROP_FOREIGN_KEY);
            pg_take_out(t->foreign, &t->nforeign, sizeof(*t->foreign), i);
        }
    for (uint32_t i = t->nindexes; i-- > 0;)
        if (pg_consents(s, PG_CONSENT_DROPPED, t->indexes[i].name) &&
            !is_wanted(s, t->indexes[i].name, pg_index_wanted(s, &t->indexes[i]))) {
            drop_index(s, t->indexes[i].name);
            pg_take_out(t->indexes, &t->nindexes, sizeof(*t->indexes), i);
        }
    if (t->primary && !s->d->table.primary && pg_consents(s, PG_CONSENT_DROPPED, t->primary->name) &&
        !is_wanted(s, t->primary->name, pg_key_wanted(s, t->primary))) {
        drop_constraint(s, t->primary->name, "key", PG_RULE_DROP_CONSTRAINT);
        t->primary = NULL;
    }
}

/* ---- what is left ---- */

/* What could have been meant: things of the table that no struct declares. */
static const char *near_undeclared(struct diffing *s, const char *name)
{
    const struct pg_table *t = &s->w->now;
    uint32_t max = t->ncolumns + t->nuniques + t->nindexes + t->nforeign + t->nchecks + 1, n = 0;
    const char **names = pg_array(s->arena, max, sizeof(*names));

    for (uint32_t i = 0; i < t->ncolumns; i++)
        if (!pg_is_declared(s, t->columns[i].name))
            names[n++] = t->columns[i].name;
    for (uint32_t i = 0; i < t->nuniques; i++)
        if (!pg_key_wanted(s, &t->uniques[i]))
            names[n++] = t->uniques[i].name;
    for (uint32_t i = 0; i < t->nindexes; i++)
        if (!pg_index_wanted(s, &t->indexes[i]))
            names[n++] = t->indexes[i].name;
    for (uint32_t i = 0; i < t->nforeign; i++)
        if (!pg_foreign_wanted(s, &t->foreign[i]))
            names[n++] = t->foreign[i].name;
    for (uint32_t i = 0; i < t->nchecks; i++)
        if (!pg_check_wanted(s, &t->checks[i]))
            names[n++] = t->checks[i].name;
    return pg_suggest(name, names, n);
}

static void unused_consent(struct diffing *s, const struct pg_consent *c)
{
    bool dropped = c->kind == PG_CONSENT_DROPPED;
    const char *macro = dropped ? "CELL_DROPPED" : "CELL_RETYPED";
    enum pg_past past = dropped ? PG_PAST_DROPPED : PG_PAST_RETYPED;

    if (pg_done_long_ago(&s->w->now, past, c->name)) {
        pg_plan_diagnose(s, PG_REMARK, PG_RULE_CONSENT_DONE, pg_at_rule(c->rule),
                         "%s(\"%s\") was done long ago and can be removed", macro, c->name);
        return;
    }
    for (uint32_t i = 0; i < s->w->now.nevents; i++)
        if (s->w->now.events[i].past == past && strcmp(s->w->now.events[i].name, c->name) == 0)
            return;
    const char *near = dropped ? near_undeclared(s, c->name) : NULL;
    if (near)
        pg_refuse(s, PG_RULE_NO_EFFECT, pg_at_rule(c->rule),
                  "%s(\"%s\") finds nothing: table '%s' has nothing of that name; did you mean '%s'?", macro, c->name,
                  s->w->now.name, near);
}

void pg_diff_consents(struct diffing *s)
{
    uint32_t current = s->current;

    for (uint32_t i = 0; i < s->w->nowners; i++) {
        s->current = s->w->owners[i];
        const struct pg_declared *d = s->declared[s->current];
        for (uint32_t k = 0; k < d->nconsents; k++)
            if (!s->consent_used[s->current][k] && !s->w->created)
                unused_consent(s, &d->consents[k]);
    }
    s->current = current;
}

/* ---- CELL_ROWS ---- */

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
