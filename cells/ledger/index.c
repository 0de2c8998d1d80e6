/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "archive.h"

#include <stdlib.h>

#define APART 512 /* records between places in the index */

uint64_t lg_index_next(const struct lg_index *index)
{
    return index->n ? index->places[index->n - 1].sequence + APART : 0;
}

bool lg_index_add(struct lg_index *index, const struct cell_position *place)
{
    if (place->sequence < lg_index_next(index))
        return true;
    if (index->n == index->capacity) {
        size_t capacity = index->capacity ? index->capacity * 2 : 256;
        struct cell_position *larger = realloc(index->places, capacity * sizeof(*larger));
        if (!larger)
            return false;
        index->places = larger;
        index->capacity = capacity;
    }
    index->places[index->n++] = *place;
    return true;
}

struct cell_position lg_index_find(const struct lg_index *index, uint64_t sequence)
{
    size_t low = 0, high = index->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->places[middle].sequence <= sequence)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? index->places[low - 1] : (struct cell_position){0};
}

void lg_index_free(struct lg_index *index)
{
    free(index->places);
    *index = (struct lg_index){0};
}
