/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What all files of this cell share: failures, references to bytes, buffers that grow, and memory that goes at once. */
#ifndef CELLS_STORE_BYTES_H
#define CELLS_STORE_BYTES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cell/errors.h>

/* What went wrong, beside a negative enum cell_status: a sentence for the caller, without paths. */
struct st_failure {
    int status; /* 0 = nothing */
    char text[512];
};
/* Fills *f (NULL is accepted) and returns `status`. */
int st_fail(struct st_failure *f, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* `n` bytes that belong to somebody else. */
struct st_bytes {
    const uint8_t *p;
    size_t n;
};
/* As memcmp does, the shorter one first when one begins with the other. */
int st_compare(struct st_bytes a, struct st_bytes b);

/* Bytes that are appended to. When memory was short `failed` is set, and stays; what was put in then is incomplete. */
struct st_buffer {
    uint8_t *data;
    size_t len, cap;
    bool failed, lent; /* lent: `data` is somebody else's, as long as it suffices */
};
/* One that begins in an array, which has to live as long, so that short ones take no memory. */
#define ST_BUFFER_IN(array) ((struct st_buffer){.data = (array), .cap = sizeof(array), .lent = true})
/* Makes room for n more bytes, which are not counted in. False: memory is short, now or before. */
bool st_reserve(struct st_buffer *b, size_t n);
/* Room for n more bytes, which are counted in; NULL when memory is short. */
static inline uint8_t *st_grow(struct st_buffer *b, size_t n)
{
    if ((b->failed || n > b->cap - b->len) && !st_reserve(b, n))
        return NULL;
    b->len += n;
    return b->data + b->len - n;
}
static inline void st_put(struct st_buffer *b, const void *data, size_t n)
{
    uint8_t *to = n > 0 ? st_grow(b, n) : NULL;

    if (to)
        memcpy(to, data, n);
}
static inline void st_put_byte(struct st_buffer *b, uint8_t byte)
{
    uint8_t *to = st_grow(b, 1);

    if (to)
        *to = byte;
}
void st_put_be32(struct st_buffer *b, uint32_t value);
void st_buffer_free(struct st_buffer *b); /* leaves an empty one */
static inline struct st_bytes st_bytes_of(const struct st_buffer *b) { return (struct st_bytes){b->data, b->len}; }

/* Numbers of the disk, least byte first. */
static inline void st_store64(uint8_t at[8], uint64_t value)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}
static inline uint64_t st_load64(const uint8_t at[8])
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}
/* And with the greatest byte first, so that they sort. */
static inline void st_store_be64(uint8_t at[8], uint64_t value)
{
    for (int i = 0; i < 8; i++)
        at[i] = (uint8_t)(value >> (56 - 8 * i));
}
static inline uint64_t st_load_be64(const uint8_t at[8])
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value = value << 8 | at[i];
    return value;
}

/* Where what is read is put: memory that lives as long as the reader of it wants. NULL: memory is short. */
struct st_memory {
    void *(*alloc)(void *user, size_t size); /* zeroed, aligned to 16 */
    void *user;
};

/* Memory that is freed at once. Zero-initialise. */
struct st_arena {
    struct st_chunk *chunks;
    size_t used, limit, total; /* limit 0 = none */
};
void *st_alloc(struct st_arena *a, size_t size); /* zeroed, aligned to 16; NULL when memory is short */
char *st_printf(struct st_arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Keeps one chunk for what comes next. */
void st_arena_reset(struct st_arena *a);
void st_arena_free(struct st_arena *a);
struct st_memory st_arena_memory(struct st_arena *a);

int64_t st_now_us(void);       /* since 1970 */
int64_t st_monotonic_ms(void); /* since some moment */

#endif
