/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Declarations of a precompiled header, which were asked about when that was made. */
#ifndef CELL_INCLUDED_H
#define CELL_INCLUDED_H

#include "Places.h"

/* Where the first `n` questions of the session to `cell` stand, which cell_session_ask_included has asked. Reads all of
 * the header's declarations: for who has something to say of one, at the end of the unit. One that is not found has no
 * place. */
std::vector<CellPlaces> cellIncludedPlaces(PluginState &state, session_cell *cell, uint32_t n);

#endif
