/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "Drift.h"
#include "Diagnostics.h"

#include "clang/AST/DeclCXX.h"
#include "clang/Lex/Preprocessor.h"
#include "clang/Sema/ExternalSemaSource.h"
#include "clang/Sema/TypoCorrection.h"

using namespace clang;

namespace
{

/* True for a type that an import of `cell` declared; a user's own type may have the same name. */
bool isImported(PluginState &state, const RecordDecl *record)
{
    SourceLocation loc = record->getLocation();
    if (record->isFromASTFile())
        return true;
    return loc.isValid() && state.injected.count(state.sources().getFileID(state.sources().getExpansionLoc(loc)));
}

const diff_change *findChange(const CellDrift &drift, StringRef owner, StringRef member)
{
    for (uint32_t i = 0; i < drift.diff->n; i++) {
        const diff_change &c = drift.diff->changes[i];
        if ((c.rule == DIFF_FIELD_REMOVED || c.rule == DIFF_FIELD_RENAMED) && owner == c.owner && c.member &&
            member == c.member)
            return &c;
    }
    return nullptr;
}

/*
 * Sema asks its external sources when a member is not found, before it guesses itself. That is where a use of a field
 * that is gone can be told from a slip of the pen.
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
        if (kind != Sema::LookupMemberName || !record || !name || !record->getIdentifier() ||
            state.sema().isSFINAEContext() || !isImported(state, record))
            return TypoCorrection();
        for (auto &entry : state.drifts)
            if (const diff_change *change = findChange(entry.second, record->getName(), name->getName()))
                return report(entry.second, *change, record, typo);
        return TypoCorrection();
    }

  private:
    TypoCorrection report(CellDrift &drift, const diff_change &change, const RecordDecl *record,
                          const DeclarationNameInfo &typo)
    {
        SourceLocation loc = typo.getLoc();
        unsigned place = state.sources().getFileLoc(loc).getRawEncoding();
        bool renamed = change.rule == DIFF_FIELD_RENAMED && change.now;
        drift.reported.insert(place);
        if (said.insert({place, &change}).second) {
            cellReport(state.diags(), loc, CellDiag::DriftGone) << change.sentence;
            cellReport(state.diags(), drift.importLoc, CellDiag::DriftBaselineNote)
                << drift.cell->name << StringRef(drift.baseline->fingerprint).take_front(12)
                << StringRef(drift.now->fingerprint).take_front(12) << drift.cell->baseline_is_lock;
        }
        for (FieldDecl *field : record->fields())
            if (renamed && field->getName() == change.now) {
                TypoCorrection correction(field->getDeclName(), field);
                correction.setCorrectionRange(nullptr, typo); /* Clang's message follows there, with the fix-it */
                return correction;
            }
        return TypoCorrection();
    }

    PluginState &state;
    std::set<std::pair<unsigned, const diff_change *>> said; /* a macro may use its argument more than once */
};

} // namespace

const CellDrift *cellDriftOf(PluginState &state, session_cell *cell, SourceLocation loc)
{
    auto found = state.drifts.find(cell->name);
    if (found != state.drifts.end())
        return &found->second;
    cell_session *session = state.sessionIfAny();
    const cell_schema *before = session ? cell_session_baseline(session, cell) : nullptr;
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
    }
    return &drift;
}

void cellDriftRemarks(PluginState &state)
{
    for (auto &entry : state.drifts) {
        CellDrift &drift = entry.second;
        if (drift.diff->n && drift.reported.empty())
            cellReport(state.diags(), drift.importLoc, CellDiag::DriftUnused)
                << entry.first << drift.diff->n << StringRef(drift.now->fingerprint).take_front(12)
                << drift.cell->baseline_is_lock;
    }
}
