/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A database that understands only the statements that plans are made of, and nothing wrong: what PostgreSQL would
 * refuse fails here too. It prints expressions in another way than they were written, so that they are only known again
 * by what was recorded; and it knows which columns have NULLs.
 */
#ifndef CELL_TEST_PG_SIMULATE_H
#define CELL_TEST_PG_SIMULATE_H

#include "pg_simulate_table.h"

static inline void sim_rename_constraint(struct sim_text *x, struct pg_table *t)
{
    char kind = 0;
    uint32_t at;
    void *found = sim_named(t, sim_name(x), &kind, &at);
    sim_accept(x, "to");
    const char *name = sim_name(x);
    if (!found || (kind != 'c' && kind != 'f'))
        sim_fail(x->s, "there is no such constraint to rename");
    else if (sim_is_free(x->s, t, name))
        *(kind == 'c' ? &((struct pg_check *)found)->name : &((struct pg_foreign_key *)found)->name) = name;
}

static inline void sim_alter_table(struct sim_text *x)
{
    struct pg_table *t = sim_table(x);
    char kind;
    uint32_t at;
    if (!t)
        return;
    do {
        if (sim_words(x, "rename to"))
            t->name = sim_name(x);
        else if (sim_words(x, "rename column")) {
            const char *from = sim_name(x);
            sim_accept(x, "to");
            sim_rename(x, t, from, sim_name(x));
        } else if (sim_words(x, "rename constraint"))
            sim_rename_constraint(x, t);
        else if (sim_words(x, "add column"))
            sim_column(x, t, t->rows != 0);
        else if (sim_words(x, "drop column"))
            sim_drop_column(x->s, t, sim_name(x));
        else if (sim_words(x, "alter column"))
            sim_alter_column(x, t);
        else if (sim_words(x, "add constraint"))
            sim_constraint(x, t);
        else if (sim_words(x, "drop constraint")) {
            if (!sim_named(t, sim_name(x), &kind, &at) || kind == 'i')
                sim_fail(x->s, "there is no such constraint to drop");
            else
                sim_drop(t, kind, at);
        } else if (sim_words(x, "validate constraint")) {
            void *found = sim_named(t, sim_name(x), &kind, &at);
            if (found && kind == 'c') {
                struct pg_check *c = found;
                c->valid = true;
                for (uint32_t i = 0; i < t->ncolumns; i++)
                    if (sim_proven_not_null(x->s, t, t->columns[i].name) && sim_has_null(x->s, t, t->columns[i].name))
                        sim_fail(x->s, "check constraint is violated by some row");
            } else if (found && kind == 'f')
                ((struct pg_foreign_key *)found)->valid = true;
            else
                sim_fail(x->s, "there is no such constraint to validate");
        } else {
            sim_fail(x->s, "unknown change of a table");
            return;
        }
    } while (sim_accept(x, ","));
}

static inline void sim_create_table(struct sim_text *x)
{
    struct pg_table t = {.schema = sim_name(x), .kind = 'r', .rows = 0};
    sim_accept(x, ".");
    t.name = sim_name(x);
    if (pg_model_table(x->s->m, t.schema, t.name) || !pg_model_has_schema(x->s->m, t.schema))
        sim_fail(x->s, "the table exists, or its schema does not");
    if (!sim_accept(x, "("))
        sim_fail(x->s, "a '(' was expected");
    do {
        if (sim_accept(x, "constraint"))
            sim_constraint(x, &t);
        else
            sim_column(x, &t, false);
    } while (!x->s->why && sim_accept(x, ","));
    if (!sim_accept(x, ")"))
        sim_fail(x->s, "the table does not end");
    SIM_ADD(x->s, x->s->m, tables, ntables, t);
}

static inline void sim_create_index(struct sim_text *x, bool unique)
{
    struct pg_index ix = {.unique = unique, .valid = true};
    if (!sim_accept(x, "index"))
        sim_fail(x->s, "index was expected");
    if (sim_accept(x, "concurrently") != x->s->outside)
        sim_fail(x->s, "CONCURRENTLY and transactions do not go together");
    ix.name = sim_name(x);
    sim_accept(x, "on");
    struct pg_table *t = sim_table(x);
    if (!t || !sim_is_free(x->s, t, ix.name) || !sim_accept(x, "using"))
        return;
    ix.method = sim_name(x);
    PG_LIST(struct pg_index_part) parts = {0};
    sim_accept(x, "(");
    do {
        struct pg_index_part *p = pg_push(&x->s->m->arena, &parts);
        if (sim_is(x, "("))
            p->expr = sim_printed(x->s, sim_parens(x));
        else {
            p->column = sim_name(x);
            sim_must_have(x->s, t, &p->column, 1);
        }
        if (x->t.kind == PG_TOKEN_QUOTED)
            p->opclass = sim_name(x);
        p->descending = sim_accept(x, "desc");
        p->nulls_first = p->descending;
        if (sim_words(x, "nulls first"))
            p->nulls_first = true;
        if (sim_words(x, "nulls last"))
            p->nulls_first = false;
    } while (sim_accept(x, ","));
    ix.parts = parts.at;
    ix.n = parts.n;
    if (!sim_accept(x, ")"))
        sim_fail(x->s, "the index does not end");
    if (sim_accept(x, "include"))
        ix.included = sim_names(x, &ix.nincluded);
    if (sim_accept(x, "where"))
        ix.predicate = sim_printed(x->s, sim_parens(x));
    SIM_ADD(x->s, t, indexes, nindexes, ix);
}

/* The table that has the index which is named next; NULL: none has. */
static inline struct pg_table *sim_index(struct sim_text *x, uint32_t *at)
{
    char kind;
    const char *schema = sim_name(x);
    sim_accept(x, ".");
    const char *name = sim_name(x);
    for (uint32_t i = 0; i < x->s->m->ntables; i++)
        if (strcmp(x->s->m->tables[i].schema, schema) == 0 && sim_named(&x->s->m->tables[i], name, &kind, at) &&
            kind == 'i')
            return &x->s->m->tables[i];
    return NULL;
}

static inline void sim_drop_index(struct sim_text *x)
{
    uint32_t at;
    if (sim_accept(x, "concurrently") != x->s->outside)
        sim_fail(x->s, "CONCURRENTLY and transactions do not go together");
    sim_words(x, "if exists");
    struct pg_table *t = sim_index(x, &at);
    if (t)
        sim_drop(t, 'i', at);
}

static inline void sim_rename_index(struct sim_text *x)
{
    uint32_t at;
    struct pg_table *t = sim_index(x, &at);
    const char *name = t && sim_words(x, "rename to") ? sim_name(x) : NULL;
    if (!name)
        sim_fail(x->s, "there is no such index");
    else if (sim_is_free(x->s, t, name)) {
        t->indexes[at].name = name;
        t->indexes[at].made = false; /* under this name it is recorded anew */
    }
}

/* ---- what is recorded ---- */
static inline void sim_record_row(struct sim_text *x, bool forget)
{
    const char *schema = sim_literal(x), *source = NULL;
    sim_accept(x, ",");
    const char *table = sim_literal(x);
    sim_accept(x, ",");
    const char *kind = sim_literal(x);
    sim_accept(x, ",");
    const char *name = sim_literal(x);
    if (!forget && sim_accept(x, ","))
        source = sim_literal(x);
    struct pg_table *t = pg_model_table(x->s->m, schema, table);
    char found;
    uint32_t at;
    if (!t || x->s->why)
        return;
    struct pg_event event = {.name = name, .text = source, .day = "2026-11-28"};
    event.past = strcmp(kind, "dropped") == 0      ? PG_PAST_DROPPED
                 : strcmp(kind, "renamed") == 0    ? PG_PAST_RENAMED
                 : strcmp(kind, "retyped") == 0    ? PG_PAST_RETYPED
                 : strcmp(kind, "step") == 0       ? PG_PAST_STEP
                 : strcmp(kind, "dropping") == 0   ? PG_PAST_DROPPING
                 : strcmp(kind, "filling") == 0    ? PG_PAST_FILLING
                 : strcmp(kind, "giving-way") == 0 ? PG_PAST_GIVING_WAY
                 : strcmp(kind, "shape") == 0      ? PG_PAST_SHAPE
                                                   : 0;
    if (event.past) {
        for (uint32_t i = t->nevents; i-- > 0;)
            if (t->events[i].past == event.past && strcmp(t->events[i].name, name) == 0)
                t->events[i] = t->events[--t->nevents];
        if (!forget)
            SIM_ADD(x->s, t, events, nevents, event);
        return;
    }
    if (strcmp(kind, "numbers") == 0) {
        struct pg_column *c = pg_table_column(t, name);
        if (c)
            c->numbers = forget ? NULL : source;
        return;
    }
    if (strcmp(kind, "default") == 0 || strcmp(kind, "generated") == 0) {
        struct pg_column *c = pg_table_column(t, name);
        if (!c)
            return;
        if (kind[0] == 'd')
            c->default_made = !forget;
        struct pg_expr *e = kind[0] == 'd' ? &c->standard : &c->generated;
        e->source = forget || !e->sql ? NULL : source;
        return;
    }
    void *o = sim_named(t, name, &found, &at);
    if (!o)
        return;
    if (found == 'u' || found == 'p')
        ((struct pg_key *)o)->made = !forget;
    else if (found == 'f')
        ((struct pg_foreign_key *)o)->made = !forget;
    else if (found == 'c') {
        ((struct pg_check *)o)->made = !forget;
        ((struct pg_check *)o)->implied = !forget && strcmp(kind, "implied") == 0;
        ((struct pg_check *)o)->expr.source = forget ? NULL : source;
    } else {
        ((struct pg_index *)o)->made = !forget;
        pg_index_sources(&x->s->m->arena, source ? source : "", o);
    }
}

static inline void sim_record(struct sim_text *x, bool forget)
{
    while (x->t.kind != PG_TOKEN_END && !(forget ? sim_is(x, "=") : sim_is(x, "values")))
        sim_next(x);
    sim_next(x);
    while (sim_accept(x, "(")) {
        sim_record_row(x, forget);
        while (x->t.kind != PG_TOKEN_END && !sim_is(x, ")"))
            sim_next(x);
        sim_next(x);
        sim_accept(x, ",");
    }
}

static inline void sim_comment(struct sim_text *x)
{
    bool column = sim_accept(x, "column");
    if (!column)
        sim_accept(x, "table");
    struct pg_table *t = sim_table(x);
    if (!t)
        return;
    struct pg_column *c = NULL;
    if (column && sim_accept(x, "."))
        c = pg_table_column(t, sim_name(x));
    sim_accept(x, "is");
    const char *text = sim_literal(x);
    if (column && !c)
        sim_fail(x->s, "there is no such column to comment");
    else
        *(column ? &c->comment : &t->comment) = text;
}

static inline void sim_type(struct sim_text *x, bool create)
{
    struct pg_enum e = {.schema = sim_name(x)};
    sim_accept(x, ".");
    e.name = sim_name(x);
    PG_LIST(const char *) labels = {0};
    if (create && sim_words(x, "as enum (")) {
        do
            *pg_push(&x->s->m->arena, &labels) = sim_literal(x);
        while (sim_accept(x, ","));
        e.labels = labels.at;
        e.n = labels.n;
        SIM_ADD(x->s, x->s->m, enums, nenums, e);
    } else if (!create && sim_words(x, "add value if not exists")) {
        struct pg_enum *there = (struct pg_enum *)(uintptr_t)pg_model_enum(x->s->m, e.schema, e.name);
        if (!there)
            sim_fail(x->s, "there is no such type");
        else
            SIM_ADD(x->s, there, labels, n, sim_literal(x));
    } else
        sim_fail(x->s, "unknown change of a type");
}

/* A statement; s->why says what PostgreSQL would not have done. */
static inline bool sim_statement(struct sim *s, const char *sql)
{
    struct sim_text x = {.s = s, .sql = pg_strdup(&s->m->arena, sql), .len = strlen(sql)};
    sim_next(&x);
    if (sim_words(&x, "insert into cell.objects"))
        sim_record(&x, false);
    else if (sim_words(&x, "insert into cell . objects"))
        sim_record(&x, false);
    else if (sim_words(&x, "delete from cell . objects"))
        sim_record(&x, true);
    else if (sim_words(&x, "update cell . objects") || sim_words(&x, "update cell . baseline") ||
             sim_words(&x, "update cell . before") || sim_words(&x, "delete from cell . baseline") ||
             sim_words(&x, "select setval"))
        ;
    else if (sim_words(&x, "create schema"))
        SIM_ADD(s, s->m, schemas, nschemas, sim_name(&x));
    else if (sim_words(&x, "create extension"))
        s->m->vector = PG_EXTENSION_INSTALLED;
    else if (sim_words(&x, "create type") || sim_words(&x, "alter type"))
        sim_type(&x, sql[0] == 'C');
    else if (sim_words(&x, "create table"))
        sim_create_table(&x);
    else if (sim_words(&x, "alter table"))
        sim_alter_table(&x);
    else if (sim_words(&x, "create unique"))
        sim_create_index(&x, true);
    else if (sim_accept(&x, "create"))
        sim_create_index(&x, false);
    else if (sim_words(&x, "alter index"))
        sim_rename_index(&x);
    else if (sim_words(&x, "drop index"))
        sim_drop_index(&x);
    else if (sim_words(&x, "comment on"))
        sim_comment(&x);
    else if (sim_accept(&x, "update")) {
        struct pg_table *t = sim_table(&x);
        if (t && sim_accept(&x, "set"))
            sim_set_null(s, t, sim_name(&x), false);
    } else
        sim_fail(s, "unknown statement");
    return !s->why;
}

/* Up to `stop` statements (−1 = all); those of a step that runs in a transaction count together. */
static inline bool sim_apply(struct sim *s, const struct pg_plan *p, uint32_t stop)
{
    for (uint32_t i = 0; i < p->nsteps && i < stop; i++) {
        s->outside = p->steps[i].mode == PG_OUTSIDE;
        for (uint32_t k = 0; k < p->steps[i].nrepair; k++)
            if (!sim_statement(s, p->steps[i].repair[k]))
                break;
        for (uint32_t k = 0; k < p->steps[i].nsql; k++)
            if (!sim_statement(s, p->steps[i].sql[k])) {
                printf("simulator: %s\n  %s\n", s->why, p->steps[i].sql[k]);
                return false;
            }
    }
    for (uint32_t i = 0; i < s->m->ntables; i++)
        s->m->tables[i].rows = 1; /* somebody uses it */
    return true;
}

#endif
