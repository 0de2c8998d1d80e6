/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the database says of a statement, without executing it: query.h builds on it. */
#ifndef CELLS_POSTGRES_DESCRIBE_H
#define CELLS_POSTGRES_DESCRIBE_H

#include "memory.h"
#include "model.h"
#include "nullable.h"
#include "query.h"

struct pg_described_type {
    const char *name;       /* as format_type() prints it */
    const char *base;       /* likewise, of what a domain, or an array's, is made of; else the same */
    struct pg_type_use use; /* of a domain: the type that it is made of */
    char kind;              /* pg_type.typtype of it, or of what an array has: 'b', 'e', 'c', 'p', … */
    bool textual;           /* its binary form is its text: enums, citext, name */
};

struct pg_described_column {
    const char *name; /* without `!` and `?` */
    char override;    /* '!' or '?' that stood behind the name; 0 */
    struct pg_described_type type;
    bool never_null; /* before the override */
};

struct pg_described_scan {
    const char *schema, *table;
    double rows; /* by the planner's statistics; 0 until they were asked for */
};

/* Everything is in the arena. */
struct pg_description {
    struct pg_described_type *parameters;
    uint32_t nparameters;
    struct pg_described_column *columns;
    uint32_t ncolumns;
    struct null_statement statement;
    struct pg_described_scan *scans; /* of whole tables, as asked for by pg_query_check.scan_rows */
    uint32_t nscans;
};

/* How PostgreSQL refuses a statement. */
struct pg_refusal {
    char sqlstate[6];
    const char *text, *detail, *hint; /* NULL = none */
    const char *suggestion;           /* a name that may have been meant; NULL = none */
    size_t at, length;                /* bytes in the statement */
    bool positioned;
    bool no_relation; /* a table that the statement names is not there */
};

/*
 * Describes `sql` in a transaction that is rolled back. `optional` has a value for each parameter that the text names.
 * 1: *description is filled. 0: PostgreSQL refuses the statement, and *refusal says how. Negative: there is no answer,
 * as pg_query_expand.
 */
int pg_describe(struct pg_arena *arena, PGconn *conn, const char *sql, const bool *optional, size_t noptional,
                const struct pg_query_check *check, struct pg_description *description, struct pg_refusal *refusal,
                struct pg_failure *f);

/* describe_refusal.c: what `result` says; names that may have been meant are looked up on `conn`, if it is not NULL. */
void pg_refusal_read(struct pg_arena *arena, PGconn *conn, const PGresult *result, const char *sql,
                     struct pg_refusal *refusal);

/* ---- describe_stand_in.c ---- */

/* Places and lengths are in bytes; what is returned is in `arena`, which must have an escape. Pure.
 *
 * What the name at `at` in the text means: without quotes, or in lower case; NULL when it is none. */
char *pg_unquoted(struct pg_arena *arena, const char *sql, size_t at);

/* What is written in place of bytes of a statement; a list of them is in order, and none overlap. */
struct pg_edit {
    size_t at, length; /* in the unedited text */
    const char *by;    /* borrowed from the stand-in */
};
typedef PG_LIST(struct pg_edit) pg_edits;
/* The schemas of tables that something stands for. */
void pg_edit_tables(struct pg_arena *arena, const char *sql, const pg_stand_ins *stand_ins, pg_edits *edits);
/* The next value of an enum in the literal at `at`, in the unedited text; false when there is none that something
 * stands for and that is not replaced. */
bool pg_edit_label(struct pg_arena *arena, const char *sql, size_t at, size_t length, const pg_stand_ins *stand_ins,
                   pg_edits *edits);
/* The same in the literal of the edited text that PostgreSQL refuses: at character `position` (from 1; 0 = unknown). */
bool pg_edit_refused(struct pg_arena *arena, const char *sql, long position, const pg_stand_ins *stand_ins,
                     pg_edits *edits);
const char *pg_edited(struct pg_arena *arena, const char *sql, const pg_edits *edits);
/* Where in the unedited text byte `at` of the edited one comes from. */
size_t pg_edited_from(const pg_edits *edits, size_t at);

/* describe_plan.c */
struct pg_plan_facts {
    bool inner; /* no row is made by an outer join, a grouping set or a set operation */
};
/* Reads what EXPLAIN (VERBOSE, FORMAT JSON) has printed. False for what is no plan. Scans go into *description. */
bool pg_plan_read(struct pg_arena *arena, const char *json, struct pg_description *description,
                  struct pg_plan_facts *facts);

#endif
