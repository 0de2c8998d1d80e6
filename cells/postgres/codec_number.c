/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * numeric in binary: four 16-bit words (number of digits, weight of the first one, sign, digits after the point for
 * people), then digits to the base 10000. src/backend/utils/adt/numeric.c, numeric_send and numeric_recv.
 */
#include "codec.h"

#include <stdio.h>
#include <string.h>

#define POSITIVE 0x0000
#define NEGATIVE 0x4000
#define NOT_A_NUMBER 0xc000
#define INFINITE 0xd000
#define MINUS_INFINITE 0xf000
#define MOST_BEFORE 131072 /* decimal digits before the point, and after it */
#define MOST_AFTER 16383

static void put16(char *at, unsigned value)
{
    at[0] = (char)(value >> 8);
    at[1] = (char)value;
}

static unsigned get16(const char *at) { return ((unsigned)(unsigned char)at[0] << 8) | (unsigned char)at[1]; }

static void put_head(char *at, unsigned digits, int weight, unsigned sign, unsigned scale)
{
    put16(at, digits);
    put16(at + 2, (unsigned)weight & 0xffff);
    put16(at + 4, sign);
    put16(at + 6, scale);
}

int pg_numeric_from_integer(bool negative, uint64_t absolute, struct pg_arena *arena, struct pg_encoded *value)
{
    unsigned digits[5], n = 0;

    for (uint64_t rest = absolute; rest; rest /= 10000)
        digits[n++] = (unsigned)(rest % 10000);
    char *data = pg_alloc(arena, 8 + 2 * n);
    if (!data)
        return CELL_NO_MEMORY;
    put_head(data, n, n ? (int)n - 1 : 0, negative && absolute ? NEGATIVE : POSITIVE, 0);
    for (unsigned i = 0; i < n; i++)
        put16(data + 8 + 2 * i, digits[n - 1 - i]);
    value->data = data;
    value->length = (int)(8 + 2 * n);
    return CELL_OK;
}

struct decimal {
    const char *before, *after;
    size_t nbefore, nafter;
    bool negative;
};

static bool parse_decimal(const char *text, size_t length, struct decimal *d)
{
    *d = (struct decimal){0};
    if (length == 0) /* also where there is no text at all: nothing to point into */
        return false;
    const char *end = text + length;
    if (text < end && (*text == '-' || *text == '+'))
        d->negative = *text++ == '-';
    d->before = text;
    while (text < end && *text >= '0' && *text <= '9')
        text++;
    d->nbefore = (size_t)(text - d->before);
    if (text < end && *text == '.') {
        d->after = ++text;
        while (text < end && *text >= '0' && *text <= '9')
            text++;
        d->nafter = (size_t)(text - d->after);
    }
    if (text != end || d->nbefore + d->nafter == 0)
        return false;
    for (; d->nbefore > 0 && *d->before == '0'; d->nbefore--)
        d->before++;
    return d->nbefore <= MOST_BEFORE && d->nafter <= MOST_AFTER;
}

/* The decimal digit at `position` from the point: -1 is the one before it. */
static unsigned digit_at(const struct decimal *d, long position)
{
    if (position < 0)
        return (size_t)-position <= d->nbefore ? (unsigned)(d->before[(long)d->nbefore + position] - '0') : 0;
    return (size_t)position < d->nafter ? (unsigned)(d->after[position] - '0') : 0;
}

int pg_numeric_from_text(const char *text, size_t length, struct pg_arena *arena, struct pg_encoded *value)
{
    struct decimal d;

    int special = length == 3 && memcmp(text, "NaN", 3) == 0         ? NOT_A_NUMBER
                  : length == 8 && memcmp(text, "Infinity", 8) == 0  ? INFINITE
                  : length == 9 && memcmp(text, "-Infinity", 9) == 0 ? MINUS_INFINITE
                                                                     : POSITIVE;
    if (special != POSITIVE) {
        put_head(value->small, 0, 0, special, 0);
        value->data = value->small;
        value->length = 8;
        return CELL_OK;
    }
    if (!parse_decimal(text, length, &d))
        return CELL_INVALID_ARGUMENT;
    long groups_before = ((long)d.nbefore + 3) / 4, groups = groups_before + ((long)d.nafter + 3) / 4;
    char *data = pg_alloc(arena, 8 + 2 * (size_t)groups);
    if (!data)
        return CELL_NO_MEMORY;
    long first = -1, last = -1;
    for (long g = 0; g < groups; g++) {
        unsigned group = 0;
        for (long k = 0; k < 4; k++)
            group = group * 10 + digit_at(&d, (g - groups_before) * 4 + k);
        put16(data + 8 + 2 * g, group);
        if (group) {
            first = first < 0 ? g : first;
            last = g;
        }
    }
    long n = first < 0 ? 0 : last - first + 1;
    if (n > 0 && first > 0)
        memmove(data + 8, data + 8 + 2 * first, 2 * (size_t)n);
    put_head(data, (unsigned)n, n ? (int)(groups_before - 1 - first) : 0, n && d.negative ? NEGATIVE : POSITIVE,
             (unsigned)d.nafter);
    value->data = data;
    value->length = (int)(8 + 2 * n);
    return CELL_OK;
}

struct numeric {
    unsigned n, sign, scale;
    int weight;
    const char *digits;
};

static int read_numeric(const char *data, int length, struct numeric *v)
{
    if (length < 8)
        return CELL_DATA_LOSS;
    *v = (struct numeric){get16(data), get16(data + 4), get16(data + 6), (int16_t)get16(data + 2), data + 8};
    if (length != 8 + 2 * (int)v->n || v->scale > MOST_AFTER)
        return CELL_DATA_LOSS;
    for (unsigned i = 0; i < v->n; i++)
        if (get16(v->digits + 2 * i) > 9999)
            return CELL_DATA_LOSS;
    return CELL_OK;
}

int pg_numeric_to_integer(const char *data, int length, bool *negative, uint64_t *absolute)
{
    struct numeric v;
    int r = read_numeric(data, length, &v);

    if (r < 0)
        return r;
    if (v.sign != POSITIVE && v.sign != NEGATIVE)
        return CELL_OUT_OF_RANGE;
    *negative = v.sign == NEGATIVE;
    *absolute = 0;
    for (unsigned i = 0; i < v.n; i++)
        if ((int)i > v.weight && get16(v.digits + 2 * i) != 0) /* a fraction */
            return CELL_OUT_OF_RANGE;
    for (int i = 0; v.n > 0 && i <= v.weight; i++) {
        unsigned digit = i < (int)v.n ? get16(v.digits + 2 * i) : 0;
        if (__builtin_mul_overflow(*absolute, 10000, absolute) || __builtin_add_overflow(*absolute, digit, absolute))
            return CELL_OUT_OF_RANGE;
    }
    return CELL_OK;
}

static int constant(const char *text, cell_str *out)
{
    *out = cell_strz(text);
    return CELL_OK;
}

/* The digit to the base 10000 of that weight. */
static unsigned digit_of(const struct numeric *v, int weight)
{
    int i = v->weight - weight;

    return i >= 0 && i < (int)v->n ? get16(v->digits + 2 * i) : 0;
}

int pg_numeric_to_text(const char *data, int length, const struct pg_sink *sink, cell_str *text)
{
    struct numeric v;
    int r = read_numeric(data, length, &v);

    if (r < 0)
        return r;
    if (v.sign == NOT_A_NUMBER)
        return constant("NaN", text);
    if (v.sign == INFINITE || v.sign == MINUS_INFINITE)
        return constant(v.sign == INFINITE ? "Infinity" : "-Infinity", text);
    if (v.sign != POSITIVE && v.sign != NEGATIVE)
        return CELL_DATA_LOSS;
    int weight = v.weight > 0 ? v.weight : 0;
    char *out = pg_sink_alloc(sink, 4 * ((size_t)weight + 1) + v.scale + 8);
    if (!out)
        return CELL_NO_MEMORY;
    size_t n = 0;
    if (v.sign == NEGATIVE)
        out[n++] = '-';
    n += (size_t)sprintf(out + n, "%u", digit_of(&v, weight));
    for (int w = weight - 1; w >= 0; w--)
        n += (size_t)sprintf(out + n, "%04u", digit_of(&v, w));
    if (v.scale > 0)
        out[n++] = '.';
    for (unsigned i = 0; i < v.scale; i++) {
        static const unsigned powers[] = {1000, 100, 10, 1};
        out[n++] = (char)('0' + digit_of(&v, -1 - (int)(i / 4)) / powers[i % 4] % 10);
    }
    out[n] = '\0';
    *text = (cell_str){out, n};
    return CELL_OK;
}
