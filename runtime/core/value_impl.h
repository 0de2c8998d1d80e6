/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The reader of JSON behind value.h, for those who read documents around values. */
#ifndef CELL_CORE_VALUE_IMPL_H
#define CELL_CORE_VALUE_IMPL_H

#include "core/value.h"

struct value_reader {
    const struct value_env *env;
    const char *start, *at, *end;
    unsigned depth;
    struct cell_error *e;
};

/* The next character that is no white space, or '\0' at the end; `take` also goes behind it when it is `c`. */
char cell_value_peek(struct value_reader *r);
bool cell_value_take(struct value_reader *r, char c);
/* CELL_INVALID_ARGUMENT with the place. */
int cell_value_bad(struct value_reader *r, const char *what);
/* A string, into the arena with a NUL behind it; one value; any value, which is of no use. */
int cell_value_string(struct value_reader *r, const char **text, size_t *len);
int cell_value_read(struct value_reader *r, const struct cell_type *type, uint32_t count, void *out);
int cell_value_skip(struct value_reader *r);

/* Reads an object and gives each member to `each`, which reads its value. */
int cell_value_members(struct value_reader *r, int (*each)(struct value_reader *r, const char *name, void *arg),
                       void *arg);

#endif
