/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The tables of pg_simulate.h: reading statements, and what becomes of columns and constraints. */
#ifndef CELL_TEST_PG_SIMULATE_TABLE_H
#define CELL_TEST_PG_SIMULATE_TABLE_H

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

#endif
