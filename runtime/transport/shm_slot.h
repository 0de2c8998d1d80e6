/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* How a frame lies in a slot of the ring. Pure functions over bytes; docs/protocol.md, "Shared memory". */
#ifndef CELL_TRANSPORT_SHM_SLOT_H
#define CELL_TRANSPORT_SHM_SLOT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "transport/ring.h"
#include "wire/frame.h"
#include "wire/limits.h"

/* Bytes before the payload. With the commit word they make a multiple of 8. */
#define CELL_SHM_COMPACT_HEADER 4u
#define CELL_SHM_FULL_HEADER 36u
#define CELL_SHM_MAX_COMPACT (CELL_RING_INLINE - CELL_SHM_COMPACT_HEADER)
#define CELL_SHM_MAX_INLINE (CELL_RING_INLINE - CELL_SHM_FULL_HEADER)
/* A message begins with its size, which the frame says as well, and with the size of its fixed part, a multiple of 8. A
 * compact slot says both in one byte, so that 40 bytes and a reference fit into one line. */
#define CELL_SHM_MESSAGE_HEADER 8u
#define CELL_SHM_MAX_FIXED 112u
#define CELL_SHM_ONE_LINE (CELL_RING_LINE - 4u - CELL_SHM_COMPACT_HEADER)
#define CELL_SHM_UNKNOWN_FIXED UINT32_MAX

/* Where a payload lies. */
enum cell_shm_place { CELL_SHM_IN_SLOT = 0, CELL_SHM_IN_DATA = 1, CELL_SHM_IN_BLOB = 2 };

/* What a compact slot takes from the frame before it in its direction; zero before the first. */
struct cell_shm_order {
    uint64_t id;
    uint32_t timeout_ms;
    uint8_t channel;
};

struct cell_shm_slot {
    struct cell_frame frame;
    enum cell_shm_place place;
    bool compact;
    uint32_t bytes;         /* of the payload that are in a compact slot; else 0 */
    uint32_t where;         /* offset in the data area, or id of the blob */
    uint32_t fixed;         /* of a payload whose first 8 bytes are not in the slot; else CELL_SHM_UNKNOWN_FIXED */
    const uint8_t *payload; /* IN_SLOT: its bytes, still in the slot */
};

/* `fixed`: the fixed part of the message that is the whole payload, or CELL_SHM_UNKNOWN_FIXED. */
static inline bool cell_shm_slot_fits_compact(const struct cell_frame *f, const struct cell_shm_order *o,
                                              uint32_t fixed)
{
    uint32_t header = fixed != CELL_SHM_UNKNOWN_FIXED ? CELL_SHM_MESSAGE_HEADER : 0;
    return f->length - header - 8 <= CELL_SHM_MAX_COMPACT - 8 && f->length % 8 == 0 && f->meta_len == 0 &&
           (uint32_t)f->code <= UINT16_MAX && f->id == o->id + 1 && f->timeout_ms == o->timeout_ms &&
           f->channel == o->channel;
}

/* What `fixed` is for a payload that begins with these bytes: when they are a message's header that a compact slot can
 * do without. */
static inline uint32_t cell_shm_slot_fixed(const uint8_t *payload, size_t have, uint32_t length)
{
    uint32_t header[2];
    if (have <= sizeof(header))
        return CELL_SHM_UNKNOWN_FIXED;
    memcpy(header, payload, sizeof(header));
    return header[0] == length && header[1] % 8 == 0 && header[1] <= CELL_SHM_MAX_FIXED ? header[1]
                                                                                        : CELL_SHM_UNKNOWN_FIXED;
}

static inline void cell_shm_order_set(struct cell_shm_order *o, const struct cell_frame *f)
{
    *o = (struct cell_shm_order){f->id, f->timeout_ms, f->channel};
}

/* Write the bytes before the payload. */
static inline void cell_shm_slot_write_compact(uint8_t *slot, const struct cell_frame *f, uint32_t fixed)
{
    bool known = fixed != CELL_SHM_UNKNOWN_FIXED;
    uint32_t sizes = known ? (f->length - CELL_SHM_MESSAGE_HEADER) / 8 | (fixed / 8 + 1) << 4 : f->length / 8;
    uint32_t word = sizes | (uint32_t)f->kind << 8 | (uint32_t)f->code << 16;
    memcpy(slot, &word, sizeof(word));
}
void cell_shm_slot_write_full(uint8_t *slot, const struct cell_frame *f, enum cell_shm_place place, uint32_t where);

/* The other side's memory, once. */
static inline uint32_t cell_shm_slot_word(const uint8_t *slot, unsigned word)
{
    return __atomic_load_n((const uint32_t *)(const void *)slot + word, __ATOMIC_RELAXED);
}

/* Reads the first word of a slot when it is compact and one of the frames that nearly all are, and as they are: a CALL,
 * or a REPLY, that continues the one before. False: not so; cell_shm_slot_read knows more. *bytes and *fixed as in
 * struct cell_shm_slot. */
static inline bool cell_shm_slot_read_usual(uint32_t word, struct cell_shm_order *o, uint32_t max_payload,
                                            struct cell_frame *f, uint32_t *bytes, uint32_t *fixed)
{
    uint32_t h = word >> 4 & 0xf, n = (word & 0xf) * 8, length = n + (h ? CELL_SHM_MESSAGE_HEADER : 0);
    uint8_t kind = (uint8_t)(word >> 8);
    if (n == 0 || length > max_payload || o->id == UINT64_MAX ||
        !(kind == CELL_FRAME_CALL || (kind == CELL_FRAME_REPLY && o->timeout_ms == 0)))
        return false;
    f->length = length;
    f->kind = kind;
    f->channel = o->channel; /* it was checked with the frame that it is from */
    f->meta_len = 0;
    f->code = (int32_t)(word >> 16);
    f->timeout_ms = o->timeout_ms;
    f->id = ++o->id;
    *bytes = n;
    *fixed = h ? (h - 1) * 8 : CELL_SHM_UNKNOWN_FIXED;
    return true;
}

/* Reads a slot that its owner may write to meanwhile: each byte is read once. The frame is checked as one from a socket
 * is, and the place to lie in the slot or in the data area. *s and *o change only on success. */
int cell_shm_slot_read(const uint8_t *slot, struct cell_shm_order *o, uint32_t max_payload, struct cell_shm_slot *s,
                       struct cell_error *e);

#endif
