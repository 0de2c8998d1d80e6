/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
#include "disk_map.h"

#include <stdlib.h>
#include <string.h>

#define MOST 64
#define PIECE 64 /* bytes that are compared at once */

static struct map {
    const uint8_t *at;
    uint8_t *seen;
    size_t size;
    uint64_t file, offset;
} maps[MOST];

bool disk_map_add(const void *at, size_t size, uint64_t file, uint64_t offset)
{
    struct map *m = maps;

    while (m < maps + MOST && m->at)
        m++;
    if (m == maps + MOST)
        return false;
    *m = (struct map){at, malloc(size), size, file, offset};
    if (!m->seen)
        abort();
    memcpy(m->seen, at, size);
    return true;
}

static bool changes(struct map *m, size_t at)
{
    size_t n = m->size - at < PIECE ? m->size - at : PIECE;

    if (memcmp(m->seen + at, m->at + at, n) == 0)
        return false;
    memcpy(m->seen + at, m->at + at, n); /* others may write it meanwhile: what is told is what is seen */
    return true;
}

static void look_at(struct map *m, disk_map_fn *written)
{
    size_t begin = 0, end = 0;

    for (size_t at = 0; at < m->size; at += PIECE) {
        if (!changes(m, at))
            continue;
        if (at != end) {
            if (end > begin)
                written(m->file, m->offset + begin, m->seen + begin, end - begin);
            begin = at;
        }
        end = m->size - at < PIECE ? m->size : at + PIECE;
    }
    if (end > begin)
        written(m->file, m->offset + begin, m->seen + begin, end - begin);
}

void disk_map_look(disk_map_fn *written)
{
    for (struct map *m = maps; m < maps + MOST; m++)
        if (m->at)
            look_at(m, written);
}

void disk_map_drop(const void *at)
{
    for (struct map *m = maps; m < maps + MOST; m++)
        if (m->at == at && at) {
            free(m->seen);
            *m = (struct map){.at = NULL};
        }
}
