/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Look-ups in the scope that is being parsed: the marker of an import, and names that it would declare twice. */
#ifndef CELL_COLLISIONS_H
#define CELL_COLLISIONS_H

#include "State.h"

/* What `name` means in the scope that is being parsed (not in outer ones), NULL = nothing. `tag` looks for a struct,
 * union or enum. */
clang::NamedDecl *cellFind(PluginState &state, llvm::StringRef name, bool tag);

/* The same for a marker of the text of an import, which may also be in the namespace around an inline one. */
clang::NamedDecl *cellFindMarker(PluginState &state, llvm::StringRef name);

/* False after reporting, at `loc`, the first name that `tokens` declare and the scope has already as something else. */
bool cellCheckCollisions(PluginState &state, llvm::StringRef cell, const std::vector<clang::Token> &tokens,
                         clang::SourceLocation loc);

/* For the end of the unit: a function that a cell wrote must not have become one of the program's, or of its library,
 * that was declared behind the import. C would take the one for the other. */
void cellCheckTaken(PluginState &state);

#endif
