/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Fits a curve to points, one "x y" on a line of the standard input, and tells where it is zero. The functions of the
 * math cell are in this program: it runs without the cell.
 *
 *   printf '%s\n' '0 24' '1 0' '2 0' '3 0' '4 0' '5 24' | ./curve
 */
#include <stdio.h>

#include <cell/cell.h>

CELL_REMOTE(math);

static int fail(const char *what, int status)
{
    fprintf(stderr, "curve: %s: %s\n", what, cell_status_text(status));
    return 1;
}

int main(void)
{
    struct math_points points = {0};
    struct math_polynomial p;
    struct math_line line;

    while (points.count < MATH_MAX_POINTS && scanf("%lf %lf", &points.x[points.count], &points.y[points.count]) == 2)
        points.count++;
    int r = math_fit_line(&points, &line);
    if (r < 0)
        return fail("line", r);
    printf("line: %.6g x + %.6g, r2 %.3f\n", line.slope, line.intercept, line.r_squared);
    r = math_fit_polynomial(&points, 4, &p);
    if (r < 0)
        return fail("polynomial", r);
    struct math_roots roots = math_quartic_roots(p.c[4], p.c[3], p.c[2], p.c[1], p.c[0]);
    printf("%d zeros:", (int)roots.count);
    for (int i = 0; i < roots.count; i++)
        printf(" %.9f", roots.x[i]);
    printf("\n");
    return 0;
}
