/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Distances of vectors. For processors with AVX2 there are versions of their own, chosen when the program starts. */
#ifndef CELLS_SEARCH_DISTANCE_H
#define CELLS_SEARCH_DISTANCE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* As hnswlib calls them: two vectors, and the address of a size_t, how many values each has. Sums of floats are added
 * up in an order that is the same for the same processor. */
float search_distance_product(const void *a, const void *b, const void *n); /* 1 - the sum of products */
float search_distance_square(const void *a, const void *b, const void *n);  /* the sum of squares of differences */
float search_distance_bytes(const void *a, const void *b, const void *n);   /* of int8_t that are 127 times a value: as
                                                                               the   first */

/* *to gets the direction of `from`, whose values are finite and not all zero. */
void search_normalize(const float *from, float *to, size_t n);
void search_to_bytes(const float *from, int8_t *to, size_t n); /* from -1 … 1 */

#ifdef __cplusplus
}
#endif
#endif
