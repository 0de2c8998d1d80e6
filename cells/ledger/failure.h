/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* How this cell's functions report what went wrong: a negative enum cell_status, and the words beside it. */
#ifndef CELLS_LEDGER_FAILURE_H
#define CELLS_LEDGER_FAILURE_H

#include <cell/errors.h>

struct lg_failure {
    int status;     /* negative enum cell_status; 0 = none */
    char text[640]; /* UTF-8 */
};

/* Fills *f, unless it is NULL, and returns `status`. */
int lg_fail(struct lg_failure *f, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same with ": " and what errno says behind it; of a full disk the status is CELL_RESOURCE_EXHAUSTED. */
int lg_fail_errno(struct lg_failure *f, const char *what, const char *path);

#endif
