/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Loops. One that counts between two values that do not change becomes the document's "for" or "down"; its bound is
 * known here, or is what the verifier proves. Any other one counts its steps beside, and fails beyond a stated bound.
 */
#include "HotImpl.h"

#include "clang/AST/Attr.h"

extern "C" {
#include "cell/errors.h"
#include "core/ast.h"
}

using namespace clang;

/* "for (i = first; i < end; i++)" and its like. */
struct HotBody::Counted {
    const VarDecl *v = nullptr;
    const Expr *first = nullptr, *end = nullptr;
    bool up = true, closed = false; /* the end is reached */
    bool testSteps = false;         /* i-- > 0 */
    int64_t by = 1;
    HotType own, compared;          /* the counter's type, and in which it is compared */
    std::vector<const Expr *> also; /* further conditions */
    unsigned wraps = 0;             /* HotLoop::mayWrap */
    HotNode from, to;
    HotNode first0; /* when steps are counted: where they begin */
};

/* ---- recognising ---- */

static const VarDecl *variableOf(const Expr *e)
{
    const auto *r = dyn_cast<DeclRefExpr>(e->IgnoreParenImpCasts());
    return r ? dyn_cast<VarDecl>(r->getDecl()) : nullptr;
}

/* What a "for" begins to count with. */
static const VarDecl *counterOf(const ForStmt *s, const Expr **first)
{
    if (const auto *d = dyn_cast_or_null<DeclStmt>(s->getInit())) {
        const auto *v = d->decl_begin() == d->decl_end() ? nullptr : dyn_cast<VarDecl>(*d->decl_begin());
        *first = v ? v->getInit() : nullptr;
        return *first ? v : nullptr;
    }
    const auto *b = dyn_cast_or_null<BinaryOperator>(s->getInit());
    if (!b || b->getOpcode() != BO_Assign)
        return nullptr;
    *first = b->getRHS();
    return variableOf(b->getLHS());
}

/* Whether `v` is the counter of loops and nothing else, so that nobody asks for it behind them. */
static bool onlyCounts(const Stmt *body, const VarDecl *v)
{
    unsigned inLoops = 0;
    hotWalk(body, [&](const Stmt *s) {
        const Expr *first;
        const auto *loop = dyn_cast<ForStmt>(s);
        if (loop && counterOf(loop, &first) == v)
            inLoops += hotUses(loop, v);
    });
    return inLoops == hotUses(body, v);
}

static bool isFixed(const Expr *e, const ForStmt *s, const VarDecl *counter)
{
    bool fixed = !hotHasEffects(e);
    hotWalk(e, [&](const Stmt *part) {
        const auto *r = dyn_cast<DeclRefExpr>(part);
        const auto *v = r ? dyn_cast<VarDecl>(r->getDecl()) : nullptr;
        if (v)
            fixed = fixed && v != counter && !hotWrites(s->getBody(), v) && !(s->getInc() && hotWrites(s->getInc(), v));
    });
    return fixed;
}

static void conjuncts(const Expr *e, std::vector<const Expr *> &all)
{
    for (;;) {
        const auto *b = dyn_cast<BinaryOperator>(e->IgnoreParens());
        if (!b || b->getOpcode() != BO_LAnd)
            break;
        all.push_back(b->getRHS());
        e = b->getLHS();
    }
    all.push_back(e);
    std::reverse(all.begin(), all.end());
}

static BinaryOperatorKind mirrored(BinaryOperatorKind op)
{
    return op == BO_LT ? BO_GT : op == BO_GT ? BO_LT : op == BO_LE ? BO_GE : op == BO_GE ? BO_LE : op;
}

/* The first part of the condition that the counter is bounded by. */
bool HotBody::condition(const ForStmt *s, const Expr *cond, Counted &c)
{
    const auto *b = dyn_cast<BinaryOperator>(cond->IgnoreParens());
    if (!b || !b->isComparisonOp())
        return false;
    const Expr *left = b->getLHS(), *right = b->getRHS();
    BinaryOperatorKind op = b->getOpcode();
    const auto *down = dyn_cast<UnaryOperator>(left->IgnoreParenImpCasts());
    bool steps = down && down->getOpcode() == UO_PostDec && variableOf(down->getSubExpr()) == c.v && op == BO_GT;
    if (!steps && variableOf(left) != c.v) {
        std::swap(left, right);
        op = mirrored(op);
    }
    if ((!steps && variableOf(left) != c.v) || !isFixed(right, s, c.v) || !isSimple(right) || op == BO_EQ ||
        !unit.typeOf(left->getType(), left->getExprLoc(), c.compared) || c.compared.kind > CELL_KIND_U64 ||
        c.compared.kind < CELL_KIND_I8)
        return false;
    c.end = right;
    c.testSteps = steps;
    c.up = op == BO_LT || op == BO_LE || (op == BO_NE && c.up);
    c.closed = op == BO_LE || op == BO_GE;
    Expr::EvalResult known, first;
    bool constant = right->EvaluateAsInt(known, ctx);
    if (op == BO_NE) /* the other side must be met */
        return constant && c.first->EvaluateAsInt(first, ctx) &&
               (c.up ? first.Val.getInt().getExtValue() <= known.Val.getInt().getExtValue()
                     : first.Val.getInt().getExtValue() >= known.Val.getInt().getExtValue());
    bool isUnsigned = (c.compared.kind - CELL_KIND_I8) % 2 == 1;
    if (op == BO_GE && isUnsigned && !(constant && !known.Val.getInt().isZero()))
        return false; /* what is not below 0 never ends */
    /* The counter may be too small to get there. */
    bool small = c.own.kind == CELL_KIND_U32 && c.compared.kind > CELL_KIND_U32 && !c.first->EvaluateAsInt(first, ctx);
    return constant || (c.own.kind >= CELL_KIND_I32 && !small);
}

/* The counter's step. */
bool HotBody::stepOf(const ForStmt *s, Counted &c)
{
    const Expr *inc = s->getInc() ? s->getInc()->IgnoreParens() : nullptr;
    c.by = 0;
    if (const auto *u = dyn_cast_or_null<UnaryOperator>(inc)) {
        if (u->isIncrementDecrementOp() && variableOf(u->getSubExpr()) == c.v)
            c.by = u->isIncrementOp() ? 1 : -1;
    } else if (const auto *a = dyn_cast_or_null<CompoundAssignOperator>(inc)) {
        Expr::EvalResult r;
        if (variableOf(a->getLHS()) == c.v && (a->getOpcode() == BO_AddAssign || a->getOpcode() == BO_SubAssign) &&
            a->getRHS()->EvaluateAsInt(r, ctx) && r.Val.getInt().getSignificantBits() < 32)
            c.by = (a->getOpcode() == BO_AddAssign ? 1 : -1) * r.Val.getInt().getExtValue();
    }
    return inc ? c.by != 0 : true;
}

bool HotBody::counted(const ForStmt *s, Counted &c)
{
    c.v = counterOf(s, &c.first);
    if (!c.v || !s->getCond() || !c.v->hasLocalStorage() || !c.v->getType()->isIntegerType() ||
        c.v->getType()->isBooleanType() || c.v->getType().isVolatileQualified() || hotWrites(s->getBody(), c.v) ||
        !unit.typeOf(c.v->getType(), c.v->getLocation(), c.own) || !isSimple(c.first) || !stepOf(s, c))
        return false;
    if (!isa<DeclStmt>(s->getInit()) && (isa<ParmVarDecl>(c.v) || !onlyCounts(f.decl->getBody(), c.v)))
        return false;
    std::vector<const Expr *> parts;
    conjuncts(s->getCond(), parts);
    const Expr *bound = nullptr; /* a constant one if there is any */
    for (const Expr *part : parts) {
        Counted trial = c;
        Expr::EvalResult known;
        trial.up = c.by > 0;
        if (condition(s, part, trial) &&
            (!bound || (!c.end->EvaluateAsInt(known, ctx) && trial.end->EvaluateAsInt(known, ctx)))) {
            bound = part;
            c = trial;
        }
    }
    for (const Expr *part : parts) {
        if (part != bound && !isSimple(part))
            return false;
        if (part != bound)
            c.also.push_back(part);
    }
    if (!c.end || c.testSteps != (s->getInc() == nullptr))
        return false;
    if (c.testSteps)
        c.by = -1;
    return c.up == (c.by > 0);
}

/* ---- writing ---- */

/* `e` as a number of the loop's type, and one more of it when it is `closed`. */
HotNode HotBody::endOf(const Expr *e, bool more, unsigned which, Counted &c)
{
    SourceLocation loc = e->getExprLoc();
    HotType type;
    int64_t known;
    if (!unit.typeOf(e->getType(), loc, type))
        return hotBool(false, loc);
    /* first - 1 + 1: C does not say what the difference of the smallest number is */
    const auto *b = dyn_cast<BinaryOperator>(e->IgnoreParenImpCasts());
    Expr::EvalResult one;
    if (more && b && b->getOpcode() == BO_Sub && b->getType()->isSignedIntegerType() && type.kind == c.compared.kind &&
        ctx.hasSameUnqualifiedType(b->getType(), e->getType()) && b->getRHS()->EvaluateAsInt(one, ctx) &&
        one.Val.getInt() == 1)
        return value(b->getLHS());
    HotNode n = value(e);
    bool constant = hotIntegerOf(n, known);
    if (constant)
        n = hotInteger(c.compared.kind, known, loc);
    else
        n = convert(std::move(n), type.kind, c.compared.kind);
    if (!more)
        return n;
    bool narrow = c.compared.kind != CELL_KIND_U64 && c.compared.kind != CELL_KIND_I64;
    if (constant && (narrow ? known < INT32_MAX : known < INT64_MAX))
        return hotInteger(c.compared.kind, known + 1, loc);
    c.wraps |= which;
    return hotOperation(loc, "+", std::move(n), hotInteger(c.compared.kind, 1, loc));
}

const char *HotBody::faultName() const { return cell_status_name(f.fault ? f.fault : CELL_OUT_OF_RANGE); }

/* CELL_BOUND's number; 0 = there is none, or it was refused. */
uint64_t HotBody::statedBound(const Stmt *body)
{
    std::string text;
    uint64_t n = 0;
    const AnnotateAttr *a = hotStatedBound(body);
    if (!a)
        return 0;
    if (a->args_size() != 1 || !cellAnnotationArgument(ctx, *a->args_begin(), text) ||
        llvm::StringRef(text).getAsInteger(10, n) || n == 0 || n >= CELL_AST_MAX_BOUND) {
        unit.refuse(a->getLocation(), CellDiag::HotBoundValue, static_cast<int>(CELL_AST_MAX_BOUND - 1));
        return 1;
    }
    return n;
}

static HotNode when(HotNode test, HotNode then, SourceLocation loc)
{
    HotNode block;
    block.loc = loc;
    block.items.push_back(std::move(then));
    return hotOperation(loc, "if", std::move(test), std::move(block));
}

/* What stands before the statements of a counted loop. */
void HotBody::beginCounted(const Counted &c, const std::string &counter, uint64_t stated, SourceLocation loc)
{
    if (stated) {
        HotNode i = convert(hotText(counter, loc), c.compared.kind, CELL_KIND_U64);
        int64_t known;
        HotNode from = hotIntegerOf(c.from, known)
                           ? hotInteger(CELL_KIND_U64, llvm::APSInt(llvm::APInt(64, uint64_t(known)), true), loc)
                           : convert(c.from, c.compared.kind, CELL_KIND_U64);
        HotNode done = c.up ? hotOperation(loc, "-", std::move(i), std::move(from))
                            : hotOperation(loc, "-", std::move(from), hotInteger(CELL_KIND_U64, 1, loc), std::move(i));
        emit(when(hotOperation(loc, "==", std::move(done), hotInteger(CELL_KIND_U64, int64_t(stated), loc)),
                  hotOperation(loc, "fail", hotText(faultName(), loc)), loc));
    }
    if (bindings[c.v].name != counter) {
        HotNode own = hotText(counter, loc);
        if (c.by != 1 && c.by != -1) /* what is counted is the steps */
            own = hotOperation(loc, "+", c.first0,
                               hotOperation(loc, "*", std::move(own), hotInteger(CELL_KIND_I64, c.by, loc)));
        emit(hotOperation(loc, "let", hotText(bindings[c.v].name, loc), hotText(c.own.text(), loc),
                          convert(std::move(own), c.compared.kind, c.own.kind)));
    }
    for (const Expr *part : c.also) {
        HotNode test = hotOperation(part->getExprLoc(), "!", boolean(part));
        emit(when(std::move(test), hotOperation(part->getExprLoc(), "break"), part->getExprLoc()));
    }
}

/* False when it counts in a way that the document cannot: nothing was written. */
bool HotBody::emitCounted(const ForStmt *s, Counted &c)
{
    SourceLocation loc = s->getBeginLoc();
    uint64_t stated = f.status ? statedBound(s->getBody()) : 0;
    int64_t low, high;
    c.from = endOf(c.first, !c.up && !c.testSteps, 1, c);
    c.to = endOf(c.end, c.up ? c.closed : !c.closed && !c.testSteps, 2, c);
    if (!reaches(c) || (c.by != 1 && c.by != -1 && !strided(c)))
        return false;
    bool known = hotIntegerOf(c.up ? c.from : c.to, low) && hotIntegerOf(c.up ? c.to : c.from, high);
    uint64_t bound = known    ? (high > low ? uint64_t(high) - uint64_t(low) : 1)
                     : stated ? stated + 1
                              : CELL_AST_MAX_BOUND;
    if (bound > CELL_AST_MAX_BOUND)
        return unit.refuse(loc, CellDiag::HotBound, f.status), true;
    if (stated && !known && !hotIntegerOf(c.from, low))
        c.from = hoist(c.compared, c.from, loc);
    size_t seen = visible.size();
    auto outer = bindings.find(c.v) == bindings.end() ? std::optional<Binding>() : bindings[c.v];
    std::string name = declareName(c.v->getName()), counter = name;
    if (c.own.kind != c.compared.kind || (c.by != 1 && c.by != -1))
        name = declareName(c.v->getName());
    bindings[c.v] = {name, c.own, HotMode::Value, ""};
    HotNode body;
    auto *around = std::exchange(out, &body.items);
    beginCounted(c, counter, known ? 0 : stated, loc);
    statement(s->getBody());
    out = around;
    visible.resize(seen);
    if (outer)
        bindings[c.v] = *outer;
    HotNode n = hotOperation(loc, c.up ? "for" : "down", hotText(counter, loc), std::move(c.from), std::move(c.to),
                             hotNumber(bound, loc), std::move(body));
    n.loop = int(unit.document.loops.size());
    unit.document.loops.push_back({loc, bound, known || stated, c.wraps, f.status});
    emit(std::move(n));
    return true;
}

/* Whether a counter of less than an int can hold the value that ends the loop; if not, C's loop has no end. */
bool HotBody::reaches(const Counted &c) const
{
    int64_t end, first;
    if (c.own.kind >= CELL_KIND_I32)
        return true;
    bool isSigned = c.own.kind == CELL_KIND_I8 || c.own.kind == CELL_KIND_I16;
    int64_t values = c.own.kind <= CELL_KIND_U8 ? 256 : 65536;
    int64_t least = isSigned ? -values / 2 : 0, greatest = least + values - 1;
    if (!hotIntegerOf(c.to, end))
        return false;
    if (c.by == 1 || c.by == -1)
        return c.up ? end <= greatest : end - 1 >= least;
    if (!hotIntegerOf(c.from, first))
        return false;
    return c.up ? end - 1 + c.by <= greatest : end + c.by >= least;
}

/* Steps of more than one between constants: the steps are counted instead. */
bool HotBody::strided(Counted &c)
{
    int64_t low, high;
    if (!hotIntegerOf(c.from, low) || !hotIntegerOf(c.to, high))
        return false;
    int64_t by = c.by > 0 ? c.by : -c.by, first = c.up ? low : low - 1, span = c.up ? high - low : low - high;
    c.first0 = hotInteger(CELL_KIND_I64, first, c.from.loc);
    c.compared.kind = CELL_KIND_I64;
    c.compared.name = "i64";
    c.from = hotInteger(CELL_KIND_I64, 0, c.from.loc);
    c.to = hotInteger(CELL_KIND_I64, span > 0 ? (span + by - 1) / by : 0, c.to.loc);
    c.up = true;
    c.wraps = 0;
    return true;
}

void HotBody::forStatement(const ForStmt *s)
{
    Counted c;
    if (s->getConditionVariable()) {
        unit.refuse(s->getBeginLoc(), CellDiag::HotStatement);
        return;
    }
    const auto *d = dyn_cast_or_null<DeclStmt>(s->getInit());
    if (counted(s, c)) {
        if (d)
            for (const Decl *other : d->decls())
                if (const auto *v = dyn_cast<VarDecl>(other); v && v != c.v)
                    variable(v);
        if (emitCounted(s, c))
            return;
        if (d)
            variable(c.v);
        else
            statement(s->getInit());
    } else if (s->getInit()) {
        statement(s->getInit());
    }
    openLoop(s, s->getCond(), s->getInc(), s->getBody(), false);
}

/* A loop that counts nothing that is known: how often it has run is counted beside, and more than is stated fails. */
void HotBody::openLoop(const Stmt *s, const Expr *cond, const Expr *inc, const Stmt *body, bool testsLast)
{
    SourceLocation loc = s->getBeginLoc();
    bool truth = true;
    bool known = !cond || cond->EvaluateAsBooleanCondition(truth, ctx);
    if (testsLast && known && !truth) /* do { … } while (0) */
        return emit(hotOperation(loc, "loop", hotNumber(1, loc), block(body)));
    uint64_t stated = statedBound(body);
    if (!stated || !f.status) {
        unit.refuse(loc, CellDiag::HotBound, f.status);
        return;
    }
    f.open = true;
    size_t seen = visible.size();
    std::string k = declareName("k");
    HotNode inside, later;
    auto *around = std::exchange(out, &later.items);
    if (inc)
        effect(inc);
    if (testsLast && !known)
        emit(when(hotOperation(loc, "!", boolean(cond)), hotOperation(loc, "break"), loc));
    out = &inside.items;
    if (!later.items.empty())
        emit(hotOperation(loc, "if", hotOperation(loc, ">", hotText(k, loc), hotNumber(0, loc)), std::move(later)));
    if (!testsLast && !(known && truth))
        emit(when(hotOperation(loc, "!", boolean(cond)), hotOperation(loc, "break"), loc));
    emit(when(hotOperation(loc, "==", hotText(k, loc), hotNumber(stated, loc)),
              hotOperation(loc, "fail", hotText(faultName(), loc)), loc));
    statement(body);
    out = around;
    visible.resize(seen);
    emit(hotOperation(loc, "for", hotText(k, loc), hotNumber(0, loc), hotNumber(stated + 1, loc),
                      hotNumber(stated + 1, loc), std::move(inside)));
}
