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
    struct an_quantiles q = {0}, parts[3] = {{0}}, all = {0};
    struct an_pool pool = {0};

    for (uint32_t i = 0; i < n; i++) {
        CHECK(an_quantiles_add(&pool, &q, values[i]));
        CHECK(an_quantiles_add(&pool, &parts[i % 3], values[i]));
    }
    for (int i = 0; i < 3; i++)
        CHECK(an_quantiles_merge(&pool, &all, &parts[i]));
    qsort(values, n, sizeof(*values), by_real);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        double right = values[(uint32_t)(wanted[i] * (n - 1))];
        CHECK(is_near(an_quantiles_get(&q, wanted[i]), right, AN_QUANTILE_ERROR * 1.000001));
        CHECK(an_quantiles_get(&q, wanted[i]) == an_quantiles_get(&all, wanted[i]));
    }
    an_pool_free(&pool);
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
    struct an_quantiles q = {0};
    struct an_pool pool = {0};

    CHECK(an_quantiles_get(&q, 0.5) == 0);
    CHECK(an_quantiles_add(&pool, &q, NAN) && an_quantiles_get(&q, 0.5) == 0);
    CHECK(an_quantiles_add(&pool, &q, INFINITY) && is_near(an_quantiles_get(&q, 0.5), 0x1p127, AN_QUANTILE_ERROR));
    for (int i = 0; i < 5; i++)
        CHECK(an_quantiles_add(&pool, &q, 1e-300));
    CHECK(an_quantiles_get(&q, 0.5) == 0);
    an_pool_free(&pool);
}

/* One value in each bucket, from one power of two to the next: what it stands for is within the error, at both ends of
 * the bucket and beside them. */
TEST(every_bucket_is_within_its_error)
{
    struct an_pool pool = {0};

    for (int exponent = -64; exponent <= 126; exponent += 5)
        for (int i = 0; i <= 35; i++)
            for (int beside = -1; beside <= 1; beside++) {
                struct an_quantiles q = {0};
                double value = ldexp(exp2(i / 35.0), exponent);
                value = beside < 0 ? nextafter(value, 0) : beside > 0 ? nextafter(value, INFINITY) : value;
                if (value < 0x1p-64)
                    continue;
                REQUIRE(an_quantiles_add(&pool, &q, -value));
                CHECK(is_near(an_quantiles_get(&q, 0.5), -value, AN_QUANTILE_ERROR));
            }
    an_pool_free(&pool);
}

static void count_all(void *user, int16_t at, uint64_t count)
{
    uint64_t *all = user;

    CHECK(all[1] == 0 || at > (int16_t)all[2]);
    all[0] += count;
    all[1]++;
    all[2] = (uint64_t)at;
}

/* Counts of any size are told as they were put in, and added to others: buckets are as wide as the largest needs. */
TEST(counts_of_any_size_are_kept)
{
    static const uint64_t sizes[] = {
        1, 6, 7, 8, 255, 256, 65535, 65536, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX >> 8};
    enum { N = sizeof(sizes) / sizeof(sizes[0]) };
    struct an_pool pool = {0};

    for (int n = 1; n <= N; n++) {
        struct an_quantiles q = {0}, twice = {0};
        uint64_t all[3] = {0}, right = 0;
        for (int i = 0; i < n; i++) {
            REQUIRE(an_quantiles_append(&pool, &q, i - 3, sizes[i]));
            right += sizes[i];
        }
        CHECK(!an_quantiles_append(&pool, &q, n - 4, 1)); /* not in order */
        an_quantiles_each(&q, count_all, all);
        CHECK(all[0] == right && all[1] == (uint64_t)n);
        for (int i = 0; i < 2; i++)
            REQUIRE(an_quantiles_merge(&pool, &twice, &q));
        memset(all, 0, sizeof(all));
        an_quantiles_each(&twice, count_all, all);
        CHECK(all[0] == 2 * right && all[1] == (uint64_t)n);
    }
    an_pool_free(&pool);
}

static double distinct_of(uint64_t n, uint64_t salt)
{
    struct an_distinct *d = NULL, *parts[2] = {NULL}, *all = NULL;
    struct an_pool pool = {0};

    for (uint64_t i = 0; i < n; i++)
        for (int twice = 0; twice < 2; twice++) {
            uint64_t value = i * UINT64_C(0x9e3779b97f4a7c15) + salt, hash = an_hash(&value, 8);
            CHECK(an_distinct_add(&pool, &d, hash));
            CHECK(an_distinct_add(&pool, &parts[i % 2], hash));
        }
    for (int i = 0; i < 2; i++)
        CHECK(an_distinct_merge(&pool, &all, parts[i]));
    double is = an_distinct_get(d);
    CHECK(is == an_distinct_get(all));
    an_pool_free(&pool);
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
    struct an_quantiles q = {0};
    struct an_pool pool = {0};
    struct an_distinct *d;
    uint64_t hashes[] = {1, 2, 2};
    uint8_t registers[AN_REGISTERS] = {0};

    CHECK(!an_quantiles_append(&pool, &q, -AN_LARGEST_BUCKET - 1, 1));
    CHECK(an_quantiles_append(&pool, &q, -AN_LARGEST_BUCKET, 1) && an_quantiles_get(&q, 0) < -0x1p126);
    CHECK(!an_quantiles_append(&pool, &q, 3, 0));
    CHECK(an_quantiles_append(&pool, &q, 3, 1) && !an_quantiles_append(&pool, &q, 3, 1));
    CHECK(!an_quantiles_append(&pool, &q, AN_LARGEST_BUCKET + 1, 1));
    CHECK(an_distinct_restore(&pool, &d, hashes, 2, false) && an_distinct_get(d) == 2);
    CHECK(!an_distinct_restore(&pool, &d, hashes, 3, false));
    registers[9] = 53;
    CHECK(an_distinct_restore(&pool, &d, registers, AN_REGISTERS, true));
    registers[9] = 54;
    CHECK(!an_distinct_restore(&pool, &d, registers, AN_REGISTERS, true));
    CHECK(!an_distinct_restore(&pool, &d, registers, AN_REGISTERS - 1, true));
    an_pool_free(&pool);
}
