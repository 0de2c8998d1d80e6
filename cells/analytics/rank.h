/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The groups with the most of something. */
#ifndef CELLS_ANALYTICS_RANK_H
#define CELLS_ANALYTICS_RANK_H

#include "aggregator.h"

/*
 * The numbers in the view of the at most `most` (more than 0) groups with the most of an aggregate, the first the one
 * that has most; of groups with as much the one that came first. All groups are looked at. *numbers is the caller's to
 * free. CELL_NO_MEMORY.
 */
int an_rank(const struct an_aggregator *a, const struct an_view *view, uint32_t aggregate, uint32_t most,
            uint32_t **numbers, uint32_t *n, struct an_failure *f);

#endif
