/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Compiled as it is, against a math cell that runs: hot_verified_cases. With -DHOT_DIRECT it includes the cell's own C:
 * hot_direct_cases. Everything else is the same, so that whatever differs is what became of the functions on their way.
 */
#include "hot_cases.h"

#ifdef HOT_DIRECT
#include <cell/attrs.h>
#undef CELL_HOT
#define CELL_HOT static inline
#include "math/checks.c"
#include "math/fitting.c"
#include "math/linear.c"
#include "math/polynomials.c"
#include "math/programs.c"
#include "math/roots.c"
#include "math/special.c"
#include "math/values.c"
#define CASES hot_direct_cases
#else
#include <cell/cell.h>
CELL_REMOTE(math);
#define CASES hot_verified_cases
#endif

#define INPUTS 16
#define CASE(name)                                                                                                     \
    static double run_##name(long calls)                                                                               \
    {                                                                                                                  \
        double sum = 0;                                                                                                \
        for (long i = 0; i < calls; i++)                                                                               \
            sum += one_##name((int)(i % INPUTS));                                                                      \
        return sum;                                                                                                    \
    }

/* ---- no check is needed ---- */

static double one_quadratic(int i) { return math_quadratic_roots(1, -9 - i, 8 + 0.5 * i).x[0]; }
CASE(quadratic)

static double one_cubic(int i) { return math_cubic_roots(1, -6, 11, -6 - 0.01 * i).x[0]; }
CASE(cubic)

static double one_quartic(int i) { return math_quartic_roots(1, -10, 35, -50, 24 + 0.01 * i).x[0]; }
CASE(quartic)

static struct math_polynomial polynomial(int i)
{
    const struct math_polynomial p = {8, {-5 - i, -2, 0.5, 1, 0.25, 0.125, 0, 1}};
    return p;
}

static double one_newton(int i)
{
    const struct math_polynomial p = polynomial(i);
    double root = 0;
    math_newton_root(&p, 3, &root);
    return root;
}
CASE(newton)

static double one_chebyshev(int i)
{
    const struct math_polynomial p = polynomial(i);
    double value = 0;
    math_chebyshev_at(&p, -1, 1, 0.05 * i, &value);
    return value;
}
CASE(chebyshev)

static double one_gamma(int i)
{
    double value = 0;
    math_gamma_p(2 + 0.5 * i, 5, &value);
    return value;
}
CASE(gamma)

static double one_quantile(int i) { return math_normal_quantile(0.001 + 0.0625 * i); }
CASE(quantile)

static double one_fraud(int i)
{
    const struct math_payment p = {.amount_cents = 20000 + 1000 * i,
                                   .usual_cents = 3000,
                                   .payments_last_hour = i,
                                   .account_age_days = 20,
                                   .new_device = i % 2 == 0};
    return math_fraud_score(&p);
}
CASE(fraud)

static double one_luhn(int i)
{
    static const char numbers[] = "4111111111111111378282246310005555555";
    const cell_str s = {numbers + i, 16};
    return math_luhn_valid(s);
}
CASE(luhn)

static double one_iban(int i)
{
    static const char *const known[] = {"GB29NWBK60161331926819", "DE89370400440532013000", "NO9386011117947",
                                        "FR1420041010050500013M02606"};
    return math_iban_valid(cell_strz(known[i % 4]));
}
CASE(iban)

static double one_email(int i)
{
    static const char *const known[] = {"ada.lovelace@example.org", "a@b", "grace+hopper@sub.example.co.uk",
                                        "x y@z.org"};
    return math_email_valid(cell_strz(known[i % 4]));
}
CASE(email)

/* ---- indices and arithmetic are checked ---- */

static double one_spline(int i)
{
    static const struct math_spline s = {
        8, {0, 1, 2, 3, 4, 5, 6, 7}, {0, 1, 0, 1, 0, 1, 0, 1}, {0, -4, 5, -5, 5, -5, 4, 0}};
    double value = 0;
    math_spline_at(&s, 0.45 * i, &value);
    return value;
}
CASE(spline)

static double one_solve(int i)
{
    const double a[16] = {0.5 + i, 2, 0, 1, 1, 0, 3, 0, 0, 1, 0, 4, 2, 0, 8, 1}, b[4] = {2, 3, 8, 8};
    double x[4] = {0};
    math_solve4(a, b, x);
    return x[0];
}
CASE(solve)

static double one_simplex(int i)
{
    const struct math_linear_program p = {.variables = 2,
                                          .constraints = 3,
                                          .objective = {3, 5},
                                          .matrix = {1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 3, 2},
                                          .limit = {4, 12 + i, 18}};
    struct math_optimum o = {0};
    math_maximize(&p, &o);
    return o.value;
}
CASE(simplex)

#define ENTRY(name) {#name, run_##name}
const struct hot_case CASES[HOT_CASES] = {
    ENTRY(quadratic), ENTRY(cubic), ENTRY(quartic), ENTRY(newton), ENTRY(chebyshev), ENTRY(gamma), ENTRY(quantile),
    ENTRY(fraud),     ENTRY(luhn),  ENTRY(iban),    ENTRY(email),  ENTRY(spline),    ENTRY(solve), ENTRY(simplex)};
