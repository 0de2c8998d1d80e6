/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The JSON documents of a call, as they travel over HTTPS (docs/protocol.md, "Calls over HTTPS"):
 *
 *   request   { "in": { PARAMETER: VALUE, … }, "metadata": { KEY: TEXT, … } }
 *   reply     { "result": 0, "out": { PARAMETER: VALUE, … }, "metadata": { … } }
 *   records   { "records": [ VALUE, … ] }: a line of a stream, whose last line is a reply or an error
 *   error     { "error": { "status": "not-found", "code": -5, "message": "…", "details": { TYPE: TEXT } },
 *               "metadata": { … } }
 *
 * Bytes that are no text are "hex:…". Metadata is given and taken as the block of a frame (wire/frame.h). Pure; every
 * reader bounds depth and memory, and takes any bytes.
 */
#ifndef CELL_CORE_JSON_CALL_H
#define CELL_CORE_JSON_CALL_H

#include "core/value.h"

/* `in` is the request struct, `meta` a block that was checked. */
void cell_json_put_request(struct cell_buffer *out, const struct cell_method *m, const void *in, const void *meta,
                           size_t meta_len);
/* *in (in_size bytes) is made in env's arena, metadata appended to *meta. Parameters that are optional may be left out.
 * CELL_INVALID_ARGUMENT names what is wrong; CELL_TOO_LARGE, CELL_NO_MEMORY. */
int cell_json_take_request(const char *json, size_t len, const struct value_env *env, const struct cell_method *m,
                           void **in, struct cell_buffer *meta, struct cell_error *e);

/* `refs` are the out parameters, NULL when the code is negative or there are none. Of `meta` the error's text and
 * details are put where they belong. */
void cell_json_put_reply(struct cell_buffer *out, const struct cell_method *m, int code, const struct cell_ref *refs,
                         const void *meta, size_t meta_len);
/* *code is the result or a status; refs[nout] are made in env's arena when it is not negative; *meta gets text and
 * details of an error as well. `m` NULL: only an error is expected, and a document without one is CELL_PROTOCOL_ERROR,
 * as is whatever is wrong with the document. CELL_TOO_LARGE, CELL_NO_MEMORY. */
int cell_json_take_reply(const char *json, size_t len, const struct value_env *env, const struct cell_method *m,
                         int *code, struct cell_ref *refs, struct cell_buffer *meta, struct cell_error *e);

/* A line with n > 0 records, and its end. */
void cell_json_put_records(struct cell_buffer *out, const struct cell_type *type, const void *records, uint64_t n);
/* 1: the line has records, which are made in env's arena, at least one; 0: it is another document, which is a reply if
 * it is anything. `list` is the type "list of records". CELL_PROTOCOL_ERROR, CELL_TOO_LARGE, CELL_NO_MEMORY. */
int cell_json_take_records(const char *line, size_t len, const struct value_env *env, const struct cell_type *list,
                           struct cell_ref *records, struct cell_error *e);

#endif
