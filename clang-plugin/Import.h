/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Imports: the client of a cell, rendered from its schema, becomes part of the scope that asks for it. */
#ifndef CELL_IMPORT_H
#define CELL_IMPORT_H

#include "Inject.h"

#include "clang/Lex/Pragma.h"

/* `#pragma cell …`; `name` is the token `cell`. Under -E the pragma is printed again. */
void cellPragma(clang::Preprocessor &pp, clang::PragmaIntroducer introducer, clang::Token &name);

/* Imports cell `name` into the scope that is being parsed, unless it is there. Everything that goes wrong is reported
 * at `loc`, once for each cell and scope. */
void cellImport(PluginState &state, llvm::StringRef name, clang::SourceLocation loc, InjectAt at);

/* Asks (once) for the cell behind an annotation at `loc` and lists what it depends on. NULL when it failed, which was
 * reported; `annotation` says that nothing but an answer will do (an import falls back on the mirror). */
session_cell *cellAsk(PluginState &state, llvm::StringRef name, clang::SourceLocation loc);

/* What follows in a file whose cell is unknown would only be the echo of that error, as after a header that is missing:
 * so nothing but the failure of other cells is said from now on. Editors get the rest all the same. */
void cellSilence(PluginState &state);

/* True when `scope` has an import of cell `name`, or when that failed and was reported. */
bool cellIsImported(PluginState &state, clang::DeclContext *scope, llvm::StringRef name);

/* The place of `word` in the macro call or annotation at `loc`, for carets and fix-its; else `loc` itself. */
clang::CharSourceRange cellRangeOfWord(PluginState &state, clang::SourceLocation loc, llvm::StringRef word);

#endif
