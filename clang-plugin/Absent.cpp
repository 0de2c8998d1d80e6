/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "Absent.h"
#include "Drift.h"

#include "clang/AST/Decl.h"
#include "clang/AST/Type.h"
#include "clang/Basic/DiagnosticSema.h"
#include "clang/Lex/Lexer.h"
#include "clang/Lex/Preprocessor.h"
#include "clang/Sema/ExternalSemaSource.h"
#include "clang/Sema/Lookup.h"

using namespace clang;

struct CellAbsent {
    bool everything = false;         /* an import is missing */
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
    explicit AbsentSource(PluginState &plugin) : state(plugin) {}

    bool LookupUnqualified(LookupResult &r, Scope *) override
    {
        IdentifierInfo *id = r.getLookupName().getAsIdentifierInfo();
        if (!id || r.getLookupKind() != Sema::LookupOrdinaryName || r.isForRedeclaration() ||
            !state.diags().hasErrorOccurred() || !state.absent->has(id->getName()))
            return false;
        follow(r.getNameLoc());
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

  private:
    /* `note_rows page = …`, `note_rows *p;`: what it declares will not be there either. */
    void follow(SourceLocation loc)
    {
        SourceManager &sm = state.sources();
        const LangOptions &lang = state.pp.getLangOpts();
        auto next = Lexer::findNextToken(sm.getSpellingLoc(loc), sm, lang);
        while (next && next->is(tok::star))
            next = Lexer::findNextToken(next->getLocation(), sm, lang);
        if (next && next->is(tok::raw_identifier))
            state.absent->followers.insert(next->getRawIdentifier().str());
    }

    PluginState &state;
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
    if (!called.empty() && d->getName().size() > called.size() && d->getName().substr(0, called.size()) == called &&
        d->getName()[called.size()] == '_')
        absent.names.insert(called.lower());
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
