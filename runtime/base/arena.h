/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A bump allocator: many small allocations, one release. Not thread-safe. */
#ifndef CELL_BASE_ARENA_H
#define CELL_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct cell_arena_block;

/* Zero-initialise; `limit` 0 means no limit. The first block is only allocated with the first allocation. */
struct cell_arena {
    struct cell_arena_block *blocks;
    size_t used;  /* bytes handed out */
    size_t limit; /* bytes that may be handed out */
};

/* Zeroed memory, aligned to 16; NULL when memory is short or the limit is reached. size 0 gives a valid pointer. */
void *cell_arena_alloc(struct cell_arena *a, size_t size);
/* n * size with an overflow check. */
void *cell_arena_array(struct cell_arena *a, size_t n, size_t size);
/* The same, not zeroed: for what is going to be written over as a whole. */
void *cell_arena_room(struct cell_arena *a, size_t n, size_t size);
/* Copies `len` bytes and a NUL. */
char *cell_arena_copy(struct cell_arena *a, const void *bytes, size_t len);
char *cell_arena_printf(struct cell_arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *cell_arena_vprintf(struct cell_arena *a, const char *format, va_list args);
/* Forgets everything but keeps the first block for reuse. */
void cell_arena_reset(struct cell_arena *a);
void cell_arena_free(struct cell_arena *a);

#endif
