/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Expressions: what C converts by itself is said, and what is a bool in the document becomes an int where C has one. */
#include "HotImpl.h"

using namespace clang;

/* What has a value that is known now. Nothing is that C does not define. */
bool HotBody::constant(const Expr *e, HotNode &n)
{
    QualType type = e->getType();
    Expr::EvalResult r;
    HotType t;
    SourceLocation loc = e->getExprLoc();
    if (!type->isArithmeticType() && !type->isEnumeralType())
        return false;
    if (e->isLValue() || !e->EvaluateAsRValue(r, ctx) || r.HasSideEffects || r.HasUndefinedBehavior)
        return false;
    if (!(r.Val.isInt() || r.Val.isFloat()) || !unit.typeOf(type, loc, t))
        return false;
    n = r.Val.isInt() ? hotInteger(t.kind, r.Val.getInt(), loc) : hotReal(t.kind, r.Val.getFloat(), loc);
    return true;
}

HotNode HotBody::convert(HotNode n, cell_kind from, cell_kind to)
{
    if (from == to)
        return n;
    SourceLocation loc = n.loc;
    bool isFloat = from == CELL_KIND_F32 || from == CELL_KIND_F64;
    if (to == CELL_KIND_BOOL && isFloat)
        return hotOperation(loc, "!=", std::move(n),
                            from == CELL_KIND_F32 ? hotReal(from, llvm::APFloat(0.0f), loc)
                                                  : hotReal(from, llvm::APFloat(0.0), loc));
    return hotOperation(loc, hotKindName(to), std::move(n));
}

HotNode HotBody::notServed(const Expr *e)
{
    SourceLocation loc = e->getBeginLoc();
    switch (e->getStmtClass()) {
    case Stmt::StmtExprClass:
        return refuse(loc, CellDiag::HotStatementExpression);
    case Stmt::AtomicExprClass:
        return refuse(loc, CellDiag::HotVolatile, e->getType());
    case Stmt::VAArgExprClass:
        return refuse(loc, CellDiag::HotVariadic, f.decl);
    case Stmt::StringLiteralClass:
        return refuse(loc, CellDiag::HotText);
    case Stmt::AddrLabelExprClass:
        return refuse(loc, CellDiag::HotGoto);
    default:
        if (e->getType()->isAnyPointerType())
            return refuse(loc, CellDiag::HotPointerValue, e->getType());
        return refuse(loc, CellDiag::HotExpression);
    }
}

/* A part of a variable whose declaration was refused: nothing more is said of it. */
bool HotBody::isRefused(const Expr *e) const
{
    const VarDecl *v = hotRoot(e);
    return v && v->hasLocalStorage() && !find(v);
}

/* Pointers that are compared: the message is about where they come from. */
HotNode HotBody::comparedPointer(const BinaryOperator *e)
{
    const Expr *p = e->getLHS()->getType()->isAnyPointerType() ? e->getLHS() : e->getRHS();
    const auto *u = dyn_cast<UnaryOperator>(p->IgnoreParenCasts());
    if (const auto *g = dyn_cast<CallExpr>(p->IgnoreParenCasts()))
        return call(g);
    if (u && u->getOpcode() == UO_AddrOf)
        return refuse(u->getBeginLoc(), CellDiag::HotAddress);
    return refuse(e->getOperatorLoc(), CellDiag::HotPointerArithmetic);
}

/* ---- values ---- */

HotNode HotBody::value(const Expr *e)
{
    HotNode n;
    Deeper deeper(*this);
    e = e->IgnoreParens();
    if (tooDeep(e->getBeginLoc()) || isRefused(e))
        return hotBool(false, e->getBeginLoc());
    if (constant(e, n))
        return n;
    if (const auto *c = dyn_cast<CastExpr>(e))
        return castOf(c);
    if (const auto *b = dyn_cast<BinaryOperator>(e))
        return binary(b);
    if (const auto *u = dyn_cast<UnaryOperator>(e))
        return unary(u);
    if (const auto *c = dyn_cast<AbstractConditionalOperator>(e))
        return choice(c);
    if (const auto *o = dyn_cast<OpaqueValueExpr>(e))
        return value(o->getSourceExpr());
    if (const auto *c = dyn_cast<CallExpr>(e))
        return call(c);
    if (isa<CompoundLiteralExpr>(e) || isa<MemberExpr>(e))
        return place(e, true);
    return notServed(e);
}

HotNode HotBody::castOf(const CastExpr *e)
{
    const Expr *sub = e->getSubExpr();
    SourceLocation loc = e->getExprLoc();
    HotType from, to;
    switch (e->getCastKind()) {
    case CK_NoOp:
        return value(sub);
    case CK_LValueToRValue:
        if (e->getType()->isAnyPointerType())
            return refuse(loc, CellDiag::HotPointerValue, e->getType());
        if (!unit.typeOf(sub->getType(), loc, to))
            return hotBool(false, loc);
        return place(sub, true);
    case CK_IntegralToBoolean:
    case CK_FloatingToBoolean:
        return boolean(sub);
    case CK_IntegralCast:
    case CK_IntegralToFloating:
    case CK_FloatingToIntegral:
    case CK_FloatingCast:
    case CK_BooleanToSignedIntegral:
        if (!unit.typeOf(sub->getType(), loc, from) || !unit.typeOf(e->getType(), loc, to))
            return hotBool(false, loc);
        return convert(value(sub), from.kind, to.kind);
    case CK_ArrayToPointerDecay:
        return refuse(sub->getBeginLoc(),
                      isa<StringLiteral>(sub->IgnoreParens()) ? CellDiag::HotText : CellDiag::HotPointerValue,
                      e->getType());
    case CK_ToVoid:
        return refuse(loc, CellDiag::HotExpression);
    default:
        if (e->getType()->isAnyPointerType() || sub->getType()->isAnyPointerType())
            return refuse(loc, CellDiag::HotPointerCast);
        return refuse(loc, CellDiag::HotExpression);
    }
}

/* Whether C's int, or C++'s bool, is a truth value here. */
bool HotBody::isComparison(const Expr *e) const
{
    const auto *b = dyn_cast<BinaryOperator>(e);
    const auto *u = dyn_cast<UnaryOperator>(e);
    return (b && (b->isComparisonOp() || b->isLogicalOp())) || (u && u->getOpcode() == UO_LNot);
}

HotNode HotBody::binary(const BinaryOperator *e)
{
    SourceLocation loc = e->getOperatorLoc();
    HotType type;
    if (isComparison(e)) {
        HotNode truth = boolean(e);
        return unit.typeOf(e->getType(), loc, type) ? convert(std::move(truth), CELL_KIND_BOOL, type.kind) : truth;
    }
    if (e->isAssignmentOp()) {
        if (!mayHoist(loc))
            return hotBool(false, loc);
        if (e->getOpcode() == BO_Assign)
            return assign(e);
        return compound(cast<CompoundAssignOperator>(e));
    }
    if (e->getOpcode() == BO_Comma) {
        if (hotHasEffects(e->getLHS()) && mayHoist(loc))
            effect(e->getLHS());
        return value(e->getRHS());
    }
    if (e->isPtrMemOp() || e->getType()->isAnyPointerType() || e->getLHS()->getType()->isAnyPointerType())
        return refuse(loc, CellDiag::HotPointerArithmetic);
    if (!unit.typeOf(e->getType(), loc, type))
        return hotBool(false, loc);
    return arithmetic(e, e->getOpcodeStr());
}

HotNode HotBody::arithmetic(const BinaryOperator *e, llvm::StringRef name)
{
    SourceLocation loc = e->getOperatorLoc();
    HotNode left = value(e->getLHS()), right = value(e->getRHS());
    bool chains = name == "+" || name == "-" || name == "*" || name == "&" || name == "|" || name == "^";
    return chains ? hotChain(loc, name, std::move(left), std::move(right))
                  : hotOperation(loc, name, std::move(left), std::move(right));
}

HotNode HotBody::unary(const UnaryOperator *e)
{
    SourceLocation loc = e->getOperatorLoc();
    HotType type;
    switch (e->getOpcode()) {
    case UO_Plus:
    case UO_Extension:
        return value(e->getSubExpr());
    case UO_Minus:
        return hotOperation(loc, "neg", value(e->getSubExpr()));
    case UO_Not:
        return hotOperation(loc, "~", value(e->getSubExpr()));
    case UO_LNot: {
        HotNode truth = boolean(e);
        return unit.typeOf(e->getType(), loc, type) ? convert(std::move(truth), CELL_KIND_BOOL, type.kind) : truth;
    }
    case UO_PreInc:
    case UO_PreDec:
    case UO_PostInc:
    case UO_PostDec:
        return mayHoist(loc) ? step(e, e->isPostfix()) : hotBool(false, loc);
    case UO_AddrOf:
        return refuse(loc, CellDiag::HotAddress);
    default:
        return refuse(loc, CellDiag::HotExpression);
    }
}

HotNode HotBody::choice(const AbstractConditionalOperator *e)
{
    SourceLocation loc = e->getQuestionLoc();
    HotType type;
    if (!unit.typeOf(e->getType(), loc, type))
        return hotBool(false, loc);
    const auto *both = dyn_cast<BinaryConditionalOperator>(e);
    if (both && hotHasEffects(both->getCommon()))
        return refuse(loc, CellDiag::HotConditional);
    HotNode test = boolean(e->getCond()), yes, no;
    bool before = std::exchange(hoists, false);
    if (!(type.kind == CELL_KIND_STR && stringLiteral(e->getTrueExpr(), yes)))
        yes = value(e->getTrueExpr());
    if (!(type.kind == CELL_KIND_STR && stringLiteral(e->getFalseExpr(), no)))
        no = value(e->getFalseExpr());
    hoists = before;
    return hotOperation(loc, "?:", std::move(test), std::move(yes), std::move(no));
}

/* ---- conditions ---- */

/* Whether `e` is not 0, as a bool of the document. */
HotNode HotBody::boolean(const Expr *e)
{
    Deeper deeper(*this);
    e = e->IgnoreParens();
    SourceLocation loc = e->getExprLoc();
    HotNode n;
    HotType type;
    if (tooDeep(loc))
        return hotBool(false, loc);
    if (constant(e, n)) {
        Expr::EvalResult r;
        bool truth = false;
        (void)e->EvaluateAsRValue(r, ctx);
        truth = r.Val.isInt() ? !r.Val.getInt().isZero() : !r.Val.getFloat().isZero();
        return hotBool(truth, loc);
    }
    if (const auto *c = dyn_cast<CastExpr>(e)) {
        CastKind kind = c->getCastKind();
        const Expr *sub = c->getSubExpr()->IgnoreParens();
        if (kind == CK_IntegralToBoolean || kind == CK_FloatingToBoolean ||
            (kind == CK_IntegralCast && (sub->getType()->isBooleanType() || isComparison(sub))))
            return boolean(sub);
    }
    const auto *b = dyn_cast<BinaryOperator>(e);
    if (b && b->isComparisonOp()) {
        if (b->getLHS()->getType()->isAnyPointerType() || b->getRHS()->getType()->isAnyPointerType())
            return comparedPointer(b);
        HotNode left = value(b->getLHS()), right = value(b->getRHS());
        return hotOperation(b->getOperatorLoc(), b->getOpcodeStr(), std::move(left), std::move(right));
    }
    if (b && b->isLogicalOp()) {
        HotNode left = boolean(b->getLHS());
        bool before = std::exchange(hoists, false);
        HotNode right = boolean(b->getRHS());
        hoists = before;
        return hotChain(b->getOperatorLoc(), b->getOpcodeStr(), std::move(left), std::move(right));
    }
    const auto *u = dyn_cast<UnaryOperator>(e);
    if (u && u->getOpcode() == UO_LNot)
        return hotOperation(u->getOperatorLoc(), "!", boolean(u->getSubExpr()));
    if (const auto *c = dyn_cast<CallExpr>(e); c && test(c, n))
        return n;
    if (e->getType()->isAnyPointerType())
        return refuse(loc, CellDiag::HotPointerValue, e->getType());
    if (!unit.typeOf(e->getType(), loc, type))
        return hotBool(false, loc);
    n = value(e);
    if (type.kind == CELL_KIND_BOOL)
        return n;
    if (type.kind == CELL_KIND_F32 || type.kind == CELL_KIND_F64)
        return convert(std::move(n), type.kind, CELL_KIND_BOOL);
    return hotOperation(loc, "!=", std::move(n), hotInteger(type.kind, 0, loc));
}
