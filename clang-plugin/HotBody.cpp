/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Statements of a served function. */
#include "HotImpl.h"

#include "clang/AST/Attr.h"

extern "C" {
#include "base/util.h"
#include "cell/errors.h"
}

using namespace clang;

/* ---- names ---- */

/* The author's name where it can be had: the document's variables are not called as anything else that is seen there.
 */
std::string HotBody::declareName(llvm::StringRef wanted)
{
    std::string base = wanted.str();
    if (!cell_is_identifier(base.c_str()) || cell_is_keyword(base.c_str()) || cell_is_reserved(base.c_str()))
        base = "v" + base.substr(0, 100);
    std::string name = base;
    for (unsigned n = 2; unit.isGlobalName(name) || llvm::is_contained(visible, name); n++)
        name = base + "_" + std::to_string(n);
    visible.push_back(name);
    unit.noteLocalName(name);
    return name;
}

const HotBody::Binding *HotBody::find(const VarDecl *v) const
{
    auto found = bindings.find(v);
    return found == bindings.end() ? nullptr : &found->second;
}

bool HotBody::tooDeep(SourceLocation loc)
{
    if (depth <= hotMostDepth)
        return false;
    if (!std::exchange(saidDeep, true))
        unit.refuse(loc, CellDiag::HotDeep, static_cast<int>(hotMostDepth));
    return true;
}

/* ---- a function ---- */

void HotBody::run()
{
    HotNode body;
    bool before = std::exchange(unit.failed, false);
    out = &body.items;
    for (HotParam &p : f.params) {
        p.name = declareName(p.decl->getName());
        Binding b = {p.name, p.type, p.mode, ""};
        if (p.mode == HotMode::InOut)
            b.name = p.outName = declareName(p.name + "_out");
        bindings[p.decl] = b;
    }
    for (HotParam &p : f.params) {
        SourceLocation loc = p.decl->getLocation();
        if (p.mode == HotMode::Value && hotWrites(f.decl->getBody(), p.decl)) {
            Binding &b = bindings[p.decl];
            b.name = declareName(p.name); /* inputs of the document are not written */
            emit(hotOperation(loc, "let", hotText(b.name, loc), hotText(p.type.text(), loc), hotText(p.name, loc)));
        } else if (p.mode == HotMode::InOut && p.type.count) {
            std::string i = declareName("i");
            HotNode copy, from = hotOperation(loc, "[]", hotText(p.name, loc), hotText(i, loc));
            copy.items.push_back(hotOperation(
                loc, "=", hotOperation(loc, "[]", hotText(p.outName, loc), hotText(i, loc)), std::move(from)));
            emit(hotOperation(loc, "for", hotText(i, loc), hotNumber(0, loc), hotNumber(p.type.count, loc),
                              hotNumber(p.type.count, loc), std::move(copy)));
            visible.pop_back();
        } else if (p.mode == HotMode::Out && !p.type.count && p.type.kind != CELL_KIND_STRUCT &&
                   hotAddressTaken(f.decl->getBody(), p.decl)) {
            emit(hotOperation(loc, "=", hotText(p.name, loc), zero(p.type, loc))); /* who is to write it may fail */
        } else if (p.mode == HotMode::InOut) {
            emit(hotOperation(loc, "=", hotText(p.outName, loc), hotText(p.name, loc)));
        }
    }
    for (const Stmt *s : f.decl->getBody()->children())
        statement(s);
    f.body = std::move(body);
    if (!f.internal && !unit.failed)
        unit.checkOutputs(f);
    unit.failed |= before;
}

void HotBody::line(SourceLocation loc)
{
    unsigned now = unit.lineOf(loc);
    if (now == 0 || now == lastLine || unit.document.bare)
        return;
    lastLine = now;
    emit(hotNumber(now, loc));
}

HotNode HotBody::block(const Stmt *s)
{
    HotNode b;
    auto *outer = std::exchange(out, &b.items);
    size_t seen = visible.size();
    bool before = std::exchange(hoists, true);
    b.loc = s->getBeginLoc();
    statement(s);
    hoists = before;
    visible.resize(seen);
    out = outer;
    return b;
}

void HotBody::statement(const Stmt *s)
{
    Deeper deeper(*this);
    if (tooDeep(s->getBeginLoc()))
        return;
    if (!isa<CompoundStmt>(s) && !isa<NullStmt>(s))
        line(s->getBeginLoc());
    if (const auto *e = dyn_cast<Expr>(s))
        return effect(e);
    switch (s->getStmtClass()) {
    case Stmt::CompoundStmtClass:
        for (const Stmt *inner : cast<CompoundStmt>(s)->body())
            statement(inner);
        return;
    case Stmt::NullStmtClass:
        return;
    case Stmt::DeclStmtClass:
        return declaration(cast<DeclStmt>(s));
    case Stmt::IfStmtClass:
        return ifStatement(cast<IfStmt>(s));
    case Stmt::SwitchStmtClass:
        return switchStatement(cast<SwitchStmt>(s));
    case Stmt::ForStmtClass:
        return forStatement(cast<ForStmt>(s));
    case Stmt::WhileStmtClass: {
        const auto *w = cast<WhileStmt>(s);
        return openLoop(s, w->getCond(), nullptr, w->getBody(), false);
    }
    case Stmt::DoStmtClass: {
        const auto *d = cast<DoStmt>(s);
        return openLoop(s, d->getCond(), nullptr, d->getBody(), true);
    }
    case Stmt::BreakStmtClass:
        return emit(hotOperation(s->getBeginLoc(), "break"));
    case Stmt::ContinueStmtClass:
        return emit(hotOperation(s->getBeginLoc(), "continue"));
    case Stmt::ReturnStmtClass:
        return returnStatement(cast<ReturnStmt>(s));
    case Stmt::GotoStmtClass:
    case Stmt::IndirectGotoStmtClass:
    case Stmt::LabelStmtClass:
        unit.refuse(s->getBeginLoc(), CellDiag::HotGoto);
        return;
    case Stmt::GCCAsmStmtClass:
    case Stmt::MSAsmStmtClass:
        unit.refuse(s->getBeginLoc(), CellDiag::HotAsm);
        return;
    case Stmt::AttributedStmtClass:
        return statement(cast<AttributedStmt>(s)->getSubStmt());
    default:
        unit.refuse(s->getBeginLoc(), CellDiag::HotStatement);
    }
}

/* ---- branches ---- */

void HotBody::ifStatement(const IfStmt *s)
{
    SourceLocation loc = s->getBeginLoc();
    HotNode n = hotOperation(loc, "if", boolean(s->getCond()));
    failing.push_back(hotFailedStatus(s));
    n.items.push_back(block(s->getThen()));
    failing.pop_back();
    const Stmt *otherwise = s->getElse();
    for (unsigned chained = 0; otherwise; chained++) {
        const auto *next = dyn_cast<IfStmt>(otherwise);
        if (!next || hotHasEffects(next->getCond()) || !isSimple(next->getCond())) {
            n.items.push_back(block(otherwise));
            break;
        }
        if (chained > hotMostDepth) {
            unit.refuse(next->getBeginLoc(), CellDiag::HotDeep, static_cast<int>(hotMostDepth));
            return;
        }
        n.items.push_back(boolean(next->getCond()));
        n.items.push_back(block(next->getThen()));
        otherwise = next->getElse();
    }
    emit(std::move(n));
}

/* Whether control never comes to what follows. */
static bool leaves(const Stmt *s, unsigned depth = 0)
{
    if (!s || depth > hotMostDepth)
        return false;
    if (isa<BreakStmt>(s) || isa<ReturnStmt>(s) || isa<ContinueStmt>(s))
        return true;
    if (const auto *block = dyn_cast<CompoundStmt>(s))
        return leaves(block->body_empty() ? nullptr : block->body_back(), depth + 1);
    const auto *i = dyn_cast<IfStmt>(s);
    return i && leaves(i->getThen(), depth + 1) && leaves(i->getElse(), depth + 1);
}

/* JSON's numbers are exact up to here. */
static constexpr int64_t mostExact = (INT64_C(1) << 53) - 1;

bool HotBody::labelOf(const SwitchCase *label, HotNode &labels, bool &isDefault)
{
    const auto *one = dyn_cast<CaseStmt>(label);
    isDefault |= !one;
    if (!one)
        return true;
    Expr::EvalResult low, high;
    SourceLocation loc = one->getLHS()->getExprLoc();
    if (!one->getLHS()->EvaluateAsInt(low, ctx) || (one->getRHS() && !one->getRHS()->EvaluateAsInt(high, ctx)))
        return unit.refuse(loc, CellDiag::HotLabel);
    int64_t from = low.Val.getInt().getExtValue(), to = one->getRHS() ? high.Val.getInt().getExtValue() : from;
    if (low.Val.getInt().getSignificantBits() > 64)
        return unit.refuse(loc, CellDiag::HotLabel);
    if (from > to || to - from > 256 || from < -mostExact || to > mostExact)
        return unit.refuse(loc, CellDiag::HotLabel);
    for (; from <= to; from++) {
        HotNode n = hotNumber(0, loc);
        n.text = std::to_string(from);
        labels.items.push_back(std::move(n));
    }
    return true;
}

/* The statements behind one group of labels. */
void HotBody::switchGroup(std::vector<const Stmt *> &body, HotNode labels, bool isDefault, bool last, HotNode &all,
                          HotNode &otherwise)
{
    HotNode b;
    if (body.empty())
        return;
    if (!last && !leaves(body.back()))
        unit.refuse(body.back()->getBeginLoc(), CellDiag::HotFallThrough);
    if (isa<BreakStmt>(body.back()))
        body.pop_back();
    auto *outer = std::exchange(out, &b.items);
    size_t seen = visible.size();
    for (const Stmt *s : body)
        statement(s);
    visible.resize(seen);
    out = outer;
    b.loc = labels.loc;
    if (isDefault) {
        otherwise = std::move(b);
    } else {
        all.items.push_back(std::move(labels));
        all.items.push_back(std::move(b));
    }
    body.clear();
}

void HotBody::switchStatement(const SwitchStmt *s)
{
    SourceLocation loc = s->getBeginLoc();
    HotNode n = hotOperation(loc, "switch", value(s->getCond())), labels, otherwise;
    const auto *block = dyn_cast<CompoundStmt>(s->getBody());
    std::vector<const Stmt *> body;
    bool isDefault = false, hasDefault = false, inGroup = false;
    const auto close = [&](bool last) {
        if (inGroup && body.empty()) /* labels with nothing behind them, at the end */
            return;
        switchGroup(body, std::exchange(labels, HotNode()), isDefault, last, n, otherwise);
        isDefault = false;
    };
    for (const Stmt *inner : s->getBody()->children()) {
        if (!block)
            break;
        if (isa<SwitchCase>(inner)) {
            close(false);
            labels.loc = inner->getBeginLoc();
        }
        while (const auto *label = dyn_cast<SwitchCase>(inner)) {
            inGroup = true;
            if (!labelOf(label, labels, isDefault))
                return;
            hasDefault |= isDefault;
            inner = label->getSubStmt();
        }
        if (!inGroup) {
            unit.refuse(inner->getBeginLoc(), CellDiag::HotUnreached);
            return;
        }
        body.push_back(inner);
    }
    close(true);
    if (hasDefault) {
        n.items.push_back(HotNode());
        n.items.push_back(std::move(otherwise));
    }
    if (n.items.size() > 2)
        emit(std::move(n));
    else
        unit.refuse(loc, CellDiag::HotUnreached);
}

/* ---- variables ---- */

void HotBody::declaration(const DeclStmt *s)
{
    for (const Decl *d : s->decls())
        if (const auto *v = dyn_cast<VarDecl>(d))
            variable(v);
        else if (isa<FunctionDecl>(d))
            unit.refuse(d->getLocation(), CellDiag::HotStatement);
}

void HotBody::variable(const VarDecl *v)
{
    SourceLocation loc = v->getLocation();
    HotType type;
    if (v->isStaticLocal() && v->getType().isConstQualified())
        return; /* a table, or a constant; where it is used */
    if (ctx.getAsArrayType(v->getType()) && v->isStaticLocal() &&
        ctx.getBaseElementType(v->getType()).isConstQualified())
        return;
    if (!v->hasLocalStorage())
        return; /* refused where it is used */
    if (v->hasAttr<CleanupAttr>()) {
        unit.refuse(loc, CellDiag::HotCleanup, v);
        return;
    }
    if (!unit.typeOf(v->getType(), loc, type))
        return;
    const Expr *init = v->getInit();
    HotNode first;
    bool aggregate = type.count || type.kind == CELL_KIND_STRUCT, whole = false, has = init != nullptr;
    const Expr *plain = init ? init->IgnoreParens() : nullptr;
    if (const auto *list = dyn_cast_or_null<InitListExpr>(plain); list && !aggregate && type.kind != CELL_KIND_STR)
        plain = init = list->getNumInits() ? list->getInit(0) : init;
    if (init && type.kind == CELL_KIND_STR && !type.count) {
        if (!stringLiteral(init, first))
            first = value(init);
        whole = true;
    } else if (init && !type.count && !isa<InitListExpr>(plain)) {
        first = value(init);
        whole = true;
    }
    std::string name = declareName(v->getName());
    HotNode n = hotOperation(loc, "let", hotText(name, loc), hotText(type.text(), loc));
    if (whole)
        n.items.push_back(std::move(first));
    else if (!has && !aggregate && hotAddressTaken(f.decl->getBody(), v)) /* what no function has written is anything */
        n.items.push_back(zero(type, loc));
    bindings[v] = {name, type, HotMode::Value, ""};
    emit(std::move(n));
    if (has && !whole) {
        HotNode place = hotText(name, loc);
        initialise(place, v->getType(), init, type.count ? &place : nullptr, 0);
    }
}

/* ---- returning ---- */

void HotBody::returnStatement(const ReturnStmt *s)
{
    SourceLocation loc = s->getBeginLoc();
    if (f.returnsVoid)
        return emit(hotOperation(loc, "return"));
    if (f.status)
        return returnStatus(s->getRetValue(), loc);
    const Expr *e = s->getRetValue();
    HotNode n;
    if (!(f.returns.kind == CELL_KIND_STR && stringLiteral(e, n)))
        n = value(e);
    emit(hotOperation(loc, "return", std::move(n)));
}

/* Whether `e` can only be what a function with a status returns. */
bool HotBody::isStatus(const Expr *e) const
{
    e = e->IgnoreParenCasts();
    Expr::EvalResult r;
    if (statusFunction(e))
        return true;
    if (e->EvaluateAsInt(r, ctx))
        return r.Val.getInt() <= 0 && r.Val.getInt() >= CELL_UNKNOWN_OUTCOME;
    const auto *reference = dyn_cast<DeclRefExpr>(e);
    const auto *v = reference ? dyn_cast<VarDecl>(reference->getDecl()) : nullptr;
    if (!v || isa<ParmVarDecl>(v) || !find(v))
        return false;
    bool good = !hotAddressTaken(f.decl->getBody(), v);
    const auto known = [&](const Expr *from) {
        Expr::EvalResult c;
        const Expr *inner = from->IgnoreParenCasts();
        return statusFunction(inner) ||
               (inner->EvaluateAsInt(c, ctx) && c.Val.getInt() <= 0 && c.Val.getInt() >= CELL_UNKNOWN_OUTCOME);
    };
    good = good && (!v->getInit() || known(v->getInit()));
    hotWalk(f.decl->getBody(), [&](const Stmt *s) {
        const auto *b = dyn_cast<BinaryOperator>(s);
        const auto *u = dyn_cast<UnaryOperator>(s);
        if (b && b->isAssignmentOp() && hotRoot(b->getLHS()) == v)
            good = good && b->getOpcode() == BO_Assign && known(b->getRHS());
        if (u && u->isIncrementDecrementOp() && hotRoot(u->getSubExpr()) == v)
            good = false;
    });
    return good;
}

void HotBody::returnStatus(const Expr *whole, SourceLocation loc)
{
    const Expr *e = whole->IgnoreParenCasts();
    Expr::EvalResult r;
    Deeper deeper(*this);
    if (tooDeep(loc))
        return;
    if (e->EvaluateAsInt(r, ctx) && !r.HasSideEffects) {
        int64_t status = r.Val.getInt().getExtValue();
        if (status == 0)
            return emit(hotOperation(loc, "return"));
        if (status > 0 || status < CELL_UNKNOWN_OUTCOME) {
            unit.refuse(e->getExprLoc(), CellDiag::HotStatus);
            return;
        }
        return emit(hotOperation(loc, "fail", hotText(cell_status_name(static_cast<int>(status)), loc)));
    }
    if (const auto *c = dyn_cast<ConditionalOperator>(e)) {
        HotNode test = boolean(c->getCond()), yes, no;
        auto *outer = std::exchange(out, &yes.items);
        returnStatus(c->getTrueExpr(), loc);
        out = &no.items;
        returnStatus(c->getFalseExpr(), loc);
        out = outer;
        return emit(hotOperation(loc, "if", std::move(test), std::move(yes), std::move(no)));
    }
    if (const HotFunction *g = statusFunction(e)) {
        emit(callOf(*g, cast<CallExpr>(e), hotOperation(loc, "try", hotText(g->name, loc))));
        return emit(hotOperation(loc, "return"));
    }
    if (!isStatus(e)) {
        unit.refuse(e->getExprLoc(), CellDiag::HotStatus);
        return;
    }
    HotType type;
    if (!unit.typeOf(whole->getType(), loc, type))
        return;
    HotNode status = convert(value(whole), type.kind, CELL_KIND_I32);
    emit(hotOperation(loc, "try", hotText(unit.raise(), loc), std::move(status)));
    if (llvm::is_contained(failing, hotRoot(e))) /* so that the end is no success, whose outputs are written */
        return emit(hotOperation(loc, "fail", hotText("internal", loc)));
    emit(hotOperation(loc, "return"));
}
