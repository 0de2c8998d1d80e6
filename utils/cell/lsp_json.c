/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "lsp_json.h"

#include <stdint.h>
#include <string.h>

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

/* Behind the string that begins at `at`; NULL when it does not end. */
static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end;) {
        const char *quote = memchr(at, '"', (size_t)(end - at));
        if (!quote)
            return NULL;
        /* Quoted by an odd number of backslashes? */
        size_t slashes = 0;
        while (quote - slashes > at && quote[-1 - (ptrdiff_t)slashes] == '\\')
            slashes++;
        at = quote + 1;
        if (slashes % 2 == 0)
            return at;
    }
    return NULL;
}

/* Behind an object or array. Brackets are counted, not matched: what is malformed inside stays for its reader. */
static const char *skip_nested(const char *at, const char *end)
{
    size_t depth = 0;

    while (at && at < end) {
        switch (*at) {
        case '"':
            at = skip_string(at, end);
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (--depth == 0)
                return at + 1;
            break;
        default:
            break;
        }
        at++;
    }
    return NULL;
}

static const char *skip_plain(const char *at, const char *end)
{
    const char *begin = at;

    while (at < end && !strchr(" \t\r\n,:]}{[\"", *at) && *at)
        at++;
    return at == begin ? NULL : at;
}

struct json_span lsp_json_value(const char *at, const char *end)
{
    const struct json_span none = {NULL, 0};
    const char *after;

    at = skip_blanks(at, end);
    if (at >= end)
        return none;
    if (*at == '"')
        after = skip_string(at, end);
    else if (*at == '{' || *at == '[')
        after = skip_nested(at, end);
    else
        after = skip_plain(at, end);
    return after ? (struct json_span){at, (size_t)(after - at)} : none;
}

struct json_span lsp_json_member(struct json_span object, const char *key)
{
    const struct json_span none = {NULL, 0};

    if (!object.at || object.len < 2 || object.at[0] != '{')
        return none;
    const char *at = object.at + 1, *end = object.at + object.len - 1;
    for (;;) {
        struct json_span name = lsp_json_value(at, end);
        if (!name.at || *name.at != '"')
            return none;
        at = skip_blanks(name.at + name.len, end);
        if (at >= end || *at != ':')
            return none;
        struct json_span value = lsp_json_value(at + 1, end);
        if (!value.at)
            return none;
        if (lsp_json_is(name, key))
            return value;
        at = skip_blanks(value.at + value.len, end);
        if (at >= end || *at != ',')
            return none;
        at++;
    }
}

struct json_span lsp_json_path(struct json_span object, const char *path)
{
    char key[64];

    while (object.at && *path) {
        size_t len = strcspn(path, ".");
        if (len >= sizeof(key))
            return (struct json_span){NULL, 0};
        memcpy(key, path, len);
        key[len] = '\0';
        object = lsp_json_member(object, key);
        path += len + (path[len] == '.');
    }
    return object;
}

bool lsp_json_element(struct json_span array, size_t *at, struct json_span *element)
{
    if (!array.at || array.len < 2 || array.at[0] != '[')
        return false;
    const char *end = array.at + array.len - 1;
    const char *next = skip_blanks(array.at + (*at ? *at : 1), end);
    if (*at && next < end && *next == ',')
        next++;
    else if (*at)
        return false;
    *element = lsp_json_value(next, end);
    if (!element->at)
        return false;
    *at = (size_t)(element->at + element->len - array.at);
    return true;
}

bool lsp_json_is(struct json_span string, const char *text)
{
    size_t len = strlen(text);
    char said[256];

    if (!string.at || string.len < len + 2 || string.at[0] != '"')
        return false;
    if (string.len == len + 2)
        return memcmp(string.at + 1, text, len) == 0;
    return memchr(string.at, '\\', string.len) && lsp_json_text(string, said, sizeof(said)) && strcmp(said, text) == 0;
}

/* The four digits of a \u escape; UINT32_MAX when they are none. */
static uint32_t read_hex(const char *at, const char *end)
{
    uint32_t value = 0;

    if (end - at < 4)
        return UINT32_MAX;
    for (int i = 0; i < 4; i++) {
        const char *digits = "0123456789abcdefABCDEF", *digit = at[i] ? strchr(digits, at[i]) : NULL;
        if (!digit)
            return UINT32_MAX;
        size_t n = (size_t)(digit - digits);
        value = value * 16 + (uint32_t)(n > 15 ? n - 6 : n);
    }
    return value;
}

static size_t put_utf8(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((0xf00 >> n) | c);
    return n;
}

/* One escape behind its backslash, as UTF-8; behind it, or NULL. */
static const char *read_escape(const char *at, const char *end, char out[4], size_t *n)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *name = at < end && *at ? strchr(names, *at) : NULL;

    *n = 1;
    if (name) {
        out[0] = values[name - names];
        return at + 1;
    }
    if (at >= end || *at != 'u')
        return NULL;
    uint32_t c = read_hex(at + 1, end);
    at += 5;
    if (c >= 0xd800 && c < 0xdc00) {
        uint32_t low = end - at >= 6 && at[0] == '\\' && at[1] == 'u' ? read_hex(at + 2, end) : 0;
        if (low < 0xdc00 || low > 0xdfff)
            return NULL;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
    }
    if (c == 0 || c > 0x10ffff || (c >= 0xdc00 && c < 0xe000))
        return NULL;
    *n = put_utf8(c, out);
    return at;
}

bool lsp_json_text(struct json_span string, char *out, size_t size)
{
    if (!string.at || string.len < 2 || string.at[0] != '"')
        return false;
    const char *at = string.at + 1, *end = string.at + string.len - 1;
    size_t len = 0;
    while (at < end) {
        char piece[4] = {*at};
        size_t n = 1;
        if (*at == '\0')
            return false;
        at = *at == '\\' ? read_escape(at + 1, end, piece, &n) : at + 1;
        if (!at || len + n >= size)
            return false;
        memcpy(out + len, piece, n);
        len += n;
    }
    if (size == 0)
        return false;
    out[len] = '\0';
    return true;
}
