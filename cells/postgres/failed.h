/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What failed before in the compilation that asks: what only follows from it is not said. */
#ifndef CELLS_POSTGRES_FAILED_H
#define CELLS_POSTGRES_FAILED_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * True when one of the requests in `failed` (the member of an expansion request; NULL = none) would have declared the
 * table of that name; `exact`: it was written in quotes. In whatever schema: to say too little is put right with the
 * next compilation, to say what is not so is not.
 */
bool pg_failed_table(const json_t *failed, const char *name, size_t length, bool exact);
/* Of any table. */
bool pg_failed_any_table(const json_t *failed);

#endif
