/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Scalars, bytes, and the plain form of a value, as on a command line. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "core/value.h"
#include "wire/limits.h"

#define SHOWN(text, len) (int)((len) < 60 ? (len) : 60), (text), (len) < 60 ? "" : "…"

struct range {
    int64_t min;
    uint64_t max;
};

static struct range range_of(uint32_t kind)
{
    switch (kind) {
    case CELL_KIND_I8:
        return (struct range){INT8_MIN, INT8_MAX};
    case CELL_KIND_U8:
        return (struct range){0, UINT8_MAX};
    case CELL_KIND_I16:
        return (struct range){INT16_MIN, INT16_MAX};
    case CELL_KIND_U16:
        return (struct range){0, UINT16_MAX};
    case CELL_KIND_I32:
        return (struct range){INT32_MIN, INT32_MAX};
    case CELL_KIND_U32:
        return (struct range){0, UINT32_MAX};
    case CELL_KIND_I64:
        return (struct range){INT64_MIN, INT64_MAX};
    default:
        return (struct range){0, UINT64_MAX};
    }
}

static bool starts_with(const char *text, size_t len, const char *prefix)
{
    return len >= strlen(prefix) && memcmp(text, prefix, strlen(prefix)) == 0;
}

/* Sign and magnitude of a decimal or 0x number; false when it is none or needs more than 64 bits. */
static bool magnitude(const char *text, size_t len, bool *negative, uint64_t *value)
{
    unsigned base = 10;
    size_t i = 0;

    *negative = len > 0 && text[0] == '-';
    i += len > 0 && (text[0] == '-' || text[0] == '+');
    if (starts_with(text + i, len - i, "0x") || starts_with(text + i, len - i, "0X")) {
        base = 16;
        i += 2;
    }
    if (i == len)
        return false;
    for (*value = 0; i < len; i++) {
        char c = text[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                : 99;
        if (digit >= base || __builtin_mul_overflow(*value, base, value) ||
            __builtin_add_overflow(*value, digit, value))
            return false;
    }
    return true;
}

static void store_integer(uint32_t kind, uint64_t bits, void *out)
{
    switch (kind) {
    case CELL_KIND_I8:
    case CELL_KIND_U8:
        memcpy(out, &(uint8_t){(uint8_t)bits}, 1);
        break;
    case CELL_KIND_I16:
    case CELL_KIND_U16:
        memcpy(out, &(uint16_t){(uint16_t)bits}, 2);
        break;
    case CELL_KIND_I32:
    case CELL_KIND_U32:
        memcpy(out, &(uint32_t){(uint32_t)bits}, 4);
        break;
    default:
        memcpy(out, &bits, 8);
    }
}

static bool looks_like_number(const char *text, size_t len)
{
    size_t i = len > 0 && (text[0] == '-' || text[0] == '+');

    if (i == len)
        return false;
    for (; i < len; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return true;
}

static int integer(uint32_t kind, const char *name, const char *text, size_t len, void *out, struct cell_error *e)
{
    struct range range = range_of(kind);
    bool negative = false, fits;
    uint64_t value = 0;

    fits = magnitude(text, len, &negative, &value);
    if (!fits && !looks_like_number(text, len))
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "'%.*s%s' is no whole number", SHOWN(text, len));
    if (!fits || (negative ? value > (uint64_t)0 - (uint64_t)range.min : value > range.max))
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "%.*s%s is out of range for %s (%" PRId64 " to %" PRIu64 ")",
                              SHOWN(text, len), name, range.min, range.max);
    store_integer(kind, negative ? (uint64_t)0 - value : value, out);
    return CELL_OK;
}

static int enumerator(const struct value_env *env, const struct cell_type *type, const char *text, size_t len,
                      void *out, struct cell_error *e)
{
    uint32_t kind = type->elem ? type->elem->kind : CELL_KIND_I32;
    char word[CELL_MAX_NAME + 1];

    if (looks_like_number(text, len))
        return integer(kind, type->name, text, len, out, e);
    for (uint32_t i = 0; i < type->nfields; i++)
        if (strlen(type->fields[i].name) == len && memcmp(type->fields[i].name, text, len) == 0) {
            store_integer(kind, cell_value_enumerator(&type->fields[i]), out);
            return CELL_OK;
        }
    const char **names = cell_arena_array(env->arena, type->nfields + 1, sizeof(*names));
    for (uint32_t i = 0; names && i < type->nfields; i++)
        names[i] = type->fields[i].name;
    snprintf(word, sizeof(word), "%.*s", (int)(len < CELL_MAX_NAME ? len : CELL_MAX_NAME), text);
    const char *near = names ? cell_suggest(word, names, type->nfields) : NULL;
    return cell_error_set(e, CELL_INVALID_ARGUMENT, "enum %s has no value '%s'%s%s%s", type->name, word,
                          near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static int floating(uint32_t kind, const char *text, size_t len, void *out, struct cell_error *e)
{
    char copy[512], *end = NULL;

    if (len > 0 && len < sizeof(copy) && memchr(text, '\0', len) == NULL && text[0] != ' ' && text[0] != '\t') {
        memcpy(copy, text, len);
        copy[len] = '\0';
        double value = strtod(copy, &end);
        if (*end == '\0' && (isinf(value) == 0 || strcasestr(copy, "inf"))) {
            float narrow = (float)value;
            if (kind == CELL_KIND_F32 && isinf(narrow) && !isinf(value))
                return cell_error_set(e, CELL_INVALID_ARGUMENT, "%s is out of range for f32", copy);
            if (kind == CELL_KIND_F32)
                memcpy(out, &narrow, sizeof(narrow));
            else
                memcpy(out, &value, sizeof(value));
            return CELL_OK;
        }
    }
    return cell_error_set(e, CELL_INVALID_ARGUMENT, "'%.*s%s' is no number that fits %s", SHOWN(text, len),
                          kind == CELL_KIND_F32 ? "f32" : "f64");
}

int cell_value_scalar(const struct value_env *env, const struct cell_type *type, const char *text, size_t len,
                      void *out, struct cell_error *e)
{
    if (type->kind == CELL_KIND_BOOL) {
        bool yes = len == 4 && memcmp(text, "true", 4) == 0;

        if (!yes && !(len == 5 && memcmp(text, "false", 5) == 0))
            return cell_error_set(e, CELL_INVALID_ARGUMENT, "'%.*s%s' is neither true nor false", SHOWN(text, len));
        memcpy(out, &(uint8_t){yes}, 1);
        return CELL_OK;
    }
    if (type->kind == CELL_KIND_ENUM)
        return enumerator(env, type, text, len, out, e);
    if (type->kind == CELL_KIND_F32 || type->kind == CELL_KIND_F64)
        return floating(type->kind, text, len, out, e);
    return integer(type->kind, type->name, text, len, out, e);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static int from_hex(const struct value_env *env, const char *text, size_t len, const uint8_t **bytes, size_t *n,
                    struct cell_error *e)
{
    uint8_t *out = cell_arena_alloc(env->arena, len / 2 + 1);

    if (!out)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    for (size_t i = 0; i + 1 < len; i += 2) {
        int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);

        if (high < 0 || low < 0)
            return cell_error_set(e, CELL_INVALID_ARGUMENT, "'%.2s' is no hexadecimal byte", text + i);
        out[i / 2] = (uint8_t)(high * 16 + low);
    }
    if (len % 2)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "hex: needs an even number of digits, there are %zu", len);
    *bytes = out;
    *n = len / 2;
    return CELL_OK;
}

static int base64_digit(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+' || c == '-' ? 62
           : c == '/' || c == '_' ? 63
                                  : -1;
}

/* RFC 4648, both alphabets; padding may be left out, line ends are skipped. */
static int from_base64(const struct value_env *env, const char *text, size_t len, const uint8_t **bytes, size_t *n,
                       struct cell_error *e)
{
    uint8_t *out = cell_arena_alloc(env->arena, len / 4 * 3 + 4);
    uint32_t bits = 0;
    size_t digits = 0, made = 0;

    if (!out)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    while (len > 0 && (text[len - 1] == '=' || text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    for (size_t i = 0; i < len; i++) {
        int digit = base64_digit(text[i]);

        if (text[i] == '\n' || text[i] == '\r')
            continue;
        if (digit < 0)
            return cell_error_set(e, CELL_INVALID_ARGUMENT, "'%c' is no base64 digit", text[i]);
        bits = bits << 6 | (uint32_t)digit;
        if (++digits % 4 == 0) {
            out[made++] = (uint8_t)(bits >> 16);
            out[made++] = (uint8_t)(bits >> 8);
            out[made++] = (uint8_t)bits;
        }
    }
    if (digits % 4 == 1)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "base64: is cut off");
    if (digits % 4 == 2)
        out[made++] = (uint8_t)(bits >> 4);
    if (digits % 4 == 3) {
        out[made++] = (uint8_t)(bits >> 10);
        out[made++] = (uint8_t)(bits >> 2);
    }
    *bytes = out;
    *n = made;
    return CELL_OK;
}

int cell_value_bytes(const struct value_env *env, const char *text, size_t len, const uint8_t **bytes, size_t *n,
                     struct cell_error *e)
{
    if (starts_with(text, len, "hex:"))
        return from_hex(env, text + 4, len - 4, bytes, n, e);
    if (starts_with(text, len, "base64:"))
        return from_base64(env, text + 7, len - 7, bytes, n, e);
    char *copy = cell_arena_copy(env->arena, text, len);
    if (!copy)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    *bytes = (const uint8_t *)copy;
    *n = len;
    return CELL_OK;
}

static int text_value(const struct value_env *env, const char *text, size_t len, void *out, struct cell_error *e)
{
    cell_str s = {cell_arena_copy(env->arena, text, len), len};

    if (!s.ptr)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    memcpy(out, &s, sizeof(s));
    return CELL_OK;
}

static int bytes_value(const struct value_env *env, const char *text, size_t len, void *out, struct cell_error *e)
{
    cell_bytes b = {0};
    size_t n = 0;
    int r = cell_value_bytes(env, text, len, &b.ptr, &n, e);

    if (r >= 0) {
        b.len = n;
        memcpy(out, &b, sizeof(b));
    }
    return r;
}

int cell_value_text(const struct value_env *env, const struct cell_type *type, uint32_t count, const char *text,
                    size_t len, void *out, struct cell_error *e)
{
    const uint8_t *bytes;
    size_t n;
    int r;

    if (count > 0 && type->kind == CELL_KIND_U8 &&
        (starts_with(text, len, "hex:") || starts_with(text, len, "base64:"))) {
        if ((r = cell_value_bytes(env, text, len, &bytes, &n, e)) < 0)
            return r;
        if (n != count)
            return cell_error_set(e, CELL_INVALID_ARGUMENT, "it needs %" PRIu32 " bytes, there are %zu", count, n);
        memcpy(out, bytes, n);
        return CELL_OK;
    }
    if (count > 0)
        return cell_value_json(env, type, count, text, len, out, e);
    switch (type->kind) {
    case CELL_KIND_STR:
        return text_value(env, text, len, out, e);
    case CELL_KIND_BYTES:
        return bytes_value(env, text, len, out, e);
    case CELL_KIND_STRUCT:
    case CELL_KIND_LIST:
        return cell_value_json(env, type, 0, text, len, out, e);
    case CELL_KIND_OPT:
        if ((len == 4 && memcmp(text, "null", 4) == 0) || (len > 0 && text[0] == '"'))
            return cell_value_json(env, type, 0, text, len, out, e);
        memcpy(out, &(uint8_t){1}, 1);
        return cell_value_text(env, type->elem, 0, text, len, (char *)out + cell_value_opt_offset(type), e);
    default:
        return cell_value_scalar(env, type, text, len, out, e);
    }
}
