/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The tables of one compilation: from its requests, and what is in the database, to a plan. */
#ifndef CELLS_POSTGRES_UNIT_H
#define CELLS_POSTGRES_UNIT_H

#include <jansson.h>

#include "connect.h"
#include "diff.h"
#include "query.h"
#include "uses.h"

/* Zero-initialise. */
struct pg_unit {
    struct pg_declared **declared; /* one for each request of the verbs table and rows */
    uint32_t *request;             /* which one that was */
    uint32_t n;
    struct pg_model *catalog;
    struct pg_plan *plan;
};

/* Whether a request is about a table; else it is about a query. */
bool pg_request_is_table(const json_t *request);

/*
 * Reads the first `n` requests (borrowed for the call) and what the catalog says of the tables that they name, and
 * makes the plan for all of them; `known` of programs (NULL = nothing) is what it waits for. Mistakes of the author are
 * diagnostics, of a declaration or of the plan. Negative otherwise: CELL_INVALID_ARGUMENT for what is no request, or as
 * pg_catalog_read.
 */
int pg_unit_plan(PGconn *conn, json_t *const *requests, uint32_t n, const struct pg_known *known, int64_t deadline_ms,
                 struct pg_unit *unit, struct pg_failure *f);
void pg_unit_free(struct pg_unit *unit);

/* unit_typed.c: the errors of expressions that are none, or not for the types that they meet; then the plan has no
 * steps. CELL_NO_MEMORY, or as the connection fails. */
int pg_unit_check_types(PGconn *conn, const struct pg_unit *unit, struct pg_failure *f);
/* What stands for the values that the plan adds to enums: one cannot be used before it is committed, so it is another
 * value of the type, one that is written in any literal as it is. */
void pg_unit_stand_for_labels(const struct pg_unit *unit, struct pg_arena *arena, pg_stand_ins *made);

/* True when declaration number `i`, or the plan because of it, has an error. */
bool pg_unit_has_errors(const struct pg_unit *unit, uint32_t i);

/* The steps of the plan that declaration number `i` wants, as "plan" of its document; NULL when there are none. */
json_t *pg_unit_plan_json(const struct pg_unit *unit, uint32_t i, char id[33], uint32_t *nsteps);

#endif
