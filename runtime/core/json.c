/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "core/json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "wire/limits.h"

#define PATH_SIZE 240u

int cell_json_load(const char *text, size_t len, int status, struct cell_json *doc, struct cell_error *e)
{
    json_error_t why;
    char quoted[JSON_ERROR_TEXT_LENGTH];
    int r = cell_json_measure(text, len, status, e);
    if (r < 0)
        return r;
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
    if (!root) {
        if (why.line < 0 || json_error_code(&why) == json_error_out_of_memory) /* it mostly says nothing then */
            return cell_error_set(e, CELL_NO_MEMORY, "reading JSON: out of memory");
        return cell_error_set(e, status, "line %d, column %d: no valid JSON: %s", why.line, why.column,
                              cell_json_quote(why.text, quoted, sizeof(quoted)));
    }
    doc->root = (struct json_at){.value = root, .status = status};
    return CELL_OK;
}

void cell_json_free(struct cell_json *doc)
{
    if (!doc)
        return;
    json_decref(doc->root.value);
    doc->root.value = NULL;
}

/* Puts `text` before what stands at *begin of `path`; false when it does not fit. */
static bool prepend(char *path, size_t *begin, const char *text)
{
    size_t len = strlen(text);
    if (len > *begin)
        return false;
    *begin -= len;
    memcpy(path + *begin, text, len);
    return true;
}

static bool is_plain_key(const char *key)
{
    return *key && strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == strlen(key);
}

static bool prepend_step(char *path, size_t *begin, const struct json_at *at)
{
    char step[CELL_QUOTE_SIZE + 8], key[CELL_QUOTE_SIZE];
    if (!at->key)
        snprintf(step, sizeof(step), "[%zu]", at->index);
    else if (is_plain_key(at->key))
        snprintf(step, sizeof(step), "%s%s", at->parent->parent ? "." : "", cell_json_quote(at->key, key, sizeof(key)));
    else
        snprintf(step, sizeof(step), "['%s']", cell_json_quote(at->key, key, sizeof(key)));
    return prepend(path, begin, step);
}

int cell_json_fail(const struct json_at *at, const char *key, struct cell_error *e, const char *format, ...)
{
    char path[PATH_SIZE];
    size_t begin = sizeof(path) - 1;
    const struct json_at member = {.parent = at, .key = key};
    const int status = at->status;
    va_list args;
    path[begin] = '\0';
    for (const struct json_at *a = key ? &member : at; a->parent; a = a->parent)
        if (!prepend_step(path, &begin, a))
            break; /* a path this long is cut in front */
    va_start(args, format);
    cell_error_vset(e, status, format, args);
    va_end(args);
    if (e && path[begin])
        cell_error_wrap(e, "%s", path + begin);
    return status;
}

static const char *describe(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object",   [JSON_ARRAY] = "an array",     [JSON_STRING] = "a string",
        [JSON_INTEGER] = "an integer", [JSON_REAL] = "a real number", [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",        [JSON_NULL] = "null",
    };
    return value ? names[json_typeof(value)] : "nothing";
}

static int expected(const struct json_at *at, const char *key, const json_t *value, const char *what,
                    struct cell_error *e)
{
    return cell_json_fail(at, key, e, "%s is expected, not %s", what, describe(value));
}

/* The member, with 1; else 0 or the failure. */
static int find(const struct json_at *object, const char *key, enum json_need need, json_t **value,
                struct cell_error *e)
{
    *value = NULL;
    if (!json_is_object(object->value))
        return expected(object, NULL, object->value, "an object", e);
    *value = json_object_get(object->value, key);
    if (*value)
        return 1;
    return need == JSON_OPTIONAL ? 0 : cell_json_fail(object, key, e, "missing");
}

int cell_json_string(const struct json_at *object, const char *key, enum json_need need, const char **text,
                     struct cell_error *e)
{
    json_t *value;
    int r = find(object, key, need, &value, e);
    if (r <= 0)
        return r;
    if (!json_is_string(value))
        return expected(object, key, value, "a string", e);
    *text = json_string_value(value);
    return 1;
}

int cell_json_bool(const struct json_at *object, const char *key, enum json_need need, bool *flag, struct cell_error *e)
{
    json_t *value;
    int r = find(object, key, need, &value, e);
    if (r <= 0)
        return r;
    if (!json_is_boolean(value))
        return expected(object, key, value, "true or false", e);
    *flag = json_is_true(value);
    return 1;
}

int cell_json_uint(const struct json_at *object, const char *key, enum json_need need, uint64_t min, uint64_t max,
                   uint64_t *number, struct cell_error *e)
{
    json_t *value;
    int r = find(object, key, need, &value, e);
    if (r <= 0)
        return r;
    if (!json_is_integer(value))
        return expected(object, key, value, "an integer", e);
    json_int_t n = json_integer_value(value);
    if (n < 0 || (uint64_t)n < min || (uint64_t)n > max)
        return cell_json_fail(object, key, e, "%lld is out of range, %llu to %llu is allowed", (long long)n,
                              (unsigned long long)min, (unsigned long long)max);
    *number = (uint64_t)n;
    return 1;
}

int cell_json_object(const struct json_at *object, const char *key, enum json_need need, struct json_at *member,
                     struct cell_error *e)
{
    json_t *value;
    int r = find(object, key, need, &value, e);
    if (r <= 0)
        return r;
    if (!json_is_object(value))
        return expected(object, key, value, "an object", e);
    *member = (struct json_at){.parent = object, .key = key, .value = value, .status = object->status};
    return 1;
}

int cell_json_array(const struct json_at *object, const char *key, enum json_need need, struct json_at *member,
                    struct cell_error *e)
{
    json_t *value;
    int r = find(object, key, need, &value, e);
    if (r <= 0)
        return r;
    if (!json_is_array(value))
        return expected(object, key, value, "an array", e);
    *member = (struct json_at){.parent = object, .key = key, .value = value, .status = object->status};
    return 1;
}

size_t cell_json_count(const struct json_at *at)
{
    return json_is_array(at->value) ? json_array_size(at->value) : json_object_size(at->value);
}

static int item(const struct json_at *array, size_t index, struct json_at *at, struct cell_error *e)
{
    json_t *value = json_array_get(array->value, index); /* NULL when it is no array */
    *at = (struct json_at){.parent = array, .index = index, .value = value, .status = array->status};
    if (!json_is_array(array->value))
        return expected(array, NULL, array->value, "an array", e);
    return value ? 1 : cell_json_fail(at, NULL, e, "missing");
}

int cell_json_item_string(const struct json_at *array, size_t index, const char **text, struct cell_error *e)
{
    struct json_at at;
    int r = item(array, index, &at, e);
    if (r < 0)
        return r;
    if (!json_is_string(at.value))
        return expected(&at, NULL, at.value, "a string", e);
    *text = json_string_value(at.value);
    return 1;
}

int cell_json_item_object(const struct json_at *array, size_t index, struct json_at *out, struct cell_error *e)
{
    struct json_at at;
    int r = item(array, index, &at, e);
    if (r < 0)
        return r;
    if (!json_is_object(at.value))
        return expected(&at, NULL, at.value, "an object", e);
    *out = at;
    return 1;
}

static enum json_kind kind_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return JSON_IS_OBJECT;
    case JSON_ARRAY:
        return JSON_IS_ARRAY;
    case JSON_STRING:
        return JSON_IS_STRING;
    case JSON_INTEGER:
        return JSON_IS_INTEGER;
    case JSON_TRUE:
    case JSON_FALSE:
        return JSON_IS_BOOL;
    default: /* no reals */
        return JSON_IS_NULL;
    }
}

int cell_json_item(const struct json_at *array, size_t index, struct json_at *out, enum json_kind *kind,
                   struct cell_error *e)
{
    struct json_at at;
    int r = item(array, index, &at, e);
    if (r < 0)
        return r;
    *out = at;
    *kind = kind_of(at.value);
    return 1;
}

int cell_json_member(const struct json_at *object, const char *key, struct json_at *member, enum json_kind *kind,
                     struct cell_error *e)
{
    json_t *value;
    int r = find(object, key, JSON_REQUIRED, &value, e);
    if (r < 0)
        return r;
    *member = (struct json_at){.parent = object, .key = key, .value = value, .status = object->status};
    *kind = kind_of(value);
    return 1;
}

const char *cell_json_text_of(const struct json_at *at) { return json_string_value(at->value); }
int64_t cell_json_integer_of(const struct json_at *at) { return json_integer_value(at->value); }
bool cell_json_bool_of(const struct json_at *at) { return json_is_true(at->value); }

const char *cell_json_next(const struct json_at *object, void **iterator)
{
    json_t *value = object->value;
    *iterator = *iterator ? json_object_iter_next(value, *iterator) : json_object_iter(value);
    return json_object_iter_key(*iterator);
}

void cell_json_put_string(struct cell_buffer *out, const char *text)
{
    static const char shorts[] = "btnvfr"; /* 8 to 13; there is none for 11 */
    cell_buffer_append(out, "\"", 1);
    while (*text) {
        size_t plain = 0;
        while ((unsigned char)text[plain] >= 0x20 && text[plain] != '"' && text[plain] != '\\')
            plain++;
        cell_buffer_append(out, text, plain);
        text += plain;
        unsigned char c = (unsigned char)*text;
        if (!c)
            break;
        if (c >= 0x20)
            cell_buffer_printf(out, "\\%c", c);
        else if (c >= 8 && c <= 13 && c != 11)
            cell_buffer_printf(out, "\\%c", shorts[c - 8]);
        else
            cell_buffer_printf(out, "\\u%04x", c);
        text++;
    }
    cell_buffer_append(out, "\"", 1);
}

/* UTF-16 puts U+E000 to U+FFFF, which begin with EE and EF, after what needs two units; all else is in byte order. */
static int compare_keys(const void *a, const void *b)
{
    const unsigned char *x, *y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    while (*x && *x == *y)
        x++, y++;
    int left = *x + (*x == 0xee || *x == 0xef ? 0x10 : 0), right = *y + (*y == 0xee || *y == 0xef ? 0x10 : 0);
    return left - right;
}

static void put_value(struct cell_buffer *out, const json_t *value);

static bool is_one_of(const char *key, const char *const *keys)
{
    while (keys && *keys && strcmp(key, *keys) != 0)
        keys++;
    return keys && *keys;
}

static void put_object(struct cell_buffer *out, json_t *object, const char *const *without)
{
    size_t n = 0;
    const char **keys = malloc((json_object_size(object) + 1) * sizeof(*keys)), *key;
    json_t *member;
    if (!keys) {
        out->failed = true;
        return;
    }
    json_object_foreach(object, key, member) if (!is_one_of(key, without)) keys[n++] = key;
    qsort(keys, n, sizeof(*keys), compare_keys);
    cell_buffer_append(out, "{", 1);
    for (size_t i = 0; i < n; i++) {
        if (i)
            cell_buffer_append(out, ",", 1);
        cell_json_put_string(out, keys[i]);
        cell_buffer_append(out, ":", 1);
        put_value(out, json_object_get(object, keys[i]));
    }
    cell_buffer_append(out, "}", 1);
    free(keys);
}

static void put_value(struct cell_buffer *out, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        put_object(out, (json_t *)value, NULL);
        break;
    case JSON_ARRAY:
        cell_buffer_append(out, "[", 1);
        for (size_t i = 0; i < json_array_size(value); i++) {
            if (i)
                cell_buffer_append(out, ",", 1);
            put_value(out, json_array_get(value, i));
        }
        cell_buffer_append(out, "]", 1);
        break;
    case JSON_STRING:
        cell_json_put_string(out, json_string_value(value));
        break;
    case JSON_INTEGER:
        cell_buffer_printf(out, "%lld", (long long)json_integer_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        cell_buffer_puts(out, json_is_true(value) ? "true" : "false");
        break;
    default: /* a real was refused when the document was loaded */
        cell_buffer_puts(out, "null");
    }
}

void cell_json_put(struct cell_buffer *out, const struct json_at *at) { put_value(out, at->value); }

void cell_json_put_without(struct cell_buffer *out, const struct json_at *object, const char *const *keys)
{
    put_object(out, object->value, keys);
}
