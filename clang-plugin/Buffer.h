/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A buffer of the C core that is freed with its scope. */
#ifndef CELL_BUFFER_H
#define CELL_BUFFER_H

#include "llvm/ADT/StringRef.h"

extern "C" {
#include "base/buffer.h"
}

struct CellBuffer : cell_buffer {
    CellBuffer() : cell_buffer() {}
    ~CellBuffer() { cell_buffer_free(this); }
    CellBuffer(const CellBuffer &) = delete;
    CellBuffer &operator=(const CellBuffer &) = delete;
    llvm::StringRef text() const { return {data ? data : "", len}; }
};

#endif
