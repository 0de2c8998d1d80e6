/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>

int an_fail(struct an_failure *f, int status, const char *format, ...)
{
    va_list args;

    f->status = status;
    va_start(args, format);
    vsnprintf(f->text, sizeof(f->text), format, args);
    va_end(args);
    return status;
}
