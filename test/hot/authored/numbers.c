/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Every integer type and operation, as C converts them. Unsigned where it wraps, or the test's compiler wraps it. */
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

#include <cell/serve.h>

CELL_PROVIDE(numbers, "Integers");

enum numbers_color { NUMBERS_RED, NUMBERS_GREEN = 5, NUMBERS_BLUE };
enum numbers_sign { NUMBERS_MINUS = -1, NUMBERS_PLUS = 1 };

#define MIX(a, b) ((a) * 31 + (b))

/* Promotions: everything smaller is an int. */
CELL_HOT int32_t numbers_promote(int8_t a, uint8_t b, int16_t c, uint16_t d, char e, bool f)
{
    return a * b + c * d - e + f + (a < b) + (c == d) * 2 + !e;
}

CELL_HOT uint64_t numbers_widths(int8_t a, uint16_t b, uint32_t c, int64_t d)
{
    uint64_t x = (uint64_t)a + b;
    x += c;
    x ^= (uint64_t)d;
    x -= (uint32_t)a;
    x *= (uint8_t)d;
    x |= (uint16_t)(c + b);
    x &= ~(uint64_t)(int8_t)c;
    return x;
}

CELL_HOT int64_t numbers_signed(int64_t a, int32_t b, int16_t c, signed char d)
{
    int64_t x = a + b;
    x -= c * d;
    x = -x * 3;
    x = ~x;
    return x;
}

/* Assignments to what is smaller than what is computed. */
CELL_HOT int32_t numbers_compound(int8_t a, uint8_t b, int16_t c, uint32_t d, unsigned long long e)
{
    a += 100;
    a *= 3;
    a -= b;
    b <<= 3;
    b >>= 1;
    b ^= 0x5a;
    c /= 7;
    c %= 100;
    c |= 0x101;
    d += a;
    d *= d;
    d %= 1000003;
    e /= d + 1;
    e &= 0xffffffffffULL;
    a++;
    --b;
    c--;
    ++d;
    return MIX(MIX(a, b), MIX(c, (int32_t)d)) + (int32_t)e;
}

CELL_HOT uint32_t numbers_shift(uint32_t a, int32_t b, uint8_t n, int64_t c)
{
    uint32_t x = a << (n & 31);
    x ^= a >> (n % 32);
    x ^= (uint32_t)(b >> (n & 31));
    x += (uint32_t)((uint64_t)c >> (n & 63));
    x ^= (uint32_t)(c >> (n & 63));
    x -= (uint32_t)(1ULL << (n & 63));
    return x;
}

CELL_HOT int numbers_divide(int32_t a, int32_t b, int64_t *quotient, int32_t *rest)
{
    if (b == 0)
        return CELL_INVALID_ARGUMENT;
    if (a == INT_MIN && b == -1)
        return CELL_OUT_OF_RANGE;
    *quotient = a / b;
    *rest = a % b;
    return 0;
}

CELL_HOT enum numbers_color numbers_next(enum numbers_color c, enum numbers_sign s)
{
    enum numbers_color next = NUMBERS_RED;
    switch (c) {
    case NUMBERS_RED:
        next = NUMBERS_GREEN;
        break;
    case NUMBERS_GREEN:
        next = s == NUMBERS_MINUS ? NUMBERS_RED : NUMBERS_BLUE;
        break;
    default:
        return (enum numbers_color)(c + (unsigned)s);
    case NUMBERS_BLUE: {
        if (s > 0)
            break;
        next = NUMBERS_GREEN;
    }
    }
    return next;
}

CELL_HOT bool numbers_logic(int32_t a, uint64_t b, double c, bool d, float e)
{
    bool x = a && b, y = a || c, z = !d;
    if (e)
        x = !x;
    if (!c || (a > 3 && b < 7) || !(d || z))
        y = !y;
    z ^= x;
    return (x == y) != z || (_Bool)a;
}

/* Comparisons between types: C converts one of them first. */
CELL_HOT int32_t numbers_compare(int32_t a, uint32_t b, int64_t c, uint8_t d, float e)
{
    int32_t n = 0;
    n += a < b;
    n += (a > c) << 1;
    n += (b >= c) << 2;
    n += (d != a) << 3;
    n += (e <= a) << 4;
    n += (d == (uint8_t)c) << 5;
    return n + (a < 0 ? -1 : a > 0);
}

CELL_HOT int64_t numbers_choose(int32_t a, uint8_t b, int64_t c)
{
    int64_t x = a ? b : c;
    x += a > 10 ? a : a < -10 ? -(int64_t)a : 10;
    x += a ?: 7;
    return x + abs(a % 1000) + llabs(c % 100000) + (a, b);
}

CELL_HOT uint64_t numbers_collatz(uint32_t n)
{
    uint64_t x = n, steps = 0;
    for (int k = 0; k < 200 && x > 1; k++) {
        if (x & 1)
            x = 3 * x + 1;
        else
            x /= 2;
        steps++;
    }
    return steps * 1000 + x % 1000;
}

static uint32_t gcd(uint32_t a, uint32_t b)
{
    for (int k = 0; k < 64; k++) {
        uint32_t t = b;
        if (!b)
            break;
        b = a % b;
        a = t;
    }
    return a;
}

CELL_HOT int numbers_reduce(uint32_t a, uint32_t b, uint32_t *p, uint32_t *q)
{
    uint32_t g = gcd(a, b);
    if (g == 0)
        return CELL_INVALID_ARGUMENT;
    *p = a / g, *q = b / g;
    return CELL_OK;
}

/* Steps and assignments inside of expressions, where they are reached in any case. */
CELL_HOT int32_t numbers_inside(int32_t a, uint8_t b)
{
    int32_t x, y, t[4] = {0};
    uint32_t n = 0;
    x = y = a;
    t[n++] = x--;
    t[n++] = ++b;
    t[n++ & 3] += b-- + 2;
    if ((x = y + 1) > 5)
        y -= 2;
    return t[0] + 3 * t[1] + 7 * t[2] + x * (int32_t)n + y + (b += 3, b);
}

CELL_HOT size_t numbers_sizes(void)
{
    return sizeof(int) + sizeof(struct {
                             char c;
                             double d;
                         }) * 10 +
           _Alignof(double) * 100 + (size_t)INT8_MIN;
}
