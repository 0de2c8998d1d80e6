/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "Plans.h"
#include "Diagnostics.h"

using namespace clang;

struct CellPlans {
    struct OfCell {
        std::vector<CellPlaces>
            places;           /* of questions, by their numbers in the session; none of a precompiled header */
        SourceLocation first; /* of the first that has a plan */
    };
    std::map<const session_cell *, OfCell> cells;
};

namespace
{

constexpr uint32_t mostSteps = 20; /* that are listed */

struct AppliedDelete {
    void operator()(cell_applied *a) const { cell_applied_free(a); }
};

void tell(PluginState &state, const session_cell *cell, SourceLocation loc, const expansion_plan &plan)
{
    cellReport(state.diags(), loc, CellDiag::PlanRemark) << cell->name << plan.nsteps;
    for (uint32_t i = 0; i < plan.nsteps && i < mostSteps; i++) {
        const expansion_step &step = plan.steps[i];
        auto report =
            cellReport(state.diags(), loc, step.hazard ? CellDiag::PlanStepHazardNote : CellDiag::PlanStepNote);
        report << cellPrintable(step.text);
        if (step.hazard)
            report << cellPrintable(step.hazard);
    }
    if (plan.nsteps > mostSteps)
        cellReport(state.diags(), loc, CellDiag::PlanMoreNote) << plan.nsteps - mostSteps;
}

const CellPlaces &placesOf(const CellPlans::OfCell &of, uint32_t question)
{
    static const CellPlaces none;
    return question < of.places.size() ? of.places[question] : none;
}

void reportFailure(PluginState &state, const session_cell *cell, SourceLocation loc, int status, const cell_error &e)
{
    cellReport(state.diags(), loc, CellDiag::ApplyFailed) << cell->name << cellPrintable(e.text);
    if (status == CELL_DEADLINE_EXCEEDED)
        cellReport(state.diags(), loc, CellDiag::ApplyWaitNote) << cell->name;
}

void applyOf(PluginState &state, cell_session *session, session_cell *cell, const CellPlans::OfCell &of)
{
    cell_applied *answer = nullptr;
    cell_error e = {};
    int r = cell_session_apply(session, cell, &answer, &e);
    std::unique_ptr<cell_applied, AppliedDelete> applied(answer);
    if (r < 0)
        reportFailure(state, cell, of.first, r, e);
    if (!applied)
        return;
    for (uint32_t i = 0; i < applied->ndone; i++)
        if (applied->done[i].steps)
            cellReport(state.diags(), placesOf(of, applied->questions[i]).loc(), CellDiag::PlanApplied)
                << cell->name << static_cast<unsigned>(applied->done[i].steps);
    if (applied->failed)
        cellSay(state, placesOf(of, applied->questions[applied->failed_at]), applied->failure);
}

CellPlans::OfCell &plansOf(PluginState &state, const session_cell *cell)
{
    if (!state.plans)
        state.plans = std::make_shared<CellPlans>();
    return state.plans->cells[cell];
}

} // namespace

void cellAsked(PluginState &state, const session_cell *cell, const CellPlaces &places)
{
    if (cell_session_mode(state.sessionIfAny()) != SESSION_LIVE)
        return;
    CellPlans::OfCell &of = plansOf(state, cell);
    of.places.resize(cell_session_questions(cell));
    of.places.back() = places;
}

void cellPlanned(PluginState &state, const session_cell *cell, const CellPlaces &places, const expansion_plan &plan)
{
    if (cell_session_mode(state.sessionIfAny()) != SESSION_LIVE) {
        /* clangd takes a remark for a note to whatever it has shown before. */
        if (state.mode != SESSION_MIRROR && !state.editorMs)
            tell(state, cell, places.loc(), plan);
        return;
    }
    CellPlans::OfCell &of = plansOf(state, cell);
    if (of.first.isInvalid())
        of.first = places.loc();
}

void cellIncludePlans(PluginState &state)
{
    cell_session *session = state.session(SourceLocation());
    cell_error e = {};
    if (!session || state.includes.empty())
        return;
    int r = cell_session_ask_included(session, state.includes.c_str(), &e);
    if (r < 0 && cell_session_mode(session) == SESSION_LIVE)
        cellReport(state.diags(), SourceLocation(), CellDiag::PlanIncluded) << state.includes << cellPrintable(e.text);
}

void cellKeepIncluded(PluginState &state)
{
    if (state.becomes.empty())
        return;
    if (cell_session *session = state.session(SourceLocation()))
        cell_session_keep_included(session, state.becomes.c_str());
}

void cellApplyPlans(PluginState &state)
{
    cell_session *session = state.sessionIfAny();
    for (session_cell *cell = nullptr; session && cell_session_next(session, &cell);) {
        if (!cell_session_planned(cell) || cell_session_mode(session) != SESSION_LIVE)
            continue;
        applyOf(state, session, cell, plansOf(state, cell));
        if (state.diags().hasErrorOccurred())
            return;
    }
}
