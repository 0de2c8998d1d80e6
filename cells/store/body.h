/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The body of a stored record: its fields, in the order of their numbers or not, each
 *
 *   varint  number of the field × 8 + form
 *   value   FORM_UNSIGNED  varint
 *           FORM_SIGNED    varint of (n << 1) ^ (n >> 63)
 *           FORM_BYTES     varint length, then the bytes: of a text, of bytes, of a struct's own body, of a list
 *           FORM_REAL32, FORM_REAL64   IEEE 754, least byte first
 *
 * A varint has 7 bits in each byte, the lowest first, and 128 added to all but the last; at most 10 bytes. The bytes of
 * a list or an array are a byte that is the form of its elements, a varint that is their number, and the elements
 * without numbers; FORM_BYTE, which only occurs there, is one byte each. Every field that a writer knows is written,
 * but an optional one that is absent: so what a record has not was not known to who wrote it, and reads as zero.
 */
#ifndef CELLS_STORE_BODY_H
#define CELLS_STORE_BODY_H

#include "bytes.h"

enum st_form {
    ST_FORM_UNSIGNED = 0,
    ST_FORM_SIGNED = 1,
    ST_FORM_BYTES = 2,
    ST_FORM_REAL32 = 3,
    ST_FORM_REAL64 = 4,
    ST_FORM_BYTE = 5
};

struct st_value {
    enum st_form form;
    uint64_t number;       /* UNSIGNED, BYTE; SIGNED: as int64_t; REAL32 and REAL64: the bits */
    struct st_bytes bytes; /* BYTES */
};
struct st_item {
    uint32_t id;
    struct st_value value;
    struct st_bytes whole; /* number and value as they are in the body */
};

/* What takes something off `rest`: CELL_OK or CELL_DATA_LOSS. Here, because reading a record does so for each field. */
int st_body_long_varint(struct st_bytes *rest, uint64_t *value); /* of any length */
static inline int st_body_varint(struct st_bytes *rest, uint64_t *value)
{
    if (rest->n == 0 || rest->p[0] >= 128)
        return st_body_long_varint(rest, value);
    *value = rest->p[0];
    rest->p++;
    rest->n--;
    return CELL_OK;
}

static inline int st_body_fixed(struct st_bytes *rest, size_t size, uint64_t *value)
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

/* A value of this form. */
static inline int st_body_value(struct st_bytes *rest, enum st_form form, struct st_value *value)
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
        return st_body_fixed(rest, 4, &value->number);
    case ST_FORM_REAL64:
        return st_body_fixed(rest, 8, &value->number);
    case ST_FORM_BYTE:
        return st_body_fixed(rest, 1, &value->number);
    }
    return CELL_DATA_LOSS;
}

/* The next field. 1; 0: there are no more; CELL_DATA_LOSS: these are no fields. */
static inline int st_body_next(struct st_bytes *rest, struct st_item *item)
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

void st_put_long_varint(struct st_buffer *b, uint64_t value); /* likewise */
static inline void st_put_varint(struct st_buffer *b, uint64_t value)
{
    if (value < 128)
        st_put_byte(b, (uint8_t)value);
    else
        st_put_long_varint(b, value);
}
void st_put_signed(struct st_buffer *b, int64_t value);
static inline void st_put_tag(struct st_buffer *b, uint32_t id, enum st_form form)
{
    st_put_varint(b, (uint64_t)id << 3 | form);
}
/* For bytes whose length is known afterwards: begin leaves room, end moves them behind their length. */
size_t st_begin_bytes(struct st_buffer *b);
void st_end_bytes(struct st_buffer *b, size_t begun);

#endif
