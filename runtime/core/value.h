/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Values of methods from and to text, by descriptor: JSON as it travels over HTTPS and as `cell call` prints it
 * (docs/protocol.md, "Values"), and the plain form of a command line. Pure; memory comes from the arena.
 */
#ifndef CELL_CORE_VALUE_H
#define CELL_CORE_VALUE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "cell/desc.h"

struct value_env {
    struct cell_arena *arena;
    /* For documents of a peer that was built from another schema: members that are not known are skipped, those of a
     * struct that are missing are zero. */
    bool skips_unknown, allows_missing;
};

/*
 * Reads one value into `out` (type->size bytes, zeroed, or `count` of them when count > 0). cell_value_text takes the
 * plain form, cell_value_json always JSON. CELL_INVALID_ARGUMENT says what is wrong and where inside the value.
 */
int cell_value_text(const struct value_env *env, const struct cell_type *type, uint32_t count, const char *text,
                    size_t len, void *out, struct cell_error *e);
int cell_value_json(const struct value_env *env, const struct cell_type *type, uint32_t count, const char *text,
                    size_t len, void *out, struct cell_error *e);

/* One scalar from a token: integers with a range check, floats, booleans, enumerators by name or number. */
int cell_value_scalar(const struct value_env *env, const struct cell_type *type, const char *text, size_t len,
                      void *out, struct cell_error *e);
/* The bytes that "hex:…", "base64:…" or other text stand for; *bytes lives in the arena. */
int cell_value_bytes(const struct value_env *env, const char *text, size_t len, const uint8_t **bytes, size_t *n,
                     struct cell_error *e);

/* Appends a value as JSON that cell_value_json reads back as the same. Text must be UTF-8. */
void cell_value_write(struct cell_buffer *out, const struct cell_type *type, uint32_t count, const void *value);
/* The JSON of a scalar: a number, true, or a string (the name of an enumerator, "NaN", "Infinity"); with its quotes. */
#define CELL_VALUE_SCALAR_MAX 160u
void cell_value_format(const struct cell_type *type, const void *value, char text[CELL_VALUE_SCALAR_MAX]);
/* Text with its quotes, and bytes as "hex:…". */
void cell_value_put_text(struct cell_buffer *out, const char *text, size_t len);
void cell_value_put_bytes(struct cell_buffer *out, const uint8_t *bytes, size_t len);

/* Offset of an optional's value: behind the flag, aligned. */
static inline uint32_t cell_value_opt_offset(const struct cell_type *opt)
{
    return opt->elem->align ? opt->elem->align : 1;
}
/* The number that an enumerator of a descriptor stands for, as 64 bits. */
static inline uint64_t cell_value_enumerator(const struct cell_field *f)
{
    return f->offset | (uint64_t)f->count << 32;
}

#endif
