/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * How this cell's functions report what went wrong: a negative enum cell_status, and this beside it. What PostgreSQL
 * says is turned into a status and a sentence for the caller: without SQL, values, credentials or places on the disk.
 */
#ifndef CELLS_POSTGRES_FAILURE_H
#define CELLS_POSTGRES_FAILURE_H

#include <cell/ctx.h>
#include <libpq-fe.h>
#include <stdbool.h>

#define PG_NAME_SIZE 64 /* an identifier of PostgreSQL (NAMEDATALEN) with its NUL */

struct pg_failure {
    int status;                    /* negative enum cell_status; 0 = none */
    char text[512];                /* UTF-8 */
    char sqlstate[6];              /* "23505"; "" when it is not PostgreSQL that says it */
    char schema[PG_NAME_SIZE];     /* of the table, "" when unknown; so the following */
    char table[PG_NAME_SIZE];      /* */
    char column[PG_NAME_SIZE];     /* */
    char constraint[PG_NAME_SIZE]; /* */
    char field[PG_NAME_SIZE]; /* of the program's struct that is this column, or the column; "" when not asked for */
    char names[256]; /* of columns that the text begins with, each with a NUL; expressions as they are. "" ends them */
    size_t named;    /* bytes of the text that name them */
    int position;    /* of the error in the statement, in characters from 1; 0 = unknown */
    bool other_columns; /* the result has not the columns that were described */
};

/* Fills *f, but for what PostgreSQL says, and returns `status`. */
int pg_fail(struct pg_failure *f, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "context: " before the text, and returns `status`, which becomes the failure's. */
int pg_fail_context(struct pg_failure *f, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define PG_SHORT_SIZE 164
/* The first `length` bytes of a UTF-8 text, or what it has (SIZE_MAX), in `to`, of at least 8 bytes: when they do not
 * fit, those up to the end of a word, and "…". They do not overlap. Returns `to`. */
const char *pg_shorten(char *to, size_t size, const char *text, size_t length);

/* The status that a SQLSTATE stands for; CELL_INTERNAL when it is none that has a better one. */
int pg_status_of(const char *sqlstate);

/* Whether a prepared statement was not executed because what it gives has other columns now; it can be prepared anew.
 */
bool pg_is_stale_plan(const PGresult *result);

/*
 * From a result that is an error, or NULL: then memory was short. The text says what a caller can do with; the column
 * of a unique constraint is the one of its key as the server's detail tells it, when it is only one. Returns f->status.
 */
int pg_fail_result(struct pg_failure *f, const PGresult *result);

/* True for a check whose name does not tell the column that it is of. */
bool pg_failure_of_check(const struct pg_failure *f);
/* That column, from who knows it. */
void pg_failure_check_column(struct pg_failure *f, const char *column);

/* Names fields of the program in place of columns: `field_of` gives the name of one, or the column's own. */
void pg_failure_name_fields(struct pg_failure *f, const char *(*field_of)(void *user, const char *column), void *user);

/* From a connection that could not be made or was lost, CELL_UNAVAILABLE or as its SQLSTATE says. `doing` begins the
 * text: "connecting". What libpq says is cut before anything that could be a secret. Returns f->status. */
int pg_fail_connection(struct pg_failure *f, PGconn *connection, const char *doing);

/* Hands *f to the caller of the handler that runs on `c`: message, and a detail `postgres`, the JSON text
 * {"sqlstate":"23505","schema":"app","table":"users","column":"mail","field":"email","constraint":"users_mail_key"}
 * with those members that are known, when PostgreSQL has said it. Returns f->status. */
int pg_answer_failure(cell_ctx *c, const struct pg_failure *f);

#endif
