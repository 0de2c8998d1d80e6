/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include <string.h>

#include "wire/limits.h"
#include "wire/message.h"
#include "wire/walk.h"

/*
 * The message may lie in memory that another process writes. So bytes are first copied into private memory (the
 * struct, elements, text) and only the copies are checked; references are replaced by pointers in place there.
 */
struct decoder {
    const uint8_t *message;
    uint32_t len;
    uint32_t floor;  /* end of the fixed part: nothing is referred to before it */
    uint64_t budget; /* bytes that may still be allocated */
    size_t limit;    /* where that comes from, for the message */
    bool in_place;   /* bytes that need no check beyond this one stay where they are */
    struct cell_arena *arena;
    struct cell_walk walk;
};

static int take_fields(struct decoder *de, const struct cell_field *fields, uint32_t n, uint8_t *p, uint64_t avail,
                       unsigned depth);
static int take_value(struct decoder *de, const struct cell_type *type, uint8_t *p, uint64_t avail, unsigned depth);
static int take_field(struct decoder *de, const struct cell_field *f, uint8_t *p, uint64_t avail, unsigned depth);

/* The barrier keeps the compiler from reading `from` again in place of the copy, which it may do with plain memory. */
static void barrier(void) { __asm__ volatile("" ::: "memory"); }

static void copy_in(void *to, const uint8_t *from, size_t len)
{
    if (len)
        memcpy(to, from, len);
    barrier();
}

static int fail_nesting(struct decoder *de)
{
    return cell_walk_fail(&de->walk, CELL_PROTOCOL_ERROR, "nested deeper than %u", CELL_MAX_DEPTH);
}

/* Counts memory before it is allocated, rounded as the arena rounds. */
static int charge(struct decoder *de, uint64_t n, uint64_t size)
{
    uint64_t total, rounded = UINT64_MAX;
    if (!__builtin_mul_overflow(n, size, &total) && total <= CELL_MAX_DECODED)
        rounded = (total + 16) & ~UINT64_C(15);
    if (rounded > de->budget)
        return cell_walk_fail(&de->walk, CELL_TOO_LARGE, "the decoded message does not fit into the limit of %zu bytes",
                              de->limit);
    de->budget -= rounded;
    return CELL_OK;
}

static int fail_memory(struct decoder *de) { return cell_walk_fail(&de->walk, CELL_NO_MEMORY, "out of memory"); }

/* Reads the reference at `p`, which is private, and checks everything that does not depend on the type. */
static int take_ref(struct decoder *de, const uint8_t *p, struct cell_wire_ref *ref)
{
    memcpy(ref, p, sizeof(*ref));
    if (ref->count == 0) {
        if (ref->offset)
            return cell_walk_fail(&de->walk, CELL_PROTOCOL_ERROR, "a reference to nothing with the offset %u",
                                  ref->offset);
        return CELL_OK;
    }
    if (ref->stride == 0)
        return cell_walk_fail(&de->walk, CELL_PROTOCOL_ERROR, "a reference with a stride of 0");
    if (ref->offset % 8)
        return cell_walk_fail(&de->walk, CELL_PROTOCOL_ERROR, "the offset %u is not a multiple of 8", ref->offset);
    if (ref->offset < de->floor || ref->offset > de->len || ref->count > (de->len - ref->offset) / ref->stride)
        return cell_walk_fail(&de->walk, CELL_PROTOCOL_ERROR,
                              "%llu elements of %u bytes at %u lie outside the message of %u bytes",
                              (unsigned long long)ref->count, ref->stride, ref->offset, de->len);
    return CELL_OK;
}

/* The bytes of a text or of cell_bytes, which count. */
static int take_bytes(struct decoder *de, const struct cell_wire_ref *ref, const char **bytes)
{
    const uint8_t *from = de->message + ref->offset;
    if (de->in_place) {
        *bytes = (const char *)from;
        return CELL_OK;
    }
    int r = charge(de, ref->count, 1);
    if (r < 0)
        return r;
    *bytes = cell_arena_copy(de->arena, from, ref->count);
    barrier();
    return *bytes ? CELL_OK : fail_memory(de);
}

static int take_blob(struct decoder *de, bool text, uint8_t *p, uint64_t avail)
{
    struct cell_wire_ref ref = {0, 0, 0};
    cell_str s = {"", 0}; /* cell_bytes has the same layout */
    int r = avail < sizeof(ref) ? CELL_OK : take_ref(de, p, &ref);
    if (r < 0)
        return r;
    if (ref.count) {
        if (ref.stride != 1)
            return cell_walk_fail(&de->walk, CELL_PROTOCOL_ERROR, "%s with a stride of %u", text ? "text" : "bytes",
                                  ref.stride);
        r = take_bytes(de, &ref, &s.ptr);
        if (r < 0)
            return r;
        if (text && !cell_utf8_valid(s.ptr, ref.count))
            return cell_walk_fail(&de->walk, CELL_PROTOCOL_ERROR, "the text is not valid UTF-8");
        s.len = ref.count;
    }
    memcpy(p, &s, sizeof(s));
    return CELL_OK;
}

static int take_inner(struct decoder *de, const struct cell_type *type, uint8_t *p, uint64_t avail, unsigned depth)
{
    if (type->kind == CELL_KIND_STRUCT)
        return take_fields(de, type->fields, type->nfields, p, avail, depth);
    return take_value(de, type, p, avail, depth);
}

/* Of a struct of which everything came. */
static int take_runs(struct decoder *de, const struct cell_run *runs, uint32_t n, uint8_t *p, uint64_t size,
                     unsigned depth)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct cell_field *f = runs[i].field;
        int r = f ? take_field(de, f, p + f->offset, size - f->offset, depth) : CELL_OK;
        if (r < 0) {
            cell_walk_name(&de->walk, f->name);
            return r;
        }
    }
    return CELL_OK;
}

/* n elements in private memory at `p`, a type's size apart; of each the first `avail` bytes came from the sender. */
static int take_array(struct decoder *de, const struct cell_type *type, uint64_t n, uint8_t *p, uint64_t avail,
                      unsigned depth)
{
    struct cell_run runs[CELL_WALK_RUNS];
    uint32_t nruns = n >= CELL_WALK_MANY && avail == type->size ? cell_walk_runs(type, runs) : 0;
    if (type->size == 0)
        return CELL_OK;
    for (uint64_t i = 0; i < n; i++) {
        uint8_t *at = p + i * type->size;
        int r = nruns ? take_runs(de, runs, nruns, at, type->size, depth) : take_inner(de, type, at, avail, depth);
        if (r < 0) {
            cell_walk_index(&de->walk, i);
            return r;
        }
    }
    return CELL_OK;
}

/* Copies what `ref` refers to into new memory at *elements and checks it there. A count of 0 with n > 0 elements wanted
 * stands for a parameter that the sender does not know: zero. */
static int take_elements(struct decoder *de, const struct cell_type *type, const struct cell_wire_ref *ref, uint64_t n,
                         bool single, bool plain, unsigned depth, const void **elements)
{
    if (depth > CELL_MAX_DEPTH)
        return fail_nesting(de);
    int r = charge(de, n, type->size);
    if (r < 0)
        return r;
    bool whole = ref->count && ref->stride == type->size; /* no byte is left as it was */
    uint8_t *p = whole ? cell_arena_room(de->arena, n, type->size) : cell_arena_array(de->arena, n, type->size);
    if (!p)
        return fail_memory(de);
    *elements = p;
    uint64_t avail = 0;
    if (ref->count && type->size) {
        const uint8_t *from = de->message + ref->offset;
        avail = ref->stride < type->size ? ref->stride : type->size;
        if (whole)
            copy_in(p, from, n * type->size);
        else
            for (uint64_t i = 0; i < n; i++)
                copy_in(p + i * type->size, from + i * ref->stride, avail);
    }
    if (avail == type->size && (plain || cell_walk_plain(type)))
        return CELL_OK;
    return single ? take_inner(de, type, p, avail, depth) : take_array(de, type, n, p, avail, depth);
}

/* Whether elements can be used where they lie. */
static bool can_stay(const struct decoder *de, const struct cell_type *type, const struct cell_wire_ref *ref)
{
    return de->in_place && ref->stride == type->size && type->align &&
           (uintptr_t)(de->message + ref->offset) % type->align == 0 && cell_walk_plain(type);
}

static int take_list(struct decoder *de, const struct cell_type *type, uint8_t *p, uint64_t avail, unsigned depth)
{
    struct cell_wire_ref ref = {0, 0, 0};
    struct cell_ref list = {NULL, 0}; /* every list has this layout */
    int r = avail < sizeof(ref) ? CELL_OK : take_ref(de, p, &ref);
    if (r == CELL_OK && ref.count && can_stay(de, type->elem, &ref))
        list.ptr = de->message + ref.offset;
    else if (r == CELL_OK && ref.count)
        r = take_elements(de, type->elem, &ref, ref.count, false, false, depth, &list.ptr);
    if (r < 0)
        return r;
    list.len = ref.count;
    memcpy(p, &list, sizeof(list));
    return CELL_OK;
}

/* A parameter that is passed by pointer or as an array; `plain`: its type is known to be. */
static int take_param(struct decoder *de, const struct cell_field *f, bool plain, uint8_t *p, uint64_t avail,
                      unsigned depth)
{
    uint64_t n = f->count ? f->count : 1;
    struct cell_wire_ref ref = {0, 0, 0};
    struct cell_ref param = {NULL, n};
    if (avail >= sizeof(ref)) {
        int r = take_ref(de, p, &ref);
        if (r < 0)
            return r;
        if (ref.count != n)
            return cell_walk_fail(&de->walk, CELL_PROTOCOL_ERROR, "%llu elements where %llu must be",
                                  (unsigned long long)ref.count, (unsigned long long)n);
    }
    int r = take_elements(de, f->type, &ref, n, f->count == 0, plain, depth, &param.ptr);
    if (r < 0)
        return r;
    memcpy(p, &param, sizeof(param));
    return CELL_OK;
}

static int take_opt(struct decoder *de, const struct cell_type *type, uint8_t *p, uint64_t avail, unsigned depth)
{
    uint32_t at = cell_opt_offset(type);
    /* A value that is cut off is absent, except a struct, which may have been shorter in the sender's schema. */
    uint64_t need = at + (type->elem->kind == CELL_KIND_STRUCT ? (uint64_t)(type->elem->size > 0) : type->elem->size);
    if (avail < need || *p == 0) {
        memset(p, 0, type->size);
        return CELL_OK;
    }
    if (*p > 1)
        return cell_walk_fail(&de->walk, CELL_PROTOCOL_ERROR, "an optional with %u where 0 or 1 must be", *p);
    if (depth > CELL_MAX_DEPTH)
        return fail_nesting(de);
    return take_inner(de, type->elem, p + at, avail - at, depth);
}

static int take_value(struct decoder *de, const struct cell_type *type, uint8_t *p, uint64_t avail, unsigned depth)
{
    switch (type->kind) {
    case CELL_KIND_BOOL:
        if (avail == 0)
            *p = 0;
        if (*p > 1)
            return cell_walk_fail(&de->walk, CELL_PROTOCOL_ERROR, "a bool with the value %u", *p);
        return CELL_OK;
    case CELL_KIND_STR:
    case CELL_KIND_BYTES:
        return take_blob(de, type->kind == CELL_KIND_STR, p, avail);
    case CELL_KIND_STRUCT:
        if (depth >= CELL_MAX_DEPTH)
            return fail_nesting(de);
        return take_fields(de, type->fields, type->nfields, p, avail, depth + 1);
    case CELL_KIND_LIST:
        return take_list(de, type, p, avail, depth + 1);
    case CELL_KIND_OPT:
        return take_opt(de, type, p, avail, depth + 1);
    default: /* integers, floats and enums: any value, but never a part of one */
        if (avail < type->size)
            memset(p, 0, type->size);
        return CELL_OK;
    }
}

static int take_field(struct decoder *de, const struct cell_field *f, uint8_t *p, uint64_t avail, unsigned depth)
{
    if (f->flags & CELL_FIELD_REF)
        return take_param(de, f, false, p, avail, depth + 1);
    if (f->count == 0)
        return take_value(de, f->type, p, avail, depth);
    if (avail >= (uint64_t)f->type->size * f->count && cell_walk_plain(f->type))
        return CELL_OK;
    if (depth >= CELL_MAX_DEPTH)
        return fail_nesting(de);
    for (uint32_t i = 0; i < f->count; i++) {
        uint64_t before = (uint64_t)i * f->type->size;
        int r = take_inner(de, f->type, p + before, avail > before ? avail - before : 0, depth + 1);
        if (r < 0) {
            cell_walk_index(&de->walk, i);
            return r;
        }
    }
    return CELL_OK;
}

static int take_fields(struct decoder *de, const struct cell_field *fields, uint32_t n, uint8_t *p, uint64_t avail,
                       unsigned depth)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct cell_field *f = &fields[i];
        int r = take_field(de, f, p + f->offset, avail > f->offset ? avail - f->offset : 0, depth);
        if (r < 0) {
            cell_walk_name(&de->walk, f->name);
            return r;
        }
    }
    return CELL_OK;
}

/* As take_fields, for a prepared layout of which everything came. */
static int take_steps(struct decoder *de, const struct cell_layout *layout, uint8_t *p)
{
    for (uint32_t i = 0; i < layout->nsteps; i++) {
        const struct cell_layout_step *step = &layout->steps[i];
        const struct cell_field *f = step->field;
        int r = CELL_OK;
        if (step->kind == CELL_STEP_PLAIN)
            r = take_param(de, f, true, p + step->offset, layout->size - step->offset, 1);
        else if (step->kind == CELL_STEP_FIELD)
            r = take_field(de, f, p + step->offset, layout->size - step->offset, 0);
        if (r < 0) {
            cell_walk_name(&de->walk, f->name);
            return r;
        }
    }
    return CELL_OK;
}

static int decode(struct decoder *de, const struct cell_layout *layout, const uint8_t *bytes, size_t len, void *out,
                  struct cell_error *e)
{
    uint32_t header[2];
    if (len < sizeof(header))
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "a message of %zu bytes, shorter than its header", len);
    copy_in(header, bytes, sizeof(header));
    if (header[0] != len || len % 8)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "a message of %zu bytes that says it has %u", len, header[0]);
    if (header[1] % 8 || header[1] > len - sizeof(header))
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "a message of %zu bytes with a fixed part of %u", len, header[1]);
    de->message = bytes;
    de->len = header[0];
    de->floor = CELL_MESSAGE_HEADER + header[1];
    cell_walk_begin(&de->walk);
    uint32_t avail = header[1] < layout->size ? header[1] : layout->size;
    copy_in(out, bytes + sizeof(header), avail);
    if (layout->steps && avail == layout->size)
        return take_steps(de, layout, out);
    if (avail < layout->size)
        memset((uint8_t *)out + avail, 0, layout->size - avail);
    return take_fields(de, layout->fields, layout->n, out, avail, 0);
}

static int decode_how(bool in_place, const struct cell_layout *layout, const uint8_t *bytes, size_t len,
                      struct cell_arena *arena, void *out, struct cell_error *e)
{
    struct decoder de; /* not initialised as a whole: the texts of a failure are big */
    de.budget = de.limit = CELL_MAX_DECODED;
    if (arena->limit && arena->limit - arena->used < de.budget) { /* so that the arena fails only without memory */
        de.budget = arena->limit - arena->used;
        de.limit = arena->limit;
    }
    de.in_place = in_place;
    de.arena = arena;
    de.walk.status = CELL_OK;
    int r = decode(&de, layout, bytes, len, out, e);
    if (r == CELL_OK)
        return CELL_OK;
    if (layout->size)
        memset(out, 0, layout->size);
    return de.walk.status < 0 ? cell_walk_error(&de.walk, e) : r;
}

int cell_message_decode(const struct cell_layout *layout, const uint8_t *bytes, size_t len, struct cell_arena *arena,
                        void *out, struct cell_error *e)
{
    return decode_how(false, layout, bytes, len, arena, out, e);
}

int cell_message_decode_in_place(const struct cell_layout *layout, const uint8_t *bytes, size_t len,
                                 struct cell_arena *arena, void *out, struct cell_error *e)
{
    return decode_how(true, layout, bytes, len, arena, out, e);
}

/* More out parameters than this are rare. */
#define FEW_REFS 8u

bool cell_message_take_plain(const struct cell_layout *layout, const uint8_t *bytes, size_t len, void *const *out)
{
    uint32_t header[2], n = layout->n;
    struct cell_wire_ref ref[FEW_REFS];
    uint64_t size[FEW_REFS];
    if (!layout->all_plain || n > FEW_REFS || len < sizeof(header) + layout->size)
        return false;
    copy_in(header, bytes, sizeof(header));
    if (header[0] != len || header[1] != layout->size)
        return false;
    copy_in(ref, bytes + sizeof(header), n * sizeof(ref[0]));
    for (uint32_t i = 0; i < n; i++) {
        const struct cell_field *f = &layout->fields[i];
        uint64_t count = f->count ? f->count : 1;
        size[i] = count * f->type->size;
        if (f->offset != i * sizeof(ref[0]) || ref[i].count != count || ref[i].stride != f->type->size ||
            ref[i].offset % 8 || ref[i].offset < sizeof(header) + layout->size || ref[i].offset > len ||
            size[i] > len - ref[i].offset)
            return false;
    }
    for (uint32_t i = 0; i < n; i++)
        memcpy(out[i], bytes + ref[i].offset, size[i]);
    return true;
}
