/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* CELL_CAPABILITY, CELL_NEEDS and CELL_FALLBACK: what the cell of this program can do, and which methods need it. */
#ifndef CELL_PROVIDECAPABILITY_H
#define CELL_PROVIDECAPABILITY_H

#include "DeclReader.h"

#include "llvm/ADT/StringMap.h"

class CapabilityReader
{
  public:
    /* All three outlive it; texts are in the arena of `s`. */
    CapabilityReader(clang::Sema &semantics, DeclReader &declarations, cell_schema *s)
        : sema(semantics), reader(declarations), schema(s)
    {
    }

    /* "cell.capability:NAME" on `d`, once. False after reporting. */
    bool read(const clang::Decl *d, const clang::AnnotateAttr *a, llvm::StringRef name);
    /* Puts what was read into the schema, whose methods are there by now and are those of `methods`. False after
     * reporting what a method says of it. */
    bool finish(const llvm::StringMap<const clang::FunctionDecl *> &methods);

  private:
    template <typename... Args> bool refuse(clang::SourceLocation loc, CellDiag id, const Args &...args);
    bool readParams(const clang::AnnotateAttr *a, llvm::ArrayRef<std::string> args, schema_capability &c);
    bool readNeeds(const clang::FunctionDecl *f, schema_method &m);
    bool readNeed(const clang::FunctionDecl *f, const clang::AnnotateAttr *a, std::vector<const char *> &needs);
    bool readFallback(const clang::FunctionDecl *f, const clang::AnnotateAttr *a, schema_method &m);
    bool checkFallback(const clang::FunctionDecl *f, clang::SourceLocation loc, const schema_method &m);
    schema_method *methodOf(llvm::StringRef name);

    struct Declared {
        schema_capability capability;
        clang::SourceLocation loc;
    };
    clang::Sema &sema;
    DeclReader &reader;
    cell_schema *schema;
    std::vector<Declared> declared;
    llvm::DenseSet<const clang::Decl *> seen;
    llvm::StringMap<clang::SourceLocation> fallbacks; /* by method: what is checked when all needs are known */
};

#endif
