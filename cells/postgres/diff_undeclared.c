/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Columns that no struct has any more: which go, which wait for programs, and what is said of those that stay. */
#include <string.h>

#include "diff_parts.h"
#include "sql.h"

static bool uses(const char **names, uint32_t n, const char *column)
{
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(names[i], column) == 0)
            return true;
    return false;
}

/* Does an expression name the column? Then PostgreSQL drops what it belongs to as well. */
static bool expr_uses(struct diffing *s, const struct pg_expr *e, const char *column)
{
    return e->sql && pg_names_column(s, e->sql, column);
}

bool pg_index_uses(struct diffing *s, const struct pg_index *x, const char *column)
{
    bool used = expr_uses(s, &x->predicate, column) || uses(x->included, x->nincluded, column);

    for (uint32_t i = 0; i < x->n && !used; i++)
        used =
            (x->parts[i].column && strcmp(x->parts[i].column, column) == 0) || expr_uses(s, &x->parts[i].expr, column);
    return used;
}

static void list_name(struct pg_text *t, const char *name) { pg_putf(t, "%s'%s'", t->len ? ", " : "", name); }

static bool check_uses_others(struct diffing *s, const struct pg_check *c, const char *column)
{
    for (uint32_t i = 0; i < s->w->now.ncolumns; i++) {
        const char *other = s->w->now.columns[i].name;
        if (strcmp(other, column) != 0 && expr_uses(s, &c->expr, other))
            return true;
    }
    return false;
}

/* What PostgreSQL drops with the column though it is about others as well; or, with a column that is made again, though
 * no struct has it made again. */
void pg_say_what_goes(struct diffing *s, const char *column, bool again)
{
    const struct pg_table *t = &s->w->now;
    struct pg_text names = {.arena = s->arena};

    if (t->primary && uses(t->primary->columns, t->primary->n, column) &&
        (again ? !pg_key_wanted(s, t->primary) : t->primary->n > 1))
        list_name(&names, t->primary->name);
    for (uint32_t i = 0; i < t->nuniques; i++)
        if (uses(t->uniques[i].columns, t->uniques[i].n, column) &&
            (again ? !pg_key_wanted(s, &t->uniques[i]) : t->uniques[i].n > 1))
            list_name(&names, t->uniques[i].name);
    for (uint32_t i = 0; i < t->nindexes; i++)
        if (pg_index_uses(s, &t->indexes[i], column) &&
            (again ? !pg_index_wanted(s, &t->indexes[i]) : t->indexes[i].n > 1 || t->indexes[i].predicate.sql))
            list_name(&names, t->indexes[i].name);
    for (uint32_t i = 0; i < t->nforeign; i++)
        if (uses(t->foreign[i].columns, t->foreign[i].n, column) &&
            (again ? !pg_foreign_wanted(s, &t->foreign[i]) : t->foreign[i].n > 1))
            list_name(&names, t->foreign[i].name);
    for (uint32_t i = 0; i < t->nchecks; i++)
        if (expr_uses(s, &t->checks[i].expr, column) &&
            (again ? !pg_check_wanted(s, &t->checks[i]) : check_uses_others(s, &t->checks[i], column)))
            list_name(&names, t->checks[i].name);
    if (names.len)
        pg_plan_diagnose(s, PG_WARNING, PG_RULE_DROP_COLUMN, PG_AT_ANNOTATION,
                         again ? "column '%s' of '%s' is made again, and with it goes what no struct declares: %s"
                               : "with column '%s' goes what is about other columns of '%s' as well: %s",
                         column, t->name, names.data);
}

void pg_drop_from_now(struct diffing *s, const char *column)
{
    struct pg_table *t = &s->w->now;

    if (t->primary && uses(t->primary->columns, t->primary->n, column))
        t->primary = NULL;
    for (uint32_t i = t->nuniques; i-- > 0;)
        if (uses(t->uniques[i].columns, t->uniques[i].n, column))
            pg_take_out(t->uniques, &t->nuniques, sizeof(*t->uniques), i);
    for (uint32_t i = t->nindexes; i-- > 0;)
        if (pg_index_uses(s, &t->indexes[i], column))
            pg_take_out(t->indexes, &t->nindexes, sizeof(*t->indexes), i);
    for (uint32_t i = t->nforeign; i-- > 0;)
        if (uses(t->foreign[i].columns, t->foreign[i].n, column))
            pg_take_out(t->foreign, &t->nforeign, sizeof(*t->foreign), i);
    for (uint32_t i = t->nchecks; i-- > 0;)
        if (expr_uses(s, &t->checks[i].expr, column))
            pg_take_out(t->checks, &t->nchecks, sizeof(*t->checks), i);
    for (uint32_t i = 0; i < t->ncolumns; i++)
        if (strcmp(t->columns[i].name, column) == 0) {
            pg_take_out(t->columns, &t->ncolumns, sizeof(*t->columns), i);
            break;
        }
}

/* A constraint that a value which nobody has chosen could violate. */
static bool is_constrained(struct diffing *s, const char *column)
{
    const struct pg_table *t = &s->w->now;
    bool found = false;

    for (uint32_t i = 0; i < t->nuniques; i++)
        found = found || uses(t->uniques[i].columns, t->uniques[i].n, column);
    for (uint32_t i = 0; i < t->nindexes; i++)
        found = found || (t->indexes[i].unique && pg_index_uses(s, &t->indexes[i], column));
    for (uint32_t i = 0; i < t->nforeign; i++)
        found = found || uses(t->foreign[i].columns, t->foreign[i].n, column);
    for (uint32_t i = 0; i < t->nchecks; i++)
        found = found || expr_uses(s, &t->checks[i].expr, column);
    return found;
}

/* Programs that do not know the column can insert, and those that do find a value, as their structs need it: a default,
 * or where that could be refused, NULL. */
static void free_of_values(struct diffing *s, struct pg_column *c)
{
    if (c->nullable || c->standard.sql || c->identity || c->generated.sql || pg_in_key(&s->w->now, c->name))
        return;
    if (c->type.base == PG_BASE_OTHER || pg_strict_zero(&c->type) == NULL || is_constrained(s, c->name)) {
        pg_drop_not_null(s, NULL, c);
        return;
    }
    struct step_builder b = pg_step_begin(s, PG_STEP_SET_DEFAULT, PG_TOGETHER, c->name, NULL);
    const char *zero = pg_strict_zero(&c->type);
    pg_step_alter(s, &b, "ALTER COLUMN %s SET DEFAULT (%s)", pg_quoted(s, c->name), zero);
    /* Not recorded as Cell's: the declaration that has the column knows of no default, and must not take it away. */
    pg_step_end(s, &b, PG_PHASE_COLUMN);
    c->standard = (struct pg_expr){.sql = zero};
}

/* A consented drop that recorded programs still need waits for them. */
static bool wait_for_users(struct diffing *s, struct pg_column *c)
{
    bool unknown;
    const char *why = pg_waits_for(s, c->name, &unknown);

    if (!why)
        return false;
    pg_plan_diagnose(s, unknown ? PG_WARNING : PG_REMARK, PG_RULE_STILL_USED, PG_AT_ANNOTATION,
                     "column '%s' stays for now: %s", c->name, why);
    free_of_values(s, c);
    return true;
}

static void drop_column(struct diffing *s, struct pg_column *c)
{
    const char *name = pg_strdup(s->arena, c->name);

    if (pg_refuse_computed(s, PG_AT_ANNOTATION, name) || wait_for_users(s, c))
        return;
    struct step_builder b = pg_step_begin(s, PG_STEP_DROP_COLUMN, PG_TOGETHER, name, NULL);
    b.step.text = pg_printf(s->arena, "ALTER TABLE %s DROP COLUMN %s", pg_this_table(s), pg_quoted(s, name));
    pg_leave_step(s, &b, name);
    pg_step_alter(s, &b, "DROP COLUMN %s", pg_quoted(s, name));
    b.step.declared = pg_step_consented(s, &b, PG_CONSENT_DROPPED, name);
    pg_step_forget(s, &b, c->generated.sql ? "generated" : "default", name);
    if (c->numbers)
        pg_step_forget(s, &b, "numbers", name);
    if (pg_has_event(&s->w->now, PG_PAST_FILLING, name))
        pg_step_forget(s, &b, "filling", name);
    if (pg_has_event(&s->w->now, PG_PAST_SHAPE, name))
        pg_step_forget(s, &b, "shape", name);
    pg_step_hazard(&b, PG_RULE_DROP_COLUMN);
    pg_step_end(s, &b, PG_PHASE_DROP);
    pg_say_what_goes(s, name, false);
    pg_drop_from_now(s, name);
}

/* ---- what no struct mentions ---- */

/* Whether the index stands for a unique constraint that a struct has. */
static bool serves(const struct diffing *s, const struct pg_index *x)
{
    for (uint32_t o = 0; o < s->w->nowners; o++) {
        const struct pg_table *t = &s->declared[s->w->owners[o]]->table;
        for (uint32_t i = 0; i < t->nuniques; i++)
            if (pg_index_is_key(x, &t->uniques[i]))
                return true;
    }
    return false;
}

/* Whether a unique index that a struct has is there as this constraint. */
static bool is_served(const struct diffing *s, const struct pg_key *k)
{
    for (uint32_t o = 0; o < s->w->nowners; o++) {
        const struct pg_table *t = &s->declared[s->w->owners[o]]->table;
        for (uint32_t i = 0; i < t->nindexes; i++)
            if (pg_index_is_key(&t->indexes[i], k))
                return true;
    }
    return false;
}

static void list_objects(struct diffing *s, struct pg_text *names)
{
    struct pg_table *t = &s->w->now;

    for (uint32_t i = 0; i < t->nuniques; i++)
        if (!pg_key_wanted(s, &t->uniques[i]) && !is_served(s, &t->uniques[i]))
            list_name(names, t->uniques[i].name);
    for (uint32_t i = 0; i < t->nindexes; i++)
        if (!pg_index_wanted(s, &t->indexes[i]) && !serves(s, &t->indexes[i]))
            list_name(names, t->indexes[i].name);
    for (uint32_t i = 0; i < t->nforeign; i++)
        if (!pg_foreign_wanted(s, &t->foreign[i]))
            list_name(names, t->foreign[i].name);
    for (uint32_t i = 0; i < t->nchecks; i++)
        if (!pg_check_wanted(s, &t->checks[i]))
            list_name(names, t->checks[i].name);
}

/* What interrupted builds of Cell's have left and no struct wants any more: no query can use such an index, and each
 * write pays for it. Those that are wanted have been made anew by now. */
static void drop_leftovers(struct diffing *s)
{
    struct pg_table *t = &s->w->now;

    for (uint32_t i = t->nindexes; i-- > 0;) {
        const char *name = t->indexes[i].name;
        if (t->indexes[i].valid || !t->indexes[i].made)
            continue;
        struct step_builder b =
            pg_step_begin(s, PG_STEP_DROP_LEFTOVER, t->kind != 'p' ? PG_OUTSIDE : PG_ALONE, name, NULL);
        pg_step_sql(s, &b, pg_drop_index_sql(s, name));
        pg_step_forget(s, &b, "index", name);
        pg_step_end(s, &b, PG_PHASE_DROP);
        pg_take_out(t->indexes, &t->nindexes, sizeof(*t->indexes), i);
    }
}

void pg_diff_undeclared(struct diffing *s)
{
    struct pg_table *t = &s->w->now;
    struct pg_text names = {.arena = s->arena};

    if (s->w->created)
        return;
    for (uint32_t i = t->ncolumns; i-- > 0;) {
        if (pg_is_declared(s, t->columns[i].name))
            pg_refuse_drop(s, t->columns[i].name);
        else if (pg_consents(s, PG_CONSENT_DROPPED, t->columns[i].name))
            drop_column(s, &t->columns[i]);
    }
    for (uint32_t i = 0; i < t->ncolumns; i++) {
        const struct pg_column *c = &t->columns[i];
        if (pg_is_declared(s, c->name) || pg_replacer_of(s, c->name))
            continue;
        /* The trigger fills one that replaces another, or is replaced. */
        bool in_step = pg_find_in_step(t, c->name, NULL) || pg_find_in_step(t, NULL, c->name);
        if (in_step || c->nullable || c->standard.sql || c->identity || c->generated.sql)
            list_name(&names, c->name);
        else
            pg_refuse(s, PG_RULE_UNDECLARED_REQUIRED, PG_AT_ANNOTATION,
                      "column '%s' of table '%s' is never NULL, has no default and is in no field: inserts would fail. "
                      "Declare it, or drop it with CELL_DROPPED(\"%s\")",
                      c->name, t->name, c->name);
    }
    drop_leftovers(s);
    list_objects(s, &names);
    s->w->undeclared = names.data;
    if (names.len)
        pg_plan_diagnose(s, PG_REMARK, PG_RULE_UNDECLARED, PG_AT_ANNOTATION,
                         "table '%s' also has %s; what no struct mentions stays as it is, CELL_DROPPED(\"…\") drops it",
                         t->name, names.data);
}
