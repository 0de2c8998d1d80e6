/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Drift: a cell's schema differs from the one that this object was last compiled against. Said where it matters. */
#ifndef CELL_DRIFT_H
#define CELL_DRIFT_H

#include "State.h"

/* Compares the cell, which is of that session, with its baseline; NULL when there is none or nothing changed. On the
 * first call for a cell the uses of what is gone are watched from then on; it was imported at `loc`. */
const CellDrift *cellDriftOf(PluginState &state, cell_session *session, session_cell *cell, clang::SourceLocation loc);

/* The same for all cells that a precompiled header or a module has imported: asks nobody, for what this unit compiles
 * against is what those were built from, and that is on the disk. Call when one has been read. */
void cellDriftOfIncluded(PluginState &state);

/* The change that removed or renamed field `name` of a type that an import declared, or of a base of it: `record` is
 * set to which one. NULL = none. */
const diff_change *cellDriftField(PluginState &state, const clang::RecordDecl *&record, llvm::StringRef name,
                                  CellDrift *&drift);
/* The same for a name that stands alone in a member function of the type. */
const diff_change *cellDriftImplicitField(PluginState &state, const clang::RecordDecl *&record, llvm::StringRef name,
                                          CellDrift *&drift);
/* The cell whose text the place is in; "" for none. */
llvm::StringRef cellOwnerOf(PluginState &state, clang::SourceLocation loc);
/* True for a function of an import that the cell wrote itself. */
bool cellHasWritten(PluginState &state, const clang::Decl *d);
/* True for what an import declared; a user's own declaration may have the same name. */
bool cellIsInjected(PluginState &state, const clang::Decl *d);
/* Since when, and what was there before: once a cell. */
void cellDriftNote(clang::DiagnosticsEngine &diags, CellDrift &drift);
/* From here on Clang's errors about what is gone are ours, and echoes (Absent.h) are left out; until the state goes. */
void cellWatchErrors(PluginState &state);
void cellDriftEnd(PluginState &state);

/* Remarks at the uses of what has another type or value now: they compile, but not to the same. For the end of the
 * unit, also when errors occurred, which they explain. */
void cellDriftUses(PluginState &state);

/* One remark for each cell that changed without this unit noticing. Call when no error occurred. */
void cellDriftRemarks(PluginState &state);

#endif
