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

static void rename_step(struct diffing *s, const char *from, const struct pg_declared *d)
{
    struct pg_place place = pg_at_rule(d->renamed_rule);
    struct step_builder b = pg_step_begin(s, PG_STEP_RENAME_TABLE, PG_TOGETHER, NULL, NULL);

    pg_step_alter(s, &b, "RENAME TO %s", pg_quoted(s, d->table.name));
    pg_step_sql(s, &b, pg_sql_record_table_renamed(s->arena, &s->w->now, d->table.name));
    s->w->now.name = pg_strdup(s->arena, d->table.name);
    pg_step_record(s, &b, "renamed", from, NULL);
    pg_step_hazard(&b, PG_RULE_RENAME_TABLE);
    b.step.consent = pg_printf(s->arena, "CELL_TABLE_RENAMED_FROM(\"%s\")", from);
    pg_step_end(s, &b, PG_PHASE_RENAME);
    pg_plan_diagnose(s, PG_WARNING, PG_RULE_RENAME_TABLE, place,
                     "table '%s' becomes '%s': programs that use the old name stop working", from, d->table.name);
}

/* References of other tables to one that has another name now. */
static void refer_to_renamed(struct diffing *s, const struct table_work *renamed)
{
    for (uint32_t i = 0; i < s->works.n; i++)
        for (uint32_t k = 0; k < s->works.at[i]->now.nforeign; k++) {
            struct pg_foreign_key *f = &s->works.at[i]->now.foreign[k];
            if (strcmp(f->to_table, renamed->former) == 0 && strcmp(f->to_schema, renamed->now.schema) == 0)
                f->to_table = renamed->now.name;
        }
}

static bool is_declared_here(const struct diffing *s, const struct pg_table *t)
{
    for (uint32_t i = 0; i < s->n; i++) {
        const struct pg_table *d = &s->declared[i]->table;
        if (s->declared[i]->owned && strcmp(d->name, t->name) == 0 && strcmp(d->schema, t->schema) == 0)
            return true;
    }
    return false;
}

static bool looks_like(const struct pg_table *t, const struct pg_declared *d)
{
    uint32_t same = 0;

    for (uint32_t i = 0; i < d->table.ncolumns; i++)
        same += pg_table_column(t, d->table.columns[i].name) != NULL;
    return same * 2 > d->table.ncolumns;
}

/* A former name that no table has: on a new database that is as it should be. It is misspelt when a table of a similar
 * name, which nobody declares here, has most of the columns. */
static void check_former(struct diffing *s, const struct pg_declared *d)
{
    const char **names = pg_array(s->arena, s->catalog->ntables + 1, sizeof(*names));
    uint32_t n = 0;

    for (uint32_t i = 0; i < s->catalog->ntables; i++) {
        const struct pg_table *t = &s->catalog->tables[i];
        if (strcmp(t->schema, d->table.schema) == 0 && !is_declared_here(s, t) && looks_like(t, d))
            names[n++] = t->name;
    }
    const char *near = pg_suggest(d->renamed_from, names, n);
    const struct pg_table *elsewhere = pg_model_table(s->catalog, NULL, d->renamed_from);
    if (elsewhere && looks_like(elsewhere, d))
        pg_refuse(
            s, PG_RULE_NO_EFFECT, pg_at_rule(d->renamed_rule),
            "table '%s' is in the schema '%s', and a former name is one in the same schema: move it first, by ALTER "
            "TABLE … SET SCHEMA",
            d->renamed_from, elsewhere->schema);
    else if (near)
        pg_refuse(s, PG_RULE_NO_EFFECT, pg_at_rule(d->renamed_rule),
                  "CELL_TABLE_RENAMED_FROM(\"%s\") finds nothing: there is no such table; did you mean '%s'? Otherwise "
                  "remove it, and '%s' begins empty",
                  d->renamed_from, near, d->table.name);
}

/* Makes the struct of the same table the one at hand that says a former name of it, if one does. */
static void select_renamer(struct diffing *s)
{
    for (uint32_t i = s->current; i < s->n && !s->d->renamed_from; i++) {
        const struct pg_declared *d = s->declared[i];
        if (d->owned && d->renamed_from && strcmp(d->table.name, s->d->table.name) == 0 &&
            strcmp(d->table.schema, s->d->table.schema) == 0) {
            s->current = i;
            s->d = d;
        }
    }
}

/* The work of the declared table at hand, which is new; a former name is followed, when the table has it still. */
static struct table_work *begin_work(struct diffing *s)
{
    select_renamer(s);
    const struct pg_declared *d = s->d;
    const struct pg_table *there = pg_model_table(s->catalog, d->table.schema, d->table.name);
    const struct pg_table *former =
        d->renamed_from ? pg_model_table(s->catalog, d->table.schema, d->renamed_from) : NULL;
    struct table_work *w;

    bool taken = !there && former && is_declared_here(s, former);
    if (taken) {
        pg_refuse(s, PG_RULE_NO_EFFECT, pg_at_rule(d->renamed_rule),
                  "CELL_TABLE_RENAMED_FROM(\"%s\") contradicts the struct that is this table", d->renamed_from);
        former = NULL;
    }
    w = pg_alloc(s->arena, sizeof(*w));
    *pg_push(s->arena, &s->works) = w;
    s->w = w;
    if (there || former)
        pg_table_copy(s->arena, there ? there : former, &w->now);
    else {
        w->now.schema = pg_strdup(s->arena, d->table.schema);
        w->now.name = pg_strdup(s->arena, d->table.name);
    }
    w->exists = there || former;
    if (!there)
        pg_check_table_name(s, d);
    bool done = there && d->renamed_from && pg_has_event(there, PG_PAST_RENAMED, d->renamed_from);
    if (there && former && !done) /* what has the former name since is another one */
        pg_refuse(s, PG_RULE_NO_EFFECT, pg_at_rule(d->renamed_rule),
                  "tables '%s' and '%s' both exist: it cannot be renamed. When '%s' is another struct's table, remove "
                  "CELL_TABLE_RENAMED_FROM(\"%s\")",
                  d->renamed_from, d->table.name, d->renamed_from, d->renamed_from);
    else if (!there && former) {
        rename_step(s, former->name, d);
        w->former = former->name;
    } else if (!there && d->renamed_from && !taken)
        check_former(s, d);
    else if (there && d->renamed_from && pg_done_long_ago(there, PG_PAST_RENAMED, d->renamed_from))
        pg_plan_diagnose(s, PG_REMARK, PG_RULE_CONSENT_DONE, pg_at_rule(d->renamed_rule),
                         "CELL_TABLE_RENAMED_FROM(\"%s\") was done long ago and can be removed", d->renamed_from);
    return w;
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

/* Two structs of one table must say the same of what both have. */
static void check_agreement(struct diffing *s, const struct pg_declared *other)
{
    for (uint32_t i = 0; i < s->d->nfields; i++) {
        const struct pg_column *c = &s->d->table.columns[s->d->fields[i].column];
        const struct pg_column *o = pg_table_column(&other->table, c->name);
        if (!o)
            continue;
        const char *what = !pg_type_equal(&c->type, &o->type)             ? "its type"
                           : c->nullable != o->nullable                   ? "whether it may be NULL"
                           : !pg_expr_equal(&c->standard, &o->standard)   ? "its default"
                           : !pg_expr_equal(&c->generated, &o->generated) ? "how it is generated"
                           : c->identity != o->identity                   ? "whether it is numbered"
                                                                          : different_rule(s, other, c->name);
        if (what)
            pg_refuse(s, PG_NO_RULE, pg_at_field(s->d->fields[i].name),
                      "structs '%s' and '%s' are both table '%s' and disagree on column '%s': %s", other->tag,
                      s->d->tag, s->d->table.name, c->name, what);
    }
    check_steps_agree(s, other);
}

static void check_agreements(struct diffing *s)
{
    for (uint32_t i = 0; i < s->w->nowners && s->w->owners[i] < s->current; i++)
        check_agreement(s, s->declared[s->w->owners[i]]);
}

static bool wants_vector(const struct pg_declared *d)
{
    for (uint32_t i = 0; i < d->nfields; i++)
        if (d->fields[i].mapping.type.base == PG_BASE_VECTOR)
            return true;
    return false;
}

static bool planned(const char **names, uint32_t n, const char *name)
{
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* A schema and an extension that are needed and not there. */
static void make_surroundings(struct diffing *s)
{
    const char *schema = s->w->now.schema;

    if (!s->w->exists && !pg_model_has_schema(s->catalog, schema) && !planned(s->schemas.at, s->schemas.n, schema)) {
        struct step_builder b = pg_step_begin(s, PG_STEP_CREATE_SCHEMA, PG_TOGETHER, schema, NULL);
        pg_step_sql(s, &b, pg_printf(s->arena, "CREATE SCHEMA %s", pg_quoted(s, schema)));
        pg_step_end(s, &b, PG_PHASE_TYPES);
        *pg_push(s->arena, &s->schemas) = schema;
    }
    if (s->catalog->vector == PG_EXTENSION_AVAILABLE && wants_vector(s->d) && s->extensions.n == 0) {
        struct step_builder b = pg_step_begin(s, PG_STEP_CREATE_EXTENSION, PG_TOGETHER, "vector", NULL);
        pg_step_sql(s, &b, "CREATE EXTENSION IF NOT EXISTS \"vector\"");
        pg_step_end(s, &b, PG_PHASE_TYPES);
        *pg_push(s->arena, &s->extensions) = "vector";
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
        diff_objects(s);
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

/* In the order of the source: works first, so that foreign keys find tables that come later. */
static void begin_all(struct diffing *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        const struct pg_declared *d = s->declared[i];
        if (!d->owned)
            continue;
        s->current = i;
        s->d = d;
        struct table_work *w = pg_find_work(s, d->table.schema, d->table.name);
        if (!w)
            w = begin_work(s);
        uint32_t *owners = pg_one_more(s->arena, w->owners, &w->nowners, sizeof(*owners));
        owners[w->nowners - 1] = i;
        w->owners = owners;
    }
    for (uint32_t i = 0; i < s->works.n; i++)
        if (s->works.at[i]->former)
            refer_to_renamed(s, s->works.at[i]);
}

static bool select_owned(struct diffing *s, uint32_t declared)
{
    return s->declared[declared]->owned && pg_select(s, declared);
}

static void diff_all(struct diffing *s)
{
    s->consent_used = pg_array(s->arena, s->n, sizeof(*s->consent_used));
    for (uint32_t i = 0; i < s->n; i++)
        s->consent_used[i] = pg_array(s->arena, s->declared[i]->nconsents, sizeof(bool));
    begin_all(s);
    for (uint32_t i = 0; i < s->works.n; i++) {
        s->w = s->works.at[i];
        diff_table(s);
    }
    /* When all tables are known: foreign keys, and what is left over of the consents. */
    for (uint32_t i = 0; i < s->n; i++) {
        if (!select_owned(s, i))
            continue;
        pg_diff_foreign(s);
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
static int diff(struct diffing *s)
{
    jmp_buf escape;

    s->arena->escape = &escape;
    if (setjmp(escape))
        return CELL_NO_MEMORY;
    diff_all(s);
    keep_tables(s);
    pg_steps_finish(s);
    return CELL_OK;
}

int pg_diff(const struct pg_model *catalog, const struct pg_declared *const *declared, uint32_t n,
            const struct pg_diff_options *options, struct pg_plan **plan)
{
    struct pg_plan *made = calloc(1, sizeof(*made));
    struct diffing s = {.plan = made, .catalog = catalog, .declared = declared, .n = n, .options = options};

    if (!made)
        return CELL_NO_MEMORY;
    s.arena = &made->arena;
    int status = diff(&s);
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
