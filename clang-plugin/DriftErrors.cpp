/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Our sentence in place of Clang's. Sema says "no member named 'email'" of a field that the cell no longer has, also in
 * offsetof, where nobody is asked for corrections; "'auth_forget' is unavailable" of what stayed declared for the sake
 * of its sentence; and "too few arguments" of a call whose method has more now. This consumer stands before the
 * compilation's own: such an error becomes ours, with a fix-it when it was a renaming, and what Clang notes about its
 * own is left out. Errors that Sema only tries (SFINAE) never come here. The number of errors stays what it was.
 *
 * It leaves out what is only said because something else failed (Absent.h). That counts as no error; one that counts
 * came before.
 */
#include "Absent.h"
#include "Capability.h"
#include "Diagnostics.h"
#include "Drift.h"
#include "DriftFind.h"

#include "clang/Lex/Lexer.h"
#include "clang/Lex/Preprocessor.h"

using namespace clang;

/* Between the unit's state and the consumer: either may go first. */
struct DriftErrorsLink {
    PluginState *state;
};

namespace
{

class DriftErrors : public DiagnosticConsumer
{
  public:
    DriftErrors(DiagnosticsEngine &d, std::shared_ptr<DriftErrorsLink> l) : diags(d), link(std::move(l))
    {
        inner = diags.getClient();
        if (diags.ownsClient())
            owned = diags.takeClient();
        failed = diags.hasErrorOccurred();
        count();
    }

    void clear() override
    {
        held.clear();
        inner->clear();
        count();
    }
    void BeginSourceFile(const LangOptions &lang, const Preprocessor *pp) override { inner->BeginSourceFile(lang, pp); }
    void EndSourceFile() override
    {
        release(0);
        inner->EndSourceFile();
        count();
    }
    void finish() override
    {
        release(0);
        inner->finish();
        count();
    }
    bool IncludeInDiagnosticCounts() const override { return inner->IncludeInDiagnosticCounts(); }

    void HandleDiagnostic(DiagnosticsEngine::Level level, const Diagnostic &info) override
    {
        if (!held.empty() && settle(level, info))
            return;
        if (level != DiagnosticsEngine::Note) {
            leftOut = failed && link->state && cellIsEcho(*link->state, level, info);
            replaced = false;
        }
        if (leftOut) {
            if (level >= DiagnosticsEngine::Error)
                moreErrors();
            return;
        }
        if (replaced || (level >= DiagnosticsEngine::Error && replaces(level, info)))
            return;
        failed |= level >= DiagnosticsEngine::Error;
        inner->HandleDiagnostic(level, info);
        count();
    }

  private:
    /* What the compilation's own makes of it: some expect errors. */
    void count()
    {
        NumErrors = inner->getNumErrors();
        NumWarnings = inner->getNumWarnings();
    }

    /* The engine has counted one that nobody saw: those that are seen may be as many as ever. */
    void moreErrors()
    {
        if (unsigned limit = diags.getDiagnosticOptions().ErrorLimit)
            diags.setErrorLimit(limit + ++uncounted);
    }

    /* Of a type that is gone Sema may say so at its name and at what needs it: once a line will do. */
    unsigned place(const CellGone &found) const
    {
        const SourceManager &sm = link->state->sources();
        SourceLocation loc = sm.getFileLoc(found.loc);
        if (found.change->rule == DIFF_TYPE_REMOVED)
            loc = sm.translateLineCol(sm.getFileID(loc), sm.getSpellingLineNumber(loc), 1);
        return loc.getRawEncoding();
    }

    /* True when the error is not shown now: ours was, or it waits for its note. */
    bool replaces(DiagnosticsEngine::Level level, const Diagnostic &info)
    {
        CellGone found;
        if (!link->state)
            return false;
        if (isRequirement(info)) {
            replaced = true;
            return true;
        }
        if (cellMayBeCall(*link->state, info)) {
            held.emplace_back(level, info);
            return true;
        }
        replaced = cellFindGone(*link->state, info, found);
        if (replaced)
            report(found);
        return replaced;
    }

    bool isRequirement(const Diagnostic &info)
    {
        DiagnosticsEngine ours(diags.getDiagnosticIDs(), &diags.getDiagnosticOptions(), inner, false);
        ours.setSourceManager(&link->state->sources());
        if (!cellReportRequired(*link->state, ours, info))
            return false;
        failed = true;
        count();
        return true;
    }

    /* An error that is held is ours when a note after it says so; Clang's notes then show what to write, and in which
     * instance of a template. True when this one is held as well. */
    bool settle(DiagnosticsEngine::Level level, const Diagnostic &info)
    {
        CellGone found;
        if (level != DiagnosticsEngine::Note || !link->state) {
            release(0);
            return false;
        }
        if (!cellFindCall(*link->state, held.front(), info, found)) {
            held.emplace_back(level, info);
            return true;
        }
        replaced = !report(found);
        if (replaced)
            held.clear();
        release(1);
        return false;
    }

    /* Shows what was held, without the first `from`, as it is. */
    void release(size_t from)
    {
        if (held.empty())
            return;
        std::vector<StoredDiagnostic> all = std::move(held);
        held.clear();
        failed = true;
        DiagnosticsEngine ours(diags.getDiagnosticIDs(), &diags.getDiagnosticOptions(), inner, false);
        if (diags.hasSourceManager())
            ours.setSourceManager(&diags.getSourceManager());
        for (size_t i = from; i < all.size(); i++)
            ours.Report(all[i]);
        count();
    }

    /* Where the user wrote the name; invalid in the body of a macro, which others may use too. */
    SourceLocation written(SourceLocation loc) const
    {
        SourceManager &sm = link->state->sources();
        return loc.isMacroID() && !sm.isMacroArgExpansion(loc) ? SourceLocation() : sm.getSpellingLoc(loc);
    }

    /* False when that was said of the place before: a macro may use its argument more than once. */
    bool report(const CellGone &found)
    {
        PluginState &state = *link->state;
        if (!found.drift->reported.insert({place(found), found.change}).second)
            return false;
        failed = true;
        /* The engine is in the middle of the error that this one replaces: it takes no other. */
        DiagnosticsEngine ours(diags.getDiagnosticIDs(), &diags.getDiagnosticOptions(), inner, false);
        ours.setSourceManager(&state.sources());
        {
            SourceLocation at = found.now.empty() ? SourceLocation() : written(found.loc);
            DiagnosticBuilder error = cellReport(ours, found.loc, CellDiag::DriftGone);
            error << found.change->sentence;
            SmallString<64> buffer;
            if (at.isValid() &&
                Lexer::getSpelling(at, buffer, state.sources(), state.pp.getLangOpts(), nullptr) == found.name)
                error << FixItHint::CreateReplacement(CharSourceRange::getTokenRange(at), found.now);
        }
        cellDriftNote(ours, *found.drift);
        count();
        return true;
    }

    DiagnosticsEngine &diags; /* whose consumer this is */
    std::shared_ptr<DriftErrorsLink> link;
    DiagnosticConsumer *inner;
    std::unique_ptr<DiagnosticConsumer> owned;
    std::vector<StoredDiagnostic> held;     /* an error that waits for its note, and others before that */
    bool replaced = false, leftOut = false; /* the last that was no note */
    bool failed;                            /* an error has been passed on */
    unsigned uncounted = 0;                 /* errors that were left out */
};

} // namespace

void cellWatchErrors(PluginState &state)
{
    if (state.driftErrors)
        return;
    state.driftErrors = std::make_shared<DriftErrorsLink>(DriftErrorsLink{&state});
    DiagnosticsEngine &diags = state.diags();
    diags.setClient(new DriftErrors(diags, state.driftErrors), true);
}

void cellDriftEnd(PluginState &state)
{
    if (state.driftErrors)
        state.driftErrors->state = nullptr;
}
