/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LINK: cells/math/programs.c
#include <math.h>

#include "math/functions.h"
#include "test.h"

static bool near(double got, double right) { return fabs(got - right) <= 1e-10 * fmax(1, fabs(right)); }

static struct math_linear_program linear(int32_t n, int32_t m, const double *objective, const double *rows)
{
    struct math_linear_program p = {.variables = n, .constraints = m};
    memcpy(p.objective, objective, (size_t)n * sizeof(double));
    for (int i = 0; i < m; i++) {
        memcpy(p.matrix + 8 * i, rows + i * (n + 1), (size_t)n * sizeof(double));
        p.limit[i] = rows[i * (n + 1) + n];
    }
    return p;
}

TEST(the_simplex_method_finds_the_corner)
{
    /* Hillier, Lieberman, Introduction to Operations Research: Wyndor Glass. */
    const struct math_linear_program p = linear(2, 3, (double[]){3, 5}, (double[]){1, 0, 4, 0, 2, 12, 3, 2, 18});
    struct math_optimum o = {0};
    CHECK(math_maximize(&p, &o) == CELL_OK && near(o.value, 36) && near(o.x[0], 2) && near(o.x[1], 6) && o.x[2] == 0);
}

TEST(a_program_may_need_a_first_corner)
{
    /* Cormen et al., 29.5: maximise 2x - y, 2x - y <= 2, x - 5y <= -4. */
    struct math_linear_program p = linear(2, 2, (double[]){2, -1}, (double[]){2, -1, 2, 1, -5, -4});
    struct math_optimum o = {0};
    CHECK(math_maximize(&p, &o) == CELL_OK && near(o.value, 2) && near(o.x[0], 14.0 / 9) && near(o.x[1], 10.0 / 9));
    /* The diet: minimise 0.6 x + 0.35 y, 5x + 7y >= 8, 4x + 2y >= 15, 2x + y >= 3: x = 3.75. */
    p = linear(2, 3, (double[]){-0.6, -0.35}, (double[]){-5, -7, -8, -4, -2, -15, -2, -1, -3});
    CHECK(math_maximize(&p, &o) == CELL_OK && near(o.value, -2.25) && near(o.x[0], 3.75) && near(o.x[1], 0));
    /* An equation, as two inequalities: x + y = 3, maximise x - y with x <= 2. */
    p = linear(2, 3, (double[]){1, -1}, (double[]){1, 1, 3, -1, -1, -3, 1, 0, 2});
    CHECK(math_maximize(&p, &o) == CELL_OK && near(o.value, 1) && near(o.x[0], 2) && near(o.x[1], 1));
}

TEST(a_program_may_go_round_in_circles)
{
    /* Chvátal, Linear Programming, chapter 3: cycles with the largest coefficient rule. */
    const struct math_linear_program p = linear(
        4, 3, (double[]){10, -57, -9, -24}, (double[]){0.5, -5.5, -2.5, 9, 0, 0.5, -1.5, -0.5, 1, 0, 1, 0, 0, 0, 1});
    struct math_optimum o = {0};
    CHECK(math_maximize(&p, &o) == CELL_OK && near(o.value, 1) && near(o.x[0], 1) && near(o.x[2], 1));
}

TEST(the_cube_of_klee_and_minty_is_climbed)
{
    struct math_linear_program p = {.variables = 8, .constraints = 8};
    struct math_optimum o = {0};
    for (int i = 0; i < 8; i++) {
        p.objective[i] = pow(2, 7 - i);
        for (int j = 0; j < i; j++)
            p.matrix[i * 8 + j] = pow(2, i - j + 1);
        p.matrix[i * 8 + i] = 1;
        p.limit[i] = pow(5, i + 1);
    }
    CHECK(math_maximize(&p, &o) == CELL_OK && near(o.value, 390625) && near(o.x[7], 390625) && near(o.x[0], 0));
}

TEST(a_program_without_a_solution_says_why)
{
    struct math_optimum o = {.value = 7};
    struct math_linear_program p = linear(1, 2, (double[]){1}, (double[]){1, 1, -1, -2});
    CHECK(math_maximize(&p, &o) == CELL_NOT_FOUND);
    p = linear(2, 1, (double[]){1, 1}, (double[]){1, -1, 1});
    CHECK(math_maximize(&p, &o) == CELL_OUT_OF_RANGE);
    p.variables = 9;
    CHECK(math_maximize(&p, &o) == CELL_INVALID_ARGUMENT);
    p.variables = 2;
    p.constraints = 0;
    CHECK(math_maximize(&p, &o) == CELL_INVALID_ARGUMENT && o.value == 7);
}

static struct math_box_program box(int32_t n, const double *matrix, const double *linear_part, double low, double high)
{
    struct math_box_program p = {.variables = n};
    for (int i = 0; i < n; i++) {
        memcpy(p.matrix + 8 * i, matrix + n * i, (size_t)n * sizeof(double));
        p.linear[i] = linear_part[i];
        p.low[i] = low;
        p.high[i] = high;
    }
    return p;
}

TEST(a_quadratic_program_is_solved_inside_and_at_its_bounds)
{
    struct math_optimum o = {0};
    /* x² + y² - 2x - 6y: its minimum is (1, 3). */
    struct math_box_program p = box(2, (double[]){2, 0, 0, 2}, (double[]){-2, -6}, -10, 10);
    CHECK(math_minimize(&p, &o) == CELL_OK && near(o.x[0], 1) && near(o.x[1], 3) && near(o.value, -10));
    p = box(2, (double[]){2, 0, 0, 2}, (double[]){-2, -6}, 0, 2);
    CHECK(math_minimize(&p, &o) == CELL_OK && near(o.x[0], 1) && o.x[1] == 2 && near(o.value, -9));
    /* With a coupling: at y = 1 the slope of x is 4x + y - 4 = 0. */
    p = box(2, (double[]){4, 1, 1, 2}, (double[]){-4, -9}, -1, 1);
    CHECK(math_minimize(&p, &o) == CELL_OK && near(o.x[0], 0.75) && o.x[1] == 1 && near(o.value, -8 - 1.125));
}

/* That no step within the bounds improves: the conditions of Karush, Kuhn and Tucker. */
static bool is_optimal(const struct math_box_program *p, const struct math_optimum *o)
{
    bool good = true;
    for (int i = 0; i < p->variables; i++) {
        double slope = p->linear[i];
        for (int j = 0; j < p->variables; j++)
            slope += p->matrix[8 * i + j] * o->x[j];
        good = good && o->x[i] >= p->low[i] && o->x[i] <= p->high[i];
        good = good && (slope <= 1e-9 || o->x[i] == p->low[i]) && (slope >= -1e-9 || o->x[i] == p->high[i]);
    }
    return good;
}

TEST(minima_of_random_programs_fulfil_their_conditions)
{
    uint32_t seed = 1;
    for (int round = 0; round < 500; round++) {
        double factor[64], matrix[64], c[8];
        const int n = 1 + round % 8;
        for (int i = 0; i < 64; i++)
            factor[i] = (double)((seed = seed * 1664525 + 1013904223) >> 8) / 0x1p23 - 1;
        for (int i = 0; i < n; i++) {
            c[i] = 5 * factor[63 - i];
            for (int j = 0; j < n; j++) {
                matrix[i * n + j] = i == j ? 0.1 : 0;
                for (int k = 0; k < n; k++)
                    matrix[i * n + j] += factor[i * n + k] * factor[j * n + k];
            }
        }
        const struct math_box_program p = box(n, matrix, c, -1, 1);
        struct math_optimum o = {0};
        CHECK(math_minimize(&p, &o) == CELL_OK && is_optimal(&p, &o));
    }
}

TEST(a_quadratic_program_without_a_solution_says_why)
{
    struct math_optimum o = {.value = 7};
    struct math_box_program p = box(2, (double[]){1, 2, 2, 1}, (double[]){1, 1}, -1, 1);
    CHECK(math_minimize(&p, &o) == CELL_FAILED_PRECONDITION);
    p.low[1] = 2;
    CHECK(math_minimize(&p, &o) == CELL_INVALID_ARGUMENT);
    p.variables = 0;
    CHECK(math_minimize(&p, &o) == CELL_INVALID_ARGUMENT && o.value == 7);
}
