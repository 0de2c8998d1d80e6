/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Descriptors that are made at run time, for calls to a cell whose name is known only then. `structure` is what the
 * reply is read into: it begins as the other cell's struct does, later fields are left out. */
#ifndef CELLS_COMMON_DESCRIPTOR_H
#define CELLS_COMMON_DESCRIPTOR_H

#include <stddef.h>

#include <cell/client.h>

#define DESCRIPTOR_FIELD(label, of, structure, member)                                                                 \
    (struct cell_field) { .name = label, .type = of, .offset = (uint32_t)offsetof(struct structure, member) }
#define DESCRIPTOR_STRUCT(label, structure, list, n)                                                                   \
    (struct cell_type)                                                                                                 \
    {                                                                                                                  \
        .name = label, .kind = CELL_KIND_STRUCT, .size = sizeof(struct structure),                                     \
        .align = _Alignof(struct structure), .nfields = n, .fields = list                                              \
    }
#define DESCRIPTOR_LIST(label, of)                                                                                     \
    (struct cell_type) { .name = label, .kind = CELL_KIND_LIST, .size = 16, .align = 8, .elem = of }

#endif
