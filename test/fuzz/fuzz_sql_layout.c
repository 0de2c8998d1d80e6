/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LINK: utils/cell/sql_layout.c
/*
 * What a journal's folder says of its records: whatever is accepted, no value is read outside of a record. The first
 * two bytes of the input are the size of a record, the rest is the file "fields".
 */
#include <string.h>

#include "fuzz.h"
#include "journal/fields.h"
#include "../../utils/cell/sql_layout.h"

static void read_values(const struct sql_layout *l, const uint8_t *record)
{
    char text[SQL_TIME_TEXT];
    volatile uint8_t sum = 0;

    for (uint32_t i = 0; i < l->ncolumns; i++) {
        const struct sql_column *c = &l->columns[i];
        EXPECT(c->name[0] && sql_column_type(c));
        for (uint32_t k = 0; c->field && c->field->kind == SQL_BYTES && k < c->field->size; k++)
            sum += record[c->field->offset + k];
        if (!c->field || c->field->kind == SQL_BYTES)
            continue;
        if (c->field->kind == SQL_REAL) {
            sql_field_real(c->field, record);
            continue;
        }
        const struct sql_name *name = sql_field_name(c->field, (int64_t)sql_field_bits(c->field, record));
        EXPECT(!name || name->length > 0);
        if (c->role == SQL_PAIR)
            sql_field_bits(c->low, record);
        if (c->role == SQL_TIME)
            sql_time_text((int64_t)sql_field_bits(c->field, record), text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cell_arena arena = {.limit = 64u << 20};
    struct cell_journal_fields f;
    struct sql_layout l;
    struct cell_error e = {0};

    if (size < 2)
        return 0;
    const uint32_t bytes = data[0] | (uint32_t)data[1] << 8;
    uint8_t *record = malloc(bytes ? bytes : 1); /* so that a read beyond it is found */
    memset(record, data[0], bytes);
    if (cell_journal_fields_parse((const char *)data + 2, size - 2, &arena, &f, &e) == CELL_OK &&
        sql_layout_make(f.fields, f.nfields, bytes, f.time, f.ordered, data[0] & 1, &arena, &l, &e) == CELL_OK)
        read_values(&l, record);
    else
        EXPECT(e.status < 0 && e.text[0]);
    free(record);
    cell_arena_free(&arena);
    return 0;
}
