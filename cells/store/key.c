/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "key.h"

#include <math.h>
#include <string.h>

static void put_lowest(struct st_buffer *key, uint64_t value, unsigned n)
{
    uint8_t *to = st_grow(key, n);

    for (unsigned i = 0; to && i < n; i++)
        to[i] = (uint8_t)(value >> (8 * (n - 1 - i)));
}

static unsigned bytes_of(uint64_t value) { return value ? 8 - (unsigned)__builtin_clzll(value) / 8 : 0; }

static void put_integer(struct st_buffer *key, const struct st_value *v)
{
    bool negative = v->form == ST_FORM_SIGNED && (int64_t)v->number < 0;
    unsigned n = bytes_of(negative ? ~v->number : v->number);

    st_put_byte(key, (uint8_t)(negative ? 0x7f - n : 0x80 + n));
    put_lowest(key, v->number, n);
}

static int put_real(struct st_buffer *key, const struct st_value *v, const char *name, struct st_failure *f)
{
    double d = 0;
    uint64_t bits;

    if (v->form == ST_FORM_REAL32) {
        uint32_t half = (uint32_t)v->number;
        float x;
        memcpy(&x, &half, 4);
        d = x;
    } else {
        memcpy(&d, &v->number, 8);
    }
    if (isnan(d))
        return st_fail(f, CELL_INVALID_ARGUMENT, "'%s' is not a number, which has no place in an order", name);
    if (d == 0)
        d = 0;
    memcpy(&bits, &d, 8);
    put_lowest(key, bits >> 63 ? ~bits : bits | UINT64_C(1) << 63, 8);
    return CELL_OK;
}

static void put_text(struct st_buffer *key, struct st_bytes text)
{
    static const uint8_t escaped[2] = {0, 0xff}, end[2] = {0, 0};

    while (text.n > 0) {
        const uint8_t *zero = memchr(text.p, 0, text.n);
        size_t n = zero ? (size_t)(zero - text.p) : text.n;
        st_put(key, text.p, n);
        if (zero)
            st_put(key, escaped, 2);
        n += zero != NULL;
        text.p += n;
        text.n -= n;
    }
    st_put(key, end, 2);
}

/* An array of bytes is a list on the disk: form, number, elements. */
static int put_array(struct st_buffer *key, const struct st_value *v, uint32_t count)
{
    struct st_bytes rest = v->bytes;
    uint64_t n = 0;

    if (v->form != ST_FORM_BYTES || rest.n < 1 || rest.p[0] != ST_FORM_BYTE)
        return CELL_DATA_LOSS;
    rest.p++;
    rest.n--;
    if (st_body_varint(&rest, &n) < 0 || n != count || rest.n != n)
        return CELL_DATA_LOSS;
    st_put(key, rest.p, rest.n);
    return CELL_OK;
}

static int put_zero(struct st_buffer *key, const struct st_field *field, struct st_failure *f)
{
    const struct st_value zero = {.form = ST_FORM_UNSIGNED}, nothing = {.form = ST_FORM_REAL64};

    if (field->shape == ST_ARRAY) {
        uint8_t *to = st_grow(key, field->count);
        if (to)
            memset(to, 0, field->count);
        return CELL_OK;
    }
    switch (field->kind) {
    case CELL_KIND_STR:
    case CELL_KIND_BYTES:
        put_text(key, (struct st_bytes){0});
        return CELL_OK;
    case CELL_KIND_F32:
    case CELL_KIND_F64:
        return put_real(key, &nothing, field->name, f);
    default:
        put_integer(key, &zero);
        return CELL_OK;
    }
}

static int put_value(struct st_buffer *key, const struct st_field *field, const struct st_value *v,
                     struct st_failure *f)
{
    if (field->shape == ST_ARRAY)
        return put_array(key, v, field->count);
    switch (field->kind) {
    case CELL_KIND_STR:
    case CELL_KIND_BYTES:
        if (v->form != ST_FORM_BYTES)
            return CELL_DATA_LOSS;
        put_text(key, v->bytes);
        return CELL_OK;
    case CELL_KIND_F32:
    case CELL_KIND_F64:
        if (v->form != ST_FORM_REAL32 && v->form != ST_FORM_REAL64)
            return CELL_DATA_LOSS;
        return put_real(key, v, field->name, f);
    default:
        if (v->form != ST_FORM_UNSIGNED && v->form != ST_FORM_SIGNED)
            return CELL_DATA_LOSS;
        put_integer(key, v);
        return CELL_OK;
    }
}

int st_key_put(struct st_buffer *key, const struct st_field *field, const struct st_value *v, bool index,
               struct st_failure *f)
{
    struct st_failure why; /* not cleared for each field: it is big */
    bool absent = !v && field->shape == ST_OPT;
    int r = CELL_OK;

    why.status = 0;
    if (index)
        st_put_byte(key, !absent);
    if (!absent)
        r = v ? put_value(key, field, v, &why) : put_zero(key, field, &why);
    if (r < 0)
        return why.status ? st_fail(f, r, "%s", why.text) : st_fail(f, r, "a stored record is damaged");
    if (key->len > ST_MOST_KEY)
        return st_fail(f, CELL_TOO_LARGE, "'%s' is too long for %s: its fields may have about %d bytes together",
                       field->name, index ? "its index" : "a key", ST_MOST_KEY - 16);
    return key->failed ? st_fail(f, CELL_NO_MEMORY, "out of memory") : CELL_OK;
}

static int find_values(struct st_bytes body, const struct st_field *const *fields, uint32_t n, struct st_item *items)
{
    struct st_item item;
    int r;

    for (uint32_t i = 0; i < n; i++)
        items[i].id = 0; /* none has it */
    while ((r = st_body_next(&body, &item)) > 0)
        for (uint32_t i = 0; i < n; i++)
            if (fields[i]->id == item.id)
                items[i] = item;
    return r;
}

int st_key_of(struct st_bytes body, const struct st_field *const *fields, uint32_t n, bool index, struct st_buffer *key,
              bool *absent, struct st_failure *f)
{
    struct st_item items[ST_MOST_KEY_FIELDS];
    bool one_absent = false;
    int r = find_values(body, fields, n, items);

    if (r < 0)
        return st_fail(f, r, "a stored record is damaged");
    for (uint32_t i = 0; r >= 0 && i < n; i++) {
        bool here = items[i].id != 0;
        one_absent = one_absent || (!here && fields[i]->shape == ST_OPT);
        r = st_key_put(key, fields[i], here ? &items[i].value : NULL, index, f);
    }
    if (r >= 0 && absent)
        *absent = one_absent;
    return r;
}

bool st_key_successor(struct st_buffer *key)
{
    while (key->len > 0 && key->data[key->len - 1] == 0xff)
        key->len--;
    if (key->len == 0)
        return false;
    key->data[key->len - 1]++;
    return true;
}
