/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What a unit was built for. A capability counts when the unit has named it and the cell has it, or when it uses a
 * method that needs it. Sema marks each declaration that is referred to, wherever that is; the visitor of uses knows
 * the places of most.
 */
#include "Capability.h"
#include "CapabilityTexts.h"
#include "Diagnostics.h"
#include "Drift.h"
#include "Reached.h"
#include "UseVisitor.h"

#include "clang/AST/Expr.h"
#include "clang/Basic/DiagnosticSema.h"
#include "clang/Lex/Preprocessor.h"

using namespace clang;

namespace
{

bool isTrue(const EnumConstantDecl *e) { return e->getInitVal() != 0; }

/* What is said of methods that need what the cell has not. */
class Complaints
{
  public:
    explicit Complaints(PluginState &plugin) : state(plugin) {}

    /* Once a line: a call of the fallback, or of nothing. The first is Clang's own warning for what a declaration has
     * to say of its calls: -Wno-user-defined-warnings, #pragma clang diagnostic and -Werror= do with it what they do
     * with those. */
    void make(const FunctionDecl *f, const CellNeeds &needs, SourceLocation loc)
    {
        SourceManager &sm = state.sources();
        SourceLocation at = sm.getFileLoc(loc);
        if (!told.insert({needs.declared, sm.getFileID(at), sm.getSpellingLineNumber(at)}).second)
            return;
        StringRef cell = cellOwnerOf(state, f->getLocation()), capability = needs.lacking();
        StringRef fallback = needs.fallback();
        if (fallback.empty()) {
            cellReport(state.diags(), at, CellDiag::MethodLacks) << f->getName() << capability << cell;
            cellReport(state.diags(), at, CellDiag::MethodLacksNote) << cell << capability;
            return;
        }
        std::string text = ("'" + f->getName() + "' needs '" + capability + "', which cell '" + cell +
                            "' does not have; '" + fallback + "' is called in its place")
                               .str();
        state.diags().Report(at, diag::warn_diagnose_if_succeeded) << text;
    }

  private:
    PluginState &state;
    std::set<std::tuple<const EnumDecl *, FileID, unsigned>> told; /* of a method and line */
};

/* Which capabilities the unit uses, and where. */
class Uses
{
  public:
    explicit Uses(PluginState &plugin)
        : state(plugin), texts(plugin), reached(plugin.sema().getASTContext()), complaints(plugin)
    {
    }

    void run()
    {
        texts.collect();
        cellVisitUsesIn(state, [&](const ValueDecl *d, SourceLocation loc, const Expr *reference,
                                   const FunctionDecl *in) { use(d, loc, reference, in); });
        for (EnumDecl *e : texts.enums())
            addReferred(e);
        for (const CellCapabilityUse &condition : state.conditions)
            if (condition.there) {
                state.capabilityUses.push_back(condition);
                texts.useEverywhere(condition.cell, condition.capability);
            }
        texts.tell();
    }

  private:
    void use(const ValueDecl *d, SourceLocation loc, const Expr *reference, const FunctionDecl *in)
    {
        if (const auto *constant = dyn_cast<EnumConstantDecl>(d)) {
            if (CellConstant::of(d->getName()).kind != CellConstant::None && add(constant, loc))
                visited.insert(constant);
            return;
        }
        const auto *f = dyn_cast<FunctionDecl>(d);
        const CellNeeds needs = f ? texts.needsOf(f) : CellNeeds();
        if (!needs)
            return;
        if (needs.lacking().empty())
            texts.use(needs.declared, needs.capabilities());
        else if (!in || reached.comesTo(reference, in)) /* else the program has made up its mind */
            complaints.make(f, needs, loc);
    }

    /* The use of a constant; false when the cell has not what it stands for, so that the unit does not rely on it. */
    bool add(const EnumConstantDecl *d, SourceLocation loc)
    {
        CellConstant c = CellConstant::of(d->getName());
        if (c.kind == CellConstant::Value ? !isThere(d, c) : !isTrue(d))
            return false;
        texts.use(cast<EnumDecl>(d->getDeclContext()), c.capability);
        state.capabilityUses.push_back(
            {c.cell, c.capability, c.parameter, true, c.kind == CellConstant::Requires, loc, d});
        return true;
    }

    /* Whether the capability is there that the parameter is of. */
    bool isThere(const EnumConstantDecl *value, const CellConstant &c) const
    {
        IdentifierInfo &id = state.pp.getIdentifierTable().get("cellgen_has_" + c.cell + "__" + c.capability);
        const DeclContext *scope = value->getDeclContext()->getParent()->getRedeclContext();
        for (const NamedDecl *found : scope->lookup(&id))
            if (const auto *has = dyn_cast<EnumConstantDecl>(found))
                return isTrue(has);
        return false;
    }

    /* Constants that Sema has met where the visitor does not look, and methods that are used. */
    void addReferred(EnumDecl *e)
    {
        const CellNeeds needs(e);
        if (e->getIdentifier()) {
            if (needs.lacking().empty() && texts.isMethodUsed(needs))
                texts.use(e, needs.capabilities());
            return;
        }
        SourceManager &sm = state.sources();
        for (EnumConstantDecl *one : e->enumerators())
            if (one->isReferenced() && !visited.count(one))
                add(one, sm.getIncludeLoc(sm.getFileID(sm.getExpansionLoc(e->getLocation()))));
    }

    PluginState &state;
    CapabilityTexts texts;
    Reached reached;
    Complaints complaints;
    std::set<const EnumConstantDecl *> visited;
};

} // namespace

void cellCapabilitiesEnd(PluginState &state)
{
    if (state.parser() && cellHasCapabilities(state))
        Uses(state).run();
}
