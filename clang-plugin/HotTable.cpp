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

/* What C's constants are in a table; a struct's field of that number when it is a struct. */
bool HotUnit::entry(const APValue &value, const HotType &type, int field, SourceLocation loc, HotNode &n)
{
    if (field >= 0)
        return value.isStruct() && unsigned(field) < value.getStructNumFields() &&
               entry(value.getStructField(unsigned(field)), type, -1, loc, n);
    if (value.isInt())
        n = bare(hotInteger(type.kind, value.getInt(), loc));
    else if (value.isFloat())
        n = bare(hotReal(type.kind, value.getFloat(), loc));
    else
        return false;
    return true;
}

bool HotUnit::entries(const APValue &value, const HotType &type, int field, SourceLocation loc, HotNode &values)
{
    if (!value.isArray()) {
        HotNode n;
        if (!entry(value, type, field, loc, n))
            return false;
        values.items.push_back(std::move(n));
        return true;
    }
    for (unsigned i = 0; i < value.getArraySize(); i++)
        if (!entries(i < value.getArrayInitializedElts() ? value.getArrayInitializedElt(i) : value.getArrayFiller(),
                     type, field, loc, values))
            return false;
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
    SourceLocation at = v->getLocation();
    const APValue *value = t.type.kind == CELL_KIND_STR ? nullptr : defined->evaluateValue();
    bool good = t.type.kind == CELL_KIND_STR ? texts(init, t.type, number, t.values)
                                             : value && entries(*value, t.type, number, at, t.values);
    if (!good || t.values.items.size() != t.type.count)
        return refuse(loc, CellDiag::HotTable, v), nullptr;
    t.name = globalName(field ? (v->getName() + "_" + field->getName()).str() : v->getName().str());
    document.tables.push_back(std::move(t));
    place = document.tables.size();
    return &document.tables.back();
}
