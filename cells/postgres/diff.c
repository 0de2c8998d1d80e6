/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The plan for all tables of one unit. */
#include "diff.h"

#include <stdlib.h>
#include <string.h>

#include <cell/errors.h>

#include "diff_parts.h"
#include "sql.h"

struct table_work *pg_find_work(struct diffing *s, const char *schema, const char *name)
{
    for (uint32_t i = 0; i < s->works.n; i++) {
        struct table_work *w = s->works.at[i];
        if (strcmp(w->now.name, name) == 0 && strcmp(w->now.schema, schema) == 0)
            return w;
    }
    return NULL;
}

const struct pg_field *pg_field_of(const struct pg_declared *d, const char *column)
{
    for (uint32_t i = 0; i < d->nfields; i++)
        if (strcmp(d->table.columns[d->fields[i].column].name, column) == 0)
            return &d->fields[i];
    return NULL;
}

static const struct pg_check *rule_check(const struct pg_table *t, const char *column, const char *origin)
{
    for (uint32_t i = 0; i < t->nchecks; i++)
        if (t->checks[i].origin && t->checks[i].column && strcmp(t->checks[i].column, column) == 0 &&
            strcmp(t->checks[i].origin, origin) == 0)
            return &t->checks[i];
    return NULL;
}

/* A rule of a field that stands once, in two structs with different arguments: "what is checked of it (…, and …)". */
static const char *different_rule(struct diffing *s, const struct pg_declared *other, const char *column)
{
    for (uint32_t i = 0; i < s->d->table.nchecks; i++) {
        const struct pg_check *own = &s->d->table.checks[i];
        const struct pg_check *theirs = own->origin && own->column && strcmp(own->column, column) == 0
                                            ? rule_check(&other->table, column, own->origin)
                                            : NULL;
        if (theirs && !pg_check_equal(own, theirs))
            return pg_printf(s->arena, "its %s, which is CHECK (%s) and CHECK (%s)", own->origin, theirs->expr.sql,
                             own->expr.sql);
    }
    return NULL;
}

static bool same_statements(const struct pg_hand_step *a, const struct pg_hand_step *b)
{
    bool same = a->n == b->n;

    for (uint32_t i = 0; i < a->n && same; i++)
        same = strcmp(a->statements[i], b->statements[i]) == 0;
    return same;
}

static void check_steps_agree(struct diffing *s, const struct pg_declared *other)
{
    for (uint32_t i = 0; i < s->d->nsteps; i++)
        for (uint32_t k = 0; k < other->nsteps; k++) {
            const struct pg_hand_step *own = &s->d->steps[i];
            if (strcmp(own->name, other->steps[k].name) == 0 && !same_statements(own, &other->steps[k]))
                pg_refuse(s, PG_NO_RULE, pg_at_rule(own->rule),
                          "structs '%s' and '%s' are both table '%s' and have different SQL in their steps of the name "
                          "'%s', of which one would be carried out: give this one another name",
                          other->tag, s->d->tag, s->d->table.name, own->name);
        }
}

static bool same_sql(const char *a, const char *b)
{
    return pg_expr_equal(&(struct pg_expr){.sql = a}, &(struct pg_expr){.sql = b});
}

static bool same_replaces(const struct pg_replaces *a, const struct pg_replaces *b)
{
    return strcmp(a->column, b->column) == 0 && same_sql(a->forward, b->forward) && same_sql(a->back, b->back);
}

/* What only steps are made of: "its former name, which is … and …". */
static const char *different_past(struct diffing *s, const struct pg_field *own, const struct pg_field *theirs)
{
    if (own->renamed_from && theirs->renamed_from && strcmp(own->renamed_from, theirs->renamed_from) != 0)
        return pg_printf(s->arena, "its former name, which is CELL_RENAMED_FROM(%s) and CELL_RENAMED_FROM(%s)",
                         theirs->renamed_from, own->renamed_from);
    if (own->replaces && theirs->replaces && !same_replaces(own->replaces, theirs->replaces))
        return "which column it replaces, or by what SQL (CELL_REPLACES)";
    if (own->backfill && theirs->backfill && !same_sql(own->backfill, theirs->backfill))
        return pg_printf(s->arena,
                         "what rows that are there get, which is CELL_BACKFILL(\"%s\") and CELL_BACKFILL(\"%s\")",
                         theirs->backfill, own->backfill);
    return NULL;
}

/* What two structs of one table say of a column that both have, and not the same; NULL when they agree. */
static const char *disagreement(struct diffing *s, const struct pg_declared *other, const struct pg_field *own,
                                const struct pg_column *c)
{
    const struct pg_column *o = pg_table_column(&other->table, c->name);
    const struct pg_field *theirs = pg_field_of(other, c->name);

    if (!o)
        return NULL;
    if (!pg_type_equal(&c->type, &o->type))
        return "its type";
    if (c->nullable != o->nullable)
        return "whether it may be NULL";
    if (!pg_expr_equal(&c->standard, &o->standard))
        return "its default";
    if (!pg_expr_equal(&c->generated, &o->generated))
        return "how it is generated";
    if (pg_renumbered(s->arena, o->numbers, c->numbers))
        return "which numbers its enumerators have";
    if (c->identity != o->identity)
        return "whether it is numbered";
    const char *rule = different_rule(s, other, c->name);
    return rule || !theirs ? rule : different_past(s, own, theirs);
}

/* Two structs of one table must say the same of what both have. */
static void check_agreement(struct diffing *s, const struct pg_declared *other)
{
    for (uint32_t i = 0; i < s->d->nfields; i++) {
        const struct pg_field *f = &s->d->fields[i];
        const struct pg_column *c = &s->d->table.columns[f->column];
        const char *what = disagreement(s, other, f, c);
        if (what)
            pg_refuse(s, PG_NO_RULE, pg_at_field(f->name),
                      "structs '%s' and '%s' are both table '%s' and disagree on column '%s': %s", other->tag,
                      s->d->tag, s->d->table.name, c->name, what);
    }
    check_steps_agree(s, other);
}

/* What a table has once. */
static void check_table_agrees(struct diffing *s, const struct pg_declared *other)
{
    const struct pg_key *key = s->d->table.primary, *others = other->table.primary;

    if (s->d->renamed_from && other->renamed_from && strcmp(s->d->renamed_from, other->renamed_from) != 0)
        pg_refuse(s, PG_NO_RULE, pg_at_rule(s->d->renamed_rule),
                  "structs '%s' and '%s' are both table '%s' and disagree on its former name: "
                  "CELL_TABLE_RENAMED_FROM(\"%s\") and CELL_TABLE_RENAMED_FROM(\"%s\")",
                  other->tag, s->d->tag, s->d->table.name, other->renamed_from, s->d->renamed_from);
    if (!key || !others || pg_key_equal(key, others))
        return;
    struct pg_text own = {.arena = s->arena}, theirs = {.arena = s->arena};
    pg_sql_names(&own, key->columns, key->n);
    pg_sql_names(&theirs, others->columns, others->n);
    pg_refuse(s, PG_NO_RULE, PG_AT_ANNOTATION,
              "structs '%s' and '%s' are both table '%s' and disagree on its primary key: (%s) and (%s). One of them "
              "can name the columns of both: CELL_PRIMARY_KEY(\"…\")",
              other->tag, s->d->tag, s->d->table.name, theirs.data, own.data);
    struct pg_declared *rest = (struct pg_declared *)pg_copy(s->arena, s->d, sizeof(*s->d));
    rest->table.primary = NULL; /* which needs no second error as one that takes the other's place */
    s->declared[s->current] = s->d = rest;
}

static void check_agreements(struct diffing *s)
{
    for (uint32_t i = 0; i < s->w->nowners && s->w->owners[i] < s->current; i++) {
        check_agreement(s, s->declared[s->w->owners[i]]);
        check_table_agrees(s, s->declared[s->w->owners[i]]);
    }
}

static bool wants_vector(const struct pg_declared *d)
{
    for (uint32_t i = 0; i < d->nfields; i++)
        if (d->fields[i].mapping.type.base == PG_BASE_VECTOR)
            return true;
    return false;
}

/* A schema and an extension that are needed and not there. */
static void make_surroundings(struct diffing *s)
{
    const char *schema = s->w->now.schema, *makes = pg_printf(s->arena, "schema %s", schema);

    if (!s->w->exists && !pg_model_has_schema(s->catalog, schema) && !pg_steps_share(s, makes)) {
        struct step_builder b = pg_step_begin(s, PG_STEP_CREATE_SCHEMA, PG_TOGETHER, schema, NULL);
        pg_step_sql(s, &b, pg_printf(s->arena, "CREATE SCHEMA %s", pg_quoted(s, schema)));
        b.makes = makes;
        pg_step_end(s, &b, PG_PHASE_TYPES);
    }
    if (s->catalog->vector == PG_EXTENSION_AVAILABLE && wants_vector(s->d) && !pg_steps_share(s, "extension vector")) {
        struct step_builder b = pg_step_begin(s, PG_STEP_CREATE_EXTENSION, PG_TOGETHER, "vector", NULL);
        pg_step_sql(s, &b, "CREATE EXTENSION IF NOT EXISTS \"vector\"");
        b.makes = "extension vector";
        pg_step_end(s, &b, PG_PHASE_TYPES);
    }
}

/* They come before all else, so that a table that gets another name has its former one in them, and in what is recorded
 * of them. */
static void diff_hand_steps(struct diffing *s)
{
    const char *name = s->w->now.name;

    s->w->now.name = s->w->former ? s->w->former : name;
    for (uint32_t i = 0; i < s->d->nsteps; i++) {
        const struct pg_hand_step *h = &s->d->steps[i];
        if (pg_hand_step_done(s, h))
            continue;
        /* A table that begins as the struct says has nothing behind it that the step would have to change. */
        struct step_builder b = pg_step_begin(s, PG_STEP_HAND_STEP, PG_ALONE, h->name, NULL);
        for (uint32_t k = 0; s->w->exists && k < h->n; k++)
            pg_step_sql(s, &b, pg_strdup(s->arena, h->statements[k]));
        pg_step_record(s, &b, "step", h->name, pg_hand_step_text(s, h));
        if (!s->w->exists) {
            b.step.kind = PG_STEP_RECORD;
            b.step.mode = PG_TOGETHER;
            b.step.text = pg_printf(s->arena, "step '%s' has nothing to do on a new table", h->name);
        }
        b.step.consent = pg_printf(s->arena, "CELL_STEP(\"%s\", …)", h->name);
        pg_step_end(s, &b, s->w->exists ? PG_PHASE_HAND : PG_PHASE_COMMENT);
        s->w->now.events = pg_one_more(s->arena, s->w->now.events, &s->w->now.nevents, sizeof(struct pg_event));
        s->w->now.events[s->w->now.nevents - 1] =
            (struct pg_event){PG_PAST_STEP, h->name, 0, pg_hand_step_text(s, h), NULL};
    }
    s->w->now.name = name;
}

static void refuse_kind(struct diffing *s)
{
    const struct pg_table *now = &s->w->now;

    pg_refuse(s, PG_NO_RULE, PG_AT_ANNOTATION, "'%s' is a %s, which no struct can own: CELL_ROWS reads it", now->name,
              now->kind == 'v'   ? "view"
              : now->kind == 'f' ? "foreign table"
                                 : "materialized view");
}

bool pg_select(struct diffing *s, uint32_t declared)
{
    s->current = declared;
    s->d = s->declared[declared];
    s->w = pg_find_work(s, s->d->table.schema, s->d->table.name);
    return !pg_has_errors(&s->d->diagnostics, UINT32_MAX);
}

void pg_each_owner(struct diffing *s, void (*phase)(struct diffing *))
{
    const struct table_work *w = s->w;

    for (uint32_t i = 0; i < w->nowners; i++)
        if (pg_select(s, w->owners[i]))
            phase(s);
}

/* The first struct of the table at hand that takes part, or the last; false when none does. */
static bool select_owner(struct diffing *s, bool first)
{
    const struct table_work *w = s->w;
    bool found = false;

    for (uint32_t i = 0; i < w->nowners && !found; i++)
        found = pg_select(s, w->owners[first ? i : w->nowners - 1 - i]);
    return found;
}

/* What a table has besides columns and their names. */
static void diff_objects(struct diffing *s)
{
    pg_each_owner(s, pg_diff_checks);
    pg_each_owner(s, pg_diff_keys);
    pg_each_owner(s, pg_diff_indexes);
    select_owner(s, true);
    pg_diff_drops(s);
    pg_each_owner(s, pg_diff_comments);
}

/* Phase by phase over all structs of it, because what one says may be about what another one has. */
static void diff_table(struct diffing *s)
{
    struct table_work *w = s->w;

    pg_each_owner(s, check_agreements);
    pg_each_owner(s, pg_diff_outer);
    if (w->exists && w->now.kind != 'r' && w->now.kind != 'p') {
        pg_each_owner(s, refuse_kind);
        return;
    }
    if (!select_owner(s, true))
        return;
    pg_each_owner(s, make_surroundings);
    pg_each_owner(s, pg_diff_enums);
    pg_each_owner(s, diff_hand_steps);
    uint32_t steps = s->steps.n;
    if (w->exists) {
        pg_diff_renames(s);
        pg_diff_columns(s);
        pg_diff_numbers(s);
        diff_objects(s);
        pg_diff_shapes(s, s->steps.n > steps);
        if (s->steps.n > steps)
            pg_each_owner(s, pg_advise_sequences);
        return;
    }
    select_owner(s, true);
    pg_diff_create(s);
    if (w->nowners > 1) { /* the first one has all of its own with the table */
        pg_diff_renames(s);
        diff_objects(s);
    }
    select_owner(s, false); /* which knows the table as a whole */
    pg_advise_table(s);
}

static bool is_declared_here(const struct diffing *s, const char *table)
{
    for (uint32_t i = 0; i < s->works.n; i++)
        if (strcmp(s->works.at[i]->now.name, table) == 0)
            return true;
    return false;
}

/* A later struct of a table that refers to itself may have the column that is meant, or its key; and one that comes
 * later may be the table that is meant, or change it. */
static void diff_foreign(struct diffing *s)
{
    uint32_t said = s->plan->diagnostics.n;

    pg_diff_foreign(s);
    for (; said < s->plan->diagnostics.n; said++) {
        struct pg_diagnostic *d = &s->plan->diagnostics.at[said];
        d->whole = d->other_table && (d->other_table == s->w->now.name || !is_declared_here(s, d->other_table));
    }
}

static bool select_owned(struct diffing *s, uint32_t declared)
{
    return s->declared[declared]->owned && pg_select(s, declared);
}

static void diff_all(struct diffing *s, const struct pg_declared *const *declared)
{
    s->declared = pg_array(s->arena, s->n, sizeof(struct pg_declared *));
    for (uint32_t i = 0; i < s->n; i++)
        s->declared[i] = declared[i];
    s->consent_used = pg_array(s->arena, s->n, sizeof(*s->consent_used));
    for (uint32_t i = 0; i < s->n; i++)
        s->consent_used[i] = pg_array(s->arena, s->declared[i]->nconsents, sizeof(bool));
    pg_begin_works(s);
    for (uint32_t i = 0; i < s->works.n; i++) {
        s->w = s->works.at[i];
        diff_table(s);
    }
    /* When all tables are known: foreign keys, and what is left over of the consents. */
    for (uint32_t i = 0; i < s->n; i++) {
        if (!select_owned(s, i))
            continue;
        diff_foreign(s);
        pg_diff_contract(s);
        if (s->w->owners[s->w->nowners - 1] != i)
            continue;
        pg_diff_undeclared(s);
        pg_diff_consents(s);
    }
    for (uint32_t i = 0; i < s->n; i++)
        if (!s->declared[i]->owned && pg_select(s, i))
            pg_diff_rows(s);
}

static void keep_tables(struct diffing *s)
{
    s->plan->tables = pg_array(s->arena, s->n, sizeof(*s->plan->tables));
    s->plan->ntables = s->n;
    for (uint32_t i = 0; i < s->n; i++) {
        const struct pg_table *t = &s->declared[i]->table;
        const struct table_work *w = pg_find_work(s, t->schema, t->name);
        const struct pg_table *there = w ? &w->now : pg_model_table(s->catalog, t->schema, t->name);
        if (there)
            pg_table_copy(s->arena, there, &s->plan->tables[i]);
        else {
            s->plan->tables[i].schema = pg_strdup(s->arena, t->schema);
            s->plan->tables[i].name = pg_strdup(s->arena, t->name);
        }
    }
}

/* With the arena's escape set: nothing that changes is of this frame. */
static int diff(struct diffing *s, const struct pg_declared *const *declared)
{
    jmp_buf escape;

    s->arena->escape = &escape;
    if (setjmp(escape))
        return CELL_NO_MEMORY;
    diff_all(s, declared);
    keep_tables(s);
    pg_steps_finish(s);
    return CELL_OK;
}

int pg_diff(const struct pg_model *catalog, const struct pg_declared *const *declared, uint32_t n,
            const struct pg_diff_options *options, struct pg_plan **plan)
{
    struct pg_plan *made = calloc(1, sizeof(*made));
    struct diffing s = {.plan = made, .catalog = catalog, .n = n, .options = options};

    if (!made)
        return CELL_NO_MEMORY;
    s.arena = &made->arena;
    int status = diff(&s, declared);
    made->arena.escape = NULL;
    if (status < 0)
        pg_plan_free(made);
    else
        *plan = made;
    return status;
}

void pg_plan_free(struct pg_plan *p)
{
    if (!p)
        return;
    pg_arena_free(&p->arena);
    free(p);
}
