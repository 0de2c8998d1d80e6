/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the parts of an index share: index_open.c makes it, index_write.c fills it, index_read*.c look into it. */
#ifndef CELLS_SEARCH_INDEX_IMPL_H
#define CELLS_SEARCH_INDEX_IMPL_H

#include "index.h"

#include <sqlite3.h>

#include "words.h"

struct search_index {
    sqlite3 *db;
    char *path;
    struct search_definition definition; /* its texts and fields are in `memory` */
    void *memory;
    uint32_t ntexts, nplain; /* fields whose words are looked for, and those that are columns beside */
    sqlite3_stmt *find, *put, *put_text, *erase, *erase_text, *read_position, *put_position;
    bool in_batch;
};

/* From what SQLite said last. `doing` begins the sentence: "writing the index". */
int index_fail(sqlite3 *db, struct search_failure *f, const char *doing);

/* A connection with the tokenizer; `write` as what makes the file. */
int index_connect(const char *path, bool write, sqlite3 **db, struct search_failure *f);

/* Prepares the statement that `format` makes. */
int index_prepare(sqlite3 *db, sqlite3_stmt **s, struct search_failure *f, const char *format, ...);
int index_execute(sqlite3 *db, struct search_failure *f, const char *doing, const char *sql);

static inline bool index_is_plain(const struct search_field *field)
{
    return field->kind != SEARCH_TEXT && field->kind != SEARCH_VECTOR;
}

#endif
