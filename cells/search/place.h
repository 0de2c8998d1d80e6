/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* How far an index has got in its source, as it is committed with every batch: see pipeline.c. */
#ifndef CELLS_SEARCH_PLACE_H
#define CELLS_SEARCH_PLACE_H

#include "definition.h"
#include "index.h"
#include "source.h"

struct sc_place {
    char identity[65];
    bool scanning;
    uint64_t number;
    int64_t at_us;
    uint8_t key[SEARCH_MOST_POSITION];
    size_t key_length; /* 0: from the first record */
};

size_t sc_place_write(const struct sc_place *place, uint8_t position[SEARCH_MOST_POSITION]);
/* False: it is none. */
bool sc_place_read(const uint8_t *position, size_t length, struct sc_place *place);

/* A source that goes back, or says the same again, would keep this up for ever: CELL_DATA_LOSS when the record does not
 * come behind the place. Of a scan that is known only where its key has room in the place. */
int sc_place_check(const struct sc_definition *d, const struct sc_place *place, const struct sc_record *record,
                   struct search_failure *f);
/* What comes next comes behind that record. */
void sc_place_advance(const struct sc_definition *d, struct sc_place *place, const struct sc_record *last);

#endif
