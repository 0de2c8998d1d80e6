/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "Plans.h"
#include "Diagnostics.h"

using namespace clang;

/* In the order of the source, as the session has them. */
struct CellPlans {
    struct OfCell {
        std::string name;
        std::vector<CellPlaces> places;
    };
    std::vector<OfCell> cells; /* in the order of their first plan */
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

void remember(PluginState &state, const session_cell *cell, const CellPlaces &places)
{
    if (!state.plans)
        state.plans = std::make_shared<CellPlans>();
    for (CellPlans::OfCell &of : state.plans->cells)
        if (of.name == cell->name) {
            of.places.push_back(places);
            return;
        }
    state.plans->cells.push_back({cell->name, {places}});
}

void reportFailure(PluginState &state, const session_cell *cell, const CellPlaces &places, int status,
                   const cell_error &e)
{
    cellReport(state.diags(), places.loc(), CellDiag::ApplyFailed) << cell->name << cellPrintable(e.text);
    if (status == CELL_DEADLINE_EXCEEDED)
        cellReport(state.diags(), places.loc(), CellDiag::ApplyWaitNote) << cell->name;
}

void applyOf(PluginState &state, cell_session *session, const CellPlans::OfCell &of)
{
    session_cell *cell = nullptr;
    cell_applied *answer = nullptr;
    cell_error e = {};
    if (cell_session_cell(session, of.name.c_str(), &cell) < 0)
        return; /* it has answered before, so this does not happen */
    int r = cell_session_apply(session, cell, &answer, &e);
    std::unique_ptr<cell_applied, AppliedDelete> applied(answer);
    if (r < 0)
        reportFailure(state, cell, of.places.front(), r, e);
    if (!applied)
        return;
    for (uint32_t i = 0; i < applied->ndone && i < of.places.size(); i++)
        if (applied->done[i].steps)
            cellReport(state.diags(), of.places[i].loc(), CellDiag::PlanApplied)
                << cell->name << static_cast<unsigned>(applied->done[i].steps);
    if (applied->failed && applied->failed_at < of.places.size())
        cellSay(state, of.places[applied->failed_at], applied->failure);
}

} // namespace

void cellPlanned(PluginState &state, const session_cell *cell, const CellPlaces &places, const expansion_plan &plan)
{
    if (cell_session_mode(state.sessionIfAny()) != SESSION_LIVE) {
        /* clangd takes a remark for a note to whatever it has shown before. */
        if (state.mode != SESSION_MIRROR && !state.editorMs)
            tell(state, cell, places.loc(), plan);
        return;
    }
    remember(state, cell, places);
}

void cellIncludePlans(PluginState &state)
{
    cell_session *session = state.session(SourceLocation());
    cell_error e = {};
    if (!session || state.includes.empty())
        return;
    int r = cell_session_ask_included(session, state.includes.c_str(), &e);
    bool live = cell_session_mode(session) == SESSION_LIVE;
    if (r < 0 && live)
        cellReport(state.diags(), SourceLocation(), CellDiag::PlanIncluded) << state.includes << cellPrintable(e.text);
    for (session_cell *cell = nullptr; live && cell_session_next(session, &cell);)
        for (uint32_t i = 0; i < cell_session_planned(cell); i++)
            remember(state, cell, CellPlaces());
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
    if (!state.plans || !session)
        return;
    for (const CellPlans::OfCell &of : state.plans->cells) {
        applyOf(state, session, of);
        if (state.diags().hasErrorOccurred())
            return;
    }
}
