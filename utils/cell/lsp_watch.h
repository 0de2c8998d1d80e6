/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Notices when a cell's schema changes, or the state of its answers, or when the cell comes and goes: a thread of its own asks the cells whose
 * mirrors a project has, as `cell sync` does, and watches those mirrors for what other compilations store there. It may
 * wait for a cell that hangs; the thread that serves the editor never does.
 */
#ifndef CELL_CLI_LSP_WATCH_H
#define CELL_CLI_LSP_WATCH_H

#include <stdbool.h>

#include "base/error.h"

struct lsp_watch;

/* Starts the thread. It ends with the process: what it may be waiting for is nothing to wait for. */
int lsp_watch_new(struct lsp_watch **watch, struct cell_error *e);

/* Becomes readable when a project has changed; to be polled only. */
int lsp_watch_fd(const struct lsp_watch *w);

/* The project of the file at `path` (absolute), watched from now on. Its number, the same for all its files; negative
 * when its cell.json cannot be used now, or there are too many. */
int lsp_watch_project(struct lsp_watch *w, const char *path);

/* Its folder, which .cell is in; lives as long as the process. */
const char *lsp_watch_dir(const struct lsp_watch *w, int project);

/* An open file of the project shows that the cell did not answer: when it does at the next look, the project counts as
 * changed, whatever was seen of the cell before. */
void lsp_watch_doubt(struct lsp_watch *w, int project, const char *cell);

/* Somebody works: looks often for a while, and with `now` at once. */
void lsp_watch_kick(struct lsp_watch *w, bool now);

/* A project that changed since it was last taken; negative when there is none, and the descriptor is quiet again. */
int lsp_watch_take(struct lsp_watch *w);

#endif
