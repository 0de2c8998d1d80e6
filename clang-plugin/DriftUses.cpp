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

    void use(const ValueDecl *d, SourceLocation loc)
    {
        unsigned place = state.sources().getFileLoc(loc).getRawEncoding();
        auto range = changes.equal_range(changedName(d));
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
}
