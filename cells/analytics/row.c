/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Groups as structs of the program, and its keys as those of groups. */
#include <stdio.h>
#include <stdlib.h>

#include <cell/desc.h>

#include "bound.h"

/* An enum is the number that it is. */
static const struct cell_type *plain(const struct cell_field *field)
{
    return field->type->kind == CELL_KIND_ENUM ? field->type->elem : field->type;
}

static bool fits(const struct cell_field *field, const struct an_type *type)
{
    return plain(field)->kind == type->kind && field->count == type->count;
}

int an_row_map(const struct an_part *part, const struct cell_type *row, struct an_row_map *map, struct an_failure *f)
{
    *map = (struct an_row_map){.part = part};
    for (uint32_t i = 0; i < row->nfields; i++) {
        const struct an_column *column = an_definition_column(part->definition, row->fields[i].name);
        if (!column || map->n == AN_MOST_COLUMNS || !fits(&row->fields[i], &column->type))
            return an_fail(
                f, CELL_FAILED_PRECONDITION,
                "aggregate '%s' has no field '%s' of that type: it is being built, or was declared without it "
                "(`cell pipelines analytics`)",
                part->definition->name, row->fields[i].name);
        map->columns[map->n] = column;
        map->fields[map->n++] = &row->fields[i];
    }
    return CELL_OK;
}

/* For messages: the values of the groups. */
static void print_key(const struct an_definition *d, const struct an_entry *entry, char *text, size_t size)
{
    size_t at = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < d->ncolumns && at + 40 < size; i++) {
        const struct an_column *column = &d->columns[i];
        const uint8_t *key = (const uint8_t *)an_entry_key(entry) + column->key_at;
        int64_t number = 0;
        if (column->role != AN_GROUP || column->type.count)
            continue;
        memcpy(&number, key, 8);
        snprintf(text + at, size - at, an_type_class(&column->type) == AN_SIGNED ? "%s%s %lld" : "%s%s %llu",
                 at ? ", " : "", column->name, (long long)number);
        at = strlen(text);
    }
}

static int fill_sum(const struct an_definition *d, const struct an_column *column, const struct an_entry *entry,
                    struct an_value *v, struct an_failure *f)
{
    char key[200];
    enum an_class wanted = an_type_class(&column->type);
    bool wide = v->wide;

    if (wanted == AN_REAL) {
        v->number.d = (double)v->sum;
        return CELL_OK;
    }
    if (wanted == AN_SIGNED)
        wide = v->sum > INT64_MAX || v->sum < INT64_MIN;
    if (!wide)
        return CELL_OK;
    print_key(d, entry, key, sizeof(key));
    return an_fail(f, CELL_OUT_OF_RANGE, "'%s' of the group %s is beyond 64 bits: declare it as double", column->name,
                   key);
}

int an_row_fill(const struct an_row_map *map, const struct an_entry *entry, int64_t begin_us, void *row,
                struct an_failure *f)
{
    const struct an_aggregator *a = map->part->aggregator;
    const struct an_definition *d = map->part->definition;
    int r = CELL_OK;

    for (uint32_t i = 0; r >= 0 && i < map->n; i++) {
        const struct an_column *column = map->columns[i];
        uint8_t *to = (uint8_t *)row + map->fields[i]->offset;
        uint32_t size = an_type_size(&column->type);
        if (column->role == AN_WINDOW) {
            memcpy(to, &begin_us, 8);
        } else if (column->role == AN_GROUP) { /* the least byte first, so that the beginning is the number */
            memcpy(to, (const uint8_t *)an_entry_key(entry) + column->key_at, size);
        } else {
            struct an_value v = an_value_of(a, entry, column->index);
            float single = (float)v.number.d;
            if (d->plan.aggregates[column->index].kind == AN_SUM && v.class != AN_REAL)
                r = fill_sum(d, column, entry, &v, f);
            memcpy(to, size == 4 && v.class == AN_REAL ? (const void *)&single : &v.number, size);
        }
    }
    return r;
}

static int put_key(const struct cell_field *p, const struct an_column *column, const void *in, uint8_t *key)
{
    const uint8_t *at = (const uint8_t *)in + p->offset;
    uint32_t size = an_type_size(&column->type);
    struct an_field field = {0, (uint16_t)size, (uint16_t)an_type_class(&column->type)};

    if (column->type.count) {
        struct cell_ref ref;
        memcpy(&ref, at, sizeof(ref));
        if (!ref.ptr || ref.len != column->type.count)
            return CELL_INVALID_ARGUMENT;
        memcpy(key + column->key_at, ref.ptr, size);
        return CELL_OK;
    }
    union an_number n = an_load(&field, at);
    memcpy(key + column->key_at, &n, 8);
    return CELL_OK;
}

int an_row_key(const struct an_bound *b, const struct an_part *part, const void *in, uint64_t key[AN_MOST_KEY / 8],
               struct an_failure *f)
{
    const struct cell_method *m = b->method;
    uint32_t groups = 0;

    memset(key, 0, AN_MOST_KEY);
    for (uint32_t i = 0; i < m->nin; i++) {
        const struct an_column *column = an_definition_column(part->definition, m->in[i].name);
        if (&m->in[i] == b->at_us)
            continue;
        if (!column || column->role != AN_GROUP || !fits(&m->in[i], &column->type) ||
            put_key(&m->in[i], column, in, (uint8_t *)key) < 0)
            return an_fail(f, CELL_FAILED_PRECONDITION,
                           "aggregate '%s' has no group '%s' of that type: build the program again", b->name,
                           m->in[i].name);
        groups++;
    }
    return groups == part->definition->plan.nkeys
               ? CELL_OK
               : an_fail(f, CELL_FAILED_PRECONDITION, "aggregate '%s' has other groups than when the program was built",
                         b->name);
}
