/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The file "fields" in a journal's folder: what its writer says of the records, as lines of words with a space between.
 *
 *   cell-journal-fields 1
 *   time NAME ordered|unordered                   there may be none
 *   field NAME TYPE OFFSET [NAME=NUMBER,…]        of each field
 *
 * What is in it is not looked at here: whoever uses it checks it against the size of a record.
 */
#ifndef CELL_JOURNAL_FIELDS_H
#define CELL_JOURNAL_FIELDS_H

#include "base/arena.h"
#include "cell/journal.h"

#define CELL_JOURNAL_MOST_FIELDS 256u
#define CELL_JOURNAL_FIELDS_FILE "fields"

struct cell_journal_fields {
    const struct cell_journal_field *fields; /* in the arena, as all below them */
    uint32_t nfields;
    const char *time; /* NULL = none */
    bool ordered;
};

/* On the disk when it returns. CELL_INVALID_ARGUMENT: words that cannot stand in the file, or too many fields;
 * CELL_RESOURCE_EXHAUSTED, CELL_IO_ERROR, CELL_NO_MEMORY. */
int cell_journal_fields_write(const char *folder, const struct cell_journal_options *options, struct cell_error *e);
/* CELL_NOT_FOUND: its writer has said nothing; CELL_DATA_LOSS: the file is none; CELL_IO_ERROR, CELL_NO_MEMORY. */
int cell_journal_fields_read(const char *folder, struct cell_arena *arena, struct cell_journal_fields *fields,
                             struct cell_error *e);
/* The same from bytes. */
int cell_journal_fields_parse(const char *text, size_t length, struct cell_arena *arena,
                              struct cell_journal_fields *fields, struct cell_error *e);

#endif
