/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What generate.c, generate_read.c and generate_write.c share. */
#ifndef CELLS_POSTGRES_GENERATE_IMPL_H
#define CELLS_POSTGRES_GENERATE_IMPL_H

#include "generate.h"

/* A field on its column. */
struct gen_field {
    const struct pg_field *field;
    const struct pg_column *column;
    const char *type; /* of the column, as the binding has it */
    const char *cast; /* a value of the column is sent and read as text: its type; NULL = as it is */
    bool automatic;   /* filled in by the database alone */
    bool defaulted;   /* filled in by the database when it is absent */
    bool key;
};

struct gen {
    struct pg_arena arena;
    const struct pg_declared *declared;
    const struct pg_table *table;
    const json_t *declaration;
    json_t *document;
    struct gen_field *fields;
    uint32_t nfields;
    struct gen_field **key; /* of the primary key, in its order; nkey 0: none that a function could have */
    uint32_t nkey;
    bool writes;
};

/* A function under construction. */
struct gen_method {
    struct gen *g;
    const char *name;
    json_t *params, *in, *out;
    struct pg_text sql, doc;
    uint32_t nin;
};
/* `name` is the part behind the struct's: "insert". False: it is there already, or the program has it. */
bool gen_begin(struct gen *g, const char *name, struct gen_method *m);
/* The method goes into the document, with its binding: `op`, and `more` members of it (NULL = none; taken over). */
void gen_end(struct gen_method *m, const char *op, bool writes, json_t *more);

/* Adds a parameter: of a value (in), or of rows: "in", "out", "inout" or a stream. */
void gen_param(struct gen_method *m, const char *name, const char *type, const char *dir, bool pointer);
void gen_stream(struct gen_method *m, const char *name, const char *dir);
/* Adds $n for a field, whose path is `path`, and appends it to `sql`, cast when need be. */
void gen_value(struct gen_method *m, struct pg_text *sql, const struct gen_field *f, const char *path, json_t *in);
/* Appends the column to `sql`, cast when need be, and its place `root.field` to `out`. */
void gen_column(struct gen_method *m, const struct gen_field *f, const char *root);
/* Appends all columns. */
void gen_columns(struct gen_method *m, const char *root);
/* Appends what the column becomes that has been `before`, and shall be `now`: of a struct that is an object of jsonb,
 * members that it does not have stay. */
void gen_kept(struct gen *g, struct pg_text *sql, const struct gen_field *f, const char *before, const char *now);
/* "schema"."table" */
void gen_table(struct gen *g, struct pg_text *sql);
/* A name for a parameter that none of the n fields has. */
const char *gen_free_name(struct gen *g, struct gen_field *const *fields, uint32_t n, const char *wanted);
/* The type of a parameter that holds a value of the field, never absent; whether it is passed by pointer. */
const char *gen_value_type(struct gen *g, const struct gen_field *f, bool *pointer);
/* The type of an optional of it; NULL when there is none, for arrays. Adds it to the document when it is new. */
const char *gen_optional_type(struct gen *g, const struct gen_field *f);
/* A column that can be compared: no list, struct or array but for uuid. */
bool gen_is_comparable(const struct gen_field *f);
struct gen_field *gen_find(struct gen *g, const char *column);
json_t *gen_part(struct gen *g, const char *key, const char *path, const struct gen_field *f);
const char *gen_rows_type(struct gen *g);

void gen_say(struct gen *g, const char *severity, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* json_array_append_new that jumps when memory is short. */
void gen_append(struct gen *g, json_t *array, json_t *value);

void gen_reads(struct gen *g);
void gen_writes(struct gen *g);

#endif
