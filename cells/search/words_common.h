/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef CELLS_SEARCH_WORDS_COMMON_H
#define CELLS_SEARCH_WORDS_COMMON_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a folded word says nothing in that language. Known of "english" only. */
bool search_is_common(const char *language, const char *word, size_t length);

#endif
