/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The pragmas that the user has in force must not reach an injected text, and the text must not end them. */
#ifndef CELL_PRAGMAS_H
#define CELL_PRAGMAS_H

#include "State.h"

/* Takes packing, visibility, attributes, sections, floating point, optimisation and nullability pragmas out of force.
 */
std::unique_ptr<SavedPragmas, SavedPragmasDelete> cellSuspendPragmas(PluginState &state);
/* Puts them back as they were. */
void cellResumePragmas(PluginState &state, SavedPragmas &saved);

#endif
