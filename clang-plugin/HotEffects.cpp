/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Expressions that write: assignments, initialisers, steps; and what stands before a statement for its sake. */
#include "HotImpl.h"

using namespace clang;

/* ---- what is computed before the statement ---- */

/* Whether `loc` is evaluated in any case, and first: then what it does may be done before. */
bool HotBody::mayHoist(SourceLocation loc) { return hoists || unit.refuse(loc, CellDiag::HotConditional); }

bool HotBody::isSimple(const Expr *e) const
{
    bool simple = true;
    hotWalk(e, [&](const Stmt *s) {
        const auto *b = dyn_cast<BinaryOperator>(s);
        const auto *u = dyn_cast<UnaryOperator>(s);
        const auto *c = dyn_cast<CompoundLiteralExpr>(s);
        const auto *g = dyn_cast<CallExpr>(s);
        simple = simple && !(b && b->isAssignmentOp()) && !(u && u->isIncrementDecrementOp()) &&
                 !(c && !isString(c->getType())) && !(g && statusFunction(g));
    });
    return simple;
}

HotNode HotBody::zero(const HotType &type, SourceLocation loc) const
{
    if (type.kind == CELL_KIND_STR)
        return hotString("", loc);
    if (type.kind == CELL_KIND_F64)
        return hotReal(type.kind, llvm::APFloat(0.0), loc);
    if (type.kind == CELL_KIND_F32)
        return hotReal(type.kind, llvm::APFloat(0.0f), loc);
    return hotInteger(type.kind, 0, loc);
}

HotNode HotBody::hoist(const HotType &type, HotNode value, SourceLocation loc)
{
    std::string name = declareName("t");
    emit(hotOperation(loc, "let", hotText(name, loc), hotText(type.text(), loc), std::move(value)));
    return hotText(name, loc);
}

HotNode HotBody::temporary(const HotType &type, SourceLocation loc)
{
    std::string name = declareName("t");
    emit(hotOperation(loc, "let", hotText(name, loc), hotText(type.text(), loc)));
    return hotText(name, loc);
}

/* ---- statements ---- */

void HotBody::effect(const Expr *whole)
{
    const Expr *e = whole->IgnoreParens();
    Deeper deeper(*this);
    if (tooDeep(e->getBeginLoc()))
        return;
    if (const auto *cast = dyn_cast<CStyleCastExpr>(e); cast && cast->getCastKind() == CK_ToVoid) {
        if (hotHasEffects(cast->getSubExpr()) || isa<CallExpr>(cast->getSubExpr()->IgnoreParens()))
            effect(cast->getSubExpr());
        return;
    }
    const auto *b = dyn_cast<BinaryOperator>(e);
    const auto *u = dyn_cast<UnaryOperator>(e);
    if (const auto *c = dyn_cast<CompoundAssignOperator>(e)) {
        compound(c);
    } else if (b && b->getOpcode() == BO_Assign) {
        assign(b);
    } else if (b && b->getOpcode() == BO_Comma) {
        effect(b->getLHS());
        effect(b->getRHS());
    } else if (u && u->isIncrementDecrementOp()) {
        step(u, false);
    } else if (const auto *g = dyn_cast<CallExpr>(e)) {
        callStatement(g);
    } else if (isa<StmtExpr>(e)) {
        unit.refuse(e->getBeginLoc(), CellDiag::HotStatementExpression);
    } else if (hotHasEffects(e)) {
        unit.refuse(e->getBeginLoc(), CellDiag::HotConditional);
    } else {
        value(e); /* for what there is to refuse in it */
    }
}

/* The place that was written. */
HotNode HotBody::assign(const BinaryOperator *e)
{
    SourceLocation loc = e->getOperatorLoc();
    HotNode from, to;
    HotType type;
    if (!unit.typeOf(e->getLHS()->getType(), loc, type))
        return hotBool(false, loc);
    if (!(type.kind == CELL_KIND_STR && stringLiteral(e->getRHS(), from)))
        from = value(e->getRHS());
    to = place(e->getLHS(), false);
    emit(hotOperation(loc, "=", to, std::move(from)));
    return to;
}

/* a op= b: in the type that C computes it in. */
HotNode HotBody::compound(const CompoundAssignOperator *e)
{
    SourceLocation loc = e->getOperatorLoc();
    HotType type, left, result;
    if (!unit.typeOf(e->getLHS()->getType(), loc, type) || !unit.typeOf(e->getComputationLHSType(), loc, left) ||
        !unit.typeOf(e->getComputationResultType(), loc, result))
        return hotBool(false, loc);
    HotNode right = value(e->getRHS());
    HotNode to = place(e->getLHS(), false);
    HotNode now = convert(to, type.kind, left.kind);
    llvm::StringRef name = BinaryOperator::getOpcodeStr(BinaryOperator::getOpForCompoundAssignment(e->getOpcode()));
    HotNode sum = hotOperation(loc, name, std::move(now), std::move(right));
    emit(hotOperation(loc, "=", to, convert(std::move(sum), result.kind, type.kind)));
    return to;
}

/* ++ and --: C adds in an int what is smaller. The place; or what it held, when somebody wants that. */
HotNode HotBody::step(const UnaryOperator *e, bool wantsOld)
{
    SourceLocation loc = e->getOperatorLoc();
    const Expr *sub = e->getSubExpr();
    HotType type;
    if (!unit.typeOf(sub->getType(), loc, type))
        return hotBool(false, loc);
    cell_kind in = type.kind < CELL_KIND_I32 ? CELL_KIND_I32 : type.kind;
    HotNode one = in == CELL_KIND_F64   ? hotReal(in, llvm::APFloat(1.0), loc)
                  : in == CELL_KIND_F32 ? hotReal(in, llvm::APFloat(1.0f), loc)
                                        : hotInteger(in, 1, loc);
    HotNode to = place(sub, false), old = wantsOld ? hoist(type, to, loc) : to;
    HotNode sum = hotOperation(loc, e->isIncrementOp() ? "+" : "-", convert(to, type.kind, in), std::move(one));
    if (type.kind == CELL_KIND_BOOL) /* which is true ever after, or the other one */
        sum = hotOperation(loc, "!=", std::move(sum), hotInteger(in, 0, loc));
    else
        sum = convert(std::move(sum), in, type.kind);
    emit(hotOperation(loc, "=", std::move(to), std::move(sum)));
    return old;
}

/* ---- initialisers ---- */

static bool isZeroFiller(const Expr *e) { return !e || isa<ImplicitValueInitExpr>(e); }

/* `place` is zero. `array` is what is indexed from `first` on when `type` is an array, whatever its dimensions. */
void HotBody::initialise(const HotNode &place, QualType type, const Expr *init, const HotNode *array, uint64_t first)
{
    Deeper deeper(*this);
    SourceLocation loc = init->getBeginLoc();
    if (tooDeep(loc))
        return;
    init = init->IgnoreParens();
    const auto *list = dyn_cast<InitListExpr>(init);
    const auto *elements = ctx.getAsConstantArrayType(type);
    const auto here = [&](uint64_t i) {
        return hotOperation(loc, "[]", *array, hotInteger(CELL_KIND_I32, int64_t(i), loc));
    };
    if (const auto *text = dyn_cast<StringLiteral>(init);
        text && elements && elements->getElementType()->isCharType()) {
        HotType t;
        uint64_t most = elements->getSize().getLimitedValue();
        for (uint64_t i = 0; i < text->getLength() && i < most && unit.typeOf(elements->getElementType(), loc, t); i++)
            emit(hotOperation(loc, "=", here(first + i),
                              hotInteger(t.kind,
                                         t.kind == CELL_KIND_I8 ? int64_t(int8_t(text->getCodeUnit(unsigned(i))))
                                                                : int64_t(uint8_t(text->getCodeUnit(unsigned(i)))),
                                         loc)));
        return;
    }
    if (elements && list && !list->isTransparent()) {
        QualType inner = elements->getElementType();
        uint64_t size = 1;
        for (QualType t = inner; const auto *a = ctx.getAsConstantArrayType(t); t = a->getElementType())
            size *= a->getSize().getLimitedValue(1u << 20);
        for (unsigned i = 0; i < list->getNumInits(); i++)
            if (!isZeroFiller(list->getInit(i))) {
                HotNode one = here(first + i * size);
                one.loc = list->getInit(i)->getBeginLoc();
                initialise(one, inner, list->getInit(i), array, first + i * size);
            }
        return;
    }
    HotNode text;
    if (isString(type) && stringLiteral(init, text))
        return emit(hotOperation(loc, "=", place, std::move(text)));
    const auto *record = type->getAs<RecordType>();
    if (list && record && !list->isTransparent()) {
        unsigned i = 0;
        for (const FieldDecl *field : record->getDecl()->fields()) {
            const Expr *one = i < list->getNumInits() ? list->getInit(i) : nullptr;
            i++;
            if (isZeroFiller(one))
                continue;
            HotNode part = hotOperation(one->getBeginLoc(), ".", place, hotText(field->getName(), loc));
            initialise(part, field->getType(), one, field->getType()->isArrayType() ? &part : nullptr, 0);
        }
        return;
    }
    if (list)
        init = list->getNumInits() ? list->getInit(0) : nullptr;
    if (!init || isa<DesignatedInitUpdateExpr>(init)) {
        unit.refuse(loc, CellDiag::HotInitialiser);
        return;
    }
    line(loc);
    emit(hotOperation(loc, "=", place, value(init)));
}
