/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 8192u
#define ALIGN 16u

/* Big allocations have a block of their own, so that the sanitizer sees their ends. */
struct pg_arena_block {
    struct pg_arena_block *next;
    size_t size, used;
    _Alignas(ALIGN) unsigned char data[];
};

static void *failed(struct pg_arena *a)
{
    if (a->escape)
        longjmp(*a->escape, 1);
    return NULL;
}

void *pg_alloc(struct pg_arena *a, size_t size)
{
    if (size > SIZE_MAX / 2 || (a->limit && (a->used > a->limit || size > a->limit - a->used)))
        return failed(a);
    size_t need = (size + ALIGN - 1) / ALIGN * ALIGN;
    struct pg_arena_block *b = a->blocks;

    if (!b || b->size - b->used < need) {
        size_t room = need > BLOCK ? need : BLOCK;
        struct pg_arena_block *made = calloc(1, sizeof(*made) + room);
        if (!made)
            return failed(a);
        made->size = room;
        if (b && need > BLOCK) { /* full at once: the one before goes on being used */
            made->next = b->next;
            b->next = made;
        } else {
            made->next = b;
            a->blocks = made;
        }
        b = made;
    }
    void *at = b->data + b->used;
    b->used += need;
    a->used += size;
    return at;
}

void *pg_array(struct pg_arena *a, size_t n, size_t size)
{
    return size && n > SIZE_MAX / 2 / size ? failed(a) : pg_alloc(a, n * size);
}

char *pg_copy(struct pg_arena *a, const void *bytes, size_t len)
{
    char *copy = pg_alloc(a, len + 1);

    if (copy && len)
        memcpy(copy, bytes, len);
    return copy;
}

char *pg_strdup(struct pg_arena *a, const char *text) { return text ? pg_copy(a, text, strlen(text)) : NULL; }

char *pg_vprintf(struct pg_arena *a, const char *format, va_list args)
{
    va_list again;

    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = len < 0 ? failed(a) : pg_alloc(a, (size_t)len + 1);
    if (text)
        vsnprintf(text, (size_t)len + 1, format, args);
    return text;
}

char *pg_printf(struct pg_arena *a, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    char *text = pg_vprintf(a, format, args);
    va_end(args);
    return text;
}

void pg_arena_free(struct pg_arena *a)
{
    for (struct pg_arena_block *b = a->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    *a = (struct pg_arena){0};
}

void *pg_push_(struct pg_arena *a, void **at, uint32_t *n, uint32_t *room, size_t size)
{
    if (*n == *room) {
        uint32_t more = *room ? *room * 2 : 4;
        void *moved = *room > UINT32_MAX / 4 ? failed(a) : pg_array(a, more, size);
        if (!moved)
            return NULL;
        if (*n)
            memcpy(moved, *at, *n * size);
        *at = moved;
        *room = more;
    }
    return (char *)*at + (*n)++ * size;
}

void pg_append(struct pg_text *t, const void *bytes, size_t len)
{
    if (t->failed)
        return;
    if (t->room - t->len <= len) {
        size_t room = t->len + len + 1 + (t->len > 64 ? t->len : 64);
        char *moved = room < len ? failed(t->arena) : pg_alloc(t->arena, room);
        if (!moved) {
            t->failed = true;
            return;
        }
        if (t->len)
            memcpy(moved, t->data, t->len);
        t->data = moved;
        t->room = room;
    }
    if (len)
        memcpy(t->data + t->len, bytes, len);
    t->len += len;
    t->data[t->len] = '\0';
}

void pg_puts(struct pg_text *t, const char *text) { pg_append(t, text, strlen(text)); }

void pg_putf(struct pg_text *t, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    char *text = pg_vprintf(t->arena, format, args);
    va_end(args);
    if (text)
        pg_puts(t, text);
    else
        t->failed = true;
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

#define SUGGEST_MAX 64

/* Insertions, deletions, replacements and swaps of neighbours, each once (optimal string alignment). */
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t rows[3][SUGGEST_MAX + 1];

    for (size_t j = 0; j <= m; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            bool same = lower(a[i - 1]) == lower(b[j - 1]);
            row[j] = least(least(up[j] + 1, row[j - 1] + 1), up[j - 1] + !same);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
                row[j] = least(row[j], up2[j - 2] + 1);
        }
    }
    return rows[n % 3][m];
}

const char *pg_suggest(const char *word, const char *const *candidates, size_t n)
{
    size_t len = strlen(word), best = len < 3 ? 1 : len / 3;
    const char *found = NULL;

    if (len == 0 || len > SUGGEST_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t m = candidates[i] ? strlen(candidates[i]) : 0;
        if (m == 0 || m > SUGGEST_MAX || strcmp(candidates[i], word) == 0)
            continue;
        size_t d = distance(word, len, candidates[i], m);
        if (d < best || (d == best && !found)) {
            best = d;
            found = candidates[i];
        }
    }
    return found;
}

/* Two lanes of FNV-1a, the second over what the first has become, each mixed at the end (the finaliser of
 * MurmurHash3, which is in the public domain). */
static uint64_t mixed(uint64_t h)
{
    h ^= h >> 33;
    h *= UINT64_C(0xff51afd7ed558ccd);
    h ^= h >> 33;
    h *= UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ (h >> 33);
}

void pg_hash(const char *text, size_t len, char hex[33])
{
    uint64_t a = UINT64_C(0xcbf29ce484222325), b = ~a ^ len;

    for (size_t i = 0; i < len; i++) {
        a = (a ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
        b = (b ^ (a >> 29)) * UINT64_C(0x9e3779b97f4a7c15) + (unsigned char)text[i];
    }
    snprintf(hex, 33, "%016llx%016llx", (unsigned long long)mixed(a), (unsigned long long)mixed(b));
}
