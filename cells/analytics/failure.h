/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* How this cell's functions report what went wrong: a negative enum cell_status, and this beside it. */
#ifndef CELLS_ANALYTICS_FAILURE_H
#define CELLS_ANALYTICS_FAILURE_H

#include <cell/errors.h>

struct an_failure {
    int status;     /* negative enum cell_status; 0 = none */
    char text[400]; /* UTF-8 */
};

/* Fills *f and returns `status`. */
int an_fail(struct an_failure *f, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
