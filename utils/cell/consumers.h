/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The record of programs that use a cell: one file a program, DIR/CELL/PROGRAM, which holds its two sections
 * (core/uses.h) as far as they are about that cell. DIR may be any folder that those who build programs and those who
 * own the cell share: files are replaced by renaming, and need no server.
 */
#ifndef CELL_CLI_CONSUMERS_H
#define CELL_CLI_CONSUMERS_H

#include "cli.h"
#include "core/uses.h"

#define CONSUMERS_MAX 1000u            /* programs of one cell */
#define CONSUMERS_MAX_BYTES (8u << 20) /* of one program's record */

struct consumer {
    char *program;    /* the name under which it was reported */
    char *path;       /* of its record */
    int64_t reported; /* seconds since 1970 */
};
struct consumer_list {
    struct consumer *items;
    size_t n;
};

/* Where the records are: `registry`, or .cell/consumers beside cell.json. NULL after reporting. The caller frees it. */
char *consumers_dir(struct cli *cli, const char *registry);
/* The programs that were reported for `cell`, sorted by name; none when there is no such folder. */
int consumers_list(const char *dir, const char *cell, struct consumer_list *list, struct cell_error *e);
void consumers_free(struct consumer_list *list);
int consumers_read(const char *path, struct cell_uses **uses, struct cell_error *e);

#endif
