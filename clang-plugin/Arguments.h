/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The arguments of an annotation with a verb: by place or by name, checked against the schema. */
#ifndef CELL_ARGUMENTS_H
#define CELL_ARGUMENTS_H

#include <optional>
#include <string>
#include <vector>

#include "Places.h"

#include "clang/AST/Attr.h"

extern "C" {
#include "core/schema.h"
}

/* The arguments of places.a, of verb places.verb: `texts` becomes what the cell gets to see: the arguments in the
 * verb's order with its defaults, none for one that is left out and has no default, nothing behind the last that there
 * is. Sets places.given and places.files. False after reporting. */
bool cellVerbArguments(PluginState &state, CellPlaces &places, std::vector<std::optional<std::string>> &texts);

#endif
