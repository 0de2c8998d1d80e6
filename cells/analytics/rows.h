/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Groups for who has no struct of a program's: as structs that are laid out here, column behind column. */
#ifndef CELLS_ANALYTICS_ROWS_H
#define CELLS_ANALYTICS_ROWS_H

#include "service.h"

#define AN_MOST_PAGE 10000u /* groups */

struct an_row_layout {
    uint32_t n, size; /* columns, and bytes of a group */
    uint32_t offsets[AN_MOST_COLUMNS];
};
void an_row_layout(const struct an_definition *definition, struct an_row_layout *layout);

/* The part's aggregate as it is now: another number after it was built anew. With the part's lock. */
uint64_t an_row_generation(const struct an_part *part);

struct an_page {
    uint8_t *rows; /* the caller's to free */
    uint32_t n, size;
    uint64_t next, position;
    bool earlier;
    int64_t earlier_us;
};
/* CELL_NOT_FOUND: no such window; CELL_UNAVAILABLE: it is being read from its snapshot; CELL_ABORTED: of another
 * generation; CELL_OUT_OF_RANGE; CELL_NO_MEMORY. Takes the part's lock, so that counting waits. */
int an_page_read(struct an_part *part, uint64_t generation, int64_t at_us, uint64_t cursor, struct an_page *page,
                 struct an_failure *f);

#endif
