/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* How the domain reports what went wrong: a negative enum cell_status, and this beside it. */
#ifndef CELLS_AUTH_FAILURE_H
#define CELLS_AUTH_FAILURE_H

#include <stdint.h>

#include <cell/errors.h>

struct failure {
    char text[256];         /* for the caller: no secret, no path, no SQL */
    int64_t retry_after_ms; /* with CELL_RESOURCE_EXHAUSTED: when it is worth trying again; else 0 */
};

/* Fills *f and returns `status`. */
int fail(struct failure *f, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
