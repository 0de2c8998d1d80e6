/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What was changed by hand. Each migration notes in cell.baseline how the tables that it changes are afterwards:
 * columns, constraints and indexes as the catalog prints them. What differs later was nobody's plan.
 *
 *     cell.baseline  (schema_name, table_name, kind, name, definition, ignored)
 *     cell.before    the same of tables that a migration is about to change: only what that changes becomes the
 * baseline, also when it is interrupted, and not what was changed by hand before it
 */
#ifndef CELLS_POSTGRES_DRIFT_H
#define CELLS_POSTGRES_DRIFT_H

#include <stdbool.h>

#include "apply.h"
#include "memory.h"

/* NULL-terminated statements that make the two tables. */
extern const char *const pg_drift_tables[];

/* Before and after the steps of a plan, within a migration. */
int pg_baseline_before(PGconn *conn, const struct pg_plan *plan, struct pg_failure *f);
int pg_baseline_after(PGconn *conn, struct pg_failure *f);

enum pg_change { PG_CHANGE_ADDED, PG_CHANGE_REMOVED, PG_CHANGE_CHANGED };

struct pg_drift {
    const char *schema, *table;
    const char *kind; /* "table", "column", "constraint", "index" */
    const char *name; /* "" for the table itself */
    enum pg_change change;
    const char *was, *is; /* definitions; NULL when there is none */
    bool ignored;         /* somebody has said that it is right so */
    /* Of a column that was renamed by hand: of one that is gone, its name now; of one that has come, its name before.
     * "" = it was not, and is gone; NULL = that is not known. */
    const char *other;
};
typedef PG_LIST(struct pg_drift) pg_drifts;

/* All differences, in order. What is in *drifts lives in `arena`, which must have no escape. */
int pg_drift_read(PGconn *conn, struct pg_arena *arena, pg_drifts *drifts, struct pg_failure *f);

enum pg_settlement { PG_ADOPT, PG_REVERT, PG_IGNORE };

/*
 * Settles one difference within a migration: adopts it into the baseline, changes the database back, or lets it be from
 * now on. Reverting what may lose data (a column that was added, a type) needs `loses`; else CELL_FAILED_PRECONDITION.
 * A column that was renamed gets its name again; what is as it was by then is left alone.
 * A table that is gone cannot be brought back.
 */
int pg_drift_settle(PGconn *conn, const struct pg_drift *drift, enum pg_settlement how, bool loses,
                    const struct pg_migration_options *options, struct pg_failure *f);

#endif
