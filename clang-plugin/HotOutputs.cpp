/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Structs and arrays that a hot function writes begin as zeros in the document, and in C as what the caller has there.
 * So that nobody sees the difference, each part must be written before it is read and before the function succeeds. Of
 * numbers the verifier says so itself.
 */
#include "HotImpl.h"

#include "llvm/ADT/BitVector.h"

using namespace clang;

namespace
{

/* Where a place lies in the output, in numbers and strings from its beginning. */
struct Part {
    unsigned begin = 0, count = 0;
    bool exact = true;                /* else it is one of several */
    const VarDecl *counter = nullptr; /* it is array[counter]; begin and count are the array's */
};

struct Written {
    llvm::BitVector parts;
    std::set<std::pair<unsigned, const VarDecl *>> elements; /* array[counter], by where the array begins */
    bool dead = false;

    /* What `s` does to counters is the end of what is known of their elements. */
    void forget(const Stmt *s)
    {
        for (auto i = elements.begin(); i != elements.end();)
            i = hotWrites(s, i->second) ? elements.erase(i) : std::next(i);
    }

    void meet(const Written &other)
    {
        if (dead || other.dead) {
            if (dead)
                *this = other;
            return;
        }
        parts &= other.parts;
        for (auto i = elements.begin(); i != elements.end();)
            i = other.elements.count(*i) ? std::next(i) : elements.erase(i);
    }
};

class Outputs
{
  public:
    Outputs(HotUnit &whole, const HotFunction &function, const HotParam &output)
        : unit(whole), ctx(whole.ctx), f(function), p(output)
    {
    }
    void run();

  private:
    unsigned leaves(QualType type) const;
    bool part(const Expr *e, Part &out) const;
    bool isPlace(const Expr *e) const;
    void read(const Expr *e, Written &w);
    void write(const Expr *e, Written &w);
    void indices(const Expr *e, Written &w);
    void expression(const Expr *e, Written &w);
    void call(const CallExpr *e, Written &w);
    void statement(const Stmt *s, Written &w);
    void loop(const Stmt *s, const Stmt *body, Written &w);
    void filled(const ForStmt *s, const Written &end, Written &w) const;
    void switchStatement(const SwitchStmt *s, Written &w);
    void returns(const Expr *e, SourceLocation loc, Written &w);
    void report(SourceLocation loc, bool left)
    {
        if (!std::exchange(reported, true))
            unit.refuse(loc, CellDiag::HotOutput, p.decl->getName(), left ? 1 : 0);
    }

    HotUnit &unit;
    ASTContext &ctx;
    const HotFunction &f;
    const HotParam &p;
    std::vector<const VarDecl *> failing;            /* as HotBody has it */
    bool reported = false;                           /* once is enough */
    Written *breaks = nullptr, *continues = nullptr; /* of the loop or switch around */
};

unsigned Outputs::leaves(QualType type) const
{
    if (const auto *a = ctx.getAsConstantArrayType(type))
        return unsigned(a->getSize().getLimitedValue(65536)) * leaves(a->getElementType());
    const auto *r = type->getAs<RecordType>();
    if (!r || cellcompat::startsWith(r->getDecl()->getName(), "cell_"))
        return 1;
    unsigned n = 0;
    for (const FieldDecl *field : r->getDecl()->fields())
        n += leaves(field->getType());
    return n;
}

/* Whether `e` is the output or a part of it. */
bool Outputs::isPlace(const Expr *e) const
{
    e = e->IgnoreParens();
    return (isa<DeclRefExpr>(e) || isa<MemberExpr>(e) || isa<ArraySubscriptExpr>(e) ||
            (isa<UnaryOperator>(e) && cast<UnaryOperator>(e)->getOpcode() == UO_Deref)) &&
           hotRoot(e) == p.decl;
}

bool Outputs::part(const Expr *e, Part &out) const
{
    e = e->IgnoreParenImpCasts();
    if (isa<DeclRefExpr>(e)) {
        out = Part();
        out.count = leaves(p.type.count ? p.decl->getOriginalType() : p.decl->getType()->getPointeeType());
        return true;
    }
    if (const auto *u = dyn_cast<UnaryOperator>(e)) {
        if (!part(u->getSubExpr(), out))
            return false;
        if (u->getOpcode() == UO_Deref && p.type.count && isa<DeclRefExpr>(u->getSubExpr()->IgnoreParenImpCasts()))
            out.count = 1; /* the first element */
        return true;
    }
    if (const auto *m = dyn_cast<MemberExpr>(e)) {
        const auto *field = dyn_cast<FieldDecl>(m->getMemberDecl());
        if (!field || !part(m->getBase(), out))
            return false;
        if (out.counter || !out.exact) {
            out.counter = nullptr;
            out.exact = false;
            return true;
        }
        for (const FieldDecl *before : field->getParent()->fields()) {
            if (before == field)
                break;
            out.begin += leaves(before->getType());
        }
        out.count = leaves(field->getType());
        return true;
    }
    const auto *a = dyn_cast<ArraySubscriptExpr>(e);
    Expr::EvalResult index;
    if (!a || !part(a->getBase(), out))
        return false;
    if (out.counter || !out.exact) {
        out.counter = nullptr;
        out.exact = false;
    } else if (a->getIdx()->EvaluateAsInt(index, ctx)) {
        unsigned size = leaves(a->getType());
        uint64_t i = index.Val.getInt().getLimitedValue();
        if (i * size + size > out.count)
            return false;
        out.begin += unsigned(i) * size;
        out.count = size;
    } else {
        const auto *r = dyn_cast<DeclRefExpr>(a->getIdx()->IgnoreParenImpCasts());
        out.exact = false;
        out.counter = r ? dyn_cast<VarDecl>(r->getDecl()) : nullptr;
    }
    return true;
}

void Outputs::read(const Expr *e, Written &w)
{
    Part where;
    if (w.dead || !part(e, where))
        return;
    if (where.counter && w.elements.count({where.begin, where.counter}))
        return;
    for (unsigned i = where.begin; i < where.begin + where.count; i++)
        if (!w.parts.test(i))
            return report(e->getExprLoc(), false);
}

void Outputs::write(const Expr *e, Written &w)
{
    Part where;
    if (!part(e, where))
        return;
    if (where.exact)
        w.parts.set(where.begin, where.begin + where.count);
    else if (where.counter)
        w.elements.insert({where.begin, where.counter});
}

/* What the indices of a place read. */
void Outputs::indices(const Expr *e, Written &w)
{
    e = e->IgnoreParenImpCasts();
    if (const auto *m = dyn_cast<MemberExpr>(e)) {
        indices(m->getBase(), w);
    } else if (const auto *a = dyn_cast<ArraySubscriptExpr>(e)) {
        indices(a->getBase(), w);
        expression(a->getIdx(), w);
    } else if (const auto *u = dyn_cast<UnaryOperator>(e)) {
        indices(u->getSubExpr(), w);
    }
}

void Outputs::call(const CallExpr *e, Written &w)
{
    const FunctionDecl *callee = e->getDirectCallee();
    const HotFunction *g = callee ? unit.find(callee) : nullptr;
    for (unsigned pass = 0; pass < 2; pass++) /* everything is read before anything is written */
        for (unsigned i = 0; i < e->getNumArgs(); i++) {
            const Expr *a = e->getArg(i);
            HotMode mode = g && i < g->params.size() ? g->params[i].mode : HotMode::Value;
            const auto *address = dyn_cast<UnaryOperator>(a->IgnoreParenImpCasts());
            bool own = mode != HotMode::Value && hotRoot(a) == p.decl;
            const Expr *place = address && address->getOpcode() == UO_AddrOf ? address->getSubExpr() : a;
            if (pass == 0 && own && mode != HotMode::Out)
                read(place, w);
            else if (pass == 0 && own)
                indices(place, w);
            else if (pass == 0)
                expression(a, w);
            else if (own && mode != HotMode::In)
                write(place, w);
        }
    if (!w.elements.empty())
        w.forget(e);
}

void Outputs::expression(const Expr *e, Written &w)
{
    e = e->IgnoreParens();
    if (isPlace(e)) {
        indices(e, w);
        return read(e, w);
    }
    if (const auto *g = dyn_cast<CallExpr>(e))
        return call(g, w);
    const auto *b = dyn_cast<BinaryOperator>(e);
    if (b && b->getOpcode() == BO_Assign && isPlace(b->getLHS())) {
        expression(b->getRHS(), w);
        indices(b->getLHS(), w);
        return write(b->getLHS(), w);
    }
    for (const Stmt *child : e->children())
        if (const auto *inner = dyn_cast_or_null<Expr>(child))
            expression(inner, w);
    if (!w.elements.empty())
        w.forget(e);
}

/* ---- control ---- */

void Outputs::returns(const Expr *e, SourceLocation loc, Written &w)
{
    Expr::EvalResult status;
    const auto *c = dyn_cast<ConditionalOperator>(e->IgnoreParenCasts());
    if (c) {
        Written other = w;
        expression(c->getCond(), w);
        returns(c->getTrueExpr(), loc, other);
        return returns(c->getFalseExpr(), loc, w);
    }
    expression(e, w);
    const VarDecl *v = hotRoot(e);
    bool fails = (e->EvaluateAsInt(status, ctx) && status.Val.getInt() < 0) || (v && llvm::is_contained(failing, v));
    if (!fails && !w.dead && !w.parts.all())
        report(loc, true);
    w.dead = true;
}

/* A loop that gives each element of an array a value: what holds at its end holds for all of them. */
void Outputs::filled(const ForStmt *s, const Written &end, Written &w) const
{
    for (const auto &element : end.elements) {
        uint64_t from, to;
        if (!hotCountsOver(ctx, s, element.second, from, to))
            continue;
        for (uint64_t i = from; i < to && element.first + i < w.parts.size(); i++)
            w.parts.set(unsigned(element.first + i));
    }
}

void Outputs::loop(const Stmt *s, const Stmt *body, Written &w)
{
    Written left, again, inside = w;
    left.dead = again.dead = true;
    auto *outerBreaks = std::exchange(breaks, &left), *outerContinues = std::exchange(continues, &again);
    inside.forget(s);
    const auto *counted = dyn_cast<ForStmt>(s);
    statement(body, inside);
    breaks = outerBreaks;
    continues = outerContinues;
    again.meet(inside);
    if (counted && counted->getInc()) { /* only for what it reads */
        Written before = again;
        expression(counted->getInc(), before);
    }
    if (isa<DoStmt>(s)) { /* it runs once */
        w = again;
        w.meet(left);
    } else if (counted && left.dead && !again.dead) {
        filled(counted, again, w);
    }
    w.forget(s);
}

void Outputs::switchStatement(const SwitchStmt *s, Written &w)
{
    expression(s->getCond(), w);
    Written left, group = w;
    bool hasDefault = false;
    left.dead = group.dead = true;
    auto *outer = std::exchange(breaks, &left);
    for (const Stmt *inner : s->getBody()->children()) {
        if (isa<SwitchCase>(inner))
            group = w;
        while (const auto *label = dyn_cast_or_null<SwitchCase>(inner)) {
            hasDefault |= isa<DefaultStmt>(label);
            inner = label->getSubStmt();
        }
        statement(inner, group);
    }
    breaks = outer;
    left.meet(group);
    if (!hasDefault)
        left.meet(w);
    w = left;
}

void Outputs::statement(const Stmt *s, Written &w)
{
    if (!s || w.dead)
        return;
    if (const auto *e = dyn_cast<Expr>(s))
        return expression(e, w);
    if (const auto *r = dyn_cast<ReturnStmt>(s))
        return r->getRetValue() ? returns(r->getRetValue(), r->getBeginLoc(), w) : void();
    if (isa<BreakStmt>(s) || isa<ContinueStmt>(s)) {
        Written *to = isa<BreakStmt>(s) ? breaks : continues;
        if (to)
            to->meet(w);
        w.dead = true;
    } else if (const auto *i = dyn_cast<IfStmt>(s)) {
        expression(i->getCond(), w);
        Written otherwise = w;
        failing.push_back(hotFailedStatus(i));
        statement(i->getThen(), w);
        failing.pop_back();
        statement(i->getElse(), otherwise);
        w.meet(otherwise);
    } else if (const auto *sw = dyn_cast<SwitchStmt>(s)) {
        switchStatement(sw, w);
    } else if (const auto *loops = dyn_cast<ForStmt>(s)) {
        statement(loops->getInit(), w);
        statement(loops->getCond(), w);
        loop(s, loops->getBody(), w);
    } else if (const auto *whiles = dyn_cast<WhileStmt>(s)) {
        expression(whiles->getCond(), w);
        loop(s, whiles->getBody(), w);
    } else if (const auto *dos = dyn_cast<DoStmt>(s)) {
        loop(s, dos->getBody(), w);
        statement(dos->getCond(), w);
    } else if (const auto *declared = dyn_cast<DeclStmt>(s)) {
        for (const Decl *d : declared->decls())
            if (const auto *v = dyn_cast<VarDecl>(d); v && v->getInit())
                expression(v->getInit(), w);
    } else {
        for (const Stmt *inner : s->children())
            statement(inner, w);
    }
}

void Outputs::run()
{
    Written w;
    w.parts.resize(leaves(p.type.count ? p.decl->getOriginalType() : p.decl->getType()->getPointeeType()));
    statement(f.decl->getBody(), w);
}

} // namespace

void HotUnit::checkOutputs(const HotFunction &function)
{
    for (const HotParam &p : function.params)
        if (!failed && p.mode == HotMode::Out &&
            (p.type.count || p.type.kind == CELL_KIND_STRUCT || hotAddressTaken(function.decl->getBody(), p.decl)))
            Outputs(*this, function, p).run();
}
