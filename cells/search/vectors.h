/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * Nearest vectors: a graph in memory (HNSW, Malkov and Yashunin 2016, as hnswlib has it), of vectors that are known by
 * numbers. Conditions are looked at while the graph is walked, so that what they leave out does not take the place of
 * what is looked for; where they leave little, that little is compared with one by one.
 *
 * All functions may be called by several threads at once. Those that change the graph keep the others waiting.
 */
#ifndef CELLS_SEARCH_VECTORS_H
#define CELLS_SEARCH_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"
#include "field.h"

#ifdef __cplusplus
extern "C" {
#endif

struct search_vectors_options {
    uint32_t dimensions; /* 1 to SEARCH_MOST_DIMENSIONS */
    enum search_metric metric;
    bool bytes;       /* a byte for each value, not four; of the cosine only */
    uint32_t links;   /* of a vector: 2 to 100; 0 = 16 */
    uint32_t breadth; /* looked at when one is added: 0 = 200 */
};

struct search_vectors;

/* CELL_INVALID_ARGUMENT, CELL_NO_MEMORY. */
int search_vectors_new(const struct search_vectors_options *options, struct search_vectors **vectors,
                       struct search_failure *f);
void search_vectors_free(struct search_vectors *vectors); /* NULL is accepted */

/* Adds a vector of finite values, not zero where the metric is the cosine, or takes it for the one of that number.
 * CELL_NO_MEMORY; then it may be there or not. */
int search_vectors_put(struct search_vectors *v, uint64_t id, const float *vector, struct search_failure *f);

/* Puts `n` vectors, which lie one behind the other, with numbers of which none is there twice, by `threads` threads (0
 * = as many as search_vectors_threads allows). Who searches gets a turn after some of them. After a failure some may
 * have been put. */
int search_vectors_put_many(struct search_vectors *v, const uint64_t *ids, const float *vectors, size_t n,
                            unsigned threads, struct search_failure *f);

/* How many threads put vectors at once, in all graphs together; 0 = one for each processor, which is so until it is
 * called. A graph that finds none left has the caller's alone. */
void search_vectors_threads(unsigned n);

void search_vectors_delete(struct search_vectors *v, uint64_t id); /* also of one that is not there */
size_t search_vectors_count(struct search_vectors *v);

/* Numbers that may be found: bit `id` of `bits`, `nbits` of them; `count` are set. */
struct search_allowed {
    const uint64_t *bits;
    uint64_t nbits, count;
};

struct search_near {
    uint64_t id;
    float distance; /* the smaller the nearer: 1 - cosine; 1 - inner product; the square of the distance (L2) */
};

/*
 * The `k` nearest to `vector`, nearest first, or fewer when there are not as many; *n is how many. `breadth` vectors
 * are kept on the way, at least k: more find better and take longer; 0 = enough for nine of ten, and more. `allowed`
 * may be NULL. CELL_NO_MEMORY.
 */
int search_vectors_find(struct search_vectors *v, const float *vector, uint32_t k, uint32_t breadth,
                        const struct search_allowed *allowed, struct search_near *near, uint32_t *n,
                        struct search_failure *f);

/* The same by looking at every one. */
int search_vectors_find_exactly(struct search_vectors *v, const float *vector, uint32_t k,
                                const struct search_allowed *allowed, struct search_near *near, uint32_t *n,
                                struct search_failure *f);

/*
 * Writes the graph to `path`, synced, and returns in *sum a sum over the file. Reading demands the same sum: a graph is
 * links that are followed without a look. The file is of this machine's kind only. CELL_RESOURCE_EXHAUSTED: the disk is
 * full. CELL_UNAVAILABLE: it cannot be written. CELL_DATA_LOSS: it is none, not that of the sum, or of other options.
 */
int search_vectors_save(struct search_vectors *v, const char *path, uint64_t *sum, struct search_failure *f);
int search_vectors_load(const struct search_vectors_options *options, const char *path, uint64_t sum,
                        struct search_vectors **vectors, struct search_failure *f);

#ifdef __cplusplus
}
#endif
#endif
