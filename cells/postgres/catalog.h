/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What is in the database: its catalog as a model, and a token that stands for its state. */
#ifndef CELLS_POSTGRES_CATALOG_H
#define CELLS_POSTGRES_CATALOG_H

#include "connect.h"

struct pg_model;

#define PG_STATE_TOKEN_SIZE 65

/*
 * A token that changes whenever a table, column, index, constraint, type, view, function or sequence outside
 * PostgreSQL's own schemas does: one cheap query, and equal tokens mean an equal catalog. Letters and digits only.
 */
int pg_catalog_state(PGconn *conn, char token[PG_STATE_TOKEN_SIZE], struct pg_failure *f);

#endif
