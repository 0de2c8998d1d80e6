/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "base/buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 256u

void *cell_buffer_reserve(struct cell_buffer *b, size_t len)
{
    if (b->failed)
        return NULL;
    if (b->capacity > b->len && len < b->capacity - b->len)
        return b->data + b->len;
    /* One more than asked, for the NUL; half of the address space bounds all sums below. */
    if (len > SIZE_MAX / 4 || b->len > SIZE_MAX / 4) {
        b->failed = true;
        return NULL;
    }
    size_t need = b->len + len + 1;
    size_t capacity = b->capacity < FIRST_CAPACITY ? FIRST_CAPACITY : b->capacity * 2;
    if (capacity < need)
        capacity = need;
    char *data = realloc(b->data, capacity);
    if (!data) {
        b->failed = true;
        return NULL;
    }
    b->data = data;
    b->capacity = capacity;
    return b->data + b->len;
}

void cell_buffer_append(struct cell_buffer *b, const void *bytes, size_t len)
{
    char *to = cell_buffer_reserve(b, len);
    if (!to)
        return;
    if (len)
        memcpy(to, bytes, len);
    to[len] = '\0';
    b->len += len;
}

void cell_buffer_puts(struct cell_buffer *b, const char *text) { cell_buffer_append(b, text, strlen(text)); }

void cell_buffer_vprintf(struct cell_buffer *b, const char *format, va_list args)
{
    va_list again;
    char *to = cell_buffer_reserve(b, 0);
    if (!to)
        return;
    size_t room = b->capacity - b->len;
    va_copy(again, args);
    int n = vsnprintf(to, room, format, again);
    va_end(again);
    if (n >= 0 && (size_t)n >= room) {
        to = cell_buffer_reserve(b, (size_t)n);
        if (!to) {
            b->data[b->len] = '\0'; /* what was there before stays as it was */
            return;
        }
        n = vsnprintf(to, (size_t)n + 1, format, args);
    }
    if (n < 0) {
        b->failed = true;
        *to = '\0';
        return;
    }
    b->len += (size_t)n;
}

void cell_buffer_printf(struct cell_buffer *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    cell_buffer_vprintf(b, format, args);
    va_end(args);
}

void cell_buffer_free(struct cell_buffer *b)
{
    if (!b)
        return;
    free(b->data);
    memset(b, 0, sizeof(*b));
}
