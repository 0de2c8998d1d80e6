/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* JSON documents that compilers ask with and are answered by, for the cells that expand annotations. Thread-safe. */
#ifndef CELLS_COMMON_DOCUMENT_H
#define CELLS_COMMON_DOCUMENT_H

#include <stdbool.h>
#include <stdlib.h>

#include <cell/ctx.h>
#include <jansson.h>

/* *text becomes `value` as compact JSON, in the memory of the reply of `c`. Takes over the reference `value`, of which
 * NULL means that memory was short. CELL_NO_MEMORY, told to `c`. */
static inline int document_answer(cell_ctx *c, json_t *value, cell_str *text)
{
    char *bytes = value ? json_dumps(value, JSON_COMPACT) : NULL;

    if (bytes)
        *text = cell_ctx_copy(c, cell_strz(bytes));
    json_decref(value);
    bool done = bytes && text->ptr;
    free(bytes);
    return done ? CELL_OK : cell_fail(c, CELL_NO_MEMORY, "out of memory");
}

/* The request as an object, a new reference; NULL when it is none (CELL_INVALID_ARGUMENT, told to `c`). */
static inline json_t *document_read(cell_ctx *c, cell_str request)
{
    json_t *root = json_loadb(request.ptr, request.len, JSON_REJECT_DUPLICATES, NULL);

    if (json_is_object(root))
        return root;
    json_decref(root);
    cell_fail(c, CELL_INVALID_ARGUMENT, "the request is no JSON object");
    return NULL;
}

#endif
