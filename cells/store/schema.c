/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "schema.h"

#include <stdlib.h>
#include <string.h>

static const char *const shapes[] = {"plain", "opt", "list", "array"};
static const char *const states[] = {"ready", "building", "failed"};

const char *st_shape_name(enum st_shape shape) { return shapes[shape]; }

const char *st_kind_name(uint32_t kind)
{
    switch (kind) {
#define NAME(symbol, number, name, size)                                                                               \
    case number:                                                                                                       \
        return number <= CELL_KIND_STRUCT ? name : NULL;
        CELL_KIND_MAP(NAME)
#undef NAME
    default:
        return NULL;
    }
}

uint32_t st_kind_of(const char *name)
{
    for (uint32_t kind = 1; name && kind <= CELL_KIND_STRUCT; kind++)
        if (strcmp(st_kind_name(kind), name) == 0)
            return kind;
    return 0;
}

static int index_of(const char *text, const char *const *names, size_t n)
{
    for (size_t i = 0; text && i < n; i++)
        if (strcmp(names[i], text) == 0)
            return (int)i;
    return -1;
}

/* What reads one document; `ok` ends everything. */
struct reading {
    struct st_arena *arena;
    bool ok, short_of_memory;
};

static void *take(struct reading *r, size_t size)
{
    void *p = st_alloc(r->arena, size);

    if (!p)
        r->ok = !(r->short_of_memory = true);
    return p;
}

static const char *copy_text(struct reading *r, const json_t *value)
{
    const char *text = json_string_value(value);
    char *copy = text ? take(r, strlen(text) + 1) : NULL;

    if (!copy) {
        r->ok = false;
        return "";
    }
    return strcpy(copy, text);
}

static uint32_t number(struct reading *r, const json_t *value, uint32_t least, uint32_t most)
{
    json_int_t n = json_integer_value(value);

    if (!json_is_integer(value) || n < least || n > most) {
        r->ok = false;
        return least;
    }
    return (uint32_t)n;
}

static void read_record(struct reading *r, const json_t *from, int depth, struct st_record *record);

static void read_former(struct reading *r, const json_t *list, struct st_field *field)
{
    uint32_t n = (uint32_t)json_array_size(list);
    const char **names = n > 0 ? take(r, n * sizeof(char *)) : NULL;

    for (uint32_t i = 0; names && i < n; i++)
        names[i] = copy_text(r, json_array_get(list, i));
    field->former = names;
    field->nformer = names ? n : 0;
}

static void read_field(struct reading *r, const json_t *from, int depth, uint32_t next, struct st_field *field)
{
    int shape = index_of(json_string_value(json_object_get(from, "shape")), shapes, 4);

    field->name = copy_text(r, json_object_get(from, "name"));
    field->id = number(r, json_object_get(from, "id"), 1, next - 1);
    field->kind = (uint8_t)st_kind_of(json_string_value(json_object_get(from, "kind")));
    if (shape < 0 || field->kind == 0)
        r->ok = false;
    field->shape = shape < 0 ? ST_PLAIN : (uint8_t)shape;
    if (field->shape == ST_ARRAY)
        field->count = number(r, json_object_get(from, "count"), 1, 65536);
    read_former(r, json_object_get(from, "former"), field);
    if (field->kind != CELL_KIND_STRUCT || !r->ok)
        return;
    struct st_record *record = take(r, sizeof(*record));
    if (record)
        read_record(r, json_object_get(from, "record"), depth + 1, record);
    field->record = record;
}

static void read_record(struct reading *r, const json_t *from, int depth, struct st_record *record)
{
    const json_t *list = json_object_get(from, "fields");
    uint32_t n = (uint32_t)json_array_size(list);
    struct st_field *fields = take(r, (n + 1) * sizeof(*fields));

    if (!json_is_array(list) || n > ST_MOST_FIELDS || depth > ST_MOST_DEPTH)
        r->ok = false;
    record->next = number(r, json_object_get(from, "next"), 1, ST_MOST_FIELDS + 1);
    for (uint32_t i = 0; r->ok && i < n; i++) {
        read_field(r, json_array_get(list, i), depth, record->next, &fields[i]);
        for (uint32_t k = 0; k < i; k++)
            if (fields[k].id == fields[i].id || strcmp(fields[k].name, fields[i].name) == 0)
                r->ok = false;
    }
    record->fields = fields;
    record->n = r->ok ? n : 0;
}

static uint32_t read_fields(struct reading *r, const struct st_record *record, const json_t *ids,
                            const struct st_field *fields[ST_MOST_KEY_FIELDS])
{
    uint32_t n = (uint32_t)json_array_size(ids);

    if (n < 1 || n > ST_MOST_KEY_FIELDS)
        r->ok = false;
    for (uint32_t i = 0; r->ok && i < n; i++) {
        json_int_t id = json_integer_value(json_array_get(ids, i));
        for (uint32_t k = 0; k < record->n; k++)
            if (record->fields[k].id == id)
                fields[i] = &record->fields[k];
        const struct st_field *field = fields[i];
        /* What can be compared: text, bytes, numbers, and arrays of bytes. */
        if (!field || field->kind == CELL_KIND_STRUCT || field->shape == ST_LIST ||
            (field->shape == ST_ARRAY && field->kind != CELL_KIND_U8))
            r->ok = false;
    }
    return n;
}

static void read_index(struct reading *r, const struct st_record *record, const json_t *from, struct st_index *index)
{
    int state = index_of(json_string_value(json_object_get(from, "state")), states, 3);

    index->name = copy_text(r, json_object_get(from, "name"));
    index->space = number(r, json_object_get(from, "space"), 1, INT32_MAX);
    index->unique = json_is_true(json_object_get(from, "unique"));
    index->n = read_fields(r, record, json_object_get(from, "fields"), index->fields);
    index->state = state < 0 ? ST_INDEX_FAILED : (enum st_index_state)state;
    if (state < 0)
        r->ok = false;
    if (index->state == ST_INDEX_FAILED)
        index->problem = copy_text(r, json_object_get(from, "problem"));
}

static void read_schema(struct reading *r, const json_t *from, struct st_schema *s)
{
    const json_t *list = json_object_get(from, "indexes");

    s->name = copy_text(r, json_object_get(from, "name"));
    s->space = number(r, json_object_get(from, "space"), 1, INT32_MAX);
    s->strip = json_is_true(json_object_get(from, "strip"));
    read_record(r, json_object_get(from, "record"), 0, &s->record);
    if (!r->ok)
        return;
    s->nkey = read_fields(r, &s->record, json_object_get(from, "key"), s->key);
    for (uint32_t i = 0; r->ok && i < s->nkey; i++)
        r->ok = s->key[i]->shape != ST_OPT;
    uint32_t n = (uint32_t)json_array_size(list);
    struct st_index *indexes = take(r, (n + 1) * sizeof(*indexes));
    if (n > ST_MOST_INDEXES)
        r->ok = false;
    for (uint32_t i = 0; r->ok && i < n; i++)
        read_index(r, &s->record, json_array_get(list, i), &indexes[i]);
    s->indexes = indexes;
    s->nindexes = r->ok ? n : 0;
}

int st_schema_read(const json_t *document, struct st_schema **schema, struct st_failure *f)
{
    struct st_schema *s = calloc(1, sizeof(*s));
    struct reading r = {.ok = true};

    if (!s)
        return st_fail(f, CELL_NO_MEMORY, "out of memory");
    atomic_init(&s->references, 1);
    r.arena = &s->arena;
    read_schema(&r, document, s);
    if (r.ok) {
        *schema = s;
        return CELL_OK;
    }
    st_schema_unref(s);
    if (r.short_of_memory)
        return st_fail(f, CELL_NO_MEMORY, "out of memory");
    return st_fail(f, CELL_DATA_LOSS, "a collection in the catalog is not as this version of the cell writes it");
}

struct st_schema *st_schema_ref(struct st_schema *schema)
{
    atomic_fetch_add_explicit(&schema->references, 1, memory_order_relaxed);
    return schema;
}

void st_schema_unref(struct st_schema *schema)
{
    if (!schema || atomic_fetch_sub_explicit(&schema->references, 1, memory_order_acq_rel) != 1)
        return;
    st_arena_free(&schema->arena);
    free(schema);
}

const struct st_field *st_record_field(const struct st_record *record, const char *name)
{
    for (uint32_t i = 0; i < record->n; i++)
        if (strcmp(record->fields[i].name, name) == 0)
            return &record->fields[i];
    for (uint32_t i = 0; i < record->n; i++)
        for (uint32_t k = 0; k < record->fields[i].nformer; k++)
            if (strcmp(record->fields[i].former[k], name) == 0)
                return &record->fields[i];
    return NULL;
}

const struct st_index *st_schema_index(const struct st_schema *schema, const char *name)
{
    for (uint32_t i = 0; i < schema->nindexes; i++)
        if (strcmp(schema->indexes[i].name, name) == 0)
            return &schema->indexes[i];
    return NULL;
}
