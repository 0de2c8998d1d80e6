/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Tables as collections of a source (docs/pipelines.md): what there is of each, and the SQL with which its rows and
 * their changes are read and written down. The making of SQL is pure; what it makes is in the table's arena.
 */
#ifndef CELLS_POSTGRES_FEED_TABLE_H
#define CELLS_POSTGRES_FEED_TABLE_H

#include <cell/desc.h>

#include "failure.h"
#include "memory.h"

/* Channel on which a table's trigger tells that there are changes. */
#define PG_FEED_CHANNEL "cell_changes"
/* Rows that are read at once. */
#define PG_FEED_GROUP 256

struct pg_feed_column {
    const char *name;
    const char *type;    /* as format_type() prints it; of a domain what it is made of */
    const char *ctype;   /* as a schema writes it: "i64", "opt<str>", "f32[3]" */
    const char *travels; /* the type in which it is sent, for the binding */
    bool nullable, as_text;
    uint32_t key;        /* its place in the primary key, from 1; 0 = none */
    uint32_t dimensions; /* of a vector, or of real[] with a check of its length; 0 = unknown */
};

struct pg_feed_table {
    const char *name;
    const char *oid;     /* decimal */
    const char *problem; /* why it cannot be followed: "it has no primary key"; NULL = it can */
    struct pg_feed_column *columns;
    uint32_t ncolumns, nkey;
    const char **indexes;
    uint32_t nindexes;
    int64_t count;     /* of rows, as PostgreSQL estimates */
    const char *feed;  /* its number in cell.followed, decimal; NULL = it was never followed */
    bool followed;     /* everything that is changed is written down */
    int64_t last;      /* the number of the last change */
    int64_t forgotten; /* those up to this one are not kept, or what they lead to cannot be told */
};

extern const char *const pg_feed_objects; /* makes the tables of the schema `cell`, several statements */
extern const char *const pg_feed_exist;   /* one row, one boolean: these are there */

/* Reads the table `name` of the schema public, or all of them for NULL, into memory of `arena`; and what
 * identifies the database and its history. CELL_NO_MEMORY, CELL_RESOURCE_EXHAUSTED for too many, as pg_query. */
struct pg_feed_tables {
    struct pg_feed_table *at;
    uint32_t n;
    const char *identity; /* 32 hex digits */
};
int pg_feed_read(PGconn *conn, struct pg_arena *arena, const char *name, struct pg_feed_tables *tables,
                 struct pg_failure *f);

/* feed_sql.c. These need an arena with `escape`. */

/* Sets what follows from name, type, nullable and dimensions. */
void pg_feed_column_set(struct pg_arena *arena, struct pg_feed_column *column);

/* Statements that make the table's triggers write to feed number `feed`. The first makes their function. */
const char *pg_feed_function(struct pg_arena *arena, const struct pg_feed_table *table, const char *feed);
const char *pg_feed_triggers(struct pg_arena *arena, const struct pg_feed_table *table, const char *feed);
const char *pg_feed_no_triggers(struct pg_arena *arena, const struct pg_feed_table *table);

/* Bindings (statement.h) of the methods of a source. `method` is the client's: its stream has the columns that are
 * wanted. NULL: the method is none of these, or wants what the table has not; *f says what. */
const char *pg_feed_scan(struct pg_arena *arena, const struct pg_feed_table *table, const struct cell_method *method,
                         bool descending, struct pg_failure *f);
/* Columns: position, time, event (0 put, 1 deleted, 2 what is missing cannot be told), the key's, others. `nkey` is how
 * many of the key's there are. */
const char *pg_feed_changes(struct pg_arena *arena, const struct pg_feed_table *table, const struct cell_method *method,
                            uint32_t *nkey, struct pg_failure *f);

/* The column of that name, or NULL. */
const struct pg_feed_column *pg_feed_find(const struct pg_feed_table *table, const char *name);

#endif
