/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* From the bounds that a program gives to the keys between which its range lies. */
#include <string.h>

#include "bound.h"

/* How many of the first bounds are given; -1: one behind an absent one is. Of an array of bytes the length is checked.
 */
static int count_given(const struct st_bound *b, const struct st_bounds *bounds, const void *range,
                       struct st_failure *f)
{
    int given = 0;

    for (uint32_t i = 0; i < b->norder; i++) {
        const struct cell_field *field = &bounds->fields[i];
        const char *at = (const char *)range + field->offset;
        if (!at[0])
            continue;
        if (given != (int)i)
            return st_fail(f, CELL_INVALID_ARGUMENT, "a bound of '%s' is given, and none of '%s' before it",
                           field->name, bounds->fields[given].name);
        given++;
    }
    return given;
}

static int check_arrays(const struct st_bound *b, const struct st_bounds *bounds, const void *range,
                        struct st_failure *f)
{
    for (uint32_t i = 0; i < bounds->n; i++) {
        const struct cell_field *field = &bounds->fields[i];
        const char *at = (const char *)range + field->offset;
        const struct st_field *stored = st_record_field(&b->schema->record, field->name);
        cell_bytes value;
        if (!at[0] || stored->shape != ST_ARRAY)
            continue;
        memcpy(&value, at + field->type->elem->align, sizeof(value));
        if (value.len != stored->count)
            return st_fail(f, CELL_INVALID_ARGUMENT, "a bound of '%s' has %llu bytes, not %u", field->name,
                           (unsigned long long)value.len, stored->count);
    }
    return CELL_OK;
}

/* The key that begins with the bounds that are given; *given 0: the space's own beginning. */
static int bound_key(const struct st_bound *b, const struct st_bounds *bounds, const void *range, struct st_buffer *key,
                     int *given, struct st_failure *f)
{
    struct st_buffer body = {0};
    int r = check_arrays(b, bounds, range, f);

    *given = r < 0 ? r : count_given(b, bounds, range, f);
    if (*given < 0)
        return *given;
    st_encode(bounds->codec, range, &body);
    st_key_begin(key, b->index ? b->index->space : b->schema->space);
    r = body.failed ? st_fail(f, CELL_NO_MEMORY, "out of memory")
                    : st_key_of(st_bytes_of(&body), b->order, (uint32_t)*given, b->index != NULL, key, NULL, f);
    st_buffer_free(&body);
    return r;
}

static bool is_given(const struct st_bounds *bounds, const void *range, const char *name)
{
    for (uint32_t i = 0; i < bounds->n; i++)
        if (strcmp(bounds->fields[i].name, name) == 0)
            return ((const char *)range)[bounds->fields[i].offset] != 0;
    return false;
}

/* The key of the record behind which a page begins. *there: there is one. */
static int after_key(const struct st_bound *b, const void *range, struct st_buffer *key, bool *there,
                     struct st_failure *f)
{
    struct st_buffer body = {0}, record = {0};
    uint32_t of_key = 0;
    int r = check_arrays(b, &b->after, range, f), any = 0;

    for (uint32_t i = 0; i < b->after.n; i++)
        any += ((const char *)range)[b->after.fields[i].offset] != 0;
    for (uint32_t i = 0; i < b->schema->nkey; i++)
        for (uint32_t k = 0; k < b->after.n; k++)
            if (st_record_field(&b->schema->record, b->after.fields[k].name) == b->schema->key[i])
                of_key += is_given(&b->after, range, b->after.fields[k].name);
    *there = any > 0;
    if (r < 0 || !any)
        return r;
    if (of_key < b->schema->nkey)
        return st_fail(f, CELL_INVALID_ARGUMENT, "what a page begins behind is given by all of the key's fields");
    st_encode(b->after.codec, range, &body);
    st_key_begin(&record, b->schema->space);
    r = body.failed ? st_fail(f, CELL_NO_MEMORY, "out of memory")
                    : st_key_of(st_bytes_of(&body), b->schema->key, b->schema->nkey, false, &record, NULL, f);
    if (r >= 0 && b->index)
        r = st_index_key(b->index, st_bytes_of(&body), st_bytes_of(&record), key, f);
    else if (r >= 0)
        st_put(key, record.data, record.len);
    st_buffer_free(&body);
    st_buffer_free(&record);
    return r;
}

int st_range_keys(const struct st_bound *b, const void *range, struct st_buffer *from, struct st_buffer *to,
                  struct st_failure *f)
{
    struct st_buffer after = {0};
    bool descending = ((const char *)range)[b->descending_offset] != 0, there = false;
    int given, r = bound_key(b, &b->from, range, from, &given, f);

    if (r >= 0)
        r = bound_key(b, &b->to, range, to, &given, f);
    if (r >= 0 && given == 0)
        st_key_successor(to); /* of the space: all of it */
    if (r >= 0)
        r = after_key(b, range, &after, &there, f);
    if (r >= 0 && there && !descending)
        st_put_byte(&after, 0);
    if (r >= 0 && after.failed)
        r = st_fail(f, CELL_NO_MEMORY, "out of memory");
    struct st_buffer *end = descending ? to : from;
    int order = r >= 0 && there ? st_compare(st_bytes_of(&after), st_bytes_of(end)) : 0;
    if (descending ? order < 0 : order > 0) {
        end->len = 0;
        st_put(end, after.data, after.len);
    }
    st_buffer_free(&after);
    return r;
}
