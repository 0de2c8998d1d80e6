/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* With what the plan of each table begins: the table of its name, the one that has had another name, or nothing. */
#include <string.h>

#include "diff_parts.h"
#include "sql.h"

static void rename_step(struct diffing *s, const char *from, const struct pg_declared *d)
{
    struct pg_place place = pg_at_rule(d->renamed_rule);
    struct step_builder b = pg_step_begin(s, PG_STEP_RENAME_TABLE, PG_TOGETHER, NULL, NULL);

    pg_step_alter(s, &b, "RENAME TO %s", pg_quoted(s, d->table.name));
    for (const char *const *sql = pg_sql_record_table_renamed(s->arena, &s->w->now, d->table.name); *sql; sql++)
        pg_step_sql(s, &b, *sql);
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

/* The number of the struct that is the table: the one that says a former name of it, if one does, or else the first;
 * s->n = none. */
static uint32_t struct_of(const struct diffing *s, const char *schema, const char *name)
{
    uint32_t found = s->n;

    for (uint32_t i = 0; i < s->n; i++) {
        const struct pg_declared *d = s->declared[i];
        if (!d->owned || strcmp(d->table.name, name) != 0 || strcmp(d->table.schema, schema) != 0)
            continue;
        if (d->renamed_from)
            return i;
        found = found == s->n ? i : found;
    }
    return found;
}

/* The struct of the table that gets the name `name`; s->n = none does. */
static uint32_t taker_of(const struct diffing *s, const char *schema, const char *name)
{
    uint32_t i = 0;

    while (i < s->n &&
           !(s->declared[i]->owned && s->declared[i]->renamed_from && strcmp(s->declared[i]->renamed_from, name) == 0 &&
             strcmp(s->declared[i]->table.schema, schema) == 0))
        i++;
    return i;
}

/* What has the name since the rename was carried out is another table. */
static bool was_renamed(const struct pg_table *there, const struct pg_declared *d)
{
    return pg_has_event(there, PG_PAST_RENAMED, d->renamed_from);
}

/*
 * Of a chain, in which a table gets the name that another one has had: the number of the struct of the table which has
 * the name of `d` now, and which is renamed before; s->n = there is none, or the chain comes back to where it begins.
 * When the last name of it is not free either, that is an error of the last struct.
 */
static uint32_t goes_on_as(const struct diffing *s, const struct pg_declared *d)
{
    const char *schema = d->table.schema;
    uint32_t first = taker_of(s, schema, d->table.name), next = first;

    for (uint32_t i = 0; i < s->n && next < s->n; i++) {
        const struct pg_table *there = pg_model_table(s->catalog, schema, d->table.name);
        if (!there || !d->renamed_from || !pg_model_table(s->catalog, schema, d->renamed_from) || was_renamed(there, d))
            return s->n;
        d = s->declared[next];
        there = pg_model_table(s->catalog, schema, d->table.name);
        if (!there)
            return first;
        next = taker_of(s, schema, d->table.name);
        if (next == s->n)
            return was_renamed(there, d) ? s->n : first;
    }
    return s->n;
}

static bool looks_like(const struct pg_table *t, const struct pg_declared *d)
{
    uint32_t same = 0;

    for (uint32_t i = 0; i < d->table.ncolumns; i++)
        same += pg_table_column(t, d->table.columns[i].name) != NULL;
    return same * 2 > d->table.ncolumns;
}

/* A database that was not there for a rename in between has the table under a name that no struct knows any more. */
static void mention_likeness(struct diffing *s, const struct pg_declared *d)
{
    for (uint32_t i = 0; i < s->catalog->ntables; i++) {
        const struct pg_table *t = &s->catalog->tables[i];
        bool same = strcmp(t->schema, d->table.schema) == 0 && struct_of(s, t->schema, t->name) == s->n;
        for (uint32_t k = 0; same && k < d->table.ncolumns; k++) {
            const struct pg_column *c = pg_table_column(t, d->table.columns[k].name);
            same = c && pg_type_equal(&c->type, &d->table.columns[k].type);
        }
        if (!same)
            continue;
        pg_plan_diagnose(
            s, PG_REMARK, PG_NO_RULE, pg_at_rule(d->renamed_rule),
            "there is no table '%s', so '%s' begins empty. Table '%s' has all of its columns: if it is that "
            "one by an earlier name, CELL_TABLE_RENAMED_FROM(\"%s\") keeps its rows in this database",
            d->renamed_from, d->table.name, t->name, t->name);
        return;
    }
}

/* A former name that no table has: on a new database that is as it should be. It is misspelt when a table of a similar
 * name, which nobody declares here, has most of the columns. */
static void check_former(struct diffing *s, const struct pg_declared *d)
{
    const char **names = pg_array(s->arena, s->catalog->ntables + 1, sizeof(*names));
    uint32_t n = 0;

    for (uint32_t i = 0; i < s->catalog->ntables; i++) {
        const struct pg_table *t = &s->catalog->tables[i];
        if (strcmp(t->schema, d->table.schema) == 0 && struct_of(s, t->schema, t->name) == s->n && looks_like(t, d))
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
    else
        mention_likeness(s, d);
}

static void begin_one(struct diffing *s, uint32_t declared);

/* A table that gets another name before the one at hand gets its name: true. */
static bool makes_way(struct diffing *s)
{
    const struct pg_declared *d = s->d;
    uint32_t current = s->current, next = goes_on_as(s, d);

    if (next == s->n)
        return false;
    begin_one(s, next);
    s->current = current;
    s->d = d;
    return true;
}

/* The name of the table at hand is another table's, and it has not had its former name yet: whether a struct that comes
 * later takes the name is known at the end of the unit. Until then it is planned as if one did. */
static bool is_in_the_way(struct diffing *s, const struct pg_table *there, const struct pg_table *former)
{
    const struct pg_declared *d = s->d;

    if (!there || !former || was_renamed(there, d))
        return false;
    struct pg_diagnostic *said =
        pg_refuse(s, PG_RULE_NO_EFFECT, pg_at_rule(d->renamed_rule),
                  "tables '%s' and '%s' both exist: it cannot be renamed. When '%s' is another table, "
                  "CELL_TABLE_RENAMED_FROM can be removed; when the rows belong to '%s', move them by hand, and rename "
                  "or drop the other table. A struct that takes the name '%s' has to be in the same file, or built "
                  "before",
                  d->renamed_from, d->table.name, d->renamed_from, d->table.name, d->table.name);
    said->whole = said->awaits = true;
    return true;
}

/*
 * The number of the struct to whose table the one that the struct of `d` is now is renamed, without another struct
 * having said that `d` takes a new name: then it begins empty. s->n = none.
 */
static uint32_t taken_from(const struct diffing *s, const struct pg_declared *d)
{
    uint32_t next = d->renamed_from ? s->n : taker_of(s, d->table.schema, d->table.name);

    if (next < s->n && pg_model_table(s->catalog, d->table.schema, s->declared[next]->table.name) &&
        goes_on_as(s, s->declared[next]) == s->n)
        next = s->n;
    return next;
}

/* The table that becomes the one at hand is another struct's, which would begin empty: not without a word. That struct
 * may come later, so that it is told of this; else it is planned as it would be, so that nothing else is said of it. */
static void refuse_taken(struct diffing *s, const struct pg_table *former)
{
    const struct pg_declared *d = s->d;
    uint32_t of = former ? struct_of(s, former->schema, former->name) : s->n;

    if (of == s->n || goes_on_as(s, s->declared[of]) < s->n)
        return;
    struct pg_diagnostic *said = pg_refuse(
        s, PG_RULE_NO_EFFECT, pg_at_rule(d->renamed_rule),
        "CELL_TABLE_RENAMED_FROM(\"%s\") contradicts the struct that is this table, '%s': '%s' would begin "
        "empty, its rows would be those of '%s'. Remove that struct; if '%s' is to be a new table, add it in a "
        "later build, when the name is free",
        d->renamed_from, s->declared[of]->tag, d->renamed_from, d->table.name, d->renamed_from);
    said->whole = true;
    said->against = of;
}

/* The work of the table of the struct at hand, which has none; a former name is followed, when the table has it still.
 */
static void begin_work(struct diffing *s)
{
    const struct pg_declared *d = s->d;
    const struct pg_table *former =
        d->renamed_from ? pg_model_table(s->catalog, d->table.schema, d->renamed_from) : NULL;
    bool free_now = makes_way(s) || taken_from(s, d) < s->n;
    const struct pg_table *there = free_now ? NULL : pg_model_table(s->catalog, d->table.schema, d->table.name);
    if (is_in_the_way(s, there, former)) {
        free_now = true;
        there = NULL;
    } else if (!there)
        refuse_taken(s, former);
    const struct pg_table *begins = there ? there : former;
    struct table_work *w = pg_alloc(s->arena, sizeof(*w));

    *pg_push(s->arena, &s->works) = w;
    s->w = w;
    w->exists = begins;
    if (begins)
        pg_table_copy(s->arena, begins, &w->now);
    else {
        w->now.schema = pg_strdup(s->arena, d->table.schema);
        w->now.name = pg_strdup(s->arena, d->table.name);
    }
    if (!there && !free_now)
        pg_check_table_name(s, d);
    if (there && d->renamed_from && pg_done_long_ago(there, PG_PAST_RENAMED, d->renamed_from))
        pg_plan_diagnose(s, PG_REMARK, PG_RULE_CONSENT_DONE, pg_at_rule(d->renamed_rule),
                         "CELL_TABLE_RENAMED_FROM(\"%s\") was done long ago and can be removed", d->renamed_from);
    else if (!there && begins) {
        rename_step(s, begins->name, d);
        w->former = begins->name;
    } else if (!there && d->renamed_from && !former)
        check_former(s, d);
}

/* The struct is the one at hand that says most of the table; unless the work is there already. */
static void begin_one(struct diffing *s, uint32_t declared)
{
    const struct pg_table *t = &s->declared[declared]->table;

    if (pg_find_work(s, t->schema, t->name))
        return;
    s->current = struct_of(s, t->schema, t->name);
    s->d = s->declared[s->current];
    begin_work(s);
}

void pg_begin_works(struct diffing *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        const struct pg_declared *d = s->declared[i];
        if (!d->owned)
            continue;
        begin_one(s, i);
        struct table_work *w = pg_find_work(s, d->table.schema, d->table.name);
        uint32_t *owners = pg_one_more(s->arena, w->owners, &w->nowners, sizeof(*owners));
        owners[w->nowners - 1] = i;
        w->owners = owners;
    }
    for (uint32_t i = 0; i < s->works.n; i++)
        if (s->works.at[i]->former)
            refer_to_renamed(s, s->works.at[i]);
}
