/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * What a disk may have in it after the power failed, by the record of what was written (disk.h).
 *
 * What a file had when a sync of it began that has ended is there. Of what was written later, each sector has what it
 * had at some moment since, and the file's size as well, independently of each other: a page cache writes what it
 * likes, when it likes. Sectors, of 512 or 4096 bytes, are not torn. Of what was done to names since the folder was
 * synced, any subset is there, each as a whole; syncing a file says nothing about its name.
 */
#ifndef CELL_TEST_STATES_H
#define CELL_TEST_STATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct states;

/* NULL: the record cannot be read. */
struct states *states_open(const char *log);
void states_close(struct states *states);
/* Points at which the power may fail: before each of as many entries, or after the last. */
size_t states_count(const struct states *states);
/* The greatest value of that mark (disk_mark) before the point; 0: there is none. */
uint64_t states_marked(const struct states *states, size_t point, uint64_t what);
/* A random point, those at the beginning and around syncs and marks more often than others. */
size_t states_point(const struct states *states, uint64_t *seed);

/* Makes the folder, which is not there, with what `seed` chooses. False: it cannot. */
bool states_build(const struct states *states, size_t point, uint64_t seed, const char *folder);
/* Whether the record is whole: everything in it leads to what is in the folder. Says what is not. */
bool states_is_whole(const struct states *states, const char *folder);

/* As the tests use it: random numbers below `n`. */
uint32_t states_random(uint64_t *seed, uint32_t n);

#endif
