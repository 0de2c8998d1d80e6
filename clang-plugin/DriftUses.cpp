/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Uses of what a cell has changed in a way that a program may compile with all the same: another type of a field,
 * another value of a constant. Only remarks, so that -Werror cannot hold up a build that the author has looked at.
 */
#include "ClangCompat.h"
#include "Diagnostics.h"
#include "Drift.h"

#include "clang/AST/DeclCXX.h"
#include "clang/AST/ExprCXX.h"

using namespace clang;

namespace
{

/* Changes by the name of what has them: "auth_session.expires", "auth_login", "AUTH_MAX_SESSIONS". */
struct Changed {
    CellDrift *drift;
    const diff_change *change;
};
using Changes = std::multimap<std::string, Changed>;

void collect(CellDrift &drift, Changes &changes)
{
    for (uint32_t i = 0; i < drift.diff->n; i++) {
        const diff_change &c = drift.diff->changes[i];
        if (diff_rule_retyped(c.rule)) {
            changes.insert({std::string(c.owner) + "." + c.member, {&drift, &c}});
            continue;
        }
        switch (c.rule) {
        case DIFF_ENUM_VALUE_CHANGED:
            changes.insert({c.member, {&drift, &c}});
            break;
        case DIFF_CONSTANT_CHANGED:
        case DIFF_CONSTANT_RETYPED:
        case DIFF_PARAM_ADDED:
        case DIFF_PARAM_REMOVED:
        case DIFF_PARAM_CHANGED:
            changes.insert({c.owner, {&drift, &c}});
            break;
        default:
            break;
        }
    }
}

class Uses
{
  public:
    Uses(PluginState &plugin, const Changes &what) : state(plugin), changes(what) {}

    void scope(const DeclContext *declarations)
    {
        for (const Decl *d : declarations->noload_decls())
            if (!isInjected(d->getLocation()))
                declaration(d);
    }

  private:
    bool isInjected(SourceLocation loc) const
    {
        return loc.isValid() && state.injected.count(state.sources().getFileID(state.sources().getExpansionLoc(loc)));
    }

    void declaration(const Decl *d)
    {
        if (const auto *f = dyn_cast<FunctionDecl>(d)) {
            if (f->doesThisDeclarationHaveABody())
                statement(f->getBody());
        } else if (const auto *v = dyn_cast<VarDecl>(d)) {
            statement(v->getInit());
        } else if (const auto *field = dyn_cast<FieldDecl>(d)) {
            statement(field->getInClassInitializer());
        } else if (const auto *e = dyn_cast<EnumConstantDecl>(d)) {
            statement(e->getInitExpr());
        }
        if (const auto *inner = dyn_cast<DeclContext>(d))
            if (!isa<FunctionDecl>(d)) /* its body was read */
                scope(inner);
    }

    void statement(const Stmt *s)
    {
        if (!s)
            return;
        if (const auto *list = dyn_cast<InitListExpr>(s))
            if (const InitListExpr *written = list->isSemanticForm() ? list->getSyntacticForm() : nullptr)
                s = written;
        if (const auto *member = dyn_cast<MemberExpr>(s))
            use(member->getMemberDecl(), member->getMemberLoc());
        else if (const auto *reference = dyn_cast<DeclRefExpr>(s))
            use(reference->getDecl(), reference->getLocation());
        else if (const auto *init = dyn_cast<DesignatedInitExpr>(s))
            for (const auto &designator : init->designators())
                if (designator.isFieldDesignator())
                    use(cellcompat::designatedField(designator), designator.getFieldLoc());
        if (const auto *declared = dyn_cast<DeclStmt>(s)) {
            for (const Decl *d : declared->decls())
                declaration(d);
            return;
        }
        if (const auto *lambda = dyn_cast<LambdaExpr>(s))
            statement(lambda->getBody());
        for (const Stmt *child : s->children())
            statement(child);
    }

    void use(const ValueDecl *d, SourceLocation loc)
    {
        if (!d || !d->getIdentifier() || !(d->isFromASTFile() || isInjected(d->getLocation())))
            return;
        unsigned place = state.sources().getFileLoc(loc).getRawEncoding();
        std::string name = d->getName().str();
        if (const auto *field = dyn_cast<FieldDecl>(d))
            name = field->getParent()->getName().str() + "." + name;
        auto range = changes.equal_range(name);
        for (auto found = range.first; found != range.second; ++found) {
            const Changed &c = found->second;
            if (!said.insert({place, c.change}).second)
                continue;
            cellReport(state.diags(), loc, CellDiag::DriftChanged) << c.change->sentence;
            c.drift->reported.insert(place);
        }
    }

    PluginState &state;
    const Changes &changes;
    std::set<std::pair<unsigned, const diff_change *>> said; /* reached twice, or twice in a macro */
};

} // namespace

void cellDriftUses(PluginState &state)
{
    Changes changes;
    for (auto &entry : state.drifts)
        collect(entry.second, changes);
    if (!changes.empty() && state.parser())
        Uses(state, changes).scope(state.sema().getASTContext().getTranslationUnitDecl());
}
