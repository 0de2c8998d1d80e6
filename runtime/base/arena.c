/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 16u
#define FIRST_BLOCK 4096u
#define LARGEST_BLOCK (256u << 10)

/* Under AddressSanitizer what is not handed out is poisoned, and a gap follows each allocation, so that an overflow
 * inside a block is found as well as one of malloc'ed memory. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n) __asan_poison_memory_region(p, n)
#define UNPOISON(p, n) __asan_unpoison_memory_region(p, n)
#define GAP ((size_t)ALIGNMENT)
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#define GAP ((size_t)0)
#endif

/* The newest ordinary block comes first; blocks of one big allocation stand behind it. */
struct cell_arena_block {
    struct cell_arena_block *next;
    size_t size, used; /* of data */
    size_t single;     /* 1: holds one big allocation, not kept by a reset */
    _Alignas(ALIGNMENT) unsigned char data[];
};

static struct cell_arena_block *new_block(size_t size, int single, int zero)
{
    if (size > SIZE_MAX - sizeof(struct cell_arena_block))
        return NULL;
    /* A big allocation that must be zero is taken with calloc: the kernel's fresh pages need no second zeroing. */
    struct cell_arena_block *b =
        single && zero ? calloc(1, sizeof(*b) + size) : malloc(sizeof(struct cell_arena_block) + size);
    if (!b)
        return NULL;
    b->next = NULL;
    b->size = size;
    b->used = 0;
    b->single = (size_t)single;
    POISON(b->data, b->size);
    return b;
}

static void free_block(struct cell_arena_block *b)
{
    UNPOISON(b->data, b->size);
    free(b);
}

static struct cell_arena_block *add_single(struct cell_arena *a, size_t size, int zero)
{
    struct cell_arena_block *b = new_block(size, 1, zero);
    if (b && a->blocks) {
        b->next = a->blocks->next;
        a->blocks->next = b;
    } else if (b) {
        a->blocks = b;
    }
    return b;
}

static struct cell_arena_block *add_ordinary(struct cell_arena *a)
{
    size_t size = FIRST_BLOCK - sizeof(struct cell_arena_block);
    if (a->blocks && !a->blocks->single)
        size = a->blocks->size < LARGEST_BLOCK / 2 ? 2 * a->blocks->size + sizeof(struct cell_arena_block)
                                                   : a->blocks->size;
    struct cell_arena_block *b = new_block(size, 0, 0);
    if (b) {
        b->next = a->blocks;
        a->blocks = b;
    }
    return b;
}

/* `zero` tells whether the memory must read as zero. */
static void *allocate(struct cell_arena *a, size_t size, int zero)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size_t rounded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (rounded == 0)
        rounded = ALIGNMENT;
    if (a->limit && (a->used > a->limit || rounded > a->limit - a->used))
        return NULL;
    struct cell_arena_block *b = a->blocks;
    size_t need = rounded + GAP;
    if (!b || need > b->size - b->used)
        b = rounded > FIRST_BLOCK / 4 ? add_single(a, need, zero) : add_ordinary(a);
    if (!b)
        return NULL;
    unsigned char *p = b->data + b->used;
    b->used += need;
    a->used += rounded;
    UNPOISON(p, size);
    if (zero && !b->single)
        memset(p, 0, size);
    return p;
}

void *cell_arena_alloc(struct cell_arena *a, size_t size) { return allocate(a, size, 1); }

static void *allocate_array(struct cell_arena *a, size_t n, size_t size, int zero)
{
    size_t total;
    if (__builtin_mul_overflow(n, size, &total))
        return NULL;
    return allocate(a, total, zero);
}

void *cell_arena_array(struct cell_arena *a, size_t n, size_t size) { return allocate_array(a, n, size, 1); }

void *cell_arena_room(struct cell_arena *a, size_t n, size_t size) { return allocate_array(a, n, size, 0); }

char *cell_arena_copy(struct cell_arena *a, const void *bytes, size_t len)
{
    if (len == SIZE_MAX)
        return NULL;
    char *p = allocate(a, len + 1, 0);
    if (!p)
        return NULL;
    if (len)
        memcpy(p, bytes, len);
    p[len] = '\0';
    return p;
}

char *cell_arena_vprintf(struct cell_arena *a, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (n < 0)
        return NULL;
    char *p = allocate(a, (size_t)n + 1, 0);
    if (p)
        vsnprintf(p, (size_t)n + 1, format, args);
    return p;
}

char *cell_arena_printf(struct cell_arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *p = cell_arena_vprintf(a, format, args);
    va_end(args);
    return p;
}

void cell_arena_reset(struct cell_arena *a)
{
    struct cell_arena_block *keep = NULL, *next;
    for (struct cell_arena_block *b = a->blocks; b; b = b->next)
        if (!b->single)
            keep = b; /* the last one in the list is the first that was made */
    for (struct cell_arena_block *b = a->blocks; b; b = next) {
        next = b->next;
        if (b != keep)
            free_block(b);
    }
    if (keep) {
        keep->next = NULL;
        keep->used = 0;
        POISON(keep->data, keep->size);
    }
    a->blocks = keep;
    a->used = 0;
}

void cell_arena_free(struct cell_arena *a)
{
    if (!a)
        return;
    for (struct cell_arena_block *b = a->blocks, *next; b; b = next) {
        next = b->next;
        free_block(b);
    }
    a->blocks = NULL;
    a->used = 0;
}
