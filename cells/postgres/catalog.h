/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What is in the database: its catalog as a model, and a token that stands for its state. */
#ifndef CELLS_POSTGRES_CATALOG_H
#define CELLS_POSTGRES_CATALOG_H

#include <pthread.h>

#include "connect.h"
#include "model.h"

struct pg_wanted {
    const char *schema; /* NULL = the default one: current_schema() */
    const char *name;   /* NULL = all tables and views of the schema */
    bool only_name;     /* what has the name, and nothing of what a table is made of */
};

/*
 * Reads the tables that are wanted and exist, with two round trips in one read-only transaction. The connection must be
 * idle and is so afterwards. A catalog that others change meanwhile is read again, a few times; what waits for a lock
 * longer than until `deadline_ms` of pg_now_ms is CELL_DEADLINE_EXCEEDED. CELL_NO_MEMORY, or as the database says.
 * *model is for pg_model_free.
 */
int pg_catalog_read(PGconn *conn, const struct pg_wanted *wanted, uint32_t n, int64_t deadline_ms,
                    struct pg_model **model, struct pg_failure *f);

#define PG_STATE_TOKEN_SIZE 33

/* When a database was looked at last, and what its token was then. For any number of threads. */
struct pg_seen {
    pthread_mutex_t lock;
    char moment[256]; /* which transactions could be seen there; "" = it was not looked at yet */
    char token[PG_STATE_TOKEN_SIZE];
};
void pg_seen_init(struct pg_seen *seen);
void pg_seen_destroy(struct pg_seen *seen);

/*
 * A token that changes whenever a table, column, index, constraint, type, view, function, operator, comment or schema
 * outside PostgreSQL's own does, or a plan is carried out. Equal tokens mean an equal catalog. 32 hex digits and a NUL.
 * One query over the rows of users' objects; with `seen` (NULL = none) only when a transaction has ended since, for one
 * that sees the same ones sees the same catalog. All who share it connect to one database as one role.
 */
int pg_catalog_state(PGconn *conn, struct pg_seen *seen, char token[PG_STATE_TOKEN_SIZE], struct pg_failure *f);

/* An array of texts as the server reads it: {"a","b",NULL}. NULL when memory is short. For parameters of queries. */
char *pg_array_text(const char *const *texts, size_t n);

#endif
