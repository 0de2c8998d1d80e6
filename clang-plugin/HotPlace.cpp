/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Variables, tables, fields, elements, and what strings have of these. */
#include "HotImpl.h"

extern "C" {
#include "wire/message.h"
}

using namespace clang;

bool HotBody::isString(QualType type) const
{
    const auto *r = type->getAs<RecordType>();
    return r && r->getDecl()->getName() == "cell_str";
}

static const StringLiteral *literalBehind(const Expr *e) { return dyn_cast<StringLiteral>(e->IgnoreParenCasts()); }

/* CELL_STR("…"), cell_strz("…") and {0}: false when `e` is none of these. */
bool hotStringLiteral(HotUnit &unit, const Expr *e, HotNode &n)
{
    ASTContext &ctx = unit.ctx;
    e = e->IgnoreParenImpCasts();
    SourceLocation loc = e->getBeginLoc();
    Expr::EvalResult length;
    n = hotString("", loc);
    const StringLiteral *text = nullptr;
    uint64_t len = 0;
    const auto *record = e->getType()->getAs<RecordType>();
    if (!record || record->getDecl()->getName() != "cell_str")
        return false;
    if (const auto *c = dyn_cast<CompoundLiteralExpr>(e))
        e = c->getInitializer()->IgnoreParenImpCasts();
    if (const auto *g = dyn_cast<CallExpr>(e)) {
        const FunctionDecl *callee = g->getDirectCallee();
        text =
            callee && callee->getName() == "cell_strz" && g->getNumArgs() == 1 ? literalBehind(g->getArg(0)) : nullptr;
        if (!text)
            return false;
        len = llvm::StringRef(text->getBytes()).split('\0').first.size();
    } else if (const auto *list = dyn_cast<InitListExpr>(e)) {
        const auto zero = [&](unsigned i) {
            return i >= list->getNumInits() || isa<ImplicitValueInitExpr>(list->getInit(i)) ||
                   list->getInit(i)->isNullPointerConstant(ctx, Expr::NPC_ValueDependentIsNotNull);
        };
        text = list->getNumInits() ? literalBehind(list->getInit(0)) : nullptr;
        if (zero(0) && zero(1))
            return true;
        if (!text || list->getNumInits() != 2 || !list->getInit(1)->EvaluateAsInt(length, ctx)) {
            unit.refuse(loc, CellDiag::HotText);
            return true;
        }
        len = length.Val.getInt().getLimitedValue();
    } else {
        return false;
    }
    llvm::StringRef bytes = cellcompat::isOrdinaryLiteral(text) ? text->getBytes() : llvm::StringRef("\xff");
    if (len > bytes.size() || bytes.take_front(len).contains('\0') || !cell_utf8_valid(bytes.data(), len))
        unit.refuse(loc, CellDiag::HotText);
    else
        n = hotString(bytes.take_front(len), loc);
    return true;
}

/* ---- places ---- */

HotNode HotBody::place(const Expr *e, bool reads)
{
    Deeper deeper(*this);
    e = e->IgnoreParens();
    SourceLocation loc = e->getExprLoc();
    HotNode n;
    if (tooDeep(loc))
        return hotBool(false, loc);
    if (const auto *r = dyn_cast<DeclRefExpr>(e))
        return placeOfVariable(r, reads);
    if (const auto *m = dyn_cast<MemberExpr>(e))
        return member(m, reads);
    if (const auto *a = dyn_cast<ArraySubscriptExpr>(e))
        return element(a, reads);
    if (const auto *c = dyn_cast<CompoundLiteralExpr>(e))
        return compoundLiteral(c);
    if (const auto *u = dyn_cast<UnaryOperator>(e); u && u->getOpcode() == UO_Deref) {
        const auto *m = dyn_cast<MemberExpr>(u->getSubExpr()->IgnoreParenImpCasts());
        if (m && isString(m->getBase()->getType()) && !m->isArrow())
            return byteOf(m->getBase(), hotInteger(CELL_KIND_U64, 0, loc), e);
        return placeOfPointer(u->getSubExpr(), reads);
    }
    if (const auto *c = dyn_cast<CastExpr>(e); c && c->getCastKind() == CK_NoOp)
        return place(c->getSubExpr(), reads);
    if (e->isLValue())
        return notServed(e);
    return value(e); /* a struct that a call returned */
}

HotNode HotBody::compoundLiteral(const CompoundLiteralExpr *e)
{
    SourceLocation loc = e->getBeginLoc();
    HotType type;
    HotNode n;
    if (stringLiteral(e, n))
        return n;
    if (!unit.typeOf(e->getType(), loc, type) || !mayHoist(loc))
        return hotBool(false, loc);
    n = temporary(type, loc);
    initialise(n, e->getType(), e->getInitializer(), type.count ? &n : nullptr, 0);
    return n;
}

HotNode HotBody::placeOfVariable(const DeclRefExpr *e, bool reads)
{
    SourceLocation loc = e->getLocation();
    const auto *v = dyn_cast<VarDecl>(e->getDecl());
    if (!v)
        return refuse(loc, isa<FunctionDecl>(e->getDecl()) ? CellDiag::HotFunctionPointer : CellDiag::HotExpression,
                      e->getDecl()->getName());
    if (const Binding *b = find(v)) {
        if (b->mode == HotMode::Unusable)
            return hotBool(false, loc);
        if (v->getType()->isAnyPointerType())
            return refuse(loc, CellDiag::HotPointerValue, v->getType());
        return hotText(b->name, loc);
    }
    (void)reads;
    QualType type = v->getType(), base = ctx.getBaseElementType(type);
    if (v->hasLocalStorage())
        return hotBool(false, loc); /* it was refused */
    if (!base.isConstQualified() || base.isVolatileQualified() || !v->getAnyInitializer(v))
        return refuse(loc, CellDiag::HotGlobal, v);
    if (type->isArrayType()) {
        const HotTable *t = unit.table(v, nullptr, loc);
        return t ? hotText(t->name, loc) : hotBool(false, loc);
    }
    HotType t;
    HotNode n;
    if (isString(type) && stringLiteral(v->getInit(), n))
        return n;
    if (!type->isArithmeticType() && !type->isEnumeralType())
        return refuse(loc, CellDiag::HotGlobal, v);
    const APValue *known = v->evaluateValue();
    if (!known || !unit.typeOf(type, loc, t) || !(known->isInt() || known->isFloat()))
        return refuse(loc, CellDiag::HotGlobal, v);
    return known->isInt() ? hotInteger(t.kind, known->getInt(), loc) : hotReal(t.kind, known->getFloat(), loc);
}

/* What a pointer points to: parameters are, and addresses that are taken at once. */
HotNode HotBody::placeOfPointer(const Expr *e, bool reads)
{
    e = e->IgnoreParens();
    SourceLocation loc = e->getExprLoc();
    while (const auto *c = dyn_cast<ImplicitCastExpr>(e)) {
        if (c->getCastKind() == CK_ArrayToPointerDecay)
            return hotOperation(loc, "[]", place(c->getSubExpr(), reads), hotInteger(CELL_KIND_I32, 0, loc));
        if (c->getCastKind() != CK_LValueToRValue && c->getCastKind() != CK_NoOp)
            return refuse(loc, CellDiag::HotPointerCast);
        e = c->getSubExpr()->IgnoreParens();
    }
    const auto *u = dyn_cast<UnaryOperator>(e);
    if (u && u->getOpcode() == UO_AddrOf)
        return place(u->getSubExpr(), reads);
    const auto *r = dyn_cast<DeclRefExpr>(e);
    const auto *p = r ? dyn_cast<ParmVarDecl>(r->getDecl()) : nullptr;
    const Binding *b = p ? find(p) : nullptr;
    if (b && b->mode == HotMode::Unusable)
        return hotBool(false, loc);
    if (b && b->mode != HotMode::Value && b->type.count)
        return hotOperation(loc, "[]", hotText(b->name, loc), hotInteger(CELL_KIND_I32, 0, loc));
    if (b && b->mode != HotMode::Value)
        return hotText(b->name, loc);
    if (isa<BinaryOperator>(e))
        return refuse(loc, CellDiag::HotPointerArithmetic);
    if (isa<CastExpr>(e))
        return refuse(loc, CellDiag::HotPointerCast);
    return refuse(loc, CellDiag::HotPointerValue, e->getType());
}

/* ---- parts ---- */

HotNode HotBody::member(const MemberExpr *e, bool reads)
{
    SourceLocation loc = e->getMemberLoc();
    const auto *field = dyn_cast<FieldDecl>(e->getMemberDecl());
    const Expr *base = e->getBase()->IgnoreParens();
    HotType type;
    if (!field || field->isBitField())
        return refuse(loc, field ? CellDiag::HotBitField : CellDiag::HotExpression);
    if (isString(base->getType())) {
        if (field->getName() != "len" || !reads)
            return refuse(loc, reads ? CellDiag::HotPointerValue : CellDiag::HotStringPart, e->getType());
        HotNode text;
        if (!stringLiteral(base, text))
            text = base->isLValue() ? place(base, true) : value(base);
        return hotOperation(loc, "length", std::move(text));
    }
    /* An element of a table of structs is one of the field's table. */
    const auto *a = dyn_cast<ArraySubscriptExpr>(base);
    const VarDecl *v = a && !e->isArrow() ? hotRoot(a) : nullptr;
    if (v && !find(v) && !v->hasLocalStorage() && isa<DeclRefExpr>(a->getBase()->IgnoreParenImpCasts()) &&
        a->getType().isConstQualified()) {
        const HotTable *t = unit.table(v, field, loc);
        return t ? hotOperation(loc, "[]", hotText(t->name, loc), value(a->getIdx())) : hotBool(false, loc);
    }
    if (!e->isArrow() && !unit.typeOf(base->getType(), loc, type))
        return hotBool(false, loc);
    HotNode whole = e->isArrow() ? placeOfPointer(base, reads) : place(base, reads);
    return hotOperation(loc, ".", std::move(whole), hotText(field->getName(), loc));
}

/* s.ptr[i]: C has a char there. */
HotNode HotBody::byteOf(const Expr *string, HotNode index, const Expr *whole)
{
    SourceLocation loc = whole->getExprLoc();
    HotType type;
    HotNode text;
    if (!unit.typeOf(whole->getType(), loc, type))
        return hotBool(false, loc);
    if (!stringLiteral(string, text))
        text = string->isLValue() ? place(string, true) : value(string);
    return convert(hotOperation(loc, "byte", std::move(text), std::move(index)), CELL_KIND_U8, type.kind);
}

/* The place that `e` indexes; size: of what its index counts, in elements, more than 1 of rows. */
HotNode HotBody::indexed(const ArraySubscriptExpr *e, bool reads)
{
    SourceLocation loc = e->getExprLoc();
    const Expr *base = e->getBase()->IgnoreParens();
    const auto *decay = dyn_cast<ImplicitCastExpr>(base);
    if (!decay || (decay->getCastKind() != CK_ArrayToPointerDecay && decay->getCastKind() != CK_LValueToRValue))
        return refuse(loc, CellDiag::HotPointerArithmetic);
    const Expr *array = decay->getSubExpr()->IgnoreParens();
    if (isa<StringLiteral>(array))
        return refuse(array->getBeginLoc(), CellDiag::HotText);
    if (decay->getCastKind() == CK_ArrayToPointerDecay)
        return place(array, reads);
    const auto *r = dyn_cast<DeclRefExpr>(array);
    const auto *p = r ? dyn_cast<ParmVarDecl>(r->getDecl()) : nullptr;
    const Binding *b = p ? find(p) : nullptr;
    if (b && b->mode != HotMode::Value && b->mode != HotMode::Unusable)
        return b->type.count ? hotText(b->name, loc) : refuse(loc, CellDiag::HotPointerArithmetic);
    return placeOfPointer(base, reads);
}

/* a * size, or a number */
static HotNode times(HotNode a, uint64_t size, SourceLocation loc)
{
    int64_t known;
    if (a.is("i64") && a.items.size() == 2 && hotIntegerOf(a.items[1], known))
        return hotInteger(CELL_KIND_I64, known * int64_t(size), loc);
    if (hotIntegerOf(a, known))
        return hotInteger(CELL_KIND_I64, known * int64_t(size), loc);
    if (size == 1)
        return a;
    return hotOperation(loc, "*", std::move(a), hotInteger(CELL_KIND_I64, int64_t(size), loc));
}

static HotNode plus(HotNode a, HotNode b, SourceLocation loc)
{
    int64_t x, y;
    if (hotIntegerOf(a, x) && hotIntegerOf(b, y))
        return hotInteger(CELL_KIND_I64, x + y, loc);
    return hotOperation(loc, "+", std::move(a), std::move(b));
}

/* Rows of arrays lie one after the other, and are indexed as one. */
HotNode HotBody::element(const ArraySubscriptExpr *e, bool reads)
{
    SourceLocation loc = e->getExprLoc();
    const auto *m = dyn_cast<MemberExpr>(e->getBase()->IgnoreParenImpCasts());
    if (m && isString(m->getBase()->getType()))
        return byteOf(m->getBase()->IgnoreParens(), value(e->getIdx()), e);
    HotType index;
    if (!unit.typeOf(e->getIdx()->getType(), loc, index))
        return hotBool(false, loc);
    uint64_t size = 1;
    for (QualType t = e->getType(); const auto *inner = ctx.getAsConstantArrayType(t); t = inner->getElementType())
        size *= inner->getSize().getLimitedValue(1u << 20);
    HotNode whole = indexed(e, reads), i = value(e->getIdx());
    bool inRow = isa<ArraySubscriptExpr>(e->getBase()->IgnoreParenImpCasts()) && whole.is("[]");
    if (size > 1 || inRow)
        i = times(convert(std::move(i), index.kind, CELL_KIND_I64), size, loc);
    if (!inRow)
        return hotOperation(loc, "[]", std::move(whole), std::move(i));
    whole.items[2] = plus(std::move(whole.items[2]), std::move(i), loc);
    whole.loc = loc;
    return whole;
}
