/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Where in a text the words are that a query finds: a function of FTS5 (https://www.sqlite.org/fts5.html, 7.2) in place
 * of its own snippet() and highlight(). These put marks into the text, which nobody can take for marks any more when
 * the text has the same; take time by the square of what is found; and cannot be stopped.
 */
#ifndef CELLS_SEARCH_INDEX_MARK_H
#define CELLS_SEARCH_INDEX_MARK_H

#include <sqlite3.h>

#include "index.h"

#define INDEX_ANY_COLUMN (-1)

/* What is asked of the function, and what it has answered; zero at first. */
struct index_marking {
    int column;               /* of the table; INDEX_ANY_COLUMN: the one with the most of what is looked for */
    uint32_t words;           /* around what was found; 0 = the whole text */
    bool (*stop)(void *user); /* NULL = never */
    void *user;
    struct search_passage passage; /* holds until the next call */
    char *text;                    /* that it is in, with its room */
    size_t text_room;
    struct search_mark *marks;
    size_t marks_room;
};

/*
 * Makes index_mark(TABLE, ?) known to a connection; the parameter is a marking, bound by index_mark_bind. It takes time
 * for as many words as there are before the end of the passage, and memory for the passage. SQLITE_INTERRUPT: stopped.
 */
int index_mark_register(sqlite3 *db, struct search_failure *f);
int index_mark_bind(sqlite3_stmt *s, int at, struct index_marking *marking);
/* Makes a passage of a text in which nothing is marked. CELL_NO_MEMORY. */
int index_mark_copy(struct index_marking *marking, const char *text, size_t length, struct search_failure *f);
void index_mark_free(struct index_marking *marking);

#endif
