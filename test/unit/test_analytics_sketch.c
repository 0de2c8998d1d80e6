/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Sketches within the errors that are stated for them. */
// LIBS: cell_analytics_sanitized
#include "analytics/sketch.h"
#include "analytics_fixture.h"

static int by_real(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void check_quantiles(double *values, uint32_t n)
{
    static const double wanted[] = {0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1};
    struct an_quantiles *q = NULL, *parts[3] = {NULL}, *all = NULL;

    for (uint32_t i = 0; i < n; i++) {
        CHECK(an_quantiles_add(&q, values[i], 1));
        CHECK(an_quantiles_add(&parts[i % 3], values[i], 1));
    }
    for (int i = 0; i < 3; i++)
        CHECK(an_quantiles_merge(&all, parts[i]));
    qsort(values, n, sizeof(*values), by_real);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        double right = values[(uint32_t)(wanted[i] * (n - 1))];
        CHECK(is_near(an_quantiles_get(q, wanted[i]), right, AN_QUANTILE_ERROR * 1.000001));
        CHECK(an_quantiles_get(q, wanted[i]) == an_quantiles_get(all, wanted[i]));
    }
    free(q);
    free(all);
    for (int i = 0; i < 3; i++)
        free(parts[i]);
}

TEST(quantiles_are_within_a_hundredth)
{
    enum { N = 20000 };
    double *values = malloc(N * sizeof(*values));

    for (int kind = 0; kind < 4; kind++) {
        for (int i = 0; i < N; i++) {
            double u = ((double)any(1000000) + 1) / 1000001;
            values[i] = kind == 0   ? u
                        : kind == 1 ? -1 / (u * u * u)
                        : kind == 2 ? exp(80 * (u - 0.5))
                                    : (double)any(9) - 4;
        }
        check_quantiles(values, N);
    }
    double ends[] = {(double)INT64_MIN, (double)INT64_MAX, 1, -1, 0, 2, 3};
    check_quantiles(ends, 7);
    free(values);
}

TEST(what_is_no_number_has_no_quantile)
{
    struct an_quantiles *q = NULL;

    CHECK(an_quantiles_add(&q, NAN, 1) && an_quantiles_get(q, 0.5) == 0);
    CHECK(an_quantiles_add(&q, INFINITY, 1) && is_near(an_quantiles_get(q, 0.5), 0x1p127, AN_QUANTILE_ERROR));
    CHECK(an_quantiles_add(&q, 1e-300, 5) && an_quantiles_get(q, 0.5) == 0);
    free(q);
}

static double distinct_of(uint64_t n, uint64_t salt)
{
    struct an_distinct *d = NULL, *parts[2] = {NULL}, *all = NULL;

    for (uint64_t i = 0; i < n; i++)
        for (int twice = 0; twice < 2; twice++) {
            uint64_t value = i * UINT64_C(0x9e3779b97f4a7c15) + salt, hash = an_hash(&value, 8);
            CHECK(an_distinct_add(&d, hash));
            CHECK(an_distinct_add(&parts[i % 2], hash));
        }
    for (int i = 0; i < 2; i++)
        CHECK(an_distinct_merge(&all, parts[i]));
    double is = an_distinct_get(d);
    CHECK(is == an_distinct_get(all));
    free(d);
    free(all);
    free(parts[0]);
    free(parts[1]);
    return is;
}

TEST(distinct_counts_are_exact_at_first_and_then_near)
{
    for (uint64_t n = 0; n <= AN_DISTINCT_EXACT; n += 16)
        CHECK(distinct_of(n, n) == (double)n);
    for (uint64_t n = 257; n < 300000; n = n * 2 + 1) {
        double squares = 0;
        for (uint64_t k = 0; k < 20; k++) {
            double is = distinct_of(n, k * 77777 + 1);
            squares += (is / (double)n - 1) * (is / (double)n - 1);
        }
        double error = sqrt(squares / 20);
        if (error > 0.0163 * 1.5) /* the error of 20 errors */
            printf("%" PRIu64 ": %f\n", n, error);
        CHECK(error < 0.0163 * 1.5);
    }
}

TEST(what_was_kept_and_cannot_be_is_refused)
{
    struct an_bucket buckets[3] = {{-5, 0, 1}, {0, 0, 2}, {7, 0, UINT64_MAX - 3}};
    struct an_quantiles *q;
    struct an_distinct *d;
    uint64_t hashes[] = {1, 2, 2};
    uint8_t registers[AN_REGISTERS] = {0};

    CHECK(an_quantiles_restore(&q, buckets, 3) && an_quantiles_get(q, 0) < 0);
    free(q);
    buckets[2].count++;
    CHECK(!an_quantiles_restore(&q, buckets, 3)); /* more than there can be */
    CHECK(an_quantiles_restore(&q, buckets, 2));
    free(q);
    buckets[1].at = -5;
    CHECK(!an_quantiles_restore(&q, buckets, 2));
    CHECK(an_distinct_restore(&d, hashes, 2, false) && an_distinct_get(d) == 2);
    free(d);
    CHECK(!an_distinct_restore(&d, hashes, 3, false));
    registers[9] = 53;
    CHECK(an_distinct_restore(&d, registers, AN_REGISTERS, true));
    free(d);
    registers[9] = 54;
    CHECK(!an_distinct_restore(&d, registers, AN_REGISTERS, true));
    CHECK(!an_distinct_restore(&d, registers, AN_REGISTERS - 1, true));
}
