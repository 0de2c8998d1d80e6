/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Text that becomes tokens in front of the parser. The text lies in a real file (.cell/inject), so that diagnostics and
 * debuggers show it; the user's macros cannot touch it, and pragmas in force around it do not reach it.
 */
#ifndef CELL_INJECT_H
#define CELL_INJECT_H

#include "State.h"

#include "llvm/ADT/StringRef.h"

/* Where the parser stands. */
enum class InjectAt {
    Pragma,     /* in a pragma handler: the text stands in place of the pragma */
    Semicolon,  /* the parser's current token is the `;` that ends a declaration: the text stands after it */
    Declaration /* in HandleTopLevelDecl: the text stands after the declaration that was just parsed */
};

/* Tokens that no file holds: one for punctuation or a literal, one for an identifier (after a space). */
clang::Token cellMarkToken(clang::tok::TokenKind kind, clang::SourceLocation loc);
clang::Token cellWordToken(PluginState &state, llvm::StringRef word, clang::SourceLocation loc);
/* Appends `_Pragma("cell TEXT")`, to be handled when the preprocessor comes to it. */
void cellAppendPragma(PluginState &state, llvm::StringRef text, clang::SourceLocation loc,
                      std::vector<clang::Token> &tokens);
/* Appends `struct cell_import;`, which declares nothing new: it keeps what is around it out of other declarations. */
void cellAppendForward(PluginState &state, clang::SourceLocation loc, std::vector<clang::Token> &tokens);

/* True when InjectAt::Declaration is possible now: the parser stands between two declarations of file scope. */
bool cellMayInjectAfterDeclaration(PluginState &state);

/* Puts the tokens of the file at `path` (absolute, balanced C or C++ text) in front of the parser, as if it were
 * included at `loc`. False, with an error reported at `loc`, when the file cannot be read or declares a name that the
 * scope has already; `cell` is whose text it is. */
bool cellInjectFile(PluginState &state, llvm::StringRef cell, llvm::StringRef path, clang::SourceLocation loc,
                    InjectAt at);

/* The same for a text: stored in .cell/inject/CELL-HASH.h first, HASH being that of the text. */
bool cellInjectText(PluginState &state, llvm::StringRef cell, llvm::StringRef text, clang::SourceLocation loc,
                    InjectAt at);

/* "src/user.c:7:8" of `loc`'s expansion, for the head of a rendered text: relative to the project's folder, so that the
 * same source gives the same text wherever it is built. */
std::string cellLocationText(PluginState &state, clang::SourceLocation loc);

/* Lists a file in the dependency output (-MD), once. Nothing happens when it does not exist. */
void cellAddDependency(PluginState &state, llvm::StringRef path, clang::SourceLocation loc);

/* Second half of an injection, called by the pragma that ends its tokens: the pragmas of the user are in force again.
 */
void cellEndInjection(PluginState &state);

#endif
