/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "values.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cell/types.h"

static cell_str random_string(struct hot_random *random)
{
    static const char *const texts[] = {
        "",
        "a",
        "abc",
        "abcabcabc",
        "12",
        "-9223372036854775808",
        "9223372036854775808",
        "+7",
        "3.14159",
        "1e308",
        "1.7976931348623159e308",
        "4.9e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "1e-400",
        "-0",
        "0.1000000000000000055511151231257827",
        "9007199254740993",
        "123456789012345678901234567890",
        "1e23",
        "8.5e+22",
        "5e-324",
        ".5",
        "5.",
        ".",
        "e5",
        "1e",
        "1e+",
        "0x10",
        "inf",
        "00000000000000000000000000000000000001",
        "0.000000000000000000000000000000000000000000000001",
        "1234567890123456789012345678901234567890",
        "12345678901234567890123456789012345678901",
        "\xc3\xa9",
        "\xf0\x9f\x98\x80",
        "\xed\xa0\x80",
        "\xc0\x80",
        "\xe2\x82",
        "\xf4\x90\x80\x80",
        "x\xff",
        "2.2250738585072011e-308",
        "179769313486231580793728971405301e276",
    };
    static char *copies[sizeof(texts) / sizeof(texts[0])];
    const uint32_t i = hot_below(random, sizeof(texts) / sizeof(texts[0]));
    if (!copies[i]) { /* without its NUL, so that a byte too much is found */
        copies[i] = malloc(strlen(texts[i]) ? strlen(texts[i]) : 1);
        memcpy(copies[i], texts[i], strlen(texts[i]));
    }
    return (cell_str){copies[i], strlen(texts[i])};
}

static double random_real(struct hot_random *random)
{
    static const double special[] = {0,      -0.0,    1,       -1,           0.5,           INFINITY, -INFINITY, NAN,
                                     5e-324, 1.7e308, -1e-310, 2147483647.5, -2147483648.5, 9.3e18,   1.9e19,    255.9};
    double d;
    uint64_t bits = hot_next(random);
    switch (hot_below(random, 4)) {
    case 0:
        return special[hot_below(random, sizeof(special) / sizeof(special[0]))];
    case 1:
        memcpy(&d, &bits, sizeof(d));
        return d;
    case 2:
        return (double)(int64_t)bits / 1e9;
    default:
        return (double)hot_below(random, 100) / 8 - 5;
    }
}

static void fill(struct hot_random *random, char *to, const struct schema_ref *type);

static void fill_one(struct hot_random *random, char *to, const struct schema_ref *type)
{
    const double real = random_real(random);
    const float f = (float)real;
    const cell_str s = random_string(random);
    uint64_t bits = hot_next(random) >> hot_below(random, 64);
    switch (type->kind) {
    case CELL_KIND_STRUCT:
        for (uint32_t i = 0; i < type->named->nfields; i++)
            fill(random, to + type->named->fields[i].offset, &type->named->fields[i].type);
        break;
    case CELL_KIND_STR:
        memcpy(to, &s, sizeof(s));
        break;
    case CELL_KIND_F64:
        memcpy(to, &real, sizeof(real));
        break;
    case CELL_KIND_F32:
        memcpy(to, &f, sizeof(f));
        break;
    case CELL_KIND_BOOL:
        *to = bits & 1;
        break;
    default:
        bits = hot_below(random, 3) ? bits : hot_below(random, 2) ? 0 - bits : hot_below(random, 10);
        if (hot_below(random, 8) == 0)
            bits = UINT64_C(1) << (cell_ast_width(cell_ast_scalar(type)) - 1);
        memcpy(to, &bits, cell_schema_use_size(type));
    }
}

static void fill(struct hot_random *random, char *to, const struct schema_ref *type)
{
    struct schema_ref one = *type;
    one.count = 0;
    for (uint32_t i = 0; i < (type->count ? type->count : 1); i++)
        fill_one(random, to + i * cell_schema_use_size(&one), &one);
}

void *hot_random_object(struct hot_random *random, const struct schema_ref *type)
{
    char *object = calloc(1, cell_schema_use_size(type));
    fill(random, object, type);
    return object;
}

static bool same_one(const char *a, const char *b, const struct schema_ref *type)
{
    double x, y;
    float v, w;
    cell_str s, t;
    switch (type->kind) {
    case CELL_KIND_STRUCT:
        for (uint32_t i = 0; i < type->named->nfields; i++) {
            const struct schema_field *f = &type->named->fields[i];
            if (!hot_same_object(a + f->offset, b + f->offset, &f->type))
                return false;
        }
        return true;
    case CELL_KIND_STR:
        memcpy(&s, a, sizeof(s));
        memcpy(&t, b, sizeof(t));
        return s.len == t.len && (s.len == 0 || memcmp(s.ptr, t.ptr, s.len) == 0);
    case CELL_KIND_F64:
        memcpy(&x, a, sizeof(x));
        memcpy(&y, b, sizeof(y));
        return (isnan(x) && isnan(y)) || memcmp(a, b, sizeof(x)) == 0;
    case CELL_KIND_F32:
        memcpy(&v, a, sizeof(v));
        memcpy(&w, b, sizeof(w));
        return (isnan(v) && isnan(w)) || memcmp(a, b, sizeof(v)) == 0;
    default:
        return memcmp(a, b, cell_schema_use_size(type)) == 0;
    }
}

bool hot_same_object(const void *a, const void *b, const struct schema_ref *type)
{
    struct schema_ref one = *type;
    one.count = 0;
    const size_t size = cell_schema_use_size(&one);
    for (uint32_t i = 0; i < (type->count ? type->count : 1); i++)
        if (!same_one((const char *)a + i * size, (const char *)b + i * size, &one))
            return false;
    return true;
}
