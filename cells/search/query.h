/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The language that people write queries in, and its translation for the index. It does no I/O.
 *
 *   words             all of them, in any order                     title:word        in one field
 *   "some words"      one after the other                           (a OR b) c        AND binds closer than OR
 *   begin*            words that begin so; also "some begin"*       -word, NOT word   without it
 *   year:1999  year:>=1990  year:1990..1999  lang:en  lang:"en US"  draft:false       conditions on fields that are no
 *                                                                   texts; also with -, but not within OR and NOT (…)
 *
 * AND, OR and NOT are operators in capitals only; AND may be written and means nothing. Punctuation in words is as good
 * as a space. What stands in quotes is never an operator.
 */
#ifndef CELLS_SEARCH_QUERY_H
#define CELLS_SEARCH_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"
#include "field.h"

#define SEARCH_MOST_QUERY 4096 /* bytes */
#define SEARCH_MOST_TERMS 64
#define SEARCH_MOST_FILTERS 32
#define SEARCH_MOST_DEPTH 32 /* parentheses and negations within each other */

/* Conditions. Of KEYWORD and BOOL only the first. */
enum search_comparison {
    SEARCH_EQUAL,
    SEARCH_LESS,
    SEARCH_LESS_EQUAL,
    SEARCH_GREATER,
    SEARCH_GREATER_EQUAL,
    SEARCH_BETWEEN
};

struct search_value {
    union {
        int64_t integer; /* also of BOOL: 0 or 1 */
        double real;     /* never NaN */
        struct {
            const char *bytes; /* UTF-8, not terminated */
            size_t length;
        } text;
    };
};

struct search_filter {
    uint32_t field;
    enum search_comparison comparison;
    bool negated;
    struct search_value value, high; /* `high` with BETWEEN; both ends belong to it */
};

struct search_query {
    char *match; /* for the text index, NUL-terminated; NULL = any document */
    char *found; /* any of what is to be found, to be marked where it stands; NULL with `match` */
    struct search_filter filters[SEARCH_MOST_FILTERS];
    uint32_t nfilters;
    uint32_t nignored; /* words that are too common to be looked for, and were left out */
};

/* How many words of the index a piece of text is; those that are too common are none. `prefix`: the last of them is the
 * beginning of one. */
typedef uint32_t search_count_words(void *user, const char *text, size_t length, bool prefix);

/*
 * Reads `text`, UTF-8 of `length` bytes. Values of filters point into it. CELL_INVALID_ARGUMENT with the place:
 * a query that is none, one with nothing to look for, a field that is not there or not of that kind, a value that is
 * none of the field's. CELL_NO_MEMORY. *query is freed with search_query_free, and is to be zeroed or freed before.
 */
int search_query_parse(const struct search_fields *fields, const char *text, size_t length, search_count_words *count,
                       void *user, struct search_query *query, struct search_failure *f);
void search_query_free(struct search_query *query); /* also of one that is zero */

#endif
