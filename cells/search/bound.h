/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What bound.c, which reads bindings, and bound_call.c, which answers calls, share. */
#ifndef CELLS_SEARCH_BOUND_H
#define CELLS_SEARCH_BOUND_H

#include "service.h"

enum sc_op { OP_SEARCH, OP_COUNT, OP_SUGGEST, OP_FACETS, OP_SIMILAR, OP_HYBRID, OP_SIMILAR_WORDS, OP_HIGHLIGHT };

/* A text with marks, in a struct of the program. */
struct sc_bound_passage {
    const struct cell_field *text, *marks, *begin, *length; /* the last two of a mark */
};

struct sc_bound {
    enum sc_op op;
    char index[SC_MOST_NAME + 1], field[128];
    const struct cell_method *method;
    const struct cell_type *hit;              /* of those that give hits */
    const struct cell_field *score, *excerpt; /* of a hit */
    struct sc_bound_passage passage;          /* of an excerpt, or what is highlighted */
    const struct cell_field *members[4];      /* of a word or a facet, in their order */
    const struct cell_field *hits, *next;     /* of a page */
};

/* cell_bound_ops.invoke of this cell. */
int sc_bound_invoke(cell_ctx *c, const struct cell_method *method, void *bound, const void *in, void *const *out);

#endif
