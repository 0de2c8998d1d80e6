/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Calls: of the author's own functions, of math.h's, and of those of cell/text.h. */
#include "HotImpl.h"

#include "llvm/ADT/StringSwitch.h"

using namespace clang;

namespace
{

#define SAME(name) {name, name, false}
#define BOTH(name)                                                                                                     \
    {name, name, false}, { name "f", name, false }
const HotLibrary libraries[] = {
    BOTH("fabs"),
    BOTH("sqrt"),
    BOTH("floor"),
    BOTH("ceil"),
    BOTH("trunc"),
    BOTH("round"),
    BOTH("rint"),
    BOTH("fmin"),
    BOTH("fmax"),
    BOTH("copysign"),
    {"nearbyint", "rint", false},
    {"nearbyintf", "rint", false},
    SAME("cbrt"),
    SAME("exp"),
    SAME("exp2"),
    SAME("expm1"),
    SAME("log"),
    SAME("log2"),
    SAME("log10"),
    SAME("log1p"),
    SAME("sin"),
    SAME("cos"),
    SAME("tan"),
    SAME("asin"),
    SAME("acos"),
    SAME("atan"),
    SAME("sinh"),
    SAME("cosh"),
    SAME("tanh"),
    SAME("asinh"),
    SAME("acosh"),
    SAME("atanh"),
    SAME("erf"),
    SAME("erfc"),
    SAME("tgamma"),
    SAME("lgamma"),
    SAME("pow"),
    SAME("atan2"),
    SAME("hypot"),
    SAME("fmod"),
    SAME("remainder"),
    SAME("fdim"),
    SAME("ldexp"),
    SAME("fma"),
    SAME("abs"),
    {"labs", "abs", false},
    {"llabs", "abs", false},
    {"isnan", "isnan", true},
    {"isinf", "isinf", true},
    {"isinf_sign", "isinf", true},
    {"isfinite", "isfinite", true},
    {"finite", "isfinite", true},
    {"signbit", "signbit", true},
    {"signbitf", "signbit", true},
    {"cell_str_eq", "same", false},
    {"cell_str_byte", "byte", false},
    {"cell_str_compare", "compare", false},
    {"cell_str_find", "find", false},
    {"cell_str_starts", "starts", false},
    {"cell_str_ends", "ends", false},
    {"cell_str_sub", "sub", false},
    {"cell_str_utf8_at", "utf8_at", false},
    {"cell_str_utf8_next", "utf8_next", false},
    {"cell_str_is_i64", "is_i64", false},
    {"cell_str_parse_i64", "parse_i64", false},
    {"cell_str_is_f64", "is_f64", false},
    {"cell_str_parse_f64", "parse_f64", false},
};
#undef SAME
#undef BOTH

/* The function of C's library, or Cell's, that `g` is; NULL = none that can be served. A function of the author's may
 * have such a name. */
const HotLibrary *libraryOf(const ASTContext &ctx, const FunctionDecl *g)
{
    llvm::StringRef name = g->getName();
    bool own = name.consume_front("__builtin_");
    bool system = ctx.getSourceManager().isInSystemHeader(g->getCanonicalDecl()->getLocation());
    if (!own && g->getBuiltinID() == 0 && !system)
        return nullptr;
    for (const HotLibrary &l : libraries)
        if (name == l.name)
            return &l;
    return nullptr;
}

} // namespace

const HotFunction *HotBody::statusFunction(const Expr *e) const
{
    const auto *c = dyn_cast<CallExpr>(e);
    const FunctionDecl *g = c ? c->getDirectCallee() : nullptr;
    const HotFunction *found = g ? unit.find(g) : nullptr;
    return found && found->status && !found->returnsVoid ? found : nullptr;
}

/* ---- arguments ---- */

HotNode HotBody::argument(const HotParam &p, const Expr *e, bool reads)
{
    SourceLocation loc = e->getBeginLoc();
    HotNode n;
    if (p.mode == HotMode::Value) {
        if (p.type.kind == CELL_KIND_STR && stringLiteral(e, n))
            return n;
        return value(e);
    }
    e = e->IgnoreParens();
    while (const auto *c = dyn_cast<ImplicitCastExpr>(e)) {
        if (c->getCastKind() == CK_ArrayToPointerDecay)
            return place(c->getSubExpr(), reads);
        if (c->getCastKind() != CK_LValueToRValue && c->getCastKind() != CK_NoOp)
            return refuse(loc, CellDiag::HotPointerCast);
        e = c->getSubExpr()->IgnoreParens();
    }
    const auto *r = dyn_cast<DeclRefExpr>(e);
    const auto *v = r ? dyn_cast<ParmVarDecl>(r->getDecl()) : nullptr;
    const Binding *b = v ? find(v) : nullptr;
    if (b && b->mode != HotMode::Value && b->mode != HotMode::Unusable)
        return hotText(b->name, loc);
    return placeOfPointer(e, reads);
}

/* The parts from a variable to one of its own, the variable first. */
static std::vector<const HotNode *> partsOf(const HotNode &whole)
{
    std::vector<const HotNode *> parts;
    const HotNode *n = &whole;
    for (; n->is("[]") || n->is("."); n = &n->items[1])
        parts.push_back(n);
    parts.push_back(n);
    std::reverse(parts.begin(), parts.end());
    return parts;
}

/* Whether two places are known to have nothing in common. */
static bool areApart(const HotNode &a, const HotNode &b)
{
    std::vector<const HotNode *> x = partsOf(a), y = partsOf(b);
    if (x[0]->kind != HotNode::Text || y[0]->kind != HotNode::Text || x[0]->text != y[0]->text)
        return true;
    for (size_t i = 1; i < x.size() && i < y.size(); i++) {
        int64_t p, q;
        bool field = x[i]->is(".");
        if (field ? x[i]->items[2].text != y[i]->items[2].text
                  : hotIntegerOf(x[i]->items[2], p) && hotIntegerOf(y[i]->items[2], q) && p != q)
            return true;
    }
    return false;
}

/* `n` with the arguments behind what it has. What is read and written goes in and comes out. */
HotNode HotBody::callOf(const HotFunction &g, const CallExpr *e, HotNode n)
{
    std::vector<std::pair<HotNode, bool>> places; /* and whether they are written */
    n.loc = e->getBeginLoc();
    for (unsigned i = 0; i < e->getNumArgs() && i < g.params.size(); i++) {
        const HotParam &p = g.params[i];
        HotNode a = argument(p, e->getArg(i), p.mode == HotMode::In);
        bool writes = p.mode == HotMode::Out || p.mode == HotMode::InOut;
        for (const auto &other : places)
            if (p.mode != HotMode::Value && (writes || other.second) && !areApart(a, other.first))
                unit.refuse(e->getArg(i)->getBeginLoc(), CellDiag::HotOverlap);
        if (p.mode != HotMode::Value)
            places.push_back({a, writes});
        if (p.mode == HotMode::InOut)
            n.items.push_back(a);
        n.items.push_back(std::move(a));
    }
    return n;
}

/* A call whose status is a value: it is made before. */
HotNode HotBody::statusCall(const HotFunction &g, const CallExpr *e)
{
    SourceLocation loc = e->getBeginLoc();
    if (!mayHoist(loc))
        return hotBool(false, loc);
    HotType i32;
    i32.name = "i32";
    i32.kind = CELL_KIND_I32;
    HotNode t = hoist(i32, hotInteger(CELL_KIND_I32, 0, loc), loc);
    emit(callOf(g, e, hotOperation(loc, "status", t, hotText(g.name, loc))));
    return t;
}

void HotBody::callStatement(const CallExpr *e)
{
    SourceLocation loc = e->getBeginLoc();
    const FunctionDecl *callee = e->getDirectCallee();
    const HotFunction *g = callee ? unit.find(callee) : nullptr;
    if (!g || !g->returnsVoid) {
        value(e); /* for the status; anything else has no effect */
        return;
    }
    if (f.status)
        return emit(callOf(*g, e, hotOperation(loc, "try", hotText(g->name, loc))));
    HotType i32;
    i32.name = "i32";
    i32.kind = CELL_KIND_I32;
    HotNode t = hoist(i32, hotInteger(CELL_KIND_I32, 0, loc), loc);
    emit(callOf(*g, e, hotOperation(loc, "status", std::move(t), hotText(g->name, loc))));
}

/* ---- calls ---- */

HotNode HotBody::libraryCall(const CallExpr *e, const HotLibrary &l)
{
    HotNode n = hotOperation(e->getBeginLoc(), l.operation), text;
    for (const Expr *a : e->arguments())
        if (isString(a->getType()) && stringLiteral(a, text))
            n.items.push_back(std::move(text));
        else
            n.items.push_back(value(a));
    return n;
}

/* A call of isnan and its like, whose int is a truth value. */
bool HotBody::test(const CallExpr *e, HotNode &n)
{
    const FunctionDecl *g = e->getDirectCallee();
    const HotLibrary *l = g && g->getIdentifier() ? libraryOf(ctx, g) : nullptr;
    if (!l || !l->isTest)
        return false;
    n = libraryCall(e, *l);
    return true;
}

HotNode HotBody::call(const CallExpr *e)
{
    SourceLocation loc = e->getBeginLoc();
    const FunctionDecl *g = e->getDirectCallee();
    HotNode n;
    HotType type;
    if (!g || !g->getIdentifier())
        return refuse(loc, CellDiag::HotFunctionPointer, "this");
    if (const HotFunction *own = unit.find(g)) {
        if (own->returnsVoid)
            return refuse(loc, CellDiag::HotExpression);
        if (own->status)
            return statusCall(*own, e);
        return callOf(*own, e, hotOperation(loc, "call", hotText(own->name, loc)));
    }
    if (test(e, n)) {
        llvm::StringRef name = g->getName();
        if (name.contains("isinf_sign"))
            return refuse(loc, CellDiag::HotSign);
        return unit.typeOf(e->getType(), loc, type) ? convert(std::move(n), CELL_KIND_BOOL, type.kind) : n;
    }
    if (const HotLibrary *l = libraryOf(ctx, g))
        return libraryCall(e, *l);
    if (g->getName() == "__builtin_expect" && e->getNumArgs() == 2)
        return value(e->getArg(0));
    if (unit.isHidden(g))
        return hotBool(false, loc); /* what is wrong with it was said */
    if (g->isVariadic())
        return refuse(loc, CellDiag::HotVariadic, g);
    return refuse(loc, CellDiag::HotCall, g);
}
