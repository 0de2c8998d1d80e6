/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Every form of loop that is served, and of switch. */
#include <stdbool.h>

#include <cell/serve.h>

CELL_PROVIDE(loops, "Loops");

#define N 8
static const int32_t primes[N] = {2, 3, 5, 7, 11, 13, 17, 19};
static const uint8_t square[3][3] = {{2, 7, 6}, {9, 5, 1}, {4, 3, 8}};

static const char letters[] = "served";
static const signed char grid[2][4] = {{'a', -1}, "bc"};

CELL_HOT int32_t loops_letters(uint8_t i, uint16_t j) { return letters[i % 7] * 3 + grid[i & 1][j & 3]; }

CELL_HOT int32_t loops_counted(int32_t a, uint32_t b)
{
    int32_t s = 0, i, j;
    for (int k = 0; k < N; k++)
        s += primes[k] * (a >> k);
    for (int k = N - 1; k >= 0; k--)
        s = s * 3 + primes[k];
    for (unsigned k = N; k-- > 0;)
        s ^= primes[k] << k;
    for (i = 1; i <= 5; ++i)
        for (j = i; j < 6; j += 1)
            s += i * j;
    for (i = 5; 0 < i; i -= 1)
        s -= i;
    for (int k = 0; k < 20; k += 3)
        s += k;
    for (int k = 20; k > 0; k -= 6)
        s = s * 5 + k;
    for (uint8_t k = 250; k < 255; k++)
        s += k;
    for (uint32_t k = b % 10; k < 10; k++)
        s += (int32_t)k;
    return s;
}

CELL_HOT int loops_bounded(const int32_t a[16], int32_t n, int32_t from, int32_t *sum, int32_t *seen)
{
    int32_t s = 0, last = -1;
    if (n < 0 || n > 16)
        return CELL_OUT_OF_RANGE;
    for (int i = 0; i < n; i++) {
        if (a[i] == 7)
            continue;
        if (a[i] == -3)
            break;
        s += a[i];
        last = i;
    }
    for (int32_t i = n - 1; i >= 0; i--)
        s ^= a[i] << 1;
    if (from >= 0 && from < 16)
        for (int32_t i = from; i <= 15; i++)
            s += a[i];
    *sum = s;
    *seen = last;
    return 0;
}

/* Loops that are bounded by what is stated. */
CELL_HOT CELL_FAULT(CELL_ABORTED)
int loops_stated(uint32_t n, uint32_t *steps, uint32_t *digits)
{
    uint32_t k = 0, d = 0, m = n;
    while (m > 0) {
        CELL_BOUND(10);
        m /= 10;
        d++;
    }
    m = n;
    do {
        CELL_BOUND(64);
        if (m % 5 == 1) {
            m -= 1;
            continue;
        }
        m >>= 1;
        k++;
    } while (m > 1);
    for (;;) {
        CELL_BOUND(40);
        if (k++ > 35)
            break;
    }
    for (uint32_t i = 1; i < n % 1000; i *= 2) {
        CELL_BOUND(10);
        if (i == 64)
            continue;
        k += i;
    }
    *steps = k;
    *digits = d;
    return 0;
}

/* One step more than is stated is a fault; the cell's own function answers the same. */
CELL_HOT CELL_FAULT(CELL_ABORTED) enum cell_status loops_exceeded(uint32_t n)
{
    if (n % 64 > 20)
        return CELL_ABORTED;
    for (uint32_t i = 0; i < n % 64; i++) {
        CELL_BOUND(20);
    }
    return CELL_OK;
}

CELL_HOT int32_t loops_break(uint32_t n)
{
    int32_t found = -1;
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            if (square[i][j] != n % 10)
                continue;
            found = i * 3 + j;
            switch (j) {
            case 0:
                continue;
            case 1:
                break;
            default:
                found += 100;
            }
            break;
        }
        if (found >= 0)
            break;
    }
    do {
        if (found == 4)
            break;
        found++;
    } while (0);
    return found;
}

CELL_HOT int32_t loops_switch(int32_t a, uint8_t b, int64_t c)
{
    int32_t r = 0;
    switch (a % 8) {
    case -2 ... 1:
        r = 1;
        break;
    case 2:
    case 3:
        return 2;
    case 4: {
        int32_t t = a;
        t *= 2;
        r = t;
        break;
    }
    case 5:
        if (b > 3) {
            r = 7;
            break;
        } else {
            return 8;
        }
    default:
        r = 9;
    }
    switch (b) {
    case 'a':
    case 'b':
    default:
        r += 1;
        break;
    case 0:
        break;
    }
    switch (c) {
    case -1:
        r = -r;
        break;
    case 4294967297:
        r ^= 5;
    }
    return r;
}

CELL_HOT uint64_t loops_string(cell_str s, uint16_t most)
{
    uint64_t h = 14695981039346656037u;
    for (int i = 0; i < 64 && (uint64_t)i < s.len && i < most; i++) {
        h ^= (uint8_t)s.ptr[i];
        h *= 1099511628211u;
        h += (uint64_t)(int64_t)s.ptr[i];
    }
    return h;
}
