/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What HELLO and WELCOME carry; docs/protocol.md, "Handshake". Pure functions over bytes; no deciding. */
#ifndef CELL_WIRE_HELLO_H
#define CELL_WIRE_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "wire/frame.h"
#include "wire/limits.h"

/* Either side's greeting. Texts are NUL-terminated and "" when absent. */
struct cell_greeting {
    char cell[CELL_MAX_CELL_NAME + 1]; /* the one that is meant, or that answers */
    char fingerprint[64 + 1];          /* lower-case hex; the sender's schema */
    char abi[32];                      /* HELLO */
    char program[64];                  /* HELLO; informative */
    uint32_t max_message;              /* WELCOME; 0 = not said */
    bool need_schema;                  /* WELCOME */
    bool shm;                          /* WELCOME; shared memory may be offered */
    int code;                          /* WELCOME: 0, a number of methods that cannot be served, or a status */
    char message[CELL_ERROR_TEXT];     /* WELCOME with a negative code; cut when longer */
};

/* Appends the metadata of `g` to `b` and fills in the frame that carries it (HELLO or WELCOME by `kind`).
 * CELL_INVALID_ARGUMENT for a name that cannot be sent, CELL_NO_MEMORY. */
int cell_greeting_encode(const struct cell_greeting *g, enum cell_frame_kind kind, uint8_t channel,
                         struct cell_frame *f, struct cell_buffer *b, struct cell_error *e);

/* Reads a HELLO or WELCOME frame (any other kind, a bad block, a bad fingerprint: CELL_PROTOCOL_ERROR). A name that is
 * too long to be a cell's is an error too; a program name is cut. Message and program are read with
 * cell_text_from_peer. *g changes only on success. */
int cell_greeting_decode(const struct cell_frame *f, const uint8_t *payload, struct cell_greeting *g,
                         struct cell_error *e);

/* Copies `len` bytes that a peer sent to `out` as a text that can be shown: what is not UTF-8, control characters and
 * those that change the direction of text become '?', each. NUL-terminated, cut on a character when it is longer than
 * `size` - 1; `size` is not 0. */
void cell_text_from_peer(const void *bytes, size_t len, char *out, size_t size);

#endif
