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

/* schema_parse.c: reads "types", "constants", "methods" and, of a schema, "verbs" and "functions" into an empty model.
 * Types of `declared` (NULL = none) are copied in front of the document's own. */
int cell_schema_read(const struct json_at *root, bool verbs, const struct cell_schema *declared, struct cell_schema *s,
                     struct cell_error *e);

/* The same with `at`, an entry of "types", in place of a document. */
int cell_schema_read_type(const struct json_at *at, const struct cell_schema *declared, struct cell_schema *s,
                          struct cell_error *e);

/* schema_functions.c: the member "functions" of a schema. */
int cell_schema_read_functions(const struct json_at *root, struct cell_schema *s, struct cell_error *e);
/* The same with s->functions in place of the member; it becomes canonical. */
int cell_schema_take_functions(struct cell_schema *s, int status, struct cell_error *e);

/* schema_logic.c: over a document of functions, whose functions are then taken in their order. NULL: memory is short.
 */
struct function_logic;
struct function_logic *cell_logic_new(const struct json_at *document);
void cell_logic_free(struct function_logic *l); /* NULL is accepted */
int cell_logic_take(struct function_logic *l, const struct json_at *function, char logic[CELL_FINGERPRINT_LEN + 1]);
void cell_logic_signature(const struct json_at *function, struct cell_buffer *out);

/* schema_use.c: parts of the text form of a use. A built-in's name, 0 = it is none; "[16]", which ends the text;
 * "list<i32>" and "opt<i32>". */
enum cell_kind cell_use_builtin(const char *name, size_t len);
bool cell_use_bound(const char *text, uint32_t *bound);
bool cell_use_wrapper(const char *text, size_t len, struct schema_ref *use);

/* declared.c: makes the types of `declared` the first ones of the empty `s`, with room for `more` behind them. */
int cell_declared_copy(const struct cell_schema *declared, uint32_t more, struct cell_schema *s, struct cell_error *e);
/* How many of the types are declared by the program. */
uint32_t cell_declared_count(const struct cell_schema *s);
/* Whether an expansion can use these types at all. NULL is accepted. */
int cell_declared_check(const struct cell_schema *declared, struct cell_error *e);

/* The same of a request that is a part of a document (cell_request_declared). */
int cell_declared_read(const struct json_at *request, struct cell_schema **declared, struct cell_error *e);

/* expansion_said.c */
/* A member as a string in the arena. CELL_OK also when it is absent and need not be there. */
int cell_copy_member(const struct json_at *at, const char *key, enum json_need need, struct cell_arena *arena,
                     const char **text, struct cell_error *e);
/* One diagnostic; without `severity` there is no such member, and it is an error. *d must be zero. */
int cell_diagnostic_read(const struct json_at *at, bool severity, struct cell_arena *arena,
                         struct expansion_diagnostic *d, struct cell_error *e);
int cell_diagnostics_read(const struct json_at *root, struct cell_expansion *x, struct cell_error *e);
/* plan.c: the member "plan"; *plan is unchanged when there is nothing to do. */
int cell_plan_read(const struct json_at *root, struct cell_arena *arena, struct expansion_plan *plan,
                   struct cell_error *e);

/* schema_check.c: everything that cell_schema_parse guarantees and that can be seen in the model. `status` is returned
 * on failure. A cell's own methods have no bindings; an expansion's content has no cell. */
enum schema_origin { SCHEMA_OF_CELL, SCHEMA_OF_CLIENT, SCHEMA_OF_EXPANSION };
int cell_schema_check(const struct cell_schema *s, enum schema_origin origin, int status, struct cell_error *e);

/* capability.c. What is read has sorted parameters; what is put is the member's array. */
int cell_capabilities_read(const struct json_at *root, struct cell_schema *s, struct cell_error *e);
void cell_capabilities_put(const struct cell_schema *s, bool docs, struct cell_buffer *out);
/* Of a schema whose methods are sorted by name: capabilities, and what methods need and fall back to. */
int cell_capabilities_check(const struct cell_schema *s, const struct json_at *root, struct cell_error *e);
void cell_capabilities_sort(struct cell_schema *s);

/* verbs_text.c: the verbs of a schema, without docs, as a text that is read without JSON. What cell_verbs_parse gives
 * is a schema of `cell` with verbs and nothing else, checked as those of a schema are. CELL_DATA_LOSS: the text is not
 * whole, or not valid; CELL_NO_MEMORY. */
void cell_verbs_put(const struct cell_schema *s, struct cell_buffer *out);
int cell_verbs_parse(const char *text, size_t len, const char *cell, struct cell_schema **out);

/* schema_names.c */
/* What a name becomes: an identifier of C, that of a function, or nothing that a compiler sees. */
enum name_use { NAME_C, NAME_FUNCTION, NAME_WORD };
int cell_check_name(const struct json_at *at, const char *key, const char *name, enum name_use use,
                    struct cell_error *e);
/* A text for people: valid UTF-8 without control characters, `lines` allows "\n". NULL is accepted. */
int cell_check_text(const struct json_at *at, const char *key, const char *text, bool lines, struct cell_error *e);
/* A text that may become a comment as well. */
int cell_check_doc(const struct json_at *at, const char *doc, struct cell_error *e);
/* No name twice; strings of fields stand in `stride` bytes each, the name first. Reports "path: 'x' is there twice". */
int cell_check_unique(const struct json_at *list, const void *items, size_t n, size_t stride, struct cell_error *e);
/* Reports an entry that has a name of the declaration. */
int cell_declared_again(const struct json_at *entry, const char *name, struct cell_error *e);
/* The scope that types, constants, enumerators and methods share. What the program declared is its compiler's affair.
 */
int cell_check_scope(const struct json_at *root, const struct cell_schema *s, struct cell_error *e);

/* schema_rules.c: the rules of a field, whose type has been checked. `scratch` is empty before and after; `steps` as in
 * cell_pattern_compile. */
int cell_check_field_rules(const struct json_at *field, const struct schema_field *f, struct cell_arena *scratch,
                           uint64_t *steps, struct cell_error *e);

/* schema.c: offsets of slots and sizes of request structs. */
void cell_schema_layout_methods(struct cell_schema *s);
/* schema.c: types_by_name and the fingerprints of types and methods. */
int cell_schema_index(struct cell_schema *s, struct cell_error *e);

/* schema_format.c: the model as a document, without regard to `received`; one entry without docs. */
void cell_schema_put(const struct cell_schema *s, struct cell_buffer *out);
void cell_schema_put_plain(const struct cell_schema *s, struct cell_buffer *out); /* without any docs */
void cell_schema_put_type(const struct schema_type *t, struct cell_buffer *out);
void cell_schema_put_method(const struct schema_method *m, struct cell_buffer *out);

#endif
