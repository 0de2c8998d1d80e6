/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Every message that the plugin prints is in Diagnostics.def; this is how they are printed. */
#ifndef CELL_DIAGNOSTICS_H
#define CELL_DIAGNOSTICS_H

#include <string>

#include "clang/Basic/Diagnostic.h"
#include "clang/Sema/Sema.h"

enum class CellDiag {
#define CELL_DIAG(id, severity, text) id,
#include "Diagnostics.def"
#undef CELL_DIAG
};

/* Prints message `id` at `loc` when the result goes out of scope; stream its arguments, ranges and fix-its into it. The
 * message's id in Clang is made with its first use. `loc` is mapped to where the user wrote it: a place in a macro of
 * Cell's own headers is shown at the macro's use. */
clang::DiagnosticBuilder cellReport(clang::DiagnosticsEngine &diags, clang::SourceLocation loc, CellDiag id);

/* Text that came from a cell or a file, safe to print: control characters become spaces or question marks. */
std::string cellPrintable(llvm::StringRef text);

inline clang::DiagnosticBuilder cellReport(clang::Sema &sema, clang::SourceLocation loc, CellDiag id)
{
    return cellReport(sema.getDiagnostics(), loc, id);
}

#endif
