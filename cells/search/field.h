/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What an index has of each document. */
#ifndef CELLS_SEARCH_FIELD_H
#define CELLS_SEARCH_FIELD_H

#include <stdbool.h>
#include <stdint.h>

#define SEARCH_MOST_FIELDS 64
#define SEARCH_MOST_DIMENSIONS 4096
#define SEARCH_MOST_TEXT (UINT32_C(1) << 20) /* bytes of one text: what is longer is refused */

enum search_kind {
    SEARCH_TEXT,    /* words are looked for in it */
    SEARCH_KEYWORD, /* a text that is compared as a whole: filters, facets */
    SEARCH_INTEGER, /* 64 bits: filters, facets */
    SEARCH_REAL,    /* a double: filters */
    SEARCH_BOOL,    /* filters, facets */
    SEARCH_VECTOR   /* floats: similarity */
};

enum search_metric { SEARCH_COSINE, SEARCH_INNER_PRODUCT, SEARCH_L2 };

struct search_field {
    const char *name; /* an identifier of C, at most 63 bytes; names differ in more than case */
    enum search_kind kind;
    double weight;             /* of TEXT: what one occurrence counts, > 0 */
    uint32_t dimensions;       /* of VECTOR */
    enum search_metric metric; /* of VECTOR */
    bool bytes; /* of VECTOR: compared as bytes, which takes a quarter of the memory; of the cosine only */
};

struct search_fields {
    const struct search_field *at;
    uint32_t n;
};

#endif
