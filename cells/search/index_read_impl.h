/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What readers share: index_query.c makes statements of queries, index_read.c and index_facets.c run them. */
#ifndef CELLS_SEARCH_INDEX_READ_IMPL_H
#define CELLS_SEARCH_INDEX_READ_IMPL_H

#include "index_impl.h"
#include "index_mark.h"
#include "query.h"

struct search_reader {
    struct search_index *index;
    sqlite3 *db;
    struct search_words *words;
    sqlite3_stmt *mark; /* NULL until it is needed */
    struct index_marking marking;
    bool (*stop)(void *user);
    void *user;
};

/* A query that was read: `query`, whose values point into the caller's text. */
struct reading {
    struct search_query query;
    bool any; /* it was empty: every document is found */
};

int reading_begin(struct search_reader *r, const char *query, size_t length, struct reading *reading,
                  struct search_failure *f);
void reading_end(struct reading *reading);

/* Marks what the reading looks for in document `id`: index_mark.h. The passage is of r->marking; when nothing is found,
 * empty. Then index_passages_end. */
int index_passage(struct search_reader *r, const struct reading *reading, int64_t id, int column, uint32_t words,
                  struct search_passage *passage, struct search_failure *f);
void index_passages_end(struct search_reader *r);

/* Appends "FROM … WHERE …": docs as d, and text where words are looked for, by reading_bind's parameters. */
void reading_append_from(const struct search_reader *r, const struct reading *reading, sqlite3_str *sql);
int reading_bind(const struct search_reader *r, const struct reading *reading, sqlite3_stmt *s);

/*
 * The `k` nearest under the reading's words and conditions, checked as search_similar says; `near` has room for them.
 */
#define SIMILAR_MOST 1000
int similar_find(struct search_reader *r, uint32_t field, const float *vector, uint32_t k,
                 const struct reading *reading, struct search_near *near, uint32_t *n, struct search_failure *f);

/* Prepares what sqlite3_str_finish gives of `sql`, and binds the reading's parameters. */
int reading_prepare(struct search_reader *r, const struct reading *reading, sqlite3_str *sql, sqlite3_stmt **s,
                    struct search_failure *f);

#endif
