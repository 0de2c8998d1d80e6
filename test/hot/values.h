/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Objects of any type of a schema: random ones, and comparing them. */
#ifndef CELL_TEST_HOT_VALUES_H
#define CELL_TEST_HOT_VALUES_H

#include "core/ast_impl.h"
#include "generate.h"

/* A random object of exactly its size, from malloc; its strings point to memory of exactly their length, which belongs
 * to the process. */
void *hot_random_object(struct hot_random *random, const struct schema_ref *type);
/* Bit for bit, but for padding, for which NaN a NaN is, and for where strings lie. */
bool hot_same_object(const void *a, const void *b, const struct schema_ref *type);

#endif
