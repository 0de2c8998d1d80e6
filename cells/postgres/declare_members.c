/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Rules on members of structs that are stored as JSON: checks of the column. A member that there is once is a value of
 * SQL (->, ->>); those that are in lists are found by a path of jsonpath, for a check has no subqueries. Strict, since
 * lax paths take lists apart by themselves; all in the filter, where what is not there is unknown and so no error. A
 * member that is missing, or null where it is optional, satisfies every rule, as NULL does in columns.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "declare_parts.h"
#include "pattern.h"
#include "sql.h"
#include "sql_parts.h"
#include "types_parts.h"

#define DEPTH_MAX 32            /* of structs in structs, as values have it */
#define MEMBERS_MAX 10000       /* of a column, at all depths */
#define LENGTH_IN_LIST_MAX 1000 /* of a text: longer expressions take PostgreSQL too long */
#define REPEAT 250              /* PostgreSQL repeats up to 255 times */

/* A struct within the column. */
struct inside {
    struct declaring *s;
    const struct pg_field *f;
    const struct pg_ctype *c;
    const char *name, *label;        /* "address.place", and with _ in names of constraints */
    const char *sql;                 /* the struct: "address" -> 'place'. NULL: there are several */
    const char *open, *here, *close; /* a path to it, for a condition of jsonpath: "strict $ ? (", "@.\"place\"", ")" */
    unsigned depth;
    int32_t *left; /* of MEMBERS_MAX; negative once it was said that there are more */
    pg_members *all;
};

/* A member of it; of a list or an array the condition is of each element. */
struct member {
    struct declaring *s;
    const struct inside *in;
    const char *name, *label;
    const char *json, *text; /* "address" -> 'city', "address" ->> 'city'; NULL: there are several */
    const char *whole;       /* in a path: the list or array itself, where `here` is an element of it */
    const char *open, *here, *close;
    struct pg_ctype c;
    struct pg_place place; /* of the rule that is read */
    const char *args[2];
};

static bool is_several(const struct pg_ctype *c) { return c->list || c->count; }

static const char *column_name(const struct member *m) { return m->s->columns.at[m->in->f->column].name; }

static const char *column_sql(struct declaring *s, const struct pg_field *f, bool as_jsonb)
{
    struct pg_text t = {.arena = s->arena};

    pg_sql_name(&t, s->columns.at[f->column].name);
    if (as_jsonb && f->mapping.type.base == PG_BASE_JSON)
        pg_puts(&t, "::jsonb");
    return t.data;
}

static const char *member_of(struct pg_arena *arena, const char *from, const char *arrow, const char *name)
{
    struct pg_text t = {.arena = arena};

    pg_putf(&t, "%s %s ", from, arrow);
    pg_sql_literal(&t, name);
    return t.data;
}

static void add_check(const struct member *m, const char *sql, const char *end, const char *macro)
{
    struct declaring *s = m->s;
    const char *name = pg_declare_name(s, m->label, end);

    *pg_push(s->arena, &s->checks) =
        (struct pg_check){.name = name,
                          .expr = {.sql = sql},
                          .valid = true,
                          .made = true,
                          .column = column_name(m),
                          .origin = macro ? pg_printf(s->arena, "%s on '%s'", macro, m->name) : NULL};
}

/* A check that there is no value of which `wrong` is true; in it stands $ for the value. The length of a list is one of
 * the list, all else is of its elements. */
static void add_path_check(const struct member *m, const char *wrong, const char *end, const char *macro)
{
    struct pg_text path = {.arena = m->s->arena}, sql = path;
    bool whole = m->c.list && strcmp(end, "length") == 0;
    const char *at = whole ? m->whole : m->here;

    pg_puts(&path, whole ? m->in->open : m->open);
    pg_puts(&path, m->c.optional ? pg_printf(m->s->arena, "%s != null && (", at) : "");
    for (const char *p = wrong; *p; p++)
        if (*p == '$')
            pg_puts(&path, at);
        else
            pg_append(&path, p, 1);
    pg_putf(&path, "%s%s", m->c.optional ? ")" : "", whole ? m->in->close : m->close);
    pg_putf(&sql, "NOT jsonb_path_exists(%s, ", column_sql(m->s, m->in->f, true));
    pg_sql_literal(&sql, path.data);
    pg_puts(&sql, ", '{}', true)");
    add_check(m, sql.data, end, macro);
}

/* `$ like_regex "…"`, in which . is any character, and the expression is that of the operator ~. It has no $ but for
 * its end, which is written as such. */
static void put_regex(struct pg_text *t, const char *regex)
{
    pg_puts(t, "$ like_regex \"");
    for (const char *p = regex; *p; p++) {
        if (*p == '\\' || *p == '"')
            pg_puts(t, "\\");
        if (*p == '$')
            pg_puts(t, "\\u0024");
        else
            pg_append(t, p, 1);
    }
    pg_puts(t, "\" flag \"s\"");
}

/* ---- rules of values ---- */

static void member_range(const struct member *m)
{
    struct pg_arena *arena = m->s->arena;
    const char *low = m->args[0], *high = m->args[1], *limit = pg_printf(arena, "%" PRId64, INT64_MAX);
    bool number = pg_is_integer(m->c.kind) || m->c.kind == PG_C_F32 || m->c.kind == PG_C_F64;

    if (!number || !low || !high || !pg_is_number(low) || !pg_is_number(high))
        pg_mistake(m->s, m->place, "CELL_RANGE takes two numbers, and is for a number");
    else if (m->text && !is_several(&m->c))
        add_check(m, pg_printf(arena, "(%s)::numeric BETWEEN %s AND %s", m->text, low, high), "range", "CELL_RANGE");
    else if (m->c.kind != PG_C_U64 || pg_compare_numbers(high, limit) <= 0)
        add_path_check(m, pg_printf(arena, "$.type() != \"number\" || $ < %s || $ > %s", low, high), "range",
                       "CELL_RANGE");
    else
        pg_mistake(m->s, m->place,
                   "numbers beyond %s are texts in JSON, which CELL_RANGE cannot compare in a list: make '%s' a table "
                   "of its own",
                   limit, m->in->f->name);
}

/* Texts of at least n characters, or of more than n. */
static const char *longer(struct pg_arena *arena, uint64_t n, bool more)
{
    return pg_printf(arena, "^(?:.{%d}){%" PRIu64 "}.{%" PRIu64 "}%s", REPEAT, n / REPEAT, n % REPEAT, more ? "." : "");
}

static void text_length(const struct member *m, const char *low, const char *high)
{
    struct pg_text wrong = {.arena = m->s->arena};
    uint64_t least = 0, most = 0;

    sscanf(low, "%" SCNu64, &least);
    sscanf(high, "%" SCNu64, &most);
    if (least > LENGTH_IN_LIST_MAX || most > LENGTH_IN_LIST_MAX || strlen(high) > 9) {
        pg_mistake(m->s, m->place,
                   "in a list the length of a text is checked up to %d characters: make '%s' a table "
                   "of its own",
                   LENGTH_IN_LIST_MAX, m->in->f->name);
        return;
    }
    pg_puts(&wrong, "$.type() != \"string\" || !(");
    put_regex(&wrong, longer(m->s->arena, least, false));
    pg_puts(&wrong, ") || ");
    put_regex(&wrong, longer(m->s->arena, most, true));
    add_path_check(m, wrong.data, "length", "CELL_LENGTH");
}

static void member_length(const struct member *m)
{
    struct pg_arena *arena = m->s->arena;
    const char *low = m->args[0], *high = m->args[1], *length = NULL;
    bool list = m->c.list, one = m->text && !is_several(&m->c);

    if (!low || !high || strspn(low, "0123456789") < strlen(low) || strspn(high, "0123456789") < strlen(high)) {
        pg_mistake(m->s, m->place, "CELL_LENGTH takes two numbers from 0 on");
        return;
    }
    if (list && m->json)
        length = pg_printf(arena, "%s_array_length(%s)", m->in->f->mapping.type.base == PG_BASE_JSON ? "json" : "jsonb",
                           m->json);
    else if (m->c.kind == PG_C_STR && one)
        length = pg_printf(arena, "char_length(%s)", m->text);
    else if (m->c.kind == PG_C_BYTES && one)
        length = pg_printf(arena, "octet_length(decode(%s, 'base64'))", m->text);
    if (length)
        add_check(m, pg_printf(arena, "%s BETWEEN %s AND %s", length, low, high), "length", "CELL_LENGTH");
    else if (list)
        add_path_check(m, pg_printf(arena, "$.type() != \"array\" || $.size() < %s || $.size() > %s", low, high),
                       "length", "CELL_LENGTH");
    else if (m->c.kind == PG_C_STR)
        text_length(m, low, high);
    else if (m->c.kind == PG_C_BYTES)
        pg_mistake(m->s, m->place, "the length of bytes cannot be checked in a list: make '%s' a table of its own",
                   m->in->f->name);
    else
        pg_mistake(m->s, m->place, "CELL_LENGTH is for texts, bytes and lists");
}

static void member_pattern(const struct member *m)
{
    struct pg_pattern_mistake bad = {0, NULL};
    const char *regex = pg_pattern_translate(m->s->arena, m->args[0] ? m->args[0] : "", &bad);
    struct pg_text sql = {.arena = m->s->arena};

    if (m->c.kind != PG_C_STR)
        pg_mistake(m->s, m->place, "CELL_PATTERN is for a text");
    else if (!regex)
        pg_mistake(m->s, m->place, "the pattern cannot be a check of the table: %s", bad.why);
    else if (m->text && !is_several(&m->c)) {
        pg_putf(&sql, "(%s) COLLATE \"C\" ~ ", m->text);
        pg_sql_literal(&sql, regex);
        add_check(m, sql.data, "pattern", "CELL_PATTERN");
    } else {
        pg_puts(&sql, "$.type() != \"string\" || !(");
        put_regex(&sql, regex);
        pg_puts(&sql, ")");
        add_path_check(m, sql.data, "pattern", "CELL_PATTERN");
    }
}

/* ---- CELL_CHECK ---- */

/* The value of a member of the struct, as SQL has it of a column. */
static const char *member_value(const struct inside *in, const json_t *field, const char *name)
{
    struct pg_arena *arena = in->s->arena;
    const char *type = json_string_value(json_object_get(field, "type"));
    struct pg_mapping mapping;
    struct pg_ctype c;
    char why[256];

    if (pg_ctype_parse(arena, &in->s->types, type ? type : "", &c, why) < 0 ||
        pg_map_field(arena, &in->s->types, &c, NULL, name, &mapping, why) < 0)
        return NULL;
    const char *text = member_of(arena, in->sql, "->>", name);
    if (is_several(&c) || c.kind == PG_C_STRUCT)
        return pg_printf(arena, "(%s)", member_of(arena, in->sql, "->", name));
    if (c.kind == PG_C_BYTES)
        return pg_printf(arena, "decode(%s, 'base64')", text);
    return pg_printf(arena, c.kind == PG_C_STR ? "(%s)" : "(%s)::%s", text, pg_type_name(arena, &mapping.type));
}

static const json_t *member_named(const struct inside *in, const char *name)
{
    for (size_t i = 0; i < json_array_size(in->c->fields); i++) {
        const json_t *field = json_array_get(in->c->fields, i);
        const char *own = json_string_value(json_object_get(field, "name"));
        if (own && strcmp(own, name) == 0)
            return field;
    }
    return NULL;
}

/* What a check names are the members of its struct, and else columns of the table. */
static const char *with_members(const struct inside *in, const char *sql)
{
    struct pg_text out = {.arena = in->s->arena};
    size_t len = strlen(sql), at = 0;
    struct pg_token t = pg_sql_token(sql, len, 0), before = {0};

    for (; t.kind != PG_TOKEN_END; before = t, t = pg_sql_token(sql, len, at)) {
        pg_append(&out, sql + at, t.at - at);
        at = t.at + t.len;
        struct pg_token next = pg_sql_token(sql, len, at);
        bool name = t.kind == PG_TOKEN_NAME || t.kind == PG_TOKEN_QUOTED;
        bool apart = before.len && (pg_token_is(sql, before, ".") || pg_token_is(sql, before, "::"));
        const char *text = name ? pg_token_name(in->s->arena, sql, t) : NULL;
        if (!name || apart || pg_token_is(sql, next, "(") || pg_token_is(sql, next, ".") ||
            (t.kind == PG_TOKEN_NAME && pg_sql_is_keyword(text)))
            text = NULL;
        const json_t *field = text ? member_named(in, text) : NULL;
        const char *value = field ? member_value(in, field, text) : NULL;
        if (value)
            pg_puts(&out, value);
        else
            pg_append(&out, sql + t.at, t.len);
    }
    return out.data;
}

static void member_check(const struct member *m)
{
    if (!m->in->sql)
        pg_mistake(m->s, m->place,
                   "a check of PostgreSQL cannot look at each of a list: CELL_RANGE, CELL_LENGTH and CELL_PATTERN can, "
                   "or make '%s' a table of its own",
                   m->in->f->name);
    else if (pg_declare_sql(m->s, m->args[0], "CELL_CHECK", m->place))
        add_check(m, with_members(m->in, m->args[0]), "check", NULL);
}

/* ---- which rule it is ---- */

/* The value in an expression of an index, as it stands in a literal of C. */
static const char *index_part(const struct member *m)
{
    const char *column = column_name(m);
    struct pg_text t = {.arena = m->s->arena};

    if (pg_sql_is_plain(column))
        return pg_printf(t.arena, "(%s%s)", column, m->text + strlen(column) + 2);
    for (const char *p = m->text; *p; p++)
        pg_putf(&t, *p == '"' || *p == '\\' ? "\\%c" : "%c", *p);
    return pg_printf(t.arena, "(%s)", t.data);
}

/* What can be done in place of a rule that is for columns. */
static const char *instead_of(const struct member *m, const char *rule)
{
    struct pg_arena *arena = m->s->arena;
    const char *field = m->in->f->name;
    bool unique = strcmp(rule, "unique") == 0, index = strcmp(rule, "index") == 0;

    if (m->text && (unique || index))
        return pg_printf(arena, "%s(\"%s\") before the name of the table's struct makes the index",
                         unique ? "CELL_UNIQUE_INDEX" : "CELL_INDEX", index_part(m));
    if (index)
        return pg_printf(arena, "CELL_INDEXED_BY(\"gin\") on '%s' makes an index of all that is in it", field);
    if (strcmp(rule, "column") == 0)
        return "a member is stored under its own name";
    if (strcmp(rule, "sql_type") == 0)
        return pg_printf(arena, "what is in JSON has no type of SQL, '%s' as a whole has", field);
    if (strcmp(rule, "default") == 0 || strcmp(rule, "backfill") == 0 || strcmp(rule, "replaces") == 0)
        return pg_printf(arena, "'%s' as a whole can have it", field);
    return m->text ? "make it a field of the table's own struct"
                   : pg_printf(arena, "make '%s' a table of its own", field);
}

static void read_rule(struct member *m, const json_t *rule)
{
    static const struct {
        const char *rule, *macro;
    } columns[] = {{"key", "CELL_KEY"},
                   {"auto", "CELL_AUTO"},
                   {"unique", "CELL_UNIQUE"},
                   {"index", "CELL_INDEXED"},
                   {"references", "CELL_REFERENCES"},
                   {"default", "CELL_DEFAULT"},
                   {"column", "CELL_COLUMN"},
                   {"sql_type", "CELL_SQL_TYPE"},
                   {"generated", "CELL_GENERATED"},
                   {"backfill", "CELL_BACKFILL"},
                   {"replaces", "CELL_REPLACES"}};
    const char *name = pg_rule_name(rule);

    m->args[0] = pg_rule_arg(m->s->arena, rule, 0);
    m->args[1] = pg_rule_arg(m->s->arena, rule, 1);
    if (strcmp(name, "range") == 0)
        member_range(m);
    else if (strcmp(name, "length") == 0)
        member_length(m);
    else if (strcmp(name, "pattern") == 0)
        member_pattern(m);
    else if (m->in->c->annotated) /* what else is there is for the table that the struct is itself */
        return;
    else if (strcmp(name, "check") == 0)
        member_check(m);
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
        if (strcmp(columns[i].rule, name) == 0)
            pg_mistake(m->s, m->place, "%s is for columns, and '%s' is within one: %s", columns[i].macro, m->name,
                       instead_of(m, name));
}

static void read_members(const struct inside *in);

static void note_member(const struct inside *in, const struct member *m)
{
    bool whole = !in->sql || in->f->mapping.type.base == PG_BASE_JSON;
    const char *how = m->c.optional ? "opt:" : m->c.list ? "list:" : m->c.count ? "array:" : "";

    *pg_push(in->s->arena, in->all) =
        (struct pg_member){m->name + strlen(in->f->name) + 1,
                           pg_printf(in->s->arena, "%s%s%s", whole ? "*" : "", how, pg_ckind_name(m->c.kind))};
}

static void read_member(const struct inside *in, const json_t *field, const char *name)
{
    struct pg_arena *arena = in->s->arena;
    const char *type = json_string_value(json_object_get(field, "type"));
    const json_t *rules = json_object_get(field, "rules");
    const char *path = pg_printf(arena, "%s.\"%s\"", in->here, name);
    struct member m = {.s = in->s, .in = in, .whole = path, .open = in->open, .here = path, .close = in->close};

    m.name = pg_printf(arena, "%s.%s", in->name, name);
    m.label = pg_printf(arena, "%s_%s", in->label, name);
    if (pg_ctype_parse(arena, &in->s->types, type ? type : "", &m.c, (char[256]){0}) < 0)
        return;
    note_member(in, &m);
    if (in->sql) {
        m.json = member_of(arena, in->sql, "->", name);
        m.text = member_of(arena, in->sql, "->>", name);
    }
    struct inside next = {.s = in->s, .f = in->f, .c = &m.c, .name = m.name, .label = m.label, .sql = m.json};
    if (is_several(&m.c)) {
        m.open = pg_printf(arena, "%sexists (%s[*] ? (", in->open, path);
        m.here = "@";
        m.close = pg_printf(arena, "))%s", in->close);
        next.sql = NULL;
    }
    for (size_t i = 0; i < json_array_size(rules); i++) {
        m.place = (struct pg_place){m.name, (int)i, -1};
        read_rule(&m, json_array_get(rules, i));
    }
    next.open = m.open;
    next.here = m.here;
    next.close = m.close;
    next.depth = in->depth + 1;
    next.left = in->left;
    next.all = in->all;
    if (m.c.kind == PG_C_STRUCT)
        read_members(&next);
}

static void read_members(const struct inside *in)
{
    size_t n = json_array_size(in->c->fields);

    if (*in->left < 0)
        return;
    if (in->depth > DEPTH_MAX || n > (size_t)*in->left) {
        pg_mistake(in->s, ((struct pg_place){in->f->name, -1, -1}),
                   "a column has at most %d members, in structs of at most %d levels", MEMBERS_MAX, DEPTH_MAX);
        *in->left = -1;
        return;
    }
    *in->left -= (int32_t)n;
    for (size_t i = 0; i < n; i++) {
        const json_t *field = json_array_get(in->c->fields, i);
        const char *name = json_string_value(json_object_get(field, "name"));
        if (name)
            read_member(in, field, pg_strdup(in->s->arena, name));
    }
}

void pg_declare_members(struct declaring *s, struct pg_field *f)
{
    int32_t left = MEMBERS_MAX;
    pg_members all = {0};
    bool several = is_several(&f->c);
    struct inside in = {
        .s = s, .f = f, .c = &f->c, .name = f->name, .here = "@", .close = ")", .left = &left, .all = &all};

    if (f->mapping.codec != PG_CODEC_JSON_STRUCT)
        return;
    in.label = s->columns.at[f->column].name;
    in.sql = several ? NULL : column_sql(s, f, false);
    in.open = several ? "strict $[*] ? (" : "strict $ ? (";
    *pg_push(s->arena, &all) = (struct pg_member){"", f->c.list    ? "list:struct"
                                                      : f->c.count ? "array:struct"
                                                                   : "struct"};
    read_members(&in);
    f->members = all.at;
    f->nmembers = all.n;
}
