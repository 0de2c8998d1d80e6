/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Rules on the declaration: indexes, keys, checks, consents, steps. */
#include <stdio.h>
#include <string.h>

#include <cell/errors.h>

#include "declare_parts.h"
#include "sql.h"
#include "sql_parts.h"

struct rule {
    struct declaring *s;
    const char *macro;
    const char *args[3]; /* NULL = not given, or empty */
    struct pg_place place;
};

static struct pg_place at_arg(const struct rule *r, int argument)
{
    struct pg_place place = r->place;

    place.argument = argument;
    return place;
}

static bool is_name(struct pg_token t) { return t.kind == PG_TOKEN_NAME || t.kind == PG_TOKEN_QUOTED; }

/* The one name that the tokens are, in any number of parentheses: PostgreSQL takes that for the column. NULL = more. */
static const struct pg_token *bare_name(const char *text, const struct pg_token *t, uint32_t n)
{
    uint32_t k = 0;

    while (n > 2 * k + 1 && pg_token_is(text, t[k], "(") && pg_token_is(text, t[n - 1 - k], ")"))
        k++;
    return n == 2 * k + 1 && is_name(t[k]) ? &t[k] : NULL;
}

/* One part of an index: a column or an expression, an operator class, ASC or DESC, NULLS FIRST or LAST. */
static bool read_part(const struct rule *r, const char *text, struct pg_index_part *part)
{
    struct declaring *s = r->s;
    size_t len = strlen(text), at = 0;
    PG_LIST(struct pg_token) tokens = {0};

    for (struct pg_token t = pg_sql_token(text, len, at); t.kind != PG_TOKEN_END; t = pg_sql_token(text, len, at)) {
        *pg_push(s->arena, &tokens) = t;
        at = t.at + t.len;
    }
    struct pg_token *t = tokens.at;
    uint32_t n = tokens.n;
    bool first = n > 2 && pg_token_is(text, t[n - 1], "first"), last = n > 2 && pg_token_is(text, t[n - 1], "last");
    bool nulls = (first || last) && pg_token_is(text, t[n - 2], "nulls");
    n -= nulls ? 2 : 0;
    if (n > 1 && (pg_token_is(text, t[n - 1], "desc") || pg_token_is(text, t[n - 1], "asc"))) {
        part->descending = pg_token_is(text, t[n - 1], "desc");
        n--;
    }
    part->nulls_first = nulls ? first : part->descending;
    bool word = is_name(t[n - 1]), plain = is_name(t[0]);
    if (n == 3 && plain && pg_token_is(text, t[1], "collate")) {
        pg_mistake(s, at_arg(r, 0), "an index with a collation of its own is made by hand: CELL_STEP");
        return false;
    }
    /* a word behind a column or behind a closing parenthesis is an operator class */
    if (word && n > 1 && ((n == 2 && plain) || pg_token_is(text, t[n - 2], ")"))) {
        part->opclass = pg_token_name(s->arena, text, t[n - 1]);
        n--;
    }
    const struct pg_token *name = bare_name(text, t, n);
    if (name) {
        part->column = pg_token_name(s->arena, text, *name);
        pg_declare_named(s, part->column, at_arg(r, 0));
        return true;
    }
    part->expr.sql = pg_copy(s->arena, text, t[n - 1].at + t[n - 1].len);
    return pg_declare_sql(s, part->expr.sql, r->macro, at_arg(r, 0));
}

/* "include (a, b) where active": both may be left out, as may the word `where`. */
static bool read_condition(const struct rule *r, const char *text, struct pg_index *x)
{
    struct declaring *s = r->s;
    size_t len = strlen(text);
    struct pg_token t = pg_sql_token(text, len, 0);

    if (pg_token_is(text, t, "include")) {
        struct pg_token open = pg_sql_token(text, len, t.at + t.len), close = open;
        while (close.kind != PG_TOKEN_END && !pg_token_is(text, close, ")"))
            close = pg_sql_token(text, len, close.at + close.len);
        if (!pg_token_is(text, open, "(") || close.kind == PG_TOKEN_END) {
            pg_mistake(s, at_arg(r, 1), "'include' is followed by columns in parentheses");
            return false;
        }
        const char *list = pg_copy(s->arena, text + open.at + 1, close.at - open.at - 1);
        x->nincluded = pg_declare_columns(s, list, &x->included, at_arg(r, 1));
        if (!x->nincluded)
            return false;
        t = pg_sql_token(text, len, close.at + 1);
        if (t.kind == PG_TOKEN_END)
            return true;
    }
    if (pg_token_is(text, t, "where"))
        t = pg_sql_token(text, len, t.at + t.len);
    if (pg_token_is(text, t, "true") && pg_sql_token(text, len, t.at + t.len).kind == PG_TOKEN_END)
        return true; /* as PostgreSQL has it */
    x->predicate.sql = pg_strdup(s->arena, text + t.at);
    return pg_declare_sql(s, x->predicate.sql, r->macro, at_arg(r, 1));
}

/* "name_email", for the index's name. */
static const char *columns_text(struct declaring *s, const struct pg_index *x)
{
    struct pg_text t = {.arena = s->arena};

    for (uint32_t i = 0; i < x->n; i++)
        pg_putf(&t, "%s%s", i ? "_" : "", x->parts[i].column ? x->parts[i].column : "expr");
    return t.data;
}

static void rule_index(const struct rule *r, bool unique)
{
    struct declaring *s = r->s;
    struct pg_token parts[PG_INDEX_PARTS_MAX];
    struct pg_index x = {.method = r->args[2] ? r->args[2] : "btree",
                         .unique = unique,
                         .valid = true,
                         .made = true,
                         .written = pg_printf(s->arena, "%s(\"%s\")", r->macro, r->args[0] ? r->args[0] : "")};
    char why[128];
    size_t at = 0;

    if (!r->args[0] || pg_sql_parts(r->args[0], parts, PG_INDEX_PARTS_MAX, &x.n, why, &at) < 0) {
        struct pg_diagnostic *d =
            pg_mistake(s, at_arg(r, 0), "%s needs columns: %s", r->macro, r->args[0] ? why : "it has none");
        d->at = (int64_t)at;
        return;
    }
    x.parts = pg_array(s->arena, x.n, sizeof(*x.parts));
    for (uint32_t i = 0; i < x.n; i++)
        if (!read_part(r, pg_copy(s->arena, r->args[0] + parts[i].at, parts[i].len), &x.parts[i]))
            return;
    if (r->args[1] && !read_condition(r, r->args[1], &x))
        return;
    if (!pg_name_fits(x.method) || (unique && strcmp(x.method, "btree") != 0)) {
        pg_mistake(s, at_arg(r, 2), unique ? "a unique index is a btree, not '%s'" : "'%s' is no index method",
                   x.method);
        return;
    }
    for (uint32_t i = 0; i < s->indexes.n; i++)
        if (pg_index_equal(&s->indexes.at[i], &x)) {
            pg_mistake(s, at_arg(r, 0), "%s has no effect: index '%s' is the same", r->macro, s->indexes.at[i].name);
            return;
        }
    x.name = pg_declare_name(s, columns_text(s, &x), unique ? "key" : "idx");
    *pg_push(s->arena, &s->indexes) = x;
}

static void rule_primary_key(const struct rule *r)
{
    struct declaring *s = r->s;
    struct pg_table *t = &s->d->table;
    struct pg_key key = {.made = true};

    if (t->primary) {
        pg_mistake(s, r->place, "the table has a key already: CELL_PRIMARY_KEY contradicts CELL_KEY%s",
                   s->key.n ? "" : ", or stands twice");
        return;
    }
    key.n = pg_declare_columns(s, r->args[0], &key.columns, at_arg(r, 0));
    for (uint32_t i = 0; i < key.n; i++)
        for (uint32_t k = 0; k < s->columns.n; k++) {
            if (strcmp(s->columns.at[k].name, key.columns[i]) != 0)
                continue;
            s->fields.at[k].key = true;
            if (s->columns.at[k].nullable)
                pg_mistake(s, at_arg(r, 0), "a key is never NULL: field '%s' cannot be optional", s->fields.at[k].name);
        }
    if (key.n == 0)
        return;
    pg_declare_outer_use(s, r->place.rule, PG_OUTER_IN_KEY);
    key.name = pg_declare_name(s, NULL, "pkey");
    t->primary = pg_alloc(s->arena, sizeof(*t->primary));
    *t->primary = key;
}

/* The first `word` of a text at or behind `from`; its length when there is none. What is in quotes does not count. */
static size_t find_token(const char *text, size_t from, const char *word)
{
    size_t len = strlen(text);
    struct pg_token t = pg_sql_token(text, len, from);

    while (t.kind != PG_TOKEN_END && !pg_token_is(text, t, word))
        t = pg_sql_token(text, len, t.at + (t.len ? t.len : 1));
    return t.kind == PG_TOKEN_END ? len : t.at;
}

/* "team, name" between the parentheses: names of columns of the other table, which only the database knows. NULL with a
 * diagnostic when they are not `n`. */
static const char **referred_columns(const struct rule *r, const char *list, uint32_t n)
{
    struct declaring *s = r->s;
    struct pg_token parts[PG_INDEX_PARTS_MAX];
    uint32_t nto = 0;

    if (pg_sql_parts(list, parts, PG_INDEX_PARTS_MAX, &nto, (char[128]){0}, NULL) < 0)
        nto = 0;
    const char **to = pg_array(s->arena, nto + 1, sizeof(*to));
    for (uint32_t i = 0; i < nto; i++) {
        struct pg_token t = pg_sql_token(list, strlen(list), parts[i].at);
        to[i] = pg_token_name(s->arena, list, t);
    }
    if (nto == n)
        return to;
    pg_mistake(s, at_arg(r, 1), "%u column%s refer to %u", n, n == 1 ? "" : "s", nto);
    return NULL;
}

/* "roles(team, name) on delete cascade" */
static void rule_foreign_key(const struct rule *r)
{
    struct declaring *s = r->s;
    const char *text = r->args[1], **columns, **to = NULL;
    uint32_t n = pg_declare_columns(s, r->args[0], &columns, at_arg(r, 0));

    if (!n)
        return;
    if (!text) {
        pg_mistake(s, at_arg(r, 1), "CELL_FOREIGN_KEY needs a table");
        return;
    }
    size_t open = find_token(text, 0, "("), close = find_token(text, open, ")");
    if (text[open] && !text[close]) {
        pg_mistake(s, at_arg(r, 1), "a '(' has no ')'");
        return;
    }
    const char *behind = text[open] ? text + close + 1 : "", *table = pg_copy(s->arena, text, open);
    if (text[open]) {
        to = referred_columns(r, pg_copy(s->arena, text + open + 1, close - open - 1), n);
        if (!to)
            return;
    } else {
        /* without columns the actions follow the name */
        struct pg_token t = pg_sql_token(text, open, 0);
        size_t end = t.at + t.len;
        for (t = pg_sql_token(text, open, end); pg_token_is(text, t, "."); t = pg_sql_token(text, open, end)) {
            t = pg_sql_token(text, open, t.at + t.len);
            end = t.at + t.len;
        }
        table = pg_copy(s->arena, text, end);
        behind = pg_strdup(s->arena, text + end);
    }
    pg_declare_foreign(s, columns, n, table, to, behind, at_arg(r, 1));
}

static void rule_consent(const struct rule *r, enum pg_consent_kind kind)
{
    struct declaring *s = r->s;
    const char *name = r->args[0];

    if (!name || !pg_name_fits(name)) {
        pg_mistake(s, r->place, "%s needs the name of a column", r->macro);
        return;
    }
    bool there = false;
    for (uint32_t i = 0; i < s->columns.n; i++)
        there = there || strcmp(s->columns.at[i].name, name) == 0;
    if (kind == PG_CONSENT_DROPPED && there)
        pg_mistake(s, at_arg(r, 0), "CELL_DROPPED(\"%s\") contradicts the field that is this column", name);
    else if (r->args[1] && !pg_name_fits(r->args[1]))
        pg_mistake(s, at_arg(r, 1), "the text that tells a consent from an earlier one has at most 63 bytes");
    else {
        if (kind == PG_CONSENT_RETYPED) {
            pg_declare_named(s, name, at_arg(r, 0));
            pg_declare_outer_use(s, r->place.rule, PG_OUTER_RETYPED);
        }
        *pg_push(s->arena, &s->consents) = (struct pg_consent){kind, name, r->args[1], r->place.rule};
    }
}

static void rule_step(const struct rule *r)
{
    struct declaring *s = r->s;
    struct pg_hand_step step = {.name = r->args[0], .rule = r->place.rule};
    char why[128] = "it is empty";
    size_t at = 0;

    if (!step.name || !pg_name_fits(step.name)) {
        pg_mistake(s, at_arg(r, 0), "a step needs a name of at most 63 bytes, by which it is known that it was done");
        return;
    }
    for (uint32_t i = 0; i < s->steps.n; i++)
        if (strcmp(s->steps.at[i].name, step.name) == 0) {
            pg_mistake(s, at_arg(r, 0), "there are two steps of the name '%s'", step.name);
            return;
        }
    if (!r->args[1] || pg_sql_split(s->arena, r->args[1], &step.statements, &step.n, why, &at) < 0) {
        struct pg_diagnostic *d = pg_mistake(s, at_arg(r, 1), "the SQL of step '%s' is refused: %s", step.name, why);
        d->at = (int64_t)at;
        d->length = 0;
        return;
    }
    *pg_push(s->arena, &s->steps) = step;
}

static void rule_renamed(const struct rule *r)
{
    struct pg_declared *d = r->s->d;

    if (!r->args[0] || !pg_name_fits(r->args[0]))
        pg_mistake(r->s, at_arg(r, 0), "CELL_TABLE_RENAMED_FROM needs the former name");
    else if (strchr(r->args[0], '.'))
        pg_mistake(r->s, at_arg(r, 0), "a former name is one in the same schema, and is written without it");
    else if (strcmp(r->args[0], d->table.name) == 0)
        pg_mistake(r->s, at_arg(r, 0), "CELL_TABLE_RENAMED_FROM(\"%s\") has no effect: that is its name", r->args[0]);
    else if (d->renamed_from)
        pg_mistake(r->s, r->place, "CELL_TABLE_RENAMED_FROM stands twice");
    else {
        d->renamed_from = r->args[0];
        d->renamed_rule = r->place.rule;
    }
}

static void rule_schema(const struct rule *r)
{
    if (!r->args[0] || !pg_name_fits(r->args[0]))
        pg_mistake(r->s, at_arg(r, 0), "CELL_SCHEMA needs a name of at most 63 bytes");
    else if (strcmp(r->args[0], r->s->d->table.schema) != 0)
        pg_mistake(r->s, r->place, "CELL_SCHEMA stands twice");
}

static void rule_check(const struct rule *r)
{
    if (pg_declare_sql(r->s, r->args[0], r->macro, at_arg(r, 0)))
        pg_declare_check(r->s, r->args[0], NULL, "check", NULL,
                         pg_printf(r->s->arena, "%s(\"%s\")", r->macro, r->args[0]));
}

static void run_rule(const struct rule *r, const char *name)
{
    if (strcmp(name, "index") == 0 || strcmp(name, "unique_index") == 0)
        rule_index(r, name[0] == 'u');
    else if (strcmp(name, "primary_key") == 0)
        rule_primary_key(r);
    else if (strcmp(name, "foreign_key") == 0)
        rule_foreign_key(r);
    else if (strcmp(name, "check") == 0)
        rule_check(r);
    else if (strcmp(name, "dropped") == 0)
        rule_consent(r, PG_CONSENT_DROPPED);
    else if (strcmp(name, "retyped") == 0)
        rule_consent(r, PG_CONSENT_RETYPED);
    else if (strcmp(name, "step") == 0)
        rule_step(r);
    else if (strcmp(name, "table_renamed_from") == 0)
        rule_renamed(r);
    else
        rule_schema(r);
}

void pg_declare_rule(struct declaring *s, const json_t *rule, int position)
{
    static const char *const names[] = {"index",   "unique_index", "primary_key", "foreign_key",        "check",
                                        "dropped", "retyped",      "step",        "table_renamed_from", "schema"};
    static const char *const macros[] = {
        "CELL_INDEX",   "CELL_UNIQUE_INDEX", "CELL_PRIMARY_KEY", "CELL_FOREIGN_KEY",        "CELL_TABLE_CHECK",
        "CELL_DROPPED", "CELL_RETYPED",      "CELL_STEP",        "CELL_TABLE_RENAMED_FROM", "CELL_SCHEMA"};
    const char *name = json_string_value(json_object_get(rule, "rule"));
    struct rule r = {.s = s, .place = {NULL, position, -1}};

    name = name ? name : "";
    for (uint32_t i = 0; i < 3; i++)
        r.args[i] = pg_rule_arg(s->arena, rule, i);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) != 0)
            continue;
        r.macro = macros[i];
        if (!s->d->owned && strcmp(name, "schema") != 0)
            pg_mistake(s, r.place, "%s has no effect here: CELL_ROWS only reads the table; its owner declares this",
                       r.macro);
        else
            run_rule(&r, name);
        return;
    }
    const char *near = pg_suggest(name, names, sizeof(names) / sizeof(names[0]));
    pg_mistake(s, r.place, near ? "unknown rule '%s'; did you mean '%s'?" : "unknown rule '%s'", name, near);
}
