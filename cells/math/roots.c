/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Real roots of polynomials up to the fourth degree. */
#include <math.h>

#include "functions.h"

/* `r` with one root more, which takes its place among the others; one that is there already changes nothing. */
static struct math_roots with_root(struct math_roots r, double x)
{
    struct math_roots all = r;
    double last = x;
    bool placed = false;

    for (int32_t i = 0; i < 4; i++) {
        const double here = r.x[i];
        if (i < r.count && here == x)
            return r;
        if (i < r.count && (placed || x < here)) {
            all.x[i] = last;
            last = here;
            placed = true;
        } else if (i == r.count) {
            all.x[i] = last;
        }
    }
    if (r.count < 4)
        all.count = r.count + 1;
    return all;
}

/* The exponent by which all coefficients can be scaled so that products of two neither overflow nor vanish. */
static int32_t exponent_of(double largest)
{
    return largest > 0 && isfinite(largest) ? (int32_t)floor(log2(largest)) : 0;
}

/* b² - 4 a c with a relative error of a few units, also where the two are nearly the same: Kahan, On the Cost of
 * Floating-Point Computation Without Extra-Precise Arithmetic (2004). */
static double discriminant(double a, double b, double c)
{
    const double p = b * b, q = 4 * a * c;

    if (3 * fabs(p - q) >= p + fabs(q))
        return p - q;
    return (p - q) + (fma(b, b, -p) - fma(4 * a, c, -q));
}

/* Without the difference of two numbers that are nearly the same: Press et al., Numerical Recipes, 3rd ed., 5.6. */
struct math_roots math_quadratic_roots(double a, double b, double c)
{
    struct math_roots r = {0};
    const double largest = fmax(fmax(fabs(a), fabs(b)), fabs(c));

    if (!isfinite(a) || !isfinite(b) || !isfinite(c) || largest == 0)
        return r;
    const int32_t e = exponent_of(largest);
    const double p = ldexp(a, -e), q = ldexp(b, -e), s = ldexp(c, -e);
    if (p == 0)
        return q == 0 ? r : with_root(r, -s / q);
    const double d = discriminant(p, q, s);
    if (d < 0)
        return r;
    const double t = -(q + copysign(sqrt(d), q)) / 2;
    r = with_root(r, t / p);
    return t == 0 ? r : with_root(r, s / t);
}

/* One root from where Newton's method approaches it from one side only, and the other two from what is left: Kahan, To
 * Solve a Real Cubic Equation (Berkeley, 1986). */
struct math_roots math_cubic_roots(double a, double b, double c, double d)
{
    struct math_roots none = {0};
    const double largest = fmax(fmax(fabs(a), fabs(b)), fmax(fabs(c), fabs(d)));

    if (!isfinite(a) || !isfinite(b) || !isfinite(c) || !isfinite(d))
        return none;
    if (a == 0 || fabs(a) < 0x1p-1000 * largest)
        return math_quadratic_roots(b, c, d);
    if (d == 0)
        return with_root(math_quadratic_roots(a, b, c), 0);
    double x = -(b / a) / 3;
    double q1 = a * x + b, q2 = q1 * x + c, slope = (a * x + q1) * x + q2, value = q2 * x + d;
    const double t = value / a, side = t < 0 ? -1 : 1;
    double distance = cbrt(fabs(t));
    if (-slope / a > 0)
        distance = 1.324718 * fmax(distance, sqrt(-slope / a)); /* the real root of x³ = x + 1 */
    double next = x - side * distance;
    if (next != x) {
        for (int32_t i = 0; i < 200; i++) {
            x = next;
            q1 = a * x + b;
            q2 = q1 * x + c;
            slope = (a * x + q1) * x + q2;
            value = q2 * x + d;
            if (slope != 0)
                next = x - value / slope / 1.0000000000000002;
            if (side * next <= side * x)
                break;
        }
        if (fabs(a) * x * x > fabs(d / x)) { /* the larger root is divided out from the other end */
            q2 = -d / x;
            q1 = (q2 - c) / x;
        }
    }
    return with_root(math_quadratic_roots(a, q1, q2), x);
}

#ifdef MATH_QUARTIC_FERRARI

/* In closed form, through the resolvent cubic (Ferrari, in Cardano, Ars magna, 1545): the quartic without its cubic
 * term is the product of two quadratics. Roots that lie close to each other come out with half of the digits, or not at
 * all. */
struct math_roots math_quartic_roots(double a, double b, double c, double d, double e)
{
    struct math_roots r = {0};

    if (!isfinite(a) || !isfinite(b) || !isfinite(c) || !isfinite(d) || !isfinite(e))
        return r;
    if (a == 0)
        return math_cubic_roots(b, c, d, e);
    const double shift = b / a / 4, s = shift * shift;
    const double p = c / a - 6 * s;
    const double q = d / a - 2 * shift * (c / a) + 8 * s * shift;
    const double u = e / a - shift * (d / a) + s * (c / a) - 3 * s * s;
    const struct math_roots resolvent = math_cubic_roots(8, 8 * p, 2 * p * p - 8 * u, -q * q);
    double m = resolvent.x[0];
    if (resolvent.count == 2)
        m = resolvent.x[1];
    if (resolvent.count >= 3)
        m = resolvent.x[2];
    const double w = m > 0 ? sqrt(2 * m) : 0;
    const double half = w > 0 ? q / (2 * w) : 0;
    const double rest = w > 0 ? p / 2 + m : p / 2;
    const double other = w > 0 ? half : sqrt(fmax(p * p / 4 - u, 0));
    const struct math_roots left = math_quadratic_roots(1, -w, rest + other);
    const struct math_roots right = math_quadratic_roots(1, w, rest - other);
    for (int32_t i = 0; i < 2; i++) {
        if (i < left.count)
            r = with_root(r, left.x[i] - shift);
        if (i < right.count)
            r = with_root(r, right.x[i] - shift);
    }
    return r;
}

#else

/* Of a x⁴ + b x³ + c x² + d x + e; `error` is a bound for what rounding can have done to it (Higham, 5.1). */
struct math_quartic_value {
    double value;
    double slope;
    double error;
};

static struct math_quartic_value quartic_at(double a, double b, double c, double d, double e, double x)
{
    struct math_quartic_value v = {0};
    const double y = fabs(x);

    v.value = (((a * x + b) * x + c) * x + d) * x + e;
    v.slope = ((4 * a * x + 3 * b) * x + 2 * c) * x + d;
    v.error = 0x1p-49 * ((((fabs(a) * y + fabs(b)) * y + fabs(c)) * y + fabs(d)) * y + fabs(e));
    return v;
}

/* The root between two places where the signs differ: Newton's method, and bisection where that leaves the interval
 * (Press et al., Numerical Recipes, 3rd ed., 9.4). */
static double quartic_between(double a, double b, double c, double d, double e, double low, double high)
{
    const bool rises = quartic_at(a, b, c, d, e, low).value < 0;
    double below = low, above = high, x = low + (high - low) / 2;

    for (int32_t i = 0; i < 200; i++) {
        const struct math_quartic_value v = quartic_at(a, b, c, d, e, x);
        if (v.value == 0)
            return x;
        if ((v.value < 0) == rises)
            below = x;
        else
            above = x;
        double next = x - v.value / v.slope;
        if (!(next > below && next < above))
            next = below + (above - below) / 2;
        if (next == x || next == below || next == above)
            return next;
        x = next;
    }
    return x;
}

/* Between the roots of its derivative a polynomial rises or falls, and so has one root at most; where it is zero as far
 * as can be told at one of those, that is a multiple root (the idea is that of Rolle's theorem; e.g. Uspensky, Theory
 * of Equations, 1948, chapter VI). All roots are between the bounds of Cauchy. */
struct math_roots math_quartic_roots(double a, double b, double c, double d, double e)
{
    struct math_roots r = {0};
    const double largest = fmax(fmax(fabs(b), fabs(c)), fmax(fabs(d), fabs(e)));

    if (!isfinite(a) || !isfinite(b) || !isfinite(c) || !isfinite(d) || !isfinite(e))
        return r;
    if (fabs(a) <= 0x1p-240 * largest) /* a root beyond what the others can be told from */
        return math_cubic_roots(b, c, d, e);
    const double bound = 1 + largest / fabs(a);
    const struct math_roots turns = math_cubic_roots(4 * a, 3 * b, 2 * c, d);
    double low = -bound;
    bool touched = false; /* there is a root at `low` already */
    for (int32_t i = 0; i < 4; i++) {
        const double high = i < turns.count ? turns.x[i] : bound;
        const struct math_quartic_value at = quartic_at(a, b, c, d, e, high);
        const double before = quartic_at(a, b, c, d, e, low).value;
        const bool touches = i < turns.count && fabs(at.value) <= at.error;
        if (touches)
            r = with_root(r, high);
        else if (!touched && (before < 0) != (at.value < 0))
            r = with_root(r, quartic_between(a, b, c, d, e, low, high));
        touched = touches;
        low = high;
        if (i >= turns.count)
            break;
    }
    return r;
}

#endif
