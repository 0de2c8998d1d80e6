/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Numerical integration. */
#include <math.h>

#include "functions.h"

/* The roots of the Legendre polynomial by Newton's method (Davis, Rabinowitz, Methods of Numerical Integration, 2nd
 * ed., 2.7), from the approximation of Tricomi's formula; the weights from its derivative there. */
enum cell_status math_gauss_legendre(int32_t n, double low, double high, struct math_rule *rule)
{
    struct math_rule r = {0};

    if (n < 1 || n > 16)
        return CELL_INVALID_ARGUMENT;
    const double middle = low + (high - low) / 2, half = (high - low) / 2;
    for (int32_t i = 0; i < n; i++) {
        double x = -cos(3.14159265358979323846 * (i + 0.75) / (n + 0.5)), slope = 1;
        for (int32_t step = 0; step < 20; step++) {
            double p = 1, before = 0;
            for (int32_t k = 1; k <= n; k++) {
                const double next = ((2 * k - 1) * x * p - (k - 1) * before) / k;
                before = p;
                p = next;
            }
            slope = n * (x * p - before) / (x * x - 1);
            const double change = p / slope;
            x = x - change;
            if (fabs(change) < 0x1p-54)
                break;
        }
        r.x[i] = middle + half * x;
        r.weight[i] = half * 2 / ((1 - x * x) * slope * slope);
    }
    r.count = n;
    *rule = r;
    return CELL_OK;
}

/* The parabola through each three points; when one interval is left over, that of the last three points. Cartwright,
 * Simpson's Rule Cumulative Integration with MS Excel and Irregularly-spaced Data, J. Math. Sci. Math. Educ. 12 (2017).
 */
enum cell_status math_simpson(const struct math_points *p, double *integral)
{
    const int32_t n = p->count;
    double sum = 0;

    if (n < 2 || n > 64)
        return CELL_INVALID_ARGUMENT;
    for (int32_t i = 1; i < n; i++)
        if (!(p->x[i] > p->x[i - 1]))
            return CELL_INVALID_ARGUMENT;
    if (n == 2) {
        *integral = (p->x[1] - p->x[0]) * (p->y[0] + p->y[1]) / 2;
        return CELL_OK;
    }
    for (int32_t i = 1; i < n - 1; i++) {
        if (i % 2 == 0)
            continue;
        const double h0 = p->x[i] - p->x[i - 1], h1 = p->x[i + 1] - p->x[i], h = h0 + h1;
        sum += h / 6 * ((2 - h1 / h0) * p->y[i - 1] + h * h / (h0 * h1) * p->y[i] + (2 - h0 / h1) * p->y[i + 1]);
    }
    if (n % 2 == 0) {
        const double h0 = p->x[n - 2] - p->x[n - 3], h1 = p->x[n - 1] - p->x[n - 2], h = h0 + h1;
        sum +=
            h1 / 6 *
            ((2 * h1 + 3 * h0) / h * p->y[n - 1] + (h1 + 3 * h0) / h0 * p->y[n - 2] - h1 * h1 / (h0 * h) * p->y[n - 3]);
    }
    *integral = sum;
    return CELL_OK;
}
