/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int lg_fail(struct lg_failure *f, int status, const char *format, ...)
{
    va_list args;

    if (!f)
        return status;
    f->status = status;
    va_start(args, format);
    vsnprintf(f->text, sizeof(f->text), format, args);
    va_end(args);
    return status;
}

int lg_fail_errno(struct lg_failure *f, const char *what, const char *path)
{
    int number = errno, status = CELL_IO_ERROR;

    if (number == ENOSPC || number == EDQUOT || number == EFBIG)
        status = CELL_RESOURCE_EXHAUSTED;
    else if (number == ENOENT)
        status = CELL_NOT_FOUND;
    else if (number == ENOMEM)
        status = CELL_NO_MEMORY;
    return lg_fail(f, status, "%s %s: %s", what, path, strerror(number));
}
