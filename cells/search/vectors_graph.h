/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What vectors.c has from C++: hnswlib. No locks: who changes the graph is alone with it. Vectors are as they are
 * stored, prepared by vectors.c. Numbers are less than 2^63.
 */
#ifndef CELLS_SEARCH_VECTORS_GRAPH_H
#define CELLS_SEARCH_VECTORS_GRAPH_H

#include "distance.h"
#include "vectors.h"

#ifdef __cplusplus
extern "C" {
#endif

struct search_graph;

/* NULL with *f. Links and breadth are set. */
struct search_graph *search_graph_new(const struct search_vectors_options *options, struct search_failure *f);
void search_graph_free(struct search_graph *g);

int search_graph_put(struct search_graph *g, const void *data, uint64_t id, struct search_failure *f);
/* None of the numbers twice. */
typedef void search_prepare(const void *user, size_t i, void *data);
int search_graph_put_many(struct search_graph *g, const uint64_t *ids, size_t n, unsigned threads,
                          search_prepare *prepare, const void *user, struct search_failure *f);
void search_graph_delete(struct search_graph *g, uint64_t id);
size_t search_graph_count(const struct search_graph *g);

/* `near` has room for k. */
int search_graph_find(const struct search_graph *g, const void *data, uint32_t k, uint32_t breadth, bool exactly,
                      const struct search_allowed *allowed, struct search_near *near, uint32_t *n,
                      struct search_failure *f);

/* Not synced. Whether all could be written is told by the size of the file: *size is what it is to be. */
int search_graph_write(struct search_graph *g, const char *path, uint64_t *size, struct search_failure *f);
/* Of a file that is known to be what was written with the same options. */
struct search_graph *search_graph_read(const struct search_vectors_options *options, const char *path,
                                       struct search_failure *f);

#ifdef __cplusplus
}
#endif
#endif
