/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>

#include "codec_impl.h"

static uint64_t integer_at(uint32_t kind, const void *value)
{
    switch (kind) {
#define READ(KIND, type)                                                                                               \
    case KIND: {                                                                                                       \
        type n;                                                                                                        \
        memcpy(&n, value, sizeof(n));                                                                                  \
        return (uint64_t)n;                                                                                            \
    }
        READ(CELL_KIND_I8, int8_t)
        READ(CELL_KIND_BOOL, uint8_t)
        READ(CELL_KIND_U8, uint8_t)
        READ(CELL_KIND_I16, int16_t)
        READ(CELL_KIND_U16, uint16_t)
        READ(CELL_KIND_I32, int32_t)
        READ(CELL_KIND_U32, uint32_t)
        READ(CELL_KIND_I64, int64_t)
        READ(CELL_KIND_U64, uint64_t)
#undef READ
    default:
        return 0;
    }
}

static void put_real(uint32_t kind, const void *value, struct st_buffer *body)
{
    uint8_t bytes[8];
    uint32_t half;
    uint64_t bits = 0;

    if (kind == CELL_KIND_F32) {
        memcpy(&half, value, 4);
        bits = half;
    } else {
        memcpy(&bits, value, 8);
    }
    st_store64(bytes, bits);
    st_put(body, bytes, kind == CELL_KIND_F32 ? 4 : 8);
}

/* The value alone; of a struct and of a text with its length. */
void st_encode_one(const struct st_codec *record, uint32_t kind, const void *value, bool element,
                   struct st_buffer *body)
{
    size_t begun;
    cell_bytes bytes;

    switch (kind) {
    case CELL_KIND_STR:
    case CELL_KIND_BYTES:
        memcpy(&bytes, value, sizeof(bytes)); /* cell_str has the same members */
        st_put_varint(body, bytes.len);
        st_put(body, bytes.ptr, bytes.len);
        return;
    case CELL_KIND_STRUCT:
        begun = st_begin_bytes(body);
        st_encode(record, value, body);
        st_end_bytes(body, begun);
        return;
    case CELL_KIND_F32:
    case CELL_KIND_F64:
        put_real(kind, value, body);
        return;
    default:
        break;
    }
    enum st_form form = st_form_of(kind, element);
    uint64_t n = integer_at(kind, value);
    if (form == ST_FORM_BYTE)
        st_put_byte(body, (uint8_t)n);
    else if (form == ST_FORM_SIGNED)
        st_put_signed(body, (int64_t)n);
    else
        st_put_varint(body, n);
}

/* Numbers whose bytes lie in memory as they do on the disk. */
static bool lies_as_stored(uint32_t kind)
{
    return kind == CELL_KIND_BOOL || kind == CELL_KIND_U8 || kind == CELL_KIND_F32 || kind == CELL_KIND_F64;
}

static void encode_many(const struct st_entry *e, const uint8_t *values, uint64_t n, struct st_buffer *body)
{
    size_t begun = st_begin_bytes(body);

    st_put_byte(body, st_form_of(e->kind, true));
    st_put_varint(body, n);
    if (lies_as_stored(e->kind))
        st_put(body, values, n * e->size);
    else
        for (uint64_t i = 0; i < n && !body->failed; i++)
            st_encode_one(e->record, e->kind, values + i * e->size, true, body);
    st_end_bytes(body, begun);
}

static void encode_array_of_bytes(const cell_bytes *bytes, struct st_buffer *body)
{
    size_t begun = st_begin_bytes(body);

    st_put_byte(body, ST_FORM_BYTE);
    st_put_varint(body, bytes->len);
    st_put(body, bytes->ptr, bytes->len);
    st_end_bytes(body, begun);
}

static void encode_entry(const struct st_entry *e, const uint8_t *at, struct st_buffer *body)
{
    uint32_t id = e->stored->id;
    cell_bytes list;

    switch ((enum st_shape)e->shape) {
    case ST_OPT:
        if (!at[0])
            return;
        at += e->value_offset;
        if (e->stored->shape == ST_ARRAY) {
            memcpy(&list, at, sizeof(list));
            st_put_tag(body, id, ST_FORM_BYTES);
            encode_array_of_bytes(&list, body);
            return;
        }
        __attribute__((fallthrough));
    case ST_PLAIN:
        st_put_tag(body, id, st_form_of(e->kind, false));
        st_encode_one(e->record, e->kind, at, false, body);
        return;
    case ST_LIST:
        memcpy(&list, at, sizeof(list)); /* as every list */
        st_put_tag(body, id, ST_FORM_BYTES);
        encode_many(e, list.ptr, list.len, body);
        return;
    case ST_ARRAY:
        st_put_tag(body, id, ST_FORM_BYTES);
        encode_many(e, at, e->count, body);
        return;
    }
}

void st_encode(const struct st_codec *codec, const void *data, struct st_buffer *body)
{
    for (uint32_t i = 0; i < codec->n; i++)
        encode_entry(&codec->entries[i], (const uint8_t *)data + codec->entries[i].offset, body);
}

bool st_field_value(const struct st_codec *codec, uint32_t i, const void *at, struct st_buffer *body,
                    struct st_value *value)
{
    const struct st_entry *e = &codec->entries[i];
    size_t begun = body->len;
    struct st_item item;
    cell_bytes bytes;

    if (e->shape == ST_PLAIN && st_kind_is_integer(e->kind)) {
        *value = (struct st_value){.form = st_form_of(e->kind, false), .number = integer_at(e->kind, at)};
        return true;
    }
    if (e->shape == ST_PLAIN && (e->kind == CELL_KIND_STR || e->kind == CELL_KIND_BYTES)) {
        memcpy(&bytes, at, sizeof(bytes));
        *value = (struct st_value){.form = ST_FORM_BYTES, .bytes = {bytes.ptr, bytes.len}};
        return true;
    }
    encode_entry(e, at, body);
    struct st_bytes rest = {body->data + begun, body->len - begun};
    if (body->failed || st_body_next(&rest, &item) <= 0)
        return false;
    *value = item.value;
    return true;
}
