/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "distance.h"

#include <math.h>

/* What chooses runs before ThreadSanitizer does. */
#if defined(__x86_64__) && !__has_feature(thread_sanitizer)
#define FOR_PROCESSORS __attribute__((target_clones("arch=haswell", "default")))
#else
#define FOR_PROCESSORS
#endif

/* Sums may be added up in parts, which is what vector units do. */
#pragma clang fp reassociate(on) contract(fast)

FOR_PROCESSORS static float product(const float *a, const float *b, size_t n)
{
    float sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

FOR_PROCESSORS static float square(const float *a, const float *b, size_t n)
{
    float sum = 0;

    for (size_t i = 0; i < n; i++) {
        float d = a[i] - b[i];
        sum += d * d;
    }
    return sum;
}

/* 4,096 products of bytes fit into 32 bits. */
FOR_PROCESSORS static int32_t product_of_bytes(const int8_t *a, const int8_t *b, size_t n)
{
    int32_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (int32_t)a[i] * b[i];
    return sum;
}

float search_distance_product(const void *a, const void *b, const void *n)
{
    return 1.0F - product(a, b, *(const size_t *)n);
}

float search_distance_square(const void *a, const void *b, const void *n) { return square(a, b, *(const size_t *)n); }

float search_distance_bytes(const void *a, const void *b, const void *n)
{
    return 1.0F - (float)product_of_bytes(a, b, *(const size_t *)n) * (1.0F / (127 * 127));
}

void search_normalize(const float *from, float *to, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)from[i] * (double)from[i];
    double scale = 1 / sqrt(sum);
    for (size_t i = 0; i < n; i++)
        to[i] = (float)(from[i] * scale);
}

void search_to_bytes(const float *from, int8_t *to, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float v = roundf(from[i] * 127);
        to[i] = (int8_t)(v > 127 ? 127 : v < -127 ? -127 : v);
    }
}
