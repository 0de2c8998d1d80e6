/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The documents that an editor has open, as far as one must know them to have one parsed again. One thread. */
#ifndef CELL_CLI_LSP_DOCS_H
#define CELL_CLI_LSP_DOCS_H

#include "lsp_json.h"
#include "lsp_stream.h"

#define LSP_MAX_DOCS 1024u /* more are not parsed again by themselves */

struct lsp_doc {
    char *uri;        /* as the editor wrote it: JSON, with its quotes */
    char *name;       /* what that says */
    char *path;       /* absolute; NULL when the URI names no file */
    char version[32]; /* likewise JSON: a number */
    int project;      /* for the caller; negative = none */
    bool spared;      /* for the caller: something of its last diagnostics was kept back */
};

struct lsp_docs {
    struct lsp_doc *items;
    size_t n;
};

enum lsp_event { LSP_OTHER, LSP_OPENED, LSP_CHANGED, LSP_SAVED, LSP_CLOSED };

/* Takes note of a message from the editor. *doc is the one that it is about, NULL = none that is known; it is valid
 * until the next call. */
enum lsp_event lsp_docs_note(struct lsp_docs *docs, const struct lsp_message *m, struct lsp_doc **doc);

/* The document of a URI as it stands in a message; NULL = none that is known. */
struct lsp_doc *lsp_docs_find(struct lsp_docs *docs, struct json_span uri);

/* Appends the notification that makes clangd parse the document again, with what it knows of it. */
void lsp_docs_put_rebuild(const struct lsp_doc *doc, struct lsp_out *out);

void lsp_docs_free(struct lsp_docs *docs);

#endif
