/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What a collection is: its fields with the numbers under which records hold them, its key and its indexes. Written as
 * JSON, which is what the catalog keeps:
 *
 *   { "name": "articles", "space": 1, "key": [1], "record": { "next": 4, "fields": [
 *       { "name": "id", "id": 1, "kind": "i64", "shape": "plain" },
 *       { "name": "tags", "id": 2, "kind": "str", "shape": "list", "former": ["words"] },
 *       { "name": "at", "id": 3, "kind": "struct", "shape": "array", "count": 2, "record": { … } } ] },
 *     "indexes": [ { "name": "tags", "fields": [2], "unique": true, "space": 2, "state": "ready" } ] }
 *
 * The number of a field is never used for another one.
 */
#ifndef CELLS_STORE_SCHEMA_H
#define CELLS_STORE_SCHEMA_H

#include <jansson.h>
#include <stdatomic.h>

#include <cell/desc.h>

#include "bytes.h"

#define ST_MOST_KEY_FIELDS 8
#define ST_MOST_INDEXES 32
#define ST_MOST_FIELDS 1024 /* of a record, over all time */
#define ST_MOST_DEPTH 16    /* of structs in structs */
#define ST_MOST_NAME 63     /* bytes of a collection's or an index's name */

enum st_shape { ST_PLAIN, ST_OPT, ST_LIST, ST_ARRAY };

struct st_record;
struct st_field {
    const char *name;
    uint32_t id;                    /* from 1 */
    uint8_t kind;                   /* enum cell_kind: a scalar, STR, BYTES or STRUCT; an enum is its integer type */
    uint8_t shape;                  /* enum st_shape */
    uint32_t count;                 /* of an array */
    const struct st_record *record; /* of a struct */
    const char *const *former;      /* names that it had, nformer */
    uint32_t nformer;
};

struct st_record {
    const struct st_field *fields;
    uint32_t n;
    uint32_t next; /* the number of the next field */
};

enum st_index_state { ST_INDEX_READY, ST_INDEX_BUILDING, ST_INDEX_FAILED };

struct st_index {
    const char *name;
    const struct st_field *fields[ST_MOST_KEY_FIELDS];
    uint32_t n;
    uint32_t space;
    bool unique;
    enum st_index_state state;
    const char *problem; /* of a failed one; else NULL */
};

/* Immutable, shared, and gone with the last reference. */
struct st_schema {
    struct st_arena arena;
    atomic_uint references;
    const char *name;
    uint32_t space;
    struct st_record record;
    const struct st_field *key[ST_MOST_KEY_FIELDS];
    uint32_t nkey;
    const struct st_index *indexes;
    uint32_t nindexes;
    bool strip; /* records may hold fields that are gone, and are being written anew */
};

/* Checks all of it. CELL_DATA_LOSS when it is not as above, CELL_NO_MEMORY. */
int st_schema_read(const json_t *document, struct st_schema **schema, struct st_failure *f);
struct st_schema *st_schema_ref(struct st_schema *schema);
void st_schema_unref(struct st_schema *schema); /* NULL is accepted */

/* NULL: there is none. By its name, or else one that it had. */
const struct st_field *st_record_field(const struct st_record *record, const char *name);
const struct st_index *st_schema_index(const struct st_schema *schema, const char *name);

/* "i64"; NULL for what is no kind of a field. st_kind_of: 0 for no such name. */
const char *st_kind_name(uint32_t kind);
uint32_t st_kind_of(const char *name);
const char *st_shape_name(enum st_shape shape);

#endif
