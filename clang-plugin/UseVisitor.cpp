/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "UseVisitor.h"
#include "ClangCompat.h"
#include "Drift.h"

#include "clang/AST/DeclCXX.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/AST/ExprCXX.h"

using namespace clang;

namespace
{

class Visitor
{
  public:
    Visitor(PluginState &plugin, CellUseIn found, llvm::function_ref<void(const CallExpr *)> called)
        : state(plugin), report(found), calls(called)
    {
    }

    void scope(const DeclContext *declarations)
    {
        for (const Decl *d : declarations->noload_decls())
            if (holdsCode(d) && (d->isFromASTFile() || !cellIsInjected(state, d)))
                declaration(d);
    }

  private:
    /* Most of a unit is prototypes and typedefs of headers; where a declaration stands costs more to find out. */
    static bool holdsCode(const Decl *d)
    {
        if (const auto *f = dyn_cast<FunctionDecl>(d))
            return f->doesThisDeclarationHaveABody();
        return !isa<TypedefNameDecl>(d);
    }

    void declaration(const Decl *d)
    {
        if (d->isFromASTFile())
            return;
        if (const auto *t = dyn_cast<FunctionTemplateDecl>(d)) {
            declaration(t->getTemplatedDecl());
            for (const FunctionDecl *instance : t->specializations())
                declaration(instance);
            return;
        }
        if (const auto *t = dyn_cast<ClassTemplateDecl>(d)) {
            declaration(t->getTemplatedDecl());
            for (const ClassTemplateSpecializationDecl *instance : t->specializations())
                declaration(instance);
            return;
        }
        if (const auto *f = dyn_cast<FunctionDecl>(d)) {
            body(f);
        } else if (const auto *v = dyn_cast<VarDecl>(d)) {
            statement(v->getInit());
        } else if (const auto *field = dyn_cast<FieldDecl>(d)) {
            statement(field->getInClassInitializer());
        } else if (const auto *e = dyn_cast<EnumConstantDecl>(d)) {
            statement(e->getInitExpr());
        } else if (const auto *asserted = dyn_cast<StaticAssertDecl>(d)) {
            statement(asserted->getAssertExpr());
        }
        if (const auto *declarator = dyn_cast<DeclaratorDecl>(d))
            bounds(declarator);
        if (const auto *inner = dyn_cast<DeclContext>(d))
            if (!isa<FunctionDecl>(d)) /* its body was read */
                scope(inner);
    }

    void body(const FunctionDecl *f)
    {
        if (!f->doesThisDeclarationHaveABody())
            return;
        if (const auto *constructor = dyn_cast<CXXConstructorDecl>(f))
            for (const CXXCtorInitializer *init : constructor->inits())
                if (init->isWritten())
                    within(f, init->getInit());
        within(f, f->getBody());
    }

    void within(const FunctionDecl *f, const Stmt *s)
    {
        const FunctionDecl *outer = function;
        function = f;
        statement(s);
        function = outer;
    }

    void statement(const Stmt *s)
    {
        if (!s)
            return;
        switch (s->getStmtClass()) {
        case Stmt::IntegerLiteralClass:
        case Stmt::StringLiteralClass:
            return;
        case Stmt::MemberExprClass:
            use(cast<MemberExpr>(s)->getMemberDecl(), cast<MemberExpr>(s)->getMemberLoc());
            break;
        case Stmt::DeclRefExprClass:
            use(cast<DeclRefExpr>(s)->getDecl(), cast<DeclRefExpr>(s)->getLocation(), cast<DeclRefExpr>(s));
            break;
        case Stmt::UnresolvedLookupExprClass: /* a call of which Sema could make nothing, or not yet */
            for (const NamedDecl *d : cast<UnresolvedLookupExpr>(s)->decls())
                use(dyn_cast<ValueDecl>(d), cast<UnresolvedLookupExpr>(s)->getNameLoc());
            break;
        case Stmt::DesignatedInitExprClass:
            for (const auto &designator : cast<DesignatedInitExpr>(s)->designators())
                if (designator.isFieldDesignator())
                    use(cellcompat::designatedField(designator), designator.getFieldLoc());
            break;
        case Stmt::OffsetOfExprClass:
            offsetOf(cast<OffsetOfExpr>(s));
            break;
        case Stmt::InitListExprClass:
            if (const InitListExpr *written = cast<InitListExpr>(s)->getSyntacticForm())
                s = cast<InitListExpr>(s)->isSemanticForm() ? written : s;
            break;
        case Stmt::DeclStmtClass:
            for (const Decl *d : cast<DeclStmt>(s)->decls())
                declaration(d);
            return;
        case Stmt::CallExprClass:
            if (calls && cast<CallExpr>(s)->getDirectCallee() &&
                cellIsInjected(state, cast<CallExpr>(s)->getDirectCallee()))
                calls(cast<CallExpr>(s));
            break;
        case Stmt::LambdaExprClass:
            within(cast<LambdaExpr>(s)->getCallOperator(), cast<LambdaExpr>(s)->getBody());
            break;
        default:
            break;
        }
        for (const Stmt *child : s->children())
            statement(child);
    }

    /* As written: the type has only their values. */
    void bounds(const DeclaratorDecl *d)
    {
        if (const auto *field = dyn_cast<FieldDecl>(d))
            statement(field->getBitWidth());
        if (!d->getTypeSourceInfo())
            return;
        for (TypeLoc type = d->getTypeSourceInfo()->getTypeLoc(); !type.isNull(); type = type.getNextTypeLoc())
            if (auto array = type.getAs<ArrayTypeLoc>())
                statement(array.getSizeExpr());
    }

    void offsetOf(const OffsetOfExpr *e)
    {
        for (unsigned i = 0; i < e->getNumComponents(); i++)
            if (e->getComponent(i).getKind() == OffsetOfNode::Field)
                use(e->getComponent(i).getField(), e->getComponent(i).getEndLoc());
    }

    void use(const ValueDecl *d, SourceLocation loc, const Expr *reference = nullptr)
    {
        const auto *variable = dyn_cast_or_null<VarDecl>(d);
        if (report && d && d->getIdentifier() && !(variable && variable->isLocalVarDeclOrParm()) &&
            (cellIsInjected(state, d) || cellIsDeclaredFor(state, d)))
            report(d, loc, reference, function);
    }

    PluginState &state;
    CellUseIn report;
    llvm::function_ref<void(const CallExpr *)> calls; /* or none */
    const FunctionDecl *function = nullptr;
};

} // namespace

bool cellIsDeclaredFor(const PluginState &state, const ValueDecl *d)
{
    const auto *field = dyn_cast<FieldDecl>(d);
    return field && state.declared.count(field->getParent());
}

std::string cellUsedName(const ValueDecl *d)
{
    if (const auto *field = dyn_cast<FieldDecl>(d))
        return (field->getParent()->getName() + "." + d->getName()).str();
    return d->getName().str();
}

void cellVisitUses(PluginState &state, llvm::function_ref<void(const ValueDecl *, SourceLocation)> use)
{
    cellVisitUsesIn(state,
                    [&](const ValueDecl *d, SourceLocation loc, const Expr *, const FunctionDecl *) { use(d, loc); });
}

void cellVisitUsesIn(PluginState &state, CellUseIn use)
{
    Visitor(state, use, nullptr).scope(state.sema().getASTContext().getTranslationUnitDecl());
}

void cellVisitCalls(PluginState &state, llvm::function_ref<void(const CallExpr *)> call)
{
    Visitor(state, nullptr, call).scope(state.sema().getASTContext().getTranslationUnitDecl());
}
