/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A search index in a file: documents by keys, their words in an FTS5 table of SQLite, the rest in a table beside it.
 *
 * It is written by one thread, in batches that are there as a whole or not at all, each with the position in the source
 * that it brings the index to: after a crash, of the process or the machine, the position and the documents belong
 * together, and what comes after the position is written again. Any number of threads search, each with a
 * search_reader; what they find is one state between two batches.
 */
#ifndef CELLS_SEARCH_INDEX_H
#define CELLS_SEARCH_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"
#include "field.h"

#define SEARCH_MOST_KEY 511      /* bytes */
#define SEARCH_MOST_POSITION 255 /* bytes */
#define SEARCH_MOST_EXCERPT 500  /* words; in the mean of 64 bytes, more are cut off */

struct search_definition {
    struct search_fields fields; /* without a TEXT there is nothing to look for words in */
    const char *language;        /* words.h */
    bool all_words;              /* also those that say nothing in the language */
    const char *stop_words;      /* that are left out as well, of search_stop_words (words.h); NULL = none */
};

struct search_index;

/*
 * Opens the index in `path`, or makes it. The definition is copied. CELL_FAILED_PRECONDITION: it was made for another
 * definition, or by another version of this code. CELL_DATA_LOSS: it is damaged, or no index. CELL_INVALID_ARGUMENT: a
 * definition that is none. CELL_UNAVAILABLE: another process writes it. CELL_RESOURCE_EXHAUSTED: the disk is full.
 * CELL_PERMISSION_DENIED, CELL_NO_MEMORY, CELL_INTERNAL.
 */
int search_index_open(const char *path, const struct search_definition *definition, struct search_index **index,
                      struct search_failure *f);
/* From now on no batch begins while the file has more than so many bytes in use, its vectors included, which are in
 * memory as well: CELL_RESOURCE_EXHAUSTED. What there is can be read. 0 = no limit. Writer's thread. */
void search_index_limit(struct search_index *index, uint64_t bytes);
void search_index_close(struct search_index *index); /* its readers first; rolls back; NULL is accepted */

/* One value of a document; which member counts is told by its field. */
struct search_content {
    bool absent; /* of a field that is optional */
    union {
        int64_t integer; /* INTEGER, BOOL */
        double real;
        struct {
            const char *bytes; /* TEXT, KEYWORD: UTF-8 */
            size_t length;
        } text;
        const float *vector; /* as many as the field has dimensions */
    };
};

/*
 * A batch. Between begin and commit documents are put, in place of those with the same key, and deleted (nothing
 * happens where there is none). After any failure but CELL_INVALID_ARGUMENT, which is of one document and leaves the
 * batch as it was before it, the batch is to be rolled back. CELL_INVALID_ARGUMENT: a text that is none or too long, a
 * vector with a value that is no number, or of no length where the metric is the cosine. CELL_RESOURCE_EXHAUSTED: the
 * disk is full.
 */
int search_index_begin(struct search_index *index, struct search_failure *f);
int search_index_put(struct search_index *index, const void *key, size_t length, const struct search_content *content,
                     struct search_failure *f);
int search_index_delete(struct search_index *index, const void *key, size_t length, struct search_failure *f);
int search_index_commit(struct search_index *index, const void *position, size_t length, struct search_failure *f);
void search_index_rollback(struct search_index *index);

/*
 * Saves the graphs of vectors beside the index, so that they need not be built again when it is opened: that takes a
 * minute for 100,000, this a second. For now and then, and before the index is closed. Not within a batch. Failures as
 * those of search_index_commit; then it is as before.
 */
int search_index_checkpoint(struct search_index *index, struct search_failure *f);

/* The position of the last batch, at most SEARCH_MOST_POSITION bytes; 0 before the first. Writer's thread. */
int search_index_position(struct search_index *index, void *position, struct search_failure *f);

/* ---- reading ---- */

struct search_reader;
/* CELL_NO_MEMORY, CELL_INTERNAL. Not thread-safe: one thread at a time uses a reader. */
int search_reader_open(struct search_index *index, struct search_reader **reader, struct search_failure *f);
void search_reader_close(struct search_reader *reader); /* NULL is accepted */

/* What runs on the reader asks now and then whether it is to stop; then it ends with CELL_CANCELLED. NULL = never. */
void search_reader_watch(struct search_reader *reader, bool (*stop)(void *user), void *user);

/* Where a page ends. After a change of the index the pages behind it may repeat or miss what has moved. */
struct search_cursor {
    double score;
    int64_t id; /* 0 = the beginning */
};

struct search_request {
    const char *query; /* query.h; "" = every document, in the order in which they came */
    size_t query_length;
    uint32_t limit;             /* hits at most, 1 to 10,000 */
    struct search_cursor after; /* the hits after that one; zero = from the best */
    uint32_t excerpt;           /* words of an excerpt, at most SEARCH_MOST_EXCERPT; 0 = none */
};

/* Text, and where in it that stands which was found: bytes, in their order, none in another one. The places are of
 * whole characters; text is as the document has it, whatever it looks like. */
struct search_mark {
    uint32_t begin, length;
};
struct search_passage {
    const char *text; /* UTF-8 */
    size_t length;
    const struct search_mark *marks;
    size_t nmarks;
};

struct search_hit {
    const void *key;
    size_t key_length;
    double score; /* higher is better; 0 where no words are looked for */
    int64_t id;   /* with the score, the cursor behind it */
    struct search_passage
        excerpt; /* where the most of what is looked for stands together; "…" where text is left out */
};

/* Is shown each hit, best first; what it points to holds until it returns. False ends the search. */
typedef bool search_take_hit(void *user, const struct search_hit *hit);

/*
 * Searches. CELL_INVALID_ARGUMENT with the place: see search_query_parse. CELL_CANCELLED: the watch said so.
 * CELL_DATA_LOSS, CELL_NO_MEMORY, CELL_INTERNAL.
 */
int search_run(struct search_reader *reader, const struct search_request *request, search_take_hit *take, void *user,
               struct search_failure *f);

/*
 * The whole text `field` of a document with what the query finds marked, also when the query as a whole does not find
 * it. What *passage points to lives until the reader is used again. CELL_NOT_FOUND: there is no such document.
 * CELL_INVALID_ARGUMENT also: the field is no text. As search_run.
 */
int search_highlight(struct search_reader *reader, const void *key, size_t key_length, uint32_t field,
                     const char *query, size_t length, struct search_passage *passage, struct search_failure *f);

/* How many documents the query finds. As search_run. */
int search_count(struct search_reader *reader, const char *query, size_t length, uint64_t *count,
                 struct search_failure *f);

/* The values of `field`, KEYWORD, INTEGER or BOOL, among what the query finds, the most frequent first. */
struct search_facet {
    bool absent;
    int64_t integer;
    const char *text; /* of KEYWORD; holds until `take` returns */
    size_t length;
    uint64_t count;
};
typedef bool search_take_facet(void *user, const struct search_facet *facet);
int search_facets(struct search_reader *reader, const char *query, size_t length, uint32_t field, uint32_t limit,
                  search_take_facet *take, void *user, struct search_failure *f);

/*
 * The `k` documents, 1 to 1,000, whose vectors of `field` are the nearest to `vector`, nearest first, among those that
 * `query` finds ("" = all). The score is the cosine or the inner product; of L2, the negative square of the distance.
 * CELL_INVALID_ARGUMENT also for a field that is no vector, a value that is no number, and a zero that has no
 * direction.
 */
int search_similar(struct search_reader *reader, uint32_t field, const float *vector, uint32_t k, const char *query,
                   size_t length, search_take_hit *take, void *user, struct search_failure *f);

/*
 * The best by words and by vectors together: what `query`'s words find, and what is near to `vector` under the query's
 * conditions, each by its places in the two lists (reciprocal rank fusion, Cormack, Clarke and Büttcher 2009: the sum
 * of 1 / (60 + place), which is the score). `k` from 1 to 1,000. As search_similar; a query without words is one.
 */
int search_hybrid(struct search_reader *reader, uint32_t field, const float *vector, uint32_t k, const char *query,
                  size_t length, search_take_hit *take, void *user, struct search_failure *f);

/* Words of the index that begin as `text`'s last word does, those in the most documents first. */
typedef bool search_take_word(void *user, const char *word, size_t length, uint64_t documents);
int search_suggest(struct search_reader *reader, const char *text, size_t length, uint32_t limit,
                   search_take_word *take, void *user, struct search_failure *f);

#endif
