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
    uint8_t *message;           /* what stands in the buffer; moves with it */
    size_t start;               /* of that in the buffer */
    uint64_t len, max;          /* of the message, with what stays outside of the buffer */
    uint64_t outside;           /* bytes of that */
    struct cell_pieces *pieces; /* NULL: everything is copied into the buffer */
    /* Where in the message the lent memory is, until the message has gone past it; `hole_end` 0: there is none. What of
     * it is referred to ends at `used`. */
    const struct cell_place *place;
    uint64_t hole, hole_end, used;
    struct cell_walk walk;
};

/* Room in the message. */
struct room {
    uint64_t offset; /* in the message */
    uint64_t at;     /* where its bytes are to be written, in the buffer */
};

static int put_fields(struct encoder *en, const struct cell_field *fields, uint32_t n, const uint8_t *from, uint64_t to,
                      unsigned depth);
static int put_value(struct encoder *en, const struct cell_type *type, const uint8_t *from, uint64_t to,
                     unsigned depth);
static int put_field(struct encoder *en, const struct cell_field *f, const uint8_t *from, uint64_t to, unsigned depth);

static int fail_size(struct encoder *en)
{
    return cell_walk_fail(&en->walk, CELL_TOO_LARGE, "the message is larger than %llu bytes",
                          (unsigned long long)en->max);
}

/* From here to `end` of the message nothing is written: its bytes are those at `bytes`. */
static void leave_out(struct encoder *en, const uint8_t *bytes, uint64_t end)
{
    struct cell_pieces *p = en->pieces;
    p->piece[p->n].bytes = bytes;
    p->piece[p->n].len = end - en->len;
    p->piece[p->n].at = en->len - en->outside;
    p->n++;
    p->bytes += end - en->len;
    en->outside += end - en->len;
    en->len = end;
}

/* Goes on behind the lent memory: what comes has no room before it. */
static void go_past_hole(struct encoder *en)
{
    leave_out(en, en->place->message + en->len, en->hole_end);
    en->hole_end = 0;
}

/* Takes room for `size` bytes, a multiple of 8, at the end of the message; its bytes are not initialised. */
static int grow(struct encoder *en, uint64_t size, struct room *room)
{
    if (en->hole_end && size > en->hole - en->len)
        go_past_hole(en);
    if (en->len > en->max || size > en->max - en->len)
        return fail_size(en);
    uint64_t at = en->len - en->outside;
    if (size >= en->b->capacity - en->start - at) {
        en->b->len = en->start + at;
        if (!cell_buffer_reserve(en->b, size))
            return cell_walk_fail(&en->walk, CELL_NO_MEMORY, "out of memory");
        en->message = (uint8_t *)en->b->data + en->start;
    }
    room->offset = en->len;
    room->at = at;
    en->len += size;
    return CELL_OK;
}

/* Whether `size` bytes of a value are in the lent memory and can stay there: then *offset is where in the message. */
static bool find_lent(struct encoder *en, const void *from, uint64_t size, uint64_t *offset)
{
    const struct cell_place *p = en->place;
    uintptr_t at = (uintptr_t)from - (p ? (uintptr_t)p->lent : 0);
    if (!p || at > p->lent_size || size > p->lent_size - at || at % 8)
        return false;
    *offset = (uintptr_t)from - (uintptr_t)p->message;
    uint64_t end = cell_round_up8(*offset + size);
    en->used = en->used > end ? en->used : end;
    return true;
}

/* The bytes of a large value stay where they are, but the last ones, which are padded. One piece is for what is lent.
 * The caller has checked that `size` is at most `max`. */
static bool can_stay_outside(const struct encoder *en, uint64_t size)
{
    return en->pieces && size >= CELL_MESSAGE_OUTSIDE && en->pieces->n + 1 < CELL_MESSAGE_PIECES;
}

/* Appends `size` bytes, more than none, padded with zeros. */
static int append(struct encoder *en, const uint8_t *from, uint64_t size, uint64_t *offset)
{
    struct room room;
    uint64_t body = 0, begin = 0;
    if (find_lent(en, from, size, offset))
        return CELL_OK;
    if (can_stay_outside(en, size)) {
        if (en->hole_end)
            go_past_hole(en);
        body = size & ~UINT64_C(7);
        if (en->len > en->max || body > en->max - en->len)
            return fail_size(en);
        begin = en->len;
        leave_out(en, from, en->len + body);
    }
    int r = size > body ? grow(en, cell_round_up8(size - body), &room) : CELL_OK;
    if (r < 0)
        return r;
    *offset = body ? begin : room.offset;
    if (size > body) {
        memset(en->message + room.at + cell_round_up8(size - body) - 8, 0, 8);
        memcpy(en->message + room.at, from + body, size - body);
    }
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
    int r = append(en, (const uint8_t *)s.ptr, s.len, &offset);
    if (r == CELL_OK)
        put_ref(en, to, offset, 1, s.len);
    return r;
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

static void copy_run(uint8_t *to, const uint8_t *from, uint32_t size)
{
    if (size % 8 || size > 64) {
        memcpy(to, from, size);
        return;
    }
    for (uint32_t i = 0; i < size; i += 8)
        memcpy(to + i, from + i, 8);
}

static int put_runs(struct encoder *en, const struct cell_run *runs, uint32_t n, const uint8_t *from, uint64_t to,
                    unsigned depth)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct cell_run *run = &runs[i];
        if (!run->field) {
            copy_run(en->message + to + run->offset, from + run->offset, run->size);
            continue;
        }
        int r = put_field(en, run->field, from + run->offset, to + run->offset, depth);
        if (r < 0) {
            cell_walk_name(&en->walk, run->field->name);
            return r;
        }
    }
    return CELL_OK;
}

static int put_array(struct encoder *en, const struct cell_type *type, uint64_t n, const uint8_t *from, uint64_t to,
                     unsigned depth)
{
    struct cell_run runs[CELL_WALK_RUNS];
    uint32_t nruns = n >= CELL_WALK_MANY ? cell_walk_runs(type, runs) : 0;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = i * type->size;
        int r = nruns ? put_runs(en, runs, nruns, from + at, to + at, depth)
                      : put_inner(en, type, from + at, to + at, depth);
        if (r < 0) {
            cell_walk_index(&en->walk, i);
            return r;
        }
    }
    return CELL_OK;
}

/* Checks a reference to n elements, more than none. An element without bytes still counts: a stride of 0 would let any
 * count fit into nothing. */
static int check_elements(struct encoder *en, uint32_t stride, const uint8_t *from, uint64_t n)
{
    if (!from)
        return cell_walk_fail(&en->walk, CELL_INVALID_ARGUMENT, "NULL where %llu element%s must be",
                              (unsigned long long)n, n == 1 ? "" : "s");
    return n > en->max / stride ? fail_size(en) : CELL_OK;
}

/* Elements that are copied as they are, or stay where they are. */
static int put_plain(struct encoder *en, const struct cell_type *type, const uint8_t *from, uint64_t n, uint64_t to)
{
    uint64_t offset = 0;
    int r = n ? check_elements(en, type->size, from, n) : CELL_OK;
    if (r == CELL_OK && n)
        r = append(en, from, n * type->size, &offset);
    if (r == CELL_OK)
        put_ref(en, to, offset, type->size, n);
    return r;
}

/* The elements of a list or what a parameter points to, appended, and the reference to them. */
static int put_elements(struct encoder *en, const struct cell_type *type, const uint8_t *from, uint64_t n, uint64_t to,
                        bool single, unsigned depth)
{
    struct room room = {0, 0};
    uint32_t stride = type->size ? type->size : 1;
    if (n && depth > CELL_MAX_DEPTH)
        return fail_nesting(en);
    if (type->size && cell_walk_plain(type))
        return put_plain(en, type, from, n, to);
    int r = n ? check_elements(en, stride, from, n) : CELL_OK;
    if (r == CELL_OK && n)
        r = grow(en, cell_round_up8(n * stride), &room);
    if (r < 0)
        return r;
    put_ref(en, to, room.offset, stride, n);
    if (n == 0)
        return CELL_OK;
    memset(en->message + room.at, 0, cell_round_up8(n * stride));
    if (single)
        return put_inner(en, type, from, room.at, depth);
    return type->size ? put_array(en, type, n, from, room.at, depth) : CELL_OK;
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

/* The end of the message, when all is written. */
static void finish(struct encoder *en, uint64_t fixed)
{
    if (en->hole_end && en->used) /* what is between the two is sent with what was lent: it has been lent too */
        leave_out(en, en->place->message + en->len, en->used);
    if (en->pieces)
        en->pieces->in_place = en->used != 0;
    const uint32_t header[2] = {(uint32_t)en->len, (uint32_t)fixed};
    memcpy(en->message, header, sizeof(header));
}

static int encode(struct encoder *en, const struct cell_layout *layout, const void *in, struct cell_error *e)
{
    uint64_t fixed = cell_round_up8(layout->size);
    struct cell_buffer *b = en->b;
    struct room room;
    if (b->len % 8)
        return cell_error_set(e, CELL_INVALID_ARGUMENT, "a message must begin at a multiple of 8");
    if (!cell_buffer_reserve(b, 0))
        return cell_error_set(e, CELL_NO_MEMORY, "out of memory");
    en->start = b->len;
    en->len = en->outside = en->used = 0;
    en->message = (uint8_t *)b->data + en->start;
    cell_walk_begin(&en->walk);
    /* The fixed part comes first, wherever the lent memory is. */
    bool fits = en->place && CELL_MESSAGE_HEADER + fixed <= (uintptr_t)en->place->lent - (uintptr_t)en->place->message;
    en->place = fits ? en->place : NULL;
    en->hole = fits ? (uint64_t)(en->place->lent - en->place->message) : 0;
    en->hole_end = fits ? en->hole + en->place->lent_size : 0;
    int r = grow(en, CELL_MESSAGE_HEADER + fixed, &room);
    if (r == CELL_OK) {
        memset(en->message, 0, CELL_MESSAGE_HEADER + fixed);
        r = layout->steps ? put_steps(en, layout, in, CELL_MESSAGE_HEADER)
                          : put_fields(en, layout->fields, layout->n, in, CELL_MESSAGE_HEADER, 0);
    }
    if (r == CELL_OK)
        finish(en, fixed);
    if (r == CELL_OK && en->len > en->max)
        r = fail_size(en);
    b->len = r < 0 ? en->start : en->start + en->len - en->outside;
    b->data[b->len] = '\0';
    return r < 0 ? cell_walk_error(&en->walk, e) : CELL_OK;
}

int cell_message_encode(const struct cell_layout *layout, const void *in, uint32_t max, struct cell_buffer *b,
                        struct cell_error *e)
{
    struct encoder en; /* not initialised as a whole: the texts of a failure are big */
    en.b = b;
    en.max = max;
    en.pieces = NULL;
    en.place = NULL;
    return encode(&en, layout, in, e);
}

int cell_message_encode_pieces(const struct cell_layout *layout, const void *in, uint32_t max,
                               const struct cell_place *place, struct cell_buffer *b, struct cell_pieces *pieces,
                               struct cell_error *e)
{
    struct encoder en; /* as above */
    size_t start = b->len;
    pieces->n = 0;
    pieces->bytes = 0;
    pieces->in_place = false;
    en.b = b;
    en.max = max;
    en.pieces = pieces;
    en.place = place;
    int r = encode(&en, layout, in, e);
    if (r == CELL_OK && (pieces->in_place || !place || pieces->n == 0))
        return r;
    if (place) { /* it went past what was lent in vain, or grew too large by that */
        b->len = start;
        return cell_message_encode_pieces(layout, in, max, NULL, b, pieces, e);
    }
    pieces->n = 0;
    pieces->bytes = 0;
    return r;
}
