/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What codec.c, codec_encode.c and codec_decode.c share. */
#ifndef CELLS_STORE_CODEC_IMPL_H
#define CELLS_STORE_CODEC_IMPL_H

#include "codec.h"

/* A program's field on the record's. */
struct st_entry {
    const struct st_field *stored;
    uint32_t offset, count;
    uint8_t kind;            /* of one value in the program; an enum is its integer type */
    uint8_t shape;           /* in the program */
    uint32_t size;           /* of one value, bytes */
    uint32_t value_offset;   /* of an optional's value */
    struct st_codec *record; /* of a struct */
};

struct st_codec {
    struct st_entry *entries;
    uint32_t n;
    uint32_t most;   /* the greatest number of a field */
    uint16_t *by_id; /* entry + 1 of a number up to `most`; 0 = the program does not know it */
    bool partial;
};

/* A scalar as all of its kind are computed with. */
static inline bool st_kind_is_integer(uint32_t kind) { return kind >= CELL_KIND_I8 && kind <= CELL_KIND_U64; }
static inline bool st_kind_is_signed(uint32_t kind)
{
    return kind == CELL_KIND_I8 || kind == CELL_KIND_I16 || kind == CELL_KIND_I32 || kind == CELL_KIND_I64;
}
enum st_form st_form_of(uint32_t kind, bool element);

void st_encode_one(const struct st_codec *record, uint32_t kind, const void *value, bool element,
                   struct st_buffer *body);

#endif
