/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* UTF-8 as RFC 3629 has it. */
#ifndef CELLS_SEARCH_UTF8_H
#define CELLS_SEARCH_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* The length of the character that `left` bytes at `text` begin with; 0 when they begin with none, or with a NUL. */
size_t search_utf8_length(const char *text, size_t left);

/* Whether all of it is characters, none of them NUL. */
bool search_is_utf8(const char *text, size_t length);

#endif
