/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#ifndef CELL_CORE_USES_IMPL_H
#define CELL_CORE_USES_IMPL_H

#include "core/schema_impl.h"
#include "core/uses.h"

/* cell_uses_sort, with another limit. */
void uses_sort(struct cell_uses *u, uint32_t most_places);

#endif
