/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Which clang and which build of the plugin belong together on this machine. */
#ifndef CELL_CLI_TOOLCHAIN_H
#define CELL_CLI_TOOLCHAIN_H

#include "cli.h"

struct toolchain {
    char clang[4096];   /* absolute path */
    unsigned version;   /* major, 0 = unknown */
    char plugin[4096];  /* "" = none for this version */
    char include[4096]; /* folder that holds cell/cell.h, "" = the compiler's own search finds it or not */
};

/* CELL_CLANG and CELL_PLUGIN win; else the newest clang in PATH that has a plugin. CELL_NOT_FOUND says what is missing;
 * the fields that were found are set also then. */
int toolchain_find(struct toolchain *t, struct cell_error *e);

/* The clangd that has a plugin, in `clang`: CELL_CLANGD and CELL_PLUGIN win; else the newest in PATH that can load its
 * plugin, which one that is linked statically cannot. CELL_NOT_FOUND says what is missing; `clang`, `version` and
 * `plugin` are then those of the first that was looked at, as far as it has them. */
int toolchain_find_clangd(struct toolchain *t, struct cell_error *e);

/* Whether a program loads LLVM as a library, which a plugin can be preloaded beside. */
enum toolchain_linkage { LINKAGE_UNKNOWN, LINKAGE_DYNAMIC, LINKAGE_STATIC }; /* UNKNOWN: a script, for one */
enum toolchain_linkage toolchain_linkage(const char *program);

/* A template for mkstemp or mkdtemp: "$TMPDIR/cell-NAME-XXXXXX", or in /tmp. */
void toolchain_temporary(const char *name, char *path, size_t size);

/* Runs argv[0] (an absolute path) and waits. Output goes to the files or is inherited when NULL. *exit_code is its exit
 * status, 128 + n for a signal. */
int toolchain_run(char *const *argv, const char *out, const char *err, int *exit_code, struct cell_error *e);

#endif
