/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Constants in calls of methods that break a rule which a function of the cell checks (CELL_RULE). Clang's own
 * attribute refuses what breaks the other rules; of a call of a function in C it knows no constant value. */
#ifndef CELL_RULECONSTANTS_H
#define CELL_RULECONSTANTS_H

#include "State.h"

/* At the end of a unit: reports them. The function is interpreted with what Clang knows of the argument; what it does
 * not know, and what takes too long, is left to the program. */
void cellRuleConstants(PluginState &state);

#endif
