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

/* Stands before the compilation's own consumer, and has its counts: some expect errors. */
class BeforeConsumer : public DiagnosticConsumer
{
  public:
    explicit BeforeConsumer(DiagnosticsEngine &d) : diags(d)
    {
        inner = diags.getClient();
        if (diags.ownsClient())
            owned = diags.takeClient();
        failed = diags.hasErrorOccurred();
        count();
    }

    void clear() override
    {
        inner->clear();
        count();
    }
    void BeginSourceFile(const LangOptions &lang, const Preprocessor *pp) override { inner->BeginSourceFile(lang, pp); }
    void EndSourceFile() override
    {
        inner->EndSourceFile();
        count();
    }
    void finish() override
    {
        inner->finish();
        count();
    }
    bool IncludeInDiagnosticCounts() const override { return inner->IncludeInDiagnosticCounts(); }

  protected:
    void passOn(DiagnosticsEngine::Level level, const Diagnostic &info)
    {
        failed |= level >= DiagnosticsEngine::Error;
        inner->HandleDiagnostic(level, info);
        count();
    }

    /* Errors of ours that `say` reports to an engine of its own: the compilation's is in the middle of one, and takes
     * no other. */
    void sayInstead(llvm::function_ref<void(DiagnosticsEngine &)> say)
    {
        DiagnosticsEngine ours(diags.getDiagnosticIDs(), &diags.getDiagnosticOptions(), inner, false);
        if (diags.hasSourceManager())
            ours.setSourceManager(&diags.getSourceManager());
        say(ours);
        count();
    }

    /* The engine has counted one that nobody saw: those that are seen may be as many as ever. */
    void leaveOut()
    {
        if (unsigned limit = diags.getDiagnosticOptions().ErrorLimit)
            diags.setErrorLimit(limit + ++uncounted);
    }

    bool failed; /* an error has been passed on */

  private:
    void count()
    {
        NumErrors = inner->getNumErrors();
        NumWarnings = inner->getNumWarnings();
    }

    DiagnosticsEngine &diags; /* whose consumer this is */
    DiagnosticConsumer *inner;
    std::unique_ptr<DiagnosticConsumer> owned;
    unsigned uncounted = 0; /* errors that were left out */
};

/* What is said of a use of what the cell no longer has. */
class GoneReport
{
  public:
    GoneReport(PluginState &plugin, const CellGone &gone) : state(plugin), found(gone) {}

    /* False when it was said of the place before: a macro may use its argument more than once. */
    bool isFirst() const { return found.drift->reported.insert({place(), found.change}).second; }

    void say(DiagnosticsEngine &ours) const
    {
        {
            SourceLocation at = found.now.empty() ? SourceLocation() : written();
            DiagnosticBuilder error = cellReport(ours, found.loc, CellDiag::DriftGone);
            error << found.change->sentence;
            SmallString<64> buffer;
            if (at.isValid() &&
                Lexer::getSpelling(at, buffer, state.sources(), state.pp.getLangOpts(), nullptr) == found.name)
                error << FixItHint::CreateReplacement(CharSourceRange::getTokenRange(at), found.now);
        }
        cellDriftNote(ours, *found.drift);
    }

  private:
    /* Of a type that is gone Sema may say so at its name and at what needs it: once a line will do. */
    unsigned place() const
    {
        const SourceManager &sm = state.sources();
        SourceLocation loc = sm.getFileLoc(found.loc);
        if (found.change->rule == DIFF_TYPE_REMOVED)
            loc = sm.translateLineCol(sm.getFileID(loc), sm.getSpellingLineNumber(loc), 1);
        return loc.getRawEncoding();
    }

    /* Where the user wrote the name; invalid in the body of a macro, which others may use too. */
    SourceLocation written() const
    {
        SourceManager &sm = state.sources();
        return found.loc.isMacroID() && !sm.isMacroArgExpansion(found.loc) ? SourceLocation()
                                                                           : sm.getSpellingLoc(found.loc);
    }

    PluginState &state;
    const CellGone &found;
};

/* Decides which errors are shown as they are. */
class DriftErrors : public BeforeConsumer
{
  public:
    DriftErrors(DiagnosticsEngine &d, std::shared_ptr<DriftErrorsLink> l) : BeforeConsumer(d), link(std::move(l)) {}

    void clear() override
    {
        held.clear();
        BeforeConsumer::clear();
    }
    void EndSourceFile() override
    {
        release(0);
        BeforeConsumer::EndSourceFile();
    }
    void finish() override
    {
        release(0);
        BeforeConsumer::finish();
    }

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
                leaveOut();
            return;
        }
        if (!replaced && !(level >= DiagnosticsEngine::Error && replaces(level, info)))
            passOn(level, info);
    }

  private:
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
        bool ours = false;
        sayInstead([&](DiagnosticsEngine &engine) { ours = cellReportRequired(*link->state, engine, info); });
        failed |= ours;
        return ours;
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
        sayInstead([&](DiagnosticsEngine &engine) {
            for (size_t i = from; i < all.size(); i++)
                engine.Report(all[i]);
        });
    }

    bool report(const CellGone &found)
    {
        GoneReport gone(*link->state, found);
        if (!gone.isFirst())
            return false;
        failed = true;
        sayInstead([&](DiagnosticsEngine &engine) { gone.say(engine); });
        return true;
    }

    std::shared_ptr<DriftErrorsLink> link;
    std::vector<StoredDiagnostic> held;     /* an error that waits for its note, and others before that */
    bool replaced = false, leftOut = false; /* the last that was no note */
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
