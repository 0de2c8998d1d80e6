/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Values of a method for people and scripts: core/value.h, written with the CLI's writer. */
#ifndef CELL_CLI_CALL_VALUE_H
#define CELL_CLI_CALL_VALUE_H

#include "cli.h"
#include "core/schema.h"
#include "core/value.h"

/* Writes a value as cell_value_json reads it. */
void value_print(struct cli_json *j, const char *key, const struct cell_type *type, uint32_t count, const void *value);

#endif
