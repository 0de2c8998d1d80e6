/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What only an editor's parses need (cellEditorMs): where clangd's preambles and completion runs bypass the plugin. */
#ifndef CELL_EDITOR_H
#define CELL_EDITOR_H

#include "State.h"

/* CELL_VERB stands here: in a completion run, where Clang runs no plugin consumer, what its record's expansion declares
 * is injected behind the `;`, as the last parse has it. Elsewhere nothing happens: the consumer does it. */
void cellWatchVerb(PluginState &state);

/* At the beginning of a file whose preamble was parsed before, and may hold its imports: how the cells that it was last
 * compiled against have changed. */
void cellDriftOfPreamble(PluginState &state);

#endif
