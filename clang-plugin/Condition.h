/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Functions of the program that arguments of type "condition" call (docs/protocol.md, "Expansion request"). */
#ifndef CELL_CONDITION_H
#define CELL_CONDITION_H

#include <optional>
#include <string>
#include <vector>

#include "Places.h"

/* The functions that the conditions among `texts`, by the verb's arguments, call, as one verified document "cell.ast/1"
 * in `json`; empty when they call none. False when something was reported, at its place in the text or in a function.
 */
bool cellConditionFunctions(PluginState &state, const CellPlaces &places,
                            const std::vector<std::optional<std::string>> &texts, std::string &json);

#endif
