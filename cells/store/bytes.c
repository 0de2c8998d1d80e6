/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int st_fail(struct st_failure *f, int status, const char *format, ...)
{
    va_list args;

    if (!f)
        return status;
    f->status = status;
    va_start(args, format);
    vsnprintf(f->text, sizeof(f->text), format, args);
    va_end(args);
    return status;
}

int st_compare(struct st_bytes a, struct st_bytes b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n > 0 ? memcmp(a.p, b.p, n) : 0;

    return order ? order : (a.n > b.n) - (a.n < b.n);
}

bool st_reserve(struct st_buffer *b, size_t n)
{
    if (b->failed || n > SIZE_MAX / 4 - b->len) {
        b->failed = true;
        return false;
    }
    if (n <= b->cap - b->len)
        return true;
    size_t cap = b->cap ? b->cap : 128;
    while (cap < b->len + n)
        cap *= 2;
    uint8_t *data = realloc(b->lent ? NULL : b->data, cap);
    if (!data) {
        b->failed = true;
        return false;
    }
    if (b->lent && b->len > 0)
        memcpy(data, b->data, b->len);
    b->lent = false;
    b->data = data;
    b->cap = cap;
    return true;
}

void st_put_be32(struct st_buffer *b, uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};

    st_put(b, bytes, 4);
}

void st_buffer_free(struct st_buffer *b)
{
    if (!b->lent)
        free(b->data);
    *b = (struct st_buffer){0};
}

#define CHUNK_SIZE 16384

struct st_chunk {
    struct st_chunk *next;
    size_t size; /* of what follows */
    _Alignas(16) uint8_t data[];
};

void *st_alloc(struct st_arena *a, size_t size)
{
    struct st_chunk *c = a->chunks;

    if (size > SIZE_MAX / 2 || (a->limit && (size > a->limit || a->total > a->limit - size)))
        return NULL;
    size = (size + 15) & ~(size_t)15;
    if (!c || c->size - a->used < size) {
        size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
        c = malloc(sizeof(*c) + room);
        if (!c)
            return NULL;
        c->next = a->chunks;
        c->size = room;
        a->chunks = c;
        a->used = 0;
    }
    void *p = c->data + a->used;
    a->used += size;
    a->total += size;
    return memset(p, 0, size);
}

char *st_printf(struct st_arena *a, const char *format, ...)
{
    va_list args, again;

    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *text = n >= 0 ? st_alloc(a, (size_t)n + 1) : NULL;
    if (text)
        vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    va_end(args);
    return text;
}

static void free_chunks(struct st_chunk *c)
{
    while (c) {
        struct st_chunk *next = c->next;
        free(c);
        c = next;
    }
}

void st_arena_reset(struct st_arena *a)
{
    struct st_chunk *kept = a->chunks;

    /* One that was made for something large would otherwise stay as large for ever. */
    if (kept && kept->size > CHUNK_SIZE) {
        free_chunks(kept);
        a->chunks = NULL;
    } else if (kept) {
        free_chunks(kept->next);
        kept->next = NULL;
    }
    a->used = a->total = 0;
}

void st_arena_free(struct st_arena *a)
{
    free_chunks(a->chunks);
    a->chunks = NULL;
    a->used = a->total = 0;
}

static void *alloc_in_arena(void *user, size_t size) { return st_alloc(user, size); }

struct st_memory st_arena_memory(struct st_arena *a) { return (struct st_memory){alloc_in_arena, a}; }

static int64_t clock_ns(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t st_now_us(void) { return clock_ns(CLOCK_REALTIME) / 1000; }
int64_t st_monotonic_ms(void) { return clock_ns(CLOCK_MONOTONIC) / 1000000; }
