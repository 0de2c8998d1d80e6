/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Curves through points, or near them. */
#include <math.h>

#include "functions.h"

/* How many points there are, 0: not a number that can be. */
static int32_t point_count(const struct math_points *p)
{
    const int32_t n = p->count;

    return n >= 0 && n <= 64 ? n : 0;
}

/* About the means, which loses nothing when they are large: Björck, Numerical Methods for Least Squares Problems
 * (1996), 1.2. */
enum cell_status math_fit_line(const struct math_points *p, struct math_line *line)
{
    const int32_t n = point_count(p);
    double mean_x = 0, mean_y = 0, xx = 0, xy = 0, yy = 0;

    if (n < 2)
        return CELL_INVALID_ARGUMENT;
    for (int32_t i = 0; i < n; i++) {
        mean_x += p->x[i] / n;
        mean_y += p->y[i] / n;
    }
    for (int32_t i = 0; i < n; i++) {
        const double x = p->x[i] - mean_x, y = p->y[i] - mean_y;
        xx += x * x;
        xy += x * y;
        yy += y * y;
    }
    if (!(xx > 0))
        return CELL_FAILED_PRECONDITION;
    struct math_line fit = {0};
    fit.slope = xy / xx;
    fit.intercept = mean_y - fit.slope * mean_x;
    fit.r_squared = yy > 0 ? xy / xx * (xy / yy) : 1;
    *line = fit;
    return CELL_OK;
}

/* The powers of x from 0 to 8, a row of 9 a point, and behind them y. */
struct math_fit_system {
    double a[640];
};

/* Householder's reflection that makes zeros below the diagonal in one column (Golub, Van Loan, Matrix Computations, 4th
 * ed., 5.2.1). */
static struct math_fit_system reflected(struct math_fit_system s, int32_t column, int32_t columns, int32_t n)
{
    struct math_fit_system r = s;
    double length = 0;

    if (column < 0 || column > 8 || n < 0 || n > 64)
        return s;
    for (int32_t i = column; i < n; i++)
        length = hypot(length, s.a[i * 10 + column]);
    const double first = s.a[column * 10 + column], alpha = first > 0 ? -length : length;
    const double scale = alpha * (alpha - first); /* half of the square of the reflection's vector */
    if (scale == 0)
        return s;
    for (int32_t k = 0; k < 10; k++) {
        if (k < column || (k >= columns && k < 9))
            continue;
        double dot = (first - alpha) * s.a[column * 10 + k];
        for (int32_t i = column + 1; i < n; i++)
            dot += s.a[i * 10 + column] * s.a[i * 10 + k];
        const double factor = dot / scale;
        r.a[column * 10 + k] = s.a[column * 10 + k] - factor * (first - alpha);
        for (int32_t i = column + 1; i < n; i++)
            r.a[i * 10 + k] = k == column ? 0 : s.a[i * 10 + k] - factor * s.a[i * 10 + column];
    }
    return r;
}

/* Solves R x = Q'y. Its unknowns are of powers of (x - middle) / half. */
static enum cell_status back_substituted(const struct math_fit_system *s, int32_t columns, struct math_polynomial *fit)
{
    struct math_polynomial p = {0};

    for (int32_t i = 8; i >= 0; i--) {
        if (i >= columns)
            continue;
        double rest = s->a[i * 10 + 9];
        for (int32_t k = i + 1; k < 9; k++)
            if (k < columns)
                rest -= s->a[i * 10 + k] * p.c[k];
        const double pivot = s->a[i * 10 + i];
        if (fabs(pivot) <= 0x1p-46)
            return CELL_FAILED_PRECONDITION;
        p.c[i] = rest / pivot;
    }
    p.count = columns;
    *fit = p;
    return CELL_OK;
}

/* Orthogonal triangularisation in place of the normal equations, which square the condition (Golub, Van Loan, 5.3.3),
 * on the interval from -1 to 1; then the polynomial is moved to where x really is (Knuth, The Art of Computer
 * Programming 2, 3rd ed., 4.6.4: Shaw and Traub). */
enum cell_status math_fit_polynomial(const struct math_points *p, int32_t degree, struct math_polynomial *fit)
{
    const int32_t n = point_count(p), columns = degree + 1;
    struct math_fit_system s = {0};
    struct math_polynomial t = {0};

    if (degree < 0 || degree > 8 || n < 1)
        return CELL_INVALID_ARGUMENT;
    double low = p->x[0], high = p->x[0];
    for (int32_t i = 1; i < n; i++) {
        low = fmin(low, p->x[i]);
        high = fmax(high, p->x[i]);
    }
    const double middle = low + (high - low) / 2, half = high > low ? (high - low) / 2 : 1;
    if (n < columns)
        return CELL_FAILED_PRECONDITION;
    for (int32_t i = 0; i < n; i++) {
        double power = 1;
        for (int32_t k = 0; k < 9; k++) {
            s.a[i * 10 + k] = power;
            power = power * ((p->x[i] - middle) / half);
        }
        s.a[i * 10 + 9] = p->y[i];
    }
    for (int32_t k = 0; k < 9; k++)
        if (k < columns)
            s = reflected(s, k, columns, n);
    const int r = back_substituted(&s, columns, &t);
    if (r < 0)
        return r;
    double unit = 1;
    for (int32_t k = 0; k < 9; k++) {
        t.c[k] = t.c[k] / unit;
        unit = unit * half;
    }
    for (int32_t k = 0; k < 9; k++)
        for (int32_t i = 7; i >= 0; i--)
            if (i >= k)
                t.c[i] = t.c[i] - middle * t.c[i + 1];
    *fit = t;
    return CELL_OK;
}

/* Press et al., Numerical Recipes, 3rd ed., 3.3: continuity of the first derivative is a tridiagonal system for the
 * second ones, which are 0 at the ends. */
enum cell_status math_spline_fit(const struct math_points *p, struct math_spline *spline)
{
    const int32_t n = point_count(p);
    struct math_spline s = {0};
    double above[64] = {0};

    if (n < 2)
        return CELL_INVALID_ARGUMENT;
    for (int32_t i = 0; i < n; i++) {
        s.x[i] = p->x[i];
        s.y[i] = p->y[i];
        if (!isfinite(s.x[i]) || (i > 0 && !(s.x[i] > s.x[i - 1])))
            return CELL_INVALID_ARGUMENT;
    }
    for (int32_t i = 1; i < n - 1; i++) {
        const double h0 = s.x[i] - s.x[i - 1], h1 = s.x[i + 1] - s.x[i];
        const double right = 6 * ((s.y[i + 1] - s.y[i]) / h1 - (s.y[i] - s.y[i - 1]) / h0);
        const double pivot = 2 * (h0 + h1) - h0 * above[i - 1];
        above[i] = h1 / pivot;
        s.second[i] = (right - h0 * s.second[i - 1]) / pivot;
    }
    for (int32_t i = n - 2; i >= 1; i--)
        s.second[i] = s.second[i] - above[i] * s.second[i + 1];
    s.count = n;
    *spline = s;
    return CELL_OK;
}

enum cell_status math_spline_at(const struct math_spline *spline, double x, double *value)
{
    const int32_t n = spline->count;
    int32_t low = 0;

    if (n < 2 || n > 64)
        return CELL_INVALID_ARGUMENT;
    for (int32_t bit = 5; bit >= 0; bit--) { /* the last knot that is not above x and not the last */
        const int32_t next = low + (1 << bit);
        if (next <= n - 2 && spline->x[next] <= x)
            low = next;
    }
    const int32_t high = low + 1;
    const double h = spline->x[high] - spline->x[low];
    if (!(h > 0))
        return CELL_INVALID_ARGUMENT;
    const double rise = (spline->y[high] - spline->y[low]) / h;
    if (x < spline->x[low]) {
        *value =
            spline->y[low] + (x - spline->x[low]) * (rise - h * (2 * spline->second[low] + spline->second[high]) / 6);
    } else if (x > spline->x[high]) {
        *value =
            spline->y[high] + (x - spline->x[high]) * (rise + h * (spline->second[low] + 2 * spline->second[high]) / 6);
    } else {
        const double a = (spline->x[high] - x) / h, b = (x - spline->x[low]) / h;
        *value = a * spline->y[low] + b * spline->y[high] +
                 ((a * a * a - a) * spline->second[low] + (b * b * b - b) * spline->second[high]) * h * h / 6;
    }
    return CELL_OK;
}
