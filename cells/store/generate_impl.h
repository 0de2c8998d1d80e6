/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What generate.c and generate_types.c share. */
#ifndef CELLS_STORE_GENERATE_IMPL_H
#define CELLS_STORE_GENERATE_IMPL_H

#include "generate.h"

struct generating {
    struct st_declared *d;
    json_t *types, *methods;
    struct st_arena arena;
    bool failed; /* memory was short */
};

/* Text that lives as long as `g`. */
const char *gen_print(struct generating *g, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *gen_text(const json_t *object, const char *key); /* "": there is none */
/* The declared field's type in the request. */
bool gen_seen_type(struct generating *g, const char *field, struct st_seen_type *seen);
/* Names must be the program's to give: its types and their enumerators have theirs already. False: that was said. */
bool gen_is_free(struct generating *g, const char *name);

/* The names of types, which are added to the document when they are not there yet. */
const char *gen_range_type(struct generating *g, const char *index, const json_t *fields); /* index NULL: the key */
const char *gen_rows_type(struct generating *g);
const char *gen_change_type(struct generating *g);
const char *gen_view_type(struct generating *g);

#endif
