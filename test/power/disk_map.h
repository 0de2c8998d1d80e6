/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Files that are written in memory, where nothing tells that they are: they are compared with what was there before,
 * whenever something else happens. Part of disk.h. */
#ifndef CELL_TEST_DISK_MAP_H
#define CELL_TEST_DISK_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* With disk.c's lock, as all of these. Memory at `at` is the file's from `offset` on. False: there are too many. */
bool disk_map_add(const void *at, size_t size, uint64_t file, uint64_t offset);
/* What was written since the last look, piece after piece. */
typedef void disk_map_fn(uint64_t file, uint64_t offset, const void *data, size_t length);
void disk_map_look(disk_map_fn *written);
/* Before memory that begins there goes. */
void disk_map_drop(const void *at);

#endif
