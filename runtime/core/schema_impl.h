/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the parts of the schema model share. Internal to core/. */
#ifndef CELL_CORE_SCHEMA_IMPL_H
#define CELL_CORE_SCHEMA_IMPL_H

#include "core/json.h"
#include "core/schema.h"

/* schema.c: names of kinds as in the format, "" for a number that is no kind. */
const char *cell_kind_name(unsigned kind);
static inline bool cell_kind_is_integer(enum cell_kind kind) { return kind >= CELL_KIND_I8 && kind <= CELL_KIND_U64; }
static inline bool cell_kind_is_builtin(enum cell_kind kind)
{
    return kind >= CELL_KIND_BOOL && kind <= CELL_KIND_BYTES;
}
/* Bytes of one use, arrays included. */
uint64_t cell_schema_use_size(const struct schema_ref *r);

/* schema_parse.c: reads "types", "constants", "methods" and, of a schema, "verbs" into an empty model. */
int cell_schema_read(const struct json_at *root, bool verbs, struct cell_schema *s, struct cell_error *e);

/* schema_check.c: everything that cell_schema_parse guarantees and that can be seen in the model. `status` is returned
 * on failure. An expansion's content has no cell. */
int cell_schema_check(const struct cell_schema *s, bool expansion, int status, struct cell_error *e);

/* schema_names.c */
enum name_use { NAME_C, NAME_WORD }; /* becomes an identifier in C, or is only compared */
int cell_check_name(const struct json_at *at, const char *key, const char *name, enum name_use use,
                    struct cell_error *e);
/* A text for people: valid UTF-8 without control characters, `lines` allows "\n". NULL is accepted. */
int cell_check_text(const struct json_at *at, const char *key, const char *text, bool lines, struct cell_error *e);
/* A text that may become a comment as well. */
int cell_check_doc(const struct json_at *at, const char *doc, struct cell_error *e);
/* No name twice; strings of fields stand in `stride` bytes each, the name first. Reports "path: 'x' is there twice". */
int cell_check_unique(const struct json_at *list, const void *items, size_t n, size_t stride, struct cell_error *e);
/* The scope that types, constants, enumerators and methods share. */
int cell_check_scope(const struct json_at *root, const struct cell_schema *s, struct cell_error *e);

/* schema.c: offsets of slots and sizes of request structs. */
void cell_schema_layout_methods(struct cell_schema *s);
/* schema.c: types_by_name and the fingerprints of types and methods. */
int cell_schema_index(struct cell_schema *s, struct cell_error *e);

/* schema_format.c: the model as a document, without regard to `received`; one entry without docs. */
void cell_schema_put(const struct cell_schema *s, struct cell_buffer *out);
void cell_schema_put_type(const struct schema_type *t, struct cell_buffer *out);
void cell_schema_put_method(const struct schema_method *m, struct cell_buffer *out);

#endif
