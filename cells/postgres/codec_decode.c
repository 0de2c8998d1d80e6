/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "codec.h"

#include <endian.h>
#include <math.h>
#include <string.h>

#define EPOCH_DAYS 10957
#define EPOCH_US INT64_C(946684800000000)

static int no_memory(struct pg_failure *f) { return pg_fail(f, CELL_NO_MEMORY, "the reply is larger than it may be"); }

static int malformed(const struct pg_slot *p, struct pg_failure *f)
{
    return pg_fail(f, CELL_DATA_LOSS, "%s: the database sent a value of another form than its type has", p->name);
}

static int does_not_fit(const struct pg_slot *p, struct pg_failure *f)
{
    return pg_fail(f, CELL_DATA_LOSS, "%s: the value in the database is out of the range of the field", p->name);
}

static uint32_t get32(const char *data)
{
    uint32_t wire;

    memcpy(&wire, data, 4);
    return be32toh(wire);
}

static uint64_t get64(const char *data)
{
    uint64_t wire;

    memcpy(&wire, data, 8);
    return be64toh(wire);
}

static int decode_bool(const struct pg_slot *p, const char *data, int length, void *at, struct pg_failure *f)
{
    if (length != 1 || (data[0] != 0 && data[0] != 1))
        return malformed(p, f);
    *(char *)at = data[0];
    return CELL_OK;
}

static int decode_integer(const struct pg_slot *p, const char *data, int length, void *at, struct pg_failure *f)
{
    int size = p->in_database.base == PG_BASE_INT2 ? 2 : p->in_database.base == PG_BASE_INT4 ? 4 : 8;

    if (length != size)
        return malformed(p, f);
    int64_t n = size == 8   ? (int64_t)get64(data)
                : size == 4 ? (int32_t)get32(data)
                            : (int16_t)(((uint16_t)(unsigned char)data[0] << 8) | (unsigned char)data[1]);
    uint64_t absolute = n < 0 ? UINT64_C(0) - (uint64_t)n : (uint64_t)n;
    return pg_store_integer(p->type, at, n < 0, absolute) ? CELL_OK : does_not_fit(p, f);
}

static int decode_float(const struct pg_slot *p, const char *data, int length, void *at, struct pg_failure *f)
{
    double d;

    if (length != (p->in_database.base == PG_BASE_FLOAT4 ? 4 : 8))
        return malformed(p, f);
    if (length == 8) {
        uint64_t bits = get64(data);
        memcpy(&d, &bits, 8);
    } else {
        uint32_t bits = get32(data);
        float s;
        memcpy(&s, &bits, 4);
        if (p->type->kind == CELL_KIND_F32) {
            memcpy(at, &s, 4);
            return CELL_OK;
        }
        d = (double)s;
    }
    if (p->type->kind != CELL_KIND_F64)
        return malformed(p, f);
    memcpy(at, &d, 8);
    return CELL_OK;
}

static int store_bytes(const char *data, size_t length, void *at, const struct pg_sink *sink, struct pg_failure *f)
{
    cell_bytes b = {(const uint8_t *)data, length};

    if (!sink->borrow) {
        char *copy = pg_sink_alloc(sink, length + 1);
        if (!copy)
            return no_memory(f);
        memcpy(copy, data, length);
        copy[length] = '\0';
        b.ptr = (const uint8_t *)copy;
    }
    memcpy(at, &b, sizeof(b));
    return CELL_OK;
}

static int decode_text(const struct pg_slot *p, const char *data, int length, void *at, const struct pg_sink *sink,
                       struct pg_failure *f)
{
    if (p->codec == PG_CODEC_JSONB_TEXT) {
        if (length < 1 || data[0] != 1)
            return malformed(p, f);
        data++;
        length--;
    }
    if (!pg_is_text(data, (size_t)length))
        return pg_fail(f, CELL_DATA_LOSS, "%s: the text in the database is not UTF-8", p->name);
    return store_bytes(data, (size_t)length, at, sink, f);
}

static int decode_bytes(const struct pg_slot *p, const char *data, int length, void *at, const struct pg_sink *sink,
                        struct pg_failure *f)
{
    if (pg_slot_refers_to_bytes(p))
        return store_bytes(data, (size_t)length, at, sink, f);
    if ((uint32_t)length != p->count)
        return pg_fail(f, CELL_DATA_LOSS, "%s: %d byte%s in the database, and not %u", p->name, length,
                       length == 1 ? " is" : "s are", p->count);
    memcpy(at, data, p->count);
    return CELL_OK;
}

static int decode_uuid(const struct pg_slot *p, const char *data, int length, void *at, const struct pg_sink *sink,
                       struct pg_failure *f)
{
    static const char digits[] = "0123456789abcdef";

    if (length != 16)
        return malformed(p, f);
    if (p->codec == PG_CODEC_UUID) {
        memcpy(at, data, 16);
        return CELL_OK;
    }
    char *text = pg_sink_alloc(sink, 37);
    if (!text)
        return no_memory(f);
    size_t n = 0;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[n++] = '-';
        text[n++] = digits[(unsigned char)data[i] >> 4];
        text[n++] = digits[data[i] & 15];
    }
    text[n] = '\0';
    memcpy(at, &(cell_str){text, n}, sizeof(cell_str));
    return CELL_OK;
}

static int decode_date(const struct pg_slot *p, const char *data, int length, void *at, struct pg_failure *f)
{
    if (length != 4)
        return malformed(p, f);
    int64_t days = (int32_t)get32(data);
    if (days == INT32_MIN || days == INT32_MAX)
        return pg_fail(f, CELL_DATA_LOSS, "%s: the date in the database is infinity", p->name);
    days += EPOCH_DAYS;
    return pg_store_integer(p->type, at, days < 0, days < 0 ? UINT64_C(0) - (uint64_t)days : (uint64_t)days)
               ? CELL_OK
               : does_not_fit(p, f);
}

static int decode_time(const struct pg_slot *p, const char *data, int length, void *at, struct pg_failure *f)
{
    if (length != 8)
        return malformed(p, f);
    int64_t us = (int64_t)get64(data);
    if (p->codec == PG_CODEC_TIMESTAMP) {
        if (us == INT64_MIN || us == INT64_MAX)
            return pg_fail(f, CELL_DATA_LOSS, "%s: the time in the database is infinity", p->name);
        if (__builtin_add_overflow(us, EPOCH_US, &us))
            return does_not_fit(p, f);
    }
    memcpy(at, &us, 8);
    return CELL_OK;
}

static int unknown_value(const struct pg_slot *p, struct pg_failure *f)
{
    return pg_fail(f, CELL_DATA_LOSS, "%s: the database has a value there that the program does not know", p->name);
}

static int decode_label(const struct pg_slot *p, const char *data, int length, void *at, struct pg_failure *f)
{
    for (uint32_t i = 0; i < p->nlabels; i++) {
        int64_t n = p->labels[i].number;
        if (p->labels[i].length != (size_t)length || memcmp(p->labels[i].text, data, (size_t)length) != 0)
            continue;
        return pg_store_integer(p->type, at, n < 0, n < 0 ? UINT64_C(0) - (uint64_t)n : (uint64_t)n)
                   ? CELL_OK
                   : does_not_fit(p, f);
    }
    return unknown_value(p, f);
}

static int decode_numeric(const struct pg_slot *p, const char *data, int length, void *at, const struct pg_sink *sink,
                          struct pg_failure *f)
{
    uint64_t absolute;
    bool negative;
    cell_str text;
    int r;

    if (p->codec == PG_CODEC_NUMERIC_INTEGER) {
        r = pg_numeric_to_integer(data, length, &negative, &absolute);
        if (r >= 0)
            return pg_store_integer(p->type, at, negative, absolute) ? CELL_OK : does_not_fit(p, f);
    } else {
        r = pg_numeric_to_text(data, length, sink, &text);
        if (r >= 0)
            memcpy(at, &text, sizeof(text));
    }
    return r == CELL_NO_MEMORY      ? no_memory(f)
           : r == CELL_OUT_OF_RANGE ? does_not_fit(p, f)
           : r < 0                  ? malformed(p, f)
                                    : CELL_OK;
}

static int decode_json(const struct pg_slot *p, const char *data, int length, void *at, const struct pg_sink *sink,
                       struct pg_failure *f)
{
    if (p->in_database.base == PG_BASE_JSONB) {
        if (length < 1 || data[0] != 1)
            return malformed(p, f);
        data++;
        length--;
    }
    struct pg_json_wrong wrong;
    int r = pg_json_read(p, data, (size_t)length, at, sink, &wrong);
    if (r == CELL_OUT_OF_RANGE)
        return pg_fail(f, CELL_DATA_LOSS, "%s%s: %s in the database is none of the values of enum %s", p->name,
                       wrong.where, wrong.value, wrong.type);
    return r == CELL_NO_MEMORY ? no_memory(f)
           : r < 0 ? pg_fail(f, CELL_DATA_LOSS, "%s: the JSON in the database is not of the struct's form", p->name)
                   : CELL_OK;
}

static int decode_one(const struct pg_slot *p, const char *data, int length, void *at, const struct pg_sink *sink,
                      struct pg_failure *f)
{
    switch (p->codec) {
    case PG_CODEC_BOOL:
        return decode_bool(p, data, length, at, f);
    case PG_CODEC_INTEGER:
        return decode_integer(p, data, length, at, f);
    case PG_CODEC_FLOAT:
        return decode_float(p, data, length, at, f);
    case PG_CODEC_NUMERIC_INTEGER:
    case PG_CODEC_NUMERIC_TEXT:
        return decode_numeric(p, data, length, at, sink, f);
    case PG_CODEC_TEXT:
    case PG_CODEC_TEXT_FORM:
    case PG_CODEC_JSONB_TEXT:
        return decode_text(p, data, length, at, sink, f);
    case PG_CODEC_BYTES:
        return decode_bytes(p, data, length, at, sink, f);
    case PG_CODEC_UUID:
    case PG_CODEC_UUID_TEXT:
        return decode_uuid(p, data, length, at, sink, f);
    case PG_CODEC_DATE:
        return decode_date(p, data, length, at, f);
    case PG_CODEC_TIME:
    case PG_CODEC_TIMESTAMP:
        return decode_time(p, data, length, at, f);
    case PG_CODEC_JSON_STRUCT:
        return decode_json(p, data, length, at, sink, f);
    case PG_CODEC_ENUM_LABEL:
        return decode_label(p, data, length, at, f);
    case PG_CODEC_VECTOR:
        break;
    }
    return pg_fail(f, CELL_INTERNAL, "%s: no codec", p->name);
}

/* Memory for `n` elements: the field itself, or a new list whose reference is stored in the field. */
static int make_elements(const struct pg_slot *p, uint32_t n, void *at, const struct pg_sink *sink, char **elements,
                         struct pg_failure *f)
{
    if (!p->list) {
        if (n != p->count)
            return pg_fail(f, CELL_DATA_LOSS, "%s: %u element%s in the database, and not %u", p->name, n,
                           n == 1 ? " is" : "s are", p->count);
        *elements = at;
        return CELL_OK;
    }
    *elements = pg_sink_alloc(sink, ((size_t)n + (n == 0)) * p->type->size);
    if (!*elements)
        return no_memory(f);
    memcpy(at, &(cell_bytes){(const uint8_t *)*elements, n}, sizeof(cell_bytes));
    return CELL_OK;
}

static int decode_array(const struct pg_slot *p, const char *data, int length, void *at, const struct pg_sink *sink,
                        struct pg_failure *f)
{
    char *elements;
    uint32_t n = 0;
    int used = 12;

    if (length < 12 || get32(data) > 6)
        return malformed(p, f);
    if (get32(data) > 1)
        return pg_fail(f, CELL_DATA_LOSS, "%s: the array in the database has several dimensions", p->name);
    if (p->element != 0 && get32(data + 8) != p->element)
        return malformed(p, f);
    if (get32(data) == 1) {
        if (length < 20)
            return malformed(p, f);
        n = get32(data + 12);
        used = 20;
    }
    if (n > (uint32_t)(length - used) / 4) /* each has a length */
        return malformed(p, f);
    int r = make_elements(p, n, at, sink, &elements, f);
    for (uint32_t i = 0; r >= 0 && i < n; i++) {
        if (length - used < 4)
            return malformed(p, f);
        int32_t size = (int32_t)get32(data + used);
        used += 4;
        if (size == -1)
            return pg_fail(f, CELL_DATA_LOSS, "%s: the array in the database has a NULL in it", p->name);
        if (size < 0 || size > length - used)
            return malformed(p, f);
        r = decode_one(p, data + used, size, elements + (size_t)i * p->type->size, sink, f);
        used += size;
    }
    return r < 0 ? r : used == length ? CELL_OK : malformed(p, f);
}

static int decode_vector(const struct pg_slot *p, const char *data, int length, void *at, const struct pg_sink *sink,
                         struct pg_failure *f)
{
    char *elements;

    if (length < 4 || (length - 4) % 4 != 0 || (get32(data) >> 16) != (uint32_t)(length - 4) / 4)
        return malformed(p, f);
    uint32_t n = get32(data) >> 16;
    int r = make_elements(p, n, at, sink, &elements, f);
    for (uint32_t i = 0; r >= 0 && i < n; i++) {
        uint32_t bits = get32(data + 4 + (size_t)i * 4);
        memcpy(elements + (size_t)i * 4, &bits, 4);
    }
    return r;
}

int pg_decode(const struct pg_slot *p, const char *data, int length, void *base, const struct pg_sink *sink,
              struct pg_failure *f)
{
    char *at = (char *)base + p->offset;

    if (!data) {
        if (!p->optional)
            return pg_fail(f, CELL_DATA_LOSS, "%s is NULL in the database, and the field is not optional", p->name);
        memset(at, 0, p->value_offset + p->type->size);
        return CELL_OK;
    }
    if (length < 0)
        return malformed(p, f);
    if (p->optional) {
        *at = 1;
        at += p->value_offset;
    }
    if (p->in_database.array)
        return decode_array(p, data, length, at, sink, f);
    if (p->codec == PG_CODEC_VECTOR)
        return decode_vector(p, data, length, at, sink, f);
    return decode_one(p, data, length, at, sink, f);
}
