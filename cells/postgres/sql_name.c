/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Names and literals. */
#include <stdlib.h>
#include <string.h>

#include "sql.h"
#include "sql_parts.h"

/* Sorted. Of pg_get_keywords() all but those of category U, of PostgreSQL 13 to 17 together: an unquoted name of a
 * type, a column or a function must be none of them. */
static const char *const keywords[] = {"all",
                                       "analyse",
                                       "analyze",
                                       "and",
                                       "any",
                                       "array",
                                       "as",
                                       "asc",
                                       "asymmetric",
                                       "authorization",
                                       "between",
                                       "bigint",
                                       "binary",
                                       "bit",
                                       "boolean",
                                       "both",
                                       "case",
                                       "cast",
                                       "char",
                                       "character",
                                       "check",
                                       "coalesce",
                                       "collate",
                                       "collation",
                                       "column",
                                       "concurrently",
                                       "constraint",
                                       "create",
                                       "cross",
                                       "current_catalog",
                                       "current_date",
                                       "current_role",
                                       "current_schema",
                                       "current_time",
                                       "current_timestamp",
                                       "current_user",
                                       "dec",
                                       "decimal",
                                       "default",
                                       "deferrable",
                                       "desc",
                                       "distinct",
                                       "do",
                                       "else",
                                       "end",
                                       "except",
                                       "exists",
                                       "extract",
                                       "false",
                                       "fetch",
                                       "float",
                                       "for",
                                       "foreign",
                                       "freeze",
                                       "from",
                                       "full",
                                       "grant",
                                       "greatest",
                                       "group",
                                       "grouping",
                                       "having",
                                       "ilike",
                                       "in",
                                       "initially",
                                       "inner",
                                       "inout",
                                       "int",
                                       "integer",
                                       "intersect",
                                       "interval",
                                       "into",
                                       "is",
                                       "isnull",
                                       "join",
                                       "json",
                                       "json_array",
                                       "json_arrayagg",
                                       "json_exists",
                                       "json_object",
                                       "json_objectagg",
                                       "json_query",
                                       "json_scalar",
                                       "json_serialize",
                                       "json_table",
                                       "json_value",
                                       "lateral",
                                       "leading",
                                       "least",
                                       "left",
                                       "like",
                                       "limit",
                                       "localtime",
                                       "localtimestamp",
                                       "merge_action",
                                       "national",
                                       "natural",
                                       "nchar",
                                       "none",
                                       "normalize",
                                       "not",
                                       "notnull",
                                       "null",
                                       "nullif",
                                       "numeric",
                                       "offset",
                                       "on",
                                       "only",
                                       "or",
                                       "order",
                                       "out",
                                       "outer",
                                       "overlaps",
                                       "overlay",
                                       "placing",
                                       "position",
                                       "precision",
                                       "primary",
                                       "real",
                                       "references",
                                       "returning",
                                       "right",
                                       "row",
                                       "select",
                                       "session_user",
                                       "setof",
                                       "similar",
                                       "smallint",
                                       "some",
                                       "substring",
                                       "symmetric",
                                       "system_user",
                                       "table",
                                       "tablesample",
                                       "then",
                                       "time",
                                       "timestamp",
                                       "to",
                                       "trailing",
                                       "treat",
                                       "trim",
                                       "true",
                                       "union",
                                       "unique",
                                       "user",
                                       "using",
                                       "values",
                                       "varchar",
                                       "variadic",
                                       "verbose",
                                       "when",
                                       "where",
                                       "window",
                                       "with",
                                       "xmlattributes",
                                       "xmlconcat",
                                       "xmlelement",
                                       "xmlexists",
                                       "xmlforest",
                                       "xmlnamespaces",
                                       "xmlparse",
                                       "xmlpi",
                                       "xmlroot",
                                       "xmlserialize",
                                       "xmltable"};

static int compare(const void *a, const void *b) { return strcmp(a, *(const char *const *)b); }

bool pg_sql_is_keyword(const char *name)
{
    return bsearch(name, keywords, sizeof(keywords) / sizeof(keywords[0]), sizeof(keywords[0]), compare) != NULL;
}

bool pg_sql_is_plain(const char *name)
{
    if (!((name[0] >= 'a' && name[0] <= 'z') || name[0] == '_'))
        return false;
    for (const char *p = name; *p; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_'))
            return false;
    return !pg_sql_is_keyword(name);
}

/* The character at *p doubled wherever it stands in the text. */
static void put_doubled(struct pg_text *t, const char *text, char special)
{
    for (const char *p = text;;) {
        const char *next = strchr(p, special);
        if (!next) {
            pg_puts(t, p);
            return;
        }
        pg_append(t, p, (size_t)(next - p) + 1);
        pg_append(t, next, 1);
        p = next + 1;
    }
}

void pg_sql_name(struct pg_text *t, const char *name)
{
    pg_puts(t, "\"");
    put_doubled(t, name, '"');
    pg_puts(t, "\"");
}

void pg_sql_qualified(struct pg_text *t, const char *schema, const char *name)
{
    if (schema) {
        pg_sql_name(t, schema);
        pg_puts(t, ".");
    }
    pg_sql_name(t, name);
}

void pg_sql_names(struct pg_text *t, const char *const *names, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        pg_puts(t, i ? ", " : "");
        pg_sql_name(t, names[i]);
    }
}

void pg_sql_literal(struct pg_text *t, const char *text)
{
    if (!text) {
        pg_puts(t, "NULL");
        return;
    }
    if (!strchr(text, '\\')) {
        pg_puts(t, "'");
        put_doubled(t, text, '\'');
        pg_puts(t, "'");
        return;
    }
    /* E'…' means the same whatever standard_conforming_strings is. */
    pg_puts(t, "E'");
    for (const char *p = text; *p; p++) {
        if (*p == '\'' || *p == '\\')
            pg_append(t, p, 1);
        pg_append(t, p, 1);
    }
    pg_puts(t, "'");
}

bool pg_name_fits(const char *name) { return name[0] != '\0' && strlen(name) <= PG_NAME_MAX; }

/* Not within a UTF-8 character. */
static size_t cut(const char *text, size_t len)
{
    while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    return len;
}

const char *pg_made_name(struct pg_arena *arena, const char *table, const char *column, const char *end)
{
    const char *whole =
        pg_printf(arena, "%s%s%s%s%s", table, column ? "_" : "", column ? column : "", end ? "_" : "", end ? end : "");
    size_t len = whole ? strlen(whole) : 0, tail = end ? strlen(end) + 1 : 0;

    if (len <= PG_NAME_MAX)
        return whole;
    char hex[33];
    pg_hash(whole, len, hex);
    tail = tail <= 20 ? tail : 20;
    size_t head = cut(whole, PG_NAME_MAX - 9 - tail);
    return pg_printf(arena, "%.*s_%.8s%.*s", (int)head, whole, hex, (int)tail, whole + len - tail);
}

const char *pg_relation_name(struct pg_arena *arena, const struct pg_table *table, const char *name, uint32_t i)
{
    char hex[33];

    if (i + 1 < PG_RELATION_NAMES)
        return i ? pg_made_name(arena, name, NULL, pg_printf(arena, "%u", i + 1)) : name;
    const char *whole = pg_printf(arena, "%s.%s.%s.%u", table->schema, table->name, name, i);
    if (!whole)
        return NULL;
    pg_hash(whole, strlen(whole), hex);
    return pg_made_name(arena, name, NULL, pg_printf(arena, "%.8s", hex));
}

const char *pg_token_name(struct pg_arena *arena, const char *sql, struct pg_token t)
{
    struct pg_text name = {.arena = arena};
    const char *s = sql + t.at;

    pg_puts(&name, "");
    if (t.kind == PG_TOKEN_QUOTED && s[0] == '"') {
        for (size_t i = 1; i + 1 < t.len; i++) {
            pg_append(&name, s + i, 1);
            i += s[i] == '"';
        }
    } else
        for (size_t i = 0; i < t.len; i++) { /* a name in U&"…" stays as it is written, and so is like no other */
            char c = s[i] >= 'A' && s[i] <= 'Z' ? (char)(s[i] - 'A' + 'a') : s[i];
            pg_append(&name, &c, 1);
        }
    return name.data;
}

const char *pg_sql_renamed(struct pg_arena *arena, const char *sql, const char *from, const char *to)
{
    struct pg_text text = {.arena = arena};
    size_t len = strlen(sql), at = 0;

    for (;;) {
        struct pg_token t = pg_sql_token(sql, len, at);
        pg_append(&text, sql + at, t.at - at);
        if (t.kind == PG_TOKEN_END)
            return text.data;
        at = t.at + t.len;
        bool name = t.kind == PG_TOKEN_NAME || t.kind == PG_TOKEN_QUOTED;
        struct pg_token next = pg_sql_token(sql, len, at);
        if (name && !pg_token_is(sql, next, "(") && strcmp(pg_token_name(arena, sql, t), from) == 0)
            pg_sql_name(&text, to);
        else
            pg_append(&text, sql + t.at, t.len);
    }
}

static bool is_called(struct pg_arena *arena, const char *sql, struct pg_token t, const char *name)
{
    return (t.kind == PG_TOKEN_NAME || t.kind == PG_TOKEN_QUOTED) && strcmp(pg_token_name(arena, sql, t), name) == 0;
}

static struct pg_token behind(const char *sql, struct pg_token t)
{
    return pg_sql_token(sql, strlen(sql), t.at + t.len);
}

const char *pg_sql_without_schema(struct pg_arena *arena, const char *sql, const char *schema, const char *table)
{
    struct pg_text text = {.arena = arena};
    size_t at = 0;

    for (struct pg_token t = pg_sql_token(sql, strlen(sql), 0); t.kind != PG_TOKEN_END; t = behind(sql, t)) {
        struct pg_token dot = behind(sql, t), name = behind(sql, dot), end = behind(sql, name);
        bool is_table = is_called(arena, sql, t, schema) && pg_token_is(sql, dot, ".") &&
                        is_called(arena, sql, name, table) && pg_token_is(sql, end, ".");
        if (!is_table)
            continue;
        pg_append(&text, sql + at, t.at - at);
        at = name.at;
        t = dot;
    }
    pg_puts(&text, sql + at);
    return text.data;
}

bool pg_sql_names_row(struct pg_arena *arena, const char *sql, const char *table)
{
    bool qualified = false, found = false;

    for (struct pg_token t = pg_sql_token(sql, strlen(sql), 0); t.kind != PG_TOKEN_END && !found; t = behind(sql, t)) {
        struct pg_token next = behind(sql, t);
        bool of_column = pg_token_is(sql, next, ".") && !pg_token_is(sql, behind(sql, next), "*");
        found = !qualified && !of_column && !pg_token_is(sql, next, "(") && is_called(arena, sql, t, table);
        qualified = pg_token_is(sql, t, ".");
    }
    return found;
}
