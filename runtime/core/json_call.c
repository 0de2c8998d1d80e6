/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "core/json_call.h"

#include <stdlib.h>
#include <string.h>

#include "core/value_impl.h"
#include "wire/frame.h"
#include "wire/hello.h"
#include "wire/limits.h"
#include "wire/message.h"

#define DETAIL_PREFIX (sizeof(CELL_META_DETAIL) - 1)

/* ---- writing ---- */

static bool is_text(const uint8_t *bytes, size_t len)
{
    bool text = cell_utf8_valid((const char *)bytes, len);
    for (size_t i = 0; i < len && text; i++)
        text = bytes[i] >= 0x20 || bytes[i] == '\n' || bytes[i] == '\t';
    return text;
}

/* What a reader would take for bytes is written as bytes. */
static void put_opaque(struct cell_buffer *out, const uint8_t *bytes, size_t len)
{
    bool marked = (len >= 4 && memcmp(bytes, "hex:", 4) == 0) || (len >= 7 && memcmp(bytes, "base64:", 7) == 0);
    if (!marked && is_text(bytes, len))
        cell_value_put_text(out, (const char *)bytes, len);
    else
        cell_value_put_bytes(out, bytes, len);
}

/* The pairs whose key begins with `prefix`, without it; "" are those of users. */
static void put_pairs(struct cell_buffer *out, const char *prefix, const void *meta, size_t meta_len)
{
    struct cell_meta_pair p;
    size_t offset = 0, skip = strlen(prefix);
    bool first = true;
    while (cell_meta_next(meta, meta_len, &offset, &p) > 0) {
        if (p.key_len <= skip || (skip ? memcmp(p.key, prefix, skip) != 0 : p.key[0] == ':'))
            continue;
        cell_buffer_puts(out, first ? "{" : ",");
        cell_value_put_text(out, p.key + skip, p.key_len - skip);
        cell_buffer_puts(out, ":");
        put_opaque(out, p.value, p.value_len);
        first = false;
    }
    cell_buffer_puts(out, first ? "{}" : "}");
}

static const void *slot(const struct cell_field *f, const void *in)
{
    const char *at = (const char *)in + f->offset;
    struct cell_ref ref;
    if (!(f->flags & CELL_FIELD_REF))
        return at;
    memcpy(&ref, at, sizeof(ref));
    return ref.ptr;
}

static void put_parameters(struct cell_buffer *out, const struct cell_field *fields, uint32_t n, const void *in,
                           const struct cell_ref *refs)
{
    for (uint32_t i = 0; i < n; i++) {
        cell_buffer_printf(out, "%s\"%s\":", i ? "," : "{", fields[i].name);
        cell_value_write(out, fields[i].type, fields[i].count, refs ? refs[i].ptr : slot(&fields[i], in));
    }
    cell_buffer_puts(out, n ? "}" : "{}");
}

void cell_json_put_request(struct cell_buffer *out, const struct cell_method *m, const void *in, const void *meta,
                           size_t meta_len)
{
    cell_buffer_puts(out, "{\"in\":");
    put_parameters(out, m->in, m->nin, in, NULL);
    if (meta_len) {
        cell_buffer_puts(out, ",\"metadata\":");
        put_pairs(out, "", meta, meta_len);
    }
    cell_buffer_puts(out, "}");
}

static void put_error(struct cell_buffer *out, int code, const void *meta, size_t meta_len)
{
    struct cell_meta_pair p;
    cell_buffer_printf(out, "\"error\":{\"status\":\"%s\",\"code\":%d,\"message\":", cell_status_name(code), code);
    if (cell_meta_find(meta, meta_len, CELL_META_MESSAGE, &p) == CELL_OK &&
        cell_utf8_valid((const char *)p.value, p.value_len))
        cell_value_put_text(out, (const char *)p.value, p.value_len);
    else
        cell_value_put_text(out, cell_status_text(code), strlen(cell_status_text(code)));
    cell_buffer_puts(out, ",\"details\":");
    put_pairs(out, CELL_META_DETAIL, meta, meta_len);
    cell_buffer_puts(out, "}");
}

void cell_json_put_reply(struct cell_buffer *out, const struct cell_method *m, int code, const struct cell_ref *refs,
                         const void *meta, size_t meta_len)
{
    cell_buffer_puts(out, "{");
    if (code < 0) {
        put_error(out, code, meta, meta_len);
    } else {
        cell_buffer_printf(out, "\"result\":%d,\"out\":", code);
        put_parameters(out, m->out, refs ? m->nout : 0, NULL, refs);
    }
    cell_buffer_puts(out, ",\"metadata\":");
    put_pairs(out, "", meta, meta_len);
    cell_buffer_puts(out, "}");
}

void cell_json_put_records(struct cell_buffer *out, const struct cell_type *type, const void *records, uint64_t n)
{
    cell_buffer_puts(out, "{\"records\":[");
    for (uint64_t i = 0; i < n; i++) {
        if (i)
            cell_buffer_puts(out, ",");
        cell_value_write(out, type, 0, (const char *)records + i * type->size);
    }
    cell_buffer_puts(out, "]}\n");
}

/* ---- reading ---- */

struct document {
    const struct cell_method *m;
    struct cell_buffer *meta;
    const char *prefix; /* of the keys of the pairs that are read */
    void *in;
    struct cell_ref *refs;
    bool *given;
    bool has_in, has_out, has_result, has_error;
    int code;
};

/* One pair of metadata or details. */
static int take_pair(struct value_reader *r, const char *name, void *arg)
{
    struct document *d = arg;
    const char *text;
    const uint8_t *bytes;
    size_t len, n;
    char key[256];
    int s = cell_value_string(r, &text, &len);
    if (s >= 0)
        s = cell_value_bytes(r->env, text, len, &bytes, &n, r->e);
    if (s < 0)
        return s;
    if (name[0] == ':' || strlen(name) + strlen(d->prefix) >= sizeof(key))
        return cell_value_bad(r, "a key of metadata is invalid");
    strcpy(stpcpy(key, d->prefix), name);
    s = cell_meta_append(d->meta, key, bytes, n);
    return s < 0 ? cell_error_set(r->e, s, "the metadata is invalid or too large") : CELL_OK;
}

static int take_pairs(struct value_reader *r, struct document *d, const char *prefix)
{
    d->prefix = prefix;
    return cell_value_members(r, take_pair, d);
}

static int find_parameter(struct value_reader *r, const struct cell_method *m, const struct cell_field *fields,
                          uint32_t n, const char *name, bool *given, uint32_t *at)
{
    for (*at = 0; *at < n && strcmp(fields[*at].name, name) != 0; ++*at)
        continue;
    if (*at == n)
        return r->env->skips_unknown
                   ? 0
                   : cell_error_set(r->e, CELL_INVALID_ARGUMENT, "%s has no parameter '%.127s'", m->name, name);
    if (given[*at])
        return cell_error_set(r->e, CELL_INVALID_ARGUMENT, "parameter '%s' is given twice", name);
    given[*at] = true;
    return 1;
}

static int take_in_parameter(struct value_reader *r, const char *name, void *arg)
{
    struct document *d = arg;
    uint32_t i;
    int s = find_parameter(r, d->m, d->m->in, d->m->nin, name, d->given, &i);
    if (s <= 0)
        return s < 0 ? s : cell_value_skip(r);
    const struct cell_field *f = &d->m->in[i];
    char *out = (char *)d->in + f->offset;
    if (f->flags & CELL_FIELD_REF) {
        const struct cell_ref ref = {cell_arena_array(r->env->arena, f->count ? f->count : 1, f->type->size),
                                     f->count ? f->count : 1};
        if (!ref.ptr)
            return cell_error_set(r->e, CELL_NO_MEMORY, "out of memory");
        memcpy(out, &ref, sizeof(ref));
        out = (char *)(uintptr_t)ref.ptr;
    }
    s = cell_value_read(r, f->type, f->count, out);
    return s < 0 ? (cell_error_wrap(r->e, "%s", f->name), s) : s;
}

static int take_out_parameter(struct value_reader *r, const char *name, void *arg)
{
    struct document *d = arg;
    uint32_t i;
    int s = find_parameter(r, d->m, d->m->out, d->m->nout, name, d->given, &i);
    if (s <= 0)
        return s < 0 ? s : cell_value_skip(r);
    const struct cell_field *f = &d->m->out[i];
    uint32_t n = f->count ? f->count : 1;
    void *out = cell_arena_array(r->env->arena, n, f->type->size);
    if (!out)
        return cell_error_set(r->e, CELL_NO_MEMORY, "out of memory");
    d->refs[i] = (struct cell_ref){out, n};
    s = cell_value_read(r, f->type, f->count, out);
    return s < 0 ? (cell_error_wrap(r->e, "%s", f->name), s) : s;
}

/* What is left out is an optional that is passed by value. */
static int check_given(const struct cell_method *m, const struct cell_field *fields, uint32_t n, const bool *given,
                       struct cell_error *e)
{
    for (uint32_t i = 0; i < n; i++) {
        bool may = fields[i].type->kind == CELL_KIND_OPT && !(fields[i].flags & CELL_FIELD_REF);
        if (!given[i] && !(may && !(fields[i].flags & CELL_FIELD_OUT)))
            return cell_error_set(e, CELL_INVALID_ARGUMENT, "parameter '%s' of %s is missing", fields[i].name, m->name);
    }
    return CELL_OK;
}

static int take_request_member(struct value_reader *r, const char *name, void *arg)
{
    struct document *d = arg;
    if (strcmp(name, "in") == 0 && !d->has_in) {
        d->has_in = true;
        return cell_value_members(r, take_in_parameter, d);
    }
    if (strcmp(name, "metadata") == 0 && !d->meta->len)
        return take_pairs(r, d, "");
    return cell_error_set(r->e, CELL_INVALID_ARGUMENT, "the request has the member '%.60s' twice, or no use for it",
                          name);
}

static int begin(struct value_reader *r, const struct value_env *env, const char *json, size_t len,
                 struct cell_error *e)
{
    *r = (struct value_reader){.env = env, .start = json, .at = json, .end = json + len, .e = e};
    return cell_utf8_valid(json, len) ? CELL_OK : cell_error_set(e, CELL_INVALID_ARGUMENT, "the document is not UTF-8");
}

/* Names and values of a peer stand in errors, as far as they can be shown. */
static int tidy(struct cell_error *e, int s)
{
    char text[CELL_ERROR_TEXT];
    if (s < 0 && e) {
        cell_text_from_peer(e->text, strlen(e->text), text, sizeof(text));
        strcpy(e->text, text);
    }
    return s;
}

static int end(struct value_reader *r, int s)
{
    if (s >= 0 && (cell_value_peek(r), r->at != r->end))
        s = cell_value_bad(r, "something follows the document");
    return s;
}

int cell_json_take_request(const char *json, size_t len, const struct value_env *env, const struct cell_method *m,
                           void **in, struct cell_buffer *meta, struct cell_error *e)
{
    struct document d = {.m = m, .meta = meta};
    struct value_reader r;
    d.in = cell_arena_alloc(env->arena, m->in_size);
    d.given = cell_arena_array(env->arena, m->nin + 1, sizeof(*d.given));
    if (!d.in || !d.given)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    int s = begin(&r, env, json, len, e);
    if (s >= 0)
        s = end(&r, cell_value_members(&r, take_request_member, &d));
    if (s >= 0)
        s = check_given(m, m->in, m->nin, d.given, e);
    if (s >= 0)
        *in = d.in;
    return tidy(e, s);
}

static int take_integer(struct value_reader *r, int *value)
{
    static const struct cell_type type = {.name = "i32", .kind = CELL_KIND_I32, .size = 4, .align = 4};
    int32_t n = 0;
    int s = cell_value_read(r, &type, 0, &n);
    if (s >= 0)
        *value = n;
    return s;
}

static int take_error_member(struct value_reader *r, const char *name, void *arg)
{
    struct document *d = arg;
    const char *text;
    size_t len;
    if (strcmp(name, "code") == 0)
        return take_integer(r, &d->code);
    if (strcmp(name, "details") == 0)
        return take_pairs(r, d, CELL_META_DETAIL);
    if (strcmp(name, "message") != 0)
        return cell_value_skip(r);
    int s = cell_value_string(r, &text, &len);
    if (s >= 0)
        s = cell_meta_append(d->meta, CELL_META_MESSAGE, text,
                             len < CELL_MAX_META_BYTES / 2 ? len : CELL_MAX_META_BYTES / 2);
    return s;
}

static int take_reply_member(struct value_reader *r, const char *name, void *arg)
{
    struct document *d = arg;
    if (strcmp(name, "error") == 0 && !d->has_error) {
        d->has_error = true;
        return cell_value_members(r, take_error_member, d);
    }
    if (strcmp(name, "metadata") == 0)
        return take_pairs(r, d, "");
    if (strcmp(name, "result") == 0 && d->m && !d->has_result) {
        d->has_result = true;
        return take_integer(r, &d->code);
    }
    if (strcmp(name, "out") == 0 && d->m && !d->has_out) {
        d->has_out = true;
        return cell_value_members(r, take_out_parameter, d);
    }
    return cell_value_skip(r);
}

/* Whether what was read is one of the two forms. */
static int check_reply(const struct document *d, struct cell_error *e)
{
    if (d->has_error)
        return d->code < 0 && !d->has_result ? CELL_OK
                                             : cell_error_set(e, CELL_PROTOCOL_ERROR, "an error without its code");
    if (!d->m || !d->has_result || d->code < 0)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "neither a result nor an error");
    return check_given(d->m, d->m->out, d->m->nout, d->given, e);
}

int cell_json_take_reply(const char *json, size_t len, const struct value_env *env, const struct cell_method *m,
                         int *code, struct cell_ref *refs, struct cell_buffer *meta, struct cell_error *e)
{
    struct document d = {.m = m, .meta = meta, .refs = refs};
    struct value_reader r;
    d.given = cell_arena_array(env->arena, (m ? m->nout : 0) + 1, sizeof(*d.given));
    if (!d.given)
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    int s = begin(&r, env, json, len, e);
    if (s >= 0)
        s = end(&r, cell_value_members(&r, take_reply_member, &d));
    if (s >= 0)
        s = check_reply(&d, e);
    if (s >= 0)
        s = cell_meta_check((const uint8_t *)(meta->data ? meta->data : ""), meta->len, e);
    if (s >= 0)
        *code = d.code;
    /* What is wrong with an answer is the peer's fault. */
    if (s == CELL_INVALID_ARGUMENT)
        s = e ? (e->status = CELL_PROTOCOL_ERROR) : CELL_PROTOCOL_ERROR;
    return tidy(e, s);
}

/* ---- lines of a stream ---- */

struct record_line {
    const struct cell_type *list;
    struct cell_ref *records;
    bool has_records;
};

static int take_line_member(struct value_reader *r, const char *name, void *arg)
{
    struct record_line *line = arg;
    if (strcmp(name, "records") != 0)
        return cell_value_skip(r);
    if (line->has_records)
        return cell_error_set(r->e, CELL_PROTOCOL_ERROR, "a line has records twice");
    line->has_records = true;
    return cell_value_read(r, line->list, 0, line->records);
}

int cell_json_take_records(const char *line, size_t len, const struct value_env *env, const struct cell_type *list,
                           struct cell_ref *records, struct cell_error *e)
{
    struct record_line l = {.list = list, .records = records};
    struct value_reader r;
    int s = begin(&r, env, line, len, e);
    if (s >= 0)
        s = end(&r, cell_value_members(&r, take_line_member, &l));
    if (s >= 0 && l.has_records && records->len == 0)
        s = cell_error_set(e, CELL_PROTOCOL_ERROR, "a line without records");
    if (s == CELL_INVALID_ARGUMENT) /* what is wrong with a line is the peer's fault */
        s = e ? (e->status = CELL_PROTOCOL_ERROR) : CELL_PROTOCOL_ERROR;
    return s < 0 ? tidy(e, s) : l.has_records;
}
