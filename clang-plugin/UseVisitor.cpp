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
    using Use = llvm::function_ref<void(const ValueDecl *, SourceLocation)>;
    Visitor(PluginState &plugin, Use found) : state(plugin), report(found) {}

    void scope(const DeclContext *declarations)
    {
        for (const Decl *d : declarations->noload_decls())
            if (d->isFromASTFile() || !cellIsInjected(state, d))
                declaration(d);
    }

  private:
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
            if (f->doesThisDeclarationHaveABody())
                statement(f->getBody());
        } else if (const auto *v = dyn_cast<VarDecl>(d)) {
            statement(v->getInit());
        } else if (const auto *field = dyn_cast<FieldDecl>(d)) {
            statement(field->getInClassInitializer());
        } else if (const auto *e = dyn_cast<EnumConstantDecl>(d)) {
            statement(e->getInitExpr());
        }
        if (const auto *inner = dyn_cast<DeclContext>(d))
            if (!isa<FunctionDecl>(d)) /* its body was read */
                scope(inner);
    }

    /* What this statement itself uses, without what is in it. */
    void own(const Stmt *s)
    {
        if (const auto *member = dyn_cast<MemberExpr>(s)) {
            use(member->getMemberDecl(), member->getMemberLoc());
        } else if (const auto *reference = dyn_cast<DeclRefExpr>(s)) {
            use(reference->getDecl(), reference->getLocation());
        } else if (const auto *init = dyn_cast<DesignatedInitExpr>(s)) {
            for (const auto &designator : init->designators())
                if (designator.isFieldDesignator())
                    use(cellcompat::designatedField(designator), designator.getFieldLoc());
        } else if (const auto *offset = dyn_cast<OffsetOfExpr>(s)) {
            for (unsigned i = 0; i < offset->getNumComponents(); i++)
                if (offset->getComponent(i).getKind() == OffsetOfNode::Field)
                    use(offset->getComponent(i).getField(), offset->getComponent(i).getEndLoc());
        }
    }

    void statement(const Stmt *s)
    {
        if (!s)
            return;
        if (const auto *list = dyn_cast<InitListExpr>(s))
            if (const InitListExpr *written = list->isSemanticForm() ? list->getSyntacticForm() : nullptr)
                s = written;
        own(s);
        if (const auto *declared = dyn_cast<DeclStmt>(s)) {
            for (const Decl *d : declared->decls())
                declaration(d);
            return;
        }
        if (const auto *lambda = dyn_cast<LambdaExpr>(s))
            statement(lambda->getBody());
        for (const Stmt *child : s->children())
            statement(child);
    }

    void use(const ValueDecl *d, SourceLocation loc)
    {
        if (d && d->getIdentifier() && cellIsInjected(state, d))
            report(d, loc);
    }

    PluginState &state;
    Use report;
};

} // namespace

std::string cellUsedName(const ValueDecl *d)
{
    if (const auto *field = dyn_cast<FieldDecl>(d))
        return (field->getParent()->getName() + "." + d->getName()).str();
    return d->getName().str();
}

void cellVisitUses(PluginState &state, llvm::function_ref<void(const ValueDecl *, SourceLocation)> use)
{
    Visitor(state, use).scope(state.sema().getASTContext().getTranslationUnitDecl());
}
