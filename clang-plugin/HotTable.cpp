/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Constant arrays. */
#include "HotImpl.h"

using namespace clang;

/* The name of the function that turns a variable's status into a failure; it is written with the document. */
const std::string &HotUnit::raise()
{
    if (document.raiser.empty())
        document.raiser = globalName("status_of");
    return document.raiser;
}

static const FieldDecl *fieldNumber(const RecordDecl *d, unsigned i)
{
    for (const FieldDecl *f : d->fields())
        if (i-- == 0)
            return f;
    return nullptr;
}

/* Entries have no types: the table has one. */
static HotNode bare(HotNode n) { return n.kind == HotNode::Literal ? HotNode(n.items[0]) : n; }

static bool isZero(const Expr *init) { return !init || isa<ImplicitValueInitExpr>(init); }

/* One number; NULL is 0. */
bool HotUnit::entry(const Expr *init, const HotType &type, HotNode &values)
{
    Expr::EvalResult r;
    SourceLocation loc = init ? init->getBeginLoc() : SourceLocation();
    const auto *list = dyn_cast_or_null<InitListExpr>(init);
    if (list)
        init = list->getNumInits() ? list->getInit(0) : nullptr;
    bool isFloat = type.kind == CELL_KIND_F32 || type.kind == CELL_KIND_F64;
    if (isZero(init)) {
        HotNode zero = isFloat ? hotText("0", loc) : bare(hotInteger(type.kind, 0, loc));
        values.items.push_back(std::move(zero));
        return true;
    }
    if (!init->EvaluateAsRValue(r, ctx) || r.HasSideEffects || !(isFloat ? r.Val.isFloat() : r.Val.isInt()))
        return false;
    values.items.push_back(
        bare(isFloat ? hotReal(type.kind, r.Val.getFloat(), loc) : hotInteger(type.kind, r.Val.getInt(), loc)));
    return true;
}

/* All of an array, whatever its dimensions; of structs the field of that number. NULL is zeros. */
bool HotUnit::entries(const Expr *init, QualType written, const HotType &type, int field, HotNode &values)
{
    init = init ? init->IgnoreParens() : nullptr;
    const auto *list = dyn_cast_or_null<InitListExpr>(init);
    const auto *array = ctx.getAsConstantArrayType(written);
    if (!array && field < 0)
        return entry(init, type, values);
    if (!list && !isZero(init) && !(array && isa<StringLiteral>(init)))
        return false;
    if (!array) {
        const Expr *one = list && unsigned(field) < list->getNumInits() ? list->getInit(unsigned(field)) : nullptr;
        return entry(one, type, values);
    }
    const auto *text = list && list->getNumInits() == 1 ? dyn_cast<StringLiteral>(list->getInit(0)->IgnoreParens())
                                                        : dyn_cast_or_null<StringLiteral>(init);
    if (text && !array->getElementType()->isCharType())
        text = nullptr; /* the only row of several dimensions */
    uint64_t size = array->getSize().getLimitedValue(1u << 17);
    for (uint64_t i = 0; i < size; i++) {
        if (text) {
            int unit = i < text->getLength() ? int(text->getCodeUnit(unsigned(i))) : 0;
            int value = type.kind == CELL_KIND_I8 ? int(int8_t(unit)) : unit;
            values.items.push_back(bare(hotInteger(type.kind, value, init->getBeginLoc())));
        } else if (!entries(list && i < list->getNumInits() ? list->getInit(unsigned(i)) : nullptr,
                            array->getElementType(), type, field, values)) {
            return false;
        }
    }
    return true;
}

/* Strings: their initialisers are no numbers. */
bool HotUnit::texts(const Expr *init, const HotType &type, int field, HotNode &values)
{
    const auto *list = dyn_cast<InitListExpr>(init->IgnoreParenImpCasts());
    for (uint64_t i = 0; i < type.count; i++) {
        const Expr *one = list && i < list->getNumInits() ? list->getInit(unsigned(i)) : nullptr;
        HotNode n = hotString("", init->getBeginLoc());
        if (one && field >= 0) {
            const auto *inner = dyn_cast<InitListExpr>(one->IgnoreParenImpCasts());
            one = inner && unsigned(field) < inner->getNumInits() ? inner->getInit(unsigned(field)) : nullptr;
        }
        if (one && !isa<ImplicitValueInitExpr>(one) && !hotStringLiteral(*this, one, n))
            return refuse(one->getBeginLoc(), CellDiag::HotText);
        values.items.push_back(bare(std::move(n)));
    }
    return list != nullptr;
}

const HotTable *HotUnit::table(const VarDecl *v, const FieldDecl *field, SourceLocation loc)
{
    auto known = tables.find({v, field});
    if (known != tables.end())
        return known->second ? &document.tables[known->second - 1] : nullptr;
    size_t &place = tables[{v, field}];
    const VarDecl *defined = nullptr;
    const Expr *init = v->getAnyInitializer(defined);
    HotTable t;
    HotType whole;
    int number = -1;
    if (!init || !v->getType()->isArrayType() || !ctx.getBaseElementType(v->getType()).isConstQualified()) {
        refuse(loc, CellDiag::HotGlobal, v);
        return nullptr;
    }
    QualType element = field ? field->getType() : ctx.getBaseElementType(v->getType());
    if (element->isArrayType() || !typeOf(element.getUnqualifiedType(), loc, t.type))
        return refuse(loc, CellDiag::HotTable, v), nullptr;
    if (t.type.kind == CELL_KIND_STRUCT)
        return refuse(loc, CellDiag::HotTable, v), nullptr;
    t.type.name = hotKindName(t.type.kind);
    t.type.count = 1;
    for (QualType q = v->getType(); const auto *a = ctx.getAsConstantArrayType(q); q = a->getElementType())
        t.type.count *= a->getSize().getLimitedValue(1u << 17);
    if (t.type.count > 65536)
        return refuse(loc, CellDiag::HotArraySize, v->getType()), nullptr;
    for (unsigned i = 0; field && number < 0; i++)
        number = fieldNumber(field->getParent(), i) == field ? int(i) : -1;
    bool good = t.type.kind == CELL_KIND_STR ? texts(init, t.type, number, t.values)
                                             : entries(init, v->getType(), t.type, number, t.values);
    if (!good || t.values.items.size() != t.type.count)
        return refuse(loc, CellDiag::HotTable, v), nullptr;
    t.name = globalName(field ? (v->getName() + "_" + field->getName()).str() : v->getName().str());
    document.tables.push_back(std::move(t));
    place = document.tables.size();
    return &document.tables.back();
}
