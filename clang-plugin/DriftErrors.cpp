/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Our sentence in place of Clang's. Sema says "no member named 'email'" of a field that the cell no longer has, also in
 * offsetof, where nobody is asked for corrections; and "'auth_forget' is unavailable" of what stayed declared for the
 * sake of its sentence. This consumer stands before the compilation's own: such an error becomes ours, with a fix-it
 * when it was a renaming, and what Clang notes about its own is left out. Errors that Sema only tries (SFINAE) never
 * come here. The number of errors stays what it was.
 *
 * It leaves out what is only said because something else failed (Absent.h). That counts as no error; one that counts
 * came before.
 */
#include "Absent.h"
#include "ClangCompat.h"
#include "Diagnostics.h"
#include "Drift.h"

#include "clang/AST/Decl.h"
#include "clang/AST/Type.h"
#include "clang/Basic/DiagnosticSema.h"
#include "clang/Lex/Lexer.h"
#include "clang/Lex/Preprocessor.h"

using namespace clang;

/* Between the unit's state and the consumer: either may go first. */
struct DriftErrorsLink {
    PluginState *state;
};

namespace
{

struct Found {
    CellDrift *drift = nullptr;
    const diff_change *change = nullptr;
    SourceLocation loc;
    std::string name, now; /* what stands there, and what to write; "" = nothing that is known */
};

class DriftErrors : public DiagnosticConsumer
{
  public:
    DriftErrors(DiagnosticsEngine &diags, std::shared_ptr<DriftErrorsLink> l) : link(std::move(l))
    {
        inner = diags.getClient();
        if (diags.ownsClient())
            owned = diags.takeClient();
        NumErrors = inner->getNumErrors();
        NumWarnings = inner->getNumWarnings();
    }

    void clear() override
    {
        DiagnosticConsumer::clear();
        inner->clear();
    }
    void BeginSourceFile(const LangOptions &lang, const Preprocessor *pp) override { inner->BeginSourceFile(lang, pp); }
    void EndSourceFile() override { inner->EndSourceFile(); }
    void finish() override { inner->finish(); }
    bool IncludeInDiagnosticCounts() const override { return inner->IncludeInDiagnosticCounts(); }

    void HandleDiagnostic(DiagnosticsEngine::Level level, const Diagnostic &info) override
    {
        if (level == DiagnosticsEngine::Note && replaced)
            return;
        Found found;
        if (level != DiagnosticsEngine::Note)
            leftOut = NumErrors && link->state && cellIsEcho(*link->state, level, info);
        if (leftOut) {
            if (level >= DiagnosticsEngine::Error)
                moreErrors();
            return;
        }
        replaced = level >= DiagnosticsEngine::Error && link->state && find(info, found);
        if (replaced) {
            if (said.insert({place(found.loc), found.change}).second)
                report(found);
            return;
        }
        DiagnosticConsumer::HandleDiagnostic(level, info);
        inner->HandleDiagnostic(level, info);
    }

  private:
    /* The engine has counted one that nobody saw: those that are seen may be as many as ever. */
    void moreErrors()
    {
        DiagnosticsEngine &diags = link->state->diags();
        if (unsigned limit = diags.getDiagnosticOptions().ErrorLimit)
            diags.setErrorLimit(limit + ++uncounted);
    }

    unsigned place(SourceLocation loc) const { return link->state->sources().getFileLoc(loc).getRawEncoding(); }

    bool find(const Diagnostic &info, Found &found)
    {
        switch (info.getID()) {
        case diag::err_no_member:
        case diag::err_no_member_suggest:
        case diag::err_field_designator_unknown:
        case diag::err_field_designator_unknown_suggest:
            return findMember(info, found);
        case diag::err_unavailable_message:
            return findUnavailable(info, found);
        default:
            return false;
        }
    }

    static std::string nameOf(const Diagnostic &info)
    {
        if (info.getArgKind(0) == DiagnosticsEngine::ak_identifierinfo)
            return info.getArgIdentifier(0)->getName().str();
        if (info.getArgKind(0) == DiagnosticsEngine::ak_declarationname)
            return DeclarationName::getFromOpaqueInteger(info.getRawArg(0)).getAsString();
        return "";
    }

    static const RecordDecl *recordOf(const Diagnostic &info)
    {
        if (info.getArgKind(1) == DiagnosticsEngine::ak_declcontext)
            return dyn_cast<RecordDecl>(reinterpret_cast<DeclContext *>(info.getRawArg(1)));
        if (info.getArgKind(1) == DiagnosticsEngine::ak_nameddecl)
            return dyn_cast<RecordDecl>(reinterpret_cast<NamedDecl *>(info.getRawArg(1)));
        if (info.getArgKind(1) != DiagnosticsEngine::ak_qualtype)
            return nullptr;
        QualType type = QualType::getFromOpaquePtr(reinterpret_cast<void *>(info.getRawArg(1)));
        const auto *record = type->getAs<RecordType>();
        return record ? record->getDecl() : nullptr;
    }

    bool findMember(const Diagnostic &info, Found &found)
    {
        const RecordDecl *record = info.getNumArgs() >= 2 ? recordOf(info) : nullptr;
        found.name = nameOf(info);
        if (!record || found.name.empty())
            return false;
        found.change = cellDriftField(*link->state, record, found.name, found.drift);
        if (!found.change)
            return false;
        if (found.change->rule == DIFF_FIELD_RENAMED)
            found.now = found.change->now;
        found.loc = info.getLocation();
        /* offsetof is reported where it begins; the member's name ends its range. */
        if (info.getArgKind(1) == DiagnosticsEngine::ak_nameddecl && info.getNumRanges())
            found.loc = info.getRange(0).getEnd();
        return true;
    }

    /* What was declared unavailable has the sentence as its message. */
    bool findUnavailable(const Diagnostic &info, Found &found)
    {
        if (info.getNumArgs() < 2 || info.getArgKind(0) != DiagnosticsEngine::ak_nameddecl ||
            info.getArgKind(1) != DiagnosticsEngine::ak_std_string)
            return false;
        const auto *declared = reinterpret_cast<NamedDecl *>(info.getRawArg(0));
        const std::string &message = info.getArgStdStr(1);
        if (!declared->getIdentifier() || !cellIsInjected(*link->state, declared))
            return false;
        found.name = declared->getName().str();
        found.loc = info.getLocation();
        for (auto &entry : link->state->drifts)
            for (uint32_t i = 0; i < entry.second.diff->n; i++) {
                const diff_change &c = entry.second.diff->changes[i];
                if (message != c.sentence)
                    continue;
                found.drift = &entry.second;
                found.change = &c;
                found.now = newName(c, declared);
                return true;
            }
        return false;
    }

    /* Of a method also its other forms (NAME_async, NAME_begin, NAME_iter, …), those that it still has. */
    static std::string newName(const diff_change &c, const NamedDecl *declared)
    {
        if (c.rule != DIFF_METHOD_RENAMED && c.rule != DIFF_CONSTANT_RENAMED && c.rule != DIFF_ENUM_VALUE_RENAMED)
            return "";
        StringRef form = declared->getName();
        if (!form.consume_front(c.member ? c.member : c.owner))
            return "";
        std::string now = c.now + form.str();
        IdentifierInfo &id = declared->getASTContext().Idents.get(now);
        return declared->getDeclContext()->getRedeclContext()->lookup(&id).empty() ? "" : now;
    }

    /* Where the user wrote the name; invalid in the body of a macro, which others may use too. */
    SourceLocation written(SourceLocation loc) const
    {
        SourceManager &sm = link->state->sources();
        return loc.isMacroID() && !sm.isMacroArgExpansion(loc) ? SourceLocation() : sm.getSpellingLoc(loc);
    }

    void report(const Found &found)
    {
        PluginState &state = *link->state;
        /* The engine is in the middle of the error that this one replaces: it takes no other. */
        DiagnosticsEngine &diags = state.diags();
        DiagnosticsEngine ours(diags.getDiagnosticIDs(), &diags.getDiagnosticOptions(), inner, false);
        ours.setSourceManager(&state.sources());
        found.drift->reported.insert(place(found.loc));
        NumErrors++;
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
    }

    std::shared_ptr<DriftErrorsLink> link;
    DiagnosticConsumer *inner;
    std::unique_ptr<DiagnosticConsumer> owned;
    bool replaced = false, leftOut = false;                  /* the last that was no note */
    unsigned uncounted = 0;                                  /* errors that were left out */
    std::set<std::pair<unsigned, const diff_change *>> said; /* a macro may use its argument more than once */
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
