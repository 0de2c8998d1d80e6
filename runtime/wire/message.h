/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Messages: the bytes of one request or reply, from and to C structs, by descriptor. docs/protocol.md, "Message".
 *
 *   0  u32 size   bytes of the whole message, these 8 included, a multiple of 8
 *   4  u32 fixed  bytes of the fixed part that follows
 *   8  the fixed part: laid out as the C struct (LP64, little-endian), padding zero
 *   …  what the references point to
 *
 * A reference (cell_str, cell_bytes, list, REF parameter) is 16 bytes in place:  u32 offset from the start of the
 * message, u32 stride (bytes from one element to the next as the sender lays them out; 1 for text and bytes), u64
 * count. Count 0 has offset 0. Elements start at a multiple of 8. A receiver copies min(stride, its own size) bytes of
 * each element and zeroes the rest, as it does with the fixed part: appending a field is compatible. Optionals and
 * nested structs are in place. Everything is checked once, before anything is handed out: bounds without overflow,
 * booleans 0 or 1, text valid UTF-8, depth and total memory within wire/limits.h.
 */
#ifndef CELL_WIRE_MESSAGE_H
#define CELL_WIRE_MESSAGE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "cell/desc.h"

/* Fields of one side of a method: `fields[n]` over a request struct of `size` bytes. For out parameters the struct is
 * an array of n cell_ref. */
struct cell_layout {
    const struct cell_field *fields;
    uint32_t n;
    uint32_t size;
    /* What cell_layout_prepare found out, so that encoding and decoding need not each time; else NULL. */
    const struct cell_layout_step *steps;
    uint32_t nsteps;
    bool all_plain;      /* every step is a reference to plain values */
    bool ruled;          /* a field has rules: cell_rules_check */
    bool has_gaps;       /* short messages: not every byte of the fixed part is copied from somewhere */
    uint32_t short_size; /* bytes of every message, header included; 0: they differ, or are not short */
};

/* Looks through the descriptor once. Encoding and decoding give the same with and without; only their cost differs. Not
 * while another thread uses the layout. CELL_NO_MEMORY. */
int cell_layout_prepare(struct cell_layout *layout);
/* Frees what prepare took; the layout stays usable. */
void cell_layout_release(struct cell_layout *layout);

/* Appends the message for the struct at `in` to `b` (whose length must be a multiple of 8).
 * CELL_INVALID_ARGUMENT (NULL where bytes must be, invalid UTF-8), CELL_TOO_LARGE (over `max` bytes), CELL_NO_MEMORY.
 */
int cell_message_encode(const struct cell_layout *layout, const void *in, uint32_t max, struct cell_buffer *b,
                        struct cell_error *e);

/*
 * A message in pieces, as it is sent: what the encoder wrote stands in its buffer, and where large values belong their
 * bytes are sent from where they lie.
 */
#define CELL_MESSAGE_PIECES 6u
/* Values of at least so many bytes are not copied into the buffer. */
#define CELL_MESSAGE_OUTSIDE (4u << 10)
struct cell_pieces {
    uint32_t n;
    bool in_place; /* the message is to lie in its cell_place: what was lent is one of the pieces */
    size_t bytes;  /* of all pieces, multiples of 8 */
    struct {
        const uint8_t *bytes;
        size_t len;
        size_t at; /* bytes of the buffer that come before it */
    } piece[CELL_MESSAGE_PIECES];
};

/* Where a message is going to lie, and memory there that was lent to the caller: what a value refers to in it stays
 * where it is, if it begins at a multiple of 8. */
struct cell_place {
    uint8_t *message; /* where its first byte will be; a multiple of 8 before `lent`, and not behind it */
    const uint8_t *lent;
    size_t lent_size; /* a multiple of 8 */
};

/* As cell_message_encode, into b and *pieces. What is not in b must stay as it is until the message was sent. `place`
 * NULL: there is none. */
int cell_message_encode_pieces(const struct cell_layout *layout, const void *in, uint32_t max,
                               const struct cell_place *place, struct cell_buffer *b, struct cell_pieces *pieces,
                               struct cell_error *e);
/* Decodes `len` bytes into the private struct at `out` (layout->size bytes; zero where nothing came, and after a
 * failure); what it refers to is copied into `arena`, text NUL-terminated. `bytes` may be changed by another process
 * meanwhile: each word is read once. CELL_PROTOCOL_ERROR names the field; CELL_TOO_LARGE also when the arena's limit is
 * too small; CELL_NO_MEMORY. */
int cell_message_decode(const struct cell_layout *layout, const uint8_t *bytes, size_t len, struct cell_arena *arena,
                        void *out, struct cell_error *e);

/* The same, but text, bytes and lists of plain values stay where they are, without a NUL behind them: what *out refers
 * to there lives as long as `bytes` and may be changed as those may. Lists that are not aligned in memory are copied.
 * Offsets, counts and that text is UTF-8 have been checked once. */
int cell_message_decode_in_place(const struct cell_layout *layout, const uint8_t *bytes, size_t len,
                                 struct cell_arena *arena, void *out, struct cell_error *e);

/* For a prepared layout of references to plain values only, as most replies are: copies what message element i refers
 * to straight to out[i], without an arena. False, and nothing was written: the layout or the message is not of that
 * kind, or something is wrong with it; cell_message_decode knows more. */
bool cell_message_take_plain(const struct cell_layout *layout, const uint8_t *bytes, size_t len, void *const *out);

/*
 * Short messages: those of a prepared layout with a short_size, all plain values, so that nothing in them can be
 * invalid. They are written and read without a look at the types.
 */
#define CELL_SHORT_MESSAGE 128u
#define CELL_SHORT_STEPS 8u
/* Places for the values of references, and what cell_short_put is given for them. */
struct cell_short {
    struct cell_ref refs[CELL_SHORT_STEPS];
    _Alignas(16) uint8_t values[2 * CELL_SHORT_MESSAGE]; /* each 16-aligned */
};
/* Writes the message for `in` without its header: short_size - 8 bytes. False: a reference is NULL or not to as many
 * values as it should be, which cell_message_encode says in words. */
bool cell_short_put(const struct cell_layout *layout, const void *in, uint8_t *to);
/* Takes a message, whole and in private memory, as it was put by a sender with the same layout: the struct is at
 * message + 8 then, and its references are to what follows it. False: it is not as that, and *message is as it was;
 * cell_message_decode knows more. */
bool cell_short_take(const struct cell_layout *layout, uint64_t *message, size_t len);
/* For references only: their values go straight to out[i]; nothing was written when it fails. */
bool cell_short_take_to(const struct cell_layout *layout, const uint8_t *bytes, size_t len, void *const *out);
/* Zeroed places for what a message of references only will be made of: out[i] for whoever fills them in; and s->refs.
 */
void cell_short_places(const struct cell_layout *layout, struct cell_short *s, void **out);

/* True when `len` bytes are valid UTF-8 (RFC 3629: no surrogates, no overlong forms). */
int cell_utf8_valid(const char *text, size_t len);

#endif
