/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Programs that use a cell, as they were reported. The cell keeps them (ask with link_…). Where it does not run they
 * are in a folder, DIR/CELL, which may also be one that those who build programs and those who own the cell share.
 */
#ifndef CELL_CLI_CONSUMERS_H
#define CELL_CLI_CONSUMERS_H

#include "cli.h"
#include "core/consumer.h"

struct known_consumer {
    struct cell_consumer *consumer;
    bool in_cell; /* false: only the folder has it */
};
struct consumer_set {
    struct known_consumer *items; /* sorted by program and path */
    size_t n;
    uint64_t left_out; /* records that the cell has and cannot tell */
};

/* Where the folder is: `registry`, or .cell/consumers beside cell.json. NULL after reporting. The caller frees it. */
char *consumers_dir(struct cli *cli, const char *registry);

/* All that is known of `cell`: what it says itself, and what only the folder has. With `registry`, what that holds. A
 * cell that does not answer is said on stderr unless `quiet`. CLI_OK, or what was reported. */
int consumers_gather(struct cli *cli, const char *cell, const char *registry, bool quiet, struct consumer_set *set);
void consumers_free(struct consumer_set *set);

/* ---- link_consumers.c: what the cell keeps; errors as of cell_link_open, and what the cell answers ---- */

struct consumer_link {
    const char *address, *cell;
    bool any_owner;
    uint32_t ms; /* for everything together */
};
int link_report(const struct consumer_link *to, const struct cell_consumer *c, struct cell_error *e);
/* Appends them. */
int link_consumers(const struct consumer_link *to, struct consumer_set *set, struct cell_error *e);
/* `path` NULL = of all paths. */
int link_forget(const struct consumer_link *to, const char *program, const char *path, uint32_t *n,
                struct cell_error *e);
/* True when the cell is not there to be asked, keeps no such records, or not for this user: then the folder is the
 * place.
 */
bool link_is_closed(int status);

/* Takes `c` over, also when it fails. CELL_NO_MEMORY. */
int consumers_add(struct consumer_set *set, struct cell_consumer *c, bool in_cell, struct cell_error *e);

#endif
