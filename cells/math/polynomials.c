/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Values and roots of polynomials of any degree. */
#include <math.h>

#include "functions.h"

#define UNIT_ROUNDOFF 0x1p-53

static bool has_coefficients(const struct math_polynomial *p) { return p->count >= 1 && p->count <= 16; }

/* Horner's scheme: Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., 5.1. `count` is in range. */
static double horner(const struct math_polynomial *p, double x)
{
    double sum = 0;

    for (int32_t i = 15; i >= 0; i--)
        if (i < p->count)
            sum = sum * x + p->c[i];
    return sum;
}

enum cell_status math_polynomial_at(const struct math_polynomial *p, double x, double *value)
{
    if (!has_coefficients(p))
        return CELL_INVALID_ARGUMENT;
    *value = horner(p, x);
    return CELL_OK;
}

/* Clenshaw, A note on the summation of Chebyshev series, Math. Comp. 9 (1955). The constant term counts once. */
enum cell_status math_chebyshev_at(const struct math_polynomial *series, double low, double high, double x,
                                   double *value)
{
    double b1 = 0, b2 = 0;

    if (!has_coefficients(series) || !(low < high))
        return CELL_INVALID_ARGUMENT;
    const double t = ((x - low) - (high - x)) / (high - low);
    for (int32_t i = 15; i >= 1; i--) {
        if (i >= series->count)
            continue;
        const double b0 = 2 * t * b1 - b2 + series->c[i];
        b2 = b1;
        b1 = b0;
    }
    *value = t * b1 - b2 + series->c[0];
    return CELL_OK;
}

/* Press et al., Numerical Recipes, 3rd ed., 9.4. Value and derivative come from one pass of Horner's scheme. */
enum cell_status math_newton_root(const struct math_polynomial *p, double start, double *root)
{
    double x = start;

    if (!has_coefficients(p))
        return CELL_INVALID_ARGUMENT;
    for (int32_t step = 0; step < 100; step++) {
        double value = 0, slope = 0;
        for (int32_t i = 15; i >= 0; i--) {
            if (i < p->count) {
                slope = slope * x + value;
                value = value * x + p->c[i];
            }
        }
        if (value == 0) {
            *root = x;
            return CELL_OK;
        }
        const double change = value / slope;
        if (!isfinite(change))
            return CELL_NOT_FOUND;
        x = x - change;
        if (fabs(change) <= 2 * UNIT_ROUNDOFF * fabs(x)) {
            *root = x;
            return CELL_OK;
        }
    }
    return CELL_NOT_FOUND;
}

/* Brent, Algorithms for Minimization Without Derivatives (1973), chapter 4. Of the two ends `b` is the better one, and
 * `c` the one with the other sign; `a` is the former `b`. */
enum cell_status math_brent_root(const struct math_polynomial *p, double low, double high, double *root)
{
    double a = low, b = high;

    if (!has_coefficients(p))
        return CELL_INVALID_ARGUMENT;
    double fa = horner(p, a), fb = horner(p, b);
    if (!(fa <= 0 && fb >= 0) && !(fa >= 0 && fb <= 0))
        return CELL_INVALID_ARGUMENT;
    double c = a, fc = fa, step = b - a, before = step;
    for (int32_t i = 0; i < 4000; i++) { /* halving alone takes 2100 from the largest number to the smallest */
        if ((fb > 0) == (fc > 0)) {
            c = a;
            fc = fa;
            step = b - a;
            before = step;
        }
        if (fabs(fc) < fabs(fb)) {
            a = b;
            b = c;
            c = a;
            fa = fb;
            fb = fc;
            fc = fa;
        }
        const double tolerance = 2 * UNIT_ROUNDOFF * fabs(b), half = (c - b) / 2;
        if (fb == 0 || fabs(half) <= tolerance) {
            *root = b;
            return CELL_OK;
        }
        if (fabs(before) < tolerance || fabs(fa) <= fabs(fb)) {
            step = half;
            before = half;
        } else {
            /* The secant through two points, or the inverse parabola through three. */
            const double s = fb / fa;
            double above = 2 * half * s, below = 1 - s;
            if (a != c) {
                const double q = fa / fc, r = fb / fc;
                above = s * (2 * half * q * (q - r) - (b - a) * (r - 1));
                below = (q - 1) * (r - 1) * (s - 1);
            }
            if (above > 0)
                below = -below;
            else
                above = -above;
            if (2 * above < fmin(3 * half * below - fabs(tolerance * below), fabs(before * below))) {
                before = step;
                step = above / below;
            } else {
                step = half;
                before = half;
            }
        }
        a = b;
        fa = fb;
        if (fabs(step) > tolerance)
            b = b + step;
        else
            b = b + (half > 0 ? tolerance : -tolerance);
        fb = horner(p, b);
    }
    return CELL_NOT_FOUND;
}
