/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Which change of a cell an error of Clang's is about. */
#ifndef CELL_DRIFTFIND_H
#define CELL_DRIFTFIND_H

#include "State.h"

#include "clang/Basic/Diagnostic.h"

struct CellGone {
    CellDrift *drift = nullptr;
    const diff_change *change = nullptr;
    clang::SourceLocation loc;
    std::string name, now; /* what stands there, and what to write; "" = nothing that is known */
};

/* True when the error says that something is not there which the cell has had. */
bool cellFindGone(PluginState &state, const clang::Diagnostic &error, CellGone &found);

/* True when the error says that a call does not fit its function, and some method has other parameters now. Which
 * function that is, the note after the error tells. */
bool cellMayBeCall(PluginState &state, const clang::Diagnostic &error);
/* True when `note`, which is at the function that was called, is at a method that has other parameters now. */
bool cellFindCall(PluginState &state, const clang::StoredDiagnostic &error, const clang::Diagnostic &note,
                  CellGone &found);

#endif
