/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* C types, as the texts of a schema name them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cell/errors.h>

#include "types.h"
#include "types_parts.h"

static const char *const names[] = {
#define NAME(symbol, name) name,
    PG_CTYPE_MAP(NAME)
#undef NAME
};

const char *pg_ckind_name(enum pg_ckind kind)
{
    return kind < PG_C_ENUM ? names[kind] : kind == PG_C_ENUM ? "enum" : "struct";
}

static bool builtin(const char *text, enum pg_ckind *kind)
{
    for (int i = 0; i < PG_C_ENUM; i++)
        if (strcmp(text, names[i]) == 0) {
            *kind = (enum pg_ckind)i;
            return true;
        }
    return false;
}

static const char *member(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static const json_t *find(const json_t *types, const char *name)
{
    for (size_t i = 0; i < json_array_size(types); i++)
        if (strcmp(member(json_array_get(types, i), "name"), name) == 0)
            return json_array_get(types, i);
    return NULL;
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

/* What all enumerators begin with, up to an underscore. */
static const char *common_prefix(struct pg_arena *arena, const struct pg_cvalue *values, uint32_t n)
{
    size_t shared = n > 1 ? strlen(values[0].name) : 0, prefix = 0;

    for (uint32_t i = 1; i < n; i++)
        for (size_t k = 0; k < shared; k++)
            if (values[i].name[k] != values[0].name[k])
                shared = k;
    for (size_t k = 0; k < shared; k++)
        if (values[0].name[k] == '_')
            prefix = k + 1;
    for (uint32_t i = 0; i < n; i++) /* none may be left empty */
        if (values[i].name[prefix] == '\0')
            prefix = 0;
    return pg_copy(arena, values[0].name, prefix);
}

static bool has_prefix(const struct pg_cvalue *v, const char *prefix)
{
    size_t n = strlen(prefix);

    return strncmp(v->name, prefix, n) == 0 && v->name[n] != '\0';
}

/* Of one that does not begin with the prefix, what they have in common goes, up to an underscore. */
static size_t taken_away(const struct pg_cvalue *v, const char *prefix)
{
    size_t taken = 0;

    if (has_prefix(v, prefix))
        return strlen(prefix);
    for (size_t k = 0; v->name[k] && v->name[k] == prefix[k]; k++)
        if (v->name[k] == '_')
            taken = k + 1;
    return v->name[taken] ? taken : 0;
}

static const char *lowered(struct pg_arena *arena, const char *name)
{
    char *label = pg_strdup(arena, name);

    for (char *p = label; *p; p++)
        *p = lower(*p);
    return label;
}

static bool is_label_of_another(const struct pg_cvalue *values, uint32_t n, uint32_t i)
{
    bool found = false;

    for (uint32_t k = 0; k < n && !found; k++)
        found = k != i && strcmp(values[k].label, values[i].label) == 0;
    return found;
}

void pg_enum_labels(struct pg_arena *arena, struct pg_cvalue *values, uint32_t n, const char *prefix)
{
    prefix = prefix ? prefix : common_prefix(arena, values, n);
    for (uint32_t i = 0; i < n; i++)
        values[i].label = lowered(arena, values[i].name + taken_away(&values[i], prefix));
    for (uint32_t i = 0; i < n; i++)
        if (!has_prefix(&values[i], prefix) && is_label_of_another(values, n, i))
            values[i].label = lowered(arena, values[i].name);
}

/* How many values of the type enumerators stand for: all of these, or those that begin with the prefix. */
static uint32_t count_known(const struct pg_cvalue *values, uint32_t n, const struct pg_enum *there, const char *prefix)
{
    uint32_t known = 0;

    for (uint32_t k = 0; k < there->n; k++) {
        bool found = false;
        for (uint32_t i = 0; i < n && !found; i++)
            found = (!prefix || has_prefix(&values[i], prefix)) && strcmp(values[i].label, there->labels[k]) == 0;
        known += found;
    }
    return known;
}

/* What stands before the label in the name, when that may be a prefix; NULL. */
static const char *before_label(struct pg_arena *arena, const char *name, const char *label)
{
    size_t n = strlen(name), len = strlen(label), at = n - len;
    bool ends = len <= n && (at == 0 || name[at - 1] == '_');

    for (size_t k = 0; ends && k < len; k++)
        ends = lower(name[at + k]) == label[k];
    return ends ? pg_copy(arena, name, at) : NULL;
}

bool pg_enum_keep_labels(struct pg_arena *arena, struct pg_cvalue *values, uint32_t n, const struct pg_enum *there,
                         const char **prefix)
{
    const char *common = common_prefix(arena, values, n), *best = common, *last = common;
    uint32_t most, least = n > 1 && there->n > 1 ? 2 : 1; /* one alone has no prefix by itself */

    pg_enum_labels(arena, values, n, common);
    most = count_known(values, n, there, NULL);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; most < there->n && k < there->n; k++) {
            const char *tried = before_label(arena, values[i].name, there->labels[k]);
            if (!tried || strcmp(tried, last) == 0)
                continue;
            last = tried;
            pg_enum_labels(arena, values, n, tried);
            uint32_t known = count_known(values, n, there, NULL);
            if (known <= most || count_known(values, n, there, tried) < least)
                continue;
            best = tried;
            most = known;
        }
    pg_enum_labels(arena, values, n, best);
    *prefix = best;
    return strcmp(best, common) == 0;
}

static int take_enum(struct pg_arena *arena, const json_t *entry, struct pg_ctype *c)
{
    const json_t *values = json_object_get(entry, "values");

    c->kind = PG_C_ENUM;
    c->tag = pg_strdup(arena, member(entry, "name"));
    if (!builtin(member(entry, "type"), &c->integer) || c->integer == PG_C_BOOL || c->integer > PG_C_U64)
        return CELL_INVALID_ARGUMENT;
    c->nvalues = (uint32_t)json_array_size(values);
    c->values = pg_array(arena, c->nvalues, sizeof(*c->values));
    for (uint32_t i = 0; i < c->nvalues; i++) {
        const json_t *v = json_array_get(values, i);
        c->values[i].name = pg_strdup(arena, member(v, "name"));
        c->values[i].number = pg_strdup(arena, member(v, "value"));
        const char *digits = c->values[i].number + (c->values[i].number[0] == '-');
        if (!*digits || digits[strspn(digits, "0123456789")] != '\0')
            return CELL_INVALID_ARGUMENT;
    }
    if (c->nvalues)
        pg_enum_labels(arena, c->values, c->nvalues, NULL);
    return c->nvalues ? CELL_OK : CELL_INVALID_ARGUMENT;
}

/* One name: built in, or an entry of the types; lists and optionals only at the outside. */
static int take_name(struct pg_arena *arena, const json_t *types, const char *name, bool outside, struct pg_ctype *c)
{
    if (builtin(name, &c->kind))
        return CELL_OK;
    const json_t *entry = find(types, name);
    const char *kind = member(entry, "kind");
    if (strcmp(kind, "enum") == 0)
        return take_enum(arena, entry, c);
    if (strcmp(kind, "struct") == 0) {
        c->kind = PG_C_STRUCT;
        c->tag = pg_strdup(arena, name);
        c->fields = json_object_get(entry, "fields");
        c->annotated = json_is_true(json_object_get(entry, "annotated"));
        return CELL_OK;
    }
    c->list = strcmp(kind, "list") == 0;
    c->optional = strcmp(kind, "opt") == 0;
    if (!outside || (!c->list && !c->optional))
        return CELL_INVALID_ARGUMENT;
    c->wrapper = pg_strdup(arena, name);
    return take_name(arena, types, member(entry, "of"), false, c);
}

int pg_ctype_parse(struct pg_arena *arena, const struct pg_types *types, const char *text, struct pg_ctype *type,
                   char why[256])
{
    struct pg_ctype c = {.text = pg_strdup(arena, text)};
    size_t len = strlen(text), base = strcspn(text, "[");
    char *end = NULL;
    int status = CELL_OK;

    if (base < len) {
        unsigned long count = strtoul(text + base + 1, &end, 10);
        if (text[base + 1] < '1' || text[base + 1] > '9' || strcmp(end, "]") != 0 || count > 65536)
            status = CELL_INVALID_ARGUMENT;
        c.count = (uint32_t)count;
    }
    const char *name = pg_copy(arena, text, base), *inner = NULL;
    if (strncmp(name, "list<", 5) == 0)
        inner = name + 5;
    else if (strncmp(name, "opt<", 4) == 0)
        inner = name + 4;
    if (status >= 0 && inner && name[base - 1] == '>') {
        c.list = name[0] == 'l';
        c.optional = name[0] == 'o';
        inner = pg_copy(arena, inner, strlen(inner) - 1);
        status = builtin(inner, &c.kind) ? CELL_OK : CELL_INVALID_ARGUMENT;
    } else if (status >= 0)
        status = take_name(arena, types ? types->types : NULL, name, true, &c);
    if (status < 0)
        snprintf(why, 256, "'%.100s' is no type that this request describes", text);
    else
        *type = c;
    return status;
}

static const struct pg_integer_range ranges[] = {
    [PG_C_I8] = {INT8_MIN, INT8_MAX, PG_BASE_INT2},    [PG_C_U8] = {0, UINT8_MAX, PG_BASE_INT2},
    [PG_C_I16] = {INT16_MIN, INT16_MAX, PG_BASE_INT2}, [PG_C_U16] = {0, UINT16_MAX, PG_BASE_INT4},
    [PG_C_I32] = {INT32_MIN, INT32_MAX, PG_BASE_INT4}, [PG_C_U32] = {0, UINT32_MAX, PG_BASE_INT8},
    [PG_C_I64] = {INT64_MIN, INT64_MAX, PG_BASE_INT8}, [PG_C_U64] = {0, UINT64_MAX, PG_BASE_NUMERIC}};

bool pg_is_integer(enum pg_ckind kind) { return kind >= PG_C_I8 && kind <= PG_C_U64; }

struct pg_integer_range pg_integer_range(enum pg_ckind kind)
{
    return pg_is_integer(kind) ? ranges[kind] : (struct pg_integer_range){0, 0, PG_BASE_NONE};
}

struct pg_integer_range pg_base_range(enum pg_base base)
{
    struct pg_integer_range none = {0, 0, PG_BASE_NONE};

    return base == PG_BASE_INT2   ? ranges[PG_C_I16]
           : base == PG_BASE_INT4 ? ranges[PG_C_I32]
           : base == PG_BASE_INT8 ? ranges[PG_C_I64]
                                  : none;
}
