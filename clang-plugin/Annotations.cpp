/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "Annotations.h"
#include "Collisions.h"
#include "Absent.h"
#include "Capability.h"
#include "ClangCompat.h"
#include "Diagnostics.h"
#include "Drift.h"
#include "Expand.h"
#include "Import.h"
#include "Plans.h"
#include "RuleConstants.h"
#include "UseRecord.h"

#include "clang/AST/Attr.h"
#include "clang/Lex/Preprocessor.h"

extern "C" {
#include "base/util.h"
}

using namespace clang;

namespace
{

/* What an annotation's text makes it. */
enum class Kind {
    Foreign, /* not Cell's */
    Cell,    /* "cell:NAME" or "cell:NAME.VERB" */
    Provide, /* "cell.provide:", "cell.method", "cell.constant", "cell.capability:", "cell.hot": Provide.h */
    Type,    /* "cell.type:", "cell.bound": CELL_LIST and its like, read by whoever uses what is declared */
    Field,   /* "cell.field:", out of place on a declaration */
    Rule,    /* "cell.declaration:", for the verbs of the same declaration */
    Unknown  /* "cell." and something else */
};

Kind kindOf(const AnnotateAttr *a)
{
    StringRef text = a->getAnnotation();
    if (!cellcompat::startsWith(text, "cell"))
        return Kind::Foreign;
    text = text.drop_front(4);
    if (cellcompat::startsWith(text, ":"))
        return Kind::Cell;
    if (!cellcompat::startsWith(text, "."))
        return Kind::Foreign;
    StringRef word = text.drop_front(1).split(':').first;
    if (word == "type")
        return Kind::Type;
    if (word == "field")
        return Kind::Field;
    if (word == "declaration")
        return Kind::Rule;
    if (word == "bound") /* read with the function it is in */
        return Kind::Type;
    if (word == "provide" || word == "method" || word == "constant" || word == "capability" || word == "hot")
        return Kind::Provide;
    return Kind::Unknown;
}

/* The declaration behind a template, which has the attributes. */
Decl *withoutTemplate(Decl *d)
{
    auto *t = dyn_cast<RedeclarableTemplateDecl>(d);
    return t && t->getTemplatedDecl() ? t->getTemplatedDecl() : d;
}

bool isInstantiation(const Decl *d)
{
    TemplateSpecializationKind kind = TSK_Undeclared;
    if (const auto *f = dyn_cast<FunctionDecl>(d))
        kind = f->getTemplateSpecializationKind();
    else if (const auto *v = dyn_cast<VarDecl>(d))
        kind = v->getTemplateSpecializationKind();
    else if (const auto *r = dyn_cast<CXXRecordDecl>(d))
        kind = r->getTemplateSpecializationKind();
    return kind == TSK_ImplicitInstantiation || kind == TSK_ExplicitInstantiationDeclaration ||
           kind == TSK_ExplicitInstantiationDefinition;
}

/* A method's later declarations matter too: the definition may be one. */
bool hasOwnAnnotation(const Decl *d)
{
    if (!d->hasAttrs() || d->isImplicit())
        return false;
    for (const auto *a : d->specific_attrs<AnnotateAttr>()) {
        Kind kind = kindOf(a);
        if (kind != Kind::Foreign && kind != Kind::Type && (!a->isInherited() || kind == Kind::Provide))
            return !isInstantiation(d);
    }
    return false;
}

void reportMisplaced(PluginState &state, const AnnotateAttr *a, Kind kind)
{
    if (kind == Kind::Field) {
        cellReport(state.diags(), a->getLocation(), CellDiag::AnnotationField) << a->getAnnotation();
        return;
    }
    if (kind == Kind::Rule) {
        cellReport(state.diags(), a->getLocation(), CellDiag::AnnotationRule) << a->getAnnotation();
        return;
    }
    const char *const known[] = {"cell.provide", "cell.method",      "cell.constant", "cell.capability", "cell.hot",
                                 "cell.field",   "cell.declaration", "cell.type",     "cell.bound"};
    std::string word = a->getAnnotation().split(':').first.str();
    if (const char *nearest = cell_suggest(word.c_str(), known, std::size(known)))
        cellReport(state.diags(), a->getLocation(), CellDiag::AnnotationDidYouMean) << a->getAnnotation() << nearest;
    else
        cellReport(state.diags(), a->getLocation(), CellDiag::AnnotationUnknown) << a->getAnnotation();
}

/* One "cell:…" annotation whose declaration stands where a text can follow it. */
void act(PluginState &state, Decl *d, const AnnotateAttr *a, InjectAt at)
{
    auto parts = a->getAnnotation().drop_front(5).split('.');
    if (!cell_is_identifier(parts.first.str().c_str())) {
        cellReport(state.diags(), a->getLocation(), CellDiag::AnnotationNoCell);
        return;
    }
    bool hasVerb = a->getAnnotation().contains('.');
    if (hasVerb ? parts.second.empty() : a->args_size() != 0)
        cellReport(state.diags(), a->getLocation(), CellDiag::VerbNotNamed) << a->getAnnotation().drop_front(5);
    else if (!hasVerb)
        cellImport(state, parts.first, a->getLocation(), at);
    else
        cellExpand(state, cast<NamedDecl>(d), a, parts.first, parts.second, at);
}

enum Where { InFunction, InClass, OnTemplate }; /* as AnnotationScope selects them */

/* True when the place of `a` lets nobody act on it, which was reported, once. */
bool refuseScope(PluginState &state, const NamedDecl *d, const AnnotateAttr *a, Where where)
{
    if (kindOf(a) != Kind::Cell)
        return false;
    if (state.handled.insert(a).second)
        cellReport(state.diags(), a->getLocation(), CellDiag::AnnotationScope) << a->getAnnotation() << d << where;
    return true;
}

bool hasVerb(const Decl *d)
{
    for (const auto *a : d->specific_attrs<AnnotateAttr>())
        if (kindOf(a) == Kind::Cell && !a->isInherited() && a->getAnnotation().contains('.'))
            return true;
    return false;
}

/* The expansions of a declaration that Clang has refused fail with it. */
void absent(PluginState &state, NamedDecl *d)
{
    for (const auto *a : d->specific_attrs<AnnotateAttr>())
        if (kindOf(a) == Kind::Cell && !a->isInherited() && a->getAnnotation().contains('.') &&
            state.handled.insert(a).second) {
            auto parts = a->getAnnotation().drop_front(5).split('.');
            cellExpandNothing(state, d, a, parts.first, parts.second);
        }
}

/* All "cell:…" annotations of `d`, each once. `at` absent: nothing can follow the declaration here. */
void handle(PluginState &state, Decl *d, const InjectAt *at)
{
    if (d->isInvalidDecl() && isa<NamedDecl>(d))
        absent(state, cast<NamedDecl>(d));
    if (d->isInvalidDecl() || !isa<NamedDecl>(d))
        return;
    /* Acting on one may add declarations, never attributes to this one. */
    for (const auto *a : d->specific_attrs<AnnotateAttr>()) {
        Kind kind = kindOf(a);
        if (a->isInherited() || kind == Kind::Foreign || kind == Kind::Type || kind == Kind::Provide)
            continue;
        if (d->isTemplated() && refuseScope(state, cast<NamedDecl>(d), a, OnTemplate))
            continue;
        if (!state.handled.insert(a).second)
            continue;
        if (kind == Kind::Rule && hasVerb(d))
            continue; /* the expansions take it */
        if (kind != Kind::Cell)
            reportMisplaced(state, a, kind);
        else if (at)
            act(state, d, a, *at);
        else
            cellReport(state.diags(), a->getLocation(), CellDiag::AnnotationPlace)
                << a->getAnnotation() << cast<NamedDecl>(d);
    }
}

/* What a scope holds is handed out when it closes: too late to inject into it. Imports inside left their marker. */
void handleScope(Preprocessor &pp, DeclContext *scope, Decl *outer, bool &provides)
{
    for (Decl *member : scope->decls()) {
        Decl *d = withoutTemplate(member);
        if (isa<NamespaceDecl>(d) || isa<LinkageSpecDecl>(d) || isa<ExportDecl>(d)) {
            handleScope(pp, cast<DeclContext>(d), outer, provides);
            continue;
        }
        if (!hasOwnAnnotation(d))
            continue;
        PluginState &state = cellState(pp);
        for (const auto *a : d->specific_attrs<AnnotateAttr>()) {
            provides |= kindOf(a) == Kind::Provide;
            StringRef text = a->getAnnotation();
            if (kindOf(a) == Kind::Cell && !text.contains('.') && cellIsImported(state, scope, text.drop_front(5)))
                state.handled.insert(a);
        }
        handle(state, d, nullptr);
    }
}

bool holdsDeclarations(const Decl *d) { return isa<NamespaceDecl>(d) || isa<LinkageSpecDecl>(d) || isa<ExportDecl>(d); }

} // namespace

void cellTopLevel(Preprocessor &pp, Decl *declared)
{
    Decl *d = withoutTemplate(declared);
    bool provides = false;
    if (holdsDeclarations(d)) {
        if (pp.getSourceManager().isInSystemHeader(d->getLocation()))
            return;
        handleScope(pp, cast<DeclContext>(d), d, provides);
        if (provides)
            cellHandleTopLevel(cellState(pp), d);
        return;
    }
    if (!hasOwnAnnotation(d))
        return;
    PluginState &state = cellState(pp);
    if (!state.parser())
        return;
    for (const auto *a : d->specific_attrs<AnnotateAttr>())
        provides |= kindOf(a) == Kind::Provide;
    if (provides && cellHandleTopLevel(state, d))
        return;
    const InjectAt at = InjectAt::Declaration;
    bool file = d->getDeclContext()->getRedeclContext()->isTranslationUnit();
    handle(state, d, file ? &at : nullptr);
}

void cellTagDefinition(Preprocessor &pp, TagDecl *d)
{
    if (!hasOwnAnnotation(d))
        return;
    PluginState &state = cellState(pp);
    Parser *parser = state.parser();
    if (!parser)
        return;
    const DeclContext *scope = d->getDeclContext()->getRedeclContext();
    const auto *record = dyn_cast<CXXRecordDecl>(d);
    bool isTemplate = d->isDependentContext() || (record && record->getDescribedClassTemplate());
    if (!scope->isFileContext() || isTemplate) {
        for (const auto *a : d->specific_attrs<AnnotateAttr>())
            if (!a->isInherited())
                refuseScope(state, d, a, isTemplate ? OnTemplate : scope->isRecord() ? InClass : InFunction);
        return;
    }
    const InjectAt at = InjectAt::Semicolon;
    if (parser->getCurToken().is(tok::semi))
        handle(state, d, &at);
}

void cellTagComplete(PluginState &state, TagDecl *d)
{
    const InjectAt at = InjectAt::Semicolon;
    if (hasOwnAnnotation(d) && d->getDeclContext()->getRedeclContext()->isFileContext() && !d->isDependentContext())
        handle(state, d, &at);
}

/* One annotated declaration in a function or a record. What stands before that is of a `#pragma clang attribute`, which
 * means the outer one. */
static void refuseMember(PluginState &state, NamedDecl *d, DeclContext *scope, Where where)
{
    bool provides = false;
    SourceLocation start = cast<Decl>(scope)->getBeginLoc();
    for (const auto *a : d->specific_attrs<AnnotateAttr>()) {
        Kind kind = kindOf(a);
        if (a->isInherited() || state.sources().isBeforeInTranslationUnit(a->getLocation(), start))
            continue;
        if (kind == Kind::Cell && cellIsImported(state, scope, a->getAnnotation().drop_front(5)))
            continue; /* CELL_REMOTE, which was refused */
        provides |= kind == Kind::Provide;
        bool isRule = kind == Kind::Field && (isa<FieldDecl>(d) || isa<ParmVarDecl>(d) || isa<EnumConstantDecl>(d));
        if (isRule || refuseScope(state, d, a, where))
            continue;
        if ((kind == Kind::Field || kind == Kind::Rule || kind == Kind::Unknown) && state.handled.insert(a).second)
            reportMisplaced(state, a, kind);
    }
    if (provides)
        cellHandleTopLevel(state, d); /* says why not */
}

void cellMembers(Preprocessor &pp, DeclContext *scope)
{
    for (Decl *member : scope->noload_decls()) {
        auto *d = dyn_cast<NamedDecl>(withoutTemplate(member));
        if (!d || !hasOwnAnnotation(d))
            continue;
        PluginState &state = cellState(pp);
        if (state.parser())
            refuseMember(state, d, scope, d->isTemplated() ? OnTemplate : scope->isRecord() ? InClass : InFunction);
    }
}

/* What is checked, carried out and recorded at the end of a unit; an error ends it. */
static void finishUnit(PluginState &state)
{
    DiagnosticsEngine &diags = state.diags();
    cellDriftUses(state);
    cellRuleConstants(state);
    if (diags.hasErrorOccurred())
        return;
    cellEndOfUnit(state);
    if (diags.hasErrorOccurred())
        return;
    cellCapabilitiesEnd(state);
    if (diags.hasErrorOccurred())
        return;
    cellRecordUses(state);
    cell_session *session = state.included.empty() ? state.sessionIfAny() : state.session(SourceLocation());
    if (!session)
        return;
    for (const auto &cell : state.included)
        cell_session_built_on(session, cell.first.c_str(), cell.second.c_str());
    cellDriftRemarks(state);
    cellApplyPlans(state);
    if (diags.hasErrorOccurred())
        return;
    cell_error e = {};
    if (cell_session_commit(session, &e) < 0)
        cellReport(diags, SourceLocation(), CellDiag::CommitFailed) << cellPrintable(e.text);
}

void cellUnitEnds(PluginState &state)
{
    cellAbsentEnd(state);
    cellSayHeld(state);
    cellCheckTaken(state);
    finishUnit(state);
    cellKeepIncluded(state);
    cellKeepAbsent(state);
    if (cell_session *session = state.sessionIfAny())
        cell_session_settle(session);
}
