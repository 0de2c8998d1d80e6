/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What the parts of an index share: index_open.c makes it, index_write.c fills it, index_read*.c look into it. */
#ifndef CELLS_SEARCH_INDEX_IMPL_H
#define CELLS_SEARCH_INDEX_IMPL_H

#include "index.h"

#include <pthread.h>
#include <sqlite3.h>

#include "vectors.h"
#include "words.h"

/* Of the log into the file: index_checkpoint.c. */
struct index_checkpoints {
    pthread_mutex_t lock; /* of what follows, up to `thread` */
    pthread_cond_t changed;
    bool wanted, running, stop, broken;
    bool done;       /* since the last commit */
    bool small;      /* that was: somebody waits for each */
    int asked, seen; /* pages that were in the log when it was asked for last, and with the last commit */
    pthread_t thread;
    bool begun, has_thread;
};

struct search_index {
    sqlite3 *db;
    char *path;
    struct search_definition definition; /* its texts and fields are in `memory` */
    void *memory;
    uint32_t ntexts, nplain, nvectors; /* fields whose words are looked for, that are columns beside, and vectors */
    sqlite3_stmt *find, *put, *put_text, *erase, *erase_text, *merge_text, *read_position, *put_position;
    sqlite3_stmt *put_vectors, *erase_vectors, *read_vectors, *note_change, *read_changes; /* NULL without vectors */
    struct search_vectors *graphs[SEARCH_MOST_FIELDS]; /* by field; NULL of others */
    int64_t applied;                                   /* the last change that is in the graphs */
    bool in_batch;
    uint64_t text_bytes;     /* that the batch has brought */
    uint64_t to_merge;       /* pages of text, of it and of those before */
    uint64_t most_bytes;     /* of the file; 0 = any */
    sqlite3_stmt *read_size; /* how many it has in use */
    struct index_checkpoints checkpoints;
};

/* Those of fields that `which` is true of, as columns; behind others when `behind`. NULL when memory is short. */
char *index_list_columns(const struct search_index *x, bool (*which)(const struct search_field *), bool behind);
char *index_list_parameters(uint32_t n); /* of `n` columns behind others */

/* From what SQLite said last. `doing` begins the sentence: "writing the index". */
int index_fail(sqlite3 *db, struct search_failure *f, const char *doing);

/* A connection with the tokenizer; `write` as what makes the file. */
int index_connect(const char *path, bool write, sqlite3 **db, struct search_failure *f);

/* Prepares the statement that `format` makes. */
int index_prepare(sqlite3 *db, sqlite3_stmt **s, struct search_failure *f, const char *format, ...);
int index_execute(sqlite3 *db, struct search_failure *f, const char *doing, const char *sql);

static inline bool index_is_text(const struct search_field *field) { return field->kind == SEARCH_TEXT; }
static inline bool index_is_vector(const struct search_field *field) { return field->kind == SEARCH_VECTOR; }
static inline bool index_is_plain(const struct search_field *field)
{
    return field->kind != SEARCH_TEXT && field->kind != SEARCH_VECTOR;
}

/* From here on commits of x->db lead to checkpoints. Ends them, also when they have not begun. */
void index_checkpoints_begin(struct search_index *x);
void index_checkpoints_end(struct search_index *x);

/* A value that is stored under a name, as a text to be freed by sqlite3_free; *value is NULL when there is none. */
int index_read_meta(sqlite3 *db, const char *name, char **value, struct search_failure *f);

/* ---- index_vectors.c; all of it does nothing where no field is a vector ---- */

/* What is made with the other tables, as SQL to be freed by sqlite3_free. */
char *index_vector_tables(const struct search_index *x);
/* Statements, and graphs: from their files, or from the vectors. */
int index_vectors_open(struct search_index *x, struct search_failure *f);
void index_vectors_close(struct search_index *x);
int index_put_vectors(struct search_index *x, int64_t id, const struct search_content *content,
                      struct search_failure *f);
int index_erase_vectors(struct search_index *x, int64_t id, struct search_failure *f);
/* Brings the graphs to where the tables are. What fails is made up for by the next time. */
int index_vectors_follow(struct search_index *x, struct search_failure *f);

#endif
