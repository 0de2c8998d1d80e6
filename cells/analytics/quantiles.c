/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sketch.h"

#define PER_OCTAVE 35
#define LEAST_EXPONENT (-64)
#define MOST_EXPONENT 127

/* Behind the header counts of `width` bytes each, and then the buckets that they are of, in order: int16_t. */
struct an_buckets {
    uint16_t n, room;
    uint16_t width; /* 1, 2, 4 or 8 */
    uint16_t units; /* the block's bytes, in 16 */
};

/* ---- buckets of values ---- */

/* Where buckets begin within a power of two: 2^(j / 35) - 1, in units of 2^-32, rounded up. */
static const uint32_t begins[PER_OCTAVE + 1] = {
    0x00000000, 0x051ed353, 0x0a57de9d, 0x0faba81e, 0x151ab8c6, 0x1aa59c42, 0x204ce109, 0x2611186c, 0x2bf2d6a6,
    0x31f2b2e6, 0x38114763, 0x3e4f3169, 0x44ad1169, 0x4b2b8b0b, 0x51cb453c, 0x588cea40, 0x5f7127c1, 0x6678aee6,
    0x6da4345e, 0x74f47076, 0x7c6a1f2a, 0x8406003c, 0x8bc8d73f, 0x93b36bb2, 0x9bc68912, 0xa402feec, 0xac69a0f6,
    0xb4fb4721, 0xbdb8cdae, 0xc6a31549, 0xcfbb031b, 0xd90180e1, 0xe2777d07, 0xec1deabc, 0xf5f5c20e, UINT32_MAX};
/* The bucket at the beginning of each 64th. No 64th has the beginnings of two others. */
static const uint8_t buckets_of_64ths[64] = {0,  0,  1,  2,  3,  3,  4,  5,  5,  6,  7,  8,  8,  9,  9,  10,
                                             11, 11, 12, 13, 13, 14, 14, 15, 16, 16, 17, 17, 18, 18, 19, 19,
                                             20, 20, 21, 22, 22, 23, 23, 24, 24, 24, 25, 25, 26, 26, 27, 27,
                                             28, 28, 29, 29, 30, 30, 30, 31, 31, 32, 32, 32, 33, 33, 34, 34};

static int16_t bucket_of(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    int exponent = (int)(bits >> 52 & 0x7ff) - 1023;
    uint32_t fraction = (uint32_t)(bits >> 20);
    if (exponent < LEAST_EXPONENT)
        return 0;
    if (exponent >= MOST_EXPONENT) {
        exponent = MOST_EXPONENT;
        fraction = 0;
    }
    int at = buckets_of_64ths[fraction >> 26];
    at += at + 1 < PER_OCTAVE && fraction >= begins[at + 1];
    at += 1 + PER_OCTAVE * (exponent - LEAST_EXPONENT);
    return (int16_t)(bits >> 63 ? -at : at);
}

/* In the middle of the bucket, in the sense that it is equally far from both ends by ratio of their difference. */
static double value_of(int16_t at)
{
    const double g = exp2(1.0 / PER_OCTAVE);
    int number = abs(at) - 1;

    if (at == 0)
        return 0;
    double begin = ldexp(exp2((double)(number % PER_OCTAVE) / PER_OCTAVE), number / PER_OCTAVE + LEAST_EXPONENT);
    return begin * 2 * g / (1 + g) * (at < 0 ? -1 : 1);
}

/* ---- blocks of buckets ---- */

static void *counts(const struct an_buckets *b) { return (void *)(b + 1); }
static int16_t *numbers(const struct an_buckets *b)
{
    return (int16_t *)((uint8_t *)counts(b) + (size_t)b->room * b->width);
}
static uint32_t block_bytes(uint32_t room, uint32_t width)
{
    return (uint32_t)sizeof(struct an_buckets) + room * (width + (uint32_t)sizeof(int16_t));
}

static uint64_t get_count(const struct an_buckets *b, uint32_t i)
{
    switch (b->width) {
    case 1:
        return ((const uint8_t *)counts(b))[i];
    case 2:
        return ((const uint16_t *)counts(b))[i];
    case 4:
        return ((const uint32_t *)counts(b))[i];
    default:
        return ((const uint64_t *)counts(b))[i];
    }
}

static void set_count(struct an_buckets *b, uint32_t i, uint64_t count)
{
    switch (b->width) {
    case 1:
        ((uint8_t *)counts(b))[i] = (uint8_t)count;
        break;
    case 2:
        ((uint16_t *)counts(b))[i] = (uint16_t)count;
        break;
    case 4:
        ((uint32_t *)counts(b))[i] = (uint32_t)count;
        break;
    default:
        ((uint64_t *)counts(b))[i] = count;
    }
}

static uint16_t width_of(uint64_t count)
{
    return count <= UINT8_MAX ? 1 : count <= UINT16_MAX ? 2 : count <= UINT32_MAX ? 4 : 8;
}

/* A block that has room for n buckets, as many as its memory takes, with what the former one has. */
static bool make_room(struct an_pool *pool, struct an_buckets **b, uint32_t n, uint16_t width)
{
    struct an_buckets *former = *b;

    width = former && former->width > width ? former->width : width;
    uint32_t bytes = an_pool_size(block_bytes((n + 1) & ~UINT32_C(1), width)); /* numbers are at even places */
    struct an_buckets *made = an_pool_take(pool, bytes);
    if (!made)
        return false;
    uint32_t room = (bytes - (uint32_t)sizeof(*made)) / (width + (uint32_t)sizeof(int16_t)) & ~UINT32_C(1);
    *made = (struct an_buckets){former ? former->n : 0, (uint16_t)room, width, (uint16_t)(bytes / 16)};
    if (former && former->width == width)
        memcpy(counts(made), counts(former), (size_t)former->n * width);
    else
        for (uint32_t i = 0; i < made->n; i++)
            set_count(made, i, get_count(former, i));
    if (former) {
        memcpy(numbers(made), numbers(former), former->n * sizeof(int16_t));
        an_pool_give(pool, former, former->units * 16u);
    }
    *b = made;
    return true;
}

/* The first bucket that is not before `at`. */
static uint32_t find_bucket(const struct an_buckets *b, int16_t at)
{
    const int16_t *base = numbers(b);
    uint32_t n = b->n;

    if (n == 0)
        return 0;
    for (uint32_t half; n > 1; n -= half) { /* without a branch that nobody can foresee */
        half = n / 2;
        base += base[half - 1] < at ? half : 0;
    }
    return (uint32_t)(base - numbers(b)) + (*base < at);
}

static bool insert_bucket(struct an_pool *pool, struct an_buckets **kept, uint32_t i, int16_t at, uint64_t count)
{
    struct an_buckets *b = *kept;
    uint32_t n = b ? b->n : 0;

    if ((!b || n == b->room || width_of(count) > b->width) && !make_room(pool, kept, n + 1, width_of(count)))
        return false;
    b = *kept;
    memmove(numbers(b) + i + 1, numbers(b) + i, (n - i) * sizeof(int16_t));
    memmove((uint8_t *)counts(b) + (size_t)(i + 1) * b->width, (uint8_t *)counts(b) + (size_t)i * b->width,
            (size_t)(n - i) * b->width);
    numbers(b)[i] = at;
    set_count(b, i, count);
    b->n++;
    return true;
}

static bool add_to_bucket(struct an_pool *pool, struct an_buckets **kept, int16_t at, uint64_t count)
{
    uint32_t i = *kept ? find_bucket(*kept, at) : 0;

    if (!*kept || i == (*kept)->n || numbers(*kept)[i] != at)
        return insert_bucket(pool, kept, i, at, count);
    count += get_count(*kept, i);
    if (width_of(count) > (*kept)->width && !make_room(pool, kept, (*kept)->n, width_of(count)))
        return false;
    set_count(*kept, i, count);
    return true;
}

/* ---- sketches ---- */

/* What memory is too short for stays fresh. */
static bool settle(struct an_pool *pool, struct an_quantiles *q)
{
    for (; q->n > 0; q->n--)
        if (!add_to_bucket(pool, &q->kept, q->fresh[q->n - 1], 1))
            return false;
    return true;
}

bool an_quantiles_add(struct an_pool *pool, struct an_quantiles *q, double value)
{
    if (isnan(value))
        return true;
    if (q->n == AN_FRESH && !settle(pool, q))
        return false;
    q->fresh[q->n++] = bucket_of(value);
    return true;
}

void an_quantiles_prefetch(const struct an_quantiles *q, uint64_t values)
{
    const uint8_t *at = (const uint8_t *)q->kept;

    if (q->n < AN_FRESH || !at)
        return;
    uint64_t bytes = block_bytes(values < 128 ? (uint32_t)values : 128, 1);
    for (uint64_t i = 0; i < bytes; i += 64)
        __builtin_prefetch(at + i, 1);
}

/* The buckets of a sketch from the least on: those that it keeps, and in between the fresh ones. */
struct walk {
    const struct an_buckets *kept;
    uint32_t i, k, n; /* n fresh ones, in order, of which the k-th is next */
    int16_t fresh[AN_FRESH];
};

static struct walk begin_walk(const struct an_quantiles *q)
{
    struct walk w = {.kept = q->kept, .n = q->n};

    for (uint32_t i = 0; i < q->n; i++) {
        uint32_t to = i;
        for (; to > 0 && w.fresh[to - 1] > q->fresh[i]; to--)
            w.fresh[to] = w.fresh[to - 1];
        w.fresh[to] = q->fresh[i];
    }
    return w;
}

static bool next_bucket(struct walk *w, int16_t *at, uint64_t *count)
{
    bool has_kept = w->kept && w->i < w->kept->n;

    if (!has_kept && w->k == w->n)
        return false;
    *count = 0;
    *at = has_kept && (w->k == w->n || numbers(w->kept)[w->i] <= w->fresh[w->k]) ? numbers(w->kept)[w->i]
                                                                                 : w->fresh[w->k];
    if (has_kept && numbers(w->kept)[w->i] == *at)
        *count = get_count(w->kept, w->i++);
    for (; w->k < w->n && w->fresh[w->k] == *at; w->k++)
        ++*count;
    return true;
}

void an_quantiles_each(const struct an_quantiles *q, an_bucket_fn *fn, void *user)
{
    struct walk w = begin_walk(q);
    uint64_t count;
    int16_t at;

    while (next_bucket(&w, &at, &count))
        fn(user, at, count);
}

bool an_quantiles_merge(struct an_pool *pool, struct an_quantiles *to, const struct an_quantiles *from)
{
    struct walk w = begin_walk(from);
    uint64_t count;
    int16_t at;

    while (next_bucket(&w, &at, &count))
        if (!add_to_bucket(pool, &to->kept, at, count))
            return false;
    return true;
}

double an_quantiles_get(const struct an_quantiles *q, double quantile)
{
    struct walk w = begin_walk(q);
    uint64_t n = q->n, before = 0, count;
    int16_t at = 0;

    for (uint32_t i = 0; q->kept && i < q->kept->n; i++)
        n += get_count(q->kept, i);
    uint64_t rank = n ? (uint64_t)(quantile * (double)(n - 1)) : 0;
    while (next_bucket(&w, &at, &count) && before + count <= rank)
        before += count;
    return value_of(at);
}

bool an_quantiles_append(struct an_pool *pool, struct an_quantiles *q, int64_t at, uint64_t count)
{
    const struct an_buckets *b = q->kept;
    int32_t last = q->n ? q->fresh[q->n - 1] : b ? numbers(b)[b->n - 1] : INT32_MIN;

    if (at < -AN_LARGEST_BUCKET || at > AN_LARGEST_BUCKET || at <= last || count == 0)
        return false;
    if (!b && count <= (uint64_t)(AN_FRESH - q->n)) {
        while (count-- > 0)
            q->fresh[q->n++] = (int16_t)at;
        return true;
    }
    return settle(pool, q) && insert_bucket(pool, &q->kept, q->kept ? q->kept->n : 0, (int16_t)at, count);
}
