/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What programs use of the database: columns, each with the type that it had when the program was compiled. An
 * expansion names them as its resources ("public.users.age integer"), the compiler writes these into the program, and
 * whoever builds or deploys one reports it to the cell (docs/drift.md, "Consumers"). Pure.
 */
#ifndef CELLS_POSTGRES_USES_H
#define CELLS_POSTGRES_USES_H

#include <jansson.h>

#include "diff.h"

/* The name of a column as a resource. NULL when it is longer than one may be. */
const char *pg_resource_name(struct pg_arena *arena, const char *schema, const char *table,
                             const struct pg_column *column);
/* The other way; false for what is no such name. Texts are in the arena. */
bool pg_resource_parse(struct pg_arena *arena, const char *name, struct pg_use *use);

/* One use of a program that was reported. */
struct pg_recorded_use {
    struct pg_use use;   /* without place */
    const char *path;    /* "" = it was reported under its name alone */
    const char *project; /* "" = unknown */
    const char *file;    /* source */
    uint32_t line;
};

/* All of them at one moment. Never changes, and may be read by any thread. */
struct pg_recorded {
    struct pg_arena arena;
    struct pg_recorded_use *uses;
    uint32_t n;
    const char *unknown; /* why this may not be all; NULL = it is */
    char digest[33];     /* of what of it matters: equal when nothing that is planned could differ */
    unsigned holders;    /* for whoever keeps it */
};

/* What is known of programs, for one plan. Zero: nothing is recorded. */
struct pg_known {
    const struct pg_recorded *recorded; /* NULL = none */
    const char *project;                /* that is compiled, as in records; NULL = unknown */
};

/*
 * For pg_diff: `options` gets what was recorded, in the arena, but for programs that are being built anew: those of the
 * project at hand that use a table which is declared now in the file where they had it from.
 */
void pg_uses_of_others(struct pg_arena *arena, const struct pg_known *known, const struct pg_declared *const *declared,
                       uint32_t n, struct pg_diff_options *options);

/* Appends to the array "resources" of a document the columns of the table that the declaration has fields for. */
int pg_uses_put_table(json_t *document, const struct pg_declared *declared, const struct pg_table *table);
/* Tables that a statement may name, as schema (NULL = none stands before it) and name, in the arena. */
uint32_t pg_uses_tables(struct pg_arena *arena, const char *sql, const char *(**names)[2]);
/* And the columns of tables that a statement may use, by the names that stand in it. */
int pg_uses_put_statement(json_t *document, const char *sql, const struct pg_table *const *tables, uint32_t n);

#endif
