/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Uses of what a cell has changed in a way that a program may compile with all the same: another type of a field,
 * another value of a constant, other logic of a function. Only remarks, so that -Werror cannot hold up a build that the
 * author has looked at.
 */
#include "Diagnostics.h"
#include "Drift.h"
#include "UseVisitor.h"

using namespace clang;

namespace
{

/* Changes by the name of what has them: "auth_session.expires", "auth_login", "AUTH_MAX_SESSIONS". */
struct Changed {
    CellDrift *drift;
    const diff_change *change;
};
using Changes = std::multimap<std::string, Changed>;

bool isOfCapability(const diff_change &c)
{
    return c.rule == DIFF_CAPABILITY_LOST || c.rule == DIFF_CAPABILITY_GAINED ||
           c.rule == DIFF_CAPABILITY_PARAM_CHANGED;
}

/* What is compiled to something else: where it is asked for, and calls of methods that need it. */
void collectCapability(CellDrift &drift, const diff_change &c, Changes &changes)
{
    std::string name = std::string(drift.cell->name) + "__" + c.owner;
    if (c.member) {
        changes.insert({"cellgen_value_" + name + "__" + c.member, {&drift, &c}});
        return;
    }
    changes.insert({"cellgen_has_" + name, {&drift, &c}});
    changes.insert({"cellgen_requires_" + name, {&drift, &c}});
    for (uint32_t i = 0; i < drift.now->nmethods; i++)
        for (uint32_t k = 0; k < drift.now->methods[i].nneeds; k++)
            if (StringRef(drift.now->methods[i].needs[k]) == c.owner)
                changes.insert({drift.now->methods[i].name, {&drift, &c}});
}

void collect(CellDrift &drift, Changes &changes)
{
    for (uint32_t i = 0; i < drift.diff->n; i++) {
        const diff_change &c = drift.diff->changes[i];
        bool ofType = cell_schema_type(drift.now, c.owner) != nullptr;
        if (diff_rule_retyped(c.rule) || (diff_rule_stricter(c.rule) && ofType)) {
            changes.insert({std::string(c.owner) + "." + c.member, {&drift, &c}});
            continue;
        }
        if (isOfCapability(c))
            collectCapability(drift, c, changes);
        switch (c.rule) {
        case DIFF_ENUM_VALUE_CHANGED:
            changes.insert({c.member, {&drift, &c}});
            break;
        case DIFF_CONSTANT_CHANGED:
        case DIFF_CONSTANT_RETYPED:
        case DIFF_PARAM_ADDED:
        case DIFF_PARAM_REMOVED:
        case DIFF_PARAM_CHANGED:
        case DIFF_RULE_ADDED:
        case DIFF_RULE_TIGHTENED:
        case DIFF_RULE_CHANGED:
        case DIFF_FUNCTION_RETYPED:
        case DIFF_FUNCTION_LOGIC_CHANGED:
            changes.insert({c.owner, {&drift, &c}});
            break;
        default:
            break;
        }
    }
}

/* A use of something changed: a remark, once a place. */
class Remarks
{
  public:
    Remarks(PluginState &plugin, const Changes &what) : state(plugin), changes(what) {}

    void use(const ValueDecl *d, SourceLocation loc) { named(changedName(d), loc); }

    void named(const std::string &name, SourceLocation loc)
    {
        unsigned place = state.sources().getFileLoc(loc).getRawEncoding();
        auto range = changes.equal_range(name);
        for (auto found = range.first; found != range.second; ++found) {
            const Changed &c = found->second;
            if (!c.drift->reported.insert({place, c.change}).second)
                continue;
            cellReport(state.diags(), loc, CellDiag::DriftChanged) << c.change->sentence;
            cellDriftNote(state.diags(), *c.drift);
        }
    }

  private:
    /* What can have changed: of another form of a method (NAME_async, NAME_send, …) the method. */
    std::string changedName(const ValueDecl *d) const
    {
        std::string name = cellUsedName(d);
        if (isa<FunctionDecl>(d))
            for (const auto &entry : state.drifts)
                if (const schema_method *m = cell_schema_method_of(entry.second.now, name.c_str()))
                    return m->name;
        return name;
    }

    PluginState &state;
    const Changes &changes;
};

} // namespace

void cellDriftUses(PluginState &state)
{
    Changes changes;
    for (auto &entry : state.drifts)
        collect(entry.second, changes);
    if (changes.empty() || !state.parser())
        return;
    Remarks remarks(state, changes);
    cellVisitUses(state, [&](const ValueDecl *d, SourceLocation loc) { remarks.use(d, loc); });
    for (const CellCapabilityUse &c : state.conditions)
        remarks.named(c.parameter.empty() ? "cellgen_has_" + c.cell + "__" + c.capability
                                          : "cellgen_value_" + c.cell + "__" + c.capability + "__" + c.parameter,
                      c.loc);
}
