/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Checks and indexes that stay on a column which gets another type. PostgreSQL keeps them as it has understood them: a
 * literal in them is one of the old type. What was written may be for the new one as well, so they are dropped and made
 * again from that, in the step that changes the type.
 */
#include <string.h>

#include "diff_parts.h"
#include "sql.h"
#include "sql_parts.h"

/* A step that changes the type of a column, and what is done around that. */
struct around {
    struct diffing *s;
    struct planned_step *step;
    struct step_builder before, behind;
    struct pg_text names;
};

static struct pg_token next_token(const char *sql, size_t from)
{
    struct pg_token t = pg_sql_token(sql, strlen(sql), from);

    while (pg_token_is(sql, t, "(") || pg_token_is(sql, t, ")"))
        t = pg_sql_token(sql, strlen(sql), t.at + t.len);
    return t;
}

/* The same words, but for parentheses. */
static bool reads_same(const char *a, const char *b)
{
    struct pg_token x = next_token(a, 0), y = next_token(b, 0);

    while (x.kind != PG_TOKEN_END && x.len == y.len && strncasecmp(a + x.at, b + y.at, x.len) == 0) {
        x = next_token(a, x.at + x.len);
        y = next_token(b, y.at + y.len);
    }
    return x.kind == PG_TOKEN_END && y.kind == PG_TOKEN_END;
}

/* What was written, if that is something else than what PostgreSQL has made of it for the old type; else NULL. */
static const char *written_anew(const struct around *a, const struct pg_expr *e)
{
    bool anew = e->sql && e->source && pg_names_column(a->s, e->source, a->step->step.object);

    return anew && !reads_same(e->sql, e->source) ? e->source : NULL;
}

static void note(struct around *a, const char *name) { pg_putf(&a->names, "%s'%s'", a->names.len ? ", " : "", name); }

static void keep_check(struct around *a, struct pg_check *c)
{
    struct diffing *s = a->s;
    const char *sql = c->made ? written_anew(a, &c->expr) : NULL;
    struct pg_text t = {.arena = s->arena};

    if (!sql)
        return;
    c->expr.sql = sql;
    pg_step_alter(s, &a->before, "DROP CONSTRAINT %s", pg_quoted(s, c->name));
    pg_sql_check_constraint(&t, c);
    pg_step_alter(s, &a->behind, "ADD %s%s", t.data, c->valid ? "" : " NOT VALID");
    pg_step_record(s, &a->behind, pg_check_kind(c), c->name, sql);
    note(a, c->name);
}

static void keep_index(struct around *a, struct pg_index *x)
{
    struct diffing *s = a->s;
    struct pg_text t = {.arena = s->arena}, name = {.arena = s->arena};
    bool anew = written_anew(a, &x->predicate);

    for (uint32_t i = 0; i < x->n; i++)
        anew = anew || written_anew(a, &x->parts[i].expr);
    if (!anew || !x->made || !x->valid)
        return;
    for (uint32_t i = 0; i < x->n; i++)
        if (x->parts[i].expr.source)
            x->parts[i].expr.sql = x->parts[i].expr.source;
    if (x->predicate.source)
        x->predicate.sql = x->predicate.source;
    pg_sql_qualified(&name, s->w->now.schema, x->name);
    pg_step_sql(s, &a->before, pg_printf(s->arena, "DROP INDEX %s", name.data));
    pg_sql_create_index(&t, &s->w->now, x, false);
    pg_step_sql(s, &a->behind, t.data);
    pg_step_record(s, &a->behind, "index", x->name, pg_index_source(s->arena, x));
    note(a, x->name);
}

/* The statements of the step between those before and behind it. */
static void put_around(struct around *a)
{
    struct diffing *s = a->s;
    struct pg_step *step = &a->step->step;
    struct step_builder *b = &a->before;
    uint32_t first = b->sql.n;

    pg_step_flush(s, &a->behind);
    for (uint32_t i = 0; i < step->nsql; i++)
        pg_step_sql(s, b, step->sql[i]);
    for (uint32_t i = 0; i < a->behind.sql.n; i++)
        pg_step_sql(s, b, a->behind.sql.at[i]);
    for (uint32_t i = 0; i < step->nparts; i++) {
        struct pg_step_part *part = pg_push(s->arena, &b->parts);
        *part = step->parts[i];
        part->statement += first;
    }
    step->sql = b->sql.at;
    step->nsql = b->sql.n;
    step->parts = b->parts.at;
    step->text = pg_step_text(s, pg_printf(s->arena, "%s, and make %s again", step->text, a->names.data));
}

static void keep_around(struct diffing *s, struct planned_step *p)
{
    const struct pg_column *now = pg_table_column(&s->w->now, p->step.object);
    struct around a = {.s = s, .step = p, .names = {.arena = s->arena}};
    bool rewrites = false;

    if (!now || (pg_retype_keeps(p->was, &now->type, &rewrites) && !rewrites))
        return;
    for (uint32_t i = 0; i < s->w->now.nchecks; i++)
        keep_check(&a, &s->w->now.checks[i]);
    for (uint32_t i = 0; i < s->w->now.nindexes; i++)
        keep_index(&a, &s->w->now.indexes[i]);
    if (a.names.len)
        put_around(&a);
}

void pg_steps_keep(struct diffing *s)
{
    for (uint32_t i = 0; i < s->steps.n; i++) {
        struct planned_step *p = &s->steps.at[i];
        if (p->was && pg_select(s, p->step.declared))
            keep_around(s, p);
    }
}
