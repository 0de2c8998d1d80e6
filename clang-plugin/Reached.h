/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Whether control comes to an expression, as far as Clang knows without running anything. */
#ifndef CELL_REACHED_H
#define CELL_REACHED_H

#include <map>

#include "clang/AST/ASTContext.h"
#include "clang/AST/Decl.h"
#include "clang/AST/Expr.h"
#include "llvm/ADT/DenseSet.h"

class Reached
{
  public:
    explicit Reached(clang::ASTContext &context) : ctx(context) {}

    /* Whether control comes to a reference (NULL = one that is not known) in function `in`. What stands behind a
     * condition that is false does not count; of a template only the instances do anything. */
    bool comesTo(const clang::Expr *reference, const clang::FunctionDecl *in);

  private:
    struct References {
        bool known = false; /* false: Clang cannot tell */
        llvm::DenseSet<const clang::Stmt *> reached;
    };
    References find(const clang::FunctionDecl *in) const;

    clang::ASTContext &ctx;
    std::map<const clang::FunctionDecl *, References> functions;
};

#endif
