/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The descriptors of built-in types by kind. Internal to core/. */
#ifndef CELL_CORE_DESCRIBE_BUILTIN_H
#define CELL_CORE_DESCRIBE_BUILTIN_H

#include <stdbool.h>

#include "cell/desc.h"

static inline bool describe_is_builtin(uint32_t kind) { return kind >= CELL_KIND_BOOL && kind <= CELL_KIND_BYTES; }

/* cell_type_i32 for (I32, 0), cell_type_list_i32 for (LIST, I32); NULL when there is none. */
const struct cell_type *describe_builtin(uint32_t kind, uint32_t elem);

#endif
