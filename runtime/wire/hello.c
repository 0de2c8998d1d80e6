/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "wire/hello.h"

#include <stdio.h>
#include <string.h>

#include "wire/message.h"

/* ---- texts ---- */

/* Bytes of the character at `p`, of which `left` are there; *shown tells whether it may be shown. */
static size_t character(const uint8_t *p, size_t left, bool *shown)
{
    size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    *shown = n == 1 && p[0] >= 0x20 && p[0] != 0x7f;
    if (n == 1 || n > left || !cell_utf8_valid((const char *)p, n))
        return 1;
    bool c1 = p[0] == 0xc2 && p[1] < 0xa0; /* terminals obey these too */
    /* Line and paragraph separator, and what changes the direction of text: U+2028–202E, U+2066–2069. */
    bool layout = p[0] == 0xe2 &&
                  ((p[1] == 0x80 && p[2] >= 0xa8 && p[2] <= 0xae) || (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9));
    *shown = !c1 && !layout;
    return n;
}

void cell_text_from_peer(const void *bytes, size_t len, char *out, size_t size)
{
    const uint8_t *p = bytes;
    size_t used = 0;
    bool shown;
    for (size_t i = 0, n; i < len; i += n) {
        n = character(p + i, len - i, &shown);
        if ((shown ? n : 1) >= size - used)
            break;
        if (shown) {
            memcpy(out + used, p + i, n);
            used += n;
        } else {
            out[used++] = '?';
        }
    }
    out[used] = '\0';
}

static bool is_letter(uint8_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }

/* A C identifier, as the names of cells are; names of ABIs have `extra` characters. */
static bool is_name(const uint8_t *bytes, size_t len, const char *extra)
{
    for (size_t i = 0; i < len; i++)
        if (!is_letter(bytes[i]) && !(i && is_digit(bytes[i])) && !(bytes[i] && strchr(extra, bytes[i])))
            return false;
    return len > 0;
}

static bool is_fingerprint(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!is_digit(bytes[i]) && !(bytes[i] >= 'a' && bytes[i] <= 'f'))
            return false;
    return len == 64;
}

/* ---- encoding ---- */

static int append_text(struct cell_buffer *b, const char *key, const char *text)
{
    return text[0] ? cell_meta_append(b, key, text, strlen(text)) : CELL_OK;
}

static int append_all(const struct cell_greeting *g, enum cell_frame_kind kind, struct cell_buffer *b)
{
    char decimal[16];
    int r = append_text(b, CELL_META_CELL, g->cell);
    if (r >= 0)
        r = append_text(b, CELL_META_FINGERPRINT, g->fingerprint);
    if (kind == CELL_FRAME_HELLO) {
        if (r >= 0)
            r = append_text(b, CELL_META_ABI, g->abi);
        return r < 0 ? r : append_text(b, CELL_META_PROGRAM, g->program);
    }
    if (r >= 0 && g->max_message) {
        snprintf(decimal, sizeof(decimal), "%u", g->max_message);
        r = append_text(b, CELL_META_MAX, decimal);
    }
    if (r >= 0 && g->need_schema)
        r = append_text(b, CELL_META_NEED_SCHEMA, "1");
    if (r >= 0 && g->shm)
        r = append_text(b, CELL_META_SHM, "1");
    return r < 0 || g->code >= 0 ? r : append_text(b, CELL_META_MESSAGE, g->message);
}

int cell_greeting_encode(const struct cell_greeting *g, enum cell_frame_kind kind, uint8_t channel,
                         struct cell_frame *f, struct cell_buffer *b, struct cell_error *e)
{
    size_t before = b->len;
    if (kind != CELL_FRAME_HELLO && kind != CELL_FRAME_WELCOME)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "frame kind %d is no greeting", (int)kind);
    if (g->cell[0] && !is_name((const uint8_t *)g->cell, strlen(g->cell), ""))
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "'%s' cannot be the name of a cell", g->cell);
    if (g->fingerprint[0] && !is_fingerprint((const uint8_t *)g->fingerprint, strlen(g->fingerprint)))
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "'%s' is no fingerprint", g->fingerprint);
    if (append_all(g, kind, b) < 0 || !cell_buffer_ok(b))
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    size_t len = b->len - before; /* below CELL_MAX_HELLO: the fields of a greeting together are */
    *f = (struct cell_frame){.length = (uint32_t)len,
                             .kind = (uint8_t)kind,
                             .channel = channel,
                             .meta_len = (uint16_t)len,
                             .code = kind == CELL_FRAME_WELCOME ? g->code : 0};
    return CELL_OK;
}

/* ---- decoding ---- */

static int fail(struct cell_error *e, const char *what)
{
    return cell_error_set(e, CELL_PROTOCOL_ERROR, "its greeting has %s", what);
}

/* Larger numbers than fit mean the same as the largest that does. */
static bool decimal(const struct cell_meta_pair *p, uint32_t *number)
{
    uint64_t n = 0;
    for (size_t i = 0; i < p->value_len; i++) {
        if (!is_digit(p->value[i]))
            return false;
        n = n * 10 + (uint64_t)(p->value[i] - '0');
        if (n > UINT32_MAX)
            n = UINT32_MAX;
    }
    *number = (uint32_t)n;
    return n > 0;
}

static void copy(const struct cell_meta_pair *p, char *out)
{
    memcpy(out, p->value, p->value_len);
    out[p->value_len] = '\0';
}

static bool key_is(const struct cell_meta_pair *p, const char *key)
{
    return p->key_len == strlen(key) && memcmp(p->key, key, p->key_len) == 0;
}

/* Unknown keys are for later versions. */
static int take(const struct cell_meta_pair *p, struct cell_greeting *g, struct cell_error *e)
{
    if (key_is(p, CELL_META_CELL)) {
        if (!is_name(p->value, p->value_len, "") || p->value_len >= sizeof(g->cell))
            return fail(e, "a name that no cell can have");
        copy(p, g->cell);
    } else if (key_is(p, CELL_META_FINGERPRINT)) {
        if (!is_fingerprint(p->value, p->value_len))
            return fail(e, "an invalid fingerprint");
        copy(p, g->fingerprint);
    } else if (key_is(p, CELL_META_ABI)) {
        if (!is_name(p->value, p->value_len, "-.") || p->value_len >= sizeof(g->abi))
            return fail(e, "an invalid ABI");
        copy(p, g->abi);
    } else if (key_is(p, CELL_META_MAX)) {
        if (!decimal(p, &g->max_message))
            return fail(e, "an invalid largest message");
    } else if (key_is(p, CELL_META_NEED_SCHEMA)) {
        if (p->value_len != 1 || p->value[0] != '1')
            return fail(e, "an invalid ':need-schema'");
        g->need_schema = true;
    } else if (key_is(p, CELL_META_SHM)) {
        if (p->value_len != 1 || p->value[0] != '1')
            return fail(e, "an invalid ':shm'");
        g->shm = true;
    } else if (key_is(p, CELL_META_PROGRAM)) {
        cell_text_from_peer(p->value, p->value_len, g->program, sizeof(g->program));
    } else if (key_is(p, CELL_META_MESSAGE)) {
        cell_text_from_peer(p->value, p->value_len, g->message, sizeof(g->message));
    }
    return CELL_OK;
}

int cell_greeting_decode(const struct cell_frame *f, const uint8_t *payload, struct cell_greeting *g,
                         struct cell_error *e)
{
    struct cell_greeting got = {.code = f->code};
    struct cell_meta_pair pair;
    size_t offset = 0;
    if (f->kind != CELL_FRAME_HELLO && f->kind != CELL_FRAME_WELCOME)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "frame kind %u where a greeting belongs", f->kind);
    if (f->length > CELL_MAX_HELLO)
        return cell_error_set(e, CELL_TOO_LARGE, "a greeting of %u bytes; the limit is %u", f->length, CELL_MAX_HELLO);
    if (f->meta_len != f->length)
        return fail(e, "bytes beyond its metadata");
    int r = cell_meta_check(payload, f->meta_len, e);
    if (r < 0)
        return r;
    while (r >= 0 && cell_meta_next(payload, f->meta_len, &offset, &pair) > 0)
        r = take(&pair, &got, e);
    if (r < 0)
        return r;
    *g = got;
    return CELL_OK;
}
