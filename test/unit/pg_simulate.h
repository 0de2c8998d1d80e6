/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A database that understands only the statements that plans are made of, and nothing wrong: what PostgreSQL would
 * refuse fails here too. It prints expressions in another way than they were written, so that they are only known again
 * by what was recorded; and it knows which columns have NULLs.
 */
#ifndef CELL_TEST_PG_SIMULATE_H
#define CELL_TEST_PG_SIMULATE_H

#include "pg_build.h"
#include "postgres/sql.h"
#include "postgres/sql_parts.h"

struct sim {
    struct pg_model *m;
    const char *nulls[512]; /* "table.column" of columns with NULLs in them */
    int nnulls;
    bool outside;    /* the statement runs outside of transactions */
    const char *why; /* what was wrong; NULL */
};

/* ---- reading ---- */
struct sim_text {
    struct sim *s;
    const char *sql;
    size_t len;
    struct pg_token t;
};

static inline void sim_next(struct sim_text *x) { x->t = pg_sql_token(x->sql, x->len, x->t.at + x->t.len); }
static inline bool sim_is(struct sim_text *x, const char *word) { return pg_token_is(x->sql, x->t, word); }
static inline bool sim_fail(struct sim *s, const char *why)
{
    if (!s->why)
        s->why = why;
    return false;
}
static inline bool sim_accept(struct sim_text *x, const char *word)
{
    if (!sim_is(x, word))
        return false;
    sim_next(x);
    return true;
}
/* Words one after the other. */
static inline bool sim_words(struct sim_text *x, const char *words)
{
    struct sim_text back = *x;
    char word[64];
    while (*words) {
        size_t n = strcspn(words, " ");
        snprintf(word, sizeof(word), "%.*s", (int)n, words);
        if (!sim_accept(x, word)) {
            *x = back;
            return false;
        }
        words += n + (words[n] == ' ');
    }
    return true;
}
static inline const char *sim_name(struct sim_text *x)
{
    if (x->t.kind != PG_TOKEN_QUOTED && x->t.kind != PG_TOKEN_NAME) {
        sim_fail(x->s, "a name was expected");
        return "";
    }
    const char *name = pg_token_name(&x->s->m->arena, x->sql, x->t);
    sim_next(x);
    return name;
}
static inline const char *sim_literal(struct sim_text *x)
{
    struct pg_text t = {.arena = &x->s->m->arena};
    const char *s = x->sql + x->t.at;
    bool escapes = *s == 'E';
    if (sim_accept(x, "null"))
        return NULL;
    if (x->t.kind != PG_TOKEN_STRING) {
        sim_fail(x->s, "a literal was expected");
        return "";
    }
    pg_puts(&t, "");
    for (size_t i = escapes ? 2 : 1; i + 1 < x->t.len; i++) {
        i += s[i] == '\'' || (escapes && s[i] == '\\');
        pg_append(&t, s + i, 1);
    }
    sim_next(x);
    return t.data;
}
/* From "(" to its ")": what stands between. */
static inline const char *sim_parens(struct sim_text *x)
{
    size_t begin = x->t.at + 1, depth = 0;
    if (!sim_is(x, "(")) {
        sim_fail(x->s, "a '(' was expected");
        return "";
    }
    for (; x->t.kind != PG_TOKEN_END; sim_next(x)) {
        depth += sim_is(x, "(");
        if (sim_is(x, ")") && --depth == 0)
            break;
    }
    const char *inner = pg_copy(&x->s->m->arena, x->sql + begin, x->t.at - begin);
    sim_next(x);
    return inner;
}
static inline const char **sim_names(struct sim_text *x, uint32_t *n)
{
    PG_LIST(const char *) names = {0};
    if (!sim_accept(x, "("))
        sim_fail(x->s, "a list was expected");
    do
        *pg_push(&x->s->m->arena, &names) = sim_name(x);
    while (sim_accept(x, ","));
    if (!sim_accept(x, ")"))
        sim_fail(x->s, "the list does not end");
    *n = names.n;
    return names.at;
}
/* The catalog prints what it has understood, not what was written. */
static inline struct pg_expr sim_printed(struct sim *s, const char *sql)
{
    return (struct pg_expr){pg_printf(&s->m->arena, "printed(%s)", sql), NULL};
}

/* ---- the tables ---- */
static inline struct pg_table *sim_table(struct sim_text *x)
{
    const char *schema = sim_name(x);
    if (!sim_accept(x, "."))
        sim_fail(x->s, "no schema before the name");
    const char *name = sim_name(x);
    struct pg_table *t = pg_model_table(x->s->m, schema, name);
    if (!t)
        sim_fail(x->s, pg_printf(&x->s->m->arena, "there is no table %s.%s", schema, name));
    return t;
}
static inline void sim_set_null(struct sim *s, const struct pg_table *t, const char *column, bool has)
{
    char key[160];
    snprintf(key, sizeof(key), "%.70s.%.70s", t->name, column);
    for (int i = 0; i < s->nnulls; i++)
        if (strcmp(s->nulls[i], key) == 0) {
            if (!has)
                s->nulls[i] = "";
            return;
        }
    if (has && s->nnulls < 512)
        s->nulls[s->nnulls++] = pg_strdup(&s->m->arena, key);
}
static inline bool sim_has_null(struct sim *s, const struct pg_table *t, const char *column)
{
    char key[160];
    snprintf(key, sizeof(key), "%.70s.%.70s", t->name, column);
    for (int i = 0; i < s->nnulls; i++)
        if (strcmp(s->nulls[i], key) == 0)
            return true;
    return false;
}
static inline void *sim_named(struct pg_table *t, const char *name, char *kind, uint32_t *at)
{
#define SIM_LOOK(letter, array, count)                                                                                 \
    for (*at = 0; *at < t->count; ++*at)                                                                               \
        if (strcmp(t->array[*at].name, name) == 0) {                                                                   \
            *kind = letter;                                                                                            \
            return &t->array[*at];                                                                                     \
        }
    SIM_LOOK('u', uniques, nuniques)
    SIM_LOOK('i', indexes, nindexes)
    SIM_LOOK('f', foreign, nforeign)
    SIM_LOOK('c', checks, nchecks)
#undef SIM_LOOK
    *kind = t->primary && strcmp(t->primary->name, name) == 0 ? 'p' : 0;
    return *kind ? t->primary : NULL;
}
static inline bool sim_is_free(struct sim *s, struct pg_table *t, const char *name)
{
    char kind;
    uint32_t at;
    return !sim_named(t, name, &kind, &at) || sim_fail(s, pg_printf(&s->m->arena, "'%s' exists", name));
}
static inline void sim_drop(struct pg_table *t, char kind, uint32_t at)
{
#define SIM_CUT(array, count)                                                                                          \
    memmove(&t->array[at], &t->array[at + 1], (t->count - at - 1) * sizeof(*t->array)), t->count--
    switch (kind) {
    case 'u':
        SIM_CUT(uniques, nuniques);
        break;
    case 'i':
        SIM_CUT(indexes, nindexes);
        break;
    case 'f':
        SIM_CUT(foreign, nforeign);
        break;
    case 'c':
        SIM_CUT(checks, nchecks);
        break;
    default:
        t->primary = NULL;
    }
}
#define SIM_ADD(s, t, array, count, value)                                                                             \
    do {                                                                                                               \
        void *more = pg_array(&(s)->m->arena, (t)->count + 1, sizeof(*(t)->array));                                    \
        if ((t)->count)                                                                                                \
            memcpy(more, (t)->array, (t)->count * sizeof(*(t)->array));                                                \
        (t)->array = more;                                                                                             \
        (t)->array[(t)->count++] = (value);                                                                            \
    } while (0)

static inline void sim_must_have(struct sim *s, struct pg_table *t, const char **columns, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (!pg_table_column(t, columns[i]))
            sim_fail(s, pg_printf(&s->m->arena, "there is no column '%s'", columns[i]));
}

static inline void sim_column(struct sim_text *x, struct pg_table *t, bool has_rows)
{
    struct pg_column c = {.name = sim_name(x), .nullable = true};
    size_t begin = x->t.at, end = begin;
    if (pg_table_column(t, c.name))
        sim_fail(x->s, "the column exists");
    while (x->t.kind != PG_TOKEN_END && !sim_is(x, "generated") && !sim_is(x, "default") && !sim_is(x, "not") &&
           !sim_is(x, ",") && !sim_is(x, ")")) {
        if (sim_is(x, "("))
            sim_parens(x);
        else
            sim_next(x);
        end = x->t.kind == PG_TOKEN_END ? x->len : x->t.at;
    }
    char why[128];
    if (pg_type_parse(&x->s->m->arena, pg_copy(&x->s->m->arena, x->sql + begin, end - begin), &c.type, why) < 0)
        sim_fail(x->s, pg_strdup(&x->s->m->arena, why));
    bool identity = false;
    if (sim_words(x, "generated always as")) {
        if (sim_is(x, "(")) {
            c.generated = sim_printed(x->s, sim_parens(x));
            sim_accept(x, "stored");
        } else
            identity = sim_accept(x, "identity");
    } else if (sim_words(x, "generated by default as identity"))
        identity = true;
    if (sim_accept(x, "default"))
        c.standard = sim_printed(x->s, sim_parens(x));
    identity = sim_words(x, "generated by default as identity") || identity;
    c.identity = identity ? 'd' : 0;
    if (sim_words(x, "not null"))
        c.nullable = false;
    bool nulls = has_rows && !identity && !c.standard.sql && !c.generated.sql;
    if (nulls && !c.nullable)
        sim_fail(x->s, "column contains null values");
    SIM_ADD(x->s, t, columns, ncolumns, c);
    if (nulls)
        sim_set_null(x->s, t, c.name, true);
}

static inline void sim_foreign(struct sim_text *x, struct pg_table *t, const char *name)
{
    struct pg_foreign_key f = {.name = name, .on_delete = PG_NO_ACTION, .on_update = PG_NO_ACTION, .valid = true};
    f.columns = sim_names(x, &f.n);
    sim_must_have(x->s, t, f.columns, f.n);
    if (!sim_accept(x, "references"))
        sim_fail(x->s, "references was expected");
    struct pg_table *to = sim_table(x);
    f.to_schema = to ? to->schema : "";
    f.to_table = to ? to->name : "";
    uint32_t n = 0;
    f.to_columns = sim_names(x, &n);
    if (to)
        sim_must_have(x->s, to, f.to_columns, n);
    while (sim_accept(x, "on")) {
        enum pg_action *action = sim_accept(x, "delete") ? &f.on_delete : (sim_next(x), &f.on_update);
        *action = sim_accept(x, "cascade")      ? PG_CASCADE
                  : sim_accept(x, "restrict")   ? PG_RESTRICT
                  : sim_words(x, "set null")    ? PG_SET_NULL
                  : sim_words(x, "set default") ? PG_SET_DEFAULT
                                                : (sim_fail(x->s, "no action"), PG_NO_ACTION);
    }
    f.deferrable = sim_accept(x, "deferrable");
    f.deferred = sim_words(x, "initially deferred");
    f.valid = !sim_words(x, "not valid");
    SIM_ADD(x->s, t, foreign, nforeign, f);
}

static inline void sim_constraint(struct sim_text *x, struct pg_table *t)
{
    const char *name = sim_name(x);
    bool primary = sim_words(x, "primary key"), unique = !primary && sim_accept(x, "unique");
    char kind;
    uint32_t at;
    if (primary || unique) {
        struct pg_key k = {.name = name};
        if (sim_words(x, "using index")) {
            struct pg_index *i = sim_named(t, sim_name(x), &kind, &at);
            if (!i || kind != 'i' || !i->valid || !i->unique) {
                sim_fail(x->s, "no such unique index");
                return;
            }
            k.n = i->n;
            k.columns = pg_array(&x->s->m->arena, i->n, sizeof(*k.columns));
            for (uint32_t c = 0; c < i->n; c++)
                k.columns[c] = i->parts[c].column;
            sim_drop(t, 'i', at);
        } else
            k.columns = sim_names(x, &k.n);
        sim_must_have(x->s, t, k.columns, k.n);
        if (!sim_is_free(x->s, t, name))
            return;
        if (unique) {
            SIM_ADD(x->s, t, uniques, nuniques, k);
            return;
        }
        if (t->primary)
            sim_fail(x->s, "there is a primary key");
        t->primary = pg_alloc(&x->s->m->arena, sizeof(k));
        *t->primary = k;
        for (uint32_t c = 0; c < k.n; c++) {
            if (sim_has_null(x->s, t, k.columns[c]))
                sim_fail(x->s, "the key has NULLs");
            if (pg_table_column(t, k.columns[c]))
                pg_table_column(t, k.columns[c])->nullable = false;
        }
        return;
    }
    sim_is_free(x->s, t, name);
    if (sim_words(x, "foreign key")) {
        sim_foreign(x, t, name);
        return;
    }
    if (!sim_accept(x, "check"))
        sim_fail(x->s, "unknown constraint");
    struct pg_check c = {.name = name, .expr = sim_printed(x->s, sim_parens(x)), .valid = true};
    c.valid = !sim_words(x, "not valid");
    SIM_ADD(x->s, t, checks, nchecks, c);
}

static inline void sim_rename(struct sim_text *x, struct pg_table *t, const char *from, const char *to)
{
    struct pg_arena *a = &x->s->m->arena;
    struct pg_column *c = pg_table_column(t, from);
    if (!c || pg_table_column(t, to)) {
        sim_fail(x->s, "the column cannot be renamed");
        return;
    }
    if (sim_has_null(x->s, t, from)) {
        sim_set_null(x->s, t, from, false);
        sim_set_null(x->s, t, to, true);
    }
    c->name = to;
#define SIM_REPLACE(names, count)                                                                                      \
    for (uint32_t k = 0; k < (count); k++)                                                                             \
        if ((names)[k] && strcmp((names)[k], from) == 0)                                                               \
    (names)[k] = to
    if (t->primary)
        SIM_REPLACE(t->primary->columns, t->primary->n);
    for (uint32_t i = 0; i < t->nuniques; i++)
        SIM_REPLACE(t->uniques[i].columns, t->uniques[i].n);
    for (uint32_t i = 0; i < t->nforeign; i++)
        SIM_REPLACE(t->foreign[i].columns, t->foreign[i].n);
    for (uint32_t i = 0; i < x->s->m->ntables; i++)
        for (uint32_t j = 0; j < x->s->m->tables[i].nforeign; j++)
            if (strcmp(x->s->m->tables[i].foreign[j].to_table, t->name) == 0)
                SIM_REPLACE(x->s->m->tables[i].foreign[j].to_columns, x->s->m->tables[i].foreign[j].n);
#define SIM_EXPR(e)                                                                                                    \
    do {                                                                                                               \
        const char *now_ = (e).sql ? pg_sql_renamed(a, (e).sql, from, to) : NULL;                                      \
        if (now_ && strcmp(now_, (e).sql) != 0)                                                                        \
            (e) = (struct pg_expr){now_, NULL};                                                                        \
    } while (0)
    for (uint32_t i = 0; i < t->nchecks; i++)
        SIM_EXPR(t->checks[i].expr);
    for (uint32_t i = 0; i < t->ncolumns; i++)
        SIM_EXPR(t->columns[i].generated);
    for (uint32_t i = 0; i < t->nindexes; i++) {
        struct pg_index *ix = &t->indexes[i];
        bool touched = false;
        SIM_REPLACE(ix->included, ix->nincluded);
        for (uint32_t k = 0; k < ix->n; k++) {
            if (ix->parts[k].column && strcmp(ix->parts[k].column, from) == 0) {
                ix->parts[k].column = to;
                touched = true;
            }
            touched = touched || (ix->parts[k].expr.sql &&
                                  strcmp(pg_sql_renamed(a, ix->parts[k].expr.sql, from, to), ix->parts[k].expr.sql));
            SIM_EXPR(ix->parts[k].expr);
        }
        SIM_EXPR(ix->predicate);
        for (uint32_t k = 0; touched && k < ix->n; k++) /* one text of the catalog for all of it */
            ix->parts[k].expr.source = NULL;
        if (touched)
            ix->predicate.source = NULL;
    }
}

static inline void sim_drop_column(struct sim *s, struct pg_table *t, const char *name)
{
    bool found = false;
    for (uint32_t i = 0; i < t->ncolumns; i++)
        if (strcmp(t->columns[i].name, name) == 0) {
            memmove(&t->columns[i], &t->columns[i + 1], (t->ncolumns - i - 1) * sizeof(*t->columns));
            t->ncolumns--;
            found = true;
            break;
        }
    if (!found)
        sim_fail(s, "there is no such column to drop");
    sim_set_null(s, t, name, false);
#define SIM_USES(names, count)                                                                                         \
    for (uint32_t k = 0; k < (count); k++)                                                                             \
    uses = uses || ((names)[k] && strcmp((names)[k], name) == 0)
#define SIM_USES_EXPR(e) uses = uses || ((e).sql && strcmp(pg_sql_renamed(&s->m->arena, (e).sql, name, "~"), (e).sql))
    bool uses = false;
    if (t->primary) {
        SIM_USES(t->primary->columns, t->primary->n);
        t->primary = uses ? NULL : t->primary;
    }
    for (uint32_t i = t->nuniques; i-- > 0;) {
        uses = false;
        SIM_USES(t->uniques[i].columns, t->uniques[i].n);
        if (uses)
            sim_drop(t, 'u', i);
    }
    for (uint32_t i = t->nforeign; i-- > 0;) {
        uses = false;
        SIM_USES(t->foreign[i].columns, t->foreign[i].n);
        if (uses)
            sim_drop(t, 'f', i);
    }
    for (uint32_t i = t->nchecks; i-- > 0;) {
        uses = false;
        SIM_USES_EXPR(t->checks[i].expr);
        if (uses)
            sim_drop(t, 'c', i);
    }
    for (uint32_t i = t->nindexes; i-- > 0;) {
        uses = false;
        SIM_USES(t->indexes[i].included, t->indexes[i].nincluded);
        SIM_USES_EXPR(t->indexes[i].predicate);
        for (uint32_t k = 0; k < t->indexes[i].n; k++) {
            uses = uses || (t->indexes[i].parts[k].column && strcmp(t->indexes[i].parts[k].column, name) == 0);
            SIM_USES_EXPR(t->indexes[i].parts[k].expr);
        }
        if (uses)
            sim_drop(t, 'i', i);
    }
}

/* A valid check that says it. */
static inline bool sim_proven_not_null(struct sim *s, struct pg_table *t, const char *column)
{
    struct pg_text says = {.arena = &s->m->arena};
    pg_puts(&says, "printed(");
    pg_sql_name(&says, column);
    pg_puts(&says, " IS NOT NULL)");
    for (uint32_t i = 0; i < t->nchecks; i++)
        if (t->checks[i].valid && strcmp(t->checks[i].expr.sql, says.data) == 0)
            return true;
    return false;
}

static inline void sim_alter_column(struct sim_text *x, struct pg_table *t)
{
    struct pg_column *c = pg_table_column(t, sim_name(x));
    if (!c) {
        sim_fail(x->s, "there is no such column to alter");
        return;
    }
    if (sim_words(x, "set default"))
        c->standard = sim_printed(x->s, sim_parens(x));
    else if (sim_words(x, "drop default"))
        c->standard = (struct pg_expr){NULL, NULL};
    else if (sim_words(x, "set not null")) {
        if (sim_has_null(x->s, t, c->name) || !sim_proven_not_null(x->s, t, c->name))
            sim_fail(x->s, "SET NOT NULL would scan the table, or fail");
        c->nullable = false;
    } else if (sim_words(x, "drop not null"))
        c->nullable = true;
    else if (sim_words(x, "add generated by default as identity")) {
        if (c->standard.sql || c->nullable || c->identity)
            sim_fail(x->s, "the column cannot be numbered");
        c->identity = 'd';
    } else if (sim_accept(x, "type")) {
        size_t begin = x->t.at, end = x->len;
        while (x->t.kind != PG_TOKEN_END && !sim_is(x, "using"))
            sim_next(x);
        end = x->t.kind == PG_TOKEN_END ? x->len : x->t.at;
        pg_type_parse(&x->s->m->arena, pg_copy(&x->s->m->arena, x->sql + begin, end - begin), &c->type, NULL);
        if (sim_accept(x, "using"))
            sim_parens(x);
        if (c->standard.sql && end != x->len)
            sim_fail(x->s, "the default cannot be cast");
    } else
        sim_fail(x->s, "unknown change of a column");
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
        } else if (sim_words(x, "add column"))
            sim_column(x, t, true);
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

static inline void sim_drop_index(struct sim_text *x)
{
    char kind;
    uint32_t at;
    if (sim_accept(x, "concurrently") != x->s->outside)
        sim_fail(x->s, "CONCURRENTLY and transactions do not go together");
    sim_words(x, "if exists");
    const char *schema = sim_name(x);
    sim_accept(x, ".");
    const char *name = sim_name(x);
    for (uint32_t i = 0; i < x->s->m->ntables; i++)
        if (strcmp(x->s->m->tables[i].schema, schema) == 0 && sim_named(&x->s->m->tables[i], name, &kind, &at) &&
            kind == 'i')
            sim_drop(&x->s->m->tables[i], kind, at);
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
    struct pg_event event = {0, name, 0};
    event.past = strcmp(kind, "dropped") == 0   ? PG_PAST_DROPPED
                 : strcmp(kind, "renamed") == 0 ? PG_PAST_RENAMED
                 : strcmp(kind, "retyped") == 0 ? PG_PAST_RETYPED
                 : strcmp(kind, "step") == 0    ? PG_PAST_STEP
                                                : 0;
    if (event.past) {
        SIM_ADD(x->s, t, events, nevents, event);
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
    else if (sim_words(&x, "update cell . objects") || sim_words(&x, "select setval"))
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
    return true;
}

#endif
