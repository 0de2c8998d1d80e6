/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The records, which the store cell keeps, and the index, for which the search cell follows them. */
#ifndef RECORDS_H
#define RECORDS_H

#include <cell/cell.h>

#define DIMENSIONS 128

struct CELL_STORE(books) book {
    cell_str path CELL_KEY;
    cell_str title;
    cell_str text;
    cell_str kind;
    int64_t bytes;
    float meaning[DIMENSIONS];
};

struct CELL_SEARCH(library, store.books, CELL_ARG(language, "english")) library_index {
    cell_str path CELL_KEY; /* said here as well, so that both can be made by one compilation */
    cell_str title CELL_WEIGHT(3);
    cell_str text;
    cell_str kind CELL_KEYWORD;
    int64_t bytes;
    float meaning[DIMENSIONS] CELL_VECTOR(cosine);
};

#endif
