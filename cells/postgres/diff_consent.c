/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Consents: what they let go, that each holds once, and what is left of them. What is done is recorded under the key of
 * the consent, which is then spent in that database: whatever has the name afterwards was made by somebody else.
 */
#include <string.h>

#include "diff_parts.h"
#include "sql.h"

static enum pg_past past_of(enum pg_consent_kind kind)
{
    return kind == PG_CONSENT_DROPPED ? PG_PAST_DROPPED : PG_PAST_RETYPED;
}

/* A consent to another type is one to that type. Control characters are in no text of an author. */
static const char *key_of(struct diffing *s, const struct pg_declared *d, const struct pg_consent *c)
{
    const struct pg_column *to = c->kind == PG_CONSENT_RETYPED ? pg_table_column(&d->table, c->name) : NULL;

    for (uint32_t i = 0; c->kind == PG_CONSENT_RETYPED && i < s->w->nowners && !to; i++)
        to = pg_table_column(&s->declared[s->w->owners[i]]->table, c->name);

    if (!to && !c->again)
        return c->name;
    return pg_printf(s->arena, "%s\x1f%s\x1f%s", c->name, to ? pg_type_name(s->arena, &to->type) : "",
                     c->again ? c->again : "");
}

static const char *written(struct diffing *s, enum pg_consent_kind kind, const char *name, const char *again)
{
    return pg_printf(s->arena, "%s(\"%s\"%s%s%s)", kind == PG_CONSENT_DROPPED ? "CELL_DROPPED" : "CELL_RETYPED", name,
                     again ? ", \"" : "", again ? again : "", again ? "\"" : "");
}

static bool is_for(const struct pg_consent *c, enum pg_consent_kind kind, const char *name)
{
    return c->kind == kind && strcmp(c->name, name) == 0;
}

/* Said at the consent, of whichever struct that is. */
static void say_spent(struct diffing *s, uint32_t owner, const struct pg_consent *c)
{
    uint32_t current = s->current;

    const struct pg_declared *d = s->declared[owner];
    struct pg_consent again = *c;

    again.again = "again";
    if (pg_has_event(&s->w->now, past_of(c->kind), key_of(s, d, &again)))
        again.again = "once more";
    s->current = owner;
    pg_plan_diagnose(s, PG_WARNING, PG_RULE_CONSENT_SPENT, pg_at_rule(c->rule),
                     "%s was carried out before, and '%s' %s: a consent holds once. %s consents again, with any text "
                     "that was not there before",
                     written(s, c->kind, c->name, c->again), c->name,
                     c->kind == PG_CONSENT_DROPPED ? "is there again, and stays" : "would change again",
                     written(s, c->kind, c->name, again.again));
    s->current = current;
}

/* A spent one is said to be. */
bool pg_consents(struct diffing *s, enum pg_consent_kind kind, const char *name)
{
    bool found = false;

    for (uint32_t i = 0; i < s->w->nowners; i++) {
        const struct pg_declared *d = s->declared[s->w->owners[i]];
        bool *used = s->consent_used[s->w->owners[i]];
        for (uint32_t k = 0; k < d->nconsents; k++) {
            const struct pg_consent *c = &d->consents[k];
            if (!is_for(c, kind, name))
                continue;
            if (!pg_has_event(&s->w->now, past_of(kind), key_of(s, d, c)))
                found = true;
            else if (!used[k])
                say_spent(s, s->w->owners[i], c);
            used[k] = true;
        }
    }
    return found;
}

uint32_t pg_step_consented(struct diffing *s, struct step_builder *b, enum pg_consent_kind kind, const char *name)
{
    const char *record = kind == PG_CONSENT_DROPPED ? "dropped" : "retyped";
    uint32_t found = s->current;

    pg_step_record(s, b, record, name, NULL);
    for (uint32_t i = 0; i < s->w->nowners; i++) {
        const struct pg_declared *d = s->declared[s->w->owners[i]];
        for (uint32_t k = 0; k < d->nconsents; k++) {
            const struct pg_consent *c = &d->consents[k];
            if (!is_for(c, kind, name) || pg_has_event(&s->w->now, past_of(kind), key_of(s, d, c)))
                continue;
            pg_step_record(s, b, record, key_of(s, d, c), NULL);
            b->step.consent = written(s, kind, name, c->again);
            found = s->w->owners[i];
        }
    }
    b->step.consented = found;
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
    struct pg_table *now = &s->w->now;
    const char *users = list_users(s, column, NULL);

    /* What it keeps in step with its successor is what it has from those before it. */
    if (pg_find_in_step(now, NULL, column))
        for (const struct pg_in_step *p = pg_find_in_step(now, column, NULL); p && !users;
             p = pg_find_in_step(now, p->replaced, NULL))
            users = list_users(s, p->replaced, NULL);
    return reason(s, users, unknown);
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
    pg_forget_way(s, &b, name);
    b.step.declared = pg_step_consented(s, &b, PG_CONSENT_DROPPED, name);
    pg_step_hazard(&b, rule);
    pg_step_end(s, &b, PG_PHASE_LOOSEN);
}

/* In no transaction: that it is being dropped is recorded before, so that a consent whose index is gone when the step
 * was interrupted is known to have had one; and that it is dropped behind, so that the consent holds until then. */
static void drop_index(struct diffing *s, const struct pg_index *x)
{
    const char *name = x->name;
    bool beside = s->w->now.kind != 'p';
    struct step_builder b = pg_step_begin(s, PG_STEP_DROP_INDEX, beside ? PG_OUTSIDE : PG_ALONE, name, NULL);
    const char *sql = pg_drop_index_sql(s, name);

    pg_step_record(s, &b, "dropping", name, NULL);
    pg_step_flush(s, &b);
    pg_step_sql(s, &b, sql);
    b.step.text = sql;
    pg_step_forget(s, &b, "index", name);
    b.step.declared = pg_step_consented(s, &b, PG_CONSENT_DROPPED, name);
    pg_step_flush(s, &b);
    pg_step_forget(s, &b, "dropping", name);
    pg_step_hazard(&b, PG_RULE_DROP_INDEX);
    pg_step_end(s, &b, pg_index_is_rewritten(s, x) ? PG_PHASE_LOOSEN : PG_PHASE_DROP);
}

void pg_refuse_drop(struct diffing *s, const char *name)
{
    uint32_t current = s->current;

    for (uint32_t i = 0; i < s->w->nowners; i++) {
        s->current = s->w->owners[i];
        const struct pg_declared *d = s->declared[s->current];
        bool *used = s->consent_used[s->current];
        for (uint32_t k = 0; k < d->nconsents; k++) {
            const struct pg_consent *c = &d->consents[k];
            if (!is_for(c, PG_CONSENT_DROPPED, name))
                continue;
            if (!used[k] && !pg_has_event(&s->w->now, PG_PAST_DROPPED, key_of(s, d, c)))
                pg_refuse(s, PG_RULE_NO_EFFECT, pg_at_rule(c->rule), "%s contradicts %s, which declares the same",
                          written(s, c->kind, name, c->again),
                          s->w->nowners > 1 ? "a struct of the table" : "the struct")
                    ->whole = false;
            used[k] = true;
        }
    }
    s->current = current;
}

static bool may_drop(struct diffing *s, const char *name, bool wanted)
{
    if (!wanted)
        return pg_consents(s, PG_CONSENT_DROPPED, name);
    pg_refuse_drop(s, name);
    return false;
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

const struct pg_index *pg_find_index(const struct pg_table *t, const struct pg_index *x)
{
    for (uint32_t i = 0; i < t->nindexes; i++)
        if (pg_index_equal(&t->indexes[i], x))
            return &t->indexes[i];
    return NULL;
}

bool pg_index_wanted(struct diffing *s, const struct pg_index *x)
{
    for (uint32_t o = 0; o < s->w->nowners; o++)
        if (pg_find_index(&s->declared[s->w->owners[o]]->table, x))
            return true;
    return false;
}

/* Without columns it refers to the primary key, or is understood as the one that is there. */
static bool means(struct diffing *s, struct pg_foreign_key want, const struct pg_foreign_key *f)
{
    const struct pg_table *to = want.to_columns || want.n != f->n ? NULL : pg_find_referenced(s, f);

    if (to && to->primary && to->primary->n == f->n) {
        want.to_columns = to->primary->columns;
        if (pg_foreign_key_equal(&want, f))
            return true;
        want.to_columns = NULL;
    }
    if (!want.to_columns)
        want.to_columns = f->to_columns;
    return want.n == f->n && pg_foreign_key_equal(&want, f);
}

bool pg_foreign_wanted(struct diffing *s, const struct pg_foreign_key *f)
{
    for (uint32_t o = 0; o < s->w->nowners; o++) {
        const struct pg_table *t = &s->declared[s->w->owners[o]]->table;
        for (uint32_t i = 0; i < t->nforeign; i++)
            if (means(s, t->foreign[i], f))
                return true;
    }
    return false;
}

/* What of the table, besides a column, a consent to drop the name is about: "index", "constraint"; NULL = nothing. */
static const char *index_named(struct diffing *s, const char *name)
{
    const struct pg_table *t = &s->w->now;

    for (uint32_t i = 0; i < t->nindexes; i++)
        if (strcmp(t->indexes[i].name, name) == 0 && !pg_index_wanted(s, &t->indexes[i]))
            return "index";
    return NULL;
}

static const char *constraint_named(struct diffing *s, const char *name)
{
    const struct pg_table *t = &s->w->now;
    bool found = t->primary && strcmp(t->primary->name, name) == 0 && !pg_key_wanted(s, t->primary);

    for (uint32_t i = 0; i < t->nuniques; i++)
        found = found || (strcmp(t->uniques[i].name, name) == 0 && !pg_key_wanted(s, &t->uniques[i]));
    for (uint32_t i = 0; i < t->nchecks; i++)
        found = found || (strcmp(t->checks[i].name, name) == 0 && !pg_check_wanted(s, &t->checks[i]));
    for (uint32_t i = 0; i < t->nforeign; i++)
        found = found || (strcmp(t->foreign[i].name, name) == 0 && !pg_foreign_wanted(s, &t->foreign[i]));
    return found ? "constraint" : NULL;
}

/* A column, an index and a check of one table may have one name: a consent to drop it does not say which of them goes.
 */
static void refuse_ambiguous(struct diffing *s)
{
    uint32_t current = s->current;

    for (uint32_t i = 0; i < s->w->nowners; i++) {
        const struct pg_declared *d = s->declared[s->w->owners[i]];
        s->current = s->w->owners[i];
        for (uint32_t k = 0; k < d->nconsents; k++) {
            const struct pg_consent *c = &d->consents[k];
            if (c->kind != PG_CONSENT_DROPPED || pg_has_event(&s->w->now, PG_PAST_DROPPED, key_of(s, d, c)))
                continue;
            bool column = pg_table_column(&s->w->now, c->name) && !pg_is_declared(s, c->name);
            const char *index = index_named(s, c->name), *constraint = constraint_named(s, c->name);
            const char *first = column ? "column" : index, *second = column && index ? index : constraint;
            if (first && second)
                pg_refuse(s, PG_NO_RULE, pg_at_rule(c->rule),
                          "%s may mean %s '%s' and %s '%s' of table '%s': give the %s another name first",
                          written(s, c->kind, c->name, c->again), first, c->name, second, c->name, s->w->now.name,
                          second);
        }
    }
    s->current = current;
}

static bool any_declares_primary(const struct diffing *s)
{
    for (uint32_t i = 0; i < s->w->nowners; i++)
        if (s->declared[s->w->owners[i]]->table.primary)
            return true;
    return false;
}

/* Behind what is added, so that what was replaced under its name is not dropped. */
void pg_diff_drops(struct diffing *s)
{
    struct pg_table *t = &s->w->now;

    refuse_ambiguous(s);
    for (uint32_t i = t->nuniques; i-- > 0;)
        if (may_drop(s, t->uniques[i].name, pg_key_wanted(s, &t->uniques[i]))) {
            drop_constraint(s, t->uniques[i].name, "key", PG_RULE_DROP_CONSTRAINT);
            pg_take_out(t->uniques, &t->nuniques, sizeof(*t->uniques), i);
        }
    for (uint32_t i = t->nchecks; i-- > 0;) {
        const struct pg_check *c = &t->checks[i];
        bool consent = !pg_check_wanted(s, c) && pg_consents(s, PG_CONSENT_DROPPED, c->name);
        if (consent)
            drop_constraint(s, c->name, pg_check_kind(c), PG_RULE_DROP_CONSTRAINT);
        else if (pg_is_outgrown(s, c))
            pg_drop_check(s, c, NULL);
        else
            continue;
        pg_take_out(t->checks, &t->nchecks, sizeof(*t->checks), i);
    }
    for (uint32_t i = t->nforeign; i-- > 0;)
        if (may_drop(s, t->foreign[i].name, pg_foreign_wanted(s, &t->foreign[i]))) {
            drop_constraint(s, t->foreign[i].name, "foreign", PG_RULE_DROP_FOREIGN_KEY);
            pg_take_out(t->foreign, &t->nforeign, sizeof(*t->foreign), i);
        }
    for (uint32_t i = t->nindexes; i-- > 0;)
        if (may_drop(s, t->indexes[i].name, pg_index_wanted(s, &t->indexes[i]))) {
            drop_index(s, &t->indexes[i]);
            pg_take_out(t->indexes, &t->nindexes, sizeof(*t->indexes), i);
        }
    if (t->primary && !any_declares_primary(s) && may_drop(s, t->primary->name, pg_key_wanted(s, t->primary))) {
        drop_constraint(s, t->primary->name, "key", PG_RULE_DROP_CONSTRAINT);
        t->primary = NULL;
    }
}

/* ---- what is left ---- */

/* Another consent is about it. */
static bool is_consented(const struct diffing *s, const char *name)
{
    for (uint32_t i = 0; i < s->w->nowners; i++) {
        const struct pg_declared *d = s->declared[s->w->owners[i]];
        for (uint32_t k = 0; k < d->nconsents; k++)
            if (is_for(&d->consents[k], PG_CONSENT_DROPPED, name))
                return true;
    }
    return false;
}

/* What could have been meant: things of the table that no struct declares. */
static const char *near_undeclared(struct diffing *s, const char *name)
{
    const struct pg_table *t = &s->w->now;
    uint32_t max = t->ncolumns + t->nuniques + t->nindexes + t->nforeign + t->nchecks + 1, n = 0;
    const char **names = pg_array(s->arena, max, sizeof(*names));

    for (uint32_t i = 0; i < t->ncolumns; i++)
        if (!pg_is_declared(s, t->columns[i].name) && !is_consented(s, t->columns[i].name))
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

/* Nothing has the name, and nothing of the name was dropped in this database. When the table has something else that no
 * struct mentions, that may be what is meant; when it has not, what the consent asks for holds. */
static bool refuse_consent(struct diffing *s, const struct pg_consent *c)
{
    const char *near = near_undeclared(s, c->name);

    if (!near && !s->w->undeclared)
        return false;
    pg_refuse(s, PG_RULE_NO_EFFECT, pg_at_rule(c->rule),
              near ? "%s finds nothing: table '%s' has nothing of that name; did you mean '%s'?"
                   : "%s finds nothing: table '%s' has nothing of that name; what it has and no struct mentions is %s",
              written(s, c->kind, c->name, c->again), s->w->now.name, near ? near : s->w->undeclared);
    return true;
}

void pg_add_event(struct diffing *s, enum pg_past past, const char *name)
{
    struct pg_table *t = &s->w->now;

    if (pg_has_event(t, past, name))
        return;
    t->events = pg_one_more(s->arena, t->events, &t->nevents, sizeof(*t->events));
    t->events[t->nevents - 1] = (struct pg_event){.past = past, .name = name};
}

/* A consent that nothing had a use for; what is not an error is noted as done, in `b`: true. */
static bool unused_consent(struct diffing *s, const struct pg_consent *c, struct step_builder *b)
{
    const struct pg_declared *d = s->declared[s->current];
    enum pg_past past = past_of(c->kind);
    bool dropped = c->kind == PG_CONSENT_DROPPED,
         dropping = dropped && pg_has_event(&s->w->now, PG_PAST_DROPPING, c->name);

    if (pg_has_event(&s->w->now, past, key_of(s, d, c))) {
        if (pg_done_long_ago(&s->w->now, past, key_of(s, d, c)))
            pg_plan_diagnose(s, PG_REMARK, PG_RULE_CONSENT_DONE, pg_at_rule(c->rule),
                             "%s was done long ago and can be removed", written(s, c->kind, c->name, c->again));
        return false;
    }
    bool known = s->w->created || dropping || pg_has_event(&s->w->now, past, c->name);
    if (!known && dropped && refuse_consent(s, c))
        return false;
    if (!known)
        pg_plan_diagnose(s, PG_REMARK, PG_RULE_CONSENT_DONE, pg_at_rule(c->rule),
                         "%s has nothing to do in this database, which is noted",
                         written(s, c->kind, c->name, c->again));
    if (dropping)
        pg_step_forget(s, b, "dropping", c->name);
    pg_step_consented(s, b, c->kind, c->name);
    pg_add_event(s, past, c->name);
    pg_add_event(s, past, key_of(s, d, c));
    return true;
}

void pg_diff_consents(struct diffing *s)
{
    struct step_builder b = pg_step_begin(s, PG_STEP_RECORD, PG_TOGETHER, NULL, NULL);
    uint32_t current = s->current, noted = 0;

    for (uint32_t i = 0; i < s->w->nowners; i++) {
        s->current = s->w->owners[i];
        const struct pg_declared *d = s->declared[s->current];
        for (uint32_t k = 0; k < d->nconsents; k++)
            if (!s->consent_used[s->current][k])
                noted += unused_consent(s, &d->consents[k], &b);
    }
    s->current = current;
    if (noted == 0)
        return;
    b.step.text = pg_printf(s->arena,
                            noted > 1 ? "note that %s and others have nothing to do on %s"
                                      : "note that %s has nothing to do on %s",
                            b.step.consent, pg_this_table(s));
    pg_step_end(s, &b, PG_PHASE_COMMENT);
}
