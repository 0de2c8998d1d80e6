/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Small systems of linear equations. */
#include <math.h>

#include "functions.h"

/* n equations, up to 4, whose coefficients stand row by row. Gaussian elimination with scaled partial pivoting (Higham,
 * Accuracy and Stability of Numerical Algorithms, 2nd ed., 9); a row is 4 coefficients and the right side. */
static enum cell_status solve(const double given[16], const double right[4], int32_t n, double x[4])
{
    double a[20] = {0}, scale[4] = {0}, solution[4] = {0};

    if (n < 1 || n > 4)
        return CELL_INVALID_ARGUMENT;
    for (int32_t i = 0; i < n; i++) {
        for (int32_t k = 0; k < n; k++)
            a[i * 5 + k] = given[i * n + k];
        a[i * 5 + 4] = right[i];
    }
    for (int32_t i = 0; i < n; i++) {
        for (int32_t k = 0; k < n; k++)
            scale[i] = fmax(scale[i], fabs(a[i * 5 + k]));
        if (!(scale[i] > 0) || !isfinite(scale[i]))
            return CELL_FAILED_PRECONDITION;
    }
    for (int32_t k = 0; k < n; k++) {
        int32_t best = k;
        for (int32_t i = k + 1; i < n; i++)
            if (fabs(a[i * 5 + k]) / scale[i] > fabs(a[best * 5 + k]) / scale[best])
                best = i;
        if (!(fabs(a[best * 5 + k]) > 4 * 0x1p-52 * scale[best]))
            return CELL_FAILED_PRECONDITION;
        for (int32_t j = 0; j < 5; j++) {
            const double moved = a[k * 5 + j];
            a[k * 5 + j] = a[best * 5 + j];
            a[best * 5 + j] = moved;
        }
        scale[best] = scale[k];
        for (int32_t i = k + 1; i < n; i++) {
            const double factor = a[i * 5 + k] / a[k * 5 + k];
            for (int32_t j = 0; j < 5; j++)
                a[i * 5 + j] -= factor * a[k * 5 + j];
        }
    }
    for (int32_t i = n - 1; i >= 0; i--) {
        double rest = a[i * 5 + 4];
        for (int32_t j = i + 1; j < n; j++)
            rest -= a[i * 5 + j] * solution[j];
        solution[i] = rest / a[i * 5 + i];
    }
    for (int32_t i = 0; i < 4; i++)
        x[i] = solution[i];
    return CELL_OK;
}

enum cell_status math_solve3(const double a[9], const double b[3], double x[3])
{
    double rows[16] = {0}, right[4] = {0}, solution[4] = {0};

    for (int32_t i = 0; i < 9; i++)
        rows[i] = a[i];
    for (int32_t i = 0; i < 3; i++)
        right[i] = b[i];
    const int r = solve(rows, right, 3, solution);
    if (r < 0)
        return r;
    for (int32_t i = 0; i < 3; i++)
        x[i] = solution[i];
    return CELL_OK;
}

enum cell_status math_solve4(const double a[16], const double b[4], double x[4])
{
    double solution[4] = {0};

    const int r = solve(a, b, 4, solution);
    if (r < 0)
        return r;
    for (int32_t i = 0; i < 4; i++)
        x[i] = solution[i];
    return CELL_OK;
}
