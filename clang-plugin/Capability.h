/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Capabilities, on the side of programs. An import declares each as enumerators (RenderCapability.c), so that CELL_HAS
 * is an integer constant expression wherever Clang wants one. Here is the rest: names that no cell declares, #if, what
 * a failed CELL_REQUIRE says, calls of fallbacks, and what the object was built for.
 */
#ifndef CELL_CAPABILITY_H
#define CELL_CAPABILITY_H

#include "State.h"

/* What the macros of attrs.h make of their arguments. */
struct CellConstant {
    enum Kind { None, Has, Requires, Value } kind = None;
    std::string cell, capability, parameter; /* parameter: of a Value */

    /* None for any other name. */
    static CellConstant of(llvm::StringRef identifier);
};

/* From here on unknown capabilities are our errors, and CELL_HAS works in #if. For each unit whose source has Cell's
 * header, directly or in a precompiled header or a module; more than once is harmless. */
void cellWatchCapabilities(PluginState &state);

/* Whether an import of this unit, or of what it includes, has declared some. */
bool cellHasCapabilities(PluginState &state);

/* The schema of a cell, that this unit asked or asks now; NULL when it cannot be had. */
const cell_schema *cellSchemaOf(PluginState &state, llvm::StringRef cell);
/* Whether some scope of this unit has an import of the cell, or had one that failed. */
bool cellIsImportedAnywhere(PluginState &state, llvm::StringRef cell);
/* Reports why there is no such constant. */
void cellReportNoConstant(PluginState &state, const CellConstant &name, clang::SourceLocation loc);

/* A failed CELL_REQUIRE: reports it to `diags` in our words. False: `info` is something else. */
bool cellReportRequired(PluginState &state, clang::DiagnosticsEngine &diags, const clang::Diagnostic &info);

/* At the end of a unit without errors: fills in state.capabilityUses, warns of calls of fallbacks, and tells the
 * descriptors what the unit was built for. */
void cellCapabilitiesEnd(PluginState &state);

#endif
