/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "codec.h"

#include <endian.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#define EPOCH_DAYS 10957 /* from 1970-01-01 to PostgreSQL's 2000-01-01 */
#define EPOCH_US INT64_C(946684800000000)
#define LARGEST (INT_MAX / 4) /* bytes of a value; PostgreSQL's own limit is 1 GiB */

static int no_memory(struct pg_failure *f) { return pg_fail(f, CELL_NO_MEMORY, "out of memory"); }

static int out_of_range(const struct pg_slot *p, struct pg_failure *f)
{
    return pg_fail(f, CELL_OUT_OF_RANGE, "%s is out of the range of its column", p->name);
}

static int too_large(const struct pg_slot *p, struct pg_failure *f)
{
    return pg_fail(f, CELL_TOO_LARGE, "%s is too large", p->name);
}

static void set_small(struct pg_encoded *value, const void *bytes, int length)
{
    memcpy(value->small, bytes, (size_t)length);
    value->data = value->small;
    value->length = length;
}

static int encode_integer(const struct pg_slot *p, const void *at, struct pg_encoded *value, struct pg_failure *f)
{
    int size = p->in_database.base == PG_BASE_INT2 ? 2 : p->in_database.base == PG_BASE_INT4 ? 4 : 8;
    uint64_t absolute, most = (UINT64_C(1) << (size * 8 - 1)) - 1;
    bool negative;

    pg_load_integer(p->type, at, &negative, &absolute);
    if (absolute > most + negative)
        return out_of_range(p, f);
    uint64_t wire = htobe64((negative ? UINT64_C(0) - absolute : absolute) << (64 - size * 8));
    set_small(value, &wire, size);
    return CELL_OK;
}

static int encode_float(const struct pg_slot *p, const void *at, struct pg_encoded *value, struct pg_failure *f)
{
    double d;
    float s = 0;

    if (p->type->kind == CELL_KIND_F32) {
        memcpy(&s, at, sizeof(s));
        d = (double)s;
    } else {
        memcpy(&d, at, sizeof(d));
    }
    if (p->in_database.base == PG_BASE_FLOAT8) {
        uint64_t bits;
        memcpy(&bits, &d, sizeof(bits));
        bits = htobe64(bits);
        set_small(value, &bits, 8);
        return CELL_OK;
    }
    if (isfinite(d) && fabs(d) > 0x1.fffffep127) /* FLT_MAX; what would round to it is refused too */
        return out_of_range(p, f);
    s = (float)d;
    uint32_t bits;
    memcpy(&bits, &s, sizeof(bits));
    bits = htobe32(bits);
    set_small(value, &bits, 4);
    return CELL_OK;
}

static int encode_text(const struct pg_slot *p, const void *at, struct pg_arena *arena, struct pg_encoded *value,
                       struct pg_failure *f)
{
    cell_str s;
    bool jsonb = p->codec == PG_CODEC_JSONB_TEXT;

    memcpy(&s, at, sizeof(s));
    if (s.len > LARGEST)
        return too_large(p, f);
    if (s.len > 0 && memchr(s.ptr, 0, s.len))
        return pg_fail(f, CELL_INVALID_ARGUMENT, "%s has a NUL in it, which no text of the database can have", p->name);
    value->data = s.len ? s.ptr : "";
    value->length = (int)s.len;
    if (!jsonb)
        return CELL_OK;
    char *copy = pg_alloc(arena, s.len + 1);
    if (!copy)
        return no_memory(f);
    copy[0] = 1; /* the version of the format */
    memcpy(copy + 1, value->data, s.len);
    value->data = copy;
    value->length++;
    return CELL_OK;
}

/* bytea of bytes, and of a list or array of u8. */
static int encode_bytes(const struct pg_slot *p, const void *at, struct pg_encoded *value, struct pg_failure *f)
{
    cell_bytes b = {at, p->count};

    if (pg_slot_refers_to_bytes(p))
        memcpy(&b, at, sizeof(b));
    if (b.len > LARGEST)
        return too_large(p, f);
    value->data = b.len ? (const char *)b.ptr : "";
    value->length = (int)b.len;
    return CELL_OK;
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static int encode_uuid_text(const struct pg_slot *p, const void *at, struct pg_encoded *value, struct pg_failure *f)
{
    unsigned char bytes[16];
    cell_str s;
    unsigned n = 0;

    memcpy(&s, at, sizeof(s));
    for (unsigned i = 0; s.len == 36 && i < 36 && n < 16;) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (s.ptr[i++] != '-')
                break;
            continue;
        }
        int high = hex(s.ptr[i]), low = hex(s.ptr[i + 1]);
        if (high < 0 || low < 0)
            break;
        bytes[n++] = (unsigned char)(high * 16 + low);
        i += 2;
    }
    if (n < 16)
        return pg_fail(f, CELL_INVALID_ARGUMENT, "%s is no UUID", p->name);
    set_small(value, bytes, 16);
    return CELL_OK;
}

static int encode_date(const struct pg_slot *p, const void *at, struct pg_encoded *value, struct pg_failure *f)
{
    int64_t days = 0;

    if (p->type->kind == CELL_KIND_I32) {
        int32_t narrow;
        memcpy(&narrow, at, sizeof(narrow));
        days = narrow;
    } else {
        memcpy(&days, at, sizeof(days));
    }
    /* Both ends of the range mean infinity. */
    if (days <= INT32_MIN + (int64_t)EPOCH_DAYS || days >= INT32_MAX + (int64_t)EPOCH_DAYS)
        return out_of_range(p, f);
    uint32_t wire = htobe32((uint32_t)(int32_t)(days - EPOCH_DAYS));
    set_small(value, &wire, 4);
    return CELL_OK;
}

static int encode_time(const struct pg_slot *p, const void *at, struct pg_encoded *value, struct pg_failure *f)
{
    int64_t us;

    memcpy(&us, at, sizeof(us));
    if (p->codec == PG_CODEC_TIMESTAMP && (__builtin_sub_overflow(us, EPOCH_US, &us) || us == INT64_MIN))
        return out_of_range(p, f);
    if (p->codec == PG_CODEC_TIME && (us < 0 || us > INT64_C(86400000000)))
        return out_of_range(p, f);
    uint64_t wire = htobe64((uint64_t)us);
    set_small(value, &wire, 8);
    return CELL_OK;
}

static int encode_label(const struct pg_slot *p, const void *at, struct pg_encoded *value, struct pg_failure *f)
{
    uint64_t absolute;
    bool negative;

    pg_load_integer(p->type, at, &negative, &absolute);
    for (uint32_t i = 0; i < p->nlabels; i++) {
        int64_t n = p->labels[i].number;
        if ((n < 0) == negative && (n < 0 ? UINT64_C(0) - (uint64_t)n : (uint64_t)n) == absolute) {
            value->data = p->labels[i].text;
            value->length = (int)p->labels[i].length;
            return CELL_OK;
        }
    }
    return pg_fail(f, CELL_INVALID_ARGUMENT, "%s is none of its values", p->name);
}

static int encode_json(const struct pg_slot *p, const void *at, struct pg_arena *arena, struct pg_encoded *value,
                       struct pg_failure *f)
{
    struct pg_text text = {.arena = arena};
    const void *values = at;
    uint64_t n = p->count ? p->count : UINT64_MAX;

    if (p->list) {
        cell_bytes list;
        memcpy(&list, at, sizeof(list));
        values = list.ptr;
        n = list.len;
    }
    if (p->in_database.base == PG_BASE_JSONB)
        pg_append(&text, "\1", 1);
    struct pg_json_wrong wrong;
    int r = pg_json_write(p->type, values, n, &text, &wrong);
    if (text.failed || r == CELL_NO_MEMORY)
        return no_memory(f);
    if (r == CELL_OUT_OF_RANGE)
        return pg_fail(f, CELL_INVALID_ARGUMENT, "%s%s: %s is none of the values of enum %s", p->name, wrong.where,
                       wrong.value, wrong.type);
    if (r < 0)
        return pg_fail(f, r, "%s has a value that JSON cannot hold", p->name);
    if (text.len > LARGEST)
        return too_large(p, f);
    value->data = text.data;
    value->length = (int)text.len;
    return CELL_OK;
}

static int encode_numeric(const struct pg_slot *p, const void *at, struct pg_arena *arena, struct pg_encoded *value,
                          struct pg_failure *f)
{
    cell_str s;
    uint64_t absolute;
    bool negative;
    int r;

    if (p->codec == PG_CODEC_NUMERIC_INTEGER) {
        pg_load_integer(p->type, at, &negative, &absolute);
        r = pg_numeric_from_integer(negative, absolute, arena, value);
    } else {
        memcpy(&s, at, sizeof(s));
        r = pg_numeric_from_text(s.ptr, s.len, arena, value);
    }
    return r == CELL_NO_MEMORY ? no_memory(f) : r < 0 ? pg_fail(f, r, "%s is no decimal number", p->name) : CELL_OK;
}

/* One value, or one element of an array. */
static int encode_one(const struct pg_slot *p, const void *at, struct pg_arena *arena, struct pg_encoded *value,
                      struct pg_failure *f)
{
    switch (p->codec) {
    case PG_CODEC_BOOL:
        set_small(value, at, 1);
        return CELL_OK;
    case PG_CODEC_INTEGER:
        return encode_integer(p, at, value, f);
    case PG_CODEC_FLOAT:
        return encode_float(p, at, value, f);
    case PG_CODEC_NUMERIC_INTEGER:
    case PG_CODEC_NUMERIC_TEXT:
        return encode_numeric(p, at, arena, value, f);
    case PG_CODEC_TEXT:
    case PG_CODEC_TEXT_FORM:
    case PG_CODEC_JSONB_TEXT:
        return encode_text(p, at, arena, value, f);
    case PG_CODEC_BYTES:
        return encode_bytes(p, at, value, f);
    case PG_CODEC_UUID:
        set_small(value, at, 16);
        return CELL_OK;
    case PG_CODEC_UUID_TEXT:
        return encode_uuid_text(p, at, value, f);
    case PG_CODEC_DATE:
        return encode_date(p, at, value, f);
    case PG_CODEC_TIME:
    case PG_CODEC_TIMESTAMP:
        return encode_time(p, at, value, f);
    case PG_CODEC_JSON_STRUCT:
        return encode_json(p, at, arena, value, f);
    case PG_CODEC_ENUM_LABEL:
        return encode_label(p, at, value, f);
    case PG_CODEC_VECTOR:
        break;
    }
    return pg_fail(f, CELL_INTERNAL, "%s: no codec", p->name);
}

/* Where the elements of a list or array are. */
static const char *elements_of(const struct pg_slot *p, const void *at, uint64_t *n)
{
    cell_bytes list = {at, p->count};

    if (p->list)
        memcpy(&list, at, sizeof(list));
    *n = list.len;
    return (const char *)list.ptr;
}

static void put32(struct pg_text *t, uint32_t value)
{
    uint32_t wire = htobe32(value);

    pg_append(t, &wire, 4);
}

/* array_recv: dimensions, flags, element type; of each dimension length and lower bound; of each element length and
 * bytes. */
static int encode_array(const struct pg_slot *p, const void *at, struct pg_arena *arena, struct pg_encoded *value,
                        struct pg_failure *f)
{
    struct pg_text t = {.arena = arena};
    uint64_t n;
    const char *elements = elements_of(p, at, &n);

    if (n > LARGEST / 8)
        return too_large(p, f);
    put32(&t, n > 0);
    put32(&t, 0);
    put32(&t, p->element);
    if (n > 0) {
        put32(&t, (uint32_t)n);
        put32(&t, 1);
    }
    for (uint64_t i = 0; i < n; i++) {
        struct pg_encoded element;
        int r = encode_one(p, elements + i * p->type->size, arena, &element, f);
        if (r < 0)
            return r;
        put32(&t, (uint32_t)element.length);
        pg_append(&t, element.data, (size_t)element.length);
        if (t.len > LARGEST)
            return too_large(p, f);
    }
    if (t.failed)
        return no_memory(f);
    value->data = t.data;
    value->length = (int)t.len;
    return CELL_OK;
}

/* vector_recv of pgvector: dimensions, 0, the floats. */
static int encode_vector(const struct pg_slot *p, const void *at, struct pg_arena *arena, struct pg_encoded *value,
                         struct pg_failure *f)
{
    struct pg_text t = {.arena = arena};
    uint64_t n;
    const char *elements = elements_of(p, at, &n);

    if (n > 16000)
        return too_large(p, f);
    put32(&t, (uint32_t)n << 16);
    for (uint64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, elements + i * 4, 4);
        put32(&t, bits);
    }
    if (t.failed)
        return no_memory(f);
    value->data = t.data;
    value->length = (int)t.len;
    return CELL_OK;
}

int pg_encode(const struct pg_slot *p, const void *base, struct pg_arena *arena, struct pg_encoded *value,
              struct pg_failure *f)
{
    const char *at = (const char *)base + p->offset;

    if (p->optional) {
        if (!*at) {
            value->data = NULL;
            value->length = 0;
            return CELL_OK;
        }
        at += p->value_offset;
    }
    if (p->in_database.array)
        return encode_array(p, at, arena, value, f);
    if (p->codec == PG_CODEC_VECTOR)
        return encode_vector(p, at, arena, value, f);
    return encode_one(p, at, arena, value, f);
}
