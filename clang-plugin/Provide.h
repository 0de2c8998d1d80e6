/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The cell author's side: CELL_PROVIDE, CELL_METHOD and CELL_EXPORT. Handlers get their thunk and descriptor right
 * after their definition; the schema is written into the object when the translation unit ends.
 */
#ifndef CELL_PROVIDE_H
#define CELL_PROVIDE_H

#include <memory>

#include "clang/AST/Decl.h"

struct PluginState; /* Inject.h */

/* What this side remembers of a translation unit; PluginState owns it as `ProvideStatePtr provide`, NULL at first. */
struct ProvideState;
struct ProvideStateDelete {
    void operator()(ProvideState *p) const;
};
using ProvideStatePtr = std::unique_ptr<ProvideState, ProvideStateDelete>;

/* Handles one declaration that HandleTopLevelDecl was given (linkage specifications are entered). True when it carries
 * annotate("cell.method"), "cell.provide:…" or "cell.constant": then nobody else need look at it. */
bool cellHandleTopLevel(PluginState &state, clang::Decl *d);

/* Call from HandleTranslationUnit of the consumer that runs before the main one, when no error occurred. */
void cellEndOfUnit(PluginState &state);

#endif
