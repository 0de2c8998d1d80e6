/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * A file that is written by stores into memory. What was stored is what every process reads from the file, and stays
 * when this one is killed, as with write(2); but for a few bytes it costs a tenth of that.
 *
 * Where a page cannot be had (the disk fails, a file system that copies what is changed has no place, somebody has cut
 * the file) the kernel sends SIGBUS. The handler puts memory there that is no file's, so that the store goes on, and
 * cell_file_map_put returns false. Whoever called it writes with write(2) then, and learns from that why. SIGBUS of
 * other places goes to the handler that was there before.
 */
#ifndef CELL_BASE_FILE_MAP_H
#define CELL_BASE_FILE_MAP_H

#include <sys/uio.h>

#include "base/util.h"

/* By one thread at a time. All zero: there is none. */
struct cell_file_map {
    uint8_t *at; /* NULL: there is none */
    size_t bytes;
    uint32_t place; /* in what the handler knows */
};

/* Maps the first `bytes` of the file, which it has. False, and *map is all zero: it cannot be, or there are too many.
 */
bool cell_file_map_open(int fd, size_t bytes, struct cell_file_map *map);
void cell_file_map_close(struct cell_file_map *map);
/* Has the processor fetch what will be put there soon; at most a few hundred bytes. */
static inline void cell_file_map_expect(const struct cell_file_map *map, uint64_t at, uint64_t n)
{
    for (uint64_t i = at; i < at + n && i < map->bytes; i += 64)
        __builtin_prefetch(map->at + i, 1);
}
/* Puts the parts into the file, one behind the other from `at` on. False: they are not there, or not all of them, and
 * the map is of no use any more; or there is none. */
bool cell_file_map_put(struct cell_file_map *map, uint64_t at, const struct iovec *parts, int n);

#endif
