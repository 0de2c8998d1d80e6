/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* How this cell's functions report what went wrong: a negative enum cell_status, and this beside it. */
#ifndef CELLS_SEARCH_FAILURE_H
#define CELLS_SEARCH_FAILURE_H

#include <stdint.h>

#include <cell/errors.h>

#ifdef __cplusplus
extern "C" {
#endif

struct search_failure {
    int status;     /* negative enum cell_status; 0 = none */
    char text[256]; /* UTF-8, cut at a character */
    uint32_t at;    /* of a query: where the error begins, in characters from 1; 0 = it is not about a place */
    uint32_t count; /* how many characters it is about; 0 = the end of the query */
};

/* Fills *f and returns `status`. */
int search_fail(struct search_failure *f, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

#ifdef __cplusplus
}
#endif
#endif
