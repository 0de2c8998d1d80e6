/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Writing a cell: docs/writing-a-cell.md. Include this instead of cell.h in the files that hold handlers. */
#ifndef CELL_SERVE_H
#define CELL_SERVE_H

#include "cell.h"   // IWYU pragma: export
#include "server.h" // IWYU pragma: export

#endif
