/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "Plans.h"
#include "Diagnostics.h"
#include "Included.h"

#include <set>

using namespace clang;

struct CellPlans {
    struct OfCell {
        std::vector<CellPlaces> places; /* of questions, by their numbers in the session */
        uint32_t included = 0;          /* how many of these are of a precompiled header, the first ones */
        bool located = false;           /* their places were sought */
        std::optional<uint32_t> first;  /* question that has a plan */
    };
    struct Step {
        std::string id, text, hazard; /* id "": of this plan alone */
    };
    /* An answer of which there is something to say, when the places in the header can be found. */
    struct Included {
        session_cell *cell;
        uint32_t question;
        std::unique_ptr<cell_expansion, CellExpansionDelete> x;
    };
    /* A plan that is told at the end, when all that it is carried out beside is known. */
    struct Told {
        session_cell *cell;
        uint32_t question;
        std::vector<Step> steps;
    };
    std::map<const session_cell *, OfCell> cells;
    std::vector<Included> included;
    std::vector<Told> told;
};

namespace
{

constexpr uint32_t mostSteps = 20; /* that are listed */

struct AppliedDelete {
    void operator()(cell_applied *a) const { cell_applied_free(a); }
};

/* Whether this compilation says what a build would do. clangd takes a remark for a note to whatever it has shown. */
bool tells(PluginState &state)
{
    return cell_session_mode(state.sessionIfAny()) != SESSION_LIVE && state.mode != SESSION_MIRROR && !state.editorMs;
}

void keepToTell(CellPlans &plans, session_cell *cell, uint32_t question, const expansion_plan &plan)
{
    CellPlans::Told told = {cell, question, {}};
    auto text = [](const char *s) { return s ? s : ""; };
    for (uint32_t i = 0; i < plan.nsteps; i++)
        told.steps.push_back({text(plan.steps[i].id), text(plan.steps[i].text), text(plan.steps[i].hazard)});
    plans.told.push_back(std::move(told));
}

/* The steps that were told of already, with plans that need them as well, and in which words. */
using ToldSteps = std::set<std::pair<const session_cell *, std::string>>;

void tell(PluginState &state, SourceLocation loc, const CellPlans::Told &plan, ToldSteps &before)
{
    std::vector<CellPlans::Step> steps;
    for (const CellPlans::Step &step : plan.steps)
        if (step.id.empty() || before.insert({plan.cell, step.id + ' ' + step.text}).second)
            steps.push_back(step);
    if (steps.empty())
        return;
    cellReport(state.diags(), loc, CellDiag::PlanRemark) << plan.cell->name << static_cast<unsigned>(steps.size());
    size_t listed = std::min<size_t>(steps.size(), mostSteps);
    for (size_t i = 0; i < listed; i++) {
        const CellPlans::Step &step = steps[i];
        bool hazard = !step.hazard.empty();
        auto report = cellReport(state.diags(), loc, hazard ? CellDiag::PlanStepHazardNote : CellDiag::PlanStepNote);
        report << cellPrintable(step.text);
        if (hazard)
            report << cellPrintable(step.hazard);
    }
    if (steps.size() > listed)
        cellReport(state.diags(), loc, CellDiag::PlanMoreNote) << static_cast<unsigned>(steps.size() - listed);
}

CellPlans &plansOf(PluginState &state)
{
    if (!state.plans)
        state.plans = std::make_shared<CellPlans>();
    return *state.plans;
}

/* At the end of the unit. */
const CellPlaces &placesOf(PluginState &state, session_cell *cell, uint32_t question)
{
    static const CellPlaces none;
    CellPlans::OfCell &of = plansOf(state).cells[cell];
    if (question < of.included && !of.located) {
        std::vector<CellPlaces> found = cellIncludedPlaces(state, cell, of.included);
        of.places.resize(std::max<size_t>(of.places.size(), found.size()));
        std::move(found.begin(), found.end(), of.places.begin());
        of.located = true;
    }
    return question < of.places.size() ? of.places[question] : none;
}

void reportFailure(PluginState &state, const session_cell *cell, SourceLocation loc, int status, const cell_error &e)
{
    cellReport(state.diags(), loc, CellDiag::ApplyFailed) << cell->name << cellPrintable(e.text);
    if (status == CELL_DEADLINE_EXCEEDED)
        cellReport(state.diags(), loc, CellDiag::ApplyWaitNote) << cell->name;
}

void applyOf(PluginState &state, cell_session *session, session_cell *cell)
{
    std::optional<uint32_t> first = plansOf(state).cells[cell].first;
    cell_applied *answer = nullptr;
    cell_error e = {};
    int r = cell_session_apply(session, cell, &answer, &e);
    std::unique_ptr<cell_applied, AppliedDelete> applied(answer);
    if (r < 0)
        reportFailure(state, cell, first ? placesOf(state, cell, *first).loc() : SourceLocation(), r, e);
    if (!applied)
        return;
    for (uint32_t i = 0; i < applied->ndone; i++)
        if (applied->done[i].steps)
            cellReport(state.diags(), placesOf(state, cell, applied->questions[i]).loc(), CellDiag::PlanApplied)
                << cell->name << static_cast<unsigned>(applied->done[i].steps);
    if (applied->failed)
        cellSay(state, placesOf(state, cell, applied->questions[applied->failed_at]), applied->failure);
}

/* Keeps what will have to be said of an answer to a question of the precompiled header. */
void takeIncluded(void *user, session_cell *cell, cell_expansion *x)
{
    CellPlans &plans = plansOf(*static_cast<PluginState *>(user));
    CellPlans::OfCell &of = plans.cells[cell];
    CellPlans::Included taken = {cell, of.included++, std::unique_ptr<cell_expansion, CellExpansionDelete>(x)};
    if (x->plan.id && !of.first)
        of.first = taken.question;
    if (x->plan.id || cell_expansion_refusal(x))
        plans.included.push_back(std::move(taken));
}

/* Who edits a file is told with the header, and a build says what it has done. */
void sayIncluded(PluginState &state, const CellPlans::Included &one)
{
    const CellPlaces &places = placesOf(state, one.cell, one.question);
    for (uint32_t i = 0; i < one.x->ndiagnostics; i++) {
        const expansion_diagnostic &said = one.x->diagnostics[i];
        if (said.severity == expansion_diagnostic::EXPANSION_ERROR && !said.whole)
            cellSay(state, places, said); /* the rest was said when the header was made */
    }
    if (one.x->plan.id && tells(state))
        keepToTell(plansOf(state), one.cell, one.question, one.x->plan);
}

/* An editor shows errors of a header with that header only. Here the file may be what is wrong: it has no more of it.
 */
void sayOfPreamble(PluginState &state, const CellPlaces &places, const expansion_diagnostic &said)
{
    SourceManager &sm = state.sources();
    cellReport(state.diags(), sm.getLocForStartOfFile(sm.getMainFileID()), CellDiag::WholeIncluded)
        << cellPrintable(said.text);
    cellReport(state.diags(), places.loc(), CellDiag::WholeIncludedNote);
}

/* As a build would carry them out, which does so beside all others. */
void tellPlans(PluginState &state, cell_session *session)
{
    ToldSteps before;
    for (const CellPlans::Told &one : std::exchange(plansOf(state).told, {})) {
        std::unique_ptr<cell_expansion, CellExpansionDelete> x(cell_session_beside(session, one.cell, one.question));
        CellPlans now;
        if (x)
            keepToTell(now, one.cell, one.question,
                       x->plan); /* none when it is refused beside others, which was said */
        const CellPlans::Told &plan = x ? now.told.front() : one;
        tell(state, placesOf(state, one.cell, one.question).loc(), plan, before);
    }
}

void sayWhole(PluginState &state, cell_session *session, session_cell *cell)
{
    session_whole w;
    cell_session_judge_whole(session, cell);
    for (uint32_t i = 0; cell_session_whole(cell, i, &w); i++) {
        const CellPlaces &places = placesOf(state, cell, w.question);
        bool error = w.said->severity == expansion_diagnostic::EXPANSION_ERROR;
        bool included = w.question < plansOf(state).cells[cell].included;
        if (included && state.editorMs && error)
            sayOfPreamble(state, places, *w.said);
        else if (!included || state.editorMs || error) /* the rest was said when the header was made */
            cellSay(state, places, *w.said);
    }
}

} // namespace

void cellAsked(PluginState &state, const session_cell *cell, const CellPlaces &places)
{
    CellPlans::OfCell &of = plansOf(state).cells[cell];
    of.places.resize(cell_session_questions(cell));
    of.places.back() = places;
}

void cellPlanned(PluginState &state, session_cell *cell, const expansion_plan &plan)
{
    uint32_t question = cell_session_questions(cell) - 1;
    if (tells(state))
        keepToTell(plansOf(state), cell, question, plan);
    CellPlans::OfCell &of = plansOf(state).cells[cell];
    if (!of.first)
        of.first = question;
}

void cellIncludePlans(PluginState &state)
{
    cell_session *session = state.session(SourceLocation());
    cell_error e = {};
    if (!session || state.includes.empty())
        return;
    int r = cell_session_ask_included(session, state.includes.c_str(), takeIncluded, &state, &e);
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

void cellSayHeld(PluginState &state)
{
    cell_session *session = state.sessionIfAny();
    if (!state.plans || !state.parser())
        return;
    /* An editor says what is in its preamble with the file: what that declares belongs to the same unit. */
    bool preamble = state.editorMs && !state.becomes.empty();
    for (const CellPlans::Included &one : state.plans->included)
        if (!state.editorMs)
            sayIncluded(state, one);
    if (session)
        tellPlans(state, session);
    for (session_cell *cell = nullptr; !preamble && session && cell_session_next(session, &cell);)
        sayWhole(state, session, cell);
}

void cellApplyPlans(PluginState &state)
{
    cell_session *session = state.sessionIfAny();
    for (session_cell *cell = nullptr; session && cell_session_next(session, &cell);) {
        if (!cell_session_planned(cell) || cell_session_mode(session) != SESSION_LIVE)
            continue;
        applyOf(state, session, cell);
        if (state.diags().hasErrorOccurred())
            return;
    }
}
