/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* A reader, in parts: reader.c (opening), reader_read.c (reading, waiting), reader_source.c (blocks from the tail and
 * from segments), reader_find.c (where a position is). */
#ifndef CELL_JOURNAL_READER_IMPL_H
#define CELL_JOURNAL_READER_IMPL_H

#include "journal/journal_impl.h"
#include "journal/scan.h"

/* What a source has at the reader's place. */
enum cell_had {
    CELL_HAD_SPAN,
    CELL_HAD_NOTHING, /* not yet */
    CELL_HAD_STEP,    /* nothing to hand out, but the place has moved: look again */
    CELL_HAD_LAPPED   /* of the tail: it is not there any more */
};

struct cell_journal_reader {
    char *folder;               /* NULL: of a journal without one */
    struct cell_journal *local; /* of this process; or NULL */
    struct cell_journal_format format;
    struct cell_description *description; /* NULL without a folder */
    bool is_volatile;
    char *name; /* registered, or NULL */
    uint64_t lease_ms;

    struct cell_tail tail;
    uint64_t writer; /* whose tail it is, or was */
    int told_by;     /* the file that has told where the tail is, which each writer replaces; -1: none */
    int lock_fd;     /* to ask whether there is a writer; -1: not yet */

    uint64_t offset;   /* of the next block */
    uint64_t sequence; /* of the next record */
    uint64_t skip;     /* records of the next block that were read before */
    uint32_t epoch;    /* of the block before */
    bool resync;       /* the next block's sequence is not known: the tail has overtaken */

    uint64_t durable; /* what is known to be, without a tail */
    struct cell_scan scan;
    uint8_t *copy; /* of a block in the tail */
    size_t copy_size;

    struct cell_error told; /* to be returned by the next read, once; status 0: nothing */
    _Atomic bool interrupted;
};

/* reader.c: the writer's tail. attach maps it, if it is another one than before and may be read; anything else is no
 * failure, for then records come from the segments. */
void cell_reader_attach(struct cell_journal_reader *r);
void cell_reader_detach(struct cell_journal_reader *r);
bool cell_reader_has_writer(struct cell_journal_reader *r);
/* Whether another writer than that of the tail has come: one that follows at once has the lock, too. */
bool cell_reader_has_another(const struct cell_journal_reader *r);

/* reader_source.c */
int cell_reader_from_tail(struct cell_journal_reader *r, enum cell_had *had, struct cell_span *span,
                          struct cell_error *e);
int cell_reader_from_segments(struct cell_journal_reader *r, enum cell_had *had, struct cell_span *span,
                              struct cell_error *e);
/* Whether the tail has something at the reader's place that it may hand out, or lost it. Without a system call. */
bool cell_reader_tail_ready(struct cell_journal_reader *r);

/* reader_find.c */
/* Places the reader. What a failure of power or retention has removed is told by the next read. CELL_OUT_OF_RANGE:
 * there never was such a record. */
int cell_reader_place(struct cell_journal_reader *r, const struct cell_position *from, struct cell_error *e);
/* After another writer has opened the journal: whether what was read is still there. */
int cell_reader_new_epoch(struct cell_journal_reader *r, struct cell_error *e);
/* The place is in a segment that was removed: goes to the first that is there, to be told. CELL_OK also when it is
 * there after all, or has not been made yet. *moved: the place is another one. */
int cell_reader_removed(struct cell_journal_reader *r, bool *moved, struct cell_error *e);
/* The sequence behind what may be read, as the segments tell. */
int cell_reader_end_of_segments(struct cell_journal_reader *r, uint64_t *sequence, struct cell_error *e);

#endif
