/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Optimisation under constraints. */
#include <math.h>

#include "functions.h"

/*
 * A dictionary: rows 0 to 7 are basic variables, row 8 the objective, row 9 that of the first phase. Of row i, columns
 * 0 to 8 belong to the nonbasic variables, column 9 is the constant: basic_i = a[i][9] - Σ a[i][j] nonbasic_j,
 * objective = a[8][9] + Σ a[8][j] nonbasic_j. Variables 0 to 7 are those of the program, 8 to 15 the slack ones, 16 the
 * artificial one. Columns and rows that are not used are zero.
 */
struct math_dictionary {
    double a[100];
    int32_t basic[8];
    int32_t nonbasic[9];
};

#define ARTIFICIAL 16
#define PIVOT_TOLERANCE 1e-11

/* Variable `column` enters, `row` leaves (Cormen et al., Introduction to Algorithms, 3rd ed., 29.3). */
static struct math_dictionary pivoted(const struct math_dictionary *d, int32_t row, int32_t column)
{
    struct math_dictionary n = *d;

    if (row < 0 || row > 7 || column < 0 || column > 8)
        return n;
    const double pivot = d->a[row * 10 + column];
    for (int32_t j = 0; j < 10; j++)
        n.a[row * 10 + j] = j == column ? 1 / pivot : d->a[row * 10 + j] / pivot;
    for (int32_t i = 0; i < 10; i++) {
        const double factor = d->a[i * 10 + column];
        if (i == row || factor == 0)
            continue;
        for (int32_t j = 0; j < 10; j++) {
            const double change = factor * n.a[row * 10 + j];
            if (j == column)
                n.a[i * 10 + j] = -change;
            else if (j == 9 && i >= 8)
                n.a[i * 10 + j] = d->a[i * 10 + j] + change;
            else
                n.a[i * 10 + j] = d->a[i * 10 + j] - change;
        }
    }
    n.basic[row] = d->nonbasic[column];
    n.nonbasic[column] = d->basic[row];
    return n;
}

/* Goes from corner to corner until the objective in row `goal` does not rise any more. The choices are Bland's (Math.
 * Oper. Res. 2, 1977), which cannot go round in circles. CELL_OUT_OF_RANGE when it rises for ever. */
static enum cell_status climb(const struct math_dictionary *start, int32_t goal, struct math_dictionary *end)
{
    struct math_dictionary d = *start;

    if (goal < 8 || goal > 9)
        return CELL_INVALID_ARGUMENT;
    for (int32_t step = 0; step < 2000; step++) {
        int32_t column = -1, row = -1;
        for (int32_t j = 0; j < 9; j++) {
            const bool allowed = goal == 9 || d.nonbasic[j] != ARTIFICIAL;
            if (allowed && d.a[goal * 10 + j] > PIVOT_TOLERANCE && (column < 0 || d.nonbasic[j] < d.nonbasic[column]))
                column = j;
        }
        if (column < 0) {
            *end = d;
            return CELL_OK;
        }
        double least = 0;
        for (int32_t i = 0; i < 8; i++) {
            const double slope = d.a[i * 10 + column];
            if (slope <= PIVOT_TOLERANCE)
                continue;
            const double room = d.a[i * 10 + 9] / slope;
            if (row < 0 || room < least || (room == least && d.basic[i] < d.basic[row])) {
                row = i;
                least = room;
            }
        }
        if (row < 0)
            return CELL_OUT_OF_RANGE;
        d = pivoted(&d, row, column);
    }
    return CELL_ABORTED; /* rounding kept it busy */
}

/* A first corner: the artificial variable makes one, and is then driven to 0 (Cormen et al., 29.5). */
static enum cell_status first_corner(const struct math_dictionary *start, struct math_dictionary *corner)
{
    struct math_dictionary d = *start;
    int32_t worst = 0;

    for (int32_t i = 1; i < 8; i++)
        if (d.a[i * 10 + 9] < d.a[worst * 10 + 9])
            worst = i;
    if (d.a[worst * 10 + 9] >= 0) {
        *corner = d;
        return CELL_OK;
    }
    d = pivoted(&d, worst, 8);
    struct math_dictionary low = d;
    const int r = climb(&d, 9, &low);
    if (r < 0)
        return r;
    if (low.a[99] < -1e-9)
        return CELL_NOT_FOUND;
    for (int32_t i = 0; i < 8; i++) {
        if (low.basic[i] != ARTIFICIAL)
            continue;
        int32_t column = 0;
        for (int32_t j = 1; j < 9; j++)
            if (fabs(low.a[i * 10 + j]) > fabs(low.a[i * 10 + column]))
                column = j;
        if (low.a[i * 10 + column] != 0)
            low = pivoted(&low, i, column);
        break;
    }
    *corner = low;
    return CELL_OK;
}

enum cell_status math_maximize(const struct math_linear_program *p, struct math_optimum *optimum)
{
    const int32_t n = p->variables, m = p->constraints;
    struct math_dictionary d = {0}, corner = {0}, end = {0};
    struct math_optimum best = {0};

    if (n < 1 || n > 8 || m < 1 || m > 8)
        return CELL_INVALID_ARGUMENT;
    for (int32_t i = 0; i < 8; i++) {
        d.basic[i] = 8 + i;
        d.nonbasic[i] = i;
        if (i < n)
            d.a[80 + i] = p->objective[i];
        if (i >= m)
            continue;
        for (int32_t j = 0; j < n; j++)
            d.a[i * 10 + j] = p->matrix[i * 8 + j];
        d.a[i * 10 + 8] = -1;
        d.a[i * 10 + 9] = p->limit[i];
    }
    d.nonbasic[8] = ARTIFICIAL;
    d.a[98] = -1;
    int r = first_corner(&d, &corner);
    if (r < 0)
        return r;
    r = climb(&corner, 8, &end);
    if (r < 0)
        return r;
    for (int32_t i = 0; i < 8; i++) {
        const int32_t which = end.basic[i];
        if (which >= 0 && which < 8)
            best.x[which] = end.a[i * 10 + 9];
    }
    best.value = end.a[89];
    *optimum = best;
    return CELL_OK;
}

/* The step to the minimum over the variables that are free: Cholesky's decomposition (Golub, Van Loan, Matrix
 * Computations, 4th ed., 4.2) of the matrix with rows and columns of the others replaced by those of the identity. */
static enum cell_status free_step(const double matrix[64], const double gradient[8], const int32_t fixed[8],
                                  double step[8])
{
    double l[64] = {0}, y[8] = {0};

    for (int32_t i = 0; i < 8; i++) {
        for (int32_t j = 0; j <= i; j++) {
            const bool both = fixed[i] == 0 && fixed[j] == 0;
            double sum = both ? matrix[i * 8 + j] : i == j ? 1 : 0;
            for (int32_t k = 0; k < j; k++)
                sum -= l[i * 8 + k] * l[j * 8 + k];
            if (i != j) {
                l[i * 8 + j] = sum / l[j * 8 + j];
            } else {
                if (!(sum > 0) || !isfinite(sum))
                    return CELL_FAILED_PRECONDITION;
                l[i * 8 + i] = sqrt(sum);
            }
        }
    }
    for (int32_t i = 0; i < 8; i++) {
        double rest = fixed[i] == 0 ? -gradient[i] : 0;
        for (int32_t k = 0; k < i; k++)
            rest -= l[i * 8 + k] * y[k];
        y[i] = rest / l[i * 8 + i];
    }
    for (int32_t i = 7; i >= 0; i--) {
        for (int32_t k = i + 1; k < 8; k++)
            y[i] -= l[k * 8 + i] * y[k];
        y[i] = y[i] / l[i * 8 + i];
    }
    for (int32_t i = 0; i < 8; i++)
        step[i] = y[i];
    return CELL_OK;
}

/* matrix x + linear, by the lower triangle. */
static double slope_at(const struct math_box_program *p, const double x[8], int32_t i)
{
    double sum = 0;

    if (i < 0 || i > 7)
        return 0;
    for (int32_t j = 0; j < 8; j++)
        if (i < p->variables && j < p->variables)
            sum += (j <= i ? p->matrix[i * 8 + j] : p->matrix[j * 8 + i]) * x[j];
    return i < p->variables ? sum + p->linear[i] : 0;
}

/* The primal active set method (Nocedal, Wright, Numerical Optimization, 2nd ed., algorithm 16.3), where the
 * constraints are bounds. fixed[i]: -1 at the lower, 1 at the upper one, 2 for variables that are not there. */
enum cell_status math_minimize(const struct math_box_program *p, struct math_optimum *optimum)
{
    const int32_t n = p->variables;
    double x[8] = {0}, gradient[8] = {0}, step[8] = {0};
    int32_t fixed[8] = {0};
    struct math_optimum best = {0};

    if (n < 1 || n > 8)
        return CELL_INVALID_ARGUMENT;
    for (int32_t i = 0; i < 8; i++) {
        fixed[i] = i < n ? 0 : 2;
        if (i < n && !(p->low[i] <= p->high[i]))
            return CELL_INVALID_ARGUMENT;
        if (i < n)
            x[i] = fmin(fmax(0, p->low[i]), p->high[i]);
    }
    for (int32_t round = 0; round < 1000; round++) {
        for (int32_t i = 0; i < 8; i++)
            gradient[i] = slope_at(p, x, i);
        const int r = free_step(p->matrix, gradient, fixed, step);
        if (r < 0)
            return r;
        /* As far as the first bound in the way. */
        double far = 1;
        int32_t stop = -1;
        for (int32_t i = 0; i < 8; i++) {
            if (fixed[i] != 0 || step[i] == 0)
                continue;
            const double room = ((step[i] > 0 ? p->high[i] : p->low[i]) - x[i]) / step[i];
            if (room < far) {
                far = fmax(room, 0);
                stop = i;
            }
        }
        for (int32_t i = 0; i < 8; i++)
            if (fixed[i] == 0)
                x[i] += far * step[i];
        if (stop >= 0) {
            fixed[stop] = step[stop] > 0 ? 1 : -1;
            x[stop] = step[stop] > 0 ? p->high[stop] : p->low[stop];
            continue;
        }
        /* At the minimum of this face: a bound that holds x back from falling further stays, the worst other goes. */
        double worst = 0;
        int32_t freed = -1;
        for (int32_t i = 0; i < 8; i++) {
            gradient[i] = slope_at(p, x, i);
            const double pull = fixed[i] == 1 ? gradient[i] : fixed[i] == -1 ? -gradient[i] : 0;
            if (pull > worst + 1e-13 * fabs(p->linear[i])) {
                worst = pull;
                freed = i;
            }
        }
        if (freed < 0) {
            for (int32_t i = 0; i < n; i++) {
                best.x[i] = x[i];
                best.value += x[i] * (gradient[i] + p->linear[i]) / 2;
            }
            *optimum = best;
            return CELL_OK;
        }
        fixed[freed] = 0;
    }
    return CELL_ABORTED;
}
