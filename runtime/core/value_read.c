/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * JSON read straight into the memory of a type, and back: numbers keep all their digits, and every error names the
 * place inside the value. RFC 8259; bytes are strings "hex:…" or "base64:…", 64-bit integers may be strings.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "core/value_impl.h"
#include "wire/limits.h"

int cell_value_bad(struct value_reader *r, const char *what)
{
    return cell_error_set(r->e, CELL_INVALID_ARGUMENT, "%s at byte %zu of the JSON value", what,
                          (size_t)(r->at - r->start) + 1);
}

static int no_memory(struct value_reader *r) { return cell_error_set(r->e, CELL_NO_MEMORY, "out of memory"); }

char cell_value_peek(struct value_reader *r)
{
    while (r->at < r->end && strchr(" \t\r\n", *r->at) && *r->at)
        r->at++;
    return r->at < r->end ? *r->at : '\0';
}

bool cell_value_take(struct value_reader *r, char c)
{
    if (cell_value_peek(r) != c)
        return false;
    r->at++;
    return true;
}

static void put_utf8(struct cell_buffer *b, uint32_t c)
{
    char out[4];
    size_t n = 0;

    if (c < 0x80) {
        out[n++] = (char)c;
    } else if (c < 0x800) {
        out[n++] = (char)(0xc0 | c >> 6);
        out[n++] = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        out[n++] = (char)(0xe0 | c >> 12);
        out[n++] = (char)(0x80 | (c >> 6 & 0x3f));
        out[n++] = (char)(0x80 | (c & 0x3f));
    } else {
        out[n++] = (char)(0xf0 | c >> 18);
        out[n++] = (char)(0x80 | (c >> 12 & 0x3f));
        out[n++] = (char)(0x80 | (c >> 6 & 0x3f));
        out[n++] = (char)(0x80 | (c & 0x3f));
    }
    cell_buffer_append(b, out, n);
}

static bool hex4(struct value_reader *r, uint32_t *value)
{
    *value = 0;
    if (r->end - r->at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char c = *r->at++;
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return false;
        *value = *value * 16 + (uint32_t)digit;
    }
    return true;
}

static bool escape(struct value_reader *r, struct cell_buffer *b)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint32_t c, low;

    if (r->at >= r->end)
        return false;
    const char *known = *r->at ? strchr(from, *r->at) : NULL;
    if (known) {
        cell_buffer_append(b, &to[known - from], 1);
        r->at++;
        return true;
    }
    if (*r->at++ != 'u' || !hex4(r, &c) || (c >= 0xdc00 && c < 0xe000))
        return false;
    if (c >= 0xd800 && c < 0xdc00) {
        if (r->end - r->at < 6 || r->at[0] != '\\' || r->at[1] != 'u')
            return false;
        r->at += 2;
        if (!hex4(r, &low) || low < 0xdc00 || low >= 0xe000)
            return false;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    put_utf8(b, c);
    return true;
}

/* Behind what stands for itself, up to a quotation mark, an escape or a character that may not be there. */
static const char *plain_end(const struct value_reader *r)
{
    const char *at = r->at;

    while (at < r->end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20)
        at++;
    return at;
}

/* A string into the arena. */
int cell_value_string(struct value_reader *r, const char **text, size_t *len)
{
    struct cell_buffer b = {0};
    bool good = cell_value_take(r, '"');
    const char *plain = good ? plain_end(r) : r->end;

    if (plain < r->end && *plain == '"') { /* as nearly all are */
        *len = (size_t)(plain - r->at);
        *text = cell_arena_copy(r->env->arena, r->at, *len);
        r->at = plain + 1;
        return *text ? CELL_OK : no_memory(r);
    }

    while (good && r->at < r->end && *r->at != '"') {
        plain = plain_end(r);
        cell_buffer_append(&b, r->at, (size_t)(plain - r->at));
        r->at = plain;
        if (r->at < r->end && *r->at != '"')
            good = *r->at++ == '\\' && escape(r, &b);
    }
    if (!good || r->at >= r->end) {
        cell_buffer_free(&b);
        return cell_value_bad(r, "a string is expected or damaged");
    }
    r->at++;
    *text = cell_arena_copy(r->env->arena, b.data ? b.data : "", b.len);
    *len = b.len;
    bool ok = cell_buffer_ok(&b) && *text;
    cell_buffer_free(&b);
    return ok ? CELL_OK : no_memory(r);
}

/* Numbers, booleans and names as one token: a string's content, or what stands there bare. */
static int token(struct value_reader *r, const char **text, size_t *len)
{
    if (cell_value_peek(r) == '"')
        return cell_value_string(r, text, len);
    *text = r->at;
    while (r->at < r->end && *r->at && !strchr(" \t\r\n,]}:[{\"", *r->at))
        r->at++;
    *len = (size_t)(r->at - *text);
    return *len ? CELL_OK : cell_value_bad(r, "a value is missing");
}

static int fixed_bytes(struct value_reader *r, uint32_t count, void *out)
{
    const char *text;
    const uint8_t *bytes;
    size_t len, n;
    int s = cell_value_string(r, &text, &len);

    if (s >= 0)
        s = cell_value_bytes(r->env, text, len, &bytes, &n, r->e);
    if (s < 0)
        return s;
    if (n != count)
        return cell_error_set(r->e, CELL_INVALID_ARGUMENT, "it needs %" PRIu32 " bytes, there are %zu", count, n);
    memcpy(out, bytes, n);
    return CELL_OK;
}

static int array(struct value_reader *r, const struct cell_type *type, uint32_t count, void *out)
{
    uint32_t n = 0;

    if (type->kind == CELL_KIND_U8 && cell_value_peek(r) == '"')
        return fixed_bytes(r, count, out);
    if (!cell_value_take(r, '['))
        return cell_value_bad(r, "an array [ … ] is expected");
    while (cell_value_peek(r) != ']') {
        if (n > 0 && !cell_value_take(r, ','))
            return cell_value_bad(r, "',' or ']' is expected");
        if (n == count)
            return cell_error_set(r->e, CELL_INVALID_ARGUMENT, "the array has more than %" PRIu32 " elements", count);
        int s = cell_value_read(r, type, 0, (char *)out + (size_t)n * type->size);
        if (s < 0) {
            cell_error_wrap(r->e, "[%" PRIu32 "]", n);
            return s;
        }
        n++;
    }
    r->at++;
    if (n != count)
        return cell_error_set(r->e, CELL_INVALID_ARGUMENT, "the array needs %" PRIu32 " elements, there are %" PRIu32,
                              count, n);
    return CELL_OK;
}

/* Elements are 8-aligned in any buffer of malloc, so that they can be read into it and copied to the arena. */
static int list(struct value_reader *r, const struct cell_type *type, void *out)
{
    const struct cell_type *elem = type->elem;
    struct cell_buffer b = {0};
    size_t limit = r->env->arena->limit, most = limit && limit < CELL_MAX_DECODED ? limit : CELL_MAX_DECODED;
    cell_bytes made = {NULL, 0};
    int s = cell_value_take(r, '[') ? CELL_OK : cell_value_bad(r, "a list [ … ] is expected");

    while (s >= 0 && cell_value_peek(r) != ']') {
        if (made.len > 0 && !cell_value_take(r, ',')) {
            s = cell_value_bad(r, "',' or ']' is expected");
            break;
        }
        if (b.len + elem->size > most) {
            s = cell_error_set(r->e, CELL_TOO_LARGE, "the list needs more than %zu bytes", most);
            break;
        }
        void *at = cell_buffer_reserve(&b, elem->size);
        if (!at) {
            s = no_memory(r);
            break;
        }
        memset(at, 0, elem->size);
        s = cell_value_read(r, elem, 0, at);
        if (s < 0)
            cell_error_wrap(r->e, "[%" PRIu64 "]", made.len);
        b.len += elem->size;
        made.len++;
    }
    if (s >= 0) {
        r->at++;
        made.ptr = (const uint8_t *)cell_arena_copy(r->env->arena, b.data ? b.data : "", b.len);
        s = made.ptr ? CELL_OK : no_memory(r);
    }
    cell_buffer_free(&b);
    if (s >= 0)
        memcpy(out, &made, sizeof(made));
    return s;
}

static int unknown_field(struct value_reader *r, const struct cell_type *type, const char *name)
{
    const char **names = cell_arena_array(r->env->arena, type->nfields + 1, sizeof(*names));

    for (uint32_t i = 0; names && i < type->nfields; i++)
        names[i] = type->fields[i].name;
    const char *near = names ? cell_suggest(name, names, type->nfields) : NULL;
    return cell_error_set(r->e, CELL_INVALID_ARGUMENT, "struct %s has no field '%s'%s%s%s", type->name, name,
                          near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static int member(struct value_reader *r, const struct cell_type *type, bool *seen, void *out)
{
    const char *name;
    size_t len;
    uint32_t i = 0;
    int s = cell_value_string(r, &name, &len);

    if (s < 0)
        return s;
    if (!cell_value_take(r, ':'))
        return cell_value_bad(r, "':' is expected");
    while (i < type->nfields && strcmp(type->fields[i].name, name) != 0)
        i++;
    if (i == type->nfields)
        return r->env->skips_unknown ? cell_value_skip(r) : unknown_field(r, type, name);
    if (seen[i])
        return cell_error_set(r->e, CELL_INVALID_ARGUMENT, "field '%s' is given twice", name);
    seen[i] = true;
    s = cell_value_read(r, type->fields[i].type, type->fields[i].count, (char *)out + type->fields[i].offset);
    if (s < 0)
        cell_error_wrap(r->e, "%s", name);
    return s;
}

static int object(struct value_reader *r, const struct cell_type *type, void *out)
{
    bool *seen = cell_arena_array(r->env->arena, type->nfields + 1, sizeof(*seen)), first = true;

    if (!seen)
        return no_memory(r);
    if (!cell_value_take(r, '{'))
        return cell_value_bad(r, "an object { … } is expected");
    while (cell_value_peek(r) != '}') {
        if (!first && !cell_value_take(r, ','))
            return cell_value_bad(r, "',' or '}' is expected");
        int s = member(r, type, seen, out);
        if (s < 0)
            return s;
        first = false;
    }
    r->at++;
    for (uint32_t i = 0; i < type->nfields && !r->env->allows_missing; i++)
        if (!seen[i] && type->fields[i].type->kind != CELL_KIND_OPT)
            return cell_error_set(r->e, CELL_INVALID_ARGUMENT, "field '%s' of struct %s is missing",
                                  type->fields[i].name, type->name);
    return CELL_OK;
}

static int optional(struct value_reader *r, const struct cell_type *type, void *out)
{
    if (cell_value_peek(r) == 'n' && r->end - r->at >= 4 && memcmp(r->at, "null", 4) == 0) {
        r->at += 4;
        memset(out, 0, type->size);
        return CELL_OK;
    }
    memcpy(out, &(uint8_t){1}, 1);
    return cell_value_read(r, type->elem, 0, (char *)out + cell_value_opt_offset(type));
}

int cell_value_read(struct value_reader *r, const struct cell_type *type, uint32_t count, void *out)
{
    const char *text;
    size_t len;
    int s;

    if (r->depth == CELL_MAX_DEPTH)
        return cell_value_bad(r, "the value is nested too deep");
    r->depth++;
    if (count > 0) {
        s = array(r, type, count, out);
    } else if (type->kind == CELL_KIND_STRUCT) {
        s = object(r, type, out);
    } else if (type->kind == CELL_KIND_LIST) {
        s = list(r, type, out);
    } else if (type->kind == CELL_KIND_OPT) {
        s = optional(r, type, out);
    } else if (type->kind == CELL_KIND_STR || type->kind == CELL_KIND_BYTES) {
        s = cell_value_string(r, &text, &len);
        if (s >= 0)
            s = cell_value_text(r->env, type, 0, text, len, out, r->e);
    } else {
        s = token(r, &text, &len);
        if (s >= 0)
            s = cell_value_scalar(r->env, type, text, len, out, r->e);
    }
    r->depth--;
    return s;
}

/* Whatever it is; strings are only looked through. */
int cell_value_skip(struct value_reader *r)
{
    const char *text;
    size_t len;
    char open = cell_value_peek(r), close = open == '{' ? '}' : ']';

    if (open != '{' && open != '[')
        return token(r, &text, &len);
    if (r->depth == CELL_MAX_DEPTH)
        return cell_value_bad(r, "the value is nested too deep");
    r->depth++;
    r->at++;
    for (bool first = true; cell_value_peek(r) != close; first = false) {
        int s = first || cell_value_take(r, ',') ? CELL_OK : cell_value_bad(r, "',' or an end is expected");

        if (s >= 0 && open == '{') {
            s = cell_value_string(r, &text, &len);
            if (s >= 0 && !cell_value_take(r, ':'))
                s = cell_value_bad(r, "':' is expected");
        }
        if (s >= 0)
            s = cell_value_skip(r);
        if (s < 0)
            return s;
    }
    r->at++;
    r->depth--;
    return CELL_OK;
}

int cell_value_members(struct value_reader *r, int (*each)(struct value_reader *r, const char *name, void *arg),
                       void *arg)
{
    const char *name;
    size_t len;

    if (!cell_value_take(r, '{'))
        return cell_value_bad(r, "an object { … } is expected");
    for (bool first = true; cell_value_peek(r) != '}'; first = false) {
        int s = first || cell_value_take(r, ',') ? cell_value_string(r, &name, &len)
                                                 : cell_value_bad(r, "',' or '}' is expected");

        if (s >= 0 && !cell_value_take(r, ':'))
            s = cell_value_bad(r, "':' is expected");
        if (s >= 0)
            s = each(r, name, arg);
        if (s < 0)
            return s;
    }
    r->at++;
    return CELL_OK;
}

int cell_value_json(const struct value_env *env, const struct cell_type *type, uint32_t count, const char *text,
                    size_t len, void *out, struct cell_error *e)
{
    struct value_reader r = {.env = env, .start = text, .at = text, .end = text + len, .e = e};
    int s = cell_value_read(&r, type, count, out);

    if (s >= 0 && (cell_value_peek(&r), r.at != r.end))
        s = cell_value_bad(&r, "something follows the value");
    return s;
}
