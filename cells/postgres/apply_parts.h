/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the files of a migration share. */
#ifndef CELLS_POSTGRES_APPLY_PARTS_H
#define CELLS_POSTGRES_APPLY_PARTS_H

#include "apply.h"

void pg_pause(int64_t ms);
/* Half of it to one and a half. */
int64_t pg_jitter(int64_t ms);
/* CELL_CANCELLED when the caller has given up. */
int pg_still_wanted(const struct pg_migration_options *o, struct pg_failure *f);
void pg_boundary(const struct pg_migration_options *o);

/* Records a step as begun, and, when `done`, as done; *id is its row. */
int pg_history_begin(PGconn *conn, const struct pg_plan *plan, const struct pg_step *step, bool done,
                     const struct pg_migration_options *o, char id[24], struct pg_failure *f);
int pg_history_done(PGconn *conn, const char *id, struct pg_failure *f);

#endif
