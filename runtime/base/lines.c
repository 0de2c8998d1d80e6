/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "base/lines.h"

#include <string.h>

/* Memory beyond that is given back when a line that needed it is gone. */
#define USUAL_BYTES (256u << 10)

static void drop_given(struct cell_lines *l)
{
    size_t left = cell_lines_left(l);
    if (l->at == 0)
        return;
    if (left == 0 && l->bytes.capacity > USUAL_BYTES)
        cell_buffer_free(&l->bytes);
    else
        memmove(l->bytes.data, l->bytes.data + l->at, left);
    l->bytes.len = left;
    l->known -= l->at;
    l->at = 0;
}

bool cell_lines_add(struct cell_lines *l, const void *bytes, size_t len)
{
    drop_given(l);
    cell_buffer_append(&l->bytes, bytes, len);
    return cell_buffer_ok(&l->bytes);
}

bool cell_lines_any(struct cell_lines *l)
{
    size_t left = l->bytes.len - l->known;
    const char *end = left ? memchr(l->bytes.data + l->known, '\n', left) : NULL;
    l->known = end ? (size_t)(end - l->bytes.data) : l->bytes.len;
    return end != NULL;
}

bool cell_lines_next(struct cell_lines *l, const char **line, size_t *len)
{
    if (!cell_lines_any(l))
        return false;
    *line = l->bytes.data + l->at;
    *len = l->known - l->at;
    *len -= *len && (*line)[*len - 1] == '\r';
    l->at = ++l->known;
    return true;
}

void cell_lines_clear(struct cell_lines *l)
{
    l->at = l->known = l->bytes.len;
    drop_given(l);
}

void cell_lines_free(struct cell_lines *l)
{
    cell_buffer_free(&l->bytes);
    l->at = l->known = 0;
}
