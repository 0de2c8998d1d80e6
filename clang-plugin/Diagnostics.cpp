/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "Diagnostics.h"

#include "clang/Basic/SourceManager.h"

using namespace clang;

namespace
{

struct Message {
    DiagnosticIDs::Level severity;
    const char *text;
};

const Message messages[] = {
#define CELL_DIAG(id, severity, text) {DiagnosticIDs::severity, text},
#include "Diagnostics.def"
#undef CELL_DIAG
};

} // namespace

DiagnosticBuilder cellReport(DiagnosticsEngine &diags, SourceLocation loc, CellDiag id)
{
    const Message &m = messages[static_cast<unsigned>(id)];
    if (loc.isMacroID() && diags.hasSourceManager())
        loc = diags.getSourceManager().getFileLoc(loc);
    return diags.Report(loc, diags.getDiagnosticIDs()->getCustomDiagID(m.severity, m.text));
}

std::string cellPrintable(StringRef text)
{
    std::string out;
    for (char c : text.rtrim()) {
        bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
        out += !control ? c : c == '\n' || c == '\t' ? ' ' : '?';
    }
    return out;
}
