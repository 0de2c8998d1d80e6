/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "body.h"

#include <string.h>

int st_body_varint(struct st_bytes *rest, uint64_t *value)
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

static int take_fixed(struct st_bytes *rest, size_t size, uint64_t *value)
{
    uint8_t bytes[8] = {0};

    if (rest->n < size)
        return CELL_DATA_LOSS;
    memcpy(bytes, rest->p, size);
    *value = st_load64(bytes);
    rest->p += size;
    rest->n -= size;
    return CELL_OK;
}

int st_body_value(struct st_bytes *rest, enum st_form form, struct st_value *value)
{
    uint64_t n = 0;
    int r;

    *value = (struct st_value){.form = form};
    switch (form) {
    case ST_FORM_UNSIGNED:
        return st_body_varint(rest, &value->number);
    case ST_FORM_SIGNED:
        r = st_body_varint(rest, &n);
        value->number = (n >> 1) ^ (0 - (n & 1));
        return r;
    case ST_FORM_BYTES:
        r = st_body_varint(rest, &n);
        if (r < 0 || n > rest->n)
            return CELL_DATA_LOSS;
        value->bytes = (struct st_bytes){rest->p, (size_t)n};
        rest->p += n;
        rest->n -= (size_t)n;
        return CELL_OK;
    case ST_FORM_REAL32:
        return take_fixed(rest, 4, &value->number);
    case ST_FORM_REAL64:
        return take_fixed(rest, 8, &value->number);
    case ST_FORM_BYTE:
        return take_fixed(rest, 1, &value->number);
    }
    return CELL_DATA_LOSS;
}

int st_body_next(struct st_bytes *rest, struct st_item *item)
{
    const uint8_t *from = rest->p;
    uint64_t tag = 0;

    if (rest->n == 0)
        return 0;
    if (st_body_varint(rest, &tag) < 0 || tag >> 3 == 0 || tag >> 3 > UINT32_MAX || (tag & 7) > ST_FORM_REAL64)
        return CELL_DATA_LOSS;
    item->id = (uint32_t)(tag >> 3);
    if (st_body_value(rest, (enum st_form)(tag & 7), &item->value) < 0)
        return CELL_DATA_LOSS;
    item->whole = (struct st_bytes){from, (size_t)(rest->p - from)};
    return 1;
}

void st_put_varint(struct st_buffer *b, uint64_t value)
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
