/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int search_fail(struct search_failure *f, int status, const char *format, ...)
{
    va_list args;

    *f = (struct search_failure){.status = status};
    va_start(args, format);
    int n = vsnprintf(f->text, sizeof(f->text), format, args);
    va_end(args);
    if (n >= (int)sizeof(f->text)) {
        size_t end = sizeof(f->text) - 1;
        while (end > 0 && (f->text[end - 1] & 0xc0) == 0x80)
            end--;
        if (end > 0 && (unsigned char)f->text[end - 1] >= 0xc0)
            end--;
        f->text[end] = '\0';
    }
    return status;
}
