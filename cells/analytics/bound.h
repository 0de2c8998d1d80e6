/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Between bound.c, which reads what methods of programs are, and bound_call.c, which answers them. */
#ifndef CELLS_ANALYTICS_BOUND_H
#define CELLS_ANALYTICS_BOUND_H

#include "service.h"

enum an_op { AN_GET, AN_SCAN, AN_TOP, AN_WATCH };

struct an_bound {
    enum an_op op;
    char name[AN_MOST_NAME + 1], field[AN_MOST_NAME + 1];
    const struct cell_method *method;
    const struct cell_type *row;
    const struct cell_field *rows, *next, *position;       /* of a page */
    const struct cell_field *cursor, *limit, *at_us, *all; /* parameters; NULL = it has none of that name */
};

/* The struct of a group in the program, filled from the aggregate as it is now. */
struct an_row_map {
    const struct an_part *part;
    const struct an_column *columns[AN_MOST_COLUMNS];
    const struct cell_field *fields[AN_MOST_COLUMNS];
    uint32_t n;
};
/* CELL_FAILED_PRECONDITION: it has fields that the aggregate has not, or of another type. */
int an_row_map(const struct an_part *part, const struct cell_type *row, struct an_row_map *map, struct an_failure *f);
/* CELL_OUT_OF_RANGE: a sum does not fit. */
int an_row_fill(const struct an_row_map *map, const struct an_entry *entry, int64_t begin_us, void *row,
                struct an_failure *f);
/* The key of the parameters of a call of `get`. */
int an_row_key(const struct an_bound *b, const struct an_part *part, const void *in, uint64_t key[AN_MOST_KEY / 8],
               struct an_failure *f);

/* watch.c */
int an_call_watch(struct an_service *s, cell_ctx *c, const struct an_bound *b, bool all, struct an_failure *f);

#endif
