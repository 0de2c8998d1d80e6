/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * CELL_HOT: functions of the cell's author that its users build into their programs. Clang's AST of these, and of what
 * they use, becomes a document "cell.ast/1" (docs/hot-functions.md, "Writing them"). What cannot be served is an error
 * at the author's expression.
 */
#ifndef CELL_HOT_H
#define CELL_HOT_H

#include <memory>
#include <string>

#include "DeclReader.h"

struct PluginState;
struct HotDocument; /* HotImpl.h */
struct HotDocumentDelete {
    void operator()(HotDocument *d) const;
};
using HotDocumentPtr = std::unique_ptr<HotDocument, HotDocumentDelete>;

/* Whether the function is marked. */
bool hotIsMarked(const clang::FunctionDecl *f);

/* That something else than a cell's users runs it: then a file without CELL_PROVIDE may define it. */
void hotIsUsed(PluginState &state, const clang::FunctionDecl *f);

/* Serialises the definitions of `functions`, in this order, and what they call. The types they use are read by
 * `reader`. `bare`: without comments, files and lines, so that what computes the same is the same document. NULL when
 * something was reported. */
HotDocumentPtr cellHotSerialise(PluginState &state, DeclReader &reader,
                                const std::vector<const clang::FunctionDecl *> &functions, bool bare = false);
/* Has the document verified, with the types of `schema`, which is sealed; its members "functions" and "tables" as
 * canonical JSON go to `json`. False when something was reported. */
bool cellHotVerify(PluginState &state, HotDocument &document, const cell_schema *schema, std::string &json);

#endif
