/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "Absent.h"
#include "Diagnostics.h"
#include "Drift.h"

#include "clang/AST/Decl.h"
#include "clang/AST/Type.h"
#include "clang/Basic/DiagnosticSema.h"
#include "clang/Lex/Lexer.h"
#include "clang/Lex/Preprocessor.h"
#include "clang/Sema/ExternalSemaSource.h"
#include "clang/Sema/Lookup.h"
#include "clang/Sema/TypoCorrection.h"
#include "llvm/ADT/StringExtras.h"

using namespace clang;

struct CellAbsent {
    bool everything = false;         /* an import is missing */
    bool inherited = false;          /* from a preamble, where the errors were said */
    std::set<std::string> names;     /* in lower case: these, and what begins with one and '_' */
    std::set<std::string> followers; /* variables whose type would be among them */
    llvm::DenseMap<IdentifierInfo *, VarDecl *> standIns;

    bool has(StringRef name) const
    {
        if (followers.count(name.str()))
            return true;
        std::string lower = name.lower(); /* constants are in capitals */
        if (names.count(lower))
            return true;
        for (size_t at = lower.find('_'); at != std::string::npos; at = lower.find('_', at + 1))
            if (names.count(lower.substr(0, at)))
                return true;
        return false;
    }
};

namespace
{

/* Asked for names that are not found. */
class AbsentSource : public ExternalSemaSource
{
  public:
    explicit AbsentSource(PluginState &plugin) : state(plugin), noGuesses(plugin.sema().DisableTypoCorrection) {}

    bool LookupUnqualified(LookupResult &r, Scope *) override
    {
        IdentifierInfo *id = r.getLookupName().getAsIdentifierInfo();
        if (!id || r.getLookupKind() != Sema::LookupOrdinaryName || r.isForRedeclaration() ||
            !(state.absent->inherited || state.diags().hasErrorOccurred()) || !state.absent->has(id->getName()))
            return false;
        /* The parser goes on better when it knows no such type than after a variable. */
        if (follow(r.getNameLoc()))
            return false;
        VarDecl *&standIn = state.absent->standIns[id];
        if (!standIn) {
            ASTContext &ctx = state.sema().getASTContext();
            SourceLocation loc = r.getNameLoc();
            standIn = VarDecl::Create(ctx, ctx.getTranslationUnitDecl(), loc, loc, id, ctx.IntTy,
                                      ctx.getTrivialTypeSourceInfo(ctx.IntTy, loc), SC_Extern);
            standIn->setImplicit();
            standIn->setInvalidDecl();
        }
        r.addDecl(standIn);
        return true;
    }

    /* Another type that is called alike would be the cause of more errors. Sema asks here first, and guesses then. */
    TypoCorrection CorrectTypo(const DeclarationNameInfo &typo, int, Scope *, CXXScopeSpec *,
                               CorrectionCandidateCallback &, DeclContext *, bool,
                               const ObjCObjectPointerType *) override
    {
        const IdentifierInfo *name = typo.getName().getAsIdentifierInfo();
        state.sema().DisableTypoCorrection = noGuesses || (name && state.absent->has(name->getName()));
        return TypoCorrection();
    }

  private:
    std::optional<Token> after(SourceLocation loc) const
    {
        auto next = Lexer::findNextToken(loc, state.sources(), state.pp.getLangOpts());
        return next && next->isNot(tok::eof) ? std::optional<Token>(*next) : std::nullopt;
    }

    /* `note_rows page = …, *other;`: what it declares will not be there either. False when it declares nothing. */
    bool follow(SourceLocation loc)
    {
        auto next = after(state.sources().getSpellingLoc(loc));
        while (next && next->is(tok::star))
            next = after(next->getLocation());
        if (!next || !next->is(tok::raw_identifier))
            return false;
        state.absent->followers.insert(next->getRawIdentifier().str());
        int depth = 0;
        bool begins = false; /* the next declarator */
        for (next = after(next->getLocation()); next && next->isNot(tok::semi) && depth >= 0;) {
            auto token = *next;
            next = after(token.getLocation());
            depth += token.isOneOf(tok::l_paren, tok::l_brace, tok::l_square);
            depth -= token.isOneOf(tok::r_paren, tok::r_brace, tok::r_square);
            if (begins && token.is(tok::raw_identifier) && next &&
                next->isOneOf(tok::equal, tok::comma, tok::semi, tok::l_square))
                state.absent->followers.insert(token.getRawIdentifier().str());
            begins = depth == 0 && (token.is(tok::comma) || (begins && token.is(tok::star)));
        }
        return true;
    }

    PluginState &state;
    const bool noGuesses; /* at all */
};

CellAbsent &absentOf(PluginState &state)
{
    if (!state.absent) {
        state.absent = std::make_shared<CellAbsent>();
        if (state.parser()) {
            state.sema().addExternalSource(new AbsentSource(state));
            cellWatchErrors(state);
        }
    }
    return *state.absent;
}

std::string nameOf(const Diagnostic &info, unsigned i)
{
    if (info.getArgKind(i) == DiagnosticsEngine::ak_identifierinfo)
        return info.getArgIdentifier(i) ? info.getArgIdentifier(i)->getName().str() : "";
    if (info.getArgKind(i) == DiagnosticsEngine::ak_declarationname)
        return DeclarationName::getFromOpaqueInteger(info.getRawArg(i)).getAsString();
    return "";
}

/* A struct that is declared by its use only. */
bool isAbsentType(const CellAbsent &absent, QualType type)
{
    if (type.isNull())
        return false;
    const Type *t = type.getTypePtr();
    for (;;) {
        const Type *inner = t->getPointeeOrArrayElementType();
        if (inner == t)
            break;
        t = inner;
    }
    const TagDecl *tag = t->getAsTagDecl();
    return tag && !tag->getDefinition() && tag->getIdentifier() && absent.has(tag->getName());
}

bool namesAbsent(const CellAbsent &absent, const Diagnostic &info)
{
    switch (info.getID()) {
    case diag::err_unknown_typename:
    case diag::err_unknown_typename_suggest:
    case diag::err_unknown_type_or_class_name_suggest:
    case diag::err_undeclared_var_use:
    case diag::err_undeclared_var_use_suggest:
    case diag::err_undeclared_use:
    case diag::err_undeclared_use_suggest:
        return info.getNumArgs() && absent.has(nameOf(info, 0));
    default:
        break;
    }
    for (unsigned i = 0; i < info.getNumArgs(); i++)
        if (info.getArgKind(i) == DiagnosticsEngine::ak_qualtype &&
            isAbsentType(absent, QualType::getFromOpaquePtr(reinterpret_cast<void *>(info.getRawArg(i)))))
            return true;
    return false;
}

} // namespace

void cellExpansionAbsent(PluginState &state, const NamedDecl *d, StringRef called)
{
    CellAbsent &absent = absentOf(state);
    if (!d->getIdentifier())
        return;
    absent.names.insert(d->getName().lower());
    /* Of a struct, what is made for it may be called after either name. */
    if (!called.empty() && isa<RecordDecl>(d))
        absent.names.insert(called.lower());
    if (!called.empty() && d->getName().size() > called.size() && d->getName().substr(0, called.size()) == called &&
        d->getName()[called.size()] == '_')
        absent.names.insert(called.lower());
}

void cellFunctionsAbsent(PluginState &state, const cell_schema *schema)
{
    CellAbsent &absent = absentOf(state);
    for (uint32_t i = 0; i < schema->nvisible_functions; i++)
        absent.names.insert(StringRef(schema->visible_functions[i].name).lower());
}

void cellKeepAbsent(PluginState &state)
{
    cell_session *session = state.sessionIfAny();
    std::vector<const char *> names;
    if (!session || state.becomes.empty())
        return;
    if (state.absent)
        for (const std::string &name : state.absent->names)
            names.push_back(name.c_str());
    cell_session_keep_failed(session, state.becomes.c_str(), names.data(), names.size());
}

void cellInheritAbsent(PluginState &state)
{
    cell_session *session = state.session(SourceLocation());
    if (!session || state.includes.empty() || state.mode == SESSION_LIVE)
        return;
    auto add = [](void *names, const char *name) { static_cast<std::vector<std::string> *>(names)->push_back(name); };
    std::vector<std::string> names;
    cell_session_take_failed(session, state.includes.c_str(), add, &names);
    if (names.empty())
        return;
    CellAbsent &absent = absentOf(state);
    absent.inherited = true;
    absent.names.insert(names.begin(), names.end());
    /* Editors show what is wrong in a header with that header only. */
    SourceManager &sm = state.sources();
    cellReport(state.diags(), sm.getLocForStartOfFile(sm.getMainFileID()), CellDiag::FailedIncluded)
        << cellPrintable(llvm::join(names, ", "));
}

void cellImportAbsent(PluginState &state)
{
    if (state.mode == SESSION_LIVE)
        absentOf(state).everything = true;
}

void cellAbsentEnd(PluginState &state)
{
    if (state.absent)
        state.absent->everything = false;
}

bool cellIsEcho(PluginState &state, DiagnosticsEngine::Level level, const Diagnostic &info)
{
    /* The plugin's own have ids behind Clang's. */
    if (!state.absent || info.getID() >= diag::DIAG_UPPER_LIMIT || level >= DiagnosticsEngine::Fatal)
        return false;
    return state.absent->everything || (level == DiagnosticsEngine::Error && namesAbsent(*state.absent, info));
}
