/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* From what the queries of catalog_sql.h gave to a model. */
#ifndef CELLS_POSTGRES_CATALOG_BUILD_H
#define CELLS_POSTGRES_CATALOG_BUILD_H

#include <libpq-fe.h>

#include "failure.h"
#include "model.h"

struct pg_readings {
    PGresult *server, *tables, *relations, *columns, *constraints, *indexes, *enums, *domains;
    PGresult *objects; /* NULL when Cell has made nothing yet */
};

int pg_catalog_build(const struct pg_readings *readings, int version, struct pg_model **model, struct pg_failure *f);

#endif
