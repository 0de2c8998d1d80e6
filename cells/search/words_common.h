/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Words that say nothing: those of a language that are in nearly every text, and those that somebody has named. */
#ifndef CELLS_SEARCH_WORDS_COMMON_H
#define CELLS_SEARCH_WORDS_COMMON_H

#include <stdbool.h>
#include <stddef.h>

struct search_common;

/* Those of `language`, NULL = of none, and `own`, folded, with spaces between. NULL when memory is short. */
struct search_common *search_common_new(const char *language, const char *own);
void search_common_free(struct search_common *common); /* NULL is accepted */
/* `word` is folded. Any thread. */
bool search_common_has(const struct search_common *common, const char *word, size_t length);

#endif
