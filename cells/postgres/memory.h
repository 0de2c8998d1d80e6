/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Memory of the parts that work on tables and do no I/O: an arena, and a text that grows in it. Not thread-safe.
 *
 * Declarations, models and plans are made of thousands of small pieces that live and die together. A function that
 * makes one sets `escape` in its arena, so that a failed allocation leaves it as a whole (CELL_NO_MEMORY; the arena is
 * then freed) and nothing within it has to look at each one. Such code holds nothing but arena memory.
 */
#ifndef CELLS_POSTGRES_MEMORY_H
#define CELLS_POSTGRES_MEMORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pg_arena_block;

/* Zero-initialise. */
struct pg_arena {
    struct pg_arena_block *blocks;
    size_t used, limit; /* bytes handed out, and that may be (0 = any number) */
    jmp_buf *escape;    /* NULL: a failed allocation returns NULL */
};

/* Zeroed memory, aligned to 16. NULL, or a jump to `escape` with the value 1, when memory is short. */
void *pg_alloc(struct pg_arena *a, size_t size);
void *pg_array(struct pg_arena *a, size_t n, size_t size);
/* `len` bytes and a NUL. */
char *pg_copy(struct pg_arena *a, const void *bytes, size_t len);
/* NULL gives NULL. */
char *pg_strdup(struct pg_arena *a, const char *text);
char *pg_printf(struct pg_arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *pg_vprintf(struct pg_arena *a, const char *format, va_list args);
void pg_arena_free(struct pg_arena *a);

/*
 * A list of `T`: struct { T *at; uint32_t n, room; }. pg_push returns the address of a new zeroed last element; NULL,
 * or a jump, when memory is short. Growing moves the elements: addresses of elements hold until the next pg_push.
 */
#define PG_LIST(T)                                                                                                     \
    struct {                                                                                                           \
        T *at;                                                                                                         \
        uint32_t n, room;                                                                                              \
    }
#define pg_push(arena, list)                                                                                           \
    ((__typeof__((list)->at))pg_push_(arena, (void **)&(list)->at, &(list)->n, &(list)->room, sizeof(*(list)->at)))
void *pg_push_(struct pg_arena *a, void **at, uint32_t *n, uint32_t *room, size_t size);

/* A text under construction: set `arena`, zero the rest. `data` is NUL-terminated, and never NULL after an append. */
struct pg_text {
    struct pg_arena *arena;
    char *data;
    size_t len, room;
    bool failed; /* memory was short, and the arena has no escape: the text is incomplete */
};
void pg_append(struct pg_text *t, const void *bytes, size_t len);
void pg_puts(struct pg_text *t, const char *text);
void pg_putf(struct pg_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The candidate nearest to `word` by edit distance, at most a third of its length away; NULL. Upper and lower case are
 * the same. */
const char *pg_suggest(const char *word, const char *const *candidates, size_t n);

/* 128 bits of a text as 32 hex digits and a NUL. To tell texts apart, not to protect them. */
void pg_hash(const char *text, size_t len, char hex[33]);

#endif
