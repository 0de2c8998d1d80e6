/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The one thing that clangd says and an editor is better off without: that a header is unused which brings a cell's
 * client. A file whose uses of the client are all in error uses nothing of it, to clangd, and a fix would remove the
 * import with which they would be right.
 */
#ifndef CELL_CLI_LSP_FILTER_H
#define CELL_CLI_LSP_FILTER_H

#include "lsp_docs.h"
#include "lsp_watch.h"

/* When `m`, from clangd, has such diagnostics, or offers to remove every unused include while there are some: puts it
 * without those and returns true. Everything else is to be passed on as it came. What the
 * diagnostics say of cells that did not answer is noted for the watcher. */
bool lsp_filter(const struct lsp_message *m, struct lsp_docs *docs, struct lsp_watch *w, struct lsp_out *out);

#endif
