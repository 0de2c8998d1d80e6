/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "wire/records.h"

#include <string.h>

#include "wire/walk.h"

_Static_assert(CELL_RECORDS_HEAD == CELL_MESSAGE_HEADER + sizeof(struct cell_wire_ref), "as the protocol says");

void cell_records_init(struct cell_records *f, const struct cell_type *type)
{
    f->type = type;
    f->plain = cell_walk_plain(type);
    f->list = (struct cell_type){"records", CELL_KIND_LIST, sizeof(struct cell_ref), _Alignof(struct cell_ref), 0, NULL,
                                 type};
    f->field = (struct cell_field){"records", &f->list, 0, 0, 0, 0};
    f->layout = (struct cell_layout){.fields = &f->field, .n = 1, .size = sizeof(struct cell_ref)};
}

uint32_t cell_records_padding(const struct cell_records *f, uint64_t n)
{
    uint64_t bytes = n * f->type->size;
    return (uint32_t)(cell_round_up8(bytes) - bytes);
}

void cell_records_head(const struct cell_records *f, uint64_t n, uint8_t head[CELL_RECORDS_HEAD])
{
    const uint32_t header[2] = {CELL_RECORDS_HEAD + (uint32_t)cell_round_up8(n * f->type->size),
                                sizeof(struct cell_wire_ref)};
    const struct cell_wire_ref ref = {CELL_RECORDS_HEAD, f->type->size, n};
    memcpy(head, header, sizeof(header));
    memcpy(head + sizeof(header), &ref, sizeof(ref));
}

int cell_records_encode(const struct cell_records *f, const void *records, uint64_t n, uint32_t max,
                        struct cell_buffer *b, struct cell_error *e)
{
    const struct cell_ref list = {records, n};
    return cell_message_encode(&f->layout, &list, max, b, e);
}

/* True: the usual message of plain records, of the same schema. */
static bool lend(const struct cell_records *f, const uint8_t *bytes, size_t len, struct cell_batch *batch)
{
    uint32_t header[2];
    struct cell_wire_ref ref;
    if (!f->plain || len < CELL_RECORDS_HEAD)
        return false;
    memcpy(header, bytes, sizeof(header));
    memcpy(&ref, bytes + sizeof(header), sizeof(ref));
    __asm__ volatile("" ::: "memory"); /* read once: another process may write there */
    if (header[0] != len || len % 8 || header[1] != sizeof(ref) || ref.stride != f->type->size || ref.count == 0 ||
        ref.offset % 8 || ref.offset < CELL_RECORDS_HEAD || ref.offset > len ||
        ref.count > (len - ref.offset) / ref.stride)
        return false;
    *batch = (struct cell_batch){bytes + ref.offset, ref.count, true};
    return true;
}

int cell_records_take(const struct cell_records *f, const uint8_t *bytes, size_t len, struct cell_arena *arena,
                      struct cell_batch *batch, struct cell_error *e)
{
    struct cell_ref list;
    if (lend(f, bytes, len, batch))
        return CELL_OK;
    int r = cell_message_decode(&f->layout, bytes, len, arena, &list, e);
    if (r < 0)
        return r;
    if (list.len == 0)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "a message without records");
    *batch = (struct cell_batch){list.ptr, list.len, false};
    return CELL_OK;
}

size_t cell_records_copy(const struct cell_records *f, struct cell_batch *batch, void *records, size_t n)
{
    if (n > batch->left)
        n = batch->left;
    if (n)
        memcpy(records, batch->next, n * f->type->size);
    batch->next += n * f->type->size;
    batch->left -= n;
    return n;
}

int cell_records_keep(const struct cell_records *f, struct cell_batch *batch, struct cell_arena *arena)
{
    if (!batch->lent || batch->left == 0)
        return CELL_OK;
    void *copy = cell_arena_copy(arena, batch->next, batch->left * f->type->size);
    if (!copy)
        return CELL_NO_MEMORY;
    *batch = (struct cell_batch){copy, batch->left, false};
    return CELL_OK;
}
