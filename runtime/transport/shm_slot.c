/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "transport/shm_slot.h"

#include <stdatomic.h>
#include <string.h>

#include "base/util.h"

#define WORDS (CELL_SHM_FULL_HEADER / 4)

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a slot's numbers are read as they lie in memory");

/* The full header as it lies in a slot. */
struct full {
    uint8_t form; /* 0 */
    uint8_t kind, channel, place;
    uint16_t meta_len, reserved;
    uint32_t length;
    int32_t code;
    uint32_t timeout_ms, where, reserved2;
    uint32_t id[2]; /* 8-aligned in the slot, but not here */
};
_Static_assert(sizeof(struct full) == CELL_SHM_FULL_HEADER, "as docs/protocol.md says");

void cell_shm_slot_write_full(uint8_t *slot, const struct cell_frame *f, enum cell_shm_place place, uint32_t where)
{
    const struct full h = {.kind = f->kind,
                           .channel = f->channel,
                           .place = (uint8_t)place,
                           .meta_len = f->meta_len,
                           .length = f->length,
                           .code = f->code,
                           .timeout_ms = f->timeout_ms,
                           .where = where,
                           .id = {(uint32_t)f->id, (uint32_t)(f->id >> 32)}};
    memcpy(slot, &h, sizeof(h));
}

static int read_full(const uint8_t *slot, uint32_t first, uint32_t max_payload, struct cell_shm_slot *s,
                     struct cell_error *e)
{
    uint32_t words[WORDS] = {first};
    struct full h;
    for (unsigned i = 1; i < WORDS; i++)
        words[i] = cell_shm_slot_word(slot, i);
    memcpy(&h, words, sizeof(h));
    if (h.reserved || h.reserved2)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "a reserved byte of a slot is not 0");
    s->frame = (struct cell_frame){.length = h.length,
                                   .kind = h.kind,
                                   .channel = h.channel,
                                   .meta_len = h.meta_len,
                                   .code = h.code,
                                   .timeout_ms = h.timeout_ms,
                                   .id = h.id[0] | (uint64_t)h.id[1] << 32};
    int r = cell_frame_check(&s->frame, max_payload, e);
    if (r < 0)
        return r;
    bool inside = h.place == CELL_SHM_IN_SLOT   ? h.length <= CELL_SHM_MAX_INLINE && h.where == 0
                  : h.place == CELL_SHM_IN_DATA ? h.where <= CELL_RING_DATA && h.length <= CELL_RING_DATA - h.where
                                                : h.place == CELL_SHM_IN_BLOB;
    if (!inside)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "a payload of %u bytes at %u of place %u", h.length, h.where,
                              h.place);
    s->place = (enum cell_shm_place)h.place;
    s->where = h.where;
    s->fixed = CELL_SHM_UNKNOWN_FIXED;
    s->compact = false;
    s->bytes = 0;
    s->payload = slot + CELL_SHM_FULL_HEADER;
    return CELL_OK;
}

static int read_compact(const uint8_t *slot, uint32_t first, const struct cell_shm_order *o, uint32_t max_payload,
                        struct cell_shm_slot *s, struct cell_error *e)
{
    struct cell_shm_order order = *o;
    s->compact = true;
    s->place = CELL_SHM_IN_SLOT;
    s->where = 0;
    s->payload = slot + CELL_SHM_COMPACT_HEADER;
    if (cell_shm_slot_read_usual(first, &order, max_payload, &s->frame, &s->bytes, &s->fixed))
        return CELL_OK;
    uint32_t length = (first & 0xf) * 8, fixed = first >> 4 & 0xf;
    if (length == 0)
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "a compact slot without a payload");
    s->bytes = length;
    s->fixed = fixed ? (fixed - 1) * 8 : CELL_SHM_UNKNOWN_FIXED;
    s->frame = (struct cell_frame){.length = length + (fixed ? CELL_SHM_MESSAGE_HEADER : 0),
                                   .kind = (uint8_t)(first >> 8),
                                   .channel = o->channel,
                                   .code = (int32_t)(first >> 16),
                                   .timeout_ms = o->timeout_ms,
                                   .id = o->id + 1};
    return cell_frame_check(&s->frame, max_payload, e);
}

CELL_HOT int cell_shm_slot_read(const uint8_t *slot, struct cell_shm_order *o, uint32_t max_payload,
                                struct cell_shm_slot *s, struct cell_error *e)
{
    struct cell_shm_slot read;
    uint32_t first = cell_shm_slot_word(slot, 0);
    int r = first & 0xff ? read_compact(slot, first, o, max_payload, &read, e)
                         : read_full(slot, first, max_payload, &read, e);
    if (r < 0)
        return r;
    if (cell_frame_is_internal(read.frame.kind))
        return cell_error_set(e, CELL_PROTOCOL_ERROR, "frame of kind %u in a slot", read.frame.kind);
    *s = read;
    cell_shm_order_set(o, &read.frame);
    return CELL_OK;
}
