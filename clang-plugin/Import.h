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
 * reported; `annotation` is the text behind "cell:", "" for a pragma. */
session_cell *cellAsk(PluginState &state, llvm::StringRef name, clang::SourceLocation loc, llvm::StringRef annotation);

/* True when `scope` has an import of cell `name`, or when that failed and was reported. */
bool cellIsImported(PluginState &state, clang::DeclContext *scope, llvm::StringRef name);

/* The place of `word` in the macro call or annotation at `loc`, for carets and fix-its; else `loc` itself. */
clang::CharSourceRange cellRangeOfWord(PluginState &state, clang::SourceLocation loc, llvm::StringRef word);
/* The same in `text`, a range of a file, from `prefix` on if that is there; else the beginning of `text`. */
clang::CharSourceRange cellRangeOfWordIn(PluginState &state, clang::CharSourceRange text, llvm::StringRef prefix,
                                         llvm::StringRef word);

/* Editors show warnings of the file that is open: where the #include is that leads to a header. */
clang::SourceLocation cellInMainFile(PluginState &state, clang::SourceLocation loc);

#endif
