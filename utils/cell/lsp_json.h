/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Finding values in a JSON text without reading it into a tree: what a proxy looks at in messages that it passes on
 * byte for byte, some of them with a whole file in a string. Nothing is copied and nothing allocated; time is linear.
 * The texts come from an editor and its server: what is not JSON is not found, and never read beyond its end.
 */
#ifndef CELL_CLI_LSP_JSON_H
#define CELL_CLI_LSP_JSON_H

#include <stdbool.h>
#include <stddef.h>

/* A value as it stands in the text; `at` NULL = there is none. */
struct json_span {
    const char *at;
    size_t len;
};

/* The value that begins at or after `at` (blanks are skipped), which ends before `end`. */
struct json_span lsp_json_value(const char *at, const char *end);

/* The member `key` of an object; none when it is no object. */
struct json_span lsp_json_member(struct json_span object, const char *key);

/* The members of members: "params.textDocument.uri". */
struct json_span lsp_json_path(struct json_span object, const char *path);

/* Elements of an array, in order: begin with *at = 0. False at the end, or where the text is no array any more. */
bool lsp_json_element(struct json_span array, size_t *at, struct json_span *element);

/* Whether a string says `text` (at most 255 bytes), however it is written: some clients escape every slash. */
bool lsp_json_is(struct json_span string, const char *text);

/* The text of a string into `out`, NUL-terminated. False when it is none, holds NUL, or does not fit. Surrogate pairs
 * become UTF-8. */
bool lsp_json_text(struct json_span string, char *out, size_t size);

#endif
