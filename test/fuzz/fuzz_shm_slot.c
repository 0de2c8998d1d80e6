/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
// LINK: runtime/transport/shm_slot.c
/* Slots of a ring, one after the other: what is taken of them obeys the rules of a frame and stays inside. */
#include "fuzz.h"
#include "hex_seed.h"

#include <stdalign.h>

#include "transport/shm_slot.h"

static bool same(const struct cell_frame *a, const struct cell_frame *b)
{
    return a->length == b->length && a->kind == b->kind && a->channel == b->channel && a->meta_len == b->meta_len &&
           a->code == b->code && a->timeout_ms == b->timeout_ms && a->id == b->id;
}

/* What was read reads back when it is written in either form. */
static void check_written(const struct cell_shm_slot *s, const struct cell_shm_order *before)
{
    uint32_t words[CELL_RING_INLINE / 4] = {0};
    uint8_t *slot = (uint8_t *)words;
    struct cell_shm_slot again;
    struct cell_shm_order order = *before;
    if (s->place != CELL_SHM_IN_SLOT || s->frame.length <= CELL_SHM_MAX_INLINE) {
        cell_shm_slot_write_full(slot, &s->frame, s->place, s->where);
        EXPECT(cell_shm_slot_read(slot, &order, CELL_MAX_MESSAGE, &again, NULL) == CELL_OK);
        EXPECT(same(&again.frame, &s->frame) && again.place == s->place && again.where == s->where);
    }
    if (cell_shm_slot_fits_compact(&s->frame, before, s->fixed)) {
        order = *before;
        cell_shm_slot_write_compact(slot, &s->frame, s->fixed);
        EXPECT(cell_shm_slot_read(slot, &order, CELL_MAX_MESSAGE, &again, NULL) == CELL_OK);
        EXPECT(same(&again.frame, &s->frame) && again.place == CELL_SHM_IN_SLOT && again.compact);
        EXPECT(again.fixed == s->fixed);
    }
}

static void check_inside(const struct cell_shm_slot *s, const uint8_t *slot)
{
    size_t length = s->compact ? s->bytes : s->frame.length;
    if (s->compact)
        EXPECT(s->frame.length == s->bytes + (s->fixed == CELL_SHM_UNKNOWN_FIXED ? 0 : CELL_SHM_MESSAGE_HEADER));
    if (s->place == CELL_SHM_IN_SLOT)
        EXPECT(s->payload > slot && s->payload + length <= slot + CELL_RING_INLINE);
    else if (s->place == CELL_SHM_IN_DATA)
        EXPECT((size_t)s->where + length <= CELL_RING_DATA);
    else
        EXPECT(s->place == CELL_SHM_IN_BLOB);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t len;
    uint8_t *bytes = hex_seed(data, size, &len);
    struct cell_shm_order order = {0};
    for (size_t at = 0; at < len; at += CELL_RING_INLINE) {
        uint8_t *slot = aligned_alloc(alignof(uint32_t), CELL_RING_INLINE);
        size_t have = len - at < CELL_RING_INLINE ? len - at : CELL_RING_INLINE;
        memset(slot, 0, CELL_RING_INLINE);
        memcpy(slot, bytes + at, have);
        const struct cell_shm_order before = order;
        struct cell_shm_slot s;
        struct cell_error e = {0};
        int r = cell_shm_slot_read(slot, &order, CELL_MAX_MESSAGE, &s, &e);
        EXPECT(r == CELL_OK || (r < 0 && e.status == r && e.text[0]));
        if (r == CELL_OK) {
            EXPECT(cell_frame_check(&s.frame, CELL_MAX_MESSAGE, NULL) == CELL_OK);
            EXPECT(!cell_frame_is_internal(s.frame.kind) && s.frame.meta_len <= s.frame.length);
            EXPECT(order.id == s.frame.id && order.channel == s.frame.channel);
            check_inside(&s, slot);
            check_written(&s, &before);
        } else {
            EXPECT(order.id == before.id && order.timeout_ms == before.timeout_ms && order.channel == before.channel);
        }
        free(slot);
    }
    free(bytes);
    return 0;
}
