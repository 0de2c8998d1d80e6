/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What this unit uses of its cells, left in the object: core/uses.h. */
#ifndef CELL_USERECORD_H
#define CELL_USERECORD_H

#include "State.h"

/* Adds the records to the unit, which has ended without an error and becomes an object. Nothing is added to a unit that
 * uses no cell. A failure is of no consequence for the program: it is a warning. */
void cellRecordUses(PluginState &state);

#endif
