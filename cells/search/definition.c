/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "definition.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "words.h"

/* ---- types ---- */

static uint32_t kind_of(const char *name, size_t length)
{
#define KIND(symbol, number, text, size)                                                                               \
    if (number <= CELL_KIND_BYTES && length == strlen(text) && memcmp(name, text, length) == 0)                        \
        return number;
    CELL_KIND_MAP(KIND)
#undef KIND
    return 0;
}

bool sc_type_parse(const char *text, struct sc_type *type)
{
    const char *bracket = strchr(text, '[');
    size_t n = strlen(text);

    *type = (struct sc_type){.shape = SC_PLAIN};
    if (strncmp(text, "opt<", 4) == 0 && n > 5 && text[n - 1] == '>') {
        type->shape = SC_OPT;
        type->kind = kind_of(text + 4, n - 5);
    } else if (bracket) {
        char *end;
        unsigned long count = strtoul(bracket + 1, &end, 10);
        type->shape = SC_ARRAY;
        type->kind =
            strcmp(end, "]") == 0 && count >= 1 && count <= 65536 ? kind_of(text, (size_t)(bracket - text)) : 0;
        type->count = (uint32_t)count;
    } else {
        type->kind = kind_of(text, n);
    }
    return type->kind != 0;
}

bool sc_type_is_integer(const struct sc_type *type)
{
    return type->kind >= CELL_KIND_I8 && type->kind <= CELL_KIND_U64;
}

const struct cell_type *sc_type_descriptor(uint32_t kind, bool optional)
{
    static const struct cell_type *const plain[] = {
        [CELL_KIND_BOOL] = &cell_type_bool,  [CELL_KIND_I8] = &cell_type_i8,   [CELL_KIND_U8] = &cell_type_u8,
        [CELL_KIND_I16] = &cell_type_i16,    [CELL_KIND_U16] = &cell_type_u16, [CELL_KIND_I32] = &cell_type_i32,
        [CELL_KIND_U32] = &cell_type_u32,    [CELL_KIND_I64] = &cell_type_i64, [CELL_KIND_U64] = &cell_type_u64,
        [CELL_KIND_F32] = &cell_type_f32,    [CELL_KIND_F64] = &cell_type_f64, [CELL_KIND_STR] = &cell_type_str,
        [CELL_KIND_BYTES] = &cell_type_bytes};
    static const struct cell_type *const opt[] = {
        [CELL_KIND_BOOL] = &cell_type_opt_bool,  [CELL_KIND_I8] = &cell_type_opt_i8,
        [CELL_KIND_U8] = &cell_type_opt_u8,      [CELL_KIND_I16] = &cell_type_opt_i16,
        [CELL_KIND_U16] = &cell_type_opt_u16,    [CELL_KIND_I32] = &cell_type_opt_i32,
        [CELL_KIND_U32] = &cell_type_opt_u32,    [CELL_KIND_I64] = &cell_type_opt_i64,
        [CELL_KIND_U64] = &cell_type_opt_u64,    [CELL_KIND_F32] = &cell_type_opt_f32,
        [CELL_KIND_F64] = &cell_type_opt_f64,    [CELL_KIND_STR] = &cell_type_opt_str,
        [CELL_KIND_BYTES] = &cell_type_opt_bytes};

    return kind < 1 || kind > CELL_KIND_BYTES ? NULL : optional ? opt[kind] : plain[kind];
}

uint64_t sc_integer_at(uint32_t kind, const void *at)
{
    union {
        int8_t i8;
        int16_t i16;
        int32_t i32;
        uint16_t u16;
        uint32_t u32;
        uint64_t u64;
        uint8_t u8;
    } v;

    memcpy(&v, at, sc_type_descriptor(kind, false)->size);
    switch (kind) {
    case CELL_KIND_I8:
        return (uint64_t)(int64_t)v.i8;
    case CELL_KIND_I16:
        return (uint64_t)(int64_t)v.i16;
    case CELL_KIND_I32:
        return (uint64_t)(int64_t)v.i32;
    case CELL_KIND_U16:
        return v.u16;
    case CELL_KIND_U32:
        return v.u32;
    case CELL_KIND_I64:
    case CELL_KIND_U64:
        return v.u64;
    default:
        return v.u8;
    }
}

/* ---- definitions ---- */

static const char *const kinds[] = {"text", "keyword", "integer", "real", "bool", "vector"};
static const char *const metrics[] = {"cosine", "inner_product", "l2"};

const char *sc_kind_name(enum search_kind kind) { return kinds[kind]; }
const char *sc_metric_name(enum search_metric metric) { return metrics[metric]; }

bool sc_metric_parse(const char *name, enum search_metric *metric)
{
    for (int i = 0; i < 3; i++)
        if (strcmp(name, metrics[i]) == 0) {
            *metric = (enum search_metric)i;
            return true;
        }
    return false;
}

static const char *text_of(const json_t *object, const char *key, size_t most)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text && *text && strlen(text) <= most ? text : NULL;
}

static bool read_typed(const json_t *from, struct sc_field *field)
{
    field->name = text_of(from, "name", 127);
    field->type_text = text_of(from, "type", 64);
    return field->name && field->type_text && sc_type_parse(field->type_text, &field->type);
}

static bool read_field(const json_t *from, struct sc_field *field)
{
    const char *as = text_of(from, "as", 16), *metric = text_of(from, "metric", 16);
    uint32_t i = 0;

    while (as && i < 6 && strcmp(kinds[i], as) != 0)
        i++;
    if (!as || i == 6 || !read_typed(from, field))
        return false;
    field->as = (enum search_kind)i;
    field->weight = field->as == SEARCH_TEXT ? json_number_value(json_object_get(from, "weight")) : 1;
    if (field->as == SEARCH_VECTOR)
        return field->type.shape == SC_ARRAY && field->type.kind == CELL_KIND_F32 && metric &&
               sc_metric_parse(metric, &field->metric);
    return field->type.shape != SC_ARRAY && field->weight > 0;
}

static bool read_lists(const json_t *json, struct sc_definition *d)
{
    const json_t *key = json_object_get(json, "key"), *fields = json_object_get(json, "fields");

    d->nkey = (uint32_t)json_array_size(key);
    d->nfields = (uint32_t)json_array_size(fields);
    if (d->nkey < 1 || d->nkey > SC_MOST_KEYS || d->nfields < 1 || d->nfields > SEARCH_MOST_FIELDS)
        return false;
    for (uint32_t i = 0; i < d->nkey; i++) {
        struct sc_type *type = &d->key[i].type;
        if (!read_typed(json_array_get(key, i), &d->key[i]) || type->shape == SC_OPT ||
            (type->shape == SC_ARRAY && type->kind != CELL_KIND_U8))
            return false;
    }
    for (uint32_t i = 0; i < d->nfields; i++)
        if (!read_field(json_array_get(fields, i), &d->fields[i]))
            return false;
    return true;
}

int sc_definition_read(json_t *json, struct sc_definition **definition, struct search_failure *f)
{
    struct sc_definition *d = calloc(1, sizeof(*d));

    if (!d)
        return search_fail(f, CELL_NO_MEMORY, "out of memory");
    atomic_init(&d->references, 1);
    d->json = json_incref(json);
    d->name = text_of(json, "name", SC_MOST_NAME);
    d->source = text_of(json, "source", SC_MOST_NAME);
    d->collection = text_of(json, "collection", SC_MOST_NAME);
    d->language = text_of(json, "language", 32);
    d->all_words = json_is_true(json_object_get(json, "all_words"));
    d->stop_words = json_string_value(json_object_get(json, "stop_words"));
    if (!d->name || !d->source || !d->collection || !d->language || !search_language_is_known(d->language) ||
        !read_lists(json, d)) {
        sc_definition_unref(d);
        return search_fail(f, CELL_DATA_LOSS, "the definition of an index is damaged");
    }
    *definition = d;
    return CELL_OK;
}

struct sc_definition *sc_definition_ref(struct sc_definition *definition)
{
    atomic_fetch_add(&definition->references, 1);
    return definition;
}

void sc_definition_unref(struct sc_definition *definition)
{
    if (!definition || atomic_fetch_sub(&definition->references, 1) != 1)
        return;
    json_decref(definition->json);
    free(definition);
}

void sc_definition_of_index(const struct sc_definition *definition, struct search_field *fields,
                            struct search_definition *made)
{
    for (uint32_t i = 0; i < definition->nfields; i++) {
        const struct sc_field *field = &definition->fields[i];
        fields[i] = (struct search_field){.name = field->name,
                                          .kind = field->as,
                                          .weight = field->weight,
                                          .dimensions = field->type.count,
                                          .metric = field->metric};
    }
    *made = (struct search_definition){
        {fields, definition->nfields}, definition->language, definition->all_words, definition->stop_words};
}

uint32_t sc_definition_field(const struct sc_definition *definition, const char *name)
{
    for (uint32_t i = 0; i < definition->nfields; i++)
        if (strcmp(definition->fields[i].name, name) == 0)
            return i;
    return UINT32_MAX;
}

/* ---- keys ---- */

static bool has_bytes(const struct sc_type *type)
{
    return type->shape == SC_ARRAY || type->kind == CELL_KIND_STR || type->kind == CELL_KIND_BYTES;
}

int sc_key_write(const struct sc_definition *definition, const struct sc_key_value *values,
                 uint8_t key[SEARCH_MOST_KEY], size_t *length, struct search_failure *f)
{
    size_t at = 0;

    for (uint32_t i = 0; i < definition->nkey; i++) {
        bool bytes = has_bytes(&definition->key[i].type);
        size_t n = bytes ? values[i].length : 8;
        if (n + 2 > SEARCH_MOST_KEY - at)
            return search_fail(f, CELL_TOO_LARGE, "its key has more than %d bytes", SEARCH_MOST_KEY);
        if (bytes) {
            key[at++] = (uint8_t)(n >> 8);
            key[at++] = (uint8_t)n;
        }
        for (size_t k = 0; k < n; k++)
            key[at++] = bytes ? values[i].bytes[k] : (uint8_t)(values[i].number >> (8 * k));
    }
    *length = at;
    return CELL_OK;
}

int sc_key_read(const struct sc_definition *definition, const void *key, size_t length,
                struct sc_key_value values[SC_MOST_KEYS], struct search_failure *f)
{
    const uint8_t *p = key;
    size_t at = 0;

    for (uint32_t i = 0; i < definition->nkey; i++) {
        bool bytes = has_bytes(&definition->key[i].type);
        size_t n = 8;
        if (bytes && length - at >= 2) {
            n = (size_t)p[at] << 8 | p[at + 1];
            at += 2;
        }
        if (n > length - at)
            return search_fail(f, CELL_DATA_LOSS, "a key of index '%s' is damaged", definition->name);
        values[i] = (struct sc_key_value){0};
        if (bytes) {
            values[i].bytes = p + at;
            values[i].length = n;
        } else {
            for (size_t k = 0; k < 8; k++)
                values[i].number |= (uint64_t)p[at + k] << (8 * k);
        }
        at += n;
    }
    return CELL_OK;
}

/* -1, 0 or 1 as `a` is before `b`; 2: they differ, in an order that is the source's. */
static int compare_value(const struct sc_type *type, const struct sc_key_value *a, const struct sc_key_value *b)
{
    if (has_bytes(type))
        return a->length == b->length && (a->length == 0 || memcmp(a->bytes, b->bytes, a->length) == 0) ? 0 : 2;
    if (a->number == b->number)
        return 0;
    if (!sc_type_is_integer(type))
        return 2;
    if (type->kind == CELL_KIND_U8 || type->kind == CELL_KIND_U16 || type->kind == CELL_KIND_U32 ||
        type->kind == CELL_KIND_U64)
        return a->number < b->number ? -1 : 1;
    return (int64_t)a->number < (int64_t)b->number ? -1 : 1;
}

bool sc_key_follows(const struct sc_definition *definition, const struct sc_key_value *before,
                    const struct sc_key_value *key)
{
    int order = 0;

    for (uint32_t i = 0; order == 0 && i < definition->nkey; i++)
        order = compare_value(&definition->key[i].type, &before[i], &key[i]);
    return order == -1 || order == 2;
}

static void print_value(const struct sc_type *type, const struct sc_key_value *value, char *text, size_t size)
{
    double real;

    if (type->kind == CELL_KIND_STR) {
        snprintf(text, size, "'%.*s'", value->length > 60 ? 60 : (int)value->length, (const char *)value->bytes);
    } else if (has_bytes(type)) {
        size_t at = 0;
        for (size_t i = 0; i < value->length && i < 24 && at + 3 < size; i++, at += 2)
            snprintf(text + at, size - at, "%02x", value->bytes[i]);
    } else if (type->kind == CELL_KIND_F32 || type->kind == CELL_KIND_F64) {
        memcpy(&real, &value->number, sizeof(real));
        snprintf(text, size, "%g", real);
    } else if (type->kind == CELL_KIND_U64) {
        snprintf(text, size, "%" PRIu64, value->number);
    } else {
        snprintf(text, size, "%" PRId64, (int64_t)value->number);
    }
}

void sc_key_print(const struct sc_definition *definition, const struct sc_key_value *values, char *text, size_t size)
{
    size_t at = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < definition->nkey && at + 8 < size; i++) {
        char value[80] = "";
        print_value(&definition->key[i].type, &values[i], value, sizeof(value));
        snprintf(text + at, size - at, "%s%s %s", i ? ", " : "", definition->key[i].name, value);
        at = strlen(text);
    }
}
