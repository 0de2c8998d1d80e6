/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "codec.h"

#include <stdlib.h>
#include <string.h>

#include "codec_impl.h"

enum st_form st_form_of(uint32_t kind, bool element)
{
    switch (kind) {
    case CELL_KIND_STR:
    case CELL_KIND_BYTES:
    case CELL_KIND_STRUCT:
        return ST_FORM_BYTES;
    case CELL_KIND_F32:
        return ST_FORM_REAL32;
    case CELL_KIND_F64:
        return ST_FORM_REAL64;
    case CELL_KIND_BOOL:
    case CELL_KIND_U8:
        return element ? ST_FORM_BYTE : ST_FORM_UNSIGNED;
    default:
        return st_kind_is_signed(kind) ? ST_FORM_SIGNED : ST_FORM_UNSIGNED;
    }
}

/* Whether a program's values of this kind may be those of the stored field. Integers are compared one by one. */
static bool kinds_fit(uint32_t program, uint32_t stored)
{
    return program == stored || (st_kind_is_integer(program) && st_kind_is_integer(stored)) ||
           (program == CELL_KIND_F64 && stored == CELL_KIND_F32);
}

static bool shapes_fit(const struct st_entry *e)
{
    const struct st_field *s = e->stored;
    bool one = e->shape == ST_PLAIN || e->shape == ST_OPT;

    /* The bound of a range by an array of bytes, which no optional can have. */
    if (e->shape == ST_OPT && e->kind == CELL_KIND_BYTES && s->shape == ST_ARRAY)
        return s->kind == CELL_KIND_U8;
    if (!kinds_fit(e->kind, s->kind))
        return false;
    return one ? s->shape == ST_PLAIN || s->shape == ST_OPT : e->shape == s->shape && e->count == s->count;
}

static int add_entry(struct st_codec *codec, const struct st_record *record, const struct cell_field *field,
                     struct st_failure *f)
{
    struct st_entry *e = &codec->entries[codec->n++];
    const struct cell_type *type = field->type;

    *e = (struct st_entry){.offset = field->offset, .count = field->count, .shape = field->count ? ST_ARRAY : ST_PLAIN};
    if (!field->count && (type->kind == CELL_KIND_LIST || type->kind == CELL_KIND_OPT)) {
        e->shape = type->kind == CELL_KIND_LIST ? ST_LIST : ST_OPT;
        type = type->elem;
        e->value_offset = type->align;
    }
    e->kind = (uint8_t)(type->kind == CELL_KIND_ENUM ? type->elem->kind : type->kind);
    e->size = type->size;
    e->stored = st_record_field(record, field->name);
    if (!e->stored)
        return st_fail(f, CELL_FAILED_PRECONDITION, "it has no field '%s' any more: build the program again",
                       field->name);
    if (!shapes_fit(e))
        return st_fail(f, CELL_FAILED_PRECONDITION, "its field '%s' has another type by now: build the program again",
                       field->name);
    if (e->kind == CELL_KIND_STRUCT)
        return st_codec_new(e->stored->record, type->fields, type->nfields, NULL, &e->record, f);
    return CELL_OK;
}

static int index_entries(struct st_codec *codec, const struct st_record *record, struct st_failure *f)
{
    codec->most = record->next;
    codec->by_id = calloc(codec->most + 1u, sizeof(*codec->by_id));
    if (!codec->by_id)
        return st_fail(f, CELL_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < codec->n; i++) {
        uint16_t *at = &codec->by_id[codec->entries[i].stored->id];
        if (*at)
            return st_fail(f, CELL_FAILED_PRECONDITION, "two fields of the program are its field '%s'",
                           codec->entries[i].stored->name);
        *at = (uint16_t)(i + 1);
    }
    for (uint32_t i = 0; i < record->n; i++)
        codec->partial = codec->partial || !codec->by_id[record->fields[i].id];
    return CELL_OK;
}

int st_codec_new(const struct st_record *record, const struct cell_field *fields, uint32_t n, const char *ignored,
                 struct st_codec **codec, struct st_failure *f)
{
    struct st_codec *c = calloc(1, sizeof(*c));
    int r = CELL_OK;

    if (c)
        c->entries = calloc(n + 1u, sizeof(*c->entries));
    if (!c || !c->entries) {
        st_codec_free(c);
        return st_fail(f, CELL_NO_MEMORY, "out of memory");
    }
    if (n > ST_MOST_FIELDS)
        r = st_fail(f, CELL_FAILED_PRECONDITION, "the program's struct has more than %d fields", ST_MOST_FIELDS);
    for (uint32_t i = 0; r >= 0 && i < n; i++)
        if (!ignored || strcmp(fields[i].name, ignored) != 0)
            r = add_entry(c, record, &fields[i], f);
    if (r >= 0)
        r = index_entries(c, record, f);
    if (r < 0) {
        st_codec_free(c);
        return r;
    }
    *codec = c;
    return CELL_OK;
}

void st_codec_free(struct st_codec *codec)
{
    if (!codec)
        return;
    for (uint32_t i = 0; codec->entries && i < codec->n; i++)
        st_codec_free(codec->entries[i].record);
    free(codec->entries);
    free(codec->by_id);
    free(codec);
}

bool st_codec_is_partial(const struct st_codec *codec) { return codec->partial; }

bool st_codec_knows(const struct st_codec *codec, uint32_t id) { return id <= codec->most && codec->by_id[id] != 0; }
