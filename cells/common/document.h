/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* JSON documents that compilers ask with and are answered by, for the cells that expand annotations. Thread-safe. */
#ifndef CELLS_COMMON_DOCUMENT_H
#define CELLS_COMMON_DOCUMENT_H

#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cell/ctx.h>
#include <jansson.h>

/* *text becomes `value` as compact JSON, in the memory of the reply of `c`. Takes over the reference `value`, of which
 * NULL means that memory was short. CELL_NO_MEMORY, told to `c`. */
static inline int document_answer(cell_ctx *c, json_t *value, cell_str *text)
{
    char *bytes = value ? json_dumps(value, JSON_COMPACT) : NULL;

    if (bytes)
        *text = cell_ctx_copy(c, cell_strz(bytes));
    json_decref(value);
    bool done = bytes && text->ptr;
    free(bytes);
    return done ? CELL_OK : cell_fail(c, CELL_NO_MEMORY, "out of memory");
}

/* The request as an object, a new reference; NULL when it is none (CELL_INVALID_ARGUMENT, told to `c`). */
static inline json_t *document_read(cell_ctx *c, cell_str request)
{
    json_t *root = json_loadb(request.ptr, request.len, JSON_REJECT_DUPLICATES, NULL);

    if (json_is_object(root))
        return root;
    json_decref(root);
    cell_fail(c, CELL_INVALID_ARGUMENT, "the request is no JSON object");
    return NULL;
}

/* The string `key` of an object, borrowed; "" when there is none. */
static inline const char *document_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

/* The first object of `list` whose member `key` is the string `value`, borrowed; NULL: there is none, or no `value`. */
static inline const json_t *document_find(const json_t *list, const char *key, const char *value)
{
    json_t *entry;
    size_t i;

    json_array_foreach(list, i, entry)
    {
        const char *own = json_string_value(json_object_get(entry, key));
        if (own && value && strcmp(own, value) == 0)
            return entry;
    }
    return NULL;
}

/* The rule `name` of a field or a declaration, borrowed; NULL: it has none. */
static inline const json_t *document_rule(const json_t *of, const char *name)
{
    return document_find(json_object_get(of, "rules"), "rule", name);
}

/* Whether `length` bytes are an identifier of C, of at most `most`; keywords are. */
static inline bool document_is_identifier(const char *name, size_t length, size_t most)
{
    if (length == 0 || length > most || isdigit((unsigned char)name[0]))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '_')
            return false;
    return true;
}

/* Whether `name` stands in a text, and is no part of a longer word there. */
static inline bool document_has_word(const char *text, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = text; length && (at = strstr(at, name)); at++) {
        char before = at == text ? ' ' : at[-1], behind = at[length];
        if (!isalnum((unsigned char)before) && before != '_' && !isalnum((unsigned char)behind) && behind != '_')
            return true;
    }
    return false;
}

/* Adds a sentence of at most 699 bytes about `field` (NULL = the declaration) to the diagnostics of an answer. An
 * "error" sets *failed. */
__attribute__((format(printf, 5, 0))) static inline void document_say(json_t *diagnostics, bool *failed,
                                                                      const char *severity, const char *field,
                                                                      const char *format, va_list args)
{
    char text[700];

    vsnprintf(text, sizeof(text), format, args);
    json_t *said = json_pack("{ss, ss}", "severity", severity, "text", text);
    if (field)
        json_object_set_new(said, "field", json_string(field));
    json_array_append_new(diagnostics, said);
    *failed = *failed || strcmp(severity, "error") == 0;
}

#endif
