/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Journals: records of one type, appended by one writer to checksummed segments in a folder, and read by any number of
 * readers, each from where it was. Readers that keep up take records from a ring in shared memory (the tail) without a
 * system call; older ones come from the segments, through the same function. docs/streams.md tells what holds when
 * processes are killed and power fails; runtime/journal/block.h what lies in the files.
 *
 * A record has a sequence number, from 0 on without a gap. Records are appended in blocks, which become visible, and
 * are found torn or whole, as one. What is *committed* survives the death of the process, what is *durable* a failure
 * of power as well. Each time a journal is opened to be written begins an epoch: a reader that saw records which were
 * committed and not durable learns of it when a failure of power has removed them.
 */
#ifndef CELL_JOURNAL_H
#define CELL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "errors.h"

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/* The largest payload of a block, in a tail that is large enough. */
#define CELL_JOURNAL_BLOCK_MAX (UINT32_C(1) << 20)

/* Where a record stands. Plain numbers: to be kept, in any way, by who reads. All zero is the beginning. */
struct cell_position {
    uint64_t sequence; /* of the next record */
    uint64_t offset;   /* of its block, or 0: unknown, and it is looked for by its sequence */
    uint64_t epoch;    /* of the record before it, or 0: nothing was read, or nobody wants to know */
};

/* ---- writing ---- */

struct cell_journal;

/* What lies in a record, for who reads the journal without the struct of the program that writes it: `cell sql`. */
struct cell_journal_field {
    const char *name;  /* an identifier, at most 63 bytes */
    const char *type;  /* as in schemas: "u64", "i32", "f64", "bool", "u8[16]" */
    uint32_t offset;   /* in the record, bytes */
    const char *names; /* of an enum's values: "NAME=NUMBER,NAME=NUMBER"; NULL = they have none */
};

struct cell_journal_options {
    const char *type;     /* what the records are: 1 to 127 bytes, the same for the journal's life */
    uint32_t record_size; /* bytes of each, the same for its life; 0 = they differ, and a block says how many it has */
    uint32_t reserved;    /* 0 */
    uint64_t segment_bytes; /* of a new journal, a multiple of 64 KiB from 2 MiB to 4 GiB; 0 = 64 MiB */
    uint64_t tail_bytes;    /* a power of two from 64 KiB to 1 GiB; 0 = 8 MiB. A block is an eighth of it at the most */
    /* Segments are removed from the old end while what is left is at least so much, or what is in them is older; 0 = no
     * limit. What a registered reader has not read yet stays. */
    uint64_t keep_bytes;
    uint64_t keep_ms; /* by the time in the blocks, which is the wall clock's as far as that does not go back */
    /* Kept in the folder, in place of what an earlier opening has said; nfields 0: what that has said stays. `time` is
     * the field with a record's time in microseconds since 1970 (NULL = none has it), `ordered` that it is never before
     * that of an earlier record. */
    const struct cell_journal_field *fields;
    uint32_t nfields;
    const char *time;
    bool ordered;
};

/*
 * Opens a journal to be written, makes it when the folder is empty or not there, cuts off what a failure of power tore,
 * and makes what is left durable. One writer at a time, on all hosts that see the folder: CELL_UNAVAILABLE when there
 * is another one. CELL_DATA_LOSS: what is in the folder is none, or is damaged where no failure of power can have done
 * it; nothing was changed. CELL_FAILED_PRECONDITION: it has other records. CELL_INVALID_ARGUMENT, CELL_IO_ERROR,
 * CELL_RESOURCE_EXHAUSTED (disk full), CELL_NO_MEMORY. While one is open the process has a handler for SIGBUS, which
 * hands on what is not about its segments (docs/streams.md, "When something goes wrong").
 */
int cell_journal_open(const char *folder, const struct cell_journal_options *options, struct cell_journal **journal,
                      struct cell_error *e);
/* A stream without a folder: only the tail, nothing survives, committed is durable. */
int cell_journal_open_memory(const struct cell_journal_options *options, struct cell_journal **journal,
                             struct cell_error *e);
/* Makes everything durable, tells readers that the writer has left, and frees it. Returns what became of the first.
 * NULL is accepted. Nobody may use it any more. */
int cell_journal_close(struct cell_journal *journal, struct cell_error *e);

/*
 * One thread at a time appends. The functions return CELL_OK once the records are committed, and set *end (may be NULL)
 * to the position behind them; what they return otherwise was not appended: CELL_INVALID_ARGUMENT (no records, or more
 * bytes than a block has), CELL_RESOURCE_EXHAUSTED (the disk is full; may be tried again), CELL_IO_ERROR (of the disk:
 * for good, as what is on it is not known any more; open it again).
 *
 * reserve: memory for the payload of one block, at least `bytes`, aligned to 64, to be filled and appended with commit.
 * It is the journal's, until the next append or reserve; readers may see what is written there.
 */
int cell_journal_append(struct cell_journal *journal, const void *records, uint32_t count, uint32_t bytes,
                        struct cell_position *end, struct cell_error *e);
int cell_journal_reserve(struct cell_journal *journal, uint32_t bytes, void **memory, struct cell_error *e);
int cell_journal_commit(struct cell_journal *journal, uint32_t count, uint32_t bytes, struct cell_position *end,
                        struct cell_error *e);

/*
 * Returns once everything before `offset` of a position is durable. Any number of threads, at the same time as appends:
 * they share what the disk is asked for. After a failure (CELL_IO_ERROR) nothing can be appended any more.
 */
int cell_journal_sync(struct cell_journal *journal, const struct cell_position *end, struct cell_error *e);

/* The positions behind what is committed, and what is durable; and the first one that is kept, for which a file is read
 * (what was removed meanwhile is looked for again; when the file cannot be read, that behind what is committed). Any
 * thread; cannot fail. */
struct cell_position cell_journal_committed(const struct cell_journal *journal);
struct cell_position cell_journal_durable(const struct cell_journal *journal);
struct cell_position cell_journal_first(struct cell_journal *journal);

/* ---- reading ---- */

struct cell_journal_reader;

enum cell_journal_read_flags {
    CELL_JOURNAL_VOLATILE = 1 /* also what is committed and not durable yet */
};

struct cell_journal_reader_options {
    uint32_t flags;       /* enum cell_journal_read_flags */
    uint32_t record_size; /* what the reader takes records for, as the writer's; checked. 0 with no `type`: anything */
    const char *type;     /* the same; NULL = anything */
    /* With a name ([A-Za-z0-9_.-], at most 64) the reader is registered in the folder, which it must be allowed to
     * write to: what it has not acknowledged stays, until it did not say anything for `lease_ms` (0 = an hour). NULL =
     * no. */
    const char *name;
    uint64_t lease_ms;
};

/*
 * Opens a reader of a folder, at `from` (NULL: the beginning, or where a registered one was). Whether a writer runs
 * does not matter, and one may come and go. CELL_NOT_FOUND: there is no journal. CELL_FAILED_PRECONDITION: it has other
 * records. CELL_DATA_LOSS, CELL_IO_ERROR, CELL_PERMISSION_DENIED, CELL_NO_MEMORY, CELL_INVALID_ARGUMENT.
 */
int cell_journal_reader_open(const char *folder, const struct cell_journal_reader_options *options,
                             const struct cell_position *from, struct cell_journal_reader **reader,
                             struct cell_error *e);
/* Of a writer in this process, with a folder or without. The writer outlives it. */
int cell_journal_reader_open_local(struct cell_journal *journal, const struct cell_journal_reader_options *options,
                                   const struct cell_position *from, struct cell_journal_reader **reader,
                                   struct cell_error *e);
void cell_journal_reader_close(struct cell_journal_reader *reader); /* NULL is accepted; a registration stays */

/* Records that lie one behind the other. They are the reader's own copy, valid until its next call. */
struct cell_span {
    const void *records; /* aligned to 64 when they begin a block; with record_size 0 the block's payload, whole */
    uint32_t count;
    uint32_t bytes;
    uint64_t sequence; /* of the first */
    uint64_t time_us;  /* when they were appended, since 1970 */
};

/*
 * The next records: 1, and *span. Waits for up to `timeout_ms` (negative: for ever), first awake for some microseconds,
 * then asleep. 0: everything there is was read, the writer has left. Else
 *   CELL_DEADLINE_EXCEEDED  nothing new came
 *   CELL_OUT_OF_RANGE       records were removed by retention before they were read; `e` tells which, and the reader
 *                           goes on behind them with its next call
 *   CELL_ABORTED            records that this reader has seen were removed by a failure of power; the reader goes on
 *                           with its next call where the new ones begin, its position tells where
 *   CELL_DATA_LOSS          a segment is damaged, `e` says where; the same again with each call
 *   CELL_CANCELLED          cell_journal_reader_interrupt; CELL_IO_ERROR, CELL_NO_MEMORY
 * By one thread at a time, as everything of a reader but interrupt.
 */
int cell_journal_read(struct cell_journal_reader *reader, struct cell_span *span, int64_t timeout_ms,
                      struct cell_error *e);
/* Behind the records that were read last. */
struct cell_position cell_journal_reader_position(const struct cell_journal_reader *reader);
/* The next call reads from `position`, which may be any that was read, or a sequence alone. Errors as of opening; the
 * reader stays where it was then. */
int cell_journal_reader_seek(struct cell_journal_reader *reader, const struct cell_position *position,
                             struct cell_error *e);
/* The sequence behind the last record that the reader may be given now. Without a tail to ask, the newest segments are
 * read for it. The reader stays where it is. CELL_DATA_LOSS, CELL_IO_ERROR, CELL_NO_MEMORY. */
int cell_journal_reader_end(struct cell_journal_reader *reader, uint64_t *end, struct cell_error *e);
/* How many records the writer has committed (or made durable, without CELL_JOURNAL_VOLATILE) that were not read yet, as
 * far as is known without a look at the disk. */
uint64_t cell_journal_reader_lag(struct cell_journal_reader *reader);
/* A registered reader says that it needs nothing before `position` any more, which is on the disk when this returns,
 * and renews its lease. */
int cell_journal_reader_acknowledge(struct cell_journal_reader *reader, const struct cell_position *position,
                                    struct cell_error *e);
/* Takes a registration back, of a reader that may be open or not. CELL_NOT_FOUND, CELL_INVALID_ARGUMENT (no such name
 * can be), CELL_IO_ERROR. Any thread. */
int cell_journal_forget_reader(const char *folder, const char *name, struct cell_error *e);
/* Makes a read that waits, or the next one, return CELL_CANCELLED. Any thread. */
void cell_journal_reader_interrupt(struct cell_journal_reader *reader);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
