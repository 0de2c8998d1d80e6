/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Names: of constraints, which a table has for itself, and of tables, keys and indexes, which share those of a schema.
 */
#include <string.h>

#include "diff_parts.h"
#include "sql.h"

static bool is_named(const char *a, const char *b) { return strcmp(a, b) == 0; }

static bool has_index(const struct pg_table *t, const char *name)
{
    if (t->primary && is_named(t->primary->name, name))
        return true;
    for (uint32_t i = 0; i < t->nuniques; i++)
        if (is_named(t->uniques[i].name, name))
            return true;
    for (uint32_t i = 0; i < t->nindexes; i++)
        if (is_named(t->indexes[i].name, name))
            return true;
    return false;
}

static bool name_taken(const struct pg_table *t, const char *name)
{
    for (uint32_t i = 0; i < t->nforeign; i++)
        if (is_named(t->foreign[i].name, name))
            return true;
    for (uint32_t i = 0; i < t->nchecks; i++)
        if (is_named(t->checks[i].name, name))
            return true;
    return has_index(t, name);
}

const char *pg_free_name(struct diffing *s, const char *name)
{
    const char *found = name;

    for (unsigned i = 2; name_taken(&s->w->now, found); i++)
        found = pg_made_name(s->arena, name, NULL, pg_printf(s->arena, "%u", i));
    return found;
}

/* An index of the table at hand, which is known as it will be. */
static bool is_own_index(const struct table_work *w, const struct pg_relation *r)
{
    return (r->kind == 'i' || r->kind == 'I') && r->table &&
           (is_named(r->table, w->now.name) || (w->former && is_named(r->table, w->former)));
}

/* What another table's has in the catalog stays taken, even if a step of this plan drops it: that may come later. */
static bool relation_taken(struct diffing *s, const char *name)
{
    const struct pg_table *now = &s->w->now;
    const struct pg_relation *r = pg_model_relation(s->catalog, now->schema, name);

    if (name_taken(now, name) || (r && r->kind != 'T' && !is_own_index(s->w, r)))
        return true;
    for (uint32_t i = 0; i < s->works.n; i++) {
        const struct pg_table *t = &s->works.at[i]->now;
        if (is_named(t->schema, now->schema) && (is_named(t->name, name) || has_index(t, name)))
            return true;
    }
    return false;
}

const char *pg_free_relation(struct diffing *s, const char *name)
{
    const char *found = name;

    for (uint32_t i = 1; relation_taken(s, found); i++)
        found = pg_relation_name(s->arena, &s->w->now, name, i);
    return found;
}

/* A table has a type of its rows, so that enum types are in its way; those that this plan makes come first. */
static bool is_enum_here(const struct diffing *s, const struct pg_table *t)
{
    for (uint32_t i = 0; i < s->n; i++)
        for (uint32_t k = 0; k < s->declared[i]->nenums; k++)
            if (is_named(s->declared[i]->enums[k].name, t->name) &&
                is_named(s->declared[i]->enums[k].schema, t->schema))
                return true;
    return false;
}

/* The table of this plan that is made before, with a numbered column whose sequence PostgreSQL gives the name; NULL. */
static const char *numbered_before(struct diffing *s, const struct pg_table *t)
{
    for (uint32_t i = 0; i < s->current; i++) {
        const struct pg_table *d = &s->declared[i]->table;
        if (!s->declared[i]->owned || !is_named(d->schema, t->schema) || is_named(d->name, t->name) ||
            pg_model_table(s->catalog, d->schema, d->name))
            continue;
        for (uint32_t k = 0; k < d->ncolumns; k++)
            if (d->columns[k].identity && is_named(pg_made_name(s->arena, d->name, d->columns[k].name, "seq"), t->name))
                return d->name;
    }
    return NULL;
}

static void refuse_table_name(struct diffing *s, const struct pg_table *t, const char *what, const char *of,
                              const char *advice)
{
    pg_refuse(s, PG_NO_RULE, PG_AT_ANNOTATION,
              "no table can be called '%s': that is the name of %s%s%s%s in schema '%s'. %s", t->name, what,
              of ? " of table '" : "", of ? of : "", of ? "'" : "", t->schema, advice);
}

void pg_check_table_name(struct diffing *s, const struct pg_declared *d)
{
    const struct pg_table *t = &d->table;
    const struct pg_relation *r = pg_model_relation(s->catalog, t->schema, t->name);
    const char *numbered = numbered_before(s, t);

    if (is_enum_here(s, t))
        refuse_table_name(s, t, "an enum type that a field names", NULL, "Give one of them another name");
    else if (r)
        refuse_table_name(s, t,
                          r->kind == 'S'                     ? "a sequence"
                          : r->kind == 'c' || r->kind == 'T' ? "a type"
                                                             : "an index",
                          r->table, "Give the table another name, or rename the other by hand");
    else if (numbered && !d->renamed_from)
        refuse_table_name(s, t, "the sequence", numbered, "Give one of them another name");
}
