/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <stdio.h>
#include <string.h>

#include "query_document.h"
#include "types.h"

static uint32_t size_of(enum pg_ckind kind, uint32_t *align)
{
    static const unsigned char sizes[] = {
        [PG_C_BOOL] = 1, [PG_C_I8] = 1,   [PG_C_U8] = 1,    [PG_C_I16] = 2, [PG_C_U16] = 2,
        [PG_C_I32] = 4,  [PG_C_U32] = 4,  [PG_C_I64] = 8,   [PG_C_U64] = 8, [PG_C_F32] = 4,
        [PG_C_F64] = 8,  [PG_C_STR] = 16, [PG_C_BYTES] = 16};
    uint32_t size = kind <= PG_C_BYTES ? sizes[kind] : 16;

    *align = size > 8 ? 8 : size;
    return size;
}

static void measure(const struct pg_ctype *c, struct query_type *type)
{
    uint32_t size = size_of(c->kind, &type->align);

    type->by_pointer = c->count > 0;
    if (c->list) {
        type->size = 16;
        type->align = 8;
    } else if (c->optional) { /* struct { bool has; T value; } */
        type->size = type->align + size;
    } else {
        type->size = size * (c->count ? c->count : 1);
    }
}

/* As types.h has it, but that the binary form of enums and the like is text, and theirs can be an array's element. */
static enum pg_codec ctype_of(struct pg_arena *arena, const struct pg_described_type *described, bool nullable,
                              struct query_type *type, struct pg_ctype *c)
{
    struct pg_type_use use = described->use;
    enum pg_codec codec;

    if (described->textual && use.base == PG_BASE_OTHER)
        use.base = PG_BASE_TEXT;
    type->text = pg_ctype_for(arena, &use, nullable, c, &codec);
    /* A column of a domain comes as what that is made of, an array of one as an array of the domain. */
    type->binding = described->use.array ? described->base : described->name;
    measure(c, type);
    return codec;
}

bool query_type_of_column(struct pg_arena *arena, const struct pg_described_column *column, struct query_type *type,
                          char why[512])
{
    bool nullable = column->override == '?' || (column->override != '!' && !column->never_null);
    const char *sql_type = column->type.name, *name = column->name;
    struct pg_ctype c;

    *type = (struct query_type){0};
    if (strcmp(sql_type, "void") == 0) {
        snprintf(why, 512, "column '%s' is of type void, which has no values: write SELECT 1 AS done FROM %s(…)", name,
                 name);
        return false;
    }
    if (column->type.kind == 'c' || column->type.kind == 'p') {
        snprintf(why, 512, "column '%s' is of type %s, a row: select its fields one by one, as in (%s).field AS name",
                 name, sql_type, name);
        return false;
    }
    if (nullable && column->type.use.array) {
        snprintf(
            why, 512,
            "column '%s' (%s) can be NULL, and a list in C cannot: write coalesce(%s, '{}') AS %s, or AS \"%s!\" when "
            "it never is",
            name, sql_type, name, name, name);
        return false;
    }
    if (ctype_of(arena, &column->type, nullable, type, &c) == PG_CODEC_TEXT_FORM) {
        snprintf(why, 512, "column '%s' is of type %s, for which there is no type in C: write (…)::text AS %s", name,
                 sql_type, name);
        return false;
    }
    return true;
}

bool query_type_of_parameter(struct pg_arena *arena, const struct pg_described_type *described,
                             const struct query_name *name, uint32_t number, struct query_type *type, char why[512])
{
    struct pg_ctype c;

    *type = (struct query_type){0};
    if (name->optional && described->use.array) {
        snprintf(
            why, 512,
            "parameter '%s' is a list (%s), which is never absent: leave out the `?`, and test cardinality($%u) = 0",
            name->name, described->name, number);
        return false;
    }
    if (described->kind == 'p') {
        snprintf(why, 512, "the type of parameter '%s' is not known (%s): write $%u::TYPE", name->name, described->name,
                 number);
        return false;
    }
    if (ctype_of(arena, described, name->optional, type, &c) == PG_CODEC_TEXT_FORM) {
        type->cast = pg_printf(arena, "($%u::text::%s)", number, described->name);
        type->binding = "text";
    } else if (strcmp(described->name, described->base) != 0) {
        /* A value travels as what the domain is made of, and is checked when it is cast. */
        type->cast = pg_printf(arena, "($%u::%s::%s)", number, described->base, described->name);
        type->binding = described->base;
    }
    return true;
}
