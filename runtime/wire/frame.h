/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Frames and metadata blocks. Pure functions over bytes; the layout is docs/protocol.md, "Frame". */
#ifndef CELL_WIRE_FRAME_H
#define CELL_WIRE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

#define CELL_FRAME_MAGIC 0x4c4c4543u /* "CELL" */
#define CELL_FRAME_VERSION 1u
#define CELL_FRAME_HEADER 32u

/* X(symbol, number): kinds of frame. */
#define CELL_FRAME_KIND_MAP(X)                                                                                         \
    X(HELLO, 1)   /* client → server, first frame; payload: metadata block only */                                     \
    X(WELCOME, 2) /* server → client, answer to HELLO; code = status */                                                \
    X(SCHEMA, 3)  /* client → server after a WELCOME that asked for it: the client's schema as JSON */                 \
    X(CALL, 4)    /* client → server; code = method id */                                                              \
    X(REPLY, 5)   /* server → client; code = result or status */                                                       \
    X(CANCEL, 6)  /* client → server; id of the call */                                                                \
    X(GOAWAY, 7)  /* server → client: finish nothing new here, connect again elsewhere */                              \
    /* Of the transport itself, about shared memory; callers of a transport never see them: */                         \
    X(SHM_OPEN, 8)   /* client → server, before any other frame: offers it, with a descriptor */                       \
    X(SHM_ACCEPT, 9) /* server → client: the answer; when accepted, its last frame over the socket */                  \
    X(SHM_READY, 10) /* client → server, its last frame over the socket */                                             \
    X(SHM_WAKE, 11)  /* there is a message for a receiver that sleeps in poll */                                       \
    X(SHM_BLOB, 12)  /* memory for large payloads, with a descriptor; or that it is taken back */                      \
    /* Of a call whose method has a stream: */                                                                         \
    X(RECORDS, 13) /* records of the stream, in its direction; id of the call */                                       \
    X(END, 14)     /* client → server: there are no more */

enum cell_frame_kind {
#define CELL_FRAME_KIND_ENUM(symbol, number) CELL_FRAME_##symbol = number,
    CELL_FRAME_KIND_MAP(CELL_FRAME_KIND_ENUM)
#undef CELL_FRAME_KIND_ENUM
};

static inline bool cell_frame_is_internal(uint8_t kind)
{
    return kind >= CELL_FRAME_SHM_OPEN && kind <= CELL_FRAME_SHM_BLOB;
}

enum cell_channel { CELL_CHANNEL_APP = 0, CELL_CHANNEL_OPS = 1, CELL_CHANNEL_COMPILE = 2 };

/* Method ids on the fixed channels. */
enum cell_ops_method {
    CELL_OPS_HEALTH = 0,
    CELL_OPS_METRICS = 1,
    CELL_OPS_REPORT = 2,
    CELL_OPS_CONSUMERS = 3,
    CELL_OPS_CONSUMER = 4,
    CELL_OPS_FORGET = 5
};
enum cell_compile_method {
    CELL_COMPILE_SCHEMA = 0,
    CELL_COMPILE_EXPAND = 1,
    CELL_COMPILE_APPLY = 2,
    CELL_COMPILE_STATE = 3
};

struct cell_frame {
    uint32_t length;     /* payload bytes that follow the header: metadata, then message */
    uint8_t kind;        /* enum cell_frame_kind */
    uint8_t channel;     /* enum cell_channel; of the connection, repeated in each frame */
    uint16_t meta_len;   /* bytes of the metadata block at the start of the payload */
    int32_t code;        /* CALL: method id; REPLY, WELCOME: result or status */
    uint32_t timeout_ms; /* CALL: time left when sent, 0 = no deadline */
    uint64_t id;         /* request id, chosen by the client, unique on its connection; 0 in HELLO … GOAWAY */
};

/* Writes the 32 bytes of a header. */
void cell_frame_encode(const struct cell_frame *f, uint8_t header[CELL_FRAME_HEADER]);

/* Reads a header from `len` bytes. 1 = *f is valid; 0 = more bytes are needed (len < 32, and what is there is a prefix
 * of a valid header); negative = invalid: CELL_PROTOCOL_ERROR (magic, version, kind, channel, meta_len > length) or
 * CELL_TOO_LARGE (length > max_payload). */
int cell_frame_decode(const uint8_t *bytes, size_t len, uint32_t max_payload, struct cell_frame *f,
                      struct cell_error *e);

/* The same rules for a header that came in another form. CELL_OK, or an error as of cell_frame_decode. */
int cell_frame_check(const struct cell_frame *f, uint32_t max_payload, struct cell_error *e);

/* Metadata block: pairs of {u16 key length, u16 value length, key, value}, unpadded. */
int cell_meta_append(struct cell_buffer *b, const char *key, const void *value, size_t len);
struct cell_meta_pair {
    const char *key; /* not NUL-terminated */
    size_t key_len;
    const uint8_t *value;
    size_t value_len;
};
/* Iterates: *offset starts at 0. 1 = *pair is the next one; 0 = end; CELL_PROTOCOL_ERROR. */
int cell_meta_next(const uint8_t *block, size_t len, size_t *offset, struct cell_meta_pair *pair);
/* Finds `key`; CELL_NOT_FOUND, or CELL_PROTOCOL_ERROR when the block is bad before it. */
int cell_meta_find(const uint8_t *block, size_t len, const char *key, struct cell_meta_pair *pair);
/* CELL_OK when the whole block is well-formed, within limits, and keys are [:]?[a-z0-9._-]+. */
int cell_meta_check(const uint8_t *block, size_t len, struct cell_error *e);

/* Reserved keys (all begin with ':', which users' keys cannot). */
#define CELL_META_CELL ":cell"               /* HELLO: the cell that the client means; WELCOME: the one it is */
#define CELL_META_FINGERPRINT ":fingerprint" /* HELLO: the client's schema; WELCOME: the server's; 64 hex */
#define CELL_META_PROGRAM ":program"         /* HELLO: name of the calling program */
#define CELL_META_ABI ":abi"                 /* HELLO: "lp64-le" */
#define CELL_META_MAX ":max-message"         /* WELCOME: decimal, the largest payload it takes */
#define CELL_META_NEED_SCHEMA ":need-schema" /* WELCOME: "1" = send SCHEMA before the first CALL */
#define CELL_META_SHM ":shm"                 /* WELCOME: "1" = SHM_OPEN may be sent before the first CALL */
#define CELL_META_SIGNATURE ":signature"     /* REPLY to schema: core/identity.h */
#define CELL_META_MESSAGE ":message"         /* REPLY, WELCOME: error text with its trail */
#define CELL_META_DETAIL ":detail."          /* REPLY: prefix; then the type */

#endif
