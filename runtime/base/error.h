/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What is done with struct cell_error, the error object of internal functions. No allocation, no thread-local. */
#ifndef CELL_BASE_ERROR_H
#define CELL_BASE_ERROR_H

#include <stdarg.h>

#include "cell/errors.h"

/* Replaces the error; returns `status`. */
int cell_error_set(struct cell_error *e, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
int cell_error_vset(struct cell_error *e, int status, const char *format, va_list args);
/* As cell_error_set, with ": strerror(errnum)" appended. */
int cell_error_errno(struct cell_error *e, int status, int errnum, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Puts "context: " before the text; returns e->status. */
int cell_error_wrap(struct cell_error *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
