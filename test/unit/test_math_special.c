/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LINK: cells/math/special.c cells/math/values.c
/* Reference values were computed with 40 digits (mpmath: gammainc, betainc, findroot over erfc). */
#include <math.h>

#include "math/functions.h"
#include "test.h"

static bool near(double got, double right, double relative) { return fabs(got - right) <= relative * fabs(right); }

TEST(the_incomplete_gamma_function_has_its_known_values)
{
    static const double known[][3] = {
        {0.5, 0.25, 0.52049987781304653768}, {1, 2, 0.86466471676338730811},     {3, 2, 0.32332358381693654053},
        {10, 12, 0.75760783832948765132},    {100, 90, 0.1582209891864301681},   {1000, 1050, 0.9413288886226819229},
        {0.001, 5, 0.99999884901866026914},  {50, 5, 2.1810592140784887595e-32},
    };
    double v = 0;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        CHECK(math_gamma_p(known[i][0], known[i][1], &v) == CELL_OK && near(v, known[i][2], 1e-12));
    CHECK(math_gamma_p(2, 0, &v) == CELL_OK && v == 0);
    CHECK(math_gamma_p(2, INFINITY, &v) == CELL_OK && v == 1);
    v = 7;
    CHECK(math_gamma_p(0, 1, &v) == CELL_INVALID_ARGUMENT && math_gamma_p(1, -1, &v) == CELL_INVALID_ARGUMENT);
    CHECK(math_gamma_p(NAN, 1, &v) == CELL_INVALID_ARGUMENT && math_gamma_p(1, NAN, &v) == CELL_INVALID_ARGUMENT);
    CHECK(math_gamma_p(1e7, 1, &v) == CELL_INVALID_ARGUMENT && v == 7);
}

TEST(the_incomplete_beta_function_has_its_known_values)
{
    static const double known[][4] = {
        {0.5, 0.5, 0.3, 0.36901011956554537504},
        {2, 3, 0.4, 0.5248},
        {5, 1, 0.9, 0.59049},
        {20, 30, 0.35, 0.23856016353438204606},
        {100, 200, 0.4, 0.99168446492608612893},
        {1, 1, 0.123, 0.123},
        {0.1, 7, 0.001, 0.63546026962893346194},
        {1000, 900, 0.5, 0.010861082630667564186},
    };
    double v = 0;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        CHECK(math_beta_i(known[i][0], known[i][1], known[i][2], &v) == CELL_OK && near(v, known[i][3], 1e-11));
    CHECK(math_beta_i(2, 3, 0, &v) == CELL_OK && v == 0);
    CHECK(math_beta_i(2, 3, 1, &v) == CELL_OK && v == 1);
    v = 7;
    CHECK(math_beta_i(0, 1, 0.5, &v) == CELL_INVALID_ARGUMENT && math_beta_i(1, 0, 0.5, &v) == CELL_INVALID_ARGUMENT);
    CHECK(math_beta_i(1, 1, 1.5, &v) == CELL_INVALID_ARGUMENT && math_beta_i(1, 1, NAN, &v) == CELL_INVALID_ARGUMENT);
    CHECK(v == 7);
}

TEST(large_parameters_still_converge)
{
    double v = 0;
    /* The median of the gamma distribution is a - 1/3 + O(1/a), that of a symmetric beta distribution 1/2. */
    CHECK(math_gamma_p(1e6, 1e6 - 1.0 / 3, &v) == CELL_OK && near(v, 0.5, 1e-8));
    CHECK(math_beta_i(1e6, 1e6, 0.5, &v) == CELL_OK && near(v, 0.5, 1e-8));
}

TEST(the_quantiles_of_the_normal_distribution_are_known)
{
    static const double known[][2] = {
        {0.975, 1.9599639845400542355},  {0.99, 2.3263478740408411009},    {0.001, -3.0902323061678135415},
        {1e-10, -6.3613409024040562047}, {1e-100, -21.273453560965324295}, {0.3, -0.52440051270804078404},
        {0.075, -1.4395314709384559153}, {0.925, 1.4395314709384559153},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        CHECK(near(math_normal_quantile(known[i][0]), known[i][1], 4e-16 * (known[i][0] > 0.98 ? 10 : 1.5)));
    CHECK(math_normal_quantile(0.5) == 0);
    CHECK(math_normal_quantile(0) == -INFINITY && math_normal_quantile(1) == INFINITY);
    CHECK(isnan(math_normal_quantile(-0.1)) && isnan(math_normal_quantile(1.1)) && isnan(math_normal_quantile(NAN)));
}

TEST(units_are_converted)
{
    double v = 0;
#define CONVERTS(value, from, to, right) (math_convert(value, from, to, &v) == CELL_OK && near(v, right, 4e-16))
    CHECK(CONVERTS(26.2, MATH_MILE, MATH_METRE, 42164.8128) && CONVERTS(1, MATH_YARD, MATH_INCH, 36));
    CHECK(CONVERTS(6, MATH_FOOT, MATH_METRE, 1.8288) && CONVERTS(1, MATH_NAUTICAL_MILE, MATH_METRE, 1852));
    CHECK(CONVERTS(1, MATH_POUND, MATH_OUNCE, 16) && CONVERTS(1, MATH_POUND, MATH_KILOGRAM, 0.45359237));
    CHECK(CONVERTS(1, MATH_DAY, MATH_MINUTE, 1440) && CONVERTS(1.5, MATH_HOUR, MATH_SECOND, 5400));
    CHECK(CONVERTS(1, MATH_US_GALLON, MATH_LITRE, 3.785411784));
    CHECK(CONVERTS(36, MATH_KILOMETRE_PER_HOUR, MATH_METRE_PER_SECOND, 10));
    CHECK(CONVERTS(1, MATH_KNOT, MATH_KILOMETRE_PER_HOUR, 1.852) &&
          CONVERTS(1, MATH_MILE_PER_HOUR, MATH_KILOMETRE_PER_HOUR, 1.609344));
    CHECK(CONVERTS(1, MATH_ATMOSPHERE, MATH_BAR, 1.01325) && CONVERTS(1, MATH_PSI, MATH_PASCAL, 6894.757293168361));
    CHECK(CONVERTS(1, MATH_KILOWATT_HOUR, MATH_JOULE, 3.6e6) && CONVERTS(1, MATH_CALORIE, MATH_JOULE, 4.184));
    CHECK(CONVERTS(100, MATH_CELSIUS, MATH_KELVIN, 373.15) && CONVERTS(451, MATH_FAHRENHEIT, MATH_CELSIUS, 2095.0 / 9));
    CHECK(CONVERTS(180, MATH_DEGREE, MATH_RADIAN, M_PI) && CONVERTS(7, MATH_CELSIUS, MATH_CELSIUS, 7));
    CHECK(math_convert(-40, MATH_CELSIUS, MATH_FAHRENHEIT, &v) == CELL_OK && fabs(v + 40) < 1e-12);
    v = 7;
    CHECK(math_convert(1, MATH_METRE, MATH_SECOND, &v) == CELL_INVALID_ARGUMENT);
    CHECK(math_convert(1, (enum math_unit)31, (enum math_unit)31, &v) == CELL_INVALID_ARGUMENT);
    CHECK(math_convert(1, MATH_METRE, (enum math_unit) - 1, &v) == CELL_INVALID_ARGUMENT && v == 7);
}

TEST(every_unit_converts_there_and_back)
{
    for (int from = 0; from <= MATH_DEGREE; from++) {
        int partners = 0;
        for (int to = 0; to <= MATH_DEGREE; to++) {
            double there, back;
            if (math_convert(3, (enum math_unit)from, (enum math_unit)to, &there) < 0)
                continue;
            partners++;
            CHECK(math_convert(there, (enum math_unit)to, (enum math_unit)from, &back) == CELL_OK &&
                  near(back, 3, 1e-13));
        }
        CHECK(partners >= 2);
    }
}

TEST(what_makes_a_payment_suspicious_raises_its_score)
{
    struct math_payment p = {.amount_cents = 2000, .usual_cents = 2500, .account_age_days = 900};
    CHECK(math_fraud_score(&p) == 1); /* 100 / (1 + e^4.2) = 1.48 */
    int32_t before = math_fraud_score(&p);
    p.new_device = true;
    p.address_differs = true; /* -4.2 + 0.9 + 1.2 = -2.1 */
    CHECK(math_fraud_score(&p) == 11 && before < 11);
    p.amount_cents = 20000; /* + 0.9 log2 8 = 2.7: 0.6 */
    CHECK(math_fraud_score(&p) == 65);
    p.foreign_card = true;
    p.account_age_days = 1;
    p.payments_last_hour = 5;
    p.failed_last_day = 3; /* 0.6 + 0.7 + 1.6 + 0.8 ln 5 + 0.7 ln 4 = 5.16 */
    CHECK(math_fraud_score(&p) == 99);
    struct math_payment unknown = {.amount_cents = 60000, .account_age_days = 10}; /* -4.2 + 1.1 + 0.8 */
    CHECK(math_fraud_score(&unknown) == 9);
    struct math_payment worst = {INT64_MAX, 1, INT32_MIN, INT32_MAX, INT32_MAX, true, true, true};
    CHECK(math_fraud_score(&worst) == 100);
}
