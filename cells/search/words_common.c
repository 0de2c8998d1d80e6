/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* English words that are in nearly every text: pronouns, articles, prepositions, forms of auxiliary verbs. Sorted. */
#include "words_common.h"

#include <stdlib.h>
#include <string.h>

#define MOST_LENGTH 10

static const char *const english[] = {
    "a",      "about", "above", "after",   "again",   "against", "all",    "am",     "an",     "and",     "any",
    "are",    "as",    "at",    "be",      "because", "been",    "before", "being",  "below",  "between", "both",
    "but",    "by",    "can",   "could",   "did",     "do",      "does",   "doing",  "down",   "during",  "each",
    "few",    "for",   "from",  "further", "had",     "has",     "have",   "having", "he",     "her",     "here",
    "hers",   "him",   "his",   "how",     "i",       "if",      "in",     "into",   "is",     "it",      "its",
    "just",   "me",    "more",  "most",    "my",      "no",      "nor",    "not",    "of",     "off",     "on",
    "once",   "only",  "or",    "other",   "our",     "ours",    "out",    "over",   "own",    "same",    "she",
    "should", "so",    "some",  "such",    "than",    "that",    "the",    "their",  "theirs", "them",    "then",
    "there",  "these", "they",  "this",    "those",   "through", "to",     "too",    "under",  "until",   "up",
    "very",   "was",   "we",    "were",    "what",    "when",    "where",  "which",  "while",  "who",     "whom",
    "why",    "will",  "with",  "would",   "you",     "your",    "yours",
};

static int compare(const void *word, const void *at) { return strcmp(word, *(const char *const *)at); }

bool search_is_common(const char *language, const char *word, size_t length)
{
    char copy[MOST_LENGTH + 1];

    if (length > MOST_LENGTH || strcmp(language, "english") != 0)
        return false;
    memcpy(copy, word, length);
    copy[length] = '\0';
    return bsearch(copy, english, sizeof(english) / sizeof(*english), sizeof(*english), compare) != NULL;
}
