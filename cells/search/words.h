/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Words of texts: Unicode letters and digits, folded (SQLite's tokenizer unicode61, without diacritics), by their stems
 * where a language is given (libstemmer, https://snowballstem.org), and without those that say nothing.
 *
 * Beside a word whose stem is another text the index has "=stem" at the same place. So a search by stems finds all
 * words of that stem, and the beginning of a word is still looked for among words, not among stems.
 */
#ifndef CELLS_SEARCH_WORDS_H
#define CELLS_SEARCH_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "failure.h"

/* What an FTS5 table's "tokenize" says: "cell LANGUAGE", or "cell LANGUAGE HOW WORD…", where HOW is `listed`, or `all`
 * to keep the language's stop words, and each WORD is one more, folded. */
#define SEARCH_TOKENIZER "cell"
#define SEARCH_LISTED_WORDS "listed"
#define SEARCH_ALL_WORDS "all"
#define SEARCH_NO_LANGUAGE "none"

/* Whether `language` is SEARCH_NO_LANGUAGE or one that words are stemmed in ("english", "german", …: libstemmer's). */
bool search_language_is_known(const char *language);

/* Makes the tokenizer known to a connection. CELL_INTERNAL when this SQLite has no FTS5, CELL_NO_MEMORY. */
int search_words_register(sqlite3 *db, struct search_failure *f);

/* FTS5's functions for this connection; NULL when this SQLite has none. They live as long as it. */
fts5_api *search_words_api(sqlite3 *db);

/* The same tokenizer without a table, with `stop_words` as search_stop_words makes them, NULL = none; it belongs to
 * `db`, which must outlive it. Not thread-safe. */
struct search_words;
int search_words_new(sqlite3 *db, const char *language, bool all, const char *stop_words, struct search_words **words,
                     struct search_failure *f);
void search_words_free(struct search_words *words); /* NULL is accepted */

/* How many words of `text` are looked for. Of the type search_count_words (query.h), `words` first. */
uint32_t search_words_count(void *words, const char *text, size_t length, bool prefix);

/* Shows each word of `text` as it is written in the index, folded, the last as the beginning of one. */
typedef void search_take_folded(void *user, const char *word, size_t length);
void search_words_each(struct search_words *words, const char *text, size_t length, search_take_folded *take,
                       void *user);

/*
 * The words of `text`, folded, each once and sorted, with a space between; to be freed. CELL_INVALID_ARGUMENT: more
 * than SEARCH_MOST_STOP_WORDS, or one of more than SEARCH_MOST_STOP_WORD bytes. CELL_NO_MEMORY.
 */
#define SEARCH_MOST_STOP_WORDS 200
#define SEARCH_MOST_STOP_WORD 63
int search_stop_words(const char *text, char **folded, struct search_failure *f);

#endif
