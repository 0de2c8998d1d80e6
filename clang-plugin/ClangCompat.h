/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Every difference between the supported LLVM versions (16 to 19), and nothing else. */
#ifndef CELL_CLANGCOMPAT_H
#define CELL_CLANGCOMPAT_H

#include "clang/AST/ASTContext.h"
#include "clang/AST/Expr.h"
#include "clang/Basic/FileManager.h"
#include "clang/Basic/Version.inc"
#include "clang/Sema/Sema.h"
#include "llvm/Config/abi-breaking.h"
#include "llvm/Config/llvm-config.h"

#if CLANG_VERSION_MAJOR < 16
#error "LLVM 16 or later is needed"
#endif

namespace cellcompat
{

/* LLVM 18 made kinds of tags, linkage languages and literals scoped enumerations. */
#if CLANG_VERSION_MAJOR >= 18
inline bool isOrdinaryLiteral(const clang::StringLiteral *s)
{
    return s->getKind() == clang::StringLiteralKind::Ordinary || s->getKind() == clang::StringLiteralKind::UTF8;
}
#else
inline bool isOrdinaryLiteral(const clang::StringLiteral *s) { return s->isOrdinary() || s->isUTF8(); }
#endif

/* LLVM 17 renamed the field of a designator. */
inline const clang::FieldDecl *designatedField(const clang::DesignatedInitExpr::Designator &d)
{
#if CLANG_VERSION_MAJOR >= 17
    return d.getFieldDecl();
#else
    return d.getField();
#endif
}

/* StringRef::startswith became starts_with in LLVM 16 and was removed in 19. */
inline bool startsWith(llvm::StringRef text, llvm::StringRef prefix)
{
    return text.take_front(prefix.size()) == prefix;
}

/* A comment in a system header may be added unless Clang was built with assertions (ASTContext::addComment). */
#if LLVM_ENABLE_ABI_BREAKING_CHECKS
constexpr bool mayAddSystemComments = false;
#else
constexpr bool mayAddSystemComments = true;
#endif

/* Before, builtin functions of math.h had the fast-math flags of the command line whatever pragmas said. */
#if CLANG_VERSION_MAJOR >= 19
constexpr bool preciseReachesBuiltins = true;
#else
constexpr bool preciseReachesBuiltins = false;
#endif

} // namespace cellcompat

#endif
