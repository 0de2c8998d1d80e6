/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "body.h"

#include <string.h>

int st_body_long_varint(struct st_bytes *rest, uint64_t *value)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < 10 && i < rest->n; i++) {
        uint8_t byte = rest->p[i];
        if (i == 9 && byte > 1)
            return CELL_DATA_LOSS;
        n |= (uint64_t)(byte & 127) << (7 * i);
        if (byte < 128) {
            rest->p += i + 1;
            rest->n -= i + 1;
            *value = n;
            return CELL_OK;
        }
    }
    return CELL_DATA_LOSS;
}

void st_put_long_varint(struct st_buffer *b, uint64_t value)
{
    uint8_t bytes[10];
    size_t n = 0;

    for (; value >= 128; value >>= 7)
        bytes[n++] = (uint8_t)(value | 128);
    bytes[n++] = (uint8_t)value;
    st_put(b, bytes, n);
}

void st_put_signed(struct st_buffer *b, int64_t value)
{
    st_put_varint(b, (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0));
}

size_t st_begin_bytes(struct st_buffer *b)
{
    st_put_byte(b, 0); /* enough for most */
    return b->len;
}

void st_end_bytes(struct st_buffer *b, size_t begun)
{
    uint8_t bytes[10];
    size_t n = 0, length;

    if (b->failed)
        return;
    length = b->len - begun;
    for (uint64_t rest = length; rest >= 128; rest >>= 7)
        bytes[n++] = (uint8_t)(rest | 128);
    bytes[n] = (uint8_t)((uint64_t)length >> (7 * n));
    if (n > 0 && !st_grow(b, n))
        return;
    if (n > 0)
        memmove(b->data + begun + n, b->data + begun, length);
    memcpy(b->data + begun - 1, bytes, n + 1);
}
