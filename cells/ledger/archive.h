/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Single records of the journal, by their sequence. An index in memory has the place of one record in hundreds. */
#ifndef CELLS_LEDGER_ARCHIVE_H
#define CELLS_LEDGER_ARCHIVE_H

#include <cell/journal.h>

#include "failure.h"
#include "types.h"

#define LG_RECORDS "ledger.transfers" /* the type of the journal's records */

/* Places in the journal, in their order. */
struct lg_index {
    struct cell_position *places;
    size_t n, capacity;
};

/* Notes a place where a block begins, unless it is close behind the last one. False: memory is short; then what is
 * looked for behind it takes longer to find, no more. */
bool lg_index_add(struct lg_index *index, const struct cell_position *place);
/* Places before this sequence are not added. */
uint64_t lg_index_next(const struct lg_index *index);
/* The last place at or before the record. */
struct cell_position lg_index_find(const struct lg_index *index, uint64_t sequence);
void lg_index_free(struct lg_index *index);

struct lg_archive;
struct lg_cursor;

/* Of a journal that is open to be written. It takes over the index. NULL: memory is short. */
struct lg_archive *lg_archive_new(struct cell_journal *journal, struct lg_index *index);
void lg_archive_free(struct lg_archive *a); /* all cursors were given back; NULL is accepted */
/* One thread at a time; places come in their order. */
void lg_archive_note(struct lg_archive *a, const struct cell_position *place);

/* Where a reader that wants this record begins: at it, or at most some hundred records before. */
struct cell_position lg_archive_place(struct lg_archive *a, uint64_t sequence);

/* A cursor is used by one thread at a time, and is the faster the closer together the records are. */
int lg_archive_take(struct lg_archive *a, struct lg_cursor **cursor, struct lg_failure *f);
void lg_archive_give(struct lg_archive *a, struct lg_cursor *cursor); /* NULL is accepted */
/* A record that is committed. Errors as of cell_journal_read. */
int lg_cursor_read(struct lg_cursor *c, uint64_t sequence, struct ledger_entry *entry, struct lg_failure *f);

/* What a function of the journal has said. Returns its status. */
int lg_fail_journal(struct lg_failure *f, const struct cell_error *e, const char *what);

#endif
