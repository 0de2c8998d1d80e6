/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Blocks from segments, one after the other, through a buffer: for recovery and readers. */
#ifndef CELL_JOURNAL_SCAN_H
#define CELL_JOURNAL_SCAN_H

#include "journal/files.h"

struct cell_scan {
    const char *folder;
    const struct cell_journal_format *format;
    int fd; /* of the segment `number`; -1: none is open */
    uint64_t number;
    uint8_t *buffer;
    size_t capacity; /* how much is read at once; grows while one block follows another */
    uint64_t at;     /* of the line, where the buffer begins */
    size_t length;
};

/* Nothing can fail; `folder` and `format` stay the caller's. */
void cell_scan_init(struct cell_scan *s, const char *folder, const struct cell_journal_format *format);
void cell_scan_free(struct cell_scan *s);
/* What was read is read again. */
static inline void cell_scan_forget(struct cell_scan *s) { s->length = 0; }

/*
 * The block at `offset`: its header in *b, its payload at *payload until the next call, its bytes in *size. *found is
 * WHOLE, NONE or DAMAGED; with a sum that is right when `sums`. What is in the buffer is believed when it is WHOLE,
 * everything else is looked at again on the disk. Negative: CELL_NOT_FOUND (no such segment), CELL_DATA_LOSS (of its
 * head), CELL_IO_ERROR, CELL_NO_MEMORY.
 */
int cell_scan_block(struct cell_scan *s, uint64_t offset, bool sums, enum cell_block_found *found, struct cell_block *b,
                    const uint8_t **payload, uint64_t *size, struct cell_error *e);
/* The first whole block at *offset or behind it, in the same segment; *there: there is one, at *offset. */
int cell_scan_next(struct cell_scan *s, uint64_t *offset, bool *there, struct cell_block *b, struct cell_error *e);
/* Whether all is zero from `offset` to the end of its segment. */
int cell_scan_zeros(struct cell_scan *s, uint64_t offset, bool *zeros, struct cell_error *e);

#endif
