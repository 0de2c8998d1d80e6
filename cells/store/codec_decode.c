/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Reading stored records. Nothing of a body is believed: it may be damaged. */
#include <string.h>

#include "codec_impl.h"

struct decoding {
    struct st_memory memory;
    struct st_failure *f;
};

static int damaged(const struct decoding *d) { return st_fail(d->f, CELL_DATA_LOSS, "a stored record is damaged"); }

static int does_not_fit(const struct decoding *d, const struct st_entry *e)
{
    return st_fail(d->f, CELL_OUT_OF_RANGE,
                   "the program's type of '%s' does not hold the number in this record: build the program again",
                   e->stored->name);
}

static void store_integer(uint64_t n, uint32_t size, void *to)
{
    if (size == 8)
        memcpy(to, &n, 8);
    else if (size == 4)
        memcpy(to, &n, 4);
    else if (size == 2)
        memcpy(to, &n, 2);
    else
        memcpy(to, &n, 1);
}

static int decode_integer(const struct decoding *d, const struct st_entry *e, const struct st_value *v, void *to)
{
    bool negative = v->form == ST_FORM_SIGNED && (int64_t)v->number < 0, fits;
    unsigned unused = 64 - 8 * e->size; /* bits */
    uint64_t n = v->number;

    if (v->form != ST_FORM_SIGNED && v->form != ST_FORM_UNSIGNED && v->form != ST_FORM_BYTE)
        return damaged(d);
    if (e->kind == CELL_KIND_BOOL) {
        store_integer(n != 0, 1, to);
        return CELL_OK;
    }
    if (st_kind_is_signed(e->kind))
        fits = (uint64_t)((int64_t)(n << unused) >> unused) == n && (negative || n <= INT64_MAX);
    else
        fits = n << unused >> unused == n && !negative;
    if (!fits)
        return does_not_fit(d, e);
    store_integer(n, e->size, to);
    return CELL_OK;
}

static int decode_real(const struct decoding *d, const struct st_entry *e, const struct st_value *v, void *to)
{
    uint32_t half = (uint32_t)v->number;
    float x;
    double wide;

    if (v->form == ST_FORM_REAL64 && e->kind == CELL_KIND_F32)
        return does_not_fit(d, e);
    if (v->form != ST_FORM_REAL32 && v->form != ST_FORM_REAL64)
        return damaged(d);
    memcpy(&x, &half, 4);
    if (v->form == ST_FORM_REAL64)
        memcpy(&wide, &v->number, 8);
    else
        wide = x;
    memcpy(to, e->kind == CELL_KIND_F32 ? (const void *)&x : (const void *)&wide, e->size);
    return CELL_OK;
}

static int decode_body(const struct decoding *d, const struct st_codec *codec, struct st_bytes body, uint8_t *data);

static int decode_one(const struct decoding *d, const struct st_entry *e, const struct st_value *v, void *to)
{
    cell_bytes bytes;

    switch (e->kind) {
    case CELL_KIND_STR:
    case CELL_KIND_BYTES:
        if (v->form != ST_FORM_BYTES)
            return damaged(d);
        bytes = (cell_bytes){v->bytes.n ? v->bytes.p : NULL, v->bytes.n};
        memcpy(to, &bytes, sizeof(bytes));
        return CELL_OK;
    case CELL_KIND_STRUCT:
        return v->form == ST_FORM_BYTES ? decode_body(d, e->record, v->bytes, to) : damaged(d);
    case CELL_KIND_F32:
    case CELL_KIND_F64:
        return decode_real(d, e, v, to);
    default:
        return decode_integer(d, e, v, to);
    }
}

/* Takes form and number of a list's elements off; each has a byte at least, so that the number cannot be a lie. */
static int begin_many(const struct decoding *d, const struct st_value *v, struct st_bytes *rest, enum st_form *form,
                      uint64_t *n)
{
    *rest = v->bytes;
    if (v->form != ST_FORM_BYTES || rest->n < 1 || rest->p[0] > ST_FORM_BYTE)
        return damaged(d);
    *form = (enum st_form)rest->p[0];
    rest->p++;
    rest->n--;
    return st_body_varint(rest, n) < 0 || *n > rest->n ? damaged(d) : CELL_OK;
}

static int decode_elements(const struct decoding *d, const struct st_entry *e, struct st_bytes rest, enum st_form form,
                           uint64_t n, uint8_t *to)
{
    bool same = form == st_form_of(e->kind, true) && (e->kind == CELL_KIND_U8 || form == ST_FORM_REAL32 ||
                                                      (form == ST_FORM_REAL64 && e->kind == CELL_KIND_F64));
    struct st_value v;

    if (same && rest.n == n * e->size) {
        if (n > 0)
            memcpy(to, rest.p, rest.n);
        return CELL_OK;
    }
    for (uint64_t i = 0; i < n; i++) {
        if (st_body_value(&rest, form, &v) < 0)
            return damaged(d);
        int r = decode_one(d, e, &v, to + i * e->size);
        if (r < 0)
            return r;
    }
    return rest.n == 0 ? CELL_OK : damaged(d);
}

static int decode_list(const struct decoding *d, const struct st_entry *e, const struct st_value *v, uint8_t *at)
{
    enum st_form form;
    struct st_bytes rest;
    uint64_t n = 0;
    int r = begin_many(d, v, &rest, &form, &n);

    if (r < 0)
        return r;
    uint8_t *elements =
        e->size == 0 || n <= SIZE_MAX / 2 / e->size ? d->memory.alloc(d->memory.user, n * e->size + 1) : NULL;
    if (!elements)
        return st_fail(d->f, CELL_NO_MEMORY, "out of memory");
    const cell_bytes list = {n ? elements : NULL, n};
    r = decode_elements(d, e, rest, form, n, elements);
    if (r >= 0)
        memcpy(at, &list, sizeof(list));
    return r;
}

static int decode_array(const struct decoding *d, const struct st_entry *e, const struct st_value *v, uint8_t *at)
{
    enum st_form form;
    struct st_bytes rest;
    uint64_t n = 0;
    int r = begin_many(d, v, &rest, &form, &n);

    if (r >= 0 && n != e->count)
        r = damaged(d);
    return r < 0 ? r : decode_elements(d, e, rest, form, n, at);
}

static int decode_entry(const struct decoding *d, const struct st_entry *e, const struct st_value *v, uint8_t *at)
{
    switch ((enum st_shape)e->shape) {
    case ST_LIST:
        return decode_list(d, e, v, at);
    case ST_ARRAY:
        return decode_array(d, e, v, at);
    case ST_OPT:
        at[0] = 1;
        return decode_one(d, e, v, at + e->value_offset);
    case ST_PLAIN:
        break;
    }
    return decode_one(d, e, v, at);
}

static int decode_body(const struct decoding *d, const struct st_codec *codec, struct st_bytes body, uint8_t *data)
{
    struct st_item item;
    int r;

    while ((r = st_body_next(&body, &item)) > 0) {
        uint16_t i = item.id <= codec->most ? codec->by_id[item.id] : 0;
        if (i == 0)
            continue;
        const struct st_entry *e = &codec->entries[i - 1];
        r = decode_entry(d, e, &item.value, data + e->offset);
        if (r < 0)
            return r;
    }
    return r < 0 ? damaged(d) : CELL_OK;
}

int st_decode(const struct st_codec *codec, struct st_bytes body, void *data, struct st_memory memory,
              struct st_failure *f)
{
    const struct decoding d = {memory, f};

    return decode_body(&d, codec, body, data);
}
