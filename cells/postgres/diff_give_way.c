/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Checks and foreign keys in whose place others come. What one keeps out is kept out until the other one holds for the
 * rows that are there, which they may prevent: until then it has another name, and is recorded as giving way.
 */
#include <string.h>

#include "diff_parts.h"
#include "sql.h"

static void forget_event(struct diffing *s, const char *name)
{
    struct pg_table *now = &s->w->now;

    for (uint32_t i = now->nevents; i-- > 0;)
        if (now->events[i].past == PG_PAST_GIVING_WAY && strcmp(now->events[i].name, name) == 0)
            pg_take_out(now->events, &now->nevents, sizeof(*now->events), i);
}

static void rename_it(struct diffing *s, struct step_builder *b, const struct giving_way *g, const char *to)
{
    pg_step_alter(s, b, "RENAME CONSTRAINT %s TO %s", pg_quoted(s, *g->name), pg_quoted(s, to));
    if (g->made)
        pg_step_forget(s, b, g->kind, *g->name);
    pg_step_record(s, b, g->kind, to, g->source);
}

void pg_give_way(struct diffing *s, const struct giving_way *g, const char *field)
{
    struct pg_table *now = &s->w->now;
    const char *former = *g->name, *name = pg_free_name(s, former);
    struct step_builder b = pg_step_begin(s, PG_STEP_RENAME_CONSTRAINT, PG_TOGETHER, former, field);

    rename_it(s, &b, g, name);
    pg_step_record(s, &b, "giving-way", name, former);
    if (!g->made)
        pg_step_consented(s, &b, PG_CONSENT_DROPPED, former);
    pg_step_end(s, &b, g->phase);
    *g->name = name;
    forget_event(s, name); /* of one that somebody else has dropped */
    pg_add_event(s, PG_PAST_GIVING_WAY, name);
    now->events[now->nevents - 1].text = former;
}

static void drop(struct diffing *s, struct step_builder *b, const char *kind, const char *name)
{
    pg_step_alter(s, b, "DROP CONSTRAINT %s", pg_quoted(s, name));
    pg_step_forget(s, b, kind, name);
}

void pg_forget_way(struct diffing *s, struct step_builder *b, const char *name)
{
    if (!pg_gives_way_to(&s->w->now, name))
        return;
    pg_step_forget(s, b, "giving-way", name);
    forget_event(s, name);
}

void pg_take_back(struct diffing *s, const struct giving_way *g, const char *there, const char *field)
{
    const char *name = *g->name, *former = pg_find_event(&s->w->now, PG_PAST_GIVING_WAY, name)->text;
    struct step_builder b = pg_step_begin(s, PG_STEP_RENAME_CONSTRAINT, PG_TOGETHER, name, field);

    if (there)
        drop(s, &b, there, former);
    rename_it(s, &b, g, former);
    pg_forget_way(s, &b, name);
    pg_step_end(s, &b, PG_PHASE_LOOSEN);
    *g->name = former;
}

void pg_drop_given_way(struct diffing *s, const struct giving_way *g, enum pg_rule rule)
{
    const char *name = *g->name;
    struct step_builder b = pg_step_begin(s, PG_STEP_DROP_CONSTRAINT, PG_TOGETHER, name, NULL);

    drop(s, &b, g->kind, name);
    pg_forget_way(s, &b, name);
    pg_step_hazard(&b, rule);
    pg_step_end(s, &b, PG_PHASE_VALIDATE);
}

const char *pg_gives_way_to(const struct pg_table *t, const char *name)
{
    const struct pg_event *e = pg_find_event(t, PG_PAST_GIVING_WAY, name);

    return e ? e->text : NULL;
}

/* ---- in which check's place one comes ---- */

struct pg_check *pg_named_check(struct pg_table *t, const char *name)
{
    for (uint32_t i = 0; i < t->nchecks; i++)
        if (strcmp(t->checks[i].name, name) == 0)
            return &t->checks[i];
    return NULL;
}

static bool share_a_column(struct diffing *s, const struct pg_check *a, const struct pg_check *b)
{
    bool found = false;

    for (uint32_t i = 0; i < s->w->now.ncolumns && !found; i++)
        found = pg_names_column(s, a->expr.sql, s->w->now.columns[i].name) &&
                pg_names_column(s, b->expr.sql, s->w->now.columns[i].name);
    return found;
}

/* Without the numbers that tell it from others: "t_check" of "t_check1" and "t_check1_2". */
static size_t unnumbered(const char *name)
{
    size_t n = strlen(name);

    while (n > 1 && ((name[n - 1] >= '0' && name[n - 1] <= '9') || name[n - 1] == '_'))
        n--;
    return n;
}

/* They have one name but for their numbers, and are about the same column: one may be what became of the other. */
static bool is_of_kind(struct diffing *s, const struct pg_check *a, const struct pg_check *b)
{
    size_t len = unnumbered(a->name);

    return unnumbered(b->name) == len && strncmp(a->name, b->name, len) == 0 && share_a_column(s, a, b);
}

/* One that a rule has said does not go because that of a C type has its name. */
static bool outlasts(const struct pg_check *c, const struct pg_check *want)
{
    return c->made && !c->implied && want->implied;
}

static bool may_be_replaced(struct diffing *s, const struct pg_check *c, const struct pg_check *want)
{
    return !pg_check_wanted(s, c) && !pg_gives_way_to(&s->w->now, c->name) && !outlasts(c, want);
}

/* How many of the kind no struct has any more, less those that are new. */
static int left_over(struct diffing *s, const struct pg_check *want)
{
    const struct pg_table *now = &s->w->now;
    int n = 0;

    for (uint32_t i = 0; i < now->nchecks; i++)
        n += now->checks[i].made && may_be_replaced(s, &now->checks[i], want) && is_of_kind(s, want, &now->checks[i]);
    for (uint32_t o = 0; o < s->w->nowners; o++) {
        const struct pg_table *t = &s->declared[s->w->owners[o]]->table;
        for (uint32_t i = 0; i < t->nchecks; i++)
            n -= !pg_find_check(now, &t->checks[i]) && is_of_kind(s, want, &t->checks[i]);
    }
    return n;
}

/*
 * The check that this one comes in the place of; NULL. Of a rule that may stand several times the names are numbers, so
 * that another one may have got the name since a rule was removed, which stays until a consent drops it: where more are
 * gone than have come, it is not known which of them was changed.
 */
struct pg_check *pg_replaced_check(struct diffing *s, const struct pg_check *want)
{
    struct pg_table *now = &s->w->now;
    struct pg_check *named = pg_named_check(now, want->name);

    if (named && (want->origin || !named->made) && !outlasts(named, want))
        return may_be_replaced(s, named, want) ? named : NULL;
    if (named && !(may_be_replaced(s, named, want) && share_a_column(s, want, named)))
        named = NULL; /* a rule that comes before another one has taken its name */
    for (uint32_t i = 0; i < now->nchecks && !named; i++)
        if (now->checks[i].made && may_be_replaced(s, &now->checks[i], want) && is_of_kind(s, want, &now->checks[i]))
            named = &now->checks[i];
    return named && left_over(s, want) > 0 ? NULL : named;
}
