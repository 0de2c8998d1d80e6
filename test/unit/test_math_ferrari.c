/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The quartic in closed form: the first version of the math cell. Tolerance 1e-7 where roots are simple. */
#define MATH_QUARTIC_FERRARI
#include "math/roots.c"
#include "test.h"

static bool roots_are(struct math_roots r, int32_t count, const double *x)
{
    bool same = r.count == count;
    for (int32_t i = 0; i < count; i++)
        same = same && fabs(r.x[i] - x[i]) <= 1e-7 * fmax(1, fabs(x[i]));
    return same;
}

TEST(the_closed_form_finds_simple_roots)
{
    CHECK(roots_are(math_quartic_roots(1, -10, 35, -50, 24), 4, (double[]){1, 2, 3, 4}));
    CHECK(roots_are(
        math_quartic_roots(1, 0, -3, 1, 0.5), 4,
        (double[]){-1.84267036777034314, -0.2764954151171194152, 0.6836278452747749756, 1.435537937612687579}));
    CHECK(
        roots_are(math_quartic_roots(3, -7, -2, 11, -1), 2, (double[]){-1.162953996181572422, 0.09297169922505952953}));
    CHECK(roots_are(math_quartic_roots(1, 0, -5, 0, 4), 4, (double[]){-2, -1, 1, 2}));
    CHECK(roots_are(math_quartic_roots(1, 0, 0, 0, 1), 0, NULL));
    CHECK(roots_are(math_quartic_roots(0, 1, -6, 11, -6), 3, (double[]){1, 2, 3}));
}

TEST(the_closed_form_is_the_worse_one)
{
    const struct math_roots r = math_quartic_roots(2, -1, -1e6, 3, 7);
    CHECK(r.count == 4 && fabs(r.x[2] / 0.00264725173278719343 - 1) > 1e-14);
}
