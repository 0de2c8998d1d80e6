/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Values of a reply as JSON, in the form that cell_value_json reads. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "call_value.h"

/* A scalar's JSON; a string of it stands for people as other strings do. */
static void print_scalar(struct cli_json *j, const char *key, const struct cell_type *type, const void *value)
{
    char text[CELL_VALUE_SCALAR_MAX];
    size_t len;

    cell_value_format(type, value, text);
    len = strlen(text);
    if (text[0] == '"')
        out_strn(j, key, text + 1, len - 2);
    else
        out_raw(j, key, text, len);
}

static void print_bytes(struct cli_json *j, const char *key, const uint8_t *bytes, size_t len)
{
    struct cell_buffer b = {0};

    cell_value_put_bytes(&b, bytes, len);
    if (cell_buffer_ok(&b))
        out_strn(j, key, b.data + 1, b.len - 2);
    else
        j->b.failed = true;
    cell_buffer_free(&b);
}

static void print_elements(struct cli_json *j, const char *key, const struct cell_type *type, uint64_t n,
                           const char *at)
{
    out_begin(j, key, '[');
    for (uint64_t i = 0; i < n; i++)
        value_print(j, NULL, type, 0, at + i * type->size);
    out_end(j, ']');
}

static void print_struct(struct cli_json *j, const char *key, const struct cell_type *type, const char *at)
{
    out_begin(j, key, '{');
    for (uint32_t i = 0; i < type->nfields; i++) {
        const struct cell_field *f = &type->fields[i];

        value_print(j, f->name, f->type, f->count, at + f->offset);
    }
    out_end(j, '}');
}

void value_print(struct cli_json *j, const char *key, const struct cell_type *type, uint32_t count, const void *value)
{
    cell_bytes reference;

    if (count > 0 && type->kind == CELL_KIND_U8) {
        print_bytes(j, key, value, count);
        return;
    }
    if (count > 0) {
        print_elements(j, key, type, count, value);
        return;
    }
    switch (type->kind) {
    case CELL_KIND_STR:
        memcpy(&reference, value, sizeof(reference));
        out_strn(j, key, (const char *)reference.ptr, (size_t)reference.len);
        break;
    case CELL_KIND_BYTES:
        memcpy(&reference, value, sizeof(reference));
        print_bytes(j, key, reference.ptr, (size_t)reference.len);
        break;
    case CELL_KIND_LIST:
        memcpy(&reference, value, sizeof(reference));
        print_elements(j, key, type->elem, reference.len, (const char *)reference.ptr);
        break;
    case CELL_KIND_OPT:
        if (*(const uint8_t *)value)
            value_print(j, key, type->elem, 0, (const char *)value + cell_value_opt_offset(type));
        else
            out_null(j, key);
        break;
    case CELL_KIND_STRUCT:
        print_struct(j, key, type, value);
        break;
    default:
        print_scalar(j, key, type, value);
    }
}
