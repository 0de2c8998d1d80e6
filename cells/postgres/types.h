/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * C types ↔ PostgreSQL types. Pure; results point into the arena that is given.
 *
 * | C type (docs/protocol.md, "type") | column | written with CELL_SQL_TYPE also |
 * | bool | boolean | |
 * | i8, u8, i16 | smallint | any integer type, numeric; a CHECK holds the range where the column's type is wider |
 * | u16, i32 | integer | the same; i32: date (days since 1970-01-01) |
 * | u32, i64 | bigint | the same; i64: timestamp, timestamptz (µs since 1970-01-01, UTC), time (µs since midnight) |
 * | u64 | numeric(20,0) | bigint: then the CHECK is 0 to 2^63 − 1 |
 * | f32, f64 | real, double precision | f64: real (values are rounded); both: numeric (inexact) is refused |
 * | str | text | varchar(n), char(n), citext, numeric (decimal digits), uuid, json, jsonb, an enum (its label), and any
 *   other type by its text form |
 * | bytes, u8[N], list<u8> | bytea (u8[N]: with a CHECK of the length) | u8[16]: uuid |
 * | enum | the integer type below it, with a CHECK of the values | a native enum type |
 * | T[N], list<T> | T[] (T[N]: with a CHECK of the length) | the array of a type that T may have |
 * | f32[N] | vector(N) where pgvector is there, else real[] with a CHECK | vector(N), real[] |
 * | struct, list<struct>, struct[N] | jsonb | json |
 * | opt<T> | the column of T, nullable | |
 */
#ifndef CELLS_POSTGRES_TYPES_H
#define CELLS_POSTGRES_TYPES_H

#include <jansson.h>

#include "model.h"

/* X(symbol, name) */
#define PG_CTYPE_MAP(X)                                                                                                \
    X(BOOL, "bool")                                                                                                    \
    X(I8, "i8")                                                                                                        \
    X(U8, "u8")                                                                                                        \
    X(I16, "i16")                                                                                                      \
    X(U16, "u16")                                                                                                      \
    X(I32, "i32")                                                                                                      \
    X(U32, "u32")                                                                                                      \
    X(I64, "i64")                                                                                                      \
    X(U64, "u64")                                                                                                      \
    X(F32, "f32")                                                                                                      \
    X(F64, "f64")                                                                                                      \
    X(STR, "str")                                                                                                      \
    X(BYTES, "bytes")

enum pg_ckind {
#define PG_CTYPE_ENUM(symbol, name) PG_C_##symbol,
    PG_CTYPE_MAP(PG_CTYPE_ENUM)
#undef PG_CTYPE_ENUM
        PG_C_ENUM,
    PG_C_STRUCT
};

struct pg_cvalue { /* enumerator */
    const char *name;
    const char *number; /* decimal */
    const char *label; /* of a native enum: the name in lower case, without the prefix up to `_` that all have or had */
};

/* A use of a C type, taken apart. */
struct pg_ctype {
    const char *text;      /* "opt<i32>", "u8[16]", "user_rows", … */
    const char *tag;       /* ENUM, STRUCT: its name; a list or opt that has a name: see `wrapper` */
    const char *wrapper;   /* name of the list or opt type that the text names; NULL for list<…>, opt<…> and neither */
    enum pg_ckind kind;    /* of the value, or of one element */
    bool optional, list;   /* opt<…>, list<…>: never both */
    uint32_t count;        /* fixed array bound; 0 = none */
    enum pg_ckind integer; /* ENUM: the type below it */
    struct pg_cvalue *values;
    uint32_t nvalues;
    const json_t *fields; /* STRUCT: the "fields" of its schema entry, borrowed */
    bool annotated;       /* STRUCT: it has a verb of its own, such as one that makes a table of it */
};

/* How a value travels: what of the server's binary format becomes what in C. Of an array: how each element does. */
/* X(symbol, meaning) */
#define PG_CODEC_MAP(X)                                                                                                \
    X(BOOL, "boolean")                                                                                                 \
    X(INTEGER, "int2, int4, int8 and a C integer or enum; of a width of its own each; out of range is an error")       \
    X(FLOAT, "float4, float8 and f32, f64")                                                                            \
    X(NUMERIC_INTEGER, "numeric and a C integer (u64)")                                                                \
    X(NUMERIC_TEXT, "numeric and decimal digits in a str")                                                             \
    X(TEXT, "text, varchar, char, xml, json, an enum's label and a str: the same bytes")                               \
    X(BYTES, "bytea and bytes, list<u8>, u8[N]")                                                                       \
    X(UUID, "uuid and u8[16]")                                                                                         \
    X(UUID_TEXT, "uuid and a str of 36 characters")                                                                    \
    X(DATE, "date and days since 1970-01-01 in i32 or i64")                                                            \
    X(TIME, "time and µs since midnight in i64")                                                                       \
    X(TIMESTAMP, "timestamp, timestamptz and µs since 1970-01-01 in i64")                                              \
    X(JSONB_TEXT, "jsonb and a str")                                                                                   \
    X(JSON_STRUCT, "json, jsonb and a struct, or a list or an array of structs, as an object by field names")          \
    X(ENUM_LABEL, "a native enum and a C enum: labels and numbers as in pg_ctype.values")                              \
    X(VECTOR, "vector(N) and f32[N]")                                                                                  \
    X(TEXT_FORM, "any other type and a str: the statement casts, $1::text::TYPE and column::text")

enum pg_codec {
#define PG_CODEC_ENUM(symbol, meaning) PG_CODEC_##symbol,
    PG_CODEC_MAP(PG_CODEC_ENUM)
#undef PG_CODEC_ENUM
};

/* A field on a column. */
struct pg_mapping {
    struct pg_type_use type;
    enum pg_codec codec;
    const char *check, *check_kind; /* what the column's type does not say ("age" BETWEEN 0 AND 255), NULL; its kind
                                     * "range", "values", "size" is the end of the constraint's name */
    bool vector_or_real;            /* f32[N] without CELL_SQL_TYPE: a column of the other type serves as well */
};

/* Where types are looked up. */
struct pg_types {
    const json_t *types;            /* entries as in a schema's "types", borrowed; NULL = none */
    const struct pg_model *catalog; /* enums, schemas, vector; NULL: unknown types are taken as they are */
};

/* Takes a schema's type text apart. CELL_INVALID_ARGUMENT with `why` for what the text or `types` does not say. */
int pg_ctype_parse(struct pg_arena *arena, const struct pg_types *types, const char *text, struct pg_ctype *type,
                   char why[256]);

/*
 * The column for a field. `sql_type` is the argument of CELL_SQL_TYPE or NULL; `column` the column's name, for the
 * check. CELL_INVALID_ARGUMENT with `why`, a sentence ("an i32 cannot hold values of type bigint"; "unknown type
 * 'intt': did you mean 'int'?").
 */
int pg_map_field(struct pg_arena *arena, const struct pg_types *types, const struct pg_ctype *c, const char *sql_type,
                 const char *column, struct pg_mapping *mapping, char why[256]);

/*
 * Whether every value of a column of type `type` arrives in a field of type `c` (nullability apart), and how: what
 * CELL_ROWS and tables that exist ask. CELL_INVALID_ARGUMENT with `why` when not.
 */
int pg_map_existing(struct pg_arena *arena, const struct pg_types *types, const struct pg_ctype *c,
                    const struct pg_type_use *type, enum pg_codec *codec, char why[256]);

/*
 * The C type for a column or result whose C type nobody has written: a schema's type text, as "i32", "opt<str>",
 * "list<i64>", "u8[16]". What has no C type by itself is a str. A nullable uuid, array or anything else of which there
 * is no opt in C is opt<str> for uuid, and for arrays opt<str> in text form (`codec` says). `c` is the text taken
 * apart. Fails only when memory is short.
 */
const char *pg_ctype_for(struct pg_arena *arena, const struct pg_type_use *type, bool nullable, struct pg_ctype *c,
                         enum pg_codec *codec);

/* The SQL types that CELL_SQL_TYPE might mean by `name`, nearest first; NULL when none is near. */
const char *pg_type_suggest(const struct pg_types *types, const char *name);

#endif
