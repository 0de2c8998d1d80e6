/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The templates of DeclReader; internal to DeclReader*.cpp. */
#ifndef CELL_DECLREADERIMPL_H
#define CELL_DECLREADERIMPL_H

#include "DeclReader.h"

#include "llvm/Support/ErrorHandling.h"

extern "C" {
#include "base/util.h"
}

/* As ReadFormerOnly selects them. */
enum { FormerMethod, FormerEnumerator, FormerConstant };

/* Reports and gives false, to be returned. */
template <typename... Args> bool DeclReader::refuse(clang::SourceLocation loc, CellDiag id, const Args &...args)
{
    clang::DiagnosticBuilder report = cellReport(sema, loc, id);
    (void)(report << ... << args);
    return false;
}

/* Zeroed, in the schema's arena. */
template <typename T> T *DeclReader::make(size_t n)
{
    void *memory = cell_arena_array(&schema->arena, n, sizeof(T));
    if (!memory)
        llvm::report_bad_alloc_error("cell: out of memory");
    return static_cast<T *>(memory);
}

#endif
