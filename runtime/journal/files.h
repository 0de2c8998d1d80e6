/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The files in a journal's folder: the journal's description, its segments, and who writes it. */
#ifndef CELL_JOURNAL_FILES_H
#define CELL_JOURNAL_FILES_H

#include <limits.h>

#include "journal/block.h"

/* Openings that a description remembers. A reader that was away for more of them is not told what is not there. */
#define CELL_JOURNAL_EPOCHS 1024u

/* Where an epoch began: what is before it was durable, and there is nothing of an earlier epoch behind it. */
struct cell_epoch {
    uint64_t offset, sequence;
};

/* The file "journal". It is replaced as a whole, with each opening and at a clean end. */
struct cell_description {
    char magic[8]; /* "CELLJRN1" */
    struct cell_journal_format format;
    uint32_t epoch; /* the newest; epochs[(epoch - 1) % CELL_JOURNAL_EPOCHS] */
    uint64_t durable;
    uint64_t time_us; /* of the newest block that is durable, at the least */
    char type[CELL_JOURNAL_TYPE];
    struct cell_epoch epochs[CELL_JOURNAL_EPOCHS];
    uint64_t sum;
};

/* CELL_NOT_FOUND: there is none; CELL_DATA_LOSS: it is damaged, or of another version. */
int cell_description_read(const char *folder, struct cell_description *d, struct cell_error *e);
/* On the disk when it returns. */
int cell_description_write(const char *folder, struct cell_description *d, struct cell_error *e);
/* The first epoch after `epoch` began there. False: there is none after it. */
bool cell_description_after(const struct cell_description *d, uint64_t epoch, struct cell_epoch *began,
                            uint64_t *which);

/* PATH_MAX bytes; CELL_INVALID_ARGUMENT when they do not do. */
int cell_journal_path(const char *folder, const char *name, char path[PATH_MAX], struct cell_error *e);

/* The lowest and the highest number of a segment. CELL_NOT_FOUND: there are none. CELL_DATA_LOSS: one between them is
 * missing. */
int cell_segments_find(const char *folder, uint64_t *first, uint64_t *last, struct cell_error *e);
/* Writes a segment of zeros and its header; it has its name, and is on the disk, when this returns. *fd is open for
 * reading and writing. CELL_RESOURCE_EXHAUSTED: the disk is full; nothing is left of it then. */
int cell_segment_make(const char *folder, const struct cell_journal_format *f, uint64_t number, int *fd,
                      struct cell_error *e);
/* CELL_NOT_FOUND; CELL_DATA_LOSS: it is none of this journal. */
int cell_segment_open(const char *folder, const struct cell_journal_format *f, uint64_t number, bool writes, int *fd,
                      struct cell_error *e);
int cell_segment_remove(const char *folder, uint64_t number, struct cell_error *e);

/* Whole or not at all; CELL_RESOURCE_EXHAUSTED for a full disk, else CELL_IO_ERROR. */
int cell_write_at(int fd, const void *bytes, size_t n, uint64_t at, struct cell_error *e);
/* How many bytes there were before the end, at most n. */
int cell_read_at(int fd, void *bytes, size_t n, uint64_t at, size_t *got, struct cell_error *e);

/* One writer at a time; held until the descriptor is closed. CELL_UNAVAILABLE. */
int cell_journal_lock(const char *folder, int *fd, struct cell_error *e);
/* Whether somebody holds it. Takes nothing, so that no writer is refused because of a reader. */
bool cell_journal_is_locked(int fd);
int cell_journal_lock_look(const char *folder, int *fd, struct cell_error *e);

#endif
