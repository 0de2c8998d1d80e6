/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "Import.h"
#include "Absent.h"
#include "Capability.h"
#include "ClangCompat.h"
#include "Collisions.h"
#include "DeclReader.h"
#include "Diagnostics.h"
#include "Drift.h"
#include "Render.h"

#include "clang/AST/DeclCXX.h"
#include "clang/AST/Expr.h"
#include "clang/Basic/Module.h"
#include "clang/Lex/Lexer.h"
#include "clang/Lex/Preprocessor.h"
#include "clang/Lex/PreprocessorOptions.h"

using namespace clang;

namespace
{

/* False after reporting a place where nothing can be imported. */
bool importScope(PluginState &state, StringRef name, SourceLocation loc)
{
    const DeclContext *scope = state.sema().CurContext;
    if (scope->getRedeclContext()->isFileContext())
        return true;
    CellDiag id = scope->isDependentContext() ? CellDiag::ScopeTemplate
                  : scope->isRecord()         ? CellDiag::ScopeClass
                                              : CellDiag::ScopeBlock;
    cellReport(state.diags(), loc, id) << name;
    return false;
}

/* The fingerprint that a marker declaration carries. */
StringRef markerFingerprint(const NamedDecl *marker)
{
    const auto *var = dyn_cast<VarDecl>(marker);
    const Expr *init = var ? var->getAnyInitializer() : nullptr;
    const auto *text = init ? dyn_cast<StringLiteral>(init->IgnoreParenImpCasts()) : nullptr;
    return text && text->getCharByteWidth() == 1 ? text->getString() : StringRef();
}

enum class Marker { None, Same, Differs };

/* Whether this scope has the import already. Asked of the AST: it may come from a precompiled header. */
Marker checkMarker(PluginState &state, const session_cell *cell, SourceLocation loc)
{
    NamedDecl *marker = cellFindMarker(state, std::string("cellgen_") + cell->name + "_fingerprint");
    if (!marker)
        return Marker::None;
    StringRef fingerprint = markerFingerprint(marker);
    if (fingerprint == cell->fingerprint)
        return Marker::Same;
    const std::string &pch = state.pp.getPreprocessorOpts().ImplicitPCHInclude;
    if (const Module *module = marker->getImportedOwningModule())
        cellReport(state.diags(), loc, CellDiag::ImportedByModule) << cell->name << module->getFullModuleName();
    else if (marker->isFromASTFile() && !pch.empty())
        cellReport(state.diags(), loc, CellDiag::ImportedByPch) << cell->name << pch;
    else
        cellReport(state.diags(), loc, CellDiag::ImportedBefore) << cell->name;
    cellReport(state.diags(), marker->getLocation(), CellDiag::ImportedNote)
        << fingerprint.take_front(12) << StringRef(cell->fingerprint).take_front(12);
    return Marker::Differs;
}

struct Imported {
    cell_session *session;
    session_cell *cell;
};

/* What functions depend on besides the schema. */
void functionOptions(PluginState &state, render_options &options)
{
    const LangOptions &lang = state.pp.getLangOpts();
    options.fences = lang.getDefaultFPContractMode() == LangOptions::FPM_Fast;
    if (lang.NoHonorNaNs || lang.NoHonorInfs)
        options.no_floats =
            "-ffinite-math-only (a part of -ffast-math) takes infinities and NaNs from it: compile with "
            "-fno-finite-math-only";
    if (!cellcompat::preciseReachesBuiltins &&
        (lang.UnsafeFPMath || lang.AllowFPReassoc || lang.NoSignedZero || lang.AllowRecip || lang.ApproxFunc))
        options.no_floats = "this version of Clang lets -ffast-math into what it calls: compile with -fno-fast-math";
}

/* Where the text is kept that stands for `key`. False after reporting. */
bool textPath(PluginState &state, Imported in, const std::string &key, SourceLocation loc, std::string &path,
              bool &exists)
{
    char *found = nullptr;
    int r = cell_session_inject_path(in.session, in.cell->name, key.c_str(), &found, &exists);
    if (r < 0)
        cellReport(state.diags(), loc, CellDiag::InjectStore) << in.cell->name << cell_status_text(r);
    else
        path = found;
    free(found);
    return r >= 0;
}

struct AstDelete {
    void operator()(cell_ast *doc) const { cell_ast_free(doc); }
};

/* The functions of the cell, if they are harmless. Otherwise that is an error, and the text, which then is another one
 * with another path, does without them. False after reporting that there is no text at all. */
bool verifiedFunctions(PluginState &state, Imported in, const cell_schema *schema, const std::string &key,
                       SourceLocation loc, std::unique_ptr<cell_ast, AstDelete> &functions, std::string &path)
{
    cell_error e = {};
    cell_ast *read = nullptr;
    bool exists = false;
    if (cell_ast_of_schema(schema, nullptr, &read, &e) >= 0) {
        functions.reset(read);
        return true;
    }
    cellReport(state.diags(), loc, CellDiag::FunctionsRefused) << in.cell->name << cellPrintable(e.text);
    cellFunctionsAbsent(state, schema);
    return textPath(state, in, key + "functions refused\n", loc, path, exists);
}

/* The text of the import, which is to be at `path`; that becomes where it is. False after reporting. */
bool renderImport(PluginState &state, Imported in, const CellDrift *drift, const std::string &location,
                  const std::string &key, std::string &path, SourceLocation loc)
{
    cell_error e = {};
    const cell_schema *schema = cell_session_schema(in.session, in.cell, &e);
    if (!schema) {
        cellReport(state.diags(), loc, CellDiag::SchemaUnusable) << in.cell->name << cellPrintable(e.text);
        return false;
    }
    render_options options = {};
    options.cplusplus = state.pp.getLangOpts().CPlusPlus;
    options.location = location.c_str();
    options.drift = drift ? drift->diff.get() : nullptr;
    options.baseline = drift ? drift->baseline : nullptr;
    std::unique_ptr<cell_ast, AstDelete> functions;
    if (!verifiedFunctions(state, in, schema, key, loc, functions, path))
        return false;
    options.functions = functions.get();
    functionOptions(state, options);
    cell_buffer text = {};
    int r = cell_render_client(schema, &options, &text, &e);
    if (r >= 0)
        r = cell_session_put(in.session, path.c_str(), text.data, text.len, &e);
    cell_buffer_free(&text);
    if (r < 0)
        cellReport(state.diags(), loc, CellDiag::InjectStore)
            << in.cell->name << cellPrintable(e.text[0] ? e.text : cell_status_text(r));
    return r >= 0;
}

/* Everything that the text of an import depends on. When a text of that key exists, no schema is parsed. */
std::string importKey(PluginState &state, const session_cell *cell, const CellDrift *drift, const std::string &location)
{
    std::string key = "import " CELL_RENDER_VERSION "\n";
    key += std::string(cell->name) + "\n" + cell->fingerprint + "\n";
    key += state.pp.getLangOpts().CPlusPlus ? "c++\n" : "c\n";
    key += location + "\n";
    render_options options = {};
    functionOptions(state, options);
    key += options.fences ? "fences\n" : "";
    key += options.no_floats ? std::string(options.no_floats) + "\n" : "";
    if (drift)
        key += std::string(drift->baseline->fingerprint) + "\n";
    return key;
}

bool importCell(PluginState &state, Imported in, SourceLocation loc, InjectAt at)
{
    const CellDrift *drift = in.session == state.session(loc) ? cellDriftOf(state, in.session, in.cell, loc) : nullptr;
    switch (checkMarker(state, in.cell, loc)) {
    case Marker::Same:
        return true;
    case Marker::Differs:
        return false;
    case Marker::None:
        break;
    }
    std::string location = cellLocationText(state, loc);
    std::string key = importKey(state, in.cell, drift, location);
    std::string path;
    bool exists = false;
    if (!textPath(state, in, key, loc, path, exists))
        return false;
    if (!exists && !renderImport(state, in, drift, location, key, path, loc))
        return false;
    return cellInjectFile(state, in.cell->name, path, loc, at);
}

} // namespace

void cellImport(PluginState &state, StringRef name, SourceLocation loc, InjectAt at)
{
    DeclContext *scope = state.sema().CurContext->getRedeclContext();
    cellWatchCapabilities(state);
    if (state.failed.count({name.str(), scope}))
        return;
    if (!importScope(state, name, loc)) {
        state.failed.insert({name.str(), scope});
        return;
    }
    const TargetInfo &target = state.pp.getTargetInfo();
    if (!cellTargetFits(target)) {
        cellReport(state.diags(), loc, CellDiag::ReadTarget) << target.getTriple().str();
        state.failed.insert({name.str(), scope});
        return;
    }
    Imported in = {state.session(loc), nullptr};
    bool ok = false;
    if (in.session) {
        in.cell = cellAsk(state, name, loc, at == InjectAt::Pragma ? StringRef() : name);
        if (!in.cell && state.mode != SESSION_MIRROR) {
            /* The build has failed; with the last known schema nothing else in the file fails because of it. */
            in.session = state.mirrorSession();
            if (!in.session || cell_session_cell(in.session, name.str().c_str(), &in.cell) < 0)
                in.cell = nullptr;
        }
        ok = in.cell && importCell(state, in, loc, at);
    }
    if (ok) {
        state.imported.insert(name.str());
        cellWatchCapabilities(state); /* it may be the first that has some */
        return;
    }
    state.failed.insert({name.str(), scope});
    if (!cellFindMarker(state, ("cellgen_" + name + "_fingerprint").str()))
        cellImportAbsent(state);
}

bool cellIsImported(PluginState &state, DeclContext *scope, StringRef name)
{
    DeclContext *real = scope->getRedeclContext();
    if (state.failed.count({name.str(), real}))
        return true;
    IdentifierInfo *marker = state.pp.getIdentifierInfo(("cellgen_" + name + "_fingerprint").str());
    while (real->lookup(marker).empty()) {
        if (!real->isInlineNamespace())
            return false;
        real = real->getParent()->getRedeclContext(); /* its names are here as well: see cellFindMarker */
    }
    return true;
}
