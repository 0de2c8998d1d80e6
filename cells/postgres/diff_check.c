/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Checks and foreign keys: added without a scan under a lock, validated beside writers. */
#include <string.h>

#include "diff_parts.h"
#include "sql.h"

static void validate_step(struct diffing *s, const char *name, const char *field, const char *culprits,
                          enum pg_rule rule)
{
    struct step_builder b = pg_step_begin(s, PG_STEP_VALIDATE, PG_ALONE, name, field);

    pg_step_alter(s, &b, "VALIDATE CONSTRAINT %s", pg_quoted(s, name));
    b.step.culprits = culprits;
    pg_step_hazard(&b, rule);
    pg_step_end(s, &b, PG_PHASE_VALIDATE);
}

/* ---- checks ---- */

static const char *failing_rows(struct diffing *s, const struct pg_check *c)
{
    return pg_printf(s->arena, "SELECT count(*) FROM %s WHERE NOT (%s)", pg_this_table(s), c->expr.sql);
}

/* The field whose rule it is; NULL = of the table. */
static const char *field_of_check(struct diffing *s, const struct pg_check *c)
{
    const struct pg_field *f = c->column ? pg_field_of(s->d, c->column) : NULL;

    return f ? f->name : NULL;
}

/* One that is replaced or outgrown goes before what the plan does to its columns, whose next values or types it is not
 * for. */
void pg_drop_check(struct diffing *s, const struct pg_check *old, const char *field)
{
    struct step_builder b = pg_step_begin(s, PG_STEP_DROP_CONSTRAINT, PG_TOGETHER, old->name, field);

    pg_step_alter(s, &b, "DROP CONSTRAINT %s", pg_quoted(s, old->name));
    pg_step_forget(s, &b, pg_check_kind(old), old->name);
    pg_forget_way(s, &b, old->name);
    if (!old->made)
        pg_step_consented(s, &b, PG_CONSENT_DROPPED, old->name);
    pg_step_end(s, &b, PG_PHASE_LOOSEN);
}

static struct giving_way check_gives_way(struct pg_check *c)
{
    return (struct giving_way){pg_check_kind(c), &c->name, c->expr.source, c->made, PG_PHASE_CHECK};
}

/* It goes before, or gives way. */
static void replace_check(struct diffing *s, struct pg_check *old, const char *field)
{
    struct pg_table *now = &s->w->now;
    const struct giving_way g = check_gives_way(old);

    if (old->made && !old->expr.source)
        pg_plan_diagnose(s, PG_WARNING, PG_RULE_CHANGED_BY_HAND, pg_at_field(field),
                         "check '%s' was changed by hand to %s: it is made again as declared", old->name,
                         old->expr.sql);
    if (!pg_names_rewritten(s, old->expr.sql)) {
        pg_give_way(s, &g, field);
        old->made = true;
        return;
    }
    pg_drop_check(s, old, field);
    pg_take_out(now->checks, &now->nchecks, sizeof(*now->checks), (uint32_t)(old - now->checks));
}

/* `old`: the constraint that it replaces, whose name it gets; NULL. */
static void add_check(struct diffing *s, const struct pg_check *want, struct pg_check *old)
{
    struct pg_table *now = &s->w->now;
    struct pg_check c = *want;
    const char *field = field_of_check(s, want);
    struct pg_text t = {.arena = s->arena};

    c.name = old ? old->name : pg_free_name(s, want->name);
    if (old)
        replace_check(s, old, field);
    struct step_builder b = pg_step_begin(s, PG_STEP_ADD_CHECK, PG_TOGETHER, c.name, field);
    pg_puts(&t, "ADD ");
    pg_sql_check_constraint(&t, &c);
    pg_puts(&t, " NOT VALID");
    pg_step_check(s, &b, pg_printf(s->arena, "ALTER TABLE %s %s", pg_this_table(s), t.data), &c);
    pg_forget_way(s, &b, c.name);
    pg_step_record(s, &b, pg_check_kind(&c), c.name, c.expr.sql);
    pg_step_end(s, &b, PG_PHASE_CHECK);
    validate_step(s, c.name, field, failing_rows(s, &c), PG_RULE_CHECK_ADDED);
    pg_plan_diagnose(s, PG_WARNING, PG_RULE_CHECK_ADDED, pg_at_field(field),
                     "check '%s' is %s table '%s': this fails when rows do not satisfy it", c.name,
                     old ? "changed on" : "added to", now->name);
    now->checks = pg_one_more(s->arena, now->checks, &now->nchecks, sizeof(*now->checks));
    now->checks[now->nchecks - 1] = c;
}

struct pg_check *pg_find_check(const struct pg_table *t, const struct pg_check *want)
{
    struct pg_check *found = NULL;

    for (uint32_t i = 0; i < t->nchecks; i++)
        if (pg_check_equal(&t->checks[i], want) && (!found || strcmp(t->checks[i].name, want->name) == 0))
            found = &t->checks[i];
    return found;
}

bool pg_check_wanted(struct diffing *s, const struct pg_check *c)
{
    bool wanted = false;

    for (uint32_t o = 0; o < s->w->nowners && !wanted; o++)
        wanted = pg_find_check(&s->declared[s->w->owners[o]]->table, c) != NULL;
    return wanted;
}

/* A constraint of the name that somebody else has made says something else. */
static void foreign_hand(struct diffing *s, const struct pg_check *want)
{
    struct pg_diagnostic *d = pg_refuse(
        s, PG_RULE_DROP_CONSTRAINT, pg_at_field(field_of_check(s, want)),
        "table '%s' has a check '%s' that was made by hand and says something else: CELL_DROPPED(\"%s\") replaces it",
        s->w->now.name, want->name, want->name);

    d->fix_rule = "dropped";
    d->fix_args[0] = pg_strdup(s->arena, want->name);
}

/* A rule says what the C type has said before: from then on it is that rule's. */
static void take_over(struct diffing *s, struct pg_check *there)
{
    struct step_builder b = pg_step_begin(s, PG_STEP_RECORD, PG_TOGETHER, there->name, NULL);

    pg_step_forget(s, &b, pg_check_kind(there), there->name);
    there->implied = false;
    pg_step_record(s, &b, pg_check_kind(there), there->name, there->expr.source);
    pg_step_end(s, &b, PG_PHASE_CHECK);
}

bool pg_is_outgrown(struct diffing *s, const struct pg_check *c)
{
    bool found = false;

    for (uint32_t o = 0; o < s->w->nowners && c->made && c->implied && c->expr.source; o++) {
        const struct pg_table *t = &s->declared[s->w->owners[o]]->table;
        for (uint32_t i = 0; i < t->ncolumns && !found; i++) {
            const struct pg_column *now = pg_table_column(&s->w->now, t->columns[i].name);
            /* One of another type that serves as well needs it. */
            found = now && pg_type_equal(&now->type, &t->columns[i].type) && pg_names_column(s, c->expr.sql, now->name);
        }
    }
    return found && !pg_check_wanted(s, c);
}

static void take_back_check(struct diffing *s, struct pg_check *c, const char *field)
{
    struct pg_table *now = &s->w->now;
    const struct giving_way g = check_gives_way(c);
    struct pg_check *other = pg_named_check(now, pg_gives_way_to(now, c->name));

    if (other && pg_check_wanted(s, other))
        return;
    pg_take_back(s, &g, other ? pg_check_kind(other) : NULL, field);
    if (other)
        pg_take_out(now->checks, &now->nchecks, sizeof(*now->checks), (uint32_t)(other - now->checks));
}

static void drop_checks_given_way(struct diffing *s)
{
    struct pg_table *now = &s->w->now;

    for (uint32_t i = now->nchecks; i-- > 0;) {
        const char *to = pg_gives_way_to(now, now->checks[i].name);
        const struct pg_check *other = to ? pg_named_check(now, to) : NULL;
        if (!other || !other->valid || pg_check_wanted(s, &now->checks[i]))
            continue;
        const struct giving_way g = check_gives_way(&now->checks[i]);
        if (pg_names_rewritten(s, now->checks[i].expr.sql))
            pg_drop_check(s, &now->checks[i], NULL);
        else
            pg_drop_given_way(s, &g, PG_RULE_DROP_CONSTRAINT);
        pg_take_out(now->checks, &now->nchecks, sizeof(*now->checks), i);
    }
}

void pg_diff_checks(struct diffing *s)
{
    for (uint32_t i = 0; i < s->d->table.nchecks; i++) {
        const struct pg_check *want = &s->d->table.checks[i];
        struct pg_check *there = pg_find_check(&s->w->now, want), *named = there ? NULL : pg_replaced_check(s, want);
        if (there && pg_gives_way_to(&s->w->now, there->name)) {
            take_back_check(s, there, field_of_check(s, want));
            there = pg_find_check(&s->w->now, want);
        }
        if (there && there->expr.source && there->implied && !want->implied)
            take_over(s, there);
        if (there && !there->valid) {
            validate_step(s, there->name, field_of_check(s, want), failing_rows(s, want), PG_RULE_CHECK_ADDED);
            there->valid = true;
        } else if (named && !named->made && !pg_consents(s, PG_CONSENT_DROPPED, want->name))
            foreign_hand(s, want);
        else if (!there)
            add_check(s, want, named);
    }
    drop_checks_given_way(s);
}

/* ---- foreign keys ---- */

const struct pg_table *pg_find_referenced(struct diffing *s, const struct pg_foreign_key *f)
{
    const struct table_work *w = pg_find_work(s, f->to_schema, f->to_table);

    return w && (w->exists || w->created) ? &w->now : pg_model_table(s->catalog, f->to_schema, f->to_table);
}

/* The table that is referred to, as it will be; NULL with a diagnostic. */
static const struct pg_table *referenced(struct diffing *s, const struct pg_foreign_key *f, const char *field)
{
    const struct pg_table *t = pg_find_referenced(s, f);
    const char **names = pg_array(s->arena, s->catalog->ntables + s->works.n + 1, sizeof(*names));
    uint32_t n = 0;

    if (t)
        return t;
    for (uint32_t i = 0; i < s->catalog->ntables; i++)
        names[n++] = s->catalog->tables[i].name;
    for (uint32_t i = 0; i < s->works.n; i++)
        names[n++] = s->works.at[i]->now.name;
    const char *near = pg_suggest(f->to_table, names, n);
    pg_refuse(
        s, PG_NO_RULE, pg_at_field(field),
        near ? "there is no table '%s' to refer to; did you mean '%s'?"
             : "there is no table '%s' to refer to: a struct of the same file, or of one that is built before, can "
               "declare it",
        f->to_table, near)
        ->other_table = f->to_table;
    return NULL;
}

static bool refers_to(const struct pg_foreign_key *f, const char *column)
{
    for (uint32_t i = 0; i < f->n; i++)
        if (strcmp(f->to_columns[i], column) == 0)
            return true;
    return false;
}

/* Each column of the key is referred to, in whatever order. */
static bool refers_to_key(const struct pg_foreign_key *f, const struct pg_key *k)
{
    bool all = k->n == f->n;

    for (uint32_t i = 0; i < k->n && all; i++)
        all = refers_to(f, k->columns[i]);
    return all;
}

static bool is_unique(const struct pg_table *t, const struct pg_foreign_key *f)
{
    bool unique = t->primary && refers_to_key(f, t->primary);

    for (uint32_t i = 0; i < t->nuniques && !unique; i++)
        unique = refers_to_key(f, &t->uniques[i]);
    for (uint32_t i = 0; i < t->nindexes && !unique; i++) {
        const struct pg_index *x = &t->indexes[i];
        unique = x->unique && x->valid && !x->predicate.sql && x->n == f->n;
        for (uint32_t k = 0; k < x->n && unique; k++)
            unique = x->parts[k].column && refers_to(f, x->parts[k].column);
    }
    return unique;
}

static bool check_column(struct diffing *s, const struct pg_table *t, const struct pg_foreign_key *f, uint32_t i,
                         const char *field)
{
    const struct pg_column *to = pg_table_column(t, f->to_columns[i]);
    const struct pg_column *from = pg_table_column(&s->w->now, f->columns[i]);
    const char **names = pg_array(s->arena, t->ncolumns + 1, sizeof(*names));

    enum pg_base one = to ? pg_carrier(&to->type)->base : PG_BASE_NONE;
    enum pg_base other = from ? pg_carrier(&from->type)->base : PG_BASE_NONE;

    if (to && from && one != other &&
        !(one >= PG_BASE_INT2 && one <= PG_BASE_INT8 && other >= PG_BASE_INT2 && other <= PG_BASE_INT8)) {
        pg_refuse(s, PG_NO_RULE, pg_at_field(field), "column '%s' is %s and refers to '%s.%s', which is %s",
                  f->columns[i], pg_type_name(s->arena, &from->type), t->name, to->name,
                  pg_type_name(s->arena, &to->type))
            ->other_table = t->name;
        return false;
    }
    if (to)
        return true;
    for (uint32_t k = 0; k < t->ncolumns; k++)
        names[k] = t->columns[k].name;
    const char *near = pg_suggest(f->to_columns[i], names, t->ncolumns);
    pg_refuse(s, PG_NO_RULE, pg_at_field(field),
              near ? "table '%s' has no column '%s'; did you mean '%s'?" : "table '%s' has no column '%s'", t->name,
              f->to_columns[i], near)
        ->other_table = t->name;
    return false;
}

/* Fills in the columns that are meant. */
static bool resolve(struct diffing *s, struct pg_foreign_key *f, const struct pg_table *t, const char *field)
{
    if (f->to_columns)
        return true;
    if (!t->primary || t->primary->n != f->n) {
        pg_refuse(s, PG_NO_RULE, pg_at_field(field), "table '%s' has no primary key of %u column%s to refer to",
                  t->name, f->n, f->n == 1 ? "" : "s")
            ->other_table = t->name;
        return false;
    }
    f->to_columns = t->primary->columns;
    return true;
}

/* Whether the database will take it. */
static bool is_possible(struct diffing *s, const struct pg_foreign_key *f, const struct pg_table *t, const char *field)
{
    for (uint32_t i = 0; i < f->n; i++)
        if (!check_column(s, t, f, i, field))
            return false;
    if (is_unique(t, f))
        return true;
    struct pg_text list = {.arena = s->arena};
    pg_sql_names(&list, f->to_columns, f->n);
    pg_refuse(s, PG_NO_RULE, pg_at_field(field),
              "(%s) of table '%s' is not unique: a foreign key can refer to a key only", list.data, t->name)
        ->other_table = t->name;
    return false;
}

static const char *lost_rows(struct diffing *s, const struct pg_foreign_key *f)
{
    struct pg_text t = {.arena = s->arena}, to = {.arena = s->arena};

    pg_sql_qualified(&to, f->to_schema, f->to_table);
    pg_putf(&t, "SELECT count(*) FROM %s AS a WHERE NOT EXISTS (SELECT FROM %s AS b WHERE ", pg_this_table(s), to.data);
    for (uint32_t i = 0; i < f->n; i++)
        pg_putf(&t, "%sa.%s = b.%s", i ? " AND " : "", pg_quoted(s, f->columns[i]), pg_quoted(s, f->to_columns[i]));
    pg_puts(&t, ")");
    for (uint32_t i = 0; i < f->n; i++)
        pg_putf(&t, " AND a.%s IS NOT NULL", pg_quoted(s, f->columns[i]));
    return t.data;
}

static struct giving_way foreign_gives_way(struct pg_foreign_key *f)
{
    return (struct giving_way){"foreign", &f->name, NULL, f->made, PG_PHASE_FOREIGN};
}

/* Of a new table it is made with the table, so that no interruption leaves one without it; unless what it refers to
 * becomes as it needs it by other steps. */
static enum pg_phase foreign_phase(struct diffing *s, const struct pg_foreign_key *f)
{
    const struct table_work *to = pg_find_work(s, f->to_schema, f->to_table);
    const struct pg_table *there = pg_model_table(s->catalog, f->to_schema, f->to_table);
    bool ready = !to || to->created || (there && !to->former && is_unique(there, f));

    for (uint32_t i = 0; ready && to && !to->created && i < f->n; i++) {
        const struct pg_column *now = pg_table_column(&to->now, f->to_columns[i]);
        const struct pg_column *before = pg_table_column(there, f->to_columns[i]);
        ready = now && before && pg_type_equal(&now->type, &before->type);
    }
    return s->w->created && ready ? PG_PHASE_CREATE : PG_PHASE_FOREIGN;
}

static void add_foreign(struct diffing *s, const struct pg_foreign_key *want, struct pg_foreign_key *old,
                        const char *field)
{
    struct pg_table *now = &s->w->now;
    struct pg_foreign_key f = *want;
    struct pg_text t = {.arena = s->arena};
    bool at_once = s->w->created || now->kind == 'p'; /* nothing to scan; or not to be had otherwise */

    if (old && !at_once) {
        const struct giving_way g = foreign_gives_way(old);
        pg_give_way(s, &g, field);
    }
    if (!old || !at_once)
        f.name = pg_free_name(s, want->name);
    struct step_builder b = pg_step_begin(s, PG_STEP_ADD_FOREIGN_KEY, PG_TOGETHER, f.name, field);
    if (old && at_once)
        pg_putf(&t, "DROP CONSTRAINT %s, ", pg_quoted(s, old->name));
    pg_puts(&t, "ADD ");
    pg_sql_foreign_key(&t, &f);
    pg_puts(&t, at_once ? "" : " NOT VALID");
    pg_step_alter(s, &b, "%s", t.data);
    pg_forget_way(s, &b, f.name);
    pg_step_record(s, &b, "foreign", f.name, NULL);
    pg_step_end(s, &b, foreign_phase(s, &f));
    if (!at_once) {
        validate_step(s, f.name, field, lost_rows(s, &f), PG_RULE_FOREIGN_KEY_ADDED);
        pg_plan_diagnose(s, PG_WARNING, PG_RULE_FOREIGN_KEY_ADDED, pg_at_field(field),
                         "foreign key '%s' is %s table '%s': this fails when rows refer to nothing", f.name,
                         old ? "changed on" : "added to", now->name);
    }
    if (!old || !at_once) {
        now->foreign = pg_one_more(s->arena, now->foreign, &now->nforeign, sizeof(*now->foreign));
        old = &now->foreign[now->nforeign - 1];
    }
    *old = f;
}

static struct pg_foreign_key *equal_foreign(struct pg_table *t, const struct pg_foreign_key *want)
{
    for (uint32_t i = 0; i < t->nforeign; i++)
        if (pg_foreign_key_equal(&t->foreign[i], want))
            return &t->foreign[i];
    return NULL;
}

/* One of the name, made by Cell: it changes. Others stay beside the new one. */
static struct pg_foreign_key *replaced(struct diffing *s, const struct pg_foreign_key *want)
{
    struct pg_table *t = &s->w->now;

    for (uint32_t i = 0; i < t->nforeign; i++)
        if (strcmp(t->foreign[i].name, want->name) == 0 && t->foreign[i].made &&
            !pg_foreign_wanted(s, &t->foreign[i]) && !pg_gives_way_to(t, want->name))
            return &t->foreign[i];
    return NULL;
}

static struct pg_foreign_key *named_foreign(struct pg_table *t, const char *name)
{
    for (uint32_t i = 0; i < t->nforeign; i++)
        if (strcmp(t->foreign[i].name, name) == 0)
            return &t->foreign[i];
    return NULL;
}

static void take_back_foreign(struct diffing *s, struct pg_foreign_key *f, const char *field)
{
    struct pg_table *now = &s->w->now;
    const struct giving_way g = foreign_gives_way(f);
    struct pg_foreign_key *other = named_foreign(now, pg_gives_way_to(now, f->name));

    if (other && pg_foreign_wanted(s, other))
        return;
    pg_take_back(s, &g, other ? g.kind : NULL, field);
    if (other)
        pg_take_out(now->foreign, &now->nforeign, sizeof(*now->foreign), (uint32_t)(other - now->foreign));
}

static void drop_foreign_given_way(struct diffing *s)
{
    struct pg_table *now = &s->w->now;

    for (uint32_t i = now->nforeign; i-- > 0;) {
        const char *to = pg_gives_way_to(now, now->foreign[i].name);
        const struct pg_foreign_key *other = to ? named_foreign(now, to) : NULL;
        if (!other || !other->valid || pg_foreign_wanted(s, &now->foreign[i]))
            continue;
        const struct giving_way g = foreign_gives_way(&now->foreign[i]);
        pg_drop_given_way(s, &g, PG_RULE_DROP_FOREIGN_KEY);
        pg_take_out(now->foreign, &now->nforeign, sizeof(*now->foreign), i);
    }
}

void pg_diff_foreign(struct diffing *s)
{
    for (uint32_t i = 0; i < s->d->table.nforeign; i++) {
        struct pg_foreign_key want = s->d->table.foreign[i];
        const struct pg_field *f = want.n == 1 ? pg_field_of(s->d, want.columns[0]) : NULL;
        const char *field = f ? f->name : NULL;
        const struct pg_table *to = referenced(s, &want, field);
        if (!to || !resolve(s, &want, to, field))
            continue;
        struct pg_foreign_key *there = equal_foreign(&s->w->now, &want);
        if (there && pg_gives_way_to(&s->w->now, there->name)) {
            take_back_foreign(s, there, field);
            there = equal_foreign(&s->w->now, &want);
        }
        if (there && !there->valid) {
            validate_step(s, there->name, field, lost_rows(s, &want), PG_RULE_FOREIGN_KEY_ADDED);
            there->valid = true;
        } else if (!there && is_possible(s, &want, to, field))
            add_foreign(s, &want, replaced(s, &want), field);
    }
    drop_foreign_given_way(s);
}
