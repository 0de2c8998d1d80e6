/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "sketch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- quantiles ---- */

#define LOG_G 0.020000666706669435 /* log(1.01 / 0.99) */
#define LEAST 0x1p-64
#define MOST 0x1p127
/* Buckets of the magnitudes begin behind 0, so that all of them are larger. */
#define ABOVE_ZERO 2220

static int32_t bucket_of(double value)
{
    double magnitude = fabs(value);

    if (magnitude < LEAST)
        return 0;
    int32_t at = (int32_t)ceil(log(magnitude > MOST ? MOST : magnitude) / LOG_G) + ABOVE_ZERO;
    return value < 0 ? -at : at;
}

/* In the middle of the bucket, in the sense that it is equally far from both ends by ratio of their difference. */
static double value_of(int32_t at)
{
    if (at == 0)
        return 0;
    double middle = 2 * exp((double)(abs(at) - ABOVE_ZERO) * LOG_G) / (exp(LOG_G) + 1);
    return at < 0 ? -middle : middle;
}

static uint32_t find_bucket(const struct an_quantiles *q, int32_t at)
{
    uint32_t low = 0, high = q ? q->n : 0;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (q->buckets[middle].at < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool make_room(struct an_quantiles **q, uint32_t room)
{
    struct an_quantiles *larger = realloc(*q, sizeof(*larger) + room * sizeof(larger->buckets[0]));

    if (!larger)
        return false;
    if (!*q)
        larger->n = 0;
    larger->room = room;
    *q = larger;
    return true;
}

static bool add_to_bucket(struct an_quantiles **q, int32_t at, uint64_t count)
{
    uint32_t i = find_bucket(*q, at);

    if (*q && i < (*q)->n && (*q)->buckets[i].at == at) {
        (*q)->buckets[i].count += count;
        return true;
    }
    if ((!*q || (*q)->n == (*q)->room) && !make_room(q, *q ? (*q)->room + (*q)->room / 2 + 1 : 2))
        return false;
    struct an_bucket *to = &(*q)->buckets[i];
    memmove(to + 1, to, ((*q)->n - i) * sizeof(*to));
    *to = (struct an_bucket){.at = at, .count = count};
    (*q)->n++;
    return true;
}

bool an_quantiles_add(struct an_quantiles **q, double value, uint64_t count)
{
    return isnan(value) || add_to_bucket(q, bucket_of(value), count);
}

bool an_quantiles_merge(struct an_quantiles **to, const struct an_quantiles *from)
{
    for (uint32_t i = 0; from && i < from->n; i++)
        if (!add_to_bucket(to, from->buckets[i].at, from->buckets[i].count))
            return false;
    return true;
}

double an_quantiles_get(const struct an_quantiles *q, double quantile)
{
    uint64_t n = 0, before = 0;
    uint32_t i = 0;

    if (!q || q->n == 0)
        return 0;
    for (uint32_t k = 0; k < q->n; k++)
        n += q->buckets[k].count;
    uint64_t rank = (uint64_t)(quantile * (double)(n - 1));
    while (i + 1 < q->n && before + q->buckets[i].count <= rank)
        before += q->buckets[i++].count;
    return value_of(q->buckets[i].at);
}

bool an_quantiles_restore(struct an_quantiles **q, const struct an_bucket *buckets, uint32_t n)
{
    uint64_t all = 0;

    *q = NULL;
    if (n == 0)
        return true;
    if (n > AN_MOST_BUCKETS)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        const struct an_bucket *b = &buckets[i];
        if (b->count == 0 || __builtin_add_overflow(all, b->count, &all) || b->reserved || b->at > AN_MOST_BUCKETS ||
            b->at < -AN_MOST_BUCKETS || (i > 0 && b->at <= buckets[i - 1].at))
            return false;
    }
    if (!make_room(q, n))
        return false;
    memcpy((*q)->buckets, buckets, n * sizeof(*buckets));
    (*q)->n = n;
    return true;
}

/* ---- distinct counts ---- */

#define BITS 12 /* of AN_REGISTERS */
#define MOST_RANK (64 - BITS + 1)

static uint64_t mix(uint64_t h)
{
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    return h ^ h >> 32;
}

uint64_t an_hash(const void *bytes, uint32_t n)
{
    const uint8_t *at = bytes;
    uint64_t h = UINT64_C(0x9e3779b97f4a7c15) * (n + 1), word;

    for (; n > 0; at += 8) {
        uint32_t some = n < 8 ? n : 8;
        word = 0;
        memcpy(&word, at, some);
        h = mix(h ^ word) + UINT64_C(0x9e3779b97f4a7c15);
        n -= some;
    }
    return mix(h);
}

static void to_register(uint8_t *registers, uint64_t hash)
{
    uint64_t rest = hash << BITS;
    uint8_t rank = rest ? (uint8_t)(__builtin_clzll(rest) + 1) : MOST_RANK;
    uint8_t *to = &registers[hash >> (64 - BITS)];

    *to = rank > *to ? rank : *to;
}

static struct an_distinct *new_registers(void) { return calloc(1, sizeof(struct an_distinct) + AN_REGISTERS); }

static bool to_registers(struct an_distinct **d)
{
    struct an_distinct *made = new_registers();

    if (!made)
        return false;
    for (uint32_t i = 0; i < (*d)->n; i++)
        to_register(an_distinct_registers(made), an_distinct_hashes(*d)[i]);
    free(*d);
    *d = made;
    return true;
}

static bool more_hashes(struct an_distinct **d)
{
    uint32_t room = !*d ? 2 : (*d)->room * 2;
    struct an_distinct *larger = realloc(*d, sizeof(struct an_distinct) + room * sizeof(uint64_t));

    if (!larger)
        return false;
    if (!*d)
        larger->n = 0;
    larger->room = room;
    *d = larger;
    return true;
}

bool an_distinct_add(struct an_distinct **d, uint64_t hash)
{
    uint32_t low = 0, high = *d ? (*d)->n : 0;

    if (*d && (*d)->room == 0) {
        to_register(an_distinct_registers(*d), hash);
        return true;
    }
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (an_distinct_hashes(*d)[middle] < hash)
            low = middle + 1;
        else
            high = middle;
    }
    if (*d && low < (*d)->n && an_distinct_hashes(*d)[low] == hash)
        return true;
    if (*d && (*d)->n == AN_DISTINCT_EXACT) {
        if (!to_registers(d))
            return false;
        to_register(an_distinct_registers(*d), hash);
        return true;
    }
    if ((!*d || (*d)->n == (*d)->room) && !more_hashes(d))
        return false;
    uint64_t *to = an_distinct_hashes(*d) + low;
    memmove(to + 1, to, ((*d)->n - low) * sizeof(*to));
    *to = hash;
    (*d)->n++;
    return true;
}

bool an_distinct_merge(struct an_distinct **to, const struct an_distinct *from)
{
    if (!from)
        return true;
    if (from->room > 0) {
        for (uint32_t i = 0; i < from->n; i++)
            if (!an_distinct_add(to, an_distinct_hashes(from)[i]))
                return false;
        return true;
    }
    if (!*to)
        *to = new_registers();
    if (!*to || ((*to)->room > 0 && !to_registers(to)))
        return false;
    for (uint32_t i = 0; i < AN_REGISTERS; i++)
        an_distinct_registers(*to)[i] = an_distinct_registers(from)[i] > an_distinct_registers(*to)[i]
                                            ? an_distinct_registers(from)[i]
                                            : an_distinct_registers(*to)[i];
    return true;
}

/* Sums of x^(2^k) and of (1 - x^(2^-k))^2, which correct for registers that are empty and full (Ertl, section 3.3). */
static double sigma(double x)
{
    double y = 1, z = x, before;

    if (x == 1)
        return INFINITY;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (z != before);
    return z;
}

static double tau(double x)
{
    double y = 1, z = 1 - x, before;

    if (x == 0 || x == 1)
        return 0;
    do {
        x = sqrt(x);
        before = z;
        y /= 2;
        z -= (1 - x) * (1 - x) * y;
    } while (z != before);
    return z / 3;
}

double an_distinct_get(const struct an_distinct *d)
{
    uint32_t ranks[MOST_RANK + 1] = {0};
    const double m = AN_REGISTERS;

    if (!d || d->room > 0)
        return d ? d->n : 0;
    for (uint32_t i = 0; i < AN_REGISTERS; i++)
        ranks[an_distinct_registers(d)[i]]++;
    double z = m * tau(1 - ranks[MOST_RANK] / m);
    for (int k = MOST_RANK - 1; k >= 1; k--)
        z = 0.5 * (z + ranks[k]);
    z += m * sigma(ranks[0] / m);
    return m * m / (2 * log(2) * z);
}

bool an_distinct_restore(struct an_distinct **d, const void *bytes, uint32_t n, bool registers)
{
    *d = NULL;
    if (n == 0 && !registers)
        return true;
    if (registers ? n != AN_REGISTERS : n > AN_DISTINCT_EXACT)
        return false;
    if (registers) {
        for (uint32_t i = 0; i < n; i++)
            if (((const uint8_t *)bytes)[i] > MOST_RANK)
                return false;
        *d = new_registers();
        if (*d)
            memcpy(an_distinct_registers(*d), bytes, n);
        return *d != NULL;
    }
    while (!*d || (*d)->room < n)
        if (!more_hashes(d))
            return false;
    memcpy(an_distinct_hashes(*d), bytes, n * sizeof(uint64_t));
    (*d)->n = n;
    for (uint32_t i = 1; i < n; i++)
        if (an_distinct_hashes(*d)[i] <= an_distinct_hashes(*d)[i - 1]) {
            free(*d);
            *d = NULL;
            return false;
        }
    return true;
}
