/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the files that write an imported header share. */
#ifndef CELLS_POSTGRES_IMPORT_PARTS_H
#define CELLS_POSTGRES_IMPORT_PARTS_H

#include "import.h"
#include "types.h"

/* A native enum type. `tag` is NULL when its labels are no enumerators: then it is text. */
struct import_enum {
    const struct pg_enum *from;
    const char *tag;
    const char *optional; /* name of its CELL_OPT type; NULL = not needed */
    const char **names;   /* of the enumerators, one for each label */
};

struct import_field {
    const struct pg_column *column;
    const char *name;
    const char *declarator;      /* "cell_opt_i32 name" */
    PG_LIST(const char *) rules; /* "CELL_KEY", "CELL_DEFAULT(…)" */
    struct pg_text notes;        /* lines of comment above it */
    bool unique, indexed, references;
};

struct import_table {
    const struct pg_table *from;
    const char *tag;
    bool owned; /* CELL_TABLE */
    struct import_field *fields;
    PG_LIST(const char *) rules; /* on the declaration */
    struct pg_text notes;
};

struct importing {
    struct pg_import *out;
    struct pg_arena *arena; /* of it */
    const struct pg_model *model;
    const struct pg_import_options *options;
    const char *schema;
    PG_LIST(struct import_table) tables; /* in the order of the header */
    PG_LIST(struct import_enum) enums;
    PG_LIST(const char *) names; /* identifiers of the header's file scope */
    PG_LIST(const char *) lost;
    PG_LIST(const char *) types; /* that no declaration makes: domains, those of extensions */
    struct pg_text left_out;     /* comments about tables that are not declared */
    struct pg_text text;
};

/* ---- import_name.c ---- */

/* True for what C, C++ or Cell keeps for itself. */
bool import_is_reserved(const char *name);
/* An identifier like `name`: other characters become `_`. */
const char *import_identifier(struct pg_arena *arena, const char *name);
bool import_name_taken(const struct importing *s, const char *name);
/* Gives each table its tag: the table's name where that is possible. */
void import_name_tables(struct importing *s);
void import_name_fields(struct importing *s, struct import_table *t);

/* ---- import_text.c ---- */

/* A C string literal, in quotes. */
void import_literal(struct pg_text *t, const char *text);
/* MACRO("argument", …): n arguments, of which trailing NULLs are left out and others are "". */
const char *import_macro(struct pg_arena *arena, const char *macro, const char *const *args, uint32_t n);
/* With one argument. */
const char *import_macro1(struct pg_arena *arena, const char *macro, const char *arg);
/* A name in SQL, quoted where it has to be. */
void import_sql_name(struct pg_text *t, const char *name);
const char *import_sql_names(struct pg_arena *arena, const char *const *names, uint32_t n);
/* Whether a comment of the database survives being one of C. */
bool import_is_doc(const char *text);
/* `text` as lines of `///`, each behind `indent`. */
void import_doc(struct pg_text *t, const char *indent, const char *text);
/* A comment of one line, or of several when it is long. */
void import_comment(struct pg_text *t, const char *indent, const char *text);
/* Something that the header cannot say: a comment at the field, or at the table when `f` is NULL, and in the list. */
void import_note(struct importing *s, struct import_table *t, struct import_field *f, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* ---- import_order.c ---- */

/* Behind those that they refer to, and else by name. */
void import_order_tables(struct importing *s);
/* The table among those of the header; NULL. */
const struct import_table *import_find(const struct importing *s, const char *schema, const char *name);

/* ---- import_enum.c ---- */

/* The enum of a column's type, made with the first that asks; NULL when the type is no enum. */
struct import_enum *import_enum_of(struct importing *s, const struct pg_type_use *type);
void import_write_enums(struct importing *s);

/* ---- import_field.c ---- */

/* Whether a field can hold the column. */
bool import_fits(struct importing *s, const struct pg_column *c);
/* Adds CELL_COLUMN, CELL_SQL_TYPE, CELL_AUTO, CELL_DEFAULT, CELL_GENERATED to the rules. */
void import_column(struct importing *s, struct import_table *t, struct import_field *f);
/* Writes it, with its comments and rules. */
void import_write_field(struct importing *s, const struct import_field *f);

/* ---- import_objects.c ---- */

struct import_field *import_field_of(struct import_table *t, const char *column);
/* Keys, unique constraints, indexes, foreign keys and checks, as rules. */
void import_objects(struct importing *s, struct import_table *t);

#endif
