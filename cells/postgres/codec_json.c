/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Structs as JSON objects by the names of their fields. Bytes are base64 (RFC 4648, 4), integers beyond 2^63 − 1 are
 * strings of digits, optionals that are absent are left out. A member that is missing leaves its field zero, as in an
 * older program's message; one that the struct does not have is ignored.
 */
#include "codec.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 32

static int write_value(const struct cell_type *type, uint32_t count, const char *at, unsigned depth,
                       struct pg_text *out, struct pg_json_wrong *wrong);

static void write_text(cell_str s, struct pg_text *out)
{
    uint64_t begin = 0;

    pg_append(out, "\"", 1);
    for (uint64_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c >= ' ' && c != '"' && c != '\\')
            continue;
        pg_append(out, s.ptr + begin, (size_t)(i - begin));
        pg_putf(out, c < ' ' ? "\\u%04x" : "\\%c", c);
        begin = i + 1;
    }
    if (s.len > begin)
        pg_append(out, s.ptr + begin, (size_t)(s.len - begin));
    pg_append(out, "\"", 1);
}

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void write_bytes(cell_bytes b, struct pg_text *out)
{
    pg_append(out, "\"", 1);
    for (uint64_t i = 0; i < b.len; i += 3) {
        uint64_t left = b.len - i;
        unsigned v = (unsigned)b.ptr[i] << 16 | (left > 1 ? (unsigned)b.ptr[i + 1] << 8 : 0) |
                     (left > 2 ? (unsigned)b.ptr[i + 2] : 0);
        const char four[] = {base64[v >> 18], base64[v >> 12 & 63], left > 1 ? base64[v >> 6 & 63] : '=',
                             left > 2 ? base64[v & 63] : '='};
        pg_append(out, four, 4);
    }
    pg_append(out, "\"", 1);
}

static int write_real(const struct cell_type *type, const char *at, struct pg_text *out)
{
    double d;
    float f;

    if (type->kind == CELL_KIND_F64) {
        memcpy(&d, at, sizeof(d));
    } else {
        memcpy(&f, at, sizeof(f));
        d = (double)f;
    }
    if (!isfinite(d))
        return CELL_INVALID_ARGUMENT;
    if (d == 0 && signbit(d)) /* json keeps it, and "-0" would be read as a whole number */
        pg_puts(out, "-0.0");
    else
        pg_putf(out, "%.*g", type->kind == CELL_KIND_F64 ? 17 : 9, d);
    return CELL_OK;
}

/* Of an enum: whether the value is one of its enumerators; the database does not look into JSON. */
static bool is_known(const struct cell_type *type, const char *at, struct pg_json_wrong *wrong)
{
    uint64_t absolute, value;
    bool negative;

    if (type->kind != CELL_KIND_ENUM || type->nfields == 0)
        return true;
    pg_load_integer(type, at, &negative, &absolute);
    value = negative ? UINT64_C(0) - absolute : absolute;
    for (uint32_t i = 0; i < type->nfields; i++)
        if (((uint64_t)type->fields[i].count << 32 | type->fields[i].offset) == value)
            return true;
    wrong->type = type->name ? type->name : "";
    wrong->where[0] = '\0';
    snprintf(wrong->value, sizeof(wrong->value), "%s%" PRIu64, negative ? "-" : "", absolute);
    return false;
}

/* Where that is, from within to without; what has no room of it is left out within. */
static void put_before(struct pg_json_wrong *wrong, const char *step)
{
    char inner[sizeof(wrong->where)];

    memcpy(inner, wrong->where, sizeof(inner));
    snprintf(wrong->where, sizeof(wrong->where), "%s%.*s", step, (int)(sizeof(inner) - 1), inner);
}

static int in_field(const struct cell_field *field, int r, struct pg_json_wrong *wrong)
{
    char step[PG_NAME_SIZE + 2];

    if (r == CELL_OUT_OF_RANGE) {
        snprintf(step, sizeof(step), ".%s", field->name);
        put_before(wrong, step);
    }
    return r;
}

static int in_element(uint64_t i, int r, struct pg_json_wrong *wrong)
{
    char step[24];

    if (r == CELL_OUT_OF_RANGE) {
        snprintf(step, sizeof(step), "[%" PRIu64 "]", i);
        put_before(wrong, step);
    }
    return r;
}

static int write_integer(const struct cell_type *type, const char *at, struct pg_text *out, struct pg_json_wrong *wrong)
{
    uint64_t absolute;
    bool negative, large;

    if (!is_known(type, at, wrong))
        return CELL_OUT_OF_RANGE;
    pg_load_integer(type, at, &negative, &absolute);
    large = !negative && absolute > INT64_MAX;
    pg_putf(out, "%s%s%" PRIu64 "%s", large ? "\"" : "", negative ? "-" : "", absolute, large ? "\"" : "");
    return CELL_OK;
}

static int write_struct(const struct cell_type *type, const char *at, unsigned depth, struct pg_text *out,
                        struct pg_json_wrong *wrong)
{
    bool first = true;

    pg_append(out, "{", 1);
    for (uint32_t i = 0; i < type->nfields; i++) {
        const struct cell_field *field = &type->fields[i];
        if (field->type->kind == CELL_KIND_OPT && field->count == 0 && !at[field->offset])
            continue;
        pg_putf(out, "%s\"%s\":", first ? "" : ",", field->name);
        first = false;
        int r = write_value(field->type, field->count, at + field->offset, depth, out, wrong);
        if (r < 0)
            return in_field(field, r, wrong);
    }
    pg_append(out, "}", 1);
    return CELL_OK;
}

static int write_array(const struct cell_type *type, const char *at, uint64_t n, unsigned depth, struct pg_text *out,
                       struct pg_json_wrong *wrong)
{
    pg_append(out, "[", 1);
    for (uint64_t i = 0; i < n; i++) {
        if (i > 0)
            pg_append(out, ",", 1);
        int r = write_value(type, 0, at + i * type->size, depth, out, wrong);
        if (r < 0)
            return in_element(i, r, wrong);
    }
    pg_append(out, "]", 1);
    return CELL_OK;
}

static int write_value(const struct cell_type *type, uint32_t count, const char *at, unsigned depth,
                       struct pg_text *out, struct pg_json_wrong *wrong)
{
    cell_bytes list;

    if (depth++ > DEPTH)
        return CELL_INVALID_ARGUMENT;
    if (out->failed)
        return CELL_NO_MEMORY;
    if (count > 0)
        return write_array(type, at, count, depth, out, wrong);
    switch (type->kind) {
    case CELL_KIND_BOOL:
        pg_puts(out, *at ? "true" : "false");
        return CELL_OK;
    case CELL_KIND_F32:
    case CELL_KIND_F64:
        return write_real(type, at, out);
    case CELL_KIND_STR:
    case CELL_KIND_BYTES:
        memcpy(&list, at, sizeof(list));
        if (type->kind == CELL_KIND_BYTES)
            write_bytes(list, out);
        else
            write_text((cell_str){(const char *)list.ptr, list.len}, out);
        return type->kind == CELL_KIND_STR && list.len > 0 && memchr(list.ptr, 0, list.len) ? CELL_INVALID_ARGUMENT
                                                                                            : CELL_OK;
    case CELL_KIND_STRUCT:
        return write_struct(type, at, depth, out, wrong);
    case CELL_KIND_LIST:
        memcpy(&list, at, sizeof(list));
        return write_array(type->elem, (const char *)list.ptr, list.len, depth, out, wrong);
    case CELL_KIND_OPT:
        if (*at)
            return write_value(type->elem, 0, at + type->elem->align, depth, out, wrong);
        pg_puts(out, "null");
        return CELL_OK;
    default:
        return write_integer(type, at, out, wrong);
    }
}

int pg_json_write(const struct cell_type *type, const void *values, uint64_t n, struct pg_text *out,
                  struct pg_json_wrong *wrong)
{
    return n == UINT64_MAX ? write_value(type, 0, values, 0, out, wrong) : write_array(type, values, n, 1, out, wrong);
}

static int read_value(const struct cell_type *type, uint32_t count, const json_t *v, char *at, unsigned depth,
                      const struct pg_sink *sink, struct pg_json_wrong *wrong);

/* What is no integer of the type: of an enum it is none of its values, and named as such. */
static int no_integer(const struct cell_type *type, const json_t *v, struct pg_json_wrong *wrong)
{
    if (type->kind != CELL_KIND_ENUM || type->nfields == 0 || json_is_object(v) || json_is_array(v))
        return CELL_DATA_LOSS;
    char *text = json_dumps(v, JSON_ENCODE_ANY);
    if (!text)
        return CELL_NO_MEMORY;
    pg_shorten(wrong->value, sizeof(wrong->value), text, SIZE_MAX);
    free(text);
    wrong->type = type->name ? type->name : "";
    wrong->where[0] = '\0';
    return CELL_OUT_OF_RANGE;
}

static int read_integer(const struct cell_type *type, const json_t *v, char *at, struct pg_json_wrong *wrong)
{
    json_int_t n = json_integer_value(v);

    uint64_t absolute = n < 0 ? UINT64_C(0) - (uint64_t)n : (uint64_t)n;
    if (!json_is_integer(v)) {
        const char *text = json_string_value(v);
        char *end;
        if (!text || text[0] < '0' || text[0] > '9' || strlen(text) > 20)
            return no_integer(type, v, wrong);
        absolute = strtoull(text, &end, 10);
        if (*end != '\0')
            return no_integer(type, v, wrong);
    }
    if (!pg_store_integer(type, at, n < 0, absolute))
        return no_integer(type, v, wrong);
    return is_known(type, at, wrong) ? CELL_OK : CELL_OUT_OF_RANGE;
}

static int read_bytes(const char *text, size_t length, char *at, const struct pg_sink *sink)
{
    uint8_t *bytes = pg_sink_alloc(sink, length / 4 * 3 + 1);
    size_t n = 0;

    if (!bytes)
        return CELL_NO_MEMORY;
    if (length % 4 != 0)
        return CELL_DATA_LOSS;
    for (size_t i = 0; i < length; i += 4) {
        unsigned v = 0, padding = 0;
        for (size_t k = 0; k < 4; k++) {
            const char *found = text[i + k] ? strchr(base64, text[i + k]) : NULL;
            bool pads = text[i + k] == '=' && i + 4 == length && k >= 2;
            if ((!found && !pads) || (found && padding))
                return CELL_DATA_LOSS;
            padding += pads;
            v = v << 6 | (found ? (unsigned)(found - base64) : 0);
        }
        for (unsigned k = 0; k < 3 - padding; k++)
            bytes[n++] = (uint8_t)(v >> (16 - 8 * k));
    }
    memcpy(at, &(cell_bytes){bytes, n}, sizeof(cell_bytes));
    return CELL_OK;
}

static int read_string(const struct cell_type *type, const json_t *v, char *at, const struct pg_sink *sink)
{
    const char *text = json_string_value(v);
    size_t length = json_string_length(v);

    if (!text)
        return CELL_DATA_LOSS;
    if (type->kind == CELL_KIND_BYTES)
        return read_bytes(text, length, at, sink);
    char *copy = pg_sink_alloc(sink, length + 1);
    if (!copy)
        return CELL_NO_MEMORY;
    memcpy(copy, text, length);
    copy[length] = '\0';
    memcpy(at, &(cell_str){copy, length}, sizeof(cell_str));
    return CELL_OK;
}

static int read_array(const struct cell_type *type, const json_t *v, char *at, size_t n, unsigned depth,
                      const struct pg_sink *sink, struct pg_json_wrong *wrong)
{
    for (size_t i = 0; i < n; i++) {
        int r = read_value(type, 0, json_array_get(v, i), at + i * type->size, depth, sink, wrong);
        if (r < 0)
            return in_element(i, r, wrong);
    }
    return CELL_OK;
}

static int read_list(const struct cell_type *type, const json_t *v, char *at, unsigned depth,
                     const struct pg_sink *sink, struct pg_json_wrong *wrong)
{
    size_t n = json_array_size(v);

    if (!json_is_array(v) || (type->size && n > SIZE_MAX / 2 / type->size))
        return CELL_DATA_LOSS;
    char *elements = pg_sink_alloc(sink, (n + (n == 0)) * type->size);
    if (!elements)
        return CELL_NO_MEMORY;
    memcpy(at, &(cell_bytes){(const uint8_t *)elements, n}, sizeof(cell_bytes));
    return read_array(type, v, elements, n, depth, sink, wrong);
}

static int read_struct(const struct cell_type *type, const json_t *v, char *at, unsigned depth,
                       const struct pg_sink *sink, struct pg_json_wrong *wrong)
{
    if (!json_is_object(v))
        return CELL_DATA_LOSS;
    for (uint32_t i = 0; i < type->nfields; i++) {
        const struct cell_field *field = &type->fields[i];
        const json_t *member = json_object_get(v, field->name);
        int r =
            member ? read_value(field->type, field->count, member, at + field->offset, depth, sink, wrong) : CELL_OK;
        if (r < 0)
            return in_field(field, r, wrong);
    }
    return CELL_OK;
}

static int read_real(const struct cell_type *type, const json_t *v, char *at)
{
    double d = json_number_value(v);
    float f = (float)d;

    if (!json_is_number(v) || (type->kind == CELL_KIND_F32 && !isfinite(f)))
        return CELL_DATA_LOSS;
    if (type->kind == CELL_KIND_F64)
        memcpy(at, &d, sizeof(d));
    else
        memcpy(at, &f, sizeof(f));
    return CELL_OK;
}

static int read_value(const struct cell_type *type, uint32_t count, const json_t *v, char *at, unsigned depth,
                      const struct pg_sink *sink, struct pg_json_wrong *wrong)
{
    if (depth++ > DEPTH)
        return CELL_DATA_LOSS;
    if (count > 0)
        return json_array_size(v) == count ? read_array(type, v, at, count, depth, sink, wrong) : CELL_DATA_LOSS;
    switch (type->kind) {
    case CELL_KIND_BOOL:
        *at = json_is_true(v);
        return json_is_boolean(v) ? CELL_OK : CELL_DATA_LOSS;
    case CELL_KIND_F32:
    case CELL_KIND_F64:
        return read_real(type, v, at);
    case CELL_KIND_STR:
    case CELL_KIND_BYTES:
        return read_string(type, v, at, sink);
    case CELL_KIND_STRUCT:
        return read_struct(type, v, at, depth, sink, wrong);
    case CELL_KIND_LIST:
        return read_list(type->elem, v, at, depth, sink, wrong);
    case CELL_KIND_OPT:
        if (json_is_null(v))
            return CELL_OK;
        *at = 1;
        return read_value(type->elem, 0, v, at + type->elem->align, depth, sink, wrong);
    default:
        return read_integer(type, v, at, wrong);
    }
}

#define MOST_DIGITS 19 /* of an int64_t */

static bool fits(const char *digits, size_t n, bool negative)
{
    return n < MOST_DIGITS ||
           (n == MOST_DIGITS && memcmp(digits, negative ? "9223372036854775808" : "9223372036854775807", n) <= 0);
}

/* Writes whole numbers that are no int64_t with ".0" behind them, so that they are read as numbers with a fraction:
 * jsonb prints those without exponent. Integers as large are strings. Returns the new length. */
static size_t mark_large_numbers(const char *text, size_t length, char *out)
{
    size_t n = 0;
    bool quoted = false;

    for (size_t i = 0; i < length;) {
        size_t end = i + 1, digits = 0;
        if (quoted && text[i] == '\\' && end < length)
            end++;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted && text[i] >= '0' && text[i] <= '9') {
            for (end = i; end < length && text[end] >= '0' && text[end] <= '9'; end++)
                digits++;
            while (end < length && strchr("0123456789.eE+-", text[end]) && text[end]) {
                digits = 0;
                end++;
            }
        }
        memcpy(out + n, text + i, end - i);
        n += end - i;
        if (digits > 0 && !fits(text + i, digits, i > 0 && text[i - 1] == '-')) {
            memcpy(out + n, ".0", 2);
            n += 2;
        }
        i = end;
    }
    return n;
}

static int parse(const char *text, size_t length, json_t **v, bool *overflow)
{
    json_error_t error;

    *v = json_loadb(text, length, JSON_DECODE_ANY, &error);
    *overflow = !*v && json_error_code(&error) == json_error_numeric_overflow;
    return *v ? CELL_OK : json_error_code(&error) == json_error_out_of_memory ? CELL_NO_MEMORY : CELL_DATA_LOSS;
}

static int load(const char *text, size_t length, json_t **v)
{
    bool overflow;
    int r = parse(text, length, v, &overflow);

    if (!overflow)
        return r;
    char *marked = malloc(length + 2 * (length / MOST_DIGITS) + 2);
    r = marked ? parse(marked, mark_large_numbers(text, length, marked), v, &overflow) : CELL_NO_MEMORY;
    free(marked);
    return r;
}

int pg_json_read(const struct pg_slot *p, const char *text, size_t length, void *at, const struct pg_sink *sink,
                 struct pg_json_wrong *wrong)
{
    json_t *v = NULL;
    int r = load(text, length, &v);

    if (r >= 0)
        r = p->list ? read_list(p->type, v, at, 0, sink, wrong) : read_value(p->type, p->count, v, at, 0, sink, wrong);
    json_decref(v);
    return r;
}
