/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What is found out about statements before they are served. */
#include "HotImpl.h"

#include "clang/AST/Attr.h"
#include "clang/AST/ExprCXX.h"

using namespace clang;

void hotWalk(const Stmt *root, llvm::function_ref<void(const Stmt *)> see)
{
    llvm::SmallVector<const Stmt *, 32> left = {root};
    while (!left.empty()) {
        const Stmt *s = left.pop_back_val();
        if (!s)
            continue;
        see(s);
        if (const auto *opaque = dyn_cast<OpaqueValueExpr>(s))
            left.push_back(opaque->getSourceExpr());
        llvm::SmallVector<const Stmt *, 8> children(s->child_begin(), s->child_end());
        left.append(children.rbegin(), children.rend());
    }
}

const Stmt *hotBelow(const Stmt *root, unsigned most)
{
    llvm::SmallVector<std::pair<const Stmt *, unsigned>, 32> left = {{root, 0}};
    while (!left.empty()) {
        auto [s, depth] = left.pop_back_val();
        if (s && depth > most)
            return s;
        if (s)
            for (const Stmt *child : s->children())
                left.push_back({child, depth + 1});
    }
    return nullptr;
}

const VarDecl *hotRoot(const Expr *e)
{
    for (;;) {
        e = e->IgnoreParenCasts();
        if (const auto *m = dyn_cast<MemberExpr>(e))
            e = m->getBase();
        else if (const auto *a = dyn_cast<ArraySubscriptExpr>(e))
            e = a->getBase();
        else if (const auto *u = dyn_cast<UnaryOperator>(e))
            e = u->getSubExpr();
        else
            break;
    }
    const auto *reference = dyn_cast<DeclRefExpr>(e);
    return reference ? dyn_cast<VarDecl>(reference->getDecl()) : nullptr;
}

/* The variables that `s` itself, not what is below it, may write. */
static void written(const Stmt *s, llvm::function_ref<void(const VarDecl *)> see)
{
    if (const auto *b = dyn_cast<BinaryOperator>(s)) {
        if (b->isAssignmentOp())
            see(hotRoot(b->getLHS()));
    } else if (const auto *u = dyn_cast<UnaryOperator>(s)) {
        if (u->isIncrementDecrementOp())
            see(hotRoot(u->getSubExpr()));
    } else if (const auto *c = dyn_cast<CallExpr>(s)) {
        const FunctionDecl *g = c->getDirectCallee();
        for (unsigned i = 0; i < c->getNumArgs(); i++) {
            QualType type = g && i < g->getNumParams() ? g->getParamDecl(i)->getType() : c->getArg(i)->getType();
            if (type->isPointerType() && !type->getPointeeType().isConstQualified())
                see(hotRoot(c->getArg(i)));
        }
    }
}

bool hotWrites(const Stmt *root, const VarDecl *v)
{
    bool found = false;
    hotWalk(root, [&](const Stmt *s) { written(s, [&](const VarDecl *w) { found |= w == v; }); });
    return found;
}

bool hotAddressTaken(const Stmt *body, const VarDecl *v)
{
    bool found = false;
    hotWalk(body, [&](const Stmt *s) {
        if (isa<CallExpr>(s))
            written(s, [&](const VarDecl *w) { found |= w == v; });
    });
    return found;
}

unsigned hotUses(const Stmt *root, const VarDecl *v)
{
    unsigned n = 0;
    hotWalk(root, [&](const Stmt *s) {
        const auto *reference = dyn_cast<DeclRefExpr>(s);
        n += reference && reference->getDecl() == v;
    });
    return n;
}

/* Every mention that is not the whole left side of an assignment, or an output of a call. */
bool hotReads(const Stmt *body, const VarDecl *v)
{
    unsigned writes = 0;
    hotWalk(body, [&](const Stmt *s) {
        const auto *b = dyn_cast<BinaryOperator>(s);
        if (b && b->getOpcode() == BO_Assign && hotRoot(b->getLHS()) == v)
            writes++;
    });
    return hotUses(body, v) != writes;
}

bool hotHasEffects(const Expr *e)
{
    bool found = false;
    hotWalk(e, [&](const Stmt *s) {
        if (const auto *c = dyn_cast<CallExpr>(s))
            found |= c->getType()->isVoidType();
        written(s, [&](const VarDecl *) { found = true; });
    });
    return found;
}

const AnnotateAttr *hotStatedBound(const Stmt *body)
{
    const auto *block = dyn_cast_or_null<CompoundStmt>(body);
    if (!block)
        return nullptr;
    for (const Stmt *s : block->body()) {
        const auto *declared = dyn_cast<DeclStmt>(s);
        if (!declared)
            continue;
        for (const Decl *d : declared->decls())
            for (const auto *a : d->specific_attrs<AnnotateAttr>())
                if (a->getAnnotation() == "cell.bound" && !a->isInherited())
                    return a;
    }
    return nullptr;
}

bool hotCountsOver(const ASTContext &ctx, const ForStmt *s, const VarDecl *v, uint64_t &from, uint64_t &to)
{
    const auto *d = dyn_cast_or_null<DeclStmt>(s->getInit());
    const auto *set = dyn_cast_or_null<BinaryOperator>(s->getInit());
    const Expr *first = d && d->isSingleDecl() && d->getSingleDecl() == v                     ? v->getInit()
                        : set && set->getOpcode() == BO_Assign && hotRoot(set->getLHS()) == v ? set->getRHS()
                                                                                              : nullptr;
    const auto *cond = s->getCond() ? dyn_cast<BinaryOperator>(s->getCond()->IgnoreParens()) : nullptr;
    const auto *inc = s->getInc() ? dyn_cast<UnaryOperator>(s->getInc()->IgnoreParens()) : nullptr;
    Expr::EvalResult begin, end;
    if (!first || !cond || !inc || !inc->isIncrementDecrementOp() || hotRoot(inc->getSubExpr()) != v ||
        hotWrites(s->getBody(), v) || !isa<DeclRefExpr>(cond->getLHS()->IgnoreParenImpCasts()) ||
        hotRoot(cond->getLHS()) != v || !first->EvaluateAsInt(begin, ctx) || !cond->getRHS()->EvaluateAsInt(end, ctx))
        return false;
    int64_t a = begin.Val.getInt().getExtValue(), b = end.Val.getInt().getExtValue();
    bool up = inc->isIncrementOp(), closed = cond->getOpcode() == (up ? BO_LE : BO_GE);
    if (!closed && cond->getOpcode() != (up ? BO_LT : BO_GT))
        return false;
    int64_t low = up ? a : closed ? b : b + 1, high = up ? (closed ? b + 1 : b) : a + 1;
    if (low < 0 || high < low)
        return false;
    from = uint64_t(low);
    to = uint64_t(high);
    return true;
}

const VarDecl *hotFailedStatus(const IfStmt *s)
{
    const Expr *e = s->getCond()->IgnoreParenImpCasts();
    const auto *b = dyn_cast<BinaryOperator>(e);
    if (b && (b->getOpcode() == BO_LT || b->getOpcode() == BO_NE)) {
        const auto *zero = dyn_cast<IntegerLiteral>(b->getRHS()->IgnoreParenImpCasts());
        const auto *ok = dyn_cast<DeclRefExpr>(b->getRHS()->IgnoreParenImpCasts());
        if (!(zero && zero->getValue().isZero()) && !(ok && ok->getDecl()->getName() == "CELL_OK"))
            return nullptr;
        e = b->getLHS()->IgnoreParenImpCasts();
        b = dyn_cast<BinaryOperator>(e);
    }
    if (b && b->getOpcode() == BO_Assign)
        e = b->getLHS()->IgnoreParenImpCasts();
    const auto *r = dyn_cast<DeclRefExpr>(e);
    const auto *v = r ? dyn_cast<VarDecl>(r->getDecl()) : nullptr;
    return v && !hotWrites(s->getThen(), v) ? v : nullptr;
}
