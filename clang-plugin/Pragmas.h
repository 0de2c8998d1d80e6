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

/* From here on in the injected text floats are computed as they are written, whatever options and pragmas say; or,
 * without `precise`, as in all of the text. */
void cellFloats(PluginState &state, bool precise);

#endif
