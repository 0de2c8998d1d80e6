/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Rows of a statement as text or Parquet, to standard output or to a file that has its name once it is complete. Rows
 * are written as they come; only a table waits for its first thousand, by which its columns are as wide as they have to
 * be.
 */
#ifndef CELL_CLI_SQL_OUTPUT_H
#define CELL_CLI_SQL_OUTPUT_H

#include "sql.h"

enum sql_format { SQL_TABLE, SQL_CSV, SQL_JSON, SQL_JSONL, SQL_PARQUET };

struct sql_grid; /* sql_grid.c: a table whose columns are aligned */
struct sql_parquet;

struct sql_output {
    struct cli *cli;
    enum sql_format format;
    const char *path; /* NULL: standard output */
    char *part;       /* beside it */
    FILE *file;       /* of `part` */
    int cause;        /* what writing to it failed with first, an errno */
    bool begun;
    int columns;
    uint64_t rows;
    struct cli_json j; /* its buffer holds what is not written yet, in every format */
    struct sql_grid *grid;
    struct sql_parquet *parquet;
    struct cell_error refused; /* a value that the format cannot have; status 0: none */
};

/* False: there is no such format. */
bool sql_format_find(const char *name, enum sql_format *format);
/* Makes the file, if there is to be one. enum cli_exit, reported. */
int sql_output_open(struct sql_output *o, struct cli *cli, enum sql_format format, const char *path);
/* The names of the columns; a row. False: what is written has failed, and sql_output_close will say so. */
bool sql_output_begin(struct sql_output *o, sqlite3_stmt *statement);
bool sql_output_row(struct sql_output *o, sqlite3_stmt *statement);
/* Ends the output: `code` and `message` are what became of the statement, of which people have been told. A document
 * that has begun says so too; a file is left only after CLI_OK. enum cli_exit. */
int sql_output_close(struct sql_output *o, int code, const char *message);

/* The text of a value, as CSV and tables have it. NULL is nothing. */
void sql_output_text(struct cell_buffer *b, sqlite3_stmt *statement, int column);

/* Appends what is printed to `b`, once it is known. NULL: memory is short. */
struct sql_grid *sql_grid_new(int columns);
void sql_grid_add(struct sql_grid *g, struct cell_buffer *b, int column, const char *text, size_t length, bool right);
void sql_grid_end_row(struct sql_grid *g, struct cell_buffer *b);
void sql_grid_end(struct sql_grid *g, struct cell_buffer *b);
void sql_grid_free(struct sql_grid *g); /* NULL is accepted */

#endif
