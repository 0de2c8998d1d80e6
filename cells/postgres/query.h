/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Queries that programs are compiled with (CELL_QUERY): what the database says of a statement becomes a typed method.
 *
 *   sql text ──prepare, describe──▶ types of parameters and columns ──▶ C types (types.h)
 *        └────parse (nullable.h)──▶ which columns can be NULL       ──▶ opt<…> or plain
 *
 * Names. Parameter n of the method is $n of the statement. A name that ends in `?` may be absent (opt<T>) and is NULL
 * then; all others are plain. A column becomes a field by its name: an expression needs AS name, and two columns of one
 * name, a name that is no identifier of C or is one of its keywords are errors that say so. `AS "name!"` declares that
 * a column is never NULL (a NULL that comes all the same is CELL_DATA_LOSS at run time), `AS "name?"` that it may be.
 *
 * Refused, with what to do in its place: more than one statement, transaction control, COPY, DO, LISTEN, SET, DDL and
 * every other statement that PostgreSQL calls a utility; SELECT INTO; data-modifying statements whose table is a
 * catalog of PostgreSQL's are left to its own permissions.
 */
#ifndef CELLS_POSTGRES_QUERY_H
#define CELLS_POSTGRES_QUERY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "failure.h"
#include "memory.h"
#include "query_names.h"

/* Most bytes of a statement: with its binding it must fit into a method's (64 KiB). */
#define PG_QUERY_MAX_SQL 49152
#define PG_QUERY_MAX_COLUMNS 1024

/* A question: one annotation. All texts are borrowed. */
struct pg_query {
    const char *name;       /* of the method, an identifier */
    const char *sql;        /* UTF-8 without NUL */
    const char *parameters; /* "min_age, name?", as the macro spells its arguments; NULL or "" = none */
    bool one;               /* at most one row, as an out parameter */
};

/* What is planned cannot always be there under its name: what is written for it while a statement is checked. */
struct pg_stand_in {
    const char *schema; /* of the table `name`; NULL: `name` is a value of an enum type */
    const char *name;
    const char *by; /* what is written for the schema, a name without quotes; for the value */
};
typedef PG_LIST(struct pg_stand_in) pg_stand_ins;

/* How it is answered. */
struct pg_query_check {
    int64_t deadline_ms;     /* of CLOCK_MONOTONIC, for all of it; 0 = two seconds from now */
    int64_t lock_timeout_ms; /* for a lock that somebody else holds; 0 = half of what is left, at most 1 s */
    /* Makes what is planned but not applied yet, within the transaction that is open on `conn`; what another thing
     * stands for is added to *made, in `arena`, whose escape is set. NULL = nothing is pending. A negative result is
     * reported as the failure of a pending step. */
    int (*pending)(void *user, PGconn *conn, struct pg_arena *arena, pg_stand_ins *made, struct pg_failure *f);
    void *user;
    /* Requests that failed in the same compilation (borrowed), NULL = none: what PostgreSQL cannot find in a statement
     * that names one of their tables would be there, or not, once they are put right. The document says "depends" then,
     * and nothing else. */
    const json_t *failed;
    /* A remark when the generic plan reads a whole table of at least so many rows (by the planner's statistics); 0 = no
     * remarks. */
    int64_t scan_rows;
};

/*
 * Answers with an expansion document (docs/protocol.md, "cell.expansion/1"), to be json_decref'ed:
 *
 *   types    NAME_row, the row, with the lists and opts it needs
 *   methods  NAME(params…, out stream of NAME_row) · one: NAME(params…, NAME_row *row), CELL_NOT_FOUND without a row ·
 *            a statement without columns: NAME(params…), the number of rows it affected
 *            with the binding (statement.h) of kind stream, row or exec
 *   diagnostics  what is wrong with the query, in place of types and methods: "field" names the verb's argument (sql,
 *            parameters, name), "at" and "length" are bytes in its text. PostgreSQL's detail and hint are notes. What
 *            is only worth knowing (a column that is declared never NULL although it can be, scan_rows) comes beside
 *            types and methods, as a warning or remark.
 *
 * Nothing is executed but `pending`, in a transaction that is always rolled back, and the database is as before. The
 * connection must be idle and is idle and usable afterwards, unless it was lost.
 *
 * Negative when there is no answer: CELL_DEADLINE_EXCEEDED also when a table is locked by another session (the text
 * names the table and the holder), CELL_UNAVAILABLE, CELL_NO_MEMORY; *document is unchanged then. Thread-safe for
 * different connections.
 */
int pg_query_expand(PGconn *conn, const struct pg_query *query, const struct pg_query_check *check, json_t **document,
                    struct pg_failure *f);

/* The verbs query, query_one, query_file and query_one_file, as members of a schema's "verbs": JSON objects with commas
 * between. */
extern const char pg_query_verbs[];

/*
 * The question of an expansion request, whose texts it borrows: *query is filled when the annotation has one of these
 * verbs. CELL_NOT_FOUND for another verb; CELL_INVALID_ARGUMENT for arguments that are not as the verb says.
 */
int pg_query_from_request(const json_t *request, struct pg_query *query, struct pg_failure *f);

#endif
