/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Lines of bytes that arrive in parts of any size. Every byte is looked at once, however long a line is. Not
 * thread-safe; zeroed memory is an empty one.
 */
#ifndef CELL_BASE_LINES_H
#define CELL_BASE_LINES_H

#include "base/buffer.h"

struct cell_lines {
    struct cell_buffer bytes;
    size_t at;    /* where the next line begins */
    size_t known; /* up to here there is no end of it */
};

/* False: no memory. What cell_lines_next gave is not there any more. */
bool cell_lines_add(struct cell_lines *l, const void *bytes, size_t len);
/* The next line that is complete, without its end, "\n" or "\r\n"; until something is added. False: there is none yet.
 */
bool cell_lines_next(struct cell_lines *l, const char **line, size_t *len);
/* What has arrived and was not given out, and whether a line of it is complete. */
static inline size_t cell_lines_left(const struct cell_lines *l) { return l->bytes.len - l->at; }
bool cell_lines_any(struct cell_lines *l);
void cell_lines_clear(struct cell_lines *l); /* keeps what memory is usual */
void cell_lines_free(struct cell_lines *l);

#endif
