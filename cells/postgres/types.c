/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Which C type lies on which column, and how values get from one to the other. */
#include "types.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <cell/errors.h>

#include "sql.h"
#include "sql_parts.h"
#include "types_parts.h"

static const struct pg_enum *native_enum(const struct pg_types *types, const struct pg_type_use *type)
{
    bool other = type->base == PG_BASE_OTHER && types && types->catalog;

    return other ? pg_model_enum(types->catalog, type->schema, type->name) : NULL;
}

static bool integer_codec(const struct pg_ctype *c, const struct pg_type_use *type, enum pg_codec *codec)
{
    enum pg_ckind kind = c->kind == PG_C_ENUM ? c->integer : c->kind;
    enum pg_base own = pg_integer_range(kind).base, base = type->base;
    bool plain = c->kind != PG_C_ENUM;

    *codec = PG_CODEC_INTEGER;
    if (base >= PG_BASE_INT2 && base <= PG_BASE_INT8)
        return own == PG_BASE_NUMERIC || base <= own;
    *codec = PG_CODEC_NUMERIC_INTEGER;
    if (base == PG_BASE_NUMERIC)
        return type->scale == 0 && (own == PG_BASE_NUMERIC || (type->modifier > 0 && type->modifier <= 18));
    *codec = PG_CODEC_DATE;
    if (base == PG_BASE_DATE)
        return plain && (kind == PG_C_I32 || kind == PG_C_I64);
    *codec = base == PG_BASE_TIME ? PG_CODEC_TIME : PG_CODEC_TIMESTAMP;
    return plain && kind == PG_C_I64 &&
           (base == PG_BASE_TIME || base == PG_BASE_TIMESTAMP || base == PG_BASE_TIMESTAMPTZ);
}

static enum pg_codec text_codec(const struct pg_types *types, const struct pg_type_use *type)
{
    switch (type->base) {
    case PG_BASE_TEXT:
    case PG_BASE_VARCHAR:
    case PG_BASE_BPCHAR:
    case PG_BASE_XML:
    case PG_BASE_JSON:
        return PG_CODEC_TEXT;
    case PG_BASE_NUMERIC:
        return PG_CODEC_NUMERIC_TEXT;
    case PG_BASE_UUID:
        return PG_CODEC_UUID_TEXT;
    case PG_BASE_JSONB:
        return PG_CODEC_JSONB_TEXT;
    case PG_BASE_OTHER:
        return strcmp(type->name, "citext") == 0 || native_enum(types, type) ? PG_CODEC_TEXT : PG_CODEC_TEXT_FORM;
    default:
        return PG_CODEC_TEXT_FORM;
    }
}

/* Every label has an enumerator. */
static bool labels_known(const struct pg_ctype *c, const struct pg_enum *e)
{
    for (uint32_t i = 0; i < e->n; i++) {
        bool known = false;
        for (uint32_t k = 0; k < c->nvalues && !known; k++)
            known = strcmp(c->values[k].label, e->labels[i]) == 0;
        if (!known)
            return false;
    }
    return true;
}

/* One value, or one element. */
static bool value_codec(const struct pg_types *types, const struct pg_ctype *c, const struct pg_type_use *type,
                        enum pg_codec *codec)
{
    switch (c->kind) {
    case PG_C_BOOL:
        *codec = PG_CODEC_BOOL;
        return type->base == PG_BASE_BOOL;
    case PG_C_F32:
    case PG_C_F64:
        *codec = PG_CODEC_FLOAT;
        return type->base == PG_BASE_FLOAT4 || (type->base == PG_BASE_FLOAT8 && c->kind == PG_C_F64);
    case PG_C_STR:
        *codec = text_codec(types, type);
        return true;
    case PG_C_BYTES:
        *codec = PG_CODEC_BYTES;
        return type->base == PG_BASE_BYTEA;
    case PG_C_STRUCT:
        *codec = PG_CODEC_JSON_STRUCT;
        return type->base == PG_BASE_JSON || type->base == PG_BASE_JSONB;
    case PG_C_ENUM:
        if (type->base == PG_BASE_OTHER) {
            const struct pg_enum *e = native_enum(types, type);
            *codec = PG_CODEC_ENUM_LABEL;
            return e ? labels_known(c, e) : !types || !types->catalog;
        }
        return integer_codec(c, type, codec);
    default:
        return integer_codec(c, type, codec);
    }
}

static bool is_many(const struct pg_ctype *c) { return c->list || c->count; }

/* The ones whose several C values are one value of SQL. */
static bool whole_codec(const struct pg_ctype *c, const struct pg_type_use *type, enum pg_codec *codec)
{
    if (type->array || !is_many(c))
        return false;
    if (c->kind == PG_C_U8 && type->base == PG_BASE_BYTEA)
        *codec = PG_CODEC_BYTES;
    else if (c->kind == PG_C_U8 && c->count == 16 && type->base == PG_BASE_UUID)
        *codec = PG_CODEC_UUID;
    else if (c->kind == PG_C_STRUCT && (type->base == PG_BASE_JSON || type->base == PG_BASE_JSONB))
        *codec = PG_CODEC_JSON_STRUCT;
    else if (c->kind == PG_C_F32 && type->base == PG_BASE_VECTOR && (c->list || type->modifier == (int32_t)c->count))
        *codec = PG_CODEC_VECTOR;
    else
        return false;
    return true;
}

int pg_map_existing(struct pg_arena *arena, const struct pg_types *types, const struct pg_ctype *c,
                    const struct pg_type_use *column, enum pg_codec *codec, char why[256])
{
    const struct pg_type_use *type = pg_carrier(column);
    struct pg_type_use element = *type;
    enum pg_codec found = PG_CODEC_TEXT_FORM;
    bool ok = whole_codec(c, type, &found);

    element.array = false;
    if (!ok && type->array)
        ok = is_many(c) ? value_codec(types, c, &element, &found) && found != PG_CODEC_TEXT_FORM : c->kind == PG_C_STR;
    else if (!ok && !is_many(c))
        ok = value_codec(types, c, type, &found);
    if (ok) {
        *codec = found;
        return CELL_OK;
    }
    struct pg_ctype fits;
    enum pg_codec ignored;
    const char *better = pg_ctype_for(arena, type, c->optional, &fits, &ignored);
    snprintf(why, 256, "a field of type %.60s cannot hold every value of type %.60s: %.60s can", c->text,
             pg_type_name(arena, column), better);
    return CELL_INVALID_ARGUMENT;
}

static struct pg_type_use plain(enum pg_base base)
{
    return (struct pg_type_use){.base = base, .modifier = -1, .scale = -1};
}

/* The column of one value without CELL_SQL_TYPE. */
static struct pg_type_use own_type(const struct pg_ctype *c)
{
    struct pg_type_use type;

    switch (c->kind) {
    case PG_C_BOOL:
        return plain(PG_BASE_BOOL);
    case PG_C_F32:
        return plain(PG_BASE_FLOAT4);
    case PG_C_F64:
        return plain(PG_BASE_FLOAT8);
    case PG_C_STR:
        return plain(PG_BASE_TEXT);
    case PG_C_BYTES:
        return plain(PG_BASE_BYTEA);
    case PG_C_STRUCT:
        return plain(PG_BASE_JSONB);
    default:
        break;
    }
    type = plain(pg_integer_range(c->kind == PG_C_ENUM ? c->integer : c->kind).base);
    if (type.base == PG_BASE_NUMERIC) {
        type.modifier = 20;
        type.scale = 0;
    }
    return type;
}

static struct pg_type_use default_type(const struct pg_types *types, const struct pg_ctype *c)
{
    struct pg_type_use type = own_type(c);

    if (!is_many(c) || c->kind == PG_C_STRUCT)
        return type;
    if (c->kind == PG_C_U8)
        return plain(PG_BASE_BYTEA);
    bool vector = types && types->catalog && types->catalog->vector != PG_EXTENSION_NONE;
    if (c->kind == PG_C_F32 && c->count && c->count <= 16000 && vector) {
        type = plain(PG_BASE_VECTOR);
        type.modifier = (int32_t)c->count;
        return type;
    }
    type.array = true;
    return type;
}

/* Types that are not in the list of base types, and that nobody has misspelt. */
static bool is_well_known(const char *name)
{
    static const char *const known[] = {"citext",
                                        "hstore",
                                        "ltree",
                                        "lquery",
                                        "geometry",
                                        "geography",
                                        "name",
                                        "tsquery",
                                        "int4range",
                                        "int8range",
                                        "numrange",
                                        "daterange",
                                        "tsrange",
                                        "tstzrange",
                                        "macaddr8",
                                        "pg_lsn",
                                        "point",
                                        "line",
                                        "lseg",
                                        "box",
                                        "path",
                                        "polygon",
                                        "circle",
                                        "jsonpath",
                                        "regclass",
                                        "halfvec",
                                        "sparsevec",
                                        "cube",
                                        "regtype",
                                        "regproc",
                                        "int4multirange",
                                        "xid",
                                        "int8multirange",
                                        "nummultirange",
                                        "regrole",
                                        "isbn",
                                        "semver",
                                        "ip4",
                                        "ip6",
                                        "tid",
                                        "xid8",
                                        "seg",
                                        "raster",
                                        "earth",
                                        "pg_snapshot",
                                        "ean13",
                                        "ip4r",
                                        "regnamespace",
                                        "regconfig"};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(known[i], name) == 0)
            return true;
    return false;
}

const char *pg_type_suggest(const struct pg_types *types, const char *name)
{
    const char *names[3 * PG_BASE_OTHER];
    uint32_t n = pg_base_names(names);
    const char *found = pg_suggest(name, names, n);

    for (uint32_t i = 0; !found && types && types->catalog && i < types->catalog->nenums; i++)
        found = pg_suggest(name, &types->catalog->enums[i].name, 1);
    return found;
}

/* CELL_SQL_TYPE's text as a type that may exist. */
static int asked_type(struct pg_arena *arena, const struct pg_types *types, const char *sql_type, bool for_enum,
                      struct pg_type_use *type, char why[256])
{
    char reason[128] = "";

    if (pg_type_parse(arena, sql_type, type, reason) < 0) {
        snprintf(why, 256, "%s", reason);
        return CELL_INVALID_ARGUMENT;
    }
    if (types && types->catalog)
        pg_model_resolve(types->catalog, type);
    bool unknown =
        type->base == PG_BASE_OTHER && !type->domain && !native_enum(types, type) && !type->schema && !for_enum;
    const char *near = unknown && !is_well_known(type->name) ? pg_type_suggest(types, type->name) : NULL;
    if (!near)
        return CELL_OK;
    snprintf(why, 256, "unknown type '%.63s'; did you mean '%.63s'?", type->name, near);
    return CELL_INVALID_ARGUMENT;
}

static const char *quoted(struct pg_arena *arena, const char *column)
{
    struct pg_text t = {.arena = arena};

    pg_sql_name(&t, column);
    return t.data;
}

/* The range of a C integer, where the column's type has more. */
static const char *range_check(struct pg_arena *arena, enum pg_ckind kind, const struct pg_type_use *type,
                               const char *column)
{
    struct pg_integer_range c = pg_integer_range(kind), has = pg_base_range(type->base);
    bool numeric = type->base == PG_BASE_NUMERIC;

    if (!numeric && has.base == PG_BASE_NONE)
        return NULL;
    bool low = numeric || has.low < c.low, high = numeric || has.high > c.high;
    const char *name = quoted(arena, column);
    if (type->array && low && high)
        return pg_printf(arena, "%" PRId64 " <= ALL (%s) AND %" PRIu64 " >= ALL (%s)", c.low, name, c.high, name);
    if (low && high)
        return pg_printf(arena, "%s BETWEEN %" PRId64 " AND %" PRIu64, name, c.low, c.high);
    if (low)
        return pg_printf(arena, type->array ? "%" PRId64 " <= ALL (%s)" : "%" PRId64 " <= %s", c.low, name);
    return high ? pg_printf(arena, type->array ? "%" PRIu64 " >= ALL (%s)" : "%" PRIu64 " >= %s", c.high, name) : NULL;
}

static const char *values_check(struct pg_arena *arena, const struct pg_ctype *c, const struct pg_type_use *type,
                                const char *column)
{
    struct pg_text t = {.arena = arena};

    pg_sql_name(&t, column);
    pg_puts(&t, type->array ? " <@ ARRAY[" : " IN (");
    for (uint32_t i = 0; i < c->nvalues; i++)
        pg_putf(&t, "%s%s", i ? ", " : "", c->values[i].number);
    if (type->array)
        pg_putf(&t, "]::%s", pg_type_name(arena, type));
    else
        pg_puts(&t, ")");
    return t.data;
}

static void make_check(struct pg_arena *arena, const struct pg_ctype *c, const char *column, struct pg_mapping *m)
{
    const char *size = NULL, *name = quoted(arena, column);

    if (m->codec == PG_CODEC_INTEGER || m->codec == PG_CODEC_NUMERIC_INTEGER) {
        m->check_kind = c->kind == PG_C_ENUM ? "values" : "range";
        m->check = c->kind == PG_C_ENUM ? values_check(arena, c, &m->type, column)
                                        : range_check(arena, c->kind, &m->type, column);
    }
    if (c->count && m->codec == PG_CODEC_BYTES && !m->type.array)
        size = pg_printf(arena, "octet_length(%s) = %u", name, c->count);
    else if (c->count && m->codec == PG_CODEC_JSON_STRUCT)
        size = pg_printf(arena, "%s_array_length(%s) = %u", m->type.base == PG_BASE_JSON ? "json" : "jsonb", name,
                         c->count);
    else if (c->count && m->type.array)
        size = pg_printf(arena, "cardinality(%s) = %u", name, c->count);
    if (size) {
        m->check_kind = "size";
        m->check = m->check ? pg_printf(arena, "%s AND %s", size, m->check) : size;
    }
    if (!m->check)
        m->check_kind = NULL;
}

/* What may be asked for beyond what every value of the column would fit into: a wider column with a check. */
static bool may_widen(const struct pg_ctype *c, struct pg_type_use *type, enum pg_codec *codec)
{
    if (!pg_is_integer(c->kind) && c->kind != PG_C_ENUM)
        return false;
    if (type->array != (c->list || c->count))
        return false;
    *codec = type->base == PG_BASE_NUMERIC ? PG_CODEC_NUMERIC_INTEGER : PG_CODEC_INTEGER;
    return (type->base == PG_BASE_NUMERIC && type->scale == 0) || pg_base_range(type->base).base != PG_BASE_NONE;
}

int pg_map_field(struct pg_arena *arena, const struct pg_types *types, const struct pg_ctype *c, const char *sql_type,
                 const char *column, struct pg_mapping *mapping, char why[256])
{
    struct pg_mapping m = {.type = default_type(types, c)};
    int status = CELL_OK;
    bool new_enum = false;

    if (sql_type)
        status = asked_type(arena, types, sql_type, c->kind == PG_C_ENUM, &m.type, why);
    if (status < 0)
        return status;
    if (c->kind == PG_C_ENUM && m.type.base == PG_BASE_OTHER && !m.type.domain && m.type.array == is_many(c)) {
        m.codec = PG_CODEC_ENUM_LABEL; /* the type is made, or gets the labels that it lacks */
        new_enum = true;
    }
    if (!new_enum && !may_widen(c, &m.type, &m.codec)) {
        status = pg_map_existing(arena, types, c, &m.type, &m.codec, why);
        if (status < 0)
            return status;
    }
    m.vector_or_real = !sql_type && c->kind == PG_C_F32 && c->count;
    make_check(arena, c, column, &m);
    *mapping = m;
    return CELL_OK;
}
