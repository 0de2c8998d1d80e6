/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Values of a method, from and to text, by descriptor. Pure; memory comes from the arena. */
#ifndef CELL_CLI_CALL_VALUE_H
#define CELL_CLI_CALL_VALUE_H

#include "cli.h"
#include "core/schema.h"

struct value_env {
    struct cell_arena *arena;
    const struct cell_schema *schema; /* names of enumerators */
};

/*
 * Reads one value into `out` (type->size bytes, or `count` of them when count > 0). value_text takes the form of the
 * command line, value_json always JSON. CELL_INVALID_ARGUMENT says what is wrong and where inside the value.
 */
int value_text(const struct value_env *env, const struct cell_type *type, uint32_t count, const char *text, size_t len,
               void *out, struct cell_error *e);
int value_json(const struct value_env *env, const struct cell_type *type, uint32_t count, const char *text, size_t len,
               void *out, struct cell_error *e);

/* One scalar from a token: integers with a range check, floats, booleans, enumerators by name or number. */
int value_scalar(const struct value_env *env, const struct cell_type *type, const char *text, size_t len, void *out,
                 struct cell_error *e);
/* The bytes that "hex:…", "base64:…" or other text stand for; *bytes lives in the arena. */
int value_bytes(const struct value_env *env, const char *text, size_t len, const uint8_t **bytes, size_t *n,
                struct cell_error *e);

/* Writes a value as value_json reads it. */
void value_print(const struct value_env *env, struct cli_json *j, const char *key, const struct cell_type *type,
                 uint32_t count, const void *value);

/* Offset of an optional's value: behind the flag, aligned. */
static inline uint32_t value_opt_offset(const struct cell_type *opt) { return opt->elem->align ? opt->elem->align : 1; }

#endif
