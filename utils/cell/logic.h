/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* How the logic of a cell's functions changed, line by line, in the form in which people read functions. */
#ifndef CELL_CLI_LOGIC_H
#define CELL_CLI_LOGIC_H

#include "cli.h"
#include "core/diff.h"

/* A function or table that is not what it was. */
struct logic_change {
    const char *name;
    const char **lines; /* each begins with '-', '+', or ' ' of one that stands near those */
    uint32_t nlines;
};

struct logic_changes {
    struct cell_arena arena;
    struct logic_change *items; /* in the order of the new document, then what is gone */
    uint32_t n;
};

/* `diff` tells which function became which. What a schema's functions are is verified first: CELL_PROTOCOL_ERROR with
 * the reason, as when they are imported; CELL_NO_MEMORY. Free the result in any case. */
int logic_compare(const struct cell_schema *before, const struct cell_schema *after, const struct cell_diff *diff,
                  struct logic_changes *changes, struct cell_error *e);
void logic_free(struct logic_changes *changes);

/* The lines that turn `before` into `after`, as in struct logic_change; false when memory is short. */
bool logic_lines(const char *before, const char *after, struct cell_arena *arena, const char ***lines, uint32_t *n);

#endif
