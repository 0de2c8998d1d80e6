/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LINK: cells/math/fitting.c cells/math/integrals.c cells/math/linear.c
#include <math.h>

#include "math/functions.h"
#include "test.h"

static bool near(double got, double right, double tolerance) { return fabs(got - right) <= tolerance; }

static bool close_to(double got, double right, double relative) { return near(got, right, relative * fabs(right)); }

TEST(the_line_of_least_squares_is_that_of_anscombe)
{
    /* Anscombe, Graphs in Statistical Analysis (1973), set I: y = 3.00 + 0.500 x, r² 0.667; more digits by exact
     * fractions. */
    const struct math_points p = {11,
                                  {10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5},
                                  {8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68}};
    struct math_line l = {0};
    CHECK(math_fit_line(&p, &l) == CELL_OK);
    CHECK(close_to(l.slope, 0.50009090909090909, 1e-14) && close_to(l.intercept, 3.00009090909090909, 1e-14));
    CHECK(close_to(l.r_squared, 0.66654245950877489, 1e-13));
}

TEST(a_line_needs_two_different_places)
{
    struct math_points p = {2, {3, 3}, {1, 2}};
    struct math_line l = {7, 7, 7};
    CHECK(math_fit_line(&p, &l) == CELL_FAILED_PRECONDITION);
    p.count = 1;
    CHECK(math_fit_line(&p, &l) == CELL_INVALID_ARGUMENT);
    p.count = 65;
    CHECK(math_fit_line(&p, &l) == CELL_INVALID_ARGUMENT);
    p.count = -1;
    CHECK(math_fit_line(&p, &l) == CELL_INVALID_ARGUMENT && l.slope == 7);
}

TEST(a_fitted_polynomial_is_the_one_that_the_points_came_from)
{
    struct math_points p = {20, {0}, {0}};
    struct math_polynomial fit = {0};
    for (int i = 0; i < 20; i++) {
        const double x = i / 4.0 - 1;
        p.x[i] = x;
        p.y[i] = 2 - 3 * x + 0.5 * x * x - x * x * x + 0.25 * x * x * x * x;
    }
    CHECK(math_fit_polynomial(&p, 4, &fit) == CELL_OK && fit.count == 5);
    const double c[] = {2, -3, 0.5, -1, 0.25};
    for (int i = 0; i < 5; i++)
        CHECK(near(fit.c[i], c[i], 1e-12));
    CHECK(math_fit_polynomial(&p, 8, &fit) == CELL_OK && fit.count == 9);
    for (int i = 0; i < 9; i++)
        CHECK(near(fit.c[i], i < 5 ? c[i] : 0, 1e-10));
}

TEST(a_fit_balances_the_errors)
{
    /* Of 0, 1, 0, 1 at 0, 1, 2, 3: normal equations by hand: constant 1/2; line 1/5 + x/5. */
    const struct math_points p = {4, {0, 1, 2, 3}, {0, 1, 0, 1}};
    struct math_polynomial fit = {0};
    CHECK(math_fit_polynomial(&p, 0, &fit) == CELL_OK && near(fit.c[0], 0.5, 1e-15));
    CHECK(math_fit_polynomial(&p, 1, &fit) == CELL_OK && near(fit.c[0], 0.2, 1e-15) && near(fit.c[1], 0.2, 1e-15));
}

TEST(a_fit_refuses_what_has_no_answer)
{
    struct math_points p = {4, {1, 1, 2, 2}, {1, 2, 3, 4}};
    struct math_polynomial fit = {.count = 7};
    CHECK(math_fit_polynomial(&p, 1, &fit) == CELL_OK && near(fit.c[0], -0.5, 1e-14) && near(fit.c[1], 2, 1e-14));
    fit.count = 7;
    CHECK(math_fit_polynomial(&p, 2, &fit) == CELL_FAILED_PRECONDITION); /* two different x */
    CHECK(math_fit_polynomial(&p, 4, &fit) == CELL_FAILED_PRECONDITION); /* four points */
    CHECK(math_fit_polynomial(&p, 9, &fit) == CELL_INVALID_ARGUMENT);
    CHECK(math_fit_polynomial(&p, -1, &fit) == CELL_INVALID_ARGUMENT);
    p.count = 0;
    CHECK(math_fit_polynomial(&p, 0, &fit) == CELL_INVALID_ARGUMENT && fit.count == 7);
}

TEST(a_spline_runs_through_its_points_and_is_smooth)
{
    const struct math_points p = {5, {0, 1, 2, 3, 4}, {0, 1, 0, 1, 0}};
    struct math_spline s = {0};
    double v = 0;
    CHECK(math_spline_fit(&p, &s) == CELL_OK && s.count == 5);
    /* M[i-1] + 4 M[i] + M[i+1] = 6 (y[i-1] - 2 y[i] + y[i+1]) = -12, 12, -12 has the solution -30/7, 36/7, -30/7 */
    CHECK(s.second[0] == 0 && s.second[4] == 0);
    CHECK(near(s.second[1], -30.0 / 7, 1e-14) && near(s.second[2], 36.0 / 7, 1e-14) &&
          near(s.second[3], -30.0 / 7, 1e-14));
    for (int i = 0; i < 5; i++)
        CHECK(math_spline_at(&s, p.x[i], &v) == CELL_OK && near(v, p.y[i], 1e-15));
    CHECK(math_spline_at(&s, 0.5, &v) == CELL_OK && near(v, 0.5 + 30.0 / 7 / 16, 1e-14));
    /* Beyond the ends with the slope there: y' = (y1 - y0) / h - h (2 M0 + M1) / 6 = 1 + 5/7. */
    CHECK(math_spline_at(&s, -2, &v) == CELL_OK && near(v, -2 * 12.0 / 7, 1e-14));
    CHECK(math_spline_at(&s, 6, &v) == CELL_OK && near(v, -2 * 12.0 / 7, 1e-14));
}

TEST(a_spline_of_many_points_finds_its_interval)
{
    struct math_points p = {64, {0}, {0}};
    struct math_spline s = {0};
    for (int i = 0; i < 64; i++) {
        p.x[i] = i * i;
        p.y[i] = 3 * p.x[i] - 1; /* a straight line is its own spline */
    }
    CHECK(math_spline_fit(&p, &s) == CELL_OK);
    for (double x = -5; x < 4000; x += 0.37) {
        double v = 0;
        CHECK(math_spline_at(&s, x, &v) == CELL_OK && near(v, 3 * x - 1, 1e-9));
    }
}

TEST(a_spline_refuses_what_is_none)
{
    struct math_points p = {3, {0, 1, 1}, {0, 1, 2}};
    struct math_spline s = {.count = 1};
    double v = 7;
    CHECK(math_spline_fit(&p, &s) == CELL_INVALID_ARGUMENT && s.count == 1);
    CHECK(math_spline_at(&s, 0, &v) == CELL_INVALID_ARGUMENT && v == 7);
    p.count = 1;
    CHECK(math_spline_fit(&p, &s) == CELL_INVALID_ARGUMENT);
    p.count = 2;
    CHECK(math_spline_fit(&p, &s) == CELL_OK && math_spline_at(&s, 0.25, &v) == CELL_OK && v == 0.25);
}

TEST(gauss_and_legendre_have_their_nodes_and_weights)
{
    /* Roots of P_n and 2 / ((1 - x²) P_n'(x)²) with 40 digits; n = 5, 16 are also in Abramowitz, Stegun, table 25.4. */
    static const struct {
        int32_t n;
        double x[3], weight[3];
    } known[] = {
        {2, {-0.57735026918962576, 0.57735026918962576}, {1, 1}},
        {3,
         {-0.77459666924148338, 0, 0.77459666924148338},
         {0.55555555555555556, 0.88888888888888889, 0.55555555555555556}},
        {5,
         {-0.90617984593866399, -0.53846931010568309, 0},
         {0.23692688505618909, 0.47862867049936647, 0.56888888888888889}},
        {16,
         {-0.98940093499164993, -0.94457502307323258, -0.86563120238783174},
         {0.027152459411754095, 0.062253523938647893, 0.095158511682492785}},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct math_rule r = {0};
        CHECK(math_gauss_legendre(known[i].n, -1, 1, &r) == CELL_OK && r.count == known[i].n);
        for (int k = 0; k < 3 && k < known[i].n; k++)
            CHECK(near(r.x[k], known[i].x[k], 3e-16) && near(r.weight[k], known[i].weight[k], 2e-15));
    }
}

TEST(a_rule_integrates_what_it_is_exact_for)
{
    for (int32_t n = 1; n <= 16; n++) {
        struct math_rule r = {0};
        double sum = 0, e = 0;
        CHECK(math_gauss_legendre(n, 0, 2, &r) == CELL_OK);
        for (int k = 0; k < n; k++) {
            sum += r.weight[k] * pow(r.x[k], 2 * n - 1);
            e += r.weight[k] * exp(r.x[k]);
        }
        CHECK(close_to(sum, pow(2, 2 * n) / (2 * n), 1e-13));
        CHECK(n < 8 || close_to(e, expm1(2), 1e-13));
    }
    struct math_rule r = {.count = 7};
    CHECK(math_gauss_legendre(0, 0, 1, &r) == CELL_INVALID_ARGUMENT);
    CHECK(math_gauss_legendre(17, 0, 1, &r) == CELL_INVALID_ARGUMENT && r.count == 7);
}

TEST(simpson_is_exact_for_parabolas_at_any_distance)
{
    struct math_points p = {0, {0, 0.5, 2, 2.25, 3, 5, 6, 6.5}, {0}};
    double v = 0;
    for (int32_t n = 3; n <= 8; n++) {
        p.count = n;
        for (int i = 0; i < n; i++)
            p.y[i] = 3 * p.x[i] * p.x[i] - 2 * p.x[i] + 1;
        const double x = p.x[n - 1];
        CHECK(math_simpson(&p, &v) == CELL_OK && close_to(v, x * x * x - x * x + x, 1e-14));
    }
    p.count = 2;
    CHECK(math_simpson(&p, &v) == CELL_OK && v == 0.25 * (p.y[0] + p.y[1]));
    p.x[1] = 0;
    v = 7;
    CHECK(math_simpson(&p, &v) == CELL_INVALID_ARGUMENT && v == 7);
    p.count = 1;
    CHECK(math_simpson(&p, &v) == CELL_INVALID_ARGUMENT);
}

TEST(simpson_integrates_the_sine)
{
    struct math_points p = {33, {0}, {0}};
    double v = 0;
    for (int i = 0; i < 33; i++) {
        p.x[i] = i * M_PI / 32;
        p.y[i] = sin(p.x[i]);
    }
    CHECK(math_simpson(&p, &v) == CELL_OK && near(v, 2, 1.1e-6)); /* the error term: π h⁴ / 180 = 1.6e-6 at most */
}

TEST(linear_equations_are_solved)
{
    const double a[9] = {2, 1, -1, -3, -1, 2, -2, 1, 2}, b[3] = {8, -11, -3};
    double x[4] = {0};
    CHECK(math_solve3(a, b, x) == CELL_OK && near(x[0], 2, 1e-14) && near(x[1], 3, 1e-14) && near(x[2], -1, 1e-14));
    /* Zeros on the diagonal, and rows of very different sizes. */
    const double c[16] = {0, 2, 0, 0, 1e-12, 0, 0, 0, 0, 0, 0, 4e10, 0, 0, 8, 0}, d[4] = {2, 3e-12, 8e10, 8};
    CHECK(math_solve4(c, d, x) == CELL_OK && x[0] == 3 && x[1] == 1 && x[2] == 1 && x[3] == 2);
    /* Hilbert's matrix, condition 1.6e4: the solution of H x = (1, 1, 1, 1) is -4, 60, -180, 140. */
    double h[16];
    for (int i = 0; i < 16; i++)
        h[i] = 1.0 / (i / 4 + i % 4 + 1);
    CHECK(math_solve4(h, (double[]){1, 1, 1, 1}, x) == CELL_OK);
    CHECK(near(x[0], -4, 1e-9) && near(x[1], 60, 1e-9) && near(x[2], -180, 1e-9) && near(x[3], 140, 1e-9));
}

TEST(a_singular_matrix_has_no_solution)
{
    const double a[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, zero[9] = {0}, b[3] = {1, 2, 3};
    double x[3] = {7, 7, 7};
    CHECK(math_solve3(a, b, x) == CELL_FAILED_PRECONDITION && math_solve3(zero, b, x) == CELL_FAILED_PRECONDITION);
    const double infinite[9] = {1, 0, 0, 0, INFINITY, 0, 0, 0, 1};
    CHECK(math_solve3(infinite, b, x) == CELL_FAILED_PRECONDITION && x[0] == 7 && x[2] == 7);
}
