/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Reading JSON that nobody trusts, and writing it in canonical form. The only user of jansson in the library: what it
 * is given was bounded before (depth, members, length, no NUL, no reals), and no jansson type is needed outside.
 *
 *     CELL_CLEANUP(cell_json_free) struct cell_json doc = {0};
 *     if (cell_json_load(text, len, CELL_INVALID_ARGUMENT, &doc, e) < 0) …             "line 3, column 7: …"
 *     if (cell_json_string(&doc.root, "name", JSON_REQUIRED, &name, e) < 0) …          "name: missing"
 *
 * Every getter looks for a member of an object (or an element of an array), returns 1 when it is there, 0 when it is
 * absent and optional (the output is unchanged), or the document's failure status with "methods[3].params[0].type:
 * cause". Texts of errors never hold control characters. Strings live as long as the document. Not thread-safe.
 */
#ifndef CELL_CORE_JSON_H
#define CELL_CORE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

struct json_t;

/* A value and where it stands. `parent` must stay where it is while this one is used: both live on the stack. */
struct json_at {
    const struct json_at *parent; /* NULL: the document */
    const char *key;              /* of a member; NULL for an element */
    size_t index;                 /* of an element */
    struct json_t *value;         /* borrowed; the root owns it */
    int status;                   /* what failures return */
};

struct cell_json {
    struct json_at root; /* an object or an array */
};

enum json_need { JSON_OPTIONAL, JSON_REQUIRED };

/*
 * Parses a document of `len` bytes (no NUL needed after them). Refused, with line and column: more than
 * CELL_MAX_COMPILE_REPLY bytes (CELL_TOO_LARGE), CELL_MAX_JSON_DEPTH levels or CELL_MAX_JSON_MEMBERS members and
 * elements; NUL, also escaped; text that is not UTF-8; reals, integers beyond ±(2^53 - 1); a key twice in an object;
 * anything after the document. `status` is returned by this and every later failure, except CELL_TOO_LARGE and
 * CELL_NO_MEMORY. `doc` must be zero and is to be freed in any case.
 */
int cell_json_load(const char *text, size_t len, int status, struct cell_json *doc, struct cell_error *e);
void cell_json_free(struct cell_json *doc);

/* The checks of cell_json_load that look at the bytes only: length, depth, members, NUL, UTF-8, numbers. */
int cell_json_measure(const char *text, size_t len, int status, struct cell_error *e);

int cell_json_string(const struct json_at *object, const char *key, enum json_need need, const char **text,
                     struct cell_error *e);
int cell_json_bool(const struct json_at *object, const char *key, enum json_need need, bool *value,
                   struct cell_error *e);
/* An integer within [min, max]; max at most 2^53 - 1. */
int cell_json_uint(const struct json_at *object, const char *key, enum json_need need, uint64_t min, uint64_t max,
                   uint64_t *value, struct cell_error *e);
int cell_json_object(const struct json_at *object, const char *key, enum json_need need, struct json_at *member,
                     struct cell_error *e);
int cell_json_array(const struct json_at *object, const char *key, enum json_need need, struct json_at *member,
                    struct cell_error *e);

/* Members of an object, elements of an array; 0 when `at` was left zero because the member was absent. */
size_t cell_json_count(const struct json_at *at);
/* The element `index` < count of an array. */
int cell_json_item_string(const struct json_at *array, size_t index, const char **text, struct cell_error *e);
int cell_json_item_object(const struct json_at *array, size_t index, struct json_at *item, struct cell_error *e);
/* The element `index` < count of an array, or with `key` the member of an object, whatever it is: its kind in
 * *kind. */
enum json_kind { JSON_IS_OBJECT, JSON_IS_ARRAY, JSON_IS_STRING, JSON_IS_INTEGER, JSON_IS_BOOL, JSON_IS_NULL };
int cell_json_item(const struct json_at *array, size_t index, struct json_at *item, enum json_kind *kind,
                   struct cell_error *e);
int cell_json_member(const struct json_at *object, const char *key, struct json_at *member, enum json_kind *kind,
                     struct cell_error *e);
/* The value of one that is a string, an integer (within ±(2^53 - 1)), true or false. */
const char *cell_json_text_of(const struct json_at *at);
int64_t cell_json_integer_of(const struct json_at *at);
bool cell_json_bool_of(const struct json_at *at);
/* The keys of an object in the document's order, then NULL. Begin with *iterator = NULL. */
const char *cell_json_next(const struct json_at *object, void **iterator);

/* Sets "path of at, or of its member `key` when that is not NULL: text"; returns at->status. */
int cell_json_fail(const struct json_at *at, const char *key, struct cell_error *e, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* `text` for a message: what could steer a terminal or deceive a reader (control characters, bidirectional controls,
 * bytes that are not UTF-8) becomes '?', a long text is cut and ends in "...". Returns `out`. */
const char *cell_json_quote(const char *text, char *out, size_t size);
#define CELL_QUOTE_SIZE 88u
/* The length of the control or bidirectional control character that `text` begins with (C0, DEL, C1, line and
 * paragraph separators, overrides, embeddings, isolates); 0 = it begins with none. `text` is valid UTF-8 or ends. */
size_t cell_json_control(const char *text);

/* Canonical output, RFC 8785: a string with its quotes and the shortest escapes; any value of a loaded document.
 * Keys are sorted by UTF-16 code units. */
void cell_json_put_string(struct cell_buffer *out, const char *text);
void cell_json_put(struct cell_buffer *out, const struct json_at *at);
/* An object without its members of those names; `keys` ends in NULL. */
void cell_json_put_without(struct cell_buffer *out, const struct json_at *object, const char *const *keys);

#endif
