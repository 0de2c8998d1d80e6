/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What a cell serves over HTTPS as an OpenAPI 3.0.3 description, made from its schema. */
#ifndef CELL_CORE_OPENAPI_H
#define CELL_CORE_OPENAPI_H

#include "core/schema.h"

/* Appends the document. A failure is the buffer's. */
void cell_openapi_put(struct cell_buffer *out, const struct cell_schema *s);

#endif
