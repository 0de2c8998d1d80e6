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

/* Takes the next field off `rest`. 1; 0: there are no more; CELL_DATA_LOSS: these are no fields. */
int st_body_next(struct st_bytes *rest, struct st_item *item);
/* Takes a value of this form off `rest`. CELL_OK or CELL_DATA_LOSS. */
int st_body_value(struct st_bytes *rest, enum st_form form, struct st_value *value);
int st_body_varint(struct st_bytes *rest, uint64_t *value);

void st_put_varint(struct st_buffer *b, uint64_t value);
void st_put_signed(struct st_buffer *b, int64_t value);
static inline void st_put_tag(struct st_buffer *b, uint32_t id, enum st_form form)
{
    st_put_varint(b, (uint64_t)id << 3 | form);
}
/* For bytes whose length is known afterwards: begin leaves room, end moves them behind their length. */
size_t st_begin_bytes(struct st_buffer *b);
void st_end_bytes(struct st_buffer *b, size_t begun);

#endif
