/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Indexes of the cell `search`, as annotations (docs/search.md). Each macro is the attribute that its definition shows.
 * Of those of sql.h, CELL_KEY is a search index's as well.
 */
#ifndef CELL_SEARCH_H
#define CELL_SEARCH_H
#pragma GCC system_header /* its macros use Clang extensions: silent under -pedantic */

#include "sql.h" // IWYU pragma: export

/*
 * struct CELL_SEARCH(article, store.articles) article_index { … };   an index of the records of that collection by
 * these of their fields, and functions article_… for it. It follows the source. Behind the source: CELL_ARG(language,
 * "english") finds words by their stems, and not those that say nothing; CELL_ARG(all_words, 1) also these;
 * CELL_ARG(stop_words, "acme gmbh") leaves these out as well.
 */
#define CELL_SEARCH(name, source, ...)                                                                                 \
    CELL_VERB("search.index", #name, #source __VA_OPT__(, ) __VA_ARGS__) CELL_NO_TEXT(0, ##__VA_ARGS__)
/* Behind a cell_str: it is compared as a whole, for conditions and facets, and not looked for words in. */
#define CELL_KEYWORD CELL_ANNOTATE("cell.field:keyword")
/* Behind a cell_str that is looked for words in: what a word counts there, 1 when nothing is said. */
#define CELL_WEIGHT(weight) CELL_ANNOTATE("cell.field:weight", #weight)
/* Behind an array of float: how vectors are compared, cosine, inner_product or l2. */
#define CELL_VECTOR(metric) CELL_ANNOTATE("cell.field:vector", #metric)

#endif
