/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Plans that come with expansions: told, or carried out at the end of the unit. */
#ifndef CELL_PLANS_H
#define CELL_PLANS_H

#include "Places.h"

/* The cell was asked about `places`, by the last question of the session; it has answered. */
void cellAsked(PluginState &state, const session_cell *cell, const CellPlaces &places);
/* The answer to that question had this plan. At the end it is said what a build would do, unless this is one, or an
 * editor. */
void cellPlanned(PluginState &state, session_cell *cell, const expansion_plan &plan);

/* At the beginning of a unit with a precompiled header, or a preamble: what was planned in there. */
void cellIncludePlans(PluginState &state);
/* At the end of the unit that makes one. */
void cellKeepIncluded(PluginState &state);

/* At the end of the unit: what could not be said before. Of a precompiled header what was refused since it was made,
 * and what is planned; and what cells say of a subject as a whole. */
void cellSayHeld(PluginState &state);

/* At the end of a unit without errors, before code is made from it: has each cell carry out its plans. What fails is an
 * error at the annotation that it belongs to. */
void cellApplyPlans(PluginState &state);

#endif
