/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>

#include "wire/limits.h"
#include "wire/message.h"
#include "wire/walk.h"

/*
 * One pass: room for a struct is taken and zeroed, its fields are written into it, and what they refer to is appended.
 * Fields are copied one by one, never whole structs, so that padding stays zero. The buffer may move whenever it
 * grows: places are kept as offsets from the message's start.
 */
struct encoder {
    struct cell_buffer *b;
    uint8_t *message; /* moves with the buffer */
    size_t start;     /* of the message in the buffer */
    uint64_t len, max;
    struct cell_walk walk;
};

static int put_fields(struct encoder *en, const struct cell_field *fields, uint32_t n, const uint8_t *from, uint64_t to,
                      unsigned depth);
static int put_value(struct encoder *en, const struct cell_type *type, const uint8_t *from, uint64_t to,
                     unsigned depth);

static int fail_size(struct encoder *en)
{
    return cell_walk_fail(&en->walk, CELL_TOO_LARGE, "the message is larger than %llu bytes",
                          (unsigned long long)en->max);
}

/* Takes room for `size` bytes, a multiple of 8, at the end of the message; its bytes are not initialised. */
static int grow(struct encoder *en, uint64_t size, uint64_t *offset)
{
    if (size > en->max - en->len)
        return fail_size(en);
    if (size >= en->b->capacity - en->start - en->len) {
        en->b->len = en->start + en->len;
        if (!cell_buffer_reserve(en->b, size))
            return cell_walk_fail(&en->walk, CELL_NO_MEMORY, "out of memory");
        en->message = (uint8_t *)en->b->data + en->start;
    }
    *offset = en->len;
    en->len += size;
    return CELL_OK;
}

static void put_ref(struct encoder *en, uint64_t to, uint64_t offset, uint32_t stride, uint64_t count)
{
    const struct cell_wire_ref ref = {(uint32_t)offset, stride, count};
    memcpy(en->message + to, &ref, sizeof(ref));
}

static int put_blob(struct encoder *en, bool text, const uint8_t *from, uint64_t to)
{
    cell_str s;
    uint64_t offset;
    memcpy(&s, from, sizeof(s)); /* cell_bytes has the same layout */
    if (s.len == 0) {
        put_ref(en, to, 0, 1, 0);
        return CELL_OK;
    }
    if (!s.ptr)
        return cell_walk_fail(&en->walk, CELL_INVALID_ARGUMENT, "NULL with a length of %llu",
                              (unsigned long long)s.len);
    if (s.len > en->max)
        return fail_size(en);
    if (text && !cell_utf8_valid(s.ptr, s.len))
        return cell_walk_fail(&en->walk, CELL_INVALID_ARGUMENT, "the text is not valid UTF-8");
    uint64_t room = cell_round_up8(s.len);
    int r = grow(en, room, &offset);
    if (r < 0)
        return r;
    memset(en->message + offset + room - 8, 0, 8);
    memcpy(en->message + offset, s.ptr, s.len);
    put_ref(en, to, offset, 1, s.len);
    return CELL_OK;
}

static int fail_nesting(struct encoder *en)
{
    return cell_walk_fail(&en->walk, CELL_INVALID_ARGUMENT, "nested deeper than %u", CELL_MAX_DEPTH);
}

/* A value inside a list, an optional or behind a pointer: a struct there is no further level of nesting. */
static int put_inner(struct encoder *en, const struct cell_type *type, const uint8_t *from, uint64_t to, unsigned depth)
{
    if (type->kind == CELL_KIND_STRUCT)
        return put_fields(en, type->fields, type->nfields, from, to, depth);
    return put_value(en, type, from, to, depth);
}

static int put_array(struct encoder *en, const struct cell_type *type, uint64_t n, const uint8_t *from, uint64_t to,
                     unsigned depth)
{
    for (uint64_t i = 0; i < n; i++) {
        int r = put_inner(en, type, from + i * type->size, to + i * type->size, depth);
        if (r < 0) {
            cell_walk_index(&en->walk, i);
            return r;
        }
    }
    return CELL_OK;
}

/* Room for n elements, and the reference to it. *offset 0: there are none. */
static int place_elements(struct encoder *en, const struct cell_type *type, const uint8_t *from, uint64_t n,
                          uint64_t to, uint64_t *offset)
{
    /* An element without bytes still counts: a stride of 0 would let any count fit into nothing. */
    uint32_t stride = type->size ? type->size : 1;
    *offset = 0;
    if (n == 0) {
        put_ref(en, to, 0, stride, 0);
        return CELL_OK;
    }
    if (!from)
        return cell_walk_fail(&en->walk, CELL_INVALID_ARGUMENT, "NULL where %llu element%s must be",
                              (unsigned long long)n, n == 1 ? "" : "s");
    if (n > en->max / stride)
        return fail_size(en);
    int r = grow(en, cell_round_up8(n * stride), offset);
    if (r == CELL_OK)
        put_ref(en, to, *offset, stride, n);
    return r;
}

/* Elements that are copied as they are. */
static int put_plain(struct encoder *en, const struct cell_type *type, const uint8_t *from, uint64_t n, uint64_t to)
{
    uint64_t offset, size = n * type->size;
    int r = place_elements(en, type, from, n, to, &offset);
    if (r < 0 || !offset)
        return r;
    memset(en->message + offset + cell_round_up8(size) - 8, 0, 8);
    memcpy(en->message + offset, from, size);
    return CELL_OK;
}

/* The elements of a list or what a parameter points to, appended, and the reference to them. */
static int put_elements(struct encoder *en, const struct cell_type *type, const uint8_t *from, uint64_t n, uint64_t to,
                        bool single, unsigned depth)
{
    uint64_t offset;
    if (n && depth > CELL_MAX_DEPTH)
        return fail_nesting(en);
    if (type->size && cell_walk_plain(type))
        return put_plain(en, type, from, n, to);
    int r = place_elements(en, type, from, n, to, &offset);
    if (r < 0 || !offset)
        return r;
    memset(en->message + offset, 0, cell_round_up8(n * (type->size ? type->size : 1)));
    if (single)
        return put_inner(en, type, from, offset, depth);
    return type->size ? put_array(en, type, n, from, offset, depth) : CELL_OK;
}

static int put_list(struct encoder *en, const struct cell_type *type, const uint8_t *from, uint64_t to, unsigned depth)
{
    struct cell_ref list;
    memcpy(&list, from, sizeof(list)); /* every list has the layout of cell_ref */
    return put_elements(en, type->elem, list.ptr, list.len, to, false, depth);
}

static int put_opt(struct encoder *en, const struct cell_type *type, const uint8_t *from, uint64_t to, unsigned depth)
{
    uint32_t at = cell_opt_offset(type);
    if (!*from)
        return CELL_OK; /* all zero already */
    if (depth > CELL_MAX_DEPTH)
        return fail_nesting(en);
    en->message[to] = 1;
    return put_inner(en, type->elem, from + at, to + at, depth);
}

static int put_value(struct encoder *en, const struct cell_type *type, const uint8_t *from, uint64_t to, unsigned depth)
{
    switch (type->kind) {
    case CELL_KIND_BOOL:
        en->message[to] = *from != 0;
        return CELL_OK;
    case CELL_KIND_STR:
    case CELL_KIND_BYTES:
        return put_blob(en, type->kind == CELL_KIND_STR, from, to);
    case CELL_KIND_STRUCT:
        if (depth >= CELL_MAX_DEPTH)
            return fail_nesting(en);
        return put_fields(en, type->fields, type->nfields, from, to, depth + 1);
    case CELL_KIND_LIST:
        return put_list(en, type, from, to, depth + 1);
    case CELL_KIND_OPT:
        return put_opt(en, type, from, to, depth + 1);
    default: /* integers, floats and enums: constant sizes make each copy one instruction */
        switch (type->size) {
        case 8:
            memcpy(en->message + to, from, 8);
            return CELL_OK;
        case 4:
            memcpy(en->message + to, from, 4);
            return CELL_OK;
        case 2:
            memcpy(en->message + to, from, 2);
            return CELL_OK;
        case 1:
            en->message[to] = *from;
            return CELL_OK;
        default:
            return cell_walk_fail(&en->walk, CELL_INTERNAL, "a descriptor of an unknown kind");
        }
    }
}

static int put_field(struct encoder *en, const struct cell_field *f, const uint8_t *from, uint64_t to, unsigned depth)
{
    if (f->flags & CELL_FIELD_REF) {
        struct cell_ref ref;
        memcpy(&ref, from, sizeof(ref));
        return put_elements(en, f->type, ref.ptr, f->count ? f->count : 1, to, f->count == 0, depth + 1);
    }
    if (f->count == 0)
        return put_value(en, f->type, from, to, depth);
    if (cell_walk_plain(f->type)) {
        memcpy(en->message + to, from, (size_t)f->type->size * f->count);
        return CELL_OK;
    }
    if (depth >= CELL_MAX_DEPTH)
        return fail_nesting(en);
    return put_array(en, f->type, f->count, from, to, depth + 1);
}

static int put_fields(struct encoder *en, const struct cell_field *fields, uint32_t n, const uint8_t *from, uint64_t to,
                      unsigned depth)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct cell_field *f = &fields[i];
        int r = put_field(en, f, from + f->offset, to + f->offset, depth);
        if (r < 0) {
            cell_walk_name(&en->walk, f->name);
            return r;
        }
    }
    return CELL_OK;
}

static int put_step(struct encoder *en, const struct cell_layout_step *step, const uint8_t *from, uint64_t to)
{
    const struct cell_field *f = step->field;
    struct cell_ref ref;
    if (step->kind == CELL_STEP_FIELD)
        return put_field(en, f, from, to, 0);
    memcpy(&ref, from, sizeof(ref));
    return put_plain(en, f->type, ref.ptr, f->count ? f->count : 1, to);
}

/* As put_fields, for a prepared layout. */
static int put_steps(struct encoder *en, const struct cell_layout *layout, const uint8_t *from, uint64_t to)
{
    for (uint32_t i = 0; i < layout->nsteps; i++) {
        const struct cell_layout_step *step = &layout->steps[i];
        int r = CELL_OK;
        if (step->kind == CELL_STEP_COPY)
            memcpy(en->message + to + step->offset, from + step->offset, step->size);
        else
            r = put_step(en, step, from + step->offset, to + step->offset);
        if (r < 0) {
            cell_walk_name(&en->walk, step->field->name);
            return r;
        }
    }
    return CELL_OK;
}

int cell_message_encode(const struct cell_layout *layout, const void *in, uint32_t max, struct cell_buffer *b,
                        struct cell_error *e)
{
    uint64_t fixed = cell_round_up8(layout->size), offset;
    struct encoder en; /* not initialised as a whole: the texts of a failure are big */
    if (b->len % 8)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "a message must begin at a multiple of 8");
    if (!cell_buffer_reserve(b, 0))
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    en.b = b;
    en.start = b->len;
    en.len = 0;
    en.max = max;
    en.message = (uint8_t *)b->data + en.start;
    cell_walk_begin(&en.walk);
    int r = grow(&en, CELL_MESSAGE_HEADER + fixed, &offset);
    if (r == CELL_OK) {
        memset(en.message, 0, CELL_MESSAGE_HEADER + fixed);
        r = layout->steps ? put_steps(&en, layout, in, CELL_MESSAGE_HEADER)
                          : put_fields(&en, layout->fields, layout->n, in, CELL_MESSAGE_HEADER, 0);
    }
    b->len = r < 0 ? en.start : en.start + en.len;
    b->data[b->len] = '\0';
    if (r < 0)
        return cell_walk_error(&en.walk, e);
    const uint32_t header[2] = {(uint32_t)en.len, (uint32_t)fixed};
    memcpy(en.message, header, sizeof(header));
    return CELL_OK;
}
