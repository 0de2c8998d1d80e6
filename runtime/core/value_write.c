/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Values as JSON, in the form that value_read.c takes. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/value.h"
#include "wire/integer.h"

/* ---- scalars ---- */

static void format_integer(uint32_t kind, const void *value, char text[CELL_VALUE_SCALAR_MAX])
{
    char digits[20], *at = digits + sizeof(digits);
    uint64_t bits;

    cell_integer_load(kind, value, &bits);
    if (!cell_kind_is_unsigned(kind) && (int64_t)bits < 0) {
        bits = -bits;
        *text++ = '-';
    }
    do /* printf takes most of the time in which records of numbers are written */
        *--at = (char)('0' + bits % 10);
    while (bits /= 10);
    size_t n = (size_t)(digits + sizeof(digits) - at);
    memcpy(text, at, n);
    text[n] = '\0';
}

/* By name when there is one for the number; the first, when several have it. */
static void format_enum(const struct cell_type *type, const void *value, char text[CELL_VALUE_SCALAR_MAX])
{
    uint32_t kind = type->elem ? type->elem->kind : CELL_KIND_I32;
    uint64_t bits;

    cell_integer_load(kind, value, &bits);
    for (uint32_t i = 0; i < type->nfields; i++)
        if (cell_value_enumerator(&type->fields[i]) == bits) {
            snprintf(text, CELL_VALUE_SCALAR_MAX, "\"%.150s\"", type->fields[i].name);
            return;
        }
    format_integer(kind, value, text);
}

/* The shortest decimal that reads back as the same number; JSON has none for the others. */
static void format_float(bool wide, const void *value, char text[CELL_VALUE_SCALAR_MAX])
{
    double d;
    float f;

    if (wide) {
        memcpy(&d, value, sizeof(d));
    } else {
        memcpy(&f, value, sizeof(f));
        d = f;
    }
    if (isnan(d) || isinf(d)) {
        snprintf(text, CELL_VALUE_SCALAR_MAX, "\"%s\"", isnan(d) ? "NaN" : d > 0 ? "Infinity" : "-Infinity");
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, CELL_VALUE_SCALAR_MAX, "%.*g", digits, d);
        if (wide ? strtod(text, NULL) == d : strtof(text, NULL) == (float)d)
            break;
    }
}

void cell_value_format(const struct cell_type *type, const void *value, char text[CELL_VALUE_SCALAR_MAX])
{
    switch (type->kind) {
    case CELL_KIND_BOOL:
        strcpy(text, *(const uint8_t *)value ? "true" : "false");
        break;
    case CELL_KIND_F32:
    case CELL_KIND_F64:
        format_float(type->kind == CELL_KIND_F64, value, text);
        break;
    case CELL_KIND_ENUM:
        format_enum(type, value, text);
        break;
    default:
        format_integer(type->kind, value, text);
    }
}

/* ---- the others ---- */

void cell_value_put_text(struct cell_buffer *out, const char *text, size_t len)
{
    size_t begin = 0;

    cell_buffer_puts(out, "\"");
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        cell_buffer_append(out, text + begin, i - begin);
        begin = i + 1;
        if (c < 0x20)
            cell_buffer_printf(out, "\\u%04x", c);
        else
            cell_buffer_printf(out, "\\%c", c);
    }
    if (len > begin) /* of an empty text there may be no bytes at all */
        cell_buffer_append(out, text + begin, len - begin);
    cell_buffer_puts(out, "\"");
}

void cell_value_put_bytes(struct cell_buffer *out, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";

    cell_buffer_puts(out, "\"hex:");
    char *to = len <= SIZE_MAX / 2 ? cell_buffer_reserve(out, 2 * len) : NULL;
    for (size_t i = 0; to && i < len; i++) {
        to[2 * i] = digits[bytes[i] >> 4];
        to[2 * i + 1] = digits[bytes[i] & 15];
    }
    if (to)
        out->len += 2 * len;
    else
        out->failed = true;
    cell_buffer_puts(out, "\"");
}

static void write_elements(struct cell_buffer *out, const struct cell_type *type, uint64_t n, const char *at)
{
    cell_buffer_puts(out, "[");
    for (uint64_t i = 0; i < n; i++) {
        if (i)
            cell_buffer_puts(out, ",");
        cell_value_write(out, type, 0, at + i * type->size);
    }
    cell_buffer_puts(out, "]");
}

static void write_struct(struct cell_buffer *out, const struct cell_type *type, const char *at)
{
    for (uint32_t i = 0; i < type->nfields; i++) {
        const struct cell_field *f = &type->fields[i];

        cell_buffer_puts(out, i ? ",\"" : "{\"");
        cell_buffer_puts(out, f->name);
        cell_buffer_puts(out, "\":");
        cell_value_write(out, f->type, f->count, at + f->offset);
    }
    cell_buffer_puts(out, type->nfields ? "}" : "{}");
}

void cell_value_write(struct cell_buffer *out, const struct cell_type *type, uint32_t count, const void *value)
{
    char text[CELL_VALUE_SCALAR_MAX];
    cell_bytes reference = {NULL, 0};

    if (type->kind == CELL_KIND_STR || type->kind == CELL_KIND_BYTES || type->kind == CELL_KIND_LIST)
        memcpy(&reference, value, count ? 0 : sizeof(reference));
    if (count && type->kind == CELL_KIND_U8) {
        cell_value_put_bytes(out, value, count);
    } else if (count) {
        write_elements(out, type, count, value);
    } else if (type->kind == CELL_KIND_STR) {
        cell_value_put_text(out, (const char *)reference.ptr, (size_t)reference.len);
    } else if (type->kind == CELL_KIND_BYTES) {
        cell_value_put_bytes(out, reference.ptr, (size_t)reference.len);
    } else if (type->kind == CELL_KIND_LIST) {
        write_elements(out, type->elem, reference.len, (const char *)reference.ptr);
    } else if (type->kind == CELL_KIND_STRUCT) {
        write_struct(out, type, value);
    } else if (type->kind == CELL_KIND_OPT && *(const uint8_t *)value) {
        cell_value_write(out, type->elem, 0, (const char *)value + cell_value_opt_offset(type));
    } else if (type->kind == CELL_KIND_OPT) {
        cell_buffer_puts(out, "null");
    } else {
        cell_value_format(type, value, text);
        cell_buffer_puts(out, text);
    }
}
