/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What a file lacks because a cell could not be imported or an annotation not be expanded. That was reported, and the
 * compilation fails; what Clang says of the uses would be said again and again of one cause, and is left out:
 *
 * - Names of an expansion begin with that of its declaration, or, of a struct, with the annotation's first argument, or
 *   are the name that the declaration is called after ("search" of `enum search_query`). Such a name finds an invalid declaration, which Clang is silent about, as it is
 *   about all that is made with it. What only a type could be (`note_rows page;`, `struct search_iter it;`) is an error
 *   that never reaches the user.
 * - Functions that a cell writes have the names that its schema gives them, and are treated alike.
 * - Names of an import can be any: nothing of Clang's is shown from there on.
 *
 * What the plugin itself has to say is always shown, and nothing is left out as long as no error was.
 */
#ifndef CELL_ABSENT_H
#define CELL_ABSENT_H

#include "State.h"

/* The expansion of `d` failed. `called`: the argument that may be the name for what is generated; may be empty. */
void cellExpansionAbsent(PluginState &state, const clang::NamedDecl *d, llvm::StringRef called);

/* The functions of the cell's schema were refused. */
void cellFunctionsAbsent(PluginState &state, const cell_schema *schema);

/* What failed in a preamble, for the file that it was made of: the errors were said there. */
void cellKeepAbsent(PluginState &state);
void cellInheritAbsent(PluginState &state);

/* The import of a cell failed, and nothing stands in for it. */
void cellImportAbsent(PluginState &state);
/* The end of the unit: everything is shown again. */
void cellAbsentEnd(PluginState &state);

/* True when this is only said because of something absent. */
bool cellIsEcho(PluginState &state, clang::DiagnosticsEngine::Level level, const clang::Diagnostic &info);

#endif
