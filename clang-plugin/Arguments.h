/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The arguments of an annotation with a verb: by place or by name, checked against the schema. */
#ifndef CELL_ARGUMENTS_H
#define CELL_ARGUMENTS_H

#include <optional>
#include <string>
#include <vector>

#include "State.h"

#include "clang/AST/Attr.h"

extern "C" {
#include "core/schema.h"
}

/* `texts` becomes what the cell gets to see: the arguments in the verb's order with its defaults, none for one that is
 * left out and has no default, nothing behind the last that there is. given[i] is what was written for verb->args[i],
 * NULL when it is left out. False after reporting; then neither is changed. */
bool cellVerbArguments(PluginState &state, const clang::AnnotateAttr *a, const schema_verb *verb,
                       std::vector<std::optional<std::string>> &texts, std::vector<const clang::Expr *> &given);

#endif
