/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "Drift.h"
#include "Capability.h"
#include "Diagnostics.h"

#include "clang/AST/DeclCXX.h"
#include "clang/Lex/Preprocessor.h"
#include "clang/Sema/ExternalSemaSource.h"
#include "clang/Sema/TypoCorrection.h"
#include "llvm/Support/Path.h"

#include <ctime>

using namespace clang;

bool cellIsInjected(PluginState &state, const Decl *d)
{
    SourceLocation loc = d->getLocation();
    if (d->isFromASTFile())
        return true;
    return loc.isValid() && state.injected.count(state.sources().getFileID(state.sources().getExpansionLoc(loc)));
}

/* The text of an import or expansion is .cell/inject/CELL-HASH.h. */
StringRef cellOwnerOf(PluginState &state, SourceLocation loc)
{
    StringRef path = state.sources().getFilename(state.sources().getExpansionLoc(loc));
    StringRef folder = llvm::sys::path::parent_path(path), name = llvm::sys::path::filename(path);
    bool ours = llvm::sys::path::filename(folder) == "inject" &&
                llvm::sys::path::filename(llvm::sys::path::parent_path(folder)) == ".cell";
    return ours ? name.rsplit('-').first : StringRef();
}

/* They stand last in a text, behind the pragma that their floats need. */
bool cellHasWritten(PluginState &state, const Decl *d)
{
    const SourceManager &sm = state.sources();
    auto [file, offset] = sm.getDecomposedLoc(sm.getExpansionLoc(d->getLocation()));
    if (cellOwnerOf(state, d->getLocation()).empty())
        return false;
    auto known = state.writtenFrom.find(file);
    if (known == state.writtenFrom.end()) {
        StringRef text = sm.getBufferDataOrNone(file).value_or("");
        known = state.writtenFrom.insert({file, text.find("\n#pragma float_control")}).first;
    }
    return offset > known->second; /* npos is behind all */
}

const diff_change *cellDriftField(PluginState &state, const RecordDecl *&record, StringRef name, CellDrift *&drift)
{
    if (record->getIdentifier() && cellIsInjected(state, record))
        for (auto &entry : state.drifts)
            for (uint32_t i = 0; i < entry.second.diff->n; i++) {
                const diff_change &c = entry.second.diff->changes[i];
                if ((c.rule == DIFF_FIELD_REMOVED || c.rule == DIFF_FIELD_RENAMED) && record->getName() == c.owner &&
                    c.member && name == c.member) {
                    drift = &entry.second;
                    return &c;
                }
            }
    const auto *derived = dyn_cast<CXXRecordDecl>(record);
    if (!derived || !derived->hasDefinition())
        return nullptr;
    for (const CXXBaseSpecifier &base : derived->bases()) {
        const RecordDecl *of = base.getType()->getAsCXXRecordDecl();
        const diff_change *found = of ? cellDriftField(state, of, name, drift) : nullptr;
        if (found) {
            record = of;
            return found;
        }
    }
    return nullptr;
}

const diff_change *cellDriftImplicitField(PluginState &state, const RecordDecl *&record, StringRef name,
                                          CellDrift *&drift)
{
    if (state.drifts.empty() || !state.parser())
        return nullptr;
    for (const DeclContext *scope = state.sema().CurContext; scope; scope = scope->getParent())
        if (const auto *around = dyn_cast<CXXRecordDecl>(scope)) {
            record = around;
            if (const diff_change *found = cellDriftField(state, record, name, drift))
                return found;
        }
    return nullptr;
}

namespace
{

/* ", on 2026-11-26", in UTC, so that two machines say the same; "" for 0. */
std::string date(const char *words, int64_t seconds)
{
    std::tm parts = {};
    char text[32];
    std::time_t when = static_cast<std::time_t>(seconds);
    return seconds && gmtime_r(&when, &parts) && std::strftime(text, sizeof(text), "%Y-%m-%d", &parts)
               ? std::string(words) + text
               : "";
}

/*
 * Sema asks its external sources when a member is not found, before it guesses itself: it goes on with the field's new
 * name, so that nothing else in the expression is wrong. The error that it reports then becomes ours (DriftErrors.cpp).
 */
class DriftSource : public ExternalSemaSource
{
  public:
    explicit DriftSource(PluginState &plugin) : state(plugin) {}

    TypoCorrection CorrectTypo(const DeclarationNameInfo &typo, int kind, Scope *, CXXScopeSpec *,
                               CorrectionCandidateCallback &, DeclContext *context, bool,
                               const ObjCObjectPointerType *) override
    {
        const auto *record = dyn_cast_or_null<RecordDecl>(context);
        const IdentifierInfo *name = typo.getName().getAsIdentifierInfo();
        const diff_change *change = nullptr;
        CellDrift *drift = nullptr;
        if (!name || state.sema().isSFINAEContext())
            return TypoCorrection();
        if (kind == Sema::LookupMemberName && record)
            change = cellDriftField(state, record, name->getName(), drift);
        else if (kind == Sema::LookupOrdinaryName && !context)
            change = cellDriftImplicitField(state, record, name->getName(), drift);
        if (!change || change->rule != DIFF_FIELD_RENAMED)
            return TypoCorrection();
        for (FieldDecl *field : record->fields())
            if (field->getName() == change->now) {
                TypoCorrection correction(field->getDeclName(), field);
                correction.setCorrectionRange(nullptr, typo);
                return correction;
            }
        return TypoCorrection();
    }

  private:
    PluginState &state;
};

} // namespace

void cellDriftNote(DiagnosticsEngine &diags, CellDrift &drift)
{
    if (drift.noted)
        return;
    drift.noted = true;
    cellReport(diags, drift.importLoc, CellDiag::DriftBaselineNote)
        << drift.cell->name << StringRef(drift.baseline->fingerprint).take_front(12)
        << StringRef(drift.now->fingerprint).take_front(12) << date(", on ", drift.cell->baseline_time)
        << date(", first seen here on ", drift.cell->schema_time) << drift.cell->baseline_is_lock;
}

const CellDrift *cellDriftOf(PluginState &state, cell_session *session, session_cell *cell, SourceLocation loc)
{
    auto found = state.drifts.find(cell->name);
    if (found != state.drifts.end())
        return &found->second;
    const cell_schema *before = cell_session_baseline(session, cell);
    const cell_schema *now = before ? cell_session_schema(session, cell, nullptr) : nullptr;
    cell_diff *diff = nullptr;
    if (!now || cell_diff_new(before, now, &diff, nullptr) < 0)
        return nullptr;
    CellDrift &drift = state.drifts[cell->name];
    drift.cell = cell;
    drift.baseline = before;
    drift.now = now;
    drift.diff.reset(diff);
    drift.importLoc = state.sources().getFileLoc(loc);
    if (!state.driftSource && state.parser()) {
        state.driftSource = true;
        state.sema().addExternalSource(new DriftSource(state));
        cellWatchErrors(state);
    }
    return &drift;
}

void cellDriftOfIncluded(PluginState &state)
{
    cellWatchCapabilities(state);
    SourceManager &sm = state.sources();
    SourceLocation start = sm.getLocForStartOfFile(sm.getMainFileID());
    cell_session *session = state.mirrorSession();
    std::set<std::string> names;
    void *iterator = nullptr;
    if (!session)
        return;
    const cell_config *config = cell_session_config(session);
    for (uint32_t i = 0; i < config->ncells; i++)
        names.insert(config->cells[i].name);
    while (const char *name = cell_session_recorded(session, &iterator))
        names.insert(name);
    for (const std::string &name : names) {
        session_cell *cell = nullptr;
        if (!state.pp.getIdentifierInfo("cellgen_" + name + "_fingerprint")->isFromAST() ||
            cell_session_cell(session, name.c_str(), &cell) < 0)
            continue;
        state.included[name] = cell->fingerprint;
        cellDriftOf(state, session, cell, start);
    }
}

void cellDriftRemarks(PluginState &state)
{
    if (state.pp.getLangOpts().isCompilingModule()) /* whoever imports it knows */
        return;
    for (auto &entry : state.drifts) {
        CellDrift &drift = entry.second;
        if (drift.diff->n && drift.reported.empty())
            cellReport(state.diags(), drift.importLoc, CellDiag::DriftUnused)
                << entry.first << drift.diff->n << StringRef(drift.now->fingerprint).take_front(12)
                << drift.cell->baseline_is_lock;
    }
}
