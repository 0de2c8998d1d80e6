/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Records of a stream: a message whose fixed part is one reference, to one or more records laid out as the elements of
 * a list. docs/protocol.md, "Records". Records of plain values are copied once on either side.
 */
#ifndef CELL_WIRE_RECORDS_H
#define CELL_WIRE_RECORDS_H

#include "wire/message.h"

#define CELL_RECORDS_HEAD 24u /* bytes before the records, when nothing stands between */

/* What is known of a stream's records. It refers to itself: not to be copied. */
struct cell_records {
    const struct cell_type *type;
    bool plain;
    struct cell_type list;
    struct cell_field field;
    struct cell_layout layout;
};
void cell_records_init(struct cell_records *f, const struct cell_type *type);

/* The bytes before n > 0 plain records; after these stand cell_records_padding bytes of zero. They must fit. */
void cell_records_head(const struct cell_records *f, uint64_t n, uint8_t head[CELL_RECORDS_HEAD]);
uint32_t cell_records_padding(const struct cell_records *f, uint64_t n);
/* The message of n records, appended to `b`. Errors as cell_message_encode. */
int cell_records_encode(const struct cell_records *f, const void *records, uint64_t n, uint32_t max,
                        struct cell_buffer *b, struct cell_error *e);

/* Records that were received and not yet handed out. */
struct cell_batch {
    const uint8_t *next;
    uint64_t left;
    bool lent; /* they lie in the message still */
};
/* Checks a message. Of plain records nothing is copied: the message must stay until all were copied, and another
 * process may write to it meanwhile. Others are copied into the arena. CELL_PROTOCOL_ERROR also for no records; other
 * errors as cell_message_decode. */
int cell_records_take(const struct cell_records *f, const uint8_t *bytes, size_t len, struct cell_arena *arena,
                      struct cell_batch *batch, struct cell_error *e);
/* Hands out up to n records; how many. */
size_t cell_records_copy(const struct cell_records *f, struct cell_batch *batch, void *records, size_t n);
/* Copies what is lent into the arena. CELL_NO_MEMORY. */
int cell_records_keep(const struct cell_records *f, struct cell_batch *batch, struct cell_arena *arena);

#endif
