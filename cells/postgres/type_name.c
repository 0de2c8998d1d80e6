/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Names of types, as authors write them and as format_type() prints them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cell/errors.h>

#include "sql.h"
#include "sql_parts.h"

static const struct {
    const char *name, *alias, *alias2;
} bases[] = {{NULL, NULL, NULL},
#define BASE(symbol, name, alias, alias2) {name, alias, alias2},
             PG_BASE_MAP(BASE)
#undef BASE
};

const char *pg_base_name(enum pg_base base) { return base < PG_BASE_OTHER ? bases[base].name : NULL; }

uint32_t pg_base_names(const char **names)
{
    uint32_t n = 0;

    for (int base = PG_BASE_NONE + 1; base < PG_BASE_OTHER; base++) {
        names[n++] = bases[base].name;
        if (bases[base].alias)
            names[n++] = bases[base].alias;
        if (bases[base].alias2)
            names[n++] = bases[base].alias2;
    }
    return n;
}

static enum pg_base base_of(const char *name)
{
    for (int base = PG_BASE_NONE + 1; base < PG_BASE_OTHER; base++)
        if (strcmp(name, bases[base].name) == 0 || (bases[base].alias && strcmp(name, bases[base].alias) == 0) ||
            (bases[base].alias2 && strcmp(name, bases[base].alias2) == 0))
            return (enum pg_base)base;
    return PG_BASE_OTHER;
}

struct reader {
    struct pg_arena *arena;
    const char *text;
    size_t len;
    struct pg_token t;
    char *why; /* NULL = not wanted */
};

static void advance(struct reader *r) { r->t = pg_sql_token(r->text, r->len, r->t.at + r->t.len); }
static bool is(const struct reader *r, const char *word) { return pg_token_is(r->text, r->t, word); }
static bool accept(struct reader *r, const char *word)
{
    if (!is(r, word))
        return false;
    advance(r);
    return true;
}

static int refuse(struct reader *r, const char *what)
{
    if (r->why)
        snprintf(r->why, 128, "'%.60s' is no name of a type: %s", r->text, what);
    return CELL_INVALID_ARGUMENT;
}

/* (12), (12,2), (10,-2) */
static int modifiers(struct reader *r, int32_t found[2])
{
    found[0] = found[1] = -1;
    if (!accept(r, "("))
        return 0;
    for (int i = 0; i < 2; i++) {
        bool minus = i == 1 && accept(r, "-");
        if (r->t.kind != PG_TOKEN_NUMBER || r->t.len > 9 || strspn(r->text + r->t.at, "0123456789") < r->t.len)
            return refuse(r, "a number should stand in its parentheses");
        long value = strtol(r->text + r->t.at, NULL, 10);
        found[i] = (int32_t)(minus ? -value : value);
        advance(r);
        if (accept(r, ")"))
            return i + 1;
        if (i == 1 || !accept(r, ","))
            break;
    }
    return refuse(r, "its parentheses are not closed");
}

/* timestamp(3) with time zone: what stands behind the modifier. */
static int zone(struct reader *r, enum pg_base *base)
{
    bool with = is(r, "with");

    if (*base != PG_BASE_TIME && *base != PG_BASE_TIMESTAMP)
        return CELL_OK;
    if (!with && !is(r, "without"))
        return CELL_OK;
    advance(r);
    if (!accept(r, "time") || !accept(r, "zone"))
        return refuse(r, "'time zone' should stand there");
    if (with)
        *base = *base == PG_BASE_TIME ? PG_BASE_TIMETZ : PG_BASE_TIMESTAMPTZ;
    return CELL_OK;
}

/* The first word or two: known names are unquoted and have no schema, or pg_catalog. */
static int first_words(struct reader *r, struct pg_type_use *type)
{
    bool quoted = false;
    const char *part[2] = {NULL, NULL};

    for (int i = 0;; i++) {
        if (r->t.kind != PG_TOKEN_NAME && r->t.kind != PG_TOKEN_QUOTED)
            return refuse(r, "a name should stand there");
        quoted = r->t.kind == PG_TOKEN_QUOTED;
        part[0] = part[1];
        part[1] = pg_token_name(r->arena, r->text, r->t);
        if (!pg_name_fits(part[1]))
            return refuse(r, "a name has 1 to 63 bytes");
        advance(r);
        if (!accept(r, "."))
            break;
        if (i == 1)
            return refuse(r, "it has too many parts");
    }
    if (!part[0] && !quoted) {
        if (strcmp(part[1], "double") == 0 && accept(r, "precision"))
            part[1] = "double precision";
        else if ((strcmp(part[1], "character") == 0 || strcmp(part[1], "char") == 0) && accept(r, "varying"))
            part[1] = "character varying";
        else if (strcmp(part[1], "bit") == 0 && accept(r, "varying"))
            part[1] = "bit varying";
    }
    bool system = part[0] && strcmp(part[0], "pg_catalog") == 0;
    bool known = (!part[0] && !quoted) || (system && !(quoted && strcmp(part[1], "char") == 0));
    type->base = known ? base_of(part[1]) : PG_BASE_OTHER;
    if (strcmp(part[1], "vector") == 0 && !system)
        type->base = PG_BASE_VECTOR;
    if (type->base == PG_BASE_OTHER) {
        type->schema = system ? NULL : part[0];
        type->name = part[1];
    }
    if (type->base == PG_BASE_OTHER && !part[0] && !quoted && strstr(part[1], "serial"))
        return refuse(r, "a sequence of its own is asked for by CELL_AUTO");
    return CELL_OK;
}

/* What a modifier means to the type, and whether it may have one. */
static int fit_modifiers(struct reader *r, struct pg_type_use *type, int n, const int32_t given[2], bool bare_char)
{
    int allowed = 0;

    switch (type->base) {
    case PG_BASE_NUMERIC:
        allowed = 2;
        break;
    case PG_BASE_VARCHAR:
    case PG_BASE_BPCHAR:
    case PG_BASE_BIT:
    case PG_BASE_VARBIT:
    case PG_BASE_TIME:
    case PG_BASE_TIMETZ:
    case PG_BASE_TIMESTAMP:
    case PG_BASE_TIMESTAMPTZ:
    case PG_BASE_INTERVAL:
    case PG_BASE_VECTOR:
    case PG_BASE_FLOAT8: /* float(24) */
    case PG_BASE_OTHER:
        allowed = type->base == PG_BASE_OTHER ? 2 : 1;
        break;
    default:
        break;
    }
    if (n > allowed)
        return refuse(r, allowed ? "it has one number in parentheses" : "it has no number in parentheses");
    type->modifier = given[0];
    type->scale = given[1];
    if (type->base == PG_BASE_NUMERIC && n == 1)
        type->scale = 0;
    if (type->base == PG_BASE_FLOAT8 && n == 1) {
        if (given[0] < 1 || given[0] > 53)
            return refuse(r, "float has 1 to 53 bits");
        type->base = given[0] <= 24 ? PG_BASE_FLOAT4 : PG_BASE_FLOAT8;
        type->modifier = -1;
    }
    if (n == 0 && (type->base == PG_BASE_BIT || (type->base == PG_BASE_BPCHAR && bare_char)))
        type->modifier = 1;
    return CELL_OK;
}

static int array_suffix(struct reader *r, struct pg_type_use *type)
{
    type->array = accept(r, "array");
    while (accept(r, "[")) {
        type->array = true;
        if (r->t.kind == PG_TOKEN_NUMBER)
            advance(r);
        if (!accept(r, "]"))
            return refuse(r, "a '[' has no ']'");
    }
    return CELL_OK;
}

int pg_type_parse(struct pg_arena *arena, const char *text, struct pg_type_use *type, char why[128])
{
    struct reader r = {.arena = arena, .text = text, .len = strlen(text), .why = why};
    struct pg_type_use made = {.modifier = -1, .scale = -1};
    int32_t given[2];

    advance(&r);
    bool bare_char = !is(&r, "bpchar");
    int status = first_words(&r, &made);
    int n = status < 0 ? status : modifiers(&r, given);
    if (n >= 0)
        status = zone(&r, &made.base);
    if (n < 0 || status < 0)
        return n < 0 ? n : status;
    status = fit_modifiers(&r, &made, n, given, bare_char);
    if (status >= 0)
        status = array_suffix(&r, &made);
    if (status >= 0 && r.t.kind != PG_TOKEN_END)
        status = refuse(&r, "something stands behind it");
    if (status >= 0)
        *type = made;
    return status;
}

static void put_name(struct pg_text *t, const char *name)
{
    if (pg_sql_is_plain(name))
        pg_puts(t, name);
    else
        pg_sql_name(t, name);
}

const char *pg_type_name(struct pg_arena *arena, const struct pg_type_use *type)
{
    struct pg_text t = {.arena = arena};
    const char *name = pg_base_name(type->base), *behind = "";

    if (type->base == PG_BASE_NONE)
        return "";
    if (type->base == PG_BASE_BPCHAR && type->modifier < 0) /* "character" alone would be character(1) */
        return type->array ? "bpchar[]" : "bpchar";
    if (!name) {
        if (type->schema) {
            put_name(&t, type->schema);
            pg_puts(&t, ".");
        }
        put_name(&t, type->name);
    } else {
        /* The modifier stands within "time(3) without time zone". */
        const char *zone = strstr(name, " with");
        size_t len = zone ? (size_t)(zone - name) : strlen(name);
        pg_append(&t, name, len);
        behind = name + len;
    }
    if (type->modifier >= 0 && (type->base == PG_BASE_NUMERIC || (type->base == PG_BASE_OTHER && type->scale >= 0)))
        pg_putf(&t, "(%d,%d)", type->modifier, type->scale);
    else if (type->modifier >= 0)
        pg_putf(&t, "(%d)", type->modifier);
    pg_puts(&t, behind);
    pg_puts(&t, type->array ? "[]" : "");
    return t.data;
}

static bool same_text(const char *a, const char *b) { return a && b ? strcmp(a, b) == 0 : a == b; }

bool pg_type_equal(const struct pg_type_use *a, const struct pg_type_use *b)
{
    if (a->base != b->base || a->array != b->array || a->modifier != b->modifier || a->scale != b->scale)
        return false;
    /* A schema that one of the two leaves out is the one on the search path. */
    return a->base != PG_BASE_OTHER ||
           (same_text(a->name, b->name) && (!a->schema || !b->schema || same_text(a->schema, b->schema)));
}
