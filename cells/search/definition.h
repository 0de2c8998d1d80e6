/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What a struct with CELL_SEARCH has declared, as it is kept in JSON:
 *
 *   { "name": "article", "source": "store", "collection": "articles", "language": "english", "all_words": false,
 *     "stop_words": "acme gmbh", "key": [ { "name": "id", "type": "i64" } ],
 *     "fields": [ { "name": "title", "type": "str", "as": "text", "weight": 3.0 },
 *                 { "name": "lang", "type": "opt<str>", "as": "keyword" },
 *                 { "name": "year", "type": "i32", "as": "integer" },
 *                 { "name": "embedding", "type": "f32[384]", "as": "vector", "metric": "cosine" } ] }
 *
 * Types are as a schema writes them, with an enum's integer type in place of the enum.
 */
#ifndef CELLS_SEARCH_DEFINITION_H
#define CELLS_SEARCH_DEFINITION_H

#include <jansson.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cell/desc.h>

#include "failure.h"
#include "field.h"
#include "index.h"

#define SC_MOST_KEYS 8
#define SC_MOST_NAME 63 /* bytes of an index's name, a cell's and a collection's */

enum sc_shape { SC_PLAIN, SC_OPT, SC_ARRAY };

struct sc_type {
    uint32_t kind; /* enum cell_kind: a scalar, STR or BYTES */
    enum sc_shape shape;
    uint32_t count; /* of an array */
};

/* False: it is none of these (a list, a struct, …). */
bool sc_type_parse(const char *text, struct sc_type *type);
/* Whether it holds integers, of whatever width. */
bool sc_type_is_integer(const struct sc_type *type);
/* The built-in type of one value, or the optional of it. */
const struct cell_type *sc_type_descriptor(uint32_t kind, bool optional);

/* An integer or bool of that kind at `at`, as 64 bits. */
uint64_t sc_integer_at(uint32_t kind, const void *at);

struct sc_field {
    const char *name;
    struct sc_type type;
    const char *type_text;
    enum search_kind as; /* of `fields` */
    double weight;
    enum search_metric metric;
};

/* Immutable, shared, and gone with the last reference. */
struct sc_definition {
    atomic_uint references;
    json_t *json;
    const char *name, *source, *collection, *language;
    bool all_words;
    const char *stop_words; /* NULL = none */
    struct sc_field key[SC_MOST_KEYS], fields[SEARCH_MOST_FIELDS];
    uint32_t nkey, nfields;
};

/* Checks all of it; takes a reference to `json`. CELL_DATA_LOSS when it is not as above, CELL_NO_MEMORY. */
int sc_definition_read(json_t *json, struct sc_definition **definition, struct search_failure *f);
struct sc_definition *sc_definition_ref(struct sc_definition *definition);
void sc_definition_unref(struct sc_definition *definition); /* NULL is accepted */

/* What the engine is to make of it: `fields` has room for all, and lives as long as *made is used. */
void sc_definition_of_index(const struct sc_definition *definition, struct search_field *fields,
                            struct search_definition *made);

/* "text" … "vector"; "cosine" … */
const char *sc_kind_name(enum search_kind kind);
const char *sc_metric_name(enum search_metric metric);
bool sc_metric_parse(const char *name, enum search_metric *metric);

/* Its place among the fields; UINT32_MAX: there is none. */
uint32_t sc_definition_field(const struct sc_definition *definition, const char *name);

/* ---- keys: the values of the source's key, as one piece of bytes ---- */

struct sc_key_value {
    union {
        uint64_t number; /* integers (of signed ones the two's complement) and bool; the bits of a double */
        struct {
            const uint8_t *bytes; /* STR, BYTES, arrays */
            size_t length;
        };
    };
};

/* CELL_TOO_LARGE: it would be longer than SEARCH_MOST_KEY. */
int sc_key_write(const struct sc_definition *definition, const struct sc_key_value *values,
                 uint8_t key[SEARCH_MOST_KEY], size_t *length, struct search_failure *f);
/* Bytes of the values are those of the key. CELL_DATA_LOSS. */
int sc_key_read(const struct sc_definition *definition, const void *key, size_t length,
                struct sc_key_value values[SC_MOST_KEYS], struct search_failure *f);
/* Whether `key` may come behind `before` in a source's order: where that is the same for all sources, of integers, it
 * is the greater one; else it is another one. */
bool sc_key_follows(const struct sc_definition *definition, const struct sc_key_value *before,
                    const struct sc_key_value *key);
/* For people: "id 7, part 2". */
void sc_key_print(const struct sc_definition *definition, const struct sc_key_value *values, char *text, size_t size);

#endif
