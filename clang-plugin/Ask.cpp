/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Asking the cell behind an annotation, and what to say when it does not answer. */
#include "Absent.h"
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

/* `nobody`: there may be no such cell. Then an annotation without a verb may have been meant as one with. */
void reportFailure(PluginState &state, const session_cell *cell, SourceLocation loc, StringRef annotation, bool nobody)
{
    bool verb = annotation.contains('.');
    cellReport(state.diags(), loc, verb ? CellDiag::CellVerbFailed : CellDiag::CellFailed)
        << (verb ? annotation : StringRef(cell->name)) << cellPrintable(cell->error.text);
    if (!verb && nobody && !annotation.empty())
        cellReport(state.diags(), loc, CellDiag::CellNoVerbNote) << annotation;
}

/* The file of the build that has the explanation, if it need not be here; NULL else. What is not printed, because a
 * fatal error came before it, explains nothing. */
const char *explainedFor(PluginState &state, cell_session *session, session_cell *cell)
{
    return state.diags().hasFatalErrorOccurred() ? nullptr : cell_session_claim(session, cell);
}

void explainUnreachable(PluginState &state, cell_session *session, session_cell *cell, SourceLocation loc,
                        StringRef annotation)
{
    cell_config *config = cell_session_config(session);
    const config_cell *entry = cell_config_cell(config, cell->name);
    bool nobody = cell->status == CELL_UNAVAILABLE || cell->status == CELL_NOT_FOUND;
    std::string nearest =
        entry || !nobody || cell_session_mode(session) == SESSION_LOCKED ? "" : suggestCell(config, cell->name);
    if (!nearest.empty() && nearest != cell->name) {
        CharSourceRange word = cellRangeOfWord(state, loc, cell->name);
        auto d = cellReport(state.diags(), word.getBegin(), CellDiag::CellUnknown);
        d << cell->name << nearest;
        if (word.isCharRange())
            d << FixItHint::CreateReplacement(word, nearest);
        return;
    }
    if (const char *file = explainedFor(state, session, cell)) {
        bool hangs = cell->status == CELL_DEADLINE_EXCEEDED;
        cellReport(state.diags(), loc, CellDiag::CellFailedAgain) << cell->name << hangs << cellPrintable(file);
        return;
    }
    bool locked = cell_session_mode(session) == SESSION_LOCKED;
    reportFailure(state, cell, loc, annotation, nobody && !locked);
    if (locked)
        return; /* to start it would not help */
    if (cell->status == CELL_DEADLINE_EXCEEDED && entry && entry->command)
        cellReport(state.diags(), loc, CellDiag::CellRestartNote) << cell->name;
    if (!nobody)
        return;
    if (entry && entry->command)
        cellReport(state.diags(), loc, CellDiag::CellStartNote) << cell->name;
    else if (config->path)
        cellReport(state.diags(), loc, CellDiag::CellAddressNote) << cell->name << config->path;
    else
        cellReport(state.diags(), loc, CellDiag::CellNoConfigNote) << cell->name;
}

/* Who edits a file goes on with what is known; a build could not. */
void reportStale(PluginState &state, const session_cell *cell, SourceLocation loc)
{
    bool untrusted = cell->error.status == CELL_PERMISSION_DENIED || cell->error.status == CELL_UNAUTHENTICATED;
    cellReport(state.diags(), cellInMainFile(state, loc), untrusted ? CellDiag::CellUntrusted : CellDiag::CellStale)
        << cell->name << StringRef(cell->fingerprint).take_front(12) << cellPrintable(cell->error.text);
}

/* With a mirror of the cell there is no echo. */
void reportUnreachable(PluginState &state, cell_session *session, session_cell *cell, SourceLocation loc,
                       StringRef annotation)
{
    explainUnreachable(state, session, cell, loc, annotation);
    if (!hasMirror(state, cell->name))
        cellImportAbsent(state);
}

/* What a user must know of the lock of a cell that was found. */
void reportLock(PluginState &state, cell_session *session, session_cell *cell, SourceLocation loc)
{
    cell_error e = {};
    DiagnosticsEngine &diags = state.diags();
    if (cell->stands_in) {
        bool errors = diags.getWarningsAsErrors(); /* the configuration asks for this */
        diags.setWarningsAsErrors(false);
        cellReport(diags, loc, CellDiag::CellStandsIn) << cell->name << cellPrintable(cell->error.text);
        diags.setWarningsAsErrors(errors);
    } else if (!cell->lock_path && cell_session_check_lock(session, cell, &e) < 0) {
        cellReport(diags, loc, CellDiag::LockUnusable) << cell->name << cellPrintable(e.text);
    }
}

} // namespace

SourceLocation cellInMainFile(PluginState &state, SourceLocation loc)
{
    SourceManager &sm = state.sources();
    loc = sm.getFileLoc(loc);
    for (SourceLocation from; !sm.isInMainFile(loc) && (from = sm.getIncludeLoc(sm.getFileID(loc))).isValid();)
        loc = from;
    return loc;
}

session_cell *cellAsk(PluginState &state, StringRef name, SourceLocation loc, StringRef annotation)
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
            reportUnreachable(state, session, cell, loc, annotation);
        if (cell)
            cell->reported = true;
        return nullptr;
    }
    if (!cell->reported && cell->stale)
        reportStale(state, cell, loc);
    else if (!cell->reported)
        reportLock(state, session, cell, loc);
    cell->reported = true;
    if (cell->lock_path)
        cellAddDependency(state, cell->lock_path, loc);
    if (cell->mirror_path)
        cellAddDependency(state, cell->mirror_path, loc);
    return cell;
}

CharSourceRange cellRangeOfWordIn(PluginState &state, CharSourceRange range, StringRef prefix, StringRef word)
{
    SourceManager &sm = state.sources();
    const LangOptions &lang = state.pp.getLangOpts();
    CharSourceRange call = Lexer::makeFileCharRange(range, sm, lang);
    bool invalid = call.isInvalid() || word.empty();
    StringRef text = invalid ? StringRef() : Lexer::getSourceText(call, sm, lang, &invalid);
    size_t from = prefix.empty() ? StringRef::npos : text.find(prefix);
    from = from == StringRef::npos ? 0 : from + prefix.size();
    for (size_t at = invalid ? StringRef::npos : text.find(word, from); at != StringRef::npos;
         at = text.find(word, at + 1)) {
        auto isPart = [](char c) { return isAsciiIdentifierContinue(c); };
        if ((at && isPart(text[at - 1])) || (at + word.size() < text.size() && isPart(text[at + word.size()])))
            continue;
        SourceLocation begin = call.getBegin().getLocWithOffset(at);
        return CharSourceRange::getCharRange(begin, begin.getLocWithOffset(word.size()));
    }
    SourceLocation file = sm.getFileLoc(range.getBegin());
    return CharSourceRange::getTokenRange(file, file);
}

CharSourceRange cellRangeOfWord(PluginState &state, SourceLocation loc, StringRef word)
{
    CharSourceRange range = cellRangeOfWordIn(state, state.sources().getExpansionRange(loc), "", word);
    SourceLocation file = state.sources().getFileLoc(loc);
    return range.isCharRange() ? range : CharSourceRange::getTokenRange(file, file);
}
