/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What compilations may do to the database. Decided where the cell runs, never by who asks. */
#ifndef CELLS_POSTGRES_POLICY_H
#define CELLS_POSTGRES_POLICY_H

#include <stdbool.h>

#include "connect.h"

/* From strict to loose. */
enum pg_policy {
    PG_POLICY_PLAN = 0,     /* nothing: plans are shown, and applied by `cell migrate` under another policy */
    PG_POLICY_ADDITIVE = 1, /* steps without a hazard */
    PG_POLICY_APPLY = 2     /* also steps with one, where the source consents */
};

const char *pg_policy_name(enum pg_policy policy);
int pg_policy_parse(const char *name, enum pg_policy *policy, struct pg_failure *f);

/*
 * Reads the policy of `environment` (NULL: of none) from a file
 *     { "policy": "plan", "environments": { "dev": { "policy": "apply" } } }
 * "policy" holds for what the environment does not say. CELL_PERMISSION_DENIED when somebody other than this user and
 * root can write to it; CELL_INVALID_ARGUMENT with the line for what is not as above, or for an environment that it
 * does not have.
 */
int pg_policy_read(const char *path, const char *environment, enum pg_policy *policy, struct pg_failure *f);

/* The stricter one: what several sources say holds together. */
enum pg_policy pg_policy_stricter(enum pg_policy a, enum pg_policy b);

/*
 * What the database says of itself: ALTER DATABASE … SET cell.policy = 'plan', or ALTER ROLE. Makes *policy stricter
 * when it is.
 */
int pg_policy_of_database(PGconn *conn, enum pg_policy *policy, struct pg_failure *f);

#endif
