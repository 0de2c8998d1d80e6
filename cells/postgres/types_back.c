/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* From a type of SQL to the C type that nobody has written. */
#include <string.h>

#include "types.h"
#include "types_parts.h"

static enum pg_ckind kind_of(const struct pg_type_use *type, enum pg_codec *codec)
{
    *codec = PG_CODEC_INTEGER;
    switch (type->base) {
    case PG_BASE_BOOL:
        *codec = PG_CODEC_BOOL;
        return PG_C_BOOL;
    case PG_BASE_INT2:
        return PG_C_I16;
    case PG_BASE_INT4:
        return PG_C_I32;
    case PG_BASE_INT8:
        return PG_C_I64;
    case PG_BASE_FLOAT4:
    case PG_BASE_FLOAT8:
        *codec = PG_CODEC_FLOAT;
        return type->base == PG_BASE_FLOAT4 ? PG_C_F32 : PG_C_F64;
    case PG_BASE_BYTEA:
        *codec = PG_CODEC_BYTES;
        return PG_C_BYTES;
    case PG_BASE_DATE:
        *codec = PG_CODEC_DATE;
        return PG_C_I32;
    case PG_BASE_TIME:
        *codec = PG_CODEC_TIME;
        return PG_C_I64;
    case PG_BASE_TIMESTAMP:
    case PG_BASE_TIMESTAMPTZ:
        *codec = PG_CODEC_TIMESTAMP;
        return PG_C_I64;
    case PG_BASE_NUMERIC:
        *codec = PG_CODEC_NUMERIC_TEXT;
        return PG_C_STR;
    case PG_BASE_TEXT:
    case PG_BASE_VARCHAR:
    case PG_BASE_BPCHAR:
    case PG_BASE_XML:
    case PG_BASE_JSON:
        *codec = PG_CODEC_TEXT;
        return PG_C_STR;
    case PG_BASE_UUID:
        *codec = PG_CODEC_UUID_TEXT;
        return PG_C_STR;
    case PG_BASE_JSONB:
        *codec = PG_CODEC_JSONB_TEXT;
        return PG_C_STR;
    default:
        *codec = PG_CODEC_TEXT_FORM;
        return PG_C_STR;
    }
}

const char *pg_ctype_for(struct pg_arena *arena, const struct pg_type_use *column, bool nullable, struct pg_ctype *c,
                         enum pg_codec *codec)
{
    const struct pg_type_use *type = pg_carrier(column);
    struct pg_ctype made = {.optional = nullable};

    made.kind = kind_of(type, codec);
    if (type->base == PG_BASE_UUID && !type->array && !nullable) {
        made = (struct pg_ctype){.kind = PG_C_U8, .count = 16};
        *codec = PG_CODEC_UUID;
    } else if (type->base == PG_BASE_VECTOR && !type->array && !nullable) {
        made = (struct pg_ctype){.kind = PG_C_F32, .list = true};
        *codec = PG_CODEC_VECTOR;
    } else if (type->array && (nullable || *codec == PG_CODEC_TEXT_FORM)) {
        made.kind = PG_C_STR; /* "{1,2}" */
        *codec = PG_CODEC_TEXT_FORM;
    } else if (type->array)
        made.list = true;
    const char *name = pg_ckind_name(made.kind);
    made.text = made.count      ? pg_printf(arena, "%s[%u]", name, made.count)
                : made.list     ? pg_printf(arena, "list<%s>", name)
                : made.optional ? pg_printf(arena, "opt<%s>", name)
                                : name;
    *c = made;
    return made.text;
}
