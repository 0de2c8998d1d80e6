/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What a program carries. */
#ifndef CELL_CLI_INSPECT_H
#define CELL_CLI_INSPECT_H

#include "cli.h"
#include "core/uses.h"
#include "elf_file.h"

/* Reads the schema of the cell that the program at `path` is, and what it uses of others. Either may be NULL, when it
 * is not wanted, and becomes NULL when the program has only the other. CELL_NOT_FOUND when it has nothing of what is
 * wanted; the errors of elf_open and of reading. */
int inspect_read(const char *path, struct cell_schema **schema, struct cell_uses **uses, struct cell_error *e);

/* The uses as lines for people. */
void uses_text(struct cell_buffer *out, const struct cell_uses *u);

#endif
