/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>

int fail(struct failure *f, int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(f->text, sizeof(f->text), format, args);
    va_end(args);
    f->retry_after_ms = 0;
    return status;
}
