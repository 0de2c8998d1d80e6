/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "definition.h"

#include <stdio.h>
#include <stdlib.h>

#include <cell/desc.h>

#include "common/document.h"
#include "sketch.h"

static const char *const roles[] = {"count", "sum", "min", "max", "mean", "variance", "quantile", "distinct"};

bool an_type_parse(const char *text, struct an_type *type)
{
    static const struct {
        const char *name;
        uint32_t kind;
    } all[] = {{"bool", CELL_KIND_BOOL}, {"i8", CELL_KIND_I8},   {"u8", CELL_KIND_U8},   {"i16", CELL_KIND_I16},
               {"u16", CELL_KIND_U16},   {"i32", CELL_KIND_I32}, {"u32", CELL_KIND_U32}, {"i64", CELL_KIND_I64},
               {"u64", CELL_KIND_U64},   {"f32", CELL_KIND_F32}, {"f64", CELL_KIND_F64}};
    char *end;

    *type = (struct an_type){0, 0};
    if (strncmp(text, "u8[", 3) == 0) {
        type->kind = CELL_KIND_U8;
        type->count = (uint32_t)strtoul(text + 3, &end, 10);
        return strcmp(end, "]") == 0 && type->count >= 1 && type->count <= AN_MOST_KEY;
    }
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (strcmp(text, all[i].name) == 0)
            type->kind = all[i].kind;
    return type->kind != 0;
}

uint32_t an_type_size(const struct an_type *type)
{
    switch (type->kind) {
    case CELL_KIND_BOOL:
    case CELL_KIND_I8:
    case CELL_KIND_U8:
        return type->count ? type->count : 1;
    case CELL_KIND_I16:
    case CELL_KIND_U16:
        return 2;
    case CELL_KIND_I32:
    case CELL_KIND_U32:
    case CELL_KIND_F32:
        return 4;
    default:
        return 8;
    }
}

enum an_class an_type_class(const struct an_type *type)
{
    switch (type->kind) {
    case CELL_KIND_I8:
    case CELL_KIND_I16:
    case CELL_KIND_I32:
    case CELL_KIND_I64:
        return AN_SIGNED;
    case CELL_KIND_F32:
    case CELL_KIND_F64:
        return AN_REAL;
    default:
        return type->count ? AN_BYTES : AN_UNSIGNED;
    }
}

/* ---- reading ---- */

static bool find_field(void *user, const char *name, struct an_field *field)
{
    const json_t *fields = json_object_get(user, "fields");
    json_t *entry;
    struct an_type type;
    size_t i;

    json_array_foreach(fields, i, entry)
    {
        json_int_t offset = json_integer_value(json_object_get(entry, "offset"));
        if (strcmp(document_text(entry, "name"), name) != 0)
            continue;
        if (!an_type_parse(document_text(entry, "type"), &type) || offset < 0 || offset > UINT32_MAX)
            return false;
        *field = (struct an_field){(uint32_t)offset, (uint16_t)an_type_size(&type), (uint16_t)an_type_class(&type)};
        return true;
    }
    return false;
}

bool an_definition_number(const json_t *definition, const char *name, __int128 *number)
{
    const char *text = document_text(json_object_get(definition, "numbers"), name);

    *number = *text == '-' ? (__int128)strtoll(text, NULL, 10) : (__int128)strtoull(text, NULL, 10);
    return *text != '\0';
}

static enum an_name find_name(void *user, const char *name, struct an_field *field, __int128 *number)
{
    return find_field(user, name, field)                              ? AN_NAME_FIELD
           : an_definition_number((const json_t *)user, name, number) ? AN_NAME_NUMBER
                                                                      : AN_NAME_NONE;
}

static bool read_key(struct an_definition *d, const json_t *from, struct an_column *column)
{
    struct an_plan *p = &d->plan;

    if (p->nkeys == AN_MOST_KEYS || !find_field(d->json, document_text(from, "of"), &p->keys[p->nkeys]))
        return false;
    column->role = AN_GROUP;
    column->key_at = an_key_bytes(p);
    column->index = p->nkeys++;
    return true;
}

static bool read_aggregate(struct an_definition *d, const json_t *from, struct an_column *column)
{
    struct an_plan *p = &d->plan;
    struct an_aggregate *aggregate = &p->aggregates[p->naggregates];
    uint32_t kind = 0;

    while (kind < 8 && strcmp(document_text(from, "as"), roles[kind]) != 0)
        kind++;
    if (kind == 8 || p->naggregates == AN_MOST_AGGREGATES)
        return false;
    *aggregate = (struct an_aggregate){.kind = (enum an_kind)kind,
                                       .quantile = json_number_value(json_object_get(from, "quantile"))};
    column->role = AN_AGGREGATE;
    column->index = p->naggregates++;
    return kind == AN_COUNT || find_field(d->json, document_text(from, "of"), &aggregate->field);
}

static bool read_columns(struct an_definition *d)
{
    json_t *columns = json_object_get(d->json, "columns"), *from;
    bool good = json_array_size(columns) > 0 && json_array_size(columns) <= AN_MOST_COLUMNS;
    size_t i;

    json_array_foreach(columns, i, from)
    {
        struct an_column *column = &d->columns[d->ncolumns];
        column->name = document_text(from, "name");
        good = good && *column->name && an_type_parse(document_text(from, "type"), &column->type);
        if (!good)
            return false;
        d->ncolumns++;
        if (strcmp(document_text(from, "as"), "group") == 0)
            good = read_key(d, from, column);
        else if (strcmp(document_text(from, "as"), "window") == 0)
            column->role = AN_WINDOW;
        else
            good = read_aggregate(d, from, column);
    }
    return good;
}

static int open_functions(const json_t *definition, struct cell_hot **functions, uint64_t *hash, struct cell_error *e)
{
    const json_t *document = json_object_get(definition, "functions");
    char *text = document ? json_dumps(document, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) : NULL;
    int r = document && !text ? CELL_NO_MEMORY : CELL_OK;

    *functions = NULL;
    *hash = 0;
    if (text) {
        r = cell_hot_open(text, strlen(text), functions, e);
        *hash = r < 0 ? 0 : an_hash(text, (uint32_t)strlen(text));
    }
    free(text);
    return r;
}

int an_definition_functions(const json_t *definition, struct cell_hot **functions, struct cell_error *e)
{
    uint64_t hash;

    return open_functions(definition, functions, &hash, e);
}

static bool read_all(struct an_definition *d)
{
    struct an_plan *p = &d->plan;
    struct an_problem problem;

    d->name = document_text(d->json, "name");
    d->source = document_text(d->json, "source");
    d->stream = document_text(d->json, "stream");
    d->type = document_text(d->json, "type");
    d->time = document_text(d->json, "time");
    p->record_size = (uint32_t)json_integer_value(json_object_get(d->json, "record_size"));
    p->slide_us = json_integer_value(json_object_get(d->json, "slide_us"));
    p->window_us = json_integer_value(json_object_get(d->json, "window_us"));
    p->lateness_us = json_integer_value(json_object_get(d->json, "lateness_us"));
    p->panes = (uint32_t)json_integer_value(json_object_get(d->json, "panes"));
    p->windowed = p->slide_us > 0;
    return *d->name && strlen(d->name) <= AN_MOST_NAME && *d->source && strlen(d->source) <= AN_MOST_NAME &&
           *d->stream && (!p->windowed || find_field(d->json, d->time, &p->time)) && read_columns(d) &&
           open_functions(d->json, &d->functions, &p->functions_hash, NULL) >= 0 &&
           an_filter_parse(document_text(d->json, "where"), d->functions, find_name, d->json, &p->filter, &problem);
}

int an_definition_read(json_t *json, struct an_definition **definition, struct an_failure *f)
{
    struct an_definition *d = calloc(1, sizeof(*d));

    if (!d)
        return an_fail(f, CELL_NO_MEMORY, "out of memory");
    atomic_init(&d->references, 1);
    d->json = json_incref(json);
    if (!read_all(d)) {
        an_definition_unref(d);
        return an_fail(f, CELL_DATA_LOSS, "a definition is damaged");
    }
    *definition = d;
    return CELL_OK;
}

struct an_definition *an_definition_ref(struct an_definition *definition)
{
    atomic_fetch_add(&definition->references, 1);
    return definition;
}

void an_definition_unref(struct an_definition *definition)
{
    if (!definition || atomic_fetch_sub(&definition->references, 1) != 1)
        return;
    cell_hot_close(definition->functions);
    json_decref(definition->json);
    free(definition);
}

const struct an_column *an_definition_column(const struct an_definition *definition, const char *name)
{
    for (uint32_t i = 0; i < definition->ncolumns; i++)
        if (strcmp(definition->columns[i].name, name) == 0)
            return &definition->columns[i];
    return NULL;
}
