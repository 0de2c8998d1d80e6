/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Where a translation unit uses, by name, what a cell has declared in it. */
#ifndef CELL_USEVISITOR_H
#define CELL_USEVISITOR_H

#include "State.h"

#include "llvm/ADT/STLExtras.h"

/* "auth_session.email" for a field, else the declaration's name. */
std::string cellUsedName(const clang::ValueDecl *d);

/* True for a field of a struct that the program declares and a cell has expanded. */
bool cellIsDeclaredFor(const PluginState &state, const clang::ValueDecl *d);

/* Calls `use` for each use of a field, function or enumerator that an import or expansion declared, and of a field for
 * which cellIsDeclaredFor is true, in the code of this unit: what came out of a precompiled header or a module was seen
 * when that was built. A place in a template is met in the template and in each of its instances. */
void cellVisitUses(PluginState &state, llvm::function_ref<void(const clang::ValueDecl *, clang::SourceLocation)> use);

/* The same with the expression that refers to it, when it is one that does nothing else, and the innermost function (or
 * lambda's operator) that it stands in; NULL outside of functions. */
using CellUseIn = llvm::function_ref<void(const clang::ValueDecl *, clang::SourceLocation, const clang::Expr *reference,
                                          const clang::FunctionDecl *in)>;
void cellVisitUsesIn(PluginState &state, CellUseIn use);

/* Calls `call` for each call of a function that a cell has declared, in the same code. */
void cellVisitCalls(PluginState &state, llvm::function_ref<void(const clang::CallExpr *)> call);

#endif
