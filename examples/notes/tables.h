/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the program keeps. Each struct is a table: compiling a file that includes this creates and changes it. */
#ifndef NOTES_TABLES_H
#define NOTES_TABLES_H

#include <stdbool.h>

#include <cell/cell.h>

/// A note.
struct CELL_TABLE("notes") CELL_INDEX("pinned, id") note {
    int64_t id CELL_KEY CELL_AUTO;
    cell_str title CELL_LENGTH(1, 200) CELL_UNIQUE;
    cell_str body CELL_DEFAULT("''");
    bool pinned CELL_DEFAULT("false");
    int64_t created CELL_AUTO CELL_SQL_TYPE("timestamptz"); ///< µs since 1970, UTC
    cell_opt_i64 edited CELL_SQL_TYPE("timestamptz");
};

/// A word that a note is filed under.
struct CELL_TABLE("note_tags") CELL_PRIMARY_KEY("note, tag") tag {
    int64_t note CELL_REFERENCES(notes, id, on delete cascade);
    cell_str tag CELL_LENGTH(1, 50) CELL_INDEXED;
};

#endif
