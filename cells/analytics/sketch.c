/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "sketch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

#define REGISTER_BYTES ((uint32_t)(sizeof(struct an_distinct) + AN_REGISTERS))

static struct an_distinct *new_registers(struct an_pool *pool)
{
    struct an_distinct *made = an_pool_keep(pool, REGISTER_BYTES); /* which never become anything else */

    return made ? memset(made, 0, REGISTER_BYTES) : NULL;
}

static uint32_t hash_bytes(uint32_t room) { return (uint32_t)(sizeof(struct an_distinct) + room * sizeof(uint64_t)); }

static bool to_registers(struct an_pool *pool, struct an_distinct **d)
{
    struct an_distinct *made = new_registers(pool);

    if (!made)
        return false;
    for (uint32_t i = 0; i < (*d)->n; i++)
        to_register(an_distinct_registers(made), an_distinct_hashes(*d)[i]);
    an_pool_give(pool, *d, hash_bytes((*d)->room));
    *d = made;
    return true;
}

/* As many as the block has room for. */
static bool more_hashes(struct an_pool *pool, struct an_distinct **d)
{
    struct an_distinct *former = *d;
    uint32_t bytes = an_pool_size(hash_bytes(former ? former->room + 1 : 2));
    struct an_distinct *larger = an_pool_take(pool, bytes);

    if (!larger)
        return false;
    larger->n = former ? former->n : 0;
    larger->room = (bytes - (uint32_t)sizeof(*larger)) / (uint32_t)sizeof(uint64_t);
    if (former) {
        memcpy(an_distinct_hashes(larger), an_distinct_hashes(former), former->n * sizeof(uint64_t));
        an_pool_give(pool, former, hash_bytes(former->room));
    }
    *d = larger;
    return true;
}

bool an_distinct_add(struct an_pool *pool, struct an_distinct **d, uint64_t hash)
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
        if (!to_registers(pool, d))
            return false;
        to_register(an_distinct_registers(*d), hash);
        return true;
    }
    if ((!*d || (*d)->n == (*d)->room) && !more_hashes(pool, d))
        return false;
    uint64_t *to = an_distinct_hashes(*d) + low;
    memmove(to + 1, to, ((*d)->n - low) * sizeof(*to));
    *to = hash;
    (*d)->n++;
    return true;
}

bool an_distinct_merge(struct an_pool *pool, struct an_distinct **to, const struct an_distinct *from)
{
    if (!from)
        return true;
    if (from->room > 0) {
        for (uint32_t i = 0; i < from->n; i++)
            if (!an_distinct_add(pool, to, an_distinct_hashes(from)[i]))
                return false;
        return true;
    }
    if (!*to)
        *to = new_registers(pool);
    if (!*to || ((*to)->room > 0 && !to_registers(pool, to)))
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

bool an_distinct_restore(struct an_pool *pool, struct an_distinct **d, const void *bytes, uint32_t n, bool registers)
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
        *d = new_registers(pool);
        if (*d)
            memcpy(an_distinct_registers(*d), bytes, n);
        return *d != NULL;
    }
    while (!*d || (*d)->room < n)
        if (!more_hashes(pool, d))
            return false;
    memcpy(an_distinct_hashes(*d), bytes, n * sizeof(uint64_t));
    (*d)->n = n;
    for (uint32_t i = 1; i < n; i++)
        if (an_distinct_hashes(*d)[i] <= an_distinct_hashes(*d)[i - 1])
            return false;
    return true;
}
