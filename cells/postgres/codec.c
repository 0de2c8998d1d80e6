/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Which codec a pair of types has, and what encoding and decoding share. */
#include "codec.h"

#include <string.h>

static const struct {
    enum pg_base base;
    Oid oid, array;
} oids[] = {
    {PG_BASE_BOOL, 16, 1000},        {PG_BASE_INT2, 21, 1005},          {PG_BASE_INT4, 23, 1007},
    {PG_BASE_INT8, 20, 1016},        {PG_BASE_FLOAT4, 700, 1021},       {PG_BASE_FLOAT8, 701, 1022},
    {PG_BASE_NUMERIC, 1700, 1231},   {PG_BASE_TEXT, 25, 1009},          {PG_BASE_VARCHAR, 1043, 1015},
    {PG_BASE_BPCHAR, 1042, 1014},    {PG_BASE_BYTEA, 17, 1001},         {PG_BASE_UUID, 2950, 2951},
    {PG_BASE_DATE, 1082, 1182},      {PG_BASE_TIME, 1083, 1183},        {PG_BASE_TIMETZ, 1266, 1270},
    {PG_BASE_TIMESTAMP, 1114, 1115}, {PG_BASE_TIMESTAMPTZ, 1184, 1185}, {PG_BASE_INTERVAL, 1186, 1187},
    {PG_BASE_JSON, 114, 199},        {PG_BASE_JSONB, 3802, 3807},       {PG_BASE_INET, 869, 1041},
    {PG_BASE_CIDR, 650, 651},        {PG_BASE_MACADDR, 829, 1040},      {PG_BASE_BIT, 1560, 1561},
    {PG_BASE_VARBIT, 1562, 1563},    {PG_BASE_MONEY, 790, 791},         {PG_BASE_XML, 142, 143},
    {PG_BASE_TSVECTOR, 3614, 3643},  {PG_BASE_OID, 26, 1028},
};

Oid pg_type_oid(const struct pg_type_use *type, Oid *element)
{
    for (size_t i = 0; i < sizeof(oids) / sizeof(oids[0]); i++) {
        if (oids[i].base != type->base)
            continue;
        *element = type->array ? oids[i].oid : 0;
        return type->array ? oids[i].array : oids[i].oid;
    }
    *element = 0;
    return 0;
}

static bool is_integer(const struct cell_type *t)
{
    return (t->kind >= CELL_KIND_I8 && t->kind <= CELL_KIND_U64) || t->kind == CELL_KIND_ENUM;
}

/* The codec of one value, neither list nor array. False: there is none. */
static bool choose_scalar(enum pg_base base, const struct cell_type *t, bool labels, bool reading, enum pg_codec *codec)
{
    bool str = t->kind == CELL_KIND_STR;
    bool real = t->kind == CELL_KIND_F32 || t->kind == CELL_KIND_F64;

    switch (base) {
    case PG_BASE_BOOL:
        return *codec = PG_CODEC_BOOL, t->kind == CELL_KIND_BOOL;
    case PG_BASE_INT2:
    case PG_BASE_INT4:
    case PG_BASE_INT8:
        return *codec = PG_CODEC_INTEGER, is_integer(t);
    case PG_BASE_FLOAT4:
        return *codec = PG_CODEC_FLOAT, real;
    case PG_BASE_FLOAT8: /* a float would lose digits */
        return *codec = PG_CODEC_FLOAT, t->kind == CELL_KIND_F64 || (real && !reading);
    case PG_BASE_NUMERIC:
        return *codec = str ? PG_CODEC_NUMERIC_TEXT : PG_CODEC_NUMERIC_INTEGER, str || is_integer(t);
    case PG_BASE_BYTEA:
        return *codec = PG_CODEC_BYTES, t->kind == CELL_KIND_BYTES;
    case PG_BASE_UUID:
        return *codec = PG_CODEC_UUID_TEXT, str;
    case PG_BASE_DATE:
        return *codec = PG_CODEC_DATE, t->kind == CELL_KIND_I32 || t->kind == CELL_KIND_I64;
    case PG_BASE_TIME:
        return *codec = PG_CODEC_TIME, t->kind == CELL_KIND_I64;
    case PG_BASE_TIMESTAMP:
    case PG_BASE_TIMESTAMPTZ:
        return *codec = PG_CODEC_TIMESTAMP, t->kind == CELL_KIND_I64;
    case PG_BASE_JSON:
    case PG_BASE_JSONB:
        *codec = t->kind == CELL_KIND_STRUCT ? PG_CODEC_JSON_STRUCT
                 : base == PG_BASE_JSONB     ? PG_CODEC_JSONB_TEXT
                                             : PG_CODEC_TEXT;
        return str || t->kind == CELL_KIND_STRUCT;
    case PG_BASE_TEXT:
    case PG_BASE_VARCHAR:
    case PG_BASE_BPCHAR:
    case PG_BASE_XML:
    case PG_BASE_OTHER:
        *codec = labels && t->kind == CELL_KIND_ENUM ? PG_CODEC_ENUM_LABEL : PG_CODEC_TEXT;
        return str || *codec == PG_CODEC_ENUM_LABEL;
    default:
        return false;
    }
}

/* What is several values in C and one in the database. */
static bool choose_whole(const struct pg_slot *p, enum pg_codec *codec)
{
    switch (p->in_database.base) {
    case PG_BASE_JSON:
    case PG_BASE_JSONB:
        return *codec = PG_CODEC_JSON_STRUCT, p->type->kind == CELL_KIND_STRUCT;
    case PG_BASE_BYTEA:
        return *codec = PG_CODEC_BYTES, p->type->kind == CELL_KIND_U8;
    case PG_BASE_UUID:
        return *codec = PG_CODEC_UUID, p->type->kind == CELL_KIND_U8 && p->count == 16;
    case PG_BASE_VECTOR:
        return *codec = PG_CODEC_VECTOR, p->type->kind == CELL_KIND_F32;
    default:
        return false;
    }
}

int pg_codec_choose(struct pg_slot *p, bool reading, struct pg_failure *f)
{
    /* An array of one is how a number is passed by pointer. */
    if (p->count == 1 && !p->in_database.array && p->type->kind < CELL_KIND_STR && p->in_database.base != PG_BASE_BYTEA)
        p->count = 0;
    bool several = p->list || p->count > 0, ok;

    p->integer = p->type->kind == CELL_KIND_ENUM ? p->type->elem : p->type;
    if (several != p->in_database.array)
        ok = several && choose_whole(p, &p->codec);
    else
        ok = choose_scalar(p->in_database.base, p->type, p->nlabels > 0, reading, &p->codec);
    return ok ? CELL_OK
              : pg_fail(f, CELL_INVALID_ARGUMENT, "%s: this type cannot hold what the database has there", p->name);
}

void *pg_sink_alloc(const struct pg_sink *sink, size_t size)
{
    return sink->arena ? pg_alloc(sink->arena, size) : cell_ctx_alloc(sink->c, size);
}

static uint64_t referred_by_all(const struct cell_type *type, const char *values, uint64_t n)
{
    uint64_t bytes = 0;

    for (uint64_t i = 0; i < n; i++)
        bytes += pg_referred_bytes(type, 0, values + i * type->size);
    return bytes;
}

static uint64_t round_up8(uint64_t bytes) { return (bytes + 7) & ~UINT64_C(7); }

uint64_t pg_referred_bytes(const struct cell_type *type, uint32_t count, const void *value)
{
    const char *at = value;
    struct cell_ref list;
    uint64_t bytes = 0;

    if (count > 0)
        return referred_by_all(type, at, count);
    switch (type->kind) {
    case CELL_KIND_STR:
    case CELL_KIND_BYTES:
        memcpy(&list, at, sizeof(list)); /* all that refers has the layout of cell_ref */
        return round_up8(list.len);
    case CELL_KIND_LIST:
        memcpy(&list, at, sizeof(list));
        return round_up8(list.len * type->elem->size) + referred_by_all(type->elem, list.ptr, list.len);
    case CELL_KIND_STRUCT:
        for (uint32_t i = 0; i < type->nfields; i++)
            bytes += pg_referred_bytes(type->fields[i].type, type->fields[i].count, at + type->fields[i].offset);
        return bytes;
    case CELL_KIND_OPT:
        return *at ? pg_referred_bytes(type->elem, 0, at + type->elem->align) : 0;
    default:
        return 0;
    }
}

bool pg_is_text(const char *text, size_t length)
{
    const unsigned char *s = (const unsigned char *)text, *end = s + length;

    while (s < end) {
        uint64_t eight;
        if (end - s >= 8) {
            memcpy(&eight, s, 8);
            /* No byte with its high bit, and none that is 0. */
            if (!((eight | (eight - UINT64_C(0x0101010101010101))) & UINT64_C(0x8080808080808080))) {
                s += 8;
                continue;
            }
        }
        unsigned c = *s++, low = 0x80, high = 0xbf;
        if (c == 0)
            return false;
        if (c < 0x80)
            continue;
        int n = c < 0xc2 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : c < 0xf5 ? 3 : 0;
        if (n == 0 || end - s < n)
            return false;
        low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : low;
        high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : high;
        for (; n > 0; n--, low = 0x80, high = 0xbf)
            if (*s < low || *s++ > high)
                return false;
    }
    return true;
}

void pg_load_integer(const struct cell_type *type, const void *at, bool *negative, uint64_t *absolute)
{
    const struct cell_type *t = type->kind == CELL_KIND_ENUM ? type->elem : type;
    uint64_t u = 0;
    int64_t s = 0;

    memcpy(&u, at, t->size);
    switch (t->kind) {
    case CELL_KIND_I8:
        s = (int8_t)u;
        break;
    case CELL_KIND_I16:
        s = (int16_t)u;
        break;
    case CELL_KIND_I32:
        s = (int32_t)u;
        break;
    case CELL_KIND_I64:
        s = (int64_t)u;
        break;
    default:
        *negative = false;
        *absolute = u;
        return;
    }
    *negative = s < 0;
    *absolute = s < 0 ? UINT64_C(0) - (uint64_t)s : (uint64_t)s;
}

bool pg_store_integer(const struct cell_type *type, void *at, bool negative, uint64_t absolute)
{
    const struct cell_type *t = type->kind == CELL_KIND_ENUM ? type->elem : type;
    bool is_signed =
        t->kind == CELL_KIND_I8 || t->kind == CELL_KIND_I16 || t->kind == CELL_KIND_I32 || t->kind == CELL_KIND_I64;
    unsigned bits = t->size * 8 - is_signed;
    uint64_t most = (bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1) + (negative && is_signed);

    if (absolute > most || (negative && !is_signed && absolute > 0))
        return false;
    uint64_t u = negative ? UINT64_C(0) - absolute : absolute;
    memcpy(at, &u, t->size);
    return true;
}
