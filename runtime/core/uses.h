/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What a program uses of the cells that it imports, and where: the compiler leaves it in each object (section
 * "cell_uses"), the linker puts the objects' records behind each other, and whoever has the program can tell from it
 * alone what a new schema would do to it. Beside it stands, once a cell, the schema that the program was compiled
 * against, without documentation (section "cell_used_schemas"). Docs: docs/drift.md, "Consumers".
 *
 * Both sections are records: CELL_USES_MAGIC or CELL_USED_SCHEMA_MAGIC, the document's size as u64 little-endian, the
 * document, zeros up to a multiple of eight. Not thread-safe.
 */
#ifndef CELL_CORE_USES_H
#define CELL_CORE_USES_H

#include "core/diff.h"

#define CELL_USES_SECTION "cell_uses"
#define CELL_USED_SCHEMAS_SECTION "cell_used_schemas"
#define CELL_USES_MAGIC "CELLUSE1"
#define CELL_USED_SCHEMA_MAGIC "CELLUSC1"
#define CELL_MAX_USES 65536u              /* of a program; what is beyond is left out, and that is said */
#define CELL_MAX_USED_RESOURCES 65536u    /* beyond these: what nobody may lose because others fill the record */
#define CELL_MAX_PLACES 32u               /* of one use in one object */
#define CELL_MAX_USES_SECTION (64u << 20) /* bytes */

struct json_at;

/* VALUE: a constant or an enumerator. FUNCTION: one that the cell wrote and the program has compiled in. RESOURCE: a thing
 * of the cell's own that an expansion relies on, as a column of a table, by the name that the cell gave it; no part of
 * its schema, so no change of that concerns it. CAPABILITY: one that the cell had when the program was compiled and
 * asked for it, or one of its parameters ("vector_hnsw.metric"). REQUIREMENT: a capability without which the program
 * does not compile. */
enum use_kind { USE_FIELD, USE_METHOD, USE_VALUE, USE_FUNCTION, USE_RESOURCE, USE_CAPABILITY, USE_REQUIREMENT };
extern const char *const cell_use_kind_names[USE_REQUIREMENT + 1]; /* "field" … */

/* One place of one use. */
struct use {
    const char *cell, *fingerprint; /* of the schema that it was compiled against */
    enum use_kind kind;
    const char
        *name; /* "auth_session.email", "auth_login" (and its forms, as "auth_login_async"), "AUTH_MAX", "math_mean" */
    const char *file; /* below the project's folder, or absolute */
    uint32_t line;
};

struct used_schema {
    const char *cell, *fingerprint; /* the fingerprint of the whole document, with documentation */
    struct cell_schema *schema;
};

struct cell_uses {
    struct cell_arena arena;
    struct use *uses; /* sorted by all members after reading or cell_uses_sort, none twice */
    uint32_t n, capacity;
    struct used_schema *schemas;
    uint32_t nschemas;
    bool truncated; /* a limit was met */
};

#define CELL_MAX_RESOURCE_NAME 512u /* bytes */
/* UTF-8 without control characters, 1 to CELL_MAX_RESOURCE_NAME bytes. */
bool cell_is_resource(const char *name);

/* Adds one; texts are copied. CELL_NO_MEMORY. */
int cell_uses_add(struct cell_uses *u, const struct use *use);
/* Sorts, drops repetitions, and keeps at most CELL_MAX_PLACES places of a use. */
void cell_uses_sort(struct cell_uses *u);
/* Appends {"cells": [{"cell", "fingerprint", "uses": [{"at": ["main.c:12"], "kind": "field", "name"}]}], "truncated"}
 * in canonical form. Sort before. CELL_NO_MEMORY. */
int cell_uses_format(const struct cell_uses *u, struct cell_buffer *out);
/* The same as one record of the section. */
int cell_uses_record(const struct cell_uses *u, struct cell_buffer *out);
/* One record of the section of schemas: `schema` without documentation. */
int cell_used_schema_record(const struct cell_schema *schema, struct cell_buffer *out);
/* {"fingerprint", "schema"}, the same as a document. */
void cell_used_schema_format(const struct cell_schema *schema, const char *fingerprint, struct cell_buffer *out);
/* A record of a schema that lost its documentation before: `fingerprint` is that of the whole document. */
int cell_used_schema_record_as(const struct cell_schema *schema, const char *fingerprint, struct cell_buffer *out);

/* Reads what a program's two sections hold (NULL and 0: none), checked as what comes from outside is. Equal uses of
 * several objects become one. CELL_PROTOCOL_ERROR, CELL_TOO_LARGE, CELL_NO_MEMORY. */
int cell_uses_read(const char *uses, size_t uses_len, const char *schemas, size_t schemas_len, struct cell_uses **u,
                   struct cell_error *e);
/* The same of documents: what cell_uses_format writes, and an array (or a member that was absent) of what
 * cell_used_schema_format does. */
int cell_uses_read_documents(const struct json_at *uses, const struct json_at *schemas, struct cell_uses **u,
                             struct cell_error *e);
void cell_uses_free(struct cell_uses *u); /* NULL is accepted */

/* What a change means to a program. */
struct use_break {
    const struct diff_change *change; /* lives as long as the diff */
    bool compile;                     /* the program would not compile against the new schema as it is */
    bool running;                     /* the program as it is built would be refused, at connect or at the call */
    const struct use **at;            /* where; sorted by file and line */
    uint32_t nat;
};

/*
 * What `diff`, from `old`, does to those of `u` that were compiled against schema `fingerprint` of `cell`. Changes that
 * the program does not notice are left out; one that it compiles with, but to something else (another type, another
 * value), is there with neither flag. The result lives in `arena`. CELL_NO_MEMORY.
 */
int cell_uses_check(const struct cell_uses *u, const char *cell, const char *fingerprint, const struct cell_diff *diff,
                    const struct cell_schema *old, struct cell_arena *arena, struct use_break **breaks, uint32_t *n);

#endif
