/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Patterns of rules (docs/annotations.md, "Patterns") as regular expressions of PostgreSQL's. Pure. */
#ifndef CELLS_POSTGRES_PATTERN_H
#define CELLS_POSTGRES_PATTERN_H

#include <stddef.h>

#include "memory.h"

/* Why a pattern has no such expression, and at which byte of it. */
struct pg_pattern_mistake {
    size_t at;
    const char *why;
};

/*
 * An expression for the operator ~ that is true of the texts that match `pattern` as a whole, of a database in UTF-8
 * and with collation "C": an "advanced regular expression", whose classes are spelt out, because PostgreSQL's depend on
 * collation, its . takes line feeds, and its \x any number of digits. NULL with *wrong.
 */
const char *pg_pattern_translate(struct pg_arena *arena, const char *pattern, struct pg_pattern_mistake *wrong);

#endif
