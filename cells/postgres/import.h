/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * From tables that exist to the annotated header that declares them: the reverse of declare.h. Compiled against the
 * database that it was made from, the header leaves nothing to do. Pure.
 */
#ifndef CELLS_POSTGRES_IMPORT_H
#define CELLS_POSTGRES_IMPORT_H

#include <stdbool.h>

#include "model.h"

/* Something that the database has and the model does not: from the catalog (import_catalog.h), beside it. */
struct pg_import_fact {
    const char *table;
    const char *column; /* NULL = the table as a whole */
    const char *text;   /* a sentence without a full stop; what the header cannot say */
    bool unfit;         /* the table is left out because of it */
};

struct pg_import_options {
    const char *schema;        /* NULL = the model's default one */
    const char *const *tables; /* only these; NULL = all of the schema */
    uint32_t ntables;
    bool rows; /* CELL_ROWS in place of CELL_TABLE */
    const struct pg_import_fact *facts;
    uint32_t nfacts;
};

struct pg_import {
    struct pg_arena arena;
    const char *header; /* C; UTF-8 */
    uint32_t ntables;   /* that it declares */
    const char **lost;  /* what it could not say, "table 'a', column 'b': …"; each stands in the header too */
    uint32_t nlost;
};

/*
 * Writes the header of the tables of `model`, and of its views as CELL_ROWS, in an order in which each stands behind
 * those that it refers to. Names that C cannot have get others, and those of the functions that the cell generates do
 * not meet. CELL_NOT_FOUND with `why` when a table of `options` is not in the model, CELL_NO_MEMORY.
 * *import is for pg_import_free, which accepts NULL.
 */
int pg_import_tables(const struct pg_model *model, const struct pg_import_options *options, struct pg_import **import,
                     char why[256]);
void pg_import_free(struct pg_import *import);

#endif
