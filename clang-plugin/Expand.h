/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Verbs: "cell:NAME.VERB" on a declaration asks the cell what to make of it. */
#ifndef CELL_EXPAND_H
#define CELL_EXPAND_H

#include "Inject.h"

#include "clang/AST/Attr.h"

/* Checks annotation `a` of `d` against the verbs that the cell offers, sends the declaration, shows what the cell has
 * to say about it, and injects what it answers. Everything that goes wrong is reported. */
void cellExpand(PluginState &state, clang::NamedDecl *d, const clang::AnnotateAttr *a, llvm::StringRef cell,
                llvm::StringRef verb, InjectAt at);

/* The same for a declaration that cannot be sent, which was reported. */
void cellExpandNothing(PluginState &state, clang::NamedDecl *d, const clang::AnnotateAttr *a, llvm::StringRef cell,
                       llvm::StringRef verb);

#endif
