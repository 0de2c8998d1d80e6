/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "cell/text.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

int32_t cell_str_compare(cell_str a, cell_str b)
{
    const uint64_t n = a.len < b.len ? a.len : b.len;
    const int order = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return order ? (order > 0) - (order < 0) : (a.len > b.len) - (a.len < b.len);
}

int64_t cell_str_find(cell_str s, cell_str part)
{
    const char *p;
    if (part.len == 0)
        return 0;
    p = part.len <= s.len ? memmem(s.ptr, s.len, part.ptr, part.len) : NULL;
    return p ? p - s.ptr : -1;
}

bool cell_str_starts(cell_str s, cell_str part)
{
    return part.len == 0 || (part.len <= s.len && memcmp(s.ptr, part.ptr, part.len) == 0);
}

bool cell_str_ends(cell_str s, cell_str part)
{
    return part.len == 0 || (part.len <= s.len && memcmp(s.ptr + (s.len - part.len), part.ptr, part.len) == 0);
}

cell_str cell_str_sub(cell_str s, uint64_t begin, uint64_t len)
{
    begin = begin < s.len ? begin : s.len;
    len = len < s.len - begin ? len : s.len - begin;
    return (cell_str){s.len ? s.ptr + begin : s.ptr, len};
}

/* ---- characters ---- */

/* Bytes of the character at `i`; 0 = none begins there. */
static int utf8_length(cell_str s, uint64_t i)
{
    static const struct {
        uint8_t first, last, low, high; /* of the first byte, and of the one behind it */
        int length;
    } forms[] = {{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
                 {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
                 {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    if (i >= s.len)
        return 0;
    const uint8_t *p = (const uint8_t *)s.ptr + i;
    if (p[0] < 0x80)
        return 1;
    for (size_t k = 0; k < sizeof(forms) / sizeof(forms[0]); k++) {
        if (p[0] < forms[k].first || p[0] > forms[k].last)
            continue;
        if (s.len - i < (uint64_t)forms[k].length || p[1] < forms[k].low || p[1] > forms[k].high)
            return 0;
        for (int b = 2; b < forms[k].length; b++)
            if ((p[b] & 0xc0) != 0x80)
                return 0;
        return forms[k].length;
    }
    return 0;
}

int32_t cell_str_utf8_at(cell_str s, uint64_t i)
{
    const int n = utf8_length(s, i);
    if (n == 0)
        return -1;
    int32_t c = (uint8_t)s.ptr[i];
    if (n > 1)
        c &= 0x7f >> n;
    for (int k = 1; k < n; k++)
        c = c * 64 + ((uint8_t)s.ptr[i + (uint64_t)k] & 0x3f);
    return c;
}

uint64_t cell_str_utf8_next(cell_str s, uint64_t i)
{
    const int n = utf8_length(s, i);
    return i >= s.len ? s.len : i + (n ? (uint64_t)n : 1);
}

/* ---- numbers ---- */

static bool read_i64(cell_str s, int64_t *value)
{
    const bool minus = s.len && s.ptr[0] == '-';
    uint64_t i = minus || (s.len && s.ptr[0] == '+'), v = 0;
    if (i == s.len)
        return false;
    for (; i < s.len; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9' || __builtin_mul_overflow(v, UINT64_C(10), &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.ptr[i] - '0'), &v) || v > (uint64_t)INT64_MAX + minus)
            return false;
    *value = (int64_t)(minus ? 0 - v : v);
    return true;
}

bool cell_str_is_i64(cell_str s)
{
    int64_t v;
    return read_i64(s, &v);
}

int64_t cell_str_parse_i64(cell_str s, int64_t otherwise)
{
    int64_t v = otherwise;
    read_i64(s, &v);
    return v;
}

#define MOST_DIGITS 40
#define FAR INT64_C(1000000000000000) /* exponents beyond it are all the same */

/* [eE][+-] digits from `i` on, to the end. */
static bool read_exponent(cell_str s, uint64_t i, int64_t *e)
{
    int64_t written = 0;
    if (i == s.len)
        return true;
    if (s.ptr[i] != 'e' && s.ptr[i] != 'E')
        return false;
    i++;
    const bool less = i < s.len && s.ptr[i] == '-';
    i += less || (i < s.len && s.ptr[i] == '+');
    if (i == s.len)
        return false;
    for (; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        if (written < FAR)
            written = written * 10 + (s.ptr[i] - '0');
    }
    *e += less ? -written : written;
    return true;
}

static bool read_f64(cell_str s, double *value)
{
    char digits[MOST_DIGITS + 1], text[MOST_DIGITS + 40];
    const bool minus = s.len && s.ptr[0] == '-';
    uint64_t i = minus || (s.len && s.ptr[0] == '+');
    int n = 0;
    int64_t e = 0;
    bool any = false, point = false;
    for (; i < s.len; i++) {
        const char c = s.ptr[i];
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9')
            break;
        any = true;
        e -= point;
        if (n == 0 && c == '0')
            continue;
        if (n == MOST_DIGITS)
            return false;
        digits[n++] = c;
    }
    if (!any || !read_exponent(s, i, &e))
        return false;
    /* Without a point the locale says nothing about it. */
    snprintf(text, sizeof(text), "%s%.*se%lld", minus ? "-" : "", n ? n : 1, n ? digits : "0", (long long)e);
    const double v = strtod(text, NULL);
    if (isinf(v))
        return false;
    *value = v;
    return true;
}

bool cell_str_is_f64(cell_str s)
{
    double v;
    return read_f64(s, &v);
}

double cell_str_parse_f64(cell_str s, double otherwise)
{
    double v = otherwise;
    read_f64(s, &v);
    return v;
}
