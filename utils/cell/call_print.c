/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Values of a reply as JSON, in the form that value_json reads. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "call_value.h"

static void load(uint32_t kind, const void *from, int64_t *i, uint64_t *u)
{
    union {
        int8_t i8;
        uint8_t u8;
        int16_t i16;
        uint16_t u16;
        int32_t i32;
        uint32_t u32;
        int64_t i64;
        uint64_t u64;
    } v = {.u64 = 0};

    switch (kind) {
#define LOAD(symbol, member)                                                                                           \
    case CELL_KIND_##symbol:                                                                                           \
        memcpy(&v, from, sizeof(v.member));                                                                            \
        *i = (int64_t)v.member;                                                                                        \
        *u = (uint64_t)v.member;                                                                                       \
        break;
        LOAD(I8, i8)
        LOAD(U8, u8)
        LOAD(I16, i16)
        LOAD(U16, u16)
        LOAD(I32, i32)
        LOAD(U32, u32)
        LOAD(I64, i64)
        LOAD(U64, u64)
#undef LOAD
    default:
        *i = 0;
        *u = 0;
    }
}

static bool is_unsigned(uint32_t kind)
{
    return kind == CELL_KIND_U8 || kind == CELL_KIND_U16 || kind == CELL_KIND_U32 || kind == CELL_KIND_U64;
}

static void print_integer(struct cli_json *j, const char *key, uint32_t kind, const void *value)
{
    int64_t i;
    uint64_t u;

    load(kind, value, &i, &u);
    if (is_unsigned(kind))
        out_uint(j, key, u);
    else
        out_int(j, key, i);
}

/* By name when the schema has one for the number; the first, when several have it. */
static void print_enum(const struct value_env *env, struct cli_json *j, const char *key, const struct cell_type *type,
                       const void *value)
{
    const struct schema_type *t = cell_schema_type(env->schema, type->name);
    uint32_t kind = type->elem ? type->elem->kind : CELL_KIND_I32;
    char text[32];
    int64_t i;
    uint64_t u;

    load(kind, value, &i, &u);
    if (is_unsigned(kind))
        snprintf(text, sizeof(text), "%" PRIu64, u);
    else
        snprintf(text, sizeof(text), "%" PRId64, i);
    for (uint32_t k = 0; t && k < t->nvalues; k++)
        if (strcmp(t->values[k].text, text) == 0) {
            out_str(j, key, t->values[k].name);
            return;
        }
    out_raw(j, key, text, strlen(text));
}

/* The shortest decimal that reads back as the same number; JSON has none for the others. */
static void print_float(struct cli_json *j, const char *key, bool wide, const void *value)
{
    char text[40];
    double d;
    float f;

    if (wide) {
        memcpy(&d, value, sizeof(d));
    } else {
        memcpy(&f, value, sizeof(f));
        d = f;
    }
    if (isnan(d) || isinf(d)) {
        out_str(j, key, isnan(d) ? "NaN" : d > 0 ? "Infinity" : "-Infinity");
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, d);
        if (wide ? strtod(text, NULL) == d : strtof(text, NULL) == (float)d)
            break;
    }
    out_raw(j, key, text, strlen(text));
}

static void print_bytes(struct cli_json *j, const char *key, const uint8_t *bytes, size_t len)
{
    struct cell_buffer b = {0};

    cell_buffer_puts(&b, "hex:");
    for (size_t i = 0; i < len; i++)
        cell_buffer_printf(&b, "%02x", bytes[i]);
    if (cell_buffer_ok(&b))
        out_strn(j, key, b.data, b.len);
    else
        j->b.failed = true;
    cell_buffer_free(&b);
}

static void print_elements(const struct value_env *env, struct cli_json *j, const char *key,
                           const struct cell_type *type, uint64_t n, const char *at)
{
    out_begin(j, key, '[');
    for (uint64_t i = 0; i < n; i++)
        value_print(env, j, NULL, type, 0, at + i * type->size);
    out_end(j, ']');
}

static void print_struct(const struct value_env *env, struct cli_json *j, const char *key, const struct cell_type *type,
                         const char *at)
{
    out_begin(j, key, '{');
    for (uint32_t i = 0; i < type->nfields; i++) {
        const struct cell_field *f = &type->fields[i];

        value_print(env, j, f->name, f->type, f->count, at + f->offset);
    }
    out_end(j, '}');
}

void value_print(const struct value_env *env, struct cli_json *j, const char *key, const struct cell_type *type,
                 uint32_t count, const void *value)
{
    cell_bytes reference;

    if (count > 0 && type->kind == CELL_KIND_U8) {
        print_bytes(j, key, value, count);
        return;
    }
    if (count > 0) {
        print_elements(env, j, key, type, count, value);
        return;
    }
    switch (type->kind) {
    case CELL_KIND_BOOL:
        out_bool(j, key, *(const uint8_t *)value != 0);
        break;
    case CELL_KIND_F32:
    case CELL_KIND_F64:
        print_float(j, key, type->kind == CELL_KIND_F64, value);
        break;
    case CELL_KIND_STR:
        memcpy(&reference, value, sizeof(reference));
        out_strn(j, key, (const char *)reference.ptr, (size_t)reference.len);
        break;
    case CELL_KIND_BYTES:
        memcpy(&reference, value, sizeof(reference));
        print_bytes(j, key, reference.ptr, (size_t)reference.len);
        break;
    case CELL_KIND_LIST:
        memcpy(&reference, value, sizeof(reference));
        print_elements(env, j, key, type->elem, reference.len, (const char *)reference.ptr);
        break;
    case CELL_KIND_OPT:
        if (*(const uint8_t *)value)
            value_print(env, j, key, type->elem, 0, (const char *)value + value_opt_offset(type));
        else
            out_null(j, key);
        break;
    case CELL_KIND_STRUCT:
        print_struct(env, j, key, type, value);
        break;
    case CELL_KIND_ENUM:
        print_enum(env, j, key, type, value);
        break;
    default:
        print_integer(j, key, type->kind, value);
    }
}
