/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* By which key a cell is known, for the commands that ask one. docs/security.md. */
#ifndef CELL_CLI_TRUST_H
#define CELL_CLI_TRUST_H

#include "core/lock.h"
#include "core/trust.h"
#include "locks.h"

/* What the project knows the cell by: its lock (NULL = it has none of use), else the user's known-cells. */
int trust_pin(struct cli *cli, const char *name, const struct cell_lock *lock, struct cell_pin *pin,
              struct cell_error *e);

/* Whether the schema that was the last answer on `link` may be believed, as in a compilation. With `pin` NULL any key
 * will do. *s has an empty key when there is no signature, or none is looked at. */
int trust_judge(struct cli *cli, const char *name, void *link, const struct cell_pin *pin, const char *schema,
                size_t len, struct cell_signature *s, struct cell_error *e);

#endif
