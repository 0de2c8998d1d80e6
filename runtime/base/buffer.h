/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A growable byte buffer whose failure sticks: append freely, check once with cell_buffer_ok. Not thread-safe. */
#ifndef CELL_BASE_BUFFER_H
#define CELL_BASE_BUFFER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cell_buffer {
    char *data; /* NUL-terminated after `len` when anything was appended */
    size_t len, capacity;
    bool failed;
};

void cell_buffer_append(struct cell_buffer *b, const void *bytes, size_t len);
void cell_buffer_puts(struct cell_buffer *b, const char *text);
void cell_buffer_printf(struct cell_buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cell_buffer_vprintf(struct cell_buffer *b, const char *format, va_list args);
/* Grows so that `len` more bytes fit; returns where they go, NULL when memory is short. Does not change len. */
void *cell_buffer_reserve(struct cell_buffer *b, size_t len);
static inline bool cell_buffer_ok(const struct cell_buffer *b) { return !b->failed; }
void cell_buffer_free(struct cell_buffer *b);

#endif
