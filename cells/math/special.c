/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Distribution functions. */
#include <math.h>

#include "functions.h"

#define TINY 1e-300 /* in place of a 0 that a continued fraction would divide by */

/* The power series for small x (DLMF 8.7.1), and Legendre's continued fraction (8.9.2), evaluated by Lentz's method
 * (Thompson, Barnett, J. Comput. Phys. 64, 1986), for its complement: Press et al., Numerical Recipes, 3rd ed., 6.2. */
enum cell_status math_gamma_p(double a, double x, double *value)
{
    if (!(a > 0 && a <= 1e6) || !(x >= 0))
        return CELL_INVALID_ARGUMENT;
    if (x == 0 || isinf(x)) {
        *value = x == 0 ? 0 : 1;
        return CELL_OK;
    }
    const double factor = exp(a * log(x) - x - lgamma(a));
    if (x < a + 1) {
        double term = 1 / a, sum = term;
        for (int32_t n = 1; n < 20000; n++) {
            term = term * (x / (a + n));
            sum += term;
            if (term < sum * 0x1p-53)
                break;
        }
        *value = sum * factor;
        return CELL_OK;
    }
    double b = x + 1 - a, c = 1 / TINY, d = 1 / b, h = d;
    for (int32_t n = 1; n < 20000; n++) {
        const double an = n * (a - n);
        b += 2;
        d = an * d + b;
        d = 1 / (fabs(d) < TINY ? TINY : d);
        c = b + an / c;
        c = fabs(c) < TINY ? TINY : c;
        h = h * (d * c);
        if (fabs(d * c - 1) <= 0x1p-52)
            break;
    }
    *value = 1 - factor * h;
    return CELL_OK;
}

/* DLMF 8.17.22, by Lentz's method; for x where it converges fast. */
static double beta_fraction(double a, double b, double x)
{
    double c = 1, d = 1 - (a + b) * x / (a + 1);

    d = 1 / (fabs(d) < TINY ? TINY : d);
    double h = d;
    for (int32_t m = 1; m < 20000; m++) {
        const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        d = 1 + even * d;
        d = 1 / (fabs(d) < TINY ? TINY : d);
        c = 1 + even / c;
        c = fabs(c) < TINY ? TINY : c;
        h = h * (d * c);
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 + odd * d;
        d = 1 / (fabs(d) < TINY ? TINY : d);
        c = 1 + odd / c;
        c = fabs(c) < TINY ? TINY : c;
        h = h * (d * c);
        if (fabs(d * c - 1) <= 0x1p-52)
            break;
    }
    return h;
}

enum cell_status math_beta_i(double a, double b, double x, double *value)
{
    if (!(a > 0 && a <= 1e6) || !(b > 0 && b <= 1e6) || !(x >= 0 && x <= 1))
        return CELL_INVALID_ARGUMENT;
    if (x == 0 || x == 1) {
        *value = x;
        return CELL_OK;
    }
    const double factor = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2))
        *value = factor * beta_fraction(a, b, x) / a;
    else
        *value = 1 - factor * beta_fraction(b, a, 1 - x) / b;
    return CELL_OK;
}

/* Wichura, Algorithm AS 241: The Percentage Points of the Normal Distribution, Appl. Statist. 37 (1988): PPND16.
 * Numerators and denominators of its three rational functions, the constant term first. */
static const double middle_above[8] = {3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
                                       1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
                                       3.3430575583588128105e4, 2.5090809287301226727e3};
static const double middle_below[8] = {1.0,
                                       4.2313330701600911252e1,
                                       6.8718700749205790830e2,
                                       5.3941960214247511077e3,
                                       2.1213794301586595867e4,
                                       3.9307895800092710610e4,
                                       2.8729085735721942674e4,
                                       5.2264952788528545610e3};
static const double near_above[8] = {1.42343711074968357734e0,  4.63033784615654529590e0, 5.76949722146069140550e0,
                                     3.64784832476320460504e0,  1.27045825245236838258e0, 2.41780725177450611770e-1,
                                     2.27238449892691845833e-2, 7.74545014278341407640e-4};
static const double near_below[8] = {1.0,
                                     2.05319162663775882187e0,
                                     1.67638483018380384940e0,
                                     6.89767334985100004550e-1,
                                     1.48103976427480074590e-1,
                                     1.51986665636164571966e-2,
                                     5.47593808499534494600e-4,
                                     1.05075007164441684324e-9};
static const double far_above[8] = {6.65790464350110377720e0,  5.46378491116411436990e0,  1.78482653991729133580e0,
                                    2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                    2.71155556874348757815e-5, 2.01033439929228813265e-7};
static const double far_below[8] = {1.0,
                                    5.99832206555887937690e-1,
                                    1.36929880922735805310e-1,
                                    1.48753612908506148525e-2,
                                    7.86869131145613259100e-4,
                                    1.84631831751005468180e-5,
                                    1.42151175831644588870e-7,
                                    2.04426310338993978564e-15};

double math_normal_quantile(double p)
{
    const double q = p - 0.5;
    double above = 0, below = 0;

    if (fabs(q) <= 0.425) {
        const double r = 0.180625 - q * q;
        for (int32_t i = 7; i >= 0; i--) {
            above = above * r + middle_above[i];
            below = below * r + middle_below[i];
        }
        return q * above / below;
    }
    const double tail = q < 0 ? p : 1 - p;
    if (!(tail > 0))
        return tail == 0 ? (q < 0 ? -1.0 : 1.0) / 0.0 : 0.0 / 0.0;
    const double r = sqrt(-log(tail));
    for (int32_t i = 7; i >= 0; i--) {
        if (r <= 5) {
            above = above * (r - 1.6) + near_above[i];
            below = below * (r - 1.6) + near_below[i];
        } else {
            above = above * (r - 5) + far_above[i];
            below = below * (r - 5) + far_below[i];
        }
    }
    return q < 0 ? -above / below : above / below;
}
