/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What the parts of `cell sql` share. SQLite carries statements out, on virtual tables of ours (sql_table.c) that read
 * journals where they lie (sql_journal.c), and aggregates page by page (sql_groups.c). Which tables there are is asked
 * of the cells that a statement names (sql_find.c). One thread.
 */
#ifndef CELL_CLI_SQL_H
#define CELL_CLI_SQL_H

#include <sqlite3ext.h>

#include "cell/desc.h"
#include "cli.h"
#include "sql_layout.h"

extern const sqlite3_api_routines *sqlite3_api; /* sql_library.c */

struct sql_cell;
struct sql_groups;

struct sql_table {
    struct sql *sql;
    struct sql_table *next;
    const char *schema, *name; /* "ledger", "transfers" */
    struct sql_layout layout;
    /* A journal: what is before `end` is read. */
    const char *folder, *type; /* folder NULL: it is an aggregate */
    uint64_t end;
    /* An aggregate. */
    struct sql_cell *cell;
    uint64_t generation;
    struct sql_groups *groups; /* what was read of it; NULL = nothing yet */
    uint64_t records;          /* that were looked at */
};

/* A cell, or one of its tables, that cannot be read. */
struct sql_problem {
    struct sql_problem *next;
    const char *cell, *table; /* table NULL: all */
    struct cell_error error;
};

struct sql {
    struct cli *cli;
    struct cell_arena arena;
    sqlite3 *db;
    struct sql_table *tables;
    struct sql_cell *cells;
    struct sql_problem *problems;
    uint64_t deadline_ns;     /* of the whole command; CELL_NO_DEADLINE */
    struct cell_error failed; /* what a table failed with while it was read; status 0: nothing */
    const char *refused;      /* what a statement wanted to do and must not; NULL: nothing */
};

/* ---- sql_library.c ---- */

/* Loads SQLite and opens a database in memory. CELL_FAILED_PRECONDITION: it is not installed, or too old. */
int sql_library_open(sqlite3 **db, struct cell_error *e);

/* ---- sql_stop.c: Ctrl-C and --timeout ---- */

enum sql_stopped { SQL_GOES_ON, SQL_INTERRUPTED, SQL_TIMED_OUT };
/* From now on SIGINT, SIGTERM and SIGHUP are noted, and end the process at once when they come while something is
 * waited for that does not look. */
void sql_stop_watch(void);
enum sql_stopped sql_stopped(const struct sql *sql);
/* Around what waits. `path` (may be NULL) is a file that is removed when the process ends. */
void sql_stop_wait(bool waits);
void sql_stop_file(const char *path);

/* ---- sql_cell.c: calls to a cell, by what its own schema says ---- */

/* One that was opened before, or a new one; it lives as long as `sql`. CELL_UNAVAILABLE, CELL_NOT_FOUND (no socket),
 * CELL_FAILED_PRECONDITION (a cell of another host), and what a schema or a handshake may be refused with. */
int sql_cell_open(struct sql *sql, const char *name, struct sql_cell **cell, struct cell_error *e);
void sql_cells_close(struct sql *sql);
/* A member of a struct that a cell has described, by its name and kind. False: it has none of that kind, *to is zero.
 * Of integers `size` bytes are copied, which must be the type's. */
bool sql_member(const struct cell_type *type, const void *of, const char *name, enum cell_kind kind, void *to,
                size_t size);
/* The element type of a list. */
const struct cell_type *sql_member_list(const struct cell_type *type, const void *of, const char *name,
                                        struct cell_ref *list);
/* Calls CELL_method, if the cell has it: CELL_UNIMPLEMENTED otherwise. `in` are its parameters. *out is the first that
 * comes out, of type *type, in `arena`. */
struct sql_argument {
    const char *name;
    enum cell_kind kind;
    uint64_t number;
    cell_str text;
};
int sql_cell_call(struct sql_cell *cell, const char *method, const struct sql_argument *in, size_t n,
                  struct cell_arena *arena, const struct cell_type **type, struct cell_ref *out, struct cell_error *e);

/* ---- sql_find.c ---- */

/* Adds what the cells that the statement names can be read of; what fails becomes a problem. CELL_NO_MEMORY. */
int sql_find_named(struct sql *sql, const char *statement, struct cell_error *e);
/* Of all cells. */
int sql_find_all(struct sql *sql, struct cell_error *e);
/* "DIR" or "NAME=DIR": a journal without a cell, as table NAME ("journal"). */
int sql_find_folder(struct sql *sql, const char *operand, struct cell_error *e);
/* What is known to be wrong with "CELL.TABLE". NULL: nothing. */
const struct sql_problem *sql_find_problem(const struct sql *sql, const char *name);

/* ---- sql_table.c ---- */

/* Makes it a table of the database. */
int sql_table_add(struct sql *sql, struct sql_table *table, struct cell_error *e);
void sql_tables_close(struct sql *sql);

/* What is read next, one record behind the other. */
struct sql_batch {
    const uint8_t *records;
    uint32_t count;
    uint64_t sequence; /* of the first */
    int64_t appended_us;
};
/* Records `from` to `to` (not included), backwards: the last batch first, and each to be taken from its end. */
struct sql_range {
    uint64_t from, to;
    bool backwards;
    int64_t time_from, time_to; /* `layout.time` is between them, if it is ordered */
};

struct sql_scan; /* sql_journal.c */
int sql_scan_open(struct sql_table *table, struct sql_scan **scan, struct cell_error *e);
int sql_scan_begin(struct sql_scan *scan, const struct sql_range *range, struct cell_error *e);
/* 1, and *batch until the next call; 0: that was all. */
int sql_scan_next(struct sql_scan *scan, struct sql_batch *batch, struct cell_error *e);
void sql_scan_close(struct sql_scan *scan);
/* Where the journal ends now; and that its records have that size and type. */
int sql_journal_end(const char *folder, const char *type, uint32_t record_size, uint64_t *end, struct cell_error *e);
/* What the journal itself says of its records; *type in the arena. */
int sql_journal_describe(const char *folder, struct cell_arena *arena, const char **type, struct sql_layout *layout,
                         struct cell_error *e);

/* sql_groups.c: the i-th page of an aggregate, which is read once and kept. 1 and *batch, 0: there is none. */
int sql_groups_page(struct sql_table *table, uint32_t i, struct sql_batch *batch, struct cell_error *e);
void sql_groups_free(struct sql_table *table);

/* ---- sql_run.c ---- */

struct sql_output;
/* Lets statements read and do nothing else, and makes them end when they are to. */
int sql_guard(struct sql *sql, struct cell_error *e);
/* Carries one statement out and writes its rows. enum cli_exit, reported. */
int sql_run(struct sql *sql, const char *statement, struct sql_output *output);

#endif
