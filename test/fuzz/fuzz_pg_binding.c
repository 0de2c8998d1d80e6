/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Bindings come from clients, and values from the database: up to the first NUL the input is a binding, for one of a
 * few methods; what follows is what the database sends for each column. Neither may do harm, and what is read from a
 * value stays within the record.
 */
// LINK: cells/postgres/memory.c cells/postgres/model.c cells/postgres/sql.c cells/postgres/sql_name.c
// LINK: cells/postgres/sql_token.c cells/postgres/type_name.c cells/postgres/binding.c cells/postgres/codec.c
// LINK: cells/postgres/codec_encode.c cells/postgres/codec_decode.c cells/postgres/codec_number.c
// LINK: cells/postgres/codec_json.c cells/postgres/statement_rows.c
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "postgres/statement_impl.h"

/* Of failure.c and the runtime only these are used. */
int pg_fail(struct pg_failure *f, int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(f->text, sizeof(f->text), format, args);
    va_end(args);
    return f->status = status;
}
const char *pg_shorten(char *to, size_t size, const char *text, size_t length)
{
    snprintf(to, size, "%.*s", (int)(length < size ? length : size), text);
    return to;
}
void *cell_ctx_alloc(cell_ctx *c, size_t size)
{
    (void)c, (void)size;
    abort(); /* values go into the arena */
}

struct record {
    int64_t id;
    cell_str text;
    cell_bytes raw;
    cell_opt_i32 age;
    cell_list_i64 list;
    cell_list_str words;
    uint8_t uid[16];
    float v[4];
    int16_t few[2];
    int32_t mood;
    bool yes;
    double real;
    uint64_t large;
    cell_opt_str nick;
};

#define FIELD(member, type) {#member, type, offsetof(struct record, member), 0, 0, 0}
#define ARRAY(member, type, n) {#member, type, offsetof(struct record, member), n, 0, 0}
static const struct cell_type mood_type = {"mood", CELL_KIND_ENUM, 4, 4, 0, NULL, &cell_type_i32};
static const struct cell_field fields[] = {
    FIELD(id, &cell_type_i64),      FIELD(text, &cell_type_str),      FIELD(raw, &cell_type_bytes),
    FIELD(age, &cell_type_opt_i32), FIELD(list, &cell_type_list_i64), FIELD(words, &cell_type_list_str),
    ARRAY(uid, &cell_type_u8, 16),  ARRAY(v, &cell_type_f32, 4),      ARRAY(few, &cell_type_i16, 2),
    FIELD(mood, &mood_type),        FIELD(yes, &cell_type_bool),      FIELD(real, &cell_type_f64),
    FIELD(large, &cell_type_u64),   FIELD(nick, &cell_type_opt_str),
};
static const struct cell_type record_type = {.name = "record",
                                             .kind = CELL_KIND_STRUCT,
                                             .size = sizeof(struct record),
                                             .align = 8,
                                             .nfields = sizeof(fields) / sizeof(fields[0]),
                                             .fields = fields};
/* A column may be a whole record: JSON. */
static const struct cell_field outer_fields[] = {{"row", &record_type, 0, 0, 0, 0}};
static const struct cell_type outer_type = {.name = "outer",
                                            .kind = CELL_KIND_STRUCT,
                                            .size = sizeof(struct record),
                                            .align = 8,
                                            .nfields = 1,
                                            .fields = outer_fields};
static const struct cell_type list_type = {"rows", CELL_KIND_LIST, 16, 8, 0, NULL, &record_type};
static const struct cell_field row_in[] = {{"row", &record_type, 0, 0, CELL_FIELD_REF, 0}};
static const struct cell_field rows_in[] = {{"rows", &list_type, 0, 0, 0, 0}};
static const struct cell_field row_out[] = {{"row", &record_type, 0, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0}};
static const struct cell_field outer_out[] = {{"out", &outer_type, 0, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0}};
static const struct cell_field rows_out[] = {{"rows", &list_type, 0, 0, CELL_FIELD_REF | CELL_FIELD_OUT, 0}};
static const struct cell_field stream[] = {{"rows", &record_type, 0, 0, 0, 0}};

static const struct cell_method methods[] = {
    {.name = "row", .in = row_in, .nin = 1, .out = row_out, .nout = 1, .in_size = 16},
    {.name = "rows", .in = row_in, .nin = 1, .out = rows_out, .nout = 1, .in_size = 16},
    {.name = "many", .in = rows_in, .nin = 1, .in_size = 16},
    {.name = "stream", .stream = stream},
    {.name = "load", .stream = stream, .flags = CELL_METHOD_WRITES},
    {.name = "outer", .in = row_in, .nin = 1, .out = outer_out, .nout = 1, .in_size = 16},
};

static void encode_all(const struct pg_statement *s, const struct record *record)
{
    const struct cell_ref in = {record, 1};
    struct pg_arena arena = {0};
    struct pg_failure f;

    for (uint32_t i = 0; i < s->nin; i++) {
        const struct pg_part *part = &s->in[i];
        const char *home = part->home == PG_HOME_RECORD ? (const char *)record : (const char *)in.ptr;
        struct pg_encoded value;
        if (pg_encode(&part->place, home, &arena, &value, &f) >= 0 && value.data)
            for (int k = 0; k < value.length; k++) /* all of it can be read */
                (void)*(const volatile char *)&value.data[k];
    }
    pg_arena_free(&arena);
}

static void decode_all(const struct pg_statement *s, const uint8_t *data, size_t size)
{
    /* A record that ends where its memory does. */
    struct record *record = calloc(1, sizeof(*record));
    struct pg_arena arena = {.limit = 1 << 20};
    const struct pg_sink sink = {.arena = &arena};
    struct pg_failure f;
    bool good = true;

    for (uint32_t i = 0; record && i < s->nout; i++) {
        char *value = malloc(size ? size : 1);
        if (value && size)
            memcpy(value, data, size);
        good = pg_decode(&s->out[i].place, value, (int)size, record, &sink, &f) >= 0 && good;
        free(value); /* nothing refers to it */
    }
    if (record && good)
        encode_all(s, record);
    pg_arena_free(&arena);
    free(record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t numbers[] = {1, -1};
    static const cell_str words[] = {{"a", 1}, {"", 0}};
    const struct record record = {.id = -5,
                                  .text = {"12.5", 4},
                                  .raw = {(const uint8_t *)"\0\1", 2},
                                  .list = {numbers, 2},
                                  .words = {words, 2},
                                  .mood = 1,
                                  .large = UINT64_MAX};
    size_t length = size > 1 ? strnlen((const char *)data + 1, size - 1) : 0;

    if (size < 2)
        return 0;
    char *binding = malloc(length + 1);
    if (!binding)
        return 0;
    memcpy(binding, data + 1, length);
    binding[length] = '\0';
    struct pg_statement s = {.method = &methods[data[0] % (sizeof(methods) / sizeof(methods[0]))]};
    struct pg_failure f;
    if (pg_binding_read(&s, binding, &f) >= 0) {
        size_t rest = size - 1 - length;
        uint32_t rows = 0;
        const char *of_rows = pg_statement_of_rows(&s, &rows);
        EXPECT(!of_rows || (rows >= 2 && strlen(of_rows) > strlen(s.sql)));
        encode_all(&s, &record);
        decode_all(&s, data + 1 + length + (rest > 0), rest > 0 ? rest - 1 : 0);
    }
    if (s.first)
        pg_arena_free(&s.first->arena);
    pg_arena_free(&s.arena);
    free(binding);
    return 0;
}
