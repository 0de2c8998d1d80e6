/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LINK: cells/math/polynomials.c cells/math/roots.c
/* Reference values were computed with 40 digits (mpmath: polyroots, findroot, besseli). */
#include <math.h>

#include "math/functions.h"
#include "test.h"

static bool near(double got, double right, double relative) { return fabs(got - right) <= relative * fabs(right); }

/* Whether these are the roots, with a relative error of 1e-14 (what is 0 exactly). */
static bool roots_are(struct math_roots r, int32_t count, const double *x)
{
    bool same = r.count == count;
    for (int32_t i = 0; i < 4; i++)
        same = same && (i < count ? near(r.x[i], x[i], 1e-14) : r.x[i] == 0);
    return same;
}

TEST(a_polynomial_has_the_values_of_its_terms)
{
    const struct math_polynomial p = {4, {-5, -2, 0, 1}};
    double v = 7;
    CHECK(math_polynomial_at(&p, 3, &v) == CELL_OK && v == 16);
    const struct math_polynomial none = {0, {1}}, many = {17, {1}};
    CHECK(math_polynomial_at(&none, 3, &v) == CELL_INVALID_ARGUMENT && v == 16);
    CHECK(math_polynomial_at(&many, 3, &v) == CELL_INVALID_ARGUMENT && v == 16);
    struct math_polynomial all = {16, {0}};
    all.c[15] = 1;
    CHECK(math_polynomial_at(&all, 2, &v) == CELL_OK && v == 32768);
}

TEST(a_chebyshev_series_gives_the_exponential_function)
{
    /* 2 I_k(1), the first one once (Abramowitz, Stegun, 9.6.34). */
    const struct math_polynomial s = {
        16,
        {1.266065877752008336, 1.130318207984970054, 0.2714953395340765624, 0.04433684984866380495,
         0.00547424044209373265, 0.0005429263119139437504, 0.00004497732295429514665, 3.198436462401990506e-6,
         1.992124806672795726e-7, 1.103677172551734433e-8, 5.50589607967374725e-10, 2.497956616984982523e-11,
         1.03915223067857005e-12, 3.991263356414401513e-14, 1.423758010825657149e-15, 4.740926102561496171e-17}};
    double v = 0;
    CHECK(math_chebyshev_at(&s, -1, 1, 0.3, &v) == CELL_OK && near(v, 1.349858807576003104, 1e-15));
    CHECK(math_chebyshev_at(&s, -1, 1, -0.9, &v) == CELL_OK && near(v, 0.40656965974059911188, 1e-15));
    CHECK(math_chebyshev_at(&s, 10, 30, 23, &v) == CELL_OK && near(v, 1.349858807576003104, 1e-15));
    CHECK(math_chebyshev_at(&s, 1, 1, 1, &v) == CELL_INVALID_ARGUMENT);
}

TEST(newton_and_brent_find_the_root_of_wallis)
{
    const struct math_polynomial p = {4, {-5, -2, 0, 1}};
    double root = 0;
    CHECK(math_newton_root(&p, 2, &root) == CELL_OK && near(root, 2.0945514815423265915, 1e-15));
    root = 0;
    CHECK(math_brent_root(&p, 0, 3, &root) == CELL_OK && near(root, 2.0945514815423265915, 1e-15));
    root = 0;
    CHECK(math_brent_root(&p, 1e9, -1e9, &root) == CELL_OK && near(root, 2.0945514815423265915, 1e-15));
    root = 7;
    CHECK(math_brent_root(&p, 0, 1, &root) == CELL_INVALID_ARGUMENT && root == 7);
    CHECK(math_brent_root(&p, NAN, 1, &root) == CELL_INVALID_ARGUMENT && root == 7);
    const struct math_polynomial above = {3, {1, 0, 1}};
    CHECK(math_newton_root(&above, 2, &root) == CELL_NOT_FOUND && math_newton_root(&above, 0, &root) == CELL_NOT_FOUND);
    CHECK(root == 7);
}

TEST(brent_finds_roots_where_the_function_is_flat)
{
    const struct math_polynomial p = {10, {0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}; /* x⁹ */
    double root = 1;
    CHECK(math_brent_root(&p, -1, 4, &root) == CELL_OK && fabs(root) < 1e-20);
    const struct math_polynomial ends = {2, {-4, 1}};
    CHECK(math_brent_root(&ends, 4, 9, &root) == CELL_OK && root == 4);
    CHECK(math_brent_root(&ends, 1, 4, &root) == CELL_OK && root == 4);
}

TEST(a_quadratic_loses_no_digits)
{
    CHECK(roots_are(math_quadratic_roots(1, -3, 2), 2, (double[]){1, 2}));
    CHECK(roots_are(math_quadratic_roots(1, 2, 5), 0, NULL));
    CHECK(roots_are(math_quadratic_roots(2, -4, 2), 1, (double[]){1}));
    CHECK(roots_are(math_quadratic_roots(0, 2, -8), 1, (double[]){4}));
    CHECK(roots_are(math_quadratic_roots(0, 0, 1), 0, NULL) && roots_are(math_quadratic_roots(0, 0, 0), 0, NULL));
    CHECK(roots_are(math_quadratic_roots(3, 0, 0), 1, (double[]){0}));
    CHECK(roots_are(math_quadratic_roots(1, 1e8, 1), 2, (double[]){-1e8, -1e-8}));
    /* What b * b - 4 * a * c would make 0 of: Kahan's example, with roots that differ in the ninth digit. */
    CHECK(roots_are(math_quadratic_roots(94906265.625, -2 * 94906267.000, 94906268.375), 2,
                    (double[]){1, 1.000000028975958}));
    CHECK(roots_are(math_quadratic_roots(1e200, -3e200, 2e200), 2, (double[]){1, 2}));
    CHECK(roots_are(math_quadratic_roots(1e-200, -3e-200, 2e-200), 2, (double[]){1, 2}));
    CHECK(math_quadratic_roots(NAN, 1, 1).count == 0 && math_quadratic_roots(1, INFINITY, 1).count == 0);
}

TEST(a_cubic_has_the_roots_that_it_was_made_of)
{
    CHECK(roots_are(math_cubic_roots(1, -6, 11, -6), 3, (double[]){1, 2, 3}));
    CHECK(roots_are(math_cubic_roots(1, -2, -5, 1), 3,
                    (double[]){-1.575773472651936072, 0.1872837251102239189, 3.388489747541712153}));
    CHECK(roots_are(math_cubic_roots(1, -3, 4, -2), 1, (double[]){1}));
    CHECK(roots_are(math_cubic_roots(1, 0, 0, -27), 1, (double[]){3}));
    CHECK(roots_are(math_cubic_roots(-2, 0, 2, 0), 3, (double[]){-1, 0, 1}));
    CHECK(roots_are(math_cubic_roots(0, 1, -3, 2), 2, (double[]){1, 2}));
    CHECK(roots_are(math_cubic_roots(1e-9, 1, -3, 2), 3,
                    (double[]){-1000000002.9999999307, 1.000000001000000004, 1.9999999920000000320}));
    const struct math_roots close = math_cubic_roots(1, -3, 3.0000001, -1);
    CHECK(close.count == 1 && near(close.x[0], 0.9953655926096147715, 1e-11)); /* its condition is about 1e5 */
    CHECK(math_cubic_roots(1, NAN, 0, 0).count == 0);
}

TEST(a_quartic_has_the_roots_that_it_was_made_of)
{
    CHECK(roots_are(math_quartic_roots(1, -10, 35, -50, 24), 4, (double[]){1, 2, 3, 4}));
    CHECK(roots_are(
        math_quartic_roots(1, 0, -3, 1, 0.5), 4,
        (double[]){-1.84267036777034314, -0.2764954151171194152, 0.6836278452747749756, 1.435537937612687579}));
    CHECK(
        roots_are(math_quartic_roots(3, -7, -2, 11, -1), 2, (double[]){-1.162953996181572422, 0.09297169922505952953}));
    CHECK(roots_are(math_quartic_roots(1, 0, 0, -1, -1), 2, (double[]){-0.7244919590005156116, 1.220744084605759475}));
    CHECK(roots_are(math_quartic_roots(1, 0, 0, 0, 1), 0, NULL));
    CHECK(roots_are(math_quartic_roots(1, 0, -5, 0, 4), 4, (double[]){-2, -1, 1, 2}));
    CHECK(roots_are(math_quartic_roots(0, 1, -6, 11, -6), 3, (double[]){1, 2, 3}));
    CHECK(roots_are(math_quartic_roots(1, 0, 0, 0, 0), 1, (double[]){0}));
    CHECK(math_quartic_roots(1, 1, NAN, 1, 1).count == 0 && math_quartic_roots(0, 0, 0, 0, 0).count == 0);
}

TEST(roots_of_a_quartic_may_be_far_apart)
{
    CHECK(
        roots_are(math_quartic_roots(1, 2, -1e3, -1, 5), 4,
                  (double[]){-32.6380256513743, -0.07120752147420259076, 0.0702175135635644656, 30.63901565928493813}));
    CHECK(roots_are(
        math_quartic_roots(2, -1, -1e6, 3, 7), 4,
        (double[]){-706.8568268762970444, -0.002644251739787118431, 0.00264725173278719343, 707.3568238763040443}));
}

TEST(multiple_roots_of_a_quartic_are_found_once)
{
    CHECK(roots_are(math_quartic_roots(1, -6, 13, -12, 4), 2, (double[]){1, 2}));   /* (x - 1)²(x - 2)² */
    CHECK(roots_are(math_quartic_roots(1, -4, 6, -4, 1), 1, (double[]){1}));        /* (x - 1)⁴ */
    CHECK(roots_are(math_quartic_roots(1, -8, 22, -24, 9), 2, (double[]){1, 3}));   /* (x - 1)²(x - 3)² */
    CHECK(roots_are(math_quartic_roots(1, -3, 1, 3, -2), 3, (double[]){-1, 1, 2})); /* (x + 1)(x - 1)²(x - 2) */
}
