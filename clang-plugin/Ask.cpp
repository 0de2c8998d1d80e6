/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Asking the cell behind an annotation, and what to say when it does not answer. */
#include "Diagnostics.h"
#include "Import.h"

#include "clang/Lex/Lexer.h"
#include "clang/Lex/Preprocessor.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

extern "C" {
#include "base/util.h"
}

using namespace clang;

namespace
{

/* The known cell that `name` may have meant: of cell.json, and of those that listen now. */
std::string suggestCell(const cell_config *config, const char *name)
{
    std::vector<std::string> known;
    for (uint32_t i = 0; i < config->ncells; i++)
        known.push_back(config->cells[i].name);
    std::error_code ec;
    for (llvm::sys::fs::directory_iterator it(config->run_dir ? config->run_dir : "", ec), end; !ec && it != end;
         it.increment(ec))
        if (llvm::sys::path::extension(it->path()) == ".sock")
            known.push_back(llvm::sys::path::stem(it->path()).str());
    std::vector<const char *> candidates;
    for (const std::string &k : known)
        candidates.push_back(k.c_str());
    const char *best = cell_suggest(name, candidates.data(), candidates.size());
    return best ? best : "";
}

/* True when a mirror from an earlier compilation can stand in for the cell. */
bool hasMirror(PluginState &state, const char *name)
{
    session_cell *cell = nullptr;
    cell_session *session = state.mirrorSession();
    return session && cell_session_cell(session, name, &cell) >= 0;
}

void explainUnreachable(PluginState &state, cell_session *session, const session_cell *cell, SourceLocation loc)
{
    cell_config *config = cell_session_config(session);
    const config_cell *entry = cell_config_cell(config, cell->name);
    bool nobody = cell->status == CELL_UNAVAILABLE || cell->status == CELL_NOT_FOUND;
    std::string nearest = entry || !nobody ? "" : suggestCell(config, cell->name);
    if (!nearest.empty() && nearest != cell->name) {
        CharSourceRange word = cellRangeOfWord(state, loc, cell->name);
        auto d = cellReport(state.diags(), word.getBegin(), CellDiag::CellUnknown);
        d << cell->name << nearest;
        if (word.isCharRange())
            d << FixItHint::CreateReplacement(word, nearest);
        return;
    }
    cellReport(state.diags(), loc, CellDiag::CellFailed) << cell->name << cellPrintable(cell->error.text);
    if (!nobody)
        return;
    if (entry && entry->command)
        cellReport(state.diags(), loc, CellDiag::CellStartNote) << cell->name;
    else if (config->path)
        cellReport(state.diags(), loc, CellDiag::CellAddressNote) << cell->name << config->path;
    else
        cellReport(state.diags(), loc, CellDiag::CellNoConfigNote) << cell->name;
}

/* With a mirror of the cell there is no echo. */
void reportUnreachable(PluginState &state, cell_session *session, const session_cell *cell, SourceLocation loc)
{
    DiagnosticsEngine &diags = state.diags();
    if (state.silenced)
        diags.setSuppressAllDiagnostics(false);
    explainUnreachable(state, session, cell, loc);
    if (state.silenced || !hasMirror(state, cell->name))
        cellSilence(state);
}

} // namespace

void cellSilence(PluginState &state)
{
    DiagnosticsEngine &diags = state.diags();
    if (state.mode != SESSION_LIVE || diags.getSuppressAllDiagnostics())
        return;
    diags.setSuppressAllDiagnostics(true);
    state.silenced = true;
}

session_cell *cellAsk(PluginState &state, StringRef name, SourceLocation loc)
{
    cell_session *session = state.session(loc);
    if (!session)
        return nullptr;
    if (const cell_config *config = cell_session_config(session))
        if (config->path)
            cellAddDependency(state, config->path, loc);
    session_cell *cell = nullptr;
    int r = cell_session_cell(session, name.str().c_str(), &cell);
    if (r < 0) {
        if (!cell)
            cellReport(state.diags(), loc, CellDiag::CellFailed) << name << cell_status_text(r);
        else if (!cell->reported)
            reportUnreachable(state, session, cell, loc);
        if (cell)
            cell->reported = true;
        return nullptr;
    }
    if (cell->mirror_path)
        cellAddDependency(state, cell->mirror_path, loc);
    return cell;
}

CharSourceRange cellRangeOfWord(PluginState &state, SourceLocation loc, StringRef word)
{
    SourceManager &sm = state.sources();
    const LangOptions &lang = state.pp.getLangOpts();
    CharSourceRange call = Lexer::makeFileCharRange(sm.getExpansionRange(loc), sm, lang);
    if (loc.isFileID())
        call = CharSourceRange::getCharRange(loc, Lexer::getLocForEndOfToken(loc, 0, sm, lang));
    bool invalid = call.isInvalid();
    StringRef text = invalid ? StringRef() : Lexer::getSourceText(call, sm, lang, &invalid);
    for (size_t at = invalid ? StringRef::npos : text.find(word); at != StringRef::npos; at = text.find(word, at + 1)) {
        auto isPart = [](char c) { return isAsciiIdentifierContinue(c); };
        if ((at && isPart(text[at - 1])) || (at + word.size() < text.size() && isPart(text[at + word.size()])))
            continue;
        SourceLocation begin = call.getBegin().getLocWithOffset(at);
        return CharSourceRange::getCharRange(begin, begin.getLocWithOffset(word.size()));
    }
    SourceLocation file = sm.getFileLoc(loc);
    return CharSourceRange::getTokenRange(file, file);
}
